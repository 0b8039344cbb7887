// SPDX-License-Identifier: GPL-2.0-only
/* Tables: units, jobs, timers, ends of processes; and is-active, is-failed. */
#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "knellctl.h"

static bool is_pattern(const char *s)
{
	return strpbrk(s, "*?[");
}

json_t *json_names(const struct strv *names)
{
	json_t *list = json_array();

	for (size_t i = 0; i < names->nr; i++)
		json_array_append_new(list, json_string(names->v[i]));
	return list;
}

/* Is it one of those meant? "logs" may be logs.timer, too, with @suffix. */
static bool matches(const char *name, char **args, size_t nr, const char *suffix)
{
	bool yes = !nr;

	for (size_t i = 0; i < nr && !yes; i++) {
		size_t len = strlen(args[i]);
		char *full = is_pattern(args[i]) ? xstrdup(args[i]) : unit_name_mangle(args[i]);

		yes = (full && !fnmatch(full, name, 0)) ||
		      (suffix && !strncmp(args[i], name, len) && !strcmp(name + len, suffix));
		free(full);
	}
	return yes;
}

static int add_matches(char *pattern, struct strv *names)
{
	size_t before = names->nr;
	json_t *reply = NULL, *u;
	int status = call_or_say("ListUnits", NULL, &reply);
	size_t i;

	if (status)
		return status;
	json_array_foreach(get(reply, "units"), i, u)
		if (!fnmatch(pattern, get_str(u, "name"), 0))
			strv_add(names, xstrdup(get_str(u, "name")));
	json_decref(reply);
	if (names->nr == before)
		complain("%s: no unit matches", pattern);
	return EX_OK;
}

int names_of(char **args, size_t nr, struct strv *names)
{
	int status = EX_OK;

	for (size_t i = 0; i < nr && !status; i++) {
		char *name;

		if (is_pattern(args[i])) {
			status = add_matches(args[i], names);
			continue;
		}
		name = unit_name_mangle(args[i]);
		if (name) {
			strv_add(names, name);
		} else {
			complain("%s: not a name of a unit", args[i]);
			status = EX_NO_UNIT;
		}
	}
	return status;
}

/* Is @word in the list? */
static bool listed(const char *list, const char *word)
{
	size_t len = strlen(word), n;

	for (; *list; list += n + (list[n] == ',')) {
		n = strcspn(list, ",");
		if (n == len && !strncmp(list, word, len))
			return true;
	}
	return false;
}

const char *dashed(const char *word, char buf[WORD_MAX])
{
	size_t i;

	for (i = 0; word[i] && i < WORD_MAX - 1; i++)
		buf[i] = word[i] == '_' ? '-' : word[i];
	buf[i] = '\0';
	return buf;
}

static bool wanted(const json_t *u)
{
	const char *active = get_str(u, "active");
	char load[WORD_MAX];

	if (opt.type && !listed(opt.type, get_str(u, "kind")))
		return false;
	if (opt.state)
		return listed(opt.state, active) || listed(opt.state, get_str(u, "sub")) ||
		       listed(opt.state, dashed(get_str(u, "load"), load));
	return opt.all || strcmp(active, "inactive") || has(u, "job");
}

static void unit_row(struct table *t, const json_t *u)
{
	const char *active = get_str(u, "active"), *load = get_str(u, "load");
	enum colour c = state_colour(active);
	char buf[WORD_MAX];

	if (opt.plain)
		cell(t, PLAIN, "%s", get_str(u, "name"));
	else
		cell(t, c, "%s %s", state_dot(active), get_str(u, "name"));
	cell(t, strcmp(load, "bad") && strcmp(load, "not_found") ? PLAIN : RED, "%s",
	     dashed(load, buf));
	cell(t, c, "%s", active);
	cell(t, c, "%s", *get_str(u, "sub") ? get_str(u, "sub") : "-");
	cell(t, PLAIN, "%s", has(u, "job") ? dashed(get_str(u, "job.type"), buf) : "-");
	cell(t, PLAIN, "%s", get_str(u, "description"));
}

/* Only those that were asked for stay; how many were meant is returned. */
static size_t filter(json_t *units, char **args, size_t nr)
{
	size_t meant = 0;

	for (size_t i = json_array_size(units); i-- > 0;) {
		const json_t *u = json_array_get(units, i);
		bool match = matches(get_str(u, "name"), args, nr, NULL);

		meant += match;
		if (!match || !wanted(u))
			json_array_remove(units, i);
	}
	return meant;
}

int cmd_list(const struct verb *cmd, char **args, size_t nr)
{
	struct table t = { .heads = { opt.plain ? "UNIT" : "  UNIT", "LOAD", "ACTIVE", "SUB", "JOB",
				      "DESCRIPTION" } };
	json_t *reply = NULL, *units, *u;
	int status = call_or_say("ListUnits", NULL, &reply);
	size_t i, shown, all;

	(void)cmd;
	if (status)
		return status;
	units = json_object_get(reply, "units");
	all = filter(units, args, nr);
	if (opt.json)
		return out_json(reply);
	json_array_foreach(units, i, u)
		unit_row(&t, u);
	shown = table_end(&t);
	if (!opt.plain)
		print(PLAIN, "%zu of %zu units%s.\n", shown, all,
		    shown < all && !opt.all && !opt.state && !opt.type ?
		    ", --all shows those that are not up" : "");
	json_decref(reply);
	return EX_OK;
}

/* To be freed: the strings, with blanks between them. */
char *joined(const json_t *list)
{
	char *text = xstrdup("");
	const json_t *s;
	size_t i;

	json_array_foreach(list, i, s) {
		const char *word = json_string_value(s);
		char *more = xasprintf("%s%s%s", text, *text ? " " : "", word ? word : "");

		free(text);
		text = more;
	}
	return text;
}

static void job_row(struct table *t, const json_t *j)
{
	char type[WORD_MAX], span[SPAN_MAX], *waits = joined(get(j, "waitsFor"));
	bool running = get_bool(j, "running");

	cell(t, PLAIN, "%lld", (long long)get_int(j, "id"));
	cell(t, PLAIN, "%s", get_str(j, "unit"));
	cell(t, PLAIN, "%s", dashed(get_str(j, "type"), type));
	cell(t, running ? GREEN : YELLOW, "%s", running ? "running" : "waiting");
	cell(t, PLAIN, "%s", span_words(time_ago(get(j, "since")), span));
	cell(t, PLAIN, "%s", *waits ? waits : "-");
	free(waits);
}

int cmd_list_jobs(const struct verb *cmd, char **args, size_t nr)
{
	struct table t = { .heads = { "JOB", "UNIT", "TYPE", "STATE", "FOR", "WAITS FOR" },
			   .right = BIT(0) };
	json_t *reply = NULL, *j;
	int status = call_or_say("ListJobs", NULL, &reply);
	size_t i;

	(void)cmd;
	(void)args;
	(void)nr;
	if (status)
		return status;
	if (opt.json)
		return out_json(reply);
	json_array_foreach(get(reply, "jobs"), i, j)
		job_row(&t, j);
	if (!table_end(&t) && !opt.plain)
		print(PLAIN, "No jobs.\n");
	json_decref(reply);
	return EX_OK;
}

static void when(struct table *t, const json_t *instant, bool past)
{
	char time[TIME_MAX], span[SPAN_MAX];
	int64_t left = time_left(instant);

	cell(t, PLAIN, "%s", time_words(instant, time));
	if (!instant)
		cell(t, PLAIN, "-");
	else if (past)
		cell(t, DIM, "%s ago", span_words(time_ago(instant), span));
	else
		cell(t, left > 0 ? GREEN : YELLOW, "%s",
		     left > 0 ? span_words((uint64_t)left, span) : "now");
}

int cmd_timers(const struct verb *cmd, char **args, size_t nr)
{
	struct table t = { .heads = { "NEXT", "LEFT", "LAST", "PASSED", "UNIT", "ACTIVATES" } };
	json_t *reply = NULL, *timers, *x;
	int status = call_or_say("Timers", NULL, &reply);
	size_t i;

	(void)cmd;
	if (status)
		return status;
	timers = json_object_get(reply, "timers");
	for (i = json_array_size(timers); i-- > 0;)
		if (!matches(get_str(json_array_get(timers, i), "unit"), args, nr, ".timer"))
			json_array_remove(timers, i);
	if (opt.json)
		return out_json(reply);
	json_array_foreach(timers, i, x) {
		when(&t, get(x, "next"), false);
		when(&t, get(x, "last"), true);
		cell(&t, PLAIN, "%s", get_str(x, "unit"));
		cell(&t, PLAIN, "%s", get_str(x, "activates"));
	}
	if (!table_end(&t) && !opt.plain)
		print(PLAIN, "No timers.\n");
	json_decref(reply);
	return EX_OK;
}

void put_status(json_t *e, int status)
{
	const char *name = sigabbrev_np(WTERMSIG(status));

	if (WIFSIGNALED(status)) {
		json_object_set_new(e, "signal", name ? json_sprintf("SIG%s", name) :
				    json_sprintf("signal %d", WTERMSIG(status)));
		json_object_set_new(e, "coreDumped", json_boolean(WCOREDUMP(status)));
	} else {
		json_object_set_new(e, "status", json_integer(WEXITSTATUS(status)));
	}
	json_object_set_new(e, "failure", json_boolean(status));
}

char *exit_words(const json_t *e)
{
	json_int_t status = get_int(e, "status");
	char *end, *by;

	if (get_bool(e, "statusLost"))
		return xstrdup("ended while knelld was not there");
	if (has(e, "signal"))
		end = xasprintf("was killed by %s%s", get_str(e, "signal"),
				get_bool(e, "coreDumped") ? " and left a core dump" : "");
	else
		end = xasprintf("exited with status %lld%s", (long long)status,
				status == 127 ? " (of a shell: command not found)" :
				status == 126 ? " (of a shell: cannot be executed)" : "");
	if (get_bool(e, "oom"))
		by = xasprintf("%s, by the kernel, for want of memory", end);
	else if (has(e, "killerPid"))
		by = xasprintf("%s, sent by process %lld of user %lld", end,
			       (long long)get_int(e, "killerPid"),
			       (long long)get_int(e, "killerUid"));
	else
		return end;
	free(end);
	return by;
}

/* The same, short, for a table. */
static void how(struct table *t, const json_t *e)
{
	enum colour c = get_bool(e, "failure") ? RED : PLAIN;

	if (get_bool(e, "statusLost"))
		cell(t, YELLOW, "unknown");
	else if (has(e, "signal"))
		cell(t, c, "%s%s", get_str(e, "signal"),
		     get_bool(e, "coreDumped") ? " (core)" : "");
	else
		cell(t, c, "%lld", (long long)get_int(e, "status"));
}

static void measured(struct table *t, const json_t *e, const char *key)
{
	char buf[SPAN_MAX];

	cell(t, PLAIN, "%s", has(e, key) ? span_words((uint64_t)get_int(e, key), buf) : "-");
}

void exit_row(struct table *t, const json_t *e)
{
	char buf[TIME_MAX], size[SPAN_MAX];

	cell(t, PLAIN, "%s", time_words(get(e, "time"), buf));
	cell(t, PLAIN, "%s", get_str(e, "unit"));
	cell(t, PLAIN, "%s", get_str(e, "role"));
	cell(t, PLAIN, "%lld", (long long)get_int(e, "pid"));
	how(t, e);
	measured(t, e, "runUsec");
	measured(t, e, "cpuUsec");
	cell(t, PLAIN, "%s", has(e, "rssKiB") ?
	     size_words((uint64_t)get_int(e, "rssKiB") * 1024, size) : "-");
	if (has(e, "killerPid"))
		cell(t, PLAIN, "pid %lld, uid %lld", (long long)get_int(e, "killerPid"),
		     (long long)get_int(e, "killerUid"));
	else
		cell(t, PLAIN, "%s", get_bool(e, "oom") ? "kernel" : "-");
}

int cmd_history(const struct verb *cmd, char **args, size_t nr)
{
	struct table t = EXIT_TABLE;
	json_t *params = json_object(), *reply = NULL, *e;
	struct strv names = { 0 };
	int status = names_of(args, nr, &names);
	size_t i;

	(void)cmd;
	if (names.nr)
		json_object_set_new(params, "name", json_string(names.v[0]));
	if (opt.lines >= 0)
		json_object_set_new(params, "limit", json_integer(opt.lines));
	/* A pattern that nothing matches is not "all". */
	if (!status && nr && !names.nr)
		status = EX_NO_UNIT;
	strv_free(&names);
	if (!status)
		status = call_or_say("History", json_incref(params), &reply);
	json_decref(params);
	if (status)
		return status;
	if (opt.json)
		return out_json(reply);
	json_array_foreach(get(reply, "exits"), i, e)
		exit_row(&t, e);
	if (!table_end(&t) && !opt.plain)
		print(PLAIN, "No process has ended yet.\n");
	json_decref(reply);
	return EX_OK;
}

/* The state of one unit; one that there is none of is inactive. NULL: a failure, told of. */
static char *state_of(const char *name, bool *known, int *status)
{
	json_t *reply = NULL;
	char *state;
	int err = call("UnitStatus", json_pack("{s:s, s:i, s:i}", "name", name, "exits", 0,
					       "lines", 0), &reply);

	*known = !err && strcmp(get_str(reply, "status.unit.load"), "not_found");
	if (err < 0 && !(err == -EREMOTEIO && (call_error_is("NoSuchUnit") ||
					       call_error_is("BadName")))) {
		*status = call_failed(err);
		return NULL;
	}
	state = xstrdup(err ? "inactive" : get_str(reply, "status.unit.active"));
	json_decref(reply);
	return state;
}

/* is-active, is-failed: all states are printed, one that is as asked for is enough. */
int cmd_is(const struct verb *cmd, char **args, size_t nr)
{
	bool failed = !strcmp(cmd->word, "failed"), found = false, any_known = false, known;
	json_t *units = json_array();
	struct strv names = { 0 };
	int status = names_of(args, nr, &names);

	for (size_t i = 0; i < names.nr && !status; i++) {
		char *state = state_of(names.v[i], &known, &status);

		if (!state)
			break;
		found |= !strcmp(state, cmd->word) || (!failed && !strcmp(state, "reloading"));
		any_known |= known;
		json_array_append_new(units, json_pack("{s:s, s:s}", "name", names.v[i],
						       "active", state));
		if (!opt.quiet && !opt.json)
			print(PLAIN, "%s\n", state);
		free(state);
	}
	strv_free(&names);
	if (!status && opt.json && !opt.quiet)
		out_json(json_pack("{s:O}", "units", units));
	json_decref(units);
	if (status || found)
		return status;
	return failed ? EX_FAILED : any_known ? EX_NOT_RUNNING : EX_UNKNOWN;
}
