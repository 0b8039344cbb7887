/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Making one allocation fail: the Nth that a task does from now on, by CONFIG_FAILSLAB,
 * CONFIG_FAIL_PAGE_ALLOC and CONFIG_FAULT_INJECTION_USERCOPY (Documentation/fault-injection), of
 * which copies count with the others; or, of the module alone and with all else that can fail, by the
 * module's fault build (fault/fault.c).
 */
#ifndef _FAULT_TEST_H
#define _FAULT_TEST_H

#include "process_test.h"

#define FAILSLAB	"/sys/kernel/debug/failslab/"
#define FAIL_PAGES	"/sys/kernel/debug/fail_page_alloc/"
#define FAIL_COPIES	"/sys/kernel/debug/fail_usercopy/"
#define FAULT_KO	"/lib/knell-fault.ko"
#define FAULT_SITES	"/lib/knell-fault.sites"
#define FAULT_PARAM	"/sys/module/knell/parameters/fault"
#define ALWAYS_PARAM	"/sys/module/knell/parameters/always"
#define LIVE_PARAM	"/sys/module/knell/parameters/live"
#define KMSG		"/dev/kmsg"
#define SITES_MAX	1024

/**
 * struct fault_sites - from where the module asks for what can fail; all tests share it
 * @built: there is a fault build of the module, which is what fails; else the kernel does
 * @nr: of them
 * @site: "FUNCTION+0xOFFSET SYMBOL", and whether it has failed
 */
struct fault_sites {
	bool built;
	unsigned int nr;
	struct {
		char name[120];
		bool failed;
	} site[SITES_MAX];
};

static struct fault_sites *sites;

/* What one read of a parameter tells, or "". */
static inline char *read_param(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, size - 1);

	buf[n < 0 ? 0 : n] = 0;
	if (fd >= 0)
		close(fd);
	return buf;
}

/* That one has failed; @where is "FUNCTION+0xOFFSET/0xSIZE", of @symbol. */
static inline void site_failed(const char *where, const char *symbol)
{
	char name[160];

	snprintf(name, sizeof(name), "%.*s %s", (int)strcspn(where, "/"), where, symbol);
	for (unsigned int i = 0; i < sites->nr; i++)
		if (!strcmp(sites->site[i].name, name))
			sites->site[i].failed = true;
}

/* Of thread @tid: how many are left, and if it has come to that the error in @err. */
static inline unsigned int built_left(pid_t tid, int *err)
{
	char text[4096], symbol[64], where[128], *line, *end;
	unsigned int left;
	pid_t of;

	read_param(FAULT_PARAM, text, sizeof(text));
	for (line = strtok_r(text, "\n", &end); line; line = strtok_r(NULL, "\n", &end)) {
		if (sscanf(line, "%d %u %d %63s %127s", &of, &left, err, symbol, where) != 5)
			_exit(BROKEN);
		if (of != tid)
			continue;
		if (!left)
			site_failed(where, symbol);
		return left;
	}
	_exit(BROKEN);
}

static inline void built_arm(pid_t tid, unsigned int n)
{
	char text[32];

	snprintf(text, sizeof(text), "%d:%u", tid, n);
	if (write_file(FAULT_PARAM, text))
		_exit(BROKEN);
}

/* What the kernel says from now on. */
static inline int open_kmsg(void)
{
	int fd = open(KMSG, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd >= 0 && lseek(fd, 0, SEEK_END) < 0)
		return -errno;
	return fd;
}

/*
 * What has failed by what the kernel has said since: its errno, or 0. Of the memory that a module was
 * given that came or went *@live pieces are left.
 */
static inline int failed_by_kmsg(int kmsg, int *live)
{
	char line[1024], symbol[64], where[128], *said;
	int err = 0;
	ssize_t n;

	*live = 0;
	while ((n = read(kmsg, line, sizeof(line) - 1)) > 0) {
		line[n] = 0;
		said = strstr(line, ";knell_fault_live: ");
		if (said)
			sscanf(said, ";knell_fault_live: %d", live);
		said = strstr(line, ";knell_fault: ");
		if (said && sscanf(said, ";knell_fault: %d %63s %127s", &err, symbol, where) == 3)
			site_failed(where, symbol);
	}
	return err;
}

/* Instead of a thread. */
#define WORKERS		0
#define WORKERS_TOO	(-1)

/* Whose each descriptor of open_fail_nth() is, and what its latest failure comes out as. */
static pid_t fault_tid[1024];
static int fault_errno = ENOMEM;

/* @pid's file, 0 for the caller's, or -errno. It costs no allocation to use it. */
static inline int open_fail_nth(pid_t pid)
{
	char path[64] = "/proc/thread-self/fail-nth";
	int fd;

	if (pid)
		snprintf(path, sizeof(path), "/proc/%d/fail-nth", pid);
	if (sites && sites->built)
		strcpy(path, "/dev/null");
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd >= 0)
		fault_tid[fd] = pid ? pid : own_tid();
	return fd < 0 ? -errno : fd;
}

/* The @n-th allocation from now on fails; 0: none. */
static inline void fail_nth(int fd, unsigned int n)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%u", n);

	if (sites->built)
		built_arm(fault_tid[fd], n);
	/* That copy may have been the one that was to fail. */
	else if (pwrite(fd, text, len, 0) != len && (errno != EFAULT || pwrite(fd, text, len, 0) != len))
		_exit(BROKEN);
}

/* How many of them are left until then; none fails any more. */
static inline unsigned int fails_in(int fd)
{
	char text[16] = "";
	unsigned int left;

	if (sites->built)
		left = built_left(fault_tid[fd], &fault_errno);
	else if (pread(fd, text, sizeof(text) - 1, 0) > 0)
		left = atoi(text);
	/* What was left is the copy of what is left. */
	else if (errno == EFAULT)
		left = 1;
	else
		_exit(BROKEN);
	fail_nth(fd, 0);
	return left;
}

/* Whether it has come to that, and no more of it. */
static inline bool has_failed(int fd)
{
	return !fails_in(fd);
}

/* Whether @err is the errno of what has failed. */
static inline bool is_right(int err)
{
	return sites->built ? err == -fault_errno : err == -ENOMEM || err == -EFAULT;
}

/* Memory that the module was given and has not given back. */
static inline int live_memory(void)
{
	char text[16];

	return sites->built ? atoi(read_param(LIVE_PARAM, text, sizeof(text))) : 0;
}

/* Any allocation may be the one, and nothing is printed about it. */
static inline int prepare_faults(void)
{
	int fd, err;

	if (sites->built)
		return write_file(ALWAYS_PARAM, "-");
	fd = open_fail_nth(0);
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
	if (err && err != -ENOENT)
		return err;
	err = write_file(FAIL_COPIES "verbose", "0");
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

	/* From whichever cache: kmalloc() is none of these. */
	if (sites->built)
		return write_file(ALWAYS_PARAM, "kmem_cache_alloc");
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
