/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Calendar expressions as systemd.time(7) has them.
 *
 * For knell.unit(5):
 *
 * A calendar expression names the points in time at which its weekday, date and time all match:
 *
 *	[WEEKDAYS] [[YEAR-]MONTH-DAY] [HOUR:MINUTE[:SECOND]] [ZONE]
 *
 * At least one of the first three is there. Without a date it is any day, without a time 00:00:00,
 * without seconds :00. The parts are separated by one or more blanks, the zone by one.
 *
 * WEEKDAYS is a list of English names in full or of three letters, in any case, separated by
 * commas: "Mon,Fri". "Mon..Fri" is a range; "Mon-Fri", as it was written once, is taken, too. A
 * range does not go over the end of the week, which begins on Monday.
 *
 * Each of the other six is "*", which is any value, or a list of these, separated by commas:
 *
 *	5	this value
 *	1..5	from this to that
 *	0/15	this, and every 15 from there
 *	0..30/5	this, and every 5 from there up to that
 *
 * Years are 1970 to 2199; 0 to 69 are taken for 2000 to 2069, 70 to 99 for 1970 to 1999. Seconds
 * may have a fraction, everywhere, which is rounded to microseconds: "*:*:0/0.5". With a "~", not
 * "-", before them, days, then 1 to 28, are counted from the month's end: "*-02~01" is the last day
 * of February, "Mon *-05~07/1" the last Monday of May.
 *
 * ZONE is UTC, in any case, a name of the system's time zone database (Europe/Berlin), or one of
 * the two short names that the local time zone goes by (CET, CEST): then only that half of the year
 * is meant. Without it, it is local time. A time that a clock put forward leaves out is left out;
 * one that a clock put back gives twice counts once, the first time.
 *
 * "@1800000000" is that many seconds after 1970-01-01 00:00:00 UTC. And there are the words
 *
 *	minutely			*-*-* *:*:00
 *	hourly				*-*-* *:00:00
 *	daily				*-*-* 00:00:00
 *	weekly				Mon *-*-* 00:00:00
 *	monthly				*-*-01 00:00:00
 *	quarterly			*-01,04,07,10-01 00:00:00
 *	semiannually semi-annually biannually bi-annually
 *					*-01,07-01 00:00:00
 *	yearly annually			*-01-01 00:00:00
 *
 * which may be followed by a zone. Case does not matter in them.
 */
#ifndef KNELL_UNIT_CALENDAR_H
#define KNELL_UNIT_CALENDAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CALENDAR_MAX		8192	/* bytes of an expression */
#define CALENDAR_PARTS_MAX	241	/* in the list of one field, as many as systemd takes */

enum calendar_field {
	CALENDAR_YEAR, CALENDAR_MONTH, CALENDAR_DAY, CALENDAR_HOUR, CALENDAR_MINUTE,
	CALENDAR_SECOND,	/* in microseconds */
	CALENDAR_FIELDS,
};

/* What the values of a field lie between, both included; a month may have fewer days. */
extern const struct calendar_range {
	const char *name;
	int min, max;
} calendar_ranges[CALENDAR_FIELDS];

/* One element of a list. */
struct calendar_part {
	int start;
	int stop;	/* -1: none */
	int step;	/* 0: none, then there is no stop either */
};

/*
 * To be made by calendar_parse() only; the list of field f begins at parts[from[f]] and ends before
 * parts[from[f + 1]].
 */
struct calendar {
	unsigned char weekdays;		/* 1 << 0 is Monday; 0: any */
	bool from_end;			/* the days are counted from the month's end */
	bool utc;
	signed char dst;		/* 0, 1: local, only standard or only summer time; or -1 */
	const char *zone;		/* NULL: local, or @utc; but its name if @dst is not -1 */
	unsigned short from[CALENDAR_FIELDS + 1];	/* an empty list: any value */
	struct calendar_part parts[];
};

struct calendar_error {
	size_t at;		/* the byte that it is about, counted from 0 */
	char text[104];		/* "expected ... at character 7", for people */
};

/*
 * Reads the @len bytes at @text. Returns what is to be freed with free(), a single block of at most
 * 32 KiB and mostly some 100 bytes, or NULL and fills in @err. What is longer than CALENDAR_MAX is
 * refused unread; the rest is read about once, with one open(2) of a file of the time zone database
 * if a zone is named. Uses the TZ of the process, so not beside a setenv() in another thread.
 */
struct calendar *calendar_parse(const char *text, size_t len, struct calendar_error *err);

/*
 * The normalised form, the one that `systemd-analyze calendar` prints, to the @size bytes at @buf,
 * which is always terminated if @size is not 0. Returns its length, as snprintf() does.
 */
size_t calendar_format(const struct calendar *c, char *buf, size_t size);

/*
 * The first time that matches after @usec, in microseconds of CLOCK_REALTIME, to *@next. Returns 0,
 * or -1 if there is none up to the end of the year 2199. It always ends: what is searched only goes
 * forward. Local time is what TZ says or, if that is not set, /etc/localtime says now, which costs
 * one stat(2). An expression with a zone of its own changes TZ for the time of the call: not from
 * several threads, and nowhere near a signal handler.
 */
int calendar_next(const struct calendar *c, uint64_t usec, uint64_t *next);

#endif
