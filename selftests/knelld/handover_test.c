// SPDX-License-Identifier: GPL-2.0-only
/* handover.c: descriptors that go through an exec, with their names, and no others. */
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host_test.h"
#include "handover.h"

/* Two units are all that there is, and this is what they give and take. */
static struct unit a = { .name = "a.service", .kind = UNIT_SERVICE };
static struct unit b = { .name = "b.socket", .kind = UNIT_SOCKET };
static struct unit *both[] = { &a, &b };
struct unit **units = both;
size_t nr_units = 2;
static int first = -1, second = -1, third = -1;
static unsigned int taken;

struct unit *unit_find(const char *name)
{
	for (size_t i = 0; i < nr_units; i++)
		if (!strcmp(units[i]->name, name))
			return units[i];
	return NULL;
}

static int file_of(const char *text)
{
	int fd = memfd_create("t", MFD_CLOEXEC);

	return write(fd, text, strlen(text)) == (ssize_t)strlen(text) ? fd : -1;
}

static bool holds(int fd, const char *text)
{
	char buf[32] = "";

	return pread(fd, buf, sizeof(buf) - 1, 0) >= 0 && !strcmp(buf, text) &&
	       fcntl(fd, F_GETFD) == FD_CLOEXEC;
}

void talk_give(const struct unit *u)
{
	handover_put(HAND_STORED, u, first, "1 with a blank");
	handover_put(HAND_NOTIFY, u, -1, "");
	/* Of a unit that the next program does not know. */
	handover_put(HAND_NOTIFY, &(struct unit){ .name = "gone.service" }, third, "");
}

void socket_give(const struct unit *u)
{
	if (u == &b)
		handover_put(HAND_LISTEN, u, second, "7");
}

bool talk_take(struct unit *u, enum handed what, int fd, const char *rest)
{
	taken += u == &a && what == HAND_STORED && holds(fd, "first") &&
		 !strcmp(rest, "1 with a blank") ? 1 : 100;
	return true;
}

bool socket_take(struct unit *u, enum handed what, int fd, const char *rest)
{
	taken += u == &b && what == HAND_LISTEN && holds(fd, "second") && !strcmp(rest, "7") ?
		 10 : 100;
	return true;
}

static unsigned int open_fds(void)
{
	unsigned int nr = 0;

	for (int fd = 3; fd < 100; fd++)
		nr += fcntl(fd, F_GETFD) >= 0;
	return nr;
}

/* The program that comes after. */
static void __attribute__((constructor)) next(void)
{
	const char *stage = getenv("STAGE");
	unsigned int before = open_fds();

	if (!stage)
		return;
	unsetenv("STAGE");
	/* As knelld does with all it inherits. */
	syscall(SYS_close_range, 3, ~0U, CLOSE_RANGE_CLOEXEC);
	handover_take(*stage == '1');
	/* The list and what is nobody's are closed. */
	if (getenv("KNELLD_HANDOVER") || before - open_fds() != (*stage == '1' ? 2 : 4))
		_exit(200);
	_exit(taken);
}

static int through_exec(const char *stage)
{
	pid_t pid = fork();
	int status;

	if (pid)
		return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	first = file_of("first");
	second = file_of("second");
	third = file_of("third");
	syscall(SYS_close_range, third + 1, ~0U, CLOSE_RANGE_CLOEXEC);
	handover_give();
	setenv("STAGE", stage, 1);
	execl("/proc/self/exe", "handover_test", NULL);
	_exit(201);
}

TEST(through_an_exec)
{
	EXPECT_EQ(11, through_exec("1"));
}

TEST(nobody_knows_what_it_was_for)
{
	EXPECT_EQ(0, through_exec("0"));
}

TEST(undone)
{
	first = file_of("first");
	handover_give();
	EXPECT_EQ(0, fcntl(first, F_GETFD));
	handover_undo();
	EXPECT_EQ(FD_CLOEXEC, fcntl(first, F_GETFD));
	EXPECT_EQ(NULL, getenv("KNELLD_HANDOVER"));
}

/* What somebody else may have put there. */
TEST(nonsense)
{
	static const char *const lines[] = {
		"", "\n\n\n", "s\n", "s x a.service\n", "s 1 a.service 1 x\n", "s 99 a.service 1 x\n",
		"s -1 a.service\n", "s 99999999999999 a.service\n",
	};

	setenv("KNELLD_HANDOVER", "none", 1);
	handover_take(true);
	setenv("KNELLD_HANDOVER", "77", 1);
	handover_take(true);
	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
		char nr[16];

		snprintf(nr, sizeof(nr), "%d", file_of(lines[i]));
		setenv("KNELLD_HANDOVER", nr, 1);
		handover_take(true);
	}
	EXPECT_EQ(0, taken);
	EXPECT_LE(0, fcntl(STDIN_FILENO, F_GETFD));
	EXPECT_LE(0, fcntl(STDOUT_FILENO, F_GETFD));
}

TEST_HARNESS_MAIN
