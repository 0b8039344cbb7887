// SPDX-License-Identifier: GPL-2.0-only
/*
 * An open file: how records leave the queue.
 *
 * A record is taken in three steps, so that nothing is lost when user memory
 * faults: peek (move records from ready to reading and write them into the
 * bounce page), copy, commit (what was copied leaves, the rest goes back to the
 * head of ready). file->reader makes one reader at a time do so.
 *
 * A kept queue may go over to another file between any two of these steps. Then
 * the old file is revoked: the commit does nothing, and what was on its way goes
 * to the new one.
 */
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/hrtimer.h>
#include <linux/module.h>
#include <linux/pid_namespace.h>
#include <linux/poll.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uio.h>

#include "compat.h"
#include "file.h"
#include "keep.h"
#include "observe.h"
#include "queue.h"
#include "quota.h"
#include "timens.h"

static_assert(sizeof(struct knell_event) == 128);
static_assert(offsetof(struct knell_event, exit.cgroup_id) == 104);
static_assert(offsetof(struct knell_event, raw) == 32);

/**
 * knell_file_revoked() - has the queue gone over to another file?
 * @file: without queue->mutex and queue->lock the answer may be old
 */
bool knell_file_revoked(const struct knell_file *file)
{
	return READ_ONCE(file->queue->file) != file;
}

/**
 * knell_file_lock() - take the queue's mutex on behalf of a file. May sleep
 * @file: none of its queue's locks is held but the file's reader
 *
 * Return: 0, or -ESTALE without the mutex if the file is revoked
 */
int knell_file_lock(struct knell_file *file)
{
	struct knell_queue *queue = file->queue;

	mutex_lock(&queue->mutex);
	if (likely(!knell_file_revoked(file)))
		return 0;
	mutex_unlock(&queue->mutex);
	return -ESTALE;
}

/**
 * knell_file_unlock() - after knell_file_lock()
 * @file: which has the mutex
 */
void knell_file_unlock(struct knell_file *file)
{
	mutex_unlock(&file->queue->mutex);
}

/*
 * A reader that leaves may have been woken for a record that it does not take.
 * Pollers were all woken already: an edge for what is not new would be a lie.
 */
static void knell_file_pass_on(struct knell_file *file)
{
	struct knell_queue *queue = file->queue;

	if (knell_queue_readable(queue) && wq_has_sleeper(&queue->readers))
		wake_up_interruptible(&queue->readers);
}

/* Is there something that a reader should not sleep over? */
static bool knell_file_stirs(struct knell_file *file)
{
	return knell_queue_readable(file->queue) || knell_file_revoked(file);
}

/* Until there is a record: 0, a signal: -ERESTARTSYS, the deadline (host's clock): -ETIME. */
static int knell_file_wait(struct knell_file *file, u64 deadline)
{
	struct knell_queue *queue = file->queue;
	ktime_t expires = deadline;
	DEFINE_WAIT(wait);
	int err = 0;

	for (;;) {
		prepare_to_wait_exclusive(&queue->readers, &wait, TASK_INTERRUPTIBLE);
		if (knell_file_stirs(file))
			break;
		if (signal_pending(current)) {
			err = -ERESTARTSYS;
			break;
		}
		if (!schedule_hrtimeout_range(deadline == KNELL_FOREVER ? NULL : &expires,
					      current->timer_slack_ns, HRTIMER_MODE_ABS)) {
			err = knell_file_stirs(file) ? 0 : -ETIME;
			break;
		}
	}
	finish_wait(&queue->readers, &wait);
	return err;
}

static void knell_file_fill(struct knell_event *ev, struct knell_record *rec,
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

/*
 * Records whose hook could not tell whether it was called for anything: those
 * that were for nothing go. Under both mutexes nobody else takes this one off
 * the list: it is a place to go on from after ops->settle().
 */
static void knell_queue_settle(struct knell_queue *queue, unsigned int max)
{
	struct knell_record *rec, *next;
	struct knell_watch *watch;
	bool for_nothing;

	lockdep_assert_held(&queue->mutex);
	spin_lock_irq(&queue->lock);
	WRITE_ONCE(queue->unsettled, false);
	rec = list_first_entry(&queue->ready, struct knell_record, node);
	for (; !list_entry_is_head(rec, &queue->ready, node); rec = next) {
		if (!max--) {
			WRITE_ONCE(queue->unsettled, true);
			break;
		}
		watch = rec->watch;
		for_nothing = watch->ops->settle && !watch->ops->settle(watch);
		next = list_next_entry(rec, node);
		if (!for_nothing)
			continue;
		knell_unpost(watch);
		watch->state = KNELL_ARMED;
	}
	spin_unlock_irq(&queue->lock);
}

static void knell_file_settle(struct knell_file *file, unsigned int max)
{
	lockdep_assert_held(&file->reader);
	if (knell_file_lock(file))
		return;
	if (!file->queue->gated)
		knell_queue_settle(file->queue, max);
	knell_file_unlock(file);
}

static unsigned int knell_file_peek(struct knell_file *file, unsigned int max)
{
	const struct knell_reader reader = {
		.pid_ns = task_active_pid_ns(current),
		.user_ns = current_user_ns(),
		.mono_offset = knell_timens_offset(CLOCK_MONOTONIC),
	};
	struct knell_queue *queue = file->queue;
	struct list_head *last = NULL;
	struct knell_record *rec;
	unsigned int n = 0;

	lockdep_assert_held(&file->reader);
	spin_lock_irq(&queue->lock);
	if (unlikely(knell_file_revoked(file) || queue->gated))
		max = 0;
	list_for_each_entry(rec, &queue->ready, node) {
		if (n == max)
			break;
		knell_file_fill(&file->bounce[n++], rec, &reader);
		last = &rec->node;
	}
	if (last)
		list_cut_position(&queue->reading, &queue->ready, last);
	spin_unlock_irq(&queue->lock);
	return n;
}

/* What was read up to seq @last becomes @taken, the rest is as if nobody had looked. */
static bool knell_file_cut(struct knell_queue *queue, u64 last, struct list_head *taken)
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

/* False when the watch is done with: it fires once, and nobody acknowledges that. */
static bool knell_file_consume(struct knell_watch *watch, struct knell_record *rec)
{
	if (watch->ops->consume)
		return watch->ops->consume(watch, rec);
	watch->state = KNELL_DELIVERED;
	rec->delivered = watch->flags & KNELL_OPF_ACK;
	return rec->delivered;
}

/* Records up to seq @last are with the reader, what else was peeked at is not. */
static int knell_file_commit(struct knell_file *file, u64 last)
{
	struct knell_queue *queue = file->queue;
	struct knell_record *rec, *next;
	struct knell_watch *watch;
	LIST_HEAD(taken);
	bool wake;
	int err;

	lockdep_assert_held(&file->reader);
	err = knell_file_lock(file);
	if (err)
		return err;
	spin_lock_irq(&queue->lock);
	wake = knell_file_cut(queue, last, &taken);
	list_for_each_entry_safe(rec, next, &taken, node) {
		watch = rec->watch;
		knell_record_done(rec);
		knell_observe_deliver(rec);
		queue->taken++;
		if (!knell_file_consume(watch, rec)) {
			watch->state = KNELL_DEAD;
			/* Whichever it was, the watch's own one stands for it from here on. */
			if (rec != &watch->rec)
				list_replace_init(&rec->node, &watch->rec.node);
			continue;
		}
		list_del_init(&rec->node);
		if (rec->delivered) {
			list_add_tail(&rec->node, &queue->delivered);
			queue->unacked++;
		}
		/* It may have rung while its record was on the way. */
		if (watch->ops->again)
			wake |= watch->ops->again(watch);
	}
	spin_unlock_irq(&queue->lock);
	knell_watch_drop(queue, &taken);
	knell_file_unlock(file);
	if (wake)
		knell_queue_wake(queue);
	return 0;
}

/* As many whole records as there are and fit: bytes, or an error if none could be taken. */
static ssize_t knell_file_take(struct knell_file *file, struct iov_iter *to)
{
	const size_t size = sizeof(struct knell_event);
	unsigned int max, n, copied;
	ssize_t total = 0;
	int err;

	lockdep_assert_held(&file->reader);
	while (iov_iter_count(to) >= size) {
		max = min(iov_iter_count(to) / size, KNELL_BATCH);
		if (READ_ONCE(file->queue->unsettled))
			knell_file_settle(file, max);
		n = knell_file_peek(file, max);
		if (!n)
			break;
		copied = copy_to_iter(file->bounce, n * size, to) / size;
		err = knell_file_commit(file, copied ? file->bounce[copied - 1].seq : 0);
		if (err)
			return total ?: err;
		total += copied * size;
		if (copied < n)
			return total ?: -EFAULT;
	}
	return total;
}

/* What there is: bytes, 0 if nothing, an error. */
static ssize_t knell_file_try(struct knell_file *file, struct iov_iter *to)
{
	ssize_t ret;

	/* Who is about to sleep need not queue up for it. */
	if (!knell_queue_readable(file->queue))
		return 0;
	if (mutex_lock_interruptible(&file->reader))
		return -ERESTARTSYS;
	ret = knell_file_take(file, to);
	mutex_unlock(&file->reader);
	return ret;
}

/**
 * knell_file_read() - take records, perhaps after waiting for a first one
 * @file: none of its queue's locks is held; may sleep
 * @to: room for at least one record
 * @wait: whether to wait
 * @deadline: until when, CLOCK_MONOTONIC of the host, or KNELL_FOREVER
 *
 * Return: bytes, a multiple of the record's size; 0 when there was none by the
 * deadline; -EFAULT; -ERESTARTSYS; -ESTALE
 */
ssize_t knell_file_read(struct knell_file *file, struct iov_iter *to, bool wait, u64 deadline)
{
	ssize_t ret;
	int err;

	for (;;) {
		ret = knell_file_try(file, to);
		if (ret)
			break;
		if (knell_file_revoked(file)) {
			ret = -ESTALE;
			break;
		}
		if (!wait)
			break;
		err = knell_file_wait(file, deadline);
		if (err) {
			ret = err == -ETIME ? 0 : err;
			break;
		}
	}
	knell_file_pass_on(file);
	return ret;
}

static ssize_t knell_read_iter(struct kiocb *iocb, struct iov_iter *to)
{
	struct file *filp = iocb->ki_filp;
	bool wait = !(filp->f_flags & O_NONBLOCK) && !(iocb->ki_flags & IOCB_NOWAIT);
	ssize_t ret;

	if (iov_iter_count(to) < sizeof(struct knell_event))
		return -EINVAL;
	ret = knell_file_read(filp->private_data, to, wait, KNELL_FOREVER);
	return ret ?: -EAGAIN;
}

static __poll_t knell_poll(struct file *filp, poll_table *table)
{
	struct knell_file *file = filp->private_data;

	poll_wait(filp, &file->queue->pollers, table);
	if (knell_file_revoked(file))
		return KNELL_POLL_REVOKED;
	return knell_queue_readable(file->queue) ? EPOLLIN | EPOLLRDNORM : 0;
}

/* Whatever its size, an argument is told by its number: it may grow. */
static long knell_ioctl(struct file *filp, unsigned int cmd, unsigned long arg)
{
	struct knell_file *file = filp->private_data;
	void __user *uarg = (void __user *)arg;
	size_t size = _IOC_SIZE(cmd);

	switch (cmd & ~IOCSIZE_MASK) {
	case KNELL_IOC_INFO & ~IOCSIZE_MASK:
		return knell_info(file, uarg, size);
	case KNELL_IOC_SUBMIT & ~IOCSIZE_MASK:
		return knell_submit(file, uarg, size);
	case KNELL_IOC_LIST & ~IOCSIZE_MASK:
		return knell_list(file, uarg, size);
	case KNELL_IOC_KEEP & ~IOCSIZE_MASK:
		return knell_keep(file, uarg, size);
	case KNELL_IOC_ATTACH & ~IOCSIZE_MASK:
		return knell_attach(file, uarg, size);
	default:
		return -ENOTTY;
	}
}

/**
 * knell_file_new() - a file that its queue does not serve yet. May sleep
 * @queue: whose reference becomes the file's
 *
 * Return: the file; -ENOSPC the user who opened the queue has too many, -ENOMEM
 */
struct knell_file *knell_file_new(struct knell_queue *queue)
{
	struct knell_file *file;
	int err;

	err = knell_quota_charge(queue->quota, KNELL_QUOTA_FILES, 1);
	if (err)
		return ERR_PTR(err);
	file = kzalloc(sizeof(*file), GFP_KERNEL_ACCOUNT);
	if (!file)
		goto err_quota;
	file->bounce = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (!file->bounce)
		goto err_file;
	mutex_init(&file->reader);
	file->queue = queue;
	return file;

err_file:
	kfree(file);
err_quota:
	knell_quota_uncharge(queue->quota, KNELL_QUOTA_FILES, 1);
	return ERR_PTR(-ENOMEM);
}

/**
 * knell_file_free() - and its reference. May sleep
 * @file: which nobody uses and no queue serves
 */
void knell_file_free(struct knell_file *file)
{
	free_page((unsigned long)file->bounce);
	knell_quota_uncharge(file->queue->quota, KNELL_QUOTA_FILES, 1);
	knell_queue_put(file->queue);
	kfree(file);
}

static int knell_open(struct inode *inode, struct file *filp)
{
	struct knell_queue *queue = knell_queue_new();
	struct knell_file *file;
	int err;

	if (!queue)
		return -ENOMEM;
	file = knell_file_new(queue);
	if (IS_ERR(file)) {
		knell_queue_put(queue);
		return PTR_ERR(file);
	}
	/* Nobody knows the queue yet. */
	queue->file = file;
	err = knell_queue_publish(queue);
	if (err) {
		knell_file_free(file);
		return err;
	}
	filp->private_data = file;
	return stream_open(inode, filp);
}

/* Nobody reads or polls this file any more. What is kept waits for an ATTACH. */
static int knell_release(struct inode *inode, struct file *filp)
{
	struct knell_file *file = filp->private_data;
	struct knell_queue *queue = file->queue;

	if (!knell_file_lock(file)) {
		spin_lock_irq(&queue->lock);
		WRITE_ONCE(queue->file, NULL);
		spin_unlock_irq(&queue->lock);
		if (queue->keep)
			knell_watch_shed(queue);
		else
			knell_queue_end(queue);
		mutex_unlock(&queue->mutex);
	}
	knell_file_free(file);
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
