// SPDX-License-Identifier: GPL-2.0-only
/*
 * One text of a unit: sections and assignments. As systemd does, what is unknown or wrong is told
 * of with file, line and key and then ignored; only what would make a command run otherwise than
 * meant (a bad Exec line, User=, WorkingDirectory=) keeps the unit from being started.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "private.h"

static void vsay(const struct unit_options *opt, enum severity severity, const char *file,
		 unsigned int line, const char *fmt, va_list ap)
{
	char text[600];

	vsnprintf(text, sizeof(text), fmt, ap);
	/* What came of a hostile file is not to reach a terminal as it is. */
	for (char *s = text; *s; s++)
		if ((unsigned char)*s < ' ' || *s == 0x7f)
			*s = '?';
	if (opt->say)
		opt->say(opt->arg, severity, file, line, text);
}

void say(const struct unit_options *opt, enum severity severity, const char *file,
	 unsigned int line, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsay(opt, severity, file, line, fmt, ap);
	va_end(ap);
}

/* Of the line that is read. */
void remark(struct parser *p, enum severity severity, const char *fmt, ...)
{
	va_list ap;

	if (p->install_only || ++p->said > SAY_MAX + 1)
		return;
	if (p->said > SAY_MAX) {
		say(p->opt, SAY_WARNING, p->path, p->where.line,
		    "more is wrong with this file than is told of");
		return;
	}
	va_start(ap, fmt);
	vsay(p->opt, severity, p->path, p->where.line, fmt, ap);
	va_end(ap);
}

static const char *const section_names[] = {
	[IN_UNIT] = "Unit", [IN_INSTALL] = "Install", [IN_SERVICE] = "Service",
	[IN_TIMER] = "Timer", [IN_SOCKET] = "Socket",
};

#define OUTSIDE		-1
#define NOT_READ	-2

/* The section that a kind of unit has of its own. */
static int own_section(enum unit_kind kind)
{
	switch (kind) {
	case UNIT_SERVICE:
		return IN_SERVICE;
	case UNIT_TIMER:
		return IN_TIMER;
	case UNIT_SOCKET:
		return IN_SOCKET;
	default:
		return OUTSIDE;
	}
}

/* The section that begins in @line, or NOT_READ. */
static void enter_section(struct parser *p, char *line, int *section)
{
	size_t len = strlen(line);
	int n;

	*section = NOT_READ;
	if (line[len - 1] != ']' || line[1 + strcspn(line + 1, "[\"'\\")] != '\0') {
		remark(p, SAY_ERROR, "%.60s: expected [Section]; the unit cannot be started", line);
		mark_bad(p->file, "a malformed section");
		return;
	}
	line[len - 1] = '\0';
	line++;
	n = choice(section_names, ARRAY_SIZE(section_names), line);
	if (n == IN_UNIT || n == IN_INSTALL || (n >= 0 && n == own_section(p->file->f.kind)))
		*section = n;
	else if (strncmp(line, "X-", 2))
		remark(p, SAY_WARNING, "[%.60s]: not a section of a %s, ignored", line,
		       unit_kind_suffix(p->file->f.kind));
}

/* Keys of commands are in services' and in sockets' own sections. */
static bool is_in(const struct key *key, int section)
{
	if (key->place == IN_EXEC || key->place == IN_KILL)
		return section == IN_SERVICE || section == IN_SOCKET;
	if (key->place == IN_SERVICE_OLD || key->place == IN_MORE)
		return section == IN_SERVICE;
	return key->place == section;
}

static const struct key *key_find(const struct parser *p, int section, const char *name)
{
	for (size_t i = 0; i < nr_keys; i++)
		if (is_in(&keys[i], section) && !strcmp(keys[i].name, name))
			return keys[i].note == NOTE_SPELLING && !p->opt->compat ? NULL : &keys[i];
	return NULL;
}

/* Where a key would be known that is not known here. */
static const char *misplaced(const struct parser *p, const char *name)
{
	for (int section = 0; section < (int)ARRAY_SIZE(section_names); section++)
		if (key_find(p, section, name))
			return section_names[section];
	return NULL;
}

static void tell_unknown(struct parser *p, const char *name, int section)
{
	const char *elsewhere = misplaced(p, name);

	/* What is marked as somebody else's. */
	if (!strncmp(name, "X-", 2))
		return;
	if (elsewhere)
		remark(p, SAY_WARNING, "%.60s=: belongs to [%s], not to [%s]; ignored", name,
		       elsewhere, section_names[section]);
	else
		remark(p, SAY_WARNING, "%.60s=: not a key that is known in [%s], ignored", name,
		       section_names[section]);
}

/* Once in each file. */
static void tell_of_note(struct parser *p, const struct key *key)
{
	uint8_t *seen = &p->seen[key - keys];

	if (*seen || p->opt->quiet_ignored)
		return;
	if (key->note == NOTE_IGNORED)
		remark(p, SAY_WARNING, "%s=: accepted, means nothing here, ignored", key->name);
	else if (key->note == NOTE_SANDBOX)
		remark(p, SAY_WARNING, "%s=: accepted, not enforced", key->name);
	*seen = 1;
}

static void tell_of_value(struct parser *p, const struct key *key, const char *value,
			  enum verdict verdict)
{
	const char *then = verdict == VALUE_FATAL ? "the unit cannot be started" : "ignored";
	char list[300] = "";

	if (values[key->value]->expected) {
		remark(p, SAY_ERROR, "%s=%.150s: expected %s; %s", key->name, value,
		       values[key->value]->expected, then);
		return;
	}
	for (size_t i = 0, len = 0; values[key->value]->names[i] && len < sizeof(list); i++)
		len += snprintf(list + len, sizeof(list) - len, "%s%s",
				!i ? "" : values[key->value]->names[i + 1] ? ", " : " or ",
				values[key->value]->names[i]);
	remark(p, SAY_ERROR, "%s=%.150s: expected %s; %s", key->name, value, list, then);
}

static void assign(struct parser *p, int section, char *line)
{
	char *equals = strchr(line, '='), *name, *value, *copy;
	struct condition c;
	struct key condition;
	const struct key *key;
	enum verdict verdict;

	if (!equals || equals == line) {
		remark(p, SAY_ERROR, "%.60s: expected KEY=VALUE; ignored", line);
		return;
	}
	*equals = '\0';
	name = strip(line);
	value = strip(equals + 1);
	key = key_find(p, section, name);
	if (!key && section == IN_UNIT && condition_of_key(name, &c)) {
		condition = (struct key){ .value = V_condition };
		snprintf(condition.name, sizeof(condition.name), "%s", name);
		key = &condition;
	}
	if (!key) {
		tell_unknown(p, name, section);
		return;
	}
	if (key->note == NOTE_IGNORED || key->note == NOTE_SANDBOX)
		tell_of_note(p, key);
	if (key->value == V_ANY)
		return;
	/* Some take it apart. */
	copy = xasprintf("%.150s", value);
	verdict = values[key->value]->parse(p, key, value);
	if (verdict == VALUE_IGNORED || verdict == VALUE_FATAL)
		tell_of_value(p, key, copy, verdict);
	if (verdict == VALUE_FATAL)
		mark_bad(p->file, key->name);
	free(copy);
}

static void parse_line(struct parser *p, char *line, int *section)
{
	if (!utf8_valid(line)) {
		remark(p, SAY_ERROR, "expected UTF-8; ignored");
		return;
	}
	if (*line == '[')
		enter_section(p, line, section);
	else if (*section == OUTSIDE)
		remark(p, SAY_WARNING, "assignment outside of a section, ignored");
	else if (*section != NOT_READ && (!p->install_only || *section == IN_INSTALL))
		assign(p, *section, line);
}

/*
 * Reads @text, @len bytes and a NUL, which is overwritten. False if it is no text at all.
 */
bool parse_text(struct parser *p, char *text, size_t len)
{
	struct lines lines = { .pos = text };
	const char *nul = memchr(text, '\0', len);
	int section = OUTSIDE;
	unsigned int nr;
	char *line;

	p->where.line = 0;
	p->said = 0;
	if (nul) {
		for (p->where.line = 1; (text = memchr(text, '\n', nul - text)); text++)
			p->where.line++;
		remark(p, SAY_ERROR, "a NUL byte: not a text file; the unit cannot be started");
		mark_bad(p->file, "not a text file");
		return false;
	}
	if (!strncmp(text, "\xef\xbb\xbf", 3))
		lines.pos += 3;
	p->scratch = xcalloc(len + 16, 1);
	p->seen = xcalloc(nr_keys, 1);
	while ((line = lines_next(&lines, &nr))) {
		p->where.line = nr;
		parse_line(p, line, &section);
		if (p->file->f.bad && p->file->arena.used > ARENA_MAX)
			break;
	}
	free(p->scratch);
	free(p->seen);
	return true;
}
