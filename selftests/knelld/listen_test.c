// SPDX-License-Identifier: GPL-2.0-only
/* listen.c: addresses, and descriptors that clients reach there. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#pragma GCC diagnostic ignored "-Wmissing-prototypes"	/* of fixtures */
#include "kselftest_harness.h"
#include "listen.h"

FIXTURE(listen)
{
	char dir[64], path[128];
	struct listen l;
	struct socket c;
	int fd;
};

FIXTURE_SETUP(listen)
{
	strcpy(self->dir, "/tmp/listen_test.XXXXXX");
	ASSERT_NE(NULL, mkdtemp(self->dir));
	snprintf(self->path, sizeof(self->path), "%s/d/e/socket", self->dir);
	self->l = (struct listen){ .address = self->path, .kind = LISTEN_STREAM };
	self->c = (struct socket){
		.listen = &self->l, .nr_listen = 1, .mode = 0666, .directory_mode = 0755,
		.backlog = 128, .priority = UNSET, .ip_tos = UNSET, .ip_ttl = UNSET, .mark = UNSET,
	};
	self->fd = -1;
	umask(022);
}

FIXTURE_TEARDOWN(listen)
{
	char command[96];

	if (self->fd >= 0)
		close(self->fd);
	snprintf(command, sizeof(command), "rm -r %s", self->dir);
	EXPECT_EQ(0, system(command));
}

static const struct owner nobody = { -1, -1 };

static int open_it(FIXTURE_DATA(listen) *self)
{
	self->fd = listen_open("t.socket", &self->c, &self->l, nobody);
	return self->fd;
}

static int option(int fd, int level, int name)
{
	int value = -1;
	socklen_t len = sizeof(value);

	getsockopt(fd, level, name, &value, &len);
	return value;
}

/* Does what a client sends to the address arrive at @fd? */
static bool reaches(const char *address, int type, int fd)
{
	union address a;
	socklen_t len;
	int c, conn, err;
	char buf[8];

	if (address_parse(address, &a, &len))
		return false;
	c = socket(a.sa.sa_family, type | SOCK_CLOEXEC, 0);
	err = connect(c, &a.sa, len);
	if (err || send(c, "hello", 5, MSG_NOSIGNAL) != 5) {
		close(c);
		return false;
	}
	conn = type == SOCK_DGRAM ? dup(fd) : accept4(fd, NULL, NULL, SOCK_CLOEXEC);
	err = read(conn, buf, sizeof(buf));
	close(conn);
	close(c);
	return err == 5 && !memcmp(buf, "hello", 5);
}

TEST(addresses)
{
	static const struct {
		const char *text, *shown;
		int family, port;
	} good[] = {
		{ "/run/x", "/run/x", AF_UNIX, 0 },
		{ "@x/y", "@x/y", AF_UNIX, 0 },
		{ "127.0.0.1:80", "127.0.0.1", AF_INET, 80 },
		{ "0.0.0.0:65535", "0.0.0.0", AF_INET, 65535 },
		{ "[::1]:22", "::1", AF_INET6, 22 },
		{ "[2001:db8::a]:1", "2001:db8::a", AF_INET6, 1 },
		{ "[fe80::1%1]:22", "fe80::1", AF_INET6, 22 },
		{ "[fe80::1%lo]:22", "fe80::1", AF_INET6, 22 },
		{ "[fe80::1]:22%1", "fe80::1", AF_INET6, 22 },
		{ "[::ffff:10.0.0.1]:9", "10.0.0.1", AF_INET6, 9 },
		{ "vsock:2:1234", "vsock:2", AF_VSOCK, 0 },
		{ "vsock::1234", "vsock:4294967295", AF_VSOCK, 0 },
	};
	static const char *const bad[] = {
		"", "0", "65536", "80x", "x80", "-1", "+80", " 80", "80 ", "1.2.3:80", "1.2.3.4.5:80",
		"1.2.3.4:", "1.2.3.4:0", "1.2.3.4:65536", "[::1]", "[::1]:", "[::1]:0", "[::1]80",
		"[::1:80", "[:::1]:80", "[::1]:80x", "[::1%]:80", "[fe80::1%nosuchif]:80",
		"vsock:", "vsock:1", "vsock:x:1", "vsock:1:x", "vsock:-1:1", "vsock:4294967296:1",
		"999999999999999999999", "0000000000000000000000000000000000001.2.3.4:80",
	};
	char shown[ADDRESS_TEXT_MAX], text[200];
	union address a;
	socklen_t len;

	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		ASSERT_EQ(0, address_parse(good[i].text, &a, &len)) {
			TH_LOG("%s", good[i].text);
		}
		EXPECT_EQ(good[i].family, a.sa.sa_family) {
			TH_LOG("%s", good[i].text);
		}
		EXPECT_STREQ(good[i].shown, address_text(&a, len, shown));
		if (good[i].port)
			EXPECT_EQ(good[i].port, ntohs(a.in.sin_port));
	}
	ASSERT_EQ(0, address_parse("[fe80::1%lo]:22", &a, &len));
	EXPECT_EQ(1, a.in6.sin6_scope_id);
	ASSERT_EQ(0, address_parse("8080", &a, &len));
	EXPECT_TRUE(a.sa.sa_family == AF_INET6 || a.sa.sa_family == AF_INET);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		EXPECT_GT(0, address_parse(bad[i], &a, &len)) {
			TH_LOG("%s", bad[i]);
		}
	}
	/* As long as it may be, and one more. */
	memset(text, 'x', sizeof(text));
	text[0] = '/';
	text[107] = '\0';
	EXPECT_EQ(0, address_parse(text, &a, &len));
	EXPECT_EQ(sizeof(a.un), len);
	EXPECT_STREQ(text, address_text(&a, len, shown));
	text[107] = 'x';
	text[108] = '\0';
	EXPECT_EQ(-ENAMETOOLONG, address_parse(text, &a, &len));
	text[0] = '@';
	EXPECT_EQ(0, address_parse(text, &a, &len));
	EXPECT_EQ(sizeof(a.un), len);
	EXPECT_STREQ(text, address_text(&a, len, shown));
	text[108] = 'x';
	text[109] = '\0';
	EXPECT_EQ(-ENAMETOOLONG, address_parse(text, &a, &len));
}

TEST_F(listen, path)
{
	struct stat st;
	char dir[96];

	self->c.mode = 0640;
	self->c.directory_mode = 0771;
	ASSERT_LE(0, open_it(self));
	EXPECT_TRUE(reaches(self->path, SOCK_STREAM, self->fd));
	EXPECT_FALSE(reaches(self->path, SOCK_SEQPACKET, self->fd));
	EXPECT_EQ(FD_CLOEXEC, fcntl(self->fd, F_GETFD));
	EXPECT_TRUE(fcntl(self->fd, F_GETFL) & O_NONBLOCK);
	ASSERT_EQ(0, stat(self->path, &st));
	EXPECT_EQ(0640, st.st_mode & 0777);
	snprintf(dir, sizeof(dir), "%s/d", self->dir);
	ASSERT_EQ(0, stat(dir, &st));
	EXPECT_EQ(0771, st.st_mode & 0777);
	EXPECT_EQ(022, umask(022));
	/* What a former one has left is no hindrance. */
	close(self->fd);
	ASSERT_LE(0, open_it(self));
	EXPECT_TRUE(reaches(self->path, SOCK_STREAM, self->fd));
	listen_remove(&self->c);
	EXPECT_EQ(-1, access(self->path, F_OK));
}

TEST_F(listen, what_is_no_socket_stays)
{
	int fd;

	ASSERT_LE(0, open_it(self));
	listen_remove(&self->c);
	close(self->fd);
	fd = open(self->path, O_CREAT | O_WRONLY, 0600);
	ASSERT_EQ(4, write(fd, "data", 4));
	close(fd);
	EXPECT_EQ(-EADDRINUSE, open_it(self));
	EXPECT_EQ(0, access(self->path, F_OK));
	self->l.kind = LISTEN_FIFO;
	EXPECT_EQ(-EEXIST, open_it(self));
}

TEST_F(listen, owner)
{
	const struct owner owner = { 65534, 12 };
	struct stat st;

	if (geteuid())
		SKIP(return, "root alone gives files away");
	self->fd = listen_open("t.socket", &self->c, &self->l, owner);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, stat(self->path, &st));
	EXPECT_EQ(65534, st.st_uid);
	EXPECT_EQ(12, st.st_gid);
	close(self->fd);
	listen_remove(&self->c);
	self->l.kind = LISTEN_FIFO;
	self->fd = listen_open("t.socket", &self->c, &self->l, owner);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, stat(self->path, &st));
	EXPECT_EQ(65534, st.st_uid);
	EXPECT_EQ(12, st.st_gid);
}

TEST_F(listen, other_kinds_of_unix_sockets)
{
	self->l.kind = LISTEN_DATAGRAM;
	ASSERT_LE(0, open_it(self));
	EXPECT_TRUE(reaches(self->path, SOCK_DGRAM, self->fd));
	EXPECT_FALSE(listen_accepts(&self->l));
	close(self->fd);
	self->l.kind = LISTEN_SEQPACKET;
	ASSERT_LE(0, open_it(self));
	EXPECT_TRUE(reaches(self->path, SOCK_SEQPACKET, self->fd));
	EXPECT_TRUE(listen_accepts(&self->l));
	close(self->fd);
	self->l.address = "@listen_test";
	ASSERT_LE(0, open_it(self));
	EXPECT_TRUE(reaches("@listen_test", SOCK_SEQPACKET, self->fd));
	/* No unlink helps against a name that is taken. */
	EXPECT_EQ(-EADDRINUSE, listen_open("t.socket", &self->c, &self->l, nobody));
}

/* A port that is free, for nobody else asks for it in this moment. */
static int free_port(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (bind(fd, (struct sockaddr *)&a, len) || getsockname(fd, (struct sockaddr *)&a, &len))
		a.sin_port = 0;
	close(fd);
	return ntohs(a.sin_port);
}

TEST_F(listen, internet)
{
	char address[64], v4[64], v6[64];
	int port = free_port();

	snprintf(v4, sizeof(v4), "127.0.0.1:%d", port);
	snprintf(v6, sizeof(v6), "[::1]:%d", port);
	self->l.address = v4;
	ASSERT_LE(0, open_it(self));
	EXPECT_TRUE(reaches(v4, SOCK_STREAM, self->fd));
	close(self->fd);
	/* At once again: connections of before do not keep the port. */
	self->l.address = address;
	snprintf(address, sizeof(address), "%d", port);
	ASSERT_LE(0, open_it(self));
	EXPECT_TRUE(reaches(v4, SOCK_STREAM, self->fd));
	close(self->fd);
	self->l.kind = LISTEN_DATAGRAM;
	ASSERT_LE(0, open_it(self));
	EXPECT_TRUE(reaches(v4, SOCK_DGRAM, self->fd));
	close(self->fd);
	self->l.kind = LISTEN_STREAM;
	self->c.ipv6_only = IPV6_ONLY;
	ASSERT_LE(0, open_it(self));
	if (option(self->fd, SOL_SOCKET, SO_DOMAIN) != AF_INET6)
		return;
	EXPECT_FALSE(reaches(v4, SOCK_STREAM, self->fd));
	EXPECT_TRUE(reaches(v6, SOCK_STREAM, self->fd));
	close(self->fd);
	self->c.ipv6_only = IPV6_BOTH;
	ASSERT_LE(0, open_it(self));
	EXPECT_TRUE(reaches(v4, SOCK_STREAM, self->fd));
	EXPECT_TRUE(reaches(v6, SOCK_STREAM, self->fd));
}

TEST_F(listen, options)
{
	char address[64];
	int fd;

	snprintf(address, sizeof(address), "127.0.0.1:%d", free_port());
	self->l.address = address;
	self->c.free_bind = self->c.reuse_port = self->c.keep_alive = self->c.no_delay = true;
	self->c.broadcast = self->c.pass_packet_info = true;
	self->c.priority = 5;
	self->c.ip_tos = 0x10;
	self->c.ip_ttl = 33;
	self->c.keep_alive_ns = 1500 * NSEC_PER_MSEC;
	self->c.keep_alive_interval_ns = 7 * NSEC_PER_SEC;
	self->c.keep_alive_probes = 4;
	self->c.defer_accept_ns = NSEC_PER_SEC;
	self->c.receive_buffer = 65536;
	self->c.send_buffer = 32768;
	self->c.tcp_congestion = "reno";
	fd = open_it(self);
	ASSERT_LE(0, fd);
	EXPECT_EQ(1, option(fd, IPPROTO_IP, IP_FREEBIND));
	EXPECT_EQ(1, option(fd, IPPROTO_IP, IP_PKTINFO));
	EXPECT_EQ(0x10, option(fd, IPPROTO_IP, IP_TOS));
	EXPECT_EQ(33, option(fd, IPPROTO_IP, IP_TTL));
	EXPECT_EQ(1, option(fd, SOL_SOCKET, SO_REUSEPORT));
	EXPECT_EQ(1, option(fd, SOL_SOCKET, SO_KEEPALIVE));
	EXPECT_EQ(1, option(fd, SOL_SOCKET, SO_BROADCAST));
	EXPECT_EQ(5, option(fd, SOL_SOCKET, SO_PRIORITY));
	EXPECT_EQ(1, option(fd, IPPROTO_TCP, TCP_NODELAY));
	EXPECT_EQ(2, option(fd, IPPROTO_TCP, TCP_KEEPIDLE));
	EXPECT_EQ(7, option(fd, IPPROTO_TCP, TCP_KEEPINTVL));
	EXPECT_EQ(4, option(fd, IPPROTO_TCP, TCP_KEEPCNT));
	EXPECT_LT(0, option(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT));
	EXPECT_EQ(2 * 65536, option(fd, SOL_SOCKET, SO_RCVBUF));
	EXPECT_EQ(2 * 32768, option(fd, SOL_SOCKET, SO_SNDBUF));
	/* Another one may listen there as well. */
	fd = listen_open("t.socket", &self->c, &self->l, nobody);
	EXPECT_LE(0, fd);
	close(fd);
	close(self->fd);
	/* A refusal is told, and nothing else comes of it. */
	self->c.tcp_congestion = "nosuch";
	self->c.ip_ttl = 4711;
	EXPECT_LE(0, open_it(self));
	close(self->fd);
	self->l = (struct listen){ .address = self->path, .kind = LISTEN_DATAGRAM };
	self->c.pass_credentials = self->c.pass_security = true;
	ASSERT_LE(0, open_it(self));
	EXPECT_EQ(1, option(self->fd, SOL_SOCKET, SO_PASSCRED));
	EXPECT_EQ(1, option(self->fd, SOL_SOCKET, SO_PASSSEC));
}

TEST_F(listen, fifo)
{
	struct stat st;
	char buf[8];
	int w;

	self->l.kind = LISTEN_FIFO;
	self->c.mode = 0620;
	self->c.pipe_size = 16384;
	ASSERT_LE(0, open_it(self));
	ASSERT_EQ(0, stat(self->path, &st));
	EXPECT_EQ(0620, st.st_mode & 0777);
	EXPECT_EQ(16384, fcntl(self->fd, F_GETPIPE_SZ));
	for (int i = 0; i < 2; i++) {
		w = open(self->path, O_WRONLY | O_CLOEXEC);
		ASSERT_EQ(5, write(w, "hello", 5));
		close(w);
		EXPECT_EQ(5, read(self->fd, buf, sizeof(buf)));
		/* No end of file: the next writer is waited for. */
		EXPECT_EQ(-1, read(self->fd, buf, sizeof(buf)));
	}
	close(self->fd);
	/* It is used again, with the mode of now. */
	self->c.mode = 0600;
	ASSERT_LE(0, open_it(self));
	ASSERT_EQ(0, stat(self->path, &st));
	EXPECT_EQ(0600, st.st_mode & 0777);
}

TEST_F(listen, special_and_what_is_not_done)
{
	self->l = (struct listen){ .address = "/dev/null", .kind = LISTEN_SPECIAL };
	ASSERT_LE(0, open_it(self));
	EXPECT_EQ(O_RDONLY, fcntl(self->fd, F_GETFL) & O_ACCMODE);
	close(self->fd);
	self->c.writable = true;
	ASSERT_LE(0, open_it(self));
	EXPECT_EQ(O_RDWR, fcntl(self->fd, F_GETFL) & O_ACCMODE);
	self->l.address = self->dir;
	EXPECT_GT(0, listen_open("t.socket", &self->c, &self->l, nobody));
	self->l = (struct listen){ .address = "kobject-uevent 1", .kind = LISTEN_NETLINK };
	EXPECT_EQ(-EOPNOTSUPP, listen_open("t.socket", &self->c, &self->l, nobody));
	self->l = (struct listen){ .address = "/mq", .kind = LISTEN_MQUEUE };
	EXPECT_EQ(-EOPNOTSUPP, listen_open("t.socket", &self->c, &self->l, nobody));
}

TEST_F(listen, symlinks)
{
	char link[128], busy[128], target[128] = "";
	char *names[] = { link, busy, NULL };
	const char *which = NULL;

	snprintf(link, sizeof(link), "%s/l/link", self->dir);
	snprintf(busy, sizeof(busy), "%s/d", self->dir);
	self->c.symlinks = (struct strv){ names, 1 };
	ASSERT_LE(0, open_it(self));
	EXPECT_EQ(0, listen_link(&self->c, &which));
	EXPECT_EQ(0, listen_link(&self->c, &which));
	EXPECT_LT(0, readlink(link, target, sizeof(target) - 1));
	EXPECT_STREQ(self->path, target);
	EXPECT_TRUE(reaches(link, SOCK_STREAM, self->fd));
	self->c.symlinks.nr = 2;
	EXPECT_EQ(-EEXIST, listen_link(&self->c, &which));
	EXPECT_STREQ(busy, which);
	listen_remove(&self->c);
	EXPECT_EQ(-1, readlink(link, target, sizeof(target)));
	EXPECT_EQ(0, access(busy, F_OK));
}

TEST_F(listen, pending)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	char buf[8];
	int c;

	strcpy(a.sun_path, self->path);
	ASSERT_LE(0, open_it(self));
	c = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ASSERT_EQ(0, connect(c, (struct sockaddr *)&a, sizeof(a)));
	listen_flush(&self->l, self->fd);
	EXPECT_EQ(0, read(c, buf, 1));
	close(c);
	EXPECT_EQ(-1, accept(self->fd, NULL, NULL));
	close(self->fd);
	self->l.kind = LISTEN_DATAGRAM;
	ASSERT_LE(0, open_it(self));
	c = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	for (int i = 0; i < 3; i++)
		ASSERT_EQ(i, sendto(c, "xyz", i, MSG_DONTWAIT, (struct sockaddr *)&a, sizeof(a)));
	listen_flush(&self->l, self->fd);
	EXPECT_EQ(-1, recv(self->fd, buf, sizeof(buf), 0));
	close(c);
}

TEST_HARNESS_MAIN
