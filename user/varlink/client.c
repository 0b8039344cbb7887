// SPDX-License-Identifier: GPL-2.0-only
/* A client that waits for its replies. */
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "internal.h"

/* No reply is larger. */
#define REPLY_MAX	(64U << 20)

__attribute__((format(printf, 3, 4)))
static int fail(struct varlink_client *c, int err, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(c->error, sizeof(c->error), fmt, args);
	va_end(args);
	return err;
}

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * INT64_C(1000) + ts.tv_nsec / 1000000;
}

/* Until bytes can be read or sent. @until: 0 is for ever. */
static int await(struct varlink_client *c, short events, int64_t until)
{
	struct pollfd p = { .fd = c->fd, .events = events };
	int64_t left = -1;
	int n;

	do {
		if (until) {
			left = until - now_ms();
			if (left < 0)
				left = 0;
		}
		n = poll(&p, 1, left);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return fail(c, -errno, "%s: %s", c->path, strerror(errno));
	if (!n)
		return fail(c, -ETIMEDOUT, "%s: no answer within %d.%03d s", c->path,
			    c->timeout_ms / 1000, c->timeout_ms % 1000);
	return 0;
}

/* Not early: of the millisecond that it is, a part has gone by. */
static int64_t deadline(const struct varlink_client *c)
{
	return c->timeout_ms < 0 ? 0 : now_ms() + 1 + c->timeout_ms;
}

int varlink_connect(struct varlink_client *c, const char *path, int timeout_ms)
{
	const struct timeval tv = { timeout_ms / 1000, timeout_ms % 1000 * 1000 };
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int err;

	*c = (struct varlink_client){ .path = path, .timeout_ms = timeout_ms, .fd = -1 };
	if (strlen(path) >= sizeof(addr.sun_path))
		return fail(c, -ENAMETOOLONG, "cannot connect to %s: %s", path,
			    strerror(ENAMETOOLONG));
	strcpy(addr.sun_path, path);
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		return fail(c, -errno, "cannot make a socket: %s", strerror(errno));
	/* Waits while too many others do, too; 0 would be for ever. */
	if (timeout_ms > 0)
		setsockopt(c->fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
	while (connect(c->fd, (const struct sockaddr *)&addr, sizeof(addr))) {
		err = errno == EAGAIN ? ETIMEDOUT : errno;
		if (err == EINTR)
			continue;
		return fail(c, -err, "cannot connect to %s: %s%s", path, strerror(err),
			    err == ENOENT || err == ECONNREFUSED ? "; is knelld running?" : "");
	}
	return 0;
}

static void forget_failure(struct varlink_client *c)
{
	json_decref(c->failure);
	c->failure = NULL;
	c->error_name = NULL;
	c->error_params = NULL;
	c->error[0] = 0;
}

void varlink_close(struct varlink_client *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	buf_free(&c->in);
	json_decref(c->failure);
	c->failure = NULL;
}

static int send_all(struct varlink_client *c, struct varlink_buf *b)
{
	int64_t until = deadline(c);
	ssize_t n;
	int err;

	while (buf_left(b)) {
		n = send(c->fd, b->data + b->pos, buf_left(b), MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n > 0) {
			buf_take(b, n);
		} else if (errno == EAGAIN) {
			err = await(c, POLLOUT, until);
			if (err)
				return err;
		} else if (errno != EINTR) {
			return fail(c, -EPIPE, "%s: the server has closed the connection",
				    c->path);
		}
	}
	return 0;
}

/* Takes @params. @how: "more", "oneway" or NULL. */
static int send_call(struct varlink_client *c, const char *method, json_t *params, const char *how)
{
	json_t *call = json_pack("{ss so*}", "method", method, "parameters", params);
	struct varlink_buf b = { 0 };
	int err = -ENOMEM;

	forget_failure(c);
	if (call && params && (!how || !json_object_set_new(call, how, json_true())))
		err = message_put(&b, call);
	json_decref(call);
	err = err ? fail(c, err, "%s", strerror(-err)) : send_all(c, &b);
	buf_free(&b);
	return err;
}

/* Bytes, until there is a whole message: its length is returned. */
static ssize_t receive(struct varlink_client *c)
{
	int64_t until = deadline(c);
	size_t seen = 0, room;
	const char *nul;
	ssize_t n;
	int err;

	while (true) {
		nul = buf_left(&c->in) <= seen ? NULL :
			memchr(c->in.data + c->in.pos + seen, 0, buf_left(&c->in) - seen);
		if (nul)
			return nul - (c->in.data + c->in.pos);
		seen = buf_left(&c->in);
		room = buf_room(&c->in, 1, REPLY_MAX);
		if (!room)
			return fail(c, -ENOMEM, "%s: the answer is too large", c->path);
		err = await(c, POLLIN, until);
		if (err)
			return err;
		n = recv(c->fd, c->in.data + c->in.len, room, MSG_DONTWAIT);
		if (n > 0)
			c->in.len += n;
		else if (!n || (errno != EAGAIN && errno != EINTR))
			return fail(c, -EPIPE, "%s: the server has closed the connection",
				    c->path);
	}
}

/* "interface.Error: {...}" */
static int server_error(struct varlink_client *c, json_t *reply)
{
	char *params;

	c->failure = reply;
	c->error_name = json_string_value(json_object_get(reply, "error"));
	c->error_params = json_object_get(reply, "parameters");
	params = json_object_size(c->error_params) ?
		json_dumps(c->error_params, JSON_COMPACT) : NULL;
	fail(c, 0, "%s%s%s", c->error_name, params ? ": " : "", params ? params : "");
	free(params);
	return -EREMOTEIO;
}

int varlink_next(struct varlink_client *c, json_t **reply)
{
	json_t *message, *params;
	ssize_t len;
	int more;

	forget_failure(c);
	if (reply)
		*reply = NULL;
	len = receive(c);
	if (len < 0)
		return len;
	message = message_parse(c->in.data + c->in.pos, len, NULL);
	buf_take(&c->in, len + 1);
	params = json_object_get(message, "parameters");
	if (!message || (params && !json_is_object(params))) {
		json_decref(message);
		return fail(c, -EPROTO, "%s: the answer is not Varlink", c->path);
	}
	if (json_is_string(json_object_get(message, "error")))
		return server_error(c, message);
	more = json_is_true(json_object_get(message, "continues"));
	if (reply) {
		*reply = params ? json_incref(params) : json_object();
		if (!*reply)
			more = fail(c, -ENOMEM, "%s", strerror(ENOMEM));
	}
	json_decref(message);
	return more;
}

int varlink_wait(const struct varlink_client *c, int timeout_ms)
{
	struct pollfd p = { .fd = c->fd, .events = POLLIN };

	if (buf_left(&c->in) && memchr(c->in.data + c->in.pos, 0, buf_left(&c->in)))
		return 1;
	return poll(&p, 1, timeout_ms) > 0;
}

int varlink_call(struct varlink_client *c, const char *method, json_t *params, json_t **reply)
{
	int err = send_call(c, method, params, NULL);

	if (reply)
		*reply = NULL;
	if (err)
		return err;
	err = varlink_next(c, reply);
	if (err <= 0)
		return err;
	if (reply) {
		json_decref(*reply);
		*reply = NULL;
	}
	return fail(c, -EPROTO, "%s: more answers than were asked for", c->path);
}

int varlink_oneway(struct varlink_client *c, const char *method, json_t *params)
{
	return send_call(c, method, params, "oneway");
}

int varlink_call_many(struct varlink_client *c, const char *method, json_t *params)
{
	return send_call(c, method, params, "more");
}
