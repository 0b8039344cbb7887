// SPDX-License-Identifier: GPL-2.0-only
/*
 * When a calendar expression matches next.
 *
 * The search is in local time, where it only goes forward, field by field; what it finds is then
 * looked up in the time zone, where it may not exist (the clock was put forward) or be there twice
 * (it was put back).
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "calendar.h"

#define USEC_PER_SEC	1000000
#define DAY		INT64_C(86400)

static int month_days(int year, int month)
{
	static const char days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

	return days[month - 1] + (month == 2 && !(year % 4) && (year % 100 || !(year % 400)));
}

/* Days since 1970-01-01, of a year that begins in March. */
static int64_t day_number(int year, int month, int day)
{
	int y = month < 3 ? year - 1 : year, m = (month + 9) % 12;

	return INT64_C(365) * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 719469;
}

/* Seconds since 1970-01-01 as if it were UTC. */
static int64_t seconds(const int v[CALENDAR_FIELDS])
{
	return day_number(v[0], v[1], v[2]) * DAY + v[3] * 3600 + v[4] * 60 + v[5] / USEC_PER_SEC;
}

/* The least that is at least *@value and in the list of the field @f. */
static bool match(const struct calendar *c, int f, int max, int *value)
{
	int best = INT_MAX, v = *value;

	if (c->from[f] == c->from[f + 1])
		return v <= max;
	for (int i = c->from[f]; i < c->from[f + 1]; i++) {
		const struct calendar_part *p = &c->parts[i];
		int low = p->start, high = p->stop, step = p->step;

		if (f == CALENDAR_DAY && c->from_end) {
			low = max + 1 - (p->stop >= 0 ? p->stop : p->start);
			high = p->stop >= 0 ? max + 1 - p->start : -1;
		}
		if (high < 0)
			high = step ? max : low;
		if (v > low)
			low = step ? v + (step - (v - low) % step) % step : max + 1;
		if (low <= high && low <= max && low < best)
			best = low;
	}
	*value = best;
	return best != INT_MAX;
}

/* Sets all fields from @f on to the least. */
static void reset(int v[CALENDAR_FIELDS], int f)
{
	for (; f < CALENDAR_FIELDS; f++)
		v[f] = calendar_ranges[f].min;
}

static bool day_matches(const struct calendar *c, const int v[CALENDAR_FIELDS])
{
	/* 1970-01-01 was a Thursday; + 7 for the day before it. */
	return !c->weekdays ||
	       c->weekdays & 1 << (day_number(v[0], v[1], v[2]) + 7 + 3) % 7;
}

/*
 * The least that is not less than @v and matches, to @v. A field that has no more to give makes
 * the one before it go on.
 */
static bool search(const struct calendar *c, int v[CALENDAR_FIELDS])
{
	int f = CALENDAR_YEAR;

	while (f < CALENDAR_FIELDS) {
		int max = f == CALENDAR_DAY ? month_days(v[0], v[1]) : calendar_ranges[f].max;
		int found = v[f];

		if (!match(c, f, max, &found)) {
			if (f == CALENDAR_YEAR)
				return false;
			v[--f]++;
			reset(v, f + 1);
			continue;
		}
		if (found > v[f]) {
			v[f] = found;
			reset(v, f + 1);
		}
		if (f == CALENDAR_DAY && !day_matches(c, v)) {
			v[f]++;
			reset(v, f + 1);
			continue;
		}
		f++;
	}
	return true;
}

static void from_tm(const struct tm *tm, int usec, int v[CALENDAR_FIELDS])
{
	v[0] = tm->tm_year + 1900;
	v[1] = tm->tm_mon + 1;
	v[2] = tm->tm_mday;
	v[3] = tm->tm_hour;
	v[4] = tm->tm_min;
	v[5] = tm->tm_sec * USEC_PER_SEC + usec;
}

/* The local time at @t as seconds(), and whether it is summer time. */
static int64_t local(const struct calendar *c, int64_t t, int *dst)
{
	time_t time = t;
	struct tm tm;
	int v[CALENDAR_FIELDS];

	if (dst)
		*dst = 0;
	if (c->utc || !localtime_r(&time, &tm))
		return t;
	from_tm(&tm, 0, v);
	if (dst)
		*dst = tm.tm_isdst > 0;
	return seconds(v);
}

/* The first time in (@low, @high] where the clock is set as at @high; at @low it is not yet. */
static int64_t change_between(const struct calendar *c, int64_t low, int64_t high)
{
	int dst_high, dst;
	int64_t offset = local(c, high, &dst_high) - high;

	while (high - low > 1) {
		int64_t mid = low + (high - low) / 2;

		if (local(c, mid, &dst) - mid == offset && dst == dst_high)
			high = mid;
		else
			low = mid;
	}
	return high;
}

/* @v becomes the local time at @t, without fraction. */
static void go_to(const struct calendar *c, int64_t t, int v[CALENDAR_FIELDS])
{
	time_t time = t;
	struct tm tm;

	if (c->utc ? gmtime_r(&time, &tm) : localtime_r(&time, &tm))
		from_tm(&tm, 0, v);
	else
		v[0] = calendar_ranges[CALENDAR_YEAR].max + 1;
}

/* There is no @v of that half of the year at @t: on to where it begins, or past the end. */
static void next_half(const struct calendar *c, int64_t t, int v[CALENDAR_FIELDS])
{
	int dst;

	for (int day = 0; day < 400; day++, t += DAY) {
		local(c, t + DAY, &dst);
		if (dst == c->dst) {
			go_to(c, change_between(c, t, t + DAY), v);
			return;
		}
	}
	v[0] = calendar_ranges[CALENDAR_YEAR].max + 1;
}

/*
 * The first time after @usec at which the clock shows @v, to *@next. False if there is none: then
 * @v has become a later one, which the search may go on from.
 */
static bool exists(const struct calendar *c, int v[CALENDAR_FIELDS], uint64_t usec, uint64_t *next)
{
	int64_t s = seconds(v), offset[2], t, other = -1;
	int later[CALENDAR_FIELDS], dst;

	/* How the clock was set before and will be after any change that there is around here. */
	offset[0] = local(c, s - DAY, NULL) - (s - DAY);
	offset[1] = local(c, s + DAY, NULL) - (s + DAY);
	for (int i = 0; i < 2; i++) {
		/* The greater offset is the earlier time. */
		t = s - (offset[0] > offset[1] ? offset[i] : offset[!i]);
		if (local(c, t, &dst) != s)
			continue;
		*next = (uint64_t)t * USEC_PER_SEC + v[CALENDAR_SECOND] % USEC_PER_SEC;
		other = t;
		if (t >= 0 && *next > usec && (c->dst < 0 || c->dst == dst))
			return true;
	}
	memcpy(later, v, sizeof(later));
	if (other >= 0 && c->dst >= 0)
		next_half(c, other, later);
	else if (other < 0 && offset[1] > offset[0])
		go_to(c, change_between(c, s - offset[1], s - offset[0]), later);
	if (seconds(later) > s) {
		memcpy(v, later, sizeof(later));
	} else {
		/* Before 1970, or a clock such as there is none. */
		v[CALENDAR_HOUR]++;
		reset(v, CALENDAR_MINUTE);
	}
	return false;
}

static int find(const struct calendar *c, uint64_t usec, uint64_t *next)
{
	time_t t = (usec + 1) / USEC_PER_SEC;
	int v[CALENDAR_FIELDS];
	struct tm tm;

	if (!(c->utc ? gmtime_r(&t, &tm) : localtime_r(&t, &tm)))
		return -1;
	from_tm(&tm, (usec + 1) % USEC_PER_SEC, v);
	while (search(c, v))
		if (exists(c, v, usec, next))
			return 0;
	return -1;
}

int calendar_next(const struct calendar *c, uint64_t usec, uint64_t *next)
{
	const char *tz = getenv("TZ");
	char zone[320], *saved = NULL;
	int ret = -1;

	/* Nothing matches after the year 2199. */
	if (usec / USEC_PER_SEC > UINT64_C(7300000000))
		return -1;
	if (!c->zone || c->dst >= 0) {
		tzset();
		return find(c, usec, next);
	}
	if (tz) {
		saved = strdup(tz);
		if (!saved)
			return -1;
	}
	/* With the colon it is a file, and no rule such as "GMT+1". */
	snprintf(zone, sizeof(zone), ":%s", c->zone);
	if (!setenv("TZ", zone, 1)) {
		tzset();
		ret = find(c, usec, next);
		if (saved)
			setenv("TZ", saved, 1);
		else
			unsetenv("TZ");
		tzset();
	}
	free(saved);
	return ret;
}
