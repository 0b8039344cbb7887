// SPDX-License-Identifier: GPL-2.0-only
/* File systems go down in the reverse order of their coming. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>

#include "base.h"
#include "pid1.h"

#define ROUNDS_MAX	16	/* one may be in the way of another */

/* Those of the kernel, and what the last breath needs; "/" is made read-only by the caller. */
static bool is_kept(const char *dir)
{
	static const char *const kept[] = { "/proc", "/sys", "/dev", "/run" };

	for (size_t i = 0; i < ARRAY_SIZE(kept); i++) {
		size_t len = strlen(kept[i]);

		if (!strncmp(dir, kept[i], len) && (!dir[len] || dir[len] == '/'))
			return true;
	}
	return !strcmp(dir, "/");
}

/* "\040" is a blank, and so on: in place. */
static void unescape(char *s)
{
	char *out = s;

	for (; *s; s++) {
		unsigned int c;

		if (*s == '\\' && sscanf(s + 1, "%3o", &c) == 1) {
			*out++ = c;
			s += 3;
		} else {
			*out++ = *s;
		}
	}
	*out = '\0';
}

/* The mount points that are to go, as the kernel has them: what is on top comes after. */
static void list(struct strv *dirs)
{
	size_t len;
	char *text = file_text(AT_FDCWD, "/proc/self/mountinfo", &len), *rest = text, *line, *dir;

	while ((line = strsep(&rest, "\n"))) {
		/* ID, parent's ID, device, root in it: the fifth is the mount point. */
		for (int i = 0; i < 4 && line; i++)
			line = strchr(line, ' ') ? strchr(line, ' ') + 1 : NULL;
		if (!line)
			continue;
		dir = xasprintf("%.*s", (int)strcspn(line, " "), line);
		unescape(dir);
		if (is_kept(dir))
			free(dir);
		else
			strv_add(dirs, dir);
	}
	free(text);
}

/* How many are left of those that should go. */
static size_t unmount_round(bool *any)
{
	struct strv dirs = { 0 };
	size_t left = 0;

	*any = false;
	list(&dirs);
	for (size_t i = dirs.nr; i-- > 0;) {
		if (umount2(dirs.v[i], UMOUNT_NOFOLLOW) < 0)
			left++;
		else
			*any = true;
	}
	strv_free(&dirs);
	return left;
}

/* Unmounts what can be; how many could not. */
size_t unmount_all(void)
{
	bool any = true;
	size_t left = 0;

	for (int i = 0; i < ROUNDS_MAX && any; i++)
		left = unmount_round(&any);
	return left;
}
