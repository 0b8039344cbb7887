/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What backend_kernel.c and kernel_source.c share. */
#ifndef KNELL_BACKEND_KERNEL_H
#define KNELL_BACKEND_KERNEL_H

#include <linux/knell.h>

#include "internal.h"

#define TOKEN_OWN	(UINT64_C(1) << 63)
#define TOKEN(sort, nr)	(TOKEN_OWN | (uint64_t)(sort) << 32 | (uint32_t)(nr))

enum sort {
	SORT_BELL,
	SORT_CLOCK,		/* heap; MONOTONIC: for flush() */
	SORT_READ,		/* descriptor */
	SORT_WRITE,
	SORT_SOURCE,		/* slot */
};

/* Who a source's token means. */
struct slot {
	struct source *source;	/* NULL: free */
	uint32_t next;		/* free one */
};

#define NO_SLOT		UINT32_MAX

struct kernel {
	int fd;
	uint32_t bell;			/* never changes: ring() reads it anywhere */
	struct knell_event *ev;		/* l->batch of them */
	struct knell_op *op;		/* to be told, KNELL_MAX_OPS at most */
	unsigned int nr_ops;
	struct slot *slot;
	uint32_t nr_slots, free_slot;
	uint32_t clock[HEAPS];		/* handles, 0: none yet */
	uint64_t set[HEAPS];		/* what they are set to; KNELL_NEVER */
	uint64_t drain;			/* records that are pending since children_look() */
	bool heard;			/* something is ready that no record told: don't sleep */
	bool rung;			/* by flush(), and not read yet */
	int err;			/* of an op that nobody waited for: the queue is no more */
};

static inline struct kernel *kernel_of(const struct knell_loop *l)
{
	return l->backend;
}

/* Another op, zero, that goes with the next look. */
struct knell_op *kernel_op(struct knell_loop *l);
/* Ops at once, behind what was to be told before. Sets each result; 0 or the call's error. */
int kernel_now(struct knell_loop *l, struct knell_op *ops, unsigned int nr);
void kernel_del(struct knell_loop *l, uint32_t watch);

/* kernel_source.c */
void kernel_heard_source(struct knell_loop *l, const struct knell_event *ev);
int kernel_child_watch(struct knell_loop *l, struct source *s);
int kernel_children_watch(struct knell_loop *l, struct source *s);
void kernel_child_unwatch(struct knell_loop *l, struct source *s);
int kernel_child_kill(struct knell_loop *l, struct source *s, int sig);
pid_t kernel_child_pid(struct knell_loop *l, struct source *s);
int kernel_tree_watch(struct knell_loop *l, struct source *s, const char *label);
int kernel_tree_join(struct knell_loop *l, struct source *s, unsigned int flags);

#endif /* KNELL_BACKEND_KERNEL_H */
