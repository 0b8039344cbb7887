// SPDX-License-Identifier: GPL-2.0-only
/* One unit: its file, other names, drop-ins, and links that make dependencies; systemd.unit(5). */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "private.h"

static char *read_all(int fd, size_t *len)
{
	size_t room = 4096;
	char *text = xcalloc(room, 1), *more;
	ssize_t n;

	*len = 0;
	while ((n = read(fd, text + *len, room - 1 - *len)) > 0) {
		*len += n;
		if (*len > TEXT_MAX)
			break;
		if (*len < room - 1)
			continue;
		more = xcalloc(room *= 2, 1);
		memcpy(more, text, *len);
		free(text);
		text = more;
	}
	if (n) {
		errno = n < 0 ? errno : EFBIG;
		free(text);
		return NULL;
	}
	text[*len] = '\0';
	return text;
}

/* The contents of a regular file and a NUL; NULL and errno (EINVAL if it is no file). */
char *file_text(int dirfd, const char *name, size_t *len)
{
	struct stat st;
	char *text = NULL;
	int fd, err;

	/* Opening a FIFO or a device must not stop the supervisor, nor rewind a tape. */
	if (fstatat(dirfd, name, &st, 0) < 0)
		return NULL;
	if (!S_ISREG(st.st_mode)) {
		errno = S_ISDIR(st.st_mode) ? EISDIR : EINVAL;
		return NULL;
	}
	fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return NULL;
	err = fstat(fd, &st) < 0 ? errno : S_ISREG(st.st_mode) ? 0 : EINVAL;
	if (!err) {
		text = read_all(fd, len);
		err = errno;
	}
	close(fd);
	errno = err;
	return text;
}

static const char *reading_error(int err)
{
	return err == EINVAL ? "not a regular file" : err == EFBIG ? "larger than 1 MiB" :
	       strerror(err);
}

static bool is_too_much(struct parser *p, size_t len)
{
	p->file->text += len;
	if (p->file->text <= TEXTS_MAX)
		return false;
	remark(p, SAY_ERROR, "the unit's files are larger than 4 MiB; it cannot be started");
	mark_bad(p->file, "too large");
	return true;
}

/* Reads one file of the unit, whose specifiers' %y is the first. */
static void read_file(struct parser *p, const char *path, const char *shown)
{
	struct file *file = p->file;
	int source = file_add_source(file, shown);
	size_t len;
	char *text;

	p->path = file->sources[source < 0 ? 0 : source];
	p->where = (struct where){ .file = source < 0 ? 0 : source };
	p->said = 0;
	text = source < 0 ? (errno = EMFILE, NULL) : file_text(AT_FDCWD, path, &len);
	if (!text) {
		remark(p, SAY_ERROR, "cannot be read: %s; the unit cannot be started",
		       reading_error(errno));
		mark_bad(file, "a file of it cannot be read");
		return;
	}
	file->f.hash = text_hash_more(file->f.hash, shown, strlen(shown) + 1);
	file->f.hash = text_hash_more(file->f.hash, text, len);
	if (!is_too_much(p, len))
		parse_text(p, text, len);
	free(text);
}

/* The files of all directories that have the same suffix; of a name only the first counts. */
struct item {
	char *name, *path;
	size_t seq;
};

struct items {
	struct item *v;
	size_t nr;
	const char *suffix, *dir;
};

static int take_item(void *arg, int dirfd, const char *name)
{
	struct items *items = arg;
	size_t len = strlen(name);
	bool conf = !strcmp(items->suffix, ".d");

	(void)dirfd;
	if (*name == '.' || (conf && (len < 6 || strcmp(name + len - 5, ".conf"))))
		return 0;
	items->v = xgrow(items->v, items->nr, sizeof(*items->v));
	items->v[items->nr] = (struct item){
		.name = xstrdup(name), .path = xasprintf("%s/%s", items->dir, name),
		.seq = items->nr,
	};
	items->nr++;
	return 0;
}

static void add_items_of(struct parser *p, struct items *items, const char *name, size_t dir)
{
	char *full = xasprintf("%s%s", name, items->suffix), *path;
	const struct entry *e = entry_at(p->dirs, full, dir);
	int ret;

	free(full);
	if (!e || e->kind != ENTRY_DIR)
		return;
	items->dir = path = entry_path(p->dirs, e);
	ret = scan_names(path, take_item, items);
	if (ret < 0 && ret != -ENOTDIR)
		say(p->opt, SAY_ERROR, path, 0, ret == -E2BIG ?
		    "more than 65536 names; the others are not looked at" : "cannot be read");
	free(path);
}

/* For "a-b@c.service": itself, "a-b@.service", "a-@c.service", "a-@.service". */
static void add_items_in(struct parser *p, struct items *items, const char *unit, size_t dir)
{
	const char *dot = strrchr(unit, '.'), *at = strchr(unit, '@');
	size_t prefix = (at ? at : dot) - unit, cut;
	char *name = xstrdup(unit), *template;

	for (;;) {
		add_items_of(p, items, name, dir);
		template = unit_name_template(name);
		if (template)
			add_items_of(p, items, template, dir);
		free(template);
		free(name);
		/* The "-" at its end is that of the directory before. */
		cut = prefix && unit[prefix - 1] == '-' ? prefix - 1 : prefix;
		while (cut && unit[cut - 1] != '-')
			cut--;
		if (!cut)
			return;
		prefix = cut;
		name = xasprintf("%.*s%s", (int)cut, unit, at ? at : dot);
	}
}

static int by_item(const void *a, const void *b)
{
	const struct item *x = a, *y = b;
	int diff = strcmp(x->name, y->name);

	return diff ? diff : (x->seq > y->seq) - (x->seq < y->seq);
}

/* As systemd has it: what is the unit's own by directories, then what is for all of its kind. */
static void gather(struct parser *p, const char *suffix, struct items *items)
{
	const struct unit_file *f = &p->file->f;
	size_t kept = 0;

	*items = (struct items){ .suffix = suffix };
	for (size_t n = 0; n <= f->names.nr; n++)
		for (size_t i = 0; i < p->dirs->dirs.nr; i++)
			add_items_in(p, items, n ? f->names.v[n - 1] : f->name, i);
	for (size_t i = 0; i < p->dirs->dirs.nr; i++)
		add_items_of(p, items, unit_kind_suffix(f->kind), i);
	if (items->nr)
		qsort(items->v, items->nr, sizeof(*items->v), by_item);
	for (size_t i = 0; i < items->nr; i++) {
		if (!kept || strcmp(items->v[kept - 1].name, items->v[i].name)) {
			items->v[kept++] = items->v[i];
			continue;
		}
		free(items->v[i].name);
		free(items->v[i].path);
	}
	items->nr = kept;
}

static void free_items(struct items *items)
{
	for (size_t i = 0; i < items->nr; i++) {
		free(items->v[i].name);
		free(items->v[i].path);
	}
	free(items->v);
}

static bool is_dir(const char *path)
{
	struct stat st;

	return !stat(path, &st) && S_ISDIR(st.st_mode);
}

static void read_drop_ins(struct parser *p)
{
	struct items items;

	gather(p, ".d", &items);
	for (size_t i = 0; i < items.nr; i++)
		if (!is_null(AT_FDCWD, items.v[i].path) && !is_dir(items.v[i].path))
			read_file(p, items.v[i].path, items.v[i].path);
	free_items(&items);
	p->file->f.nr_files = p->file->f.nr_sources;
}

/* The directory of @path among the sources, which are few. */
static int source_of_dir(struct file *file, const char *path)
{
	size_t len = strrchr(path, '/') - path;
	char *dir;
	int source;

	for (size_t i = file->f.nr_files; i < file->f.nr_sources; i++)
		if (strlen(file->sources[i]) == len && !strncmp(file->sources[i], path, len))
			return i;
	dir = xasprintf("%.*s", (int)len, path);
	source = file_add_source(file, dir);
	free(dir);
	return source;
}

static void add_linked(struct parser *p, const struct item *item, enum dep_kind kind)
{
	struct file *file = p->file;
	int source = source_of_dir(file, item->path);
	const char *name;
	struct stat st;

	p->path = item->path;
	p->where = (struct where){ .file = source < 0 ? 0 : source };
	if (is_null(AT_FDCWD, item->path))
		return;
	if (lstat(item->path, &st) < 0 || !S_ISLNK(st.st_mode)) {
		remark(p, SAY_WARNING, "not a symbolic link, ignored");
		return;
	}
	name = unit_name_ok(item->name) ? arena_str(&file->arena, item->name) : NULL;
	name = name ? as_instance(file, name) : NULL;
	if (!name) {
		remark(p, SAY_WARNING, "not the name of a unit, ignored");
		return;
	}
	file->f.hash = text_hash_more(file->f.hash, name, strlen(name) + 1);
	if (strcmp(name, file->f.name))
		file_add_dep(file, kind, name, p->where, true);
}

static void read_links(struct parser *p)
{
	static const struct {
		const char *suffix;
		enum dep_kind kind;
	} kinds[] = {
		{ ".wants", DEP_WANTS }, { ".requires", DEP_REQUIRES }, { ".upholds", DEP_UPHOLDS },
	};

	p->said = 0;
	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
		struct items items;

		gather(p, kinds[k].suffix, &items);
		for (size_t i = 0; i < items.nr; i++)
			add_linked(p, &items.v[i], kinds[k].kind);
		free_items(&items);
	}
}

/* Every name that is a link to this one, or to its template. */
static void add_names(struct parser *p)
{
	struct file *file = p->file;
	char *template = unit_name_template(file->f.name), *name;

	for (size_t i = 0; i < p->dirs->nr; i++) {
		const struct entry *e = &p->dirs->entries[i];

		if (e->kind != ENTRY_ALIAS || e != entry_find(p->dirs, e->name))
			continue;
		if (!strcmp(e->other, file->f.name)) {
			name = xstrdup(e->name);
		} else if (template && !strcmp(e->other, template)) {
			name = unit_name_is_template(e->name) ?
			       unit_name_instantiate(e->name, file->f.instance) : NULL;
			if (!name)
				continue;
		} else {
			continue;
		}
		if (strcmp(name, file->f.name))
			arena_add(&file->arena, &file->f.names, arena_str(&file->arena, name));
		free(name);
	}
	free(template);
}

/* The path that a link which leads out of the search path is read by. */
static char *path_to_read(const struct unit_dirs *d, const struct entry *e)
{
	if (d->opt.root && e->target && *e->target == '/')
		return rooted(d, e->target);
	return entry_path(d, e);
}

static enum load read_unit(struct unit_dirs *d, const struct entry *e, const char *name,
			   bool install_only, struct unit_file **f)
{
	struct parser p = { .opt = &d->opt, .dirs = d, .install_only = install_only };
	char *path = path_to_read(d, e), *shown = entry_path(d, e);

	if (is_null(AT_FDCWD, path)) {
		free(path);
		free(shown);
		return LOAD_MASKED;
	}
	p.file = file_new(name);
	add_names(&p);
	read_file(&p, path, shown);
	read_drop_ins(&p);
	if (!install_only)
		read_links(&p);
	file_finish(&p);
	free(path);
	free(shown);
	*f = &p.file->f;
	return p.file->f.bad ? LOAD_BAD : LOAD_OK;
}

/* Its specifiers are those of the instance that it has by default. */
struct unit_file *unit_read_install(struct unit_dirs *d, const struct entry *e, const char *name)
{
	struct unit_file *f = NULL, *again = NULL;
	const char *instance;
	char *full = NULL;

	if (unit_name_kind(name) >= UNIT_KINDS)
		return NULL;
	read_unit(d, e, name, true, &f);
	instance = f && f->install ? f->install->default_instance : NULL;
	if (instance && unit_name_is_template(name))
		full = unit_name_instantiate(name, instance);
	if (full)
		read_unit(d, e, full, true, &again);
	free(full);
	if (!again)
		return f;
	unit_file_free(f);
	return again;
}

static enum load loop_of(struct unit_dirs *d, const struct entry *e, const char *name,
			 struct unit_file **f)
{
	struct file *file = file_new(name);
	char *path = entry_path(d, e);

	say(&d->opt, SAY_ERROR, path, 0, "a link that leads back to itself");
	mark_bad(file, "a link that leads back to itself");
	file_add_source(file, path);
	free(path);
	file_settle(file);
	*f = &file->f;
	return LOAD_BAD;
}

enum load unit_load(struct unit_dirs *d, const char *name, struct unit_file **f)
{
	enum unit_kind kind = unit_name_kind(name);
	const struct entry *e;
	enum load ret;
	char *final;

	*f = NULL;
	if (kind == UNIT_NOT_A_NAME || unit_name_is_template(name))
		return LOAD_NOT_FOUND;
	if (kind == UNIT_FOREIGN)
		return LOAD_FOREIGN;
	e = resolve(d, name, &final);
	if (!e)
		ret = load_logger(d, name, f);
	else if (e->kind == ENTRY_MASK)
		ret = LOAD_MASKED;
	else if (e->kind == ENTRY_FILE)
		ret = read_unit(d, e, final, false, f);
	else
		ret = loop_of(d, e, final, f);
	free(final);
	return ret;
}

enum load unit_parse(struct unit_dirs *d, const char *name, const char *path, const char *text,
		     size_t len, struct unit_file **f)
{
	struct parser p = { .opt = &d->opt, .dirs = d };
	char *copy;

	*f = NULL;
	if (unit_name_kind(name) >= UNIT_KINDS)
		return unit_name_ok(name) ? LOAD_FOREIGN : LOAD_NOT_FOUND;
	p.file = file_new(name);
	file_add_source(p.file, path);
	p.path = p.file->sources[0];
	copy = xcalloc(len + 1, 1);
	memcpy(copy, text, len);
	p.file->f.hash = text_hash_more(p.file->f.hash, text, len);
	if (!is_too_much(&p, len))
		parse_text(&p, copy, len);
	free(copy);
	p.file->f.nr_files = 1;
	file_finish(&p);
	*f = &p.file->f;
	return p.file->f.bad ? LOAD_BAD : LOAD_OK;
}

struct unit_file *unit_linked(struct unit_dirs *d, const char *name)
{
	struct parser p = { .opt = &d->opt, .dirs = d };

	if (unit_name_kind(name) >= UNIT_KINDS || unit_name_is_template(name))
		return NULL;
	p.file = file_new(name);
	read_links(&p);
	file_finish(&p);
	return &p.file->f;
}

struct unit_file *unit_builtin(const char *name, const char *description)
{
	struct file *file;

	if (unit_name_kind(name) >= UNIT_KINDS || unit_name_is_template(name))
		return NULL;
	file = file_new(name);
	file->f.description = description ? arena_str(&file->arena, description) : NULL;
	file_settle(file);
	return &file->f;
}
