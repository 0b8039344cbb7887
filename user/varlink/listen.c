// SPDX-License-Identifier: GPL-2.0-only
/* The socket, and who is let in. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "internal.h"

/* When there is no descriptor left for a client: until one of its own is closed, or this. */
#define RETRY_SEC	1

static const struct varlink_limits defaults = {
	VARLINK_MESSAGE, VARLINK_OUTPUT, VARLINK_DEPTH, VARLINK_VALUES, VARLINK_CALLS,
	VARLINK_CONNECTIONS, VARLINK_RESERVED, VARLINK_PER_UID,
};

static void fill_limits(struct varlink_limits *limits)
{
	const unsigned int *from = (const unsigned int *)&defaults;
	unsigned int *to = (unsigned int *)limits;

	/* Nothing else is in it. */
	for (size_t i = 0; i < sizeof(*limits) / sizeof(*to); i++)
		to[i] = to[i] ? to[i] : from[i];
}

/* Whether somebody listens there. 0 nobody does, or nothing is there. */
static int is_taken(const struct sockaddr_un *addr)
{
	struct stat st;
	int fd, err = 0;

	if (lstat(addr->sun_path, &st))
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return -EEXIST;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	/* A queue that is full is somebody's. */
	if (!connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) || errno == EAGAIN)
		err = -EADDRINUSE;
	else if (errno != ECONNREFUSED && errno != ENOENT)
		err = -errno;
	close(fd);
	return err;
}

static int bind_as(int fd, const struct sockaddr_un *addr, mode_t mode)
{
	mode_t old = umask(~mode & 0777);
	int err = bind(fd, (const struct sockaddr *)addr, sizeof(*addr)) ? -errno : 0;

	umask(old);
	return err;
}

/* Which file is to be removed at the end. */
static void note_socket(struct varlink_server *s)
{
	struct stat st;

	s->bound = s->attr.path && !lstat(s->attr.path, &st) && S_ISSOCK(st.st_mode);
	if (s->bound) {
		s->dev = st.st_dev;
		s->ino = st.st_ino;
	}
}

static int bind_socket(struct varlink_server *s, int fd)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int err;

	if (strlen(s->attr.path) >= sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	strcpy(addr.sun_path, s->attr.path);
	err = bind_as(fd, &addr, s->attr.mode);
	if (err == -EADDRINUSE) {
		err = is_taken(&addr);
		if (err)
			return err;
		if (unlink(addr.sun_path) && errno != ENOENT)
			return -errno;
		err = bind_as(fd, &addr, s->attr.mode);
	}
	if (err)
		return err;
	note_socket(s);
	return listen(fd, SOMAXCONN) ? -errno : 0;
}

static void unlink_socket(const struct varlink_server *s)
{
	struct stat st;

	if (s->bound && !lstat(s->attr.path, &st) && st.st_dev == s->dev && st.st_ino == s->ino)
		unlink(s->attr.path);
}

/* Root and the owner have seats of their own, and nobody else has more than a few. */
static bool has_room(const struct varlink_server *s, const struct varlink_peer *peer)
{
	const struct varlink_limits *limits = &s->attr.limits;
	unsigned int same = 0;

	if (s->stats.connections >= limits->connections)
		return false;
	if (peer->privileged)
		return true;
	for (const struct conn *c = s->conns; c; c = c->next)
		same += c->peer.uid == peer->uid;
	return same < limits->per_uid && s->ordinary + limits->reserved < limits->connections;
}

static void admit(struct varlink_server *s, int fd)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);
	struct varlink_peer peer;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len))
		goto refuse;
	peer = (struct varlink_peer){ cred.pid, cred.uid, cred.gid,
				      !cred.uid || cred.uid == s->attr.owner };
	if (!has_room(s, &peer) || conn_new(s, fd, &peer))
		goto refuse;
	s->stats.accepted++;
	s->stats.connections++;
	s->ordinary += !peer.privileged;
	return;
refuse:
	s->stats.refused++;
	close(fd);
}

void server_gone(struct varlink_server *s, struct conn *c)
{
	if (c->prev)
		c->prev->next = c->next;
	else
		s->conns = c->next;
	if (c->next)
		c->next->prev = c->prev;
	s->stats.connections--;
	s->ordinary -= !c->peer.privileged;
	server_listen(s);
}

static void on_retry(struct knell_loop *l, const struct knell_call *why, void *arg)
{
	(void)l;
	(void)why;
	server_listen(arg);
}

/* There is nothing to let a client in with. */
static void pause_listening(struct varlink_server *s)
{
	s->stats.pauses++;
	knell_cancel(s->loop, s->accept);
	s->retry = knell_add_timer(s->loop, on_retry, s, RETRY_SEC);
}

static void on_client(struct knell_loop *l, const struct knell_call *why, void *arg)
{
	struct varlink_server *s = arg;
	int fd;

	(void)l;
	/* At once, with the memory of the task that has just been: this cannot fail. */
	server_listen(s);
	for (int i = 0; i < ACCEPTS_A_PASS; i++) {
		fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd >= 0) {
			admit(s, fd);
		} else if (errno == EAGAIN && !why->io.error) {
			return;
		} else if (errno != EINTR && errno != ECONNABORTED) {
			pause_listening(s);
			return;
		}
	}
}

void server_listen(struct varlink_server *s)
{
	knell_cancel(s->loop, s->retry);
	if (!knell_pending(s->loop, s->accept))
		s->accept = knell_add_read(s->loop, on_client, s, s->fd);
}

static int open_socket(struct varlink_server *s)
{
	int flags;

	if (!s->attr.has_fd) {
		s->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		return s->fd < 0 ? -errno : bind_socket(s, s->fd);
	}
	s->fd = s->attr.fd;
	flags = fcntl(s->fd, F_GETFL);
	if (flags < 0 || fcntl(s->fd, F_SETFL, flags | O_NONBLOCK))
		return -errno;
	note_socket(s);
	return 0;
}

int varlink_server_new(struct knell_loop *loop, const struct varlink_server_attr *attr,
		       struct varlink_server **server)
{
	struct varlink_server *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return -ENOMEM;
	s->loop = loop;
	s->attr = *attr;
	fill_limits(&s->attr.limits);
	err = open_socket(s);
	if (!err) {
		server_listen(s);
		if (knell_is_none(s->accept))
			err = -errno;
	}
	if (!err) {
		*server = s;
		return 0;
	}
	if (!attr->has_fd) {
		unlink_socket(s);
		if (s->fd >= 0)
			close(s->fd);
	}
	free(s);
	return err;
}

void varlink_server_free(struct varlink_server *s)
{
	if (!s)
		return;
	while (s->conns)
		conn_close(s->conns);
	knell_cancel(s->loop, s->accept);
	knell_cancel(s->loop, s->retry);
	unlink_socket(s);
	close(s->fd);
	free(s);
}

int varlink_server_fd(const struct varlink_server *s)
{
	return s->fd;
}

void varlink_server_flush(struct varlink_server *s)
{
	for (struct conn *c = s->conns; c; c = c->next)
		conn_flush(c);
}

struct varlink_stats varlink_server_stats(const struct varlink_server *s)
{
	return s->stats;
}
