// SPDX-License-Identifier: GPL-2.0-only
/* What wakes an FD watch and says too little, and wait queues that go before it. */
#include "kselftest_harness.h"

#include <poll.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/stat.h>

#include "fd_fixture.h"

/*
 * Some do not say what they wake for. Then the file is asked when the record is
 * to be read: it tells what is ready, and is none if nothing is.
 */
TEST_F_TIMEOUT(fd, a_wake_that_does_not_say_for_what, LIMIT)
{
	struct knell_event ev[4];
	int64_t watch;
	int in;

	in = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	ASSERT_LE(0, in);
	ASSERT_LE(0, inotify_add_watch(in, "/tmp", IN_CREATE));
	watch = add_fd(self->fd, in, KNELL_OPF_EDGE, EPOLLIN | EPOLLOUT | EPOLLPRI);
	ASSERT_LT(0, watch);
	ASSERT_LT(0, add_fd(self->fd, self->bell, 0, EPOLLIN));
	ASSERT_EQ(0, mkdir("/tmp/one", 0755));
	ASSERT_EQ(0, ring_eventfd(self->bell));
	ASSERT_EQ(0, mkdir("/tmp/two", 0755));
	EXPECT_EQ(2, nr_pending(self->fd));
	ASSERT_EQ(2 * RECORD, read(self->fd, ev, sizeof(ev)));
	EXPECT_EQ(in, ev[0].token);
	EXPECT_EQ(EPOLLIN, ev[0].fd.events);
	EXPECT_EQ(self->bell, ev[1].token);

	/* Dealt with before the record was read: none comes, others do. */
	ASSERT_EQ(0, rmdir("/tmp/one"));
	ASSERT_EQ(0, mkdir("/tmp/one", 0755));
	ASSERT_EQ(0, mod_fd(self->fd, ev[1].watch, 0, EPOLLIN, self->bell));
	EXPECT_EQ(2, nr_pending(self->fd));
	while (read(in, ev, sizeof(ev)) > 0)
		;
	ASSERT_EQ(RECORD, read(self->fd, ev, sizeof(ev)));
	EXPECT_EQ(self->bell, ev[0].token);
	EXPECT_EQ(1, watch_state(self->fd, watch));
	EXPECT_EQ(0, nr_pending(self->fd));
	/* It is armed as before. */
	ASSERT_EQ(0, rmdir("/tmp/two"));
	ASSERT_EQ(0, mkdir("/tmp/two", 0755));
	EXPECT_EQ(EPOLLIN, wait_fd(self->fd));
	ASSERT_EQ(0, rmdir("/tmp/one"));
	ASSERT_EQ(0, rmdir("/tmp/two"));
	close(in);
}

/* Where there is no room for all, the others are looked at in their turn. */
TEST_F_TIMEOUT(fd, more_to_ask_than_is_read, LIMIT)
{
	static const char *const dir[] = { "/tmp/one", "/tmp/two", "/tmp/three" };
	struct knell_event ev[2];
	int in[3];

	for (int i = 0; i < 3; i++) {
		ASSERT_EQ(0, mkdir(dir[i], 0755));
		in[i] = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
		ASSERT_LE(0, inotify_add_watch(in[i], dir[i], IN_ATTRIB));
		ASSERT_LT(0, add_fd(self->fd, in[i], KNELL_OPF_EDGE, EPOLLIN));
		ASSERT_EQ(0, chmod(dir[i], 0700));
	}
	EXPECT_EQ(3, nr_pending(self->fd));
	ASSERT_EQ(RECORD, read(self->fd, ev, RECORD));
	EXPECT_EQ(in[0], ev[0].token);
	EXPECT_EQ(EPOLLIN, ev[0].fd.events);
	/* The second one's is dealt with before its turn. */
	while (read(in[1], (char[4096]){ 0 }, 4096) > 0)
		;
	EXPECT_EQ(2, nr_pending(self->fd));
	ASSERT_EQ(RECORD, read(self->fd, ev, 2 * RECORD));
	EXPECT_EQ(in[2], ev[0].token);
	EXPECT_EQ(EPOLLIN, ev[0].fd.events);
	EXPECT_EQ(0, nr_pending(self->fd));
	for (int i = 0; i < 3; i++) {
		close(in[i]);
		ASSERT_EQ(0, rmdir(dir[i]));
	}
}

static int new_signalfd(int sig)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, sig);
	return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

static void block_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, NULL);
}

/* A signalfd wakes for every signal, also one that it is not for. */
TEST_F_TIMEOUT(fd, somebody_elses_signal, LIMIT)
{
	struct signalfd_siginfo si;
	int64_t watch;
	int fd;

	block_signals();
	fd = new_signalfd(SIGUSR1);
	ASSERT_LE(0, fd);
	watch = add_fd(self->fd, fd, 0, EPOLLIN);
	ASSERT_LT(0, watch);
	ASSERT_EQ(0, kill(getpid(), SIGUSR2));
	EXPECT_EQ(2, watch_state(self->fd, watch));
	EXPECT_EQ(-1, take_fd(self->fd));
	EXPECT_EQ(1, watch_state(self->fd, watch));
	ASSERT_EQ(0, kill(getpid(), SIGUSR1));
	EXPECT_EQ(EPOLLIN, take_fd(self->fd));
	EXPECT_EQ(sizeof(si), read(fd, &si, sizeof(si)));
	close(fd);
}

/*
 * POLLFREE: the wait queue of a signalfd is the process's that added it, and
 * goes with it, while the file stays.
 */
static int add_signalfd(int queue, int fd, int disarm)
{
	if (add_watch(queue, op_fd(fd, 0, EPOLLIN, 1)) < 0)
		return 1;
	if (disarm) {
		kill(getpid(), SIGUSR1);
		if (take_fd(queue) != EPOLLIN)
			return 2;
	}
	return 0;
}

TEST_F_TIMEOUT(fd, a_wait_queue_that_goes_before_its_file, LIMIT)
{
	struct signalfd_siginfo si;
	struct knell_event ev;
	pid_t pid;
	int fd;

	block_signals();
	fd = new_signalfd(SIGUSR1);
	ASSERT_LE(0, fd);
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		_exit(add_signalfd(self->fd, fd, 0));
	ASSERT_EQ(0, child_status(pid));
	ASSERT_EQ(1, wait_event(self->fd, &ev));
	EXPECT_EQ(1, ev.token);
	EXPECT_EQ(EPOLLHUP, ev.fd.events);
	EXPECT_EQ(0, watch_state(self->fd, ev.watch));
	/* Whoever arms it again has it in his own. */
	ASSERT_EQ(0, mod_fd(self->fd, ev.watch, 0, EPOLLIN, 2));
	EXPECT_EQ(1, watch_state(self->fd, ev.watch));
	ASSERT_EQ(0, kill(getpid(), SIGUSR1));
	EXPECT_EQ(EPOLLIN, take_fd(self->fd));
	EXPECT_EQ(sizeof(si), read(fd, &si, sizeof(si)));
	ASSERT_EQ(0, del_watch(self->fd, ev.watch));

	/* One that is disarmed. */
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		_exit(add_signalfd(self->fd, fd, 1));
	ASSERT_EQ(0, child_status(pid));
	EXPECT_EQ(-1, take_fd(self->fd));
	EXPECT_EQ(1, nr_watches(self->fd));
	close(self->fd);
	self->fd = -1;
	close(fd);
}

/*
 * The same while the watch is ended from another CPU, now before and now after:
 * the time between follows what comes.
 */
TEST_F_TIMEOUT(fd, a_wait_queue_that_goes_with_its_watch, LIMIT)
{
	uint32_t *watch = shared(sizeof(*watch));
	struct knell_event ev;
	int i, fd, err, gone = 0;
	long pause = 1000, spin;
	pid_t pid;

	block_signals();
	/* Whoever reaps ends the wait queue: let it be the process itself. */
	catch_signal(SIGCHLD, SIG_DFL, SA_NOCLDWAIT);
	fd = new_signalfd(SIGUSR1);
	ASSERT_LE(0, fd);
	pin_to_cpu(0);
	for (i = 0; i < 300; i++) {
		*watch = 0;
		pid = fork();
		ASSERT_LE(0, pid);
		if (!pid) {
			struct knell_op op = op_fd(fd, KNELL_OPF_ONESHOT, EPOLLIN, i);

			pin_to_cpu(1);
			if (submit_op(self->fd, &op))
				op.watch = KNELL_LAST;
			__atomic_store_n(watch, op.watch, __ATOMIC_RELEASE);
			_exit(0);
		}
		while (!__atomic_load_n(watch, __ATOMIC_ACQUIRE))
			sched_yield();
		ASSERT_NE(KNELL_LAST, *watch);
		for (spin = 0; spin < pause; spin++)
			__asm__ volatile("");
		if (nr_pending(self->fd)) {
			gone++;
			pause -= pause / 8;
		} else {
			pause += pause / 8;
		}
		err = del_watch(self->fd, *watch);
		ASSERT_EQ(0, err);
		while (!kill(pid, 0))
			sched_yield();
		ASSERT_EQ(0, take(self->fd, &ev));
		ASSERT_EQ(0, nr_watches(self->fd));
	}
	EXPECT_LT(0, gone);
	EXPECT_GT(i, gone);
	close(fd);
}

TEST_HARNESS_MAIN
