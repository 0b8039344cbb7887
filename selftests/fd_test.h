/* SPDX-License-Identifier: GPL-2.0-only */
/* What the selftests of FD watches share. */
#ifndef _FD_TEST_H
#define _FD_TEST_H

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include "queue_test.h"

static inline struct knell_op op_fd(int fd, uint32_t flags, uint32_t events, uint64_t token)
{
	struct knell_op op = op_add(KNELL_FD, flags, token);

	op.fd.fd = fd;
	op.fd.events = events;
	return op;
}

/* MOD does not look at the descriptor: this one is none. */
static inline struct knell_op op_mod_fd(uint32_t watch, uint32_t flags, uint32_t events,
					uint64_t token)
{
	struct knell_op op = op_mod(watch, flags, token);

	op.fd.fd = -77;
	op.fd.events = events;
	return op;
}

/* A watch whose token is the descriptor: its handle, or -errno. */
static inline int64_t add_fd(int queue, int fd, uint32_t flags, uint32_t events)
{
	return add_watch(queue, op_fd(fd, flags, events, fd));
}

static inline int mod_fd(int queue, uint32_t watch, uint32_t flags, uint32_t events,
			 uint64_t token)
{
	struct knell_op op = op_mod_fd(watch, flags, events, token);

	return submit_op(queue, &op);
}

/* What the record tells that is there now: EPOLL* bits, -1 if there is none, -2 if not FD's. */
static inline int64_t take_fd(int queue)
{
	struct knell_event ev;

	if (take(queue, &ev) != 1)
		return -1;
	return ev.type == KNELL_EV_FD ? (int64_t)ev.fd.events : -2;
}

/* The same, however long it takes. */
static inline int64_t wait_fd(int queue)
{
	struct knell_event ev;

	if (wait_event(queue, &ev) != 1)
		return -1;
	return ev.type == KNELL_EV_FD ? (int64_t)ev.fd.events : -2;
}

static inline int ring_eventfd(int fd)
{
	const uint64_t one = 1;

	return write(fd, &one, sizeof(one)) == sizeof(one) ? 0 : -errno;
}

/* How often it was rung since the last time; 0 if not (it is non-blocking). */
static inline uint64_t drain_eventfd(int fd)
{
	uint64_t n;

	return read(fd, &n, sizeof(n)) == sizeof(n) ? n : 0;
}

static inline int new_eventfd(void)
{
	return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
}

#endif /* _FD_TEST_H */
