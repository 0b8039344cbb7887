// SPDX-License-Identifier: GPL-2.0-only
/*
 * FD watches of Unix sockets in which descriptors are on their way, that of the
 * queue itself among them: what nobody can reach any more is gone. runner-limit: 150
 */
#include "kselftest_harness.h"

#include <poll.h>
#include <sys/un.h>

#include "fd_test.h"
#include "keep_test.h"
#include "pass_fd.h"

#define NAME		"flight"

FIXTURE(flight) {
	long refs;
};

FIXTURE_SETUP(flight)
{
	self->refs = module_refs();
	ASSERT_LE(0, self->refs);
}

/* The collector looks at sockets that hold each other when one is closed. */
static long refs_collected(long expected)
{
	uint64_t until = clock_ns(CLOCK_MONOTONIC) + 20 * SLOW * NSEC_PER_SEC;
	int s[2];

	while (module_refs() != expected && clock_ns(CLOCK_MONOTONIC) < until) {
		if (socketpair(AF_UNIX, SOCK_STREAM, 0, s))
			break;
		close(s[0]);
		close(s[1]);
		sched_yield();
	}
	return module_refs();
}

FIXTURE_TEARDOWN(flight)
{
	EXPECT_EQ(0, drop_queue(NAME));
	EXPECT_EQ(self->refs, refs_collected(self->refs));
}

/* In a process of its own, with which all of its descriptors are closed. */
static int alone(int (*act)(void))
{
	pid_t pid = fork();

	if (!pid)
		_exit(act());
	return child_status(pid);
}

/* A new queue that watches @sock, or -1. */
static int queue_on(int sock)
{
	int fd = knell_open(O_NONBLOCK);

	return fd >= 0 && add_fd(fd, sock, 0, EPOLLIN | EPOLLOUT) > 0 ? fd : -1;
}

static int pair(int *s)
{
	return socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, s);
}

/* A pair, and a new queue that watches its first, or -1. */
static int queue_on_pair(int *s)
{
	return pair(s) ? -1 : queue_on(s[0]);
}

static int in_its_own_socket(void)
{
	const int types[] = { SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET };
	int s[2], queue;

	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		CHECK(!socketpair(AF_UNIX, types[i], 0, s));
		queue = queue_on(s[0]);
		CHECK(queue >= 0);
		CHECK(!send_fd(s[1], queue));
	}
	return 0;
}

TEST_F_TIMEOUT(flight, in_the_socket_that_it_watches, LIMIT)
{
	EXPECT_EQ(0, alone(in_its_own_socket));
}

static int in_each_others_socket(void)
{
	int a[2], b[2], on_a, on_b;

	on_a = queue_on_pair(a);
	on_b = queue_on_pair(b);
	CHECK(on_a >= 0 && on_b >= 0);
	CHECK(!send_fd(a[1], on_b));
	CHECK(!send_fd(b[1], on_a));
	return 0;
}

TEST_F_TIMEOUT(flight, two_in_the_sockets_of_each_other, LIMIT)
{
	EXPECT_EQ(0, alone(in_each_others_socket));
}

/* It is in one end, which is on its way in the other end, which it watches. */
static int in_the_peer(void)
{
	int s[2], queue = queue_on_pair(s);

	CHECK(queue >= 0);
	CHECK(add_fd(queue, s[1], KNELL_OPF_EDGE, EPOLLIN) > 0);
	CHECK(!send_fd(s[0], queue));
	CHECK(!send_fd(s[1], s[1]));
	return 0;
}

TEST_F_TIMEOUT(flight, in_the_peer, LIMIT)
{
	EXPECT_EQ(0, alone(in_the_peer));
}

/* The kernel's collector alone can end this one. */
static int in_a_socket_in_itself(void)
{
	int s[2], queue = queue_on_pair(s);

	CHECK(queue >= 0);
	CHECK(!send_fd(s[1], s[0]));
	CHECK(!send_fd(s[1], queue));
	return 0;
}

TEST_F_TIMEOUT(flight, in_a_socket_that_is_in_itself, LIMIT)
{
	EXPECT_EQ(0, alone(in_a_socket_in_itself));
}

static int not_accepted(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	socklen_t len = sizeof(addr.sun_family);
	int door = socket(AF_UNIX, SOCK_STREAM, 0), fd = socket(AF_UNIX, SOCK_STREAM, 0), queue;

	/* The kernel finds a name. */
	CHECK(!bind(door, (void *)&addr, len));
	len = sizeof(addr);
	CHECK(!getsockname(door, (void *)&addr, &len));
	CHECK(!listen(door, 1));
	queue = queue_on(door);
	CHECK(queue >= 0);
	CHECK(!connect(fd, (void *)&addr, len));
	CHECK(!send_fd(fd, queue));
	return 0;
}

TEST_F_TIMEOUT(flight, in_a_connection_that_nobody_accepts, LIMIT)
{
	EXPECT_EQ(0, alone(not_accepted));
}

static int kept(void)
{
	int s[2], queue = queue_on_pair(s);

	CHECK(queue >= 0);
	CHECK(add_watch(queue, op_user(7)) > 0);
	CHECK(!keep_queue(queue, NAME));
	CHECK(!send_fd(s[1], queue));
	return 0;
}

/* Its file goes with the holder, and what it is kept for stays. */
TEST_F_TIMEOUT(flight, a_kept_queue, LIMIT)
{
	struct knell_watch_info wi[2];
	int fd;

	ASSERT_EQ(0, alone(kept));
	EXPECT_EQ(self->refs + 1, refs_collected(self->refs + 1));
	fd = take_over(NAME);
	ASSERT_LE(0, fd);
	ASSERT_EQ(1, list_watches(fd, wi, 2, 0));
	EXPECT_EQ(KNELL_USER, wi[0].type);
	EXPECT_EQ(7, wi[0].token);
	EXPECT_EQ(0, keep_off(fd, NAME));
	close(fd);
}

/* Rings what it watches once its maker is dead, and sends it on. */
static int inherited(int queue, const int *s, const int *go, int way)
{
	CHECK(hear(go) == 'g');
	CHECK(write(s[1], "x", 1) == 1);
	CHECK(wait_fd(queue) == EPOLLIN);
	CHECK(!mod_fd(queue, 1, 0, EPOLLIN, 1));
	CHECK(!send_fd(way, queue));
	return 0;
}

/* Its exit status is the maker's own; that of whom it leaves the queue to comes later. */
static int make_and_leave(const int *s, const int *go, int way)
{
	int queue = queue_on(s[0]);
	pid_t pid;

	CHECK(queue >= 0 && !mod_fd(queue, 1, 0, EPOLLIN, 1));
	pid = fork();
	CHECK(pid >= 0);
	return pid ? 0 : inherited(queue, s, go, way);
}

/* Who inherits the queue goes on with it, and so does who is sent it. */
TEST_F_TIMEOUT(flight, goes_on_in_other_hands, LIMIT)
{
	int s[2], way[2], go[2], queue;
	pid_t pid;

	ASSERT_EQ(0, prctl(PR_SET_CHILD_SUBREAPER, 1));
	ASSERT_EQ(0, pair(s));
	ASSERT_EQ(0, pair(way));
	ASSERT_EQ(0, pipe(go));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		_exit(make_and_leave(s, go, way[1]));
	ASSERT_EQ(0, child_status(pid));
	tell(go, 'g');
	ASSERT_EQ(0, child_status(-1));
	queue = receive_fd(way[0]);
	ASSERT_LE(0, queue);
	EXPECT_EQ(EPOLLIN, wait_fd(queue));
	/* The last descriptor of what it watches is on its way: it is still there. */
	ASSERT_EQ(0, send_fd(way[1], s[0]));
	close(s[0]);
	ASSERT_EQ(0, mod_fd(queue, 1, 0, EPOLLIN, 1));
	EXPECT_EQ(EPOLLIN, take_fd(queue));
	close(s[1]);
	ASSERT_EQ(0, mod_fd(queue, 1, 0, EPOLLRDHUP, 1));
	EXPECT_EQ(EPOLLRDHUP | EPOLLHUP, take_fd(queue));
	close(way[0]);
	close(way[1]);
	EXPECT_EQ(-EBADF, mod_fd(queue, 1, 0, EPOLLIN, 1));
	close(queue);
}

/* The watch does not keep it open, and is silent then; of two descriptors one does. */
TEST_F_TIMEOUT(flight, a_closed_socket_is_closed, LIMIT)
{
	struct pollfd peer = { .events = POLLIN };
	int64_t watch;
	int s[2], copy, queue;

	queue = knell_open(O_NONBLOCK);
	ASSERT_LE(0, queue);
	for (unsigned int i = 0; i < 3; i++) {
		ASSERT_EQ(0, pair(s));
		peer.fd = s[1];
		watch = add_fd(queue, s[0], i == 1 ? KNELL_OPF_EDGE : 0, EPOLLIN);
		ASSERT_LT(0, watch);
		copy = dup(s[0]);
		close(s[0]);
		ASSERT_EQ(1, write(s[1], "x", 1));
		EXPECT_EQ(EPOLLIN, take_fd(queue));
		ASSERT_EQ(0, mod_fd(queue, watch, i == 1 ? KNELL_OPF_EDGE : 0, EPOLLIN, 1));
		/* A record that nobody has read does not keep it open either. */
		if (i == 2) {
			EXPECT_EQ(EPOLLIN, take_fd(queue));
		}
		EXPECT_EQ(0, poll(&peer, 1, 0));
		close(copy);
		EXPECT_EQ(1, poll(&peer, 1, 0));
		EXPECT_EQ(POLLHUP, peer.revents & POLLHUP);
		EXPECT_EQ(-EBADF, mod_fd(queue, watch, 0, EPOLLIN, 1));
		EXPECT_EQ(0, del_watch(queue, watch));
		EXPECT_EQ(-1, take_fd(queue));
		close(s[1]);
	}
	/* It was woken, and nobody can say any more for what. */
	ASSERT_EQ(0, pair(s));
	watch = add_fd(queue, s[0], KNELL_OPF_EDGE, EPOLLPRI);
	ASSERT_LT(0, watch);
	ASSERT_EQ(1, write(s[1], "x", 1));
	EXPECT_EQ(2, watch_state(queue, watch));
	close(s[0]);
	EXPECT_EQ(-1, take_fd(queue));
	EXPECT_EQ(1, watch_state(queue, watch));
	close(s[1]);
	close(queue);
}

struct racer {
	int queue;
	volatile uint32_t watch;
	volatile bool end;
};

static void *rearm(void *arg)
{
	struct racer *r = arg;
	struct knell_event ev;

	while (!r->end) {
		mod_fd(r->queue, r->watch, 0, EPOLLIN | EPOLLPRI | EPOLLOUT, 1);
		take(r->queue, &ev);
	}
	return NULL;
}

/* The file is asked for while it goes, and its memory is another's at once. */
TEST_F_TIMEOUT(flight, closed_under_mod_and_read, LIMIT)
{
	struct racer r = { .queue = knell_open(O_NONBLOCK) };
	pthread_t thread;
	int64_t watch;
	int s[2];

	ASSERT_LE(0, r.queue);
	ASSERT_EQ(0, pthread_create(&thread, NULL, rearm, &r));
	for (unsigned int i = 0; i < 2000; i++) {
		ASSERT_EQ(0, pair(s));
		watch = add_fd(r.queue, s[0], i & 1 ? KNELL_OPF_EDGE : 0, EPOLLIN | EPOLLPRI);
		ASSERT_LT(0, watch);
		r.watch = watch;
		ASSERT_EQ(1, write(s[1], "x", 1));
		ASSERT_EQ(0, send_fd(s[1], r.queue));
		close(s[0]);
		close(s[1]);
		ASSERT_EQ(0, del_watch(r.queue, watch));
	}
	r.end = true;
	pthread_join(thread, NULL);
	close(r.queue);
}

TEST_HARNESS_MAIN
