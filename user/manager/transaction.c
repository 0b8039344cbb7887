// SPDX-License-Identifier: GPL-2.0-only
/*
 * One request becomes jobs of many units, or is refused as a whole.
 *
 * What a job of one unit means for others is one table. Strong pulls must work out, or what pulls
 * does not; weak ones are tried, each with all that it needs, and taken back if they contradict
 * what is planned. A cycle of order is broken where a job is that the request can do without.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "manager_internal.h"

struct planned {
	struct unit *unit;
	uint8_t type;
	bool dropped;
	size_t by;			/* whose edge brought it, and one; 0: the request */
	const struct edge *edge;
};

/* What was planned, in the order it was thought of: unit.mark is its place here, and one. */
static struct planned *plan;
static size_t nr_plan;
/* To take back: which had been of another type. */
static struct { size_t at; uint8_t was; } *changes;
static size_t nr_changes;
/* Places of those whose strong pulls are yet to be followed. */
static size_t *todo;
static size_t nr_todo;
static char why_text[1024];

#define WHY_STEPS	6	/* of a chain of dependencies, the nearest to what is wrong */

#define STRONG(type)	((type) + 1)
#define WEAK(type)	(((type) + 1) | 0x80)

/* By the side of an edge, and the job of the unit that has it: what comes to the other unit. */
static const uint8_t pulls[DEP_SIDES][JOB_TYPES] = {
	[DEP_REQUIRES]	= { [JOB_START] = STRONG(JOB_START), [JOB_RESTART] = STRONG(JOB_START) },
	[DEP_BINDS_TO]	= { [JOB_START] = STRONG(JOB_START), [JOB_RESTART] = STRONG(JOB_START) },
	[DEP_REQUISITE]	= { [JOB_START] = STRONG(JOB_VERIFY), [JOB_RESTART] = STRONG(JOB_VERIFY) },
	[DEP_WANTS]	= { [JOB_START] = WEAK(JOB_START), [JOB_RESTART] = WEAK(JOB_START) },
	[DEP_UPHOLDS]	= { [JOB_START] = WEAK(JOB_START), [JOB_RESTART] = WEAK(JOB_START) },
	[DEP_CONFLICTS]	= { [JOB_START] = STRONG(JOB_STOP), [JOB_RESTART] = STRONG(JOB_STOP) },
	[DEP_PROPAGATES_RELOAD_TO] = { [JOB_RELOAD] = WEAK(JOB_TRY_RELOAD) },
	[DEP_PROPAGATES_STOP_TO] = { [JOB_STOP] = STRONG(JOB_STOP) },
	[DEP_INVERSE(DEP_CONFLICTS)] = { [JOB_START] = WEAK(JOB_STOP),
					 [JOB_RESTART] = WEAK(JOB_STOP) },
	[DEP_INVERSE(DEP_REQUIRES)]  = { [JOB_STOP] = STRONG(JOB_STOP),
					 [JOB_RESTART] = STRONG(JOB_TRY_RESTART) },
	[DEP_INVERSE(DEP_REQUISITE)] = { [JOB_STOP] = STRONG(JOB_STOP),
					 [JOB_RESTART] = STRONG(JOB_TRY_RESTART) },
	[DEP_INVERSE(DEP_BINDS_TO)]  = { [JOB_STOP] = STRONG(JOB_STOP),
					 [JOB_RESTART] = STRONG(JOB_TRY_RESTART) },
	[DEP_INVERSE(DEP_PART_OF)]   = { [JOB_STOP] = STRONG(JOB_STOP),
					 [JOB_RESTART] = STRONG(JOB_TRY_RESTART) },
};

/* What two jobs of one unit are together; -1: a contradiction. */
int job_merge(const struct unit *u, enum job_type a, enum job_type b)
{
	if (a == b)
		return a;
	if (a == JOB_STOP || b == JOB_STOP)
		return -1;
	if (a == JOB_RESTART || b == JOB_RESTART)
		return JOB_RESTART;
	if (a == JOB_VERIFY || b == JOB_VERIFY)
		return a == JOB_VERIFY ? b : a;
	/* START and RELOAD */
	return unit_is_up(u) ? JOB_RELOAD : JOB_START;
}

/* What a request means for a unit that is as it is, and will be by what is planned. */
static enum job_type resolve(const struct unit *u, enum job_type type)
{
	bool up = unit_is_up(u), down = unit_is_down(u);
	bool starts = (u->mark && plan[u->mark - 1].type == JOB_START) ||
		      (u->job && u->job->type != JOB_STOP && u->job->type != JOB_VERIFY);

	switch (type) {
	case JOB_RESTART:
		return down ? JOB_START : JOB_RESTART;
	case JOB_TRY_RESTART:
		return down ? (starts ? JOB_START : JOB_NOTHING) : JOB_RESTART;
	case JOB_TRY_RELOAD:
		return up && unit_can_reload(u) ? JOB_RELOAD : JOB_NOTHING;
	case JOB_RELOAD_OR_RESTART:
		return up && unit_can_reload(u) ? JOB_RELOAD : down ? JOB_START : JOB_RESTART;
	default:
		return type;
	}
}

static int refuse(int err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static int refuse(int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why_text, sizeof(why_text), fmt, ap);
	va_end(ap);
	return err;
}

static int check_files(const struct unit *u)
{
	const char *bad = unit_latest(u)->bad;

	if (u->load == UNIT_MASKED)
		return refuse(-EPERM, "it is masked");
	if (u->gone || u->load == UNIT_NOT_FOUND)
		return refuse(-ENOENT, "there is no such unit");
	if (u->load == UNIT_BAD)
		return refuse(-EPERM, "its file is bad%s%s", bad ? ": " : "", bad ? bad : "");
	return 0;
}

/* Whose file says so, for a message: in a static buffer. */
const char *edge_text(const struct unit *u, const struct edge *e)
{
	static char buf[512];

	snprintf(buf, sizeof(buf), "%s: %s=%s", unit_where(unit_latest(u),
		 (struct where){ .file = e->file, .line = e->line }), edge_name(e->side),
		 e->to->name);
	return buf;
}

static void plan_change(size_t at, uint8_t type)
{
	changes = xgrow(changes, nr_changes, sizeof(*changes));
	changes[nr_changes].at = at;
	changes[nr_changes++].was = plan[at].type;
	plan[at].type = type;
}

/* A job of @u alone: 0, or -errno and why_text. */
static int plan_job(struct unit *u, enum job_type type, size_t by, const struct edge *edge)
{
	bool starts;
	int merged, err;

	type = resolve(u, type);
	if (type == JOB_NOTHING)
		return 0;
	starts = type == JOB_START || type == JOB_RESTART;
	err = starts ? check_files(u) : 0;
	if (err)
		return err;
	if (!u->mark) {
		plan = xgrow(plan, nr_plan, sizeof(*plan));
		plan[nr_plan++] = (struct planned){
			.unit = u, .type = type, .by = by, .edge = edge,
		};
		u->mark = nr_plan;
	} else {
		merged = job_merge(u, plan[u->mark - 1].type, type);
		if (merged < 0)
			return refuse(-EDEADLK, "it would have to start and to stop");
		if (merged == plan[u->mark - 1].type)
			return 0;
		plan_change(u->mark - 1, merged);
	}
	todo = xgrow(todo, nr_todo, sizeof(*todo));
	todo[nr_todo++] = u->mark - 1;
	return 0;
}

/* Puts before why_text which dependencies lead there, @e of the job at @at being the last. */
static void explain(int err, size_t at, const struct edge *e)
{
	char text[sizeof(why_text)] = "", *why = xstrdup(why_text);
	const struct edge *step[WHY_STEPS];
	const struct unit *of[WHY_STEPS];
	size_t nr = 0, len = 0;

	for (; e && nr < WHY_STEPS; nr++) {
		step[nr] = e;
		of[nr] = plan[at].unit;
		e = plan[at].edge;
		at = plan[at].by - 1;
	}
	while (nr-- && len < sizeof(text))
		len += snprintf(text + len, sizeof(text) - len, "%s: ",
				edge_text(of[nr], step[nr]));
	refuse(err, "%s%s%.200s", e ? "...: " : "", text, why);
	free(why);
}

static int follow(size_t at)
{
	const struct unit *u = plan[at].unit;
	int err = 0;

	for (size_t i = 0; !err && i < u->nr_edges; i++) {
		const struct edge *e = &u->edges[i];
		uint8_t pull = pulls[e->side][plan[at].type];

		if (!pull || pull & 0x80)
			continue;
		err = plan_job(e->to, pull - 1, at + 1, e);
		if (err)
			explain(err, at, e);
	}
	return err;
}

/*
 * A job of @u and all those it cannot be without; 0 or -errno, and then some may be planned. By a
 * list, for a chain of dependencies may be longer than a stack is deep.
 */
static int add(struct unit *u, enum job_type type)
{
	int err = plan_job(u, type, 0, NULL);

	while (!err && nr_todo)
		err = follow(todo[--nr_todo]);
	nr_todo = 0;
	return err;
}

static void take_back(size_t nr, size_t nr_was)
{
	while (nr_changes > nr_was) {
		nr_changes--;
		plan[changes[nr_changes].at].type = changes[nr_changes].was;
	}
	while (nr_plan > nr)
		plan[--nr_plan].unit->mark = 0;
}

/* One that is started by nobody's request has failed as well, if it is for what files say. */
static void tell_left_out(struct unit *u, const struct unit *by)
{
	if (u->gone || !unit_is_down(u) || u->job)
		return;
	/* What is wrong with its file was told when it was read. */
	if (u->load != UNIT_BAD)
		log_line("%s: not started, wanted by %s: %s", u->name, by->name, why_text);
	u->outcome = JR_DEPENDENCY + 1;
	u->result = u->load == UNIT_BAD ? RESULT_BAD_UNIT : RESULT_DEPENDENCY;
}

static void add_weak(const struct unit *u, enum job_type type)
{
	for (size_t i = 0; i < u->nr_edges; i++) {
		struct unit *to = u->edges[i].to;
		uint8_t pull = pulls[u->edges[i].side][type];
		size_t nr = nr_plan, nr_was = nr_changes;

		if (!(pull & 0x80) || !add(to, (pull & 0x7f) - 1))
			continue;
		take_back(nr, nr_was);
		if (pull == WEAK(JOB_START) && to->load != UNIT_NOT_FOUND &&
		    to->load != UNIT_MASKED)
			tell_left_out(to, u);
	}
}

static void add_isolated(void)
{
	for (size_t i = 0; i < nr_units; i++) {
		struct unit *u = units[i];
		size_t nr = nr_plan, nr_was = nr_changes;

		if (u->mark || unit_latest(u)->ignore_on_isolate || (unit_is_down(u) && !u->job))
			continue;
		if (add(u, JOB_STOP))
			take_back(nr, nr_was);
	}
}

/* Order */

static bool takes_part(const struct unit *u)
{
	return u->mark ? !plan[u->mark - 1].dropped : u->job != NULL;
}

/* The way of After= from @u to itself, of units with jobs: path[0] is @u; its length, 0: none. */
static size_t find_cycle(struct unit *u, struct unit **path)
{
	struct unit **via = xcalloc(nr_units + 1, sizeof(*via)), *at;
	struct unit **line = xcalloc(nr_units + 1, sizeof(*line));
	size_t head = 0, tail = 0, nr = 0;

	line[tail++] = u;
	while (head < tail && !via[u->id]) {
		at = line[head++];
		for (size_t i = 0; i < at->nr_edges; i++) {
			struct unit *to = at->edges[i].to;

			if (at->edges[i].side != DEP_AFTER || via[to->id] || !takes_part(to))
				continue;
			via[to->id] = at;
			line[tail++] = to;
		}
	}
	if (via[u->id]) {
		at = u;
		do {
			path[nr++] = at;
			at = via[at->id];
		} while (at != u);
	}
	free(via);
	free(line);
	return nr;
}

/* Takes away the job of @u and of all that cannot be without it: how many; 0: all is in vain. */
static size_t drop(struct unit *u)
{
	size_t nr = 1;
	bool more = true;

	plan[u->mark - 1].dropped = true;
	while (more) {
		more = false;
		for (size_t i = 0; i < nr_plan; i++) {
			const struct unit *from = plan[i].unit;

			for (size_t k = 0; !plan[i].dropped && k < from->nr_edges; k++) {
				uint8_t pull = pulls[from->edges[k].side][plan[i].type];
				const struct unit *to = from->edges[k].to;

				if (!pull || pull & 0x80 || !to->mark ||
				    !plan[to->mark - 1].dropped)
					continue;
				plan[i].dropped = more = true;
				nr++;
			}
		}
	}
	return plan[0].dropped ? 0 : nr;
}

static void keep_dropped(bool *was, bool put_back)
{
	for (size_t i = 0; i < nr_plan; i++) {
		if (put_back)
			plan[i].dropped = was[i];
		else
			was[i] = plan[i].dropped;
	}
}

/* Whose job the request can do without, at the least cost; NULL: nobody's. */
static struct unit *find_victim(struct unit *const *path, size_t nr)
{
	bool *was = xcalloc(nr_plan, sizeof(*was));
	struct unit *victim = NULL;
	size_t least = SIZE_MAX;

	keep_dropped(was, false);
	for (size_t i = 0; i < nr; i++) {
		size_t cost = path[i]->mark ? drop(path[i]) : 0;

		keep_dropped(was, true);
		if (cost && cost < least) {
			least = cost;
			victim = path[i];
		}
	}
	free(was);
	return victim;
}

static void tell_cycle(struct unit *const *path, size_t nr, const struct unit *victim)
{
	char text[768] = "";
	size_t len = 0;

	/* It was found from its end. */
	for (size_t i = 0; i <= nr && len < sizeof(text) - 1; i++)
		len += snprintf(text + len, sizeof(text) - len, "%s%s", i ? " after " : "",
				path[(nr - i) % nr]->name);
	refuse(-EDEADLK, "an ordering cycle: %s", text);
	if (victim)
		log_line("an ordering cycle: %s; the %s of %s is left out to break it", text,
			 job_type_name(plan[victim->mark - 1].type), victim->name);
}

static int break_cycle(struct unit *const *path, size_t nr)
{
	struct unit *victim = find_victim(path, nr);

	tell_cycle(path, nr, victim);
	if (!victim)
		return -EDEADLK;
	drop(victim);
	for (size_t i = 0; i < nr_plan; i++) {
		struct unit *u = plan[i].unit;

		if (!plan[i].dropped || plan[i].type != JOB_START || !unit_is_down(u))
			continue;
		u->outcome = JR_DEPENDENCY + 1;
		u->result = RESULT_DEPENDENCY;
	}
	return 0;
}

static int break_cycles(void)
{
	struct unit **path = NULL;
	int err = 0;

	for (size_t i = 0; !err && i < nr_plan; i++) {
		size_t nr;

		if (!plan[i].unit->cyclic)
			continue;
		if (!path)
			path = xcalloc(nr_units, sizeof(*path));
		while (!err && !plan[i].dropped && (nr = find_cycle(plan[i].unit, path)))
			err = break_cycle(path, nr);
	}
	free(path);
	return err;
}

/* Amid the end: what is stopped by it, unless its file says otherwise, is not started for it. */
static void leave_out_lasting(void)
{
	for (size_t i = 1; i < nr_plan; i++) {
		const struct unit *u = plan[i].unit;

		if (!plan[i].dropped && plan[i].type == JOB_START && u->kind != UNIT_TARGET &&
		    unit_latest(u)->default_dependencies)
			drop(plan[i].unit);
		plan[0].dropped = false;
	}
}

/* What is there already, and what is to come of it */

static bool redundant(const struct unit *u, enum job_type type)
{
	if (u->job)
		return false;
	if (type == JOB_STOP)
		return unit_is_down(u);
	return (type == JOB_START || type == JOB_VERIFY) && unit_is_up(u);
}

static int check_destructive(enum job_mode mode)
{
	for (size_t i = 0; i < nr_plan; i++) {
		const struct unit *u = plan[i].unit;

		if (plan[i].dropped || !u->job || job_merge(u, u->job->type, plan[i].type) >= 0)
			continue;
		if (mode == JOB_FAIL || (u->job->irreversible && mode != JOB_REPLACE_IRREVERSIBLY))
			return refuse(-EDEADLK, "%s has a job already: %s", u->name,
				      job_type_name(u->job->type));
	}
	return 0;
}

/* JOB_FLUSH: those that have a job and no part in this */
static struct unit **find_others(size_t *nr)
{
	struct unit **others = NULL;

	*nr = 0;
	for (size_t i = 0; i < nr_units; i++) {
		if (!units[i]->job || takes_part(units[i]))
			continue;
		others = xgrow(others, *nr, sizeof(*others));
		others[(*nr)++] = units[i];
	}
	return others;
}

/* What was planned, out of the way: the end of a job may lead to the next request. */
static struct planned *take_plan(size_t *nr)
{
	struct planned *taken = plan;

	*nr = nr_plan;
	while (nr_plan)
		plan[--nr_plan].unit->mark = 0;
	plan = NULL;
	nr_changes = 0;
	return taken;
}

static void install(enum job_mode mode)
{
	size_t nr = 0, nr_others = 0;
	struct unit **others = mode == JOB_FLUSH ? find_others(&nr_others) : NULL;
	struct planned *p = take_plan(&nr);

	for (size_t i = 0; i < nr_others; i++)
		job_cancel(others[i]);
	for (size_t i = 0; i < nr; i++)
		if (!p[i].dropped && !redundant(p[i].unit, p[i].type))
			job_install(p[i].unit, p[i].type, mode);
	free(others);
	free(p);
}

static int make_plan(struct unit *u, enum job_type type, enum job_mode mode)
{
	int err;

	if (mode == JOB_IGNORE_DEPENDENCIES || mode == JOB_IGNORE_REQUIREMENTS) {
		type = resolve(u, type);
		if (type == JOB_NOTHING)
			return 0;
		plan = xgrow(plan, nr_plan, sizeof(*plan));
		plan[nr_plan++] = (struct planned){ .unit = u, .type = type };
		u->mark = nr_plan;
		return plan[0].type == JOB_STOP ? 0 : check_files(u);
	}
	err = add(u, type);
	for (size_t i = 0; !err && i < nr_plan; i++)
		add_weak(plan[i].unit, plan[i].type);
	if (!err && mode == JOB_ISOLATE)
		add_isolated();
	if (!err && manager.stopping && type == JOB_START)
		leave_out_lasting();
	return err ? err : break_cycles();
}

/* The jobs are there then, or none is; 0 or -errno with @why. */
int transaction(struct unit *u, enum job_type type, enum job_mode mode, const char **why)
{
	size_t nr;
	int err;

	graph_settle();
	err = make_plan(u, type, mode);
	if (!err)
		err = check_destructive(mode);
	*why = why_text;
	if (!err)
		install(mode);
	else
		free(take_plan(&nr));
	return err;
}
