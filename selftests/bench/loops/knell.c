// SPDX-License-Identifier: GPL-2.0-only
/*
 * libknell, by either backend: what a program gets that asks for nothing special, all statistics
 * on. A task is an event that adds itself anew. "libknell" is the kernel's queue where there is
 * one, else the other backend, as knell_loop_new() chooses; "libknell-pidfd" asks for that.
 */
#include <knell.h>

#include "../bench.h"
#include "loops.h"

static struct knell_loop *loop;
static enum knell_backend backend;
static knell_task *tasks;
static knell_task io;
static unsigned int child_flags;

static void must_be(const char *what, bool ok)
{
	if (!ok)
		die(what, -errno);
}

bool have_queue(void)
{
	return !access(KNELL_DEVICE, R_OK | W_OK);
}

static const char *knell_name(void)
{
	return "libknell";
}

static const char *pidfd_name(void)
{
	return "libknell-pidfd";
}

static void open_loop(enum knell_backend which)
{
	const struct knell_loop_attr attr = { .backend = which };

	loop = knell_loop_new(&attr);
	must_be("knell_loop_new", loop);
	backend = knell_loop_backend(loop);
	if (backend != KNELL_BACKEND_KERNEL && which == KNELL_BACKEND_AUTO && have_queue())
		die("/dev/knell is there and is not used", 0);
}

static void close_loop(void)
{
	knell_loop_free(loop);
	free(tasks);
	tasks = NULL;
}

static void alloc_tasks(unsigned int nr)
{
	tasks = malloc(nr * sizeof(*tasks));
	must_be("malloc", tasks);
	memset(tasks, 0, nr * sizeof(*tasks));
}

static void run_loop(enum knell_run how)
{
	int ret = knell_loop_run(loop, how);

	if (ret < 0)
		die("knell_loop_run", ret);
}

/* ---- timers ---- */

static void timer_cb(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	(void)l;
	(void)call;
	(void)arg;
}

static void timers_open(unsigned int nr)
{
	open_loop(KNELL_BACKEND_AUTO);
	alloc_tasks(nr);
}

static void timers_open_pidfd(unsigned int nr)
{
	open_loop(KNELL_BACKEND_PIDFD);
	alloc_tasks(nr);
}

/* A callback's work: outside of one the time is asked for in each call, as the others do not. */
static struct {
	const uint32_t *what;
	unsigned int nr;
} in_loop;

static void add_cb(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	unsigned int i;

	(void)call;
	(void)arg;
	for (i = 0; i < in_loop.nr; i++)
		tasks[i] = knell_add_timer_ms(l, timer_cb, NULL, in_loop.what[i]);
}

static void cancel_cb(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	unsigned int i;

	(void)call;
	(void)arg;
	for (i = 0; i < in_loop.nr; i++)
		knell_cancel(l, tasks[in_loop.what[i]]);
}

static void timers_add(const uint32_t *ms, unsigned int nr)
{
	in_loop.what = ms;
	in_loop.nr = nr;
	knell_add_event(loop, add_cb, NULL, 0);
	run_loop(KNELL_RUN_NOWAIT);
}

static void timers_cancel(const uint32_t *which, unsigned int nr)
{
	in_loop.what = which;
	in_loop.nr = nr;
	knell_add_event(loop, cancel_cb, NULL, 0);
	run_loop(KNELL_RUN_NOWAIT);
}

static unsigned int timers_left(unsigned int nr)
{
	unsigned int i, left = 0;
	struct knell_stats s;

	for (i = 0; i < nr; i++)
		left += knell_pending(loop, tasks[i]);
	knell_stats_get(loop, &s);
	if (s.timers != left)
		die("the loop counts other timers", 0);
	return left;
}

static void timers_close(unsigned int nr)
{
	(void)nr;
	close_loop();
}

static const struct timer_way timer_way = {
	timers_open, timers_add, timers_cancel, timers_left, timers_close,
};

static const struct timer_way timer_way_pidfd = {
	timers_open_pidfd, timers_add, timers_cancel, timers_left, timers_close,
};

/* ---- dispatch ---- */

static void io_cb(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	(void)l;
	(void)call;
	(void)arg;
	die("a descriptor that nobody writes to", 0);
}

static void event_cb(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	(void)call;
	knell_add_event(l, event_cb, arg, 0);
	if (dispatched())
		knell_loop_stop(l);
}

static void add_events(unsigned int nr, int fd)
{
	unsigned int i;

	if (fd >= 0) {
		io = knell_add_read(loop, io_cb, NULL, fd);
		must_be("knell_add_read", !knell_is_none(io));
	}
	for (i = 0; i < nr; i++)
		must_be("knell_add_event", !knell_is_none(knell_add_event(loop, event_cb, NULL, 0)));
}

static void event_open(unsigned int nr, int fd)
{
	open_loop(KNELL_BACKEND_AUTO);
	add_events(nr, fd);
}

static void event_open_pidfd(unsigned int nr, int fd)
{
	open_loop(KNELL_BACKEND_PIDFD);
	add_events(nr, fd);
}

static void event_run(unsigned long nr)
{
	struct knell_stats before, after;
	unsigned long first = ran;

	knell_stats_get(loop, &before);
	to_run = ran + nr;
	run_loop(KNELL_RUN_DEFAULT);
	knell_stats_get(loop, &after);
	if (after.dispatched - before.dispatched != ran - first)
		die("tasks are missing in the statistics", 0);
}

static const struct dispatch_way event_way = { "", event_open, event_run, close_loop };
static const struct dispatch_way event_way_pidfd = { "", event_open_pidfd, event_run, close_loop };

/* ---- children ---- */

static void child_cb(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	(void)l;
	if (call->child->flags & KNELL_CHILDF_NOSTATUS)
		die("an exit without its status", 0);
	heard_exit((unsigned int)(uintptr_t)arg, call->child->pid, call->child->wstatus);
}

static void children_open(unsigned int nr, bool reap)
{
	(void)nr;
	open_loop(KNELL_BACKEND_AUTO);
	child_flags = KNELL_CHILD_EXIT | (reap ? KNELL_CHILD_AUTOREAP : 0);
}

static void children_open_pidfd(unsigned int nr, bool reap)
{
	(void)nr;
	if (!reap)
		die("pidfds without zombies", 0);
	open_loop(KNELL_BACKEND_PIDFD);
	child_flags = KNELL_CHILD_EXIT | KNELL_CHILD_AUTOREAP;
}

static pid_t children_start(unsigned int i)
{
	pid_t pid = clone_sleeper();
	knell_task t = knell_add_child(loop, child_cb, (void *)(uintptr_t)i, pid, child_flags);

	must_be("knell_add_child", !knell_is_none(t));
	return pid;
}

static void children_turn(bool sleep)
{
	run_loop(sleep ? KNELL_RUN_ONCE : KNELL_RUN_NOWAIT);
}

static uint64_t children_calls(void)
{
	struct knell_stats s;

	knell_stats_get(loop, &s);
	return s.syscalls;
}

static const struct child_way child_way = {
	children_open, children_start, children_turn, children_calls,
};

static const struct child_way child_way_pidfd = {
	children_open_pidfd, children_start, children_turn, children_calls,
};

struct peer peer_knell = {
	.name_it = knell_name,
	.timers = &timer_way,
	.dispatch = { &event_way },
	.children = &child_way,
};

struct peer peer_knell_pidfd = {
	.name_it = pidfd_name,
	.timers = &timer_way_pidfd,
	.dispatch = { &event_way_pidfd },
	.children = &child_way_pidfd,
};
