// SPDX-License-Identifier: GPL-2.0-only
/* TIMER watches of clocks that are stepped, and of time namespaces. runner-limit: 900 */
#include "kselftest_harness.h"

#include "timer_test.h"

/* The steps that the real-time clock is made to take are taken back at the end. */
FIXTURE(clock_step) {
	int fd;
	uint64_t offset;
};

static int set_real(uint64_t ns)
{
	const struct timespec ts = { .tv_sec = ns / NSEC_PER_SEC, .tv_nsec = ns % NSEC_PER_SEC };

	return clock_settime(CLOCK_REALTIME, &ts);
}

static int step_real(int64_t by)
{
	return set_real(clock_ns(CLOCK_REALTIME) + by);
}

FIXTURE_SETUP(clock_step)
{
	self->fd = knell_open(O_NONBLOCK);
	ASSERT_LE(0, self->fd);
	self->offset = clock_offset(CLOCK_REALTIME);
}

FIXTURE_TEARDOWN(clock_step)
{
	set_real(now() + self->offset);
	close(self->fd);
}

TEST_F_TIMEOUT(clock_step, forward_fires_absolute, LIMIT)
{
	struct knell_event ev;
	uint64_t due = clock_ns(CLOCK_REALTIME) + HOUR_NS;

	ASSERT_LT(0, add_watch(self->fd, op_timer(CLOCK_REALTIME, KNELL_OPF_ABS, due, 0, 1)));
	/* Those that do not follow that clock stay. */
	ASSERT_LT(0, add_watch(self->fd, op_timer(CLOCK_REALTIME, 0, HOUR_NS, 0, 2)));
	ASSERT_LT(0, add_watch(self->fd, op_timer(CLOCK_MONOTONIC, 0, HOUR_NS, 0, 3)));
	ASSERT_LT(0, add_watch(self->fd, op_timer(CLOCK_BOOTTIME, 0, HOUR_NS, 0, 4)));
	ASSERT_EQ(0, take(self->fd, &ev));

	ASSERT_EQ(0, step_real(2 * HOUR_NS));
	ASSERT_EQ(1, wait_event(self->fd, &ev));
	EXPECT_EQ(1, ev.token);
	EXPECT_EQ(due, ev.timer.due_ns);
	EXPECT_EQ(1, ev.timer.expirations);
	EXPECT_EQ(0, wait_events(self->fd, &ev, 1, now() + 50 * NSEC_PER_MSEC));
}

TEST_F_TIMEOUT(clock_step, backward_is_not_early, LIMIT)
{
	uint64_t due = clock_ns(CLOCK_REALTIME) + 60 * NSEC_PER_SEC, offset;
	struct knell_event ev;

	ASSERT_LT(0, add_watch(self->fd, op_timer(CLOCK_REALTIME, KNELL_OPF_ABS, due, 0, 1)));
	ASSERT_EQ(0, step_real(-(int64_t)HOUR_NS));
	EXPECT_EQ(0, wait_events(self->fd, &ev, 1, now() + 50 * NSEC_PER_MSEC));
	ASSERT_EQ(0, set_real(due - 300 * NSEC_PER_MSEC));
	offset = clock_offset(CLOCK_REALTIME);
	ASSERT_EQ(1, wait_event(self->fd, &ev));
	EXPECT_LE(due, clock_ns(CLOCK_REALTIME));
	EXPECT_LE(due, ev.time_ns + offset);
	EXPECT_EQ(due, ev.timer.due_ns);
}

TEST_F_TIMEOUT(clock_step, relative_is_unaffected, LIMIT)
{
	const int64_t steps[] = { HOUR_NS, -(int64_t)HOUR_NS };
	const uint64_t delay = 500 * NSEC_PER_MSEC;
	struct knell_event ev;
	uint64_t before;
	int i;

	for (i = 0; i < 2; i++) {
		before = now();
		ASSERT_LT(0, add_watch(self->fd, op_timer(CLOCK_REALTIME, KNELL_OPF_ONESHOT, delay,
							  0, i)));
		ASSERT_EQ(0, step_real(steps[i]));
		ASSERT_EQ(1, wait_event(self->fd, &ev));
		EXPECT_EQ(i, ev.token);
		EXPECT_LE(before + delay, ev.time_ns);
		EXPECT_LE(before + delay, now());
		EXPECT_EQ(1, ev.timer.expirations);
	}
}

TEST_F_TIMEOUT(clock_step, period_counts_the_step, LIMIT)
{
	const uint64_t interval = 600 * NSEC_PER_SEC;
	uint64_t first = clock_ns(CLOCK_REALTIME) + interval / 2;
	struct knell_event ev;
	int64_t watch;

	watch = add_watch(self->fd, op_timer(CLOCK_REALTIME, KNELL_OPF_ABS, first, interval, 1));
	ASSERT_LT(0, watch);
	/* An hour is six of them: first, and five more. */
	ASSERT_EQ(0, step_real(HOUR_NS));
	ASSERT_EQ(1, wait_event(self->fd, &ev));
	EXPECT_EQ(6, ev.timer.expirations);
	EXPECT_EQ(first, ev.timer.due_ns);
	EXPECT_EQ(first + 6 * interval, watch_info(self->fd, watch).value);

	/* Back by an hour: none of the hours that come again is told again. */
	ASSERT_EQ(0, step_real(-(int64_t)HOUR_NS));
	EXPECT_EQ(0, wait_events(self->fd, &ev, 1, now() + 50 * NSEC_PER_MSEC));
	ASSERT_EQ(0, set_real(first + 6 * interval));
	ASSERT_EQ(1, wait_event(self->fd, &ev));
	EXPECT_EQ(1, ev.timer.expirations);
	EXPECT_EQ(first + 6 * interval, ev.timer.due_ns);
}

#define MONOTONIC_SHIFT		(1000000 * NSEC_PER_SEC)
#define BOOTTIME_SHIFT		(2000000 * NSEC_PER_SEC)

QUEUE_FIXTURE(time_namespace)

/* In a new time namespace from the next fork on; 0 or -errno. */
static int shift_clocks(const char *offsets)
{
	ssize_t n;
	int fd;

	if (unshare(CLONE_NEWTIME))
		return -errno;
	fd = open("/proc/self/timens_offsets", O_WRONLY);
	if (fd < 0)
		return -errno;
	n = write(fd, offsets, strlen(offsets));
	close(fd);
	return n == (ssize_t)strlen(offsets) ? 0 : -EIO;
}

static int check_shifted_timers(int fd)
{
	uint64_t before, due, mono;
	struct knell_event ev;
	int64_t watch;
	int c;

	for (c = 0; c < 3; c++) {
		mono = now();
		due = clock_ns(clocks[c]) + 20 * NSEC_PER_MSEC;
		watch = add_watch(fd, op_timer(clocks[c], KNELL_OPF_ABS, due, 0, c));
		CHECK(watch > 0);
		CHECK(watch_info(fd, watch).value == due);
		CHECK(wait_event(fd, &ev) == 1);
		CHECK(clock_ns(clocks[c]) >= due);
		CHECK(ev.timer.due_ns == due);
		CHECK(ev.time_ns >= mono + 20 * NSEC_PER_MSEC);
		CHECK(ev.time_ns <= now());

		before = clock_ns(clocks[c]);
		watch = add_watch(fd, op_timer(clocks[c], 0, NSEC_PER_MSEC, 0, c));
		CHECK(watch > 0);
		due = clock_ns(clocks[c]) + NSEC_PER_MSEC;
		CHECK(wait_event(fd, &ev) == 1);
		CHECK(ev.timer.due_ns >= before + NSEC_PER_MSEC);
		CHECK(ev.timer.due_ns <= due);

		/* Before the clocks of the world outside began: long past, at once. */
		watch = add_watch(fd, op_timer(clocks[c], KNELL_OPF_ABS, 1, 0, c));
		CHECK(watch > 0);
		CHECK(wait_event(fd, &ev) == 1);
		CHECK(ev.timer.due_ns == 1);
		watch = add_watch(fd, op_timer(clocks[c], KNELL_OPF_ABS, S64_MAX, 0, c));
		CHECK(watch > 0);
		CHECK(watch_info(fd, watch).value == S64_MAX);
	}
	CHECK(wait_events(fd, &ev, 1, now() + 20 * NSEC_PER_MSEC) == 0);
	return 0;
}

/* A grid that begins before the world outside did: all its points count. */
static int check_shifted_grid(int fd)
{
	const uint64_t first = 500000 * NSEC_PER_SEC, interval = HOUR_NS;
	struct knell_event ev;
	uint64_t want;
	int64_t watch;

	want = (now() - first) / interval + 1;
	watch = add_watch(fd, op_timer(CLOCK_MONOTONIC, KNELL_OPF_ABS, first, interval, 1));
	CHECK(watch > 0);
	CHECK(wait_event(fd, &ev) == 1);
	CHECK(ev.timer.due_ns == first);
	CHECK(ev.timer.expirations == want);
	CHECK(watch_info(fd, watch).value == first + want * interval);
	CHECK(del_watch(fd, watch) == 0);
	return 0;
}

static int check_shifted_deadline(int fd)
{
	uint64_t deadline = now() + 50 * NSEC_PER_MSEC;
	struct knell_event ev;

	/* Taken for a time outside it would be days ahead. */
	CHECK(wait_events(fd, &ev, 1, deadline) == 0);
	CHECK(now() >= deadline);
	return 0;
}

/* Clocks that are behind those of the world outside, by no more than these have run. */
static int check_clocks_behind(int fd)
{
	struct knell_event ev;
	uint64_t due;
	int64_t watch;

	for (int c = 0; c < 2; c++) {
		due = clock_ns(c ? CLOCK_BOOTTIME : CLOCK_MONOTONIC) + 20 * NSEC_PER_MSEC;
		watch = add_watch(fd, op_timer(c ? CLOCK_BOOTTIME : CLOCK_MONOTONIC, KNELL_OPF_ABS, due, 0, c));
		CHECK(watch > 0);
		CHECK(watch_info(fd, watch).value == due);
		CHECK(wait_event(fd, &ev) == 1);
		CHECK(ev.timer.due_ns == due);
		CHECK(clock_ns(c ? CLOCK_BOOTTIME : CLOCK_MONOTONIC) >= due);
	}
	/* Later than that there is nothing: it does not become early. */
	watch = add_watch(fd, op_timer(CLOCK_MONOTONIC, KNELL_OPF_ABS, S64_MAX, 0, 1));
	CHECK(watch > 0);
	CHECK(watch_state(fd, watch) == 1);
	return check_shifted_deadline(fd);
}

static int check_shifted_exit(int fd)
{
	uint64_t before, born, died;
	struct knell_event ev;
	int64_t watch;
	pid_t pid;

	before = now();
	pid = fork();
	CHECK(pid >= 0);
	if (!pid) {
		pause();
		_exit(1);
	}
	born = now();
	watch = add_watch(fd, op_process(pid, 0, 1));
	CHECK(watch > 0);
	died = now();
	kill(pid, SIGKILL);
	CHECK(wait_event(fd, &ev) == 1);
	CHECK(ev.type == KNELL_EV_EXIT);
	CHECK(ev.exit.start_ns >= before && ev.exit.start_ns <= born);
	CHECK(ev.time_ns >= died && ev.time_ns <= now());
	CHECK(waitpid(pid, NULL, 0) == pid);
	return 0;
}

static int check_shifted_user(int fd)
{
	uint64_t before = now();
	struct knell_event ev;
	int64_t watch;

	watch = add_watch(fd, op_user(1));
	CHECK(watch > 0);
	CHECK(trigger(fd, watch, 1) == 0);
	CHECK(take(fd, &ev) == 1);
	CHECK(ev.time_ns >= before && ev.time_ns <= now());
	return 0;
}

/* In the namespace, on a queue of its own and on the one of its parent. */
static int shifted_child(int parents)
{
	int fd = knell_open(O_NONBLOCK);
	uint64_t due;

	CHECK(fd >= 0);
	CHECK(now() > MONOTONIC_SHIFT);
	CHECK(clock_ns(CLOCK_BOOTTIME) > BOOTTIME_SHIFT);
	if (check_shifted_timers(fd) || check_shifted_grid(fd) || check_shifted_deadline(fd) ||
	    check_shifted_exit(fd) || check_shifted_user(fd))
		return 1;

	due = now() + NSEC_PER_MSEC;
	CHECK(add_watch(parents, op_timer(CLOCK_MONOTONIC, KNELL_OPF_ABS, due, 0, due)) > 0);
	due = clock_ns(CLOCK_BOOTTIME) + HOUR_NS;
	CHECK(add_watch(parents, op_timer(CLOCK_BOOTTIME, KNELL_OPF_ABS, due, 0, due)) > 0);
	return 0;
}

TEST_F_TIMEOUT(time_namespace, clocks_behind, LIMIT)
{
	pid_t pid;

	ASSERT_EQ(0, shift_clocks("monotonic -1 0\nboottime -1 0\n"));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		_exit(check_clocks_behind(self->fd));
	EXPECT_EQ(0, child_status(pid));
}

TEST_F_TIMEOUT(time_namespace, every_time_is_the_callers, LIMIT)
{
	struct knell_watch_info wi[2];
	struct knell_event ev;
	uint64_t before = now();
	pid_t pid;

	ASSERT_EQ(0, shift_clocks("monotonic 1000000 0\nboottime 2000000 0\n"));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		_exit(shifted_child(self->fd));
	ASSERT_EQ(0, child_status(pid));

	/* What the child armed by its clocks, this side reads by its own. */
	ASSERT_EQ(1, wait_event(self->fd, &ev));
	EXPECT_EQ(ev.token - MONOTONIC_SHIFT, ev.timer.due_ns);
	EXPECT_LE(before, ev.time_ns);
	EXPECT_LE(ev.timer.due_ns, ev.time_ns);
	EXPECT_LE(ev.time_ns, now());
	ASSERT_EQ(2, list_watches(self->fd, wi, 2, 0));
	EXPECT_EQ(wi[1].token - BOOTTIME_SHIFT, wi[1].value);
}

TEST_HARNESS_MAIN
