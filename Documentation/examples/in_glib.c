// SPDX-License-Identifier: GPL-2.0-only
/*
 * in_glib: a libknell loop inside a GLib main loop. GLib sleeps, and runs its own timer; when
 * libknell has something to do, its descriptor can be read, and it is run for one pass.
 *
 *	cc in_glib.c $(pkg-config --cflags --libs libknell glib-2.0)
 */
#include <glib-unix.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <knell.h>

extern char **environ;

#define TICKS	5			/* of each timer, at least */

static struct {
	int child_status;		/* -1: not ended yet */
	int signals, knell_ticks, glib_ticks;
	int turns;			/* passes of libknell: none in vain */
} seen = { .child_status = -1 };

/*
 * What libknell waits for: a child, a signal, a timer.
 */

static void child_ended(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	(void)l, (void)arg;
	seen.child_status = call->child->status;
}

static void signalled(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	(void)l, (void)call, (void)arg;
	seen.signals++;
}

static void knell_tick(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	(void)l, (void)call, (void)arg;
	seen.knell_ticks++;
}

/* The child sends the signal, and ends. */
static int wait_for_all(struct knell_loop *l)
{
	char *argv[] = { "sh", "-c", "kill -USR1 $PPID; exit 3", NULL };
	pid_t pid;

	if (knell_is_none(knell_add_signal(l, signalled, NULL, SIGUSR1)) ||
	    posix_spawn(&pid, "/bin/sh", NULL, NULL, argv, environ) ||
	    knell_is_none(knell_add_child(l, child_ended, NULL, pid, KNELL_CHILD_AUTOREAP)) ||
	    knell_is_none(knell_add_timer_every(l, knell_tick, NULL, 20 * 1000000)))
		return -1;
	return 0;
}

/*
 * What GLib waits for: a timer, and libknell.
 */

static GMainLoop *glib;

static void stop_if_all_seen(void)
{
	if (seen.child_status >= 0 && seen.signals && seen.knell_ticks >= TICKS &&
	    seen.glib_ticks >= TICKS)
		g_main_loop_quit(glib);
}

static gboolean glib_tick(gpointer data)
{
	(void)data;
	seen.glib_ticks++;
	stop_if_all_seen();
	return G_SOURCE_CONTINUE;
}

/* The descriptor can be read as long as there is something to do: one pass is enough here. */
static gboolean glib_turn(gint fd, GIOCondition condition, gpointer l)
{
	(void)fd, (void)condition;
	seen.turns++;
	if (knell_loop_run(l, KNELL_RUN_NOWAIT) < 0)
		exit(1);
	stop_if_all_seen();
	return G_SOURCE_CONTINUE;
}

int main(void)
{
	struct knell_loop *l = knell_loop_new(NULL);
	guint door, timer;

	if (!l || wait_for_all(l) || knell_loop_fd(l) < 0)
		return 1;
	glib = g_main_loop_new(NULL, FALSE);
	door = g_unix_fd_add(knell_loop_fd(l), G_IO_IN, glib_turn, l);
	timer = g_timeout_add(30, glib_tick, NULL);
	g_main_loop_run(glib);

	printf("%s: exit %d, %d signal, %d ticks in %d turns; GLib: %d ticks\n",
	       knell_loop_backend(l) == KNELL_BACKEND_KERNEL ? "kernel" : "pidfd",
	       seen.child_status, seen.signals, seen.knell_ticks, seen.turns, seen.glib_ticks);
	g_source_remove(door);			/* before its descriptor goes */
	g_source_remove(timer);
	g_main_loop_unref(glib);
	knell_loop_free(l);
	return 0;
}
