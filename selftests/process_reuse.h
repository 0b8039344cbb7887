/* SPDX-License-Identifier: GPL-2.0-only */
/* A target whose pid may be another's by now, and its record. */
#ifndef _PROCESS_REUSE_H
#define _PROCESS_REUSE_H

#include "process_test.h"

FIXTURE(reuse) {
	struct target t;
	int queue;
};

static inline void run_exit(struct target *t)
{
	must_hear(t->go, 'g');
	_exit(3);
}

FIXTURE_SETUP(reuse)
{
	self->queue = knell_open(0);
	ASSERT_LE(0, self->queue);
	self->t = (struct target){
		.queue = self->queue, .exit_signal = SIGCHLD, .run = run_exit, .token = 1,
	};
}

FIXTURE_TEARDOWN(reuse)
{
	close(self->queue);
}

/* The handle of the watch with @token, 0 if there is none. */
static inline uint32_t watch_of(int queue, uint64_t token)
{
	struct knell_watch_info info[32];
	int nr = list_watches(queue, info, ARRAY_SIZE(info), 0);

	for (int i = 0; i < nr; i++)
		if (info[i].token == token)
			return info[i].watch;
	return 0;
}

static inline void see_record(struct __test_metadata *_metadata, int queue, uint64_t token,
			      pid_t pid, int status)
{
	struct knell_event ev;

	ASSERT_EQ(1, next_event(queue, &ev));
	EXPECT_EQ(KNELL_EV_EXIT, ev.type);
	EXPECT_EQ(0, ev.flags);
	EXPECT_EQ(token, ev.token);
	EXPECT_EQ(pid, ev.exit.pid);
	EXPECT_EQ(status, ev.exit.status);
}

static const enum how early[] = { BY_PID, BY_PIDFD, BY_NEXT, BY_SELF, BY_OTHER };

#endif /* _PROCESS_REUSE_H */
