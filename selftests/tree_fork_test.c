// SPDX-License-Identifier: GPL-2.0-only
/*
 * Trees of many: every birth and every death is counted once, whoever forks,
 * how, and how many at a time; what there was no room to report is told as a
 * number; EMPTY comes once and last.
 *
 * runner-limit: 900
 * runner-smp: 4
 * runner-smp-arm64: 2
 */
#include "kselftest_harness.h"

#include "tree_bomb.h"

#define BOMB		rounds(2000)	/* births of a bomb */

static const unsigned long ways[] = {
	SIGCHLD, CLONE_PARENT | SIGCHLD, CLONE_VFORK | SIGCHLD, 0,
};

static unsigned long some_way(uint64_t *seed)
{
	return ways[(next_random(seed) >> 20) % ARRAY_SIZE(ways)];
}

/*
 * Those who share memory share errno, too: whoever looks at it looks at anybody's.
 * No case has a signal handler, so that no wait is interrupted.
 */
static void wait_for_all(void)
{
	while (syscall(SYS_wait4, -1, NULL, __WALL, NULL) > 0)
		;
}

static int run_shared(void *arg);

static long clone_shared(struct bomb *b, unsigned long flags)
{
	int nr = atomic_fetch_add(&b->next_stack, 1);

	return clone(run_shared, b->stacks + (nr + 1) * STACK_SIZE, CLONE_VM | flags, b);
}

/* Has @room children in a few ways; a child with a copy of the memory goes on in their place. */
static void breed(struct bomb *b, uint64_t seed, int room)
{
	while (room-- && take_ticket(b)) {
		unsigned long flags = some_way(&seed);
		long pid = b->copy ? bare_clone(flags) : clone_shared(b, flags);

		enter_result(b, pid);
		if (!pid) {
			seed ^= getpid() * 0x2545f4914f6cdd1dULL;
			room = 1 + next_random(&seed) % 4;
		}
	}
	if (b->wait)
		wait_for_all();
}

static int run_shared(void *arg)
{
	struct bomb *b = arg;
	uint64_t seed = b->seed ^ (syscall(SYS_getpid) * 0x9e3779b97f4a7c15ULL);

	breed(b, seed, 1 + next_random(&seed) % 4);
	syscall(SYS_exit_group, 0);
	return 0;
}

/* Until all tickets are taken: a bomb may fizzle out. */
static void light(void *arg)
{
	struct bomb *b = arg;
	pid_t self = getpid();

	while (atomic_load(&b->tickets) > 0)
		breed(b, b->seed + atomic_load(&b->tickets), 1);
	_exit(getpid() == self ? 42 : 0);
}

QUEUE_FIXTURE(forks)

static void run_bomb(struct __test_metadata *_metadata, int fd, uint32_t flags, bool wait,
		     bool copy, bool read_late)
{
	int64_t tree = add_tree(fd, flags | KNELL_OPF_ACK, 1);
	struct bomb *b = new_bomb(BOMB);
	struct tally t = { };
	pid_t pid;

	b->wait = wait;
	b->copy = copy;
	b->seed = flags + wait;
	/* Siblings, and orphans, are ours. */
	ASSERT_EQ(0, prctl(PR_SET_CHILD_SUBREAPER, 1));
	pid = start_bomb(_metadata, fd, tree, light, b);
	while (read_late && tree_members(fd, tree))
		sched_yield();
	ASSERT_TRUE(count_until_empty(fd, &t));
	EXPECT_EQ(BOMB, atomic_load(&b->born));
	if (flags & KNELL_OPF_REPORT_FORK && !(flags & KNELL_OPF_REPORT_EXIT))
		EXPECT_EQ(BOMB, t.forks + t.lost);
	if (flags & KNELL_OPF_REPORT_EXIT && !(flags & KNELL_OPF_REPORT_FORK))
		EXPECT_EQ(BOMB, t.exits + t.lost);
	if (flags & KNELL_OPF_REPORT_EXIT && flags & KNELL_OPF_REPORT_FORK)
		EXPECT_EQ(2 * BOMB, t.forks + t.exits + t.lost);
	if (!flags)
		EXPECT_EQ(0, t.forks + t.exits + t.losts);
	if (read_late && flags)
		EXPECT_EQ(RESERVE, t.forks + t.exits);
	TH_LOG("%u FORK, %u EXIT, %u lost in %u records", t.forks, t.exits, t.lost, t.losts);
	check_bomb(_metadata, fd, tree, b, &t, pid);
}

TEST_F_TIMEOUT(forks, bomb_forks_read_at_once, LIMIT)
{
	run_bomb(_metadata, self->fd, KNELL_OPF_REPORT_FORK, false, true, false);
}

TEST_F_TIMEOUT(forks, bomb_both_read_at_once, LIMIT)
{
	run_bomb(_metadata, self->fd, KNELL_OPF_REPORT_FORK | KNELL_OPF_REPORT_EXIT, true, false,
		 false);
}

TEST_F_TIMEOUT(forks, bomb_read_late, LIMIT)
{
	run_bomb(_metadata, self->fd, KNELL_OPF_REPORT_FORK | KNELL_OPF_REPORT_EXIT, false, false,
		 true);
}

TEST_F_TIMEOUT(forks, bomb_exits_parents_wait, LIMIT)
{
	run_bomb(_metadata, self->fd, KNELL_OPF_REPORT_EXIT, true, false, false);
}

TEST_F_TIMEOUT(forks, bomb_without_reports, LIMIT)
{
	run_bomb(_metadata, self->fd, 0, false, false, false);
}

/*
 * Each FORK names a newcomer that no other has named, and a parent that was
 * named before: whoever is reported knows where it comes from.
 */
static void fork_slowly(void *arg)
{
	struct bomb *b = arg;
	int births = 0;

	while (take_ticket(b)) {
		long pid;

		pass_gate(b->gate);
		pid = bare_clone(some_way(&b->seed));
		enter_result(b, pid);
		if (pid)
			births++;
		if (births == 2)
			break;
	}
	_exit(42);
}

static bool is_known(const pid_t *known, unsigned int nr, pid_t pid)
{
	for (unsigned int i = 0; i < nr; i++)
		if (known[i] == pid)
			return true;
	return false;
}

TEST_F_TIMEOUT(forks, pedigree, LIMIT)
{
	enum { BIRTHS = 150 };
	int64_t tree = add_tree(self->fd, KNELL_OPF_REPORT_FORK, 1);
	struct bomb *b = new_bomb(BIRTHS);
	pid_t known[BIRTHS + 1], pid;
	struct knell_event ev;
	unsigned int nr = 1;
	bool empty = false;

	ASSERT_EQ(0, prctl(PR_SET_CHILD_SUBREAPER, 1));
	b->seed = 77;
	pid = start_bomb(_metadata, self->fd, tree, fork_slowly, b);
	known[0] = pid;
	open_gate(b->gate, 1);
	while (!empty) {
		ASSERT_EQ(1, next_event(self->fd, &ev));
		ASSERT_EQ(0, ev.flags & ~(KNELL_EVF_MAIN));
		empty = ev.type == KNELL_EV_EMPTY;
		if (ev.type != KNELL_EV_FORK)
			continue;
		ASSERT_TRUE(is_known(known, nr, ev.tree.ppid));
		ASSERT_FALSE(is_known(known, nr, ev.tree.pid));
		ASSERT_LE(nr, BIRTHS);
		known[nr++] = ev.tree.pid;
		open_gate(b->gate, 1);
	}
	EXPECT_EQ(atomic_load(&b->born), (int)nr - 1);
	EXPECT_LT(1, nr);
	EXPECT_TRUE(all_dead(&b->life));
	reap_all();
}

/* Many alive at the same time. */
#define ALIVE		600

static int pass_and_exit(void *arg)
{
	struct bomb *b = arg;

	pass_gate(b->gate);
	syscall(SYS_exit_group, 1);
	return 0;
}

static void hold_many(void *arg)
{
	struct bomb *b = arg;

	while (take_ticket(b)) {
		int nr = atomic_fetch_add(&b->next_stack, 1);

		enter_result(b, clone(pass_and_exit, b->stacks + (nr + 1) * STACK_SIZE,
				      CLONE_VM | SIGCHLD, b));
	}
	atomic_store(&b->done, 1);
	wait_for_all();
	_exit(42);
}

TEST_F_TIMEOUT(forks, many_alive, LIMIT)
{
	int64_t tree = add_tree(self->fd, KNELL_OPF_REPORT_EXIT | KNELL_OPF_ACK, 1);
	struct bomb *b = new_bomb(ALIVE);
	unsigned int left = ALIVE + 1;
	struct tally t = { };
	struct knell_event ev;
	pid_t pid;

	pid = start_bomb(_metadata, self->fd, tree, hold_many, b);
	while (!atomic_load(&b->done))
		sched_yield();
	EXPECT_EQ(ALIVE + 1, tree_members(self->fd, tree));
	EXPECT_EQ(ALIVE + 1, kill_watch(self->fd, tree, 0));
	EXPECT_TRUE(nothing_pending(self->fd));
	/* One at a time: each record says how many are left. */
	for (int i = 0; i < 100; i++) {
		open_gate(b->gate, 1);
		ASSERT_EQ(1, next_event(self->fd, &ev));
		EXPECT_TRUE(is_exit(&ev, tree, ANY, EXITED(1), --left, 0));
		count_event(&t, &ev);
	}
	EXPECT_EQ(left, tree_members(self->fd, tree));
	/* The rest at once. */
	open_gate(b->gate, ALIVE);
	ASSERT_TRUE(count_until_empty(self->fd, &t));
	EXPECT_EQ(ALIVE, t.exits + t.lost);
	EXPECT_EQ(0, t.main.exit.members);
	check_bomb(_metadata, self->fd, tree, b, &t, pid);
}

/* Four trees around one bomb: each counts all of it. */
#define NESTED		4

struct nested_bomb {
	int fd[NESTED];
	uint32_t tree[NESTED];
	struct bomb *b;
};

static void light_nested(void *arg)
{
	struct nested_bomb *n = arg;

	for (int i = 0; i < NESTED; i++)
		if (join(n->fd[i], n->tree[i]))
			_exit(BROKEN);
	light(n->b);
}

TEST_F_TIMEOUT(forks, bomb_in_four_trees, LIMIT)
{
	enum { BIRTHS = 600 };
	struct nested_bomb n = { .b = new_bomb(BIRTHS) };
	struct tally t[NESTED] = { };
	pid_t pid;

	ASSERT_EQ(0, prctl(PR_SET_CHILD_SUBREAPER, 1));
	n.b->seed = 4;
	for (int i = 0; i < NESTED; i++) {
		n.fd[i] = knell_open(O_NONBLOCK);
		n.tree[i] = add_tree(n.fd[i], KNELL_OPF_ACK | (i & 1 ? KNELL_OPF_REPORT_FORK :
						       KNELL_OPF_REPORT_EXIT), i);
	}
	pid = spawn_process(light_nested, &n);
	ASSERT_LT(0, pid);
	drop_lifeline(&n.b->life);
	/* Of different queues read one after the other: what does not fit is counted. */
	for (int i = 0; i < NESTED; i++) {
		ASSERT_TRUE(count_until_empty(n.fd[i], &t[i]));
		EXPECT_EQ(BIRTHS, t[i].lost + (i & 1 ? t[i].forks : t[i].exits));
		check_bomb(_metadata, n.fd[i], n.tree[i], n.b, &t[i], pid);
		close(n.fd[i]);
	}
	EXPECT_EQ(BIRTHS, atomic_load(&n.b->born));
}

/* Bombs side by side, in trees of one queue. */
TEST_F_TIMEOUT(forks, bombs_side_by_side, LIMIT)
{
	enum { TREES = 4, BIRTHS = 300 };
	struct bomb *b[TREES];
	struct tally t[TREES] = { };
	struct knell_event ev;
	int64_t tree[TREES];
	int empties = 0;

	ASSERT_EQ(0, prctl(PR_SET_CHILD_SUBREAPER, 1));
	for (int i = 0; i < TREES; i++) {
		b[i] = new_bomb(BIRTHS);
		b[i]->seed = i + 1;
		b[i]->wait = i & 1;
		tree[i] = add_tree(self->fd, KNELL_OPF_REPORT_FORK, i);
		ASSERT_LT(0, spawn_member(self->fd, tree[i], light, b[i]));
	}
	while (empties < TREES) {
		ASSERT_EQ(1, next_event(self->fd, &ev));
		ASSERT_LT(ev.token, TREES);
		ASSERT_EQ(tree[ev.token], ev.watch);
		count_event(&t[ev.token], &ev);
		empties += ev.type == KNELL_EV_EMPTY;
	}
	for (int i = 0; i < TREES; i++) {
		EXPECT_TRUE(tally_is_sound(self->fd, &t[i]));
		EXPECT_EQ(BIRTHS, atomic_load(&b[i]->born));
		EXPECT_EQ(BIRTHS, t[i].forks + t[i].lost);
		/* This process holds its end itself; with that gone nobody does. */
		close(b[i]->life.fd[1]);
	}
	for (int i = 0; i < TREES; i++)
		EXPECT_TRUE(all_dead(&b[i]->life));
	EXPECT_EQ(0, nr_watches(self->fd));
	reap_all();
}

/* Forks that fail make no member, and the tree ends as it should. */
static int new_cgroup(const char *name, const char *file, const char *limit)
{
	char path[128];
	int err;

	err = write_file("/sys/fs/cgroup/cgroup.subtree_control", "+pids");
	if (err)
		return err;
	snprintf(path, sizeof(path), "/sys/fs/cgroup/%s", name);
	if (mkdir(path, 0755))
		return -errno;
	snprintf(path, sizeof(path), "/sys/fs/cgroup/%s/%s", name, file);
	return write_file(path, limit);
}

static void fork_at_the_limit(void *arg)
{
	struct bomb *b = arg;

	if (write_file("/sys/fs/cgroup/forks/cgroup.procs", "0"))
		_exit(BROKEN);
	signal(SIGCHLD, SIG_IGN);
	while (take_ticket(b)) {
		long pid = bare_clone(some_way(&b->seed));

		enter_result(b, pid);
		if (!pid && getpid() % 3)
			_exit(0);
	}
	_exit(42);
}

TEST_F_TIMEOUT(forks, forks_that_fail, LIMIT)
{
	int64_t tree = add_tree(self->fd, KNELL_OPF_REPORT_FORK | KNELL_OPF_REPORT_EXIT, 1);
	struct bomb *b = new_bomb(600);
	struct tally t = { };
	int failed;

	ASSERT_EQ(0, new_cgroup("forks", "pids.max", "12"));
	ASSERT_EQ(0, prctl(PR_SET_CHILD_SUBREAPER, 1));
	/* A zombie has its place under the limit, too. */
	catch_signal(SIGCHLD, SIG_DFL, SA_NOCLDWAIT);
	b->seed = 99;
	start_bomb(_metadata, self->fd, tree, fork_at_the_limit, b);
	ASSERT_TRUE(count_until_empty(self->fd, &t));
	EXPECT_TRUE(tally_is_sound(self->fd, &t));
	EXPECT_TRUE(all_dead(&b->life));
	failed = atomic_load(&b->failed);
	EXPECT_LT(0, failed);
	EXPECT_EQ(2 * atomic_load(&b->born), (int)(t.forks + t.exits + t.lost));
	EXPECT_EQ(600, failed + atomic_load(&b->born));
	TH_LOG("%d born, %d not", atomic_load(&b->born), failed);
	reap_all();
	while (rmdir("/sys/fs/cgroup/forks") && errno == EBUSY)
		sched_yield();
}

/* The failed fork of one who is armed leaves that as it was, a hundred times. */
TEST_F_TIMEOUT(forks, armed_forks_that_fail, LIMIT)
{
	pid_t used = 1;
	struct clone_args args = { .exit_signal = SIGCHLD, .set_tid = (uintptr_t)&used,
		.set_tid_size = 1 };
	int64_t tree = add_tree(self->fd, 0, 1);
	int code = 1;
	pid_t pid;

	ASSERT_EQ(0, join_next(self->fd, tree));
	for (int i = 0; i < 100; i++)
		ASSERT_EQ(-1, syscall(SYS_clone3, &args, sizeof(args)));
	EXPECT_EQ(EEXIST, errno);
	pid = spawn_process(exit_with, &code);
	EXPECT_TRUE(next_is_main(self->fd, tree, pid, EXITED(1), 0));
	EXPECT_TRUE(next_is_empty(self->fd, tree, pid));
	reap(pid);
}

/* A line in which each leaves as soon as it has a child: one or two alive at any time. */
static void hand_on(void *arg)
{
	struct bomb *b = arg;

	while (take_ticket(b)) {
		long pid = bare_fork();

		enter_result(b, pid);
		if (pid)
			break;
	}
	_exit(42);
}

TEST_F_TIMEOUT(forks, hand_on_and_leave, LIMIT)
{
	enum { BIRTHS = rounds(1000) };
	int64_t tree = add_tree(self->fd, KNELL_OPF_REPORT_FORK | KNELL_OPF_ACK, 1);
	struct bomb *b = new_bomb(BIRTHS);
	struct tally t = { };
	pid_t pid;

	ASSERT_EQ(0, prctl(PR_SET_CHILD_SUBREAPER, 1));
	pid = start_bomb(_metadata, self->fd, tree, hand_on, b);
	ASSERT_TRUE(count_until_empty(self->fd, &t));
	EXPECT_EQ(BIRTHS, atomic_load(&b->born));
	EXPECT_EQ(BIRTHS, t.forks + t.lost);
	check_bomb(_metadata, self->fd, tree, b, &t, pid);
}

/* Non-members fork at full speed beside a tree: nobody strays into it. */
TEST_F_TIMEOUT(forks, others_do_not_count, LIMIT)
{
	int64_t tree = add_tree(self->fd, KNELL_OPF_REPORT_FORK | KNELL_OPF_REPORT_EXIT, 1);
	struct bomb *b = new_bomb(500), *other = new_bomb(500);
	struct tally t = { };
	pid_t stranger;

	ASSERT_EQ(0, prctl(PR_SET_CHILD_SUBREAPER, 1));
	other->seed = 5;
	stranger = spawn_process(light, other);
	ASSERT_LT(0, stranger);
	drop_lifeline(&other->life);
	start_bomb(_metadata, self->fd, tree, light, b);
	ASSERT_TRUE(count_until_empty(self->fd, &t));
	EXPECT_TRUE(tally_is_sound(self->fd, &t));
	EXPECT_EQ(1000, t.forks + t.exits + t.lost);
	ASSERT_TRUE(await_all_dead(&other->life));
	EXPECT_TRUE(nothing_pending(self->fd));
	reap_all();
}

TEST_HARNESS_MAIN
