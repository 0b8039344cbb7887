/* SPDX-License-Identifier: GPL-2.0-only */
/* Socket units, as the services that they start see them. */
#ifndef _KNELLD_SOCKET_H
#define _KNELLD_SOCKET_H

#include <stddef.h>

#include "listen.h"
#include "manager.h"

/*
 * The @i-th descriptor that @u gets of its socket units, -1: there are no more. It stays the
 * socket's; @name as LISTEN_FDNAMES has it. An instance for one connection gets that.
 */
int socket_of(const struct unit *u, size_t i, const char **name);
/* With Accept=yes: connections there are. */
size_t socket_connections(const struct unit *u);
/* REMOTE_ADDR and REMOTE_PORT of a connection. */
void socket_peer(const struct unit *u, struct strv *env);
/* One of its commands has ended. */
void socket_control_ended(struct unit *u, enum result result);
/* The instance for a connection is down; nothing if it is none. */
void socket_connection_done(struct unit *u);

/* For socket.c and socket_fds.c alone */

/* A connection that was taken, of the instance that is there for it. */
struct connection {
	struct unit *socket;
	size_t place;
	int fd;
	union address peer;
	socklen_t len;
};

struct listener {
	struct unit *unit;
	const struct listen *listen;
	int fd;
	knell_task task;
};

/* A socket unit from its start on. */
struct socket_run {
	struct listener *v;
	size_t nr;
	struct unit **places;		/* by place: the instance that has it, NULL: free */
	size_t nr_places, nr_connections;
	uint64_t limit_begin;		/* the window of the trigger limit */
	uint32_t limit_used;
	uint64_t complained;
};

/* What there is of a socket unit, made if need be. */
struct socket_run *socket_run_of(struct unit *u);
/* @u is the instance for @c from here on. */
void socket_take_place(struct unit *u, const struct connection *c);
/* 0, or -errno that was logged. */
int socket_open(struct unit *u, const struct listen *l, struct owner owner);
/* From its service, which has them, what a knelld that was killed had opened; or anew. */
void socket_take_back(struct unit *u, const struct unit *service);

#endif
