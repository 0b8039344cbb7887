// SPDX-License-Identifier: GPL-2.0-only
/* How a loop runs: asleep or not, hooks, stop, loops in tasks, what an event is told. runner-limit: 900 */
#include "common.h"

LOOP_FIXTURE(run);

/* ONCE sleeps until something runs; NOWAIT does not sleep. */
static void write_x(void *arg)
{
	if (write(*(int *)arg, "x", 1) != 1)
		abort();
}

LOOP_TEST(run, once_sleeps_nowait_does_not)
{
	struct meanwhile m;
	unsigned long sleeps;
	int fds[2];

	make_pipe(fds);
	ASSERT_TASK(knell_add_read(self->l, cb_trace, "read", fds[0]));
	for (int i = 0; i < 100; i++)
		EXPECT_EQ(1, knell_loop_run(self->l, KNELL_RUN_NOWAIT));
	EXPECT_STREQ("", trace);
	EXPECT_EQ(0, stats_of(self->l).sleeps);
	sleeps = stats_of(self->l).sleeps;
	meanwhile(&m, write_x, &fds[1]);
	EXPECT_EQ(0, knell_loop_run(self->l, KNELL_RUN_ONCE));
	EXPECT_STREQ("read", trace);
	EXPECT_LT(sleeps, stats_of(self->l).sleeps);
	EXPECT_LE(1, stats_of(self->l).wakeups);
	meanwhile_done(&m);
	close(fds[0]);
	close(fds[1]);
}

/*
 * T-15: whether a task had its time: all are granted the same, or what one grants itself for this run.
 */

static void until(uint64_t then)
{
	while (now_ns() <= then)
		;
}

static void grants_itself_more(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	const uint64_t began = now_ns();

	(void)call;
	(void)arg;
	knell_set_yield_slot(l, KNELL_NEVER);
	until(began + 11 * MSEC);
	traced("%d", knell_should_yield(l) != 0);
	knell_set_yield_slot(l, MSEC);
	traced("%d", knell_should_yield(l) >= 11 * MSEC);
}

static void takes_what_all_get(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	(void)call;
	while (!knell_should_yield(l))
		;
	traced("%d", knell_should_yield(l) > *(uint64_t *)arg);
}

LOOP_TEST(run, t15_should_yield)
{
	uint64_t ns = 10 * MSEC;

	EXPECT_EQ(0, knell_should_yield(self->l));
	knell_add_event(self->l, grants_itself_more, NULL, 0);
	knell_add_event(self->l, takes_what_all_get, &ns, 0);
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_STREQ("0 1 1", trace);
	trace_clear();
	ns = 30 * MSEC;
	knell_set_yield_slot(self->l, ns);
	knell_add_event(self->l, takes_what_all_get, &ns, 0);
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_STREQ("1", trace);
	EXPECT_EQ(0, knell_should_yield(self->l));
}

/*
 * T-39: what a prepare hook adds keeps the loop from sleeping.
 */

static int hook_adds;

static void adding_hook(struct knell_loop *l, void *arg)
{
	switch (hook_adds) {
	case 1:
		knell_add_event(l, cb_stop, arg, 0);
		break;
	case 2:
		knell_add_ready(l, cb_stop, arg, 0);
		break;
	case 3:
		knell_add_timer_ns(l, cb_stop, arg, 0);
		break;
	case 4:
		knell_add_background(l, cb_stop, arg, 0);
		break;
	case 5:
		knell_post(l, cb_stop, arg, 0);
		break;
	case 6:
		knell_loop_stop(l);
		traced("%s", (const char *)arg);
		break;
	}
	hook_adds = 0;
}

LOOP_TEST(run, t39_prepare_adds_work)
{
	ASSERT_EQ(0, knell_add_prepare(self->l, adding_hook, "work"));
	ASSERT_TASK(knell_add_timer(self->l, cb_trace, "an hour later", 3600));
	for (int what = 1; what <= 6; what++) {
		trace_clear();
		hook_adds = what;
		/* That this returns is the test. */
		ASSERT_EQ(1, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
		EXPECT_STREQ("work", trace);
	}
}

/* Hooks: before and after each look, in their order, and they may go while they run. */
static void hook_traces(struct knell_loop *l, void *arg)
{
	(void)l;
	traced("%s", (const char *)arg);
}

static void hook_goes(struct knell_loop *l, void *arg)
{
	traced("%s", (const char *)arg);
	if (knell_del_hook(l, hook_goes, arg))
		abort();
}

static void hook_takes_next(struct knell_loop *l, void *arg)
{
	traced("%s", (const char *)arg);
	knell_del_hook(l, hook_traces, "p3");
}

LOOP_TEST(run, hooks)
{
	ASSERT_EQ(0, knell_add_check(self->l, hook_traces, "c1"));
	ASSERT_EQ(0, knell_add_prepare(self->l, hook_traces, "p1"));
	ASSERT_EQ(0, knell_add_prepare(self->l, hook_goes, "p2"));
	ASSERT_EQ(0, knell_add_prepare(self->l, hook_traces, "p3"));
	ASSERT_EQ(0, knell_add_check(self->l, hook_traces, "c2"));
	ASSERT_TASK(knell_add_timer(self->l, cb_trace, "never", 3600));
	ASSERT_EQ(1, knell_loop_run(self->l, KNELL_RUN_NOWAIT));
	EXPECT_STREQ("p1 p2 p3 c1 c2", trace);
	trace_clear();
	ASSERT_EQ(1, knell_loop_run(self->l, KNELL_RUN_NOWAIT));
	EXPECT_STREQ("p1 p3 c1 c2", trace);
	trace_clear();
	ASSERT_EQ(0, knell_del_hook(self->l, hook_traces, "p1"));
	EXPECT_EQ(-ENOENT, knell_del_hook(self->l, hook_traces, "p1"));
	EXPECT_EQ(-ENOENT, knell_del_hook(self->l, hook_goes, "p2"));
	ASSERT_EQ(1, knell_loop_run(self->l, KNELL_RUN_NOWAIT));
	EXPECT_STREQ("p3 c1 c2", trace);
	/* Taken by one that runs before it. */
	ASSERT_EQ(0, knell_del_hook(self->l, hook_traces, "p3"));
	ASSERT_EQ(0, knell_add_prepare(self->l, hook_takes_next, "p4"));
	ASSERT_EQ(0, knell_add_prepare(self->l, hook_traces, "p3"));
	trace_clear();
	ASSERT_EQ(1, knell_loop_run(self->l, KNELL_RUN_NOWAIT));
	EXPECT_STREQ("p4 c1 c2", trace);
}

/* stop(): the task that runs is the last of this run; others stay for the next. */
LOOP_TEST(run, stop)
{
	ASSERT_TASK(knell_add_event(self->l, cb_trace, "one", 0));
	ASSERT_TASK(knell_add_event(self->l, cb_stop, "two", 0));
	ASSERT_TASK(knell_add_event(self->l, cb_trace, "three", 0));
	ASSERT_EQ(1, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_STREQ("one two", trace);
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_STREQ("one two three", trace);
	/* Not running: the next run returns at once, and only that one. */
	ASSERT_TASK(knell_add_timer(self->l, cb_trace, "never", 3600));
	knell_loop_stop(self->l);
	knell_loop_stop(self->l);
	ASSERT_EQ(1, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	ASSERT_TASK(knell_add_event(self->l, cb_trace, "four", 0));
	ASSERT_EQ(1, knell_loop_run(self->l, KNELL_RUN_ONCE));
	EXPECT_STREQ("one two three four", trace);
}

static void runs_its_loop(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	(void)call;
	*(int *)arg = knell_loop_run(l, KNELL_RUN_NOWAIT);
}

LOOP_TEST(run, not_from_inside)
{
	int ret = 0;

	ASSERT_TASK(knell_add_event(self->l, runs_its_loop, &ret, 0));
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_EQ(-EBUSY, ret);
}

/* Another loop can be run from inside of a task. */
static void runs_another(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	(void)l;
	(void)call;
	traced("outer");
	if (knell_loop_run(arg, KNELL_RUN_DEFAULT))
		abort();
}

LOOP_TEST(run, a_loop_in_a_task)
{
	struct knell_loop *other = new_loop(variant->backend);

	ASSERT_NE(NULL, other);
	ASSERT_TASK(knell_add_event(self->l, runs_another, other, 0));
	ASSERT_TASK(knell_add_event(other, cb_trace, "inner", 0));
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_STREQ("outer inner", trace);
	knell_loop_free(other);
}

/* What a callback is told of an event. */
static struct knell_call got_call;

static void keep_call(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	(void)l;
	(void)arg;
	got_call = *call;
}

LOOP_TEST(run, what_an_event_is_told)
{
	knell_task t = knell_add_event(self->l, keep_call, NULL, -77);

	ASSERT_TASK(t);
	EXPECT_TRUE(knell_pending(self->l, t));
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_ONCE));
	EXPECT_EQ(KNELL_KIND_EVENT, got_call.kind);
	EXPECT_EQ(t.idx, got_call.task.idx);
	EXPECT_EQ(t.gen, got_call.task.gen);
	EXPECT_STREQ("keep_call", got_call.site->func);
	EXPECT_STREQ(__FILE__, got_call.site->file);
	EXPECT_LT(0, got_call.site->line);
	EXPECT_EQ(-77, got_call.val);
	EXPECT_FALSE(knell_pending(self->l, t));
	t = knell_add_ready(self->l, keep_call, NULL, 78);
	ASSERT_TASK(t);
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_ONCE));
	EXPECT_EQ(KNELL_KIND_READY, got_call.kind);
	EXPECT_EQ(78, got_call.val);
}

LIBKNELL_MAIN
