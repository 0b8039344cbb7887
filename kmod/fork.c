// SPDX-License-Identifier: GPL-2.0-only
/*
 * The calling thread's next process.
 *
 * When a thread that waits forks, the probe hands the watch to the child as task
 * work; the child's first way to user mode, or its exit if it is killed before
 * that, leads through it. So whatever must sleep or take a sleeping lock is done
 * by the child, in time.
 */
#include <linux/hashtable.h>
#include <linux/module.h>
#include <linux/pid.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/spinlock.h>
#include <linux/task_work.h>

#include "fork.h"
#include "probe.h"

/* covers writing knell_nexts; raw, for the probe may take no other lock on PREEMPT_RT */
static DEFINE_RAW_SPINLOCK(knell_next_lock);
static DEFINE_HASHTABLE(knell_nexts, 10);

static struct hlist_head *knell_next_bucket(struct pid *parent)
{
	return &knell_nexts[hash_ptr(parent, HASH_BITS(knell_nexts))];
}

/* What @parent waits for; not what waited in its place before execve(2). */
static struct knell_next *knell_next_find(struct pid *parent, const struct task_struct *task)
{
	struct knell_next *next;

	lockdep_assert_held(&knell_next_lock);
	hlist_for_each_entry(next, knell_next_bucket(parent), node)
		if (next->parent == parent && next->exec_id == task->self_exec_id)
			return next;
	return NULL;
}

/* In the child. What follows module_put() is covered by knell_probes_exit(). */
static void knell_next_work(struct callback_head *work)
{
	struct knell_next *next = container_of(work, struct knell_next, work);
	struct pid *parent = next->parent;

	next->enrol(next);
	put_pid(parent);
	knell_probes_put();
	module_put(THIS_MODULE);
}

/**
 * knell_next_fork() - the probe: a process is born
 * @parent: current
 * @child: cannot run yet
 *
 * Whoever does not wait pays for the look at one bucket, without the lock, for
 * only the thread itself puts itself there.
 */
void knell_next_fork(struct task_struct *parent, struct task_struct *child)
{
	struct pid *pid = task_pid(parent);
	struct knell_next *next;

	if (hlist_empty(knell_next_bucket(pid)))
		return;
	raw_spin_lock(&knell_next_lock);
	next = knell_next_find(pid, parent);
	if (next) {
		next->born(next, task_pid(child));
		hash_del(&next->node);
	}
	raw_spin_unlock(&knell_next_lock);
	/*
	 * It is the child's now, whoever disarms. A new task takes work until it exits, and it
	 * cannot have run. Not under the raw lock: KASAN notes who added work, in memory that
	 * it may have to allocate.
	 */
	if (next)
		WARN_ON_ONCE(task_work_add(child, &next->work, TWA_RESUME));
}

/**
 * knell_next_arm() - wait for the next process of the calling thread. May sleep
 * @next: @born and @enrol are set
 *
 * The module stays until @enrol has run or knell_next_disarm() has succeeded.
 *
 * Return: 0, -EBUSY if the thread waits already, -ENOMEM
 */
int knell_next_arm(struct knell_next *next)
{
	int err;

	err = knell_probes_get();
	if (err)
		return err;
	next->parent = get_task_pid(current, PIDTYPE_PID);
	next->exec_id = current->self_exec_id;
	init_task_work(&next->work, knell_next_work);
	raw_spin_lock(&knell_next_lock);
	if (knell_next_find(next->parent, current))
		err = -EBUSY;
	else
		hlist_add_head(&next->node, knell_next_bucket(next->parent));
	raw_spin_unlock(&knell_next_lock);
	if (err)
		goto err_parent;
	__module_get(THIS_MODULE);
	return 0;

err_parent:
	put_pid(next->parent);
	knell_probes_put();
	return err;
}

/**
 * knell_next_armed() - does the calling thread wait?
 * @born: to call that
 */
bool knell_next_armed(void (*born)(struct knell_next *next, struct pid *child))
{
	struct knell_next *next;
	bool armed;

	raw_spin_lock(&knell_next_lock);
	next = knell_next_find(task_pid(current), current);
	armed = next && next->born == born;
	raw_spin_unlock(&knell_next_lock);
	return armed;
}

/**
 * knell_next_vain() - can there be no such process any more?
 * @next: armed before. Under RCU
 *
 * Return: true if the thread has ended, or has called execve(2) since
 */
bool knell_next_vain(const struct knell_next *next)
{
	struct task_struct *task = pid_task(next->parent, PIDTYPE_PID);

	/* Another one's, without tasklist_lock: who ends just now is told of the next time. */
	return !task || data_race(READ_ONCE(task->exit_state)) ||
	       READ_ONCE(task->self_exec_id) != next->exec_id;
}

/**
 * knell_next_disarm() - wait no more. Process context
 * @next: armed before
 *
 * Return: true if no process was made: neither @born nor @enrol will be called.
 * False: @born has been called, @enrol has been or will be
 */
bool knell_next_disarm(struct knell_next *next)
{
	bool armed;

	raw_spin_lock(&knell_next_lock);
	armed = !hlist_unhashed(&next->node);
	if (armed)
		hash_del(&next->node);
	raw_spin_unlock(&knell_next_lock);
	if (!armed)
		return false;
	put_pid(next->parent);
	knell_probes_put();
	module_put(THIS_MODULE);
	return true;
}
