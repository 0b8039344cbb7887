/* SPDX-License-Identifier: GPL-2.0-only */
/* The black box: the last exits in RAM that survives a warm reset. */
#ifndef _KNELL_BLACKBOX_H
#define _KNELL_BLACKBOX_H

#include <linux/jump_label.h>
#include <linux/types.h>

struct device;
struct knell_death;
struct knell_killer;
struct knell_record;
struct task_struct;

/* blackbox.c: what is in the region */
DECLARE_STATIC_KEY_FALSE(knell_box_key);

/* Is there one? */
static inline bool knell_box_on(void)
{
	return static_branch_unlikely(&knell_box_key);
}

void knell_box_exit(const struct knell_record *rec, const struct task_struct *task,
		    const struct knell_death *death, const struct knell_killer *killer,
		    const char *label, u32 members);
int knell_box_open(void *map, size_t size, u32 record_size);
void knell_box_close(void);
size_t knell_box_size(void);
const void *knell_box_found(void);
void knell_box_read(void *to, size_t from, size_t size);

/* region.c: where it is */
int knell_region_init(struct device *dev);
void knell_region_exit(void);

#endif /* _KNELL_BLACKBOX_H */
