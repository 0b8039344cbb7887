// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Who took too long, and who is told.
 *
 * All warnings are counted with the function. The hook hears of one in 10 s per call site
 * and sort, by CLOCK_MONOTONIC also when the loop's clock stands still. Whether there is
 * one depends on limits and times only, never on what the task was given.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "internal.h"

#define RATE_NS		(10 * NSEC_PER_SEC)
#define TEXT_MAX	256

struct rate {
	struct rate *next;
	const struct knell_site *site;
	uint64_t last[3];		/* by enum knell_warning; 0: never */
};

static struct rate *rate_find(struct stats *s, const struct knell_site *site)
{
	struct rate *rate;

	for (rate = s->rates; rate; rate = rate->next)
		if (rate->site == site)
			return rate;
	rate = calloc(1, sizeof(*rate));
	if (!rate)
		return NULL;
	rate->site = site;
	rate->next = s->rates;
	s->rates = rate;
	return rate;
}

/* Without memory for when it was last told nothing is. */
static bool may_tell(struct stats *s, const struct knell_site *site, enum knell_warning what)
{
	struct rate *rate = rate_find(s, site);
	uint64_t now = clock_raw();

	if (!rate || (rate->last[what] && now - rate->last[what] < RATE_NS))
		return false;
	rate->last[what] = now;
	return true;
}

static uint64_t ms(uint64_t ns)
{
	return ns / NSEC_PER_MSEC;
}

static void text_of(char *text, enum knell_warning what, const struct run *r, uint64_t wall,
		    uint64_t cpu)
{
	const char *func = r->site && r->site->func ? r->site->func : "?";
	const char *file = r->site && r->site->file ? r->site->file : "?";
	int line = r->site ? r->site->line : 0;
	double load[3];

	switch (what) {
	case KNELL_WARN_CPU:
		snprintf(text, TEXT_MAX, "CPU HOG: %s (%s:%d) used %" PRIu64 " ms of CPU time in %"
			 PRIu64 " ms, limit %" PRIu64 " ms", func, file, line, ms(cpu), ms(wall),
			 ms(r->warn_cpu));
		return;
	case KNELL_WARN_WALL:
		snprintf(text, TEXT_MAX, "STARVATION: %s (%s:%d) took %" PRIu64 " ms, %" PRIu64
			 " ms of it on the CPU, limit %" PRIu64 " ms", func, file, line, ms(wall),
			 ms(cpu), ms(r->warn_wall));
		return;
	case KNELL_WARN_LATE:
		if (getloadavg(load, 3) != 3)
			load[0] = load[1] = load[2] = 0;
		snprintf(text, TEXT_MAX, "LATE TIMER: %s (%s:%d) ran %" PRIu64
			 " ms after its time, limit %" PRIu64 " ms, load %.2f %.2f %.2f",
			 func, file, line, ms(r->late), ms(r->warn_late), load[0], load[1],
			 load[2]);
		return;
	}
}

static bool warn(struct knell_loop *l, enum knell_warning what, const struct run *r,
		 uint64_t wall, uint64_t cpu)
{
	struct stats *s = &l->stats;
	char text[TEXT_MAX];

	if (r->usage)
		r->usage->warns[what]++;
	if (!s->warn || !may_tell(s, r->site, what))
		return false;
	text_of(text, what, r, wall, cpu);
	s->warn(l, what, r->site, text, s->warn_arg);
	return true;
}

bool warn_check(struct knell_loop *l, const struct run *r, uint64_t wall, uint64_t cpu)
{
	bool told = false;

	if (r->kind == KNELL_KIND_TIMER && r->late > r->warn_late)
		told = warn(l, KNELL_WARN_LATE, r, wall, cpu);
	if (cpu >= r->warn_cpu)
		told |= warn(l, KNELL_WARN_CPU, r, wall, cpu);
	else if (wall >= r->warn_wall)
		told |= warn(l, KNELL_WARN_WALL, r, wall, cpu);
	return told;
}

void warn_free(struct knell_loop *l)
{
	struct rate *rate;

	while ((rate = l->stats.rates)) {
		l->stats.rates = rate->next;
		free(rate);
	}
}

void knell_set_warn_hook(struct knell_loop *l, knell_warn_fn *fn, void *arg)
{
	if (loop_is_copy(l))
		return;
	l->stats.warn = fn;
	l->stats.warn_arg = arg;
}

static uint64_t limit(uint64_t ns)
{
	return ns ? ns : KNELL_NEVER;
}

int knell_set_warn(struct knell_loop *l, knell_task name, uint64_t cpu_ns, uint64_t wall_ns,
		   uint64_t late_ns)
{
	struct opts *o;
	struct task *t;

	if (loop_is_copy(l))
		return -ECHILD;
	t = task_find(l, name);
	if (!t)
		return -ENOENT;
	o = task_opts(t);
	if (!o)
		return -ENOMEM;
	o->warn_cpu = limit(cpu_ns);
	o->warn_wall = limit(wall_ns);
	o->warn_late = limit(late_ns);
	o->warn_set = true;
	return 0;
}
