// SPDX-License-Identifier: GPL-2.0-only
/* What one client can make the server do: nothing that another would notice. */
#include <malloc.h>

#include "common.h"
#include "room.h"

size_t __sanitizer_get_current_allocated_bytes(void) __attribute__((weak));

ROOM_FIXTURE(limits);

#define NOBODY	65534
#define BROKEN	"{\"error\":\"io.knell.test.Broken\",\"parameters\":{\"why\":\"because\"}}"

/* The part of a message of @size bytes that is its parameter's text. */
static char *message_of(size_t size)
{
	static const char begin[] = "{\"method\":\"io.knell.test.Fail\",\"parameters\":{\"x\":\"";
	static const char end[] = "\"}}";
	char *text = malloc(size + 1);

	memset(text, 'y', size);
	memcpy(text, begin, sizeof(begin) - 1);
	memcpy(text + size - (sizeof(end) - 1), end, sizeof(end));
	return text;
}

/* Sends all of it, the server taking it as it comes. */
static void put_all(struct room *r, int fd, const char *text, size_t len)
{
	size_t sent = 0;

	while (sent < len && !is_closed(fd)) {
		ssize_t n = put_bytes(fd, text + sent, len - sent);

		sent += n > 0 ? n : 0;
		settle(r);
	}
}

ROOM_TEST(limits, size)
{
	struct room *r = &self->r;
	char *text = message_of(VARLINK_MESSAGE);

	put_all(r, self->fd, text, VARLINK_MESSAGE + 1);
	EXPECT_NEXT(self->fd, SERVICE_ERROR("InvalidParameter", "\"parameter\":\"x\""));
	free(text);
	text = message_of(VARLINK_MESSAGE + 1);
	put_all(r, self->fd, text, VARLINK_MESSAGE + 2);
	EXPECT_DROPPED(r, self->fd);
	/* One that never ends. */
	memset(text, ' ', VARLINK_MESSAGE + 1);
	put_all(r, self->fd, text, VARLINK_MESSAGE);
	EXPECT_FALSE(is_closed(self->fd));
	put_all(r, self->fd, text, 2);
	EXPECT_DROPPED(r, self->fd);
	free(text);
	EXPECT_EQ(2, varlink_server_stats(r->server).dropped);
}

/* So many calls in one piece, which a socket takes more of. */
static void put_bumps(struct room *r, int fd, unsigned int nr)
{
	static const char bump[] = CALL("Bump", "");
	char *text = malloc(nr * sizeof(bump));

	for (unsigned int i = 0; i < nr; i++)
		memcpy(text + i * sizeof(bump), bump, sizeof(bump));
	put_all(r, fd, text, nr * sizeof(bump));
	free(text);
}

/* Bytes that the program has in use now. */
static size_t in_use(void)
{
	if (__sanitizer_get_current_allocated_bytes)
		return __sanitizer_get_current_allocated_bytes();
	return mallinfo2().uordblks;
}

/* {"parameters":{"x":[[...]]},"method":"io.knell.test.Fail"}, so deep in all; or so many values. */
static char *nested(unsigned int depth, unsigned int values)
{
	/* Not looked at in a string, which does not end at the first quote. */
	static const char brackets[] = "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[{{{{{{{{";
	char *text = malloc(256 + 2 * depth + 2 * values), *p = text;

	p += sprintf(p, "{\"parameters\":{\"x\":");
	for (unsigned int i = 2; i < depth; i++)
		*p++ = '[';
	/* Two objects, two members, the text of the method; and brackets in it. */
	for (unsigned int i = 5 + (depth - 2); i < values; i++)
		p += sprintf(p, "%s0", i == 5 + (depth - 2) ? "" : ",");
	for (unsigned int i = 2; i < depth; i++)
		*p++ = ']';
	sprintf(p, "},\"method\":\"io.knell.test.Fail\",\"\\\"%s\":0}", brackets);
	return text;
}

ROOM_TEST(limits, depth)
{
	struct room *r = &self->r;
	char *text = nested(VARLINK_DEPTH, 0);

	EXPECT_ANSWER(self->fd, SERVICE_ERROR("InvalidParameter", "\"parameter\":\"x\""), text);
	free(text);
	text = nested(VARLINK_DEPTH + 1, 0);
	put_text(self->fd, text);
	free(text);
	EXPECT_DROPPED(r, self->fd);
	/* Deep enough to exhaust a stack. */
	text = malloc(VARLINK_MESSAGE);
	memset(text, '[', VARLINK_MESSAGE);
	text[VARLINK_MESSAGE - 1] = 0;
	put_all(r, self->fd, text, VARLINK_MESSAGE);
	EXPECT_DROPPED(r, self->fd);
	for (size_t i = 0; i + 6 < VARLINK_MESSAGE; i += 5)
		memcpy(text + i, "{\"a\":", 6);
	put_all(r, self->fd, text, strlen(text) + 1);
	EXPECT_DROPPED(r, self->fd);
	free(text);
}

static size_t json_bytes;

static void *json_malloc(size_t size)
{
	json_bytes += size;
	return malloc(size);
}

/* Each object takes a hundred times as much memory as its bytes. */
ROOM_TEST(limits, values)
{
	struct room *r = &self->r;
	char *text = nested(3, VARLINK_VALUES - 100);

	EXPECT_ANSWER(self->fd, SERVICE_ERROR("InvalidParameter", "\"parameter\":\"x\""), text);
	free(text);
	text = nested(3, VARLINK_VALUES + 100);
	put_text(self->fd, text);
	free(text);
	EXPECT_DROPPED(r, self->fd);
	text = malloc(VARLINK_MESSAGE);
	text[0] = '[';
	for (size_t i = 1; i + 4 < VARLINK_MESSAGE; i += 3)
		memcpy(text + i, "{},", 4);
	json_set_alloc_funcs(json_malloc, free);
	put_all(r, self->fd, text, strlen(text) + 1);
	EXPECT_EQ(0, json_bytes);
	EXPECT_DROPPED(r, self->fd);
	/* As many as there may be. */
	json_bytes = 0;
	text[3 * VARLINK_VALUES / 2 - 10] = 0;
	put_all(r, self->fd, text, strlen(text) + 1);
	EXPECT_LT(0, json_bytes);
	EXPECT_GT(4U << 20, json_bytes);
	EXPECT_DROPPED(r, self->fd);
	json_set_alloc_funcs(malloc, free);
	free(text);
}

/* Calls that wait behind one that is not answered: a number of them, and of bytes. */
ROOM_TEST(limits, calls_that_wait)
{
	struct room *r = &self->r;
	char *text;

	put_text(self->fd, CALL("Later", "\"id\":1"));
	put_bumps(r, self->fd, VARLINK_CALLS);
	EXPECT_FALSE(is_closed(self->fd));
	ASSERT_NE(NULL, r->later[1]);
	EXPECT_EQ(0, varlink_reply(r->later[1], json_object()));
	r->later[1] = NULL;
	settle(r);
	EXPECT_EQ(VARLINK_CALLS, r->bumps);
	for (int i = 0; i < VARLINK_CALLS + 1; i++)
		free(get_text(self->fd));
	put_text(self->fd, CALL("Later", "\"id\":1"));
	put_bumps(r, self->fd, VARLINK_CALLS + 1);
	EXPECT_DROPPED(r, self->fd);
	EXPECT_EQ(1, r->gone);
	EXPECT_EQ(VARLINK_CALLS + 1, r->bumps);
	/* As many that do not wait are all taken. */
	put_bumps(r, self->fd, 2 * VARLINK_CALLS);
	EXPECT_EQ(3 * VARLINK_CALLS + 1, r->bumps);
	put_text(self->fd, CALL("Later", "\"id\":1"));
	text = message_of(VARLINK_MESSAGE / 2);
	put_all(r, self->fd, text, VARLINK_MESSAGE / 2 + 1);
	EXPECT_NE(NULL, r->later[1]);
	put_all(r, self->fd, text, VARLINK_MESSAGE / 2 + 1);
	settle(r);
	EXPECT_EQ(NULL, r->later[1]);
	free(text);
	while ((text = get_text(self->fd)))
		free(text);
	EXPECT_DROPPED(r, self->fd);
}

#define EVENTS	10000

/* What a stream has given a client: how many replies, and how many it was told are lost. */
static void drain(int fd, unsigned int *got, unsigned int *lost)
{
	char *text;

	while ((text = get_text(fd))) {
		json_t *reply = json_loads(text, 0, NULL);
		json_t *params = json_object_get(reply, "parameters");

		*got += json_is_true(json_object_get(reply, "continues"));
		*lost += json_integer_value(json_object_get(params, "lost"));
		json_decref(reply);
		free(text);
	}
}

/* One client of a stream never reads, another does: that one misses nothing. */
ROOM_TEST(limits, never_reads)
{
	unsigned int got = 0, lost = 0, good = 0, none = 0, full = 0;
	struct room *r = &self->r;
	size_t before;
	int reader;

	REOPEN(.output = 65536);
	reader = client_of(r->path);
	put_text(self->fd, MORE("Stream", ""));
	put_text(reader, MORE("Stream", ""));
	settle(r);
	ASSERT_EQ(2, r->nr_streams);
	before = in_use();
	for (int i = 1; i <= EVENTS; i++) {
		full += stream(r, i);
		/* In bursts. */
		if (i % 100)
			continue;
		settle(r);
		drain(reader, &good, &none);
	}
	EXPECT_EQ(EVENTS, good);
	EXPECT_EQ(0, none);
	EXPECT_LT(0, full);
	EXPECT_EQ(full, varlink_server_stats(r->server).lost);
	/* What is kept for one who does not read. */
	EXPECT_GT(before + 3 * 65536, in_use());
	/* It comes back, and is told. */
	for (int i = 0; i < 1000 && got + lost < EVENTS + 1; i++) {
		drain(self->fd, &got, &lost);
		settle(r);
		if (!(i % 100))
			EXPECT_EQ(0, stream(r, 1));
		if (got + lost > EVENTS)
			break;
	}
	drain(self->fd, &got, &lost);
	EXPECT_EQ(full, lost);
	EXPECT_LE(EVENTS + 1 - full, got);
	/* Once. */
	EXPECT_EQ(0, stream(r, 7));
	settle(r);
	EXPECT_NEXT(self->fd, "{\"parameters\":{\"n\":7},\"continues\":true}");
	close(reader);
	settle(r);
	EXPECT_EQ(1, r->gone);
}

/* Said in one go, what the socket can hold is not lost. */
ROOM_TEST(limits, one_pass)
{
	unsigned int n = 0, got = 0, lost = 0;

	REOPEN(.output = 16384);
	put_text(self->fd, MORE("Stream", ""));
	settle(&self->r);
	ASSERT_EQ(1, self->r.nr_streams);
	while (!stream(&self->r, n))
		n++;
	/* Many times what is kept here. */
	EXPECT_LT(16384 / 40 * 2, n);
	for (int i = 0; i < 100; i++) {
		drain(self->fd, &got, &lost);
		settle(&self->r);
	}
	EXPECT_EQ(n, got);
	/* What is not sent is forgotten with the client. */
	while (!stream(&self->r, n))
		;
}

/* Someone who asks and asks and never reads: the calls are not taken any more. */
ROOM_TEST(limits, asks_and_never_reads)
{
	struct room *r = &self->r;
	unsigned int sent = 0, replies = 0;
	char *text;

	while (sent < 100000 && put_bytes(self->fd, CALL("Big", "\"size\":10000"),
					  sizeof(CALL("Big", "\"size\":10000"))) > 0) {
		sent++;
		settle(r);
	}
	EXPECT_GT(100000, sent);
	EXPECT_GT(1000, r->bumps);
	EXPECT_GT(sent, r->bumps);
	/* Nothing turns while nobody reads. */
	{
		struct knell_stats before = stats_of(r->l);

		run_passes(r->l, 10);
		EXPECT_EQ(before.dispatched, stats_of(r->l).dispatched);
	}
	for (int i = 0; i < 10000 && replies < sent; i++) {
		while ((text = get_text(self->fd))) {
			replies++;
			free(text);
		}
		settle(r);
	}
	EXPECT_EQ(sent, replies);
	EXPECT_EQ(sent, r->bumps);
	/* The largest reply is not lost, however little room there is. */
	REOPEN(.output = 1000);
	put_text(self->fd, CALL("Big", "\"size\":3000000"));
	put_text(self->fd, CALL("Fail", ""));
	settle(r);
	for (size_t got = 0; got < 3000000; settle(r)) {
		char bytes[30000];
		ssize_t n = recv(self->fd, bytes, sizeof(bytes), MSG_DONTWAIT);

		ASSERT_LT(0, n);
		got += n;
	}
	text = get_text(self->fd);
	ASSERT_NE(NULL, text);
	EXPECT_STREQ("\"}}", text + strlen(text) - 3);
	free(text);
	EXPECT_NEXT(self->fd, BROKEN);
}

ROOM_TEST(limits, connections)
{
	struct room *r = &self->r;
	int fds[16], nr = 0;

	if (geteuid())
		SKIP(return, "only root can be somebody else");
	REOPEN(.connections = 10, .reserved = 3, .per_uid = 4);
	/* A user, up to his share; another, up to what is left to all of them; and root. */
	for (int i = 0; i < 5; i++)
		fds[nr++] = client_as(r->path, NOBODY);
	for (int i = 0; i < 4; i++)
		fds[nr++] = client_as(r->path, NOBODY - 1);
	for (int i = 0; i < 3; i++)
		fds[nr++] = client_of(r->path);
	settle(r);
	for (int i = 0; i < nr; i++) {
		ASSERT_LE(0, fds[i]);
		/* self->fd is one of ten, too: 4 + 3 + 3. */
		EXPECT_EQ(i == 4 || i == 8 || i == 11, is_closed(fds[i]))
			TH_LOG("client %d", i);
	}
	EXPECT_EQ(10, varlink_server_stats(r->server).connections);
	EXPECT_EQ(3, varlink_server_stats(r->server).refused);
	/* One goes, one can come. */
	close(fds[0]);
	settle(r);
	fds[0] = client_as(r->path, NOBODY - 2);
	settle(r);
	EXPECT_ANSWER(fds[0], REPLY("\"count\":1"), CALL("Bump", ""));
	close(fds[9]);
	settle(r);
	fds[9] = client_as(r->path, NOBODY - 3);
	settle(r);
	EXPECT_TRUE(is_closed(fds[9]));
	for (int i = 0; i < nr; i++)
		close(fds[i]);
}

/* No descriptor has a higher number. */
static void limit_fds(int fd)
{
	const struct rlimit limit = { fd + 1, 4096 };

	setrlimit(RLIMIT_NOFILE, &limit);
}

ROOM_TEST(limits, no_descriptors)
{
	struct room *r = &self->r;
	struct knell_stats before;
	int fds[5], last;

	/* Clients' ends first, so that the server has none left for itself. */
	for (int i = 0; i < 5; i++)
		fds[i] = client_of(r->path);
	last = dup(0);
	close(last++);
	limit_fds(last);
	for (int i = 0; i < 5; i++)
		put_text(fds[i], CALL("Bump", ""));
	settle(r);
	EXPECT_EQ(2, r->bumps);
	EXPECT_EQ(1, varlink_server_stats(r->server).pauses);
	/* Those that wait cost nothing, and those that are in do not notice. */
	before = stats_of(r->l);
	run_passes(r->l, 20);
	EXPECT_EQ(before.dispatched, stats_of(r->l).dispatched);
	for (int i = 0; i < 5; i++) {
		char *text = get_text(fds[i]);

		EXPECT_EQ(i < 2, !!text);
		free(text);
	}
	EXPECT_ANSWER(fds[1], REPLY("\"count\":3"), CALL("Bump", ""));
	/* Two go, two come. The clients' own ends are not there for the server. */
	for (int i = 0; i < 2; i++) {
		close(fds[i]);
		ASSERT_EQ(fds[i], dup(0));
	}
	settle(r);
	EXPECT_EQ(5, r->bumps);
	/* None of ours goes: it is tried again, a second later. */
	EXPECT_EQ(2, varlink_server_stats(r->server).pauses);
	limit_fds(last + 1);
	while (r->bumps < 6)
		ASSERT_LE(0, knell_loop_run(r->l, KNELL_RUN_ONCE));
	for (int i = 0; i < 5; i++)
		close(fds[i]);
}

static void note_timer(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	(void)call;
	(void)arg;
	knell_loop_stop(l);
}

#define SILENT	50

/* Clients that say nothing, or half of something, or wait: not one wake-up, not one system call. */
ROOM_TEST(limits, idle)
{
	struct room *r = &self->r;
	struct knell_stats before, after, alone;
	int fds[SILENT];

	alone = stats_of(r->l);
	ASSERT_TASK(knell_add_timer_ms(r->l, note_timer, NULL, 100));
	ASSERT_LE(0, knell_loop_run(r->l, KNELL_RUN_DEFAULT));
	before = stats_of(r->l);
	alone.passes = before.passes - alone.passes;
	alone.syscalls = before.syscalls - alone.syscalls;
	for (int i = 0; i < SILENT; i++) {
		fds[i] = client_of(r->path);
		ASSERT_LE(0, fds[i]);
		if (i % 4 == 1)
			put_bytes(fds[i], "{\"method\":", 10);
		else if (i % 4 == 2)
			put_text(fds[i], MORE("Stream", ""));
		else if (i == 3)
			put_text(fds[i], CALL("Later", "\"id\":1"));
	}
	settle(r);
	EXPECT_EQ(SILENT + 1, varlink_server_stats(r->server).connections);
	before = stats_of(r->l);
	for (int i = 0; i < 3; i++) {
		ASSERT_TASK(knell_add_timer_ms(r->l, note_timer, NULL, 100));
		ASSERT_LE(0, knell_loop_run(r->l, KNELL_RUN_DEFAULT));
	}
	after = stats_of(r->l);
	EXPECT_EQ(3, after.dispatched - before.dispatched);
	EXPECT_EQ(0, after.wakeups - before.wakeups);
	EXPECT_GE(3 * alone.passes, after.passes - before.passes);
	EXPECT_GE(3 * alone.syscalls, after.syscalls - before.syscalls);
	for (int i = 0; i < SILENT; i++)
		close(fds[i]);
	settle(r);
	EXPECT_EQ(1, varlink_server_stats(r->server).connections);
}

LIBKNELL_MAIN
