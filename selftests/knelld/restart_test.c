// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a service does when it ends, however it ends: restarts, their delays and limits, reloads.
 *
 * runner-limit: 1800
 */
#include "host.h"

/*
 * What a service of these tests says by sd_notify(3): $TEST_SAYS by this very program, which is a
 * sleeper from then on.
 */
static void __attribute__((constructor)) say(void)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	const char *text = getenv("TEST_SAYS"), *path = getenv("NOTIFY_SOCKET");
	int fd = text && path ? socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0) : -1;

	if (!text)
		return;
	snprintf(to.sun_path, sizeof(to.sun_path), "%s", path ? path : "");
	if (sendto(fd, text, strlen(text), 0, (struct sockaddr *)&to, sizeof(to)) < 0)
		_exit(96);
	execl("/bin/sleep", "sleep", "100000", (char *)NULL);
	_exit(97);
}

/* Restart= x how it ends, as the table of systemd.service(5) has it. */
static const char *const policies[] = {
	"no", "always", "on-success", "on-failure", "on-abnormal", "on-abort", "on-watchdog",
};

/* What is to be done within that is done, even where all is slow and all else is started, too. */
#ifdef GUEST
#define SOON	"60s"
#else
#define SOON	"8s"
#endif

#define CLEAN		{ 0, 1, 1, 0, 0, 0, 0 }
#define UNCLEAN		{ 0, 1, 0, 1, 0, 0, 0 }
#define UNCLEAN_SIGNAL	{ 0, 1, 0, 1, 1, 1, 0 }
#define TIMEOUT		{ 0, 1, 0, 1, 1, 0, 0 }
#define WATCHDOG	{ 0, 1, 0, 1, 1, 0, 1 }
#define NEVER		{ 0, 0, 0, 0, 0, 0, 0 }
#define EVER		{ 1, 1, 1, 1, 1, 1, 1 }
/* It is refused with these two. */
#define ONESHOT(no, fail, abnormal, abort, dog) { no, -1, -1, fail, abnormal, abort, dog }

static const struct {
	const char *name;
	const char *run;	/* its first run, each later one sleeps */
	const char *keys;
	signed char restarts[7];
} ends[] = {
	{ "zero", "exit 0", "", CLEAN },
	{ "one", "exit 1", "", UNCLEAN },
	{ "max", "exit 255", "", UNCLEAN },
	{ "hup", "kill -HUP $$$$", "", CLEAN },
	{ "int", "kill -INT $$$$", "", CLEAN },
	{ "term", "kill -TERM $$$$", "", CLEAN },
	{ "pipe", "kill -PIPE $$$$", "", CLEAN },
	{ "kill", "kill -KILL $$$$", "", UNCLEAN_SIGNAL },
	{ "usr", "kill -USR1 $$$$", "", UNCLEAN_SIGNAL },
	{ "abrt", "kill -ABRT $$$$", "LimitCORE=0\n", UNCLEAN_SIGNAL },
	{ "core", "kill -SEGV $$$$", "LimitCORE=infinity\nWorkingDirectory=@\n", UNCLEAN_SIGNAL },
	{ "exec", "exit 0", "ExecStart=\nExecStart=/no/such\n", UNCLEAN },
	{ "pre", "exec sleep 100000", "ExecStartPre=/bin/sh -c '[ -e @/%n.pre ] || "
		"{ : >@/%n.pre; exit 1; }'\n", UNCLEAN },
	{ "post", "exec sleep 100000", "ExecStartPost=/bin/sh -c '[ -e @/%n.post ] || "
		"{ : >@/%n.post; exit 1; }'\n", UNCLEAN },
	{ "timeout", "exec sleep 100000", "TimeoutStartSec=" SOON "\nExecStartPre=/bin/sh -c "
		"'[ -e @/%n.pre ] || { : >@/%n.pre; exec sleep 100000; }'\n", TIMEOUT },
	{ "watchdog", "TEST_SAYS=WATCHDOG=trigger exec \"$SELF\"", "NotifyAccess=all\n", WATCHDOG },
	{ "listed", "exit 7", "SuccessExitStatus=7 SIGUSR2 TEMPFAIL\n", CLEAN },
	{ "usr2", "kill -USR2 $$$$", "SuccessExitStatus=7 SIGUSR2 TEMPFAIL\n", CLEAN },
	{ "named", "exit 75", "SuccessExitStatus=7 SIGUSR2 TEMPFAIL\n", CLEAN },
	{ "unlisted", "exit 8", "SuccessExitStatus=7 SIGUSR2 TEMPFAIL\n", UNCLEAN },
	{ "listed-kill", "kill -KILL $$$$", "SuccessExitStatus=SIGKILL\n", CLEAN },
	{ "prevented", "exit 9", "RestartPreventExitStatus=9 SIGUSR1\n", NEVER },
	{ "prevented-usr1", "kill -USR1 $$$$", "RestartPreventExitStatus=9 SIGUSR1\n", NEVER },
	{ "prevented-not", "exit 1", "RestartPreventExitStatus=9 SIGUSR1\n", UNCLEAN },
	{ "prevented0", "exit 0", "RestartPreventExitStatus=0\n", NEVER },
	{ "forced", "exit 8", "RestartForceExitStatus=8 SIGUSR1\n", EVER },
	{ "forced-usr1", "kill -USR1 $$$$", "RestartForceExitStatus=8 SIGUSR1\n", EVER },
	{ "forced0", "exit 0", "RestartForceExitStatus=0\n", EVER },
	{ "forced-not", "exit 1", "RestartForceExitStatus=8 SIGUSR1\n", UNCLEAN },
	{ "both", "exit 8", "RestartForceExitStatus=8\nRestartPreventExitStatus=8\n", NEVER },
	/* To be ended by a signal is clean for a daemon only. */
	{ "oneshot", "kill -TERM $$$$", "Type=oneshot\n", ONESHOT(0, 1, 1, 1, 0) },
	{ "oneshot0", "exit 0", "Type=oneshot\n", ONESHOT(0, 0, 0, 0, 0) },
	{ "oneshot1", "exit 1", "Type=oneshot\n", ONESHOT(0, 1, 0, 0, 0) },
};

#define NR_ENDS		(sizeof(ends) / sizeof(*ends))
#define NR_POLICIES	(sizeof(policies) / sizeof(*policies))
#define EACH(e, p)	for (size_t e = 0; e < NR_ENDS; e++)		\
				for (size_t p = 0; p < NR_POLICIES; p++)

static const char *of_table(size_t e, size_t p)
{
	static char name[64];

	snprintf(name, sizeof(name), "%s-%s.service", ends[e].name, policies[p]);
	return name;
}

static size_t told_of(fixture *self, size_t e, size_t p, const char *what)
{
	char text[128];

	snprintf(text, sizeof(text), "knelld: %s: %s", of_table(e, p), what);
	return occurrences(self, text);
}

/* How often it is up when it has been started twice. */
static size_t ups(size_t e)
{
	if (strstr(ends[e].keys, "Type=oneshot") || strstr(ends[e].keys, "/no/such"))
		return 0;
	return strstr(ends[e].keys, "ExecStartP") ? 1 : 2;
}

static void write_table(fixture *self)
{
	EACH(e, p)
		unit(self, of_table(e, p), "[Service]\nEnvironment=\"SELF=%s\"\nRestart=%s\n"
		     "RestartSec=50ms\nExecStart=/bin/sh -c '[ -e @/%%n.ran ] && "
		     "exec sleep 100000; : >@/%%n.ran; %s'\n%s", myself(), policies[p],
		     ends[e].run, ends[e].keys);
}

/* Issue 5: every restart policy by every way to end. */
TEST_F_TIMEOUT(knelld, policy_by_end, LIMIT_S)
{
	char text[128];

	write_table(self);
	ASSERT_TRUE(start(self));
	EACH(e, p) {
		const bool again = ends[e].restarts[p] == 1;

		if (ends[e].restarts[p] < 0)
			continue;
		/* What decides, and then what comes of it. */
		snprintf(text, sizeof(text), again ? "knelld: %s: restart in 50ms" :
			 "knelld: %s: f", of_table(e, p));
		ASSERT_TRUE(told(self, text)) TH_LOG("%s", text);
		snprintf(text, sizeof(text), "knelld: %s: started, main process", of_table(e, p));
		ASSERT_TRUE(told_times(self, again ? ups(e) : 0, text)) TH_LOG("%s", text);
	}
	EXPECT_TRUE(is(self, "kill-on-abort.service", "active"));
	EXPECT_TRUE(is(self, "kill-on-success.service", "failed"));
	EXPECT_TRUE(is(self, "zero-no.service", "inactive"));
	EXPECT_TRUE(is(self, "oneshot-always.service", "inactive"));
	ASSERT_EQ(0, stop(self));
	EACH(e, p) {
		size_t nr = told_of(self, e, p, "restart in");

		if (!strcmp(ends[e].name, "exec"))
			nr = !!nr;
		EXPECT_EQ(ends[e].restarts[p] == 1, nr) TH_LOG("%s", of_table(e, p));
		nr = ends[e].restarts[p] < 0 ? told_of(self, e, p, "main process") : 0;
		EXPECT_EQ(0, nr) TH_LOG("%s", of_table(e, p));
	}
	/* How it ended is told as what it was. */
	EXPECT_EQ(1, told_of(self, 0, 0, "finished"));
	EXPECT_TRUE(has(self, "one-no.service: failed, result exit-code"));
	EXPECT_TRUE(has(self, "kill-no.service: failed, result signal"));
	EXPECT_TRUE(has(self, "timeout-no.service: failed, result timeout"));
	EXPECT_TRUE(has(self, "watchdog-no.service: failed, result watchdog"));
	/* Many dump at once, and the kernel writes to one file for one of them. */
	snprintf(text, sizeof(text), "process %d killed by SIGSEGV (core dumped)",
		 main_pid(self, "core-no.service"));
	EXPECT_EQ(has(self, text), has(self, "core-no.service: failed, result core-dump"));
	EXPECT_TRUE(nothing_left());
}

/* RestartSec=100ms, up to 1600ms in 4 steps: a factor of two each. */
TEST_F_TIMEOUT(knelld, delays_grow_in_steps_up_to_the_cap, LIMIT_S)
{
	unit(self, "a.service", "[Unit]\nStartLimitIntervalSec=0\n[Service]\nRestart=always\n"
	     "RestartSec=100ms\nRestartSteps=4\nRestartMaxDelaySec=1600ms\nExecStart=/bin/true\n");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told_times(self, 2, "a.service: restart in 1.600s"));
	EXPECT_EQ(1, occurrences(self, "a.service: restart in 100ms\n"));
	EXPECT_EQ(1, occurrences(self, "a.service: restart in 200ms\n"));
	EXPECT_EQ(1, occurrences(self, "a.service: restart in 400ms\n"));
	EXPECT_EQ(1, occurrences(self, "a.service: restart in 800ms\n"));
	ENDS;
}

TEST_F_TIMEOUT(knelld, a_stable_run_begins_anew, LIMIT_S)
{
	unit(self, "a.service", "[Unit]\nStartLimitIntervalSec=0\n[Service]\nRestart=always\n"
	     "RestartSec=100ms\nRestartSteps=4\nRestartMaxDelaySec=1600ms\n"
	     "X-Knell-RestartReset=1s\n"
	     "ExecStart=/bin/sh -c 'echo x >>@/runs; [ $$(wc -l <@/runs) = 3 ] && exec sleep 2'\n");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told_times(self, 2, "a.service: restart in 200ms"));
	EXPECT_EQ(2, occurrences(self, "a.service: restart in 100ms"));
	ENDS;
}

/* However long ago it was up: what fails before that is no stable run. */
TEST_F_TIMEOUT(knelld, a_start_that_fails_is_no_stable_run, LIMIT_S)
{
	unit(self, "a.service", "[Unit]\nStartLimitIntervalSec=0\n[Service]\nRestart=always\n"
	     "RestartSec=100ms\nRestartSteps=4\nRestartMaxDelaySec=1600ms\n"
	     "X-Knell-RestartReset=300ms\nExecStartPre=/bin/sh -c '! [ -e @/was ]'\n"
	     "ExecStart=/bin/sh -c ': >@/was'\n");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told_times(self, 2, "a.service: restart in 1.600s"));
	EXPECT_EQ(1, occurrences(self, "a.service: restart in 100ms"));
	ENDS;
}

TEST_F_TIMEOUT(knelld, the_limit_holds_and_is_forgotten_on_request, LIMIT_S)
{
	unit(self, "a.service", "[Unit]\nStartLimitBurst=3\nStartLimitIntervalSec=1h\n[Service]\n"
	     "Restart=always\nRestartSec=10ms\nExecStart=/bin/false\n");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "a.service: start limit hit: 3 starts in 3600s"));
	EXPECT_EQ(3, occurrences(self, "a.service: main process"));
	EXPECT_TRUE(asked(self, "StartUnits", "a.service", "\"failed\""));
	EXPECT_EQ(3, occurrences(self, "a.service: main process"));
	EXPECT_TRUE(is(self, "a.service", "failed"));
	ask(self, "ResetFailed", "a.service", "");
	EXPECT_TRUE(is(self, "a.service", "inactive"));
	EXPECT_TRUE(asked(self, "StartUnits", "a.service", "\"done\""));
	ASSERT_TRUE(told_times(self, 3, "a.service: start limit hit"));
	EXPECT_EQ(6, occurrences(self, "a.service: main process"));
	ENDS;
}

TEST_F_TIMEOUT(knelld, exec_condition, LIMIT_S)
{
	unit(self, "no.service", "[Service]\nExecCondition=/bin/sh -c 'exit 1'\n"
	     "ExecStart=/bin/sleep 100000\nRestart=always\n");
	unit(self, "yes.service", "[Service]\nExecCondition=/bin/true\nExecStart=/bin/sleep 100000\n");
	unit(self, "listed.service", "[Service]\nExecCondition=/bin/sh -c 'exit 5'\n"
	     "SuccessExitStatus=5\nExecStart=/bin/sleep 100000\n");
	unit(self, "worse.service", "[Service]\nExecCondition=/bin/sh -c 'exit 255'\n"
	     "ExecStart=/bin/sleep 100000\n");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "startup finished: 2 started, 1 failed"));
	EXPECT_TRUE(is(self, "listed.service", "active"));
	EXPECT_TRUE(has(self, "no.service: ExecCondition= does not hold, not started"));
	EXPECT_TRUE(is(self, "no.service", "inactive"));
	EXPECT_TRUE(is(self, "worse.service", "failed"));
	EXPECT_FALSE(has(self, "no.service: restart in"));
	ENDS;
}

TEST_F_TIMEOUT(knelld, a_reload_that_fails_leaves_it_up, LIMIT_S)
{
	pid_t pid;

	unit(self, "a.service", "[Service]\nExecStart=/bin/sleep 100000\n"
	     "ExecReload=/bin/sh -c 'test -e @/good'\n");
	unit(self, "b.service", "[Service]\nExecStart=/bin/sleep 100000\n");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "startup finished: 2 started"));
	pid = main_pid(self, "a.service");
	EXPECT_TRUE(asked(self, "ReloadUnits", "a.service", "\"failed\""));
	EXPECT_TRUE(is(self, "a.service", "active"));
	EXPECT_EQ(0, mkdir(path_of(self, "good"), 0755));
	EXPECT_TRUE(asked(self, "ReloadUnits", "a.service", "\"done\""));
	EXPECT_TRUE(lives(pid));
	EXPECT_TRUE(asked(self, "ReloadUnits", "b.service", "NotApplicable"));
	ENDS;
}

TEST_F_TIMEOUT(knelld, it_dies_amid_its_reload, LIMIT_S)
{
	unit(self, "a.service", "[Service]\nExecStart=/bin/sleep 100000\n"
	     "ExecReload=/bin/sh -c 'kill -KILL $MAINPID; sleep 100000'\n");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "startup finished: 1 started"));
	EXPECT_TRUE(asked(self, "ReloadUnits", "a.service", "\"failed\""));
	EXPECT_TRUE(is(self, "a.service", "failed"));
	ENDS;
}

TEST_F_TIMEOUT(knelld, runtime_max, LIMIT_S)
{
	unit(self, "a.service", "[Service]\nRuntimeMaxSec=300ms\nExecStart=/bin/sleep 100000\n");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "a.service: failed, result timeout"));
	EXPECT_TRUE(has(self, "a.service: RuntimeMaxSec= is over"));
	ENDS;
}

TEST_F_TIMEOUT(knelld, a_forking_service_by_its_pid_file, LIMIT_S)
{
	pid_t pid;

	unit(self, "a.service", "[Service]\nType=forking\nPIDFile=@/pid\nRestart=always\n"
	     "RestartSec=10ms\nExecStart=/bin/sh -c 'setsid sh -c \"echo \\\\$$\\\\$$ >@/pid.new; "
	     "mv @/pid.new @/pid; exec sleep 100000\" & until [ -e @/pid ]; do sleep 0.02; done'\n");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "a.service: started, main process "));
	pid = main_pid(self, "a.service");
	EXPECT_EQ(pid, pid_in(self, "pid"));
	kill(pid, SIGKILL);
	ASSERT_TRUE(told_times(self, 2, "a.service: started, main process "));
	EXPECT_TRUE(has(self, "killed by SIGKILL"));
	EXPECT_NE(pid, main_pid(self, "a.service"));
	ENDS;
}

/* As nginx does it: a daemon of a session of its own, and what it has forked. */
TEST_F_TIMEOUT(knelld, what_a_daemon_has_forked_goes_with_it, LIMIT_S)
{
	unit(self, "a.service", "[Service]\nType=forking\nPIDFile=@/pid\nKillMode=mixed\n"
	     "ExecStart=/bin/sh -c 'rm -f @/a; setsid sh -c \"sleep 100000 & echo \\\\$! >@/worker; "
	     "echo \\\\$$\\\\$$ >@/pid.new; mv @/pid.new @/pid; wait\" & "
	     "until [ -e @/pid ]; do sleep 0.02; done'\n");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "a.service: started, main process "));
	EXPECT_EQ(0, kill(pid_in(self, "worker"), 0));
	kill(main_pid(self, "a.service"), SIGKILL);
	ASSERT_TRUE(told(self, "a.service: failed, result signal"));
	EXPECT_TRUE(dies(pid_in(self, "worker")));
	EXPECT_TRUE(asked(self, "StartUnits", "a.service", "\"done\""));
	EXPECT_TRUE(asked(self, "StopUnits", "a.service", "\"done\""));
	ASSERT_TRUE(told(self, "a.service: stopping, SIGTERM to "));
	EXPECT_TRUE(dies(pid_in(self, "worker")));
	ENDS;
}

TEST_F_TIMEOUT(knelld, notify_is_waited_for, LIMIT_S)
{
	unit(self, "a.service", "[Service]\nType=notify\nNotifyAccess=all\n"
	     "ExecStart=/bin/sh -c 'until [ -e @/go ]; do sleep 0.05; done; "
	     "TEST_SAYS=\"$$(printf \"READY=1\\\\nSTATUS=fine\")\" exec %s'\n", myself());
	unit(self, "b.service", "[Unit]\nAfter=a.service\n[Service]\nType=oneshot\n"
	     "ExecStart=/bin/sh -c 'test -e @/go'\n");
	unit(self, "never.service", "[Service]\nType=notify\nTimeoutStartSec=500ms\n"
	     "ExecStart=/bin/sleep 100000\n");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "never.service: failed, result timeout"));
	EXPECT_TRUE(is(self, "a.service", "activating"));
	EXPECT_EQ(0, mkdir(path_of(self, "go"), 0755));
	ASSERT_TRUE(told(self, "startup finished: 2 started, 1 failed"));
	EXPECT_TRUE(in_order(self, "a.service: started", "b.service: finished"));
	EXPECT_TRUE(asked(self, "UnitStatus", "a.service", "\"fine\""));
	ENDS;
}

TEST_F_TIMEOUT(knelld, the_watchdog_bites, LIMIT_S)
{
	unit(self, "a.service", "[Service]\nWatchdogSec=500ms\nRestart=on-watchdog\nRestartSec=10ms\n"
	     "NotifyAccess=all\nExecStart=/bin/sh -c '[ -e @/once ] && exec sleep 100000; : >@/once; "
	     "exec sleep 100000'\n");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "a.service: no sign of life within WatchdogSec=500ms"));
	ASSERT_TRUE(told(self, "killed by SIGABRT"));
	ASSERT_TRUE(told_times(self, 2, "a.service: started"));
	ENDS;
}

/* Every state that a stop can come in: at the end there is nothing left. */
TEST_F_TIMEOUT(knelld, a_stop_at_any_point, LIMIT_S)
{
	unit(self, "condition.service", "[Service]\nExecCondition=/bin/sleep 100000\nExecStart=/bin/true\n");
	unit(self, "pre.service", "[Service]\nExecStartPre=/bin/sleep 100000\nExecStart=/bin/true\n");
	unit(self, "start.service", "[Service]\nType=oneshot\nExecStart=/bin/sleep 100000\n");
	unit(self, "post.service", "[Service]\nExecStart=/bin/sleep 100000\n"
	     "ExecStartPost=/bin/sleep 100000\n");
	unit(self, "reload.service", "[Service]\nExecStart=/bin/sleep 100000\n"
	     "ExecReload=/bin/sleep 100000\n");
	unit(self, "delay.service", "[Service]\nRestart=always\nRestartSec=1h\nExecStart=/bin/true\n");
	unit(self, "exited.service", "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true\n"
	     "ExecStop=/bin/sh -c ': >@/stopped'\n");
	unit(self, "stopping.service", "[Service]\nExecStart=/bin/sleep 100000\n"
	     "ExecStop=/bin/sleep 0.3\n");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "delay.service: restart in 3600s"));
	ASSERT_TRUE(told(self, "exited.service: done, stays up"));
	ASSERT_TRUE(told(self, "stopping.service: started"));
	ASSERT_TRUE(told(self, "reload.service: started"));
	ask(self, "ReloadUnits", "reload.service", ",\"noBlock\":true");
	EXPECT_TRUE(is(self, "reload.service", "reloading"));
	EXPECT_TRUE(is(self, "delay.service", "activating"));
	ask(self, "StopUnits", "stopping.service", ",\"noBlock\":true");
	ENDS;
	EXPECT_EQ(0, access(path_of(self, "stopped"), F_OK));
	EXPECT_TRUE(has(self, "all services are stopped"));
	EXPECT_FALSE(has(self, "still there after"));
}

/* Somebody stops what has failed and is to be restarted: that is no other failure. */
TEST_F_TIMEOUT(knelld, a_stop_amid_the_delay_is_no_failure, LIMIT_S)
{
	unit(self, "a.service", "[Unit]\nOnFailure=f.service\nFailureAction=exit\n[Service]\n"
	     "Restart=always\nRestartSec=1h\nExecStart=/bin/false\n");
	unit(self, "f.service", "[Service]\nExecStart=/bin/sleep 100000\n[Install]\n"
	     "WantedBy=x.target\n");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "a.service: restart in 3600s"));
	EXPECT_TRUE(asked(self, "StopUnits", "a.service", "\"done\""));
	EXPECT_TRUE(is(self, "a.service", "inactive"));
	EXPECT_TRUE(is(self, "f.service", "inactive"));
	ENDS;
	EXPECT_FALSE(has(self, "f.service: started"));
}

/* A reload is no new run. */
TEST_F_TIMEOUT(knelld, runtime_max_over_reloads, LIMIT_S)
{
	uint64_t begun;

	unit(self, "a.service", "[Service]\nRuntimeMaxSec=20s\nExecStart=/bin/sleep 100000\n"
	     "ExecReload=/bin/true\n");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "a.service: started"));
	begun = clock_ns(CLOCK_MONOTONIC);
	while (!has(self, "a.service: RuntimeMaxSec= is over")) {
		ask(self, "ReloadUnits", "a.service", "");
		read_within(self, 500);
		ASSERT_GT(90 * NSEC_PER_SEC, clock_ns(CLOCK_MONOTONIC) - begun);
	}
	ENDS;
}

static uint64_t run_of(fixture *self, const char *name)
{
	const char *at = strstr(ask(self, "History", name, ""), "\"runUsec\":");

	return at ? strtoull(at + strlen("\"runUsec\":"), NULL, 10) * 1000 : 0;
}

/* Up to so much longer: each never before its time, and hardly ever all at the same. */
TEST_F_TIMEOUT(knelld, runtime_randomized_extra, LIMIT_S)
{
	uint64_t first = UINT64_MAX, last = 0;
	char name[32];

	for (int i = 0; i < 12; i++) {
		snprintf(name, sizeof(name), "%d.service", i);
		unit(self, name, "[Service]\nRuntimeMaxSec=1s\nRuntimeRandomizedExtraSec=20s\n"
		     "ExecStart=/bin/sleep 100000\n");
	}
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told_times(self, 12, ".service: failed, result timeout"));
	for (int i = 0; i < 12; i++) {
		snprintf(name, sizeof(name), "%d.service", i);
		EXPECT_LE(NSEC_PER_SEC, run_of(self, name));
		if (run_of(self, name) < first)
			first = run_of(self, name);
		if (run_of(self, name) > last)
			last = run_of(self, name);
	}
	/* Of 12 out of 20 seconds: all within 3 once in 10^9 times. */
	EXPECT_LT(first + 3 * NSEC_PER_SEC, last);
	ENDS;
}

/* ExitType=cgroup: up until the last of them is gone, and how the first one ended counts. */
TEST_F_TIMEOUT(knelld, all_of_it_is_the_service, LIMIT_S)
{
	pid_t pid;

	unit(self, "a.service", "[Service]\nExitType=cgroup\n"
	     "ExecStart=/bin/sh -c 'sleep 100000 & echo $$! >@/a.left; exit 0'\n");
	unit(self, "b.service", "[Service]\nExitType=cgroup\nRestart=on-failure\nRestartSec=1h\n"
	     "ExecStart=/bin/sh -c 'sleep 100000 & echo $$! >@/b.left; exit 3'\n");
	unit(self, "c.service", "[Service]\nExecStart=/bin/sh -c 'sleep 100000 & exit 0'\n");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "c.service: finished"));
	ASSERT_TRUE(told_times(self, 2, "exited with status 0"));
	ASSERT_TRUE(told(self, "exited with status 3"));
	EXPECT_TRUE(is(self, "a.service", "active"));
	EXPECT_TRUE(is(self, "b.service", "active"));
	pid = pid_in(self, "a.left");
	ASSERT_TRUE(lives(pid));
	kill(pid, SIGKILL);
	ASSERT_TRUE(told(self, "a.service: finished"));
	kill(pid_in(self, "b.left"), SIGKILL);
	ASSERT_TRUE(told(self, "b.service: restart in 3600s"));
	EXPECT_TRUE(asked(self, "StopUnits", "b.service", "\"done\""));
	/* A stop takes what is left. */
	EXPECT_EQ(0, unlink(path_of(self, "a.left")));
	EXPECT_TRUE(asked(self, "StartUnits", "a.service", "\"done\""));
	ASSERT_TRUE(told_times(self, 3, "exited with status 0"));
	pid = pid_in(self, "a.left");
	EXPECT_TRUE(asked(self, "StopUnits", "a.service", "\"done\""));
	EXPECT_FALSE(lives(pid));
	ENDS;
}

/* Ended by the signal of a stop: what of that is a failure is as in systemd.service(5). */
TEST_F_TIMEOUT(knelld, the_signal_of_a_stop, LIMIT_S)
{
	static const struct {
		const char *name, *keys, *active;
	} stops[] = {
		{ "simple", "", "inactive" },
		{ "hup", "KillSignal=SIGHUP\n", "inactive" },
		{ "usr1", "KillSignal=SIGUSR1\n", "failed" },
		{ "listed", "KillSignal=SIGUSR1\nSuccessExitStatus=SIGUSR1\n", "inactive" },
		{ "oneshot", "Type=oneshot\n", "failed" },
		{ "pre", "ExecStartPre=/bin/sleep 100000\n", "failed" },
	};
	char name[32], text[64];

	for (int i = 0; i < 6; i++) {
		snprintf(name, sizeof(name), "%s.service", stops[i].name);
		unit(self, name, "[Service]\n%sExecStart=/bin/sleep 100000\n", stops[i].keys);
	}
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told_times(self, 4, "started, main process"));
	for (int i = 0; i < 6; i++) {
		snprintf(name, sizeof(name), "%s.service", stops[i].name);
		EXPECT_TRUE(asked(self, "StopUnits", name, "\"done\""));
		EXPECT_TRUE(is(self, name, stops[i].active));
		snprintf(text, sizeof(text), "%s: stopped, result signal", name);
		if (!strcmp(stops[i].active, "failed"))
			ASSERT_TRUE(told(self, text));
	}
	ENDS;
}

/* What it is to be heard by cannot be made: a start that fails as any other does. */
TEST_F_TIMEOUT(knelld, no_way_to_be_heard, LIMIT_S)
{
	setenv("XDG_RUNTIME_DIR", self->dir, 1);
	unit(self, "knell", "no directory\n");
	unit(self, "a.service", "[Unit]\nStartLimitBurst=3\nStartLimitIntervalSec=1h\n[Service]\n"
	     "Type=notify\nRestart=on-failure\nRestartSec=10ms\nExecStart=/bin/sleep 100000\n"
	     "ExecStopPost=/bin/sh -c 'echo $$SERVICE_RESULT >>@/post'\n");
	ASSERT_TRUE(start_with(self, ORDINARY, "--user"));
	close(self->into);
	self->into = -1;
	ASSERT_TRUE(told(self, "a.service: start limit hit"));
	EXPECT_EQ(3, occurrences(self, "a.service: cannot bind"));
	EXPECT_EQ(3, occurrences(self, "a.service: restart in"));
	EXPECT_STREQ("resources\nresources\nresources\n", contents(self, "post"));
	EXPECT_FALSE(has(self, "a.service: started"));
	ENDS;
}

/* RestartMode=direct: those that require it are not restarted with it. */
TEST_F_TIMEOUT(knelld, direct_restart, LIMIT_S)
{
	unit(self, "a.service", "[Service]\nRestart=always\nRestartSec=10ms\n"
	     "ExecStart=/bin/sleep 100000\n");
	unit(self, "a2.service", "[Unit]\nRequires=a.service\nAfter=a.service\n" SLEEPER);
	unit(self, "b.service", "[Service]\nRestart=always\nRestartSec=10ms\nRestartMode=direct\n"
	     "ExecStart=/bin/sleep 100000\n");
	unit(self, "b2.service", "[Unit]\nRequires=b.service\nAfter=b.service\n" SLEEPER);
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "startup finished: 4 started"));
	kill(main_pid(self, "b.service"), SIGKILL);
	ASSERT_TRUE(told_times(self, 2, "b.service: started"));
	kill(main_pid(self, "a.service"), SIGKILL);
	ASSERT_TRUE(told_times(self, 2, "a2.service: started"));
	EXPECT_EQ(1, occurrences(self, "b2.service: started"));
	ENDS;
}

/* Dead they are when that is told; with the module it is the test that adopts and reaps them. */
static bool group_ends(pid_t pgid)
{
	uint64_t end = patience_ends();

	while (waitpid(-pgid, NULL, WNOHANG) > 0 || !killpg(pgid, 0))
		if (!look_again(end))
			return false;
	return errno == ESRCH;
}

/* GuessMainPID=: the one that is left behind, whatever that forks, in a session of its own or not. */
TEST_F_TIMEOUT(knelld, a_forking_service_without_a_pid_file, LIMIT_S)
{
	pid_t pid;

	unit(self, "a.service", "[Service]\nType=forking\nRestart=always\nRestartSec=10ms\n"
	     "ExecReload=/bin/sh -c 'echo $MAINPID >@/a.reload'\n"
	     "ExecStart=/bin/sh -c 'rm -f @/a; setsid sh -c \"sleep 100000 & echo \\\\$$\\\\$$ >@/a; "
	     "exec sleep 100000\" & until [ -s @/a ]; do sleep 0.02; done'\n");
	unit(self, "b.service", "[Service]\nType=forking\n"
	     "ExecStart=/bin/sh -c 'sleep 100000 & echo $$! >@/b'\n");
	unit(self, "two.service", "[Service]\nType=forking\n"
	     "ExecStart=/bin/sh -c 'sleep 100000 & sleep 100000 &'\n");
	unit(self, "no.service", "[Service]\nType=forking\nGuessMainPID=no\n"
	     "ExecStart=/bin/sh -c 'sleep 100000 &'\n");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "startup finished: 4 started"));
	EXPECT_EQ(pid_in(self, "b"), main_pid(self, "b.service"));
	EXPECT_TRUE(has(self, "two.service: started, "));
	EXPECT_EQ(-1, main_pid(self, "two.service"));
	EXPECT_EQ(-1, main_pid(self, "no.service"));
	pid = main_pid(self, "a.service");
	ASSERT_EQ(pid, pid_in(self, "a"));
	EXPECT_TRUE(asked(self, "ReloadUnits", "a.service", "\"done\""));
	EXPECT_EQ(pid, pid_in(self, "a.reload"));
	ASSERT_LT(1, pid);
	kill(pid, SIGKILL);
	EXPECT_TRUE(dies(pid));
	/* The second one is of the reload. */
	ASSERT_TRUE(told_times(self, 3, "a.service: started, main process "));
	EXPECT_NE(pid, main_pid(self, "a.service"));
	/* What it has forked, in a session of its own, has gone with it. */
	EXPECT_TRUE(group_ends(pid));
	ENDS;
}

TEST_HARNESS_MAIN
