// SPDX-License-Identifier: GPL-2.0-only
/* Signals and counters of units; what concerns knelld as a whole. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "knellctl.h"

/* An empty reply, which --json prints all the same. */
static int done(json_t *reply)
{
	if (opt.json)
		return out_json(reply);
	json_decref(reply);
	return EX_OK;
}

int cmd_kill(const struct verb *cmd, char **args, size_t nr)
{
	json_t *list = json_array();
	struct strv names = { 0 };
	int status = names_of(args, nr, &names), err;

	(void)cmd;
	for (size_t i = 0; i < names.nr; i++) {
		json_t *reply = NULL;

		err = call_or_say("KillUnit", json_pack("{s:s, s:i, s:s}", "name", names.v[i],
			"signal", opt.signal ? opt.signal : SIGTERM, "whom",
			opt.whom ? opt.whom : "all"), &reply);
		if (!err)
			json_array_append_new(list, json_pack("{s:s, s:I}", "name", names.v[i],
				"reached", get_int(reply, "reached")));
		json_decref(reply);
		status = status ? status : err;
	}
	if (opt.json)
		out_json(json_pack("{s:O}", "units", list));
	json_decref(list);
	strv_free(&names);
	return status;
}

int cmd_reset_failed(const struct verb *cmd, char **args, size_t nr)
{
	json_t *reply = NULL, *params = json_object();
	struct strv names = { 0 };
	int status = names_of(args, nr, &names);

	(void)cmd;
	if (nr)
		json_object_set_new(params, "names", json_names(&names));
	/* A pattern that nothing matches is not "all". */
	if (!status && (names.nr || !nr))
		status = call_or_say("ResetFailed", json_incref(params), &reply);
	json_decref(params);
	strv_free(&names);
	return status ? status : done(reply ? reply : json_object());
}

int cmd_cancel(const struct verb *cmd, char **args, size_t nr)
{
	int status = EX_OK, err;

	(void)cmd;
	for (size_t i = 0; i < nr; i++) {
		char *end;
		long long id = strtoll(args[i], &end, 10);

		if (*end || id <= 0) {
			complain("%s: not the number of a job", args[i]);
			return EX_USAGE;
		}
		err = call_or_say("CancelJob", json_pack("{s:I}", "id", (json_int_t)id), NULL);
		status = status ? status : err;
	}
	return status ? status : done(json_object());
}

/* What has an empty reply. */
int cmd_manager(const struct verb *cmd, char **args, size_t nr)
{
	json_t *reply = NULL, *params = json_object();
	int status;

	(void)args;
	(void)nr;
	if (opt.status >= 0)
		json_object_set_new(params, "status", json_integer(opt.status));
	status = call_or_say(cmd->word, params, &reply);
	return status ? status : done(reply);
}

int cmd_metrics(const struct verb *cmd, char **args, size_t nr)
{
	json_t *reply = NULL;
	const char *text;
	int status;

	(void)cmd;
	(void)args;
	(void)nr;
	if (opt.http)
		return http_serve();
	status = call_or_say("Metrics", NULL, &reply);
	text = get_str(reply, "text");
	if (status || opt.json)
		return status ? status : out_json(reply);
	out_text(text, strlen(text));
	json_decref(reply);
	return EX_OK;
}

int cmd_top(const struct verb *cmd, char **args, size_t nr)
{
	json_t *reply = NULL, *params = json_object();
	const char *text;
	int status;

	(void)cmd;
	if (nr)
		json_object_set_new(params, "filter", json_string(args[0]));
	if (opt.cpu >= 0)
		json_object_set_new(params, "cpu", json_boolean(opt.cpu));
	status = call_or_say("Statistics", params, &reply);
	if (status || opt.json)
		return status ? status : out_json(reply);
	text = get_str(reply, "text");
	out_text(text, strlen(text));
	if (!get_bool(reply, "cpu_accounting"))
		print(DIM, "CPU time is not counted; knellctl top --cpu=on has it counted "
		      "from then on.\n");
	json_decref(reply);
	return EX_OK;
}

int cmd_is_system_running(const struct verb *cmd, char **args, size_t nr)
{
	json_t *reply = NULL;
	int err = call("ManagerStatus", NULL, &reply);
	bool running = is_str(reply, "state", "running");

	(void)cmd;
	(void)args;
	(void)nr;
	if (err == -ENOENT || err == -ECONNREFUSED)
		reply = json_pack("{s:s}", "state", "offline");
	else if (err < 0)
		return call_failed(err);
	if (opt.json && !opt.quiet)
		out_json(json_pack("{s:s}", "state", get_str(reply, "state")));
	else if (!opt.quiet)
		print(PLAIN, "%s\n", get_str(reply, "state"));
	json_decref(reply);
	return running ? EX_OK : EX_FAILED;
}
