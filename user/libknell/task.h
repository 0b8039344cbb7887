/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* task.c: tasks, their lists and their memory; and what every room needs. */
#ifndef KNELL_TASK_H
#define KNELL_TASK_H

#include <stdint.h>

#include "knell.h"

#define NSEC_PER_USEC	UINT64_C(1000)
#define NSEC_PER_MSEC	UINT64_C(1000000)
#define NSEC_PER_SEC	UINT64_C(1000000000)

#define CACHE_LINE	64

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define likely(x)	__builtin_expect(!!(x), 1)
/* What is rare is out of the way of what is not, and of its registers. */
#define COLD		__attribute__((noinline))
#define unlikely(x)	__builtin_expect(!!(x), 0)

/*
 * task.c
 */

#define NO_TASK		UINT32_MAX	/* no index of a task */
#define CHUNK_SHIFT	10
#define CHUNK_TASKS	(1U << CHUNK_SHIFT)	/* places; the first one is no task's */
#define CHUNK_SIZE	(CHUNK_TASKS * sizeof(struct task))
#define UNUSED_MAX	(2 * CHUNK_TASKS)	/* free tasks beyond this go, by whole chunks */

enum task_state {
	TASK_FREE,
	TASK_WAITING,		/* for what it waits for; in no list */
	TASK_LISTED,		/* will run */
};

/* struct task.flags */
#define TASK_PERSISTENT	(1U << 0)	/* is not gone when it has run */
#define TASK_DELIVERY	(1U << 1)	/* stands in the list for another: u.of */
#define TASK_IDLE	(1U << 2)	/* background: only when nothing else is ready */
#define TASK_ALIAS	(1U << 4)	/* @arg is a struct alias */

/*
 * The head of what the library's own callbacks have for an argument where they stand for a
 * function of the program (pool, work queue, Quagga's names): the statistics are that one's.
 */
struct alias {
	knell_cb *counted_as;		/* struct run.cb; never called as such */
	void (*drop)(struct alias *a);	/* the loop is freed and the task was not run; or NULL */
};

/* What few tasks have. */
struct opts {
	uint64_t period;		/* timer: 0: once */
	uint64_t slack;
	uint64_t warn_cpu, warn_wall, warn_late;	/* KNELL_NEVER: none */
	bool warn_set;			/* these are in force, not the loop's */
};

/* 64 bytes: a million timers are one cache line each. */
struct task {
	uint32_t gen;			/* of the loop's count; 0: free */
	uint8_t kind;			/* enum knell_kind */
	uint8_t state;			/* enum task_state */
	uint8_t flags;			/* TASK_* */
	uint8_t where;			/* LISTED: enum list_id; a timer that waits: enum heap_id */
	uint32_t next, prev;		/* in a list; free: the chunk's next one, as a place */
	const struct knell_site *site;
	knell_cb *cb;
	void *arg;
	uint64_t due;			/* timer: deadline; else when it became ready */
	struct opts *opts;		/* NULL: none */
	union {
		struct {
			uint32_t seq;		/* of its node in the heap */
			uint32_t heap;		/* LISTED: which one it was in */
		} timer;
		struct {
			int fd;
			uint16_t revents;
			uint16_t error;		/* a positive errno */
		} io;
		int val;
		struct source *source;	/* CHILD, TREE, RECORD; KNELL_KIND_CHILD of all children */
		struct listener *listener;	/* SIGNAL */
		knell_task of;			/* TASK_DELIVERY: for this one */
	} u;
};

_Static_assert(sizeof(struct task) == 64, "a cache line");

enum list_id {
	LIST_READY,		/* to be run, in this order */
	LIST_READY_NEXT,	/* knell_add_ready(): in the next pass */
	LIST_EVENTS,		/* the same, behind these */
	LIST_CHILD, LIST_READ, LIST_WRITE,	/* what poll() has heard of */
	LISTS,
};

/* Tasks in a row, by index. */
struct list {
	uint32_t head, tail;		/* NO_TASK: empty */
	size_t len;
};

/*
 * A block of tasks, 64 KiB and aligned to that: a task's name can be told from its address. What
 * else is known of it lies with the others', in few cache lines, and not all in the same sets.
 */
struct chunk {
	struct task *task;		/* NULL: given back. The first one's @gen is the number */
	uint32_t free;			/* place of the first free one; 0: none */
	uint32_t used;
	uint32_t next, prev;		/* of those that have free tasks; NO_CHUNK */
};

#define NO_CHUNK	UINT32_MAX

struct tasks {
	struct chunk *chunk;
	uint32_t nr_chunks, room;
	struct task *spare;		/* memory of so many chunks more */
	uint32_t nr_spare;
	uint32_t partial;		/* have free tasks */
	uint32_t gen;			/* of the latest one */
	size_t used, free;
	uint64_t made, reused;
};

struct task *task_new(struct knell_loop *l, enum knell_kind kind, const struct knell_site *site,
		      knell_cb *cb, void *arg);
void task_free(struct knell_loop *l, struct task *t);
void task_free_with_all(struct tasks *ts, struct task *t, uint32_t idx);
struct opts *task_opts(struct task *t);		/* makes them; NULL: ENOMEM */
/* Calls @fn for each; it may free that one. */
void task_each(struct knell_loop *l, void (*fn)(struct knell_loop *l, struct task *t, void *arg),
	       void *arg);
void tasks_free_all(struct knell_loop *l);
/* Memory for an array, to be freed with free(): in huge pages, if it is that large. NULL: ENOMEM */
void *array_alloc(size_t nr, size_t size);

void list_add(struct knell_loop *l, enum list_id id, struct task *t);	/* at its end */
void list_del(struct knell_loop *l, struct task *t);
void list_append(struct knell_loop *l, enum list_id id, enum list_id from);	/* not empty */

static inline struct task *task_at(const struct tasks *ts, uint32_t idx)
{
	return &ts->chunk[idx >> CHUNK_SHIFT].task[idx & (CHUNK_TASKS - 1)];
}

static inline uint32_t place_of(const struct task *t)
{
	return ((uintptr_t)t & (CHUNK_SIZE - 1)) / sizeof(*t);
}

static inline uint32_t chunk_nr(const struct task *t)
{
	return ((const struct task *)((uintptr_t)t & ~(uintptr_t)(CHUNK_SIZE - 1)))->gen;
}

static inline uint32_t index_of(const struct task *t)
{
	return chunk_nr(t) << CHUNK_SHIFT | place_of(t);
}

static inline knell_task task_name(const struct task *t)
{
	return (knell_task){ index_of(t), t->gen };
}

#endif /* KNELL_TASK_H */
