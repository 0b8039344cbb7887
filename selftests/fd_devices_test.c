// SPDX-License-Identifier: GPL-2.0-only
/* FD watches of devices, of files special in other ways, and of none. runner-limit: 150 */
#include "kselftest_harness.h"

#include <linux/io_uring.h>
#include <linux/fuse.h>
#include <linux/rtc.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/mount.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include "fd_test.h"

QUEUE_FIXTURE(files)

/* Devices of other drivers, and files that are special in other ways. */
TEST_F_TIMEOUT(files, kmsg, LIMIT)
{
	char buf[8192];
	int in, out;

	in = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	out = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
	ASSERT_LE(0, in);
	ASSERT_LE(0, out);
	ASSERT_EQ(0, lseek(in, 0, SEEK_END));
	ASSERT_LT(0, add_fd(self->fd, in, 0, EPOLLIN));
	ASSERT_EQ(6, write(out, "<7>hi\n", 6));
	EXPECT_EQ(EPOLLIN, wait_fd(self->fd));
	EXPECT_LT(0, read(in, buf, sizeof(buf)));
	close(in);
	close(out);
}

TEST_F_TIMEOUT(files, random, LIMIT)
{
	int fd = open("/dev/random", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	char c;

	ASSERT_LE(0, fd);
	ASSERT_LT(0, add_fd(self->fd, fd, 0, EPOLLIN));
	/* Where there is nothing yet, the kernel looks for it when somebody sleeps over it. */
	ASSERT_EQ(1, getrandom(&c, 1, 0));
	EXPECT_EQ(EPOLLIN, wait_fd(self->fd));
	close(fd);
}

TEST_F_TIMEOUT(files, rtc, LIMIT)
{
	unsigned long ticks;
	int64_t watch;
	int fd, i;

	fd = open("/dev/rtc0", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	ASSERT_LE(0, fd);
	watch = add_fd(self->fd, fd, 0, EPOLLIN);
	ASSERT_LT(0, watch);
	EXPECT_EQ(-1, take_fd(self->fd));
	ASSERT_EQ(0, ioctl(fd, RTC_UIE_ON, 0));
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(EPOLLIN, wait_fd(self->fd));
		EXPECT_EQ(sizeof(ticks), read(fd, &ticks, sizeof(ticks)));
		ASSERT_EQ(0, mod_fd(self->fd, watch, 0, EPOLLIN, 1));
	}
	ASSERT_EQ(0, ioctl(fd, RTC_UIE_OFF, 0));
	close(fd);
}

TEST_F_TIMEOUT(files, mounts_and_cgroup_events, LIMIT)
{
	char text[4096];
	int64_t watch;
	int fd, procs;
	pid_t pid;

	fd = open("/proc/self/mounts", O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, fd);
	watch = add_fd(self->fd, fd, 0, EPOLLPRI);
	ASSERT_LT(0, watch);
	EXPECT_EQ(-1, take_fd(self->fd));
	mkdir("/tmp/mnt", 0755);
	ASSERT_EQ(0, mount("none", "/tmp/mnt", "tmpfs", 0, NULL));
	EXPECT_EQ(EPOLLPRI | EPOLLERR, wait_fd(self->fd));
	umount("/tmp/mnt");
	ASSERT_EQ(0, del_watch(self->fd, watch));
	close(fd);

	mkdir("/sys/fs/cgroup/fd", 0755);
	fd = open("/sys/fs/cgroup/fd/cgroup.events", O_RDONLY | O_CLOEXEC);
	procs = open("/sys/fs/cgroup/fd/cgroup.procs", O_WRONLY | O_CLOEXEC);
	ASSERT_LE(0, fd);
	ASSERT_LE(0, procs);
	EXPECT_LT(0, pread(fd, text, sizeof(text), 0));
	watch = add_fd(self->fd, fd, KNELL_OPF_EDGE, EPOLLPRI);
	ASSERT_LT(0, watch);
	EXPECT_EQ(-1, take_fd(self->fd));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		_exit(write(procs, "0\n", 2) != 2);
	/* Populated, and not any more. */
	do {
		EXPECT_EQ(EPOLLPRI | EPOLLERR, wait_fd(self->fd));
		memset(text, 0, sizeof(text));
		EXPECT_LT(0, pread(fd, text, sizeof(text) - 1, 0));
	} while (!strstr(text, "populated 0"));
	ASSERT_EQ(0, child_status(pid));
	close(fd);
	close(procs);
	close(self->fd);
	self->fd = -1;
	rmdir("/sys/fs/cgroup/fd");
}

TEST_F_TIMEOUT(files, without_poll, LIMIT)
{
	const char * const paths[] = { "/proc/self/exe", "/tmp", "/dev/zero", "/dev/null",
				       "/dev/full", "/tmp/regular", "/proc/self/status" };
	size_t i;
	int fd;

	close(open("/tmp/regular", O_CREAT | O_WRONLY, 0600));
	for (i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		fd = open(paths[i], O_RDONLY | O_CLOEXEC);
		ASSERT_LE(0, fd);
		EXPECT_EQ(-EPERM, add_fd(self->fd, fd, 0, EPOLLIN));
		EXPECT_EQ(-EPERM, add_fd(self->fd, fd, KNELL_OPF_EDGE, 0));
		close(fd);
	}
	unlink("/tmp/regular");
	EXPECT_EQ(0, nr_watches(self->fd));
}

TEST_F_TIMEOUT(files, those_that_wake_others, LIMIT)
{
	struct io_uring_params p = { };
	int other = knell_open(O_NONBLOCK), copy, ep, ring;
	struct epoll_event e = { .events = EPOLLIN };

	ASSERT_LE(0, other);
	/* Neither itself nor another, so that two cannot watch each other. */
	EXPECT_EQ(-ELOOP, add_fd(self->fd, self->fd, 0, EPOLLIN));
	EXPECT_EQ(-ELOOP, add_fd(self->fd, other, 0, EPOLLIN));
	EXPECT_EQ(-ELOOP, add_fd(other, self->fd, 0, EPOLLIN));
	copy = dup(other);
	EXPECT_EQ(-ELOOP, add_fd(self->fd, copy, KNELL_OPF_EDGE, EPOLLIN));
	ep = epoll_create1(EPOLL_CLOEXEC);
	ASSERT_LE(0, ep);
	EXPECT_EQ(-ELOOP, add_fd(self->fd, ep, 0, EPOLLIN));
	/* The other way round is what epoll is for. */
	EXPECT_EQ(0, epoll_ctl(ep, EPOLL_CTL_ADD, self->fd, &e));
	EXPECT_EQ(-ELOOP, add_fd(self->fd, ep, 0, EPOLLIN));
	ring = syscall(SYS_io_uring_setup, 4, &p);
	ASSERT_LE(0, ring);
	EXPECT_EQ(-ELOOP, add_fd(self->fd, ring, 0, EPOLLIN));
	EXPECT_EQ(0, nr_watches(self->fd));
	close(ring);
	close(ep);
	close(copy);
	close(other);
}

/*
 * FUSE: a file system, and with CUSE a device, made by a process, here by a
 * thread. Its poll would wait for that process.
 */
struct server {
	int fd;
	int polls;		/* that it was asked for */
	pthread_t thread;
};

static void reply(int fd, const struct fuse_in_header *in, int error, const void *data,
		  size_t size)
{
	struct fuse_out_header out = {
		.len = sizeof(out) + size, .error = error, .unique = in->unique,
	};
	struct iovec iov[] = { { &out, sizeof(out) }, { (void *)data, size } };

	if (writev(fd, iov, 2) < 0)
		perror("# FUSE: reply");
}

static void serve(struct server *s, const struct fuse_in_header *in)
{
	const struct fuse_attr_out dir = { .attr = { .ino = 1, .mode = S_IFDIR | 0755, .nlink = 2 } };
	const struct fuse_entry_out file = {
		.nodeid = 2, .attr = { .ino = 2, .mode = S_IFREG | 0644, .nlink = 1 },
	};
	const struct fuse_init_out init = {
		.major = FUSE_KERNEL_VERSION, .minor = 31, .max_write = 4096,
	};
	const struct fuse_open_out opened = { .fh = 1, .open_flags = FOPEN_DIRECT_IO };
	const struct fuse_poll_out ready = { .revents = POLLIN };
	struct {
		struct cuse_init_out out;
		char info[sizeof("DEVNAME=knell_cuse")];
	} __attribute__((packed)) cuse = {
		{ .major = FUSE_KERNEL_VERSION, .minor = 31, .max_read = 4096, .max_write = 4096 },
		"DEVNAME=knell_cuse",
	};

	switch (in->opcode) {
	case FUSE_INIT:
		reply(s->fd, in, 0, &init, sizeof(init));
		break;
	case CUSE_INIT:
		reply(s->fd, in, 0, &cuse, sizeof(cuse));
		break;
	case FUSE_GETATTR:
		reply(s->fd, in, 0, &dir, sizeof(dir));
		break;
	case FUSE_LOOKUP:
		reply(s->fd, in, 0, &file, sizeof(file));
		break;
	case FUSE_OPEN:
		reply(s->fd, in, 0, &opened, sizeof(opened));
		break;
	case FUSE_POLL:
		__atomic_fetch_add(&s->polls, 1, __ATOMIC_SEQ_CST);
		reply(s->fd, in, 0, &ready, sizeof(ready));
		break;
	case FUSE_FORGET:
	case FUSE_BATCH_FORGET:
	case FUSE_INTERRUPT:
		break;
	case FUSE_RELEASE:
	case FUSE_FLUSH:
		reply(s->fd, in, 0, NULL, 0);
		break;
	default:
		reply(s->fd, in, -ENOSYS, NULL, 0);
	}
}

static void *serve_all(void *arg)
{
	static char buf[FUSE_MIN_READ_BUFFER + 8192];
	struct server *s = arg;

	while (read(s->fd, buf, sizeof(buf)) > 0)
		serve(s, (void *)buf);
	return NULL;
}

/*
 * A device of a module that the stock kernel has, as a file or built in. A kernel
 * of one's own may have none: -ENOENT.
 */
static int open_device(const char *path, const char *module)
{
	int fd = open(module, O_RDONLY | O_CLOEXEC), err = 0;

	if (fd >= 0) {
		err = syscall(SYS_finit_module, fd, "", 0) && errno != EEXIST ? -errno : 0;
		close(fd);
		if (err == -ENOENT)
			err = -ENOEXEC;
	}
	if (err)
		return err;
	err = fd >= 0 ? -ENODEV : -ENOENT;
	fd = open(path, O_RDWR | O_CLOEXEC);
	return fd >= 0 || errno != ENOENT ? fd : err;
}

static int asked(struct server *s)
{
	return __atomic_load_n(&s->polls, __ATOMIC_SEQ_CST);
}

/* @fd could be polled: whoever polls it asks the server. The queue does not. */
static int check_refused(int queue, struct server *s, int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	int before;

	CHECK(fd >= 0);
	CHECK(poll(&pfd, 1, -1) == 1 && pfd.revents == POLLIN);
	before = asked(s);
	CHECK(before > 0);
	CHECK(add_fd(queue, fd, 0, EPOLLIN) == -EPERM);
	CHECK(add_fd(queue, fd, KNELL_OPF_EDGE, EPOLLIN) == -EPERM);
	CHECK(asked(s) == before);
	CHECK(nr_watches(queue) == 0);
	return 0;
}

TEST_F_TIMEOUT(files, fuse, LIMIT)
{
	struct server s = { };
	char options[128];
	int fd;

	s.fd = open_device("/dev/fuse", "/lib/fuse.ko");
	if (s.fd == -ENOENT)
		SKIP(return, "this kernel has no FUSE");
	ASSERT_LE(0, s.fd);
	mkdir("/tmp/fuse", 0755);
	snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0", s.fd);
	ASSERT_EQ(0, mount("knell", "/tmp/fuse", "fuse", 0, options));
	/* The server's end is as good as any file. */
	ASSERT_LT(0, add_fd(self->fd, s.fd, KNELL_OPF_ONESHOT, EPOLLIN));
	EXPECT_EQ(EPOLLIN, wait_fd(self->fd));
	ASSERT_EQ(0, pthread_create(&s.thread, NULL, serve_all, &s));
	fd = open("/tmp/fuse/file", O_RDONLY | O_CLOEXEC);
	EXPECT_EQ(0, check_refused(self->fd, &s, fd));
	close(fd);
	fd = open("/tmp/fuse", O_RDONLY | O_DIRECTORY);
	EXPECT_EQ(-EPERM, add_fd(self->fd, fd, 0, EPOLLIN));
	close(fd);
	ASSERT_EQ(0, umount("/tmp/fuse"));
	pthread_join(s.thread, NULL);
	close(s.fd);
	rmdir("/tmp/fuse");
}

TEST_F_TIMEOUT(files, cuse, LIMIT)
{
	struct server s = { };
	int fd;

	close(open_device("/dev/fuse", "/lib/fuse.ko"));
	s.fd = open_device("/dev/cuse", "/lib/cuse.ko");
	if (s.fd == -ENOENT)
		SKIP(return, "this kernel has no CUSE");
	ASSERT_LE(0, s.fd);
	ASSERT_EQ(0, pthread_create(&s.thread, NULL, serve_all, &s));
	while ((fd = open("/dev/knell_cuse", O_RDWR | O_CLOEXEC)) < 0 && errno == ENOENT)
		sched_yield();
	EXPECT_EQ(0, check_refused(self->fd, &s, fd));
	/* The device goes with its server, which the end of this process ends. */
	close(fd);
}

TEST_HARNESS_MAIN
