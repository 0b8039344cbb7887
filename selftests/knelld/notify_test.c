// SPDX-License-Identifier: GPL-2.0-only
/* notify.c: what comes by sd_notify(3), from libsystemd, systemd-notify(1) and who means harm. */
#include <errno.h>
#include <fcntl.h>
#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "host_test.h"
#include "knelld.h"
#include "notify.h"

#define MAX_SEEN	512

/* A copy of what the callback was given. */
struct seen {
	struct notify n;
	char *status, *bus_error, *fd_name;
};

FIXTURE(notify)
{
	struct knell_loop *l;
	struct notify_socket *s;
	char dir[64], path[96];
	struct seen *seen;
	size_t nr;
	int kept;		/* the first descriptor that was to be stored */
	bool count_only;
};

static char *copy(const char *s)
{
	return s ? xstrdup(s) : NULL;
}

static void on_notify(struct notify *n, void *arg)
{
	FIXTURE_DATA(notify) *self = arg;
	struct seen *s = &self->seen[self->nr++ % MAX_SEEN];

	if (self->count_only)
		return;
	*s = (struct seen){ *n, copy(n->status), copy(n->bus_error), copy(n->fd_name) };
	if (n->set & NOTIFY_FDSTORE && self->kept < 0) {
		self->kept = n->fds[0];
		n->fds[0] = -1;
	}
}

FIXTURE_SETUP(notify)
{
	static const struct knell_loop_attr attr = { .backend = KNELL_BACKEND_PIDFD };

	strcpy(self->dir, "/tmp/notify_test.XXXXXX");
	ASSERT_NE(NULL, mkdtemp(self->dir));
	snprintf(self->path, sizeof(self->path), "%s/socket", self->dir);
	self->l = knell_loop_new(&attr);
	ASSERT_NE(NULL, self->l);
	self->seen = xcalloc(MAX_SEEN, sizeof(*self->seen));
	self->kept = -1;
	self->s = notify_open(self->l, -1, self->path, "t.service", on_notify, self);
	ASSERT_NE(NULL, self->s);
	setenv("NOTIFY_SOCKET", self->path, 1);
}

FIXTURE_TEARDOWN(notify)
{
	notify_close(self->s);
	EXPECT_EQ(-1, access(self->path, F_OK));
	knell_loop_free(self->l);
	for (size_t i = 0; i < MAX_SEEN; i++) {
		free(self->seen[i].status);
		free(self->seen[i].bus_error);
		free(self->seen[i].fd_name);
	}
	free(self->seen);
	if (self->kept >= 0)
		close(self->kept);
	rmdir(self->dir);
}

static void turn(struct knell_loop *l)
{
	knell_loop_run(l, KNELL_RUN_NOWAIT);
}

static size_t open_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	size_t nr = 0;

	while (readdir(d))
		nr++;
	closedir(d);
	return nr;
}

/* Runs until @nr messages are there. */
static void wait_for(FIXTURE_DATA(notify) *self, size_t nr)
{
	while (self->nr < nr)
		knell_loop_run(self->l, KNELL_RUN_ONCE);
}

TEST_F(notify, every_key_of_libsystemd)
{
	const struct seen *s = self->seen;

	ASSERT_EQ(1, sd_notify(0, "READY=1\nSTATUS=up and \xc3\xbc\nERRNO=5\nBUSERROR=a.b.C\n"
				  "EXIT_STATUS=7\nMAINPID=4711\nWATCHDOG=1\nWATCHDOG_USEC=500\n"
				  "EXTEND_TIMEOUT_USEC=18446744073709551615\nMONOTONIC_USEC=12\n"
				  "NOTIFYACCESS=exec\nX_FUTURE=1\nnonsense\n=\n\nINVOCATION_ID=1"));
	wait_for(self, 1);
	EXPECT_EQ(NOTIFY_READY | NOTIFY_STATUS | NOTIFY_ERRNO | NOTIFY_BUSERROR |
		  NOTIFY_EXIT_STATUS | NOTIFY_MAINPID | NOTIFY_WATCHDOG | NOTIFY_WATCHDOG_USEC |
		  NOTIFY_EXTEND | NOTIFY_MONOTONIC | NOTIFY_SET_ACCESS, s->n.set);
	EXPECT_EQ(NULL, s->n.bad);
	EXPECT_STREQ("up and \xc3\xbc", s->status);
	EXPECT_STREQ("a.b.C", s->bus_error);
	EXPECT_EQ(5, s->n.err);
	EXPECT_EQ(7, s->n.exit_status);
	EXPECT_EQ(4711, s->n.main_pid);
	EXPECT_EQ(500, s->n.watchdog_usec);
	EXPECT_EQ(UINT64_MAX, s->n.extend_usec);
	EXPECT_EQ(12, s->n.monotonic_usec);
	EXPECT_EQ(NOTIFY_EXEC, s->n.access);
	EXPECT_EQ(getpid(), s->n.pid);
	EXPECT_EQ(getuid(), s->n.uid);
}

TEST_F(notify, the_last_of_three_counts)
{
	sd_notify(0, "READY=1\nSTOPPING=1");
	sd_notify(0, "STOPPING=1\nRELOADING=1\nMONOTONIC_USEC=7\nREADY=1");
	sd_notify(0, "RELOADING=1");
	sd_notify(0, "WATCHDOG=trigger");
	sd_notify(0, "WATCHDOG=1\nWATCHDOG=trigger");
	wait_for(self, 5);
	EXPECT_EQ(NOTIFY_STOPPING, self->seen[0].n.set);
	EXPECT_EQ(NOTIFY_READY | NOTIFY_MONOTONIC, self->seen[1].n.set);
	EXPECT_EQ(NOTIFY_RELOADING, self->seen[2].n.set);
	EXPECT_EQ(NOTIFY_TRIGGER, self->seen[3].n.set);
	EXPECT_EQ(NOTIFY_TRIGGER, self->seen[4].n.set);
}

TEST_F(notify, what_is_no_good_is_skipped)
{
	static const char *const bad[] = {
		"READY=0", "READY=", "READY=11", "RELOADING=yes", "MAINPID=0", "MAINPID=-1",
		"MAINPID=2147483648", "MAINPID=99999999999999999999", "MAINPID= 1", "MAINPID=1 ",
		"MAINPID=0x1", "ERRNO=4096", "ERRNO=-5", "EXIT_STATUS=256", "WATCHDOG=2",
		"WATCHDOG_USEC=18446744073709551616", "WATCHDOG_USEC=1s", "EXTEND_TIMEOUT_USEC=",
		"STATUS=\xc3", "STATUS=\xc0\x80", "STATUS=\xed\xa0\x80", "STATUS=\xf4\x90\x80\x80",
		"STATUS=\xe2\x82", "STATUS=\xff", "BUSERROR=\x80", "FDNAME=", "FDNAME=a:b",
		"FDNAME=\xc3\xbc", "FDNAME=a\tb", "FDPOLL=x", "NOTIFYACCESS=some", "BARRIER=2",
		"FDSTORE=x", "FDSTOREREMOVE=0",
	};
	char line[64];

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		const struct seen *s = &self->seen[i];

		snprintf(line, sizeof(line), "%s\nERRNO=3", bad[i]);
		ASSERT_EQ(1, sd_notify(0, line));
		wait_for(self, i + 1);
		EXPECT_EQ(NOTIFY_ERRNO, s->n.set) {
			TH_LOG("%s", bad[i]);
		}
		ASSERT_NE(NULL, s->n.bad) {
			TH_LOG("%s", bad[i]);
		}
		EXPECT_EQ(0, strncmp(bad[i], s->n.bad, strlen(s->n.bad)));
	}
	/* Nobody's key, or no key. */
	sd_notify(0, "READYX=1\nREAD=1\nready=1\nREADY\n READY=1\nFD_STORE=1");
	wait_for(self, ARRAY_SIZE(bad) + 1);
	EXPECT_EQ(0, self->seen[ARRAY_SIZE(bad)].n.set);
	EXPECT_EQ(NULL, self->seen[ARRAY_SIZE(bad)].n.bad);
}

TEST_F(notify, what_is_no_good_changes_nothing)
{
	const struct seen *s = &self->seen[0];

	sd_notify(0, "MAINPID=22\nMAINPID=0\nWATCHDOG_USEC=5\n"
		  "WATCHDOG_USEC=99999999999999999999\nERRNO=3\nERRNO=5000");
	wait_for(self, 1);
	ASSERT_NE(NULL, s->n.bad);
	EXPECT_EQ(NOTIFY_MAINPID | NOTIFY_WATCHDOG_USEC | NOTIFY_ERRNO, s->n.set);
	EXPECT_EQ(22, s->n.main_pid);
	EXPECT_EQ(5, s->n.watchdog_usec);
	EXPECT_EQ(3, s->n.err);
}

TEST_F(notify, a_terminal_is_safe)
{
	sd_notify(0, "STATUS=a\x1b[2Jb\rc\x7f" "d\te");
	wait_for(self, 1);
	EXPECT_STREQ("a [2Jb c d e", self->seen[0].status);
}

/* Bytes as they are, to the socket as it is. */
static ssize_t raw_send(const char *path, const void *p, size_t len, const int *fds, size_t nr_fds)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	char control[CMSG_SPACE(sizeof(int) * NOTIFY_FDS_MAX)] = { 0 };
	struct iovec iov = { (void *)p, len };
	struct msghdr msg = {
		.msg_name = &addr, .msg_namelen = sizeof(addr), .msg_iov = &iov, .msg_iovlen = 1,
	};
	ssize_t n;

	strcpy(addr.sun_path, path);
	if (nr_fds) {
		struct cmsghdr *c;

		msg.msg_control = control;
		msg.msg_controllen = CMSG_SPACE(sizeof(int) * nr_fds);
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int) * nr_fds);
		memcpy(CMSG_DATA(c), fds, sizeof(int) * nr_fds);
	}
	n = sendmsg(fd, &msg, 0);
	close(fd);
	return n;
}

TEST_F(notify, sizes_and_nuls)
{
	char text[NOTIFY_TEXT_MAX + 2];

	memset(text, 'x', sizeof(text));
	memcpy(text, "READY=1\nSTATUS=", 15);
	ASSERT_EQ(NOTIFY_TEXT_MAX, raw_send(self->path, text, NOTIFY_TEXT_MAX, NULL, 0));
	turn(self->l);
	ASSERT_EQ(1, self->nr);
	EXPECT_EQ(NOTIFY_READY | NOTIFY_STATUS, self->seen[0].n.set);
	EXPECT_EQ(NOTIFY_TEXT_MAX - 15, strlen(self->seen[0].status));
	/* One more is too many; nothing of it counts. */
	raw_send(self->path, text, NOTIFY_TEXT_MAX + 1, NULL, 0);
	raw_send(self->path, "READY=1\0STATUS=x", 16, NULL, 0);
	raw_send(self->path, "\0READY=1", 8, NULL, 0);
	turn(self->l);
	EXPECT_EQ(1, self->nr);
	/* A trailing one is a C programmer's. */
	raw_send(self->path, "READY=1", 8, NULL, 0);
	raw_send(self->path, "", 0, NULL, 0);
	turn(self->l);
	ASSERT_EQ(3, self->nr);
	EXPECT_EQ(NOTIFY_READY, self->seen[1].n.set);
	EXPECT_EQ(0, self->seen[2].n.set);
}

TEST_F(notify, descriptors_are_kept_or_closed)
{
	size_t before = open_fds();
	int fds[NOTIFY_FDS_MAX], p[2];
	char c;

	ASSERT_EQ(0, pipe2(p, O_CLOEXEC));
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		fds[i] = p[1];
	ASSERT_EQ(1, sd_pid_notify_with_fds(0, 0, "FDSTORE=1\nFDNAME=mine\nFDPOLL=0", fds, 1));
	ASSERT_EQ(1, sd_pid_notify_with_fds(0, 0, "FDSTORE=1", fds, ARRAY_SIZE(fds)));
	/* Those of messages that are not taken, too. */
	ASSERT_EQ(3, raw_send(self->path, "a\0b", 3, fds, ARRAY_SIZE(fds)));
	wait_for(self, 2);
	turn(self->l);
	EXPECT_EQ(NOTIFY_FDSTORE, self->seen[0].n.set);
	EXPECT_STREQ("mine", self->seen[0].fd_name);
	EXPECT_FALSE(self->seen[0].n.fd_poll);
	EXPECT_EQ(NOTIFY_FDS_MAX, self->seen[1].n.nr_fds);
	EXPECT_STREQ("stored", self->seen[1].fd_name);
	EXPECT_TRUE(self->seen[1].n.fd_poll);
	EXPECT_EQ(before + 3, open_fds());
	EXPECT_EQ(FD_CLOEXEC, fcntl(self->kept, F_GETFD));
	/* It is what was sent. */
	ASSERT_EQ(1, write(self->kept, "k", 1));
	ASSERT_EQ(1, read(p[0], &c, 1));
	close(p[0]);
	close(p[1]);
}

/* What a barrier waits for was dealt with when it is passed, and not before. */
TEST_F(notify, barrier)
{
	int p[2], status;
	char c;
	pid_t pid;

	ASSERT_EQ(0, pipe(p));
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid) {
		sd_notify(0, "STATUS=first");
		sd_notify(0, "STATUS=second");
		_exit(sd_notify_barrier(0, UINT64_MAX) == 1 && write(p[1], "b", 1) == 1 ? 0 : 1);
	}
	close(p[1]);
	wait_for(self, 2);
	/* Seen and not waited for: the third message is the barrier itself. */
	EXPECT_STREQ("first", self->seen[0].status);
	EXPECT_STREQ("second", self->seen[1].status);
	wait_for(self, 3);
	EXPECT_EQ(NOTIFY_BARRIER, self->seen[2].n.set);
	EXPECT_EQ(1, self->seen[2].n.nr_fds);
	ASSERT_EQ(1, read(p[0], &c, 1));
	close(p[0]);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
}

/* systemd#2737: the sender is dead and reaped when its message is read. */
TEST_F(notify, the_dead_are_heard)
{
	pid_t pid = fork();
	int status;

	ASSERT_GE(pid, 0);
	if (!pid)
		_exit(sd_notify(0, "READY=1\nSTATUS=last words") != 1);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_EQ(0, status);
	EXPECT_EQ(0, self->nr);
	/* As it is done when a death is heard of: before the loop looks at descriptors. */
	notify_drain(self->s);
	ASSERT_EQ(1, self->nr);
	EXPECT_EQ(pid, self->seen[0].n.pid);
	EXPECT_STREQ("last words", self->seen[0].status);
}

static void run_command(struct __test_metadata *_metadata, FIXTURE_DATA(notify) *self,
			const char *command)
{
	pid_t pid = fork();
	int status;

	ASSERT_GE(pid, 0);
	if (!pid) {
		execl("/bin/sh", "sh", "-c", command, NULL);
		_exit(127);
	}
	/* systemd-notify waits with a barrier. */
	while (waitpid(pid, &status, WNOHANG) == 0) {
		struct pollfd p = { .fd = knell_loop_fd(self->l), .events = POLLIN };

		poll(&p, 1, 10);
		turn(self->l);
	}
	EXPECT_EQ(0, status) {
		TH_LOG("%s", command);
	}
}

TEST_F(notify, systemd_notify)
{
	char command[128];

	run_command(_metadata, self, "systemd-notify --ready --status='from a shell'");
	ASSERT_LE(1, self->nr);
	EXPECT_EQ(NOTIFY_READY | NOTIFY_STATUS, self->seen[0].n.set);
	EXPECT_STREQ("from a shell", self->seen[0].status);
	self->nr = 0;
	snprintf(command, sizeof(command), "systemd-notify --ready --pid=%d", getpid());
	run_command(_metadata, self, command);
	ASSERT_LE(1, self->nr);
	EXPECT_EQ(NOTIFY_READY | NOTIFY_MAINPID, self->seen[0].n.set & ~NOTIFY_MONOTONIC);
	EXPECT_EQ(getpid(), self->seen[0].n.main_pid);
	self->nr = 0;
	run_command(_metadata, self, "systemd-notify --no-block STOPPING=1 WATCHDOG=1");
	turn(self->l);
	ASSERT_LE(1, self->nr);
	EXPECT_EQ(NOTIFY_STOPPING | NOTIFY_WATCHDOG, self->seen[0].n.set);
}

static void on_event(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	unsigned int *left = arg;

	(void)call;
	if (--*left)
		knell_add_event(l, on_event, arg, 0);
}

/* Others have their turn whatever comes: 1,000 passes with at most so many messages each. */
TEST_F(notify, a_flood_does_not_starve)
{
	unsigned int left = 1000;
	pid_t pid;

	self->count_only = true;
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid)
		for (;;)
			sd_notify(0, "WATCHDOG=1");
	wait_for(self, 1);
	self->nr = 0;
	knell_add_event(self->l, on_event, &left, 0);
	while (left)
		knell_loop_run(self->l, KNELL_RUN_ONCE);
	EXPECT_GE(16 * 1000, self->nr);
	EXPECT_LT(0, self->nr);
	self->nr = 0;
	notify_drain(self->s);
	EXPECT_GE(1024, self->nr);
	kill(pid, SIGKILL);
	EXPECT_EQ(pid, waitpid(pid, NULL, 0));
}

static uint32_t random_state = 12345;

static uint32_t pick(uint32_t below)
{
	random_state = random_state * 1664525 + 1013904223;
	return (random_state >> 8) % below;
}

/* Lines with a grain of truth in them, cut and stirred. */
TEST_F(notify, hostile_bytes)
{
	static const char *const grains[] = {
		"READY=", "STATUS=", "MAINPID=", "FDNAME=", "WATCHDOG=trigger", "BARRIER=1", "\n",
		"\xe2\x82\xac", "\xf0\x9f", "=", "18446744073709551615", "1", "NOTIFYACCESS=", "all",
	};
	char text[NOTIFY_TEXT_MAX + 1];

	for (int round = 0; round < 20000; round++) {
		struct notify n = { 0 };
		size_t len = 0, room = pick(round % 50 ? 80 : NOTIFY_TEXT_MAX);

		while (len < room) {
			const char *g = grains[pick(ARRAY_SIZE(grains))];

			if (pick(3) && len + strlen(g) < room) {
				memcpy(text + len, g, strlen(g));
				len += strlen(g);
			} else {
				text[len++] = pick(256);
			}
		}
		/* Of its own size, so that ASan sees what is beyond. */
		char *own = malloc(len + 1);

		memcpy(own, text, len);
		if (!notify_parse(&n, own, len)) {
			EXPECT_TRUE(!n.status || strlen(n.status) <= len);
			EXPECT_TRUE(n.set & NOTIFY_STATUS ? n.status != NULL : true);
			EXPECT_TRUE(fd_name_ok(n.fd_name));
		}
		free(own);
	}
}

TEST_F(notify, paths)
{
	char path[200];

	memset(path, 'a', sizeof(path));
	path[0] = '/';
	path[sizeof(path) - 1] = '\0';
	EXPECT_EQ(NULL, notify_open(self->l, -1, path, "x", on_notify, NULL));
	EXPECT_EQ(ENAMETOOLONG, errno);
	EXPECT_EQ(NULL, notify_open(self->l, -1, "/nowhere/socket", "x", on_notify, NULL));
	EXPECT_EQ(ENOENT, errno);
}

TEST_HARNESS_MAIN
