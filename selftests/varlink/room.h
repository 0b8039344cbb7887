/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A server in this process's loop, and clients that are bare sockets of the same process: what is
 * sent is there at once, so that nothing here depends on time.
 */
#ifndef _VARLINK_ROOM_H
#define _VARLINK_ROOM_H

#include "helpers.h"

#include <jansson.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <varlink.h>

struct room {
	struct knell_loop *l;
	struct varlink_server *server;
	char dir[64];
	char path[80];
	struct varlink_server_attr attr;

	/* Stream replies so often by itself, and then for the last time. */
	unsigned int automatic;

	/* What the handlers have seen. */
	unsigned int bumps;
	unsigned int echoes;
	struct varlink_call *later[32];	/* by their id */
	struct varlink_call *streams[256];
	unsigned int nr_streams;
	unsigned int gone;
};

extern const struct varlink_interface test_interface;

/* @attr: NULL: the default. Returns what varlink_server_new() does. */
int room_open(struct room *r, enum knell_backend backend, const struct varlink_limits *limits);
void room_close(struct room *r);

/* The same in a process of its own, which dies with this one. */
pid_t room_fork(struct room *r, enum knell_backend backend, const struct varlink_limits *limits);
void room_kill(struct room *r, pid_t pid);

/* Runs the loop until there is nothing more to do but wait. */
void settle(struct room *r);
/* Sends @n to all streams that are. Returns how many of these had no room for it. */
unsigned int stream(struct room *r, unsigned int n);

/* A client of @path, -1 and errno: none. */
int client_of(const char *path);
int client_as(const char *path, uid_t uid);
/* Sends it; what the socket does not take is lost. */
ssize_t put_bytes(int fd, const char *text, size_t len);
/* Sends a message. */
void put_text(int fd, const char *text);
/* What has come, up to and without the next NUL, to be freed; NULL: nothing, or no NUL. */
char *get_text(int fd);
/* Whether the server has closed it: there is nothing more to come. */
bool is_closed(int fd);
/* Sends, lets the server work, and gets the reply, to be freed. */
char *ask(struct room *r, int fd, const char *text);

/* A room by each backend, with a client in it. */
#define ROOM_FIXTURE(name)							\
	FIXTURE(name) {								\
		struct room r;							\
		int fd;								\
	};									\
	BACKEND_VARIANTS(name);							\
	FIXTURE_SETUP(name)							\
	{									\
		ASSERT_EQ(0, room_open(&self->r, variant->backend, NULL));	\
		self->fd = client_of(self->r.path);				\
		ASSERT_LE(0, self->fd);						\
		settle(&self->r);						\
	}									\
	FIXTURE_TEARDOWN(name)							\
	{									\
		close(self->fd);						\
		room_close(&self->r);						\
	}									\
	struct name##_uses_it

#define ROOM_TEST(fixture, name)	TEST_F_TIMEOUT(fixture, name, LIMIT)

/* A room with limits of its own, in a test of such a fixture. */
#define REOPEN(...)								\
	do {									\
		const struct varlink_limits limits_ = { __VA_ARGS__ };		\
		close(self->fd);						\
		room_close(&self->r);						\
		ASSERT_EQ(0, room_open(&self->r, variant->backend, &limits_));	\
		self->fd = client_of(self->r.path);				\
		ASSERT_LE(0, self->fd);						\
		settle(&self->r);						\
	} while (0)

/* @text is answered by @reply. */
#define EXPECT_ANSWER(fd, reply, text)						\
	do {									\
		char *got_ = ask(&self->r, fd, text);				\
		ASSERT_NE(NULL, got_) {						\
			TH_LOG("%.200s is not answered", text);			\
		}								\
		EXPECT_STREQ(reply, got_);					\
		free(got_);							\
	} while (0)

/* The next reply that has come. */
#define EXPECT_NEXT(fd, reply)							\
	do {									\
		char *got_ = get_text(fd);					\
		ASSERT_NE(NULL, got_);						\
		EXPECT_STREQ(reply, got_);					\
		free(got_);							\
	} while (0)

/* That costs the client its connection, and nobody else anything. */
#define EXPECT_DROPPED(r, fd)							\
	do {									\
		settle(r);							\
		EXPECT_TRUE(is_closed(fd));					\
		close(fd);							\
		(fd) = client_of((r)->path);					\
		ASSERT_LE(0, fd);						\
		EXPECT_ANSWER(fd, BUMPED, CALL("Bump", ""));			\
	} while (0)

#define CALL(method, params)							\
	"{\"method\":\"io.knell.test." method "\",\"parameters\":{" params "}}"
#define MORE(method, params)							\
	"{\"method\":\"io.knell.test." method "\",\"parameters\":{" params "},\"more\":true}"
#define REPLY(params)		"{\"parameters\":{" params "}}"
#define BUMPED			({ static char s_[64];					\
				   snprintf(s_, sizeof(s_), REPLY("\"count\":%u"),	\
					    self->r.bumps); s_; })
#define SERVICE_ERROR(name, params)						\
	"{\"error\":\"org.varlink.service." name "\",\"parameters\":{" params "}}"

#endif /* _VARLINK_ROOM_H */
