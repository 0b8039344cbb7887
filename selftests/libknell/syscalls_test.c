// SPDX-License-Identifier: GPL-2.0-only
/*
 * How many system calls a turn takes, counted by a tracer. runner-limit: 900
 *
 * Reading the clock is left out: it is none where the machine's clock can be read from user space,
 * and whether it can is the machine's affair.
 */
#include "common.h"

#include <sys/mman.h>
#include <sys/ptrace.h>

#include "../old_calls.h"

#define BEGIN	0x6b6e01
#define END	0x6b6e02

/* What the traced process reports. */
struct report {
	uint64_t counted_by_library;
	uint64_t passes, sleeps;
	int wrong;
};

FIXTURE(syscalls) {
	struct report *report;
	unsigned long nr[512];	/* by number */
	unsigned long all;
	pid_t pid;
	bool between;
	void (*meanwhile)(void *self);	/* once, when it sleeps between the marks */
};

BACKEND_VARIANTS(syscalls);

FIXTURE_SETUP(syscalls)
{
	self->report = mmap(NULL, sizeof(*self->report), PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->report);
}

FIXTURE_TEARDOWN(syscalls)
{
	munmap(self->report, sizeof(*self->report));
}

/* In the traced process. */

static struct knell_stats at_begin;

static void mark_begin(struct knell_loop *l)
{
	at_begin = stats_of(l);
	syscall(SYS_getpgid, BEGIN);
}

static void mark_end(struct knell_loop *l, struct report *r)
{
	struct knell_stats s;

	syscall(SYS_getpgid, END);
	s = stats_of(l);
	r->counted_by_library = s.syscalls - at_begin.syscalls;
	r->passes = s.passes - at_begin.passes;
	r->sleeps = s.sleeps - at_begin.sleeps;
}

static struct knell_loop *quiet_loop(enum knell_backend backend)
{
	const struct knell_loop_attr attr = { .backend = backend, .flags = KNELL_LOOP_NO_CPU };
	struct knell_loop *l = knell_loop_new(&attr);

	if (!l)
		exit(3);
	return l;
}

/* In the tracer. */

static void one_call(FIXTURE_DATA(syscalls) *self)
{
	struct __ptrace_syscall_info info;
	uint64_t nr;

	if (ptrace(PTRACE_GET_SYSCALL_INFO, self->pid, sizeof(info), &info) < 0)
		return;
	if (info.op != PTRACE_SYSCALL_INFO_ENTRY)
		return;
	nr = info.entry.nr;
	if (nr == SYS_getpgid && info.entry.args[0] == BEGIN) {
		self->between = true;
	} else if (nr == SYS_getpgid && info.entry.args[0] == END) {
		self->between = false;
	} else if (self->between && nr != SYS_clock_gettime && nr < 512) {
		self->nr[nr]++;
		self->all++;
	}
}

/* Its next stop, or end. While it sleeps between the marks something may be done, once. */
static bool next_stop(FIXTURE_DATA(syscalls) *self, int *status)
{
	int asleep = 0;
	pid_t pid;

	while (self->between && self->meanwhile) {
		pid = waitpid(self->pid, status, __WALL | WNOHANG);
		if (pid)
			return pid == self->pid;
		asleep = is_asleep(self->pid, self->pid) ? asleep + 1 : 0;
		if (asleep < 3) {
			sleep_ns(MSEC);
			continue;
		}
		self->meanwhile(self);
		self->meanwhile = NULL;
	}
	return waitpid(self->pid, status, __WALL) == self->pid;
}

/* Runs @fn in a process that is traced to its end; its exit status. */
static int trace_it(FIXTURE_DATA(syscalls) *self, enum knell_backend backend,
		    void (*fn)(enum knell_backend backend, struct report *r))
{
	int status;

	memset(self->nr, 0, sizeof(self->nr));
	self->all = 0;
	self->between = false;
	self->pid = fork();
	if (!self->pid) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		fn(backend, self->report);
		_exit(self->report->wrong);
	}
	if (waitpid(self->pid, &status, 0) != self->pid || !WIFSTOPPED(status))
		return -1;
	ptrace(PTRACE_SETOPTIONS, self->pid, NULL, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);
	for (int sig = 0;;) {
		if (ptrace(PTRACE_SYSCALL, self->pid, NULL, sig))
			return -1;
		if (!next_stop(self, &status))
			return -1;
		if (!WIFSTOPPED(status))
			return WIFEXITED(status) ? WEXITSTATUS(status) : 256 + status;
		sig = WSTOPSIG(status);
		if (sig == (SIGTRAP | 0x80)) {
			one_call(self);
			sig = 0;
		} else if (sig == SIGTRAP || sig == SIGSTOP) {
			sig = 0;
		}
	}
}

/* A turn for each of so many timers: asleep, woken, run. */
enum { TURNS = 200 };

/* Long beside what a turn takes, with a tracer in an emulator, too. */
#define TURN_NS		(10 * MSEC)

static void next_timer(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	unsigned int *left = arg;

	(void)call;
	if (--*left)
		knell_add_timer_ns(l, next_timer, arg, TURN_NS);
}

static void timer_turns(enum knell_backend backend, struct report *r)
{
	struct knell_loop *l = quiet_loop(backend);

	for (int warm = 1; warm >= 0; warm--) {
		unsigned int left = TURNS;

		if (!warm)
			mark_begin(l);
		knell_add_timer_ns(l, next_timer, &left, TURN_NS);
		r->wrong |= knell_loop_run(l, KNELL_RUN_DEFAULT) != 0 || left;
	}
	mark_end(l, r);
	knell_loop_free(l);
}

/* T-24 again: one call for each sleep, however short, and nothing else. */
TEST_F_TIMEOUT(syscalls, t24_timers, LIMIT)
{
	ASSERT_EQ(0, trace_it(self, variant->backend, timer_turns));
	EXPECT_EQ(self->all, self->report->counted_by_library);
	/* What is due before the loop looks for it needs no sleep. */
	EXPECT_LT(0, self->report->sleeps);
	EXPECT_GE(self->report->sleeps + 2, self->all);
	EXPECT_GE(TURNS + 2, self->all);
	if (KERNEL) {
		EXPECT_EQ(self->all, self->nr[SYS_ioctl] + self->nr[SYS_read]);
	} else {
		/* epoll_pwait2(2) is of Linux 5.11: else a timerfd is set, too. */
		EXPECT_EQ(self->all, self->nr[441] + self->nr[SYS_epoll_wait]);
	}
}

/* A descriptor that is waited for anew in each turn. */
static void next_read(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	unsigned int *left = arg;

	if (--*left)
		knell_add_read(l, next_read, arg, call->io.fd);
}

static void read_turns(enum knell_backend backend, struct report *r)
{
	struct knell_loop *l = quiet_loop(backend);
	int fd = readable_fd();

	for (int warm = 1; warm >= 0; warm--) {
		unsigned int left = TURNS;

		if (!warm)
			mark_begin(l);
		knell_add_read(l, next_read, &left, fd);
		r->wrong |= knell_loop_run(l, KNELL_RUN_DEFAULT) != 0 || left;
	}
	mark_end(l, r);
	knell_loop_free(l);
}

TEST_F_TIMEOUT(syscalls, descriptors, LIMIT)
{
	ASSERT_EQ(0, trace_it(self, variant->backend, read_turns));
	EXPECT_EQ(self->all, self->report->counted_by_library);
	if (KERNEL) {
		/* The change goes with the wait. */
		EXPECT_GE(TURNS + 2, self->all);
		EXPECT_EQ(self->all, self->nr[SYS_ioctl] + self->nr[SYS_read]);
	} else {
		EXPECT_GE(2 * TURNS + 4, self->all);
	}
	EXPECT_LE(TURNS, self->all);
}

/* Events need no kernel at all. */
static void next_event(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	unsigned int *left = arg;

	(void)call;
	if (--*left)
		knell_add_event(l, next_event, arg, 0);
}

static void event_turns(enum knell_backend backend, struct report *r)
{
	struct knell_loop *l = quiet_loop(backend);

	for (int warm = 1; warm >= 0; warm--) {
		unsigned int left = 10 * TURNS;

		if (!warm)
			mark_begin(l);
		knell_add_event(l, next_event, &left, 0);
		r->wrong |= knell_loop_run(l, KNELL_RUN_DEFAULT) != 0 || left;
	}
	mark_end(l, r);
	knell_loop_free(l);
}

TEST_F_TIMEOUT(syscalls, events_need_none, LIMIT)
{
	ASSERT_EQ(0, trace_it(self, variant->backend, event_turns));
	EXPECT_EQ(0, self->all);
	EXPECT_EQ(0, self->report->counted_by_library);
	EXPECT_LE(10 * TURNS, self->report->passes);
}

/* Children that are dead already, by batches. */
enum { DEAD = 64 };

static void exit_turns(enum knell_backend backend, struct report *r)
{
	struct knell_loop *l = quiet_loop(backend);

	for (int warm = 1; warm >= 0; warm--) {
		for (int i = 0; i < DEAD; i++)
			knell_add_child(l, cb_count, NULL, zombie(0), 0);
		counted = 0;
		if (!warm)
			mark_begin(l);
		r->wrong |= knell_loop_run(l, KNELL_RUN_DEFAULT) != 0 || counted != DEAD;
	}
	mark_end(l, r);
	while (waitpid(-1, NULL, 0) > 0)
		;
	knell_loop_free(l);
}

TEST_F_TIMEOUT(syscalls, exits, LIMIT)
{
	ASSERT_EQ(0, trace_it(self, variant->backend, exit_turns));
	EXPECT_EQ(self->all, self->report->counted_by_library);
	if (KERNEL) {
		EXPECT_GE(4, self->all);
		EXPECT_EQ(self->all, self->nr[SYS_ioctl] + self->nr[SYS_read]);
	} else {
		EXPECT_GE(4 * DEAD, self->all);
	}
	EXPECT_LE(1, self->all);
}

/* The same without tasks of their own, where nobody else wants the zombies. */
static void orphan_turns(enum knell_backend backend, struct report *r)
{
	struct knell_loop *l = quiet_loop(backend);

	knell_add_children(l, cb_count, NULL, KNELL_CHILD_AUTOREAP);
	for (int warm = 1; warm >= 0; warm--) {
		for (int i = 0; i < DEAD; i++)
			zombie(0);
		counted = 0;
		if (!warm)
			mark_begin(l);
		while (counted < DEAD)
			r->wrong |= knell_loop_run(l, KNELL_RUN_ONCE) != 1;
	}
	mark_end(l, r);
	r->wrong |= waitpid(-1, NULL, WNOHANG) != -1 || errno != ECHILD;
	knell_loop_free(l);
}

TEST_F_TIMEOUT(syscalls, exits_without_tasks, LIMIT)
{
	ASSERT_EQ(0, trace_it(self, variant->backend, orphan_turns));
	EXPECT_EQ(self->all, self->report->counted_by_library);
	EXPECT_LE(DEAD, self->nr[SYS_waitid]);
	EXPECT_GE(DEAD + 1, self->nr[SYS_waitid]);
	EXPECT_GE(DEAD + 6, self->all);
}

/* While nothing happens nothing is done; and that it lives shows when something does. */
enum { IDLE = 20 };

static void idle_turn(enum knell_backend backend, struct report *r)
{
	struct knell_loop *l = quiet_loop(backend);
	pid_t pids[IDLE];
	int fd = eventfd(0, EFD_CLOEXEC);

	for (int i = 0; i < IDLE; i++) {
		pids[i] = idle_child();
		knell_add_child(l, cb_nothing, NULL, pids[i], 0);
	}
	knell_add_timer(l, cb_nothing, NULL, 3600);
	knell_add_read(l, cb_nothing, NULL, fd);
	knell_add_signal(l, cb_stop, NULL, SIGUSR1);
	run_passes(l, 3);
	mark_begin(l);
	r->wrong |= knell_loop_run(l, KNELL_RUN_DEFAULT) != 1;
	mark_end(l, r);
	for (int i = 0; i < IDLE; i++) {
		kill(pids[i], SIGKILL);
		child_status(pids[i]);
	}
	knell_loop_free(l);
}

static void let_time_pass_and_signal(void *arg)
{
	FIXTURE_DATA(syscalls) *self = arg;

	/* Time in which to do nothing: a loop that polls would be counted. */
	sleep_ns(300 * MSEC);
	kill(self->pid, SIGUSR1);
}

TEST_F_TIMEOUT(syscalls, idle_makes_none, LIMIT)
{
	self->meanwhile = let_time_pass_and_signal;
	ASSERT_EQ(0, trace_it(self, variant->backend, idle_turn));
	EXPECT_EQ(NULL, self->meanwhile);
	/* To sleep; what the signal's handler and the second look take, if anything. */
	EXPECT_LE(1, self->all);
	EXPECT_GE(5, self->all);
}

LIBKNELL_MAIN
