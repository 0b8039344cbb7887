// SPDX-License-Identifier: GPL-2.0-only
/* See idl.h. Recursive descent; the first fault ends it. */
#include <ctype.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "idl.h"

#define NAME_MAX_	64
#define ITEMS		256
#define FIELDS		64
#define NAMED		(-1)		/* not an enum varlink_type: a type's name */

struct field {
	char name[NAME_MAX_];
	int type;
	bool optional;
	char named[NAME_MAX_];
};

/* A method with what it takes, a type, or an error. */
struct item {
	char kind;			/* m, t, e */
	char name[NAME_MAX_];
	bool is_enum;
	unsigned int line, nr;
	struct field fields[FIELDS];
};

struct idl {
	const char *pos;
	unsigned int line;
	bool failed;
	char *why;
	size_t size;
	char name[128];
	unsigned int nr, nr_used;
	struct item items[ITEMS];
	struct {
		char name[NAME_MAX_];
		unsigned int line;
	} used[ITEMS];
};

__attribute__((format(printf, 3, 4)))
static void fault(struct idl *p, unsigned int line, const char *fmt, ...)
{
	va_list args;
	int n;

	if (p->failed)
		return;
	p->failed = true;
	n = snprintf(p->why, p->size, "line %u: ", line);
	va_start(args, fmt);
	vsnprintf(p->why + n, p->size - n, fmt, args);
	va_end(args);
}

static void skip(struct idl *p)
{
	while (isspace((unsigned char)*p->pos) || *p->pos == '#') {
		if (*p->pos == '#')
			p->pos += strcspn(p->pos, "\n");
		if (*p->pos == '\n')
			p->line++;
		if (*p->pos)
			p->pos++;
	}
}

static bool is_next(struct idl *p, const char *token)
{
	skip(p);
	return !strncmp(p->pos, token, strlen(token));
}

static bool take(struct idl *p, const char *token)
{
	if (p->failed || !is_next(p, token))
		return false;
	p->pos += strlen(token);
	return true;
}

static void expect(struct idl *p, const char *token)
{
	if (!take(p, token))
		fault(p, p->line, "\"%s\" expected before \"%.20s\"", token, p->pos);
}

/* A word of the language, and not the beginning of a longer one. */
static bool take_word(struct idl *p, const char *word)
{
	if (!is_next(p, word) || isalnum((unsigned char)p->pos[strlen(word)]))
		return false;
	return take(p, word);
}

/* A type's name begins with a capital and has no "_"; a field's may have, but single and inside. */
static void take_name(struct idl *p, char *name, bool capital)
{
	size_t n = 0;

	skip(p);
	while (isalnum((unsigned char)p->pos[n]) || (!capital && p->pos[n] == '_'))
		n++;
	if (!n || n >= NAME_MAX_ || !(capital ? isupper((unsigned char)*p->pos) :
				      isalpha((unsigned char)*p->pos))) {
		fault(p, p->line, "no name: \"%.20s\"", p->pos);
		return;
	}
	memcpy(name, p->pos, n);
	name[n] = 0;
	if (strstr(name, "__") || name[n - 1] == '_')
		fault(p, p->line, "no name: \"%s\"", name);
	p->pos += n;
}

/* example.sub-domain.Name: two parts or more of letters and digits, with "-" inside. */
static void take_interface_name(struct idl *p)
{
	size_t n, parts = 0, begin = 0;

	skip(p);
	for (n = 0; isalnum((unsigned char)p->pos[n]) || p->pos[n] == '.' || p->pos[n] == '-';
	     n++) {
		if (p->pos[n] != '.')
			continue;
		parts++;
		if (n == begin || p->pos[begin] == '-' || p->pos[n - 1] == '-')
			parts = SIZE_MAX / 2;
		begin = n + 1;
	}
	if (!parts || parts > 100 || n == begin || p->pos[begin] == '-' || p->pos[n - 1] == '-' ||
	    n >= sizeof(p->name) || !isalpha((unsigned char)*p->pos)) {
		fault(p, p->line, "no interface's name: \"%.20s\"", p->pos);
		return;
	}
	memcpy(p->name, p->pos, n);
	p->pos += n;
}

static bool take_body(struct idl *p, struct item *item);

static int take_type(struct idl *p, char *named)
{
	static const struct {
		const char *word;
		int type;
	} words[] = {
		{ "bool", VARLINK_BOOL }, { "int", VARLINK_INT }, { "float", VARLINK_FLOAT },
		{ "string", VARLINK_STRING }, { "object", VARLINK_OBJECT },
	};
	char ignored[NAME_MAX_];
	int type;

	if (take(p, "[string]")) {
		take(p, "?");
		take_type(p, ignored);
		return VARLINK_OBJECT;
	}
	if (take(p, "[]")) {
		if (take(p, "?")) {
			take_type(p, ignored);
			return VARLINK_ARRAY;
		}
		type = take_type(p, ignored);
		return type == VARLINK_STRING && !*ignored ? VARLINK_STRINGS : VARLINK_ARRAY;
	}
	*named = 0;
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		if (take_word(p, words[i].word))
			return words[i].type;
	}
	if (is_next(p, "(")) {
		bool is_enum = take_body(p, NULL);

		if (is_enum)
			strcpy(named, "?");
		return is_enum ? VARLINK_STRING : VARLINK_OBJECT;
	}
	take_name(p, named, true);
	if (!p->failed && p->nr_used < ITEMS) {
		strcpy(p->used[p->nr_used].name, named);
		p->used[p->nr_used++].line = p->line;
	}
	return NAMED;
}

/* (a: type, ...) or (a, b, ...). Whether it is the latter. */
static bool take_body(struct idl *p, struct item *item)
{
	char seen[FIELDS][NAME_MAX_];
	unsigned int nr = 0;
	bool is_enum = false;
	struct field *f, ignored;

	expect(p, "(");
	if (take(p, ")"))
		return false;
	do {
		if (nr == FIELDS) {
			fault(p, p->line, "too many fields for this reader");
			return false;
		}
		f = item ? &item->fields[nr] : &ignored;
		take_name(p, f->name, false);
		if (p->failed)
			return false;
		for (unsigned int i = 0; i < nr; i++) {
			if (!strcmp(seen[i], f->name))
				fault(p, p->line, "\"%s\" twice", f->name);
		}
		strcpy(seen[nr++], f->name);
		if (nr == 1)
			is_enum = !is_next(p, ":");
		if (!is_enum) {
			expect(p, ":");
			f->optional = take(p, "?");
			f->type = take_type(p, f->named);
		}
	} while (take(p, ","));
	expect(p, ")");
	if (item)
		item->nr = nr;
	return is_enum;
}

static void take_item(struct idl *p)
{
	struct item *item = &p->items[p->nr++];

	if (take_word(p, "method"))
		item->kind = 'm';
	else if (take_word(p, "type"))
		item->kind = 't';
	else if (take_word(p, "error"))
		item->kind = 'e';
	else
		fault(p, p->line, "\"%.20s\"", p->pos);
	take_name(p, item->name, true);
	item->line = p->line;
	item->is_enum = take_body(p, item);
	if (item->is_enum && item->kind != 't')
		fault(p, p->line, "\"%s\" has no types", item->name);
	if (item->kind == 'm') {
		expect(p, "->");
		if (take_body(p, NULL))
			fault(p, p->line, "what \"%s\" returns has no types", item->name);
	}
	for (unsigned int i = 0; i + 1 < p->nr; i++) {
		if (!strcmp(p->items[i].name, item->name))
			fault(p, item->line, "\"%s\" is defined in line %u", item->name,
			      p->items[i].line);
	}
}

static const struct item *find(const struct idl *p, char kind, const char *name)
{
	for (unsigned int i = 0; i < p->nr; i++) {
		if (p->items[i].kind == kind && !strcmp(p->items[i].name, name))
			return &p->items[i];
	}
	return NULL;
}

static void check_params(struct idl *p, const struct item *item, const struct varlink_method *m)
{
	unsigned int nr = 0;

	for (const struct varlink_param *param = m->params; param && param->name; param++, nr++) {
		const struct field *f = item->fields;
		int type;

		while (f < item->fields + item->nr && strcmp(f->name, param->name))
			f++;
		if (f == item->fields + item->nr) {
			fault(p, item->line, "%s has no \"%s\"", m->name, param->name);
			return;
		}
		type = f->type;
		if (type == NAMED)
			type = find(p, 't', f->named)->is_enum ? VARLINK_STRING : VARLINK_OBJECT;
		if (type != (int)param->type || f->optional != param->optional)
			fault(p, item->line, "%s: \"%s\" is of another type", m->name, param->name);
	}
	if (nr != item->nr)
		fault(p, item->line, "%s: %u parameters in the table", m->name, nr);
}

static void check_tables(struct idl *p, const struct varlink_interface *i)
{
	unsigned int methods = 0, described = 0;

	if (strcmp(i->name, p->name))
		fault(p, 1, "it is %s", i->name);
	for (const struct varlink_method *m = i->methods; m->name; m++, methods++) {
		const struct item *item = find(p, 'm', m->name);

		if (item)
			check_params(p, item, m);
		else
			fault(p, p->line, "no method %s", m->name);
	}
	for (unsigned int n = 0; n < p->nr; n++)
		described += p->items[n].kind == 'm';
	if (methods != described)
		fault(p, p->line, "%u methods in the table", methods);
}

int idl_check(const char *text, const struct varlink_interface *i, char *why, size_t size)
{
	struct idl *p = calloc(1, sizeof(*p));
	int err;

	p->pos = text;
	p->line = 1;
	p->why = why;
	p->size = size;
	if (!take_word(p, "interface"))
		fault(p, p->line, "no interface");
	take_interface_name(p);
	for (skip(p); *p->pos && !p->failed; skip(p)) {
		if (p->nr == ITEMS || p->nr_used == ITEMS)
			fault(p, p->line, "too much for this reader");
		else
			take_item(p);
	}
	for (unsigned int n = 0; n < p->nr_used; n++) {
		if (!find(p, 't', p->used[n].name))
			fault(p, p->used[n].line, "no type %s", p->used[n].name);
	}
	if (i && !p->failed)
		check_tables(p, i);
	err = p->failed ? -1 : 0;
	free(p);
	return err;
}
