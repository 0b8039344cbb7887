// SPDX-License-Identifier: GPL-2.0-only
/* run SECONDS COMMAND [ARG...]: runs it, kills it when the time is up, tells how it ended. */
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <knell.h>

extern char **environ;
static knell_task child, timer;

static void too_long(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	(void)call, (void)arg;
	knell_child_kill(l, child, SIGKILL);	/* this one, never another that has got its pid */
}

static void ended(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	const struct knell_child *c = call->child;

	(void)arg;
	printf("pid %d: %s %d, %llu us of CPU, %llu KiB\n", (int)c->pid,
	       c->code == CLD_EXITED ? "exit" : "signal", c->status,
	       (unsigned long long)(c->utime_ns + c->stime_ns) / 1000,
	       (unsigned long long)c->maxrss_kb);
	knell_cancel(l, timer);			/* nothing is left to wait for: the loop ends */
}

int main(int argc, char **argv)
{
	struct knell_loop *l = knell_loop_new(NULL);
	pid_t pid;
	int err;

	if (!l || argc < 3)
		return fprintf(stderr, "usage: run SECONDS COMMAND [ARG...]\n"), 2;
	err = posix_spawnp(&pid, argv[2], NULL, NULL, argv + 2, environ);
	if (err)
		return fprintf(stderr, "%s: %s\n", argv[2], strerror(err)), 127;
	child = knell_add_child(l, ended, NULL, pid, KNELL_CHILD_AUTOREAP); /* has it ended? told, too */
	timer = knell_add_timer(l, too_long, NULL, strtoul(argv[1], NULL, 10));
	err = knell_is_none(child) || knell_is_none(timer) ? -1 : knell_loop_run(l, KNELL_RUN_DEFAULT);
	knell_loop_free(l);
	return err != 0;
}
