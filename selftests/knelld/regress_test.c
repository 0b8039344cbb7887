// SPDX-License-Identifier: GPL-2.0-only
/*
 * What has gone wrong in other supervisors, each by the number of the list it comes from
 * (DragonReach's sections 3 and 4): none of it must go wrong here.
 */
#include "host.h"

#define ENDS do {							\
	ASSERT_EQ(0, stop(self));					\
	EXPECT_TRUE(nothing_left());					\
} while (0)

static char *numbered(char *buf, const char *fmt, int i)
{
	sprintf(buf, fmt, i);
	return buf;
}

/* 3.3: one flag for two readers, and an exit is lost. */
TEST_F_TIMEOUT(knelld, no_exit_is_lost_in_a_burst, LIMIT_S)
{
	char name[48];

	for (int i = 0; i < 30; i++)
		unit(self, numbered(name, "s%d.service", i), "[Unit]\nStartLimitIntervalSec=0\n"
		     "[Service]\nRestart=always\nRestartSec=10ms\nExecStart=/bin/sleep 100000\n");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "startup finished: 30 started, 0 failed"));
	for (size_t round = 2; round < 5; round++) {
		kill(self->pid, SIGSTOP);
		for (int i = 0; i < 30; i++)
			kill(main_pid(self, numbered(name, "s%d.service", i)), SIGKILL);
		kill(self->pid, SIGCONT);
		for (int i = 0; i < 30; i++)
			ASSERT_TRUE(told_times(self, round,
					       numbered(name, "s%d.service: started, main", i)));
	}
	ENDS;
}

/* 3.3: exits during the boot are lost until another one comes. */
TEST_F_TIMEOUT(knelld, ends_before_the_boot_does, LIMIT_S)
{
	unit(self, "a.service", "[Service]\nExecStart=/bin/true\n");
	unit(self, "b.service", "[Service]\nType=oneshot\nExecStart=/bin/sleep 0.3\n");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "a.service: finished"));
	ASSERT_TRUE(told(self, "startup finished: 2 started"));
	ENDS;
}

/* 1.3: Type=oneshot never runs anything; 3.3: idle ones are never started. */
TEST_F_TIMEOUT(knelld, oneshot_and_idle_do_run, LIMIT_S)
{
	unit(self, "one.service", "[Service]\nType=oneshot\nExecStart=/bin/sh -c 'sleep 0.3; echo one >>@/ran'\n");
	unit(self, "idle.service", "[Service]\nType=idle\nExecStart=/bin/sh -c 'echo idle >>@/ran; exec sleep 100000'\n");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "startup finished: 2 started, 0 failed"));
	EXPECT_TRUE(in_order(self, "one.service: finished", "idle.service: started"));
	ENDS;
}

/* 1.3, 3.4: a missing program or a failed ExecStartPre= is shown as active. */
TEST_F_TIMEOUT(knelld, what_did_not_start_is_not_active, LIMIT_S)
{
	unit(self, "missing.service", "[Service]\nExecStart=/no/such/program\n");
	unit(self, "pre.service", "[Service]\nExecStartPre=/bin/false\nExecStart=/bin/sleep 100000\n");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "startup finished: 0 started, 2 failed"));
	EXPECT_TRUE(is(self, "missing.service", "failed"));
	EXPECT_TRUE(is(self, "pre.service", "failed"));
	ENDS;
}

/* 3.4: the kill timer of the last instance kills the next one. */
TEST_F_TIMEOUT(knelld, a_stop_timer_ends_with_its_run, LIMIT_S)
{
	pid_t pid;

	unit(self, "a.service", "[Unit]\nStartLimitIntervalSec=0\n[Service]\nRestart=always\n"
	     "RestartSec=10ms\nTimeoutStopSec=1s\nExecStart=/bin/sleep 100000\n");
	unit(self, "clock.service", "[Service]\nType=oneshot\nExecStart=/bin/sleep 2\n");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "a.service: started"));
	kill(main_pid(self, "a.service"), SIGKILL);
	ASSERT_TRUE(told_times(self, 2, "a.service: started"));
	pid = main_pid(self, "a.service");
	ASSERT_TRUE(told(self, "clock.service: finished"));
	EXPECT_TRUE(lives(pid));
	EXPECT_FALSE(has(self, "still there"));
	ENDS;
}

/* 3.4: B's end erases A's pending restart. */
TEST_F_TIMEOUT(knelld, timers_are_ones_own, LIMIT_S)
{
	unit(self, "a.service", "[Service]\nRestart=always\nRestartSec=1s\n"
	     "ExecStart=/bin/sh -c '[ -e @/a ] && exec sleep 100000; : >@/a'\n");
	unit(self, "b.service", "[Unit]\nStartLimitBurst=4\nStartLimitIntervalSec=1h\n[Service]\n"
	     "Restart=always\nRestartSec=10ms\nExecStart=/bin/true\n");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "b.service: start limit hit"));
	ASSERT_TRUE(told_times(self, 2, "a.service: started"));
	ENDS;
}

/* 3.4: what is stopped with Restart=always comes back. */
TEST_F_TIMEOUT(knelld, a_stop_is_a_stop, LIMIT_S)
{
	unit(self, "a.service", "[Service]\nRestart=always\nRestartSec=10ms\nTimeoutStopSec=5s\n"
	     "ExecStart=/bin/sleep 100000\nExecStop=/bin/sh -c 'kill -KILL $MAINPID'\n");
	unit(self, "clock.service", "[Install]\nWantedBy=x.target\n[Service]\nType=oneshot\n"
	     "ExecStart=/bin/sleep 1\n");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "a.service: started"));
	EXPECT_TRUE(asked(self, "StopUnits", "a.service", "\"done\""));
	EXPECT_TRUE(asked(self, "StartUnits", "clock.service", "\"done\""));
	EXPECT_FALSE(has(self, "a.service: restart in"));
	EXPECT_EQ(1, occurrences(self, "a.service: started"));
	ENDS;
}

/* 2: "start" of what runs starts a second copy, and the first is lost; 2: restart leaves the old one. */
TEST_F_TIMEOUT(knelld, there_is_one_copy, LIMIT_S)
{
	pid_t first;

	unit(self, "a.service", "[Service]\nRestartSec=10s\nRestart=always\nExecStart=/bin/sh -c "
	     "'echo $$$$ >>@/pids; exec sleep 100000'\n");
	ASSERT_TRUE(start(self));
	ASSERT_GT(pid_in(self, "pids"), 0);
	ASSERT_TRUE(told(self, "a.service: started"));
	first = main_pid(self, "a.service");
	EXPECT_TRUE(asked(self, "StartUnits", "a.service", "\"done\""));
	EXPECT_TRUE(asked(self, "RestartUnits", "a.service", "\"done\""));
	ASSERT_TRUE(told_times(self, 2, "a.service: started"));
	EXPECT_FALSE(lives(first));
	EXPECT_EQ(2, occurrences(self, "a.service: started"));
	ENDS;
}

/* 3.6: a command that hangs freezes everything. */
TEST_F_TIMEOUT(knelld, a_hung_command_holds_up_nobody, LIMIT_S)
{
	unit(self, "hung.service", "[Service]\nTimeoutStartSec=infinity\nExecStartPre=/bin/sleep 100000\n"
	     "ExecStart=/bin/true\n");
	unit(self, "a.service", "[Service]\nRestart=always\nRestartSec=10ms\nExecStart=/bin/sleep 100000\n");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "a.service: started"));
	kill(main_pid(self, "a.service"), SIGKILL);
	ASSERT_TRUE(told_times(self, 2, "a.service: started"));
	EXPECT_TRUE(is(self, "hung.service", "activating"));
	ENDS;
}

/* 3.6: commands of a stop have no end, ExecStopPost= is not run at one, ExecStop= is run twice. */
TEST_F_TIMEOUT(knelld, commands_of_a_stop_run_once, LIMIT_S)
{
	unit(self, "a.service", "[Service]\nTimeoutStopSec=5s\nExecStart=/bin/sleep 100000\n"
	     "ExecStop=/bin/sh -c 'echo stop >>@/ran'\nExecStopPost=/bin/sh -c 'echo post >>@/ran'\n");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "a.service: started"));
	EXPECT_TRUE(asked(self, "StopUnits", "a.service", "\"done\""));
	EXPECT_STREQ("stop\npost\n", contents(self, "ran"));
	ENDS;
}

/* 4: three units on one After= are taken for a cycle; Before= and After= of a pair recurse for ever. */
TEST_F_TIMEOUT(knelld, order_without_a_cycle, LIMIT_S)
{
	unit(self, "a.service", "[Unit]\nAfter=b.service c.service d.service e.service\n" SLEEPER);
	unit(self, "b.service", "[Unit]\nBefore=a.service\n" SLEEPER);
	unit(self, "c.service", "[Unit]\nRequires=b.service\nAfter=b.service\n" SLEEPER);
	unit(self, "d.service", "[Unit]\nRequires=e.service\n" SLEEPER);
	unit(self, "e.service", "[Unit]\nRequires=d.service\n" SLEEPER);
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "startup finished: 5 started, 0 failed"));
	EXPECT_FALSE(has(self, "cycle"));
	for (char c = 'b'; c < 'f'; c++) {
		char text[32];

		sprintf(text, "%c.service: started", c);
		EXPECT_EQ(1, occurrences(self, text));
		EXPECT_TRUE(in_order(self, text, "a.service: started"));
	}
	ENDS;
}

/* 4: After= starts what it names. */
TEST_F_TIMEOUT(knelld, order_starts_nothing, LIMIT_S)
{
	unit(self, "default.target", "[Unit]\nWants=a.service\n");
	unit(self, "a.service", "[Unit]\nAfter=b.service\n" SLEEPER);
	unit(self, "b.service", SLEEPER);
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "startup finished: 1 started, 0 failed"));
	EXPECT_TRUE(is(self, "b.service", "inactive"));
	ENDS;
}

/* 3.4, A10: a crash loop goes on as long as it may. */
TEST_F_TIMEOUT(knelld, a_crash_loop_goes_on, LIMIT_S)
{
	unit(self, "a.service", "[Unit]\nStartLimitIntervalSec=0\n[Service]\nRestart=on-failure\n"
	     "RestartSec=0\nExecStart=/bin/false\n");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told_times(self, 50, "a.service: restart in 0ms"));
	ENDS;
}

TEST_HARNESS_MAIN
