// SPDX-License-Identifier: GPL-2.0-only
/*
 * start, stop and the others that make jobs. knelld tells of each job that has ended; meanwhile a
 * terminal shows what is waited for.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "knellctl.h"

static const struct {
	const char *method, *doing, *done;
} verbs[] = {
	{ "StartUnits", "starting", "started" },
	{ "StopUnits", "stopping", "stopped" },
	{ "RestartUnits", "restarting", "restarted" },
	{ "TryRestartUnits", "restarting", "restarted" },
	{ "ReloadUnits", "reloading", "reloaded" },
};

static const char *verb(const char *method, bool done)
{
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		if (!strcmp(verbs[i].method, method))
			return done ? verbs[i].done : verbs[i].doing;
	return method;
}

static uint64_t seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec;
}

static bool pending(const json_t *outcome)
{
	return get_int(outcome, "job") && !has(outcome, "result") && !has(outcome, "error");
}

/* One line that is written over again and again. */
static void show_progress(const char *method, const json_t *reply, uint64_t since)
{
	char span[SPAN_MAX], *name = NULL;
	const json_t *o;
	size_t i, left = 0;

	json_array_foreach(get(reply, "jobs"), i, o)
		if (pending(o) && !left++)
			name = harmless(has(o, "unit") ? get_str(o, "unit") : get_str(o, "name"));
	if (!name)
		return;
	fprintf(stderr, "\r\033[K%s %.60s", verb(method, false), name);
	if (left > 1)
		fprintf(stderr, " and %zu more", left - 1);
	fprintf(stderr, " (%s)", span_words((seconds() - since) * USEC_PER_SEC, span));
	fflush(stderr);
	free(name);
}

/* All replies until the last one, which is handed out: 0 or -errno. */
static int follow(const char *method, json_t **last)
{
	bool progress = err_is_terminal() && !opt.json && !opt.quiet, shown = false;
	uint64_t since = seconds();
	int more = 1;

	while (more > 0) {
		json_t *reply = NULL;

		if (!call_wait(progress ? 1000 : -1)) {
			show_progress(method, *last, since);
			shown = true;
			continue;
		}
		/* What is wrong with the connection is found here. */
		more = call_next(&reply);
		if (more >= 0) {
			json_decref(*last);
			*last = reply;
		}
	}
	if (shown)
		fputs("\r\033[K", stderr);
	return more;
}

static int result_status(const char *result)
{
	if (!*result || !strcmp(result, "done") || !strcmp(result, "skipped"))
		return EX_OK;
	return !strcmp(result, "invalid") ? EX_NOT_DONE : EX_FAILED;
}

/* On standard error, where the complaint is. */
static void explain(const char *unit)
{
	json_t *reply = NULL;

	if (!call("UnitStatus", json_pack("{s:s, s:i, s:i}", "name", unit, "exits", 1, "lines", 5),
		  &reply))
		why_lines(get(reply, "status"), stderr);
	json_decref(reply);
}

static int tell_failure(const char *method, const json_t *o)
{
	static const struct {
		const char *result, *words;
	} table[] = {
		{ "failed", "it failed" },
		{ "dependency", "a unit that it requires did not come up" },
		{ "timeout", "its job took longer than it may" },
		{ "canceled", "its job was canceled" },
		{ "assertion", "an assertion was not met" },
		{ "invalid", "it is not in a state for that" },
	};
	const char *result = get_str(o, "result"), *unit = get_str(o, "unit"), *words = result;

	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		if (!strcmp(table[i].result, result))
			words = table[i].words;
	complain("%s was not %s: %s%s%s", unit, verb(method, true), words,
		 has(o, "text") ? ": " : "", get_str(o, "text"));
	if (!opt.quiet && strcmp(result, "canceled") && strcmp(result, "invalid"))
		explain(unit);
	return result_status(result);
}

static int tell_outcome(const char *method, const json_t *o)
{
	const char *error = get_str(o, "error");

	if (*error) {
		complain("%s: %s%s%s", get_str(o, "name"), error_words(error),
			 has(o, "text") ? ": " : "", get_str(o, "text"));
		return error_status(error);
	}
	if (result_status(get_str(o, "result")))
		return tell_failure(method, o);
	if (is_str(o, "result", "skipped") && !opt.quiet)
		complain("%s: %s", get_str(o, "unit"),
			 has(o, "text") ? get_str(o, "text") : "nothing was to be done");
	return EX_OK;
}

/* The first failure is the exit status. */
static int tell(const char *method, json_t *reply)
{
	int status = EX_OK, one;
	const json_t *o;
	size_t i;

	json_array_foreach(get(reply, "jobs"), i, o) {
		const char *error = get_str(o, "error");

		if (!opt.json)
			one = tell_outcome(method, o);
		else
			one = *error ? error_status(error) : result_status(get_str(o, "result"));
		status = status ? status : one;
	}
	if (opt.json)
		out_json(json_incref(reply));
	return status;
}

static json_t *parameters(const char *method, const struct strv *names, const char *mode,
			  bool or_restart)
{
	json_t *params = json_pack("{s:o}", "names", json_names(names));

	if (mode) {
		char *word = xstrdup(mode);

		for (char *s = word; *s; s++)
			*s = *s == '-' ? '_' : *s;
		json_object_set_new(params, "mode", json_string(word));
		free(word);
	}
	if (opt.no_block)
		json_object_set_new(params, "noBlock", json_true());
	if (or_restart && !strcmp(method, "ReloadUnits"))
		json_object_set_new(params, "orRestart", json_true());
	return params;
}

static int run(const char *method, const struct strv *names, const char *mode, bool or_restart)
{
	json_t *reply = NULL, *params = parameters(method, names, mode, or_restart);
	int err, status;

	if (opt.no_block) {
		err = call(method, params, &reply);
	} else {
		err = call_many(method, params);
		if (!err)
			err = follow(method, &reply);
	}
	if (err < 0) {
		status = call_failed(err);
		if (reply)
			complain("what becomes of the jobs is not known");
	} else {
		status = tell(method, reply);
	}
	json_decref(reply);
	return status;
}

int jobs_run(const char *method, const struct strv *names)
{
	return names->nr ? run(method, names, NULL, false) : EX_OK;
}

int cmd_jobs(const struct verb *cmd, char **args, size_t nr)
{
	bool isolate = !strcmp(cmd->name, "isolate");
	struct strv names = { 0 };
	int status = names_of(args, nr, &names);

	if (!status && names.nr)
		status = run(cmd->word, &names, isolate ? "isolate" : opt.mode,
			     !strcmp(cmd->name, "reload-or-restart"));
	strv_free(&names);
	return status;
}
