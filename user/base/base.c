// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base.h"

uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
}

bool in_container;

bool is_pid1(void)
{
	return !in_container && getpid() == 1;
}

int remove_kind(const char *path, mode_t kind)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0 : -errno;
	if ((st.st_mode & S_IFMT) != kind)
		return -EEXIST;
	return unlink(path) < 0 && errno != ENOENT ? -errno : 0;
}

static struct rlimit limit_before;
static bool limit_raised;

const struct rlimit *fd_limit(void)
{
	return limit_raised ? &limit_before : NULL;
}

void fd_make_room(int fd)
{
	struct rlimit more;

	if (limit_raised || fd < 64 || getrlimit(RLIMIT_NOFILE, &limit_before) ||
	    (rlim_t)fd < limit_before.rlim_cur / 2)
		return;
	more = limit_before;
	more.rlim_cur = more.rlim_max;
	limit_raised = more.rlim_cur > limit_before.rlim_cur && !setrlimit(RLIMIT_NOFILE, &more);
}
