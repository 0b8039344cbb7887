/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tracepoints knell:*, for perf and trace-cmd; knell(4) tells what they mean. While
 * they are off each is a no-op instruction; observe.h calls them. pids and uids
 * are those of the initial namespaces, times CLOCK_MONOTONIC of the host. No field
 * is followed by padding, and text is zero to its end: nobody clears the buffer.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM knell

#if !defined(_KNELL_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _KNELL_TRACE_H

#include <linux/timekeeping.h>
#include <linux/tracepoint.h>

#include "queue.h"
#include "watch.h"

struct knell_exit;

/* 5.10 shows the size of an array as it is spelt here. */
#define KNELL_TRACE_TEXT	64

TRACE_DEFINE_ENUM(KNELL_PROCESS);
TRACE_DEFINE_ENUM(KNELL_TIMER);
TRACE_DEFINE_ENUM(KNELL_USER);
TRACE_DEFINE_ENUM(KNELL_FD);
TRACE_DEFINE_ENUM(KNELL_TREE);
TRACE_DEFINE_ENUM(KNELL_CHILDREN);
TRACE_DEFINE_ENUM(KNELL_EV_EXIT);
TRACE_DEFINE_ENUM(KNELL_EV_TIMER);
TRACE_DEFINE_ENUM(KNELL_EV_USER);
TRACE_DEFINE_ENUM(KNELL_EV_FD);
TRACE_DEFINE_ENUM(KNELL_EV_EMPTY);
TRACE_DEFINE_ENUM(KNELL_EV_FORK);
TRACE_DEFINE_ENUM(KNELL_EV_LOST);

#define knell_show_type(type)			\
	__print_symbolic(type,			\
		{ KNELL_PROCESS, "process" },	\
		{ KNELL_TIMER, "timer" },	\
		{ KNELL_USER, "user" },		\
		{ KNELL_FD, "fd" },		\
		{ KNELL_TREE, "tree" },		\
		{ KNELL_CHILDREN, "children" })

#define knell_show_ev(ev)			\
	__print_symbolic(ev,			\
		{ KNELL_EV_EXIT, "exit" },	\
		{ KNELL_EV_TIMER, "timer" },	\
		{ KNELL_EV_USER, "user" },	\
		{ KNELL_EV_FD, "fd" },		\
		{ KNELL_EV_EMPTY, "empty" },	\
		{ KNELL_EV_FORK, "fork" },	\
		{ KNELL_EV_LOST, "lost" })

DECLARE_EVENT_CLASS(knell_watch,
		    TP_PROTO(const struct knell_watch *watch),
		    TP_ARGS(watch),
		    TP_STRUCT__entry(__field(u64, queue)
				     __field(u32, watch)
				     __field(u32, flags)
				     __field(u64, type)),
		    TP_fast_assign(__entry->queue = watch->queue->id;
				   __entry->watch = watch->handle;
				   __entry->flags = watch->flags;
				   __entry->type = watch->ops->type;),
		    TP_printk("queue=%llu watch=%u type=%s flags=0x%x", __entry->queue,
			      __entry->watch, knell_show_type(__entry->type), __entry->flags)
);

/* An ADD; if it is refused after all, the watch's del follows at once. */
DEFINE_EVENT(knell_watch, knell_watch_add,
	     TP_PROTO(const struct knell_watch *watch),
	     TP_ARGS(watch)
);

/* It has left its queue: by DEL, because it was done with, or with the queue. */
DEFINE_EVENT(knell_watch, knell_watch_del,
	     TP_PROTO(const struct knell_watch *watch),
	     TP_ARGS(watch)
);

DECLARE_EVENT_CLASS(knell_record,
		    TP_PROTO(const struct knell_record *rec),
		    TP_ARGS(rec),
		    TP_STRUCT__entry(__field(u64, queue)
				     __field(u64, seq)
				     __field(u64, age)
				     __field(u32, watch)
				     __field(u32, type)
				     __field(u32, ev)
				     __field(u32, flags)),
		    TP_fast_assign(__entry->queue = rec->watch->queue->id;
				   __entry->seq = rec->seq;
				   __entry->age = ktime_get_mono_fast_ns() - rec->time;
				   __entry->watch = rec->watch->handle;
				   __entry->type = rec->watch->ops->type;
				   __entry->ev = rec->ev;
				   __entry->flags = rec->evflags;),
		    TP_printk("queue=%llu watch=%u type=%s ev=%s seq=%llu flags=0x%x age=%lluns",
			      __entry->queue, __entry->watch, knell_show_type(__entry->type),
			      knell_show_ev(__entry->ev), __entry->seq, __entry->flags,
			      __entry->age)
);

/* A record has become pending; what folds into one that is pending is not told. */
DEFINE_EVENT(knell_record, knell_watch_fire,
	     TP_PROTO(const struct knell_record *rec),
	     TP_ARGS(rec)
);

/* A reader has it; age is how long it took since it happened. */
DEFINE_EVENT(knell_record, knell_watch_deliver,
	     TP_PROTO(const struct knell_record *rec),
	     TP_ARGS(rec)
);

/* An EXIT has become pending, and this is whose. */
TRACE_EVENT(knell_exit,
	    TP_PROTO(const struct knell_exit *exit),
	    TP_ARGS(exit),
	    TP_STRUCT__entry(__field(u64, queue)
			     __field(u32, watch)
			     __field(pid_t, pid)
			     __field(u32, uid)
			     __field(s32, status)
			     __field(u64, flags)
			     __array(char, comm, TASK_COMM_LEN)
			     __array(char, label, KNELL_TRACE_TEXT)),
	    TP_fast_assign(__entry->queue = exit->rec->watch->queue->id;
			   __entry->watch = exit->rec->watch->handle;
			   __entry->pid = exit->death->nr;
			   __entry->uid = __kuid_val(exit->death->uid);
			   __entry->status = exit->death->status;
			   __entry->flags = exit->rec->evflags;
			   memcpy(__entry->comm, exit->task->comm, TASK_COMM_LEN);
			   strscpy_pad(__entry->label, exit->label, sizeof(__entry->label));),
	    TP_printk("queue=%llu watch=%u pid=%d comm=%s uid=%u status=0x%x flags=0x%llx label=%s",
		      __entry->queue, __entry->watch, __entry->pid, __entry->comm,
		      __entry->uid, __entry->status, __entry->flags, __entry->label)
);

DECLARE_EVENT_CLASS(knell_queue,
		    TP_PROTO(const struct knell_queue *queue, const char *name),
		    TP_ARGS(queue, name),
		    TP_STRUCT__entry(__field(u64, queue)
				     __field(u32, watches)
				     __field(u32, pending)
				     __array(char, name, KNELL_TRACE_TEXT)),
		    TP_fast_assign(__entry->queue = queue->id;
				   __entry->watches = queue->table.nr;
				   /* without the lock: old as soon as it is told */
				   __entry->pending = data_race(queue->pending);
				   strscpy_pad(__entry->name, name, sizeof(__entry->name));),
		    TP_printk("queue=%llu name=%s watches=%u pending=%u", __entry->queue,
			      __entry->name, __entry->watches, __entry->pending)
);

/* It outlives its holder from here on; by whom is in the event's common fields. */
DEFINE_EVENT(knell_queue, knell_queue_keep,
	     TP_PROTO(const struct knell_queue *queue, const char *name),
	     TP_ARGS(queue, name)
);

/* It has a new holder. */
DEFINE_EVENT(knell_queue, knell_queue_attach,
	     TP_PROTO(const struct knell_queue *queue, const char *name),
	     TP_ARGS(queue, name)
);

/* A report of a TREE or of CHILDREN has found no place; lost: that no LOST has told. */
TRACE_EVENT(knell_lost,
	    TP_PROTO(const struct knell_watch *watch, u32 lost),
	    TP_ARGS(watch, lost),
	    TP_STRUCT__entry(__field(u64, queue)
			     __field(u32, watch)
			     __field(u32, lost)
			     __field(u64, type)),
	    TP_fast_assign(__entry->queue = watch->queue->id;
			   __entry->watch = watch->handle;
			   __entry->lost = lost;
			   __entry->type = watch->ops->type;),
	    TP_printk("queue=%llu watch=%u type=%s lost=%u", __entry->queue,
		      __entry->watch, knell_show_type(__entry->type), __entry->lost)
);

#endif /* _KNELL_TRACE_H */

#undef TRACE_INCLUDE_PATH
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_PATH .
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
