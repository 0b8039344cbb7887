// SPDX-License-Identifier: GPL-2.0-only
/* Conditions that are about a path: see condition.c; and mounts that are required. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <mntent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "private.h"

int path_exists(const char *path)
{
	return !access(path, F_OK);
}

int path_exists_glob(const char *pattern)
{
	glob_t g;
	int found = !glob(pattern, GLOB_NOSORT, NULL, &g);

	if (found)
		globfree(&g);
	return found;
}

int path_is_directory(const char *path)
{
	struct stat st;

	return !stat(path, &st) && S_ISDIR(st.st_mode);
}

int path_is_symbolic_link(const char *path)
{
	struct stat st;

	return !lstat(path, &st) && S_ISLNK(st.st_mode);
}

int path_is_mount_point(const char *path)
{
	struct statx st;

	return !statx(AT_FDCWD, path, 0, STATX_TYPE, &st) &&
	       st.stx_attributes & STATX_ATTR_MOUNT_ROOT;
}

int path_is_read_write(const char *path)
{
	struct statvfs st;

	return !statvfs(path, &st) && !(st.f_flag & ST_RDONLY);
}

/* Is the block device one of dm-crypt's, or on such a one? */
static bool encrypted(const char *sysfs, int depth)
{
	size_t len;
	char *path = xasprintf("%s/dm/uuid", sysfs), *uuid = file_text(AT_FDCWD, path, &len);
	bool found = uuid && !strncmp(uuid, "CRYPT-", 6);
	struct dirent *entry;
	DIR *d;

	free(uuid);
	free(path);
	path = xasprintf("%s/slaves", sysfs);
	d = found || depth > 8 ? NULL : opendir(path);
	while (d && !found && (entry = readdir(d))) {
		char *below = xasprintf("%s/%s", path, entry->d_name);

		found = *entry->d_name != '.' && encrypted(below, depth + 1);
		free(below);
	}
	if (d)
		closedir(d);
	free(path);
	return found;
}

int path_is_encrypted(const char *path)
{
	struct stat st;
	char *sysfs;
	int yes;

	if (stat(path, &st))
		return 0;
	sysfs = xasprintf("/sys/dev/block/%u:%u", major(st.st_dev), minor(st.st_dev));
	yes = encrypted(sysfs, 0);
	free(sysfs);
	return yes;
}

/* Nor does systemd count what is hidden, or an editor's copy. */
static bool counts(const char *name)
{
	return *name != '.' && name[strlen(name) - 1] != '~';
}

int directory_not_empty(const char *path)
{
	DIR *d = opendir(path);
	struct dirent *entry;
	int found = 0;

	if (!d)
		return errno != ENOENT && errno != ENOTDIR ? -1 : 0;
	while (!found && (entry = readdir(d)))
		found = counts(entry->d_name);
	closedir(d);
	return found;
}

int file_not_empty(const char *path)
{
	struct stat st;

	return !stat(path, &st) && S_ISREG(st.st_mode) && st.st_size > 0;
}

int file_is_executable(const char *path)
{
	struct stat st;

	return !stat(path, &st) && S_ISREG(st.st_mode) && st.st_mode & 0111;
}

/* Is one of the paths of RequiresMountsFor= @dir, or below it? */
static bool is_needed(const struct unit_file *f, const char *dir)
{
	size_t len = strlen(dir);

	for (size_t i = 0; i < f->mounts_for.nr; i++)
		if (!strncmp(f->mounts_for.v[i], dir, len) &&
		    strchr("/", f->mounts_for.v[i][len]))
			return true;
	return false;
}

/* See unit_load.h. */
char *unit_missing_mount(const struct unit_file *f)
{
	FILE *tab = f->mounts_for.nr ? setmntent("/etc/fstab", "re") : NULL;
	struct mntent *m;
	char *missing = NULL;

	while (tab && !missing && (m = getmntent(tab)))
		if (*m->mnt_dir == '/' && m->mnt_dir[1] && is_needed(f, m->mnt_dir) &&
		    !path_is_mount_point(m->mnt_dir))
			missing = xstrdup(m->mnt_dir);
	if (tab)
		endmntent(tab);
	return missing;
}
