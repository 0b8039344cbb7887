// SPDX-License-Identifier: GPL-2.0-only
/* Timers: never early, in order, periods, other clocks, slack, what is left. runner-limit: 900 */
#include "common.h"

LOOP_FIXTURE(timers);

/* T-09 */
static unsigned int next_nr, out_of_order;

static void in_turn(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	(void)l;
	(void)call;
	if ((uintptr_t)arg != next_nr++)
		out_of_order++;
}

LOOP_TEST(timers, t09_equal_deadlines_fifo)
{
	uint64_t at = knell_now(self->l) + 2 * MSEC;
	knell_task t;

	/* Among others, and some that are cancelled. */
	for (uintptr_t i = 0; i < 1000; i++) {
		ASSERT_TASK(knell_add_timer_at(self->l, in_turn, (void *)i, CLOCK_MONOTONIC, at));
		if (i % 3 == 0)
			ASSERT_TASK(knell_add_timer_ns(self->l, cb_nothing, NULL, i * 7 % 5 * MSEC));
		if (i % 5 == 0) {
			t = knell_add_timer_at(self->l, in_turn, NULL, CLOCK_MONOTONIC, at);
			ASSERT_EQ(1, knell_cancel(self->l, t));
		}
	}
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_EQ(1000, next_nr);
	EXPECT_EQ(0, out_of_order);
	/* Relative ones, too, however near. */
	next_nr = 0;
	for (uintptr_t i = 0; i < 1000; i++)
		ASSERT_TASK(knell_add_timer_ns(self->l, in_turn, (void *)i, 1000));
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_EQ(1000, next_nr);
	EXPECT_EQ(0, out_of_order);
}

/*
 * T-13: never early, by the clock that the program reads itself; what is left is never negative.
 */

struct skewed {
	uint64_t due;
	knell_task task;
};

static unsigned int early, negative, fired;

static void check_due(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	struct skewed *s = arg;
	uint64_t now = now_ns();

	fired++;
	if (now < s->due || knell_now(l) < s->due || call->timer.deadline_ns != s->due)
		early++;
	if (knell_now(l) > now || call->timer.expirations != 1)
		early++;
	if (knell_timer_remaining_ns(l, s->task) != -ENOENT)
		negative++;
}

LOOP_TEST(timers, t13_never_early)
{
	static struct skewed s[1000];
	uint64_t seed = 0x9e3779b97f4a7c15ULL, all_due = 0;

	for (unsigned int i = 0; i < ARRAY_SIZE(s); i++) {
		uint64_t skew = next_random(&seed) % MSEC;

		/* Outside of a task an add looks at the clock. */
		s[i].task = knell_add_timer_ns(self->l, check_due, &s[i], MSEC + skew);
		ASSERT_TASK(s[i].task);
		s[i].due = knell_now(self->l) + MSEC + skew;
		/* Some run in between, so that the sleeps are of all lengths. */
		if (i % 4 == 0)
			ASSERT_LE(0, knell_loop_run(self->l, KNELL_RUN_ONCE));
		for (unsigned int k = 0; k <= i; k += 37) {
			int64_t ns = knell_timer_remaining_ns(self->l, s[k].task);

			if (ns < 0 && ns != -ENOENT)
				negative++;
			if (ns > (int64_t)(2 * MSEC))
				negative++;
		}
		if (s[i].due > all_due)
			all_due = s[i].due;
	}
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_LE(all_due, now_ns());
	EXPECT_EQ(1000, fired);
	EXPECT_EQ(0, early);
	EXPECT_EQ(0, negative);
}

/* T-24: a sleep shorter than a millisecond is one sleep, not many of length zero. */
LOOP_TEST(timers, t24_short_sleeps_do_not_spin)
{
	struct knell_stats before = stats_of(self->l), after;
	const unsigned int nr = 200;

	for (unsigned int i = 0; i < nr; i++) {
		knell_update_now(self->l);
		ASSERT_TASK(knell_add_timer_ns(self->l, cb_count, NULL, 500 * USEC));
		ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	}
	after = stats_of(self->l);
	EXPECT_EQ(nr, counted);
	/* A look that sleeps, and at most one before it. */
	EXPECT_GE(2 * nr + 2, after.passes - before.passes);
	EXPECT_GE(nr + 1, after.sleeps - before.sleeps);
}

/* In order of their deadlines, however they were added. */
static uint64_t last_deadline;

static void ascending(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	(void)l;
	(void)arg;
	counted++;
	if (call->timer.deadline_ns < last_deadline)
		out_of_order++;
	last_deadline = call->timer.deadline_ns;
}

LOOP_TEST(timers, ascending)
{
	const unsigned int nr = times(20000);
	uint64_t seed = 88172645463325252ULL;
	knell_task *t = calloc(nr, sizeof(*t));
	unsigned int cancelled = 0;

	ASSERT_NE(NULL, t);
	for (unsigned int i = 0; i < nr; i++) {
		t[i] = knell_add_timer_ns(self->l, ascending, NULL, next_random(&seed) % (5 * MSEC));
		ASSERT_TASK(t[i]);
	}
	EXPECT_EQ(nr, stats_of(self->l).timers);
	for (unsigned int i = 0; i < nr; i += 1 + next_random(&seed) % 5) {
		ASSERT_EQ(1, knell_cancel(self->l, t[i]));
		cancelled++;
	}
	EXPECT_EQ(nr - cancelled, stats_of(self->l).timers);
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_EQ(nr - cancelled, counted);
	EXPECT_EQ(0, out_of_order);
	free(t);
}

/*
 * Periodic ones keep their phase; what was missed is counted.
 */

static uint64_t period_first;
static uint64_t expirations;
static unsigned int out_of_phase;

static void each_period(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	uint64_t off = call->timer.deadline_ns - period_first;

	counted++;
	if (off % MSEC || call->timer.deadline_ns > knell_now(l) || !call->timer.expirations)
		out_of_phase++;
	if (expirations * MSEC != off)
		out_of_phase++;
	expirations += call->timer.expirations;
	if (counted == 5)
		burn(3 * MSEC);
	if (counted == 20 && knell_cancel(l, *(knell_task *)arg) != 1)
		out_of_phase++;
}

LOOP_TEST(timers, every)
{
	knell_task t;

	t = knell_add_timer_every(self->l, each_period, &t, MSEC);
	ASSERT_TASK(t);
	period_first = knell_now(self->l) + MSEC;
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_EQ(20, counted);
	EXPECT_EQ(0, out_of_phase);
	/* Three were missed while the fifth ran. */
	EXPECT_LE(22, expirations);
	EXPECT_FALSE(knell_pending(self->l, t));
}

/* The first one at another time than the period; the name stays the same. */
static void twice(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	knell_task *t = arg;

	traced("%d", call->task.idx == t->idx && call->task.gen == t->gen && knell_pending(l, *t));
	if (++counted == 2)
		knell_cancel(l, call->task);
}

LOOP_TEST(timers, every_from_a_time)
{
	knell_task t = knell_add_timer_site(self->l, KNELL_SITE(twice), twice, &t, 0, 3 * MSEC), late;

	ASSERT_TASK(t);
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_STREQ("1 1", trace);
	late = knell_add_timer_site(self->l, KNELL_SITE(cb_stop), cb_stop, NULL, 0, HOUR);
	ASSERT_TASK(late);
	ASSERT_EQ(1, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_LT(0, knell_timer_remaining_ns(self->l, late));
	EXPECT_GE((int64_t)HOUR, knell_timer_remaining_ns(self->l, late));
}

/* The macros' units. */
LOOP_TEST(timers, units)
{
	int64_t ns;
	knell_task t;

	ASSERT_EQ(0, knell_clock_pause(self->l));
	t = knell_add_timer(self->l, cb_nothing, NULL, 7);
	EXPECT_EQ((int64_t)(7 * SEC), knell_timer_remaining_ns(self->l, t));
	EXPECT_EQ(7000, knell_timer_remaining_ms(self->l, t));
	EXPECT_EQ(7, knell_timer_remaining_sec(self->l, t));
	t = knell_add_timer_ms(self->l, cb_nothing, NULL, 1999);
	EXPECT_EQ((int64_t)(1999 * MSEC), knell_timer_remaining_ns(self->l, t));
	EXPECT_EQ(1999, knell_timer_remaining_ms(self->l, t));
	EXPECT_EQ(1, knell_timer_remaining_sec(self->l, t));
	t = knell_add_timer_ns(self->l, cb_nothing, NULL, 1000001);
	EXPECT_EQ(1000001, knell_timer_remaining_ns(self->l, t));
	EXPECT_EQ(2, knell_timer_remaining_ms(self->l, t));
	EXPECT_EQ(0, knell_timer_remaining_sec(self->l, t));
	t = knell_add_background(self->l, cb_nothing, NULL, 40);
	EXPECT_EQ((int64_t)(40 * MSEC), knell_timer_remaining_ns(self->l, t));
	t = knell_add_timer_ns(self->l, cb_nothing, NULL, 0);
	EXPECT_EQ(0, knell_timer_remaining_ns(self->l, t));
	EXPECT_EQ(0, knell_timer_remaining_ms(self->l, t));
	t = knell_add_timer_at(self->l, cb_nothing, NULL, CLOCK_MONOTONIC, 1);
	EXPECT_EQ(0, knell_timer_remaining_ns(self->l, t));
	ASSERT_EQ(0, knell_clock_resume(self->l));
	/* By a clock that runs it is as of now, not as of the last task. */
	t = knell_add_timer(self->l, cb_nothing, NULL, 3600);
	sleep_ns(2 * MSEC);
	ns = knell_timer_remaining_ns(self->l, t);
	EXPECT_LT(0, ns);
	EXPECT_GE((int64_t)(HOUR - 2 * MSEC), ns);
}

/* Of what is no timer, or is none any more. */
LOOP_TEST(timers, no_timer)
{
	knell_task event = knell_add_event(self->l, cb_nothing, NULL, 0);
	knell_task t = knell_add_timer_ns(self->l, cb_nothing, NULL, 0);

	EXPECT_EQ(-EINVAL, knell_timer_remaining_ns(self->l, event));
	EXPECT_EQ(-EINVAL, knell_timer_remaining_ms(self->l, event));
	EXPECT_EQ(-EINVAL, knell_timer_remaining_sec(self->l, event));
	EXPECT_EQ(-EINVAL, knell_timer_set_slack(self->l, event, 1));
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_EQ(-ENOENT, knell_timer_remaining_ns(self->l, t));
	EXPECT_EQ(-ENOENT, knell_timer_remaining_ms(self->l, t));
	EXPECT_EQ(-ENOENT, knell_timer_remaining_sec(self->l, t));
	EXPECT_EQ(-ENOENT, knell_timer_set_slack(self->l, t, 1));
	EXPECT_EQ(-ENOENT, knell_timer_remaining_ns(self->l, KNELL_NONE));
}

/* Far away, and beyond. */
LOOP_TEST(timers, limits)
{
	uint64_t now = knell_now(self->l);
	knell_task t;

	EXPECT_NO_TASK(EOVERFLOW, knell_add_timer_ns(self->l, cb_trace, "early", UINT64_MAX));
	EXPECT_NO_TASK(EOVERFLOW, knell_add_timer_ns(self->l, cb_trace, "early",
						     UINT64_MAX - now + 1));
	t = knell_add_timer_ns(self->l, cb_trace, "early", INT64_MAX - now);
	ASSERT_TASK(t);
	EXPECT_EQ(1, knell_loop_run(self->l, KNELL_RUN_NOWAIT));
	EXPECT_LT(0, knell_timer_remaining_ns(self->l, t));
	EXPECT_EQ(1, knell_cancel(self->l, t));
	t = knell_add_timer(self->l, cb_trace, "early", 100ULL * 365 * 24 * 3600);
	ASSERT_TASK(t);
	ASSERT_TASK(knell_add_timer_ms(self->l, cb_stop, "now", 1));
	EXPECT_EQ(1, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_STREQ("now", trace);
	EXPECT_NO_TASK(EINVAL, knell_add_timer_at(self->l, cb_trace, "early",
						  CLOCK_PROCESS_CPUTIME_ID, 1));
	EXPECT_NO_TASK(EINVAL, knell_add_timer_at(self->l, cb_trace, "early", 12345, 1));
	EXPECT_NO_TASK(EINVAL, knell_add_timer_at(self->l, cb_trace, "early", -1, 1));
}

/* On the other clocks. */
static clockid_t clock_of;

static void check_clock(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	(void)l;
	if (call->timer.deadline_ns != *(uint64_t *)arg || clock_ns(clock_of) < *(uint64_t *)arg)
		early++;
	counted++;
}

LOOP_TEST(timers, other_clocks)
{
	static const clockid_t clocks[] = { CLOCK_REALTIME, CLOCK_BOOTTIME, CLOCK_MONOTONIC };
	uint64_t due;
	knell_task t;

	for (unsigned int i = 0; i < ARRAY_SIZE(clocks); i++) {
		clock_of = clocks[i];
		for (unsigned int k = 0; k < 20; k++) {
			due = clock_ns(clock_of) + k * 200 * USEC;
			t = knell_add_timer_at(self->l, check_clock, &due, clock_of, due);
			ASSERT_TASK(t);
			ASSERT_LE(0, knell_timer_remaining_ns(self->l, t));
			ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
		}
		/* Long past. */
		due = 1;
		ASSERT_TASK(knell_add_timer_at(self->l, check_clock, &due, clock_of, due));
		ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
		/* Cancelled, also after the kernel was told. */
		due = clock_ns(clock_of) + HOUR;
		t = knell_add_timer_at(self->l, check_clock, &due, clock_of, due);
		EXPECT_EQ(1, knell_loop_run(self->l, KNELL_RUN_NOWAIT));
		EXPECT_EQ(1, knell_cancel(self->l, t));
		EXPECT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	}
	EXPECT_EQ(3 * 21, counted);
	EXPECT_EQ(0, early);
}

/* Several of one clock, and of all at once. */
LOOP_TEST(timers, clocks_together)
{
	uint64_t real = clock_ns(CLOCK_REALTIME), boot = clock_ns(CLOCK_BOOTTIME);

	ASSERT_TASK(knell_add_timer_at(self->l, cb_trace, "r40", CLOCK_REALTIME, real + 40 * MSEC));
	ASSERT_TASK(knell_add_timer_at(self->l, cb_trace, "r10", CLOCK_REALTIME, real + 10 * MSEC));
	ASSERT_TASK(knell_add_timer_at(self->l, cb_trace, "b20", CLOCK_BOOTTIME, boot + 20 * MSEC));
	ASSERT_TASK(knell_add_timer_at(self->l, cb_trace, "r0", CLOCK_REALTIME, real));
	ASSERT_TASK(knell_add_timer_ms(self->l, cb_trace, "m30", 30));
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_EQ(5 * 4 - 2, strlen(trace));
	EXPECT_EQ(0, strncmp(trace, "r0 ", 3));
	EXPECT_LT(strstr(trace, "r10"), strstr(trace, "r40"));
}

/* With slack wake-ups are shared: later than set, never earlier, and in order. */
LOOP_TEST(timers, slack)
{
	unsigned long sleeps;
	knell_task t;

	for (unsigned int i = 0; i < 40; i++) {
		t = knell_add_timer_ns(self->l, cb_count, NULL, 50 * MSEC + i * MSEC);
		ASSERT_TASK(t);
		ASSERT_EQ(0, knell_timer_set_slack(self->l, t, HOUR));
	}
	/* This one has none: whoever is due by then runs with it. */
	ASSERT_TASK(knell_add_timer_ns(self->l, cb_stop, "on time", 100 * MSEC));
	sleeps = stats_of(self->l).sleeps;
	ASSERT_LE(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_EQ(40, counted);
	EXPECT_STREQ("on time", trace);
	EXPECT_GE(sleeps + 2, stats_of(self->l).sleeps);
	/* Slack may be taken back, of a background task as well. */
	t = knell_add_background(self->l, cb_stop, "background", 1);
	ASSERT_EQ(0, knell_timer_set_slack(self->l, t, HOUR));
	ASSERT_EQ(0, knell_timer_set_slack(self->l, t, 0));
	ASSERT_LE(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_STREQ("on time background", trace);
}

/* Alone its slack puts the wake-up off, to its end at the latest. */
LOOP_TEST(timers, slack_alone)
{
	uint64_t begin = knell_now(self->l);
	knell_task t = knell_add_timer_ns(self->l, cb_trace, "late", MSEC);

	ASSERT_EQ(0, knell_timer_set_slack(self->l, t, 30 * MSEC));
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_STREQ("late", trace);
	EXPECT_LE(begin + MSEC, now_ns());
}

/* The timer that the kernel holds goes earlier when an earlier one comes, from a task too. */
static void add_earlier(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	(void)call;
	traced("first");
	knell_add_timer_ms(l, cb_stop, arg, 1);
}

LOOP_TEST(timers, the_head_moves)
{
	ASSERT_TASK(knell_add_timer(self->l, cb_trace, "an hour later", 3600));
	ASSERT_EQ(1, knell_loop_run(self->l, KNELL_RUN_NOWAIT));
	ASSERT_TASK(knell_add_timer(self->l, cb_trace, "half an hour later", 1800));
	ASSERT_EQ(1, knell_loop_run(self->l, KNELL_RUN_NOWAIT));
	ASSERT_TASK(knell_add_timer_ms(self->l, add_earlier, "second", 2));
	ASSERT_EQ(1, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_STREQ("first second", trace);
}

/* The loop's time stands still inside of a task; asked to, it moves. */
static void watch_now(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	uint64_t then = knell_now(l), *ret = arg;

	(void)call;
	sleep_ns(2 * MSEC);
	ret[0] = knell_now(l) - then;
	knell_update_now(l);
	ret[1] = knell_now(l) - then;
}

LOOP_TEST(timers, now)
{
	uint64_t ret[2], before = now_ns();

	knell_update_now(self->l);
	EXPECT_LE(before, knell_now(self->l));
	EXPECT_GE(now_ns(), knell_now(self->l));
	ASSERT_TASK(knell_add_event(self->l, watch_now, ret, 0));
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_EQ(0, ret[0]);
	EXPECT_LE(2 * MSEC, ret[1]);
	EXPECT_LE(before + 2 * MSEC, knell_now(self->l));
}

/* How late it was, is told. */
static uint64_t late[2];

static void note_late(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	(void)l;
	late[(uintptr_t)arg] = call->late_ns;
}

static void take_time(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	(void)l;
	(void)call;
	sleep_ns(*(uint64_t *)arg);
}

LOOP_TEST(timers, late)
{
	uint64_t ns = 20 * MSEC;

	ASSERT_TASK(knell_add_event(self->l, take_time, &ns, 0));
	ASSERT_TASK(knell_add_event(self->l, note_late, (void *)0, 0));
	ASSERT_TASK(knell_add_timer_ms(self->l, note_late, (void *)1, 5));
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_LE(ns, late[0]);
	EXPECT_LE(ns - 5 * MSEC, late[1]);
	EXPECT_LE(ns - 5 * MSEC, stats_of(self->l).max_lag_ns);
}

/* What is beyond the clock's end does not come round from the other side. */
LOOP_TEST(timers, no_time_wraps)
{
	static const uint64_t periods[] = { KNELL_NEVER, KNELL_NEVER - 1, KNELL_NEVER / 2 };
	uint64_t begin;
	knell_task t;

	for (unsigned int i = 0; i < ARRAY_SIZE(periods); i++) {
		t = knell_add_timer_site(self->l, KNELL_SITE(cb_count), cb_count, NULL, 0, periods[i]);
		ASSERT_TASK(t);
		for (unsigned int k = 0; k < 10; k++)
			ASSERT_EQ(1, knell_loop_run(self->l, KNELL_RUN_NOWAIT));
		EXPECT_EQ(i + 1, counted);
		EXPECT_EQ(1, knell_cancel(self->l, t));
	}
	/* As many of them as are 0 ns, or few, in 64 bits. */
	EXPECT_NO_TASK(EOVERFLOW, knell_add_timer_ms(self->l, cb_count, NULL, UINT64_C(1) << 58));
	EXPECT_NO_TASK(EOVERFLOW, knell_add_timer_ms(self->l, cb_count, NULL, KNELL_NEVER / MSEC + 1));
	EXPECT_NO_TASK(EOVERFLOW, knell_add_timer(self->l, cb_count, NULL, KNELL_NEVER / SEC + 1));
	EXPECT_NO_TASK(EOVERFLOW, knell_add_timer(self->l, cb_count, NULL, UINT64_C(1) << 55));
	/* A loop's clock that was held is behind the real one. */
	ASSERT_EQ(0, knell_clock_pause(self->l));
	sleep_ns(20 * MSEC);
	ASSERT_EQ(0, knell_clock_resume(self->l));
	for (unsigned int i = 0; i < 3; i++) {
		static const clockid_t clocks[] = { CLOCK_MONOTONIC, CLOCK_REALTIME, CLOCK_BOOTTIME };

		t = knell_add_timer_at(self->l, cb_count, NULL, clocks[i], KNELL_NEVER - 1);
		ASSERT_TASK(t);
		begin = stats_of(self->l).passes;
		ASSERT_TASK(knell_add_timer_ms(self->l, cb_stop, NULL, 20));
		ASSERT_EQ(1, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
		EXPECT_GE(begin + 4, stats_of(self->l).passes);
		EXPECT_EQ(1, knell_cancel(self->l, t));
	}
	EXPECT_EQ(ARRAY_SIZE(periods), counted);
}

/* Each clock is looked at in each pass, also of a loop that never sleeps. */
static void anew(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	(void)call;
	if (now_ns() < *(uint64_t *)arg && !counted)
		knell_add_event(l, anew, arg, 0);
}

LOOP_TEST(timers, other_clocks_in_a_busy_loop)
{
	static const clockid_t clocks[] = { CLOCK_MONOTONIC, CLOCK_REALTIME, CLOCK_BOOTTIME };
	uint64_t end;

	for (unsigned int i = 0; i < ARRAY_SIZE(clocks); i++) {
		counted = 0;
		end = now_ns() + 60 * SEC;
		ASSERT_TASK(knell_add_timer_at(self->l, cb_count, NULL, clocks[i],
					       clock_ns(clocks[i]) + 5 * MSEC));
		ASSERT_TASK(knell_add_event(self->l, anew, &end, 0));
		ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
		EXPECT_EQ(1, counted);
		EXPECT_GT(end, now_ns());
	}
}

/* Idle tasks of equal time keep their order however often they are put off, and leave the pass to
 * other background tasks, too. */
LOOP_TEST(timers, idle)
{
	ASSERT_EQ(0, knell_clock_pause(self->l));
	for (unsigned int i = 0; i < 3; i++) {
		trace_clear();
		ASSERT_TASK(knell_add_idle(self->l, cb_trace, "a", 0));
		ASSERT_TASK(knell_add_idle(self->l, cb_trace, "b", 0));
		ASSERT_TASK(knell_add_idle(self->l, cb_trace, "c", 0));
		for (unsigned int k = 0; k <= i; k++) {
			ASSERT_TASK(knell_add_event(self->l, cb_nothing, NULL, 0));
			ASSERT_EQ(1, knell_loop_run(self->l, KNELL_RUN_NOWAIT));
			EXPECT_STREQ("", trace);
		}
		ASSERT_TASK(knell_add_background(self->l, cb_trace, "background", 0));
		ASSERT_EQ(1, knell_loop_run(self->l, KNELL_RUN_NOWAIT));
		EXPECT_STREQ("background", trace);
		ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
		EXPECT_STREQ("background a b c", trace);
	}
}

/* What a timer's task adds runs before the clock goes on, and in a task the clock waits for its end. */
static uint64_t paused_at;

static void told_at(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	(void)call;
	traced("%s%u", (const char *)arg, (unsigned int)(knell_now(l) - paused_at));
}

static void adds_timer(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	told_at(l, call, arg);
	knell_add_timer_ns(l, told_at, "t", 20);
}

static void adds_event(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	told_at(l, call, arg);
	knell_add_event(l, adds_timer, "e", 0);
}

static void for_ever(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	(void)call;
	knell_add_event(l, for_ever, arg, 0);
}

static void advances(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	told_at(l, call, arg);
	knell_add_timer_ns(l, told_at, "t", 5);
	knell_clock_advance(l, 10);
	told_at(l, call, arg);
}

LOOP_TEST(timers, advance_runs_all_at_its_time)
{
	knell_task t;

	ASSERT_EQ(0, knell_clock_pause(self->l));
	paused_at = knell_now(self->l);
	ASSERT_TASK(knell_add_timer_ns(self->l, adds_event, "t", 10));
	ASSERT_TASK(knell_add_timer_ns(self->l, told_at, "t", 100));
	ASSERT_EQ(0, knell_clock_advance(self->l, 200));
	EXPECT_STREQ("t10 e10 t30 t100", trace);
	/* Events that never end do not stop it. */
	t = knell_add_event(self->l, for_ever, NULL, 0);
	ASSERT_TASK(t);
	ASSERT_EQ(0, knell_clock_advance(self->l, 200));
	EXPECT_EQ(paused_at + 400, knell_now(self->l));
	EXPECT_EQ(1, knell_cancel_arg(self->l, NULL, KNELL_MASK(KNELL_KIND_EVENT)));
	/* In a task, though outside of a run. */
	trace_clear();
	ASSERT_EQ(0, knell_execute(self->l, advances, "x", 0));
	EXPECT_STREQ("x400 x400", trace);
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_STREQ("x400 x400 t405", trace);
}

/*
 * Thousands come and go, many more are cancelled than run, and places are used again: whoever runs
 * was not cancelled, is due, and has his turn.
 */

static struct model {
	uint64_t due;
	unsigned long nr;		/* in the order they were added; 0: is not */
	knell_task task;
} model[2000];

static struct model last_run;
static unsigned int astray, ran;

static void runs_in_turn(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	struct model *m = arg;

	if (!m->nr || m->due > knell_now(l) || call->timer.deadline_ns != m->due ||
	    m->due < last_run.due || (m->due == last_run.due && m->nr < last_run.nr))
		astray++;
	last_run = *m;
	m->nr = 0;
	ran++;
}

static void cancel_some(struct knell_loop *l, uint64_t *seed, unsigned int of)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(model); i++) {
		if (!model[i].nr || next_random(seed) % of == 0)
			continue;
		if (knell_cancel(l, model[i].task) != 1)
			astray++;
		model[i].nr = 0;
	}
}

LOOP_TEST(timers, many_come_and_go)
{
	uint64_t seed = 0x2545f4914f6cdd1dULL, added = 0;

	ASSERT_EQ(0, knell_clock_pause(self->l));
	for (unsigned int round = 0; round < 200; round++) {
		unsigned long live = 0;

		for (unsigned int i = 0; i < ARRAY_SIZE(model); i++) {
			if (model[i].nr)
				continue;
			model[i].due = knell_now(self->l) + next_random(&seed) % 1000;
			model[i].nr = ++added;
			model[i].task = knell_add_timer_ns(self->l, runs_in_turn, &model[i],
							   model[i].due - knell_now(self->l));
			ASSERT_TASK(model[i].task);
		}
		cancel_some(self->l, &seed, round % 3 ? 50 : 2);
		ASSERT_EQ(0, knell_clock_advance(self->l, next_random(&seed) % 200));
		for (unsigned int i = 0; i < ARRAY_SIZE(model); i++) {
			live += model[i].nr != 0;
			if (model[i].nr && model[i].due <= knell_now(self->l))
				astray++;
		}
		ASSERT_EQ(0, astray);
		ASSERT_EQ(live, stats_of(self->l).timers);
	}
	EXPECT_LT(1000, ran);
	cancel_some(self->l, &seed, UINT32_MAX);
	EXPECT_GE(1, stats_of(self->l).timers);
}

LIBKNELL_MAIN
