// SPDX-License-Identifier: GPL-2.0-only
/* The tracepoints' other half: what trace.h declares is made here. */
#include "observe.h"

#define CREATE_TRACE_POINTS
#include "trace.h"

static_assert(sizeof_field(struct knell_op, tree.label) == KNELL_TRACE_TEXT);
static_assert(sizeof_field(struct knell_name, name) == KNELL_TRACE_TEXT);
