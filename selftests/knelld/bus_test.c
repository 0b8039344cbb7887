// SPDX-License-Identifier: GPL-2.0-only
/* bus.c: names come and go on a bus of the test's own; libsystemd's client is the other side. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include "host_test.h"
#include "bus.h"

FIXTURE(bus)
{
	struct knell_loop *l;
	char dir[64], path[96], address[128];
	pid_t daemon;
	sd_bus *peer;
};

struct seen {
	unsigned int calls;
	int owned;		/* -1: not known */
};

static void on_owned(bool owned, void *arg)
{
	struct seen *s = arg;

	s->calls++;
	s->owned = owned;
}

static char asked_for[64];

static void on_start(const char *unit)
{
	snprintf(asked_for, sizeof(asked_for), "%s", unit);
}

/* One that the bus is to have started, as a file of it says. */
static bool write_service(FIXTURE_DATA(bus) *self)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "mkdir -p %s/dbus-1/services", self->dir);
	if (system(path))
		return false;
	snprintf(path, sizeof(path), "%s/dbus-1/services/org.example.Act.service", self->dir);
	f = fopen(path, "w");
	if (!f)
		return false;
	fputs("[D-BUS Service]\nName=org.example.Act\nExec=/bin/false\n"
	      "SystemdService=act.service\n", f);
	return !fclose(f);
}

static bool start_daemon(FIXTURE_DATA(bus) *self)
{
	char arg[160], line[8];
	int p[2];

	if (pipe(p))
		return false;
	self->daemon = fork();
	if (!self->daemon) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		snprintf(arg, sizeof(arg), "--address=%s", self->address);
		dup2(p[1], 1);
		close(p[0]);
		close(p[1]);
		setenv("XDG_DATA_HOME", self->dir, 1);
		execlp("dbus-daemon", "dbus-daemon", "--session", "--nofork", "--nopidfile",
		       "--nosyslog", "--systemd-activation", "--print-address", arg, NULL);
		_exit(127);
	}
	close(p[1]);
	/* It says its address when it can be reached. */
	if (read(p[0], line, 1) != 1)
		return false;
	close(p[0]);
	return true;
}

static void stop_daemon(FIXTURE_DATA(bus) *self)
{
	kill(self->daemon, SIGKILL);
	waitpid(self->daemon, NULL, 0);
	self->daemon = 0;
	unlink(self->path);
}

static sd_bus *new_peer(FIXTURE_DATA(bus) *self)
{
	sd_bus *b = NULL;

	if (sd_bus_new(&b) < 0 || sd_bus_set_address(b, self->address) < 0 ||
	    sd_bus_set_bus_client(b, true) < 0 || sd_bus_start(b) < 0)
		return NULL;
	return b;
}

FIXTURE_SETUP(bus)
{
	static const struct knell_loop_attr attr = { .backend = KNELL_BACKEND_PIDFD };

	strcpy(self->dir, "/tmp/bus_test.XXXXXX");
	ASSERT_NE(NULL, mkdtemp(self->dir));
	snprintf(self->path, sizeof(self->path), "%s/bus", self->dir);
	snprintf(self->address, sizeof(self->address), "unix:path=%s", self->path);
	self->l = knell_loop_new(&attr);
	ASSERT_NE(NULL, self->l);
	ASSERT_TRUE(write_service(self));
	ASSERT_TRUE(start_daemon(self));
	self->peer = new_peer(self);
	ASSERT_NE(NULL, self->peer);
	asked_for[0] = '\0';
}

FIXTURE_TEARDOWN(bus)
{
	char command[96];

	bus_close();
	sd_bus_unref(self->peer);
	knell_loop_free(self->l);
	if (self->daemon)
		stop_daemon(self);
	unlink(self->path);
	snprintf(command, sizeof(command), "rm -r %s", self->dir);
	EXPECT_EQ(0, system(command));
}

/* Until it was told that the name is owned, or not. */
static void wait_for(FIXTURE_DATA(bus) *self, const struct seen *s, int owned)
{
	while (s->owned != owned)
		knell_loop_run(self->l, KNELL_RUN_ONCE);
}

TEST_F(bus, a_name_comes_and_goes)
{
	struct seen s = { .owned = -1 }, other = { .owned = -1 };
	struct bus_watch *w = bus_watch(self->l, self->address, "org.example.A", on_owned, &s), *v;

	ASSERT_NE(NULL, w);
	v = bus_watch(self->l, self->address, "org.example.B", on_owned, &other);
	ASSERT_NE(NULL, v);
	EXPECT_EQ(0, s.calls);
	wait_for(self, &s, 0);
	wait_for(self, &other, 0);
	EXPECT_EQ(1, s.calls);
	ASSERT_LE(0, sd_bus_request_name(self->peer, "org.example.A", 0));
	wait_for(self, &s, 1);
	EXPECT_EQ(0, other.owned);
	ASSERT_LE(0, sd_bus_release_name(self->peer, "org.example.A"));
	wait_for(self, &s, 0);
	ASSERT_LE(0, sd_bus_request_name(self->peer, "org.example.B", 0));
	wait_for(self, &other, 1);
	/* Its owner dies without a word. */
	sd_bus_close(self->peer);
	wait_for(self, &other, 0);
	bus_unwatch(w);
	bus_unwatch(v);
}

TEST_F(bus, a_name_that_is_there_already)
{
	struct seen s = { .owned = -1 };
	struct bus_watch *w;

	ASSERT_LE(0, sd_bus_request_name(self->peer, "org.example.A", 0));
	w = bus_watch(self->l, self->address, "org.example.A", on_owned, &s);
	ASSERT_NE(NULL, w);
	wait_for(self, &s, 1);
	EXPECT_EQ(1, s.calls);
	bus_unwatch(w);
	/* Nobody is told any more. */
	ASSERT_LE(0, sd_bus_release_name(self->peer, "org.example.A"));
	w = bus_watch(self->l, self->address, "org.example.B", on_owned, &s);
	wait_for(self, &s, 0);
	EXPECT_EQ(2, s.calls);
	bus_unwatch(w);
}

TEST_F(bus, many_names)
{
	struct seen s[200];
	struct bus_watch *w[200];
	char name[64];

	for (int i = 0; i < 200; i++) {
		s[i] = (struct seen){ .owned = -1 };
		snprintf(name, sizeof(name), "org.example.N%d", i);
		if (i % 2)
			ASSERT_LE(0, sd_bus_request_name(self->peer, name, 0));
		w[i] = bus_watch(self->l, self->address, name, on_owned, &s[i]);
		ASSERT_NE(NULL, w[i]);
	}
	for (int i = 0; i < 200; i++)
		wait_for(self, &s[i], i % 2);
	for (int i = 0; i < 200; i++)
		bus_unwatch(w[i]);
}

/* Signals that anybody may send, one of them larger than all that is expected, and lies. */
TEST_F(bus, forged_signals)
{
	struct seen s = { .owned = -1 };
	struct bus_watch *w = bus_watch(self->l, self->address, "org.example.A", on_owned, &s);
	char *large = malloc(300000), to[16];

	ASSERT_NE(NULL, w);
	memset(large, 'x', 299999);
	large[299999] = '\0';
	wait_for(self, &s, 0);
	/* Unique names are counted up: ours is the one after the peer's, whatever that is. */
	for (int i = 0; i < 8; i++) {
		sd_bus_message *m = NULL;

		snprintf(to, sizeof(to), ":1.%d", i);
		ASSERT_LE(0, sd_bus_message_new_signal(self->peer, &m, "/org/freedesktop/DBus",
						       "org.freedesktop.DBus", "NameOwnerChanged"));
		sd_bus_message_append(m, "sss", "org.example.A", "", i % 2 ? large : ":1.99");
		sd_bus_send_to(self->peer, m, to, NULL);
		sd_bus_message_unref(m);
	}
	ASSERT_LE(0, sd_bus_flush(self->peer));
	/* They were not believed: what is true is told next. */
	ASSERT_LE(0, sd_bus_request_name(self->peer, "org.example.A", 0));
	wait_for(self, &s, 1);
	EXPECT_EQ(2, s.calls);
	bus_unwatch(w);
	free(large);
}

TEST_F(bus, no_bus_and_a_new_one)
{
	struct seen s = { .owned = -1 }, other = { .owned = -1 };
	struct bus_watch *w, *v;

	EXPECT_EQ(NULL, bus_watch(self->l, "unix:path=/nowhere", "org.example.A", on_owned, &s));
	EXPECT_EQ(ENOENT, errno);
	EXPECT_EQ(NULL, bus_watch(self->l, "tcp:host=localhost", "org.example.A", on_owned, &s));
	EXPECT_EQ(EINVAL, errno);
	w = bus_watch(self->l, self->address, "org.example.A", on_owned, &s);
	ASSERT_NE(NULL, w);
	wait_for(self, &s, 0);
	stop_daemon(self);
	/* Silence; then a new one for both. */
	while (knell_loop_run(self->l, KNELL_RUN_ONCE))
		;
	EXPECT_EQ(NULL, bus_watch(self->l, self->address, "org.example.B", on_owned, &other));
	EXPECT_EQ(1, s.calls);
	ASSERT_TRUE(start_daemon(self));
	sd_bus_unref(self->peer);
	self->peer = new_peer(self);
	ASSERT_LE(0, sd_bus_request_name(self->peer, "org.example.A", 0));
	v = bus_watch(self->l, self->address, "org.example.B", on_owned, &other);
	ASSERT_NE(NULL, v);
	wait_for(self, &s, 1);
	wait_for(self, &other, 0);
	bus_unwatch(v);
	/* One that nobody asks anything: who asked before hears of the name that has gone. */
	stop_daemon(self);
	while (knell_loop_run(self->l, KNELL_RUN_ONCE))
		;
	ASSERT_TRUE(start_daemon(self));
	bus_serve(self->l, self->address, on_start);
	wait_for(self, &s, 0);
	bus_unwatch(w);
}

/* Calls a method from a client of its own, @long with more than any answer has. */
struct caller {
	sd_bus *bus;
	bool answered;
	char error[64];
};

static int on_reply(sd_bus_message *m, void *arg, sd_bus_error *unused)
{
	struct caller *c = arg;

	(void)unused;
	c->answered = true;
	if (sd_bus_message_is_method_error(m, NULL))
		snprintf(c->error, sizeof(c->error), "%s", sd_bus_message_get_error(m)->name);
	return 0;
}

static bool call_async(FIXTURE_DATA(bus) *self, struct caller *c, const char *to, const char *arg)
{
	c->bus = new_peer(self);
	return c->bus && sd_bus_call_method_async(c->bus, NULL, to, "/a", "org.example.I", "M",
						  on_reply, c, "s", arg) >= 0 &&
	       sd_bus_flush(c->bus) >= 0;
}

/* Both sides go on until it is answered. */
static void wait_for_answer(FIXTURE_DATA(bus) *self, struct caller *c)
{
	while (!c->answered) {
		struct pollfd p[2] = {
			{ .fd = sd_bus_get_fd(c->bus), .events = POLLIN },
			{ .fd = knell_loop_fd(self->l), .events = POLLIN },
		};

		while (sd_bus_process(c->bus, NULL) > 0)
			;
		knell_loop_run(self->l, KNELL_RUN_NOWAIT);
		if (!c->answered)
			poll(p, 2, 1000);
	}
	sd_bus_unref(c->bus);
}

static void wait_for_request(FIXTURE_DATA(bus) *self, const char *unit)
{
	while (strcmp(asked_for, unit))
		knell_loop_run(self->l, KNELL_RUN_ONCE);
}

TEST_F(bus, it_asks_for_units)
{
	struct caller c = { 0 }, d = { 0 };

	bus_serve(self->l, self->address, on_start);
	ASSERT_TRUE(call_async(self, &c, "org.example.Act", "x"));
	wait_for_request(self, "act.service");
	bus_start_failed("act.service", "it is not there");
	wait_for_answer(self, &c);
	EXPECT_STREQ("org.freedesktop.systemd1.ActivationFailed", c.error);

	/* The next one comes up: whoever has the name gets the message. */
	asked_for[0] = '\0';
	ASSERT_TRUE(call_async(self, &d, "org.example.Act", "x"));
	wait_for_request(self, "act.service");
	ASSERT_LE(0, sd_bus_request_name(self->peer, "org.example.Act", 0));
	while (!d.answered) {
		struct pollfd p = { .fd = sd_bus_get_fd(d.bus), .events = POLLIN };

		while (sd_bus_process(self->peer, NULL) > 0)
			;
		while (sd_bus_process(d.bus, NULL) > 0)
			;
		if (!d.answered)
			poll(&p, 1, 100);
	}
	EXPECT_STREQ(SD_BUS_ERROR_UNKNOWN_OBJECT, d.error);
	sd_bus_unref(d.bus);
}

/* Who takes us for systemd is not left waiting. */
TEST_F(bus, whatever_else_is_asked)
{
	struct caller c = { 0 }, d = { 0 }, e = { 0 };
	char *large = calloc(1, 300000);

	memset(large, 'x', 299999);
	bus_serve(self->l, self->address, on_start);
	ASSERT_TRUE(call_async(self, &c, "org.freedesktop.systemd1", "x"));
	wait_for_answer(self, &c);
	EXPECT_STREQ(SD_BUS_ERROR_UNKNOWN_METHOD, c.error);
	ASSERT_TRUE(call_async(self, &d, "org.freedesktop.systemd1", large));
	wait_for_answer(self, &d);
	EXPECT_STREQ(SD_BUS_ERROR_UNKNOWN_METHOD, d.error);
	ASSERT_TRUE(call_async(self, &e, "org.freedesktop.systemd1", "x"));
	wait_for_answer(self, &e);
	EXPECT_STREQ(SD_BUS_ERROR_UNKNOWN_METHOD, e.error);
	EXPECT_STREQ("", asked_for);
	free(large);
}

static int listen_at(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(a.sun_path, path);
	unlink(path);
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) || listen(fd, 1))
		return -1;
	return fd;
}

/* Nobody at the other end speaks, or it is no bus at all. */
TEST_F(bus, hostile_bus)
{
	static const char answer[] = "OK 1234567890abcdef\r\n";
	struct seen s = { .owned = -1 };
	struct bus_watch *w;
	int fd, c;

	stop_daemon(self);
	fd = listen_at(self->path);
	ASSERT_LE(0, fd);
	for (unsigned int round = 0; round < 400; round++) {
		unsigned char junk[600];

		w = bus_watch(self->l, self->address, "org.example.A", on_owned, &s);
		ASSERT_NE(NULL, w);
		knell_loop_run(self->l, KNELL_RUN_NOWAIT);
		c = accept(fd, NULL, NULL);
		for (size_t i = 0; i < sizeof(junk); i++)
			junk[i] = rand_r(&round) >> 8;
		if (round % 4) {
			/* Lengths that are nearly possible. */
			junk[4] = junk[5] & 1 ? 4 : 0;
			junk[5] = junk[6] = junk[7] = junk[13] = junk[14] = junk[15] = 0;
			ASSERT_EQ(sizeof(answer) - 1, write(c, answer, sizeof(answer) - 1));
		}
		ASSERT_EQ(sizeof(junk), write(c, junk, sizeof(junk)));
		close(c);
		while (knell_loop_run(self->l, KNELL_RUN_ONCE))
			;
		bus_unwatch(w);
	}
	close(fd);
}

/* What a client has sent: the serial of its latest NameHasOwner, 0: there was none. */
static uint32_t question(int fd)
{
	char buf[8192];
	ssize_t n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);
	char *at = n > 0 ? memchr(buf, '\n', n) : NULL;
	uint32_t serial = 0, body, fields, nr;

	/* Past the authentication, if that is there. */
	if (at && !memcmp(buf, "\0AUTH", 5))
		at = (char *)memchr(at + 1, '\n', buf + n - at - 1) + 1;
	else
		at = buf;
	while (n > 0 && at + 16 <= buf + n) {
		memcpy(&body, at + 4, 4);
		memcpy(&nr, at + 8, 4);
		memcpy(&fields, at + 12, 4);
		if (memmem(at, 16 + fields, "NameHasOwner", 12))
			serial = nr;
		at += 16 + ((fields + 7) & ~7U) + body;
	}
	return serial;
}

static void reply(int fd, uint32_t to, uint32_t owned)
{
	struct {
		char head[4];
		uint32_t body, serial, fields;
		char field[4];
		uint32_t to, owned;
	} m = { { 'l', 2, 0, 1 }, 4, 1, 8, { 5, 1, 'u', 0 }, to, owned };

	if (write(fd, &m, sizeof(m)) != sizeof(m))
		abort();
}

static void signal_something(int fd)
{
	static const char m[16] = { 'l', 4, 0, 1, 0, 0, 0, 0, 1 };

	if (write(fd, m, sizeof(m)) != sizeof(m))
		abort();
}

/* An answer that was overtaken by a change is not the last word. */
TEST_F(bus, changed_while_it_is_asked)
{
	struct seen s = { .owned = -1 };
	struct bus_watch *w;
	uint32_t first, second = 0;
	int fd, c;

	stop_daemon(self);
	fd = listen_at(self->path);
	w = bus_watch(self->l, self->address, "org.example.A", on_owned, &s);
	ASSERT_NE(NULL, w);
	c = accept(fd, NULL, NULL);
	first = question(c);
	ASSERT_NE(0, first);
	ASSERT_EQ(5, write(c, "OK x\n", 5));
	/* Twice: what is asked again is asked once. */
	signal_something(c);
	signal_something(c);
	reply(c, first, 0);
	while (!second) {
		knell_loop_run(self->l, KNELL_RUN_ONCE);
		second = question(c);
	}
	EXPECT_EQ(first + 1, second);
	EXPECT_EQ(0, s.owned);
	/* An old one, and one to nobody's question. */
	reply(c, first, 1);
	reply(c, 4711, 1);
	reply(c, second, 1);
	wait_for(self, &s, 1);
	EXPECT_EQ(2, s.calls);
	EXPECT_EQ(0, question(c));
	bus_unwatch(w);
	close(c);
	close(fd);
}

TEST_HARNESS_MAIN
