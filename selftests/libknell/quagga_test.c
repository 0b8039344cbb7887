// SPDX-License-Identifier: GPL-2.0-only
/*
 * Quagga's names: what its functions do, on each backend, and what a pointer that has outlived its
 * task does not do. runner-limit: 900
 */
#include <zebra.h>

#include "sigevent.h"
#include "thread.h"
#include "workqueue.h"

#include "common.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED	true
#else
#define SANITIZED	false
#endif

LOOP_FIXTURE(names);

static struct thread_master *m;
static struct thread *kept;

static int traces(struct thread *t)
{
	traced("%s", (const char *)THREAD_ARG(t));
	return 0;
}

static int traces_val(struct thread *t)
{
	traced("%s%d", (const char *)THREAD_ARG(t), THREAD_VAL(t));
	return 0;
}

static int counts(struct thread *t)
{
	(void)t;
	counted++;
	return 0;
}

static void on_usr1(void)
{
	traced("signal");
}

static struct quagga_signal_t usr1 = { .signal = SIGUSR1, .handler = on_usr1 };

/* The main loop of the older daemons, and of the later ones. */
static void main_loop(void)
{
	struct thread t;

	while (thread_fetch(m, &t))
		thread_call(&t);
}

static void main_loop_1_2(void)
{
	struct thread *t;

	while ((t = thread_fetch(m)))
		thread_call(t);
}

LOOP_TEST(names, order)
{
	void (*const loops[])(void) = { main_loop, main_loop_1_2 };
	int readable = readable_fd(), writable = eventfd(0, EFD_CLOEXEC);

	for (unsigned int i = 0; i < 3; i++) {
		trace_clear();
		m = knell_quagga_master(self->l);
		ASSERT_NE(NULL, m);
		ASSERT_NE(NULL, thread_add_background(m, traces, "background", 0));
		ASSERT_NE(NULL, thread_add_write(m, traces, "write", writable));
		ASSERT_NE(NULL, thread_add_read(m, traces, "read", readable));
		ASSERT_NE(NULL, thread_add_timer_msec(m, traces, "timer", 0));
		ASSERT_NE(NULL, thread_add_event(m, traces_val, "event", 7));
		if (i < 2)
			loops[i]();
		else
			thread_main(m);
		EXPECT_STREQ("event7 timer read write background", trace);
		thread_master_free(m);
	}
	close(readable);
	close(writable);
}

LOOP_TEST(names, signals_first)
{
	struct thread t;

	m = knell_quagga_master(self->l);
	signal_init(m, 1, &usr1);
	thread_add_event(m, traces, "a", 0);
	thread_add_event(m, traces, "b", 0);
	raise(SIGUSR1);
	ASSERT_EQ(&t, thread_fetch(m, &t));
	EXPECT_STREQ("signal", trace);
	thread_call(&t);
	raise(SIGUSR1);
	ASSERT_EQ(&t, thread_fetch(m, &t));
	thread_call(&t);
	EXPECT_STREQ("signal a signal b", trace);
	thread_master_free(m);
	/* Nobody listens any more: as before, SIGUSR1 would kill. */
	struct sigaction now;

	ASSERT_EQ(0, sigaction(SIGUSR1, NULL, &now));
	EXPECT_EQ(SIG_DFL, now.sa_handler);
	ASSERT_EQ(0, sigaction(SIGPIPE, NULL, &now));
	EXPECT_EQ(SIG_IGN, now.sa_handler);
}

LOOP_TEST(names, fields)
{
	struct thread *t;
	int fd = eventfd(0, EFD_CLOEXEC), line;

	m = knell_quagga_master(self->l);
	t = thread_add_read(m, counts, &fd, fd); line = __LINE__;
	ASSERT_NE(NULL, t);
	EXPECT_EQ(fd, THREAD_FD(t));
	EXPECT_EQ(&fd, THREAD_ARG(t));
	EXPECT_EQ(m, t->master);
	EXPECT_TRUE(counts == t->func);
	EXPECT_EQ(THREAD_READ, t->type);
	EXPECT_EQ(THREAD_READ, t->add_type);
	EXPECT_STREQ("counts", t->funcname);
	EXPECT_STREQ(__FILE__, t->schedfrom);
	EXPECT_EQ(line, t->schedfrom_line);
	/* One for a descriptor and direction. */
	errno = 0;
	EXPECT_EQ(NULL, thread_add_read(m, counts, NULL, fd));
	EXPECT_EQ(EEXIST, errno);
	EXPECT_NE(NULL, thread_add_write(m, counts, NULL, fd));
	EXPECT_EQ(NULL, thread_add_read(m, counts, NULL, -1));
	thread_cancel(t);
	EXPECT_EQ(THREAD_UNUSED, t->type);
	EXPECT_NE(NULL, thread_add_read(m, counts, NULL, fd));
	thread_master_free(m);
	close(fd);
}

static int adds_again(struct thread *t)
{
	(void)t;
	kept = NULL;
	counted++;
	THREAD_TIMER_MSEC_ON(m, kept, adds_again, NULL, 0);
	if (counted == 3)
		THREAD_TIMER_OFF(kept);
	return 0;
}

LOOP_TEST(names, on_and_off)
{
	struct thread *t = NULL, *was;

	m = knell_quagga_master(self->l);
	THREAD_TIMER_ON(m, t, counts, NULL, 100);
	ASSERT_NE(NULL, t);
	was = t;
	THREAD_TIMER_ON(m, t, counts, NULL, 1);
	EXPECT_EQ(was, t);
	/* A slow kernel's clock may not have ticked since. */
	for (uint64_t now = now_ns(); now_ns() == now;)
		;
	EXPECT_EQ(99, thread_timer_remain_second(t));
	THREAD_OFF(t);
	EXPECT_EQ(NULL, t);
	THREAD_OFF(t);
	THREAD_TIMER_MSEC_ON(m, kept, adds_again, NULL, 0);
	thread_main(m);
	EXPECT_EQ(3, counted);
	EXPECT_EQ(NULL, kept);
	thread_master_free(m);
}

LOOP_TEST(names, time)
{
	struct timeval hour = { 3600, 999999 }, left, mono, recent;
	struct thread *t, *b;

	m = knell_quagga_master(self->l);
	t = thread_add_timer_tv(m, counts, NULL, &hour);
	b = thread_add_background(m, counts, NULL, 5000);
	ASSERT_NE(NULL, t);
	ASSERT_NE(NULL, b);
	ASSERT_EQ(0, quagga_gettime(QUAGGA_CLK_MONOTONIC, &mono));
	left = thread_timer_remain(t);
	EXPECT_EQ(3600, left.tv_sec);
	EXPECT_EQ(3600, thread_timer_remain_second(t));
	/* 5 by a clock that ticks seldom. */
	EXPECT_LE(4, thread_timer_remain_second(b));
	EXPECT_GE(5, thread_timer_remain_second(b));
	EXPECT_GE(mono.tv_sec + 3601, t->u.sands.tv_sec);
	EXPECT_LE(mono.tv_sec + 3500, t->u.sands.tv_sec);
	thread_cancel(t);
	EXPECT_EQ(0, thread_timer_remain_second(t));
	EXPECT_EQ(0, thread_timer_remain_second(NULL));
	/* Beyond what the clock can say, and what is over. */
	t = thread_add_timer(m, counts, NULL, LONG_MAX);
	ASSERT_NE(NULL, t);
	EXPECT_LT(9000000000, thread_timer_remain_second(t));
	thread_cancel(t);
	t = thread_add_timer(m, counts, NULL, LONG_MIN);
	ASSERT_NE(NULL, t);
	EXPECT_EQ(0, thread_timer_remain_second(t));
	thread_cancel(t);
	EXPECT_EQ(-1, quagga_gettime((enum quagga_clkid)9, &mono));
	recent = recent_time;
	EXPECT_GE(2, llabs((long long)recent.tv_sec - time(NULL)));
	EXPECT_GE(2, llabs((long long)quagga_time(NULL) - time(NULL)));
	ASSERT_EQ(0, quagga_gettime(QUAGGA_CLK_REALTIME_STABILISED, &mono));
	EXPECT_GE(2, llabs((long long)mono.tv_sec - recent.tv_sec));
	thread_master_free(m);
}

/*
 * What is not to be cancelled is called "stays".
 */
static int cancels_arg(struct thread *t)
{
	traced("%u", thread_cancel_event(m, THREAD_ARG(t)));
	return 0;
}

LOOP_TEST(names, cancel_event)
{
	int readable = readable_fd(), silent = eventfd(0, EFD_CLOEXEC);
	static char arg[] = "goes", other[] = "stays";
	struct thread *pending, *waits;

	m = knell_quagga_master(self->l);
	/* From outside: events, and nothing else is ready. */
	thread_add_event(m, traces, arg, 0);
	thread_add_event(m, traces, other, 0);
	thread_add_event(m, traces, arg, 0);
	thread_add_timer_msec(m, traces, arg, 0);
	EXPECT_EQ(2, thread_cancel_event(m, arg));
	thread_main(m);
	EXPECT_STREQ("stays goes", trace);
	/* From within: a timer and a reader that are ready, too. */
	trace_clear();
	thread_add_event(m, cancels_arg, arg, 0);
	thread_add_timer_msec(m, traces, arg, 0);
	thread_add_timer_msec(m, traces, other, 0);
	thread_add_read(m, traces, arg, readable);
	pending = thread_add_timer(m, traces, arg, 1000);
	waits = thread_add_read(m, traces, arg, silent);
	knell_loop_run(self->l, KNELL_RUN_ONCE);
	EXPECT_STREQ("2 stays", trace);
	EXPECT_EQ(THREAD_TIMER, pending->type);
	EXPECT_EQ(THREAD_READ, waits->type);
	EXPECT_EQ(0, thread_cancel_event(m, arg));
	thread_master_free(m);
	close(readable);
	close(silent);
}

static int executes(struct thread *t)
{
	struct thread *none = thread_execute(m, traces_val, "x", 5);

	traced("%d%d%d", !none, t == thread_current, t->type == THREAD_UNUSED);
	return 0;
}

LOOP_TEST(names, execute)
{
	char *table;

	m = knell_quagga_master(self->l);
	EXPECT_EQ(NULL, thread_execute(m, executes, NULL, 0));
	EXPECT_STREQ("x5 111", trace);
	EXPECT_EQ(NULL, thread_current);
	thread_add_event(m, executes, NULL, 0);
	thread_main(m);
	EXPECT_STREQ("x5 111 x5 111", trace);
	/* Its functions' own names, and all the ways in which they were called. */
	table = shown_stats(self->l, NULL, KNELL_TEXT);
	EXPECT_NE(NULL, strstr(table, "   EX  executes"));
	EXPECT_NE(NULL, strstr(table, "    X  traces_val"));
	EXPECT_EQ(NULL, strstr(table, "run_thread"));
	free(table);
	thread_master_free(m);
}

static int yields(struct thread *t)
{
	uint64_t until = now_ns() + 20 * MSEC;

	traced("%d", thread_should_yield(t));
	while (now_ns() < until)
		;
	traced("%d", thread_should_yield(t) >= 20000);
	return 0;
}

LOOP_TEST(names, should_yield)
{
	/* So long that this machine has not used it up before it looks for the first time. */
	knell_set_yield_slot(self->l, 19 * MSEC);
	m = knell_quagga_master(self->l);
	thread_add_background(m, yields, NULL, 0);
	thread_main(m);
	EXPECT_STREQ("0 1", trace);
	thread_master_free(m);
}

/*
 * Pointers that have outlived their tasks
 */

/* Tasks that come to their end, one after the other; each time @stale is cancelled. */
static void others(struct thread *stale, unsigned int nr)
{
	while (nr--) {
		thread_add_event(m, counts, NULL, 0);
		thread_cancel(stale);
		thread_timer_remain_second(stale);
		main_loop();
	}
}

LOOP_TEST(names, stale)
{
	struct thread *ran, *cancelled, *timer;

	m = knell_quagga_master(self->l);
	/* Not only the fresh ones of the beginning. */
	others(NULL, 3 * KNELL_QUAGGA_STALE);
	counted = 0;
	ran = thread_add_event(m, traces, "ran", 0);
	main_loop();
	cancelled = thread_add_timer(m, traces, "cancelled", 0);
	thread_cancel(cancelled);
	thread_cancel(cancelled);
	timer = thread_add_timer(m, traces, "timer", 1000);
	for (unsigned int i = 0; i < KNELL_QUAGGA_STALE - 2; i++) {
		struct thread *event = thread_add_event(m, counts, NULL, 0);
		struct thread *t;

		thread_cancel(ran);
		thread_cancel(cancelled);
		ASSERT_NE(event, ran);
		ASSERT_NE(event, cancelled);
		ASSERT_EQ(event, t = thread_fetch(m));
		thread_call(t);
	}
	EXPECT_EQ(KNELL_QUAGGA_STALE - 2, counted);
	EXPECT_EQ(999, thread_timer_remain_second(timer));
	EXPECT_STREQ("ran", trace);
	thread_master_free(m);
}

static int cancels_itself(struct thread *t)
{
	thread_cancel(t);
	thread_cancel(kept);
	kept = thread_add_event(m, traces, "next", 0);
	thread_cancel(t);
	return 0;
}

LOOP_TEST(names, cancel_itself)
{
	m = knell_quagga_master(self->l);
	kept = thread_add_event(m, cancels_itself, NULL, 0);
	main_loop();
	EXPECT_STREQ("next", trace);
	thread_master_free(m);
}

/* A peak leaves little behind, and its pointers stay harmless. */
LOOP_TEST(names, peak)
{
	unsigned int nr = times(100000);
	struct thread **t = calloc(nr, sizeof(*t));
	size_t before, peak;

	m = knell_quagga_master(self->l);
	others(NULL, 10);
	memset(t, 0xff, nr * sizeof(*t));
	before = resident();
	for (unsigned int i = 0; i < nr; i++)
		ASSERT_NE(NULL, t[i] = thread_add_timer(m, traces, "never", 1000));
	peak = resident();
	for (unsigned int i = 0; i < nr; i++)
		thread_cancel(t[i]);
	if (nr >= 100000 && !SANITIZED) {
		/* Each object is larger than its task, which goes as well. */
		ASSERT_LT(before + (8 << 20), peak);
		EXPECT_GT(before + (peak - before) / 3, resident());
	}
	counted = 0;
	kept = thread_add_event(m, counts, NULL, 0);
	for (unsigned int i = 0; i < nr - KNELL_QUAGGA_STALE; i++)
		thread_cancel(t[i]);
	main_loop();
	EXPECT_EQ(1, counted);
	/* And once more, from what had been given back. */
	for (unsigned int i = 0; i < nr; i++)
		ASSERT_NE(NULL, t[i] = thread_add_timer(m, traces, "never", 1000));
	thread_master_free_unused(m);
	for (unsigned int i = 0; i < nr; i++)
		EXPECT_EQ(THREAD_TIMER, t[i]->type);
	thread_master_free(m);
	free(t);
}

/*
 * Main loops
 */

LOOP_TEST(names, fetch)
{
	struct thread t, *first;

	m = knell_quagga_master(self->l);
	EXPECT_EQ(NULL, thread_fetch(m, &t));
	first = thread_add_event(m, traces, "first", 0);
	thread_add_event(m, traces, "second", 0);
	ASSERT_EQ(first, thread_fetch(m));
	/* Fetched is not called: it can be cancelled, and is fetched again. */
	ASSERT_EQ(first, thread_fetch(m));
	thread_cancel(first);
	thread_call(first);
	EXPECT_STREQ("", trace);
	ASSERT_EQ(&t, thread_fetch(m, &t));
	EXPECT_STREQ("second", (const char *)THREAD_ARG(&t));
	thread_call(&t);
	thread_call(&t);
	EXPECT_STREQ("second", trace);
	EXPECT_EQ(NULL, thread_fetch(m, &t));
	knell_loop_stop(self->l);
	thread_add_event(m, traces, "third", 0);
	EXPECT_EQ(NULL, thread_fetch(m, &t));
	ASSERT_EQ(&t, thread_fetch(m, &t));
	thread_call(&t);
	EXPECT_STREQ("second third", trace);
	thread_master_free(m);
}

/* What is no thread runs by itself, also what comes from another thread while it sleeps. */
static void posted(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	(void)l;
	(void)call;
	traced("posted");
	thread_add_event(m, traces, arg, 0);
}

static void posts(void *l)
{
	knell_post(l, posted, "last", 0);
}

LOOP_TEST(names, fetch_others)
{
	struct meanwhile from;

	m = knell_quagga_master(self->l);
	knell_add_event(self->l, cb_trace, "native", 0);
	thread_add_event(m, traces, "thread", 0);
	thread_call(thread_fetch(m));
	EXPECT_STREQ("native thread", trace);
	thread_add_timer(m, traces, "never", 1000);
	meanwhile(&from, posts, self->l);
	thread_call(thread_fetch(m));
	meanwhile_done(&from);
	EXPECT_STREQ("native thread posted last", trace);
	thread_master_free(m);
}

static int frees_master(struct thread *t)
{
	traced("frees");
	thread_master_free(t->master);
	return 0;
}

LOOP_TEST(names, free_in_task)
{
	struct thread t;

	for (int i = 0; i < 2; i++) {
		m = thread_master_create();
		ASSERT_NE(NULL, m);
		thread_add_event(m, frees_master, NULL, 0);
		thread_add_event(m, traces, "never", 0);
		if (i)
			thread_main(m);
		else
			while (thread_fetch(m, &t))
				thread_call(&t);
	}
	EXPECT_STREQ("frees frees", trace);
	thread_master_free(NULL);
}

/*
 * Work queues
 */

static struct work_queue *wq;
static unsigned int tries;

/* The item's name says what becomes of it. */
static wq_item_status works(struct work_queue *q, void *data)
{
	const char *item = data;

	traced("%s", item);
	if (q != wq)
		return WQ_ERROR;
	tries++;
	switch (item[0]) {
	case 'E':
		return WQ_ERROR;
	case 'N':
		return WQ_RETRY_NOW;
	case 'L':
		return tries < 2 ? WQ_RETRY_LATER : WQ_SUCCESS;
	case 'Q':
		return tries < 2 ? WQ_REQUEUE : WQ_SUCCESS;
	case 'R':
		if (tries == 1)
			thread_add_event(m, traces, "event", 0);
		return tries < 3 ? WQ_REQUEUE : WQ_SUCCESS;
	case 'B':
		return tries < 5 ? WQ_QUEUE_BLOCKED : WQ_SUCCESS;
	case 'F':
		work_queue_free(q);
		return WQ_SUCCESS;
	}
	return WQ_SUCCESS;
}

static void wrong(struct work_queue *q, struct work_queue_item *item)
{
	traced("!%s%u%s", (const char *)item->data, item->ran, q == wq ? "" : "?");
}

static void deletes(struct work_queue *q, void *data)
{
	traced("-%s%s", (const char *)data, q == wq ? "" : "?");
}

static void complete(struct work_queue *q)
{
	traced("done%s", q == wq ? "" : "?");
}

static void new_wq(void)
{
	trace_clear();
	tries = 0;
	wq = work_queue_new(m, "test");
	wq->spec.workfunc = works;
	wq->spec.errorfunc = wrong;
	wq->spec.del_item_data = deletes;
	wq->spec.completion_func = complete;
	wq->spec.max_retries = 3;
	wq->spec.hold = 0;
}

LOOP_TEST(names, work_queue)
{
	static const struct { char items[2][2]; const char *trace; } cases[] = {
		{ { "S", "a" }, "S -S a -a done" },
		{ { "E", "a" }, "E !E1 -E a -a done" },
		{ { "N", "a" }, "N N N !N3 -N a -a done" },
		{ { "L", "a" }, "L L -L a -a done" },
		{ { "Q", "a" }, "Q a -a Q -Q done" },
		{ { "B", "a" }, "B B B B B -B a -a done" },
		/* Behind all others: not once more in the same run. */
		{ { "R", "a" }, "R a -a event R -R done" },
		{ { "F", "a" }, "F -a -F" },
	};

	m = knell_quagga_master(self->l);
	/* Not to be parted by a slow machine. */
	knell_set_yield_slot(self->l, KNELL_NEVER);
	for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++) {
		new_wq();
		ASSERT_NE(NULL, wq);
		EXPECT_EQ(0, work_queue_is_scheduled(wq));
		work_queue_add(wq, (void *)cases[i].items[0]);
		work_queue_add(wq, (void *)cases[i].items[1]);
		EXPECT_EQ(1, work_queue_is_scheduled(wq));
		main_loop();
		EXPECT_STREQ(cases[i].trace, trace);
		if (cases[i].items[0][0] != 'F')
			work_queue_free(wq);
	}
	thread_master_free(m);
}

LOOP_TEST(names, work_queue_held)
{
	uint64_t start;

	m = knell_quagga_master(self->l);
	new_wq();
	wq->spec.hold = 50;
	work_queue_plug(wq);
	work_queue_add(wq, "a");
	main_loop();
	EXPECT_STREQ("", trace);
	start = now_ns();
	work_queue_unplug(wq);
	main_loop();
	EXPECT_STREQ("a -a done", trace);
	EXPECT_LE(50 * MSEC, now_ns() - start);
	/* The master's end takes the items, the program's own what is left. */
	trace_clear();
	work_queue_add(wq, "b");
	thread_master_free(m);
	EXPECT_STREQ("-b", trace);
	work_queue_add(wq, "c");
	EXPECT_STREQ("-b !c0 -c", trace);
	work_queue_free(wq);
}

LIBKNELL_MAIN
