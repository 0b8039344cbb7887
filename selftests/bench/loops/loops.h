/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * libknell and its peers, each behind the same few functions, so that one program has them side by
 * side in one process: each has a file of its own, since their headers do not go together.
 *
 * Where the clock counts instructions (../run.sh) costs are CPU time, that is instructions, and
 * repeat. Elsewhere (-H) they are CPU time in nanoseconds, and only good for ratios within a run:
 * the peers take turns, the best of the rounds counts.
 */
#ifndef _BENCH_LOOPS_H
#define _BENCH_LOOPS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * All timers are added, some cancelled, the rest taken away. A peer whose timers are memory of the
 * caller has it initialized before the clock starts.
 */
struct timer_way {
	void (*open)(unsigned int nr);
	void (*add)(const uint32_t *ms, unsigned int nr);
	/* Those with these numbers: gone, with what they owned. */
	void (*cancel)(const uint32_t *which, unsigned int nr);
	/* How many are there: each is asked. */
	unsigned int (*left)(unsigned int nr);
	void (*close)(unsigned int nr);
};

/* Tasks that run in every turn of the loop. */
struct dispatch_way {
	const char *how;	/* appended to the name */
	/* @fd: to be watched, never to become readable; -1: none */
	void (*open)(unsigned int nr_tasks, int fd);
	/* Until at least @nr have run; the tasks call dispatched(). */
	void (*run)(unsigned long nr);
	void (*close)(void);
};

struct child_way {
	/* @reap: zombies are the loop's to take away; else there are none. */
	void (*open)(unsigned int nr, bool reap);
	/* Makes a child that sleeps, watched as number @i; what it had before is freed. */
	pid_t (*start)(unsigned int i);
	/* One turn of the loop. */
	void (*turn)(bool sleep);
	/* System calls as the loop itself counts them; NULL: it does not. */
	uint64_t (*calls)(void);
};

struct peer {
	const char *name;			/* with the version */
	const char *(*name_it)(void);
	const struct timer_way *timers;		/* NULL: none */
	const struct dispatch_way *dispatch[3];	/* up to NULL */
	const struct child_way *children;
};

extern struct peer peer_knell, peer_knell_pidfd, peer_libev, peer_libuv, peer_libevent,
	peer_sd_event, peer_pidfd;

/* The kernel's queue is there. */
bool have_queue(void);

/* What dispatch.c counts. */
extern unsigned long ran, to_run;

/* True: that was the last one. */
static inline bool dispatched(void)
{
	return ++ran >= to_run;
}

/* children.c: number @i has ended, with a wait(2) status word. */
extern void (*heard_exit)(unsigned int i, pid_t pid, int status);

#endif /* _BENCH_LOOPS_H */
