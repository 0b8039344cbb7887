// SPDX-License-Identifier: GPL-2.0-only
/* In which order tasks run, that none starves, and when a loop ends or sleeps. runner-limit: 900 */
#include "common.h"

LOOP_FIXTURE(order);

#define KINDS	8

/* What can be ready at the same time, in the order in which it has to run. */
static const char *const in_order = "signal ready event child timer read write background";

struct one_of_each {
	struct knell_loop *l;
	int readable, writable;
	pid_t child;
};

static void one_of_each_setup(struct one_of_each *o, struct knell_loop *l)
{
	o->l = l;
	o->readable = readable_fd();
	o->writable = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	o->child = zombie(3);
}

static void one_of_each_done(struct one_of_each *o)
{
	close(o->readable);
	close(o->writable);
	child_status(o->child);
}

/* Adds the task of kind @nr, that calls @cb with the kind's name. */
static knell_task add_nr(struct one_of_each *o, unsigned int nr, knell_cb *cb)
{
	struct knell_loop *l = o->l;

	switch (nr) {
	case 0:
		return knell_add_ready(l, cb, "ready", 0);
	case 1:
		return knell_add_event(l, cb, "event", 0);
	case 2:
		return knell_add_child(l, cb, "child", o->child, KNELL_CHILD_EXIT);
	case 3:
		return knell_add_timer_ns(l, cb, "timer", 0);
	case 4:
		return knell_add_read(l, cb, "read", o->readable);
	case 5:
		return knell_add_write(l, cb, "write", o->writable);
	case 6:
		return knell_add_background(l, cb, "background", 0);
	default:
		return knell_add_signal(l, cb, "signal", SIGUSR1);
	}
}

/* T-01 */
LOOP_TEST(order, t01_one_of_each)
{
	struct one_of_each o;
	knell_task signal_task;

	one_of_each_setup(&o, self->l);
	/* However they were added, and each time anew. */
	for (unsigned int first = 0; first < 2 * KINDS; first++) {
		trace_clear();
		signal_task = KNELL_NONE;
		for (unsigned int i = 0; i < KINDS; i++) {
			unsigned int nr = (first + i) % KINDS;
			knell_task t;

			if (first >= KINDS)
				nr = KINDS - 1 - nr;
			t = add_nr(&o, nr, cb_trace);
			ASSERT_TASK(t);
			if (nr == KINDS - 1)
				signal_task = t;
		}
		raise(SIGUSR1);
		ASSERT_EQ(1, knell_loop_run(self->l, KNELL_RUN_ONCE));
		EXPECT_STREQ(in_order, trace);
		ASSERT_EQ(1, knell_cancel(self->l, signal_task));
		ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_NOWAIT));
	}
	one_of_each_done(&o);
}

/* Of one kind: in the order they were added, or became ready. */
LOOP_TEST(order, fifo_within_a_kind)
{
	static const char *const words[] = { "0", "1", "2", "3", "4", "5", "6", "7" };

	for (int i = 0; i < 8; i++)
		ASSERT_TASK(knell_add_event(self->l, cb_trace, (void *)words[i], i));
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_ONCE));
	EXPECT_STREQ("0 1 2 3 4 5 6 7", trace);
	trace_clear();
	for (int i = 0; i < 8; i++)
		ASSERT_TASK(knell_add_ready(self->l, cb_trace, (void *)words[i], i));
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_ONCE));
	EXPECT_STREQ("0 1 2 3 4 5 6 7", trace);
	trace_clear();
	for (int i = 0; i < 8; i++)
		ASSERT_TASK(knell_add_background(self->l, cb_trace, (void *)words[i], 0));
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_ONCE));
	EXPECT_STREQ("0 1 2 3 4 5 6 7", trace);
}

/*
 * T-02: tasks of every kind that add themselves again get on at the same rate.
 */

struct rearmed {
	struct one_of_each *o;
	unsigned int nr;
	unsigned long count;
};

static void rearm(struct knell_loop *l, const struct knell_call *call, void *arg);

static knell_task rearmed_add(struct rearmed *r)
{
	struct knell_loop *l = r->o->l;

	switch (r->nr) {
	case 0:
		return knell_add_ready(l, rearm, r, 0);
	case 1:
		return knell_add_event(l, rearm, r, 0);
	case 2:
		return knell_add_child(l, rearm, r, r->o->child, KNELL_CHILD_EXIT);
	case 3:
		return knell_add_timer_ns(l, rearm, r, 0);
	case 4:
		return knell_add_read(l, rearm, r, r->o->readable);
	case 5:
		return knell_add_write(l, rearm, r, r->o->writable);
	default:
		return knell_add_background(l, rearm, r, 0);
	}
}

static void rearm(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	struct rearmed *r = arg;

	(void)l;
	(void)call;
	r->count++;
	if (knell_is_none(rearmed_add(r)))
		abort();
}

LOOP_TEST(order, t02_fairness)
{
	const unsigned int passes = times(10000);
	struct rearmed r[KINDS - 1];
	struct one_of_each o;

	one_of_each_setup(&o, self->l);
	for (unsigned int i = 0; i < KINDS - 1; i++) {
		r[i] = (struct rearmed){ &o, i, 0 };
		ASSERT_TASK(rearmed_add(&r[i]));
	}
	ASSERT_EQ(1, run_passes(self->l, passes));
	for (unsigned int i = 0; i < KINDS - 1; i++) {
		EXPECT_LE(passes * 95UL / 100, r[i].count);
		EXPECT_GE(passes * 105UL / 100, r[i].count);
	}
	/* While they are in the middle of it. */
	one_of_each_done(&o);
}

/*
 * T-03: what a task adds does not run in the same pass, and does in the next.
 */

static struct one_of_each *adder_of;

static void add_all(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	(void)l;
	(void)call;
	traced("%s!", (const char *)arg);
	for (unsigned int nr = 0; nr < KINDS - 1; nr++)
		if (knell_is_none(add_nr(adder_of, nr, cb_trace)))
			abort();
}

LOOP_TEST(order, t03_not_in_the_same_pass)
{
	struct one_of_each o;

	one_of_each_setup(&o, self->l);
	adder_of = &o;
	for (unsigned int nr = 0; nr < KINDS - 1; nr++) {
		char first[32];

		ASSERT_TASK(add_nr(&o, nr, add_all));
		ASSERT_EQ(1, knell_loop_run(self->l, KNELL_RUN_ONCE));
		snprintf(first, sizeof(first), "%s", trace);
		/* It alone has run. */
		EXPECT_EQ('!', first[strlen(first) - 1]);
		EXPECT_EQ(NULL, strchr(first, ' '));
		trace_clear();
		ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_ONCE));
		EXPECT_STREQ("ready event child timer read write background", trace);
		trace_clear();
	}
	one_of_each_done(&o);
}

/* What was in the list of that pass already keeps its place in it. */
LOOP_TEST(order, t03_others_of_the_pass_run)
{
	struct one_of_each o;

	one_of_each_setup(&o, self->l);
	adder_of = &o;
	ASSERT_TASK(knell_add_event(self->l, add_all, "event", 0));
	ASSERT_TASK(knell_add_event(self->l, cb_trace, "another", 0));
	ASSERT_TASK(knell_add_background(self->l, cb_trace, "last", 0));
	ASSERT_EQ(1, knell_loop_run(self->l, KNELL_RUN_ONCE));
	EXPECT_STREQ("event! another last", trace);
	trace_clear();
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_ONCE));
	EXPECT_STREQ("ready event child timer read write background", trace);
	one_of_each_done(&o);
}

/*
 * T-07: an event that a signal's callback adds does not wait for something else to happen.
 */

static void signal_adds_event(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	traced("signal%d", call->sig->si_signo == SIGUSR1);
	knell_add_event(l, cb_stop, arg, 0);
}

static void send_usr1(void *arg)
{
	kill(getpid(), SIGUSR1);
	(void)arg;
}

LOOP_TEST(order, t07_event_of_a_signal_runs_at_once)
{
	struct meanwhile m;

	ASSERT_TASK(knell_add_signal(self->l, signal_adds_event, "event", SIGUSR1));
	ASSERT_TASK(knell_add_timer(self->l, cb_trace, "an hour later", 3600));
	for (int i = 0; i < 20; i++) {
		trace_clear();
		meanwhile(&m, send_usr1, NULL);
		ASSERT_EQ(1, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
		EXPECT_STREQ("signal1 event", trace);
		meanwhile_done(&m);
	}
}

/* Signals are looked at before every task, not only once in a pass. */
static void raise_usr1(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	(void)l;
	(void)call;
	traced("%s", (const char *)arg);
	raise(SIGUSR1);
}

LOOP_TEST(order, signals_before_every_task)
{
	ASSERT_TASK(knell_add_signal(self->l, cb_trace, "signal", SIGUSR1));
	ASSERT_TASK(knell_add_event(self->l, raise_usr1, "one", 0));
	ASSERT_TASK(knell_add_event(self->l, raise_usr1, "two", 0));
	ASSERT_TASK(knell_add_timer_ns(self->l, raise_usr1, "three", 0));
	ASSERT_TASK(knell_add_background(self->l, raise_usr1, "four", 0));
	ASSERT_TASK(knell_add_background(self->l, cb_trace, "five", 0));
	ASSERT_EQ(1, knell_loop_run(self->l, KNELL_RUN_ONCE));
	EXPECT_STREQ("one signal two signal three signal four signal five", trace);
	/* The last one's would be, too. */
	trace_clear();
	ASSERT_TASK(knell_add_event(self->l, raise_usr1, "one", 0));
	ASSERT_EQ(1, knell_loop_run(self->l, KNELL_RUN_ONCE));
	ASSERT_EQ(1, knell_loop_run(self->l, KNELL_RUN_NOWAIT));
	EXPECT_STREQ("one signal", trace);
}

/*
 * T-14: a timer of zero that adds itself again and again keeps nobody from running.
 */

static int starved_pipe[2];
static pid_t starved_child;
static unsigned long zero_runs, read_at, exit_at;

static void zero_timer(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	(void)call;
	(void)arg;
	if (++zero_runs == 100) {
		if (write(starved_pipe[1], "x", 1) != 1)
			abort();
		kill(starved_child, SIGTERM);
		await_zombie(starved_child);
	}
	knell_add_timer_ns(l, zero_timer, NULL, 0);
}

static void starved_read(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	(void)l;
	(void)call;
	(void)arg;
	read_at = zero_runs;
}

static void starved_exit(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	(void)l;
	(void)arg;
	if (call->child->code == CLD_KILLED && call->child->pid == starved_child)
		exit_at = zero_runs;
}

LOOP_TEST(order, t14_zero_timers_starve_nobody)
{
	make_pipe(starved_pipe);
	starved_child = idle_child();
	ASSERT_LT(0, starved_child);
	ASSERT_TASK(knell_add_child(self->l, starved_exit, NULL, starved_child, 0));
	ASSERT_TASK(knell_add_read(self->l, starved_read, NULL, starved_pipe[0]));
	ASSERT_TASK(knell_add_timer_ns(self->l, zero_timer, NULL, 0));
	ASSERT_EQ(1, run_passes(self->l, 200));
	EXPECT_LE(200, zero_runs);
	/* In that pass or the next but one. */
	EXPECT_LE(100, read_at);
	EXPECT_GE(102, read_at);
	EXPECT_LE(100, exit_at);
	EXPECT_GE(102, exit_at);
	EXPECT_EQ(256 + SIGTERM, child_status(starved_child));
	close(starved_pipe[0]);
	close(starved_pipe[1]);
}

/* The same for what is always ready: an event, a descriptor, a ready task, background. */
static unsigned long runs_of_all;

static void again_event(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	runs_of_all++;
	if (call->kind == KNELL_KIND_EVENT)
		knell_add_event(l, again_event, arg, 0);
	else if (call->kind == KNELL_KIND_READY)
		knell_add_ready(l, again_event, arg, 0);
	else if (call->kind == KNELL_KIND_READ)
		knell_add_read(l, again_event, arg, call->io.fd);
	else
		knell_add_background(l, again_event, arg, 0);
}

LOOP_TEST(order, t14_the_always_ready_starve_nobody)
{
	int fd = readable_fd();

	make_pipe(starved_pipe);
	ASSERT_TASK(knell_add_event(self->l, again_event, NULL, 0));
	ASSERT_TASK(knell_add_ready(self->l, again_event, NULL, 0));
	ASSERT_TASK(knell_add_read(self->l, again_event, NULL, fd));
	ASSERT_TASK(knell_add_background(self->l, again_event, NULL, 0));
	ASSERT_TASK(knell_add_timer_ns(self->l, cb_trace, "timer", 0));
	ASSERT_TASK(knell_add_read(self->l, cb_trace, "read", starved_pipe[0]));
	ASSERT_EQ(1, run_passes(self->l, 10));
	EXPECT_LE(30, runs_of_all);
	EXPECT_STREQ("timer", trace);
	ASSERT_EQ(1, write(starved_pipe[1], "x", 1));
	ASSERT_EQ(1, run_passes(self->l, 3));
	EXPECT_STREQ("timer read", trace);
	close(fd);
	close(starved_pipe[0]);
	close(starved_pipe[1]);
}

/*
 * The budget: after event_interval tasks the kernel is looked at; the rest keeps its place.
 */

static unsigned long between, between_max, looks;

static void count_between(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	(void)l;
	traced("%d", call->val);
	(void)arg;
	if (++between > between_max)
		between_max = between;
}

static void look(struct knell_loop *l, void *arg)
{
	(void)l;
	(void)arg;
	between = 0;
	looks++;
}

static void expect_budget(struct __test_metadata *_metadata, enum knell_backend backend,
			  unsigned int interval, unsigned int tasks)
{
	const struct knell_loop_attr attr = { .backend = backend, .event_interval = interval };
	struct knell_loop *l = knell_loop_new(&attr);
	char *end = trace;

	ASSERT_NE(NULL, l);
	between = between_max = looks = 0;
	trace_clear();
	ASSERT_EQ(0, knell_add_check(l, look, NULL));
	for (unsigned int i = 0; i < tasks; i++)
		ASSERT_TASK(knell_add_event(l, count_between, NULL, i));
	ASSERT_EQ(0, knell_loop_run(l, KNELL_RUN_DEFAULT));
	EXPECT_EQ(interval ? interval : 61, between_max);
	for (unsigned int i = 0; i < tasks; i++) {
		ASSERT_EQ(i, strtoul(end, &end, 10));
	}
	knell_loop_free(l);
}

LOOP_TEST(order, event_interval)
{
	expect_budget(_metadata, variant->backend, 0, 1000);
	EXPECT_LE(1000UL / 61, looks);
	expect_budget(_metadata, variant->backend, 1, 50);
	EXPECT_LE(50, looks);
	expect_budget(_metadata, variant->backend, 7, 100);
}

/* A.3.7: whoever is ready starts within one run of each other ready task and one look. */
static void write_once(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	(void)arg;
	runs_of_all++;
	if (call->val == 30 && !read_at) {
		read_at = runs_of_all;
		if (write(starved_pipe[1], "x", 1) != 1)
			abort();
	}
	knell_add_event(l, write_once, NULL, call->val);
}

static void note_read(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	(void)call;
	(void)arg;
	exit_at = runs_of_all;
	knell_loop_stop(l);
}

LOOP_TEST(order, a_ready_task_starts_within_bounds)
{
	const unsigned int others = 1000;

	make_pipe(starved_pipe);
	ASSERT_TASK(knell_add_read(self->l, note_read, NULL, starved_pipe[0]));
	for (unsigned int i = 0; i < others; i++)
		ASSERT_TASK(knell_add_event(self->l, write_once, NULL, i));
	ASSERT_EQ(1, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_LE(read_at, exit_at);
	EXPECT_GE(others + 61 + 1, exit_at - read_at);
	close(starved_pipe[0]);
	close(starved_pipe[1]);
}

/* Descriptors: each gets its turn, both directions of one are read before write. */
LOOP_TEST(order, descriptors_take_turns)
{
	int fds[8], peer[8];
	unsigned long count[8] = { 0 };

	for (int i = 0; i < 8; i++) {
		int pair[2];

		ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair));
		fds[i] = pair[0];
		peer[i] = pair[1];
		ASSERT_EQ(1, write(peer[i], "x", 1));
	}
	for (int round = 0; round < 100; round++) {
		trace_clear();
		for (int i = 0; i < 8; i++) {
			ASSERT_TASK(knell_add_write(self->l, cb_trace, "w", fds[i]));
			ASSERT_TASK(knell_add_read(self->l, cb_trace, "r", fds[i]));
		}
		ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
		EXPECT_STREQ("r r r r r r r r w w w w w w w w", trace);
	}
	(void)count;
	for (int i = 0; i < 8; i++) {
		close(fds[i]);
		close(peer[i]);
	}
}

/* More are ready than the kernel is asked for at a time: all run, none twice. */
static unsigned long reads_of[300];

static void count_read(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	(void)l;
	(void)call;
	++*(unsigned long *)arg;
}

LOOP_TEST(order, small_batches)
{
	const struct knell_loop_attr attr = { .backend = variant->backend, .batch = 2 };
	struct knell_loop *l = knell_loop_new(&attr);
	int fds[ARRAY_SIZE(reads_of)];

	ASSERT_NE(NULL, l);
	for (unsigned int i = 0; i < ARRAY_SIZE(fds); i++) {
		fds[i] = readable_fd();
		ASSERT_TASK(knell_add_read(l, count_read, &reads_of[i], fds[i]));
	}
	ASSERT_EQ(0, knell_loop_run(l, KNELL_RUN_DEFAULT));
	for (unsigned int i = 0; i < ARRAY_SIZE(fds); i++) {
		EXPECT_EQ(1, reads_of[i]);
		close(fds[i]);
	}
	EXPECT_LE(ARRAY_SIZE(fds) / 2, stats_of(l).batches);
	knell_loop_free(l);
}

/*
 * Background, and background that waits until nothing else is ready.
 */

static void event_down(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	(void)arg;
	traced("%d", call->val);
	if (call->val)
		knell_add_event(l, event_down, NULL, call->val - 1);
}

LOOP_TEST(order, idle_waits_for_quiet)
{
	ASSERT_TASK(knell_add_idle(self->l, cb_trace, "idle", 0));
	ASSERT_TASK(knell_add_background(self->l, cb_trace, "background", 0));
	ASSERT_TASK(knell_add_event(self->l, event_down, NULL, 5));
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_STREQ("5 background 4 3 2 1 0 idle", trace);
}

/* T-23: a loop with nothing to wait for ends, whatever was the last thing. */
LOOP_TEST(order, t23_ends_when_empty)
{
	struct one_of_each o;
	knell_task t;

	EXPECT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_EQ(0, knell_loop_run(self->l, KNELL_RUN_ONCE));
	EXPECT_EQ(0, knell_loop_run(self->l, KNELL_RUN_NOWAIT));
	one_of_each_setup(&o, self->l);
	for (unsigned int nr = 0; nr < KINDS - 1; nr++) {
		trace_clear();
		ASSERT_TASK(add_nr(&o, nr, cb_trace));
		EXPECT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
		EXPECT_STRNE("", trace);
		/* Cancelled before it ran. */
		trace_clear();
		t = add_nr(&o, nr, cb_trace);
		ASSERT_EQ(1, knell_cancel(self->l, t));
		EXPECT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
		EXPECT_STREQ("", trace);
	}
	/* A descriptor that never was ready. */
	t = knell_add_read(self->l, cb_trace, "never", o.writable);
	EXPECT_EQ(1, knell_loop_run(self->l, KNELL_RUN_NOWAIT));
	ASSERT_EQ(1, knell_cancel(self->l, t));
	EXPECT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	/* Hooks are nothing to wait for. */
	ASSERT_EQ(0, knell_add_prepare(self->l, look, NULL));
	ASSERT_EQ(0, knell_add_check(self->l, look, NULL));
	EXPECT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	/* What stays until it is cancelled is. */
	ASSERT_EQ(0, knell_del_hook(self->l, look, NULL));
	ASSERT_EQ(0, knell_del_hook(self->l, look, NULL));
	ASSERT_EQ(-ENOENT, knell_del_hook(self->l, look, NULL));
	t = add_nr(&o, KINDS - 1, cb_trace);
	EXPECT_EQ(1, knell_loop_run(self->l, KNELL_RUN_NOWAIT));
	ASSERT_EQ(1, knell_cancel(self->l, t));
	EXPECT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	one_of_each_done(&o);
}

LIBKNELL_MAIN
