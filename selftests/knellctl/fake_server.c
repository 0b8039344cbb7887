// SPDX-License-Identifier: GPL-2.0-only
/*
 * Serves io.knell.Manager out of a file, to see what knellctl makes of any answer.
 *
 * usage: fake_server SOCKET ANSWERS CALLS TEXT
 *
 * ANSWERS is an object: under a method's name a list of cases, of which the first one is taken
 * whose "if" is part of the call's parameters (none: any):
 *	replies		the last one ends the call, unless "open": then the call stays
 *	error		parameters; a name, without the interface's
 *	vanish		end the program after the replies
 *	lie		do not check the replies by the interface
 * Calls are written to CALLS, a line each. Replies and calls have to be as TEXT, the interface,
 * has them; what is not is said on standard error, and the exit status is 3. Says "ready" once it
 * listens.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conform.h"
#include "varlink.h"

#define INTERFACE "io.knell.Manager"

static json_t *answers;
static FILE *calls;
static struct varlink_server *server;

static void __attribute__((noreturn)) end(int status)
{
	fflush(NULL);
	varlink_server_flush(server);
	_exit(status);
}

static void check(const char *what, const char *method, const char *wrong)
{
	if (!wrong)
		return;
	fprintf(stderr, "# %s of %s: %s\n", what, method, wrong);
	end(3);
}

static bool contains(json_t *params, json_t *part)
{
	const char *key;
	json_t *value;

	json_object_foreach(part, key, value)
		if (!json_equal(json_object_get(params, key), value))
			return false;
	return true;
}

static json_t *case_of(const char *method, json_t *params)
{
	json_t *list = json_object_get(answers, method), *c;
	size_t i;

	json_array_foreach(list, i, c)
		if (contains(params, json_object_get(c, "if")))
			return c;
	return NULL;
}

static void note(const char *method, struct varlink_call *call, json_t *params)
{
	json_t *line = json_pack("{s:s, s:O, s:b}", "method", method, "parameters", params, "more",
				 varlink_call_more(call));

	json_dumpf(line, calls, JSON_COMPACT | JSON_SORT_KEYS);
	fputc('\n', calls);
	fflush(calls);
	json_decref(line);
}

static void fail(struct varlink_call *call, json_t *c)
{
	json_t *params = json_object_get(c, "parameters");
	const char *name = json_string_value(json_object_get(c, "error"));
	char full[256];

	if (!strchr(name, '.'))
		check("error", name, conform_error(name, params));
	snprintf(full, sizeof(full), "%s%s", strchr(name, '.') ? "" : INTERFACE ".", name);
	varlink_error(call, full, params ? json_incref(params) : json_object());
}

static void answer(const char *method, struct varlink_call *call, json_t *params)
{
	json_t *c = case_of(method, params), *replies = json_object_get(c, "replies"), *r;
	bool stay = json_is_true(json_object_get(c, "open")),
	     vanish = json_is_true(json_object_get(c, "vanish")),
	     lie = json_is_true(json_object_get(c, "lie"));
	size_t i, nr = json_array_size(replies);

	note(method, call, params);
	check("call", method, conform_method(method, false, params));
	if (!c) {
		fprintf(stderr, "# no answer to %s\n", method);
		end(3);
	}
	json_array_foreach(replies, i, r) {
		if (!lie)
			check("reply", method, conform_method(method, true, r));
		if ((stay || vanish || i + 1 < nr) && varlink_call_more(call))
			varlink_continue(call, json_incref(r));
		else if (i + 1 == nr && !stay && !vanish)
			varlink_reply(call, json_incref(r));
	}
	if (vanish)
		end(0);
	if (json_object_get(c, "error"))
		fail(call, c);
}

#define METHODS(m)							\
	m(ListUnits) m(UnitStatus) m(ManagerStatus) m(StartUnits) m(StopUnits) m(RestartUnits)	\
	m(TryRestartUnits) m(ReloadUnits) m(KillUnit) m(ResetFailed) m(ListJobs) m(CancelJob)	\
	m(Reload) m(Reexec) m(PowerOff) m(Reboot) m(Halt) m(Exit) m(History) m(Tree) m(Timers)	\
	m(Dependencies) m(Subscribe) m(Metrics) m(BootTimes) m(Statistics)

#define HANDLER(name)							\
static void on_##name(struct varlink_call *call, json_t *params, void *arg) \
{									\
	(void)arg;							\
	answer(#name, call, params);					\
}
METHODS(HANDLER)

/* Of any method; which has which is the interface's to say. */
static const struct varlink_param params_of_all[] = {
	{ "names", VARLINK_STRINGS, true },
	{ "units", VARLINK_STRINGS, true }, { "kinds", VARLINK_STRINGS, true },
	{ "name", VARLINK_STRING, true }, { "mode", VARLINK_STRING, true },
	{ "whom", VARLINK_STRING, true }, { "filter", VARLINK_STRING, true },
	{ "noBlock", VARLINK_BOOL, true }, { "orRestart", VARLINK_BOOL, true },
	{ "cpu", VARLINK_BOOL, true }, { "signal", VARLINK_INT, true },
	{ "exits", VARLINK_INT, true }, { "lines", VARLINK_INT, true },
	{ "limit", VARLINK_INT, true }, { "id", VARLINK_INT, true },
	{ "status", VARLINK_INT, true }, { NULL, 0, false },
};

#define ENTRY(name)	{ #name, on_##name, params_of_all, 0 },
static const struct varlink_method methods[] = { METHODS(ENTRY) { NULL, NULL, NULL, 0 } };

int main(int argc, char **argv)
{
	static const struct varlink_interface interface = { INTERFACE, "interface " INTERFACE "\n",
							    methods };
	static const struct varlink_interface *const interfaces[] = { &interface, NULL };
	struct varlink_server_attr attr = {
		.path = argv[1], .mode = 0600, .owner = 0, .vendor = "", .product = "", .version = "",
		.url = "", .interfaces = interfaces,
	};
	struct knell_loop_attr loop_attr = { 0 };
	struct knell_loop *loop;
	json_error_t error;

	if (argc != 5)
		return 2;
	conform_begin(argv[4]);
	answers = json_load_file(argv[2], 0, &error);
	if (!answers) {
		fprintf(stderr, "# %s:%d: %s\n", argv[2], error.line, error.text);
		return 2;
	}
	calls = fopen(argv[3], "w");
	loop_attr.backend = KNELL_BACKEND_PIDFD;
	loop = knell_loop_new(&loop_attr);
	if (!calls || !loop || varlink_server_new(loop, &attr, &server)) {
		perror("fake_server");
		return 2;
	}
	puts("ready");
	fflush(stdout);
	knell_loop_run(loop, KNELL_RUN_DEFAULT);
	return 0;
}
