// SPDX-License-Identifier: GPL-2.0-only
/*
 * Deaths: when a process is dead for its parent, and what is left of it.
 *
 * do_notify_parent() wakes struct pid.wait_pidfd with tasklist_lock held, after
 * exit_state is set and in the same section in which wait(2) could see it, so
 * the predicate below is exactly what wait looks at. A wake that finds it false
 * (a foreign tracer holds the zombie) is followed by another when it turns true.
 */
#include <linux/cred.h>
#include <linux/mm.h>
#include <linux/oom.h>
#include <linux/pid.h>
#include <linux/sched/cputime.h>
#include <linux/sched/signal.h>
#include <linux/wait.h>

#include "compat.h"
#include "death.h"
#include "watch.h"

/* Held back by a tracer that is not the parent? As ptrace_reparented(), but under RCU. */
static bool knell_traced(struct task_struct *task)
{
	struct task_struct *parent = rcu_dereference(task->real_parent);

	/* ADD asks without tasklist_lock: a tracer that comes or goes wakes once it has gone. */
	return data_race(task->ptrace && !same_thread_group(parent, rcu_dereference(task->parent)));
}

static int knell_exit_state(const struct task_struct *task)
{
	/* The kernel writes it plainly, under tasklist_lock, and reads it without, too. */
	return data_race(READ_ONCE(task->exit_state));
}

/**
 * knell_waitable() - can the real parent's wait(2) take it?
 * @task: a leader. Under RCU, and tasklist_lock or the lock of its wait queue,
 *	in which case there is a wake to come if it changes
 */
bool knell_waitable(struct task_struct *task)
{
	return knell_exit_state(task) & EXIT_ZOMBIE && thread_group_empty(task) &&
	       !knell_traced(task);
}

/**
 * knell_leader() - is a process dead, and who is it?
 * @pid: of a thread group. The caller is under RCU
 * @dead: is there, or was there just now, something for the real parent to reap?
 *
 * exit_notify() and wait_task_zombie() pass through EXIT_DEAD before the task is
 * out of the pid's list: an ADD in between has no wake to wait for. (From 6.9 on
 * the reaper wakes once more.) But when a thread execs, de_thread() gives the
 * pid to it and then makes the old leader EXIT_DEAD, and an ADD can't hold off
 * either with tasklist_lock. So what was seen counts only if the task that it
 * was seen of is still the leader afterwards.
 *
 * Return: the leader that @pid has now, NULL if it was reaped
 */
struct task_struct *knell_leader(struct pid *pid, bool *dead)
{
	struct task_struct *task;

	do {
		task = pid_task(pid, PIDTYPE_TGID);
		*dead = task && (knell_waitable(task) ||
				 knell_exit_state(task) == EXIT_DEAD);
		/* exit_state before the list, which de_thread() changes first. */
		smp_rmb();
	} while (task != pid_task(pid, PIDTYPE_TGID));
	return task;
}

/* wait_task_zombie()'s formula: the leader's own code may not be the group's. */
static s32 knell_wait_status(struct task_struct *task)
{
	struct signal_struct *sig = task->signal;

	return sig->flags & SIGNAL_GROUP_EXIT ? sig->group_exit_code : task->exit_code;
}

/**
 * knell_same_owner() - do all its uids belong to one user?
 * @task: under RCU
 * @euid: the user
 */
bool knell_same_owner(struct task_struct *task, kuid_t euid)
{
	const struct cred *cred = __task_cred(task);

	return uid_eq(cred->uid, euid) && uid_eq(cred->euid, euid) && uid_eq(cred->suid, euid);
}

static u32 knell_saturate(unsigned long value)
{
	return min_t(unsigned long, value, U32_MAX);
}

/*
 * The group's other threads are dead and folded into signal; the leader too
 * once a reaper has counted it out. Plain reads: the reaper's wake of 6.9 and
 * later comes inside the write side of the seqlock that others read them under.
 */
static void knell_death_usage(struct knell_death *death, struct task_struct *task)
{
	struct signal_struct *sig = task->signal;
	bool own = READ_ONCE(sig->nr_threads);

	death->status = knell_wait_status(task);
	death->utime = sig->utime + (own ? task->utime : 0);
	death->stime = sig->stime + (own ? task->stime : 0);
	death->maxrss_kb = (u64)sig->maxrss << (PAGE_SHIFT - 10);
	death->minflt = knell_saturate(sig->min_flt + (own ? task->min_flt : 0));
	death->majflt = knell_saturate(sig->maj_flt + (own ? task->maj_flt : 0));
	death->nvcsw = knell_saturate(sig->nvcsw + (own ? task->nvcsw : 0));
	death->nivcsw = knell_saturate(sig->nivcsw + (own ? task->nivcsw : 0));
}

/**
 * knell_death_take() - keep what is left of a process
 * @death: filled; all but who it was is 0 unless @known
 * @task: the dead leader; under RCU. Any context in which a wait queue is woken
 * @pid: its thread group's
 * @known: may the watch's owner know how it ended?
 *
 * Return: KNELL_EVF_* of its EXIT
 */
u16 knell_death_take(struct knell_death *death, struct task_struct *task, struct pid *pid,
		     bool known)
{
	*death = (struct knell_death){
		.start = task->start_time,
		.uid = task_uid(task),
		.nr = pid_nr(pid),
		.cgroup_id = knell_cgroup_id(task),
	};
	if (!known)
		return KNELL_EVF_NOSTATUS;
	knell_death_usage(death, task);
	return (death->status & 0x7f) == SIGKILL && tsk_is_oom_victim(task) ? KNELL_EVF_OOM : 0;
}
