// SPDX-License-Identifier: GPL-2.0-only
/*
 * TIMER: one ordered set of deadlines for each clock of a queue, one hrtimer
 * under each set. A set of our own, because equal deadlines must fire in the
 * order they were armed, which per-CPU hrtimers do not promise.
 *
 * As in fs/timerfd.c a periodic timer goes back into the set when its record is
 * read, not when it fires: a period of a nanosecond costs nothing that its
 * owner does not ask for.
 */
#include <linux/hrtimer.h>
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>
#include <linux/timerqueue.h>

#include "compat.h"
#include "queue.h"
#include "timens.h"
#include "watch.h"

enum { KNELL_MONOTONIC, KNELL_BOOTTIME, KNELL_REALTIME, KNELL_CLOCKS };

/**
 * struct knell_clock - the timers of a queue on one clock
 * @alarm: runs out at the first deadline
 * @due: armed timers by hard deadline, equal ones in the order of arming; queue->lock
 * @queue: whose
 */
struct knell_clock {
	struct hrtimer alarm;
	struct timerqueue_head due;
	struct knell_queue *queue;
};

struct knell_timers {
	struct knell_clock clock[KNELL_CLOCKS];
};

/**
 * struct knell_schedule - what ADD and MOD ask for, on the host's clocks
 * @first: first expiration; negative before the host's clock began, as a time
 *	in a namespace may be
 * @interval: period or 0
 * @slack: may be late by it
 * @clock: the clock it runs on, KNELL_MONOTONIC...
 * @clockid: the clock its owner asked for. A relative REALTIME timer runs on
 *	MONOTONIC, so that setting the clock does not move it
 * @on: to be armed, or fired and not read yet
 */
struct knell_schedule {
	ktime_t first;
	u64 interval;
	u64 slack;
	u8 clock;
	u8 clockid;
	bool on;
};

/**
 * struct knell_timer - queue->lock covers all of it
 * @watch: what all kinds share
 * @node: in the clock's set while ARMED; its time is the hard deadline
 * @when: @when.first is the first expiration that nobody has read
 * @expirations: what a reader was shown
 */
struct knell_timer {
	struct knell_watch watch;
	struct timerqueue_node node;
	struct knell_schedule when;
	u64 expirations;
};

static_assert(sizeof(struct knell_timer) <= KNELL_WATCH_SIZE);

static struct knell_timer *to_timer(struct knell_watch *watch)
{
	return container_of(watch, struct knell_timer, watch);
}

static struct knell_clock *knell_timer_clock(struct knell_timer *timer)
{
	return &timer->watch.queue->timers->clock[timer->when.clock];
}

static ktime_t knell_clock_now(u8 clock)
{
	switch (clock) {
	case KNELL_BOOTTIME:
		return ktime_get_boottime();
	case KNELL_REALTIME:
		return ktime_get_real();
	default:
		return ktime_get();
	}
}

/* ktime_add_safe() for a first term that may be negative. */
static ktime_t knell_ktime_add(ktime_t time, u64 delta)
{
	return delta > (u64)(KTIME_MAX - max(time, 0LL)) ? KTIME_MAX : (s64)(time + delta);
}

/* Any context, under queue->lock, also inside the alarm's own callback: it only starts it. */
static void knell_clock_program(struct knell_clock *clock)
{
	struct timerqueue_node *node = timerqueue_getnext(&clock->due);
	struct knell_timer *timer;

	lockdep_assert_held(&clock->queue->lock);
	if (!node) {
		/* If it is running it finds nothing to do. */
		hrtimer_try_to_cancel(&clock->alarm);
		return;
	}
	timer = container_of(node, struct knell_timer, node);
	/* hrtimers take a negative time for an overflow. */
	hrtimer_start_range_ns(&clock->alarm, max(timer->when.first, 0LL), timer->when.slack,
			       HRTIMER_MODE_ABS);
}

static enum hrtimer_restart knell_clock_alarm(struct hrtimer *alarm)
{
	struct knell_clock *clock = container_of(alarm, struct knell_clock, alarm);
	struct knell_queue *queue = clock->queue;
	ktime_t now = knell_clock_now(clock - queue->timers->clock);
	u64 stamp = ktime_get_ns();
	struct timerqueue_node *node;
	struct knell_timer *timer;
	unsigned long flags;
	bool wake = false;

	spin_lock_irqsave(&queue->lock, flags);
	while ((node = timerqueue_getnext(&clock->due))) {
		timer = container_of(node, struct knell_timer, node);
		if (timer->when.first > now)
			break;
		timerqueue_del(&clock->due, node);
		wake |= knell_post(&timer->watch, stamp);
	}
	knell_clock_program(clock);
	spin_unlock_irqrestore(&queue->lock, flags);
	if (wake)
		knell_queue_wake(queue);
	return HRTIMER_NORESTART;
}

static void knell_timer_arm(struct knell_timer *timer)
{
	struct knell_clock *clock = knell_timer_clock(timer);

	lockdep_assert_held(&clock->queue->lock);
	timer->watch.state = timer->when.on ? KNELL_ARMED : KNELL_DISARMED;
	if (!timer->when.on)
		return;
	timer->node.expires = knell_ktime_add(timer->when.first, timer->when.slack);
	if (timerqueue_add(&clock->due, &timer->node))
		knell_clock_program(clock);
}

static void knell_timer_disarm(struct knell_timer *timer)
{
	struct knell_clock *clock = knell_timer_clock(timer);
	bool first;

	lockdep_assert_held(&clock->queue->lock);
	if (RB_EMPTY_NODE(&timer->node.node))
		return;
	first = timerqueue_getnext(&clock->due) == &timer->node;
	timerqueue_del(&clock->due, &timer->node);
	if (first)
		knell_clock_program(clock);
}

static int knell_timer_clock_index(u32 clockid)
{
	switch (clockid) {
	case CLOCK_MONOTONIC:
		return KNELL_MONOTONIC;
	case CLOCK_BOOTTIME:
		return KNELL_BOOTTIME;
	case CLOCK_REALTIME:
		return KNELL_REALTIME;
	default:
		return -EINVAL;
	}
}

static int knell_timer_parse(const struct knell_op *op, struct knell_schedule *when)
{
	u64 expires = op->timer.expires_ns;
	int clock = knell_timer_clock_index(op->timer.clockid);
	bool abs = op->flags & KNELL_OPF_ABS && expires;

	if (clock < 0 || op->timer.pad)
		return -EINVAL;
	if (expires > S64_MAX || op->timer.interval_ns > S64_MAX || op->timer.slack_ns > S64_MAX)
		return -EINVAL;
	when->clock = clock == KNELL_REALTIME && !abs ? KNELL_MONOTONIC : clock;
	when->clockid = op->timer.clockid;
	when->interval = op->timer.interval_ns;
	when->slack = op->timer.slack_ns;
	expires = expires ?: when->interval;
	when->on = expires;
	when->first = abs ? knell_timens_to_host(when->clockid, expires) :
		      knell_ktime_add(knell_clock_now(when->clock), expires);
	return 0;
}

static int knell_timers_new(struct knell_queue *queue)
{
	static const clockid_t clockid[KNELL_CLOCKS] = {
		[KNELL_MONOTONIC] = CLOCK_MONOTONIC,
		[KNELL_BOOTTIME] = CLOCK_BOOTTIME,
		[KNELL_REALTIME] = CLOCK_REALTIME,
	};
	struct knell_timers *timers;
	struct knell_clock *clock;
	int i;

	timers = kzalloc(sizeof(*timers), GFP_KERNEL_ACCOUNT);
	if (!timers)
		return -ENOMEM;
	for (i = 0; i < KNELL_CLOCKS; i++) {
		clock = &timers->clock[i];
		hrtimer_setup(&clock->alarm, knell_clock_alarm, clockid[i], HRTIMER_MODE_ABS);
		timerqueue_init_head(&clock->due);
		clock->queue = queue;
	}
	queue->timers = timers;
	return 0;
}

/**
 * knell_timers_free() - a queue ends
 * @queue: its mutex is held and it has no TIMER. May sleep
 */
void knell_timers_free(struct knell_queue *queue)
{
	int i;

	for (i = 0; queue->timers && i < KNELL_CLOCKS; i++)
		hrtimer_cancel(&queue->timers->clock[i].alarm);
	kfree(queue->timers);
	queue->timers = NULL;
}

/**
 * knell_timers_bytes() - what a queue's clocks take
 * @queue: its mutex is held
 */
size_t knell_timers_bytes(const struct knell_queue *queue)
{
	return queue->timers ? sizeof(*queue->timers) : 0;
}

static int knell_timer_add(struct knell_watch *watch, const struct knell_op *op)
{
	struct knell_timer *timer = to_timer(watch);
	struct knell_schedule when;
	int err;

	timerqueue_init(&timer->node);
	err = knell_timer_parse(op, &when);
	if (!err && !watch->queue->timers)
		err = knell_timers_new(watch->queue);
	if (err)
		return err;
	spin_lock_irq(&watch->queue->lock);
	timer->when = when;
	knell_timer_arm(timer);
	spin_unlock_irq(&watch->queue->lock);
	return 0;
}

static int knell_timer_mod(struct knell_watch *watch, const struct knell_op *op)
{
	struct knell_timer *timer = to_timer(watch);
	struct knell_schedule when;
	int err;

	err = knell_timer_parse(op, &when);
	if (err)
		return err;
	spin_lock_irq(&watch->queue->lock);
	knell_unpost(watch);
	watch->rec.evflags = 0;
	knell_timer_disarm(timer);
	knell_watch_set(watch, op);
	timer->when = when;
	knell_timer_arm(timer);
	spin_unlock_irq(&watch->queue->lock);
	return 0;
}

/* A time on the clock the timer runs on, as its reader knows the clock he asked for. */
static u64 knell_timer_to_user(struct knell_timer *timer, ktime_t time)
{
	if (timer->when.clockid == CLOCK_REALTIME && timer->when.clock == KNELL_MONOTONIC)
		time = ktime_mono_to_any(time, TK_OFFS_REAL);
	return time + knell_timens_offset(timer->when.clockid);
}

/* Expirations lie on first + k * interval; all up to now are told at once. */
static void knell_timer_fill(struct knell_watch *watch, struct knell_record *rec,
			     struct knell_event *ev, const struct knell_reader *reader)
{
	struct knell_timer *timer = to_timer(watch);
	s64 late = knell_clock_now(timer->when.clock) - timer->when.first;

	timer->expirations = 1;
	/* REALTIME may have been set back since. */
	if (timer->when.interval && late > 0)
		timer->expirations += div64_u64(late, timer->when.interval);
	memset(ev->raw, 0, sizeof(ev->raw));
	ev->timer.expirations = timer->expirations;
	ev->timer.due_ns = knell_timer_to_user(timer, timer->when.first);
}

static bool knell_timer_consume(struct knell_watch *watch, struct knell_record *rec)
{
	struct knell_timer *timer = to_timer(watch);

	if (watch->flags & KNELL_OPF_ONESHOT)
		return false;
	if (timer->when.interval) {
		timer->when.first = knell_ktime_add(timer->when.first,
						    timer->expirations * timer->when.interval);
		knell_timer_arm(timer);
		return true;
	}
	timer->when.on = false;
	rec->delivered = watch->flags & KNELL_OPF_ACK;
	watch->state = rec->delivered ? KNELL_DELIVERED : KNELL_DISARMED;
	return true;
}

static void knell_timer_release(struct knell_watch *watch)
{
	struct knell_timer *timer = to_timer(watch);

	if (!watch->queue->timers)
		return;
	spin_lock_irq(&watch->queue->lock);
	knell_timer_disarm(timer);
	spin_unlock_irq(&watch->queue->lock);
}

static u64 knell_timer_value(struct knell_watch *watch)
{
	struct knell_timer *timer = to_timer(watch);

	return timer->when.on ? knell_timer_to_user(timer, timer->when.first) : 0;
}

const struct knell_watch_ops knell_timer_ops = {
	.type = KNELL_TIMER,
	.name = "timer",
	.ev = KNELL_EV_TIMER,
	.add_flags = KNELL_OPF_ABS | KNELL_OPF_ONESHOT | KNELL_OPF_ACK | KNELL_OPF_WAKEUP,
	.mod_flags = KNELL_OPF_ABS | KNELL_OPF_ONESHOT,
	.add_size = sizeof_field(struct knell_op, timer),
	.mod_size = sizeof_field(struct knell_op, timer),
	.keeps = true,
	.add = knell_timer_add,
	.mod = knell_timer_mod,
	.fill = knell_timer_fill,
	.consume = knell_timer_consume,
	.release = knell_timer_release,
	.value = knell_timer_value,
};
