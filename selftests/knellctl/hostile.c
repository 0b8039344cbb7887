// SPDX-License-Identifier: GPL-2.0-only
/*
 * Calls whatever the interface has with whatever parameters there can be, and many that cannot; hangs
 * up in the middle; looks whether each reply is as the interface has it.
 *
 * usage: hostile SOCKET TEXT SEED ROUNDS	(exit status 1: a reply was not, or there was none)
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "conform.h"
#include "varlink.h"

#define INTERFACE "io.knell.Manager."

/* Calls that have been made and not answered, of which some never will be. */
#define KEPT 20

static unsigned int seed;
static const char *path;
static struct varlink_client kept[KEPT];
static size_t nr_answers, nr_errors;

static int complain(const char *method, const char *what)
{
	printf("# %s: %s\n", method, what);
	return 1;
}

/* An error is one of the interface's with its own parameters, or the protocol's. */
static int check_error(const char *method, const struct varlink_client *c)
{
	const char *name = c->error_name, *wrong;

	nr_errors++;
	if (strncmp(name, INTERFACE, strlen(INTERFACE)))
		return strncmp(name, "org.varlink.service.", 20) ? complain(method, name) : 0;
	wrong = conform_error(name + strlen(INTERFACE), c->error_params);
	return wrong ? complain(method, wrong) : 0;
}

static int check(const char *method, struct varlink_client *c, int err, json_t *reply)
{
	const char *wrong = NULL;
	int bad;

	if (err == -EREMOTEIO)
		return check_error(method, c);
	/* What is too large for a call is hung up on. */
	if (err == -EPIPE)
		return 0;
	if (err < 0)
		return complain(method, c->error);
	nr_answers++;
	wrong = conform_method(method, true, reply);
	bad = wrong ? complain(method, wrong) : 0;
	json_decref(reply);
	return bad;
}

/* Would it wait for jobs that nothing ends, and us with it? */
static bool may_wait(const char *method)
{
	return strstr(method, "Units") && strcmp(method, "ListUnits");
}

static int ask(const char *method, const char *full, json_t *params)
{
	struct varlink_client c;
	json_t *reply = NULL;
	int err = varlink_connect(&c, path, 60000), bad;

	if (err) {
		json_decref(params);
		bad = complain(method, c.error);
	} else {
		if (may_wait(method))
			json_object_set_new(params, "noBlock", json_true());
		err = varlink_call(&c, full, params, &reply);
		bad = check(method, &c, err, reply);
	}
	varlink_close(&c);
	return bad;
}

/* It is looked at what has come so far when another one takes its place. */
static int ask_and_leave(const char *full, json_t *params)
{
	struct varlink_client *c = &kept[rand_r(&seed) % KEPT];

	if (c->path)
		varlink_close(c);
	if (varlink_connect(c, path, 60000)) {
		json_decref(params);
		return complain(full, c->error);
	}
	if (rand_r(&seed) % 2)
		varlink_call_many(c, full, params);
	else
		varlink_oneway(c, full, params);
	return 0;
}

/* A part of a call, or noise, and then nothing. */
static void half(const char *full, json_t *params)
{
	json_t *call = json_pack("{s:s, s:o}", "method", full, "parameters", params);
	char *text = json_dumps(call, JSON_COMPACT);
	struct varlink_client c;
	size_t len = strlen(text);

	for (int i = rand_r(&seed) % 3; i > 0; i--)
		text[(size_t)rand_r(&seed) % len] = (char)rand_r(&seed);
	if (!varlink_connect(&c, path, 60000))
		send(c.fd, text, (size_t)rand_r(&seed) % (len + 2), MSG_NOSIGNAL);
	varlink_close(&c);
	json_decref(call);
	free(text);
}

static int one(void)
{
	const char *method = conform_any_method(&seed);
	json_t *params;
	char full[128];
	int kind = rand_r(&seed) % 10;

	/* What ends it is tried elsewhere. */
	if (!strcmp(method, "Exit"))
		return 0;
	params = conform_any_params(method, &seed);
	snprintf(full, sizeof(full), INTERFACE "%s", method);
	if (kind == 0) {
		half(full, params);
		return 0;
	}
	return kind < 3 ? ask_and_leave(full, params) : ask(method, full, params);
}

int main(int argc, char **argv)
{
	int bad = 0;

	if (argc != 5)
		return 2;
	path = argv[1];
	conform_begin(argv[2]);
	seed = (unsigned int)atoi(argv[3]);
	for (int i = atoi(argv[4]); i > 0; i--)
		bad |= one();
	for (size_t i = 0; i < KEPT; i++)
		if (kept[i].path)
			varlink_close(&kept[i]);
	printf("# %zu answers, %zu errors\n", nr_answers, nr_errors);
	return bad || !nr_answers || !nr_errors;
}
