// SPDX-License-Identifier: GPL-2.0-only
/* monitor: what all queues of the machine hear, as it happens, a line or an object each. */
#include <linux/knell_netlink.h>
#include <stdlib.h>
#include <string.h>

#include "knellctl.h"
#include "netlink.h"

static long left;

/* "queue 3 (knelld) nginx.service: " */
static void whose(const json_t *e)
{
	clock_text(get(e, "time"));
	print(BOLD, "queue %lld", (long long)get_int(e, "queue"));
	if (has(e, "name"))
		print(PLAIN, " (%s)", get_str(e, "name"));
	print(PLAIN, *get_str(e, "label") ? " %s: " : ": %s", get_str(e, "label"));
}

static void exit_line(const json_t *e)
{
	char *end = exit_words(e), span[SPAN_MAX];

	print(get_bool(e, "failure") ? RED : PLAIN, "process %lld (%s) %s",
	      (long long)get_int(e, "pid"), get_str(e, "comm"), end);
	free(end);
	if (has(e, "cpuUsec") && !get_bool(e, "statusLost"))
		print(DIM, ", %s CPU", span_words((uint64_t)get_int(e, "cpuUsec"), span));
	if (get_int(e, "members"))
		print(DIM, ", %lld left", (long long)get_int(e, "members"));
}

static void show(const json_t *e)
{
	const char *kind = get_str(e, "kind");

	whose(e);
	if (!strcmp(kind, "exit"))
		exit_line(e);
	else if (!strcmp(kind, "empty"))
		print(PLAIN, "the last process of the tree is gone");
	else
		print(PLAIN, "%s by process %lld (%s)",
		      !strcmp(kind, "keep") ? "kept" : "taken over", (long long)get_int(e, "pid"),
		      get_str(e, "comm"));
	print(PLAIN, "\n");
}

static void queue_line(const json_t *q)
{
	print(BOLD, "  queue %lld", (long long)get_int(q, "id"));
	if (has(q, "name"))
		print(PLAIN, " (%s)", get_str(q, "name"));
	print(PLAIN, ": %lld watches, %lld records wait%s\n", (long long)get_int(q, "watches"),
	      (long long)get_int(q, "pending"), get_bool(q, "orphan") ? ", its holder died" : "");
}

/* What was missed shows in how the queues are now. */
static int anew(void)
{
	json_t *list, *q;
	size_t i;
	int status = netlink_dump(KNELL_CMD_QUEUE_GET, 0, 0, &list);

	if (status)
		return status;
	json_array_foreach(list, i, q) {
		if (opt.json)
			out_json_line(json_pack("{s:s, s:O}", "kind", "queue", "queue", q));
		else
			queue_line(q);
	}
	json_decref(list);
	fflush(stdout);
	return EX_OK;
}

/* @by: who had no room, @nr: how many, 0: not known */
static void say_lost(const char *by, json_int_t nr)
{
	if (opt.json)
		out_json_line(json_pack("{s:s, s:s, s:I}", "kind", "lost", "by", by, "lost", nr));
	else if (nr)
		print(YELLOW, "%lld events were lost: too many at once. The queues now:\n",
		      (long long)nr);
	else
		print(YELLOW, "Events were lost: this reads too slowly. The queues now:\n");
}

static int lost(void)
{
	say_lost("reader", 0);
	return anew();
}

static int ready(void)
{
	if (opt.json)
		out_json_line(json_pack("{s:s}", "kind", "ready"));
	else if (out_is_terminal())
		print(DIM, "listening\n");
	fflush(stdout);
	return EX_OK;
}

static bool hear(json_t *e)
{
	if (is_str(e, "kind", "lost")) {
		say_lost("module", get_int(e, "lost"));
		anew();
	} else if (opt.json) {
		out_json_line(json_incref(e));
	} else {
		show(e);
	}
	json_decref(e);
	fflush(stdout);
	if (left > 0)
		left--;
	return left && !ferror(stdout);
}

int cmd_monitor(const struct verb *cmd, char **args, size_t nr)
{
	static const struct netlink_ears ears = { ready, hear, lost };

	(void)cmd;
	(void)args;
	(void)nr;
	left = opt.lines;
	return left ? netlink_monitor(&ears) : EX_OK;
}
