// SPDX-License-Identifier: GPL-2.0-only
/* From other threads and from signal handlers: posts and stops, none of which is lost. runner-limit: 900 */
#include "common.h"

LOOP_FIXTURE(posts);

static int last_val;
static uint64_t last_late;

static void note_post(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	(void)l;
	if (call->kind != KNELL_KIND_EVENT)
		abort();
	last_val = call->val;
	last_late = call->late_ns;
	counted++;
	if (arg)
		traced("%s", (const char *)arg);
}

/* From the loop's own thread, also before it runs. */
LOOP_TEST(posts, in_order)
{
	static const char *const words[] = { "0", "1", "2", "3" };

	for (int i = 0; i < 4; i++)
		ASSERT_EQ(0, knell_post(self->l, note_post, (void *)words[i], i));
	EXPECT_EQ(4, stats_of(self->l).posted);
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_STREQ("0 1 2 3", trace);
	EXPECT_EQ(3, last_val);
	/* Nobody slept: no bell was rung. */
	EXPECT_EQ(0, stats_of(self->l).rings);
}

/* A post wakes a loop that sleeps, with and without a deadline. */
struct poster {
	struct knell_loop *l;
	knell_cb *cb;
};

static void post_one(void *arg)
{
	struct poster *p = arg;

	if (knell_post(p->l, p->cb, "post", 7))
		abort();
}

LOOP_TEST(posts, wakes)
{
	struct poster p = { self->l, cb_stop };
	struct meanwhile m;
	int fds[2];

	make_pipe(fds);
	ASSERT_TASK(knell_add_read(self->l, cb_trace, "never", fds[0]));
	for (int i = 0; i < 30; i++) {
		trace_clear();
		if (i == 15)
			ASSERT_TASK(knell_add_timer(self->l, cb_trace, "an hour later", 3600));
		meanwhile(&m, post_one, &p);
		ASSERT_EQ(1, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
		EXPECT_STREQ("post", trace);
		meanwhile_done(&m);
	}
	EXPECT_EQ(30, stats_of(self->l).posted);
	EXPECT_EQ(30, stats_of(self->l).rings);
	close(fds[0]);
	close(fds[1]);
}

/* From many threads at once: all arrive, those of one thread in their order. */
enum { POSTERS = 4 };

struct stream {
	struct knell_loop *l;
	unsigned int nr;
	int next;
	unsigned int out_of_order;
};

static unsigned int streams_left;

static void take_stream(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	struct stream *s = arg;

	if (call->val != s->next++)
		s->out_of_order++;
	counted++;
	if (s->next == (int)s->nr && !--streams_left)
		knell_loop_stop(l);
}

static void *post_stream(void *arg)
{
	struct stream *s = arg;

	for (unsigned int i = 0; i < s->nr; i++) {
		while (knell_post(s->l, take_stream, s, i))
			sched_yield();
		if (i % 1000 == 0)
			sleep_ns(50 * USEC);
	}
	return NULL;
}

LOOP_TEST(posts, storm)
{
	pthread_t thread[POSTERS];
	struct stream s[POSTERS];

	streams_left = POSTERS;
	/* The loop has something to wait for until it is stopped. */
	ASSERT_TASK(knell_add_timer(self->l, cb_nothing, NULL, 3600));
	for (int i = 0; i < POSTERS; i++) {
		s[i] = (struct stream){ .l = self->l, .nr = times(50000) };
		ASSERT_EQ(0, pthread_create(&thread[i], NULL, post_stream, &s[i]));
	}
	ASSERT_EQ(1, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	for (int i = 0; i < POSTERS; i++) {
		pthread_join(thread[i], NULL);
		EXPECT_EQ(0, s[i].out_of_order);
		EXPECT_EQ(s[i].nr, s[i].next);
	}
	EXPECT_EQ(counted, stats_of(self->l).posted);
	EXPECT_GE(counted, stats_of(self->l).rings);
}

/*
 * One post at a time at a loop that goes to sleep after each: the moment between its last look and
 * its sleep is met sooner or later, and a post that is lost there would end the test.
 */
static atomic_uint ping;

static void pong(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	(void)arg;
	ping++;
	if (call->val)
		knell_loop_stop(l);
}

static void *ping_thread(void *arg)
{
	const unsigned int nr = times(20000);
	uint64_t seed = 7;

	for (unsigned int i = 1; i <= nr; i++) {
		if (knell_post(arg, pong, NULL, i == nr))
			abort();
		while (ping < i)
			if (next_random(&seed) % 4 == 0)
				sched_yield();
	}
	return NULL;
}

LOOP_TEST(posts, none_is_lost_on_the_way_to_sleep)
{
	pthread_t thread;

	ASSERT_TASK(knell_add_timer(self->l, cb_nothing, NULL, 3600));
	ASSERT_EQ(0, pthread_create(&thread, NULL, ping_thread, self->l));
	ASSERT_EQ(1, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	pthread_join(thread, NULL);
	EXPECT_EQ(times(20000), ping);
}

/* Two loops in two threads that post to each other. */
struct player {
	struct knell_loop *l;
	struct player *other;
	int left;
};

static void play(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	struct player *p = arg;

	(void)call;
	if (p->left-- > 0) {
		if (knell_post(p->other->l, play, p->other, 0))
			abort();
	}
	if (p->left <= 0)
		knell_loop_stop(l);
}

static void *player_thread(void *arg)
{
	struct player *p = arg;

	return knell_loop_run(p->l, KNELL_RUN_DEFAULT) < 0 ? p : NULL;
}

LOOP_TEST(posts, two_loops)
{
	struct player a = { .l = self->l, .left = times(5000) }, b = a;
	pthread_t thread;
	void *ret;

	b.l = new_loop(variant->backend);
	ASSERT_NE(NULL, b.l);
	a.other = &b;
	b.other = &a;
	ASSERT_TASK(knell_add_timer(a.l, cb_nothing, NULL, 3600));
	ASSERT_TASK(knell_add_timer(b.l, cb_nothing, NULL, 3600));
	ASSERT_EQ(0, pthread_create(&thread, NULL, player_thread, &b));
	ASSERT_EQ(0, knell_post(a.l, play, &a, 0));
	ASSERT_EQ(1, knell_loop_run(a.l, KNELL_RUN_DEFAULT));
	pthread_join(thread, &ret);
	EXPECT_EQ(NULL, ret);
	knell_loop_free(b.l);
}

/*
 * Stop: from a thread, from a signal handler.
 */

static void stop_it(void *arg)
{
	knell_loop_stop(arg);
}

LOOP_TEST(posts, stop_from_a_thread)
{
	struct meanwhile m;

	ASSERT_TASK(knell_add_timer(self->l, cb_trace, "an hour later", 3600));
	for (int i = 0; i < 20; i++) {
		meanwhile(&m, stop_it, self->l);
		ASSERT_EQ(1, knell_loop_run(self->l, i % 2 ? KNELL_RUN_DEFAULT : KNELL_RUN_ONCE));
		meanwhile_done(&m);
	}
	EXPECT_STREQ("", trace);
}

static struct knell_loop *stopped_by_handler;

static void stop_handler(int sig)
{
	int saved = errno;

	(void)sig;
	knell_loop_stop(stopped_by_handler);
	errno = saved;
}

static void send_usr2(void *arg)
{
	(void)arg;
	kill(getpid(), SIGUSR2);
}

LOOP_TEST(posts, stop_from_a_handler)
{
	struct sigaction sa = { .sa_flags = SA_RESTART };
	struct meanwhile m;

	sa.sa_handler = stop_handler;
	stopped_by_handler = self->l;
	ASSERT_EQ(0, sigaction(SIGUSR2, &sa, NULL));
	ASSERT_TASK(knell_add_timer(self->l, cb_trace, "an hour later", 3600));
	for (int i = 0; i < 20; i++) {
		meanwhile(&m, send_usr2, NULL);
		ASSERT_EQ(1, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
		meanwhile_done(&m);
	}
	/* Right before it goes to sleep. */
	for (int i = 0; i < 100; i++) {
		raise_before_sleep = SIGUSR2;
		ASSERT_EQ(1, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
		ASSERT_EQ(0, raise_before_sleep);
	}
	EXPECT_STREQ("", trace);
}

/* A post at the very moment the loop goes to sleep. */
static struct poster at_sleep;

static void *post_thread(void *arg)
{
	post_one(&at_sleep);
	return arg;
}

static void post_from_another(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, post_thread, NULL))
		abort();
	pthread_join(thread, NULL);
}

LOOP_TEST(posts, right_before_the_sleep)
{
	at_sleep = (struct poster){ self->l, cb_stop };
	ASSERT_TASK(knell_add_timer(self->l, cb_trace, "an hour later", 3600));
	for (int i = 0; i < 100; i++) {
		trace_clear();
		call_before_sleep = post_from_another;
		ASSERT_EQ(1, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
		ASSERT_EQ(NULL, call_before_sleep);
		EXPECT_STREQ("post", trace);
	}
}

/*
 * The same when it has looked for posts and not yet said that it sleeps: nobody rings then. To tell
 * the pidfd backend of a timer on another clock takes a system call right there.
 */
LOOP_TEST(posts, between_the_look_and_the_sleep)
{
	at_sleep = (struct poster){ self->l, cb_stop };
	for (int i = 0; i < 100; i++) {
		knell_task t = knell_add_timer_at(self->l, cb_trace, "an hour later", CLOCK_REALTIME,
						  clock_ns(CLOCK_REALTIME) + HOUR + i);

		ASSERT_TASK(t);
		trace_clear();
		call_before_sleep = post_from_another;
		ASSERT_EQ(1, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
		ASSERT_EQ(NULL, call_before_sleep);
		EXPECT_STREQ("post", trace);
		ASSERT_EQ(1, knell_cancel(self->l, t));
	}
}

/* What was posted and never run goes with the loop. */
LOOP_TEST(posts, freed)
{
	for (int i = 0; i < 100; i++)
		ASSERT_EQ(0, knell_post(self->l, cb_trace, "never", i));
	if (variant->backend == KNELL_BACKEND_PIDFD)
		ASSERT_TASK(knell_add_event(self->l, cb_trace, "never", 0));
}

/* A loop is not bound to the thread that made it. */
static void *run_in_thread(void *arg)
{
	return (void *)(intptr_t)knell_loop_run(arg, KNELL_RUN_DEFAULT);
}

LOOP_TEST(posts, runs_in_another_thread)
{
	pthread_t thread;
	void *ret;
	int fd = readable_fd();

	for (int i = 0; i < 3; i++) {
		trace_clear();
		ASSERT_TASK(knell_add_event(self->l, cb_trace, "event", 0));
		ASSERT_TASK(knell_add_timer_ns(self->l, cb_trace, "timer", 0));
		ASSERT_TASK(knell_add_read(self->l, cb_trace, "read", fd));
		ASSERT_TASK(knell_add_child(self->l, cb_nothing, NULL, zombie(0),
					    KNELL_CHILD_AUTOREAP));
		ASSERT_EQ(0, pthread_create(&thread, NULL, run_in_thread, self->l));
		pthread_join(thread, &ret);
		EXPECT_EQ(NULL, ret);
		EXPECT_STREQ("event timer read", trace);
	}
	close(fd);
}

LIBKNELL_MAIN
