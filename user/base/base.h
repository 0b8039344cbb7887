/* SPDX-License-Identifier: GPL-2.0-only */
/* What all rooms of knelld have: its log, its clock, and what the library of units has for all. */
#ifndef _KNELLD_BASE_H
#define _KNELLD_BASE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "unit_load.h"	/* FOREVER, NSEC_PER_SEC, xcalloc() */

#define BLANKS		" \t\n\r"
#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

/* log.c: lines are written when log_flush() is called, or there are many */
void log_line(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_flush(void);
/*
 * From here on nobody waits for who reads the log. @watch is to call log_resume() once when @fd can
 * be written; false: it cannot be watched.
 */
void log_begin(bool (*watch)(int fd));
void log_resume(void);
/* At the end: waits for room, at most @ms each time. */
void log_drain(int ms);
void log_give_back(void);		/* the memory of lines that have been written */
void log_hand_over(void);		/* before an exec: what is left is counted as lost there */
void log_say(const char *text);		/* at once, as far as there is room; async-signal-safe */
const char *signal_name(int sig);
uint64_t now_ns(void);			/* CLOCK_MONOTONIC */
extern bool in_container;		/* set up by others, who want to know how it ends */
bool is_pid1(void);			/* of a machine, or of what is like one */
/* Removes what is at @path if it is of that kind (S_IFREG ...); -EEXIST: it is of another. */
int remove_kind(const char *path, mode_t kind);
/*
 * For who gets descriptors to keep, one or more for each unit: makes room for as many above @fd, as
 * far as RLIMIT_NOFILE can be raised. Children are to get fd_limit() back, NULL: it is unchanged.
 */
void fd_make_room(int fd);
const struct rlimit *fd_limit(void);
const char *span_text(uint64_t ns, char *buf, size_t size);

/* memory.c: much that was needed so far is not from here on; and gives it back if that was said */
void memory_unused(void);
void memory_give_back(void);

#endif /* _KNELLD_BASE_H */
