// SPDX-License-Identifier: GPL-2.0-only
/* Time spans: text to nanoseconds and back. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "span.h"

#define USEC	UINT64_C(1000)
#define MSEC	(1000 * USEC)
#define MINUTE	(60 * SPAN_SEC)
#define HOUR	(60 * MINUTE)
#define DAY	(24 * HOUR)
#define MONTH	(2629800 * SPAN_SEC)
#define YEAR	(12 * MONTH)

static const struct unit {
	const char *name;
	uint64_t ns;
} units[] = {
	{ "ns", 1 }, { "nsec", 1 },
	{ "us", USEC }, { "usec", USEC }, { "\xc2\xb5s", USEC }, { "\xce\xbcs", USEC },
	{ "ms", MSEC }, { "msec", MSEC },
	{ "s", SPAN_SEC }, { "sec", SPAN_SEC }, { "second", SPAN_SEC }, { "seconds", SPAN_SEC },
	{ "m", MINUTE }, { "min", MINUTE }, { "minute", MINUTE }, { "minutes", MINUTE },
	{ "h", HOUR }, { "hr", HOUR }, { "hour", HOUR }, { "hours", HOUR },
	{ "d", DAY }, { "day", DAY }, { "days", DAY },
	{ "w", 7 * DAY }, { "week", 7 * DAY }, { "weeks", 7 * DAY },
	{ "M", MONTH }, { "month", MONTH }, { "months", MONTH },
	{ "y", YEAR }, { "year", YEAR }, { "years", YEAR },
};

struct text {
	const char *p, *end;
};

static bool digit(const struct text *t)
{
	return t->p < t->end && *t->p >= '0' && *t->p <= '9';
}

/* Takes it if it comes next. */
static bool next_is(struct text *t, char c)
{
	if (t->p == t->end || *t->p != c)
		return false;
	t->p++;
	return true;
}

static void blanks(struct text *t)
{
	while (next_is(t, ' ') || next_is(t, '\t') || next_is(t, '\n') || next_is(t, '\r'))
		;
}

/* Takes the longest unit that comes next; NULL if there is none. */
static const struct unit *next_unit(struct text *t)
{
	const struct unit *best = NULL;
	size_t longest = 0;

	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++) {
		size_t len = strlen(units[i].name);

		if (len > longest && len <= (size_t)(t->end - t->p) &&
		    !memcmp(t->p, units[i].name, len)) {
			best = &units[i];
			longest = len;
		}
	}
	t->p += longest;
	return best;
}

static int add(uint64_t *sum, uint64_t number, uint64_t unit)
{
	uint64_t ns;

	if (__builtin_mul_overflow(number, unit, &ns) || __builtin_add_overflow(*sum, ns, sum) ||
	    *sum > INT64_MAX)
		return -ERANGE;
	return 0;
}

/* One number and its unit: 90, 1.5h, .5, 20 s. A sign of plus does no harm. */
static int term(struct text *t, uint64_t def, uint64_t *sum)
{
	const struct unit *unit;
	struct text frac = { NULL, NULL };
	uint64_t number = 0, ns;
	bool any, after;

	if (next_is(t, '-'))
		return -ERANGE;
	if (next_is(t, '+') && !digit(t))
		return -EINVAL;
	for (any = digit(t); digit(t); t->p++)
		if (__builtin_mul_overflow(number, UINT64_C(10), &number) ||
		    __builtin_add_overflow(number, (uint64_t)(*t->p - '0'), &number))
			return -ERANGE;
	if (next_is(t, '.')) {
		for (frac.p = t->p; digit(t); t->p++)
			;
		frac.end = t->p;
		any = frac.end > frac.p;
	}
	if (!any)
		return -EINVAL;
	after = t->p < t->end && strchr(" \t\n\r", *t->p) && *t->p;
	blanks(t);
	unit = next_unit(t);
	/* Not 12.34.56, but 12.34 .56 and 12.34s.56. */
	if (!unit && !after && t->p < t->end)
		return -EINVAL;
	ns = unit ? unit->ns : def;
	if (add(sum, number, ns))
		return -ERANGE;
	for (; digit(&frac); frac.p++)
		if (add(sum, *frac.p - '0', ns /= 10))
			return -ERANGE;
	return 0;
}

int span_parse(const char *text, size_t len, uint64_t unit, uint64_t *ns)
{
	static const char infinity[] = "infinity";
	struct text t = { text, text + len };
	uint64_t sum = 0;
	int ret;

	blanks(&t);
	if ((size_t)(t.end - t.p) >= strlen(infinity) && !memcmp(t.p, infinity, strlen(infinity))) {
		t.p += strlen(infinity);
		blanks(&t);
		sum = SPAN_INFINITY;
		if (t.p < t.end)
			return -EINVAL;
	} else {
		do {
			ret = term(&t, unit, &sum);
			if (ret)
				return ret;
			blanks(&t);
		} while (t.p < t.end);
	}
	*ns = sum;
	return 0;
}

static const struct {
	const char *name;
	uint64_t ns;
	int digits;	/* of a fraction in microseconds; only what is under a minute has one */
} shown[] = {
	{ "y", YEAR, 0 }, { "month", MONTH, 0 }, { "w", 7 * DAY, 0 }, { "d", DAY, 0 },
	{ "h", HOUR, 0 }, { "min", MINUTE, 0 }, { "s", SPAN_SEC, 6 }, { "ms", MSEC, 3 },
	{ "us", USEC, 0 }, { "ns", 1, 0 },
};

char *span_format(uint64_t ns, char buf[static SPAN_TEXT_MAX])
{
	char *p = buf, *end = buf + SPAN_TEXT_MAX;

	if (!ns || ns == SPAN_INFINITY)
		return strcpy(buf, ns ? "infinity" : "0");
	for (size_t i = 0; ns; i++) {
		uint64_t whole = ns / shown[i].ns, rest = ns % shown[i].ns;
		int fine = rest % USEC ? 3 : 0, digits = shown[i].digits + fine;

		if (!whole)
			continue;
		p += snprintf(p, end - p, "%s%llu", p > buf ? " " : "", (unsigned long long)whole);
		if (rest && ns < MINUTE && digits) {
			p += snprintf(p, end - p, ".%0*llu", digits,
				      (unsigned long long)(fine ? rest : rest / USEC));
			rest = 0;
		}
		p += snprintf(p, end - p, "%s", shown[i].name);
		ns = rest;
	}
	return buf;
}
