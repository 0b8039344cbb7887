// SPDX-License-Identifier: GPL-2.0-only
/* From the unit file to the process: what exec_test.c shows of parts, by a whole knelld. */
#include "host.h"

static bool file_is(fixture *self, const char *name, const char *text)
{
	uint64_t end = patience_ends();

	while (strcmp(contents(self, name), text)) {
		if (!look_again(end)) {
			show_log(self, contents(self, name));
			return false;
		}
	}
	return true;
}

TEST_F_TIMEOUT(knelld, what_stop_post_is_told, LIMIT_S)
{
	const char *post = "ExecStopPost=/bin/sh -c 'echo $$SERVICE_RESULT $$EXIT_CODE "
		     "$$EXIT_STATUS "
		"$${MAINPID-none} $${#INVOCATION_ID} >@/%s'\n";
	char text[512];

	snprintf(text, sizeof(text), "[Service]\nExecStart=/bin/sh -c 'exit 7'\n%s", post);
	unit(self, "a.service", text, "a");
	snprintf(text, sizeof(text), "[Service]\nExecStart=/bin/sh -c 'kill -USR1 $$$$'\n%s", post);
	unit(self, "b.service", text, "b");
	snprintf(text, sizeof(text), "[Service]\nExecStart=/no/such\n%s", post);
	unit(self, "c.service", text, "c");
	snprintf(text, sizeof(text), "[Service]\nUser=no-such\nExecStart=/bin/true\n"
		 "ExecStopPost=+%s", post + strlen("ExecStopPost="));
	unit(self, "d.service", text, "d");
	snprintf(text, sizeof(text), "[Service]\nExecStart=/bin/true\n%s", post);
	unit(self, "e.service", text, "e");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "startup finished"));
	EXPECT_TRUE(file_is(self, "a", "exit-code exited 7 none 32\n"));
	EXPECT_TRUE(file_is(self, "b", "signal killed USR1 none 32\n"));
	EXPECT_TRUE(file_is(self, "c", "exit-code exited 203 none 32\n"));
	EXPECT_TRUE(file_is(self, "e", "success exited 0 none 32\n"));
	ASSERT_EQ(0, stop(self));
	EXPECT_TRUE(has(self, "d.service:2: User=no-such: no such user"));
	EXPECT_TRUE(nothing_left());
}

TEST_F_TIMEOUT(knelld, what_others_run_for, LIMIT_S)
{
	static const char told_unit[] = "[Service]\nType=oneshot\nExecStart=/bin/sh -c 'echo "
		"$$MONITOR_UNIT $$MONITOR_SERVICE_RESULT $$MONITOR_EXIT_CODE $$MONITOR_EXIT_STATUS "
		"$${#MONITOR_INVOCATION_ID} >@/out-%%N'\n";

	unit(self, "default.target", "[Unit]\nWants=bad.service good.service t.timer\n");
	unit(self, "bad.service", "[Unit]\nOnFailure=told-bad.service\n[Service]\n"
	     "ExecStart=/bin/sh -c 'exit 3'\n");
	unit(self, "good.service", "[Unit]\nOnSuccess=told-good.service\n[Service]\nType=oneshot\n"
	     "ExecStart=/bin/true\n");
	unit(self, "told-bad.service", told_unit);
	unit(self, "told-good.service", told_unit);
	unit(self, "t.timer", "[Timer]\nOnActiveSec=1ms\nAccuracySec=1us\n");
	unit(self, "t.service", "[Service]\nType=oneshot\nExecStart=/bin/sh -c 'echo "
		     "$$TRIGGER_UNIT "
	     "$$((TRIGGER_TIMER_MONOTONIC_USEC > 0)) "
	     "$$(($$(date +%%%%s) - TRIGGER_TIMER_REALTIME_USEC / 1000000 < 60)) >@/t'\n");
	ASSERT_TRUE(start(self));
	EXPECT_TRUE(file_is(self, "out-told-bad", "bad.service exit-code exited 3 32\n"));
	EXPECT_TRUE(file_is(self, "out-told-good", "good.service success exited 0 32\n"));
	EXPECT_TRUE(file_is(self, "t", "t.timer 1 1\n"));
	ASSERT_EQ(0, stop(self));
}

/* A status of systemd's is one like the program's own. */
TEST_F_TIMEOUT(knelld, statuses_of_steps_count, LIMIT_S)
{
	unit(self, "a.service", "[Service]\nExecStart=/no/such\nRestart=always\nRestartSec=1ms\n"
	     "RestartPreventExitStatus=203\nStartLimitIntervalSec=0\n");
	unit(self, "b.service", "[Service]\nExecStart=/bin/true\nWorkingDirectory=/no/such\n"
	     "SuccessExitStatus=CHDIR\nType=oneshot\n");
	unit(self, "c.service",
		     "[Service]\nExecStart=-/no/such\nType=oneshot\nRemainAfterExit=yes\n");
	unit(self, "d.service", "[Service]\nExecStart=/bin/true\nEnvironmentFile=/no/such\n");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "startup finished"));
	ASSERT_TRUE(told(self, "a.service: failed, result exit-code"));
	EXPECT_EQ(1, occurrences(self, "a.service:2: ExecStart=/no/such: cannot run"));
	EXPECT_TRUE(told(self, "d.service: failed, result resources"));
	ASSERT_EQ(0, stop(self));
	EXPECT_FALSE(has(self, "c.service: failed"));
}

TEST_F_TIMEOUT(knelld, conditions_and_asserts, LIMIT_S)
{
	unit(self, "yes.service",
		     "[Unit]\nConditionPathExists=/etc\nConditionPathExists=|/nowhere\n"
	     "ConditionPathExists=|!/nowhere\nAssertUser=root\n[Service]\nExecStart=/bin/true\n");
	unit(self, "no.service",
		     "[Unit]\nConditionPathExists=!/etc\n[Service]\nExecStart=/bin/true\n");
	unit(self, "assert.service",
		     "[Unit]\nAssertPathExists=/nowhere\n[Service]\nExecStart=/bin/true\n");
	unit(self, "needs.service", "[Unit]\nRequires=no.service\nAfter=no.service\n[Service]\n"
	     "ExecStart=/bin/true\n");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "startup finished"));
	ASSERT_TRUE(told(self, "yes.service: finished"));
	/* What is skipped is no failure for those that require it. */
	ASSERT_TRUE(told(self, "needs.service: finished"));
	EXPECT_TRUE(has(self, "ConditionPathExists=!/etc"));
	EXPECT_TRUE(has(self, "AssertPathExists=/nowhere"));
	EXPECT_FALSE(has(self, "no.service: finished"));
	EXPECT_FALSE(has(self, "assert.service: finished"));
	ASSERT_EQ(0, stop(self));
}

TEST_F_TIMEOUT(knelld, output_goes_to_files, LIMIT_S)
{
	unit(self, "a.service", "[Service]\nType=oneshot\nStandardOutput=append:@/log\n"
	     "StandardInputText=from the unit\nExecStart=/bin/cat\nExecStart=/bin/sh -c 'echo "
		     "err >&2'\n");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "a.service: finished"));
	EXPECT_STREQ("from the unit\nerr\n", contents(self, "log"));
	ASSERT_EQ(0, stop(self));
}

/* Neither the end of the service nor that of its logger loses a line or breaks the pipe. */
TEST_F_TIMEOUT(knelld, a_logger, LIMIT_S)
{
	pid_t first;

	unit(self, "a.service",
		     "[Service]\nRestart=always\nRestartSec=1ms\nX-Knell-Logger=/bin/sh -c "
	     "'while read x; do echo $$x >>@/log; done; echo end >>@/log'\n"
	     "ExecStart=/bin/sh -c 'echo up $$(wc -l <@/ups); echo x >>@/ups; read x <@/fifo; "
	     "echo last words'\n");
	ASSERT_EQ(0, mkfifo(path_of(self, "fifo"), 0600));
	ASSERT_EQ(0, close(open(path_of(self, "ups"), O_CREAT | O_WRONLY, 0600)));
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "logger-a.service: started"));
	ASSERT_TRUE(told(self, " a.service: started"));
	EXPECT_TRUE(in_order(self, "logger-a.service: started", " a.service: started"));
	ASSERT_TRUE(file_is(self, "log", "up 0\n"));
	first = main_pid(self, "logger-a.service");
	ASSERT_GT(first, 0);
	/* The service's end does not end it. */
	kill(main_pid(self, " a.service"), SIGKILL);
	ASSERT_TRUE(file_is(self, "log", "up 0\nup 1\n"));
	EXPECT_EQ(first, main_pid(self, "logger-a.service"));
	/* It is killed itself; what the service says meanwhile is not lost. */
	ASSERT_TRUE(halts(first));
	close(open(path_of(self, "fifo"), O_WRONLY));
	ASSERT_TRUE(told_times(self, 3, " a.service: started"));
	kill(first, SIGKILL);
	ASSERT_TRUE(told_times(self, 2, "logger-a.service: started"));
	ASSERT_TRUE(file_is(self, "log", "up 0\nup 1\nlast words\nup 2\n"));
	/* At the end it reads to the end. */
	ASSERT_EQ(0, stop(self));
	EXPECT_STREQ("up 0\nup 1\nlast words\nup 2\nend\n", contents(self, "log"));
	EXPECT_TRUE(in_order(self, " a.service: stopped", "logger-a.service: main process"));
	EXPECT_TRUE(nothing_left());
}

TEST_F_TIMEOUT(knelld, directories_come_and_go, LIMIT_S)
{
	char name[64], path[96];

	snprintf(name, sizeof(name), "knelld-test-%d", getpid());
	snprintf(path, sizeof(path), "/run/%s", name);
	unit(self, "a.service",
		     "[Service]\nUser=nobody\nRuntimeDirectory=%s\nRuntimeDirectoryMode=0700\n"
	     "ExecStart=/bin/sh -c 'touch $$RUNTIME_DIRECTORY/file; exec sleep 100000'\n", name);
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "a.service: started"));
	EXPECT_EQ(0, access(path, F_OK));
	ASSERT_EQ(0, stop(self));
	EXPECT_NE(0, access(path, F_OK));
}

/* What kept a command from running is told when one asks why. */
TEST_F_TIMEOUT(knelld, why_it_did_not_run, LIMIT_S)
{
	unit(self, "program.service", "[Service]\nExecStart=/no/such/program\n");
	unit(self, "user.service", "[Service]\nUser=no-such-user\nExecStart=/bin/true\n");
	unit(self, "file.service", "[Service]\nEnvironmentFile=/no/such/file\n"
	     "ExecStart=/bin/true\nExecStopPost=/bin/true\n");
	unit(self, "condition.service", "[Unit]\nConditionPathExists=/no/such/path\n" SLEEPER);
	unit(self, "twice.service", "[Service]\nRestart=on-failure\nRestartSec=10ms\n"
	     "ExecStart=/bin/sh -c '[ -e @/was ] || { : >@/was; exit 1; }; exec sleep 100000'\n");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "program.service: failed, result exit-code"));
	ASSERT_TRUE(told(self, "user.service: failed, result exit-code"));
	ASSERT_TRUE(told(self, "file.service: failed, result resources"));
	ASSERT_TRUE(told_times(self, 2, "twice.service: started"));
	EXPECT_TRUE(asked(self, "UnitStatus", "program.service",
			  "\"text\":\"ExecStart=/no/such/program: "));
	EXPECT_TRUE(asked(self, "UnitStatus", "user.service", "\"text\":\"User=no-such-user: "));
	EXPECT_TRUE(asked(self, "UnitStatus", "file.service",
			  "\"text\":\"EnvironmentFile=/no/such/file: "));
	EXPECT_TRUE(asked(self, "UnitStatus", "condition.service", "\"result\":\"condition\""));
	EXPECT_TRUE(asked(self, "RestartUnits", "twice.service", "\"done\""));
	/* What is counted does not fall. */
	EXPECT_NE(NULL, strstr(ask(self, "Metrics", "", ""),
			       "unit_restarts_total{unit=\\\"twice.service\\\"} 1"));
	ASSERT_EQ(0, stop(self));
}

TEST_HARNESS_MAIN
