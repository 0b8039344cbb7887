/* SPDX-License-Identifier: GPL-2.0-only */
/* What the selftests of CHILDREN watches share: a queue with one, children, seeing them die. */
#ifndef _CHILDREN_TEST_H
#define _CHILDREN_TEST_H

#include "process_test.h"

#define TOKEN		0xc41d
#define OWN		0x0e0e	/* of a watch of the child's own */
#define RESERVE		256	/* records that wait at most; DESIGN: bounded */

static inline struct knell_op op_children(uint32_t flags, uint64_t token)
{
	return op_add(KNELL_CHILDREN, flags, token);
}

static inline int64_t add_children(int fd)
{
	return add_watch(fd, op_children(0, TOKEN));
}

FIXTURE(children) {
	int fd;
	uint32_t watch;
	uint64_t seq;
	int go[2];	/* to a child: do the next thing */
	int said[2];	/* from it */
};

FIXTURE_SETUP(children)
{
	int64_t watch;

	self->fd = knell_open(O_NONBLOCK);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, pipe(self->go));
	ASSERT_EQ(0, pipe(self->said));
	self->seq = 0;
	watch = add_children(self->fd);
	ASSERT_LT(0, watch);
	self->watch = watch;
}

FIXTURE_TEARDOWN(children)
{
	close(self->fd);
}

/* The next record, which is that of @pid's death, with the token of @watch. */
static inline void next_death(struct __test_metadata *_metadata, FIXTURE_DATA(children) *self,
			      uint64_t token, pid_t pid, int status, struct knell_event *ev)
{
	uint64_t before = clock_ns(CLOCK_MONOTONIC);

	ASSERT_EQ(1, next_event(self->fd, ev));
	ASSERT_EQ(KNELL_EV_EXIT, ev->type);
	EXPECT_EQ(0, ev->flags);
	EXPECT_EQ(token, ev->token);
	if (token == TOKEN)
		EXPECT_EQ(self->watch, ev->watch);
	EXPECT_LT(self->seq, ev->seq);
	self->seq = ev->seq;
	EXPECT_GE(before + PATIENCE, ev->time_ns);
	EXPECT_LE(ev->exit.start_ns, ev->time_ns);
	EXPECT_EQ(status, ev->exit.status);
	EXPECT_EQ(0, ev->exit.members);
	EXPECT_EQ(0, ev->exit.killer_pid);
	EXPECT_EQ(0, ev->exit.reserved[0] | ev->exit.reserved[1]);
	ASSERT_EQ(pid, ev->exit.pid);
}

/* @pid's death is told once, and what wait(2) says is the same. */
static inline void see_death(struct __test_metadata *_metadata, FIXTURE_DATA(children) *self,
			     pid_t pid, int status)
{
	struct knell_event ev;
	int found = -1;

	next_death(_metadata, self, TOKEN, pid, status, &ev);
	EXPECT_TRUE(waitable(pid, &found));
	/* With WNOWAIT 5.10 tells of the leader alone. */
	if (!kernel_before(6, 1))
		EXPECT_EQ(status, found);
	EXPECT_EQ(status, reap(pid));
	EXPECT_TRUE(nothing_pending(self->fd));
}

/* A death that nobody can wait for. */
static inline void see_autoreaped(struct __test_metadata *_metadata, FIXTURE_DATA(children) *self,
				  pid_t pid, int status)
{
	struct knell_event ev;

	next_death(_metadata, self, TOKEN, pid, status, &ev);
	await_gone(pid);
	EXPECT_TRUE(nothing_pending(self->fd));
}

static inline pid_t start(struct __test_metadata *_metadata,
			  int (*run)(FIXTURE_DATA(children) *self), FIXTURE_DATA(children) *self)
{
	pid_t pid = fork();

	ASSERT_LE(0, pid);
	if (!pid)
		_exit(run(self));
	return pid;
}

static inline void tell_pid(const int *said, pid_t pid)
{
	if (pid < 0 || write(said[1], &pid, sizeof(pid)) != sizeof(pid))
		_exit(BROKEN);
}

static inline pid_t hear_pid(const int *said)
{
	pid_t pid;

	return read(said[0], &pid, sizeof(pid)) == sizeof(pid) ? pid : -1;
}

static inline int run_until_told(FIXTURE_DATA(children) *self)
{
	must_hear(self->go, 'g');
	return 3;
}

static inline int run_until_killed(FIXTURE_DATA(children) *self)
{
	(void)self;
	pause();
	return BROKEN;
}

/* Each returns the pid of a child of this process that exits with @status. */
static inline pid_t born_fork(int status)
{
	pid_t pid = fork();

	if (!pid)
		_exit(status);
	return pid;
}

static inline pid_t born_vfork(int status)
{
	pid_t pid = vfork();

	if (!pid)
		_exit(status);
	return pid;
}

#endif /* _CHILDREN_TEST_H */
