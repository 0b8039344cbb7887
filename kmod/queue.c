// SPDX-License-Identifier: GPL-2.0-only
/* The queue: records become pending in hooks; how they leave it is in file.c. */
#include <linux/cred.h>
#include <linux/pid_namespace.h>
#include <linux/poll.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "queue.h"
#include "quota.h"

/**
 * knell_post_record() - an event: its record becomes pending
 * @rec: not pending; its queue's lock is held
 * @time: of the event, CLOCK_MONOTONIC of the host
 *
 * Allocates nothing and wakes nobody: call knell_queue_wake() after the lock.
 */
void knell_post_record(struct knell_record *rec, u64 time)
{
	struct knell_queue *queue = rec->watch->queue;

	lockdep_assert_held(&queue->lock);
	rec->time = time;
	rec->seq = ++queue->seq;
	queue->pending++;
	list_add_tail(&rec->node, &queue->ready);
}

/**
 * knell_post() - an armed watch has fired: its own record becomes pending
 * @watch: its queue's lock is held
 * @time: of the event, CLOCK_MONOTONIC of the host
 *
 * As knell_post_record().
 *
 * Return: true if there is a new record, false if the watch was not armed.
 */
bool knell_post(struct knell_watch *watch, u64 time)
{
	lockdep_assert_held(&watch->queue->lock);
	if (watch->state != KNELL_ARMED)
		return false;
	watch->state = KNELL_PENDING;
	knell_post_record(&watch->rec, time);
	return true;
}

/**
 * knell_unpost_record() - take back a record if it is pending, or delivered and
 * to come again
 * @rec: its queue's lock is held
 */
void knell_unpost_record(struct knell_record *rec)
{
	struct knell_queue *queue = rec->watch->queue;

	lockdep_assert_held(&queue->lock);
	if (list_empty(&rec->node))
		return;
	list_del_init(&rec->node);
	if (!rec->delivered)
		queue->pending--;
	rec->delivered = false;
}

/**
 * knell_unpost() - take back a watch's own record if it is pending
 * @watch: its queue's lock is held. The caller sets the new state
 */
void knell_unpost(struct knell_watch *watch)
{
	knell_unpost_record(&watch->rec);
}

/*
 * Both the sleepers in file.c and knell_queue_wake() look at the other side's list
 * without its lock. Each writes first, then looks, with a full barrier between:
 *
 *	sleeper					hook
 *	prepare_to_wait() or poll_wait()	list_add_tail(&rec->node, ready)
 *	  barrier				spin_unlock(lock)
 *	list_empty(ready)			wq_has_sleeper(): barrier, looks
 *
 * so that at least one of the two sees the other. The hook's watch may be read
 * and recycled as soon as it has dropped the lock: it touches only the queue,
 * which RCU keeps for it.
 */
bool knell_queue_readable(struct knell_queue *queue)
{
	return !list_empty(&queue->ready) && !READ_ONCE(queue->gated);
}

/**
 * knell_queue_wake() - tell those who wait that there is a new record
 * @queue: its lock is not held. Any context
 */
void knell_queue_wake(struct knell_queue *queue)
{
	if (wq_has_sleeper(&queue->readers))
		wake_up_interruptible(&queue->readers);
	if (wq_has_sleeper(&queue->pollers))
		wake_up_interruptible_poll(&queue->pollers, EPOLLIN | EPOLLRDNORM);
}

static void knell_queue_wake_pollers(struct irq_work *work)
{
	struct knell_queue *queue = container_of(work, struct knell_queue, nested);
	__poll_t key = EPOLLIN | EPOLLRDNORM;

	if (test_and_clear_bit(0, &queue->uring))
		key |= EPOLL_URING_WAKE;
	wake_up_interruptible_poll(&queue->pollers, key);
}

/**
 * knell_queue_wake_nested() - knell_queue_wake() for a hook in any wait queue
 * @queue: its lock is not held; the lock of a wait queue is, and keeps it. Any context
 * @uring: the wake carried EPOLL_URING_WAKE, which is passed on
 *
 * A poller's wake function may itself wake any wait queue: io_uring and aio
 * signal an eventfd, with the lock of @pollers held. Were that lock taken here,
 * inside the eventfd's, a CPU could wait for itself or two for each other. So
 * an irq_work takes it, outside of all others. Readers are tasks, whose wake
 * ends there.
 */
void knell_queue_wake_nested(struct knell_queue *queue, bool uring)
{
	if (wq_has_sleeper(&queue->readers))
		wake_up_interruptible(&queue->readers);
	if (!wq_has_sleeper(&queue->pollers))
		return;
	if (uring)
		set_bit(0, &queue->uring);
	irq_work_queue(&queue->nested);
}

/* Oldest first, @again becomes what was delivered and not acknowledged. */
static void knell_queue_redeliver(struct knell_queue *queue, struct list_head *again)
{
	struct knell_record *rec;
	unsigned int n;

	/* Under the mutex nobody else changes the list: the lock may be dropped. */
	while (!list_empty(&queue->delivered)) {
		spin_lock_irq(&queue->lock);
		for (n = 0; n < KNELL_BATCH && !list_empty(&queue->delivered); n++) {
			rec = list_last_entry(&queue->delivered, struct knell_record, node);
			rec->delivered = false;
			rec->evflags |= KNELL_EVF_REDELIVERED;
			if (rec == &rec->watch->rec)
				rec->watch->state = KNELL_PENDING;
			queue->pending++;
			list_move(&rec->node, again);
		}
		spin_unlock_irq(&queue->lock);
	}
}

/**
 * knell_queue_serve() - another file takes over; those before it are revoked
 * @queue: its mutex is held. May sleep
 * @file: of a new holder
 *
 * What a reader of the old file is copying right now comes again, as if he had
 * not begun: he may be stuck for ever in a page fault of his own making.
 */
void knell_queue_serve(struct knell_queue *queue, struct knell_file *file)
{
	LIST_HEAD(again);

	lockdep_assert_held(&queue->mutex);
	knell_watch_shed(queue);
	knell_queue_redeliver(queue, &again);
	spin_lock_irq(&queue->lock);
	list_splice_init(&queue->reading, &queue->ready);
	list_splice(&again, &queue->ready);
	WRITE_ONCE(queue->gated, true);
	WRITE_ONCE(queue->file, file);
	spin_unlock_irq(&queue->lock);
	/* All who sleep do so on an older file. */
	wake_up_interruptible_all(&queue->readers);
	wake_up_interruptible_poll(&queue->pollers, KNELL_POLL_REVOKED);
}

/**
 * knell_queue_open_gate() - the new holder knows what is there: deliver
 * @queue: its mutex is held, its lock is not
 */
void knell_queue_open_gate(struct knell_queue *queue)
{
	lockdep_assert_held(&queue->mutex);
	if (!queue->gated)
		return;
	spin_lock_irq(&queue->lock);
	WRITE_ONCE(queue->gated, false);
	spin_unlock_irq(&queue->lock);
	if (knell_queue_readable(queue))
		knell_queue_wake(queue);
}

/**
 * knell_queue_new() - an empty queue of the caller's. May sleep
 *
 * Return: with one reference, or NULL for want of memory
 */
struct knell_queue *knell_queue_new(void)
{
	static atomic64_t last_id;
	struct knell_queue *queue;

	queue = kzalloc(sizeof(*queue), GFP_KERNEL_ACCOUNT);
	if (!queue)
		return NULL;
	queue->quota = knell_quota_get();
	if (!queue->quota)
		goto err_queue;
	queue->cred = get_current_cred();
	queue->pid_ns = get_pid_ns(task_active_pid_ns(current));
	spin_lock_init(&queue->lock);
	INIT_LIST_HEAD(&queue->ready);
	INIT_LIST_HEAD(&queue->reading);
	INIT_LIST_HEAD(&queue->delivered);
	init_waitqueue_head(&queue->readers);
	init_waitqueue_head(&queue->pollers);
	init_irq_work(&queue->nested, knell_queue_wake_pollers);
	mutex_init(&queue->mutex);
	INIT_LIST_HEAD(&queue->spares);
	kref_init(&queue->refs);
	queue->id = atomic64_inc_return(&last_id);
	return queue;

err_queue:
	kfree(queue);
	return NULL;
}

static void knell_queue_free(struct kref *refs)
{
	struct knell_queue *queue = container_of(refs, struct knell_queue, refs);

	irq_work_sync(&queue->nested);
	knell_quota_put(queue->quota);
	put_pid_ns(queue->pid_ns);
	put_cred(queue->cred);
	kfree_rcu(queue, rcu);
}

/**
 * knell_queue_put() - let go of a reference. May sleep
 * @queue: may be gone after it
 */
void knell_queue_put(struct knell_queue *queue)
{
	kref_put(&queue->refs, knell_queue_free);
}

/**
 * knell_queue_end() - nobody can find the queue any more: all it holds goes
 * @queue: its mutex is held. May sleep. Hooks and children under way may still
 *	have it
 */
void knell_queue_end(struct knell_queue *queue)
{
	lockdep_assert_held(&queue->mutex);
	knell_watch_exit_queue(queue);
	knell_timers_free(queue);
}
