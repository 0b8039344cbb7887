/* SPDX-License-Identifier: GPL-2.0-only */
/* A watch: what one ADD makes, and what each kind of watch does in its own way. */
#ifndef _KNELL_WATCH_H
#define _KNELL_WATCH_H

#include <linux/list.h>
#include <linux/refcount.h>
#include <linux/types.h>

#include <linux/knell.h>

struct knell_queue;
struct knell_watch;
struct pid;
struct pid_namespace;
struct user_namespace;

/**
 * struct knell_record - one event on its way to a reader; part of its watch, so
 * that an event needs no memory
 * @node: on the queue's ready or reading list while it is pending, on its
 *	delivered list while @delivered, else empty; queue->lock
 * @watch: whose it is; never changes
 * @seq: order among the queue's records, 0 before the first; queue->lock
 * @time: when it happened, CLOCK_MONOTONIC of the host; queue->lock
 * @ev: enum knell_ev; never changes
 * @evflags: KNELL_EVF_*; queue->lock
 * @delivered: was read, not DELed, and comes again after ATTACH; queue->lock
 */
struct knell_record {
	struct list_head node;
	struct knell_watch *watch;
	u64 seq;
	u64 time;
	u16 ev;
	u16 evflags;
	bool delivered;
};

/* The first four are what KNELL_IOC_LIST tells. */
enum knell_state {
	KNELL_DISARMED,
	KNELL_ARMED,
	KNELL_PENDING,		/* its record is on the queue's ready or reading list */
	KNELL_DELIVERED,	/* OPF_ACK: read, not yet DELed */
	KNELL_DEAD,		/* out of the queue; a hook that still finds it leaves it alone */
};

/* Whose namespaces a record is translated into. */
struct knell_reader {
	struct pid_namespace *pid_ns;
	struct user_namespace *user_ns;
	s64 mono_offset;
};

/**
 * struct knell_watch_ops - a kind of watch
 * @type: enum knell_type
 * @name: for fdinfo
 * @ev: enum knell_ev of @watch.rec
 * @add_flags: KNELL_OPF_* that ADD takes
 * @mod_flags: those of them that MOD takes and replaces
 * @add_size: bytes of the op's union that ADD looks at, the rest must be zero
 * @mod_size: the same for MOD
 * @keeps: outlives the holder of a kept queue
 * @add: arms a new, zeroed watch that has its handle; may fire at once
 * @mod: replaces the schedule, all or nothing, and calls knell_watch_set();
 *	NULL: there is nothing but that
 * @trigger: rings it; NULL: EINVAL
 * @kill: sends a valid signal or 0; NULL: EINVAL
 * @join: enrols the caller, or his thread's next process; NULL: EINVAL
 * @close: the queue's last descriptor is closed, @release comes next; NULL: nothing to do
 * @settle: a record is about to be looked at: false if it was for nothing, then
 *	it is taken back and the watch armed. NULL: none is
 * @fill: writes the union of a record, all of it; may be called again for the same record
 * @consume: the record has been read and is on no list but a private one of the
 *	caller's; sets @rec->delivered if it comes again after ATTACH; returns
 *	false when the watch is done with. NULL: the watch fires once
 * @again: it stays: posts what has come since @fill, true if there was any; NULL: never
 * @unpost: takes back what is pending or delivered beside @watch.rec; NULL: there is nothing else
 * @release: lets go of all it holds, unless @bare; no hook touches the watch after it
 * @pid: for LIST, in @ns; NULL: none
 * @value: for LIST
 * @label: for LIST, a string of at most 63 bytes; NULL: none
 * @target: the process it is about, NULL if there is none, or not any more; NULL: never
 * @bytes: memory that it takes beside itself; NULL: none
 *
 * @add, @mod, @trigger, @kill, @join, @close and @release are called in process
 * context with queue->mutex held and without queue->lock, and may sleep. @settle
 * is called with both, and may drop queue->lock and take it again. @fill,
 * @consume, @again, @unpost, @pid, @value, @label and @target are called with queue->lock
 * held, @bytes with queue->mutex.
 */
struct knell_watch_ops {
	u16 type;
	u16 ev;
	const char *name;
	u32 add_flags;
	u32 mod_flags;
	size_t add_size;
	size_t mod_size;
	bool keeps;
	int (*add)(struct knell_watch *watch, const struct knell_op *op);
	int (*mod)(struct knell_watch *watch, const struct knell_op *op);
	void (*trigger)(struct knell_watch *watch, u64 value);
	int (*kill)(struct knell_watch *watch, int sig);
	int (*join)(struct knell_watch *watch, bool next);
	void (*close)(struct knell_watch *watch);
	bool (*settle)(struct knell_watch *watch);
	void (*fill)(struct knell_watch *watch, struct knell_record *rec, struct knell_event *ev,
		     const struct knell_reader *reader);
	bool (*consume)(struct knell_watch *watch, struct knell_record *rec);
	bool (*again)(struct knell_watch *watch);
	void (*unpost)(struct knell_watch *watch);
	void (*release)(struct knell_watch *watch);
	pid_t (*pid)(struct knell_watch *watch, struct pid_namespace *ns);
	u64 (*value)(struct knell_watch *watch);
	const char *(*label)(struct knell_watch *watch);
	struct pid *(*target)(struct knell_watch *watch);
	size_t (*bytes)(struct knell_watch *watch);
};

/**
 * struct knell_watch - what all kinds share; embedded first in each
 * @ops: its kind
 * @queue: whose it is
 * @rec: its record, pending while the watch is PENDING; the last one, if its
 *	kind has more. @rec.node is on the spare list once recycled; queue->mutex
 * @token: comes back in each record; queue->lock
 * @handle: never changes
 * @flags: KNELL_OPF_*; queue->mutex and queue->lock to write, either to read
 * @state: enum knell_state; queue->lock
 * @bare: @ops->release has nothing to do; queue->lock
 * @refs: the queue's table holds one, a fork under way another
 */
struct knell_watch {
	const struct knell_watch_ops *ops;
	struct knell_queue *queue;
	struct knell_record rec;
	u64 token;
	u32 handle;
	u32 flags;
	u8 state;
	bool bare;
	refcount_t refs;
};

/* Room for a watch of any kind: one size, so that any ADD can take any spare. */
#define KNELL_WATCH_SIZE	216

/**
 * struct knell_table - the watches of a queue by handle; queue->mutex
 * @slots: a watch is in slot handle % size, and nowhere else
 * @size: 0 or a power of two, at least twice @nr
 * @nr: watches
 * @last: the handle given last
 * @generation: counts watches that came and went; never 0
 */
struct knell_table {
	struct knell_watch **slots;
	u32 size;
	u32 nr;
	u32 last;
	u32 generation;
};

extern const struct knell_watch_ops knell_process_ops;
extern const struct knell_watch_ops knell_timer_ops;
extern const struct knell_watch_ops knell_user_ops;
extern const struct knell_watch_ops knell_fd_ops;
extern const struct knell_watch_ops knell_tree_ops;
extern const struct knell_watch_ops knell_children_ops;

const struct knell_watch_ops *knell_watch_ops(u16 type);
void knell_record_init(struct knell_record *rec, struct knell_watch *watch, u16 ev);
struct knell_watch *knell_watch_new(struct knell_queue *queue, const struct knell_watch_ops *ops);
struct knell_watch *knell_watch_next(struct knell_queue *queue, u32 *slot);
struct knell_watch *knell_watch_find(struct knell_queue *queue, u32 handle);
void knell_watch_set(struct knell_watch *watch, const struct knell_op *op);
void knell_watch_remove(struct knell_watch *watch);
void knell_watch_drop(struct knell_queue *queue, struct list_head *dead);
void knell_watch_put(struct knell_watch *watch);
void knell_watch_shed(struct knell_queue *queue);
void knell_watch_exit_queue(struct knell_queue *queue);

int knell_watch_init(void);
void knell_watch_exit(void);

#endif /* _KNELL_WATCH_H */
