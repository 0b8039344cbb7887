// SPDX-License-Identifier: GPL-2.0-only
/* The manager as a whole: where units come from, what is started at first, how it all ends. */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "manager_internal.h"
#include "unit_install.h"

struct manager manager = { .default_target = "default.target" };
struct unit_options manager_options;
static bool starting;			/* jobs of the boot or a reload are left */
static bool last_round;			/* what was started for the end is being stopped */

static const char *const end_targets[] = {
	[END_EXIT] = "exit.target", [END_POWEROFF] = "poweroff.target",
	[END_REBOOT] = "reboot.target", [END_HALT] = "halt.target", [END_KEXEC] = "kexec.target",
};

/* The file's name is enough where it is in the directory that units come from. */
static void say(void *arg, enum severity severity, const char *file, unsigned int line,
		const char *text)
{
	const char *base = strrchr(file, '/');

	(void)arg;
	(void)severity;
	base = base ? base + 1 : file;
	if (line)
		log_line("%s:%u: %s", base, line, text);
	else
		log_line("%s: %s", base, text);
}

/* Directories that somebody has named must be there: a missing one is no empty one. */
static int check_dirs(void)
{
	for (size_t i = 0; i < manager_options.dirs.nr; i++) {
		const char *name = manager_options.dirs.v[i];
		DIR *d = opendir(name);
		int err = d ? 0 : -errno;

		if (d)
			closedir(d);
		if (err) {
			log_line("cannot read the unit directory %s: %s", name, strerror(-err));
			return err;
		}
	}
	return 0;
}

static int open_dirs(void)
{
	int err = check_dirs();

	if (err)
		return err;
	if (manager.dirs)
		unit_dirs_close(manager.dirs);
	manager_options.say = say;
	manager.dirs = unit_dirs_open(&manager_options);
	return 0;
}

/* Which of the ends a target is, ARRAY_SIZE(end_targets): none. */
static size_t end_of(const char *name)
{
	size_t how = 0;

	while (how < ARRAY_SIZE(end_targets) &&
	       (!end_targets[how] || strcmp(name, end_targets[how])))
		how++;
	return how;
}

static bool only_ends(const struct strv *names)
{
	for (size_t i = 0; i < names->nr; i++)
		if (strcmp(names->v[i], "shutdown.target") &&
		    end_of(names->v[i]) == ARRAY_SIZE(end_targets))
			return false;
	return true;
}

/* Of a directory without a default target: is it to be started? */
static bool is_wanted(const struct unit *u)
{
	const struct install *i = unit_latest(u)->install;
	enum unit_state state;

	if (u->kind == UNIT_TARGET || u->load == UNIT_MASKED)
		return false;
	if (!i || !(i->wanted_by.nr || i->required_by.nr || i->upheld_by.nr || i->also.nr ||
		    i->alias.nr))
		return true;
	if (i->wanted_by.nr + i->required_by.nr && only_ends(&i->wanted_by) &&
	    only_ends(&i->required_by))
		return false;
	state = unit_is_enabled(manager.dirs, u->name);
	return state == UNIT_STATE_ENABLED || state == UNIT_STATE_ENABLED_RUNTIME;
}

/* What a timer or a socket starts waits for that, unless it is enabled itself. */
static void leave_to_triggers(const struct unit *u)
{
	const struct unit_file *f = unit_latest(u);

	for (size_t i = 0; u->wanted && i < f->nr_deps; i++) {
		const struct dep *dep = &f->deps[i];
		struct unit *to = dep->kind == DEP_TRIGGERS ? unit_get(dep->name) : NULL;

		if (to && to != u && !unit_latest(to)->install)
			to->wanted = false;
	}
}

/* Without a default target all that is there is started, but for what waits to be enabled. */
static void want_all(void)
{
	struct unit *d = unit_get(manager.default_target);
	struct strv names = { 0 };

	for (size_t i = 0; i < nr_units; i++)
		units[i]->wanted = false;
	/* One that was asked for by name, or cannot be read, is not replaced by everything. */
	if (!d || d->load != UNIT_STUB || manager.default_named)
		return;
	unit_dirs_names(manager.dirs, &names);
	for (size_t i = 0; i < names.nr; i++) {
		struct unit *u = unit_get(names.v[i]);

		if (u)
			u->wanted = is_wanted(u);
	}
	for (size_t i = 0; i < nr_units; i++)
		leave_to_triggers(units[i]);
	strv_free(&names);
	graph_changed();
}

/* Reads what there is: 0 or -errno. */
int manager_load(void)
{
	int err = open_dirs();

	if (err)
		return err;
	units_reload();
	unit_get("sysinit.target");
	unit_get("basic.target");
	want_all();
	graph_settle();
	return 0;
}

/* Of one whose file has gone while no knelld was there a former one may have told how it did. */
static bool is_counted(const struct unit *u)
{
	return u->kind != UNIT_TARGET && !u->gone &&
	       (u->load == UNIT_LOADED || u->load == UNIT_BAD);
}

static void tell_startup(void)
{
	size_t started = 0, failed = 0;

	for (size_t i = 0; i < nr_units; i++) {
		const struct unit *u = units[i];

		if (!is_counted(u) || !u->outcome)
			continue;
		started += u->outcome == JR_DONE + 1;
		failed += job_failed(u->outcome - 1);
	}
	log_line("startup finished: %zu started, %zu failed", started, failed);
}

static void stop_others(void);

/* No job is left. */
void manager_settled(void)
{
	if (!manager.finished) {
		manager.finished = now_ns();
		state_manager();
	}
	if (starting && !manager.stopping)
		tell_startup();
	if (starting)
		memory_unused();
	starting = false;
	/* What was started for the end and stays is the last to go. */
	if (manager.stopping && !manager.haste && !last_round)
		stop_others();
	last_round = manager.stopping;
}

static void start_default(void)
{
	struct unit *u = unit_get(manager.default_target);
	const char *why = "there is no such unit";

	starting = true;
	/* An empty target can be made of any name, but nobody asks for one. */
	if (!u || (manager.default_named && u->load == UNIT_STUB && !unit_latest(u)->nr_deps) ||
	    job_ask(u, JOB_START, JOB_REPLACE, NULL, NULL, &why) < 0)
		log_line("cannot start %s: %s", manager.default_target, why);
	if (!job_count())
		manager_settled();
}

/* Did a former attempt fail for what the files said, so that new ones may mend it? */
static bool worth_a_start(const struct unit *u)
{
	if (!u->wanted || u->gone || !unit_is_down(u) || u->job)
		return false;
	return !u->outcome || u->result == RESULT_BAD_UNIT || u->result == RESULT_DEPENDENCY;
}

static void start_new(void)
{
	const char *why;

	starting = true;
	for (size_t i = 0; i < nr_units; i++)
		if (worth_a_start(units[i]) &&
		    job_ask(units[i], JOB_START, JOB_FAIL, NULL, NULL, &why) < 0)
			log_line("%s: not started: %s", units[i]->name, why);
	if (!job_count())
		manager_settled();
}

/* @resume: a former knelld has begun, and only what is new is to be started. */
void manager_begin(bool resume)
{
	jobs_resume();
	if (resume)
		start_new();
	else
		start_default();
}

int manager_reload(void)
{
	const struct event ev = { .kind = EVENT_RELOAD };
	int err;

	if (manager.stopping)
		return -ESHUTDOWN;
	err = manager_load();
	if (err)
		return err;
	start_new();
	manager_tell(&ev);
	return 0;
}

/* The end: shutdown.target and the one of its kind are started, what is no part of it is stopped */

static bool is_for_the_end(const struct unit *u)
{
	return u->job && u->job->type == JOB_START && u->job->irreversible;
}

/* Nothing is told of one that nobody has anything to do for. */
static void start_for_the_end(const char *name)
{
	struct unit *u = unit_get(name);
	const char *why = "";

	graph_settle();
	if (u && u->nr_edges && transaction(u, JOB_START, JOB_REPLACE_IRREVERSIBLY, &why) < 0)
		log_line("cannot start %s: %s", name, why);
}

static void start_the_end(void)
{
	enum ending_how how = manager.how == END_EXIT && is_pid1() ? END_POWEROFF : manager.how;

	for (size_t i = 0; i < nr_units; i++)
		if (units[i]->job)
			units[i]->job->irreversible = false;
	start_for_the_end("shutdown.target");
	if (how < ARRAY_SIZE(end_targets) && end_targets[how])
		start_for_the_end(end_targets[how]);
}

static void stop_others(void)
{
	for (size_t i = nr_units; i-- > 0;)
		if ((!unit_is_down(units[i]) || units[i]->job) && !is_for_the_end(units[i]))
			job_ask(units[i], JOB_STOP, JOB_REPLACE_IRREVERSIBLY, NULL, NULL, NULL);
}

/* @resumed: a former knelld has begun with it, and its jobs are there. */
static void stop_all(bool resumed)
{
	const struct event ev = { .kind = EVENT_SHUTDOWN };

	manager.stopping = true;
	state_manager();
	manager_tell(&ev);
	if (manager.haste)
		return;
	if (!resumed)
		start_the_end();
	stop_others();
}

void manager_stop(enum ending_how how, int status)
{
	if (manager.stopping)
		return;
	manager.how = how;
	manager.exit_status = status;
	stop_all(false);
}

/* One of the targets that are the end: what starts it asks for that. */
bool manager_ends_by(const struct unit *u)
{
	enum ending_how how = end_of(u->name);

	if (how == ARRAY_SIZE(end_targets) || (how != END_EXIT && !is_pid1()))
		return false;
	log_line("%s: stopping all services", u->name);
	manager_stop(how, 0);
	return true;
}

void manager_resume_stop(void)
{
	log_line("the former knelld was stopping all services: that goes on");
	stop_all(true);
}

/* What is left to the next knelld after a kill -9 is as good for one that is meant to come. */
int manager_reexec(void)
{
	if (!manager.queue_name || knell_loop_backend(queue_loop()) != KNELL_BACKEND_KERNEL)
		return -EOPNOTSUPP;
	if (manager.stopping)
		return -ESHUTDOWN;
	manager.how = END_REEXEC;
	knell_loop_stop(queue_loop());
	return 0;
}

bool manager_over(void)
{
	return manager.stopping && (manager.haste || !job_count());
}

/* FailureAction= and its kin. */
void manager_emergency(enum emergency what, const struct unit *u, const char *why)
{
	static const struct {
		enum ending_how how;
		enum haste haste;
	} ends[] = {
		[EMERGENCY_REBOOT] = { END_REBOOT, ORDERLY },
		[EMERGENCY_REBOOT_FORCE] = { END_REBOOT, FORCED },
		[EMERGENCY_REBOOT_IMMEDIATE] = { END_REBOOT, IMMEDIATE },
		[EMERGENCY_SOFT_REBOOT] = { END_REBOOT, ORDERLY },
		[EMERGENCY_SOFT_REBOOT_FORCE] = { END_REBOOT, FORCED },
		[EMERGENCY_KEXEC] = { END_KEXEC, ORDERLY },
		[EMERGENCY_KEXEC_FORCE] = { END_KEXEC, FORCED },
		[EMERGENCY_POWEROFF] = { END_POWEROFF, ORDERLY },
		[EMERGENCY_POWEROFF_FORCE] = { END_POWEROFF, FORCED },
		[EMERGENCY_POWEROFF_IMMEDIATE] = { END_POWEROFF, IMMEDIATE },
		[EMERGENCY_HALT] = { END_HALT, ORDERLY },
		[EMERGENCY_HALT_FORCE] = { END_HALT, FORCED },
		[EMERGENCY_HALT_IMMEDIATE] = { END_HALT, IMMEDIATE },
		[EMERGENCY_EXIT] = { END_EXIT, ORDERLY },
		[EMERGENCY_EXIT_FORCE] = { END_EXIT, FORCED },
	};
	const struct unit_file *f = unit_latest(u);
	int32_t status = u->result == RESULT_SUCCESS ? f->success_status : f->failure_status;

	if (what == EMERGENCY_NONE || manager.stopping)
		return;
	if (ends[what].how != END_EXIT && !is_pid1()) {
		log_line("%s: action %s for its %s is not ours to take, ignored", u->name,
			 unit_emergency_name(what), why);
		return;
	}
	log_line("%s: action %s for its %s", u->name, unit_emergency_name(what), why);
	if (status == UNSET)
		status = WIFEXITED(u->status) ? WEXITSTATUS(u->status) : 1;
	manager.reboot_argument = f->reboot_argument;
	manager.haste = ends[what].haste;
	manager_stop(ends[what].how, status);
}

/* --check: 0 if every unit could be started. */
int manager_check(void)
{
	int bad = 0;

	if (manager_load() < 0)
		return 1;
	for (size_t i = 0; i < nr_units; i++)
		bad |= units[i]->wanted && (units[i]->load != UNIT_LOADED || units[i]->cyclic);
	return bad;
}
