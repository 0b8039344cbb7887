// SPDX-License-Identifier: GPL-2.0-only
/*
 * Deaths that a queue hears of, for the black box.
 *
 * usage: die LABEL NAME STATUS [N]	one process, NAME, in a tree of that label; exits with
 *				STATUS, or is killed by signal -STATUS. N more queues hear of it.
 *				Prints its pid once it has been heard of
 *	  die storm		without end, watched by themselves; prints "storm" after the first 100
 *	  die open		nothing: is there a device that can be opened?
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>

#include "../knell_test.h"

static int fail(const char *what)
{
	fprintf(stderr, "die: %s: %s\n", what, strerror(errno));
	return 1;
}

/* Says when it has its name. */
static void live(const char *name, int status, int said)
{
	prctl(PR_SET_NAME, name);
	if (write(said, "x", 1) != 1)
		_exit(99);
	if (status >= 0)
		_exit(status);
	for (;;)
		pause();
}

/* Until what ends it has been read. */
static int hear(int fd, uint16_t type)
{
	struct knell_event ev;

	do {
		if (wait_events(fd, &ev, 1, KNELL_FOREVER) != 1)
			return -1;
	} while (ev.type != type);
	return 0;
}

static int die(int fd, const char *label, const char *name, int status, int more)
{
	struct knell_op ops[2] = {
		op_add(KNELL_TREE, 0, 1),
		{ .op = KNELL_OP_JOIN, .flags = KNELL_OPF_NEXT, .watch = KNELL_LAST },
	};
	int said[2];
	pid_t pid;
	char c;

	snprintf(ops[0].tree.label, sizeof(ops[0].tree.label), "%s", label);
	if (submit_ops(fd, ops, 2) < 0 || ops[0].result || ops[1].result)
		return fail("SUBMIT");
	if (pipe(said))
		return fail("pipe");
	pid = fork();
	if (!pid)
		live(name, status, said[1]);
	if (read(said[0], &c, 1) != 1)
		return fail("the child");
	/* A queue hears of a process once. */
	while (more--) {
		if (add_watch(knell_open(0), op_process(pid, 0, 2)) <= 0)
			return fail("ADD");
	}
	if (status < 0)
		kill(pid, -status);
	if (hear(fd, KNELL_EV_EMPTY))
		return fail("EMPTY");
	printf("%d\n", pid);
	return 0;
}

static int storm(int fd)
{
	static unsigned int i;	/* vfork(2) */

	signal(SIGCHLD, SIG_IGN);
	for (i = 0;; i++) {
		if (add_watch(fd, op_process(0, KNELL_OPF_NEXT, i)) <= 0)
			return fail("ADD");
		if (!vfork())
			_exit(i % 256);
		if (hear(fd, KNELL_EV_EXIT))
			return fail("EXIT");
		if (i == 100) {
			puts("storm");
			fflush(stdout);
		}
	}
}

int main(int argc, char **argv)
{
	int fd = knell_open(0);

	if (fd < 0)
		return fail(KNELL_DEVICE);
	if (argc == 2 && !strcmp(argv[1], "open"))
		return 0;
	if (argc == 2 && !strcmp(argv[1], "storm"))
		return storm(fd);
	if (argc != 4 && argc != 5)
		return 2;
	return die(fd, argv[1], argv[2], atoi(argv[3]), argc == 5 ? atoi(argv[4]) : 0);
}
