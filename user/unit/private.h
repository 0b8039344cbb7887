/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How a unit file is read.
 *
 * mem.c        memory that is waited for, and the arena that all of one unit file is in
 * lex.c        logical lines, words and escapes
 * name.c       names of units, escaping
 * names.c      the words that unit files have for enums
 * specifier.c  % and what it stands for
 * values.c     parsers of plain values; values_exec.c of what systemd.exec(5) and commands need
 * directives.c the table of all keys
 * dirs.c       the search path as it is on disk
 * parse.c      one text; load.c one unit of a file, drop-ins and links
 * install.c    links of [Install]; verify.c
 */
#ifndef _UNIT_PRIVATE_H
#define _UNIT_PRIVATE_H

#include "unit_load.h"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define BLANKS		" \t\n\r"

/* mem.c: allocations that are freed together; zeroed */
struct chunk;

struct arena {
	struct chunk *chunks;
	char *next;
	size_t left;	/* at @next */
	size_t used;	/* in all */
};

void *arena_alloc(struct arena *a, size_t size);
void *arena_grow(struct arena *a, void *p, size_t nr, size_t size);
char *arena_strn(struct arena *a, const char *s, size_t len);
char *arena_str(struct arena *a, const char *s);
void arena_add(struct arena *a, struct strv *v, char *s);
void arena_free(struct arena *a);

/* lex.c */
struct lines {
	char *pos;
	unsigned int line;
};

char *lines_next(struct lines *l, unsigned int *line);
char *strip(char *s);
bool utf8_valid(const char *s);
uint64_t text_hash_more(uint64_t hash, const char *text, size_t len);

/* names.c: words that stand for 0, 1, 2...; @nr of them, NULL stands for nothing */
int choice(const char *const *names, size_t nr, const char *value);
/* NULL at the end */
extern const char *const type_names[], *const restart_names[], *const kill_mode_names[],
	*const emergency_names[], *const job_mode_names[];

#endif /* _UNIT_PRIVATE_H */
