// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who has a kept queue. The kernel says whose it is nowhere but beside the descriptor: the process
 * that has one in whose fdinfo the name is. One that is about to end has it until it cannot be
 * in the way any more.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base.h"
#include "procs.h"

/* "\nknell-kept:\tNAME\n", as the kernel writes what would be ambiguous. */
static char *line_of(const char *name)
{
	char *line = xasprintf("\nknell-kept:\t%*s\n", 4 * (int)strlen(name), ""), *to;

	for (to = strchr(line, '\t') + 1; *name; name++) {
		if (strchr(" \t\n\\", *name))
			to += sprintf(to, "\\%03o", (unsigned char)*name);
		else
			*to++ = *name;
	}
	strcpy(to, "\n");
	return line;
}

static bool is_queue(const char *pid, const char *fd)
{
	char path[64], link[64];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%.10s/fd/%.10s", pid, fd);
	n = readlink(path, link, sizeof(link) - 1);
	link[n > 0 ? n : 0] = '\0';
	return !strcmp(link, KNELL_DEVICE) || !strcmp(link, "anon_inode:[knell]");
}

/* The name is among the first lines; what is watched comes after it. */
static bool is_kept_so(const char *pid, const char *fd, const char *line)
{
	char path[64], text[1024];
	ssize_t n;
	int in;

	snprintf(path, sizeof(path), "/proc/%.10s/fdinfo/%.10s", pid, fd);
	in = open(path, O_RDONLY | O_CLOEXEC);
	if (in < 0)
		return false;
	n = read(in, text, sizeof(text) - 1);
	close(in);
	text[n > 0 ? n : 0] = '\0';
	return strstr(text, line);
}

static bool has_it(const char *pid, const char *line)
{
	char path[32];
	struct dirent *e;
	bool found = false;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%.10s/fd", pid);
	d = opendir(path);
	while (d && !found && (e = readdir(d)))
		found = isdigit((unsigned char)*e->d_name) && is_queue(pid, e->d_name) &&
			is_kept_so(pid, e->d_name, line);
	if (d)
		closedir(d);
	return found;
}

/* A pidfd of one that has it; -1: there is none that we may see. */
static int find(const char *line)
{
	DIR *d = opendir("/proc");
	struct dirent *e;
	int pidfd = -1;

	while (d && pidfd < 0 && (e = readdir(d))) {
		pid_t pid = atoi(e->d_name);

		if (pid <= 0 || pid == getpid() || !has_it(e->d_name, line))
			continue;
		pidfd = syscall(SYS_pidfd_open, pid, 0);
		/* It may have ended before, and the number be another's. */
		if (pidfd >= 0 && !has_it(e->d_name, line)) {
			close(pidfd);
			pidfd = -1;
		}
	}
	if (d)
		closedir(d);
	return pidfd;
}

/**
 * holder_wait - sleeps until the process ends that has the kept queue @name
 * @until: CLOCK_MONOTONIC ns, no longer
 *
 * 0: it has, -ETIMEDOUT, or -ESRCH: none is seen that has it, any more or at all.
 */
int holder_wait(const char *name, uint64_t until)
{
	char *line = line_of(name);
	struct pollfd p = { .fd = find(line), .events = POLLIN };
	int64_t ns = until - now_ns();
	int n;

	free(line);
	if (p.fd < 0)
		return -ESRCH;
	n = poll(&p, 1, ns > 0 ? ns / (int64_t)NSEC_PER_MSEC + 1 : 0);
	close(p.fd);
	return n > 0 ? 0 : -ETIMEDOUT;
}
