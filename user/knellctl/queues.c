// SPDX-License-Identifier: GPL-2.0-only
/* queues, watches, members, drop: what the module holds, by netlink. */
#include <ctype.h>
#include <errno.h>
#include <linux/knell_netlink.h>
#include <stdlib.h>
#include <string.h>

#include "knellctl.h"
#include "netlink.h"

static bool is_number(const char *s, uint64_t max, uint64_t *n)
{
	char *end;

	errno = 0;
	*n = strtoull(s, &end, 10);
	return isdigit((unsigned char)*s) && !*end && !errno && *n && *n <= max;
}

/* The one that is kept by that name; an exit status. */
static int id_by_name(const char *name, uint64_t *id)
{
	size_t i, found = 0;
	json_t *list, *q;
	int status = netlink_dump(KNELL_CMD_QUEUE_GET, 0, 0, &list);

	if (status)
		return status;
	json_array_foreach(list, i, q)
		if (is_str(q, "name", name)) {
			*id = (uint64_t)get_int(q, "id");
			found++;
		}
	json_decref(list);
	if (found == 1)
		return EX_OK;
	if (found)
		complain("%s: %zu queues have this name: tell its number", name, found);
	else
		complain("%s: no queue is kept by this name, as far as you may see", name);
	return found ? EX_FAILED : EX_NO_UNIT;
}

/* A number is an id. */
static int id_of(const char *s, uint64_t *id)
{
	return is_number(s, INT64_MAX, id) ? EX_OK : id_by_name(s, id);
}

static int print_list(const char *key, json_t *list)
{
	return out_json(json_pack("{s:o}", key, list));
}

/* "12: 3 tree, 9 timer" */
static char *kinds_words(const json_t *q)
{
	char *words = xasprintf("%lld", (long long)get_int(q, "watches")), *more;
	json_t *n, *kinds = json_object_get(q, "kinds");
	const char *kind, *sep = ": ";

	json_object_foreach(kinds, kind, n) {
		if (!json_integer_value(n))
			continue;
		more = xasprintf("%s%s%lld %s", words, sep, (long long)json_integer_value(n),
				 kind);
		free(words);
		words = more;
		sep = ", ";
	}
	return words;
}

static void queue_row(struct table *t, const json_t *q)
{
	char *kinds = kinds_words(q), size[SPAN_MAX];

	cell(t, PLAIN, "%lld", (long long)get_int(q, "id"));
	cell(t, BOLD, "%s", *get_str(q, "name") ? get_str(q, "name") : "-");
	cell(t, PLAIN, "%lld", (long long)get_int(q, "uid"));
	if (get_bool(q, "orphan"))
		cell(t, YELLOW, "has died");
	else
		cell(t, PLAIN, "%lld %s", (long long)get_int(q, "pid"), get_str(q, "comm"));
	cell(t, get_int(q, "pending") ? YELLOW : PLAIN, "%lld",
	     (long long)get_int(q, "pending"));
	cell(t, PLAIN, "%lld", (long long)get_int(q, "highWater"));
	cell(t, PLAIN, "%lld", (long long)get_int(q, "delivered"));
	cell(t, get_int(q, "lost") ? RED : PLAIN, "%lld", (long long)get_int(q, "lost"));
	cell(t, PLAIN, "%s", size_words((uint64_t)get_int(q, "bytes"), size));
	cell(t, PLAIN, "%s", kinds);
	free(kinds);
}

int cmd_queues(const struct verb *cmd, char **args, size_t nr)
{
	struct table t = {
		.heads = { "QUEUE", "NAME", "USER", "HOLDER", "WAITING", "MOST", "READ", "LOST",
			   "SIZE", "WATCHES" },
		.right = BIT(0) | BIT(2) | BIT(4) | BIT(5) | BIT(6) | BIT(7) | BIT(8),
	};
	json_t *list, *q;
	size_t i;
	int status = netlink_dump(KNELL_CMD_QUEUE_GET, 0, 0, &list);

	(void)cmd;
	(void)args;
	(void)nr;
	if (status || opt.json)
		return status ? status : print_list("queues", list);
	json_array_foreach(list, i, q)
		queue_row(&t, q);
	if (!table_end(&t) && !opt.plain)
		print(PLAIN, "There are no queues that you may see.\n");
	json_decref(list);
	return EX_OK;
}

/* What it waits for beside a process. */
static void next_cell(struct table *t, const json_t *w)
{
	json_int_t usec = get_int(w, "expiresUsec");

	if (usec)
		cell(t, PLAIN, "at %lld.%06lld s of its clock",
		     (long long)(usec / (json_int_t)USEC_PER_SEC),
		     (long long)(usec % (json_int_t)USEC_PER_SEC));
	else if (get_int(w, "count"))
		cell(t, PLAIN, "rung %lld times", (long long)get_int(w, "count"));
	else if (has(w, "members"))
		cell(t, PLAIN, "%lld members", (long long)get_int(w, "members"));
	else
		cell(t, PLAIN, "-");
}

static void watch_row(struct table *t, const json_t *w)
{
	const char *state = get_str(w, "state"), *label = get_str(w, "label");
	char *flags = joined(get(w, "flags"));

	cell(t, PLAIN, "%lld", (long long)get_int(w, "handle"));
	cell(t, PLAIN, "%s", get_str(w, "kind"));
	cell(t, !strcmp(state, "armed") ? PLAIN : !strcmp(state, "disarmed") ? DIM : YELLOW, "%s",
	     state);
	cell(t, PLAIN, "%s", get_str(w, "token"));
	if (get_int(w, "pid"))
		cell(t, PLAIN, "%lld %s", (long long)get_int(w, "pid"), get_str(w, "comm"));
	else
		cell(t, PLAIN, "-");
	cell(t, PLAIN, "%s", *label ? label : "-");
	next_cell(t, w);
	cell(t, DIM, "%s", *flags ? flags : "-");
	free(flags);
}

int cmd_watches(const struct verb *cmd, char **args, size_t nr)
{
	struct table t = {
		.heads = { "WATCH", "KIND", "STATE", "TOKEN", "PROCESS", "LABEL", "NEXT", "FLAGS" },
		.right = BIT(0),
	};
	json_t *list = NULL, *w;
	uint64_t id;
	size_t i;
	int status = id_of(args[0], &id);

	(void)cmd;
	(void)nr;
	if (!status)
		status = netlink_dump(KNELL_CMD_WATCH_GET, id, 0, &list);
	if (status || opt.json)
		return status ? status : print_list("watches", list);
	json_array_foreach(list, i, w)
		watch_row(&t, w);
	if (!table_end(&t) && !opt.plain)
		print(PLAIN, "It has no watches.\n");
	json_decref(list);
	return EX_OK;
}

/* Of one tree; adds what there is of it to @all, or shows it. */
static int show_members(uint64_t id, uint32_t watch, const char *label, json_t *all)
{
	json_t *list;
	int status = netlink_dump(KNELL_CMD_MEMBER_GET, id, watch, &list);

	if (status)
		return status;
	if (all) {
		json_array_append_new(all, json_pack("{s:I, s:I, s:s, s:O}", "queue",
			(json_int_t)id, "watch", (json_int_t)watch, "label", label, "members",
			list));
	} else {
		print(BOLD, "%llu:%lu %s\n", (unsigned long long)id, (unsigned long)watch, label);
		tree_of_members(list);
	}
	json_decref(list);
	return EX_OK;
}

/* @watch: 0: each tree that it has. */
static int show_trees(uint64_t id, uint32_t watch, json_t *all)
{
	size_t i, shown = 0;
	json_t *list, *w;
	int status = netlink_dump(KNELL_CMD_WATCH_GET, id, 0, &list);

	if (status)
		return status;
	json_array_foreach(list, i, w) {
		uint32_t handle = (uint32_t)get_int(w, "handle");

		if (status || (watch ? handle != watch : !is_str(w, "kind", "tree")))
			continue;
		shown++;
		status = show_members(id, handle, get_str(w, "label"), all);
		/* One that went meanwhile is none of those there are. */
		if (status == EX_NO_UNIT && !watch)
			status = EX_OK;
	}
	json_decref(list);
	if (!status && watch && !shown) {
		complain("queue %llu has no watch %lu", (unsigned long long)id,
			 (unsigned long)watch);
		return EX_NO_UNIT;
	}
	if (!status && !shown && !all)
		print(PLAIN, "It has no trees.\n");
	return status;
}

static int members(const char *queue, uint32_t watch)
{
	json_t *all = opt.json ? json_array() : NULL;
	uint64_t id;
	int status = id_of(queue, &id);

	if (!status)
		status = show_trees(id, watch, all);
	if (all && !status)
		return print_list("trees", all);
	json_decref(all);
	return status;
}

static int not_a_watch(const char *s)
{
	complain("%s: not the number of a watch", s);
	return EX_USAGE;
}

int cmd_members(const struct verb *cmd, char **args, size_t nr)
{
	uint64_t watch = 0;

	(void)cmd;
	if (nr > 1 && !is_number(args[1], UINT32_MAX, &watch))
		return not_a_watch(args[1]);
	return members(args[0], (uint32_t)watch);
}

/* "QUEUE" or "QUEUE:WATCH" */
int queue_tree(const char *which)
{
	const char *colon = strrchr(which, ':');
	uint64_t watch = 0;
	char *queue;
	int status;

	if (colon && !is_number(colon + 1, UINT32_MAX, &watch))
		return not_a_watch(colon + 1);
	queue = xasprintf("%.*s", colon ? (int)(colon - which) : (int)strlen(which), which);
	status = members(queue, (uint32_t)watch);
	free(queue);
	return status;
}

int cmd_drop(const struct verb *cmd, char **args, size_t nr)
{
	json_t *list = json_array();
	int status = EX_OK, err;
	uint64_t id;

	(void)cmd;
	for (size_t i = 0; i < nr; i++) {
		err = id_of(args[i], &id);
		if (!err)
			err = netlink_drop(id);
		if (!err)
			json_array_append_new(list, json_integer((json_int_t)id));
		status = status ? status : err;
	}
	if (opt.json)
		print_list("dropped", json_incref(list));
	json_decref(list);
	return status;
}
