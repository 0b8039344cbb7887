// SPDX-License-Identifier: GPL-2.0-only
/*
 * After a knelld was killed its queue lives on, collects, and is given to the next one. Here each
 * watch in it finds its unit again: by the id in its token, which state.c has kept true; without
 * the state file by the label of a tree, and then what the unit waits for is what its youngest
 * trees are for.
 */
#include <stdlib.h>
#include <string.h>

#include "knelld.h"
#include "manager_internal.h"
#include "talk.h"

enum { ARMED = 1 };

/* What a former knelld called by an id, where the state file does not say. */
struct alias {
	uint32_t id;
	struct unit *unit;
};

static struct alias *aliases;
static size_t nr_aliases;
static size_t nr_taken;

static bool of_command(const struct knell_watch_info *w)
{
	unsigned int role = token_role(w->token);

	return w->type == KNELL_TREE && role >= ROLE_COMMAND &&
	       role < ROLE_COMMAND + EXEC_KINDS;
}

static void learn_aliases(const struct knell_watch_info *w, size_t nr)
{
	for (size_t i = 0; i < nr; i++) {
		if (!of_command(&w[i]))
			continue;
		aliases = xgrow(aliases, nr_aliases, sizeof(*aliases));
		aliases[nr_aliases].id = token_id(w[i].token);
		aliases[nr_aliases++].unit = unit_add(w[i].label);
	}
}

static struct unit *owner(const struct knell_watch_info *w, bool known)
{
	if (known)
		return unit_by_id(token_id(w->token));
	for (size_t i = 0; i < nr_aliases; i++)
		if (aliases[i].id == token_id(w->token))
			return aliases[i].unit;
	return NULL;
}

static bool younger(uint16_t a, uint16_t b)
{
	/* They wrap at SERIAL_MAX: the sign is one bit further down. */
	return (int16_t)((uint16_t)(a - b) << 1) > 0;
}

/*
 * The kind of command whose tree this is tells what the unit was at, if it is younger than what the
 * state file says of it.
 */
static void guess(struct unit *u, struct tree *t)
{
	static const enum state states[EXEC_KINDS] = {
		[EXEC_CONDITION] = STATE_CONDITION,
		[EXEC_START_PRE] = STATE_PRE,
		[EXEC_START] = STATE_START,
		[EXEC_START_POST] = STATE_START_POST,
		[EXEC_RELOAD] = STATE_RELOAD,
		[EXEC_STOP] = STATE_STOP,
		[EXEC_STOP_POST] = STATE_POST,
	};

	if (t->kind == EXEC_START && (!u->main || younger(t->serial, u->main->serial))) {
		u->main = t;
		u->main_serial = t->serial;
		u->pid = t->pid;
		u->main_done = u->ran = false;
		u->result = RESULT_SUCCESS;
	}
	if (u->serial && !younger(t->serial, u->serial))
		return;
	u->serial = t->serial;
	u->exec = t->kind;
	u->cmd = t->cmd;
	u->control = t->kind == EXEC_START ? NULL : t;
	u->control_serial = t->kind == EXEC_START ? 0 : t->serial;
	u->deadline = 0;
	u->guessed = true;
	if (u->kind == UNIT_SERVICE)
		u->state = states[t->kind];
}

static void place(struct unit *u, struct tree *t)
{
	if (t->serial == u->main_serial) {
		u->main = t;
		t->exited = u->main_exited;
		/* Announced, and born since. */
		if (!u->pid && !t->exited)
			u->pid = t->pid;
	} else if (t->serial == u->control_serial) {
		u->control = t;
	}
	/* Else one whose end was dealt with, or what a oneshot's former command has left. */
}

static void take_tree(struct unit *u, const struct knell_watch_info *w, bool known)
{
	struct tree *t;

	/* Made for a process that was never born. */
	if (w->state == ARMED && !w->value) {
		procs->del(w->watch);
		return;
	}
	t = tree_add(u, w->watch, token_serial(w->token),
		     token_role(w->token) - ROLE_COMMAND, token_cmd(w->token), w->pid);
	/* As many as there may be. */
	t->left = 1;
	t->taken = true;
	if (!known || (u->kind == UNIT_SERVICE && younger(t->serial, u->serial)))
		guess(u, t);
	else
		place(u, t);
}

static void take_proc(struct unit *u, const struct knell_watch_info *w)
{
	bool follows = !(w->flags & KNELL_OPF_SELF);

	if (!u->main || u->main_done || token_serial(w->token) != u->main->serial ||
	    (!follows && u->main->exited)) {
		procs->del(w->watch);
		return;
	}
	u->proc = w->watch;
	u->follows = follows;
	u->pid = w->pid;
}

static void rename_watch(struct unit *u, const struct knell_watch_info *w)
{
	queue_set_token(w->watch, token(u->id, token_role(w->token), token_cmd(w->token),
					token_serial(w->token)));
}

/* Trees first: what else there is belongs to one. */
static void take_trees(const struct knell_watch_info *w, size_t nr, bool known)
{
	for (size_t i = 0; i < nr; i++) {
		struct unit *u = of_command(&w[i]) ? owner(&w[i], known) : NULL;

		if (!u)
			continue;
		if (!known)
			rename_watch(u, &w[i]);
		take_tree(u, &w[i], known);
	}
}

static void take_rest(const struct knell_watch_info *w, size_t nr, bool known)
{
	for (size_t i = 0; i < nr; i++) {
		struct unit *u = owner(&w[i], known);
		unsigned int role = token_role(w[i].token);

		if (u && of_command(&w[i]))
			continue;
		if (u && w[i].type == KNELL_PROCESS && role == ROLE_PROC) {
			if (!known)
				rename_watch(u, &w[i]);
			take_proc(u, &w[i]);
		} else {
			procs->del(w[i].watch);
		}
	}
}

/* @known: state_load() has made the units, else those that have a process are made here. */
void takeover_units(bool known)
{
	size_t nr;
	struct knell_watch_info *w = queue_left(&nr);

	if (!known)
		learn_aliases(w, nr);
	take_trees(w, nr, known);
	take_rest(w, nr, known);
	free(aliases);
	free(w);
}

static void adopt(struct unit *u)
{
	if (u->load == UNIT_BAD)
		log_line("%s: what runs of it is followed until it ends", u->name);
	else if (u->load != UNIT_LOADED && u->load != UNIT_STUB)
		unit_lost(u, u->load);
	if (u->guessed && u->file->service) {
		u->type = u->file->service->type;
		u->kill_mode = u->file->service->kill.mode;
	}
	nr_taken += u->main || u->control;
	state_touch(u);
}

static void resume_all(bool services)
{
	for (size_t i = 0; i < nr_units; i++) {
		struct unit *u = units[i];

		if ((u->kind == UNIT_SERVICE) != services)
			continue;
		if (!unit_is_down(u))
			u->ops->resume(u);
		talk_tell_lost(u);
		job_look_at(u);
	}
}

/* Once the unit files are read: goes on where the former knelld was interrupted. */
void takeover_resume(void)
{
	for (size_t i = 0; i < nr_units; i++)
		if (!unit_is_down(units[i]))
			adopt(units[i]);
	log_line("took over %zu running services from a knelld that is gone", nr_taken);
	/* Sockets and timers first: they are told what becomes of the services they start. */
	resume_all(false);
	resume_all(true);
}
