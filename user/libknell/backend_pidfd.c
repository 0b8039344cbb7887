// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A loop that sleeps in epoll: descriptors, a pidfd for each child, a timerfd for each clock
 * that needs one, an eventfd as doorbell. For kernels without the module.
 *
 * Descriptors are one-shot, so that what is closed while a copy of it lives cannot spin. The
 * others are edge-triggered: they need not be read.
 */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "internal.h"

#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal	424
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open		434
#endif
#ifndef SYS_epoll_pwait2
#define SYS_epoll_pwait2	441
#endif
#define ID_PIDFD		3	/* P_PIDFD, of waitid() */

struct pidfd_loop {
	int ep;
	int bell;
	int timer[HEAPS];		/* -1: not made yet */
	uint64_t due[HEAPS];		/* KNELL_NEVER: not set */
	bool no_pwait2;			/* before Linux 5.11 */
	bool at_once;			/* something was heard of already */
	size_t scanned;			/* children without a pidfd */
	bool scan;			/* they are to be looked at */
	struct epoll_event event[];	/* loop.batch */
};

/*
 * epoll_event.data: a descriptor is odd, and says of which turn; these are no addresses; the
 * rest are sources. A source is told of nowhere but in here, and is off before it goes.
 */
#define DATA_BELL		UINT64_C(2)
#define DATA_TIMER(clock)	(UINT64_C(4) + 2 * (clock))
#define DATA_TIMERS_END		DATA_TIMER(HEAPS)
#define DATA_FD(fd, turn)	((uint64_t)(turn) << 32 | (uint32_t)(fd) << 1 | 1)

static int ctl(struct knell_loop *l, int op, int fd, uint32_t events, uint64_t data)
{
	struct pidfd_loop *p = l->backend;
	struct epoll_event ev = { .events = events, .data.u64 = data };

	l->stats.count.syscalls++;
	return epoll_ctl(p->ep, op, fd, &ev) ? -errno : 0;
}

/*
 * Descriptors
 */

static void fd_arm(struct knell_loop *l, struct io *io, uint32_t events)
{
	if (!io->armed && events)
		l->armed++;
	else if (io->armed && !events)
		l->armed--;
	io->armed = events;
}

/* epoll does not take it: a file that is always ready, or an error that its tasks are told. */
static void fd_refused(struct knell_loop *l, int fd, uint32_t wanted, int err)
{
	struct pidfd_loop *p = l->backend;
	bool ready = err == -EPERM;

	p->at_once = true;
	if (wanted & EPOLLIN)
		io_event(l, fd, KNELL_KIND_READ, ready ? EPOLLIN : EPOLLERR, ready ? 0 : -err,
			 knell_now(l));
	if (wanted & EPOLLOUT)
		io_event(l, fd, KNELL_KIND_WRITE, ready ? EPOLLOUT : EPOLLERR, ready ? 0 : -err,
			 knell_now(l));
}

/*
 * It may have been closed and its number be another's since: whatever was known of it need
 * not be so, and even if the same is wanted as before it has to be told.
 */
static void fd_tell(struct knell_loop *l, int fd)
{
	struct io *io = io_find(l, fd);
	uint32_t wanted = io_wanted(l, io);
	int op = io->known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
	uint64_t data;
	int err;

	if (!wanted) {
		if (io->armed)
			ctl(l, EPOLL_CTL_DEL, fd, 0, 0);
		io->known = io->known && !io->armed;
		fd_arm(l, io, 0);
		return;
	}
	data = DATA_FD(fd, ++io->gen);
	err = ctl(l, op, fd, wanted | EPOLLONESHOT, data);
	if (err == -ENOENT || err == -EEXIST) {
		op = op == EPOLL_CTL_MOD ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
		err = ctl(l, op, fd, wanted | EPOLLONESHOT, data);
	}
	io->known = !err;
	fd_arm(l, io, err ? 0 : wanted);
	if (err)
		fd_refused(l, fd, wanted, err);
}

static void fds_tell(struct knell_loop *l)
{
	int fd;

	while ((fd = io_next_dirty(l)) >= 0)
		fd_tell(l, fd);
}

static void fd_heard(struct knell_loop *l, uint64_t data, uint32_t events, uint64_t when)
{
	int fd = (uint32_t)data >> 1;
	struct io *io = io_find(l, fd);
	uint32_t wanted;

	/* Of a descriptor that was closed before; the number may be another's. */
	if (!io || !io->armed || io->gen != data >> 32)
		return;
	fd_arm(l, io, 0);
	wanted = io_wanted(l, io);
	if (wanted & EPOLLIN && events & ~(uint32_t)EPOLLOUT)
		io_event(l, fd, KNELL_KIND_READ, events & ~(uint32_t)EPOLLOUT, 0, when);
	if (wanted & EPOLLOUT && events & ~(uint32_t)EPOLLIN)
		io_event(l, fd, KNELL_KIND_WRITE, events & ~(uint32_t)EPOLLIN, 0, when);
	/* The other direction was disarmed with it. */
	if (io_wanted(l, io))
		io_touch(l, fd);
}

/*
 * Clocks
 */

static const clockid_t clock_ids[HEAPS] = {
	[HEAP_MONOTONIC] = CLOCK_MONOTONIC,
	[HEAP_REALTIME] = CLOCK_REALTIME,
	[HEAP_BOOTTIME] = CLOCK_BOOTTIME,
};

static int timer_open(struct knell_loop *l, enum heap_id clock)
{
	struct pidfd_loop *p = l->backend;
	int err;

	l->stats.count.syscalls++;
	p->timer[clock] = timerfd_create(clock_ids[clock], TFD_CLOEXEC | TFD_NONBLOCK);
	if (p->timer[clock] < 0)
		return -errno;
	err = ctl(l, EPOLL_CTL_ADD, p->timer[clock], EPOLLIN | EPOLLET, DATA_TIMER(clock));
	if (err) {
		close(p->timer[clock]);
		p->timer[clock] = -1;
	}
	return err;
}

/* Absolute: if the clock is set the kernel knows what that means for its timers. */
static int timer_set(struct knell_loop *l, enum heap_id clock, uint64_t due)
{
	struct pidfd_loop *p = l->backend;
	struct itimerspec its = { 0 };
	int err;

	if (due == p->due[clock])
		return 0;
	if (p->timer[clock] < 0) {
		err = timer_open(l, clock);
		if (err)
			return err;
	}
	if (due != KNELL_NEVER) {
		its.it_value.tv_sec = due / NSEC_PER_SEC;
		its.it_value.tv_nsec = due % NSEC_PER_SEC;
		if (!due)
			its.it_value.tv_nsec = 1;
	}
	l->stats.count.syscalls++;
	if (timerfd_settime(p->timer[clock], TFD_TIMER_ABSTIME, &its, NULL))
		return -errno;
	p->due[clock] = due;
	return 0;
}

static int pidfd_clock_set(struct knell_loop *l, enum heap_id clock, uint64_t deadline)
{
	struct pidfd_loop *p = l->backend;
	bool was = p->due[clock] != KNELL_NEVER;
	int err = timer_set(l, clock, deadline);

	if (!err)
		l->armed += (deadline != KNELL_NEVER) - was;
	return err;
}

/* Due, as far as the kernel knows: who wants it again has to set it again. */
static void timer_heard(struct knell_loop *l, enum heap_id clock)
{
	struct pidfd_loop *p = l->backend;

	if (p->due[clock] == KNELL_NEVER)
		return;
	p->due[clock] = KNELL_NEVER;
	if (clock == HEAP_MONOTONIC)
		return;
	l->armed--;
	l->clock.told[clock] = KNELL_NEVER;
}

/*
 * Children
 */

/* There are no pidfds in some sandboxes, nor in valgrind. Only children can be watched there. */
static int scan_watch(struct knell_loop *l, struct source *s)
{
	struct pidfd_loop *p = l->backend;
	siginfo_t info;
	int err;

	l->stats.count.syscalls++;
	if (waitid(P_PID, s->pid, &info, WEXITED | WNOHANG | WNOWAIT | __WALL))
		return kill(s->pid, 0) && errno == ESRCH ? -ESRCH : -EOPNOTSUPP;
	err = signal_child_use(l);
	if (err)
		return err;
	s->scanned = true;
	p->scanned++;
	p->scan = true;
	l->armed++;
	return 0;
}

/* EINVAL, or ENOENT by Linux 6.15: a thread's id, or a process that is being reaped right now. */
static int why_no_pidfd(pid_t pid, int error)
{
	if (error != EINVAL && error != ENOENT)
		return -error;
	return kill(pid, 0) && errno == ESRCH ? -ESRCH : -EINVAL;
}

static int pidfd_child_watch(struct knell_loop *l, struct source *s)
{
	int err;

	if (s->flags & (KNELL_CHILD_NEXT | KNELL_CHILD_SUBTREE))
		return -EOPNOTSUPP;
	l->stats.count.syscalls++;
	s->fd = syscall(SYS_pidfd_open, s->pid, 0);
	if (s->fd < 0 && (errno == ENOSYS || errno == EPERM))
		return scan_watch(l, s);
	if (s->fd < 0)
		return why_no_pidfd(s->pid, errno);
	err = ctl(l, EPOLL_CTL_ADD, s->fd, EPOLLIN | EPOLLET, (uintptr_t)s);
	if (err) {
		close(s->fd);
		s->fd = -1;
		return err;
	}
	l->armed++;
	return 0;
}

static void pidfd_child_unwatch(struct knell_loop *l, struct source *s)
{
	struct pidfd_loop *p = l->backend;

	if (s->kind == SOURCE_CHILDREN) {
		signal_child_unuse(l);
	} else if (s->scanned) {
		s->scanned = false;
		p->scanned--;
		l->armed--;
		signal_child_unuse(l);
	} else if (s->fd >= 0) {
		/* A forked child may have it open, so that close() alone would not do. */
		ctl(l, EPOLL_CTL_DEL, s->fd, 0, 0);
		l->stats.count.syscalls++;
		close(s->fd);
		s->fd = -1;
		l->armed--;
	}
}

static uint64_t tv_ns(const struct timeval *tv)
{
	return (uint64_t)tv->tv_sec * NSEC_PER_SEC + (uint64_t)tv->tv_usec * NSEC_PER_USEC;
}

void child_fill(struct knell_child *end, const siginfo_t *info, const struct rusage *ru)
{
	end->code = info->si_code;
	end->status = info->si_status;
	if (info->si_code == CLD_EXITED)
		end->wstatus = (info->si_status & 0xff) << 8;
	else
		end->wstatus = info->si_status | (info->si_code == CLD_DUMPED ? 0x80 : 0);
	end->uid = info->si_uid;
	end->flags = KNELL_CHILDF_USAGE;
	end->utime_ns = tv_ns(&ru->ru_utime);
	end->stime_ns = tv_ns(&ru->ru_stime);
	end->maxrss_kb = ru->ru_maxrss;
	end->minflt = ru->ru_minflt;
	end->majflt = ru->ru_majflt;
	end->nvcsw = ru->ru_nvcsw;
	end->nivcsw = ru->ru_nivcsw;
}

static void child_heard(struct knell_loop *l, struct source *s, uint64_t when)
{
	int how = WEXITED | WNOHANG | __WALL | (s->flags & KNELL_CHILD_AUTOREAP ? 0 : WNOWAIT);
	struct knell_child end = { .pid = s->pid, .exit_ns = clock_raw() };
	siginfo_t info = { 0 };
	struct rusage ru;
	long err;

	/* The system call, unlike the function, tells of the usage, too. */
	l->stats.count.syscalls++;
	err = s->scanned ? syscall(SYS_waitid, P_PID, s->pid, &info, how, &ru) :
			   syscall(SYS_waitid, ID_PIDFD, s->fd, &info, how, &ru);
	if (err)
		/* No child of ours, or another thread has taken it. */
		end.flags = KNELL_CHILDF_NOSTATUS;
	else if (info.si_pid)
		child_fill(&end, &info, &ru);
	else
		/*
		 * Lives, when they are scanned. Or a debugger sees it first; when it lets go there
		 * is another edge.
		 */
		return;
	pidfd_child_unwatch(l, s);
	child_ended(l, s, &end, when);
}

static void pidfd_sigchld(struct knell_loop *l)
{
	struct pidfd_loop *p = l->backend;

	p->scan = p->scanned;
}

static void scan(struct knell_loop *l)
{
	uint64_t when = clock_from_raw(l, clock_raw());
	struct source *next;

	for (struct source *s = l->sources.all; s; s = next) {
		next = s->all_next;
		if (s->scanned)
			child_heard(l, s, when);
	}
}

/* While it is a child that has not been waited for its pid is its own. */
static int scanned_kill(struct knell_loop *l, const struct source *s, int sig)
{
	siginfo_t info = { 0 };

	l->stats.count.syscalls += 2;
	if (waitid(P_PID, s->pid, &info, WEXITED | WNOHANG | WNOWAIT | __WALL) || info.si_pid)
		return -ESRCH;
	return kill(s->pid, sig) ? -errno : 0;
}

/* -ESRCH also for a zombie, whom kill(2) would seem to reach. */
static int pidfd_child_kill(struct knell_loop *l, struct source *s, int sig)
{
	struct pollfd pfd = { .fd = s->fd, .events = POLLIN };

	if (s->scanned)
		return scanned_kill(l, s, sig);
	if (s->fd < 0)
		return -ESRCH;
	l->stats.count.syscalls += 2;
	if (poll(&pfd, 1, 0) > 0)
		return -ESRCH;
	return syscall(SYS_pidfd_send_signal, s->fd, sig, NULL, 0) ? -errno : 0;
}

static int pidfd_children_watch(struct knell_loop *l, struct source *s)
{
	s->fd = -1;
	return signal_child_use(l);
}

/*
 * The loop
 */

static int pidfd_open(struct knell_loop *l, const struct knell_loop_attr *attr)
{
	struct pidfd_loop *p = calloc(1, sizeof(*p) + l->batch * sizeof(p->event[0]));
	int err;

	(void)attr;
	if (!p)
		return -ENOMEM;
	l->backend = p;
	for (int i = 0; i < HEAPS; i++) {
		p->timer[i] = -1;
		p->due[i] = KNELL_NEVER;
	}
	p->ep = epoll_create1(EPOLL_CLOEXEC);
	if (p->ep < 0) {
		err = -errno;
		goto err_free;
	}
	p->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (p->bell < 0) {
		err = -errno;
		goto err_ep;
	}
	err = ctl(l, EPOLL_CTL_ADD, p->bell, EPOLLIN | EPOLLET, DATA_BELL);
	if (err)
		goto err_bell;
	return 0;

err_bell:
	close(p->bell);
err_ep:
	close(p->ep);
err_free:
	free(p);
	l->backend = NULL;
	return err;
}

/* Closing would not do for a pidfd that a forked child has, but the epoll goes, too. */
static void pidfd_close(struct knell_loop *l)
{
	struct pidfd_loop *p = l->backend;

	for (struct source *s = l->sources.all; s; s = s->all_next)
		if (s->fd >= 0)
			close(s->fd);
	for (int i = 0; i < HEAPS; i++)
		if (p->timer[i] >= 0)
			close(p->timer[i]);
	close(p->bell);
	close(p->ep);
	free(p);
	l->backend = NULL;
}

/* Where there is no epoll_pwait2(). Milliseconds if all else fails; never early. */
static int wait_by_timer(struct knell_loop *l, uint64_t until, uint64_t now)
{
	struct pidfd_loop *p = l->backend;
	uint64_t ms = (until - now + NSEC_PER_MSEC - 1) / NSEC_PER_MSEC;
	int timeout = ms < INT_MAX ? (int)ms : INT_MAX;

	if (!timer_set(l, HEAP_MONOTONIC, until))
		timeout = -1;
	return epoll_wait(p->ep, p->event, l->batch, timeout);
}

static int wait_until(struct knell_loop *l, uint64_t until)
{
	struct pidfd_loop *p = l->backend;
	struct { int64_t sec, nsec; } ts;	/* of the kernel, for any word size */
	uint64_t now;
	int nr;

	l->stats.count.syscalls++;
	if (!until)
		return epoll_wait(p->ep, p->event, l->batch, 0);
	if (until == KNELL_NEVER)
		return epoll_wait(p->ep, p->event, l->batch, -1);
	now = clock_raw();
	if (until <= now)
		return epoll_wait(p->ep, p->event, l->batch, 0);
	if (!p->no_pwait2) {
		ts.sec = (until - now) / NSEC_PER_SEC;
		ts.nsec = (until - now) % NSEC_PER_SEC;
		nr = syscall(SYS_epoll_pwait2, p->ep, p->event, l->batch, &ts, NULL, 0);
		/* EPERM: what some sandboxes say to what they do not know */
		if (nr >= 0 || (errno != ENOSYS && errno != EPERM))
			return nr;
		p->no_pwait2 = true;
	}
	return wait_by_timer(l, until, now);
}

static int pidfd_poll(struct knell_loop *l, uint64_t until)
{
	struct pidfd_loop *p = l->backend;
	uint64_t data, when;
	int nr;

	fds_tell(l);
	if (p->scan)
		scan(l);
	if (p->at_once || p->scan)
		until = 0;
	p->at_once = false;
	p->scan = false;
	if (!until && !l->armed && !l->embedded)
		return 0;
	nr = wait_until(l, until);
	if (nr < 0)
		return errno == EINTR ? 0 : -errno;
	if (!nr)
		return 0;
	stats_batch(l, nr, l->batch);
	when = clock_from_raw(l, clock_raw());
	for (int i = 0; i < nr; i++) {
		data = p->event[i].data.u64;
		if (data & 1)
			fd_heard(l, data, p->event[i].events, when);
		else if (data >= DATA_TIMERS_END)
			child_heard(l, (struct source *)(uintptr_t)data, when);
		else if (data != DATA_BELL)
			timer_heard(l, (data - DATA_TIMER(0)) / 2);
	}
	return 0;
}

static void pidfd_ring(struct knell_loop *l)
{
	struct pidfd_loop *p = l->backend;
	uint64_t one = 1;
	int err = errno;
	/* Cannot fail before it was rung 2^64 times. */
	ssize_t ret = write(p->bell, &one, sizeof(one));

	(void)ret;
	errno = err;
}

/* What needs a descriptor is made before the loop is relied upon. */
static int pidfd_fd(struct knell_loop *l)
{
	struct pidfd_loop *p = l->backend;
	int err = p->timer[HEAP_MONOTONIC] < 0 ? timer_open(l, HEAP_MONOTONIC) : 0;

	return err ? err : p->ep;
}

static int pidfd_flush(struct knell_loop *l, uint64_t until)
{
	struct pidfd_loop *p = l->backend;

	fds_tell(l);
	if (p->at_once || p->scan)
		until = 0;
	/* What was heard of is in the loop's lists. */
	p->at_once = false;
	if (!l->embedded)
		return 0;
	return timer_set(l, HEAP_MONOTONIC, until);
}

const struct backend_ops backend_pidfd = {
	.id = KNELL_BACKEND_PIDFD,
	.open = pidfd_open,
	.close = pidfd_close,
	.poll = pidfd_poll,
	.ring = pidfd_ring,
	.fd = pidfd_fd,
	.flush = pidfd_flush,
	.clock_set = pidfd_clock_set,
	.child_watch = pidfd_child_watch,
	.child_unwatch = pidfd_child_unwatch,
	.child_kill = pidfd_child_kill,
	.children_watch = pidfd_children_watch,
	.sigchld = pidfd_sigchld,
};
