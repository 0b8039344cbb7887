// SPDX-License-Identifier: GPL-2.0-only
/*
 * PIDFile=: which process of a service that forks is its main one. A PID file may be stale, and
 * then it names nobody, or somebody else: it is believed if it names one that was born in the
 * service while it started. To know these, the command joins one more tree, which reports births
 * and is dropped when the start is over.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "knelld.h"

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
	struct births *b = &u->births;
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

/* Wants no more reports. */
void births_end(struct unit *u)
{
	if (u->births.watch)
		procs->ack(u->births.watch);
	free(u->births.pids);
	u->births = (struct births){ 0 };
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

/* Watches process @pid of @u from now on as its main one; NULL or why that cannot be. */
static const char *watch(struct unit *u, pid_t pid)
{
	int err = procs->add_pid(pid, token(u->id, ROLE_PROC, 0, u->main_serial), KNELL_OPF_ACK,
				&u->proc);

	if (err == -ESRCH)
		return "it is gone already";
	if (err)
		return strerror(-err);
	u->follows_pid_file = true;
	u->pid = pid;
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
	const struct path *file = &u->conf->pid_file;
	const struct births *b = &u->births;
	const char *why = NULL;
	pid_t pid;

	/* A former knelld may have come as far. */
	if (!file->name || u->follows_pid_file) {
		births_end(u);
		return true;
	}
	pid = read_pid(file, &why);
	if (pid && find(b, pid) == b->nr) {
		if (b->watch && !b->lost && b->nr < b->left)
			return false;
		why = b->watch && !b->lost ? "it is no process of this service" :
		      "whether it is one of this service cannot be told";
	} else if (pid) {
		why = watch(u, pid);
	}
	if (why && pid)
		log_line("%s:%u: PIDFile=%s names %d: %s; followed until all its processes end",
			 u->name, file->line, file->name, pid, why);
	else if (why)
		log_line("%s:%u: PIDFile=%s: %s; followed until all its processes end", u->name,
			 file->line, file->name, why);
	births_end(u);
	return true;
}

/* As systemd does, so that the next start does not find it. */
void pid_file_remove(const struct unit *u)
{
	const char *name = u->conf->pid_file.name;

	if (u->type == TYPE_FORKING && name && unlink(name) < 0 && errno != ENOENT)
		log_line("%s: PIDFile=%s: cannot be removed: %s", u->name, name, strerror(errno));
}
