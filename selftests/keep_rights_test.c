// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kept queues of other users and of other namespaces: whose they are, and how
 * many.
 *
 * runner-limit: 900
 */
#include "kselftest_harness.h"

#include "keep_fixture.h"

#define KEPT_PARAM	"/sys/module/knell/parameters/max_user_kept"
#define CROWD		130

/* --- rights; a queue of user 1000, whom root lets in */

FIXTURE(rights) {
	int fd;
	int64_t *sh;
};

FIXTURE_SETUP(rights)
{
	ASSERT_EQ(0, chmod(KNELL_DEVICE, 0666));
	self->fd = knell_open(O_NONBLOCK);
	ASSERT_LE(0, self->fd);
	self->sh = shared(4096);
}

static int drop_own(void *arg)
{
	(void)arg;
	return drop_queue(NAME);
}

/* That of user @arg, whoever one is. */
static int drop_of(void *arg)
{
	int door = knell_open(0), fd;

	fd = attach_uid(door, NAME, *(int64_t *)arg);
	return fd < 0 ? fd : keep_off(fd, NAME);
}

FIXTURE_TEARDOWN(rights)
{
	EXPECT_EQ(0, as_who(&user_1000, drop_own, NULL));
	EXPECT_EQ(0, drop_queue(NAME));
	close(self->fd);
	EXPECT_EQ(0, module_refs_after_all(0));
	chmod(KNELL_DEVICE, 0600);
}

static const struct who user_2000 = { 2000, 2000, 2000, 0 };
static const struct who almost_root = { 0, 0, 0, ~(1ULL << CAP_SYS_ADMIN) & 0xffffffffffULL };
static const struct who effective_1000 = { 2000, 1000, 2000, 0 };
static const struct who effective_2000 = { 1000, 2000, 1000, 0 };
static const struct who admin_2000 = { 2000, 2000, 2000, 1ULL << CAP_SYS_ADMIN };

/* ATTACH to what user @arg keeps: how many watches it has, or an error. */
static int count_what_is_kept(void *arg)
{
	int door = knell_open(0), fd;

	fd = attach_uid(door, NAME, *(int64_t *)arg);
	return fd < 0 ? fd : (int)nr_watches(fd);
}

TEST_F_TIMEOUT(rights, of_another_uid, LIMIT)
{
	*self->sh = 1000;
	EXPECT_EQ(-ENOENT, as_who(&user_1000, count_what_is_kept, self->sh));
	ASSERT_EQ(0, as_who(&user_1000, keep_and_die, NULL));
	EXPECT_EQ(1, as_who(&user_1000, count_what_is_kept, self->sh));
	EXPECT_EQ(-EPERM, as_who(&user_2000, count_what_is_kept, self->sh));
	EXPECT_EQ(-EPERM, as_who(&almost_root, count_what_is_kept, self->sh));
	EXPECT_EQ(1, as_who(&admin_2000, count_what_is_kept, self->sh));
	EXPECT_EQ(1, as_who(&root_all, count_what_is_kept, self->sh));
	/* 0 is one's own, in each of these mouths another. */
	*self->sh = 0;
	EXPECT_EQ(1, as_who(&user_1000, count_what_is_kept, self->sh));
	EXPECT_EQ(-ENOENT, as_who(&user_2000, count_what_is_kept, self->sh));
	EXPECT_EQ(-ENOENT, as_who(&admin_2000, count_what_is_kept, self->sh));
	EXPECT_EQ(-ENOENT, as_who(&root_all, count_what_is_kept, self->sh));
	/* It is the effective one that counts. */
	*self->sh = 0;
	EXPECT_EQ(1, as_who(&effective_1000, count_what_is_kept, self->sh));
	EXPECT_EQ(-ENOENT, as_who(&effective_2000, count_what_is_kept, self->sh));
	*self->sh = 0xffffffff;
	EXPECT_EQ(-EINVAL, as_who(&root_all, count_what_is_kept, self->sh));
}

TEST_F_TIMEOUT(rights, names_are_each_users_own, LIMIT)
{
	int64_t watch[2];
	int fd;

	ASSERT_EQ(0, as_who(&user_1000, keep_and_die, NULL));
	watch[0] = add_watch(self->fd, op_user(1));
	watch[1] = add_watch(self->fd, op_user(2));
	ASSERT_LT(0, watch[0]);
	ASSERT_LT(0, watch[1]);
	ASSERT_EQ(0, keep_queue(self->fd, NAME));
	*self->sh = 0;
	EXPECT_EQ(1, as_who(&user_1000, count_what_is_kept, self->sh));
	fd = attach(self->fd, NAME);
	ASSERT_LE(0, fd);
	EXPECT_EQ(2, nr_watches(fd));
	EXPECT_EQ(0, keep_off(fd, NAME));
	close(fd);
}

static int keep_as(void *arg)
{
	int64_t *uid = arg;
	struct knell_name name = name_of(NAME, *uid, 0);
	int fd = knell_open(0), err;

	err = ioctl_error(fd, KNELL_IOC_KEEP, &name);
	if (!err)
		err = keep_off(fd, NAME);
	return err;
}

TEST_F_TIMEOUT(rights, one_keeps_for_oneself, LIMIT)
{
	*self->sh = 1000;
	EXPECT_EQ(0, as_who(&user_1000, keep_as, self->sh));
	EXPECT_EQ(-EINVAL, as_who(&user_2000, keep_as, self->sh));
	EXPECT_EQ(-EINVAL, as_who(&root_all, keep_as, self->sh));
	*self->sh = 0;
	EXPECT_EQ(0, as_who(&user_1000, keep_as, self->sh));
	EXPECT_EQ(0, as_who(&root_all, keep_as, self->sh));
}

static int keep_what_was_passed_on(void *arg)
{
	return keep_queue(*(int64_t *)arg, NAME);
}

TEST_F_TIMEOUT(rights, the_openers_queue_is_not_anybodys_to_keep, LIMIT)
{
	*self->sh = self->fd;
	EXPECT_EQ(-EPERM, as_who(&user_1000, keep_what_was_passed_on, self->sh));
	EXPECT_EQ(-ENOENT, attach(self->fd, NAME));
	/* Whose names it is in is settled by who opened it. */
	EXPECT_EQ(0, as_who(&admin_2000, keep_what_was_passed_on, self->sh));
	*self->sh = 0;
	EXPECT_EQ(-ENOENT, as_who(&user_2000, count_what_is_kept, self->sh));
	EXPECT_EQ(0, drop_queue(NAME));
}

static int count_in_another_pid_ns(const struct who *who, void *arg)
{
	int *result = shared(sizeof(*result));
	pid_t pid;

	if (unshare(CLONE_NEWPID))
		return -errno;
	pid = fork();
	if (!pid) {
		*result = who ? as_who(who, count_what_is_kept, arg) : count_what_is_kept(arg);
		_exit(0);
	}
	reap(pid);
	return *result;
}

static int from_another_pid_ns(void *arg)
{
	return count_in_another_pid_ns(&user_1000, arg);
}

static int admin_of_another_pid_ns(void *arg)
{
	return count_in_another_pid_ns(NULL, arg);
}

TEST_F_TIMEOUT(rights, of_another_pid_namespace, LIMIT)
{
	*self->sh = 1000;
	ASSERT_EQ(0, as_who(&user_1000, keep_and_die, NULL));
	EXPECT_EQ(-EPERM, as_who(&root_all, from_another_pid_ns, self->sh));
	EXPECT_EQ(1, as_who(&root_all, admin_of_another_pid_ns, self->sh));
	EXPECT_EQ(1, as_who(&user_1000, count_what_is_kept, self->sh));
}

/* In a user namespace of its own, in which it is as mighty as can be. */
static int from_another_user_ns(void *arg)
{
	char map[64];
	int fd, n;

	n = snprintf(map, sizeof(map), "1000 %d 1", geteuid());
	if (unshare(CLONE_NEWUSER) || prctl(PR_SET_DUMPABLE, 1))
		return -errno;
	fd = open("/proc/self/uid_map", O_WRONLY);
	if (fd < 0 || write(fd, map, n) != n)
		return -errno;
	close(fd);
	return count_what_is_kept(arg);
}

/* It keeps what it has in its own namespace, and dies. */
static int keep_in_another_user_ns(void *arg)
{
	int64_t two = 2;

	return from_another_user_ns(arg) == -EPERM ? keep_and_die(&two) : -EPROTO;
}

TEST_F_TIMEOUT(rights, of_another_user_namespace, LIMIT)
{
	int64_t *uid = self->sh;

	*uid = 1000;
	ASSERT_EQ(0, as_who(&user_1000, keep_and_die, NULL));
	/* The same kuid; it has each capability, but not in the queue's namespace. */
	EXPECT_EQ(-EPERM, as_who(&user_1000, from_another_user_ns, uid));
	/* The name is free there, and the other queue is nearer to whom is there. */
	EXPECT_EQ(0, as_who(&user_1000, keep_in_another_user_ns, uid));
	EXPECT_EQ(1, as_who(&user_1000, count_what_is_kept, uid));
	EXPECT_EQ(0, as_who(&user_1000, drop_own, NULL));
	/* From above, with the capability: what is left is that of the inner namespace. */
	EXPECT_EQ(-EPERM, as_who(&user_2000, count_what_is_kept, uid));
	EXPECT_EQ(2, as_who(&root_all, count_what_is_kept, uid));
	EXPECT_EQ(0, as_who(&root_all, drop_of, uid));
	EXPECT_EQ(-ENOENT, as_who(&root_all, count_what_is_kept, uid));
}

static int keep_below(void *arg)
{
	int err = enter_user_ns();

	return err ? err : keep_and_die(arg);
}

/* Of several by one name one gets that of one's own namespace, else one that one may. */
TEST_F_TIMEOUT(rights, one_name_in_several_user_namespaces, LIMIT)
{
	int64_t *uid = self->sh, two = 2, three = 3;
	int first, second;

	*uid = 1000;
	ASSERT_EQ(0, as_who(&user_1000, keep_below, &two));
	ASSERT_EQ(0, as_who(&user_1000, keep_below, &three));
	/* The user himself is of neither namespace, but above both. */
	EXPECT_EQ(-EPERM, as_who(&user_2000, count_what_is_kept, uid));
	first = as_who(&root_all, count_what_is_kept, uid);
	EXPECT_TRUE(first == 2 || first == 3);
	ASSERT_EQ(0, as_who(&user_1000, keep_and_die, NULL));
	EXPECT_EQ(1, as_who(&root_all, count_what_is_kept, uid));
	EXPECT_EQ(1, as_who(&user_1000, count_what_is_kept, uid));
	EXPECT_EQ(0, as_who(&root_all, drop_of, uid));
	first = as_who(&root_all, count_what_is_kept, uid);
	EXPECT_EQ(0, as_who(&root_all, drop_of, uid));
	second = as_who(&root_all, count_what_is_kept, uid);
	EXPECT_EQ(0, as_who(&root_all, drop_of, uid));
	EXPECT_EQ(5, first + second);
	EXPECT_NE(first, second);
	EXPECT_EQ(-ENOENT, as_who(&root_all, count_what_is_kept, uid));
}

/* More users than places to look for what they keep: each finds his own. */
static int crowd_keeps(void *arg)
{
	int64_t uid, nr;

	(void)arg;
	for (uid = 5000; uid < 5000 + CROWD; uid++) {
		nr = uid % 3 + 1;
		CHECK(seteuid(uid) == 0);
		CHECK(keep_and_die(&nr) == 0);
		CHECK(seteuid(0) == 0);
	}
	for (uid = 5000; uid < 5000 + CROWD; uid++) {
		CHECK(count_what_is_kept(&uid) == uid % 3 + 1);
		CHECK(drop_of(&uid) == 0);
		CHECK(count_what_is_kept(&uid) == -ENOENT);
	}
	return 0;
}

TEST_F_TIMEOUT(rights, one_name_of_a_crowd_of_users, LIMIT)
{
	EXPECT_EQ(0, as_who(&root_all, crowd_keeps, NULL));
}

/* How many queues it can keep, up to 8, and by what error it ends; all go again. */
static int keep_many(void *arg)
{
	int64_t *out = arg;
	char name[16];
	int fd[8], i, n;

	*out = 0;
	for (n = 0; n < 8; n++) {
		snprintf(name, sizeof(name), "q%d", n);
		fd[n] = knell_open(0);
		*out = keep_queue(fd[n], name);
		if (*out)
			break;
	}
	for (i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "q%d", i);
		if (keep_off(fd[i], name))
			return -EPROTO;
	}
	return n;
}

static int keep_many_in_a_user_ns(void *arg)
{
	int64_t uid = 1000;

	if (from_another_user_ns(&uid) != -EPERM)
		return -EPROTO;
	return keep_many(arg);
}

static void set_kept_max(const char *text)
{
	int fd = open(KEPT_PARAM, O_WRONLY);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		perror("# " KEPT_PARAM);
	close(fd);
}

TEST_F_TIMEOUT(rights, the_cap, LIMIT)
{
	set_kept_max("3");
	EXPECT_EQ(3, as_who(&user_1000, keep_many, self->sh));
	EXPECT_EQ(-ENOSPC, *self->sh);
	/* What was undone does not count, what is kept does, whoever holds it. */
	EXPECT_EQ(3, as_who(&user_1000, keep_many, self->sh));
	ASSERT_EQ(0, as_who(&user_1000, keep_and_die, NULL));
	EXPECT_EQ(2, as_who(&user_1000, keep_many, self->sh));
	EXPECT_EQ(3, as_who(&user_2000, keep_many, self->sh));
	/* A namespace of his own is no way around it. */
	EXPECT_EQ(2, as_who(&user_1000, keep_many_in_a_user_ns, self->sh));
	EXPECT_EQ(-ENOSPC, *self->sh);
	EXPECT_EQ(0, as_who(&user_1000, drop_own, NULL));
	EXPECT_EQ(3, as_who(&user_1000, keep_many, self->sh));
	/* With CAP_SYS_RESOURCE there is none. */
	EXPECT_EQ(8, as_who(&root_all, keep_many, self->sh));
	set_kept_max("64");
}

TEST_HARNESS_MAIN
