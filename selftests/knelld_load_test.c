// SPDX-License-Identifier: GPL-2.0-only
/*
 * knelld from outside, as knelld_test.c: many services, none that does anything, and what it
 * costs: wake-ups, memory, system calls.
 *
 * runner-limit: 1800
 */
#include "knelld_test.h"

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

TEST_HARNESS_MAIN
