// SPDX-License-Identifier: GPL-2.0-only
/*
 * Text for people. Names, descriptions and log lines are anybody's: what a terminal would not
 * just show (control characters, C1 among them, and those that turn the direction of text) is
 * written as \xNN or \u{N}, as is all that is no UTF-8, and all but ASCII where the locale is not
 * UTF-8.
 */
#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>

#include "knellctl.h"

static bool colours, error_colours, terminal, utf8;

void out_begin(void)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	setlocale(LC_CTYPE, "");
	utf8 = !strcmp(nl_langinfo(CODESET), "UTF-8");
	terminal = isatty(STDOUT_FILENO);
	colours = !(no && *no) && term && strcmp(term, "dumb");
	error_colours = colours && isatty(STDERR_FILENO);
	colours &= terminal;
}

bool out_is_terminal(void)
{
	return terminal;
}

bool err_is_terminal(void)
{
	return isatty(STDERR_FILENO);
}

/* How many bytes the character at @s has, 0: it is no UTF-8. */
static unsigned int decode(const unsigned char *s, uint32_t *c)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	unsigned int len = *s < 0x80 ? 1 : *s < 0xc2 ? 0 : *s < 0xe0 ? 2 : *s < 0xf0 ? 3 :
			   *s < 0xf5 ? 4 : 0;

	*c = len == 1 ? *s : *s & (0xff >> (len + 1));
	for (unsigned int i = 1; i < len; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		*c = *c << 6 | (s[i] & 0x3f);
	}
	if (len && (*c < least[len] || *c > 0x10ffff || (*c >= 0xd800 && *c < 0xe000)))
		return 0;
	return len;
}

static bool shows(uint32_t c)
{
	if (c < 0x20 || (c >= 0x7f && c < 0xa0))
		return false;
	/* marks and overrides of direction, ends of lines and paragraphs, byte order, tags */
	return !(c == 0x61c || (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
		 (c >= 0x2060 && c <= 0x206f) || c == 0xfeff || (c >= 0xfff9 && c <= 0xfffb) ||
		 (c >= 0xe0000 && c <= 0xe0fff));
}

/* @json: escapes as JSON has them, which @s is already but for what JSON lets pass. */
static void put_harmless(FILE *f, const char *text, size_t size, bool json, const char *keep)
{
	const unsigned char *s = (const unsigned char *)text, *end = s + size;
	unsigned int len;
	uint32_t c;

	for (; s < end; s += len ? len : 1) {
		/* A NUL is behind the text: no sequence reaches beyond its end. */
		len = decode(s, &c);
		if (len == 1 && *s && strchr(keep, *s))
			putc(*s, f);
		else if (len && shows(c) && (utf8 || json || c < 0x80))
			fwrite(s, 1, len, f);
		else if (!len || c < 0x80)
			fprintf(f, json ? "\\u%04x" : "\\x%02x", *s);
		else if (!json)
			fprintf(f, "\\u{%x}", c);
		else if (c < 0x10000)
			fprintf(f, "\\u%04x", c);
		else
			fprintf(f, "\\u%04x\\u%04x", 0xd7c0 + (c >> 10), 0xdc00 | (c & 0x3ff));
	}
}

static char *finished(FILE *f, char **text)
{
	if (fclose(f) || !*text) {
		fputs("knellctl: no memory\n", stderr);
		exit(EX_FAILED);
	}
	return *text;
}

static FILE *memory(char **text, size_t *len)
{
	FILE *f;

	*text = NULL;
	f = open_memstream(text, len);
	if (!f) {
		fputs("knellctl: no memory\n", stderr);
		exit(EX_FAILED);
	}
	return f;
}

char *harmless(const char *s)
{
	char *text;
	size_t len;
	FILE *f = memory(&text, &len);

	put_harmless(f, s, strlen(s), false, "");
	return finished(f, &text);
}

/* Columns that it takes up; of what harmless() has made. */
size_t width_of(const char *s)
{
	size_t width = 0;
	unsigned int len;
	uint32_t c;
	int w;

	for (; *s; s += len ? len : 1) {
		len = decode((const unsigned char *)s, &c);
		w = c < 0x80 ? 1 : wcwidth((wchar_t)c);
		width += w > 0 ? (size_t)w : 0;
	}
	return width;
}

static const char *const codes[] = {
	[BOLD] = "1", [DIM] = "2", [RED] = "1;31", [GREEN] = "32", [YELLOW] = "33", [BLUE] = "34",
};

static void put_coloured(FILE *f, enum colour c, const char *s)
{
	if (*s && c != PLAIN && (f == stdout ? colours : error_colours))
		fprintf(f, "\033[%sm%s\033[0m", codes[c], s);
	else
		fputs(s, f);
}

static char *format(const char *fmt, va_list args)
{
	char *text = NULL, *out;
	size_t len;
	FILE *f;

	if (vasprintf(&text, fmt, args) < 0)
		text = xstrdup("");
	f = memory(&out, &len);
	put_harmless(f, text, strlen(text), false, "");
	free(text);
	return finished(f, &out);
}

/* Ends of lines at the format's end are meant; any other is one of an argument, and escaped. */
static void print_v(FILE *f, enum colour c, const char *fmt, va_list args)
{
	size_t len = strlen(fmt), breaks = 0;
	char *text, *body;

	while (breaks < len && fmt[len - 1 - breaks] == '\n')
		breaks++;
	body = xasprintf("%.*s", (int)(len - breaks), fmt);
	text = format(body, args);
	put_coloured(f, c, text);
	while (breaks--)
		putc('\n', f);
	free(body);
	free(text);
}

void print(enum colour c, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	print_v(stdout, c, fmt, args);
	va_end(args);
}

void print_to(FILE *f, enum colour c, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	print_v(f, c, fmt, args);
	va_end(args);
}

void complain(const char *fmt, ...)
{
	va_list args;
	char *text;

	va_start(args, fmt);
	text = format(fmt, args);
	va_end(args);
	fflush(stdout);
	fprintf(stderr, "knellctl: %s\n", text);
	free(text);
}

json_t *json_harmless(const char *s)
{
	json_t *j = json_string(s);
	char *text;

	if (j)
		return j;
	text = harmless(s);
	j = json_string(text);
	free(text);
	return j;
}

static int put_json(json_t *j, size_t flags)
{
	char *text = json_dumps(j, JSON_ENCODE_ANY | flags);

	json_decref(j);
	if (!text) {
		complain("no memory for the reply");
		return EX_FAILED;
	}
	put_harmless(stdout, text, strlen(text), true, "\n");
	putchar('\n');
	free(text);
	return EX_OK;
}

int out_json(json_t *j)
{
	return put_json(j, terminal ? JSON_INDENT(2) : JSON_COMPACT);
}

int out_json_line(json_t *j)
{
	return put_json(j, JSON_COMPACT);
}

void out_text(const char *s, size_t len)
{
	if (terminal)
		put_harmless(stdout, s, len, false, "\n\t");
	else
		fwrite(s, 1, len, stdout);
}

int out_end(int status)
{
	if ((fflush(stdout) || ferror(stdout)) && errno != EPIPE) {
		fprintf(stderr, "knellctl: cannot write: %s\n", strerror(errno));
		return status ? status : EX_FAILED;
	}
	return status;
}

const char *span_words(uint64_t usec, char buf[SPAN_MAX])
{
	static const struct {
		const char *name;
		uint64_t usec;
	} units[] = {
		{ "y", 31557600 * USEC_PER_SEC }, { "d", 86400 * USEC_PER_SEC },
		{ "h", 3600 * USEC_PER_SEC }, { "min", 60 * USEC_PER_SEC }, { "s", USEC_PER_SEC },
		{ "ms", 1000 }, { "us", 1 },
	};
	size_t i = 0;
	int n;

	while (i < ARRAY_SIZE(units) - 1 && usec < units[i].usec)
		i++;
	if (units[i].usec == USEC_PER_SEC && usec % USEC_PER_SEC >= 1000) {
		snprintf(buf, SPAN_MAX, "%llu.%03llus", (unsigned long long)(usec / USEC_PER_SEC),
			 (unsigned long long)(usec % USEC_PER_SEC / 1000));
		return buf;
	}
	n = snprintf(buf, SPAN_MAX, "%llu%s", (unsigned long long)(usec / units[i].usec),
		     units[i].name);
	usec %= units[i].usec;
	if (i < 4 && usec / units[i + 1].usec)
		snprintf(buf + n, (size_t)(SPAN_MAX - n), " %llu%s",
			 (unsigned long long)(usec / units[i + 1].usec), units[i + 1].name);
	return buf;
}

const char *time_words(const json_t *instant, char buf[TIME_MAX])
{
	time_t t = (time_t)(get_int(instant, "realtimeUsec") / (json_int_t)USEC_PER_SEC);
	struct tm tm;

	if (!has(instant, "realtimeUsec") || !localtime_r(&t, &tm) ||
	    !strftime(buf, TIME_MAX, "%a %Y-%m-%d %H:%M:%S %Z", &tm))
		snprintf(buf, TIME_MAX, "-");
	return buf;
}

int64_t time_left(const json_t *instant)
{
	struct timespec now;

	if (!has(instant, "monotonicUsec"))
		return 0;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return get_int(instant, "monotonicUsec") -
	       (int64_t)((uint64_t)now.tv_sec * USEC_PER_SEC + (uint64_t)now.tv_nsec / 1000);
}

uint64_t time_ago(const json_t *instant)
{
	int64_t left = time_left(instant);

	return left < 0 ? (uint64_t)-left : 0;
}

const char *size_words(uint64_t bytes, char buf[SPAN_MAX])
{
	static const char units[] = "BKMGT";
	double n = (double)bytes;
	size_t i = 0;

	for (; n >= 1024 && i < sizeof(units) - 2; i++)
		n /= 1024;
	snprintf(buf, SPAN_MAX, i ? "%.1f%c" : "%.0f%c", n, units[i]);
	return buf;
}

enum colour state_colour(const char *active)
{
	if (!strcmp(active, "active"))
		return GREEN;
	if (!strcmp(active, "failed"))
		return RED;
	return !strcmp(active, "inactive") ? DIM : YELLOW;
}

const char *state_dot(const char *active)
{
	if (!strcmp(active, "failed"))
		return utf8 ? "×" : "x";
	if (!strcmp(active, "inactive"))
		return utf8 ? "○" : "-";
	return utf8 ? "●" : "*";
}

void cell(struct table *t, enum colour c, const char *fmt, ...)
{
	va_list args;

	while (!t->columns || (t->columns < COLUMNS_MAX && t->heads[t->columns]))
		t->columns++;
	t->text = xgrow(t->text, t->cells, sizeof(*t->text));
	t->colour = xgrow(t->colour, t->cells, sizeof(*t->colour));
	va_start(args, fmt);
	t->text[t->cells] = format(fmt, args);
	va_end(args);
	t->colour[t->cells++] = c;
}

/* Columns of the terminal, or no limit. */
static size_t room(void)
{
	struct winsize w;

	if (!terminal || ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) < 0 || w.ws_col < 40)
		return SIZE_MAX;
	return w.ws_col;
}

/* Cuts off what does not go into @width columns. */
static void cut(char *s, size_t width)
{
	size_t used = 0;
	unsigned int len;
	uint32_t c;

	for (; *s; s += len) {
		int w;

		len = decode((const unsigned char *)s, &c);
		if (!len)
			return;
		w = c < 0x80 ? 1 : wcwidth((wchar_t)c);
		used += w > 0 ? (size_t)w : 0;
		if (used > width) {
			*s = '\0';
			return;
		}
	}
}

static void row(const struct table *t, char *const *text, const enum colour *colour,
		const size_t *widths)
{
	size_t left = room(), pad;

	for (size_t i = 0; i < t->columns; i++) {
		bool last = i + 1 == t->columns;
		enum colour c = colour ? colour[i] : BOLD;

		pad = widths[i] - width_of(text[i]);
		if (t->right & BIT(i))
			printf("%*s", (int)pad, "");
		else if (last && left != SIZE_MAX)
			cut(text[i], left);
		put_coloured(stdout, c, text[i]);
		if (!last)
			printf("%*s", (int)(t->right & BIT(i) ? 2 : pad + 2), "");
		left = left == SIZE_MAX ? left : left > widths[i] + 2 ? left - widths[i] - 2 : 1;
	}
	putchar('\n');
}

size_t table_end(struct table *t)
{
	size_t widths[COLUMNS_MAX] = { 0 }, rows = t->columns ? t->cells / t->columns : 0;
	char *heads[COLUMNS_MAX];

	for (size_t i = 0; i < t->columns; i++) {
		heads[i] = xstrdup(t->heads[i]);
		widths[i] = opt.plain ? 0 : width_of(heads[i]);
	}
	for (size_t i = 0; t->columns && i < t->cells; i++) {
		size_t w = width_of(t->text[i]);

		if (w > widths[i % t->columns])
			widths[i % t->columns] = w;
	}
	if (!opt.plain && rows)
		row(t, heads, NULL, widths);
	for (size_t i = 0; i < rows; i++)
		row(t, t->text + i * t->columns, t->colour + i * t->columns, widths);
	for (size_t i = 0; i < t->columns; i++)
		free(heads[i]);
	for (size_t i = 0; i < t->cells; i++)
		free(t->text[i]);
	free(t->text);
	free(t->colour);
	t->text = NULL;
	t->colour = NULL;
	t->cells = 0;
	return rows;
}
