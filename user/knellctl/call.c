// SPDX-License-Identifier: GPL-2.0-only
/* Talks to knelld. One connection, made when it is needed first, is enough. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "knellctl.h"
#include "varlink.h"

#define INTERFACE	"io.knell.Manager."
/* What does not wait for a job is answered at once by a manager that is in its senses. */
#define TIMEOUT_MS	90000

static struct varlink_client client, waiting;
static bool connected, streaming;

/* What an error means for a script, and for a person; "%" stands for the name that was given. */
static const struct {
	const char *name;
	int status;
	const char *words;
} errors[] = {
	{ INTERFACE "NoSuchUnit", EX_NO_UNIT, "no such unit" },
	{ INTERFACE "BadName", EX_NO_UNIT, "not a name of a unit" },
	{ INTERFACE "UnitRefused", EX_REFUSED, "its files forbid it" },
	{ INTERFACE "Contradiction", EX_FAILED, "contradicts other jobs" },
	{ INTERFACE "NotApplicable", EX_NOT_DONE, "this unit does not do that" },
	{ INTERFACE "NoSuchJob", EX_FAILED, "no such job" },
	{ INTERFACE "NoProcess", EX_FAILED, "it has no such process" },
	{ INTERFACE "ShuttingDown", EX_FAILED, "everything is being stopped" },
	{ INTERFACE "NotSupported", EX_FAILED, "not supported here" },
	{ INTERFACE "SystemError", EX_FAILED, "the system refused" },
	{ INTERFACE "Busy", EX_FAILED, "knelld is busy: there are as many as there may be" },
	{ VARLINK_DENIED, EX_DENIED, "permission denied" },
	{ VARLINK_NO_INTERFACE, EX_FAILED, "what listens there is not knelld" },
	{ VARLINK_NO_METHOD, EX_NOT_DONE, "this knelld does not know that" },
	{ VARLINK_NOT_IMPLEMENTED, EX_NOT_DONE, "this knelld cannot do that" },
	{ VARLINK_BAD_PARAMETER, EX_USAGE, "knelld did not understand" },
};

static const char *bare(const char *error)
{
	size_t len = strlen(INTERFACE);

	return !strncmp(error, INTERFACE, len) ? error + len : error;
}

static size_t error_index(const char *error)
{
	size_t i = 0;

	while (i < ARRAY_SIZE(errors) && strcmp(bare(errors[i].name), bare(error)))
		i++;
	return i;
}

int error_status(const char *error)
{
	size_t i = error_index(error);

	return i < ARRAY_SIZE(errors) ? errors[i].status : EX_FAILED;
}

const char *error_words(const char *error)
{
	size_t i = error_index(error);

	return i < ARRAY_SIZE(errors) ? errors[i].words : bare(error);
}

static const char *socket_path(void)
{
	static char *path;
	const char *dir;

	if (opt.socket)
		return opt.socket;
	if (!path) {
		dir = getenv("XDG_RUNTIME_DIR");
		path = !opt.user ? xstrdup("/run/knell/control") :
			dir && *dir == '/' ? xasprintf("%s/knell/control", dir) : xstrdup("");
	}
	return path;
}

static struct varlink_client *current(void)
{
	return streaming ? &waiting : &client;
}

static int connect_to(struct varlink_client *c, int timeout_ms)
{
	int err;

	if (!*socket_path()) {
		complain("--user: XDG_RUNTIME_DIR is not set");
		exit(EX_FAILED);
	}
	err = varlink_connect(c, socket_path(), timeout_ms);
	if (err < 0)
		varlink_close(c);
	return err;
}

static int connected_client(void)
{
	int err = 0;

	streaming = false;
	if (!connected)
		err = connect_to(&client, TIMEOUT_MS);
	connected = !err;
	return err;
}

bool call_possible(void)
{
	return !connected_client();
}

void call_close(void)
{
	if (connected)
		varlink_close(&client);
	connected = false;
}

static char *full_name(const char *method)
{
	return xasprintf(INTERFACE "%s", method);
}

int call(const char *method, json_t *params, json_t **reply)
{
	int err = connected_client();
	char *name;

	if (err < 0) {
		json_decref(params);
		return err;
	}
	name = full_name(method);
	err = varlink_call(&client, name, params ? params : json_object(), reply);
	free(name);
	return err;
}

/* On a connection of its own: others may be called meanwhile. */
int call_many(const char *method, json_t *params)
{
	int err = connect_to(&waiting, -1);
	char *name;

	streaming = true;
	if (err < 0) {
		json_decref(params);
		return err;
	}
	name = full_name(method);
	err = varlink_call_many(&waiting, name, params ? params : json_object());
	free(name);
	return err;
}

int call_next(json_t **reply)
{
	int more = varlink_next(&waiting, reply);

	streaming = true;
	return more;
}

int call_wait(int timeout_ms)
{
	return varlink_wait(&waiting, timeout_ms);
}

const char *call_error(void)
{
	const char *name = current()->error_name;

	return bare(name ? name : "");
}

bool call_error_is(const char *name)
{
	return !strcmp(call_error(), name);
}

static int refused(void)
{
	const json_t *params = current()->error_params;
	const char *error = call_error(), *name = get_str(params, "name"),
		   *text = get_str(params, "text");

	if (!*name)
		name = get_str(params, "parameter");
	complain("%s%s%s%s%s", name, *name ? ": " : "", error_words(error), *text ? ": " : "",
		 text);
	return error_status(error);
}

int call_failed(int err)
{
	if (err == -EREMOTEIO)
		return refused();
	if (err == -ENOENT || err == -ECONNREFUSED)
		complain("knelld does not run: nobody listens at %s", socket_path());
	else if (err == -EACCES || err == -EPERM)
		complain("%s: permission denied", socket_path());
	else if (err == -EPIPE || err == -ECONNRESET)
		complain("knelld has hung up: it has ended, or was started anew");
	else if (err == -ETIMEDOUT)
		complain("knelld does not answer");
	else if (err == -EPROTO)
		complain("%s: what listens there does not speak Varlink", socket_path());
	else
		complain("%s: %s", socket_path(), strerror(-err));
	return err == -EACCES || err == -EPERM ? EX_DENIED : EX_FAILED;
}

int call_or_say(const char *method, json_t *params, json_t **reply)
{
	int err = call(method, params, reply);

	return err < 0 ? call_failed(err) : EX_OK;
}

const json_t *get(const json_t *o, const char *path)
{
	char key[64];
	size_t len;

	while (o && *path) {
		len = strcspn(path, ".");
		if (len >= sizeof(key))
			return NULL;
		memcpy(key, path, len);
		key[len] = '\0';
		o = json_object_get(o, key);
		path += len + (path[len] == '.');
	}
	return o && !json_is_null(o) ? o : NULL;
}

const char *get_str(const json_t *o, const char *path)
{
	const char *s = json_string_value(get(o, path));

	return s ? s : "";
}

json_int_t get_int(const json_t *o, const char *path)
{
	return json_integer_value(get(o, path));
}

bool get_bool(const json_t *o, const char *path)
{
	return json_is_true(get(o, path));
}

size_t get_size(const json_t *o, const char *path)
{
	return json_array_size(get(o, path));
}

bool has(const json_t *o, const char *path)
{
	return get(o, path);
}

bool is_str(const json_t *o, const char *path, const char *s)
{
	return !strcmp(get_str(o, path), s);
}
