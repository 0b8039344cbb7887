// SPDX-License-Identifier: GPL-2.0-only
/* Environments: their files, and the variables in a command line. */
#include <stdlib.h>
#include <string.h>

#include "exec.h"

#define BLANKS " \t\n\r"

static const char *lookup(const struct strv *env, const char *name, size_t len)
{
	for (size_t i = 0; i < env->nr; i++)
		if (!strncmp(env->v[i], name, len) && env->v[i][len] == '=')
			return env->v[i] + len + 1;
	return NULL;
}

const char *env_get(const struct strv *env, const char *name)
{
	return lookup(env, name, strlen(name));
}

/* Takes over @assignment; the same name again replaces the former value. */
void env_put(struct strv *env, char *assignment)
{
	size_t len = strcspn(assignment, "=") + 1;

	for (size_t i = 0; i < env->nr; i++) {
		if (!strncmp(env->v[i], assignment, len)) {
			free(env->v[i]);
			env->v[i] = assignment;
			return;
		}
	}
	strv_add(env, assignment);
}

void env_set(struct strv *env, const char *name, const char *value)
{
	env_put(env, xasprintf("%s=%s", name, value));
}

/* @what: a name, or NAME=value and then only with that value. */
void env_unset(struct strv *env, const char *what)
{
	size_t len = strcspn(what, "="), kept = 0;

	for (size_t i = 0; i < env->nr; i++) {
		const char *v = env->v[i];
		bool hit = what[len] ? !strcmp(v, what) : !strncmp(v, what, len) && v[len] == '=';

		if (hit)
			free(env->v[i]);
		else
			env->v[kept++] = env->v[i];
	}
	if (env->nr)
		env->v[kept] = NULL;
	env->nr = kept;
}

/*
 * A value as a shell would read it, less its expansions, up to the end of the line:
 * appended to @out; returns where it ended.
 */
static const char *take_value(const char *s, char *out)
{
	char quote = 0, *o = out, *keep = out;

	s += strspn(s, " \t\r");
	for (; *s && (quote || *s != '\n'); s++) {
		if (*s == quote) {
			quote = 0;
			keep = o;
		} else if (!quote && (*s == '"' || *s == '\'')) {
			quote = *s;
		} else if (*s == '\\' && quote != '\'' && s[1]) {
			s++;
			/* Between double quotes few characters are special. */
			if (quote && !strchr("\"\\`$\n", *s))
				*o++ = '\\';
			if (*s != '\n')
				*o++ = *s;
			keep = o;
		} else {
			*o++ = *s;
			if (quote || !strchr(BLANKS, *s))
				keep = o;
		}
	}
	*keep = '\0';
	return s;
}

/*
 * Adds what an environment file says to @env. Returns the number of the first line that
 * is no assignment (such lines are passed over), 0 if there is none.
 */
unsigned int env_file(const char *text, struct strv *env)
{
	unsigned int line = 1, bad = 0;

	while (*text) {
		const char *begin = text + strspn(text, BLANKS);
		size_t name = strcspn(begin, "=\n"), len = name;
		char *assignment;

		for (; text < begin; text++)
			line += *text == '\n';
		if (!*begin)
			break;
		while (len && strchr(BLANKS, begin[len - 1]))
			len--;
		if (strchr("#;", *begin) || begin[name] != '=' || !env_name_ok(begin, len)) {
			if (!strchr("#;", *begin) && !bad)
				bad = line;
			text = begin + strcspn(begin, "\n");
			continue;
		}
		assignment = xcalloc(strlen(begin) + 1, 1);
		memcpy(assignment, begin, len);
		assignment[len] = '=';
		text = take_value(begin + name + 1, assignment + len + 1);
		for (; begin < text; begin++)
			line += *begin == '\n';
		env_put(env, assignment);
	}
	return bad;
}

/* "$NAME" alone: its words, perhaps none. */
static void expand_words(const char *value, struct strv *argv)
{
	char *word;

	while (word_next(&value, &word) > 0)
		strv_add(argv, word);
	/* An unclosed quote: what there is of it, as systemd does. */
	if (word)
		strv_add(argv, word);
}

/* The value of the "${NAME}" at *@s, which is moved behind it; NULL if there is none there. */
static const char *braces(const char **s, const struct strv *env)
{
	const char *name, *end, *value;

	if (strncmp(*s, "${", 2))
		return NULL;
	name = *s + 2;
	end = name + strcspn(name, "}");
	if (!*end || !env_name_ok(name, end - name))
		return NULL;
	value = lookup(env, name, end - name);
	*s = end + 1;
	return value ? value : "";
}

static char *expand_braces(const char *word, const struct strv *env)
{
	size_t room = strlen(word) + 1, len = 0;
	char *out = xcalloc(room, 1);

	while (*word) {
		const char *value = braces(&word, env);
		size_t n = value ? strlen(value) : 1;
		char *grown;

		if (!value) {
			if (!strncmp(word, "$$", 2))
				word++;
			value = word++;
		}
		if (len + n + strlen(word) + 1 > room) {
			room = (len + n + strlen(word) + 1) * 2;
			grown = xcalloc(room, 1);
			memcpy(grown, out, len);
			free(out);
			out = grown;
		}
		memcpy(out + len, value, n);
		len += n;
	}
	out[len] = '\0';
	return out;
}

/* The arguments of @cmd with its variables replaced; the program's name is never one. */
void env_expand(const struct command *cmd, const struct strv *env, struct strv *argv)
{
	for (size_t i = 0; i < cmd->argv.nr; i++) {
		const char *arg = cmd->argv.v[i], *value;

		if (!i || cmd->flags & CMD_NO_EXPAND) {
			strv_add(argv, xstrdup(arg));
		} else if (*arg == '$' && env_name_ok(arg + 1, strlen(arg + 1))) {
			value = lookup(env, arg + 1, strlen(arg + 1));
			expand_words(value ? value : "", argv);
		} else {
			strv_add(argv, expand_braces(arg, env));
		}
	}
}
