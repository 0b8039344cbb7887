// SPDX-License-Identifier: GPL-2.0-only
/* The protocol: every error, order, pieces, what is answered later, who is let in as whom. */
#include "common.h"
#include "room.h"

ROOM_FIXTURE(protocol);

#define BAD(parameter)	SERVICE_ERROR("InvalidParameter", "\"parameter\":\"" parameter "\"")
#define BROKEN		"{\"error\":\"io.knell.test.Broken\",\"parameters\":{\"why\":\"because\"}}"
#define CONTINUES(n)	"{\"parameters\":{\"n\":" #n "},\"continues\":true}"

/* As it is sent, and as it comes back. */
#define TEXT_SENT	"\"\\u00e4\\n\""
#define TEXT_BACK	"\"\xc3\xa4\\n\""
#define ALL(text)								\
	"\"bool\":true,\"int\":-9223372036854775808,\"float\":1.5,\"string\":" text "," \
	"\"object\":{\"a\":1},\"array\":[{\"left\":1}],\"strings\":[\"\",\"b\"]"
/* The first parameters of Echo are right. */
#define RIGHT_1		"\"bool\":true,"
#define RIGHT_2		RIGHT_1 "\"int\":1,"
#define RIGHT_3		RIGHT_2 "\"float\":1,"
#define RIGHT_4		RIGHT_3 "\"string\":\"\","
#define RIGHT_5		RIGHT_4 "\"object\":{},"
#define RIGHT_6		RIGHT_5 "\"array\":[],"

static const struct {
	const char *call, *reply;
} answers[] = {
	{ CALL("Echo", ALL(TEXT_SENT)), REPLY("\"all\":{" ALL(TEXT_BACK) "}") },
	/* An integer is a number; null is as good as nothing where that is allowed. */
	{ CALL("Echo", RIGHT_6 "\"strings\":[],\"maybe\":null,\"colour\":\"red\""),
	  REPLY("\"all\":{" RIGHT_6 "\"strings\":[],\"colour\":\"red\"}") },
	{ CALL("Echo", ""), BAD("bool") },
	{ CALL("Echo", "\"bool\":1"), BAD("bool") },
	{ CALL("Echo", "\"bool\":null"), BAD("bool") },
	{ CALL("Echo", RIGHT_1 "\"int\":1.0"), BAD("int") },
	{ CALL("Echo", RIGHT_2 "\"float\":\"1\""), BAD("float") },
	{ CALL("Echo", RIGHT_3 "\"string\":[]"), BAD("string") },
	{ CALL("Echo", RIGHT_4 "\"object\":[]"), BAD("object") },
	{ CALL("Echo", RIGHT_5 "\"array\":{}"), BAD("array") },
	{ CALL("Echo", RIGHT_6 "\"strings\":[\"a\",1]"), BAD("strings") },
	{ CALL("Echo", RIGHT_6 "\"strings\":{}"), BAD("strings") },
	{ CALL("Echo", ALL(TEXT_SENT) ",\"maybe\":5"), BAD("maybe") },
	{ CALL("Echo", ALL(TEXT_SENT) ",\"more\":true"), BAD("more") },
	{ CALL("Fail", "\"x\":null"), BAD("x") },
	{ CALL("Fail", ""), BROKEN },
	{ CALL("Missing", ""),
	  SERVICE_ERROR("MethodNotImplemented", "\"method\":\"io.knell.test.Missing\"") },
	{ CALL("Nope", ""), SERVICE_ERROR("MethodNotFound", "\"method\":\"io.knell.test.Nope\"") },
	{ CALL("bump", ""), SERVICE_ERROR("MethodNotFound", "\"method\":\"io.knell.test.bump\"") },
	{ CALL("", ""), SERVICE_ERROR("MethodNotFound", "\"method\":\"io.knell.test.\"") },
	{ CALL("Stream", ""), SERVICE_ERROR("ExpectedMore", "") },
	{ "{\"method\":\"io.knell.tes.Bump\"}",
	  SERVICE_ERROR("InterfaceNotFound", "\"interface\":\"io.knell.tes\"") },
	{ "{\"method\":\"io.knell.test.sub.Bump\"}",
	  SERVICE_ERROR("InterfaceNotFound", "\"interface\":\"io.knell.test.sub\"") },
	{ "{\"method\":\".Bump\"}", SERVICE_ERROR("InterfaceNotFound", "\"interface\":\"\"") },
	{ "{\"method\":\"Bump\"}", BAD("method") },
	{ "{\"method\":\"\"}", BAD("method") },
	{ "{\"method\":7}", BAD("method") },
	{ "{}", BAD("method") },
	{ "{\"method\":\"io.knell.test.Bump\",\"parameters\":[]}", BAD("parameters") },
	{ "{\"method\":\"io.knell.test.Bump\",\"more\":1}", BAD("more") },
	{ "{\"method\":\"io.knell.test.Bump\",\"oneway\":\"no\"}", BAD("oneway") },
	{ "{\"method\":\"io.knell.test.Bump\",\"upgrade\":true}", BAD("upgrade") },
	/* What a later version of the protocol may add is not ours. */
	{ "{\"method\":\"io.knell.test.Fail\",\"upgrade\":false,\"oneway\":false,\"more\":null,"
	  "\"parameters\":null,\"colour\":5}", BROKEN },
	{ "{\"method\":\"org.varlink.service.GetInfo\"}",
	  REPLY("\"vendor\":\"knell\",\"product\":\"test\",\"version\":\"1\",\"url\":\"file:///\","
		"\"interfaces\":[\"org.varlink.service\",\"io.knell.test\"]") },
	{ "{\"method\":\"org.varlink.service.GetInterfaceDescription\"}", BAD("interface") },
	{ "{\"method\":\"org.varlink.service.GetInterfaceDescription\",\"parameters\":"
	  "{\"interface\":\"org.varlink\"}}",
	  SERVICE_ERROR("InterfaceNotFound", "\"interface\":\"org.varlink\"") },
};

ROOM_TEST(protocol, every_answer)
{
	for (size_t i = 0; i < ARRAY_SIZE(answers); i++)
		EXPECT_ANSWER(self->fd, answers[i].reply, answers[i].call);
	EXPECT_EQ(0, self->r.bumps);
	EXPECT_EQ(2, self->r.echoes);
	EXPECT_EQ(ARRAY_SIZE(answers), varlink_server_stats(self->r.server).calls);
	EXPECT_EQ(0, varlink_server_stats(self->r.server).dropped);
}

ROOM_TEST(protocol, description)
{
	static const char *const names[] = { "io.knell.test", "org.varlink.service" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		char call[256], *got;
		const char *text;
		json_t *reply;

		snprintf(call, sizeof(call),
			 "{\"method\":\"org.varlink.service.GetInterfaceDescription\","
			 "\"parameters\":{\"interface\":\"%s\"}}", names[i]);
		got = ask(&self->r, self->fd, call);
		ASSERT_NE(NULL, got);
		reply = json_loads(got, 0, NULL);
		free(got);
		text = json_string_value(json_object_get(json_object_get(reply, "parameters"),
							 "description"));
		ASSERT_NE(NULL, text);
		snprintf(call, sizeof(call), "\ninterface %s\n", names[i]);
		EXPECT_NE(NULL, strstr(text, call));
		EXPECT_EQ('\n', text[strlen(text) - 1]);
		json_decref(reply);
	}
}

/* Twenty calls in one piece, of which two are answered later: replies come in the calls' order. */
ROOM_TEST(protocol, pipelining)
{
	struct room *r = &self->r;

	for (int i = 0; i < 20; i++)
		put_text(self->fd, i == 3 ? CALL("Later", "\"id\":3") :
			 i == 11 ? CALL("Later", "\"id\":11") : CALL("Bump", ""));
	settle(r);
	EXPECT_EQ(3, r->bumps);
	for (int i = 1; i <= 3; i++)
		free(get_text(self->fd));
	EXPECT_EQ(NULL, get_text(self->fd));
	ASSERT_NE(NULL, r->later[3]);
	ASSERT_EQ(NULL, r->later[11]);
	EXPECT_EQ(0, varlink_reply(r->later[3], json_pack("{si}", "id", 3)));
	settle(r);
	EXPECT_NEXT(self->fd, REPLY("\"id\":3"));
	EXPECT_EQ(10, r->bumps);
	for (int i = 4; i <= 10; i++) {
		char reply[64];

		snprintf(reply, sizeof(reply), REPLY("\"count\":%d"), i);
		EXPECT_NEXT(self->fd, reply);
	}
	EXPECT_EQ(NULL, get_text(self->fd));
	EXPECT_EQ(0, varlink_reply(r->later[11], json_pack("{si}", "id", 11)));
	settle(r);
	EXPECT_NEXT(self->fd, REPLY("\"id\":11"));
	EXPECT_EQ(18, r->bumps);
}

/* However the bytes come. */
ROOM_TEST(protocol, split_at_every_byte)
{
	static const char calls[] =
		CALL("Bump", "") "\0" CALL("Echo", ALL(TEXT_SENT)) "\0" CALL("Bump", "");

	for (size_t cut = 0; cut <= sizeof(calls); cut++) {
		self->r.bumps = 0;
		if (cut)
			ASSERT_EQ(cut, put_bytes(self->fd, calls, cut));
		settle(&self->r);
		if (cut < sizeof(calls))
			ASSERT_EQ(sizeof(calls) - cut,
				  put_bytes(self->fd, calls + cut, sizeof(calls) - cut));
		settle(&self->r);
		EXPECT_NEXT(self->fd, REPLY("\"count\":1"));
		EXPECT_NEXT(self->fd, REPLY("\"all\":{" ALL(TEXT_BACK) "}"));
		EXPECT_NEXT(self->fd, REPLY("\"count\":2"));
	}
	/* One at a time. */
	self->r.bumps = 0;
	for (size_t i = 0; i < sizeof(calls); i++) {
		ASSERT_EQ(1, put_bytes(self->fd, calls + i, 1));
		settle(&self->r);
	}
	EXPECT_EQ(2, self->r.bumps);
}

/* More calls than are taken in one pass do not keep others waiting. */
ROOM_TEST(protocol, fair)
{
	struct room *r = &self->r;
	int other = client_of(r->path);
	unsigned int nr = 0;
	char *got = NULL;

	settle(r);
	for (int i = 0; i < 200; i++)
		put_text(self->fd, CALL("Bump", ""));
	put_text(other, CALL("Fail", ""));
	while (!got && nr++ < 1000) {
		knell_loop_run(r->l, KNELL_RUN_NOWAIT);
		got = get_text(other);
	}
	EXPECT_NE(NULL, got);
	free(got);
	/* A pass's share or two. */
	EXPECT_GT(50, r->bumps);
	settle(r);
	EXPECT_EQ(200, r->bumps);
	close(other);
}

#define CROWD	100

ROOM_TEST(protocol, a_hundred_clients)
{
	struct room *r = &self->r;
	int fds[CROWD];
	char text[128];

	for (int i = 0; i < CROWD; i++) {
		fds[i] = client_of(r->path);
		ASSERT_LE(0, fds[i]);
	}
	settle(r);
	EXPECT_EQ(CROWD + 1, varlink_server_stats(r->server).connections);
	for (int round = 0; round < 10; round++) {
		for (int i = 0; i < CROWD; i++) {
			snprintf(text, sizeof(text), CALL("Echo", "\"bool\":%d"), i * 10 + round);
			put_bytes(fds[i], text, strlen(text) / 2);
			if (i % 3 == 0)
				settle(r);
			put_text(fds[i], text + strlen(text) / 2);
		}
		settle(r);
		for (int i = 0; i < CROWD; i++)
			EXPECT_NEXT(fds[i], BAD("bool"));
	}
	for (int i = 0; i < CROWD; i++) {
		put_text(fds[i], CALL("Bump", ""));
		close(fds[i]);
	}
	settle(r);
	EXPECT_EQ(CROWD, r->bumps);
	EXPECT_EQ(1, varlink_server_stats(r->server).connections);
	EXPECT_EQ(11 * CROWD, varlink_server_stats(r->server).calls);
	EXPECT_EQ(0, varlink_server_stats(r->server).dropped);
}

ROOM_TEST(protocol, oneway)
{
	struct room *r = &self->r;

	put_text(self->fd, "{\"method\":\"io.knell.test.Bump\",\"oneway\":true}");
	put_text(self->fd, "{\"method\":\"io.knell.test.Nope\",\"oneway\":true}");
	put_text(self->fd, "{\"method\":\"io.knell.test.Nothing\",\"oneway\":true}");
	put_text(self->fd, "{\"method\":\"io.knell.test.Bump\",\"oneway\":true,\"upgrade\":true}");
	put_text(self->fd,
		 "{\"method\":\"io.knell.test.Later\",\"oneway\":true,\"parameters\":{\"id\":1}}");
	settle(r);
	EXPECT_EQ(1, r->bumps);
	ASSERT_NE(NULL, r->later[1]);
	EXPECT_FALSE(varlink_call_more(r->later[1]));
	EXPECT_EQ(-EINVAL, varlink_continue(r->later[1], json_object()));
	EXPECT_EQ(0, varlink_reply(r->later[1], json_object()));
	r->later[1] = NULL;
	EXPECT_EQ(NULL, get_text(self->fd));
	EXPECT_ANSWER(self->fd, REPLY("\"count\":2"), CALL("Bump", ""));
	/* Both are nonsense. */
	put_text(self->fd, "{\"method\":\"io.knell.test.Bump\",\"oneway\":true,\"more\":true}");
	EXPECT_DROPPED(r, self->fd);
	/* Sent, and gone before it is heard. */
	put_text(self->fd, "{\"method\":\"io.knell.test.Bump\",\"oneway\":true}");
	close(self->fd);
	settle(r);
	EXPECT_EQ(4, r->bumps);
	EXPECT_EQ(0, varlink_server_stats(r->server).connections);
	self->fd = client_of(r->path);
}

ROOM_TEST(protocol, stream)
{
	struct room *r = &self->r;

	put_text(self->fd, MORE("Stream", ""));
	/* "more" where there is one reply only. */
	put_text(self->fd, MORE("Bump", ""));
	settle(r);
	ASSERT_EQ(1, r->nr_streams);
	EXPECT_TRUE(varlink_call_more(r->streams[0]));
	EXPECT_EQ(NULL, get_text(self->fd));
	EXPECT_EQ(0, stream(r, 1));
	EXPECT_EQ(0, stream(r, 2));
	/* Both with one system call, in the next pass. */
	EXPECT_EQ(NULL, get_text(self->fd));
	settle(r);
	EXPECT_NEXT(self->fd, CONTINUES(1));
	EXPECT_NEXT(self->fd, CONTINUES(2));
	EXPECT_EQ(0, r->bumps);
	EXPECT_EQ(0, varlink_reply(r->streams[0], json_pack("{si}", "n", 3)));
	settle(r);
	EXPECT_NEXT(self->fd, REPLY("\"n\":3"));
	EXPECT_NEXT(self->fd, REPLY("\"count\":1"));
	/* One that ends in an error. */
	r->nr_streams = 0;
	put_text(self->fd, MORE("Stream", ""));
	settle(r);
	ASSERT_EQ(1, r->nr_streams);
	EXPECT_EQ(0, stream(r, 1));
	EXPECT_EQ(0, varlink_bad_parameter(r->streams[0], "n"));
	settle(r);
	EXPECT_NEXT(self->fd, CONTINUES(1));
	EXPECT_NEXT(self->fd, BAD("n"));
	r->nr_streams = 0;
}

/* No memory for the reply, or no reply: that client alone is dropped, and its calls behind it. */
ROOM_TEST(protocol, no_reply)
{
	struct room *r = &self->r;

	put_text(self->fd, CALL("Nothing", ""));
	EXPECT_DROPPED(r, self->fd);
	put_text(self->fd, CALL("Later", "\"id\":1"));
	put_text(self->fd, CALL("Bump", ""));
	settle(r);
	ASSERT_NE(NULL, r->later[1]);
	EXPECT_EQ(-ENOMEM, varlink_reply(r->later[1], NULL));
	r->later[1] = NULL;
	EXPECT_DROPPED(r, self->fd);
	EXPECT_EQ(2, r->bumps);
	EXPECT_EQ(0, r->gone);
	put_text(self->fd, MORE("Stream", ""));
	settle(r);
	ASSERT_EQ(1, r->nr_streams);
	EXPECT_EQ(-ENOMEM, varlink_continue(r->streams[0], NULL));
	EXPECT_DROPPED(r, self->fd);
	EXPECT_EQ(1, r->gone);
	EXPECT_EQ(0, r->nr_streams);
}

ROOM_TEST(protocol, client_vanishes)
{
	struct room *r = &self->r;
	struct varlink_call *call;

	put_text(self->fd, CALL("Later", "\"id\":1"));
	put_text(self->fd, CALL("Bump", ""));
	settle(r);
	ASSERT_NE(NULL, r->later[1]);
	EXPECT_EQ(0, r->gone);
	close(self->fd);
	settle(r);
	EXPECT_EQ(1, r->gone);
	EXPECT_EQ(NULL, r->later[1]);
	EXPECT_EQ(0, varlink_server_stats(r->server).connections);
	/* With a call behind it that is not even whole, and nobody who wants to be told. */
	self->fd = client_of(r->path);
	put_text(self->fd, CALL("Later", "\"id\":1"));
	put_bytes(self->fd, "{\"meth", 6);
	settle(r);
	call = r->later[1];
	ASSERT_NE(NULL, call);
	r->later[1] = NULL;
	varlink_call_on_gone(call, NULL, NULL);
	close(self->fd);
	settle(r);
	EXPECT_EQ(0, varlink_server_stats(r->server).connections);
	EXPECT_EQ(1, json_integer_value(json_object_get(varlink_call_params(call), "id")));
	EXPECT_EQ(getpid(), varlink_call_peer(call)->pid);
	EXPECT_EQ(-EPIPE, varlink_reply(call, json_object()));
	/* A stream. */
	self->fd = client_of(r->path);
	put_text(self->fd, MORE("Stream", ""));
	settle(r);
	ASSERT_EQ(1, r->nr_streams);
	call = r->streams[0];
	r->nr_streams = 0;
	varlink_call_on_gone(call, NULL, NULL);
	EXPECT_EQ(0, varlink_continue(call, json_object()));
	close(self->fd);
	EXPECT_EQ(0, varlink_continue(call, json_object()));
	settle(r);
	EXPECT_EQ(-EPIPE, varlink_continue(call, json_object()));
	varlink_drop(call);
	EXPECT_EQ(1, r->gone);
	self->fd = client_of(r->path);
	EXPECT_EQ(0, varlink_server_stats(r->server).dropped);
}

/* One that has nothing more to say is still listened to, and gets what it asked for. */
ROOM_TEST(protocol, half_closed)
{
	struct room *r = &self->r;
	struct knell_stats before;

	put_text(self->fd, CALL("Bump", ""));
	put_text(self->fd, CALL("Later", "\"id\":1"));
	put_text(self->fd, CALL("Bump", ""));
	shutdown(self->fd, SHUT_WR);
	settle(r);
	EXPECT_NEXT(self->fd, REPLY("\"count\":1"));
	ASSERT_NE(NULL, r->later[1]);
	/* What is at its end is always ready to be read. */
	before = stats_of(r->l);
	run_passes(r->l, 10);
	EXPECT_EQ(before.dispatched, stats_of(r->l).dispatched);
	EXPECT_EQ(0, varlink_reply(r->later[1], json_object()));
	r->later[1] = NULL;
	settle(r);
	EXPECT_NEXT(self->fd, REPLY(""));
	EXPECT_NEXT(self->fd, REPLY("\"count\":2"));
	EXPECT_TRUE(is_closed(self->fd));
	EXPECT_EQ(0, r->gone);
	EXPECT_EQ(0, varlink_server_stats(r->server).connections);
}

/* Then that it has gone altogether is known when it is sent something, and not sooner. */
ROOM_TEST(protocol, half_closed_and_gone)
{
	struct room *r = &self->r;

	put_text(self->fd, MORE("Stream", ""));
	shutdown(self->fd, SHUT_WR);
	settle(r);
	stream(r, 1);
	settle(r);
	EXPECT_NEXT(self->fd, CONTINUES(1));
	close(self->fd);
	settle(r);
	ASSERT_EQ(1, r->nr_streams);
	stream(r, 2);
	settle(r);
	EXPECT_EQ(0, r->nr_streams);
	EXPECT_EQ(1, r->gone);
	EXPECT_EQ(0, varlink_server_stats(r->server).connections);
	self->fd = client_of(r->path);
}

ROOM_TEST(protocol, server_goes_first)
{
	struct room *r = &self->r;
	int other = client_of(r->path);
	struct varlink_call *call;

	put_text(self->fd, CALL("Later", "\"id\":1"));
	put_text(other, MORE("Stream", ""));
	settle(r);
	ASSERT_EQ(1, r->nr_streams);
	call = r->streams[0];
	varlink_call_on_gone(call, NULL, NULL);
	stream(r, 1);
	varlink_server_flush(r->server);
	EXPECT_NEXT(other, CONTINUES(1));
	varlink_server_free(r->server);
	r->server = NULL;
	EXPECT_EQ(1, r->gone);
	EXPECT_EQ(-EPIPE, varlink_error(call, "a.b.C", json_object()));
	EXPECT_TRUE(is_closed(self->fd));
	EXPECT_TRUE(is_closed(other));
	EXPECT_EQ(-1, access(r->path, F_OK));
	/* Nothing is left in the loop. */
	EXPECT_EQ(0, knell_loop_run(r->l, KNELL_RUN_NOWAIT));
	close(other);
}

static int bind_dead(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), err;

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	err = bind(fd, (struct sockaddr *)&addr, sizeof(addr));
	close(fd);
	return err;
}

static void make_file(const char *path)
{
	close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
}

ROOM_TEST(protocol, the_socket)
{
	struct varlink_server_attr attr = self->r.attr;
	struct varlink_server *s;
	struct stat st, now;
	char path[100], name[120];

	ASSERT_EQ(0, stat(self->r.path, &st));
	EXPECT_EQ(0666, st.st_mode & 07777);
	EXPECT_EQ(022, umask(022));
	/* Somebody listens there. */
	EXPECT_EQ(-EADDRINUSE, varlink_server_new(self->r.l, &attr, &s));
	EXPECT_EQ(0, stat(self->r.path, &now));
	EXPECT_EQ(st.st_ino, now.st_ino);
	EXPECT_ANSWER(self->fd, REPLY("\"count\":1"), CALL("Bump", ""));
	/* Something is there. */
	snprintf(path, sizeof(path), "%s/file", self->r.dir);
	make_file(path);
	attr.path = path;
	EXPECT_EQ(-EEXIST, varlink_server_new(self->r.l, &attr, &s));
	EXPECT_EQ(0, unlink(path));
	ASSERT_EQ(0, symlink("elsewhere", path));
	EXPECT_EQ(-EEXIST, varlink_server_new(self->r.l, &attr, &s));
	EXPECT_EQ(0, unlink(path));
	/* A dead server's. */
	ASSERT_EQ(0, bind_dead(path));
	attr.mode = 0600;
	ASSERT_EQ(0, varlink_server_new(self->r.l, &attr, &s));
	ASSERT_EQ(0, stat(path, &st));
	EXPECT_EQ(0600, st.st_mode & 07777);
	/* Another's by now. */
	ASSERT_EQ(0, unlink(path));
	make_file(path);
	varlink_server_free(s);
	EXPECT_EQ(0, unlink(path));
	memset(name, 'x', sizeof(name));
	name[sizeof(name) - 1] = 0;
	attr.path = name;
	EXPECT_EQ(-ENAMETOOLONG, varlink_server_new(self->r.l, &attr, &s));
	attr.path = "/nowhere/socket";
	EXPECT_EQ(-ENOENT, varlink_server_new(self->r.l, &attr, &s));
}

/* A program that replaces itself keeps its socket, and nobody finds the door shut. */
ROOM_TEST(protocol, handed_on)
{
	struct room *r = &self->r;
	int fd = dup(varlink_server_fd(r->server)), early;
	char moved[100];

	/* Its file stays where the program does not end but is replaced. */
	snprintf(moved, sizeof(moved), "%s/moved", r->dir);
	ASSERT_EQ(0, rename(r->path, moved));
	varlink_server_free(r->server);
	r->server = NULL;
	ASSERT_EQ(0, rename(moved, r->path));
	ASSERT_EQ(0, fcntl(fd, F_SETFL, 0));
	early = client_of(r->path);
	ASSERT_LE(0, early);
	put_text(early, CALL("Bump", ""));
	r->attr.has_fd = true;
	r->attr.fd = fd;
	ASSERT_EQ(0, varlink_server_new(r->l, &r->attr, &r->server));
	settle(r);
	EXPECT_NEXT(early, REPLY("\"count\":1"));
	close(early);
	settle(r);
	varlink_server_free(r->server);
	r->server = NULL;
	EXPECT_EQ(-1, access(r->path, F_OK));
	EXPECT_EQ(-EBADF, varlink_server_new(r->l, &r->attr, &r->server));
}

#define NOBODY	65534

static char *whoami(int uid, int gid, bool privileged)
{
	static char text[128];

	snprintf(text, sizeof(text),
		 REPLY("\"uid\":%d,\"gid\":%d,\"pid\":%d,\"privileged\":%s"), uid, gid, getpid(),
		 privileged ? "true" : "false");
	return text;
}

ROOM_TEST(protocol, who_calls)
{
	struct room *r = &self->r;
	int other;

	EXPECT_ANSWER(self->fd, whoami(geteuid(), getegid(), true), CALL("Whoami", ""));
	EXPECT_ANSWER(self->fd, REPLY(""), CALL("Secret", ""));
	if (geteuid())
		SKIP(return, "only root can be somebody else");
	other = client_as(r->path, NOBODY);
	ASSERT_LE(0, other);
	EXPECT_ANSWER(other, whoami(NOBODY, getegid(), false), CALL("Whoami", ""));
	EXPECT_ANSWER(other, SERVICE_ERROR("PermissionDenied", ""), CALL("Secret", ""));
	/* Before anything is said of the parameters. */
	EXPECT_ANSWER(other, SERVICE_ERROR("PermissionDenied", ""), CALL("Secret", "\"x\":1"));
	close(other);
	/* The owner, whoever it is; and root all the same. */
	varlink_server_free(r->server);
	r->attr.owner = NOBODY;
	ASSERT_EQ(0, varlink_server_new(r->l, &r->attr, &r->server));
	other = client_as(r->path, NOBODY);
	EXPECT_ANSWER(other, whoami(NOBODY, getegid(), true), CALL("Whoami", ""));
	EXPECT_ANSWER(other, REPLY(""), CALL("Secret", ""));
	close(other);
	close(self->fd);
	self->fd = client_of(r->path);
	EXPECT_ANSWER(self->fd, REPLY(""), CALL("Secret", ""));
	other = client_as(r->path, NOBODY - 1);
	EXPECT_ANSWER(other, SERVICE_ERROR("PermissionDenied", ""), CALL("Secret", ""));
	close(other);
}

LIBKNELL_MAIN
