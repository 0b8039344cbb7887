// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What each function has used, as Quagga's "show thread cpu" lays it out.
 *
 * Quagga's part of every line is there to the byte: two lines of headings, rows, TOTAL. Its
 * types are a field of six places in which a blank is a letter, too, so that who reads it
 * goes by columns, and its last column, the name, has no end but the line's. What we add
 * stands behind the name, which is filled up with blanks to the longest one: our own two
 * letters, how late, how many of its tasks there are, and warnings. A name of ours has no
 * blank unless the callback was given as an expression.
 */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

static const struct {
	char letter;
	unsigned int kinds;
} types[] = {
	{ 'R', KNELL_MASK(KNELL_KIND_READ) },
	{ 'W', KNELL_MASK(KNELL_KIND_WRITE) },
	{ 'T', KNELL_MASK(KNELL_KIND_TIMER) },
	{ 'E', KNELL_MASK(KNELL_KIND_EVENT) | KNELL_MASK(KNELL_KIND_READY) },
	{ 'X', KNELL_MASK(KNELL_KIND_EXECUTE) },
	{ 'B', KNELL_MASK(KNELL_KIND_BACKGROUND) },
	/* ours */
	{ 'C', KNELL_MASK(KNELL_KIND_CHILD) | KNELL_MASK(KNELL_KIND_TREE) |
	       KNELL_MASK(KNELL_KIND_RECORD) },
	{ 'S', KNELL_MASK(KNELL_KIND_SIGNAL) },
};

#define QUAGGA_TYPES	6

/* 0: none of its letters is a type. */
static uint32_t filter_kinds(const char *filter)
{
	uint32_t kinds = 0;
	size_t i;

	if (!filter || !*filter)
		return KNELL_MASK_ALL;
	for (; *filter; filter++)
		for (i = 0; i < ARRAY_SIZE(types); i++)
			if (toupper((unsigned char)*filter) == types[i].letter)
				kinds |= types[i].kinds;
	return kinds;
}

static void letters(char *s, uint32_t kinds, size_t from, size_t to)
{
	for (; from < to; from++)
		*s++ = kinds & types[from].kinds ? types[from].letter : ' ';
	*s = '\0';
}

static uint64_t usec(uint64_t ns)
{
	return ns / NSEC_PER_USEC;
}

static void text_row(FILE *f, const struct usage *u, int width)
{
	char quagga[ARRAY_SIZE(types) + 1], ours[ARRAY_SIZE(types) + 1];
	uint64_t cpu = usec(u->cpu), calls = u->calls;

	letters(quagga, u->kinds, 0, QUAGGA_TYPES);
	letters(ours, u->kinds, QUAGGA_TYPES, ARRAY_SIZE(types));
	fprintf(f, "%7" PRIu64 ".%03" PRIu64 " %9" PRIu64 " %8" PRIu64 " %9" PRIu64 " %8" PRIu64
		" %9" PRIu64 " %s ", cpu / 1000, cpu % 1000, calls, cpu / calls,
		usec(u->cpu_max), usec(u->wall) / calls, usec(u->wall_max), quagga);
	text_str(f, u->name);
	fprintf(f, "%*s  %s %8" PRIu64 " %9" PRIu64 " %6u %8" PRIu64 " %9" PRIu64 " %9" PRIu64
		"\n", width - (int)strlen(u->name), "", ours, usec(u->late) / calls,
		usec(u->late_max), u->active, u->warns[KNELL_WARN_CPU],
		u->warns[KNELL_WARN_WALL], u->warns[KNELL_WARN_LATE]);
}

static int text(FILE *f, struct usage *const *u, size_t nr, const struct usage *total)
{
	int width = (int)strlen(total->name);
	size_t i;

	for (i = 0; i < nr; i++)
		if ((int)strlen(u[i]->name) > width)
			width = (int)strlen(u[i]->name);
	if (width < (int)strlen("Thread"))
		width = (int)strlen("Thread");

	fprintf(f, "%21s %18s %18s%*s  %-2s %18s\n", "", "CPU (user+system):",
		"Real (wall-clock):", width + 10, "", "", "Late:");
	fprintf(f, "Runtime(ms)   Invoked Avg uSec Max uSecs Avg uSec Max uSecs  Type  %-*s"
		"  CS Avg uSec Max uSecs Active CPU_Warn Wall_Warn Late_Warn\n", width, "Thread");
	for (i = 0; i < nr; i++)
		text_row(f, u[i], width);
	if (total->calls)
		text_row(f, total, width);
	return file_done(f);
}

static void json_row(struct json *j, const char *key, const struct usage *u)
{
	char all[ARRAY_SIZE(types) + 1];
	size_t i, n = 0;

	for (i = 0; i < ARRAY_SIZE(types); i++)
		if (u->kinds & types[i].kinds)
			all[n++] = types[i].letter;
	all[n] = '\0';

	json_open(j, key, '{');
	if (!key)
		json_str(j, "name", u->name);
	json_str(j, "types", all);
	json_num(j, "active", u->active);
	json_num(j, "invoked", u->calls);
	json_num(j, "cpu_ns", u->cpu);
	json_num(j, "cpu_max_ns", u->cpu_max);
	json_num(j, "wall_ns", u->wall);
	json_num(j, "wall_max_ns", u->wall_max);
	json_num(j, "late_ns", u->late);
	json_num(j, "late_max_ns", u->late_max);
	json_num(j, "cpu_warnings", u->warns[KNELL_WARN_CPU]);
	json_num(j, "wall_warnings", u->warns[KNELL_WARN_WALL]);
	json_num(j, "late_warnings", u->warns[KNELL_WARN_LATE]);
	json_close(j, '}');
}

static int json(struct knell_loop *l, FILE *f, struct usage *const *u, size_t nr,
		const struct usage *total)
{
	struct json j = { .f = f };
	size_t i;

	json_open(&j, NULL, '{');
	json_str(&j, "loop", l->name);
	json_bool(&j, "cpu_accounting", l->stats.cpu);
	json_open(&j, "functions", '[');
	for (i = 0; i < nr; i++)
		json_row(&j, NULL, u[i]);
	json_close(&j, ']');
	json_row(&j, "total", total);
	json_close(&j, '}');
	return json_done(&j);
}

/* Who has used most comes first: CPU time, then time, then by name. */
static int compare(const void *a, const void *b)
{
	const struct usage *x = *(struct usage *const *)a, *y = *(struct usage *const *)b;

	if (x->cpu != y->cpu)
		return x->cpu > y->cpu ? -1 : 1;
	if (x->wall != y->wall)
		return x->wall > y->wall ? -1 : 1;
	return strcmp(x->name, y->name);
}

static void add(struct usage *total, const struct usage *u)
{
	size_t i;

	total->calls += u->calls;
	total->active += u->active;
	total->cpu += u->cpu;
	total->wall += u->wall;
	total->late += u->late;
	if (u->cpu_max > total->cpu_max)
		total->cpu_max = u->cpu_max;
	if (u->wall_max > total->wall_max)
		total->wall_max = u->wall_max;
	if (u->late_max > total->late_max)
		total->late_max = u->late_max;
	for (i = 0; i < ARRAY_SIZE(u->warns); i++)
		total->warns[i] += u->warns[i];
}

static void count_active(struct knell_loop *l, struct task *t, void *arg)
{
	struct usage *u;

	(void)arg;
	if (t->flags & TASK_DELIVERY)
		return;
	u = usage_find(l, t->flags & TASK_ALIAS ? ((struct alias *)t->arg)->counted_as : t->cb);
	if (u)
		u->active++;
}

/* Those of @kinds that have run, into @u, which has room for all. */
static size_t collect(const struct stats *s, struct usage **u, uint32_t kinds)
{
	size_t i, nr = 0;

	for (i = 0; i < s->room; i++)
		if (s->bucket[i] && s->bucket[i]->calls && s->bucket[i]->kinds & kinds)
			u[nr++] = s->bucket[i];
	return nr;
}

int knell_stats_show(struct knell_loop *l, FILE *f, const char *filter, enum knell_format format)
{
	struct usage total = { .name = "TOTAL", .kinds = filter_kinds(filter) }, **u;
	struct stats *s = &l->stats;
	size_t i, nr;
	int err;

	if (loop_is_copy(l))
		return -ECHILD;
	if (!total.kinds || (format != KNELL_TEXT && format != KNELL_JSON))
		return -EINVAL;
	u = calloc(s->nr + 1, sizeof(*u));
	if (!u)
		return -ENOMEM;
	stats_settle(l);
	for (i = 0; i < s->room; i++)
		if (s->bucket[i])
			s->bucket[i]->active = 0;
	task_each(l, count_active, NULL);
	nr = collect(s, u, total.kinds);
	qsort(u, nr, sizeof(*u), compare);
	for (i = 0; i < nr; i++)
		add(&total, u[i]);
	err = format == KNELL_JSON ? json(l, f, u, nr, &total) : text(f, u, nr, &total);
	free(u);
	return err;
}

int knell_stats_clear(struct knell_loop *l, const char *filter)
{
	uint32_t kinds = filter_kinds(filter);
	struct stats *s = &l->stats;
	struct usage *u;
	size_t i;

	if (loop_is_copy(l))
		return -ECHILD;
	if (!kinds)
		return -EINVAL;
	/* In place: runs and the list of those who share point here. */
	stats_settle(l);
	for (i = 0; i < s->room; i++) {
		u = s->bucket[i];
		if (u && u->kinds & kinds)
			*u = (struct usage){ .cb = u->cb, .name = u->name };
	}
	return 0;
}
