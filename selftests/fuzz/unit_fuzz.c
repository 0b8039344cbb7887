// SPDX-License-Identifier: GPL-2.0-only
/*
 * Unit files: one that can be started, printed from what has become of it (unit_print.c) and read
 * again, is the same. What is told of a file is one line of text each, of a line that there is.
 */
#include "fuzz.h"
#include "unit_load.h"
#include "unit_print.h"

static struct unit_dirs *dirs;
static unsigned int lines;

static void say(void *arg, enum severity severity, const char *file, unsigned int line,
		const char *text)
{
	(void)arg;
	CHECK(severity <= SAY_ERROR && *text && !strcmp(file, "/x"), "%s: %s", file, text);
	CHECK(line <= lines, "line %u of %u: %s", line, lines, text);
	for (const char *c = text; *c; c++)
		CHECK((unsigned char)*c >= ' ' && *c != 0x7f, "%s", text);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static char nowhere[] = "/nonexistent";
	static struct unit_options options = { .say = say };

	(void)argc;
	(void)argv;
	strv_add(&options.dirs, nowhere);
	dirs = unit_dirs_open(&options);
	return 0;
}

static bool has(const char *text, size_t len, const char *word)
{
	return memmem(text, len, word, strlen(word));
}

/* By what is in it, so that any unit file will do. */
static const char *name_of(const char *text, size_t len)
{
	if (has(text, len, "[Socket]"))
		return "a.socket";
	if (has(text, len, "[Timer]"))
		return "a.timer";
	if (has(text, len, "[Service]"))
		return has(text, len, "%i") ? "a-b@c\\x2dd.service" : "a.service";
	return "a.target";
}

static char *read_and_print(const char *name, const char *text, size_t len)
{
	struct unit_file *f;
	enum load load;
	char *printed = NULL;

	lines = 1;
	for (size_t i = 0; i < len; i++)
		lines += text[i] == '\n' || text[i] == '\r';
	load = unit_parse(dirs, name, "/x", text, len, &f);
	CHECK(f && !strcmp(f->name, name), "%d", load);
	CHECK(load == (f->bad ? LOAD_BAD : LOAD_OK), "%d", load);
	if (!f->bad)
		printed = unit_print(f);
	unit_file_free(f);
	return printed;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data, *name = name_of(text, size);
	char *first = read_and_print(name, text, size), *second;

	if (!first)
		return 0;
	second = read_and_print(name, first, strlen(first));
	CHECK(second && !strcmp(first, second), "%s is:\n%s\nread again:\n%s", name, first,
	      second ? second : "one that cannot be started");
	free(first);
	free(second);
	return 0;
}
