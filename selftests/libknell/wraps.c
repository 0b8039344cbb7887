// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the libraries call of libc goes through here (helpers.mk): to be counted, to have something
 * done right before, and to fail. See helpers.h.
 */
#include <dirent.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/timerfd.h>

#include <linux/knell.h>

#include "helpers.h"

volatile sig_atomic_t raise_before_sleep, raise_after_calls;
void (*call_before_sleep)(void);
atomic_ulong sleeping_calls;

static void before_sleep(void)
{
	void (*fn)(void) = call_before_sleep;
	int sig = raise_before_sleep;

	if (fn) {
		call_before_sleep = NULL;
		fn();
	}
	atomic_fetch_add_explicit(&sleeping_calls, 1, memory_order_relaxed);
	if (sig && raise_after_calls) {
		raise_after_calls--;
	} else if (sig) {
		raise_before_sleep = 0;
		raise(sig);
	}
}

/*
 * System calls that fail.
 */

static long calls_left = -1;
static int call_error;
static const char *call_failed;

void fail_call(long after, int error)
{
	call_failed = NULL;
	call_error = error;
	calls_left = after;
}

const char *failed_call(void)
{
	return call_failed;
}

/*
 * Is it this one's turn, of those that may have that error? @may: the errors, 0 behind them. Those
 * that do not sleep, all waitid(2) of the library's among them, no signal ends.
 */
static bool call_fails(const char *name, const int *may)
{
	if (calls_left < 0)
		return false;
	while (*may && *may != call_error)
		may++;
	if (!*may || calls_left--)
		return false;
	call_failed = name;
	errno = call_error;
	return true;
}

#define FAILS(name, ...) call_fails(name, (const int[]){ __VA_ARGS__, 0 })

/* A call that the linker sends here, and the one that it was. */
#define WRAP(type, name, ...)							\
	type __real_##name(__VA_ARGS__);					\
	type __wrap_##name(__VA_ARGS__);					\
	type __wrap_##name(__VA_ARGS__)

/* Whatever it was called with is in these registers. */
WRAP(long, syscall, long nr, long a, long b, long c, long d, long e, long f)
{
	before_sleep();
	if (nr == SYS_pidfd_open && FAILS("pidfd_open", EMFILE, ENOMEM))
		return -1;
	if (nr == SYS_epoll_pwait2 && FAILS("epoll_pwait2", EINTR))
		return -1;
	return __real_syscall(nr, a, b, c, d, e, f);
}

/* Does not sleep, but it is called when the loop has made up its mind to. */
WRAP(int, timerfd_settime, int fd, int flags, const struct itimerspec *its, struct itimerspec *old)
{
	before_sleep();
	return __real_timerfd_settime(fd, flags, its, old);
}

/* A queue, an eventfd and a timerfd cannot fail but for a signal, or for having nothing to say. */
WRAP(ssize_t, read, int fd, void *buf, size_t len)
{
	struct stat st;
	bool file;

	before_sleep();
	if (calls_left >= 0) {
		file = !fstat(fd, &st) && S_ISREG(st.st_mode);
		if (file ? FAILS("read a file", EINTR, ENOMEM, EIO) : FAILS("read", EINTR))
			return -1;
	}
	return __real_read(fd, buf, len);
}

int __real_ioctl(int fd, unsigned long req, void *arg);

/*
 * KNELL_IOC_SUBMIT: a signal ends its sleep, and what it was told first was done. For want of memory,
 * or of quota, an ADD has failed that is one of many.
 */
static int failing_submit(int fd, unsigned long req, struct knell_submit *s)
{
	struct knell_op *op = (struct knell_op *)(uintptr_t)s->ops, del = { .op = KNELL_OP_DEL };
	struct knell_submit undo = { .ops = (uintptr_t)&del, .nr_ops = 1 };
	unsigned int adds = 0;
	int ret;

	for (unsigned int i = 0; i < s->nr_ops; i++)
		adds += op[i].op == KNELL_OP_ADD;
	if (s->nr_events && FAILS("SUBMIT, asleep", EINTR)) {
		if (!s->nr_ops)
			return -1;
		s->nr_events = 0;
	} else if (!adds || !FAILS("ADD", ENOMEM, ENOSPC)) {
		return __real_ioctl(fd, req, s);
	}
	if (call_error == EINTR)
		return __real_ioctl(fd, req, s);
	while (op->op != KNELL_OP_ADD)
		op++;
	s->nr_events = 0;
	ret = __real_ioctl(fd, req, s);
	del.watch = op->watch;
	if (op->result >= 0 && __real_ioctl(fd, req, &undo) < 0)
		abort();
	op->result = -call_error;
	return ret;
}

WRAP(int, ioctl, int fd, unsigned long req, void *arg)
{
	before_sleep();
	if (calls_left >= 0 && req == KNELL_IOC_SUBMIT)
		return failing_submit(fd, req, arg);
	if (req == KNELL_IOC_LIST && FAILS("LIST", ENOMEM))
		return -1;
	return __real_ioctl(fd, req, arg);
}

WRAP(int, epoll_wait, int fd, struct epoll_event *ev, int nr, int timeout)
{
	before_sleep();
	return FAILS("epoll_wait", EINTR) ? -1 : __real_epoll_wait(fd, ev, nr, timeout);
}

WRAP(int, epoll_pwait, int fd, struct epoll_event *ev, int nr, int timeout, const sigset_t *mask)
{
	before_sleep();
	return FAILS("epoll_pwait", EINTR) ? -1 : __real_epoll_pwait(fd, ev, nr, timeout, mask);
}

WRAP(int, epoll_pwait2, int fd, struct epoll_event *ev, int nr, const struct timespec *timeout,
     const sigset_t *mask)
{
	before_sleep();
	return FAILS("epoll_pwait2", EINTR) ? -1 : __real_epoll_pwait2(fd, ev, nr, timeout, mask);
}

WRAP(int, poll, struct pollfd *fds, nfds_t nr, int timeout)
{
	before_sleep();
	return FAILS("poll", EINTR, ENOMEM) ? -1 : __real_poll(fds, nr, timeout);
}

WRAP(int, ppoll, struct pollfd *fds, nfds_t nr, const struct timespec *ts, const sigset_t *mask)
{
	before_sleep();
	return FAILS("ppoll", EINTR, ENOMEM) ? -1 : __real_ppoll(fds, nr, ts, mask);
}

WRAP(int, epoll_create1, int flags)
{
	return FAILS("epoll_create1", EMFILE, ENOMEM) ? -1 : __real_epoll_create1(flags);
}

WRAP(int, epoll_ctl, int ep, int op, int fd, struct epoll_event *ev)
{
	if (op == EPOLL_CTL_ADD && FAILS("epoll_ctl", ENOMEM, ENOSPC))
		return -1;
	return __real_epoll_ctl(ep, op, fd, ev);
}

WRAP(int, eventfd, unsigned int count, int flags)
{
	return FAILS("eventfd", EMFILE, ENOMEM) ? -1 : __real_eventfd(count, flags);
}

WRAP(int, timerfd_create, int clock, int flags)
{
	return FAILS("timerfd_create", EMFILE, ENOMEM) ? -1 : __real_timerfd_create(clock, flags);
}

WRAP(int, open, const char *path, int flags, ...)
{
	va_list ap;
	int mode;

	va_start(ap, flags);
	mode = flags & O_CREAT ? va_arg(ap, int) : 0;
	va_end(ap);
	return FAILS("open", EINTR, ENOMEM, EMFILE, EIO) ? -1 : __real_open(path, flags, mode);
}

WRAP(DIR *, opendir, const char *path)
{
	return FAILS("opendir", EINTR, ENOMEM, EMFILE, EIO) ? NULL : __real_opendir(path);
}

WRAP(struct dirent *, readdir, DIR *dir)
{
	return FAILS("readdir", EINTR, EIO) ? NULL : __real_readdir(dir);
}

/*
 * Memory and threads that are not to be had.
 */

static atomic_long allocations_left = -1;
static atomic_bool allocation_was_failed, fail_for_good;

void fail_allocation(long after, bool for_good)
{
	allocation_was_failed = false;
	fail_for_good = for_good;
	allocations_left = after;
}

bool allocation_failed(void)
{
	return allocation_was_failed;
}

static bool allocation_fails(void)
{
	long left = atomic_load_explicit(&allocations_left, memory_order_relaxed);

	if (left < 0)
		return false;
	if (left > 0) {
		atomic_fetch_sub_explicit(&allocations_left, 1, memory_order_relaxed);
		return false;
	}
	if (!fail_for_good)
		allocations_left = -1;
	allocation_was_failed = true;
	errno = ENOMEM;
	return true;
}

WRAP(void *, malloc, size_t size)
{
	return allocation_fails() ? NULL : __real_malloc(size);
}

WRAP(void *, calloc, size_t nr, size_t size)
{
	return allocation_fails() ? NULL : __real_calloc(nr, size);
}

WRAP(void *, realloc, void *p, size_t size)
{
	return allocation_fails() ? NULL : __real_realloc(p, size);
}

WRAP(void *, reallocarray, void *p, size_t nr, size_t size)
{
	return allocation_fails() ? NULL : __real_reallocarray(p, nr, size);
}

WRAP(void *, aligned_alloc, size_t align, size_t size)
{
	return allocation_fails() ? NULL : __real_aligned_alloc(align, size);
}

WRAP(int, posix_memalign, void **p, size_t align, size_t size)
{
	return allocation_fails() ? ENOMEM : __real_posix_memalign(p, align, size);
}

WRAP(char *, strdup, const char *s)
{
	return allocation_fails() ? NULL : __real_strdup(s);
}

WRAP(char *, strndup, const char *s, size_t len)
{
	return allocation_fails() ? NULL : __real_strndup(s, len);
}

WRAP(void *, mmap, void *addr, size_t len, int prot, int flags, int fd, off_t off)
{
	return allocation_fails() ? (void *)-1 : __real_mmap(addr, len, prot, flags, fd, off);
}

atomic_int fail_threads;
atomic_int threads_created;

WRAP(int, pthread_create, pthread_t *thread, const pthread_attr_t *attr, void *(*fn)(void *), void *arg)
{
	if (fail_threads > 0) {
		fail_threads--;
		return EAGAIN;
	}
	threads_created++;
	return __real_pthread_create(thread, attr, fn, arg);
}
