// SPDX-License-Identifier: GPL-2.0-only
/*
 * Members: which process is in which tree.
 *
 * A child is entered by the fork probe, in its parent and before it can run: from
 * there on it is counted and found by whoever signals the tree. What the probe
 * may not do, linking the hook that hears of its death, the child does for itself
 * on its first way to user mode, or to its exit if it is killed before that.
 *
 * The probe may not allocate. It takes the new member from a pool that was filled
 * beforehand. What it took is replaced by the parent on his way out of fork(2), for
 * the child may not run before he forks again, or by the child, for he may wait for
 * it in vfork(2); whoever is first, out of his own memory cgroup. When the pool is
 * dry, an atomic allocation is tried where the kernel allows that, and if that fails
 * too the tree is INEXACT. PREEMPT_RT does not allow it, and preempts a parent
 * between the probe and his way out: there the pool has one more for every member.
 */
#include <linux/hashtable.h>
#include <linux/module.h>
#include <linux/pid.h>
#include <linux/pid_namespace.h>
#include <linux/rculist.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/signal.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/task_work.h>
#include <trace/events/signal.h>

#include "doom.h"
#include "member.h"
#include "queue.h"
#include "tree.h"

/* Enough for all CPUs to be in fork at once, in as many trees as there can be. */
#define KNELL_POOL	max(64U, KNELL_MEMBERSHIPS * num_possible_cpus())

/*
 * covers writing knell_members, how many they are, the lists and flags of members
 * and trees, and the pool; raw, for the probe may take no other lock on PREEMPT_RT.
 * Innermost
 */
static DEFINE_RAW_SPINLOCK(knell_member_lock);
static DEFINE_HASHTABLE(knell_members, 12);
static unsigned int knell_members_linked;
static LIST_HEAD(knell_member_pool);
static unsigned int knell_member_pooled;

static struct kmem_cache *knell_member_cache;

static struct hlist_head *knell_member_bucket(struct pid *pid)
{
	return &knell_members[hash_ptr(pid, HASH_BITS(knell_members))];
}

/* The first membership of @pid from @pos on. Under RCU, as the next two. */
static struct knell_member *knell_member_from(struct hlist_node *pos, const struct pid *pid)
{
	struct knell_member *member;

	for (; pos; pos = rcu_dereference(hlist_next_rcu(pos))) {
		member = hlist_entry(pos, struct knell_member, node);
		if (member->pid == pid)
			return member;
	}
	return NULL;
}

static struct knell_member *knell_member_first(struct pid *pid)
{
	return knell_member_from(rcu_dereference(hlist_first_rcu(knell_member_bucket(pid))), pid);
}

static struct knell_member *knell_member_next(const struct knell_member *member)
{
	return knell_member_from(rcu_dereference(hlist_next_rcu(&member->node)), member->pid);
}

/* How many the pool should have. A guess without the lock. */
static unsigned int knell_pool_size(void)
{
	unsigned int spares = IS_ENABLED(CONFIG_PREEMPT_RT) ? READ_ONCE(knell_members_linked) : 0;

	return KNELL_POOL + spares;
}

static struct knell_member *knell_pool_take(void)
{
	struct knell_member *member;
	unsigned long flags;

	raw_spin_lock_irqsave(&knell_member_lock, flags);
	member = list_first_entry_or_null(&knell_member_pool, struct knell_member, link);
	if (member) {
		list_del(&member->link);
		WRITE_ONCE(knell_member_pooled, knell_member_pooled - 1);
	}
	raw_spin_unlock_irqrestore(&knell_member_lock, flags);
	return member;
}

static void knell_pool_give(struct knell_member *member)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&knell_member_lock, flags);
	list_add(&member->link, &knell_member_pool);
	WRITE_ONCE(knell_member_pooled, knell_member_pooled + 1);
	raw_spin_unlock_irqrestore(&knell_member_lock, flags);
}

/**
 * knell_member_fill_pool() - before anybody can fork in a tree. May sleep
 *
 * Return: 0, -ENOMEM
 */
int knell_member_fill_pool(void)
{
	struct knell_member *member;

	while (READ_ONCE(knell_member_pooled) < knell_pool_size()) {
		member = kmem_cache_alloc(knell_member_cache, GFP_KERNEL | __GFP_NOWARN);
		if (!member)
			return -ENOMEM;
		knell_pool_give(member);
	}
	return 0;
}

/* Some member has gone: so may his spare. Not in a probe or a hook. */
static void knell_pool_trim(void)
{
	struct knell_member *member;

	if (READ_ONCE(knell_member_pooled) <= knell_pool_size())
		return;
	member = knell_pool_take();
	if (member)
		kmem_cache_free(knell_member_cache, member);
}

/* In the probe. */
static struct knell_member *knell_member_get_atomic(void)
{
	struct knell_member *member = knell_pool_take();

	if (member || IS_ENABLED(CONFIG_PREEMPT_RT))
		return member;
	return kmem_cache_alloc(knell_member_cache, GFP_ATOMIC | __GFP_NOWARN);
}

static void knell_member_free(struct rcu_head *rcu)
{
	struct knell_member *member = container_of(rcu, struct knell_member, rcu);

	put_pid(member->pid);
	put_pid(member->parent);
	kmem_cache_free(knell_member_cache, member);
	knell_pool_trim();
}

/**
 * knell_member_put() - let go of a reference. Any context but a probe
 * @member: freed after a grace period with the last one
 */
void knell_member_put(struct knell_member *member)
{
	if (refcount_dec_and_test(&member->refs))
		call_rcu(&member->rcu, knell_member_free);
}

static void knell_member_unlink(struct knell_member *member)
{
	lockdep_assert_held(&knell_member_lock);
	hash_del_rcu(&member->node);
	list_del_rcu(&member->link);
	WRITE_ONCE(member->linked, false);
	WRITE_ONCE(member->tree->generation, member->tree->generation + 2);
	WRITE_ONCE(knell_members_linked, knell_members_linked - 1);
}

/* Its parent can reap it: it is a member no more. */
static void knell_member_died(struct knell_member *member, struct task_struct *task)
{
	struct knell_tree *tree = member->tree;
	unsigned long flags;
	bool linked, lingers;

	WRITE_ONCE(member->dead, true);
	knell_tree_exited(member, task);
	raw_spin_lock_irqsave(&knell_member_lock, flags);
	linked = member->linked;
	lingers = member->lingers;
	if (linked)
		knell_member_unlink(member);
	raw_spin_unlock_irqrestore(&knell_member_lock, flags);
	/* Otherwise its tree is being DELed, and who does that waits for this hook. */
	if (linked)
		knell_member_put(member);
	if (lingers)
		knell_tree_put_atomic(tree);
}

static int knell_member_wake(struct wait_queue_entry *wait, unsigned int mode, int sync, void *key)
{
	struct knell_member *member = container_of(wait, struct knell_member, wait);
	struct task_struct *task;
	bool dead;

	rcu_read_lock();
	task = knell_leader(member->pid, &dead);
	if (dead) {
		list_del_init(&wait->entry);
		knell_member_died(member, task);
	}
	rcu_read_unlock();
	return 0;
}

static void knell_member_setup(struct knell_member *member, struct knell_tree *tree)
{
	memset(member, 0, sizeof(*member));
	INIT_LIST_HEAD(&member->link);
	init_waitqueue_func_entry(&member->wait, knell_member_wake);
	INIT_LIST_HEAD(&member->wait.entry);
	member->tree = tree;
	/* On its way. */
	refcount_set(&member->refs, 1);
}

/**
 * knell_member_new() - for a JOIN. May sleep
 * @tree: referenced by the caller for as long as the member is on its way
 *
 * Return: the member, for knell_member_enter() or knell_member_put(); NULL for
 * want of memory
 */
struct knell_member *knell_member_new(struct knell_tree *tree)
{
	struct knell_member *member = kmem_cache_alloc(knell_member_cache, GFP_KERNEL);

	if (member)
		knell_member_setup(member, tree);
	return member;
}

/**
 * knell_member_may_join() - one membership more?
 * @tree: to be joined
 * @pid: the caller's thread group
 * @more: memberships that he has bespoken already
 *
 * Return: 0; -EEXIST if he is in @tree, -E2BIG if he is in too many
 */
int knell_member_may_join(const struct knell_tree *tree, struct pid *pid, unsigned int more)
{
	struct knell_member *member;
	unsigned int nr = more;
	int err = 0;

	rcu_read_lock();
	for (member = knell_member_first(pid); member; member = knell_member_next(member)) {
		if (!READ_ONCE(member->linked))
			continue;
		nr++;
		if (member->tree == tree)
			err = -EEXIST;
	}
	rcu_read_unlock();
	return err ?: nr < KNELL_MEMBERSHIPS ? 0 : -E2BIG;
}

/* Found by others from here on, unless the tree is DELed. */
static void knell_member_link(struct knell_member *member)
{
	struct knell_tree *tree = member->tree;

	lockdep_assert_held(&knell_member_lock);
	if (tree->closed)
		return;
	hlist_add_head_rcu(&member->node, knell_member_bucket(member->pid));
	/* At the head: who walks down the list to kill gets to an end. */
	list_add_rcu(&member->link, &tree->members);
	WRITE_ONCE(member->linked, true);
	WRITE_ONCE(tree->generation, tree->generation + 2);
	WRITE_ONCE(knell_members_linked, knell_members_linked + 1);
	refcount_inc(&member->refs);
}

/**
 * knell_member_enter() - a process joins. Also in the probe
 * @member: made by knell_member_new()
 * @pid: its thread group
 *
 * Return: true if it is a member: call knell_member_settle() in it. False if the
 * tree has ended, or it is a member already
 */
bool knell_member_enter(struct knell_member *member, struct pid *pid)
{
	unsigned long flags;

	if (knell_member_may_join(member->tree, pid, 0) == -EEXIST)
		return false;
	if (!knell_tree_enter(member->tree, &member->main))
		return false;
	member->pid = get_pid(pid);
	if (member->main)
		WRITE_ONCE(member->tree->main, get_pid(pid));
	raw_spin_lock_irqsave(&knell_member_lock, flags);
	knell_member_link(member);
	raw_spin_unlock_irqrestore(&knell_member_lock, flags);
	return true;
}

/**
 * knell_member_settle() - a new member does the rest for itself. May sleep
 * @member: current, entered; no longer on its way when this returns
 */
void knell_member_settle(struct knell_member *member)
{
	struct wait_queue_head *head = &member->pid->wait_pidfd;
	bool linked;

	add_wait_queue(head, &member->wait);
	raw_spin_lock_irq(&knell_member_lock);
	linked = member->linked;
	member->waiting = linked;
	raw_spin_unlock_irq(&knell_member_lock);
	if (!linked)
		remove_wait_queue(head, &member->wait);
	else if (member->parent)
		knell_tree_forked(member);
	knell_doom_execute(member);
	knell_member_put(member);
}

/* In the child. What follows module_put() is covered by knell_probes_exit(). */
static void knell_member_work(struct callback_head *work)
{
	struct knell_member *member = container_of(work, struct knell_member, work);
	struct knell_tree *tree = member->tree;

	knell_member_fill_pool();
	knell_member_settle(member);
	knell_tree_put(tree);
	module_put(THIS_MODULE);
}

/* In the parent. */
static void knell_member_refill(struct callback_head *work)
{
	struct knell_member *member = container_of(work, struct knell_member, refill);

	knell_member_fill_pool();
	knell_member_put(member);
	module_put(THIS_MODULE);
}

/* @member's process has made @child; false if it is a member no more. */
static bool knell_member_inherit(struct knell_member *heir, const struct knell_member *member,
				 struct task_struct *child)
{
	struct knell_tree *tree = member->tree;
	unsigned long flags;
	bool linked, first;

	raw_spin_lock_irqsave(&knell_member_lock, flags);
	linked = member->linked;
	if (linked) {
		knell_member_setup(heir, tree);
		/* While somebody is linked the watch keeps the tree. */
		refcount_inc(&tree->refs);
		knell_tree_enter(tree, &first);
		heir->pid = get_pid(task_pid(child));
		heir->parent = get_pid(member->pid);
		knell_member_link(heir);
	}
	raw_spin_unlock_irqrestore(&knell_member_lock, flags);
	return linked;
}

static void knell_member_send(struct knell_member *heir, struct task_struct *parent,
			      struct task_struct *child)
{
	__module_get(THIS_MODULE);
	init_task_work(&heir->work, knell_member_work);
	/* A new task takes work until it exits, and it cannot have run. */
	WARN_ON_ONCE(task_work_add(child, &heir->work, TWA_RESUME));
	__module_get(THIS_MODULE);
	init_task_work(&heir->refill, knell_member_refill);
	WARN_ON_ONCE(task_work_add(parent, &heir->refill, TWA_RESUME));
}

/**
 * knell_member_fork() - the probe: a process is born, into its parent's trees
 * @parent: current
 * @child: cannot run yet
 */
void knell_member_fork(struct task_struct *parent, struct task_struct *child)
{
	struct pid *pid = task_tgid(parent);
	struct knell_member *member, *heir;

	if (hlist_empty(knell_member_bucket(pid)))
		return;
	rcu_read_lock();
	for (member = knell_member_first(pid); member; member = knell_member_next(member)) {
		heir = knell_member_get_atomic();
		if (!heir) {
			WRITE_ONCE(member->tree->inexact, true);
			continue;
		}
		if (!knell_member_inherit(heir, member, child)) {
			knell_pool_give(heir);
			continue;
		}
		/* For @refill; the child may not run before this returns. */
		refcount_inc(&heir->refs);
		knell_member_send(heir, parent, child);
	}
	rcu_read_unlock();
}

/* Sent by a process? Then by current: si_pid can be forged. */
static bool knell_sent_by_process(const struct kernel_siginfo *info)
{
	if (info == SEND_SIG_NOINFO)
		return true;
	if (info == SEND_SIG_PRIV)
		return false;
	return info->si_code == SI_USER || info->si_code == SI_TKILL || info->si_code == SI_QUEUE;
}

/*
 * Of those who send a signal that kills by default the last one wins, but for
 * what comes when the target is dying already. (Its exit is decided before the
 * probe is called for the signal that decided it.) One that is blocked may kill
 * later; what is sent in between does not matter, unless it is the same one.
 */
static void knell_member_suspect(struct knell_member *member, int sig, bool process,
				 struct task_struct *task)
{
	struct sighand_struct *sighand = rcu_dereference(task->sighand);
	struct knell_killer *killer = &member->killer;

	if (killer->final || sig_kernel_ignore(sig) || sig_kernel_stop(sig))
		return;
	killer->final = task->signal->flags & SIGNAL_GROUP_EXIT;
	if (!process || sighand->action[sig - 1].sa.sa_handler != SIG_DFL) {
		if (killer->sig == sig)
			killer->sig = 0;
		return;
	}
	knell_killer_set(killer, sig, member->tree->queue->pid_ns);
}

/**
 * knell_member_signalled() - the probe: a signal was sent
 * @sig: signal
 * @info: as given to the sending function
 * @task: to whom; its siglock is held
 * @result: enum of trace/events/signal.h
 */
void knell_member_signalled(int sig, const struct kernel_siginfo *info, struct task_struct *task,
			    int result)
{
	struct pid *pid = task_tgid(task);
	struct knell_member *member;

	if (hlist_empty(knell_member_bucket(pid)))
		return;
	if (result != TRACE_SIGNAL_DELIVERED && result != TRACE_SIGNAL_LOSE_INFO)
		return;
	rcu_read_lock();
	for (member = knell_member_first(pid); member; member = knell_member_next(member))
		knell_member_suspect(member, sig, knell_sent_by_process(info), task);
	rcu_read_unlock();
}

/**
 * knell_member_blame() - a process has been killed in somebody's name
 * @pid: its thread group, current's
 * @killer: who it was
 * @ns: in which @killer->ns_nr is his pid
 */
void knell_member_blame(struct pid *pid, const struct knell_killer *killer,
			const struct pid_namespace *ns)
{
	struct sighand_struct *sighand;
	struct knell_member *member;

	rcu_read_lock();
	sighand = rcu_dereference(current->sighand);
	spin_lock_irq(&sighand->siglock);
	for (member = knell_member_first(pid); member; member = knell_member_next(member)) {
		member->killer = *killer;
		/* He may be gone: what he is called in another namespace nobody knows. */
		if (member->tree->queue->pid_ns != ns)
			member->killer.ns_nr = 0;
	}
	spin_unlock_irq(&sighand->siglock);
	rcu_read_unlock();
}

/* On its way to its end? A pid namespace's first process ignores SIGKILL from inside. */
static bool knell_member_ends(const struct knell_member *member)
{
	struct task_struct *task = pid_task(member->pid, PIDTYPE_TGID);

	/* Written under its siglock; after our own SIGKILL it is set, or never is. */
	return task && data_race(READ_ONCE(task->signal->flags)) & SIGNAL_GROUP_EXIT;
}

/* kill(2)'s rule, which the kernel does not apply when a process signals itself. */
static bool knell_cred_may_kill(const struct cred *cred, const struct cred *target)
{
	return uid_eq(cred->euid, target->suid) || uid_eq(cred->euid, target->uid) ||
	       uid_eq(cred->uid, target->suid) || uid_eq(cred->uid, target->uid) ||
	       ns_capable_noaudit(target->user_ns, CAP_KILL);
}

/**
 * knell_member_signal() - send it with current's subjective rights
 * @member: referenced, or found under RCU
 * @sig: signal or 0
 * @ns: whose pids the sender sees
 *
 * current may be the member and act in another's name: the last to close a queue does.
 *
 * Return: 0, -EPERM or -ESRCH
 */
int knell_member_signal(struct knell_member *member, int sig, struct pid_namespace *ns)
{
	if (!pid_nr_ns(member->pid, ns))
		return -EPERM;
	if (member->pid == task_tgid(current) &&
	    !knell_cred_may_kill(current_cred(), current_real_cred()))
		return -EPERM;
	return kill_pid(member->pid, sig, 0);
}

/**
 * knell_member_may_signal() - is there a member whom current may send a signal?
 * @tree: whose members
 * @ns: as for knell_member_signal_all()
 */
bool knell_member_may_signal(struct knell_tree *tree, struct pid_namespace *ns)
{
	struct knell_member *member;
	bool may = false;

	rcu_read_lock();
	list_for_each_entry_rcu(member, &tree->members, link) {
		may = !READ_ONCE(member->dead) && !knell_member_signal(member, 0, ns);
		if (may)
			break;
	}
	rcu_read_unlock();
	return may;
}

/**
 * knell_member_signal_all() - KILL, with current's rights. Not in atomic context
 * @tree: whose members; its queue's mutex is held
 * @sig: signal or 0
 * @ns: members that have no pid in it are not touched
 *
 * Return: how many were signalled; -EPERM if some were not
 */
int knell_member_signal_all(struct knell_tree *tree, int sig, struct pid_namespace *ns)
{
	struct knell_member *member;
	bool refused = false;
	int nr = 0, err;

	rcu_read_lock();
	list_for_each_entry_rcu(member, &tree->members, link) {
		if (READ_ONCE(member->dead))
			continue;
		err = knell_member_signal(member, sig, ns);
		if (sig == SIGKILL && !err)
			member->doomed = knell_member_ends(member);
		nr += !err;
		refused |= err && err != -ESRCH;
	}
	rcu_read_unlock();
	return refused ? -EPERM : nr;
}

/**
 * knell_member_generation() - the same as before if no member has come or gone
 * @tree: whose; kept by the caller
 *
 * Return: never 0
 */
u32 knell_member_generation(const struct knell_tree *tree)
{
	return READ_ONCE(tree->generation) | 1;
}

/**
 * knell_member_pids() - who is in it?
 * @tree: whose members; kept by the caller
 * @pids: gets their thread groups, each referenced
 * @max: room
 *
 * Return: how many there are; as many as there is room for are in @pids
 */
unsigned int knell_member_pids(struct knell_tree *tree, struct pid **pids, unsigned int max)
{
	struct knell_member *member;
	unsigned int nr = 0;

	rcu_read_lock();
	list_for_each_entry_rcu(member, &tree->members, link) {
		if (READ_ONCE(member->dead))
			continue;
		if (nr < max)
			pids[nr] = get_pid(member->pid);
		nr++;
	}
	rcu_read_unlock();
	return nr;
}

/*
 * A process that was killed while it was in fork may be past the kernel's last
 * look for a signal, and not in the probe yet: its child lives, and is nobody's
 * if the parent is not found there. So it is found until it dies.
 */
static void knell_member_linger(struct knell_member *member)
{
	lockdep_assert_held(&knell_member_lock);
	member->lingers = true;
	list_move(&member->link, &member->tree->lingering);
	knell_tree_linger(member->tree);
}

/* One of those left leaves: true while there may be more. May sleep. */
static bool knell_member_leave(struct knell_tree *tree)
{
	struct knell_member *member;
	bool waiting, lingers;

	raw_spin_lock_irq(&knell_member_lock);
	tree->closed = true;
	member = list_first_entry_or_null(&tree->members, struct knell_member, link);
	if (!member) {
		raw_spin_unlock_irq(&knell_member_lock);
		return false;
	}
	waiting = member->waiting;
	lingers = waiting && member->doomed;
	if (lingers)
		knell_member_linger(member);
	else
		knell_member_unlink(member);
	raw_spin_unlock_irq(&knell_member_lock);
	if (lingers)
		return true;
	/* One on its way finds out for itself. */
	if (waiting)
		remove_wait_queue(&member->pid->wait_pidfd, &member->wait);
	knell_member_put(member);
	return true;
}

/**
 * knell_member_leave_all() - DEL: nobody is followed any more. May sleep
 * @tree: closed by this; its queue's mutex is held
 */
void knell_member_leave_all(struct knell_tree *tree)
{
	while (knell_member_leave(tree))
		cond_resched();
}

int __init knell_member_init(void)
{
	knell_member_cache = KMEM_CACHE(knell_member, SLAB_ACCOUNT);
	return knell_member_cache ? 0 : -ENOMEM;
}

void knell_member_exit(void)
{
	struct knell_member *member, *next;

	rcu_barrier();
	list_for_each_entry_safe(member, next, &knell_member_pool, link)
		kmem_cache_free(knell_member_cache, member);
	kmem_cache_destroy(knell_member_cache);
}
