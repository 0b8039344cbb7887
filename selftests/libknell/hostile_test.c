// SPDX-License-Identifier: GPL-2.0-only
/* Bad arguments, no descriptors: said so, and nothing is left behind. runner-limit: 900 */
#include "common.h"

#include <limits.h>

LOOP_FIXTURE(hostile);

static struct knell_loop *refused_loop(const struct knell_loop_attr *attr, int *error)
{
	struct knell_loop *l;

	errno = 0;
	l = knell_loop_new(attr);
	*error = errno;
	return l;
}

/* Numbers out of range. */
LOOP_TEST(hostile, loop_attributes)
{
	const struct knell_loop_attr bad[] = {
		{ .backend = variant->backend, .batch = 1025 },
		{ .backend = variant->backend, .batch = UINT_MAX },
		{ .backend = variant->backend, .event_interval = 65536 },
		{ .backend = variant->backend, .flags = 1U << 31 },
		{ .backend = (enum knell_backend)17 },
		{ .backend = KNELL_BACKEND_PIDFD, .flags = KNELL_LOOP_FD },
	};
	const struct knell_loop_attr good[] = {
		{ .backend = variant->backend, .batch = 1024, .event_interval = 65535 },
		{ .backend = variant->backend, .batch = 1, .event_interval = 1, .name = "" },
		{ .backend = variant->backend, .flags = KNELL_LOOP_PAUSED | KNELL_LOOP_NO_CPU },
		{ .backend = variant->backend, .yield_slot_ns = KNELL_NEVER,
		  .warn_cpu_ns = KNELL_NEVER, .warn_wall_ns = KNELL_NEVER,
		  .warn_late_ns = KNELL_NEVER },
	};
	struct knell_loop *l;
	int error;

	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		EXPECT_EQ(NULL, refused_loop(&bad[i], &error));
		EXPECT_EQ(EINVAL, error);
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(good); i++) {
		l = knell_loop_new(&good[i]);
		ASSERT_NE(NULL, l);
		EXPECT_STREQ(good[i].name ? good[i].name : "main", knell_loop_name(l));
		ASSERT_TASK(knell_add_event(l, cb_nothing, NULL, 0));
		EXPECT_EQ(0, knell_loop_run(l, KNELL_RUN_DEFAULT));
		knell_loop_free(l);
	}
	/* No attributes at all: whichever backend there is. */
	l = knell_loop_new(NULL);
	ASSERT_NE(NULL, l);
	EXPECT_STREQ("main", knell_loop_name(l));
	EXPECT_EQ(access("/dev/knell", R_OK | W_OK) ? KNELL_BACKEND_PIDFD : KNELL_BACKEND_KERNEL,
		  knell_loop_backend(l));
	knell_loop_free(l);
	knell_loop_free(NULL);
	EXPECT_STREQ("test", knell_loop_name(self->l));
	EXPECT_NE(NULL, knell_version());
	EXPECT_NE(NULL, strchr(knell_version(), '.'));
}

/* A device that is none, or that is not ours. */
LOOP_TEST(hostile, devices)
{
	struct knell_loop_attr attr = { .backend = KNELL_BACKEND_KERNEL };
	struct knell_loop *l;
	int error, fd;

	attr.device = "/nonexistent/knell";
	EXPECT_EQ(NULL, refused_loop(&attr, &error));
	EXPECT_EQ(ENOENT, error);
	attr.device = "/dev/null";
	EXPECT_EQ(NULL, refused_loop(&attr, &error));
	EXPECT_NE(0, error);
	attr.device = "/proc/self/exe";
	EXPECT_EQ(NULL, refused_loop(&attr, &error));
	EXPECT_NE(0, error);
	/* By AUTO the other backend takes over. */
	attr.backend = KNELL_BACKEND_AUTO;
	attr.device = "/nonexistent/knell";
	l = knell_loop_new(&attr);
	ASSERT_NE(NULL, l);
	EXPECT_EQ(KNELL_BACKEND_PIDFD, knell_loop_backend(l));
	knell_loop_free(l);
	/* A descriptor that was given is not taken for one. */
	attr = (struct knell_loop_attr){
		.backend = KNELL_BACKEND_KERNEL, .flags = KNELL_LOOP_FD, .fd = -1,
	};
	EXPECT_EQ(NULL, refused_loop(&attr, &error));
	EXPECT_EQ(EBADF, error);
	fd = readable_fd();
	attr.fd = fd;
	EXPECT_EQ(NULL, refused_loop(&attr, &error));
	EXPECT_NE(0, error);
	close(fd);
}

/* No callback, no kind, no flag that is known. */
LOOP_TEST(hostile, add)
{
	static const struct knell_site site = { "f", "file", 1 };
	struct knell_loop *l = self->l;
	int fd = readable_fd();

	EXPECT_NO_TASK(EINVAL, knell_add_event_site(l, &site, NULL, NULL, KNELL_KIND_EVENT, 0));
	EXPECT_NO_TASK(EINVAL, knell_add_event_site(l, &site, cb_nothing, NULL, KNELL_KIND_TIMER, 0));
	EXPECT_NO_TASK(EINVAL, knell_add_event_site(l, &site, cb_nothing, NULL, KNELL_KINDS, 0));
	EXPECT_NO_TASK(EINVAL, knell_add_event_site(l, &site, cb_nothing, NULL, 1 << 20, 0));
	EXPECT_NO_TASK(EINVAL, knell_add_timer_site(l, &site, NULL, NULL, 1, 0));
	EXPECT_NO_TASK(EINVAL, knell_add_timer_at_site(l, &site, NULL, NULL, CLOCK_MONOTONIC, 1));
	EXPECT_NO_TASK(EINVAL, knell_add_background_site(l, &site, NULL, NULL, 1, 0));
	EXPECT_NO_TASK(EINVAL, knell_add_background_site(l, &site, cb_nothing, NULL, 1, 1U << 31));
	EXPECT_NO_TASK(EOVERFLOW, knell_add_background_site(l, &site, cb_nothing, NULL, UINT64_MAX, 0));
	EXPECT_NO_TASK(EINVAL, knell_add_io_site(l, &site, NULL, NULL, KNELL_KIND_READ, fd));
	EXPECT_NO_TASK(EINVAL, knell_add_io_site(l, &site, cb_nothing, NULL, KNELL_KIND_EVENT, fd));
	EXPECT_NO_TASK(EINVAL, knell_add_signal_site(l, &site, NULL, NULL, SIGUSR1));
	EXPECT_NO_TASK(EINVAL, knell_add_child_site(l, &site, NULL, NULL, getppid(), 0));
	EXPECT_NO_TASK(EINVAL, knell_add_children_site(l, &site, NULL, NULL, 0));
	EXPECT_EQ(-EINVAL, knell_execute_site(l, &site, NULL, NULL, 0));
	EXPECT_EQ(-EINVAL, knell_add_prepare(l, NULL, NULL));
	EXPECT_EQ(-EINVAL, knell_add_check(l, NULL, NULL));
	EXPECT_EQ(-ENOENT, knell_del_hook(l, NULL, NULL));
	EXPECT_EQ(0, stats_of(l).tasks);
	EXPECT_EQ(0, knell_loop_run(l, KNELL_RUN_DEFAULT));
	/* No call site is no harm. */
	ASSERT_TASK(knell_add_event_site(l, NULL, cb_count, NULL, KNELL_KIND_EVENT, 0));
	ASSERT_TASK(knell_add_timer_site(l, NULL, cb_count, NULL, 0, 0));
	ASSERT_EQ(0, knell_post_site(l, NULL, cb_count, NULL, 0));
	EXPECT_EQ(0, knell_loop_run(l, KNELL_RUN_DEFAULT));
	EXPECT_EQ(3, counted);
	close(fd);
}

/* No descriptors: neither for a loop nor for what one needs later. */
LOOP_TEST(hostile, no_descriptors)
{
	const struct knell_loop_attr attr = { .backend = variant->backend };
	struct rlimit rl, none;
	pid_t pid = idle_child();
	knell_task t;
	int error;

	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &rl));
	ASSERT_TASK(knell_add_timer_ms(self->l, cb_trace, "timer", 1));
	none = rl;
	/* Whatever is open stays so; each limit on the way gives something else up. */
	for (rlim_t limit = 0; limit < 16; limit++) {
		struct knell_loop *l;

		none.rlim_cur = limit;
		ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &none));
		l = refused_loop(&attr, &error);
		if (l) {
			knell_loop_free(l);
			continue;
		}
		EXPECT_EQ(EMFILE, error);
		t = knell_add_child(self->l, cb_trace, "child", pid, 0);
		if (KERNEL)
			EXPECT_FALSE(knell_is_none(t));
		if (!knell_is_none(t))
			EXPECT_EQ(1, knell_cancel(self->l, t));
	}
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_STREQ("timer", trace);
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &rl));
	kill(pid, SIGKILL);
	child_status(pid);
}

/* A loop made and freed many times leaves nothing behind. */
LOOP_TEST(hostile, nothing_is_left)
{
	unsigned int fds = nr_open_fds(), threads = nr_threads();
	pid_t pid = idle_child();
	int fd = readable_fd();

	for (int i = 0; i < 100; i++) {
		struct knell_loop *l = new_loop(variant->backend);

		ASSERT_NE(NULL, l);
		ASSERT_TASK(knell_add_read(l, cb_nothing, NULL, fd));
		ASSERT_TASK(knell_add_child(l, cb_nothing, NULL, pid, 0));
		ASSERT_TASK(knell_add_signal(l, cb_nothing, NULL, SIGUSR1));
		ASSERT_TASK(knell_add_timer(l, cb_nothing, NULL, 1));
		ASSERT_TASK(knell_add_timer_at(l, cb_nothing, NULL, CLOCK_REALTIME, UINT64_MAX / 4));
		ASSERT_LE(0, knell_loop_fd(l));
		ASSERT_EQ(1, knell_loop_run(l, KNELL_RUN_NOWAIT));
		knell_loop_free(l);
	}
	close(fd);
	kill(pid, SIGKILL);
	child_status(pid);
	EXPECT_EQ(fds, nr_open_fds());
	EXPECT_EQ(threads, nr_threads());
}

/*
 * At random: thousands of adds, cancels, runs, of valid and invalid names and numbers. What is
 * asserted is what must hold whatever happens; the rest is for the sanitizers.
 */

static unsigned long ran_after_cancel;
static struct { knell_task task; bool cancelled; } random_tasks[256];

static void random_cb(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	uintptr_t slot = (uintptr_t)arg;

	(void)l;
	if (random_tasks[slot].cancelled && random_tasks[slot].task.gen == call->task.gen)
		ran_after_cancel++;
	counted++;
}

static knell_task random_add(struct knell_loop *l, uint64_t r, uintptr_t slot, const int *fds)
{
	void *arg = (void *)slot;

	switch (r % 11) {
	case 0:
		return knell_add_event(l, random_cb, arg, r >> 8);
	case 1:
		return knell_add_ready(l, random_cb, arg, r >> 8);
	case 2:
		return knell_add_timer_ns(l, random_cb, arg, r >> 8 & 0xfffff);
	case 3:
		return knell_add_timer_site(l, KNELL_SITE(random_cb), random_cb, arg,
					    r >> 8 & 0xfffff, r >> 30 & 0xffffff);
	case 4:
		return knell_add_background(l, random_cb, arg, r >> 8 & 1);
	case 5:
		return knell_add_read(l, random_cb, arg, fds[r >> 8 & 3]);
	case 6:
		return knell_add_write(l, random_cb, arg, fds[r >> 8 & 3]);
	case 7:
		return knell_add_signal(l, random_cb, arg, (r >> 8 & 1) ? SIGUSR1 : SIGUSR2);
	case 8:
		return knell_add_read(l, random_cb, arg, (int)(r >> 8 & 0xffff) - 100);
	case 9:
		return knell_add_child(l, random_cb, arg, (pid_t)(r >> 8 & 0xffff) - 10, 0);
	default:
		return knell_add_idle(l, random_cb, arg, r >> 8 & 1);
	}
}

static void random_step(struct knell_loop *l, uint64_t r, const int *fds)
{
	uintptr_t slot = r >> 40 & 255;
	knell_task *t = &random_tasks[slot].task;

	switch (r % 8) {
	case 0:
	case 1:
	case 2:
		knell_cancel(l, *t);
		*t = random_add(l, r >> 3, slot, fds);
		random_tasks[slot].cancelled = false;
		break;
	case 3:
		random_tasks[slot].cancelled = knell_cancel(l, *t) == 1;
		break;
	case 4:
		if (r >> 8 & 1)
			raise(r >> 9 & 1 ? SIGUSR1 : SIGUSR2);
		break;
	case 5:
		knell_timer_set_slack(l, *t, r >> 8 & 0xffff);
		knell_timer_remaining_ns(l, *t);
		knell_set_warn(l, *t, r >> 8 & 0xff, 0, 0);
		break;
	case 6:
		if (r >> 8 & 1)
			knell_post(l, cb_nothing, NULL, 0);
		else if ((r >> 9 & 15) == 0)
			knell_cancel_arg(l, (void *)slot, r >> 16 & KNELL_MASK_ALL);
		break;
	default:
		knell_loop_run(l, KNELL_RUN_NOWAIT);
	}
}

LOOP_TEST(hostile, at_random)
{
	const unsigned int nr = times(30000);
	uint64_t seed = 0x243f6a8885a308d3ULL;
	int fds[4], pair[2];

	signal(SIGUSR1, SIG_IGN);
	signal(SIGUSR2, SIG_IGN);
	make_pipe(pair);
	fds[0] = pair[0];
	fds[1] = pair[1];
	fds[2] = readable_fd();
	fds[3] = open("/dev/null", O_RDWR | O_CLOEXEC);
	TH_LOG("seed %#jx", (uintmax_t)seed);
	for (unsigned int i = 0; i < nr; i++)
		random_step(self->l, next_random(&seed), fds);
	EXPECT_LT(nr / 100, counted);
	EXPECT_EQ(0, ran_after_cancel);
	for (int i = 0; i < 256; i++)
		knell_cancel(self->l, random_tasks[i].task);
	while (knell_loop_run(self->l, KNELL_RUN_NOWAIT) == 1 && stats_of(self->l).tasks)
		knell_cancel_arg(self->l, NULL, KNELL_MASK_ALL);
	EXPECT_EQ(0, knell_loop_run(self->l, KNELL_RUN_NOWAIT));
	for (int i = 0; i < 4; i++)
		close(fds[i]);
}

LIBKNELL_MAIN
