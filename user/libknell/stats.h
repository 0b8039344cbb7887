/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* stats.c: what each function has used; warn.c: who is told of what took too long. */
#ifndef KNELL_STATS_H
#define KNELL_STATS_H

#include "task.h"

/* What one function has used; never freed while the loop lives. */
struct usage {
	knell_cb *cb;
	const char *name;
	uint32_t kinds;			/* KNELL_MASK */
	uint64_t calls;
	uint64_t wall, wall_max;	/* ns */
	uint64_t cpu, cpu_max;
	uint64_t late, late_max;
	uint64_t warns[3];		/* by enum knell_warning */
	/* Short runs since CPU time was last read, which share what it reads next. */
	uint64_t share, share_max;	/* wall time of all of them, of the longest */
	struct usage *share_next;
	bool sharing;			/* in stats.shares */
	unsigned int active;		/* scratch of show_cpu.c: its tasks */
};

struct rate;				/* when a call site was last warned of */

struct stats {
	struct usage **bucket;		/* by function, open addressing */
	size_t nr, room;
	struct usage *recent[64];	/* by function, direct-mapped */
	bool cpu;			/* account it */
	bool cpu_known;			/* the two below are */
	uint64_t cpu_then;		/* thread's CPU time when it was last read */
	uint64_t wall_then;		/* CLOCK_MONOTONIC of that */
	struct usage *shares;		/* ran since then, CPU time not charged yet */
	uint64_t streak;		/* records since the queue was last found empty */
	struct knell_stats count;	/* what knell_stats_get() copies; the rest it looks up */
	knell_warn_fn *warn;
	void *warn_arg;
	struct rate *rates;
};

/* A run of a task; on the stack of who calls it, who fills it but for what is stats.c's. */
struct run {
	struct task *task;
	knell_task name;
	struct usage *usage;		/* stats.c: NULL: no memory for one */
	const struct knell_site *site;
	knell_cb *cb;			/* whom it is counted as: struct alias */
	enum knell_kind kind;
	uint64_t start;			/* CLOCK_MONOTONIC */
	uint64_t late;
	uint64_t warn_cpu, warn_wall, warn_late;
	uint64_t slot;			/* knell_set_yield_slot() */
	struct run *outer;		/* knell_execute() in a task */
	uint64_t cpu;			/* stats.c: charged to it so far */
	uint64_t cpu_from;		/* stats.c: CLOCK_MONOTONIC up to which that is */
};

/* Counts dispatched, busy_ns, max_lag_ns. */
void stats_begin(struct knell_loop *l, struct run *r);
/* @end: CLOCK_MONOTONIC. Returns when the next task may be said to begin: @end, or later if
 * this has taken time of its own. */
uint64_t stats_end(struct knell_loop *l, struct run *r, uint64_t end);
void stats_before_sleep(struct knell_loop *l);	/* and before knell_loop_run() returns */
void stats_after_sleep(struct knell_loop *l, uint64_t slept_ns);	/* counts sleeps, idle_ns */
/* A backend has taken @nr records where there was room for @room; counts records, batches,
 * full_batches, max_depth. */
void stats_batch(struct knell_loop *l, unsigned int nr, unsigned int room);
void stats_settle(struct knell_loop *l);	/* charges what is not charged yet */
struct usage *usage_find(const struct knell_loop *l, knell_cb *cb);	/* NULL: has not run */
void stats_free(struct knell_loop *l);

/* Is any of the run's limits reached? */
static inline bool warn_due(const struct run *r, uint64_t wall, uint64_t cpu)
{
	return unlikely(wall >= r->warn_wall || cpu >= r->warn_cpu ||
			(r->kind == KNELL_KIND_TIMER && r->late > r->warn_late));
}

/* r ran so long; -> the hook, at most once in 10 s per site and sort. True: it was called. */
bool warn_check(struct knell_loop *l, const struct run *r, uint64_t wall, uint64_t cpu);
void warn_free(struct knell_loop *l);

#endif /* KNELL_STATS_H */
