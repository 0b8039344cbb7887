/* SPDX-License-Identifier: GPL-2.0-only */
/* A queue is opened, listed, kept, attached to: each allocation of that fails in turn. */
#ifndef _FAULT_QUEUE_H
#define _FAULT_QUEUE_H

#include "fault_fixture.h"
#include "keep_test.h"

#define NAME		"fault"		/* of a kept queue */

TEST_F_TIMEOUT(fault, open_and_close, LIMIT)
{
	bool again;
	int fd;

	do {
		arm(self);
		fd = open_queue();
		again = failed(self, fd);
		if (fd >= 0) {
			EXPECT_EQ(0, nr_watches(fd));
			EXPECT_EQ(0, close(fd));
		}
	} while (again);
	EXPECT_LT(0, self->refused);
}

/* Of a user whom nobody has counted yet. */
static int first_opens(void *arg)
{
	int nth = open_fail_nth(0), fd;
	unsigned int *n = arg;
	bool again;

	if (unshare(CLONE_NEWUSER))
		return -errno;
	do {
		fail_nth(nth, ++*n);
		fd = open_queue();
		again = has_failed(nth);
		if (fd < 0 && (!again || !is_right(fd)))
			return -EPROTO;
		if (fd < 0)
			fd = open_queue();
		if (fd < 0 || add_watch(fd, op_user(1)) <= 0)
			return -EPROTO;
		close(fd);
	} while (again);
	return *n - 1;
}

TEST_F_TIMEOUT(fault, open_first, LIMIT)
{
	EXPECT_LT(4, as_who(&root_all, first_opens, &self->n));
}

/* ---- LIST, KEEP, ATTACH ---- */

TEST_F_TIMEOUT(fault, list, LIMIT)
{
	struct knell_watch_info info[MANY];
	bool again;
	int ret;

	for (unsigned int i = 0; i < MANY; i++)
		ASSERT_LT(0, add_watch(self->queue, op_user(i)));
	do {
		memset(info, 0, sizeof(info));
		arm(self);
		ret = list_watches(self->queue, info, MANY, 0);
		again = failed(self, ret);
		ASSERT_TRUE(ret < 0 || ret == MANY);
	} while (again);
	EXPECT_LT(0, self->refused);
}

TEST_F_TIMEOUT(fault, keep, LIMIT)
{
	bool again;
	int ret;

	do {
		arm(self);
		ret = keep_queue(self->queue, NAME);
		again = failed(self, ret);
		/* The name is free, and the queue is not kept. */
		if (ret)
			ASSERT_EQ(0, keep_queue(self->queue, NAME));
		ASSERT_EQ(-EBUSY, keep_queue(self->queue, NAME));
		ASSERT_EQ(0, keep_off(self->queue, NAME));
	} while (again);
	EXPECT_LT(0, self->refused);
}

/* A process that leaves a kept queue with something in it, and is dead. */
static int leave_queue(void)
{
	pid_t pid = fork();
	int fd;

	if (!pid) {
		fd = open_queue();
		if (add_watch(fd, op_user(1)) <= 0 || keep_queue(fd, NAME) ||
		    add_watch(fd, op_timer(CLOCK_MONOTONIC, 0, 1, 0, 2)) <= 0)
			_exit(BROKEN);
		_exit(0);
	}
	return pid < 0 ? -errno : reap(pid);
}

TEST_F_TIMEOUT(fault, attach, LIMIT)
{
	struct knell_watch_info info[2];
	struct knell_event ev;
	bool again;
	int fd;

	do {
		ASSERT_EQ(0, leave_queue());
		arm(self);
		fd = attach(self->queue, NAME);
		again = failed(self, fd);
		if (fd < 0)
			fd = attach(self->queue, NAME);
		ASSERT_LE(0, fd);
		ASSERT_EQ(2, list_watches(fd, info, 2, 0));
		ASSERT_EQ(1, next_event(fd, &ev));
		ASSERT_EQ(KNELL_EV_TIMER, ev.type);
		ASSERT_EQ(0, keep_off(fd, NAME));
		close(fd);
	} while (again);
	EXPECT_LT(0, self->refused);
}

#endif /* _FAULT_QUEUE_H */
