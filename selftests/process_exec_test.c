// SPDX-License-Identifier: GPL-2.0-only
/*
 * ADD by pid while a thread of the target execs, over and over: the thread becomes the leader and
 * the old one is EXIT_DEAD for an instant, yet nobody has died. A module that takes the one for the
 * other was caught about once in 3,000 execs.
 */
/* runner-limit: 900 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "kselftest_harness.h"
#include "knell_test.h"

/* The harness makes a fixture's setup and teardown global. */
#pragma GCC diagnostic ignored "-Wmissing-prototypes"

#define EXECS		rounds(3000)
#define LAST_STATUS	7
#define ENV_LEFT	"KNELL_EXECS_LEFT"

static void *exec_again(void *left)
{
	char value[16];

	snprintf(value, sizeof(value), "%d", *(int *)left - 1);
	setenv(ENV_LEFT, value, 1);
	execl("/proc/self/exe", "process_exec_test", NULL);
	_exit(1);
}

/* In the target, before the harness gets to see anything: hands on to a thread that execs. */
static void __attribute__((constructor)) be_the_target(void)
{
	const char *value = getenv(ENV_LEFT);
	static int left;
	pthread_t thread;

	if (!value)
		return;
	left = atoi(value);
	if (!left)
		_exit(LAST_STATUS);
	if (pthread_create(&thread, NULL, exec_again, &left))
		_exit(1);
	for (;;)
		pause();
}

static pid_t start_target(void)
{
	int left = EXECS + 1;
	pid_t pid = fork();

	if (!pid)
		exec_again(&left);
	return pid;
}

/* ADD and DEL in turn until there is a record; how many ADDs, or -errno of one. */
static long add_until_record(int fd, pid_t pid, struct knell_event *ev)
{
	for (long adds = 1; ; adds++) {
		int64_t watch = add_watch(fd, op_process(pid, 0, 0));

		if (watch < 0)
			return watch;
		if (read(fd, ev, sizeof(*ev)) == sizeof(*ev))
			return adds;
		/* A record that came just now goes with it: the next ADD finds the zombie. */
		del_watch(fd, watch);
	}
}

FIXTURE(exec) { };

FIXTURE_SETUP(exec)
{
}

FIXTURE_TEARDOWN(exec)
{
}

TEST_F_TIMEOUT(exec, add_while_a_thread_execs, 800)
{
	struct knell_event ev;
	siginfo_t si = { 0 };
	int fd = knell_open(O_NONBLOCK);
	pid_t pid = start_target();
	long adds;

	ASSERT_GE(fd, 0);
	ASSERT_GT(pid, 0);
	adds = add_until_record(fd, pid, &ev);
	ASSERT_GT(adds, EXECS);
	EXPECT_EQ(ev.exit.pid, pid);
	EXPECT_EQ(ev.exit.status, LAST_STATUS << 8);
	ASSERT_EQ(waitid(P_PID, pid, &si, WEXITED | WNOHANG), 0);
	EXPECT_EQ(si.si_pid, pid);
	EXPECT_EQ(si.si_status, LAST_STATUS);
	close(fd);
}

TEST_HARNESS_MAIN
