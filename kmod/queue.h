/* SPDX-License-Identifier: GPL-2.0-only */
/* A queue: where records wait, in the order in which things happened. */
#ifndef _KNELL_QUEUE_H
#define _KNELL_QUEUE_H

#include <linux/irq_work.h>
#include <linux/kref.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/spinlock.h>
#include <linux/wait.h>

#include "wakeup.h"
#include "watch.h"

struct cred;
struct knell_file;
struct knell_keep;
struct knell_quota;
struct knell_timers;
struct pid;
struct task_struct;

/* Records that are copied at a time, through one page. */
#define KNELL_BATCH	(PAGE_SIZE / sizeof(struct knell_event))

/* What poll says of a revoked descriptor; readable, so that whoever waits looks. */
#define KNELL_POLL_REVOKED	(EPOLLIN | EPOLLRDNORM | EPOLLERR | EPOLLHUP)

/* Watches that are kept for the next ADD, so that read() frees none while some come and go. */
#define KNELL_SPARES	64

/**
 * struct knell_queue - what one open("/dev/knell") makes
 * @lock: covers the lists of records, @seq, @pending, @timers' trees and the
 *	state of each watch. Taken by hooks with interrupts off, inside a wait
 *	queue's lock; nothing is woken and no wait queue is changed under it
 * @ready: records that wait, by seq
 * @reading: those that are being copied by a reader of @file, all before @ready
 * @delivered: OPF_ACK's that were read and come again after an ATTACH, unless
 *	they are DELed before; by seq, all before @reading
 * @seq: of the latest record
 * @pending: records on @ready and @reading
 * @high_water: the most that were; @lock
 * @unacked: records on @delivered; @lock
 * @taken: records that were read, ever; @lock
 * @lost: reports that found no place, ever; @lock
 * @unsettled: a record on @ready may be for nothing, see knell_watch_ops.settle;
 *	@lock to write
 * @gated: nothing leaves until the new holder has read all of LIST; @mutex and
 *	@lock to write
 * @readers: sleep in read() or SUBMIT, one is woken by one record
 * @pollers: poll, select, epoll, io_uring: all hear of each record
 * @nested: wakes @pollers for a hook that must not; synced before the queue goes
 * @uring: such a hook was called by an io_uring; an atomic bit
 * @mutex: covers @table, @spares, @timers, @keep and the life of every watch: who
 *	holds it may use what knell_watch_find() returned. No user memory is
 *	touched under it, so TRIGGER waits for no page fault.
 *	Order: a file's @reader, @mutex, a wait queue's lock, @lock
 * @file: the one open file that is served, NULL while a kept queue is closed. All
 *	others are revoked. @mutex and @lock to write, either to read
 * @keep: of keep.c, if the queue is kept
 * @table: watches by handle
 * @spares: recycled watches
 * @nr_spares: how many
 * @timers: of timer.c, made by the first TIMER
 * @children: the CHILDREN watch, if there is one; @mutex and @lock to write,
 *	either to read
 * @quota: of the user who opened it
 * @cred: of the opener, when he opened it
 * @pid_ns: of the opener
 * @opener: his thread group, referenced
 * @id: never used again
 * @newborn: OPF_NEXT watches whose child is there and has yet to link them
 * @refs: of files, revoked ones too, of @keep, and one for each fork under way
 * @rcu: hooks wake @readers and @pollers after @lock, under RCU
 */
struct knell_queue {
	spinlock_t lock;	/* see above */
	struct list_head ready;
	struct list_head reading;
	struct list_head delivered;
	u64 seq;
	u32 pending;
	u32 high_water;
	u32 unacked;
	u64 taken;
	u64 lost;
	bool gated;
	bool unsettled;
	wait_queue_head_t readers;
	wait_queue_head_t pollers;
	struct irq_work nested;
	unsigned long uring;
	struct mutex mutex;	/* see above */
	struct knell_table table;
	struct list_head spares;
	u32 nr_spares;
	struct knell_timers *timers;
	struct knell_watch *children;
	struct knell_file *file;
	struct knell_keep *keep;
	struct knell_quota *quota;
	const struct cred *cred;
	struct pid_namespace *pid_ns;
	struct pid *opener;
	u64 id;
	atomic_t newborn;
	struct kref refs;
	struct rcu_head rcu;
};

bool knell_post(struct knell_watch *watch, u64 time);
void knell_post_record(struct knell_record *rec, u64 time);
void knell_unpost_record(struct knell_record *rec);
void knell_unpost(struct knell_watch *watch);
bool knell_queue_readable(struct knell_queue *queue);
void knell_queue_wake(struct knell_queue *queue);
void knell_queue_wake_nested(struct knell_queue *queue, bool uring);
void knell_queue_serve(struct knell_queue *queue, struct knell_file *file);
void knell_queue_open_gate(struct knell_queue *queue);
struct knell_queue *knell_queue_new(void);
int knell_queue_publish(struct knell_queue *queue);
struct knell_queue *knell_queue_next(u64 *id, u32 *generation);
struct knell_queue *knell_queue_find(u64 id);
bool knell_queue_ended(const struct knell_queue *queue);
void knell_queue_revoke(struct knell_queue *queue);
void knell_queue_end(struct knell_queue *queue);
void knell_queue_put(struct knell_queue *queue);

void knell_children_told(struct knell_queue *queue, struct task_struct *task);

/**
 * knell_record_done() - it has been read or taken back
 * @rec: its queue's lock is held
 */
static inline void knell_record_done(struct knell_record *rec)
{
	rec->watch->queue->pending--;
	if (unlikely(rec->watch->flags & KNELL_OPF_WAKEUP))
		knell_wakeup_drop();
}

/**
 * knell_queue_told() - a hook posts a death: CHILDREN need not tell it again
 * @queue: its lock is not held
 * @task: the leader. Under RCU, in a wake of its own wait queue
 */
static inline void knell_queue_told(struct knell_queue *queue, struct task_struct *task)
{
	if (unlikely(READ_ONCE(queue->children)))
		knell_children_told(queue, task);
}

/* timer.c: ends the queue's clocks, once no TIMER is left; what they take, under the mutex */
void knell_timers_free(struct knell_queue *queue);
size_t knell_timers_bytes(const struct knell_queue *queue);

#endif /* _KNELL_QUEUE_H */
