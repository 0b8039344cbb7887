// SPDX-License-Identifier: GPL-2.0-only
/*
 * CHILDREN: every child of one process, whoever made it, orphans it inherits
 * included, as each becomes waitable.
 *
 * The hook is an entry of our own in signal_struct.wait_chldexit, where the
 * threads of the process sleep in wait(2). do_notify_parent() wakes it with
 * tasklist_lock and the process's siglock held, right after it has woken the
 * child's own wait queue, which is PROCESS's hook and TREE's.
 */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/ktime.h>
#include <linux/pid.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/wait.h>

#include "death.h"
#include "observe.h"
#include "queue.h"
#include "reserve.h"
#include "watch.h"

/**
 * struct knell_children - the children of a process
 * @watch: what all kinds share; PENDING while any of @reserve is
 * @wait: in @parent's signal->wait_chldexit; that queue's lock
 * @parent: the thread that added the watch, referenced. It may be dead, but keeps
 *	the signal_struct, which is the process's, whichever threads come and exec
 * @reserve: where the records are
 * @pending: of them, but for the LOST; queue->lock
 * @told: the child whose death a watch of its own in this queue is posting:
 *	set and cleared in one section of tasklist_lock; queue->lock
 * @exec_id: @parent's when it added the watch
 * @euid: @parent's effective user then
 * @trusted: it had CAP_SYS_PTRACE then
 */
struct knell_children {
	struct knell_watch watch;
	struct wait_queue_entry wait;
	struct task_struct *parent;
	struct knell_reserve *reserve;
	struct task_struct *told;
	u64 exec_id;
	kuid_t euid;
	u32 pending;
	bool trusted;
};

static_assert(sizeof(struct knell_children) <= KNELL_WATCH_SIZE);

static struct knell_children *to_children(struct knell_watch *watch)
{
	return container_of(watch, struct knell_children, watch);
}

/**
 * knell_children_told() - a watch of its own posts this death
 * @queue: its lock is not held
 * @task: the leader. Under RCU, in a wake of its own wait queue
 *
 * If it is one of the children, the wake that follows is CHILDREN's, for the
 * same death. The reaper's wake of 6.9 and later, of an EXIT_DEAD task, has none
 * that follows. Neither has a process that is still another's child; when that
 * dies, too, and leaves the zombie behind, CHILDREN tells that it is to be reaped.
 */
void knell_children_told(struct knell_queue *queue, struct task_struct *task)
{
	struct task_struct *parent = rcu_dereference(task->real_parent);
	struct knell_children *children;
	unsigned long flags;

	if (!(READ_ONCE(task->exit_state) & EXIT_ZOMBIE))
		return;
	spin_lock_irqsave(&queue->lock, flags);
	if (queue->children) {
		children = to_children(queue->children);
		if (same_thread_group(parent, children->parent))
			children->told = task;
	}
	spin_unlock_irqrestore(&queue->lock, flags);
}

/*
 * A thread that exits drops whom it traces. For a zombie that is a child of its
 * own process there is no news in that: it was waitable before. But if SIGCHLD
 * is ignored, exit_ptrace() wakes the siblings because it is to vanish now. Any
 * other wake by a thread of the parent comes from its wait(2), or from the
 * release of what it has dropped, and then it has an exit_state.
 */
static bool knell_children_stale(struct knell_children *children)
{
	return current->flags & PF_EXITING && !current->exit_state &&
	       same_thread_group(current, children->parent);
}

/*
 * Does the wake mean that this process can reap @task? Others are for a stop or
 * a go-on, a trap, a thread, a leader whose pid execve(2) gave to another, a
 * zombie that this process traces and cannot reap.
 */
static bool knell_children_dead(struct knell_children *children, struct task_struct *task)
{
	return task && thread_group_leader(task) && knell_waitable(task) &&
	       !knell_children_stale(children);
}

/*
 * Its own wait(2) would tell the parent, and so may the watch, until the parent
 * execs: then it may have become a program with more rights than whoever reads.
 */
static bool knell_children_may_know(struct knell_children *children, struct task_struct *task)
{
	struct task_struct *parent = rcu_dereference(task->real_parent);

	return children->trusted || READ_ONCE(parent->self_exec_id) == children->exec_id ||
	       knell_same_owner(task, children->euid);
}

static void knell_children_post(struct knell_children *children, struct task_struct *task, u64 now)
{
	struct knell_watch *watch = &children->watch;
	struct pid *pid = task_pid(task);
	struct knell_report *report;

	lockdep_assert_held(&watch->queue->lock);
	if (watch->state == KNELL_DEAD)
		return;
	if (watch->flags & KNELL_OPF_ONESHOT && watch->state == KNELL_PENDING)
		return;
	watch->state = KNELL_PENDING;
	report = knell_reserve_post(children->reserve, KNELL_EV_EXIT, 0, now);
	if (!report)
		return;
	children->pending++;
	report->pid = get_pid(pid);
	report->rec.evflags = knell_death_take(&report->death, task, pid,
					       knell_children_may_know(children, task));
	knell_observe_death(&report->rec, task, &report->death);
}

static void knell_children_fire(struct knell_children *children, struct task_struct *task)
{
	struct knell_queue *queue = children->watch.queue;
	u64 now = ktime_get_ns();
	unsigned long flags;
	bool wake;
	u64 seq;

	spin_lock_irqsave(&queue->lock, flags);
	seq = queue->seq;
	if (children->told != task)
		knell_children_post(children, task, now);
	children->told = NULL;
	wake = queue->seq != seq;
	spin_unlock_irqrestore(&queue->lock, flags);
	if (wake)
		knell_queue_wake(queue);
}

static int knell_children_wake(struct wait_queue_entry *wait, unsigned int mode, int sync,
			       void *key)
{
	struct knell_children *children = container_of(wait, struct knell_children, wait);

	rcu_read_lock();
	if (knell_children_dead(children, key))
		knell_children_fire(children, key);
	rcu_read_unlock();
	return 0;
}

static int knell_children_prepare(struct knell_children *children)
{
	children->reserve = kzalloc(sizeof(*children->reserve), GFP_KERNEL_ACCOUNT);
	if (!children->reserve)
		return -ENOMEM;
	init_waitqueue_func_entry(&children->wait, knell_children_wake);
	children->exec_id = current->self_exec_id;
	children->euid = current_euid();
	children->trusted = ns_capable_noaudit(current_user_ns(), CAP_SYS_PTRACE);
	return knell_reserve_init(children->reserve, &children->watch);
}

static int knell_children_add(struct knell_watch *watch, const struct knell_op *op)
{
	struct wait_queue_head *head = &current->signal->wait_chldexit;
	struct knell_children *children = to_children(watch);
	struct knell_queue *queue = watch->queue;
	int err;

	if (queue->children)
		return -EEXIST;
	err = knell_children_prepare(children);
	if (err)
		return err;
	children->parent = get_task_struct(current);
	/* Both at once: what knell_children_told() notes is for the wake that follows. */
	spin_lock_irq(&head->lock);
	spin_lock(&queue->lock);
	watch->state = KNELL_ARMED;
	WRITE_ONCE(queue->children, watch);
	spin_unlock(&queue->lock);
	__add_wait_queue(head, &children->wait);
	spin_unlock_irq(&head->lock);
	return 0;
}

static void knell_children_fill(struct knell_watch *watch, struct knell_record *rec,
				struct knell_event *ev, const struct knell_reader *reader)
{
	knell_reserve_fill(to_children(watch)->reserve, rec, ev, reader);
}

static size_t knell_children_bytes(struct knell_watch *watch)
{
	struct knell_reserve *reserve = to_children(watch)->reserve;

	return sizeof(*reserve) + knell_reserve_bytes(reserve);
}

/* What was pending when a MOD made it ONESHOT is all told first. */
static bool knell_children_consume(struct knell_watch *watch, struct knell_record *rec)
{
	struct knell_children *children = to_children(watch);
	struct knell_record *lost = &children->reserve->lost;

	knell_reserve_consume(children->reserve, rec);
	if (rec != lost)
		children->pending--;
	if (children->pending || (rec != lost && !list_empty(&lost->node)))
		return true;
	watch->state = KNELL_ARMED;
	return !(watch->flags & KNELL_OPF_ONESHOT);
}

static bool knell_children_again(struct knell_watch *watch)
{
	if (!knell_reserve_again(to_children(watch)->reserve))
		return false;
	watch->state = KNELL_PENDING;
	return true;
}

static void knell_children_unpost(struct knell_watch *watch)
{
	if (to_children(watch)->reserve)
		knell_reserve_unpost(to_children(watch)->reserve);
}

/* The wait queue's lock waits for a hook under way. */
static void knell_children_release(struct knell_watch *watch)
{
	struct knell_children *children = to_children(watch);
	struct knell_queue *queue = watch->queue;

	if (children->parent) {
		spin_lock_irq(&queue->lock);
		WRITE_ONCE(queue->children, NULL);
		spin_unlock_irq(&queue->lock);
		remove_wait_queue(&children->parent->signal->wait_chldexit, &children->wait);
		put_task_struct(children->parent);
	}
	if (!children->reserve)
		return;
	knell_reserve_free(children->reserve);
	kfree(children->reserve);
}

const struct knell_watch_ops knell_children_ops = {
	.type = KNELL_CHILDREN,
	.name = "children",
	.ev = KNELL_EV_EXIT,
	.add_flags = KNELL_OPF_ONESHOT,
	.mod_flags = KNELL_OPF_ONESHOT,
	.add = knell_children_add,
	.fill = knell_children_fill,
	.bytes = knell_children_bytes,
	.consume = knell_children_consume,
	.again = knell_children_again,
	.unpost = knell_children_unpost,
	.release = knell_children_release,
};
