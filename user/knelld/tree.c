// SPDX-License-Identifier: GPL-2.0-only
/*
 * The processes of a unit. Each command is a tree of the kernel's: its process and all that it
 * forks, whatever becomes of their parents, sessions and groups. A unit has one tree at a time of
 * ExecStart=, one of another command, and those that former commands of a oneshot have left.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "knelld.h"

struct tree *tree_add(struct unit *u, uint32_t watch, uint16_t serial, enum exec_kind kind,
		      size_t cmd, pid_t pid)
{
	struct tree *t = xcalloc(1, sizeof(*t));

	*t = (struct tree){
		.next = u->trees, .watch = watch, .serial = serial, .kind = kind, .cmd = cmd,
		.pid = pid,
	};
	u->trees = t;
	return t;
}

struct tree *tree_find(const struct unit *u, uint32_t watch)
{
	struct tree *t = u->trees;

	while (t && t->watch != watch)
		t = t->next;
	return t;
}

/* Forgets a tree; what still runs in it goes its own way. */
void tree_drop(struct unit *u, struct tree *t)
{
	struct tree **p = &u->trees;

	while (*p != t)
		p = &(*p)->next;
	*p = t->next;
	if (u->main == t) {
		u->main = NULL;
		u->main_serial = 0;
	}
	if (u->control == t) {
		u->control = NULL;
		u->control_serial = 0;
	}
	queue_ack(t->watch);
	free(t->last);
	free(t);
}

void tree_drop_proc(struct unit *u)
{
	if (u->proc)
		queue_ack(u->proc);
	u->proc = 0;
	u->follows_pid_file = false;
	record_forget_held(u);
}

/* Forgets all of them. */
void tree_release(struct unit *u)
{
	while (u->trees)
		tree_drop(u, u->trees);
	tree_drop_proc(u);
	births_end(u);
}

/* Is the main process there, as far as its end was not heard of? */
static bool main_is_up(const struct unit *u)
{
	if (u->follows_pid_file)
		return true;
	return u->main && !u->main->exited;
}

/* Does the service run? One that forks without a known main process does as long as anything. */
bool tree_is_up(const struct unit *u)
{
	if (u->type == TYPE_FORKING && !u->follows_pid_file)
		return u->main && !u->main_done;
	return main_is_up(u);
}

/* Is there anything that a stop, having sent its signals, has to wait for? */
bool tree_is_awaited(const struct unit *u)
{
	if (u->kill_mode == KILL_NONE)
		return false;
	if (u->control)
		return true;
	if (u->kill_mode == KILL_PROCESS)
		return main_is_up(u);
	return u->trees || u->follows_pid_file;
}

static bool has_members(const struct tree *t)
{
	return !t->empty && (!t->exited || t->left);
}

/* As far as it was heard: is there anybody left to signal? */
bool tree_has_members(const struct unit *u)
{
	const struct tree *t = u->trees;

	while (t && !has_members(t))
		t = t->next;
	return t;
}

static int kill_watch(const struct unit *u, uint32_t watch, int sig)
{
	int n = queue_kill(watch, sig);

	if (n >= 0)
		return n;
	/* Dead already, its record on the way; or the end of that was read a moment ago. */
	if (n != -ESRCH && n != -ENOENT)
		log_line("%s: cannot send %s to all of its processes: %s", u->name,
			 signal_name(sig), strerror(-n));
	return 0;
}

/* A command other than ExecStart= is no service: all of it, always. */
int tree_kill_control(const struct unit *u, int sig)
{
	return u->control ? kill_watch(u, u->control->watch, sig) : 0;
}

/* The main process alone; how many that were. */
static int kill_main(const struct unit *u, int sig)
{
	int n;

	if (!main_is_up(u))
		return 0;
	if (!u->proc)
		return kill_watch(u, u->main->watch, sig);
	n = queue_kill(u->proc, sig);
	return n >= 0;
}

/* Signals those whom KillMode= means, or (@all) may mean at last; how many these were. */
int tree_kill(const struct unit *u, int sig, bool all)
{
	int n = 0;

	if (u->kill_mode == KILL_NONE)
		return 0;
	if (u->kill_mode == KILL_PROCESS || (u->kill_mode == KILL_MIXED && !all))
		return kill_main(u, sig) + tree_kill_control(u, sig);
	for (const struct tree *t = u->trees; t; t = t->next)
		n += has_members(t) ? kill_watch(u, t->watch, sig) : 0;
	return n;
}

/* How many processes the unit has, in all its trees. */
size_t tree_count(const struct unit *u)
{
	size_t nr = 0;

	for (const struct tree *t = u->trees; t; t = t->next) {
		int n = has_members(t) ? queue_kill(t->watch, 0) : 0;

		nr += n > 0 ? n : 0;
	}
	return nr;
}
