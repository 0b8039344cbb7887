// SPDX-License-Identifier: GPL-2.0-only
/*
 * Calendar expressions: what is one is printed and read again as the same. The next time is later
 * than now and matches, and from anywhere in between it is the same.
 */
#include <time.h>

#include "calendar.h"
#include "fuzz.h"
#include "unit_load.h"

#define USEC		UINT64_C(1000000)
#define LAST		(UINT64_C(7258118400) * USEC)	/* 2200-01-01 00:00:00 UTC */

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	/* By a rule: no file is needed, and the machine's own zone makes no difference. */
	return setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
}

static bool listed(const struct calendar *c, enum calendar_field f, int value, int days)
{
	const struct calendar_part *p = c->parts + c->from[f], *end = c->parts + c->from[f + 1];
	bool any = p == end;

	if (f == CALENDAR_DAY && c->from_end)
		value = days + 1 - value;
	for (; p < end; p++) {
		int ahead = value - p->start;

		if (!p->step)
			any |= !ahead;
		else if (f != CALENDAR_DAY || !c->from_end)
			any |= ahead >= 0 && (p->stop < 0 || value <= p->stop) &&
			       !(ahead % p->step);
		else if (p->stop >= 0)
			any |= ahead >= 0 && value <= p->stop && !((p->stop - value) % p->step);
		else
			any |= value <= p->start && !(-ahead % p->step);
	}
	return any;
}

static bool matches(const struct calendar *c, uint64_t usec)
{
	time_t t = usec / USEC;
	struct tm tm, last;
	int day, v[CALENDAR_FIELDS];

	CHECK(c->utc ? gmtime_r(&t, &tm) : localtime_r(&t, &tm), "no time");
	v[CALENDAR_YEAR] = tm.tm_year + 1900;
	v[CALENDAR_MONTH] = tm.tm_mon + 1;
	v[CALENDAR_DAY] = tm.tm_mday;
	v[CALENDAR_HOUR] = tm.tm_hour;
	v[CALENDAR_MINUTE] = tm.tm_min;
	v[CALENDAR_SECOND] = tm.tm_sec * (int)USEC + usec % USEC;
	/* The day before the next month's first. */
	last = (struct tm){ .tm_year = tm.tm_year, .tm_mon = tm.tm_mon + 1 };
	timegm(&last);
	for (int f = 0; f < CALENDAR_FIELDS; f++)
		if (!listed(c, f, v[f], last.tm_mday))
			return false;
	day = (tm.tm_wday + 6) % 7;
	return (!c->weekdays || c->weekdays >> day & 1) && (c->dst < 0 || c->dst == tm.tm_isdst);
}

static void look_at(const struct calendar *c, uint64_t now)
{
	uint64_t next, again;

	if (calendar_next(c, now, &next))
		return;
	CHECK(next > now && next < LAST, "after %llu comes %llu", (unsigned long long)now,
	      (unsigned long long)next);
	if (!c->zone || c->dst >= 0)
		CHECK(matches(c, next), "%llu", (unsigned long long)next);
	CHECK(!calendar_next(c, next - 1, &again) && again == next, "just before %llu",
	      (unsigned long long)next);
	CHECK(!calendar_next(c, now + (next - now) / 2, &again) && again == next,
	      "between %llu and %llu", (unsigned long long)now, (unsigned long long)next);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char first[2 * CALENDAR_MAX], second[2 * CALENDAR_MAX];
	uint64_t any = text_hash((const char *)data, size);
	struct calendar_error err = { 0 };
	struct calendar *c = calendar_parse((const char *)data, size, &err), *again;
	size_t len;

	if (!c) {
		CHECK(*err.text && strlen(err.text) < sizeof(err.text), "an error without words");
		return 0;
	}
	len = calendar_format(c, first, sizeof(first));
	CHECK(len < sizeof(first) && strlen(first) == len, "%zu", len);
	again = calendar_parse(first, len, &err);
	CHECK(again, "\"%s\": %s", first, err.text);
	calendar_format(again, second, sizeof(second));
	CHECK(!strcmp(first, second), "\"%s\" is \"%s\"", first, second);
	look_at(c, any % LAST);
	look_at(again, UINT64_C(1800000000) * USEC);
	free(c);
	free(again);
	return 0;
}
