// SPDX-License-Identifier: GPL-2.0-only
/*
 * knelld from outside, as knelld_test.c: the commands of a service and what they find around
 * them, and unit files as they should not be.
 *
 * runner-limit: 1800
 */
#include "knelld_test.h"

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

TEST_HARNESS_MAIN
