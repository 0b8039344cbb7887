// SPDX-License-Identifier: GPL-2.0-only
/*
 * Whoever has the other end of the log and does not read: knelld goes on, sleeps meanwhile, and
 * says afterwards how many lines are missing.
 */
#include <fcntl.h>
#include <pty.h>

#include "host.h"

#define PIPE_SIZE	4096
#define TABLES		150	/* of several lines each: far more than waits anywhere */

/* The services have outputs of their own. */
static void two_units(fixture *self)
{
	unit(self, "a.service", "[Service]\nStandardOutput=null\nStandardError=null\n"
	     "ExecStart=/bin/sleep 100000\nExecStartPost=/bin/touch @/up\n");
	unit(self, "b.service", "[Service]\nStandardOutput=null\nStandardError=null\n"
	     "ExecStart=/bin/sleep 100000\n[Install]\nWantedBy=never.target\n");
}

static bool goes_on(fixture *self)
{
	return asked(self, "StartUnits", "b.service", "\"result\":\"done\"") &&
	       is(self, "b.service", "active") &&
	       asked(self, "StopUnits", "b.service", "\"result\":\"done\"");
}

static void talk_much(fixture *self)
{
	for (int i = 0; i < TABLES; i++) {
		kill(self->pid, SIGUSR1);
		/* An answer comes after what was there before. */
		ask(self, "ManagerStatus", "", "");
	}
}

/* Has it come to rest, for a second? */
static bool sleeps(fixture *self)
{
	const struct timespec second = { .tv_sec = 1 };
	uint64_t end = patience_ends();
	struct work before, after;

	do {
		before = work_of(self->pid);
		nanosleep(&second, NULL);
		after = work_of(self->pid);
	} while (before.voluntary != after.voluntary && look_again(end));
	return before.voluntary == after.voluntary && before.stime == after.stime;
}

/* Each line is one of knelld's, from its beginning. */
static bool lines_are_whole(fixture *self)
{
	for (const char *line = self->log; (line = strchr(line, '\n')) && line[1]; line++)
		if (strncmp(line + 1, "knelld: ", 8)) {
			fprintf(stderr, "# torn: %.80s\n", line + 1);
			return false;
		}
	return true;
}

static void nobody_reads(struct __test_metadata *_metadata, fixture *self)
{
	ASSERT_TRUE(start_with(self, ORDINARY, NULL));
	ASSERT_TRUE(appears(self, "up"));
	ASSERT_TRUE(appears(self, "control"));
	talk_much(self);
	EXPECT_TRUE(goes_on(self));
	EXPECT_TRUE(sleeps(self));
	/* What others have open, too, is as it was. */
	EXPECT_EQ(0, fcntl(self->into, F_GETFL) & O_NONBLOCK);
}

static void reads_again(struct __test_metadata *_metadata, fixture *self)
{
	EXPECT_TRUE(told(self, " lines lost\n"));
	EXPECT_TRUE(goes_on(self));
	EXPECT_TRUE(told(self, "b.service: stopped"));
	EXPECT_TRUE(in_order(self, "a.service: started", " lines lost\n"));
	EXPECT_TRUE(in_order(self, " lines lost\n", "b.service: stopped"));
	EXPECT_EQ(1, occurrences(self, " lines lost\n"));
	EXPECT_TRUE(lines_are_whole(self));
	close(self->into);
	self->into = -1;
	ASSERT_EQ(0, stop(self));
	EXPECT_TRUE(has(self, "all services are stopped"));
	EXPECT_TRUE(nothing_left());
}

TEST_F_TIMEOUT(knelld, a_pipe_that_nobody_reads, LIMIT_S)
{
	two_units(self);
	ASSERT_TRUE(make_pipe(self));
	ASSERT_EQ(PIPE_SIZE, fcntl(self->into, F_SETPIPE_SZ, PIPE_SIZE));
	nobody_reads(_metadata, self);
	reads_again(_metadata, self);
}

TEST_F_TIMEOUT(knelld, a_terminal_that_is_stopped, LIMIT_S)
{
	struct termios raw;

	two_units(self);
	ASSERT_EQ(0, openpty(&self->pipe, &self->into, NULL, NULL, NULL));
	ASSERT_EQ(0, tcgetattr(self->into, &raw));
	cfmakeraw(&raw);
	ASSERT_EQ(0, tcsetattr(self->into, TCSANOW, &raw));
	ASSERT_EQ(0, tcflow(self->into, TCOOFF));
	nobody_reads(_metadata, self);
	ASSERT_EQ(0, tcflow(self->into, TCOON));
	reads_again(_metadata, self);
}

TEST_F_TIMEOUT(knelld, a_socket_that_nobody_reads, LIMIT_S)
{
	int fds[2], small = 4096;

	two_units(self);
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds));
	ASSERT_EQ(0, setsockopt(fds[1], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)));
	self->pipe = fds[0];
	self->into = fds[1];
	nobody_reads(_metadata, self);
	reads_again(_metadata, self);
}

/* Not even to the end: it comes all the same. */
TEST_F_TIMEOUT(knelld, nobody_ever_reads, LIMIT_S)
{
	int status = -1;

	two_units(self);
	ASSERT_TRUE(make_pipe(self));
	ASSERT_EQ(PIPE_SIZE, fcntl(self->into, F_SETPIPE_SZ, PIPE_SIZE));
	nobody_reads(_metadata, self);
	kill(self->pid, SIGTERM);
	ASSERT_EQ(self->pid, waitpid(self->pid, &status, 0));
	self->pid = 0;
	EXPECT_EQ(0, status);
	EXPECT_TRUE(nothing_left());
}

/* Whoever only asks for the files to be read gets all of what is said. */
TEST_F_TIMEOUT(knelld, a_check_waits_for_its_reader, LIMIT_S)
{
	for (int i = 0; i < 1000; i++) {
		char name[32];

		snprintf(name, sizeof(name), "s%d.service", i);
		unit(self, name, "[Service]\nNonsense%d=yes\nExecStart=/bin/true\n", i);
	}
	ASSERT_TRUE(make_pipe(self));
	ASSERT_EQ(PIPE_SIZE, fcntl(self->into, F_SETPIPE_SZ, PIPE_SIZE));
	ASSERT_TRUE(start_with(self, ORDINARY, "--check"));
	close(self->into);
	self->into = -1;
	EXPECT_EQ(0, ended(self));
	EXPECT_EQ(1000, occurrences(self, "Nonsense"));
	EXPECT_FALSE(has(self, " lost\n"));
}

TEST_HARNESS_MAIN
