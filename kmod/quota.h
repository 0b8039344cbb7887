/* SPDX-License-Identifier: GPL-2.0-only */
/* How many watches a user may have, in all his queues together, and how many he may keep. */
#ifndef _KNELL_QUOTA_H
#define _KNELL_QUOTA_H

#include <linux/types.h>

struct knell_quota;

struct knell_quota *knell_quota_get(void);
void knell_quota_put(struct knell_quota *quota);
int knell_quota_charge(struct knell_quota *quota);
void knell_quota_uncharge(struct knell_quota *quota, unsigned int nr);
unsigned long knell_quota_max(void);
int knell_quota_charge_kept(struct knell_quota *quota);
void knell_quota_uncharge_kept(struct knell_quota *quota);

void knell_quota_init(void);

#endif /* _KNELL_QUOTA_H */
