// SPDX-License-Identifier: GPL-2.0-only
/*
 * Stops of much at once, and of what does not want to be stopped: nothing is left of it.
 *
 * runner-limit: 1200
 */
#define MORE_OPTIONS "--control", path_of(self, "control"),
#include "knelld_speaker.h"

/* Everything that has that word in its environment, other than zombies. */
static size_t living(const char *word)
{
	char path[300], text[4096];
	DIR *d = opendir("/proc");
	struct dirent *entry;
	size_t nr = 0;
	ssize_t n;
	int fd;

	while (d && (entry = readdir(d))) {
		snprintf(path, sizeof(path), "/proc/%s/environ", entry->d_name);
		fd = atoi(entry->d_name) > 1 ? open(path, O_RDONLY | O_CLOEXEC) : -1;
		if (fd < 0)
			continue;
		n = read(fd, text, sizeof(text));
		nr += n > 0 && memmem(text, n, word, strlen(word)) && lives(atoi(entry->d_name));
		close(fd);
	}
	if (d)
		closedir(d);
	return nr;
}

#define NR_MANY		500
#define NR_DEAF		50

/* In chains of ten; every tenth does not heed SIGTERM, and one in a hundred takes its time. */
TEST_F_TIMEOUT(knelld, five_hundred_stop_at_once, LIMIT_S)
{
	char name[64], after[64];

	for (int i = 0; i < NR_MANY; i++) {
		snprintf(name, sizeof(name), "s%03d.service", i);
		snprintf(after, sizeof(after), "After=s%03d.service\n", i - 1);
		unit(self, name, "[Unit]\n%s[Service]\nEnvironment=STORM=yes\nTimeoutStopSec=%s\n"
		     "%sExecStart=%s\n", i % 10 ? after : "", i % 10 == 5 ? "2s" : "infinity",
		     i % 100 ? "" : "ExecStop=/bin/sleep 1\n", i % 10 == 5 ?
		     "/bin/sh -c 'trap \"\" TERM; : >@/deaf; while :; do sleep 100000; done'" :
		     "/bin/sleep 100000");
	}
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "startup finished: 500 started, 0 failed"));
	EXPECT_LE(NR_MANY, living("STORM=yes"));
	ASSERT_EQ(0, stop(self));
	EXPECT_EQ(0, living("STORM=yes"));
	EXPECT_EQ(NR_MANY - NR_DEAF, occurrences(self, ".service: stopped\n"));
	EXPECT_EQ(NR_DEAF, occurrences(self, ".service: stopped, result timeout"));
	for (int i = 1; i < NR_MANY; i++) {
		char first[64], second[64];

		if (!(i % 10))
			continue;
		snprintf(first, sizeof(first), "s%03d.service: stopped", i);
		snprintf(second, sizeof(second), "s%03d.service: stopped", i - 1);
		EXPECT_TRUE(in_order(self, first, second));
	}
}

/* Forks for as long as it can, each a session of its own, and heeds nothing. */
static void __attribute__((constructor)) bomb(void)
{
	const char *file = getenv("BOMB");
	int failures = 0;

	if (!file)
		return;
	for (int sig = 1; sig < NSIG; sig++)
		signal(sig, SIG_IGN);
	for (;;) {
		pid_t pid = fork();

		if (!pid)
			setsid();
		/* It is as large as it may be. */
		if (pid < 0 && ++failures == 10)
			close(open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0666));
		/* Half of those that have forked end, so that all the time others are born. */
		if (pid > 0 && pid % 2)
			_exit(0);
		if (pid < 0)
			usleep(20000);
	}
}

static void bomb_unit(fixture *self, const char *name, const char *keys)
{
	char file[64], exe[128] = "";

	if (readlink("/proc/self/exe", exe, sizeof(exe) - 1) < 0)
		abort();
	snprintf(file, sizeof(file), "%s.service", name);
	unit(self, file, "[Service]\nUser=tester\nLimitNPROC=50\nTimeoutStopSec=1s\n%s\n"
	     "Environment=BOMB=@/%s.full\nExecStart=%s\n", keys, name, exe);
}

TEST_F_TIMEOUT(knelld, fork_bombs_are_killed_to_the_last, LIMIT_S)
{
	bomb_unit(self, "group", "KillMode=control-group");
	bomb_unit(self, "mixed", "KillMode=mixed");
	bomb_unit(self, "usr", "KillMode=control-group\nKillSignal=SIGUSR1\nFinalKillSignal=SIGKILL");
	unit(self, "by.service", SLEEPER);
	ASSERT_TRUE(start(self));
	/* They have one limit together. */
	ASSERT_TRUE(appears(self, "group.full"));
	EXPECT_LT(10, living("BOMB="));
	EXPECT_TRUE(asked(self, "StopUnits", "group.service", "\"result\":\"done\""));
	EXPECT_EQ(0, living("/group.full"));
	EXPECT_TRUE(asked(self, "StopUnits", "mixed.service", "\"result\":\"done\""));
	EXPECT_EQ(0, living("/mixed.full"));
	EXPECT_TRUE(asked(self, "StopUnits", "usr.service", "\"result\":\"done\""));
	EXPECT_EQ(0, living("BOMB="));
	EXPECT_TRUE(is(self, "by.service", "active"));
	/* And again, by the stop of all. */
	EXPECT_TRUE(asked(self, "StartUnits", "group.service", "\"result\":\"done\""));
	ASSERT_TRUE(appears(self, "group.full"));
	ASSERT_EQ(0, stop(self));
	EXPECT_EQ(0, living("BOMB="));
}

/* Its main process is killed: what it has left goes before it is started anew. */
TEST_F_TIMEOUT(knelld, a_bomb_is_no_more_when_it_comes_again, LIMIT_S)
{
	bomb_unit(self, "a", "Restart=always\nRestartSec=0\nStartLimitIntervalSec=0\n"
		  "ExecStopPost=/bin/sh -c 'grep -l BOMB=.*/a.full /proc/[0-9]*/environ | "
		  "grep -v self | wc -l >>@/left'");
	ASSERT_TRUE(start(self));
	for (size_t i = 1; i <= 3; i++) {
		ASSERT_TRUE(appears(self, "a.full"));
		ASSERT_EQ(0, unlink(path_of(self, "a.full")));
		kill(main_pid(self, "a.service"), SIGKILL);
		ASSERT_TRUE(told_times(self, i + 1, "a.service: started, main process"));
	}
	ASSERT_EQ(0, stop(self));
	EXPECT_EQ(0, living("BOMB="));
}

/* Signals, in the order in which they come */

static void teller(fixture *self, const char *name, const char *keys)
{
	char file[64];

	snprintf(file, sizeof(file), "%s.service", name);
	unit(self, file, "[Service]\n%s\nTimeoutStopSec=1s\nExecStart=/bin/sh -c '"
	     "trap \"echo hup >>@/%s\" HUP; trap \"echo term >>@/%s\" TERM; "
	     "trap \"echo int >>@/%s\" INT; trap \"echo usr2 >>@/%s; exit 0\" USR2; "
	     ": >@/%s; while :; do sleep 0.1; done'\n", keys, name, name, name, name, name);
}

TEST_F_TIMEOUT(knelld, signals_of_a_stop, LIMIT_S)
{
	teller(self, "hup", "SendSIGHUP=yes\nKillMode=mixed");
	teller(self, "plain", "KillMode=mixed");
	teller(self, "final", "KillSignal=SIGINT\nFinalKillSignal=SIGUSR2\nKillMode=mixed");
	teller(self, "restart", "RestartKillSignal=SIGUSR2\nKillMode=mixed");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(appears(self, "hup"));
	ASSERT_TRUE(appears(self, "plain"));
	ASSERT_TRUE(appears(self, "final"));
	ASSERT_TRUE(appears(self, "restart"));
	EXPECT_TRUE(asked(self, "RestartUnits", "restart.service", "\"result\":\"done\""));
	EXPECT_STREQ("usr2\n", contents(self, "restart"));
	ASSERT_EQ(0, stop(self));
	EXPECT_NE(NULL, strstr(contents(self, "hup"), "hup\n"));
	EXPECT_NE(NULL, strstr(contents(self, "hup"), "term\n"));
	EXPECT_STREQ("term\n", contents(self, "plain"));
	EXPECT_STREQ("int\nusr2\n", contents(self, "final"));
	EXPECT_TRUE(has(self, "hup.service: stopped, result timeout"));
	EXPECT_TRUE(has(self, "plain.service: stopped, result timeout"));
}

TEST_HARNESS_MAIN
