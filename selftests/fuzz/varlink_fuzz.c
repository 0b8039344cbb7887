// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a client may send a Varlink server, in pieces, by a socket: each call that wants an answer
 * has exactly one, which is its own, in the order of the calls, until one comes that ends the
 * connection; what is held meanwhile has a bound, and nothing of it stays.
 */
#include <errno.h>
#include <sanitizer/allocator_interface.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "fuzz.h"
#include "unit_load.h"
#include "varlink.h"

#define DEPTH		8
#define VALUES		48
#define CALLS		8	/* that wait */
#define HELD_MAX	(256U << 10)
#define STREAMED	3
#define PREFIX		"io.knell.fuzz."

static struct knell_loop *loop;
static struct varlink_server *server;
static struct varlink_call *waits;
static struct sockaddr_un address = { .sun_family = AF_UNIX };
static socklen_t address_len = sizeof(sa_family_t);
static size_t idle;		/* bytes allocated while there is no client */

/* What has come, a NUL behind each. */
static char came[1 << 20];
static size_t len_came;
static bool closed;

/* The methods of an interface. */

static void echo(struct varlink_call *call, json_t *params, void *arg)
{
	(void)arg;
	CHECK(varlink_call_params(call) == params, "whose parameters");
	varlink_reply(call, json_pack("{sO}", "all", params));
}

static void on_gone(struct varlink_call *call, void *arg)
{
	(void)arg;
	CHECK(waits == call, "another call is gone");
	waits = NULL;
	varlink_drop(call);
}

static void later(struct varlink_call *call, json_t *params, void *arg)
{
	(void)params;
	(void)arg;
	CHECK(!waits, "two calls of a connection at a time");
	waits = call;
	varlink_call_on_gone(call, on_gone, NULL);
}

static void many(struct varlink_call *call, json_t *params, void *arg)
{
	(void)params;
	(void)arg;
	for (int i = 0; i < STREAMED; i++)
		varlink_continue(call, json_pack("{si}", "n", i));
	varlink_reply(call, json_pack("{si}", "n", -1));
}

static void big(struct varlink_call *call, json_t *params, void *arg)
{
	char text[3000];

	(void)params;
	(void)arg;
	memset(text, 'x', sizeof(text));
	varlink_reply(call, json_pack("{so}", "text", varlink_text(text, sizeof(text))));
}

static void drop(struct varlink_call *call, json_t *params, void *arg)
{
	(void)params;
	(void)arg;
	varlink_drop(call);
}

static const struct varlink_param all_types[] = {
	{ "bool", VARLINK_BOOL, true }, { "int", VARLINK_INT, true },
	{ "float", VARLINK_FLOAT, true }, { "string", VARLINK_STRING, true },
	{ "object", VARLINK_OBJECT, true }, { "array", VARLINK_ARRAY, true },
	{ "strings", VARLINK_STRINGS, true }, { 0 }
};
static const struct varlink_param one_number[] = { { "id", VARLINK_INT, false }, { 0 } };

static const struct varlink_method methods[] = {
	{ "Echo", echo, all_types, 0 }, { "Later", later, one_number, 0 },
	{ "Many", many, NULL, VARLINK_MORE }, { "Secret", echo, NULL, VARLINK_PRIVILEGED },
	{ "Big", big, NULL, 0 }, { "Drop", drop, NULL, 0 }, { "Missing", NULL, NULL, 0 }, { 0 }
};
static const struct varlink_interface interface = {
	"io.knell.fuzz", "interface io.knell.fuzz", methods
};
static const struct varlink_interface *const interfaces[] = { &interface, NULL };

static void receive(int fd)
{
	ssize_t n = 1;

	while (!closed && n > 0) {
		n = recv(fd, came + len_came, sizeof(came) - len_came, MSG_DONTWAIT);
		closed = !n || (n < 0 && errno == ECONNRESET);
		len_came += n > 0 ? n : 0;
		CHECK(len_came < sizeof(came), "so much for an answer");
	}
}

static bool dispatches(void)
{
	struct knell_stats before, after;

	knell_stats_get(loop, &before);
	knell_loop_run(loop, KNELL_RUN_NOWAIT);
	knell_loop_run(loop, KNELL_RUN_NOWAIT);
	knell_stats_get(loop, &after);
	return before.dispatched != after.dispatched;
}

/* Until the server has nothing to do but wait for more; what waits for its answer gets it then. */
static void settle(int fd)
{
	struct varlink_call *call;

	do {
		while (dispatches())
			if (fd >= 0)
				receive(fd);
		CHECK(__sanitizer_get_current_allocated_bytes() < idle + HELD_MAX, "too much held");
		call = waits;
		waits = NULL;
		if (call) {
			varlink_call_on_gone(call, NULL, NULL);
			varlink_reply(call, json_pack("{sO}", "all", varlink_call_params(call)));
		}
	} while (call);
	if (fd >= 0)
		receive(fd);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static const struct knell_loop_attr how = { .backend = KNELL_BACKEND_PIDFD };
	struct varlink_server_attr attr = {
		.has_fd = true, .owner = geteuid(), .vendor = "knell", .product = "fuzz",
		.version = "1", .url = "file:///", .interfaces = interfaces,
		.limits = { .output = 4096, .depth = DEPTH, .values = VALUES, .calls = CALLS },
	};

	(void)argc;
	(void)argv;
	json_object_seed(1);
	loop = knell_loop_new(&how);
	/* An address that the kernel chooses, and no file. */
	attr.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	CHECK(!bind(attr.fd, (struct sockaddr *)&address, address_len), "%s", strerror(errno));
	address_len = sizeof(address);
	getsockname(attr.fd, (struct sockaddr *)&address, &address_len);
	CHECK(!listen(attr.fd, 8), "%s", strerror(errno));
	CHECK(!varlink_server_new(loop, &attr, &server), "no server");
	settle(-1);
	return 0;
}

/* What is expected, by another way than the server's: from what the JSON has become. */

static size_t depth_of(const json_t *v)
{
	size_t i, deepest = 0, deep;
	const char *key;
	json_t *child;

	if (json_is_array(v)) {
		json_array_foreach(v, i, child)
			deepest = (deep = depth_of(child)) > deepest ? deep : deepest;
	} else if (json_is_object(v)) {
		json_object_foreach((json_t *)v, key, child)
			deepest = (deep = depth_of(child)) > deepest ? deep : deepest;
	} else {
		return 0;
	}
	return deepest + 1;
}

/* Brackets that open, and commas. */
static size_t values_of(const json_t *v)
{
	size_t i, sum = 0, nr = json_is_array(v) ? json_array_size(v) : json_object_size(v);
	const char *key;
	json_t *child;

	if (!json_is_array(v) && !json_is_object(v))
		return 0;
	json_array_foreach(v, i, child)
		sum += values_of(child);
	json_object_foreach((json_t *)v, key, child)
		sum += values_of(child);
	return sum + 1 + (nr ? nr - 1 : 0);
}

static bool is_true(const json_t *message, const char *key)
{
	return json_is_true(json_object_get(message, key));
}

static bool ends_connection(const json_t *m)
{
	const char *method = json_string_value(json_object_get(m, "method"));
	const json_t *params = json_object_get(m, "parameters"), *upgrade, *more, *oneway;

	if (!json_is_object(m) || depth_of(m) > DEPTH || 1 + values_of(m) > VALUES ||
	    (is_true(m, "more") && is_true(m, "oneway")))
		return true;
	upgrade = json_object_get(m, "upgrade");
	more = json_object_get(m, "more");
	oneway = json_object_get(m, "oneway");
	/* This one asks for it, unless there is something wrong with it. */
	return method && !strcmp(method, PREFIX "Drop") && !json_is_true(oneway) &&
	       (!params || json_is_null(params) ||
		(json_is_object(params) && !json_object_size(params))) &&
	       (!upgrade || json_is_null(upgrade) || json_is_false(upgrade)) &&
	       (!more || json_is_null(more) || json_is_boolean(more)) &&
	       (!oneway || json_is_null(oneway) || json_is_boolean(oneway));
}

/* The same but for members that are null, which may be left out. */
static bool is_echo(const json_t *all, const json_t *params)
{
	const char *key;
	json_t *value;
	size_t nr = 0;

	if (json_is_null(params))
		params = NULL;
	json_object_foreach((json_t *)params, key, value) {
		if (!json_is_null(value) && !json_equal(json_object_get(all, key), value))
			return false;
		nr += !json_is_null(value);
	}
	return json_object_size(all) == nr;
}

/* The replies to @m from *@at on; false: they are not all there. */
static bool take_replies(const json_t *m, size_t *at)
{
	bool more = is_true(m, "more"), last;
	const json_t *error, *params, *all;
	json_t *reply;

	do {
		const char *text = came + *at;
		size_t len = strnlen(text, len_came - *at);

		if (*at + len == len_came)
			return false;
		reply = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
		CHECK(json_is_object(reply), "%s", text);
		params = json_object_get(reply, "parameters");
		error = json_object_get(reply, "error");
		CHECK(json_is_object(params), "%s", text);
		CHECK(!error || json_is_string(error), "%s", text);
		all = json_object_get(params, "all");
		CHECK(!all || is_echo(all, json_object_get(m, "parameters")), "%s", text);
		last = !json_object_get(reply, "continues");
		CHECK(last || (more && !error), "%s", text);
		json_decref(reply);
		*at += len + 1;
	} while (!last);
	return true;
}

static void check_answers(const char *sent, size_t size)
{
	const char *end = sent + size, *nul;
	size_t at = 0, nr = 0, missing = 0;
	bool ended = false;

	for (const char *p = sent; (nul = memchr(p, 0, end - p)); p = nul + 1)
		nr++;

	for (; !ended && (nul = memchr(sent, 0, end - sent)); sent = nul + 1) {
		json_t *m = json_loadb(sent, nul - sent, JSON_REJECT_DUPLICATES, NULL);

		ended = ends_connection(m);
		if (!ended && !is_true(m, "oneway"))
			missing += !take_replies(m, &at);
		json_decref(m);
	}
	CHECK(at == len_came, "%s is an answer to nothing", came + at);
	CHECK(!ended || closed, "the connection goes on");
	/* Too many that wait are a reason, too. */
	CHECK(nr > CALLS || !missing, "%zu without an answer", missing);
	CHECK(nr > CALLS || !closed || ended, "the connection was ended");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t piece = 1 + text_hash((const char *)data, size) % (size + 1), len;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	idle = __sanitizer_get_current_allocated_bytes();
	len_came = 0;
	closed = false;
	CHECK(!connect(fd, (struct sockaddr *)&address, address_len), "%s", strerror(errno));
	for (size_t at = 0; at < size && !closed; at += len) {
		len = piece < size - at ? piece : size - at;
		/* It may have been closed just now. */
		if (send(fd, data + at, len, MSG_NOSIGNAL) < 0)
			CHECK(errno == EPIPE || errno == ECONNRESET, "%s", strerror(errno));
		settle(fd);
	}
	check_answers((const char *)data, size);
	close(fd);
	settle(-1);
	CHECK(!varlink_server_stats(server).connections, "a connection is left");
	CHECK(__sanitizer_get_current_allocated_bytes() <= idle + 4096, "memory is left");
	return 0;
}
