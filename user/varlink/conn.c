// SPDX-License-Identifier: GPL-2.0-only
/*
 * One connection. It waits for as little as it can: for bytes, unless calls are there to be taken;
 * to be written, if there are replies; for its turn, if there are calls. Until it is closed one of
 * these is always so, but for a client that has closed its sending side and waits for a reply.
 *
 * While a call is not answered bytes are read all the same, for otherwise nobody would hear
 * that the client has gone; limits.message and limits.calls bound them.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "internal.h"

static void on_conn(struct knell_loop *l, const struct knell_call *why, void *arg);

/* conn_run() closes it, now if it is under way. */
void conn_fail(struct conn *c)
{
	if (c->failed)
		return;
	c->failed = true;
	c->server->stats.dropped++;
	if (!c->busy)
		shutdown(c->fd, SHUT_RDWR);
}

void conn_close(struct conn *c)
{
	struct varlink_server *s = c->server;
	struct varlink_call *call = c->call;

	knell_cancel(s->loop, c->read);
	knell_cancel(s->loop, c->write);
	knell_cancel(s->loop, c->ready);
	/* The kernel's queue may hold the socket until it is asked the next time. */
	shutdown(c->fd, SHUT_RDWR);
	close(c->fd);
	buf_free(&c->in);
	buf_free(&c->out);
	server_gone(s, c);
	free(c);
	if (call)
		call_gone(call);
}

/* Sends what can be sent without waiting. */
void conn_flush(struct conn *c)
{
	ssize_t n;

	while (buf_left(&c->out)) {
		n = send(c->fd, c->out.data + c->out.pos, buf_left(&c->out),
			 MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n > 0) {
			buf_take(&c->out, n);
		} else if (errno == EAGAIN) {
			return;
		} else if (errno != EINTR) {
			buf_free(&c->out);
			c->hup = c->eof = true;
		}
	}
}

static void conn_receive(struct conn *c)
{
	size_t room = buf_room(&c->in, 1, c->server->attr.limits.message + 1);
	const char *new, *nul;
	ssize_t n;

	if (!room) {
		conn_fail(c);
		return;
	}
	n = recv(c->fd, c->in.data + c->in.len, room, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		n = 0;
	else if (n <= 0)
		c->eof = true;
	if (n < 0)
		c->hup = true;
	if (n > 0) {
		new = c->in.data + c->in.len;
		c->in.len += n;
		for (; (nul = memchr(new, 0, c->in.data + c->in.len - new)); new = nul + 1)
			c->queued++;
	} else if (!buf_left(&c->in)) {
		buf_free(&c->in);
	}
}

static bool may_take(const struct conn *c)
{
	return c->queued && !c->call && buf_left(&c->out) <= c->server->attr.limits.output / 4;
}

static void take_call(struct conn *c)
{
	const char *text = c->in.data + c->in.pos;
	size_t len = strlen(text);
	json_t *message = message_parse(text, len, &c->server->attr.limits);

	c->queued--;
	buf_take(&c->in, len + 1);
	if (!message || call_begin(c, message))
		conn_fail(c);
}

/* Waits for what is worth it. Returns false if there is nothing any more, or no memory to. */
static bool conn_wait(struct conn *c)
{
	struct knell_loop *l = c->server->loop;
	bool read = !c->eof && (!c->queued || c->call);
	bool write = buf_left(&c->out), turn = may_take(c);

	if (c->failed || (c->eof && !turn && !write && (!c->call || c->hup)))
		return false;
	if (read && !knell_pending(l, c->read))
		c->read = knell_add_read(l, on_conn, c, c->fd);
	else if (!read)
		knell_cancel(l, c->read);
	if (write && !knell_pending(l, c->write))
		c->write = knell_add_write(l, on_conn, c, c->fd);
	if (turn && !knell_pending(l, c->ready))
		c->ready = knell_add_ready(l, on_conn, c, 0);
	return (!read || !knell_is_none(c->read)) && (!write || !knell_is_none(c->write)) &&
	       (!turn || !knell_is_none(c->ready));
}

static void conn_run(struct conn *c)
{
	for (int i = 0; i < CALLS_A_PASS && !c->failed && may_take(c); i++)
		take_call(c);
	conn_flush(c);
	if (c->call && c->queued > c->server->attr.limits.calls)
		conn_fail(c);
	c->busy = false;
	if (!conn_wait(c))
		conn_close(c);
}

/* A client that does read is not to lose what is said in one pass of the loop; one that does not is
 * asked once. */
void conn_relieve(struct conn *c)
{
	struct knell_loop *l = c->server->loop;

	if (knell_pending(l, c->write))
		return;
	conn_flush(c);
	if (buf_left(&c->out))
		c->write = knell_add_write(l, on_conn, c, c->fd);
}

/* It is ready for something, or it is its turn. */
static void on_conn(struct knell_loop *l, const struct knell_call *why, void *arg)
{
	struct conn *c = arg;

	(void)l;
	c->busy = true;
	if (why->kind != KNELL_KIND_READY) {
		if (why->io.error)
			conn_fail(c);
		c->hup |= !!(why->io.revents & (EPOLLHUP | EPOLLERR));
	}
	if (why->kind == KNELL_KIND_READ && !c->failed)
		conn_receive(c);
	conn_run(c);
}

/* There is something to send, or its call is answered: it gets its turn, and what else this
 * pass of the loop has to say goes with it. */
void conn_kick(struct conn *c)
{
	struct knell_loop *l = c->server->loop;

	if (c->busy || knell_pending(l, c->ready))
		return;
	c->ready = knell_add_ready(l, on_conn, c, 0);
	if (!knell_is_none(c->ready))
		return;
	conn_fail(c);
	/* Without a call there is nobody to be told, and with one the next reply comes here. */
	if (!c->call && !knell_pending(l, c->read) && !knell_pending(l, c->write))
		conn_close(c);
}

int conn_new(struct varlink_server *s, int fd, const struct varlink_peer *peer)
{
	struct conn *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->server = s;
	c->fd = fd;
	c->peer = *peer;
	c->read = knell_add_read(s->loop, on_conn, c, fd);
	if (knell_is_none(c->read)) {
		free(c);
		return -ENOMEM;
	}
	c->next = s->conns;
	if (c->next)
		c->next->prev = c;
	s->conns = c;
	return 0;
}
