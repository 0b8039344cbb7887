// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Work queues: items worked off in a background task, in slices.
 *
 * To ask for the time costs more than many an item does. So it is asked for after every so many
 * tries: one to begin with, more when a run shows that there is room for far more, and never more
 * than the fewest after which the time was found to be over.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

#define GROW	4U

struct item {
	struct item *next;
	void *data;
	uint64_t requeued;		/* number of the run that did so; 0 */
	unsigned int tries;
};

struct knell_wq {
	struct knell_wq *next;		/* of the loop's */
	struct knell_loop *loop;
	struct knell_wq_attr attr;
	knell_task task;		/* its next run */
	struct item *first, **last;
	unsigned int in_call;		/* its functions that run */
	bool dead;			/* freed, but in_call */
	bool plugged;
	bool in_run;
	unsigned int tries;		/* of the item that is an error */
	void (*gone)(void *data);
	struct wq_info info;
};

static void wq_run(struct knell_loop *l, const struct knell_call *call, void *arg);

bool wq_scheduled(const struct knell_wq *wq)
{
	return !wq->dead && knell_pending(wq->loop, wq->task);
}

static int wq_schedule(struct knell_wq *wq, uint64_t delay_ms)
{
	static const struct knell_site site = { "work_queue_run", __FILE__, __LINE__ };

	if (wq->plugged || wq->in_run || wq->dead || wq_scheduled(wq))
		return 0;
	wq->task = knell_add_background_site(wq->loop, &site, wq_run, wq, delay_ms, 0);
	return knell_is_none(wq->task) ? -errno : 0;
}

/*
 * Items. One that is being tried is in no list, but still counted.
 */

static void item_add(struct knell_wq *wq, struct item *it)
{
	it->next = NULL;
	*wq->last = it;
	wq->last = &it->next;
}

static struct item *item_pop(struct knell_wq *wq)
{
	struct item *it = wq->first;

	wq->first = it->next;
	if (!wq->first)
		wq->last = &wq->first;
	return it;
}

static void item_push(struct knell_wq *wq, struct item *it)
{
	it->next = wq->first;
	if (!it->next)
		wq->last = &it->next;
	wq->first = it;
}

/* It is in no list any more. */
static void item_del(struct knell_wq *wq, struct item *it)
{
	wq->info.items--;
	if (wq->attr.del)
		wq->attr.del(wq, it->data, wq->attr.data);
	free(it);
}

static void item_error(struct knell_wq *wq, struct item *it)
{
	wq->info.errors++;
	wq->tries = it->tries;
	if (wq->attr.error)
		wq->attr.error(wq, it->data, wq->attr.data);
	item_del(wq, it);
}

/*
 * Life
 */

struct knell_wq *knell_wq_new(struct knell_loop *l, const struct knell_wq_attr *attr)
{
	struct knell_wq *wq;
	char *name;

	if (!attr->work) {
		errno = EINVAL;
		return NULL;
	}
	if (loop_is_copy(l)) {
		errno = ECHILD;
		return NULL;
	}
	wq = calloc(1, sizeof(*wq));
	name = strdup(attr->name ? attr->name : "?");
	if (!wq || !name) {
		free(wq);
		free(name);
		errno = ENOMEM;
		return NULL;
	}
	wq->loop = l;
	wq->attr = *attr;
	wq->attr.name = name;
	if (!wq->attr.max_retries)
		wq->attr.max_retries = 1;
	wq->last = &wq->first;
	wq->info.name = name;
	wq->info.hold_ms = attr->hold_ms;
	wq->info.granularity = 1;
	wq->next = l->wqs;
	l->wqs = wq;
	return wq;
}

/* Frees it unless a function of its own runs, which sees to it then. */
static void wq_leave(struct knell_wq *wq)
{
	if (--wq->in_call || !wq->dead)
		return;
	if (wq->gone)
		wq->gone(wq->attr.data);
	free((char *)wq->attr.name);
	free(wq);
}

void knell_wq_free(struct knell_wq *wq)
{
	struct knell_wq **at;

	if (!wq || wq->dead)
		return;
	wq->dead = true;
	wq->in_call++;
	if (!loop_is_copy(wq->loop))
		knell_cancel(wq->loop, wq->task);
	for (at = &wq->loop->wqs; *at != wq; at = &(*at)->next)
		;
	*at = wq->next;
	while (wq->first)
		item_del(wq, item_pop(wq));
	wq_leave(wq);
}

int knell_wq_add(struct knell_wq *wq, void *item)
{
	struct item *it;
	int err;

	if (wq->dead)
		return -ESHUTDOWN;
	it = calloc(1, sizeof(*it));
	if (!it)
		return -ENOMEM;
	err = wq_schedule(wq, wq->attr.hold_ms);
	if (err) {
		free(it);
		return err;
	}
	it->data = item;
	item_add(wq, it);
	wq->info.items++;
	return 0;
}

void knell_wq_plug(struct knell_wq *wq)
{
	wq->plugged = true;
	if (!wq->dead)
		knell_cancel(wq->loop, wq->task);
}

int knell_wq_unplug(struct knell_wq *wq)
{
	int err;

	if (!wq->plugged)
		return 0;
	wq->plugged = false;
	if (!wq->first)
		return 0;
	err = wq_schedule(wq, wq->attr.hold_ms);
	if (err)
		wq->plugged = true;
	return err;
}

size_t knell_wq_length(const struct knell_wq *wq)
{
	return wq->info.items;
}

void wq_tune(struct knell_wq *wq, unsigned int max_retries, unsigned int hold_ms)
{
	wq->attr.max_retries = max_retries ? max_retries : 1;
	wq->attr.hold_ms = hold_ms;
	wq->info.hold_ms = hold_ms;
}

void wq_on_free(struct knell_wq *wq, void (*gone)(void *data))
{
	wq->gone = gone;
}

unsigned int wq_tries(const struct knell_wq *wq)
{
	return wq->tries;
}

/*
 * A run
 */

/*
 * Tries the first item, once or, if it wishes, several times, in which the queue may be freed.
 * True: go on with the next one.
 */
static bool wq_try(struct knell_wq *wq, uint64_t *delay_ms)
{
	struct item *it = item_pop(wq);
	enum knell_wq_result got;

	do {
		it->tries++;
		got = wq->attr.work(wq, it->data, wq->attr.data);
	} while (got == KNELL_WQ_RETRY_NOW && it->tries < wq->attr.max_retries && !wq->dead);

	if (wq->dead) {
		item_del(wq, it);
		return false;
	}
	switch (got) {
	case KNELL_WQ_REQUEUE:
		it->tries--;
		it->requeued = wq->info.runs;
		item_add(wq, it);
		return true;
	case KNELL_WQ_BLOCKED:
		it->tries--;
		break;
	case KNELL_WQ_RETRY_LATER:
		if (it->tries < wq->attr.max_retries)
			break;
		/* fall through */
	case KNELL_WQ_RETRY_NOW:
	case KNELL_WQ_ERROR:
		item_error(wq, it);
		return true;
	case KNELL_WQ_OK:
	default:
		item_del(wq, it);
		return true;
	}
	item_push(wq, it);
	*delay_ms = wq->attr.hold_ms ? wq->attr.hold_ms : 1;
	return false;
}

static void wq_adapt(struct knell_wq *wq, unsigned int tries, bool yielded)
{
	struct wq_info *info = &wq->info;

	info->items_done += tries;
	if (tries > info->best)
		info->best = tries;
	if (yielded) {
		info->yields++;
		if (!info->worst || tries < info->worst)
			info->worst = tries;
	}
	if (tries > (uint64_t)info->granularity * GROW * GROW)
		info->granularity *= GROW;
	else if (tries > (uint64_t)info->granularity * GROW)
		info->granularity += GROW;
	if (info->worst && info->granularity > info->worst)
		info->granularity = info->worst;
}

/* Of a run that began with work to do. Empty, or to be continued. */
static void wq_run_end(struct knell_wq *wq, uint64_t delay_ms)
{
	/* Without memory it stands until an item is added: nothing is lost. */
	if (wq->first)
		wq_schedule(wq, delay_ms);
	else if (wq->attr.complete)
		wq->attr.complete(wq, wq->attr.data);
}

static void wq_run(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	struct knell_wq *wq = arg;
	uint64_t start = clock_raw(), took, delay_ms = 0;
	unsigned int tries = 0;
	bool yielded = false;

	(void)call;
	wq->in_call++;
	wq->in_run = true;
	wq->info.runs++;
	while (wq->first && wq->first->requeued != wq->info.runs && !wq->plugged) {
		bool more = wq_try(wq, &delay_ms);

		tries++;
		if (!more || wq->dead)
			break;
		if (wq->first && tries % wq->info.granularity == 0 && knell_should_yield(l)) {
			yielded = true;
			break;
		}
	}
	wq->in_run = false;
	if (!wq->dead) {
		took = clock_raw() - start;
		if (took > wq->info.longest_ns)
			wq->info.longest_ns = took;
		wq_adapt(wq, tries, yielded);
		wq_run_end(wq, delay_ms);
	}
	wq_leave(wq);
}

struct knell_wq *wq_next(const struct knell_loop *l, const struct knell_wq *wq,
			 struct wq_info *info)
{
	struct knell_wq *next = wq ? wq->next : l->wqs;

	if (next) {
		*info = next->info;
		info->plugged = next->plugged;
	}
	return next;
}
