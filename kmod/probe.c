// SPDX-License-Identifier: GPL-2.0-only
/*
 * The probes on fork and on signals. They run for all processes of the machine,
 * so each first looks at one hash bucket and goes.
 *
 * sched_process_fork comes in the parent, with preemption off (up to 6.12), when
 * the child is complete but cannot run; signal_generate in the sender, at the end
 * of sending, under the target's siglock. PREEMPT_RT forbids both to sleep, and
 * so to allocate and to take a spinlock_t.
 *
 * They are registered by the first user and stay for a while after the last:
 * switching a tracepoint interrupts every CPU.
 */
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/tracepoint.h>
#include <linux/workqueue.h>

#include "compat.h"
#include "fork.h"
#include "member.h"
#include "probe.h"

#define KNELL_PROBES_LINGER	(60 * HZ)

static void knell_probe_fork(void *data, struct task_struct *parent, struct task_struct *child)
{
	bool process = thread_group_leader(child) && !(child->flags & PF_KTHREAD);

	/* Inherited ones first: what the child is made to join is inside of them. */
	if (process) {
		knell_member_fork(parent, child);
		knell_next_fork(parent, child);
	}
}

static void knell_probe_signal(void *data, int sig, struct kernel_siginfo *info,
			       struct task_struct *task, int group, int result)
{
	knell_member_signalled(sig, info, task, result);
}

/**
 * struct knell_probe - a tracepoint's
 * @name: of the tracepoint
 * @func: with that tracepoint's prototype
 * @tracepoint: as the running kernel has it
 */
struct knell_probe {
	const char *name;
	void *func;
	struct tracepoint *tracepoint;
};

static struct knell_probe knell_probes[] = {
	{ .name = "sched_process_fork", .func = knell_probe_fork },
	{ .name = "signal_generate", .func = knell_probe_signal },
};

/* covers knell_probes_registered, how many of them are, and whether any ever was */
static DEFINE_MUTEX(knell_probes_mutex);
static unsigned int knell_probes_registered;
static bool knell_probes_used;
static atomic_t knell_probes_users;

static void knell_probes_linger(struct work_struct *work);
static DECLARE_DELAYED_WORK(knell_probes_work, knell_probes_linger);

static void knell_probes_unregister(void)
{
	struct knell_probe *probe;

	lockdep_assert_held(&knell_probes_mutex);
	if (!knell_probes_registered)
		return;
	while (knell_probes_registered) {
		probe = &knell_probes[--knell_probes_registered];
		tracepoint_probe_unregister(probe->tracepoint, probe->func, NULL);
	}
	tracepoint_synchronize_unregister();
}

static int knell_probes_register(void)
{
	struct knell_probe *probe;
	int err;

	lockdep_assert_held(&knell_probes_mutex);
	while (knell_probes_registered < ARRAY_SIZE(knell_probes)) {
		probe = &knell_probes[knell_probes_registered];
		err = tracepoint_probe_register(probe->tracepoint, probe->func, NULL);
		if (err) {
			knell_probes_unregister();
			return err;
		}
		knell_probes_registered++;
	}
	return 0;
}

static void knell_probes_linger(struct work_struct *work)
{
	mutex_lock(&knell_probes_mutex);
	if (!atomic_read(&knell_probes_users))
		knell_probes_unregister();
	mutex_unlock(&knell_probes_mutex);
}

/**
 * knell_probes_get() - one user more. May sleep
 *
 * Return: 0, -ENOMEM
 */
int knell_probes_get(void)
{
	int err;

	mutex_lock(&knell_probes_mutex);
	err = knell_probes_register();
	if (!err) {
		atomic_inc(&knell_probes_users);
		knell_probes_used = true;
	}
	mutex_unlock(&knell_probes_mutex);
	return err;
}

/** knell_probes_put() - one user less. Any context but a probe */
void knell_probes_put(void)
{
	if (atomic_dec_and_test(&knell_probes_users))
		mod_delayed_work(system_percpu_wq, &knell_probes_work, KNELL_PROBES_LINGER);
}

static void __init knell_probes_find(struct tracepoint *tracepoint, void *data)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(knell_probes); i++)
		if (!strcmp(tracepoint->name, knell_probes[i].name))
			knell_probes[i].tracepoint = tracepoint;
}

int __init knell_probes_init(void)
{
	unsigned int i;

	for_each_kernel_tracepoint(knell_probes_find, NULL);
	for (i = 0; i < ARRAY_SIZE(knell_probes); i++)
		if (!knell_probes[i].tracepoint)
			return -ENODEV;
	return 0;
}

/* No queue is there and no child on its way; one may still be leaving its task work. */
void knell_probes_exit(void)
{
	cancel_delayed_work_sync(&knell_probes_work);
	mutex_lock(&knell_probes_mutex);
	if (knell_probes_used)
		synchronize_rcu_tasks();
	knell_probes_unregister();
	mutex_unlock(&knell_probes_mutex);
}
