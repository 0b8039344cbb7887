/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The fixture of what fails in turn: how much is left when a test begins, which is what has to be left
 * at its end, and whether what was refused was refused for the right reason.
 */
#ifndef _FAULT_FIXTURE_H
#define _FAULT_FIXTURE_H

#include "kselftest_harness.h"
#include "fault_test.h"

#define QUOTA		128	/* watches of a user */
#define MANY		100
#define QUOTA_PARAM	"/sys/module/knell/parameters/max_user_watches"

FIXTURE(fault)
{
	int nth;		/* this thread's fail-nth */
	unsigned int n;		/* which allocation is to fail next */
	unsigned int refused;	/* how many of them were answered by an error */
	int queue;
	int live;		/* memory of the module before */
	char quota[32];
};

static int open_queue(void)
{
	int fd = knell_open(O_NONBLOCK);

	return fd < 0 ? -errno : fd;
}

/* How many watches a user still may have who is held to it. */
static int room_left(void *arg)
{
	struct knell_op ops[QUOTA + 8];
	int fd = open_queue(), room = 0;

	(void)arg;
	if (fd < 0)
		return fd;
	for (unsigned int i = 0; i < QUOTA + 8; i++)
		ops[i] = op_user(i);
	if (submit_ops(fd, ops, QUOTA + 8))
		return -EPROTO;
	for (unsigned int i = 0; i < QUOTA + 8; i++)
		room += !ops[i].result;
	return room;
}

static bool nothing_left(void)
{
	static const struct who root_powerless = { 0, 0, 0, 0 };

	return as_who(&root_powerless, room_left, NULL) == QUOTA;
}

/* Some of it goes when all CPUs have been seen to have left it: no event tells. */
static bool memory_is_back(int live)
{
	uint64_t end = clock_ns(CLOCK_MONOTONIC) + PATIENCE;

	while (live_memory() != live) {
		if (clock_ns(CLOCK_MONOTONIC) > end) {
			printf("# %d pieces of memory, not %d\n", live_memory(), live);
			return false;
		}
		sched_yield();
	}
	return true;
}

FIXTURE_SETUP(fault)
{
	char text[16];
	FILE *f;

	ASSERT_EQ(0, prepare_faults());
	f = fopen(QUOTA_PARAM, "re");
	ASSERT_NE(NULL, f);
	ASSERT_NE(NULL, fgets(self->quota, sizeof(self->quota), f));
	fclose(f);
	snprintf(text, sizeof(text), "%u", QUOTA);
	ASSERT_EQ(0, write_file(QUOTA_PARAM, text));
	self->nth = open_fail_nth(0);
	ASSERT_LE(0, self->nth);
	self->live = live_memory();
	self->queue = open_queue();
	ASSERT_LE(0, self->queue);
}

FIXTURE_TEARDOWN(fault)
{
	close(self->queue);
	EXPECT_TRUE(nothing_left());
	EXPECT_TRUE(memory_is_back(self->live));
	write_file(QUOTA_PARAM, self->quota);
	if (self->n)
		TH_LOG("%u allocations failed, %u refusals", self->n - 1, self->refused);
}

#define arm(self)	fail_nth((self)->nth, ++(self)->n)

/*
 * After arm() and what it was for, which returned @ret: whether an allocation has failed, so that
 * the next one is to be tried. A refusal for any other reason is none.
 */
#define failed(self, ret) ({						\
	bool _failed = has_failed((self)->nth);				\
	int _ret = (ret);						\
									\
	if (_ret < 0) {							\
		ASSERT_TRUE(_failed);					\
		ASSERT_TRUE(is_right(_ret));				\
		(self)->refused++;					\
	}								\
	_failed;							\
})

static pid_t sleeping_child(void)
{
	pid_t pid = fork();

	/* If a case fails it is not to keep the queues open. */
	if (!pid)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (!pid)
		pause();
	return pid;
}

static void end_child(pid_t pid)
{
	kill(pid, SIGKILL);
	reap(pid);
}

/* The next record is of @watch, and of @type. */
static bool hears(int queue, uint32_t watch, uint16_t type)
{
	struct knell_event ev;

	return next_event(queue, &ev) == 1 && ev.watch == watch && ev.type == type;
}
static void child_that_exits(void)
{
	pid_t pid = fork();

	if (!pid)
		_exit(0);
	reap(pid);
}

#endif /* _FAULT_FIXTURE_H */
