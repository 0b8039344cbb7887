// SPDX-License-Identifier: GPL-2.0-only
/* FD watches: when they fire, what MOD and DEL do, what is refused, what is pinned. */
#include "kselftest_harness.h"

#include <limits.h>
#include <poll.h>
#include <sys/stat.h>

#include "fd_fixture.h"

#define QUOTA_PARAM	"/sys/module/knell/parameters/max_user_watches"

TEST_F_TIMEOUT(fd, fires_once_and_waits_for_mod, LIMIT)
{
	uint64_t before, after;
	struct knell_event ev;
	int64_t watch;
	int i;

	EXPECT_NE(0, queue_info(self->fd).features & 1 << KNELL_FD);
	watch = add_watch(self->fd, op_fd(self->bell, 0, EPOLLIN, 0xfedcba9876543210ULL));
	ASSERT_LT(0, watch);
	EXPECT_EQ(1, watch_state(self->fd, watch));
	EXPECT_EQ(KNELL_FD, watch_info(self->fd, watch).type);
	EXPECT_EQ(0, watch_info(self->fd, watch).value);
	EXPECT_EQ(-1, take_fd(self->fd));

	before = clock_ns(CLOCK_MONOTONIC);
	ASSERT_EQ(0, ring_eventfd(self->bell));
	after = clock_ns(CLOCK_MONOTONIC);
	ASSERT_EQ(0, ring_eventfd(self->bell));
	EXPECT_EQ(2, watch_state(self->fd, watch));
	EXPECT_EQ(EPOLLIN, watch_info(self->fd, watch).value);
	EXPECT_EQ(1, nr_pending(self->fd));
	memset(&ev, 0xff, sizeof(ev));
	ASSERT_EQ(1, take(self->fd, &ev));
	EXPECT_EQ(KNELL_EV_FD, ev.type);
	EXPECT_EQ(0, ev.flags);
	EXPECT_EQ(watch, ev.watch);
	EXPECT_EQ(0xfedcba9876543210ULL, ev.token);
	EXPECT_EQ(EPOLLIN, ev.fd.events);
	EXPECT_EQ(0, ev.fd.pad);
	EXPECT_LE(before, ev.time_ns);
	EXPECT_GE(after, ev.time_ns);
	for (i = 1; i < 12; i++)
		EXPECT_EQ(0, ev.raw[i]);

	/* It was once; the file may be as ready as it likes. */
	EXPECT_EQ(0, watch_state(self->fd, watch));
	EXPECT_EQ(0, watch_info(self->fd, watch).value);
	ASSERT_EQ(0, ring_eventfd(self->bell));
	EXPECT_EQ(-1, take_fd(self->fd));
	EXPECT_EQ(0, watch_state(self->fd, watch));
	EXPECT_EQ(0, nr_pending(self->fd));

	/* MOD arms it, and looks. */
	ASSERT_EQ(0, mod_fd(self->fd, watch, 0, EPOLLIN, 1));
	EXPECT_EQ(2, watch_state(self->fd, watch));
	EXPECT_EQ(EPOLLIN, take_fd(self->fd));
	EXPECT_EQ(3, drain_eventfd(self->bell));
	ASSERT_EQ(0, mod_fd(self->fd, watch, 0, EPOLLIN, 1));
	EXPECT_EQ(1, watch_state(self->fd, watch));
	EXPECT_EQ(-1, take_fd(self->fd));
	ASSERT_EQ(0, ring_eventfd(self->bell));
	EXPECT_EQ(EPOLLIN, take_fd(self->fd));
}

TEST_F_TIMEOUT(fd, ready_at_add, LIMIT)
{
	int64_t watch;

	ASSERT_EQ(0, ring_eventfd(self->bell));
	watch = add_fd(self->fd, self->bell, 0, EPOLLIN | EPOLLOUT | EPOLLPRI);
	ASSERT_LT(0, watch);
	EXPECT_EQ(2, watch_state(self->fd, watch));
	EXPECT_EQ(EPOLLIN | EPOLLOUT, take_fd(self->fd));
	/* Within what was asked for. */
	watch = add_fd(self->fd, self->bell, 0, EPOLLOUT);
	ASSERT_LT(0, watch);
	EXPECT_EQ(EPOLLOUT, take_fd(self->fd));
	watch = add_fd(self->fd, self->bell, 0, EPOLLPRI);
	ASSERT_LT(0, watch);
	EXPECT_EQ(1, watch_state(self->fd, watch));
	ASSERT_EQ(0, ring_eventfd(self->bell));
	EXPECT_EQ(1, drain_eventfd(self->bell) != 0);
	EXPECT_EQ(-1, take_fd(self->fd));
	EXPECT_EQ(1, watch_state(self->fd, watch));
}

TEST_F_TIMEOUT(fd, errors_and_hangups_are_implied, LIMIT)
{
	int64_t watch, other;
	int p[2];

	ASSERT_EQ(0, pipe(p));
	watch = add_fd(self->fd, p[0], 0, 0);
	ASSERT_LT(0, watch);
	ASSERT_EQ(1, write(p[1], "x", 1));
	EXPECT_EQ(-1, take_fd(self->fd));
	close(p[1]);
	EXPECT_EQ(EPOLLHUP, take_fd(self->fd));
	ASSERT_EQ(0, del_watch(self->fd, watch));
	close(p[0]);

	ASSERT_EQ(0, pipe(p));
	watch = add_fd(self->fd, p[1], 0, 0);
	ASSERT_LT(0, watch);
	EXPECT_EQ(1, watch_state(self->fd, watch));
	close(p[0]);
	EXPECT_EQ(EPOLLERR, take_fd(self->fd));
	/* At MOD and at ADD, too. */
	ASSERT_EQ(0, mod_fd(self->fd, watch, 0, EPOLLIN, 1));
	EXPECT_EQ(EPOLLERR, take_fd(self->fd));
	other = add_fd(self->fd, p[1], 0, EPOLLHUP);
	ASSERT_LT(0, other);
	EXPECT_EQ(EPOLLERR, take_fd(self->fd));
	close(p[1]);
}

TEST_F_TIMEOUT(fd, edge_fires_on_every_wake, LIMIT)
{
	struct knell_event ev;
	uint64_t before;
	int64_t watch;

	ASSERT_EQ(0, ring_eventfd(self->bell));
	watch = add_fd(self->fd, self->bell, KNELL_OPF_EDGE, EPOLLIN);
	ASSERT_LT(0, watch);
	EXPECT_EQ(KNELL_OPF_EDGE, watch_info(self->fd, watch).flags);
	EXPECT_EQ(EPOLLIN, take_fd(self->fd));
	EXPECT_EQ(1, watch_state(self->fd, watch));
	EXPECT_EQ(-1, take_fd(self->fd));
	/* Ready all the time, and rung again. */
	before = clock_ns(CLOCK_MONOTONIC);
	ASSERT_EQ(0, ring_eventfd(self->bell));
	ASSERT_EQ(0, ring_eventfd(self->bell));
	EXPECT_EQ(1, nr_pending(self->fd));
	ASSERT_EQ(1, take(self->fd, &ev));
	EXPECT_EQ(EPOLLIN, ev.fd.events);
	EXPECT_LE(before, ev.time_ns);
	EXPECT_EQ(-1, take_fd(self->fd));
	ASSERT_EQ(0, ring_eventfd(self->bell));
	EXPECT_EQ(EPOLLIN, take_fd(self->fd));
	EXPECT_EQ(-1, take_fd(self->fd));
}

TEST_F_TIMEOUT(fd, what_comes_folds, LIMIT)
{
	const uint32_t flags[] = { 0, KNELL_OPF_EDGE };
	struct knell_event ev[2];
	int64_t watch;
	int i, p[2];

	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, p));
		watch = add_fd(self->fd, p[0], flags[i], EPOLLIN | EPOLLRDHUP);
		ASSERT_LT(0, watch);
		ASSERT_LT(0, add_fd(self->fd, self->bell, 0, EPOLLIN));
		ASSERT_EQ(1, write(p[1], "x", 1));
		ASSERT_EQ(0, ring_eventfd(self->bell));
		ASSERT_EQ(0, shutdown(p[1], SHUT_RDWR));
		/* In the place that it got first. */
		ASSERT_EQ(2 * RECORD, read(self->fd, ev, sizeof(ev)));
		EXPECT_EQ(p[0], ev[0].token);
		EXPECT_EQ(EPOLLIN | EPOLLRDHUP | EPOLLHUP, ev[0].fd.events | EPOLLHUP);
		EXPECT_EQ(self->bell, ev[1].token);
		EXPECT_EQ(ev[0].seq + 1, ev[1].seq);
		EXPECT_LE(ev[0].time_ns, ev[1].time_ns);
		EXPECT_EQ(-1, take_fd(self->fd));
		ASSERT_EQ(0, del_watch(self->fd, watch));
		ASSERT_EQ(0, del_watch(self->fd, ev[1].watch));
		drain_eventfd(self->bell);
		close(p[0]);
		close(p[1]);
	}
}

TEST_F_TIMEOUT(fd, oneshot, LIMIT)
{
	const uint32_t flags[] = { KNELL_OPF_ONESHOT, KNELL_OPF_ONESHOT | KNELL_OPF_EDGE };
	int64_t watch;
	int i;

	for (i = 0; i < 2; i++) {
		watch = add_fd(self->fd, self->bell, flags[i], EPOLLIN);
		ASSERT_LT(0, watch);
		EXPECT_EQ(flags[i], watch_info(self->fd, watch).flags);
		ASSERT_EQ(0, ring_eventfd(self->bell));
		EXPECT_EQ(1, nr_watches(self->fd));
		EXPECT_EQ(EPOLLIN, take_fd(self->fd));
		EXPECT_EQ(0, nr_watches(self->fd));
		EXPECT_EQ(-ENOENT, mod_fd(self->fd, watch, 0, EPOLLIN, 1));
		EXPECT_EQ(-ENOENT, del_watch(self->fd, watch));
		drain_eventfd(self->bell);
	}
	/* MOD gives them, and takes them. */
	watch = add_fd(self->fd, self->bell, KNELL_OPF_ONESHOT | KNELL_OPF_EDGE, EPOLLIN);
	ASSERT_LT(0, watch);
	ASSERT_EQ(0, mod_fd(self->fd, watch, 0, EPOLLIN, 1));
	EXPECT_EQ(0, watch_info(self->fd, watch).flags);
	ASSERT_EQ(0, ring_eventfd(self->bell));
	EXPECT_EQ(EPOLLIN, take_fd(self->fd));
	EXPECT_EQ(0, watch_state(self->fd, watch));
	ASSERT_EQ(0, mod_fd(self->fd, watch, KNELL_OPF_EDGE, EPOLLIN, 1));
	EXPECT_EQ(EPOLLIN, take_fd(self->fd));
	EXPECT_EQ(1, watch_state(self->fd, watch));
	ASSERT_EQ(0, mod_fd(self->fd, watch, KNELL_OPF_ONESHOT, EPOLLIN, 1));
	EXPECT_EQ(EPOLLIN, take_fd(self->fd));
	EXPECT_EQ(0, nr_watches(self->fd));
}

TEST_F_TIMEOUT(fd, mod_of_a_pending_one, LIMIT)
{
	struct knell_event ev;
	int64_t watch;

	/* Nothing is ready any more: the record goes. */
	watch = add_watch(self->fd, op_fd(self->bell, 0, EPOLLIN, 1));
	ASSERT_LT(0, watch);
	ASSERT_EQ(0, ring_eventfd(self->bell));
	EXPECT_EQ(1, drain_eventfd(self->bell));
	EXPECT_EQ(2, watch_state(self->fd, watch));
	ASSERT_EQ(0, mod_fd(self->fd, watch, 0, EPOLLIN, 2));
	EXPECT_EQ(1, watch_state(self->fd, watch));
	EXPECT_EQ(0, nr_pending(self->fd));
	EXPECT_EQ(-1, take_fd(self->fd));

	/* Ready still: nothing is lost, and it is a new record. */
	ASSERT_EQ(0, ring_eventfd(self->bell));
	ASSERT_EQ(0, mod_fd(self->fd, watch, 0, EPOLLIN, 3));
	EXPECT_EQ(1, nr_pending(self->fd));
	ASSERT_EQ(1, take(self->fd, &ev));
	EXPECT_EQ(3, ev.token);
	EXPECT_EQ(3, ev.seq);
	EXPECT_EQ(EPOLLIN, ev.fd.events);
	EXPECT_EQ(-1, take_fd(self->fd));

	/* What it waits for is replaced, and what the record would have told of before, too. */
	ASSERT_EQ(0, mod_fd(self->fd, watch, 0, EPOLLIN, 4));
	ASSERT_EQ(0, mod_fd(self->fd, watch, 0, EPOLLOUT, 5));
	EXPECT_EQ(EPOLLOUT, take_fd(self->fd));
	ASSERT_EQ(0, mod_fd(self->fd, watch, 0, EPOLLPRI, 5));
	EXPECT_EQ(-1, take_fd(self->fd));
	EXPECT_EQ(1, watch_state(self->fd, watch));
	ASSERT_EQ(0, ring_eventfd(self->bell));
	EXPECT_EQ(-1, take_fd(self->fd));
}

TEST_F_TIMEOUT(fd, a_failed_mod_changes_nothing, LIMIT)
{
	struct knell_watch_info wi;
	struct knell_event ev;
	int64_t watch;
	struct knell_op op;

	watch = add_watch(self->fd, op_fd(self->bell, KNELL_OPF_EDGE, EPOLLIN, 1));
	ASSERT_LT(0, watch);
	ASSERT_EQ(0, ring_eventfd(self->bell));
	wi = watch_info(self->fd, watch);
	EXPECT_EQ(-EINVAL, mod_fd(self->fd, watch, 0, EPOLLOUT | EPOLLET, 2));
	EXPECT_EQ(-EINVAL, mod_fd(self->fd, watch, KNELL_OPF_ACK, EPOLLOUT, 2));
	EXPECT_EQ(-EINVAL, mod_fd(self->fd, watch, KNELL_OPF_ABS, EPOLLOUT, 2));
	op = op_mod_fd(watch, 0, EPOLLOUT, 2);
	op.raw[1] = 1;
	EXPECT_EQ(-EINVAL, submit_op(self->fd, &op));
	op = op_mod_fd(watch, 0, EPOLLOUT, 2);
	op.type = KNELL_TIMER;
	EXPECT_EQ(-EINVAL, submit_op(self->fd, &op));
	EXPECT_EQ(wi.state, watch_info(self->fd, watch).state);
	EXPECT_EQ(wi.flags, watch_info(self->fd, watch).flags);
	EXPECT_EQ(wi.value, watch_info(self->fd, watch).value);
	ASSERT_EQ(1, take(self->fd, &ev));
	EXPECT_EQ(1, ev.seq);
	EXPECT_EQ(1, ev.token);
	EXPECT_EQ(EPOLLIN, ev.fd.events);

	/* An armed one is armed for what it was. */
	drain_eventfd(self->bell);
	EXPECT_EQ(-EINVAL, mod_fd(self->fd, watch, 0, EPOLLOUT | EPOLLONESHOT, 2));
	EXPECT_EQ(1, watch_state(self->fd, watch));
	EXPECT_EQ(-1, take_fd(self->fd));
	ASSERT_EQ(0, ring_eventfd(self->bell));
	EXPECT_EQ(EPOLLIN, take_fd(self->fd));
}

TEST_F_TIMEOUT(fd, mod_does_not_look_at_the_descriptor, LIMIT)
{
	const int fds[] = { -1, 0, self->fd, self->pair[0], INT_MAX, INT_MIN };
	struct knell_op op;
	int64_t watch;
	size_t i;

	ASSERT_EQ(0, ring_eventfd(self->bell));
	watch = add_fd(self->fd, self->bell, 0, EPOLLIN);
	ASSERT_LT(0, watch);
	for (i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
		op = op_mod_fd(watch, 0, EPOLLIN, i);
		op.fd.fd = fds[i];
		op.type = i & 1 ? KNELL_FD : 0;
		ASSERT_EQ(0, submit_op(self->fd, &op));
		EXPECT_EQ(EPOLLIN, take_fd(self->fd));
	}
}

TEST_F_TIMEOUT(fd, rearmed_by_the_call_that_reads, LIMIT)
{
	struct knell_event ev[2];
	struct knell_submit s = {
		.nr_ops = 2, .events = (uintptr_t)ev, .nr_events = 2,
		.deadline_ns = KNELL_FOREVER,
	};
	struct knell_op ops[2];
	int64_t watch;
	int i;

	/* What the latest ADD made, too. */
	ops[0] = op_fd(self->bell, 0, EPOLLIN, 1);
	ops[1] = op_mod_fd(KNELL_LAST, 0, EPOLLOUT, 2);
	s.ops = (uintptr_t)ops;
	ASSERT_EQ(1, ioctl(self->fd, KNELL_IOC_SUBMIT, &s));
	EXPECT_EQ(EPOLLOUT, ev[0].fd.events);
	EXPECT_EQ(2, ev[0].token);
	watch = ops[0].watch;
	s.nr_ops = 1;
	for (i = 0; i < 100; i++) {
		ops[0] = op_mod_fd(watch, 0, EPOLLIN, i);
		ASSERT_EQ(0, ring_eventfd(self->bell));
		ASSERT_EQ(1, ioctl(self->fd, KNELL_IOC_SUBMIT, &s));
		ASSERT_EQ(0, ops[0].result);
		ASSERT_EQ(i, ev[0].token);
		ASSERT_EQ(EPOLLIN, ev[0].fd.events);
		ASSERT_EQ(1, drain_eventfd(self->bell));
	}
	/* A level-triggered loop: it comes until it has been dealt with. */
	ASSERT_EQ(0, ring_eventfd(self->bell));
	for (i = 0; i < 10; i++) {
		ops[0] = op_mod_fd(watch, 0, EPOLLIN, i);
		ASSERT_EQ(1, ioctl(self->fd, KNELL_IOC_SUBMIT, &s));
		ASSERT_EQ(EPOLLIN, ev[0].fd.events);
	}
	drain_eventfd(self->bell);
	ops[0] = op_mod_fd(watch, 0, EPOLLIN, i);
	s.deadline_ns = 0;
	EXPECT_EQ(0, ioctl(self->fd, KNELL_IOC_SUBMIT, &s));
}

TEST_F_TIMEOUT(fd, del, LIMIT)
{
	int64_t watch[3];
	int i;

	for (i = 0; i < 3; i++) {
		watch[i] = add_fd(self->fd, self->bell, KNELL_OPF_EDGE, EPOLLIN);
		ASSERT_LT(0, watch[i]);
	}
	/* Armed. */
	ASSERT_EQ(0, del_watch(self->fd, watch[0]));
	ASSERT_EQ(0, ring_eventfd(self->bell));
	EXPECT_EQ(2, nr_pending(self->fd));
	/* Pending. */
	ASSERT_EQ(0, del_watch(self->fd, watch[1]));
	EXPECT_EQ(1, nr_pending(self->fd));
	EXPECT_EQ(EPOLLIN, take_fd(self->fd));
	EXPECT_EQ(-1, take_fd(self->fd));
	/* Disarmed. */
	ASSERT_EQ(0, mod_fd(self->fd, watch[2], 0, EPOLLIN, 1));
	EXPECT_EQ(EPOLLIN, take_fd(self->fd));
	ASSERT_EQ(0, del_watch(self->fd, watch[2]));
	ASSERT_EQ(0, ring_eventfd(self->bell));
	EXPECT_EQ(0, nr_pending(self->fd));
	EXPECT_EQ(0, nr_watches(self->fd));
	EXPECT_EQ(-ENOENT, mod_fd(self->fd, watch[2], 0, EPOLLIN, 1));
}

/* The same file as often as one likes: a watch is not a descriptor. */
TEST_F_TIMEOUT(fd, several_watches_of_one_file, LIMIT)
{
	struct knell_event ev[4];
	int other = dup(self->bell);
	int i;

	for (i = 0; i < 4; i++)
		ASSERT_LT(0, add_watch(self->fd, op_fd(i & 1 ? self->bell : other, 0,
						       EPOLLIN, i)));
	ASSERT_EQ(0, ring_eventfd(self->bell));
	ASSERT_EQ(4 * RECORD, read(self->fd, ev, sizeof(ev)));
	for (i = 0; i < 4; i++) {
		EXPECT_EQ(EPOLLIN, ev[i].fd.events);
		EXPECT_EQ(i + 1, ev[i].seq);
	}
	close(other);
}

static short revents(int fd, short events)
{
	struct pollfd p = { .fd = fd, .events = events };

	return poll(&p, 1, 0) < 0 ? -1 : p.revents;
}

TEST_F_TIMEOUT(fd, the_file_is_pinned_until_del, LIMIT)
{
	int64_t watch;
	int p[2], i;

	signal(SIGPIPE, SIG_IGN);
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, pipe2(p, O_NONBLOCK));
		watch = add_fd(self->fd, p[0], i == 2 ? KNELL_OPF_ONESHOT : 0, EPOLLIN);
		ASSERT_LT(0, watch);
		close(p[0]);
		/* Closed, and nobody has noticed: not the peer, not the watch. */
		EXPECT_EQ(0, revents(p[1], 0));
		EXPECT_EQ(-1, take_fd(self->fd));
		EXPECT_EQ(1, write(p[1], "x", 1));
		EXPECT_EQ(2, watch_state(self->fd, watch));
		if (i == 0) {
			EXPECT_EQ(EPOLLIN, take_fd(self->fd));
			/* MOD has no need of a descriptor. */
			ASSERT_EQ(0, mod_fd(self->fd, watch, 0, EPOLLIN, 1));
			EXPECT_EQ(EPOLLIN, take_fd(self->fd));
			EXPECT_EQ(0, del_watch(self->fd, watch));
		} else if (i == 1) {
			close(self->fd);
			self->fd = knell_open(O_NONBLOCK);
		} else {
			EXPECT_EQ(EPOLLIN, take_fd(self->fd));
		}
		EXPECT_EQ(POLLERR, revents(p[1], 0));
		EXPECT_EQ(-1, write(p[1], "x", 1));
		EXPECT_EQ(EPIPE, errno);
		close(p[1]);
	}
}

TEST_F_TIMEOUT(fd, unknown_bits_and_flags, LIMIT)
{
	const uint32_t known = EPOLLIN | EPOLLPRI | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLRDNORM |
			       EPOLLRDBAND | EPOLLWRNORM | EPOLLWRBAND | EPOLLMSG | EPOLLRDHUP;
	struct knell_op op;
	int64_t watch;
	uint32_t bit;
	int i;

	EXPECT_EQ(0, known & (EPOLLET | EPOLLONESHOT | EPOLLEXCLUSIVE | EPOLLWAKEUP));
	for (i = 0; i < 32; i++) {
		bit = 1U << i;
		watch = add_fd(self->fd, self->pair[0], 0, bit);
		if (known & bit) {
			ASSERT_LT(0, watch);
			EXPECT_EQ(-EINVAL, mod_fd(self->fd, watch, 0, ~known, 1));
			ASSERT_EQ(0, del_watch(self->fd, watch));
		} else {
			EXPECT_EQ(-EINVAL, watch);
		}
		op = op_fd(self->pair[0], bit, EPOLLIN, 1);
		if (bit != KNELL_OPF_EDGE && bit != KNELL_OPF_ONESHOT) {
			EXPECT_EQ(-EINVAL, submit_op(self->fd, &op));
		}
	}
	for (i = 1; i < 13; i++) {
		op = op_fd(self->pair[0], 0, EPOLLIN, 1);
		op.raw[i] = 1ULL << (5 * i);
		EXPECT_EQ(-EINVAL, submit_op(self->fd, &op));
	}
	watch = add_fd(self->fd, self->pair[0], 0, EPOLLIN);
	ASSERT_LT(0, watch);
	EXPECT_EQ(-EINVAL, trigger(self->fd, watch, 1));
	op = op_kill(watch, 0);
	EXPECT_EQ(-EINVAL, submit_op(self->fd, &op));
	EXPECT_EQ(1, nr_watches(self->fd));
}

TEST_F_TIMEOUT(fd, no_descriptor, LIMIT)
{
	const int fds[] = { -1, INT_MAX, INT_MIN, -100 };
	size_t i;
	int fd;

	for (i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		EXPECT_EQ(-EBADF, add_fd(self->fd, fds[i], 0, EPOLLIN));
	fd = dup(self->bell);
	close(fd);
	EXPECT_EQ(-EBADF, add_fd(self->fd, fd, 0, EPOLLIN));
	fd = open("/dev/kmsg", O_PATH);
	ASSERT_LE(0, fd);
	EXPECT_EQ(-EBADF, add_fd(self->fd, fd, 0, EPOLLIN));
	close(fd);
	EXPECT_EQ(0, nr_watches(self->fd));
}

TEST_F_TIMEOUT(fd, a_record_that_cannot_be_copied_stays, LIMIT)
{
	char *end = guarded(1);
	int64_t watch;

	watch = add_fd(self->fd, self->bell, KNELL_OPF_EDGE, EPOLLIN | EPOLLOUT);
	ASSERT_LT(0, watch);
	EXPECT_EQ(-1, read(self->fd, end, 128));
	EXPECT_EQ(EFAULT, errno);
	ASSERT_EQ(0, ring_eventfd(self->bell));
	EXPECT_EQ(EPOLLIN | EPOLLOUT, watch_info(self->fd, watch).value);
	EXPECT_EQ(-1, read(self->fd, end, 128));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(1, nr_pending(self->fd));
	EXPECT_EQ(EPOLLIN | EPOLLOUT, take_fd(self->fd));
	EXPECT_EQ(-1, take_fd(self->fd));
}

TEST_F_TIMEOUT(fd, of_a_forked_process, LIMIT)
{
	struct knell_event ev;
	int64_t watch;
	pid_t pid;
	int fd;

	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		/* A file that its parent does not have, and it is gone. */
		fd = new_eventfd();
		ring_eventfd(fd);
		_exit(add_watch(self->fd, op_fd(fd, 0, EPOLLIN, 1)) < 0 ||
		      add_watch(self->fd, op_fd(self->bell, 0, EPOLLIN, 2)) < 0);
	}
	ASSERT_EQ(0, child_status(pid));
	ASSERT_EQ(1, take(self->fd, &ev));
	EXPECT_EQ(1, ev.token);
	EXPECT_EQ(0, take(self->fd, &ev));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		_exit(ring_eventfd(self->bell) != 0);
	ASSERT_EQ(1, wait_event(self->fd, &ev));
	EXPECT_EQ(2, ev.token);
	ASSERT_EQ(0, child_status(pid));
	watch = ev.watch;
	/* And in a child that reads. */
	drain_eventfd(self->bell);
	ASSERT_EQ(0, mod_fd(self->fd, watch, 0, EPOLLIN, 3));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		_exit(wait_event(self->fd, &ev) != 1 || ev.token != 3);
	ASSERT_EQ(0, ring_eventfd(self->bell));
	EXPECT_EQ(0, child_status(pid));
	EXPECT_EQ(-1, take_fd(self->fd));
}

static int write_param(const char *path, unsigned long value)
{
	char text[32];
	int len = snprintf(text, sizeof(text), "%lu", value);
	int fd = open(path, O_WRONLY);
	int ok = fd >= 0 && write(fd, text, len) == len;

	close(fd);
	return ok ? 0 : -1;
}

static unsigned long read_param(const char *path)
{
	unsigned long value = 0;
	FILE *f = fopen(path, "r");

	if (f) {
		if (fscanf(f, "%lu", &value) != 1)
			value = 0;
		fclose(f);
	}
	return value;
}

/* As an ordinary user whose quota is four watches. */
static int at_the_quota(void)
{
	int queue, bell = new_eventfd(), p[2], i;
	int64_t watch[4] = { };

	CHECK(pipe2(p, O_NONBLOCK) == 0);
	CHECK(setuid(1000) == 0);
	queue = knell_open(O_NONBLOCK);
	CHECK(queue >= 0);
	for (i = 0; i < 4; i++)
		watch[i] = add_fd(queue, bell, 0, EPOLLIN);
	CHECK(watch[3] > 0);
	/* Refused, and the file is not kept. */
	CHECK(add_fd(queue, p[0], 0, EPOLLIN) == -ENOSPC);
	close(p[0]);
	CHECK(revents(p[1], 0) == POLLERR);
	/* One that fails takes no place. */
	CHECK(del_watch(queue, watch[0]) == 0);
	for (i = 0; i < 10; i++) {
		CHECK(add_fd(queue, -1, 0, EPOLLIN) == -EBADF);
		CHECK(add_fd(queue, queue, 0, EPOLLIN) == -ELOOP);
	}
	CHECK(add_fd(queue, bell, KNELL_OPF_ONESHOT, EPOLLIN) > 0);
	CHECK(add_fd(queue, bell, 0, EPOLLIN) == -ENOSPC);
	CHECK(ring_eventfd(bell) == 0);
	for (i = 0; i < 4; i++)
		CHECK(take_fd(queue) == EPOLLIN);
	CHECK(add_fd(queue, bell, 0, EPOLLIN) > 0);
	CHECK(add_fd(queue, bell, 0, EPOLLIN) == -ENOSPC);
	return 0;
}

TEST_F_TIMEOUT(fd, quota, LIMIT)
{
	unsigned long before = read_param(QUOTA_PARAM);
	int status;
	pid_t pid;

	ASSERT_NE(0, before);
	ASSERT_EQ(0, chmod(KNELL_DEVICE, 0666));
	ASSERT_EQ(0, write_param(QUOTA_PARAM, 4));
	pid = fork();
	if (!pid)
		_exit(at_the_quota());
	status = pid < 0 ? -1 : child_status(pid);
	ASSERT_EQ(0, write_param(QUOTA_PARAM, before));
	ASSERT_EQ(0, chmod(KNELL_DEVICE, 0600));
	EXPECT_EQ(0, status);
}

/* What /proc tells. */
TEST_F_TIMEOUT(fd, fdinfo, LIMIT)
{
	char path[64], text[4096], want[128];
	int64_t watch;
	ssize_t n;
	int fd;

	watch = add_watch(self->fd, op_fd(self->bell, KNELL_OPF_EDGE, EPOLLIN, 0xabc));
	ASSERT_LT(0, watch);
	ASSERT_EQ(0, ring_eventfd(self->bell));
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", self->fd);
	fd = open(path, O_RDONLY);
	ASSERT_LE(0, fd);
	n = read(fd, text, sizeof(text) - 1);
	ASSERT_LT(0, n);
	text[n] = 0;
	close(fd);
	snprintf(want, sizeof(want),
		 "watch:%u type:fd state:pending flags:%x pid:0 token:abc value:%u\n",
		 (uint32_t)watch, KNELL_OPF_EDGE, EPOLLIN);
	if (!strstr(text, want))
		fprintf(stderr, "# %s", text);
	EXPECT_NE(NULL, strstr(text, want));
}

TEST_HARNESS_MAIN
