// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the record of a process says: usage, cgroup, times, ids, as each reader may
 * know them; and cases of death that need a process of their own.
 */
#include "kselftest_harness.h"

#include <linux/sched.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/utsname.h>

#include "process_death.h"

#ifndef CLONE_AUTOREAP
#define CLONE_AUTOREAP	(1ULL << 34)
#endif

FIXTURE(process) {
	struct target t;
};

FIXTURE_SETUP(process)
{
	self->t = (struct target) { .exit_signal = SIGCHLD, .token = 7, .run = run_exit };
	self->t.queue = knell_open(0);
	ASSERT_LE(0, self->t.queue);
}

FIXTURE_TEARDOWN(process)
{
	close(self->t.queue);
}

/* 8, enrolled while the tracer has it */
TEST_F_TIMEOUT(process, held_by_tracer_at_add, LIMIT)
{
	static const enum how hows[] = { LATE_PID, LATE_PIDFD };
	struct tracer tracer;

	for (unsigned int i = 0; i < ARRAY_SIZE(hows); i++) {
		struct target t = self->t;

		t.how = hows[i];
		start(_metadata, &t, run_exit);
		start_tracer(_metadata, &tracer, &t, false);
		tell(t.go, 'g');
		ASSERT_EQ('z', hear(tracer.said));
		ASSERT_EQ(0, enrol(&t));
		t.how = BY_PID;		/* from here on like one enrolled early */
		see_held(_metadata, &t);
		ASSERT_EQ(0, kill(tracer.pid, SIGKILL));
		see_death(_metadata, &t, 3 << 8);
		EXPECT_EQ(SIGKILL, reap(tracer.pid));
	}
}

/* What @queue tells of the one that has died: whether its pid is @pid where the reader is. */
static int read_below(int queue, pid_t pid)
{
	struct knell_event ev;

	CHECK(next_event(queue, &ev) == 1);
	CHECK(ev.type == KNELL_EV_EXIT && ev.exit.status == 5 << 8);
	CHECK(ev.exit.pid == pid);
	return 0;
}

/* One of a namespace below: each who reads of it has his own number for it. */
TEST_F_TIMEOUT(process, of_a_pid_namespace_below, LIMIT)
{
	int queue[2] = { self->t.queue, knell_open(0) }, gate[2];
	struct knell_event ev;
	pid_t pid, reader;
	char c;

	ASSERT_EQ(0, pipe(gate));
	ASSERT_EQ(0, unshare(CLONE_NEWPID));
	/* The first of the namespace reads; the second is who dies. */
	reader = fork();
	ASSERT_LE(0, reader);
	if (!reader)
		_exit(read_below(queue[1], 2));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		close(gate[1]);
		_exit(read(gate[0], &c, 1) == 1 ? 5 : BROKEN);
	}
	for (int i = 0; i < 2; i++)
		ASSERT_LT(0, add_pid(queue[i], pid, i));
	ASSERT_EQ(1, write(gate[1], "g", 1));
	ASSERT_EQ(1, next_event(queue[0], &ev));
	EXPECT_EQ(pid, ev.exit.pid);
	EXPECT_EQ(5 << 8, ev.exit.status);
	/* In this order: the first of a namespace does not end before all others have. */
	EXPECT_EQ(5 << 8, reap(pid));
	EXPECT_EQ(0, reap(reader));
	close(queue[1]);
}

static pid_t clone_autoreap(void)
{
	struct clone_args args = { .flags = CLONE_AUTOREAP };

	return syscall(SYS_clone3, &args, sizeof(args));
}

/* 14 */
TEST_F_TIMEOUT(process, clone_autoreap, LIMIT)
{
	int go[2], major = 0, minor = 0;
	struct knell_event ev;
	struct utsname name;
	pid_t pid;

	ASSERT_EQ(0, uname(&name));
	ASSERT_EQ(2, sscanf(name.release, "%d.%d", &major, &minor));
	if (major < 7 || (major == 7 && minor < 1))
		SKIP(return, "CLONE_AUTOREAP came with 7.1, this is %s", name.release);
	ASSERT_EQ(0, pipe(go));
	pid = clone_autoreap();
	ASSERT_LE(0, pid);
	if (!pid) {
		must_hear(go, 'g');
		_exit(3);
	}
	ASSERT_LT(0, add_pid(self->t.queue, pid, 7));
	tell(go, 'g');
	ASSERT_EQ(1, next_event(self->t.queue, &ev));
	EXPECT_EQ(pid, ev.exit.pid);
	EXPECT_EQ(3 << 8, ev.exit.status);
	EXPECT_EQ(-ECHILD, reap(pid));
}

static void run_burn(struct target *t)
{
	pthread_t thread;

	must_hear(t->go, 'g');
	if (pthread_create(&thread, NULL, burn, NULL) || pthread_join(thread, NULL))
		_exit(BROKEN);
	_exit(3);
}

/*
 * What a dead thread used counts. The kernel may account for more switches, to
 * the last, after the record and before the wait; its CPU time it scales.
 */
TEST_F_TIMEOUT(process, usage_is_that_of_wait4, LIMIT)
{
	struct target *t = &self->t;
	struct knell_event ev;
	struct rusage ru;
	uint64_t used;
	int status;

	t->run = run_burn;
	ASSERT_EQ(0, spawn(t));
	tell(t->go, 'g');
	ASSERT_EQ(1, next_event(t->queue, &ev));
	ASSERT_EQ(t->pid, wait4(t->pid, &status, 0, &ru));
	EXPECT_EQ(3 << 8, status);
	check_record(_metadata, t, &ev, status);
	EXPECT_EQ((uint64_t)ru.ru_maxrss, ev.exit.maxrss_kb);
	EXPECT_LE(8192, ev.exit.maxrss_kb);
	EXPECT_EQ((uint32_t)ru.ru_minflt, ev.exit.minflt);
	EXPECT_LE(2048, ev.exit.minflt);
	EXPECT_EQ((uint32_t)ru.ru_majflt, ev.exit.majflt);
	EXPECT_GE((uint32_t)ru.ru_nvcsw, ev.exit.nvcsw);
	EXPECT_LE((uint32_t)ru.ru_nvcsw, ev.exit.nvcsw + 4);
	EXPECT_LT(0, ev.exit.nvcsw);
	EXPECT_GE((uint32_t)ru.ru_nivcsw, ev.exit.nivcsw);
	EXPECT_LE((uint32_t)ru.ru_nivcsw, ev.exit.nivcsw + 4);
	used = ev.exit.utime_ns + ev.exit.stime_ns;
	/* In ticks, some of which an emulated machine loses: 100 ms of work, but no floor. */
	EXPECT_LT(0, used);
	EXPECT_GE(2 * (clock_ns(CLOCK_MONOTONIC) - t->born[0]), used);
}

/* A target reports no children's usage: 8 MiB and 100 ms that its child used are not its own. */
static void run_child_burns(struct target *t)
{
	pid_t pid;

	must_hear(t->go, 'g');
	pid = fork();
	if (!pid) {
		burn(NULL);
		_exit(0);
	}
	if (reap(pid))
		_exit(BROKEN);
	_exit(3);
}

TEST_F_TIMEOUT(process, usage_is_without_children, LIMIT)
{
	struct target *t = &self->t;
	struct knell_event ev;
	struct rusage ru;

	t->run = run_child_burns;
	ASSERT_EQ(0, spawn(t));
	tell(t->go, 'g');
	ASSERT_EQ(1, next_event(t->queue, &ev));
	ASSERT_EQ(t->pid, wait4(t->pid, NULL, 0, &ru));
	EXPECT_EQ(3 << 8, ev.exit.status);
	EXPECT_LE(2048, ru.ru_minflt);
	EXPECT_GT(2048, ev.exit.minflt);
	EXPECT_LE(8192, ru.ru_maxrss);
	EXPECT_GT(8192, ev.exit.maxrss_kb);
}

/* @root: a template of a directory's name, which it becomes. */
static void mount_cgroups(struct __test_metadata *_metadata, char *root)
{
	mkdir("/tmp", 01777);
	ASSERT_NE(NULL, mkdtemp(root));
	ASSERT_EQ(0, mount("none", root, "cgroup2", 0, NULL));
}

/* The cgroup it died in, as version 2 numbers them: the inode of its directory. */
TEST_F_TIMEOUT(process, cgroup_id, LIMIT)
{
	char root[] = "/tmp/cgroup.XXXXXX", dir[64], procs[96], pid[16];
	struct target *t = &self->t;
	struct knell_event ev;
	struct stat st;

	mount_cgroups(_metadata, root);
	snprintf(dir, sizeof(dir), "%s/knell-selftest", root);
	ASSERT_EQ(0, mkdir(dir, 0755));
	ASSERT_EQ(0, stat(dir, &st));

	ASSERT_EQ(0, spawn(t));
	snprintf(procs, sizeof(procs), "%s/cgroup.procs", dir);
	snprintf(pid, sizeof(pid), "%d", t->pid);
	ASSERT_EQ(0, write_file(procs, pid));
	tell(t->go, 'g');
	ASSERT_EQ(1, next_event(t->queue, &ev));
	EXPECT_EQ((uint64_t)st.st_ino, ev.exit.cgroup_id);
	EXPECT_EQ(3 << 8, reap(t->pid));

	/* A zombie keeps its cgroup; with it reaped the directory can go. */
	EXPECT_EQ(0, rmdir(dir));
	EXPECT_EQ(0, umount(root));
	EXPECT_EQ(0, rmdir(root));
}

TEST_F_TIMEOUT(process, cgroup_id_of_the_root, LIMIT)
{
	char root[] = "/tmp/cgroup.XXXXXX";
	struct target *t = &self->t;
	struct knell_event ev;
	struct stat st;

	mount_cgroups(_metadata, root);
	ASSERT_EQ(0, stat(root, &st));
	ASSERT_EQ(0, spawn(t));
	tell(t->go, 'g');
	ASSERT_EQ(1, next_event(t->queue, &ev));
	EXPECT_EQ((uint64_t)st.st_ino, ev.exit.cgroup_id);
	EXPECT_EQ(3 << 8, reap(t->pid));
	EXPECT_EQ(0, umount(root));
	EXPECT_EQ(0, rmdir(root));
}

/* Inside a time namespace every time is that namespace's. */
TEST_F_TIMEOUT(process, times_of_the_namespace, LIMIT)
{
	struct target *t = &self->t;
	const uint64_t outside = clock_ns(CLOCK_MONOTONIC);
	struct knell_event ev;
	pid_t pid;

	ASSERT_EQ(0, unshare(CLONE_NEWTIME));
	ASSERT_EQ(0, write_file("/proc/self/timens_offsets", "monotonic 1000000 0"));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		ASSERT_LE(outside + 1000000 * NSEC_PER_SEC, clock_ns(CLOCK_MONOTONIC));
		ASSERT_EQ(0, spawn(t));
		tell(t->go, 'g');
		ASSERT_EQ(1, next_event(t->queue, &ev));
		check_record(_metadata, t, &ev, reap(t->pid));
		_exit(_metadata->passed ? 0 : BROKEN);
	}
	EXPECT_EQ(0, reap(pid));
}

/* A reader in a user namespace that has no name for the uid sees the overflow uid. */
TEST_F_TIMEOUT(process, uid_of_the_reader, LIMIT)
{
	struct target *t = &self->t;
	struct knell_event ev;
	pid_t pid;

	ASSERT_EQ(0, spawn(t));
	tell(t->go, 'g');
	ASSERT_EQ(0, await_zombie(t->pid));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		ASSERT_EQ(0, unshare(CLONE_NEWUSER));
		ASSERT_EQ(1, next_event(t->queue, &ev));
		ASSERT_EQ(65534, ev.exit.uid);
		ASSERT_EQ(3 << 8, ev.exit.status);
		_exit(0);
	}
	EXPECT_EQ(0, reap(pid));
}

/* seq ascends by one while nothing is DELed, over watches of any order. */
TEST_F_TIMEOUT(process, seq_ascends, LIMIT)
{
	struct target t[8];
	struct knell_event ev;
	uint64_t seq = 0;

	for (int i = 0; i < 8; i++) {
		t[i] = self->t;
		t[i].how = i % 4;
		t[i].token = i;
		ASSERT_EQ(0, spawn(&t[i]));
	}
	for (int i = 0; i < 8; i++) {
		tell(t[7 - i].go, 'g');
		ASSERT_EQ(0, await_zombie(t[7 - i].pid));
	}
	for (int i = 0; i < 8; i++) {
		ASSERT_EQ(1, pending_event(self->t.queue, &ev));
		EXPECT_EQ(7 - i, ev.token);
		EXPECT_EQ(t[7 - i].pid, ev.exit.pid);
		if (i)
			EXPECT_EQ(seq + 1, ev.seq);
		seq = ev.seq;
		EXPECT_EQ(3 << 8, reap(t[7 - i].pid));
	}
	EXPECT_TRUE(nothing_pending(self->t.queue));
}

/* Who may know the status: rights are those of the adder, whoever reads. */
struct right {
	struct who adder;
	struct who target;
	bool status;
};

#define CAP(x)	(1ULL << (x))

static const struct right rights[] = {
	{ { 0, 0, 0, ~0ULL }, { 0, 0, 0, ~0ULL }, true },
	{ { 0, 0, 0, ~0ULL }, { 1000, 1000, 1000, 0 }, true },
	{ { 0, 0, 0, ~0ULL }, { 1000, 0, 1001, 0 }, true },
	{ { 0, 0, 0, 0 }, { 0, 0, 0, ~0ULL }, true },
	{ { 0, 0, 0, 0 }, { 0, 0, 0, 0 }, true },
	{ { 0, 0, 0, 0 }, { 1000, 1000, 1000, 0 }, false },
	{ { 1000, 1000, 1000, 0 }, { 1000, 1000, 1000, 0 }, true },
	{ { 1000, 1000, 1000, 0 }, { 0, 1000, 1000, 0 }, false },
	{ { 1000, 1000, 1000, 0 }, { 1000, 0, 1000, 0 }, false },
	{ { 1000, 1000, 1000, 0 }, { 1000, 1000, 0, 0 }, false },
	{ { 1000, 1000, 1000, 0 }, { 1000, 1001, 1001, 0 }, false },
	{ { 1000, 1000, 1000, 0 }, { 0, 0, 0, 0 }, false },
	{ { 1000, 1000, 1000, 0 }, { 1001, 1001, 1001, 0 }, false },
	{ { 0, 1000, 0, 0 }, { 1000, 1000, 1000, 0 }, true },
	{ { 0, 1000, 0, 0 }, { 0, 0, 0, 0 }, false },
	{ { 1000, 0, 1000, 0 }, { 0, 0, 0, 0 }, true },
	{ { 1000, 0, 1000, 0 }, { 1000, 1000, 1000, 0 }, false },
	{ { 1000, 1000, 1000, CAP(CAP_SYS_PTRACE) }, { 0, 0, 0, ~0ULL }, true },
	{ { 1000, 1000, 1000, CAP(CAP_SYS_PTRACE) }, { 1000, 0, 1001, 0 }, true },
	{ { 1000, 1000, 1000, CAP(CAP_SYS_ADMIN) | CAP(CAP_KILL) }, { 0, 0, 0, 0 }, false },
};

/* The target takes its ids before the ADD, or between ADD and death: death is what counts. */
static void run_become(struct target *t)
{
	bool early = t->arg & 1;

	if (early)
		become(&rights[t->arg / 2].target);
	tell(t->said, 'b');
	must_hear(t->go, 'g');
	if (!early)
		become(&rights[t->arg / 2].target);
	_exit(3);
}

static int add_target(void *arg)
{
	struct target *t = arg;

	return enrol(t);
}

static void check_rights(struct __test_metadata *_metadata, struct target *t,
			 const struct knell_event *ev, bool status)
{
	EXPECT_EQ(status ? 0 : KNELL_EVF_NOSTATUS, ev->flags);
	EXPECT_EQ(status ? 3 << 8 : 0, ev->exit.status);
	if (!status || small_rss_is_known())
		EXPECT_EQ(status, ev->exit.maxrss_kb > 0);
	EXPECT_EQ(status, ev->exit.minflt > 0);
	if (!status)
		EXPECT_EQ(0, ev->exit.utime_ns | ev->exit.stime_ns | ev->exit.majflt |
			     ev->exit.nvcsw | ev->exit.nivcsw);
	EXPECT_EQ(t->token, ev->token);
	EXPECT_EQ(t->pid, ev->exit.pid);
}

TEST_F_TIMEOUT(process, right_to_the_status, LIMIT)
{
	for (unsigned int i = 0; i < 4 * ARRAY_SIZE(rights); i++) {
		const struct right *right = &rights[i / 4];
		struct target t = self->t;
		struct knell_event ev;

		t.how = i & 2 ? LATE_PIDFD : LATE_PID;
		t.arg = (i / 4) * 2 + (i & 1);
		t.token = i;
		t.run = run_become;
		ASSERT_EQ(0, spawn(&t));
		ASSERT_EQ('b', hear(t.said));
		ASSERT_EQ(0, as_who(&right->adder, add_target, &t));
		tell(t.go, 'g');
		ASSERT_EQ(1, next_event(t.queue, &ev));
		check_rights(_metadata, &t, &ev, right->status);
		EXPECT_EQ(right->target.ruid, ev.exit.uid);
		EXPECT_EQ(3 << 8, reap(t.pid));
		forget(&t);
		ASSERT_TRUE(_metadata->passed) {
			TH_LOG("in row %u, %s, by %s", i / 4, i & 1 ? "early" : "late",
			       i & 2 ? "pidfd" : "pid");
		}
	}
}

/* The same of a process that is dead at ADD. */
TEST_F_TIMEOUT(process, right_to_the_status_of_a_zombie, LIMIT)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(rights); i++) {
		struct target t = self->t;
		struct knell_event ev;

		t.how = i & 1 ? LATE_PIDFD : LATE_PID;
		t.arg = 2 * i + 1;
		t.run = run_become;
		ASSERT_EQ(0, spawn(&t));
		ASSERT_EQ('b', hear(t.said));
		tell(t.go, 'g');
		ASSERT_EQ(0, await_zombie(t.pid));
		ASSERT_EQ(0, as_who(&rights[i].adder, add_target, &t));
		ASSERT_EQ(1, pending_event(t.queue, &ev));
		check_rights(_metadata, &t, &ev, rights[i].status);
		EXPECT_EQ(3 << 8, reap(t.pid));
		forget(&t);
		ASSERT_TRUE(_metadata->passed) {
			TH_LOG("in row %u", i);
		}
	}
}

static void run_exec_setuid(struct target *t)
{
	char go[16], said[16];

	snprintf(go, sizeof(go), "%d", t->go[0]);
	snprintf(said, sizeof(said), "%d", t->said[1]);
	must_hear(t->go, 'g');
	execl("/tmp/knell-setuid", "process_record_test", "then-exit", "3", go, said, NULL);
	_exit(BROKEN);
}

/* A child of 1000's that becomes setuid root on the way. */
static int own_setuid_child(void *arg)
{
	struct target *t = arg;
	int err = spawn(t);

	if (err)
		return err;
	tell(t->go, 'g');
	if (hear(t->said) != 'x')
		return -EPROTO;
	if (is_late(t)) {	/* here: added by one that is neither parent nor privileged */
		err = add_from_other(t->queue, t->pid, t->token);
		if (err)
			return err;
	}
	tell(t->go, 'g');
	return reap(t->pid);
}

/* A parent at ADD, or who enrolled it at birth, has the right whatever its child becomes. */
TEST_F_TIMEOUT(process, right_to_a_setuid_child, LIMIT)
{
	static const enum how hows[] = { BY_PID, BY_PIDFD, BY_NEXT, BY_SELF, LATE_PID };
	struct target *t = shared(sizeof(*t));
	struct knell_event ev;

	mkdir("/tmp", 01777);
	ASSERT_EQ(0, copy_file("/proc/self/exe", "/tmp/knell-setuid", 04755));
	for (unsigned int i = 0; i < ARRAY_SIZE(hows); i++) {
		*t = self->t;
		t->how = hows[i];
		t->run = run_exec_setuid;
		ASSERT_EQ(3 << 8, as_who(&user_1000, own_setuid_child, t));
		ASSERT_EQ(1, pending_event(t->queue, &ev));
		check_rights(_metadata, t, &ev, hows[i] != LATE_PID);
		EXPECT_EQ(1000, ev.exit.uid);
	}
	EXPECT_EQ(0, unlink("/tmp/knell-setuid"));
}

int main(int argc, char **argv)
{
	if (argc == 5 && !strcmp(argv[1], "then-exit"))
		return then_exit(argv);
	return test_harness_run(argc, argv);
}
