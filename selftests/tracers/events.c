// SPDX-License-Identifier: GPL-2.0-only
/*
 * Has each of the tracepoints knell:* hit, so often:
 *
 *	watch_add 4, watch_del 4, watch_fire 261, watch_deliver 3, exit 258, queue_keep 1,
 *	queue_attach 1, lost 2
 *
 * and prints "queue ID", "first PID", "second PID".
 *
 * usage: events
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "../knell_test.h"

#define RESERVE		256	/* deaths that CHILDREN has room for */

static void must(int ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "events: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* A record of that type, and no other before it. */
static void hear(int fd, uint16_t type)
{
	struct knell_event ev;

	must(wait_events(fd, &ev, 1, KNELL_FOREVER) == 1 && ev.type == type, "a record");
}

static pid_t child(int status)
{
	pid_t pid = fork();

	must(pid >= 0, "fork");
	if (!pid)
		_exit(status);
	return pid;
}

/* A tree of one process, whose EXIT and EMPTY are read: that ends it. */
static void tree(int fd)
{
	struct knell_op ops[2] = {
		op_add(KNELL_TREE, 0, 1),
		{ .op = KNELL_OP_JOIN, .flags = KNELL_OPF_NEXT, .watch = KNELL_LAST },
	};
	pid_t pid;

	strcpy(ops[0].tree.label, "first.service");
	must(!submit_ops(fd, ops, 2) && !ops[0].result && !ops[1].result, "a tree");
	pid = child(3);
	hear(fd, KNELL_EV_EXIT);
	hear(fd, KNELL_EV_EMPTY);
	waitpid(pid, NULL, 0);
	printf("first %d\n", pid);
}

static void process(int fd)
{
	int64_t watch = add_watch(fd, op_process(0, KNELL_OPF_NEXT, 2));
	pid_t pid;

	must(watch > 0, "a process");
	pid = child(5);
	hear(fd, KNELL_EV_EXIT);
	waitpid(pid, NULL, 0);
	printf("second %d\n", pid);
}

/* A LOST comes of the first that finds no place, which counts the second, too. */
static void lose(int fd)
{
	must(add_watch(fd, op_add(KNELL_CHILDREN, 0, 4)) > 0, "children");
	for (int i = 0; i < RESERVE + 2; i++)
		waitpid(child(0), NULL, 0);
}

int main(void)
{
	struct knell_name name = { .name = "tracers" };
	int fd = knell_open(0), door = knell_open(0), second;
	struct knell_info info;
	struct knell_op op;
	int64_t user;

	must(fd >= 0 && door >= 0, KNELL_DEVICE);
	must(!ioctl(fd, KNELL_IOC_INFO, &info), "INFO");
	printf("queue %llu\n", (unsigned long long)info.id);
	tree(fd);
	process(fd);
	must(!ioctl(fd, KNELL_IOC_KEEP, &name), "KEEP");
	second = ioctl(door, KNELL_IOC_ATTACH, &name);
	must(second >= 0, "ATTACH");
	must(!ioctl(second, KNELL_IOC_INFO, &info), "INFO");
	user = add_watch(second, op_add(KNELL_USER, 0, 3));
	must(user > 0, "a doorbell");
	op = op_trigger(user, 1);
	must(!submit_op(second, &op), "TRIGGER");
	lose(second);
	name.flags = KNELL_KEEP_OFF;
	must(!ioctl(second, KNELL_IOC_KEEP, &name), "KEEP_OFF");
	return 0;
}
