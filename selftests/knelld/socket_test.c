// SPDX-License-Identifier: GPL-2.0-only
/* Socket units: who comes starts the service, which gets the descriptors. */
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "talker.h"

/* Connects, waiting for the socket if it is not there yet: -1 it never is. */
static int connect_to(const char *path, int type)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	uint64_t end = patience_ends();
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

	strcpy(a.sun_path, path);
	while (connect(fd, (struct sockaddr *)&a, sizeof(a)))
		if (!look_again(end))
			return -1;
	return fd;
}

/* What the service answers to @text, with its pid before it: that, 0: it said nothing. */
static pid_t exchange(int fd, const char *text)
{
	char reply[256] = "";
	ssize_t n;

	if (fd < 0 || send(fd, text, strlen(text), MSG_NOSIGNAL) < 0)
		return 0;
	n = read(fd, reply, sizeof(reply) - 1);
	return n > 0 && strstr(reply, " heard ") && strstr(reply, text) ? atoi(reply) : 0;
}

TEST_F_TIMEOUT(knelld, started_by_who_comes, LIMIT_S)
{
	pid_t pid, next;
	int fd, other;

	unit(self, "a.socket", "[Socket]\nListenStream=@/s\nListenStream=@/t\nFileDescriptorName=x\n"
	     "SocketMode=0600\n");
	speaker(self, "a.service", "", "fds serve");
	ASSERT_TRUE(start(self));
	fd = connect_to(path_of(self, "s"), SOCK_STREAM);
	ASSERT_LE(0, fd);
	pid = exchange(fd, "hello");
	ASSERT_LT(1, pid);
	ASSERT_TRUE(told(self, "talker: 2 fds: x x"));
	EXPECT_EQ(pid, exchange(fd, "again"));
	other = connect_to(path_of(self, "s"), SOCK_STREAM);
	close(fd);
	EXPECT_EQ(pid, exchange(other, "and again"));
	close(other);
	/* It is gone, and the next one that comes brings it back. */
	kill(pid, SIGKILL);
	ASSERT_TRUE(told(self, "a.service: failed, result signal"));
	fd = connect_to(path_of(self, "s"), SOCK_STREAM);
	next = exchange(fd, "hello");
	ASSERT_LT(1, next);
	EXPECT_NE(pid, next);
	close(fd);
	ASSERT_TRUE(told_times(self, 2, "a.service: started"));
	ASSERT_EQ(0, stop(self));
	EXPECT_TRUE(nothing_left());
}

/* What came while it was down waits for it. */
TEST_F_TIMEOUT(knelld, nobody_is_turned_away, LIMIT_S)
{
	int fd[10];

	unit(self, "a.socket", "[Socket]\nListenStream=@/s\nService=other.service\n");
	speaker(self, "other.service", "Sockets=a.socket\n", "fds serve");
	ASSERT_TRUE(start(self));
	for (int i = 0; i < 10; i++)
		fd[i] = connect_to(path_of(self, "s"), SOCK_STREAM);
	for (int i = 0; i < 10; i++) {
		ASSERT_LT(1, exchange(fd[i], "hello"));
		close(fd[i]);
	}
	ASSERT_TRUE(told(self, "talker: 1 fds: a.socket"));
	ASSERT_EQ(0, stop(self));
}

TEST_F_TIMEOUT(knelld, datagrams_fifos_and_special_files, LIMIT_S)
{
	int fd;

	unit(self, "a.socket", "[Socket]\nListenDatagram=@/d\n");
	speaker(self, "a.service", "", "fds recv pause");
	unit(self, "b.socket", "[Socket]\nListenFIFO=@/f\nFileDescriptorName=pipe\n");
	speaker(self, "b.service", "", "fds recv pause");
	ASSERT_TRUE(start(self));
	fd = connect_to(path_of(self, "d"), SOCK_DGRAM);
	ASSERT_EQ(8, send(fd, "datagram", 8, 0));
	ASSERT_TRUE(told(self, "talker: received datagram"));
	EXPECT_TRUE(has(self, "talker: 1 fds: a.socket"));
	close(fd);
	fd = open(path_of(self, "f"), O_WRONLY | O_CLOEXEC);
	ASSERT_EQ(5, write(fd, "bytes", 5));
	ASSERT_TRUE(told(self, "talker: received bytes"));
	EXPECT_TRUE(has(self, "talker: 1 fds: pipe"));
	close(fd);
	ASSERT_EQ(0, stop(self));
}

TEST_F_TIMEOUT(knelld, an_instance_for_each, LIMIT_S)
{
	pid_t pids[3];
	int fd[3];
	char c;

	unit(self, "a.socket", "[Socket]\nListenStream=@/s\nAccept=yes\nMaxConnections=2\n");
	unit(self, "a@.service", "[Service]\nStandardInput=socket\nExecStart=%s env=REMOTE_ADDR "
	     "fds one one\n", talker());
	ASSERT_TRUE(start(self));
	for (int i = 0; i < 2; i++) {
		fd[i] = connect_to(path_of(self, "s"), SOCK_STREAM);
		pids[i] = exchange(fd[i], "hello");
		ASSERT_LT(1, pids[i]);
	}
	EXPECT_NE(pids[0], pids[1]);
	/* One too many is closed, and no more than that. */
	fd[2] = connect_to(path_of(self, "s"), SOCK_STREAM);
	EXPECT_EQ(0, read(fd[2], &c, 1));
	close(fd[2]);
	ASSERT_TRUE(told(self, "there are MaxConnections= already"));
	for (int i = 0; i < 2; i++) {
		EXPECT_EQ(pids[i], exchange(fd[i], "again"));
		/* The instance has ended; nobody else holds the connection. */
		EXPECT_EQ(0, read(fd[i], &c, 1));
		close(fd[i]);
	}
	/* Often, and one after the other: places are used again. */
	for (int i = 0; i < 20; i++) {
		uint64_t end = patience_ends();

		do {
			fd[0] = connect_to(path_of(self, "s"), SOCK_STREAM);
			pids[0] = exchange(fd[0], "hello");
			if (pids[0])
				EXPECT_EQ(pids[0], exchange(fd[0], "again"));
			close(fd[0]);
		} while (!pids[0] && look_again(end));
		ASSERT_LT(1, pids[0]);
	}
	ASSERT_TRUE(told_times(self, 22, "talker: 1 fds: connection"));
	EXPECT_FALSE(has(self, "a@2.service"));
	EXPECT_FALSE(has(self, "start limit"));
	ASSERT_EQ(0, stop(self));
	EXPECT_TRUE(nothing_left());
}

TEST_F_TIMEOUT(knelld, over_the_network, LIMIT_S)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);
	uint64_t end = patience_ends();
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char text[64];

	ASSERT_EQ(0, bind(fd, (struct sockaddr *)&a, sizeof(a)));
	ASSERT_EQ(0, getsockname(fd, (struct sockaddr *)&a, &len));
	close(fd);
	unit(self, "a.socket", "[Socket]\nListenStream=%d\nAccept=yes\nMaxConnectionsPerSource=1\n",
	     ntohs(a.sin_port));
	unit(self, "a@.service", "[Service]\nStandardInput=socket\nExecStart=%s env=REMOTE_ADDR "
	     "env=REMOTE_PORT one one\n", talker());
	ASSERT_TRUE(start(self));
	for (;;) {
		fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (!connect(fd, (struct sockaddr *)&a, sizeof(a)))
			break;
		close(fd);
		ASSERT_TRUE(look_again(end));
	}
	ASSERT_LT(1, exchange(fd, "hello"));
	ASSERT_EQ(0, getsockname(fd, (struct sockaddr *)&a, &len));
	snprintf(text, sizeof(text), "talker: REMOTE_PORT is %d\n", ntohs(a.sin_port));
	ASSERT_TRUE(told(self, text));
	EXPECT_TRUE(has(self, "talker: REMOTE_ADDR is 127.0.0.1\n"));
	ASSERT_EQ(0, getpeername(fd, (struct sockaddr *)&a, &len));
	len = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ASSERT_EQ(0, connect(len, (struct sockaddr *)&a, sizeof(a)));
	EXPECT_EQ(0, exchange(len, "hello"));
	ASSERT_TRUE(told(self, "there are MaxConnectionsPerSource= of its source already"));
	close(len);
	close(fd);
	ASSERT_EQ(0, stop(self));
}

/* A service that does not take what it is started for does not turn the manager in circles. */
TEST_F_TIMEOUT(knelld, what_is_not_taken_has_an_end, LIMIT_S)
{
	int fd;

	unit(self, "a.socket", "[Socket]\nListenStream=@/s\nTriggerLimitBurst=5\n"
	     "TriggerLimitIntervalSec=1h\n");
	unit(self, "a.service", "[Unit]\nStartLimitIntervalSec=0\n[Service]\nType=oneshot\n"
	     "ExecStart=/bin/true\n");
	/* Or the service's own limit comes first. */
	unit(self, "b.socket", "[Socket]\nListenStream=@/t\n");
	unit(self, "b.service", "[Unit]\nStartLimitBurst=3\nStartLimitIntervalSec=1h\n"
	     "[Service]\nExecStart=/bin/false\n");
	/* Or it cannot be started at all. */
	unit(self, "c.socket", "[Socket]\nListenStream=@/u\nTriggerLimitBurst=3\n"
	     "TriggerLimitIntervalSec=1h\n");
	unit(self, "c.service", "[Service]\nExecStart=/nonexistent\n");
	ASSERT_TRUE(start(self));
	fd = connect_to(path_of(self, "s"), SOCK_STREAM);
	ASSERT_TRUE(told(self, "a.socket: its service was started TriggerLimitBurst= times"));
	EXPECT_EQ(5, occurrences(self, "a.service: finished"));
	close(fd);
	fd = connect_to(path_of(self, "t"), SOCK_STREAM);
	ASSERT_TRUE(told(self, "b.socket: b.service may not be started again: no more"));
	close(fd);
	fd = connect_to(path_of(self, "u"), SOCK_STREAM);
	ASSERT_TRUE(told(self, "c.socket: "));
	close(fd);
	ASSERT_EQ(0, stop(self));
}

TEST_F_TIMEOUT(knelld, what_has_a_path, LIMIT_S)
{
	char target[128] = "";

	unit(self, "a.socket", "[Socket]\nListenStream=@/x/y/s\nDirectoryMode=0700\nRemoveOnStop=yes\n"
	     "Symlinks=@/link\n");
	speaker(self, "a.service", "", "serve");
	unit(self, "b.socket", "[Socket]\nListenStream=@/stays\n");
	speaker(self, "b.service", "", "serve");
	/* What is in the way is somebody's. */
	unit(self, "c.socket", "[Socket]\nListenStream=@/c.socket\n");
	speaker(self, "c.service", "", "serve");
	ASSERT_TRUE(start(self));
	ASSERT_LT(1, exchange(connect_to(path_of(self, "link"), SOCK_STREAM), "hello"));
	ASSERT_LT(1, exchange(connect_to(path_of(self, "stays"), SOCK_STREAM), "hello"));
	ASSERT_LT(0, readlink(path_of(self, "link"), target, sizeof(target) - 1));
	EXPECT_STREQ(path_of(self, "x/y/s"), target);
	ASSERT_TRUE(told(self, "c.socket:2: cannot listen at"));
	ASSERT_EQ(0, stop(self));
	EXPECT_NE(0, access(path_of(self, "x/y/s"), F_OK));
	EXPECT_NE(0, faccessat(AT_FDCWD, path_of(self, "link"), F_OK, AT_SYMLINK_NOFOLLOW));
	EXPECT_EQ(0, access(path_of(self, "stays"), F_OK));
	EXPECT_EQ(0, access(path_of(self, "c.socket"), F_OK));
}

TEST_F_TIMEOUT(knelld, its_own_commands, LIMIT_S)
{
	unit(self, "a.socket", "[Socket]\nListenStream=@/s\nRemoveOnStop=yes\n"
	     "ExecStartPre=/bin/sh -c 'test -e @/s || echo pre >>@/log'\n"
	     "ExecStartPost=/bin/sh -c 'test -S @/s && echo post >>@/log'\n"
	     "ExecStopPre=/bin/sh -c 'test -S @/s && echo stop >>@/log'\n"
	     "ExecStopPost=/bin/sh -c 'test -e @/s || echo gone >>@/log'\n");
	speaker(self, "a.service", "", "serve");
	unit(self, "b.socket", "[Socket]\nListenStream=@/t\nExecStartPre=-/bin/false\n"
	     "ExecStartPre=/bin/sh -c 'exit 3'\nExecStopPost=/bin/sh -c 'echo b >@/b'\n");
	speaker(self, "b.service", "", "serve");
	unit(self, "c.socket", "[Socket]\nListenStream=@/u\nTimeoutSec=300ms\n"
	     "ExecStartPost=/bin/sleep 100000\nExecStopPost=/bin/sh -c 'echo c >@/c'\n");
	speaker(self, "c.service", "", "serve");
	ASSERT_TRUE(start(self));
	ASSERT_LT(1, exchange(connect_to(path_of(self, "s"), SOCK_STREAM), "hello"));
	ASSERT_TRUE(told(self, "c.socket: ExecStartPost takes too long, SIGKILL"));
	ASSERT_TRUE(told(self, "startup finished"));
	EXPECT_STREQ("pre\npost\n", contents(self, "log"));
	ASSERT_EQ(0, stop(self));
	EXPECT_STREQ("pre\npost\nstop\ngone\n", contents(self, "log"));
	EXPECT_STREQ("b\n", contents(self, "b"));
	EXPECT_STREQ("c\n", contents(self, "c"));
	EXPECT_NE(0, access(path_of(self, "t"), F_OK));
	EXPECT_TRUE(nothing_left());
}

/* What its file says now counts from its next start on, and until then what it said. */
TEST_F_TIMEOUT(knelld, a_changed_file_counts_at_its_next_start, LIMIT_S)
{
	int fd;

	unit(self, "a.socket", "[Socket]\nListenStream=@/one\nRemoveOnStop=yes\n");
	speaker(self, "a.service", "", "fds serve");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "startup finished"));
	unit(self, "a.socket", "[Socket]\nListenStream=@/two\nFileDescriptorName=x\n");
	ask(self, "Reload", "", "");
	ASSERT_TRUE(told(self, "a.socket: changed, which takes effect at its next start"));
	EXPECT_EQ(0, access(path_of(self, "one"), F_OK));
	EXPECT_NE(0, access(path_of(self, "two"), F_OK));
	EXPECT_TRUE(asked(self, "RestartUnits", "a.socket", "\"done\""));
	EXPECT_NE(0, access(path_of(self, "one"), F_OK));
	fd = connect_to(path_of(self, "two"), SOCK_STREAM);
	ASSERT_LE(0, fd);
	EXPECT_LT(1, exchange(fd, "hello"));
	close(fd);
	ASSERT_TRUE(told(self, "talker: 1 fds: x"));
	ASSERT_EQ(0, stop(self));
	EXPECT_TRUE(nothing_left());
}

TEST_HARNESS_MAIN
