// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who waits for whom. After= and Before= become edges from the later unit to the earlier;
 * Requires= adds that the earlier must have come up. The edges are free of cycles once
 * graph_build() is done: units on a cycle are marked and the edges among them dropped, so
 * that neither a start nor a stop can wait for itself.
 */
#include <stdlib.h>
#include <string.h>

#include "knelld.h"

static bool is_service(const char *name)
{
	size_t len = strlen(name);

	return len > 8 && !strcmp(name + len - 8, ".service");
}

static void add_edge(struct unit *u, struct unit *to, enum dep_kind kind,
		     const struct unit *origin, unsigned int line)
{
	u->edges = xgrow(u->edges, u->nr_edges, sizeof(*u->edges));
	u->edges[u->nr_edges++] = (struct edge){
		.to = to, .kind = kind, .origin = origin, .line = line,
	};
}

/* The key that made this ordering of @u. */
static const char *key_of(const struct edge *e, const struct unit *u)
{
	return e->origin == u ? "After" : "Before";
}

static void require_missing(struct unit *u, const struct dep *dep)
{
	if (!is_service(dep->name)) {
		log_line("%s:%u: Requires=%s: knelld knows *.service only, ignored", u->name,
			 dep->line, dep->name);
		return;
	}
	log_line("%s:%u: Requires=%s: there is no such unit; the unit fails", u->name, dep->line,
		 dep->name);
	u->lacks = true;
}

static void resolve_dep(struct unit *u, const struct dep *dep)
{
	struct unit *to = unit_find(dep->name);

	if (to == u) {
		log_line("%s:%u: a dependency on itself, ignored", u->name, dep->line);
		return;
	}
	if (!to || (to->gone && to->state == STATE_DOWN)) {
		/* An order among units of which one isn't there is none. */
		if (dep->kind == DEP_REQUIRES)
			require_missing(u, dep);
	} else if (dep->kind == DEP_BEFORE) {
		add_edge(to, u, DEP_AFTER, u, dep->line);
	} else if (dep->kind != DEP_WANTS) {
		add_edge(u, to, dep->kind, u, dep->line);
	}
}

static void clear(struct unit *u)
{
	free(u->edges);
	u->edges = NULL;
	u->nr_edges = 0;
	free(u->followers);
	u->followers = NULL;
	u->nr_followers = 0;
	u->cyclic = u->lacks = false;
}

/* A bad unit's dependencies are unknown: it has no conf. */
static void resolve(struct unit *u)
{
	const struct conf *c = unit_latest(u);

	if (!c || (u->gone && u->state == STATE_DOWN))
		return;
	for (size_t i = 0; i < c->nr_deps; i++)
		resolve_dep(u, &c->deps[i]);
}

static void add_followers(struct unit *u)
{
	for (size_t i = 0; i < u->nr_edges; i++) {
		struct unit *to = u->edges[i].to;

		if (u->edges[i].kind != DEP_AFTER)
			continue;
		to->followers = xgrow(to->followers, to->nr_followers, sizeof(*to->followers));
		to->followers[to->nr_followers++] = u;
	}
}

/*
 * Takes away again and again what nobody is left to wait for: unit.mark counts the
 * edges of each that are still there. What remains is on a cycle or behind one.
 */
static size_t peel(struct unit **stack)
{
	size_t nr = 0, left = nr_units;

	for (size_t i = 0; i < nr_units; i++) {
		struct unit *u = units[i];

		u->mark = 0;
		for (size_t k = 0; k < u->nr_edges; k++)
			u->mark += u->edges[k].kind == DEP_AFTER;
		if (!u->mark)
			stack[nr++] = u;
	}
	while (nr) {
		struct unit *u = stack[--nr];

		left--;
		for (size_t k = 0; k < u->nr_followers; k++)
			if (!--u->followers[k]->mark)
				stack[nr++] = u->followers[k];
	}
	return left;
}

/* The shortest way from @u back to itself, left in unit.via; false if there is none. */
static bool find_cycle(struct unit *u, struct unit **queue)
{
	size_t head = 0, tail = 0;

	for (size_t i = 0; i < nr_units; i++)
		units[i]->via = NULL;
	queue[tail++] = u;
	while (head < tail) {
		struct unit *at = queue[head++];

		for (size_t k = 0; k < at->nr_edges; k++) {
			struct unit *to = at->edges[k].to;

			if (at->edges[k].kind != DEP_AFTER || to->via)
				continue;
			to->via = at;
			if (to == u)
				return true;
			queue[tail++] = to;
		}
	}
	return false;
}

static const struct edge *edge_to(const struct unit *u, const struct unit *to)
{
	for (size_t i = 0; i < u->nr_edges; i++)
		if (u->edges[i].to == to && u->edges[i].kind == DEP_AFTER)
			return &u->edges[i];
	return NULL;
}

/*
 * Names the cycle as find_cycle() has left it: @u waits for ... waits for @u. It is closed: no via is
 * NULL.
 */
static void tell_cycle(const struct unit *u)
{
	const struct unit *at = u, *first = u->via;
	const struct edge *e;
	char path[512];
	size_t len = sizeof(path) - 1;

	path[len] = '\0';
	do {
		size_t n = strlen(at->name) + 4; /* NOLINT(clang-analyzer-core.NullDereference) */

		if (n > len)
			break;
		len -= n;
		memcpy(path + len, " -> ", 4);
		memcpy(path + len + 4, at->name, n - 4);
		at = at->via;
	} while (at != u);
	while (first->via != u) /* NOLINT(clang-analyzer-core.NullDereference) */
		first = first->via;
	e = edge_to(u, first);
	if (!e)
		return;
	log_line("%s:%u: %s=%s: an ordering cycle (%s%s%s), the unit fails", e->origin->name,
		 e->line, key_of(e, u), e->origin == u ? first->name : u->name, u->name,
		 at == u ? "" : " -> ...", path + len);
}

/* A unit that runs already runs on; only its order is lost. */
static void mark_cycles(void)
{
	struct unit **work = xcalloc(nr_units, sizeof(*work));

	if (!peel(work))
		goto out;
	for (size_t i = 0; i < nr_units; i++) {
		if (!units[i]->mark || !find_cycle(units[i], work))
			continue;
		units[i]->cyclic = true;
		tell_cycle(units[i]);
	}
out:
	free(work);
}

static void drop_cyclic_edges(struct unit *u)
{
	size_t kept = 0;

	if (!u->cyclic)
		return;
	for (size_t i = 0; i < u->nr_edges; i++)
		if (!u->edges[i].to->cyclic)
			u->edges[kept++] = u->edges[i];
	u->nr_edges = kept;
}

static void each(void (*fn)(struct unit *))
{
	for (size_t i = 0; i < nr_units; i++)
		fn(units[i]);
}

static void forget_followers(struct unit *u)
{
	u->nr_followers = 0;
	free(u->followers);
	u->followers = NULL;
}

/* Makes the edges anew from what the files say now. */
void graph_build(void)
{
	each(clear);
	each(resolve);
	each(add_followers);
	mark_cycles();
	each(drop_cyclic_edges);
	each(forget_followers);
	each(add_followers);
}

/* Whether @u may be started now; @why is set with MUST_FAIL. */
enum verdict graph_may_start(const struct unit *u, const struct edge **why)
{
	for (size_t i = 0; i < u->nr_edges; i++)
		if (u->edges[i].kind == DEP_AFTER && u->edges[i].to->start == START_PENDING)
			return MUST_WAIT;
	for (size_t i = 0; i < u->nr_edges; i++) {
		const struct edge *e = &u->edges[i];

		*why = e;
		if (e->kind != DEP_REQUIRES || e->to->start == START_DONE)
			continue;
		/* One that cannot even begin fails its dependants in whatever order. */
		if (unit_refused(e->to) || e->to->gone || edge_to(u, e->to))
			return MUST_FAIL;
	}
	return MAY_START;
}

/* Whether everything ordered after @u is down. */
bool graph_may_stop(const struct unit *u)
{
	for (size_t i = 0; i < u->nr_followers; i++)
		if (u->followers[i]->state != STATE_DOWN)
			return false;
	return true;
}
