// SPDX-License-Identifier: GPL-2.0-only
/* Values of [Unit] and [Install], and those that keys of several sections have. */
#include <stdlib.h>
#include <string.h>

#include "private.h"

/* The next word to p->scratch; as word_take(). */
int next_word(struct parser *p, const char **s, enum escapes escapes)
{
	return word_take(s, p->scratch, escapes);
}

enum verdict each_word(struct parser *p, const struct key *key, char *value,
		       enum escapes escapes,
		       enum verdict (*take)(struct parser *p, const struct key *key, char *word))
{
	enum verdict verdict, worst = VALUE_OK;
	const char *s = value;
	int ret;

	while ((ret = next_word(p, &s, escapes)) > 0) {
		verdict = take(p, key, p->scratch);
		if (verdict == VALUE_IGNORED || verdict == VALUE_FATAL)
			remark(p, SAY_ERROR, "%s=: %.200s: expected %s; %s", key->name,
			       p->scratch, values[key->value]->expected,
			       verdict == VALUE_FATAL ? "the unit cannot be started" : "ignored");
		if (verdict == VALUE_FATAL)
			mark_bad(p->file, key->name);
		worst = verdict == VALUE_OK ? worst : VALUE_SAID;
	}
	return ret < 0 ? VALUE_IGNORED : worst;
}

struct strv *strv_reset(struct strv *v)
{
	*v = (struct strv){ 0 };
	return v;
}

static enum verdict take_text(struct parser *p, const struct key *key, char *value)
{
	char *text = *value ? expand(p, value) : NULL;

	if (*value && !text)
		return VALUE_SAID;
	*FIELD(p, key, const char *) = text && *text ? text : NULL;
	return VALUE_OK;
}
VALUE(value_text, take_text, .expected = "text");

static enum verdict take_bool(struct parser *p, const struct key *key, char *value)
{
	return parse_bool(value, FIELD(p, key, bool)) ? VALUE_IGNORED : VALUE_OK;
}
VALUE(value_bool, take_bool, .expected = "yes or no");

#define A_SPAN	"a time span (as 5s, 1min 30s, infinity)"

static enum verdict take_span(struct parser *p, const struct key *key, char *value)
{
	return parse_time(value, FIELD(p, key, uint64_t)) ? VALUE_IGNORED : VALUE_OK;
}
VALUE(value_span, take_span, .expected = A_SPAN);

/* Where 0 has always meant none. */
enum verdict take_timeout(struct parser *p, const struct key *key, char *value)
{
	uint64_t *ns = FIELD(p, key, uint64_t);

	if (parse_time(value, ns))
		return VALUE_IGNORED;
	if (!*ns)
		*ns = FOREVER;
	return VALUE_OK;
}
VALUE(value_timeout, take_timeout, .expected = A_SPAN);

static enum verdict take_job_timeout(struct parser *p, const struct key *key, char *value)
{
	enum verdict verdict = take_timeout(p, key, value);

	/* Before there was a second key, this was the only one. */
	if (verdict == VALUE_OK && !p->file->job_running_set)
		p->file->f.job_running_ns = p->file->f.job_timeout_ns;
	return verdict;
}
VALUE(value_job_timeout, take_job_timeout, .expected = A_SPAN);

static enum verdict take_job_running(struct parser *p, const struct key *key, char *value)
{
	enum verdict verdict = take_timeout(p, key, value);

	p->file->job_running_set |= verdict == VALUE_OK;
	return verdict;
}
VALUE(value_job_running, take_job_running, .expected = A_SPAN);

static enum verdict take_u32(struct parser *p, const struct key *key, char *value)
{
	int64_t n;

	if (parse_integer(value, 0, UINT32_MAX, &n))
		return VALUE_IGNORED;
	*FIELD(p, key, uint32_t) = n;
	return VALUE_OK;
}
VALUE(value_u32, take_u32, "a number");

/* Of the value's range; empty: as if it had not been given. */
enum verdict take_ranged(struct parser *p, const struct key *key, char *value)
{
	int64_t n = UNSET;

	if (*value && parse_integer(value, values[key->value]->min, values[key->value]->max, &n))
		return VALUE_IGNORED;
	*FIELD(p, key, int32_t) = n;
	return VALUE_OK;
}
VALUE(value_exit_status, take_ranged, .expected = "a number from 0 to 255", .max = 255);

static enum verdict take_size(struct parser *p, const struct key *key, char *value)
{
	return parse_size(value, FIELD(p, key, uint64_t)) ? VALUE_IGNORED : VALUE_OK;
}
VALUE(value_size, take_size, .expected = "a number of bytes (as 4096, 64K, 1.5G)");

static enum verdict take_mode(struct parser *p, const struct key *key, char *value)
{
	return parse_mode(value, FIELD(p, key, mode_t)) ? VALUE_IGNORED : VALUE_OK;
}
VALUE(value_mode, take_mode, .expected = "octal digits of at most 7777");

enum verdict take_choice(struct parser *p, const struct key *key, char *value)
{
	const char *const *names = values[key->value]->names;

	for (size_t i = 0; names[i]; i++) {
		if (strcmp(value, names[i]))
			continue;
		*FIELD(p, key, uint8_t) = i;
		return VALUE_OK;
	}
	return VALUE_IGNORED;
}
VALUE(value_emergency, take_choice, .names = emergency_names);
VALUE(value_job_mode, take_choice, .names = job_mode_names);

static enum verdict take_isolate(struct parser *p, const struct key *key, char *value)
{
	bool isolate;

	if (parse_bool(value, &isolate))
		return VALUE_IGNORED;
	*FIELD(p, key, uint8_t) = isolate ? JOB_ISOLATE : JOB_REPLACE;
	return VALUE_OK;
}
VALUE(value_isolate, take_isolate, .expected = "yes or no");

static enum verdict take_path(struct parser *p, const struct key *key, char *value)
{
	char *path = *value ? expand_path(p, value, true) : NULL;

	if (*value && !path)
		return VALUE_IGNORED;
	*FIELD(p, key, const char *) = path;
	return VALUE_OK;
}
VALUE(value_path, take_path, .expected = "an absolute path without \"..\"");

static enum verdict add_path(struct parser *p, const struct key *key, char *word)
{
	char *path = expand_path(p, word, true);

	if (!path)
		return VALUE_IGNORED;
	arena_add(&p->file->arena, FIELD(p, key, struct strv), path);
	return VALUE_OK;
}

static enum verdict take_paths(struct parser *p, const struct key *key, char *value)
{
	if (!*value)
		strv_reset(FIELD(p, key, struct strv));
	return each_word(p, key, value, ESCAPES_KEPT, add_path);
}
VALUE(value_paths, take_paths, .expected = "absolute paths without \"..\"");

static enum verdict add_dep(struct parser *p, const struct key *key, char *word)
{
	const char *name = expand(p, word);

	if (!name)
		return VALUE_SAID;
	name = unit_name_ok(name) ? as_instance(p->file, name) : NULL;
	if (!name)
		return VALUE_IGNORED;
	if (key->arg == DEP_SOCKETS && unit_name_kind(name) != UNIT_SOCKET)
		return VALUE_IGNORED;
	/* It is what a unit of itself says that depends on all of a kind. */
	if (!strcmp(name, p->file->f.name)) {
		remark(p, SAY_WARNING, "%s=: the unit itself, ignored", key->name);
		return VALUE_SAID;
	}
	file_add_dep(p->file, key->arg, name, p->where, false);
	return VALUE_OK;
}

/* These are added up in all files; an empty value takes none away. */
static enum verdict take_deps(struct parser *p, const struct key *key, char *value)
{
	return each_word(p, key, value, WORDS_RAW, add_dep);
}
VALUE(value_deps, take_deps, .expected = "names of units");

static enum verdict add_unit(struct parser *p, const struct key *key, char *word)
{
	char *name = expand(p, word);

	if (!name)
		return VALUE_SAID;
	if (!unit_name_ok(name))
		return VALUE_IGNORED;
	arena_add(&p->file->arena, FIELD(p, key, struct strv), name);
	return VALUE_OK;
}

static enum verdict take_units(struct parser *p, const struct key *key, char *value)
{
	if (!*value)
		strv_reset(FIELD(p, key, struct strv));
	return each_word(p, key, value, WORDS_RAW, add_unit);
}
VALUE(value_units, take_units, .expected = "names of units");

/* One unit that is started by this one, not of its kind. */
static enum verdict take_trigger(struct parser *p, const struct key *key, char *value)
{
	const char *name = expand(p, value);
	enum unit_kind kind;

	(void)key;
	if (!name)
		return VALUE_SAID;
	kind = unit_name_kind(name);
	name = kind == UNIT_NOT_A_NAME ? NULL : as_instance(p->file, name);
	if (!name || kind == p->file->f.kind ||
	    (p->file->f.kind == UNIT_SOCKET && kind != UNIT_SERVICE))
		return VALUE_IGNORED;
	/* As systemd has it, the first one stays, but for sockets. */
	if (p->file->trigger && p->file->timer) {
		remark(p, SAY_WARNING, "Unit=%s: it is %s already, ignored", name,
		       p->file->trigger);
		return VALUE_OK;
	}
	p->file->trigger = name;
	p->file->trigger_where = p->where;
	return VALUE_OK;
}
VALUE(value_trigger, take_trigger, .expected = "the name of one unit that can be started so");

static enum verdict take_instance(struct parser *p, const struct key *key, char *value)
{
	char *text = *value ? expand(p, value) : NULL, *name;

	if (*value && !text)
		return VALUE_SAID;
	name = text ? unit_name_instantiate("a@.service", text) : NULL;
	free(name);
	if (text && !name)
		return VALUE_IGNORED;
	*FIELD(p, key, const char *) = text;
	return VALUE_OK;
}
VALUE(value_instance, take_instance,
	.expected = "what may stand between @ and the suffix of a name");

static enum verdict add_url(struct parser *p, const struct key *key, char *word)
{
	static const char *const schemes[] = { "http://", "https://", "file:/", "info:", "man:" };
	char *url = expand(p, word);

	if (!url)
		return VALUE_SAID;
	for (size_t i = 0; i < ARRAY_SIZE(schemes); i++) {
		size_t len = strlen(schemes[i]);

		if (strncmp(url, schemes[i], len) || !url[len])
			continue;
		arena_add(&p->file->arena, FIELD(p, key, struct strv), url);
		return VALUE_OK;
	}
	return VALUE_IGNORED;
}

static enum verdict take_urls(struct parser *p, const struct key *key, char *value)
{
	if (!*value)
		strv_reset(FIELD(p, key, struct strv));
	return each_word(p, key, value, ESCAPES_STRICT, add_url);
}
VALUE(value_urls, take_urls, .expected = "http:, https:, file:, info: and man: addresses");

static bool is_of_paths(enum condition_kind kind)
{
	switch (kind) {
	case CONDITION_DIRECTORY_NOT_EMPTY:
	case CONDITION_FILE_IS_EXECUTABLE:
	case CONDITION_FILE_NOT_EMPTY:
	case CONDITION_NEEDS_UPDATE:
	case CONDITION_PATH_EXISTS:
	case CONDITION_PATH_EXISTS_GLOB:
	case CONDITION_PATH_IS_DIRECTORY:
	case CONDITION_PATH_IS_ENCRYPTED:
	case CONDITION_PATH_IS_MOUNT_POINT:
	case CONDITION_PATH_IS_READ_WRITE:
	case CONDITION_PATH_IS_SYMBOLIC_LINK:
		return true;
	default:
		return false;
	}
}

/* ConditionX= and AssertX=; false if @name is none of them. */
bool condition_of_key(const char *name, struct condition *c)
{
	bool assert = !strncmp(name, "Assert", 6);

	if (!assert && strncmp(name, "Condition", 9))
		return false;
	name += assert ? 6 : 9;
	for (int i = 0; i < CONDITION_KINDS; i++) {
		if (strcmp(name, unit_condition_name(i)))
			continue;
		*c = (struct condition){ .kind = i, .assert = assert };
		return true;
	}
	return false;
}

/* All conditions, or all asserts. */
static void drop_conditions(struct unit_file *f, struct condition *v, bool assert)
{
	size_t kept = 0;

	for (size_t i = 0; i < f->nr_conditions; i++)
		if (v[i].assert != assert)
			v[kept++] = v[i];
	f->nr_conditions = kept;
}

static bool take_mark(char **s, char mark)
{
	return **s == mark && (*s)++;
}

static enum verdict take_condition(struct parser *p, const struct key *key, char *value)
{
	struct file *file = p->file;
	struct condition c = { 0 };

	condition_of_key(key->name, &c);
	c.where = p->where;
	if (!*value) {
		drop_conditions(&file->f, file->conditions, c.assert);
		return VALUE_OK;
	}
	c.trigger = take_mark(&value, '|');
	c.negate = take_mark(&value, '!');
	c.param = is_of_paths(c.kind) ? expand_path(p, value, true) : expand(p, value);
	if (!c.param)
		return VALUE_IGNORED;
	file->conditions = arena_grow(&file->arena, file->conditions, file->f.nr_conditions,
				      sizeof(c));
	file->conditions[file->f.nr_conditions++] = c;
	return VALUE_OK;
}
VALUE(value_condition, take_condition,
	.expected = "a value (of Path and File keys an absolute path), \"!\" before it to negate "
		  "it, \"|\" before that if one of several is enough");
