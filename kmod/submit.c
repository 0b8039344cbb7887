// SPDX-License-Identifier: GPL-2.0-only
/* KNELL_IOC_SUBMIT: ops, each by itself and with its own result, then events. */
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/signal.h>
#include <linux/uaccess.h>
#include <linux/uio.h>

#include "compat.h"
#include "file.h"
#include "observe.h"
#include "queue.h"
#include "timens.h"
#include "watch.h"

static_assert(sizeof(struct knell_op) == 128);
static_assert(offsetof(struct knell_op, result) == 12);
static_assert(offsetof(struct knell_op, raw) == 24);
static_assert(sizeof(struct knell_submit) == 40);

#define KNELL_OPF_ALL	(KNELL_OPF_NEXT | KNELL_OPF_SELF | KNELL_OPF_PIDFD | KNELL_OPF_ABS | \
			 KNELL_OPF_ONESHOT | KNELL_OPF_EDGE | KNELL_OPF_ACK | \
			 KNELL_OPF_REPORT_FORK | KNELL_OPF_REPORT_EXIT | KNELL_OPF_KILL_ON_CLOSE | \
			 KNELL_OPF_WAKEUP)

/* Are all bytes of the op's union from @used on zero? */
static bool knell_op_rest_is_zero(const struct knell_op *op, size_t used)
{
	return !memchr_inv((const char *)op->raw + used, 0, sizeof(op->raw) - used);
}

/* One-shot ends with the first record, ACK outlives it. */
static bool knell_flags_agree(u32 flags)
{
	return (flags & (KNELL_OPF_ONESHOT | KNELL_OPF_ACK)) != (KNELL_OPF_ONESHOT | KNELL_OPF_ACK);
}

static int knell_op_add(struct knell_queue *queue, struct knell_op *op)
{
	const struct knell_watch_ops *ops = knell_watch_ops(op->type);
	struct knell_watch *watch;
	int err;

	if (op->watch || op->flags & ~KNELL_OPF_ALL)
		return -EINVAL;
	if (IS_ERR(ops))
		return PTR_ERR(ops);
	if (op->flags & ~ops->add_flags || !knell_flags_agree(op->flags) ||
	    !knell_op_rest_is_zero(op, ops->add_size))
		return -EINVAL;
	if (op->flags & KNELL_OPF_WAKEUP) {
		err = knell_wakeup_may();
		if (err)
			return err;
	}
	watch = knell_watch_new(queue, ops);
	if (IS_ERR(watch))
		return PTR_ERR(watch);
	watch->token = op->token;
	watch->flags = op->flags;
	op->watch = watch->handle;
	knell_observe_add(watch);
	err = ops->add(watch, op);
	if (err)
		knell_watch_remove(watch);
	return err;
}

static int knell_op_mod(struct knell_watch *watch, const struct knell_op *op)
{
	const struct knell_watch_ops *ops = watch->ops;
	u32 flags = (watch->flags & ~ops->mod_flags) | op->flags;

	if (op->flags & ~ops->mod_flags || !knell_flags_agree(flags) ||
	    !knell_op_rest_is_zero(op, ops->mod_size))
		return -EINVAL;
	if (ops->mod)
		return ops->mod(watch, op);
	spin_lock_irq(&watch->queue->lock);
	knell_watch_set(watch, op);
	spin_unlock_irq(&watch->queue->lock);
	return 0;
}

static int knell_op_del(struct knell_watch *watch, const struct knell_op *op)
{
	if (op->flags || op->token || !knell_op_rest_is_zero(op, 0))
		return -EINVAL;
	knell_watch_remove(watch);
	return 0;
}

static int knell_op_trigger(struct knell_watch *watch, const struct knell_op *op)
{
	if (!watch->ops->trigger || op->flags || op->token ||
	    !knell_op_rest_is_zero(op, sizeof(op->user)))
		return -EINVAL;
	watch->ops->trigger(watch, op->user.value);
	return 0;
}

static int knell_op_kill(struct knell_watch *watch, const struct knell_op *op)
{
	if (!watch->ops->kill || op->flags || op->token || op->kill.pad ||
	    !knell_op_rest_is_zero(op, sizeof(op->kill)))
		return -EINVAL;
	if (op->kill.sig < 0 || !valid_signal(op->kill.sig))
		return -EINVAL;
	return watch->ops->kill(watch, op->kill.sig);
}

static int knell_op_join(struct knell_watch *watch, const struct knell_op *op)
{
	if (!watch->ops->join || op->flags & ~KNELL_OPF_NEXT || op->token ||
	    !knell_op_rest_is_zero(op, 0))
		return -EINVAL;
	return watch->ops->join(watch, op->flags & KNELL_OPF_NEXT);
}

static int knell_op_on_watch(struct knell_queue *queue, struct knell_op *op, u32 last)
{
	u32 handle = op->watch == KNELL_LAST ? last : op->watch;
	struct knell_watch *watch = knell_watch_find(queue, handle);

	if (!watch)
		return -ENOENT;
	if (op->type && op->type != watch->ops->type)
		return -EINVAL;
	switch (op->op) {
	case KNELL_OP_MOD:
		return knell_op_mod(watch, op);
	case KNELL_OP_DEL:
		return knell_op_del(watch, op);
	case KNELL_OP_TRIGGER:
		return knell_op_trigger(watch, op);
	case KNELL_OP_JOIN:
		return knell_op_join(watch, op);
	default:
		return knell_op_kill(watch, op);
	}
}

/* @last: what the latest ADD made, 0 if it failed or there was none. */
static int knell_op_apply(struct knell_file *file, struct knell_op *op, u32 *last)
{
	int ret;

	switch (op->op) {
	case KNELL_OP_ADD:
		ret = knell_file_lock(file);
		if (!ret) {
			ret = knell_op_add(file->queue, op);
			knell_file_unlock(file);
		}
		if (ret)
			op->watch = 0;
		*last = op->watch;
		return ret;
	case KNELL_OP_MOD:
	case KNELL_OP_DEL:
	case KNELL_OP_TRIGGER:
	case KNELL_OP_JOIN:
	case KNELL_OP_KILL:
		ret = knell_file_lock(file);
		if (ret)
			return ret;
		ret = knell_op_on_watch(file->queue, op, *last);
		knell_file_unlock(file);
		return ret;
	default:
		return -EINVAL;
	}
}

/* The result of an ADD could not be told: nobody knows the watch but, from LIST, a new holder. */
static void knell_op_undo_add(struct knell_file *file, u32 handle)
{
	struct knell_watch *watch;

	if (knell_file_lock(file))
		return;
	watch = knell_watch_find(file->queue, handle);
	if (watch)
		knell_watch_remove(watch);
	knell_file_unlock(file);
}

/* The op's result, which user space has been told; or -EFAULT, and *fault is set. */
static int knell_op_run(struct knell_file *file, struct knell_op __user *uop, u32 *last,
			bool *fault)
{
	struct knell_op op;
	int ret;

	*fault = true;
	if (copy_from_user(&op, uop, sizeof(op)))
		return -EFAULT;
	/* Can it be told at all? Before anything is done. */
	if (put_user(-EINPROGRESS, &uop->result))
		return -EFAULT;
	ret = knell_op_apply(file, &op, last);
	*fault = put_user(ret, &uop->result) ||
		 (op.op == KNELL_OP_ADD && put_user(op.watch, &uop->watch));
	if (*fault && op.op == KNELL_OP_ADD && !ret)
		knell_op_undo_add(file, op.watch);
	return *fault ? -EFAULT : ret;
}

/* All ops, as far as it goes: 0, 1 if one failed, -EFAULT. */
static int knell_submit_ops(struct knell_file *file, struct knell_submit *submit)
{
	struct knell_op __user *uop = u64_to_user_ptr(submit->ops);
	bool failed = false, fault;
	u32 last = 0;
	int ret;

	while (submit->ops_done < submit->nr_ops) {
		ret = knell_op_run(file, &uop[submit->ops_done], &last, &fault);
		if (fault)
			return -EFAULT;
		submit->ops_done++;
		failed |= ret < 0;
		if (ret < 0 && submit->flags & KNELL_SUBMIT_STOP)
			break;
		cond_resched();
	}
	return failed;
}

static long knell_submit_events(struct knell_file *file, const struct knell_submit *submit,
				bool wait)
{
	const size_t size = sizeof(struct knell_event);
	size_t room = min_t(size_t, submit->nr_events, MAX_RW_COUNT / size) * size;
	u64 deadline = submit->deadline_ns;
	struct iov_iter to;
	struct iovec iov;
	ssize_t ret;

	if (!room)
		return 0;
	if (deadline != KNELL_FOREVER)
		deadline = max(knell_timens_to_host(CLOCK_MONOTONIC, deadline), 0LL);
	knell_iter_to_user(&to, &iov, u64_to_user_ptr(submit->events), room);
	ret = knell_file_read(file, &to, wait, deadline);
	if (ret == -ERESTARTSYS && submit->ops_done)
		ret = 0;
	return ret < 0 ? ret : ret / size;
}

/**
 * knell_submit() - KNELL_IOC_SUBMIT
 * @file: none of its locks is held. May sleep
 * @arg: struct knell_submit in user memory
 * @size: what the caller takes its size to be
 *
 * Return: events copied; -EINVAL, -E2BIG, -EFAULT, -ERESTARTSYS, -ESTALE
 */
long knell_submit(struct knell_file *file, void __user *arg, size_t size)
{
	struct knell_submit __user *usubmit = arg;
	struct knell_submit submit;
	bool wait;
	long ret;

	if (size < sizeof(submit))
		return -EINVAL;
	ret = copy_struct_from_user(&submit, sizeof(submit), arg, size);
	if (ret)
		return ret;
	if (submit.flags & ~KNELL_SUBMIT_STOP)
		return -EINVAL;
	if (submit.nr_ops > KNELL_MAX_OPS)
		return -E2BIG;
	if (submit.deadline_ns > S64_MAX && submit.deadline_ns != KNELL_FOREVER)
		return -EINVAL;
	if (knell_file_revoked(file))
		return -ESTALE;
	submit.ops_done = 0;
	ret = knell_submit_ops(file, &submit);
	/* Told before the wait, which a signal may end. */
	if (put_user(submit.ops_done, &usubmit->ops_done))
		return -EFAULT;
	if (ret < 0)
		return ret;
	wait = !ret && submit.deadline_ns;
	return knell_submit_events(file, &submit, wait);
}
