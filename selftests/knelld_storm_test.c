// SPDX-License-Identifier: GPL-2.0-only
/*
 * A stop of much at once, some of which does not want to be stopped: nothing is left of it.
 *
 * runner-limit: 1200
 */
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

TEST_HARNESS_MAIN
