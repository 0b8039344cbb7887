// SPDX-License-Identifier: GPL-2.0-only
/* fdstore.c: what is kept, in which order, and what is dropped when nobody is at its other end. */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "host_test.h"
#include "fdstore.h"

FIXTURE(fdstore)
{
	struct fd_store s;
	int a[2], b[2];
};

FIXTURE_SETUP(fdstore)
{
	static const struct knell_loop_attr attr = { .backend = KNELL_BACKEND_PIDFD };

	self->s = (struct fd_store){ .loop = knell_loop_new(&attr) };
	ASSERT_NE(NULL, self->s.loop);
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, self->a));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, self->b));
}

FIXTURE_TEARDOWN(fdstore)
{
	fd_store_remove(&self->s, NULL);
	EXPECT_EQ(0, self->s.nr);
	EXPECT_EQ(NULL, self->s.first);
	EXPECT_EQ(0, knell_loop_run(self->s.loop, KNELL_RUN_NOWAIT));
	knell_loop_free(self->s.loop);
}

TEST_F(fdstore, order_names_and_limit)
{
	struct fd_store *s = &self->s;
	int memfd = memfd_create("x", MFD_CLOEXEC);

	EXPECT_EQ(1, fd_store_add(s, self->a[0], "one", true, 2));
	EXPECT_EQ(1, fd_store_add(s, self->b[0], "two", true, 2));
	EXPECT_EQ(-ENOSPC, fd_store_add(s, memfd, "three", true, 2));
	EXPECT_EQ(1, fd_store_add(s, memfd, "one", true, 3));
	ASSERT_EQ(3, s->nr);
	EXPECT_EQ(self->a[0], s->first->fd);
	EXPECT_EQ(self->b[0], s->first->next->fd);
	EXPECT_EQ(memfd, s->first->next->next->fd);
	/* A file can always be read: that is no reason to wake up more than once, or to drop it. */
	for (int i = 0; i < 3; i++)
		knell_loop_run(s->loop, KNELL_RUN_NOWAIT);
	EXPECT_EQ(3, s->nr);
	EXPECT_EQ(2, fd_store_remove(s, "one"));
	EXPECT_EQ(-1, fcntl(memfd, F_GETFD));
	EXPECT_EQ(0, fd_store_remove(s, "one"));
	ASSERT_EQ(1, s->nr);
	EXPECT_STREQ("two", s->first->name);
}

TEST_F(fdstore, the_same_file_is_kept_once)
{
	int dup = fcntl(self->a[0], F_DUPFD_CLOEXEC, 0);

	EXPECT_EQ(1, fd_store_add(&self->s, self->a[0], "x", true, 8));
	EXPECT_EQ(0, fd_store_add(&self->s, dup, "y", true, 8));
	EXPECT_EQ(1, fd_store_add(&self->s, self->a[1], "y", true, 8));
	EXPECT_EQ(2, self->s.nr);
	close(dup);
}

TEST_F(fdstore, dropped_with_its_other_end)
{
	EXPECT_EQ(1, fd_store_add(&self->s, self->a[0], "polled", true, 8));
	EXPECT_EQ(1, fd_store_add(&self->s, self->b[0], "kept", false, 8));
	close(self->a[1]);
	close(self->b[1]);
	knell_loop_run(self->s.loop, KNELL_RUN_ONCE);
	ASSERT_EQ(1, self->s.nr);
	EXPECT_STREQ("kept", self->s.first->name);
	EXPECT_EQ(-1, fcntl(self->a[0], F_GETFD));
	fd_store_sweep(&self->s);
	EXPECT_EQ(1, self->s.nr);
}

/* Data that waits for the service keeps the loop asleep; the end is seen when it matters. */
TEST_F(fdstore, dropped_when_it_was_readable_before)
{
	struct knell_stats before, after;

	ASSERT_EQ(1, write(self->a[1], "x", 1));
	EXPECT_EQ(1, fd_store_add(&self->s, self->a[0], "x", true, 1));
	knell_loop_run(self->s.loop, KNELL_RUN_ONCE);
	knell_stats_get(self->s.loop, &before);
	for (int i = 0; i < 10; i++)
		knell_loop_run(self->s.loop, KNELL_RUN_NOWAIT);
	knell_stats_get(self->s.loop, &after);
	EXPECT_EQ(before.dispatched, after.dispatched);
	fd_store_sweep(&self->s);
	EXPECT_EQ(1, self->s.nr);
	close(self->a[1]);
	/* The store is full, but not of what is of use. */
	EXPECT_EQ(1, fd_store_add(&self->s, self->b[0], "y", true, 1));
	ASSERT_EQ(1, self->s.nr);
	EXPECT_STREQ("y", self->s.first->name);
}

TEST_HARNESS_MAIN
