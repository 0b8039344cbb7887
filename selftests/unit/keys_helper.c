// SPDX-License-Identifier: GPL-2.0-only
/* Prints every key there is, and which part of the manual it belongs to. */
#include <stdio.h>

#include "private.h"

int main(void)
{
	static const char *const notes[] = {
		[NOTE_DONE] = "done", [NOTE_IGNORED] = "ignored", [NOTE_SANDBOX] = "sandbox",
		[NOTE_SPELLING] = "spelling",
	};

	for (size_t i = 0; i < nr_keys; i++)
		printf("%s %s\n", notes[keys[i].note], keys[i].name);
	for (int i = 0; i < CONDITION_KINDS; i++)
		printf("done %s\n", unit_condition_name(i));
	return 0;
}
