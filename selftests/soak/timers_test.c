// SPDX-License-Identifier: GPL-2.0-only
/*
 * A hundred thousand timers on three clocks: none is early, each comes as often as it should, those
 * of a clock in the order of their times and, of equal times, in the order in which they were
 * armed. Some are periodic, some are moved or taken back before.
 *
 * runner-limit: 900
 */
#include "kselftest_harness.h"

#include "soak.h"

#define TIMERS		100000
#define BATCH		500	/* armed in one call */
#define GRID_NS		50000	/* so that many are equal */
#define EACH_NS		100000	/* that many of them in a second */
#define ARMING_NS	300000ULL	/* each may take to be armed, or its order is not looked at */
#define CLOCKS		3
#define READS		4	/* of a periodic timer, then DEL */

SOAK_FIXTURE

static const int clocks[CLOCKS] = { CLOCK_MONOTONIC, CLOCK_BOOTTIME, CLOCK_REALTIME };

/**
 * enum life - what becomes of a timer
 * @PLAIN: it is told once
 * @PERIODIC: it is told READS times
 * @MOVED: to its time from one that is much later
 * @TAKEN: it is never told
 * @SLACK: it is told once, perhaps late
 */
enum life { PLAIN, PERIODIC, MOVED, TAKEN, SLACK, LIVES };

/* By token; @due: the next one, 0 if the kernel chose it; @reads: that it has had. */
struct alarm_clock {
	uint32_t watch;
	uint8_t clock;
	uint8_t life;
	bool relative;
	uint8_t reads;
	unsigned int deleted;	/* after which read */
	uint64_t interval;
	uint64_t due;
};

/* @last: of each clock, the time and the token of who was told last; @early: what must not be */
struct tower {
	uint64_t seed;
	int queue;
	unsigned int nr;
	struct alarm_clock *alarm;
	uint64_t armed[CLOCKS];
	struct {
		uint64_t due;
		uint64_t token;
	} last[CLOCKS];
	unsigned int wrong;
	unsigned int nr_reads;
	unsigned int told[LIVES];
	unsigned int ordered;
	uint64_t expirations;
};

static struct knell_op op_of(struct tower *t, unsigned int i, const uint64_t *now)
{
	struct alarm_clock *a = &t->alarm[i];
	uint64_t r = random_of(t->seed, i), in = (r >> 12) % t->nr * EACH_NS;
	struct knell_op op;

	in += NSEC_PER_SEC + t->nr * ARMING_NS;
	a->life = r % 16 < LIVES ? r % 16 : PLAIN;
	a->clock = (r >> 4) % CLOCKS;
	a->relative = a->life == PLAIN && (r >> 8) % 4 == 0;
	if (!a->relative)
		a->due = (now[a->clock] + in) / GRID_NS * GRID_NS;
	if (a->life == PERIODIC)
		a->interval = NSEC_PER_MSEC * (1 + (r >> 9) % 64);
	op = op_timer(clocks[a->clock], a->relative ? 0 : KNELL_OPF_ABS, a->relative ? in : a->due,
		      a->interval, i);
	/* PERIODIC, MOVED and TAKEN are named again; the others are gone once told. */
	if (a->life == PLAIN || a->life == SLACK)
		op.flags |= KNELL_OPF_ONESHOT;
	if (a->life == MOVED || a->life == TAKEN)
		op.timer.expires_ns += HOUR_NS;
	if (a->life == SLACK)
		op.timer.slack_ns = 20 * NSEC_PER_MSEC;
	return op;
}

/* The second time that one is named. */
static struct knell_op op_again(struct tower *t, unsigned int i)
{
	struct alarm_clock *a = &t->alarm[i];

	if (a->life == TAKEN)
		return op_del(a->watch);
	return op_mod_timer(a->watch, clocks[a->clock], KNELL_OPF_ABS | KNELL_OPF_ONESHOT, a->due, 0,
			    i);
}

static int arm_batch(struct tower *t, unsigned int first, unsigned int nr, const uint64_t *now)
{
	struct knell_op op[BATCH];
	unsigned int again = 0;

	for (unsigned int i = 0; i < nr; i++)
		op[i] = op_of(t, first + i, now);
	if (submit_ops(t->queue, op, nr))
		return -1;
	for (unsigned int i = 0; i < nr; i++) {
		if (op[i].result)
			return op[i].result;
		t->alarm[first + i].watch = op[i].watch;
	}
	for (unsigned int i = first; i < first + nr; i++)
		if (t->alarm[i].life == MOVED || t->alarm[i].life == TAKEN)
			op[again++] = op_again(t, i);
	if (again && submit_ops(t->queue, op, again))
		return -1;
	for (unsigned int i = 0; i < again; i++)
		if (op[i].result)
			return op[i].result;
	return 0;
}

/* Of those that were due when all were armed, and on the same clock, the order is known. */
static void see_order(struct tower *t, const struct alarm_clock *a, const struct knell_event *ev)
{
	uint64_t due = ev->timer.due_ns, token = ev->token;
	bool moved = a->life == MOVED;

	if (a->life == SLACK || a->reads || due <= t->armed[a->clock])
		return;
	/* A relative time of day is one of the monotonic clock. */
	if (a->relative && clocks[a->clock] == CLOCK_REALTIME)
		return;
	if (!SO(t->last[a->clock].due <= due))
		t->wrong++;
	if (!moved && !a->relative) {
		if (t->last[a->clock].due == due && !SO(t->last[a->clock].token < token))
			t->wrong++;
		t->last[a->clock].token = token;
	} else if (t->last[a->clock].due != due) {
		t->last[a->clock].token = 0;
	}
	t->last[a->clock].due = due;
	t->ordered++;
}

static void enter(void *arg, const struct knell_event *ev)
{
	struct tower *t = arg;
	struct alarm_clock *a = &t->alarm[ev->token];
	uint64_t n = ev->timer.expirations, due = ev->timer.due_ns;
	uint64_t now = clock_ns(clocks[a->clock]), last = due + (n - 1) * a->interval;

	/* Of one that has fired again while its record was read the same read tells once more. */
	if (a->deleted && a->deleted == t->nr_reads)
		return;
	if (!SO(ev->type == KNELL_EV_TIMER) || !SO(ev->watch == a->watch) || !SO(!ev->flags) ||
	    !SO(n > 0) || !SO(n == 1 || a->interval) || !SO(last <= now) || !SO(a->life != TAKEN) ||
	    !SO(a->reads < (a->interval ? READS : 1)) || !SO(!a->due || due == a->due) ||
	    !SO(clocks[a->clock] != CLOCK_MONOTONIC || due <= ev->time_ns))
		t->wrong++;
	see_order(t, a, ev);
	a->due = due + n * a->interval;
	a->reads++;
	t->told[a->life]++;
	t->expirations += n;
	if (a->interval && a->reads == READS) {
		a->deleted = t->nr_reads;
		if (!SO(!del_watch(t->queue, a->watch)))
			t->wrong++;
	}
}

/* Each as often as it should have been. */
static unsigned int nr_of(struct tower *t, enum life life)
{
	unsigned int nr = 0;

	for (unsigned int i = 0; i < t->nr; i++) {
		unsigned int reads = life == PERIODIC ? READS : life != TAKEN;

		if (t->alarm[i].life != life)
			continue;
		nr++;
		if (!SO(t->alarm[i].reads == reads))
			t->wrong++;
	}
	return nr;
}

/* Until no watch is left. */
static int read_all(struct tower *t)
{
	uint64_t seed = t->seed, seq = 0;
	struct knell_event ev[64];

	while (nr_watches(t->queue)) {
		int n = wait_events(t->queue, ev, 1 + next_random(&seed) % 64,
				    clock_ns(CLOCK_MONOTONIC) + PATIENCE);

		if (!SO(n > 0))
			return -1;
		t->nr_reads++;
		for (int i = 0; i < n; i++) {
			if (!SO(ev[i].seq > seq) || !SO(ev[i].token < t->nr))
				return -1;
			seq = ev[i].seq;
			enter(t, &ev[i]);
		}
	}
	return 0;
}

TEST_F_TIMEOUT(soak, timers, SOAK_LIMIT)
{
	struct tower t = { .seed = self->seed, .queue = self->queue, .nr = soak_of(TIMERS) };
	unsigned int nr, sum = 0;
	uint64_t now[CLOCKS];

	t.alarm = calloc(t.nr, sizeof(*t.alarm));
	for (int c = 0; c < CLOCKS; c++)
		now[c] = clock_ns(clocks[c]);
	for (unsigned int i = 0; i < t.nr; i += BATCH)
		ASSERT_EQ(0, arm_batch(&t, i, i + BATCH < t.nr ? BATCH : t.nr - i, now));
	print_figures("timers armed", t.nr, self->since);
	for (int c = 0; c < CLOCKS; c++)
		t.armed[c] = clock_ns(clocks[c]);
	ASSERT_EQ(0, read_all(&t));
	for (enum life life = 0; life < LIVES; life++) {
		nr = nr_of(&t, life);
		EXPECT_EQ(nr * (life == PERIODIC ? READS : life != TAKEN), t.told[life]);
		sum += t.told[life];
	}
	EXPECT_EQ(0, t.wrong);
	print_figures("records of timers, none early", sum, self->since);
	printf("# %llu expirations, the order of %u seen\n", (unsigned long long)t.expirations,
	       t.ordered);
	fflush(stdout);
}

TEST_HARNESS_MAIN
