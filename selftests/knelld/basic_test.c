// SPDX-License-Identifier: GPL-2.0-only
/* The least that knelld does: starts, ends, restarts, stops, and nothing is left over. */
#include "host.h"

TEST_F_TIMEOUT(knelld, a_simple_service_comes_up_and_goes, LIMIT_S)
{
	unit(self, "a.service", SLEEPER);
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "a.service: started, main process "));
	ASSERT_TRUE(lives(main_pid(self, "a.service")));
	ASSERT_EQ(0, stop(self));
	EXPECT_TRUE(has(self, "killed by SIGTERM"));
	EXPECT_TRUE(has(self, "a.service: stopped\n"));
	EXPECT_TRUE(nothing_left());
}

TEST_F_TIMEOUT(knelld, a_oneshot_is_waited_for, LIMIT_S)
{
	unit(self, "a.service", "[Unit]\nAfter=b.service\n[Service]\nExecStart=/bin/sh -c 'cat @/b >@/a'\n");
	unit(self, "b.service", "[Service]\nType=oneshot\nExecStart=/bin/sh -c 'sleep 1; echo b >@/b'\n"
	     "ExecStart=/bin/sh -c 'echo c >>@/b'\n");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "a.service: finished"));
	EXPECT_STREQ("b\nc\n", contents(self, "a"));
	ASSERT_EQ(0, stop(self));
	EXPECT_TRUE(nothing_left());
}

TEST_F_TIMEOUT(knelld, a_killed_one_is_back, LIMIT_S)
{
	pid_t first;

	unit(self, "a.service", "[Service]\nRestart=always\nRestartSec=10ms\n"
	     "ExecStart=/bin/sleep 100000\n");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "a.service: started"));
	first = main_pid(self, "a.service");
	kill(first, SIGKILL);
	ASSERT_TRUE(told_times(self, 2, "a.service: started"));
	EXPECT_NE(first, main_pid(self, "a.service"));
	EXPECT_FALSE(lives(first));
	ASSERT_EQ(0, stop(self));
	EXPECT_TRUE(nothing_left());
}

TEST_F_TIMEOUT(knelld, what_it_leaves_behind_is_killed_with_it, LIMIT_S)
{
	unit(self, "a.service", "[Service]\nTimeoutStopSec=300ms\n"
	     "ExecStart=/bin/sh -c 'trap \"\" TERM; sleep 100000 & echo $$! >@/pid; exec sleep 200000'\n");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "a.service: started"));
	ASSERT_GT(pid_in(self, "pid"), 0);
	kill(main_pid(self, "a.service"), SIGKILL);
	/* The group goes on without its leader until it is killed. */
	ASSERT_TRUE(told(self, "a.service: failed, result signal"));
	EXPECT_FALSE(lives(pid_in(self, "pid")));
	EXPECT_TRUE(has(self, "still there after 300ms, SIGKILL"));
	ASSERT_EQ(0, stop(self));
	EXPECT_TRUE(nothing_left());
}

/* With the module they are nobody's business but the first process's: ../knelld_test.c. */
#ifndef GUEST
TEST_F_TIMEOUT(knelld, orphans_leave_no_zombies, LIMIT_S)
{
	unit(self, "a.service", "[Service]\nExecStart=/bin/sh -c "
	     "'setsid sh -c \"sleep 0.2 & echo \\$$! >@/pid\"; exec sleep 100000'\n");
	ASSERT_TRUE(start(self));
	ASSERT_GT(pid_in(self, "pid"), 0);
	while (!kill(pid_in(self, "pid"), 0))
		ASSERT_TRUE(look_again(patience_ends()));
	ASSERT_EQ(0, stop(self));
	EXPECT_TRUE(nothing_left());
}
#endif

TEST_HARNESS_MAIN
