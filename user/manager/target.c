// SPDX-License-Identifier: GPL-2.0-only
/* Targets: units that are nothing but what depends on them. */
#include "manager_internal.h"

enum { DOWN, UP };

static const struct state_name states[] = {
	[DOWN] = { "dead", INACTIVE },
	[UP] = { "active", ACTIVE },
};

static void start(struct unit *u)
{
	unit_take_latest(u);
	u->result = RESULT_SUCCESS;
	unit_set_state(u, UP);
}

static void stop(struct unit *u)
{
	unit_set_state(u, DOWN);
}

/* A target has no time of its own. */
static void nothing(struct unit *u)
{
	(void)u;
}

const struct unit_ops target_ops = {
	.states = states, .nr_states = ARRAY_SIZE(states), .failed = DOWN,
	.start = start, .stop = stop, .expired = nothing, .resume = nothing,
};
