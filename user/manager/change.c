// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a change of a unit's state leads to: the end of its job, jobs of others that depend on it.
 * No state of another unit is changed in here: see job.c.
 */
#include <errno.h>

#include "manager_internal.h"

#define SIDE(side)	(1ULL << (side))
#define NEEDS		(SIDE(DEP_REQUIRES) | SIDE(DEP_REQUISITE) | SIDE(DEP_WANTS) | \
			 SIDE(DEP_BINDS_TO) | SIDE(DEP_UPHOLDS))
#define NEEDED_BY	(NEEDS << DEP_KINDS)

_Static_assert(DEP_SIDES <= 64, "a set of sides");

static void look_at_all(const struct unit *u, uint64_t sides)
{
	for (size_t i = 0; i < u->nr_edges; i++)
		if (sides >> u->edges[i].side & 1)
			job_look_at(u->edges[i].to);
}

/* What units are to each other while they have no job */

static bool is_wanted_up(const struct unit *u)
{
	return unit_is_up(u) || unit_active(u) == ACTIVATING ||
	       (u->job && (u->job->type == JOB_START || u->job->type == JOB_RESTART));
}

static const struct unit *one_up(const struct unit *u, uint64_t sides)
{
	for (size_t i = 0; i < u->nr_edges; i++)
		if (sides >> u->edges[i].side & 1 && is_wanted_up(u->edges[i].to))
			return u->edges[i].to;
	return NULL;
}

static void ask_for(struct unit *u, enum job_type type, enum job_mode mode, const struct unit *by,
		    uint8_t side)
{
	const char *why = "";
	int64_t id = job_ask(u, type, mode, NULL, NULL, &why);

	if (id > 0)
		log_line("%s: %s, because of %s (%s)", u->name, job_type_name(type), by->name,
			 edge_name(side));
	else if (id < 0 && id != -ESHUTDOWN)
		log_line("%s: cannot %s because of %s (%s): %s", u->name, job_type_name(type),
			 by->name, edge_name(side), why);
}

void unit_check_steady(struct unit *u)
{
	const struct unit *other;

	if (manager.stopping || unit_active(u) == DEACTIVATING)
		return;
	if (unit_is_down(u)) {
		for (size_t i = 0; i < u->nr_edges; i++)
			if (u->edges[i].side == DEP_INVERSE(DEP_UPHOLDS) &&
			    unit_is_up(u->edges[i].to) && !u->gone && u->load == UNIT_LOADED &&
			    u->result != RESULT_START_LIMIT) {
				ask_for(u, JOB_START, JOB_FAIL, u->edges[i].to, u->edges[i].side);
				return;
			}
		return;
	}
	other = unit_is_up(u) ? unit_missing_bond(u) : NULL;
	if (other && unit_is_down(other) && !other->job)
		ask_for(u, JOB_STOP, JOB_REPLACE, other, DEP_BINDS_TO);
	else if (unit_is_up(u) && unit_latest(u)->stop_when_unneeded && !one_up(u, NEEDED_BY))
		ask_for(u, JOB_STOP, JOB_FAIL, u, DEP_INVERSE(DEP_WANTS));
}

/* What a change of state leads to */

/* How it ends, if the state says so; true: it was the job that has changed the state. */
static bool settle_job(struct unit *u, enum active now)
{
	struct job *j = u->job;
	bool down = now == INACTIVE || now == FAILED;

	if (!j)
		return false;
	if (!j->running) {
		job_look_at(u);
		return true;
	}
	switch (j->type) {
	case JOB_START:
	case JOB_VERIFY:
		if (now == ACTIVE || now == RELOADING)
			job_finish(u, JR_DONE);
		else if (down)
			job_finish(u, now == FAILED ? JR_FAILED : u->result == RESULT_CONDITION ?
				   JR_SKIPPED : JR_DONE);
		return now == ACTIVE || now == ACTIVATING;
	case JOB_RELOAD:
		if (now == ACTIVE)
			job_finish(u, u->reload_failed ? JR_FAILED : JR_DONE);
		else if (down)
			job_finish(u, JR_FAILED);
		return now == ACTIVE || now == RELOADING;
	default:
		if (down)
			job_finish(u, JR_DONE);
		else if (now == ACTIVE)
			job_finish(u, JR_FAILED);
		return now != ACTIVE;
	}
}

static void up_by_itself(struct unit *u)
{
	for (size_t i = 0; i < u->nr_edges; i++) {
		const struct edge e = u->edges[i];
		bool behind = graph_linked(u, e.to, DEP_AFTER), up = is_wanted_up(e.to);

		if ((e.side == DEP_REQUIRES || e.side == DEP_BINDS_TO) && !behind && !up)
			ask_for(e.to, JOB_START, JOB_REPLACE, u, e.side);
		else if ((e.side == DEP_WANTS || e.side == DEP_UPHOLDS) && !behind && !up)
			ask_for(e.to, JOB_START, JOB_FAIL, u, e.side);
		else if ((e.side == DEP_CONFLICTS || e.side == DEP_INVERSE(DEP_CONFLICTS)) && up)
			ask_for(e.to, JOB_STOP, JOB_REPLACE, u, e.side);
	}
}

static void down_by_itself(struct unit *u)
{
	for (size_t i = 0; i < u->nr_edges; i++) {
		const struct edge e = u->edges[i];

		if ((e.side == DEP_INVERSE(DEP_BINDS_TO) || e.side == DEP_PROPAGATES_STOP_TO) &&
		    is_wanted_up(e.to))
			ask_for(e.to, JOB_STOP, JOB_REPLACE, u, e.side);
	}
}

static void start_all(struct unit *u, uint8_t side, enum job_mode mode)
{
	for (size_t i = 0; i < u->nr_edges; i++)
		if (u->edges[i].side == side)
			ask_for(u->edges[i].to, JOB_START, mode, u, side);
}

void unit_start_on_failure(struct unit *u)
{
	if (!manager.stopping)
		start_all(u, DEP_ON_FAILURE, unit_latest(u)->on_failure_mode);
}

static void ended(struct unit *u, enum active now)
{
	const struct unit_file *f = u->file;

	if (manager.stopping)
		return;
	if (now == FAILED) {
		start_all(u, DEP_ON_FAILURE, f->on_failure_mode);
		manager_emergency(f->failure_action, u, "failure");
	} else if (u->result == RESULT_SUCCESS) {
		start_all(u, DEP_ON_SUCCESS, f->on_success_mode);
		manager_emergency(f->success_action, u, "success");
	}
}

/* Restarts that come later are no part of it. */
static void note_boot(uint32_t *when, uint64_t t)
{
	uint64_t us = (t - manager.started) / 1000;

	if (manager.started && !manager.finished && !*when)
		*when = !us ? 1 : us < UINT32_MAX ? us : UINT32_MAX;
}

static void note_times(struct unit *u, enum active old, enum active now)
{
	bool was_down = old == INACTIVE || old == FAILED, down = now == INACTIVE || now == FAILED;
	bool was_up = old == ACTIVE || old == RELOADING, up = now == ACTIVE || now == RELOADING;
	uint64_t t = now_ns();

	u->since = t;
	/* A restart begins anew; it does not come from below. */
	if ((was_down && !down) || (old == DEACTIVATING && now == ACTIVATING)) {
		u->times.activating = t;
		note_boot(&u->boot_began, t);
	}
	if (!was_up && up) {
		u->times.activated = t;
		note_boot(&u->boot_up, t);
	}
	if (was_up && !up)
		u->times.deactivating = t;
	if (!was_down && down)
		u->times.deactivated = t;
}

static bool on_its_way_up(enum active a)
{
	return a == ACTIVE || a == ACTIVATING || a == RELOADING;
}

static void changed(struct unit *u, enum active old, enum active now)
{
	bool down = now == INACTIVE || now == FAILED;
	bool expected;

	note_times(u, old, now);
	/* Should its file come back it is as good as new. */
	if (down && u->gone)
		u->outcome = 0;
	expected = settle_job(u, now);
	if (!expected && !on_its_way_up(old) && on_its_way_up(now))
		up_by_itself(u);
	else if (!expected && on_its_way_up(old) && !on_its_way_up(now))
		down_by_itself(u);
	if (now == FAILED || (now == INACTIVE && old != FAILED))
		ended(u, now);
	/* Those that wait for a unit that is stopping, are bound to it, or needed because of it. */
	if (down || now == ACTIVE)
		look_at_all(u, NEEDS | SIDE(DEP_INVERSE(DEP_BINDS_TO)));
	job_look_at(u);
	for (size_t i = 0; i < u->nr_edges; i++) {
		struct unit *to = u->edges[i].to;

		if (u->edges[i].side == DEP_INVERSE(DEP_TRIGGERS) && to->ops->triggered)
			to->ops->triggered(to, u);
	}
}

void unit_set_state(struct unit *u, uint8_t state)
{
	const struct event ev = { .kind = EVENT_UNIT, .unit = u };
	const enum active old = unit_active(u);

	state_touch(u);
	if (u->state == state)
		return;
	u->state = state;
	manager_tell(&ev);
	if (unit_active(u) != old)
		changed(u, old, unit_active(u));
}
