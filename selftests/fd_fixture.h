/* SPDX-License-Identifier: GPL-2.0-only */
/* A queue, and what is watched in it: an eventfd, a pair of sockets. */
#ifndef _FD_FIXTURE_H
#define _FD_FIXTURE_H

#include "fd_test.h"

FIXTURE(fd) {
	int fd;
	int bell;		/* an eventfd */
	int pair[2];		/* a connected pair of sockets */
};

FIXTURE_SETUP(fd)
{
	self->fd = knell_open(O_NONBLOCK);
	ASSERT_LE(0, self->fd);
	self->bell = new_eventfd();
	ASSERT_LE(0, self->bell);
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0,
				self->pair));
}

FIXTURE_TEARDOWN(fd)
{
	close(self->fd);
	close(self->bell);
	close(self->pair[0]);
	close(self->pair[1]);
}

#endif /* _FD_FIXTURE_H */
