// SPDX-License-Identifier: GPL-2.0-only
/*
 * A million exits on four CPUs: forkers on each of them, readers that take from 1 to 64 records at a
 * time. Each exit is one record, with the status that the seed told its process.
 *
 * runner-limit: 900
 * runner-smp: 4
 */
#include "kselftest_harness.h"

#include "forkers.h"

#define EXITS		1000000
#define FORKERS		4
#define READERS		2

SOAK_FIXTURE

static void enter(void *arg, const struct knell_event *ev)
{
	enter_record(arg, ev);
}

TEST_F_TIMEOUT(soak, exits, SOAK_LIMIT)
{
	struct storm *s = new_storm(self->queue, self->seed, FORKERS, soak_of(EXITS) / FORKERS);
	struct readers r = {
		.queue = self->queue, .seed = self->seed, .nr = READERS, .take = enter, .arg = s,
	};

	ASSERT_EQ(0, start_readers(&r));
	ASSERT_EQ(0, start_forkers(s));
	EXPECT_EQ(0, end_forkers(s));
	end_readers(&r);
	EXPECT_TRUE(every_death_was_told(s));
	EXPECT_EQ(FORKERS * s->each, s->caused);
	EXPECT_EQ(0, r.wrong);
	print_figures("exits caused and read", s->read, self->since);
	printf("# in %u reads\n", r.batches);
	fflush(stdout);
}

TEST_HARNESS_MAIN
