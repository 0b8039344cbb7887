// SPDX-License-Identifier: GPL-2.0-only
/* The client: what it says when something is wrong, above all. */
#include "common.h"
#include "room.h"

#define BUMP	"io.knell.test.Bump"

FIXTURE(client) {
	struct room r;
	pid_t pid;
	struct varlink_client c;
};

BACKEND_VARIANTS(client);

FIXTURE_SETUP(client)
{
	self->pid = room_fork(&self->r, variant->backend, NULL);
	ASSERT_LT(0, self->pid);
	ASSERT_EQ(0, varlink_connect(&self->c, self->r.path, -1));
}

FIXTURE_TEARDOWN(client)
{
	varlink_close(&self->c);
	room_kill(&self->r, self->pid);
}

ROOM_TEST(client, calls)
{
	struct varlink_client *c = &self->c;
	json_t *reply;

	for (int i = 1; i < 100; i++) {
		ASSERT_EQ(0, varlink_call(c, BUMP, json_object(), &reply));
		EXPECT_EQ(i, json_integer_value(json_object_get(reply, "count")));
		EXPECT_STREQ("", c->error);
		EXPECT_EQ(NULL, c->error_name);
		json_decref(reply);
	}
	EXPECT_EQ(0, varlink_call(c, BUMP, json_object(), NULL));
	EXPECT_EQ(0, varlink_oneway(c, BUMP, json_object()));
	EXPECT_EQ(0, varlink_oneway(c, "io.knell.test.Nope", json_object()));
	ASSERT_EQ(0, varlink_call(c, BUMP, json_object(), &reply));
	EXPECT_EQ(102, json_integer_value(json_object_get(reply, "count")));
	json_decref(reply);
}

ROOM_TEST(client, errors)
{
	struct varlink_client *c = &self->c;
	json_t *reply = json_null();

	EXPECT_EQ(-EREMOTEIO, varlink_call(c, "io.knell.test.Fail", json_object(), &reply));
	EXPECT_EQ(NULL, reply);
	EXPECT_STREQ("io.knell.test.Broken", c->error_name);
	EXPECT_STREQ("because", json_string_value(json_object_get(c->error_params, "why")));
	EXPECT_STREQ("io.knell.test.Broken: {\"why\":\"because\"}", c->error);
	EXPECT_EQ(-EREMOTEIO, varlink_call(c, "io.knell.test.Stream", json_object(), NULL));
	EXPECT_STREQ(VARLINK_EXPECTED_MORE, c->error);
	/* The next one is none the worse for it. */
	EXPECT_EQ(0, varlink_call(c, BUMP, json_object(), &reply));
	EXPECT_EQ(NULL, c->error_name);
	EXPECT_EQ(NULL, c->error_params);
	EXPECT_STREQ("", c->error);
	json_decref(reply);
	EXPECT_EQ(-ENOMEM, varlink_call(c, "io.knell.test.Bump", NULL, &reply));
}

ROOM_TEST(client, many)
{
	struct varlink_client *c = &self->c;
	json_t *reply;

	for (int round = 0; round < 3; round++) {
		ASSERT_EQ(0, varlink_call_many(c, "io.knell.test.Stream", json_object()));
		for (int i = 0; i < 5; i++) {
			ASSERT_EQ(1, varlink_next(c, &reply));
			EXPECT_EQ(i, json_integer_value(json_object_get(reply, "n")));
			json_decref(reply);
		}
		ASSERT_EQ(0, varlink_next(c, &reply));
		EXPECT_EQ(-1, json_integer_value(json_object_get(reply, "n")));
		json_decref(reply);
	}
	ASSERT_EQ(0, varlink_call_many(c, "io.knell.test.Fail", json_object()));
	EXPECT_EQ(-EREMOTEIO, varlink_next(c, &reply));
	EXPECT_STREQ("io.knell.test.Broken", c->error_name);
}

/* More than a socket holds, in both directions. */
ROOM_TEST(client, large)
{
	struct varlink_client *c = &self->c;
	char *text = malloc(VARLINK_MESSAGE);
	json_t *reply;

	memset(text, 'y', VARLINK_MESSAGE);
	text[VARLINK_MESSAGE - 200] = 0;
	EXPECT_EQ(-EREMOTEIO, varlink_call(c, BUMP, json_pack("{ss}", "x", text), NULL));
	EXPECT_STREQ(VARLINK_BAD_PARAMETER ": {\"parameter\":\"x\"}", c->error);
	ASSERT_EQ(0, varlink_call(c, "io.knell.test.Big", json_pack("{si}", "size", 5000000),
				  &reply));
	EXPECT_EQ(5000000, json_string_length(json_object_get(reply, "text")));
	json_decref(reply);
	text[VARLINK_MESSAGE - 200] = 'y';
	text[VARLINK_MESSAGE - 1] = 0;
	EXPECT_EQ(-EPIPE, varlink_call(c, BUMP, json_pack("{ss}", "x", text), NULL));
	EXPECT_NE(NULL, strstr(c->error, "the server has closed the connection"));
	free(text);
}

static volatile sig_atomic_t interrupted;

static void on_signal(int sig)
{
	(void)sig;
	interrupted++;
}

/* Not early, whatever interrupts it. */
ROOM_TEST(client, timeout)
{
	const struct itimerspec often = { { 0, 7 * MSEC }, { 0, 7 * MSEC } };
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	const struct sigaction sa = { .sa_handler = on_signal };
	struct varlink_client c;
	uint64_t begin;
	timer_t timer;

	ASSERT_EQ(0, varlink_connect(&c, self->r.path, 200));
	sigaction(SIGUSR1, &sa, NULL);
	ASSERT_EQ(0, timer_create(CLOCK_MONOTONIC, &ev, &timer));
	ASSERT_EQ(0, timer_settime(timer, 0, &often, NULL));
	begin = now_ns();
	EXPECT_EQ(-ETIMEDOUT, varlink_call(&c, "io.knell.test.Later", json_pack("{si}", "id", 1),
					   NULL));
	EXPECT_LE(200 * MSEC, now_ns() - begin);
	timer_delete(timer);
	EXPECT_LT(1, interrupted);
	EXPECT_NE(NULL, strstr(c.error, "no answer within 0.200 s"));
	varlink_close(&c);
}

/* A server that is not there. */
ROOM_TEST(client, cannot_connect)
{
	char path[100], name[200], expect[300];
	struct varlink_client c;
	int fd;

	snprintf(path, sizeof(path), "%s/none", self->r.dir);
	EXPECT_EQ(-ENOENT, varlink_connect(&c, path, 1000));
	snprintf(expect, sizeof(expect), "cannot connect to %s: No such file or directory; "
		 "is knelld running?", path);
	EXPECT_STREQ(expect, c.error);
	varlink_close(&c);
	fd = client_of(self->r.path);
	{
		struct sockaddr_un addr = { .sun_family = AF_UNIX };
		int dead = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

		strcpy(addr.sun_path, path);
		ASSERT_EQ(0, bind(dead, (struct sockaddr *)&addr, sizeof(addr)));
		close(dead);
	}
	EXPECT_EQ(-ECONNREFUSED, varlink_connect(&c, path, 1000));
	snprintf(expect, sizeof(expect), "cannot connect to %s: Connection refused; "
		 "is knelld running?", path);
	EXPECT_STREQ(expect, c.error);
	varlink_close(&c);
	unlink(path);
	memset(name, 'x', sizeof(name));
	name[sizeof(name) - 1] = 0;
	EXPECT_EQ(-ENAMETOOLONG, varlink_connect(&c, name, 1000));
	varlink_close(&c);
	close(fd);
	if (geteuid())
		SKIP(return, "only root can be somebody else");
	chmod(self->r.path, 0600);
	ASSERT_EQ(0, seteuid(65534));
	EXPECT_EQ(-EACCES, varlink_connect(&c, self->r.path, 1000));
	ASSERT_EQ(0, seteuid(0));
	snprintf(expect, sizeof(expect), "cannot connect to %s: Permission denied", self->r.path);
	EXPECT_STREQ(expect, c.error);
	varlink_close(&c);
}

/* Everyone waits before a door that nobody opens. */
ROOM_TEST(client, nobody_accepts)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct varlink_client first, second;
	uint64_t begin;

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/slow", self->r.dir);
	ASSERT_EQ(0, bind(fd, (struct sockaddr *)&addr, sizeof(addr)));
	ASSERT_EQ(0, listen(fd, 0));
	ASSERT_EQ(0, varlink_connect(&first, addr.sun_path, 100));
	EXPECT_EQ(-ETIMEDOUT, varlink_call(&first, "a.b.C", json_object(), NULL));
	begin = now_ns();
	EXPECT_EQ(-ETIMEDOUT, varlink_connect(&second, addr.sun_path, 100));
	/* The kernel counts that one in ticks. */
	EXPECT_LE(80 * MSEC, now_ns() - begin);
	varlink_close(&first);
	varlink_close(&second);
	close(fd);
	unlink(addr.sun_path);
}

/* What a server answers that has been written beforehand. */
static int answered(struct room *r, struct varlink_client *c, const char *bytes, size_t len,
		    bool closed)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), peer;

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/script", r->dir);
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) || listen(fd, 1) ||
	    varlink_connect(c, addr.sun_path, 100))
		return -1;
	peer = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
	put_bytes(peer, bytes, len);
	if (closed)
		shutdown(peer, SHUT_WR);
	close(fd);
	unlink(addr.sun_path);
	c->path = "script";
	return peer;
}

#define SCRIPT(text, closed, verdict, error)	{ text, sizeof(text), closed, verdict, error }

static const struct {
	const char *bytes;
	size_t len;
	bool closed;
	int verdict;
	const char *error;
} scripts[] = {
	SCRIPT("{\"parameters\":{}}", true, 0, ""),
	SCRIPT("{}", true, 0, ""),
	SCRIPT("{\"parameters\":{},\"more\":1}", true, 0, ""),
	{ "", 0, true, -EPIPE, "script: the server has closed the connection" },
	{ "{}", 2, true, -EPIPE, "script: the server has closed the connection" },
	{ "{}", 2, false, -ETIMEDOUT, "script: no answer within 0.100 s" },
	{ "", 0, false, -ETIMEDOUT, "script: no answer within 0.100 s" },
	SCRIPT("", true, -EPROTO, "script: the answer is not Varlink"),
	SCRIPT("SSH-2.0-x\r\n", true, -EPROTO, "script: the answer is not Varlink"),
	SCRIPT("[]", true, -EPROTO, "script: the answer is not Varlink"),
	SCRIPT("{\"parameters\":[]}", true, -EPROTO, "script: the answer is not Varlink"),
	SCRIPT("{\"continues\":true}", true, -EPROTO,
	       "script: more answers than were asked for"),
	SCRIPT("{\"error\":\"a.b.C\"}", true, -EREMOTEIO, "a.b.C"),
	SCRIPT("{\"error\":\"a.b.C\",\"parameters\":{}}", true, -EREMOTEIO, "a.b.C"),
	SCRIPT("{\"error\":\"a.b.C\",\"parameters\":{\"d\":[1]}}", true, -EREMOTEIO,
	       "a.b.C: {\"d\":[1]}"),
};

ROOM_TEST(client, bad_answers)
{
	for (size_t i = 0; i < ARRAY_SIZE(scripts); i++) {
		struct varlink_client c;
		json_t *reply;
		int peer = answered(&self->r, &c, scripts[i].bytes, scripts[i].len,
				    scripts[i].closed);

		ASSERT_LE(0, peer);
		EXPECT_EQ(scripts[i].verdict, varlink_call(&c, "a.b.C", json_object(), &reply))
			TH_LOG("%s", scripts[i].bytes);
		EXPECT_STREQ(scripts[i].error, c.error);
		EXPECT_EQ(!scripts[i].verdict, json_is_object(reply));
		json_decref(reply);
		varlink_close(&c);
		close(peer);
	}
}

ROOM_TEST(client, no_memory)
{
	static const char answer[] = "{\"parameters\":{\"a\":[1,2,3]}}";
	int failed = 0, err;
	long after;

	for (after = 0; after < 200; after++) {
		struct varlink_client c;
		json_t *reply;
		int peer = answered(&self->r, &c, answer, sizeof(answer), true);

		ASSERT_LE(0, peer);
		fail_allocation(after, false);
		err = varlink_call(&c, "a.b.C", json_object(), &reply);
		failed = allocation_failed();
		fail_allocation(-1, false);
		if (err) {
			EXPECT_TRUE(err == -ENOMEM || err == -EPROTO)
				TH_LOG("%d", err);
			EXPECT_EQ(NULL, reply);
			EXPECT_NE(0, c.error[0]);
		}
		json_decref(reply);
		varlink_close(&c);
		close(peer);
		if (!failed)
			break;
	}
	EXPECT_LT(10, after);
	EXPECT_EQ(0, err);
}

LIBKNELL_MAIN
