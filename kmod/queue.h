/* SPDX-License-Identifier: GPL-2.0-only */
/* A queue: where records wait, in the order in which things happened. */
#ifndef _KNELL_QUEUE_H
#define _KNELL_QUEUE_H

#include <linux/kref.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/spinlock.h>
#include <linux/wait.h>

#include "watch.h"

struct cred;
struct iov_iter;
struct knell_quota;
struct knell_timers;
struct seq_file;

/* Records that are copied at a time, through one page. */
#define KNELL_BATCH	(PAGE_SIZE / sizeof(struct knell_event))

/* Watches that are kept for the next ADD, so that read() frees none while some come and go. */
#define KNELL_SPARES	64

/**
 * struct knell_queue - what one open("/dev/knell") makes
 * @lock: covers @ready, @reading, @seq, @pending, @timers' trees and the state
 *	of each watch. Taken by hooks with interrupts off, inside a wait
 *	queue's lock; nothing is woken and no wait queue is changed under it
 * @ready: records that wait, by seq
 * @reading: those whose record is being copied, all before @ready
 * @seq: of the latest record
 * @pending: records on both lists
 * @readers: sleep in read() or SUBMIT, one is woken by one record
 * @pollers: poll, select, epoll, io_uring: all hear of each record
 * @mutex: covers @table, @spares, @timers and the life of every watch: who holds
 *	it may use what knell_watch_find() returned. No user memory is touched
 *	under it, so TRIGGER waits for no page fault
 * @table: watches by handle
 * @spares: recycled watches, @nr_spares of them
 * @timers: of timer.c, made by the first TIMER
 * @reader: one reader at a time, so that records leave in order; covers @bounce.
 *	Order: @reader, @mutex, a wait queue's lock, @lock
 * @bounce: one page, records on their way out
 * @quota: of the user who opened it
 * @cred: of the opener, when he opened it
 * @pid_ns: of the opener
 * @id: never used again
 * @unborn: OPF_NEXT watches whose child has yet to link them
 * @refs: the file's, and one for each fork under way
 * @rcu: hooks wake @readers and @pollers after @lock, under RCU
 */
struct knell_queue {
	spinlock_t lock;	/* see above */
	struct list_head ready;
	struct list_head reading;
	u64 seq;
	u32 pending;
	wait_queue_head_t readers;
	wait_queue_head_t pollers;
	struct mutex mutex;	/* see above */
	struct knell_table table;
	struct list_head spares;
	u32 nr_spares;
	struct knell_timers *timers;
	struct mutex reader;	/* see above */
	struct knell_event *bounce;
	struct knell_quota *quota;
	const struct cred *cred;
	struct pid_namespace *pid_ns;
	u64 id;
	atomic_t unborn;
	struct kref refs;
	struct rcu_head rcu;
};

extern const struct file_operations knell_fops;

bool knell_post(struct knell_watch *watch, u64 time);
void knell_post_record(struct knell_record *rec, u64 time);
void knell_unpost_record(struct knell_record *rec);
void knell_unpost(struct knell_watch *watch);
void knell_queue_wake(struct knell_queue *queue);
void knell_queue_put(struct knell_queue *queue);
ssize_t knell_queue_read(struct knell_queue *queue, struct iov_iter *to, bool wait, u64 deadline);

/* timer.c: ends the queue's clocks, once no TIMER is left */
void knell_timers_free(struct knell_queue *queue);

/* submit.c, show.c: what the ioctls do */
long knell_submit(struct knell_queue *queue, void __user *arg, size_t size);
long knell_info(struct knell_queue *queue, void __user *arg, size_t size);
long knell_list(struct knell_queue *queue, void __user *arg, size_t size);
void knell_show_fdinfo(struct seq_file *m, struct file *file);

#endif /* _KNELL_QUEUE_H */
