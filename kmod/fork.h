/* SPDX-License-Identifier: GPL-2.0-only */
/* The calling thread's next process: OPF_NEXT. */
#ifndef _KNELL_FORK_H
#define _KNELL_FORK_H

#include <linux/list.h>
#include <linux/types.h>

struct pid;
struct task_struct;

/**
 * struct knell_next - waits for the process that a thread will make next
 * @node: in the hash of threads that wait to fork
 * @parent: the thread; pinned
 * @exec_id: its process's when it began to wait: what execve(2) makes of it has no
 *	part in this
 * @born: called by the parent inside fork, preemption off: no sleeping, no
 *	spinlock_t, no allocation. The child cannot run yet
 * @enrol: called by the child before its first user instruction, or before it
 *	exits if it is killed first; process context, may sleep. The last
 *	that fork.c does with this object
 * @work: brings the child to @enrol
 */
struct knell_next {
	struct hlist_node node;
	struct pid *parent;
	u64 exec_id;
	void (*born)(struct knell_next *next, struct pid *child);
	void (*enrol)(struct knell_next *next);
	struct callback_head work;
};

int knell_next_arm(struct knell_next *next);
bool knell_next_vain(const struct knell_next *next);
bool knell_next_disarm(struct knell_next *next);
bool knell_next_armed(void (*born)(struct knell_next *next, struct pid *child));

void knell_next_fork(struct task_struct *parent, struct task_struct *child);

#endif /* _KNELL_FORK_H */
