// SPDX-License-Identifier: GPL-2.0-only
/*
 * TIMER watches: never early, never lost, counted on the grid.
 *
 * A machine can be arbitrarily slow, so nothing here says "in time": what is
 * asserted is that no record comes before its deadline by any clock, and that
 * what it says adds up. runner-limit: 900
 */
#include "kselftest_harness.h"

#include <poll.h>

#include "queue_test.h"

static const clockid_t clocks[] = { CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME };

QUEUE_FIXTURE(timer)

static uint64_t now(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

static void sleep_until(clockid_t clock, uint64_t ns)
{
	const struct timespec ts = { .tv_sec = ns / NSEC_PER_SEC, .tv_nsec = ns % NSEC_PER_SEC };

	while (clock_nanosleep(clock, TIMER_ABSTIME, &ts, NULL) == EINTR)
		;
}

/*
 * What to add to CLOCK_MONOTONIC to get @clock: at most a moment too much, the
 * shortest there was between two clock readings in a row.
 */
static uint64_t clock_offset(clockid_t clock)
{
	uint64_t least = ~0ULL, diff;
	int i;

	for (i = 0; i < 1000; i++) {
		diff = now();
		diff = clock_ns(clock) - diff;
		if (diff < least)
			least = diff;
	}
	return least;
}

/* A new and empty queue in place of the old one. */
static int fresh_queue(int fd)
{
	close(fd);
	return knell_open(O_NONBLOCK);
}

struct draw {
	clockid_t clock;
	uint32_t flags;
	uint64_t expires;
	uint64_t slack;
	int fired;
};

static struct draw random_draw(uint64_t *seed, unsigned int i)
{
	struct draw d = { .clock = clocks[i % 3], .flags = KNELL_OPF_ONESHOT };

	d.expires = 1 + next_random(seed) % (4 * NSEC_PER_MSEC);
	if (i / 3 % 2) {
		d.flags |= KNELL_OPF_ABS;
		d.expires += clock_ns(d.clock) - NSEC_PER_MSEC;
	}
	if (i % 4 == 3)
		d.slack = next_random(seed) % (2 * NSEC_PER_MSEC);
	return d;
}

#define BATCH		250

/* Both are needed: due_ns tells what was meant, the clocks what happened. */
static void check_draw(struct __test_metadata *_metadata, struct draw *d, struct knell_event *ev,
		       uint64_t before, uint64_t after, uint64_t offset)
{
	ASSERT_EQ(0, d->fired++);
	ASSERT_EQ(KNELL_EV_TIMER, ev->type);
	ASSERT_EQ(0, ev->flags);
	ASSERT_EQ(1, ev->timer.expirations);
	if (d->flags & KNELL_OPF_ABS) {
		ASSERT_EQ(d->expires, ev->timer.due_ns);
	} else {
		ASSERT_LE(before + d->expires, ev->timer.due_ns);
		ASSERT_GE(after + d->expires, ev->timer.due_ns);
	}
	ASSERT_LE(ev->timer.due_ns, clock_ns(d->clock));
	ASSERT_LE(ev->timer.due_ns, ev->time_ns + offset);
	ASSERT_LE(ev->time_ns, now());
}

TEST_F_TIMEOUT(timer, never_early, LIMIT)
{
	uint64_t seed = 0x6b6e656c6cULL, before[3], after[3], offset[3], seq = 0;
	struct knell_event ev[32];
	struct knell_op ops[BATCH];
	struct draw draws[BATCH];
	int round, i, n, got;

	for (i = 0; i < 3; i++)
		offset[i] = clock_offset(clocks[i]);

	for (round = 0; round < 10000 / BATCH; round++) {
		for (i = 0; i < BATCH; i++) {
			draws[i] = random_draw(&seed, i);
			ops[i] = op_timer(draws[i].clock, draws[i].flags, draws[i].expires, 0, i);
			ops[i].timer.slack_ns = draws[i].slack;
		}
		for (i = 0; i < 3; i++)
			before[i] = clock_ns(clocks[i]);
		ASSERT_EQ(0, submit_ops(self->fd, ops, BATCH));
		for (i = 0; i < 3; i++)
			after[i] = clock_ns(clocks[i]);

		for (got = 0; got < BATCH; got += n) {
			n = wait_events(self->fd, ev, 32, KNELL_FOREVER);
			ASSERT_LE(1, n);
			for (i = 0; i < n; i++) {
				ASSERT_GT(BATCH, ev[i].token);
				ASSERT_EQ(ops[ev[i].token].watch, ev[i].watch);
				ASSERT_LT(seq, ev[i].seq);
				seq = ev[i].seq;
				check_draw(_metadata, &draws[ev[i].token], &ev[i],
					   before[ev[i].token % 3], after[ev[i].token % 3],
					   offset[ev[i].token % 3]);
			}
		}
	}
	EXPECT_EQ(0, nr_watches(self->fd));
	EXPECT_EQ(0, take(self->fd, ev));
}

#define EQUALS		1000

struct arming {
	pthread_mutex_t lock;
	pthread_cond_t turn;
	int fd;
	int next;
	int err;
	uint64_t deadline;
};

struct arming_thread {
	struct arming *a;
	int cpu;
};

/* Arms every second timer, each after the other thread has armed the one before it. */
static void *arm_by_turns(void *arg)
{
	struct arming_thread *t = arg;
	struct arming *a = t->a;

	pin_to_cpu(t->cpu);
	pthread_mutex_lock(&a->lock);
	while (a->next < EQUALS) {
		if (a->next % 2 != t->cpu) {
			pthread_cond_wait(&a->turn, &a->lock);
			continue;
		}
		if (add_watch(a->fd, op_timer(CLOCK_MONOTONIC, KNELL_OPF_ABS, a->deadline, 0,
					      a->next)) <= 0)
			a->err = 1;
		a->next++;
		pthread_cond_signal(&a->turn);
	}
	pthread_cond_signal(&a->turn);
	pthread_mutex_unlock(&a->lock);
	return NULL;
}

static int arm_from_two_cpus(int fd, uint64_t deadline)
{
	struct arming a = {
		.lock = PTHREAD_MUTEX_INITIALIZER, .turn = PTHREAD_COND_INITIALIZER,
		.fd = fd, .deadline = deadline,
	};
	struct arming_thread t[2] = { { &a, 0 }, { &a, 1 } };
	pthread_t threads[2];
	int i;

	for (i = 0; i < 2; i++)
		if (pthread_create(&threads[i], NULL, arm_by_turns, &t[i]))
			return -EAGAIN;
	for (i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	return a.err ? -EPROTO : 0;
}

static int arm_from_here(int fd, uint64_t deadline)
{
	int i;

	for (i = 0; i < EQUALS; i++)
		if (add_watch(fd, op_timer(CLOCK_MONOTONIC, KNELL_OPF_ABS, deadline, 0, i)) <= 0)
			return -EPROTO;
	return 0;
}

/*
 * Runs @arm with a deadline that is still ahead when all are armed. However
 * slow the machine is, there is one.
 */
static int arm_ahead(int *fd, int (*arm)(int, uint64_t), uint64_t *deadline)
{
	uint64_t lead;
	int err;

	for (lead = NSEC_PER_SEC;; lead *= 2) {
		*deadline = now() + lead;
		err = arm(*fd, *deadline);
		if (err || now() < *deadline)
			return err;
		*fd = fresh_queue(*fd);
	}
}

static void check_fifo(struct __test_metadata *_metadata, int fd, uint64_t deadline)
{
	struct knell_event ev[16];
	uint64_t seq = 0;
	int i, n, got;

	for (got = 0; got < EQUALS; got += n) {
		n = wait_events(fd, ev, 16, KNELL_FOREVER);
		ASSERT_LE(1, n);
		for (i = 0; i < n; i++) {
			ASSERT_EQ(got + i, ev[i].token);
			ASSERT_LT(seq, ev[i].seq);
			seq = ev[i].seq;
			ASSERT_EQ(deadline, ev[i].timer.due_ns);
			ASSERT_LE(deadline, ev[i].time_ns);
		}
	}
	EXPECT_EQ(0, take(fd, ev));
}

TEST_F_TIMEOUT(timer, equal_deadlines_fire_in_order, LIMIT)
{
	uint64_t deadline;

	ASSERT_EQ(0, arm_ahead(&self->fd, arm_from_here, &deadline));
	check_fifo(_metadata, self->fd, deadline);
}

TEST_F_TIMEOUT(timer, equal_deadlines_armed_on_two_cpus, LIMIT)
{
	uint64_t deadline;

	ASSERT_EQ(0, arm_ahead(&self->fd, arm_from_two_cpus, &deadline));
	check_fifo(_metadata, self->fd, deadline);
}

/* Three alike, then the first is armed again: it goes to the end. */
static int arm_and_rearm(int fd, uint64_t deadline)
{
	struct knell_op op;
	int64_t watch[3];
	int i;

	for (i = 0; i < 3; i++) {
		watch[i] = add_watch(fd, op_timer(CLOCK_MONOTONIC, KNELL_OPF_ABS, deadline, 0, i));
		if (watch[i] <= 0)
			return -EPROTO;
	}
	op = op_mod_timer(watch[0], CLOCK_MONOTONIC, KNELL_OPF_ABS, deadline, 0, 3);
	return submit_op(fd, &op);
}

TEST_F_TIMEOUT(timer, mod_goes_to_the_end_of_equals, LIMIT)
{
	struct knell_event ev;
	uint64_t deadline;
	int i;

	ASSERT_EQ(0, arm_ahead(&self->fd, arm_and_rearm, &deadline));
	for (i = 1; i <= 3; i++) {
		ASSERT_EQ(1, wait_event(self->fd, &ev));
		ASSERT_EQ(i, ev.token);
	}
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

/* Timers of the module that the kernel has queued at this moment. */
static int nr_queued_timers(void)
{
	char line[512];
	int n = 0;
	FILE *f = fopen("/proc/timer_list", "r");

	if (!f)
		return -errno;
	while (fgets(line, sizeof(line), f))
		if (strstr(line, "knell_"))
			n++;
	fclose(f);
	return n;
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

/*
 * A schedule that is replaced while it fires, from another thread than the one
 * that reads: a record is of one schedule, never of two halves.
 */
#define SCHEDULES	20000

struct modder {
	int fd;
	uint32_t watch;
	int err;
	volatile int done;
	uint64_t due[SCHEDULES];
};

static void *mod_all_the_time(void *arg)
{
	uint64_t seed = 0x6d6f64ULL;
	struct modder *m = arg;
	struct knell_op op;
	int i;

	pin_to_cpu(1);
	for (i = 1; i < SCHEDULES && !m->err; i++) {
		m->due[i] = now() + next_random(&seed) % 100000;
		op = op_mod_timer(m->watch, CLOCK_MONOTONIC, KNELL_OPF_ABS, m->due[i],
				  i % 2 ? 0 : HOUR_NS, i);
		m->err = submit_op(m->fd, &op);
	}
	m->done = 1;
	return NULL;
}

TEST_F_TIMEOUT(timer, mod_while_it_fires, LIMIT)
{
	static struct modder m;
	uint64_t token = 0;
	struct knell_event ev;
	pthread_t thread;
	int n;

	m.fd = self->fd;
	m.watch = add_watch(self->fd, op_timer(CLOCK_MONOTONIC, 0, 0, 0, 0));
	ASSERT_NE(0, m.watch);
	ASSERT_EQ(0, pthread_create(&thread, NULL, mod_all_the_time, &m));
	pin_to_cpu(0);
	do {
		n = wait_events(self->fd, &ev, 1, now() + NSEC_PER_MSEC);
		ASSERT_LE(0, n);
		if (!n)
			continue;
		ASSERT_LT(token, ev.token);
		token = ev.token;
		ASSERT_EQ(m.due[token], ev.timer.due_ns);
		ASSERT_EQ(1, ev.timer.expirations);
		ASSERT_LE(m.due[token], ev.time_ns);
	} while (!m.done);
	pthread_join(thread, NULL);
	ASSERT_EQ(0, m.err);
	/* The last one stands, and comes if it has not yet. */
	if (token != SCHEDULES - 1) {
		ASSERT_EQ(1, wait_event(self->fd, &ev));
		EXPECT_EQ(SCHEDULES - 1, ev.token);
	}
	EXPECT_EQ(0, take(self->fd, &ev));
}

/* The same with timers that come and go: all that are not DELed fire once. */
TEST_F_TIMEOUT(timer, del_while_it_fires, LIMIT)
{
	uint64_t seed = 0x64656cULL;
	struct knell_event ev;
	int i, deleted = 0, fired = 0, result;
	int64_t watch;

	for (i = 0; i < 5000; i++) {
		watch = add_watch(self->fd, op_timer(CLOCK_MONOTONIC, KNELL_OPF_ONESHOT,
						     1 + next_random(&seed) % 30000, 0, i));
		ASSERT_LT(0, watch);
		if (i % 3) {
			fired += take(self->fd, &ev);
			result = del_watch(self->fd, watch);
			if (result) {
				ASSERT_EQ(-ENOENT, result);
			} else {
				deleted++;
			}
		}
	}
	while (nr_watches(self->fd)) {
		ASSERT_EQ(1, wait_event(self->fd, &ev));
		fired++;
	}
	EXPECT_EQ(5000, fired + deleted);
	EXPECT_EQ(0, nr_queued_timers());
}

/* A queue that goes while its timers fire: nothing of it is touched any more. */
TEST_F_TIMEOUT(timer, close_while_it_fires, LIMIT)
{
	uint64_t seed = 0x636c6f7365ULL, until;
	struct knell_op ops[24];
	int fd, i, round;

	for (round = 0; round < 2000; round++) {
		fd = knell_open(O_NONBLOCK);
		ASSERT_LE(0, fd);
		for (i = 0; i < 24; i++)
			ops[i] = op_timer(clocks[i % 3], 0, 1 + next_random(&seed) % 200000,
					  i % 2 ? 1000 : 0, i);
		ASSERT_EQ(0, submit_ops(fd, ops, 24));
		until = now() + next_random(&seed) % 200000;
		while (now() < until)
			;
		close(fd);
	}
	EXPECT_EQ(0, nr_queued_timers());
}

#define MANY		50000

static uint64_t *many_due;

static int arm_many(int fd, uint64_t deadline)
{
	static struct knell_op ops[KNELL_MAX_OPS];
	uint64_t seed = 0x6d616e79ULL;
	int i, n, err;

	for (i = 0; i < MANY; i += n) {
		for (n = 0; n < KNELL_MAX_OPS && i + n < MANY; n++) {
			many_due[i + n] = deadline + next_random(&seed) % NSEC_PER_SEC;
			ops[n] = op_timer(CLOCK_MONOTONIC, KNELL_OPF_ABS, many_due[i + n], 0,
					  i + n);
		}
		err = submit_ops(fd, ops, n);
		if (err)
			return err;
		if (ops[n - 1].result)
			return ops[n - 1].result;
	}
	return 0;
}

TEST_F_TIMEOUT(timer, fifty_thousand, LIMIT)
{
	static struct knell_event ev[256];
	uint64_t deadline, due = 0;
	char *fired = calloc(1, MANY);
	int i, n, got;

	many_due = calloc(MANY, sizeof(*many_due));
	ASSERT_NE(NULL, fired);
	ASSERT_NE(NULL, many_due);
	ASSERT_EQ(0, arm_ahead(&self->fd, arm_many, &deadline));
	ASSERT_EQ(MANY, nr_watches(self->fd));

	for (got = 0; got < MANY; got += n) {
		n = wait_events(self->fd, ev, 256, KNELL_FOREVER);
		ASSERT_LE(1, n);
		for (i = 0; i < n; i++) {
			ASSERT_GT(MANY, ev[i].token);
			ASSERT_EQ(0, fired[ev[i].token]++);
			ASSERT_EQ(many_due[ev[i].token], ev[i].timer.due_ns);
			ASSERT_LE(due, ev[i].timer.due_ns);
			ASSERT_LE(ev[i].timer.due_ns, ev[i].time_ns);
			due = ev[i].timer.due_ns;
		}
	}
	EXPECT_EQ(0, take(self->fd, ev));
	EXPECT_EQ(MANY, nr_watches(self->fd));
	EXPECT_EQ(0, nr_queued_timers());
}

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
