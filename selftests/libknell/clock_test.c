// SPDX-License-Identifier: GPL-2.0-only
/* The clock that can be held: paused, put forward by hand or by itself. runner-limit: 600 */
#include "common.h"

LOOP_FIXTURE(clock);

static uint64_t fired_at[1000];
static intptr_t fired_nr[1000];
static unsigned int fired, wrong;

/* @arg: which one, and how many ms after the start it is due. */
static uint64_t start;

static void note(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	if (knell_now(l) != start + (uintptr_t)arg * MSEC || call->late_ns ||
	    call->timer.deadline_ns != knell_now(l))
		wrong++;
	fired_at[fired] = knell_now(l);
	fired_nr[fired++] = (intptr_t)arg;
}

static knell_task add(struct knell_loop *l, unsigned int ms)
{
	return knell_add_timer_ms(l, note, (void *)(uintptr_t)ms, ms);
}

LOOP_TEST(clock, stands)
{
	uint64_t now;

	ASSERT_EQ(0, knell_clock_pause(self->l));
	EXPECT_EQ(-EALREADY, knell_clock_pause(self->l));
	now = knell_now(self->l);
	/* Real time goes on, and nothing here notices. */
	sleep_ns(2 * MSEC);
	knell_update_now(self->l);
	EXPECT_EQ(now, knell_now(self->l));
	start = now;
	add(self->l, 1);
	EXPECT_EQ(1, knell_loop_run(self->l, KNELL_RUN_NOWAIT));
	EXPECT_EQ(0, fired);
	EXPECT_EQ(now, knell_now(self->l));
}

LOOP_TEST(clock, refusals)
{
	EXPECT_EQ(-EINVAL, knell_clock_advance(self->l, 1));
	EXPECT_EQ(-EALREADY, knell_clock_resume(self->l));
	ASSERT_EQ(0, knell_clock_pause(self->l));
	EXPECT_EQ(-EOVERFLOW, knell_clock_advance(self->l, KNELL_NEVER));
	EXPECT_EQ(-EOVERFLOW, knell_clock_advance(self->l, KNELL_NEVER - knell_now(self->l)));
	EXPECT_EQ(0, knell_clock_advance(self->l, 0));
}

TEST(begins_paused)
{
	const struct knell_loop_attr attr = {
		.backend = KNELL_BACKEND_PIDFD, .flags = KNELL_LOOP_PAUSED,
	};
	struct knell_loop *l = knell_loop_new(&attr);
	uint64_t now;

	ASSERT_NE(NULL, l);
	now = knell_now(l);
	sleep_ns(MSEC);
	knell_update_now(l);
	EXPECT_EQ(now, knell_now(l));
	EXPECT_EQ(-EALREADY, knell_clock_pause(l));
	knell_loop_free(l);
}

/* T-10: 800 timers, 200 of them cancelled, none early, none late, none out of order. */
LOOP_TEST(clock, t10_800_timers)
{
	knell_task t[1000];
	uint64_t seed = 4711;

	ASSERT_EQ(0, knell_clock_pause(self->l));
	start = knell_now(self->l);
	for (unsigned int i = 0; i < 1000; i++) {
		t[i] = add(self->l, next_random(&seed) % 3600000);
		ASSERT_TASK(t[i]);
	}
	for (unsigned int i = 0; i < 200; i++)
		ASSERT_EQ(1, knell_cancel(self->l, t[i * 5]));
	ASSERT_EQ(0, knell_clock_advance(self->l, HOUR));
	EXPECT_EQ(800, fired);
	EXPECT_EQ(0, wrong);
	for (unsigned int i = 1; i < fired; i++)
		EXPECT_LE(fired_at[i - 1], fired_at[i]);
	EXPECT_EQ(start + HOUR, knell_now(self->l));
	EXPECT_EQ(0, knell_loop_run(self->l, KNELL_RUN_NOWAIT));
}

/* T-38 */
LOOP_TEST(clock, t38_steps_from_deadline_to_deadline)
{
	ASSERT_EQ(0, knell_clock_pause(self->l));
	start = knell_now(self->l);
	add(self->l, 30);
	add(self->l, 10);
	add(self->l, 20);
	add(self->l, 41);
	ASSERT_EQ(0, knell_clock_advance(self->l, 40 * MSEC));
	ASSERT_EQ(3, fired);
	EXPECT_EQ(10, fired_nr[0]);
	EXPECT_EQ(20, fired_nr[1]);
	EXPECT_EQ(30, fired_nr[2]);
	EXPECT_EQ(0, wrong);
	EXPECT_EQ(start + 40 * MSEC, knell_now(self->l));
	ASSERT_EQ(0, knell_clock_advance(self->l, MSEC));
	EXPECT_EQ(4, fired);
	EXPECT_EQ(0, wrong);
}

static void again(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	unsigned int *left = arg;

	(void)call;
	traced("%llu", (unsigned long long)((knell_now(l) - start) / MSEC));
	if (--*left)
		knell_add_timer_ms(l, again, left, 10);
}

/* What a timer adds within the time that passes has its turn there. */
LOOP_TEST(clock, t38_timers_that_add_timers)
{
	unsigned int left = 5;

	ASSERT_EQ(0, knell_clock_pause(self->l));
	start = knell_now(self->l);
	knell_add_timer_ms(self->l, again, &left, 10);
	ASSERT_EQ(0, knell_clock_advance(self->l, 35 * MSEC));
	EXPECT_STREQ("10 20 30", trace);
	ASSERT_EQ(0, knell_clock_advance(self->l, 100 * MSEC));
	EXPECT_STREQ("10 20 30 40 50", trace);
	EXPECT_EQ(0, left);
}

static void every(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	(void)arg;
	if (call->timer.expirations != 1 || knell_now(l) != call->timer.deadline_ns)
		wrong++;
	if (++fired == 1000)
		knell_cancel(l, call->task);
}

LOOP_TEST(clock, no_period_is_missed_or_drifts)
{
	ASSERT_EQ(0, knell_clock_pause(self->l));
	start = knell_now(self->l);
	ASSERT_TASK(knell_add_timer_every(self->l, every, NULL, 7 * MSEC));
	ASSERT_EQ(0, knell_clock_advance(self->l, 6999 * MSEC));
	EXPECT_EQ(999, fired);
	ASSERT_EQ(0, knell_clock_advance(self->l, HOUR));
	EXPECT_EQ(1000, fired);
	EXPECT_EQ(0, wrong);
}

static void advances(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	(void)call;
	(void)arg;
	traced("before");
	if (knell_clock_advance(l, 20 * MSEC) || knell_clock_advance(l, 5 * MSEC))
		wrong++;
	/* Not from within: time stands still inside of a task. */
	if (knell_now(l) != start)
		wrong++;
	traced("after");
}

LOOP_TEST(clock, advance_from_a_task_happens_after_it)
{
	unsigned int left = 2;

	ASSERT_EQ(0, knell_clock_pause(self->l));
	start = knell_now(self->l);
	knell_add_timer_ms(self->l, again, &left, 10);
	knell_add_event(self->l, advances, NULL, 0);
	EXPECT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_STREQ("before after 10 20", trace);
	EXPECT_EQ(0, wrong);
	/* Two advances are as long as both; the loop ended with the last task. */
	EXPECT_EQ(0, knell_clock_advance(self->l, 0));
	EXPECT_EQ(start + 25 * MSEC, knell_now(self->l));
}

LOOP_TEST(clock, background_and_events_have_their_turn)
{
	ASSERT_EQ(0, knell_clock_pause(self->l));
	start = knell_now(self->l);
	knell_add_background(self->l, cb_trace, "background", 5);
	knell_add_timer_ms(self->l, cb_trace, "timer", 5);
	knell_add_event(self->l, cb_trace, "event", 0);
	ASSERT_EQ(0, knell_clock_advance(self->l, 4 * MSEC));
	EXPECT_STREQ("event", trace);
	ASSERT_EQ(0, knell_clock_advance(self->l, MSEC));
	EXPECT_STREQ("event timer background", trace);
}

LOOP_TEST(clock, remaining_is_by_the_held_clock)
{
	knell_task t;

	ASSERT_EQ(0, knell_clock_pause(self->l));
	t = knell_add_timer_ms(self->l, cb_nothing, NULL, 1500);
	sleep_ns(2 * MSEC);
	EXPECT_EQ((int64_t)(1500 * MSEC), knell_timer_remaining_ns(self->l, t));
	EXPECT_EQ(1500, knell_timer_remaining_ms(self->l, t));
	EXPECT_EQ(1, knell_timer_remaining_sec(self->l, t));
	ASSERT_EQ(0, knell_clock_advance(self->l, 1000 * MSEC));
	EXPECT_EQ(500, knell_timer_remaining_ms(self->l, t));
	EXPECT_EQ(0, knell_timer_remaining_sec(self->l, t));
}

LOOP_TEST(clock, resumes_where_it_stood)
{
	uint64_t held, real;
	knell_task t;

	ASSERT_EQ(0, knell_clock_pause(self->l));
	ASSERT_EQ(0, knell_clock_advance(self->l, HOUR));
	held = knell_now(self->l);
	t = knell_add_timer_ns(self->l, cb_trace, "timer", 5 * MSEC);
	ASSERT_EQ(0, knell_clock_resume(self->l));
	real = now_ns();
	EXPECT_LE(held, knell_now(self->l));
	EXPECT_TRUE(knell_pending(self->l, t));
	EXPECT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_STREQ("timer", trace);
	EXPECT_LE(held + 5 * MSEC, knell_now(self->l));
	/* It is an hour ahead, and goes as fast as the real one. */
	EXPECT_LE(knell_now(self->l) - held, now_ns() - real + SEC);
	/* And can be held again. */
	ASSERT_EQ(0, knell_clock_pause(self->l));
	EXPECT_EQ(0, knell_clock_resume(self->l));
}

/*
 * By itself: only when there is nothing else to wait for
 */

LOOP_TEST(clock, t38_auto_advance)
{
	ASSERT_EQ(0, knell_clock_pause(self->l));
	knell_clock_set_auto_advance(self->l, true);
	start = knell_now(self->l);
	add(self->l, 3600000);
	add(self->l, 7200000);
	knell_add_background(self->l, cb_trace, "background", 10000000);
	EXPECT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_EQ(2, fired);
	EXPECT_EQ(0, wrong);
	EXPECT_STREQ("background", trace);
	EXPECT_EQ(start + 10000 * SEC, knell_now(self->l));
}

LOOP_TEST(clock, not_by_itself_unless_asked)
{
	ASSERT_EQ(0, knell_clock_pause(self->l));
	start = knell_now(self->l);
	add(self->l, 10);
	EXPECT_EQ(1, run_passes(self->l, 5));
	EXPECT_EQ(0, fired);
	EXPECT_EQ(start, knell_now(self->l));
}

static void read_it(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	char c;

	(void)arg;
	if (knell_now(l) != start || read(call->io.fd, &c, 1) != 1)
		wrong++;
	traced("read");
}

LOOP_TEST(clock, what_is_ready_comes_before_time_passes)
{
	int fds[2];

	make_pipe(fds);
	ASSERT_EQ(1, write(fds[1], "x", 1));
	ASSERT_EQ(0, knell_clock_pause(self->l));
	knell_clock_set_auto_advance(self->l, true);
	start = knell_now(self->l);
	knell_add_timer_ms(self->l, cb_trace, "timer", 1);
	ASSERT_TASK(knell_add_read(self->l, read_it, NULL, fds[0]));
	EXPECT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_STREQ("read timer", trace);
	EXPECT_EQ(0, wrong);
}

static void child_ended(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	(void)arg;
	if (knell_now(l) != start || call->child->status != 3)
		wrong++;
	traced("child");
}

static void let_go(void *arg)
{
	close(*(int *)arg);
}

LOOP_TEST(clock, t38_not_while_a_child_lives)
{
	struct meanwhile m;
	int fds[2];
	pid_t pid;

	make_pipe(fds);
	pid = waiting_child(fds[0], 3);
	ASSERT_GT(pid, 0);
	close(fds[0]);
	ASSERT_EQ(0, knell_clock_pause(self->l));
	knell_clock_set_auto_advance(self->l, true);
	start = knell_now(self->l);
	ASSERT_TASK(knell_add_child(self->l, child_ended, NULL, pid, KNELL_CHILD_AUTOREAP));
	knell_add_timer_ms(self->l, cb_trace, "timer", 1);
	meanwhile(&m, let_go, &fds[1]);
	EXPECT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	meanwhile_done(&m);
	EXPECT_STREQ("child timer", trace);
	EXPECT_EQ(0, wrong);
	EXPECT_EQ(start + MSEC, knell_now(self->l));
}

static int job_pipe[2];

static void job(void *arg)
{
	struct pollfd hangup = { .fd = job_pipe[0] };

	(void)arg;
	if (poll(&hangup, 1, -1) != 1)
		wrong++;
}

static void job_done(struct knell_loop *l, void *arg, int status)
{
	(void)arg;
	if (status || knell_now(l) != start)
		wrong++;
	traced("job");
}

LOOP_TEST(clock, t38_not_while_a_job_runs)
{
	struct knell_pool *p = knell_pool_new(NULL);
	struct meanwhile m;

	ASSERT_NE(NULL, p);
	make_pipe(job_pipe);
	ASSERT_EQ(0, knell_clock_pause(self->l));
	knell_clock_set_auto_advance(self->l, true);
	start = knell_now(self->l);
	ASSERT_EQ(0, knell_pool_submit(p, self->l, job, job_done, NULL, 0, NULL));
	knell_add_timer_ms(self->l, cb_trace, "timer", 1);
	meanwhile(&m, let_go, &job_pipe[1]);
	EXPECT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	meanwhile_done(&m);
	EXPECT_STREQ("job timer", trace);
	EXPECT_EQ(0, wrong);
	EXPECT_EQ(0, knell_pool_shutdown(p, KNELL_NEVER));
}

static void allow(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	(void)call;
	(void)arg;
	traced("posted");
	if (knell_now(l) != start)
		wrong++;
	knell_clock_allow(l);
}

static void post_allow(void *arg)
{
	if (knell_post(arg, allow, NULL, 0))
		wrong++;
}

LOOP_TEST(clock, not_while_it_is_forbidden)
{
	struct meanwhile m;

	ASSERT_EQ(0, knell_clock_pause(self->l));
	knell_clock_set_auto_advance(self->l, true);
	/* As often as it is forbidden it has to be allowed; once more does no harm. */
	knell_clock_inhibit(self->l);
	knell_clock_inhibit(self->l);
	knell_clock_allow(self->l);
	start = knell_now(self->l);
	knell_add_timer_ms(self->l, cb_trace, "timer", 1);
	meanwhile(&m, post_allow, self->l);
	EXPECT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	meanwhile_done(&m);
	EXPECT_STREQ("posted timer", trace);
	EXPECT_EQ(0, wrong);
	knell_clock_allow(self->l);
	knell_add_timer_ms(self->l, cb_trace, "again", 1);
	EXPECT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_STREQ("posted timer again", trace);
}

/*
 * The other clocks stand and pass with it
 */

LOOP_TEST(clock, other_clocks_stand_too)
{
	uint64_t real = clock_ns(CLOCK_REALTIME), boot = clock_ns(CLOCK_BOOTTIME);

	ASSERT_EQ(0, knell_clock_pause(self->l));
	ASSERT_TASK(knell_add_timer_at(self->l, cb_trace, "boot", CLOCK_BOOTTIME, boot + 2 * HOUR));
	ASSERT_TASK(knell_add_timer_at(self->l, cb_trace, "real", CLOCK_REALTIME, real + HOUR));
	ASSERT_TASK(knell_add_timer(self->l, cb_trace, "mono", 5400));
	EXPECT_EQ(1, run_passes(self->l, 3));
	EXPECT_STREQ("", trace);
	ASSERT_EQ(0, knell_clock_advance(self->l, 3 * HOUR));
	EXPECT_STREQ("real mono boot", trace);
	EXPECT_EQ(0, knell_loop_run(self->l, KNELL_RUN_NOWAIT));
}

LOOP_TEST(clock, other_clocks_go_on_when_it_does)
{
	uint64_t real = clock_ns(CLOCK_REALTIME);

	ASSERT_EQ(0, knell_clock_pause(self->l));
	ASSERT_TASK(knell_add_timer_at(self->l, cb_trace, "real", CLOCK_REALTIME,
				       real + 20 * MSEC));
	ASSERT_EQ(0, knell_clock_resume(self->l));
	EXPECT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_STREQ("real", trace);
	EXPECT_LE(real + 20 * MSEC, clock_ns(CLOCK_REALTIME));
}

LIBKNELL_MAIN
