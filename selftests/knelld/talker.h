/* SPDX-License-Identifier: GPL-2.0-only */
/* Services made of talker.c. */
#ifndef _KNELLD_TALKER_H
#define _KNELLD_TALKER_H

#include <fcntl.h>
#include <sys/stat.h>

#include "host.h"

/* The program that does what it is told; see talker.c. */
static const char *talker(void)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s", getenv("KNELLD"));
	strcpy(strrchr(path, '/') + 1, "talker");
	return path;
}

/* A service of it; @keys are lines of [Service]. */
static void speaker(fixture *self, const char *name, const char *keys, const char *args)
{
	unit(self, name, "[Service]\n%sExecStart=%s %s\n", keys, talker(), args);
}

/* Lets go who waits at that FIFO. */
static void go(fixture *self, const char *fifo)
{
	close(open(path_of(self, fifo), O_WRONLY | O_CLOEXEC));
}

#endif
