// SPDX-License-Identifier: GPL-2.0-only
/*
 * systemd-escape, one line for each argument.
 *
 * usage: escape_helper escape|path|unescape|unpath TEXT...
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit_load.h"

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		char *(*run)(const char *s);
	} ways[] = {
		{ "escape", unit_name_escape }, { "path", unit_name_escape_path },
		{ "unescape", unit_name_unescape }, { "unpath", unit_name_unescape_path },
	};

	for (int i = 2; i < argc; i++) {
		for (size_t k = 0; k < sizeof(ways) / sizeof(*ways); k++) {
			char *text;

			if (strcmp(argv[1], ways[k].name))
				continue;
			text = ways[k].run(argv[i]);
			puts(text ? text : "!");
			free(text);
		}
	}
	return 0;
}
