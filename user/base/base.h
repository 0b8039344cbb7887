/* SPDX-License-Identifier: GPL-2.0-only */
/* What all rooms of knelld have: its log, its clock, and what the library of units has for all. */
#ifndef _KNELLD_BASE_H
#define _KNELLD_BASE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>

#include "unit_load.h"	/* FOREVER, NSEC_PER_SEC, xcalloc() */

#define BLANKS		" \t\n\r"
#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

/* log.c: lines are written when log_flush() is called, or there are many */
void log_line(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_flush(void);
const char *signal_name(int sig);
uint64_t now_ns(void);			/* CLOCK_MONOTONIC */
bool is_pid1(void);
/*
 * For who gets descriptors to keep, one or more for each unit: makes room for as many above @fd, as
 * far as RLIMIT_NOFILE can be raised. Children are to get fd_limit() back, NULL: it is unchanged.
 */
void fd_make_room(int fd);
const struct rlimit *fd_limit(void);
const char *span_text(uint64_t ns, char *buf, size_t size);

#endif /* _KNELLD_BASE_H */
