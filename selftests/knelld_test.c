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
