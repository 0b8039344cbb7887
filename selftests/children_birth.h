/* SPDX-License-Identifier: GPL-2.0-only */
/* Ways to be born as a child of this process, and a tracer that holds one's zombie. */
#ifndef _CHILDREN_BIRTH_H
#define _CHILDREN_BIRTH_H

#include <sys/ptrace.h>

#include "children_test.h"

/* Traces @pid, sees it die, then waits for g; with @reaps it takes the zombie first. */
static inline pid_t start_tracer(struct __test_metadata *_metadata, pid_t pid, int *go, int *said,
				 bool reaps)
{
	siginfo_t si;
	pid_t tracer;

	ASSERT_EQ(0, pipe(go));
	ASSERT_EQ(0, pipe(said));
	tracer = fork();
	ASSERT_LE(0, tracer);
	if (tracer) {
		ASSERT_EQ('s', hear(said));
		return tracer;
	}
	if (ptrace(PTRACE_SEIZE, pid, NULL, NULL))
		_exit(BROKEN);
	tell(said, 's');
	if (waitid(P_PID, pid, &si, WEXITED | __WALL | (reaps ? 0 : WNOWAIT)))
		_exit(BROKEN);
	tell(said, 'z');
	must_hear(go, 'g');
	_exit(0);
}

#endif /* _CHILDREN_BIRTH_H */
