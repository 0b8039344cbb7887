// SPDX-License-Identifier: GPL-2.0-only
/* list-dependencies: what a unit needs, and what these need, as a tree. */
#include <stdlib.h>
#include <string.h>

#include "knellctl.h"

#define DEPTH_MAX	64

/* The kinds that make a tree; --all: also those that only order. */
static const char *const needs[] = {
	"Requires", "Requisite", "Wants", "BindsTo", "Upholds", "ConsistsOf", "Triggers", NULL,
};
static const char *const needed_by[] = {
	"RequiredBy", "RequisiteOf", "WantedBy", "BoundBy", "UpheldBy", "PartOf", "TriggeredBy",
	NULL,
};

struct walk {
	json_t *seen;			/* its keys: once is enough, and ends every cycle */
	char *last;			/* of the lines above: is it the last of its level? */
	json_t *flat;			/* --json: each edge */
	int status;
};

static bool among(const char *s, const char *const *list)
{
	while (*list && strcmp(*list, s))
		list++;
	return *list;
}

static bool seen(struct walk *w, const char *name)
{
	if (json_object_get(w->seen, name))
		return true;
	json_object_set_new(w->seen, name, json_true());
	return false;
}

static bool type_wanted(const char *name)
{
	const char *suffix = strrchr(name, '.');

	return !opt.type || (suffix && suffix[1] && strstr(opt.type, suffix + 1) == opt.type);
}

/* Units of that side, each once, though it may be there as several kinds. */
static json_t *sides(const json_t *reply)
{
	const json_t *list = get(reply, opt.reverse ? "reverse" : "forward"), *dep;
	json_t *out = json_object();
	size_t i;

	json_array_foreach(list, i, dep) {
		const char *unit = get_str(dep, "unit");

		if (!opt.all && !among(get_str(dep, "kind"), opt.reverse ? needed_by : needs))
			continue;
		if (type_wanted(unit) && !json_object_get(out, unit))
			json_object_set(out, unit, (json_t *)dep);
	}
	return out;
}

static void line(const struct walk *w, size_t depth, const char *name, const char *active,
		 bool again)
{
	if (!opt.plain) {
		print(state_colour(active), "%s", state_dot(active));
		print(PLAIN, " ");
		for (size_t i = 1; i <= depth; i++)
			print(DIM, "%s", i < depth ? w->last[i] ? "  " : "| " :
			    w->last[i] ? "`-" : "|-");
	}
	print(PLAIN, "%s%s\n", name, again && !opt.plain ? " (see above)" : "");
}

static void walk(struct walk *w, const char *name, const char *active, size_t depth)
{
	bool again = seen(w, name);
	json_t *reply = NULL, *list, *dep;
	const char *unit;
	size_t left;

	if (!opt.json && !(opt.plain && (again || !depth)))
		line(w, depth, name, active, again);
	if (again || depth + 1 >= DEPTH_MAX)
		return;
	w->status = call_or_say("Dependencies", json_pack("{s:s}", "name", name), &reply);
	list = sides(reply);
	left = json_object_size(list);
	json_object_foreach(list, unit, dep) {
		if (w->status)
			break;
		w->last[depth + 1] = !--left;
		if (opt.json)
			json_array_append_new(w->flat, json_pack("{s:s, s:s, s:s, s:s}", "of", name,
				"kind", get_str(dep, "kind"), "unit", unit, "active",
				get_str(dep, "active")));
		walk(w, unit, get_str(dep, "active"), depth + 1);
	}
	json_decref(list);
	json_decref(reply);
}

/* Where it begins if no unit is named: what is started at boot. */
static int first(struct strv *names)
{
	json_t *reply = NULL;
	int status = call_or_say("BootTimes", NULL, &reply);

	if (!status)
		strv_add(names, xstrdup(get_str(reply, "defaultTarget")));
	json_decref(reply);
	return status;
}

int cmd_list_dependencies(const struct verb *cmd, char **args, size_t nr)
{
	struct walk w = {
		.last = xcalloc(1, DEPTH_MAX + 1), .flat = json_array(), .seen = json_object(),
	};
	struct strv names = { 0 };
	json_t *reply = NULL;

	(void)cmd;
	w.status = nr ? names_of(args, nr, &names) : first(&names);
	for (size_t i = 0; i < names.nr && !w.status; i++) {
		w.status = call_or_say("Dependencies", json_pack("{s:s}", "name", names.v[i]),
				       &reply);
		if (!w.status)
			walk(&w, get_str(reply, "name"), get_str(reply, "active"), 0);
		json_decref(reply);
		reply = NULL;
	}
	if (opt.json && !w.status)
		out_json(json_pack("{s:O}", "dependencies", w.flat));
	json_decref(w.flat);
	strv_free(&names);
	json_decref(w.seen);
	free(w.last);
	return w.status;
}
