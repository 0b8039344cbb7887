// SPDX-License-Identifier: GPL-2.0-only
/* FD watches of pipes, sockets, terminals, and the kernel's own descriptors. runner-limit: 150 */
#include "kselftest_harness.h"

#include <arpa/inet.h>
#include <mqueue.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <termios.h>

#include "fd_test.h"

QUEUE_FIXTURE(files)

/* Data in a pipe or socket until it takes no more. */
static void fill(int fd)
{
	static char page[4096];

	while (write(fd, page, sizeof(page)) > 0)
		;
}

static void empty(int fd)
{
	static char page[4096];

	while (read(fd, page, sizeof(page)) > 0)
		;
}

TEST_F_TIMEOUT(files, pipe, LIMIT)
{
	int64_t in, out;
	int p[2];

	ASSERT_EQ(0, pipe2(p, O_NONBLOCK | O_CLOEXEC));
	in = add_fd(self->fd, p[0], KNELL_OPF_EDGE, EPOLLIN);
	ASSERT_LT(0, in);
	fill(p[1]);
	EXPECT_EQ(EPOLLIN, take_fd(self->fd));
	out = add_fd(self->fd, p[1], 0, EPOLLOUT);
	ASSERT_LT(0, out);
	EXPECT_EQ(-1, take_fd(self->fd));
	empty(p[0]);
	EXPECT_EQ(EPOLLOUT, take_fd(self->fd));
	ASSERT_EQ(1, write(p[1], "x", 1));
	EXPECT_EQ(EPOLLIN, take_fd(self->fd));
	close(p[1]);
	/* The watch has it open. */
	EXPECT_EQ(-1, take_fd(self->fd));
	ASSERT_EQ(0, del_watch(self->fd, out));
	EXPECT_EQ(EPOLLIN | EPOLLHUP, take_fd(self->fd));
}

/* Two wait queues: one for what can be read, one for what can be written. */
TEST_F_TIMEOUT(files, fifo_opened_for_both, LIMIT)
{
	char c;
	int fd;

	unlink("/tmp/fifo");
	ASSERT_EQ(0, mkfifo("/tmp/fifo", 0600));
	fd = open("/tmp/fifo", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	ASSERT_LE(0, fd);
	ASSERT_LT(0, add_fd(self->fd, fd, KNELL_OPF_EDGE, EPOLLIN | EPOLLOUT));
	EXPECT_EQ(EPOLLOUT, take_fd(self->fd));
	fill(fd);
	EXPECT_EQ(EPOLLIN, take_fd(self->fd) & EPOLLIN);
	EXPECT_EQ(-1, take_fd(self->fd));
	empty(fd);
	EXPECT_EQ(EPOLLOUT, take_fd(self->fd));
	ASSERT_EQ(1, write(fd, "x", 1));
	EXPECT_EQ(EPOLLIN, take_fd(self->fd));
	ASSERT_EQ(1, read(fd, &c, 1));
	unlink("/tmp/fifo");
}

TEST_F_TIMEOUT(files, unix_sockets, LIMIT)
{
	const int types[] = { SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET };
	int64_t in, out;
	int i, p[2];

	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, socketpair(AF_UNIX, types[i] | SOCK_NONBLOCK, 0, p));
		in = add_fd(self->fd, p[0], 0, EPOLLIN | EPOLLPRI);
		ASSERT_LT(0, in);
		EXPECT_EQ(-1, take_fd(self->fd));
		fill(p[1]);
		/* What can be read is no urgent data, whatever the socket's wake says. */
		EXPECT_EQ(EPOLLIN, take_fd(self->fd));
		out = add_fd(self->fd, p[1], 0, EPOLLOUT);
		ASSERT_LT(0, out);
		EXPECT_EQ(-1, take_fd(self->fd));
		empty(p[0]);
		EXPECT_EQ(EPOLLOUT, take_fd(self->fd));
		ASSERT_EQ(0, mod_fd(self->fd, in, 0, EPOLLRDHUP, 1));
		ASSERT_EQ(0, del_watch(self->fd, out));
		close(p[1]);
		if (types[i] == SOCK_DGRAM) {
			EXPECT_EQ(-1, take_fd(self->fd));
		} else {
			EXPECT_EQ(EPOLLRDHUP | EPOLLHUP, take_fd(self->fd));
		}
		ASSERT_EQ(0, del_watch(self->fd, in));
		close(p[0]);
	}
}

/* 0, or -errno: a kernel of one's own may have no networks. */
static int loopback_up(void)
{
	struct ifreq ifr = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	int err = fd < 0 || ioctl(fd, SIOCSIFFLAGS, &ifr) ? -errno : 0;

	close(fd);
	return err;
}

static int bound(int type, struct sockaddr_in *addr)
{
	socklen_t len = sizeof(*addr);
	int fd = socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	*addr = (struct sockaddr_in){
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	if (fd < 0 || bind(fd, (void *)addr, len) || getsockname(fd, (void *)addr, &len))
		return -1;
	return fd;
}

TEST_F_TIMEOUT(files, tcp, LIMIT)
{
	struct linger now = { 1, 0 };
	struct sockaddr_in addr;
	int door, peer, fd, err;
	socklen_t len = sizeof(err);
	int64_t watch, listening;
	char c;

	err = loopback_up();
	if (err == -EAFNOSUPPORT)
		SKIP(return, "this kernel has no networks");
	ASSERT_EQ(0, err);
	door = bound(SOCK_STREAM, &addr);
	ASSERT_LE(0, door);
	ASSERT_EQ(0, listen(door, 5));
	listening = add_fd(self->fd, door, KNELL_OPF_EDGE, EPOLLIN);
	ASSERT_LT(0, listening);
	EXPECT_EQ(-1, take_fd(self->fd));
	fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (connect(fd, (void *)&addr, sizeof(addr))) {
		EXPECT_EQ(EINPROGRESS, errno);
	}
	EXPECT_EQ(EPOLLIN, wait_fd(self->fd));
	peer = accept4(door, NULL, NULL, SOCK_NONBLOCK);
	ASSERT_LE(0, peer);
	watch = add_fd(self->fd, fd, 0, EPOLLOUT);
	ASSERT_LT(0, watch);
	EXPECT_EQ(EPOLLOUT, wait_fd(self->fd));
	ASSERT_EQ(0, getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len));
	EXPECT_EQ(0, err);

	ASSERT_EQ(0, mod_fd(self->fd, watch, 0, EPOLLIN | EPOLLPRI | EPOLLRDHUP, 1));
	ASSERT_EQ(1, send(peer, "x", 1, 0));
	EXPECT_EQ(EPOLLIN, wait_fd(self->fd));
	ASSERT_EQ(1, recv(fd, &c, 1, 0));
	ASSERT_EQ(0, mod_fd(self->fd, watch, 0, EPOLLPRI, 1));
	ASSERT_EQ(1, send(peer, "y", 1, MSG_OOB));
	EXPECT_EQ(EPOLLPRI, wait_fd(self->fd));
	ASSERT_EQ(1, recv(fd, &c, 1, MSG_OOB));
	ASSERT_EQ(0, mod_fd(self->fd, watch, KNELL_OPF_EDGE, EPOLLRDHUP, 1));
	EXPECT_EQ(-1, take_fd(self->fd));
	ASSERT_EQ(0, shutdown(peer, SHUT_WR));
	EXPECT_EQ(EPOLLRDHUP, wait_fd(self->fd));
	/* A reset. */
	ASSERT_EQ(0, mod_fd(self->fd, watch, 0, 0, 1));
	setsockopt(peer, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	ASSERT_EQ(1, send(fd, "z", 1, 0));
	close(peer);
	EXPECT_EQ(EPOLLERR | EPOLLHUP, wait_fd(self->fd) | EPOLLHUP);
	close(fd);

	/* Nobody is there: the error is told, asked for or not. */
	ASSERT_EQ(0, del_watch(self->fd, listening));
	close(door);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	connect(fd, (void *)&addr, sizeof(addr));
	ASSERT_LT(0, add_fd(self->fd, fd, 0, EPOLLIN));
	EXPECT_EQ(EPOLLERR, wait_fd(self->fd) & EPOLLERR);
	close(fd);
}

/* A port stays bound as long as the watch is there. */
TEST_F_TIMEOUT(files, udp_and_the_pinned_port, LIMIT)
{
	struct sockaddr_in addr, same;
	int fd, from, again, err;
	int64_t watch;

	err = loopback_up();
	if (err == -EAFNOSUPPORT)
		SKIP(return, "this kernel has no networks");
	ASSERT_EQ(0, err);
	fd = bound(SOCK_DGRAM, &addr);
	from = bound(SOCK_DGRAM, &same);
	ASSERT_LE(0, fd);
	watch = add_fd(self->fd, fd, KNELL_OPF_EDGE, EPOLLIN);
	ASSERT_LT(0, watch);
	ASSERT_EQ(1, sendto(from, "x", 1, 0, (void *)&addr, sizeof(addr)));
	EXPECT_EQ(EPOLLIN, wait_fd(self->fd));
	close(fd);
	again = socket(AF_INET, SOCK_DGRAM, 0);
	EXPECT_EQ(-1, bind(again, (void *)&addr, sizeof(addr)));
	EXPECT_EQ(EADDRINUSE, errno);
	ASSERT_EQ(0, del_watch(self->fd, watch));
	EXPECT_EQ(0, bind(again, (void *)&addr, sizeof(addr)));
	close(again);
	close(from);
}

TEST_F_TIMEOUT(files, pty, LIMIT)
{
	int master, slave;
	struct termios t;
	int64_t m, s;
	char buf[16];

	master = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK);
	ASSERT_LE(0, master);
	ASSERT_EQ(0, grantpt(master));
	ASSERT_EQ(0, unlockpt(master));
	slave = open(ptsname(master), O_RDWR | O_NOCTTY | O_NONBLOCK);
	ASSERT_LE(0, slave);
	ASSERT_EQ(0, tcgetattr(slave, &t));
	cfmakeraw(&t);
	ASSERT_EQ(0, tcsetattr(slave, TCSANOW, &t));
	m = add_fd(self->fd, master, 0, EPOLLIN);
	s = add_fd(self->fd, slave, 0, EPOLLIN | EPOLLPRI);
	ASSERT_LT(0, m);
	ASSERT_LT(0, s);
	EXPECT_EQ(-1, take_fd(self->fd));
	ASSERT_EQ(1, write(slave, "a", 1));
	EXPECT_EQ(EPOLLIN, wait_fd(self->fd));
	ASSERT_EQ(1, write(master, "b", 1));
	EXPECT_EQ(EPOLLIN, wait_fd(self->fd));
	EXPECT_EQ(1, read(slave, buf, sizeof(buf)));
	ASSERT_EQ(0, del_watch(self->fd, s));

	/* The other queue of a tty: full, then room again. */
	while (write(master, buf, sizeof(buf)) > 0)
		;
	s = add_fd(self->fd, master, 0, EPOLLOUT);
	ASSERT_LT(0, s);
	EXPECT_EQ(-1, take_fd(self->fd));
	while (watch_state(self->fd, s) == 1)
		if (read(slave, buf, sizeof(buf)) < 0)
			sched_yield();
	EXPECT_EQ(EPOLLOUT, take_fd(self->fd));
	ASSERT_EQ(0, del_watch(self->fd, s));

	/* Hung up. */
	EXPECT_EQ(1, read(master, buf, 1));
	ASSERT_EQ(0, mod_fd(self->fd, m, 0, EPOLLIN, 1));
	EXPECT_EQ(-1, take_fd(self->fd));
	close(slave);
	EXPECT_EQ(EPOLLHUP, wait_fd(self->fd) & EPOLLHUP);
	close(master);
}

static int set_timer(int fd, int flags, uint64_t first, uint64_t interval)
{
	struct itimerspec its = {
		{ interval / NSEC_PER_SEC, interval % NSEC_PER_SEC },
		{ first / NSEC_PER_SEC, first % NSEC_PER_SEC },
	};

	return timerfd_settime(fd, flags, &its, NULL);
}

TEST_F_TIMEOUT(files, timerfd, LIMIT)
{
	uint64_t n, start, total = 0;
	int64_t watch;
	int fd, i;

	fd = timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC);
	ASSERT_LE(0, fd);
	watch = add_fd(self->fd, fd, 0, EPOLLIN);
	ASSERT_LT(0, watch);
	start = clock_ns(CLOCK_MONOTONIC);
	ASSERT_EQ(0, set_timer(fd, 0, 20 * NSEC_PER_MSEC, 0));
	EXPECT_EQ(EPOLLIN, wait_fd(self->fd));
	EXPECT_LE(start + 20 * NSEC_PER_MSEC, clock_ns(CLOCK_MONOTONIC));
	EXPECT_EQ(sizeof(n), read(fd, &n, sizeof(n)));
	EXPECT_EQ(1, n);
	/* Periodic. */
	ASSERT_EQ(0, mod_fd(self->fd, watch, KNELL_OPF_EDGE, EPOLLIN, 1));
	ASSERT_EQ(0, set_timer(fd, 0, 2 * NSEC_PER_MSEC, 2 * NSEC_PER_MSEC));
	for (i = 0; i < 20; i++) {
		EXPECT_EQ(EPOLLIN, wait_fd(self->fd));
		if (read(fd, &n, sizeof(n)) == sizeof(n))
			total += n;
	}
	EXPECT_LE(1, total);
	EXPECT_LE(start + 60 * NSEC_PER_MSEC, clock_ns(CLOCK_MONOTONIC));
	close(fd);
}

static int set_clock(int64_t add_ns)
{
	uint64_t t = clock_ns(CLOCK_REALTIME) + add_ns;
	struct timespec ts = { t / NSEC_PER_SEC, t % NSEC_PER_SEC };

	return clock_settime(CLOCK_REALTIME, &ts);
}

/* How one hears that the clock was set, and an alarm clock that goes off when it is. */
TEST_F_TIMEOUT(files, timerfd_hears_of_clock_steps, LIMIT)
{
	const int flags = TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET;
	int64_t watch, alarm;
	struct knell_event ev;
	uint64_t n, target;
	int fd, bell, i;

	fd = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC);
	bell = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC);
	ASSERT_LE(0, fd);
	ASSERT_LE(0, bell);
	ASSERT_EQ(0, set_timer(fd, flags, 0x7fffffffULL * NSEC_PER_SEC, 0));
	watch = add_fd(self->fd, fd, KNELL_OPF_EDGE, EPOLLIN);
	ASSERT_LT(0, watch);
	for (i = 0; i < 4; i++) {
		EXPECT_EQ(-1, take_fd(self->fd));
		/* Forth and back, so that it is right in the end. */
		ASSERT_EQ(0, set_clock((i & 1 ? -100 : 100) * (int64_t)NSEC_PER_SEC));
		EXPECT_EQ(EPOLLIN, wait_fd(self->fd));
		EXPECT_EQ(-1, read(fd, &n, sizeof(n)));
		EXPECT_EQ(ECANCELED, errno);
		set_timer(fd, flags, 0x7fffffffULL * NSEC_PER_SEC, 0);
	}
	/* In an hour, which is now. */
	target = clock_ns(CLOCK_REALTIME) + HOUR_NS;
	ASSERT_EQ(0, set_timer(bell, TFD_TIMER_ABSTIME, target, 0));
	alarm = add_fd(self->fd, bell, KNELL_OPF_ONESHOT, EPOLLIN);
	ASSERT_LT(0, alarm);
	ASSERT_EQ(0, set_clock(HOUR_NS));
	do {
		ASSERT_EQ(1, wait_event(self->fd, &ev));
		ASSERT_EQ(EPOLLIN, ev.fd.events);
	} while (ev.watch != alarm);
	EXPECT_LE(target, clock_ns(CLOCK_REALTIME));
	EXPECT_EQ(sizeof(n), read(bell, &n, sizeof(n)));
	ASSERT_EQ(0, set_clock(-(int64_t)HOUR_NS));
	close(fd);
	close(bell);
}

TEST_F_TIMEOUT(files, signalfd, LIMIT)
{
	struct signalfd_siginfo si;
	sigset_t set;
	pid_t pid;
	int fd, i;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	ASSERT_LE(0, fd);
	ASSERT_LT(0, add_fd(self->fd, fd, KNELL_OPF_EDGE, EPOLLIN));
	for (i = 0; i < 20; i++) {
		pid = fork();
		ASSERT_LE(0, pid);
		if (!pid)
			_exit(kill(getppid(), SIGTERM));
		/* Two signals make one or two records. */
		while (pid) {
			EXPECT_EQ(EPOLLIN, wait_fd(self->fd));
			while (read(fd, &si, sizeof(si)) > 0)
				if (si.ssi_signo == SIGCHLD)
					pid = 0;
		}
		ASSERT_EQ(0, child_status(-1));
	}
	close(fd);
}

TEST_F_TIMEOUT(files, inotify, LIMIT)
{
	char buf[4096];
	int fd, dir;

	fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	ASSERT_LE(0, fd);
	mkdir("/tmp/watched", 0755);
	ASSERT_LE(0, inotify_add_watch(fd, "/tmp/watched", IN_CREATE | IN_DELETE));
	ASSERT_LT(0, add_fd(self->fd, fd, KNELL_OPF_EDGE, EPOLLIN));
	dir = open("/tmp/watched", O_DIRECTORY | O_CLOEXEC);
	ASSERT_EQ(0, mkdirat(dir, "sub", 0755));
	EXPECT_EQ(EPOLLIN, wait_fd(self->fd));
	EXPECT_LT(0, read(fd, buf, sizeof(buf)));
	ASSERT_EQ(0, unlinkat(dir, "sub", AT_REMOVEDIR));
	EXPECT_EQ(EPOLLIN, wait_fd(self->fd));
	rmdir("/tmp/watched");
	close(dir);
	close(fd);
}

TEST_F_TIMEOUT(files, pidfd, LIMIT)
{
	int p[2], fd;
	pid_t pid;
	char c;

	ASSERT_EQ(0, pipe(p));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		close(p[1]);
		_exit(read(p[0], &c, 1));
	}
	fd = syscall(SYS_pidfd_open, pid, 0);
	ASSERT_LE(0, fd);
	ASSERT_LT(0, add_fd(self->fd, fd, 0, EPOLLIN));
	EXPECT_EQ(-1, take_fd(self->fd));
	close(p[1]);
	EXPECT_EQ(EPOLLIN, wait_fd(self->fd));
	ASSERT_EQ(0, child_status(pid));
	close(fd);
}

TEST_F_TIMEOUT(files, message_queue, LIMIT)
{
	struct mq_attr attr = { .mq_maxmsg = 1, .mq_msgsize = 8 };
	char c[8];
	mqd_t mq;

	mq = mq_open("/knell", O_RDWR | O_CREAT | O_NONBLOCK, 0600, &attr);
	if (mq < 0 && errno == ENOSYS)
		SKIP(return, "this kernel has no message queues");
	ASSERT_LE(0, mq);
	mq_unlink("/knell");
	ASSERT_LT(0, add_fd(self->fd, mq, KNELL_OPF_EDGE, EPOLLIN | EPOLLOUT));
	EXPECT_EQ(EPOLLOUT, take_fd(self->fd));
	ASSERT_EQ(0, mq_send(mq, "x", 1, 0));
	EXPECT_EQ(EPOLLIN, take_fd(self->fd));
	ASSERT_EQ(1, mq_receive(mq, c, sizeof(c), NULL));
	EXPECT_EQ(EPOLLOUT, take_fd(self->fd));
	mq_close(mq);
}

TEST_HARNESS_MAIN
