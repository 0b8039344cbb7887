// SPDX-License-Identifier: LGPL-2.1-or-later
/* Processes, trees and all children as watches of the kernel's queue. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "backend_kernel.h"

static int slot_new(struct kernel *k, struct source *s)
{
	struct slot *slot;
	uint32_t nr = k->nr_slots ? 2 * k->nr_slots : 16;

	if (k->free_slot == NO_SLOT) {
		slot = reallocarray(k->slot, nr, sizeof(*slot));
		if (!slot)
			return -ENOMEM;
		for (uint32_t i = k->nr_slots; i < nr; i++)
			slot[i] = (struct slot){ NULL, i + 1 < nr ? i + 1 : NO_SLOT };
		k->free_slot = k->nr_slots;
		k->slot = slot;
		k->nr_slots = nr;
	}
	s->slot = k->free_slot;
	k->free_slot = k->slot[s->slot].next;
	k->slot[s->slot].source = s;
	return 0;
}

static void slot_free(struct kernel *k, struct source *s)
{
	k->slot[s->slot] = (struct slot){ NULL, k->free_slot };
	k->free_slot = s->slot;
}

/* The kernel has nothing of it any more. */
static void source_gone(struct knell_loop *l, struct source *s)
{
	slot_free(kernel_of(l), s);
	s->watch = 0;
	l->armed--;
}

/* The first op is an ADD, a second one is a JOIN of what it has made. */
static int source_watch(struct knell_loop *l, struct source *s, struct knell_op *ops,
			unsigned int nr)
{
	struct kernel *k = kernel_of(l);
	int err = slot_new(k, s);

	if (err)
		return err;
	ops[0].token = TOKEN(SORT_SOURCE, s->slot);
	err = kernel_now(l, ops, nr);
	if (!err && ops[0].result < 0)
		err = ops[0].result;
	else if (!err && ops[nr - 1].result < 0) {
		err = ops[nr - 1].result;
		kernel_del(l, ops[0].watch);
	}
	if (err) {
		slot_free(k, s);
		return err;
	}
	s->watch = ops[0].watch;
	l->armed++;
	return 0;
}

static int tree_watch(struct knell_loop *l, struct source *s, const char *label, uint32_t flags,
		      bool next)
{
	/* If there is no tree there is no KNELL_LAST, and nobody joins. */
	struct knell_op ops[] = {
		{ .op = KNELL_OP_ADD, .type = KNELL_TREE, .flags = flags },
		{ .op = KNELL_OP_JOIN, .flags = KNELL_OPF_NEXT, .watch = KNELL_LAST },
	};

	strncpy(ops[0].tree.label, label, sizeof(ops[0].tree.label) - 1);
	return source_watch(l, s, ops, next ? 2 : 1);
}

int kernel_tree_watch(struct knell_loop *l, struct source *s, const char *label)
{
	uint32_t flags = (s->flags & KNELL_TREE_REPORT_FORK ? KNELL_OPF_REPORT_FORK : 0) |
			 (s->flags & KNELL_TREE_REPORT_EXIT ? KNELL_OPF_REPORT_EXIT : 0) |
			 (s->flags & KNELL_TREE_KILL_ON_CLOSE ? KNELL_OPF_KILL_ON_CLOSE : 0);

	return tree_watch(l, s, label, flags, s->flags & KNELL_TREE_NEXT);
}

int kernel_child_watch(struct knell_loop *l, struct source *s)
{
	struct knell_op op = { .op = KNELL_OP_ADD, .type = KNELL_PROCESS };

	if (s->flags & KNELL_CHILD_SUBTREE)
		return tree_watch(l, s, "", 0, true);
	if (s->flags & KNELL_CHILD_NEXT)
		op.flags = KNELL_OPF_NEXT;
	op.process.pid = s->pid;
	return source_watch(l, s, &op, 1);
}

int kernel_children_watch(struct knell_loop *l, struct source *s)
{
	struct knell_op op = { .op = KNELL_OP_ADD, .type = KNELL_CHILDREN };

	return source_watch(l, s, &op, 1);
}

void kernel_child_unwatch(struct knell_loop *l, struct source *s)
{
	struct knell_op op = { .op = KNELL_OP_DEL, .watch = s->watch };
	bool next = s->kind == SOURCE_CHILD ? s->flags & KNELL_CHILD_NEXT :
		    s->kind == SOURCE_TREE && s->flags & KNELL_TREE_NEXT;

	if (!s->watch)
		return;
	/*
	 * The thread's next process shall not run into it; nor shall it take an end from all
	 * children's watch that nobody will hear of.
	 */
	if ((next && s->pid <= 0) || (s->kind == SOURCE_CHILD && l->sources.children))
		kernel_now(l, &op, 1);
	else
		kernel_del(l, s->watch);
	source_gone(l, s);
}

/* Result, or the call's error. */
static int op_now(struct knell_loop *l, struct knell_op *op)
{
	int err = kernel_now(l, op, 1);

	return err ? err : op->result;
}

int kernel_child_kill(struct knell_loop *l, struct source *s, int sig)
{
	struct knell_op op = { .op = KNELL_OP_KILL, .watch = s->watch };

	op.kill.sig = sig;
	return op_now(l, &op);
}

int kernel_tree_join(struct knell_loop *l, struct source *s, unsigned int flags)
{
	struct knell_op op = {
		.op = KNELL_OP_JOIN,
		.flags = flags & KNELL_TREE_NEXT ? KNELL_OPF_NEXT : 0,
		.watch = s->watch,
	};

	return op_now(l, &op);
}

/* LIST does not tell who a tree's first process is. */
pid_t kernel_child_pid(struct knell_loop *l, struct source *s)
{
	struct knell_watch_info info = { 0 };
	struct knell_list list = {
		.watches = (uintptr_t)&info, .nr = 1, .after = s->watch - 1,
	};

	l->stats.count.syscalls++;
	if (ioctl(kernel_of(l)->fd, KNELL_IOC_LIST, &list) < 0 || !list.nr ||
	    info.watch != s->watch)
		return 0;
	if (info.type == KNELL_PROCESS)
		return info.pid;
	return info.value || info.state > 1 ? -1 : 0;
}

static void fill_child(struct knell_child *c, const struct knell_event *ev)
{
	static const struct { uint16_t theirs; uint32_t ours; } flags[] = {
		{ KNELL_EVF_NOSTATUS, KNELL_CHILDF_NOSTATUS },
		{ KNELL_EVF_MAIN, KNELL_CHILDF_MAIN },
		{ KNELL_EVF_REDELIVERED, KNELL_CHILDF_REDELIVERED },
		{ KNELL_EVF_KILLER, KNELL_CHILDF_KILLER },
		{ KNELL_EVF_OOM, KNELL_CHILDF_OOM },
	};

	*c = (struct knell_child){
		.pid = ev->exit.pid,
		.uid = ev->exit.uid,
		.killer_pid = ev->exit.killer_pid,
		.killer_uid = ev->exit.killer_uid,
		.members = ev->exit.members,
		.seq = ev->seq,
		.exit_ns = ev->time_ns,
		.start_ns = ev->exit.start_ns,
		.utime_ns = ev->exit.utime_ns,
		.stime_ns = ev->exit.stime_ns,
		.maxrss_kb = ev->exit.maxrss_kb,
		.minflt = ev->exit.minflt,
		.majflt = ev->exit.majflt,
		.nvcsw = ev->exit.nvcsw,
		.nivcsw = ev->exit.nivcsw,
		.cgroup_id = ev->exit.cgroup_id,
	};
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
		c->flags |= ev->flags & flags[i].theirs ? flags[i].ours : 0;
	if (ev->flags & KNELL_EVF_NOSTATUS)
		return;
	c->flags |= KNELL_CHILDF_USAGE;
	child_set_status(c, ev->exit.status);
}

static void heard_child(struct knell_loop *l, struct source *s, const struct knell_event *ev,
			uint64_t when)
{
	struct knell_child end;

	if (ev->type == KNELL_EV_EMPTY) {
		source_gone(l, s);
		child_emptied(l, s, when);
		return;
	}
	fill_child(&end, ev);
	if (!(s->flags & KNELL_CHILD_SUBTREE))
		source_gone(l, s);
	child_ended(l, s, &end, when);
}

static void heard_children(struct knell_loop *l, const struct knell_event *ev, uint64_t when)
{
	struct knell_child end;

	if (ev->type == KNELL_EV_LOST) {
		l->stats.count.lost += ev->tree.lost;
		l->sources.rescan = true;
		return;
	}
	fill_child(&end, ev);
	children_ended(l, &end, when);
}

static void heard_tree(struct knell_loop *l, struct source *s, const struct knell_event *ev,
		       uint64_t when)
{
	/* There is memory, or else the record would not have been taken. */
	struct news *n = news_new(l, s, when);
	bool last = ev->type == KNELL_EV_EMPTY;

	if (!n)
		return;
	n->tree = (struct knell_tree){
		.what = ev->type == KNELL_EV_EXIT ? KNELL_TREE_EXIT :
			ev->type == KNELL_EV_FORK ? KNELL_TREE_FORK :
			ev->type == KNELL_EV_LOST ? KNELL_TREE_LOST : KNELL_TREE_EMPTY,
		.inexact = ev->flags & KNELL_EVF_INEXACT,
	};
	if (ev->type == KNELL_EV_EXIT) {
		fill_child(&n->tree.exit, ev);
		children_note(l, &n->tree.exit);
	} else {
		n->tree.pid = ev->tree.pid;
		n->tree.ppid = ev->tree.ppid;
		n->tree.members = ev->tree.members;
		n->tree.lost = ev->tree.lost;
		l->stats.count.lost += ev->tree.lost;
	}
	if (last)
		source_gone(l, s);
	news_tell(l, s, n, last);
}

void kernel_heard_source(struct knell_loop *l, const struct knell_event *ev)
{
	uint64_t when = clock_from_raw(l, ev->time_ns);
	struct kernel *k = kernel_of(l);
	uint32_t nr = (uint32_t)ev->token;
	struct source *s = nr < k->nr_slots ? k->slot[nr].source : NULL;

	if (!s || s->watch != ev->watch)
		return;
	switch (s->kind) {
	case SOURCE_CHILD:
		heard_child(l, s, ev, when);
		break;
	case SOURCE_CHILDREN:
		heard_children(l, ev, when);
		break;
	case SOURCE_TREE:
		heard_tree(l, s, ev, when);
		break;
	case SOURCE_RECORD:
		break;
	}
}
