// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who killed a tree. KILL signals the members that it finds; one that is being
 * forked meanwhile comes late, and executes itself by the rights of any of those
 * who killed the tree.
 */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/pid.h>
#include <linux/pid_namespace.h>
#include <linux/sched/signal.h>
#include <linux/user_namespace.h>

#include "doom.h"
#include "member.h"
#include "queue.h"
#include "tree.h"

static bool knell_doom_has_cap(const struct knell_doom *doom)
{
	return cap_raised(doom->cred->cap_effective, CAP_KILL);
}

/* As that of another one, as far as KILL goes? */
static bool knell_doom_same(const struct knell_doom *doom, const struct knell_doom *other)
{
	const struct cred *a = doom->cred, *b = other->cred;

	return doom->ns == other->ns && a->user_ns == b->user_ns && uid_eq(a->uid, b->uid) &&
	       uid_eq(a->euid, b->euid) && knell_doom_has_cap(doom) == knell_doom_has_cap(other);
}

/* May he kill all whom any other in @ns may? */
static bool knell_doom_tops(const struct knell_doom *doom, struct pid_namespace *ns)
{
	if (doom->cred->user_ns != &init_user_ns || !knell_doom_has_cap(doom))
		return false;
	while (ns && ns != doom->ns)
		ns = ns->parent;
	return ns;
}

static void knell_doom_put(const struct knell_doom *doom)
{
	put_cred(doom->cred);
	put_pid_ns(doom->ns);
}

/*
 * A place for @new: NULL if one like him is there, or all are taken by others.
 * Many with few rights must not keep out one who has more: @old makes room.
 */
static struct knell_doom *knell_doom_place(struct knell_tree *tree, const struct knell_doom *new,
					   struct knell_doom *old)
{
	struct knell_doom *doom, *end = tree->doom + KNELL_DOOMS;

	for (doom = tree->doom; doom < end; doom++) {
		if (!doom->cred)
			return doom;
		if (knell_doom_same(doom, new))
			return NULL;
	}
	for (doom = tree->doom; doom < end; doom++) {
		if (knell_doom_tops(new, doom->ns)) {
			*old = *doom;
			return doom;
		}
	}
	return NULL;
}

/**
 * knell_doom_add() - SIGKILL is about to be sent to all members. May sleep
 * @tree: its queue's mutex is held
 * @ns: whose pids the killer, current, sees
 *
 * One who has rights over no member is not counted. A tree that nobody has joined
 * yet, or all have left, has nobody to kill.
 */
void knell_doom_add(struct knell_tree *tree, struct pid_namespace *ns)
{
	struct knell_queue *queue = tree->queue;
	struct knell_doom *place = NULL, left = {};
	struct knell_doom doom = {
		.cred = get_current_cred(),
		.ns = get_pid_ns(ns),
		.killer = { .final = true },
	};

	knell_killer_set(&doom.killer, SIGKILL, queue->pid_ns);
	if (knell_member_may_signal(tree, ns)) {
		spin_lock_irq(&queue->lock);
		if (atomic_read(&tree->nr) > 0)
			place = knell_doom_place(tree, &doom, &left);
		if (place)
			*place = doom;
		spin_unlock_irq(&queue->lock);
	}
	if (!place)
		left = doom;
	if (left.cred)
		knell_doom_put(&left);
}

/*
 * With the killer's rights; for security modules, too, it is him who sends. The
 * first process of a pid namespace is safe from signals that come from inside,
 * and this one seems to; but the killer is not there.
 */
static int knell_doom_execute_by(struct knell_member *member, const struct knell_doom *doom)
{
	const struct cred *own = override_creds(doom->cred);
	int err = knell_member_signal(member, SIGKILL, doom->ns);

	/* It was set when the process was made. */
	if (!err && data_race(current->signal->flags) & SIGNAL_UNKILLABLE &&
	    doom->ns != task_active_pid_ns(current))
		kill_pid(member->pid, SIGKILL, 1);
	revert_creds(own);
	return err;
}

/* One of those who killed the tree, to be put; false if there are no more. */
static bool knell_doom_get(struct knell_tree *tree, int i, struct knell_doom *doom)
{
	bool got;

	if (i == KNELL_DOOMS)
		return false;
	spin_lock_irq(&tree->queue->lock);
	*doom = tree->doom[i];
	got = doom->cred;
	if (got) {
		get_cred(doom->cred);
		get_pid_ns(doom->ns);
	}
	spin_unlock_irq(&tree->queue->lock);
	return got;
}

/**
 * knell_doom_execute() - die, if the tree was killed while the fork was under way
 * @member: current, linked before. May sleep
 *
 * Either the killer finds the member, or it finds here that there was a killer.
 */
void knell_doom_execute(struct knell_member *member)
{
	struct knell_tree *tree = member->tree;
	struct knell_doom doom;
	int i, err = -EPERM;

	for (i = 0; err && knell_doom_get(tree, i, &doom); i++) {
		/* If somebody has killed it already, he is to be told. */
		if (data_race(READ_ONCE(current->signal->flags)) & SIGNAL_GROUP_EXIT) {
			knell_doom_put(&doom);
			return;
		}
		err = knell_doom_execute_by(member, &doom);
		if (!err)
			knell_member_blame(member->pid, &doom.killer, tree->queue->pid_ns);
		knell_doom_put(&doom);
	}
}

/**
 * knell_doom_free() - the tree goes. May sleep
 * @tree: which no member is on its way into
 */
void knell_doom_free(struct knell_tree *tree)
{
	int i;

	for (i = 0; i < KNELL_DOOMS && tree->doom[i].cred; i++)
		knell_doom_put(&tree->doom[i]);
}
