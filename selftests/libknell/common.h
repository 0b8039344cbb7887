/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the tests of libknell share: a loop by each backend, what has run in which order,
 * children, threads that are known to sleep.
 *
 * Every test is a process of its own (the harness forks), so what is global here is its alone.
 * A program's arguments: -b BACKEND only the variants of that name, -t TEXT only tests whose
 * names have that in them, -x NAME not that test. The others are not in the plan.
 */
#ifndef _LIBKNELL_COMMON_H
#define _LIBKNELL_COMMON_H

#include "helpers.h"

/* The harness ends a test by _exit(), past leak checker and coverage. */
#define _exit(status)	test_exit(status)

#include "kselftest_harness.h"

/* The harness makes a fixture's setup and teardown external. */
#pragma GCC diagnostic ignored "-Wmissing-prototypes"

/* Seconds a test may take under a slow emulator; reached only by one that hangs. */
#ifndef LIMIT
#define LIMIT		(240 * SLOW)
#endif

#define KERNEL		(variant->backend == KNELL_BACKEND_KERNEL)

/* A fixture's tests run by the kernel backend; by each. */
#define KERNEL_VARIANT(name)							\
	FIXTURE_VARIANT(name) {							\
		enum knell_backend backend;					\
	};									\
	FIXTURE_VARIANT_ADD(name, kernel) {					\
		.backend = KNELL_BACKEND_KERNEL,				\
	}
#define BACKEND_VARIANTS(name)							\
	KERNEL_VARIANT(name);							\
	FIXTURE_VARIANT_ADD(name, pidfd) {					\
		.backend = KNELL_BACKEND_PIDFD,					\
	}

/* A fixture with a loop, by each backend. */
#define LOOP_FIXTURE(name)							\
	FIXTURE(name) {								\
		struct knell_loop *l;						\
	};									\
	BACKEND_VARIANTS(name);							\
	FIXTURE_SETUP(name)							\
	{									\
		self->l = new_loop(variant->backend);				\
		ASSERT_NE(NULL, self->l);					\
		ASSERT_EQ(variant->backend, knell_loop_backend(self->l));	\
	}									\
	FIXTURE_TEARDOWN(name)							\
	{									\
		knell_loop_free(self->l);					\
	}									\
	struct name##_uses_it

/* A new loop for each test, by the backend of its variant. */
#define FRESH_LOOP(name)							\
	FIXTURE_SETUP(name)							\
	{									\
		self->l = new_loop(variant->backend);				\
		ASSERT_NE(NULL, self->l);					\
	}									\
	FIXTURE_TEARDOWN(name)							\
	{									\
		knell_loop_free(self->l);					\
	}									\
	struct name##_uses_it

/* The same for what only the kernel's queue has. */
#define KERNEL_FIXTURE(name)							\
	FIXTURE(name) {								\
		struct knell_loop *l;						\
	};									\
	KERNEL_VARIANT(name);							\
	FRESH_LOOP(name)

#define LOOP_TEST(fixture, name)	TEST_F_TIMEOUT(fixture, name, LIMIT)

/* @call returns no task and says why. */
#define EXPECT_NO_TASK(error, call) do {					\
		errno = 0;							\
		EXPECT_TRUE(knell_is_none(call));				\
		EXPECT_EQ(error, errno);					\
	} while (0)

#define ASSERT_TASK(call) ASSERT_FALSE(knell_is_none(call))

/* In a forked child that returns its exit status. */
#define CHECK(cond)								\
	do {									\
		if (!(cond)) {							\
			fprintf(stderr, "# %s:%d: not so: %s (errno %d)\n",	\
				__FILE__, __LINE__, #cond, errno);		\
			return 1;						\
		}								\
	} while (0)

/* test_harness_run() of the harness, of what is left of the plan. */
#define LIBKNELL_MAIN								\
	static void __attribute__((constructor)) order_last(void)		\
	{									\
		if (!__constructor_order)					\
			__constructor_order = _CONSTRUCTOR_ORDER_BACKWARD;	\
	}									\
	int main(int argc, char **argv)						\
	{									\
		choose_from(__fixture_list, argc, argv);			\
		return test_harness_run(argc, argv);				\
	}

static inline bool chosen(const char *name, const char *text, bool whole)
{
	return !text || (whole ? !strcmp(name, text) : strstr(name, text) != NULL);
}

/* The lists are linked by .next; the fixture that the list begins with is never taken out. */
static inline void choose_from(struct __fixture_metadata *first, int argc, char **argv)
{
	const char *backend = NULL, *text = NULL, *not_this[16] = { NULL };
	struct __fixture_metadata **fp;
	unsigned int nr_not = 0;
	int opt;

	while ((opt = getopt(argc, argv, "b:t:x:")) != -1) {
		if (opt == 'b')
			backend = optarg;
		else if (opt == 't')
			text = optarg;
		else if (opt == 'x' && nr_not < ARRAY_SIZE(not_this))
			not_this[nr_not++] = optarg;
		else
			exit(KSFT_FAIL);
	}
	for (struct __fixture_metadata *f = first; f; f = f->next) {
		struct __fixture_variant_metadata **vp = &f->variant;
		struct __test_metadata **tp = &f->tests;

		while (*tp) {
			bool take = chosen((*tp)->name, text, false);

			for (unsigned int i = 0; i < nr_not; i++)
				take = take && strcmp((*tp)->name, not_this[i]);
			if (take)
				tp = &(*tp)->next;
			else
				*tp = (*tp)->next;
		}
		if (!f->variant)
			continue;
		while (*vp) {
			if (chosen((*vp)->name, backend, true))
				vp = &(*vp)->next;
			else
				*vp = (*vp)->next;
		}
		/* One without variants would run once all the same. */
		if (!f->variant)
			f->tests = NULL;
	}
	for (fp = &first->next; *fp; ) {
		if ((*fp)->tests)
			fp = &(*fp)->next;
		else
			*fp = (*fp)->next;
	}
}

#endif /* _LIBKNELL_COMMON_H */
