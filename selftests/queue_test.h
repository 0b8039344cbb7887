/* SPDX-License-Identifier: GPL-2.0-only */
/* What the selftests of the queue and of its timers and doorbells share. */
#ifndef _QUEUE_TEST_H
#define _QUEUE_TEST_H

#include <ctype.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>

#include "knell_test.h"

/* The harness makes a fixture's setup and teardown external. */
#pragma GCC diagnostic ignored "-Wmissing-prototypes"

#define S64_MAX		0x7fffffffffffffffULL
#define RECORD		((ssize_t)sizeof(struct knell_event))

/* Seconds a case may take under a slow emulator; reached only by one that hangs. */
#define LIMIT		(240 * SLOW)

#define HOUR_NS		(3600 * NSEC_PER_SEC)

/*
 * A fixture with one empty queue. It is non-blocking for read(2); SUBMIT, to
 * which O_NONBLOCK does not apply, is how a case waits.
 */
#define QUEUE_FIXTURE(name)					\
	FIXTURE(name) {						\
		int fd;						\
	};							\
	FIXTURE_SETUP(name)					\
	{							\
		self->fd = knell_open(O_NONBLOCK);		\
		ASSERT_LE(0, self->fd);				\
	}							\
	FIXTURE_TEARDOWN(name)					\
	{							\
		close(self->fd);				\
	}

static inline struct knell_op op_user(uint64_t token)
{
	return op_add(KNELL_USER, 0, token);
}

static inline struct knell_op op_mod(uint32_t watch, uint32_t flags, uint64_t token)
{
	return (struct knell_op){
		.op = KNELL_OP_MOD, .flags = flags, .watch = watch, .token = token,
	};
}

static inline struct knell_op op_mod_timer(uint32_t watch, uint32_t clockid, uint32_t flags,
					   uint64_t expires_ns, uint64_t interval_ns,
					   uint64_t token)
{
	struct knell_op op = op_mod(watch, flags, token);

	op.timer.clockid = clockid;
	op.timer.expires_ns = expires_ns;
	op.timer.interval_ns = interval_ns;
	return op;
}

static inline int trigger(int fd, uint32_t watch, uint64_t value)
{
	struct knell_op op = op_trigger(watch, value);

	return submit_op(fd, &op);
}

/* One record if there is one: 1, else 0, or -errno. */
static inline int take(int fd, struct knell_event *ev)
{
	ssize_t n = read(fd, ev, sizeof(*ev));

	if (n < 0)
		return errno == EAGAIN ? 0 : -errno;
	return n == RECORD ? 1 : -EPROTO;
}

/* One record, however long it takes. */
static inline int wait_event(int fd, struct knell_event *ev)
{
	return wait_events(fd, ev, 1, KNELL_FOREVER);
}

static inline struct knell_info queue_info(int fd)
{
	struct knell_info info;

	if (ioctl(fd, KNELL_IOC_INFO, &info) < 0) {
		perror("# KNELL_IOC_INFO");
		memset(&info, 0xff, sizeof(info));
	}
	return info;
}

static inline uint64_t nr_pending(int fd)
{
	return queue_info(fd).pending;
}

static inline uint64_t nr_watches(int fd)
{
	return queue_info(fd).watches;
}

/* Up to @nr watches above @after; how many, or -errno. */
static inline int list_watches(int fd, struct knell_watch_info *wi, unsigned int nr,
			       uint32_t after)
{
	struct knell_list list = { .watches = (uintptr_t)wi, .nr = nr, .after = after };

	return ioctl(fd, KNELL_IOC_LIST, &list) < 0 ? -errno : (int)list.nr;
}

/* What LIST tells of @watch; all zero if it is not there. */
static inline struct knell_watch_info watch_info(int fd, uint32_t watch)
{
	struct knell_watch_info wi = { };

	if (list_watches(fd, &wi, 1, watch - 1) != 1 || wi.watch != watch)
		memset(&wi, 0, sizeof(wi));
	return wi;
}

static inline int watch_state(int fd, uint32_t watch)
{
	struct knell_watch_info wi = watch_info(fd, watch);

	return wi.watch ? wi.state : -ENOENT;
}

/* @pages writable pages with one behind them that must not be touched; their end. */
static inline char *guarded(unsigned int pages)
{
	size_t page = sysconf(_SC_PAGESIZE);
	char *map = mmap(NULL, (pages + 1) * page, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (map == MAP_FAILED || mprotect(map + pages * page, page, PROT_NONE)) {
		perror("# guarded");
		abort();
	}
	return map + pages * page;
}

/* Memory that a forked child shares with its parent. */
static inline void *shared(size_t size)
{
	void *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (map == MAP_FAILED) {
		perror("# shared");
		abort();
	}
	return map;
}

static inline void pin_to_cpu(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static inline pid_t own_tid(void)
{
	return syscall(SYS_gettid);
}

/* Whether thread @tid of process @pid sleeps interruptibly in system call @nr. */
static inline int is_blocked(pid_t pid, pid_t tid, long nr)
{
	char path[64], buf[512], *p;
	long now = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/syscall", pid, tid);
	f = fopen(path, "r");
	if (!f)
		return 0;
	if (fscanf(f, "%ld", &now) != 1)
		now = -1;
	fclose(f);
	if (now != nr)
		return 0;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", pid, tid);
	f = fopen(path, "r");
	if (!f)
		return 0;
	p = fgets(buf, sizeof(buf), f) ? strrchr(buf, ')') : NULL;
	fclose(f);
	return p && p[1] == ' ' && p[2] == 'S';
}

/* Waits until that is so; there is no event for it, so it looks again and again. */
static inline void wait_blocked(pid_t pid, pid_t tid, long nr)
{
	const struct timespec ms = { .tv_nsec = NSEC_PER_MSEC };

	while (!is_blocked(pid, tid, nr))
		nanosleep(&ms, NULL);
}

/* How often thread @tid of this process has gone to sleep. */
static inline long nr_sleeps(pid_t pid, pid_t tid)
{
	char path[64], line[256];
	long n = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/status", pid, tid);
	f = fopen(path, "r");
	if (!f)
		return -1;
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "voluntary_ctxt_switches: %ld", &n) == 1)
			break;
	fclose(f);
	return n;
}

static inline void nop_handler(int sig)
{
	(void)sig;
}

static inline void catch_signal(int sig, void (*handler)(int), int flags)
{
	struct sigaction sa = { .sa_flags = flags };

	sa.sa_handler = handler;
	sigaction(sig, &sa, NULL);
}

/* Exit status of child @pid, or 256 and more if a signal ended it. */
static inline int child_status(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 256 + status;
}

/* In a function that runs in a forked child and returns its exit status. */
#define CHECK(cond)								\
	do {									\
		if (!(cond)) {							\
			fprintf(stderr, "# %s:%d: not so: %s\n",		\
				__FILE__, __LINE__, #cond);			\
			return 1;						\
		}								\
	} while (0)

/* A cheap generator of its own, so that a seed that is printed repeats a run. */
static inline uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

#endif /* _QUEUE_TEST_H */
