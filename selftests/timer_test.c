// SPDX-License-Identifier: GPL-2.0-only
/* TIMER watches: periods, counted on the grid; MOD, the flags, LIST. runner-limit: 900 */
#include "kselftest_harness.h"

#include <poll.h>

#include "timer_test.h"

QUEUE_FIXTURE(timer)

static void sleep_until(clockid_t clock, uint64_t ns)
{
	const struct timespec ts = { .tv_sec = ns / NSEC_PER_SEC, .tv_nsec = ns % NSEC_PER_SEC };

	while (clock_nanosleep(clock, TIMER_ABSTIME, &ts, NULL) == EINTR)
		;
}

/* Takes one record of a periodic timer: the count is the grid's, to the last one. */
static void check_grid(struct __test_metadata *_metadata, int fd, clockid_t clock,
		       uint64_t *due, uint64_t interval)
{
	uint64_t before, after;
	struct knell_event ev;

	before = clock_ns(clock);
	ASSERT_EQ(1, wait_event(fd, &ev));
	after = clock_ns(clock);

	ASSERT_EQ(*due, ev.timer.due_ns);
	ASSERT_LE(*due, after);
	if (before >= *due) {
		ASSERT_LE((before - *due) / interval + 1, ev.timer.expirations);
	}
	ASSERT_LE(1, ev.timer.expirations);
	ASSERT_GE((after - *due) / interval + 1, ev.timer.expirations);
	*due += ev.timer.expirations * interval;
}

TEST_F_TIMEOUT(timer, overruns_are_counted_exactly, LIMIT)
{
	const uint64_t interval = NSEC_PER_MSEC + 7;
	uint64_t seed = 0x67726964ULL, first, due;
	int64_t watch;
	int c, i;

	for (c = 0; c < 3; c++) {
		first = due = clock_ns(clocks[c]) + 5 * NSEC_PER_MSEC;
		watch = add_watch(self->fd, op_timer(clocks[c], KNELL_OPF_ABS, first, interval, c));
		ASSERT_LT(0, watch);
		for (i = 0; i < 100; i++) {
			sleep_until(clocks[c], due + next_random(&seed) % (12 * interval));
			check_grid(_metadata, self->fd, clocks[c], &due, interval);
		}
		EXPECT_EQ(0, (due - first) % interval);
		ASSERT_EQ(0, del_watch(self->fd, watch));
	}
}

TEST_F_TIMEOUT(timer, relative_period, LIMIT)
{
	const uint64_t interval = 3 * NSEC_PER_MSEC, delays[] = { 0, NSEC_PER_MSEC };
	uint64_t before, after, due, delay;
	struct knell_event ev;
	int64_t watch;
	unsigned int c, d;
	int i;

	for (c = 0; c < 3; c++) {
		for (d = 0; d < 2; d++) {
			before = clock_ns(clocks[c]);
			watch = add_watch(self->fd, op_timer(clocks[c], 0, delays[d], interval, 1));
			after = clock_ns(clocks[c]);
			ASSERT_LT(0, watch);

			/* No delay: after one interval. */
			delay = delays[d] ?: interval;
			ASSERT_EQ(1, wait_event(self->fd, &ev));
			due = ev.timer.due_ns;
			ASSERT_LE(before + delay, due);
			ASSERT_GE(after + delay, due);
			due += ev.timer.expirations * interval;
			for (i = 0; i < 10; i++)
				check_grid(_metadata, self->fd, clocks[c], &due, interval);
			ASSERT_EQ(0, del_watch(self->fd, watch));
		}
	}
}

/* 0 is never a point in time, with OPF_ABS neither: first after one interval. */
TEST_F_TIMEOUT(timer, absolute_without_start, LIMIT)
{
	const uint64_t interval = 20 * NSEC_PER_MSEC;
	uint64_t before, after;
	struct knell_event ev;

	before = now();
	ASSERT_LT(0, add_watch(self->fd, op_timer(CLOCK_MONOTONIC, KNELL_OPF_ABS, 0, interval, 1)));
	after = now();
	ASSERT_EQ(1, wait_event(self->fd, &ev));
	EXPECT_LE(before + interval, ev.timer.due_ns);
	EXPECT_GE(after + interval, ev.timer.due_ns);
}

TEST_F_TIMEOUT(timer, absolute_period_from_the_past, LIMIT)
{
	uint64_t first = clock_ns(CLOCK_REALTIME) - 10 * HOUR_NS - HOUR_NS / 2, due;
	struct knell_event ev;
	int64_t watch;
	int i;

	watch = add_watch(self->fd, op_timer(CLOCK_REALTIME, KNELL_OPF_ABS, first, HOUR_NS, 1));
	ASSERT_LT(0, watch);
	ASSERT_EQ(1, wait_event(self->fd, &ev));
	EXPECT_EQ(11, ev.timer.expirations);
	EXPECT_EQ(first, ev.timer.due_ns);
	EXPECT_EQ(1, watch_state(self->fd, watch));
	EXPECT_EQ(first + 11 * HOUR_NS, watch_info(self->fd, watch).value);
	EXPECT_EQ(0, take(self->fd, &ev));
	ASSERT_EQ(0, del_watch(self->fd, watch));

	/* From the first nanosecond on, a microsecond each: it always is late. */
	due = 1;
	watch = add_watch(self->fd, op_timer(CLOCK_MONOTONIC, KNELL_OPF_ABS, 1, 1000, 1));
	ASSERT_LT(0, watch);
	for (i = 0; i < 100; i++)
		check_grid(_metadata, self->fd, CLOCK_MONOTONIC, &due, 1000);
}

TEST_F_TIMEOUT(timer, absolute_past_fires_at_once, LIMIT)
{
	struct knell_event ev;
	int c;

	for (c = 0; c < 3; c++) {
		ASSERT_LT(0, add_watch(self->fd, op_timer(clocks[c], KNELL_OPF_ABS, 1, 0, c)));
		ASSERT_EQ(1, wait_event(self->fd, &ev));
		EXPECT_EQ(c, ev.token);
		EXPECT_EQ(1, ev.timer.due_ns);
		EXPECT_EQ(1, ev.timer.expirations);
	}
}

TEST_F_TIMEOUT(timer, rearmed_when_read_only, LIMIT)
{
	const uint64_t interval = 100 * 1000;
	uint64_t due = now() + HOUR_NS;
	struct knell_op op;
	int64_t watch;
	int i;

	watch = add_watch(self->fd, op_timer(CLOCK_MONOTONIC, KNELL_OPF_ABS, due, interval, 1));
	ASSERT_LT(0, watch);
	/* The yardstick works: an armed timer is seen there. */
	ASSERT_LE(1, nr_queued_timers());

	for (i = 0; i < 5; i++) {
		due = now() + NSEC_PER_MSEC;
		op = op_mod_timer(watch, CLOCK_MONOTONIC, KNELL_OPF_ABS, due, interval, 1);
		ASSERT_EQ(0, submit_op(self->fd, &op));
		sleep_until(CLOCK_MONOTONIC, due + 500 * interval);
		while (!nr_pending(self->fd))
			sched_yield();

		/* Hundreds of periods, one record, and nothing is set to go off. */
		EXPECT_EQ(1, nr_pending(self->fd));
		EXPECT_EQ(2, watch_state(self->fd, watch));
		EXPECT_EQ(0, nr_queued_timers());
		check_grid(_metadata, self->fd, CLOCK_MONOTONIC, &due, interval);
		/* And now it goes on. */
		check_grid(_metadata, self->fd, CLOCK_MONOTONIC, &due, interval);
	}
}

/* Waits for a record without taking it. */
static void wait_pending(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	while (poll(&p, 1, -1) != 1)
		;
}

TEST_F_TIMEOUT(timer, mod_drops_what_is_unread, LIMIT)
{
	uint64_t due, intervals[] = { 0, NSEC_PER_MSEC };
	struct knell_event ev;
	struct knell_op op;
	int64_t watch;
	int i;

	for (i = 0; i < 2; i++) {
		watch = add_watch(self->fd, op_timer(CLOCK_MONOTONIC, 0, 1, intervals[i], 1));
		ASSERT_LT(0, watch);
		wait_pending(self->fd);

		due = now() + HOUR_NS;
		op = op_mod_timer(watch, CLOCK_MONOTONIC, KNELL_OPF_ABS, due, intervals[i], 2);
		ASSERT_EQ(0, submit_op(self->fd, &op));
		EXPECT_EQ(0, nr_pending(self->fd));
		EXPECT_EQ(0, take(self->fd, &ev));
		EXPECT_EQ(1, watch_state(self->fd, watch));
		EXPECT_EQ(due, watch_info(self->fd, watch).value);

		/* And it fires anew, with the new token and a count of its own. */
		due = now() + NSEC_PER_MSEC;
		op = op_mod_timer(watch, CLOCK_MONOTONIC, KNELL_OPF_ABS, due, HOUR_NS, 3);
		ASSERT_EQ(0, submit_op(self->fd, &op));
		ASSERT_EQ(1, wait_event(self->fd, &ev));
		EXPECT_EQ(3, ev.token);
		EXPECT_EQ(due, ev.timer.due_ns);
		EXPECT_EQ(1, ev.timer.expirations);
		ASSERT_EQ(0, del_watch(self->fd, watch));
	}
}

TEST_F_TIMEOUT(timer, mod_between_clocks, LIMIT)
{
	uint64_t before, after, expires;
	int64_t watch;
	struct knell_event ev;
	struct knell_op op;
	int from, to;

	for (from = 0; from < 6; from++) {
		for (to = 0; to < 6; to++) {
			clockid_t clock = clocks[to % 3];
			uint32_t abs = to / 3 ? KNELL_OPF_ABS : 0;

			expires = from / 3 ? clock_ns(clocks[from % 3]) : 0;
			watch = add_watch(self->fd,
					  op_timer(clocks[from % 3],
						   from / 3 ? KNELL_OPF_ABS : 0,
						   expires + HOUR_NS, 0, from));
			ASSERT_LT(0, watch);

			before = clock_ns(clock);
			expires = NSEC_PER_MSEC + (abs ? before : 0);
			op = op_mod_timer(watch, clock, abs, expires, 0, to);
			ASSERT_EQ(0, submit_op(self->fd, &op));
			after = clock_ns(clock);
			ASSERT_EQ(1, wait_event(self->fd, &ev));
			EXPECT_LE(ev.timer.due_ns, clock_ns(clock));
			EXPECT_EQ(to, ev.token);
			EXPECT_EQ(1, ev.timer.expirations);
			EXPECT_LE(before + NSEC_PER_MSEC, ev.timer.due_ns);
			EXPECT_GE((abs ? before : after) + NSEC_PER_MSEC, ev.timer.due_ns);
			ASSERT_EQ(0, del_watch(self->fd, watch));
		}
	}
}

TEST_F_TIMEOUT(timer, failed_mod_changes_nothing, LIMIT)
{
	uint64_t due = now() + HOUR_NS;
	struct knell_event ev;
	struct knell_op op;
	int64_t watch;

	watch = add_watch(self->fd, op_timer(CLOCK_MONOTONIC, KNELL_OPF_ABS, due, 0, 1));
	ASSERT_LT(0, watch);
	op = op_mod_timer(watch, 5, KNELL_OPF_ABS, 1, 0, 2);
	EXPECT_EQ(-EINVAL, submit_op(self->fd, &op));
	op = op_mod_timer(watch, CLOCK_MONOTONIC, KNELL_OPF_ABS, S64_MAX + 1, 0, 2);
	EXPECT_EQ(-EINVAL, submit_op(self->fd, &op));
	op = op_mod_timer(watch, CLOCK_MONOTONIC, KNELL_OPF_EDGE, 1, 0, 2);
	EXPECT_EQ(-EINVAL, submit_op(self->fd, &op));
	EXPECT_EQ(1, watch_state(self->fd, watch));
	EXPECT_EQ(1, watch_info(self->fd, watch).token);
	EXPECT_EQ(due, watch_info(self->fd, watch).value);

	/* Of an unread record neither. */
	op = op_mod_timer(watch, CLOCK_MONOTONIC, KNELL_OPF_ABS, 1, 0, 3);
	ASSERT_EQ(0, submit_op(self->fd, &op));
	wait_pending(self->fd);
	op = op_mod_timer(watch, 5, 0, 1, 0, 4);
	EXPECT_EQ(-EINVAL, submit_op(self->fd, &op));
	ASSERT_EQ(1, take(self->fd, &ev));
	EXPECT_EQ(3, ev.token);
}

TEST_F_TIMEOUT(timer, slack, LIMIT)
{
	struct knell_event ev;
	struct knell_op op;
	uint64_t due;
	int i;

	for (i = 0; i < 60; i++) {
		due = clock_ns(clocks[i % 3]) + NSEC_PER_MSEC;
		op = op_timer(clocks[i % 3], KNELL_OPF_ABS | KNELL_OPF_ONESHOT, due, 0, i);
		op.timer.slack_ns = i * NSEC_PER_MSEC;
		ASSERT_LT(0, add_watch(self->fd, op));
		ASSERT_EQ(1, wait_event(self->fd, &ev));
		EXPECT_EQ(due, ev.timer.due_ns);
		EXPECT_LE(due, clock_ns(clocks[i % 3]));
		EXPECT_EQ(1, ev.timer.expirations);
	}

	/* As much of it as can be said does not overflow into the past. */
	op = op_timer(CLOCK_MONOTONIC, KNELL_OPF_ABS, now() + HOUR_NS, 0, 1);
	op.timer.slack_ns = S64_MAX;
	ASSERT_LT(0, add_watch(self->fd, op));
	op = op_timer(CLOCK_MONOTONIC, 0, HOUR_NS, HOUR_NS, 2);
	op.timer.slack_ns = S64_MAX;
	ASSERT_LT(0, add_watch(self->fd, op));
	EXPECT_EQ(0, wait_events(self->fd, &ev, 1, now() + 50 * NSEC_PER_MSEC));
}

TEST_F_TIMEOUT(timer, disarmed, LIMIT)
{
	uint32_t flags[] = { 0, KNELL_OPF_ABS };
	struct knell_event ev;
	struct knell_op op;
	int64_t watch;
	int i;

	for (i = 0; i < 2; i++) {
		watch = add_watch(self->fd, op_timer(CLOCK_MONOTONIC, flags[i], 0, 0, 1));
		ASSERT_LT(0, watch);
		EXPECT_EQ(0, watch_state(self->fd, watch));
		EXPECT_EQ(0, watch_info(self->fd, watch).value);
		EXPECT_EQ(0, wait_events(self->fd, &ev, 1, now() + 20 * NSEC_PER_MSEC));

		op = op_mod_timer(watch, CLOCK_MONOTONIC, 0, 1, 0, 2);
		ASSERT_EQ(0, submit_op(self->fd, &op));
		ASSERT_EQ(1, wait_event(self->fd, &ev));
		EXPECT_EQ(2, ev.token);
		ASSERT_EQ(0, del_watch(self->fd, watch));
	}
}

TEST_F_TIMEOUT(timer, mod_disarms, LIMIT)
{
	struct knell_event ev;
	struct knell_op op;
	int64_t watch;

	/* An armed one, then one that has fired, then one that goes on for ever. */
	watch = add_watch(self->fd, op_timer(CLOCK_MONOTONIC, 0, HOUR_NS, 0, 1));
	ASSERT_LT(0, watch);
	op = op_mod_timer(watch, CLOCK_MONOTONIC, 0, 0, 0, 2);
	ASSERT_EQ(0, submit_op(self->fd, &op));
	EXPECT_EQ(0, watch_state(self->fd, watch));
	EXPECT_EQ(0, watch_info(self->fd, watch).value);
	EXPECT_EQ(0, nr_queued_timers());

	op = op_mod_timer(watch, CLOCK_MONOTONIC, 0, 1, 0, 3);
	ASSERT_EQ(0, submit_op(self->fd, &op));
	wait_pending(self->fd);
	op = op_mod_timer(watch, CLOCK_MONOTONIC, 0, 0, 0, 4);
	ASSERT_EQ(0, submit_op(self->fd, &op));
	EXPECT_EQ(0, nr_pending(self->fd));
	EXPECT_EQ(0, take(self->fd, &ev));
	EXPECT_EQ(0, watch_state(self->fd, watch));

	op = op_mod_timer(watch, CLOCK_MONOTONIC, 0, 1, NSEC_PER_MSEC, 5);
	ASSERT_EQ(0, submit_op(self->fd, &op));
	ASSERT_EQ(1, wait_event(self->fd, &ev));
	op = op_mod_timer(watch, CLOCK_MONOTONIC, KNELL_OPF_ABS, 0, 0, 6);
	ASSERT_EQ(0, submit_op(self->fd, &op));
	EXPECT_EQ(0, watch_state(self->fd, watch));
	EXPECT_EQ(0, wait_events(self->fd, &ev, 1, now() + 20 * NSEC_PER_MSEC));
	EXPECT_EQ(0, nr_queued_timers());
}

TEST_F_TIMEOUT(timer, one_shot_waits_for_mod, LIMIT)
{
	struct knell_event ev;
	struct knell_op op;
	int64_t watch;
	int i;

	watch = add_watch(self->fd, op_timer(CLOCK_MONOTONIC, 0, NSEC_PER_MSEC, 0, 0));
	ASSERT_LT(0, watch);
	for (i = 0; i < 20; i++) {
		ASSERT_EQ(1, wait_event(self->fd, &ev));
		EXPECT_EQ(i, ev.token);
		EXPECT_EQ(watch, ev.watch);
		EXPECT_EQ(1, nr_watches(self->fd));
		EXPECT_EQ(0, watch_state(self->fd, watch));
		EXPECT_EQ(0, watch_info(self->fd, watch).value);
		EXPECT_EQ(0, take(self->fd, &ev));
		op = op_mod_timer(watch, CLOCK_MONOTONIC, 0, NSEC_PER_MSEC, 0, i + 1);
		ASSERT_EQ(0, submit_op(self->fd, &op));
	}
}

TEST_F_TIMEOUT(timer, oneshot_is_gone_when_read, LIMIT)
{
	uint64_t intervals[] = { 0, NSEC_PER_MSEC };
	struct knell_watch_info wi;
	struct knell_event ev;
	int64_t watch;
	int i;

	for (i = 0; i < 2; i++) {
		watch = add_watch(self->fd, op_timer(CLOCK_MONOTONIC, KNELL_OPF_ONESHOT, 1,
						     intervals[i], 1));
		ASSERT_LT(0, watch);
		wait_pending(self->fd);
		/* Not before that. */
		wi = watch_info(self->fd, watch);
		EXPECT_EQ(2, wi.state);
		EXPECT_EQ(KNELL_OPF_ONESHOT, wi.flags);
		ASSERT_EQ(1, take(self->fd, &ev));
		EXPECT_EQ(watch, ev.watch);
		EXPECT_EQ(0, nr_watches(self->fd));
		EXPECT_EQ(-ENOENT, watch_state(self->fd, watch));
		EXPECT_EQ(-ENOENT, del_watch(self->fd, watch));
		EXPECT_EQ(0, wait_events(self->fd, &ev, 1, now() + 10 * NSEC_PER_MSEC));
	}
}

TEST_F_TIMEOUT(timer, mod_replaces_the_flags, LIMIT)
{
	struct knell_event ev;
	struct knell_op op;
	int64_t watch;

	watch = add_watch(self->fd, op_timer(CLOCK_MONOTONIC, KNELL_OPF_ONESHOT, HOUR_NS, 0, 1));
	ASSERT_LT(0, watch);
	op = op_mod_timer(watch, CLOCK_MONOTONIC, KNELL_OPF_ABS, 1, 0, 2);
	ASSERT_EQ(0, submit_op(self->fd, &op));
	EXPECT_EQ(KNELL_OPF_ABS, watch_info(self->fd, watch).flags);
	ASSERT_EQ(1, wait_event(self->fd, &ev));
	EXPECT_EQ(1, nr_watches(self->fd));

	op = op_mod_timer(watch, CLOCK_MONOTONIC, KNELL_OPF_ONESHOT, 1, 0, 3);
	ASSERT_EQ(0, submit_op(self->fd, &op));
	EXPECT_EQ(KNELL_OPF_ONESHOT, watch_info(self->fd, watch).flags);
	ASSERT_EQ(1, wait_event(self->fd, &ev));
	EXPECT_EQ(0, nr_watches(self->fd));
}

TEST_F_TIMEOUT(timer, ack_stays_until_del, LIMIT)
{
	struct knell_event ev;
	struct knell_op op;
	int64_t watch;

	watch = add_watch(self->fd, op_timer(CLOCK_MONOTONIC, KNELL_OPF_ACK, 1, 0, 1));
	ASSERT_LT(0, watch);
	wait_pending(self->fd);
	EXPECT_EQ(2, watch_state(self->fd, watch));
	ASSERT_EQ(1, wait_event(self->fd, &ev));
	EXPECT_EQ(3, watch_state(self->fd, watch));
	EXPECT_EQ(KNELL_OPF_ACK, watch_info(self->fd, watch).flags);
	EXPECT_EQ(0, take(self->fd, &ev));
	EXPECT_EQ(1, nr_watches(self->fd));

	/* MOD is a new schedule. */
	op = op_mod_timer(watch, CLOCK_MONOTONIC, 0, 1, 0, 2);
	ASSERT_EQ(0, submit_op(self->fd, &op));
	ASSERT_EQ(1, wait_event(self->fd, &ev));
	EXPECT_EQ(2, ev.token);
	EXPECT_EQ(0, ev.flags);
	EXPECT_EQ(3, watch_state(self->fd, watch));
	EXPECT_EQ(0, del_watch(self->fd, watch));
	EXPECT_EQ(0, nr_watches(self->fd));
}

TEST_F_TIMEOUT(timer, del_takes_the_record, LIMIT)
{
	struct knell_event ev;
	int64_t watch[2] = { };
	int i;

	for (i = 0; i < 2; i++) {
		watch[i] = add_watch(self->fd, op_timer(CLOCK_MONOTONIC, 0, 1, i * 1000, i));
		ASSERT_LT(0, watch[i]);
	}
	while (nr_pending(self->fd) != 2)
		sched_yield();
	EXPECT_EQ(0, del_watch(self->fd, watch[0]));
	EXPECT_EQ(1, nr_pending(self->fd));
	ASSERT_EQ(1, take(self->fd, &ev));
	EXPECT_EQ(1, ev.token);
	EXPECT_EQ(0, del_watch(self->fd, watch[1]));
	EXPECT_EQ(0, nr_pending(self->fd));
	EXPECT_EQ(0, wait_events(self->fd, &ev, 1, now() + 10 * NSEC_PER_MSEC));
	EXPECT_EQ(0, nr_queued_timers());
}

TEST_F_TIMEOUT(timer, huge_values, LIMIT)
{
	uint32_t flags[] = { 0, KNELL_OPF_ABS };
	struct knell_event ev;
	struct knell_op op;
	int64_t watch;
	int c, f, field;

	for (c = 0; c < 3; c++) {
		for (f = 0; f < 2; f++) {
			op = op_timer(clocks[c], flags[f], S64_MAX, S64_MAX, 1);
			op.timer.slack_ns = S64_MAX;
			watch = add_watch(self->fd, op);
			ASSERT_LT(0, watch);
			EXPECT_EQ(1, watch_state(self->fd, watch));
			EXPECT_LE(clock_ns(clocks[c]) + HOUR_NS,
				  watch_info(self->fd, watch).value);
			for (field = 0; field < 3; field++) {
				op = op_timer(clocks[c], flags[f], HOUR_NS, HOUR_NS, 1);
				op.raw[field] = S64_MAX + 1;
				EXPECT_EQ(-EINVAL, add_watch(self->fd, op));
				op.raw[field] = ~0ULL;
				EXPECT_EQ(-EINVAL, add_watch(self->fd, op));
			}
		}
	}
	EXPECT_EQ(6, nr_watches(self->fd));
	EXPECT_EQ(0, wait_events(self->fd, &ev, 1, now() + 20 * NSEC_PER_MSEC));

	/* A grid whose second point is beyond the end of time. */
	ASSERT_LT(0, add_watch(self->fd, op_timer(CLOCK_MONOTONIC, KNELL_OPF_ABS, 1000,
						  S64_MAX, 7)));
	ASSERT_EQ(1, wait_event(self->fd, &ev));
	EXPECT_EQ(7, ev.token);
	EXPECT_EQ(1, ev.timer.expirations);
	EXPECT_EQ(1000, ev.timer.due_ns);
	EXPECT_EQ(0, wait_events(self->fd, &ev, 1, now() + 20 * NSEC_PER_MSEC));
}

TEST_F_TIMEOUT(timer, list_tells_the_next_expiration, LIMIT)
{
	struct knell_watch_info wi;
	uint64_t before, after;
	int64_t watch;
	int c;

	for (c = 0; c < 3; c++) {
		before = clock_ns(clocks[c]);
		watch = add_watch(self->fd, op_timer(clocks[c], KNELL_OPF_ABS, before + HOUR_NS,
						     NSEC_PER_SEC, 0x1122334455667788ULL + c));
		ASSERT_LT(0, watch);
		wi = watch_info(self->fd, watch);
		EXPECT_EQ(KNELL_TIMER, wi.type);
		EXPECT_EQ(1, wi.state);
		EXPECT_EQ(KNELL_OPF_ABS, wi.flags);
		EXPECT_EQ(0, wi.pid);
		EXPECT_EQ(0x1122334455667788ULL + c, wi.token);
		EXPECT_EQ(before + HOUR_NS, wi.value);
		EXPECT_EQ(0, wi.label[0]);

		before = clock_ns(clocks[c]);
		watch = add_watch(self->fd, op_timer(clocks[c], 0, HOUR_NS, 0, 1));
		after = clock_ns(clocks[c]);
		ASSERT_LT(0, watch);
		wi = watch_info(self->fd, watch);
		EXPECT_LE(before + HOUR_NS, wi.value);
		EXPECT_GE(after + HOUR_NS, wi.value);
	}
}

TEST_HARNESS_MAIN
