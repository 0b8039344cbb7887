// SPDX-License-Identifier: GPL-2.0-only
/* What is no Varlink, and no memory: it costs one client its connection at most. */
#include "common.h"
#include "room.h"

#include "../../user/varlink/internal.h"

ROOM_FIXTURE(hostile);

#define TEXT(s)		{ s, sizeof(s) }

/* Each with the NUL behind it. */
static const struct {
	const char *bytes;
	size_t len;
} garbage[] = {
	TEXT(""), TEXT(" "), TEXT("\n"), TEXT("null"), TEXT("[]"), TEXT("\"x\""), TEXT("7"),
	TEXT("{"), TEXT("}"), TEXT("{}}"), TEXT("{} {}"), TEXT("{,}"), TEXT("{\"a\"}"),
	TEXT("{\"a\":}"), TEXT("{\"a\":1,}"), TEXT("{a:1}"), TEXT("{'a':1}"), TEXT("{\"a\":1e999}"),
	TEXT("{\"a\":99999999999999999999}"), TEXT("{\"a\":-99999999999999999999}"),
	TEXT("{\"a\":01}"), TEXT("{\"a\":+1}"), TEXT("{\"a\":.5}"), TEXT("{\"a\":NaN}"),
	TEXT("{\"a\":Infinity}"), TEXT("{\"a\":0x10}"), TEXT("{\"a\":tru}"),
	TEXT("{\"a\":\"\\u0000\"}"), TEXT("{\"a\":\"\\ud800\"}"), TEXT("{\"a\":\"\\x\"}"),
	TEXT("{\"a\":\"\n\"}"),
	TEXT("{\"a\":\"\\"), TEXT("{\"a\":\""), TEXT("{\"method\":\"a.b.C\",\"method\":\"a.b.D\"}"),
	TEXT("{\"method\":\"a.b.C\",\"parameters\":{\"x\":1,\"x\":1}}"),
	/* UTF-8: cut off, too long, a surrogate, beyond the end, a lone byte of the middle. */
	TEXT("{\"a\":\"\xc3\"}"), TEXT("{\"a\":\"\xc0\xaf\"}"), TEXT("{\"a\":\"\xed\xa0\x80\"}"),
	TEXT("{\"a\":\"\xf4\x90\x80\x80\"}"), TEXT("{\"a\":\"\x80\"}"), TEXT("\xef\xbb\xbf{}"),
	TEXT("\xff\xfe{}"), TEXT("{\"\xff\":1}"),
	TEXT("\x7f" "ELF\x02\x01\x01"), TEXT("GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
};

ROOM_TEST(hostile, garbage)
{
	struct room *r = &self->r;

	for (size_t i = 0; i < ARRAY_SIZE(garbage); i++) {
		put_bytes(self->fd, garbage[i].bytes, garbage[i].len);
		settle(r);
		ASSERT_TRUE(is_closed(self->fd))
			TH_LOG("%zu: %s", i, garbage[i].bytes);
		EXPECT_DROPPED(r, self->fd);
	}
	EXPECT_EQ(ARRAY_SIZE(garbage), varlink_server_stats(r->server).dropped);
	/* What came before it is answered all the same. */
	put_text(self->fd, CALL("Bump", ""));
	put_text(self->fd, "garbage");
	put_text(self->fd, CALL("Bump", ""));
	settle(r);
	EXPECT_NEXT(self->fd, BUMPED);
	EXPECT_DROPPED(r, self->fd);
	EXPECT_EQ(ARRAY_SIZE(garbage) + 2, r->bumps);
}

ROOM_TEST(hostile, flood_of_nul)
{
	struct room *r = &self->r;
	char *zeros = calloc(1, 100000);

	for (int i = 0; i < 10; i++) {
		put_bytes(self->fd, zeros, 100000);
		EXPECT_DROPPED(r, self->fd);
	}
	free(zeros);
	EXPECT_EQ(10, varlink_server_stats(r->server).dropped);
	EXPECT_EQ(10, varlink_server_stats(r->server).calls);
}

/* Numbers at the edge of what there is. */
ROOM_TEST(hostile, numbers)
{
	static const char *const same[] = {
		"9223372036854775807", "-9223372036854775808", "0", "-0",
	};
	static const char rest[] = "\"float\":1e308,\"string\":\"\",\"object\":{},\"array\":[],"
		"\"strings\":[]";
	char call[512];

	for (size_t i = 0; i < ARRAY_SIZE(same); i++) {
		char *got;

		snprintf(call, sizeof(call), CALL("Echo", "\"bool\":true,\"int\":%s,%s"), same[i],
			 rest);
		got = ask(&self->r, self->fd, call);
		ASSERT_NE(NULL, got);
		EXPECT_NE(NULL, strstr(got, i == 3 ? "\"int\":0" : same[i]))
			TH_LOG("%s", got);
		EXPECT_NE(NULL, strstr(got, "1e308"))
			TH_LOG("%s", got);
		free(got);
	}
	EXPECT_EQ(4, self->r.echoes);
}

static const char *const seeds[] = {
	CALL("Bump", ""),
	CALL("Echo", "\"bool\":true,\"int\":-7,\"float\":1.5e3,\"string\":\"\\u00e4\","
	     "\"object\":{\"a\":[{}]},\"array\":[1,[2]],\"strings\":[\"\",\"b\"],\"maybe\":null"),
	"{\"method\":\"io.knell.test.Bump\",\"oneway\":true}",
	"{\"method\":\"org.varlink.service.GetInfo\",\"parameters\":{},\"more\":true}",
	"{\"method\":\"org.varlink.service.GetInterfaceDescription\","
	"\"parameters\":{\"interface\":\"a\"}}",
	CALL("Later", "\"id\":5"), MORE("Stream", "\"id\":1"),
};

/* Some bytes of it other ones, some gone, some doubled; what remains of the NUL is luck. */
static size_t mutate(char *text, size_t len, size_t size, uint64_t *seed)
{
	static const char tokens[] = "{}[]\",:\\\0\0tnu0-.eE/";

	for (unsigned int n = next_random(seed) % 6; n; n--) {
		size_t at = next_random(seed) % len, nr = 1 + next_random(seed) % 8;

		switch (next_random(seed) % 5) {
		case 0:
			text[at] = next_random(seed);
			break;
		case 1:
			text[at] = tokens[next_random(seed) % sizeof(tokens)];
			break;
		case 2:
			text[at] ^= 1 << next_random(seed) % 8;
			break;
		case 3:
			nr = nr < len - at ? nr : len - at;
			if (nr == len)
				break;
			memmove(text + at, text + at + nr, len - at - nr);
			len -= nr;
			break;
		default:
			if (at + nr > len || len + nr > size)
				break;
			memmove(text + at + nr, text + at, len - at);
			len += nr;
		}
	}
	return len;
}

#define MESSAGES	times(20000)

ROOM_TEST(hostile, mutated)
{
	uint64_t seed = 0x6b6e656c6c, opened = 0;
	struct room *r = &self->r;
	struct varlink_stats stats;
	char text[2048];
	int fds[4];

	for (int i = 0; i < 4; i++)
		fds[i] = client_of(r->path);
	for (unsigned int i = 0, nr = MESSAGES; i < nr; i++) {
		const char *from = seeds[next_random(&seed) % ARRAY_SIZE(seeds)];
		size_t len = strlen(from) + 1;
		int *fd = &fds[next_random(&seed) % 4];

		memcpy(text, from, len);
		len = mutate(text, len, sizeof(text), &seed);
		put_bytes(*fd, text, len);
		if (next_random(&seed) % 4)
			settle(r);
		/* What waits for a reply gets one, or loses its client. */
		for (size_t k = 0; k < ARRAY_SIZE(r->later); k++) {
			if (r->later[k])
				varlink_reply(r->later[k], json_object());
			r->later[k] = NULL;
		}
		while (r->nr_streams > 2)
			varlink_reply(r->streams[--r->nr_streams], json_object());
		if (next_random(&seed) % 8 == 0 || is_closed(*fd)) {
			close(*fd);
			*fd = client_of(r->path);
			ASSERT_LE(0, *fd);
			opened++;
		}
		while (recv(*fd, text, sizeof(text), MSG_DONTWAIT) > 0)
			;
		if (i % 100 == 0)
			EXPECT_ANSWER(self->fd, SERVICE_ERROR("ExpectedMore", ""),
				      CALL("Stream", ""));
	}
	for (int i = 0; i < 4; i++)
		close(fds[i]);
	settle(r);
	stats = varlink_server_stats(r->server);
	EXPECT_EQ(1, stats.connections);
	/* It has been hard, but not hopeless. */
	EXPECT_LT(MESSAGES / 10, stats.calls);
	EXPECT_LT(MESSAGES / 100, stats.dropped);
	EXPECT_LT(MESSAGES / 20, opened);
}

static bool was_failed;

/* What a client hears when one allocation or the other fails. Never a lie. */
static int one_visit(struct room *r)
{
	static const char *const calls[] = {
		CALL("Fail", ""),
		CALL("Echo", "\"bool\":true,\"int\":1,\"float\":1,\"string\":\"\","
		     "\"object\":{},\"array\":[],\"strings\":[\"a\"],\"maybe\":null"),
		CALL("Big", "\"size\":20000"), "{\"method\":\"org.varlink.service.GetInfo\"}",
		CALL("Nope", ""), CALL("Later", "\"id\":1"), MORE("Stream", ""),
	};
	int fd = client_of(r->path), replies = 0;
	json_t *reply;
	char *text;

	for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
		put_text(fd, calls[i]);
	settle(r);
	if (r->later[1])
		varlink_reply(r->later[1], json_object());
	r->later[1] = NULL;
	settle(r);
	stream(r, 1);
	settle(r);
	if (r->nr_streams)
		varlink_reply(r->streams[0], json_object());
	r->nr_streams = 0;
	settle(r);
	was_failed = allocation_failed();
	fail_allocation(-1, false);
	while ((text = get_text(fd))) {
		reply = json_loads(text, 0, NULL);
		free(text);
		if (!json_is_object(reply))
			return -1;
		json_decref(reply);
		replies++;
	}
	close(fd);
	settle(r);
	return replies;
}

static void no_memory(struct __test_metadata *_metadata, struct room *r, bool for_good)
{
	unsigned int whole = 0;
	long after;
	int fd;

	for (after = 0; whole < 3 && after < 5000; after++) {
		int replies;

		fail_allocation(after, for_good);
		replies = one_visit(r);
		whole = was_failed ? 0 : whole + 1;
		ASSERT_LE(0, replies);
		if (whole)
			EXPECT_EQ(8, replies);
		/* The next one notices nothing. */
		fd = client_of(r->path);
		ASSERT_LE(0, fd);
		while (varlink_server_stats(r->server).connections != 2)
			ASSERT_LE(0, knell_loop_run(r->l, KNELL_RUN_ONCE));
		EXPECT_EQ(8, one_visit(r));
		close(fd);
		settle(r);
		EXPECT_EQ(1, varlink_server_stats(r->server).connections);
	}
	EXPECT_EQ(3, whole);
	EXPECT_LT(50, after);
}

ROOM_TEST(hostile, no_memory_once)
{
	no_memory(_metadata, &self->r, false);
}

ROOM_TEST(hostile, no_memory_for_a_while)
{
	no_memory(_metadata, &self->r, true);
}

static const struct {
	const char *bytes;
	size_t len;
	const char *text;
} texts[] = {
#define SAME(s)		{ s, sizeof(s) - 1, s }
#define CHANGED(s, t)	{ s, sizeof(s) - 1, t }
#define U		"\xef\xbf\xbd"
	SAME(""), SAME("a\x7f\t\n"), SAME("\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf"),
	SAME("\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\xed\x9f\xbf\xee\x80\x80"),
	CHANGED("a\0b", "a" U "b"), CHANGED("\0", U), CHANGED("\x80z", U "z"),
	CHANGED("\xc3", U), CHANGED("\xc3z", U "z"), CHANGED("\xe2\x82", U U),
	CHANGED("\xf0\x9f\x92", U U U), CHANGED("\xc0\xaf", U U), CHANGED("\xc1\xbf", U U),
	CHANGED("\xe0\x9f\xbf", U U U), CHANGED("\xf0\x8f\xbf\xbf", U U U U),
	CHANGED("\xed\xa0\x80\xed\xbf\xbf", U U U U U U), CHANGED("\xf4\x90\x80\x80", U U U U),
	CHANGED("\xf5\x80", U U), CHANGED("\xff\xfe\xfd", U U U),
};

/* What a service writes is no UTF-8 sometimes, and is to be told all the same. */
ROOM_TEST(hostile, any_text)
{
	uint64_t seed = 1;
	char bytes[64];
	json_t *got;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		got = varlink_text(texts[i].bytes, texts[i].len);
		EXPECT_STREQ(texts[i].text, json_string_value(got));
		json_decref(got);
	}
	/* What jansson itself takes is what comes out, and never has a NUL in it. */
	for (int i = 0; i < 20000; i++) {
		json_t *again;

		for (size_t n = 0; n < sizeof(bytes); n++)
			bytes[n] = next_random(&seed) % 4 ? next_random(&seed) | 0x80 : 'x';
		got = varlink_text(bytes, sizeof(bytes));
		again = json_string(json_string_value(got));
		ASSERT_NE(NULL, again);
		EXPECT_EQ(strlen(json_string_value(got)), json_string_length(got));
		json_decref(again);
		json_decref(got);
	}
	put_text(self->fd, CALL("Later", "\"id\":1"));
	settle(&self->r);
	ASSERT_NE(NULL, self->r.later[1]);
	EXPECT_EQ(0, varlink_reply(self->r.later[1],
				   json_pack("{so}", "t", varlink_text("\xff", 1))));
	self->r.later[1] = NULL;
	settle(&self->r);
	EXPECT_NEXT(self->fd, REPLY("\"t\":\"" U "\""));
}

/* A message is put behind others whole or not at all. */
ROOM_TEST(hostile, whole_messages)
{
	struct varlink_buf b = { 0 };
	json_t *big = json_array(), *some = json_object();
	size_t before;
	long after;
	int err;

	for (int i = 0; i < 3000; i++)
		json_array_append_new(big, json_integer(i));
	ASSERT_EQ(0, message_put(&b, some));
	before = b.len;
	for (after = 0; after < 100; after++) {
		fail_allocation(after, false);
		err = message_put(&b, big);
		fail_allocation(-1, false);
		if (!err)
			break;
		EXPECT_EQ(-ENOMEM, err);
		EXPECT_EQ(before, b.len);
		EXPECT_STREQ("{}", b.data);
	}
	EXPECT_LT(0, after);
	EXPECT_EQ(0, b.data[b.len - 1]);
	buf_free(&b);
	json_decref(big);
	json_decref(some);
}

/* Nothing is left behind by a server that cannot begin. */
ROOM_TEST(hostile, no_memory_to_begin)
{
	struct varlink_server_attr attr = self->r.attr;
	struct varlink_server *s = NULL;
	char path[100];
	long after;
	int err;

	snprintf(path, sizeof(path), "%s/other", self->r.dir);
	attr.path = path;
	for (after = 0; after < 100; after++) {
		unsigned int fds = nr_open_fds();

		fail_allocation(after, true);
		err = varlink_server_new(self->r.l, &attr, &s);
		fail_allocation(-1, false);
		if (!err)
			break;
		EXPECT_EQ(-ENOMEM, err);
		EXPECT_EQ(-1, access(path, F_OK));
		EXPECT_EQ(fds, nr_open_fds());
	}
	EXPECT_LT(0, after);
	ASSERT_EQ(0, err);
	varlink_server_free(s);
}

LIBKNELL_MAIN
