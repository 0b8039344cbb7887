// SPDX-License-Identifier: GPL-2.0-only
/*
 * Parents that do not come back from their fork for long: vfork(2) sleeps until
 * the child is done. What each took from the module's pool of members is replaced
 * all the same, or nothing would be left of it: all are counted exactly. And so many
 * members that several share a place where the module looks for them.
 *
 * runner-limit: 600
 */
#include "kselftest_harness.h"

#include <sys/prctl.h>

#include "tree_test.h"

#define ASLEEP		150	/* parents at the same time; the pool has 64 */
#define NESTED		4

/**
 * struct dorm - what the processes of a case share
 * @nr: queues, a tree in each
 * @fd: of these
 * @tree: handles
 * @left: children that are to be born, where one bears the next
 * @start: those who are to bear wait there
 * @gate: the children of the sleepers do
 * @said: a byte for each child, once its parent sleeps
 * @life: held by all
 */
struct dorm {
	int nr;
	int fd[NESTED];
	uint32_t tree[NESTED];
	atomic_int left;
	int start;
	int gate;
	int said[2];
	struct lifeline life;
};

FIXTURE(vforks) {
	struct dorm *d;
};

FIXTURE_VARIANT(vforks) {
	int nr;
	uint32_t flags;
};

FIXTURE_VARIANT_ADD(vforks, in_a_tree) {
	.nr = 1,
	.flags = KNELL_OPF_REPORT_FORK,
};

FIXTURE_VARIANT_ADD(vforks, in_four_trees) {
	.nr = NESTED,
	.flags = KNELL_OPF_REPORT_EXIT,
};

FIXTURE_SETUP(vforks)
{
	struct dorm *d = shared(sizeof(*d));

	self->d = d;
	d->nr = variant->nr;
	d->start = new_gate();
	d->gate = new_gate();
	ASSERT_EQ(0, pipe(d->said));
	ASSERT_EQ(0, new_lifeline(&d->life));
	for (int i = 0; i < d->nr; i++) {
		d->fd[i] = knell_open(O_NONBLOCK);
		d->tree[i] = add_tree(d->fd[i], variant->flags, i);
	}
}

FIXTURE_TEARDOWN(vforks)
{
	for (int i = 0; i < self->d->nr; i++)
		close(self->d->fd[i]);
}

/* Asleep in fork until the child, which says so, is let go. */
static void sleep_in_vfork(struct dorm *d)
{
	long pid = bare_clone(CLONE_VFORK | SIGCHLD);

	if (!pid) {
		tell(d->said, 'b');
		pass_gate(d->gate);
	}
	_exit(pid < 0);
}

/* All of them at once. */
static void side_by_side(void *arg)
{
	struct dorm *d = arg;

	for (int i = 0; i < ASLEEP; i++) {
		if (!bare_fork()) {
			pass_gate(d->start);
			sleep_in_vfork(d);
		}
	}
	reap_all();
	_exit(42);
}

/* Each sleeps until the next one's child is done: the last one born lets all go. */
static void in_a_row(void *arg)
{
	struct dorm *d = arg;

	pass_gate(d->start);
	while (atomic_fetch_sub(&d->left, 1) > 0) {
		if (bare_clone(CLONE_VFORK | SIGCHLD))
			_exit(42);
		tell(d->said, 'b');
	}
	pass_gate(d->gate);
	_exit(42);
}

static void join_all_and(member_fn fn, struct dorm *d)
{
	for (int i = 0; i < d->nr; i++)
		if (join(d->fd[i], d->tree[i]))
			_exit(BROKEN);
	fn(d);
}

static void lie_side_by_side(void *arg)
{
	join_all_and(side_by_side, arg);
}

static void lie_in_a_row(void *arg)
{
	join_all_and(in_a_row, arg);
}

/* There are @members when every parent sleeps. */
static void see_dorm(struct __test_metadata *_metadata, struct dorm *d, member_fn fn,
		     unsigned int members)
{
	struct tally t[NESTED] = { };
	pid_t pid;

	pid = spawn_process(fn, d);
	ASSERT_LT(0, pid);
	drop_lifeline(&d->life);
	/* Any other fork would fill the pool. */
	while (tree_members(d->fd[d->nr - 1], d->tree[d->nr - 1]) < members - ASLEEP)
		sched_yield();
	open_gate(d->start, ASLEEP);
	for (int i = 0; i < ASLEEP; i++)
		ASSERT_EQ('b', hear_soon(d->said));
	for (int i = 0; i < d->nr; i++) {
		EXPECT_EQ(members, tree_members(d->fd[i], d->tree[i]));
		EXPECT_EQ((int)members, kill_watch(d->fd[i], d->tree[i], 0));
	}
	open_gate(d->gate, ASLEEP);
	for (int i = 0; i < d->nr; i++) {
		ASSERT_TRUE(count_until_empty(d->fd[i], &t[i]));
		EXPECT_TRUE(tally_is_sound(d->fd[i], &t[i]));
		EXPECT_EQ(members - 1, t[i].forks + t[i].exits + t[i].lost);
		EXPECT_EQ(pid, t[i].main.exit.pid);
		EXPECT_EQ(EXITED(42), t[i].main.exit.status);
	}
	EXPECT_TRUE(all_dead(&d->life));
	reap_all();
}

TEST_F_TIMEOUT(vforks, side_by_side, LIMIT)
{
	see_dorm(_metadata, self->d, lie_side_by_side, 2 * ASLEEP + 1);
}

TEST_F_TIMEOUT(vforks, in_a_row, LIMIT)
{
	ASSERT_EQ(0, prctl(PR_SET_CHILD_SUBREAPER, 1));
	self->d->left = ASLEEP;
	see_dorm(_metadata, self->d, lie_in_a_row, ASLEEP + 1);
}

#define CROWD		200	/* parents, and a child of each: a dozen pairs in 4096 places */

static void bear_and_sleep(void *arg)
{
	if (fork() < 0)
		_exit(BROKEN);
	say_and_sleep(arg);
}

/* Born, blamed and counted as if each were alone. */
TEST(crowd)
{
	int fd = knell_open(O_NONBLOCK), inside = new_gate();
	unsigned int exits = 0, others = 0;
	struct knell_event ev;
	struct tally t = {};
	pid_t pid[CROWD];
	int64_t tree;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, prctl(PR_SET_CHILD_SUBREAPER, 1));
	tree = add_tree(fd, KNELL_OPF_REPORT_EXIT, 1);
	ASSERT_LT(0, tree);
	for (int i = 0; i < CROWD; i++) {
		pid[i] = spawn_member(fd, tree, bear_and_sleep, &inside);
		ASSERT_LT(0, pid[i]);
	}
	/* Both of each pair. */
	for (int i = 0; i < 2 * CROWD; i++)
		pass_gate(inside);
	ASSERT_EQ(2 * CROWD, kill_watch(fd, tree, SIGKILL));
	while (!t.empties) {
		ASSERT_EQ(1, wait_events(fd, &ev, 1, clock_ns(CLOCK_MONOTONIC) + PATIENCE));
		count_event(&t, &ev);
		if (ev.type != KNELL_EV_EXIT)
			continue;
		exits++;
		others += !(ev.flags & KNELL_EVF_KILLER) || ev.exit.killer_pid != getpid();
	}
	EXPECT_EQ(0, t.bad);
	EXPECT_EQ(1, t.mains);
	EXPECT_EQ(2 * CROWD, exits + t.lost);
	EXPECT_EQ(0, others);
	for (int i = 0; i < 2 * CROWD; i++)
		EXPECT_LT(0, wait(NULL));
	close(inside);
	close(fd);
}

TEST_HARNESS_MAIN
