// SPDX-License-Identifier: GPL-2.0-only
/* What is told of all units, and of knelld. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control.h"
#include "knelld.h"

static int by_name(const void *a, const void *b)
{
	return strcmp((*(struct unit *const *)a)->name, (*(struct unit *const *)b)->name);
}

/* All units with something, sorted by name; to be freed. */
static struct unit **sorted(size_t *nr)
{
	struct unit **v = xcalloc(nr_units + 1, sizeof(*v));

	*nr = 0;
	for (size_t i = 0; i < nr_units; i++)
		if (units[i]->file)
			v[(*nr)++] = units[i];
	qsort(v, *nr, sizeof(*v), by_name);
	return v;
}

HANDLER(control_list_units)
{
	json_t *list = json_array();
	size_t nr;
	struct unit **v = sorted(&nr);

	for (size_t i = 0; i < nr; i++)
		json_array_append_new(list, json_unit(v[i]));
	free(v);
	varlink_reply(call, json_pack("{s:o}", "units", list));
}

HANDLER(control_unit_status)
{
	json_t *exits = json_object_get(params, "exits"), *lines = json_object_get(params, "lines");
	size_t nr_exits = exits ? json_integer_value(exits) : HISTORY_MAX;
	size_t nr_lines = lines ? json_integer_value(lines) : 10;
	struct unit *u = control_unit(call, params);

	/* The file may be one that the caller must not read. */
	if (u)
		varlink_reply(call, json_pack("{s:o}", "status", json_details(u, nr_exits,
			varlink_call_peer(call)->privileged ? nr_lines : 0)));
}

static const char *manager_state(size_t failed)
{
	return manager.stopping ? "stopping" : !manager.finished ? "starting" :
	       failed ? "degraded" : "running";
}

static bool plain(void)
{
	return procs == &plain_procs;
}

static json_t *json_missing(void)
{
	return plain() ? json_pack("[s, s, s]",
		"processes that leave their session and their family are not followed",
		"what a process has used is known only of those that knelld started",
		"services do not outlive knelld") : json_array();
}

HANDLER(control_manager_status)
{
	json_t *failed = json_array(), *path = json_array();
	const struct strv *dirs = unit_dirs_paths(manager.dirs);
	size_t nr;
	struct unit **v = sorted(&nr);

	for (size_t i = 0; i < nr; i++)
		if (unit_active(v[i]) == FAILED)
			json_array_append_new(failed, json_string(v[i]->name));
	for (size_t i = 0; i < dirs->nr; i++)
		json_array_append_new(path, json_text(dirs->v[i]));
	free(v);
	varlink_reply(call, json_pack(
		"{s:s, s:i, s:s, s:s, s:s, s:o, s:o*, s:o, s:o, s:I, s:I, s:I, s:o}",
		"version", KNELL_VERSION, "pid", (int)getpid(),
		"scope", manager.user ? "user" : getpid() == 1 ? "system" : "daemon",
		"state", manager_state(json_array_size(failed)),
		"backend", plain() ? "pidfd" : "kernel", "missing", json_missing(),
		"queue", json_text(plain() ? NULL : manager.queue_name),
		"started", json_instant(manager.started), "unitPath", path, "units", (json_int_t)nr,
		"failed", (json_int_t)json_array_size(failed), "jobs", (json_int_t)job_count(),
		"failedUnits", failed));
}

HANDLER(control_list_jobs)
{
	json_t *list = json_array();

	for (size_t i = 0; i < nr_units; i++)
		if (units[i]->job)
			json_array_append_new(list, json_job(units[i]));
	varlink_reply(call, json_pack("{s:o}", "jobs", list));
}

struct event_of {
	const struct unit *unit;
	const struct ending *ending;
};

static int latest_first(const void *a, const void *b)
{
	const struct ending *x = ((const struct event_of *)a)->ending;
	const struct ending *y = ((const struct event_of *)b)->ending;

	return (x->time_ns < y->time_ns) - (x->time_ns > y->time_ns);
}

HANDLER(control_history)
{
	json_t *list, *limit = json_object_get(params, "limit");
	bool one = json_object_get(params, "name");
	struct unit *only = one ? control_unit(call, params) : NULL;
	struct event_of *v;
	const struct ending *e;
	size_t nr = 0, max = limit ? (size_t)json_integer_value(limit) : 100;

	if (one && !only)
		return;
	v = xcalloc(nr_units * HISTORY_MAX + 1, sizeof(*v));
	for (size_t i = 0; i < nr_units; i++)
		for (size_t k = 0; (!only || only == units[i]) &&
				   (e = unit_ending(units[i], k)); k++)
			v[nr++] = (struct event_of){ units[i], e };
	qsort(v, nr, sizeof(*v), latest_first);
	list = json_array();
	for (size_t i = 0; i < nr && i < max; i++)
		json_array_append_new(list, json_ending(v[i].unit, v[i].ending));
	free(v);
	varlink_reply(call, json_pack("{s:o}", "exits", list));
}

static json_t *json_trees(const struct unit *u)
{
	json_t *list = json_array();

	/* A daemon that has forked is no child of any command, nor in its session. */
	if (u->follows)
		json_array_append_new(list, json_pack("{s:s, s:i}", "role", "main", "pid",
						      (int)u->pid));
	for (const struct tree *t = u->trees; t; t = t->next)
		json_array_append_new(list, json_pack("{s:s, s:i}", "role",
			t->kind == EXEC_START ? "main" : unit_exec_name(t->kind),
			"pid", (int)t->pid));
	return json_pack("{s:s, s:I, s:o}", "unit", u->name, "members", (json_int_t)tree_count(u),
			 "trees", list);
}

HANDLER(control_tree)
{
	json_t *list = json_array(), *names = json_object_get(params, "names"), *name;
	const struct unit *u;
	size_t nr, i;
	struct unit **v = sorted(&nr);

	for (i = 0; !names && i < nr; i++)
		if (v[i]->trees)
			json_array_append_new(list, json_trees(v[i]));
	json_array_foreach(names, i, name) {
		u = unit_find(json_string_value(name));
		if (u && u->trees)
			json_array_append_new(list, json_trees(u));
	}
	free(v);
	varlink_reply(call, json_pack("{s:o}", "units", list));
}

static int by_deadline(const void *a, const void *b)
{
	const struct unit *x = *(struct unit *const *)a, *y = *(struct unit *const *)b;

	/* 0, never, comes last. */
	return (x->deadline - 1 > y->deadline - 1) - (x->deadline - 1 < y->deadline - 1);
}

HANDLER(control_timers)
{
	json_t *list = json_array();
	size_t nr;
	struct unit **v = sorted(&nr);

	qsort(v, nr, sizeof(*v), by_deadline);
	for (size_t i = 0; i < nr; i++) {
		const char *activates = "";

		if (v[i]->kind != UNIT_TIMER)
			continue;
		for (size_t k = 0; k < v[i]->nr_edges; k++)
			if (v[i]->edges[k].side == DEP_TRIGGERS)
				activates = v[i]->edges[k].to->name;
		json_array_append_new(list, json_pack("{s:s, s:s, s:o*, s:o*}", "unit",
			v[i]->name, "activates", activates, "next", json_instant(v[i]->deadline),
			"last", json_instant(timer_last(v[i]))));
	}
	free(v);
	varlink_reply(call, json_pack("{s:o}", "timers", list));
}

HANDLER(control_dependencies)
{
	json_t *forward, *reverse, *dep;
	struct unit *u = control_unit(call, params);

	if (!u)
		return;
	forward = json_array();
	reverse = json_array();
	for (size_t i = 0; i < u->nr_edges; i++) {
		const struct edge *e = &u->edges[i];
		const struct unit_file *f = unit_latest(u);

		dep = json_pack("{s:s, s:s, s:s, s:o*, s:o*}", "kind", edge_name(e->side), "unit",
			e->to->name, "active", json_active[unit_active(e->to)],
			"file", e->line && e->file < f->nr_sources ?
				json_text(f->sources[e->file]) : NULL,
			"line", e->line ? json_integer(e->line) : NULL);
		json_array_append_new(e->side < DEP_KINDS ? forward : reverse, dep);
	}
	varlink_reply(call, json_pack("{s:s, s:s, s:o, s:o}", "name", u->name, "active",
		json_active[unit_active(u)], "forward", forward, "reverse", reverse));
}

static json_t *usec_of(uint64_t ns)
{
	return ns ? json_integer(ns / 1000) : NULL;
}

static uint64_t after_start(uint32_t us)
{
	return us ? manager.started + us * 1000ULL : 0;
}

/* Its first start in the boot; of one that was no part of that, or another knelld's, the latest. */
HANDLER(control_boot_times)
{
	json_t *list = json_array();

	for (size_t i = 0; i < nr_units; i++) {
		const struct unit *u = units[i];
		bool boot = u->boot_began || u->boot_up;
		uint64_t began = boot ? after_start(u->boot_began) : u->times.activating;
		uint64_t up = boot ? after_start(u->boot_up) : u->times.activated;

		if (began || up)
			json_array_append_new(list, json_pack("{s:s, s:o*, s:o*, s:o*}", "unit",
				u->name, "activating", usec_of(began), "activated", usec_of(up),
				"failed", usec_of(unit_active(u) == FAILED ? u->since : 0)));
	}
	varlink_reply(call, json_pack("{s:I, s:o*, s:I, s:s, s:o}",
		"started", (json_int_t)(manager.started / 1000), "finished",
		usec_of(manager.finished), "now", (json_int_t)(now_ns() / 1000), "defaultTarget",
		manager.default_target ? manager.default_target : "", "units", list));
}

/* The loop's own table: 0 or -errno; @text to be freed. */
static int loop_table(const char *filter, enum knell_format format, char **text, size_t *len)
{
	FILE *f = open_memstream(text, len);
	int err = f ? knell_stats_show(queue_loop(), f, filter, format) : -ENOMEM;

	if (f)
		fclose(f);
	return err;
}

HANDLER(control_statistics)
{
	const char *filter = json_string_value(json_object_get(params, "filter"));
	json_t *cpu = json_object_get(params, "cpu"), *reply;
	char *text = NULL, *json = NULL;
	size_t len, json_len = 0;
	int err;

	if (cpu && !varlink_call_peer(call)->privileged) {
		varlink_error(call, VARLINK_DENIED, json_object());
		return;
	}
	if (cpu)
		knell_set_cpu_accounting(queue_loop(), json_is_true(cpu));
	err = loop_table(filter, KNELL_TEXT, &text, &len);
	if (!err)
		err = loop_table(filter, KNELL_JSON, &json, &json_len);
	reply = err ? NULL : json_loadb(json, json_len, 0, NULL);
	if (reply)
		json_object_set_new(reply, "text", json_text(text));
	if (err == -EINVAL)
		varlink_bad_parameter(call, "filter");
	else
		varlink_reply(call, reply);
	free(text);
	free(json);
}

/* Counters, as OpenMetrics has them: a family is told of in one piece. */

/* Names of units may have a backslash in them. */
static void put_label(FILE *f, const char *s)
{
	for (; *s; s++)
		fprintf(f, *s == '\\' || *s == '"' ? "\\%c" : "%c", *s);
}

static void family(FILE *f, const char *name, const char *type, const char *help)
{
	fprintf(f, "# TYPE knelld_%s %s\n# HELP knelld_%s %s\n", name, type, name, help);
}

static void per_unit(FILE *f, const char *name, const char *type, const char *help,
		     uint64_t (*value)(const struct unit *u))
{
	family(f, name, type, help);
	for (size_t i = 0; i < nr_units; i++) {
		if (!units[i]->file)
			continue;
		fprintf(f, "knelld_%s%s{unit=\"", name, strcmp(type, "counter") ? "" : "_total");
		put_label(f, units[i]->name);
		fprintf(f, "\"} %llu\n", (unsigned long long)value(units[i]));
	}
}

static uint64_t is_up(const struct unit *u)
{
	return unit_is_up(u);
}

static uint64_t has_failed(const struct unit *u)
{
	return unit_active(u) == FAILED;
}

static uint64_t restarts(const struct unit *u)
{
	return u->restarts_ever;
}

static uint64_t processes(const struct unit *u)
{
	return u->trees ? tree_count(u) : 0;
}

static void one(FILE *f, const char *name, const char *type, const char *help, double value)
{
	family(f, name, type, help);
	fprintf(f, "knelld_%s%s %.17g\n", name, strcmp(type, "counter") ? "" : "_total", value);
}

static void put_metrics(FILE *f)
{
	struct varlink_stats c = control_stats();
	struct knell_stats s;

	knell_stats_get(queue_loop(), &s);
	fprintf(f, "# TYPE knelld info\n# HELP knelld What runs.\n"
		"knelld_info{version=\"" KNELL_VERSION "\",backend=\"%s\"} 1\n",
		plain() ? "pidfd" : "kernel");
	one(f, "uptime_seconds", "gauge", "Since knelld was started.",
	    (double)(now_ns() - manager.started) / 1e9);
	one(f, "jobs", "gauge", "Jobs that have not ended.", (double)job_count());
	per_unit(f, "unit_up", "gauge", "Is it up?", is_up);
	per_unit(f, "unit_failed", "gauge", "Has it failed?", has_failed);
	per_unit(f, "unit_restarts", "counter", "Restarts without a request.", restarts);
	per_unit(f, "unit_processes", "gauge", "Processes there are.", processes);
	one(f, "loop_sleeps", "counter", "Times knelld went to sleep.", (double)s.sleeps);
	one(f, "loop_tasks", "counter", "Functions its loop has called.", (double)s.dispatched);
	one(f, "loop_records", "counter", "Records from the kernel.", (double)s.records);
	one(f, "loop_lost", "counter", "Reports the kernel had no room for.", (double)s.lost);
	one(f, "loop_busy_seconds", "counter", "Time spent awake.", (double)s.busy_ns / 1e9);
	one(f, "control_connections", "gauge", "Clients there are.", c.connections);
	one(f, "control_calls", "counter", "Calls of clients.", (double)c.calls);
	one(f, "control_dropped", "counter", "Clients that were sent away.", (double)c.dropped);
	fputs("# EOF\n", f);
}

HANDLER(control_metrics)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	if (f) {
		put_metrics(f);
		fclose(f);
	}
	varlink_reply(call, text ? json_pack("{s:s}", "text", text) : NULL);
	free(text);
}
