/* SPDX-License-Identifier: GPL-2.0-only */
/* What the programs have in common, beside ../bench.h: which clock, the peers' names, figures. */
#ifndef _BENCH_LOOPS_MAIN_H
#define _BENCH_LOOPS_MAIN_H

#include <limits.h>
#include <malloc.h>

#include "../bench.h"
#include "loops.h"

#define MAX_ROUNDS	9

static const char *unit = "insns";
static const char *suffix = "_insns";	/* of names that mean time elsewhere */
static bool on_host;

/* BENCH NAME MODE VALUE UNIT */
static inline void figure(const char *name, const char *mode, double value, const char *of)
{
	int digits = value < 10 ? 4 : 1;

	printf("BENCH %s %s %.*f %s\n", name, mode, digits, value, of);
}

static inline void name_peers(struct peer **peer, unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		peer[i]->name = peer[i]->name_it();
}

/*
 * Heap memory that was in use once stays: what is measured is a program that has been running for
 * a while, not its first page faults.
 */
static inline void keep_memory(void)
{
	if (!mallopt(M_MMAP_MAX, 0) || !mallopt(M_TRIM_THRESHOLD, INT_MAX) ||
	    !mallopt(M_TOP_PAD, 16 << 20))
		die("mallopt", 0);
}

/* -H: on the host, in nanoseconds of CPU time. -f: as in the guest, whatever the clock says. */
static inline void loops_start(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "-H")) {
		setvbuf(stdout, NULL, _IOLBF, 0);
		on_host = true;
		unit = "ns";
		suffix = "";
		return;
	}
	bench_start(bench_forced(argc, argv));
}

static inline void at_least(const char *what, double value, double bound)
{
	bool ok = value >= bound;

	printf("BOUND %s %s: %.4f, at least %.4f\n", ok ? "met" : "MISSED", what, value, bound);
	if (!ok)
		missed++;
}

#endif /* _BENCH_LOOPS_MAIN_H */
