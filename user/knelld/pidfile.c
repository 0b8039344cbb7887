// SPDX-License-Identifier: GPL-2.0-only
/*
 * PIDFile=: which process of a service that forks is its main one. A PID file may be stale, and
 * then it names nobody, or somebody else: it is believed if it names one that was born in the
 * service while it started. To know these, the command joins one more tree, which reports births
 * and is dropped when the start is over.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "knelld.h"

struct births {
	uint32_t watch;
	bool lost;			/* some report is missing */
	size_t left;			/* members when the first process had ended */
	pid_t *pids;
	size_t nr;
};

static const struct path *pid_file(const struct unit *u)
{
	return &u->file->service->pid_file;
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
		if (i < b->nr)
			b->pids[i] = b->pids[--b->nr];
	} else if (ev->type == KNELL_EV_LOST) {
		b->lost = true;
	}
	b->lost |= ev->flags & KNELL_EVF_INEXACT;
}

/* Before the command of a start is made, if there is a PID file to judge then. */
void births_begin(struct unit *u, uint16_t serial)
{
	births_end(u);
	if (u->type != TYPE_FORKING || !u->file->service || !pid_file(u)->name)
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

/* Without the module: one that was left behind is our child now, unless it is another's. */
static bool is_adopted(pid_t pid)
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
	return parent == getpid();
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
	if (!file->name || u->follows) {
		births_end(u);
		return true;
	}
	pid = read_pid(file, &why);
	if (pid && !b->watch && is_adopted(pid)) {
		why = pid_follow(u, pid);
	} else if (pid && find(b, pid) == b->nr) {
		if (b->watch && !b->lost && b->nr < b->left)
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

	if (u->type == TYPE_FORKING && name && unlink(name) < 0 && errno != ENOENT)
		log_line("%s: PIDFile=%s: cannot be removed: %s", u->name, name, strerror(errno));
}
