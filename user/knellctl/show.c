// SPDX-License-Identifier: GPL-2.0-only
/* show: properties by the names that systemctl gives them, for programs. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "knellctl.h"

enum form {
	WORD,		/* a string, "_" as "-" */
	TEXT,		/* a string */
	NUMBER,
	YES_NO,
	LIST,		/* of strings, blanks between them */
	TIME,
	TIME_MONOTONIC,	/* microseconds */
	LOCAL,		/* file_state() */
};

struct property {
	const char *name, *path;
	enum form form;
};

/* Of struct UnitDetails. */
static const struct property unit_properties[] = {
	{ "Id", "unit.name", TEXT },
	{ "Names", "aliases", LIST },
	{ "Description", "unit.description", TEXT },
	{ "Documentation", "documentation", LIST },
	{ "LoadState", "unit.load", WORD },
	{ "LoadError", "loadError", TEXT },
	{ "ActiveState", "unit.active", WORD },
	{ "SubState", "unit.sub", TEXT },
	{ "Result", "unit.result", TEXT },
	{ "FragmentPath", "path", TEXT },
	{ "DropInPaths", "dropIns", LIST },
	{ "UnitFileState", "unit.name", LOCAL },
	{ "NeedDaemonReload", "changed", YES_NO },
	{ "Type", "type", TEXT },
	{ "MainPID", "unit.mainPid", NUMBER },
	{ "ControlPID", "controlPid", NUMBER },
	{ "ExecMainStatus", "mainStatus", NUMBER },
	{ "NRestarts", "unit.restarts", NUMBER },
	{ "TasksCurrent", "members", NUMBER },
	{ "StatusText", "statusText", TEXT },
	{ "StatusErrno", "statusErrno", NUMBER },
	{ "NFileDescriptorStore", "storedFds", NUMBER },
	{ "Job", "unit.job.id", NUMBER },
	{ "JobType", "unit.job.type", WORD },
	{ "StateChangeTimestamp", "unit.since", TIME },
	{ "StateChangeTimestampMonotonic", "unit.since", TIME_MONOTONIC },
	{ "InactiveExitTimestamp", "activating", TIME },
	{ "InactiveExitTimestampMonotonic", "activating", TIME_MONOTONIC },
	{ "ActiveEnterTimestamp", "activated", TIME },
	{ "ActiveEnterTimestampMonotonic", "activated", TIME_MONOTONIC },
	{ "ActiveExitTimestamp", "deactivating", TIME },
	{ "ActiveExitTimestampMonotonic", "deactivating", TIME_MONOTONIC },
	{ "InactiveEnterTimestamp", "deactivated", TIME },
	{ "InactiveEnterTimestampMonotonic", "deactivated", TIME_MONOTONIC },
	{ "Triggers", "triggers", LIST },
	{ "TriggeredBy", "triggeredBy", LIST },
	{ "Listen", "listen", LIST },
	{ "NConnections", "connections", NUMBER },
	{ "NextElapseUSecRealtime", "next", TIME },
	{ "NextElapseUSecMonotonic", "next", TIME_MONOTONIC },
	{ "LastTriggerUSec", "last", TIME },
	{ "WhyCode", "why.code", WORD },
	{ "HoldsUp", "holdsUp", LIST },
};

/* Of ManagerStatus. */
static const struct property manager_properties[] = {
	{ "Version", "version", TEXT },
	{ "MainPID", "pid", NUMBER },
	{ "Scope", "scope", TEXT },
	{ "SystemState", "state", TEXT },
	{ "Backend", "backend", TEXT },
	{ "Missing", "missing", LIST },
	{ "Queue", "queue", TEXT },
	{ "UserspaceTimestamp", "started", TIME },
	{ "UserspaceTimestampMonotonic", "started", TIME_MONOTONIC },
	{ "UnitPath", "unitPath", LIST },
	{ "NNames", "units", NUMBER },
	{ "NFailedUnits", "failed", NUMBER },
	{ "NJobs", "jobs", NUMBER },
	{ "FailedUnits", "failedUnits", LIST },
};

/* To be freed; NULL: it has none. */
static char *value_of(const struct property *p, const json_t *o)
{
	const json_t *v = get(o, p->path);
	char buf[TIME_MAX], word[WORD_MAX];

	if (!v)
		return NULL;
	switch (p->form) {
	case WORD: return xstrdup(dashed(get_str(o, p->path), word));
	case TEXT: return xstrdup(get_str(o, p->path));
	case NUMBER: return xasprintf("%lld", (long long)json_integer_value(v));
	case YES_NO: return xstrdup(json_is_true(v) ? "yes" : "no");
	case LIST: return joined(v);
	case TIME: return xstrdup(time_words(v, buf));
	case TIME_MONOTONIC: return xasprintf("%lld", (long long)get_int(v, "monotonicUsec"));
	case LOCAL: return xstrdup(file_state(get_str(o, p->path)));
	}
	return NULL;
}

static bool asked_for(const char *name)
{
	const char *list = opt.property;
	size_t len = strlen(name), n;

	for (; list && *list; list += n + (list[n] == ',')) {
		n = strcspn(list, ",");
		if (n == len && !strncasecmp(list, name, len))
			return true;
	}
	return !opt.property;
}

/* As text; with --json into @out. */
static void show(const struct property *p, size_t nr, const json_t *o, json_t *out)
{
	for (; nr--; p++) {
		char *value;

		if (!asked_for(p->name))
			continue;
		value = value_of(p, o);
		if (out && value)
			json_object_set_new(out, p->name, json_string(value));
		else if (!out && opt.value)
			print(PLAIN, "%s\n", value ? value : "");
		else if (!out && (value || opt.property))
			print(PLAIN, "%s=%s\n", p->name, value ? value : "");
		free(value);
	}
}

/* Dependencies, after the other properties: a line for each kind of them. */
static void show_dependencies(const char *name, json_t *out)
{
	static const char *const sides[] = { "forward", "reverse" };
	json_t *reply = NULL, *kinds = json_object(), *list, *dep;
	const char *kind;
	size_t i;

	if (call("Dependencies", json_pack("{s:s}", "name", name), &reply) < 0)
		reply = NULL;
	for (size_t side = 0; side < ARRAY_SIZE(sides); side++)
		json_array_foreach(get(reply, sides[side]), i, dep) {
			kind = get_str(dep, "kind");
			if (!*kind || !asked_for(kind))
				continue;
			list = json_object_get(kinds, kind);
			if (!list) {
				json_object_set_new(kinds, kind, json_array());
				list = json_object_get(kinds, kind);
			}
			json_array_append_new(list, json_string(get_str(dep, "unit")));
		}
	json_object_foreach(kinds, kind, list) {
		char *names = joined(list);

		if (out)
			json_object_set_new(out, kind, json_string(names));
		else
			print(PLAIN, "%s%s%s\n", opt.value ? "" : kind, opt.value ? "" : "=",
			      names);
		free(names);
	}
	json_decref(kinds);
	json_decref(reply);
}

static int show_unit(const char *name, json_t *out)
{
	json_t *reply = NULL;
	int status = call_or_say("UnitStatus", json_pack("{s:s, s:i, s:i}", "name", name, "exits",
							 0, "lines", 0), &reply);

	if (status)
		return status == EX_NO_UNIT ? EX_UNKNOWN : status;
	show(unit_properties, ARRAY_SIZE(unit_properties), get(reply, "status"), out);
	show_dependencies(name, out);
	json_decref(reply);
	return EX_OK;
}

static int show_manager(json_t *out)
{
	json_t *reply = NULL;
	int status = call_or_say("ManagerStatus", NULL, &reply);

	if (!status)
		show(manager_properties, ARRAY_SIZE(manager_properties), reply, out);
	json_decref(reply);
	return status;
}

int cmd_show(const struct verb *cmd, char **args, size_t nr)
{
	json_t *list = opt.json ? json_array() : NULL, *out = NULL;
	struct strv names = { 0 };
	int status = names_of(args, nr, &names);

	(void)cmd;
	for (size_t i = 0; !status && i < (nr ? names.nr : 1); i++) {
		if (list) {
			out = json_object();
			json_array_append_new(list, out);
		} else if (i) {
			print(PLAIN, "\n");
		}
		status = nr ? show_unit(names.v[i], out) : show_manager(out);
	}
	strv_free(&names);
	if (list && !status)
		out_json(json_incref(nr ? list : out));
	json_decref(list);
	return status;
}
