/* SPDX-License-Identifier: GPL-2.0-only */
/* An open file: through which a queue is read and told what to do. */
#ifndef _KNELL_FILE_H
#define _KNELL_FILE_H

#include <linux/mutex.h>
#include <linux/types.h>

#include "queue.h"

struct file;
struct iov_iter;
struct seq_file;

/**
 * struct knell_file - what an open("/dev/knell") or an ATTACH makes
 * @queue: referenced. It serves this file, or the file is revoked
 * @reader: one reader at a time, so that records leave in order; covers @bounce.
 *	Each file has its own: the reader of a revoked one may hold it as long
 *	as he likes. The first in the lock order, see struct knell_queue
 * @bounce: one page, records on their way out
 */
struct knell_file {
	struct knell_queue *queue;
	struct mutex reader;	/* see above */
	struct knell_event *bounce;
};

extern const struct file_operations knell_fops;

struct knell_file *knell_file_new(struct knell_queue *queue);
void knell_file_free(struct knell_file *file);
bool knell_file_revoked(const struct knell_file *file);
int knell_file_lock(struct knell_file *file);
void knell_file_unlock(struct knell_file *file);
ssize_t knell_file_read(struct knell_file *file, struct iov_iter *to, bool wait, u64 deadline);

/* submit.c, show.c: what the ioctls do */
long knell_submit(struct knell_file *file, void __user *arg, size_t size);
long knell_info(struct knell_file *file, void __user *arg, size_t size);
long knell_list(struct knell_file *file, void __user *arg, size_t size);
void knell_show_fdinfo(struct seq_file *m, struct file *filp);

/* show.c, for netlink, too */
void knell_watch_describe(struct knell_watch *watch, struct knell_watch_info *info,
			  struct pid_namespace *ns);
long knell_list_handles(struct knell_queue *queue, u32 after, u32 **handles);

#endif /* _KNELL_FILE_H */
