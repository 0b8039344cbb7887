// SPDX-License-Identifier: GPL-2.0-only
/*
 * When a job may run, and how it ends. What follows from a change of state is change.c's.
 *
 * A unit has one job at most. It waits until the units that are in the way by After= and Before=
 * are done with theirs, then its unit is at it until its state says how it went. Nothing that
 * happens to one unit changes another's state at once: it is put on a list, and job_settle()
 * looks at those on it at the end of the loop's turn.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exec.h"
#include "manager_internal.h"

#define IDLE_NS	(5 * NSEC_PER_SEC)	/* Type=idle waits for others no longer */
#define END_NS	(1800 * NSEC_PER_SEC)	/* nor does the end for what was started for it */

static struct unit *to_look_at, **to_look_at_end = &to_look_at;
static size_t nr_jobs, nr_idle;
static uint32_t last_id;
static bool all_over;		/* the last job was, which is yet to be told */

void (*manager_hook)(const struct event *ev);

void manager_tell(const struct event *ev)
{
	if (manager_hook)
		manager_hook(ev);
}

void job_look_at(struct unit *u)
{
	if (u->queued)
		return;
	u->queued = true;
	u->queue_next = NULL;
	*to_look_at_end = u;
	to_look_at_end = &u->queue_next;
}

static struct unit *next_to_look_at(void)
{
	struct unit *u = to_look_at;

	if (!u)
		return NULL;
	to_look_at = u->queue_next;
	if (!to_look_at)
		to_look_at_end = &to_look_at;
	u->queued = false;
	return u;
}

static void job_look_at_order(const struct unit *u)
{
	for (size_t i = 0; i < u->nr_edges; i++)
		if (u->edges[i].side == DEP_AFTER || u->edges[i].side == DEP_BEFORE)
			job_look_at(u->edges[i].to);
}

size_t job_count(void)
{
	return nr_jobs;
}

static bool is_idle(const struct unit *u)
{
	const struct service *s = unit_latest(u)->service;

	return u->job->type == JOB_START && s && s->type == TYPE_IDLE;
}

/* Beginnings and ends */

static void tell_job(const struct unit *u, const struct job *j, enum event_kind kind,
		     enum job_result result)
{
	const struct event ev = {
		.kind = kind, .unit = (struct unit *)u, .job = j->id, .job_type = j->type,
		.job_result = result,
	};

	manager_tell(&ev);
}

static void on_deadline(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	struct unit *u = arg;
	const struct unit_file *f = unit_latest(u);

	(void)l;
	(void)call;
	u->job->timer = KNELL_NONE;
	if (!u->job->deadline || now_ns() < u->job->deadline) {
		job_look_at(u);
		return;
	}
	log_line("%s: its job %s took too long", u->name, job_type_name(u->job->type));
	job_finish(u, JR_TIMEOUT);
	manager_emergency(f->job_timeout_action, u, "job timeout");
}

static void set_job_timer(struct unit *u, uint64_t when)
{
	knell_cancel(queue_loop(), u->job->timer);
	u->job->timer = knell_add_timer_at(queue_loop(), on_deadline, u, CLOCK_MONOTONIC, when);
}

static void job_give(struct unit *u, uint64_t ns)
{
	/* What lies beyond the clock never comes. */
	uint64_t when = ns > INT64_MAX - now_ns() ? 0 : now_ns() + ns;

	if (!when || (u->job->deadline && u->job->deadline <= when))
		return;
	u->job->deadline = when;
	set_job_timer(u, when);
}

void job_install(struct unit *u, enum job_type type, enum job_mode mode)
{
	struct job *j;
	int merged = -1;

	/* Whoever is told of its end may ask for another one. */
	while ((j = u->job) && (merged = job_merge(u, j->type, type)) < 0)
		job_finish(u, JR_CANCELED);
	if (!j) {
		j = u->job = xcalloc(1, sizeof(*j));
		j->id = ++last_id;
		j->type = type;
		j->since = now_ns();
		nr_jobs++;
		nr_idle += is_idle(u);
		job_give(u, unit_latest(u)->job_timeout_ns);
		if (manager.stopping && type != JOB_STOP)
			job_give(u, END_NS);
		tell_job(u, j, EVENT_JOB_NEW, JR_DONE);
	} else if (merged != j->type) {
		/* What it was at is not what it is to do now. */
		nr_idle -= is_idle(u);
		j->type = merged;
		j->running = false;
		nr_idle += is_idle(u);
	}
	j->irreversible |= mode == JOB_REPLACE_IRREVERSIBLY;
	j->ignore_order |= mode == JOB_IGNORE_DEPENDENCIES;
	state_touch(u);
	job_look_at(u);
}

/* As a former knelld has left it; it begins anew where it was interrupted. */
void job_restore(struct unit *u, uint32_t id, enum job_type type, bool irreversible)
{
	struct job *j = u->job = xcalloc(1, sizeof(*j));

	j->id = id;
	j->type = type;
	j->irreversible = irreversible;
	j->since = now_ns();
	if (id > last_id)
		last_id = id;
	nr_jobs++;
	job_look_at(u);
}

/* The files are read: what is waited for has its time again. */
void jobs_resume(void)
{
	for (size_t i = 0; i < nr_units; i++)
		if (units[i]->job)
			job_give(units[i], unit_latest(units[i])->job_timeout_ns);
}

void job_watch(struct job *j, job_done_fn *done, void *arg)
{
	j->watchers = xgrow(j->watchers, j->nr_watchers, sizeof(*j->watchers));
	j->watchers[j->nr_watchers++] = (struct job_watcher){ .done = done, .arg = arg };
}

void job_unwatch(void *arg)
{
	for (size_t i = 0; i < nr_units; i++)
		for (size_t k = 0; units[i]->job && k < units[i]->job->nr_watchers; k++)
			if (units[i]->job->watchers[k].arg == arg)
				units[i]->job->watchers[k].done = NULL;
}

struct unit *job_unit(uint32_t id)
{
	for (size_t i = 0; i < nr_units; i++)
		if (units[i]->job && units[i]->job->id == id)
			return units[i];
	return NULL;
}

/* One that another takes the place of is no failure. */
bool job_failed(enum job_result result)
{
	return result != JR_DONE && result != JR_SKIPPED && result != JR_CANCELED;
}

/* Those that cannot be without a unit that has failed to start. */
static void fail_dependents(struct unit *u)
{
	for (size_t i = 0; i < u->nr_edges; i++) {
		const uint8_t side = u->edges[i].side;
		struct unit *to = u->edges[i].to;

		if (side != DEP_INVERSE(DEP_REQUIRES) && side != DEP_INVERSE(DEP_REQUISITE) &&
		    side != DEP_INVERSE(DEP_BINDS_TO))
			continue;
		if (!to->job || (to->job->type != JOB_START && to->job->type != JOB_VERIFY))
			continue;
		log_line("%s: it did not start; the unit fails",
			 edge_text(to, graph_edge(to, u, side - DEP_KINDS)));
		if (unit_is_down(to) || unit_awaits_restart(to))
			to->result = RESULT_DEPENDENCY;
		job_finish(to, JR_DEPENDENCY);
	}
}

/* Each of these in turn fails its own: by a list, for it may be a long chain. */
static void spread_failure(struct unit *u)
{
	static struct unit **failed;
	static size_t nr;
	static bool spreading;

	failed = xgrow(failed, nr, sizeof(*failed));
	failed[nr++] = u;
	if (spreading)
		return;
	spreading = true;
	while (nr)
		fail_dependents(failed[--nr]);
	spreading = false;
}

void job_cancel(struct unit *u)
{
	if (!u->job)
		return;
	spread_failure(u);
	/* Of two that require each other this was one that has failed. */
	if (u->job)
		job_finish(u, JR_CANCELED);
}

static void look_at_idle(void)
{
	for (size_t i = 0; nr_idle && i < nr_units; i++)
		if (units[i]->job)
			job_look_at(units[i]);
}

/* The second half of a restart. */
static void job_turn_to_start(struct unit *u)
{
	u->job->type = JOB_START;
	u->job->running = false;
	nr_idle += is_idle(u);
	job_look_at(u);
}

/* The job of @u has come to its end, whichever way. */
void job_finish(struct unit *u, enum job_result result)
{
	struct job *j = u->job;
	bool starts = j->type == JOB_START || j->type == JOB_VERIFY;

	state_touch(u);
	if (j->type == JOB_RESTART && result == JR_DONE && unit_is_down(u)) {
		job_turn_to_start(u);
		return;
	}
	nr_idle -= is_idle(u);
	nr_jobs--;
	u->job = NULL;
	knell_cancel(queue_loop(), j->timer);
	if (j->type == JOB_START)
		u->outcome = result + 1;
	tell_job(u, j, EVENT_JOB_DONE, result);
	if (starts && job_failed(result))
		spread_failure(u);
	/* Else it is the unit itself that fails, and that tells them. */
	if (result == JR_TIMEOUT || result == JR_DEPENDENCY)
		unit_start_on_failure(u);
	job_look_at_order(u);
	/* Its time is over, and nobody else would start it. */
	if (result != JR_DONE && unit_awaits_restart(u) && !u->deadline) {
		if (result == JR_TIMEOUT)
			u->result = RESULT_TIMEOUT;
		unit_set_state(u, 0);
	}
	for (size_t i = 0; i < j->nr_watchers; i++)
		if (j->watchers[i].done)
			j->watchers[i].done(j->watchers[i].arg, u, j->id, result);
	free(j->watchers);
	free(j);
	if (nr_jobs == nr_idle)
		look_at_idle();
	all_over |= !nr_jobs;
}

int64_t job_ask(struct unit *u, enum job_type type, enum job_mode mode, job_done_fn *done,
		void *arg, const char **why)
{
	const char *ignored;
	int err;

	if (manager.stopping && type != JOB_STOP)
		return -ESHUTDOWN;
	if ((type == JOB_RELOAD && !unit_can_reload(u)) ||
	    (mode == JOB_ISOLATE && (type != JOB_START || !unit_latest(u)->allow_isolate)))
		return -EOPNOTSUPP;
	err = type == JOB_START && !manager.stopping && manager_ends_by(u) ? 0 :
	      transaction(u, type, mode, why ? why : &ignored);
	if (err)
		return err;
	if (!u->job)
		return 0;
	if (done)
		job_watch(u->job, done, arg);
	return u->job->id;
}

/* Order */

/* Does a job of @u have to wait for that of the unit at the other end of @e? */
static bool waits_for(const struct unit *u, const struct edge *e)
{
	const struct job *own = u->job, *other = e->to->job;

	if (!other || other->ignore_order)
		return false;
	/* Of two that are ordered a stop of the later one comes first, else the earlier one. */
	if (e->side == DEP_AFTER)
		return own->type != JOB_STOP && own->type != JOB_RESTART;
	return e->side == DEP_BEFORE && (other->type == JOB_STOP || other->type == JOB_RESTART);
}

static bool blocked(const struct unit *u)
{
	if (u->job->ignore_order)
		return false;
	for (size_t i = 0; i < u->nr_edges; i++)
		if (waits_for(u, &u->edges[i]))
			return true;
	return false;
}

bool job_waits_for(const struct unit *u, const struct unit *other)
{
	if (!u->job || u->job->running || u->job->ignore_order)
		return false;
	for (size_t i = 0; i < u->nr_edges; i++)
		if (u->edges[i].to == other && waits_for(u, &u->edges[i]))
			return true;
	return false;
}

/* Type=idle: behind all others, for a while. */
static bool waits_idly(struct unit *u)
{
	uint64_t until = u->job->since + IDLE_NS;

	if (!is_idle(u) || nr_jobs <= nr_idle || now_ns() >= until)
		return false;
	if (knell_is_none(u->job->timer))
		set_job_timer(u, until);
	return true;
}

/* What a start has to pass */

static bool limited(const struct unit_file *f)
{
	return f->start_limit_burst && f->start_limit_ns;
}

/* As systemd counts: so many starts in a window that begins with the first of them. */
static bool start_limit_hit(struct unit *u)
{
	const struct unit_file *f = unit_latest(u);
	uint64_t now;

	if (!limited(f))
		return false;
	now = now_ns();
	if (!u->limit_begin ||
	    (f->start_limit_ns != FOREVER && now - u->limit_begin > f->start_limit_ns)) {
		u->limit_begin = now;
		u->limit_used = 0;
	}
	if (u->limit_used >= f->start_limit_burst)
		return true;
	u->limit_used++;
	return false;
}

/* "(2 of 5 starts in 10s are used)", or nothing where there is no limit. */
const char *limit_text(const struct unit *u, char *buf, size_t size)
{
	const struct unit_file *f = unit_latest(u);
	char window[32];

	*buf = '\0';
	if (limited(f))
		snprintf(buf, size, " (%u of %u starts in %s are used)", u->limit_used,
			 f->start_limit_burst,
			 span_text(f->start_limit_ns, window, sizeof(window)));
	return buf;
}

/* Without having begun: it is down, and why is told. */
static void fail_start(struct unit *u, enum result result, enum job_result how)
{
	u->result = result;
	unit_take_latest(u);
	if (u->ops->failed && how == JR_FAILED)
		unit_set_state(u, u->ops->failed);
	if (u->job)
		job_finish(u, how);
}

static void give_up_starting(struct unit *u)
{
	const struct unit_file *f = unit_latest(u);
	char window[32];

	log_line("%s: start limit hit: %u starts in %s, stays down; see StartLimitBurst=", u->name,
		 f->start_limit_burst, span_text(f->start_limit_ns, window, sizeof(window)));
	fail_start(u, RESULT_START_LIMIT, JR_FAILED);
	manager_emergency(f->start_limit_action, u, "start limit");
}

static bool conditions_hold(struct unit *u)
{
	const struct unit_file *f = unit_latest(u);
	const struct condition *c = NULL;

	u->unmet = 0;
	for (int asserts = 0; asserts < 2; asserts++) {
		if (cond_test(f, asserts, &c))
			continue;
		log_line("%s: %s%s=%s%s%s does not hold, %s", unit_where(f, c->where),
			 asserts ? "Assert" : "Condition", unit_condition_name(c->kind),
			 c->trigger ? "|" : "", c->negate ? "!" : "", c->param,
			 asserts ? "the unit fails" : "not started");
		u->unmet = c - f->conditions + 1;
		fail_start(u, asserts ? RESULT_DEPENDENCY : RESULT_CONDITION,
			   asserts ? JR_ASSERT : JR_SKIPPED);
		return false;
	}
	return true;
}

static bool mounts_are_there(struct unit *u)
{
	char *missing = unit_missing_mount(unit_latest(u));

	if (!missing)
		return true;
	log_line("%s: RequiresMountsFor=: %s is in fstab and not mounted; the unit fails", u->name,
		 missing);
	free(missing);
	fail_start(u, RESULT_DEPENDENCY, JR_DEPENDENCY);
	return false;
}

/* BindsTo= and After=: it cannot be up without. */
const struct unit *unit_missing_bond(const struct unit *u)
{
	for (size_t i = 0; i < u->nr_edges; i++) {
		const struct unit *to = u->edges[i].to;

		if (u->edges[i].side == DEP_BINDS_TO && !unit_is_up(to) &&
		    graph_linked(u, to, DEP_AFTER))
			return to;
	}
	return NULL;
}

static void start(struct unit *u)
{
	const struct unit *bond;

	switch (unit_active(u)) {
	case ACTIVE:
	case RELOADING:
		job_finish(u, JR_DONE);
		return;
	case DEACTIVATING:
		u->job->running = false;
		return;
	case ACTIVATING:
		if (!unit_awaits_restart(u))
			return;
		/* RestartSec= is not over, as nobody has asked for a restart. */
		if (u->deadline) {
			u->job->running = false;
			return;
		}
		break;
	default:
		break;
	}
	if (u->gone || (u->load != UNIT_LOADED && u->load != UNIT_STUB)) {
		fail_start(u, RESULT_BAD_UNIT, JR_INVALID);
		return;
	}
	bond = unit_missing_bond(u);
	if (bond) {
		log_line("%s: it is not up; the unit fails",
			 edge_text(u, graph_edge(u, bond, DEP_BINDS_TO)));
		fail_start(u, RESULT_DEPENDENCY, JR_DEPENDENCY);
	} else if (start_limit_hit(u)) {
		give_up_starting(u);
	} else if (mounts_are_there(u) && conditions_hold(u)) {
		u->stop_asked = false;
		u->ops->start(u);
	}
}

static void stop(struct unit *u)
{
	/* One that waits for its restart has been stopped already. */
	if (u->job->type == JOB_RESTART && unit_awaits_restart(u)) {
		unit_disarm(u);
		job_turn_to_start(u);
		return;
	}
	u->stop_asked = true;
	if (unit_is_down(u))
		job_finish(u, JR_DONE);
	else if (unit_active(u) != DEACTIVATING)
		u->ops->stop(u);
}

static void verify(struct unit *u)
{
	if (unit_is_up(u))
		job_finish(u, JR_DONE);
	else if (unit_active(u) != ACTIVATING)
		job_finish(u, JR_FAILED);
}

static void reload(struct unit *u)
{
	if (unit_active(u) == ACTIVATING || unit_active(u) == RELOADING)
		u->job->running = false;
	else if (!unit_is_up(u) || !u->ops->reload(u))
		job_finish(u, JR_INVALID);
}

static void (*const run[JOB_TYPES])(struct unit *u) = {
	[JOB_START] = start, [JOB_VERIFY] = verify, [JOB_STOP] = stop, [JOB_RELOAD] = reload,
	[JOB_RESTART] = stop,
};

static void try_job(struct unit *u)
{
	if (u->job->running || blocked(u) || waits_idly(u))
		return;
	u->job->running = true;
	job_give(u, unit_latest(u)->job_running_ns);
	run[u->job->type](u);
}

/* Runs what has become free to, and what follows from that in turn. */
void job_settle(void)
{
	struct unit *u;

	do {
		while ((u = next_to_look_at())) {
			if (u->job)
				try_job(u);
			else
				unit_check_steady(u);
		}
		if (all_over && !nr_jobs)
			manager_settled();
		all_over = false;
	} while (to_look_at);
}
