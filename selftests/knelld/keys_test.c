// SPDX-License-Identifier: GPL-2.0-only
/* Keys that have no other test of what they do. */
#include "talker.h"

#define NOT_AT_BOOT "[Install]\nWantedBy=x.target\n"

#define ENDS do {							\
	ASSERT_EQ(0, stop(self));					\
	EXPECT_TRUE(nothing_left());					\
} while (0)

/* SendSIGHUP=, RestartKillSignal=, WatchdogSignal=, TimeoutAbortSec= */
TEST_F_TIMEOUT(knelld, signals, LIMIT_S)
{
	unit(self, "hup.service", "[Service]\nSendSIGHUP=yes\nExecStart=/bin/sh -c 'trap \"\" TERM; "
	     "trap \"echo hup >@/hup; exit 0\" HUP; : >@/hup.up; while :; do sleep 0.05; done'\n");
	unit(self, "again.service", "[Service]\nRestartKillSignal=SIGUSR2\nSuccessExitStatus=SIGUSR2\n"
	     "ExecStart=/bin/sleep 100000\n");
	unit(self, "dog.service", "[Service]\nWatchdogSec=300ms\nWatchdogSignal=SIGUSR1\n"
	     "TimeoutAbortSec=700ms\nTimeoutStopSec=1h\n"
	     "ExecStart=/bin/sh -c 'trap \"\" USR1; while :; do sleep 0.05; done'\n");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "dog.service: failed, result watchdog"));
	EXPECT_TRUE(has(self, "dog.service: stopping, SIGUSR1 to"));
	EXPECT_TRUE(has(self, "still there after 700ms, SIGKILL"));
	EXPECT_TRUE(asked(self, "RestartUnits", "again.service", "\"done\""));
	ASSERT_TRUE(told_times(self, 2, "again.service: started"));
	EXPECT_TRUE(has(self, "again.service: stopping, SIGUSR2 to"));
	EXPECT_TRUE(asked(self, "StopUnits", "again.service", "\"done\""));
	ASSERT_TRUE(told(self, "again.service: stopping, SIGTERM to"));
	ASSERT_TRUE(appears(self, "hup.up"));
	EXPECT_TRUE(asked(self, "StopUnits", "hup.service", "\"done\""));
	EXPECT_STREQ("hup\n", contents(self, "hup"));
	ENDS;
}

/* Type=exec, PermissionsStartOnly=, RefuseManualStop= */
TEST_F_TIMEOUT(knelld, starts_and_refusals, LIMIT_S)
{
	if (geteuid())
		SKIP(return, "root alone can be somebody else");
	unit(self, "exec.service", "[Service]\nType=exec\nExecStart=/no/such/program\n" NOT_AT_BOOT);
	unit(self, "fine.service", "[Unit]\nRefuseManualStop=yes\n[Service]\nType=exec\n"
	     "ExecStart=/bin/sleep 100000\n");
	unit(self, "only.service", "[Service]\nType=oneshot\nUser=nobody\nPermissionsStartOnly=yes\n"
	     "ExecStartPre=/bin/sh -c 'id -u >@/pre'\nExecStart=/bin/sh -c 'id -u >@/start'\n");
	unit(self, "all.service", "[Service]\nType=oneshot\nUser=nobody\n"
	     "ExecStartPre=/bin/sh -c 'id -u >@/all'\nExecStart=/bin/true\n");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "startup finished"));
	EXPECT_TRUE(asked(self, "StartUnits", "exec.service", "\"failed\""));
	EXPECT_TRUE(is(self, "exec.service", "failed"));
	EXPECT_TRUE(is(self, "fine.service", "active"));
	EXPECT_FALSE(strstr(ask(self, "StopUnits", "fine.service", ""), "\"done\""));
	EXPECT_TRUE(is(self, "fine.service", "active"));
	EXPECT_STREQ("0\n", contents(self, "pre"));
	EXPECT_STREQ("65534\n", contents(self, "start"));
	EXPECT_STREQ("65534\n", contents(self, "all"));
	ENDS;
}

/* Type=notify-reload with ReloadSignal=, and a service that says RELOADING=1 of itself */
TEST_F_TIMEOUT(knelld, reloads_that_are_told, LIMIT_S)
{
	unit(self, "a.service", "[Service]\nType=notify-reload\nNotifyAccess=all\n"
	     "ReloadSignal=SIGUSR1\nExecStart=/bin/sh -c 'trap \"echo usr1 >>@/a; "
	     "systemd-notify --ready\" USR1; systemd-notify --ready; while :; do sleep 0.05; done'\n");
	mkfifo(path_of(self, "go"), 0600);
	speaker(self, "b.service", "Type=notify\n",
		"say=READY=1 say=RELOADING=1 barrier put=reloads wait=@/go say=READY=1 pause");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "startup finished: 2 started"));
	EXPECT_TRUE(asked(self, "ReloadUnits", "a.service", "\"done\""));
	EXPECT_STREQ("usr1\n", contents(self, "a"));
	EXPECT_TRUE(is(self, "a.service", "active"));
	ASSERT_TRUE(told(self, "talker: reloads"));
	EXPECT_TRUE(is(self, "b.service", "reloading"));
	go(self, "go");
	for (uint64_t end = patience_ends(); strstr(ask(self, "UnitStatus", "b.service", ""),
						    "\"active\":\"reloading\"");)
		ASSERT_TRUE(look_again(end));
	EXPECT_TRUE(is(self, "b.service", "active"));
	ENDS;
}

/* JobTimeoutSec=, JobRunningTimeoutSec=, StartLimitAction=, SuccessAction= and its status */
TEST_F_TIMEOUT(knelld, actions_and_times_of_jobs, LIMIT_S)
{
	unit(self, "running.service", "[Unit]\nJobRunningTimeoutSec=300ms\n[Service]\nType=oneshot\n"
	     "ExecStart=/bin/sleep 100000\n" NOT_AT_BOOT);
	unit(self, "before.service", "[Service]\nType=oneshot\nExecStart=/bin/sleep 100000\n"
	     NOT_AT_BOOT);
	unit(self, "waits.service", "[Unit]\nAfter=before.service\nWants=before.service\n"
	     "JobTimeoutSec=300ms\n" SLEEPER NOT_AT_BOOT);
	unit(self, "end.service", "[Unit]\nSuccessAction=exit\nSuccessActionExitStatus=42\n[Service]\n"
	     "Type=oneshot\nExecStart=/bin/true\n" NOT_AT_BOOT);
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "startup finished"));
	EXPECT_TRUE(asked(self, "StartUnits", "running.service", "\"timeout\""));
	EXPECT_TRUE(asked(self, "StartUnits", "waits.service", "\"timeout\""));
	EXPECT_TRUE(is(self, "waits.service", "inactive"));
	ask(self, "StartUnits", "end.service", ",\"noBlock\":true");
	EXPECT_EQ(42 << 8, ended(self));
	EXPECT_TRUE(nothing_left());
}

TEST_F_TIMEOUT(knelld, the_action_of_the_start_limit, LIMIT_S)
{
	unit(self, "a.service", "[Unit]\nStartLimitBurst=2\nStartLimitIntervalSec=1h\n"
	     "StartLimitAction=exit\n[Service]\nRestart=always\nRestartSec=10ms\n"
	     "ExecStart=/bin/false\n");
	ASSERT_TRUE(start(self));
	EXPECT_LE(0, ended(self));
	EXPECT_TRUE(has(self, "a.service: start limit hit"));
	EXPECT_TRUE(has(self, "all services are stopped"));
	EXPECT_TRUE(nothing_left());
}

/* StopPropagatedFrom=, OnFailureJobMode=, DefaultDependencies= */
TEST_F_TIMEOUT(knelld, what_one_does_to_others, LIMIT_S)
{
	unit(self, "from.service", SLEEPER);
	unit(self, "to.service", "[Unit]\nStopPropagatedFrom=from.service\n" SLEEPER);
	unit(self, "bad.service", "[Unit]\nOnFailure=rescue.service\nOnFailureJobMode=isolate\n"
	     "[Service]\nExecStart=/bin/false\n" NOT_AT_BOOT);
	unit(self, "rescue.service", "[Unit]\nAllowIsolate=yes\n" SLEEPER NOT_AT_BOOT);
	unit(self, "other.service", SLEEPER);
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "startup finished: 3 started"));
	EXPECT_TRUE(asked(self, "StopUnits", "from.service", "\"done\""));
	ASSERT_TRUE(told(self, "to.service: stopped"));
	EXPECT_TRUE(is(self, "other.service", "active"));
	ask(self, "StartUnits", "bad.service", ",\"noBlock\":true");
	ASSERT_TRUE(told(self, "rescue.service: started"));
	ASSERT_TRUE(told(self, "other.service: stopped"));
	ENDS;
}

/* NonBlocking=: of the sockets that are passed, and only then */
TEST_F_TIMEOUT(knelld, non_blocking, LIMIT_S)
{
	static const char *const text = "[Service]\n%sExecStart=/bin/sh -c 'sed -n s/^flags:.//p "
		"/proc/self/fdinfo/3 >@/%s; exec sleep 100000'\n" NOT_AT_BOOT;

	unit(self, "yes.socket", "[Socket]\nListenStream=@/y\n");
	unit(self, "no.socket", "[Socket]\nListenStream=@/n\n");
	unit(self, "yes.service", text, "NonBlocking=yes\n", "yes");
	unit(self, "no.service", text, "", "no");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "startup finished"));
	EXPECT_TRUE(asked(self, "StartUnits", "yes.service", "\"done\""));
	EXPECT_TRUE(asked(self, "StartUnits", "no.service", "\"done\""));
	ASSERT_LT(0, pid_in(self, "yes"));
	EXPECT_EQ(O_NONBLOCK, strtol(contents(self, "yes"), NULL, 8) & O_NONBLOCK);
	ASSERT_TRUE(appears(self, "no"));
	EXPECT_EQ(0, strtol(contents(self, "no"), NULL, 8) & O_NONBLOCK);
	ENDS;
}

/* OnStartupSec=, RemainAfterElapse=, RandomizedDelaySec= */
TEST_F_TIMEOUT(knelld, timers, LIMIT_S)
{
	unit(self, "s.timer", "[Timer]\nOnStartupSec=200ms\nAccuracySec=1us\nUnit=t.service\n");
	unit(self, "gone.timer", "[Timer]\nOnActiveSec=200ms\nAccuracySec=1us\n"
	     "RemainAfterElapse=no\nUnit=t.service\n");
	unit(self, "late.timer", "[Timer]\nOnActiveSec=200ms\nAccuracySec=1us\n"
	     "RandomizedDelaySec=100w\nUnit=late.service\n");
	unit(self, "t.service", "[Service]\nType=oneshot\nExecStart=/bin/true\n" NOT_AT_BOOT);
	unit(self, "late.service", "[Service]\nType=oneshot\nExecStart=/bin/true\n" NOT_AT_BOOT);
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "t.service: finished"));
	for (uint64_t end = patience_ends(); strstr(ask(self, "UnitStatus", "gone.timer", ""),
						    "\"active\":\"active\"");)
		ASSERT_TRUE(look_again(end));
	EXPECT_TRUE(is(self, "gone.timer", "inactive"));
	EXPECT_TRUE(is(self, "s.timer", "active"));
	EXPECT_FALSE(has(self, "late.service: finished"));
	ENDS;
}

TEST_HARNESS_MAIN
