/* SPDX-License-Identifier: GPL-2.0-only */
/* A tree: a process and all that it forks. */
#ifndef _KNELL_TREE_H
#define _KNELL_TREE_H

#include <linux/atomic.h>
#include <linux/list.h>
#include <linux/rcupdate.h>
#include <linux/refcount.h>
#include <linux/uidgid.h>
#include <linux/workqueue.h>

#include "death.h"
#include "doom.h"
#include "reserve.h"
#include "watch.h"

struct knell_member;
struct pid;
struct user_namespace;

/* @nr once the last member has left. */
#define KNELL_TREE_ENDED	(-1)

/**
 * struct knell_tree - what the watch of a tree is about; outlives it by the
 * children that are on their way
 * @queue: referenced
 * @watch: NULL once it is DELed or over; queue->lock
 * @members: those linked; written under knell_member_lock, read under RCU
 * @lingering: those linked after DEL, because they have been killed and are not
 *	dead; knell_member_lock
 * @joins: OPF_NEXT JOINs whose child has yet to settle; tree.c's lock
 * @generation: counts members linked and unlinked; knell_member_lock to write
 * @closed: DELed: nobody is linked any more; knell_member_lock
 * @pins: it holds the module, for those lingering; knell_member_lock
 * @inexact: a child could not be followed; set once
 * @nr: members, those on their way too; 0 before the first, then at least 1,
 *	then KNELL_TREE_ENDED
 * @main: the first member, referenced; set once, by who raised @nr from 0
 * @doom: who killed it; queue->lock
 * @exit: the main process's, its pid referenced by @main; queue->lock
 * @reserve: for FORK and EXIT of others; queue->lock
 * @euid: who added the tree
 * @trusted_ns: in which he may know how anybody ends, referenced; NULL: nowhere
 * @refs: the watch's, and one for each child on its way or lingering
 * @work: frees it, if the last reference goes in a hook
 * @rcu: hooks may still look at it
 * @label: for LIST
 */
struct knell_tree {
	struct knell_queue *queue;
	struct knell_watch *watch;
	struct list_head members;
	struct list_head lingering;
	struct list_head joins;
	u32 generation;
	bool closed;
	bool pins;
	bool inexact;
	atomic_t nr;
	struct pid *main;
	struct knell_doom doom[KNELL_DOOMS];
	struct knell_report exit;
	struct knell_reserve reserve;
	kuid_t euid;
	struct user_namespace *trusted_ns;
	refcount_t refs;
	struct work_struct work;
	struct rcu_head rcu;
	char label[sizeof_field(struct knell_op, tree.label)];
};

struct knell_tree *knell_tree_of(struct knell_watch *watch);
bool knell_tree_enter(struct knell_tree *tree, bool *first);
void knell_tree_forked(struct knell_member *member);
void knell_tree_exited(struct knell_member *member, struct task_struct *task);
void knell_tree_linger(struct knell_tree *tree);
void knell_tree_put(struct knell_tree *tree);
void knell_tree_put_atomic(struct knell_tree *tree);

int knell_tree_init(void);
void knell_tree_exit(void);

#endif /* _KNELL_TREE_H */
