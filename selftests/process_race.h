/* SPDX-License-Identifier: GPL-2.0-only */
/* The fixture of races around PROCESS watches, and how far one may be ahead of the other. */
#ifndef _PROCESS_RACE_H
#define _PROCESS_RACE_H

#include "process_test.h"

#define STACK_SIZE	4096

/* Targets that may be alive at once, and that are forked in a row. */
#define SLOTS		64

static inline void spin(unsigned int turns)
{
	for (volatile unsigned int i = 0; i < turns; i++)
		;
}

FIXTURE(race) {
	int queue;
};

FIXTURE_SETUP(race)
{
	self->queue = knell_open(0);
	ASSERT_LE(0, self->queue);
}

FIXTURE_TEARDOWN(race)
{
	close(self->queue);
}

/**
 * struct race - many targets, each enrolled as it dies
 * @queue: of all
 * @fate: of each, by token
 * @nr: how many there will be
 * @refused: ADDs that came too late
 * @enrolled: ADDs that did not
 * @reported: records
 * @bad: things that must not be
 * @spin: up to how many turns to wait before ADD; follows the outcome, so
 *	that neither side always wins
 * @seed: of the waits
 * @stacks: of the targets, SLOTS of them
 */
struct race {
	int queue;
	uint8_t *fate;
	unsigned int nr;
	unsigned int refused, enrolled, reported, bad;
	unsigned int spin;
	uint64_t seed;
	char *stacks;
};

static inline int exit_at_once(void *arg)
{
	syscall(SYS_exit, (int)(intptr_t)arg);
	return 0;
}

static inline void race_init(struct race *race, int queue, unsigned int nr)
{
	*race = (struct race){
		.queue = queue, .nr = nr, .spin = 64, .seed = 0x9e3779b97f4a7c15ULL,
	};
	race->fate = shared(nr);
	race->stacks = shared(SLOTS * STACK_SIZE);
}

#endif /* _PROCESS_RACE_H */
