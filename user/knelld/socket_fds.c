// SPDX-License-Identifier: GPL-2.0-only
/* The descriptors of socket units: what services get of them, and where they are had again from. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "knelld.h"
#include "exec.h"
#include "handover.h"
#include "socket.h"

static const struct socket *conf_of(const struct unit *u)
{
	return u->file->socket;
}

struct socket_run *socket_run_of(struct unit *u)
{
	if (!u->socket_run)
		u->socket_run = xcalloc(1, sizeof(*u->socket_run));
	return u->socket_run;
}

void socket_take_place(struct unit *u, const struct connection *c)
{
	struct socket_run *r = c->socket->socket_run;

	u->connection = xcalloc(1, sizeof(*c));
	*u->connection = *c;
	r->places[c->place] = u;
	r->nr_connections++;
}

/* What a service is given */

static struct unit *socket_at(const struct unit *u, uint32_t edge)
{
	const struct edge *e = &u->edges[edge];

	if (e->side != DEP_INVERSE(DEP_TRIGGERS) && e->side != DEP_SOCKETS)
		return NULL;
	if (e->to->kind != UNIT_SOCKET || !e->to->socket_run || conf_of(e->to)->accept)
		return NULL;
	/* By both of them it is one. */
	for (uint32_t i = 0; i < edge; i++)
		if (u->edges[i].to == e->to && (u->edges[i].side == DEP_INVERSE(DEP_TRIGGERS) ||
						u->edges[i].side == DEP_SOCKETS))
			return NULL;
	return e->to;
}

int socket_of(const struct unit *u, size_t i, const char **name)
{
	*name = "connection";
	if (u->connection)
		return i ? -1 : u->connection->fd;
	for (uint32_t k = 0; k < u->nr_edges; k++) {
		struct unit *s = socket_at(u, k);

		if (!s)
			continue;
		*name = conf_of(s)->fd_name ? conf_of(s)->fd_name : s->name;
		if (i < s->socket_run->nr)
			return s->socket_run->v[i].fd;
		i -= s->socket_run->nr;
	}
	return -1;
}

void socket_peer(const struct unit *u, struct strv *env)
{
	const struct connection *c = u->connection;
	char text[ADDRESS_TEXT_MAX], port[8];

	if (!c || (c->peer.sa.sa_family == AF_UNIX &&
		   c->len <= offsetof(struct sockaddr_un, sun_path)))
		return;
	env_set(env, "REMOTE_ADDR", address_text(&c->peer, c->len, text));
	if (c->peer.sa.sa_family != AF_INET && c->peer.sa.sa_family != AF_INET6)
		return;
	snprintf(port, sizeof(port), "%u", ntohs(c->peer.in.sin_port));
	env_set(env, "REMOTE_PORT", port);
}

/* Is it the socket that was opened for @l? */
static bool is_it(int fd, const struct listen *l)
{
	union address wanted, is = { 0 };
	socklen_t len, is_len = sizeof(is);

	return !address_parse(l->address, &wanted, &len) && !getsockname(fd, &is.sa, &is_len) &&
	       is_len == len && !memcmp(&is, &wanted, len);
}

/*
 * The former knelld was killed and its descriptors with it, but a service that runs still has what
 * it was given: taken from there, clients and what they sent go on as if nothing had happened.
 */
static int take_back(const struct unit *service, const struct listen *l)
{
	int pidfd = syscall(SYS_pidfd_open, service->pid, 0), fd = -1;

	for (int i = 0; pidfd >= 0 && i < 64; i++) {
		fd = syscall(SYS_pidfd_getfd, pidfd, 3 + i, 0);
		if (fd >= 0 && is_it(fd, l))
			break;
		if (fd >= 0)
			close(fd);
		fd = -1;
	}
	if (pidfd >= 0)
		close(pidfd);
	return fd;
}

void socket_take_back(struct unit *u, const struct unit *service)
{
	struct socket_run *r = u->socket_run;
	const struct socket *c = conf_of(u);

	r->v = xcalloc(c->nr_listen, sizeof(*r->v));
	for (size_t i = 0; i < c->nr_listen; i++) {
		int fd = take_back(service, &c->listen[i]);

		if (fd >= 0)
			r->v[r->nr++] = (struct listener){ u, &c->listen[i], fd, KNELL_NONE };
		else
			socket_open(u, &c->listen[i], (struct owner){ -1, -1 });
	}
}

void socket_give(const struct unit *u)
{
	const struct connection *c = u->kind == UNIT_SERVICE ? u->connection : NULL;
	const struct socket_run *r = u->kind == UNIT_SOCKET ? u->socket_run : NULL;
	char rest[300];

	for (size_t i = 0; r && i < r->nr; i++) {
		snprintf(rest, sizeof(rest), "%td", r->v[i].listen - conf_of(u)->listen);
		handover_put(HAND_LISTEN, u, r->v[i].fd, rest);
	}
	if (!c)
		return;
	snprintf(rest, sizeof(rest), "%zu %s", c->place, c->socket->name);
	handover_put(HAND_CONNECTION, u, c->fd, rest);
}

static bool take_connection_over(struct unit *u, int fd, const char *rest)
{
	struct connection c = { .len = sizeof(c.peer), .fd = fd };
	struct socket_run *r;
	char name[257];

	if (sscanf(rest, "%zu %256s", &c.place, name) != 2 || c.place > UINT16_MAX)
		return false;
	c.socket = unit_find(name);
	if (!c.socket || c.socket->kind != UNIT_SOCKET || u->connection ||
	    getpeername(fd, &c.peer.sa, &c.len) < 0)
		return false;
	r = socket_run_of(c.socket);
	while (r->nr_places <= c.place) {
		r->places = xgrow(r->places, r->nr_places, sizeof(*r->places));
		r->places[r->nr_places++] = NULL;
	}
	if (r->places[c.place])
		return false;
	socket_take_place(u, &c);
	return true;
}

/* socket_resume() comes after this, and finds what is there. */
bool socket_take(struct unit *u, enum handed what, int fd, const char *rest)
{
	const struct socket *c = u->file->socket;
	size_t i = strtoul(rest, NULL, 10);
	struct socket_run *r;

	if (what == HAND_CONNECTION)
		return take_connection_over(u, fd, rest);
	if (what != HAND_LISTEN || !c || i >= c->nr_listen)
		return false;
	r = socket_run_of(u);
	if (!r->v)
		r->v = xcalloc(c->nr_listen, sizeof(*r->v));
	if (r->nr == c->nr_listen)
		return false;
	r->v[r->nr++] = (struct listener){ u, &c->listen[i], fd, KNELL_NONE };
	return true;
}
