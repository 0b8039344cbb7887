/* SPDX-License-Identifier: GPL-2.0-only */
/* The caller's time namespace: what to add to the host's clock to get his. */
#ifndef _KNELL_TIMENS_H
#define _KNELL_TIMENS_H

#include <linux/ktime.h>
#include <linux/nsproxy.h>
#include <linux/sched.h>
#include <linux/time_namespace.h>

/* Until 5.16 timespec64_to_ns() takes a negative time for one without end. */
static inline s64 knell_timens_ns(const struct timespec64 *offset)
{
	return offset->tv_sec * NSEC_PER_SEC + offset->tv_nsec;
}

/* Nanoseconds that current's @clock is ahead of the host's, perhaps negative. */
static inline s64 knell_timens_offset(clockid_t clock)
{
#ifdef CONFIG_TIME_NS
	const struct timens_offsets *offsets = &current->nsproxy->time_ns->offsets;

	if (clock == CLOCK_MONOTONIC)
		return knell_timens_ns(&offsets->monotonic);
	if (clock == CLOCK_BOOTTIME)
		return knell_timens_ns(&offsets->boottime);
#endif
	return 0;
}

/* A time of current's @clock, 0 or more, on the host's; negative before the host's began. */
static inline ktime_t knell_timens_to_host(clockid_t clock, ktime_t time)
{
	s64 offset = knell_timens_offset(clock);

	if (offset < 0)
		return ktime_add_safe(time, -offset);
	return time - offset;
}

#endif /* _KNELL_TIMENS_H */
