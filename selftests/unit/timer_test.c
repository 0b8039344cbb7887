// SPDX-License-Identifier: GPL-2.0-only
/* What systemd.timer(5) says of when a timer elapses, and that nothing drifts. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "span.h"
#include "tap.h"
#include "timer_spec.h"

#define S	SPAN_SEC
#define MIN	(60 * S)
#define H	(60 * MIN)
#define D	(24 * H)
#define MS	(S / 1000)
/* 2026-07-10 10:34:56, the machine has been up for 1000 s, the manager for 990. */
#define REAL	(UINT64_C(1783679696) * S)
#define MONO	(1000 * S)
#define NEVER	TIMER_NEVER

#define WHEN(...)	((const struct timer_when[]) { __VA_ARGS__ })
#define NR(...)		(sizeof((const struct timer_when[]) { __VA_ARGS__ }) / \
			 sizeof(struct timer_when))
#define SPEC(...)	{ .when = WHEN(__VA_ARGS__), .nr = NR(__VA_ARGS__) }

static struct timer_state state;
static struct timer_times now;
static struct timer_elapse next;

/* The timer unit is started now, at MONO and REAL. */
static void start(uint64_t stamp)
{
	now = (struct timer_times) {
		.now_mono = MONO, .now_real = REAL,
		.startup_mono = 10 * S, .startup_real = REAL - 990 * S,
		.unit_active_mono = NEVER, .unit_inactive_mono = NEVER,
	};
	timer_activate(&state, MONO, REAL, stamp);
}

static void pass(uint64_t span)
{
	now.now_mono += span;
	now.now_real += span;
}

static void trigger(void)
{
	timer_triggered(&state, &next, now.now_mono, now.now_real);
}

/* The unit is started, by the timer or by hand. */
static void unit_starts(bool by_timer)
{
	now.unit_active_mono = now.now_mono;
	now.unit_by_timer = by_timer;
}

static void look(const struct timer_spec *spec, uint64_t random)
{
	next = timer_next(spec, &state, &now, random);
}

static void expect(int line, uint64_t mono, uint64_t real)
{
	if (next.mono != mono || next.real != real)
		bad("line %d: %" PRIu64 ", %" PRIu64 " is not %" PRIu64 ", %" PRIu64, line,
		    next.mono, next.real, mono, real);
}

#define EXPECT(mono, real)	expect(__LINE__, mono, real)
#define CHECK(cond)		do { if (!(cond)) bad("line %d: " #cond, __LINE__); } while (0)

static struct calendar *calendar(const char *text)
{
	struct calendar_error err;
	struct calendar *c = calendar_parse(text, strlen(text), &err);

	if (!c) {
		bad("%s: %s", text, err.text);
		exit(1);
	}
	return c;
}

static void check_bases(void)
{
	const struct timer_spec active = SPEC({ TIMER_ACTIVE, 50 * S, NULL });
	const struct timer_spec boot = SPEC({ TIMER_BOOT, 5 * H + 30 * MIN, NULL });
	const struct timer_spec startup = SPEC({ TIMER_STARTUP, H, NULL });
	const struct timer_spec unit = SPEC({ TIMER_UNIT_ACTIVE, H, NULL });
	const struct timer_spec inactive = SPEC({ TIMER_UNIT_INACTIVE, H, NULL });

	start(NEVER);
	look(&active, 0);
	EXPECT(MONO + 50 * S, NEVER);
	look(&boot, 0);
	EXPECT(5 * H + 30 * MIN, NEVER);
	look(&startup, 0);
	EXPECT(10 * S + H, NEVER);
	/* In a container. */
	now.boot_mono = now.startup_mono;
	look(&boot, 0);
	EXPECT(10 * S + 5 * H + 30 * MIN, NEVER);
	look(&unit, 0);
	EXPECT(NEVER, NEVER);
	look(&inactive, 0);
	EXPECT(NEVER, NEVER);
	now.unit_active_mono = 400 * S;
	now.unit_inactive_mono = 500 * S;
	look(&unit, 0);
	EXPECT(400 * S + H, NEVER);
	look(&inactive, 0);
	EXPECT(500 * S + H, NEVER);
	tap("what each directive counts from");
}

static void check_once(void)
{
	const struct timer_spec boot = SPEC({ TIMER_BOOT, 15 * MIN, NULL });
	const struct timer_spec startup = SPEC({ TIMER_STARTUP, 0, NULL });
	const struct timer_spec two = SPEC({ TIMER_BOOT, 15 * MIN, NULL }, { TIMER_ACTIVE, MIN, NULL });

	start(NEVER);
	look(&boot, 0);
	CHECK(next.mono <= now.now_mono);
	trigger();
	look(&boot, 0);
	EXPECT(NEVER, NEVER);
	start(NEVER);
	look(&startup, 0);
	CHECK(next.mono <= now.now_mono);
	start(NEVER);
	look(&two, 0);
	EXPECT(15 * MIN, NEVER);
	pass(S);
	trigger();
	look(&two, 0);
	EXPECT(MONO + MIN, NEVER);
	pass(MIN);
	trigger();
	look(&two, 0);
	EXPECT(NEVER, NEVER);
	/* Stopped and started again, it counts anew. */
	timer_activate(&state, now.now_mono, now.now_real, NEVER);
	look(&two, 0);
	EXPECT(15 * MIN, NEVER);
	tap("past since the boot or the manager's start elapses at once, and once");
}

/* 1000 periods, each wake-up as late as it may be, and each start of the unit later still. */
static void check_drift(uint64_t random_delay, const char *name)
{
	struct timer_spec spec = SPEC({ TIMER_BOOT, 20 * MIN, NULL },
				      { TIMER_UNIT_ACTIVE, 5 * MIN, NULL });

	spec.random_delay = random_delay;
	start(NEVER);
	for (int i = 0; i < 1000; i++) {
		uint64_t due = 20 * MIN + i * 5 * MIN, random = (uint64_t)below(UINT32_MAX) << 32;

		look(&spec, random);
		CHECK(next.due_mono == due && next.real == NEVER && !next.missed);
		CHECK(next.mono >= due && next.mono <= due + random_delay);
		pass(next.mono + below(60000) * MS - now.now_mono);
		trigger();
		pass(below(1000) * MS);
		unit_starts(true);
		pass(below(1000) * MS);
		now.unit_inactive_mono = now.now_mono;
	}
	tap(name);
}

static void check_missed(void)
{
	const struct timer_spec spec = SPEC({ TIMER_ACTIVE, 0, NULL },
					    { TIMER_UNIT_ACTIVE, 10 * S, NULL });
	struct timer_spec late = SPEC({ TIMER_UNIT_ACTIVE, 10 * S, NULL });

	start(NEVER);
	look(&spec, 0);
	EXPECT(MONO, NEVER);
	trigger();
	unit_starts(true);
	/* Nobody looks for 57 s. */
	pass(57 * S);
	look(&spec, 0);
	EXPECT(MONO + 50 * S, NEVER);
	CHECK(next.missed == 4);
	trigger();
	look(&spec, 0);
	EXPECT(MONO + 60 * S, NEVER);
	CHECK(!next.missed);
	/* Another look at one that waits for its delay does not put it off. */
	late.random_delay = 30 * S;
	start(NEVER);
	unit_starts(false);
	look(&late, UINT64_MAX / 4 * 3);
	for (int i = 0; i < 32; i++) {
		uint64_t before = next.mono;

		look(&late, UINT64_MAX / 4 * 3);
		CHECK(next.mono == before && next.due_mono == MONO + 10 * S);
		pass(S);
	}
	tap("periods that have gone by count once and keep the beat");
}

static void check_by_hand(void)
{
	const struct timer_spec spec = SPEC({ TIMER_BOOT, 20 * MIN, NULL },
					    { TIMER_UNIT_ACTIVE, H, NULL });

	start(NEVER);
	look(&spec, 0);
	pass(next.mono - now.now_mono);
	trigger();
	unit_starts(true);
	pass(10 * MIN);
	unit_starts(false);
	look(&spec, 0);
	EXPECT(30 * MIN + H, NEVER);
	/* It is up already when the timer would start it: it is left running. */
	pass(next.mono - now.now_mono);
	trigger();
	look(&spec, 0);
	EXPECT(30 * MIN + 2 * H, NEVER);
	tap("somebody else starts the unit");
}

static void check_inactive(void)
{
	const struct timer_spec spec = SPEC({ TIMER_STARTUP, 0, NULL },
					    { TIMER_UNIT_INACTIVE, MIN, NULL });

	start(NEVER);
	look(&spec, 0);
	trigger();
	unit_starts(true);
	/* It runs for 5 minutes, then a minute passes. */
	pass(5 * MIN);
	now.unit_inactive_mono = now.now_mono;
	look(&spec, 0);
	EXPECT(MONO + 6 * MIN, NEVER);
	pass(MIN + 3 * S);
	trigger();
	/* It could not be started at all. */
	look(&spec, 0);
	EXPECT(MONO + 7 * MIN + 3 * S, NEVER);
	tap("since the unit has become inactive");
}

static void check_both(void)
{
	struct calendar *c = calendar("11:00 UTC"), *d = calendar("10:40 UTC");
	const struct timer_spec spec = SPEC({ TIMER_CALENDAR, 0, c }, { TIMER_ACTIVE, MIN, NULL },
					    { TIMER_CALENDAR, 0, d }, { TIMER_ACTIVE, 2 * MIN, NULL },
					    { TIMER_BOOT, NEVER, NULL });

	start(NEVER);
	look(&spec, 0);
	/* 10:34:56 + 5:04. */
	EXPECT(MONO + MIN, REAL + 304 * S);
	pass(MIN);
	trigger();
	look(&spec, 0);
	EXPECT(MONO + 2 * MIN, REAL + 304 * S);
	pass(MIN);
	trigger();
	look(&spec, 0);
	EXPECT(NEVER, REAL + 304 * S);
	pass(184 * S);
	trigger();
	look(&spec, 0);
	EXPECT(NEVER, REAL + 304 * S + 20 * MIN);
	free(c);
	free(d);
	tap("several directives: the earliest on each clock");
}

static void check_calendar(void)
{
	struct calendar *c = calendar("*:0/10 UTC"), *past = calendar("2020-01-01");
	const struct timer_spec spec = SPEC({ TIMER_CALENDAR, 0, c });
	const struct timer_spec gone = SPEC({ TIMER_CALENDAR, 0, past });
	uint64_t due = REAL + 304 * S;

	start(NEVER);
	look(&spec, 0);
	EXPECT(NEVER, due);
	for (int i = 0; i < 300; i++) {
		look(&spec, 0);
		EXPECT(NEVER, due + i * 10 * MIN);
		pass(next.real + below(59) * S - now.now_real);
		trigger();
	}
	/* The machine sleeps for a day; the clock of OnBootSec= sleeps, too. */
	look(&spec, 0);
	now.now_real += D;
	CHECK(next.real <= now.now_real);
	trigger();
	look(&spec, 0);
	CHECK(next.real > now.now_real && next.real <= now.now_real + 10 * MIN);
	look(&gone, 0);
	EXPECT(NEVER, NEVER);
	free(c);
	free(past);
	tap("calendar times; what was slept through is made up for once");
}

static void check_persistent(void)
{
	struct calendar *c = calendar("00:00 UTC");
	struct timer_spec spec = SPEC({ TIMER_CALENDAR, 0, c });
	uint64_t midnight = REAL / D * D + D;

	/* It has never run. */
	start(NEVER);
	look(&spec, 0);
	EXPECT(NEVER, midnight);
	/* It has run today. */
	start(REAL - 10 * H);
	look(&spec, 0);
	EXPECT(NEVER, midnight);
	/* The machine was off at midnight: at once, that is as of the manager's start. */
	start(REAL - 11 * H);
	look(&spec, 0);
	EXPECT(NEVER, now.startup_real);
	/* Five days of it: once. */
	start(REAL - 5 * D);
	look(&spec, 0);
	CHECK(next.real <= now.now_real);
	trigger();
	look(&spec, 0);
	EXPECT(NEVER, midnight);
	/* Not without the random delay, from then. */
	spec.random_delay = H;
	start(REAL - 5 * D);
	look(&spec, UINT64_C(1) << 63);
	EXPECT(NEVER, now.startup_real + 30 * MIN);
	/* From the future. */
	start(REAL + 30 * D);
	look(&spec, 0);
	EXPECT(NEVER, midnight);
	free(c);
	tap("Persistent= makes up for what was missed, once");
}

/* A stamp is about the calendar only. */
static void check_persistent_mono(void)
{
	const struct timer_spec spec = SPEC({ TIMER_BOOT, 15 * MIN, NULL },
					    { TIMER_UNIT_ACTIVE, H, NULL });

	start(REAL - D);
	look(&spec, 0);
	EXPECT(15 * MIN, NEVER);
	tap("Persistent= changes nothing for the others");
}

static void check_clock_set(void)
{
	struct calendar *c = calendar("*:0/10 UTC");
	const struct timer_spec spec = SPEC({ TIMER_CALENDAR, 0, c });

	/* Forward over one: at once. */
	start(NEVER);
	now.now_real += H;
	timer_clock_set(&state, now.now_real);
	look(&spec, 0);
	CHECK(next.real <= now.now_real);
	trigger();
	/* And back: the times come again. */
	now.now_real -= H;
	timer_clock_set(&state, now.now_real);
	look(&spec, 0);
	EXPECT(NEVER, REAL + 304 * S);
	/* Set back before it has ever triggered. */
	start(NEVER);
	now.now_real -= D;
	timer_clock_set(&state, now.now_real);
	look(&spec, 0);
	EXPECT(NEVER, REAL - D + 304 * S);
	/* A clock that goes back a little while the timer triggers does not make it trigger twice. */
	start(NEVER);
	look(&spec, 0);
	pass(304 * S - MS);
	trigger();
	look(&spec, 0);
	EXPECT(NEVER, REAL + 304 * S + 10 * MIN);
	/* OnClockChange= triggers without a time; OnUnitActiveSec= counts from it. */
	timer_triggered(&state, NULL, now.now_mono + S, now.now_real + S);
	CHECK(state.last_mono == now.now_mono + S && state.due_mono == now.now_mono + S &&
	      state.last_real == now.now_real + S);
	free(c);
	tap("the clock is set");
}

static void check_random(void)
{
	struct timer_spec spec = SPEC({ TIMER_ACTIVE, MIN, NULL });
	unsigned int slots[10] = { 0 };
	uint64_t seed = timer_seed("6b1f0e", 0, "a.timer");

	spec.random_delay = 10 * S;
	start(NEVER);
	look(&spec, 0);
	EXPECT(MONO + MIN, NEVER);
	look(&spec, UINT64_MAX);
	EXPECT(MONO + MIN + 10 * S - 1, NEVER);
	for (int i = 0; i < 10000; i++) {
		char name[32];

		snprintf(name, sizeof(name), "unit-%d.timer", i);
		look(&spec, timer_seed("6b1f0e", 0, name));
		CHECK(next.mono >= MONO + MIN && next.mono < MONO + MIN + 10 * S);
		slots[(next.mono - MONO - MIN) / S % 10]++;
	}
	for (int i = 0; i < 10; i++)
		CHECK(slots[i] > 850 && slots[i] < 1150);
	CHECK(seed == timer_seed("6b1f0e", 0, "a.timer"));
	CHECK(seed != timer_seed("6b1f0f", 0, "a.timer"));
	CHECK(seed != timer_seed("6b1f0e", 1, "a.timer"));
	CHECK(seed != timer_seed("6b1f0e", 0, "b.timer"));
	CHECK(timer_seed("a", 0, "bc") != timer_seed("ab", 0, "c"));
	tap("RandomizedDelaySec= is even, FixedRandomDelay= stays");
}

static void check_place(void)
{
	uint64_t seed = timer_seed("6b1f0e", 0, "");

	for (int i = 0; i < 100000; i++) {
		uint64_t due = (uint64_t)below(UINT32_MAX) * S + below(1000) * MS;
		uint64_t accuracy = below(2) ? MIN : below(90000) * MS;
		uint64_t t = timer_place(due, accuracy, seed);

		if (t < due || t > due + accuracy)
			bad("%" PRIu64 " + %" PRIu64 ": %" PRIu64, due, accuracy, t);
		if (accuracy >= MIN && t % MIN != seed % MIN)
			bad("%" PRIu64 ": %" PRIu64 " of the minute", due, t % MIN);
		if (accuracy >= 10 * S && t % (10 * S) != seed % (10 * S))
			bad("%" PRIu64 ": %" PRIu64 " of 10 s", due, t % (10 * S));
		if (accuracy < 250 * MS && t != due && t % (250 * MS) != seed % (250 * MS))
			bad("%" PRIu64 ": nowhere", t);
	}
	CHECK(timer_place(12345, 1000, seed) == 12345);
	CHECK(timer_place(5, MIN, 30 * S) == 30 * S);
	CHECK(timer_place(NEVER, MIN, seed) == NEVER);
	CHECK(timer_place(MIN, NEVER, seed) == MIN);
	tap("AccuracySec=: within the window, at the same place for all");
}

static void check_far(void)
{
	struct timer_spec spec = SPEC({ TIMER_ACTIVE, NEVER, NULL }, { TIMER_BOOT, NEVER - 1, NULL },
				      { TIMER_STARTUP, NEVER - S, NULL }, { TIMER_UNIT_ACTIVE, NEVER, NULL },
				      { TIMER_UNIT_INACTIVE, NEVER, NULL });

	spec.random_delay = NEVER;
	start(NEVER);
	unit_starts(false);
	now.unit_inactive_mono = 5;
	look(&spec, UINT64_MAX);
	EXPECT(NEVER, NEVER);
	spec.nr = 0;
	look(&spec, 0);
	EXPECT(NEVER, NEVER);
	CHECK(timer_shift(NEVER, 5, 6) == NEVER);
	CHECK(timer_shift(30, 100, 1000) == 930);
	CHECK(timer_shift(30, 1000, 100) == 0);
	CHECK(timer_shift(130, 100, 1000) == 1030);
	CHECK(timer_shift(NEVER - 1, 0, NEVER - 5) == NEVER);
	tap("infinity, and what is too far");
}

int main(void)
{
	setenv("TZ", "UTC", 1);
	check_bases();
	check_once();
	check_drift(0, "1000 periods without drift");
	check_drift(4 * MIN, "1000 periods with random delays without drift");
	check_missed();
	check_by_hand();
	check_inactive();
	check_both();
	check_calendar();
	check_persistent();
	check_persistent_mono();
	check_clock_set();
	check_random();
	check_place();
	check_far();
	return tap_done();
}
