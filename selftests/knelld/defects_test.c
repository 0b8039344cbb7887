// SPDX-License-Identifier: GPL-2.0-only
/*
 * The classes of defects that supervisors have had, by their numbers (supervisors.md, 2.3), and
 * what of DragonReach's acceptance list (7.3) can be seen from outside. Elsewhere: class 9, of
 * files that hold up, and class 10 in hostile_test.c; class 6, which takes the module, in
 * ../knelld_keep_test.c; the module's side of 1, 2, 4, 5, 7 and 8 in its own selftests.
 *
 * runner-limit: 1800
 */
#include "host.h"

/*
 * A service that is this very program: it makes the file $TEST_MARK, and when SIGUSR1 comes exits
 * with $TEST_EXITS.
 */
static void __attribute__((constructor)) serve(void)
{
	const char *exits = getenv("TEST_EXITS"), *mark = getenv("TEST_MARK");
	sigset_t usr1;
	FILE *f;
	int sig;

	if (!exits)
		return;
	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	sigprocmask(SIG_BLOCK, &usr1, NULL);
	f = mark ? fopen(mark, "w") : NULL;
	if (f)
		fclose(f);
	sigwait(&usr1, &sig);
	_exit(atoi(exits));
}

static const char *numbered(const char *fmt, int i)
{
	static char buf[4][96], *at = buf[0];

	at = at == buf[3] ? buf[0] : at + sizeof(buf[0]);
	snprintf(at, sizeof(buf[0]), fmt, i);
	return at;
}

/* Waits until it is dead, and nobody has heard of it yet. */
static bool is_dead(pid_t pid)
{
	uint64_t end = patience_ends();

	while (state_of(pid) != 'Z' && state_of(pid) != 'X' && state_of(pid) != '-')
		if (!look_again(end))
			return false;
	return true;
}

#define MANY	48

static bool start_many(fixture *self, const char *keys)
{
	for (int i = 0; i < MANY; i++)
		unit(self, numbered("s%d.service", i), "[Service]\n%sEnvironment=TEST_EXITS=%d\n"
		     "Environment=TEST_MARK=@/%d\nExecStart=%s\n", keys, 100 + i, i, myself());
	if (!start(self) || !told(self, numbered("startup finished: %d started, 0 failed", MANY)))
		return false;
	for (int i = 0; i < MANY; i++)
		if (!appears(self, numbered("%d", i)))
			return false;
	return true;
}

/* Each has its own status in the log, which was sent for one signal, or none. */
TEST_F_TIMEOUT(knelld, class_1_ends_that_are_one_signal, LIMIT_S)
{
	ASSERT_TRUE(start_many(self, ""));
	ASSERT_TRUE(halts(self->pid));
	for (int i = 0; i < MANY; i++)
		kill(main_pid(self, numbered("s%d.service", i)), SIGUSR1);
	for (int i = 0; i < MANY; i++)
		ASSERT_TRUE(is_dead(main_pid(self, numbered("s%d.service", i))));
	kill(self->pid, SIGCONT);
	for (int i = 0; i < MANY; i++) {
		ASSERT_TRUE(told(self, numbered("s%d.service: failed, result exit-code", i)));
		EXPECT_EQ(1, occurrences(self, numbered("exited with status %d,", 100 + i)));
	}
	EXPECT_EQ(MANY, occurrences(self, ": main process"));
	ENDS;
}

/* OpenRC: who dies between the look and the sleep is never heard of. */
TEST_F_TIMEOUT(knelld, class_2_a_wake_up_that_is_lost, LIMIT_S)
{
	for (int i = 0; i < 3; i++)
		unit(self, numbered("now%d.service", i), "[Unit]\nStartLimitIntervalSec=0\n"
		     "[Service]\nRestart=always\nRestartSec=0\nExecStart=/bin/true\n");
	unit(self, "killed.service", "[Unit]\nStartLimitIntervalSec=0\n[Service]\nRestart=always\n"
	     "RestartSec=0\nExecStart=/bin/sleep 100000\n");
	ASSERT_TRUE(start(self));
	for (size_t i = 1; i <= 100; i++) {
		ASSERT_TRUE(told_times(self, i, "killed.service: started"));
		kill(main_pid(self, "killed.service"), SIGKILL);
	}
	for (int i = 0; i < 3; i++)
		ASSERT_TRUE(told_times(self, 100, numbered("now%d.service: restart in", i)));
	ASSERT_EQ(0, stop(self));
	/* A5: of each that was begun the end is known. */
	EXPECT_EQ(occurrences(self, "service: started, main process"),
		  occurrences(self, "service: main process"));
	EXPECT_TRUE(nothing_left());
}

/* podman#10851: somebody waits for any child, and has the status of one that is another's. */
TEST_F_TIMEOUT(knelld, class_3_a_status_that_is_stolen, LIMIT_S)
{
	unit(self, "a.service", "[Service]\nKillMode=process\nExecStart=/bin/sh -c "
	     "'for i in 1 2 3 4 5 6 7 8; do (setsid sh -c \"exit 43\" &); (exit 44) & done; exit 42'\n");
	unit(self, "b.service", "[Service]\nType=oneshot\nExecStartPre=-/bin/sh -c 'exit 45'\n"
	     "ExecStartPre=/bin/sh -c '(exit 46) & (setsid sh -c \"exit 47\" &); exit 0'\n"
	     "ExecStart=/bin/sh -c '(setsid sh -c \"exit 48\" &) ; exit 41'\n"
	     "ExecStopPost=/bin/sh -c 'exit 40'\n");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "a.service: failed"));
	ASSERT_TRUE(told(self, "b.service: failed"));
	ENDS;
	EXPECT_TRUE(has(self, "exited with status 42"));
	EXPECT_EQ(1, occurrences(self, "a.service: main process"));
	EXPECT_TRUE(has(self, "exited with status 41"));
	EXPECT_TRUE(in_order(self, "b.service: ExecStopPost process ", "exited with status 40"));
	EXPECT_TRUE(in_order(self, "b.service: ExecStartPre process ", "exited with status 45"));
	EXPECT_FALSE(has(self, "status 46"));
	EXPECT_FALSE(has(self, "status 47"));
	EXPECT_FALSE(has(self, "status 48"));
}

/*
 * finit kills the group of a number that it has let go. Here, in a namespace of its own, another
 * process is made to have the number of a service's that has ended, and the service is killed, told
 * to stop and restarted.
 */
TEST_F_TIMEOUT(knelld, class_4_a_signal_after_the_reap, LIMIT_S)
{
	pid_t pid;

	unit(self, "a.service", "[Service]\nExecStart=/bin/sh -c '[ -e @/once ] && "
	     "exec sleep 100000; : >@/once'\n");
	unit(self, "b.service", "[Install]\nWantedBy=x.target\n[Service]\nExecStart=/bin/sh -c '"
	     "read a <@/number; while :; do echo $$((a - 1)) >/proc/sys/kernel/ns_last_pid; "
	     "setsid sleep 100000 & [ $$! = $$a ] && break; kill -9 $$!; done; "
	     "echo $$! >@/same; trap \": >@/hit\" TERM; wait; echo $$? >>@/hit'\n");
	ASSERT_TRUE(start_as(self, FIRST));
	ASSERT_TRUE(told(self, "a.service: finished"));
	pid = main_pid(self, "a.service");
	ASSERT_LT(1, pid);
	unit(self, "number", "%d\n", pid);
	EXPECT_TRUE(asked(self, "StartUnits", "b.service", "\"done\""));
	ASSERT_EQ(pid, pid_in(self, "same"));
	EXPECT_TRUE(asked(self, "KillUnit", "a.service", "NoProcess"));
	EXPECT_TRUE(asked(self, "StopUnits", "a.service", "\"done\""));
	EXPECT_TRUE(asked(self, "RestartUnits", "a.service", "\"done\""));
	ASSERT_TRUE(told_times(self, 2, "a.service: started"));
	EXPECT_TRUE(asked(self, "StopUnits", "a.service", "\"done\""));
	/* Who has the number is a member of b, and goes on. */
	EXPECT_NE(0, access(path_of(self, "hit"), F_OK));
	EXPECT_TRUE(is(self, "b.service", "active"));
	ASSERT_EQ(0, stop(self));
}

/* "Supervising process X which is not our child. We'll most likely not notice when it exits." */
TEST_F_TIMEOUT(knelld, class_5_the_status_of_no_child, LIMIT_S)
{
	unit(self, "a.service", "[Service]\nType=forking\nPIDFile=@/pid\nRestart=always\n"
	     "RestartSec=10ms\nRestartPreventExitStatus=77\nEnvironment=TEST_EXITS=77\n"
	     "ExecStart=/bin/sh -c '(setsid sh -c \"echo \\\\$$\\\\$$ >@/pid.new; "
	     "mv @/pid.new @/pid; exec %s\" &) ; until [ -e @/pid ]; do sleep 0.02; done'\n",
	     myself());
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "a.service: started, main process "));
	EXPECT_EQ(main_pid(self, "a.service"), pid_in(self, "pid"));
	kill(main_pid(self, "a.service"), SIGKILL);
	ASSERT_TRUE(told_times(self, 2, "a.service: started, main process "));
	/* It may not have come to sigwait() yet: then the signal itself is its end. */
	kill(main_pid(self, "a.service"), SIGUSR1);
	ASSERT_TRUE(told_times(self, 2, "a.service: main process "));
	EXPECT_TRUE(has(self, "exited with status 77") || has(self, "killed by SIGUSR1"));
	EXPECT_TRUE(has(self, "killed by SIGKILL"));
	ENDS;
}

/* All of them at once, and once more while they are on their way back: none is lost or doubled. */
TEST_F_TIMEOUT(knelld, class_7_a_storm_of_ends, LIMIT_S)
{
	const int nr = 250;

	for (int i = 0; i < nr; i++)
		unit(self, numbered("s%d.service", i), "[Unit]\nStartLimitIntervalSec=0\n"
		     "[Service]\nRestart=always\nRestartSec=1ms\nExecStart=/bin/sleep 100000\n");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, numbered("startup finished: %d started, 0 failed", nr)));
	for (size_t round = 2; round < 4; round++) {
		for (int i = 0; i < nr; i++)
			kill(main_pid(self, numbered("s%d.service", i)), SIGKILL);
		for (int i = 0; i < nr; i++)
			ASSERT_TRUE(told_times(self, round, numbered(" s%d.service: started", i)));
	}
	EXPECT_TRUE(asked(self, "StopUnits", "s0.service", "\"done\""));
	ASSERT_EQ(0, stop(self));
	for (int i = 0; i < nr; i++)
		EXPECT_EQ(3, occurrences(self, numbered(" s%d.service: started", i)));
	EXPECT_EQ(3 * nr, (int)occurrences(self, "service: main process"));
	EXPECT_TRUE(nothing_left());
}

/*
 * The end of the main process and that of the last one (systemd: SIGCHLD and an empty cgroup): in
 * whichever order they come, the main one's status is the service's, and both are waited for.
 */
TEST_F_TIMEOUT(knelld, class_8_ends_in_any_order, LIMIT_S)
{
	/* The rest outlives it, goes with it, and has gone before. */
	static const char *const runs[] = {
		"(trap \"\" TERM; echo >@/l; exec sleep 100000) & "
			"until [ -e @/l ]; do sleep 0.02; done; exit 61",
		"sleep 100000 & kill $$!; exit 62",
		"(exit 9) & wait; exit 63",
		"(exec sleep 0.2) & exec sleep 0.2",
	};

	for (int i = 0; i < 4; i++)
		/* What ends it for the first also is the time that its last command has. */
		unit(self, numbered("s%d.service", i), "[Service]\nTimeoutStopSec=%ds\n"
		     "ExecStart=/bin/sh -c '%s'\nExecStopPost=/bin/sh -c 'echo $$EXIT_STATUS "
		     ">@/post%d'\n", i ? 300 : 5, runs[i], i);
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "s0.service: failed"));
	ASSERT_TRUE(told(self, "s1.service: failed, result exit-code"));
	ASSERT_TRUE(told(self, "s2.service: failed, result exit-code"));
	ASSERT_TRUE(told(self, "s3.service: finished"));
	EXPECT_TRUE(in_order(self, "exited with status 61", "s0.service: 1 process still there"));
	EXPECT_STREQ("61\n", contents(self, "post0"));
	EXPECT_STREQ("62\n", contents(self, "post1"));
	EXPECT_STREQ("63\n", contents(self, "post2"));
	EXPECT_STREQ("0\n", contents(self, "post3"));
	ENDS;
}

/* nitro: what becomes of the exec is told by the status of a child, or by nothing. */
TEST_F_TIMEOUT(knelld, class_9_what_cannot_be_run, LIMIT_S)
{
	static const struct { const char *key, *said; } bad[] = {
		{ "ExecStart=/no/such", "cannot run: No such file or directory" },
		{ "ExecStart=/etc", "cannot run: Permission denied" },
		{ "ExecStart=/bin/true\nWorkingDirectory=/no/such", "cannot enter its working" },
		{ "ExecStart=/bin/true\nUser=nosuchuser", "no such user" },
		{ "ExecStart=/bin/true\nStandardOutput=file:/no/such/file",
			"cannot open its standard output" },
		{ "ExecStart=/bin/true\nRootDirectory=/no/such", "cannot " },
	};

	for (int i = 0; i < 6; i++)
		unit(self, numbered("s%d.service", i), "[Service]\n%s\n", bad[i].key);
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "startup finished: 0 started, 6 failed"));
	for (int i = 0; i < 6; i++) {
		EXPECT_TRUE(in_order(self, numbered("s%d.service:2: ", i), bad[i].said) ||
			    in_order(self, numbered("s%d.service:3: ", i), bad[i].said));
		EXPECT_TRUE(is(self, numbered("s%d.service", i), "failed"));
	}
	ENDS;
}

/* Waits until it sleeps, in whichever system call. */
static bool asleep(pid_t pid)
{
	struct work before, after = work_of(pid);
	uint64_t end = patience_ends();
	int calm = 0;

	while (calm < 20) {
		before = after;
		if (!look_again(end))
			return false;
		after = work_of(pid);
		calm = state_of(pid) == 'S' && before.voluntary == after.voluntary ? calm + 1 : 0;
	}
	return true;
}

/*
 * A1 to A3: ten services and 500 timers that are due later cost nothing while nothing happens, and
 * it is not that nothing would be heard: a request, an end and a timer are.
 */
TEST_F_TIMEOUT(knelld, a1_a2_a3_idle_and_awake, LIMIT_S)
{
	struct work before, after;

	for (int i = 0; i < 10; i++)
		unit(self, numbered("s%d.service", i), "[Service]\nRestart=always\n"
		     "RestartSec=10ms\nExecStart=/bin/sleep 100000\n");
	for (int i = 0; i < 500; i++)
		unit(self, numbered("t%d.timer", i), "[Timer]\nOnActiveSec=%dh\n"
		     "OnUnitActiveSec=1h\nUnit=late.service\n", 1 + i % 7);
	unit(self, "late.service", SLEEPER "[Install]\nWantedBy=x.target\n");
	unit(self, "soon.timer", "[Timer]\nOnActiveSec=100ms\nAccuracySec=1us\n"
	     "[Install]\nWantedBy=x.target\n");
	unit(self, "soon.service", "[Service]\nType=oneshot\nExecStart=/bin/true\n"
	     "[Install]\nWantedBy=x.target\n");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "startup finished: 510 started"));
	ASSERT_TRUE(asleep(self->pid));
	before = work_of(self->pid);
	sleep(2);
	after = work_of(self->pid);
	EXPECT_EQ(before.voluntary, after.voluntary);
	EXPECT_EQ(before.utime + before.stime, after.utime + after.stime);
	EXPECT_EQ('S', state_of(self->pid));
	kill(main_pid(self, "s5.service"), SIGKILL);
	ASSERT_TRUE(told_times(self, 2, "s5.service: started"));
	EXPECT_TRUE(is(self, "t499.timer", "active"));
	EXPECT_TRUE(asked(self, "StartUnits", "soon.timer", "\"done\""));
	ASSERT_TRUE(told(self, "soon.service: finished"));
	EXPECT_FALSE(has(self, "late.service: started"));
	ENDS;
}

TEST_HARNESS_MAIN
