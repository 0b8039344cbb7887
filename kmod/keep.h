/* SPDX-License-Identifier: GPL-2.0-only */
/* Queues that outlive their manager. */
#ifndef _KNELL_KEEP_H
#define _KNELL_KEEP_H

#include <linux/types.h>

#include <linux/knell.h>

struct knell_file;
struct knell_queue;
struct pid;
struct seq_file;

/**
 * struct knell_kept - how a queue is kept
 * @name: a string
 * @holder: who last called KEEP or ATTACH, referenced
 * @orphan: he is dead
 */
struct knell_kept {
	char name[sizeof_field(struct knell_name, name)];
	struct pid *holder;
	bool orphan;
};

long knell_keep(struct knell_file *file, void __user *arg, size_t size);
long knell_attach(struct knell_file *door, void __user *arg, size_t size);
int knell_keep_drop(struct knell_queue *queue);
bool knell_keep_describe(struct knell_queue *queue, struct knell_kept *kept);
void knell_keep_show(struct seq_file *m, struct knell_queue *queue);

#endif /* _KNELL_KEEP_H */
