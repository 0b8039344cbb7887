// SPDX-License-Identifier: GPL-2.0-only
/* What the queue refuses, and with which errno. runner-limit: 600 */
#include "kselftest_harness.h"

#include <sys/stat.h>

#include "reject_test.h"

QUEUE_FIXTURE(reject)

static const uint32_t all_flags[] = {
	KNELL_OPF_NEXT, KNELL_OPF_SELF, KNELL_OPF_PIDFD, KNELL_OPF_ABS, KNELL_OPF_ONESHOT,
	KNELL_OPF_EDGE, KNELL_OPF_ACK, KNELL_OPF_REPORT_FORK, KNELL_OPF_REPORT_EXIT,
	KNELL_OPF_KILL_ON_CLOSE, KNELL_OPF_WAKEUP,
};

#define NR_FLAGS	(sizeof(all_flags) / sizeof(all_flags[0]))

TEST_F_TIMEOUT(reject, unknown_ops, LIMIT)
{
	struct knell_op op;
	int64_t watch;
	int nr;

	watch = add_watch(self->fd, op_user(1));
	ASSERT_LT(0, watch);
	for (nr = 0; nr < 0x10000; nr += nr < 300 ? 1 : 997) {
		if (nr >= KNELL_OP_ADD && nr <= KNELL_OP_KILL)
			continue;
		op = (struct knell_op){ .op = nr };
		EXPECT_EQ(-EINVAL, submit_op(self->fd, &op));
		op.watch = watch;
		EXPECT_EQ(-EINVAL, submit_op(self->fd, &op));
		op = op_user(1);
		op.op = nr;
		EXPECT_EQ(-EINVAL, submit_op(self->fd, &op));
	}
	EXPECT_EQ(1, nr_watches(self->fd));
}

TEST_F_TIMEOUT(reject, unknown_types, LIMIT)
{
	struct knell_op op;
	int64_t watch;
	int type;

	watch = add_watch(self->fd, op_user(1));
	ASSERT_LT(0, watch);
	for (type = 0; type < 0x10000; type += type < 300 ? 1 : 997) {
		if (type < KNELL_PROCESS || type > KNELL_CHILDREN)
			EXPECT_EQ(-EINVAL, add_watch(self->fd, op_add(type, 0, 1)));
		/* In the other ops it is nothing, or the watch's own. */
		if (!type || type == KNELL_USER)
			continue;
		op = op_trigger(watch, 1);
		op.type = type;
		EXPECT_EQ(-EINVAL, submit_op(self->fd, &op));
		op = op_mod(watch, 0, 2);
		op.type = type;
		EXPECT_EQ(-EINVAL, submit_op(self->fd, &op));
		op = op_del(watch);
		op.type = type;
		EXPECT_EQ(-EINVAL, submit_op(self->fd, &op));
	}
	EXPECT_EQ(1, nr_watches(self->fd));
	EXPECT_EQ(0, nr_pending(self->fd));
	EXPECT_EQ(1, watch_info(self->fd, watch).token);
}

/* What takes which flag at ADD, and at MOD. */
static uint32_t flags_of_add(uint16_t type)
{
	switch (type) {
	case KNELL_PROCESS:
		return KNELL_OPF_NEXT | KNELL_OPF_SELF | KNELL_OPF_PIDFD | KNELL_OPF_ACK |
		       KNELL_OPF_WAKEUP;
	case KNELL_TIMER:
		return KNELL_OPF_ABS | KNELL_OPF_ONESHOT | KNELL_OPF_ACK | KNELL_OPF_WAKEUP;
	default:
		return KNELL_OPF_ONESHOT;
	}
}

static uint32_t flags_of_mod(uint16_t type)
{
	switch (type) {
	case KNELL_PROCESS:
		return 0;
	case KNELL_TIMER:
		return KNELL_OPF_ABS | KNELL_OPF_ONESHOT;
	default:
		return KNELL_OPF_ONESHOT;
	}
}

TEST_F_TIMEOUT(reject, flags_where_they_mean_nothing, LIMIT)
{
	struct knell_op op;
	uint16_t type;
	int64_t watch;
	unsigned int i;
	int code, want;

	for (type = KNELL_PROCESS; type <= KNELL_USER; type++) {
		for (i = 0; i < NR_FLAGS; i++) {
			if (all_flags[i] & flags_of_add(type))
				continue;
			op = add_of_type(type);
			op.flags = all_flags[i];
			EXPECT_EQ(-EINVAL, submit_op(self->fd, &op));
		}
		ASSERT_EQ(0, nr_watches(self->fd));

		watch = add_watch(self->fd, add_of_type(type));
		ASSERT_LT(0, watch);
		for (code = KNELL_OP_MOD; code <= KNELL_OP_KILL; code++) {
			if (code == KNELL_OP_JOIN)
				continue;
			for (i = 0; i < NR_FLAGS; i++) {
				op = (struct knell_op){ .op = code, .watch = watch };
				op.flags = all_flags[i];
				want = -EINVAL;
				if (code == KNELL_OP_MOD && all_flags[i] & flags_of_mod(type))
					want = 0;
				EXPECT_EQ(want, submit_op(self->fd, &op)) {
					TH_LOG("type %u op %d flag %x", type, code, all_flags[i]);
				}
			}
		}
		EXPECT_EQ(0, nr_pending(self->fd));
		ASSERT_EQ(0, del_watch(self->fd, watch));
	}
}

TEST_F_TIMEOUT(reject, flags_that_exclude_each_other, LIMIT)
{
	const uint32_t process[] = {
		KNELL_OPF_NEXT | KNELL_OPF_SELF, KNELL_OPF_NEXT | KNELL_OPF_PIDFD,
		KNELL_OPF_SELF | KNELL_OPF_PIDFD,
		KNELL_OPF_NEXT | KNELL_OPF_SELF | KNELL_OPF_PIDFD,
	};
	struct knell_op op;
	int64_t watch;
	int i;

	for (i = 0; i < 4; i++) {
		EXPECT_EQ(-EINVAL, add_watch(self->fd, op_process(0, process[i], 1)));
		EXPECT_EQ(-EINVAL, add_watch(self->fd, op_process(getppid(), process[i], 1)));
	}
	op = add_of_type(KNELL_TIMER);
	op.flags = KNELL_OPF_ONESHOT | KNELL_OPF_ACK;
	EXPECT_EQ(-EINVAL, submit_op(self->fd, &op));
	EXPECT_EQ(0, nr_watches(self->fd));

	/* Nor does MOD make such a one. */
	op = add_of_type(KNELL_TIMER);
	op.flags = KNELL_OPF_ACK;
	watch = add_watch(self->fd, op);
	ASSERT_LT(0, watch);
	op = op_mod_timer(watch, CLOCK_MONOTONIC, KNELL_OPF_ONESHOT, HOUR_NS, 0, 1);
	EXPECT_EQ(-EINVAL, submit_op(self->fd, &op));
	EXPECT_EQ(KNELL_OPF_ACK, watch_info(self->fd, watch).flags);
}

TEST_F_TIMEOUT(reject, unknown_flags, LIMIT)
{
	int bit, type, code;
	struct knell_op op;
	int64_t watch;

	for (bit = 11; bit < 32; bit++) {
		for (type = KNELL_PROCESS; type <= KNELL_USER; type++) {
			op = add_of_type(type);
			op.flags |= 1U << bit;
			EXPECT_EQ(-EINVAL, submit_op(self->fd, &op));
		}
	}
	EXPECT_EQ(0, nr_watches(self->fd));
	watch = add_watch(self->fd, op_user(1));
	for (bit = 10; bit < 32; bit++) {
		for (code = KNELL_OP_MOD; code <= KNELL_OP_KILL; code++) {
			if (code == KNELL_OP_JOIN)
				continue;
			op = (struct knell_op){ .op = code, .watch = watch };
			op.flags = 1U << bit;
			EXPECT_EQ(-EINVAL, submit_op(self->fd, &op));
		}
	}
	EXPECT_EQ(0, nr_pending(self->fd));
	EXPECT_EQ(0, del_watch(self->fd, watch));
}

/*
 * Sets each byte of @good in turn, but those marked in @used, to 1. Each must
 * be refused and leave all as it was. op, type, flags and result (0 to 7 and 12
 * to 15) are never among them: other cases are about these.
 */
static void walk_bytes(struct __test_metadata *_metadata, int fd, struct knell_op good,
		       const char *used)
{
	uint64_t watches = nr_watches(fd), pending = nr_pending(fd);
	struct knell_op op;
	size_t i;

	for (i = 8; i < sizeof(op); i++) {
		if ((i >= 12 && i < 16) || used[i])
			continue;
		op = good;
		((char *)&op)[i] = 1;
		EXPECT_EQ(-EINVAL, submit_op(fd, &op)) {
			TH_LOG("op %u type %u byte %zu", good.op, good.type, i);
		}
	}
	ASSERT_EQ(watches, nr_watches(fd));
	ASSERT_EQ(pending, nr_pending(fd));
	/* And it was good. */
	op = good;
	op.result = -1;
	EXPECT_EQ(0, submit_op(fd, &op));
}

#define USES(from, size)	[from ... (from) + (size) - 1] = 1

TEST_F_TIMEOUT(reject, bytes_that_an_add_does_not_use, LIMIT)
{
	static const char user[128] = { USES(16, 8) };
	static const char timer[128] = { USES(16, 8), USES(24, 28) };
	static const char pid[128] = { USES(16, 8), USES(24, 4) };
	static const char pidfd[128] = { USES(16, 8), USES(28, 4) };
	struct knell_op op;
	int fd;

	walk_bytes(_metadata, self->fd, add_of_type(KNELL_USER), user);
	walk_bytes(_metadata, self->fd, add_of_type(KNELL_TIMER), timer);
	walk_bytes(_metadata, self->fd, add_of_type(KNELL_PROCESS), pid);
	walk_bytes(_metadata, self->fd, op_process(0, KNELL_OPF_SELF, 1), user);

	fd = syscall(SYS_pidfd_open, 1, 0);
	ASSERT_LE(0, fd);
	op = op_process(0, KNELL_OPF_PIDFD, 1);
	op.process.pidfd = fd;
	walk_bytes(_metadata, self->fd, op, pidfd);
	close(fd);

	/* Last, since it stays armed until this thread forks. */
	walk_bytes(_metadata, self->fd, op_process(0, KNELL_OPF_NEXT, 1), user);
	EXPECT_EQ(6, nr_watches(self->fd));
}

TEST_F_TIMEOUT(reject, bytes_that_other_ops_do_not_use, LIMIT)
{
	static const char mod[128] = { USES(8, 4), USES(16, 8) };
	static const char mod_timer[128] = { USES(8, 4), USES(16, 8), USES(24, 28) };
	static const char trigger_op[128] = { USES(8, 4), USES(24, 8) };
	static const char kill_op[128] = { USES(8, 4), USES(24, 4) };
	static const char del[128] = { USES(8, 4) };
	int64_t watch[KNELL_USER + 1];
	int type;

	for (type = KNELL_PROCESS; type <= KNELL_USER; type++) {
		watch[type] = add_watch(self->fd, add_of_type(type));
		ASSERT_LT(0, watch[type]);
		walk_bytes(_metadata, self->fd, op_mod(watch[type], 0, 2),
			   type == KNELL_TIMER ? mod_timer : mod);
	}
	walk_bytes(_metadata, self->fd, op_trigger(watch[KNELL_USER], 1), trigger_op);
	walk_bytes(_metadata, self->fd, op_kill(watch[KNELL_PROCESS], 0), kill_op);
	for (type = KNELL_PROCESS; type <= KNELL_USER; type++)
		walk_bytes(_metadata, self->fd, op_del(watch[type]), del);
	EXPECT_EQ(0, nr_watches(self->fd));
}

/* result alone is never looked at. */
TEST_F_TIMEOUT(reject, any_result_is_taken, LIMIT)
{
	const int32_t results[] = { 1, -1, 0x7fffffff, -0x7fffffff };
	struct knell_op op;
	int i;

	for (i = 0; i < 4; i++) {
		op = op_user(1);
		op.result = results[i];
		EXPECT_EQ(0, submit_op(self->fd, &op));
		op = op_trigger(op.watch, 1);
		op.result = results[i];
		EXPECT_EQ(0, submit_op(self->fd, &op));
	}
}

TEST_F_TIMEOUT(reject, clocks, LIMIT)
{
	struct knell_op op;
	int64_t watch;
	uint32_t clock;

	watch = add_watch(self->fd, add_of_type(KNELL_TIMER));
	ASSERT_LT(0, watch);
	for (clock = 0; clock < 1000; clock++) {
		if (clock == CLOCK_REALTIME || clock == CLOCK_MONOTONIC || clock == CLOCK_BOOTTIME)
			continue;
		EXPECT_EQ(-EINVAL, add_watch(self->fd, op_timer(clock, 0, HOUR_NS, 0, 1)));
		op = op_mod_timer(watch, clock, 0, HOUR_NS, 0, 2);
		EXPECT_EQ(-EINVAL, submit_op(self->fd, &op));
	}
	EXPECT_EQ(-EINVAL, add_watch(self->fd, op_timer(~0U, 0, HOUR_NS, 0, 1)));
	/* A disarmed one is on a clock too. */
	EXPECT_EQ(-EINVAL, add_watch(self->fd, op_timer(5, 0, 0, 0, 1)));
	EXPECT_EQ(1, nr_watches(self->fd));
	EXPECT_EQ(1, watch_info(self->fd, watch).token);
}

TEST_F_TIMEOUT(reject, processes, LIMIT)
{
	struct knell_op op;
	pid_t pid;
	int64_t watch;
	int other;

	EXPECT_EQ(-EINVAL, add_watch(self->fd, op_process(0, 0, 1)));
	EXPECT_EQ(-EINVAL, add_watch(self->fd, op_process(-1, 0, 1)));
	EXPECT_EQ(-EINVAL, add_watch(self->fd, op_process(-getpid(), 0, 1)));
	EXPECT_EQ(-ESRCH, add_watch(self->fd, op_process(0x3fffffff, 0, 1)));
	EXPECT_EQ(-ESRCH, add_watch(self->fd, op_process(0x7fffffff, 0, 1)));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		_exit(0);
	ASSERT_EQ(pid, waitpid(pid, NULL, 0));
	EXPECT_EQ(-ESRCH, add_watch(self->fd, op_process(pid, 0, 1)));
	/* kthreadd. */
	EXPECT_EQ(-EPERM, add_watch(self->fd, op_process(2, 0, 1)));

	/* No pidfd, no file at all. */
	op = op_process(0, KNELL_OPF_PIDFD, 1);
	op.process.pidfd = self->fd;
	EXPECT_EQ(-EBADF, submit_op(self->fd, &op));
	op.process.pidfd = 1000;
	EXPECT_EQ(-EBADF, submit_op(self->fd, &op));
	op.process.pidfd = -1;
	EXPECT_EQ(-EBADF, submit_op(self->fd, &op));

	watch = add_watch(self->fd, op_process(getppid(), 0, 1));
	ASSERT_LT(0, watch);
	EXPECT_EQ(-EEXIST, add_watch(self->fd, op_process(getppid(), 0, 2)));
	other = knell_open(0);
	ASSERT_LE(0, other);
	EXPECT_LT(0, add_watch(other, op_process(getppid(), 0, 1)));
	close(other);
	EXPECT_EQ(1, nr_watches(self->fd));
}

/* One that its parent has not waited for yet. */
static pid_t new_zombie(void)
{
	pid_t pid = fork();

	if (!pid)
		_exit(0);
	return await_zombie(pid) ? -1 : pid;
}

TEST_F_TIMEOUT(reject, a_process_that_is_known, LIMIT)
{
	pid_t pid[2] = { new_zombie(), new_zombie() }, child;
	int64_t bell;

	ASSERT_LT(0, pid[0]);
	ASSERT_LT(0, pid[1]);
	/* Not a record of a process. */
	bell = add_watch(self->fd, op_user(7));
	ASSERT_LT(0, bell);
	ASSERT_EQ(0, trigger(self->fd, bell, 1));
	/* Its watch has fired, and waits in no wait queue. */
	EXPECT_LT(0, add_watch(self->fd, op_process(pid[0], 0, 1)));
	EXPECT_EQ(-EEXIST, add_watch(self->fd, op_process(pid[0], 0, 2)));
	EXPECT_LT(0, add_watch(self->fd, op_process(pid[1], 0, 3)));
	EXPECT_EQ(3, nr_watches(self->fd));
	EXPECT_EQ(pid[0], waitpid(pid[0], NULL, 0));
	EXPECT_EQ(pid[1], waitpid(pid[1], NULL, 0));

	/* Nobody is known by a watch whose child is not born yet, and its child is from then on. */
	EXPECT_LT(0, add_watch(self->fd, op_process(0, KNELL_OPF_NEXT, 4)));
	EXPECT_LT(0, add_watch(self->fd, op_process(getppid(), 0, 5)));
	child = fork();
	if (!child) {
		pause();
		_exit(0);
	}
	EXPECT_EQ(-EEXIST, add_watch(self->fd, op_process(child, 0, 6)));
	EXPECT_EQ(5, nr_watches(self->fd));
	EXPECT_EQ(0, kill(child, SIGKILL));
	EXPECT_EQ(child, waitpid(child, NULL, 0));
}

/* Read, and to come again; then among more records than are looked through. */
TEST_F_TIMEOUT(reject, a_process_that_was_told, LIMIT)
{
	pid_t pid[2] = { new_zombie(), new_zombie() };
	struct knell_event ev;
	int64_t bell;

	ASSERT_LT(0, pid[0]);
	ASSERT_LT(0, pid[1]);
	EXPECT_LT(0, add_watch(self->fd, op_process(pid[0], KNELL_OPF_ACK, 1)));
	ASSERT_EQ(1, next_event(self->fd, &ev));
	EXPECT_EQ(-EEXIST, add_watch(self->fd, op_process(pid[0], 0, 2)));
	for (int i = 0; i < 300; i++) {
		bell = add_watch(self->fd, op_user(i));
		ASSERT_LT(0, bell);
		ASSERT_EQ(0, trigger(self->fd, bell, 1));
	}
	EXPECT_EQ(-EEXIST, add_watch(self->fd, op_process(pid[0], 0, 3)));
	EXPECT_LT(0, add_watch(self->fd, op_process(pid[1], 0, 4)));
	EXPECT_EQ(-EEXIST, add_watch(self->fd, op_process(pid[1], 0, 5)));
	EXPECT_EQ(302, nr_watches(self->fd));
	EXPECT_EQ(pid[0], waitpid(pid[0], NULL, 0));
	EXPECT_EQ(pid[1], waitpid(pid[1], NULL, 0));
}

TEST_F_TIMEOUT(reject, handles_that_name_nothing, LIMIT)
{
	const uint32_t handles[] = { 0, 1000000, 0x80000000, ~1U, KNELL_LAST };
	struct knell_op op;
	int64_t watch;
	unsigned int i;

	watch = add_watch(self->fd, op_user(1));
	ASSERT_LT(0, watch);
	ASSERT_EQ(0, del_watch(self->fd, watch));
	for (i = 0; i <= 5; i++) {
		uint32_t handle = i < 5 ? handles[i] : watch;

		op = op_del(handle);
		EXPECT_EQ(-ENOENT, submit_op(self->fd, &op));
		op = op_mod(handle, 0, 1);
		EXPECT_EQ(-ENOENT, submit_op(self->fd, &op));
		op = op_trigger(handle, 1);
		EXPECT_EQ(-ENOENT, submit_op(self->fd, &op));
		op = op_kill(handle, 0);
		EXPECT_EQ(-ENOENT, submit_op(self->fd, &op));
	}
}

TEST_F_TIMEOUT(reject, signals_and_their_targets, LIMIT)
{
	const int sigs[] = { -1, 65, 1000, -0x7fffffff };
	int64_t bell, timer, process;
	struct knell_op op;
	pid_t pid;
	int i;

	bell = add_watch(self->fd, op_user(1));
	timer = add_watch(self->fd, add_of_type(KNELL_TIMER));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		pause();
		_exit(0);
	}
	process = add_watch(self->fd, op_process(pid, 0, 1));
	ASSERT_LT(0, process);
	op = op_kill(bell, 0);
	EXPECT_EQ(-EINVAL, submit_op(self->fd, &op));
	op = op_kill(timer, 0);
	EXPECT_EQ(-EINVAL, submit_op(self->fd, &op));
	for (i = 0; i < 4; i++) {
		op = op_kill(process, sigs[i]);
		EXPECT_EQ(-EINVAL, submit_op(self->fd, &op));
	}

	/* Dead and unread, dead and read. */
	op = op_kill(process, SIGKILL);
	EXPECT_EQ(0, submit_op(self->fd, &op));
	while (!nr_pending(self->fd))
		sched_yield();
	op = op_kill(process, 0);
	EXPECT_EQ(-ESRCH, submit_op(self->fd, &op));
	ASSERT_EQ(1, take(self->fd, &(struct knell_event){ }));
	op = op_kill(process, 0);
	EXPECT_EQ(-ENOENT, submit_op(self->fd, &op));
	ASSERT_EQ(pid, waitpid(pid, NULL, 0));
}

/* As an ordinary user in a child; @fd is inherited, and root's. */
static int kill_as_user(int fd, uint32_t watch)
{
	struct knell_op op = op_kill(watch, 0);

	CHECK(setresgid(1000, 1000, 1000) == 0);
	CHECK(setresuid(1000, 1000, 1000) == 0);
	CHECK(submit_op(fd, &op) == -EPERM);
	op = op_kill(watch, SIGKILL);
	CHECK(submit_op(fd, &op) == -EPERM);
	/* The kernel's threads are nobody's. */
	CHECK(add_watch(fd, op_process(2, 0, 1)) == -EPERM);
	return 0;
}

TEST_F_TIMEOUT(reject, the_callers_rights_count, LIMIT)
{
	int64_t watch;
	pid_t pid;

	watch = add_watch(self->fd, op_process(getpid(), 0, 1));
	ASSERT_LT(0, watch);
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		_exit(kill_as_user(self->fd, watch));
	EXPECT_EQ(0, child_status(pid));
}

TEST_F_TIMEOUT(reject, unknown_ioctls, LIMIT)
{
	char arg[4096] = { };
	unsigned int nr, type;

	for (nr = 0; nr < 256; nr++) {
		if (nr >= 0x20 && nr <= 0x24)
			continue;
		EXPECT_EQ(-1, ioctl(self->fd, _IOWR(0xDA, nr, struct knell_submit), arg));
		EXPECT_EQ(ENOTTY, errno);
	}
	for (type = 0; type < 256; type++) {
		/* 'T' and 'f' belong to the file system layer. */
		if (type == 0xDA || type == 'T' || type == 'f')
			continue;
		EXPECT_EQ(-1, ioctl(self->fd, _IOWR(type, 0x21, struct knell_submit), arg));
		EXPECT_EQ(ENOTTY, errno);
	}
}

TEST_F_TIMEOUT(reject, bad_pointers, LIMIT)
{
	char *end = guarded(1);
	const struct {
		unsigned long cmd;
		size_t size;
	} cmds[] = {
		{ KNELL_IOC_INFO, sizeof(struct knell_info) },
		{ KNELL_IOC_SUBMIT, sizeof(struct knell_submit) },
		{ KNELL_IOC_LIST, sizeof(struct knell_list) },
	};
	struct knell_watch_info *wi = (struct knell_watch_info *)end - 1;
	struct knell_list list;
	unsigned long longer;
	int64_t watch[2];
	int i;

	for (i = 0; i < 3; i++) {
		memset(end - cmds[i].size, 0, cmds[i].size);
		EXPECT_EQ(0, ioctl(self->fd, cmds[i].cmd, end - cmds[i].size));
		memset(end - cmds[i].size, 0, cmds[i].size);
		EXPECT_EQ(-1, ioctl(self->fd, cmds[i].cmd, end - cmds[i].size + 8));
		EXPECT_EQ(EFAULT, errno);
		EXPECT_EQ(-1, ioctl(self->fd, cmds[i].cmd, NULL));
		EXPECT_EQ(EFAULT, errno);
		EXPECT_EQ(-1, ioctl(self->fd, cmds[i].cmd, -4096L));
		EXPECT_EQ(EFAULT, errno);
		if (cmds[i].cmd == KNELL_IOC_INFO)
			continue;
		/* What a newer caller's is longer by is not there. */
		longer = _IOC(_IOC_READ | _IOC_WRITE, _IOC_TYPE(cmds[i].cmd),
			      _IOC_NR(cmds[i].cmd), cmds[i].size + 8);
		EXPECT_EQ(-1, ioctl(self->fd, longer, end - cmds[i].size));
		EXPECT_EQ(EFAULT, errno);
	}

	/* LIST: room that is not there, past the first watch. */
	for (i = 0; i < 2; i++) {
		watch[i] = add_watch(self->fd, op_user(i));
		ASSERT_LT(0, watch[i]);
	}
	list = (struct knell_list){ .watches = (uintptr_t)wi, .nr = 2 };
	EXPECT_EQ(-1, ioctl(self->fd, KNELL_IOC_LIST, &list));
	EXPECT_EQ(EFAULT, errno);
	list = (struct knell_list){ .watches = (uintptr_t)wi, .nr = 1 };
	EXPECT_EQ(0, ioctl(self->fd, KNELL_IOC_LIST, &list));
	EXPECT_EQ(watch[0], wi->watch);
	EXPECT_EQ(2, list.total);
}

TEST_F_TIMEOUT(reject, reserved_fields_and_sizes, LIMIT)
{
	struct {
		struct knell_list list;
		uint64_t more;
	} large = { };
	struct {
		struct knell_info info;
		uint64_t more[2];
	} wide;
	unsigned int size;

	large.list.pad = 1;
	EXPECT_EQ(-1, ioctl(self->fd, KNELL_IOC_LIST, &large));
	EXPECT_EQ(EINVAL, errno);
	large.list.pad = 0;
	EXPECT_EQ(0, ioctl(self->fd, _IOC(_IOC_READ | _IOC_WRITE, 0xDA, 0x24, sizeof(large)),
			   &large));
	large.more = 1;
	EXPECT_EQ(-1, ioctl(self->fd, _IOC(_IOC_READ | _IOC_WRITE, 0xDA, 0x24, sizeof(large)),
			    &large));
	EXPECT_EQ(E2BIG, errno);
	for (size = 0; size < sizeof(struct knell_list); size++) {
		EXPECT_EQ(-1, ioctl(self->fd, _IOC(_IOC_READ | _IOC_WRITE, 0xDA, 0x24, size),
				    &large));
		EXPECT_EQ(EINVAL, errno);
	}

	/* What a newer INFO has more, an older module says to be 0. */
	memset(&wide, 0xff, sizeof(wide));
	EXPECT_EQ(0, ioctl(self->fd, _IOC(_IOC_READ, 0xDA, 0x20, sizeof(wide)), &wide));
	EXPECT_EQ(KNELL_ABI, wide.info.abi);
	EXPECT_EQ(0, wide.more[0]);
	EXPECT_EQ(0, wide.more[1]);
	for (size = 0; size < sizeof(struct knell_info); size++) {
		EXPECT_EQ(-1, ioctl(self->fd, _IOC(_IOC_READ, 0xDA, 0x20, size), &wide));
		EXPECT_EQ(EINVAL, errno);
	}
}

TEST_F_TIMEOUT(reject, a_mode_that_is_none, LIMIT)
{
	close(self->fd);
	ASSERT_EQ(0, remove_module());
	EXPECT_EQ(-EINVAL, insert_module("mode=01666"));
	EXPECT_EQ(-EINVAL, insert_module("mode=0777"));
	EXPECT_NE(0, access(KNELL_DEVICE, F_OK));
	ASSERT_EQ(0, insert_module(""));
	self->fd = knell_open(O_NONBLOCK);
}

TEST_F_TIMEOUT(reject, the_device_is_roots, LIMIT)
{
	struct stat st;
	pid_t pid;

	ASSERT_EQ(0, stat(KNELL_DEVICE, &st));
	EXPECT_NE(0, S_ISCHR(st.st_mode));
	EXPECT_EQ(0600, st.st_mode & 07777);
	EXPECT_EQ(0, st.st_uid);
	EXPECT_EQ(0, st.st_gid);
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		if (setresgid(1000, 1000, 1000) || setresuid(1000, 1000, 1000))
			_exit(1);
		_exit(knell_open(0) >= 0 || errno != EACCES);
	}
	EXPECT_EQ(0, child_status(pid));
}

TEST_HARNESS_MAIN
