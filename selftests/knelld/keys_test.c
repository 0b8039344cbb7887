// SPDX-License-Identifier: GPL-2.0-only
/* Keys that have no other test of what they do. */
#include "talker.h"

#define NOT_AT_BOOT "[Install]\nWantedBy=x.target\n"

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

/* JobTimeoutAction=: of the job that takes too long, not of the one that does not */
TEST_F_TIMEOUT(knelld, the_action_of_a_job_that_takes_too_long, LIMIT_S)
{
	unit(self, "before.service", "[Service]\nType=oneshot\nTimeoutStartSec=infinity\n"
	     "ExecStart=/bin/sleep 100000\n" NOT_AT_BOOT);
	unit(self, "soon.service", "[Unit]\nJobTimeoutSec=1h\nJobTimeoutAction=exit-force\n"
	     SLEEPER);
	unit(self, "waits.service", "[Unit]\nAfter=before.service\nWants=before.service\n"
	     "JobTimeoutSec=100ms\nJobTimeoutAction=exit\n" SLEEPER NOT_AT_BOOT);
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "startup finished: 1 started"));
	ask(self, "StartUnits", "waits.service", ",\"noBlock\":true");
	EXPECT_EQ(0, ended(self));
	EXPECT_TRUE(in_order(self, "waits.service: its job start took too long",
			     "waits.service: action exit for its job timeout"));
	EXPECT_TRUE(has(self, "soon.service: stopped"));
	EXPECT_TRUE(nothing_left());
}

/*
 * RootDirectoryStartOnly=: /usr is a root as good as "/" for a shell, and has no /usr itself. What
 * comes before, and after, is to see one.
 */
TEST_F_TIMEOUT(knelld, the_root_of_the_start_only, LIMIT_S)
{
	static const char *const text = "[Service]\nType=oneshot\nRootDirectory=/usr\n%s"
		"ExecStartPre=/bin/sh -c '%s[ -d /usr ]'\nExecStart=/bin/sh -c '! [ -d /usr ]'\n"
		"ExecStartPost=/bin/sh -c '%s[ -d /usr ]'\nExecStopPost=/bin/sh -c '%s[ -d /usr ]'\n";

	if (geteuid())
		SKIP(return, "root alone has roots");
	ASSERT_EQ(0, access("/usr/lib64", F_OK));
	ASSERT_NE(0, access("/usr/usr", F_OK));
	unit(self, "only.service", text, "RootDirectoryStartOnly=yes\n", "", "", "");
	unit(self, "all.service", text, "", "! ", "! ", "! ");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "only.service: finished"));
	ASSERT_TRUE(told(self, "all.service: finished"));
	ENDS;
}

/* OnSuccessJobMode=, which by itself is "fail": a job that is there stays. */
TEST_F_TIMEOUT(knelld, how_those_of_a_success_start, LIMIT_S)
{
	unit(self, "good.service", "[Unit]\nOnSuccess=next.service\nOnSuccessJobMode=isolate\n"
	     "[Service]\nType=oneshot\nExecStart=/bin/true\n" NOT_AT_BOOT);
	unit(self, "next.service", "[Unit]\nAllowIsolate=yes\n" SLEEPER NOT_AT_BOOT);
	unit(self, "plain.service", "[Unit]\nOnSuccess=third.service\n[Service]\nType=oneshot\n"
	     "ExecStart=/bin/true\n" NOT_AT_BOOT);
	unit(self, "third.service", SLEEPER NOT_AT_BOOT);
	unit(self, "other.service", SLEEPER);
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "startup finished: 1 started"));
	EXPECT_TRUE(asked(self, "StartUnits", "plain.service", "\"done\""));
	ASSERT_TRUE(told(self, "third.service: started"));
	EXPECT_TRUE(is(self, "other.service", "active"));
	EXPECT_TRUE(asked(self, "StartUnits", "good.service", "\"done\""));
	ASSERT_TRUE(told(self, "next.service: started"));
	ASSERT_TRUE(told(self, "other.service: stopped"));
	ASSERT_TRUE(told(self, "third.service: stopped"));
	EXPECT_TRUE(is(self, "next.service", "active"));
	EXPECT_TRUE(is(self, "third.service", "inactive"));
	ENDS;
}

/* When a timer elapses next, in seconds of the calendar; 0: never. */
static long long next_of(fixture *self, const char *timer)
{
	const char *reply = ask(self, "Timers", "", ""), *at;
	long long usec = 0;
	char text[64];

	snprintf(text, sizeof(text), "\"unit\":\"%s\"", timer);
	at = strstr(reply, text);
	at = at ? strstr(at, "\"next\":{\"realtimeUsec\":") : NULL;
	if (at)
		sscanf(at, "\"next\":{\"realtimeUsec\":%lld", &usec);
	return usec / 1000000;
}

/* FixedRandomDelay=: another one for each timer, but always that. Else each time another. */
TEST_F_TIMEOUT(knelld, a_random_delay_that_is_fixed, LIMIT_S)
{
	static const char *const text = "[Timer]\nOnCalendar=2100-01-01 UTC\nAccuracySec=1us\n"
		"RandomizedDelaySec=100w\nUnit=t.service\n%s";
	const long long day = 4102444800;
	long long a, b, loose;

	unit(self, "a.timer", text, "FixedRandomDelay=yes\n");
	unit(self, "b.timer", text, "FixedRandomDelay=yes\n");
	unit(self, "loose.timer", text, "");
	unit(self, "t.service", "[Service]\nType=oneshot\nExecStart=/bin/true\n" NOT_AT_BOOT);
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "startup finished: 3 started"));
	a = next_of(self, "a.timer");
	b = next_of(self, "b.timer");
	loose = next_of(self, "loose.timer");
	EXPECT_LE(day, a);
	EXPECT_GT(day + 100 * 7 * 86400, a);
	/* A minute of 100 weeks: what is by chance the same is so once in a million runs. */
	EXPECT_LT(60, llabs(a - b));
	for (int i = 0; i < 3; i++) {
		EXPECT_TRUE(asked(self, "RestartUnits", i ? "a.timer" : "loose.timer", "\"done\""));
		EXPECT_GE(60, llabs(next_of(self, "a.timer") - a));
	}
	EXPECT_LT(60, llabs(next_of(self, "loose.timer") - loose));
	/* Also for the next manager. */
	ASSERT_EQ(0, stop(self));
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told_times(self, 2, "startup finished: 3 started"));
	EXPECT_GE(60, llabs(next_of(self, "a.timer") - a));
	EXPECT_GE(60, llabs(next_of(self, "b.timer") - b));
	ENDS;
}

/* FinalKillSignal= after a stop in vain, and no SIGHUP without SendSIGHUP= */
TEST_F_TIMEOUT(knelld, signals_of_a_stop, LIMIT_S)
{
	static const char *const names[] = { "hup", "plain", "final" };
	static const char *const keys[] = {
		"SendSIGHUP=yes\n", "", "KillSignal=SIGINT\nFinalKillSignal=SIGUSR2\n"
	};
	char name[32];

	for (int i = 0; i < 3; i++) {
		snprintf(name, sizeof(name), "%s.service", names[i]);
		unit(self, name, "[Service]\n%sKillMode=mixed\nTimeoutStopSec=1s\n"
		     "ExecStart=/bin/sh -c 'for s in HUP TERM INT; do trap \"echo $$s >>@/%s\" $$s; "
		     "done; trap \"echo USR2 >>@/%s; exit 0\" USR2; : >@/%s; "
		     "while :; do sleep 0.05; done'\n", keys[i], names[i], names[i], names[i]);
	}
	ASSERT_TRUE(start(self));
	for (int i = 0; i < 3; i++)
		ASSERT_TRUE(appears(self, names[i]));
	ASSERT_EQ(0, stop(self));
	EXPECT_NE(NULL, strstr(contents(self, "hup"), "HUP\n"));
	EXPECT_NE(NULL, strstr(contents(self, "hup"), "TERM\n"));
	EXPECT_STREQ("TERM\n", contents(self, "plain"));
	EXPECT_STREQ("INT\nUSR2\n", contents(self, "final"));
	EXPECT_TRUE(has(self, "plain.service: stopped, result timeout"));
	EXPECT_TRUE(has(self, " still there after 1s, SIGUSR2"));
	EXPECT_TRUE(nothing_left());
}

/* @text, each "@" of it the test's directory. */
static const char *with_dir(fixture *self, const char *text)
{
	static char out[1024];
	size_t n = 0;

	for (; *text; text++)
		n += snprintf(out + n, sizeof(out) - n, "%.*s", *text == '@' ? 32 : 1,
			      *text == '@' ? self->dir : text);
	return out;
}

/* What a command finds, from the file on: exec_test.c has it all, without the files. */
TEST_F_TIMEOUT(knelld, what_a_command_finds, LIMIT_S)
{
	if (geteuid())
		SKIP(return, "root alone gives groups");
	unit(self, "a.service", "[Service]\nType=oneshot\nLimitNOFILE=100:200\nLimitNPROC=3000\n"
	     "OOMScoreAdjust=123\nSupplementaryGroups=daemon 12345\nEnvironment=GONE=1 STAYS=2\n"
	     "UnsetEnvironment=GONE\nUMask=0027\nIgnoreSIGPIPE=no\nWorkingDirectory=@\n"
	     "StandardInput=null\nStandardOutput=file:@/out\nStandardError=inherit\n"
	     "ExecStart=/bin/sh -c 'grep -E \"open files|processes\" /proc/self/limits | tr -s \" \"; "
	     "cat /proc/self/oom_score_adj; id -G; echo [$${GONE-}][$${STAYS-}]; umask; "
	     "grep SigIgn /proc/self/status | cut -c 21; pwd; readlink /proc/self/fd/0; pwd >&2'\n");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "a.service: finished"));
	EXPECT_STREQ(with_dir(self, "Max processes 3000 3000 processes \n"
		     "Max open files 100 200 files \n123\n0 1 12345\n[][2]\n0027\n"
		     "0\n@\n/dev/null\n@\n"), contents(self, "out"));
	ENDS;
}

/* A unit for each, and one for what is not: one of the two is started, by what was said which. */
TEST_F_TIMEOUT(knelld, conditions_of_files, LIMIT_S)
{
	static const struct {
		const char *key, *yes, *no;	/* no: NULL: it is the machine's affair */
	} all[] = {
		{ "PathExists", "@", "@/none" },
		{ "PathIsDirectory", "@", "/proc/cmdline" },
		{ "DirectoryNotEmpty", "@", "@/empty" },
		{ "FileNotEmpty", "@/some", "@/zero" },
		{ "FileIsExecutable", "/bin/sh", "@/some" },
		{ "PathIsReadWrite", "@", "@/none" },
		{ "PathIsMountPoint", "/proc", "@" },
		{ "PathIsSymbolicLink", "/proc/self", "@" },
		{ "KernelCommandLine", NULL, "no.such.word" },
		{ "Security", NULL, "no-such-module" },
		{ "Capability", "CAP_CHOWN", NULL },
		{ "Virtualization", "yes", NULL },
		{ "ACPower", "yes", NULL },
		{ "FirstBoot", "yes", NULL },
	};
	const size_t nr = sizeof(all) / sizeof(*all);
	char text[96], name[32];

	ASSERT_EQ(0, mkdir(path_of(self, "empty"), 0755));
	unit(self, "zero", "%s", "");
	unit(self, "some", "some\n");
	for (size_t i = 0; i < 2 * nr; i++) {
		const char *yes = all[i / 2].yes, *no = all[i / 2].no;
		const char *value = i % 2 ? (no ? no : yes) : (yes ? yes : no);

		snprintf(text, sizeof(text), "Condition%s=%s%s", all[i / 2].key,
			 (i % 2 ? no : yes) ? "" : "!", value);
		snprintf(name, sizeof(name), "c%zu.service", i);
		unit(self, name, "[Unit]\n%s\n" SLEEPER, text);
	}
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "startup finished"));
	for (size_t i = 0; i < nr; i++) {
		const char *active;
		bool first, second;

		snprintf(name, sizeof(name), "c%zu.service", 2 * i);
		active = ask(self, "UnitStatus", name, "");
		first = strstr(active, "\"active\":\"active\"");
		snprintf(name, sizeof(name), "c%zu.service", 2 * i + 1);
		active = ask(self, "UnitStatus", name, "");
		second = strstr(active, "\"active\":\"active\"");
		EXPECT_NE(first, second) TH_LOG("%s", all[i].key);
		if (all[i].yes && all[i].no)
			EXPECT_TRUE(first) TH_LOG("%s", all[i].key);
		snprintf(text, sizeof(text), "Condition%s=", all[i].key);
		EXPECT_EQ(1, occurrences(self, text)) TH_LOG("%s", all[i].key);
	}
	EXPECT_EQ(nr, occurrences(self, "does not hold, not started"));
	ENDS;
}

/* Whoever ends it all is named: a service, with the manager's own right. */
TEST_F_TIMEOUT(knelld, who_has_asked_for_the_end, LIMIT_S)
{
	char text[128], name[17] = "";

	unit(self, "a.service", SLEEPER);
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "a.service: started"));
	prctl(PR_GET_NAME, name);
	ask(self, "Exit", "", "");
	EXPECT_EQ(0, ended(self));
	snprintf(text, sizeof(text), "exit asked for by process %d (%s) of user %d: stopping all "
		 "services\n", getpid(), name, geteuid());
	EXPECT_TRUE(in_order(self, text, "a.service: stopped")) TH_LOG("%s", text);
	EXPECT_TRUE(nothing_left());
}

/* TimeoutSec=: of a start and of a stop */
TEST_F_TIMEOUT(knelld, a_timeout_for_both, LIMIT_S)
{
	unit(self, "a.service", "[Service]\nTimeoutSec=300ms\nExecStartPre=/bin/sleep 100000\n"
	     "ExecStart=/bin/sleep 100000\n");
	unit(self, "b.service", "[Service]\nTimeoutSec=400ms\nExecStart=/bin/sh -c 'trap \"\" TERM; "
	     ": >@/b; while :; do sleep 0.05; done'\n");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "a.service: failed, result timeout"));
	EXPECT_TRUE(has(self, "a.service: ExecStartPre= not done within TimeoutStartSec=300ms"));
	ASSERT_TRUE(appears(self, "b"));
	EXPECT_TRUE(asked(self, "StopUnits", "b.service", "\"done\""));
	EXPECT_TRUE(has(self, " still there after 400ms, SIGKILL") ||
		    told(self, " still there after 400ms, SIGKILL"));
	ENDS;
}

/* Description=, Documentation= */
TEST_F_TIMEOUT(knelld, what_it_is, LIMIT_S)
{
	unit(self, "a.service", "[Unit]\nDescription=It is so\nDocumentation=man:a(1) "
	     "https://example.org/a\nDocumentation=file:/a\n" SLEEPER);
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "a.service: started"));
	EXPECT_TRUE(asked(self, "UnitStatus", "a.service", "\"description\":\"It is so\""));
	EXPECT_TRUE(asked(self, "UnitStatus", "a.service", "\"documentation\":[\"man:a(1)\","
			  "\"https://example.org/a\",\"file:/a\"]"));
	ENDS;
}

TEST_HARNESS_MAIN
