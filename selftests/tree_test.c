// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a TREE is: its ops and what they refuse, who becomes a member and how,
 * what it reports, in which order, and to whom.
 *
 * runner-limit: 900
 */
#include "kselftest_harness.h"

#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/resource.h>

#include "tree_test.h"

#define REPORTS		(KNELL_OPF_REPORT_FORK | KNELL_OPF_REPORT_EXIT)
#define STACK_SIZE	65536

extern char **environ;

QUEUE_FIXTURE(tree)

/* What this program does when it is executed again. */

static int exec_main(const char *what)
{
	int code, fd;
	uint32_t watch;

	if (sscanf(what, "exit %d", &code) == 1)
		return code;
	if (sscanf(what, "gate %d %d", &fd, &code) == 2) {
		pass_gate(fd);
		return code;
	}
	if (sscanf(what, "fork %d", &code) == 1) {
		pid_t pid = bare_fork();

		if (!pid)
			_exit(code);
		reap(pid);
		return code + 1;
	}
	if (sscanf(what, "members %d %u", &fd, &watch) == 2)
		return tree_members(fd, watch);
	return BROKEN;
}

static void __attribute__((constructor)) run_as(void)
{
	const char *what = getenv(EXEC_AS);

	if (what)
		_exit(exec_main(what));
}

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

/* All the ways to make a process. */

enum way { FORK, VFORK, CLONE, CLONE3, NO_SIGNAL, SIBLING, SHARED_VM, SHARED_ALL, SPAWN };

struct birth {
	enum way way;
	int (*fn)(void *arg);
	void *arg;
};

static __attribute__((noinline)) pid_t vfork_child(struct birth *b)
{
	pid_t pid = vfork();

	if (!pid)
		_exit(b->fn(b->arg));
	return pid;
}

static pid_t clone_child(struct birth *b, int flags)
{
	char *stack = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return clone(b->fn, stack + STACK_SIZE, flags, b->arg);
}

static pid_t clone3_child(struct birth *b, uint64_t flags)
{
	struct clone_args args = { .exit_signal = SIGCHLD, .flags = flags };
	pid_t pid = syscall(SYS_clone3, &args, sizeof(args));

	if (!pid)
		_exit(b->fn(b->arg));
	return pid;
}

static pid_t spawn_child(void)
{
	static char as[] = EXEC_AS "=fork 3";
	char *argv[] = { "spawned", NULL }, *envp[] = { as, NULL };
	pid_t pid;

	return posix_spawn(&pid, "/proc/self/exe", NULL, NULL, argv, envp) ? -1 : pid;
}

static pid_t give_birth(struct birth *b)
{
	switch (b->way) {
	case FORK:
		return spawn_process((member_fn)(void (*)(void))b->fn, b->arg);
	case VFORK:
		return vfork_child(b);
	case CLONE:
		return clone_child(b, SIGCHLD);
	case CLONE3:
		return clone3_child(b, 0);
	case NO_SIGNAL:
		return clone_child(b, 0);
	case SIBLING:
		return clone_child(b, CLONE_PARENT | SIGCHLD);
	case SHARED_VM:
		return clone_child(b, CLONE_VM | SIGCHLD);
	case SHARED_ALL:
		return clone_child(b, CLONE_VM | CLONE_FILES | CLONE_FS | CLONE_SIGHAND | SIGCHLD);
	default:
		return spawn_child();
	}
}

/* Sleeps until @pid is dead, whoever's child it is. */
static void await_death(pid_t pid)
{
	struct pollfd pfd = { .fd = pidfd_of(pid), .events = POLLIN };

	if (pfd.fd >= 0)
		poll(&pfd, 1, -1);
	close(pfd.fd);
}

struct lineage {
	struct birth birth;
	int fd;
	uint32_t tree;
	pid_t child;
	pid_t grandchild;
	uint64_t members[2];	/* as seen by the child, by the grandchild */
};

/* Shares the memory of its parent in some of the ways: nothing but system calls. */
static int bear_and_exit(void *arg)
{
	struct lineage *l = arg;
	pid_t pid;

	l->members[0] = tree_members(l->fd, l->tree);
	pid = bare_fork();
	if (!pid) {
		l->members[1] = tree_members(l->fd, l->tree);
		_exit(3);
	}
	l->grandchild = pid;
	await_death(pid);
	_exit(4);
}

static void give_birth_and_wait(void *arg)
{
	struct lineage *l = arg;

	l->child = give_birth(&l->birth);
	if (l->child <= 0)
		_exit(BROKEN);
	await_death(l->child);
	_exit(5);
}

FIXTURE(ways) {
	int fd;
	int64_t tree;
	struct lineage *l;
};

FIXTURE_VARIANT(ways) {
	enum way way;
};

FIXTURE_VARIANT_ADD(ways, fork) { .way = FORK };
FIXTURE_VARIANT_ADD(ways, vfork) { .way = VFORK };
FIXTURE_VARIANT_ADD(ways, clone) { .way = CLONE };
FIXTURE_VARIANT_ADD(ways, clone3) { .way = CLONE3 };
FIXTURE_VARIANT_ADD(ways, no_exit_signal) { .way = NO_SIGNAL };
FIXTURE_VARIANT_ADD(ways, clone_parent) { .way = SIBLING };
FIXTURE_VARIANT_ADD(ways, clone_vm) { .way = SHARED_VM };
FIXTURE_VARIANT_ADD(ways, clone_sighand) { .way = SHARED_ALL };
FIXTURE_VARIANT_ADD(ways, posix_spawn) { .way = SPAWN };

FIXTURE_SETUP(ways)
{
	self->fd = knell_open(O_NONBLOCK);
	ASSERT_LE(0, self->fd);
	self->tree = add_tree(self->fd, REPORTS, 1);
	ASSERT_LT(0, self->tree);
	self->l = shared(sizeof(*self->l));
	*self->l = (struct lineage){ .fd = self->fd, .tree = self->tree };
	self->l->birth = (struct birth){ variant->way, bear_and_exit, self->l };
}

FIXTURE_TEARDOWN(ways)
{
	close(self->fd);
}

/* The child of a member is one, and so is its child: each before it first runs. */
TEST_F_TIMEOUT(ways, inherit, LIMIT)
{
	struct lineage *l = self->l;
	bool spawned = variant->way == SPAWN;
	struct knell_event ev;
	pid_t pid, child;

	pid = spawn_member(self->fd, self->tree, give_birth_and_wait, l);
	ASSERT_LT(0, pid);
	ASSERT_EQ(1, next_event(self->fd, &ev));
	ASSERT_TRUE(is_fork(&ev, self->tree, ANY, pid, 2));
	child = ev.tree.pid;
	ASSERT_EQ(1, next_event(self->fd, &ev));
	ASSERT_TRUE(is_fork(&ev, self->tree, ANY, child, 3));
	ASSERT_TRUE(next_is_exit(self->fd, self->tree, ev.tree.pid, EXITED(3), 2));
	ASSERT_TRUE(next_is_exit(self->fd, self->tree, child, EXITED(4), 1));
	ASSERT_TRUE(next_is_main(self->fd, self->tree, pid, EXITED(5), 0));
	ASSERT_TRUE(next_is_empty(self->fd, self->tree, pid));
	EXPECT_TRUE(nothing_pending(self->fd));
	EXPECT_EQ(0, nr_watches(self->fd));
	EXPECT_EQ(child, l->child);
	if (!spawned) {
		EXPECT_EQ(ev.tree.pid, l->grandchild);
		EXPECT_EQ(2, l->members[0]);
		EXPECT_EQ(3, l->members[1]);
	}
	reap_all();
}

static void arm_and_give_birth(void *arg)
{
	struct lineage *l = arg;

	if (join_next(l->fd, l->tree))
		_exit(BROKEN);
	give_birth_and_wait(arg);
}

/* A thread's next process is the main one, however it is made. */
TEST_F_TIMEOUT(ways, join_next, LIMIT)
{
	struct lineage *l = self->l;
	bool spawned = variant->way == SPAWN;
	struct knell_event ev;
	pid_t pid, child;

	pid = spawn_process(arm_and_give_birth, l);
	ASSERT_LT(0, pid);
	ASSERT_EQ(1, next_event(self->fd, &ev));
	ASSERT_TRUE(is_fork(&ev, self->tree, ANY, ANY, 2));
	child = ev.tree.ppid;
	ASSERT_TRUE(next_is_exit(self->fd, self->tree, ev.tree.pid, EXITED(3), 1));
	ASSERT_TRUE(next_is_main(self->fd, self->tree, child, EXITED(4), 0));
	ASSERT_TRUE(next_is_empty(self->fd, self->tree, child));
	/* In vfork(2) it is told last. */
	EXPECT_EQ(EXITED(5), reap(pid));
	EXPECT_EQ(child, l->child);
	EXPECT_TRUE(nothing_pending(self->fd));
	if (!spawned) {
		EXPECT_EQ(ev.tree.pid, l->grandchild);
		EXPECT_EQ(1, l->members[0]);
		EXPECT_EQ(2, l->members[1]);
	}
	reap_all();
}

/*
 * Each of a line forks at its very first instruction; the last is a member and
 * so was everyone in between. What the main process does is all in one place:
 * nothing but the system call lies between two births.
 */
#define LINE		60

TEST_F_TIMEOUT(tree, member_at_the_first_instruction, LIMIT)
{
	int64_t tree;
	pid_t parent, pid;
	unsigned int depth;

	for (int round = 0; round < 10; round++) {
		tree = add_tree(self->fd, REPORTS, round);
		ASSERT_LT(0, tree);
		ASSERT_EQ(0, join_next(self->fd, tree));
		depth = LINE;
		do
			pid = bare_fork();
		while (!pid && --depth);
		ASSERT_LE(0, pid);
		if (depth < LINE) {
			reap(pid);
			_exit(0);
		}
		/* FORK records of the line, each naming the one before. */
		parent = pid;
		for (int i = 2; i <= LINE; i++) {
			struct knell_event ev;

			ASSERT_EQ(1, next_event(self->fd, &ev));
			ASSERT_TRUE(is_fork(&ev, tree, ANY, parent, i));
			parent = ev.tree.pid;
		}
		for (int i = LINE - 1; i; i--)
			ASSERT_TRUE(next_is_exit(self->fd, tree, ANY, 0, i));
		ASSERT_TRUE(next_is_main(self->fd, tree, pid, 0, 0));
		ASSERT_TRUE(next_is_empty(self->fd, tree, pid));
		ASSERT_EQ(0, reap(pid));
	}
}

/* What is no new member, and what does not end one. */

struct cast {
	int fd;
	uint32_t tree;
	uint32_t inner;
	int inner_fd;
	int gate[4];
	int said[2];
	atomic_int pid[4];
};

static struct cast *new_cast(int fd, uint32_t tree)
{
	struct cast *c = shared(sizeof(*c));

	c->fd = fd;
	c->tree = tree;
	for (int i = 0; i < 4; i++)
		c->gate[i] = new_gate();
	if (pipe(c->said))
		abort();
	return c;
}

static void *pass_one(void *arg)
{
	struct cast *c = arg;

	pass_gate(c->gate[0]);
	return NULL;
}

static void *fork_in_thread(void *arg)
{
	int code = 6;

	(void)arg;
	reap(spawn_process(exit_with, &code));
	return NULL;
}

static void run_threads(void *arg)
{
	struct cast *c = arg;
	pthread_t thread[8], forker;

	for (int i = 0; i < 8; i++)
		if (pthread_create(&thread[i], NULL, pass_one, c))
			_exit(BROKEN);
	tell(c->said, 't');
	pass_gate(c->gate[1]);
	pthread_create(&forker, NULL, fork_in_thread, c);
	pthread_join(forker, NULL);
	pass_gate(c->gate[1]);
	open_gate(c->gate[0], 8);
	for (int i = 0; i < 8; i++)
		pthread_join(thread[i], NULL);
	_exit(7);
}

TEST_F_TIMEOUT(tree, threads_do_not_count, LIMIT)
{
	int64_t tree = add_tree(self->fd, REPORTS, 1);
	struct cast *c = new_cast(self->fd, tree);
	struct knell_event ev;
	pid_t pid;

	pid = spawn_member(self->fd, tree, run_threads, c);
	ASSERT_LT(0, pid);
	ASSERT_EQ('t', hear_soon(c->said));
	EXPECT_TRUE(nothing_pending(self->fd));
	EXPECT_EQ(1, tree_members(self->fd, tree));
	EXPECT_EQ(1, kill_watch(self->fd, tree, 0));
	open_gate(c->gate[1], 1);
	/* What a thread forks is its process's child. */
	ASSERT_EQ(1, next_event(self->fd, &ev));
	EXPECT_TRUE(is_fork(&ev, tree, ANY, pid, 2));
	EXPECT_TRUE(next_is_exit(self->fd, tree, ev.tree.pid, EXITED(6), 1));
	open_gate(c->gate[1], 1);
	EXPECT_TRUE(next_is_main(self->fd, tree, pid, EXITED(7), 0));
	EXPECT_TRUE(next_is_empty(self->fd, tree, pid));
	reap(pid);
}

static void *outlive_leader(void *arg)
{
	struct cast *c = arg;
	int code = 6;

	pass_gate(c->gate[0]);
	reap(spawn_process(exit_with, &code));
	pass_gate(c->gate[1]);
	syscall(SYS_exit_group, 9);
	return NULL;
}

static void leave_leader(void *arg)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, outlive_leader, arg))
		_exit(BROKEN);
	syscall(SYS_exit, 1);
}

/* The leader has left; the process lives, forks and ends by another thread. */
TEST_F_TIMEOUT(tree, leader_leaves_first, LIMIT)
{
	int64_t tree = add_tree(self->fd, REPORTS, 1);
	struct cast *c = new_cast(self->fd, tree);
	struct knell_event ev;
	pid_t pid;

	pid = spawn_member(self->fd, tree, leave_leader, c);
	ASSERT_LT(0, pid);
	await_state(pid, 'Z');
	EXPECT_TRUE(nothing_pending(self->fd));
	EXPECT_EQ(1, tree_members(self->fd, tree));
	open_gate(c->gate[0], 1);
	ASSERT_EQ(1, next_event(self->fd, &ev));
	EXPECT_TRUE(is_fork(&ev, tree, ANY, pid, 2));
	EXPECT_TRUE(next_is_exit(self->fd, tree, ev.tree.pid, EXITED(6), 1));
	EXPECT_TRUE(nothing_pending(self->fd));
	open_gate(c->gate[1], 1);
	EXPECT_TRUE(next_is_main(self->fd, tree, pid, EXITED(9), 0));
	EXPECT_TRUE(next_is_empty(self->fd, tree, pid));
	EXPECT_EQ(EXITED(9), reap(pid));
}

static void *exec_thread(void *arg)
{
	(void)arg;
	exec_as("fork 3");
	return NULL;
}

static void exec_by_thread(void *arg)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, exec_thread, arg))
		_exit(BROKEN);
	sleep_for_ever(NULL);
}

static void exec_by_leader(void *arg)
{
	(void)arg;
	exec_as("fork 3");
}

static void exec_by_orphan_thread(void *arg)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, exec_thread, arg))
		_exit(BROKEN);
	syscall(SYS_exit, 0);
}

static void see_exec(struct __test_metadata *_metadata, int fd, member_fn fn)
{
	int64_t tree = add_tree(fd, REPORTS, 1);
	struct knell_event ev;
	pid_t pid;

	pid = spawn_member(fd, tree, fn, NULL);
	ASSERT_LT(0, pid);
	ASSERT_EQ(1, next_event(fd, &ev));
	EXPECT_TRUE(is_fork(&ev, tree, ANY, pid, 2));
	EXPECT_TRUE(next_is_exit(fd, tree, ev.tree.pid, EXITED(3), 1));
	EXPECT_TRUE(next_is_main(fd, tree, pid, EXITED(4), 0));
	EXPECT_TRUE(next_is_empty(fd, tree, pid));
	EXPECT_EQ(EXITED(4), reap(pid));
	EXPECT_TRUE(nothing_pending(fd));
}

TEST_F_TIMEOUT(tree, exec_keeps_membership, LIMIT)
{
	see_exec(_metadata, self->fd, exec_by_leader);
}

TEST_F_TIMEOUT(tree, exec_by_a_thread, LIMIT)
{
	see_exec(_metadata, self->fd, exec_by_thread);
}

TEST_F_TIMEOUT(tree, exec_by_a_thread_whose_leader_left, LIMIT)
{
	see_exec(_metadata, self->fd, exec_by_orphan_thread);
}

/* A daemon by the book: two forks, a session of its own, its forebears gone. */
static void daemonize(void *arg)
{
	struct cast *c = arg;

	if (bare_fork())
		_exit(0);
	setsid();
	if (bare_fork())
		_exit(1);
	c->pid[0] = getpid();
	tell(c->said, 'd');
	pass_gate(c->gate[0]);
	_exit(8);
}

TEST_F_TIMEOUT(tree, daemon, LIMIT)
{
	int64_t tree = add_tree(self->fd, KNELL_OPF_REPORT_EXIT | KNELL_OPF_ACK, 1);
	struct cast *c = new_cast(self->fd, tree);
	struct knell_event ev[2];
	int main_at;
	pid_t pid;

	pid = spawn_member(self->fd, tree, daemonize, c);
	ASSERT_LT(0, pid);
	ASSERT_EQ('d', hear_soon(c->said));
	/* The first two die in either order; the last one may have been born in between. */
	ASSERT_EQ(1, next_event(self->fd, &ev[0]));
	ASSERT_EQ(1, next_event(self->fd, &ev[1]));
	main_at = ev[1].exit.pid == pid;
	EXPECT_LE(1, ev[0].exit.members);
	EXPECT_GE(2, ev[0].exit.members);
	EXPECT_EQ(1, ev[1].exit.members);
	EXPECT_TRUE(is_exit(&ev[main_at], tree, pid, 0, ev[main_at].exit.members, KNELL_EVF_MAIN));
	EXPECT_TRUE(is_exit(&ev[!main_at], tree, ANY, EXITED(1), ev[!main_at].exit.members, 0));
	reap(pid);
	EXPECT_TRUE(nothing_pending(self->fd));
	EXPECT_EQ(1, tree_members(self->fd, tree));
	EXPECT_EQ(1, kill_watch(self->fd, tree, 0));
	open_gate(c->gate[0], 1);
	EXPECT_TRUE(next_is_exit(self->fd, tree, c->pid[0], EXITED(8), 0));
	EXPECT_TRUE(next_is_empty(self->fd, tree, pid));
	EXPECT_EQ(0, tree_members(self->fd, tree));
}

/* A member in between takes in the orphans of the members below it. */
static void reap_orphans(void *arg)
{
	struct cast *c = arg;

	if (prctl(PR_SET_CHILD_SUBREAPER, 1))
		_exit(BROKEN);
	if (!bare_fork())
		daemonize(c);
	reap_all();
	_exit(2);
}

TEST_F_TIMEOUT(tree, subreaper_in_between, LIMIT)
{
	int64_t tree = add_tree(self->fd, REPORTS, 1);
	struct cast *c = new_cast(self->fd, tree);
	struct tally t = { };
	pid_t pid;

	pid = spawn_member(self->fd, tree, reap_orphans, c);
	ASSERT_LT(0, pid);
	ASSERT_EQ('d', hear_soon(c->said));
	while (tree_members(self->fd, tree) != 2)
		sched_yield();
	EXPECT_EQ(0, kill(c->pid[0], 0));
	open_gate(c->gate[0], 1);
	ASSERT_TRUE(count_until_empty(self->fd, &t));
	EXPECT_TRUE(tally_is_sound(self->fd, &t));
	EXPECT_EQ(3, t.forks);
	EXPECT_EQ(3, t.exits);
	EXPECT_TRUE(is_exit(&t.main, tree, pid, EXITED(2), 0, KNELL_EVF_MAIN));
	reap(pid);
}

/* Nobody waits for a zombie: it is a member no longer all the same. */
static void keep_zombie(void *arg)
{
	struct cast *c = arg;
	int code = 4;

	c->pid[0] = spawn_process(exit_with, &code);
	pass_gate(c->gate[0]);
}

TEST_F_TIMEOUT(tree, zombies_are_no_members, LIMIT)
{
	int64_t tree = add_tree(self->fd, KNELL_OPF_REPORT_EXIT, 1);
	struct cast *c = new_cast(self->fd, tree);
	struct knell_event ev;
	int status;
	pid_t pid;

	pid = spawn_member(self->fd, tree, keep_zombie, c);
	ASSERT_LT(0, pid);
	ASSERT_EQ(1, next_event(self->fd, &ev));
	EXPECT_TRUE(is_exit(&ev, tree, ANY, EXITED(4), 1, 0));
	EXPECT_EQ('Z', state_of(ev.exit.pid));
	EXPECT_EQ(1, tree_members(self->fd, tree));
	open_gate(c->gate[0], 1);
	/* The main one is a zombie, too: ours. */
	EXPECT_TRUE(next_is_main(self->fd, tree, pid, 0, 0));
	EXPECT_TRUE(next_is_empty(self->fd, tree, pid));
	EXPECT_TRUE(waitable(pid, &status));
	EXPECT_EQ(0, reap(pid));
}

/* Children that the kernel reaps are reported like others. */
static void ignore_children(void *arg)
{
	struct cast *c = arg;
	int code;

	signal(SIGCHLD, SIG_IGN);
	for (code = 1; code <= 3; code++) {
		c->pid[code] = spawn_process(exit_with, &code);
		while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
			;
	}
}

TEST_F_TIMEOUT(tree, autoreaped_members, LIMIT)
{
	int64_t tree = add_tree(self->fd, KNELL_OPF_REPORT_EXIT, 1);
	struct cast *c = new_cast(self->fd, tree);
	pid_t pid;

	pid = spawn_member(self->fd, tree, ignore_children, c);
	ASSERT_LT(0, pid);
	ASSERT_EQ(0, reap(pid));
	for (int code = 1; code <= 3; code++)
		EXPECT_TRUE(next_is_exit(self->fd, tree, c->pid[code], EXITED(code), 1));
	EXPECT_TRUE(next_is_main(self->fd, tree, pid, 0, 0));
	EXPECT_TRUE(next_is_empty(self->fd, tree, pid));
}

/* A zombie that a foreign tracer holds cannot be waited for: it is a member still. */
TEST_F_TIMEOUT(tree, foreign_tracer, LIMIT)
{
	int64_t tree = add_tree(self->fd, 0, 1);
	struct cast *c = new_cast(self->fd, tree);
	pid_t pid, tracer;

	pid = spawn_member(self->fd, tree, wait_at_gate, &c->gate[0]);
	ASSERT_LT(0, pid);
	tracer = fork();
	ASSERT_LE(0, tracer);
	if (!tracer) {
		if (ptrace(PTRACE_SEIZE, pid, NULL, NULL))
			_exit(BROKEN);
		tell(c->said, 's');
		pass_gate(c->gate[1]);
		_exit(0);
	}
	ASSERT_EQ('s', hear_soon(c->said));
	open_gate(c->gate[0], 1);
	await_state(pid, 'Z');
	EXPECT_TRUE(nothing_pending(self->fd));
	EXPECT_EQ(1, tree_members(self->fd, tree));
	open_gate(c->gate[1], 1);
	EXPECT_TRUE(next_is_main(self->fd, tree, pid, 0, 0));
	EXPECT_TRUE(next_is_empty(self->fd, tree, pid));
	EXPECT_EQ(0, reap(tracer));
	EXPECT_EQ(0, reap(pid));
}

/* Life of a tree. */

TEST_F_TIMEOUT(tree, main_is_gone_the_tree_lives_on, LIMIT)
{
	int64_t tree = add_tree(self->fd, KNELL_OPF_REPORT_EXIT, 1);
	struct cast *c = new_cast(self->fd, tree);
	struct knell_event ev;
	int code = 3;
	pid_t pid, late;

	pid = spawn_member(self->fd, tree, daemonize, c);
	ASSERT_LT(0, pid);
	ASSERT_EQ('d', hear_soon(c->said));
	reap(pid);
	while (tree_members(self->fd, tree) != 1)
		sched_yield();
	/* The pid told is the main one's, dead or not; no second one becomes that. */
	EXPECT_EQ(pid, watch_info(self->fd, tree).pid);
	late = spawn_member(self->fd, tree, exit_with, &code);
	ASSERT_LT(0, late);
	reap(late);
	open_gate(c->gate[0], 1);
	for (int i = 0; i < 2; i++) {
		ASSERT_EQ(1, next_event(self->fd, &ev));
		ASSERT_EQ(KNELL_EV_EXIT, ev.type);
		EXPECT_EQ(ev.exit.pid == pid ? KNELL_EVF_MAIN : 0, ev.flags);
	}
	EXPECT_TRUE(next_is_exit(self->fd, tree, late, EXITED(3), 1));
	EXPECT_TRUE(next_is_exit(self->fd, tree, c->pid[0], EXITED(8), 0));
	EXPECT_TRUE(next_is_empty(self->fd, tree, pid));
	EXPECT_EQ(0, nr_watches(self->fd));
}

TEST_F_TIMEOUT(tree, used_once, LIMIT)
{
	int64_t tree = add_tree(self->fd, 0, 1);
	int code = 3;
	pid_t pid;

	pid = spawn_member(self->fd, tree, exit_with, &code);
	ASSERT_LT(0, pid);
	ASSERT_EQ(EXITED(3), reap(pid));
	/* Its records wait. */
	EXPECT_EQ(2, nr_pending(self->fd));
	EXPECT_EQ(2, watch_state(self->fd, tree));
	EXPECT_EQ(-ESHUTDOWN, join_next(self->fd, tree));
	EXPECT_EQ(-ESHUTDOWN, join(self->fd, tree));
	EXPECT_EQ(0, kill_watch(self->fd, tree, SIGKILL));
	EXPECT_TRUE(next_is_main(self->fd, tree, pid, EXITED(3), 0));
	EXPECT_EQ(-ESHUTDOWN, join_next(self->fd, tree));
	EXPECT_EQ(1, nr_watches(self->fd));
	EXPECT_TRUE(next_is_empty(self->fd, tree, pid));
	EXPECT_EQ(-ENOENT, join_next(self->fd, tree));
	EXPECT_EQ(-ENOENT, kill_watch(self->fd, tree, 0));
	EXPECT_EQ(-ENOENT, del_watch(self->fd, tree));
	EXPECT_EQ(0, nr_watches(self->fd));
	/* Of what was refused nothing is left behind in the thread. */
	EXPECT_LT(0, add_next(self->fd, 1));
}

TEST_F_TIMEOUT(tree, ack_keeps_it_until_del, LIMIT)
{
	int64_t tree = add_tree(self->fd, KNELL_OPF_ACK | REPORTS, 1);
	int gate = new_gate();
	pid_t pid;

	pid = spawn_member(self->fd, tree, wait_at_gate, &gate);
	ASSERT_LT(0, pid);
	EXPECT_EQ(1, watch_state(self->fd, tree));
	open_gate(gate, 1);
	ASSERT_EQ(0, reap(pid));
	EXPECT_EQ(2, watch_state(self->fd, tree));
	EXPECT_TRUE(next_is_main(self->fd, tree, pid, 0, 0));
	EXPECT_TRUE(next_is_empty(self->fd, tree, pid));
	EXPECT_TRUE(nothing_pending(self->fd));
	EXPECT_EQ(3, watch_state(self->fd, tree));
	EXPECT_EQ(1, nr_watches(self->fd));
	EXPECT_EQ(pid, watch_info(self->fd, tree).pid);
	EXPECT_EQ(-ESHUTDOWN, join_next(self->fd, tree));
	EXPECT_EQ(0, kill_watch(self->fd, tree, SIGKILL));
	EXPECT_EQ(0, del_watch(self->fd, tree));
	EXPECT_EQ(-ENOENT, del_watch(self->fd, tree));
	EXPECT_EQ(0, nr_watches(self->fd));
}

/* Each record carries the token of the moment it is read at. */
TEST_F_TIMEOUT(tree, token_when_read, LIMIT)
{
	int64_t tree = add_tree(self->fd, REPORTS, 10);
	struct knell_event ev;
	struct knell_op op;
	int code = 0;

	ASSERT_EQ(0, reap(spawn_member(self->fd, tree, exit_with, &code)));
	op = op_mod(tree, 0, 11);
	ASSERT_EQ(0, submit_op(self->fd, &op));
	ASSERT_EQ(1, next_event(self->fd, &ev));
	EXPECT_EQ(KNELL_EV_EXIT, ev.type);
	EXPECT_EQ(11, ev.token);
	op = op_mod(tree, 0, 12);
	ASSERT_EQ(0, submit_op(self->fd, &op));
	ASSERT_EQ(1, next_event(self->fd, &ev));
	EXPECT_EQ(KNELL_EV_EMPTY, ev.type);
	EXPECT_EQ(12, ev.token);
}

static void await_pending(int fd, uint64_t nr)
{
	while (nr_pending(fd) < nr)
		sched_yield();
}

static void fork_after_gate(void *arg)
{
	struct cast *c = arg;
	int code = 1;

	for (int i = 0; i < 2; i++) {
		c->pid[i] = spawn_process(wait_at_gate, &c->gate[1]);
		tell(c->said, 'f');
	}
	pass_gate(c->gate[0]);
	reap(spawn_process(exit_with, &code));
	open_gate(c->gate[1], 2);
	reap_all();
	_exit(5);
}

/* DEL takes what is pending with it and leaves the processes alone, which may be enrolled anew. */
TEST_F_TIMEOUT(tree, del_leaves_the_processes_alone, LIMIT)
{
	int64_t tree = add_tree(self->fd, REPORTS, 1);
	struct cast *c = new_cast(self->fd, tree);
	pid_t pid;

	pid = spawn_member(self->fd, tree, fork_after_gate, c);
	ASSERT_LT(0, pid);
	ASSERT_EQ('f', hear_soon(c->said));
	ASSERT_EQ('f', hear_soon(c->said));
	/* A FORK comes when the child first runs. */
	await_pending(self->fd, 2);
	EXPECT_EQ(3, tree_members(self->fd, tree));
	ASSERT_EQ(0, del_watch(self->fd, tree));
	EXPECT_TRUE(nothing_pending(self->fd));
	EXPECT_EQ(0, nr_watches(self->fd));
	EXPECT_EQ(0, kill(pid, 0));
	EXPECT_EQ(0, kill(c->pid[0], 0));
	EXPECT_EQ(0, kill(c->pid[1], 0));
	open_gate(c->gate[0], 1);
	EXPECT_EQ(EXITED(5), reap(pid));
	EXPECT_TRUE(nothing_pending(self->fd));
}

/* Five memberships are one too many, in one queue or in several. */
static void join_five(void *arg)
{
	struct cast *c = arg;
	int fd[5] = { c->fd, c->fd, c->fd, knell_open(0), knell_open(0) };
	int64_t tree[5];
	pid_t child;

	for (int i = 0; i < 5; i++) {
		tree[i] = add_tree(fd[i], 0, i);
		c->pid[0] = join(fd[i], tree[i]);
		if (c->pid[0] != (i < 4 ? 0 : -E2BIG))
			_exit(10 + i);
	}
	c->pid[1] = join_next(fd[4], tree[4]);
	/* With one gone there is room for another: twice, so that nothing of the first is left. */
	for (int i = 0; i < 4; i++) {
		if (del_watch(fd[i], tree[i]))
			_exit(20 + i);
		tree[i] = add_tree(c->fd, 0, i);
		fd[i] = c->fd;
		if (join(c->fd, tree[i]))
			_exit(30 + i);
	}
	if (join(fd[4], tree[4]) != -E2BIG)
		_exit(40);
	/* The child has as many, and can have no more either. */
	child = bare_fork();
	if (!child)
		_exit(join(fd[4], tree[4]) == -E2BIG ? 0 : 1);
	if (reap(child))
		_exit(50);
}

TEST_F_TIMEOUT(tree, four_memberships, LIMIT)
{
	struct cast *c = new_cast(self->fd, 0);
	pid_t pid;

	pid = spawn_process(join_five, c);
	EXPECT_EQ(EXITED(0), reap(pid));
	EXPECT_EQ(-E2BIG, c->pid[0]);
	/* Of OPF_NEXT every refusal comes at once. */
	EXPECT_EQ(-E2BIG, c->pid[1]);
	EXPECT_EQ(8, nr_pending(self->fd));
}

/* What the thread waits for counts: the child would have one more than its parent. */
static void arm_fourth(void *arg)
{
	struct cast *c = arg;
	int64_t tree[5];
	int code = 0;

	for (int i = 0; i < 5; i++)
		tree[i] = add_tree(c->fd, 0, i);
	for (int i = 0; i < 3; i++)
		if (join(c->fd, tree[i]))
			_exit(10 + i);
	if (join_next(c->fd, tree[3]))
		_exit(20);
	c->pid[0] = join(c->fd, tree[4]);
	if (reap(spawn_process(exit_with, &code)))
		_exit(30);
	/* The thread waits for nothing any more. */
	if (join(c->fd, tree[4]))
		_exit(40);
}

TEST_F_TIMEOUT(tree, four_with_the_one_to_come, LIMIT)
{
	struct cast *c = new_cast(self->fd, 0);
	struct knell_event ev;
	int left = 0;
	pid_t pid;

	pid = spawn_process(arm_fourth, c);
	EXPECT_EQ(EXITED(0), reap(pid));
	EXPECT_EQ(-E2BIG, c->pid[0]);
	while (pending_event(self->fd, &ev) == 1) {
		EXPECT_EQ(0, ev.flags & KNELL_EVF_INEXACT);
		left++;
	}
	EXPECT_EQ(10, left);
	EXPECT_EQ(0, nr_watches(self->fd));
}

/* A watch of the quota for each tree, none for its members. */
TEST_F_TIMEOUT(tree, counts_as_one_watch, LIMIT)
{
	int64_t tree = add_tree(self->fd, REPORTS | KNELL_OPF_ACK, 1);
	struct cast *c = new_cast(self->fd, tree);
	pid_t pid;

	pid = spawn_member(self->fd, tree, fork_after_gate, c);
	ASSERT_EQ('f', hear_soon(c->said));
	ASSERT_EQ('f', hear_soon(c->said));
	EXPECT_EQ(1, nr_watches(self->fd));
	open_gate(c->gate[0], 1);
	reap(pid);
	EXPECT_EQ(1, nr_watches(self->fd));
}

/* Nesting. */

/* JOINs an inner tree of its own, then has a child in both. */
static void nest(void *arg)
{
	struct cast *c = arg;
	int code = 4;

	if (join(c->inner_fd, c->inner))
		_exit(BROKEN);
	reap(spawn_process(exit_with, &code));
	tell(c->said, 'n');
	pass_gate(c->gate[0]);
	_exit(5);
}

static void see_nested(struct __test_metadata *_metadata, int fd, int inner_fd)
{
	int64_t outer = add_tree(fd, REPORTS, 1), inner = add_tree(inner_fd, REPORTS, 2);
	struct cast *c = new_cast(fd, outer);
	struct tally t[2] = { };
	struct knell_event ev;
	pid_t pid;

	c->inner = inner;
	c->inner_fd = inner_fd;
	pid = spawn_member(fd, outer, nest, c);
	ASSERT_LT(0, pid);
	ASSERT_EQ('n', hear_soon(c->said));
	EXPECT_EQ(1, tree_members(fd, outer));
	EXPECT_EQ(1, tree_members(inner_fd, inner));
	open_gate(c->gate[0], 1);
	ASSERT_EQ(EXITED(5), reap(pid));
	while (pending_event(fd, &ev) == 1 || pending_event(inner_fd, &ev) == 1) {
		ASSERT_TRUE(ev.watch == outer || ev.watch == inner || fd != inner_fd);
		count_event(&t[ev.token - 1], &ev);
		if (ev.type == KNELL_EV_FORK)
			EXPECT_TRUE(is_fork(&ev, ev.watch, ANY, pid, 2));
	}
	for (int i = 0; i < 2; i++) {
		EXPECT_TRUE(tally_is_sound(fd, &t[i]));
		EXPECT_EQ(1, t[i].forks);
		EXPECT_EQ(1, t[i].exits);
		EXPECT_TRUE(is_exit(&t[i].main, i ? inner : outer, pid, EXITED(5), 0,
				    KNELL_EVF_MAIN));
	}
}

TEST_F_TIMEOUT(tree, member_joins_an_inner_tree, LIMIT)
{
	see_nested(_metadata, self->fd, self->fd);
}

TEST_F_TIMEOUT(tree, member_joins_a_tree_of_another_queue, LIMIT)
{
	int other = knell_open(O_NONBLOCK);

	ASSERT_LE(0, other);
	see_nested(_metadata, self->fd, other);
	close(other);
}

/* A manager that is a member starts a service: that is in both trees, the manager in one. */
static void manage(void *arg)
{
	struct cast *c = arg;
	struct knell_event ev;
	int64_t service;
	pid_t pid;

	c->inner_fd = knell_open(0);
	service = add_tree(c->inner_fd, REPORTS, 3);
	pid = spawn_member(c->inner_fd, service, wait_at_gate, &c->gate[0]);
	tell(c->said, 's');
	if (!next_is_main(c->inner_fd, service, pid, 0, 0) ||
	    !next_is_empty(c->inner_fd, service, pid))
		_exit(1);
	if (pending_event(c->inner_fd, &ev) || nr_watches(c->inner_fd))
		_exit(2);
	reap(pid);
	pass_gate(c->gate[1]);
}

TEST_F_TIMEOUT(tree, manager_under_a_manager, LIMIT)
{
	int64_t outer = add_tree(self->fd, REPORTS, 1);
	struct cast *c = new_cast(self->fd, outer);
	struct knell_event ev;
	pid_t pid;

	pid = spawn_member(self->fd, outer, manage, c);
	ASSERT_LT(0, pid);
	ASSERT_EQ('s', hear_soon(c->said));
	ASSERT_EQ(1, next_event(self->fd, &ev));
	EXPECT_TRUE(is_fork(&ev, outer, ANY, pid, 2));
	EXPECT_EQ(2, kill_watch(self->fd, outer, 0));
	open_gate(c->gate[0], 1);
	/* The service is over for both, the outer tree is not. */
	EXPECT_TRUE(next_is_exit(self->fd, outer, ev.tree.pid, 0, 1));
	EXPECT_TRUE(nothing_pending(self->fd));
	EXPECT_EQ(1, tree_members(self->fd, outer));
	open_gate(c->gate[1], 1);
	EXPECT_TRUE(next_is_main(self->fd, outer, pid, 0, 0));
	EXPECT_TRUE(next_is_empty(self->fd, outer, pid));
	EXPECT_EQ(0, reap(pid));
}

/*
 * A member that JOINs a tree of its own making, in its own queue, stays in the
 * outer one: with what it does thereafter it is followed by both, and when the
 * inner tree goes, by DEL or with its queue, by the outer one still.
 */
static void join_own(void *arg)
{
	struct cast *c = arg;
	int code = 4;
	int64_t own;

	c->inner_fd = knell_open(0);
	own = add_tree(c->inner_fd, 0, 3);
	if (join(c->inner_fd, own))
		_exit(1);
	reap(spawn_process(exit_with, &code));
	if (c->pid[3] ? del_watch(c->inner_fd, own) : close(c->inner_fd))
		_exit(2);
	reap(spawn_process(exit_with, &code));
}

static void see_join_own(struct __test_metadata *_metadata, int fd, bool del)
{
	int64_t outer = add_tree(fd, REPORTS, 1);
	struct cast *c = new_cast(fd, outer);
	pid_t pid;

	c->pid[3] = del;
	pid = spawn_member(fd, outer, join_own, c);
	ASSERT_LT(0, pid);
	for (int i = 0; i < 2; i++) {
		EXPECT_TRUE(next_is_fork(fd, outer, ANY, pid, 2));
		EXPECT_TRUE(next_is_exit(fd, outer, ANY, EXITED(4), 1));
	}
	EXPECT_TRUE(next_is_main(fd, outer, pid, 0, 0));
	EXPECT_TRUE(next_is_empty(fd, outer, pid));
	EXPECT_EQ(0, reap(pid));
	EXPECT_TRUE(nothing_pending(fd));
}

TEST_F_TIMEOUT(tree, join_own_stays_in_the_outer, LIMIT)
{
	see_join_own(_metadata, self->fd, true);
	see_join_own(_metadata, self->fd, false);
}

/* Who is there already when a member JOINs an inner tree is not in that. */
static void nest_late(void *arg)
{
	struct cast *c = arg;
	pid_t pid;

	pid = spawn_process(wait_at_gate, &c->gate[0]);
	if (join(c->fd, c->inner))
		_exit(BROKEN);
	tell(c->said, 'n');
	pass_gate(c->gate[1]);
	open_gate(c->gate[0], 1);
	reap(pid);
}

TEST_F_TIMEOUT(tree, earlier_children_are_not_inside, LIMIT)
{
	int64_t outer = add_tree(self->fd, 0, 1), inner = add_tree(self->fd, 0, 2);
	struct cast *c = new_cast(self->fd, outer);
	struct tally t[2] = { };
	struct knell_event ev;
	pid_t pid;

	c->inner = inner;
	pid = spawn_member(self->fd, outer, nest_late, c);
	ASSERT_LT(0, pid);
	ASSERT_EQ('n', hear_soon(c->said));
	EXPECT_EQ(2, tree_members(self->fd, outer));
	EXPECT_EQ(1, tree_members(self->fd, inner));
	open_gate(c->gate[1], 1);
	ASSERT_EQ(0, reap(pid));
	while (pending_event(self->fd, &ev) == 1)
		count_event(&t[ev.token - 1], &ev);
	EXPECT_TRUE(tally_is_sound(self->fd, &t[0]));
	EXPECT_TRUE(tally_is_sound(self->fd, &t[1]));
}

/* The inner tree is over before the outer one: each EMPTY in its time. */
TEST_F_TIMEOUT(tree, inner_is_empty_first, LIMIT)
{
	int64_t outer = add_tree(self->fd, 0, 1), inner = add_tree(self->fd, 0, 2);
	struct cast *c = new_cast(self->fd, outer);
	struct knell_op arm = op_join(inner, KNELL_OPF_NEXT);
	int code = 6, said[2];
	struct knell_event ev;
	pid_t pid;

	ASSERT_EQ(0, pipe(said));
	ASSERT_EQ(0, join_next(self->fd, outer));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		pid_t child;

		if (submit_op(self->fd, &arm))
			_exit(BROKEN);
		child = spawn_process(exit_with, &code);
		reap(child);
		tell(said, 'i');
		pass_gate(c->gate[0]);
		_exit(0);
	}
	ASSERT_EQ('i', hear_soon(said));
	ASSERT_EQ(1, next_event(self->fd, &ev));
	EXPECT_TRUE(is_exit(&ev, inner, ANY, EXITED(6), 0, KNELL_EVF_MAIN));
	EXPECT_TRUE(next_is_empty(self->fd, inner, ev.exit.pid));
	EXPECT_TRUE(nothing_pending(self->fd));
	open_gate(c->gate[0], 1);
	EXPECT_TRUE(next_is_main(self->fd, outer, pid, 0, 0));
	EXPECT_TRUE(next_is_empty(self->fd, outer, pid));
	reap(pid);
}

/* What a record says. */

static uint64_t timeval_us(const struct timeval *tv)
{
	return tv->tv_sec * 1000000ULL + tv->tv_usec;
}

static void use_resources(void *arg)
{
	struct cast *c = arg;
	char *p = mmap(NULL, 4 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	memset(p, 1, 4 << 20);
	/* A child whose usage is its own. */
	if (!bare_fork()) {
		memset(p, 2, 4 << 20);
		pass_gate(c->gate[0]);
		_exit(0);
	}
	if (setresuid(1234, 1234, 1234))
		_exit(BROKEN);
	for (volatile int i = 0; i < 5000000; i++)
		;
	_exit(42);
}

/* EXIT of the main process against wait4(2). */
TEST_F_TIMEOUT(tree, exit_of_main_is_complete, LIMIT)
{
	char dir[] = "/sys/fs/cgroup/tree-main", procs[] = "/sys/fs/cgroup/tree-main/cgroup.procs";
	int64_t tree = add_tree(self->fd, 0, 31);
	struct cast *c = new_cast(self->fd, tree);
	uint64_t t[3], cpu_us;
	struct knell_event ev;
	struct rusage ru;
	struct stat st;
	int status;
	pid_t pid;

	ASSERT_EQ(0, mkdir(dir, 0755));
	ASSERT_EQ(0, stat(dir, &st));
	ASSERT_EQ(0, write_file(procs, "0"));
	t[0] = clock_ns(CLOCK_MONOTONIC);
	pid = spawn_member(self->fd, tree, use_resources, c);
	t[1] = clock_ns(CLOCK_MONOTONIC);
	ASSERT_EQ(0, write_file("/sys/fs/cgroup/cgroup.procs", "0"));
	ASSERT_LT(0, pid);
	ASSERT_EQ(1, next_event(self->fd, &ev));
	t[2] = clock_ns(CLOCK_MONOTONIC);
	ASSERT_EQ(pid, wait4(pid, &status, 0, &ru));
	EXPECT_TRUE(is_exit(&ev, tree, pid, status, 1, KNELL_EVF_MAIN));
	EXPECT_EQ(EXITED(42), status);
	EXPECT_EQ(31, ev.token);
	EXPECT_EQ(1234, ev.exit.uid);
	EXPECT_LE(t[0], ev.exit.start_ns);
	EXPECT_GE(t[1], ev.exit.start_ns);
	EXPECT_LE(ev.exit.start_ns, ev.time_ns);
	EXPECT_GE(t[2], ev.time_ns);
	EXPECT_EQ((uint64_t)ru.ru_maxrss, ev.exit.maxrss_kb);
	EXPECT_LE(4096, ev.exit.maxrss_kb);
	EXPECT_EQ((uint64_t)ru.ru_minflt, ev.exit.minflt);
	EXPECT_EQ((uint64_t)ru.ru_majflt, ev.exit.majflt);
	/* It leaves the CPU once more after that. */
	EXPECT_GE((uint64_t)ru.ru_nvcsw, ev.exit.nvcsw);
	EXPECT_LE((uint64_t)ru.ru_nvcsw, ev.exit.nvcsw + 1);
	EXPECT_GE((uint64_t)ru.ru_nivcsw, ev.exit.nivcsw);
	cpu_us = timeval_us(&ru.ru_utime) + timeval_us(&ru.ru_stime);
	EXPECT_LT(0, cpu_us);
	EXPECT_LT(0, ev.exit.utime_ns + ev.exit.stime_ns);
	EXPECT_EQ((uint64_t)st.st_ino, ev.exit.cgroup_id);
	EXPECT_EQ(0, ev.exit.killer_pid);
	EXPECT_EQ(0, ev.exit.killer_uid);
	open_gate(c->gate[0], 1);
	EXPECT_TRUE(next_is_empty(self->fd, tree, pid));
	while (rmdir(dir) && errno == EBUSY)
		sched_yield();
}

/* Times of FORK and EMPTY lie where they must. */
TEST_F_TIMEOUT(tree, times, LIMIT)
{
	int64_t tree = add_tree(self->fd, REPORTS, 1);
	struct cast *c = new_cast(self->fd, tree);
	uint64_t before = clock_ns(CLOCK_MONOTONIC), after, last;
	struct knell_event ev[4];
	pid_t pid;

	pid = spawn_member(self->fd, tree, keep_zombie, c);
	await_pending(self->fd, 2);
	open_gate(c->gate[0], 1);
	ASSERT_EQ(0, reap(pid));
	after = clock_ns(CLOCK_MONOTONIC);
	ASSERT_EQ(4, wait_events(self->fd, ev, 4, 0));
	EXPECT_EQ(KNELL_EV_FORK, ev[0].type);
	EXPECT_EQ(KNELL_EV_EMPTY, ev[3].type);
	last = before;
	for (int i = 0; i < 4; i++) {
		EXPECT_LE(before, ev[i].time_ns);
		EXPECT_GE(after, ev[i].time_ns);
	}
	EXPECT_LE(last, ev[0].time_ns);
	EXPECT_LE(ev[0].time_ns, ev[3].time_ns);
	EXPECT_LE(ev[1].time_ns, ev[3].time_ns);
	EXPECT_LE(ev[2].time_ns, ev[3].time_ns);
}

/* A reader who does not see the members' pids: 0 each. */
TEST_F_TIMEOUT(tree, reader_in_another_pid_namespace, LIMIT)
{
	int64_t tree = add_tree(self->fd, REPORTS, 1);
	struct cast *c = new_cast(self->fd, tree);
	pid_t pid, reader;

	pid = spawn_member(self->fd, tree, keep_zombie, c);
	await_pending(self->fd, 2);
	open_gate(c->gate[0], 1);
	ASSERT_EQ(0, reap(pid));
	ASSERT_EQ(0, unshare(CLONE_NEWPID));
	reader = fork();
	ASSERT_LE(0, reader);
	if (!reader)
		_exit(!(SO(watch_info(self->fd, tree).pid == 0) &&
			next_is_fork(self->fd, tree, 0, 0, 2) &&
			next_is_exit(self->fd, tree, 0, EXITED(4), 1) &&
			next_is_main(self->fd, tree, 0, 0, 0) &&
			next_is_empty(self->fd, tree, 0)));
	EXPECT_EQ(0, reap(reader));
}

/* The other way round: members in a namespace below the reader's have their pids of outside. */
TEST_F_TIMEOUT(tree, members_in_a_pid_namespace, LIMIT)
{
	int64_t tree = add_tree(self->fd, REPORTS, 1);
	struct cast *c = new_cast(self->fd, tree);
	struct knell_event ev;
	pid_t pid;

	ASSERT_EQ(0, unshare(CLONE_NEWPID));
	pid = spawn_member(self->fd, tree, keep_zombie, c);
	ASSERT_LT(1, pid);
	await_pending(self->fd, 2);
	open_gate(c->gate[0], 1);
	ASSERT_EQ(1, next_event(self->fd, &ev));
	EXPECT_TRUE(is_fork(&ev, tree, ANY, pid, 2));
	EXPECT_LT(pid, ev.tree.pid);
	EXPECT_TRUE(next_is_exit(self->fd, tree, ev.tree.pid, EXITED(4), 1));
	EXPECT_TRUE(next_is_main(self->fd, tree, pid, 0, 0));
	EXPECT_TRUE(next_is_empty(self->fd, tree, pid));
	reap(pid);
}

/* A user with all rights in a namespace of his own, who adds a tree to the queue @arg. */
static int add_tree_below(void *arg)
{
	int err = enter_user_ns();

	return err ? err : (int)add_tree(*(int *)arg, REPORTS, 1);
}

/* How one ended who is not below its owner, and another's, is not his to know. */
TEST_F_TIMEOUT(tree, a_member_above_the_owner, LIMIT)
{
	static const struct who user_2000 = { 2000, 2000, 2000, 0 };
	int tree = as_who(&user_1000, add_tree_below, &self->fd), gate = new_gate();
	struct knell_event ev;
	pid_t first, pid;

	ASSERT_LT(0, tree);
	first = spawn_member(self->fd, tree, wait_at_gate, &gate);
	ASSERT_LT(0, first);
	pid = fork();
	if (!pid) {
		become(&user_2000);
		_exit(join(self->fd, tree) ? BROKEN : 4);
	}
	EXPECT_EQ(EXITED(4), reap(pid));
	ASSERT_EQ(1, next_event(self->fd, &ev));
	EXPECT_TRUE(is_exit(&ev, tree, pid, 0, 1, KNELL_EVF_NOSTATUS));
	open_gate(gate, 1);
	EXPECT_EQ(0, reap(first));
	EXPECT_TRUE(next_is_main(self->fd, tree, first, 0, 0));
	EXPECT_TRUE(next_is_empty(self->fd, tree, first));
}

/* The reserve of reports. */

/* Has @n children, one after the other, each time it passes the gate. */
struct breeder {
	int gate;
	int said[2];
	atomic_int n;
};

static void breed(void *arg)
{
	struct breeder *b = arg;
	int code = 1;

	for (;;) {
		pass_gate(b->gate);
		if (!b->n)
			_exit(42);
		for (int i = 0; i < b->n; i++)
			reap(spawn_process(exit_with, &code));
		tell(b->said, 'b');
	}
}

static struct breeder *new_breeder(void)
{
	struct breeder *b = shared(sizeof(*b));

	b->gate = new_gate();
	if (pipe(b->said))
		abort();
	return b;
}

static bool breed_more(struct breeder *b, int n)
{
	b->n = n;
	open_gate(b->gate, 1);
	return !n || SO(hear_soon(b->said) == 'b');
}

/* Nobody reads: what does not fit is counted, what must come comes, in order and complete. */
TEST_F_TIMEOUT(tree, reserve_runs_dry, LIMIT)
{
	int64_t tree = add_tree(self->fd, REPORTS | KNELL_OPF_ACK, 1);
	struct breeder *b = new_breeder();
	struct tally t = { };
	struct knell_event ev;
	pid_t pid;

	pid = spawn_member(self->fd, tree, breed, b);
	ASSERT_LT(0, pid);
	ASSERT_TRUE(breed_more(b, 300));
	EXPECT_EQ(RESERVE + 1, nr_pending(self->fd));
	ASSERT_TRUE(breed_more(b, 0));
	ASSERT_EQ(EXITED(42), reap(pid));
	EXPECT_EQ(RESERVE + 3, nr_pending(self->fd));
	for (int i = 0; i < RESERVE; i++) {
		ASSERT_EQ(1, next_event(self->fd, &ev));
		ASSERT_EQ(i & 1 ? KNELL_EV_EXIT : KNELL_EV_FORK, ev.type);
		count_event(&t, &ev);
	}
	ASSERT_EQ(1, next_event(self->fd, &ev));
	EXPECT_EQ(KNELL_EV_LOST, ev.type);
	EXPECT_EQ(600 - RESERVE, ev.tree.lost);
	EXPECT_EQ(tree, ev.watch);
	EXPECT_EQ(0, ev.flags);
	count_event(&t, &ev);
	EXPECT_TRUE(next_is_main(self->fd, tree, pid, EXITED(42), 0));
	EXPECT_TRUE(next_is_empty(self->fd, tree, pid));
	EXPECT_TRUE(nothing_pending(self->fd));
	EXPECT_EQ(0, t.bad);
	EXPECT_EQ(0, tree_members(self->fd, tree));
}

/* A reader now and then: delivered and lost together are what there was, to the last one. */
TEST_F_TIMEOUT(tree, lost_counts_exactly, LIMIT)
{
	static const int brood[] = { 100, 90, 17, 1, 200, 128, 3, 129 };
	int64_t tree = add_tree(self->fd, REPORTS, 1);
	struct breeder *b = new_breeder();
	unsigned int caused = 0, room = 10;
	struct knell_event ev[200];
	struct tally t = { };
	pid_t pid;

	pid = spawn_member(self->fd, tree, breed, b);
	ASSERT_LT(0, pid);
	for (size_t i = 0; i < ARRAY_SIZE(brood); i++) {
		int n;

		ASSERT_TRUE(breed_more(b, brood[i]));
		caused += 2 * brood[i];
		ASSERT_GE(RESERVE + 1, nr_pending(self->fd));
		/* Takes some: 10, 70, 130, ... */
		n = wait_events(self->fd, ev, room < 200 ? room : 200, 0);
		ASSERT_LT(0, n);
		for (int k = 0; k < n; k++)
			count_event(&t, &ev[k]);
		room += 60;
	}
	ASSERT_TRUE(breed_more(b, 0));
	ASSERT_TRUE(count_until_empty(self->fd, &t));
	EXPECT_TRUE(tally_is_sound(self->fd, &t));
	EXPECT_LT(1, t.losts);
	EXPECT_EQ(caused, t.forks + t.exits + t.lost);
	TH_LOG("%u reports, %u told as lost by %u records", caused, t.lost, t.losts);
	reap(pid);
}

/* While a LOST waits it folds, and there is room behind it for what comes later. */
TEST_F_TIMEOUT(tree, lost_is_sticky, LIMIT)
{
	int64_t tree = add_tree(self->fd, KNELL_OPF_REPORT_EXIT, 1);
	struct breeder *b = new_breeder();
	struct knell_event ev[RESERVE + 2];
	uint64_t lost_seq;
	pid_t pid;

	pid = spawn_member(self->fd, tree, breed, b);
	ASSERT_LT(0, pid);
	ASSERT_TRUE(breed_more(b, RESERVE + 5));
	ASSERT_EQ(100, wait_events(self->fd, ev, 100, 0));
	/* 156 of the reserve and LOST wait: 100 more fit, of 110. */
	ASSERT_TRUE(breed_more(b, 110));
	ASSERT_EQ(RESERVE + 1, nr_pending(self->fd));
	ASSERT_EQ(RESERVE + 1, wait_events(self->fd, ev, RESERVE + 2, 0));
	EXPECT_EQ(KNELL_EV_LOST, ev[156].type);
	EXPECT_EQ(15, ev[156].tree.lost);
	lost_seq = ev[156].seq;
	EXPECT_EQ(lost_seq + 1, ev[157].seq);
	for (int i = 0; i < RESERVE + 1; i++)
		EXPECT_EQ(i == 156 ? KNELL_EV_LOST : KNELL_EV_EXIT, ev[i].type);
	/* It was read: the next loss is a new one. */
	ASSERT_TRUE(breed_more(b, RESERVE + 2));
	ASSERT_EQ(RESERVE + 1, wait_events(self->fd, ev, RESERVE + 2, 0));
	EXPECT_EQ(KNELL_EV_LOST, ev[RESERVE].type);
	EXPECT_EQ(2, ev[RESERVE].tree.lost);
	ASSERT_TRUE(breed_more(b, 0));
	reap(pid);
	ASSERT_EQ(2, wait_events(self->fd, ev, 3, 0));
	EXPECT_TRUE(is_empty(&ev[1], tree, pid));
}

/* DEL while LOST and a full reserve wait takes all of it along. */
TEST_F_TIMEOUT(tree, del_with_a_full_reserve, LIMIT)
{
	struct breeder *b = new_breeder();
	int64_t tree;
	pid_t pid;

	for (int i = 0; i < 3; i++) {
		tree = add_tree(self->fd, REPORTS, 1);
		pid = spawn_member(self->fd, tree, breed, b);
		ASSERT_LT(0, pid);
		ASSERT_TRUE(breed_more(b, RESERVE));
		if (i == 1) {
			ASSERT_TRUE(breed_more(b, 0));
			reap(pid);
		}
		EXPECT_LT(RESERVE, nr_pending(self->fd));
		ASSERT_EQ(0, del_watch(self->fd, tree));
		EXPECT_TRUE(nothing_pending(self->fd));
		if (i == 1)
			continue;
		ASSERT_TRUE(breed_more(b, 0));
		reap(pid);
		EXPECT_TRUE(nothing_pending(self->fd));
	}
	EXPECT_EQ(0, nr_watches(self->fd));
}

/*
 * The order of reading is the order of events, over watches of several kinds
 * and several writers: each of these makes a chain in which one thing is the
 * cause of the next.
 */
#define CHAIN		24
#define WRITERS		4

struct chain {
	int fd;
	uint32_t bell[2 * CHAIN];
	int gate;
	int code;
};

static void ring_and_exit(struct chain *c, int i)
{
	trigger(c->fd, c->bell[2 * i], 1);
	_exit(c->code);
}

static void run_chain(void *arg)
{
	struct chain *c = arg;

	pass_gate(c->gate);
	for (int i = 0; i < CHAIN; i++) {
		pid_t pid = bare_fork();

		if (!pid)
			ring_and_exit(c, i);
		reap(pid);
		trigger(c->fd, c->bell[2 * i + 1], 1);
	}
}

TEST_F_TIMEOUT(tree, reading_order_is_the_order_of_events, LIMIT)
{
	/* In each link: FORK, the child's bell, EXIT, the parent's bell. */
	static const int link[] = { KNELL_EV_FORK, KNELL_EV_USER, KNELL_EV_EXIT, KNELL_EV_USER };
	struct chain *c = shared(WRITERS * sizeof(*c));
	unsigned int step[WRITERS] = { };
	struct knell_event ev;
	int64_t tree[WRITERS];
	int gate = new_gate(), over = 0;
	uint64_t seq = 0;

	for (int w = 0; w < WRITERS; w++) {
		tree[w] = add_tree(self->fd, REPORTS, w);
		c[w] = (struct chain){ .fd = self->fd, .gate = gate, .code = w };
		for (int i = 0; i < 2 * CHAIN; i++)
			c[w].bell[i] = add_watch(self->fd, op_user(w));
		ASSERT_LT(0, spawn_member(self->fd, tree[w], run_chain, &c[w]));
	}
	open_gate(gate, WRITERS);
	while (over < WRITERS) {
		unsigned int w, at;

		ASSERT_EQ(1, next_event(self->fd, &ev));
		ASSERT_LT(seq, ev.seq);
		seq = ev.seq;
		w = ev.token;
		ASSERT_LT(w, WRITERS);
		at = step[w]++;
		if (at >= 4 * CHAIN) {
			ASSERT_EQ(at == 4 * CHAIN ? KNELL_EV_EXIT : KNELL_EV_EMPTY, ev.type);
			over += at > 4 * CHAIN;
			continue;
		}
		ASSERT_EQ(link[at % 4], ev.type);
		ASSERT_EQ(ev.type == KNELL_EV_USER ? c[w].bell[at / 2] : tree[w], ev.watch);
	}
	reap_all();
}

/* A PROCESS watch and trees on one process: each has its own record, none takes another's. */
TEST_F_TIMEOUT(tree, beside_a_process_watch, LIMIT)
{
	int64_t tree = add_tree(self->fd, 0, 1), process;
	int gate = new_gate(), seen[2] = { };
	struct knell_event ev;
	pid_t pid;

	pid = spawn_member(self->fd, tree, wait_at_gate, &gate);
	ASSERT_LT(0, pid);
	process = add_pid(self->fd, pid, 2);
	ASSERT_LT(0, process);
	open_gate(gate, 1);
	for (int i = 0; i < 2; i++) {
		ASSERT_EQ(1, next_event(self->fd, &ev));
		if (ev.watch != process && ev.type == KNELL_EV_EMPTY)
			break;
		ASSERT_EQ(KNELL_EV_EXIT, ev.type);
		ASSERT_EQ(pid, ev.exit.pid);
		seen[ev.watch == tree]++;
		EXPECT_EQ(ev.watch == tree ? KNELL_EVF_MAIN : 0, ev.flags);
	}
	if (ev.type != KNELL_EV_EMPTY) {
		EXPECT_EQ(1, seen[0]);
		EXPECT_EQ(1, seen[1]);
		EXPECT_TRUE(next_is_empty(self->fd, tree, pid));
	} else {
		EXPECT_TRUE(next_is_exit(self->fd, process, pid, 0, 0));
	}
	EXPECT_TRUE(nothing_pending(self->fd));
	reap(pid);
}

TEST_HARNESS_MAIN
