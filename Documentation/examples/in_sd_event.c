// SPDX-License-Identifier: GPL-2.0-only
/*
 * in_sd_event: a libknell loop inside an sd-event loop. sd-event sleeps, and runs its own timer;
 * when libknell has something to do, its descriptor can be read, and it is run for one pass.
 *
 *	cc in_sd_event.c $(pkg-config --cflags --libs libknell libsystemd)
 */
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <systemd/sd-event.h>
#include <knell.h>

extern char **environ;

#define TICKS	5			/* of each timer, at least */

static struct {
	int child_status;		/* -1: not ended yet */
	int signals, knell_ticks, sd_ticks;
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
 * What sd-event waits for: a timer, and libknell. A negative result of a handler switches its
 * source off.
 */

static int stop_if_all_seen(sd_event *sd)
{
	if (seen.child_status >= 0 && seen.signals && seen.knell_ticks >= TICKS &&
	    seen.sd_ticks >= TICKS)
		return sd_event_exit(sd, 0);
	return 0;
}

static int sd_tick(sd_event_source *timer, uint64_t usec, void *arg)
{
	(void)arg;
	seen.sd_ticks++;
	sd_event_source_set_time(timer, usec + 30000);
	sd_event_source_set_enabled(timer, SD_EVENT_ONESHOT);
	return stop_if_all_seen(sd_event_source_get_event(timer));
}

/* The descriptor can be read as long as there is something to do: one pass is enough here. */
static int sd_turn(sd_event_source *door, int fd, uint32_t revents, void *l)
{
	(void)fd, (void)revents;
	seen.turns++;
	if (knell_loop_run(l, KNELL_RUN_NOWAIT) < 0)
		exit(1);
	return stop_if_all_seen(sd_event_source_get_event(door));
}

int main(void)
{
	struct knell_loop *l = knell_loop_new(NULL);
	sd_event_source *door, *timer;
	sd_event *sd;

	if (!l || wait_for_all(l) || sd_event_new(&sd) < 0 ||
	    sd_event_add_io(sd, &door, knell_loop_fd(l), EPOLLIN, sd_turn, l) < 0 ||
	    sd_event_add_time_relative(sd, &timer, CLOCK_MONOTONIC, 30000, 1, sd_tick, NULL) < 0)
		return 1;
	if (sd_event_loop(sd) < 0)
		return 1;

	printf("%s: exit %d, %d signal, %d ticks in %d turns; sd-event: %d ticks\n",
	       knell_loop_backend(l) == KNELL_BACKEND_KERNEL ? "kernel" : "pidfd",
	       seen.child_status, seen.signals, seen.knell_ticks, seen.turns, seen.sd_ticks);
	sd_event_source_unref(door);		/* before its descriptor goes */
	sd_event_source_unref(timer);
	sd_event_unref(sd);
	knell_loop_free(l);
	return 0;
}
