// SPDX-License-Identifier: GPL-2.0-only
/* The table of units, and the directory they come from. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "knelld.h"

struct unit **units;			/* by id */
size_t nr_units;
static struct unit **by_name;		/* the same ones, sorted */

static int compare_names(const void *a, const void *b)
{
	return strcmp((*(struct unit *const *)a)->name, (*(struct unit *const *)b)->name);
}

static struct unit *find_among(const char *name, size_t nr)
{
	struct unit key = { .name = (char *)name }, *k = &key, **found;

	found = nr ? bsearch(&k, by_name, nr, sizeof(*by_name), compare_names) : NULL;
	return found ? *found : NULL;
}

struct unit *unit_find(const char *name)
{
	return find_among(name, nr_units);
}

struct unit *unit_by_id(uint32_t id)
{
	/* 0 is no unit's. */
	return id && id <= nr_units ? units[id - 1] : NULL;
}

/* What the file said when it was last read well: what the next start will use. */
const struct conf *unit_latest(const struct unit *u)
{
	return u->next ? u->next : u->conf;
}

/* Can it not be started at all, as the files are now? */
bool unit_refused(const struct unit *u)
{
	return u->bad || u->cyclic || u->lacks;
}

static struct unit *unit_new(const char *name)
{
	struct unit *u = xcalloc(1, sizeof(*u));

	u->name = xstrdup(name);
	units = xgrow(units, nr_units, sizeof(*units));
	by_name = xgrow(by_name, nr_units, sizeof(*by_name));
	units[nr_units] = by_name[nr_units] = u;
	u->id = ++nr_units;
	return u;
}

/* The unit of that name, which is made if there is none. */
struct unit *unit_add(const char *name)
{
	struct unit *u = unit_find(name);

	if (u)
		return u;
	u = unit_new(name);
	qsort(by_name, nr_units, sizeof(*by_name), compare_names);
	return u;
}

static void masked(struct unit *u)
{
	if (!u->gone)
		log_line("%s: masked, not to be started", u->name);
	/* One that runs is treated as one whose file is gone. */
	u->gone = true;
}

/* The file was read, well or not; a unit that runs keeps what it was started with. */
static void take_conf(struct unit *u, enum load load, struct conf *conf)
{
	const struct conf *old = unit_latest(u);

	u->seen = true;
	if (load == LOAD_MASKED) {
		masked(u);
	} else if (load == LOAD_BAD) {
		u->bad = !old;
		if (old)
			log_line("%s: keeps its former settings", u->name);
	} else {
		if (old && !u->gone && old->hash == conf->hash) {
			conf_free(conf);
			return;
		}
		if (old)
			log_line("%s: changed, which takes effect at its next start", u->name);
		u->bad = u->gone = false;
		conf_free(u->next);
		u->next = conf;
	}
}

/* Tells of what a user may have meant as a unit. */
static void pass_over(const char *name)
{
	static const char *const suffixes[] = {
		".timer", ".target", ".socket", ".mount", ".automount", ".path", ".slice",
		".swap", ".service.d",
	};
	size_t len = strlen(name);

	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
		size_t n = strlen(suffixes[i]);

		if (len > n && !strcmp(name + len - n, suffixes[i]))
			log_line("%s: knelld knows *.service only, ignored", name);
	}
}

static bool is_service(const char *name)
{
	size_t len = strlen(name);

	if (*name == '.')
		return false;
	if (len <= 8 || strcmp(name + len - 8, ".service")) {
		pass_over(name);
		return false;
	}
	if (!unit_name_ok(name)) {
		log_line("%s: not a name for a unit, ignored", name);
		return false;
	}
	if (strstr(name, "@.service")) {
		log_line("%s: a template, ignored", name);
		return false;
	}
	return true;
}

static int by_alphabet(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int list_services(DIR *d, struct strv *names)
{
	struct dirent *entry;

	while ((errno = 0, entry = readdir(d)))
		if (is_service(entry->d_name))
			strv_add(names, xstrdup(entry->d_name));
	if (names->nr)
		qsort(names->v, names->nr, sizeof(*names->v), by_alphabet);
	return -errno;
}

static void tell_vanished(void)
{
	for (size_t i = 0; i < nr_units; i++) {
		struct unit *u = units[i];

		if (u->seen || u->gone)
			continue;
		u->gone = true;
		u->bad = false;
		log_line("%s: its file is gone%s", u->name, u->state == STATE_DOWN ? "" :
			 "; what runs is left alone and not restarted");
	}
}

static void load_each(int dirfd, const struct strv *names)
{
	size_t known = nr_units;

	for (size_t i = 0; i < nr_units; i++)
		units[i]->seen = false;
	for (size_t i = 0; i < names->nr; i++) {
		struct unit *u = find_among(names->v[i], known);
		struct conf *conf = NULL;
		enum load load = conf_load(dirfd, names->v[i], &conf);

		take_conf(u ? u : unit_new(names->v[i]), load, conf);
	}
	if (nr_units)
		qsort(by_name, nr_units, sizeof(*by_name), compare_names);
}

/* Reads the unit directory, for the first time or again; 0 or -errno, then nothing has changed. */
int units_load(const char *dir)
{
	struct strv names = { 0 };
	DIR *d = opendir(dir);
	int err;

	if (!d) {
		err = -errno;
		goto out;
	}
	err = list_services(d, &names);
	if (!err) {
		load_each(dirfd(d), &names);
		tell_vanished();
		graph_build();
	}
	closedir(d);
	strv_free(&names);
out:
	if (err)
		log_line("cannot read the unit directory %s: %s", dir, strerror(-err));
	return err;
}
