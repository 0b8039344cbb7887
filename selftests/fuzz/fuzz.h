/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the fuzzers share. One is a NAME_fuzz.c with one function, which libFuzzer calls with ever
 * other bytes; beside what the sanitizers find, it says by CHECK() what has to hold of each.
 */
#ifndef _KNELL_FUZZ_H
#define _KNELL_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

/* What is wrong if @cond does not hold, in words; libFuzzer keeps the input and tells of it. */
#define CHECK(cond, ...)						\
	do {								\
		if (!(cond)) {						\
			fprintf(stderr, "%s:%d: ", __FILE__, __LINE__);	\
			fprintf(stderr, __VA_ARGS__);			\
			fprintf(stderr, ": not %s\n", #cond);		\
			abort();					\
		}							\
	} while (0)

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
