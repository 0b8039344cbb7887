/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * When a timer unit elapses next: the arithmetic of systemd.timer(5), without clocks, units or
 * files. All functions depend on their arguments alone, but for the time zone that calendar_next()
 * looks at; nothing is allocated. All times are in nanoseconds.
 *
 * Monotonic times are all of the one clock that the timer uses: CLOCK_MONOTONIC, or CLOCK_BOOTTIME
 * with WakeSystem=yes. What is known only on the other one goes through timer_shift().
 *
 * A caller does this:
 *
 *	the timer unit is started	timer_activate()
 *	it is to wait			timer_next(), arms what there is at timer_place()
 *	that time has come		timer_triggered(), starts the unit, and when that has become
 *					inactive, or at once if it need not wait, timer_next() again
 *	the unit starts or stops	timer_next() again, if there is an OnUnitActiveSec= or
 *					OnUnitInactiveSec=
 *	CLOCK_REALTIME was set, or the	timer_clock_set(), timer_next() again
 *	time zone
 */
#ifndef KNELL_UNIT_TIMER_SPEC_H
#define KNELL_UNIT_TIMER_SPEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "calendar.h"
#include "unit_file.h"

#define TIMER_NEVER	UINT64_MAX

struct timer_when {
	enum timer_base base;		/* of unit_file.h */
	uint64_t span;			/* TIMER_NEVER (infinity): it does not elapse */
	const struct calendar *calendar;	/* of TIMER_CALENDAR, which has no span */
};

/* What the file says. */
struct timer_spec {
	const struct timer_when *when;
	size_t nr;
	uint64_t random_delay;		/* RandomizedDelaySec= */
};

/* What has happened to the timer; a manager that starts anew must keep it. */
struct timer_state {
	uint64_t active_mono, active_real;	/* started */
	uint64_t last_mono, last_real;	/* triggered last; TIMER_NEVER. Only last_real: a stamp */
	uint64_t due_mono;		/* when it should have been, without delay */
};

/* What has happened around it; TIMER_NEVER is what has not. */
struct timer_times {
	uint64_t now_mono, now_real;
	uint64_t boot_mono;		/* 0; in a container as startup_mono */
	uint64_t startup_mono, startup_real;	/* of the manager */
	uint64_t unit_active_mono;	/* when the unit last left being inactive */
	uint64_t unit_inactive_mono;	/* when it last became inactive */
	bool unit_by_timer;		/* it was this timer that it was last started by */
};

/* Both TIMER_NEVER: it has elapsed, for good. */
struct timer_elapse {
	uint64_t mono, real;		/* when to wake up; past is at once */
	uint64_t due_mono;		/* @mono without the delay */
	uint64_t missed;		/* periods of OnUnitActiveSec= that have gone by */
};

/*
 * The timer unit is started. @stamp_real is when it last triggered, as Persistent=yes has it on the
 * disk: then what was missed meanwhile is made up for, once. TIMER_NEVER if there is none, which
 * should then be made; one in the future is not believed.
 */
void timer_activate(struct timer_state *state, uint64_t now_mono, uint64_t now_real,
		    uint64_t stamp_real);

/*
 * When it elapses next; the earliest of all that @spec has, on each clock. @random is any number,
 * all 64 bits of which count, and the same until the timer has triggered, that the delay may not
 * begin anew with every look at it; with FixedRandomDelay=yes it is timer_seed(), always.
 *
 * OnActiveSec=, OnBootSec= and OnStartupSec= elapse once: not if they were due when the timer
 * triggered last. OnBootSec= and OnStartupSec= that are past when the timer unit is started elapse
 * at once.
 *
 * OnUnitActiveSec= counts from when the timer should have triggered (systemd: did trigger), so that
 * wake-ups that are late, AccuracySec= and RandomizedDelaySec= do not add up; or from when somebody
 * else has started the unit. If whole periods have gone by, it elapses once for them, at once, and
 * the next is when it would have been without.
 *
 * OnCalendar= is the first time after the last trigger, or after the timer unit was started; if
 * that was before the manager was started, the latter is what the random delay is added to.
 */
struct timer_elapse timer_next(const struct timer_spec *spec, const struct timer_state *state,
			       const struct timer_times *times, uint64_t random);

/* What timer_next() has given has come (or OnClockChange= has): @elapse is NULL for that. */
void timer_triggered(struct timer_state *state, const struct timer_elapse *elapse,
		     uint64_t now_mono, uint64_t now_real);

/*
 * CLOCK_REALTIME was set: what has happened in a future that is now to come again is taken for now,
 * so that calendar times come again, too.
 */
void timer_clock_set(struct timer_state *state, uint64_t now_real);

/*
 * A number for the timer @unit of the user @uid on the machine @machine_id, which stays the same:
 * FixedRandomDelay=, and with an empty @unit, what the machine's timer_place() goes by.
 */
uint64_t timer_seed(const char *machine_id, uint32_t uid, const char *unit);

/*
 * Where in the window from @due to @accuracy (AccuracySec=) later to wake up: at the same second of
 * the minute, or of ten, or part of one, for all timers that have the same @seed. Never early. With
 * less than 250 ms there is nothing to choose, and it is @due.
 */
uint64_t timer_place(uint64_t due, uint64_t accuracy, uint64_t seed);

/*
 * The time @t of one clock on another one, where it is @now_to while it is @now_from on the first.
 * TIMER_NEVER stays. What is before the other clock's beginning is 0.
 */
uint64_t timer_shift(uint64_t t, uint64_t now_from, uint64_t now_to);

#endif
