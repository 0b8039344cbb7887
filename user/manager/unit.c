// SPDX-License-Identifier: GPL-2.0-only
/* The table of units: their names, their files, and what the files say after a reload. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "manager_internal.h"

/* Files that name ever new instances of a template would not come to an end. */
#define UNITS_MAX	65536

struct unit **units;			/* by id */
size_t nr_units;

/* Names and aliases, sorted. */
static struct entry {
	const char *name;
	struct unit *unit;
} *names;
static size_t nr_names;

static const struct unit_ops *const kinds[UNIT_KINDS] = {
	[UNIT_SERVICE] = &service_ops, [UNIT_TARGET] = &target_ops,
	[UNIT_TIMER] = &timer_ops, [UNIT_SOCKET] = &socket_ops,
};

/* Where @name is among the names, or would be. */
static size_t place(const char *name, bool *found)
{
	size_t from = 0, to = nr_names;
	int cmp = 1;

	while (from < to) {
		size_t mid = (from + to) / 2;

		cmp = strcmp(name, names[mid].name);
		if (!cmp) {
			from = mid;
			break;
		}
		if (cmp < 0)
			to = mid;
		else
			from = mid + 1;
	}
	*found = !cmp;
	return from;
}

struct unit *unit_find(const char *name)
{
	bool found;
	size_t i = place(name, &found);

	return found ? names[i].unit : NULL;
}

static void add_name(const char *name, struct unit *u)
{
	bool found;
	size_t i = place(name, &found);

	if (found)
		return;
	names = xgrow(names, nr_names, sizeof(*names));
	memmove(&names[i + 1], &names[i], (nr_names++ - i) * sizeof(*names));
	names[i] = (struct entry){ .name = name == u->name ? name : xstrdup(name), .unit = u };
}

struct unit *unit_by_id(uint32_t id)
{
	/* 0 is no unit's. */
	return id && id <= nr_units ? units[id - 1] : NULL;
}

const struct unit_file *unit_latest(const struct unit *u)
{
	return u->next ? u->next : u->file;
}

enum active unit_active(const struct unit *u)
{
	return u->ops->states[u->state].active;
}

const char *unit_sub(const struct unit *u)
{
	return u->ops->states[u->state].sub;
}

/* Down, but it will be started again without anybody's asking. */
bool unit_awaits_restart(const struct unit *u)
{
	return u->ops->states[u->state].waits;
}

bool unit_is_up(const struct unit *u)
{
	return unit_active(u) == ACTIVE || unit_active(u) == RELOADING;
}

bool unit_is_down(const struct unit *u)
{
	return unit_active(u) == INACTIVE || unit_active(u) == FAILED;
}

const struct commands *unit_commands(const struct unit *u, enum exec_kind kind)
{
	static const struct commands none;

	return u->file->service ? u->file->service->cmds[kind] :
	       u->file->socket ? u->file->socket->cmds[kind] : &none;
}

const struct exec_context *unit_exec(const struct unit *u)
{
	return u->file->service ? u->file->service->exec : u->file->socket->exec;
}

const struct kill_context *unit_kill(const struct unit *u)
{
	return u->file->service ? &u->file->service->kill : &u->file->socket->kill;
}

bool unit_can_reload(const struct unit *u)
{
	const struct service *s = unit_latest(u)->service;

	return u->ops->reload && (u->kind != UNIT_SERVICE || s->cmds[EXEC_RELOAD]->nr ||
				  s->type == TYPE_NOTIFY_RELOAD);
}

/* The file's own name will do: directories are the same for most. */
const char *unit_where(const struct unit_file *f, struct where w)
{
	static char buf[320];
	const char *path = w.file < f->nr_sources ? f->sources[w.file] : f->name, *base;

	base = strrchr(path, '/');
	base = base && w.file == 0 ? base + 1 : path;
	if (w.line)
		snprintf(buf, sizeof(buf), "%s:%u", base, w.line);
	else
		snprintf(buf, sizeof(buf), "%s", base);
	return buf;
}

/* Files */

static struct unit *unit_new(const char *name, enum unit_kind kind)
{
	size_t len = strlen(name) + 1;
	struct unit *u = xcalloc(1, sizeof(*u) + len);

	u->name = memcpy(u + 1, name, len);
	u->kind = kind;
	u->ops = kinds[kind];
	units = xgrow(units, nr_units, sizeof(*units));
	units[nr_units] = u;
	u->id = ++nr_units;
	u->load = UNIT_NOT_FOUND;
	add_name(u->name, u);
	return u;
}

/* By a name that a former knelld knew it by; its files are read later. */
struct unit *unit_add(const char *name)
{
	struct unit *u = unit_find(name);
	enum unit_kind kind = unit_name_kind(name);

	return u || kind >= UNIT_KINDS ? u : unit_new(name, kind);
}

/* Of names alone, of which one was there twice: all of them go again. */
void units_drop(void)
{
	while (nr_units)
		free(units[--nr_units]);
	nr_names = 0;
}

const struct unit_ops *unit_ops_of(enum unit_kind kind)
{
	return kinds[kind];
}

static enum loaded loaded_as(enum load load, enum unit_kind kind, const struct unit_file *f)
{
	switch (load) {
	case LOAD_OK:
		return !f || f->bad ? UNIT_BAD : UNIT_LOADED;
	case LOAD_BAD:
		return UNIT_BAD;
	case LOAD_MASKED:
		return UNIT_MASKED;
	default:
		return kind == UNIT_TARGET ? UNIT_STUB : UNIT_NOT_FOUND;
	}
}

static bool usable(enum loaded load)
{
	return load == UNIT_LOADED || load == UNIT_STUB;
}

/* There is nothing better than @f; what runs goes on with what it was started with. */
static void take_file(struct unit *u, struct unit_file *f)
{
	unit_file_free(u->next);
	u->next = NULL;
	if (u->file && !unit_is_down(u)) {
		u->next = f;
	} else {
		unit_file_free(u->file);
		u->file = f;
	}
	if (u->ops->changed)
		u->ops->changed(u);
}

/* There is no file any more to start it by. */
void unit_lost(struct unit *u, enum loaded load)
{
	bool runs = !unit_is_down(u);

	if (u->gone || load == UNIT_BAD)
		return;
	u->gone = true;
	u->outcome = runs ? u->outcome : 0;
	log_line("%s: %s%s", u->name, load == UNIT_MASKED ? "masked, not to be started" :
		 "its file is gone", runs ? "; what runs is left alone and not restarted" : "");
}

/* The files were read, well or not. Has anything changed? */
static bool take(struct unit *u, enum load how, struct unit_file *f)
{
	enum loaded load = loaded_as(how, u->kind, f);
	const struct unit_file *old = u->file ? unit_latest(u) : NULL;
	bool fresh = !old || !usable(u->load) || u->gone;

	/* Without a file it may still be what others are enabled for. */
	if (load == UNIT_STUB && !f)
		f = unit_linked(manager.dirs, u->name);
	u->seen = true;
	for (size_t i = 0; f && i < f->names.nr; i++)
		add_name(f->names.v[i], u);
	if (usable(load) && !fresh && load == u->load && (!f || f->hash == old->hash)) {
		unit_file_free(f);
		return false;
	}
	if (!usable(load) && old && usable(u->load)) {
		if (load == UNIT_BAD)
			log_line("%s: keeps its former settings", u->name);
		else
			unit_lost(u, load);
		if (u->gone && unit_is_down(u))
			u->load = load;
		unit_file_free(f);
		return true;
	}
	/* What is told of how it ended is told in its former file's words. */
	if (old && u->gone && unit_is_down(u) && (load == UNIT_NOT_FOUND || load == UNIT_MASKED)) {
		fresh = load != u->load;
		u->load = load;
		unit_file_free(f);
		return fresh;
	}
	if (load == UNIT_MASKED && u->load != UNIT_MASKED)
		log_line("%s: masked, not to be started", u->name);
	if (usable(load) && !fresh && !unit_is_down(u))
		log_line("%s: changed%s", u->name, u->ops->changed ? ", which counts from now on" :
			 ", which takes effect at its next start");
	u->gone = usable(load) ? false : u->gone;
	u->load = load;
	take_file(u, f ? f : unit_builtin(u->name, NULL));
	return true;
}

static bool read_files(struct unit *u)
{
	struct unit_file *f = NULL;
	enum load how = unit_load(manager.dirs, u->name, &f);

	return take(u, how, f);
}

static bool too_many(const char *name)
{
	static bool told;

	if (nr_units < UNITS_MAX)
		return false;
	if (!told)
		log_line("%s: not loaded, nor what comes after it: there are %d units already",
			 name, UNITS_MAX);
	return told = true;
}

/* An alias is another name of the unit whose file it leads to. */
static struct unit *unit_load_new(const char *name, enum unit_kind kind)
{
	struct unit_file *f = NULL;
	enum load how = unit_load(manager.dirs, name, &f);
	struct unit *u = f ? unit_find(f->name) : NULL;

	graph_changed();
	if (u) {
		unit_file_free(f);
	} else {
		u = unit_new(f ? f->name : name, kind);
		take(u, how, f);
	}
	add_name(name, u);
	return u;
}

struct unit *unit_get(const char *name)
{
	struct unit *u = unit_find(name);
	enum unit_kind kind = unit_name_kind(name);

	if (u && u->file)
		return u;
	if (kind >= UNIT_KINDS || unit_name_is_template(name))
		return NULL;
	if (!u)
		return too_many(name) ? NULL : unit_load_new(name, kind);
	read_files(u);
	graph_changed();
	return u;
}

/* As somebody asks for it by name: its file may be newer than our list of the directories. */
struct unit *unit_look_up(const char *name)
{
	struct unit *u = unit_get(name);

	if (u ? !u->gone && u->load != UNIT_NOT_FOUND && u->load != UNIT_STUB :
		unit_name_kind(name) >= UNIT_KINDS || unit_name_is_template(name))
		return u;
	unit_dirs_reopen(manager.dirs, &manager_options);
	if (!u)
		return unit_get(name);
	read_files(u);
	graph_changed();
	return u;
}

static void forget_aliases(void)
{
	size_t kept = 0;

	for (size_t i = 0; i < nr_names; i++) {
		if (names[i].name == names[i].unit->name)
			names[kept++] = names[i];
		else
			free((char *)names[i].name);
	}
	nr_names = kept;
}

/* Looks at the files of all units that are there; what has changed is told by events. */
void units_reload(void)
{
	forget_aliases();
	for (size_t i = 0; i < nr_units; i++)
		units[i]->seen = false;
	for (size_t i = 0; i < nr_units; i++) {
		struct event ev = { .kind = EVENT_UNIT, .unit = units[i] };

		if (!units[i]->seen && read_files(units[i]))
			manager_tell(&ev);
	}
	graph_changed();
}

/* From here on what the files said last is in force. */
void unit_take_latest(struct unit *u)
{
	if (!u->next)
		return;
	unit_file_free(u->file);
	u->file = u->next;
	u->next = NULL;
}

void unit_reset_failed(struct unit *u)
{
	u->limit_begin = 0;
	u->limit_used = 0;
	u->restart_step = 0;
	state_touch(u);
	if (unit_active(u) != FAILED)
		return;
	u->result = RESULT_SUCCESS;
	unit_set_state(u, 0);
}

/* History */

void unit_note_ending(struct unit *u, const struct ending *e)
{
	struct event ev = { .kind = EVENT_EXIT, .unit = u, .ending = e };

	if (u->nr_history < HISTORY_MAX) {
		u->history = xgrow(u->history, u->nr_history, sizeof(*u->history));
		u->nr_history++;
	}
	u->history[u->history_next] = *e;
	u->history_next = (u->history_next + 1) % HISTORY_MAX;
	manager_tell(&ev);
}

const struct ending *unit_ending(const struct unit *u, size_t nr)
{
	if (nr >= u->nr_history)
		return NULL;
	return &u->history[(u->history_next + HISTORY_MAX - 1 - nr) % HISTORY_MAX];
}

/* The one timer of a unit: the next knelld sets it by the state file. */

static void on_timer(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	struct unit *u = arg;

	(void)l;
	(void)call;
	u->deadline = 0;
	state_touch(u);
	u->ops->expired(u);
}

void unit_arm_at(struct unit *u, uint64_t deadline)
{
	struct knell_loop *l = queue_loop();

	knell_cancel(l, u->timer);
	u->timer = KNELL_NONE;
	u->deadline = deadline;
	if (deadline)
		u->timer = knell_add_timer_at(l, on_timer, u, CLOCK_MONOTONIC, deadline);
	if (deadline && knell_is_none(u->timer))
		log_line("%s: cannot set its timer: %s", u->name, strerror(errno));
	state_touch(u);
}

void unit_arm(struct unit *u, uint64_t ns)
{
	const uint64_t now = now_ns();

	/* What lies beyond the clock never comes. */
	unit_arm_at(u, ns > (uint64_t)INT64_MAX - now ? 0 : now + ns);
}

void unit_disarm(struct unit *u)
{
	if (u->deadline)
		unit_arm_at(u, 0);
}
