// SPDX-License-Identifier: GPL-2.0-only
/*
 * Makes the fault that it is told to, of which the tool of its flavour has to tell (seeds.sh): what no
 * tool finds in the other programs is not there to be found.
 */
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "knell.h"

static int counter;

static void *count(void *arg)
{
	counter++;
	return arg;
}

static void race(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, count, NULL))
		abort();
	counter++;
	pthread_join(thread, NULL);
}

/* In the library's code: a loop of it that is read after its end. */
static void use_after_free(void)
{
	struct knell_loop *l = knell_loop_new(&(struct knell_loop_attr){ .backend = KNELL_BACKEND_PIDFD });

	knell_loop_free(l);
	knell_set_yield_slot(l, 1);
}

static void uninitialised(void)
{
	int *volatile on_heap = malloc(sizeof(*on_heap));

	/* A branch on it, not the reading, is what valgrind tells of. */
	puts(on_heap && *on_heap > 1 ? "more" : "less");
	free(on_heap);
}

static void leak(void)
{
	void *volatile lost = malloc(100);

	lost = lost ? NULL : lost;
}

static void overflow(int n)
{
	printf("%d\n", INT_MAX + n);
}

int main(int argc, char *argv[])
{
	const char *fault = argc > 1 ? argv[1] : "";

	if (!strcmp(fault, "race"))
		race();
	else if (!strcmp(fault, "use-after-free"))
		use_after_free();
	else if (!strcmp(fault, "uninitialised"))
		uninitialised();
	else if (!strcmp(fault, "leak"))
		leak();
	else if (!strcmp(fault, "overflow"))
		overflow(argc);
	return 0;
}
