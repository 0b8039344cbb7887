// SPDX-License-Identifier: GPL-2.0-only
/*
 * FD watches whose hook is called inside other wakes, and by many at a time.
 *
 * io_uring and aio, which poll a queue, signal an eventfd from within its wake.
 * If the same queue, or one in a ring with it, watches that eventfd, a careless
 * hook would wait for a lock that its own CPU has, or that another has which
 * waits for it: the guest would stand still. runner-limit: 300
 */
#include "kselftest_harness.h"

#include <linux/aio_abi.h>
#include <linux/io_uring.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/resource.h>

#include "fd_test.h"

/* One io_uring, as small as it goes. */
struct ring {
	int fd;
	unsigned int *sq_tail, *sq_mask, *sq_array;
	unsigned int *cq_head, *cq_tail, *cq_mask;
	struct io_uring_sqe *sqes;
	struct io_uring_cqe *cqes;
};

static void *ring_map(int fd, size_t size, uint64_t offset)
{
	void *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, offset);

	if (map == MAP_FAILED) {
		perror("# io_uring: mmap");
		abort();
	}
	return map;
}

/* With @eventfd told of completions, those deferred to whoever asks for them. */
static int ring_open(struct ring *r, int eventfd)
{
	struct io_uring_params p = {
		.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
	};
	char *sq, *cq;

	r->fd = syscall(SYS_io_uring_setup, 64, &p);
	if (r->fd < 0)
		return -errno;
	sq = ring_map(r->fd, p.sq_off.array + p.sq_entries * sizeof(unsigned int),
		      IORING_OFF_SQ_RING);
	cq = ring_map(r->fd, p.cq_off.cqes + p.cq_entries * sizeof(struct io_uring_cqe),
		      IORING_OFF_CQ_RING);
	r->sqes = ring_map(r->fd, p.sq_entries * sizeof(struct io_uring_sqe), IORING_OFF_SQES);
	r->sq_tail = (void *)(sq + p.sq_off.tail);
	r->sq_mask = (void *)(sq + p.sq_off.ring_mask);
	r->sq_array = (void *)(sq + p.sq_off.array);
	r->cq_head = (void *)(cq + p.cq_off.head);
	r->cq_tail = (void *)(cq + p.cq_off.tail);
	r->cq_mask = (void *)(cq + p.cq_off.ring_mask);
	r->cqes = (void *)(cq + p.cq_off.cqes);
	if (syscall(SYS_io_uring_register, r->fd, IORING_REGISTER_EVENTFD, &eventfd, 1))
		return -errno;
	return 0;
}

static int ring_enter(struct ring *r, unsigned int submit, unsigned int complete)
{
	int n = syscall(SYS_io_uring_enter, r->fd, submit, complete, IORING_ENTER_GETEVENTS,
			NULL, 0);

	return n < 0 ? -errno : n;
}

/* A multishot poll of @fd. */
static int ring_poll(struct ring *r, int fd)
{
	unsigned int tail = *r->sq_tail, slot = tail & *r->sq_mask;

	r->sqes[slot] = (struct io_uring_sqe){
		.opcode = IORING_OP_POLL_ADD, .fd = fd, .len = IORING_POLL_ADD_MULTI,
		.poll32_events = POLLIN,
	};
	r->sq_array[slot] = slot;
	__atomic_store_n(r->sq_tail, tail + 1, __ATOMIC_RELEASE);
	return ring_enter(r, 1, 0);
}

/* Takes all completions; how many. @ended: the poll was among them for the last time. */
static int ring_take(struct ring *r, int *ended)
{
	unsigned int head = *r->cq_head;
	int n = 0;

	while (head != __atomic_load_n(r->cq_tail, __ATOMIC_ACQUIRE)) {
		if (!(r->cqes[head & *r->cq_mask].flags & IORING_CQE_F_MORE))
			*ended = 1;
		head++;
		n++;
	}
	__atomic_store_n(r->cq_head, head, __ATOMIC_RELEASE);
	return n;
}

FIXTURE(nested) {
	int fd;
	int bell;
	struct ring ring;
};

FIXTURE_SETUP(nested)
{
	self->fd = knell_open(O_NONBLOCK);
	ASSERT_LE(0, self->fd);
	self->bell = new_eventfd();
	ASSERT_LE(0, self->bell);
	self->ring.fd = -1;
}

FIXTURE_TEARDOWN(nested)
{
	close(self->ring.fd);
	close(self->fd);
	close(self->bell);
}

/* What the records and completions of a turn were. */
struct turn {
	int exits;
	int bells;
	int wakes;
};

/* Waits for a completion, arms the poll again where it has ended, reads the queue empty. */
static int turn(int queue, int bell, struct ring *r, struct turn *t)
{
	struct knell_event ev;
	int ended = 0;

	CHECK(ring_enter(r, 0, 1) >= 0);
	t->wakes += ring_take(r, &ended);
	if (ended)
		CHECK(ring_poll(r, queue) == 1);
	while (take(queue, &ev) == 1) {
		t->exits += ev.type == KNELL_EV_EXIT;
		if (ev.type != KNELL_EV_FD)
			continue;
		t->bells++;
		CHECK(ev.fd.events == EPOLLIN);
		drain_eventfd(bell);
	}
	return 0;
}

static int fork_watched(int queue)
{
	struct knell_op op = op_add(KNELL_PROCESS, KNELL_OPF_NEXT, 1);
	pid_t pid;

	if (submit_op(queue, &op))
		return -1;
	pid = fork();
	if (!pid)
		_exit(0);
	return pid;
}

/* The eventfd rings when the queue that it is watched by wakes the ring. */
TEST_F_TIMEOUT(nested, a_ring_that_tells_the_queue_it_polls, LIMIT)
{
	const uint32_t flags[] = { KNELL_OPF_EDGE, 0 };
	struct turn t = { };
	int i, j, n = 0;
	int64_t watch;

	catch_signal(SIGCHLD, SIG_DFL, SA_NOCLDWAIT);
	if (kernel_before(6, 1))
		SKIP(return, "the kernel has no ring that defers");
	ASSERT_EQ(0, ring_open(&self->ring, self->bell));
	ASSERT_EQ(1, ring_poll(&self->ring, self->fd));
	for (i = 0; i < 2; i++) {
		watch = add_fd(self->fd, self->bell, flags[i], EPOLLIN);
		ASSERT_LT(0, watch);
		for (j = 0; j < 100; j++) {
			/* Several at once, or one after the other. */
			ASSERT_LT(0, fork_watched(self->fd));
			n++;
			while (j % 4 == 3 && t.exits < n) {
				ASSERT_EQ(0, turn(self->fd, self->bell, &self->ring, &t));
			}
			ASSERT_EQ(0, mod_fd(self->fd, watch, flags[i], EPOLLIN, 1));
		}
		ASSERT_EQ(n, t.exits);
		ASSERT_EQ(0, del_watch(self->fd, watch));
	}
	EXPECT_LT(0, t.bells);
	fprintf(stderr, "# %d exits, %d completions, the eventfd told %d times\n",
	       t.exits, t.wakes, t.bells);
}

struct writer {
	int *fds;
	int nr;
	long rounds;
	int cpu;
	int stop;
	long rung;
};

/* Rings eventfds, round about, @rounds times or until told to stop. */
static void *write_often(void *arg)
{
	struct writer *w = arg;
	uint64_t seed = 88172645463325252ULL + w->cpu;

	pin_to_cpu(w->cpu);
	while (!__atomic_load_n(&w->stop, __ATOMIC_RELAXED) && (!w->rounds || w->rung < w->rounds))
		if (!ring_eventfd(w->fds[next_random(&seed) % w->nr]))
			w->rung++;
	return NULL;
}

/*
 * The same eventfd is written on another CPU: that one has the eventfd's lock
 * when it comes to the queue, this one the queue's when it comes to the eventfd.
 */
TEST_F_TIMEOUT(nested, a_ring_and_a_writer_on_another_cpu, LIMIT)
{
	struct writer w = { .fds = &self->bell, .nr = 1, .cpu = 1 };
	struct turn t = { };
	pthread_t thread;
	int64_t user;
	int i;

	pin_to_cpu(0);
	if (kernel_before(6, 1))
		SKIP(return, "the kernel has no ring that defers");
	ASSERT_EQ(0, ring_open(&self->ring, self->bell));
	ASSERT_EQ(1, ring_poll(&self->ring, self->fd));
	user = add_watch(self->fd, op_user(1));
	ASSERT_LT(0, user);
	ASSERT_LT(0, add_fd(self->fd, self->bell, KNELL_OPF_EDGE, EPOLLIN));
	ASSERT_EQ(0, pthread_create(&thread, NULL, write_often, &w));
	for (i = 0; i < rounds(10000); i++) {
		ASSERT_EQ(0, trigger(self->fd, user, 1));
		ASSERT_EQ(0, turn(self->fd, self->bell, &self->ring, &t));
	}
	w.stop = 1;
	pthread_join(thread, NULL);
	EXPECT_LT(0, t.bells);
}

/* One-shot polls by aio, each of which signals an eventfd when it is woken. */
static int aio_open(aio_context_t *ctx)
{
	*ctx = 0;
	return syscall(SYS_io_setup, 8, ctx) ? -errno : 0;
}

static int aio_poll(aio_context_t ctx, int fd, int eventfd)
{
	struct iocb cb = {
		.aio_lio_opcode = IOCB_CMD_POLL, .aio_fildes = fd, .aio_buf = POLLIN,
		.aio_flags = IOCB_FLAG_RESFD, .aio_resfd = eventfd,
	};
	struct iocb *cbs = &cb;

	return syscall(SYS_io_submit, ctx, 1, &cbs) == 1 ? 0 : -errno;
}

static int aio_take(aio_context_t ctx)
{
	struct io_event ev[8];

	return syscall(SYS_io_getevents, ctx, 0, 8, ev, NULL);
}

/* Somebody else who polls the queue, so that the hook finds it waited for. */
struct poller {
	int fd;
	int stop;
	long wakes;
};

static void *poll_often(void *arg)
{
	struct poller *p = arg;

	while (!__atomic_load_n(&p->stop, __ATOMIC_RELAXED)) {
		struct pollfd pfd = { .fd = p->fd, .events = POLLIN };

		if (poll(&pfd, 1, 100) > 0)
			p->wakes++;
		sched_yield();
	}
	return NULL;
}

TEST_F_TIMEOUT(nested, aio_that_tells_the_queue_it_polls, LIMIT)
{
	struct poller p = { .fd = self->fd };
	int i, bells = 0, users = 0;
	struct knell_event ev;
	pthread_t thread;
	aio_context_t ctx;
	int64_t user;

	ASSERT_EQ(0, aio_open(&ctx));
	user = add_watch(self->fd, op_user(1));
	ASSERT_LT(0, user);
	ASSERT_LT(0, add_fd(self->fd, self->bell, KNELL_OPF_EDGE, EPOLLIN));
	ASSERT_EQ(0, pthread_create(&thread, NULL, poll_often, &p));
	for (i = 0; i < rounds(3000); i++) {
		ASSERT_EQ(0, aio_poll(ctx, self->fd, self->bell));
		ASSERT_EQ(0, trigger(self->fd, user, 1));
		while (take(self->fd, &ev) == 1) {
			bells += ev.type == KNELL_EV_FD;
			users += ev.type == KNELL_EV_USER;
		}
		while (aio_take(ctx) < 1)
			sched_yield();
		/* Told by the completion. */
		while (!drain_eventfd(self->bell))
			sched_yield();
	}
	while (take(self->fd, &ev) == 1)
		bells += ev.type == KNELL_EV_FD;
	__atomic_store_n(&p.stop, 1, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	EXPECT_EQ(rounds(3000), users);
	EXPECT_LT(0, bells);
	syscall(SYS_io_destroy, ctx);
}

/* Two queues in a ring: each is polled by an aio whose eventfd the other watches. */
struct half {
	int own, other;		/* queues */
	int bell;		/* rings when @own does, watched by @other */
	int cpu;
	int failed;
};

static void *ring_one_half(void *arg)
{
	struct knell_event ev;
	struct half *h = arg;
	aio_context_t ctx;
	int64_t user;
	int i, err;

	pin_to_cpu(h->cpu);
	user = add_watch(h->own, op_user(1));
	h->failed = aio_open(&ctx) || user < 0 ||
		    add_fd(h->other, h->bell, KNELL_OPF_EDGE, EPOLLIN) < 0;
	for (i = 0; i < rounds(3000) && !h->failed; i++) {
		/* What has come is on its way through a worker of the kernel's, at times. */
		while ((err = aio_poll(ctx, h->own, h->bell)) == -EAGAIN) {
			aio_take(ctx);
			sched_yield();
		}
		h->failed = err || trigger(h->own, user, 1);
		while (take(h->own, &ev) == 1)
			;
		aio_take(ctx);
		drain_eventfd(h->bell);
		while (aio_take(ctx) > 0)
			;
	}
	syscall(SYS_io_destroy, ctx);
	return NULL;
}

TEST_F_TIMEOUT(nested, two_queues_in_a_ring, LIMIT)
{
	int other = knell_open(O_NONBLOCK), bell = new_eventfd(), i;
	struct half h[2] = {
		{ self->fd, other, self->bell, 0, 0 }, { other, self->fd, bell, 1, 0 },
	};
	struct poller p[2] = { { .fd = self->fd }, { .fd = other } };
	pthread_t halves[2], pollers[2];

	ASSERT_LE(0, other);
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, pthread_create(&pollers[i], NULL, poll_often, &p[i]));
		ASSERT_EQ(0, pthread_create(&halves[i], NULL, ring_one_half, &h[i]));
	}
	for (i = 0; i < 2; i++) {
		pthread_join(halves[i], NULL);
		EXPECT_EQ(0, h[i].failed);
	}
	for (i = 0; i < 2; i++) {
		__atomic_store_n(&p[i].stop, 1, __ATOMIC_RELAXED);
		pthread_join(pollers[i], NULL);
	}
	close(other);
	close(bell);
}

/* Who waits for the queue by poll or epoll hears of each record: one by one, none stuck. */
TEST_F_TIMEOUT(nested, pollers_hear_of_it, LIMIT)
{
	struct epoll_event e = { .events = EPOLLIN | EPOLLET };
	struct pollfd pfd = { .fd = self->fd, .events = POLLIN };
	struct writer w = { .fds = &self->bell, .nr = 1, .rounds = 1 };
	pthread_t thread;
	int64_t watch;
	int i, ep;

	ep = epoll_create1(EPOLL_CLOEXEC);
	ASSERT_EQ(0, epoll_ctl(ep, EPOLL_CTL_ADD, self->fd, &e));
	watch = add_fd(self->fd, self->bell, KNELL_OPF_EDGE, EPOLLIN);
	ASSERT_LT(0, watch);
	for (i = 0; i < rounds(1000); i++) {
		w.rung = 0;
		w.cpu = i / 2 % 2;
		ASSERT_EQ(0, pthread_create(&thread, NULL, write_often, &w));
		ASSERT_EQ(1, i % 2 ? epoll_wait(ep, &e, 1, -1) : poll(&pfd, 1, -1));
		ASSERT_EQ(EPOLLIN, take_fd(self->fd));
		ASSERT_EQ(0, pthread_join(thread, NULL));
		ASSERT_EQ(1, drain_eventfd(self->bell));
		while (epoll_wait(ep, &e, 1, 0) > 0)
			;
	}
	close(ep);
}

#define FILES	2000

/* Eventfds that are watched; a token is an index. */
static int open_many(int queue, int *fds, uint32_t *watch, int nr, uint32_t flags)
{
	struct rlimit limit = { nr + 100, nr + 100 };
	int64_t w;
	int i;

	if (setrlimit(RLIMIT_NOFILE, &limit))
		return -1;
	for (i = 0; i < nr; i++) {
		fds[i] = new_eventfd();
		w = add_watch(queue, op_fd(fds[i], flags, EPOLLIN, i));
		if (fds[i] < 0 || w < 0)
			return -1;
		watch[i] = w;
	}
	return 0;
}

static int many_fds[FILES];
static uint32_t many_watches[FILES];

/* Were a single wake lost, this would not end. */
TEST_F_TIMEOUT(nested, edges_from_another_cpu, LIMIT)
{
	struct writer w = { .fds = many_fds, .nr = FILES, .rounds = rounds(60000), .cpu = 1 };
	uint64_t seq = 0, heard = 0;
	struct knell_event ev[32];
	pthread_t thread;
	int i, n;

	ASSERT_EQ(0, open_many(self->fd, many_fds, many_watches, FILES, KNELL_OPF_EDGE));
	EXPECT_EQ(FILES, nr_watches(self->fd));
	pin_to_cpu(0);
	ASSERT_EQ(0, pthread_create(&thread, NULL, write_often, &w));
	while (heard < rounds(60000)) {
		n = wait_events(self->fd, ev, 32, KNELL_FOREVER);
		ASSERT_LT(0, n);
		for (i = 0; i < n; i++) {
			ASSERT_LT(seq, ev[i].seq);
			seq = ev[i].seq;
			ASSERT_EQ(EPOLLIN, ev[i].fd.events);
			heard += drain_eventfd(many_fds[ev[i].token]);
		}
	}
	pthread_join(thread, NULL);
	EXPECT_EQ(rounds(60000), heard);
	/* What is left was told of before. */
	while (take(self->fd, ev) == 1)
		EXPECT_EQ(0, drain_eventfd(many_fds[ev[0].token]));
}

TEST_F_TIMEOUT(nested, armed_again_by_the_call_that_reads, LIMIT)
{
	struct writer w = { .fds = many_fds, .nr = FILES, .rounds = rounds(60000), .cpu = 1 };
	struct knell_event ev[32];
	struct knell_op ops[32];
	struct knell_submit s = {
		.ops = (uintptr_t)ops, .events = (uintptr_t)ev, .nr_events = 32,
		.deadline_ns = KNELL_FOREVER,
	};
	uint64_t heard = 0;
	pthread_t thread;
	int i, n;

	ASSERT_EQ(0, open_many(self->fd, many_fds, many_watches, FILES, 0));
	pin_to_cpu(0);
	ASSERT_EQ(0, pthread_create(&thread, NULL, write_often, &w));
	while (heard < rounds(60000)) {
		n = ioctl(self->fd, KNELL_IOC_SUBMIT, &s);
		ASSERT_LT(0, n);
		for (i = 0; i < n; i++) {
			heard += drain_eventfd(many_fds[ev[i].token]);
			ops[i] = op_mod_fd(ev[i].watch, 0, EPOLLIN, ev[i].token);
		}
		s.nr_ops = n;
	}
	pthread_join(thread, NULL);
	EXPECT_EQ(rounds(60000), heard);
}

struct reader {
	int fd;
	uint64_t *heard;
	int failed;
};

static void *read_often(void *arg)
{
	struct reader *r = arg;
	struct knell_event ev[4];
	int i, n;

	while (__atomic_load_n(r->heard, __ATOMIC_RELAXED) < rounds(40000)) {
		n = wait_events(r->fd, ev, 4, clock_ns(CLOCK_MONOTONIC) + 100 * NSEC_PER_MSEC);
		if (n < 0)
			r->failed = 1;
		for (i = 0; i < n; i++)
			__atomic_fetch_add(r->heard, drain_eventfd(many_fds[ev[i].token]),
					   __ATOMIC_RELAXED);
	}
	return NULL;
}

TEST_F_TIMEOUT(nested, many_readers, LIMIT)
{
	struct writer w = { .fds = many_fds, .nr = 100, .rounds = rounds(40000), .cpu = 1 };
	struct reader r[4];
	pthread_t threads[5];
	uint64_t heard = 0;
	int i;

	ASSERT_EQ(0, open_many(self->fd, many_fds, many_watches, 100, KNELL_OPF_EDGE));
	for (i = 0; i < 4; i++) {
		r[i] = (struct reader){ self->fd, &heard, 0 };
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, read_often, &r[i]));
	}
	ASSERT_EQ(0, pthread_create(&threads[4], NULL, write_often, &w));
	for (i = 0; i < 5; i++)
		pthread_join(threads[i], NULL);
	for (i = 0; i < 4; i++)
		EXPECT_EQ(0, r[i].failed);
	EXPECT_EQ(rounds(40000), heard);
}

/* Watches come and go, and are changed, while their files wake. */
TEST_F_TIMEOUT(nested, add_mod_and_del_under_wakes, LIMIT)
{
	struct writer w = { .fds = many_fds, .nr = 16, .cpu = 1 };
	const uint32_t flags[] = { 0, KNELL_OPF_EDGE, KNELL_OPF_ONESHOT,
				   KNELL_OPF_ONESHOT | KNELL_OPF_EDGE };
	uint64_t seed = 0x2545f4914f6cdd1dULL, r;
	struct epoll_event e = { .events = EPOLLIN };
	struct knell_event ev[8];
	uint32_t watch[16] = { };
	pthread_t thread;
	int64_t handle;
	int i, err, ep;

	ep = epoll_create1(EPOLL_CLOEXEC);
	ASSERT_EQ(0, epoll_ctl(ep, EPOLL_CTL_ADD, self->fd, &e));
	for (i = 0; i < 16; i++)
		many_fds[i] = new_eventfd();
	pin_to_cpu(0);
	ASSERT_EQ(0, pthread_create(&thread, NULL, write_often, &w));
	for (i = 0; i < rounds(15000); i++) {
		r = next_random(&seed);
		if (!watch[r % 16]) {
			handle = add_fd(self->fd, many_fds[r % 16], flags[r >> 8 & 3], EPOLLIN);
			ASSERT_LT(0, handle);
			watch[r % 16] = handle;
		} else if (r >> 16 & 1) {
			err = mod_fd(self->fd, watch[r % 16], flags[r >> 8 & 3], EPOLLIN, i);
			ASSERT_EQ(1, !err || err == -ENOENT);
			if (err)
				watch[r % 16] = 0;
		} else {
			err = del_watch(self->fd, watch[r % 16]);
			ASSERT_EQ(1, !err || err == -ENOENT);
			watch[r % 16] = 0;
		}
		if (r >> 20 & 1)
			ASSERT_LE(-1, read(self->fd, ev, sizeof(ev)));
		drain_eventfd(many_fds[r >> 24 & 15]);
	}
	w.stop = 1;
	pthread_join(thread, NULL);
	/* All is well with those that are left. */
	for (i = 0; i < 16; i++)
		if (watch[i])
			del_watch(self->fd, watch[i]);
	while (read(self->fd, ev, sizeof(ev)) > 0)
		;
	EXPECT_EQ(0, nr_pending(self->fd));
	EXPECT_EQ(0, nr_watches(self->fd));
	close(ep);
}

TEST_F_TIMEOUT(nested, a_queue_closed_under_wakes, LIMIT)
{
	struct writer w = { .fds = many_fds, .nr = 16, .cpu = 1 };
	struct epoll_event e = { .events = EPOLLIN };
	pthread_t thread;
	int i, j, fd, ep;

	for (i = 0; i < 16; i++)
		many_fds[i] = new_eventfd();
	pin_to_cpu(0);
	ASSERT_EQ(0, pthread_create(&thread, NULL, write_often, &w));
	for (i = 0; i < rounds(1000); i++) {
		fd = knell_open(O_NONBLOCK);
		ASSERT_LE(0, fd);
		ep = epoll_create1(EPOLL_CLOEXEC);
		ASSERT_EQ(0, epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e));
		for (j = 0; j < 16; j++)
			ASSERT_LT(0, add_fd(fd, many_fds[j], j & 1 ? KNELL_OPF_EDGE : 0, EPOLLIN));
		if (i & 1)
			take_fd(fd);
		close(fd);
		close(ep);
	}
	w.stop = 1;
	pthread_join(thread, NULL);
}

TEST_HARNESS_MAIN
