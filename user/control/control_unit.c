// SPDX-License-Identifier: GPL-2.0-only
/* A unit as JSON, and why it is as it is: read off, nothing is kept for it. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "control.h"
#include "exec.h"
#include "fdstore.h"
#include "knelld.h"
#include "socket.h"

#define HELD_MAX	64		/* units in holdsUp */
#define CHAIN_MAX	32

/* As the interface has them. */
const char *const json_active[] = {
	[INACTIVE] = "inactive", [ACTIVATING] = "activating", [ACTIVE] = "active",
	[RELOADING] = "reloading", [DEACTIVATING] = "deactivating", [FAILED] = "failed",
};
const char *const json_job_type[] = {
	[JOB_START] = "start", [JOB_VERIFY] = "verify", [JOB_STOP] = "stop",
	[JOB_RELOAD] = "reload", [JOB_RESTART] = "restart", [JOB_TRY_RESTART] = "try_restart",
	[JOB_TRY_RELOAD] = "reload", [JOB_RELOAD_OR_RESTART] = "reload", [JOB_NOTHING] = "verify",
};
const char *const json_job_result[] = {
	[JR_DONE] = "done", [JR_CANCELED] = "canceled", [JR_TIMEOUT] = "timeout",
	[JR_FAILED] = "failed", [JR_DEPENDENCY] = "dependency", [JR_SKIPPED] = "skipped",
	[JR_ASSERT] = "assertion", [JR_INVALID] = "invalid",
};
static const char *const loads[] = {
	[UNIT_LOADED] = "loaded", [UNIT_NOT_FOUND] = "not_found", [UNIT_BAD] = "bad",
	[UNIT_MASKED] = "masked", [UNIT_STUB] = "stub",
};

json_t *json_text(const char *s)
{
	json_t *j = s ? json_string(s) : NULL;
	char *copy;

	if (j || !s)
		return j;
	/* It is no UTF-8: the part of it that surely can be shown. */
	copy = xstrdup(s);
	for (char *c = copy; *c; c++)
		*c = *c & 0x80 ? '?' : *c;
	j = json_string(copy);
	free(copy);
	return j;
}

static uint64_t clock_usec(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return ts.tv_sec * 1000000ULL + ts.tv_nsec / 1000;
}

json_t *json_instant(uint64_t ns)
{
	json_int_t then = ns / 1000;
	json_int_t offset = clock_usec(CLOCK_REALTIME) - clock_usec(CLOCK_MONOTONIC);

	if (!ns)
		return NULL;
	return json_pack("{s:I, s:I}", "realtimeUsec", offset + then, "monotonicUsec", then);
}

/* NULL if it is 0: not known. */
static json_t *json_usec(uint64_t ns)
{
	return ns ? json_integer(ns / 1000) : NULL;
}

static json_t *json_pid(pid_t pid)
{
	return pid > 0 ? json_integer(pid) : NULL;
}

static json_t *json_strv(const struct strv *v)
{
	json_t *list = json_array();

	for (size_t i = 0; i < v->nr; i++)
		json_array_append_new(list, json_text(v->v[i]));
	return list;
}

static void add_name(json_t *list, const struct unit *u)
{
	json_array_append_new(list, json_string(u->name));
}

/* Units that the job of @u waits for. */
static json_t *json_waits_for(const struct unit *u)
{
	json_t *list = json_array();

	for (size_t i = 0; i < u->nr_edges; i++) {
		const struct edge *e = &u->edges[i];

		if ((e->side == DEP_AFTER || e->side == DEP_BEFORE) && e->to->job &&
		    job_waits_for(u, e->to))
			add_name(list, e->to);
	}
	return list;
}

json_t *json_job(const struct unit *u)
{
	const struct job *j = u->job;

	if (!j)
		return NULL;
	return json_pack("{s:I, s:s, s:s, s:b, s:o, s:o, s:o*}", "id", (json_int_t)j->id, "unit",
			 u->name, "type", json_job_type[j->type], "running", j->running,
			 "waitsFor", json_waits_for(u), "since", json_instant(j->since),
			 "until", json_instant(j->running && u->deadline ? u->deadline :
					       j->deadline));
}

json_t *json_unit(const struct unit *u)
{
	return json_pack("{s:s, s:s, s:o, s:s, s:s, s:s, s:o*, s:s, s:o*, s:I, s:o*}",
			 "name", u->name, "kind", unit_kind_suffix(u->kind), "description",
			 json_text(unit_latest(u)->description), "load", loads[u->load], "active",
			 json_active[unit_active(u)], "sub", unit_sub(u), "since",
			 json_instant(u->since), "result",
			 u->result == RESULT_CONDITION && u->unmet ? "condition" :
			 result_name(u->result), "mainPid", json_pid(u->pid),
			 "restarts", (json_int_t)u->restarts, "job", json_job(u));
}

/* The one command of that kind, if there are not several. */
static const char *path_of(const struct unit *u, enum exec_kind kind)
{
	const struct commands *c = unit_commands(u, kind);

	return c->nr == 1 ? c->v[0].path : NULL;
}

json_t *json_ending(const struct unit *u, const struct ending *e)
{
	bool known = !(e->flags & ENDING_NOSTATUS), killed = known && WIFSIGNALED(e->status);
	bool member = e->flags & ENDING_MEMBER, killer = e->flags & ENDING_KILLER;

	return json_pack("{s:s, s:o, s:s, s:i, s:o*, s:o*, s:o*, s:o*, s:o*, s:o*, s:o*, s:o*, "
			 "s:b, s:o*, s:o*, s:o*}",
		"unit", u->name, "time", json_instant(e->time_ns),
		"role", member ? "member" :
			e->role == EXEC_START ? "main" : unit_exec_name(e->role),
		"pid", (int)e->pid, "path", member ? NULL : json_text(path_of(u, e->role)),
		"status",
			known && WIFEXITED(e->status) ? json_integer(WEXITSTATUS(e->status)) : NULL,
		"signal", killed ? json_string(signal_name(WTERMSIG(e->status))) : NULL,
		"coreDumped", killed && WCOREDUMP(e->status) ? json_true() : NULL,
		"oom", e->flags & ENDING_OOM ? json_true() : NULL,
		"killerPid", killer ? json_integer(e->killer_pid) : NULL,
		"killerUid", killer ? json_integer(e->killer_uid) : NULL,
		"statusLost", known ? NULL : json_true(),
		"failure", !!(e->flags & ENDING_FAILURE), "runUsec", json_usec(e->run_ns),
		"cpuUsec", known ? json_integer(e->cpu_ns / 1000) : NULL,
		"rssKiB", e->rss_kib ? json_integer(e->rss_kib) : NULL);
}

static bool requires(uint8_t side)
{
	return side == DEP_REQUIRES || side == DEP_REQUISITE || side == DEP_BINDS_TO;
}

static bool failed_dependency(const struct unit *u)
{
	return u->result == RESULT_DEPENDENCY || u->outcome == JR_DEPENDENCY + 1;
}

/* From @u to the unit that it began with: each one needs the next, which is not up. */
static json_t *json_chain(const struct unit *u)
{
	json_t *list = json_array();
	const struct unit *next = u;

	for (size_t n = 0; next && n < CHAIN_MAX; n++) {
		const struct unit *of = next;

		add_name(list, of);
		next = NULL;
		for (size_t i = 0; failed_dependency(of) && i < of->nr_edges && !next; i++)
			if (requires(of->edges[i].side) && !unit_is_up(of->edges[i].to))
				next = of->edges[i].to;
	}
	return list;
}

/* Units that wait for @u or failed because of it, and those that wait for these. */
static json_t *json_holds_up(const struct unit *u)
{
	const struct unit *held[HELD_MAX + 1] = { u };
	json_t *list = json_array();
	size_t nr = 1;

	for (size_t n = 0; n < nr && !unit_is_up(u); n++)
		for (size_t i = 0; i < held[n]->nr_edges && nr <= HELD_MAX; i++) {
			const struct unit *to = held[n]->edges[i].to;
			bool known = false;

			for (size_t k = 0; k < nr; k++)
				known |= held[k] == to;
			if (known || !((to->job && job_waits_for(to, held[n])) ||
				       (requires(held[n]->edges[i].side - DEP_KINDS) &&
					!unit_is_up(to) && failed_dependency(to))))
				continue;
			held[nr++] = to;
			add_name(list, to);
		}
	return list;
}

static json_t *json_sides(const struct unit *u, uint8_t side)
{
	json_t *list = json_array();

	for (size_t i = 0; i < u->nr_edges; i++)
		if (u->edges[i].side == side)
			add_name(list, u->edges[i].to);
	return list;
}

/* The latest end that counted as a failure, else the latest one of a command. */
static const struct ending *decisive(const struct unit *u)
{
	const struct ending *e, *last = NULL;

	for (size_t i = 0; (e = unit_ending(u, i)); i++) {
		if (e->flags & ENDING_FAILURE)
			return e;
		if (!last && !(e->flags & ENDING_MEMBER))
			last = e;
	}
	return last;
}

/* Why it is down, by how its latest run went. */
static const char *down_code(const struct unit *u)
{
	static const char *const codes[RESULTS] = {
		[RESULT_RESOURCES] = "resources", [RESULT_TIMEOUT] = "timeout",
		[RESULT_START_LIMIT] = "start_limit", [RESULT_DEPENDENCY] = "dependency",
		[RESULT_BAD_UNIT] = "bad", [RESULT_WATCHDOG] = "watchdog",
		[RESULT_PROTOCOL] = "protocol", [RESULT_CONDITION] = "condition",
	};
	const struct ending *e = decisive(u);

	if (u->outcome == JR_ASSERT + 1)
		return "assertion";
	if (codes[u->result])
		return codes[u->result];
	if (u->result != RESULT_SUCCESS)
		return e && e->role != EXEC_START ? "command" : "process";
	if (u->outcome == JR_DEPENDENCY + 1)
		return "dependency";
	if (u->outcome == JR_SKIPPED + 1)
		return "condition";
	for (size_t i = 0; i < u->nr_edges; i++)
		if (u->edges[i].side == DEP_INVERSE(DEP_TRIGGERS) && unit_is_up(u->edges[i].to))
			return "trigger";
	if (u->stop_asked)
		return "stopped";
	return u->times.activating || u->nr_history ? "finished" : "never";
}

static const char *why_code(const struct unit *u)
{
	if (u->job && !u->job->running)
		return "waiting";
	switch (unit_active(u)) {
	case ACTIVE: case RELOADING:
		return "running";
	case ACTIVATING:
		return strcmp(unit_sub(u), "auto-restart") ? "starting" : "delay";
	case DEACTIVATING:
		return "stopping";
	case FAILED:
		/* Its file may be gone by now, or another one: why it failed is what that said. */
		return down_code(u);
	default:
		return u->load == UNIT_MASKED ? "masked" : u->load == UNIT_NOT_FOUND ? "missing" :
		       u->load == UNIT_BAD ? "bad" : down_code(u);
	}
}

/* "ExecStartPre=/bin/x", "SIGTERM", "READY=1": what is waited for, to be freed; NULL: not known. */
static char *step_of(const struct unit *u)
{
	const char *path = path_of(u, u->exec), *sub = unit_sub(u);

	if (strstr(sub, "sigkill"))
		return xstrdup("SIGKILL");
	if (strstr(sub, "sigterm"))
		return xstrdup("SIGTERM");
	if (u->control)
		return xasprintf("%s=%s", unit_exec_name(u->exec), path ? path : "");
	if (unit_active(u) == ACTIVATING && u->pid && u->type != TYPE_ONESHOT)
		return xstrdup("READY=1");
	return u->pid ? xasprintf("%s=%s", unit_exec_name(EXEC_START), path ? path : "") : NULL;
}

static json_t *json_condition(const struct unit *u)
{
	const struct unit_file *f = u->file;
	const struct condition *c;

	/* The file may be another one by now. */
	if (!u->unmet || u->unmet > f->nr_conditions)
		return NULL;
	c = &f->conditions[u->unmet - 1];
	return json_pack("{s:o, s:o, s:o*, s:i}", "name",
		json_sprintf("%s%s", c->assert ? "Assert" : "Condition",
			     unit_condition_name(c->kind)),
		"parameter", json_sprintf("%s%s%s", c->trigger ? "|" : "", c->negate ? "!" : "",
					  c->param),
		"file", c->where.file < f->nr_sources ? json_text(f->sources[c->where.file]) : NULL,
		"line", (int)c->where.line);
}

static json_t *json_why(const struct unit *u)
{
	const char *code = why_code(u);
	bool trigger = !strcmp(code, "trigger"), steps = !strcmp(code, "starting") ||
		!strcmp(code, "stopping"), unmet = !strcmp(code, "condition") ||
		!strcmp(code, "assertion");
	const struct ending *e = unit_is_up(u) || !u->nr_history ? NULL : decisive(u);
	char *step = steps || !strcmp(code, "timeout") ? step_of(u) : NULL;
	json_t *why = json_pack("{s:s, s:o*, s:o*, s:o*, s:o*, s:o*, s:o*, s:o*, s:o*, s:o*}",
		"code", code, "text", unit_is_up(u) ? NULL : json_text(u->failure),
		"step", json_text(step),
		"pid", steps ? json_pid(u->control ? u->control->pid : u->pid) : NULL,
		"chain", strcmp(code, "dependency") ? NULL : json_chain(u),
		"waitsFor", strcmp(code, "waiting") ? NULL : json_waits_for(u),
		"triggeredBy", trigger ? json_sides(u, DEP_INVERSE(DEP_TRIGGERS)) : NULL,
		"exit", e ? json_ending(u, e) : NULL, "condition", unmet ? json_condition(u) : NULL,
		"until", steps || !strcmp(code, "delay") ? json_instant(u->deadline) : NULL);

	free(step);
	return why;
}

static json_t *json_listen(const struct unit *u)
{
	const struct socket *s = u->file->socket;
	json_t *list = json_array();

	for (size_t i = 0; i < s->nr_listen; i++)
		json_array_append_new(list, json_sprintf("%s=%s",
			unit_listen_name(s->listen[i].kind), s->listen[i].address));
	return list;
}

/* Where that goes whom nobody has told where to: what we were given ourselves. */
static json_t *json_own_output(void)
{
	char name[256];
	ssize_t n = readlink("/proc/self/fd/2", name, sizeof(name) - 1);

	name[n > 0 ? n : 0] = '\0';
	return json_pack("{s:s, s:o*}", "kind", "manager", "name", n > 0 ? json_text(name) : NULL);
}

/* For what is neither a file's nor a logger's. */
static json_t *json_output(const struct exec_context *exec)
{
	uint8_t kind = exec->out.kind, in = exec->in.kind;
	const char *tty = exec->tty ? exec->tty : "/dev/console";

	if (kind == STDIO_INHERIT && (in == STDIO_TTY || in == STDIO_SOCKET || in == STDIO_FD))
		kind = in;
	switch (kind) {
	case STDIO_NULL:
		return json_pack("{s:s}", "kind", "null");
	case STDIO_TTY:
		return json_pack("{s:s, s:o*}", "kind", "tty", "name", json_text(tty));
	case STDIO_SOCKET:
	case STDIO_FD:
		return json_pack("{s:s}", "kind", "socket");
	default:
		return json_own_output();
	}
}

/* Where what it writes goes, and the last lines of it. */
static void add_log(json_t *d, const struct unit *u, size_t lines)
{
	const struct exec_context *exec = u->file->service ? u->file->service->exec : NULL;
	char *text = exec && lines ? log_tail(exec, lines) : NULL, *rest = text, *line;
	char *logger = unit_logger_name(u->file);
	json_t *list = json_array();

	while ((line = strsep(&rest, "\n")) && (*line || rest))
		json_array_append_new(list, json_text(line));
	if (text)
		json_object_set(d, "log", list);
	if (exec && exec->out.kind >= STDIO_FILE && exec->out.kind <= STDIO_TRUNCATE)
		json_object_set_new(d, "logFile", json_text(exec->out.path));
	else if (exec && !logger)
		json_object_set_new(d, "output", json_output(exec));
	if (logger)
		json_object_set_new(d, "logger", json_text(logger));
	json_decref(list);
	free(logger);
	free(text);
}

static json_t *json_exits(const struct unit *u, size_t nr)
{
	json_t *list = json_array();
	const struct ending *e;

	for (size_t i = 0; i < nr && (e = unit_ending(u, i)); i++)
		json_array_append_new(list, json_ending(u, e));
	return list;
}

/* What the file says, and where that is. */
static json_t *json_files(const struct unit *u)
{
	const struct unit_file *f = unit_latest(u);
	json_t *drop_ins = json_array();

	for (size_t i = 1; i < f->nr_files; i++)
		json_array_append_new(drop_ins, json_text(f->sources[i]));
	return json_pack("{s:o, s:o*, s:o, s:o, s:b, s:o*, s:s*}",
		"aliases", json_strv(&f->names),
		"path", json_text(f->nr_files ? f->sources[0] : NULL),
		"dropIns", drop_ins, "documentation", json_strv(&f->documentation),
		"changed", u->next != NULL,
		"loadError", json_text(u->load == UNIT_BAD ? f->bad : NULL),
		"type", f->service ? unit_type_name(f->service->type) : NULL);
}

json_t *json_details(const struct unit *u, size_t exits, size_t lines)
{
	json_t *d = json_files(u), *more = json_pack(
		"{s:o, s:s*, s:o*, s:I, s:o*, s:o*, s:o*, s:o*, s:o*, s:o*, s:o*, s:o, s:o, s:o, "
		"s:o, s:o*, s:o*, s:o*, s:o*, s:o*, s:o*, s:o}",
		"unit", json_unit(u), "control", u->control ? unit_exec_name(u->exec) : NULL,
		"controlPid", u->control ? json_pid(u->control->pid) : NULL,
		"members", (json_int_t)(u->trees ? tree_count(u) : 0),
		"statusText", json_text(u->status_text),
		"statusErrno", u->status_errno ? json_integer(u->status_errno) : NULL,
		"mainStatus", u->ran ? json_integer(u->status) : NULL,
		"activating", json_instant(u->times.activating),
		"activated", json_instant(u->times.activated),
		"deactivating", json_instant(u->times.deactivating),
		"deactivated", json_instant(u->times.deactivated),
		"why", json_why(u), "holdsUp", json_holds_up(u),
		"triggers", json_sides(u, DEP_TRIGGERS),
		"triggeredBy", json_sides(u, DEP_INVERSE(DEP_TRIGGERS)),
		"listen", u->kind == UNIT_SOCKET ? json_listen(u) : NULL,
		"connections", u->kind == UNIT_SOCKET && u->file->socket->accept ?
			json_integer(socket_connections(u)) : NULL,
		"next", u->kind == UNIT_TIMER ? json_instant(u->deadline) : NULL,
		"last", u->kind == UNIT_TIMER ? json_instant(timer_last(u)) : NULL,
		"storedFds", u->fds ? json_integer(u->fds->nr) : NULL,
		"watchdog", json_instant(u->watchdog_deadline), "exits", json_exits(u, exits));

	json_object_update(d, more);
	json_decref(more);
	add_log(d, u, lines);
	return d;
}
