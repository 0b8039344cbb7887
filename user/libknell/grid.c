// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A table, put together first and then written, so that its columns are as wide as what
 * is in them; or the same as JSON.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

#define CELLS_MIN	64
#define NUM_MAX		32

static struct cell *cell_new(struct grid *g)
{
	size_t room = g->room ? g->room * 2 : CELLS_MIN;
	struct cell *cell;

	if (g->failed)
		return NULL;
	if (g->nr == g->room) {
		cell = reallocarray(g->cell, room, sizeof(*cell));
		if (!cell) {
			g->failed = true;
			return NULL;
		}
		g->cell = cell;
		g->room = room;
	}
	cell = &g->cell[g->nr++];
	*cell = (struct cell){ 0 };
	return cell;
}

void grid_str(struct grid *g, const char *s)
{
	struct cell *cell = cell_new(g);

	if (!cell || !s)
		return;
	cell->str = strdup(s);
	if (!cell->str)
		g->failed = true;
}

void grid_num(struct grid *g, uint64_t num)
{
	struct cell *cell = cell_new(g);

	if (cell)
		cell->num = num;
}

void grid_site(struct grid *g, const struct knell_site *site)
{
	struct cell *cell = cell_new(g);

	if (!cell || !site || !site->file)
		return;
	if (asprintf(&cell->str, "%s:%d", site->file, site->line) < 0) {
		cell->str = NULL;
		g->failed = true;
	}
}

static const char *cell_text(const struct cell *cell, enum cell_kind kind, char num[NUM_MAX])
{
	switch (kind) {
	case CELL_STR:
		return cell->str ? cell->str : "-";
	case CELL_NUM:
		snprintf(num, NUM_MAX, "%" PRIu64, cell->num);
		return num;
	case CELL_TIME:
		snprintf(num, NUM_MAX, "%" PRIu64 ".%03u", cell->num / NSEC_PER_SEC,
			 (unsigned int)(cell->num % NSEC_PER_SEC / NSEC_PER_MSEC));
		return num;
	case CELL_BOOL:
		break;
	}
	return cell->num ? "yes" : "no";
}

/* Words to the left, numbers to the right; nothing behind the last one. */
static void put(FILE *f, const char *s, bool right, bool last, int width)
{
	int pad = width - (int)strlen(s);

	if (right && pad > 0)
		fprintf(f, "%*s", pad, "");
	text_str(f, s);
	if (last)
		putc('\n', f);
	else
		fprintf(f, "%*s", 2 + (right || pad < 0 ? 0 : pad), "");
}

static bool is_right(enum cell_kind kind)
{
	return kind == CELL_NUM || kind == CELL_TIME;
}

static int width_of(const struct grid *g, unsigned int col)
{
	const struct column *c = &g->column[col];
	size_t i, len, width = strlen(c->head);
	char num[NUM_MAX];

	for (i = col; i < g->nr; i += g->columns) {
		len = strlen(cell_text(&g->cell[i], c->kind, num));
		if (len > width)
			width = len;
	}
	return width < 1000 ? (int)width : 1000;
}

static int print_text(const struct grid *g, FILE *f)
{
	int *width = calloc(g->columns, sizeof(*width));
	const struct column *c;
	char num[NUM_MAX];
	unsigned int col;
	size_t i;

	if (!width)
		return -ENOMEM;
	for (col = 0; col < g->columns; col++) {
		c = &g->column[col];
		width[col] = width_of(g, col);
		put(f, c->head, is_right(c->kind), col + 1 == g->columns, width[col]);
	}
	for (i = 0; i < g->nr; i++) {
		col = i % g->columns;
		c = &g->column[col];
		put(f, cell_text(&g->cell[i], c->kind, num), is_right(c->kind),
		    col + 1 == g->columns, width[col]);
	}
	free(width);
	return file_done(f);
}

static void print_cell(struct json *j, const struct column *c, const struct cell *cell)
{
	switch (c->kind) {
	case CELL_STR:
		json_str(j, c->key, cell->str);
		break;
	case CELL_NUM:
	case CELL_TIME:
		json_num(j, c->key, cell->num);
		break;
	case CELL_BOOL:
		json_bool(j, c->key, cell->num);
		break;
	}
}

static int print_json(const struct grid *g, FILE *f, const char *loop, const char *key)
{
	struct json j = { .f = f };
	unsigned int col;
	size_t i;

	json_open(&j, NULL, '{');
	json_str(&j, "loop", loop);
	if (key)
		json_open(&j, key, '[');
	for (i = 0; i < g->nr; i += g->columns) {
		if (key)
			json_open(&j, NULL, '{');
		for (col = 0; col < g->columns; col++)
			print_cell(&j, &g->column[col], &g->cell[i + col]);
		if (key)
			json_close(&j, '}');
	}
	if (key)
		json_close(&j, ']');
	json_close(&j, '}');
	return json_done(&j);
}

static void grid_free(struct grid *g)
{
	size_t i;

	for (i = 0; i < g->nr; i++)
		free(g->cell[i].str);
	free(g->cell);
}

int grid_print(struct grid *g, FILE *f, enum knell_format format, const char *loop,
	       const char *key)
{
	int err;

	if (g->failed)
		err = -ENOMEM;
	else if (format == KNELL_JSON)
		err = print_json(g, f, loop, key);
	else
		err = print_text(g, f);
	grid_free(g);
	return err;
}

static int print_lines(const struct grid *g, FILE *f)
{
	char num[NUM_MAX];
	unsigned int col;
	size_t width = 0;

	for (col = 0; col < g->columns; col++)
		if (strlen(g->column[col].head) > width)
			width = strlen(g->column[col].head);
	for (col = 0; col < g->nr; col++) {
		put(f, g->column[col].head, false, false, (int)width);
		put(f, cell_text(&g->cell[col], g->column[col].kind, num), false, true, 0);
	}
	return file_done(f);
}

int grid_print_record(struct grid *g, FILE *f, enum knell_format format, const char *loop)
{
	int err;

	if (g->failed)
		err = -ENOMEM;
	else if (format == KNELL_JSON)
		err = print_json(g, f, loop, NULL);
	else
		err = print_lines(g, f);
	grid_free(g);
	return err;
}
