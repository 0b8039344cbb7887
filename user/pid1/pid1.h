/* SPDX-License-Identifier: GPL-2.0-only */
/* What only the first process of a machine or a container does. */
#ifndef _KNELLD_PID1_H
#define _KNELLD_PID1_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "manager.h"

/* pid1.c */
void pid1_begin(void);
bool pid1_of_machine(void);		/* not of a container; /proc is there */
int pid1_listen(struct knell_loop *l);
void pid1_end(enum ending_how how) __attribute__((noreturn));
void pid1_end_the_rest(uint64_t term_ns);	/* all but us: SIGTERM, then SIGKILL */
void pid1_hang(void) __attribute__((noreturn));

/* crash.c */
void pid1_catch_crashes(void);
void pid1_can_go_on(char **argv);
void pid1_stay(void) __attribute__((noreturn));

/* unmount.c */
size_t unmount_all(void);

#endif /* _KNELLD_PID1_H */
