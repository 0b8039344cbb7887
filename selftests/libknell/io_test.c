// SPDX-License-Identifier: GPL-2.0-only
/* Descriptors: once for each add, numbers that are used anew, what cannot be polled. runner-limit: 900 */
#include "common.h"

#include <limits.h>
#include <sys/timerfd.h>

LOOP_FIXTURE(io);

static int got_fd, got_error;
static uint32_t got_revents;
static enum knell_kind got_kind;

static void note_io(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	(void)l;
	counted++;
	got_fd = call->io.fd;
	got_revents = call->io.revents;
	got_error = call->io.error;
	got_kind = call->kind;
	if (arg)
		traced("%s", (const char *)arg);
}

LOOP_TEST(io, once_per_add)
{
	int fds[2];
	knell_task t;

	make_pipe(fds);
	t = knell_add_read(self->l, note_io, NULL, fds[0]);
	ASSERT_TASK(t);
	ASSERT_EQ(1, run_passes(self->l, 3));
	EXPECT_EQ(0, counted);
	ASSERT_EQ(1, write(fds[1], "x", 1));
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_EQ(1, counted);
	EXPECT_EQ(fds[0], got_fd);
	EXPECT_EQ(KNELL_KIND_READ, got_kind);
	EXPECT_EQ(EPOLLIN, got_revents & EPOLLIN);
	EXPECT_EQ(0, got_error);
	EXPECT_FALSE(knell_pending(self->l, t));
	/* What is still there is not told again by itself, and is when asked. */
	ASSERT_TASK(knell_add_timer_ns(self->l, cb_nothing, NULL, 0));
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_EQ(1, counted);
	ASSERT_TASK(knell_add_read(self->l, note_io, NULL, fds[0]));
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_EQ(2, counted);
	/* The writing end. */
	t = knell_add_write(self->l, note_io, NULL, fds[1]);
	ASSERT_TASK(t);
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_EQ(3, counted);
	EXPECT_EQ(KNELL_KIND_WRITE, got_kind);
	EXPECT_EQ(EPOLLOUT, got_revents & EPOLLOUT);
	close(fds[0]);
	close(fds[1]);
}

LOOP_TEST(io, one_task_for_each_direction)
{
	int fds[2];
	knell_task t;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds));
	t = knell_add_read(self->l, note_io, NULL, fds[0]);
	ASSERT_TASK(t);
	EXPECT_NO_TASK(EEXIST, knell_add_read(self->l, note_io, NULL, fds[0]));
	ASSERT_TASK(knell_add_write(self->l, note_io, "w", fds[0]));
	EXPECT_NO_TASK(EEXIST, knell_add_write(self->l, note_io, NULL, fds[0]));
	EXPECT_NO_TASK(EBADF, knell_add_read(self->l, note_io, NULL, -1));
	EXPECT_NO_TASK(EBADF, knell_add_write(self->l, note_io, NULL, INT_MIN));
	/* That one is ready does not run the other. */
	ASSERT_EQ(1, run_passes(self->l, 3));
	EXPECT_STREQ("w", trace);
	EXPECT_TRUE(knell_pending(self->l, t));
	ASSERT_EQ(1, knell_cancel(self->l, t));
	/* After a cancel there is room again. */
	ASSERT_TASK(knell_add_read(self->l, note_io, "r", fds[0]));
	ASSERT_EQ(1, write(fds[1], "x", 1));
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_STREQ("w r", trace);
	close(fds[0]);
	close(fds[1]);
}

/* Both directions of one, again and again, in turn. */
LOOP_TEST(io, both_directions)
{
	int fds[2];

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds));
	ASSERT_EQ(1, write(fds[1], "x", 1));
	for (int i = 0; i < 50; i++) {
		trace_clear();
		if (i % 3 != 1)
			ASSERT_TASK(knell_add_read(self->l, note_io, "r", fds[0]));
		if (i % 3 != 2)
			ASSERT_TASK(knell_add_write(self->l, note_io, "w", fds[0]));
		ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
		EXPECT_STREQ(i % 3 == 0 ? "r w" : i % 3 == 1 ? "w" : "r", trace);
	}
	close(fds[0]);
	close(fds[1]);
}

/* The other end has gone. */
LOOP_TEST(io, hang_up)
{
	int fds[2];

	make_pipe(fds);
	ASSERT_TASK(knell_add_read(self->l, note_io, NULL, fds[0]));
	ASSERT_EQ(1, run_passes(self->l, 2));
	close(fds[1]);
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_EQ(EPOLLHUP, got_revents & EPOLLHUP);
	EXPECT_EQ(0, got_error);
	close(fds[0]);
	make_pipe(fds);
	close(fds[0]);
	ASSERT_TASK(knell_add_write(self->l, note_io, NULL, fds[1]));
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_EQ(EPOLLERR, got_revents & EPOLLERR);
	EXPECT_EQ(0, got_error);
	close(fds[1]);
	/* Whoever waits for the one direction hears of the other's end, too. */
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds));
	close(fds[1]);
	counted = 0;
	ASSERT_TASK(knell_add_read(self->l, note_io, NULL, fds[0]));
	ASSERT_TASK(knell_add_write(self->l, note_io, NULL, fds[0]));
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_EQ(2, counted);
	EXPECT_EQ(EPOLLHUP, got_revents & EPOLLHUP);
	close(fds[0]);
}

/* T-08: a high descriptor, and the highest that the process may have: memory does not follow. */
LOOP_TEST(io, t08_high_descriptors)
{
	struct rlimit rl = { 1 << 20, 1 << 20 };
	size_t before;
	int fds[2], high[2];

	if (setrlimit(RLIMIT_NOFILE, &rl)) {
		ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &rl));
		rl.rlim_cur = rl.rlim_max;
		ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &rl));
	}
	make_pipe(fds);
	high[0] = dup2(fds[0], 1500);
	ASSERT_EQ(1500, high[0]);
	/* The kernel's own table of descriptors is not this process's memory. */
	high[1] = dup2(fds[0], (int)rl.rlim_cur - 1);
	ASSERT_EQ((int)rl.rlim_cur - 1, high[1]);
	ASSERT_TASK(knell_add_read(self->l, note_io, NULL, fds[0]));
	before = resident();
	ASSERT_TASK(knell_add_read(self->l, note_io, NULL, high[0]));
	ASSERT_TASK(knell_add_read(self->l, note_io, NULL, high[1]));
	ASSERT_EQ(1, run_passes(self->l, 2));
	EXPECT_EQ(0, counted);
	ASSERT_EQ(1, write(fds[1], "x", 1));
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_EQ(3, counted);
	EXPECT_EQ(0, got_error);
	EXPECT_GE(before + (2 << 20), resident());
	for (int i = 0; i < 2; i++) {
		close(fds[i]);
		close(high[i]);
	}
}

/*
 * T-20: one that was found ready is cancelled by another of the same pass: it does not run.
 */

static knell_task victims[4];

static void cancel_others(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	unsigned int n = 0;

	(void)call;
	traced("%s", (const char *)arg);
	for (unsigned int i = 0; i < ARRAY_SIZE(victims); i++)
		n += knell_cancel(l, victims[i]);
	traced("%u", n);
}

LOOP_TEST(io, t20_cancelled_after_it_was_harvested)
{
	int a[2], b[2];

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, a));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, b));
	ASSERT_EQ(1, write(a[1], "x", 1));
	ASSERT_EQ(1, write(b[1], "x", 1));
	/* All four are ready in one pass; whoever is first takes the others. */
	victims[0] = knell_add_read(self->l, cancel_others, "r", a[0]);
	victims[1] = knell_add_write(self->l, cancel_others, "w", a[0]);
	victims[2] = knell_add_read(self->l, cancel_others, "r", b[0]);
	victims[3] = knell_add_write(self->l, cancel_others, "w", b[0]);
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_STREQ("r 3", trace);
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_STREQ("r 3", trace);
	for (int i = 0; i < 2; i++) {
		close(a[i]);
		close(b[i]);
	}
}

/* The same, and the descriptor's number is another file's before the pass is over. */
static int reuse_old[2], reuse_new[2];

static void cancel_close_reuse(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	(void)call;
	(void)arg;
	traced("first");
	if (knell_cancel(l, victims[0]) != 1)
		abort();
	close(reuse_old[0]);
	make_pipe(reuse_new);
	if (reuse_new[0] != reuse_old[0])
		abort();
	knell_add_read(l, note_io, "of the new one", reuse_new[0]);
}

LOOP_TEST(io, t20_reused_after_it_was_harvested)
{
	make_pipe(reuse_old);
	ASSERT_EQ(1, write(reuse_old[1], "x", 1));
	victims[0] = knell_add_read(self->l, cb_trace, "of the old one", reuse_old[0]);
	ASSERT_TASK(victims[0]);
	ASSERT_TASK(knell_add_timer_ns(self->l, cancel_close_reuse, NULL, 0));
	ASSERT_EQ(1, run_passes(self->l, 3));
	EXPECT_STREQ("first", trace);
	ASSERT_EQ(1, write(reuse_new[1], "x", 1));
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_STREQ("first of the new one", trace);
	close(reuse_new[0]);
	close(reuse_new[1]);
	close(reuse_old[1]);
}

/*
 * T-21: closed and its number used anew between passes. The old file may still be open elsewhere,
 * and what happens to it is nothing to the new one.
 */
static void reuse(struct __test_metadata *_metadata, struct knell_loop *l, bool keep_old,
		  bool in_callback)
{
	int old[2], new[2], kept = -1;
	knell_task t;

	trace_clear();
	make_pipe(old);
	if (keep_old)
		kept = fcntl(old[0], F_DUPFD_CLOEXEC, 500);
	t = knell_add_read(l, note_io, "old", old[0]);
	ASSERT_TASK(t);
	/* The kernel is told. */
	ASSERT_EQ(1, run_passes(l, 2));
	if (in_callback) {
		ASSERT_EQ(1, write(old[1], "x", 1));
		ASSERT_EQ(0, knell_loop_run(l, KNELL_RUN_DEFAULT));
		EXPECT_STREQ("old", trace);
		trace_clear();
	} else {
		ASSERT_EQ(1, knell_cancel(l, t));
	}
	close(old[0]);
	make_pipe(new);
	ASSERT_EQ(old[0], new[0]);
	ASSERT_TASK(knell_add_read(l, note_io, "new", new[0]));
	ASSERT_EQ(1, run_passes(l, 2));
	/* The old file becomes ready, or would. */
	if (kept >= 0)
		ASSERT_EQ(1, write(old[1], "x", 1));
	ASSERT_EQ(1, run_passes(l, 3));
	EXPECT_STREQ("", trace);
	ASSERT_EQ(1, write(new[1], "x", 1));
	ASSERT_EQ(0, knell_loop_run(l, KNELL_RUN_DEFAULT));
	EXPECT_STREQ("new", trace);
	close(kept);
	close(old[1]);
	close(new[0]);
	close(new[1]);
}

LOOP_TEST(io, t21_reused_after_cancel)
{
	for (int i = 0; i < 10; i++)
		reuse(_metadata, self->l, false, false);
}

LOOP_TEST(io, t21_reused_after_callback)
{
	for (int i = 0; i < 10; i++)
		reuse(_metadata, self->l, false, true);
}

LOOP_TEST(io, t21_reused_after_cancel_old_file_lives)
{
	for (int i = 0; i < 10; i++)
		reuse(_metadata, self->l, true, false);
}

LOOP_TEST(io, t21_reused_after_callback_old_file_lives)
{
	for (int i = 0; i < 10; i++)
		reuse(_metadata, self->l, true, true);
}

/* Closed and reused inside of the callback, where nothing was cancelled. */
static void close_and_reopen(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	(void)arg;
	traced("old");
	close(call->io.fd);
	make_pipe(reuse_new);
	if (reuse_new[0] != call->io.fd)
		abort();
	knell_add_read(l, cb_trace, "new", reuse_new[0]);
}

LOOP_TEST(io, t21_reused_in_the_callback)
{
	make_pipe(reuse_old);
	ASSERT_EQ(1, write(reuse_old[1], "x", 1));
	ASSERT_TASK(knell_add_read(self->l, close_and_reopen, NULL, reuse_old[0]));
	ASSERT_EQ(1, run_passes(self->l, 4));
	EXPECT_STREQ("old", trace);
	ASSERT_EQ(1, write(reuse_new[1], "x", 1));
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_STREQ("old new", trace);
	close(reuse_new[0]);
	close(reuse_new[1]);
	close(reuse_old[1]);
}

/* The one direction ends, and is added anew, while the other waits all the time. */
LOOP_TEST(io, directions_come_and_go)
{
	knell_task r;
	int fds[2];
	char c;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds));
	r = knell_add_read(self->l, cb_trace, "r", fds[0]);
	ASSERT_TASK(r);
	for (int i = 0; i < 5; i++) {
		ASSERT_TASK(knell_add_write(self->l, cb_trace, "w", fds[0]));
		ASSERT_EQ(1, run_passes(self->l, 2));
	}
	EXPECT_STREQ("w w w w w", trace);
	trace_clear();
	ASSERT_EQ(1, write(fds[1], "x", 1));
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_STREQ("r", trace);
	ASSERT_EQ(1, read(fds[0], &c, 1));
	ASSERT_TASK(knell_add_write(self->l, cb_trace, "w", fds[0]));
	r = knell_add_read(self->l, cb_trace, "r", fds[0]);
	ASSERT_EQ(1, knell_cancel(self->l, r));
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_STREQ("r w", trace);
	close(fds[0]);
	close(fds[1]);
}

/* T-22: what poll(2) knows nothing of is always ready. */
LOOP_TEST(io, t22_what_cannot_be_polled)
{
	static const char *const paths[] = { "/proc/self/exe", "/", "/dev/null" };

	for (unsigned int i = 0; i < ARRAY_SIZE(paths); i++) {
		int fd = open(paths[i], O_RDONLY | O_CLOEXEC);

		ASSERT_LE(0, fd);
		counted = 0;
		for (int k = 1; k <= 5; k++) {
			ASSERT_TASK(knell_add_read(self->l, note_io, NULL, fd));
			ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
			EXPECT_EQ(k, counted);
			EXPECT_EQ(fd, got_fd);
			EXPECT_EQ(0, got_error);
			EXPECT_EQ(EPOLLIN, got_revents & EPOLLIN);
		}
		ASSERT_TASK(knell_add_write(self->l, note_io, NULL, fd));
		ASSERT_TASK(knell_add_read(self->l, note_io, NULL, fd));
		ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
		EXPECT_EQ(7, counted);
		EXPECT_EQ(KNELL_KIND_WRITE, got_kind);
		EXPECT_EQ(EPOLLOUT, got_revents & EPOLLOUT);
		/* And may be cancelled. */
		victims[0] = knell_add_read(self->l, note_io, NULL, fd);
		ASSERT_EQ(1, knell_cancel(self->l, victims[0]));
		ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
		EXPECT_EQ(7, counted);
		close(fd);
	}
}

/* One that is ready all the time does not keep the loop from the others. */
static void again(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	counted++;
	if (counted < 1000)
		knell_add_read(l, again, arg, call->io.fd);
}

LOOP_TEST(io, t22_among_others)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC), fds[2];

	ASSERT_LE(0, fd);
	make_pipe(fds);
	ASSERT_TASK(knell_add_read(self->l, again, NULL, fd));
	ASSERT_TASK(knell_add_read(self->l, cb_trace, "r", fds[0]));
	ASSERT_EQ(1, run_passes(self->l, 10));
	ASSERT_EQ(1, write(fds[1], "x", 1));
	ASSERT_EQ(1, run_passes(self->l, 2));
	EXPECT_STREQ("r", trace);
	EXPECT_LE(8, counted);
	EXPECT_GE(12, counted);
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	close(fd);
	close(fds[0]);
	close(fds[1]);
}

/* One that is not open: told, and not again and again. */
LOOP_TEST(io, not_open)
{
	int fd = fcntl(0, F_DUPFD_CLOEXEC, 300);

	ASSERT_LE(0, fd);
	close(fd);
	ASSERT_TASK(knell_add_read(self->l, note_io, NULL, fd));
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_EQ(1, counted);
	EXPECT_EQ(EPOLLERR, got_revents & EPOLLERR);
	EXPECT_EQ(-EBADF, got_error);
	ASSERT_TASK(knell_add_write(self->l, note_io, NULL, fd));
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_EQ(2, counted);
	EXPECT_EQ(-EBADF, got_error);
	/* The number is good for another file afterwards. */
	fd = dup2(readable_fd(), fd);
	ASSERT_TASK(knell_add_read(self->l, note_io, NULL, fd));
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_EQ(3, counted);
	EXPECT_EQ(0, got_error);
	EXPECT_EQ(EPOLLIN, got_revents & EPOLLIN);
}

/* An epoll instance: only epoll itself takes it. */
LOOP_TEST(io, an_epoll)
{
	int ep = epoll_create1(EPOLL_CLOEXEC), fd = readable_fd();
	struct epoll_event ev = { .events = EPOLLIN };

	ASSERT_LE(0, ep);
	ASSERT_EQ(0, epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev));
	ASSERT_TASK(knell_add_read(self->l, note_io, NULL, ep));
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_EQ(1, counted);
	if (KERNEL) {
		EXPECT_EQ(-ELOOP, got_error);
		EXPECT_EQ(EPOLLERR, got_revents & EPOLLERR);
	} else {
		EXPECT_EQ(0, got_error);
		EXPECT_EQ(EPOLLIN, got_revents & EPOLLIN);
	}
	close(ep);
	close(fd);
}

/* Its own descriptor. */
LOOP_TEST(io, its_own)
{
	int fd = knell_loop_fd(self->l);

	ASSERT_LE(0, fd);
	ASSERT_TASK(knell_add_read(self->l, note_io, NULL, fd));
	ASSERT_TASK(knell_add_timer_ms(self->l, cb_stop, "still here", 1));
	ASSERT_LE(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_STREQ("still here", trace);
	EXPECT_GE(1, counted);
}

/* What a timerfd, a socket that listens, a pseudo file of /proc say. */
LOOP_TEST(io, sorts_of_files)
{
	const struct itimerspec its = { .it_value.tv_nsec = 1 };
	int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	int mounts = open("/proc/self/mounts", O_RDONLY | O_CLOEXEC);
	int zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);

	ASSERT_EQ(0, timerfd_settime(timer, 0, &its, NULL));
	ASSERT_TASK(knell_add_read(self->l, cb_count, NULL, timer));
	ASSERT_TASK(knell_add_read(self->l, cb_count, NULL, mounts));
	ASSERT_TASK(knell_add_read(self->l, cb_count, NULL, zero));
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_EQ(3, counted);
	close(timer);
	close(mounts);
	close(zero);
}

/* Many at once, of which some are ready each time. */
LOOP_TEST(io, many)
{
	enum { NR = 200 };
	unsigned long runs[NR] = { 0 }, expect[NR] = { 0 };
	uint64_t seed = 1234567, one = 1;
	int fds[NR];

	for (int i = 0; i < NR; i++) {
		fds[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		ASSERT_LE(0, fds[i]);
	}
	for (int round = 0; round < 20; round++) {
		knell_task t[NR];
		unsigned int sum = 0;

		for (int i = 0; i < NR; i++) {
			t[i] = knell_add_read(self->l, cb_count, &runs[i], fds[i]);
			ASSERT_TASK(t[i]);
		}
		counted = 0;
		for (int i = 0; i < NR; i++) {
			if (next_random(&seed) % 3)
				continue;
			ASSERT_EQ(8, write(fds[i], &one, 8));
			expect[i]++;
			sum++;
		}
		while (counted < sum)
			ASSERT_EQ(1, knell_loop_run(self->l, KNELL_RUN_ONCE));
		ASSERT_EQ(1, run_passes(self->l, 2));
		EXPECT_EQ(sum, counted);
		for (int i = 0; i < NR; i++) {
			bool ready = read(fds[i], &one, 8) == 8;

			EXPECT_EQ(!ready, knell_cancel(self->l, t[i]));
		}
		one = 1;
	}
	for (int i = 0; i < NR; i++)
		close(fds[i]);
}

/* A thread makes it ready while the loop sleeps. */
static void write_x(void *arg)
{
	if (write(*(int *)arg, "x", 1) != 1)
		abort();
}

LOOP_TEST(io, wakes)
{
	struct meanwhile m;
	int fds[2];
	char c;

	make_pipe(fds);
	for (int i = 0; i < 20; i++) {
		counted = 0;
		ASSERT_TASK(knell_add_read(self->l, note_io, NULL, fds[0]));
		meanwhile(&m, write_x, &fds[1]);
		ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
		EXPECT_EQ(1, counted);
		meanwhile_done(&m);
		ASSERT_EQ(1, read(fds[0], &c, 1));
	}
	close(fds[0]);
	close(fds[1]);
}

LIBKNELL_MAIN
