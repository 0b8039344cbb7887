// SPDX-License-Identifier: GPL-2.0-only
/*
 * What calendar_diff.sh needs: expressions and time spans made from a seed, one a line, and what
 * user/unit makes of those on its standard input.
 *
 *	diff_helper make-calendar SEED NR
 *	diff_helper make-span SEED NR
 *	diff_helper calendar BASE NR	per line "expression<TAB>normalised<TAB>NR elapses after BASE"
 *	diff_helper span		per line "span<TAB>nanoseconds<TAB>formatted"
 *
 * BASE is in microseconds. What is refused has "-" after the first tab.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "calendar.h"
#include "span.h"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof(*(a)))
#define PICK(a)		((a)[below(ARRAY_SIZE(a))])

static uint64_t random_state;

static uint32_t below(uint32_t n)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (random_state >> 32) % n;
}

static bool percent(uint32_t n)
{
	return below(100) < n;
}

static char line[4096];

static __attribute__((format(printf, 1, 2))) void add(const char *fmt, ...)
{
	size_t len = strlen(line);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line + len, sizeof(line) - len, fmt, ap);
	va_end(ap);
}

static bool more(uint32_t n, const char *separator)
{
	if (!percent(n))
		return false;
	add("%s", separator);
	return true;
}

static const char *const days[] = {
	"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun", "Monday", "tuesday", "WEDNESDAY",
	"thursday", "friday", "SATURDAY", "sun",
};
static const char *const words[] = {
	"minutely", "hourly", "daily", "weekly", "monthly", "yearly", "annually", "quarterly",
	"semiannually", "semi-annually", "biannually", "bi-annually", "anually", "Weekly", "DAILY",
	"secondly", "biweekly",
};
static const char *const zones[] = {
	"UTC", "utc", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata",
	"America/Sao_Paulo", "Etc/GMT+5", "Pacific/Apia", "CET", "CEST", "EST", "EDT", "+11",
	"Europe/Nowhere", "europe/berlin", "GMT+1", "Africa/Casablanca", "America/St_Johns",
};

/* What a field may be from and to; the days before the month's end come last. */
static const struct {
	int min, max;
} fields[] = { { 2024, 2034 }, { 1, 12 }, { 1, 31 }, { 0, 23 }, { 0, 59 }, { 0, 59 }, { 1, 28 } };

/* Around the limits, and where the clock is changed. */
static int value(int f)
{
	static const int special[][6] = {
		{ 1970, 2199, 24, 69, 70, 2200 }, { 2, 2, 3, 10, 12, 0 }, { 1, 28, 29, 30, 31, 32 },
		{ 0, 1, 2, 3, 23, 24 }, { 0, 0, 15, 30, 59, 60 }, { 0, 0, 15, 30, 59, 60 },
		{ 1, 2, 7, 28, 27, 29 },
	};

	if (percent(30))
		return special[f][percent(95) ? below(5) : 5];
	return fields[f].min + (int)below(fields[f].max - fields[f].min + 1);
}

static void number(int f, int n)
{
	if (percent(80))
		add("%02d", n);
	else
		add("%d", n);
	if (f == 5 && percent(15))
		add(".%0*u", 1 + (int)below(7), below(9));
}

static void element(int f)
{
	int low = value(f), high = value(f);

	number(f, low);
	if (percent(25)) {
		if (high < low && percent(90))
			high = low + (int)below(3);
		add("..");
		number(f, high);
	}
	if (percent(25)) {
		add("/");
		number(f, 1 + (int)below(percent(80) ? 5 : 40));
	}
}

static void list(int f)
{
	if (percent(f == 0 ? 60 : 30)) {
		add("*");
		return;
	}
	do {
		element(f);
	} while (more(20, ","));
}

static void weekdays(void)
{
	do {
		add("%s", PICK(days));
		if (percent(30))
			add("%s%s", percent(80) ? ".." : "-", PICK(days));
	} while (more(30, ","));
}

static void calendar(void)
{
	bool date = percent(55), time = percent(date ? 60 : 90), end = percent(15);
	bool weekday = percent(30);

	if (weekday)
		weekdays();
	if (weekday && (date || time))
		add(" ");
	if (date && percent(60)) {
		list(0);
		add("-");
	}
	if (date) {
		list(1);
		add(end ? "~" : "-");
		list(end ? 6 : 2);
	}
	if (date && time)
		add(percent(95) ? " " : "  ");
	if (time) {
		list(3);
		add(":");
		list(4);
		if (more(45, ":"))
			list(5);
	}
}

static void make_calendar(void)
{
	if (percent(4))
		add("%s", PICK(words));
	else if (percent(1))
		add("@%u", below(percent(90) ? 4000000000U : 100));
	else
		calendar();
	if (percent(20))
		add(" %s", PICK(zones));
}

static const char *const units[] = {
	"us", "usec", "\xc2\xb5s", "\xce\xbcs", "ms", "msec", "s", "sec", "second", "seconds", "m",
	"min", "minute", "minutes", "h", "hr", "hour", "hours", "d", "day", "days", "w", "week",
	"weeks", "M", "month", "months", "y", "year", "years", "", "",
};

/* Fractions end where microseconds do: systemd drops what is below. */
static void make_span(void)
{
	if (percent(2)) {
		add("infinity");
		return;
	}
	if (percent(5))
		add("%s", percent(50) ? " " : "+");
	do {
		uint32_t unit = below(ARRAY_SIZE(units));
		int digits = unit < 4 ? 0 : unit < 6 ? 3 : 6;

		if (percent(2))
			add("%" PRIu64, random_state >> below(40));
		else if (percent(95))
			add("%u", below(percent(70) ? 100 : 100000));
		if (digits && percent(25))
			add(".%0*u", 1 + (int)below(digits), below(9));
		add("%s%s%s", percent(30) ? " " : "", units[unit], percent(40) ? " " : "");
	} while (percent(45));
}

/* Does away with a character, or makes another one of it, or puts one in. */
static void mutate(const char *alphabet)
{
	size_t len = strlen(line), at = below(len + 1);
	char c = alphabet[below(strlen(alphabet))];

	switch (below(3)) {
	case 0:
		if (at < len)
			memmove(line + at, line + at + 1, len - at);
		break;
	case 1:
		if (at < len)
			line[at] = c;
		break;
	default:
		memmove(line + at + 1, line + at, len - at + 1);
		line[at] = c;
	}
}

static int make(bool span, uint64_t seed, long nr)
{
	random_state = seed * UINT64_C(0x9e3779b97f4a7c15) + 0x1234567;
	for (int i = 0; i < 20; i++)
		below(2);
	while (nr--) {
		line[0] = '\0';
		if (span)
			make_span();
		else
			make_calendar();
		while (percent(20))
			mutate(span ? "0123456789.+- smhdwMyu" : "0123456789*,-~:./ @MonTU");
		puts(line);
	}
	return 0;
}

static void show_elapse(uint64_t usec)
{
	time_t t = usec / 1000000;
	struct tm tm;
	char text[64];

	strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", gmtime_r(&t, &tm));
	printf("\t%s", text);
}

static void show_calendar(const char *text, size_t len, uint64_t usec, long nr)
{
	struct calendar_error err;
	struct calendar *c = calendar_parse(text, len, &err);
	char normal[8192];

	if (!c) {
		printf("%s\t-\n", text);
		return;
	}
	calendar_format(c, normal, sizeof(normal));
	printf("%s\t%s", text, normal);
	while (nr-- && !calendar_next(c, usec, &usec))
		show_elapse(usec);
	puts("");
	free(c);
}

static void show_span(const char *text, size_t len)
{
	char buf[SPAN_TEXT_MAX];
	uint64_t ns;

	if (span_parse(text, len, SPAN_SEC, &ns))
		printf("%s\t-\n", text);
	else
		printf("%s\t%" PRIu64 "\t%s\n", text, ns, span_format(ns, buf));
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	bool elapses = argc == 4 && !strcmp(what, "calendar");
	size_t len;

	if (argc == 4 && !strncmp(what, "make-", 5))
		return make(!strcmp(what, "make-span"), strtoull(argv[2], NULL, 10),
			    strtol(argv[3], NULL, 10));
	if (!elapses && !(argc == 2 && !strcmp(what, "span"))) {
		fprintf(stderr, "usage: %s make-calendar|make-span SEED NR | calendar BASE NR | span\n",
			argv[0]);
		return 2;
	}
	while (fgets(line, sizeof(line), stdin)) {
		len = strcspn(line, "\n");
		line[len] = '\0';
		if (elapses)
			show_calendar(line, len, strtoull(argv[2], NULL, 10),
				      strtol(argv[3], NULL, 10));
		else
			show_span(line, len);
	}
	return 0;
}
