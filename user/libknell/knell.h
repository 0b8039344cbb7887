/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libknell: an event loop for programs that wait for children, timers, descriptors,
 * signals and threads, asleep in one system call.
 *
 * A loop belongs to the thread that runs it, and every function that takes a loop is
 * to be called there, unless its comment says otherwise. A thread may have several
 * loops, a process as many as it likes; they know nothing of each other. Nothing here
 * calls abort() or exit().
 *
 * Errors are negative errno values. A function that returns a task returns KNELL_NONE
 * and sets errno, one that returns a pointer returns NULL and sets errno. All take
 * back what they had begun. Wherever memory is needed ENOMEM is possible and is not
 * repeated below; ECHILD is the answer of every function in a process that was forked
 * from the loop's own, where a loop can only be freed.
 *
 * Times are nanoseconds, in uint64_t; KNELL_NEVER is no time at all.
 *
 * For C11 and C++11 or later, by GCC or Clang; -std=c11 needs _POSIX_C_SOURCE 200809L or more.
 */
#ifndef KNELL_H
#define KNELL_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>
#include <time.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define KNELL_API	__attribute__((visibility("default")))
#else
#define KNELL_API
#endif

#define KNELL_NEVER	UINT64_MAX

struct knell_loop;
struct knell_pool;
struct knell_work;
struct knell_wq;

/* of <linux/knell.h>, for those who talk to the kernel's queue themselves */
struct knell_event;
struct knell_op;
struct knell_watch_info;

/**
 * struct knell_task - names a task
 * @idx: of no meaning to the program
 * @gen: never 0 but in KNELL_NONE
 *
 * Stays harmless for ever: once the task has run or was cancelled the name means
 * nothing, and no other task is mistaken for it.
 */
typedef struct {
	uint32_t idx;
	uint32_t gen;
} knell_task;

#ifdef __cplusplus
#define KNELL_NONE	(knell_task{ 0, 0 })
#else
#define KNELL_NONE	((knell_task){ 0, 0 })
#endif

static inline bool knell_is_none(knell_task t)
{
	return !t.gen;
}

/**
 * enum knell_kind - what a task waits for
 * @KNELL_KIND_READ: a descriptor can be read
 * @KNELL_KIND_WRITE: a descriptor can be written
 * @KNELL_KIND_TIMER: a time
 * @KNELL_KIND_EVENT: the next pass
 * @KNELL_KIND_READY: the next pass, ahead of the events; counted with them
 * @KNELL_KIND_BACKGROUND: a delay, and then its turn behind all others
 * @KNELL_KIND_EXECUTE: nothing: it is being run by knell_execute()
 * @KNELL_KIND_CHILD: a process
 * @KNELL_KIND_TREE: a process and all that it forks
 * @KNELL_KIND_SIGNAL: a signal
 * @KNELL_KIND_RECORD: records of watches that the program made itself
 * @KNELL_KINDS: how many there are
 */
enum knell_kind {
	KNELL_KIND_READ,
	KNELL_KIND_WRITE,
	KNELL_KIND_TIMER,
	KNELL_KIND_EVENT,
	KNELL_KIND_READY,
	KNELL_KIND_BACKGROUND,
	KNELL_KIND_EXECUTE,
	KNELL_KIND_CHILD,
	KNELL_KIND_TREE,
	KNELL_KIND_SIGNAL,
	KNELL_KIND_RECORD,
	KNELL_KINDS,
};

/* A set of kinds, for knell_cancel_arg(). */
#define KNELL_MASK(kind)	(1U << (kind))
#define KNELL_MASK_ALL		((1U << KNELL_KINDS) - 1)

/** struct knell_site - where in the program a task was added; KNELL_SITE makes one */
struct knell_site {
	const char *func;	/* the callback's name, as written there */
	const char *file;
	int line;
};

#define KNELL_SITE(cb)							\
	(__extension__ ({						\
		static const struct knell_site knell_site_here =	\
			{ #cb, __FILE__, __LINE__ };			\
		&knell_site_here;					\
	}))

/* enum: struct knell_child.flags */
#define KNELL_CHILDF_NOSTATUS	(1U << 0)	/* status and usage are not known: they are 0 */
#define KNELL_CHILDF_ADOPTED	(1U << 1)	/* perhaps an orphan that this process was given */
#define KNELL_CHILDF_OVERFLOW	(1U << 2)	/* found by a rescan: when it ended is not known */
#define KNELL_CHILDF_KILLER	(1U << 3)	/* killer_pid and killer_uid are */
#define KNELL_CHILDF_OOM	(1U << 4)	/* by the kernel, for want of memory */
#define KNELL_CHILDF_REDELIVERED (1U << 5)	/* a former holder of the queue may have seen it */
#define KNELL_CHILDF_MAIN	(1U << 6)	/* the tree's first process */
#define KNELL_CHILDF_USAGE	(1U << 7)	/* the resource usage below is known */

/**
 * struct knell_child - what has become of a process; 0 is what is not known
 * @pid: as the caller's pid namespace has it
 * @code: CLD_EXITED, CLD_KILLED, CLD_DUMPED, CLD_STOPPED, CLD_CONTINUED; 0 with NOSTATUS
 * @status: exit status (0 to 255) or signal, as @code says
 * @wstatus: the same as wait(2)'s status word
 * @flags: KNELL_CHILDF_*
 * @uid: its real user id
 * @killer_pid: who sent the deadly signal
 * @killer_uid: and as whom
 * @members: of the tree that are left after it
 * @seq: of the kernel's record; ascending within a loop
 * @exit_ns: CLOCK_MONOTONIC when it happened (by the other backend: when it was heard of)
 * @start_ns: CLOCK_MONOTONIC when it was forked
 * @utime_ns: its own CPU time in user mode, without its children (by the other backend, this and
 *	the rest as wait4(2) has it: with those it has waited for)
 * @stime_ns: in the kernel
 * @maxrss_kb: peak resident set, KiB
 * @minflt: page faults without I/O
 * @majflt: with
 * @nvcsw: voluntary context switches
 * @nivcsw: involuntary
 * @cgroup_id: cgroup v2's
 */
struct knell_child {
	pid_t pid;
	int code;
	int status;
	int wstatus;
	uint32_t flags;
	uid_t uid;
	pid_t killer_pid;
	uid_t killer_uid;
	uint32_t members;
	uint64_t seq;
	uint64_t exit_ns;
	uint64_t start_ns;
	uint64_t utime_ns;
	uint64_t stime_ns;
	uint64_t maxrss_kb;
	uint64_t minflt;
	uint64_t majflt;
	uint64_t nvcsw;
	uint64_t nivcsw;
	uint64_t cgroup_id;
};

/**
 * enum knell_tree_what - what has happened in a tree
 * @KNELL_TREE_EXIT: a process has ended: the first one, or with KNELL_TREE_REPORT_EXIT any
 * @KNELL_TREE_EMPTY: the last one has; nothing comes after this
 * @KNELL_TREE_FORK: with KNELL_TREE_REPORT_FORK: one was born
 * @KNELL_TREE_LOST: that many reports could not be made for want of room
 */
enum knell_tree_what { KNELL_TREE_EXIT, KNELL_TREE_EMPTY, KNELL_TREE_FORK, KNELL_TREE_LOST };

/**
 * struct knell_tree - an event of a tree
 * @what: and which of the following are set
 * @exit: EXIT
 * @pid: FORK: who
 * @ppid: FORK: by whom
 * @members: FORK: how many there are now
 * @lost: LOST, EMPTY: reports that were not made and not told of yet
 * @inexact: EMPTY: the kernel was out of memory once and some process may not have been followed
 */
struct knell_tree {
	enum knell_tree_what what;
	struct knell_child exit;
	pid_t pid;
	pid_t ppid;
	uint32_t members;
	uint32_t lost;
	bool inexact;
};

/**
 * struct knell_call - why a callback is called; valid until it returns
 * @kind: what its task waited for; says which of the union's members is set
 * @task: its name. One-shot tasks are gone already, and may be added anew
 * @site: where it was added
 * @late_ns: from the moment it was due (timer) or happened (kernel's records) or was
 *	added (event) until now
 * @io: revents: EPOLLIN, EPOLLOUT, EPOLLHUP ... as poll(2) says it, EPOLLERR with
 *	@io.error if the descriptor cannot be watched: -EBADF, -ELOOP (an epoll or a
 *	queue by the kernel backend), -ENOSPC, -ENOMEM
 * @timer: the time it was set to, on its clock, and how many periods have passed (1 or more)
 * @val: EVENT, READY, EXECUTE
 * @sig: si_signo and, but for one that came in a flood of over 128 unhandled, the rest
 * @child: CHILD
 * @tree: TREE
 * @record: RECORD
 */
struct knell_call {
	enum knell_kind kind;
	knell_task task;
	const struct knell_site *site;
	uint64_t late_ns;
	union {
		struct {
			int fd;
			uint32_t revents;
			int error;
		} io;
		struct {
			uint64_t deadline_ns;
			uint64_t expirations;
		} timer;
		int val;
		const siginfo_t *sig;
		const struct knell_child *child;
		const struct knell_tree *tree;
		const struct knell_event *record;
	};
};

/* What a task does. @arg is whatever the program gave; the library never looks at it. */
typedef void knell_cb(struct knell_loop *l, const struct knell_call *call, void *arg);

/*
 * Loops
 */

/**
 * enum knell_backend - what a loop sleeps on
 * @KNELL_BACKEND_AUTO: the kernel's queue if it can be opened, else pidfd
 * @KNELL_BACKEND_KERNEL: /dev/knell: one system call a turn
 * @KNELL_BACKEND_PIDFD: epoll with a pidfd for each child, a timerfd and an eventfd.
 *	Trees, KNELL_CHILD_NEXT and knell_submit() are EOPNOTSUPP there
 */
enum knell_backend { KNELL_BACKEND_AUTO, KNELL_BACKEND_KERNEL, KNELL_BACKEND_PIDFD };

/* struct knell_loop_attr.flags */
#define KNELL_LOOP_FD		(1U << 0)	/* .fd is set */
#define KNELL_LOOP_PAUSED	(1U << 1)	/* the clock stands still from the beginning */
#define KNELL_LOOP_NO_CPU	(1U << 2)	/* do not account CPU time, only wall time */

/**
 * struct knell_loop_attr - how a loop shall be; all zero means the default
 * @name: in warnings and tables; copied. "main"
 * @backend: see there
 * @flags: KNELL_LOOP_*
 * @device: of the kernel's queue. "/dev/knell"
 * @fd: a queue that is open already, with KNELL_LOOP_FD: a kept one, say. The loop closes it
 *	once it is made. Not with backend PIDFD, and with AUTO there is no other to fall back on
 * @batch: records taken from the kernel at a time, 1 to 1024. 64
 * @event_interval: ready tasks that run before the kernel is asked again, 1 to 65535. 61
 * @yield_slot_ns: what knell_should_yield() grants. 10 ms
 * @warn_cpu_ns: CPU time of one run that is worth a warning. 5 s; KNELL_NEVER
 * @warn_wall_ns: its time by the clock. 5 s; KNELL_NEVER
 * @warn_late_ns: how late a timer may be. 4 s; KNELL_NEVER
 */
struct knell_loop_attr {
	const char *name;
	enum knell_backend backend;
	unsigned int flags;
	const char *device;
	int fd;
	unsigned int batch;
	unsigned int event_interval;
	uint64_t yield_slot_ns;
	uint64_t warn_cpu_ns;
	uint64_t warn_wall_ns;
	uint64_t warn_late_ns;
};

/**
 * knell_loop_new - make a loop
 * @attr: NULL: all defaults
 *
 * The thread that calls is not bound to it: the one that runs it is.
 * Return: the loop. NULL and errno: EINVAL a number out of range, ENOENT, ENXIO, ENODEV,
 * EACCES no such device or no right to it (backend KERNEL), ENOSPC the user has too many queues
 * open, EPROTO the module is another version's, EMFILE, ENFILE
 */
KNELL_API struct knell_loop *knell_loop_new(const struct knell_loop_attr *attr);

/**
 * knell_loop_free - free a loop and its tasks, which are not run
 * @l: NULL is fine. No thread runs it, none is to post to it from now on, no pool's job is to
 *	end in it
 *
 * Waits until those are back whose post has run already, or whose cancel_sync() this answers.
 * Children go on living. Also in a forked child, where it frees memory and closes only.
 */
KNELL_API void knell_loop_free(struct knell_loop *l);

/**
 * enum knell_run - how long to run
 * @KNELL_RUN_DEFAULT: until knell_loop_stop(), or until there is nothing to wait for
 * @KNELL_RUN_ONCE: one pass; sleeps if there is nothing ready
 * @KNELL_RUN_NOWAIT: one pass; does not sleep
 */
enum knell_run { KNELL_RUN_DEFAULT, KNELL_RUN_ONCE, KNELL_RUN_NOWAIT };

/**
 * knell_loop_run - run tasks
 * @l: loop
 * @how: see there
 *
 * In one pass run, in this order: signals; what is ready from the last pass; events; children,
 * trees and records; timers; descriptors to be read; to be written; background. What a task
 * adds does not run in the same pass. After @event_interval tasks the rest keeps its
 * place and everything is looked at anew. Every ready task starts within one run of each
 * other ready task and one look at the kernel.
 *
 * Return: 1 if there is something left to wait for, 0 if not; -EBUSY from inside a
 * callback; or what the kernel said, and then the loop is of no more use: -ESTALE the queue
 * was taken over by another process
 */
KNELL_API int knell_loop_run(struct knell_loop *l, enum knell_run how);

/**
 * knell_loop_stop - make knell_loop_run() return once the task that runs has returned
 * @l: loop. If it is not running, the next run returns at once
 *
 * Any thread; safe in a signal handler.
 */
KNELL_API void knell_loop_stop(struct knell_loop *l);

/**
 * knell_loop_fd - a descriptor that can be read when there is something to do
 * @l: loop
 *
 * For a loop that runs inside of another: wait for it there, level-triggered, and call
 * knell_loop_run(KNELL_RUN_NOWAIT). The loop's own; do not read, write or close it. From
 * the first call on each run, and each function that adds a task from outside of one,
 * leaves the kernel told of all that the loop waits for.
 *
 * Return: descriptor; -EMFILE, -ENFILE (backend PIDFD), -ENOSPC (KERNEL), -ECHILD
 */
KNELL_API int knell_loop_fd(struct knell_loop *l);

/** knell_loop_name - what the loop is called */
KNELL_API const char *knell_loop_name(const struct knell_loop *l);

/** knell_loop_backend - which backend it is: KERNEL or PIDFD */
KNELL_API enum knell_backend knell_loop_backend(const struct knell_loop *l);

/**
 * knell_now - the loop's time: CLOCK_MONOTONIC, read before each task
 * @l: loop
 *
 * Stands still inside of a task, and while the clock is paused.
 */
KNELL_API uint64_t knell_now(const struct knell_loop *l);

/** knell_update_now - read the clock now, in a task that takes long */
KNELL_API void knell_update_now(struct knell_loop *l);

/*
 * Tasks. The macros note where they were called and name the callback for the tables; the
 * functions with _site are the same for those who have a struct knell_site, which must stay.
 */

/* @nr units of @unit ns; what does not fit is KNELL_NEVER, and no timer can be set to it. */
static inline uint64_t knell_ns(uint64_t nr, uint64_t unit)
{
	return nr > KNELL_NEVER / unit ? KNELL_NEVER : nr * unit;
}

#define knell_add_read(l, cb, arg, fd) \
	knell_add_io_site(l, KNELL_SITE(cb), cb, arg, KNELL_KIND_READ, fd)
#define knell_add_write(l, cb, arg, fd) \
	knell_add_io_site(l, KNELL_SITE(cb), cb, arg, KNELL_KIND_WRITE, fd)
#define knell_add_timer(l, cb, arg, sec) \
	knell_add_timer_site(l, KNELL_SITE(cb), cb, arg, \
			     knell_ns((uint64_t)(sec), 1000000000), 0)
#define knell_add_timer_ms(l, cb, arg, ms) \
	knell_add_timer_site(l, KNELL_SITE(cb), cb, arg, \
			     knell_ns((uint64_t)(ms), 1000000), 0)
#define knell_add_timer_ns(l, cb, arg, ns) \
	knell_add_timer_site(l, KNELL_SITE(cb), cb, arg, ns, 0)
#define knell_add_timer_every(l, cb, arg, period_ns) \
	knell_add_timer_site(l, KNELL_SITE(cb), cb, arg, period_ns, period_ns)
#define knell_add_timer_at(l, cb, arg, clock, ns) \
	knell_add_timer_at_site(l, KNELL_SITE(cb), cb, arg, clock, ns)
#define knell_add_event(l, cb, arg, val) \
	knell_add_event_site(l, KNELL_SITE(cb), cb, arg, KNELL_KIND_EVENT, val)
#define knell_add_ready(l, cb, arg, val) \
	knell_add_event_site(l, KNELL_SITE(cb), cb, arg, KNELL_KIND_READY, val)
#define knell_add_background(l, cb, arg, delay_ms) \
	knell_add_background_site(l, KNELL_SITE(cb), cb, arg, delay_ms, 0)
#define knell_add_idle(l, cb, arg, delay_ms) \
	knell_add_background_site(l, KNELL_SITE(cb), cb, arg, delay_ms, KNELL_BG_IDLE)
#define knell_add_child(l, cb, arg, pid, flags) \
	knell_add_child_site(l, KNELL_SITE(cb), cb, arg, pid, flags)
#define knell_add_children(l, cb, arg, flags) \
	knell_add_children_site(l, KNELL_SITE(cb), cb, arg, flags)
#define knell_add_tree(l, cb, arg, label, flags) \
	knell_add_tree_site(l, KNELL_SITE(cb), cb, arg, label, flags)
#define knell_add_signal(l, cb, arg, signo) \
	knell_add_signal_site(l, KNELL_SITE(cb), cb, arg, signo)
#define knell_execute(l, cb, arg, val) \
	knell_execute_site(l, KNELL_SITE(cb), cb, arg, val)
#define knell_post(l, cb, arg, val) \
	knell_post_site(l, KNELL_SITE(cb), cb, arg, val)

/**
 * knell_add_io_site - once, when a descriptor can be read or written
 * @l: loop
 * @site: where from
 * @cb: callback
 * @arg: its argument
 * @kind: KNELL_KIND_READ or KNELL_KIND_WRITE
 * @fd: descriptor. One that cannot be polled, as a regular file, is always ready.
 *	Cancel before close(); after the callback it may be closed and its number used anew
 *
 * Return: task. EEXIST: there is one for that descriptor and direction; EBADF: below 0
 */
KNELL_API knell_task knell_add_io_site(struct knell_loop *l, const struct knell_site *site,
				       knell_cb *cb, void *arg, enum knell_kind kind, int fd);

/**
 * knell_add_timer_site - after a time, once or again and again
 * @l: loop
 * @site: where from
 * @cb: callback
 * @arg: its argument
 * @ns: from knell_now() on; never earlier. Timers of equal time run in the order they were added
 * @period_ns: 0: once. Otherwise at @ns + k * @period_ns; periods missed are counted, not run
 *
 * Return: task. EOVERFLOW: beyond the clock's end
 */
KNELL_API knell_task knell_add_timer_site(struct knell_loop *l, const struct knell_site *site,
					  knell_cb *cb, void *arg, uint64_t ns,
					  uint64_t period_ns);

/**
 * knell_add_timer_at_site - at a time
 * @l: loop
 * @site: where from
 * @cb: callback
 * @arg: its argument
 * @clock: CLOCK_MONOTONIC (the loop's own), CLOCK_REALTIME or CLOCK_BOOTTIME. A clock that
 *	is set brings its timers forward or puts them off
 * @ns: on that clock; one that is past is due at once
 *
 * Return: task. EINVAL: another clock, KNELL_NEVER
 */
KNELL_API knell_task knell_add_timer_at_site(struct knell_loop *l, const struct knell_site *site,
					     knell_cb *cb, void *arg, clockid_t clock,
					     uint64_t ns);

/**
 * knell_timer_set_slack - a timer may be so late, so that wake-ups can be shared
 * @l: loop
 * @t: timer or background task
 * @slack_ns: 0 to begin with
 *
 * Return: 0, -ENOENT, -EINVAL no timer
 */
KNELL_API int knell_timer_set_slack(struct knell_loop *l, knell_task t, uint64_t slack_ns);

/**
 * knell_add_event_site - in the next pass
 * @l: loop
 * @site: where from
 * @cb: callback
 * @arg: its argument
 * @kind: KNELL_KIND_EVENT; KNELL_KIND_READY: ahead of all other kinds but signals
 * @val: given to it
 *
 * Return: task
 */
KNELL_API knell_task knell_add_event_site(struct knell_loop *l, const struct knell_site *site,
					  knell_cb *cb, void *arg, enum knell_kind kind, int val);

/* knell_add_background_site(): only in a pass in which nothing else was ready */
#define KNELL_BG_IDLE		(1U << 0)

/**
 * knell_add_background_site - after a delay, behind all other kinds
 * @l: loop
 * @site: where from
 * @cb: callback
 * @arg: its argument
 * @delay_ms: milliseconds, 0 too
 * @flags: 0 or KNELL_BG_IDLE
 *
 * Return: task
 */
KNELL_API knell_task knell_add_background_site(struct knell_loop *l, const struct knell_site *site,
					       knell_cb *cb, void *arg, uint64_t delay_ms,
					       unsigned int flags);

/* knell_add_child_site(), knell_add_children_site() */
#define KNELL_CHILD_EXIT	(1U << 0)	/* its end, and then the task goes; always */
#define KNELL_CHILD_STOP	(1U << 1)	/* it was stopped. Handles SIGCHLD from here on */
#define KNELL_CHILD_CONT	(1U << 2)	/* it goes on. The same */
#define KNELL_CHILD_AUTOREAP	(1U << 3)	/* the zombie is taken away, also after a cancel */
#define KNELL_CHILD_NEXT	(1U << 4)	/* the calling thread's next process; @pid is 0 */
#define KNELL_CHILD_SUBTREE	(1U << 5)	/* NEXT: its end comes when all it forked are gone.
						 * Not with STOP, CONT */

/**
 * knell_add_child_site - when a process ends
 * @l: loop
 * @site: where from
 * @cb: callback
 * @arg: its argument
 * @pid: process. A zombie is reported at once. Need not be a child where the kernel
 *	backend is used; without the right to know its status is not told
 * @flags: KNELL_CHILD_*. Without AUTOREAP the zombie is left to the caller, and wait(2)
 *	in the callback does not block. With SA_NOCLDWAIT set for SIGCHLD there is none
 *
 * With NEXT it is called before fork(2), vfork(2), clone(2), posix_spawn(3), and there is
 * no moment in which the child is not watched.
 *
 * After a cancel the child is one without a task, whose end is told to that of
 * knell_add_children(), also if it has ended before; with AUTOREAP it is reaped and told to nobody.
 *
 * Return: task. ESRCH no such process; EINVAL a thread's id, bad flags; EEXIST there is a
 * task for it in this loop; EBUSY the thread has an armed NEXT already; EOPNOTSUPP NEXT or
 * SUBTREE by the other backend, or where there are no pidfds one that is no child; EPERM a
 * kernel thread; ENOSPC the user's quota
 */
KNELL_API knell_task knell_add_child_site(struct knell_loop *l, const struct knell_site *site,
					  knell_cb *cb, void *arg, pid_t pid, unsigned int flags);

/**
 * knell_add_children_site - whenever a child ends that has no task of its own
 * @l: loop
 * @site: where from
 * @cb: callback
 * @arg: its argument
 * @flags: 0 or KNELL_CHILD_AUTOREAP
 *
 * Adopted orphans too: in a process that is given such (PID 1, PR_SET_CHILD_SUBREAPER when
 * the task is added) all have KNELL_CHILDF_ADOPTED, for nobody knows which of them it has forked.
 * None is lost: when the kernel's reserve was too small the children are looked through in /proc
 * (KNELL_CHILDF_OVERFLOW), and so are the zombies that are there when it is added. By the
 * other backend it handles SIGCHLD. Stays until cancelled.
 *
 * Return: task. EEXIST there is one in this loop
 */
KNELL_API knell_task knell_add_children_site(struct knell_loop *l, const struct knell_site *site,
					     knell_cb *cb, void *arg, unsigned int flags);

/**
 * knell_child_kill - signal a process, that one and never another that has got its pid
 * @l: loop
 * @t: CHILD; TREE, and CHILD with SUBTREE: all members
 * @sig: 0 to 64
 *
 * Return: 0, or of a tree how many; -ENOENT it has been reported; -ESRCH it is dead, or
 * not born; -EPERM; -EINVAL
 */
KNELL_API int knell_child_kill(struct knell_loop *l, knell_task t, int sig);

/* knell_add_tree_site() */
#define KNELL_TREE_NEXT		(1U << 0)	/* the calling thread's next process joins */
#define KNELL_TREE_REPORT_FORK	(1U << 1)
#define KNELL_TREE_REPORT_EXIT	(1U << 2)
/*
 * SIGKILL all when the loop goes: freed, or with its process. A child that was forked and calls no
 * execve(2) has a copy of the loop's descriptor, and keeps it until it calls knell_loop_free().
 */
#define KNELL_TREE_KILL_ON_CLOSE (1U << 3)

/**
 * knell_add_tree_site - follow a process and all that it forks
 * @l: loop
 * @site: where from
 * @cb: callback; called for each event until EMPTY has come, which ends the task
 * @arg: its argument
 * @label: up to 63 bytes; copied
 * @flags: KNELL_TREE_*
 *
 * Zombies are the caller's. A cancel leaves the processes alone.
 *
 * Return: task. EINVAL; EBUSY (NEXT); ENOSPC; EOPNOTSUPP by the other backend
 */
KNELL_API knell_task knell_add_tree_site(struct knell_loop *l, const struct knell_site *site,
					 knell_cb *cb, void *arg, const char *label,
					 unsigned int flags);

/**
 * knell_tree_join - the caller becomes a member, or its next process
 * @l: loop
 * @t: TREE
 * @flags: 0 or KNELL_TREE_NEXT
 *
 * Return: 0; -ENOENT, -ESHUTDOWN it has ended, -EEXIST, -E2BIG in four trees already,
 * -EBUSY
 */
KNELL_API int knell_tree_join(struct knell_loop *l, knell_task t, unsigned int flags);

/**
 * knell_add_signal_site - whenever a signal comes
 * @l: loop
 * @site: where from
 * @cb: callback, called as an ordinary task, before any other that is ready
 * @arg: its argument
 * @signo: 1 to 64. The process's handler is replaced, and put back with the last task for it
 *
 * Signals of one number may be counted as one, as signals are. Stays until cancelled. In a
 * forked child the signal does what it did before, as it does when an instruction has failed.
 *
 * Return: task. EINVAL not to be handled
 */
KNELL_API knell_task knell_add_signal_site(struct knell_loop *l, const struct knell_site *site,
					   knell_cb *cb, void *arg, int signo);

/**
 * knell_execute_site - call now, with all accounting
 * @l: loop
 * @site: where from
 * @cb: callback
 * @arg: its argument
 * @val: given to it
 *
 * Return: 0 when it has returned
 */
KNELL_API int knell_execute_site(struct knell_loop *l, const struct knell_site *site,
				 knell_cb *cb, void *arg, int val);

/**
 * knell_post_site - an event from another thread
 * @l: loop; wakes it if it sleeps
 * @site: where from
 * @cb: callback, called in the loop's thread
 * @arg: its argument
 * @val: given to it
 *
 * Any thread; not in a signal handler. Posts of one thread keep their order.
 * Return: 0, -ENOMEM
 */
KNELL_API int knell_post_site(struct knell_loop *l, const struct knell_site *site,
			      knell_cb *cb, void *arg, int val);

/**
 * knell_cancel - a task shall not run
 * @l: loop
 * @t: task; any name, also one that is long gone
 *
 * Return: 1 it will not run, or not again; 0 it has run or was cancelled or is running
 */
KNELL_API int knell_cancel(struct knell_loop *l, knell_task t);

/**
 * knell_cancel_arg - none with this argument shall run
 * @l: loop
 * @arg: as given when they were added
 * @kinds: KNELL_MASK() of those to look at
 *
 * Looks at every task. Return: how many
 */
KNELL_API unsigned int knell_cancel_arg(struct knell_loop *l, const void *arg, unsigned int kinds);

/**
 * knell_cancel_sync - cancel from another thread
 * @l: loop, which some thread runs or will run
 * @t: task
 *
 * When it returns the callback does not run and will not. Sleeps until the loop's thread
 * has looked. Any thread; in the loop's own, which is the one that made it until another
 * runs it, it is knell_cancel().
 *
 * Return: as knell_cancel(); what knell_loop_run() has returned if the loop has failed for
 * good (-ESTALE: its queue is another's); -ECANCELED it is being freed
 */
KNELL_API int knell_cancel_sync(struct knell_loop *l, knell_task t);

/** knell_pending - will this task run (again)? True also if it is ready */
KNELL_API bool knell_pending(const struct knell_loop *l, knell_task t);

/**
 * knell_timer_remaining_ns - until a timer is due
 * @l: loop
 * @t: timer or background task
 *
 * Return: by the clock as of now, 0 if it is due; -ENOENT, -EINVAL no timer
 */
KNELL_API int64_t knell_timer_remaining_ns(const struct knell_loop *l, knell_task t);
/** knell_timer_remaining_ms - the same in milliseconds, rounded up */
KNELL_API int64_t knell_timer_remaining_ms(const struct knell_loop *l, knell_task t);
/** knell_timer_remaining_sec - the same in seconds, rounded down as Quagga does */
KNELL_API int64_t knell_timer_remaining_sec(const struct knell_loop *l, knell_task t);

/**
 * knell_should_yield - has the task that runs had its time?
 * @l: loop
 *
 * Return: 0 no, or for how many ns it has run; 0 outside of tasks
 */
KNELL_API uint64_t knell_should_yield(const struct knell_loop *l);

/** knell_set_yield_slot - what it is granted: in a task that one's, for this run; else all's */
KNELL_API void knell_set_yield_slot(struct knell_loop *l, uint64_t ns);

/*
 * Hooks. Called before the loop asks the kernel and after it has; what a prepare hook adds
 * keeps the loop from sleeping.
 */
typedef void knell_hook(struct knell_loop *l, void *arg);

/**
 * knell_add_prepare - before the kernel is asked
 * @l: loop
 * @hook: called in the order they were added
 * @arg: its argument
 *
 * Return: 0
 */
KNELL_API int knell_add_prepare(struct knell_loop *l, knell_hook *hook, void *arg);
/** knell_add_check - after the kernel was asked; the same */
KNELL_API int knell_add_check(struct knell_loop *l, knell_hook *hook, void *arg);
/** knell_del_hook - of either sort. Return: 0, -ENOENT */
KNELL_API int knell_del_hook(struct knell_loop *l, knell_hook *hook, void *arg);

/*
 * The kernel's queue, for those who put watches into it themselves (kept queues). Their tokens
 * must be below 1 << 63: the others are the loop's.
 */

#define knell_add_record(l, cb, arg) knell_add_record_site(l, KNELL_SITE(cb), cb, arg)

/**
 * knell_add_record_site - for records of watches that are not the loop's
 * @l: loop
 * @site: where from
 * @cb: callback, for each of them, in their order; runs where children do
 * @arg: its argument
 *
 * Stays until cancelled. Return: task. EEXIST there is one; EOPNOTSUPP
 */
KNELL_API knell_task knell_add_record_site(struct knell_loop *l, const struct knell_site *site,
					   knell_cb *cb, void *arg);

/**
 * knell_submit - ops on the loop's queue, now
 * @l: loop
 * @ops: KNELL_OP_*; each gets its result
 * @nr: up to KNELL_MAX_OPS
 * @flags: KNELL_SUBMIT_STOP
 *
 * Async-signal-safe, and does what it does also in a forked child. Return: ops tried, or the call's
 * error
 */
KNELL_API int knell_submit(struct knell_loop *l, struct knell_op *ops, unsigned int nr,
			   unsigned int flags);

/**
 * knell_submit_later - one op, with the next look at the kernel
 * @l: loop
 * @op: copied; what comes of it is not told
 *
 * Return: 0
 */
KNELL_API int knell_submit_later(struct knell_loop *l, const struct knell_op *op);

/** knell_queue_open - a new queue, close-on-exec. @device: NULL: the usual. Return: fd or -errno */
KNELL_API int knell_queue_open(const char *device);
/** knell_queue_keep - it outlives its holder under a name. -EEXIST, -EBUSY, -EINVAL, -ENOSPC */
KNELL_API int knell_queue_keep(int fd, const char *name);
/** knell_queue_unkeep - keep it no more. -ENOENT */
KNELL_API int knell_queue_unkeep(int fd, const char *name);
/**
 * knell_queue_attach - the queue that is kept under a name
 * @fd: any queue, as the door
 * @name: whose
 *
 * Return: its descriptor, close-on-exec; -ENOENT none, -EBUSY its holder lives, -EPERM
 */
KNELL_API int knell_queue_attach(int fd, const char *name);
/**
 * knell_queue_list - what watches it has
 * @fd: queue
 * @watches: to be freed with free()
 *
 * After knell_queue_attach() records come only when this has been called.
 * Return: how many, or -errno
 */
KNELL_API ssize_t knell_queue_list(int fd, struct knell_watch_info **watches);

/*
 * Work queues: items that are worked off in the background.
 */

/**
 * enum knell_wq_result - what has become of an item
 * @KNELL_WQ_OK: done
 * @KNELL_WQ_ERROR: given to the error function, and done
 * @KNELL_WQ_RETRY_NOW: again, at once
 * @KNELL_WQ_RETRY_LATER: again, before all others, with the next run of the queue, hold_ms later
 * @KNELL_WQ_REQUEUE: again, behind all others; no try of it
 * @KNELL_WQ_BLOCKED: nothing can be done now, for no item; as RETRY_LATER, but no try
 *
 * RETRY_NOW and RETRY_LATER in the last of its max_retries tries are an ERROR.
 */
enum knell_wq_result {
	KNELL_WQ_OK, KNELL_WQ_ERROR, KNELL_WQ_RETRY_NOW, KNELL_WQ_RETRY_LATER,
	KNELL_WQ_REQUEUE, KNELL_WQ_BLOCKED,
};

/**
 * struct knell_wq_attr - a work queue
 * @name: copied. NULL: "?"
 * @work: what is done with an item
 * @error: what is done with one in vain, before @del. May be NULL
 * @del: the item leaves the queue, whatever became of it. May be NULL
 * @complete: the queue has run empty. May be NULL
 * @data: given to all of them
 * @max_retries: tries of an item in all. 0 is 1
 * @hold_ms: from the first item, or the last RETRY_LATER, until work begins; of these at least 1
 *
 * All of them may call any function of the queue.
 */
struct knell_wq_attr {
	const char *name;
	enum knell_wq_result (*work)(struct knell_wq *wq, void *item, void *data);
	void (*error)(struct knell_wq *wq, void *item, void *data);
	void (*del)(struct knell_wq *wq, void *item, void *data);
	void (*complete)(struct knell_wq *wq, void *data);
	void *data;
	unsigned int max_retries;
	unsigned int hold_ms;
};

/**
 * knell_wq_new - a work queue in a loop
 * @l: loop; the queue is to be freed before it
 * @attr: copied
 *
 * It is worked on as a background task, which ends when knell_should_yield() says so and goes on
 * in the next pass; how often it is asked adapts to how long the items take.
 *
 * Return: the queue. EINVAL: no work function
 */
KNELL_API struct knell_wq *knell_wq_new(struct knell_loop *l, const struct knell_wq_attr *attr);
/**
 * knell_wq_free - items are deleted, not worked
 * @wq: NULL is fine. From within its functions too; the item that is being worked is deleted when
 *	its function has returned, all others before this returns
 */
KNELL_API void knell_wq_free(struct knell_wq *wq);
/**
 * knell_wq_add - an item behind all others
 * @wq: queue
 * @item: any pointer, also one that is in it already
 *
 * Return: 0; -ESHUTDOWN it is being freed. The item is not taken then
 */
KNELL_API int knell_wq_add(struct knell_wq *wq, void *item);
/** knell_wq_plug - items are taken but not worked until knell_wq_unplug() */
KNELL_API void knell_wq_plug(struct knell_wq *wq);
/** knell_wq_unplug - go on, hold_ms from now. Return: 0 */
KNELL_API int knell_wq_unplug(struct knell_wq *wq);
/** knell_wq_length - items in it */
KNELL_API size_t knell_wq_length(const struct knell_wq *wq);

/*
 * A pool of threads for what blocks. A thread is made when a job finds none idle and there are
 * fewer than max, and is used again; one that is idle for keep_alive ends.
 */

/* struct knell_pool_attr.flags */
#define KNELL_POOL_UNCAPPED	(1U << 0)	/* a thread per job: they may wait for each other */

/**
 * struct knell_pool_attr - a pool; all zero means the default
 * @name: of the threads, the first 15 bytes; copied. "knell"
 * @max: threads. 16. Jobs of a capped pool must not wait for each other
 * @queue_max: jobs that wait for a thread; one more is EAGAIN. 0: 65536
 * @keep_alive_ns: 10 s; KNELL_NEVER
 * @stack_size: of a thread, bytes; raised to 64 KiB, or to what the C library needs. 256 KiB
 * @flags: KNELL_POOL_*
 */
struct knell_pool_attr {
	const char *name;
	unsigned int max;
	unsigned int queue_max;
	uint64_t keep_alive_ns;
	size_t stack_size;
	unsigned int flags;
};

/* knell_pool_submit() */
#define KNELL_WORK_MANDATORY	(1U << 0)	/* runs even if the pool is shut down before */

/*
 * A job, in a thread of the pool. All signals are blocked there but those that a fault of its own
 * raises (SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS).
 */
typedef void knell_work_fn(void *arg);

/**
 * knell_work_done_fn - in the loop's thread, after the job
 * @l: loop
 * @arg: the job's
 * @status: 0, or -ECANCELED if it was not run
 */
typedef void knell_work_done_fn(struct knell_loop *l, void *arg, int status);

/** struct knell_pool_stats - counters since the beginning, and what is now */
struct knell_pool_stats {
	uint64_t submitted;
	uint64_t completed;	/* run */
	uint64_t cancelled;
	uint64_t rejected;	/* EAGAIN */
	uint64_t created;	/* threads */
	uint64_t reused;	/* jobs that a thread took after another */
	unsigned int threads;
	unsigned int idle;
	unsigned int peak;	/* threads at a time */
	size_t queued;
};

/**
 * knell_pool_new - a pool; threads come with jobs
 * @attr: NULL: all defaults
 *
 * Return: the pool. EINVAL: a number out of range (max above 32768, a stack above 1 GiB)
 */
KNELL_API struct knell_pool *knell_pool_new(const struct knell_pool_attr *attr);

#define knell_pool_submit(p, l, work, done, arg, flags, ref) \
	knell_pool_submit_site(p, l, KNELL_SITE(done), work, done, arg, flags, ref)

/**
 * knell_pool_submit_site - a job
 * @p: pool
 * @l: loop for @done; may be NULL if @done is, and is not looked at then. It lives until
 *	@done has been called, or no job for it is under way any more
 * @site: where from, with the name of @done for the tables
 * @work: runs in a thread
 * @done: runs in the loop, as an event; comes for each job that was taken, come what may. May
 *	be NULL
 * @arg: of both
 * @flags: 0 or KNELL_WORK_MANDATORY
 * @ref: where a reference to the job is put for knell_work_cancel(), to be given back with
 *	knell_work_put(); NULL
 *
 * Any thread, also one of the pool. Return: 0; -EAGAIN the queue is full, or there is no thread
 * and none can be made (in an uncapped pool: no thread for this job); -ESHUTDOWN; -EINVAL; -ECHILD
 * also in a process forked from the pool's. Nothing is left behind then.
 */
KNELL_API int knell_pool_submit_site(struct knell_pool *p, struct knell_loop *l,
				     const struct knell_site *site, knell_work_fn *work,
				     knell_work_done_fn *done, void *arg, unsigned int flags,
				     struct knell_work **ref);

/**
 * knell_work_cancel - do not begin it
 * @w: job; not one of another process's
 *
 * Any thread, also when the pool is gone. Return: 1 it will not run, and @done is told so;
 * 0 too late
 */
KNELL_API int knell_work_cancel(struct knell_work *w);
/** knell_work_put - give the reference back; NULL is fine; any thread */
KNELL_API void knell_work_put(struct knell_work *w);

/**
 * knell_pool_shutdown - take no more, run what is mandatory, cancel the rest, and end
 * @p: pool; NULL is fine. Freed by this unless it says otherwise. No other thread may be calling
 *	into it
 * @timeout_ns: for jobs that run or are mandatory; KNELL_NEVER
 *
 * The completions come into their loops before or after this returns. In a process that was
 * forked from the pool's nothing is done (-ECHILD), and its memory stays.
 *
 * Return: 0; -ETIMEDOUT some still run: the pool is freed when they have returned, by the
 * last of them, and is not to be named again; -EDEADLK in a job of this pool: nothing was done
 */
KNELL_API int knell_pool_shutdown(struct knell_pool *p, uint64_t timeout_ns);

/** knell_pool_stats_get - counters; any thread */
KNELL_API void knell_pool_stats_get(struct knell_pool *p, struct knell_pool_stats *s);

/*
 * The clock: tests can hold it still.
 */

/** knell_clock_pause - knell_now() stands; timers wait for knell_clock_advance(). 0, -EALREADY */
KNELL_API int knell_clock_pause(struct knell_loop *l);
/** knell_clock_resume - go on from there. 0, -EALREADY */
KNELL_API int knell_clock_resume(struct knell_loop *l);

/**
 * knell_clock_advance - let time pass
 * @l: loop, paused
 * @ns: how much
 *
 * Every timer that comes due runs at its own time: knell_now() goes from deadline to
 * deadline. Outside of tasks they have run when it returns; from within one they run
 * after it. Events run at the time at which they were added. No time passes while timers or
 * background tasks without a delay add themselves anew.
 *
 * Return: 0; -EINVAL not paused; -EOVERFLOW
 */
KNELL_API int knell_clock_advance(struct knell_loop *l, uint64_t ns);

/**
 * knell_clock_set_auto_advance - when there is nothing to do but wait, time passes at once
 * @l: loop
 * @on: off to begin with
 *
 * Only while the clock is paused, and never while a child that has a task lives, a pool's
 * job is under way or knell_clock_inhibit() forbids it.
 */
KNELL_API void knell_clock_set_auto_advance(struct knell_loop *l, bool on);
/** knell_clock_inhibit - no auto-advance until as many knell_clock_allow() */
KNELL_API void knell_clock_inhibit(struct knell_loop *l);
/** knell_clock_allow - see there */
KNELL_API void knell_clock_allow(struct knell_loop *l);

/*
 * Statistics and warnings
 */

/**
 * enum knell_warning - what is worth a warning; see struct knell_loop_attr for how much is too much
 * @KNELL_WARN_CPU: a task has used much CPU time
 * @KNELL_WARN_WALL: a task took long, without using much CPU time
 * @KNELL_WARN_LATE: a timer ran late
 */
enum knell_warning { KNELL_WARN_CPU, KNELL_WARN_WALL, KNELL_WARN_LATE };

/* @text: one line without a newline, valid until it returns. At most one in 10 s per call
 * site and sort. */
typedef void knell_warn_fn(struct knell_loop *l, enum knell_warning what,
			   const struct knell_site *site, const char *text, void *arg);

/** knell_set_warn_hook - who is told; NULL: nobody, they are only counted */
KNELL_API void knell_set_warn_hook(struct knell_loop *l, knell_warn_fn *fn, void *arg);

/** knell_set_warn - one task's own limits; 0: none. 0, -ENOENT */
KNELL_API int knell_set_warn(struct knell_loop *l, knell_task t, uint64_t cpu_ns, uint64_t wall_ns,
			     uint64_t late_ns);

/** knell_set_cpu_accounting - CPU time too, or only wall time */
KNELL_API void knell_set_cpu_accounting(struct knell_loop *l, bool on);

/** enum knell_format - of a table */
enum knell_format { KNELL_TEXT, KNELL_JSON };

/**
 * knell_stats_show - what each function has used, as Quagga's "show thread cpu" has it
 * @l: loop
 * @f: where to
 * @filter: any of the letters rwtexbcs (read, write, timer, event, execute, background,
 *	child, signal), in either case; NULL or "": all
 * @format: see there
 *
 * CPU time is read after every task that took 20 us or more; what shorter ones have used
 * together is divided among them by the time they took.
 *
 * Return: 0; -EINVAL no letter of the filter is one of those; -EIO
 */
KNELL_API int knell_stats_show(struct knell_loop *l, FILE *f, const char *filter,
			       enum knell_format format);

/** knell_stats_clear - begin anew for those functions. Return: as above */
KNELL_API int knell_stats_clear(struct knell_loop *l, const char *filter);

/**
 * enum knell_table - what knell_show() shows
 * @KNELL_SHOW_TIMERS: name, remaining, call site
 * @KNELL_SHOW_CHILDREN: pid, name, age, call site
 * @KNELL_SHOW_POLL: descriptors, who reads and who writes them
 * @KNELL_SHOW_QUEUE: the kernel's queue: depth, high-water mark, lost reports, batches
 * @KNELL_SHOW_LOOP: passes, wake-ups, busy and idle time, lag, tasks in use and in store
 * @KNELL_SHOW_WQ: work queues
 */
enum knell_table {
	KNELL_SHOW_TIMERS, KNELL_SHOW_CHILDREN, KNELL_SHOW_POLL, KNELL_SHOW_QUEUE,
	KNELL_SHOW_LOOP, KNELL_SHOW_WQ,
};

/** knell_show - a table. Return: 0, -EINVAL, -EIO */
KNELL_API int knell_show(struct knell_loop *l, enum knell_table what, FILE *f,
			 enum knell_format format);

/**
 * knell_pool_show - the same as a list, "Max 0" of an uncapped one
 * @p: pool
 * @f: where to
 * @format: see there
 *
 * Any thread. Return: 0, -EIO
 */
KNELL_API int knell_pool_show(struct knell_pool *p, FILE *f, enum knell_format format);

/**
 * struct knell_stats - counters of a loop since it was made
 * @passes: passes
 * @sleeps: times it went to sleep
 * @wakeups: and was woken by something that was not a timer of its own
 * @syscalls: made by the library
 * @records: taken from the kernel
 * @batches: in so many calls
 * @full_batches: as many as there was room for
 * @max_depth: most records that were taken before the queue was found empty
 * @dropped: and of these, because there is no task for records
 * @lost: reports that the kernel had no room for
 * @rescans: of the children because of that
 * @dispatched: tasks run
 * @busy_ns: spent in tasks
 * @idle_ns: asleep
 * @max_lag_ns: longest time from ready or due to running
 * @tasks: alive
 * @tasks_free: kept for use
 * @tasks_made: in all
 * @tasks_reused: of these, without new memory
 * @ready: depth of that queue
 * @events: depth of that queue
 * @timers: timers and background tasks waiting
 * @max_ready: deepest that the ready queue was
 * @children: watched
 * @posted: from other threads
 * @rings: and of these, with a system call
 */
struct knell_stats {
	uint64_t passes, sleeps, wakeups, syscalls;
	uint64_t records, batches, full_batches, max_depth, dropped, lost, rescans;
	uint64_t dispatched, busy_ns, idle_ns, max_lag_ns;
	uint64_t tasks, tasks_free, tasks_made, tasks_reused;
	uint64_t ready, events, timers, max_ready, children;
	uint64_t posted, rings;
};

/** knell_stats_get - the counters */
KNELL_API void knell_stats_get(const struct knell_loop *l, struct knell_stats *s);

/** knell_version - "MAJOR.MINOR.PATCH" of the library; any thread */
KNELL_API const char *knell_version(void);

#ifdef __cplusplus
}
#endif

#endif /* KNELL_H */
