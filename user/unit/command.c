// SPDX-License-Identifier: GPL-2.0-only
/* Command lines: systemd.service(5). */
#include <string.h>

#include "private.h"

/* The prefixes of the first word, each once; returns what is left of it. */
static const char *take_prefixes(const char *word, unsigned int *flags, bool *argv0)
{
	const unsigned int credentials = CMD_PRIVILEGED | CMD_NO_SETUID;
	bool twice = false;

	*flags = 0;
	*argv0 = false;
	for (;; word++) {
		if (*word == '-' && !(*flags & CMD_IGNORE_FAILURE))
			*flags |= CMD_IGNORE_FAILURE;
		else if (*word == '@' && !*argv0)
			*argv0 = true;
		else if (*word == ':' && !(*flags & CMD_NO_EXPAND))
			*flags |= CMD_NO_EXPAND;
		else if (*word == '+' && !(*flags & credentials) && !twice)
			*flags |= CMD_PRIVILEGED;
		else if (*word == '!' && !(*flags & credentials) && !twice)
			*flags |= CMD_NO_SETUID;
		else if (*word == '|' && !(*flags & CMD_SHELL))
			*flags |= CMD_SHELL;
		else if (*word == '!' && *flags & CMD_NO_SETUID)
			/* For kernels without ambient capabilities, which this is not for. */
			*flags &= ~CMD_NO_SETUID, twice = true;
		else
			return word;
	}
}

/* "\;" is a semicolon, ";" alone ends the command. */
static bool take_semicolon(const char **s, bool *escaped)
{
	const char *p = *s + strspn(*s, BLANKS);

	*escaped = *p == '\\';
	p += *escaped;
	if (*p != ';' || (p[1] && !strchr(BLANKS, p[1])))
		return false;
	*s = p + 1;
	return true;
}

/* The arguments up to the end or a lone ";"; -1 if one is malformed. */
static int take_args(struct parser *p, const char **s, struct strv *argv)
{
	bool escaped;
	char *arg;
	int ret;

	for (;;) {
		if (take_semicolon(s, &escaped)) {
			if (!escaped)
				return 0;
			arena_add(&p->file->arena, argv, arena_str(&p->file->arena, ";"));
			continue;
		}
		ret = next_word(p, s, ESCAPES_RELAXED);
		if (!ret)
			return 0;
		arg = ret > 0 ? expand(p, p->scratch) : NULL;
		if (!arg)
			return -1;
		arena_add(&p->file->arena, argv, arg);
	}
}

/* A program is an absolute path, or a name to be looked up in a search path. */
static bool program_ok(const char *s)
{
	size_t len = strlen(s);

	for (const char *c = s; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f || strchr("\"'\\", *c))
			return false;
	if (!len || len >= 4096 || s[len - 1] == '/' || !utf8_valid(s))
		return false;
	if (len > 1 && !strcmp(s + len - 2, "/."))
		return false;
	return *s == '/' || (!strchr(s, '/') && strcmp(s, ".") && strcmp(s, ".."));
}

/* 0; -1: it is malformed; 1: and that does not matter, as it may fail. */
static int take_command(struct parser *p, const char **s, struct command *cmd)
{
	const char *program;
	bool argv0, mayfail;

	*cmd = (struct command){ .where = p->where };
	if (next_word(p, s, ESCAPES_RELAXED) <= 0)
		return -1;
	program = take_prefixes(p->scratch, &cmd->flags, &argv0);
	mayfail = cmd->flags & CMD_IGNORE_FAILURE;
	cmd->path = expand(p, program);
	if (!cmd->path || !*cmd->path || !(program_ok(cmd->path) || cmd->flags & CMD_SHELL))
		return mayfail ? 1 : -1;
	if (!argv0)
		arena_add(&p->file->arena, &cmd->argv, arena_str(&p->file->arena, cmd->path));
	if (!(cmd->flags & CMD_SHELL))
		simplify_path(cmd->path);
	if (take_args(p, s, &cmd->argv) || !cmd->argv.nr)
		return mayfail ? 1 : -1;
	return 0;
}

static const char a_command[] =
	"an absolute path or a program's name, with its arguments, every quote closed";

static struct commands *list_of(struct parser *p, const struct commands **field)
{
	/* One that is empty may be everyone's. */
	if (!(*field)->nr)
		*field = arena_alloc(&p->file->arena, sizeof(**field));
	return (struct commands *)*field;
}

/* key->arg: enum exec_kind; the field is the array of all kinds */
static enum verdict take_commands(struct parser *p, const struct key *key, char *value)
{
	const struct commands **field = FIELD(p, key, const struct commands *) + key->arg;
	struct commands *list;
	const char *s = value;
	struct command cmd;
	bool escaped;
	int ret;

	if (!*value)
		*field = &no_commands;
	while (*s) {
		if (take_semicolon(&s, &escaped) && !escaped) {
			s += strspn(s, BLANKS);
			continue;
		}
		ret = take_command(p, &s, &cmd);
		if (ret)
			return ret < 0 ? VALUE_FATAL : VALUE_IGNORED;
		list = list_of(p, field);
		list->v = arena_grow(&p->file->arena, list->v, list->nr, sizeof(*list->v));
		list->v[list->nr++] = cmd;
		s += strspn(s, BLANKS);
	}
	return VALUE_OK;
}
VALUE(value_command, take_commands, .expected = a_command);

/* One command, without prefixes that speak of its failure. */
static enum verdict take_logger(struct parser *p, const struct key *key, char *value)
{
	const struct command **field = FIELD(p, key, const struct command *);
	struct command cmd, *copy;
	const char *s = value;

	*field = NULL;
	if (!*value)
		return VALUE_OK;
	if (take_command(p, &s, &cmd) || s[strspn(s, BLANKS)])
		return VALUE_FATAL;
	copy = arena_alloc(&p->file->arena, sizeof(*copy));
	*copy = cmd;
	*field = copy;
	return VALUE_OK;
}
VALUE(value_logger, take_logger, .expected = a_command);
