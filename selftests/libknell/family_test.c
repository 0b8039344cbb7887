// SPDX-License-Identifier: GPL-2.0-only
/*
 * Children, all children and trees on the kernel's queue: what an exit costs, what is told when
 * the kernel's reserve was too small, who is reaped. runner-limit: 600
 */
#include "common.h"

#include <linux/knell.h>

KERNEL_FIXTURE(family);

static struct knell_child last;

/* One that blocks. */
static void blocking_pipe(int fds[2])
{
	if (pipe2(fds, O_CLOEXEC))
		abort();
}

static void note(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	(void)l;
	last = *call->child;
	counted++;
	if (arg)
		traced("%s", (const char *)arg);
}

/* How often each pid was told of, and by which task: @arg. */
#define PIDS	(1 << 22)
static unsigned char *told_of;

static void told(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	(void)l;
	last = *call->child;
	told_of[call->child->pid] += (unsigned char)(uintptr_t)arg;
	counted++;
}

static void told_begin(void)
{
	told_of = calloc(PIDS, 1);
}

/*
 * What it costs
 */

static void storm(struct __test_metadata *_metadata, struct knell_loop *l, unsigned int nr,
		  double most)
{
	struct knell_stats before, after;
	int fds[2], alive[2];
	char c;

	blocking_pipe(fds);
	blocking_pipe(alive);
	for (unsigned int i = 0; i < nr; i++) {
		pid_t pid;

		ASSERT_TASK(knell_add_child(l, note, NULL, 0,
					    KNELL_CHILD_NEXT | KNELL_CHILD_AUTOREAP));
		pid = fork();
		ASSERT_LE(0, pid);
		if (!pid) {
			close(fds[1]);
			leave(read(fds[0], &c, 1) == 0 ? 7 : 8);
		}
	}
	/* Reading its CPU time is a call, too. */
	knell_set_cpu_accounting(l, false);
	before = stats_of(l);
	close(alive[1]);
	close(fds[1]);
	/* No child has it open any more: a loop that is slower than they die finds many at a time. */
	ASSERT_EQ(0, read(alive[0], &c, 1));
	ASSERT_EQ(0, knell_loop_run(l, KNELL_RUN_DEFAULT));
	after = stats_of(l);
	EXPECT_EQ(nr, counted);
	EXPECT_EQ(7, last.status);
	EXPECT_LE((double)(after.syscalls - before.syscalls), most * nr);
	TH_LOG("%lu calls, %u exits, %lu batches",
	       (unsigned long)(after.syscalls - before.syscalls), nr,
	       (unsigned long)(after.batches - before.batches));
	EXPECT_EQ(-1, waitpid(-1, NULL, WNOHANG));
	EXPECT_EQ(ECHILD, errno);
}

LOOP_TEST(family, calls_an_exit)
{
	storm(_metadata, self->l, 500, 1.1);
}

LOOP_TEST(family, calls_an_exit_without_zombies)
{
	const struct sigaction sa = { .sa_handler = SIG_DFL, .sa_flags = SA_NOCLDWAIT };

	ASSERT_EQ(0, sigaction(SIGCHLD, &sa, NULL));
	storm(_metadata, self->l, 500, 0.1);
}

/* The action is put back: from the next batch on they are reaped again. */
LOOP_TEST(family, zombies_come_back)
{
	struct sigaction sa = { .sa_handler = SIG_DFL, .sa_flags = SA_NOCLDWAIT };

	ASSERT_EQ(0, sigaction(SIGCHLD, &sa, NULL));
	ASSERT_TASK(knell_add_child(self->l, note, NULL, idle_child(), KNELL_CHILD_AUTOREAP));
	ASSERT_TASK(knell_add_children(self->l, note, NULL, KNELL_CHILD_AUTOREAP));
	exiting_child(1);
	while (counted < 1)
		ASSERT_EQ(1, knell_loop_run(self->l, KNELL_RUN_ONCE));
	sa.sa_flags = 0;
	ASSERT_EQ(0, sigaction(SIGCHLD, &sa, NULL));
	exiting_child(2);
	while (counted < 2)
		ASSERT_EQ(1, knell_loop_run(self->l, KNELL_RUN_ONCE));
	EXPECT_EQ(0, waitpid(-1, NULL, WNOHANG));
}

/* Nothing is allocated for an exit. */
LOOP_TEST(family, no_memory_an_exit)
{
	ASSERT_TASK(knell_add_children(self->l, note, NULL, KNELL_CHILD_AUTOREAP));
	for (int i = 0; i < 100; i++)
		exiting_child(0);
	while (counted < 100)
		ASSERT_EQ(1, knell_loop_run(self->l, KNELL_RUN_ONCE));
	fail_allocation(0, true);
	for (int i = 0; i < 50; i++)
		vfork_exit(0);
	while (counted < 150)
		ASSERT_EQ(1, knell_loop_run(self->l, KNELL_RUN_ONCE));
	EXPECT_FALSE(allocation_failed());
	fail_allocation(-1, false);
}

/*
 * One
 */

LOOP_TEST(family, all_that_is_known)
{
	uint64_t before = now_ns();
	pid_t pid = waiting_child(readable_fd(), 33), other;

	ASSERT_TASK(knell_add_child(self->l, note, NULL, pid, KNELL_CHILD_AUTOREAP));
	EXPECT_NO_TASK(EEXIST, knell_add_child(self->l, note, NULL, pid, 0));
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_EQ(pid, last.pid);
	EXPECT_EQ(CLD_EXITED, last.code);
	EXPECT_EQ(33, last.status);
	EXPECT_EQ(33 << 8, last.wstatus);
	EXPECT_EQ(KNELL_CHILDF_USAGE, last.flags);
	EXPECT_LT(before, last.start_ns);
	EXPECT_LT(last.start_ns, last.exit_ns);
	EXPECT_GE(now_ns(), last.exit_ns);
	EXPECT_LT(0, last.seq);
	EXPECT_LT(0, last.maxrss_kb);
	EXPECT_EQ(-ECHILD, child_status(pid));
	pid = idle_child();
	ASSERT_TASK(knell_add_child(self->l, note, NULL, pid, 0));
	other = idle_child();
	kill(pid, SIGKILL);
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_EQ(CLD_KILLED, last.code);
	EXPECT_EQ(SIGKILL, last.status);
	EXPECT_EQ(SIGKILL, last.wstatus);
	/* The zombie is the caller's. */
	EXPECT_TRUE(is_zombie(pid));
	kill(other, SIGKILL);
}

LOOP_TEST(family, bad_arguments)
{
	struct knell_loop *l = self->l;

	EXPECT_NO_TASK(EINVAL, knell_add_child(l, note, NULL, 0, 0));
	EXPECT_NO_TASK(EINVAL, knell_add_child(l, note, NULL, -1, 0));
	EXPECT_NO_TASK(EINVAL, knell_add_child(l, note, NULL, 1, 1U << 20));
	EXPECT_NO_TASK(EINVAL, knell_add_child(l, note, NULL, 1, KNELL_CHILD_NEXT));
	EXPECT_NO_TASK(EINVAL, knell_add_child(l, note, NULL, 1, KNELL_CHILD_SUBTREE));
	EXPECT_NO_TASK(EINVAL, knell_add_child(l, note, NULL, 0, KNELL_CHILD_SUBTREE |
					       KNELL_CHILD_NEXT | KNELL_CHILD_STOP));
	EXPECT_NO_TASK(EINVAL, knell_add_child(l, NULL, NULL, 1, 0));
	EXPECT_NO_TASK(ESRCH, knell_add_child(l, note, NULL, PIDS - 1, 0));
	EXPECT_NO_TASK(EPERM, knell_add_child(l, note, NULL, 2, 0));
	EXPECT_NO_TASK(EINVAL, knell_add_children(l, note, NULL, KNELL_CHILD_NEXT));
	EXPECT_NO_TASK(EINVAL, knell_add_tree(l, note, NULL, NULL, 0));
	EXPECT_NO_TASK(EINVAL, knell_add_tree(l, note, NULL, "t", 1U << 20));
	EXPECT_NO_TASK(EINVAL, knell_add_tree(l, note, NULL, "0123456789012345678901234567890"
					      "123456789012345678901234567890123", 0));
	EXPECT_EQ(-ENOENT, knell_child_kill(l, KNELL_NONE, 0));
	EXPECT_EQ(-ENOENT, knell_tree_join(l, KNELL_NONE, 0));
	EXPECT_EQ(0, knell_loop_run(l, KNELL_RUN_DEFAULT));
}

/* The thread's next process, whatever comes between; one at a time; not after a cancel. */
LOOP_TEST(family, next)
{
	struct knell_loop *l = self->l;
	struct knell_op op = {
		.op = KNELL_OP_ADD, .type = KNELL_PROCESS, .flags = KNELL_OPF_NEXT,
	};
	knell_task t = knell_add_child(l, note, NULL, 0, KNELL_CHILD_NEXT);
	pid_t pid;

	ASSERT_TASK(t);
	EXPECT_EQ(-ESRCH, knell_child_kill(l, t, SIGKILL));
	EXPECT_NO_TASK(EBUSY, knell_add_child(l, note, NULL, 0, KNELL_CHILD_NEXT));
	EXPECT_NO_TASK(EBUSY, knell_add_tree(l, note, NULL, "t", KNELL_TREE_NEXT));
	EXPECT_EQ(1, knell_cancel(l, t));
	/* At once: there is room for another, and that is not the loop's. */
	ASSERT_EQ(1, knell_submit(l, &op, 1, 0));
	EXPECT_EQ(0, op.result);
	op = (struct knell_op){ .op = KNELL_OP_DEL, .watch = op.watch };
	ASSERT_EQ(1, knell_submit(l, &op, 1, 0));
	pid = zombie(3);
	EXPECT_EQ(0, knell_loop_run(l, KNELL_RUN_DEFAULT));
	EXPECT_EQ(3, child_status(pid));
	t = knell_add_child(l, note, NULL, 0, KNELL_CHILD_NEXT);
	ASSERT_TASK(t);
	pid = idle_child();
	EXPECT_NO_TASK(EEXIST, knell_add_child(l, note, NULL, pid, 0));
	EXPECT_EQ(0, knell_child_kill(l, t, SIGTERM));
	ASSERT_EQ(0, knell_loop_run(l, KNELL_RUN_DEFAULT));
	EXPECT_EQ(pid, last.pid);
	EXPECT_EQ(SIGTERM, last.status);
	EXPECT_EQ(-ENOENT, knell_child_kill(l, t, SIGTERM));
	EXPECT_EQ(SIGTERM + 256, child_status(pid));
}

/* A zombie; a status that somebody else has waited for; a process that is no child. */
LOOP_TEST(family, told_all_the_same)
{
	pid_t pid = zombie(5);
	int status;

	ASSERT_TASK(knell_add_child(self->l, note, NULL, pid, KNELL_CHILD_AUTOREAP));
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_EQ(5, last.status);
	pid = waiting_child(readable_fd(), 6);
	ASSERT_TASK(knell_add_child(self->l, note, NULL, pid, KNELL_CHILD_AUTOREAP));
	ASSERT_EQ(pid, waitpid(-1, &status, 0));
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_EQ(6, last.status);
	EXPECT_EQ(2, counted);
}

/* One that was cancelled is reaped all the same, if it was asked for; and gives way. */
LOOP_TEST(family, orphans)
{
	struct knell_loop *l = self->l;
	pid_t pid[4];
	knell_task t[4];
	int go[2];

	blocking_pipe(go);
	for (int i = 0; i < 4; i++) {
		bool next = i == 1 || i == 2;
		unsigned int flags = (i == 2 ? KNELL_CHILD_SUBTREE : 0) |
				     (next ? KNELL_CHILD_NEXT : 0) | KNELL_CHILD_AUTOREAP;

		if (next)
			t[i] = knell_add_child(l, note, NULL, 0, flags);
		pid[i] = fork();
		if (!pid[i]) {
			char c;

			close(go[1]);
			_exit(read(go[0], &c, 1));
		}
		if (!next)
			t[i] = knell_add_child(l, note, NULL, pid[i], flags);
		ASSERT_TASK(t[i]);
	}
	for (int i = 0; i < 4; i++)
		EXPECT_EQ(1, knell_cancel(l, t[i]));
	/* The last one is asked for again, and left to us. */
	ASSERT_TASK(knell_add_child(l, note, NULL, pid[3], 0));
	EXPECT_NO_TASK(EEXIST, knell_add_child(l, note, NULL, pid[3], 0));
	close(go[1]);
	ASSERT_EQ(0, knell_loop_run(l, KNELL_RUN_DEFAULT));
	EXPECT_EQ(1, counted);
	EXPECT_EQ(0, child_status(pid[3]));
	/* The others may die after it; somebody has to look. */
	for (int i = 0; i < 3; i++)
		await_zombie(pid[i]);
	ASSERT_TASK(knell_add_timer_ms(l, cb_nothing, NULL, 1));
	ASSERT_EQ(0, knell_loop_run(l, KNELL_RUN_DEFAULT));
	for (int i = 0; i < 3; i++)
		EXPECT_EQ(-ECHILD, child_status(pid[i]));
	EXPECT_EQ(1, counted);
}

static void kill_it(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	if (call->child->code == CLD_STOPPED) {
		kill(call->child->pid, SIGCONT);
		traced("stop%d", call->child->status);
	} else if (call->child->code == CLD_CONTINUED) {
		traced("cont");
		knell_child_kill(l, call->task, SIGKILL);
	} else {
		traced("end%d", call->child->status);
	}
	if (*(pid_t *)arg != call->child->pid)
		traced("not%d", call->child->pid);
}

LOOP_TEST(family, stop_and_go_on)
{
	const unsigned int flags = KNELL_CHILD_STOP | KNELL_CHILD_CONT | KNELL_CHILD_AUTOREAP;
	pid_t pid = idle_child();

	ASSERT_TASK(knell_add_child(self->l, kill_it, &pid, pid, flags));
	kill(pid, SIGSTOP);
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_STREQ("stop19 cont end9", trace);
	trace_clear();
	ASSERT_TASK(knell_add_child(self->l, kill_it, &pid, 0, flags | KNELL_CHILD_NEXT));
	pid = idle_child();
	kill(pid, SIGSTOP);
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_STREQ("stop19 cont end9", trace);
	EXPECT_EQ(-ECHILD, child_status(pid));
}

/*
 * With all that it forks
 */

/* Exits, and leaves a child that lives until @fd's other end is closed. */
static pid_t leaver(int fd, int other)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	close(other);
	if (!fork()) {
		char c;

		_exit(read(fd, &c, 1));
	}
	_exit(4);
}

LOOP_TEST(family, subtree)
{
	struct knell_loop *l = self->l;
	knell_task t;
	int go[2];
	pid_t pid;

	blocking_pipe(go);
	t = knell_add_child(l, note, "end", 0, KNELL_CHILD_NEXT | KNELL_CHILD_SUBTREE |
			    KNELL_CHILD_AUTOREAP);
	ASSERT_TASK(t);
	pid = leaver(go[0], go[1]);
	await_zombie(pid);
	ASSERT_EQ(1, run_passes(l, 5));
	EXPECT_STREQ("", trace);
	EXPECT_EQ(-ECHILD, child_status(pid));
	EXPECT_EQ(1, knell_child_kill(l, t, 0));
	close(go[1]);
	ASSERT_EQ(0, knell_loop_run(l, KNELL_RUN_DEFAULT));
	EXPECT_STREQ("end", trace);
	EXPECT_EQ(pid, last.pid);
	EXPECT_EQ(4, last.status);
	EXPECT_EQ(KNELL_CHILDF_USAGE | KNELL_CHILDF_MAIN, last.flags);
	/* Killed as one. */
	blocking_pipe(go);
	t = knell_add_child(l, note, "end", 0, KNELL_CHILD_NEXT | KNELL_CHILD_SUBTREE);
	pid = leaver(go[0], go[1]);
	ASSERT_EQ(4, child_status(pid));
	EXPECT_EQ(1, knell_child_kill(l, t, SIGKILL));
	ASSERT_EQ(0, knell_loop_run(l, KNELL_RUN_DEFAULT));
	EXPECT_EQ(2, counted);
}

static unsigned int seen[4];
static struct knell_tree of_kind[4];

static void note_tree(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	(void)l;
	(void)arg;
	seen[call->tree->what]++;
	of_kind[call->tree->what] = *call->tree;
}

LOOP_TEST(family, tree)
{
	struct knell_loop *l = self->l;
	knell_task t = knell_add_tree(l, note_tree, NULL, "tree", KNELL_TREE_REPORT_FORK |
				      KNELL_TREE_REPORT_EXIT);
	int go[2];
	pid_t pid;

	ASSERT_TASK(t);
	blocking_pipe(go);
	EXPECT_EQ(-EINVAL, knell_tree_join(l, t, 77));
	ASSERT_EQ(0, knell_tree_join(l, t, KNELL_TREE_NEXT));
	EXPECT_EQ(-EBUSY, knell_tree_join(l, t, KNELL_TREE_NEXT));
	pid = leaver(go[0], go[1]);
	/* The newcomer may be as late as its first instruction. */
	while (!seen[KNELL_TREE_EXIT] || !seen[KNELL_TREE_FORK])
		ASSERT_EQ(1, knell_loop_run(l, KNELL_RUN_ONCE));
	EXPECT_EQ(1, seen[KNELL_TREE_FORK]);
	EXPECT_EQ(pid, of_kind[KNELL_TREE_FORK].ppid);
	EXPECT_LE(1, of_kind[KNELL_TREE_FORK].members);
	EXPECT_EQ(pid, of_kind[KNELL_TREE_EXIT].exit.pid);
	EXPECT_EQ(4, of_kind[KNELL_TREE_EXIT].exit.status);
	EXPECT_EQ(1, of_kind[KNELL_TREE_EXIT].exit.members);
	EXPECT_TRUE(of_kind[KNELL_TREE_EXIT].exit.flags & KNELL_CHILDF_MAIN);
	EXPECT_EQ(4, child_status(pid));
	EXPECT_EQ(1, knell_child_kill(l, t, SIGTERM));
	ASSERT_EQ(0, knell_loop_run(l, KNELL_RUN_DEFAULT));
	EXPECT_EQ(2, seen[KNELL_TREE_EXIT]);
	EXPECT_EQ(SIGTERM, of_kind[KNELL_TREE_EXIT].exit.status);
	EXPECT_EQ(getpid(), of_kind[KNELL_TREE_EXIT].exit.killer_pid);
	EXPECT_EQ(1, seen[KNELL_TREE_EMPTY]);
	EXPECT_EQ(-ENOENT, knell_tree_join(l, t, 0));
	EXPECT_FALSE(knell_pending(l, t));
}

static void reader_that_loses(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	unsigned int *lost = arg;

	(void)l;
	seen[call->tree->what]++;
	if (call->tree->what == KNELL_TREE_LOST || call->tree->what == KNELL_TREE_EMPTY)
		*lost += call->tree->lost;
}

/* What a tree has no room for is counted; the end comes. */
LOOP_TEST(family, tree_loses)
{
	unsigned int lost = 0;
	pid_t pid;

	ASSERT_TASK(knell_add_tree(self->l, reader_that_loses, &lost, "t", KNELL_TREE_NEXT |
				   KNELL_TREE_REPORT_FORK | KNELL_TREE_REPORT_EXIT));
	pid = fork();
	if (!pid) {
		for (int i = 0; i < 500; i++)
			vfork_exit(0);
		_exit(0);
	}
	ASSERT_EQ(0, child_status(pid));
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_LE(1, lost);
	EXPECT_EQ(1001, seen[KNELL_TREE_FORK] + seen[KNELL_TREE_EXIT] + lost);
	EXPECT_EQ(1, seen[KNELL_TREE_EMPTY]);
	EXPECT_EQ(lost, stats_of(self->l).lost);
}

/*
 * All
 */

enum { NR = 600 };

static pid_t family[NR];

/* By a task of its own, reaped or not; with all it forks; by none: 0. */
static unsigned int flags_of(int i)
{
	if (i % 3 == 1)
		return KNELL_CHILD_NEXT | (i % 2 ? KNELL_CHILD_AUTOREAP : 0);
	return i % 100 == 50 ? KNELL_CHILD_NEXT | KNELL_CHILD_SUBTREE : 0;
}

/* They die while nobody reads, more than the kernel has room for. */
static void let_die(struct __test_metadata *_metadata, struct knell_loop *l)
{
	for (int i = 0; i < NR; i++) {
		unsigned int flags = flags_of(i);

		if (flags)
			ASSERT_TASK(knell_add_child(l, told, (void *)16, 0, flags));
		family[i] = exiting_child(i & 0x7f);
		ASSERT_LT(0, family[i]);
	}
	for (int i = 0; i < NR; i++)
		ASSERT_EQ(0, await_zombie(family[i]));
}

static void all_once(struct __test_metadata *_metadata, bool autoreap)
{
	for (int i = 0; i < NR; i++) {
		unsigned int flags = flags_of(i);
		bool reaped = flags ? flags & KNELL_CHILD_AUTOREAP : autoreap;

		ASSERT_EQ(flags ? 16 : 1, told_of[family[i]]) {
			TH_LOG("pid %d, number %d", family[i], i);
		}
		ASSERT_EQ(!reaped, is_zombie(family[i])) {
			TH_LOG("pid %d, number %d", family[i], i);
		}
		told_of[family[i]] = 0;
	}
}

static void overflow(struct __test_metadata *_metadata, struct knell_loop *l, unsigned int flags)
{
	told_begin();
	ASSERT_TASK(knell_add_children(l, told, (void *)1, flags));
	EXPECT_NO_TASK(EEXIST, knell_add_children(l, told, (void *)1, flags));
	ASSERT_EQ(1, run_passes(l, 3));
	let_die(_metadata, l);
	for (int i = 0; i < 2000 && counted < NR; i++)
		ASSERT_EQ(1, knell_loop_run(l, KNELL_RUN_NOWAIT));
	ASSERT_EQ(1, run_passes(l, 10));
	EXPECT_EQ(NR, counted);
	EXPECT_LT(0, stats_of(l).lost);
	EXPECT_LE(2, stats_of(l).rescans);
	all_once(_metadata, flags);
}

LOOP_TEST(family, all_that_were_lost)
{
	overflow(_metadata, self->l, KNELL_CHILD_AUTOREAP);
}

/* The zombies of the first time, whom nobody has waited for, are not told of again. */
LOOP_TEST(family, all_that_were_lost_twice)
{
	pid_t first[NR];

	overflow(_metadata, self->l, 0);
	memcpy(first, family, sizeof(first));
	counted = 0;
	let_die(_metadata, self->l);
	for (int i = 0; i < 2000 && counted < NR; i++)
		ASSERT_EQ(1, knell_loop_run(self->l, KNELL_RUN_NOWAIT));
	ASSERT_EQ(1, run_passes(self->l, 10));
	EXPECT_EQ(NR, counted);
	all_once(_metadata, false);
	for (int i = 0; i < NR; i++)
		ASSERT_EQ(0, told_of[first[i]]);
}

/* A pid that was told of, was waited for, and is another process's by now is told of again. */
LOOP_TEST(family, a_pid_comes_again)
{
	char text[32];
	int fd;
	pid_t again;

	overflow(_metadata, self->l, 0);
	for (int i = 0; i < NR; i++)
		waitpid(family[i], NULL, 0);
	again = family[0];
	/* A clock tick is what processes of the same pid are told apart by. */
	sleep_ns(20 * MSEC);
	fd = open("/proc/sys/kernel/ns_last_pid", O_WRONLY | O_CLOEXEC);
	ASSERT_LE(0, fd);
	snprintf(text, sizeof(text), "%d", again - 1);
	ASSERT_LT(0, write(fd, text, strlen(text)));
	close(fd);
	counted = 0;
	let_die(_metadata, self->l);
	EXPECT_EQ(again, family[0]);
	for (int i = 0; i < 2000 && counted < NR; i++)
		ASSERT_EQ(1, knell_loop_run(self->l, KNELL_RUN_NOWAIT));
	ASSERT_EQ(1, run_passes(self->l, 10));
	EXPECT_EQ(NR, counted);
	all_once(_metadata, false);
}

/* Who is a zombie when it begins. */
LOOP_TEST(family, zombies_that_are_there)
{
	pid_t a = zombie(1), b = zombie(2);

	ASSERT_TASK(knell_add_children(self->l, note, NULL, KNELL_CHILD_AUTOREAP));
	ASSERT_EQ(1, run_passes(self->l, 3));
	EXPECT_EQ(2, counted);
	EXPECT_TRUE(last.flags & KNELL_CHILDF_OVERFLOW);
	EXPECT_FALSE(last.flags & KNELL_CHILDF_ADOPTED);
	EXPECT_EQ(-ECHILD, child_status(a));
	EXPECT_EQ(-ECHILD, child_status(b));
}

LOOP_TEST(family, adopted)
{
	pid_t pid;

	ASSERT_EQ(0, prctl(PR_SET_CHILD_SUBREAPER, 1));
	ASSERT_TASK(knell_add_children(self->l, note, NULL, KNELL_CHILD_AUTOREAP));
	pid = fork();
	if (!pid) {
		pid = getpid();
		if (!fork()) {
			while (getppid() == pid)
				sleep_ns(MSEC);
			_exit(44);
		}
		_exit(0);
	}
	while (counted < 2)
		ASSERT_EQ(1, knell_loop_run(self->l, KNELL_RUN_ONCE));
	EXPECT_EQ(44, last.status);
	EXPECT_TRUE(last.flags & KNELL_CHILDF_ADOPTED);
	EXPECT_TRUE(last.flags & KNELL_CHILDF_USAGE);
	EXPECT_EQ(-1, waitpid(-1, NULL, WNOHANG));
}

/* Many at a time, in tables that grow, and none is left behind. */
LOOP_TEST(family, many)
{
	enum { MANY = 1200 };
	static pid_t pid[MANY];
	static knell_task t[MANY];

	told_begin();
	for (int i = 0; i < MANY; i++) {
		pid[i] = idle_child();
		ASSERT_LT(0, pid[i]);
		t[i] = knell_add_child(self->l, told, (void *)1, pid[i], KNELL_CHILD_AUTOREAP);
		ASSERT_TASK(t[i]);
	}
	for (int i = 0; i < MANY; i++)
		EXPECT_NO_TASK(EEXIST, knell_add_child(self->l, told, NULL, pid[i], 0));
	for (int i = 0; i < MANY; i += 2)
		EXPECT_EQ(1, knell_cancel(self->l, t[i]));
	EXPECT_EQ(MANY / 2, stats_of(self->l).children);
	for (int i = 0; i < MANY; i++)
		kill(pid[i], SIGKILL);
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_EQ(MANY / 2, counted);
	for (int i = 0; i < MANY; i++)
		ASSERT_EQ(i % 2, told_of[pid[i]]);
}

LIBKNELL_MAIN
