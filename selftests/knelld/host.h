/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * knelld on this machine, without the module, or in the guest with it: what ../knelld_test.h has,
 * and a look at what is left.
 *
 *	TEST_F_TIMEOUT(knelld, name, LIMIT_S)
 *	{
 *		unit(self, "a.service", SLEEPER);	writes a unit file, "@" is the directory
 *		ASSERT_TRUE(start(self));		knelld on it; $KNELLD is which
 *		ASSERT_TRUE(told(self, "text"));	sleeps until the log has that
 *		kill(main_pid(self, "a.service"), SIGKILL);
 *		ASSERT_EQ(0, stop(self));		SIGTERM, reads the log to its end
 *		ASSERT_TRUE(nothing_left());
 *	}
 *
 * stop() returns when nobody has the other end of the log any more, so all processes that knelld has
 * made are gone then, unless they have closed it; nothing_left() sees these, too.
 */
#ifndef _KNELLD_HOST_H
#define _KNELLD_HOST_H

/* In the guest the same tests are run with the module. */
#ifndef GUEST
#define BACKEND "--backend=pidfd"
#endif
/* Whoever is not root has a manager of its own. */
#define MORE_OPTIONS "--control", path_of(self, "control"), geteuid() ? "--user" : BACKEND,
#include "../knelld_test.h"

/*
 * Of a process that the log has not named yet the number is -1, and kill(2) takes that for
 * everybody: on this machine that would be you.
 */
static int kill_one(pid_t pid, int sig)
{
	if (pid <= 1)
		abort();
	return kill(pid, sig);
}
#define kill kill_one

/* Sends SIGSTOP and waits until it has: what it had not read by then it does not read. */
static inline bool halts(pid_t pid)
{
	uint64_t end = patience_ends();

	kill(pid, SIGSTOP);
	while (state_of(pid) != 'T')
		if (!look_again(end))
			return false;
	return true;
}

/* Whatever loses its parent becomes a child of the test; each runs in a process of its own. */
static void __attribute__((constructor)) adopt(void)
{
	prctl(PR_SET_CHILD_SUBREAPER, 1);
}

/* It has closed all that it had, but is no zombie yet. */
static bool is_ending(pid_t pid)
{
	char line[512];
	const char *stat = stat_of(pid, line, sizeof(line));
	unsigned int flags;

	return !stat || (sscanf(stat, " %*c %*d %*d %*d %*d %*d %u", &flags) == 1 && flags & 4);
}

static bool all_are_ending(void)
{
	FILE *f = fopen("/proc/thread-self/children", "r");
	bool all = f;
	int pid;

	while (all && fscanf(f, "%d", &pid) == 1)
		all = is_ending(pid);
	if (f)
		fclose(f);
	return all;
}

/* Is there no process of this test? Zombies of the dead are taken away. */
static bool nothing_left(void)
{
	uint64_t end = patience_ends();
	pid_t pid;

	/* The harness's child does not inherit the attribute; its parent has it and would. */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	do {
		pid = waitpid(-1, NULL, WNOHANG);
	} while (pid > 0 || (!pid && all_are_ending() && look_again(end)));
	return pid < 0 && errno == ECHILD;
}

/* As start(), and whatever is left behind can be seen. */
static bool start_seen(fixture *self)
{
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	if (geteuid())
		setenv("XDG_RUNTIME_DIR", self->dir, 1);
	return start(self);
}
#define start start_seen

/* How most tests end: knelld does, and takes all along. */
#define ENDS do {							\
	ASSERT_EQ(0, stop(self));					\
	EXPECT_TRUE(nothing_left());					\
} while (0)

/* The test's own program, for services that are to do what no other does. */
static inline const char *myself(void)
{
	static char exe[256];

	if (readlink("/proc/self/exe", exe, sizeof(exe) - 1) < 0)
		abort();
	return exe;
}

#endif /* _KNELLD_HOST_H */
