// SPDX-License-Identifier: GPL-2.0-only
/*
 * Calendar expressions: as systemd 252 has them (calendar.table), what is said of those that are
 * refused, what is hostile, and that the search ends.
 *
 * usage: calendar_test TABLE
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "calendar.h"
#include "tap.h"

#define USEC	UINT64_C(1000000)

static void zone(const char *name)
{
	setenv("TZ", name, 1);
	tzset();
}

static struct calendar *parse(const char *text)
{
	struct calendar_error err;
	struct calendar *c = calendar_parse(text, strlen(text), &err);

	if (!c)
		bad("\"%s\": %s", text, err.text);
	return c;
}

static const char *date(uint64_t usec)
{
	static char text[64];
	time_t t = usec / USEC;
	struct tm tm;

	strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", gmtime_r(&t, &tm));
	return text;
}

/* The normalised form and five elapses after @usec, as the table has them. */
static void show(const char *text, uint64_t usec, char *out, size_t size)
{
	struct calendar_error err;
	struct calendar *c = calendar_parse(text, strlen(text), &err);
	size_t len;

	if (!c) {
		snprintf(out, size, "-");
		return;
	}
	len = calendar_format(c, out, size);
	for (int i = 0; i < 5 && !calendar_next(c, usec, &usec); i++)
		len += snprintf(out + len, size - len, "\t%s", date(usec));
	free(c);
}

static char *table[1000];
static size_t table_nr;

/* "ZONE<TAB>MICROSECONDS<TAB>EXPRESSION<TAB>what show() gives" */
static void check_table(const char *path)
{
	static char line[4096], out[4096];
	FILE *f = fopen(path, "r");
	size_t nr = 0;

	if (!f)
		bad("%s: %m", path);
	while (f && fgets(line, sizeof(line), f)) {
		char *want = line, *tz = strsep(&want, "\t"), *usec = strsep(&want, "\t");
		char *text = strsep(&want, "\t");

		if (*line == '#')
			continue;
		if (!want) {
			bad("line %zu has too few fields", nr);
			break;
		}
		want[strcspn(want, "\n")] = '\0';
		zone(tz);
		show(text, strtoull(usec, NULL, 10), out, sizeof(out));
		if (strcmp(out, want))
			bad("%s, %s: \"%s\": \"%s\" is not \"%s\"", tz, usec, text, out, want);
		if (table_nr < ARRAY_SIZE(table))
			table[table_nr++] = strdup(text);
		nr++;
	}
	if (f)
		fclose(f);
	if (nr < 150)
		bad("only %zu lines", nr);
	tap("expressions as systemd 252 understands them");
}

static const struct {
	const char *text;
	size_t at;
	const char *message;
} errors[] = {
	{ "", 0, "expected a weekday, date or time at character 1" },
	{ "someday", 0, "expected a weekday, date or time at character 1" },
	{ "Mon,Foo", 4, "expected a weekday at character 5" },
	{ "Mon..", 5, "expected a weekday at character 6" },
	{ "Fri..Mon", 5, "expected a later day of the week at character 6" },
	{ "Monx 12:00", 0, "expected a weekday, date or time at character 1" },
	{ "Mon/2", 3, "expected ',' or a blank after the weekday at character 4" },
	{ "12", 2, "expected ':' at character 3" },
	{ "12 00", 2, "expected '-', '~' or ':' at character 3" },
	{ "*/2:00", 1, "expected '-', '~' or ':' at character 2" },
	{ "1..x-1", 3, "expected a number at character 4" },
	{ "12:00/", 6, "expected a number at character 7" },
	{ "12:5/0", 5, "expected a step above 0 at character 6" },
	{ "12:5;6", 4, "expected ',', '..', '/' or the end of the field at character 5" },
	{ "12:00:00:00", 8, "expected nothing after the time at character 9" },
	{ "12:00:00.", 9, "expected a digit at character 10" },
	{ "12:00:1..1.5", 12, "expected '/' and a step after a range below 1 s at character 13" },
	{ "1-2-3-4", 5, "expected the end of the date at character 6" },
	{ "*-13-01", 2, "expected months from 1 to 12 at character 3" },
	{ "*-12-32", 5, "expected days from 1 to 31 at character 6" },
	{ "*-12~29", 5, "expected days before the month's end from 1 to 28 at character 6" },
	{ "1969-12-31", 0, "expected years from 1970 to 2199 at character 1" },
	{ "Tue 24:00", 4, "expected hours from 0 to 23 at character 5" },
	{ "Tue 1:00:60", 9, "expected seconds from 0 to 59 at character 10" },
	{ "*:50/20", 2, "expected minutes whose range and step give more than one at character 3" },
	{ "99999999999999999999:00", 0, "number too large at character 1" },
	{ "12:00:2148", 6, "number too large at character 7" },
	{ "@x", 1, "expected a number at character 2" },
	{ "@5.5", 2, "expected nothing after the time at character 3" },
	{ "daily Europe/Nowhere", 0, "expected a weekday, date or time at character 1" },
};

static void check_errors(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
		struct calendar_error err = { 0 };
		const char *text = errors[i].text;

		if (calendar_parse(text, strlen(text), &err))
			bad("\"%s\" is taken", text);
		else if (err.at != errors[i].at || strcmp(err.text, errors[i].message))
			bad("\"%s\": %zu, \"%s\"", text, err.at, err.text);
	}
	tap("what was expected, and where");
}

/* @text has @nr elapses after @base, which are those. */
static void elapses(const char *tz, const char *text, uint64_t base, const char *const *want)
{
	struct calendar *c;
	uint64_t usec = base * USEC;

	zone(tz);
	c = parse(text);
	if (!c)
		return;
	for (; *want; want++)
		if (calendar_next(c, usec, &usec) || strcmp(date(usec), *want))
			bad("%s: \"%s\": %s is not %s", tz, text, date(usec), *want);
	free(c);
}

/* Where it is not as systemd 252 has it: see calendar_diff.sh. */
static void check_different(void)
{
	char buf[128];
	struct calendar *c;

	elapses("Europe/Berlin", "*-*-1,15 12:00 CET", 1783679696, (const char *const[]) {
		"2026-11-01 11:00:00", "2026-11-15 11:00:00", "2026-12-01 11:00:00",
		"2026-12-15 11:00:00", "2027-01-01 11:00:00", "2027-01-15 11:00:00",
		"2027-02-01 11:00:00", "2027-02-15 11:00:00", "2027-03-01 11:00:00",
		"2027-03-15 11:00:00", "2027-11-01 11:00:00", NULL });
	/* In the hour that comes twice: only the one that is meant. */
	elapses("Europe/Berlin", "02:30 cest", 1792843200, (const char *const[]) {
		"2026-10-25 00:30:00", "2027-03-29 00:30:00", NULL });
	elapses("Europe/Berlin", "02:30 cet", 1792843200, (const char *const[]) {
		"2026-10-25 01:30:00", "2026-10-26 01:30:00", NULL });
	elapses("UTC", "*-02~01,28", 1783679696, (const char *const[]) {
		"2027-02-01 00:00:00", "2027-02-28 00:00:00", "2028-02-02 00:00:00",
		"2028-02-29 00:00:00", NULL });
	elapses("Australia/Lord_Howe", "*-11-08/21 10:00", 1772953199, (const char *const[]) {
		"2026-11-07 23:00:00", "2026-11-28 23:00:00", "2027-11-07 23:00:00", NULL });
	c = parse("*:*:0/1,5.5");
	if (c && (calendar_format(c, buf, sizeof(buf)), strcmp(buf, "*-*-* *:*:00/1,05.500000")))
		bad("%s", buf);
	free(c);
	tap("where systemd 252 errs");
}

static char *repeat(const char *first, const char *element, size_t nr)
{
	size_t len = strlen(element);
	char *text = malloc(strlen(first) + nr * len + 1), *p = stpcpy(text, first);

	for (; nr; nr--)
		p = stpcpy(p, element);
	return text;
}

static void refuse(char *text, size_t len, const char *what)
{
	struct calendar_error err = { 0 };
	struct calendar *c = calendar_parse(text, len, &err);

	if (c || !err.text[0])
		bad("%s is taken", what);
	free(c);
	free(text);
}

static void check_hostile(void)
{
	struct calendar *c;
	char *text;

	refuse(repeat("", "0", 1 << 20), 1 << 20, "1 MiB of digits");
	refuse(repeat("*:0", ",1", 1 << 19), (1 << 20) + 3, "a list of 1 MiB");
	refuse(repeat("Mon", ",Mon", 1 << 18), (1 << 20) + 3, "1 MiB of weekdays");
	refuse(calloc(1, 1 << 20), 1 << 20, "1 MiB of NULs");
	refuse(calloc(1, 4096), 4096, "NULs");
	refuse(repeat("daily", "", 0), 6, "a NUL at the end");
	refuse(repeat("*:0", ",1", 241), 3 + 482, "a list of 242");
	refuse(repeat("", " ", CALENDAR_MAX), CALENDAR_MAX, "blanks");
	refuse(repeat("daily ", "x", CALENDAR_MAX - 6), CALENDAR_MAX, "a long zone");
	refuse(repeat("12:00:00.", "9", CALENDAR_MAX - 8), CALENDAR_MAX + 1, "a byte too many");
	text = repeat("*:0", ",1", 240);
	c = parse(text);
	if (c && c->from[CALENDAR_FIELDS] != 3)
		bad("a list of 241: %d elements", c->from[CALENDAR_FIELDS]);
	free(c);
	free(text);
	text = repeat("12:00:00.", "4", CALENDAR_MAX - 9);
	free(parse(text));
	free(text);
	tap("hostile expressions");
}

/* Each list as long as may be, and as far from a match as can be. */
static char *longest(void)
{
	static char text[CALENDAR_MAX + 1];
	char *p = stpcpy(text, "Mon *-2,4");

	for (int i = 0; i < 239; i++)
		p = stpcpy(p, i % 2 ? ",6" : ",9");
	p = stpcpy(p, "-29");
	for (int i = 0; i < 240; i++)
		p = stpcpy(p, ",30");
	p = stpcpy(p, " 0");
	for (int i = 0; i < 240; i++)
		p += sprintf(p, ",%d", i % 24);
	p = stpcpy(p, ":0");
	for (int i = 0; i < 240; i++)
		p += sprintf(p, ",%d", i % 60);
	return text;
}

static void check_ends(void)
{
	static const char *const never[] = {
		"*-02-30", "Wed *-*-30,31 *:*:0/0.000001 UTC", "2026-02-29", "1970..2025-*-* *:*:*",
		"*-12-25 12:00 CEST", "*-07-01 0:0:0/0.000001 CET", "2026-03-29 02:00:0/0.000001",
		"2026-3-29 2:*:0/0.000001", "Mon 2026-02-03", "*-02-31 *:*:* Australia/Lord_Howe",
	};
	uint64_t usec;

	zone("Europe/Berlin");
	/* Far more than it needs: a search that does not end is killed. */
	alarm(120);
	for (size_t i = 0; i < ARRAY_SIZE(never); i++) {
		struct calendar *c = parse(never[i]);

		if (i == 1)
			usec = UINT64_C(7258118399) * USEC;
		else
			usec = UINT64_C(1772323200) * USEC;
		if (c && !calendar_next(c, usec, &usec))
			bad("\"%s\": %s", never[i], date(usec));
		free(c);
	}
	free(parse(longest()));
	for (usec = 0; usec < UINT64_C(7000000000) * USEC; usec += UINT64_C(350000000) * USEC) {
		struct calendar *c = parse(longest());
		uint64_t next;

		if (!c || calendar_next(c, usec, &next) || next <= usec)
			bad("the longest");
		free(c);
	}
	alarm(0);
	tap("the search ends");
}

static void check_zone_kept(void)
{
	struct calendar *c = parse("12:00 Asia/Tokyo");
	uint64_t usec, again;

	if (!c)
		return;
	zone("America/New_York");
	if (calendar_next(c, 1783679696 * USEC, &usec) || strcmp(date(usec), "2026-07-11 03:00:00"))
		bad("%s", date(usec));
	if (strcmp(getenv("TZ"), "America/New_York") || timezone != 5 * 3600)
		bad("TZ is %s", getenv("TZ"));
	unsetenv("TZ");
	if (calendar_next(c, 1783679696 * USEC, &again) || again != usec)
		bad("%s", date(again));
	if (getenv("TZ"))
		bad("TZ is set");
	free(c);
	tap("the process keeps its time zone");
}

static void check_limits(void)
{
	struct calendar *c = parse("*:*:*");
	char buf[8];
	uint64_t next;

	zone("America/New_York");
	if (!c)
		return;
	if (calendar_next(c, 0, &next) || next != USEC)
		bad("from 0: %" PRIu64, next);
	if (calendar_next(c, USEC - 1, &next) || next != USEC)
		bad("1 us before: %" PRIu64, next);
	if (calendar_next(c, USEC, &next) || next != 2 * USEC)
		bad("strictly after: %" PRIu64, next);
	if (!calendar_next(c, UINT64_MAX, &next) || !calendar_next(c, UINT64_MAX / 2, &next) ||
	    !calendar_next(c, UINT64_C(8000000000) * USEC, &next))
		bad("after the end: %" PRIu64, next);
	if (calendar_format(c, buf, sizeof(buf)) != 11 || strcmp(buf, "*-*-* *"))
		bad("\"%s\"", buf);
	if (calendar_format(c, NULL, 0) != 11)
		bad("the length alone");
	free(c);
	tap("limits");
}

/* What holds of every expression that is taken. */
static void check_one(struct calendar *c, const char *text)
{
	static char normal[65536], again[65536];
	uint64_t base = (uint64_t)below(UINT32_MAX) * (USEC + below(700000)), next, later;
	struct calendar_error err;
	struct calendar *copy;

	if (calendar_format(c, normal, sizeof(normal)) >= sizeof(normal))
		bad("\"%s\": its normalised form is long", text);
	copy = calendar_parse(normal, strlen(normal), &err);
	if (!copy) {
		bad("\"%s\": \"%s\": %s", text, normal, err.text);
		return;
	}
	calendar_format(copy, again, sizeof(again));
	if (strcmp(normal, again))
		bad("\"%s\": \"%s\" is not \"%s\"", text, again, normal);
	if (!calendar_next(c, base, &next)) {
		if (next <= base || calendar_next(copy, base, &later) || later != next)
			bad("\"%s\": %" PRIu64 ", %" PRIu64, text, base, next);
		if (calendar_next(c, next - 1, &later) || later != next)
			bad("\"%s\": %" PRIu64 " only from afar", text, next);
	}
	free(copy);
}

/* Up to five characters put in, taken out or made another. */
static size_t mutate(char *text, size_t len)
{
	static const char alphabet[] = "0123456789*,-~:./ @MonTU";

	for (uint32_t n = below(6); n; n--) {
		size_t at = below(len + 1);
		char c = below(20) ? alphabet[below(sizeof(alphabet) - 1)] : (char)below(256);
		int what = below(3);

		if (what == 0) {
			memmove(text + at + 1, text + at, len++ - at);
			text[at] = c;
		} else if (what == 1 && at < len) {
			memmove(text + at, text + at + 1, --len - at);
		} else if (at < len) {
			text[at] = c;
		}
	}
	return len;
}

static void check_fuzz(void)
{
	struct calendar_error err;
	char text[1024];
	int valid = 0;

	zone("Australia/Lord_Howe");
	for (int i = 0; i < 30000 && table_nr; i++) {
		size_t len = stpcpy(text, table[below(table_nr)]) - text;
		struct calendar *c;
		char *exact;

		/* A block of its own, whose end the sanitizer knows. */
		len = mutate(text, len);
		text[len] = '\0';
		exact = malloc(len + !len);
		if (!exact)
			abort();
		memcpy(exact, text, len);
		c = calendar_parse(exact, len, &err);
		if (c) {
			check_one(c, text);
			valid++;
		}
		free(c);
		free(exact);
	}
	if (valid < 5000)
		bad("only %d are valid", valid);
	tap("mutations");
}

int main(int argc, char **argv)
{
	if (argc != 2)
		return 2;
	check_table(argv[1]);
	check_errors();
	check_different();
	check_hostile();
	check_ends();
	check_zone_kept();
	check_limits();
	check_fuzz();
	for (size_t i = 0; i < table_nr; i++)
		free(table[i]);
	return tap_done();
}
