/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Time spans as systemd.time(7) has them, in nanoseconds.
 *
 * For knell.unit(5):
 *
 * A time span is one or more numbers, each with a unit, which are added up: "2h 30min", "1h30m",
 * "55s500ms", "300ms20s 5day". Blanks between number and unit and between the terms may be left
 * out. A number may have a fraction: "1.5h", ".5". One without a unit is in the unit that the
 * directive names, seconds if it names none. The case of a unit counts: m is minutes, M months.
 *
 *	ns nsec
 *	us usec µs (both the micro sign and the Greek letter)
 *	ms msec
 *	s sec second seconds
 *	m min minute minutes
 *	h hr hour hours
 *	d day days
 *	w week weeks
 *	M month months	of 30.4375 days
 *	y year years	of 365.25 days
 *
 * "infinity" stands alone. A span is not negative, and is at most 2^63 - 1 ns, 292 years, which is
 * the kernel's limit for a time; systemd, which has microseconds, goes further and knows no ns.
 */
#ifndef KNELL_UNIT_SPAN_H
#define KNELL_UNIT_SPAN_H

#include <stddef.h>
#include <stdint.h>

#define SPAN_INFINITY	UINT64_MAX
#define SPAN_SEC	UINT64_C(1000000000)	/* what most directives have for @unit */
#define SPAN_TEXT_MAX	80			/* what span_format() needs at most */

/*
 * The span that the @len bytes at @text are, to *@ns; SPAN_INFINITY for "infinity". @unit, in
 * nanoseconds, is that of a number without one. Returns 0, -EINVAL if it is no time span, or
 * -ERANGE if it is negative or too long; *@ns is then left alone. Stops at the first byte that
 * is wrong, so what is hostile costs no more than reading it once. Allocates nothing, needs no
 * locale, may be called from any thread.
 */
int span_parse(const char *text, size_t len, uint64_t unit, uint64_t *ns);

/*
 * "1h 30min", "1.500000s", "infinity", "0": as systemd prints one, and down to "1ns", in the
 * SPAN_TEXT_MAX bytes at @buf, which it returns. span_parse() takes it back.
 */
char *span_format(uint64_t ns, char buf[static SPAN_TEXT_MAX]);

#endif
