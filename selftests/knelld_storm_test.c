// SPDX-License-Identifier: GPL-2.0-only
/*
 * Stops of much at once, and of what does not want to be stopped: nothing is left of it.
 *
 * runner-limit: 1200, runner-smp: 2
 */
#include <fcntl.h>

#define MORE_OPTIONS "--control", path_of(self, "control"),
#include "knelld_test.h"

/* Does a process live that has that in its environment? */
static bool has_word(pid_t pid, const char *word)
{
	char path[64], text[4096];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/environ", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, text, sizeof(text));
	close(fd);
	return n > 0 && memmem(text, n, word, strlen(word)) && lives(pid);
}

/* How many of them there are. */
static size_t living(const char *word)
{
	DIR *d = opendir("/proc");
	struct dirent *entry;
	size_t nr = 0;

	while (d && (entry = readdir(d)))
		nr += atoi(entry->d_name) > 1 && has_word(atoi(entry->d_name), word);
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

/*
 * Forks for as long as it can, each a session of its own, and heeds nothing. A fork that the limit
 * forbids costs the kernel a task that it gives back only after a grace period: thousands of
 * these a second are more than a small machine gets round to, whoever makes them. So one that has
 * failed waits for a while.
 */
static void __attribute__((constructor)) bomb(void)
{
	const char *file = getenv("BOMB");
	const pid_t main = getpid();
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
		if (pid < 0 && ++failures == 3)
			close(open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0666));
		/* Half of those that have forked end, so that all the time others are born. */
		if (pid > 0 && pid % 2 && getpid() != main)
			_exit(0);
		usleep(pid < 0 ? 500000 : 10000);
	}
}

/* @user: the limit is one for all processes of a user. */
static void bomb_unit(fixture *self, const char *name, int user, const char *keys)
{
	char file[64], exe[128] = "";

	if (readlink("/proc/self/exe", exe, sizeof(exe) - 1) < 0)
		abort();
	snprintf(file, sizeof(file), "%s.service", name);
	unit(self, file, "[Service]\nUser=%d\nGroup=%d\nLimitNPROC=50\nTimeoutStopSec=1s\n%s\n"
	     "Environment=BOMB=@/%s.full\nExecStart=%s\n[Install]\nWantedBy=never.target\n",
	     user, user, keys, name, exe);
}

/* Of the kernel's memory, KiB */
static long slab(void)
{
	char line[128];
	long kib = -1;
	FILE *f = fopen("/proc/meminfo", "r");

	while (f && kib < 0 && fgets(line, sizeof(line), f))
		sscanf(line, "SUnreclaim: %ld", &kib);
	if (f)
		fclose(f);
	return kib;
}

#define ROUNDS		2
#define SLACK_KIB	(16L << 10)	/* slabs that are there now and partly used */

/* Is it what it was before? What has ended is freed a while later. */
static bool is_given_back(long before)
{
	uint64_t end = patience_ends();

	while (slab() > before + SLACK_KIB)
		if (!look_again(end)) {
			fprintf(stderr, "# slab: %ld KiB, it was %ld\n", slab(), before);
			return false;
		}
	return true;
}

TEST_F_TIMEOUT(knelld, fork_bombs_are_stopped_to_the_last, LIMIT_S)
{
	static const char *const names[] = { "group", "mixed", "usr" };
	char file[64], mark[64];
	pid_t by;
	long before;

	bomb_unit(self, "group", 2001, "KillMode=control-group");
	bomb_unit(self, "mixed", 2002, "KillMode=mixed");
	bomb_unit(self, "usr", 2003, "KillSignal=SIGUSR1\nFinalKillSignal=SIGKILL");
	unit(self, "by.service", SLEEPER);
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "startup finished: 1 started"));
	ASSERT_TRUE(appears(self, "control"));
	by = main_pid(self, "by.service");
	before = slab();
	for (int i = 0; i < ROUNDS * 3; i++) {
		snprintf(file, sizeof(file), "%s.service", names[i % 3]);
		snprintf(mark, sizeof(mark), "%s.full", names[i % 3]);
		EXPECT_TRUE(asked(self, "StartUnits", file, "\"result\":\"done\""));
		ASSERT_TRUE(appears(self, mark));
		EXPECT_LT(10, living("BOMB="));
		/* It is down when the kernel has told of the last one's end. */
		EXPECT_TRUE(asked(self, "StopUnits", file, "\"result\":\"done\""));
		EXPECT_EQ(0, living("BOMB="));
		ASSERT_EQ(0, unlink(path_of(self, mark)));
	}
	EXPECT_TRUE(is_given_back(before));
	EXPECT_TRUE(lives(by));
	/* And by the stop of all. */
	EXPECT_TRUE(asked(self, "StartUnits", "group.service", "\"result\":\"done\""));
	ASSERT_TRUE(appears(self, "group.full"));
	ASSERT_EQ(0, stop(self));
	EXPECT_EQ(0, living("BOMB="));
}

TEST_HARNESS_MAIN
