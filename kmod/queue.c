// SPDX-License-Identifier: GPL-2.0-only
/* The queue: records become pending in hooks; how they leave it is in file.c. */
#include <linux/cred.h>
#include <linux/pid.h>
#include <linux/pid_namespace.h>
#include <linux/poll.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/xarray.h>

#include "observe.h"
#include "queue.h"
#include "quota.h"

/*
 * Those that somebody can find, by id. Its lock also covers the generation, that
 * counts who came and went and is never 0; inside any queue->mutex, and nothing
 * is taken inside it. No hook looks here.
 */
static DEFINE_XARRAY_FLAGS(knell_queues, XA_FLAGS_ACCOUNT);
static u32 knell_queues_generation = 1;

static void knell_record_waits(struct knell_record *rec)
{
	struct knell_queue *queue = rec->watch->queue;

	lockdep_assert_held(&queue->lock);
	queue->pending++;
	if (queue->pending > queue->high_water)
		queue->high_water = queue->pending;
	if (unlikely(rec->watch->flags & KNELL_OPF_WAKEUP))
		knell_wakeup_hold();
}

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
	knell_record_waits(rec);
	list_add_tail(&rec->node, &queue->ready);
	knell_observe_fire(rec);
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
	lockdep_assert_held(&rec->watch->queue->lock);
	if (list_empty(&rec->node))
		return;
	list_del_init(&rec->node);
	if (rec->delivered)
		rec->watch->queue->unacked--;
	else
		knell_record_done(rec);
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
	/* Who moves many writes the head plainly; here it only points to itself, or does not. */
	return !data_race(list_empty(&queue->ready)) && !READ_ONCE(queue->gated);
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
			queue->unacked--;
			knell_record_waits(rec);
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
	queue->opener = get_pid(task_tgid(current));
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
	queue->table.generation = 1;
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
	put_pid(queue->opener);
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
 * knell_queue_publish() - let others look on. May sleep
 * @queue: new; knell_queue_end() takes it back
 *
 * Return: 0, -ENOMEM
 */
int knell_queue_publish(struct knell_queue *queue)
{
	int err;

	xa_lock(&knell_queues);
	/* A 32-bit machine comes around after 2^32 queues. */
	err = __xa_insert(&knell_queues, queue->id, queue, GFP_KERNEL_ACCOUNT);
	if (!err)
		knell_queues_generation += 2;
	xa_unlock(&knell_queues);
	return err ? -ENOMEM : 0;
}

/**
 * knell_queue_next() - the queues one by one
 * @id: where the last one was, 0 to begin with; moves on
 * @generation: set; the same as before if no queue has come or gone
 *
 * Return: the next queue, referenced; NULL at the end
 */
struct knell_queue *knell_queue_next(u64 *id, u32 *generation)
{
	struct knell_queue *queue;
	unsigned long index = *id;

	xa_lock(&knell_queues);
	queue = xa_find_after(&knell_queues, &index, ULONG_MAX, XA_PRESENT);
	/* Whoever takes it out of here has a reference. */
	if (queue)
		kref_get(&queue->refs);
	*generation = knell_queues_generation;
	xa_unlock(&knell_queues);
	*id = index;
	return queue;
}

/**
 * knell_queue_find() - a queue by its id
 * @id: any number
 *
 * Return: the queue, referenced, or NULL
 */
struct knell_queue *knell_queue_find(u64 id)
{
	struct knell_queue *queue;

	xa_lock(&knell_queues);
	queue = xa_load(&knell_queues, id);
	if (queue && queue->id != id)
		queue = NULL;
	if (queue)
		kref_get(&queue->refs);
	xa_unlock(&knell_queues);
	return queue;
}

/**
 * knell_queue_ended() - has knell_queue_end() been called?
 * @queue: its mutex is held
 */
bool knell_queue_ended(const struct knell_queue *queue)
{
	lockdep_assert_held(&queue->mutex);
	return !queue->file && !queue->keep;
}

/**
 * knell_queue_revoke() - no file is served any more
 * @queue: its mutex is held. May sleep
 */
void knell_queue_revoke(struct knell_queue *queue)
{
	lockdep_assert_held(&queue->mutex);
	spin_lock_irq(&queue->lock);
	WRITE_ONCE(queue->file, NULL);
	spin_unlock_irq(&queue->lock);
	wake_up_interruptible_all(&queue->readers);
	wake_up_interruptible_poll(&queue->pollers, KNELL_POLL_REVOKED);
}

/**
 * knell_queue_end() - nobody can find the queue any more: all it holds goes
 * @queue: its mutex is held. May sleep. Hooks and children under way may still
 *	have it
 */
void knell_queue_end(struct knell_queue *queue)
{
	lockdep_assert_held(&queue->mutex);
	xa_lock(&knell_queues);
	if (__xa_erase(&knell_queues, queue->id))
		knell_queues_generation += 2;
	xa_unlock(&knell_queues);
	knell_watch_exit_queue(queue);
	knell_timers_free(queue);
}
