// SPDX-License-Identifier: GPL-2.0-only
/* libuv: timers in a heap of pointers; a task is an idle handle; uv_spawn. */
#include <uv.h>

#include "../bench.h"
#include "loops.h"

static uv_loop_t loop;
static uv_timer_t *timers;
static uv_idle_t *idles;
static uv_poll_t io;
static unsigned int nr_idles;
static bool io_open;
static uv_process_t **children;

static void must_uv(const char *what, int ret)
{
	if (ret < 0)
		die(what, ret);
}

static const char *name(void)
{
	static char text[32];

	snprintf(text, sizeof(text), "libuv-%s", uv_version_string());
	return text;
}

static void close_loop(void)
{
	uv_run(&loop, UV_RUN_DEFAULT);
	must_uv("uv_loop_close", uv_loop_close(&loop));
}

/* ---- timers ---- */

static void timer_cb(uv_timer_t *t)
{
	(void)t;
}

static void timers_open(unsigned int nr)
{
	unsigned int i;

	must_uv("uv_loop_init", uv_loop_init(&loop));
	timers = malloc(nr * sizeof(*timers));
	if (!timers)
		die("malloc", -ENOMEM);
	for (i = 0; i < nr; i++)
		uv_timer_init(&loop, &timers[i]);
}

static void timers_add(const uint32_t *ms, unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		uv_timer_start(&timers[i], timer_cb, ms[i], 0);
}

static void timers_cancel(const uint32_t *which, unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		uv_timer_stop(&timers[which[i]]);
}

static unsigned int timers_left(unsigned int nr)
{
	unsigned int i, left = 0;

	for (i = 0; i < nr; i++)
		left += !!uv_is_active((uv_handle_t *)&timers[i]);
	return left;
}

static void timers_close(unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		uv_close((uv_handle_t *)&timers[i], NULL);
	close_loop();
	free(timers);
}

static const struct timer_way timer_way = {
	timers_open, timers_add, timers_cancel, timers_left, timers_close,
};

/* ---- dispatch ---- */

static void io_cb(uv_poll_t *p, int status, int events)
{
	(void)p;
	(void)status;
	(void)events;
	die("a descriptor that nobody writes to", 0);
}

static void idle_cb(uv_idle_t *t)
{
	if (dispatched())
		uv_stop(t->loop);
}

static void idle_open(unsigned int nr, int fd)
{
	unsigned int i;

	must_uv("uv_loop_init", uv_loop_init(&loop));
	io_open = fd >= 0;
	if (io_open) {
		must_uv("uv_poll_init", uv_poll_init(&loop, &io, fd));
		must_uv("uv_poll_start", uv_poll_start(&io, UV_READABLE, io_cb));
	}
	nr_idles = nr;
	idles = calloc(nr, sizeof(*idles));
	if (!idles)
		die("calloc", -ENOMEM);
	for (i = 0; i < nr; i++) {
		uv_idle_init(&loop, &idles[i]);
		uv_idle_start(&idles[i], idle_cb);
	}
}

static void idle_run(unsigned long nr)
{
	to_run = ran + nr;
	uv_run(&loop, UV_RUN_DEFAULT);
}

static void idle_close(void)
{
	unsigned int i;

	for (i = 0; i < nr_idles; i++)
		uv_close((uv_handle_t *)&idles[i], NULL);
	if (io_open)
		uv_close((uv_handle_t *)&io, NULL);
	close_loop();
	free(idles);
}

static const struct dispatch_way idle_way = { "-idle", idle_open, idle_run, idle_close };

/* ---- children ---- */

/*
 * uv_spawn() is the one way to have libuv watch a child, and it calls fork(2) and waits for a pipe
 * that the child's exec closes. With this in fork's place (ld --wrap) its children are the same as
 * all others': they share the descriptors, so the pipe closes when libuv closes its own end.
 */
pid_t __wrap_fork(void);
pid_t __wrap_fork(void)
{
	return clone_sleeper();
}

static void free_cb(uv_handle_t *h)
{
	free(h);
}

static void exit_cb(uv_process_t *p, int64_t status, int sig)
{
	unsigned int i = (unsigned int)(uintptr_t)p->data;

	children[i] = NULL;
	heard_exit(i, p->pid, (int)status << 8 | sig);
	uv_close((uv_handle_t *)p, free_cb);
}

static void children_open(unsigned int nr, bool reap)
{
	if (!reap)
		die("libuv without zombies", 0);
	must_uv("uv_loop_init", uv_loop_init(&loop));
	children = calloc(nr, sizeof(uv_process_t *));
	if (!children)
		die("calloc", -ENOMEM);
}

static pid_t children_start(unsigned int i)
{
	static char file[] = "/", *args[] = { file, NULL };
	uv_process_options_t options = { .file = file, .args = args, .exit_cb = exit_cb };

	children[i] = calloc(1, sizeof(**children));
	if (!children[i])
		die("calloc", -ENOMEM);
	children[i]->data = (void *)(uintptr_t)i;
	must_uv("uv_spawn", uv_spawn(&loop, children[i], &options));
	return children[i]->pid;
}

static void children_turn(bool sleep)
{
	uv_run(&loop, sleep ? UV_RUN_ONCE : UV_RUN_NOWAIT);
}

static const struct child_way child_way = { children_open, children_start, children_turn, NULL };

struct peer peer_libuv = {
	.name_it = name,
	.timers = &timer_way,
	.dispatch = { &idle_way },
	.children = &child_way,
};
