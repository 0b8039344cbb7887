/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the selftests of TIMER watches share.
 *
 * A machine can be arbitrarily slow, so nothing there says "in time": what is
 * asserted is that no record comes before its deadline by any clock, and that
 * what it says adds up.
 */
#ifndef _TIMER_TEST_H
#define _TIMER_TEST_H

#include "queue_test.h"

static const clockid_t clocks[] = { CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME };

static inline uint64_t now(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

/*
 * What to add to CLOCK_MONOTONIC to get @clock: at most a moment too much, the
 * shortest there was between two clock readings in a row.
 */
static inline uint64_t clock_offset(clockid_t clock)
{
	uint64_t least = ~0ULL, diff;
	int i;

	for (i = 0; i < 1000; i++) {
		diff = now();
		diff = clock_ns(clock) - diff;
		if (diff < least)
			least = diff;
	}
	return least;
}

/* Timers of the module that the kernel has queued at this moment. */
static inline int nr_queued_timers(void)
{
	char line[512];
	int n = 0;
	FILE *f = fopen("/proc/timer_list", "r");

	if (!f)
		return -errno;
	while (fgets(line, sizeof(line), f))
		if (strstr(line, "knell_"))
			n++;
	fclose(f);
	return n;
}

#endif /* _TIMER_TEST_H */
