// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which process of a service that forks is its main one. A PIDFile= may be stale, and then it names
 * nobody, or somebody else: it is believed if it names one that was born in the service while it
 * started. To know these, the command joins one more tree, which reports births and is dropped when
 * the start is over. Without a PIDFile= it is the one that the command has left behind, if it is
 * one: what that one has forked in turn does not count (GuessMainPID=).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "exec.h"
#include "knelld.h"

struct births {
	uint32_t watch;
	bool lost;			/* some report is missing */
	size_t left;			/* members when the first process had ended */
	size_t gone;			/* of these, since then */
	pid_t *pids;
	size_t nr;
};

static const struct path *pid_file(const struct unit *u)
{
	return &u->file->service->more->pid_file;
}

static size_t find(const struct births *b, pid_t pid)
{
	size_t i = 0;

	while (i < b->nr && b->pids[i] != pid)
		i++;
	return i;
}

/* A report of the tree of births. */
void births_note(struct unit *u, const struct knell_event *ev)
{
	struct births *b = u->births;
	size_t i;

	if (ev->type == KNELL_EV_FORK) {
		b->pids = xgrow(b->pids, b->nr, sizeof(*b->pids));
		b->pids[b->nr++] = ev->tree.pid;
	} else if (ev->type == KNELL_EV_EXIT) {
		i = find(b, ev->exit.pid);
		if (i < b->nr) {
			b->pids[i] = b->pids[--b->nr];
			b->gone += b->left > 0;
		}
	} else if (ev->type == KNELL_EV_LOST) {
		b->lost = true;
	}
	b->lost |= ev->flags & KNELL_EVF_INEXACT;
}

/* Before the command of a start is made, if there is somebody to be found then. */
void births_begin(struct unit *u, uint16_t serial)
{
	births_end(u);
	if (u->type != TYPE_FORKING || !u->file->service ||
	    !(pid_file(u)->name || u->file->service->guess_main_pid))
		return;
	u->births = xcalloc(1, sizeof(*u->births));
	procs->add_births(u->name, token(u->id, ROLE_BIRTHS, 0, serial), &u->births->watch);
}

uint32_t births_watch(const struct unit *u)
{
	return u->births ? u->births->watch : 0;
}

void births_left(struct unit *u, size_t members)
{
	if (u->births)
		u->births->left = members;
}

/* Wants no more reports. */
void births_end(struct unit *u)
{
	if (!u->births)
		return;
	if (u->births->watch)
		procs->ack(u->births->watch);
	free(u->births->pids);
	free(u->births);
	u->births = NULL;
}

/* The first line's number; 0: there is none, and @why says why. */
static pid_t read_pid(const struct path *file, const char **why)
{
	size_t len;
	char *text = file_text(AT_FDCWD, file->name, &len), *end;
	long pid;

	if (!text) {
		*why = errno == EINVAL ? "not a regular file" : strerror(errno);
		return 0;
	}
	errno = 0;
	pid = strtol(text, &end, 10);
	if (errno || end == text || end[strspn(end, BLANKS)] || pid <= 0 || (pid_t)pid != pid) {
		*why = "it is no number of a process";
		pid = 0;
	}
	free(text);
	return pid;
}

static pid_t parent_of(pid_t pid)
{
	char name[32], *text, *after;
	size_t len;
	int parent = 0;

	snprintf(name, sizeof(name), "/proc/%d/stat", pid);
	text = file_text(AT_FDCWD, name, &len);
	after = text ? strrchr(text, ')') : NULL;
	if (after)
		sscanf(after + 1, " %*c %d", &parent);
	free(text);
	return parent;
}

/* Without the module: one that was left behind is our child now, unless it is another's. */
static bool is_adopted(pid_t pid)
{
	return parent_of(pid) == getpid();
}

/* The same for whom no file names: it is in the command's session, or has its environment. */
static bool is_left_of(const struct unit *u, pid_t pid)
{
	char *name = xasprintf("/proc/%d/environ", pid), *text;
	char id[64] = "INVOCATION_ID=";
	size_t len;
	bool is;

	if (u->main && getsid(pid) == u->main->pid) {
		free(name);
		return true;
	}
	exec_invocation_text(u->invocation, id + strlen(id));
	text = file_text(AT_FDCWD, name, &len);
	is = text && memmem(text, len, id, strlen(id) + 1);
	free(text);
	free(name);
	return is;
}

static void find_left(const struct unit *u, struct births *b)
{
	size_t len;
	char *text = file_text(AT_FDCWD, "/proc/thread-self/children", &len), *at = text, *end;

	for (long pid; at && (pid = strtol(at, &end, 10)) > 0; at = end)
		if (is_left_of(u, pid)) {
			b->pids = xgrow(b->pids, b->nr, sizeof(*b->pids));
			b->pids[b->nr++] = pid;
		}
	free(text);
}

/* The one that none of the others has made; 0: there is none, or several. */
static pid_t only_one(const struct births *b)
{
	pid_t only = 0, parent;

	for (size_t i = 0; i < b->nr; i++) {
		parent = parent_of(b->pids[i]);
		if (parent <= 0 || find(b, parent) < b->nr)
			continue;
		if (only)
			return 0;
		only = b->pids[i];
	}
	return only;
}

/* False: it may be one whose birth is yet to be reported. */
static bool guess(struct unit *u)
{
	struct births left = { 0 }, *b = u->births;
	pid_t pid;

	if (!b || !b->watch)
		find_left(u, b = &left);
	else if (!b->lost && b->nr + b->gone < b->left)
		return false;
	pid = b->lost ? 0 : only_one(b);
	if (pid)
		pid_follow(u, pid);
	free(left.pids);
	return true;
}

/* Watches process @pid of @u from now on as its main one; NULL or why that cannot be. */
const char *pid_follow(struct unit *u, pid_t pid)
{
	int err = procs->add_pid(pid, token(u->id, ROLE_PROC, 0, u->main_serial), KNELL_OPF_ACK,
				&u->proc);

	if (err == -ESRCH)
		return "it is gone already";
	if (err)
		return strerror(-err);
	u->follows = true;
	u->pid = pid;
	if (u->main && procs->led_by) {
		u->main->led = procs->led_by(u->main->watch, pid);
		u->main->left |= u->main->led;
	}
	return NULL;
}

/**
 * pid_file_follow - finds the main process of a service whose first one has ended well
 *
 * False: whether it is the service's cannot be said before more births are reported. True: it is
 * watched, or the reason why not has been logged, and then the service is all of its processes.
 */
bool pid_file_follow(struct unit *u)
{
	const struct path *file = pid_file(u);
	const struct births none = { 0 }, *b = u->births ? u->births : &none;
	const char *why = NULL;
	pid_t pid;

	/* A former knelld may have come as far. */
	if (!file->name && !u->follows && u->file->service->guess_main_pid && !guess(u))
		return false;
	if (!file->name || u->follows) {
		births_end(u);
		return true;
	}
	pid = read_pid(file, &why);
	if (pid && find(b, pid) == b->nr && (b->watch || !is_adopted(pid))) {
		if (b->watch && !b->lost && b->nr + b->gone < b->left)
			return false;
		why = b->watch && !b->lost ? "it is no process of this service" :
		      "whether it is one of this service cannot be told";
	} else if (pid) {
		why = pid_follow(u, pid);
	}
	if (why && pid)
		log_line("%s: PIDFile=%s names %d: %s; followed until all its processes end",
			 unit_where(u->file, file->where), file->name, pid, why);
	else if (why)
		log_line("%s: PIDFile=%s: %s; followed until all its processes end",
			 unit_where(u->file, file->where), file->name, why);
	births_end(u);
	return true;
}

/* As systemd does, so that the next start does not find it. */
void pid_file_remove(const struct unit *u)
{
	const char *name = u->file->service ? pid_file(u)->name : NULL;
	int err = u->type == TYPE_FORKING && name ? remove_kind(name, S_IFREG) : 0;

	/* A device, say, is not what a daemon has left there. */
	if (err && err != -EEXIST)
		log_line("%s: PIDFile=%s: cannot be removed: %s", u->name, name, strerror(-err));
}
