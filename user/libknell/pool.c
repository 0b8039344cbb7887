// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Threads for what blocks.
 *
 * Who submits a job takes a thread off the idle ones himself and marks it as called, so that two
 * jobs never count on one sleeper, and a thread that wakes up uncalled knows it. The thread that
 * went to sleep last is called first: those that are not needed sleep through, and end.
 * pool.coming counts the threads that were called or made and have not looked for a job yet, or
 * tell of their last one and will look again: while there are more of these than jobs nobody else
 * is called. All other threads are busy and look before they sleep, so that no job is left behind.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "internal.h"

#define POOL_MAX	32768
#define STACK_DEFAULT	(256UL << 10)
#define STACK_LEAST	(64UL << 10)
#define STACK_MOST	(1UL << 30)

enum work_state { WORK_QUEUED, WORK_TAKEN, WORK_CANCELLED };

struct knell_work {
	struct alias alias;		/* @done */
	struct post post;
	struct knell_pool *pool;
	struct knell_loop *loop;	/* NULL: nobody is told */
	struct knell_work *next, *prev;	/* in the queue */
	knell_work_fn *work;
	knell_work_done_fn *done;
	void *arg;
	bool mandatory;
	enum work_state state;		/* under the pool's lock until it is not QUEUED */
	_Atomic unsigned int refs;	/* of the pool or the completion, and the submitter */
};

/* On the thread's stack. */
struct worker {
	struct worker *below, *above;	/* in the idle ones */
	pthread_cond_t wake;
	bool called;
	bool used;			/* has had a job */
};

struct knell_pool {
	pthread_mutex_t lock;		/* covers all below */
	pthread_cond_t ended;		/* @threads is 0 */
	_Atomic size_t refs;		/* the owner, each thread, each job */
	volatile uint32_t *alive;	/* 0 in a forked child: the threads are not there */
	char name[16];
	unsigned int max;
	unsigned int queue_max;
	unsigned int flags;
	uint64_t keep_alive;
	size_t stack_size;

	struct knell_work *first, *last;
	struct worker *idle;		/* latest first */
	unsigned int coming;
	bool shutdown;
	bool abandoned;			/* nobody waits for the last thread */
	bool have_exited;
	pthread_t exited;		/* the latest thread that has ended, to be joined */
	struct knell_pool_stats count;
};

static __thread struct knell_pool *thread_pool;	/* whose thread this is */

static bool pool_is_copy(const struct knell_pool *p)
{
	return unlikely(!*p->alive);
}

/*
 * Memory
 */

static void pool_put(struct knell_pool *p)
{
	if (atomic_fetch_sub_explicit(&p->refs, 1, memory_order_acq_rel) != 1)
		return;
	pthread_cond_destroy(&p->ended);
	pthread_mutex_destroy(&p->lock);
	munmap((void *)p->alive, sizeof(*p->alive));
	free(p);
}

static void pool_get(struct knell_pool *p)
{
	atomic_fetch_add_explicit(&p->refs, 1, memory_order_relaxed);
}

void knell_work_put(struct knell_work *w)
{
	if (!w || atomic_fetch_sub_explicit(&w->refs, 1, memory_order_acq_rel) != 1)
		return;
	pool_put(w->pool);
	free(w);
}

static size_t stack_size(size_t wanted)
{
	long least = sysconf(_SC_THREAD_STACK_MIN), page = sysconf(_SC_PAGESIZE);
	size_t size = wanted ? wanted : STACK_DEFAULT;

	if (size < STACK_LEAST)
		size = STACK_LEAST;
	if (least > 0 && size < (size_t)least)
		size = (size_t)least;
	return (size + (size_t)page - 1) & ~((size_t)page - 1);
}

static void cond_init(pthread_cond_t *cond)
{
	pthread_condattr_t attr;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(cond, &attr);
	pthread_condattr_destroy(&attr);
}

struct knell_pool *knell_pool_new(const struct knell_pool_attr *attr)
{
	static const struct knell_pool_attr defaults;
	struct knell_pool *p;
	void *page;

	if (!attr)
		attr = &defaults;
	if (attr->max > POOL_MAX || attr->stack_size > STACK_MOST ||
	    attr->flags & ~KNELL_POOL_UNCAPPED) {
		errno = EINVAL;
		return NULL;
	}
	p = calloc(1, sizeof(*p));
	if (!p)
		return NULL;
	page = mmap(NULL, sizeof(*p->alive), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		    -1, 0);
	if (page == MAP_FAILED)
		goto err;
	if (madvise(page, sizeof(*p->alive), MADV_WIPEONFORK))
		goto err_page;
	p->alive = page;
	*p->alive = 1;
	strncpy(p->name, attr->name ? attr->name : "knell", sizeof(p->name) - 1);
	p->max = attr->max ? attr->max : 16;
	p->queue_max = attr->queue_max ? attr->queue_max : 65536;
	p->keep_alive = attr->keep_alive_ns ? attr->keep_alive_ns : 10 * NSEC_PER_SEC;
	p->stack_size = stack_size(attr->stack_size);
	p->flags = attr->flags;
	pthread_mutex_init(&p->lock, NULL);
	cond_init(&p->ended);
	atomic_init(&p->refs, 1);
	return p;

err_page:
	munmap(page, sizeof(*p->alive));
err:
	free(p);
	return NULL;
}

/*
 * Jobs. They are linked and unlinked under the lock.
 */

static void queue_add(struct knell_pool *p, struct knell_work *w)
{
	w->next = NULL;
	w->prev = p->last;
	*(w->prev ? &w->prev->next : &p->first) = w;
	p->last = w;
	p->count.queued++;
}

static void queue_del(struct knell_pool *p, struct knell_work *w)
{
	*(w->prev ? &w->prev->next : &p->first) = w->next;
	*(w->next ? &w->next->prev : &p->last) = w->prev;
	p->count.queued--;
}

/* The job is over one way or the other; the pool's reference goes. Without the lock. */
static void work_over(struct knell_work *w)
{
	if (w->loop)
		post_send(w->loop, &w->post);
	else
		knell_work_put(w);
}

/* The callback of the completion, in the loop. */
static void work_done(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	struct knell_work *w = arg;

	(void)call;
	loop_job_end(l);
	w->done(l, w->arg, w->state == WORK_CANCELLED ? -ECANCELED : 0);
	knell_work_put(w);
}

/* The loop is freed instead. */
static void work_drop(struct alias *a)
{
	knell_work_put((struct knell_work *)a);
}

_Static_assert(!offsetof(struct knell_work, alias), "what work_drop() is given");

static struct knell_work *work_new(struct knell_pool *p, struct knell_loop *l,
				   const struct knell_site *site)
{
	struct knell_work *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	w->alias.drop = work_drop;
	w->post.site = site;
	w->post.cb = work_done;
	w->post.arg = w;
	w->post.task_flags = TASK_ALIAS;
	w->pool = p;
	w->loop = l;
	atomic_init(&w->refs, 1);
	pool_get(p);
	return w;
}

int knell_work_cancel(struct knell_work *w)
{
	struct knell_pool *p = w->pool;
	bool queued;

	if (pool_is_copy(p))
		return 0;
	pthread_mutex_lock(&p->lock);
	queued = w->state == WORK_QUEUED;
	if (queued) {
		queue_del(p, w);
		w->state = WORK_CANCELLED;
		p->count.cancelled++;
	}
	pthread_mutex_unlock(&p->lock);
	if (queued)
		work_over(w);
	return queued;
}

/*
 * Threads
 */

static void idle_del(struct knell_pool *p, struct worker *me)
{
	*(me->above ? &me->above->below : &p->idle) = me->below;
	if (me->below)
		me->below->above = me->above;
	p->count.idle--;
}

static void idle_add(struct knell_pool *p, struct worker *me)
{
	me->called = false;
	me->above = NULL;
	me->below = p->idle;
	if (me->below)
		me->below->above = me;
	p->idle = me;
	p->count.idle++;
}

/* The latest to sleep is to look for a job. */
static void idle_call(struct knell_pool *p)
{
	struct worker *w = p->idle;

	idle_del(p, w);
	w->called = true;
	p->coming++;
	pthread_cond_signal(&w->wake);
}

/* Waits for a call. False: none came for as long as threads are kept. */
static bool worker_sleep(struct knell_pool *p, struct worker *me)
{
	uint64_t until = clock_raw();
	struct timespec ts;
	int err = 0;

	until = p->keep_alive > KNELL_NEVER - until ? KNELL_NEVER : until + p->keep_alive;
	ts.tv_sec = (time_t)(until / NSEC_PER_SEC);
	ts.tv_nsec = (long)(until % NSEC_PER_SEC);
	idle_add(p, me);
	while (!me->called && err != ETIMEDOUT) {
		if (until == KNELL_NEVER)
			pthread_cond_wait(&me->wake, &p->lock);
		else
			err = pthread_cond_timedwait(&me->wake, &p->lock, &ts);
	}
	if (me->called) {
		p->coming--;
		return true;
	}
	idle_del(p, me);
	return false;
}

/*
 * Runs jobs until there is none. Each is told of when the next has been taken already: the lock is
 * taken once a job. Under the lock, before and after.
 */
static void worker_run(struct knell_pool *p, struct worker *me)
{
	struct knell_work *w, *before = NULL;

	while ((w = p->first) || before) {
		if (w) {
			queue_del(p, w);
			w->state = WORK_TAKEN;
			p->count.reused += me->used;
			me->used = true;
		}
		/* Whoever is told may submit the next: this thread will look for it, no other. */
		p->coming += !w;
		pthread_mutex_unlock(&p->lock);
		if (before)
			work_over(before);
		if (w)
			w->work(w->arg);
		before = w;
		pthread_mutex_lock(&p->lock);
		p->coming -= !w;
		p->count.completed += !!w;
	}
}

/*
 * Each thread that ends joins the one that did so before, and shutdown the last one: none is left
 * over, and it takes nobody who waits.
 */
static void worker_exit(struct knell_pool *p, struct worker *me)
{
	pthread_t before = p->exited;
	bool join = p->have_exited, last = !--p->count.threads;

	p->exited = pthread_self();
	p->have_exited = true;
	if (last && p->abandoned)
		pthread_detach(pthread_self());
	else if (last && p->shutdown)
		pthread_cond_signal(&p->ended);
	pthread_mutex_unlock(&p->lock);
	pthread_cond_destroy(&me->wake);
	if (join)
		pthread_join(before, NULL);
	pool_put(p);
}

static void *worker_main(void *arg)
{
	struct knell_pool *p = arg;
	struct worker me = { 0 };

	thread_pool = p;
	pthread_setname_np(pthread_self(), p->name);
	cond_init(&me.wake);
	pthread_mutex_lock(&p->lock);
	p->coming--;
	for (;;) {
		worker_run(p, &me);
		if (p->shutdown || !worker_sleep(p, &me))
			break;
	}
	worker_exit(p, &me);
	return NULL;
}

/* Signals are for the program's own threads; what a fault raises must come to who is at fault. */
static void block_signals(sigset_t *old)
{
	static const int faults[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS };
	sigset_t all;
	size_t i;

	sigfillset(&all);
	for (i = 0; i < ARRAY_SIZE(faults); i++)
		sigdelset(&all, faults[i]);
	pthread_sigmask(SIG_SETMASK, &all, old);
}

/* Under the lock, so that nobody counts on a thread that then cannot be made. A positive errno. */
static int worker_new(struct knell_pool *p)
{
	pthread_attr_t attr;
	pthread_t thread;
	sigset_t old;
	int err;

	err = pthread_attr_init(&attr);
	if (err)
		return err;
	err = pthread_attr_setstacksize(&attr, p->stack_size);
	if (err)
		goto out;
	pool_get(p);
	block_signals(&old);
	err = pthread_create(&thread, &attr, worker_main, p);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (err) {
		atomic_fetch_sub_explicit(&p->refs, 1, memory_order_relaxed);
		goto out;
	}
	p->coming++;
	p->count.created++;
	if (++p->count.threads > p->count.peak)
		p->count.peak = p->count.threads;
out:
	pthread_attr_destroy(&attr);
	return err;
}

/*
 * Sees to it that some thread will look for one job more. Under the lock.
 * Return: 0; or a negative errno: it must not be queued
 */
static int pool_call(struct knell_pool *p)
{
	bool uncapped = p->flags & KNELL_POOL_UNCAPPED;
	int err;

	if (p->shutdown)
		return -ESHUTDOWN;
	if (p->count.queued < p->coming)
		return 0;
	if (p->idle) {
		idle_call(p);
		return 0;
	}
	if (uncapped || p->count.threads < p->max) {
		err = worker_new(p);
		if (!err)
			return 0;
		if (uncapped || !p->count.threads)
			return -err;
	}
	/* All are busy or will be; @coming of the jobs have got a thread. */
	return p->count.queued >= (size_t)p->queue_max + p->coming ? -EAGAIN : 0;
}

int knell_pool_submit_site(struct knell_pool *p, struct knell_loop *l,
			   const struct knell_site *site, knell_work_fn *work,
			   knell_work_done_fn *done, void *arg, unsigned int flags,
			   struct knell_work **ref)
{
	struct knell_work *w;
	int err;

	if (!work || (done && !l) || flags & ~KNELL_WORK_MANDATORY)
		return -EINVAL;
	if (pool_is_copy(p) || (done && loop_is_copy(l)))
		return -ECHILD;
	w = work_new(p, done ? l : NULL, site);
	if (!w)
		return -ENOMEM;
	w->alias.counted_as = (knell_cb *)(void (*)(void))done;
	w->work = work;
	w->done = done;
	w->arg = arg;
	w->mandatory = flags & KNELL_WORK_MANDATORY;

	pthread_mutex_lock(&p->lock);
	err = pool_call(p);
	if (err) {
		p->count.rejected += err == -EAGAIN;
		goto err;
	}
	if (done)
		loop_job_begin(l);
	if (ref) {
		atomic_store_explicit(&w->refs, 2, memory_order_relaxed);
		*ref = w;
	}
	queue_add(p, w);
	p->count.submitted++;
	pthread_mutex_unlock(&p->lock);
	return 0;

err:
	pthread_mutex_unlock(&p->lock);
	knell_work_put(w);
	return err;
}

/*
 * The end
 */

/* Takes what need not run out of the queue. */
static struct knell_work *cancel_all(struct knell_pool *p)
{
	struct knell_work *w, *next, *first = NULL, **last = &first;

	for (w = p->first; w; w = next) {
		next = w->next;
		if (w->mandatory)
			continue;
		queue_del(p, w);
		w->state = WORK_CANCELLED;
		p->count.cancelled++;
		w->next = NULL;
		*last = w;
		last = &w->next;
	}
	return first;
}

/* Until no thread is left. Under the lock. */
static int wait_ended(struct knell_pool *p, uint64_t timeout)
{
	uint64_t until = clock_raw();
	struct timespec ts;
	int err = 0;

	until = timeout > KNELL_NEVER - until ? KNELL_NEVER : until + timeout;
	ts.tv_sec = (time_t)(until / NSEC_PER_SEC);
	ts.tv_nsec = (long)(until % NSEC_PER_SEC);
	while (p->count.threads && err != ETIMEDOUT) {
		if (until == KNELL_NEVER)
			pthread_cond_wait(&p->ended, &p->lock);
		else
			err = pthread_cond_timedwait(&p->ended, &p->lock, &ts);
	}
	return p->count.threads ? -ETIMEDOUT : 0;
}

int knell_pool_shutdown(struct knell_pool *p, uint64_t timeout_ns)
{
	struct knell_work *w, *next;
	bool join;
	int err;

	if (!p)
		return 0;
	if (pool_is_copy(p))
		return -ECHILD;
	if (thread_pool == p)
		return -EDEADLK;
	pthread_mutex_lock(&p->lock);
	p->shutdown = true;
	w = cancel_all(p);
	while (p->idle)
		idle_call(p);
	pthread_mutex_unlock(&p->lock);
	for (; w; w = next) {
		next = w->next;
		work_over(w);
	}
	pthread_mutex_lock(&p->lock);
	err = wait_ended(p, timeout_ns);
	p->abandoned = err;
	join = !err && p->have_exited;
	pthread_mutex_unlock(&p->lock);
	if (join)
		pthread_join(p->exited, NULL);
	pool_put(p);
	return err;
}

void knell_pool_stats_get(struct knell_pool *p, struct knell_pool_stats *s)
{
	memset(s, 0, sizeof(*s));
	if (pool_is_copy(p))
		return;
	pthread_mutex_lock(&p->lock);
	*s = p->count;
	pthread_mutex_unlock(&p->lock);
}

int knell_pool_show(struct knell_pool *p, FILE *f, enum knell_format format)
{
	struct knell_pool_stats s;
	struct json j = { .f = f };

	if (pool_is_copy(p))
		return -ECHILD;
	knell_pool_stats_get(p, &s);

	const struct { const char *key, *head; uint64_t val; } row[] = {
		{ "threads", "Threads", s.threads },
		{ "idle", "Idle", s.idle },
		{ "peak", "Peak", s.peak },
		/* 0: no limit */
		{ "max", "Max", p->flags & KNELL_POOL_UNCAPPED ? 0 : p->max },
		{ "queued", "Queued", s.queued },
		{ "queue_max", "Queue max", p->queue_max },
		{ "submitted", "Submitted", s.submitted },
		{ "completed", "Completed", s.completed },
		{ "cancelled", "Cancelled", s.cancelled },
		{ "rejected", "Rejected", s.rejected },
		{ "created", "Created", s.created },
		{ "reused", "Reused", s.reused },
	};

	if (format == KNELL_JSON) {
		json_open(&j, NULL, '{');
		json_str(&j, "pool", p->name);
		for (size_t i = 0; i < ARRAY_SIZE(row); i++)
			json_num(&j, row[i].key, row[i].val);
		json_close(&j, '}');
		return json_done(&j);
	}
	fputs("Pool       ", f);
	text_str(f, p->name);
	fputc('\n', f);
	for (size_t i = 0; i < ARRAY_SIZE(row); i++)
		fprintf(f, "%-10s %" PRIu64 "\n", row[i].head, row[i].val);
	return file_done(f);
}
