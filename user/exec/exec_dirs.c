// SPDX-License-Identifier: GPL-2.0-only
/*
 * RuntimeDirectory= and its kin. Made from the fixed directory down, one component at a time: in
 * what belongs to a service it may have put a symlink, and that is not followed.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "exec.h"

#define DEPTH_MAX 64		/* of what is removed: the stack is not endless */

static const struct {
	const char *key, *variable;
	const char *base;		/* in the system */
	const char *xdg, *home;		/* of a user: $XDG, or below the home directory */
	const char *below;		/* that */
	int status;
} kinds[DIR_KINDS] = {
	[DIR_RUNTIME] = { "RuntimeDirectory", "RUNTIME_DIRECTORY", "/run",
		"XDG_RUNTIME_DIR", NULL, "", EXEC_RUNTIME_DIRECTORY },
	[DIR_STATE] = { "StateDirectory", "STATE_DIRECTORY", "/var/lib",
		"XDG_STATE_HOME", ".local/state", "", EXEC_STATE_DIRECTORY },
	[DIR_CACHE] = { "CacheDirectory", "CACHE_DIRECTORY", "/var/cache",
		"XDG_CACHE_HOME", ".cache", "", EXEC_CACHE_DIRECTORY },
	[DIR_LOGS] = { "LogsDirectory", "LOGS_DIRECTORY", "/var/log",
		"XDG_STATE_HOME", ".local/state", "/log", EXEC_LOGS_DIRECTORY },
	[DIR_CONFIGURATION] = { "ConfigurationDirectory", "CONFIGURATION_DIRECTORY", "/etc",
		"XDG_CONFIG_HOME", ".config", "", EXEC_CONFIGURATION_DIRECTORY },
};

static char *base_of(enum exec_dir kind)
{
	const char *xdg = getenv(kinds[kind].xdg), *home = getenv("HOME");

	if (!exec_user_mode)
		return xstrdup(kinds[kind].base);
	if (xdg && *xdg == '/')
		return xasprintf("%s%s", xdg, kinds[kind].below);
	if (!kinds[kind].home || !home)
		return xasprintf("/run/user/%u", geteuid());
	return xasprintf("%s/%s%s", home, kinds[kind].home, kinds[kind].below);
}

static void close_quietly(int fd)
{
	int err = errno;

	if (fd >= 0)
		close(fd);
	errno = err;
}

/* A symlink only where nobody but us could have put it. */
static int open_in(int parent, const char *name)
{
	const int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
	int fd = openat(parent, name, flags | O_NOFOLLOW), err = errno;
	struct stat st;

	if (fd >= 0 || (err != ELOOP && err != ENOTDIR))
		return fd;
	if (!fstat(parent, &st) && st.st_uid == geteuid() && !(st.st_mode & 022))
		return openat(parent, name, flags);
	errno = err;
	return -1;
}

/* Goes down @path below @fd, which it closes, making what is not there; the last one or -1. */
static int descend(int fd, const char *path, bool make)
{
	char *all = xstrdup(path), *rest = all, *name;

	while (fd >= 0 && (name = strsep(&rest, "/"))) {
		int next = -1;

		if (!*name)
			continue;
		if (!make || !mkdirat(fd, name, 0755) || errno == EEXIST)
			next = open_in(fd, name);
		close_quietly(fd);
		fd = next;
	}
	free(all);
	return fd;
}

/* Unit files cannot say any other: it would be somebody else's directory. */
static bool name_ok(const char *name)
{
	size_t len;

	do {
		len = strcspn(name, "/");
		/* "", ".", ".." */
		if (len <= 2 && strspn(name, ".") == len)
			return false;
		name += len;
	} while (*name++);
	return true;
}

static int open_below(const char *base, const char *name, bool make)
{
	int fd = descend(open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC), base, make);

	return descend(fd, name, make);
}

static int own(int fd, enum exec_dir kind, mode_t mode, const struct cred *cred)
{
	uid_t uid = cred->set_uid ? cred->uid : geteuid();
	gid_t gid = cred->set_gid ? cred->gid : getegid();
	struct stat st;

	if (fstat(fd, &st))
		return -1;
	/* Its configuration is not a service's own. */
	if (kind != DIR_CONFIGURATION && (st.st_uid != uid || st.st_gid != gid) &&
	    fchown(fd, uid, gid))
		return -1;
	return (st.st_mode & 07777) == mode ? 0 : fchmod(fd, mode);
}

/* Beside it, so that what is written in it can be short. */
static int make_link(const char *base, const char *name, const char *link)
{
	const char *slash = strrchr(link, '/');
	char *above = xasprintf("%.*s", slash ? (int)(slash - link) : 0, link);
	char *target = xasprintf("%s/%s", base, name);
	int fd = open_below(base, above, true);
	int err = fd < 0 ? -1 : symlinkat(target, fd, slash ? slash + 1 : link);

	if (err && fd >= 0 && errno == EEXIST)
		err = 0;
	close_quietly(fd);
	free(above);
	free(target);
	return err;
}

static int make_one(const char *base, const struct dirs *d, size_t i, enum exec_dir kind,
		    const struct cred *cred)
{
	const char *name = d->names.v[i];
	int fd = name_ok(name) ? open_below(base, name, true) : (errno = EINVAL, -1);
	int err = fd < 0 ? -1 : own(fd, kind, d->mode, cred);

	close_quietly(fd);
	if (!err && d->links && d->links[i])
		err = make_link(base, name, d->links[i]);
	return err;
}

/* Those of one kind, and the variable that names them, with ":" between them. */
static int make_kind(const struct exec_request *rq, enum exec_dir kind, const struct cred *cred,
		     struct strv *env)
{
	const struct dirs *d = rq->ctx->dirs[kind];
	char *base = base_of(kind), *all = NULL;
	int status = 0;

	for (size_t i = 0; i < d->names.nr && !status; i++) {
		char *more = xasprintf("%s%s%s/%s", all ? all : "", all ? ":" : "", base,
				       d->names.v[i]);

		free(all);
		all = more;
		if (!make_one(base, d, i, kind, cred))
			continue;
		log_line("%s: %s=%s: %s", rq->file->name, kinds[kind].key, d->names.v[i],
			 strerror(errno));
		status = kinds[kind].status;
	}
	if (all)
		env_set(env, kinds[kind].variable, all);
	free(all);
	free(base);
	return status;
}

/* Makes those that are not there and says in @env where they are; 0, or an exit status. */
int dirs_make(const struct exec_request *rq, const struct cred *cred, struct strv *env)
{
	int status = 0;

	for (int kind = 0; kind < DIR_KINDS && !status; kind++)
		if (rq->ctx->dirs[kind])
			status = make_kind(rq, kind, cred, env);
	return status;
}

static void remove_in(int dir, const char *name, int depth);

static void empty(int fd, int depth)
{
	DIR *d = fdopendir(fd);
	struct dirent *entry;

	if (!d) {
		close(fd);
		return;
	}
	while ((entry = readdir(d)))
		if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
			remove_in(dirfd(d), entry->d_name, depth);
	closedir(d);
}

/* A file, or a directory with all that is in it. Where something is mounted the kernel says no. */
static void remove_in(int dir, const char *name, int depth)
{
	const struct open_how how = {
		.flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
		.resolve = RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH,
	};
	int fd;

	if (!unlinkat(dir, name, 0) || (errno != EISDIR && errno != EPERM) || depth >= DEPTH_MAX)
		return;
	fd = syscall(SYS_openat2, dir, name, &how, sizeof(how));
	if (fd >= 0)
		empty(fd, depth + 1);
	unlinkat(dir, name, AT_REMOVEDIR);
}

static void remove_one(const char *base, const char *name)
{
	const char *slash = strrchr(name, '/');
	char *above = xasprintf("%.*s", slash ? (int)(slash - name) : 0, name);
	int fd = name_ok(name) ? open_below(base, above, false) : -1;

	if (fd >= 0)
		remove_in(fd, slash ? slash + 1 : name, 0);
	close_quietly(fd);
	free(above);
}

/* RuntimeDirectory= goes with the service; the others stay. */
void dirs_remove(const struct exec_context *ctx)
{
	const struct dirs *d = ctx->dirs[DIR_RUNTIME];
	char *base = d ? base_of(DIR_RUNTIME) : NULL;

	for (size_t i = 0; d && i < d->names.nr; i++) {
		remove_one(base, d->names.v[i]);
		if (d->links && d->links[i])
			remove_one(base, d->links[i]);
	}
	free(base);
}
