// SPDX-License-Identifier: GPL-2.0-only
/*
 * in_libuv: a libknell loop inside a libuv loop. libuv sleeps, and runs its own timer; when
 * libknell has something to do, its descriptor can be read, and it is run for one pass.
 *
 *	cc in_libuv.c $(pkg-config --cflags --libs libknell libuv)
 */
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <uv.h>
#include <knell.h>

extern char **environ;

#define TICKS	5			/* of each timer, at least */

static struct {
	int child_status;		/* -1: not ended yet */
	int signals, knell_ticks, uv_ticks;
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
 * What libuv waits for: a timer, and libknell.
 */

static void stop_if_all_seen(uv_loop_t *uv)
{
	if (seen.child_status >= 0 && seen.signals && seen.knell_ticks >= TICKS &&
	    seen.uv_ticks >= TICKS)
		uv_stop(uv);
}

static void uv_tick(uv_timer_t *timer)
{
	seen.uv_ticks++;
	stop_if_all_seen(timer->loop);
}

/* The descriptor can be read as long as there is something to do: one pass is enough here. */
static void uv_turn(uv_poll_t *door, int status, int events)
{
	(void)events;
	seen.turns++;
	if (status < 0 || knell_loop_run(door->data, KNELL_RUN_NOWAIT) < 0)
		exit(1);
	stop_if_all_seen(door->loop);
}

int main(void)
{
	struct knell_loop *l = knell_loop_new(NULL);
	uv_loop_t *uv = uv_default_loop();
	uv_timer_t timer;
	uv_poll_t door;

	if (!l || wait_for_all(l) || uv_poll_init(uv, &door, knell_loop_fd(l)) ||
	    uv_timer_init(uv, &timer))
		return 1;
	door.data = l;
	uv_poll_start(&door, UV_READABLE, uv_turn);
	uv_timer_start(&timer, uv_tick, 30, 30);
	uv_run(uv, UV_RUN_DEFAULT);

	printf("%s: exit %d, %d signal, %d ticks in %d turns; libuv: %d ticks\n",
	       knell_loop_backend(l) == KNELL_BACKEND_KERNEL ? "kernel" : "pidfd",
	       seen.child_status, seen.signals, seen.knell_ticks, seen.turns, seen.uv_ticks);
	uv_close((uv_handle_t *)&door, NULL);	/* before its descriptor goes */
	uv_close((uv_handle_t *)&timer, NULL);
	uv_run(uv, UV_RUN_DEFAULT);
	knell_loop_free(l);
	return uv_loop_close(uv) != 0;
}
