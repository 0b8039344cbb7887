// SPDX-License-Identifier: GPL-2.0-only
/*
 * A pidfd for each child, and epoll. Zombies are waited for; or there are none, and the pidfd, which says
 * EPOLLHUP once the process is gone, tells how it has ended: PIDFD_GET_INFO, with exits since Linux 6.15.
 */
#include <sys/epoll.h>

#include "exits.h"

#define GET_INFO	_IOWR(0xff, 11, struct info)
#define INFO_EXIT	(1ULL << 3)

/* As of its first version: the headers here may be older. */
struct info {
	uint64_t mask, cgroup;
	uint32_t ids[11];
	int32_t exit_code;
};

static void watch(unsigned int n, uint32_t what)
{
	struct epoll_event ev = { .events = what };
	unsigned int i;

	queue_fd = (int)must("epoll_create1", sys(SYS_epoll_create1, EPOLL_CLOEXEC, 0, 0, 0, 0));
	for (i = 0; i < n; i++) {
		children[i].pidfd = (int)must("pidfd_open", sys(SYS_pidfd_open, children[i].pid,
								0, 0, 0, 0));
		ev.data.u64 = i;
		must("epoll_ctl", sys(SYS_epoll_ctl, queue_fd, EPOLL_CTL_ADD, children[i].pidfd,
				      (long)&ev, 0));
	}
}

static void pidfd_enrol(unsigned int n)
{
	watch(n, EPOLLIN);
}

static void info_enrol(unsigned int n)
{
	watch(n, 0);
}

/* @status_of: of one that is over */
static inline void take(unsigned int n, int (*status_of)(int pidfd))
{
	static struct epoll_event ev[BATCH];
	unsigned int c;
	long i, got;

	for (; n; n -= (unsigned int)got) {
		got = must("epoll_wait", sys(SYS_epoll_wait, queue_fd, (long)ev, BATCH, -1, 0));
		nr_reads++;
		for (i = 0; i < got; i++) {
			c = (unsigned int)ev[i].data.u64;
			heard(c, status_of(children[c].pidfd));
			/* The last descriptor of a pidfd takes it out of epoll, too. */
			must("close", sys(SYS_close, children[c].pidfd, 0, 0, 0, 0));
		}
	}
}

static inline int wait_for(int pidfd)
{
	siginfo_t si;

	must("waitid", sys(SYS_waitid, P_PIDFD, pidfd, (long)&si, WEXITED, 0));
	return status_word(&si);
}

static inline int ask(int pidfd)
{
	struct info info = { .mask = INFO_EXIT };

	must("PIDFD_GET_INFO", sys(SYS_ioctl, pidfd, (long)GET_INFO, (long)&info, 0, 0));
	if (!(info.mask & INFO_EXIT))
		die("PIDFD_GET_INFO of a process that is gone", 0);
	return info.exit_code;
}

static void pidfd_consume(unsigned int n)
{
	take(n, wait_for);
}

static void info_consume(unsigned int n)
{
	take(n, ask);
}

static const char *info_missing(void)
{
	struct info info = { .mask = INFO_EXIT };
	int pid = clone_child(), fd;
	long ret;

	if (!pid)
		sys(SYS_exit_group, 0, 0, 0, 0, 0);
	fd = (int)must("pidfd_open", sys(SYS_pidfd_open, pid, 0, 0, 0, 0));
	must("waitid", waitid(P_PID, (id_t)pid, NULL, WEXITED));
	ret = sys(SYS_ioctl, fd, (long)GET_INFO, (long)&info, 0, 0);
	close(fd);
	return !ret && info.mask & INFO_EXIT ? NULL : "PIDFD_GET_INFO tells of exits since Linux 6.15";
}

const struct way pidfd_epoll = {
	.name = "pidfd_epoll", .calls = &nr_calls,
	.enrol = pidfd_enrol, .consume = pidfd_consume, .finish = queue_close,
};

const struct way pidfd_info = {
	.name = "pidfd_info", .nocldwait = true, .calls = &nr_calls, .missing = info_missing,
	.enrol = info_enrol, .consume = info_consume, .finish = queue_close,
};
