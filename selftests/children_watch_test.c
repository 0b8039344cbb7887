// SPDX-License-Identifier: GPL-2.0-only
/*
 * CHILDREN, the watch: what ops it takes, one-shot, DEL, whose children they are when descriptors
 * are inherited and processes exec or end, what a record tells, and to whom.
 */
#include "kselftest_harness.h"

#include <sys/resource.h>

#include "children_test.h"

TEST_F_TIMEOUT(children, two_queues, LIMIT)
{
	int other = knell_open(O_NONBLOCK);
	struct knell_event ev;
	pid_t pid;

	ASSERT_LT(0, add_children(other));
	pid = born_fork(3);
	see_death(_metadata, self, pid, 3 << 8);
	ASSERT_EQ(1, pending_event(other, &ev));
	EXPECT_EQ(pid, ev.exit.pid);
	EXPECT_EQ(3 << 8, ev.exit.status);
	EXPECT_EQ(1, ev.seq);
	EXPECT_TRUE(nothing_pending(other));
	close(other);
}

/* What was dead at ADD is not told: that is for waitid(2). */
TEST_F_TIMEOUT(children, not_the_dead_at_add, LIMIT)
{
	int64_t watch;
	pid_t pid;

	ASSERT_EQ(0, del_watch(self->fd, self->watch));
	pid = born_fork(3);
	ASSERT_EQ(0, await_zombie(pid));
	watch = add_children(self->fd);
	ASSERT_LT(0, watch);
	self->watch = watch;
	EXPECT_TRUE(nothing_pending(self->fd));
	EXPECT_EQ(3 << 8, reap(pid));
	EXPECT_TRUE(nothing_pending(self->fd));
	see_death(_metadata, self, born_fork(4), 4 << 8);
}

TEST_F_TIMEOUT(children, autoreap, LIMIT)
{
	catch_signal(SIGCHLD, SIG_DFL, SA_NOCLDWAIT);
	see_autoreaped(_metadata, self, born_fork(5), 5 << 8);
	catch_signal(SIGCHLD, SIG_IGN, 0);
	see_autoreaped(_metadata, self, born_fork(6), 6 << 8);
}

static int64_t mod_watch(int fd, uint32_t watch, uint32_t flags, uint64_t token)
{
	struct knell_op op = op_mod(watch, flags, token);

	return submit_op(fd, &op);
}

/* Gone with its first record; there is only one. */
TEST_F_TIMEOUT(children, oneshot, LIMIT)
{
	struct knell_event ev;
	int64_t watch;
	pid_t pid[2];

	ASSERT_EQ(0, del_watch(self->fd, self->watch));
	watch = add_watch(self->fd, op_children(KNELL_OPF_ONESHOT, TOKEN));
	ASSERT_LT(0, watch);
	self->watch = watch;
	for (int i = 0; i < 2; i++) {
		pid[i] = born_fork(i);
		ASSERT_EQ(0, await_zombie(pid[i]));
	}
	EXPECT_EQ(1, nr_pending(self->fd));
	EXPECT_EQ(2, watch_state(self->fd, watch));
	EXPECT_EQ(1, nr_watches(self->fd));
	next_death(_metadata, self, TOKEN, pid[0], 0, &ev);
	EXPECT_EQ(0, nr_watches(self->fd));
	EXPECT_EQ(-ENOENT, del_watch(self->fd, watch));
	EXPECT_EQ(0, reap(pid[0]));
	EXPECT_EQ(1 << 8, reap(pid[1]));
	EXPECT_EQ(2 << 8, reap(born_fork(2)));
	EXPECT_TRUE(nothing_pending(self->fd));
	/* There is room for another. */
	watch = add_children(self->fd);
	ASSERT_LT(0, watch);
	self->watch = watch;
	see_death(_metadata, self, born_fork(3), 3 << 8);
}

/* MOD: what is pending is told first, or the one-shot stays. */
TEST_F_TIMEOUT(children, mod_oneshot, LIMIT)
{
	struct knell_event ev;
	int64_t watch;
	pid_t pid[3];
	int i;

	for (i = 0; i < 3; i++) {
		pid[i] = born_fork(i);
		ASSERT_EQ(0, await_zombie(pid[i]));
	}
	ASSERT_EQ(0, mod_watch(self->fd, self->watch, KNELL_OPF_ONESHOT, TOKEN + 1));
	EXPECT_EQ(9 << 8, reap(born_fork(9)));
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(1, nr_watches(self->fd));
		ASSERT_EQ(1, pending_event(self->fd, &ev));
		EXPECT_EQ(pid[i], ev.exit.pid);
		EXPECT_EQ(TOKEN + 1, ev.token);
		EXPECT_EQ(i << 8, reap(pid[i]));
	}
	EXPECT_EQ(0, nr_watches(self->fd));

	watch = add_watch(self->fd, op_children(KNELL_OPF_ONESHOT, TOKEN));
	ASSERT_LT(0, watch);
	self->watch = watch;
	pid[0] = born_fork(1);
	ASSERT_EQ(0, await_zombie(pid[0]));
	ASSERT_EQ(0, mod_watch(self->fd, watch, 0, TOKEN));
	see_death(_metadata, self, pid[0], 1 << 8);
	see_death(_metadata, self, born_fork(2), 2 << 8);
	EXPECT_EQ(1, nr_watches(self->fd));
}

TEST_F_TIMEOUT(children, del_with_pending, LIMIT)
{
	const int nr = RESERVE + 10;
	struct knell_event ev;
	int64_t watch;
	int i;

	for (i = 0; i < nr; i++)
		ASSERT_EQ(0, reap(born_vfork(0)));
	EXPECT_EQ(RESERVE + 1, nr_pending(self->fd));
	ASSERT_EQ(0, del_watch(self->fd, self->watch));
	EXPECT_TRUE(nothing_pending(self->fd));
	EXPECT_EQ(0, reap(born_vfork(0)));
	EXPECT_TRUE(nothing_pending(self->fd));
	watch = add_children(self->fd);
	ASSERT_LT(0, watch);
	EXPECT_LT(self->watch, watch);
	/* seq goes on behind the gap; the last goes with the queue. */
	EXPECT_EQ(0, reap(born_vfork(0)));
	ASSERT_EQ(1, pending_event(self->fd, &ev));
	EXPECT_EQ(RESERVE + 2, ev.seq);
	for (i = 0; i < nr; i++)
		ASSERT_EQ(0, reap(born_vfork(0)));
}

TEST_F_TIMEOUT(children, one_in_a_queue, LIMIT)
{
	pid_t pid;

	EXPECT_EQ(-EEXIST, add_children(self->fd));
	EXPECT_EQ(-EEXIST, add_watch(self->fd, op_children(KNELL_OPF_ONESHOT, 2)));
	EXPECT_EQ(1, nr_watches(self->fd));
	/* Nor another process's. */
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		_exit(-add_children(self->fd));
	see_death(_metadata, self, pid, EEXIST << 8);
}

TEST_F_TIMEOUT(children, ops, LIMIT)
{
	const uint32_t bad[] = {
		KNELL_OPF_NEXT, KNELL_OPF_SELF, KNELL_OPF_PIDFD, KNELL_OPF_ABS, KNELL_OPF_EDGE,
		KNELL_OPF_ACK, KNELL_OPF_REPORT_FORK, KNELL_OPF_REPORT_EXIT,
		KNELL_OPF_KILL_ON_CLOSE, 1U << 31,
	};
	int fd = knell_open(O_NONBLOCK);
	struct knell_watch_info wi;
	struct knell_op op;

	EXPECT_NE(0, queue_info(fd).features & 1ULL << KNELL_CHILDREN);
	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++)
		EXPECT_EQ(-EINVAL, add_watch(fd, op_children(bad[i], 1)));
	for (unsigned int i = 0; i < ARRAY_SIZE(op.raw); i++) {
		op = op_children(0, 1);
		op.raw[i] = 1;
		EXPECT_EQ(-EINVAL, submit_op(fd, &op));
	}
	EXPECT_EQ(0, nr_watches(fd));
	EXPECT_EQ(-EINVAL, trigger(self->fd, self->watch, 1));
	EXPECT_EQ(-EINVAL, kill_watch(self->fd, self->watch, 0));
	EXPECT_EQ(-EINVAL, mod_watch(self->fd, self->watch, KNELL_OPF_ACK, 1));

	wi = watch_info(self->fd, self->watch);
	EXPECT_EQ(KNELL_CHILDREN, wi.type);
	EXPECT_EQ(1, wi.state);
	EXPECT_EQ(0, wi.flags);
	EXPECT_EQ(0, wi.pid);
	EXPECT_EQ(TOKEN, wi.token);
	EXPECT_EQ(0, reap(born_vfork(0)));
	EXPECT_EQ(2, watch_state(self->fd, self->watch));
	EXPECT_EQ(1, pending_event(self->fd, &(struct knell_event){ }));
	EXPECT_EQ(1, watch_state(self->fd, self->watch));
	close(fd);
}

TEST_F_TIMEOUT(children, fdinfo, LIMIT)
{
	char path[64], line[256];
	int found = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", self->fd);
	f = fopen(path, "r");
	ASSERT_NE(NULL, f);
	while (fgets(line, sizeof(line), f))
		found += strstr(line, "type:children state:armed") != NULL;
	fclose(f);
	EXPECT_EQ(1, found);
}

/* The descriptor tells of whose ADD it was, whoever reads. */
TEST_F_TIMEOUT(children, an_heir_hears_of_the_adders, LIMIT)
{
	pid_t heir, pid;

	heir = fork();
	ASSERT_LE(0, heir);
	if (!heir) {
		struct knell_event ev;

		/* Its own are none of the queue's, */
		if (reap(born_fork(1)) != 1 << 8 || !nothing_pending(self->fd))
			_exit(BROKEN);
		tell(self->said, 'r');
		/* but the other's are. */
		_exit(next_event(self->fd, &ev) == 1 && ev.exit.status == 5 << 8 ? 0 : BROKEN);
	}
	ASSERT_EQ('r', hear(self->said));
	pid = born_fork(5);
	EXPECT_EQ(5 << 8, reap(pid));
	ASSERT_EQ(0, await_zombie(heir));
	see_death(_metadata, self, heir, 0);
}

/* The process whose children they are ends: silence, and nothing to trip over. */
static int add_and_leave(int fd, const int *said)
{
	pid_t pid;

	CHECK(add_children(fd) > 0);
	CHECK(reap(born_fork(1)) == 1 << 8);
	pid = fork();
	if (!pid)
		for (;;)
			pause();
	tell_pid(said, pid);
	return 0;
}

TEST_F_TIMEOUT(children, the_adder_ends, LIMIT)
{
	int fd = knell_open(O_NONBLOCK);
	struct knell_event ev;
	pid_t adder, orphan;
	int64_t watch;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, prctl(PR_SET_CHILD_SUBREAPER, 1));
	adder = fork();
	ASSERT_LE(0, adder);
	if (!adder)
		_exit(add_and_leave(fd, self->said));
	orphan = hear_pid(self->said);
	ASSERT_LT(0, orphan);
	see_death(_metadata, self, adder, 0);
	ASSERT_EQ(1, pending_event(fd, &ev));
	EXPECT_EQ(1 << 8, ev.exit.status);
	watch = ev.watch;
	/* Its child is now this one's. */
	ASSERT_EQ(0, kill(orphan, SIGKILL));
	see_death(_metadata, self, orphan, SIGKILL);
	EXPECT_TRUE(nothing_pending(fd));
	EXPECT_EQ(1, watch_state(fd, watch));
	EXPECT_EQ(-EEXIST, add_children(fd));
	EXPECT_EQ(0, del_watch(fd, watch));
	EXPECT_LT(0, add_children(fd));
	EXPECT_EQ(6 << 8, reap(born_fork(6)));
	ASSERT_EQ(1, pending_event(fd, &ev));
	EXPECT_EQ(6 << 8, ev.exit.status);
	close(fd);
	next_death(_metadata, self, TOKEN, ev.exit.pid, 6 << 8, &ev);
	EXPECT_TRUE(nothing_pending(self->fd));
}

#define SETUID_COPY	"/tmp/knell-children-setuid"

/* A process that adds the watch, then execs a program that has a child; how it goes about it. */
struct career {
	int fd;
	const char *program;
	bool by_thread;
};

static void *exec_parent(void *arg)
{
	const struct career *career = arg;

	execl(career->program, "children_test", "have-a-child", "5", NULL);
	_exit(BROKEN);
}

static int add_then_exec(void *arg)
{
	const struct career *career = arg;
	pthread_t thread;

	if (add_children(career->fd) < 0)
		_exit(BROKEN);
	if (!career->by_thread)
		exec_parent(arg);
	if (pthread_create(&thread, NULL, exec_parent, arg))
		_exit(BROKEN);
	for (;;)
		pause();
}

/* The record of the child that the program had. */
static void see_childs_death(struct __test_metadata *_metadata, struct career *career,
			     const struct who *who, struct knell_event *ev)
{
	pid_t pid;

	career->fd = knell_open(O_NONBLOCK);
	ASSERT_LE(0, career->fd);
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		become(who);
		_exit(add_then_exec(career));
	}
	EXPECT_EQ(0, reap(pid));
	ASSERT_EQ(1, pending_event(career->fd, ev));
	EXPECT_EQ(KNELL_EV_EXIT, ev->type);
	EXPECT_TRUE(nothing_pending(career->fd));
	close(career->fd);
}

/* Whichever thread execs: the process is the same. */
TEST_F_TIMEOUT(children, the_adder_execs, LIMIT)
{
	struct career career = { .program = "/proc/self/exe" };
	struct knell_event ev;

	for (int i = 0; i < 4; i++) {
		career.by_thread = i & 1;
		see_childs_death(_metadata, &career, i & 2 ? &user_1000 : &root_all, &ev);
		EXPECT_EQ(0, ev.flags);
		EXPECT_EQ(5 << 8, ev.exit.status);
		EXPECT_EQ(i & 2 ? 1000 : 0, ev.exit.uid);
	}
}

/* A setuid program's children are not the business of whoever execed it. */
TEST_F_TIMEOUT(children, the_adder_execs_setuid, LIMIT)
{
	struct career career = { .program = SETUID_COPY };
	struct knell_event ev;

	ASSERT_EQ(0, copy_file("/proc/self/exe", SETUID_COPY, 04755));
	see_childs_death(_metadata, &career, &user_1000, &ev);
	EXPECT_EQ(KNELL_EVF_NOSTATUS, ev.flags);
	EXPECT_EQ(0, ev.exit.status);
	EXPECT_EQ(0, ev.exit.maxrss_kb | ev.exit.utime_ns | ev.exit.stime_ns);
	EXPECT_EQ(0, ev.exit.minflt | ev.exit.nvcsw | ev.exit.nivcsw);
	EXPECT_LT(0, ev.exit.pid);
	EXPECT_EQ(0, unlink(SETUID_COPY));
}

/* Who adds the watch is the parent: no matter what a child becomes, or that it has no rights. */
static int run_as_other(FIXTURE_DATA(children) *self)
{
	const struct who user_2000 = { 2000, 2001, 2002, 0 };

	(void)self;
	become(&user_2000);
	return 3;
}

TEST_F_TIMEOUT(children, of_other_users, LIMIT)
{
	struct knell_event ev;
	pid_t pid = start(_metadata, run_as_other, self);

	next_death(_metadata, self, TOKEN, pid, 3 << 8, &ev);
	EXPECT_EQ(2000, ev.exit.uid);
	EXPECT_EQ(3 << 8, reap(pid));
}

static int run_burn(FIXTURE_DATA(children) *self)
{
	pthread_t thread;

	(void)self;
	return pthread_create(&thread, NULL, burn, NULL) || pthread_join(thread, NULL) ? BROKEN : 3;
}

/* The kernel may account for more switches between the record and the wait; CPU time it scales. */
TEST_F_TIMEOUT(children, usage_is_that_of_wait4, LIMIT)
{
	uint64_t born = clock_ns(CLOCK_MONOTONIC), used;
	pid_t pid = start(_metadata, run_burn, self);
	uint64_t bred = clock_ns(CLOCK_MONOTONIC);
	struct knell_event ev;
	struct rusage ru;
	int status;

	next_death(_metadata, self, TOKEN, pid, 3 << 8, &ev);
	EXPECT_LE(born, ev.exit.start_ns);
	EXPECT_GE(bred, ev.exit.start_ns);
	EXPECT_LE(bred, ev.time_ns);
	EXPECT_GE(clock_ns(CLOCK_MONOTONIC), ev.time_ns);
	ASSERT_EQ(pid, wait4(pid, &status, 0, &ru));
	EXPECT_EQ(3 << 8, status);
	EXPECT_EQ((uint64_t)ru.ru_maxrss, ev.exit.maxrss_kb);
	EXPECT_LE(8192, ev.exit.maxrss_kb);
	EXPECT_EQ((uint32_t)ru.ru_minflt, ev.exit.minflt);
	EXPECT_LE(2048, ev.exit.minflt);
	EXPECT_EQ((uint32_t)ru.ru_majflt, ev.exit.majflt);
	EXPECT_GE((uint32_t)ru.ru_nvcsw, ev.exit.nvcsw);
	EXPECT_LE((uint32_t)ru.ru_nvcsw, ev.exit.nvcsw + 4);
	EXPECT_LT(0, ev.exit.nvcsw);
	EXPECT_LE((uint32_t)ru.ru_nivcsw, ev.exit.nivcsw + 4);
	EXPECT_NE(0, ev.exit.cgroup_id);
	used = ev.exit.utime_ns + ev.exit.stime_ns;
	EXPECT_LT(0, used);
	EXPECT_GE(2 * (clock_ns(CLOCK_MONOTONIC) - born), used);
}

/* A reader in another pid namespace: 0 is who it cannot see, */
TEST_F_TIMEOUT(children, reader_below, LIMIT)
{
	pid_t pid = born_fork(3), reader;
	struct knell_event ev;

	ASSERT_EQ(0, await_zombie(pid));
	reader = syscall(SYS_clone, CLONE_NEWPID | SIGCHLD, 0, 0, 0, 0);
	ASSERT_LE(0, reader);
	if (!reader)
		_exit(pending_event(self->fd, &ev) == 1 && ev.exit.pid == 0 &&
		      ev.exit.status == 3 << 8 ? 0 : BROKEN);
	ASSERT_EQ(0, await_zombie(reader));
	see_death(_metadata, self, reader, 0);
	EXPECT_EQ(3 << 8, reap(pid));
}

static pid_t parent_of(pid_t pid)
{
	char path[64], line[256];
	pid_t parent = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	f = fopen(path, "r");
	if (!f)
		return -1;
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "PPid: %d", &parent) == 1)
			break;
	fclose(f);
	return parent;
}

/* and whom it sees has another number, also when it is gone. */
TEST_F_TIMEOUT(children, reader_above, LIMIT)
{
	int fd = knell_open(O_NONBLOCK);
	struct knell_event ev;
	pid_t adder, second;

	ASSERT_LE(0, fd);
	adder = syscall(SYS_clone, CLONE_NEWPID | SIGCHLD, 0, 0, 0, 0);
	ASSERT_LE(0, adder);
	if (!adder) {
		if (add_children(fd) < 0 || await_zombie(born_fork(3)))
			_exit(BROKEN);
		tell(self->said, 'z');
		must_hear(self->go, 'g');
		_exit(reap(2) == 3 << 8 && reap(born_fork(4)) == 4 << 8 ? 0 : BROKEN);
	}
	ASSERT_EQ('z', hear(self->said));
	ASSERT_EQ(1, pending_event(fd, &ev));
	EXPECT_EQ(3 << 8, ev.exit.status);
	EXPECT_EQ(adder, parent_of(ev.exit.pid));
	second = ev.exit.pid;
	tell(self->go, 'g');
	see_death(_metadata, self, adder, 0);
	ASSERT_EQ(1, pending_event(fd, &ev));
	EXPECT_EQ(4 << 8, ev.exit.status);
	EXPECT_LT(second, ev.exit.pid);
	close(fd);
}

/* What the targets become that exec this program. */
int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "have-a-child"))
		return reap(born_fork(atoi(argv[2]))) == atoi(argv[2]) << 8 ? 0 : BROKEN;
	return test_harness_run(argc, argv);
}
