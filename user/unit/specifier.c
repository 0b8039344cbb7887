// SPDX-License-Identifier: GPL-2.0-only
/* Specifiers, % and a letter: what stands for something of the unit; machine.c has the others. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "private.h"

#define OF_MACHINE	"abAmBCEgGhHlLMoqsStTuUvVwW"
#define OF_UNIT		"nNpPiIfjJyYd"

/* What stands between @from and @to, copied, unescaped if asked for. */
static char *part(const char *from, const char *to, bool unescape)
{
	char *copy = xasprintf("%.*s", (int)(to - from), from), *plain;

	if (!unescape)
		return copy;
	plain = unit_name_unescape(copy);
	free(copy);
	return plain;
}

static char *as_path(const char *from, const char *to)
{
	char *copy = part(from, to, false), *path = unit_name_unescape_path(copy);

	free(copy);
	return path;
}

/* A copy of what stands for @c, NULL if nothing does. */
static char *of_unit(const struct unit_file *f, const char *path, char c)
{
	const char *name = f->name, *end = strrchr(name, '.'), *at = strchr(name, '@');
	const char *prefix = at ? at : end, *last = memrchr(name, '-', prefix - name);
	const char *instance = at ? at + 1 : end;

	switch (c) {
	case 'n':
		return xstrdup(name);
	case 'N':
		return part(name, end, false);
	case 'p':
	case 'P':
		return part(name, prefix, c == 'P');
	case 'i':
	case 'I':
		return part(instance, end, c == 'I');
	case 'j':
	case 'J':
		return part(last ? last + 1 : name, prefix, c == 'J');
	case 'f':
		return at && at + 1 < end ? as_path(at + 1, end) : as_path(name, prefix);
	case 'y':
		return path ? xstrdup(path) : NULL;
	case 'Y':
		return path ? part(path, strrchr(path, '/'), false) : NULL;
	default:
		return NULL;	/* %d: there are no credentials */
	}
}

/* What %@c is, NULL and told of if it cannot be had. *@own has to be freed. */
static const char *stands_for(struct parser *p, char c, char **own)
{
	const struct unit_file *f = &p->file->f;
	const char *text;

	*own = NULL;
	if (strchr(OF_MACHINE, c))
		text = machine_text(p->dirs, c);
	else if (!strchr(OF_UNIT, c))
		return remark(p, SAY_ERROR, "%%%c is no specifier (%%%% is a percent sign)",
			      c), NULL;
	else
		text = *own = of_unit(f, f->nr_sources ? f->sources[0] : NULL, c);
	if (!text)
		remark(p, SAY_ERROR, "%%%c: there is nothing that it could stand for", c);
	return text;
}

/* Appends to @out, or only counts if that is NULL; -1: it cannot be had. */
static ssize_t replace(struct parser *p, const char *s, char *out)
{
	size_t len = 0;

	for (; *s; s++) {
		const char *text = s;
		char *own = NULL;
		size_t size = 1;

		if (*s == '%' && s[1] == '%') {
			text = s++;
		} else if (*s == '%' && isalnum((unsigned char)s[1])) {
			text = stands_for(p, *++s, &own);
			if (!text)
				return -1;
			size = strlen(text);
		} else if (*s == '%' && out) {
			remark(p, SAY_WARNING, "a percent sign is better written as %%%%");
		}
		if (out)
			memcpy(out + len, text, size);
		len += size;
		free(own);
	}
	return len;
}

/* A copy of @s in the unit's arena, with what its specifiers stand for. */
char *expand(struct parser *p, const char *s)
{
	struct arena *a = &p->file->arena;
	ssize_t len = replace(p, s, NULL);
	char *out;

	if (len < 0)
		return NULL;
	if (a->used + len > ARENA_MAX) {
		remark(p, SAY_ERROR, "with all its specifiers replaced the unit is too large");
		mark_bad(p->file, "too large");
		return NULL;
	}
	out = arena_room(a, len);
	replace(p, s, out);
	return out;
}

/* As expand(), for a path, simplified; NULL (and not told of) if it is none, or has "..". */
char *expand_path(struct parser *p, const char *s, bool absolute)
{
	char *path = expand(p, s);

	if (!path || !*path || (absolute && *path != '/') || strlen(path) >= 4096 ||
	    !simplify_path(path))
		return NULL;
	return path;
}
