// SPDX-License-Identifier: GPL-2.0-only
/*
 * Prints every key there is, and which part of the manual it belongs to; with an argument, which
 * section it is in.
 */
#include <stdio.h>

#include "private.h"

static void by_section(void)
{
	static const char *const sections[] = {
		[IN_UNIT] = "Unit", [IN_INSTALL] = "Install", [IN_SERVICE] = "Service",
		[IN_TIMER] = "Timer", [IN_SOCKET] = "Socket", [IN_SERVICE_OLD] = "Service",
		[IN_MORE] = "Service", [IN_EXEC] = "Service", [IN_KILL] = "Service",
	};

	for (size_t i = 0; i < nr_keys; i++) {
		printf("%s %s\n", sections[keys[i].place], keys[i].name);
		if (keys[i].place == IN_EXEC || keys[i].place == IN_KILL)
			printf("Socket %s\n", keys[i].name);
	}
	for (int i = 0; i < CONDITION_KINDS; i++)
		printf("Unit Condition%s\nUnit Assert%s\n", unit_condition_name(i),
		       unit_condition_name(i));
}

int main(int argc, char **argv)
{
	static const char *const notes[] = {
		[NOTE_DONE] = "done", [NOTE_IGNORED] = "ignored", [NOTE_SANDBOX] = "sandbox",
		[NOTE_SPELLING] = "spelling",
	};

	(void)argv;
	if (argc > 1) {
		by_section();
		return 0;
	}
	for (size_t i = 0; i < nr_keys; i++)
		printf("%s %s\n", notes[keys[i].note], keys[i].name);
	for (int i = 0; i < CONDITION_KINDS; i++)
		printf("done %s\n", unit_condition_name(i));
	return 0;
}
