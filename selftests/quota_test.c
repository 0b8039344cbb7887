// SPDX-License-Identifier: GPL-2.0-only
/* How many watches and queues a user may have, and who is exempt. runner-limit: 600 */
#include "kselftest_harness.h"

#include <sys/prctl.h>
#include <sys/stat.h>

#include "reject_test.h"

#define QUOTA_PARAM	"/sys/module/knell/parameters/max_user_watches"
#define QUEUES_PARAM	"/sys/module/knell/parameters/max_user_queues"

/*
 * The quota. The device is made accessible and the quota small for as long as a
 * case runs.
 */
#define SMALL		10
#define CROWD		130

FIXTURE(quota) {
	char before[32];
};

/* What a file has, as it is to be written back. */
static bool note_text(const char *path, char text[32])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, text, 31);

	close(fd);
	return n > 0;
}

FIXTURE_SETUP(quota)
{
	ASSERT_TRUE(note_text(QUOTA_PARAM, self->before));
	ASSERT_EQ(0, write_file(QUOTA_PARAM, "10"));
	ASSERT_EQ(0, chmod(KNELL_DEVICE, 0666));
}

FIXTURE_TEARDOWN(quota)
{
	chmod(KNELL_DEVICE, 0600);
	write_file(QUOTA_PARAM, self->before);
}

static int be_user(uid_t uid)
{
	if (setresgid(uid, uid, uid) || setresuid(uid, uid, uid))
		return -errno;
	/* Whose files in /proc others may look at. */
	return prctl(PR_SET_DUMPABLE, 1) ? -errno : 0;
}

/* Adds @nr bells that go when they are read. */
static int fill_quota(int fd, uint32_t *watch, int nr)
{
	int64_t handle;
	int i;

	for (i = 0; i < nr; i++) {
		handle = add_watch(fd, op_add(KNELL_USER, KNELL_OPF_ONESHOT, i));
		if (handle < 0)
			return handle;
		watch[i] = handle;
	}
	return 0;
}

static int check_quota(void)
{
	uint32_t watch[SMALL], more[SMALL];
	struct knell_event ev;
	int fd, other;
	pid_t pid;

	CHECK(be_user(1000) == 0);
	fd = knell_open(O_NONBLOCK);
	other = knell_open(O_NONBLOCK);
	CHECK(fd >= 0 && other >= 0);
	CHECK(queue_info(fd).max_watches == SMALL);
	CHECK(fill_quota(fd, watch, SMALL) == 0);
	CHECK(add_watch(fd, op_user(1)) == -ENOSPC);
	CHECK(add_watch(fd, add_of_type(KNELL_TIMER)) == -ENOSPC);
	CHECK(add_watch(fd, add_of_type(KNELL_PROCESS)) == -ENOSPC);
	CHECK(add_watch(fd, op_process(0, KNELL_OPF_NEXT, 1)) == -ENOSPC);
	CHECK(nr_watches(fd) == SMALL);
	/* Of the user, not of the queue. */
	CHECK(add_watch(other, op_user(1)) == -ENOSPC);

	/* DEL gives room, in whichever queue. */
	CHECK(del_watch(fd, watch[0]) == 0);
	CHECK(fill_quota(other, more, 1) == 0);
	CHECK(add_watch(fd, op_user(1)) == -ENOSPC);
	/* Ringing does not, reading does. */
	CHECK(trigger(fd, watch[1], 1) == 0);
	CHECK(add_watch(fd, op_user(1)) == -ENOSPC);
	CHECK(take(fd, &ev) == 1);
	CHECK(fill_quota(fd, watch, 1) == 0);
	CHECK(add_watch(fd, op_user(1)) == -ENOSPC);

	/* A fired PROCESS goes when it is read. */
	CHECK(del_watch(fd, watch[2]) == 0);
	pid = fork();
	CHECK(pid >= 0);
	if (!pid) {
		pause();
		_exit(0);
	}
	CHECK(add_watch(fd, op_process(pid, 0, 1)) > 0);
	CHECK(add_watch(fd, op_user(1)) == -ENOSPC);
	kill(pid, SIGKILL);
	CHECK(wait_event(fd, &ev) == 1);
	CHECK(ev.type == KNELL_EV_EXIT);
	CHECK(waitpid(pid, NULL, 0) == pid);
	CHECK(fill_quota(fd, watch, 1) == 0);
	CHECK(add_watch(fd, op_user(1)) == -ENOSPC);

	/* A failed ADD costs nothing. */
	CHECK(del_watch(fd, watch[0]) == 0);
	CHECK(add_watch(fd, op_timer(55, 0, 1, 0, 1)) == -EINVAL);
	CHECK(add_watch(fd, op_process(0x3fffffff, 0, 1)) == -ESRCH);
	/* A tree counts for more than its watch, for which alone there is room. */
	CHECK(add_watch(fd, add_of_type(KNELL_TREE)) == -ENOSPC);
	CHECK(fill_quota(fd, watch, 1) == 0);
	CHECK(add_watch(fd, op_user(1)) == -ENOSPC);

	/* Close gives all back: 9 were in that queue. */
	close(fd);
	CHECK(fill_quota(other, more, SMALL - 1) == 0);
	CHECK(add_watch(other, op_user(1)) == -ENOSPC);
	return 0;
}

static int in_child(int (*check)(void))
{
	pid_t pid = fork();

	if (pid < 0)
		return -errno;
	if (!pid)
		_exit(check());
	return child_status(pid);
}

TEST_F_TIMEOUT(quota, of_an_ordinary_user, LIMIT)
{
	EXPECT_EQ(0, in_child(check_quota));
	/* And all came back. */
	EXPECT_EQ(0, in_child(check_quota));
}

TEST_F_TIMEOUT(quota, cap_sys_resource_is_exempt, LIMIT)
{
	uint32_t watch[3 * SMALL];
	int fd = knell_open(O_NONBLOCK);

	ASSERT_LE(0, fd);
	EXPECT_EQ(0, fill_quota(fd, watch, 3 * SMALL));
	EXPECT_EQ(3 * SMALL, nr_watches(fd));
	close(fd);
}

/* One watch more than the others may have shows in the count of others. */
static int check_raised(void)
{
	uint32_t watch[SMALL + 5];
	int fd;

	fd = open(QUOTA_PARAM, O_WRONLY);
	CHECK(fd >= 0);
	CHECK(be_user(1000) == 0);
	CHECK(write(fd, "15", 2) == 2);
	close(fd);
	fd = knell_open(O_NONBLOCK);
	CHECK(fd >= 0);
	CHECK(queue_info(fd).max_watches == SMALL + 5);
	CHECK(fill_quota(fd, watch, SMALL + 5) == 0);
	CHECK(add_watch(fd, op_user(1)) == -ENOSPC);
	return 0;
}

TEST_F_TIMEOUT(quota, can_be_changed_at_any_time, LIMIT)
{
	EXPECT_EQ(0, in_child(check_raised));
}

/* A queue counts until it is closed. */
static int check_queues(void)
{
	int fd[3];

	CHECK(write_file(QUEUES_PARAM, "2") == 0);
	CHECK(be_user(1000) == 0);
	for (int i = 0; i < 2; i++) {
		fd[i] = knell_open(O_NONBLOCK);
		CHECK(fd[i] >= 0);
	}
	CHECK(knell_open(O_NONBLOCK) < 0 && errno == ENOSPC);
	close(fd[1]);
	fd[1] = knell_open(O_NONBLOCK);
	CHECK(fd[1] >= 0);
	CHECK(knell_open(O_NONBLOCK) < 0 && errno == ENOSPC);
	return 0;
}

TEST_F_TIMEOUT(quota, of_queues, LIMIT)
{
	char before[32] = "";

	ASSERT_TRUE(note_text(QUEUES_PARAM, before));
	EXPECT_EQ(0, in_child(check_queues));
	/* All came back. */
	EXPECT_EQ(0, in_child(check_queues));
	ASSERT_EQ(0, write_file(QUEUES_PARAM, before));
}

/* More users than places to look for them: none has what is another's. */
static int check_crowd(void)
{
	uint32_t watch[SMALL];
	int fd[CROWD], i;

	for (i = 0; i < CROWD; i++) {
		CHECK(seteuid(2000 + i) == 0);
		fd[i] = knell_open(O_NONBLOCK);
		CHECK(fd[i] >= 0);
		CHECK(fill_quota(fd[i], watch, SMALL) == 0);
		CHECK(seteuid(0) == 0);
	}
	for (i = 0; i < CROWD; i++) {
		CHECK(seteuid(2000 + i) == 0);
		CHECK(add_watch(fd[i], op_user(1)) == -ENOSPC);
		CHECK(seteuid(0) == 0);
	}
	return 0;
}

TEST_F_TIMEOUT(quota, of_a_crowd_of_users, LIMIT)
{
	EXPECT_EQ(0, in_child(check_crowd));
}

/* What the users of the case below tell each other. */
struct steps {
	volatile int ready;
	volatile int mapped;
	volatile int full;
	volatile int done;
};

static void wait_for(volatile int *flag)
{
	const struct timespec ms = { .tv_nsec = NSEC_PER_MSEC };

	while (!*flag)
		nanosleep(&ms, NULL);
}

/* User 2000 in a user namespace that belongs to user 1000. */
static int fill_in_namespace(struct steps *steps)
{
	uint32_t watch[SMALL];
	int fd;

	CHECK(be_user(1000) == 0);
	CHECK(unshare(CLONE_NEWUSER) == 0);
	steps->ready = 1;
	wait_for(&steps->mapped);

	/* All capabilities in it are none above it. */
	CHECK(setresuid(1, 1, 0) == 0);
	fd = knell_open(O_NONBLOCK);
	CHECK(fd >= 0);
	CHECK(setresuid(0, 0, 0) == 0);
	CHECK(fill_quota(fd, watch, SMALL) == 0);
	CHECK(add_watch(fd, op_user(1)) == -ENOSPC);
	steps->full = 1;
	wait_for(&steps->done);
	return 0;
}

static int is_full(void)
{
	int fd;

	CHECK(be_user(1000) == 0);
	fd = knell_open(O_NONBLOCK);
	CHECK(fd >= 0);
	CHECK(add_watch(fd, op_user(1)) == -ENOSPC);
	return 0;
}

static int map_two_users(pid_t pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/uid_map", pid);
	return write_file(path, "0 1000 1\n1 2000 1\n");
}

TEST_F_TIMEOUT(quota, a_user_namespace_is_no_way_around, LIMIT)
{
	struct steps *steps = shared(sizeof(*steps));
	const struct timespec ms = { .tv_nsec = NSEC_PER_MSEC };
	int status;
	pid_t pid;

	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		_exit(fill_in_namespace(steps));
	while (!steps->ready && waitpid(pid, &status, WNOHANG) == 0)
		nanosleep(&ms, NULL);
	ASSERT_EQ(1, steps->ready);
	ASSERT_EQ(0, map_two_users(pid));
	steps->mapped = 1;
	while (!steps->full && waitpid(pid, &status, WNOHANG) == 0)
		nanosleep(&ms, NULL);
	ASSERT_EQ(1, steps->full);

	/* The owner of the namespace has none left outside of it either. */
	EXPECT_EQ(0, in_child(is_full));
	steps->done = 1;
	EXPECT_EQ(0, child_status(pid));
	EXPECT_EQ(0, in_child(check_quota));
}

TEST_HARNESS_MAIN
