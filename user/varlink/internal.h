/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * listen.c  the socket, and who is let in
 * conn.c    one connection: bytes in, bytes out, when it waits for what
 * call.c    what a call asks for, and its replies
 * service.c org.varlink.service
 * message.c JSON as bytes
 * client.c  the other side
 */
#ifndef _VARLINK_INTERNAL_H
#define _VARLINK_INTERNAL_H

#include "varlink.h"

/* Calls of one connection that are taken in one pass of the loop, and clients let in. */
#define CALLS_A_PASS	16
#define ACCEPTS_A_PASS	16

struct conn {
	struct varlink_server *server;
	struct conn *next, *prev;
	int fd;
	struct varlink_peer peer;
	bool busy;			/* conn_run() is under way */
	bool failed;			/* to be closed, by conn_run() */
	bool eof;			/* nothing more will come */
	bool hup;			/* and nothing can be sent */
	knell_task read, write, ready;
	struct varlink_call *call;	/* the one that is not answered yet */
	unsigned int queued;		/* complete messages in @in */
	struct varlink_buf in, out;
};

struct varlink_call {
	struct conn *conn;		/* NULL: gone */
	struct varlink_peer peer;
	bool more, oneway;
	json_t *message;
	json_t *params;
	uint64_t lost;
	void (*gone)(struct varlink_call *call, void *arg);
	void *gone_arg;
};

struct varlink_server {
	struct knell_loop *loop;
	struct varlink_server_attr attr;
	struct varlink_stats stats;
	unsigned int ordinary;		/* connections of those who are not privileged */
	struct conn *conns;
	knell_task accept, retry;
	int fd;
	bool bound;			/* the socket's file is this: */
	dev_t dev;
	ino_t ino;
};

/* message.c */
size_t buf_room(struct varlink_buf *b, size_t want, size_t max);
void buf_take(struct varlink_buf *b, size_t len);
void buf_free(struct varlink_buf *b);
json_t *message_parse(const char *text, size_t len, const struct varlink_limits *limits);
int message_put(struct varlink_buf *b, const json_t *message);

static inline size_t buf_left(const struct varlink_buf *b)
{
	return b->len - b->pos;
}

/* listen.c */
void server_listen(struct varlink_server *s);
void server_gone(struct varlink_server *s, struct conn *c);

/* conn.c */
int conn_new(struct varlink_server *s, int fd, const struct varlink_peer *peer);
void conn_close(struct conn *c);
void conn_fail(struct conn *c);
void conn_flush(struct conn *c);
void conn_relieve(struct conn *c);
void conn_kick(struct conn *c);

/* call.c */
int call_begin(struct conn *c, json_t *message);
void call_gone(struct varlink_call *call);

/* service.c */
extern const struct varlink_interface varlink_service;
const struct varlink_interface *interface_find(const struct varlink_server *s, const char *name,
					       size_t len);

#endif /* _VARLINK_INTERNAL_H */
