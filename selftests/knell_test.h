/* SPDX-License-Identifier: GPL-2.0-only */
/* What the knell selftests share: ops, submitting them, reading records. */
#ifndef _KNELL_TEST_H
#define _KNELL_TEST_H

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include <linux/knell.h>

#include "old_calls.h"

#define NSEC_PER_SEC	1000000000ULL
#define NSEC_PER_MSEC	1000000ULL

/*
 * How often a race is run that is run @n times by itself: less often by FEWER, which the Makefile of
 * this directory is told. Never 0 times, unless @n is less than FEWER.
 */
#ifndef FEWER
#define FEWER		1
#endif
#define rounds(n)	((n) / FEWER)

/* For what the kernel itself, and no part of knell, did otherwise up to a version. */
static inline bool kernel_before(int major, int minor)
{
	int has[2] = { 0, 0 };
	struct utsname name;

	uname(&name);
	sscanf(name.release, "%d.%d", &has[0], &has[1]);
	return has[0] < major || (has[0] == major && has[1] < minor);
}

/* A number from the environment, where the kernel puts what it does not know itself. */
static inline unsigned long wanted(const char *name, unsigned long otherwise)
{
	const char *text = getenv(name);

	return text ? strtoul(text, NULL, 0) : otherwise;
}

/* A number that a file tells; 0, if there is none. */
static inline int file_number(const char *path)
{
	char text[16] = "0";
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd >= 0 && read(fd, text, sizeof(text) - 1) < 0)
		abort();
	close(fd);
	return atoi(text);
}

static inline const char *module_file(void)
{
	return getenv("KNELL_KO") ?: "/lib/knell.ko";
}

/* The module, of this file and with these parameters: 0 or -errno. */
static inline int insert_from(const char *ko, const char *options)
{
	int fd = open(ko, O_RDONLY | O_CLOEXEC), err;

	if (fd < 0)
		return -errno;
	err = syscall(SYS_finit_module, fd, options, 0) ? -errno : 0;
	close(fd);
	return err;
}

static inline int insert_module(const char *options)
{
	return insert_from(module_file(), options);
}

/* 0, if it was not there, too, or -errno. */
static inline int remove_module(void)
{
	return syscall(SYS_delete_module, "knell", O_NONBLOCK) && errno != ENOENT ? -errno : 0;
}

/* Since 6.2 the pages of each CPU are added up by dozens: a small process may have had none. */
static inline bool small_rss_is_known(void)
{
	return kernel_before(6, 2);
}

static inline int knell_open(int flags)
{
	return open(KNELL_DEVICE, O_RDWR | O_CLOEXEC | flags);
}

/* Into a file that is there, such as one of /proc or /sys: 0 or -errno. */
static inline int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), err = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		err = -errno;
	close(fd);
	return err;
}

static inline uint64_t clock_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
}

static inline struct knell_op op_add(uint16_t type, uint32_t flags, uint64_t token)
{
	return (struct knell_op){ .op = KNELL_OP_ADD, .type = type, .flags = flags, .token = token };
}

static inline struct knell_op op_process(int pid, uint32_t flags, uint64_t token)
{
	struct knell_op op = op_add(KNELL_PROCESS, flags, token);

	op.process.pid = pid;
	return op;
}

static inline struct knell_op op_timer(uint32_t clockid, uint32_t flags, uint64_t expires_ns,
				       uint64_t interval_ns, uint64_t token)
{
	struct knell_op op = op_add(KNELL_TIMER, flags, token);

	op.timer.clockid = clockid;
	op.timer.expires_ns = expires_ns;
	op.timer.interval_ns = interval_ns;
	return op;
}

static inline struct knell_op op_del(uint32_t watch)
{
	return (struct knell_op){ .op = KNELL_OP_DEL, .watch = watch };
}

static inline struct knell_op op_trigger(uint32_t watch, uint64_t value)
{
	struct knell_op op = { .op = KNELL_OP_TRIGGER, .watch = watch };

	op.user.value = value;
	return op;
}

static inline struct knell_op op_kill(uint32_t watch, int sig)
{
	struct knell_op op = { .op = KNELL_OP_KILL, .watch = watch };

	op.kill.sig = sig;
	return op;
}

/* Submits @nr ops, waits for nothing; 0 or -errno of the call, results are in the ops. */
static inline int submit_ops(int fd, struct knell_op *ops, unsigned int nr)
{
	struct knell_submit s = { .ops = (uintptr_t)ops, .nr_ops = nr };

	return ioctl(fd, KNELL_IOC_SUBMIT, &s) < 0 ? -errno : 0;
}

/* Submits one op; its result, or -errno of the call. */
static inline int submit_op(int fd, struct knell_op *op)
{
	int err = submit_ops(fd, op, 1);

	return err ? err : op->result;
}

/* The handle of a new watch, or -errno. */
static inline int64_t add_watch(int fd, struct knell_op op)
{
	int err = submit_op(fd, &op);

	return err < 0 ? err : (int64_t)op.watch;
}

static inline int del_watch(int fd, uint32_t watch)
{
	struct knell_op op = op_del(watch);

	return submit_op(fd, &op);
}

/* Up to @nr records, waiting until @deadline_ns (0: not at all); how many, or -errno. */
static inline int wait_events(int fd, struct knell_event *ev, unsigned int nr, uint64_t deadline_ns)
{
	struct knell_submit s = { .events = (uintptr_t)ev, .nr_events = nr, .deadline_ns = deadline_ns };
	int n = ioctl(fd, KNELL_IOC_SUBMIT, &s);

	return n < 0 ? -errno : n;
}

#endif /* _KNELL_TEST_H */
