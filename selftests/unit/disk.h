/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Unit files in a directory of the test's own, which is gone after each test, and what was told of
 * those that were loaded.
 */
#ifndef KNELL_UNIT_DISK_H
#define KNELL_UNIT_DISK_H

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "private.h"
#undef ARRAY_SIZE
#include "tap.h"

static char root[] = "/tmp/knell-unit-test.XXXXXX";
static struct unit_dirs *dirs;
static size_t told;
static char last_told[1000], all_told[20000];

static inline void listen_to(void *arg, enum severity severity, const char *file,
			     unsigned int line, const char *text)
{
	(void)arg, (void)severity;
	told++;
	snprintf(last_told, sizeof(last_told), "%s:%u: %s", file, line, text);
	if (strlen(all_told) + strlen(last_told) + 2 < sizeof(all_told))
		strcat(strcat(all_told, last_told), "\n");
}

static inline void make_parents(char *path)
{
	for (char *s = strchr(path + strlen(root) + 1, '/'); s; s = strchr(s + 1, '/')) {
		*s = '\0';
		mkdir(path, 0755);
		*s = '/';
	}
}

static inline char *path_of(const char *name)
{
	char *path = xasprintf("%s/%s", root, name);

	make_parents(path);
	return path;
}

static inline void put(const char *name, const char *text, size_t len)
{
	char *path = path_of(name);
	FILE *f = fopen(path, "we");

	if (!f || fwrite(text, 1, len, f) != len || fclose(f)) {
		perror(path);
		exit(1);
	}
	free(path);
}

static inline void file(const char *name, const char *text)
{
	put(name, text, strlen(text));
}

static inline void link_to(const char *name, const char *target)
{
	char *path = path_of(name);

	if (symlink(target, path) < 0) {
		perror(path);
		exit(1);
	}
	free(path);
}

static inline void remove_all(void)
{
	char *command = xasprintf("rm -rf %s/*", root);

	if (system(command))
		exit(1);
	free(command);
}

/* Directories a, b and c, the first of which counts most; below @root, which is what they are of. */
static inline void reopen(void)
{
	struct unit_options opt = { .say = listen_to, .root = root };

	strv_add(&opt.dirs, xstrdup("/a"));
	strv_add(&opt.dirs, xstrdup("/b"));
	strv_add(&opt.dirs, xstrdup("/c"));
	unit_dirs_close(dirs);
	dirs = unit_dirs_open(&opt);
	strv_free(&opt.dirs);
}

static inline struct unit_file *load(const char *name, enum load expected)
{
	struct unit_file *f;
	enum load ret;

	told = 0;
	*last_told = *all_told = '\0';
	reopen();
	ret = unit_load(dirs, name, &f);
	if (ret != expected)
		bad("%s: %d, not %d; %s", name, ret, expected, last_told);
	return f;
}

static inline void expect(const char *name, const char *description)
{
	struct unit_file *f = load(name, LOAD_OK);

	if (f && strcmp(f->description, description))
		bad("%s: \"%s\", not \"%s\"", name, f->description, description);
	unit_file_free(f);
}

static inline void refused(const char *name, enum load expected, const char *why)
{
	struct unit_file *f = load(name, expected);

	if (why && !strstr(all_told, why))
		bad("%s: told %s, not %s", name, all_told, why);
	unit_file_free(f);
}

#define UNIT(d)	"[Unit]\nDescription=" d "\n"
#define SERVICE	"[Service]\nExecStart=/bin/true\n"

#define RUN(test, name)	(test, remove_all(), tap(name))

static inline int disk_done(void)
{
	unit_dirs_close(dirs);
	rmdir(root);
	return tap_done();
}

#endif
