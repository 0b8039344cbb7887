// SPDX-License-Identifier: GPL-2.0-only
/* The text of unit files: logical lines, words, specifiers, time spans; systemd.syntax(7). */
#include <ctype.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "knelld.h"

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

/*
 * The next logical line of the text at l->pos, which is overwritten: continued
 * lines joined by a blank, comments (also amid continued lines) and empty lines
 * left out. *@line is the number of its first line. NULL at the end.
 */
char *lines_next(struct lines *l, unsigned int *line)
{
	char *begin = NULL, *end = NULL;

	while (*l->pos) {
		char *s = l->pos, *stop = s + strcspn(s, "\n");
		size_t len;

		l->pos = *stop ? stop + 1 : stop;
		l->line++;
		*stop = '\0';
		if (strchr("#;", s[strspn(s, BLANKS)]) && s[strspn(s, BLANKS)])
			continue;
		if (!begin) {
			begin = end = s;
			*line = l->line;
		}
		while (stop > s && strchr(BLANKS, stop[-1]))
			stop--;
		len = stop - s;
		memmove(end, s, len);
		end += len;
		if (continues(begin, end)) {
			end[-1] = ' ';
			continue;
		}
		*end = '\0';
		begin = strip(begin);
		if (*begin)
			return begin;
		begin = NULL;
	}
	if (!begin)
		return NULL;
	*end = '\0';
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
	else if (c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		return 0;
	else
		*len = put_utf8(out, c);
	return skip + digits;
}

/*
 * Takes the next word off *@p, quotes removed and C escapes resolved, and hands
 * out a copy. Returns 1, 0 at the end, -1 if a quote is not closed.
 */
int word_next(const char **p, char **word)
{
	const char *s = *p + strspn(*p, BLANKS);
	char quote = 0, *out, *w;
	size_t taken, len;

	*word = NULL;
	*p = s;
	if (!*s)
		return 0;
	/* No escape is shorter than what it stands for. */
	out = w = xcalloc(strlen(s) + 1, 1);
	for (; *s && (quote || !strchr(BLANKS, *s)); s++) {
		if (*s == quote) {
			quote = 0;
		} else if (!quote && (*s == '"' || *s == '\'')) {
			quote = *s;
		} else if (*s == '\\' && (taken = unescape(s + 1, out, &len))) {
			out += len;
			s += taken;
		} else {
			*out++ = *s;
		}
	}
	*p = s;
	*word = w;
	return quote ? -1 : 1;
}

/* @s with %n, %N, %p, %t and %% replaced for @unit; NULL if there is another specifier. */
char *specifiers(const char *s, const char *unit)
{
	size_t stem = strlen(unit), room = strlen(s) + 1;
	char *out, *o;

	if (stem > 8 && !strcmp(unit + stem - 8, ".service"))
		stem -= 8;
	for (const char *p = s; (p = strchr(p, '%')); p += p[1] ? 2 : 1)
		room += strlen(unit) + 4;
	for (out = o = xcalloc(room, 1); *s; s++) {
		if (*s != '%')
			*o++ = *s;
		else if (*++s == '%')
			*o++ = '%';
		else if (*s == 'n')
			o = stpcpy(o, unit);
		else if (*s == 'N')
			o = mempcpy(o, unit, stem);
		else if (*s == 'p')
			o = mempcpy(o, unit, strcspn(unit, "@") < stem ? strcspn(unit, "@") : stem);
		else if (*s == 't')
			o = stpcpy(o, "/run");
		else
			goto unknown;
	}
	return out;
unknown:
	free(out);
	return NULL;
}

static const struct span_unit {
	const char *name;
	uint64_t ns;
} span_units[] = {	/* what another one begins with comes after it */
	{ "seconds", NSEC_PER_SEC }, { "second", NSEC_PER_SEC }, { "sec", NSEC_PER_SEC },
	{ "s", NSEC_PER_SEC },
	{ "minutes", 60 * NSEC_PER_SEC }, { "minute", 60 * NSEC_PER_SEC },
	{ "min", 60 * NSEC_PER_SEC },
	{ "months", 2629800 * NSEC_PER_SEC }, { "month", 2629800 * NSEC_PER_SEC },
	{ "M", 2629800 * NSEC_PER_SEC },
	{ "msec", NSEC_PER_MSEC }, { "ms", NSEC_PER_MSEC },
	{ "m", 60 * NSEC_PER_SEC },
	{ "hours", 3600 * NSEC_PER_SEC }, { "hour", 3600 * NSEC_PER_SEC },
	{ "hr", 3600 * NSEC_PER_SEC }, { "h", 3600 * NSEC_PER_SEC },
	{ "days", 86400 * NSEC_PER_SEC }, { "day", 86400 * NSEC_PER_SEC },
	{ "d", 86400 * NSEC_PER_SEC },
	{ "weeks", 604800 * NSEC_PER_SEC }, { "week", 604800 * NSEC_PER_SEC },
	{ "w", 604800 * NSEC_PER_SEC },
	{ "years", 31557600 * NSEC_PER_SEC }, { "year", 31557600 * NSEC_PER_SEC },
	{ "y", 31557600 * NSEC_PER_SEC },
	{ "usec", 1000 }, { "us", 1000 }, { "\xc2\xb5s", 1000 }, { "\xce\xbcs", 1000 },
};

/* The unit at *@p, seconds if there is none. */
static uint64_t span_unit(const char **p)
{
	for (size_t i = 0; i < ARRAY_SIZE(span_units); i++) {
		size_t len = strlen(span_units[i].name);

		if (!strncmp(*p, span_units[i].name, len)) {
			*p += len;
			return span_units[i].ns;
		}
	}
	return NSEC_PER_SEC;
}

static int span_add(uint64_t *sum, uint64_t number, uint64_t unit)
{
	uint64_t ns;

	if (__builtin_mul_overflow(number, unit, &ns) || __builtin_add_overflow(*sum, ns, sum))
		return -1;
	/* The kernel's own limit for a time. */
	return *sum > INT64_MAX ? -1 : 0;
}

/* One number with its unit: 90, 1.5h, 20 s. */
static int span_term(const char **p, uint64_t *sum)
{
	const char *s = *p, *frac = NULL;
	uint64_t number = 0, unit;

	if (!isdigit((unsigned char)*s) && !(*s == '.' && isdigit((unsigned char)s[1])))
		return -1;
	for (; isdigit((unsigned char)*s); s++)
		if (__builtin_mul_overflow(number, 10ULL, &number) ||
		    __builtin_add_overflow(number, (uint64_t)(*s - '0'), &number))
			return -1;
	if (*s == '.') {
		frac = ++s;
		s += strspn(s, "0123456789");
		if (s == frac)
			return -1;
	}
	s += strspn(s, BLANKS);
	unit = span_unit(&s);
	if (span_add(sum, number, unit))
		return -1;
	for (uint64_t part = unit / 10; frac && isdigit((unsigned char)*frac); part /= 10, frac++)
		if (span_add(sum, *frac - '0', part))
			return -1;
	*p = s;
	return 0;
}

/* A time span of systemd.time(7), in nanoseconds; -1 if it is none. */
int parse_span(const char *s, uint64_t *ns)
{
	uint64_t sum = 0;

	s += strspn(s, BLANKS);
	if (!strncmp(s, "infinity", 8) && !s[8 + strspn(s + 8, BLANKS)]) {
		*ns = FOREVER;
		return 0;
	}
	do {
		if (span_term(&s, &sum))
			return -1;
		s += strspn(s, BLANKS);
	} while (*s);
	*ns = sum;
	return 0;
}

int parse_bool(const char *s, bool *b)
{
	static const char *const words[] = {
		"no", "yes", "0", "1", "false", "true", "off", "on", "n", "y", "f", "t",
	};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (!strcasecmp(s, words[i])) {
			*b = i % 2;
			return 0;
		}
	}
	return -1;
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

/* 1 to the last signal that there is. */
static int signal_number(const char *s, int base)
{
	unsigned long n;
	char *end;

	if (!isdigit((unsigned char)*s))
		return -1;
	n = strtoul(s, &end, 10);
	return *end || n > (unsigned long)(SIGRTMAX - base) || !(base + n) ? -1 : (int)(base + n);
}

/* SIGTERM, TERM, 15, SIGRTMIN, RTMIN+3. */
int parse_signal(const char *s, int *sig)
{
	int n = signal_number(s, 0);

	if (!strncmp(s, "SIG", 3))
		s += 3;
	if (!strcmp(s, "RTMIN"))
		n = SIGRTMIN;
	else if (!strncmp(s, "RTMIN+", 6))
		n = signal_number(s + 6, SIGRTMIN);
	for (int i = 1; n < 0 && i < SIGRTMIN; i++)
		if (sigabbrev_np(i) && !strcmp(s, sigabbrev_np(i)))
			n = i;
	if (n < 0)
		return -1;
	*sig = n;
	return 0;
}

/* The name of a unit, of whatever kind: characters, a dot, and a suffix. */
bool unit_name_ok(const char *s)
{
	size_t len = strlen(s);
	const char *dot = strrchr(s, '.');

	if (!dot || dot == s || !dot[1] || *s == '@' || len > 255)
		return false;
	for (; *s; s++)
		if (!isalnum((unsigned char)*s) && !strchr(":-_.\\@", *s))
			return false;
	return true;
}
