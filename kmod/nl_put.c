// SPDX-License-Identifier: GPL-2.0-only
/*
 * What netlink tells of a queue, a watch, a member. It is looked at under the
 * queue's mutex, and written down after it.
 */
#include <linux/mm.h>
#include <linux/pid.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/user_namespace.h>

#include <linux/knell_netlink.h>

#include "file.h"
#include "keep.h"
#include "netlink.h"
#include "queue.h"

/**
 * struct knell_named - a process, in the asker's terms
 * @pid: 0 if it is gone, or not visible
 * @comm: then empty
 */
struct knell_named {
	pid_t pid;
	char comm[TASK_COMM_LEN];
};

static void knell_name(struct knell_named *named, struct pid *pid, struct pid_namespace *ns)
{
	struct task_struct *task;

	*named = (struct knell_named){};
	rcu_read_lock();
	task = pid_task(pid, PIDTYPE_TGID);
	if (task)
		named->pid = pid_nr_ns(pid, ns);
	if (named->pid)
		get_task_comm(named->comm, task);
	rcu_read_unlock();
}

/* A comm may be empty, and is left out then. */
static int knell_put_comm(struct sk_buff *skb, int attr, const struct knell_named *named)
{
	return named->comm[0] ? nla_put_string(skb, attr, named->comm) : 0;
}

/**
 * struct knell_look - a queue, looked at
 * @kept: if it is
 * @is_kept: whether it is
 * @who: has it, referenced
 * @taken: struct knell_queue's, as the next four
 * @lost: same
 * @pending: same
 * @high_water: same
 * @unacked: same
 * @bytes: all that it takes
 * @kinds: watches by enum knell_type
 * @watches: of all kinds
 */
struct knell_look {
	struct knell_kept kept;
	bool is_kept;
	struct pid *who;
	u64 taken;
	u64 lost;
	u32 pending;
	u32 high_water;
	u32 unacked;
	size_t bytes;
	u32 kinds[KNELL_CHILDREN + 1];
	u32 watches;
};

static void knell_look_at_watches(struct knell_look *look, struct knell_queue *queue)
{
	struct knell_watch *watch;
	u32 slot = 0;

	look->watches = queue->table.nr;
	look->bytes = sizeof(*queue) + knell_timers_bytes(queue) +
		      queue->table.size * sizeof(*queue->table.slots) +
		      (queue->table.nr + queue->nr_spares) * (size_t)KNELL_WATCH_SIZE;
	if (queue->file)
		look->bytes += sizeof(*queue->file) + PAGE_SIZE;
	while ((watch = knell_watch_next(queue, &slot))) {
		look->kinds[watch->ops->type]++;
		if (watch->ops->bytes)
			look->bytes += watch->ops->bytes(watch);
		cond_resched();
	}
}

/* May sleep. */
static int knell_look_at(struct knell_look *look, struct knell_queue *queue)
{
	*look = (struct knell_look){};
	mutex_lock(&queue->mutex);
	if (knell_queue_ended(queue)) {
		mutex_unlock(&queue->mutex);
		return -ENOENT;
	}
	look->is_kept = knell_keep_describe(queue, &look->kept);
	look->who = look->is_kept ? look->kept.holder : get_pid(queue->opener);
	knell_look_at_watches(look, queue);
	spin_lock_irq(&queue->lock);
	look->taken = queue->taken;
	look->lost = queue->lost;
	look->pending = queue->pending;
	look->high_water = queue->high_water;
	look->unacked = queue->unacked;
	spin_unlock_irq(&queue->lock);
	mutex_unlock(&queue->mutex);
	return 0;
}

static int knell_put_kinds(struct sk_buff *skb, const u32 *kinds)
{
	struct nlattr *nest = nla_nest_start(skb, KNELL_A_QUEUE_KINDS);

	if (!nest ||
	    nla_put_u32(skb, KNELL_A_KINDS_PROCESS, kinds[KNELL_PROCESS]) ||
	    nla_put_u32(skb, KNELL_A_KINDS_TIMER, kinds[KNELL_TIMER]) ||
	    nla_put_u32(skb, KNELL_A_KINDS_USER, kinds[KNELL_USER]) ||
	    nla_put_u32(skb, KNELL_A_KINDS_FD, kinds[KNELL_FD]) ||
	    nla_put_u32(skb, KNELL_A_KINDS_TREE, kinds[KNELL_TREE]) ||
	    nla_put_u32(skb, KNELL_A_KINDS_CHILDREN, kinds[KNELL_CHILDREN]))
		return -EMSGSIZE;
	nla_nest_end(skb, nest);
	return 0;
}

static int knell_put_numbers(struct sk_buff *skb, const struct knell_look *look)
{
	if (nla_put_u32(skb, KNELL_A_QUEUE_WATCHES, look->watches) ||
	    knell_put_kinds(skb, look->kinds) ||
	    nla_put_u32(skb, KNELL_A_QUEUE_PENDING, look->pending) ||
	    nla_put_u32(skb, KNELL_A_QUEUE_HIGH_WATER, look->high_water) ||
	    nla_put_u64_64bit(skb, KNELL_A_QUEUE_DELIVERED, look->taken, KNELL_A_QUEUE_PAD) ||
	    nla_put_u32(skb, KNELL_A_QUEUE_UNACKED, look->unacked) ||
	    nla_put_u64_64bit(skb, KNELL_A_QUEUE_LOST, look->lost, KNELL_A_QUEUE_PAD) ||
	    nla_put_u64_64bit(skb, KNELL_A_QUEUE_BYTES, look->bytes, KNELL_A_QUEUE_PAD))
		return -EMSGSIZE;
	return 0;
}

/**
 * knell_nl_put_queue() - the attributes of a queue. May sleep
 * @skb: inside a message
 * @queue: referenced; none of its locks is held
 * @asker: who may see it
 *
 * Return: 0, -EMSGSIZE, -ENOENT if it has ended
 */
int knell_nl_put_queue(struct sk_buff *skb, struct knell_queue *queue,
		       const struct knell_asker *asker)
{
	struct knell_named who;
	struct knell_look look;
	int err;

	err = knell_look_at(&look, queue);
	if (err)
		return err;
	knell_name(&who, look.who, asker->pid_ns);
	put_pid(look.who);
	if (nla_put_u64_64bit(skb, KNELL_A_QUEUE_ID, queue->id, KNELL_A_QUEUE_PAD) ||
	    (look.is_kept && nla_put_string(skb, KNELL_A_QUEUE_NAME, look.kept.name)) ||
	    nla_put_u32(skb, KNELL_A_QUEUE_UID,
			from_kuid_munged(asker->user_ns, queue->cred->euid)) ||
	    nla_put_u32(skb, KNELL_A_QUEUE_PID, who.pid) ||
	    knell_put_comm(skb, KNELL_A_QUEUE_COMM, &who) ||
	    (look.kept.orphan && nla_put_flag(skb, KNELL_A_QUEUE_ORPHAN)))
		return -EMSGSIZE;
	return knell_put_numbers(skb, &look);
}

static int knell_put_tree(struct sk_buff *skb, const struct knell_watch_info *info)
{
	return nla_put_string(skb, KNELL_A_WATCH_LABEL, info->label) ||
	       nla_put_u32(skb, KNELL_A_WATCH_MEMBERS, info->value) ? -EMSGSIZE : 0;
}

/* What only some kinds have. */
static int knell_put_kind(struct sk_buff *skb, const struct knell_watch_info *info,
			  const struct knell_named *named)
{
	int err;

	switch (info->type) {
	case KNELL_TREE:
		err = knell_put_tree(skb, info);
		if (err)
			return err;
		fallthrough;
	case KNELL_PROCESS:
		return nla_put_u32(skb, KNELL_A_WATCH_PID, info->pid) ?:
		       knell_put_comm(skb, KNELL_A_WATCH_COMM, named);
	case KNELL_TIMER:
		return nla_put_u64_64bit(skb, KNELL_A_WATCH_EXPIRES_NS, info->value,
					 KNELL_A_WATCH_PAD);
	case KNELL_USER:
		return nla_put_u64_64bit(skb, KNELL_A_WATCH_COUNT, info->value,
					 KNELL_A_WATCH_PAD);
	default:
		return 0;
	}
}

/* Of whom a watch is, referenced, or NULL. */
static struct pid *knell_watch_target(struct knell_watch *watch)
{
	struct pid *pid = NULL;

	lockdep_assert_held(&watch->queue->mutex);
	if (!watch->ops->target)
		return NULL;
	spin_lock_irq(&watch->queue->lock);
	pid = get_pid(watch->ops->target(watch));
	spin_unlock_irq(&watch->queue->lock);
	return pid;
}

/**
 * knell_nl_put_watch() - the attributes of a watch. May sleep
 * @skb: inside a message
 * @queue: referenced; none of its locks is held
 * @handle: which
 * @asker: who may see the queue
 * @generation: set; of the queue's watches, when this one was looked at
 *
 * Return: 0, -EMSGSIZE, -ENOENT if it is no more
 */
int knell_nl_put_watch(struct sk_buff *skb, struct knell_queue *queue, u32 handle,
		       const struct knell_asker *asker, u32 *generation)
{
	struct knell_named named = {};
	struct knell_watch_info info;
	struct knell_watch *watch;
	struct pid *target = NULL;

	mutex_lock(&queue->mutex);
	*generation = queue->table.generation;
	watch = knell_watch_find(queue, handle);
	if (watch) {
		knell_watch_describe(watch, &info, asker->pid_ns);
		target = knell_watch_target(watch);
	}
	mutex_unlock(&queue->mutex);
	if (!watch)
		return -ENOENT;
	if (target)
		knell_name(&named, target, asker->pid_ns);
	put_pid(target);
	if (nla_put_u64_64bit(skb, KNELL_A_WATCH_QUEUE, queue->id, KNELL_A_WATCH_PAD) ||
	    nla_put_u32(skb, KNELL_A_WATCH_HANDLE, info.watch) ||
	    nla_put_u32(skb, KNELL_A_WATCH_KIND, info.type) ||
	    nla_put_u32(skb, KNELL_A_WATCH_STATE, info.state) ||
	    nla_put_u32(skb, KNELL_A_WATCH_FLAGS, info.flags) ||
	    nla_put_u64_64bit(skb, KNELL_A_WATCH_TOKEN, info.token, KNELL_A_WATCH_PAD))
		return -EMSGSIZE;
	return knell_put_kind(skb, &info, &named);
}

/* As thread_group_cputime() does, which is not for modules, in nanoseconds of both together. */
static u64 knell_task_runtime(struct task_struct *task)
{
	struct signal_struct *sig = task->signal;
	struct task_struct *thread;
	unsigned long flags;
	int seq = 0, next = 0;
	u64 sum;

	rcu_read_lock();
	do {
		seq = next;
		flags = read_seqbegin_or_lock_irqsave(&sig->stats_lock, &seq);
		sum = sig->sum_sched_runtime;
		for_each_thread(task, thread)
			/* The scheduler adds to it without a lock of ours. */
			sum += data_race(thread->se.sum_exec_runtime);
		/* The second time with the lock. */
		next = 1;
	} while (need_seqretry(&sig->stats_lock, seq));
	done_seqretry_irqrestore(&sig->stats_lock, seq, flags);
	rcu_read_unlock();
	return sum;
}

static u64 knell_task_rss(struct task_struct *task)
{
	unsigned long pages = 0;

	task_lock(task);
	if (task->mm)
		pages = get_mm_rss(task->mm);
	task_unlock(task);
	return (u64)pages << PAGE_SHIFT;
}

/* Referenced, or NULL if it has been reaped. */
static struct task_struct *knell_get_leader(struct pid *pid)
{
	struct task_struct *task;

	rcu_read_lock();
	task = pid_task(pid, PIDTYPE_TGID);
	if (task)
		get_task_struct(task);
	rcu_read_unlock();
	return task;
}

static pid_t knell_task_ppid(struct task_struct *task, struct pid_namespace *ns)
{
	pid_t ppid;

	rcu_read_lock();
	ppid = task_tgid_nr_ns(rcu_dereference(task->real_parent), ns);
	rcu_read_unlock();
	return ppid;
}

static int knell_put_task(struct sk_buff *skb, struct task_struct *task,
			  const struct knell_asker *asker)
{
	uid_t uid = from_kuid_munged(asker->user_ns, task_uid(task));
	char comm[TASK_COMM_LEN];

	get_task_comm(comm, task);
	if (nla_put_u32(skb, KNELL_A_MEMBER_PPID, knell_task_ppid(task, asker->pid_ns)) ||
	    nla_put_string(skb, KNELL_A_MEMBER_COMM, comm) ||
	    nla_put_u32(skb, KNELL_A_MEMBER_UID, uid) ||
	    nla_put_u64_64bit(skb, KNELL_A_MEMBER_CPU_NS, knell_task_runtime(task),
			      KNELL_A_MEMBER_PAD) ||
	    nla_put_u64_64bit(skb, KNELL_A_MEMBER_RSS_BYTES, knell_task_rss(task),
			      KNELL_A_MEMBER_PAD))
		return -EMSGSIZE;
	return 0;
}

/**
 * knell_nl_put_member() - the attributes of a member, but for whose it is
 * @skb: inside a message
 * @pid: referenced
 * @main: of the tree's first; only compared
 * @asker: who may see the queue
 *
 * Return: 0, -EMSGSIZE, -ENOENT if it has been reaped
 */
int knell_nl_put_member(struct sk_buff *skb, struct pid *pid, struct pid *main,
			const struct knell_asker *asker)
{
	struct task_struct *task = knell_get_leader(pid);
	int err;

	if (!task)
		return -ENOENT;
	err = nla_put_u32(skb, KNELL_A_MEMBER_PID, pid_nr_ns(pid, asker->pid_ns)) ?:
	      knell_put_task(skb, task, asker);
	put_task_struct(task);
	if (!err && pid == main)
		err = nla_put_flag(skb, KNELL_A_MEMBER_MAIN);
	return err;
}
