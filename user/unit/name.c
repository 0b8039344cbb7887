// SPDX-License-Identifier: GPL-2.0-only
/* Names of units: what is one, templates and their instances, escaping; systemd.unit(5). */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "private.h"

#define NAME_LENGTH_MAX	255

static const char *const suffixes[] = {
	[UNIT_SERVICE] = "service", [UNIT_TARGET] = "target", [UNIT_TIMER] = "timer",
	[UNIT_SOCKET] = "socket",
	/* the foreign ones */
	"mount", "automount", "swap", "path", "slice", "scope", "device",
};

const char *unit_kind_suffix(enum unit_kind kind)
{
	return kind < UNIT_KINDS ? suffixes[kind] : NULL;
}

static bool valid_char(char c)
{
	return isalnum((unsigned char)c) || (c && strchr(":-_.\\", c));
}

enum unit_kind unit_name_kind(const char *name)
{
	const char *dot = strrchr(name, '.'), *s;
	int kind;

	if (!dot || dot == name || *name == '@' || strlen(name) > NAME_LENGTH_MAX)
		return UNIT_NOT_A_NAME;
	for (s = name; s < dot; s++)
		if (!valid_char(*s) && *s != '@')
			return UNIT_NOT_A_NAME;
	kind = choice(suffixes, ARRAY_SIZE(suffixes), dot + 1);
	if (kind < 0)
		return UNIT_NOT_A_NAME;
	return kind < UNIT_KINDS ? (enum unit_kind)kind : UNIT_FOREIGN;
}

bool unit_name_ok(const char *name)
{
	return unit_name_kind(name) != UNIT_NOT_A_NAME;
}

/* Of a valid name: how much of it stands before "@", and the instance; false: none has it. */
static bool has_at(const char *name, size_t *before, size_t *instance)
{
	const char *at = strchr(name, '@');

	if (!at || !unit_name_ok(name))
		return false;
	*before = at - name;
	*instance = strrchr(name, '.') - at - 1;
	return true;
}

bool unit_name_is_template(const char *name)
{
	size_t before, instance;

	return has_at(name, &before, &instance) && !instance;
}

bool unit_name_is_instance(const char *name)
{
	size_t before, instance;

	return has_at(name, &before, &instance) && instance;
}

char *unit_name_template(const char *name)
{
	size_t before, instance;

	if (!has_at(name, &before, &instance) || !instance)
		return NULL;
	return xasprintf("%.*s@%s", (int)before, name, name + before + 1 + instance);
}

char *unit_name_instantiate(const char *template, const char *instance)
{
	size_t before, none;
	char *name;

	if (!has_at(template, &before, &none) || none)
		return NULL;
	name = xasprintf("%.*s@%s%s", (int)before, template, instance, template + before + 1);
	if (unit_name_is_instance(name))
		return name;
	free(name);
	return NULL;
}

char *unit_name_escape(const char *s)
{
	char *out = xcalloc(strlen(s) * 4 + 1, 1), *o = out;
	bool first = true;

	for (; *s; s++, first = false) {
		if (*s == '/')
			*o++ = '-';
		else if ((first && *s == '.') || *s == '-' || *s == '\\' || !valid_char(*s))
			o += sprintf(o, "\\x%02x", (unsigned char)*s);
		else
			*o++ = *s;
	}
	return out;
}

static int hex_value(char c)
{
	return isdigit((unsigned char)c) ? c - '0' : (c | 0x20) - 'a' + 10;
}

char *unit_name_unescape(const char *s)
{
	char *out = xcalloc(strlen(s) + 1, 1), *o = out;

	for (; *s; s++) {
		if (*s == '-') {
			*o++ = '/';
		} else if (*s != '\\') {
			*o++ = *s;
		} else {
			if (s[1] != 'x' || !isxdigit((unsigned char)s[2]) ||
			    !isxdigit((unsigned char)s[3])) {
				free(out);
				return NULL;
			}
			*o++ = hex_value(s[2]) << 4 | hex_value(s[3]);
			s += 3;
		}
	}
	return out;
}

char *unit_name_escape_path(const char *path)
{
	char *copy = xasprintf("/%s", path), *escaped = NULL;

	if (simplify_path(copy))
		escaped = copy[1] ? unit_name_escape(copy + 1) : xstrdup("-");
	free(copy);
	return escaped;
}

char *unit_name_unescape_path(const char *s)
{
	char *plain = !strcmp(s, "-") ? xstrdup("") : unit_name_unescape(s), *path, *same;

	if (!plain || (!*plain && *s != '-')) {
		free(plain);
		return NULL;
	}
	path = xasprintf("/%s", plain);
	free(plain);
	/* What no path is escaped to stands for none. */
	same = xstrdup(path);
	if (!simplify_path(same) || strcmp(same, path)) {
		free(path);
		path = NULL;
	}
	free(same);
	return path;
}

char *unit_name_mangle(const char *s)
{
	char *name, *escaped;

	if (unit_name_ok(s))
		return xstrdup(s);
	if (*s == '/') {
		escaped = unit_name_escape_path(s);
		name = escaped ? xasprintf("%s.mount", escaped) : NULL;
		free(escaped);
	} else {
		name = *s ? xasprintf("%s.service", s) : NULL;
	}
	if (name && unit_name_ok(name))
		return name;
	free(name);
	return NULL;
}
