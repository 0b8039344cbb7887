/* SPDX-License-Identifier: GPL-2.0-only */
/* The monitor: what happens, multicast as it happens. */
#ifndef _KNELL_MONITOR_H
#define _KNELL_MONITOR_H

#include <linux/jump_label.h>
#include <linux/types.h>

#include "compat.h"

struct knell_exit;
struct knell_queue;
struct knell_record;

DECLARE_STATIC_KEY_FALSE(knell_monitor_used);

bool knell_monitor_heard(void);

/**
 * knell_monitored() - does anybody listen? Any context
 *
 * A no-op instruction until somebody has, where the kernel tells who binds to a
 * group; before 6.9 each has to be looked for.
 */
static inline bool knell_monitored(void)
{
	if (KNELL_TELLS_GENL_BIND && !static_branch_unlikely(&knell_monitor_used))
		return false;
	return knell_monitor_heard();
}

/* Only if knell_monitored(); in the contexts that observe.h tells of. */
void knell_monitor_exit(const struct knell_exit *exit);
void knell_monitor_empty(const struct knell_record *rec);
void knell_monitor_keep(const struct knell_queue *queue, const char *name);
void knell_monitor_attach(const struct knell_queue *queue, const char *name);

/* netlink.c's */
int knell_monitor_bind(int group);
int knell_monitor_start(void);
void knell_monitor_stop(void);

#endif /* _KNELL_MONITOR_H */
