// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a TREE is: its ops and what they refuse, JOIN of oneself and of what comes
 * next.
 *
 * runner-limit: 900
 */
#include "kselftest_harness.h"

#include "tree_cast.h"

QUEUE_FIXTURE(tree)

/* Ops and what they refuse. */

TEST_F_TIMEOUT(tree, info_tells_the_features, LIMIT)
{
	uint64_t features = queue_info(self->fd).features;

	EXPECT_TRUE(features & (1ULL << KNELL_TREE));
	EXPECT_TRUE(features & KNELL_FEAT_KILLER);
}

TEST_F_TIMEOUT(tree, add_and_list, LIMIT)
{
	static const char longest[] =
		"123456789-123456789-123456789-123456789-123456789-123456789-123";
	const uint32_t flags = KNELL_OPF_ACK | REPORTS | KNELL_OPF_KILL_ON_CLOSE;
	struct knell_watch_info wi;
	int64_t one, two, none;

	one = add_watch(self->fd, op_tree(flags, 77, "getty@tty1.service"));
	ASSERT_LT(0, one);
	two = add_watch(self->fd, op_tree(0, 0, longest));
	ASSERT_LT(0, two);
	none = add_watch(self->fd, op_tree(KNELL_OPF_REPORT_EXIT, 1, ""));
	ASSERT_LT(0, none);
	EXPECT_EQ(3, nr_watches(self->fd));

	wi = watch_info(self->fd, one);
	EXPECT_EQ(KNELL_TREE, wi.type);
	EXPECT_EQ(1, wi.state);
	EXPECT_EQ(flags, wi.flags);
	EXPECT_EQ(0, wi.pid);
	EXPECT_EQ(77, wi.token);
	EXPECT_EQ(0, wi.value);
	EXPECT_STREQ("getty@tty1.service", wi.label);
	wi = watch_info(self->fd, two);
	EXPECT_EQ(0, wi.flags);
	EXPECT_STREQ(longest, wi.label);
	wi = watch_info(self->fd, none);
	EXPECT_STREQ("", wi.label);
	EXPECT_TRUE(nothing_pending(self->fd));

	EXPECT_EQ(0, del_watch(self->fd, one));
	EXPECT_EQ(-ENOENT, del_watch(self->fd, one));
	EXPECT_EQ(-ENOENT, join(self->fd, one));
	EXPECT_EQ(2, nr_watches(self->fd));
}

/* The label's slot in LIST is 0 behind its end, whatever had the handle's slot before. */
TEST_F_TIMEOUT(tree, labels_do_not_leak, LIMIT)
{
	struct knell_watch_info wi;
	int64_t tree;

	for (int i = 0; i < 200; i++) {
		tree = add_watch(self->fd, op_tree(0, 0, i & 1 ? "x" : "a label of some length"));
		ASSERT_LT(0, tree);
		wi = watch_info(self->fd, tree);
		for (size_t n = strlen(wi.label); n < sizeof(wi.label); n++)
			ASSERT_EQ(0, wi.label[n]);
		ASSERT_EQ(0, del_watch(self->fd, tree));
	}
}

TEST_F_TIMEOUT(tree, add_refuses, LIMIT)
{
	static const uint32_t wrong[] = {
		KNELL_OPF_NEXT, KNELL_OPF_SELF, KNELL_OPF_PIDFD, KNELL_OPF_ABS, KNELL_OPF_ONESHOT,
		KNELL_OPF_EDGE, KNELL_OPF_ONESHOT | KNELL_OPF_ACK, 1U << 10, 1U << 31,
	};
	struct knell_op op;

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		EXPECT_EQ(-EINVAL, add_tree(self->fd, wrong[i], 0));
	op = op_tree(0, 0, "");
	memset(op.tree.label, 'x', sizeof(op.tree.label));
	EXPECT_EQ(-EINVAL, add_watch(self->fd, op));
	op = op_tree(0, 0, "abc");
	op.tree.label[4] = 'd';
	EXPECT_EQ(-EINVAL, add_watch(self->fd, op));
	op.tree.label[4] = 0;
	op.tree.label[63] = 'd';
	EXPECT_EQ(-EINVAL, add_watch(self->fd, op));
	for (int i = 8; i < 13; i++) {
		op = op_tree(0, 0, "abc");
		op.raw[i] = 1;
		EXPECT_EQ(-EINVAL, add_watch(self->fd, op));
	}
	op = op_tree(0, 0, "abc");
	op.watch = 1;
	EXPECT_EQ(-EINVAL, add_watch(self->fd, op));
	EXPECT_EQ(0, nr_watches(self->fd));
}

TEST_F_TIMEOUT(tree, join_refuses, LIMIT)
{
	struct knell_op op;
	int64_t tree, bell;

	tree = add_tree(self->fd, 0, 0);
	bell = add_watch(self->fd, op_user(0));
	ASSERT_LT(0, tree);
	ASSERT_LT(0, bell);
	EXPECT_EQ(-ENOENT, join(self->fd, 0));
	EXPECT_EQ(-ENOENT, join(self->fd, tree + 100));
	EXPECT_EQ(-ENOENT, join(self->fd, KNELL_LAST));
	EXPECT_EQ(-ENOENT, join_next(self->fd, tree + 100));
	EXPECT_EQ(-EINVAL, join(self->fd, bell));
	EXPECT_EQ(-EINVAL, join_next(self->fd, bell));
	for (int bit = 1; bit < 32; bit++) {
		op = op_join(tree, 1U << bit);
		EXPECT_EQ(-EINVAL, submit_op(self->fd, &op));
		op = op_join(tree, KNELL_OPF_NEXT | 1U << bit);
		EXPECT_EQ(-EINVAL, submit_op(self->fd, &op));
	}
	for (int i = 0; i < 13; i++) {
		op = op_join(tree, 0);
		op.raw[i] = 1;
		EXPECT_EQ(-EINVAL, submit_op(self->fd, &op));
	}
	op = op_join(tree, 0);
	op.token = 1;
	EXPECT_EQ(-EINVAL, submit_op(self->fd, &op));
	op = op_join(tree, 0);
	op.type = KNELL_PROCESS;
	EXPECT_EQ(-EINVAL, submit_op(self->fd, &op));
	EXPECT_EQ(0, tree_members(self->fd, tree));
	/* Nothing was armed by what was refused. */
	EXPECT_EQ(0, join_next(self->fd, tree));
}

TEST_F_TIMEOUT(tree, mod_sets_the_token_only, LIMIT)
{
	struct knell_op op;
	int64_t tree;

	tree = add_tree(self->fd, KNELL_OPF_REPORT_FORK, 5);
	ASSERT_LT(0, tree);
	op = op_mod(tree, 0, 6);
	EXPECT_EQ(0, submit_op(self->fd, &op));
	EXPECT_EQ(6, watch_info(self->fd, tree).token);
	op = op_mod(tree, KNELL_OPF_REPORT_EXIT, 7);
	EXPECT_EQ(-EINVAL, submit_op(self->fd, &op));
	op = op_mod(tree, KNELL_OPF_ACK, 7);
	EXPECT_EQ(-EINVAL, submit_op(self->fd, &op));
	op = op_mod(tree, 0, 7);
	strcpy(op.tree.label, "new");
	EXPECT_EQ(-EINVAL, submit_op(self->fd, &op));
	EXPECT_EQ(6, watch_info(self->fd, tree).token);
	EXPECT_EQ(KNELL_OPF_REPORT_FORK, watch_info(self->fd, tree).flags);
	EXPECT_STREQ("test", watch_info(self->fd, tree).label);
	EXPECT_EQ(-EINVAL, trigger(self->fd, tree, 1));
}

TEST_F_TIMEOUT(tree, kill_without_members, LIMIT)
{
	struct knell_op op;
	int64_t tree;
	pid_t pid;
	int code = 0;

	tree = add_tree(self->fd, 0, 5);
	ASSERT_LT(0, tree);
	EXPECT_EQ(-EINVAL, kill_watch(self->fd, tree, -1));
	EXPECT_EQ(-EINVAL, kill_watch(self->fd, tree, 65));
	op = op_kill(tree, SIGKILL);
	op.flags = KNELL_OPF_NEXT;
	EXPECT_EQ(-EINVAL, submit_op(self->fd, &op));
	op = op_kill(tree, SIGKILL);
	op.kill.pad = 1;
	EXPECT_EQ(-EINVAL, submit_op(self->fd, &op));
	EXPECT_EQ(0, kill_watch(self->fd, tree, 0));
	EXPECT_EQ(0, kill_watch(self->fd, tree, SIGTERM));
	EXPECT_EQ(0, kill_watch(self->fd, tree, SIGKILL));
	/* That did not end it. */
	pid = spawn_member(self->fd, tree, exit_with, &code);
	ASSERT_LT(0, pid);
	EXPECT_TRUE(next_is_main(self->fd, tree, pid, 0, 0));
	EXPECT_TRUE(next_is_empty(self->fd, tree, pid));
	EXPECT_EQ(0, reap(pid));
}

/* JOIN of the caller. */

struct self_joiner {
	int fd;
	uint32_t tree;
	int gate;
	int *result;
};

static void *idle_thread(void *arg)
{
	pass_gate(*(int *)arg);
	return NULL;
}

/* A process with a second thread is refused, and may JOIN once that is gone. */
static int join_threaded(struct self_joiner *j)
{
	pthread_t thread;
	int busy, alone;

	if (pthread_create(&thread, NULL, idle_thread, &j->gate))
		return BROKEN;
	busy = join(j->fd, j->tree);
	open_gate(j->gate, 1);
	pthread_join(thread, NULL);
	/* It may still be on its way out for the kernel. */
	do
		alone = join(j->fd, j->tree);
	while (alone == -EBUSY);
	j->result[0] = busy;
	j->result[1] = alone;
	j->result[2] = join(j->fd, j->tree);
	j->result[3] = tree_members(j->fd, j->tree);
	j->result[4] = watch_info(j->fd, j->tree).pid;
	return 4;
}

TEST_F_TIMEOUT(tree, join_self, LIMIT)
{
	struct self_joiner j = { .fd = self->fd, .gate = new_gate(), .result = shared(64) };
	pid_t pid;

	j.tree = add_tree(self->fd, REPORTS, 9);
	ASSERT_LT(0, j.tree);
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		_exit(join_threaded(&j));
	ASSERT_TRUE(next_is_main(self->fd, j.tree, pid, EXITED(4), 0));
	ASSERT_TRUE(next_is_empty(self->fd, j.tree, pid));
	EXPECT_EQ(EXITED(4), reap(pid));
	EXPECT_EQ(-EBUSY, j.result[0]);
	EXPECT_EQ(0, j.result[1]);
	EXPECT_EQ(-EEXIST, j.result[2]);
	EXPECT_EQ(1, j.result[3]);
	EXPECT_EQ(pid, j.result[4]);
	EXPECT_TRUE(nothing_pending(self->fd));
	EXPECT_EQ(0, nr_watches(self->fd));
}

/* ADD and JOIN in one batch, by KNELL_LAST. */
TEST_F_TIMEOUT(tree, join_what_the_batch_made, LIMIT)
{
	struct knell_op op[2] = { op_tree(0, 9, "batch"), op_join(KNELL_LAST, KNELL_OPF_NEXT) };
	int code = 3;
	pid_t pid;

	op[1].type = KNELL_TREE;
	ASSERT_EQ(0, submit_ops(self->fd, op, 2));
	ASSERT_EQ(0, op[0].result);
	ASSERT_EQ(0, op[1].result);
	pid = spawn_process(exit_with, &code);
	ASSERT_LT(0, pid);
	EXPECT_TRUE(next_is_main(self->fd, op[0].watch, pid, EXITED(3), 0));
	EXPECT_TRUE(next_is_empty(self->fd, op[0].watch, pid));
	reap(pid);
}

/*
 * One who JOINs a tree that has members is no FORK and no main process. Its exit
 * is a report like any other's.
 */
static void join_late(struct __test_metadata *_metadata, int fd, uint32_t flags)
{
	int64_t tree = add_tree(fd, flags, 1);
	int gate = new_gate(), gate2 = new_gate();
	int joined[2];
	pid_t first, second;

	ASSERT_LT(0, tree);
	ASSERT_EQ(0, pipe(joined));
	first = spawn_member(fd, tree, wait_at_gate, &gate);
	ASSERT_LT(0, first);
	second = fork();
	ASSERT_LE(0, second);
	if (!second) {
		if (join(fd, tree))
			_exit(BROKEN);
		tell(joined, 'j');
		pass_gate(gate2);
		_exit(6);
	}
	ASSERT_EQ('j', hear_soon(joined));
	EXPECT_TRUE(nothing_pending(fd));
	EXPECT_EQ(2, tree_members(fd, tree));
	EXPECT_EQ(first, watch_info(fd, tree).pid);
	open_gate(gate2, 1);
	ASSERT_EQ(EXITED(6), reap(second));
	if (flags) {
		EXPECT_TRUE(next_is_exit(fd, tree, second, EXITED(6), 1));
	} else {
		EXPECT_TRUE(nothing_pending(fd));
	}
	EXPECT_EQ(1, tree_members(fd, tree));
	open_gate(gate, 1);
	EXPECT_TRUE(next_is_main(fd, tree, first, 0, 0));
	EXPECT_TRUE(next_is_empty(fd, tree, first));
	reap(first);
}

TEST_F_TIMEOUT(tree, join_late_reported, LIMIT)
{
	join_late(_metadata, self->fd, REPORTS);
}

TEST_F_TIMEOUT(tree, join_late_unreported, LIMIT)
{
	join_late(_metadata, self->fd, 0);
}

/* JOIN OPF_NEXT. */

/* Each who must be armed or must not be, as the thread's one OPF_NEXT shows. */
TEST_F_TIMEOUT(tree, one_next_per_thread, LIMIT)
{
	int64_t one, two, process;
	int code = 0;
	pid_t pid;

	one = add_tree(self->fd, 0, 1);
	two = add_tree(self->fd, 0, 2);
	ASSERT_LT(0, one);
	ASSERT_LT(0, two);
	ASSERT_EQ(0, join_next(self->fd, one));
	EXPECT_EQ(-EBUSY, join_next(self->fd, one));
	EXPECT_EQ(-EBUSY, join_next(self->fd, two));
	EXPECT_EQ(-EBUSY, add_next(self->fd, 3));
	EXPECT_EQ(2, nr_watches(self->fd));

	/* DEL disarms. */
	ASSERT_EQ(0, del_watch(self->fd, one));
	ASSERT_EQ(0, join_next(self->fd, two));
	EXPECT_EQ(-EBUSY, add_next(self->fd, 3));
	pid = spawn_process(exit_with, &code);
	EXPECT_TRUE(next_is_main(self->fd, two, pid, 0, 0));
	EXPECT_TRUE(next_is_empty(self->fd, two, pid));
	reap(pid);

	/* The fork has disarmed. A PROCESS that waits is in the way of a TREE. */
	one = add_tree(self->fd, 0, 1);
	process = add_next(self->fd, 3);
	ASSERT_LT(0, process);
	EXPECT_EQ(-EBUSY, join_next(self->fd, one));
	ASSERT_EQ(0, del_watch(self->fd, process));
	EXPECT_EQ(0, join_next(self->fd, one));
}

/* A child inherits no OPF_NEXT: the next process is one of the thread, not of its children. */
static void fork_and_arm(void *arg)
{
	struct self_joiner *j = arg;
	int code = 5, status;
	pid_t pid;

	status = reap(spawn_process(exit_with, &code));
	if (status != EXITED(5))
		_exit(BROKEN);
	pid = spawn_member(j->fd, j->tree, exit_with, &code);
	if (pid <= 0 || reap(pid) != EXITED(5))
		_exit(BROKEN);
}

TEST_F_TIMEOUT(tree, next_is_the_threads_own, LIMIT)
{
	int64_t one, two;
	struct self_joiner j = { .fd = self->fd };
	int code = 7;
	pid_t pid;

	one = add_tree(self->fd, KNELL_OPF_REPORT_EXIT, 1);
	two = add_tree(self->fd, KNELL_OPF_REPORT_EXIT, 2);
	j.tree = two;
	ASSERT_EQ(0, reap(spawn_process(fork_and_arm, &j)));
	ASSERT_TRUE(next_is_main(self->fd, two, ANY, EXITED(5), 0));
	ASSERT_TRUE(next_is_empty(self->fd, two, ANY));
	EXPECT_TRUE(nothing_pending(self->fd));
	pid = spawn_member(self->fd, one, exit_with, &code);
	ASSERT_LT(0, pid);
	EXPECT_TRUE(next_is_main(self->fd, one, pid, EXITED(7), 0));
	EXPECT_TRUE(next_is_empty(self->fd, one, pid));
	reap(pid);
}

/* Two threads, each armed for its own, fork in the other order. */
struct armed_thread {
	int fd;
	uint32_t tree;
	int gate;
	int armed;
	pid_t pid;
	int err;
};

static void *arm_and_fork(void *arg)
{
	struct armed_thread *t = arg;
	int code = 1;

	t->err = join_next(t->fd, t->tree);
	open_gate(t->armed, 1);
	pass_gate(t->gate);
	t->pid = spawn_process(exit_with, &code);
	return NULL;
}

TEST_F_TIMEOUT(tree, two_threads_armed, LIMIT)
{
	struct armed_thread t[2];
	pthread_t thread[2];

	for (int i = 0; i < 2; i++) {
		t[i] = (struct armed_thread){ .fd = self->fd, .gate = new_gate(),
			.armed = new_gate(), .tree = add_tree(self->fd, 0, i) };
		ASSERT_EQ(0, pthread_create(&thread[i], NULL, arm_and_fork, &t[i]));
		pass_gate(t[i].armed);
	}
	for (int i = 1; i >= 0; i--) {
		open_gate(t[i].gate, 1);
		ASSERT_EQ(0, pthread_join(thread[i], NULL));
		ASSERT_EQ(0, t[i].err);
		EXPECT_TRUE(next_is_main(self->fd, t[i].tree, t[i].pid, EXITED(1), 0));
		EXPECT_TRUE(next_is_empty(self->fd, t[i].tree, t[i].pid));
		reap(t[i].pid);
	}
}

/* Neither a thread nor a fork that fails is a process. */
TEST_F_TIMEOUT(tree, next_waits_for_a_process, LIMIT)
{
	pid_t used = 1;
	struct clone_args args = { .exit_signal = SIGCHLD, .set_tid = (uintptr_t)&used,
		.set_tid_size = 1 };
	int64_t tree = add_tree(self->fd, 0, 1);
	int gate = new_gate(), code = 2;
	pthread_t thread;
	pid_t pid;

	ASSERT_EQ(0, join_next(self->fd, tree));
	ASSERT_EQ(0, pthread_create(&thread, NULL, idle_thread, &gate));
	EXPECT_EQ(-1, syscall(SYS_clone3, &args, sizeof(args)));
	EXPECT_EQ(EEXIST, errno);
	EXPECT_EQ(0, tree_members(self->fd, tree));
	open_gate(gate, 1);
	pthread_join(thread, NULL);
	EXPECT_EQ(-EBUSY, join_next(self->fd, tree));
	pid = spawn_process(exit_with, &code);
	EXPECT_TRUE(next_is_main(self->fd, tree, pid, EXITED(2), 0));
	EXPECT_TRUE(next_is_empty(self->fd, tree, pid));
	reap(pid);
}

/* DEL, or the close of the queue, of a tree that waits: the child is nobody's. */
TEST_F_TIMEOUT(tree, del_disarms, LIMIT)
{
	int64_t tree = add_tree(self->fd, REPORTS, 1);
	int other = knell_open(0), code = 2;
	pid_t pid;

	ASSERT_EQ(0, join_next(self->fd, tree));
	ASSERT_EQ(0, del_watch(self->fd, tree));
	ASSERT_EQ(EXITED(2), reap(spawn_process(exit_with, &code)));
	EXPECT_TRUE(nothing_pending(self->fd));

	tree = add_tree(other, REPORTS, 1);
	ASSERT_EQ(0, join_next(other, tree));
	ASSERT_EQ(0, close(other));
	tree = add_tree(self->fd, REPORTS, 1);
	pid = spawn_member(self->fd, tree, exit_with, &code);
	ASSERT_LT(0, pid);
	EXPECT_TRUE(next_is_main(self->fd, tree, pid, EXITED(2), 0));
	EXPECT_TRUE(next_is_empty(self->fd, tree, pid));
	reap(pid);
	EXPECT_EQ(0, nr_watches(self->fd));
}

/* The tree has come to its end while the thread waits: nobody is born into it. */
TEST_F_TIMEOUT(tree, next_of_a_tree_that_ends, LIMIT)
{
	int64_t tree = add_tree(self->fd, REPORTS | KNELL_OPF_ACK, 1);
	int gate = new_gate(), code = 2;
	struct tally t = { };
	pid_t first, second;
	bool early;

	first = spawn_member(self->fd, tree, wait_at_gate, &gate);
	ASSERT_LT(0, first);
	ASSERT_EQ(0, join_next(self->fd, tree));
	open_gate(gate, 1);
	ASSERT_EQ(0, reap(first));
	ASSERT_LT(0, count_pending(self->fd, &t));
	early = t.empties;
	second = spawn_process(exit_with, &code);
	ASSERT_LT(0, second);
	/* Whether its place was kept for it or not: alive it was, and EMPTY is the end. */
	EXPECT_EQ(EXITED(2), reap(second));
	if (!early)
		ASSERT_TRUE(count_until_empty(self->fd, &t));
	EXPECT_TRUE(tally_is_sound(self->fd, &t));
	EXPECT_EQ(early ? 0 : 1, t.exits);
	EXPECT_EQ(-ESHUTDOWN, join_next(self->fd, tree));
}

TEST_HARNESS_MAIN
