// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What each function has used, and the loop's counters.
 *
 * The wall clock is read once a task: the end of one is the beginning of the next. The
 * thread's CPU clock is a system call, so it is read only
 *   - after a run of LONG_NS or more,
 *   - when PILE_NS have passed since it was last read,
 *   - before a sleep, if anything has run since, and after it: what the sleep itself costs
 *     is nobody's.
 * What was used in between is divided in proportion to wall time, of which the loop itself
 * has its part, too. So a run's CPU time never exceeds its wall time. A long run is
 * charged with what is left when the short ones before it are thought to have been on the
 * CPU all the time: one that blocks is not charged with theirs.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

#define LONG_NS		(20 * NSEC_PER_USEC)
#define PILE_NS		(50 * NSEC_PER_USEC)

#define ROOM_MIN	64

/* Of a pointer to a function, which mostly is a multiple of 16; the upper bits are good ones. */
static inline uint64_t hash(knell_cb *cb)
{
	return ((uint64_t)(uintptr_t)cb >> 4) * UINT64_C(0x9e3779b97f4a7c15);
}

/* Where it is, or where it would be. */
static struct usage **bucket_of(struct usage **bucket, size_t room, knell_cb *cb)
{
	size_t i = (hash(cb) >> 32) & (room - 1);

	while (bucket[i] && bucket[i]->cb != cb)
		i = (i + 1) & (room - 1);
	return &bucket[i];
}

static int grow(struct stats *s)
{
	size_t i, room = s->room ? s->room * 2 : ROOM_MIN;
	struct usage **bucket = calloc(room, sizeof(*bucket));

	if (!bucket)
		return -ENOMEM;
	for (i = 0; i < s->room; i++)
		if (s->bucket[i])
			*bucket_of(bucket, room, s->bucket[i]->cb) = s->bucket[i];
	free(s->bucket);
	s->bucket = bucket;
	s->room = room;
	return 0;
}

static struct usage *usage_new(struct stats *s, const struct run *r)
{
	struct usage *u;

	if (2 * (s->nr + 1) > s->room && grow(s) < 0)
		return NULL;
	u = calloc(1, sizeof(*u));
	if (!u)
		return NULL;
	u->cb = r->cb;
	u->name = r->site && r->site->func ? r->site->func : "?";
	*bucket_of(s->bucket, s->room, r->cb) = u;
	s->nr++;
	return u;
}

/* NULL: no memory; this run is counted with the loop's only. */
static struct usage *usage_get(struct stats *s, const struct run *r)
{
	struct usage **recent = &s->recent[hash(r->cb) >> 58];
	struct usage *u;

	_Static_assert(ARRAY_SIZE(s->recent) == 64, "six bits");
	if (likely(*recent && (*recent)->cb == r->cb))
		return *recent;
	u = s->room ? *bucket_of(s->bucket, s->room, r->cb) : NULL;
	if (!u)
		u = usage_new(s, r);
	if (u)
		*recent = u;
	return u;
}

static uint64_t thread_cpu(struct stats *s)
{
	struct timespec ts;

	s->count.syscalls++;
	if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts) < 0)
		return s->cpu_then;
	return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

static void cpu_begin(struct stats *s, uint64_t now)
{
	s->cpu_then = thread_cpu(s);
	s->wall_then = now;
	s->cpu_known = true;
}

static void usage_cpu(struct usage *u, uint64_t cpu, uint64_t max)
{
	u->cpu += cpu;
	if (max > u->cpu_max)
		u->cpu_max = max;
}

/* Those who share have had @part of their wall time. */
static void shares_settle(struct stats *s, double part)
{
	struct usage *u;

	while ((u = s->shares)) {
		s->shares = u->share_next;
		usage_cpu(u, (uint64_t)((double)u->share * part),
			 (uint64_t)((double)u->share_max * part));
		u->share = u->share_max = 0;
		u->sharing = false;
	}
}

static uint64_t since(uint64_t now, uint64_t then)
{
	return now > then ? now - then : 0;
}

/*
 * Charges what was used since the CPU clock was last read: to those who share, to @r, the
 * innermost that runs (NULL: none), and to those that called it. @own: how much of the
 * time until @now was a long run's, @r's.
 */
static void cpu_settle(struct stats *s, struct run *r, uint64_t now, uint64_t own)
{
	uint64_t then = s->cpu_then, rest = since(now, s->wall_then), used, few, own_cpu;
	double part;

	s->cpu_then = thread_cpu(s);
	used = since(s->cpu_then, then);
	rest = since(rest, own);
	few = used < rest ? used : rest;
	part = rest ? (double)few / (double)rest : 1;
	own_cpu = used - few < own ? used - few : own;

	shares_settle(s, part);
	for (; r; r = r->outer) {
		uint64_t seg = since(now, r->cpu_from);

		r->cpu += own_cpu + (uint64_t)((double)since(seg, own) * part);
		r->cpu_from = now;
	}
	s->wall_then = now;
}

static void share_add(struct stats *s, struct usage *u, uint64_t wall)
{
	u->share += wall;
	if (wall > u->share_max)
		u->share_max = wall;
	if (!u->sharing) {
		u->sharing = true;
		u->share_next = s->shares;
		s->shares = u;
	}
}

/*
 * A run of @wall has ended. It shares what is read next if it is short and nothing forbids:
 * a part of it was charged already, a limit is so low that it has to be known, or no loop
 * runs that would read it. True: it was read, and r->cpu is all of it.
 */
static bool run_cpu(struct knell_loop *l, struct run *r, uint64_t wall, uint64_t end)
{
	struct stats *s = &l->stats;

	if (likely(wall < LONG_NS && since(end, s->wall_then) < PILE_NS &&
		   r->cpu_from == r->start && wall < r->warn_cpu &&
		   (l->running || r->outer))) {
		if (r->usage)
			share_add(s, r->usage, wall);
		return false;
	}
	cpu_settle(s, r, end, wall < LONG_NS ? 0 : since(end, r->cpu_from));
	if (r->cpu > wall)
		r->cpu = wall;
	if (r->usage)
		usage_cpu(r->usage, r->cpu, r->cpu);
	if (!l->running && !r->outer)
		s->cpu_known = false;
	return true;
}

void stats_begin(struct knell_loop *l, struct run *r)
{
	struct stats *s = &l->stats;

	r->usage = usage_get(s, r);
	r->cpu = 0;
	r->cpu_from = r->start;
	if (s->cpu && unlikely(!s->cpu_known))
		cpu_begin(s, r->start);
	if (r->late > s->count.max_lag_ns)
		s->count.max_lag_ns = r->late;
}

static inline void usage_run(struct usage *u, const struct run *r, uint64_t wall)
{
	u->kinds |= KNELL_MASK(r->kind);
	u->calls++;
	u->wall += wall;
	if (wall > u->wall_max)
		u->wall_max = wall;
	u->late += r->late;
	if (r->late > u->late_max)
		u->late_max = r->late;
}

uint64_t stats_end(struct knell_loop *l, struct run *r, uint64_t end)
{
	uint64_t wall = since(end, r->start);
	struct stats *s = &l->stats;
	bool late = false;

	s->count.dispatched++;
	if (!r->outer)
		s->count.busy_ns += wall;
	if (r->usage)
		usage_run(r->usage, r, wall);
	if (s->cpu)
		late = run_cpu(l, r, wall, end);
	if (warn_due(r, wall, r->cpu))
		late |= warn_check(l, r, wall, r->cpu);
	return unlikely(late) ? clock_raw() : end;
}

void stats_before_sleep(struct knell_loop *l)
{
	struct stats *s = &l->stats;

	if (s->cpu && s->shares)
		cpu_settle(s, NULL, clock_raw(), 0);
	s->cpu_known = false;
}

void stats_after_sleep(struct knell_loop *l, uint64_t slept_ns)
{
	struct stats *s = &l->stats;

	s->count.sleeps++;
	s->count.idle_ns += slept_ns;
	if (s->cpu)
		cpu_begin(s, clock_raw());
}

void stats_batch(struct knell_loop *l, unsigned int nr, unsigned int room)
{
	struct stats *s = &l->stats;
	struct knell_stats *c = &s->count;

	if (nr) {
		c->records += nr;
		c->batches++;
	}
	s->streak += nr;
	if (s->streak > c->max_depth)
		c->max_depth = s->streak;
	if (nr < room)
		s->streak = 0;
	else if (nr)
		c->full_batches++;
}

void stats_settle(struct knell_loop *l)
{
	struct stats *s = &l->stats;

	if (s->cpu && s->cpu_known)
		cpu_settle(s, l->run, clock_raw(), 0);
}

struct usage *usage_find(const struct knell_loop *l, knell_cb *cb)
{
	const struct stats *s = &l->stats;

	return s->room ? *bucket_of(s->bucket, s->room, cb) : NULL;
}

void stats_free(struct knell_loop *l)
{
	struct stats *s = &l->stats;
	size_t i;

	for (i = 0; i < s->room; i++)
		free(s->bucket[i]);
	free(s->bucket);
	s->bucket = NULL;
	s->room = s->nr = 0;
	s->shares = NULL;
	memset(s->recent, 0, sizeof(s->recent));
	warn_free(l);
}

void knell_set_cpu_accounting(struct knell_loop *l, bool on)
{
	struct stats *s = &l->stats;
	uint64_t now = clock_raw();
	struct run *r;

	if (loop_is_copy(l) || on == s->cpu)
		return;
	stats_settle(l);
	s->cpu = on;
	s->cpu_known = false;
	if (!on)
		return;
	/* What runs is charged from here on; its limits are judged by that. */
	for (r = l->run; r; r = r->outer)
		r->cpu_from = now;
	if (l->run)
		cpu_begin(s, now);
}

void knell_stats_get(const struct knell_loop *l, struct knell_stats *s)
{
	unsigned int i;

	*s = l->stats.count;
	s->tasks = l->tasks.used;
	s->tasks_free = l->tasks.free;
	s->tasks_made = l->tasks.made;
	s->tasks_reused = l->tasks.reused;
	s->ready = l->list[LIST_READY].len + l->list[LIST_READY_NEXT].len;
	s->events = l->list[LIST_EVENTS].len;
	s->timers = 0;
	for (i = 0; i < HEAPS; i++)
		s->timers += l->heap[i].nr - l->heap[i].dead;
	s->children = l->sources.alive;
	s->posted = atomic_load_explicit(&l->posts.posted, memory_order_relaxed);
	s->rings = atomic_load_explicit(&l->posts.rings, memory_order_relaxed);
}
