// SPDX-License-Identifier: GPL-2.0-only
/* No library at all: a pidfd for each child, epoll, waitid(2), close(2). */
#include <sys/epoll.h>

#include "../bench.h"
#include "loops.h"

#define BATCH	64

static int epoll = -1;
static int *fds;

static const char *name(void)
{
	return "pidfd_epoll";
}

static void children_open(unsigned int nr, bool reap)
{
	if (!reap)
		die("pidfd_epoll without zombies", 0);
	epoll = (int)must("epoll_create1", sys(SYS_epoll_create1, EPOLL_CLOEXEC, 0, 0, 0, 0));
	fds = calloc(nr, sizeof(*fds));
	if (!fds)
		die("calloc", -ENOMEM);
}

static pid_t children_start(unsigned int i)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.u64 = i };
	pid_t pid = clone_sleeper();

	fds[i] = (int)must("pidfd_open", sys(SYS_pidfd_open, pid, 0, 0, 0, 0));
	must("epoll_ctl", sys(SYS_epoll_ctl, epoll, EPOLL_CTL_ADD, fds[i], (long)&ev, 0));
	return pid;
}

static void children_turn(bool sleep)
{
	struct epoll_event ev[BATCH];
	unsigned int c;
	siginfo_t si;
	long i, got;

	got = must("epoll_wait", sys(SYS_epoll_wait, epoll, (long)ev, BATCH, sleep ? -1 : 0, 0));
	for (i = 0; i < got; i++) {
		c = (unsigned int)ev[i].data.u64;
		must("waitid", sys(SYS_waitid, P_PIDFD, fds[c], (long)&si, WEXITED, 0));
		/* The last descriptor of a pidfd takes it out of epoll, too. */
		must("close", sys(SYS_close, fds[c], 0, 0, 0, 0));
		heard_exit(c, si.si_pid,
			    si.si_code == CLD_EXITED ? si.si_status << 8 : si.si_status);
	}
}

static uint64_t children_calls(void)
{
	return nr_calls;
}

static const struct child_way child_way = {
	children_open, children_start, children_turn, children_calls,
};

struct peer peer_pidfd = { .name_it = name, .children = &child_way };
