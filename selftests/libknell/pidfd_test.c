// SPDX-License-Identifier: GPL-2.0-only
/*
 * What only the pidfd backend can meet: system calls that a sandbox refuses, no descriptor left
 * for another pidfd or timerfd, a child whose end a tracer sees first, and the time of day.
 * runner-limit: 600
 */
#include "common.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/ptrace.h>

#define PIDFD_FIXTURE(name, sort)						\
	FIXTURE(name) {								\
		struct knell_loop *l;						\
	};									\
	FIXTURE_VARIANT(name) {							\
		enum knell_backend backend;					\
	};									\
	FIXTURE_VARIANT_ADD(name, sort) {					\
		.backend = KNELL_BACKEND_PIDFD,					\
	};									\
	FRESH_LOOP(name)

PIDFD_FIXTURE(pidfd, pidfd);

static struct knell_child got;

static void note_child(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	(void)l;
	got = *call->child;
	counted++;
	if (arg)
		traced("%s", (const char *)arg);
}

/* From here on this process does not have system call @nr. */
static int refuse(int nr, int error)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { .len = 4, .filter = code };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -1;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog);
}

/* As many descriptors as are open now, and no more; returns what it was. */
static rlim_t no_more_fds(void)
{
	struct rlimit r;
	int fd = dup(0);
	rlim_t was;

	getrlimit(RLIMIT_NOFILE, &r);
	was = r.rlim_cur;
	r.rlim_cur = fd;
	close(fd);
	setrlimit(RLIMIT_NOFILE, &r);
	return was;
}

static void fds_again(rlim_t nr)
{
	struct rlimit r;

	getrlimit(RLIMIT_NOFILE, &r);
	r.rlim_cur = nr;
	setrlimit(RLIMIT_NOFILE, &r);
}

/*
 * Time
 */

static unsigned int early;

static void note_timer(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	(void)l;
	counted++;
	if (clock_ns(*(clockid_t *)arg) < call->timer.deadline_ns)
		early++;
}

static clockid_t clocks[] = { CLOCK_MONOTONIC, CLOCK_REALTIME, CLOCK_BOOTTIME };

/* @nr timers in the next 20 ms: all run, none early, and there is no pass for nothing. */
static bool timers_run(struct knell_loop *l, unsigned int nr, unsigned int nr_clocks)
{
	uint64_t seed = 0x2545f4914f6cdd1dULL, passes = stats_of(l).passes, due;
	clockid_t *clock;

	counted = early = 0;
	for (unsigned int i = 0; i < nr; i++) {
		clock = &clocks[i % nr_clocks];
		due = clock_ns(*clock) + next_random(&seed) % (20 * MSEC);
		if (knell_is_none(knell_add_timer_at(l, note_timer, clock, *clock, due)))
			return false;
	}
	if (knell_loop_run(l, KNELL_RUN_DEFAULT))
		return false;
	passes = stats_of(l).passes - passes;
	fprintf(stderr, "# %lu ran, %u early, %llu passes\n", counted, early,
		(unsigned long long)passes);
	return counted == nr && !early && passes <= 3 * nr + 10;
}

LOOP_TEST(pidfd, all_clocks)
{
	EXPECT_TRUE(timers_run(self->l, 90, 3));
}

LOOP_TEST(pidfd, no_epoll_pwait2)
{
	ASSERT_EQ(0, refuse(SYS_epoll_pwait2, ENOSYS));
	EXPECT_TRUE(timers_run(self->l, 90, 3));
	EXPECT_TRUE(timers_run(self->l, 90, 3));
}

LOOP_TEST(pidfd, epoll_pwait2_forbidden)
{
	ASSERT_EQ(0, refuse(SYS_epoll_pwait2, EPERM));
	EXPECT_TRUE(timers_run(self->l, 90, 1));
}

/* Nor a timerfd: milliseconds, rounded up. */
LOOP_TEST(pidfd, no_epoll_pwait2_no_timerfd)
{
	rlim_t was;

	ASSERT_EQ(0, refuse(SYS_epoll_pwait2, ENOSYS));
	was = no_more_fds();
	EXPECT_TRUE(timers_run(self->l, 30, 1));
	fds_again(was);
	EXPECT_TRUE(timers_run(self->l, 30, 1));
}

/* The other clocks need one each. Without it the loop looks itself, and does not spin. */
LOOP_TEST(pidfd, no_timerfd_for_another_clock)
{
	uint64_t due = clock_ns(CLOCK_REALTIME) + 20 * MSEC;
	rlim_t was = no_more_fds();

	ASSERT_TASK(knell_add_timer_at(self->l, note_timer, &clocks[1], CLOCK_REALTIME, due));
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_EQ(1, counted);
	EXPECT_EQ(0, early);
	EXPECT_GE(10, stats_of(self->l).passes);
	fds_again(was);
	EXPECT_TRUE(timers_run(self->l, 30, 3));
}

/*
 * Children
 */

LOOP_TEST(pidfd, no_descriptor_for_a_child)
{
	rlim_t was = no_more_fds();
	pid_t pid = exiting_child(3);

	/* Under valgrind none is needed. */
	if (syscall(SYS_pidfd_open, getpid(), 0) < 0 && errno != ENOSYS) {
		EXPECT_NO_TASK(EMFILE, knell_add_child(self->l, note_child, NULL, pid, 0));
		EXPECT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
		EXPECT_EQ(0, stats_of(self->l).tasks);
	}
	fds_again(was);
	ASSERT_TASK(knell_add_child(self->l, note_child, NULL, pid, KNELL_CHILD_AUTOREAP));
	EXPECT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_EQ(3, got.status);
	EXPECT_EQ(-ECHILD, child_status(pid));
}

static pid_t burning_child(void)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	burn(30 * MSEC);
	_exit(9);
}

LOOP_TEST(pidfd, usage)
{
	pid_t pid = burning_child();

	ASSERT_TASK(knell_add_child(self->l, note_child, NULL, pid, KNELL_CHILD_AUTOREAP));
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_EQ(KNELL_CHILDF_USAGE, got.flags);
	EXPECT_EQ(9, got.status);
	EXPECT_LE(20 * MSEC, got.utime_ns + got.stime_ns);
	EXPECT_LT(0, got.maxrss_kb);
	EXPECT_LT(0, got.minflt);
	EXPECT_EQ(getuid(), got.uid);
}

/* Runs until the next child has ended. */
static int run_to_end(struct knell_loop *l)
{
	unsigned long before = counted;

	while (counted == before)
		if (knell_loop_run(l, KNELL_RUN_ONCE) < 0)
			return -1;
	return 0;
}

LOOP_TEST(pidfd, no_pidfd)
{
	pid_t pid, other = idle_child();
	struct sigaction now;
	knell_task t, o;

	ASSERT_EQ(0, refuse(SYS_pidfd_open, ENOSYS));
	o = knell_add_child(self->l, note_child, "other", other, KNELL_CHILD_AUTOREAP);
	ASSERT_TASK(o);
	/* Dead already, not yet, and it stays a zombie without AUTOREAP. */
	pid = zombie(3);
	ASSERT_TASK(knell_add_child(self->l, note_child, "zombie", pid, KNELL_CHILD_AUTOREAP));
	ASSERT_EQ(0, run_to_end(self->l));
	EXPECT_EQ(pid, got.pid);
	EXPECT_EQ(3, got.status);
	EXPECT_EQ(-ECHILD, child_status(pid));
	pid = burning_child();
	t = knell_add_child(self->l, note_child, "child", pid, 0);
	ASSERT_TASK(t);
	EXPECT_EQ(0, knell_child_kill(self->l, t, 0));
	ASSERT_EQ(0, run_to_end(self->l));
	EXPECT_EQ(pid, got.pid);
	EXPECT_EQ(CLD_EXITED, got.code);
	EXPECT_EQ(KNELL_CHILDF_USAGE, got.flags);
	EXPECT_LE(20 * MSEC, got.utime_ns + got.stime_ns);
	EXPECT_EQ(9, child_status(pid));
	/* Killed; a zombie is beyond that. */
	EXPECT_EQ(0, knell_child_kill(self->l, o, SIGKILL));
	EXPECT_EQ(0, await_zombie(other));
	EXPECT_EQ(-ESRCH, knell_child_kill(self->l, o, SIGTERM));
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_EQ(CLD_KILLED, got.code);
	EXPECT_EQ(SIGKILL, got.status);
	EXPECT_EQ(-ECHILD, child_status(other));
	EXPECT_STREQ("zombie child other", trace);
	/* SIGCHLD is what it was. */
	ASSERT_EQ(0, sigaction(SIGCHLD, NULL, &now));
	EXPECT_TRUE(now.sa_handler == SIG_DFL);
}

LOOP_TEST(pidfd, no_pidfd_stolen_and_cancelled)
{
	int fds[2], status;
	knell_task t;
	pid_t pid;

	make_pipe(fds);
	fcntl(fds[0], F_SETFL, 0);
	ASSERT_EQ(0, refuse(SYS_pidfd_open, EPERM));
	pid = waiting_child(fds[0], 5);
	ASSERT_TASK(knell_add_child(self->l, note_child, NULL, pid, 0));
	ASSERT_EQ(1, run_passes(self->l, 2));
	ASSERT_EQ(1, write(fds[1], "x", 1));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_EQ(KNELL_CHILDF_NOSTATUS, got.flags);
	EXPECT_EQ(1, counted);
	/* Reaped though nobody is told. */
	pid = waiting_child(fds[0], 5);
	t = knell_add_child(self->l, note_child, NULL, pid, KNELL_CHILD_AUTOREAP);
	ASSERT_TASK(t);
	ASSERT_EQ(1, knell_cancel(self->l, t));
	ASSERT_TASK(knell_add_timer(self->l, cb_nothing, NULL, 3600));
	ASSERT_EQ(1, write(fds[1], "x", 1));
	while (is_zombie(pid) || !kill(pid, 0))
		ASSERT_EQ(1, knell_loop_run(self->l, KNELL_RUN_NOWAIT));
	EXPECT_EQ(1, counted);
	close(fds[0]);
	close(fds[1]);
}

LOOP_TEST(pidfd, no_pidfd_for_others)
{
	pid_t pid = exiting_child(0);

	ASSERT_EQ(0, child_status(pid));
	ASSERT_EQ(0, refuse(SYS_pidfd_open, ENOSYS));
	EXPECT_NO_TASK(ESRCH, knell_add_child(self->l, note_child, NULL, pid, 0));
	EXPECT_NO_TASK(EOPNOTSUPP, knell_add_child(self->l, note_child, NULL, getppid(), 0));
	EXPECT_EQ(0, stats_of(self->l).tasks);
}

/* A tracer that has not looked yet hides a zombie from its parent. */
static int trace_until(pid_t pid, int fd, int said)
{
	char c;

	if (ptrace(PTRACE_SEIZE, pid, 0, 0))
		return 1;
	if (write(said, "x", 1) != 1 || read(fd, &c, 1) != 1)
		return 2;
	return waitpid(pid, NULL, __WALL) == pid ? 0 : 3;
}

LOOP_TEST(pidfd, traced)
{
	int go[2], said[2];
	pid_t pid = idle_child(), tracer;
	uint64_t passes;
	char c;

	ASSERT_EQ(0, pipe(go));
	ASSERT_EQ(0, pipe(said));
	tracer = fork();
	ASSERT_LE(0, tracer);
	if (!tracer)
		_exit(trace_until(pid, go[0], said[1]));
	close(said[1]);
	ASSERT_EQ(1, read(said[0], &c, 1));
	ASSERT_TASK(knell_add_child(self->l, note_child, NULL, pid, KNELL_CHILD_AUTOREAP));
	ASSERT_EQ(0, kill(pid, SIGKILL));
	/* It can be read and there is nothing to wait for: neither an end nor a reason to spin. */
	passes = stats_of(self->l).passes;
	ASSERT_TASK(knell_add_timer_ms(self->l, cb_stop, NULL, 200));
	ASSERT_EQ(1, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_EQ(0, counted);
	EXPECT_GE(10, stats_of(self->l).passes - passes);
	ASSERT_EQ(1, write(go[1], "x", 1));
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_EQ(1, counted);
	EXPECT_EQ(CLD_KILLED, got.code);
	EXPECT_EQ(SIGKILL, got.status);
	EXPECT_EQ(0, child_status(tracer));
	EXPECT_EQ(-ECHILD, child_status(pid));
	close(go[0]);
	close(go[1]);
	close(said[0]);
}

/*
 * The time of day: only where the machine is the test's own, so "-b pidfd" leaves it out.
 */

PIDFD_FIXTURE(time_of_day, guest);

static void set_clock(uint64_t to)
{
	const struct timespec ts = { .tv_sec = to / SEC, .tv_nsec = to % SEC };

	clock_settime(CLOCK_REALTIME, &ts);
}

static void set_forward(void *arg)
{
	set_clock(clock_ns(CLOCK_REALTIME) + *(uint64_t *)arg);
}

LOOP_TEST(time_of_day, is_set_forward)
{
	uint64_t now = clock_ns(CLOCK_REALTIME), mono = now_ns(), by = 25 * HOUR;
	struct meanwhile m;

	ASSERT_TASK(knell_add_timer_at(self->l, note_timer, &clocks[1], CLOCK_REALTIME,
				       now + 24 * HOUR));
	meanwhile(&m, set_forward, &by);
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	meanwhile_done(&m);
	EXPECT_EQ(1, counted);
	EXPECT_EQ(0, early);
	set_clock(now + (now_ns() - mono));
}

static void put_back(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	(void)l;
	(void)call;
	set_clock(clock_ns(CLOCK_REALTIME) - *(uint64_t *)arg);
}

LOOP_TEST(time_of_day, is_put_back)
{
	uint64_t due = clock_ns(CLOCK_REALTIME) + 200 * MSEC, by = 300 * MSEC, mono = now_ns();

	ASSERT_TASK(knell_add_timer_at(self->l, note_timer, &clocks[1], CLOCK_REALTIME, due));
	ASSERT_TASK(knell_add_timer_ms(self->l, put_back, &by, 100));
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_EQ(1, counted);
	EXPECT_EQ(0, early);
	EXPECT_LE(490 * MSEC, now_ns() - mono);
	set_clock(clock_ns(CLOCK_REALTIME) + by);
}

LIBKNELL_MAIN
