/* SPDX-License-Identifier: GPL-2.0-only */
/* Members: which process is in which tree. */
#ifndef _KNELL_MEMBER_H
#define _KNELL_MEMBER_H

#include <linux/list.h>
#include <linux/refcount.h>
#include <linux/types.h>
#include <linux/wait.h>

#include "reserve.h"

struct kernel_siginfo;
struct knell_tree;
struct pid;
struct pid_namespace;
struct task_struct;

/* Trees that a process may be in at a time. */
#define KNELL_MEMBERSHIPS	4

/**
 * struct knell_member - a process in a tree; one that is in several has several
 * @node: by @pid; written under knell_member_lock, read under RCU
 * @link: in the tree's list while @linked; the same
 * @wait: in @pid's wait queue while it lives; that queue's lock
 * @pid: of its thread group, referenced
 * @parent: of the thread group that forked it, referenced; NULL if it joined
 * @tree: whose; valid while it is linked or on its way
 * @killer: who sent the deadly signal; its siglock
 * @work: brings a new process to knell_member_settle()
 * @rcu: frees it, thereafter
 * @refill: makes the parent replace what it took from the pool
 * @refs: one while linked, one while on its way, one for @refill
 * @linked: it is found by others; knell_member_lock to write
 * @waiting: @wait has been linked; knell_member_lock
 * @main: the tree's first
 * @dead: its parent can reap it
 * @doomed: it has been sent SIGKILL by the tree's; queue->mutex
 * @lingers: it is linked though the tree is closed, until it dies, and holds the
 *	tree; knell_member_lock
 */
struct knell_member {
	struct hlist_node node;
	struct list_head link;
	struct wait_queue_entry wait;
	struct pid *pid;
	struct pid *parent;
	struct knell_tree *tree;
	struct knell_killer killer;
	union {
		struct callback_head work;
		struct rcu_head rcu;
	};
	struct callback_head refill;
	refcount_t refs;
	bool linked;
	bool waiting;
	bool main;
	bool dead;
	bool doomed;
	bool lingers;
};

struct knell_member *knell_member_new(struct knell_tree *tree);
void knell_member_put(struct knell_member *member);
int knell_member_may_join(const struct knell_tree *tree, struct pid *pid, unsigned int more);
bool knell_member_enter(struct knell_member *member, struct pid *pid);
void knell_member_settle(struct knell_member *member);
void knell_member_blame(struct pid *pid, const struct knell_killer *killer,
			const struct pid_namespace *ns);
bool knell_member_may_signal(struct knell_tree *tree, struct pid_namespace *ns);
int knell_member_signal(struct knell_member *member, int sig, struct pid_namespace *ns);
int knell_member_signal_all(struct knell_tree *tree, int sig, struct pid_namespace *ns);
void knell_member_leave_all(struct knell_tree *tree);
int knell_member_fill_pool(void);
u32 knell_member_generation(const struct knell_tree *tree);
unsigned int knell_member_pids(struct knell_tree *tree, struct pid **pids, unsigned int max);

/* probe.c's */
void knell_member_fork(struct task_struct *parent, struct task_struct *child);
void knell_member_signalled(int sig, const struct kernel_siginfo *info, struct task_struct *task,
			    int result);

int knell_member_init(void);
void knell_member_exit(void);

#endif /* _KNELL_MEMBER_H */
