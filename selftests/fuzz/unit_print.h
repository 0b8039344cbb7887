/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _KNELL_UNIT_PRINT_H
#define _KNELL_UNIT_PRINT_H

struct unit_file;

/* To be freed: a file that says the same; NULL: there is something that none can say. */
char *unit_print(const struct unit_file *f);

#endif
