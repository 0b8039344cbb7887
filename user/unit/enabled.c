// SPDX-License-Identifier: GPL-2.0-only
/* Whether a unit is enabled: which links to it there are, as is-enabled of systemctl(1) has it. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "private.h"
#include "unit_install.h"

/* What is linked: an instance, or with a template its default one; the template if it has none. */
char *install_name(const char *name, const struct unit_file *f)
{
	const char *instance = f->install ? f->install->default_instance : NULL;
	char *full = NULL;

	if (unit_name_is_template(name) && instance)
		full = unit_name_instantiate(name, instance);
	return full ? full : xstrdup(name);
}

bool install_has_rules(const struct install *in)
{
	return in && (in->wanted_by.nr || in->required_by.nr || in->upheld_by.nr || in->alias.nr);
}

static const char *const state_names[UNIT_STATES] = {
	[UNIT_STATE_ENABLED] = "enabled", [UNIT_STATE_ENABLED_RUNTIME] = "enabled-runtime",
	[UNIT_STATE_LINKED] = "linked", [UNIT_STATE_LINKED_RUNTIME] = "linked-runtime",
	[UNIT_STATE_ALIAS] = "alias", [UNIT_STATE_MASKED] = "masked",
	[UNIT_STATE_MASKED_RUNTIME] = "masked-runtime", [UNIT_STATE_STATIC] = "static",
	[UNIT_STATE_DISABLED] = "disabled", [UNIT_STATE_INDIRECT] = "indirect",
	[UNIT_STATE_BAD] = "bad", [UNIT_STATE_NOT_FOUND] = "not-found",
};

const char *unit_state_name(enum unit_state state)
{
	return state < UNIT_STATES ? state_names[state] : NULL;
}

/* Links to a unit in one directory of the search path. */
struct links {
	const struct unit_file *f;
	const char *name, *file;	/* what it is linked as, what its file is called */
	bool instance;			/* that was asked for, not its template */
	bool known;			/* as its [Install] says */
	bool other;			/* by another name */
};

static void look_at(struct links *l, const char *name, const char *target, bool wants)
{
	const char *slash = strrchr(target, '/');
	bool known = wants && !strcmp(name, l->name);

	if (strcmp(slash ? slash + 1 : target, l->file))
		return;
	for (size_t i = 0; l->f->install && i < l->f->install->alias.nr; i++)
		known |= !strcmp(l->f->install->alias.v[i], name) &&
			 !(l->instance && unit_name_is_template(name));
	l->known |= known;
	l->other |= !known && strcmp(name, l->file);
}

static int look_at_wants(void *arg, int dirfd, const char *name)
{
	char target[PATH_MAX];
	ssize_t len = readlinkat(dirfd, name, target, sizeof(target) - 1);

	if (len < 0)
		return 0;
	target[len] = '\0';
	look_at(arg, name, target, true);
	return 0;
}

static void look_in(struct unit_dirs *d, size_t dir, struct links *l)
{
	for (size_t i = 0; i < d->nr; i++) {
		const struct entry *e = &d->entries[i];
		char *path;

		if (e->dir != dir)
			continue;
		if (e->kind == ENTRY_DIR && strcmp(strrchr(e->name, '.'), ".d")) {
			path = entry_path(d, e);
			scan_names(path, look_at_wants, l);
			free(path);
		} else if (e->target) {
			look_at(l, e->name, e->target, false);
		}
	}
}

/* 0: of the administrator, 1: until the next boot, else of packages. */
static size_t place_of(const struct unit_dirs *d, size_t dir)
{
	if (dir < 2)
		return dir;
	if (!strncmp(d->dirs.v[dir], "/etc/", 5))
		return 0;
	return !strncmp(d->dirs.v[dir], "/run/", 5) ? 1 : 2;
}

static enum unit_state state_of(struct unit_dirs *d, const struct entry *e, const char *asked,
				struct unit_file *f)
{
	char *name = install_name(asked, f);
	struct links sum = { 0 }, l;
	enum unit_state state = UNIT_STATES;
	size_t place;

	for (size_t i = 0; i < d->dirs.nr && state == UNIT_STATES; i++) {
		place = place_of(d, i);
		l = (struct links){
			.f = f, .name = name, .file = e->name,
			.instance = unit_name_is_instance(asked),
		};
		look_in(d, i, &l);
		if (l.known && place < 2)
			state = place ? UNIT_STATE_ENABLED_RUNTIME : UNIT_STATE_ENABLED;
		sum.known |= l.known;
		sum.other |= l.other && place < 2 && !unit_name_is_instance(asked);
	}
	free(name);
	if (state != UNIT_STATES)
		return state;
	if (sum.known && unit_name_is_instance(asked))
		return UNIT_STATE_STATIC;
	place = place_of(d, e->dir);
	if (e->target && place < 2)
		return place ? UNIT_STATE_LINKED_RUNTIME : UNIT_STATE_LINKED;
	if (sum.other)
		return UNIT_STATE_INDIRECT;
	if (install_has_rules(f->install))
		return UNIT_STATE_DISABLED;
	return f->install && f->install->also.nr ? UNIT_STATE_INDIRECT : UNIT_STATE_STATIC;
}

enum unit_state unit_is_enabled(struct unit_dirs *d, const char *name)
{
	enum unit_state state = UNIT_STATE_NOT_FOUND;
	struct unit_file *f = NULL;
	const struct entry *e;
	char *final = NULL;

	if (!unit_name_ok(name))
		return state;
	e = resolve(d, name, &final);
	if (e && (e->kind == ENTRY_LOOP || e->kind == ENTRY_ALIAS))
		state = UNIT_STATE_BAD;
	else if (e && e->kind == ENTRY_MASK)
		state = place_of(d, e->dir) == 1 ? UNIT_STATE_MASKED_RUNTIME : UNIT_STATE_MASKED;
	else if (e && strcmp(final, name) && !unit_name_is_instance(final))
		state = UNIT_STATE_ALIAS;
	else if (e)
		f = unit_read_install(d, e, final);
	if (f)
		state = state_of(d, e, final, f);
	else if (state == UNIT_STATE_NOT_FOUND && e)
		state = UNIT_STATE_MASKED;
	unit_file_free(f);
	free(final);
	return state;
}
