// SPDX-License-Identifier: GPL-2.0-only
/* CHILDREN beside watches of a child's own and trees: each death is told once. */
#include "kselftest_harness.h"

#include "children_birth.h"

static int64_t add_own(int fd, enum how how, pid_t pid)
{
	int64_t watch = -EINVAL;
	int pidfd;

	if (how == BY_PID || how == LATE_PID)
		return add_pid(fd, pid, OWN);
	if (how != BY_PIDFD)
		return watch;
	pidfd = pidfd_of(pid);
	watch = add_pidfd(fd, pidfd, OWN);
	close(pidfd);
	return watch;
}

/* A watch of its own in the same queue tells the death, and CHILDREN does not. */
TEST_F_TIMEOUT(children, not_what_its_own_watch_tells, LIMIT)
{
	static const enum how hows[] = { BY_PID, BY_PIDFD, BY_NEXT, BY_SELF };
	struct knell_event ev;
	pid_t pid;

	for (unsigned int i = 0; i < 2 * ARRAY_SIZE(hows); i++) {
		enum how how = hows[i / 2];

		if (how == BY_NEXT)
			ASSERT_LT(0, add_next(self->fd, OWN));
		pid = fork();
		ASSERT_LE(0, pid);
		if (!pid) {
			if (how == BY_SELF && add_self(self->fd, OWN) < 0)
				_exit(BROKEN);
			tell(self->said, 'r');
			_exit(run_until_told(self));
		}
		ASSERT_EQ('r', hear(self->said));
		if (how == BY_PID || how == BY_PIDFD)
			ASSERT_LT(0, add_own(self->fd, how, pid));
		tell(self->go, 'g');
		next_death(_metadata, self, OWN, pid, 3 << 8, &ev);
		EXPECT_EQ(3 << 8, reap(pid));
		EXPECT_TRUE(nothing_pending(self->fd));
		/* The next one has none: nothing is left of what was noted for the first. */
		pid = start(_metadata, run_until_told, self);
		tell(self->go, 'g');
		see_death(_metadata, self, pid, 3 << 8);
	}
	EXPECT_EQ(1, nr_watches(self->fd));
}

/* The same where the tracer decides when. */
TEST_F_TIMEOUT(children, own_watch_and_tracer, LIMIT)
{
	struct knell_event ev;
	int go[2], said[2];
	pid_t pid, tracer;

	for (int reaps = 0; reaps < 2; reaps++) {
		pid = start(_metadata, run_until_told, self);
		ASSERT_LT(0, add_pid(self->fd, pid, OWN));
		tracer = start_tracer(_metadata, pid, go, said, reaps);
		tell(self->go, 'g');
		ASSERT_EQ('z', hear(said));
		tell(go, 'g');
		next_death(_metadata, self, OWN, pid, 3 << 8, &ev);
		see_death(_metadata, self, tracer, 0);
		EXPECT_EQ(3 << 8, reap(pid));
		EXPECT_TRUE(nothing_pending(self->fd));
	}
}

TEST_F_TIMEOUT(children, own_watch_in_another_queue, LIMIT)
{
	int other = knell_open(O_NONBLOCK);
	pid_t pid = start(_metadata, run_until_told, self);
	struct knell_event ev;

	ASSERT_LT(0, add_pid(other, pid, OWN));
	tell(self->go, 'g');
	see_death(_metadata, self, pid, 3 << 8);
	ASSERT_EQ(1, next_event(other, &ev));
	EXPECT_EQ(pid, ev.exit.pid);
	EXPECT_TRUE(nothing_pending(other));
	close(other);
}

/* One that is gone before the death tells nothing, one that comes after it tells it again. */
TEST_F_TIMEOUT(children, own_watch_before_and_after, LIMIT)
{
	pid_t pid = start(_metadata, run_until_told, self);
	int64_t watch = add_pid(self->fd, pid, OWN);
	struct knell_event ev;

	ASSERT_LT(0, watch);
	ASSERT_EQ(0, del_watch(self->fd, watch));
	tell(self->go, 'g');
	ASSERT_EQ(0, await_zombie(pid));
	ASSERT_LT(0, add_own(self->fd, LATE_PID, pid));
	next_death(_metadata, self, TOKEN, pid, 3 << 8, &ev);
	next_death(_metadata, self, OWN, pid, 3 << 8, &ev);
	EXPECT_EQ(3 << 8, reap(pid));
	EXPECT_TRUE(nothing_pending(self->fd));
}

/* One read on a watch of its own that stays does not make CHILDREN tell it. */
TEST_F_TIMEOUT(children, own_watch_that_is_acknowledged, LIMIT)
{
	pid_t pid = start(_metadata, run_until_told, self);
	int64_t watch = add_watch(self->fd, op_process(pid, KNELL_OPF_ACK, OWN));
	struct knell_event ev;

	ASSERT_LT(0, watch);
	tell(self->go, 'g');
	next_death(_metadata, self, OWN, pid, 3 << 8, &ev);
	EXPECT_TRUE(nothing_pending(self->fd));
	EXPECT_EQ(3 << 8, reap(pid));
	EXPECT_EQ(0, del_watch(self->fd, watch));
	EXPECT_TRUE(nothing_pending(self->fd));
}

/* Of many that die at once, on all CPUs, some have a watch of their own: one record each. */
TEST_F_TIMEOUT(children, some_have_their_own, LIMIT)
{
	enum { ROUNDS = 10, NR = 100 };
	struct knell_event ev;
	pid_t pid[NR];
	int seen[NR], nr, i;

	for (int round = 0; round < ROUNDS; round++) {
		for (i = 0; i < NR; i++) {
			pid[i] = start(_metadata, run_until_told, self);
			seen[i] = 0;
			if (i % 3 == 0)
				ASSERT_LT(0, add_pid(self->fd, pid[i], OWN));
		}
		for (i = 0; i < NR; i++)
			tell(self->go, 'g');
		for (nr = 0; nr < NR; nr++) {
			ASSERT_EQ(1, next_event(self->fd, &ev));
			ASSERT_EQ(KNELL_EV_EXIT, ev.type);
			for (i = 0; i < NR && pid[i] != ev.exit.pid; i++)
				;
			ASSERT_LT(i, NR);
			EXPECT_EQ(0, seen[i]++);
			EXPECT_EQ(i % 3 ? TOKEN : OWN, ev.token);
			EXPECT_EQ(3 << 8, ev.exit.status);
		}
		for (i = 0; i < NR; i++)
			EXPECT_EQ(3 << 8, reap(pid[i]));
		ASSERT_TRUE(nothing_pending(self->fd));
	}
}

static int64_t add_tree(int fd, uint32_t flags)
{
	struct knell_op op = op_add(KNELL_TREE, flags, OWN);

	strcpy(op.tree.label, "children_test");
	return add_watch(fd, op);
}

/* The next child is a member of @tree from its birth on. */
static void join_next(struct __test_metadata *_metadata, int fd, uint32_t tree)
{
	struct knell_op op = { .op = KNELL_OP_JOIN, .flags = KNELL_OPF_NEXT, .watch = tree };

	ASSERT_EQ(0, submit_op(fd, &op));
}

static void next_empty(struct __test_metadata *_metadata, FIXTURE_DATA(children) *self)
{
	struct knell_event ev;

	ASSERT_EQ(1, next_event(self->fd, &ev));
	EXPECT_EQ(KNELL_EV_EMPTY, ev.type);
	EXPECT_EQ(OWN, ev.token);
	EXPECT_LT(self->seq, ev.seq);
	self->seq = ev.seq;
}

/* The main process's EXIT is the tree's; of other members it is if the tree reports them. */
TEST_F_TIMEOUT(children, not_what_its_tree_tells, LIMIT)
{
	static const uint32_t flags[] = { 0, KNELL_OPF_REPORT_EXIT, KNELL_OPF_ACK };
	struct knell_event ev;
	pid_t first, other;
	int64_t tree;

	for (unsigned int i = 0; i < ARRAY_SIZE(flags); i++) {
		bool reports = flags[i] & KNELL_OPF_REPORT_EXIT;

		tree = add_tree(self->fd, flags[i]);
		ASSERT_LT(0, tree);
		join_next(_metadata, self->fd, tree);
		first = start(_metadata, run_until_killed, self);
		join_next(_metadata, self->fd, tree);
		other = start(_metadata, run_until_told, self);
		ASSERT_EQ(0, kill(first, SIGKILL));
		ASSERT_EQ(1, next_event(self->fd, &ev));
		EXPECT_EQ(KNELL_EV_EXIT, ev.type);
		EXPECT_EQ(OWN, ev.token);
		EXPECT_EQ(first, ev.exit.pid);
		EXPECT_EQ(SIGKILL, ev.exit.status);
		EXPECT_EQ(SIGKILL, reap(first));
		EXPECT_TRUE(nothing_pending(self->fd));
		tell(self->go, 'g');
		if (reports) {
			next_death(_metadata, self, OWN, other, 3 << 8, &ev);
			next_empty(_metadata, self);
		} else {
			/* The tree's hook comes first. */
			next_empty(_metadata, self);
			next_death(_metadata, self, TOKEN, other, 3 << 8, &ev);
		}
		EXPECT_EQ(3 << 8, reap(other));
		EXPECT_TRUE(nothing_pending(self->fd));
	}
}

/* A report that the tree lost is not told; a tree of another queue's is another's matter. */
TEST_F_TIMEOUT(children, what_its_tree_does_not_tell, LIMIT)
{
	int other = knell_open(O_NONBLOCK), i;
	int64_t tree = add_tree(self->fd, KNELL_OPF_REPORT_EXIT);
	struct knell_event ev;
	pid_t first, pid;

	ASSERT_LT(0, tree);
	join_next(_metadata, self->fd, tree);
	first = start(_metadata, run_until_killed, self);
	for (i = 0; i < RESERVE; i++) {
		join_next(_metadata, self->fd, tree);
		ASSERT_EQ(0, reap(born_vfork(0)));
	}
	join_next(_metadata, self->fd, tree);
	pid = born_vfork(3);
	ASSERT_EQ(0, await_zombie(pid));
	for (i = 0; i < RESERVE; i++) {
		ASSERT_EQ(1, pending_event(self->fd, &ev));
		ASSERT_EQ(OWN, ev.token);
		ASSERT_EQ(KNELL_EV_EXIT, ev.type);
	}
	ASSERT_EQ(1, pending_event(self->fd, &ev));
	EXPECT_EQ(KNELL_EV_LOST, ev.type);
	EXPECT_EQ(OWN, ev.token);
	EXPECT_EQ(1, ev.tree.lost);
	self->seq = ev.seq;
	see_death(_metadata, self, pid, 3 << 8);
	ASSERT_EQ(0, del_watch(self->fd, tree));
	ASSERT_EQ(0, kill(first, SIGKILL));
	see_death(_metadata, self, first, SIGKILL);

	tree = add_tree(other, 0);
	ASSERT_LT(0, tree);
	join_next(_metadata, other, tree);
	see_death(_metadata, self, born_fork(4), 4 << 8);
	ASSERT_EQ(2, wait_events(other, (struct knell_event[2]){ }, 2, 0));
	close(other);
}

TEST_HARNESS_MAIN
