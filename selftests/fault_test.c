// SPDX-License-Identifier: GPL-2.0-only
/*
 * Each allocation on each path fails in turn: the first, the second, and so on until the path is
 * through without one. Every refusal is the errno that belongs to it and leaves nothing behind,
 * neither a watch nor a unit of the user's quota nor memory, and the same thing done again works. What
 * must not need memory (MOD, DEL, TRIGGER, KILL, reading, a death) is never refused. A tree that lost
 * a member says INEXACT.
 *
 * It is the module's fault build (fault/) that fails, each import of it that can; at the end there is
 * none left, and no place that calls one, that has not. fault_kernel_test.c is this for what the
 * kernel itself allocates and copies meanwhile. With DEBUG_KMEMLEAK leaks are looked for at the end.
 *
 * The paths are in fault_queue.h, fault_watch.h, fault_process.h and fault_built.h, one program all
 * of them: the places that have failed are those of all.
 *
 * runner-limit: 600
 */
#include "fault_queue.h"
#include "fault_watch.h"
#include "fault_process.h"
#ifndef FAULT_OF_KERNEL
#include "fault_built.h"
#endif

#define KMEMLEAK	"/sys/kernel/debug/kmemleak"

/* Shows what kmemleak has found; whether something of it is this module's. */
static bool knell_leaks(void)
{
	FILE *f = fopen(KMEMLEAK, "re");
	bool found = false;
	char line[256];

	while (f && fgets(line, sizeof(line), f)) {
		printf("# %s", line);
		found |= !!strstr(line, "[knell]");
	}
	if (f)
		fclose(f);
	return found;
}

/* It takes for lost only what is older than five seconds, and that twice: no event tells. */
TEST_F_TIMEOUT(fault, leaks, LIMIT)
{
	if (access(KMEMLEAK, W_OK))
		SKIP(return, "no DEBUG_KMEMLEAK");
	for (int i = 0; i < 2; i++) {
		sleep(6);
		ASSERT_EQ(0, write_file(KMEMLEAK, "scan"));
	}
	EXPECT_FALSE(knell_leaks());
}

#ifndef FAULT_OF_KERNEL

/* What all tests together have come to. */
FIXTURE(places)
{
};

FIXTURE_SETUP(places)
{
}

FIXTURE_TEARDOWN(places)
{
}

/* From wherever the module asks for what can fail, it has been refused. */
TEST_F(places, all_have_failed)
{
	unsigned int nr = 0;

	for (unsigned int i = 0; i < sites->nr; i++) {
		nr += sites->site[i].failed;
		if (!sites->site[i].failed)
			TH_LOG("has not failed: %s", sites->site[i].name);
	}
	TH_LOG("%u of %u places have failed", nr, sites->nr);
	EXPECT_EQ(sites->nr, nr);
}

#endif

#define main run_all
TEST_HARNESS_MAIN
#undef main

#ifdef FAULT_OF_KERNEL

/* The kernel's own. */
int main(int argc, char **argv)
{
	int nth;

	sites = shared(sizeof(*sites));
	nth = open_fail_nth(0);
	if (nth < 0 || access(FAILSLAB, F_OK)) {
		printf("TAP version 13\n1..0 # SKIP this kernel has no FAILSLAB for a task, a debug kernel has\n");
		return KSFT_SKIP;
	}
	close(nth);
	/* What was lost before is not to be found here. */
	if (!access(KMEMLEAK, W_OK))
		write_file(KMEMLEAK, "clear");
	return run_all(argc, argv);
}

#else

static int read_sites(void)
{
	FILE *f = fopen(FAULT_SITES, "re");
	char line[256];

	while (f && fgets(line, sizeof(line), f) && sites->nr < SITES_MAX)
		snprintf(sites->site[sites->nr++].name, sizeof(sites->site[0].name), "%.*s",
			 (int)strcspn(line, "\n"), line);
	if (f)
		fclose(f);
	return sites->nr ? 0 : -ENOENT;
}

/* With the fault build instead of the module. */
int main(int argc, char **argv)
{
	int err, status;

	sites = shared(sizeof(*sites));
	if (access(FAULT_KO, F_OK)) {
		printf("TAP version 13\n1..0 # SKIP there is no fault build\n");
		return KSFT_SKIP;
	}
	sites->built = true;
	err = read_sites() ?: reload_from(FAULT_KO, "");
	if (err) {
		printf("Bail out! %s: %s\n", FAULT_KO, strerror(-err));
		return KSFT_FAIL;
	}
	status = run_all(argc, argv);
	err = reload_module("");
	if (err)
		fprintf(stderr, "# %s: %s\n", module_file(), strerror(-err));
	return err ? KSFT_FAIL : status;
}

#endif
