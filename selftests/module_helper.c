// SPDX-License-Identifier: GPL-2.0-only
/*
 * Uses a bit of everything in the module and goes, leaving as much as possible
 * under way. For module_test.sh.
 *
 * usage: module_helper PID	watches PID, which is to live on
 *	  module_helper mode	open the device as nobody, say how that went
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "knell_test.h"

static int fail(const char *what)
{
	fprintf(stderr, "# module_helper: %s: %s\n", what, strerror(errno));
	return 1;
}

static int open_as_nobody(void)
{
	if (setresgid(65534, 65534, 65534) || setresuid(65534, 65534, 65534))
		return fail("setresuid");
	return knell_open(0) < 0 ? 2 : 0;
}

/* A child that is enrolled before it is born; its record. */
static int hear_of_a_child(int fd)
{
	struct knell_event ev;
	pid_t pid;
	int n;

	if (add_watch(fd, op_process(0, KNELL_OPF_NEXT, 1)) <= 0)
		return fail("OPF_NEXT");
	pid = fork();
	if (!pid)
		_exit(3);
	do {
		n = wait_events(fd, &ev, 1, KNELL_FOREVER);
	} while (n == 1 && ev.token != 1);
	if (n != 1 || ev.exit.pid != pid || ev.exit.status != 3 << 8)
		return fail("record");
	return waitpid(pid, NULL, 0) == pid ? 0 : fail("waitpid");
}

static int leave_things_under_way(int fd, pid_t pid)
{
	struct knell_op ops[] = {
		op_process(pid, 0, 2),
		op_process(0, KNELL_OPF_NEXT, 2),
		op_timer(CLOCK_REALTIME, 0, 1, 1, 2),
		op_timer(CLOCK_MONOTONIC, 0, 3600 * NSEC_PER_SEC, 0, 2),
		op_timer(CLOCK_BOOTTIME, 0, NSEC_PER_MSEC, NSEC_PER_MSEC, 2),
		op_add(KNELL_USER, 0, 2),
		op_trigger(KNELL_LAST, 1),
	};
	unsigned int i, nr = sizeof(ops) / sizeof(ops[0]);
	struct knell_event ev;

	if (submit_ops(fd, ops, nr))
		return fail("SUBMIT");
	for (i = 0; i < nr; i++)
		if (ops[i].result)
			return fail("result");
	return wait_events(fd, &ev, 1, KNELL_FOREVER) == 1 ? 0 : fail("wait");
}

int main(int argc, char **argv)
{
	int fd;

	if (argc != 2)
		return 1;
	if (!strcmp(argv[1], "mode"))
		return open_as_nobody();
	fd = knell_open(0);
	if (fd < 0)
		return fail(KNELL_DEVICE);
	if (leave_things_under_way(fd, atoi(argv[1])))
		return 1;
	/* The one armed above is used up by this fork. */
	if (!fork())
		_exit(0);
	wait(NULL);
	return hear_of_a_child(fd) || leave_things_under_way(knell_open(0), atoi(argv[1]));
}
