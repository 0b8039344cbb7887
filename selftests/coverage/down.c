// SPDX-License-Identifier: GPL-2.0-only
/*
 * PID 1 of a machine that has the module's coverage build and goes down with it: what it does a minute
 * after its last tree, and amid a restart and a panic, while a death is told. The kernel's log has at the end
 * where it was (knell_coverage.c); the second serial port has "ok" or "not ok" of what is seen here.
 */
#include <fcntl.h>
#include <linux/reboot.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <linux/knell_blackbox.h>

#include "knell_test.h"

#define BOX		"box_addr=0x10000000 box_size=0x10000"
#define SEEN		"/sys/module/knell_coverage/parameters/seen"	/* how many edges there were */
#define LAST		"/sys/module/knell_coverage/parameters/last"
/* For longer than the module keeps its probes when nobody needs them. */
#define PATIENCE_S	100

static int port = -1;

static void check(bool so, const char *what)
{
	dprintf(port, "%s %s\n", so ? "ok" : "not ok", what);
}

/* Nobody needs the probes any more. True if the module does something of its own then. */
static bool probes_go(void)
{
	int fd = knell_open(0), before;
	bool was = add_watch(fd, op_add(KNELL_TREE, 0, 1)) > 0;

	close(fd);
	sleep(2);
	before = file_number(SEEN);
	for (int i = 0; was && i < PATIENCE_S && file_number(SEEN) == before; i++)
		sleep(1);
	return was && file_number(SEEN) > before;
}

/* A process that is watched, and is to die in the end. */
static bool watch_last(void)
{
	int fd = knell_open(0);
	pid_t pid = fork();
	char text[16];

	if (!pid)
		for (;;)
			pause();
	snprintf(text, sizeof(text), "%d", pid);
	return add_watch(fd, op_process(pid, 0, 1)) > 0 && !write_file(LAST, text);
}

int main(void)
{
	mkdir("/dev", 0755);
	mkdir("/proc", 0755);
	mkdir("/sys", 0755);
	mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
	mount("proc", "/proc", "proc", 0, NULL);
	mount("sysfs", "/sys", "sysfs", 0, NULL);
	port = open("/dev/ttyS1", O_WRONLY | O_NOCTTY | O_CLOEXEC);
	check(!insert_from("/knell_coverage.ko", ""), "the coverage can be told");
	check(!insert_from("/knell.ko", BOX) && !access(KNELL_BOX_FILE, F_OK), "the module is there, with a black box");
	check(probes_go(), "its probes go when nobody has needed them for a while");
	check(watch_last(), "a process is watched that is to die");
	/* Its buffer is the kernel's. */
	sleep(1);
	reboot(RB_AUTOBOOT);
	check(false, "the machine goes down");
	for (;;)
		pause();
}
