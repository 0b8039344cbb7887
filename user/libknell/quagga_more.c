// SPDX-License-Identifier: LGPL-2.1-or-later
/* Quagga's names: signals, work queues, time. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "quagga.h"

/*
 * Signals
 */

struct q_signal {
	struct alias alias;		/* first: the task's argument */
	struct q_signal *next;
	struct quagga_signal_t *signal;
	knell_task task;
};

/* The tables keep names for as long as the loop lives. */
#define SITE(n)		[n] = { "signal " #n, "signal_init", 0 }
#define SITES(d)	SITE(d##0), SITE(d##1), SITE(d##2), SITE(d##3), SITE(d##4), SITE(d##5), \
			SITE(d##6), SITE(d##7), SITE(d##8), SITE(d##9)

static const struct knell_site signal_sites[] = {
	SITES(), SITES(1), SITES(2), SITES(3), SITES(4), SITES(5), SITE(60), SITE(61), SITE(62),
	SITE(63), SITE(64),
};

static void run_signal(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	struct q_signal *s = arg;

	(void)l;
	(void)call;
	s->signal->handler();
}

static void signal_one(struct thread_master *m, struct quagga_signal_t *signal)
{
	struct q_signal *s;
	struct task *t;

	if (signal->signal < 1 || (size_t)signal->signal >= ARRAY_SIZE(signal_sites))
		return;
	s = calloc(1, sizeof(*s));
	if (!s)
		return;
	s->signal = signal;
	s->alias.counted_as = (knell_cb *)(void (*)(void))signal->handler;
	s->task = knell_add_signal_site(m->loop, &signal_sites[signal->signal], run_signal, s,
					signal->signal);
	t = task_find(m->loop, s->task);
	if (!t) {
		free(s);
		return;
	}
	t->flags |= TASK_ALIAS;
	s->next = m->signals;
	m->signals = s;
}

void knell_quagga_signals(struct thread_master *m, int nr, struct quagga_signal_t *signals)
{
	struct sigaction was;

	if (!sigaction(SIGPIPE, NULL, &was) && !(was.sa_flags & SA_SIGINFO) &&
	    was.sa_handler == SIG_DFL) {
		was.sa_handler = SIG_IGN;
		sigaction(SIGPIPE, &was, NULL);
	}
	for (int i = 0; i < nr; i++) {
		if (signals[i].handler)
			signal_one(m, &signals[i]);
	}
}

void q_signals_free(struct thread_master *m)
{
	struct q_signal *s;

	while ((s = m->signals)) {
		m->signals = s->next;
		knell_cancel(m->loop, s->task);
		free(s);
	}
}

/*
 * Work queues
 */

struct q_wq {
	struct work_queue pub;		/* first: what the program has */
	struct q_wq *next;		/* of the master's */
	struct knell_wq *wq;		/* NULL: freed with the master */
	bool kept;			/* by the program, after that */
};

_Static_assert(!offsetof(struct q_wq, pub), "what the program gives back");

static enum knell_wq_result wq_work(struct knell_wq *wq, void *item, void *data)
{
	static const enum knell_wq_result result[] = {
		[WQ_SUCCESS] = KNELL_WQ_OK,
		[WQ_ERROR] = KNELL_WQ_ERROR,
		[WQ_RETRY_NOW] = KNELL_WQ_RETRY_NOW,
		[WQ_RETRY_LATER] = KNELL_WQ_RETRY_LATER,
		[WQ_REQUEUE] = KNELL_WQ_REQUEUE,
		[WQ_QUEUE_BLOCKED] = KNELL_WQ_BLOCKED,
	};
	struct work_queue *q = data;
	unsigned int got;

	(void)wq;
	if (!q->spec.workfunc)
		return KNELL_WQ_ERROR;
	got = q->spec.workfunc(q, item);
	return got < ARRAY_SIZE(result) ? result[got] : KNELL_WQ_OK;
}

static void wq_error(struct knell_wq *wq, void *item, void *data)
{
	struct work_queue_item it = { item, (unsigned short)wq_tries(wq) };
	struct work_queue *q = data;

	if (q->spec.errorfunc)
		q->spec.errorfunc(q, &it);
}

static void wq_del(struct knell_wq *wq, void *item, void *data)
{
	struct work_queue *q = data;

	(void)wq;
	if (q->spec.del_item_data)
		q->spec.del_item_data(q, item);
}

static void wq_complete(struct knell_wq *wq, void *data)
{
	struct work_queue *q = data;

	(void)wq;
	if (q->spec.completion_func)
		q->spec.completion_func(q);
}

static void wq_gone(void *data)
{
	struct q_wq *q = data;

	q->wq = NULL;
	if (q->kept)
		return;
	free(q->pub.name);
	free(q);
}

struct work_queue *knell_quagga_wq_new(struct thread_master *m, const char *name)
{
	struct knell_wq_attr attr = {
		.name = name, .work = wq_work, .error = wq_error, .del = wq_del,
		.complete = wq_complete, .hold_ms = WORK_QUEUE_DEFAULT_HOLD,
	};
	struct q_wq *q = calloc(1, sizeof(*q));

	if (!q)
		return NULL;
	q->pub.master = m;
	q->pub.name = strdup(name ? name : "?");
	q->pub.spec.hold = WORK_QUEUE_DEFAULT_HOLD;
	attr.data = q;
	q->wq = q->pub.name ? knell_wq_new(m->loop, &attr) : NULL;
	if (!q->wq) {
		free(q->pub.name);
		free(q);
		return NULL;
	}
	wq_on_free(q->wq, wq_gone);
	q->next = m->wqs;
	m->wqs = q;
	return &q->pub;
}

void knell_quagga_wq_free(struct work_queue *wq)
{
	struct q_wq *q = (struct q_wq *)wq, **at;

	if (!wq)
		return;
	if (q->kept) {
		q->kept = false;
		if (!q->wq)
			wq_gone(q);
		return;
	}
	for (at = &wq->master->wqs; *at && *at != q; at = &(*at)->next)
		;
	if (!*at)
		return;
	*at = q->next;
	knell_wq_free(q->wq);
}

/* The program may free them after this: until then they are empty, and take nothing. */
void q_wqs_free(struct thread_master *m)
{
	struct q_wq *q;

	while ((q = m->wqs)) {
		m->wqs = q->next;
		q->kept = true;
		knell_wq_free(q->wq);
	}
}

void knell_quagga_wq_add(struct work_queue *wq, void *data)
{
	struct q_wq *q = (struct q_wq *)wq;
	struct work_queue_item it = { data, 0 };

	if (q->wq && !q->kept) {
		wq_tune(q->wq, wq->spec.max_retries, wq->spec.hold);
		if (!knell_wq_add(q->wq, data))
			return;
	}
	if (wq->spec.errorfunc)
		wq->spec.errorfunc(wq, &it);
	if (wq->spec.del_item_data)
		wq->spec.del_item_data(wq, data);
}

void knell_quagga_wq_plug(struct work_queue *wq)
{
	struct q_wq *q = (struct q_wq *)wq;

	if (q->wq && !q->kept)
		knell_wq_plug(q->wq);
}

void knell_quagga_wq_unplug(struct work_queue *wq)
{
	struct q_wq *q = (struct q_wq *)wq;

	if (q->wq && !q->kept)
		knell_wq_unplug(q->wq);
}

int knell_quagga_wq_scheduled(struct work_queue *wq)
{
	struct q_wq *q = (struct q_wq *)wq;

	return q->wq && !q->kept && wq_scheduled(q->wq);
}

/*
 * Time
 */

static struct timeval tv_of(uint64_t ns)
{
	return (struct timeval){
		.tv_sec = (time_t)(ns / NSEC_PER_SEC),
		.tv_usec = (suseconds_t)(ns % NSEC_PER_SEC / NSEC_PER_USEC),
	};
}

static uint64_t realtime(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

/* The time of day as it was when a process first asked, and what has passed since. */
static uint64_t stabilised(void)
{
	static _Atomic uint64_t base;
	uint64_t none = 0, mine;

	if (!atomic_load(&base)) {
		mine = realtime() - clock_raw();
		atomic_compare_exchange_strong(&base, &none, mine);
	}
	return atomic_load(&base) + clock_raw();
}

int knell_quagga_gettime(enum quagga_clkid clock, struct timeval *tv)
{
	switch (clock) {
	case QUAGGA_CLK_REALTIME:
		*tv = tv_of(realtime());
		return 0;
	case QUAGGA_CLK_MONOTONIC:
		*tv = tv_of(clock_raw());
		return 0;
	case QUAGGA_CLK_REALTIME_STABILISED:
		*tv = tv_of(stabilised());
		return 0;
	}
	errno = EINVAL;
	return -1;
}

time_t knell_quagga_time(time_t *t)
{
	time_t now = (time_t)(stabilised() / NSEC_PER_SEC);

	if (t)
		*t = now;
	return now;
}

struct timeval knell_quagga_relative(void)
{
	const struct thread *t = *knell_quagga_current();

	return tv_of(t ? knell_now(t->master->loop) : clock_raw());
}

struct timeval *knell_quagga_recent(void)
{
	static __thread struct timeval recent;

	recent = tv_of(realtime());
	return &recent;
}

void knell_quagga_getrusage(RUSAGE_T *r)
{
	getrusage(RUSAGE_SELF, &r->cpu);
	r->real = tv_of(clock_raw());
}

static unsigned long since(struct timeval a, struct timeval b)
{
	int64_t us = (a.tv_sec - b.tv_sec) * INT64_C(1000000) + a.tv_usec - b.tv_usec;

	return us > 0 ? (unsigned long)us : 0;
}

unsigned long knell_quagga_consumed(const RUSAGE_T *after, const RUSAGE_T *before,
				    unsigned long *cpu)
{
	*cpu = since(after->cpu.ru_utime, before->cpu.ru_utime) +
	       since(after->cpu.ru_stime, before->cpu.ru_stime);
	return since(after->real, before->real);
}
