// SPDX-License-Identifier: GPL-2.0-only
/*
 * knelld from outside: unit files go in, and what its log and its services say comes out.
 * Each test has a directory of units of its own and one knelld on it ($KNELLD). Nothing
 * waits for a while where it can wait for a line of the log; only what must not happen
 * early is measured.
 *
 * runner-limit: 1800
 */
#include "knelld_test.h"

/* Restart= */

static const char *const policies[] = {
	"no", "always", "on-success", "on-failure", "on-abnormal", "on-abort",
};

static const struct {
	const char *name, *first;	/* what the first run does, each later one sleeps */
	bool restarts[6];		/* by policy, as the table of systemd.service(5) */
} ends[] = {
	{ "zero", "exit 0", { 0, 1, 1, 0, 0, 0 } },
	{ "one", "exit 1", { 0, 1, 0, 1, 0, 0 } },
	{ "hup", "kill -HUP $$$$", { 0, 1, 1, 0, 0, 0 } },
	{ "int", "kill -INT $$$$", { 0, 1, 1, 0, 0, 0 } },
	{ "term", "kill -TERM $$$$", { 0, 1, 1, 0, 0, 0 } },
	{ "pipe", "kill -PIPE $$$$", { 0, 1, 1, 0, 0, 0 } },
	{ "kill", "kill -KILL $$$$", { 0, 1, 0, 1, 1, 1 } },
	{ "abrt", "kill -ABRT $$$$", { 0, 1, 0, 1, 1, 1 } },
	{ "usr1", "kill -USR1 $$$$", { 0, 1, 0, 1, 1, 1 } },
	{ "timeout", NULL, { 0, 1, 0, 1, 1, 0 } },
};

#define NR_ENDS (sizeof(ends) / sizeof(*ends))

static void policy_unit(fixture *self, size_t end, size_t policy)
{
	const char *run = "[ -e @/%s ] && exec sleep 100000; : >@/%s; %s";
	char name[64], file[80], script[256];

	snprintf(name, sizeof(name), "%s-%s", ends[end].name, policies[policy]);
	snprintf(file, sizeof(file), "%s.service", name);
	if (ends[end].first) {
		snprintf(script, sizeof(script), run, name, name, ends[end].first);
		unit(self, file, "[Service]\nExecStart=/bin/sh -c '%s'\nRestart=%s\n", script,
		     policies[policy]);
		return;
	}
	unit(self, file, "[Service]\nExecStart=/bin/sleep 100000\nTimeoutStartSec=10s\n"
	     "ExecStartPre=/bin/sh -c '[ -e @/%s ] || { : >@/%s; exec sleep 100000; }'\n"
	     "Restart=%s\n", name, name, policies[policy]);
}

/* The line that decides what becomes of a unit after its first end. */
static bool decided(fixture *self, const char *name, bool restart)
{
	char text[128];

	snprintf(text, sizeof(text), "%s.service: %s", name, restart ? "restart in 100ms" :
		 !strncmp(name, "zero", 4) || !strncmp(name, "hup", 3) ||
		 !strncmp(name, "int", 3) || !strncmp(name, "term", 4) ||
		 !strncmp(name, "pipe", 4) ? "finished\n" : "failed, result ");
	return told(self, text);
}

TEST_F_TIMEOUT(knelld, restart_policy_by_end, LIMIT_S)
{
	char name[64], text[128];

	for (size_t e = 0; e < NR_ENDS; e++)
		for (size_t p = 0; p < 6; p++)
			policy_unit(self, e, p);
	ASSERT_TRUE(start(self));
	for (size_t e = 0; e < NR_ENDS; e++) {
		for (size_t p = 0; p < 6; p++) {
			snprintf(name, sizeof(name), "%s-%s", ends[e].name, policies[p]);
			ASSERT_TRUE(decided(self, name, ends[e].restarts[p]))
				TH_LOG("%s: wrong decision", name);
			if (!ends[e].restarts[p])
				continue;
			snprintf(text, sizeof(text), "%s.service: started, main process", name);
			ASSERT_TRUE(told_times(self, ends[e].first ? 2 : 1, text));
		}
	}
	ASSERT_EQ(0, stop(self));
	/* Those that were not to come back did not. */
	for (size_t e = 0; e < NR_ENDS; e++) {
		for (size_t p = 0; p < 6; p++) {
			snprintf(text, sizeof(text), "%s-%s.service: restart in", ends[e].name,
				 policies[p]);
			EXPECT_EQ(ends[e].restarts[p], occurrences(self, text)) TH_LOG("%s", text);
		}
	}
}

TEST_F_TIMEOUT(knelld, start_limit_stops_a_crash_loop, LIMIT_S)
{
	unit(self, "a.service", "[Unit]\nStartLimitBurst=3\nStartLimitIntervalSec=infinity\n"
	     "[Service]\nExecStart=/bin/false\nRestart=always\nRestartSec=10ms\n");
	unit(self, "b.service", "[Service]\nStartLimitBurst=4\nStartLimitIntervalSec=1h\n"
	     "ExecStart=/bin/true\nRestart=always\nRestartSec=0\n");
	unit(self, "c.service", "[Service]\nExecStart=/bin/true\nRestart=always\n"
	     "StartLimitIntervalSec=600s\n");
	unit(self, "up.service", SLEEPER);
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "a.service: start limit hit: 3 starts in infinity"));
	ASSERT_TRUE(told(self, "b.service: start limit hit: 4 starts in 3600s"));
	ASSERT_TRUE(told(self, "c.service: start limit hit: 5 starts in 600s"));
	EXPECT_EQ(3, occurrences(self, "a.service: main process"));
	EXPECT_EQ(4, occurrences(self, "b.service: main process"));
	EXPECT_EQ(5, occurrences(self, "c.service: main process"));
	EXPECT_TRUE(has(self, "a.service: restart in 10ms (2 of 3 starts in infinity are used)"));
	ASSERT_EQ(0, stop(self));
	EXPECT_TRUE(has(self, "up.service: stopped\n"));
}

TEST_F_TIMEOUT(knelld, without_a_limit_it_goes_on, LIMIT_S)
{
	unit(self, "a.service", "[Service]\nStartLimitIntervalSec=0\nExecStart=/bin/false\n"
	     "Restart=always\nRestartSec=1ms\n");
	unit(self, "b.service", "[Service]\nStartLimitBurst=0\nExecStart=/bin/sh -c 'exit 3'\n"
	     "Restart=on-failure\nRestartSec=1ms\n");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told_times(self, 60, "a.service: main process"));
	ASSERT_TRUE(told_times(self, 60, "b.service: main process"));
	ASSERT_EQ(0, stop(self));
	EXPECT_FALSE(has(self, "start limit"));
}

/* The script notes when it starts: from start to start it is RestartSec= at least. */
TEST_F_TIMEOUT(knelld, restart_is_never_early, LIMIT_S)
{
	double at[4];

	unit(self, "a.service", "[Service]\nRestart=always\nRestartSec=700ms\nStartLimitBurst=4\n"
	     "StartLimitIntervalSec=1h\n"
	     "ExecStart=/bin/sh -c 'read up rest </proc/uptime; echo $up >>@/times; exit 1'\n");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "a.service: start limit hit"));
	ASSERT_EQ(4, sscanf(contents(self, "times"), "%lf %lf %lf %lf", &at[0], &at[1], &at[2],
			    &at[3]));
	for (int i = 1; i < 4; i++)
		EXPECT_GE(at[i] - at[i - 1], 0.69);	/* uptime has two digits, cut off */
	ASSERT_EQ(0, stop(self));
}

/* Order */

TEST_F_TIMEOUT(knelld, after_a_oneshot_waits_for_its_end, LIMIT_S)
{
	unit(self, "b.service", "[Unit]\nAfter=a.service\n[Service]\nType=oneshot\n"
	     "ExecStart=/bin/sh -c 'echo b >>@/order'\n");
	unit(self, "a.service", "[Service]\nType=oneshot\n"
	     "ExecStart=/bin/sh -c 'sleep 1; echo a1 >>@/order'\n"
	     "ExecStart=/bin/sh -c 'sleep 1; echo a2 >>@/order' ; /bin/sh -c 'echo a3 >>@/order'\n");
	unit(self, "c.service", "[Unit]\nBefore=a.service\n[Service]\nType=oneshot\n"
	     "ExecStart=/bin/sh -c 'sleep 1; echo c >>@/order'\n");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "startup finished: 3 started, 0 failed"));
	EXPECT_STREQ("c\na1\na2\na3\nb\n", contents(self, "order"));
	ASSERT_EQ(0, stop(self));
}

/* Each waits for a sign of the other: they end only if both run at once. */
TEST_F_TIMEOUT(knelld, without_order_starts_are_parallel, LIMIT_S)
{
	const char *text = "[Service]\nType=oneshot\n"
		"ExecStart=/bin/sh -c ': >@/%s; until [ -e @/%s ]; do sleep 0.1; done'\n";

	unit(self, "a.service", text, "a", "b");
	unit(self, "b.service", text, "b", "a");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "startup finished: 2 started, 0 failed"));
	ASSERT_EQ(0, stop(self));
}

TEST_F_TIMEOUT(knelld, stops_in_reverse_order, LIMIT_S)
{
	const char *text = "[Unit]\n%s\n[Service]\nExecStart=/bin/sleep 100000\n"
		"ExecStopPost=/bin/sh -c 'sleep 0.2; echo %s >>@/order'\n";

	unit(self, "c.service", text, "After=b.service", "c");
	unit(self, "a.service", text, "Before=b.service", "a");
	unit(self, "b.service", text, "", "b");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "startup finished: 3 started"));
	EXPECT_TRUE(in_order(self, "a.service: started", "b.service: started"));
	EXPECT_TRUE(in_order(self, "b.service: started", "c.service: started"));
	ASSERT_EQ(0, stop(self));
	EXPECT_STREQ("c\nb\na\n", contents(self, "order"));
	EXPECT_TRUE(in_order(self, "c.service: stopped", "b.service: stopping"));
	EXPECT_TRUE(in_order(self, "b.service: stopped", "a.service: stopping"));
	EXPECT_TRUE(has(self, "all services are stopped"));
}

/* Told to end, each waits until the other was told, too. */
TEST_F_TIMEOUT(knelld, without_order_stops_are_parallel, LIMIT_S)
{
	const char *text = "[Service]\nTimeoutStopSec=infinity\nExecStart=/bin/sh -c "
		"'trap \": >@/%s.told; until [ -e @/%s.told ]; do sleep 0.1; done; exit 0\" TERM;"
		" : >@/%s.up; while :; do sleep 0.1; done'\n";

	unit(self, "a.service", text, "a", "b", "a");
	unit(self, "b.service", text, "b", "a", "b");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(appears(self, "a.up") && appears(self, "b.up"));
	ASSERT_EQ(0, stop(self));
	EXPECT_TRUE(has(self, "a.service: stopped\n"));
	EXPECT_TRUE(has(self, "b.service: stopped\n"));
}

TEST_F_TIMEOUT(knelld, a_failed_requirement_fails_the_dependant, LIMIT_S)
{
	unit(self, "a.service", "[Service]\nType=oneshot\nExecStart=/bin/false\n");
	unit(self, "b.service", "[Unit]\nRequires=a.service\nAfter=a.service\n"
	     "[Service]\nExecStart=/bin/sh -c ': >@/b.ran'\n");
	unit(self, "c.service", "[Unit]\nWants=a.service\nAfter=a.service\n" SLEEPER);
	unit(self, "d.service", "[Unit]\nDescription=x\nRequires=gone.service\n" SLEEPER);
	unit(self, "e.service", "[Unit]\nAfter=b.service\nRequires=b.service\n" SLEEPER);
	unit(self, "f.service", "[Unit]\nRequires=broken.service\n" SLEEPER);
	unit(self, "broken.service", "[Service]\nExecStart=not/absolute\n");
	unit(self, "g.service", "[Unit]\nAfter=network.target gone.service\n"
	     "Requires=sysinit.target\n" SLEEPER);
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "startup finished: 2 started, 6 failed"));
	EXPECT_TRUE(has(self, "b.service:2: Requires=a.service: it did not start"));
	EXPECT_TRUE(has(self, "e.service:3: Requires=b.service: it did not start"));
	EXPECT_TRUE(has(self, "d.service:3: Requires=gone.service: there is no such unit"));
	EXPECT_TRUE(has(self, "f.service:2: Requires=broken.service: its file is bad"));
	EXPECT_TRUE(has(self, "broken.service:2: ExecStart=not/absolute: expected an absolute"));
	EXPECT_TRUE(has(self, "c.service: started"));
	EXPECT_TRUE(has(self, "g.service: started"));
	ASSERT_EQ(0, stop(self));
	EXPECT_NE(0, access(path_of(self, "b.ran"), F_OK));
}

TEST_F_TIMEOUT(knelld, a_cycle_is_broken, LIMIT_S)
{
	unit(self, "a.service", "[Unit]\nDescription=x\nAfter=b.service\n" SLEEPER);
	unit(self, "b.service", "[Unit]\nBefore=a.service\nAfter=c.service\n" SLEEPER);
	unit(self, "c.service", "[Unit]\n\n\nAfter=a.service\n" SLEEPER);
	unit(self, "behind.service", "[Unit]\nAfter=a.service\n" SLEEPER);
	unit(self, "ahead.service", "[Unit]\nBefore=a.service\n" SLEEPER);
	unit(self, "self.service", "[Unit]\nAfter=self.service\n" SLEEPER);
	unit(self, "needy.service", "[Unit]\nRequires=a.service\n" SLEEPER);
	ASSERT_TRUE(start(self));
	/* As systemd breaks it: without one of those that nobody requires. */
	ASSERT_TRUE(told(self, "startup finished: 6 started, 1 failed"));
	EXPECT_TRUE(has(self, "an ordering cycle: a.service after b.service after c.service after "
			"a.service; the start of c.service is left out to break it"));
	EXPECT_TRUE(has(self, "a.service: started"));
	EXPECT_TRUE(has(self, "b.service: started"));
	EXPECT_FALSE(has(self, "c.service: started"));
	EXPECT_TRUE(has(self, "behind.service: started"));
	EXPECT_TRUE(has(self, "ahead.service: started"));
	EXPECT_TRUE(has(self, "self.service:2: After=: the unit itself, ignored"));
	EXPECT_TRUE(has(self, "self.service: started"));
	EXPECT_TRUE(has(self, "needy.service: started"));
	ASSERT_EQ(0, stop(self));
}

/* Timeouts */

TEST_F_TIMEOUT(knelld, stop_timeout_then_kill, LIMIT_S)
{
	uint64_t before;

	unit(self, "a.service", "[Service]\nTimeoutStopSec=5s\nRestart=always\n"
	     "ExecStart=/bin/sh -c 'trap \"\" TERM; : >@/up; exec sleep 100000'\n"
	     "ExecStopPost=/bin/sh -c 'echo $SERVICE_RESULT $EXIT_CODE $EXIT_STATUS >@/post'\n");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(appears(self, "up"));
	before = clock_ns(CLOCK_MONOTONIC);
	kill(self->pid, SIGTERM);
	ASSERT_TRUE(told(self, "a.service: 1 process still there after 5s, SIGKILL"));
	EXPECT_GE(clock_ns(CLOCK_MONOTONIC) - before, 5 * NSEC_PER_SEC);
	ASSERT_EQ(0, ended(self));
	EXPECT_TRUE(has(self, "killed by SIGKILL"));
	EXPECT_TRUE(has(self, "a.service: stopped, result timeout"));
	EXPECT_FALSE(has(self, "restart in"));
	EXPECT_STREQ("timeout killed KILL\n", contents(self, "post"));
}

TEST_F_TIMEOUT(knelld, start_timeout, LIMIT_S)
{
	unit(self, "a.service", "[Service]\nType=oneshot\nTimeoutStartSec=300ms\n"
	     "ExecStart=/bin/true\nExecStart=/bin/sleep 100000\n");
	unit(self, "b.service", "[Service]\nTimeoutStartSec=5s\nTimeoutStopSec=300ms\n"
	     "ExecStartPre=/bin/sh -c 'trap \"\" TERM; exec sleep 100000'\nExecStart=/bin/true\n");
	unit(self, "c.service", "[Unit]\nAfter=a.service b.service\n" SLEEPER);
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "startup finished: 1 started, 2 failed"));
	EXPECT_TRUE(has(self, "a.service: ExecStart= not done within TimeoutStartSec=300ms"));
	EXPECT_TRUE(has(self, "a.service: failed, result timeout"));
	EXPECT_TRUE(has(self, "b.service: ExecStartPre= not done within TimeoutStartSec=5s"));
	EXPECT_TRUE(has(self, "b.service: 1 process still there after 300ms, SIGKILL"));
	EXPECT_TRUE(has(self, "b.service: failed, result timeout"));
	ASSERT_EQ(0, stop(self));
}

TEST_F_TIMEOUT(knelld, stop_post_timeout, LIMIT_S)
{
	unit(self, "a.service", "[Service]\nTimeoutStopSec=5s\nExecStart=/bin/true\n"
	     "ExecStopPost=/bin/sh -c 'trap \"\" TERM; exec sleep 100000'\n"
	     "ExecStopPost=/bin/sh -c ': >@/second'\n");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "a.service: failed, result timeout"));
	EXPECT_TRUE(has(self, "a.service: ExecStopPost process"));
	EXPECT_EQ(0, access(path_of(self, "second"), F_OK));
	ASSERT_EQ(0, stop(self));
}

/* A timer that a start had set does not hit what runs afterwards; the sleeper is the clock. */
TEST_F_TIMEOUT(knelld, timers_end_with_what_they_were_for, LIMIT_S)
{
	unit(self, "a.service", "[Service]\nTimeoutStartSec=10s\nTimeoutStopSec=10s\n"
	     "ExecStartPre=/bin/true\nRestart=always\nRestartSec=1ms\n"
	     "ExecStart=/bin/sh -c '[ -e @/ran ] && exec sleep 100000; : >@/ran; exit 1'\n");
	unit(self, "clock.service", "[Service]\nExecStart=/bin/sleep 13\n");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "clock.service: finished"));
	EXPECT_EQ(2, occurrences(self, "a.service: started"));
	EXPECT_EQ(1, occurrences(self, "a.service: main process"));
	ASSERT_EQ(0, stop(self));
}

/* What happens to one unit does not touch what another one waits for. */
TEST_F_TIMEOUT(knelld, a_pending_restart_survives_others, LIMIT_S)
{
	unit(self, "a.service", "[Service]\nRestart=always\nRestartSec=3s\n"
	     "ExecStart=/bin/sh -c '[ -e @/ran ] && exec sleep 100000; : >@/ran; exit 1'\n");
	unit(self, "b.service", "[Service]\nRestart=always\nRestartSec=20ms\n"
	     "StartLimitBurst=20\nStartLimitIntervalSec=1h\nExecStart=/bin/false\n");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "b.service: start limit hit"));
	ASSERT_TRUE(told_times(self, 2, "a.service: started"));
	ASSERT_EQ(0, stop(self));
	EXPECT_EQ(1, occurrences(self, "a.service: restart in 3s"));
}

/* Commands */

TEST_F_TIMEOUT(knelld, a_failed_start_pre_ends_the_start, LIMIT_S)
{
	unit(self, "a.service", "[Service]\nExecStartPre=/bin/true\nExecStartPre=/bin/sh -c 'exit 4'\n"
	     "ExecStartPre=/bin/sh -c ': >@/third'\nExecStart=/bin/sh -c ': >@/main'\n"
	     "ExecStopPost=/bin/sh -c ': >@/post'\n");
	unit(self, "b.service", "[Service]\nExecStartPre=-/bin/false\nExecStartPre=-/no/such\n"
	     "ExecStart=/bin/sleep 100000\n");
	unit(self, "c.service", "[Service]\nExecStart=-/bin/false\nRestart=on-failure\n");
	unit(self, "d.service", "[Service]\nExecStart=-/no/such\nRestart=on-failure\n");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "a.service: failed, result exit-code"));
	ASSERT_TRUE(told(self, "b.service: started"));
	ASSERT_TRUE(told(self, "c.service: finished"));
	ASSERT_TRUE(told(self, "d.service: finished"));
	EXPECT_TRUE(has(self, " exited with status 4, cpu "));
	EXPECT_TRUE(has(self, "d.service:2: ExecStart=/no/such: cannot run: No such file"));
	ASSERT_EQ(0, stop(self));
	EXPECT_NE(0, access(path_of(self, "third"), F_OK));
	EXPECT_NE(0, access(path_of(self, "main"), F_OK));
	EXPECT_EQ(0, access(path_of(self, "post"), F_OK));
}

TEST_F_TIMEOUT(knelld, stop_post_runs_after_every_end, LIMIT_S)
{
	const char *text = "[Service]\nExecStart=/bin/sh -c '%s'\n"
		"ExecStopPost=/bin/sh -c 'echo $SERVICE_RESULT $EXIT_CODE $EXIT_STATUS >@/%s'\n";

	unit(self, "a.service", text, "exit 0", "a");
	unit(self, "b.service", text, "exit 9", "b");
	unit(self, "c.service", text, "kill -SEGV $$$$", "c");
	unit(self, "d.service", text, "exec sleep 100000", "d");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "a.service: finished"));
	ASSERT_TRUE(told(self, "b.service: failed, result exit-code"));
	ASSERT_TRUE(told(self, "c.service: failed, result "));
	EXPECT_STREQ("success exited 0\n", contents(self, "a"));
	EXPECT_STREQ("exit-code exited 9\n", contents(self, "b"));
	EXPECT_NE(NULL, strstr(contents(self, "c"), "ed SEGV\n"));
	ASSERT_TRUE(told(self, "d.service: started"));
	ASSERT_EQ(0, stop(self));
	EXPECT_STREQ("success killed TERM\n", contents(self, "d"));
}

TEST_F_TIMEOUT(knelld, environment, LIMIT_S)
{
	unit(self, "env", "# comment\n; another\n\nFILE=from file  \nQUOTED=\"two  words\"' three'\n"
	     "OVER=file\nthis is no assignment\nCONT=one\\\ntwo\nEMPTY=\n");
	unit(self, "a.service", "[Service]\nEnvironment=DROPPED=1\nEnvironment=\n"
	     "Environment=A=1 \"B=two words\" 'C=x=y' OVER=unit bad-name=1\n"
	     "EnvironmentFile=@/env\nEnvironmentFile=-@/not-there\n"
	     "ExecStart=/bin/sh -c 'echo \"[$$A][$$B][$$C][$$OVER][$$FILE][$$QUOTED][$$CONT]"
	     "[$${EMPTY-unset}][$${DROPPED-unset}][$$PATH]\" >@/out'\n");
	unit(self, "b.service", "[Service]\nEnvironment=\"WORDS=a 'b c' d\" X=ex NONE=\n"
	     "ExecStart=/bin/sh -c 'echo \"$$#:$$0:$$*\" >@/args' $WORDS pre-${X}-${WORDS} \\\n"
	     "  # a comment amid a continued line\n"
	     "  $NONE $UNSET ${UNSET} $$X \"quoted \\x41\\t%%%%n=%%n\" \\; -\n");
	unit(self, "c.service", "[Service]\nEnvironmentFile=@/not-there\nExecStart=/bin/true\n");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "a.service: finished"));
	ASSERT_TRUE(told(self, "b.service: finished"));
	ASSERT_TRUE(told(self, "c.service: failed, result resources"));
	EXPECT_STREQ("[1][two words][x=y][file][from file][two  words three][onetwo][][unset]"
		     "[/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin]\n",
		     contents(self, "out"));
	EXPECT_STREQ("8:a:b c d pre-ex-a 'b c' d  $X quoted A\t%n=b.service ; -\n",
		     contents(self, "args"));
	EXPECT_TRUE(has(self, "a.service:4: Environment="));
	EXPECT_TRUE(has(self, "line 7 is no NAME=value, ignored"));
	EXPECT_TRUE(has(self, "c.service:2: EnvironmentFile="));
	ASSERT_EQ(0, stop(self));
}

TEST_F_TIMEOUT(knelld, user_group_and_directory, LIMIT_S)
{
	const char *who = "ExecStart=/bin/sh -c 'echo $$(id -u) $$(id -g) $$(id -G) $$(pwd) "
		"$$USER $$HOME >@/%s'\n";
	char text[512];

	snprintf(text, sizeof(text), "[Service]\nUser=nobody\nWorkingDirectory=@\n%s", who);
	unit(self, "a.service", text, "a");
	snprintf(text, sizeof(text), "[Service]\nUser=nobody\nGroup=root\n%s", who);
	unit(self, "b.service", text, "b");
	snprintf(text, sizeof(text), "[Service]\nGroup=12345\nWorkingDirectory=-/no/such\n%s", who);
	unit(self, "c.service", text, "c");
	snprintf(text, sizeof(text), "[Service]\nUser=4321\n%s", who);
	unit(self, "d.service", text, "d");
	snprintf(text, sizeof(text), "[Service]\nUser=nobody\nExecStartPre=+/bin/sh -c "
		 "'id -u >@/pre'\n%s", who);
	unit(self, "e.service", text, "e");
	unit(self, "f.service", "[Service]\nExecStart=/bin/true\nUser=no-such-user\n");
	unit(self, "g.service", "[Service]\nExecStart=/bin/true\n\nGroup=no-such-group\n");
	unit(self, "h.service", "[Service]\nExecStart=/bin/true\nWorkingDirectory=/no/such\n");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told_times(self, 5, ": finished"));
	ASSERT_TRUE(told_times(self, 3, ": failed, result exit-code"));
	snprintf(text, sizeof(text), "65534 65534 65534 %s nobody /nonexistent\n", self->dir);
	EXPECT_STREQ(text, contents(self, "a"));
	EXPECT_STREQ("65534 0 0 / nobody /nonexistent\n", contents(self, "b"));
	EXPECT_STREQ("0 12345 12345 /\n", contents(self, "c"));
	EXPECT_STREQ("4321 4321 4321 /\n", contents(self, "d"));
	EXPECT_STREQ("0\n", contents(self, "pre"));
	EXPECT_STREQ("65534 65534 65534 / nobody /nonexistent\n", contents(self, "e"));
	EXPECT_TRUE(has(self, "f.service:3: User=no-such-user: no such user"));
	EXPECT_TRUE(has(self, "g.service:4: Group=no-such-group: no such group"));
	EXPECT_TRUE(has(self, "h.service:3: WorkingDirectory=/no/such: cannot enter"));
	ASSERT_EQ(0, stop(self));
}

/* Signals are as a program expects them, and nothing is open but 0, 1 and 2. */
TEST_F_TIMEOUT(knelld, a_service_inherits_nothing, LIMIT_S)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN };
	int kept = open("/dev/null", O_RDONLY);

	ASSERT_LE(0, kept);
	unit(self, "a.service", "[Service]\nExecStart=/bin/sh -c "
	     "'grep -E \"^Sig(Blk|Ign)\" /proc/self/status >@/signals; "
	     "readlink /proc/$$$$/fd/0 >@/stdin; cut -d\" \" -f6 /proc/$$$$/stat >@/sid; "
	     "echo $$$$ >@/pid; ls /proc/$$$$/fd >@/fds'\n");
	sigaction(SIGHUP, &ignore, NULL);
	sigaction(SIGINT, &ignore, NULL);
	sigaction(SIGCHLD, &ignore, NULL);
	ASSERT_TRUE(start(self));
	signal(SIGCHLD, SIG_DFL);
	ASSERT_TRUE(told(self, "a.service: finished"));
	/* SIGPIPE alone, unless IgnoreSIGPIPE=no. */
	EXPECT_STREQ("SigBlk:\t0000000000000000\nSigIgn:\t0000000000001000\n",
		     contents(self, "signals"));
	EXPECT_STREQ("/dev/null\n", contents(self, "stdin"));
	EXPECT_STREQ("0\n1\n2\n", strndupa(contents(self, "fds"), 6));
	EXPECT_EQ(atoi(strdupa(contents(self, "pid"))), atoi(contents(self, "sid")));
	ASSERT_EQ(0, stop(self));
	close(kept);
}

/* Unit files as they should not be: each is told of, and the good one runs. */

TEST_F_TIMEOUT(knelld, a_missing_program, LIMIT_S)
{
	unit(self, "a.service", "[Unit]\nDescription=x\n[Service]\nExecStart=/no/such/program\n");
	unit(self, "b.service", "[Service]\nExecStart=/no/such/program\nRestart=on-failure\n"
	     "RestartSec=1ms\nStartLimitIntervalSec=1h\n");
	unit(self, "c.service", "[Service]\nExecStart=/etc/passwd\n");
	unit(self, "d.service", "[Unit]\nRequires=a.service\nAfter=a.service\n" SLEEPER);
	unit(self, "e.service", "[Service]\nExecStart=sleep 100000\n");
	unit(self, "good.service", SLEEPER);
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "startup finished: 2 started, 4 failed"));
	ASSERT_TRUE(told(self, "b.service: start limit hit: 5 starts"));
	EXPECT_TRUE(has(self, "a.service:4: ExecStart=/no/such/program: cannot run: No such file"));
	EXPECT_TRUE(has(self, "a.service: failed, result exit-code"));
	EXPECT_EQ(5, occurrences(self, "b.service:2: ExecStart=/no/such/program: cannot run"));
	EXPECT_TRUE(has(self, "c.service:2: ExecStart=/etc/passwd: cannot run: Permission denied"));
	EXPECT_TRUE(has(self, "e.service: started"));
	EXPECT_TRUE(has(self, "good.service: started"));
	ASSERT_EQ(0, stop(self));
}

TEST_F_TIMEOUT(knelld, unreadable_unit_files, LIMIT_S)
{
	static char zeros[4096];
	FILE *f;

	ASSERT_EQ(0, mkdir(path_of(self, "directory.service"), 0755));
	ASSERT_EQ(0, mkfifo(path_of(self, "fifo.service"), 0644));
	ASSERT_EQ(0, symlink("/no/such", path_of(self, "dangling.service")));
	ASSERT_EQ(0, symlink("loop.service", path_of(self, "loop.service")));
	ASSERT_EQ(0, symlink("/dev/null", path_of(self, "masked.service")));
	f = fopen(path_of(self, "huge.service"), "w");
	ASSERT_NE(NULL, f);
	for (int i = 0; i < 300; i++)
		fprintf(f, "#%04095d\n", i);
	ASSERT_EQ(0, fclose(f));
	f = fopen(path_of(self, "binary.service"), "w");
	ASSERT_NE(NULL, f);
	fprintf(f, "[Service]\n\nExec");
	ASSERT_EQ(1, fwrite(zeros, sizeof(zeros), 1, f));
	ASSERT_EQ(0, fclose(f));
	unit(self, "header.service", "[Service\nExecStart=/bin/true\n");
	unit(self, "nothing.service", "[Unit]\nDescription=x\n");
	unit(self, "two.service", "[Service]\nExecStart=/bin/true\nExecStart=/bin/true\n");
	unit(self, "notify.service", "[Service]\nType=notify\nExecStart=/bin/true\n");
	unit(self, "quote.service", "[Service]\nExecStart=/bin/echo \"a\n");
	unit(self, "template@.service", SLEEPER);
	unit(self, "other.timer", "[Timer]\nOnActiveSec=3s\n");
	unit(self, "good.service", SLEEPER);
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "startup finished: 2 started, 11 failed"));
	EXPECT_TRUE(has(self, "directory.service: cannot be read: Is a directory"));
	EXPECT_TRUE(has(self, "fifo.service: cannot be read: not a regular file"));
	EXPECT_TRUE(has(self, "dangling.service: cannot be read: No such file"));
	EXPECT_TRUE(has(self, "loop.service: a link that leads back to itself"));
	EXPECT_TRUE(has(self, "huge.service: cannot be read: larger than 1 MiB"));
	EXPECT_TRUE(has(self, "binary.service:3: a NUL byte"));
	EXPECT_TRUE(has(self, "header.service:1: [Service: expected [Section]"));
	EXPECT_TRUE(has(self, "nothing.service: ExecStart= is missing"));
	EXPECT_TRUE(has(self, "two.service: ExecStart=: more than one command"));
	EXPECT_TRUE(has(self, "notify.service: failed, result protocol"));
	EXPECT_TRUE(has(self, "quote.service:2: ExecStart=/bin/echo \"a: expected"));
	EXPECT_TRUE(has(self, "masked.service: masked"));
	EXPECT_FALSE(has(self, "template@.service"));
	ASSERT_EQ(0, stop(self));
}

TEST_F_TIMEOUT(knelld, unknown_and_bad_values_are_ignored, LIMIT_S)
{
	unit(self, "a.service", "early=1\n[Unit]\nDescription=x\nNoSuchKey=1\n\n[Nonsense]\na=b\n"
	     "[X-Mine]\nc=d\n[Service]\nExecStart=/bin/sleep 100000\nRestart=perhaps\n"
	     "RestartSec=soon\nTimeoutStopSec=1 fortnight\nno equals sign\nProtectSystem=full\n"
	     "X-Own=1\n");
	/* This one waits to be enabled. */
	unit(self, "b.service", "[Install]\nWantedBy=multi-user.target\n" SLEEPER);
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "startup finished: 1 started, 0 failed"));
	EXPECT_TRUE(has(self, "a.service:1: assignment outside of a section"));
	EXPECT_TRUE(has(self, "a.service:4: NoSuchKey=: not a key that is known in [Unit]"));
	EXPECT_TRUE(has(self, "a.service:6: [Nonsense]: not a section"));
	EXPECT_TRUE(has(self, "a.service:12: Restart=perhaps: expected no, always,"));
	EXPECT_TRUE(has(self, "a.service:13: RestartSec=soon: expected a time span"));
	EXPECT_TRUE(has(self, "a.service:14: TimeoutStopSec=1 fortnight: expected a time span"));
	EXPECT_TRUE(has(self, "a.service:15: no equals sign: expected KEY=VALUE"));
	EXPECT_TRUE(has(self, "a.service:16: ProtectSystem=: accepted, not enforced"));
	EXPECT_FALSE(has(self, "Mine"));
	EXPECT_FALSE(has(self, "X-Own"));
	EXPECT_FALSE(has(self, "WantedBy"));
	EXPECT_FALSE(has(self, "b.service"));
	ASSERT_EQ(0, stop(self));
}

/* SIGHUP */

TEST_F_TIMEOUT(knelld, sighup_reads_the_directory_again, LIMIT_S)
{
	char aside[80];
	pid_t pid;

	unit(self, "a.service", "[Service]\nRestart=always\nRestartSec=1ms\n"
	     "ExecStart=/bin/sh -c 'echo old >>@/a; exec sleep 100000'\n");
	unit(self, "same.service", SLEEPER);
	unit(self, "vanishing.service", "[Service]\nRestart=always\nExecStart=/bin/sleep 100000\n");
	unit(self, "broken.service", "[Service]\nExecStart=relative/path\n");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "startup finished: 3 started, 1 failed"));
	ASSERT_TRUE(appears(self, "a"));
	pid = main_pid(self, "a.service");

	unit(self, "a.service", "[Service]\nRestart=always\nRestartSec=1ms\n"
	     "ExecStart=/bin/sh -c 'echo new >>@/a; : >@/changed; exec sleep 100000'\n");
	unit(self, "broken.service", SLEEPER);
	unit(self, "new.service", "[Unit]\nAfter=same.service\n" SLEEPER);
	ASSERT_EQ(0, unlink(path_of(self, "vanishing.service")));
	kill(self->pid, SIGHUP);
	ASSERT_TRUE(told(self, "new.service: started"));
	ASSERT_TRUE(told(self, "broken.service: started"));
	/* What is gone is not counted. */
	ASSERT_TRUE(told(self, "startup finished: 4 started, 0 failed"));
	EXPECT_TRUE(has(self, "a.service: changed, which takes effect at its next start"));
	EXPECT_TRUE(has(self, "vanishing.service: its file is gone"));
	EXPECT_FALSE(has(self, "same.service: changed"));
	EXPECT_EQ(pid, main_pid(self, "a.service"));
	EXPECT_STREQ("old\n", contents(self, "a"));
	EXPECT_EQ(1, occurrences(self, "same.service: started"));

	/* The change is in force from the next start on; what vanished ends with its process. */
	kill(pid, SIGKILL);
	ASSERT_TRUE(appears(self, "changed"));
	EXPECT_STREQ("old\nnew\n", contents(self, "a"));
	kill(main_pid(self, "vanishing.service"), SIGKILL);
	ASSERT_TRUE(told(self, "vanishing.service: failed, result signal"));
	EXPECT_FALSE(has(self, "vanishing.service: restart in"));

	/* It is back, and a file that was good is spoilt: its unit goes on as it was. */
	unit(self, "vanishing.service", SLEEPER);
	unit(self, "same.service", "[Service]\nExecStart=relative\\path/x\n");
	kill(self->pid, SIGHUP);
	ASSERT_TRUE(told_times(self, 2, "vanishing.service: started"));
	EXPECT_TRUE(has(self, "same.service: keeps its former settings"));

	/* Without a directory everything stays as it is. */
	snprintf(aside, sizeof(aside), "%s.aside", self->dir);
	ASSERT_EQ(0, rename(self->dir, aside));
	kill(self->pid, SIGHUP);
	EXPECT_TRUE(told(self, "cannot read the unit directory"));
	ASSERT_EQ(0, rename(aside, self->dir));
	ASSERT_EQ(0, stop(self));
	EXPECT_TRUE(has(self, "same.service: stopped\n"));
}

/* SIGUSR1 */

/* The latest row of a function: how often it ran, and the eight letters of what it is; -1: none. */
static long row_of(fixture *self, const char *func, char types[static 9])
{
	const char *line, *end;
	double ms;
	long found = -1, runs, columns[4];
	char name[32];
	int at;

	for (line = self->log; (end = strchr(line, '\n')); line = end + 1) {
		if (sscanf(line, "knelld: %lf %ld %ld %ld %ld %ld%n", &ms, &runs, &columns[0],
			   &columns[1], &columns[2], &columns[3], &at) != 6)
			continue;
		/* The letters are where they are, blank or not. */
		if (sscanf(line + at + 8, "%31s", name) != 1 || strcmp(name, func))
			continue;
		memcpy(types, line + at + 1, 6);
		memcpy(types + 6, end - 57, 2);
		types[8] = '\0';
		found = runs;
	}
	return found;
}

TEST_F_TIMEOUT(knelld, sigusr1_tells_what_was_used, LIMIT_S)
{
	char types[9] = "";

	unit(self, "a.service", "[Service]\nExecStart=/bin/true\n");
	unit(self, "b.service", "[Service]\nExecStart=/bin/false\n");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "a.service: finished"));
	ASSERT_TRUE(told(self, "b.service: failed"));
	kill(self->pid, SIGUSR1);
	ASSERT_TRUE(told(self, " TOTAL "));
	EXPECT_TRUE(has(self, "CPU (user+system): Real (wall-clock):"));
	EXPECT_TRUE(has(self, "Runtime(ms)   Invoked Avg uSec Max uSecs Avg uSec Max uSecs  Type"));
	/* Each has ended, and then left its tree empty. */
	EXPECT_EQ(4, row_of(self, "on_record", types));
	EXPECT_STREQ("      C ", types);
	EXPECT_LE(1, row_of(self, "settle", types));
	EXPECT_STREQ("    X   ", types);
	EXPECT_LE(5, row_of(self, "TOTAL", types));
	/* It shows up the next time. */
	EXPECT_EQ(-1, row_of(self, "on_show", types));
	kill(self->pid, SIGUSR1);
	ASSERT_TRUE(told_times(self, 2, " TOTAL "));
	EXPECT_EQ(1, row_of(self, "on_show", types));
	EXPECT_STREQ("       S", types);
	ASSERT_EQ(0, stop(self));
}

/* Many */

/* Every one of 1000 ends is heard of, though each comes in the instant of the start. */
TEST_F_TIMEOUT(knelld, ends_in_the_instant_of_the_start, LIMIT_S)
{
	char name[64];

	for (int i = 0; i < 20; i++) {
		snprintf(name, sizeof(name), "s%02d.service", i);
		unit(self, name, "[Service]\nExecStart=/bin/true\nRestart=always\nRestartSec=0\n"
		     "StartLimitBurst=50\nStartLimitIntervalSec=1h\n");
	}
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told_times(self, 20, "start limit hit"));
	EXPECT_EQ(1000, occurrences(self, ": started, main process "));
	EXPECT_EQ(1000, occurrences(self, " exited with status 0, cpu "));
	ASSERT_EQ(0, stop(self));
}

/* Services that run, and restarts that are far off: nothing of it costs anything. */
TEST_F_TIMEOUT(knelld, idle_is_idle_and_awake_at_once, LIMIT_S)
{
	char name[64];

	for (int i = 0; i < 10; i++) {
		snprintf(name, sizeof(name), "up%d.service", i);
		unit(self, name, "[Service]\nExecStart=/bin/sleep 100000\nRestart=always\n"
		     "RestartSec=1ms\n");
		snprintf(name, sizeof(name), "later%d.service", i);
		unit(self, name, "[Service]\nExecStart=/bin/true\nRestart=always\nRestartSec=2h\n");
	}
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "startup finished: 20 started"));
	ASSERT_TRUE(told_times(self, 10, "restart in 7200s"));
	idle(_metadata, self, 20);
	EXPECT_EQ(1, occurrences(self, "up3.service: started"));
	kill(main_pid(self, "up3.service"), SIGKILL);
	ASSERT_TRUE(told_times(self, 2, "up3.service: started"));
	ASSERT_EQ(0, stop(self));
}

/* 200 at once, all killed at once, all back; then silence; then all stopped. */
TEST_F_TIMEOUT(knelld, two_hundred_services, LIMIT_S)
{
	const size_t nr = 200;
	char name[64];

	for (size_t i = 0; i < nr; i++) {
		snprintf(name, sizeof(name), "s%03zu.service", i);
		unit(self, name, "[Service]\nExecStart=/bin/sleep 100000\nRestart=always\n");
	}
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "startup finished: 200 started, 0 failed"));
	for (size_t i = 0; i < nr; i++) {
		snprintf(name, sizeof(name), "s%03zu.service", i);
		ASSERT_LT(1, main_pid(self, name));
		ASSERT_EQ(0, kill(main_pid(self, name), SIGKILL));
	}
	ASSERT_TRUE(told_times(self, 2 * nr, ": started, main process "));
	EXPECT_EQ(nr, occurrences(self, "killed by SIGKILL"));
	idle(_metadata, self, 5);
	ASSERT_EQ(0, stop(self));
	EXPECT_EQ(nr, occurrences(self, ".service: stopped\n"));
	EXPECT_EQ(nr, occurrences(self, "killed by SIGTERM"));
}

/* status has it, too, but not exactly: the kernel counts in batches. */
static unsigned long anonymous_kib(pid_t pid)
{
	unsigned long kib = 0;
	char path[64], line[256];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", pid);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f))
		sscanf(line, "Anonymous: %lu", &kib);
	if (f)
		fclose(f);
	return kib;
}

/* Hundreds of restarts and readings of the directory leave nothing behind. */
TEST_F_TIMEOUT(knelld, memory_does_not_grow, LIMIT_S)
{
	unsigned long before = 0;

	unit(self, "env", "A=1\nB=2\n");
	unit(self, "a.service", "[Service]\nStartLimitBurst=0\nRestart=always\nRestartSec=0\n"
	     "Environment=X=1 Y=2\nEnvironmentFile=@/env\nUser=nobody\nExecStartPre=true\n"
	     "ExecStart=/bin/sh -c 'exit 1' $X ${Y}\nExecStopPost=/bin/true\n");
	unit(self, "b.service", "[Service]\nStartLimitBurst=0\nRestart=always\nRestartSec=50ms\n"
	     "ExecStart=/no/such\nEnvironmentFile=-@/none\n");
	unit(self, "c.service", "[Unit]\nAfter=a.service b.service\nNoSuchKey=1\n" SLEEPER);
	unit(self, "d.service", "[Service]\nExecStart=\"open\n");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "c.service: started"));
	for (size_t i = 1; i <= 50; i++) {
		kill(self->pid, SIGHUP);
		ASSERT_TRUE(told_times(self, i, "SIGHUP: reading"));
		ASSERT_TRUE(told_times(self, 5 * i, "a.service: main process"));
		/* It has seen everything once. */
		if (i == 20)
			before = anonymous_kib(self->pid);
	}
	EXPECT_LT(0, before);
	/* The least that malloc gives, lost at each process, would be twice as much. */
	EXPECT_GE(before + 8, anonymous_kib(self->pid));
	ASSERT_EQ(0, stop(self));
}

/* What the record says about the dead is what the dead used. */
TEST_F_TIMEOUT(knelld, usage_comes_from_the_record, LIMIT_S)
{
	unsigned long s, ms, kb;
	const char *at;
	int pid;

	unit(self, "a.service", "[Service]\nExecStart=/bin/sh -c "
	     "'i=0; while [ $$i -lt 30000 ]; do i=$$((i+1)); done; exit 5'\n");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "a.service: failed, result exit-code"));
	at = strstr(self->log, "a.service: main process");
	ASSERT_NE(NULL, at);
	ASSERT_EQ(4, sscanf(at, "a.service: main process %d exited with status 5, cpu %lu.%lus, "
			    "max rss %lu KiB", &pid, &s, &ms, &kb));
	EXPECT_EQ(main_pid(self, "a.service"), pid);
	EXPECT_LT(0, s * 1000 + ms);
	EXPECT_LT(0, kb);
	ASSERT_EQ(0, stop(self));
}

/* How it works: no wait(2), no fork(2), no kill(2) in the whole life of a supervisor. */
TEST_F_TIMEOUT(knelld, neither_waits_nor_copies_itself, LIMIT_S)
{
	unit(self, "a.service", "[Service]\nExecStart=/bin/true\nRestart=always\nRestartSec=1ms\n"
	     "StartLimitIntervalSec=1h\n");
	unit(self, "b.service", "[Service]\nExecStart=/bin/sleep 100000\n"
	     "ExecStopPost=/bin/true\n");
	unit(self, "c.service", "[Service]\nType=oneshot\nTimeoutStartSec=200ms\n"
	     "ExecStart=/bin/sleep 100000\n");
	unit(self, "d.service", "[Service]\nExecStart=/no/such\n");
	ASSERT_TRUE(start_as(self, NO_WAIT));
	ASSERT_TRUE(told(self, "a.service: start limit hit"));
	ASSERT_TRUE(told(self, "b.service: started"));
	ASSERT_TRUE(told(self, "c.service: failed, result timeout"));
	kill(self->pid, SIGHUP);
	ASSERT_TRUE(told(self, "SIGHUP: reading"));
	ASSERT_EQ(0, stop(self));
	EXPECT_TRUE(has(self, "b.service: stopped\n"));
}

/* Signals */

TEST_F_TIMEOUT(knelld, signals_at_any_time, LIMIT_S)
{
	unit(self, "a.service", "[Service]\nExecStart=/bin/true\nRestart=always\nRestartSec=0\n"
	     "StartLimitIntervalSec=0\n");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "startup finished"));
	for (size_t i = 1; i <= 50; i++) {
		kill(self->pid, SIGHUP);
		ASSERT_TRUE(told_times(self, i, "SIGHUP: reading"));
	}
	kill(self->pid, SIGINT);
	ASSERT_EQ(0, ended(self));
	EXPECT_TRUE(has(self, "SIGINT: stopping all services"));
	EXPECT_TRUE(has(self, "all services are stopped"));
}

TEST_F_TIMEOUT(knelld, stop_during_the_start, LIMIT_S)
{
	unit(self, "a.service", "[Service]\nType=oneshot\nExecStart=/bin/sleep 100000\n");
	unit(self, "b.service", "[Unit]\nAfter=a.service\n[Service]\n"
	     "ExecStart=/bin/sh -c ': >@/b'\n");
	unit(self, "c.service", "[Service]\nExecStart=/bin/false\nRestart=always\nRestartSec=1h\n");
	unit(self, "d.service", "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true\n"
	     "ExecStopPost=/bin/sh -c ': >@/d'\n");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "c.service: restart in 3600s"));
	ASSERT_TRUE(told(self, "d.service: done, stays up"));
	EXPECT_NE(0, access(path_of(self, "d"), F_OK));
	ASSERT_EQ(0, stop(self));
	EXPECT_TRUE(has(self, "a.service: stopped"));
	EXPECT_NE(0, access(path_of(self, "b"), F_OK));
	EXPECT_EQ(0, access(path_of(self, "d"), F_OK));
}

TEST_F_TIMEOUT(knelld, without_the_device, LIMIT_S)
{
	unit(self, "a.service", SLEEPER);
	ASSERT_TRUE(start_as(self, NO_DEVICE));
	ASSERT_EQ(1, WEXITSTATUS(ended(self)));
	EXPECT_TRUE(has(self, "cannot open /dev/knell: No such file or directory; load the module"));
	EXPECT_TRUE(has(self, "insmod knell.ko"));
}

/* The first process */

/* The children of @pid: how many live, how many are zombies. */
static void count_children(pid_t pid, size_t *alive, size_t *zombies)
{
	char path[300], line[512];
	DIR *d = opendir("/proc");
	struct dirent *entry;
	char state;
	FILE *f;
	int ppid;

	*alive = *zombies = 0;
	while (d && (entry = readdir(d))) {
		snprintf(path, sizeof(path), "/proc/%s/stat", entry->d_name);
		f = atoi(entry->d_name) ? fopen(path, "r") : NULL;
		if (f && fgets(line, sizeof(line), f) && strrchr(line, ')') &&
		    sscanf(strrchr(line, ')') + 1, " %c %d", &state, &ppid) == 2 && ppid == pid) {
			*zombies += state == 'Z';
			*alive += state != 'Z';
		}
		if (f)
			fclose(f);
	}
	if (d)
		closedir(d);
}

/* 100 processes whose parents leave them, and who end at all times. */
TEST_F_TIMEOUT(knelld, pid1_orphans_never_become_zombies, LIMIT_S)
{
	struct timespec tick = { .tv_nsec = 50 * NSEC_PER_MSEC };
	size_t alive, zombies;
	int tries = PATIENCE_S * 20;

	unit(self, "orphans.service", "[Service]\nType=oneshot\nKillMode=process\nExecStart=/bin/sh -c "
	     "'i=0; while [ $$i -lt 100 ]; do (sleep 0.$$((i %%%% 10)) & ); i=$$((i+1)); done'\n");
	unit(self, "up.service", SLEEPER);
	unit(self, "left.service", "[Service]\nType=oneshot\nKillMode=process\nExecStart=/bin/sh -c "
	     "'(trap \"\" TERM; sleep 100000) & sleep 0'\n");
	ASSERT_TRUE(start_as(self, FIRST));
	ASSERT_TRUE(told(self, "version "));
	EXPECT_TRUE(has(self, ", pid 1\n"));
	ASSERT_TRUE(told(self, "startup finished: 3 started, 0 failed"));
	/* up.service's process and what left.service has left are there for good. */
	do {
		nanosleep(&tick, NULL);
		count_children(self->pid, &alive, &zombies);
	} while (alive + zombies > 2 && --tries);
	EXPECT_EQ(2, alive);
	EXPECT_EQ(0, zombies);
	ASSERT_EQ(0, stop(self));
	EXPECT_TRUE(in_order(self, "all services are stopped", "SIGTERM to what is left"));
	EXPECT_TRUE(has(self, "SIGKILL to what is left"));
}

TEST_F_TIMEOUT(knelld, pid1_supervises_and_leaves_a_container, LIMIT_S)
{
	unit(self, "a.service", "[Service]\nExecStart=/bin/sleep 100000\nRestart=always\n");
	unit(self, "b.service", "[Unit]\nAfter=a.service\n[Service]\nExecStart=/bin/sleep 100000\n");
	ASSERT_TRUE(start_as(self, FIRST));
	ASSERT_TRUE(told(self, "startup finished: 2 started"));
	idle(_metadata, self, 3);
	kill(self->pid, SIGINT);
	ASSERT_EQ(0, ended(self));
	EXPECT_TRUE(in_order(self, "b.service: stopped", "a.service: stopping"));
	EXPECT_FALSE(has(self, "what is left"));
}

TEST_F_TIMEOUT(knelld, pid1_without_the_device_does_not_end, LIMIT_S)
{
	int status;

	unit(self, "a.service", SLEEPER);
	ASSERT_TRUE(start_as(self, FIRST_NO_DEVICE));
	ASSERT_TRUE(told(self, "must not end"));
	EXPECT_TRUE(has(self, "cannot open /dev/knell"));
	EXPECT_TRUE(has(self, "insmod knell.ko"));
	kill(self->pid, SIGTERM);
	kill(self->pid, SIGHUP);
	ASSERT_EQ(0, waitpid(self->pid, &status, WNOHANG));
	kill(self->pid, SIGKILL);
	status = ended(self);
	EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

/* Options */

static int run_options(const char *a, const char *b, const char *c)
{
	const char *knelld = getenv("KNELLD") ? getenv("KNELLD") : "/sbin/knelld";
	int status;
	pid_t pid = fork();

	if (!pid) {
		int fd = open("/dev/null", O_RDWR);

		dup2(fd, STDOUT_FILENO);
		dup2(fd, STDERR_FILENO);
		execl(knelld, "knelld", a, b, c, (char *)NULL);
		_exit(95);
	}
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

TEST_F_TIMEOUT(knelld, options, LIMIT_S)
{
	unit(self, "a.service", "[Service]\nFoo=bar\nExecStart=/bin/true\n");
	EXPECT_EQ(0, run_options("--help", NULL, NULL));
	EXPECT_EQ(0, run_options("--version", NULL, NULL));
	EXPECT_EQ(2, run_options("--no-such-option", NULL, NULL));
	EXPECT_EQ(2, run_options("word", NULL, NULL));
	EXPECT_EQ(0, run_options("--unit-dir", self->dir, "--check"));
	EXPECT_EQ(1, run_options("--unit-dir", "/no/such", "--check"));
	EXPECT_EQ(1, run_options("--unit-dir", "/no/such", NULL));
	unit(self, "b.service", "[Service]\nExecStart=x/y\n");
	EXPECT_EQ(1, run_options("--unit-dir", self->dir, "--check"));
}

TEST_HARNESS_MAIN
