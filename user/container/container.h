/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * knelld --container: the first process of a container, or a part of one, that sets nothing up and
 * ends with what it is there for.
 *
 * command.c	that is a command: signals go to it, orphans are reaped
 * unit.c	that is a unit, beside others
 */
#ifndef _KNELLD_CONTAINER_H
#define _KNELLD_CONTAINER_H

#include <stdbool.h>
#include <stdint.h>

#include "procs.h"

struct container {
	char **command;			/* NULL: units */
	const char *main;		/* the unit that it ends with; NULL: it ends when told to */
	uint64_t grace_ns;		/* from SIGTERM to SIGKILL, for what the end leaves */
	bool group;			/* signals are for the command's process group */
	enum knell_backend backend;
};

extern struct container container;

/* command.c: runs it to its end, and exits as it did */
void container_run(void) __attribute__((noreturn));
int container_queue(const char *as, enum tenure *tenure);
/* wait(2)'s word, as a shell has it: 128 and the signal */
int container_status(int status);

/* unit.c */
int container_listen(struct knell_loop *l);	/* signals that containers' managers send */
void container_begin(void);			/* starts the unit, if nobody else does */
bool container_settle(void);			/* its end is that of all: did it come? */
int container_end(void);			/* all units are down; the exit status */

#endif /* _KNELLD_CONTAINER_H */
