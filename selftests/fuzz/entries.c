// SPDX-License-Identifier: GPL-2.0-only
/*
 * A corpus as text: one input a line, of which a backslash, what is no printable ASCII, a "#"
 * that begins it and a blank that ends it are \n, \t, \\ or \xNN. What begins with "#" is a
 * comment.
 *
 * usage: entries unpack DIR <FILE	into a file for each line
 *        entries pack FILE... >FILE	each of these, in the order of their text
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEAD	"# SPDX-License-Identifier: GPL-2.0-only\n"

static int fail(const char *what)
{
	perror(what);
	exit(1);
}

static bool unescape(const char *s, FILE *to)
{
	unsigned int byte;
	int len;

	for (; *s && *s != '\n'; s++) {
		if (*s != '\\') {
			putc(*s, to);
			continue;
		}
		switch (*++s) {
		case 'n':
			putc('\n', to);
			break;
		case 't':
			putc('\t', to);
			break;
		case '\\':
			putc('\\', to);
			break;
		case 'x':
			if (sscanf(s, "x%2x%n", &byte, &len) != 1 || len != 3)
				return false;
			putc((int)byte, to);
			s += 2;
			break;
		default:
			return false;
		}
	}
	return true;
}

static int unpack(const char *dir)
{
	char *line = NULL, path[4096];
	size_t size = 0;
	unsigned int nr = 0;

	while (getline(&line, &size, stdin) > 0) {
		FILE *to;

		nr++;
		if (*line == '#')
			continue;
		snprintf(path, sizeof(path), "%s/%05u", dir, nr);
		to = fopen(path, "w");
		if (!to)
			return fail(path);
		if (!unescape(line, to)) {
			fprintf(stderr, "line %u: what is that?\n", nr);
			return 1;
		}
		fclose(to);
	}
	free(line);
	return 0;
}

static char *escaped(FILE *from)
{
	char *text = NULL;
	size_t len;
	FILE *to = open_memstream(&text, &len);
	int ch;

	for (bool first = true; (ch = getc(from)) != EOF; first = false) {
		if (ch == '\n')
			fputs("\\n", to);
		else if (ch == '\t')
			fputs("\\t", to);
		else if (ch == '\\')
			fputs("\\\\", to);
		else if (ch < ' ' || ch > '~' || (first && ch == '#'))
			fprintf(to, "\\x%02x", ch);
		else
			putc(ch, to);
	}
	fclose(to);
	if (len && text[len - 1] == ' ') {
		text = realloc(text, len + 4);
		strcpy(text + len - 1, "\\x20");
	}
	return text;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int pack(char **files, int nr)
{
	char **lines = calloc(nr, sizeof(*lines));

	for (int i = 0; i < nr; i++) {
		FILE *from = fopen(files[i], "r");

		if (!from)
			return fail(files[i]);
		lines[i] = escaped(from);
		fclose(from);
	}
	qsort(lines, nr, sizeof(*lines), by_text);
	fputs(HEAD, stdout);
	for (int i = 0; i < nr; i++) {
		if (!i || strcmp(lines[i - 1], lines[i]))
			puts(lines[i]);
		if (i)
			free(lines[i - 1]);
	}
	free(lines[nr - 1]);
	free(lines);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "unpack"))
		return unpack(argv[2]);
	if (argc > 2 && !strcmp(argv[1], "pack"))
		return pack(argv + 2, argc - 2);
	fprintf(stderr, "usage: entries unpack DIR | pack FILE...\n");
	return 2;
}
