/* SPDX-License-Identifier: GPL-2.0-only */
/* The wakeup source: an unread record of a watch with OPF_WAKEUP keeps the machine awake. */
#ifndef _KNELL_WAKEUP_H
#define _KNELL_WAKEUP_H

#include <linux/types.h>

struct device;

bool knell_wakeup_there(void);
int knell_wakeup_may(void);
void knell_wakeup_hold(void);
void knell_wakeup_drop(void);

int knell_wakeup_init(struct device *dev);
void knell_wakeup_exit(void);

#endif /* _KNELL_WAKEUP_H */
