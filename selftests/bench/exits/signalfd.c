// SPDX-License-Identifier: GPL-2.0-only
/* signalfd for SIGCHLD, then waitid(P_ALL) until there is none. */
#include <sys/signalfd.h>

#include "exits.h"

static void enrol(unsigned int n)
{
	sigset_t set;

	(void)n;
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	must("rt_sigprocmask", sys(SYS_rt_sigprocmask, SIG_BLOCK, (long)&set, 0, 8, 0));
	queue_fd = (int)must("signalfd4", sys(SYS_signalfd4, -1, (long)&set, 8, SFD_CLOEXEC, 0));
}

static void consume(unsigned int n)
{
	static struct signalfd_siginfo sig[BATCH];
	siginfo_t si;
	long ret;

	while (n) {
		must("read", sys(SYS_read, queue_fd, (long)sig, sizeof(sig), 0, 0));
		nr_reads++;
		/* One signal stands for any number of exits: ask until there is none. */
		for (;;) {
			si.si_pid = 0;
			ret = sys(SYS_waitid, P_ALL, 0, (long)&si, WEXITED | WNOHANG, 0);
			if (ret == -ECHILD || !si.si_pid)
				break;
			must("waitid", ret);
			heard(child_of_pid[si.si_pid], status_word(&si));
			n--;
		}
	}
}

static void finish(void)
{
	sigset_t set;

	queue_close();
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	must("rt_sigprocmask", sys(SYS_rt_sigprocmask, SIG_UNBLOCK, (long)&set, 0, 8, 0));
}

const struct way signalfd_waitid = {
	.name = "signalfd", .calls = &nr_calls,
	.enrol = enrol, .consume = consume, .finish = finish,
};
