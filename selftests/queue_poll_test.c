// SPDX-License-Identifier: GPL-2.0-only
/* The queue as poll(2), select(2) and epoll(7) see it. runner-limit: 900 */
#include "kselftest_harness.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/select.h>

#include "queue_bells.h"

QUEUE_FIXTURE(queue)

static short polled(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN | POLLRDNORM | POLLOUT | POLLPRI };

	return poll(&p, 1, 0) < 0 ? -1 : p.revents;
}

TEST_F_TIMEOUT(queue, poll_is_level, LIMIT)
{
	struct knell_event ev;
	uint32_t watch[2];

	ASSERT_EQ(0, add_bells(self->fd, watch, 2));
	EXPECT_EQ(0, polled(self->fd));
	ASSERT_EQ(0, ring_bells(self->fd, watch, 2));
	EXPECT_EQ(POLLIN | POLLRDNORM, polled(self->fd));
	EXPECT_EQ(POLLIN | POLLRDNORM, polled(self->fd));
	ASSERT_EQ(1, take(self->fd, &ev));
	EXPECT_EQ(POLLIN | POLLRDNORM, polled(self->fd));
	ASSERT_EQ(1, take(self->fd, &ev));
	EXPECT_EQ(0, polled(self->fd));
}

TEST_F_TIMEOUT(queue, del_between_poll_and_read, LIMIT)
{
	struct knell_event ev;
	uint32_t watch;

	ASSERT_EQ(0, add_bells(self->fd, &watch, 1));
	ASSERT_EQ(0, ring_bells(self->fd, &watch, 1));
	EXPECT_EQ(POLLIN | POLLRDNORM, polled(self->fd));
	ASSERT_EQ(0, del_watch(self->fd, watch));
	EXPECT_EQ(-1, read(self->fd, &ev, sizeof(ev)));
	EXPECT_EQ(EAGAIN, errno);
	EXPECT_EQ(0, polled(self->fd));
	EXPECT_EQ(0, nr_pending(self->fd));
}

TEST_F_TIMEOUT(queue, select, LIMIT)
{
	struct timeval now = { };
	struct knell_event ev;
	uint32_t watch;
	fd_set set;

	ASSERT_EQ(0, add_bells(self->fd, &watch, 1));
	FD_ZERO(&set);
	FD_SET(self->fd, &set);
	EXPECT_EQ(0, select(self->fd + 1, &set, NULL, NULL, &now));
	ASSERT_EQ(0, ring_bells(self->fd, &watch, 1));
	FD_SET(self->fd, &set);
	EXPECT_EQ(1, select(self->fd + 1, &set, NULL, NULL, NULL));
	EXPECT_NE(0, FD_ISSET(self->fd, &set));
	ASSERT_EQ(1, take(self->fd, &ev));
}

static int epoll_on(int fd, uint32_t events)
{
	struct epoll_event ee = { .events = events };
	int ep = epoll_create1(EPOLL_CLOEXEC);

	if (ep >= 0 && epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ee)) {
		close(ep);
		return -1;
	}
	return ep;
}

static int epolled(int ep)
{
	struct epoll_event ee;

	return epoll_wait(ep, &ee, 1, 0);
}

TEST_F_TIMEOUT(queue, epoll_level, LIMIT)
{
	int ep = epoll_on(self->fd, EPOLLIN);
	struct knell_event ev;
	uint32_t watch[2];

	ASSERT_LE(0, ep);
	ASSERT_EQ(0, add_bells(self->fd, watch, 2));
	EXPECT_EQ(0, epolled(ep));
	ASSERT_EQ(0, ring_bells(self->fd, watch, 2));
	EXPECT_EQ(1, epolled(ep));
	EXPECT_EQ(1, epolled(ep));
	ASSERT_EQ(1, take(self->fd, &ev));
	EXPECT_EQ(1, epolled(ep));
	ASSERT_EQ(1, take(self->fd, &ev));
	EXPECT_EQ(0, epolled(ep));
	close(ep);
}

TEST_F_TIMEOUT(queue, epoll_edge, LIMIT)
{
	int ep = epoll_on(self->fd, EPOLLIN | EPOLLET);
	struct knell_event ev;
	uint32_t watch[3];
	struct knell_op op;
	int64_t timer;
	int i;

	ASSERT_LE(0, ep);
	ASSERT_EQ(0, add_bells(self->fd, watch, 3));
	EXPECT_EQ(0, epolled(ep));
	/* Every record that becomes pending wakes. */
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, ring_bells(self->fd, &watch[i], 1));
		EXPECT_EQ(1, epolled(ep));
		EXPECT_EQ(0, epolled(ep));
	}
	/* Folding does not, */
	ASSERT_EQ(0, ring_bells(self->fd, watch, 3));
	EXPECT_EQ(0, epolled(ep));
	/* and a reader that leaves some behind does not. */
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(1, take(self->fd, &ev));
		EXPECT_EQ(2, ev.user.count);
		EXPECT_EQ(0, epolled(ep));
	}
	ASSERT_EQ(0, take(self->fd, &ev));
	EXPECT_EQ(0, epolled(ep));
	ASSERT_EQ(0, ring_bells(self->fd, watch, 1));
	EXPECT_EQ(1, epolled(ep));
	ASSERT_EQ(1, take(self->fd, &ev));

	/* A period that nobody reads makes one edge, and one for each reading. */
	timer = add_watch(self->fd, op_timer(CLOCK_MONOTONIC, 0, 1, 1000, 9));
	ASSERT_LT(0, timer);
	for (i = 0; i < 10; i++) {
		struct epoll_event ee;

		ASSERT_EQ(1, epoll_wait(ep, &ee, 1, -1));
		EXPECT_EQ(EPOLLIN, ee.events);
		EXPECT_EQ(0, epolled(ep));
		ASSERT_EQ(1, take(self->fd, &ev));
		EXPECT_EQ(9, ev.token);
	}
	op = op_mod_timer(timer, CLOCK_MONOTONIC, 0, 0, 0, 9);
	ASSERT_EQ(0, submit_op(self->fd, &op));
	close(ep);
}

TEST_F_TIMEOUT(queue, epoll_oneshot, LIMIT)
{
	struct epoll_event ee = { .events = EPOLLIN | EPOLLONESHOT };
	int ep = epoll_on(self->fd, EPOLLIN | EPOLLONESHOT);
	struct knell_event ev;
	uint32_t watch[3];

	ASSERT_LE(0, ep);
	ASSERT_EQ(0, add_bells(self->fd, watch, 3));
	ASSERT_EQ(0, ring_bells(self->fd, watch, 1));
	EXPECT_EQ(1, epolled(ep));
	ASSERT_EQ(0, ring_bells(self->fd, watch + 1, 1));
	EXPECT_EQ(0, epolled(ep));
	/* Armed again, it sees what there is already; */
	ASSERT_EQ(0, epoll_ctl(ep, EPOLL_CTL_MOD, self->fd, &ee));
	EXPECT_EQ(1, epolled(ep));
	EXPECT_EQ(0, epolled(ep));
	ASSERT_EQ(1, take(self->fd, &ev));
	ASSERT_EQ(1, take(self->fd, &ev));
	/* and with nothing there, what comes. */
	ASSERT_EQ(0, epoll_ctl(ep, EPOLL_CTL_MOD, self->fd, &ee));
	EXPECT_EQ(0, epolled(ep));
	ASSERT_EQ(0, ring_bells(self->fd, watch + 2, 1));
	EXPECT_EQ(1, epolled(ep));
	close(ep);
}

struct epoller {
	int ep;
	volatile pid_t tid;
	volatile int woken;
};

static void *wait_in_epoll(void *arg)
{
	struct epoller *e = arg;
	struct epoll_event ee;

	e->tid = own_tid();
	while (epoll_wait(e->ep, &ee, 1, -1) != 1)
		;
	e->woken = 1;
	return NULL;
}

TEST_F_TIMEOUT(queue, epoll_wakes_a_sleeper, LIMIT)
{
	const uint32_t events[] = { EPOLLIN, EPOLLIN | EPOLLET, EPOLLIN | EPOLLONESHOT };
	struct knell_event ev;
	struct epoller e = { };
	pthread_t thread;
	uint32_t watch;
	int i;

	ASSERT_EQ(0, add_bells(self->fd, &watch, 1));
	for (i = 0; i < 3; i++) {
		e = (struct epoller){ .ep = epoll_on(self->fd, events[i]) };
		ASSERT_LE(0, e.ep);
		ASSERT_EQ(0, pthread_create(&thread, NULL, wait_in_epoll, &e));
		while (!e.tid)
			sched_yield();
		wait_blocked(getpid(), e.tid, SYS_epoll_wait);
		EXPECT_EQ(0, e.woken);
		ASSERT_EQ(0, ring_bells(self->fd, &watch, 1));
		pthread_join(thread, NULL);
		ASSERT_EQ(1, take(self->fd, &ev));
		close(e.ep);
	}
}

/* Sleeping readers and pollers at once: a reader gets the record, pollers hear of it. */
TEST_F_TIMEOUT(queue, readers_and_pollers, LIMIT)
{
	int ep = epoll_on(self->fd, EPOLLIN | EPOLLET);
	struct sleeper s[2];
	uint32_t watch[2];
	int i;

	ASSERT_LE(0, ep);
	ASSERT_EQ(0, add_bells(self->fd, watch, 2));
	ASSERT_EQ(0, set_blocking(self->fd, 1));
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, start_sleeper(&s[i], self->fd, NULL));
	}
	ASSERT_EQ(0, ring_bells(self->fd, watch, 2));
	for (i = 0; i < 2; i++)
		pthread_join(s[i].thread, NULL);
	/* Level is asked for again by epoll when it reports: there is none left. */
	EXPECT_EQ(0, epolled(ep));
	EXPECT_EQ(0, nr_pending(self->fd));
	close(ep);
}

TEST_HARNESS_MAIN
