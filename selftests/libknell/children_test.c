// SPDX-License-Identifier: GPL-2.0-only
/* Children: each end is told once, with all that is known of it, whoever else looks. runner-limit: 900 */
#include "common.h"

#include <limits.h>
#include <linux/sched.h>

LOOP_FIXTURE(children);
KERNEL_FIXTURE(kernel_children);

static struct knell_child got;
static knell_task got_task;

static void note_child(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	(void)l;
	if (call->kind != KNELL_KIND_CHILD)
		abort();
	counted++;
	got = *call->child;
	got_task = call->task;
	if (arg)
		traced("%s", (const char *)arg);
}

/* All that an exit is told with. */
LOOP_TEST(children, what_is_told)
{
	uint64_t before = now_ns(), after;
	pid_t pid = fork();
	knell_task t;

	ASSERT_LE(0, pid);
	if (!pid) {
		burn(20 * MSEC);
		_exit(77);
	}
	t = knell_add_child(self->l, note_child, NULL, pid, KNELL_CHILD_EXIT);
	ASSERT_TASK(t);
	EXPECT_TRUE(knell_pending(self->l, t));
	EXPECT_EQ(1, stats_of(self->l).children);
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	after = now_ns();
	EXPECT_EQ(1, counted);
	EXPECT_EQ(t.gen, got_task.gen);
	EXPECT_FALSE(knell_pending(self->l, t));
	EXPECT_EQ(0, stats_of(self->l).children);
	EXPECT_EQ(pid, got.pid);
	EXPECT_EQ(CLD_EXITED, got.code);
	EXPECT_EQ(77, got.status);
	EXPECT_EQ(77 << 8, got.wstatus);
	EXPECT_EQ(getuid(), got.uid);
	EXPECT_LE(before, got.exit_ns);
	EXPECT_GE(after, got.exit_ns);
	EXPECT_EQ(0, got.flags & (KNELL_CHILDF_NOSTATUS | KNELL_CHILDF_KILLER | KNELL_CHILDF_OOM |
				  KNELL_CHILDF_OVERFLOW | KNELL_CHILDF_REDELIVERED));
	if (KERNEL) {
		EXPECT_EQ(KNELL_CHILDF_USAGE, got.flags & KNELL_CHILDF_USAGE);
		EXPECT_LE(before, got.start_ns);
		EXPECT_LE(got.start_ns, got.exit_ns);
		EXPECT_LE(1, got.seq);
	}
	if (got.flags & KNELL_CHILDF_USAGE) {
		EXPECT_LE(10 * MSEC, got.utime_ns + got.stime_ns);
		EXPECT_LT(0, got.maxrss_kb);
	}
	/* Left to the caller. */
	EXPECT_TRUE(is_zombie(pid));
	EXPECT_EQ(77, child_status(pid));
}

LOOP_TEST(children, ends_of_all_sorts)
{
	const int sigs[] = { SIGKILL, SIGTERM, SIGQUIT, SIGRTMIN, SIGRTMAX - 1 };
	struct rlimit no_core = { 0, 0 };

	setrlimit(RLIMIT_CORE, &no_core);
	for (int status = 0; status < 256; status += 51) {
		pid_t pid = exiting_child(status);

		ASSERT_TASK(knell_add_child(self->l, note_child, NULL, pid, 0));
		ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
		EXPECT_EQ(CLD_EXITED, got.code);
		EXPECT_EQ(status, got.status);
		EXPECT_EQ(status, child_status(pid));
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(sigs); i++) {
		pid_t pid = idle_child();

		ASSERT_TASK(knell_add_child(self->l, note_child, NULL, pid, 0));
		ASSERT_EQ(1, knell_loop_run(self->l, KNELL_RUN_NOWAIT));
		ASSERT_EQ(0, kill(pid, sigs[i]));
		ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
		EXPECT_EQ(pid, got.pid);
		EXPECT_EQ(CLD_KILLED, got.code & ~(CLD_DUMPED ^ CLD_KILLED));
		EXPECT_EQ(sigs[i], got.status);
		EXPECT_EQ(sigs[i], WTERMSIG(got.wstatus));
		/* Who did it is told of members of trees. */
		EXPECT_EQ(0, got.flags & KNELL_CHILDF_KILLER);
		child_status(pid);
	}
}

/* A callback may wait for it: that does not block. */
static void waits(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	int status;

	(void)l;
	(void)arg;
	traced("%d", waitpid(call->child->pid, &status, WNOHANG) == call->child->pid &&
		     status == call->child->wstatus);
}

LOOP_TEST(children, wait_in_the_callback)
{
	for (int i = 0; i < 20; i++)
		ASSERT_TASK(knell_add_child(self->l, waits, NULL, exiting_child(i), 0));
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_EQ(20 * 2 - 1, strlen(trace));
	EXPECT_EQ(NULL, strchr(trace, '0'));
	EXPECT_EQ(-1, waitpid(-1, NULL, WNOHANG));
}

LOOP_TEST(children, autoreap)
{
	pid_t pid;
	int fds[2];

	make_pipe(fds);
	fcntl(fds[0], F_SETFL, 0);
	for (int i = 0; i < 10; i++) {
		pid = exiting_child(i);
		ASSERT_TASK(knell_add_child(self->l, note_child, NULL, pid, KNELL_CHILD_AUTOREAP));
		ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
		EXPECT_EQ(i, got.status);
		EXPECT_EQ(CLD_EXITED, got.code);
		EXPECT_EQ(-1, waitpid(pid, NULL, WNOHANG));
		EXPECT_EQ(ECHILD, errno);
	}
	/* Also when it was cancelled, as long as there is a loop that runs. */
	pid = waiting_child(fds[0], 5);
	got_task = knell_add_child(self->l, note_child, NULL, pid, KNELL_CHILD_AUTOREAP);
	ASSERT_TASK(got_task);
	ASSERT_EQ(1, knell_loop_run(self->l, KNELL_RUN_NOWAIT));
	ASSERT_EQ(1, knell_cancel(self->l, got_task));
	counted = 0;
	ASSERT_EQ(1, write(fds[1], "x", 1));
	ASSERT_TASK(knell_add_timer(self->l, cb_nothing, NULL, 3600));
	while (!kill(pid, 0)) {
		ASSERT_EQ(1, knell_loop_run(self->l, KNELL_RUN_NOWAIT));
		sched_yield();
	}
	EXPECT_EQ(ESRCH, errno);
	EXPECT_EQ(0, counted);
	close(fds[0]);
	close(fds[1]);
}

/* T-26: it was dead before. */
LOOP_TEST(children, t26_dead_already)
{
	for (int i = 0; i < 10; i++) {
		pid_t pid = zombie(i);

		counted = 0;
		ASSERT_TASK(knell_add_child(self->l, note_child, NULL, pid, 0));
		ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
		EXPECT_EQ(1, counted);
		EXPECT_EQ(pid, got.pid);
		EXPECT_EQ(CLD_EXITED, got.code);
		EXPECT_EQ(i, got.status);
		EXPECT_EQ(i, child_status(pid));
	}
}

/* T-28: somebody else in the process waits for everything and is faster. */
LOOP_TEST(children, t28_stolen_zombie)
{
	int fds[2], status;
	pid_t pid;

	make_pipe(fds);
	fcntl(fds[0], F_SETFL, 0);
	pid = waiting_child(fds[0], 42);
	ASSERT_TASK(knell_add_child(self->l, note_child, NULL, pid, 0));
	ASSERT_EQ(1, run_passes(self->l, 2));
	ASSERT_EQ(1, write(fds[1], "x", 1));
	ASSERT_EQ(pid, waitpid(-1, &status, 0));
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_EQ(1, counted);
	EXPECT_EQ(pid, got.pid);
	if (KERNEL) {
		EXPECT_EQ(0, got.flags & KNELL_CHILDF_NOSTATUS);
		EXPECT_EQ(CLD_EXITED, got.code);
		EXPECT_EQ(42, got.status);
	} else {
		/* It is told, though nobody can say how it ended. */
		EXPECT_EQ(KNELL_CHILDF_NOSTATUS, got.flags & KNELL_CHILDF_NOSTATUS);
		EXPECT_EQ(0, got.code);
		EXPECT_EQ(0, got.status);
	}
	close(fds[0]);
	close(fds[1]);
}

/* A thread that waits for everything all the time, with AUTOREAP and without. */
static atomic_bool thief_ends;

static void *thief(void *arg)
{
	while (!thief_ends)
		if (waitpid(-1, NULL, 0) < 0)
			sched_yield();
	return arg;
}

LOOP_TEST(children, t28_a_thief)
{
	const unsigned int nr = times(300);
	pthread_t thread;

	ASSERT_EQ(0, pthread_create(&thread, NULL, thief, NULL));
	for (unsigned int i = 0; i < nr; i++) {
		knell_task t = knell_add_child(self->l, note_child, NULL, exiting_child(i & 127),
					       i & 1 ? KNELL_CHILD_AUTOREAP : 0);

		/* Gone before it could be watched. */
		if (knell_is_none(t)) {
			ASSERT_EQ(ESRCH, errno);
			counted++;
		}
	}
	ASSERT_LE(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_EQ(nr, counted);
	thief_ends = true;
	pthread_join(thread, NULL);
}

/* T-25: the exit and the timer that was to kill are due together: the exit comes first. */
struct service {
	knell_task kill_timer;
	pid_t pid;
	unsigned int *killed;
};

static void kill_it(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	struct service *s = arg;

	(void)l;
	(void)call;
	++*s->killed;
}

static void has_ended(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	struct service *s = arg;

	(void)call;
	counted += knell_cancel(l, s->kill_timer);
}

LOOP_TEST(children, t25_exit_before_kill_timer)
{
	struct service s[64];
	unsigned int killed = 0;

	for (unsigned int i = 0; i < ARRAY_SIZE(s); i++) {
		s[i] = (struct service){ .pid = vfork_exit(0), .killed = &killed };
		ASSERT_LT(0, s[i].pid);
		ASSERT_EQ(0, await_zombie(s[i].pid));
		/* Before the child's task, and due at once. */
		s[i].kill_timer = knell_add_timer_ns(self->l, kill_it, &s[i], 0);
		ASSERT_TASK(s[i].kill_timer);
		ASSERT_TASK(knell_add_child(self->l, has_ended, &s[i], s[i].pid, KNELL_CHILD_AUTOREAP));
	}
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_EQ(0, killed);
	EXPECT_EQ(ARRAY_SIZE(s), counted);
}

/* T-29: two loops, each hears of its own. */
LOOP_TEST(children, t29_two_loops)
{
	struct knell_loop *l[2] = { self->l, new_loop(variant->backend) };
	pid_t pids[2][20];

	ASSERT_NE(NULL, l[1]);
	for (int i = 0; i < 40; i++) {
		pids[i % 2][i / 2] = exiting_child(i);
		ASSERT_TASK(knell_add_child(l[i % 2], note_child, i % 2 ? "b" : "a",
					    pids[i % 2][i / 2], 0));
	}
	for (int i = 0; i < 40; i++)
		await_zombie(pids[i % 2][i / 2]);
	ASSERT_EQ(0, knell_loop_run(l[1], KNELL_RUN_DEFAULT));
	EXPECT_EQ(20, counted);
	EXPECT_EQ(NULL, strchr(trace, 'a'));
	trace_clear();
	ASSERT_EQ(0, knell_loop_run(l[0], KNELL_RUN_DEFAULT));
	EXPECT_EQ(40, counted);
	EXPECT_EQ(NULL, strchr(trace, 'b'));
	for (int i = 0; i < 40; i++)
		EXPECT_EQ(i, child_status(pids[i % 2][i / 2]));
	/* The same child in both. */
	pids[0][0] = exiting_child(1);
	ASSERT_TASK(knell_add_child(l[0], note_child, NULL, pids[0][0], 0));
	ASSERT_TASK(knell_add_child(l[1], note_child, NULL, pids[0][0], 0));
	ASSERT_EQ(0, knell_loop_run(l[0], KNELL_RUN_DEFAULT));
	ASSERT_EQ(0, knell_loop_run(l[1], KNELL_RUN_DEFAULT));
	EXPECT_EQ(42, counted);
	child_status(pids[0][0]);
	knell_loop_free(l[1]);
}

/*
 * T-31: a signal goes to the process that the task was made for, or to nobody.
 */

LOOP_TEST(children, kill_by_name)
{
	pid_t pid = idle_child();
	knell_task t = knell_add_child(self->l, note_child, NULL, pid, 0);

	ASSERT_TASK(t);
	EXPECT_EQ(0, knell_child_kill(self->l, t, 0));
	EXPECT_EQ(-EINVAL, knell_child_kill(self->l, t, -1));
	EXPECT_EQ(-EINVAL, knell_child_kill(self->l, t, 65));
	EXPECT_EQ(0, knell_child_kill(self->l, t, SIGTERM));
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_EQ(CLD_KILLED, got.code);
	EXPECT_EQ(SIGTERM, got.status);
	EXPECT_EQ(-ENOENT, knell_child_kill(self->l, t, SIGTERM));
	EXPECT_EQ(-ENOENT, knell_child_kill(self->l, KNELL_NONE, SIGTERM));
	t = knell_add_timer(self->l, cb_nothing, NULL, 1);
	EXPECT_EQ(-EINVAL, knell_child_kill(self->l, t, SIGTERM));
	child_status(pid);
}

LOOP_TEST(children, t31_pid_reused)
{
	pid_t pid = zombie(1), want = pid;
	struct clone_args args = {
		.exit_signal = SIGCHLD, .set_tid = (uintptr_t)&want, .set_tid_size = 1,
	};
	knell_task t = knell_add_child(self->l, note_child, NULL, pid, 0);
	long again;

	ASSERT_TASK(t);
	/* Reaped behind the loop's back, and its number goes to another. */
	ASSERT_EQ(1, child_status(pid));
	EXPECT_EQ(-ESRCH, knell_child_kill(self->l, t, SIGKILL));
	again = syscall(SYS_clone3, &args, sizeof(args));
	if (!again) {
		for (;;)
			pause();
	}
	ASSERT_EQ(pid, again);
	EXPECT_EQ(-ESRCH, knell_child_kill(self->l, t, SIGKILL));
	EXPECT_EQ(-ESRCH, knell_child_kill(self->l, t, 0));
	EXPECT_EQ(0, waitpid(pid, NULL, WNOHANG));
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_EQ(1, counted);
	EXPECT_EQ(-ENOENT, knell_child_kill(self->l, t, SIGKILL));
	/* It can be watched in its turn. */
	t = knell_add_child(self->l, note_child, NULL, pid, 0);
	ASSERT_TASK(t);
	EXPECT_EQ(0, knell_child_kill(self->l, t, SIGUSR2));
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_EQ(2, counted);
	EXPECT_EQ(SIGUSR2, got.status);
	EXPECT_EQ(256 + SIGUSR2, child_status(pid));
}

/* Runs until @nr were counted. */
static int until_counted(struct knell_loop *l, unsigned long nr)
{
	int ret = 1;

	while (counted < nr && ret > 0)
		ret = knell_loop_run(l, KNELL_RUN_ONCE);
	return ret;
}

/* T-33: stopped, goes on, and ends at last. */
LOOP_TEST(children, t33_stop_and_continue)
{
	pid_t pid = idle_child();
	knell_task t = knell_add_child(self->l, note_child, NULL, pid,
				       KNELL_CHILD_STOP | KNELL_CHILD_CONT);

	ASSERT_TASK(t);
	for (int i = 0; i < 5; i++) {
		counted = 0;
		ASSERT_EQ(0, knell_child_kill(self->l, t, SIGSTOP));
		ASSERT_EQ(1, until_counted(self->l, 1));
		EXPECT_EQ(pid, got.pid);
		EXPECT_EQ(CLD_STOPPED, got.code);
		EXPECT_EQ(SIGSTOP, got.status);
		EXPECT_TRUE(WIFSTOPPED(got.wstatus));
		EXPECT_TRUE(knell_pending(self->l, t));
		ASSERT_EQ(0, kill(pid, SIGCONT));
		ASSERT_EQ(1, until_counted(self->l, 2));
		EXPECT_EQ(CLD_CONTINUED, got.code);
		EXPECT_TRUE(WIFCONTINUED(got.wstatus));
	}
	ASSERT_EQ(0, knell_child_kill(self->l, t, SIGKILL));
	ASSERT_EQ(0, until_counted(self->l, 3));
	EXPECT_EQ(CLD_KILLED, got.code);
	EXPECT_EQ(SIGKILL, got.status);
	EXPECT_FALSE(knell_pending(self->l, t));
	child_status(pid);
}

/* Only of what was asked for. */
LOOP_TEST(children, t33_one_of_both)
{
	pid_t pid = idle_child(), quiet = idle_child();
	knell_task t = knell_add_child(self->l, note_child, NULL, pid, KNELL_CHILD_CONT);
	siginfo_t si;

	ASSERT_TASK(t);
	ASSERT_TASK(knell_add_child(self->l, note_child, NULL, quiet, 0));
	kill(quiet, SIGSTOP);
	kill(pid, SIGSTOP);
	/* Both have: what nobody asked for is left to wait(2). */
	ASSERT_EQ(0, waitid(P_PID, pid, &si, WSTOPPED));
	ASSERT_EQ(0, waitid(P_PID, quiet, &si, WSTOPPED));
	ASSERT_EQ(1, run_passes(self->l, 3));
	EXPECT_EQ(0, counted);
	kill(quiet, SIGCONT);
	kill(pid, SIGCONT);
	ASSERT_EQ(1, until_counted(self->l, 1));
	EXPECT_EQ(pid, got.pid);
	EXPECT_EQ(CLD_CONTINUED, got.code);
	ASSERT_EQ(1, knell_cancel(self->l, t));
	kill(pid, SIGKILL);
	kill(quiet, SIGKILL);
	ASSERT_EQ(0, until_counted(self->l, 2));
	EXPECT_EQ(quiet, got.pid);
	child_status(pid);
	child_status(quiet);
}

/* SIGCHLD that the program ignores, or wants no zombies of: the end is told all the same. */
LOOP_TEST(children, no_zombies)
{
	struct sigaction sa = { .sa_flags = SA_NOCLDWAIT };
	int fds[2];

	sa.sa_handler = SIG_DFL;
	make_pipe(fds);
	fcntl(fds[0], F_SETFL, 0);
	for (int i = 0; i < 2; i++) {
		pid_t pid;

		ASSERT_EQ(0, i ? (signal(SIGCHLD, SIG_IGN), 0) : sigaction(SIGCHLD, &sa, NULL));
		pid = waiting_child(fds[0], 21);
		counted = 0;
		ASSERT_TASK(knell_add_child(self->l, note_child, NULL, pid,
					    i ? KNELL_CHILD_AUTOREAP : 0));
		ASSERT_EQ(1, run_passes(self->l, 2));
		ASSERT_EQ(1, write(fds[1], "x", 1));
		ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
		EXPECT_EQ(1, counted);
		EXPECT_EQ(pid, got.pid);
		if (KERNEL) {
			EXPECT_EQ(CLD_EXITED, got.code);
			EXPECT_EQ(21, got.status);
		} else {
			EXPECT_EQ(KNELL_CHILDF_NOSTATUS, got.flags & KNELL_CHILDF_NOSTATUS);
		}
	}
	close(fds[0]);
	close(fds[1]);
}

/*
 * NEXT and SUBTREE
 */

LOOP_TEST(children, next)
{
	knell_task t;
	pid_t pid;

	if (!KERNEL) {
		EXPECT_NO_TASK(EOPNOTSUPP, knell_add_child(self->l, note_child, NULL, 0,
							   KNELL_CHILD_NEXT));
		EXPECT_NO_TASK(EOPNOTSUPP,
			       knell_add_child(self->l, note_child, NULL, 0,
					       KNELL_CHILD_NEXT | KNELL_CHILD_SUBTREE));
		return;
	}
	for (int i = 0; i < 20; i++) {
		t = knell_add_child(self->l, note_child, NULL, 0,
				    KNELL_CHILD_NEXT | (i % 2 ? KNELL_CHILD_AUTOREAP : 0));
		ASSERT_TASK(t);
		EXPECT_NO_TASK(EBUSY, knell_add_child(self->l, note_child, NULL, 0,
						      KNELL_CHILD_NEXT));
		pid = i % 4 < 2 ? vfork_exit(i) : exiting_child(i);
		ASSERT_LT(0, pid);
		ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
		EXPECT_EQ(pid, got.pid);
		EXPECT_EQ(i, got.status);
		EXPECT_EQ(i % 2 ? -ECHILD : i, child_status(pid));
	}
	/* Never forked: the next one can be armed after a cancel. */
	t = knell_add_child(self->l, note_child, NULL, 0, KNELL_CHILD_NEXT);
	ASSERT_TASK(t);
	ASSERT_EQ(1, knell_loop_run(self->l, KNELL_RUN_NOWAIT));
	ASSERT_EQ(1, knell_cancel(self->l, t));
	t = knell_add_child(self->l, note_child, NULL, 0, KNELL_CHILD_NEXT);
	ASSERT_TASK(t);
	ASSERT_EQ(1, knell_cancel(self->l, t));
	EXPECT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	/* By its name. */
	t = knell_add_child(self->l, note_child, NULL, 0, KNELL_CHILD_NEXT);
	pid = idle_child();
	EXPECT_EQ(0, knell_child_kill(self->l, t, SIGTERM));
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_EQ(SIGTERM, got.status);
	child_status(pid);
}

/* Its end comes when all that it forked have ended, with its own status. */
LOOP_TEST(kernel_children, subtree)
{
	int go[2], said[2];
	pid_t pid, grandchild;
	knell_task t;

	make_pipe(go);
	fcntl(go[0], F_SETFL, 0);
	ASSERT_EQ(0, pipe(said));
	t = knell_add_child(self->l, note_child, NULL, 0, KNELL_CHILD_NEXT | KNELL_CHILD_SUBTREE);
	ASSERT_TASK(t);
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		grandchild = waiting_child(go[0], 8);
		_exit(write(said[1], &grandchild, sizeof(grandchild)) == 4 ? 33 : 1);
	}
	ASSERT_EQ(4, read(said[0], &grandchild, 4));
	ASSERT_EQ(0, await_zombie(pid));
	ASSERT_EQ(1, run_passes(self->l, 5));
	EXPECT_EQ(0, counted);
	EXPECT_TRUE(knell_pending(self->l, t));
	ASSERT_EQ(1, write(go[1], "x", 1));
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_EQ(1, counted);
	EXPECT_EQ(pid, got.pid);
	EXPECT_EQ(33, got.status);
	EXPECT_EQ(33, child_status(pid));
}

/*
 * Refused
 */

static void *thread_waits(void *arg)
{
	atomic_store((_Atomic pid_t *)arg, own_tid());
	for (;;)
		pause();
	return NULL;
}

LOOP_TEST(children, pids_refused)
{
	_Atomic pid_t tid = 0;
	pid_t pid = idle_child(), gone = exiting_child(0);
	pthread_t thread;

	child_status(gone);
	EXPECT_NO_TASK(ESRCH, knell_add_child(self->l, note_child, NULL, gone, 0));
	EXPECT_NO_TASK(EINVAL, knell_add_child(self->l, note_child, NULL, 0, 0));
	EXPECT_NO_TASK(EINVAL, knell_add_child(self->l, note_child, NULL, -1, 0));
	EXPECT_NO_TASK(EINVAL, knell_add_child(self->l, note_child, NULL, pid, 1U << 31));
	EXPECT_NO_TASK(EINVAL, knell_add_child(self->l, note_child, NULL, pid, KNELL_CHILD_NEXT));
	EXPECT_NO_TASK(EINVAL, knell_add_child(self->l, note_child, NULL, pid,
					       KNELL_CHILD_SUBTREE));
	EXPECT_NO_TASK(EINVAL, knell_add_children(self->l, note_child, NULL, KNELL_CHILD_STOP));
	ASSERT_TASK(knell_add_child(self->l, note_child, NULL, pid, 0));
	EXPECT_NO_TASK(EEXIST, knell_add_child(self->l, note_child, NULL, pid, 0));
	ASSERT_EQ(0, pthread_create(&thread, NULL, thread_waits, (void *)&tid));
	while (!tid)
		sched_yield();
	EXPECT_NO_TASK(EINVAL, knell_add_child(self->l, note_child, NULL, tid, 0));
	pthread_cancel(thread);
	pthread_join(thread, NULL);
	/* None of these has left anything behind. */
	EXPECT_EQ(1, stats_of(self->l).tasks);
	kill(pid, SIGKILL);
	EXPECT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_EQ(1, counted);
	child_status(pid);
}

/* Not a child: by the kernel backend its status is told to who may know. */
LOOP_TEST(children, somebody_elses)
{
	int go[2], said[2];
	pid_t parent, pid;

	make_pipe(go);
	fcntl(go[0], F_SETFL, 0);
	ASSERT_EQ(0, pipe(said));
	parent = fork();
	ASSERT_LE(0, parent);
	if (!parent) {
		pid = waiting_child(go[0], 17);
		if (write(said[1], &pid, sizeof(pid)) != sizeof(pid))
			_exit(1);
		_exit(child_status(pid));
	}
	ASSERT_EQ(4, read(said[0], &pid, 4));
	ASSERT_TASK(knell_add_child(self->l, note_child, NULL, pid, 0));
	ASSERT_EQ(1, run_passes(self->l, 2));
	ASSERT_EQ(1, write(go[1], "x", 1));
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_EQ(1, counted);
	EXPECT_EQ(pid, got.pid);
	if (KERNEL) {
		EXPECT_EQ(CLD_EXITED, got.code);
		EXPECT_EQ(17, got.status);
	} else {
		EXPECT_EQ(KNELL_CHILDF_NOSTATUS, got.flags & KNELL_CHILDF_NOSTATUS);
	}
	EXPECT_EQ(17, child_status(parent));
}

/* Many that live, of which one ends: the others are not told of. */
LOOP_TEST(children, among_many)
{
	enum { NR = 300 };
	pid_t pids[NR];
	struct rlimit rl;

	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &rl));
	rl.rlim_cur = rl.rlim_max;
	setrlimit(RLIMIT_NOFILE, &rl);
	for (int i = 0; i < NR; i++) {
		pids[i] = idle_child();
		ASSERT_TASK(knell_add_child(self->l, note_child, NULL, pids[i], 0));
	}
	EXPECT_EQ(NR, stats_of(self->l).children);
	for (int i = 0; i < NR; i++) {
		int which = (i * 7) % NR;

		counted = 0;
		ASSERT_EQ(0, kill(pids[which], SIGTERM));
		ASSERT_EQ(i < NR - 1, until_counted(self->l, 1));
		EXPECT_EQ(pids[which], got.pid);
		EXPECT_EQ(1, counted);
		child_status(pids[which]);
	}
}

/* Freed with the loop: they go on living. */
LOOP_TEST(children, live_on)
{
	/* Forked first: what the child has of the loop would be a leak of its own. */
	pid_t pid = idle_child();
	struct knell_loop *l = new_loop(variant->backend);

	ASSERT_NE(NULL, l);
	ASSERT_TASK(knell_add_child(l, note_child, NULL, pid, KNELL_CHILD_AUTOREAP));
	ASSERT_EQ(1, run_passes(l, 2));
	knell_loop_free(l);
	EXPECT_EQ(0, waitpid(pid, NULL, WNOHANG));
	EXPECT_EQ(0, kill(pid, SIGTERM));
	EXPECT_EQ(256 + SIGTERM, child_status(pid));
}

/* The callback may watch the next one: the same task's place, the same pid's number. */
static void next_child(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	unsigned long *left = arg;

	child_status(call->child->pid);
	if ((*left)--)
		knell_add_child(l, next_child, arg, exiting_child(0), 0);
}

LOOP_TEST(children, one_after_another)
{
	unsigned long left = 100;

	ASSERT_TASK(knell_add_child(self->l, next_child, &left, exiting_child(0), 0));
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_EQ(ULONG_MAX, left);
}

LIBKNELL_MAIN
