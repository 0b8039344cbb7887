/* SPDX-License-Identifier: GPL-2.0-only */
/* A target's death: its record, and what wait(2) says of it, each when the other is there. */
#ifndef _PROCESS_DEATH_H
#define _PROCESS_DEATH_H

#include <sys/ptrace.h>

#include "process_test.h"

#define HOLD_NS		(300 * NSEC_PER_MSEC)

/* Neither reported nor waitable. */
static inline void see_life(struct __test_metadata *_metadata, struct target *t)
{
	int status;

	ASSERT_FALSE(waitable(t->pid, &status));
	ASSERT_TRUE(nothing_pending(t->queue));
	if (t->watch) {
		ASSERT_EQ(KNELL_PROCESS, watch_info(t->queue, t->watch).type);
		ASSERT_EQ(1, watch_state(t->queue, t->watch));
		ASSERT_EQ(t->pid, watch_info(t->queue, t->watch).pid);
	}
}

static inline void check_record(struct __test_metadata *_metadata, struct target *t,
				const struct knell_event *ev, int status)
{
	EXPECT_EQ(KNELL_EV_EXIT, ev->type);
	EXPECT_EQ(0, ev->flags);
	EXPECT_NE(0, ev->watch);
	if (t->watch)
		EXPECT_EQ(t->watch, ev->watch);
	EXPECT_EQ(t->token, ev->token);
	EXPECT_LT(t->seq, ev->seq);
	EXPECT_EQ(t->pid, ev->exit.pid);
	/* With WNOWAIT 5.10 tells of the leader alone; reap() is asked, too. */
	if (!kernel_before(6, 1))
		EXPECT_EQ(status, ev->exit.status);
	EXPECT_EQ(getuid(), ev->exit.uid);
	EXPECT_EQ(0, ev->exit.members);
	EXPECT_LE(t->born[0], ev->exit.start_ns);
	EXPECT_GE(t->born[1], ev->exit.start_ns);
	EXPECT_LE(ev->exit.start_ns, ev->time_ns);
	EXPECT_GE(clock_ns(CLOCK_MONOTONIC), ev->time_ns);
	if (small_rss_is_known())
		EXPECT_LT(0, ev->exit.maxrss_kb);
	EXPECT_LT(0, ev->exit.minflt);
	EXPECT_EQ(0, ev->exit.killer_pid);
	EXPECT_EQ(0, ev->exit.killer_uid);
	EXPECT_EQ(0, ev->exit.reserved[0]);
	EXPECT_EQ(0, ev->exit.reserved[1]);
	t->seq = ev->seq;
}

/* Looks for the record and for the zombie in turn: each must come with the other. */
static inline int look_for_death(struct target *t, struct knell_event *ev)
{
	int n, status;

	for (;;) {
		n = pending_event(t->queue, ev);
		if (n)
			return n;
		if (waitable(t->pid, &status))
			return pending_event(t->queue, ev);
		sched_yield();
	}
}

/* The target is about to die: takes its record, checks it against wait(2). */
static inline void see_death_record(struct __test_metadata *_metadata, struct target *t,
				    struct knell_event *ev)
{
	int status;

	if (is_late(t)) {
		ASSERT_EQ(0, await_zombie(t->pid));
		ASSERT_TRUE(nothing_pending(t->queue));
		ASSERT_EQ(0, enrol(t));
		ASSERT_EQ(1, pending_event(t->queue, ev));
	} else if (t->block) {
		ASSERT_EQ((ssize_t)sizeof(*ev), read(t->queue, ev, sizeof(*ev)));
	} else {
		ASSERT_EQ(1, look_for_death(t, ev));
	}
	ASSERT_TRUE(waitable(t->pid, &status));
	check_record(_metadata, t, ev, status);
	ASSERT_TRUE(nothing_pending(t->queue));
}

static inline void see_death(struct __test_metadata *_metadata, struct target *t, int status)
{
	struct knell_event ev;

	see_death_record(_metadata, t, &ev);
	EXPECT_EQ(status, ev.exit.status);
	EXPECT_EQ(status, reap(t->pid));
	EXPECT_TRUE(nothing_pending(t->queue));
	EXPECT_EQ(0, nr_watches(t->queue));
	forget(t);
}

static inline void start(struct __test_metadata *_metadata, struct target *t,
			 void (*run)(struct target *t))
{
	t->run = run;
	ASSERT_EQ(0, spawn(t));
	see_life(_metadata, t);
}

static inline void run_exit(struct target *t)
{
	must_hear(t->go, 'g');
	_exit(3);
}

struct tracer {
	pid_t pid;
	int go[2];
	int said[2];
};

/*
 * Traces the target, sees it die, then waits for g; with @reaps it takes the zombie
 * from the real parent's sight first.
 */
static inline void run_tracer(struct tracer *tracer, pid_t target, bool reaps)
{
	siginfo_t si;

	if (ptrace(PTRACE_SEIZE, target, NULL, NULL))
		_exit(BROKEN);
	tell(tracer->said, 's');
	if (waitid(P_PID, target, &si, WEXITED | __WALL | (reaps ? 0 : WNOWAIT)))
		_exit(BROKEN);
	tell(tracer->said, 'z');
	must_hear(tracer->go, 'g');
	_exit(0);
}

static inline void start_tracer(struct __test_metadata *_metadata, struct tracer *tracer,
				struct target *t, bool reaps)
{
	ASSERT_EQ(0, pipe(tracer->go));
	ASSERT_EQ(0, pipe(tracer->said));
	tracer->pid = fork();
	ASSERT_LE(0, tracer->pid);
	if (!tracer->pid)
		run_tracer(tracer, t->pid, reaps);
	ASSERT_EQ('s', hear(tracer->said));
}

/* The zombie belongs to the tracer for a while: silence for as long. */
static inline void see_held(struct __test_metadata *_metadata, struct target *t)
{
	uint64_t until = clock_ns(CLOCK_MONOTONIC) + HOLD_NS;
	int rounds = 0;

	ASSERT_EQ('Z', state_of(t->pid));
	do {
		see_life(_metadata, t);
		sched_yield();
	} while (clock_ns(CLOCK_MONOTONIC) < until || ++rounds < 10);
}

/* What a target does that is executed again, as "... then-exit CODE GO SAID"; see main(). */
static inline int then_exit(char **argv)
{
	const int go[2] = { atoi(argv[3]), -1 }, said[2] = { -1, atoi(argv[4]) };

	tell(said, 'x');
	must_hear(go, 'g');
	return atoi(argv[2]);
}

#endif /* _PROCESS_DEATH_H */
