// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who becomes a member of a tree and how: all ways to make a process, threads,
 * exec, daemons, zombies.
 *
 * runner-limit: 900
 */
#include "kselftest_harness.h"

#include <sys/ptrace.h>

#include "tree_cast.h"

#define STACK_SIZE	65536

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

static void begin_thread(void *(*fn)(void *), void *arg)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, fn, arg))
		_exit(BROKEN);
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
	begin_thread(outlive_leader, arg);
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
	begin_thread(exec_thread, arg);
	sleep_for_ever(NULL);
}

static void exec_by_leader(void *arg)
{
	(void)arg;
	exec_as("fork 3");
}

static void exec_by_orphan_thread(void *arg)
{
	begin_thread(exec_thread, arg);
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

TEST_HARNESS_MAIN
