/* SPDX-License-Identifier: GPL-2.0-only */
/* How much a user may have, in all his queues together. */
#ifndef _KNELL_QUOTA_H
#define _KNELL_QUOTA_H

#include <linux/types.h>

struct knell_quota;

/**
 * enum knell_quota_kind - what is counted
 * @KNELL_QUOTA_WATCHES: units of KNELL_WATCH_SIZE bytes; a watch is one, its reserve more
 * @KNELL_QUOTA_FILES: open files, those that were revoked, too
 * @KNELL_QUOTA_KEPT: kept queues
 * @KNELL_QUOTA_KINDS: how many kinds there are
 */
enum knell_quota_kind {
	KNELL_QUOTA_WATCHES,
	KNELL_QUOTA_FILES,
	KNELL_QUOTA_KEPT,
	KNELL_QUOTA_KINDS,
};

struct knell_quota *knell_quota_get(void);
void knell_quota_put(struct knell_quota *quota);
int knell_quota_charge(struct knell_quota *quota, enum knell_quota_kind kind, unsigned int nr);
void knell_quota_uncharge(struct knell_quota *quota, enum knell_quota_kind kind, unsigned int nr);
unsigned long knell_quota_max(void);

void knell_quota_init(void);

#endif /* _KNELL_QUOTA_H */
