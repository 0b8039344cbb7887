/* SPDX-License-Identifier: GPL-2.0-only */
/* An ADD of each type that nothing is wrong with. */
#ifndef _REJECT_TEST_H
#define _REJECT_TEST_H

#include "process_test.h"

/* A process to be watched: this one's parent, the runner of the tests. */
static inline struct knell_op add_of_type(uint16_t type)
{
	switch (type) {
	case KNELL_PROCESS:
		return op_process(getppid(), 0, 1);
	case KNELL_TIMER:
		return op_timer(CLOCK_MONOTONIC, 0, HOUR_NS, 0, 1);
	default:
		return op_add(type, 0, 1);
	}
}

#endif /* _REJECT_TEST_H */
