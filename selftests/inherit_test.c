// SPDX-License-Identifier: GPL-2.0-only
/*
 * A queue in more than one process: fork, exec, SCM_RIGHTS, the death of whoever
 * made it; and whose memory it is. runner-limit: 600
 */
#include "kselftest_harness.h"

#include <poll.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "pass_fd.h"
#include "queue_test.h"

QUEUE_FIXTURE(inherit)

/*
 * What this program does when it is executed again with PROBE=FD: takes one
 * record from that descriptor. 0: the record, 2: no such descriptor, 3: the
 * descriptor is no queue or empty.
 */
#define PROBE		"KNELL_TEST_PROBE"

static int probe(int fd)
{
	struct knell_event ev;

	if (fcntl(fd, F_GETFD) < 0)
		return 2;
	return take(fd, &ev) == 1 && ev.token == 7 ? 0 : 3;
}

static void __attribute__((constructor)) probe_if_asked(void)
{
	const char *fd = getenv(PROBE);

	if (fd)
		_exit(probe(atoi(fd)));
}

/* Executes this program in a child as a probe of @fd; its exit status. */
static int exec_probe(int fd)
{
	char *argv[] = { "probe", NULL }, *envp[] = { NULL, NULL }, number[64];
	pid_t pid;

	snprintf(number, sizeof(number), PROBE "=%d", fd);
	envp[0] = number;
	pid = fork();
	if (pid < 0)
		return -errno;
	if (!pid) {
		execve("/proc/self/exe", argv, envp);
		_exit(127);
	}
	return child_status(pid);
}

TEST_F_TIMEOUT(inherit, exec_with_and_without_cloexec, LIMIT)
{
	struct knell_event ev;
	int64_t watch;

	watch = add_watch(self->fd, op_user(7));
	ASSERT_LT(0, watch);
	ASSERT_EQ(0, trigger(self->fd, watch, 1));
	EXPECT_EQ(FD_CLOEXEC, fcntl(self->fd, F_GETFD));
	EXPECT_EQ(2, exec_probe(self->fd));
	EXPECT_EQ(1, nr_pending(self->fd));

	ASSERT_EQ(0, fcntl(self->fd, F_SETFD, 0));
	EXPECT_EQ(0, exec_probe(self->fd));
	/* It was the same queue: the record is gone. */
	EXPECT_EQ(0, take(self->fd, &ev));
	EXPECT_EQ(1, nr_watches(self->fd));
}

static int use_inherited(int fd, uint32_t watch)
{
	struct knell_event ev;
	int64_t own;

	CHECK(wait_event(fd, &ev) == 1);
	CHECK(ev.token == 1 && ev.watch == watch);
	CHECK(nr_watches(fd) == 1);
	own = add_watch(fd, op_user(2));
	CHECK(own > 0);
	CHECK(trigger(fd, own, 2) == 0);
	CHECK(trigger(fd, watch, 3) == 0);
	return 0;
}

TEST_F_TIMEOUT(inherit, fork_shares_the_queue, LIMIT)
{
	struct knell_event ev[2];
	int64_t watch;
	pid_t pid;

	watch = add_watch(self->fd, op_user(1));
	ASSERT_LT(0, watch);
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		_exit(use_inherited(self->fd, watch));
	wait_blocked(pid, pid, SYS_ioctl);
	ASSERT_EQ(0, trigger(self->fd, watch, 1));
	ASSERT_EQ(0, child_status(pid));
	/* What the child left, its watch included, is the queue's. */
	ASSERT_EQ(2 * RECORD, read(self->fd, ev, sizeof(ev)));
	EXPECT_EQ(2, ev[0].token);
	EXPECT_EQ(1, ev[1].token);
	EXPECT_EQ(3, ev[1].user.value);
	EXPECT_EQ(2, nr_watches(self->fd));
}

/* The child of a queue's owner sees the owner's children's pids as the owner does. */
TEST_F_TIMEOUT(inherit, exits_are_heard_by_whoever_reads, LIMIT)
{
	int64_t watch;
	pid_t pid, reader;
	int status;

	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		pause();
		_exit(0);
	}
	watch = add_watch(self->fd, op_process(pid, 0, 5));
	ASSERT_LT(0, watch);
	reader = fork();
	ASSERT_LE(0, reader);
	if (!reader) {
		struct knell_event ev;

		_exit(wait_event(self->fd, &ev) != 1 || ev.type != KNELL_EV_EXIT ||
		      ev.token != 5 || ev.exit.pid != pid || ev.exit.status != SIGKILL);
	}
	wait_blocked(reader, reader, SYS_ioctl);
	kill(pid, SIGKILL);
	EXPECT_EQ(0, child_status(reader));
	/* Reading consumes nothing of wait(2)'s. */
	EXPECT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(SIGKILL, status);
	EXPECT_EQ(0, nr_watches(self->fd));
}

/* Makes a queue, fills it, sends it, and is gone. */
static int make_and_send(int sock)
{
	int fd = knell_open(O_NONBLOCK);
	int64_t watch;

	CHECK(fd >= 0);
	watch = add_watch(fd, op_user(1));
	CHECK(watch > 0);
	CHECK(trigger(fd, watch, 4) == 0);
	CHECK(add_watch(fd, op_timer(CLOCK_MONOTONIC, 0, 30 * NSEC_PER_MSEC, NSEC_PER_MSEC,
				     2)) > 0);
	CHECK(send_fd(sock, fd) == 0);
	return 0;
}

TEST_F_TIMEOUT(inherit, scm_rights_pass_the_queue, LIMIT)
{
	struct knell_event ev;
	int socks[2], fd;
	pid_t pid;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, socks));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		_exit(make_and_send(socks[1]));
	/* Its maker is dead while the queue is in nobody's hands but the socket's. */
	ASSERT_EQ(0, child_status(pid));
	fd = receive_fd(socks[0]);
	ASSERT_LE(0, fd);
	EXPECT_EQ(2, nr_watches(fd));
	ASSERT_EQ(1, wait_event(fd, &ev));
	EXPECT_EQ(1, ev.token);
	EXPECT_EQ(4, ev.user.value);
	ASSERT_EQ(1, wait_event(fd, &ev));
	EXPECT_EQ(2, ev.token);
	ASSERT_EQ(1, wait_event(fd, &ev));
	EXPECT_EQ(2, ev.token);
	close(fd);

	/* And one that is never received goes with the socket. */
	ASSERT_EQ(0, send_fd(socks[1], self->fd));
	close(socks[0]);
	close(socks[1]);
	EXPECT_EQ(0, nr_watches(self->fd));
}

struct verdict {
	volatile int ready;
	volatile int orphaned;
	volatile int result;
};

/* Lives on with the queue that its dead parent made. */
static int orphan(int fd, pid_t parent, struct verdict *v)
{
	struct knell_event ev;
	uint32_t seen = 0;
	int64_t watch;

	watch = add_watch(fd, op_process(parent, 0, 3));
	CHECK(watch > 0);
	v->ready = 1;
	while (getppid() == parent)
		sched_yield();
	v->orphaned = 1;
	/* The parent's own death, its timer, and its bell. */
	while (seen != 0xe) {
		CHECK(wait_event(fd, &ev) == 1);
		CHECK(ev.token >= 1 && ev.token <= 3);
		seen |= 1U << ev.token;
		if (ev.token == 3)
			CHECK(ev.exit.pid == parent && ev.exit.status == 42 << 8);
	}
	CHECK(add_watch(fd, op_user(9)) > 0);
	CHECK(nr_watches(fd) == 3);
	return 0;
}

static int parent_with_queue(struct verdict *v)
{
	int fd = knell_open(O_NONBLOCK);
	int64_t watch;
	pid_t parent = getpid(), pid;

	CHECK(fd >= 0);
	watch = add_watch(fd, op_user(1));
	CHECK(add_watch(fd, op_timer(CLOCK_MONOTONIC, 0, 50 * NSEC_PER_MSEC, 0, 2)) > 0);
	pid = fork();
	CHECK(pid >= 0);
	if (!pid) {
		int err = orphan(fd, parent, v);

		v->result = err ? -1 : 1;
		_exit(err);
	}
	while (!v->ready)
		sched_yield();
	CHECK(trigger(fd, watch, 1) == 0);
	return 42;
}

TEST_F_TIMEOUT(inherit, parent_dies_with_the_queue_in_the_child, LIMIT)
{
	struct verdict *v = shared(sizeof(*v));
	pid_t pid;

	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		_exit(parent_with_queue(v));
	ASSERT_EQ(42, child_status(pid));
	while (!v->result)
		sched_yield();
	EXPECT_EQ(1, v->orphaned);
	EXPECT_EQ(1, v->result);
}

/* The last of many descriptors ends it, whoever holds it, and not the first. */
TEST_F_TIMEOUT(inherit, last_close_ends_it, LIMIT)
{
	struct knell_event ev;
	int fd, copy, i;
	int64_t watch;
	pid_t pid;

	for (i = 0; i < 50; i++) {
		fd = knell_open(O_NONBLOCK);
		ASSERT_LE(0, fd);
		watch = add_watch(fd, op_user(i));
		ASSERT_LT(0, watch);
		ASSERT_LT(0, add_watch(fd, op_process(getppid(), 0, 1)));
		ASSERT_LT(0, add_watch(fd, op_timer(CLOCK_MONOTONIC, 0, 1, 1000, 1)));
		pid = fork();
		ASSERT_LE(0, pid);
		if (!pid)
			_exit(trigger(fd, watch, 1));
		copy = dup(fd);
		close(fd);
		ASSERT_EQ(0, child_status(pid));
		ASSERT_LE(0, take(copy, &ev));
		close(copy);
	}
}

struct closer {
	int fd;
	volatile pid_t tid;
	int ret;
	struct knell_event ev;
};

static void *wait_for_record(void *arg)
{
	struct closer *c = arg;

	c->tid = own_tid();
	c->ret = wait_event(c->fd, &c->ev);
	return NULL;
}

/* The waiter of SUBMIT keeps the queue alive just as one in read() does. */
TEST_F_TIMEOUT(inherit, close_under_a_submit, LIMIT)
{
	struct closer c = { .fd = knell_open(0) };
	pthread_t thread;
	pid_t pid;

	ASSERT_LE(0, c.fd);
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		pause();
		_exit(0);
	}
	ASSERT_LT(0, add_watch(c.fd, op_process(pid, 0, 1)));
	ASSERT_EQ(0, pthread_create(&thread, NULL, wait_for_record, &c));
	while (!c.tid)
		sched_yield();
	wait_blocked(getpid(), c.tid, SYS_ioctl);
	ASSERT_EQ(0, close(c.fd));
	kill(pid, SIGKILL);
	pthread_join(thread, NULL);
	EXPECT_EQ(1, c.ret);
	EXPECT_EQ(KNELL_EV_EXIT, c.ev.type);
	ASSERT_EQ(pid, waitpid(pid, NULL, 0));
}

/* A poller of a queue that is closed elsewhere: epoll forgets it, nothing crashes. */
TEST_F_TIMEOUT(inherit, kill_while_asleep, LIMIT)
{
	int64_t watch;
	pid_t pid;
	int i;

	watch = add_watch(self->fd, op_user(1));
	for (i = 0; i < 50; i++) {
		struct pollfd p = { .fd = self->fd, .events = POLLIN };
		struct knell_event ev;

		pid = fork();
		ASSERT_LE(0, pid);
		if (!pid) {
			if (i % 2)
				poll(&p, 1, -1);
			else
				wait_event(self->fd, &ev);
			_exit(1);
		}
		wait_blocked(pid, pid, i % 2 ? SYS_poll : SYS_ioctl);
		kill(pid, SIGKILL);
		ASSERT_EQ(256 + SIGKILL, child_status(pid));
		/* Its place in the queue of sleepers is empty. */
		ASSERT_EQ(0, trigger(self->fd, watch, 1));
		ASSERT_EQ(1, take(self->fd, &ev));
	}
}

#define CGROUP		"/knell_inherit_test"
#define CHARGED		20000

static char cgroup_root[64];

static int write_to(const char *dir, const char *file, const char *text)
{
	char path[192];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "%s%s/%s", cgroup_root, dir, file);
	fd = open(path, O_WRONLY);
	if (fd < 0)
		return -errno;
	n = write(fd, text, strlen(text));
	close(fd);
	return n == (ssize_t)strlen(text) ? 0 : -EIO;
}

/* Bytes of slab memory that are charged to the cgroup. */
static long charged(void)
{
	char path[192], key[64];
	long value, slab = -1;
	FILE *f;

	snprintf(path, sizeof(path), "%s" CGROUP "/memory.stat", cgroup_root);
	f = fopen(path, "r");
	while (f && fscanf(f, "%63s %ld", key, &value) == 2)
		if (!strcmp(key, "slab"))
			slab = value;
	if (f)
		fclose(f);
	return slab;
}

/* A cgroup with the memory controller, if there is cgroup 2 with one: 1, else 0. */
static int make_cgroup(void)
{
	char path[128];

	snprintf(cgroup_root, sizeof(cgroup_root), "/sys/fs/cgroup");
	snprintf(path, sizeof(path), "%s/cgroup.controllers", cgroup_root);
	if (access(path, F_OK)) {
		snprintf(cgroup_root, sizeof(cgroup_root), "/tmp/knell_cgroup");
		mkdir(cgroup_root, 0755);
		if (mount("none", cgroup_root, "cgroup2", 0, NULL))
			return 0;
	}
	if (write_to("", "cgroup.subtree_control", "+memory"))
		return 0;
	snprintf(path, sizeof(path), "%s" CGROUP, cgroup_root);
	if (mkdir(path, 0755) && errno != EEXIST)
		return 0;
	return charged() >= 0;
}

static int add_as_member(int fd)
{
	static struct knell_op ops[1000];
	int i, n;

	CHECK(write_to(CGROUP, "cgroup.procs", "0") == 0);
	for (n = 0; n < CHARGED; n += 1000) {
		for (i = 0; i < 1000; i++)
			ops[i] = op_user(n + i);
		CHECK(submit_ops(fd, ops, 1000) == 0);
		CHECK(ops[999].result == 0);
	}
	return 0;
}

TEST_F_TIMEOUT(inherit, memory_is_the_adders, LIMIT)
{
	const struct timespec pause_ns = { .tv_nsec = 50 * NSEC_PER_MSEC };
	const long least = CHARGED * 128L;
	char path[128];
	long before, with;
	pid_t pid;

	if (!make_cgroup())
		SKIP(return, "no cgroup 2 with a memory controller");
	before = charged();
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		_exit(add_as_member(self->fd));
	EXPECT_EQ(0, child_status(pid));
	ASSERT_EQ(CHARGED, nr_watches(self->fd));
	/* The queue was opened outside of it, and is. The kernel flushes its counts when it likes. */
	while (with = charged(), with < before + least)
		nanosleep(&pause_ns, NULL);
	close(self->fd);
	self->fd = -1;
	while (charged() > with - least)
		nanosleep(&pause_ns, NULL);
	snprintf(path, sizeof(path), "%s" CGROUP, cgroup_root);
	rmdir(path);
}

TEST_HARNESS_MAIN
