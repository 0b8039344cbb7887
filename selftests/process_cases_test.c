// SPDX-License-Identifier: GPL-2.0-only
/*
 * A process is reported if, and only if, its real parent could reap it at that
 * moment, with the status that wait(2) gives: every way to die, and every way
 * to enrol the one who dies.
 */
#include "kselftest_harness.h"

#include <linux/sched.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/utsname.h>

#include "process_test.h"

#ifndef CLONE_AUTOREAP
#define CLONE_AUTOREAP	(1ULL << 34)
#endif

#define HOLD_NS		(300 * NSEC_PER_MSEC)

FIXTURE(cases) {
	struct target *t;
};

FIXTURE_VARIANT(cases) {
	enum how how;
	bool block;
};

FIXTURE_VARIANT_ADD(cases, pid) { .how = BY_PID };
FIXTURE_VARIANT_ADD(cases, pid_asleep) { .how = BY_PID, .block = true };
FIXTURE_VARIANT_ADD(cases, pidfd) { .how = BY_PIDFD };
FIXTURE_VARIANT_ADD(cases, next) { .how = BY_NEXT };
FIXTURE_VARIANT_ADD(cases, next_asleep) { .how = BY_NEXT, .block = true };
FIXTURE_VARIANT_ADD(cases, self) { .how = BY_SELF };
FIXTURE_VARIANT_ADD(cases, stranger) { .how = BY_OTHER, .block = true };
FIXTURE_VARIANT_ADD(cases, late_pid) { .how = LATE_PID };
FIXTURE_VARIANT_ADD(cases, late_pidfd) { .how = LATE_PIDFD };

/* Shared, so that a process between this one and the target can fill it in. */
FIXTURE_SETUP(cases)
{
	self->t = shared(sizeof(*self->t));
	*self->t = (struct target) {
		.how = variant->how,
		.block = variant->block,
		.exit_signal = SIGCHLD,
		.token = 0xfeedfacecafe0000ULL + variant->how,
	};
	self->t->queue = knell_open(0);
	ASSERT_LE(0, self->t->queue);
}

FIXTURE_TEARDOWN(cases)
{
	close(self->t->queue);
}

/* Neither reported nor waitable. */
static void see_life(struct __test_metadata *_metadata, struct target *t)
{
	int status;

	ASSERT_FALSE(waitable(t->pid, &status));
	ASSERT_TRUE(nothing_pending(t->queue));
	if (t->watch) {
		ASSERT_EQ(KNELL_PROCESS, watch_info(t->queue, t->watch).type);
		ASSERT_EQ(1, watch_state(t->queue, t->watch));
		ASSERT_EQ(t->pid, watch_info(t->queue, t->watch).pid);
	}
}

static void check_record(struct __test_metadata *_metadata, struct target *t,
			 const struct knell_event *ev, int status)
{
	EXPECT_EQ(KNELL_EV_EXIT, ev->type);
	EXPECT_EQ(0, ev->flags);
	EXPECT_NE(0, ev->watch);
	if (t->watch)
		EXPECT_EQ(t->watch, ev->watch);
	EXPECT_EQ(t->token, ev->token);
	EXPECT_LT(t->seq, ev->seq);
	EXPECT_EQ(t->pid, ev->exit.pid);
	/* With WNOWAIT 5.10 tells of the leader alone; reap() is asked, too. */
	if (!kernel_before(6, 1))
		EXPECT_EQ(status, ev->exit.status);
	EXPECT_EQ(getuid(), ev->exit.uid);
	EXPECT_EQ(0, ev->exit.members);
	EXPECT_LE(t->born[0], ev->exit.start_ns);
	EXPECT_GE(t->born[1], ev->exit.start_ns);
	EXPECT_LE(ev->exit.start_ns, ev->time_ns);
	EXPECT_GE(clock_ns(CLOCK_MONOTONIC), ev->time_ns);
	if (small_rss_is_known())
		EXPECT_LT(0, ev->exit.maxrss_kb);
	EXPECT_LT(0, ev->exit.minflt);
	EXPECT_EQ(0, ev->exit.killer_pid);
	EXPECT_EQ(0, ev->exit.killer_uid);
	EXPECT_EQ(0, ev->exit.reserved[0]);
	EXPECT_EQ(0, ev->exit.reserved[1]);
	t->seq = ev->seq;
}

/* Looks for the record and for the zombie in turn: each must come with the other. */
static int look_for_death(struct target *t, struct knell_event *ev)
{
	int n, status;

	for (;;) {
		n = pending_event(t->queue, ev);
		if (n)
			return n;
		if (waitable(t->pid, &status))
			return pending_event(t->queue, ev);
		sched_yield();
	}
}

/* The target is about to die: takes its record, checks it against wait(2). */
static void see_death_record(struct __test_metadata *_metadata, struct target *t,
			     struct knell_event *ev)
{
	int status;

	if (is_late(t)) {
		ASSERT_EQ(0, await_zombie(t->pid));
		ASSERT_TRUE(nothing_pending(t->queue));
		ASSERT_EQ(0, enrol(t));
		ASSERT_EQ(1, pending_event(t->queue, ev));
	} else if (t->block) {
		ASSERT_EQ((ssize_t)sizeof(*ev), read(t->queue, ev, sizeof(*ev)));
	} else {
		ASSERT_EQ(1, look_for_death(t, ev));
	}
	ASSERT_TRUE(waitable(t->pid, &status));
	check_record(_metadata, t, ev, status);
	ASSERT_TRUE(nothing_pending(t->queue));
}

static void see_death(struct __test_metadata *_metadata, struct target *t, int status)
{
	struct knell_event ev;

	see_death_record(_metadata, t, &ev);
	EXPECT_EQ(status, ev.exit.status);
	EXPECT_EQ(status, reap(t->pid));
	EXPECT_TRUE(nothing_pending(t->queue));
	EXPECT_EQ(0, nr_watches(t->queue));
	forget(t);
}

static void start(struct __test_metadata *_metadata, struct target *t,
		  void (*run)(struct target *t))
{
	t->run = run;
	ASSERT_EQ(0, spawn(t));
	see_life(_metadata, t);
}

static void run_exit(struct target *t)
{
	must_hear(t->go, 'g');
	_exit(3);
}

/* 1 */
TEST_F_TIMEOUT(cases, plain_exit, LIMIT)
{
	uint64_t released;
	struct knell_event ev;

	start(_metadata, self->t, run_exit);
	released = clock_ns(CLOCK_MONOTONIC);
	tell(self->t->go, 'g');
	see_death_record(_metadata, self->t, &ev);
	EXPECT_EQ(3 << 8, ev.exit.status);
	EXPECT_LE(released, ev.time_ns);
	EXPECT_EQ(3 << 8, reap(self->t->pid));
	EXPECT_TRUE(nothing_pending(self->t->queue));
	EXPECT_EQ(-ENOENT, del_watch(self->t->queue, ev.watch));
}

static void leave_thread(int code)
{
	syscall(SYS_exit, code);
}

static void *thread_exits_process(void *arg)
{
	struct target *t = arg;

	must_hear(t->go, 'g');
	_exit(42);
}

static void *thread_returns(void *arg)
{
	struct target *t = arg;

	must_hear(t->go, 'g');
	leave_thread(0);
	return NULL;
}

static void in_thread(void *(*fn)(void *arg), struct target *t)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, fn, t))
		_exit(BROKEN);
}

static void run_leader_leaves(struct target *t)
{
	in_thread(thread_exits_process, t);
	leave_thread(0);
}

/* 2 */
TEST_F_TIMEOUT(cases, leader_exits_before_exit_group, LIMIT)
{
	start(_metadata, self->t, run_leader_leaves);
	await_state(self->t->pid, 'Z');
	see_life(_metadata, self->t);
	tell(self->t->go, 'g');
	see_death(_metadata, self->t, 42 << 8);
}

static void run_leader_exits_5(struct target *t)
{
	in_thread(thread_returns, t);
	leave_thread(5);
}

/* 3: which of the two statuses it is, the kernel's own wait knows. */
TEST_F_TIMEOUT(cases, last_thread_returns, LIMIT)
{
	struct knell_event ev;
	int status;

	start(_metadata, self->t, run_leader_exits_5);
	await_state(self->t->pid, 'Z');
	see_life(_metadata, self->t);
	tell(self->t->go, 'g');
	see_death_record(_metadata, self->t, &ev);
	status = reap(self->t->pid);
	EXPECT_EQ(status, ev.exit.status);
	EXPECT_TRUE(status == 0 || status == 5 << 8);
	EXPECT_TRUE(nothing_pending(self->t->queue));
}

/* The new image says x, waits for g and exits; see main(). */
static void exec_self(struct target *t, int code)
{
	char go[16], said[16], exit_code[16];

	snprintf(go, sizeof(go), "%d", t->go[0]);
	snprintf(said, sizeof(said), "%d", t->said[1]);
	snprintf(exit_code, sizeof(exit_code), "%d", code);
	/* Not self: that is the leader, which may have left. */
	execl("/proc/thread-self/exe", "process_cases_test", "then-exit", exit_code, go, said,
	      NULL);
	_exit(BROKEN);
}

static void *thread_execs(void *arg)
{
	struct target *t = arg;

	must_hear(t->go, 'g');
	exec_self(t, 17);
	return NULL;
}

static void run_thread_execs(struct target *t)
{
	in_thread(thread_execs, t);
	for (;;)
		pause();
}

static void run_leader_leaves_thread_execs(struct target *t)
{
	in_thread(thread_execs, t);
	leave_thread(6);
}

/* Tells it to exec, sees that no exec looks like a death. */
static void see_exec(struct __test_metadata *_metadata, struct target *t)
{
	tell(t->go, 'g');
	ASSERT_EQ('x', hear(t->said));
	see_life(_metadata, t);
	tell(t->go, 'g');
}

/* 4 */
TEST_F_TIMEOUT(cases, exec_by_another_thread, LIMIT)
{
	start(_metadata, self->t, run_thread_execs);
	see_exec(_metadata, self->t);
	see_death(_metadata, self->t, 17 << 8);
}

/* 5 */
TEST_F_TIMEOUT(cases, exec_after_leader_left, LIMIT)
{
	start(_metadata, self->t, run_leader_leaves_thread_execs);
	await_state(self->t->pid, 'Z');
	see_life(_metadata, self->t);
	see_exec(_metadata, self->t);
	see_death(_metadata, self->t, 17 << 8);
}

static void *thread_pauses(void *arg)
{
	struct target *t = arg;

	tell(t->said, 't');
	for (;;)
		pause();
	return NULL;
}

static void run_three_threads(struct target *t)
{
	in_thread(thread_pauses, t);
	in_thread(thread_pauses, t);
	for (;;)
		pause();
}

/* 6 */
TEST_F_TIMEOUT(cases, sigkill_of_three_threads, LIMIT)
{
	start(_metadata, self->t, run_three_threads);
	ASSERT_EQ('t', hear(self->t->said));
	ASSERT_EQ('t', hear(self->t->said));
	see_life(_metadata, self->t);
	ASSERT_EQ(0, kill(self->t->pid, SIGKILL));
	see_death(_metadata, self->t, SIGKILL);
}

/* Nobody can wait for it: the record is all there is, and comes all the same. */
static void see_autoreaped(struct __test_metadata *_metadata, struct target *t)
{
	struct knell_event ev;

	if (is_late(t)) {
		await_gone(t->pid);
		ASSERT_EQ(-ESRCH, enrol(t));
		ASSERT_TRUE(nothing_pending(t->queue));
		ASSERT_EQ(0, nr_watches(t->queue));
		return;
	}
	ASSERT_EQ(1, next_event(t->queue, &ev));
	check_record(_metadata, t, &ev, 3 << 8);
	EXPECT_EQ(-ECHILD, reap(t->pid));
	EXPECT_TRUE(nothing_pending(t->queue));
	EXPECT_EQ(0, nr_watches(t->queue));
}

/* 7 */
TEST_F_TIMEOUT(cases, sigchld_ignored, LIMIT)
{
	catch_signal(SIGCHLD, SIG_IGN, 0);
	start(_metadata, self->t, run_exit);
	tell(self->t->go, 'g');
	see_autoreaped(_metadata, self->t);
}

TEST_F_TIMEOUT(cases, sa_nocldwait, LIMIT)
{
	catch_signal(SIGCHLD, SIG_DFL, SA_NOCLDWAIT);
	start(_metadata, self->t, run_exit);
	tell(self->t->go, 'g');
	see_autoreaped(_metadata, self->t);
}

struct tracer {
	pid_t pid;
	int go[2];
	int said[2];
};

/* Traces the target, sees it die, then waits for g; with @reaps it takes the zombie from the real
 * parent's sight first.
 */
static void run_tracer(struct tracer *tracer, pid_t target, bool reaps)
{
	siginfo_t si;

	if (ptrace(PTRACE_SEIZE, target, NULL, NULL))
		_exit(BROKEN);
	tell(tracer->said, 's');
	if (waitid(P_PID, target, &si, WEXITED | __WALL | (reaps ? 0 : WNOWAIT)))
		_exit(BROKEN);
	tell(tracer->said, 'z');
	must_hear(tracer->go, 'g');
	_exit(0);
}

static void start_tracer(struct __test_metadata *_metadata, struct tracer *tracer,
			 struct target *t, bool reaps)
{
	ASSERT_EQ(0, pipe(tracer->go));
	ASSERT_EQ(0, pipe(tracer->said));
	tracer->pid = fork();
	ASSERT_LE(0, tracer->pid);
	if (!tracer->pid)
		run_tracer(tracer, t->pid, reaps);
	ASSERT_EQ('s', hear(tracer->said));
}

/* The zombie belongs to the tracer for a while: silence for as long. */
static void see_held(struct __test_metadata *_metadata, struct target *t)
{
	uint64_t until = clock_ns(CLOCK_MONOTONIC) + HOLD_NS;
	int rounds = 0;

	ASSERT_EQ('Z', state_of(t->pid));
	do {
		see_life(_metadata, t);
		sched_yield();
	} while (clock_ns(CLOCK_MONOTONIC) < until || ++rounds < 10);
}

/* 8 */
TEST_F_TIMEOUT(cases, held_by_tracer_that_exits, LIMIT)
{
	struct tracer tracer;

	start(_metadata, self->t, run_exit);
	start_tracer(_metadata, &tracer, self->t, false);
	see_life(_metadata, self->t);
	tell(self->t->go, 'g');
	ASSERT_EQ('z', hear(tracer.said));
	see_held(_metadata, self->t);
	tell(tracer.go, 'g');
	see_death(_metadata, self->t, 3 << 8);
	EXPECT_EQ(0, reap(tracer.pid));
}

/* 8, with nobody to wait: the tracer's exit ends the zombie */
TEST_F_TIMEOUT(cases, held_by_tracer_autoreap, LIMIT)
{
	struct tracer tracer;

	catch_signal(SIGCHLD, SIG_DFL, SA_NOCLDWAIT);
	start(_metadata, self->t, run_exit);
	start_tracer(_metadata, &tracer, self->t, false);
	tell(self->t->go, 'g');
	ASSERT_EQ('z', hear(tracer.said));
	see_held(_metadata, self->t);
	tell(tracer.go, 'g');
	see_autoreaped(_metadata, self->t);
}

static void end_process(pid_t pid, int status, struct __test_metadata *_metadata)
{
	ASSERT_EQ(status, reap(pid));
}

/* 9: the parent dies before it has reaped; whoever inherits the zombie hears nothing again. */
TEST_F_TIMEOUT(cases, zombie_handed_to_subreaper, LIMIT)
{
	struct target *t = self->t;
	struct knell_event ev;
	pid_t parent;
	int status;

	ASSERT_EQ(0, prctl(PR_SET_CHILD_SUBREAPER, 1));
	parent = fork();
	ASSERT_LE(0, parent);
	if (!parent) {
		start(_metadata, t, run_exit);
		tell(t->go, 'g');
		see_death_record(_metadata, t, &ev);
		_exit(ev.exit.status == 3 << 8 && _metadata->passed ? 0 : BROKEN);
	}
	end_process(parent, 0, _metadata);
	ASSERT_TRUE(waitable(t->pid, &status));
	EXPECT_EQ(3 << 8, status);
	EXPECT_TRUE(nothing_pending(t->queue));
	EXPECT_EQ(3 << 8, reap(t->pid));
	EXPECT_TRUE(nothing_pending(t->queue));
	EXPECT_EQ(0, nr_watches(t->queue));
}

/* 9, the zombie's record still unread when its parent dies */
TEST_F_TIMEOUT(cases, unread_zombie_handed_to_subreaper, LIMIT)
{
	struct target *t = self->t;
	pid_t parent;

	ASSERT_EQ(0, prctl(PR_SET_CHILD_SUBREAPER, 1));
	parent = fork();
	ASSERT_LE(0, parent);
	if (!parent) {
		start(_metadata, t, run_exit);
		tell(t->go, 'g');
		if (await_zombie(t->pid))
			_exit(BROKEN);
		_exit(_metadata->passed ? 0 : BROKEN);
	}
	end_process(parent, 0, _metadata);
	/* The descriptor in *t was the dead parent's. */
	t->pidfd = pidfd_of(t->pid);
	ASSERT_LE(0, t->pidfd);
	see_death_record(_metadata, t, &(struct knell_event){ });
	EXPECT_EQ(3 << 8, reap(t->pid));
	EXPECT_TRUE(nothing_pending(t->queue));
	EXPECT_EQ(0, nr_watches(t->queue));
}

/* A living grandchild changes parents; its watch does not mind, nor that its adder is gone. */
TEST_F_TIMEOUT(cases, alive_handed_to_subreaper, LIMIT)
{
	struct target *t = self->t;
	int go[2];
	pid_t parent;

	ASSERT_EQ(0, prctl(PR_SET_CHILD_SUBREAPER, 1));
	ASSERT_EQ(0, pipe(go));
	ASSERT_EQ(0, open_pipes(t));
	parent = fork();
	ASSERT_LE(0, parent);
	if (!parent) {
		start(_metadata, t, run_exit);
		must_hear(go, 'g');
		_exit(_metadata->passed ? 0 : BROKEN);
	}
	tell(go, 'g');
	end_process(parent, 0, _metadata);
	see_life(_metadata, t);
	t->pidfd = pidfd_of(t->pid);
	ASSERT_LE(0, t->pidfd);
	tell(t->go, 'g');
	see_death(_metadata, t, 3 << 8);
}

/* 10 */
TEST_F_TIMEOUT(cases, stop_and_continue, LIMIT)
{
	struct target *t = self->t;
	int status;

	start(_metadata, t, run_exit);
	for (int i = 0; i < 3; i++) {
		ASSERT_EQ(0, kill(t->pid, SIGSTOP));
		ASSERT_EQ(t->pid, waitpid(t->pid, &status, WUNTRACED));
		ASSERT_TRUE(WIFSTOPPED(status));
		see_life(_metadata, t);
		ASSERT_EQ(0, kill(t->pid, SIGCONT));
		ASSERT_EQ(t->pid, waitpid(t->pid, &status, WCONTINUED));
		ASSERT_TRUE(WIFCONTINUED(status));
		see_life(_metadata, t);
	}
	tell(t->go, 'g');
	see_death(_metadata, t, 3 << 8);
}

/* 10, killed while it is stopped */
TEST_F_TIMEOUT(cases, killed_while_stopped, LIMIT)
{
	struct target *t = self->t;
	int status;

	start(_metadata, t, run_exit);
	ASSERT_EQ(0, kill(t->pid, SIGSTOP));
	ASSERT_EQ(t->pid, waitpid(t->pid, &status, WUNTRACED));
	see_life(_metadata, t);
	ASSERT_EQ(0, kill(t->pid, SIGKILL));
	see_death(_metadata, t, SIGKILL);
}

static char core_dir[] = "/tmp/core.XXXXXX";

static void run_dump_core(struct target *t)
{
	const struct rlimit unlimited = { RLIM_INFINITY, RLIM_INFINITY };

	must_hear(t->go, 'g');
	if (setrlimit(RLIMIT_CORE, &unlimited) || chdir(core_dir))
		_exit(BROKEN);
	signal(SIGSEGV, SIG_DFL);
	kill(getpid(), SIGSEGV);
	_exit(BROKEN);
}

static void read_file(struct __test_metadata *_metadata, const char *path, char *buf,
		      size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	ASSERT_LE(0, fd);
	n = read(fd, buf, size - 1);
	ASSERT_LE(0, n);
	buf[n] = 0;
	close(fd);
}

/* 11 */
TEST_F_TIMEOUT(cases, core_dumped, LIMIT)
{
	const char *sysctl = "/proc/sys/kernel/core_pattern";
	char pattern[256], core[64];

	mkdir("/tmp", 01777);
	ASSERT_NE(NULL, mkdtemp(core_dir));
	snprintf(core, sizeof(core), "%s/core", core_dir);
	read_file(_metadata, sysctl, pattern, sizeof(pattern));
	ASSERT_EQ(0, write_file(sysctl, core));
	start(_metadata, self->t, run_dump_core);
	tell(self->t->go, 'g');
	see_death(_metadata, self->t, SIGSEGV | 0x80);
	ASSERT_EQ(0, write_file(sysctl, pattern));
	EXPECT_EQ(0, unlink(core));
	EXPECT_EQ(0, rmdir(core_dir));
}

/* 12 */
TEST_F_TIMEOUT(cases, reaped_by_tracer_first, LIMIT)
{
	struct tracer tracer;

	start(_metadata, self->t, run_exit);
	start_tracer(_metadata, &tracer, self->t, true);
	see_life(_metadata, self->t);
	tell(self->t->go, 'g');
	see_death(_metadata, self->t, 3 << 8);
	ASSERT_EQ('z', hear(tracer.said));
	tell(tracer.go, 'g');
	EXPECT_EQ(0, reap(tracer.pid));
}

/* 12, with nobody left to wait after the tracer */
TEST_F_TIMEOUT(cases, reaped_by_tracer_autoreap, LIMIT)
{
	struct tracer tracer;

	catch_signal(SIGCHLD, SIG_DFL, SA_NOCLDWAIT);
	start(_metadata, self->t, run_exit);
	start_tracer(_metadata, &tracer, self->t, true);
	tell(self->t->go, 'g');
	ASSERT_EQ('z', hear(tracer.said));
	see_autoreaped(_metadata, self->t);
	tell(tracer.go, 'g');
}

/* 13 */
TEST_F_TIMEOUT(cases, no_exit_signal, LIMIT)
{
	self->t->exit_signal = 0;
	start(_metadata, self->t, run_exit);
	tell(self->t->go, 'g');
	see_death(_metadata, self->t, 3 << 8);
}

TEST_F_TIMEOUT(cases, other_exit_signal, LIMIT)
{
	catch_signal(SIGUSR1, SIG_IGN, 0);
	self->t->exit_signal = SIGUSR1;
	start(_metadata, self->t, run_exit);
	tell(self->t->go, 'g');
	see_death(_metadata, self->t, 3 << 8);
}

FIXTURE(process) {
	struct target t;
};

FIXTURE_SETUP(process)
{
	self->t = (struct target) { .exit_signal = SIGCHLD, .token = 7, .run = run_exit };
	self->t.queue = knell_open(0);
	ASSERT_LE(0, self->t.queue);
}

FIXTURE_TEARDOWN(process)
{
	close(self->t.queue);
}

/* 8, enrolled while the tracer has it */
TEST_F_TIMEOUT(process, held_by_tracer_at_add, LIMIT)
{
	static const enum how hows[] = { LATE_PID, LATE_PIDFD };
	struct tracer tracer;

	for (unsigned int i = 0; i < ARRAY_SIZE(hows); i++) {
		struct target t = self->t;

		t.how = hows[i];
		start(_metadata, &t, run_exit);
		start_tracer(_metadata, &tracer, &t, false);
		tell(t.go, 'g');
		ASSERT_EQ('z', hear(tracer.said));
		ASSERT_EQ(0, enrol(&t));
		t.how = BY_PID;		/* from here on like one enrolled early */
		see_held(_metadata, &t);
		ASSERT_EQ(0, kill(tracer.pid, SIGKILL));
		see_death(_metadata, &t, 3 << 8);
		EXPECT_EQ(SIGKILL, reap(tracer.pid));
	}
}

/* What @queue tells of the one that has died: whether its pid is @pid where the reader is. */
static int read_below(int queue, pid_t pid)
{
	struct knell_event ev;

	CHECK(next_event(queue, &ev) == 1);
	CHECK(ev.type == KNELL_EV_EXIT && ev.exit.status == 5 << 8);
	CHECK(ev.exit.pid == pid);
	return 0;
}

/* One of a namespace below: each who reads of it has his own number for it. */
TEST_F_TIMEOUT(process, of_a_pid_namespace_below, LIMIT)
{
	int queue[2] = { self->t.queue, knell_open(0) }, gate[2];
	struct knell_event ev;
	pid_t pid, reader;
	char c;

	ASSERT_EQ(0, pipe(gate));
	ASSERT_EQ(0, unshare(CLONE_NEWPID));
	/* The first of the namespace reads; the second is who dies. */
	reader = fork();
	ASSERT_LE(0, reader);
	if (!reader)
		_exit(read_below(queue[1], 2));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		close(gate[1]);
		_exit(read(gate[0], &c, 1) == 1 ? 5 : BROKEN);
	}
	for (int i = 0; i < 2; i++)
		ASSERT_LT(0, add_pid(queue[i], pid, i));
	ASSERT_EQ(1, write(gate[1], "g", 1));
	ASSERT_EQ(1, next_event(queue[0], &ev));
	EXPECT_EQ(pid, ev.exit.pid);
	EXPECT_EQ(5 << 8, ev.exit.status);
	/* In this order: the first of a namespace does not end before all others have. */
	EXPECT_EQ(5 << 8, reap(pid));
	EXPECT_EQ(0, reap(reader));
	close(queue[1]);
}

static pid_t clone_autoreap(void)
{
	struct clone_args args = { .flags = CLONE_AUTOREAP };

	return syscall(SYS_clone3, &args, sizeof(args));
}

/* 14 */
TEST_F_TIMEOUT(process, clone_autoreap, LIMIT)
{
	int go[2], major = 0, minor = 0;
	struct knell_event ev;
	struct utsname name;
	pid_t pid;

	ASSERT_EQ(0, uname(&name));
	ASSERT_EQ(2, sscanf(name.release, "%d.%d", &major, &minor));
	if (major < 7 || (major == 7 && minor < 1))
		SKIP(return, "CLONE_AUTOREAP came with 7.1, this is %s", name.release);
	ASSERT_EQ(0, pipe(go));
	pid = clone_autoreap();
	ASSERT_LE(0, pid);
	if (!pid) {
		must_hear(go, 'g');
		_exit(3);
	}
	ASSERT_LT(0, add_pid(self->t.queue, pid, 7));
	tell(go, 'g');
	ASSERT_EQ(1, next_event(self->t.queue, &ev));
	EXPECT_EQ(pid, ev.exit.pid);
	EXPECT_EQ(3 << 8, ev.exit.status);
	EXPECT_EQ(-ECHILD, reap(pid));
}

static void run_burn(struct target *t)
{
	pthread_t thread;

	must_hear(t->go, 'g');
	if (pthread_create(&thread, NULL, burn, NULL) || pthread_join(thread, NULL))
		_exit(BROKEN);
	_exit(3);
}

/*
 * What a dead thread used counts. The kernel may account for more switches, to
 * the last, after the record and before the wait; its CPU time it scales.
 */
TEST_F_TIMEOUT(process, usage_is_that_of_wait4, LIMIT)
{
	struct target *t = &self->t;
	struct knell_event ev;
	struct rusage ru;
	uint64_t used;
	int status;

	t->run = run_burn;
	ASSERT_EQ(0, spawn(t));
	tell(t->go, 'g');
	ASSERT_EQ(1, next_event(t->queue, &ev));
	ASSERT_EQ(t->pid, wait4(t->pid, &status, 0, &ru));
	EXPECT_EQ(3 << 8, status);
	check_record(_metadata, t, &ev, status);
	EXPECT_EQ((uint64_t)ru.ru_maxrss, ev.exit.maxrss_kb);
	EXPECT_LE(8192, ev.exit.maxrss_kb);
	EXPECT_EQ((uint32_t)ru.ru_minflt, ev.exit.minflt);
	EXPECT_LE(2048, ev.exit.minflt);
	EXPECT_EQ((uint32_t)ru.ru_majflt, ev.exit.majflt);
	EXPECT_GE((uint32_t)ru.ru_nvcsw, ev.exit.nvcsw);
	EXPECT_LE((uint32_t)ru.ru_nvcsw, ev.exit.nvcsw + 4);
	EXPECT_LT(0, ev.exit.nvcsw);
	EXPECT_GE((uint32_t)ru.ru_nivcsw, ev.exit.nivcsw);
	EXPECT_LE((uint32_t)ru.ru_nivcsw, ev.exit.nivcsw + 4);
	used = ev.exit.utime_ns + ev.exit.stime_ns;
	/* In ticks, some of which an emulated machine loses: 100 ms of work, but no floor. */
	EXPECT_LT(0, used);
	EXPECT_GE(2 * (clock_ns(CLOCK_MONOTONIC) - t->born[0]), used);
}

/* A target reports no children's usage: 8 MiB and 100 ms that its child used are not its own. */
static void run_child_burns(struct target *t)
{
	pid_t pid;

	must_hear(t->go, 'g');
	pid = fork();
	if (!pid) {
		burn(NULL);
		_exit(0);
	}
	if (reap(pid))
		_exit(BROKEN);
	_exit(3);
}

TEST_F_TIMEOUT(process, usage_is_without_children, LIMIT)
{
	struct target *t = &self->t;
	struct knell_event ev;
	struct rusage ru;

	t->run = run_child_burns;
	ASSERT_EQ(0, spawn(t));
	tell(t->go, 'g');
	ASSERT_EQ(1, next_event(t->queue, &ev));
	ASSERT_EQ(t->pid, wait4(t->pid, NULL, 0, &ru));
	EXPECT_EQ(3 << 8, ev.exit.status);
	EXPECT_LE(2048, ru.ru_minflt);
	EXPECT_GT(2048, ev.exit.minflt);
	EXPECT_LE(8192, ru.ru_maxrss);
	EXPECT_GT(8192, ev.exit.maxrss_kb);
}

/* The cgroup it died in, as version 2 numbers them: the inode of its directory. */
TEST_F_TIMEOUT(process, cgroup_id, LIMIT)
{
	char root[] = "/tmp/cgroup.XXXXXX", dir[64], procs[96], pid[16];
	struct target *t = &self->t;
	struct knell_event ev;
	struct stat st;

	mkdir("/tmp", 01777);
	ASSERT_NE(NULL, mkdtemp(root));
	ASSERT_EQ(0, mount("none", root, "cgroup2", 0, NULL));
	snprintf(dir, sizeof(dir), "%s/knell-selftest", root);
	ASSERT_EQ(0, mkdir(dir, 0755));
	ASSERT_EQ(0, stat(dir, &st));

	ASSERT_EQ(0, spawn(t));
	snprintf(procs, sizeof(procs), "%s/cgroup.procs", dir);
	snprintf(pid, sizeof(pid), "%d", t->pid);
	ASSERT_EQ(0, write_file(procs, pid));
	tell(t->go, 'g');
	ASSERT_EQ(1, next_event(t->queue, &ev));
	EXPECT_EQ((uint64_t)st.st_ino, ev.exit.cgroup_id);
	EXPECT_EQ(3 << 8, reap(t->pid));

	/* A zombie keeps its cgroup; with it reaped the directory can go. */
	EXPECT_EQ(0, rmdir(dir));
	EXPECT_EQ(0, umount(root));
	EXPECT_EQ(0, rmdir(root));
}

TEST_F_TIMEOUT(process, cgroup_id_of_the_root, LIMIT)
{
	char root[] = "/tmp/cgroup.XXXXXX";
	struct target *t = &self->t;
	struct knell_event ev;
	struct stat st;

	mkdir("/tmp", 01777);
	ASSERT_NE(NULL, mkdtemp(root));
	ASSERT_EQ(0, mount("none", root, "cgroup2", 0, NULL));
	ASSERT_EQ(0, stat(root, &st));
	ASSERT_EQ(0, spawn(t));
	tell(t->go, 'g');
	ASSERT_EQ(1, next_event(t->queue, &ev));
	EXPECT_EQ((uint64_t)st.st_ino, ev.exit.cgroup_id);
	EXPECT_EQ(3 << 8, reap(t->pid));
	EXPECT_EQ(0, umount(root));
	EXPECT_EQ(0, rmdir(root));
}

/* Inside a time namespace every time is that namespace's. */
TEST_F_TIMEOUT(process, times_of_the_namespace, LIMIT)
{
	struct target *t = &self->t;
	const uint64_t outside = clock_ns(CLOCK_MONOTONIC);
	struct knell_event ev;
	pid_t pid;

	ASSERT_EQ(0, unshare(CLONE_NEWTIME));
	ASSERT_EQ(0, write_file("/proc/self/timens_offsets", "monotonic 1000000 0"));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		ASSERT_LE(outside + 1000000 * NSEC_PER_SEC, clock_ns(CLOCK_MONOTONIC));
		ASSERT_EQ(0, spawn(t));
		tell(t->go, 'g');
		ASSERT_EQ(1, next_event(t->queue, &ev));
		check_record(_metadata, t, &ev, reap(t->pid));
		_exit(_metadata->passed ? 0 : BROKEN);
	}
	EXPECT_EQ(0, reap(pid));
}

/* A reader in a user namespace that has no name for the uid sees the overflow uid. */
TEST_F_TIMEOUT(process, uid_of_the_reader, LIMIT)
{
	struct target *t = &self->t;
	struct knell_event ev;
	pid_t pid;

	ASSERT_EQ(0, spawn(t));
	tell(t->go, 'g');
	ASSERT_EQ(0, await_zombie(t->pid));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		ASSERT_EQ(0, unshare(CLONE_NEWUSER));
		ASSERT_EQ(1, next_event(t->queue, &ev));
		ASSERT_EQ(65534, ev.exit.uid);
		ASSERT_EQ(3 << 8, ev.exit.status);
		_exit(0);
	}
	EXPECT_EQ(0, reap(pid));
}

/* seq ascends by one while nothing is DELed, over watches of any order. */
TEST_F_TIMEOUT(process, seq_ascends, LIMIT)
{
	struct target t[8];
	struct knell_event ev;
	uint64_t seq = 0;

	for (int i = 0; i < 8; i++) {
		t[i] = self->t;
		t[i].how = i % 4;
		t[i].token = i;
		ASSERT_EQ(0, spawn(&t[i]));
	}
	for (int i = 0; i < 8; i++) {
		tell(t[7 - i].go, 'g');
		ASSERT_EQ(0, await_zombie(t[7 - i].pid));
	}
	for (int i = 0; i < 8; i++) {
		ASSERT_EQ(1, pending_event(self->t.queue, &ev));
		EXPECT_EQ(7 - i, ev.token);
		EXPECT_EQ(t[7 - i].pid, ev.exit.pid);
		if (i)
			EXPECT_EQ(seq + 1, ev.seq);
		seq = ev.seq;
		EXPECT_EQ(3 << 8, reap(t[7 - i].pid));
	}
	EXPECT_TRUE(nothing_pending(self->t.queue));
}

/* Who may know the status: rights are those of the adder, whoever reads. */
struct right {
	struct who adder;
	struct who target;
	bool status;
};

#define CAP(x)	(1ULL << (x))

static const struct right rights[] = {
	{ { 0, 0, 0, ~0ULL }, { 0, 0, 0, ~0ULL }, true },
	{ { 0, 0, 0, ~0ULL }, { 1000, 1000, 1000, 0 }, true },
	{ { 0, 0, 0, ~0ULL }, { 1000, 0, 1001, 0 }, true },
	{ { 0, 0, 0, 0 }, { 0, 0, 0, ~0ULL }, true },
	{ { 0, 0, 0, 0 }, { 0, 0, 0, 0 }, true },
	{ { 0, 0, 0, 0 }, { 1000, 1000, 1000, 0 }, false },
	{ { 1000, 1000, 1000, 0 }, { 1000, 1000, 1000, 0 }, true },
	{ { 1000, 1000, 1000, 0 }, { 0, 1000, 1000, 0 }, false },
	{ { 1000, 1000, 1000, 0 }, { 1000, 0, 1000, 0 }, false },
	{ { 1000, 1000, 1000, 0 }, { 1000, 1000, 0, 0 }, false },
	{ { 1000, 1000, 1000, 0 }, { 1000, 1001, 1001, 0 }, false },
	{ { 1000, 1000, 1000, 0 }, { 0, 0, 0, 0 }, false },
	{ { 1000, 1000, 1000, 0 }, { 1001, 1001, 1001, 0 }, false },
	{ { 0, 1000, 0, 0 }, { 1000, 1000, 1000, 0 }, true },
	{ { 0, 1000, 0, 0 }, { 0, 0, 0, 0 }, false },
	{ { 1000, 0, 1000, 0 }, { 0, 0, 0, 0 }, true },
	{ { 1000, 0, 1000, 0 }, { 1000, 1000, 1000, 0 }, false },
	{ { 1000, 1000, 1000, CAP(CAP_SYS_PTRACE) }, { 0, 0, 0, ~0ULL }, true },
	{ { 1000, 1000, 1000, CAP(CAP_SYS_PTRACE) }, { 1000, 0, 1001, 0 }, true },
	{ { 1000, 1000, 1000, CAP(CAP_SYS_ADMIN) | CAP(CAP_KILL) }, { 0, 0, 0, 0 }, false },
};

/* The target takes its ids before the ADD, or between ADD and death: death is what counts. */
static void run_become(struct target *t)
{
	bool early = t->arg & 1;

	if (early)
		become(&rights[t->arg / 2].target);
	tell(t->said, 'b');
	must_hear(t->go, 'g');
	if (!early)
		become(&rights[t->arg / 2].target);
	_exit(3);
}

static int add_target(void *arg)
{
	struct target *t = arg;

	return enrol(t);
}

static void check_rights(struct __test_metadata *_metadata, struct target *t,
			 const struct knell_event *ev, bool status)
{
	EXPECT_EQ(status ? 0 : KNELL_EVF_NOSTATUS, ev->flags);
	EXPECT_EQ(status ? 3 << 8 : 0, ev->exit.status);
	if (!status || small_rss_is_known())
		EXPECT_EQ(status, ev->exit.maxrss_kb > 0);
	EXPECT_EQ(status, ev->exit.minflt > 0);
	if (!status)
		EXPECT_EQ(0, ev->exit.utime_ns | ev->exit.stime_ns | ev->exit.majflt |
			     ev->exit.nvcsw | ev->exit.nivcsw);
	EXPECT_EQ(t->token, ev->token);
	EXPECT_EQ(t->pid, ev->exit.pid);
}

TEST_F_TIMEOUT(process, right_to_the_status, LIMIT)
{
	for (unsigned int i = 0; i < 4 * ARRAY_SIZE(rights); i++) {
		const struct right *right = &rights[i / 4];
		struct target t = self->t;
		struct knell_event ev;

		t.how = i & 2 ? LATE_PIDFD : LATE_PID;
		t.arg = (i / 4) * 2 + (i & 1);
		t.token = i;
		t.run = run_become;
		ASSERT_EQ(0, spawn(&t));
		ASSERT_EQ('b', hear(t.said));
		ASSERT_EQ(0, as_who(&right->adder, add_target, &t));
		tell(t.go, 'g');
		ASSERT_EQ(1, next_event(t.queue, &ev));
		check_rights(_metadata, &t, &ev, right->status);
		EXPECT_EQ(right->target.ruid, ev.exit.uid);
		EXPECT_EQ(3 << 8, reap(t.pid));
		forget(&t);
		ASSERT_TRUE(_metadata->passed) {
			TH_LOG("in row %u, %s, by %s", i / 4, i & 1 ? "early" : "late",
			       i & 2 ? "pidfd" : "pid");
		}
	}
}

/* The same of a process that is dead at ADD. */
TEST_F_TIMEOUT(process, right_to_the_status_of_a_zombie, LIMIT)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(rights); i++) {
		struct target t = self->t;
		struct knell_event ev;

		t.how = i & 1 ? LATE_PIDFD : LATE_PID;
		t.arg = 2 * i + 1;
		t.run = run_become;
		ASSERT_EQ(0, spawn(&t));
		ASSERT_EQ('b', hear(t.said));
		tell(t.go, 'g');
		ASSERT_EQ(0, await_zombie(t.pid));
		ASSERT_EQ(0, as_who(&rights[i].adder, add_target, &t));
		ASSERT_EQ(1, pending_event(t.queue, &ev));
		check_rights(_metadata, &t, &ev, rights[i].status);
		EXPECT_EQ(3 << 8, reap(t.pid));
		forget(&t);
		ASSERT_TRUE(_metadata->passed) {
			TH_LOG("in row %u", i);
		}
	}
}

static void run_exec_setuid(struct target *t)
{
	char go[16], said[16];

	snprintf(go, sizeof(go), "%d", t->go[0]);
	snprintf(said, sizeof(said), "%d", t->said[1]);
	must_hear(t->go, 'g');
	execl("/tmp/knell-setuid", "process_cases_test", "then-exit", "3", go, said, NULL);
	_exit(BROKEN);
}

/* A child of 1000's that becomes setuid root on the way. */
static int own_setuid_child(void *arg)
{
	struct target *t = arg;
	int err = spawn(t);

	if (err)
		return err;
	tell(t->go, 'g');
	if (hear(t->said) != 'x')
		return -EPROTO;
	if (is_late(t)) {	/* here: added by one that is neither parent nor privileged */
		err = add_from_other(t->queue, t->pid, t->token);
		if (err)
			return err;
	}
	tell(t->go, 'g');
	return reap(t->pid);
}

/* A parent at ADD, or who enrolled it at birth, has the right whatever its child becomes. */
TEST_F_TIMEOUT(process, right_to_a_setuid_child, LIMIT)
{
	static const enum how hows[] = { BY_PID, BY_PIDFD, BY_NEXT, BY_SELF, LATE_PID };
	struct target *t = shared(sizeof(*t));
	struct knell_event ev;

	mkdir("/tmp", 01777);
	ASSERT_EQ(0, copy_file("/proc/self/exe", "/tmp/knell-setuid", 04755));
	for (unsigned int i = 0; i < ARRAY_SIZE(hows); i++) {
		*t = self->t;
		t->how = hows[i];
		t->run = run_exec_setuid;
		ASSERT_EQ(3 << 8, as_who(&user_1000, own_setuid_child, t));
		ASSERT_EQ(1, pending_event(t->queue, &ev));
		check_rights(_metadata, t, &ev, hows[i] != LATE_PID);
		EXPECT_EQ(1000, ev.exit.uid);
	}
	EXPECT_EQ(0, unlink("/tmp/knell-setuid"));
}

int main(int argc, char **argv)
{
	if (argc == 5 && !strcmp(argv[1], "then-exit")) {
		const int go[2] = { atoi(argv[3]), -1 }, said[2] = { -1, atoi(argv[4]) };

		tell(said, 'x');
		must_hear(go, 'g');
		return atoi(argv[2]);
	}
	return test_harness_run(argc, argv);
}
