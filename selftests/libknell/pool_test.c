// SPDX-License-Identifier: GPL-2.0-only
/* Threads for what blocks. They need no backend but for the completions. runner-limit: 900 */
#include "common.h"

LOOP_FIXTURE(pool);

/* Jobs wait here until it is opened; as many have come as @inside says. */
struct gate {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	unsigned int inside;
	bool open;
};

#define GATE	{ .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER }

static struct gate gate = GATE;

static void at_gate(void *arg)
{
	struct gate *g = arg ? arg : &gate;

	pthread_mutex_lock(&g->lock);
	g->inside++;
	pthread_cond_broadcast(&g->changed);
	while (!g->open)
		pthread_cond_wait(&g->changed, &g->lock);
	g->inside--;
	pthread_cond_broadcast(&g->changed);
	pthread_mutex_unlock(&g->lock);
}

static void await_inside(struct gate *g, unsigned int nr)
{
	pthread_mutex_lock(&g->lock);
	while (g->inside != nr)
		pthread_cond_wait(&g->changed, &g->lock);
	pthread_mutex_unlock(&g->lock);
}

static void open_gate(struct gate *g)
{
	pthread_mutex_lock(&g->lock);
	g->open = true;
	pthread_cond_broadcast(&g->changed);
	pthread_mutex_unlock(&g->lock);
}

static struct knell_pool_stats pool_stats(struct knell_pool *p)
{
	struct knell_pool_stats s;

	knell_pool_stats_get(p, &s);
	return s;
}

/* Nothing reports that a thread has gone to sleep or ended, so these look. */
static void await_idle(struct knell_pool *p, unsigned int nr)
{
	while (pool_stats(p).idle != nr)
		sleep_ns(MSEC / 4);
}

static void await_threads(struct knell_pool *p, unsigned int nr)
{
	while (pool_stats(p).threads != nr)
		sleep_ns(MSEC / 4);
}

static atomic_uint jobs_run;
static unsigned int jobs_done, jobs_cancelled, wrong;
static pthread_t loop_thread;

static void count_job(void *arg)
{
	(void)arg;
	atomic_fetch_add(&jobs_run, 1);
}

static void count_done(struct knell_loop *l, void *arg, int status)
{
	(void)l;
	(void)arg;
	if (!pthread_equal(loop_thread, pthread_self()))
		wrong++;
	if (status == -ECANCELED)
		jobs_cancelled++;
	else if (status)
		wrong++;
	else
		jobs_done++;
}

LOOP_TEST(pool, runs_a_job_and_tells_the_loop)
{
	struct knell_pool *p = knell_pool_new(NULL);
	struct knell_pool_stats s;

	ASSERT_NE(NULL, p);
	loop_thread = pthread_self();
	ASSERT_EQ(0, knell_pool_submit(p, self->l, count_job, count_done, NULL, 0, NULL));
	/* The loop has something to wait for as long as the job is under way. */
	EXPECT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_EQ(1, atomic_load(&jobs_run));
	EXPECT_EQ(1, jobs_done);
	EXPECT_EQ(0, wrong);
	s = pool_stats(p);
	EXPECT_EQ(1, s.submitted);
	EXPECT_EQ(1, s.completed);
	EXPECT_EQ(1, s.created);
	EXPECT_EQ(0, knell_pool_shutdown(p, KNELL_NEVER));
}

TEST(bad_attributes)
{
	const struct knell_pool_attr bad[] = {
		{ .max = 1U << 20 }, { .stack_size = SIZE_MAX }, { .flags = 1U << 30 },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		errno = 0;
		EXPECT_EQ(NULL, knell_pool_new(&bad[i]));
		EXPECT_EQ(EINVAL, errno);
	}
}

TEST(bad_jobs)
{
	struct knell_pool *p = knell_pool_new(NULL);

	ASSERT_NE(NULL, p);
	EXPECT_EQ(-EINVAL, knell_pool_submit(p, NULL, NULL, NULL, NULL, 0, NULL));
	EXPECT_EQ(-EINVAL, knell_pool_submit(p, NULL, count_job, count_done, NULL, 0, NULL));
	EXPECT_EQ(-EINVAL, knell_pool_submit(p, NULL, count_job, NULL, NULL, 1U << 30, NULL));
	EXPECT_EQ(0, pool_stats(p).created);
	EXPECT_EQ(0, knell_pool_shutdown(p, 0));
}

/* B7, and the lesson of it all: threads are as many as jobs at a time, not as jobs. */
TEST(no_thread_per_job)
{
	struct knell_pool *p = knell_pool_new(&(struct knell_pool_attr){ .max = 8 });
	const unsigned int jobs = times(2500);

	ASSERT_NE(NULL, p);
	for (unsigned int i = 0; i < jobs; i++) {
		for (unsigned int k = 0; k < 4; k++)
			ASSERT_EQ(0, knell_pool_submit(p, NULL, count_job, NULL, NULL, 0, NULL));
		while (pool_stats(p).idle != pool_stats(p).threads)
			sched_yield();
	}
	EXPECT_EQ(4 * jobs, atomic_load(&jobs_run));
	EXPECT_EQ(pool_stats(p).peak, pool_stats(p).created);
	EXPECT_LE(pool_stats(p).created, 4);
	/* One that was made for a job may find it done by another. */
	EXPECT_LE(4 * jobs - pool_stats(p).created, pool_stats(p).reused);
	EXPECT_GT(4 * jobs, pool_stats(p).reused);
	EXPECT_EQ(pool_stats(p).created, atomic_load(&threads_created));
	EXPECT_EQ(0, knell_pool_shutdown(p, KNELL_NEVER));
}

TEST(peak_is_what_ran_at_a_time)
{
	struct knell_pool *p = knell_pool_new(&(struct knell_pool_attr){ .max = 5 });
	struct knell_pool_stats s;

	ASSERT_NE(NULL, p);
	for (unsigned int i = 0; i < 20; i++)
		ASSERT_EQ(0, knell_pool_submit(p, NULL, at_gate, NULL, NULL,
					       KNELL_WORK_MANDATORY, NULL));
	await_inside(&gate, 5);
	s = pool_stats(p);
	EXPECT_EQ(5, s.threads);
	EXPECT_EQ(5, s.peak);
	EXPECT_EQ(15, s.queued);
	EXPECT_EQ(0, s.idle);
	open_gate(&gate);
	await_idle(p, 5);
	s = pool_stats(p);
	EXPECT_EQ(5, s.created);
	EXPECT_EQ(15, s.reused);
	EXPECT_EQ(20, s.completed);
	EXPECT_EQ(0, s.queued);
	EXPECT_EQ(0, knell_pool_shutdown(p, KNELL_NEVER));
}

TEST(back_pressure)
{
	struct knell_pool *p = knell_pool_new(&(struct knell_pool_attr){
		.max = 1, .queue_max = 3 });

	ASSERT_NE(NULL, p);
	ASSERT_EQ(0, knell_pool_submit(p, NULL, at_gate, NULL, NULL, 0, NULL));
	await_inside(&gate, 1);
	for (unsigned int i = 0; i < 3; i++)
		ASSERT_EQ(0, knell_pool_submit(p, NULL, count_job, NULL, NULL, 0, NULL));
	EXPECT_EQ(-EAGAIN, knell_pool_submit(p, NULL, count_job, NULL, NULL, 0, NULL));
	EXPECT_EQ(-EAGAIN, knell_pool_submit(p, NULL, count_job, NULL, NULL,
					     KNELL_WORK_MANDATORY, NULL));
	EXPECT_EQ(2, pool_stats(p).rejected);
	open_gate(&gate);
	await_idle(p, 1);
	EXPECT_EQ(3, atomic_load(&jobs_run));
	EXPECT_EQ(0, knell_pool_submit(p, NULL, count_job, NULL, NULL, 0, NULL));
	EXPECT_EQ(0, knell_pool_shutdown(p, KNELL_NEVER));
}

/* T-34 */
#define SUBMITTERS	16

struct submitter {
	pthread_t thread;
	struct knell_pool *pool;
	struct knell_loop *l;
	unsigned int jobs;
	unsigned int failed;
};

static void *submit_many(void *arg)
{
	struct submitter *s = arg;

	for (unsigned int i = 0; i < s->jobs; i++) {
		int err = knell_pool_submit(s->pool, s->l, count_job, s->l ? count_done : NULL,
					    NULL, 0, NULL);

		if (err == -EAGAIN) {
			i--;
			sched_yield();
		} else if (err) {
			s->failed++;
		}
	}
	return NULL;
}

/* Holds the loop until all have submitted. */
static void all_submitted(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	(void)l;
	(void)call;
	knell_cancel(l, *(knell_task *)arg);
}

LOOP_TEST(pool, t34_many_submitters)
{
	struct knell_pool *p = knell_pool_new(&(struct knell_pool_attr){ .max = 4 });
	static struct submitter s[SUBMITTERS];
	const unsigned int jobs = times(100000) / SUBMITTERS;
	knell_task stay;

	ASSERT_NE(NULL, p);
	loop_thread = pthread_self();
	stay = knell_add_timer(self->l, cb_nothing, NULL, 100000);
	for (unsigned int i = 0; i < SUBMITTERS; i++) {
		s[i] = (struct submitter){ .pool = p, .l = self->l, .jobs = jobs };
		ASSERT_EQ(0, pthread_create(&s[i].thread, NULL, submit_many, &s[i]));
	}
	while (jobs_done < SUBMITTERS * jobs)
		ASSERT_EQ(1, knell_loop_run(self->l, KNELL_RUN_ONCE));
	for (unsigned int i = 0; i < SUBMITTERS; i++) {
		ASSERT_EQ(0, pthread_join(s[i].thread, NULL));
		EXPECT_EQ(0, s[i].failed);
	}
	knell_add_event(self->l, all_submitted, &stay, 0);
	EXPECT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_EQ(SUBMITTERS * jobs, atomic_load(&jobs_run));
	EXPECT_EQ(SUBMITTERS * jobs, jobs_done);
	EXPECT_EQ(0, wrong);
	EXPECT_GE(4, pool_stats(p).peak);
	EXPECT_EQ(0, knell_pool_shutdown(p, KNELL_NEVER));
}

/* T-35: nobody is told that a job was taken when there is no thread to run it, nor ever will. */
LOOP_TEST(pool, t35_no_thread_can_be_made)
{
	struct knell_pool *p = knell_pool_new(NULL);

	ASSERT_NE(NULL, p);
	atomic_store(&fail_threads, 1);
	EXPECT_EQ(-EAGAIN, knell_pool_submit(p, self->l, count_job, count_done, NULL, 0, NULL));
	EXPECT_EQ(0, pool_stats(p).queued);
	/* Nor does the loop wait for it. */
	EXPECT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_EQ(0, atomic_load(&jobs_run));
	/* With one there, the others may fail: it does their work. */
	ASSERT_EQ(0, knell_pool_submit(p, self->l, at_gate, count_done, NULL, 0, NULL));
	await_inside(&gate, 1);
	loop_thread = pthread_self();
	atomic_store(&fail_threads, 2);
	ASSERT_EQ(0, knell_pool_submit(p, self->l, count_job, count_done, NULL, 0, NULL));
	ASSERT_EQ(0, knell_pool_submit(p, self->l, count_job, count_done, NULL, 0, NULL));
	EXPECT_EQ(1, pool_stats(p).threads);
	open_gate(&gate);
	EXPECT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_EQ(2, atomic_load(&jobs_run));
	EXPECT_EQ(3, jobs_done);
	atomic_store(&fail_threads, 0);
	EXPECT_EQ(0, knell_pool_shutdown(p, KNELL_NEVER));
}

/* T-36 */
TEST(t36_idle_threads_end)
{
	struct knell_pool *p = knell_pool_new(&(struct knell_pool_attr){
		.max = 6, .keep_alive_ns = 20 * MSEC });

	ASSERT_NE(NULL, p);
	for (unsigned int i = 0; i < 6; i++)
		ASSERT_EQ(0, knell_pool_submit(p, NULL, at_gate, NULL, NULL, 0, NULL));
	await_inside(&gate, 6);
	open_gate(&gate);
	await_threads(p, 0);
	EXPECT_EQ(6, pool_stats(p).peak);
	/* And come again. */
	ASSERT_EQ(0, knell_pool_submit(p, NULL, count_job, NULL, NULL, 0, NULL));
	await_threads(p, 0);
	EXPECT_EQ(1, atomic_load(&jobs_run));
	EXPECT_EQ(7, pool_stats(p).created);
	EXPECT_EQ(0, knell_pool_shutdown(p, KNELL_NEVER));
}

static pid_t last_tid;

static void note_tid(void *arg)
{
	(void)arg;
	last_tid = own_tid();
}

/* The latest to sleep is the first to work: the others sleep on, and could end. */
TEST(t36_last_in_first_out)
{
	struct knell_pool *p = knell_pool_new(&(struct knell_pool_attr){
		.max = 4, .keep_alive_ns = KNELL_NEVER });
	struct gate own[4] = { GATE, GATE, GATE, GATE };
	pid_t first;

	ASSERT_NE(NULL, p);
	for (unsigned int i = 0; i < 4; i++) {
		ASSERT_EQ(0, knell_pool_submit(p, NULL, at_gate, NULL, &own[i], 0, NULL));
		await_inside(&own[i], 1);
	}
	for (unsigned int i = 0; i < 4; i++) {
		open_gate(&own[i]);
		await_idle(p, i + 1);
	}
	ASSERT_EQ(0, knell_pool_submit(p, NULL, note_tid, NULL, NULL, 0, NULL));
	await_idle(p, 4);
	first = last_tid;
	for (unsigned int i = 0; i < 100; i++) {
		ASSERT_EQ(0, knell_pool_submit(p, NULL, note_tid, NULL, NULL, 0, NULL));
		await_idle(p, 4);
		ASSERT_EQ(first, last_tid);
	}
	EXPECT_EQ(4, pool_stats(p).created);
	EXPECT_EQ(0, knell_pool_shutdown(p, KNELL_NEVER));
}

/* T-37 */
LOOP_TEST(pool, t37_shutdown)
{
	struct knell_pool *p = knell_pool_new(&(struct knell_pool_attr){ .max = 1 });
	struct meanwhile m;

	ASSERT_NE(NULL, p);
	loop_thread = pthread_self();
	ASSERT_EQ(0, knell_pool_submit(p, self->l, at_gate, count_done, NULL, 0, NULL));
	await_inside(&gate, 1);
	for (unsigned int i = 0; i < 10; i++)
		ASSERT_EQ(0, knell_pool_submit(p, self->l, count_job, count_done, NULL,
					       i % 2 ? KNELL_WORK_MANDATORY : 0, NULL));
	meanwhile(&m, (void (*)(void *))open_gate, &gate);
	EXPECT_EQ(0, knell_pool_shutdown(p, KNELL_NEVER));
	meanwhile_done(&m);
	EXPECT_EQ(5, atomic_load(&jobs_run));
	EXPECT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_EQ(6, jobs_done);
	EXPECT_EQ(5, jobs_cancelled);
	EXPECT_EQ(0, wrong);
}

LOOP_TEST(pool, t37_shutdown_does_not_wait_for_ever)
{
	struct knell_pool *p = knell_pool_new(NULL);
	unsigned int others;
	uint64_t begin;

	ASSERT_NE(NULL, p);
	loop_thread = pthread_self();
	ASSERT_EQ(0, knell_pool_submit(p, self->l, at_gate, count_done, NULL, 0, NULL));
	await_inside(&gate, 1);
	others = nr_threads() - 1;
	begin = now_ns();
	EXPECT_EQ(-ETIMEDOUT, knell_pool_shutdown(p, 20 * MSEC));
	EXPECT_LE(20 * MSEC, now_ns() - begin);
	/* The job ends all the same, and is told of; the pool goes with its thread. */
	open_gate(&gate);
	EXPECT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_EQ(1, jobs_done);
	while (nr_threads() > others)
		sleep_ns(MSEC / 4);
}

/* A loop may be freed once it has run what it was posted, whoever is still ringing. */
LOOP_TEST(pool, loop_freed_at_once)
{
	struct knell_pool *p = knell_pool_new(NULL);

	ASSERT_NE(NULL, p);
	loop_thread = pthread_self();
	for (unsigned int i = 0; i < times(400); i++) {
		struct knell_loop *l = new_loop(variant->backend);

		ASSERT_NE(NULL, l);
		ASSERT_EQ(0, knell_pool_submit(p, l, count_job, count_done, NULL, 0, NULL));
		ASSERT_EQ(0, knell_loop_run(l, KNELL_RUN_DEFAULT));
		ASSERT_EQ(i + 1, jobs_done);
		knell_loop_free(l);
	}
	EXPECT_EQ(0, knell_pool_shutdown(p, KNELL_NEVER));
}

LOOP_TEST(pool, cancel)
{
	struct knell_pool *p = knell_pool_new(&(struct knell_pool_attr){ .max = 1 });
	struct knell_work *runs, *waits;

	ASSERT_NE(NULL, p);
	loop_thread = pthread_self();
	ASSERT_EQ(0, knell_pool_submit(p, self->l, at_gate, count_done, NULL, 0, &runs));
	await_inside(&gate, 1);
	ASSERT_EQ(0, knell_pool_submit(p, self->l, count_job, count_done, NULL, 0, &waits));
	EXPECT_EQ(0, knell_work_cancel(runs));
	EXPECT_EQ(1, knell_work_cancel(waits));
	EXPECT_EQ(0, knell_work_cancel(waits));
	knell_work_put(waits);
	open_gate(&gate);
	EXPECT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_EQ(0, atomic_load(&jobs_run));
	EXPECT_EQ(1, jobs_done);
	EXPECT_EQ(1, jobs_cancelled);
	EXPECT_EQ(0, wrong);
	EXPECT_EQ(0, knell_work_cancel(runs));
	knell_work_put(runs);
	EXPECT_EQ(1, pool_stats(p).cancelled);
	EXPECT_EQ(0, knell_pool_shutdown(p, KNELL_NEVER));
}

/* Each lets the one before it go: with a cap none would ever end. */
struct chain {
	struct gate gate;
	struct chain *before;
};

static void link_of_chain(void *arg)
{
	struct chain *c = arg;

	if (c->before)
		open_gate(&c->before->gate);
	at_gate(&c->gate);
	atomic_fetch_add(&jobs_run, 1);
}

TEST(uncapped_jobs_may_wait_for_each_other)
{
	struct knell_pool *p = knell_pool_new(&(struct knell_pool_attr){
		.max = 1, .flags = KNELL_POOL_UNCAPPED });
	static struct chain c[40];

	ASSERT_NE(NULL, p);
	for (unsigned int i = 0; i < ARRAY_SIZE(c); i++) {
		c[i] = (struct chain){ .gate = GATE, .before = i ? &c[i - 1] : NULL };
		ASSERT_EQ(0, knell_pool_submit(p, NULL, link_of_chain, NULL, &c[i], 0, NULL));
	}
	open_gate(&c[ARRAY_SIZE(c) - 1].gate);
	while (atomic_load(&jobs_run) < ARRAY_SIZE(c))
		sleep_ns(MSEC / 4);
	EXPECT_EQ(0, knell_pool_shutdown(p, KNELL_NEVER));
}

static sigset_t job_mask;
static char job_name[32];
static size_t job_stack;

static void look_around(void *arg)
{
	pthread_attr_t attr;

	(void)arg;
	pthread_sigmask(SIG_SETMASK, NULL, &job_mask);
	pthread_getname_np(pthread_self(), job_name, sizeof(job_name));
	if (!pthread_getattr_np(pthread_self(), &attr)) {
		pthread_attr_getstacksize(&attr, &job_stack);
		pthread_attr_destroy(&attr);
	}
}

TEST(what_threads_are_like)
{
	static const int asynchronous[] = { SIGTERM, SIGINT, SIGHUP, SIGCHLD, SIGUSR1, SIGALRM };
	struct knell_pool *p = knell_pool_new(&(struct knell_pool_attr){
		.name = "a name that is too long for a thread", .stack_size = 512 << 10 });
	sigset_t before, after;

	ASSERT_NE(NULL, p);
	pthread_sigmask(SIG_SETMASK, NULL, &before);
	ASSERT_EQ(0, knell_pool_submit(p, NULL, look_around, NULL, NULL,
				       KNELL_WORK_MANDATORY, NULL));
	pthread_sigmask(SIG_SETMASK, NULL, &after);
	EXPECT_EQ(0, knell_pool_shutdown(p, KNELL_NEVER));
	for (unsigned int i = 0; i < ARRAY_SIZE(asynchronous); i++) {
		EXPECT_EQ(1, sigismember(&job_mask, asynchronous[i]));
		/* The submitter's own mask is as it was. */
		EXPECT_EQ(sigismember(&before, asynchronous[i]),
			  sigismember(&after, asynchronous[i]));
	}
	EXPECT_STREQ("a name that is ", job_name);
	EXPECT_LE(512 << 10, job_stack);
	EXPECT_GT(2 << 20, job_stack);
}

static void trace_done(struct knell_loop *l, void *arg, int status)
{
	(void)l;
	traced("%s%s", (const char *)arg, status ? "!" : "");
}

static void no_work(void *arg)
{
	(void)arg;
}

LOOP_TEST(pool, completions_keep_the_order_of_one_thread)
{
	struct knell_pool *p = knell_pool_new(&(struct knell_pool_attr){ .max = 1 });
	static char word[][2] = { "a", "b", "c", "d", "e" };

	ASSERT_NE(NULL, p);
	for (unsigned int i = 0; i < ARRAY_SIZE(word); i++)
		ASSERT_EQ(0, knell_pool_submit(p, self->l, no_work, trace_done, word[i], 0, NULL));
	EXPECT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_STREQ("a b c d e", trace);
	EXPECT_EQ(0, knell_pool_shutdown(p, KNELL_NEVER));
}

TEST(tables)
{
	struct knell_pool *p = knell_pool_new(&(struct knell_pool_attr){
		.name = "na\"me\n", .max = 3 });
	char *text = NULL, *json = NULL;
	size_t size;
	FILE *f;

	ASSERT_NE(NULL, p);
	ASSERT_EQ(0, knell_pool_submit(p, NULL, count_job, NULL, NULL, 0, NULL));
	await_idle(p, 1);
	f = open_memstream(&text, &size);
	EXPECT_EQ(0, knell_pool_show(p, f, KNELL_TEXT));
	fclose(f);
	f = open_memstream(&json, &size);
	EXPECT_EQ(0, knell_pool_show(p, f, KNELL_JSON));
	fclose(f);
	EXPECT_TRUE(is_json(json));
	EXPECT_FALSE(is_json(text));
	EXPECT_NE(NULL, strstr(json, "\"created\":1"));
	free(text);
	free(json);
	f = fopen("/dev/full", "w");
	ASSERT_NE(NULL, f);
	EXPECT_EQ(-EIO, knell_pool_show(p, f, KNELL_TEXT));
	fclose(f);
	EXPECT_EQ(0, knell_pool_shutdown(p, KNELL_NEVER));
}

/* The threads are not there, and neither function waits for them. */
TEST(in_a_forked_child)
{
	struct knell_pool *p = knell_pool_new(NULL);
	pid_t pid;

	ASSERT_NE(NULL, p);
	ASSERT_EQ(0, knell_pool_submit(p, NULL, count_job, NULL, NULL, 0, NULL));
	await_idle(p, 1);
	pid = fork();
	if (!pid)
		test_exit(knell_pool_submit(p, NULL, count_job, NULL, NULL, 0, NULL) == -ECHILD ?
			  0 : 1);
	ASSERT_GT(pid, 0);
	EXPECT_EQ(0, child_status(pid));
	EXPECT_EQ(0, knell_pool_shutdown(p, KNELL_NEVER));
}

LIBKNELL_MAIN
