// SPDX-License-Identifier: GPL-2.0-only
/*
 * A loop on the kernel's queue: one system call a turn, no file kept open, descriptors that
 * cannot be watched, clocks that are set, records of the program's own, queues that are taken
 * over, a loop in a loop. runner-limit: 600
 */
#include "common.h"

#include <linux/knell.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#define QUOTA_PARAM	"/sys/module/knell/parameters/max_user_watches"

KERNEL_FIXTURE(queue);

static int got_fd, got_error;
static uint32_t got_revents;

static void note_io(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	(void)l;
	counted++;
	got_fd = call->io.fd;
	got_revents = call->io.revents;
	got_error = call->io.error;
	if (arg)
		traced("%s", (const char *)arg);
}

/*
 * System calls
 */

static unsigned int turns;
static int ping[2];

static void ping_once(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	char c;

	(void)arg;
	if (read(call->io.fd, &c, 1) != 1 || !turns--)
		return;
	if (write(ping[1], "x", 1) != 1)
		return;
	knell_add_read(l, ping_once, NULL, ping[0]);
}

static void tick(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	(void)call;
	(void)arg;
	if (turns--)
		knell_add_timer_ns(l, tick, NULL, 1000);
}

LOOP_TEST(queue, one_call_a_turn)
{
	struct knell_stats before, after;

	/* Reading its CPU time is one, too. */
	knell_set_cpu_accounting(self->l, false);

	make_pipe(ping);
	turns = 1000;
	ASSERT_EQ(1, write(ping[1], "x", 1));
	ASSERT_TASK(knell_add_read(self->l, ping_once, NULL, ping[0]));
	before = stats_of(self->l);
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	after = stats_of(self->l);
	EXPECT_EQ(1001, after.dispatched - before.dispatched);
	EXPECT_LE(after.syscalls - before.syscalls, 1002);
	turns = 1000;
	ASSERT_TASK(knell_add_timer_ns(self->l, tick, NULL, 1000));
	before = stats_of(self->l);
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	after = stats_of(self->l);
	EXPECT_EQ(1001, after.dispatched - before.dispatched);
	EXPECT_LE(after.syscalls - before.syscalls, 1002);
}

/*
 * Files
 */

/* What is at the other end of @fd: 0 it was closed, 1 it is open. */
static int other_end_is_open(int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLOUT };

	return poll(&pfd, 1, 0) >= 0 && !(pfd.revents & POLLERR);
}

static knell_task waiting;
static int to_close;

static void cancel_and_close(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	(void)call;
	(void)arg;
	counted += 1 - knell_cancel(l, waiting);
	close(to_close);
}

/* After a cancel in a task, in the last one of a run, outside of one, and after the callback. */
LOOP_TEST(queue, no_file_is_kept_open)
{
	int fds[2];

	make_pipe(fds);
	waiting = knell_add_read(self->l, note_io, NULL, fds[0]);
	ASSERT_EQ(1, run_passes(self->l, 2));
	to_close = fds[0];
	ASSERT_TASK(knell_add_event(self->l, cancel_and_close, NULL, 0));
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_EQ(0, other_end_is_open(fds[1]));
	close(fds[1]);

	make_pipe(fds);
	waiting = knell_add_read(self->l, note_io, NULL, fds[0]);
	ASSERT_EQ(1, run_passes(self->l, 2));
	ASSERT_EQ(1, knell_cancel(self->l, waiting));
	close(fds[0]);
	EXPECT_EQ(0, other_end_is_open(fds[1]));
	close(fds[1]);

	make_pipe(fds);
	waiting = knell_add_read(self->l, note_io, NULL, fds[0]);
	ASSERT_EQ(1, run_passes(self->l, 2));
	ASSERT_EQ(1, knell_cancel_arg(self->l, NULL, KNELL_MASK_ALL));
	close(fds[0]);
	EXPECT_EQ(0, other_end_is_open(fds[1]));
	close(fds[1]);

	make_pipe(fds);
	ASSERT_TASK(knell_add_read(self->l, note_io, NULL, fds[0]));
	ASSERT_EQ(1, write(fds[1], "x", 1));
	counted = 0;
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_EQ(1, counted);
	close(fds[0]);
	EXPECT_EQ(0, other_end_is_open(fds[1]));
	close(fds[1]);
}

static int old_pipe[2], new_pipe[2];

/* The watch is of the file, not of its number. */
LOOP_TEST(queue, a_number_used_anew)
{
	int number;
	knell_task t;

	make_pipe(old_pipe);
	make_pipe(new_pipe);
	number = old_pipe[0];
	t = knell_add_read(self->l, note_io, "old", number);
	ASSERT_EQ(1, run_passes(self->l, 2));
	ASSERT_EQ(1, knell_cancel(self->l, t));
	ASSERT_EQ(number, dup2(new_pipe[0], number));
	ASSERT_TASK(knell_add_read(self->l, note_io, "new", number));
	ASSERT_EQ(1, run_passes(self->l, 2));
	EXPECT_EQ(0, counted);
	ASSERT_EQ(1, write(new_pipe[1], "x", 1));
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_STREQ("new", trace);
	EXPECT_EQ(0, other_end_is_open(old_pipe[1]));
}

/* And within one run, with a record of the old one that nobody has read. */
static void swap_and_add(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	(void)call;
	(void)arg;
	if (write(old_pipe[1], "x", 1) != 1)
		abort();
	knell_cancel(l, waiting);
	dup2(new_pipe[0], to_close);
	waiting = knell_add_read(l, note_io, "new", to_close);
}

LOOP_TEST(queue, a_number_used_anew_while_it_was_ready)
{
	make_pipe(old_pipe);
	make_pipe(new_pipe);
	to_close = old_pipe[0];
	waiting = knell_add_read(self->l, note_io, "old", old_pipe[0]);
	ASSERT_EQ(1, run_passes(self->l, 2));
	ASSERT_TASK(knell_add_event(self->l, swap_and_add, NULL, 0));
	ASSERT_EQ(1, run_passes(self->l, 5));
	EXPECT_EQ(0, counted);
	EXPECT_EQ(0, other_end_is_open(old_pipe[1]));
	ASSERT_EQ(1, write(new_pipe[1], "x", 1));
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_STREQ("new", trace);
	EXPECT_EQ(to_close, got_fd);
}

LOOP_TEST(queue, what_cannot_be_watched)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	ASSERT_LE(0, fd);
	ASSERT_TASK(knell_add_read(self->l, note_io, NULL, fd));
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_EQ(EPOLLIN, got_revents);
	EXPECT_EQ(0, got_error);
	ASSERT_TASK(knell_add_write(self->l, note_io, NULL, fd));
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_EQ(EPOLLOUT, got_revents);
	EXPECT_EQ(0, got_error);
	close(fd);
	ASSERT_TASK(knell_add_read(self->l, note_io, NULL, fd));
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_EQ(EPOLLERR, got_revents);
	EXPECT_EQ(-EBADF, got_error);
	fd = epoll_create1(EPOLL_CLOEXEC);
	ASSERT_TASK(knell_add_read(self->l, note_io, NULL, fd));
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_EQ(EPOLLERR, got_revents);
	EXPECT_EQ(-ELOOP, got_error);
	EXPECT_EQ(4, counted);
}

/* More ops than one call takes. */
LOOP_TEST(queue, many_at_once)
{
	enum { NR = 3000 };
	struct rlimit limit = { 2 * NR, 2 * NR };
	static int fd[NR];
	int fds[2];

	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
	make_pipe(fds);
	for (int i = 0; i < NR; i++) {
		fd[i] = dup(fds[0]);
		ASSERT_LE(0, fd[i]);
		ASSERT_TASK(knell_add_read(self->l, note_io, NULL, fd[i]));
	}
	ASSERT_EQ(1, run_passes(self->l, 2));
	ASSERT_EQ(0, counted);
	ASSERT_EQ(1, write(fds[1], "x", 1));
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_EQ(NR, counted);
	for (int i = 0; i < NR; i++)
		ASSERT_TASK(knell_add_read(self->l, note_io, NULL, fd[i]));
	ASSERT_EQ(1, run_passes(self->l, 1));
	EXPECT_LE(1, knell_cancel_arg(self->l, NULL, KNELL_MASK(KNELL_KIND_READ)));
}

/* As an ordinary user with room for a few watches: what does not fit is said so. */
static int at_the_quota(void)
{
	struct knell_loop *l;
	int fd[8];

	CHECK(!setgid(1000) && !setuid(1000));
	l = new_loop(KNELL_BACKEND_KERNEL);
	CHECK(l);
	for (int i = 0; i < 8; i++) {
		int fds[2];

		make_pipe(fds);
		fd[i] = fds[0];
		CHECK(!knell_is_none(knell_add_read(l, note_io, NULL, fd[i])));
	}
	CHECK(run_passes(l, 3) == 1);
	/* Of four one is the bell. */
	CHECK(counted == 5);
	CHECK(got_error == -ENOSPC && got_revents == EPOLLERR);
	CHECK(knell_is_none(knell_add_child(l, cb_nothing, NULL, getppid(), 0)) && errno == ENOSPC);
	CHECK(knell_is_none(knell_add_children(l, cb_nothing, NULL, 0)) && errno == ENOSPC);
	CHECK(knell_is_none(knell_add_tree(l, cb_nothing, NULL, "t", KNELL_TREE_NEXT)) &&
	      errno == ENOSPC);
	CHECK(knell_loop_fd(l) == -ENOSPC);
	knell_loop_free(l);
	return 0;
}

static void write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		abort();
	close(fd);
}

LOOP_TEST(queue, quota)
{
	char was[32];
	FILE *f = fopen(QUOTA_PARAM, "r");
	pid_t pid;

	ASSERT_NE(NULL, f);
	ASSERT_NE(NULL, fgets(was, sizeof(was), f));
	fclose(f);
	write_text(QUOTA_PARAM, "4");
	ASSERT_EQ(0, chmod(KNELL_DEVICE, 0666));
	pid = fork();
	if (!pid)
		_exit(at_the_quota());
	EXPECT_EQ(0, child_status(pid));
	chmod(KNELL_DEVICE, 0600);
	write_text(QUOTA_PARAM, was);
}

/*
 * Clocks
 */

static uint64_t ran_at;

static void note_time(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	(void)l;
	(void)arg;
	(void)call;
	ran_at = clock_ns(CLOCK_REALTIME);
	counted++;
}

static void set_clock(void *arg)
{
	const uint64_t *to = arg;
	const struct timespec ts = { .tv_sec = *to / SEC, .tv_nsec = *to % SEC };

	clock_settime(CLOCK_REALTIME, &ts);
}

/* A clock that is set while the loop sleeps brings its timers forward. */
LOOP_TEST(queue, clock_is_set)
{
	uint64_t now = clock_ns(CLOCK_REALTIME), mono = now_ns(), due = now + 24 * HOUR, to;
	struct meanwhile m;

	to = due + SEC;
	ASSERT_TASK(knell_add_timer_at(self->l, note_time, NULL, CLOCK_REALTIME, due));
	meanwhile(&m, set_clock, &to);
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	meanwhile_done(&m);
	EXPECT_EQ(1, counted);
	EXPECT_GE(ran_at, due);
	to = now + (now_ns() - mono);
	set_clock(&to);
}

/* Sleeps until the time has come, and then it has not. */
static void set_back(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	const uint64_t *due = arg;
	uint64_t to = *due - 200 * MSEC;

	(void)l;
	(void)call;
	while (clock_ns(CLOCK_REALTIME) <= *due)
		sleep_ns(10 * MSEC);
	set_clock(&to);
}

/* One that is put back puts them off, also if the kernel's timer has just run out. */
LOOP_TEST(queue, clock_is_put_back)
{
	uint64_t now = clock_ns(CLOCK_REALTIME), mono = now_ns(), due = now + 200 * MSEC, to;

	ASSERT_TASK(knell_add_timer_at(self->l, note_time, NULL, CLOCK_REALTIME, due));
	ASSERT_EQ(1, run_passes(self->l, 2));
	ASSERT_TASK(knell_add_timer_ms(self->l, set_back, &due, 20));
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_EQ(1, counted);
	EXPECT_GE(ran_at, due);
	to = now + (now_ns() - mono);
	set_clock(&to);
}

LOOP_TEST(queue, other_clocks)
{
	uint64_t boot = clock_ns(CLOCK_BOOTTIME);

	ASSERT_TASK(knell_add_timer_at(self->l, cb_trace, "past", CLOCK_REALTIME, 1));
	ASSERT_TASK(knell_add_timer_at(self->l, cb_trace, "soon", CLOCK_BOOTTIME, boot + MSEC));
	ASSERT_TASK(knell_add_timer_at(self->l, cb_trace, "never", CLOCK_BOOTTIME,
				       KNELL_NEVER - 1));
	for (int i = 0; i < 10 && !strstr(trace, "soon"); i++)
		ASSERT_EQ(1, knell_loop_run(self->l, KNELL_RUN_ONCE));
	EXPECT_STREQ("past soon", trace);
}

/*
 * A loop in a loop
 */

static bool readable(int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };

	return poll(&pfd, 1, 0) == 1;
}

static void await_readable(int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };

	while (poll(&pfd, 1, -1) != 1)
		;
}

static void *post_one(void *arg)
{
	knell_post(arg, cb_trace, "post", 0);
	return NULL;
}

/* Its descriptor can be read when there is something, and not afterwards. */
LOOP_TEST(queue, embedded)
{
	int fd = knell_loop_fd(self->l), fds[2];
	pthread_t thread;
	pid_t pid;

	make_pipe(fds);
	ASSERT_LE(0, fd);
	EXPECT_FALSE(readable(fd));
	ASSERT_TASK(knell_add_event(self->l, cb_trace, "event", 0));
	EXPECT_TRUE(readable(fd));
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_NOWAIT));
	EXPECT_FALSE(readable(fd));
	ASSERT_TASK(knell_add_timer_ms(self->l, cb_trace, "timer", 20));
	await_readable(fd);
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_NOWAIT));
	EXPECT_FALSE(readable(fd));
	ASSERT_TASK(knell_add_read(self->l, cb_trace, "read", fds[0]));
	EXPECT_FALSE(readable(fd));
	ASSERT_EQ(1, write(fds[1], "x", 1));
	EXPECT_TRUE(readable(fd));
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_NOWAIT));
	EXPECT_FALSE(readable(fd));
	ASSERT_TASK(knell_add_read(self->l, cb_trace, "error", 4095));
	EXPECT_TRUE(readable(fd));
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_NOWAIT));
	EXPECT_FALSE(readable(fd));
	ASSERT_EQ(0, pthread_create(&thread, NULL, post_one, self->l));
	pthread_join(thread, NULL);
	EXPECT_TRUE(readable(fd));
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_NOWAIT));
	EXPECT_FALSE(readable(fd));
	ASSERT_TASK(knell_add_children(self->l, cb_trace, "child", KNELL_CHILD_AUTOREAP));
	while (readable(fd))
		ASSERT_EQ(1, knell_loop_run(self->l, KNELL_RUN_NOWAIT));
	pid = exiting_child(0);
	await_readable(fd);
	while (readable(fd))
		ASSERT_EQ(1, knell_loop_run(self->l, KNELL_RUN_NOWAIT));
	EXPECT_EQ(-ECHILD, child_status(pid));
	EXPECT_STREQ("event timer read error post child", trace);
}

/*
 * Records of the program's own
 */

static uint64_t got_token, got_value;

static void note_record(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	(void)l;
	(void)arg;
	got_token = call->record->token;
	got_value = call->record->user.value;
	counted++;
}

LOOP_TEST(queue, records)
{
	struct knell_op op = { .op = KNELL_OP_ADD, .type = KNELL_USER, .token = 77 };
	struct knell_op ring = { .op = KNELL_OP_TRIGGER };
	int fds[2];
	knell_task t = knell_add_record(self->l, note_record, NULL);

	ASSERT_TASK(t);
	EXPECT_NO_TASK(EEXIST, knell_add_record(self->l, note_record, NULL));
	ASSERT_EQ(1, knell_submit(self->l, &op, 1, 0));
	ASSERT_EQ(0, op.result);
	ring.watch = op.watch;
	ring.user.value = 5;
	ASSERT_EQ(1, knell_submit(self->l, &ring, 1, 0));
	ASSERT_EQ(1, knell_loop_run(self->l, KNELL_RUN_ONCE));
	EXPECT_EQ(1, counted);
	EXPECT_EQ(77, got_token);
	EXPECT_EQ(5, got_value);
	ring.user.value = 6;
	ASSERT_EQ(0, knell_submit_later(self->l, &ring));
	EXPECT_EQ(1, counted);
	ASSERT_EQ(1, knell_loop_run(self->l, KNELL_RUN_ONCE));
	EXPECT_EQ(2, counted);
	EXPECT_EQ(6, got_value);
	/* Those tokens are not for others. */
	op = (struct knell_op){ .op = KNELL_OP_ADD, .type = KNELL_USER, .token = 1ULL << 63 };
	EXPECT_EQ(-EINVAL, knell_submit(self->l, &op, 1, 0));
	EXPECT_EQ(-EINVAL, knell_submit_later(self->l, &op));
	/* Nobody hears it. */
	ASSERT_EQ(1, knell_cancel(self->l, t));
	ASSERT_EQ(1, knell_submit(self->l, &ring, 1, 0));
	make_pipe(fds);
	ASSERT_TASK(knell_add_read(self->l, cb_nothing, NULL, fds[0]));
	ASSERT_EQ(1, run_passes(self->l, 2));
	EXPECT_EQ(2, counted);
	EXPECT_EQ(1, stats_of(self->l).dropped);
}

/*
 * Queues that are kept
 */

/* Keeps the queue, and is its holder that has died. */
static pid_t dead_holder(int fd, const char *name)
{
	pid_t pid = fork();

	if (!pid)
		_exit(knell_queue_keep(fd, name) ? 1 : 0);
	return child_status(pid) ? -1 : pid;
}

struct canceller {
	struct knell_loop *l;
	knell_task task;
	_Atomic pid_t tid;
};

static void *cancels(void *arg)
{
	struct canceller *c = arg;

	atomic_store(&c->tid, own_tid());
	return (void *)(intptr_t)knell_cancel_sync(c->l, c->task);
}

LOOP_TEST(queue, taken_over)
{
	int door = knell_queue_open(NULL), fd = knell_queue_open(NULL), new;
	struct knell_loop_attr attr = { .flags = KNELL_LOOP_FD, .fd = fd };
	struct knell_op op = { .op = KNELL_OP_ADD, .type = KNELL_USER, .token = 5 };
	struct knell_watch_info *all;
	struct knell_loop *old = knell_loop_new(&attr), *l;
	struct canceller c = { .l = old };
	pthread_t thread;
	void *ret;

	ASSERT_NE(NULL, old);
	EXPECT_EQ(-EINVAL, knell_queue_keep(fd, ""));
	EXPECT_EQ(-ENOENT, knell_queue_attach(door, "taken_over"));
	ASSERT_TASK(knell_add_children(old, cb_nothing, NULL, 0));
	ASSERT_TASK(knell_add_timer(old, cb_nothing, NULL, 3600));
	ASSERT_TASK(knell_add_timer_at(old, cb_nothing, NULL, CLOCK_BOOTTIME, KNELL_NEVER / 4));
	ASSERT_EQ(1, knell_loop_run(old, KNELL_RUN_NOWAIT));
	ASSERT_EQ(1, knell_submit(old, &op, 1, 0));
	ASSERT_LT(0, dead_holder(fd, "taken_over"));
	EXPECT_EQ(-EBUSY, knell_queue_keep(fd, "other"));
	new = knell_queue_attach(door, "taken_over");
	ASSERT_LE(0, new);
	/* The old one is of no more use, and says so, to whom waits for it, too. */
	c.task = knell_add_event(old, cb_nothing, NULL, 0);
	ASSERT_EQ(0, pthread_create(&thread, NULL, cancels, &c));
	while (!atomic_load(&c.tid))
		sched_yield();
	wait_asleep(getpid(), c.tid);
	EXPECT_EQ(-ESTALE, knell_loop_run(old, KNELL_RUN_DEFAULT));
	EXPECT_EQ(-ESTALE, knell_loop_run(old, KNELL_RUN_DEFAULT));
	ASSERT_EQ(0, pthread_join(thread, &ret));
	EXPECT_NE(-ESTALE, (int)(intptr_t)ret);
	ASSERT_EQ(0, pthread_create(&thread, NULL, cancels, &c));
	ASSERT_EQ(0, pthread_join(thread, &ret));
	EXPECT_EQ(-ESTALE, (int)(intptr_t)ret);
	knell_loop_free(old);
	/* The new one has what the program has put there, and nothing of the old loop's. */
	attr.fd = new;
	l = knell_loop_new(&attr);
	ASSERT_NE(NULL, l);
	ASSERT_EQ(2, knell_queue_list(new, &all));
	EXPECT_EQ(5, all[0].token);
	free(all);
	ASSERT_TASK(knell_add_record(l, note_record, NULL));
	op = (struct knell_op){ .op = KNELL_OP_TRIGGER, .watch = op.watch };
	op.user.value = 9;
	ASSERT_EQ(1, knell_submit(l, &op, 1, 0));
	ASSERT_EQ(1, knell_loop_run(l, KNELL_RUN_ONCE));
	EXPECT_EQ(5, got_token);
	EXPECT_EQ(9, got_value);
	EXPECT_EQ(0, knell_queue_unkeep(new, "taken_over"));
	EXPECT_EQ(-ENOENT, knell_queue_unkeep(new, "taken_over"));
	knell_loop_free(l);
	close(door);
}

LOOP_TEST(queue, list_of_many)
{
	enum { NR = 500 };
	int fd = knell_queue_open(NULL);
	struct knell_submit s = { .nr_ops = 1 };
	struct knell_watch_info *all;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, knell_queue_list(fd, &all));
	free(all);
	for (uint64_t i = 0; i < NR; i++) {
		struct knell_op op = { .op = KNELL_OP_ADD, .type = KNELL_USER, .token = i };

		s.ops = (uintptr_t)&op;
		ASSERT_EQ(0, ioctl(fd, KNELL_IOC_SUBMIT, &s));
		ASSERT_EQ(0, op.result);
	}
	ASSERT_EQ(NR, knell_queue_list(fd, &all));
	for (uint64_t i = 0; i < NR; i++)
		ASSERT_EQ(i, all[i].token);
	free(all);
	close(fd);
	EXPECT_EQ(-EBADF, knell_queue_list(fd, &all));
	EXPECT_EQ(-ENOENT, knell_queue_open("/dev/there-is-none"));
}

static void post_meanwhile(void *arg)
{
	post_one(arg);
}

/* Not a queue; one that is open without waiting. */
LOOP_TEST(queue, descriptor_that_is_given)
{
	struct knell_loop_attr attr = { .flags = KNELL_LOOP_FD };
	struct knell_loop *l;
	struct meanwhile m;
	int fds[2];

	make_pipe(fds);
	attr.fd = fds[0];
	errno = 0;
	EXPECT_EQ(NULL, knell_loop_new(&attr));
	EXPECT_EQ(EPROTO, errno);
	/* It is still the caller's. */
	EXPECT_LE(0, fcntl(fds[0], F_GETFD));
	attr.fd = -1;
	EXPECT_EQ(NULL, knell_loop_new(&attr));
	EXPECT_EQ(EBADF, errno);
	attr.fd = open(KNELL_DEVICE, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	l = knell_loop_new(&attr);
	ASSERT_NE(NULL, l);
	ASSERT_TASK(knell_add_read(l, cb_trace, "read", fds[0]));
	ASSERT_EQ(1, run_passes(l, 2));
	meanwhile(&m, post_meanwhile, l);
	ASSERT_EQ(1, knell_loop_run(l, KNELL_RUN_ONCE));
	meanwhile_done(&m);
	EXPECT_STREQ("post", trace);
	knell_loop_free(l);
	EXPECT_EQ(-1, fcntl(attr.fd, F_GETFD));
}

LIBKNELL_MAIN
