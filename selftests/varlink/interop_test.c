// SPDX-License-Identifier: GPL-2.0-only
/*
 * Debian's varlink-go, as client and as server: every method of org.varlink.certification gives
 * what the next one has to be given.
 */
#include <spawn.h>

#include "common.h"
#include "idl.h"
#include "room.h"

extern const char org_varlink_certification_varlink[];
extern char **environ;

#define PROGRAM		"varlink-go-certification"
#define PATH_OF_IT	"/usr/bin/" PROGRAM

/* What each method replies, and the parameter of the next one that has to be the same. */
static const struct {
	const char *method, *reply;
} steps[] = {
	{ "Start", "{\"client_id\":\"me\"}" },
	{ "Test01", "{\"bool\":true}" },
	{ "Test02", "{\"int\":1}" },
	{ "Test03", "{\"float\":1.0}" },
	{ "Test04", "{\"string\":\"ping\"}" },
	{ "Test05", "{\"bool\":false,\"int\":2,\"float\":3.141592653589793,"
		"\"string\":\"a lot of string\"}" },
	{ "Test06", "{\"struct\":{\"bool\":false,\"int\":2,\"float\":3.141592653589793,"
		"\"string\":\"a lot of string\"}}" },
	{ "Test07", "{\"map\":{\"bar\":\"Bar\",\"foo\":\"Foo\"}}" },
	{ "Test08", "{\"set\":{\"one\":{},\"two\":{},\"three\":{}}}" },
	{ "Test09", "{\"mytype\":{\"object\":{\"method\":\"org.varlink.certification.Test09\","
		"\"parameters\":{\"map\":{\"foo\":\"Foo\",\"bar\":\"Bar\"}}},\"enum\":\"two\","
		"\"struct\":{\"first\":1,\"second\":\"2\"},\"array\":[\"one\",\"two\",\"three\"],"
		"\"dictionary\":{\"foo\":\"Foo\",\"bar\":\"Bar\"},"
		"\"stringset\":{\"one\":{},\"two\":{},\"three\":{}},"
		"\"interface\":{\"foo\":[{},{\"foo\":\"foo\",\"bar\":\"bar\"}],"
		"\"anon\":{\"foo\":true,\"bar\":false}}}}" },
	{ "Test10", "{\"string\":\"Reply number 10\"}" },
	{ "Test11", "{}" },
	{ "End", "{\"all_ok\":true}" },
};

struct certified {
	struct varlink_server *server;
	unsigned int step, rejected;
	bool done;
};

/* @got has all that @want has, and but for null nothing else; an array's objects may be null. */
static bool is_same(const json_t *want, const json_t *got)
{
	const char *key;
	json_t *value;
	size_t i;

	if (json_is_object(want) && json_is_object(got)) {
		json_object_foreach((json_t *)want, key, value) {
			if (!is_same(value, json_object_get(got, key)))
				return false;
		}
		json_object_foreach((json_t *)got, key, value) {
			if (!json_is_null(value) && !json_object_get(want, key))
				return false;
		}
		return true;
	}
	if (json_is_array(want) && json_array_size(want) == json_array_size(got)) {
		json_array_foreach(want, i, value) {
			if (!is_same(value, json_array_get(got, i)))
				return false;
		}
		return true;
	}
	if (json_is_number(want) && json_is_number(got))
		return json_number_value(want) == json_number_value(got);
	return json_equal(want, got);
}

/* What method @step has to be given. */
static json_t *expected(unsigned int step)
{
	json_t *all = step ? json_loads(steps[step - 1].reply, 0, NULL) : json_object(), *replies;

	if (step == 11) {
		json_object_clear(all);
		replies = json_array();
		for (int i = 1; i <= 10; i++)
			json_array_append_new(replies, json_sprintf("Reply number %d", i));
		json_object_set_new(all, "last_more_replies", replies);
	}
	if (step)
		json_object_set_new(all, "client_id", json_string("me"));
	return all;
}

static void certify(struct varlink_call *call, json_t *params, struct certified *c,
		    unsigned int step)
{
	json_t *want = expected(step);

	if (step != c->step || !is_same(want, params) || (step == 10 && !varlink_call_more(call))) {
		c->rejected++;
		varlink_error(call, "org.varlink.certification.CertificationError",
			      json_pack("{sOsO}", "wants", want, "got", params));
		json_decref(want);
		return;
	}
	json_decref(want);
	c->step++;
	c->done = step == ARRAY_SIZE(steps) - 1;
	if (step == 10) {
		for (int i = 1; i < 10; i++)
			varlink_continue(call, json_pack("{so}", "string",
							 json_sprintf("Reply number %d", i)));
	}
	varlink_reply(call, json_loads(steps[step].reply, 0, NULL));
}

#define STEP(n)									\
	static void step_##n(struct varlink_call *call, json_t *params, void *arg) \
	{									\
		certify(call, params, arg, n);					\
	}
STEP(0) STEP(1) STEP(2) STEP(3) STEP(4) STEP(5) STEP(6) STEP(7) STEP(8) STEP(9) STEP(10) STEP(11)
STEP(12)

#define ID	{ "client_id", VARLINK_STRING, false }
#define PARAMS(n, ...)								\
	static const struct varlink_param params_##n[] = { ID, __VA_ARGS__ { 0 } }
PARAMS(1, );
PARAMS(2, { "bool", VARLINK_BOOL, false },);
PARAMS(3, { "int", VARLINK_INT, false },);
PARAMS(4, { "float", VARLINK_FLOAT, false },);
PARAMS(5, { "string", VARLINK_STRING, false },);
PARAMS(6, { "bool", VARLINK_BOOL, false }, { "int", VARLINK_INT, false },
       { "float", VARLINK_FLOAT, false }, { "string", VARLINK_STRING, false },);
PARAMS(7, { "struct", VARLINK_OBJECT, false },);
PARAMS(8, { "map", VARLINK_OBJECT, false },);
PARAMS(9, { "set", VARLINK_OBJECT, false },);
PARAMS(10, { "mytype", VARLINK_OBJECT, false },);
PARAMS(11, { "last_more_replies", VARLINK_STRINGS, false },);

static const struct varlink_method methods[] = {
	{ "Start", step_0, NULL, 0 }, { "Test01", step_1, params_1, 0 },
	{ "Test02", step_2, params_2, 0 }, { "Test03", step_3, params_3, 0 },
	{ "Test04", step_4, params_4, 0 }, { "Test05", step_5, params_5, 0 },
	{ "Test06", step_6, params_6, 0 }, { "Test07", step_7, params_7, 0 },
	{ "Test08", step_8, params_8, 0 }, { "Test09", step_9, params_9, 0 },
	{ "Test10", step_10, params_10, VARLINK_MORE }, { "Test11", step_11, params_11, 0 },
	{ "End", step_12, params_1, 0 }, { 0 }
};

static const struct varlink_interface certification = {
	"org.varlink.certification", org_varlink_certification_varlink, methods
};

ROOM_FIXTURE(interop);

/* Starts it with those arguments, its output into @file. */
static pid_t start(const char *file, char **argv)
{
	posix_spawn_file_actions_t to;
	pid_t pid;

	posix_spawn_file_actions_init(&to);
	posix_spawn_file_actions_addopen(&to, 1, file, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	posix_spawn_file_actions_adddup2(&to, 1, 2);
	if (posix_spawn(&pid, PATH_OF_IT, &to, NULL, argv, environ))
		pid = -1;
	posix_spawn_file_actions_destroy(&to);
	return pid;
}

static void ended(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	*(int *)arg = call->child->wstatus;
	knell_loop_stop(l);
}

ROOM_TEST(interop, somebody_elses_client)
{
	static const struct varlink_interface *const interfaces[] = { &certification, NULL };
	struct room *r = &self->r;
	char address[120], file[100], why[200];
	char *argv[] = { (char *)PROGRAM, address, (char *)"--client", NULL };
	struct certified c = { 0 };
	int status = -1;
	pid_t pid;

	ASSERT_EQ(0, access(PATH_OF_IT, X_OK));
	ASSERT_EQ(0, idl_check(certification.description, &certification, why, sizeof(why)))
		TH_LOG("%s", why);
	varlink_server_free(r->server);
	r->attr.interfaces = interfaces;
	r->attr.arg = &c;
	ASSERT_EQ(0, varlink_server_new(r->l, &r->attr, &r->server));
	snprintf(address, sizeof(address), "--varlink=unix:%s", r->path);
	snprintf(file, sizeof(file), "%s/output", r->dir);
	pid = start(file, argv);
	ASSERT_LT(0, pid);
	ASSERT_TASK(knell_add_child(r->l, ended, &status, pid, KNELL_CHILD_AUTOREAP));
	ASSERT_LE(0, knell_loop_run(r->l, KNELL_RUN_DEFAULT));
	EXPECT_EQ(0, status);
	EXPECT_TRUE(c.done);
	EXPECT_EQ(0, c.rejected);
	EXPECT_EQ(ARRAY_SIZE(steps), c.step);
	unlink(file);
}

/* Its socket is there a moment after it was started; nothing tells when. */
static int connect_soon(struct varlink_client *c, const char *path)
{
	int err;

	while ((err = varlink_connect(c, path, -1)) == -ENOENT || err == -ECONNREFUSED) {
		varlink_close(c);
		sleep_ns(5 * MSEC);
	}
	return err;
}

ROOM_TEST(interop, somebody_elses_server)
{
	json_t *params = json_object(), *reply, *id = NULL, *replies;
	char address[120], file[100], path[100], name[64];
	char *argv[] = { (char *)PROGRAM, address, NULL };
	struct varlink_client c;
	int more;
	pid_t pid;

	ASSERT_EQ(0, access(PATH_OF_IT, X_OK));
	snprintf(path, sizeof(path), "%s/theirs", self->r.dir);
	snprintf(address, sizeof(address), "--varlink=unix:%s", path);
	snprintf(file, sizeof(file), "%s/output", self->r.dir);
	pid = start(file, argv);
	ASSERT_LT(0, pid);
	ASSERT_EQ(0, connect_soon(&c, path));
	for (unsigned int i = 0; i < ARRAY_SIZE(steps); i++) {
		snprintf(name, sizeof(name), "org.varlink.certification.%s", steps[i].method);
		if (id)
			json_object_set(params, "client_id", id);
		replies = json_array();
		if (i == 10) {
			ASSERT_EQ(0, varlink_call_many(&c, name, params));
			while ((more = varlink_next(&c, &reply)) == 1) {
				json_array_append(replies, json_object_get(reply, "string"));
				json_decref(reply);
			}
			ASSERT_EQ(0, more);
			json_array_append(replies, json_object_get(reply, "string"));
			EXPECT_EQ(10, json_array_size(replies));
			json_decref(reply);
			reply = json_pack("{sO}", "last_more_replies", replies);
		} else if (i == 11) {
			ASSERT_EQ(0, varlink_oneway(&c, name, params));
			reply = json_object();
		} else {
			ASSERT_EQ(0, varlink_call(&c, name, params, &reply))
				TH_LOG("%s: %s", name, c.error);
		}
		json_decref(replies);
		if (!i)
			id = json_incref(json_object_get(reply, "client_id"));
		params = reply;
	}
	EXPECT_TRUE(json_is_true(json_object_get(params, "all_ok")));
	json_decref(params);
	json_decref(id);
	EXPECT_EQ(-EREMOTEIO, varlink_call(&c, "org.varlink.certification.Test01",
					   json_pack("{ss}", "client_id", "nobody"), NULL));
	EXPECT_STREQ("org.varlink.certification.ClientIdError", c.error_name);
	EXPECT_EQ(-EREMOTEIO, varlink_call(&c, "org.varlink.nothing.Test", json_object(), NULL));
	EXPECT_STREQ(VARLINK_NO_INTERFACE, c.error_name);
	varlink_close(&c);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	unlink(file);
	unlink(path);
}

LIBKNELL_MAIN
