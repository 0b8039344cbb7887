// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What time it is. A loop's time is the real one plus a skew that grows when its clock was
 * held, and shrinks when it was put forward; while it is held it is what was written down.
 */
#include <errno.h>

#include "internal.h"

#define LOOK_AGAIN	(100 * NSEC_PER_MSEC)

static const clockid_t clock_ids[HEAPS] = {
	[HEAP_MONOTONIC] = CLOCK_MONOTONIC,
	[HEAP_BACKGROUND] = CLOCK_MONOTONIC,
	[HEAP_REALTIME] = CLOCK_REALTIME,
	[HEAP_BOOTTIME] = CLOCK_BOOTTIME,
};

static uint64_t read_clock(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

uint64_t clock_raw(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

void clock_set_raw(struct knell_loop *l, uint64_t raw)
{
	struct clocks *c = &l->clock;

	if (unlikely(c->paused))
		return;
	c->now[HEAP_MONOTONIC] = raw + c->skew[HEAP_MONOTONIC];
	c->now[HEAP_BACKGROUND] = c->now[HEAP_MONOTONIC];
}

/* Without the loop's noticing. */
uint64_t clock_now(const struct knell_loop *l, enum heap_id id)
{
	if (l->clock.paused)
		return l->clock.now[id];
	return read_clock(clock_ids[id]) + l->clock.skew[id];
}

static void update_others(struct knell_loop *l)
{
	struct clocks *c = &l->clock;

	for (enum heap_id id = HEAP_REALTIME; id < HEAPS; id++)
		c->now[id] = read_clock(clock_ids[id]) + c->skew[id];
}

void clock_update_others(struct knell_loop *l)
{
	if (unlikely(l->heap[HEAP_REALTIME].nr || l->heap[HEAP_BOOTTIME].nr) && !l->clock.paused)
		update_others(l);
}

void clock_update(struct knell_loop *l)
{
	l->raw = clock_raw();
	clock_set_raw(l, l->raw);
	clock_update_others(l);
}

uint64_t clock_from_raw(const struct knell_loop *l, uint64_t raw)
{
	const struct clocks *c = &l->clock;
	uint64_t now = c->now[HEAP_MONOTONIC], time = raw + c->skew[HEAP_MONOTONIC];

	/* What happened before the clock was held, or put forward, is not in its future. */
	return c->paused || time > now ? now : time;
}

/* Of a time to come: what is beyond the real clock's end, which is behind, is just before it. */
static uint64_t to_real(const struct knell_loop *l, enum heap_id id, uint64_t time)
{
	uint64_t ahead = time - l->clock.now[id], now = l->clock.now[id] - l->clock.skew[id];

	return ahead < KNELL_NEVER - now ? now + ahead : KNELL_NEVER - 1;
}

static uint64_t sooner(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/*
 * The other clocks' deadlines are the backend's: it is told of what has changed. Loop's time when
 * to look again; 0: due, KNELL_NEVER: the backend will say.
 */
static uint64_t tell_backend(struct knell_loop *l, enum heap_id id)
{
	struct clocks *c = &l->clock;
	uint64_t first = heap_wake(l, &l->heap[id]), real = KNELL_NEVER;

	if (first <= c->now[id])
		return 0;
	if (first != KNELL_NEVER && !c->paused)
		real = to_real(l, id, first);
	/* What cannot be told now is told the next time; meanwhile the clock may be set. */
	if (real != c->told[id]) {
		if (l->ops->clock_set(l, id, real))
			return c->now[HEAP_MONOTONIC] + sooner(first - c->now[id], LOOK_AGAIN);
		c->told[id] = real;
	}
	return KNELL_NEVER;
}

uint64_t clock_deadline(struct knell_loop *l)
{
	uint64_t first = sooner(heap_wake(l, &l->heap[HEAP_MONOTONIC]),
				heap_wake(l, &l->heap[HEAP_BACKGROUND]));
	uint64_t other = KNELL_NEVER;

	for (enum heap_id id = HEAP_REALTIME; id < HEAPS; id++)
		if (unlikely(l->heap[id].nr || l->clock.told[id] != KNELL_NEVER))
			other = sooner(other, tell_backend(l, id));
	if (first <= l->clock.now[HEAP_MONOTONIC] || !other)
		return 0;
	first = sooner(first, other);
	if (first == KNELL_NEVER || l->clock.paused)
		return KNELL_NEVER;
	return to_real(l, HEAP_MONOTONIC, first);
}

/* Until the next timer of any clock; KNELL_NEVER. */
static uint64_t until_next(const struct knell_loop *l)
{
	uint64_t next = KNELL_NEVER;

	for (enum heap_id id = 0; id < HEAPS; id++) {
		uint64_t first = heap_first(&l->heap[id]), now = l->clock.now[id];

		if (first != KNELL_NEVER)
			next = sooner(next, first > now ? first - now : 0);
	}
	return next;
}

static void forward(struct knell_loop *l, uint64_t ns)
{
	for (enum heap_id id = 0; id < HEAPS; id++)
		l->clock.now[id] += ns;
}

bool clock_step(struct knell_loop *l)
{
	struct clocks *c = &l->clock;
	uint64_t left = c->target - c->now[HEAP_MONOTONIC], next = until_next(l);

	if (next <= left) {
		forward(l, next);
		return true;
	}
	forward(l, left);
	c->advancing = false;
	return false;
}

bool clock_auto_advance(struct knell_loop *l)
{
	struct clocks *c = &l->clock;
	uint64_t next;

	if (!c->paused || !c->auto_advance || c->inhibit || c->advancing || l->sources.alive ||
	    atomic_load(&l->posts.jobs))
		return false;
	next = until_next(l);
	if (next == KNELL_NEVER)
		return false;
	forward(l, next);
	return true;
}

uint64_t knell_now(const struct knell_loop *l)
{
	return l->clock.now[HEAP_MONOTONIC];
}

void knell_update_now(struct knell_loop *l)
{
	clock_update(l);
}

int knell_clock_pause(struct knell_loop *l)
{
	struct clocks *c = &l->clock;

	if (loop_is_copy(l))
		return -ECHILD;
	if (c->paused)
		return -EALREADY;
	clock_set_raw(l, clock_raw());
	update_others(l);
	c->paused = true;
	return 0;
}

int knell_clock_resume(struct knell_loop *l)
{
	struct clocks *c = &l->clock;

	if (loop_is_copy(l))
		return -ECHILD;
	if (!c->paused)
		return -EALREADY;
	for (enum heap_id id = 0; id < HEAPS; id++)
		c->skew[id] = c->now[id] - read_clock(clock_ids[id]);
	c->skew[HEAP_BACKGROUND] = c->skew[HEAP_MONOTONIC];
	c->paused = false;
	c->advancing = false;
	clock_update(l);
	loop_changed(l);
	return 0;
}

int knell_clock_advance(struct knell_loop *l, uint64_t ns)
{
	struct clocks *c = &l->clock;
	uint64_t from = c->advancing ? c->target : c->now[HEAP_MONOTONIC];
	int err = 0;

	if (loop_is_copy(l))
		return -ECHILD;
	if (!c->paused)
		return -EINVAL;
	if (ns >= KNELL_NEVER - from)
		return -EOVERFLOW;
	c->target = from + ns;
	c->advancing = true;
	if (l->running || l->run)
		return 0;
	while (c->advancing && !err && !atomic_load(&l->posts.stop))
		err = loop_pass(l, false);
	loop_changed(l);
	loop_let_go(l);
	return err;
}

void knell_clock_set_auto_advance(struct knell_loop *l, bool on)
{
	l->clock.auto_advance = on;
}

void knell_clock_inhibit(struct knell_loop *l)
{
	l->clock.inhibit++;
}

void knell_clock_allow(struct knell_loop *l)
{
	if (l->clock.inhibit)
		l->clock.inhibit--;
}
