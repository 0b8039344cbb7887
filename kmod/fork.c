// SPDX-License-Identifier: GPL-2.0-only
/*
 * The calling thread's next process.
 *
 * The probe on sched_process_fork runs in the parent, with preemption off (up
 * to 6.12), when the child is complete but cannot run. For a thread that waits
 * it hands the watch to the child as task work; the child's first way to user
 * mode, or its exit if it is killed before that, leads through it. So whatever
 * must sleep or take a sleeping lock is done by the child, in time.
 *
 * The probe is registered by the first user and stays for a while after the
 * last: switching a tracepoint interrupts every CPU.
 */
#include <linux/hashtable.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/pid.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/spinlock.h>
#include <linux/task_work.h>
#include <linux/tracepoint.h>
#include <linux/workqueue.h>

#include "fork.h"

#define KNELL_FORK_LINGER	(60 * HZ)

/* covers writing knell_nexts; raw, for the probe may take no other lock on PREEMPT_RT */
static DEFINE_RAW_SPINLOCK(knell_next_lock);
static DEFINE_HASHTABLE(knell_nexts, 10);

/* covers knell_fork_registered */
static DEFINE_MUTEX(knell_fork_mutex);
static struct tracepoint *knell_fork_tracepoint;
static bool knell_fork_registered;
/* those armed and those on their way in a child */
static atomic_t knell_fork_users;

static struct hlist_head *knell_next_bucket(struct pid *parent)
{
	return &knell_nexts[hash_ptr(parent, HASH_BITS(knell_nexts))];
}

static struct knell_next *knell_next_find(struct pid *parent)
{
	struct knell_next *next;

	lockdep_assert_held(&knell_next_lock);
	hlist_for_each_entry(next, knell_next_bucket(parent), node)
		if (next->parent == parent)
			return next;
	return NULL;
}

static void knell_fork_linger(struct work_struct *work);
static DECLARE_DELAYED_WORK(knell_fork_work, knell_fork_linger);

static void knell_fork_put(void)
{
	if (atomic_dec_and_test(&knell_fork_users))
		mod_delayed_work(system_wq, &knell_fork_work, KNELL_FORK_LINGER);
}

/* In the child. What follows module_put() is covered by knell_fork_exit(). */
static void knell_next_work(struct callback_head *work)
{
	struct knell_next *next = container_of(work, struct knell_next, work);
	struct pid *parent = next->parent;

	next->enrol(next);
	put_pid(parent);
	knell_fork_put();
	module_put(THIS_MODULE);
}

/*
 * For all forks of the machine: whoever does not wait pays for the look at one
 * bucket, without the lock, for only the thread itself puts itself there.
 */
static void knell_fork_probe(void *data, struct task_struct *parent, struct task_struct *child)
{
	struct pid *pid = task_pid(parent);
	struct knell_next *next;

	if (hlist_empty(knell_next_bucket(pid)))
		return;
	if (!thread_group_leader(child) || child->flags & PF_KTHREAD)
		return;
	raw_spin_lock(&knell_next_lock);
	next = knell_next_find(pid);
	if (next) {
		next->born(next, task_pid(child));
		hash_del(&next->node);
		/* A new task takes work until it exits, and it cannot have run. */
		WARN_ON_ONCE(task_work_add(child, &next->work, TWA_RESUME));
	}
	raw_spin_unlock(&knell_next_lock);
}

static int knell_fork_get(void)
{
	int err = 0;

	mutex_lock(&knell_fork_mutex);
	if (!knell_fork_registered)
		err = tracepoint_probe_register(knell_fork_tracepoint, knell_fork_probe, NULL);
	if (!err) {
		knell_fork_registered = true;
		atomic_inc(&knell_fork_users);
	}
	mutex_unlock(&knell_fork_mutex);
	return err;
}

static void knell_fork_unregister(void)
{
	lockdep_assert_held(&knell_fork_mutex);
	if (!knell_fork_registered)
		return;
	tracepoint_probe_unregister(knell_fork_tracepoint, knell_fork_probe, NULL);
	tracepoint_synchronize_unregister();
	knell_fork_registered = false;
}

static void knell_fork_linger(struct work_struct *work)
{
	mutex_lock(&knell_fork_mutex);
	if (!atomic_read(&knell_fork_users))
		knell_fork_unregister();
	mutex_unlock(&knell_fork_mutex);
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

	err = knell_fork_get();
	if (err)
		return err;
	next->parent = get_task_pid(current, PIDTYPE_PID);
	init_task_work(&next->work, knell_next_work);
	raw_spin_lock(&knell_next_lock);
	if (knell_next_find(next->parent))
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
	knell_fork_put();
	return err;
}

/**
 * knell_next_disarm() - wait no more. May sleep
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
	knell_fork_put();
	module_put(THIS_MODULE);
	return true;
}

static void __init knell_fork_find(struct tracepoint *tracepoint, void *data)
{
	if (!strcmp(tracepoint->name, "sched_process_fork"))
		knell_fork_tracepoint = tracepoint;
}

int __init knell_fork_init(void)
{
	for_each_kernel_tracepoint(knell_fork_find, NULL);
	return knell_fork_tracepoint ? 0 : -ENODEV;
}

/* No queue is open and no child on its way; one may still be leaving knell_next_work(). */
void knell_fork_exit(void)
{
	cancel_delayed_work_sync(&knell_fork_work);
	mutex_lock(&knell_fork_mutex);
	if (knell_fork_registered)
		synchronize_rcu_tasks();
	knell_fork_unregister();
	mutex_unlock(&knell_fork_mutex);
}
