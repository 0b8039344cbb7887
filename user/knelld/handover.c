// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the program before this one has handed over: a list in a file without a name, whose number
 * is in the environment. One line each: what it is, its number, the unit's name, and the rest.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "knelld.h"
#include "handover.h"

#define VARIABLE "KNELLD_HANDOVER"

static FILE *list;

/* Those that are on the list go through an exec, or not any more. */
static void keep(bool on)
{
	int fd;

	rewind(list);
	while (fscanf(list, "%*c %d %*[^\n]\n", &fd) == 1)
		fcntl(fd, F_SETFD, on ? 0 : FD_CLOEXEC);
}

void handover_put(enum handed what, const struct unit *u, int fd, const char *rest)
{
	if (fd >= 0)
		fprintf(list, "%c %d %s %s\n", what, fd, u->name, rest);
}

void handover_give(void)
{
	int fd = memfd_create("knelld", 0);
	char nr[16];

	list = fd >= 0 ? fdopen(fd, "w+") : NULL;
	if (!list) {
		log_line("no descriptors are handed over: %s", strerror(errno));
		return;
	}
	for (size_t i = 0; i < nr_units; i++) {
		if (units[i]->kind == UNIT_SERVICE)
			talk_give(units[i]);
		socket_give(units[i]);
	}
	fflush(list);
	keep(true);
	snprintf(nr, sizeof(nr), "%d", fd);
	setenv(VARIABLE, nr, 1);
}

void handover_undo(void)
{
	unsetenv(VARIABLE);
	if (!list)
		return;
	keep(false);
	fclose(list);
}

static void take_one(const char *line, bool known)
{
	char what, name[257];
	int fd, rest = 0;
	struct unit *u;
	bool taken = false;

	if (sscanf(line, "%c %d %256s %n", &what, &fd, name, &rest) < 3 || fd <= STDERR_FILENO ||
	    fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
		return;
	u = known ? unit_find(name) : NULL;
	if (u && u->kind == UNIT_SERVICE)
		taken = what == HAND_CONNECTION ? socket_take(u, what, fd, line + rest) :
						  talk_take(u, what, fd, line + rest);
	else if (u && u->kind == UNIT_SOCKET)
		taken = socket_take(u, what, fd, line + rest);
	if (!taken)
		close(fd);
}

void handover_take(bool known)
{
	const char *nr = getenv(VARIABLE);
	char line[1024];

	list = nr && atoi(nr) > STDERR_FILENO ? fdopen(atoi(nr), "r") : NULL;
	unsetenv(VARIABLE);
	if (!list)
		return;
	rewind(list);
	while (fgets(line, sizeof(line), list)) {
		line[strcspn(line, "\n")] = '\0';
		take_one(line, known);
	}
	fclose(list);
}
