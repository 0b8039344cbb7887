// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a record says about a unit: which of its processes has ended, and whether that is for its
 * state to know. A record may come twice, to a knelld that takes over; and one that was read in
 * the same batch as an earlier one may be of a watch that the unit is done with since.
 */
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "knelld.h"
#include "talk.h"

static size_t nr_held;		/* units with an end that is held */

static enum result note_status(struct unit *u, const struct tree *t, int status)
{
	u->ran = true;
	u->status = status;
	return verdict_judge(u, t, status);
}

/* The command of a forking service; if it went well, it has left the service behind. */
static void forked(struct unit *u, struct tree *t, const struct knell_event *ev)
{
	enum result result = verdict_judge(u, t, ev->exit.status);

	verdict_tell(u, t, unit_exec_name(t->kind), ev);
	t->exited = true;
	/* A former knelld may have come to the PID file before it could write so down. */
	if (!u->follows) {
		tree_drop_proc(u);
		u->pid = 0;
	}
	if (u->state != STATE_START) {
		service_emptied(u);
		return;
	}
	if (result != RESULT_SUCCESS) {
		service_main_ended(u, result);
		return;
	}
	births_left(u, ev->exit.members);
	service_forked(u);
}

/* ExitType=cgroup: all of them are the service, and how its main one has ended tells how it did. */
static bool others_go_on(struct unit *u, struct tree *t, enum result result)
{
	if (!u->file->service->exit_cgroup || t->empty || !t->left ||
	    (u->state != STATE_RUN && u->state != STATE_START_POST &&
	     u->state != STATE_RELOAD && u->state != STATE_RELOAD_NOTIFY))
		return false;
	t->result = result;
	u->pid = 0;
	return true;
}

/* The process of ExecStart= */
static void exec_start_ended(struct unit *u, struct tree *t, const struct knell_event *ev)
{
	enum result result;

	t->left = ev->exit.members;
	if (t->exited)
		return;
	if (u->type == TYPE_FORKING || u->follows) {
		forked(u, t, ev);
		return;
	}
	verdict_tell(u, t, "main", ev);
	result = note_status(u, t, ev->exit.status);
	t->exited = true;
	tree_drop_proc(u);
	if (!others_go_on(u, t, result))
		service_main_ended(u, result);
}

/* The process that the PID file has named. */
static void followed_ended(struct unit *u, const struct knell_event *ev)
{
	struct tree *t = u->main;
	enum result result = note_status(u, t, ev->exit.status);

	verdict_tell(u, t, "main", ev);
	tree_drop_proc(u);
	if (t->empty)
		tree_drop(u, t);
	service_main_ended(u, result);
}

void record_forget_held(struct unit *u)
{
	nr_held -= u->held != NULL;
	free(u->held);
	u->held = NULL;
}

static struct knell_event *copy_of(const struct knell_event *ev)
{
	struct knell_event *copy = xcalloc(1, sizeof(*copy));

	*copy = *ev;
	return copy;
}

/*
 * Its own watch tells for certain that it has ended and how; its tree's report tells who killed
 * it, too, if there is room for reports. Either comes first. So the end is held until the report
 * is there, or it is clear that there is none.
 */
static void settle_held(struct unit *u, bool in_vain)
{
	const struct tree *t = u->main;
	struct knell_event ev;

	if (!u->held)
		return;
	ev = *u->held;
	if (t->last && t->last->exit.pid == ev.exit.pid)
		ev = *t->last;
	else if (!in_vain && !t->lost && !t->empty && !(ev.flags & KNELL_EVF_REDELIVERED))
		return;
	record_forget_held(u);
	followed_ended(u, &ev);
}

static void hold(struct unit *u, const struct knell_event *ev)
{
	if (u->held)
		return;
	u->held = copy_of(ev);
	nr_held++;
	/* Without the module nobody tells. */
	settle_held(u, !WIFSIGNALED(ev->exit.status) || procs == &plain_procs);
}

/* At the end of a batch: what a former knelld may have read is not waited for. */
void record_settle(void)
{
	for (size_t i = 0; nr_held && i < nr_units; i++)
		if (units[i]->held && units[i]->main->taken)
			settle_held(units[i], true);
}

/* All of a service that forks and has no main process: the last one to go speaks for it. */
static void all_ended(struct unit *u, struct tree *t)
{
	enum result result = RESULT_SUCCESS;

	if (t->last && !t->lost) {
		verdict_tell(u, t, "last", t->last);
		result = note_status(u, t, t->last->exit.status);
	} else if (u->state == STATE_RUN || u->state == STATE_START_POST) {
		log_line("%s: the last of its processes has ended, how is not known", u->name);
	}
	tree_drop(u, t);
	service_main_ended(u, result);
}

static void end_control(struct unit *u, struct tree *t)
{
	enum result result = t->result;

	tree_drop(u, t);
	service_control_ended(u, result);
}

/* What a command other than ExecStart= leaves behind does not outlive it. */
static void control_exited(struct unit *u, struct tree *t, const struct knell_event *ev)
{
	if (t->exited)
		return;
	verdict_tell(u, t, unit_exec_name(t->kind), ev);
	t->result = verdict_judge(u, t, ev->exit.status);
	t->exited = true;
	t->left = ev->exit.members;
	if (!t->left)
		return;
	if (u->kill_mode == KILL_PROCESS || u->kill_mode == KILL_NONE)
		end_control(u, t);
	else
		tree_kill_control(u, SIGKILL);
}

/* Of one that is followed only its own end is of interest, else the latest. */
static void note_member(struct unit *u, struct tree *t, const struct knell_event *ev)
{
	if (u->follows && ev->exit.pid != u->pid)
		return;
	free(t->last);
	t->last = copy_of(ev);
	settle_held(u, false);
}

static void note_birth(struct unit *u, const struct knell_event *ev)
{
	births_note(u, ev);
	if (u->main && u->main->exited)
		service_forked(u);
}

static bool of_births(const struct unit *u, const struct knell_event *ev)
{
	return births_watch(u) && ev->watch == births_watch(u);
}

/* A process of @u has ended. */
static void record_exit(struct unit *u, const struct knell_event *ev)
{
	struct tree *t;

	state_touch(u);
	u->heard = true;
	/* What it has said before it died comes first, and may be the end of it. */
	talk_hear(u);
	t = tree_find(u, ev->watch);
	if (of_births(u, ev))
		note_birth(u, ev);
	else if (u->follows && ev->watch == u->proc)
		hold(u, ev);
	else if (t && !(ev->flags & KNELL_EVF_MAIN))
		note_member(u, t, ev);
	else if (t && t == u->control)
		control_exited(u, t, ev);
	else if (t && t == u->main)
		exec_start_ended(u, t, ev);
	/* Else of a watch that was done with when its record had been read already. */
}

/* A tree of @u has no member any more, nor will it. */
static void record_empty(struct unit *u, const struct knell_event *ev)
{
	struct tree *t = tree_find(u, ev->watch);

	if (!t)
		return;
	state_touch(u);
	if (ev->flags & KNELL_EVF_INEXACT)
		log_line("%s: short of memory, the kernel has lost sight of some of its processes",
			 u->name);
	if (t == u->control) {
		end_control(u, t);
		return;
	}
	/* The end of the one that is followed may have yet to come. */
	if (t == u->main && u->follows) {
		t->empty = true;
		settle_held(u, true);
	} else if (t == u->main && u->type == TYPE_FORKING && !u->main_done) {
		all_ended(u, t);
	} else if (t == u->main && u->file->service && u->file->service->exit_cgroup &&
		   !u->main_done) {
		enum result result = t->result;

		tree_drop(u, t);
		service_main_ended(u, result);
	} else {
		tree_drop(u, t);
	}
	service_emptied(u);
}

/* A tree has got a member, or has no room to tell how many. */
static void record_report(struct unit *u, const struct knell_event *ev)
{
	struct tree *t = tree_find(u, ev->watch);

	if (of_births(u, ev)) {
		note_birth(u, ev);
	} else if (t && ev->type == KNELL_EV_LOST) {
		t->lost = true;
		settle_held(u, true);
	}
}

/* What the queue says, or plain.c in its place. */
void record(const struct knell_event *ev)
{
	struct unit *u = unit_by_id(token_id(ev->token));

	if (u && ev->type == KNELL_EV_EXIT)
		record_exit(u, ev);
	else if (u && ev->type == KNELL_EV_EMPTY)
		record_empty(u, ev);
	else if (u)
		record_report(u, ev);
}
