// SPDX-License-Identifier: GPL-2.0-only
/*
 * The queue: records become pending in hooks, leave it in read().
 *
 * A record is taken in three steps, so that nothing is lost when user memory
 * faults: peek (move watches from ready to reading and write their records
 * into the bounce page), copy, commit (what was copied leaves, the rest goes
 * back to the head of ready). queue->reader makes one reader at a time do so.
 */
#include <linux/cred.h>
#include <linux/fs.h>
#include <linux/hrtimer.h>
#include <linux/module.h>
#include <linux/pid_namespace.h>
#include <linux/poll.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uio.h>

#include "compat.h"
#include "queue.h"
#include "quota.h"
#include "timens.h"

static_assert(sizeof(struct knell_event) == 128);
static_assert(offsetof(struct knell_event, exit.cgroup_id) == 104);
static_assert(offsetof(struct knell_event, raw) == 32);

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
 * knell_unpost_record() - take back a record if it is pending
 * @rec: its queue's lock is held
 */
void knell_unpost_record(struct knell_record *rec)
{
	struct knell_queue *queue = rec->watch->queue;

	lockdep_assert_held(&queue->lock);
	if (list_empty(&rec->node))
		return;
	list_del_init(&rec->node);
	queue->pending--;
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
 * Both the sleepers below and knell_queue_wake() look at the other side's list
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
static bool knell_queue_readable(struct knell_queue *queue)
{
	return !list_empty(&queue->ready);
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

/*
 * A reader that leaves may have been woken for a record that it does not take.
 * Pollers were all woken already: an edge for what is not new would be a lie.
 */
static void knell_queue_pass_on(struct knell_queue *queue)
{
	if (knell_queue_readable(queue) && wq_has_sleeper(&queue->readers))
		wake_up_interruptible(&queue->readers);
}

/* Until there is a record: 0, a signal: -ERESTARTSYS, the deadline (host's clock): -ETIME. */
static int knell_queue_wait(struct knell_queue *queue, u64 deadline)
{
	ktime_t expires = deadline;
	DEFINE_WAIT(wait);
	int err = 0;

	for (;;) {
		prepare_to_wait_exclusive(&queue->readers, &wait, TASK_INTERRUPTIBLE);
		if (knell_queue_readable(queue))
			break;
		if (signal_pending(current)) {
			err = -ERESTARTSYS;
			break;
		}
		if (!schedule_hrtimeout_range(deadline == KNELL_FOREVER ? NULL : &expires,
					      current->timer_slack_ns, HRTIMER_MODE_ABS)) {
			err = knell_queue_readable(queue) ? 0 : -ETIME;
			break;
		}
	}
	finish_wait(&queue->readers, &wait);
	return err;
}

static void knell_queue_fill(struct knell_event *ev, struct knell_record *rec,
			     const struct knell_reader *reader)
{
	struct knell_watch *watch = rec->watch;

	ev->type = rec->ev;
	ev->flags = rec->evflags;
	ev->watch = watch->handle;
	ev->token = watch->token;
	ev->seq = rec->seq;
	ev->time_ns = rec->time + reader->mono_offset;
	watch->ops->fill(watch, rec, ev, reader);
}

static unsigned int knell_queue_peek(struct knell_queue *queue, unsigned int max)
{
	const struct knell_reader reader = {
		.pid_ns = task_active_pid_ns(current),
		.user_ns = current_user_ns(),
		.mono_offset = knell_timens_offset(CLOCK_MONOTONIC),
	};
	struct list_head *last = NULL;
	struct knell_record *rec;
	unsigned int n = 0;

	lockdep_assert_held(&queue->reader);
	spin_lock_irq(&queue->lock);
	list_for_each_entry(rec, &queue->ready, node) {
		if (n == max)
			break;
		knell_queue_fill(&queue->bounce[n++], rec, &reader);
		last = &rec->node;
	}
	if (last)
		list_cut_position(&queue->reading, &queue->ready, last);
	spin_unlock_irq(&queue->lock);
	return n;
}

/* What was read up to seq @last becomes @taken, the rest is as if nobody had looked. */
static bool knell_queue_cut(struct knell_queue *queue, u64 last, struct list_head *taken)
{
	struct list_head *end = &queue->reading;
	struct knell_record *rec;
	bool rest;

	lockdep_assert_held(&queue->lock);
	list_for_each_entry_reverse(rec, &queue->reading, node) {
		if (rec->seq > last)
			continue;
		end = &rec->node;
		break;
	}
	list_cut_position(taken, &queue->reading, end);
	rest = !list_empty(&queue->reading);
	list_splice_init(&queue->reading, &queue->ready);
	return rest;
}

/* Records up to seq @last are with the reader, what else was peeked at is not. */
static void knell_queue_commit(struct knell_queue *queue, u64 last)
{
	struct knell_record *rec, *next;
	struct knell_watch *watch;
	LIST_HEAD(taken);
	bool wake;

	lockdep_assert_held(&queue->reader);
	mutex_lock(&queue->mutex);
	spin_lock_irq(&queue->lock);
	wake = knell_queue_cut(queue, last, &taken);
	list_for_each_entry_safe(rec, next, &taken, node) {
		watch = rec->watch;
		queue->pending--;
		if (!watch->ops->consume(watch, rec)) {
			watch->state = KNELL_DEAD;
			/* Whichever it was, the watch's own one stands for it from here on. */
			if (rec != &watch->rec)
				list_replace_init(&rec->node, &watch->rec.node);
			continue;
		}
		list_del_init(&rec->node);
		/* It may have rung while its record was on the way. */
		if (watch->ops->again)
			wake |= watch->ops->again(watch);
	}
	spin_unlock_irq(&queue->lock);
	knell_watch_drop(queue, &taken);
	mutex_unlock(&queue->mutex);
	if (wake)
		knell_queue_wake(queue);
}

/* As many whole records as there are and fit: bytes, or -EFAULT if none could be copied. */
static ssize_t knell_queue_take(struct knell_queue *queue, struct iov_iter *to)
{
	const size_t size = sizeof(struct knell_event);
	unsigned int n, copied;
	ssize_t total = 0;

	lockdep_assert_held(&queue->reader);
	while (iov_iter_count(to) >= size) {
		n = knell_queue_peek(queue, min(iov_iter_count(to) / size, KNELL_BATCH));
		if (!n)
			break;
		copied = copy_to_iter(queue->bounce, n * size, to) / size;
		knell_queue_commit(queue, copied ? queue->bounce[copied - 1].seq : 0);
		total += copied * size;
		if (copied < n)
			return total ?: -EFAULT;
	}
	return total;
}

/**
 * knell_queue_read() - take records, perhaps after waiting for a first one
 * @queue: none of its locks is held; may sleep
 * @to: room for at least one record
 * @wait: whether to wait
 * @deadline: until when, CLOCK_MONOTONIC of the host, or KNELL_FOREVER
 *
 * Return: bytes, a multiple of the record's size; 0 when there was none by the
 * deadline; -EFAULT; -ERESTARTSYS
 */
ssize_t knell_queue_read(struct knell_queue *queue, struct iov_iter *to, bool wait, u64 deadline)
{
	ssize_t ret;
	int err;

	for (;;) {
		ret = mutex_lock_interruptible(&queue->reader) ? -ERESTARTSYS : 0;
		if (ret)
			break;
		ret = knell_queue_take(queue, to);
		mutex_unlock(&queue->reader);
		if (ret || !wait)
			break;
		err = knell_queue_wait(queue, deadline);
		if (err) {
			ret = err == -ETIME ? 0 : err;
			break;
		}
	}
	knell_queue_pass_on(queue);
	return ret;
}

static ssize_t knell_read_iter(struct kiocb *iocb, struct iov_iter *to)
{
	struct file *file = iocb->ki_filp;
	bool wait = !(file->f_flags & O_NONBLOCK) && !(iocb->ki_flags & IOCB_NOWAIT);
	ssize_t ret;

	if (iov_iter_count(to) < sizeof(struct knell_event))
		return -EINVAL;
	ret = knell_queue_read(file->private_data, to, wait, KNELL_FOREVER);
	return ret ?: -EAGAIN;
}

static __poll_t knell_poll(struct file *file, poll_table *table)
{
	struct knell_queue *queue = file->private_data;

	poll_wait(file, &queue->pollers, table);
	return knell_queue_readable(queue) ? EPOLLIN | EPOLLRDNORM : 0;
}

/* Whatever its size, an argument is told by its number: it may grow. */
static long knell_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct knell_queue *queue = file->private_data;
	void __user *uarg = (void __user *)arg;
	size_t size = _IOC_SIZE(cmd);

	switch (cmd & ~IOCSIZE_MASK) {
	case KNELL_IOC_INFO & ~IOCSIZE_MASK:
		return knell_info(queue, uarg, size);
	case KNELL_IOC_SUBMIT & ~IOCSIZE_MASK:
		return knell_submit(queue, uarg, size);
	case KNELL_IOC_LIST & ~IOCSIZE_MASK:
		return knell_list(queue, uarg, size);
	case KNELL_IOC_KEEP & ~IOCSIZE_MASK:
	case KNELL_IOC_ATTACH & ~IOCSIZE_MASK:
		return -EOPNOTSUPP;
	default:
		return -ENOTTY;
	}
}

static struct knell_queue *knell_queue_new(void)
{
	static atomic64_t last_id;
	struct knell_queue *queue;

	queue = kzalloc(sizeof(*queue), GFP_KERNEL_ACCOUNT);
	if (!queue)
		return NULL;
	queue->bounce = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (!queue->bounce)
		goto err_queue;
	queue->quota = knell_quota_get();
	if (!queue->quota)
		goto err_bounce;
	queue->cred = get_current_cred();
	queue->pid_ns = get_pid_ns(task_active_pid_ns(current));
	spin_lock_init(&queue->lock);
	INIT_LIST_HEAD(&queue->ready);
	INIT_LIST_HEAD(&queue->reading);
	init_waitqueue_head(&queue->readers);
	init_waitqueue_head(&queue->pollers);
	mutex_init(&queue->mutex);
	INIT_LIST_HEAD(&queue->spares);
	mutex_init(&queue->reader);
	kref_init(&queue->refs);
	queue->id = atomic64_inc_return(&last_id);
	return queue;

err_bounce:
	free_page((unsigned long)queue->bounce);
err_queue:
	kfree(queue);
	return NULL;
}

static void knell_queue_free(struct kref *refs)
{
	struct knell_queue *queue = container_of(refs, struct knell_queue, refs);

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

static int knell_open(struct inode *inode, struct file *file)
{
	struct knell_queue *queue = knell_queue_new();

	if (!queue)
		return -ENOMEM;
	file->private_data = queue;
	return stream_open(inode, file);
}

/* Nobody reads or polls any more; hooks and children under way may still be there. */
static int knell_release(struct inode *inode, struct file *file)
{
	struct knell_queue *queue = file->private_data;

	mutex_lock(&queue->mutex);
	knell_watch_exit_queue(queue);
	knell_timers_free(queue);
	mutex_unlock(&queue->mutex);
	free_page((unsigned long)queue->bounce);
	knell_queue_put(queue);
	return 0;
}

const struct file_operations knell_fops = {
	.owner = THIS_MODULE,
	.open = knell_open,
	.release = knell_release,
	.read_iter = knell_read_iter,
	.poll = knell_poll,
	.unlocked_ioctl = knell_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.show_fdinfo = knell_show_fdinfo,
};
