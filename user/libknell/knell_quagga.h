/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Quagga's names for libknell: a module that was written to the thread.h, workqueue.h and
 * sigevent.h of Quagga 1.2 compiles with this instead and is the same in what it does. Only
 * names and their meaning are Quagga's, no line of its code is here.
 *
 * What Quagga's own users had to know, and what is better here:
 *
 * - A struct thread * means the task from thread_add_*() until its function is called or it is
 *   cancelled. Quagga forbids to use it after that, and a pointer that is cancelled twice
 *   takes somebody else's task with it. Here it is ignored, in all functions, until at least
 *   KNELL_QUAGGA_STALE other tasks of the master have come to their end since; the
 *   memory stays readable until thread_master_free(). Set it to NULL nevertheless (THREAD_OFF).
 * - thread_execute() works (in 1.2 it aborts).
 * - Descriptors have no upper limit; timers of equal time run in the order they were added;
 *   a signal that comes just before the sleep ends it.
 * - thread_add_read() and thread_add_write() of a descriptor that has such a task return NULL as
 *   they do there, with errno EEXIST in place of a line in the log. When there is no memory
 *   all of them return NULL.
 * - thread_main() and thread_fetch() return if there is nothing left to wait for, and after
 *   knell_loop_stop() on the master's loop; Quagga would sleep for ever, or could not be stopped.
 * - signal_init() leaves the signals that it is not given to the system, but for SIGPIPE, which
 *   is ignored if nobody has handled it.
 * - thread_master_free() may be called by a task. What is left of the master is freed by
 *   thread_main(), or the next thread_fetch(), which must therefore follow or never come (exit).
 * - thread_fetch() runs signal handlers, work queues and tasks of libknell's own by itself.
 *
 * Everything belongs to the thread that runs the master, as in Quagga. thread_current and
 * recent_time are that thread's own.
 *
 * "show thread cpu" is knell_stats_show(knell_quagga_loop(master), file, filter, KNELL_TEXT);
 * functions have the names by which the program called thread_add_*().
 */
#ifndef KNELL_QUAGGA_H
#define KNELL_QUAGGA_H

#include <sys/resource.h>
#include <sys/time.h>

#include "knell.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Tasks that end before the pointer to one that has ended may mean another. */
#define KNELL_QUAGGA_STALE	1024

struct thread_master;

/* struct thread.type, .add_type */
#define THREAD_READ		0
#define THREAD_WRITE		1
#define THREAD_TIMER		2
#define THREAD_EVENT		3
#define THREAD_READY		4
#define THREAD_BACKGROUND	5
#define THREAD_UNUSED		6
#define THREAD_EXECUTE		7

/* What thread_should_yield() grants, microseconds. */
#define THREAD_YIELD_TIME_SLOT	(10 * 1000L)

/**
 * struct thread - a task; to be read by the program
 * @type: how it waits, THREAD_UNUSED once it runs
 * @add_type: how it was added
 * @master: where to
 * @func: called with this
 * @arg: its argument, THREAD_ARG()
 * @u: by add_type: THREAD_FD(), THREAD_VAL(), and when a timer is due on CLOCK_MONOTONIC
 * @funcname: of @func
 * @schedfrom: file where it was added
 * @schedfrom_line: and line
 * @knell: private; in copies, too
 */
struct thread {
	unsigned char type;
	unsigned char add_type;
	struct thread_master *master;
	int (*func)(struct thread *);
	void *arg;
	union {
		int val;
		int fd;
		struct timeval sands;
	} u;
	const char *funcname;
	const char *schedfrom;
	int schedfrom_line;
	void *knell;
};

#define THREAD_ARG(t)	((t)->arg)
#define THREAD_FD(t)	((t)->u.fd)
#define THREAD_VAL(t)	((t)->u.val)

/*
 * Masters
 */

/**
 * knell_quagga_master - a master on a loop that there is already
 * @l: loop, which must outlive it; NULL: one of its own, with the best backend there is
 *
 * Return: the master. NULL and errno as knell_loop_new() says
 */
KNELL_API struct thread_master *knell_quagga_master(struct knell_loop *l);
/** knell_quagga_loop - the loop under a master */
KNELL_API struct knell_loop *knell_quagga_loop(struct thread_master *m);
/** knell_quagga_master_free - with all tasks, which do not run, and its work queues' items */
KNELL_API void knell_quagga_master_free(struct thread_master *m);
/** knell_quagga_unused - free memory that is kept for stale pointers and nothing else. Harmless */
KNELL_API void knell_quagga_unused(struct thread_master *m);
/** knell_quagga_main - run until nothing is left, or knell_loop_stop() */
KNELL_API void knell_quagga_main(struct thread_master *m);
/**
 * knell_quagga_fetch - the next task that is ready, sleeping until there is one
 * @m: master
 * @copy: NULL, or where it is copied to
 *
 * It stays ready, and can be cancelled, until knell_quagga_call().
 *
 * Return: @copy, or without it the task; NULL: see above
 */
KNELL_API struct thread *knell_quagga_fetch(struct thread_master *m, struct thread *copy);
/** knell_quagga_call - run what was fetched; nothing if it was cancelled since */
KNELL_API void knell_quagga_call(struct thread *t);

#define thread_master_create()		knell_quagga_master(NULL)
#define thread_master_free		knell_quagga_master_free
#define thread_master_free_unused	knell_quagga_unused
#define thread_main			knell_quagga_main
#define thread_call			knell_quagga_call
/* With one argument, as in Quagga 1.2, or with two, as in those before. */
#define thread_fetch(...)		KNELL_QUAGGA_FETCH(__VA_ARGS__, NULL, NULL)
#define KNELL_QUAGGA_FETCH(m, copy, ...) knell_quagga_fetch(m, copy)

/*
 * Tasks
 */

/**
 * knell_quagga_add - what the macros below call
 * @m: master
 * @site: where from
 * @type: THREAD_READ, WRITE, EVENT: @val; TIMER, BACKGROUND: @val is ns
 * @func: function
 * @arg: its argument
 * @val: descriptor, value, time from now on. Less than 0 is 0 for a time
 *
 * Return: task; NULL and errno
 */
KNELL_API struct thread *knell_quagga_add(struct thread_master *m, const struct knell_site *site,
					  unsigned char type, int (*func)(struct thread *),
					  void *arg, int64_t val);
/** knell_quagga_execute - call it now, accounted for as type X. Return: NULL */
KNELL_API struct thread *knell_quagga_execute(struct thread_master *m,
					      const struct knell_site *site,
					      int (*func)(struct thread *), void *arg, int val);
/** knell_quagga_cancel - it shall not run; NULL is fine, and one that has run or runs */
KNELL_API void knell_quagga_cancel(struct thread *t);
/** knell_quagga_cancel_event - events, and what else is ready, of that argument. How many */
KNELL_API unsigned int knell_quagga_cancel_event(struct thread_master *m, const void *arg);
/** knell_quagga_should_yield - 0, or for how many microseconds it has run if that is too long */
KNELL_API int knell_quagga_should_yield(const struct thread *t);
/** knell_quagga_remain_second - whole seconds until a timer is due; 0 */
KNELL_API unsigned long knell_quagga_remain_second(const struct thread *t);
/** knell_quagga_remain - until a timer is due; 0 */
KNELL_API struct timeval knell_quagga_remain(const struct thread *t);
/** knell_quagga_current - where the task that runs in this thread is noted; NULL outside */
KNELL_API struct thread **knell_quagga_current(void);

/* Past times are now, as are those below 0; what no clock reaches is the latest that it can. */
static inline int64_t knell_quagga_ns(int64_t nr, int64_t unit)
{
	uint64_t ns = nr > 0 ? knell_ns((uint64_t)nr, (uint64_t)unit) : 0;

	return ns < INT64_MAX ? (int64_t)ns : INT64_MAX;
}

static inline int64_t knell_quagga_tv_ns(const struct timeval *tv)
{
	int64_t ns = knell_quagga_ns(tv->tv_sec, INT64_C(1000000000));
	int64_t more = knell_quagga_ns(tv->tv_usec, 1000);

	return ns > INT64_MAX - more ? INT64_MAX : ns + more;
}

#define thread_add_read(m, f, a, fd) \
	knell_quagga_add(m, KNELL_SITE(f), THREAD_READ, f, a, fd)
#define thread_add_write(m, f, a, fd) \
	knell_quagga_add(m, KNELL_SITE(f), THREAD_WRITE, f, a, fd)
#define thread_add_timer(m, f, a, sec) \
	knell_quagga_add(m, KNELL_SITE(f), THREAD_TIMER, f, a, knell_quagga_ns(sec, 1000000000))
#define thread_add_timer_msec(m, f, a, msec) \
	knell_quagga_add(m, KNELL_SITE(f), THREAD_TIMER, f, a, knell_quagga_ns(msec, 1000000))
#define thread_add_timer_tv(m, f, a, tv) \
	knell_quagga_add(m, KNELL_SITE(f), THREAD_TIMER, f, a, knell_quagga_tv_ns(tv))
#define thread_add_event(m, f, a, val) \
	knell_quagga_add(m, KNELL_SITE(f), THREAD_EVENT, f, a, val)
#define thread_add_background(m, f, a, msec) \
	knell_quagga_add(m, KNELL_SITE(f), THREAD_BACKGROUND, f, a, \
			 knell_quagga_ns(msec, 1000000))
#define thread_execute(m, f, a, val) \
	knell_quagga_execute(m, KNELL_SITE(f), f, a, val)

#define thread_cancel			knell_quagga_cancel
#define thread_cancel_event		knell_quagga_cancel_event
#define thread_should_yield		knell_quagga_should_yield
#define thread_timer_remain_second	knell_quagga_remain_second
#define thread_timer_remain		knell_quagga_remain
#define thread_current			(*knell_quagga_current())

#define KNELL_QUAGGA_ON(t, add)						\
	do {								\
		if (!(t))						\
			(t) = (add);					\
	} while (0)

#define THREAD_READ_ON(m, t, f, a, fd)		KNELL_QUAGGA_ON(t, thread_add_read(m, f, a, fd))
#define THREAD_WRITE_ON(m, t, f, a, fd)		KNELL_QUAGGA_ON(t, thread_add_write(m, f, a, fd))
#define THREAD_TIMER_ON(m, t, f, a, sec)	KNELL_QUAGGA_ON(t, thread_add_timer(m, f, a, sec))
#define THREAD_TIMER_MSEC_ON(m, t, f, a, msec) \
	KNELL_QUAGGA_ON(t, thread_add_timer_msec(m, f, a, msec))
#define THREAD_OFF(t)							\
	do {								\
		if (t) {						\
			thread_cancel(t);				\
			(t) = NULL;					\
		}							\
	} while (0)
#define THREAD_READ_OFF(t)	THREAD_OFF(t)
#define THREAD_WRITE_OFF(t)	THREAD_OFF(t)
#define THREAD_TIMER_OFF(t)	THREAD_OFF(t)

/*
 * Time
 */

enum quagga_clkid {
	QUAGGA_CLK_REALTIME,
	QUAGGA_CLK_MONOTONIC,
	QUAGGA_CLK_REALTIME_STABILISED,		/* never goes back */
};

typedef struct rusage_t {
	struct rusage cpu;
	struct timeval real;
} RUSAGE_T;

/** knell_quagga_gettime - 0, or -1 and errno: EINVAL no such clock */
KNELL_API int knell_quagga_gettime(enum quagga_clkid clock, struct timeval *tv);
/** knell_quagga_time - seconds of REALTIME_STABILISED, also to @t if that is not NULL */
KNELL_API time_t knell_quagga_time(time_t *t);
/** knell_quagga_relative - CLOCK_MONOTONIC when the task that runs began, or as of now */
KNELL_API struct timeval knell_quagga_relative(void);
/** knell_quagga_recent - where the time of day as of now is put, for this thread */
KNELL_API struct timeval *knell_quagga_recent(void);
/** knell_quagga_getrusage - what the process has used until now */
KNELL_API void knell_quagga_getrusage(RUSAGE_T *r);
/** knell_quagga_consumed - microseconds from one to the other; of CPU time to @cpu */
KNELL_API unsigned long knell_quagga_consumed(const RUSAGE_T *after, const RUSAGE_T *before,
					      unsigned long *cpu);

#define quagga_gettime		knell_quagga_gettime
#define quagga_time		knell_quagga_time
#define quagga_monotime()	(knell_quagga_relative().tv_sec)
#define recent_relative_time	knell_quagga_relative
#define recent_time		(*knell_quagga_recent())
#define thread_getrusage	knell_quagga_getrusage
#define thread_consumed_time	knell_quagga_consumed
#define GETRUSAGE(r)		knell_quagga_getrusage(r)

/*
 * Signals: sigevent.h
 */

/** struct quagga_signal_t - @handler is called by the loop, ahead of all tasks that are ready */
struct quagga_signal_t {
	int signal;
	void (*handler)(void);
	volatile sig_atomic_t caught;	/* Quagga's own */
};

/**
 * knell_quagga_signals - handle these, as long as the master lives
 * @m: master
 * @nr: how many
 * @signals: stay the caller's and must stay
 */
KNELL_API void knell_quagga_signals(struct thread_master *m, int nr,
				    struct quagga_signal_t *signals);

#define signal_init		knell_quagga_signals

/*
 * Work queues: workqueue.h. They are knell_wq's, with the counters of KNELL_SHOW_WQ.
 */

#define WORK_QUEUE_DEFAULT_HOLD	50	/* ms */

typedef enum {
	WQ_SUCCESS, WQ_ERROR, WQ_RETRY_NOW, WQ_RETRY_LATER, WQ_REQUEUE, WQ_QUEUE_BLOCKED,
} wq_item_status;

/** struct work_queue_item - @ran: how often it was tried */
struct work_queue_item {
	void *data;
	unsigned short ran;
};

/**
 * struct work_queue - the program fills in @spec, before the first item
 * @master: of it
 * @name: of it
 * @spec: see struct knell_wq_attr; @data is the program's
 * @knell: private
 */
struct work_queue {
	struct thread_master *master;
	char *name;
	struct {
		void *data;
		wq_item_status (*workfunc)(struct work_queue *, void *);
		void (*errorfunc)(struct work_queue *, struct work_queue_item *);
		void (*del_item_data)(struct work_queue *, void *);
		void (*completion_func)(struct work_queue *);
		unsigned int max_retries;
		unsigned int hold;
	} spec;
	void *knell;
};

/** knell_quagga_wq_new - hold is WORK_QUEUE_DEFAULT_HOLD. NULL and errno */
KNELL_API struct work_queue *knell_quagga_wq_new(struct thread_master *m, const char *name);
/** knell_quagga_wq_free - as knell_wq_free() */
KNELL_API void knell_quagga_wq_free(struct work_queue *wq);
/** knell_quagga_wq_add - an item. Without memory it is given to errorfunc and del_item_data */
KNELL_API void knell_quagga_wq_add(struct work_queue *wq, void *data);
/** knell_quagga_wq_plug - as knell_wq_plug() */
KNELL_API void knell_quagga_wq_plug(struct work_queue *wq);
/** knell_quagga_wq_unplug - as knell_wq_unplug() */
KNELL_API void knell_quagga_wq_unplug(struct work_queue *wq);
/** knell_quagga_wq_scheduled - 1 if a run is due */
KNELL_API int knell_quagga_wq_scheduled(struct work_queue *wq);

#define work_queue_new		knell_quagga_wq_new
#define work_queue_free		knell_quagga_wq_free
#define work_queue_add		knell_quagga_wq_add
#define work_queue_plug		knell_quagga_wq_plug
#define work_queue_unplug	knell_quagga_wq_unplug
#define work_queue_is_scheduled	knell_quagga_wq_scheduled

#ifdef __cplusplus
}
#endif

#endif /* KNELL_QUAGGA_H */
