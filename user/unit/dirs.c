// SPDX-License-Identifier: GPL-2.0-only
/* The search path: what is in its directories, and which names stand for others. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "private.h"

#define HOPS_MAX	32	/* aliases of aliases */

static void add_dir(struct strv *dirs, const char *dir)
{
	strv_add(dirs, xstrdup(dir));
}

static void user_dirs(struct strv *dirs, bool compat)
{
	static const char *const names[] = { "knell", "systemd" };
	const char *home = getenv("HOME"), *config = getenv("XDG_CONFIG_HOME");
	const char *run = getenv("XDG_RUNTIME_DIR");

	for (int i = 0; i <= compat; i++) {
		if (config && *config == '/')
			strv_add(dirs, xasprintf("%s/%s/user", config, names[i]));
		else if (home && *home == '/')
			strv_add(dirs, xasprintf("%s/.config/%s/user", home, names[i]));
		strv_add(dirs, xasprintf("/etc/%s/user", names[i]));
		if (run && *run == '/')
			strv_add(dirs, xasprintf("%s/%s/user", run, names[i]));
		strv_add(dirs, xasprintf("/run/%s/user", names[i]));
		strv_add(dirs, xasprintf("/usr/lib/%s/user", names[i]));
	}
}

void unit_default_dirs(struct strv *dirs, bool user, bool compat)
{
	static const char *const ours[] = {
		"/etc/knell/system", "/run/knell/system", "/usr/lib/knell/system",
	};
	static const char *const theirs[] = {
		"/etc/reach/system", "/etc/systemd/system", "/run/systemd/system",
		"/usr/lib/systemd/system", "/lib/systemd/system",
	};

	if (user) {
		user_dirs(dirs, compat);
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(ours); i++)
		add_dir(dirs, ours[i]);
	for (size_t i = 0; compat && i < ARRAY_SIZE(theirs); i++)
		add_dir(dirs, theirs[i]);
}

/* To be freed. */
char *rooted(const struct unit_dirs *d, const char *path)
{
	return xasprintf("%s%s", d->opt.root ? d->opt.root : "", path);
}

/*
 * Calls @take for every name in the directory, until it returns something. -errno; -E2BIG if
 * there are too many, after @take saw what it did see.
 */
int scan_names(const char *path, int (*take)(void *arg, int dirfd, const char *name), void *arg)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK), ret = 0;
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	size_t nr = 0;
	struct dirent *e;

	if (!dir) {
		ret = -errno;
		if (fd >= 0)
			close(fd);
		return ret;
	}
	while (!ret && (errno = 0, e = readdir(dir))) {
		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			continue;
		ret = ++nr > DIR_ENTRIES_MAX ? -E2BIG : take(arg, fd, e->d_name);
	}
	if (!ret && !e)
		ret = -errno;
	closedir(dir);
	return ret;
}

/* A link to /dev/null, or an empty file: what masks. */
bool is_null(int dirfd, const char *name)
{
	struct stat st;

	if (fstatat(dirfd, name, &st, 0) < 0)
		return false;
	if (S_ISREG(st.st_mode))
		return !st.st_size;
	return S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3);
}

struct scan {
	struct unit_dirs *d;
	uint16_t dir;
	const char *path;
};

static void add_entry(struct scan *s, const char *name, enum entry_kind kind, const char *target,
		      const char *other)
{
	struct unit_dirs *d = s->d;

	d->entries = xgrow(d->entries, d->nr, sizeof(*d->entries));
	d->entries[d->nr++] = (struct entry){
		.name = arena_str(&d->arena, name), .kind = kind, .dir = s->dir,
		.target = target ? arena_str(&d->arena, target) : NULL,
		.other = other ? arena_str(&d->arena, other) : NULL,
	};
}

/* Is the directory that @target is in one of the search path? */
static bool is_within(const struct unit_dirs *d, int dirfd, const char *target)
{
	const char *slash = strrchr(target, '/');
	char *parent, *path;
	struct stat st;
	int ret;

	if (!slash)
		return true;
	parent = slash == target ? xstrdup("/") : xasprintf("%.*s", (int)(slash - target), target);
	for (size_t i = 0; i < d->dirs.nr; i++) {
		if (strcmp(parent, d->dirs.v[i]))
			continue;
		free(parent);
		return true;
	}
	path = *parent == '/' ? rooted(d, parent) : xstrdup(parent);
	ret = fstatat(dirfd, path, &st, 0);
	free(parent);
	free(path);
	for (size_t i = 0; !ret && i < d->dirs.nr; i++)
		if (d->ids[i].dev == st.st_dev && d->ids[i].ino == st.st_ino)
			return true;
	return false;
}

/* May a unit called @alias be the same as @name? */
static bool may_be_alias(const char *alias, const char *name)
{
	const char *suffix = strrchr(alias, '.'), *other = strrchr(name, '.');

	if (!unit_name_ok(name) || strcmp(suffix, other))
		return false;
	if (unit_name_is_template(alias) || unit_name_is_template(name))
		return strchr(alias, '@') && unit_name_is_template(name);
	return true;
}

static void add_link(struct scan *s, int dirfd, const char *name, const char *target)
{
	const char *slash = strrchr(target, '/'), *last = slash ? slash + 1 : target;

	if (!strcmp(target, "/dev/null") || is_null(dirfd, name))
		add_entry(s, name, ENTRY_MASK, target, NULL);
	else if (!is_within(s->d, dirfd, target))
		add_entry(s, name, ENTRY_FILE, target, NULL);
	else if (may_be_alias(name, last))
		add_entry(s, name, ENTRY_ALIAS, target, last);
	else
		say(&s->d->opt, SAY_WARNING, s->path, 0,
		    "%s: a link to %s, which is no name for it; ignored", name, last);
}

static bool is_of_dir(const char *name)
{
	static const char *const suffixes[] = { ".d", ".wants", ".requires", ".upholds" };
	const char *dot = strrchr(name, '.');

	for (size_t i = 0; dot && i < ARRAY_SIZE(suffixes); i++)
		if (!strcmp(dot, suffixes[i]))
			return true;
	return false;
}

static int take_name(void *arg, int dirfd, const char *name)
{
	char target[PATH_MAX];
	struct scan *s = arg;
	ssize_t len;

	if (is_of_dir(name)) {
		add_entry(s, name, ENTRY_DIR, NULL, NULL);
		return 0;
	}
	if (!unit_name_ok(name))
		return 0;
	len = readlinkat(dirfd, name, target, sizeof(target) - 1);
	if (len < 0) {
		add_entry(s, name, ENTRY_FILE, NULL, NULL);
		return 0;
	}
	target[len] = '\0';
	add_link(s, dirfd, name, target);
	return 0;
}

static int by_name(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	int diff = strcmp(x->name, y->name);

	return diff ? diff : x->dir - y->dir;
}

/* Where @name is in the order, or would be. */
static size_t position(const struct unit_dirs *d, const char *name, size_t dir)
{
	size_t low = 0, high = d->nr;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		int diff = strcmp(d->entries[mid].name, name);

		if (diff < 0 || (!diff && d->entries[mid].dir < dir))
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* The first in the search path that has this name. */
const struct entry *entry_find(const struct unit_dirs *d, const char *name)
{
	size_t i = position(d, name, 0);

	return i < d->nr && !strcmp(d->entries[i].name, name) ? &d->entries[i] : NULL;
}

/* The one in that directory. */
const struct entry *entry_at(const struct unit_dirs *d, const char *name, size_t dir)
{
	size_t i = position(d, name, dir);

	return i < d->nr && !strcmp(d->entries[i].name, name) && d->entries[i].dir == dir ?
	       &d->entries[i] : NULL;
}

/* To be freed, below the root. */
char *entry_path(const struct unit_dirs *d, const struct entry *e)
{
	char *dir = rooted(d, d->dirs.v[e->dir]), *path = xasprintf("%s/%s", dir, e->name);

	free(dir);
	return path;
}

/* The entry for @name or for its template. */
static const struct entry *find_either(const struct unit_dirs *d, const char *name)
{
	const struct entry *e = entry_find(d, name);
	char *template = e ? NULL : unit_name_template(name);

	if (template)
		e = entry_find(d, template);
	free(template);
	return e;
}

/*
 * What @name is in the end: an entry that is no alias, or one that is in a loop; NULL if there is
 * none. *@final is the name that is loaded, to be freed.
 */
const struct entry *resolve(const struct unit_dirs *d, const char *name, char **final)
{
	const struct entry *e = NULL;
	char *next, *instance;

	*final = xstrdup(name);
	for (int hops = 0; hops < HOPS_MAX; hops++) {
		e = find_either(d, *final);
		if (!e || e->kind != ENTRY_ALIAS)
			return e;
		next = NULL;
		if (unit_name_is_template(e->other) && unit_name_is_instance(*final)) {
			instance = strchr(*final, '@') + 1;
			instance = xasprintf("%.*s", (int)(strrchr(instance, '.') - instance),
					     instance);
			next = unit_name_instantiate(e->other, instance);
			free(instance);
		}
		free(*final);
		*final = next ? next : xstrdup(e->other);
	}
	return e;
}

/* Lets each alias know what it is for in the end. */
static void follow_aliases(struct unit_dirs *d)
{
	for (size_t i = 0; i < d->nr; i++) {
		const struct entry *e = &d->entries[i];
		int hops = 0;

		if (e->kind != ENTRY_ALIAS)
			continue;
		while (e && e->kind == ENTRY_ALIAS && hops++ < HOPS_MAX) {
			d->entries[i].other = e->other;
			e = entry_find(d, e->other);
		}
		if (hops > HOPS_MAX || (e && e->kind == ENTRY_LOOP))
			d->entries[i].kind = ENTRY_LOOP;
	}
}

/* Not there is no error. */
static void say_unread(struct unit_dirs *d, const char *path, int err)
{
	if (err != ENOENT && err != ENOTDIR)
		say(&d->opt, SAY_ERROR, path, 0, "cannot be read: %s", strerror(err));
}

static void scan_dir(struct unit_dirs *d, size_t dir)
{
	char *path = rooted(d, d->dirs.v[dir]);
	struct scan s = { .d = d, .dir = dir, .path = path };
	size_t before = d->nr;
	int ret = scan_names(path, take_name, &s);

	if (ret == -E2BIG) {
		d->nr = before;
		say(&d->opt, SAY_ERROR, path, 0, "more than %u names; nothing of it is used",
		    DIR_ENTRIES_MAX);
	} else if (ret < 0) {
		say_unread(d, path, -ret);
	}
	free(path);
}

static void copy_options(struct unit_dirs *d, const struct unit_options *opt)
{
	d->opt = *opt;
	d->opt.root = opt->root && strcmp(opt->root, "/") ? arena_str(&d->arena, opt->root) : NULL;
	for (size_t i = 0; i < opt->dirs.nr && i < UINT16_MAX; i++) {
		char *copy = xstrdup(opt->dirs.v[i]);

		simplify_path(copy);
		strv_add(&d->dirs, copy);
	}
	if (!opt->dirs.nr)
		unit_default_dirs(&d->dirs, opt->user, opt->compat);
	d->opt.dirs = (struct strv){ 0 };
}

/* The same directory twice, as /lib may be /usr/lib: what is in it counts once. */
static bool is_seen(const struct unit_dirs *d, size_t dir)
{
	for (size_t i = 0; i < dir; i++)
		if (d->ids[i].dev == d->ids[dir].dev && d->ids[i].ino == d->ids[dir].ino)
			return true;
	return false;
}

static void open_dirs(struct unit_dirs *d, const struct unit_options *opt)
{
	struct stat st;

	copy_options(d, opt);
	d->ids = xcalloc(d->dirs.nr, sizeof(*d->ids));
	for (size_t i = 0; i < d->dirs.nr; i++) {
		char *path = rooted(d, d->dirs.v[i]);

		if (stat(path, &st) < 0)
			say_unread(d, path, errno);
		else
			d->ids[i] = (struct dir_id){ .dev = st.st_dev, .ino = st.st_ino };
		free(path);
	}
	for (size_t i = 0; i < d->dirs.nr; i++)
		if (d->ids[i].ino && !is_seen(d, i))
			scan_dir(d, i);
	if (d->nr)
		qsort(d->entries, d->nr, sizeof(*d->entries), by_name);
	follow_aliases(d);
}

static void close_dirs(struct unit_dirs *d)
{
	machine_free(d->machine);
	arena_free(&d->arena);
	strv_free(&d->dirs);
	free(d->entries);
	free(d->ids);
}

struct unit_dirs *unit_dirs_open(const struct unit_options *opt)
{
	struct unit_dirs *d = xcalloc(1, sizeof(*d));

	open_dirs(d, opt);
	return d;
}

/* After something in them has changed; @opt may be of @d itself. */
void unit_dirs_reopen(struct unit_dirs *d, const struct unit_options *opt)
{
	struct unit_dirs fresh = { 0 };

	open_dirs(&fresh, opt);
	close_dirs(d);
	*d = fresh;
}

void unit_dirs_close(struct unit_dirs *d)
{
	if (!d)
		return;
	close_dirs(d);
	free(d);
}

void unit_dirs_names(const struct unit_dirs *d, struct strv *names)
{
	for (size_t i = 0; i < d->nr; i++)
		if (d->entries[i].kind != ENTRY_DIR &&
		    (!i || strcmp(d->entries[i - 1].name, d->entries[i].name)))
			strv_add(names, xstrdup(d->entries[i].name));
}

const struct strv *unit_dirs_paths(const struct unit_dirs *d)
{
	return &d->dirs;
}

char *unit_dirs_find(const struct unit_dirs *d, const char *name)
{
	const struct entry *e = unit_name_ok(name) ? find_either(d, name) : NULL;

	return e ? entry_path(d, e) : NULL;
}
