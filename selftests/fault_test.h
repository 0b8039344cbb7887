/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Making one allocation fail: the Nth that a task does from now on, by CONFIG_FAILSLAB and
 * CONFIG_FAIL_PAGE_ALLOC (Documentation/fault-injection).
 */
#ifndef _FAULT_TEST_H
#define _FAULT_TEST_H

#include "process_test.h"

#define FAILSLAB	"/sys/kernel/debug/failslab/"
#define FAIL_PAGES	"/sys/kernel/debug/fail_page_alloc/"

/* @pid's file, 0 for the caller's, or -errno. It costs no allocation to use it. */
static inline int open_fail_nth(pid_t pid)
{
	char path[64] = "/proc/thread-self/fail-nth";
	int fd;

	if (pid)
		snprintf(path, sizeof(path), "/proc/%d/fail-nth", pid);
	fd = open(path, O_RDWR | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* The @n-th allocation from now on fails; 0: none. */
static inline void fail_nth(int fd, unsigned int n)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%u", n);

	if (pwrite(fd, text, len, 0) != len)
		_exit(BROKEN);
}

/* How many of them are left until then; none fails any more. */
static inline unsigned int fails_in(int fd)
{
	char text[16] = "";

	if (pread(fd, text, sizeof(text) - 1, 0) < 1)
		_exit(BROKEN);
	fail_nth(fd, 0);
	return atoi(text);
}

/* Whether it has come to that, and no more of it. */
static inline bool has_failed(int fd)
{
	return !fails_in(fd);
}

/* Any allocation may be the one, and nothing is printed about it. */
static inline int prepare_faults(void)
{
	int fd = open_fail_nth(0);
	int err;

	if (fd < 0)
		return fd;
	close(fd);
	err = write_file(FAILSLAB "probability", "0");
	err = err ?: write_file(FAILSLAB "cache-filter", "N");
	err = err ?: write_file(FAILSLAB "ignore-gfp-wait", "N");
	err = err ?: write_file(FAILSLAB "verbose", "0");
	if (err)
		return err;
	/* Kernels may have the one without the other. */
	err = write_file(FAIL_PAGES "ignore-gfp-wait", "N");
	err = err ?: write_file(FAIL_PAGES "min-order", "0");
	err = err ?: write_file(FAIL_PAGES "verbose", "0");
	return err == -ENOENT ? 0 : err;
}

/*
 * All allocations from one cache fail, whoever it is for; prepare_faults() ends it. The kernel has to
 * be booted with slub_debug=A,CACHE for it.
 */
static inline int fail_cache(const char *cache)
{
	char path[128], set = '0';
	int fd, err;

	snprintf(path, sizeof(path), "/sys/kernel/slab/%s/failslab", cache);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, &set, 1) != 1)
		set = '0';
	close(fd);
	if (set != '1')
		return -EOPNOTSUPP;
	err = write_file(FAILSLAB "cache-filter", "Y");
	err = err ?: write_file(FAILSLAB "times", "-1");
	return err ?: write_file(FAILSLAB "probability", "100");
}

#endif /* _FAULT_TEST_H */
