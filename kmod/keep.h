/* SPDX-License-Identifier: GPL-2.0-only */
/* Queues that outlive their manager. */
#ifndef _KNELL_KEEP_H
#define _KNELL_KEEP_H

#include <linux/types.h>

struct knell_file;
struct knell_queue;
struct seq_file;

long knell_keep(struct knell_file *file, void __user *arg, size_t size);
long knell_attach(struct knell_file *door, void __user *arg, size_t size);
void knell_keep_show(struct seq_file *m, struct knell_queue *queue);

#endif /* _KNELL_KEEP_H */
