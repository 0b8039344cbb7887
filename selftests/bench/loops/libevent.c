// SPDX-License-Identifier: GPL-2.0-only
/*
 * libevent: timers in a binary heap; a task is a timer of no time, one a turn, or an event that is
 * made active from its own callback: then the loop does not look at anything else. It knows no
 * children: who uses it watches SIGCHLD, and waits until there is none, as here.
 */
#include <sys/wait.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include "../bench.h"
#include "loops.h"

static struct event_base *base;
static struct event *events;
static struct event *io;

static const char *name(void)
{
	static char text[48];

	snprintf(text, sizeof(text), "libevent-%s", event_get_version());
	return text;
}

static void open_base(void)
{
	base = event_base_new();
	if (!base)
		die("event_base_new", -ENOMEM);
}

/* ---- timers ---- */

static void (*in_loop)(const uint32_t *what, unsigned int nr);
static const uint32_t *what_of_it;
static unsigned int nr_of_it;

static void nothing(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
}

static void timers_open(unsigned int nr)
{
	unsigned int i;

	open_base();
	events = malloc(nr * sizeof(*events));
	if (!events)
		die("malloc", -ENOMEM);
	for (i = 0; i < nr; i++)
		evtimer_assign(&events[i], base, nothing, NULL);
}

static void call_in_loop(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	in_loop(what_of_it, nr_of_it);
}

/* Outside of its loop libevent asks for the time in each call, as the others do not. */
static void from_a_callback(void (*fn)(const uint32_t *what, unsigned int nr),
			    const uint32_t *what, unsigned int nr)
{
	struct event ev;

	in_loop = fn;
	what_of_it = what;
	nr_of_it = nr;
	event_assign(&ev, base, -1, 0, call_in_loop, NULL);
	event_active(&ev, EV_TIMEOUT, 0);
	if (event_base_loop(base, EVLOOP_NONBLOCK) < 0)
		die("event_base_loop", 0);
}

static void add(const uint32_t *ms, unsigned int nr)
{
	struct timeval tv;
	unsigned int i;

	for (i = 0; i < nr; i++) {
		tv.tv_sec = ms[i] / 1000;
		tv.tv_usec = ms[i] % 1000 * 1000;
		event_add(&events[i], &tv);
	}
}

static void cancel(const uint32_t *which, unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		event_del(&events[which[i]]);
}

static void timers_add(const uint32_t *ms, unsigned int nr)
{
	from_a_callback(add, ms, nr);
}

static void timers_cancel(const uint32_t *which, unsigned int nr)
{
	from_a_callback(cancel, which, nr);
}

static unsigned int timers_left(unsigned int nr)
{
	unsigned int i, left = 0;

	for (i = 0; i < nr; i++)
		left += !!event_pending(&events[i], EV_TIMEOUT, NULL);
	return left;
}

static void timers_close(unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		event_del(&events[i]);
	event_base_free(base);
	free(events);
}

static const struct timer_way timer_way = {
	timers_open, timers_add, timers_cancel, timers_left, timers_close,
};

/* ---- dispatch ---- */

static unsigned int nr_events;

static void io_cb(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	die("a descriptor that nobody writes to", 0);
}

static void again_cb(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval none;

	(void)fd;
	(void)what;
	event_add(arg, &none);
	if (dispatched())
		event_base_loopbreak(base);
}

static void active_cb(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	event_active(arg, EV_TIMEOUT, 0);
	if (dispatched())
		event_base_loopbreak(base);
}

static void open_events(unsigned int nr, int fd, event_callback_fn cb)
{
	unsigned int i;

	open_base();
	io = NULL;
	if (fd >= 0) {
		io = event_new(base, fd, EV_READ | EV_PERSIST, io_cb, NULL);
		if (!io || event_add(io, NULL))
			die("event_add", 0);
	}
	nr_events = nr;
	events = calloc(nr, sizeof(*events));
	if (!events)
		die("calloc", -ENOMEM);
	for (i = 0; i < nr; i++)
		evtimer_assign(&events[i], base, cb, &events[i]);
}

static void timer_open(unsigned int nr, int fd)
{
	static const struct timeval none;
	unsigned int i;

	open_events(nr, fd, again_cb);
	for (i = 0; i < nr; i++)
		event_add(&events[i], &none);
}

static void active_open(unsigned int nr, int fd)
{
	unsigned int i;

	open_events(nr, fd, active_cb);
	for (i = 0; i < nr; i++)
		event_active(&events[i], EV_TIMEOUT, 0);
}

static void run(unsigned long nr)
{
	to_run = ran + nr;
	if (event_base_dispatch(base) < 0)
		die("event_base_dispatch", 0);
}

static void close_events(void)
{
	unsigned int i;

	for (i = 0; i < nr_events; i++)
		event_del(&events[i]);
	if (io)
		event_free(io);
	event_base_free(base);
	free(events);
}

static const struct dispatch_way timer0_way = { "-timer", timer_open, run, close_events };
static const struct dispatch_way active_way = { "-active", active_open, run, close_events };

/* ---- children ---- */

#define MAX_PID		(4 << 20)

static unsigned int *child_of_pid;
static struct event *sigchld;

static void sigchld_cb(evutil_socket_t sig, short what, void *arg)
{
	int status;
	pid_t pid;

	(void)sig;
	(void)what;
	(void)arg;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		heard_exit(child_of_pid[pid], pid, status);
}

static void children_open(unsigned int nr, bool reap)
{
	(void)nr;
	if (!reap)
		die("libevent without zombies", 0);
	open_base();
	child_of_pid = calloc(MAX_PID, sizeof(*child_of_pid));
	sigchld = evsignal_new(base, SIGCHLD, sigchld_cb, NULL);
	if (!child_of_pid || !sigchld || event_add(sigchld, NULL))
		die("evsignal_new", -ENOMEM);
}

static pid_t children_start(unsigned int i)
{
	pid_t pid = clone_sleeper();

	child_of_pid[pid] = i;
	return pid;
}

static void children_turn(bool sleep)
{
	if (event_base_loop(base, sleep ? EVLOOP_ONCE : EVLOOP_NONBLOCK) < 0)
		die("event_base_loop", 0);
}

static const struct child_way child_way = { children_open, children_start, children_turn, NULL };

struct peer peer_libevent = {
	.name_it = name,
	.timers = &timer_way,
	.dispatch = { &timer0_way, &active_way },
	.children = &child_way,
};
