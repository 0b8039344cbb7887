// SPDX-License-Identifier: GPL-2.0-only
/* Values of systemd.exec(5): what a command reads and writes, and its directories. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "private.h"

/* The words for both directions and those for one; key->arg is the descriptor. */
#define FOR_INPUT	1
#define FOR_OUTPUT	2

static const struct {
	const char *name;
	uint8_t direction, kind, tty_mode;
	bool console;
} stdio_words[] = {
	{ "null", FOR_INPUT | FOR_OUTPUT, STDIO_NULL, 0, false },
	{ "tty", FOR_INPUT | FOR_OUTPUT, STDIO_TTY, TTY_WAIT, false },
	{ "tty-force", FOR_INPUT, STDIO_TTY, TTY_FORCE, false },
	{ "tty-fail", FOR_INPUT, STDIO_TTY, TTY_FAIL, false },
	{ "socket", FOR_INPUT | FOR_OUTPUT, STDIO_SOCKET, 0, false },
	{ "fd", FOR_INPUT | FOR_OUTPUT, STDIO_FD, 0, false },
	{ "data", FOR_INPUT, STDIO_DATA, 0, false },
	{ "inherit", FOR_OUTPUT, STDIO_INHERIT, 0, false },
	{ "journal", FOR_OUTPUT, STDIO_LOG, 0, false },
	{ "syslog", FOR_OUTPUT, STDIO_LOG, 0, false },
	{ "kmsg", FOR_OUTPUT, STDIO_LOG, 0, false },
	{ "journal+console", FOR_OUTPUT, STDIO_LOG, 0, true },
	{ "syslog+console", FOR_OUTPUT, STDIO_LOG, 0, true },
	{ "kmsg+console", FOR_OUTPUT, STDIO_LOG, 0, true },
};

static bool take_prefix(char **value, const char *prefix)
{
	size_t len = strlen(prefix);

	if (strncmp(*value, prefix, len))
		return false;
	*value += len;
	return true;
}

/* fd:NAME file:PATH append:PATH truncate:PATH */
static enum verdict take_stdio_argument(struct parser *p, const struct key *key, char *value)
{
	struct stdio *stdio = FIELD(p, key, struct stdio), new = { 0 };

	if (take_prefix(&value, "fd:")) {
		new.kind = STDIO_FD;
		new.path = expand(p, value);
		if (!new.path || !*new.path || strchr(new.path, ':'))
			return VALUE_IGNORED;
	} else {
		if (take_prefix(&value, "file:"))
			new.kind = STDIO_FILE;
		else if (key->arg && take_prefix(&value, "append:"))
			new.kind = STDIO_APPEND;
		else if (key->arg && take_prefix(&value, "truncate:"))
			new.kind = STDIO_TRUNCATE;
		else
			return VALUE_IGNORED;
		new.path = expand_path(p, value, true);
		if (!new.path)
			return VALUE_IGNORED;
	}
	*stdio = new;
	return VALUE_OK;
}

static enum verdict take_stdio(struct parser *p, const struct key *key, char *value)
{
	static const char *const fd_names[] = { "stdin", "stdout", "stderr" };
	uint8_t direction = key->arg ? FOR_OUTPUT : FOR_INPUT;

	for (size_t i = 0; i < ARRAY_SIZE(stdio_words); i++) {
		if (strcmp(value, stdio_words[i].name) || !(stdio_words[i].direction & direction))
			continue;
		*FIELD(p, key, struct stdio) = (struct stdio){
			.kind = stdio_words[i].kind, .tty_mode = stdio_words[i].tty_mode,
			.console = stdio_words[i].console,
			.path = stdio_words[i].kind == STDIO_FD ? fd_names[key->arg] : NULL,
		};
		if (stdio_words[i].console && !p->opt->quiet_ignored)
			remark(p, SAY_WARNING, "%s=%s: +console means nothing here, ignored",
			       key->name, value);
		return VALUE_OK;
	}
	return take_stdio_argument(p, key, value);
}
VALUE(value_stdin, take_stdio, .expected =
	"null, tty, tty-force, tty-fail, socket, data, file:PATH or fd:NAME");
VALUE(value_stdout, take_stdio, .expected =
	"inherit, null, tty, journal, kmsg, socket, file:PATH, append:PATH, truncate:PATH, "
	"fd:NAME");

/* The room of what is @len bytes long; it doubles. */
static size_t data_room(size_t len)
{
	size_t room = 64;

	while (room < len)
		room *= 2;
	return room;
}

static void add_data(struct parser *p, const char *bytes, size_t len)
{
	struct exec_context *e = place_base(p->file, IN_EXEC);
	size_t room = data_room(e->data_len + len);
	char *data = (char *)e->data;

	if (!data || room > data_room(e->data_len)) {
		data = arena_alloc(&p->file->arena, room);
		if (e->data)
			memcpy(data, e->data, e->data_len);
		e->data = data;
	}
	memcpy(data + e->data_len, bytes, len);
	e->data_len += len;
}

static void drop_data(struct parser *p)
{
	struct exec_context *e = place_base(p->file, IN_EXEC);

	e->data = NULL;
	e->data_len = 0;
}

static enum verdict take_input_text(struct parser *p, const struct key *key, char *value)
{
	char *text;

	(void)key;
	if (!*value) {
		drop_data(p);
		return VALUE_OK;
	}
	if (unescape_line(value, p->scratch))
		return VALUE_IGNORED;
	text = expand(p, p->scratch);
	if (!text)
		return VALUE_SAID;
	add_data(p, text, strlen(text));
	add_data(p, "\n", 1);
	return VALUE_OK;
}
VALUE(value_input_text, take_input_text, .expected = "text, every escape known");

static int base64_value(char c)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *p = c ? strchr(digits, c) : NULL;

	return p ? p - digits : -1;
}

static enum verdict take_input_data(struct parser *p, const struct key *key, char *value)
{
	unsigned char *out = (unsigned char *)p->scratch;
	size_t digits = 0, len = 0, pad = 0;
	uint32_t bits = 0;

	(void)key;
	if (!*value) {
		drop_data(p);
		return VALUE_OK;
	}
	for (const char *s = value; *s; s++) {
		int v = base64_value(*s);

		if (strchr(BLANKS, *s))
			continue;
		pad += *s == '=';
		if ((v < 0 && *s != '=') || (v >= 0 && pad))
			return VALUE_IGNORED;
		bits = bits << 6 | (v < 0 ? 0 : v);
		if (++digits % 4)
			continue;
		out[len++] = bits >> 16;
		out[len++] = bits >> 8;
		out[len++] = bits;
	}
	if (digits % 4 || pad > 2)
		return VALUE_IGNORED;
	add_data(p, p->scratch, len - pad);
	return VALUE_OK;
}
VALUE(value_input_data, take_input_data, .expected = "Base64");

VALUE(value_tty_size, take_ranged, .max = 65535, .expected = "a number from 0 to 65535");

/* key->arg: enum exec_dir */
static struct dirs *dirs_of(struct parser *p, const struct key *key)
{
	struct exec_context *e = place_base(p->file, IN_EXEC);
	struct dirs *dirs = (struct dirs *)e->dirs[key->arg];

	if (!dirs) {
		dirs = arena_alloc(&p->file->arena, sizeof(*dirs));
		dirs->mode = 0755;
		e->dirs[key->arg] = dirs;
	}
	return dirs;
}

/* A relative path that stays below where it begins, simplified; NULL: it is none. */
static char *relative(struct parser *p, const char *s)
{
	char *path = expand_path(p, s, false);

	return path && *path && *path != '/' && !strchr(path, ':') ? path : NULL;
}

static enum verdict add_dir(struct parser *p, const struct key *key, char *word)
{
	struct dirs *dirs = dirs_of(p, key);
	char *colon = strchr(word, ':'), *name, *link = NULL;

	if (colon)
		*colon = '\0';
	name = relative(p, word);
	if (name && colon)
		link = relative(p, colon + 1);
	if (colon)
		*colon = ':';
	if (!name || (colon && (!link || key->arg == DIR_CONFIGURATION)))
		return VALUE_IGNORED;
	dirs->links = arena_grow(&p->file->arena, dirs->links, dirs->names.nr,
				 sizeof(*dirs->links));
	dirs->links[dirs->names.nr] = link;
	arena_add(&p->file->arena, &dirs->names, name);
	return VALUE_OK;
}

static enum verdict take_dirs(struct parser *p, const struct key *key, char *value)
{
	if (!*value)
		strv_reset(&dirs_of(p, key)->names);
	return each_word(p, key, value, ESCAPES_STRICT, add_dir);
}
VALUE(value_dirs, take_dirs, .expected = "relative paths without \"..\", or PATH:SYMLINK");

static enum verdict take_dir_mode(struct parser *p, const struct key *key, char *value)
{
	return parse_mode(value, &dirs_of(p, key)->mode) ? VALUE_IGNORED : VALUE_OK;
}
VALUE(value_dir_mode, take_dir_mode, .expected = "octal digits of at most 7777");
