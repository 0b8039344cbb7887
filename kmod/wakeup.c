// SPDX-License-Identifier: GPL-2.0-only
/*
 * The wakeup source. There is one for all queues, if the device tree or the
 * administrator says so; it is active while there is a record that waits to be
 * read and whose watch has OPF_WAKEUP.
 */
#include <linux/capability.h>
#include <linux/device.h>
#include <linux/pm_wakeup.h>
#include <linux/spinlock.h>

#include "wakeup.h"

/* Made before there is a watch that needs it, or never; there as long as one. */
static struct wakeup_source *knell_wakeup_source;

/* covers knell_wakeup_records; inside queue->lock, outside the wakeup source's own */
static DEFINE_SPINLOCK(knell_wakeup_lock);
static unsigned int knell_wakeup_records;

/**
 * knell_wakeup_there() - is there a wakeup source?
 */
bool knell_wakeup_there(void)
{
	/* Pairs with knell_wakeup_init(). */
	return smp_load_acquire(&knell_wakeup_source);
}

/**
 * knell_wakeup_may() - may current ADD with OPF_WAKEUP?
 *
 * Return: 0, -EOPNOTSUPP there is no wakeup source, -EPERM no CAP_BLOCK_SUSPEND
 */
int knell_wakeup_may(void)
{
	if (!knell_wakeup_there())
		return -EOPNOTSUPP;
	return capable(CAP_BLOCK_SUSPEND) ? 0 : -EPERM;
}

/**
 * knell_wakeup_hold() - one record more that waits. Any context, under queue->lock
 */
void knell_wakeup_hold(void)
{
	unsigned long flags;

	spin_lock_irqsave(&knell_wakeup_lock, flags);
	if (!knell_wakeup_records++)
		__pm_stay_awake(knell_wakeup_source);
	spin_unlock_irqrestore(&knell_wakeup_lock, flags);
}

/**
 * knell_wakeup_drop() - one less. Any context, under queue->lock
 */
void knell_wakeup_drop(void)
{
	unsigned long flags;

	spin_lock_irqsave(&knell_wakeup_lock, flags);
	if (!--knell_wakeup_records)
		__pm_relax(knell_wakeup_source);
	spin_unlock_irqrestore(&knell_wakeup_lock, flags);
}

/**
 * knell_wakeup_init() - there is to be a wakeup source. May sleep
 * @dev: whose it is in sysfs
 *
 * Return: 0, also if there is one already; -ENOMEM, -EOPNOTSUPP: in this kernel nothing sleeps
 */
int knell_wakeup_init(struct device *dev)
{
	struct wakeup_source *source;

	if (!IS_ENABLED(CONFIG_PM_SLEEP))
		return -EOPNOTSUPP;
	if (knell_wakeup_source)
		return 0;
	source = wakeup_source_register(dev, "knell");
	if (!source)
		return -ENOMEM;
	/* Pairs with knell_wakeup_there(). */
	smp_store_release(&knell_wakeup_source, source);
	return 0;
}

/**
 * knell_wakeup_exit() - the module goes, and all watches have gone. May sleep
 */
void knell_wakeup_exit(void)
{
	wakeup_source_unregister(knell_wakeup_source);
}
