// SPDX-License-Identifier: GPL-2.0-only
/* What a call asks for, whether it may, and its replies. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

static bool has_type(const json_t *value, enum varlink_type type)
{
	static const unsigned int is[] = {
		[VARLINK_BOOL] = 1 << JSON_TRUE | 1 << JSON_FALSE,
		[VARLINK_INT] = 1 << JSON_INTEGER,
		[VARLINK_FLOAT] = 1 << JSON_REAL | 1 << JSON_INTEGER,
		[VARLINK_STRING] = 1 << JSON_STRING,
		[VARLINK_OBJECT] = 1 << JSON_OBJECT,
		[VARLINK_ARRAY] = 1 << JSON_ARRAY,
		[VARLINK_STRINGS] = 1 << JSON_ARRAY,
	};
	size_t i;
	json_t *v;

	if (type == VARLINK_STRINGS) {
		json_array_foreach(value, i, v) {
			if (!json_is_string(v))
				return false;
		}
	}
	return is[type] >> json_typeof(value) & 1;
}

/* The first of the table's parameters that is not as it says, or NULL. */
static const char *wrong(json_t *params, const struct varlink_param *p)
{
	for (; p && p->name; p++) {
		const json_t *value = json_object_get(params, p->name);

		if (p->optional && json_is_null(value))
			json_object_del(params, p->name);
		else if (value ? !has_type(value, p->type) : !p->optional)
			return p->name;
	}
	return NULL;
}

/* One that is not in the table, or NULL. */
static const char *unknown(json_t *params, const struct varlink_param *table)
{
	const char *key;
	json_t *value;

	json_object_foreach(params, key, value) {
		const struct varlink_param *p = table;

		while (p && p->name && strcmp(p->name, key))
			p++;
		if (!p || !p->name)
			return key;
	}
	return NULL;
}

static int fail(struct varlink_call *call, const char *error, const char *what, const char *name)
{
	return varlink_error(call, error, what ? json_pack("{ss}", what, name) : json_object());
}

static const struct varlink_method *method_find(const struct varlink_interface *i, const char *name)
{
	const struct varlink_method *m = i->methods;

	while (m->name && strcmp(m->name, name))
		m++;
	return m->name ? m : NULL;
}

/* Calls the handler, or answers why not. */
static void dispatch(struct varlink_call *call, const char *name)
{
	const struct varlink_server *s = call->conn->server;
	const char *dot = strrchr(name, '.'), *bad;
	const struct varlink_interface *i;
	const struct varlink_method *m;

	if (!dot) {
		fail(call, VARLINK_BAD_PARAMETER, "parameter", "method");
		return;
	}
	i = interface_find(s, name, dot - name);
	m = i ? method_find(i, dot + 1) : NULL;
	if (!i) {
		varlink_error(call, VARLINK_NO_INTERFACE,
			      json_pack("{ss%}", "interface", name, (size_t)(dot - name)));
	} else if (!m) {
		fail(call, VARLINK_NO_METHOD, "method", name);
	} else if (!m->handler) {
		fail(call, VARLINK_NOT_IMPLEMENTED, "method", name);
	} else if ((m->flags & VARLINK_PRIVILEGED) && !call->peer.privileged) {
		fail(call, VARLINK_DENIED, NULL, NULL);
	} else if ((m->flags & VARLINK_MORE) && !call->more) {
		fail(call, VARLINK_EXPECTED_MORE, NULL, NULL);
	} else {
		bad = wrong(call->params, m->params);
		if (!bad)
			bad = unknown(call->params, m->params);
		if (bad)
			varlink_bad_parameter(call, bad);
		else
			m->handler(call, call->params, s->attr.arg);
	}
}

static void call_free(struct varlink_call *call)
{
	json_decref(call->message);
	json_decref(call->params);
	free(call);
}

/* Takes @message. -EPROTO: it makes no sense, -ENOMEM. */
int call_begin(struct conn *c, json_t *message)
{
	static const struct varlink_param parts[] = {
		{ "method", VARLINK_STRING, false },
		{ "parameters", VARLINK_OBJECT, true },
		{ "more", VARLINK_BOOL, true },
		{ "oneway", VARLINK_BOOL, true },
		{ "upgrade", VARLINK_BOOL, true },
		{ 0 }
	};
	struct varlink_call *call = calloc(1, sizeof(*call));
	const char *bad = wrong(message, parts);
	json_t *params = json_object_get(message, "parameters");

	if (call) {
		call->message = message;
		call->params = json_is_object(params) ? json_incref(params) : json_object();
	}
	if (!call || !call->params) {
		json_decref(message);
		free(call);
		return -ENOMEM;
	}
	call->more = json_is_true(json_object_get(message, "more"));
	call->oneway = json_is_true(json_object_get(message, "oneway"));
	if (call->more && call->oneway) {
		call_free(call);
		return -EPROTO;
	}
	call->peer = c->peer;
	call->conn = c;
	c->call = call;
	c->server->stats.calls++;
	if (!bad && json_is_true(json_object_get(message, "upgrade")))
		bad = "upgrade";
	if (bad)
		varlink_bad_parameter(call, bad);
	else
		dispatch(call, json_string_value(json_object_get(message, "method")));
	return 0;
}

/* Its connection is no more. */
void call_gone(struct varlink_call *call)
{
	call->conn = NULL;
	if (call->gone)
		call->gone(call, call->gone_arg);
}

static json_t *make_reply(json_t *params, const char *error, bool continues)
{
	json_t *reply = json_object();
	int err = 0;

	if (!reply)
		return NULL;
	if (error)
		err |= json_object_set_new(reply, "error", json_string(error));
	err |= json_object_set(reply, "parameters", params);
	if (continues)
		err |= json_object_set_new(reply, "continues", json_true());
	if (err) {
		json_decref(reply);
		return NULL;
	}
	return reply;
}

/* Takes @params. */
static int put_reply(struct varlink_call *call, json_t *params, const char *error, bool continues)
{
	struct conn *c = call->conn;
	json_t *reply = params ? make_reply(params, error, continues) : NULL;
	int err = -EPIPE;

	if (c && call->oneway)
		err = 0;
	else if (c)
		err = reply ? message_put(&c->out, reply) : -ENOMEM;
	if (err == -ENOMEM)
		conn_fail(c);
	json_decref(reply);
	json_decref(params);
	return err;
}

static void call_end(struct varlink_call *call)
{
	struct conn *c = call->conn;

	call_free(call);
	if (c) {
		c->call = NULL;
		conn_kick(c);
	}
}

int varlink_error(struct varlink_call *call, const char *name, json_t *params)
{
	int err = put_reply(call, params, name, false);

	call_end(call);
	return err;
}

int varlink_reply(struct varlink_call *call, json_t *params)
{
	return varlink_error(call, NULL, params);
}

int varlink_bad_parameter(struct varlink_call *call, const char *name)
{
	return fail(call, VARLINK_BAD_PARAMETER, "parameter", name);
}

void varlink_drop(struct varlink_call *call)
{
	if (call->conn && !call->oneway)
		conn_fail(call->conn);
	call_end(call);
}

static bool is_full(struct conn *c)
{
	if (buf_left(&c->out) >= c->server->attr.limits.output)
		conn_relieve(c);
	return buf_left(&c->out) >= c->server->attr.limits.output;
}

int varlink_continue(struct varlink_call *call, json_t *params)
{
	struct conn *c = call->conn;
	int err;

	if (!call->more || (c && is_full(c))) {
		json_decref(params);
		if (!call->more)
			return -EINVAL;
		call->lost++;
		c->server->stats.lost++;
		return -ENOBUFS;
	}
	err = put_reply(call, params, NULL, true);
	call->lost = 0;
	if (c)
		conn_kick(c);
	return err;
}

bool varlink_call_more(const struct varlink_call *call)
{
	return call->more;
}

uint64_t varlink_call_lost(const struct varlink_call *call)
{
	return call->lost;
}

const struct varlink_peer *varlink_call_peer(const struct varlink_call *call)
{
	return &call->peer;
}

json_t *varlink_call_params(const struct varlink_call *call)
{
	return call->params;
}

void varlink_call_on_gone(struct varlink_call *call,
			  void (*gone)(struct varlink_call *call, void *arg), void *arg)
{
	call->gone = gone;
	call->gone_arg = arg;
}
