// SPDX-License-Identifier: GPL-2.0-only
/* A loop from outside of its run: executed tasks, loops in loops, posts, what is want of memory, forks. */
#include "common.h"

LOOP_FIXTURE(outside);

/* The time is that of the call, and stands still in it; knell_set_yield_slot() knows "for ever". */
static void look(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	uint64_t began = *(uint64_t *)arg, then = knell_now(l);

	(void)call;
	knell_set_yield_slot(l, MSEC);
	sleep_ns(2 * MSEC);
	knell_add_timer(l, cb_nothing, NULL, 3600);
	if (knell_now(l) == then && then >= began)
		traced("now");
	if (knell_should_yield(l))
		traced("yield");
	knell_set_yield_slot(l, KNELL_NEVER);
	if (!knell_should_yield(l))
		traced("go on");
}

LOOP_TEST(outside, execute)
{
	uint64_t began;

	sleep_ns(5 * MSEC);
	began = now_ns();
	ASSERT_EQ(0, knell_execute(self->l, look, &began, 0));
	EXPECT_STREQ("now yield go on", trace);
}

/* A loop in a loop: the kernel knows what an executed task has added. */
static void add_timer(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	(void)call;
	knell_add_timer_ms(l, cb_trace, arg, 1);
}

static void add_read(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	(void)call;
	knell_add_read(l, cb_trace, "read", *(int *)arg);
}

static void add_event(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	(void)call;
	knell_add_event(l, cb_trace, arg, 0);
}

LOOP_TEST(outside, execute_in_a_loop_in_a_loop)
{
	struct pollfd pfd = { .fd = knell_loop_fd(self->l), .events = POLLIN };
	int fd = readable_fd();

	ASSERT_LE(0, pfd.fd);
	ASSERT_EQ(0, knell_execute(self->l, add_timer, "timer", 0));
	while (!strstr(trace, "timer")) {
		ASSERT_EQ(1, poll(&pfd, 1, 60000));
		ASSERT_LE(0, knell_loop_run(self->l, KNELL_RUN_NOWAIT));
	}
	ASSERT_EQ(0, knell_execute(self->l, add_read, &fd, 0));
	ASSERT_EQ(1, poll(&pfd, 1, 60000));
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_NOWAIT));
	ASSERT_EQ(0, knell_execute(self->l, add_event, "event", 0));
	ASSERT_EQ(1, poll(&pfd, 1, 60000));
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_NOWAIT));
	EXPECT_STREQ("timer read event", trace);
	close(fd);
}

/* What it needs to wake the outer loop it has from the beginning, or says that it has not. */
LOOP_TEST(outside, no_descriptors_left)
{
	struct rlimit limit;
	struct pollfd pfd = { .events = POLLIN };

	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &limit));
	limit.rlim_cur = 0;
	if (!KERNEL) {
		ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
		EXPECT_EQ(-EMFILE, knell_loop_fd(self->l));
		limit.rlim_cur = limit.rlim_max;
		ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
	}
	pfd.fd = knell_loop_fd(self->l);
	ASSERT_LE(0, pfd.fd);
	/* poll() itself wants the limit to be no less than what it is given. */
	limit.rlim_cur = 1;
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
	ASSERT_TASK(knell_add_timer_ms(self->l, cb_trace, "timer", 1));
	while (!strstr(trace, "timer")) {
		ASSERT_EQ(1, poll(&pfd, 1, 60000));
		ASSERT_LE(0, knell_loop_run(self->l, KNELL_RUN_NOWAIT));
	}
	limit.rlim_cur = limit.rlim_max;
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
}

/* A post of nothing is refused, and in nobody's way. */
LOOP_TEST(outside, post_of_nothing)
{
	EXPECT_EQ(-EINVAL, knell_post_site(self->l, NULL, NULL, NULL, 0));
	EXPECT_EQ(0, knell_post_site(self->l, NULL, cb_trace, "post", 0));
	EXPECT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_STREQ("post", trace);
}

/* A child that was cancelled is still reaped when a new task for it cannot be had. */
LOOP_TEST(outside, reaped_though_not_added_again)
{
	unsigned int failed = 0;

	for (long after = 0; ; after++) {
		pid_t pid = idle_child();
		knell_task t = knell_add_child(self->l, cb_nothing, NULL, pid, KNELL_CHILD_AUTOREAP);

		ASSERT_TASK(t);
		ASSERT_EQ(1, knell_cancel(self->l, t));
		/* So that the loop has something to wait for. */
		ASSERT_TASK(knell_add_timer(self->l, cb_nothing, NULL, 3600));
		fail_allocation(after, false);
		t = knell_add_child(self->l, cb_trace, "ended", pid, KNELL_CHILD_AUTOREAP);
		fail_allocation(-1, false);
		failed += knell_is_none(t);
		ASSERT_EQ(0, kill(pid, SIGKILL));
		while (!kill(pid, 0))
			ASSERT_EQ(1, knell_loop_run(self->l, KNELL_RUN_NOWAIT));
		if (knell_is_none(t))
			continue;
		ASSERT_EQ(1, knell_loop_run(self->l, KNELL_RUN_NOWAIT));
		EXPECT_STREQ("ended", trace);
		break;
	}
	EXPECT_LT(0, failed);
}

/* A child's end is told in the system's time, also by a loop whose own stands elsewhere. */
static void note_exit(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	(void)l;
	*(uint64_t *)arg = call->child->exit_ns;
}

LOOP_TEST(outside, exit_while_the_clock_stands)
{
	uint64_t exited = 0, before = now_ns();

	ASSERT_EQ(0, knell_clock_pause(self->l));
	ASSERT_EQ(0, knell_clock_advance(self->l, HOUR));
	ASSERT_TASK(knell_add_child(self->l, note_exit, &exited, exiting_child(0),
				    KNELL_CHILD_AUTOREAP));
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_LE(before, exited);
	EXPECT_GE(now_ns(), exited);
}

/* A fork frees its copy, whoever was waiting for the loop in another thread. */
struct canceller {
	struct knell_loop *l;
	_Atomic pid_t tid;
};

static void *cancels(void *arg)
{
	struct canceller *c = arg;

	atomic_store(&c->tid, own_tid());
	return (void *)(intptr_t)knell_cancel_sync(c->l, name_task(1, 1));
}

LOOP_TEST(outside, fork_while_another_thread_waits)
{
	struct canceller c = { .l = self->l };
	pthread_t thread;
	void *ret;
	pid_t pid;

	ASSERT_EQ(0, pthread_create(&thread, NULL, cancels, &c));
	while (!atomic_load(&c.tid))
		sched_yield();
	wait_asleep(getpid(), atomic_load(&c.tid));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		alarm(120);
		knell_loop_free(self->l);
		test_exit(0);
	}
	EXPECT_EQ(0, child_status(pid));
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_NOWAIT));
	ASSERT_EQ(0, pthread_join(thread, &ret));
	EXPECT_EQ(NULL, ret);
}

LIBKNELL_MAIN
