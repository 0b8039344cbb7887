// SPDX-License-Identifier: GPL-2.0-only
/*
 * What went wrong in DragonReach, each by the number of the section that tells of it
 * (dragonreach.md, 1 to 4): dr_SECTION_WHAT. Where there is more to it than one case it is shown
 * elsewhere:
 *
 *	1.1, 1.2	selftests/unit (text_test.c, load_test.c, keys_test.c): the whole grammar and all keys
 *	1.2		deps_test.c: each kind of dependency
 *	1.5, 3.5	timer_test.c, selftests/unit/timer_test.c
 *	2		hostile_test.c, ../knellctl: each verb
 *	3.3, 5		defects_test.c, in the guest ../keep_kill_test.c, ../process_stress_test.c
 *	3.4		restart_test.c: each policy by each end
 *
 * Of its acceptance list (7.3): A1 to A5 and A7 scale_test.c, in the guest ../knelld_load_test.c
 * (idle_is_idle_and_awake_at_once, idle_after_a_takeover); A6, A11, A12 are bench/'s; A8
 * dr_3_4_timers_are_ones_own and dr_3_4_a_stop_timer_ends_with_its_run; A9 hostile_test.c; A10 dr_3_4_a_crash_loop_goes_on.
 *
 * runner-limit: 1800
 */
#include "host.h"

static char *numbered(char *buf, const char *fmt, int i)
{
	sprintf(buf, fmt, i);
	return buf;
}

/* 3.3: one flag for two readers, and an exit is lost. */
TEST_F_TIMEOUT(knelld, dr_3_3_no_exit_is_lost_in_a_burst, LIMIT_S)
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
TEST_F_TIMEOUT(knelld, dr_3_3_ends_before_the_boot_does, LIMIT_S)
{
	unit(self, "a.service", "[Service]\nExecStart=/bin/true\n");
	unit(self, "b.service", "[Service]\nType=oneshot\nExecStart=/bin/sleep 0.3\n");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "a.service: finished"));
	ASSERT_TRUE(told(self, "startup finished: 2 started"));
	ENDS;
}

/* 1.3: Type=oneshot never runs anything; 3.3: idle ones are never started. */
TEST_F_TIMEOUT(knelld, dr_1_3_oneshot_and_idle_do_run, LIMIT_S)
{
	unit(self, "one.service", "[Service]\nType=oneshot\nExecStart=/bin/sh -c "
	     "'sleep 0.3; echo one >>@/ran'\n");
	unit(self, "idle.service", "[Service]\nType=idle\nExecStart=/bin/sh -c "
	     "'echo idle >>@/ran; exec sleep 100000'\n");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "startup finished: 2 started, 0 failed"));
	EXPECT_TRUE(in_order(self, "one.service: finished", "idle.service: started"));
	ENDS;
}

/* 1.3, 3.4: a missing program or a failed ExecStartPre= is shown as active. */
TEST_F_TIMEOUT(knelld, dr_3_4_what_did_not_start_is_not_active, LIMIT_S)
{
	unit(self, "missing.service", "[Service]\nExecStart=/no/such/program\n");
	unit(self, "pre.service", "[Service]\nExecStartPre=/bin/false\n"
	     "ExecStart=/bin/sleep 100000\n");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "startup finished: 0 started, 2 failed"));
	EXPECT_TRUE(is(self, "missing.service", "failed"));
	EXPECT_TRUE(is(self, "pre.service", "failed"));
	ENDS;
}

/* 3.4: the kill timer of the last instance kills the next one. */
TEST_F_TIMEOUT(knelld, dr_3_4_a_stop_timer_ends_with_its_run, LIMIT_S)
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
TEST_F_TIMEOUT(knelld, dr_3_4_timers_are_ones_own, LIMIT_S)
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
TEST_F_TIMEOUT(knelld, dr_3_4_a_stop_is_a_stop, LIMIT_S)
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

/* 2: "start" of what runs starts a second copy, the first is lost; restart leaves the old one. */
TEST_F_TIMEOUT(knelld, dr_2_there_is_one_copy, LIMIT_S)
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
TEST_F_TIMEOUT(knelld, dr_3_6_a_hung_command_holds_up_nobody, LIMIT_S)
{
	unit(self, "hung.service", "[Service]\nTimeoutStartSec=infinity\n"
	     "ExecStartPre=/bin/sleep 100000\nExecStart=/bin/true\n");
	unit(self, "a.service", "[Service]\nRestart=always\nRestartSec=10ms\n"
	     "ExecStart=/bin/sleep 100000\n");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "a.service: started"));
	kill(main_pid(self, "a.service"), SIGKILL);
	ASSERT_TRUE(told_times(self, 2, "a.service: started"));
	EXPECT_TRUE(is(self, "hung.service", "activating"));
	ENDS;
}

/* 3.6: commands of a stop have no end, ExecStopPost= is not run at one, ExecStop= is run twice. */
TEST_F_TIMEOUT(knelld, dr_3_6_commands_of_a_stop_run_once, LIMIT_S)
{
	unit(self, "a.service", "[Service]\nTimeoutStopSec=5s\nExecStart=/bin/sleep 100000\n"
	     "ExecStop=/bin/sh -c 'echo stop >>@/ran'\n"
	     "ExecStopPost=/bin/sh -c 'echo post >>@/ran'\n");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "a.service: started"));
	EXPECT_TRUE(asked(self, "StopUnits", "a.service", "\"done\""));
	EXPECT_STREQ("stop\npost\n", contents(self, "ran"));
	ENDS;
}

/* 4: three units on one After= are a cycle; Before= and After= of a pair recurse for ever. */
TEST_F_TIMEOUT(knelld, dr_4_order_without_a_cycle, LIMIT_S)
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
TEST_F_TIMEOUT(knelld, dr_4_order_starts_nothing, LIMIT_S)
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
TEST_F_TIMEOUT(knelld, dr_3_4_a_crash_loop_goes_on, LIMIT_S)
{
	unit(self, "a.service", "[Unit]\nStartLimitIntervalSec=0\n[Service]\nRestart=on-failure\n"
	     "RestartSec=0\nExecStart=/bin/false\n");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told_times(self, 50, "a.service: restart in 0ms"));
	ENDS;
}

/*
 * 1.1: with an unknown key, section or comment the unit is refused; the line after a continued one
 * is lost; a later word that is a path is another command; no quotes, resets or $VARIABLES.
 */
TEST_F_TIMEOUT(knelld, dr_1_1_text_that_was_refused, LIMIT_S)
{
	unit(self, "env", "# comment\n\n; another\nD=d\n");
	unit(self, "a.service", "[Unit]\nDescription=a\nNonsense=1\n; a comment\n  # one more\n"
	     "[Nowhere]\nA=b\n[Service]\nType=oneshot\nAfter=wrong.section\nRestart=no\n"
	     "ExecStart=\nEnvironment=A=1 B=2 \"C=b=c d\"\nEnvironmentFile=-/no/such\n"
	     "EnvironmentFile=@/env\n"
	     "ExecStart=/bin/sh -c 'echo $$A $B \"$$C\" $${D} $$0 /etc/hostname >>@/out' \\\n"
	     "  zero\nExecStart=-/bin/false\nExecStartPost=/bin/sh -c 'echo post >>@/out'\n");
	unit(self, "b.service", "[Service]\nRestart=on-failure\nRestartSec=1.05s\n"
	     "ExecStart=/bin/false\n");
	/* Its end is amid a line: an index beyond the last one, and the first process is gone. */
	unit(self, "end.service", "[Service]\nType=oneshot\nExecStart=/bin/sh -c ': >@/end' \\");
	unit(self, "empty.service", "[Service]\nExecStart=\n");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "a.service: finished"));
	ASSERT_TRUE(told(self, "end.service: finished"));
	/* Leading zeros of a fraction count. */
	ASSERT_TRUE(told(self, "b.service: restart in 1.050s"));
	EXPECT_EQ(0, access(path_of(self, "end"), F_OK));
	EXPECT_STREQ("1 2 b=c d d zero /etc/hostname\npost\n", contents(self, "out"));
	EXPECT_TRUE(has(self, "a.service:3: "));
	EXPECT_FALSE(has(self, "a.service:4: "));
	EXPECT_TRUE(is(self, "empty.service", "inactive"));
	ENDS;
}

/* 1.3: forking and notify ran nothing, and were shown as active; so were dbus and oneshot. */
TEST_F_TIMEOUT(knelld, dr_1_3_forking_runs, LIMIT_S)
{
	unit(self, "forks.service", "[Service]\nType=forking\nExecStart=/bin/sh -c "
	     "'sleep 100000 & echo $$! >@/forks'\n");
	unit(self, "never.service", "[Service]\nType=notify\nTimeoutStartSec=1s\n"
	     "ExecStart=/bin/sh -c ': >@/notify; exec sleep 100000'\n");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "forks.service: started"));
	ASSERT_TRUE(appears(self, "notify"));
	EXPECT_TRUE(lives(pid_in(self, "forks")));
	ASSERT_TRUE(told(self, "never.service: failed, result timeout"));
	EXPECT_TRUE(asked(self, "StopUnits", "forks.service", "\"done\""));
	EXPECT_FALSE(lives(pid_in(self, "forks")));
	ENDS;
}

/*
 * 1.3: User=, Nice= and TimeoutStartSec= are ignored, RootDirectory= and ExecStartPost= refused;
 * ExecReload= is run by a restart; a stop sends no SIGTERM, and after RemainAfterExit= is the last.
 */
TEST_F_TIMEOUT(knelld, dr_1_3_keys_that_did_nothing, LIMIT_S)
{
	unit(self, "a.service", "[Service]\nType=oneshot\nUser=nobody\nNice=7\nUMask=0027\n"
	     "RemainAfterExit=yes\nRootDirectory=/\n"
	     "ExecStart=/bin/sh -c 'echo $$(id -u) $$(cut -d\" \" -f19 /proc/self/stat) $$(umask) "
	     ">@/a'\n"
	     "ExecStop=/bin/sh -c 'echo stopped >>@/a'\n");
	unit(self, "b.service", "[Service]\nExecReload=/bin/sh -c ': >@/reloaded'\n"
	     "ExecStart=/bin/sh -c 'trap \": >@/asked; exit\" TERM; : >@/trap; "
	     "while :; do sleep 0.05; done'\n");
	unit(self, "slow.service", "[Service]\nType=oneshot\nTimeoutStartSec=500ms\n"
	     "ExecStart=/bin/sleep 100000\n");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "a.service: done, stays up"));
	ASSERT_TRUE(told(self, "slow.service: failed, result timeout"));
	EXPECT_TRUE(asked(self, "StopUnits", "a.service", "\"done\""));
	EXPECT_STREQ("65534 7 0027\nstopped\n", contents(self, "a"));
	ASSERT_TRUE(appears(self, "trap"));
	EXPECT_TRUE(asked(self, "RestartUnits", "b.service", "\"done\""));
	EXPECT_EQ(0, access(path_of(self, "asked"), F_OK));
	EXPECT_NE(0, access(path_of(self, "reloaded"), F_OK));
	ENDS;
}

/*
 * 1.5: the unit of a timer that is not there yet is the end of the first process, and there is none
 * if it is not named; OnBootSec= and OnStartupSec= never elapse, OnCalendar= is refused.
 * 3.5: one that is used up stops the whole manager. 2: timers cannot be stopped.
 */
TEST_F_TIMEOUT(knelld, dr_3_5_timers, LIMIT_S)
{
	unit(self, "a.timer", "[Timer]\nOnActiveSec=1ms\nAccuracySec=1us\n");
	unit(self, "a.service", "[Service]\nType=oneshot\nExecStart=/bin/true\n");
	unit(self, "boot.timer", "[Timer]\nOnBootSec=1ms\nUnit=z.service\n");
	unit(self, "z.service", "[Service]\nType=oneshot\nExecStart=/bin/true\n");
	unit(self, "startup.timer", "[Timer]\nOnStartupSec=1ms\nAccuracySec=1us\n");
	unit(self, "startup.service", "[Service]\nType=oneshot\nExecStart=/bin/true\n");
	unit(self, "calendar.timer", "[Timer]\nOnCalendar=*:*:*\nAccuracySec=1us\n");
	unit(self, "calendar.service", "[Service]\nType=oneshot\nExecStart=/bin/true\n");
	unit(self, "again.timer", "[Timer]\nOnActiveSec=1ms\nOnUnitInactiveSec=100ms\n"
	     "AccuracySec=1us\n");
	unit(self, "again.service", "[Unit]\nStartLimitIntervalSec=0\n[Service]\nType=oneshot\n"
	     "ExecStart=/bin/true\n");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "a.service: finished"));
	ASSERT_TRUE(told(self, "z.service: finished"));
	ASSERT_TRUE(told(self, "startup.service: finished"));
	ASSERT_TRUE(told(self, "calendar.service: finished"));
	/* Long after the first of them was used up. */
	ASSERT_TRUE(told_times(self, 10, "again.service: finished"));
	EXPECT_EQ(1, occurrences(self, "a.service: finished"));
	EXPECT_TRUE(asked(self, "StopUnits", "again.timer", "\"done\""));
	EXPECT_TRUE(is(self, "again.timer", "inactive"));
	EXPECT_NE(NULL, strstr(ask(self, "Timers", "", ""), "calendar.timer"));
	ENDS;
}

/*
 * 2: a second start finds what the first has left and ends. (Without the module what ran is lost
 * sight of: class 6.)
 */
TEST_F_TIMEOUT(knelld, dr_2_a_second_start, LIMIT_S)
{
	unit(self, "default.target", "[Unit]\n");
	unit(self, "a.service", SLEEPER);
	ASSERT_TRUE(start_with(self, ORDINARY, NULL));
	ASSERT_TRUE(told(self, "startup finished"));
	ASSERT_TRUE(appears(self, "control"));
	kill_knelld(self);
	ASSERT_TRUE(appears(self, "control"));
	ASSERT_TRUE(start_with(self, ORDINARY, NULL));
	close(self->into);
	self->into = -1;
	ASSERT_TRUE(told_times(self, 2, "version"));
	while (!*ask(self, "ManagerStatus", "", ""))
		ASSERT_TRUE(look_again(patience_ends()));
	EXPECT_TRUE(asked(self, "StartUnits", "a.service", "\"done\""));
	ASSERT_TRUE(told(self, "a.service: started"));
	ENDS;
}

/*
 * 2: a start leaves out what the unit needs; a stop leaves a zombie that is shown as active; a stop
 * or restart of a target, and most other words, are the end of the first process.
 */
TEST_F_TIMEOUT(knelld, dr_2_what_requests_do, LIMIT_S)
{
	pid_t pid;

	unit(self, "default.target", "[Unit]\nWants=t.target\n");
	unit(self, "t.target", "[Unit]\nWants=c.service\n");
	unit(self, "a.service", "[Unit]\nRequires=b.service\nAfter=b.service\n" SLEEPER);
	unit(self, "b.service", SLEEPER);
	unit(self, "c.service", "[Unit]\nPartOf=t.target\n" SLEEPER);
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "startup finished: 1 started"));
	EXPECT_TRUE(asked(self, "StartUnits", "a.service", "\"done\""));
	ASSERT_TRUE(told(self, "a.service: started"));
	EXPECT_TRUE(in_order(self, "b.service: started", "a.service: started"));
	pid = main_pid(self, "a.service");
	EXPECT_TRUE(asked(self, "StopUnits", "a.service", "\"done\""));
	EXPECT_TRUE(is(self, "a.service", "inactive"));
	EXPECT_EQ(-1, kill(pid, 0));
	EXPECT_TRUE(asked(self, "RestartUnits", "t.target", "\"done\""));
	ASSERT_TRUE(told_times(self, 2, "c.service: started"));
	EXPECT_TRUE(asked(self, "StopUnits", "t.target", "\"done\""));
	ASSERT_TRUE(told_times(self, 2, "c.service: stopped"));
	EXPECT_TRUE(is(self, "t.target", "inactive"));
	/* A file that has come since is found by its name. */
	unit(self, "new.service", "[Unit]\nRequires=newer.service\nAfter=newer.service\n" SLEEPER);
	unit(self, "newer.service", SLEEPER);
	EXPECT_TRUE(asked(self, "StartUnits", "new.service", "\"done\""));
	ASSERT_TRUE(told(self, "newer.service: started"));
	ENDS;
}

/* 3.4: a program that cannot be run is never tried again. */
TEST_F_TIMEOUT(knelld, dr_3_4_a_program_that_comes_later, LIMIT_S)
{
	unit(self, "a.service", "[Unit]\nStartLimitIntervalSec=0\n[Service]\nRestart=on-failure\n"
	     "RestartSec=50ms\nExecStart=@/program\n");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told_times(self, 2, "a.service: restart in"));
	EXPECT_FALSE(is(self, "a.service", "active"));
	unit(self, "program.new", "#!/bin/sh\nexec sleep 100000\n");
	ASSERT_EQ(0, chmod(path_of(self, "program.new"), 0755));
	ASSERT_EQ(0, link(path_of(self, "program.new"), strcat(strcpy((char[64]){ "" }, self->dir),
								"/program")));
	ASSERT_TRUE(told(self, "a.service: started"));
	ENDS;
}

/* 3.4: on-failure, on-abort and on-watchdog never restart anything: restart_test.c has all. */
TEST_F_TIMEOUT(knelld, dr_3_4_policies_that_never_fired, LIMIT_S)
{
	static const char *const policies[] = { "on-failure", "on-abort", "on-watchdog" };
	char name[32], text[64];

	for (int i = 0; i < 3; i++) {
		snprintf(name, sizeof(name), "%s.service", policies[i]);
		unit(self, name, "[Service]\nRestart=%s\nRestartSec=10ms\n%sExecStart=/bin/sh -c "
		     "'[ -e @/%%n.ran ] && exec sleep 100000; : >@/%%n.ran; %s'\n", policies[i],
		     i == 2 ? "WatchdogSec=1s\n" : "",
		     i == 0 ? "exit 1" : i == 1 ? "kill -ABRT $$$$" : "exec sleep 100000");
	}
	ASSERT_TRUE(start(self));
	for (int i = 0; i < 3; i++) {
		snprintf(text, sizeof(text), "%s.service: started", policies[i]);
		ASSERT_TRUE(told_times(self, 2, text));
	}
	ENDS;
}

/*
 * 4: a unit that is there as a file and as what another needs is started twice; starts are one
 * after the other; the failure of what is required is not seen; a stop is passed on to nobody.
 */
TEST_F_TIMEOUT(knelld, dr_4_the_boot, LIMIT_S)
{
	const char *meet = "[Service]\nType=oneshot\nExecStart=/bin/sh -c "
		"': >@/%s; until [ -e @/%s ]; do sleep 0.05; done'\n";

	unit(self, "a.service", "[Unit]\nRequires=c.service b.service\nAfter=c.service b.service\n"
	     SLEEPER);
	unit(self, "b.service", "[Unit]\nWants=c.service\n" SLEEPER);
	unit(self, "c.service", SLEEPER);
	unit(self, "m.service", meet, "m", "n");
	unit(self, "n.service", meet, "n", "m");
	unit(self, "bad.service", "[Service]\nExecStartPre=/bin/false\nExecStart=/bin/true\n");
	unit(self, "needs.service", "[Unit]\nRequires=bad.service\nAfter=bad.service\n" SLEEPER);
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "startup finished: 5 started, 2 failed"));
	for (char c = 'a'; c < 'd'; c++) {
		char text[32];

		sprintf(text, "%c.service: started", c);
		EXPECT_EQ(1, occurrences(self, text));
	}
	EXPECT_FALSE(has(self, "needs.service: started"));
	EXPECT_TRUE(asked(self, "StopUnits", "c.service", "\"done\""));
	EXPECT_TRUE(is(self, "a.service", "inactive"));
	EXPECT_TRUE(is(self, "b.service", "active"));
	ENDS;
}

/* 4: SIGTERM does nothing, and nothing is ever stopped in order. */
TEST_F_TIMEOUT(knelld, dr_4_the_end, LIMIT_S)
{
	unit(self, "a.service", SLEEPER);
	unit(self, "b.service", "[Unit]\nAfter=a.service\n[Service]\nExecStart=/bin/sleep 100000\n"
	     "ExecStop=/bin/sleep 0.3\n");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "startup finished: 2 started"));
	ASSERT_EQ(0, stop(self));
	EXPECT_TRUE(in_order(self, "b.service: stopped", "a.service: stopping"));
	EXPECT_TRUE(nothing_left());
}

TEST_HARNESS_MAIN
