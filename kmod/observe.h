/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The tap: what happens in queues, for those who only look on. Each place where
 * something happens calls one function here, which tells all observers; while
 * there are none it costs a no-op instruction for each. Nothing's correctness
 * depends on an observer: it may not sleep, allocate, wake or fail.
 */
#ifndef _KNELL_OBSERVE_H
#define _KNELL_OBSERVE_H

#include <linux/types.h>

#include "blackbox.h"
#include "death.h"
#include "monitor.h"
#include "reserve.h"
#include "watch.h"

struct task_struct;

/**
 * struct knell_exit - an EXIT that has become pending; valid during the call
 * @rec: its record, which has the watch, when it was and KNELL_EVF_*
 * @task: the dead leader, under RCU
 * @death: what is left of it
 * @killer: with EVF_KILLER: who sent the deadly signal; else undefined
 * @label: of the tree, or knell_no_label: 64 bytes
 * @members: TREE: left after it; others: 0
 */
struct knell_exit {
	const struct knell_record *rec;
	const struct task_struct *task;
	const struct knell_death *death;
	const struct knell_killer *killer;
	const char *label;
	u32 members;
};

/* Of what has none; as long as one. */
extern const char knell_no_label[sizeof_field(struct knell_op, tree.label)];

#include "trace.h"

/**
 * knell_observe_add() - an ADD
 * @watch: has all that all kinds share; not armed yet. Its queue's mutex is held
 */
static inline void knell_observe_add(const struct knell_watch *watch)
{
	trace_knell_watch_add(watch);
}

/**
 * knell_observe_del() - a watch has left its queue
 * @watch: its queue's mutex is held
 */
static inline void knell_observe_del(const struct knell_watch *watch)
{
	trace_knell_watch_del(watch);
}

/**
 * knell_observe_fire() - a record has become pending
 * @rec: its queue's lock is held. Any context
 */
static inline void knell_observe_fire(const struct knell_record *rec)
{
	trace_knell_watch_fire(rec);
	if (rec->ev == KNELL_EV_EMPTY && knell_monitored())
		knell_monitor_empty(rec);
}

/**
 * knell_observe_deliver() - a record has been read
 * @rec: its queue's mutex and lock are held; not consumed yet
 */
static inline void knell_observe_deliver(const struct knell_record *rec)
{
	trace_knell_watch_deliver(rec);
}

/* Out of what is hot: there is seldom one. */
static inline void knell_observe_exit_struct(const struct knell_exit *exit)
{
	trace_knell_exit(exit);
	if (knell_monitored())
		knell_monitor_exit(exit);
}

/**
 * knell_observe_exit() - whose death has become pending
 * @rec: these are as in struct knell_exit. Its queue's lock is held, by a hook,
 *	under RCU. Any context in which a wait queue is woken
 * @task: who
 * @death: what is left of it
 * @killer: by whom
 * @label: of the tree
 * @members: of it
 *
 * The black box gets them in registers: to put them together and take them apart
 * again would be a quarter of what it costs.
 */
static inline void knell_observe_exit(const struct knell_record *rec,
				      const struct task_struct *task,
				      const struct knell_death *death,
				      const struct knell_killer *killer, const char *label,
				      u32 members)
{
	if (trace_knell_exit_enabled() || knell_monitored())
		knell_observe_exit_struct(&(struct knell_exit){
			.rec = rec,
			.task = task,
			.death = death,
			.killer = killer,
			.label = label,
			.members = members,
		});
	if (knell_box_on())
		knell_box_exit(rec, task, death, killer, label, members);
}

/**
 * knell_observe_death() - the same of a watch that knows no more than who has died
 * @rec: its EXIT
 * @task: the dead leader
 * @death: what is left of it
 */
static inline void knell_observe_death(const struct knell_record *rec,
				       const struct task_struct *task,
				       const struct knell_death *death)
{
	knell_observe_exit(rec, task, death, NULL, knell_no_label, 0);
}

/**
 * knell_observe_keep() - a queue is kept
 * @queue: its mutex is held
 * @name: a string of at most 63 bytes
 */
static inline void knell_observe_keep(const struct knell_queue *queue, const char *name)
{
	trace_knell_queue_keep(queue, name);
	if (knell_monitored())
		knell_monitor_keep(queue, name);
}

/**
 * knell_observe_attach() - a kept queue has a new holder, current
 * @queue: its mutex is held
 * @name: a string of at most 63 bytes
 */
static inline void knell_observe_attach(const struct knell_queue *queue, const char *name)
{
	trace_knell_queue_attach(queue, name);
	if (knell_monitored())
		knell_monitor_attach(queue, name);
}

/**
 * knell_observe_lost() - a report has found no place
 * @watch: a TREE or CHILDREN; its queue's lock is held. Any context
 * @lost: how many that nobody has been told of
 */
static inline void knell_observe_lost(const struct knell_watch *watch, u32 lost)
{
	trace_knell_lost(watch, lost);
}

#endif /* _KNELL_OBSERVE_H */
