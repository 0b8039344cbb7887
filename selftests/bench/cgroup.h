/* SPDX-License-Identifier: GPL-2.0-only */
/* Control groups for the programs of make bench: each a child of the root one. */
#ifndef _BENCH_CGROUP_H
#define _BENCH_CGROUP_H

#include <limits.h>
#include <sys/stat.h>

#include "bench.h"

#define CGROUP_ROOT	"/sys/fs/cgroup"

static inline int cgroup_open(const char *group, const char *file, int flags)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), CGROUP_ROOT "/%s/%s", group, file);
	return (int)must(path, sys(SYS_open, (long)path, flags | O_CLOEXEC, 0, 0, 0));
}

static inline void cgroup_write(const char *group, const char *file, const char *text)
{
	int fd = cgroup_open(group, file, O_WRONLY);

	must(file, sys(SYS_write, fd, (long)text, (long)strlen(text), 0, 0));
	must(file, sys(SYS_close, fd, 0, 0, 0, 0));
}

static inline void cgroup_make(const char *group)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), CGROUP_ROOT "/%s", group);
	if (mkdir(path, 0755) && errno != EEXIST)
		die(path, -errno);
}

/* A group that is empty, or is about to be. */
static inline void cgroup_remove(const char *group)
{
	char path[PATH_MAX];
	int i;

	snprintf(path, sizeof(path), CGROUP_ROOT "/%s", group);
	for (i = 0; rmdir(path); i++) {
		if (errno != EBUSY || i == 1000)
			die(path, -errno);
		nap(NAP_NS);
	}
}

/* The caller moves; "" is the root. */
static inline void cgroup_enter(const char *group)
{
	cgroup_write(group, "cgroup.procs", "0");
}

#endif /* _BENCH_CGROUP_H */
