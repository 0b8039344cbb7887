// SPDX-License-Identifier: GPL-2.0-only
/* libev: timers in a 4-heap; a task is an idle watcher, or a timer of no time; ev_child. */
#include <ev.h>

#include "../bench.h"
#include "loops.h"

static struct ev_loop *loop;
static ev_timer *timers;
static ev_idle *idles;
static ev_io io;
static ev_child *children;

static const char *name(void)
{
	static char text[32];

	snprintf(text, sizeof(text), "libev-%d.%d", ev_version_major(), ev_version_minor());
	return text;
}

static void open_loop(void)
{
	loop = ev_loop_new(EVFLAG_AUTO);
	if (!loop)
		die("ev_loop_new", 0);
}

/* ---- timers ---- */

static void timer_cb(struct ev_loop *l, ev_timer *w, int revents)
{
	(void)l;
	(void)w;
	(void)revents;
}

static void timers_open(unsigned int nr)
{
	unsigned int i;

	open_loop();
	timers = malloc(nr * sizeof(*timers));
	if (!timers)
		die("malloc", -ENOMEM);
	for (i = 0; i < nr; i++)
		ev_timer_init(&timers[i], timer_cb, 0., 0.);
}

static void timers_add(const uint32_t *ms, unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++) {
		ev_timer_set(&timers[i], ms[i] * 1e-3, 0.);
		ev_timer_start(loop, &timers[i]);
	}
}

static void timers_cancel(const uint32_t *which, unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		ev_timer_stop(loop, &timers[which[i]]);
}

static unsigned int timers_left(unsigned int nr)
{
	unsigned int i, left = 0;

	for (i = 0; i < nr; i++)
		left += !!ev_is_active(&timers[i]);
	return left;
}

static void timers_close(unsigned int nr)
{
	(void)nr;
	ev_loop_destroy(loop);
	free(timers);
}

static const struct timer_way timer_way = {
	timers_open, timers_add, timers_cancel, timers_left, timers_close,
};

/* ---- dispatch ---- */

static void io_cb(struct ev_loop *l, ev_io *w, int revents)
{
	(void)l;
	(void)w;
	(void)revents;
	die("a descriptor that nobody writes to", 0);
}

static void watch(int fd)
{
	open_loop();
	if (fd < 0)
		return;
	ev_io_init(&io, io_cb, fd, EV_READ);
	ev_io_start(loop, &io);
}

static void idle_cb(struct ev_loop *l, ev_idle *w, int revents)
{
	(void)w;
	(void)revents;
	if (dispatched())
		ev_break(l, EVBREAK_ALL);
}

static void idle_open(unsigned int nr, int fd)
{
	unsigned int i;

	watch(fd);
	idles = calloc(nr, sizeof(*idles));
	if (!idles)
		die("calloc", -ENOMEM);
	for (i = 0; i < nr; i++) {
		ev_idle_init(&idles[i], idle_cb);
		ev_idle_start(loop, &idles[i]);
	}
}

static void again_cb(struct ev_loop *l, ev_timer *w, int revents)
{
	(void)revents;
	ev_timer_set(w, 0., 0.);
	ev_timer_start(l, w);
	if (dispatched())
		ev_break(l, EVBREAK_ALL);
}

static void timer_open(unsigned int nr, int fd)
{
	unsigned int i;

	watch(fd);
	timers = calloc(nr, sizeof(*timers));
	if (!timers)
		die("calloc", -ENOMEM);
	for (i = 0; i < nr; i++) {
		ev_timer_init(&timers[i], again_cb, 0., 0.);
		ev_timer_start(loop, &timers[i]);
	}
}

static void run(unsigned long nr)
{
	to_run = ran + nr;
	ev_run(loop, 0);
}

static void idle_close(void)
{
	ev_loop_destroy(loop);
	free(idles);
}

static void timer_close(void)
{
	ev_loop_destroy(loop);
	free(timers);
}

static const struct dispatch_way idle_way = { "-idle", idle_open, run, idle_close };
static const struct dispatch_way timer0_way = { "-timer", timer_open, run, timer_close };

/* ---- children ---- */

static void child_cb(struct ev_loop *l, ev_child *w, int revents)
{
	(void)revents;
	ev_child_stop(l, w);
	heard_exit((unsigned int)(w - children), w->rpid, w->rstatus);
}

/* Only the default loop hears of children. */
static void children_open(unsigned int nr, bool reap)
{
	if (!reap)
		die("libev without zombies", 0);
	loop = ev_default_loop(EVFLAG_AUTO);
	children = calloc(nr, sizeof(*children));
	if (!loop || !children)
		die("ev_default_loop", -ENOMEM);
}

static pid_t children_start(unsigned int i)
{
	pid_t pid = clone_sleeper();

	ev_child_init(&children[i], child_cb, pid, 0);
	ev_child_start(loop, &children[i]);
	return pid;
}

static void children_turn(bool sleep)
{
	ev_run(loop, sleep ? EVRUN_ONCE : EVRUN_NOWAIT);
}

static const struct child_way child_way = { children_open, children_start, children_turn, NULL };

struct peer peer_libev = {
	.name_it = name,
	.timers = &timer_way,
	.dispatch = { &idle_way, &timer0_way },
	.children = &child_way,
};
