// SPDX-License-Identifier: GPL-2.0-only
/*
 * See conform.h. The text is known to be well-formed (selftests/varlink), so that this reads it
 * with little ado.
 *
 * usage: conform FILE method|reply NAME	(a value on standard input, or one a line)
 */
#include <ctype.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conform.h"

#define FIELDS	64
#define ITEMS	256

struct type {
	char kind;		/* b i f s o, a list, m map, ? optional, e enum, { struct, n named */
	struct type *of;
	char *name;		/* n */
	size_t nr;		/* e { */
	struct {
		char *name;
		struct type *type;
	} v[FIELDS];
};

static struct {
	char kind;		/* t m e, r what a method returns */
	char *name;
	struct type *type;
} items[ITEMS];
static size_t nr_items;
static const char *pos;
static char why[512];

static void skip(void)
{
	while (isspace((unsigned char)*pos) || *pos == '#')
		pos += *pos == '#' ? strcspn(pos, "\n") : 1;
}

static bool take(const char *token)
{
	size_t len = strlen(token);

	skip();
	if (strncmp(pos, token, len) ||
	    (isalpha((unsigned char)*token) && isalnum((unsigned char)pos[len])))
		return false;
	pos += len;
	return true;
}

static void expect(const char *token)
{
	if (take(token))
		return;
	fprintf(stderr, "\"%s\" expected before \"%.30s\"\n", token, pos);
	exit(2);
}

static char *take_name(void)
{
	size_t n = 0;
	char *name;

	skip();
	while (isalnum((unsigned char)pos[n]) || pos[n] == '_' || pos[n] == '.')
		n++;
	if (!n)
		expect("a name");
	name = strndup(pos, n);
	pos += n;
	return name;
}

static struct type *take_type(void);

static struct type *take_body(void)
{
	struct type *t = calloc(1, sizeof(*t));

	t->kind = '{';
	expect("(");
	while (!take(")")) {
		t->v[t->nr].name = take_name();
		if (take(":"))
			t->v[t->nr].type = take_type();
		else
			t->kind = 'e';
		if (++t->nr == FIELDS)
			expect("fewer fields");
		take(",");
	}
	return t;
}

static struct type *take_type(void)
{
	static const char *const words[] = { "bool", "int", "float", "string", "object" };
	struct type *t = calloc(1, sizeof(*t));

	if (take("?") || take("[]") || take("[string]")) {
		t->kind = pos[-1] == '?' ? '?' : pos[-2] == '[' ? 'a' : 'm';
		t->of = take_type();
		return t;
	}
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (take(words[i])) {
			t->kind = *words[i];
			return t;
		}
	skip();
	if (*pos == '(') {
		free(t);
		return take_body();
	}
	t->kind = 'n';
	t->name = take_name();
	return t;
}

static void add(char kind, char *name, struct type *type)
{
	if (nr_items == ITEMS)
		expect("fewer items");
	items[nr_items].kind = kind;
	items[nr_items].name = name;
	items[nr_items++].type = type;
}

void conform_begin(const char *path)
{
	static char text[1 << 17];
	FILE *f = fopen(path, "r");
	char *name;

	if (!f || !fread(text, 1, sizeof(text) - 1, f)) {
		perror(path);
		exit(2);
	}
	fclose(f);
	pos = text;
	expect("interface");
	free(take_name());
	for (skip(); *pos; skip()) {
		char kind = *pos;

		if (!take("type") && !take("error"))
			expect("method");
		name = take_name();
		add(kind, name, take_body());
		if (kind != 'm')
			continue;
		expect("->");
		add('r', name, take_body());
	}
}

static const struct type *find(char kind, const char *name)
{
	for (size_t i = 0; i < nr_items; i++)
		if (items[i].kind == kind && !strcmp(items[i].name, name))
			return items[i].type;
	return NULL;
}

__attribute__((format(printf, 1, 2)))
static bool fault(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(why, sizeof(why), fmt, args);
	va_end(args);
	return false;
}

static bool fits(const struct type *t, const json_t *v, const char *where);

static bool in_enum(const struct type *t, const json_t *v, const char *where)
{
	for (size_t i = 0; json_is_string(v) && i < t->nr; i++)
		if (!strcmp(t->v[i].name, json_string_value(v)))
			return true;
	return fault("%s is none of its words: %s", where,
		     json_is_string(v) ? json_string_value(v) : "no string");
}

static bool fits_struct(const struct type *t, const json_t *v, const char *where)
{
	const char *key;
	json_t *member;
	char path[256];
	size_t i;

	if (!json_is_object(v))
		return fault("%s is no object", where);
	for (i = 0; i < t->nr; i++) {
		member = json_object_get(v, t->v[i].name);
		snprintf(path, sizeof(path), "%s.%s", where, t->v[i].name);
		if (!member && t->v[i].type->kind != '?')
			return fault("%s is missing", path);
		if (member && !fits(t->v[i].type, member, path))
			return false;
	}
	json_object_foreach((json_t *)v, key, member) {
		for (i = 0; i < t->nr && strcmp(t->v[i].name, key); i++)
			;
		if (i == t->nr)
			return fault("%s.%s is not in the text", where, key);
	}
	return true;
}

static bool fits(const struct type *t, const json_t *v, const char *where)
{
	char path[256];
	const char *key;
	json_t *member;
	bool is = true;
	size_t i;

	switch (t->kind) {
	case 'b': is = json_is_boolean(v); break;
	case 'i': is = json_is_integer(v); break;
	case 'f': is = json_is_number(v); break;
	case 's': is = json_is_string(v); break;
	case 'o': is = json_is_object(v); break;
	case '?': return json_is_null(v) || fits(t->of, v, where);
	case 'e': return in_enum(t, v, where);
	case '{': return fits_struct(t, v, where);
	case 'n': return fits(find('t', t->name), v, where);
	case 'a':
		json_array_foreach(v, i, member) {
			snprintf(path, sizeof(path), "%s[%zu]", where, i);
			if (!fits(t->of, member, path))
				return false;
		}
		is = json_is_array(v);
		break;
	case 'm':
		json_object_foreach((json_t *)v, key, member) {
			snprintf(path, sizeof(path), "%s[%s]", where, key);
			if (!fits(t->of, member, path))
				return false;
		}
		is = json_is_object(v);
		break;
	}
	return is || fault("%s is of another type than '%c'", where, t->kind);
}

static const char *check(char kind, const char *name, const json_t *value)
{
	const struct type *t = find(kind, name);

	if (!t)
		fault("%s is not in the text", name);
	return t && fits(t, value, name) ? NULL : why;
}

const char *conform_method(const char *method, bool reply, const json_t *value)
{
	return check(reply ? 'r' : 'm', method, value);
}

const char *conform_error(const char *error, const json_t *value)
{
	return check('e', error, value);
}

const char *conform_any_method(unsigned int *seed)
{
	size_t i;

	do {
		i = (size_t)rand_r(seed) % nr_items;
	} while (items[i].kind != 'm');
	return items[i].name;
}

static json_t *any_string(unsigned int *seed)
{
	static const char *const pool[] = {
		"a.service", "b.service", "slow.service", "bad.service", "t@x.service", "tick.timer",
		"web.socket", "one.target", "default.target", "nosuch.service", "", ".", "..",
		"a@.service", "a.mount", "/etc/passwd", "../a.service", "a\\x2db.service", "a b.service",
		"\033[31m.service", "\xc3\xa4.service", "main", "control", "all", "replace", "fail",
		"isolate", "flush", "ignore_dependencies", "rwtexbcs", "q", "unit", "exit", "*", "%n%s",
	};
	char longest[5000];

	if (rand_r(seed) % 50)
		return json_string(pool[(size_t)rand_r(seed) % (sizeof(pool) / sizeof(*pool))]);
	memset(longest, 'a', sizeof(longest));
	memcpy(longest + sizeof(longest) - 9, ".service", 9);
	return json_string(longest);
}

static json_t *any_int(unsigned int *seed)
{
	static const json_int_t pool[] = {
		0, 1, 2, 9, 10, 15, 64, 65, 255, 256, -1, -255, INT32_MAX, INT32_MIN, UINT32_MAX,
		INT64_MAX, INT64_MIN, 100, 1000000,
	};

	return json_integer(pool[(size_t)rand_r(seed) % (sizeof(pool) / sizeof(*pool))]);
}

static json_t *any(const struct type *t, unsigned int *seed);

static json_t *any_list(const struct type *t, unsigned int *seed)
{
	json_t *list = json_array();

	for (int n = rand_r(seed) % 100 ? rand_r(seed) % 4 : 5000; n > 0; n--)
		json_array_append_new(list, any(t, seed));
	return list;
}

static json_t *any(const struct type *t, unsigned int *seed)
{
	json_t *o;

	/* Of another type, now and then. */
	if (rand_r(seed) % 60 == 0)
		return rand_r(seed) % 2 ? json_null() : json_pack("[{s:i}]", "x", 1);
	switch (t->kind) {
	case 'b': return json_boolean(rand_r(seed) % 2);
	case 'i': return any_int(seed);
	case 'a': return any_list(t->of, seed);
	case '?': return any(t->of, seed);
	case 'e':
		return rand_r(seed) % 9 ? json_string(t->v[(size_t)rand_r(seed) % t->nr].name) :
		       any_string(seed);
	case 'n': return any(find('t', t->name), seed);
	case '{':
		o = json_object();
		for (size_t i = 0; i < t->nr; i++)
			if (t->v[i].type->kind == '?' ? rand_r(seed) % 2 : rand_r(seed) % 40)
				json_object_set_new(o, t->v[i].name, any(t->v[i].type, seed));
		if (rand_r(seed) % 40 == 0)
			json_object_set_new(o, "unknown", json_true());
		return o;
	default: return any_string(seed);
	}
}

json_t *conform_any_params(const char *method, unsigned int *seed)
{
	json_t *params;

	do {
		params = any(find('m', method), seed);
		if (json_is_object(params))
			return params;
		json_decref(params);
	} while (true);
}

#ifdef CONFORM_MAIN
int main(int argc, char **argv)
{
	json_error_t error;
	const char *wrong;
	size_t nr = 0;
	json_t *v;

	if (argc != 4)
		return 2;
	conform_begin(argv[1]);
	while ((v = json_loadf(stdin, JSON_DISABLE_EOF_CHECK, &error))) {
		wrong = conform_method(argv[3], !strcmp(argv[2], "reply"), v);
		json_decref(v);
		nr++;
		if (wrong) {
			puts(wrong);
			return 1;
		}
	}
	if (!nr)
		puts(error.text);
	return !nr;
}
#endif
