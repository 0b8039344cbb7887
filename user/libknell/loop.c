// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A loop's pass: collect what is there, then run it.
 *
 * All that is collected goes to the end of one list, in the order of the kinds; what a
 * task adds goes elsewhere and is collected in the next pass. So nothing starves: every
 * kind has its turn in every pass (Quagga's commit 2613abe6 says why).
 */
#include <errno.h>
#include <stdlib.h>

#include "internal.h"

int loop_deliver(struct knell_loop *l, enum list_id id, struct task *t, uint64_t when)
{
	struct task *d = t;

	if (t->state == TASK_LISTED) {
		d = task_new(l, t->kind, t->site, t->cb, t->arg);
		if (!d)
			return -ENOMEM;
		d->flags = TASK_DELIVERY;
		d->u.of = task_name(t);
	}
	d->due = when;
	list_add(l, id, d);
	return 0;
}

/*
 * Run
 */

/* The timer as it fired. A periodic one goes back at once, on its grid. */
static void timer_call(struct knell_loop *l, struct task *t, struct knell_call *call)
{
	uint64_t period = t->opts ? t->opts->period : 0, periods, now;

	call->timer.deadline_ns = t->due;
	call->timer.expirations = 1;
	if (!period)
		return;
	now = l->clock.now[HEAP_MONOTONIC];
	periods = now > t->due ? (now - t->due) / period + 1 : 1;
	call->timer.expirations = periods;
	/* Beyond the clock's end is never. */
	t->due += (periods - 1) * period;
	t->due = period < KNELL_NEVER - t->due ? t->due + period : KNELL_NEVER - 1;
	l->heap[HEAP_MONOTONIC].out--;
	heap_add(l, HEAP_MONOTONIC, t);
}

static bool fill_call(struct knell_loop *l, struct task *t, struct knell_call *call)
{
	call->kind = t->kind;
	call->task = task_name(t);
	call->site = t->site;
	switch (t->kind) {
	case KNELL_KIND_READ:
	case KNELL_KIND_WRITE:
		call->io.fd = t->u.io.fd;
		call->io.revents = t->u.io.revents;
		call->io.error = -t->u.io.error;
		return true;
	case KNELL_KIND_TIMER:
	case KNELL_KIND_BACKGROUND:
		timer_call(l, t, call);
		return true;
	case KNELL_KIND_SIGNAL:
		call->sig = l->signals.now;
		return true;
	case KNELL_KIND_CHILD:
	case KNELL_KIND_TREE:
	case KNELL_KIND_RECORD:
		return source_call(l, t, call);
	default:
		call->val = t->u.val;
		return true;
	}
}

static uint64_t limit(uint64_t own, bool set, uint64_t loops)
{
	return set ? own : loops;
}

static void fill_run(struct knell_loop *l, const struct task *t, struct run *r, uint64_t due)
{
	const struct alias *alias = t->arg;
	const struct opts *o = t->opts;
	uint64_t now = l->clock.now[t->kind == KNELL_KIND_TIMER ? t->u.timer.heap : 0];
	bool set = o && o->warn_set;

	r->name = task_name(t);
	r->site = t->site;
	r->cb = t->flags & TASK_ALIAS ? alias->counted_as : t->cb;
	r->kind = t->kind;
	r->start = l->raw;
	r->late = now > due ? now - due : 0;
	r->warn_cpu = limit(set ? o->warn_cpu : 0, set, l->warn_cpu);
	r->warn_wall = limit(set ? o->warn_wall : 0, set, l->warn_wall);
	r->warn_late = limit(set ? o->warn_late : 0, set, l->warn_late);
	r->slot = l->yield_slot;
	r->outer = l->run;
}

/* What a delivery stands for, and itself no more; NULL: that is gone. */
static struct task *delivered(struct knell_loop *l, struct task *t)
{
	knell_task of = t->u.of;

	task_free(l, t);
	return task_find(l, of);
}

static void call_task(struct knell_loop *l, struct run *r, const struct knell_call *call,
		      knell_cb *cb, void *arg)
{
	l->run = r;
	stats_begin(l, r);
	cb(l, call, arg);
	l->raw = clock_raw();
	l->run = r->outer;
	l->raw = stats_end(l, r, l->raw);
	/* Time stands still inside of a task, whatever it executes. */
	if (!l->run)
		clock_set_raw(l, l->raw);
}

void loop_dispatch(struct knell_loop *l, struct task *t)
{
	struct knell_call call;
	uint64_t due = t->due;
	struct run r;

	if (unlikely(t->flags & TASK_DELIVERY)) {
		t = delivered(l, t);
		if (!t)
			return;
	}
	fill_run(l, t, &r, due);
	if (!fill_call(l, t, &call))
		return;
	call.late_ns = r.late;
	if (t->kind <= KNELL_KIND_WRITE)
		io_forget(l, t);
	/* A one-shot task makes room before it runs: it may add itself anew, in the same place. */
	if (t->flags & TASK_PERSISTENT) {
		call_task(l, &r, &call, t->cb, t->arg);
		t = task_find(l, call.task);
		if (t && (t->kind == KNELL_KIND_CHILD || t->kind == KNELL_KIND_TREE ||
			  t->kind == KNELL_KIND_RECORD))
			source_told(l, t);
	} else {
		knell_cb *cb = t->cb;
		void *arg = t->arg;

		task_free(l, t);
		call_task(l, &r, &call, cb, arg);
	}
}

/* Signals come first, whatever is ready. What one of them stops is stopped at once. */
static void run_ready(struct knell_loop *l)
{
	unsigned int budget = l->event_interval;
	struct task *t;

	do {
		if (signals_caught(l))
			signals_run(l);
		if (atomic_load_explicit(&l->posts.stop, memory_order_relaxed) || !budget--)
			return;
		t = list_pop(l, LIST_READY);
		if (t)
			loop_dispatch(l, t);
	} while (t);
}

/*
 * Collect
 */

static void call_hooks(struct knell_loop *l, bool check)
{
	struct hook **p = &l->hooks;

	l->in_hooks++;
	for (struct hook *h = l->hooks; h; h = h->next)
		if (h->check == check && !h->dead)
			h->fn(l, h->arg);
	clock_update(l);
	if (--l->in_hooks)
		return;
	while (*p) {
		struct hook *h = *p;

		if (h->dead) {
			*p = h->next;
			free(h);
		} else {
			p = &h->next;
		}
	}
}

static inline void run_hooks(struct knell_loop *l, bool check)
{
	if (unlikely(l->hooks))
		call_hooks(l, check);
}

static bool anything_ready(struct knell_loop *l)
{
	return l->list[LIST_READY].len || l->list[LIST_EVENTS].len ||
	       l->list[LIST_READY_NEXT].len || l->list[LIST_CHILD].len || signals_caught(l) ||
	       posts_any(l);
}

static bool has_come(const struct knell_loop *l)
{
	return l->list[LIST_CHILD].len || l->list[LIST_READ].len || l->list[LIST_WRITE].len;
}

static void take_due(struct knell_loop *l, enum heap_id id)
{
	struct heap *h = &l->heap[id];
	struct task *t;

	while (heap_first(h) <= l->clock.now[id]) {
		uint32_t idx = node_idx(&h->node[0]);

		t = task_at(&l->tasks, idx);
		heap_del(l, t, idx);
		h->out += !!(t->flags & TASK_PERSISTENT);
		t->u.timer.heap = id;
		list_add(l, LIST_READY, t);
	}
}

static inline void timers_due(struct knell_loop *l, enum heap_id id)
{
	if (unlikely(heap_first(&l->heap[id]) <= l->clock.now[id]))
		take_due(l, id);
}

/*
 * Idle ones stay if there is anything else to do, another background task too, and are due again
 * in the next pass, in the order they were.
 */
static void background_due(struct knell_loop *l)
{
	struct heap *h = &l->heap[HEAP_BACKGROUND];
	uint32_t idle = NO_TASK, *end = &idle, idx;
	bool alone;
	struct task *t;

	while (heap_first(h) <= l->clock.now[HEAP_BACKGROUND]) {
		idx = node_idx(&h->node[0]);
		t = task_at(&l->tasks, idx);
		heap_del(l, t, idx);
		if (!(t->flags & TASK_IDLE)) {
			list_add(l, LIST_READY, t);
			continue;
		}
		t->next = NO_TASK;
		*end = idx;
		end = &t->next;
	}
	alone = !l->list[LIST_READY].len && !signals_caught(l);
	while (idle != NO_TASK) {
		t = task_at(&l->tasks, idle);
		idle = t->next;
		if (alone)
			list_add(l, LIST_READY, t);
		else
			heap_add(l, HEAP_BACKGROUND, t);
	}
}

static void gather(struct knell_loop *l)
{
	uint64_t *max = &l->stats.count.max_ready;

	list_splice(l, LIST_READY, LIST_READY_NEXT);
	list_splice(l, LIST_READY, LIST_EVENTS);
	list_splice(l, LIST_READY, LIST_CHILD);
	timers_due(l, HEAP_MONOTONIC);
	timers_due(l, HEAP_REALTIME);
	timers_due(l, HEAP_BOOTTIME);
	list_splice(l, LIST_READY, LIST_READ);
	list_splice(l, LIST_READY, LIST_WRITE);
	background_due(l);
	if (l->list[LIST_READY].len > *max)
		*max = l->list[LIST_READY].len;
}

static int ask(struct knell_loop *l, uint64_t until)
{
	int err;

	/* The kernel has nothing to tell of. A rung bell matters to who waits for fd(). */
	if (!until && !l->armed && l->io.first_dirty < 0 && !l->embedded) {
		clock_update_others(l);
		return 0;
	}
	err = l->ops->poll(l, until);
	if (err)
		posts_break(l, err);
	clock_update(l);
	return err;
}

/*
 * From here on who posts has to ring. Not earlier than now is it forgotten that someone has: a
 * bell that is rung after this is heard by the next poll(), one that was rung before may have
 * been heard by the last.
 */
static void may_sleep(struct knell_loop *l)
{
	atomic_store(&l->posts.rung, false);
	atomic_store(&l->posts.asleep, true);
	atomic_thread_fence(memory_order_seq_cst);
}

static int sleep_until(struct knell_loop *l, uint64_t until)
{
	struct posts *p = &l->posts;
	uint64_t before = 0;
	int err;

	may_sleep(l);
	if (posts_any(l) || signals_caught(l))
		until = 0;
	if (until) {
		stats_before_sleep(l);
		before = clock_raw();
	}
	err = ask(l, until);
	atomic_store(&p->asleep, false);
	if (until) {
		stats_after_sleep(l, l->raw - before);
		l->stats.count.wakeups += has_come(l) || posts_any(l) || signals_caught(l);
	}
	return err;
}

/* A clock that stands may be put forward when there is nothing else, not even in the kernel. */
static int look_before_advance(struct knell_loop *l, bool *advanced)
{
	int err = 0;

	*advanced = false;
	/* A job posts before it is none any more: who looks in this order misses neither. */
	if (!l->clock.auto_advance || !l->clock.paused || atomic_load(&l->posts.jobs))
		return 0;
	err = ask(l, 0);
	if (!err && !has_come(l) && !anything_ready(l))
		*advanced = clock_auto_advance(l);
	return err;
}

/*
 * What is to run at this time runs before the next one comes, and what that adds; but not for
 * ever: some events add themselves anew in every pass.
 */
static void step(struct knell_loop *l)
{
	bool more = l->list[LIST_EVENTS].len || l->list[LIST_READY_NEXT].len;

	if (l->list[LIST_READY].len || (more && l->clock.passes++ < l->event_interval))
		return;
	l->clock.passes = 0;
	clock_step(l);
}

static uint64_t deadline(struct knell_loop *l)
{
	uint64_t until = clock_deadline(l), again = l->sources.look_again;

	return unlikely(again) && again < until ? again : until;
}

static int collect(struct knell_loop *l, bool wait)
{
	uint64_t until = 0;
	bool advanced;
	int err;

	run_hooks(l, false);
	posts_drain(l);
	if (unlikely(l->clock.advancing))
		step(l);
	if (unlikely(l->sources.look_again))
		children_look_again(l);
	if (wait && !anything_ready(l)) {
		err = look_before_advance(l, &advanced);
		if (err)
			return err;
		if (!advanced && !has_come(l))
			until = deadline(l);
	}
	err = until ? sleep_until(l, until) : ask(l, 0);
	if (err)
		return err;
	run_hooks(l, true);
	posts_drain(l);
	gather(l);
	return 0;
}

int loop_pass(struct knell_loop *l, bool wait)
{
	int err;

	l->stats.count.passes++;
	l->running = true;
	err = collect(l, wait);
	if (!err)
		run_ready(l);
	l->running = false;
	return err;
}

static bool active(const struct knell_loop *l)
{
	return l->tasks.used || atomic_load(&l->posts.head) || l->posts.left ||
	       atomic_load(&l->posts.jobs);
}

static int run_passes(struct knell_loop *l, enum knell_run how)
{
	struct posts *p = &l->posts;
	int err = 0;

	do {
		if (atomic_load(&p->stop) || !active(l))
			break;
		err = loop_pass(l, how != KNELL_RUN_NOWAIT);
	} while (how == KNELL_RUN_DEFAULT && !err);
	/* A request, or its doorbell, may be there though there are no tasks. */
	posts_drain(l);
	atomic_store(&p->stop, false);
	return err;
}

int knell_loop_run(struct knell_loop *l, enum knell_run how)
{
	int err;

	if (loop_is_copy(l))
		return -ECHILD;
	if (l->running || l->run)
		return -EBUSY;
	if (l->posts.broken)
		return l->posts.broken;
	atomic_store(&l->posts.owner, pthread_self());
	atomic_store(&l->posts.asleep, false);
	clock_update(l);
	err = run_passes(l, how);
	stats_before_sleep(l);
	loop_changed(l);
	loop_let_go(l);
	return err ? err : active(l);
}

/*
 * One task at a time, for those who have a main loop of their own (quagga.c)
 */

static struct task *next_ready(struct knell_loop *l, unsigned int *budget)
{
	uint32_t head;

	for (;;) {
		if (signals_caught(l))
			signals_run(l);
		if (atomic_exchange(&l->posts.stop, false))
			return NULL;
		head = l->list[LIST_READY].head;
		if (head != NO_TASK && *budget) {
			--*budget;
			return task_at(&l->tasks, head);
		}
		if (!active(l))
			return NULL;
		*budget = l->event_interval;
		l->stats.count.passes++;
		clock_update(l);
		if (collect(l, true))
			return NULL;
	}
}

struct task *loop_next(struct knell_loop *l, unsigned int *budget)
{
	struct task *t;

	if (loop_is_copy(l) || l->running || l->run || l->posts.broken)
		return NULL;
	atomic_store(&l->posts.owner, pthread_self());
	atomic_store(&l->posts.asleep, false);
	l->running = true;
	t = next_ready(l, budget);
	l->running = false;
	return t;
}

void loop_call(struct knell_loop *l, struct task *t)
{
	list_del(l, t);
	clock_update(l);
	l->running = true;
	loop_dispatch(l, t);
	l->running = false;
}

/*
 * The rest
 */

/* What was posted before it may sleep is ready. */
void loop_tell(struct knell_loop *l)
{
	uint64_t until = 0;

	if (l->running || l->run || l->posts.broken)
		return;
	may_sleep(l);
	clock_update(l);
	if (!anything_ready(l) && !has_come(l))
		until = deadline(l);
	l->ops->flush(l, until);
}

void loop_close_files(struct knell_loop *l)
{
	if (l->running || l->run || l->posts.broken)
		return;
	l->ops->flush(l, KNELL_NEVER);
}

uint64_t knell_should_yield(const struct knell_loop *l)
{
	uint64_t ran;

	if (!l->run)
		return 0;
	ran = clock_raw() - l->run->start;
	return ran > l->run->slot ? ran : 0;
}

void knell_set_yield_slot(struct knell_loop *l, uint64_t ns)
{
	if (l->run)
		l->run->slot = ns;
	else
		l->yield_slot = ns;
}
