// SPDX-License-Identifier: GPL-2.0-only
/*
 * The socket, and what may be changed through it. Each method is a translation to what manager.h
 * has; the transport checks who calls, and of what type the parameters are.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control.h"
#include "knelld.h"

#define NAMES_MAX	4096		/* in one call that makes jobs */
#define ERROR(name)	CONTROL_INTERFACE "." name

extern const char io_knell_Manager_varlink[];

const char *control_path;
bool control_owner_only;

static struct varlink_server *server;

static void refuse_name(struct varlink_call *call, const char *error, const char *name,
			const char *text)
{
	varlink_error(call, error, json_pack("{s:o, s:s*}", "name", json_text(name), "text", text));
}

static void done(struct varlink_call *call)
{
	varlink_reply(call, json_object());
}

/* To others a name that is not there says nothing: what is loaded once stays. */
static struct unit *find(struct varlink_call *call, const char *name)
{
	return varlink_call_peer(call)->privileged ? unit_look_up(name) : unit_find(name);
}

static const char *no_unit(const char *name)
{
	return unit_name_kind(name) < UNIT_KINDS ? ERROR("NoSuchUnit") : ERROR("BadName");
}

/* Is it but a name: no file, no failure of when there was one, and no other unit speaks of it? */
static bool is_nothing(const struct unit *u)
{
	if (u->load != UNIT_NOT_FOUND || u->nr_history || u->job || u->result != RESULT_SUCCESS)
		return false;
	for (size_t i = 0; i < u->nr_edges; i++)
		if (u->edges[i].side >= DEP_KINDS && u->edges[i].to->load == UNIT_LOADED)
			return false;
	return true;
}

struct unit *control_unit(struct varlink_call *call, json_t *params)
{
	const char *name = json_string_value(json_object_get(params, "name"));
	struct unit *u = find(call, name);

	if (u && !is_nothing(u))
		return u;
	refuse_name(call, no_unit(name), name, NULL);
	return NULL;
}

/* Jobs: one call may make many, and is answered when all of them have ended. */

struct outcome {
	struct request *request;
	char *name;
	struct unit *unit;
	uint32_t job;
	int result;			/* enum job_result, -1: not yet */
	const char *error;
	char *text;
};

struct request {
	struct varlink_call *call;
	bool asking;			/* not all of them have been asked for */
	size_t nr, left;
	struct outcome v[];
};

static json_t *json_outcomes(const struct request *r)
{
	json_t *list = json_array();

	for (size_t i = 0; i < r->nr; i++) {
		const struct outcome *o = &r->v[i];

		json_array_append_new(list, json_pack("{s:o, s:s, s:I, s:s*, s:s*, s:o*}", "name",
			json_text(o->name), "unit", o->unit ? o->unit->name : "", "job",
			(json_int_t)o->job, "result",
			o->result < 0 ? NULL : json_job_result[o->result], "error", o->error,
			"text", json_text(o->text)));
	}
	return json_pack("{s:o}", "jobs", list);
}

static void request_free(struct request *r)
{
	for (size_t i = 0; i < r->nr; i++) {
		free(r->v[i].name);
		free(r->v[i].text);
	}
	free(r);
}

static void request_end(struct request *r)
{
	varlink_reply(r->call, json_outcomes(r));
	request_free(r);
}

static void on_done(void *arg, struct unit *u, uint32_t id, enum job_result result)
{
	struct outcome *o = arg;
	struct request *r = o->request;

	(void)u;
	o->job = id;
	o->result = result;
	r->left--;
	if (r->asking)
		return;
	if (!r->left)
		request_end(r);
	else if (varlink_call_more(r->call))
		varlink_continue(r->call, json_outcomes(r));
}

/* The jobs go on without whoever asked for them. */
static void on_gone(struct varlink_call *call, void *arg)
{
	struct request *r = arg;

	for (size_t i = 0; i < r->nr; i++)
		job_unwatch(&r->v[i]);
	varlink_drop(call);
	request_free(r);
}

static const char *error_of(int err)
{
	switch (err) {
	case -ENOENT: return "NoSuchUnit";
	case -EPERM: return "UnitRefused";
	case -EDEADLK: return "Contradiction";
	case -EOPNOTSUPP: return "NotApplicable";
	case -ESHUTDOWN: return "ShuttingDown";
	default: return "SystemError";
	}
}

/* RefuseManualStart= and its like are about such requests alone. */
static bool refused(const struct unit *u, enum job_type type)
{
	const struct unit_file *f = unit_latest(u);
	bool stops = type == JOB_STOP || type == JOB_RESTART || type == JOB_TRY_RESTART;
	bool starts = type == JOB_START || type == JOB_RESTART || type == JOB_RELOAD_OR_RESTART;

	return (stops && f->refuse_manual_stop) || (starts && f->refuse_manual_start);
}

static void ask_one(struct outcome *o, enum job_type type, enum job_mode mode, bool wait)
{
	const char *why = NULL;
	int64_t id;

	o->unit = unit_look_up(o->name);
	if (!o->unit) {
		o->error = no_unit(o->name) + sizeof(CONTROL_INTERFACE);
		return;
	}
	if (refused(o->unit, type)) {
		o->error = "UnitRefused";
		o->text = xstrdup("it is not to be started or stopped by hand");
		return;
	}
	o->request->left++;
	id = job_ask(o->unit, type, mode, wait ? on_done : NULL, o, &why);
	if (id > 0 && wait)
		o->job = id;
	if (id > 0 && wait)
		return;
	o->request->left--;
	if (id > 0)
		o->job = id;
	else if (!id)
		o->result = JR_DONE;
	else
		o->error = error_of(id);
	if (id < 0 && why)
		o->text = xstrdup(why);
}

/* -1: no such mode */
static int mode_of(json_t *params)
{
	static const struct {
		const char *name;
		enum job_mode mode;
	} modes[] = {
		{ "replace", JOB_REPLACE }, { "fail", JOB_FAIL }, { "isolate", JOB_ISOLATE },
		{ "flush", JOB_FLUSH }, { "ignore_dependencies", JOB_IGNORE_DEPENDENCIES },
	};
	const char *name = json_string_value(json_object_get(params, "mode"));

	for (size_t i = 0; name && i < ARRAY_SIZE(modes); i++)
		if (!strcmp(modes[i].name, name))
			return modes[i].mode;
	return name ? -1 : JOB_REPLACE;
}

static void ask(struct varlink_call *call, json_t *params, enum job_type type)
{
	json_t *names = json_object_get(params, "names");
	size_t nr = json_array_size(names);
	bool wait = !json_is_true(json_object_get(params, "noBlock"));
	int mode = mode_of(params);
	struct request *r;

	if (mode < 0 || nr > NAMES_MAX) {
		varlink_bad_parameter(call, mode < 0 ? "mode" : "names");
		return;
	}
	r = xcalloc(1, sizeof(*r) + nr * sizeof(r->v[0]));
	r->call = call;
	r->asking = true;
	r->nr = nr;
	for (size_t i = 0; i < nr; i++) {
		r->v[i] = (struct outcome){ .request = r, .result = -1, .name =
			xstrdup(json_string_value(json_array_get(names, i))) };
		ask_one(&r->v[i], type, mode, wait);
	}
	r->asking = false;
	if (!r->left) {
		request_end(r);
		return;
	}
	varlink_call_on_gone(call, on_gone, r);
	if (varlink_call_more(call))
		varlink_continue(call, json_outcomes(r));
}

static HANDLER(start_units)
{
	ask(call, params, JOB_START);
}

static HANDLER(stop_units)
{
	ask(call, params, JOB_STOP);
}

static HANDLER(restart_units)
{
	ask(call, params, JOB_RESTART);
}

static HANDLER(try_restart_units)
{
	ask(call, params, JOB_TRY_RESTART);
}

static HANDLER(reload_units)
{
	ask(call, params, json_is_true(json_object_get(params, "orRestart")) ?
	    JOB_RELOAD_OR_RESTART : JOB_RELOAD);
}

static HANDLER(kill_unit)
{
	const char *whom = json_string_value(json_object_get(params, "whom"));
	json_t *number = json_object_get(params, "signal");
	json_int_t sig = number ? json_integer_value(number) : SIGTERM;
	struct unit *u = control_unit(call, params);
	int n;

	if (!u)
		return;
	whom = whom ? whom : "all";
	if (sig < 1 || sig >= NSIG) {
		varlink_bad_parameter(call, "signal");
		return;
	}
	if (strcmp(whom, "all") && strcmp(whom, "main") && strcmp(whom, "control")) {
		varlink_bad_parameter(call, "whom");
		return;
	}
	n = service_kill(u, sig, *whom != 'c', *whom != 'm');
	if (n > 0)
		varlink_reply(call, json_pack("{s:i}", "reached", n));
	else
		refuse_name(call, ERROR("NoProcess"), u->name, n < 0 ? strerror(-n) : NULL);
}

static HANDLER(reset_failed)
{
	json_t *names = json_object_get(params, "names"), *name;
	size_t i;

	json_array_foreach(names, i, name)
		if (!unit_find(json_string_value(name))) {
			refuse_name(call, ERROR("NoSuchUnit"), json_string_value(name), NULL);
			return;
		}
	for (i = 0; !names && i < nr_units; i++)
		unit_reset_failed(units[i]);
	json_array_foreach(names, i, name)
		unit_reset_failed(unit_find(json_string_value(name)));
	done(call);
}

static HANDLER(cancel_job)
{
	json_int_t id = json_integer_value(json_object_get(params, "id"));
	struct unit *u = id > 0 && id <= UINT32_MAX ? job_unit(id) : NULL;

	if (!u) {
		varlink_error(call, ERROR("NoSuchJob"), json_pack("{s:I}", "id", id));
		return;
	}
	job_cancel(u);
	done(call);
}

/* The manager */

static void done_or_error(struct varlink_call *call, int err)
{
	if (err == -ESHUTDOWN)
		varlink_error(call, ERROR("ShuttingDown"), json_object());
	else if (err == -EOPNOTSUPP)
		varlink_error(call, ERROR("NotSupported"), json_pack("{s:s}", "text",
			"that takes the module, and a kept queue"));
	else if (err < 0)
		varlink_error(call, ERROR("SystemError"), json_pack("{s:i, s:s}", "errno", -err,
								    "text", strerror(-err)));
	else
		done(call);
}

static HANDLER(reload)
{
	done_or_error(call, manager_reload());
}

static HANDLER(reexec)
{
	done_or_error(call, manager_reexec());
}

/* Who has ended it all is asked for afterwards, when nobody is there to tell. */
static void tell_who(const struct varlink_call *call, const char *what)
{
	const struct varlink_peer *peer = varlink_call_peer(call);
	char path[32], comm[17] = "";
	ssize_t n = 0;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/comm", peer->pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		n = read(fd, comm, sizeof(comm) - 1);
		close(fd);
	}
	comm[n > 0 ? strcspn(comm, "\n") : 0] = '\0';
	log_line("%s asked for by process %d (%s) of user %u: %s", what, peer->pid,
		 *comm ? comm : "gone", peer->uid,
		 manager.stopping ? "that is under way" : "stopping all services");
}

static void end(struct varlink_call *call, enum ending_how how, const char *what)
{
	if (getpid() != 1) {
		varlink_error(call, ERROR("NotSupported"), json_pack("{s:s}", "text",
			"knelld is not the first process here"));
		return;
	}
	tell_who(call, what);
	done(call);
	manager_stop(how, 0);
}

static HANDLER(power_off)
{
	end(call, END_POWEROFF, "power off");
}

static HANDLER(reboot_)
{
	end(call, END_REBOOT, "reboot");
}

static HANDLER(halt)
{
	end(call, END_HALT, "halt");
}

static HANDLER(exit_)
{
	json_int_t status = json_integer_value(json_object_get(params, "status"));

	if (status < 0 || status > 255) {
		varlink_bad_parameter(call, "status");
		return;
	}
	tell_who(call, "exit");
	done(call);
	manager_stop(getpid() == 1 ? END_POWEROFF : END_EXIT, status);
}

/* Events */

struct reader {
	struct reader *next;
	struct varlink_call *call;
	json_int_t lost;		/* and not told of yet */
};

static struct reader *readers;
static json_int_t sequence;

static const char *const event_kinds[] = {
	[EVENT_UNIT] = "unit", [EVENT_JOB_NEW] = "job_new", [EVENT_JOB_DONE] = "job_done",
	[EVENT_EXIT] = "exit", [EVENT_TIMER] = "timer", [EVENT_RELOAD] = "reload",
	[EVENT_SHUTDOWN] = "shutdown",
};

static json_t *json_plain_event(const char *kind, json_int_t lost)
{
	return json_pack("{s:{s:I, s:o, s:s, s:o*}}", "event", "seq", sequence, "time",
			 json_instant(now_ns()), "kind", kind, "lost",
			 lost ? json_integer(lost) : NULL);
}

static json_t *json_event(const struct event *ev)
{
	bool job = ev->kind == EVENT_JOB_NEW || ev->kind == EVENT_JOB_DONE;
	const struct unit *u = ev->unit;

	return json_pack("{s:{s:I, s:o, s:s, s:s*, s:s*, s:s*, s:s*, s:o*, s:s*, s:s*, s:o*}}",
		"event", "seq", sequence, "time", json_instant(now_ns()), "kind",
		event_kinds[ev->kind], "unit", u ? u->name : NULL,
		"active", u ? json_active[unit_active(u)] : NULL, "sub", u ? unit_sub(u) : NULL,
		"result", u ? result_name(u->result) : NULL,
		"job", job ? json_integer(ev->job) : NULL,
		"jobType", job ? json_job_type[ev->job_type] : NULL,
		"jobResult", ev->kind == EVENT_JOB_DONE ? json_job_result[ev->job_result] : NULL,
		"exit", ev->ending ? json_ending(u, ev->ending) : NULL);
}

/* Is @word in that list, or is there none? */
static bool listed(const struct reader *r, const char *list, const char *word)
{
	json_t *words = json_object_get(varlink_call_params(r->call), list), *w;
	size_t i;

	json_array_foreach(words, i, w)
		if (word && !strcmp(json_string_value(w), word))
			return true;
	return !words;
}

static void send_event(struct reader *r, json_t *event)
{
	if (r->lost && !varlink_continue(r->call, json_plain_event("lost", r->lost)))
		r->lost = 0;
	if (r->lost || varlink_continue(r->call, json_incref(event)))
		r->lost++;
}

static void on_event(const struct event *ev)
{
	const char *name = ev->unit ? ev->unit->name : NULL;
	json_t *event = NULL;

	sequence++;
	for (struct reader *r = readers; r; r = r->next) {
		if (!listed(r, "kinds", event_kinds[ev->kind]) || !listed(r, "units", name))
			continue;
		event = event ? event : json_event(ev);
		send_event(r, event);
	}
	json_decref(event);
}

static void reader_gone(struct varlink_call *call, void *arg)
{
	struct reader *r = arg, **p = &readers;

	while (*p != r)
		p = &(*p)->next;
	*p = r->next;
	free(r);
	varlink_drop(call);
	if (!readers)
		manager_hook = NULL;
}

static HANDLER(subscribe)
{
	struct reader *r = xcalloc(1, sizeof(*r));

	*r = (struct reader){ .next = readers, .call = call };
	readers = r;
	manager_hook = on_event;
	varlink_call_on_gone(call, reader_gone, r);
	varlink_continue(call, json_plain_event("ready", 0));
}

/* The socket */

#define P_END		{ NULL, 0, false }
#define STRING(n, o)	{ n, VARLINK_STRING, o }
#define STRINGS(n, o)	{ n, VARLINK_STRINGS, o }
#define INT(n)		{ n, VARLINK_INT, true }
#define BOOL(n)		{ n, VARLINK_BOOL, true }
#define ACT		VARLINK_PRIVILEGED

static const struct varlink_param jobs[] = {
	STRINGS("names", false), STRING("mode", true), BOOL("noBlock"), P_END
};
static const struct varlink_param reloads[] = {
	STRINGS("names", false), BOOL("orRestart"), STRING("mode", true), BOOL("noBlock"), P_END
};
static const struct varlink_param status[] = {
	STRING("name", false), INT("exits"), INT("lines"), P_END
};
static const struct varlink_param one_name[] = { STRING("name", false), P_END };
static const struct varlink_param kill_params[] = {
	STRING("name", false), INT("signal"), STRING("whom", true), P_END
};
static const struct varlink_param some_names[] = { STRINGS("names", true), P_END };
static const struct varlink_param history[] = { STRING("name", true), INT("limit"), P_END };
static const struct varlink_param filters[] = {
	STRINGS("units", true), STRINGS("kinds", true), P_END
};
static const struct varlink_param table[] = { STRING("filter", true), BOOL("cpu"), P_END };
static const struct varlink_param job_id[] = { { "id", VARLINK_INT, false }, P_END };
static const struct varlink_param exit_status[] = { INT("status"), P_END };

/* Not constant, as --control-read=owner makes all of them privileged. */
static struct varlink_method methods[] = {
	{ "ListUnits", control_list_units, NULL, 0 },
	{ "UnitStatus", control_unit_status, status, 0 },
	{ "ManagerStatus", control_manager_status, NULL, 0 },
	{ "StartUnits", start_units, jobs, ACT },
	{ "StopUnits", stop_units, jobs, ACT },
	{ "RestartUnits", restart_units, jobs, ACT },
	{ "TryRestartUnits", try_restart_units, jobs, ACT },
	{ "ReloadUnits", reload_units, reloads, ACT },
	{ "KillUnit", kill_unit, kill_params, ACT },
	{ "ResetFailed", reset_failed, some_names, ACT },
	{ "ListJobs", control_list_jobs, NULL, 0 },
	{ "CancelJob", cancel_job, job_id, ACT },
	{ "Reload", reload, NULL, ACT },
	{ "Reexec", reexec, NULL, ACT },
	{ "PowerOff", power_off, NULL, ACT },
	{ "Reboot", reboot_, NULL, ACT },
	{ "Halt", halt, NULL, ACT },
	{ "Exit", exit_, exit_status, ACT },
	{ "History", control_history, history, 0 },
	{ "Tree", control_tree, some_names, 0 },
	{ "Timers", control_timers, NULL, 0 },
	{ "Dependencies", control_dependencies, one_name, 0 },
	{ "Subscribe", subscribe, filters, VARLINK_MORE },
	{ "Metrics", control_metrics, NULL, 0 },
	{ "BootTimes", control_boot_times, NULL, 0 },
	{ "Statistics", control_statistics, table, 0 },
	{ 0 },
};

static const char *usual_path(void)
{
	static char *path;
	const char *dir = getenv("XDG_RUNTIME_DIR");

	if (!path && manager.user && dir && *dir == '/')
		path = xasprintf("%s/knell/control", dir);
	return manager.user ? path : "/run/knell/control";
}

/* The last directory on the way is ours to make. */
static void make_parent(const char *path)
{
	char *dir = xstrdup(path), *slash = strrchr(dir, '/');

	if (slash && slash > dir) {
		*slash = '\0';
		mkdir(dir, 0755);
	}
	free(dir);
}

int control_begin(void)
{
	static const struct varlink_interface interface = {
		.name = CONTROL_INTERFACE,
		.description = io_knell_Manager_varlink,
		.methods = methods,
	};
	static const struct varlink_interface *const interfaces[] = { &interface, NULL };
	struct varlink_server_attr attr = {
		.path = control_path ? control_path : usual_path(),
		.mode = control_owner_only ? 0600 : 0666,
		.owner = geteuid(),
		.vendor = "knell",
		.product = "knelld",
		.version = KNELL_VERSION,
		.url = "",
		.interfaces = interfaces,
	};
	int err;

	if (!attr.path) {
		log_line("XDG_RUNTIME_DIR is not set: knellctl cannot reach us");
		return -ENOENT;
	}
	for (struct varlink_method *m = methods; control_owner_only && m->name; m++)
		m->flags |= VARLINK_PRIVILEGED;
	make_parent(attr.path);
	err = varlink_server_new(queue_loop(), &attr, &server);
	if (err < 0)
		log_line("%s: knellctl cannot reach us: %s", attr.path, strerror(-err));
	return err;
}

void control_flush(void)
{
	if (server)
		varlink_server_flush(server);
}

void control_end(void)
{
	varlink_server_free(server);
	server = NULL;
}

struct varlink_stats control_stats(void)
{
	return varlink_server_stats(server);
}
