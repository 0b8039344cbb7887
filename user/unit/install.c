// SPDX-License-Identifier: GPL-2.0-only
/*
 * Links that [Install] asks for: enable, disable, mask, as systemctl(1) makes them, so that either
 * may follow the other.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "private.h"
#include "unit_install.h"

static void complain(struct install_run *run, const char *what, const char *why)
{
	say(&run->dirs->opt, SAY_ERROR, what, 0, "%s", why);
}

static void tell(struct install_run *run, const char *link, const char *target, int error)
{
	struct install_change change = { .link = link, .target = target, .error = error };

	run->changes += !error;
	if (run->changed)
		run->changed(run->arg, &change);
}

/* Where links are made, without the root. */
static const char *link_dir(const struct install_run *run)
{
	const struct strv *dirs = &run->dirs->dirs;
	size_t which = run->flags & INSTALL_RUNTIME && dirs->nr > 1 ? 1 : 0;

	return dirs->nr ? dirs->v[which] : "/etc/knell/system";
}

/* All directories above the last "/". */
static int make_parents(const char *path)
{
	char *copy = xstrdup(path);
	int ret = 0;

	for (char *s = strchr(copy + 1, '/'); s && !ret; s = strchr(s + 1, '/')) {
		*s = '\0';
		if (mkdir(copy, 0755) < 0 && errno != EEXIST)
			ret = -errno;
		*s = '/';
	}
	free(copy);
	return ret;
}

/* What the link at @path (below the root) says; NULL: it is none. To be freed. */
static char *link_target(const char *path)
{
	char target[PATH_MAX];
	ssize_t len = readlink(path, target, sizeof(target) - 1);

	return len < 0 ? NULL : xasprintf("%.*s", (int)len, target);
}

/* @target of a link in the directory of @path as a path without the root. To be freed. */
static char *absolute_target(const char *path, const char *target)
{
	char *full;

	if (*target == '/')
		full = xstrdup(target);
	else
		full = xasprintf("%.*s/%s", (int)(strrchr(path, '/') - path), path, target);
	/* "a/../b" is "b", as far as names go. */
	for (char *up; (up = strstr(full, "/../"));) {
		char *before = up;

		while (before > full && before[-1] != '/')
			before--;
		if (before == full)
			before = full + 1;
		memmove(before, up + 4, strlen(up + 4) + 1);
	}
	simplify_path(full);
	return full;
}

static bool same_target(const char *path, const char *old, const char *target)
{
	char *full = absolute_target(path, old);
	bool same = !strcmp(full, target);

	free(full);
	return same;
}

/* A link at @path, without the root, to @target; one that says so already is no change. */
static int make_link(struct install_run *run, const char *path, const char *target, bool force)
{
	char *full = rooted(run->dirs, path), *old = link_target(full), *fresh;
	int ret = 0;

	if (old && same_target(path, old, target))
		goto out;
	ret = make_parents(full);
	if (!ret && !old && symlink(target, full) < 0)
		ret = -errno;
	if (!ret && old && !force)
		ret = -EEXIST;
	if (!ret && old) {
		/* At no time is there none. */
		fresh = xasprintf("%s.knell-new", full);
		unlink(fresh);
		if (symlink(target, fresh) < 0 || rename(fresh, full) < 0)
			ret = -errno;
		free(fresh);
	}
	tell(run, full, target, -ret);
	if (ret)
		complain(run, full, ret == -EEXIST ? "there is something of that name already" :
			 strerror(-ret));
out:
	free(old);
	free(full);
	return ret;
}

/* A unit to be enabled. */
struct target {
	char *name;
	char *path;		/* of its file, without the root */
	struct unit_file *f;
};

/* Finds the file of @name, which must be its own: an alias is no name to enable a unit by. */
static int find(struct install_run *run, const char *name, struct target *t)
{
	struct unit_dirs *d = run->dirs;
	const struct entry *e = entry_find(d, name);
	char *template = e ? NULL : unit_name_template(name);

	if (template)
		e = entry_find(d, template);
	free(template);
	if (!e || e->kind != ENTRY_FILE) {
		complain(run, name, !e ? "no such unit" : e->kind == ENTRY_MASK ? "is masked" :
			 e->kind == ENTRY_ALIAS ? "an alias; the unit's own name is wanted" :
			 "a link that leads back to itself");
		return !e ? -ENOENT : e->kind == ENTRY_MASK ? -ERFKILL : -ELOOP;
	}
	t->name = xstrdup(name);
	t->path = xasprintf("%s/%s", d->dirs.v[e->dir], e->name);
	if (e->target) {
		char *at = t->path;

		t->path = absolute_target(at, e->target);
		free(at);
	}
	t->f = unit_read_install(d, e, t->name);
	if (t->f)
		return 0;
	free(t->name);
	free(t->path);
	complain(run, name, "is masked");
	return -ERFKILL;
}

static void free_target(struct target *t)
{
	unit_file_free(t->f);
	free(t->name);
	free(t->path);
}

static int link_wants(struct install_run *run, const struct target *t, const struct strv *list,
		      const char *suffix)
{
	char *name = install_name(t->name, t->f), *path;
	int ret = 0, err;

	for (size_t i = 0; i < list->nr; i++) {
		const char *by = list->v[i];

		if (unit_name_is_template(name) && !strchr(by, '@')) {
			complain(run, t->name, "a template without DefaultInstance= can only be "
				 "wanted by a template");
			ret = ret ? ret : -EIDRM;
			continue;
		}
		path = xasprintf("%s/%s%s/%s", link_dir(run), by, suffix, name);
		err = make_link(run, path, t->path, true);
		ret = ret ? ret : err;
		free(path);
	}
	free(name);
	return ret;
}

/* As unit_file_verify_alias() has it: the same suffix, and both templates or none. */
static char *alias_name(const struct target *t, const char *alias)
{
	const char *suffix = strrchr(t->name, '.'), *other = strrchr(alias, '.');
	bool template = unit_name_is_template(t->name), instance = unit_name_is_instance(t->name);
	char *name = NULL;

	if (strcmp(suffix, other) || !strcmp(alias, t->name))
		return NULL;
	if (unit_name_is_template(alias) && instance)
		name = unit_name_instantiate(alias, t->f->instance);
	else if (unit_name_is_instance(alias) ? instance || template :
						unit_name_is_template(alias) == template)
		name = xstrdup(alias);
	return name;
}

static int link_aliases(struct install_run *run, const struct target *t)
{
	int ret = 0, err;

	for (size_t i = 0; i < t->f->install->alias.nr; i++) {
		char *name = alias_name(t, t->f->install->alias.v[i]), *path;

		if (!name && !strcmp(t->f->install->alias.v[i], t->name))
			continue;
		if (!name) {
			complain(run, t->name, "Alias=: not a name that it may have");
			ret = ret ? ret : -EXDEV;
			continue;
		}
		path = xasprintf("%s/%s", link_dir(run), name);
		err = make_link(run, path, t->path, run->flags & INSTALL_FORCE);
		ret = ret ? ret : err;
		free(path);
		free(name);
	}
	return ret;
}

/* Units that are to be dealt with, each once. */
static void add_name(struct strv *names, const char *name)
{
	for (size_t i = 0; i < names->nr; i++)
		if (!strcmp(names->v[i], name))
			return;
	strv_add(names, xstrdup(name));
}

static void add_also(struct strv *names, const struct unit_file *f)
{
	for (size_t i = 0; f->install && i < f->install->also.nr; i++)
		add_name(names, f->install->also.v[i]);
}

static int enable_one(struct install_run *run, struct strv *names, const char *name)
{
	const struct install *in;
	struct target t = { 0 };
	int ret, err;

	ret = find(run, name, &t);
	if (ret)
		return ret;
	in = t.f->install;
	if (in) {
		run->carried += install_has_rules(in) || in->also.nr;
		ret = link_aliases(run, &t);
		err = link_wants(run, &t, &in->wanted_by, ".wants");
		ret = ret ? ret : err;
		err = link_wants(run, &t, &in->required_by, ".requires");
		ret = ret ? ret : err;
		err = link_wants(run, &t, &in->upheld_by, ".upholds");
		ret = ret ? ret : err;
		add_also(names, t.f);
	}
	free_target(&t);
	return ret;
}

/* A unit file elsewhere: a link to it in the search path, which is opened anew. */
static int link_path(struct install_run *run, const char *path, char **name)
{
	const char *last = strrchr(path, '/') + 1;
	char *full = absolute_target("/x", path), *link, *file = rooted(run->dirs, full);
	struct stat st;
	int ret;

	*name = xstrdup(last);
	for (size_t i = 0; i < run->dirs->dirs.nr; i++) {
		size_t len = strlen(run->dirs->dirs.v[i]);

		if (!strncmp(full, run->dirs->dirs.v[i], len) && full[len] == '/' &&
		    !strchr(full + len + 1, '/')) {
			free(full);
			free(file);
			return 0;
		}
	}
	if (!unit_name_ok(last))
		ret = -EINVAL;
	else if (stat(file, &st) < 0)
		ret = -errno;
	else
		ret = S_ISREG(st.st_mode) ? 0 : -EINVAL;
	if (ret) {
		complain(run, path, ret == -EINVAL ? "not a unit file" : strerror(-ret));
	} else {
		link = xasprintf("%s/%s", link_dir(run), last);
		ret = make_link(run, link, full, run->flags & INSTALL_FORCE);
		free(link);
	}
	free(full);
	free(file);
	return ret;
}

/* Links @names that are paths, and makes names of them. */
static int link_paths(struct install_run *run, const struct strv *names, struct strv *all)
{
	struct unit_options opt = run->dirs->opt;
	size_t before = run->changes;
	int ret = 0, err;
	char *name;

	for (size_t i = 0; i < names->nr; i++) {
		if (!strchr(names->v[i], '/')) {
			add_name(all, names->v[i]);
			continue;
		}
		err = link_path(run, names->v[i], &name);
		ret = ret ? ret : err;
		if (!err)
			add_name(all, name);
		free(name);
	}
	if (run->changes == before)
		return ret;
	opt.dirs = run->dirs->dirs;
	unit_dirs_reopen(run->dirs, &opt);
	return ret;
}

int unit_enable(struct install_run *run, const struct strv *names)
{
	struct strv all = { 0 };
	int ret, err;

	run->changes = run->carried = 0;
	ret = link_paths(run, names, &all);
	/* Also= adds to them. */
	for (size_t i = 0; i < all.nr; i++) {
		if (unit_name_ok(all.v[i])) {
			err = enable_one(run, &all, all.v[i]);
			/* Of what was not asked for itself. */
			if (err == -ERFKILL && i >= names->nr)
				err = 0;
		} else {
			complain(run, all.v[i], "not the name of a unit");
			err = -EINVAL;
		}
		ret = ret ? ret : err;
	}
	strv_free(&all);
	return ret;
}

/* Removal: links by these names, or to these files, and then links to what was removed. */
struct removal {
	struct install_run *run;
	struct strv marked;	/* names, and paths of links without the root */
	const char *dir;	/* without the root, of those that are looked at now */
	bool below;		/* it is one in the directory of links */
	bool again;
};

static bool is_marked(const struct removal *r, const char *s)
{
	for (size_t i = 0; i < r->marked.nr; i++)
		if (!strcmp(r->marked.v[i], s))
			return true;
	return false;
}

static bool name_is_marked(const struct removal *r, const char *name)
{
	char *template = unit_name_template(name);
	bool found = is_marked(r, name) || (template && is_marked(r, template));

	free(template);
	return found;
}

static int take_link(void *arg, int dirfd, const char *name)
{
	struct removal *r = arg;
	char *path = xasprintf("%s/%s", r->dir, name), *full = rooted(r->run->dirs, path);
	char *old = unit_name_ok(name) ? link_target(full) : NULL, *target = NULL;
	bool found = false;

	if (old) {
		target = absolute_target(path, old);
		found = name_is_marked(r, name) || is_marked(r, target) ||
			is_marked(r, strrchr(target, '/') + 1);
	}
	/* A mask is not what made it start. */
	if (found && strcmp(old, "/dev/null")) {
		int error = unlinkat(dirfd, name, 0) < 0 ? errno : 0;

		tell(r->run, full, NULL, error);
		if (!error) {
			add_name(&r->marked, path);
			r->again = true;
		}
	}
	free(old);
	free(target);
	free(path);
	free(full);
	return 0;
}

static void remove_in(struct removal *r, const char *dir)
{
	char *full = rooted(r->run->dirs, dir);

	r->dir = dir;
	scan_names(full, take_link, r);
	free(full);
}

static int take_subdir(void *arg, int dirfd, const char *name)
{
	struct strv *dirs = arg;
	struct stat st;

	if (!fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) && S_ISDIR(st.st_mode))
		strv_add(dirs, xstrdup(name));
	return 0;
}

/* Until nothing more is found, as links may be to links. */
static void remove_links(struct removal *r, const char *dir)
{
	char *full = rooted(r->run->dirs, dir), *path;
	struct strv subdirs = { 0 };

	scan_names(full, take_subdir, &subdirs);
	do {
		r->again = false;
		remove_in(r, dir);
		for (size_t i = 0; i < subdirs.nr; i++) {
			path = xasprintf("%s/%s", dir, subdirs.v[i]);
			remove_in(r, path);
			free(path);
		}
	} while (r->again);
	for (size_t i = 0; r->run->changes && i < subdirs.nr; i++) {
		path = xasprintf("%s/%s", full, subdirs.v[i]);
		/* Only if there is nothing in it. */
		rmdir(path);
		free(path);
	}
	strv_free(&subdirs);
	free(full);
}

/* The names that are disabled with @name: Also=, and the file's own if it is another. */
static void mark(struct removal *r, struct strv *names, const char *name)
{
	struct unit_dirs *d = r->run->dirs;
	const struct entry *e;
	struct unit_file *f;
	char *final;

	e = resolve(d, name, &final);
	/* Without a file what is left of it is removed all the same. */
	if (!e || e->kind != ENTRY_MASK)
		add_name(&r->marked, name);
	if (e && e->kind == ENTRY_FILE) {
		add_name(&r->marked, final);
		f = unit_read_install(d, e, final);
		if (f)
			add_also(names, f);
		unit_file_free(f);
	}
	free(final);
}

static bool exists_or_linked(struct install_run *run, const char *name)
{
	char *final;
	bool found = resolve(run->dirs, name, &final);

	free(final);
	return found;
}

int unit_disable(struct install_run *run, const struct strv *names)
{
	struct removal r = { .run = run };
	struct strv all = { 0 };
	int ret = 0;

	run->changes = run->carried = 0;
	for (size_t i = 0; i < names->nr; i++) {
		const char *slash = strrchr(names->v[i], '/');

		add_name(&all, slash ? slash + 1 : names->v[i]);
	}
	for (size_t i = 0; i < all.nr; i++) {
		if (!unit_name_ok(all.v[i])) {
			complain(run, all.v[i], "not the name of a unit");
			ret = -EINVAL;
			continue;
		}
		if (!exists_or_linked(run, all.v[i])) {
			complain(run, all.v[i], "no such unit");
			ret = ret ? ret : -ENOENT;
		}
		mark(&r, &all, all.v[i]);
	}
	if (ret != -EINVAL)
		remove_links(&r, link_dir(run));
	strv_free(&all);
	strv_free(&r.marked);
	return ret;
}

/* What a name stands for that may itself be a link that disabling takes away. */
static char *lasting_name(const struct unit_dirs *d, const char *name)
{
	char *final, *path, *at;
	const struct entry *e;

	if (!unit_name_ok(name))
		return xstrdup(name);
	e = resolve(d, name, &final);
	if (!e || !e->target || e->kind != ENTRY_FILE)
		return final;
	at = xasprintf("%s/%s", d->dirs.v[e->dir], e->name);
	path = absolute_target(at, e->target);
	free(at);
	free(final);
	return path;
}

int unit_reenable(struct install_run *run, const struct strv *names)
{
	struct unit_options opt = run->dirs->opt;
	struct strv lasting = { 0 };
	size_t changes;
	int ret;

	for (size_t i = 0; i < names->nr; i++)
		strv_add(&lasting, lasting_name(run->dirs, names->v[i]));
	ret = unit_disable(run, names);
	changes = run->changes;
	if (!ret) {
		opt.dirs = run->dirs->dirs;
		unit_dirs_reopen(run->dirs, &opt);
		ret = unit_enable(run, &lasting);
		run->changes += changes;
	}
	strv_free(&lasting);
	return ret;
}

int unit_mask(struct install_run *run, const struct strv *names)
{
	int ret = 0, err;

	run->changes = run->carried = 0;
	for (size_t i = 0; i < names->nr; i++) {
		char *path;

		if (!unit_name_ok(names->v[i])) {
			complain(run, names->v[i], "not the name of a unit");
			ret = ret ? ret : -EINVAL;
			continue;
		}
		if (!exists_or_linked(run, names->v[i]))
			say(&run->dirs->opt, SAY_WARNING, names->v[i], 0,
			    "no such unit, masked all the same");
		path = xasprintf("%s/%s", link_dir(run), names->v[i]);
		err = make_link(run, path, "/dev/null", run->flags & INSTALL_FORCE);
		ret = ret ? ret : err;
		free(path);
	}
	return ret;
}

int unit_unmask(struct install_run *run, const struct strv *names)
{
	int ret = 0;

	run->changes = run->carried = 0;
	for (size_t i = 0; i < names->nr; i++) {
		char *path, *full, *target;

		if (!unit_name_ok(names->v[i])) {
			complain(run, names->v[i], "not the name of a unit");
			ret = ret ? ret : -EINVAL;
			continue;
		}
		path = xasprintf("%s/%s", link_dir(run), names->v[i]);
		full = rooted(run->dirs, path);
		target = link_target(full);
		if (target && is_null(AT_FDCWD, full)) {
			int error = unlink(full) < 0 ? errno : 0;

			tell(run, full, NULL, error);
			ret = ret ? ret : -error;
		}
		free(target);
		free(full);
		free(path);
	}
	return ret;
}
