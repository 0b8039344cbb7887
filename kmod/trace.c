// SPDX-License-Identifier: GPL-2.0-only
/* The tracepoints' other half: what trace.h declares is made here. */
#include "observe.h"

#define CREATE_TRACE_POINTS
#include "trace.h"

static_assert(sizeof_field(struct knell_op, tree.label) == KNELL_TRACE_TEXT);
static_assert(sizeof_field(struct knell_name, name) == KNELL_TRACE_TEXT);

#ifndef NOTRACE	/* the kernel's own word: there are none then, for selftests/bench */
/* What is behind the last field would be the buffer's, as it was before. */
#define KNELL_TRACE_IS_FULL(name) \
	static_assert(offsetof(struct trace_event_raw_##name, __data) == \
		      sizeof(struct trace_event_raw_##name))

KNELL_TRACE_IS_FULL(knell_watch);
KNELL_TRACE_IS_FULL(knell_record);
KNELL_TRACE_IS_FULL(knell_exit);
KNELL_TRACE_IS_FULL(knell_queue);
KNELL_TRACE_IS_FULL(knell_lost);
#endif
