// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Quagga's names: masters and tasks.
 *
 * A struct thread * stays with the program when the task is gone, and the program may come back
 * with it. So the object behind it is not freed before the master is, and not used again until
 * many others have come to their end. What a peak of tasks has left behind is given back to the
 * system as memory, while the addresses stay and read as objects that are not used.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "quagga.h"

#define SLAB_OBJS	512U
#define SLAB_SIZE	(SLAB_OBJS * sizeof(struct q_thread))

/*
 * Objects
 */

static void q_list_add(struct q_list *list, struct q_thread *q)
{
	q->next = NULL;
	q->prev = list->last;
	*(q->prev ? &q->prev->next : &list->first) = q;
	list->last = q;
	list->nr++;
}

static void q_list_push(struct q_list *list, struct q_thread *q)
{
	q->prev = NULL;
	q->next = list->first;
	*(q->next ? &q->next->prev : &list->last) = q;
	list->first = q;
	list->nr++;
}

static void q_list_del(struct q_list *list, struct q_thread *q)
{
	*(q->prev ? &q->prev->next : &list->first) = q->next;
	*(q->next ? &q->next->prev : &list->last) = q->prev;
	list->nr--;
}

/* What it holds has not been used, or not for long: it is used first. */
static void slab_warm(struct thread_master *m, struct q_slab *s)
{
	for (unsigned int i = 0; i < SLAB_OBJS; i++) {
		s->obj[i].slab = s;
		s->obj[i].pub.type = THREAD_UNUSED;
		q_list_push(&m->unused, &s->obj[i]);
	}
	s->cold = false;
}

static void slab_chill(struct thread_master *m, struct q_slab *s)
{
	for (unsigned int i = 0; i < SLAB_OBJS; i++)
		q_list_del(&m->unused, &s->obj[i]);
	s->cold = true;
	if (madvise(s->obj, SLAB_SIZE, MADV_DONTNEED))
		memset(s->obj, 0, SLAB_SIZE);
}

static bool slab_more(struct thread_master *m)
{
	struct q_slab *s;
	void *p;

	for (s = m->slabs; s && !s->cold; s = s->next)
		;
	if (!s) {
		s = calloc(1, sizeof(*s));
		if (!s)
			return false;
		p = mmap(NULL, SLAB_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			 -1, 0);
		if (p == MAP_FAILED) {
			free(s);
			return false;
		}
		s->obj = p;
		s->next = m->slabs;
		m->slabs = s;
	}
	slab_warm(m, s);
	return true;
}

static struct q_thread *q_new(struct thread_master *m)
{
	struct q_thread *q;

	if (m->unused.nr <= KNELL_QUAGGA_STALE && !slab_more(m)) {
		errno = ENOMEM;
		return NULL;
	}
	q = m->unused.first;
	q_list_del(&m->unused, q);
	q->slab->used++;
	return q;
}

static void idle_add(struct thread_master *m, struct q_slab *s)
{
	s->idle = true;
	s->next_idle = NULL;
	*(m->idle ? &m->idle_last->next_idle : &m->idle) = s;
	m->idle_last = s;
}

/* One slab at a time is looked at, when more than enough objects wait out their time. */
static void give_back(struct thread_master *m)
{
	struct q_slab *s = m->idle;

	if (!s || m->unused.nr <= KNELL_QUAGGA_STALE + 2 * SLAB_OBJS)
		return;
	if (!s->used && !s->cold && m->ends - s->last_end < KNELL_QUAGGA_STALE)
		return;
	m->idle = s->next_idle;
	s->idle = false;
	if (!s->used && !s->cold)
		slab_chill(m, s);
}

/* The task has come to its end. */
static void q_end(struct thread_master *m, struct q_thread *q)
{
	struct q_slab *s = q->slab;

	q->state = Q_UNUSED;
	q->pub.type = THREAD_UNUSED;
	s->last_end = ++m->ends;
	q_list_add(&m->unused, q);
	if (!--s->used && !s->idle)
		idle_add(m, s);
	give_back(m);
}

void knell_quagga_unused(struct thread_master *m)
{
	for (struct q_slab *s = m->slabs; s; s = s->next)
		if (!s->used && !s->cold)
			slab_chill(m, s);
}

/* The object behind any pointer that was given out; NULL: it is nothing any more. */
static struct q_thread *q_find(const struct thread *t)
{
	struct q_thread *q = t ? t->knell : NULL;

	return q && q->state == Q_PENDING ? q : NULL;
}

/*
 * Masters
 */

struct thread_master *knell_quagga_master(struct knell_loop *l)
{
	struct thread_master *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->own = !l;
	m->loop = l ? l : knell_loop_new(NULL);
	if (!m->loop) {
		free(m);
		return NULL;
	}
	return m;
}

struct knell_loop *knell_quagga_loop(struct thread_master *m)
{
	return m->loop;
}

static void master_free(struct thread_master *m)
{
	struct q_slab *s, *next;

	if (m->own)
		knell_loop_free(m->loop);
	for (s = m->slabs; s; s = next) {
		next = s->next;
		munmap(s->obj, SLAB_SIZE);
		free(s);
	}
	free(m);
}

void knell_quagga_master_free(struct thread_master *m)
{
	if (!m || m->dead)
		return;
	while (m->live.first)
		knell_quagga_cancel(&m->live.first->pub);
	q_wqs_free(m);
	q_signals_free(m);
	if (!m->busy && !m->loop->run && !m->loop->running) {
		master_free(m);
		return;
	}
	m->dead = true;
	knell_loop_stop(m->loop);
}

void knell_quagga_main(struct thread_master *m)
{
	m->busy = true;
	knell_loop_run(m->loop, KNELL_RUN_DEFAULT);
	m->busy = false;
	if (m->dead)
		master_free(m);
}

/*
 * Tasks
 */

struct thread **knell_quagga_current(void)
{
	static __thread struct thread *current;

	return &current;
}

static void run_thread(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	struct q_thread *q = arg;
	struct thread_master *m = q->pub.master;
	struct thread **current = knell_quagga_current(), *outer = *current;

	(void)l;
	(void)call;
	if (q->state == Q_PENDING)
		q_list_del(&m->live, q);
	q->state = Q_RUNNING;
	q->pub.type = THREAD_UNUSED;
	*current = &q->pub;
	q->pub.func(&q->pub);
	*current = outer;
	q_end(m, q);
}

/* The master's loop is freed, though it was not its own. */
static void drop_thread(struct alias *a)
{
	struct q_thread *q = (struct q_thread *)a;

	q_list_del(&q->pub.master->live, q);
	q_end(q->pub.master, q);
}

_Static_assert(!offsetof(struct q_thread, alias), "what drop_thread() is given");

static struct q_thread *q_make(struct thread_master *m, const struct knell_site *site,
			       unsigned char type, int (*func)(struct thread *), void *arg)
{
	struct q_thread *q;

	if (!func) {
		errno = EINVAL;
		return NULL;
	}
	q = q_new(m);
	if (!q)
		return NULL;
	q->alias.counted_as = (knell_cb *)(void (*)(void))func;
	q->alias.drop = drop_thread;
	q->pub = (struct thread){
		.type = type, .add_type = type, .master = m, .func = func, .arg = arg,
		.funcname = site->func, .schedfrom = site->file, .schedfrom_line = site->line,
		.knell = q,
	};
	return q;
}

static knell_task q_add(struct q_thread *q, const struct knell_site *site, int64_t val)
{
	struct knell_loop *l = q->pub.master->loop;
	uint64_t ns = val > 0 ? (uint64_t)val : 0;

	switch (q->pub.type) {
	case THREAD_READ:
		return knell_add_io_site(l, site, run_thread, q, KNELL_KIND_READ, (int)val);
	case THREAD_WRITE:
		return knell_add_io_site(l, site, run_thread, q, KNELL_KIND_WRITE, (int)val);
	case THREAD_TIMER:
		return knell_add_timer_site(l, site, run_thread, q, ns, 0);
	case THREAD_EVENT:
		return knell_add_event_site(l, site, run_thread, q, KNELL_KIND_EVENT, (int)val);
	case THREAD_BACKGROUND:
		return knell_add_background_site(l, site, run_thread, q, ns / NSEC_PER_MSEC, 0);
	default:
		errno = EINVAL;
		return KNELL_NONE;
	}
}

static struct timeval to_tv(uint64_t ns)
{
	return (struct timeval){
		.tv_sec = (time_t)(ns / NSEC_PER_SEC),
		.tv_usec = (suseconds_t)(ns % NSEC_PER_SEC / NSEC_PER_USEC),
	};
}

struct thread *knell_quagga_add(struct thread_master *m, const struct knell_site *site,
				unsigned char type, int (*func)(struct thread *), void *arg,
				int64_t val)
{
	struct q_thread *q = q_make(m, site, type, func, arg);
	struct task *t;

	if (!q)
		return NULL;
	q->task = q_add(q, site, val);
	t = task_find(m->loop, q->task);
	if (!t) {
		q_end(m, q);
		return NULL;
	}
	t->flags |= TASK_ALIAS;
	if (type == THREAD_TIMER || type == THREAD_BACKGROUND)
		q->pub.u.sands = to_tv(t->due);
	else
		q->pub.u.val = (int)val;
	q->state = Q_PENDING;
	q_list_add(&m->live, q);
	return &q->pub;
}

struct thread *knell_quagga_execute(struct thread_master *m, const struct knell_site *site,
				    int (*func)(struct thread *), void *arg, int val)
{
	struct q_thread *q = q_make(m, site, THREAD_EXECUTE, func, arg);
	struct task *t;

	if (!q)
		return NULL;
	t = loop_add(m->loop, KNELL_KIND_EXECUTE, site, run_thread, q);
	if (!t) {
		q_end(m, q);
		return NULL;
	}
	q->pub.u.val = val;
	q->state = Q_RUNNING;
	t->flags |= TASK_ALIAS;
	loop_execute(m->loop, t, val);
	return NULL;
}

void knell_quagga_cancel(struct thread *t)
{
	struct q_thread *q = q_find(t);
	struct thread_master *m;

	if (!q)
		return;
	m = q->pub.master;
	knell_cancel(m->loop, q->task);
	q_list_del(&m->live, q);
	q_end(m, q);
}

/* Quagga looks into two of its lists only: what waits for a time or a descriptor stays. */
unsigned int knell_quagga_cancel_event(struct thread_master *m, const void *arg)
{
	struct q_thread *q, *next;
	unsigned int nr = 0;
	struct task *t;

	for (q = m->live.first; q; q = next) {
		next = q->next;
		if (q->pub.arg != arg)
			continue;
		t = task_find(m->loop, q->task);
		if (!t || t->state != TASK_LISTED)
			continue;
		knell_quagga_cancel(&q->pub);
		nr++;
	}
	return nr;
}

int knell_quagga_should_yield(const struct thread *t)
{
	const struct q_thread *q = t->knell;
	uint64_t us = 0;

	if (q && q->state == Q_RUNNING)
		us = knell_should_yield(q->pub.master->loop) / NSEC_PER_USEC;
	return us > INT32_MAX ? INT32_MAX : (int)us;
}

static uint64_t remaining(const struct thread *t)
{
	struct q_thread *q = q_find(t);
	int64_t ns = q ? knell_timer_remaining_ns(q->pub.master->loop, q->task) : 0;

	return ns > 0 ? (uint64_t)ns : 0;
}

unsigned long knell_quagga_remain_second(const struct thread *t)
{
	return remaining(t) / NSEC_PER_SEC;
}

struct timeval knell_quagga_remain(const struct thread *t)
{
	return to_tv(remaining(t));
}

/*
 * Fetch and call: the program's own main loop
 */

/* Runs what is not a thread, to which it has come in its turn. */
static bool is_thread(const struct task *t)
{
	return t->cb == run_thread && !(t->flags & TASK_DELIVERY);
}

struct thread *knell_quagga_fetch(struct thread_master *m, struct thread *copy)
{
	struct q_thread *q;
	struct task *t;

	while ((t = loop_next(m->loop, &m->budget)) && !is_thread(t))
		loop_call(m->loop, t);
	if (!t) {
		if (m->dead)
			master_free(m);
		return NULL;
	}
	q = t->arg;
	if (!copy)
		return &q->pub;
	*copy = q->pub;
	return copy;
}

void knell_quagga_call(struct thread *t)
{
	struct q_thread *q = q_find(t);
	struct task *task = q ? task_find(q->pub.master->loop, q->task) : NULL;

	if (task && task->state == TASK_LISTED)
		loop_call(q->pub.master->loop, task);
}
