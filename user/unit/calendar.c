// SPDX-License-Identifier: GPL-2.0-only
/* Calendar expressions: text to struct calendar and back. */
#include <ctype.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "calendar.h"

#define USEC_PER_SEC	1000000
#define ARRAY_SIZE(a)	(sizeof(a) / sizeof(*(a)))

const struct calendar_range calendar_ranges[CALENDAR_FIELDS] = {
	[CALENDAR_YEAR] = { "years", 1970, 2199 },
	[CALENDAR_MONTH] = { "months", 1, 12 },
	[CALENDAR_DAY] = { "days", 1, 31 },
	[CALENDAR_HOUR] = { "hours", 0, 23 },
	[CALENDAR_MINUTE] = { "minutes", 0, 59 },
	[CALENDAR_SECOND] = { "seconds", 0, 60 * USEC_PER_SEC - 1 },
};

/* The shortest month has so many days from its end. */
static const struct calendar_range from_end = { "days before the month's end", 1, 28 };

static const char *const weekdays[] = {
	"Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday",
};

static const char *const words[][2] = {
	{ "minutely", "*-*-* *:*:00" },
	{ "hourly", "*-*-* *:00:00" },
	{ "daily", "*-*-* 00:00:00" },
	{ "weekly", "Mon *-*-* 00:00:00" },
	{ "monthly", "*-*-01 00:00:00" },
	{ "quarterly", "*-01,04,07,10-01 00:00:00" },
	{ "semiannually", "*-01,07-01 00:00:00" },
	{ "semi-annually", "*-01,07-01 00:00:00" },
	{ "biannually", "*-01,07-01 00:00:00" },
	{ "bi-annually", "*-01,07-01 00:00:00" },
	{ "yearly", "*-01-01 00:00:00" },
	{ "annually", "*-01-01 00:00:00" },
	{ "anually", "*-01-01 00:00:00" },	/* once misspelt, for ever accepted */
};

/* A list within parser.parts; nr is 0 for "*". */
struct list {
	size_t at;		/* where in the text it begins */
	unsigned int from, nr;
};

struct parser {
	const char *text, *p;
	struct calendar_error *err;
	const char *zone;
	char local[32];
	unsigned int weekdays, nr;
	bool utc, from_end;
	int dst;
	struct list lists[CALENDAR_FIELDS];
	struct calendar_part parts[CALENDAR_FIELDS * CALENDAR_PARTS_MAX];
};

static __attribute__((format(printf, 3, 4)))
int fail(struct parser *ps, size_t at, const char *fmt, ...)
{
	struct calendar_error *err = ps->err;
	size_t len;
	va_list ap;

	err->at = at;
	va_start(ap, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	len = strlen(err->text);
	snprintf(err->text + len, sizeof(err->text) - len, " at character %zu", at + 1);
	return -1;
}

static int expected(struct parser *ps, const char *what)
{
	return fail(ps, ps->p - ps->text, "expected %s", what);
}

/* Whether @c comes next; a NUL is the end. */
static bool one_of(const struct parser *ps, const char *set)
{
	return !*ps->p || strchr(set, *ps->p);
}

static void blanks(struct parser *ps)
{
	ps->p += strspn(ps->p, " ");
}

/* The name at ps->p, to its number; its end is where a name's letters end. */
static int weekday(struct parser *ps)
{
	size_t len = 0;

	while (isalpha((unsigned char)ps->p[len]))
		len++;
	for (size_t i = 0; i < ARRAY_SIZE(weekdays); i++) {
		if (len != 3 && len != strlen(weekdays[i]))
			continue;
		if (!strncasecmp(ps->p, weekdays[i], len)) {
			ps->p += len;
			return (int)i;
		}
	}
	return -1;
}

static int parse_weekdays(struct parser *ps)
{
	if (!isalpha((unsigned char)*ps->p))
		return 0;
	do {
		int first = weekday(ps), last = first;

		if (first < 0)
			return expected(ps, ps->weekdays ? "a weekday" : "a weekday, date or time");
		if (*ps->p == '-' || !strncmp(ps->p, "..", 2)) {
			const char *at = ps->p += *ps->p == '-' ? 1 : 2;

			last = weekday(ps);
			if (last < first) {
				ps->p = at;
				return expected(ps, last < 0 ? "a weekday" :
						    "a later day of the week");
			}
		}
		if (!one_of(ps, ", "))
			return expected(ps, "',' or a blank after the weekday");
		for (int i = first; i <= last; i++)
			ps->weekdays |= 1U << i;
		if (*ps->p == ',')
			ps->p++;
	} while (!one_of(ps, " "));
	blanks(ps);
	return 0;
}

/* The digits after a point, rounded to microseconds. */
static int parse_fraction(struct parser *ps)
{
	int usec = 0, unit = USEC_PER_SEC / 10;

	for (; unit && isdigit((unsigned char)*ps->p); ps->p++, unit /= 10)
		usec += (*ps->p - '0') * unit;
	if (!unit && *ps->p >= '5' && *ps->p <= '9')
		usec++;
	while (isdigit((unsigned char)*ps->p))
		ps->p++;
	return usec;
}

/* A number; of seconds if @usec, then to microseconds. */
static int parse_number(struct parser *ps, bool usec, int *value)
{
	const char *start = ps->p;
	int64_t n = 0;

	if (!isdigit((unsigned char)*start))
		return expected(ps, "a number");
	for (; isdigit((unsigned char)*ps->p); ps->p++)
		n = n > INT_MAX ? n : n * 10 + *ps->p - '0';
	if (usec) {
		n *= USEC_PER_SEC;
		/* One point is a decimal point, two make a range. */
		if (*ps->p == '.' && ps->p[1] != '.') {
			ps->p++;
			if (!isdigit((unsigned char)*ps->p))
				return expected(ps, "a digit");
			n += parse_fraction(ps);
		}
	}
	if (n > INT_MAX)
		return fail(ps, start - ps->text, "number too large");
	*value = (int)n;
	return 0;
}

static int parse_part(struct parser *ps, bool usec, struct calendar_part *part)
{
	*part = (struct calendar_part) { .stop = -1 };
	if (parse_number(ps, usec, &part->start))
		return -1;
	if (!strncmp(ps->p, "..", 2)) {
		ps->p += 2;
		if (parse_number(ps, usec, &part->stop))
			return -1;
		part->step = usec ? USEC_PER_SEC : 1;
	}
	if (*ps->p == '/') {
		ps->p++;
		if (parse_number(ps, usec, &part->step))
			return -1;
		if (!part->step)
			return fail(ps, ps->p - ps->text - 1, "expected a step above 0");
	} else if (usec && part->stop >= 0 && part->start > part->stop - USEC_PER_SEC) {
		return expected(ps, "'/' and a step after a range below 1 s");
	}
	return 0;
}

/* "*", or elements separated by commas. */
static int parse_list(struct parser *ps, bool usec, struct list *list)
{
	*list = (struct list) { .at = ps->p - ps->text, .from = ps->nr };
	if (*ps->p == '*') {
		ps->p++;
		/* All seconds are not all microseconds. */
		if (usec)
			ps->parts[ps->nr++] = (struct calendar_part) { 0, -1, USEC_PER_SEC };
		list->nr = usec;
		return 0;
	}
	while (list->nr < CALENDAR_PARTS_MAX) {
		if (parse_part(ps, usec, &ps->parts[ps->nr]))
			return -1;
		ps->nr++;
		list->nr++;
		if (!one_of(ps, ",-~: "))
			return expected(ps, "',', '..', '/' or the end of the field");
		if (*ps->p != ',')
			return 0;
		ps->p++;
	}
	return expected(ps, "no more elements than 241");
}

static void set_list(struct parser *ps, enum calendar_field f, int value)
{
	ps->lists[f] = (struct list) { .at = ps->p - ps->text, .from = ps->nr, .nr = 1 };
	ps->parts[ps->nr++] = (struct calendar_part) { .start = value, .stop = -1 };
}

static int parse_epoch(struct parser *ps)
{
	struct tm tm;
	time_t t = 0;

	ps->p++;
	blanks(ps);
	if (*ps->p == '+')
		ps->p++;
	if (!isdigit((unsigned char)*ps->p))
		return expected(ps, "a number");
	for (; isdigit((unsigned char)*ps->p); ps->p++)
		t = t > INT64_C(1000000000000) ? t : t * 10 + *ps->p - '0';
	if (*ps->p)
		return expected(ps, "nothing after the time");
	if (!gmtime_r(&t, &tm))
		return fail(ps, 0, "expected a year up to 2199");
	set_list(ps, CALENDAR_YEAR, tm.tm_year + 1900);
	set_list(ps, CALENDAR_MONTH, tm.tm_mon + 1);
	set_list(ps, CALENDAR_DAY, tm.tm_mday);
	set_list(ps, CALENDAR_HOUR, tm.tm_hour);
	set_list(ps, CALENDAR_MINUTE, tm.tm_min);
	set_list(ps, CALENDAR_SECOND, tm.tm_sec * USEC_PER_SEC);
	ps->utc = true;
	ps->zone = NULL;
	return 0;
}

/* A date, unless it turns out to be a time. */
static int parse_date(struct parser *ps)
{
	const char *start = ps->p;
	struct list lists[3];
	int nr = 0;

	if (!*start)
		return 0;
	for (;;) {
		if (parse_list(ps, false, &lists[nr++]))
			return -1;
		if (nr == 1 && one_of(ps, ":")) {
			ps->p = start;
			ps->nr = 0;
			return 0;
		}
		if (nr > 1 && one_of(ps, " "))
			break;
		if (nr == 3 || ps->from_end)
			return expected(ps, "the end of the date");
		if (*ps->p != '-' && *ps->p != '~')
			return expected(ps, nr == 1 ? "'-', '~' or ':'" : "'-', '~' or a blank");
		ps->from_end = *ps->p++ == '~';
	}
	blanks(ps);
	if (nr == 3)
		ps->lists[CALENDAR_YEAR] = lists[0];
	ps->lists[CALENDAR_MONTH] = lists[nr - 2];
	ps->lists[CALENDAR_DAY] = lists[nr - 1];
	return 0;
}

static int parse_time(struct parser *ps)
{
	if (!*ps->p) {
		set_list(ps, CALENDAR_HOUR, 0);
		set_list(ps, CALENDAR_MINUTE, 0);
		set_list(ps, CALENDAR_SECOND, 0);
		return 0;
	}
	for (int f = CALENDAR_HOUR; f <= CALENDAR_SECOND; f++) {
		if (parse_list(ps, f == CALENDAR_SECOND, &ps->lists[f]))
			return -1;
		if (f == CALENDAR_MINUTE && !*ps->p) {
			set_list(ps, CALENDAR_SECOND, 0);
			return 0;
		}
		if (f == CALENDAR_SECOND)
			break;
		if (*ps->p != ':')
			return expected(ps, f == CALENDAR_HOUR ? "':'" : "':' or the end");
		ps->p++;
	}
	return *ps->p ? expected(ps, "nothing after the time") : 0;
}

/* Names that lead out of the database have a dot. */
static bool zone_exists(const char *name)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789+-_/";
	char path[320], magic[4];
	size_t len = strlen(name);
	struct stat st;
	bool ok;
	int fd;

	if (!len || len > 255 || name[strspn(name, allowed)] || *name == '/' ||
	    name[len - 1] == '/' || strstr(name, "//"))
		return false;
	snprintf(path, sizeof(path), "/usr/share/zoneinfo/%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return false;
	ok = !fstat(fd, &st) && S_ISREG(st.st_mode) && read(fd, magic, 4) == 4 &&
	     !memcmp(magic, "TZif", 4);
	close(fd);
	return ok;
}

/* What local time is called now and in the coming year; tzname[] depends on what was asked last. */
static bool local_name(struct parser *ps, const char *name)
{
	time_t t = time(NULL);
	struct tm tm;

	tzset();
	for (int i = 0; i < 27; i++, t += 14 * 86400) {
		if (!localtime_r(&t, &tm) || strcasecmp(name, tm.tm_zone))
			continue;
		snprintf(ps->local, sizeof(ps->local), "%s", tm.tm_zone);
		ps->dst = tm.tm_isdst > 0;
		return true;
	}
	return false;
}

/* Takes a zone off the end of @text, where there is one. */
static void parse_zone(struct parser *ps, char *text)
{
	char *blank = strrchr(text, ' ');

	if (!blank)
		return;
	if (!strcasecmp(blank + 1, "UTC")) {
		ps->utc = true;
		*blank = '\0';
		return;
	}
	if (local_name(ps, blank + 1))
		ps->zone = ps->local;
	else if (zone_exists(blank + 1))
		ps->zone = blank + 1;
	if (ps->zone)
		*blank = '\0';
}

static int in_range(struct parser *ps, size_t at, const struct calendar_range *r,
		    struct calendar_part *p)
{
	int unit = r == &calendar_ranges[CALENDAR_SECOND] ? USEC_PER_SEC : 1;
	bool backward = r == &from_end;

	if (p->start < r->min || p->start > r->max || p->stop > r->max)
		return fail(ps, at, "expected %s from %d to %d", r->name, r->min, r->max / unit);
	/* Steps are taken up to the stop, or from there to the end; there must be one. */
	if (p->stop >= 0 ? p->stop < p->start || p->step > p->stop - p->start :
	    backward ? p->start - r->min < p->step : r->max - p->start < p->step)
		return fail(ps, at, "expected %s whose range and step give more than one",
			    r->name);
	return 0;
}

static int compare(const void *a, const void *b)
{
	const struct calendar_part *x = a, *y = b;

	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	if (x->stop != y->stop)
		return x->stop < y->stop ? -1 : 1;
	return x->step < y->step ? -1 : x->step > y->step;
}

static int century(int year)
{
	return year < 0 || year > 99 ? year : year < 70 ? year + 2000 : year + 1900;
}

/* Stops where the last step ends, sorts, takes out what is there twice, looks at the ranges. */
static int normalise(struct parser *ps, enum calendar_field f)
{
	const struct calendar_range *r = f == CALENDAR_DAY && ps->from_end ? &from_end :
					 &calendar_ranges[f];
	struct list *list = &ps->lists[f];
	struct calendar_part *parts = ps->parts + list->from;
	unsigned int nr = 0;

	for (unsigned int i = 0; i < list->nr; i++) {
		struct calendar_part *p = &parts[i];

		if (f == CALENDAR_YEAR) {
			p->start = century(p->start);
			p->stop = century(p->stop);
		}
		if (p->stop > p->start)
			p->stop -= (p->stop - p->start) % p->step;
		if (p->stop == p->start)
			*p = (struct calendar_part) { .start = p->start, .stop = -1 };
		if (in_range(ps, list->at, r, p))
			return -1;
	}
	if (list->nr)
		qsort(parts, list->nr, sizeof(*parts), compare);
	for (unsigned int i = 0; i < list->nr; i++)
		if (!nr || compare(&parts[nr - 1], &parts[i]))
			parts[nr++] = parts[i];
	list->nr = nr;
	return 0;
}

static int parse(struct parser *ps, char *text)
{
	ps->text = ps->p = text;
	parse_zone(ps, text);
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (!strcasecmp(text, words[i][0]))
			ps->text = ps->p = words[i][1];
	if (!*ps->p)
		return expected(ps, "a weekday, date or time");
	if (parse_weekdays(ps))
		return -1;
	if (*ps->p == '@') {
		if (parse_epoch(ps))
			return -1;
	} else if (parse_date(ps) || parse_time(ps)) {
		return -1;
	}
	if (!ps->lists[CALENDAR_DAY].nr)
		ps->from_end = false;
	for (int f = 0; f < CALENDAR_FIELDS; f++)
		if (normalise(ps, f))
			return -1;
	return 0;
}

/* What has been parsed, in one block that is no larger than it must be. */
static struct calendar *build(const struct parser *ps)
{
	size_t zone = ps->zone ? strlen(ps->zone) + 1 : 0, nr = 0;
	struct calendar *c;

	for (int f = 0; f < CALENDAR_FIELDS; f++)
		nr += ps->lists[f].nr;
	c = calloc(1, sizeof(*c) + nr * sizeof(*c->parts) + zone);
	if (!c)
		return NULL;
	/* Any day is no condition. */
	c->weekdays = ps->weekdays == 0x7f ? 0 : ps->weekdays;
	c->from_end = ps->from_end;
	c->utc = ps->utc;
	c->dst = (signed char)(ps->utc ? -1 : ps->dst);
	for (int f = 0; f < CALENDAR_FIELDS; f++) {
		const struct list *list = &ps->lists[f];

		if (list->nr)
			memcpy(c->parts + c->from[f], ps->parts + list->from,
			       list->nr * sizeof(*c->parts));
		c->from[f + 1] = c->from[f] + list->nr;
	}
	if (zone)
		c->zone = memcpy(c->parts + nr, ps->zone, zone);
	return c;
}

struct calendar *calendar_parse(const char *text, size_t len, struct calendar_error *err)
{
	struct parser ps = { .err = err, .dst = -1 };
	char copy[CALENDAR_MAX + 1];
	struct calendar *c;
	const char *nul;

	ps.text = text;
	if (len > CALENDAR_MAX) {
		fail(&ps, CALENDAR_MAX, "expected the end after %d bytes", CALENDAR_MAX);
		return NULL;
	}
	nul = memchr(text, 0, len);
	if (nul) {
		fail(&ps, nul - text, "expected no NUL");
		return NULL;
	}
	memcpy(copy, text, len);
	copy[len] = '\0';
	if (parse(&ps, copy))
		return NULL;
	c = build(&ps);
	if (!c)
		snprintf(err->text, sizeof(err->text), "no memory");
	return c;
}

struct out {
	char *buf;
	size_t size, len;
};

static __attribute__((format(printf, 2, 3)))
void put(struct out *out, const char *fmt, ...)
{
	size_t left = out->len < out->size ? out->size - out->len : 0;
	va_list ap;
	int ret;

	va_start(ap, fmt);
	ret = vsnprintf(left ? out->buf + out->len : NULL, left, fmt, ap);
	va_end(ap);
	out->len += ret;
}

static void put_weekdays(struct out *out, unsigned int bits)
{
	const char *comma = "";
	int last;

	for (int i = 0; i < 7; i = last + 1) {
		last = i;
		if (!(bits & 1U << i))
			continue;
		while (bits & 1U << (last + 1))
			last++;
		put(out, "%s%.3s", comma, weekdays[i]);
		comma = ",";
		if (last > i)
			put(out, "%s%.3s", last > i + 1 ? ".." : ",", weekdays[last]);
	}
	put(out, " ");
}

static void put_number(struct out *out, const char *before, int value, bool usec)
{
	int unit = usec ? USEC_PER_SEC : 1;

	put(out, "%s%0*d", before, *before == '/' ? 1 : 2, value / unit);
	if (value % unit)
		put(out, ".%06d", value % unit);
}

/* Every second, whatever else; but then nothing else between them. */
static bool all_seconds(const struct calendar_part *p, const struct calendar_part *end)
{
	bool all = false;

	for (; p < end; p++) {
		if (p->start % USEC_PER_SEC || p->step % USEC_PER_SEC)
			return false;
		all |= !p->start && p->stop < 0 && p->step == USEC_PER_SEC;
	}
	return all;
}

static void put_list(struct out *out, const struct calendar *c, enum calendar_field f)
{
	const struct calendar_part *p = c->parts + c->from[f], *end = c->parts + c->from[f + 1];
	bool usec = f == CALENDAR_SECOND;
	const char *comma = "";

	if (p == end || (usec && all_seconds(p, end))) {
		put(out, "*");
		return;
	}
	for (; p < end; p++, comma = ",") {
		put_number(out, comma, p->start, usec);
		if (p->stop >= 0)
			put_number(out, "..", p->stop, usec);
		if (p->step && (p->stop < 0 || p->step != (usec ? USEC_PER_SEC : 1)))
			put_number(out, "/", p->step, usec);
	}
}

size_t calendar_format(const struct calendar *c, char *buf, size_t size)
{
	struct out out = { buf, size, 0 };

	if (size)
		*buf = '\0';
	if (c->weekdays)
		put_weekdays(&out, c->weekdays);
	for (int f = 0; f < CALENDAR_FIELDS; f++) {
		put_list(&out, c, f);
		if (f < CALENDAR_SECOND)
			put(&out, "%c", f == CALENDAR_MONTH && c->from_end ? '~' : "-- ::"[f]);
	}
	if (c->utc)
		put(&out, " UTC");
	else if (c->zone)
		put(&out, " %s", c->zone);
	return out.len;
}
