// SPDX-License-Identifier: GPL-2.0-only
/* A loop inside of another, and loops in forked children. runner-limit: 900 */
#include "common.h"

LOOP_FIXTURE(embed);

static struct pollfd pfd;

static bool readable(int ms)
{
	return poll(&pfd, 1, ms) == 1;
}

/* The outer loop: waits for the descriptor alone, and runs the inner one. */
static int outer_once(struct knell_loop *l)
{
	/* A signal of the loop's may end the wait: it goes round again. */
	while (poll(&pfd, 1, -1) < 0)
		if (errno != EINTR)
			return -errno;
	return knell_loop_run(l, KNELL_RUN_NOWAIT);
}

static int outer_until(struct knell_loop *l, unsigned long nr)
{
	int ret = 1;

	while (counted < nr && ret >= 0)
		ret = outer_once(l);
	return ret;
}

/* Each kind of thing makes it readable; when all is done it is not. */
LOOP_TEST(embed, each_kind)
{
	int fds[2], fd = knell_loop_fd(self->l);
	pid_t pid;

	ASSERT_LE(0, fd);
	EXPECT_EQ(fd, knell_loop_fd(self->l));
	pfd = (struct pollfd){ .fd = fd, .events = POLLIN };
	EXPECT_FALSE(readable(0));
	make_pipe(fds);

	ASSERT_TASK(knell_add_event(self->l, cb_count, NULL, 0));
	ASSERT_EQ(0, outer_until(self->l, 1));
	EXPECT_FALSE(readable(0));

	ASSERT_TASK(knell_add_ready(self->l, cb_count, NULL, 0));
	ASSERT_EQ(0, outer_until(self->l, 2));
	EXPECT_FALSE(readable(0));

	ASSERT_TASK(knell_add_timer_ms(self->l, cb_count, NULL, 20));
	ASSERT_EQ(0, outer_until(self->l, 3));
	EXPECT_FALSE(readable(0));

	ASSERT_TASK(knell_add_background(self->l, cb_count, NULL, 5));
	ASSERT_EQ(0, outer_until(self->l, 4));
	EXPECT_FALSE(readable(0));

	ASSERT_TASK(knell_add_read(self->l, cb_count, NULL, fds[0]));
	EXPECT_FALSE(readable(0));
	ASSERT_EQ(1, write(fds[1], "x", 1));
	ASSERT_EQ(0, outer_until(self->l, 5));
	EXPECT_FALSE(readable(0));

	pid = exiting_child(0);
	ASSERT_TASK(knell_add_child(self->l, cb_count, NULL, pid, 0));
	ASSERT_EQ(0, outer_until(self->l, 6));
	EXPECT_FALSE(readable(0));
	child_status(pid);

	ASSERT_EQ(0, knell_post(self->l, cb_count, NULL, 0));
	ASSERT_EQ(0, outer_until(self->l, 7));
	EXPECT_FALSE(readable(0));

	ASSERT_TASK(knell_add_signal(self->l, cb_count, NULL, SIGUSR1));
	EXPECT_FALSE(readable(0));
	raise(SIGUSR1);
	ASSERT_EQ(1, outer_until(self->l, 8));
	EXPECT_FALSE(readable(0));
	close(fds[0]);
	close(fds[1]);
}

/* Other clocks, too. */
LOOP_TEST(embed, other_clocks)
{
	pfd = (struct pollfd){ .fd = knell_loop_fd(self->l), .events = POLLIN };
	ASSERT_TASK(knell_add_timer_at(self->l, cb_count, NULL, CLOCK_REALTIME,
				       clock_ns(CLOCK_REALTIME) + 20 * MSEC));
	ASSERT_TASK(knell_add_timer_at(self->l, cb_count, NULL, CLOCK_BOOTTIME,
				       clock_ns(CLOCK_BOOTTIME) + 10 * MSEC));
	ASSERT_EQ(0, outer_until(self->l, 2));
	EXPECT_FALSE(readable(0));
}

/* Told of what is added while it waits in the outer loop; and of what is taken away. */
LOOP_TEST(embed, changes)
{
	int fd = readable_fd();
	knell_task t;

	pfd = (struct pollfd){ .fd = knell_loop_fd(self->l), .events = POLLIN };
	ASSERT_TASK(knell_add_timer(self->l, cb_count, NULL, 3600));
	EXPECT_FALSE(readable(0));
	/* An earlier one. */
	ASSERT_TASK(knell_add_timer_ms(self->l, cb_count, NULL, 10));
	ASSERT_EQ(1, outer_until(self->l, 1));
	EXPECT_FALSE(readable(0));
	t = knell_add_read(self->l, cb_count, NULL, fd);
	EXPECT_TRUE(readable(0));
	ASSERT_EQ(1, knell_cancel(self->l, t));
	/* What is left is one run that does nothing. */
	while (readable(0))
		ASSERT_EQ(1, knell_loop_run(self->l, KNELL_RUN_NOWAIT));
	EXPECT_EQ(1, counted);
	ASSERT_EQ(1, knell_cancel_arg(self->l, NULL, KNELL_MASK_ALL));
	EXPECT_FALSE(readable(0));
	close(fd);
}

/* From another thread and from a handler, while the outer loop sleeps. */
static void post_from_thread(void *arg)
{
	if (knell_post(arg, cb_count, NULL, 0))
		abort();
}

static void kill_self(void *arg)
{
	(void)arg;
	kill(getpid(), SIGUSR1);
}

LOOP_TEST(embed, wakes_the_outer_loop)
{
	struct meanwhile m;

	pfd = (struct pollfd){ .fd = knell_loop_fd(self->l), .events = POLLIN };
	ASSERT_TASK(knell_add_signal(self->l, cb_count, NULL, SIGUSR1));
	for (unsigned long i = 1; i <= 30; i += 2) {
		meanwhile(&m, post_from_thread, self->l);
		while (counted < i)
			ASSERT_EQ(1, outer_once(self->l));
		meanwhile_done(&m);
		meanwhile(&m, kill_self, NULL);
		while (counted < i + 1)
			ASSERT_EQ(1, outer_once(self->l));
		meanwhile_done(&m);
		EXPECT_EQ(i + 1, counted);
	}
	EXPECT_FALSE(readable(0));
}

/* More than one pass can do: it stays readable until all is done. */
LOOP_TEST(embed, more_than_a_pass)
{
	pfd = (struct pollfd){ .fd = knell_loop_fd(self->l), .events = POLLIN };
	for (int i = 0; i < 500; i++)
		ASSERT_TASK(knell_add_event(self->l, cb_count, NULL, 0));
	while (counted < 500) {
		/* By a timer that is due: the moment until it goes off is the kernel's. */
		ASSERT_TRUE(readable(60000));
		ASSERT_LE(0, knell_loop_run(self->l, KNELL_RUN_NOWAIT));
	}
	EXPECT_FALSE(readable(0));
}

/* Within an epoll, with others beside it. */
LOOP_TEST(embed, in_an_epoll)
{
	struct epoll_event ev = { .events = EPOLLIN };
	int ep = epoll_create1(EPOLL_CLOEXEC), fd = readable_fd();

	ASSERT_LE(0, ep);
	ev.data.fd = knell_loop_fd(self->l);
	ASSERT_EQ(0, epoll_ctl(ep, EPOLL_CTL_ADD, ev.data.fd, &ev));
	EXPECT_EQ(0, epoll_wait(ep, &ev, 1, 0));
	for (unsigned long i = 1; i <= 100; i++) {
		ASSERT_TASK(i % 3 == 0 ? knell_add_event(self->l, cb_count, NULL, 0) :
			    i % 3 == 1 ? knell_add_timer_ns(self->l, cb_count, NULL, 300 * USEC) :
					 knell_add_read(self->l, cb_count, NULL, fd));
		while (counted < i) {
			ASSERT_EQ(1, epoll_wait(ep, &ev, 1, -1));
			ASSERT_LE(0, knell_loop_run(self->l, KNELL_RUN_NOWAIT));
		}
	}
	EXPECT_EQ(0, epoll_wait(ep, &ev, 1, 0));
	close(ep);
	close(fd);
}

/* One libknell in another. */
static struct knell_loop *inner;

static void run_inner(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	if (knell_loop_run(inner, KNELL_RUN_NOWAIT) > 0)
		knell_add_read(l, run_inner, arg, call->io.fd);
}

LOOP_TEST(embed, a_loop_in_a_loop)
{
	/* The kernel's queue does not take itself: that way round only. */
	struct knell_loop *outer = new_loop(KNELL_BACKEND_PIDFD);

	ASSERT_NE(NULL, outer);
	inner = self->l;
	ASSERT_TASK(knell_add_timer_ms(inner, cb_count, NULL, 10));
	ASSERT_TASK(knell_add_child(inner, cb_count, NULL, exiting_child(0), KNELL_CHILD_AUTOREAP));
	ASSERT_TASK(knell_add_read(outer, run_inner, NULL, knell_loop_fd(inner)));
	ASSERT_EQ(0, knell_loop_run(outer, KNELL_RUN_DEFAULT));
	EXPECT_EQ(2, counted);
	knell_loop_free(outer);
}

/*
 * T-40: in a forked child a loop can be freed, and nothing else.
 */

static int in_a_forked_child(struct knell_loop *l, knell_task t, int fd)
{
	struct knell_stats s;

	CHECK(knell_loop_run(l, KNELL_RUN_DEFAULT) == -ECHILD);
	CHECK(knell_loop_run(l, KNELL_RUN_NOWAIT) == -ECHILD);
	CHECK(knell_loop_fd(l) == -ECHILD);
	errno = 0;
	CHECK(knell_is_none(knell_add_event(l, cb_nothing, NULL, 0)) && errno == ECHILD);
	errno = 0;
	CHECK(knell_is_none(knell_add_timer(l, cb_nothing, NULL, 1)) && errno == ECHILD);
	errno = 0;
	CHECK(knell_is_none(knell_add_timer_at(l, cb_nothing, NULL, CLOCK_REALTIME, 1)) &&
	      errno == ECHILD);
	errno = 0;
	CHECK(knell_is_none(knell_add_background(l, cb_nothing, NULL, 1)) && errno == ECHILD);
	errno = 0;
	CHECK(knell_is_none(knell_add_read(l, cb_nothing, NULL, fd)) && errno == ECHILD);
	errno = 0;
	CHECK(knell_is_none(knell_add_write(l, cb_nothing, NULL, fd)) && errno == ECHILD);
	errno = 0;
	CHECK(knell_is_none(knell_add_child(l, cb_nothing, NULL, getppid(), 0)) && errno == ECHILD);
	errno = 0;
	CHECK(knell_is_none(knell_add_children(l, cb_nothing, NULL, 0)) && errno == ECHILD);
	errno = 0;
	CHECK(knell_is_none(knell_add_signal(l, cb_nothing, NULL, SIGUSR2)) && errno == ECHILD);
	errno = 0;
	CHECK(knell_is_none(knell_add_tree(l, cb_nothing, NULL, "", 0)) &&
	      (errno == ECHILD || errno == EOPNOTSUPP));
	errno = 0;
	CHECK(knell_is_none(knell_add_record(l, cb_nothing, NULL)) &&
	      (errno == ECHILD || errno == EOPNOTSUPP));
	CHECK(knell_execute(l, cb_nothing, NULL, 0) == -ECHILD);
	CHECK(knell_post(l, cb_nothing, NULL, 0) == -ECHILD);
	CHECK(knell_cancel(l, t) <= 0);
	CHECK(knell_cancel_sync(l, t) <= 0);
	CHECK(knell_cancel_arg(l, NULL, KNELL_MASK_ALL) == 0);
	CHECK(!knell_pending(l, t));
	CHECK(knell_timer_remaining_ns(l, t) == -ECHILD);
	CHECK(knell_timer_set_slack(l, t, 1) == -ECHILD);
	CHECK(knell_child_kill(l, t, 0) == -ECHILD);
	CHECK(knell_tree_join(l, t, 0) == -ECHILD);
	CHECK(knell_set_warn(l, t, 1, 1, 1) == -ECHILD);
	CHECK(knell_add_prepare(l, NULL, NULL) < 0);
	CHECK(knell_clock_pause(l) == -ECHILD);
	CHECK(knell_clock_advance(l, 1) == -ECHILD);
	knell_loop_stop(l);
	knell_stats_get(l, &s);
	knell_loop_free(l);
	return 0;
}

LOOP_TEST(embed, t40_in_a_forked_child)
{
	int fds[2];
	knell_task t;
	pid_t pid, other;

	make_pipe(fds);
	other = idle_child();
	ASSERT_TASK(knell_add_read(self->l, cb_trace, "read", fds[0]));
	ASSERT_TASK(knell_add_child(self->l, cb_trace, "child", other, 0));
	ASSERT_TASK(knell_add_signal(self->l, cb_stop, "signal", SIGUSR1));
	t = knell_add_timer(self->l, cb_trace, "timer", 3600);
	ASSERT_TASK(t);
	ASSERT_EQ(1, run_passes(self->l, 2));
	ASSERT_EQ(0, knell_post(self->l, cb_trace, "post", 0));
	for (int i = 0; i < 3; i++) {
		pid = fork();
		ASSERT_LE(0, pid);
		if (!pid)
			_exit(in_a_forked_child(self->l, t, fds[0]));
		EXPECT_EQ(0, child_status(pid));
	}
	/* The parent has not felt it. */
	ASSERT_EQ(1, run_passes(self->l, 2));
	EXPECT_STREQ("post", trace);
	ASSERT_EQ(1, write(fds[1], "x", 1));
	ASSERT_EQ(1, knell_loop_run(self->l, KNELL_RUN_ONCE));
	EXPECT_STREQ("post read", trace);
	ASSERT_EQ(0, kill(other, SIGTERM));
	/* SIGCHLD may take a pass of its own. */
	while (strlen(trace) < strlen("post read child"))
		ASSERT_EQ(1, knell_loop_run(self->l, KNELL_RUN_ONCE));
	EXPECT_STREQ("post read child", trace);
	raise(SIGUSR1);
	ASSERT_EQ(1, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_STREQ("post read child signal", trace);
	child_status(other);
	close(fds[0]);
	close(fds[1]);
}

/* Forked from inside of a callback. */
static void forks(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	pid_t pid = fork();

	if (!pid)
		_exit(in_a_forked_child(l, call->task, 0));
	*(int *)arg = child_status(pid);
}

LOOP_TEST(embed, t40_forked_in_a_callback)
{
	int status = -1;

	ASSERT_TASK(knell_add_timer_ns(self->l, forks, &status, 0));
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_EQ(0, status);
}

/* A signal in the child does there what it did before there was a loop, and nothing in the parent. */
static volatile sig_atomic_t own_handler_ran;

static void own_handler(int sig)
{
	own_handler_ran = sig;
}

static int signal_in_child(void)
{
	raise(SIGUSR1);
	CHECK(own_handler_ran == SIGUSR1);
	return 0;
}

LOOP_TEST(embed, t40_signal_in_the_child)
{
	pid_t pid;

	signal(SIGUSR1, own_handler);
	ASSERT_TASK(knell_add_signal(self->l, cb_trace, "signal", SIGUSR1));
	ASSERT_EQ(1, run_passes(self->l, 2));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		_exit(signal_in_child());
	EXPECT_EQ(0, child_status(pid));
	ASSERT_EQ(1, run_passes(self->l, 3));
	EXPECT_STREQ("", trace);
	raise(SIGUSR1);
	ASSERT_EQ(1, run_passes(self->l, 1));
	EXPECT_STREQ("signal", trace);
	EXPECT_EQ(0, own_handler_ran);
}

/* A new loop in the child is a loop like any other. */
static int new_loop_in_child(enum knell_backend backend)
{
	struct knell_loop *l = new_loop(backend);

	CHECK(l);
	CHECK(!knell_is_none(knell_add_timer_ms(l, cb_trace, "timer", 1)));
	CHECK(!knell_is_none(knell_add_child(l, cb_trace, "child", exiting_child(0),
					     KNELL_CHILD_AUTOREAP)));
	CHECK(knell_loop_run(l, KNELL_RUN_DEFAULT) == 0);
	CHECK(strlen(trace) == strlen("timer child"));
	knell_loop_free(l);
	return 0;
}

LOOP_TEST(embed, t40_a_loop_of_its_own)
{
	pid_t pid = fork();

	ASSERT_LE(0, pid);
	if (!pid) {
		knell_loop_free(self->l);
		_exit(new_loop_in_child(variant->backend));
	}
	EXPECT_EQ(0, child_status(pid));
	ASSERT_TASK(knell_add_timer_ms(self->l, cb_trace, "timer", 1));
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_STREQ("timer", trace);
}

/* Nothing of a loop's goes over an execve: all that it opens is close-on-exec. */
LOOP_TEST(embed, close_on_exec)
{
	pid_t pid = idle_child();

	ASSERT_LE(0, knell_loop_fd(self->l));
	ASSERT_TASK(knell_add_child(self->l, cb_nothing, NULL, pid, 0));
	ASSERT_TASK(knell_add_timer_at(self->l, cb_nothing, NULL, CLOCK_REALTIME,
				       clock_ns(CLOCK_REALTIME) + HOUR));
	ASSERT_EQ(1, run_passes(self->l, 2));
	for (int fd = 3; fd < 1024; fd++) {
		int flags = fcntl(fd, F_GETFD);
		char path[64], file[256];
		ssize_t n;

		if (flags < 0 || flags & FD_CLOEXEC)
			continue;
		/* Whatever the test was started with is not the loop's. */
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		n = readlink(path, file, sizeof(file) - 1);
		file[n < 0 ? 0 : n] = 0;
		EXPECT_EQ(NULL, strstr(file, "anon_inode"));
		EXPECT_STRNE("/dev/knell", file);
	}
	kill(pid, SIGKILL);
	child_status(pid);
}

LIBKNELL_MAIN
