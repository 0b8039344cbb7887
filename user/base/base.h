/* SPDX-License-Identifier: GPL-2.0-only */
/* What all rooms of knelld have: its log, its clock, and what the library of units has for all. */
#ifndef _KNELLD_BASE_H
#define _KNELLD_BASE_H

#include <stdbool.h>
#include <stdint.h>

#include "unit_load.h"	/* FOREVER, NSEC_PER_SEC, xcalloc() */

#define BLANKS		" \t\n\r"
#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

/* log.c: lines are written when log_flush() is called, or there are many */
void log_line(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_flush(void);
const char *signal_name(int sig);
uint64_t now_ns(void);			/* CLOCK_MONOTONIC */
bool is_pid1(void);
const char *span_text(uint64_t ns, char *buf, size_t size);

#endif /* _KNELLD_BASE_H */
