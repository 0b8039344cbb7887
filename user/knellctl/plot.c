// SPDX-License-Identifier: GPL-2.0-only
/* The boot: as a chart, and by who took longest. */
#include <stdlib.h>
#include <string.h>

#include "knellctl.h"

#define ROW		20		/* pixels */
#define LEFT		20
#define TOP		60
#define BOTTOM		40
#define CHART		900		/* of the time from start to end */
#define NAMES		420		/* room for the last name */

struct span {
	const char *unit;
	int64_t begin, end;		/* since knelld was started, us; end < 0: it never came */
	bool failed;
};

/* Times before knelld's own, or absurd ones, are clipped. */
static int64_t since(const json_t *o, const char *key, int64_t started, int64_t now)
{
	int64_t t = get_int(o, key) - started;

	if (!has(o, key))
		return -1;
	return t < 0 ? 0 : t > now ? now : t;
}

static int by_begin(const void *a, const void *b)
{
	const struct span *x = a, *y = b;

	return x->begin != y->begin ? (x->begin > y->begin) - (x->begin < y->begin) :
	       strcmp(x->unit, y->unit);
}

static int by_length(const void *a, const void *b)
{
	const struct span *x = a, *y = b;
	int64_t m = x->end - x->begin, n = y->end - y->begin;

	return m != n ? (m < n) - (m > n) : strcmp(x->unit, y->unit);
}

/* What has begun until @limit; the strings are those of @reply. */
static struct span *spans_of(const json_t *reply, int64_t limit, size_t *nr)
{
	int64_t started = get_int(reply, "started"), now = get_int(reply, "now") - started;
	struct span *v = NULL;
	const json_t *u;
	size_t i;

	*nr = 0;
	json_array_foreach(get(reply, "units"), i, u) {
		struct span s = { .unit = get_str(u, "unit"), .failed = has(u, "failed") };

		s.begin = since(u, "activating", started, now);
		s.end = since(u, s.failed ? "failed" : "activated", started, now);
		if (s.begin < 0)
			s.begin = s.end;
		if (s.begin < 0 || s.begin > limit)
			continue;
		v = xgrow(v, *nr, sizeof(*v));
		v[(*nr)++] = s;
	}
	return v;
}

/* In text and attributes; what XML does not allow at all is a "?". */
static void put_xml(const char *s)
{
	char *safe = harmless(s);

	for (const char *c = safe; *c; c++)
		switch (*c) {
		case '<': fputs("&lt;", stdout); break;
		case '>': fputs("&gt;", stdout); break;
		case '&': fputs("&amp;", stdout); break;
		case '"': fputs("&quot;", stdout); break;
		default: putchar(*c);
		}
	free(safe);
}

static double x_of(int64_t t, int64_t total)
{
	return LEFT + (double)t * CHART / (double)total;
}

/* Lines at whole 1, 2 or 5 times a power of ten, ten to twenty-five of them. */
static void axis(int64_t total, int bottom)
{
	int64_t step = 1;

	for (int i = 0; total / step > 20; i++)
		step = i % 3 == 1 ? step / 2 * 5 : step * 2;
	for (int64_t t = 0; t <= total; t += step) {
		double x = x_of(t, total);

		printf("<line class=\"grid\" x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%d\"/>\n", x,
		       TOP - 8, x, bottom);
		printf("<text class=\"tick\" x=\"%.1f\" y=\"%d\">%.*fs</text>\n", x, TOP - 12,
		       step >= 1000000 ? 0 : step >= 100000 ? 1 : step >= 10000 ? 2 : 3,
		       (double)t / 1e6);
	}
}

static void bar(const struct span *s, size_t i, int64_t total)
{
	int y = TOP + (int)i * ROW;
	int64_t end = s->end < 0 ? total : s->end;
	char took[SPAN_MAX];
	double x = x_of(s->begin, total), width = x_of(end, total) - x;

	printf("<rect class=\"%s\" x=\"%.1f\" y=\"%d\" width=\"%.1f\" height=\"%d\"/>\n",
	       s->failed ? "failed" : s->end < 0 ? "pending" : "start", x, y,
	       width < 1 ? 1 : width, ROW - 5);
	if (s->end >= 0 && !s->failed)
		printf("<rect class=\"up\" x=\"%.1f\" y=\"%d\" width=\"%.1f\" height=\"%d\"/>\n",
		       x_of(end, total), y, x_of(total, total) - x_of(end, total), ROW - 5);
	printf("<text x=\"%.1f\" y=\"%d\">", x + 4, y + ROW - 9);
	put_xml(s->unit);
	if (s->end >= 0)
		printf(" (%s)", span_words((uint64_t)(s->end - s->begin), took));
	puts("</text>");
}

static void draw(const json_t *reply, const struct span *v, size_t nr, int64_t total)
{
	int bottom = TOP + (int)nr * ROW;
	char took[SPAN_MAX];

	printf("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
	       "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\">\n"
	       "<title>The boot, by knelld</title>\n"
	       "<style>\nrect.page { fill: #fff }\ntext { font: 11px sans-serif; fill: #222 }\n"
	       "text.tick { text-anchor: middle; fill: #777 }\ntext.head { font-size: 15px }\n"
	       "line.grid { stroke: #ddd }\nrect.start { fill: #d9822b }\n"
	       "rect.up { fill: #cfe8cf }\nrect.failed { fill: #d33 }\n"
	       "rect.pending { fill: #999 }\n</style>\n"
	       "<rect class=\"page\" width=\"100%%\" height=\"100%%\"/>\n",
	       LEFT + CHART + NAMES, bottom + BOTTOM);
	printf("<text class=\"head\" x=\"%d\" y=\"22\">", LEFT);
	put_xml(get_str(reply, "defaultTarget"));
	if (has(reply, "finished"))
		printf(": %s after the start of knelld",
		       span_words((uint64_t)since(reply, "finished", get_int(reply, "started"),
						  INT64_MAX), took));
	else
		printf(": not reached yet");
	puts("</text>");
	axis(total, bottom);
	for (size_t i = 0; i < nr; i++)
		bar(&v[i], i, total);
	printf("<text x=\"%d\" y=\"%d\">orange: starting; green: up; red: failed; grey: not up yet"
	       "</text>\n</svg>\n", LEFT, bottom + 20);
}

/* The end of the chart: when the boot was over, or now; at least a millisecond. */
static int64_t chart_end(const json_t *reply)
{
	int64_t started = get_int(reply, "started"), now = get_int(reply, "now") - started;
	int64_t end = since(reply, "finished", started, now);

	if (end < 0)
		end = now;
	return end < 1000 ? 1000 : end;
}

int cmd_plot(const struct verb *cmd, char **args, size_t nr)
{
	json_t *reply = NULL;
	struct span *v;
	size_t n;
	int status = call_or_say("BootTimes", NULL, &reply);

	(void)cmd;
	(void)args;
	(void)nr;
	if (status || opt.json)
		return status ? status : out_json(reply);
	v = spans_of(reply, chart_end(reply), &n);
	if (n)
		qsort(v, n, sizeof(*v), by_begin);
	for (size_t i = 0; i < n; i++)
		if (v[i].end > chart_end(reply))
			v[i].end = -1;
	draw(reply, v, n, chart_end(reply));
	free(v);
	json_decref(reply);
	return EX_OK;
}

int cmd_blame(const struct verb *cmd, char **args, size_t nr)
{
	struct table t = { .heads = { "TOOK", "AT", "UNIT" }, .right = BIT(0) | BIT(1) };
	char took[SPAN_MAX], at[SPAN_MAX];
	json_t *reply = NULL;
	struct span *v;
	size_t n;
	int status = call_or_say("BootTimes", NULL, &reply);

	(void)cmd;
	(void)args;
	(void)nr;
	if (status || opt.json)
		return status ? status : out_json(reply);
	v = spans_of(reply, INT64_MAX, &n);
	if (n)
		qsort(v, n, sizeof(*v), by_length);
	for (size_t i = 0; i < n; i++) {
		if (v[i].end < 0)
			continue;
		cell(&t, PLAIN, "%s", span_words((uint64_t)(v[i].end - v[i].begin), took));
		cell(&t, DIM, "%s", span_words((uint64_t)v[i].begin, at));
		cell(&t, v[i].failed ? RED : PLAIN, "%s%s", v[i].unit,
		     v[i].failed ? " (failed)" : "");
	}
	if (!table_end(&t) && !opt.plain)
		print(PLAIN, "No unit has been started yet.\n");
	free(v);
	json_decref(reply);
	return EX_OK;
}
