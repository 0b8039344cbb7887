// SPDX-License-Identifier: GPL-2.0-only
/* When a timer unit elapses next. */
#include "timer_spec.h"

#define NSEC_PER_USEC	UINT64_C(1000)
#define MSEC		UINT64_C(1000000)

static uint64_t min(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t max(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* What is too far away is never. */
static uint64_t add(uint64_t t, uint64_t span)
{
	return span < TIMER_NEVER - t ? t + span : TIMER_NEVER;
}

void timer_activate(struct timer_state *state, uint64_t now_mono, uint64_t now_real,
		    uint64_t stamp_real)
{
	*state = (struct timer_state) {
		.active_mono = now_mono,
		.active_real = now_real,
		.last_mono = TIMER_NEVER,
		.last_real = stamp_real < now_real ? stamp_real : TIMER_NEVER,
		.due_mono = TIMER_NEVER,
	};
}

/* OnActiveSec=, OnBootSec=, OnStartupSec=. */
static uint64_t once(const struct timer_state *state, uint64_t base, uint64_t span)
{
	uint64_t due = add(base, span);

	return state->last_mono != TIMER_NEVER && due <= state->last_mono ? TIMER_NEVER : due;
}

static uint64_t since_active(const struct timer_state *state, const struct timer_times *times,
			     uint64_t span, uint64_t delay, uint64_t *missed)
{
	uint64_t base = times->unit_active_mono, now = times->now_mono, periods = 0;

	/* Unless somebody else has started it since. */
	if (state->last_mono != TIMER_NEVER &&
	    (base == TIMER_NEVER || base <= state->last_mono || times->unit_by_timer))
		base = state->due_mono;
	if (base == TIMER_NEVER || span == TIMER_NEVER)
		return TIMER_NEVER;
	/* What still waits for its delay has not gone by. */
	if (span && now > add(base, delay))
		periods = (now - base - delay) / span;
	if (periods < 2)
		return add(base, span);
	*missed = periods - 1;
	return base + periods * span;
}

static uint64_t since_inactive(const struct timer_state *state, const struct timer_times *times,
			       uint64_t span)
{
	if (times->unit_inactive_mono == TIMER_NEVER)
		return state->last_mono == TIMER_NEVER ? TIMER_NEVER : add(state->last_mono, span);
	if (state->last_mono == TIMER_NEVER)
		return add(times->unit_inactive_mono, span);
	return add(max(times->unit_inactive_mono, state->last_mono), span);
}

static uint64_t calendar(const struct timer_state *state, const struct timer_times *times,
			 const struct calendar *c)
{
	uint64_t base = state->last_real != TIMER_NEVER ? state->last_real : state->active_real;
	uint64_t usec;

	if (calendar_next(c, base / NSEC_PER_USEC, &usec))
		return TIMER_NEVER;
	/* The clock may have been set back since the start. */
	return max(usec * NSEC_PER_USEC, min(times->startup_real, times->now_real));
}

static uint64_t monotonic(const struct timer_when *when, const struct timer_state *state,
			  const struct timer_times *times, uint64_t delay, uint64_t *missed)
{
	*missed = 0;
	switch (when->base) {
	case TIMER_ACTIVE:
		return once(state, state->active_mono, when->span);
	case TIMER_BOOT:
		return once(state, times->boot_mono, when->span);
	case TIMER_STARTUP:
		return once(state, times->startup_mono, when->span);
	case TIMER_UNIT_ACTIVE:
		return since_active(state, times, when->span, delay, missed);
	case TIMER_UNIT_INACTIVE:
		return since_inactive(state, times, when->span);
	default:
		return TIMER_NEVER;
	}
}

struct timer_elapse timer_next(const struct timer_spec *spec, const struct timer_state *state,
			       const struct timer_times *times, uint64_t random)
{
	struct timer_elapse next = { .real = TIMER_NEVER, .due_mono = TIMER_NEVER };
	/* As evenly as @random, from 0 to just below. */
	uint64_t delay = (uint64_t)((unsigned __int128)spec->random_delay * random >> 64);

	for (size_t i = 0; i < spec->nr; i++) {
		const struct timer_when *when = &spec->when[i];
		uint64_t due, missed;

		if (when->base == TIMER_CALENDAR) {
			next.real = min(next.real, calendar(state, times, when->calendar));
			continue;
		}
		due = monotonic(when, state, times, delay, &missed);
		if (due < next.due_mono) {
			next.due_mono = due;
			next.missed = missed;
		}
	}
	next.mono = next.due_mono == TIMER_NEVER ? TIMER_NEVER : add(next.due_mono, delay);
	if (next.real != TIMER_NEVER)
		next.real = add(next.real, delay);
	return next;
}

void timer_triggered(struct timer_state *state, const struct timer_elapse *elapse,
		     uint64_t now_mono, uint64_t now_real)
{
	bool mono = elapse && elapse->mono <= now_mono;

	state->due_mono = mono ? elapse->due_mono : now_mono;
	state->last_mono = now_mono;
	/* Were the clock set back a little in this moment, the same time would come again. */
	state->last_real = elapse && !mono && elapse->real != TIMER_NEVER ?
			   max(now_real, elapse->real) : now_real;
}

void timer_clock_set(struct timer_state *state, uint64_t now_real)
{
	state->active_real = min(state->active_real, now_real);
	if (state->last_real != TIMER_NEVER)
		state->last_real = min(state->last_real, now_real);
}

static uint64_t mix(uint64_t hash, uint64_t value)
{
	hash = (hash ^ value) * UINT64_C(0xbf58476d1ce4e5b9);
	hash = (hash ^ hash >> 29) * UINT64_C(0x94d049bb133111eb);
	return hash ^ hash >> 32;
}

static uint64_t mix_text(uint64_t hash, const char *text)
{
	do {
		hash = mix(hash, (unsigned char)*text);
	} while (*text++);
	return hash;
}

uint64_t timer_seed(const char *machine_id, uint32_t uid, const char *unit)
{
	return mix_text(mix(mix_text(UINT64_C(0x6b6e656c6c), machine_id), uid), unit);
}

uint64_t timer_place(uint64_t due, uint64_t accuracy, uint64_t seed)
{
	static const uint64_t grids[] = { 60000 * MSEC, 10000 * MSEC, 1000 * MSEC, 250 * MSEC };
	uint64_t latest = add(due, accuracy);

	if (due == TIMER_NEVER || latest == TIMER_NEVER)
		return due;
	for (size_t i = 0; i < sizeof(grids) / sizeof(*grids); i++) {
		uint64_t at = seed % grids[i], t = latest - latest % grids[i] + at;

		if (t > latest)
			t = t >= grids[i] ? t - grids[i] : 0;
		if (t >= due)
			return t;
	}
	return due;
}

uint64_t timer_shift(uint64_t t, uint64_t now_from, uint64_t now_to)
{
	uint64_t ago;

	if (t == TIMER_NEVER)
		return t;
	if (t > now_from)
		return add(now_to, t - now_from);
	ago = now_from - t;
	return now_to > ago ? now_to - ago : 0;
}
