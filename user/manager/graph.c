// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who depends on whom. Each dependency is an edge at both its units. What files imply is added as
 * systemd does, but targets that nobody has given anything to do (basic.target ...) hold up nobody.
 */
#include <stdlib.h>
#include <string.h>

#include "manager_internal.h"

static bool dirty = true;

static uint8_t other_side(uint8_t side)
{
	switch (side) {
	case DEP_AFTER:
		return DEP_BEFORE;
	case DEP_BEFORE:
		return DEP_AFTER;
	case DEP_PROPAGATES_RELOAD_TO:
		return DEP_RELOAD_PROPAGATED_FROM;
	case DEP_RELOAD_PROPAGATED_FROM:
		return DEP_PROPAGATES_RELOAD_TO;
	case DEP_PROPAGATES_STOP_TO:
		return DEP_STOP_PROPAGATED_FROM;
	case DEP_STOP_PROPAGATED_FROM:
		return DEP_PROPAGATES_STOP_TO;
	default:
		return side < DEP_KINDS ? DEP_INVERSE(side) : side - DEP_KINDS;
	}
}

const char *edge_name(uint8_t side)
{
	static const char *const names[DEP_KINDS] = {
		[DEP_REQUIRES] = "RequiredBy", [DEP_REQUISITE] = "RequisiteOf",
		[DEP_WANTS] = "WantedBy", [DEP_BINDS_TO] = "BoundBy",
		[DEP_PART_OF] = "ConsistsOf", [DEP_CONFLICTS] = "ConflictedBy",
		[DEP_UPHOLDS] = "UpheldBy", [DEP_ON_FAILURE] = "OnFailureOf",
		[DEP_ON_SUCCESS] = "OnSuccessOf", [DEP_TRIGGERS] = "TriggeredBy",
		[DEP_SOCKETS] = "SocketOf",
	};

	return side < DEP_KINDS ? unit_dep_name(side) : names[side - DEP_KINDS];
}

const struct edge *graph_edge(const struct unit *u, const struct unit *to, uint8_t side)
{
	for (size_t i = 0; i < u->nr_edges; i++)
		if (u->edges[i].to == to && u->edges[i].side == side)
			return &u->edges[i];
	return NULL;
}

/* The same from the end that has fewer: a target may have thousands. */
bool graph_linked(const struct unit *u, const struct unit *to, uint8_t side)
{
	return u->nr_edges <= to->nr_edges ? graph_edge(u, to, side) :
	       graph_edge(to, u, other_side(side));
}

static void add_half(struct unit *u, struct unit *to, uint8_t side, struct where w)
{
	u->edges = xgrow(u->edges, u->nr_edges, sizeof(*u->edges));
	u->edges[u->nr_edges++] = (struct edge){
		.to = to, .side = side, .file = w.file, .line = w.line,
	};
}

static void add(struct unit *u, struct unit *to, uint8_t side, struct where w)
{
	if (u == to)
		return;
	add_half(u, to, side, w);
	/* The line is in the other's file. */
	add_half(to, u, other_side(side), (struct where){ 0 });
}

static void imply(struct unit *u, struct unit *to, uint8_t side)
{
	if (to && !graph_linked(u, to, side))
		add(u, to, side, (struct where){ 0 });
}

static bool orders_only(uint8_t kind)
{
	return kind == DEP_AFTER || kind == DEP_BEFORE;
}

static void tell_unknown(const struct unit *u, const struct dep *dep)
{
	if (unit_name_kind(dep->name) == UNIT_FOREIGN && dep->kind == DEP_REQUIRES)
		log_line("%s: %s=%s: there are no such units here, ignored",
			 unit_where(unit_latest(u), dep->where), unit_dep_name(dep->kind),
			 dep->name);
}

/* All units that the files of @u name, but for the order among them, are there then. */
static void load_named(const struct unit *u)
{
	const struct unit_file *f = unit_latest(u);

	for (size_t i = 0; i < f->nr_deps; i++)
		if (!orders_only(f->deps[i].kind) && !unit_get(f->deps[i].name))
			tell_unknown(u, &f->deps[i]);
}

static void resolve(struct unit *u)
{
	const struct unit_file *f = unit_latest(u);

	if (u->gone && unit_is_down(u))
		return;
	for (size_t i = 0; i < f->nr_deps; i++) {
		const struct dep *dep = &f->deps[i];
		struct unit *to = unit_find(dep->name);

		if (to == u)
			log_line("%s: %s=%s: a dependency on itself, ignored",
				 unit_where(f, dep->where), unit_dep_name(dep->kind), dep->name);
		else if (to && dep->kind == DEP_SOCKETS)
			add(to, u, DEP_TRIGGERS, (struct where){ 0 });
		else if (to)
			add(u, to, dep->kind, dep->where);
		if (to && to != u && dep->kind == DEP_SOCKETS) {
			imply(u, to, DEP_WANTS);
			imply(u, to, DEP_AFTER);
		}
	}
}

/* Has it anything to do but to be there? */
static struct unit *real_target(const char *name)
{
	struct unit *u = unit_find(name);

	return u && (u->load == UNIT_LOADED || unit_latest(u)->nr_deps) ? u : NULL;
}

/* A timer that needs to know what time it is. */
static bool has_calendar(const struct unit *u)
{
	const struct timer *t = unit_latest(u)->timer;

	for (size_t i = 0; t && i < t->nr; i++)
		if (t->values[i].base == TIMER_CALENDAR)
			return true;
	return false;
}

static void imply_defaults(struct unit *u)
{
	static const char *const before[UNIT_KINDS] = {
		[UNIT_TIMER] = "timers.target", [UNIT_SOCKET] = "sockets.target",
	};
	struct unit *sysinit = real_target("sysinit.target"), *basic = real_target("basic.target");

	if (u->kind == UNIT_TARGET)
		return;
	if (sysinit && !manager.user) {
		imply(u, sysinit, DEP_REQUIRES);
		imply(u, sysinit, DEP_AFTER);
	}
	if (basic && (manager.user || u->kind == UNIT_SERVICE))
		imply(u, basic, DEP_AFTER);
	if (before[u->kind])
		imply(u, unit_find(before[u->kind]), DEP_BEFORE);
	if (has_calendar(u)) {
		imply(u, real_target("time-set.target"), DEP_AFTER);
		imply(u, real_target("time-sync.target"), DEP_AFTER);
	}
}

/* Units that mount: see job.c. */
static void imply_mounts(struct unit *u)
{
	imply(u, real_target("local-fs.target"), DEP_AFTER);
	imply(u, real_target("remote-fs.target"), DEP_AFTER);
}

static bool pulls_in(uint8_t side)
{
	return side == DEP_REQUIRES || side == DEP_REQUISITE || side == DEP_WANTS ||
	       side == DEP_BINDS_TO || side == DEP_UPHOLDS;
}

/* A target is reached when all it is made of is, unless they say otherwise. */
static void imply_order(struct unit *u)
{
	for (size_t i = 0, nr = u->nr_edges; i < nr; i++) {
		struct unit *to = u->edges[i].to;
		bool triggers = u->edges[i].side == DEP_TRIGGERS;
		bool part = u->kind == UNIT_TARGET && pulls_in(u->edges[i].side) &&
			    unit_latest(to)->default_dependencies;

		if (triggers)
			imply(u, to, DEP_BEFORE);
		else if (part && !graph_linked(u, to, DEP_BEFORE))
			imply(u, to, DEP_AFTER);
	}
}

/* In this order: whoever waits for a target is not what it waits for, though it be part of it. */
static void imply_all(void)
{
	for (size_t i = 0; i < nr_units; i++) {
		if (unit_latest(units[i])->default_dependencies)
			imply_defaults(units[i]);
		if (unit_latest(units[i])->mounts_for.nr)
			imply_mounts(units[i]);
	}
	for (size_t i = 0; i < nr_units; i++)
		if (units[i]->kind != UNIT_TARGET || unit_latest(units[i])->default_dependencies)
			imply_order(units[i]);
}

/* Takes away what nobody is before any more (@side AFTER), or after; the rest is marked. */
static size_t peel(struct unit **stack, uint8_t side)
{
	size_t nr = 0, left = nr_units;

	for (size_t i = 0; i < nr_units; i++) {
		struct unit *u = units[i];

		u->mark = 0;
		for (size_t k = 0; k < u->nr_edges; k++)
			u->mark += u->edges[k].side == side && u->edges[k].to->cyclic;
		if (!u->cyclic || !u->mark)
			stack[nr++] = u;
	}
	while (nr) {
		struct unit *u = stack[--nr];

		left--;
		if (!u->cyclic)
			continue;
		u->cyclic = false;
		for (size_t k = 0; k < u->nr_edges; k++) {
			struct unit *to = u->edges[k].to;

			if (u->edges[k].side == other_side(side) && to->cyclic && !--to->mark)
				stack[nr++] = to;
		}
	}
	return left;
}

/* unit.cyclic: on a cycle of After=, or between two. Few ever are; transaction.c looks closer. */
static void find_cyclic(void)
{
	struct unit **stack = xcalloc(nr_units, sizeof(*stack));

	for (size_t i = 0; i < nr_units; i++)
		units[i]->cyclic = true;
	if (peel(stack, DEP_AFTER))
		peel(stack, DEP_BEFORE);
	for (size_t i = 0; i < nr_units; i++)
		units[i]->mark = 0;
	free(stack);
}

static struct edge *packed;		/* all units' */

/* One after the other, without the room that each had to grow in: there may be thousands. */
static void pack_edges(void)
{
	struct edge *at;
	size_t nr = 0;

	for (size_t i = 0; i < nr_units; i++)
		nr += units[i]->nr_edges;
	packed = at = xcalloc(nr, sizeof(*packed));
	for (size_t i = 0; i < nr_units; i++) {
		struct unit *u = units[i];

		if (u->nr_edges)
			memcpy(at, u->edges, u->nr_edges * sizeof(*at));
		free(u->edges);
		u->edges = at;
		at += u->nr_edges;
	}
}

static void forget_edges(void)
{
	for (size_t i = 0; i < nr_units; i++) {
		units[i]->edges = NULL;
		units[i]->nr_edges = 0;
	}
	free(packed);
}

void graph_changed(void)
{
	dirty = true;
}

/* Makes the edges anew from what the files say now, if that has changed. */
void graph_settle(void)
{
	if (!dirty)
		return;
	/* Each may bring in more. */
	for (size_t i = 0; i < nr_units; i++)
		if (units[i]->file)
			load_named(units[i]);
	dirty = false;
	forget_edges();
	for (size_t i = 0; i < nr_units; i++)
		resolve(units[i]);
	/* See manager.c: a default target without a file. */
	for (size_t i = 0; i < nr_units; i++)
		if (units[i]->wanted)
			imply(unit_find(manager.default_target), units[i], DEP_WANTS);
	imply_all();
	pack_edges();
	find_cyclic();
}
