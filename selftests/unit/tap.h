/* SPDX-License-Identifier: GPL-2.0-only */
/* The test anything protocol, as little of it as the host's tests need. */
#ifndef KNELL_UNIT_TAP_H
#define KNELL_UNIT_TAP_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof(*(a)))

static int tap_tests, tap_failed, tap_bad;

/* What is wrong, within a test. */
static __attribute__((format(printf, 1, 2))) inline void bad(const char *fmt, ...)
{
	va_list ap;

	if (tap_bad++ >= 20)
		return;
	va_start(ap, fmt);
	printf("# ");
	vprintf(fmt, ap);
	printf("\n");
	va_end(ap);
}

/* The end of a test, which is good if bad() has not been called since the last. */
static inline void tap(const char *name)
{
	printf("%sok %d %s\n", tap_bad ? "not " : "", ++tap_tests, name);
	fflush(stdout);
	tap_failed += !!tap_bad;
	tap_bad = 0;
}

static inline int tap_done(void)
{
	printf("1..%d\n", tap_tests);
	return !!tap_failed;
}

static uint64_t random_state = 0x6b6e656c6c;

static inline uint32_t below(uint32_t n)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (random_state >> 32) % n;
}

#endif
