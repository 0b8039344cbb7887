// SPDX-License-Identifier: GPL-2.0-only
/*
 * What ATTACH takes from those who had the queue before: sleepers, stuck
 * readers.
 *
 * runner-limit: 900
 */
#include "kselftest_harness.h"

#include <sys/epoll.h>
#include <sys/inotify.h>

#include "keep_fixture.h"
#include "trap_test.h"

/* --- revoked */

TEST_F_TIMEOUT(keep, all_of_a_revoked_descriptor_is_stale, LIMIT)
{
	struct knell_op op = op_user(1);
	struct epoll_event ee = { .events = EPOLLET };
	struct pollfd pfd = { .events = POLLIN };
	int old, fd, ep = epoll_create1(EPOLL_CLOEXEC);
	struct knell_event ev;

	old = knell_open(0);
	ASSERT_LE(0, old);
	ASSERT_EQ(0, keep_queue(old, NAME));
	ASSERT_LT(0, add_watch(old, op_user(1)));
	ASSERT_EQ(0, epoll_ctl(ep, EPOLL_CTL_ADD, old, &ee));
	EXPECT_EQ(0, epoll_wait(ep, &ee, 1, 0));
	fd = attach(self->fd, NAME);
	ASSERT_LE(0, fd);

	EXPECT_EQ(-1, read(old, &ev, sizeof(ev)));
	EXPECT_EQ(ESTALE, errno);
	ASSERT_EQ(0, fcntl(old, F_SETFL, O_NONBLOCK));
	EXPECT_EQ(-1, read(old, &ev, sizeof(ev)));
	EXPECT_EQ(ESTALE, errno);
	EXPECT_EQ(-ESTALE, wait_events(old, &ev, 1, KNELL_FOREVER));
	EXPECT_EQ(-ESTALE, wait_events(old, &ev, 1, 0));
	EXPECT_EQ(-ESTALE, submit_ops(old, &op, 1));
	EXPECT_EQ(-ESTALE, submit_ops(old, NULL, 0));
	EXPECT_EQ(-ESTALE, list_watches(old, NULL, 0, 0));
	EXPECT_EQ(-ESTALE, keep_off(old, NAME));
	EXPECT_EQ(-ESTALE, keep_queue(old, "another"));
	EXPECT_EQ(-ESTALE, attach(old, NAME));
	EXPECT_EQ(-ESTALE, ioctl_error(old, KNELL_IOC_INFO, &(struct knell_info){ }));
	EXPECT_EQ(-ENOTTY, ioctl_error(old, _IO(0xda, 0x7f), NULL));
	EXPECT_EQ(-1, write(old, &op, sizeof(op)));
	EXPECT_EQ(EINVAL, errno);
	pfd.fd = old;
	EXPECT_EQ(1, poll(&pfd, 1, 0));
	EXPECT_EQ(POLLIN | POLLHUP | POLLERR, pfd.revents);
	EXPECT_EQ(1, epoll_wait(ep, &ee, 1, 0));
	EXPECT_EQ(EPOLLHUP | EPOLLERR, ee.events);
	/* None of this was an act on the queue. */
	EXPECT_EQ(1, nr_watches(fd));
	close(old);
	EXPECT_EQ(1, nr_watches(fd));
	ASSERT_EQ(0, keep_off(fd, NAME));
	close(fd);
	close(ep);
}

/* What the call returns that a child sleeps in, as a heir of the queue. */
static int sleep_in(enum sleeper how, int fd)
{
	struct epoll_event ee = { .events = EPOLLIN };
	struct pollfd pfd = { .fd = fd, .events = 0 };
	struct knell_event ev;
	int ep;

	switch (how) {
	case IN_READ:
		CHECK(read(fd, &ev, sizeof(ev)) == -1 && errno == ESTALE);
		break;
	case IN_SUBMIT:
		CHECK(wait_events(fd, &ev, 1, KNELL_FOREVER) == -ESTALE);
		break;
	case IN_POLL:
		CHECK(poll(&pfd, 1, -1) == 1);
		CHECK(pfd.revents == (POLLHUP | POLLERR));
		break;
	default:
		ep = epoll_create1(0);
		CHECK(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ee) == 0);
		CHECK(epoll_wait(ep, &ee, 1, -1) == 1);
		CHECK(ee.events == (EPOLLIN | EPOLLHUP | EPOLLERR));
	}
	CHECK(wait_events(fd, &ev, 1, 0) == -ESTALE);
	return 0;
}

/* Children that sleep on the descriptor, two of each kind, and outlive us. */
static int leave_sleepers(struct manager *m)
{
	int64_t *pid = m->arg;
	int i;

	for (i = 0; i < 2 * SLEEPERS; i++) {
		if (!fork_into(&pid[i]))
			_exit(sleep_in(i / 2, m->fd));
		CHECK(pid[i] > 0);
	}
	return 0;
}

TEST_F_TIMEOUT(keep, who_sleeps_wakes, LIMIT)
{
	struct manager m = { .name = NAME, .work = leave_sleepers, .arg = self->sh };
	int fd, i;

	ASSERT_EQ(0, prctl(PR_SET_CHILD_SUBREAPER, 1));
	ASSERT_EQ(0, live_and_die(&m, false));
	for (i = 0; i < 2 * SLEEPERS; i++)
		wait_blocked(self->sh[i], self->sh[i], sleeps_in[i / 2]);
	fd = attach(self->fd, NAME);
	ASSERT_LE(0, fd);
	for (i = 0; i < 2 * SLEEPERS; i++)
		EXPECT_EQ(0, child_status(self->sh[i]));
	ASSERT_EQ(0, keep_off(fd, NAME));
	close(fd);
}

/* The owner drops it; who read it through what the dead one left behind returns. */
TEST_F_TIMEOUT(keep, a_reader_of_a_dropped_queue_returns, LIMIT)
{
	struct manager m = { .name = NAME, .work = leave_sleepers, .arg = self->sh };
	int i;

	ASSERT_EQ(0, prctl(PR_SET_CHILD_SUBREAPER, 1));
	ASSERT_EQ(0, live_and_die(&m, false));
	for (i = 0; i < 2 * SLEEPERS; i++)
		wait_blocked(self->sh[i], self->sh[i], sleeps_in[i / 2]);
	ASSERT_EQ(0, drop_queue(NAME));
	for (i = 0; i < 2 * SLEEPERS; i++)
		EXPECT_EQ(0, child_status(self->sh[i]));
	EXPECT_EQ(-ENOENT, attach(self->fd, NAME));
	EXPECT_EQ(1, module_refs());
}

TEST_F_TIMEOUT(keep, a_half_spawned_child_is_in_nobodys_way, LIMIT)
{
	struct heir *h = (void *)self->sh;
	struct manager m = { .name = NAME, .work = leave_an_heir, .arg = h };
	struct knell_event ev;
	int fd, again;

	ASSERT_EQ(0, prctl(PR_SET_CHILD_SUBREAPER, 1));
	ASSERT_EQ(0, pipe(h->go));
	ASSERT_EQ(0, pipe(h->said));
	ASSERT_EQ(0, live_and_die(&m, false));
	fd = take_over(NAME);
	ASSERT_LE(0, fd);
	tell(h->go, 's');
	EXPECT_EQ('s', hear(h->said));
	/* Its close is not the queue's last. */
	tell(h->go, 'c');
	EXPECT_EQ('c', hear(h->said));
	EXPECT_EQ(0, trigger(fd, h->watch, 1));
	EXPECT_EQ(1, pending_event(fd, &ev));
	EXPECT_EQ(h->watch, ev.watch);
	/* Nor was ours, since we hold it. */
	close(fd);
	again = take_over(NAME);
	ASSERT_LE(0, again);
	EXPECT_EQ(0, trigger(again, h->watch, 1));
	tell(h->go, 'e');
	EXPECT_EQ(7 << 8, reap(h->pid));
	ASSERT_EQ(0, keep_off(again, NAME));
	close(again);
}

/* The new one has ended the queue; an old descriptor of it is still open. */
TEST_F_TIMEOUT(keep, a_revoked_descriptor_keeps_no_queue, LIMIT)
{
	struct heir *h = (void *)self->sh;
	struct manager m = { .name = NAME, .work = leave_an_heir, .arg = h };

	ASSERT_EQ(0, prctl(PR_SET_CHILD_SUBREAPER, 1));
	ASSERT_EQ(0, pipe(h->go));
	ASSERT_EQ(0, pipe(h->said));
	ASSERT_EQ(0, live_and_die(&m, false));
	ASSERT_EQ(0, drop_queue(NAME));
	EXPECT_EQ(-ENOENT, attach(self->fd, NAME));
	/* The door and the heir. */
	EXPECT_EQ(2, module_refs());
	tell(h->go, 's');
	EXPECT_EQ('s', hear(h->said));
	tell(h->go, 'c');
	EXPECT_EQ('c', hear(h->said));
	tell(h->go, 'e');
	EXPECT_EQ(7 << 8, reap(h->pid));
	EXPECT_EQ(1, module_refs());
}

/* --- a reader that is stuck in its copy */

struct stuck {
	int fd;
	struct trap trap;
	ssize_t ret;
	int err;
};

static void *read_into_the_trap(void *arg)
{
	struct stuck *s = arg;

	s->ret = read(s->fd, s->trap.page, 8 * sizeof(struct knell_event));
	s->err = errno;
	return NULL;
}

/*
 * An exit that has been read, three bells that are with a reader, one that has
 * rung since.
 */
static int stick(struct stuck *s, int64_t *watch, pthread_t *thread)
{
	struct knell_event ev;
	int64_t process;
	pid_t pid;
	int i;

	process = add_watch(s->fd, op_add(KNELL_PROCESS, KNELL_OPF_NEXT | KNELL_OPF_ACK, 10));
	CHECK(process > 0);
	pid = fork();
	if (!pid)
		_exit(5);
	CHECK(next_event(s->fd, &ev) == 1 && ev.token == 10);
	reap(pid);
	for (i = 0; i < 4; i++) {
		watch[i] = add_watch(s->fd, op_user(i));
		CHECK(watch[i] > 0);
		CHECK(i == 3 || trigger(s->fd, watch[i], 1 << i) == 0);
	}
	CHECK(set_trap(&s->trap) == 0);
	CHECK(pthread_create(thread, NULL, read_into_the_trap, s) == 0);
	CHECK(wait_trapped(&s->trap) == 0);
	CHECK(trigger(s->fd, watch[3], 1 << 3) == 0);
	return 0;
}

TEST_F_TIMEOUT(keep, a_stuck_reader_is_in_nobodys_way, LIMIT)
{
	struct knell_event ev[8];
	struct stuck s = { };
	int64_t watch[4];
	pthread_t thread;
	int fd, i;

	s.fd = knell_open(O_NONBLOCK);
	ASSERT_LE(0, s.fd);
	ASSERT_EQ(0, keep_queue(s.fd, NAME));
	ASSERT_EQ(0, stick(&s, watch, &thread));
	/* The holder itself, so that its stuck thread may live. */
	fd = take_over(NAME);
	ASSERT_LE(0, fd);
	EXPECT_EQ(5, nr_pending(fd));
	ASSERT_EQ(0, trigger(fd, watch[1], 8));
	ASSERT_EQ(0, del_watch(fd, watch[2]));
	ASSERT_EQ(4, wait_events(fd, ev, 8, 0));
	EXPECT_EQ(10, ev[0].token);
	EXPECT_EQ(KNELL_EVF_REDELIVERED, ev[0].flags);
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(i, ev[i + 1].token);
		EXPECT_EQ(0, ev[i + 1].flags);
		EXPECT_LT(ev[i].seq, ev[i + 1].seq);
	}
	EXPECT_EQ(2, ev[2].user.count);
	EXPECT_EQ(8 | 2, ev[2].user.value);
	EXPECT_EQ(3, ev[3].token);
	EXPECT_LT(ev[2].seq, ev[3].seq);
	ASSERT_EQ(0, trigger(fd, watch[0], 0x100));
	/* He goes on, and has read nothing. */
	ASSERT_EQ(0, end_trap(&s.trap));
	pthread_join(thread, NULL);
	EXPECT_EQ(-1, s.ret);
	EXPECT_EQ(ESTALE, s.err);
	ASSERT_EQ(1, wait_events(fd, ev, 8, 0));
	EXPECT_EQ(0, ev[0].token);
	EXPECT_EQ(0x100, ev[0].user.value);
	EXPECT_EQ(0, nr_pending(fd));
	EXPECT_EQ(4, nr_watches(fd));
	close(s.fd);
	ASSERT_EQ(0, keep_off(fd, NAME));
	close(fd);
}

/* Who waits for his turn to read. */
struct next {
	int fd;
	volatile pid_t tid;
	ssize_t ret;
	int err;
};

static void *read_next(void *arg)
{
	struct next *n = arg;
	struct knell_event ev;

	n->tid = own_tid();
	n->ret = read(n->fd, &ev, sizeof(ev));
	n->err = errno;
	return NULL;
}

/* It is taken from him, too, who waits for the stuck one's end, whether a record is to be settled or not. */
static void wait_behind_a_stuck_reader(struct __test_metadata *_metadata, bool unsettled)
{
	struct knell_event ev[8];
	struct stuck s = { };
	struct next n;
	int64_t watch[4];
	pthread_t thread[2];
	int fd, in = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);

	s.fd = knell_open(O_NONBLOCK);
	ASSERT_LE(0, s.fd);
	ASSERT_LE(0, inotify_add_watch(in, "/tmp", IN_CREATE));
	ASSERT_EQ(0, keep_queue(s.fd, NAME));
	ASSERT_EQ(0, stick(&s, watch, &thread[0]));
	if (unsettled) {
		struct knell_op op = op_add(KNELL_FD, 0, 20);

		op.fd.fd = in;
		op.fd.events = EPOLLIN;
		ASSERT_LT(0, add_watch(s.fd, op));
		ASSERT_EQ(0, mkdir("/tmp/behind", 0755));
		ASSERT_EQ(0, rmdir("/tmp/behind"));
	}
	n = (struct next){ .fd = s.fd };
	ASSERT_EQ(0, pthread_create(&thread[1], NULL, read_next, &n));
	while (!n.tid)
		sched_yield();
	wait_blocked(getpid(), n.tid, SYS_read);
	fd = take_over(NAME);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, end_trap(&s.trap));
	for (int i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
	EXPECT_EQ(-1, s.ret);
	EXPECT_EQ(ESTALE, s.err);
	EXPECT_EQ(-1, n.ret);
	EXPECT_EQ(ESTALE, n.err);
	/* A descriptor's watch is not kept; of the others nothing was taken. */
	EXPECT_EQ(5, nr_pending(fd));
	EXPECT_EQ(5, wait_events(fd, ev, 8, 0));
	close(s.fd);
	close(s.trap.fd);
	close(in);
	ASSERT_EQ(0, keep_off(fd, NAME));
	close(fd);
}

TEST_F_TIMEOUT(keep, who_waits_behind_a_stuck_reader, LIMIT)
{
	wait_behind_a_stuck_reader(_metadata, false);
	wait_behind_a_stuck_reader(_metadata, true);
}

static int be_stuck(struct manager *m)
{
	struct stuck *s = m->arg;
	pthread_t thread;

	s->fd = m->fd;
	return stick(s, (void *)(s + 1), &thread);
}

TEST_F_TIMEOUT(keep, a_reader_killed_in_its_copy_has_read_nothing, LIMIT)
{
	struct manager m = { .name = NAME, .work = be_stuck, .arg = self->sh };
	struct knell_event ev[8];
	int fd, i;

	ASSERT_EQ(0, live_and_die(&m, false));
	fd = take_over(NAME);
	ASSERT_LE(0, fd);
	ASSERT_EQ(5, wait_events(fd, ev, 8, 0));
	EXPECT_EQ(10, ev[0].token);
	EXPECT_EQ(KNELL_EVF_REDELIVERED, ev[0].flags);
	for (i = 0; i < 4; i++) {
		EXPECT_EQ(i, ev[i + 1].token);
		EXPECT_EQ(0, ev[i + 1].flags);
		EXPECT_EQ(1, ev[i + 1].user.count);
		EXPECT_EQ(1 << i, ev[i + 1].user.value);
	}
	ASSERT_EQ(0, keep_off(fd, NAME));
	close(fd);
}

TEST_HARNESS_MAIN
