// SPDX-License-Identifier: GPL-2.0-only
/* The text of unit files: logical lines, words, escapes; systemd.syntax(7). */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "private.h"

/* Cuts blanks off both ends, in place. */
char *strip(char *s)
{
	char *end;

	s += strspn(s, BLANKS);
	end = s + strlen(s);
	while (end > s && strchr(BLANKS, end[-1]))
		end--;
	*end = '\0';
	return s;
}

/* An odd number of backslashes at its end: the line goes on in the next one. */
static bool continues(const char *start, const char *end)
{
	const char *p = end;

	while (p > start && p[-1] == '\\')
		p--;
	return (end - p) % 2;
}

/* The line at l->pos, without its end, which may be any of \n, \r and \r\n. */
static char *physical_line(struct lines *l)
{
	char *s = l->pos, *stop = s + strcspn(s, "\r\n");

	l->pos = stop + (*stop == '\r' && stop[1] == '\n') + !!*stop;
	l->line++;
	*stop = '\0';
	return s + strspn(s, BLANKS);
}

/*
 * The next logical line of the text at l->pos, which is overwritten: continued
 * lines joined by a blank, comments (also amid continued lines) and empty lines
 * left out. *@line is the number of its first line. NULL at the end.
 */
char *lines_next(struct lines *l, unsigned int *line)
{
	char *begin = NULL, *end = NULL;

	while (*l->pos) {
		char *s = physical_line(l);
		size_t len = strlen(s);

		if (*s == '#' || *s == ';')
			continue;
		if (!begin) {
			begin = end = s;
			*line = l->line;
		}
		memmove(end, s, len + 1);
		end += len;
		if (continues(begin, end)) {
			end[-1] = ' ';
			continue;
		}
		begin = strip(begin);
		if (*begin)
			return begin;
		begin = NULL;
	}
	if (!begin)
		return NULL;
	begin = strip(begin);
	return *begin ? begin : NULL;
}

static int hex_digits(const char *s, size_t nr, unsigned int base, uint32_t *value)
{
	uint32_t v = 0;

	for (size_t i = 0; i < nr; i++) {
		unsigned int c = (unsigned char)s[i], d;

		if (!isxdigit(c))
			return -1;
		d = isdigit(c) ? c - '0' : (c | 0x20) - 'a' + 10;
		if (d >= base)
			return -1;
		v = v * base + d;
	}
	*value = v;
	return v ? 0 : -1;
}

static size_t put_utf8(char *out, uint32_t c)
{
	if (c < 0x80) {
		out[0] = c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = 0xc0 | c >> 6;
		out[1] = 0x80 | (c & 0x3f);
		return 2;
	}
	if (c < 0x10000) {
		out[0] = 0xe0 | c >> 12;
		out[1] = 0x80 | (c >> 6 & 0x3f);
		out[2] = 0x80 | (c & 0x3f);
		return 3;
	}
	out[0] = 0xf0 | c >> 18;
	out[1] = 0x80 | (c >> 12 & 0x3f);
	out[2] = 0x80 | (c >> 6 & 0x3f);
	out[3] = 0x80 | (c & 0x3f);
	return 4;
}

static bool is_surrogate(uint32_t c)
{
	return c >= 0xd800 && c < 0xe000;
}

/* The length of the character at @s, 0 if it is none. */
static size_t utf8_length(const unsigned char *s)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t len = *s < 0x80 ? 1 : *s >> 5 == 6 ? 2 : *s >> 4 == 14 ? 3 : *s >> 3 == 30 ? 4 : 0;
	uint32_t c = *s & (len == 1 ? 0x7f : 0x7f >> len);

	for (size_t i = 1; i < len; i++) {
		if (s[i] >> 6 != 2)
			return 0;
		c = c << 6 | (s[i] & 0x3f);
	}
	if (!len || c < least[len] || c > 0x10ffff || is_surrogate(c))
		return 0;
	return len;
}

bool utf8_valid(const char *s)
{
	size_t len;

	for (; *s; s += len) {
		len = utf8_length((const unsigned char *)s);
		if (!len)
			return false;
	}
	return true;
}

/*
 * The escape after a backslash at @s. Returns how many characters it takes, 0 if
 * it is none (a NUL never is one); *@len is what it put to @out.
 */
static size_t unescape(const char *s, char *out, size_t *len)
{
	static const char from[] = "abfnrtv\\\"'s", to[] = "\a\b\f\n\r\t\v\\\"' ";
	const char *p = *s ? strchr(from, *s) : NULL;
	size_t digits = 0, skip = 1;
	uint32_t c;

	*len = 1;
	if (p) {
		*out = to[p - from];
		return 1;
	}
	if (*s == 'x')
		digits = 2;
	else if (*s == 'u')
		digits = 4;
	else if (*s == 'U')
		digits = 8;
	else if (*s >= '0' && *s <= '3')
		digits = 3, skip = 0;
	if (!digits || hex_digits(s + skip, digits, skip ? 16 : 8, &c))
		return 0;
	if (*s != 'u' && *s != 'U')
		*out = c;
	else if (c > 0x10ffff || is_surrogate(c))
		return 0;
	else
		*len = put_utf8(out, c);
	return skip + digits;
}

/* Returns where it goes on, NULL if this is no escape and should be one. */
static const char *take_backslash(const char *s, char **out, enum escapes escapes)
{
	size_t len, taken = escapes >= ESCAPES_KEPT ? 0 : unescape(s + 1, *out, &len);

	if (taken) {
		*out += len;
		return s + 1 + taken;
	}
	if (escapes == ESCAPES_STRICT)
		return NULL;
	*(*out)++ = *s++;
	/* The blank after it is no end of the word; a kept one escapes nothing. */
	if (*s && escapes == ESCAPES_RELAXED)
		*(*out)++ = *s++;
	return s;
}

/* @s with its C escapes resolved to @out, which is as long; -1 if one of them is none. */
int unescape_line(const char *s, char *out)
{
	while (s && *s) {
		if (*s == '\\')
			s = take_backslash(s, &out, ESCAPES_STRICT);
		else
			*out++ = *s++;
	}
	*out = '\0';
	return s ? 0 : -1;
}

/*
 * Takes the next word off *@p to @out, which has room for all that is left and a NUL. 1, 0 at
 * the end, -1 if a quote is not closed or an escape is none.
 */
int word_take(const char **p, char *out, enum escapes escapes)
{
	const char *s = *p + strspn(*p, BLANKS);
	bool any = *s;
	char quote = 0;

	while (s && *s && (quote || !strchr(BLANKS, *s))) {
		if (*s == '\\') {
			s = take_backslash(s, &out, escapes);
			continue;
		}
		if (*s == quote)
			quote = 0;
		else if (!quote && (*s == '"' || *s == '\'') && escapes != WORDS_RAW)
			quote = *s;
		else
			*out++ = *s;
		s++;
	}
	*out = '\0';
	*p = s ? s : "";
	return quote || !s ? -1 : any;
}

int word_next(const char **p, char **word)
{
	int ret;

	*word = xcalloc(strlen(*p) + 1, 1);
	ret = word_take(p, *word, ESCAPES_RELAXED);
	if (!ret) {
		free(*word);
		*word = NULL;
	}
	return ret;
}

/* "//a/./b/" is "/a/b", "a//b" is "a/b"; in place. False if there is a "..". */
bool simplify_path(char *path)
{
	char *in = path, *out = path;
	bool up = false;

	if (*in == '/')
		*out++ = '/';
	while (*in) {
		size_t len;

		in += strspn(in, "/");
		len = strcspn(in, "/");
		up |= len == 2 && !strncmp(in, "..", 2);
		if (len && !(len == 1 && *in == '.')) {
			if (out > path && out[-1] != '/')
				*out++ = '/';
			memmove(out, in, len);
			out += len;
		}
		in += len;
	}
	*out = '\0';
	return !up;
}

/* The name of an environment variable. */
bool env_name_ok(const char *s, size_t len)
{
	if (!len || isdigit((unsigned char)*s))
		return false;
	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)s[i]) && s[i] != '_')
			return false;
	return true;
}

/* FNV-1a, continued from @hash; text_hash() begins it. */
uint64_t text_hash_more(uint64_t hash, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		hash = (hash ^ (unsigned char)text[i]) * 0x100000001b3ULL;
	return hash;
}

uint64_t text_hash(const char *text, size_t len)
{
	return text_hash_more(0xcbf29ce484222325ULL, text, len);
}
