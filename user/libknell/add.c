// SPDX-License-Identifier: LGPL-2.1-or-later
/* Tasks come, are asked about, and go. */
#include <errno.h>
#include <string.h>

#include "internal.h"

struct task *loop_add(struct knell_loop *l, enum knell_kind kind, const struct knell_site *site,
		      knell_cb *cb, void *arg)
{
	static const struct knell_site nowhere = { "?", "?", 0 };
	struct task *t;

	if (loop_is_copy(l) || !cb) {
		errno = cb ? ECHILD : EINVAL;
		return NULL;
	}
	t = task_new(l, kind, site ? site : &nowhere, cb, arg);
	if (!t)
		errno = ENOMEM;
	return t;
}

static knell_task add_to_heap(struct knell_loop *l, struct task *t, enum heap_id id, uint64_t due)
{
	knell_task name = task_name(t);

	t->due = due;
	if (heap_add(l, id, t)) {
		task_free(l, t);
		errno = ENOMEM;
		return KNELL_NONE;
	}
	loop_changed(l);
	return name;
}

/* From now on: in a run the time stands, outside of it nobody has looked at the clock. */
static bool deadline(struct knell_loop *l, uint64_t ns, uint64_t *due)
{
	if (!l->running && !l->run)
		clock_update(l);
	*due = l->clock.now[HEAP_MONOTONIC] + ns;
	if (likely(*due >= ns && *due != KNELL_NEVER))
		return true;
	errno = EOVERFLOW;
	return false;
}

knell_task knell_add_timer_site(struct knell_loop *l, const struct knell_site *site,
				knell_cb *cb, void *arg, uint64_t ns, uint64_t period_ns)
{
	struct task *t;
	uint64_t due;

	if (!deadline(l, ns, &due))
		return KNELL_NONE;
	t = loop_add(l, KNELL_KIND_TIMER, site, cb, arg);
	if (!t)
		return KNELL_NONE;
	if (unlikely(period_ns)) {
		if (!task_opts(t)) {
			task_free(l, t);
			errno = ENOMEM;
			return KNELL_NONE;
		}
		t->opts->period = period_ns;
		t->flags |= TASK_PERSISTENT;
	}
	return add_to_heap(l, t, HEAP_MONOTONIC, due);
}

knell_task knell_add_timer_at_site(struct knell_loop *l, const struct knell_site *site,
				   knell_cb *cb, void *arg, clockid_t clock, uint64_t ns)
{
	enum heap_id id = clock == CLOCK_REALTIME ? HEAP_REALTIME :
			  clock == CLOCK_BOOTTIME ? HEAP_BOOTTIME : HEAP_MONOTONIC;
	struct task *t;

	if ((id == HEAP_MONOTONIC && clock != CLOCK_MONOTONIC) || ns == KNELL_NEVER) {
		errno = EINVAL;
		return KNELL_NONE;
	}
	t = loop_add(l, KNELL_KIND_TIMER, site, cb, arg);
	return t ? add_to_heap(l, t, id, ns) : KNELL_NONE;
}

knell_task knell_add_background_site(struct knell_loop *l, const struct knell_site *site,
				     knell_cb *cb, void *arg, uint64_t delay_ms,
				     unsigned int flags)
{
	struct task *t;
	uint64_t due;

	if (flags & ~KNELL_BG_IDLE) {
		errno = EINVAL;
		return KNELL_NONE;
	}
	if (delay_ms > KNELL_NEVER / NSEC_PER_MSEC) {
		errno = EOVERFLOW;
		return KNELL_NONE;
	}
	if (!deadline(l, delay_ms * NSEC_PER_MSEC, &due))
		return KNELL_NONE;
	t = loop_add(l, KNELL_KIND_BACKGROUND, site, cb, arg);
	if (!t)
		return KNELL_NONE;
	t->flags |= flags & KNELL_BG_IDLE ? TASK_IDLE : 0;
	return add_to_heap(l, t, HEAP_BACKGROUND, due);
}

knell_task knell_add_event_site(struct knell_loop *l, const struct knell_site *site,
				knell_cb *cb, void *arg, enum knell_kind kind, int val)
{
	struct task *t;

	if (kind != KNELL_KIND_EVENT && kind != KNELL_KIND_READY) {
		errno = EINVAL;
		return KNELL_NONE;
	}
	t = loop_add(l, kind, site, cb, arg);
	if (!t)
		return KNELL_NONE;
	t->u.val = val;
	t->due = l->clock.now[HEAP_MONOTONIC];
	list_add(l, kind == KNELL_KIND_EVENT ? LIST_EVENTS : LIST_READY_NEXT, t);
	loop_changed(l);
	return task_name(t);
}

int knell_execute_site(struct knell_loop *l, const struct knell_site *site,
		       knell_cb *cb, void *arg, int val)
{
	struct task *t = loop_add(l, KNELL_KIND_EXECUTE, site, cb, arg);

	if (!t)
		return -errno;
	loop_execute(l, t, val);
	return 0;
}

void loop_execute(struct knell_loop *l, struct task *t, int val)
{
	t->u.val = val;
	t->due = KNELL_NEVER;
	/* In a task that has been running for a while its time stands. */
	if (l->running || l->run)
		l->raw = clock_raw();
	else
		clock_update(l);
	loop_dispatch(l, t);
	loop_changed(l);
	loop_let_go(l);
}

void task_cancel(struct knell_loop *l, struct task *t, uint32_t idx)
{
	if (t->state == TASK_LISTED) {
		list_del(l, t);
		if (t->kind == KNELL_KIND_TIMER && t->flags & TASK_PERSISTENT)
			l->heap[t->u.timer.heap].out--;
	} else if (t->kind == KNELL_KIND_TIMER || t->kind == KNELL_KIND_BACKGROUND) {
		heap_del(l, t, idx);
	}
	switch (t->kind) {
	case KNELL_KIND_READ:
	case KNELL_KIND_WRITE:
		io_forget(l, t);
		break;
	case KNELL_KIND_CHILD:
	case KNELL_KIND_TREE:
	case KNELL_KIND_RECORD:
		child_cancel(l, t);
		break;
	case KNELL_KIND_SIGNAL:
		signal_cancel(l, t);
		break;
	}
	task_free_at(l, t, idx);
}

int knell_cancel(struct knell_loop *l, knell_task name)
{
	struct task *t;

	if (loop_is_copy(l))
		return -ECHILD;
	t = task_find(l, name);
	if (!t || t->flags & TASK_DELIVERY)
		return 0;
	/* Most of what is cancelled. */
	if (t->kind == KNELL_KIND_TIMER && t->state == TASK_WAITING) {
		heap_del(l, t, name.idx);
		task_free_at(l, t, name.idx);
	} else {
		task_cancel(l, t, name.idx);
	}
	loop_changed(l);
	loop_let_go(l);
	return 1;
}

struct search {
	const void *arg;
	unsigned int kinds;
	unsigned int found;
};

static void cancel_if(struct knell_loop *l, struct task *t, void *arg)
{
	struct search *s = arg;

	/* A function of the library's own has nothing of the program's. */
	if (t->flags & (TASK_DELIVERY | TASK_ALIAS) || t->arg != s->arg ||
	    !(s->kinds & KNELL_MASK(t->kind)))
		return;
	task_cancel(l, t, index_of(t));
	s->found++;
}

unsigned int knell_cancel_arg(struct knell_loop *l, const void *arg, unsigned int kinds)
{
	struct search s = { .arg = arg, .kinds = kinds };

	if (loop_is_copy(l))
		return 0;
	task_each(l, cancel_if, &s);
	if (s.found) {
		loop_changed(l);
		loop_let_go(l);
	}
	return s.found;
}

bool knell_pending(const struct knell_loop *l, knell_task name)
{
	return !loop_is_copy(l) && task_find(l, name);
}

int knell_timer_set_slack(struct knell_loop *l, knell_task name, uint64_t slack_ns)
{
	struct task *t = loop_is_copy(l) ? NULL : task_find(l, name);
	struct heap *h;

	if (!t)
		return loop_is_copy(l) ? -ECHILD : -ENOENT;
	if (t->kind != KNELL_KIND_TIMER && t->kind != KNELL_KIND_BACKGROUND)
		return -EINVAL;
	if (!task_opts(t))
		return -ENOMEM;
	if (t->state == TASK_WAITING) {
		h = &l->heap[t->where];
		h->slacks += !!slack_ns - !!t->opts->slack;
	}
	t->opts->slack = slack_ns;
	loop_changed(l);
	return 0;
}

int64_t knell_timer_remaining_ns(const struct knell_loop *l, knell_task name)
{
	const struct task *t = loop_is_copy(l) ? NULL : task_find(l, name);
	uint64_t now;

	if (!t)
		return loop_is_copy(l) ? -ECHILD : -ENOENT;
	if (t->kind != KNELL_KIND_TIMER && t->kind != KNELL_KIND_BACKGROUND)
		return -EINVAL;
	if (t->state != TASK_WAITING)
		return 0;
	now = clock_now(l, t->where);
	if (t->due <= now)
		return 0;
	return t->due - now > INT64_MAX ? INT64_MAX : (int64_t)(t->due - now);
}

int64_t knell_timer_remaining_ms(const struct knell_loop *l, knell_task t)
{
	int64_t ns = knell_timer_remaining_ns(l, t), ms = NSEC_PER_MSEC;

	return ns < 0 ? ns : ns / ms + !!(ns % ms);
}

int64_t knell_timer_remaining_sec(const struct knell_loop *l, knell_task t)
{
	int64_t ns = knell_timer_remaining_ns(l, t);

	return ns < 0 ? ns : ns / (int64_t)NSEC_PER_SEC;
}
