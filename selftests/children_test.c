// SPDX-License-Identifier: GPL-2.0-only
/*
 * CHILDREN: one watch for every child, whoever made it and however, for orphans, too: one record
 * for each death, when it can be reaped, none for what is no death; and when there are too many at
 * once, how many were lost, which waitid(2) then finds.
 */
#include "kselftest_harness.h"

#include <linux/sched.h>
#include <linux/wait.h>
#include <spawn.h>
#include <sys/epoll.h>
#include <sys/ptrace.h>
#include <sys/resource.h>

#include "process_test.h"

#define TOKEN		0xc41d
#define OWN		0x0e0e	/* of a watch of the child's own */
#define RESERVE		256	/* records that wait at most; DESIGN: bounded */
#define STACK_SIZE	16384

extern char **environ;

static struct knell_op op_children(uint32_t flags, uint64_t token)
{
	return op_add(KNELL_CHILDREN, flags, token);
}

static int64_t add_children(int fd)
{
	return add_watch(fd, op_children(0, TOKEN));
}

FIXTURE(children) {
	int fd;
	uint32_t watch;
	uint64_t seq;
	int go[2];	/* to a child: do the next thing */
	int said[2];	/* from it */
};

FIXTURE_SETUP(children)
{
	int64_t watch;

	self->fd = knell_open(O_NONBLOCK);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, pipe(self->go));
	ASSERT_EQ(0, pipe(self->said));
	self->seq = 0;
	watch = add_children(self->fd);
	ASSERT_LT(0, watch);
	self->watch = watch;
}

FIXTURE_TEARDOWN(children)
{
	close(self->fd);
}

/* The next record, which is that of @pid's death, with the token of @watch. */
static void next_death(struct __test_metadata *_metadata, FIXTURE_DATA(children) *self,
		       uint64_t token, pid_t pid, int status, struct knell_event *ev)
{
	uint64_t before = clock_ns(CLOCK_MONOTONIC);

	ASSERT_EQ(1, next_event(self->fd, ev));
	ASSERT_EQ(KNELL_EV_EXIT, ev->type);
	EXPECT_EQ(0, ev->flags);
	EXPECT_EQ(token, ev->token);
	if (token == TOKEN)
		EXPECT_EQ(self->watch, ev->watch);
	EXPECT_LT(self->seq, ev->seq);
	self->seq = ev->seq;
	EXPECT_GE(before + PATIENCE, ev->time_ns);
	EXPECT_LT(ev->exit.start_ns, ev->time_ns);
	EXPECT_EQ(status, ev->exit.status);
	EXPECT_EQ(0, ev->exit.members);
	EXPECT_EQ(0, ev->exit.killer_pid);
	EXPECT_EQ(0, ev->exit.reserved[0] | ev->exit.reserved[1]);
	ASSERT_EQ(pid, ev->exit.pid);
}

/* @pid's death is told once, and what wait(2) says is the same. */
static void see_death(struct __test_metadata *_metadata, FIXTURE_DATA(children) *self, pid_t pid,
		      int status)
{
	struct knell_event ev;
	int found = -1;

	next_death(_metadata, self, TOKEN, pid, status, &ev);
	EXPECT_TRUE(waitable(pid, &found));
	EXPECT_EQ(status, found);
	EXPECT_EQ(status, reap(pid));
	EXPECT_TRUE(nothing_pending(self->fd));
}

/* A death that nobody can wait for. */
static void see_autoreaped(struct __test_metadata *_metadata, FIXTURE_DATA(children) *self,
			   pid_t pid, int status)
{
	struct knell_event ev;

	next_death(_metadata, self, TOKEN, pid, status, &ev);
	await_gone(pid);
	EXPECT_TRUE(nothing_pending(self->fd));
}

static pid_t start(struct __test_metadata *_metadata, int (*run)(FIXTURE_DATA(children) *self),
		   FIXTURE_DATA(children) *self)
{
	pid_t pid = fork();

	ASSERT_LE(0, pid);
	if (!pid)
		_exit(run(self));
	return pid;
}

static void tell_pid(const int *said, pid_t pid)
{
	if (pid < 0 || write(said[1], &pid, sizeof(pid)) != sizeof(pid))
		_exit(BROKEN);
}

static pid_t hear_pid(const int *said)
{
	pid_t pid;

	return read(said[0], &pid, sizeof(pid)) == sizeof(pid) ? pid : -1;
}

static int run_until_told(FIXTURE_DATA(children) *self)
{
	must_hear(self->go, 'g');
	return 3;
}

static int run_until_killed(FIXTURE_DATA(children) *self)
{
	(void)self;
	pause();
	return BROKEN;
}

/*
 * Ways to be born: each returns the pid of a child of this process that exits with @status.
 */

static pid_t born_fork(int status)
{
	pid_t pid = fork();

	if (!pid)
		_exit(status);
	return pid;
}

static pid_t born_vfork(int status)
{
	pid_t pid = vfork();

	if (!pid)
		_exit(status);
	return pid;
}

static pid_t born_clone3(int status)
{
	struct clone_args args = { .exit_signal = SIGCHLD };
	pid_t pid = syscall(SYS_clone3, &args, sizeof(args));

	if (!pid)
		_exit(status);
	return pid;
}

static pid_t raw_clone(unsigned long flags, int status)
{
	pid_t pid = syscall(SYS_clone, flags, 0, 0, 0, 0);

	if (!pid)
		_exit(status);
	return pid;
}

static pid_t born_without_signal(int status)
{
	return raw_clone(0, status);
}

static pid_t born_with_other_signal(int status)
{
	return raw_clone(SIGWINCH, status);
}

static pid_t born_in_new_namespace(int status)
{
	return raw_clone(CLONE_NEWPID | SIGCHLD, status);
}

static int exit_with(void *status)
{
	syscall(SYS_exit_group, *(int *)status);
	return 0;
}

static pid_t born_sharing_memory(int status)
{
	static char stack[STACK_SIZE] __attribute__((aligned(16)));
	static int code;

	code = status;
	return clone(exit_with, stack + STACK_SIZE, CLONE_VM | SIGCHLD, &code);
}

static pid_t born_posix_spawn(int status)
{
	char name[] = "children_test", then_exit[] = "then-exit", code[16];
	char *argv[] = { name, then_exit, code, NULL };
	pid_t pid;

	snprintf(code, sizeof(code), "%d", status);
	return posix_spawn(&pid, "/proc/self/exe", NULL, NULL, argv, environ) ? -1 : pid;
}

/* A child makes a sibling of its own, which is a child of this process. */
static pid_t born_by_a_child(int status)
{
	pid_t *pid = shared(sizeof(*pid)), sibling;

	/* Its own death is not what this is about; it has no record to be taken for another. */
	*pid = 0;
	if (!vfork()) {
		*pid = raw_clone(CLONE_PARENT | SIGCHLD, status);
		_exit(0);
	}
	sibling = *pid;
	munmap(pid, sizeof(*pid));
	return sibling;
}

struct birth {
	pid_t (*born)(int status);
	int status;
	pid_t pid;
};

static void *run_birth(void *arg)
{
	struct birth *birth = arg;

	birth->pid = birth->born(birth->status);
	return NULL;
}

/* By a thread that is gone when the child dies, or may be. */
static pid_t born_by_a_thread(int status)
{
	struct birth birth = { born_fork, status, -1 };
	pthread_t thread;

	if (pthread_create(&thread, NULL, run_birth, &birth) || pthread_join(thread, NULL))
		return -1;
	return birth.pid;
}

static pid_t spawned_by_a_thread(int status)
{
	struct birth birth = { born_posix_spawn, status, -1 };
	pthread_t thread;

	if (pthread_create(&thread, NULL, run_birth, &birth) || pthread_join(thread, NULL))
		return -1;
	return birth.pid;
}

static pid_t (*const ways_to_be_born[])(int status) = {
	born_fork, born_vfork, born_clone3, born_without_signal, born_with_other_signal,
	born_in_new_namespace, born_sharing_memory, born_posix_spawn, born_by_a_thread,
	spawned_by_a_thread,
};

TEST_F_TIMEOUT(children, however_born, LIMIT)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(ways_to_be_born); i++) {
		pid_t pid = ways_to_be_born[i](i + 1);

		ASSERT_LT(0, pid);
		see_death(_metadata, self, pid, (i + 1) << 8);
	}
}

/* A child's clone with CLONE_PARENT is this process's child: both are told, in some order. */
TEST_F_TIMEOUT(children, born_by_a_child, LIMIT)
{
	pid_t pid = born_by_a_child(9);
	struct knell_event ev[2];
	int other;

	ASSERT_LT(0, pid);
	ASSERT_EQ(1, next_event(self->fd, &ev[0]));
	ASSERT_EQ(1, next_event(self->fd, &ev[1]));
	other = ev[0].exit.pid == pid;
	EXPECT_EQ(pid, ev[!other].exit.pid);
	EXPECT_EQ(9 << 8, ev[!other].exit.status);
	EXPECT_EQ(0, ev[other].exit.status);
	EXPECT_EQ(9 << 8, reap(pid));
	EXPECT_EQ(0, reap(ev[other].exit.pid));
	EXPECT_TRUE(nothing_pending(self->fd));
}

/* If it can be reaped there is a record, and if there is one it can be reaped. */
TEST_F_TIMEOUT(children, when_it_can_be_reaped, LIMIT)
{
	struct knell_event ev;
	int status;
	pid_t pid;

	for (int i = 0; i < 200; i++) {
		pid = born_fork(i);
		ASSERT_LT(0, pid);
		if (i % 2) {
			ASSERT_EQ(0, await_zombie(pid));
			ASSERT_EQ(1, pending_event(self->fd, &ev));
		} else {
			while (!pending_event(self->fd, &ev))
				;
			ASSERT_TRUE(waitable(pid, &status));
		}
		ASSERT_EQ(pid, ev.exit.pid);
		ASSERT_EQ(i << 8, ev.exit.status);
		ASSERT_EQ(i << 8, reap(pid));
	}
	EXPECT_TRUE(nothing_pending(self->fd));
}

static int run_segv(FIXTURE_DATA(children) *self)
{
	const struct rlimit none = { };

	(void)self;
	setrlimit(RLIMIT_CORE, &none);
	signal(SIGSEGV, SIG_DFL);
	kill(getpid(), SIGSEGV);
	return BROKEN;
}

TEST_F_TIMEOUT(children, killed, LIMIT)
{
	pid_t pid = start(_metadata, run_until_told, self);

	ASSERT_EQ(0, kill(pid, SIGKILL));
	see_death(_metadata, self, pid, SIGKILL);
	see_death(_metadata, self, start(_metadata, run_segv, self), SIGSEGV);
}

static void *wait_and_exit(void *arg)
{
	FIXTURE_DATA(children) *self = arg;

	must_hear(self->go, 'g');
	exit(4);
}

/* The leader is a zombie before its process is. */
static int run_leader_leaves(FIXTURE_DATA(children) *self)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, wait_and_exit, self))
		return BROKEN;
	syscall(SYS_exit, 5);
	return BROKEN;
}

TEST_F_TIMEOUT(children, leader_leaves_first, LIMIT)
{
	pid_t pid = start(_metadata, run_leader_leaves, self);
	int status;

	await_state(pid, 'Z');
	EXPECT_TRUE(nothing_pending(self->fd));
	/* Its other thread is stopped, and goes on: wakes for a zombie, and no deaths. */
	ASSERT_EQ(0, kill(pid, SIGSTOP));
	ASSERT_EQ(pid, waitpid(pid, &status, WUNTRACED));
	EXPECT_TRUE(nothing_pending(self->fd));
	ASSERT_EQ(0, kill(pid, SIGCONT));
	ASSERT_EQ(pid, waitpid(pid, &status, WCONTINUED));
	EXPECT_TRUE(nothing_pending(self->fd));
	tell(self->go, 'g');
	see_death(_metadata, self, pid, 4 << 8);
}

static void *exec_then_exit(void *arg)
{
	FIXTURE_DATA(children) *self = arg;
	char go[16], said[16];

	snprintf(go, sizeof(go), "%d", self->go[0]);
	snprintf(said, sizeof(said), "%d", self->said[1]);
	execl("/proc/self/exe", "children_test", "then-exit", "6", go, said, NULL);
	_exit(BROKEN);
}

static int run_thread_execs(FIXTURE_DATA(children) *self)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, exec_then_exit, self))
		return BROKEN;
	for (;;)
		pause();
}

/* de_thread() makes the old leader dead, and wakes its tracer, but the process lives on. */
TEST_F_TIMEOUT(children, child_execs_in_another_thread, LIMIT)
{
	pid_t pid = start(_metadata, run_thread_execs, self);

	ASSERT_EQ('x', hear(self->said));
	EXPECT_TRUE(nothing_pending(self->fd));
	tell(self->go, 'g');
	see_death(_metadata, self, pid, 6 << 8);
}

TEST_F_TIMEOUT(children, stop_and_continue, LIMIT)
{
	pid_t pid = start(_metadata, run_until_told, self);
	int status;

	for (int i = 0; i < 3; i++) {
		ASSERT_EQ(0, kill(pid, SIGSTOP));
		ASSERT_EQ(pid, waitpid(pid, &status, WUNTRACED));
		EXPECT_TRUE(nothing_pending(self->fd));
		ASSERT_EQ(0, kill(pid, SIGCONT));
		ASSERT_EQ(pid, waitpid(pid, &status, WCONTINUED));
		EXPECT_TRUE(nothing_pending(self->fd));
	}
	tell(self->go, 'g');
	see_death(_metadata, self, pid, 3 << 8);
}

/* Traces @pid, sees it die, then waits for g; with @reaps it takes the zombie first. */
static pid_t start_tracer(struct __test_metadata *_metadata, pid_t pid, int *go, int *said,
			  bool reaps)
{
	siginfo_t si;
	pid_t tracer;

	ASSERT_EQ(0, pipe(go));
	ASSERT_EQ(0, pipe(said));
	tracer = fork();
	ASSERT_LE(0, tracer);
	if (tracer) {
		ASSERT_EQ('s', hear(said));
		return tracer;
	}
	if (ptrace(PTRACE_SEIZE, pid, NULL, NULL))
		_exit(BROKEN);
	tell(said, 's');
	if (waitid(P_PID, pid, &si, WEXITED | __WALL | (reaps ? 0 : WNOWAIT)))
		_exit(BROKEN);
	tell(said, 'z');
	must_hear(go, 'g');
	_exit(0);
}

/* Held by a tracer that is not the parent: told when the tracer lets go. */
static void held_by_tracer(struct __test_metadata *_metadata, FIXTURE_DATA(children) *self,
			   bool autoreap)
{
	pid_t pid = start(_metadata, run_until_told, self), tracer;
	struct knell_event ev[2];
	int go[2], said[2], i;

	if (autoreap)
		catch_signal(SIGCHLD, SIG_DFL, SA_NOCLDWAIT);
	tracer = start_tracer(_metadata, pid, go, said, false);
	tell(self->go, 'g');
	ASSERT_EQ('z', hear(said));
	for (i = 0; i < 100; i++) {
		EXPECT_TRUE(nothing_pending(self->fd));
		sched_yield();
	}
	tell(go, 'g');
	/* The tracer is a child, too: its zombie's release comes before its own death. */
	next_death(_metadata, self, TOKEN, pid, 3 << 8, &ev[0]);
	next_death(_metadata, self, TOKEN, tracer, 0, &ev[1]);
	EXPECT_TRUE(nothing_pending(self->fd));
	if (autoreap) {
		await_gone(pid);
		await_gone(tracer);
		return;
	}
	EXPECT_EQ(3 << 8, reap(pid));
	EXPECT_EQ(0, reap(tracer));
}

TEST_F_TIMEOUT(children, held_by_tracer, LIMIT)
{
	held_by_tracer(_metadata, self, false);
}

TEST_F_TIMEOUT(children, held_by_tracer_autoreap, LIMIT)
{
	held_by_tracer(_metadata, self, true);
}

TEST_F_TIMEOUT(children, reaped_by_tracer_first, LIMIT)
{
	pid_t pid = start(_metadata, run_until_told, self), tracer;
	int go[2], said[2];

	tracer = start_tracer(_metadata, pid, go, said, true);
	EXPECT_TRUE(nothing_pending(self->fd));
	tell(self->go, 'g');
	see_death(_metadata, self, pid, 3 << 8);
	ASSERT_EQ('z', hear(said));
	tell(go, 'g');
	see_death(_metadata, self, tracer, 0);
}

struct own_tracer {
	pid_t pid;
	int go[2];
	int said[2];
	pthread_t thread;
};

static void *run_own_tracer(void *arg)
{
	struct own_tracer *t = arg;

	if (ptrace(PTRACE_SEIZE, t->pid, NULL, NULL))
		return NULL;
	tell(t->said, 's');
	must_hear(t->go, 'g');
	return NULL;
}

/*
 * The parent traces its own child: its stops are no deaths; its death is told, and not again when
 * the tracing thread exits and with it goes the zombie.
 */
TEST_F_TIMEOUT(children, traced_by_the_parent, LIMIT)
{
	static const int flags[] = { 0, SA_NOCLDWAIT };
	struct own_tracer t;
	struct knell_event ev;
	int status;

	for (unsigned int i = 0; i < ARRAY_SIZE(flags); i++) {
		catch_signal(SIGCHLD, SIG_DFL, flags[i]);
		t.pid = start(_metadata, run_until_told, self);
		ASSERT_EQ(0, pipe(t.go));
		ASSERT_EQ(0, pipe(t.said));
		ASSERT_EQ(0, pthread_create(&t.thread, NULL, run_own_tracer, &t));
		ASSERT_EQ('s', hear(t.said));
		ASSERT_EQ(0, kill(t.pid, SIGSTOP));
		ASSERT_EQ(t.pid, waitpid(t.pid, &status, WUNTRACED));
		EXPECT_TRUE(nothing_pending(self->fd));
		ASSERT_EQ(0, kill(t.pid, SIGKILL));
		next_death(_metadata, self, TOKEN, t.pid, SIGKILL, &ev);
		/* Even where SIGCHLD is ignored: it is the tracer's to reap. */
		EXPECT_TRUE(waitable(t.pid, &status));
		tell(t.go, 'g');
		ASSERT_EQ(0, pthread_join(t.thread, NULL));
		if (flags[i])
			await_gone(t.pid);
		else
			EXPECT_EQ(SIGKILL, reap(t.pid));
		EXPECT_TRUE(nothing_pending(self->fd));
	}
}

/* A tracer is woken for a zombie that is not its child: not a record's matter. */
TEST_F_TIMEOUT(children, not_those_it_traces, LIMIT)
{
	pid_t parent, pid;
	siginfo_t si;

	parent = fork();
	ASSERT_LE(0, parent);
	if (!parent) {
		pid = fork();
		if (!pid) {
			must_hear(self->go, 'g');
			_exit(7);
		}
		tell_pid(self->said, pid);
		_exit(reap(pid) >> 8);
	}
	pid = hear_pid(self->said);
	ASSERT_EQ(0, ptrace(PTRACE_SEIZE, pid, NULL, NULL));
	tell(self->go, 'g');
	ASSERT_EQ(0, waitid(P_PID, pid, &si, WEXITED | WNOWAIT | __WALL));
	EXPECT_EQ(pid, si.si_pid);
	EXPECT_TRUE(nothing_pending(self->fd));
	ASSERT_EQ(0, waitid(P_PID, pid, &si, WEXITED | __WALL));
	see_death(_metadata, self, parent, 7 << 8);
}

/* A grandchild is nobody's business until it is an orphan. */
static int run_make_orphan(FIXTURE_DATA(children) *self)
{
	pid_t pid = fork();

	if (!pid) {
		must_hear(self->go, 'g');
		_exit(8);
	}
	tell_pid(self->said, pid);
	return 0;
}

TEST_F_TIMEOUT(children, orphans_that_live, LIMIT)
{
	pid_t parent, orphan;

	ASSERT_EQ(0, prctl(PR_SET_CHILD_SUBREAPER, 1));
	for (int i = 0; i < 5; i++) {
		parent = start(_metadata, run_make_orphan, self);
		orphan = hear_pid(self->said);
		ASSERT_LT(0, orphan);
		see_death(_metadata, self, parent, 0);
		tell(self->go, 'g');
		see_death(_metadata, self, orphan, 8 << 8);
	}
}

/* Leaves a zombie behind, when told. */
static int run_leave_zombie(FIXTURE_DATA(children) *self)
{
	pid_t pid = born_fork(9);

	if (pid < 0 || await_zombie(pid))
		return BROKEN;
	tell_pid(self->said, pid);
	must_hear(self->go, 'g');
	return 0;
}

/* A zombie that is handed over is told once, then: before that it was another's. */
TEST_F_TIMEOUT(children, zombies_that_are_handed_over, LIMIT)
{
	struct knell_event ev;
	pid_t parent, orphan;

	ASSERT_EQ(0, prctl(PR_SET_CHILD_SUBREAPER, 1));
	for (int i = 0; i < 5; i++) {
		parent = start(_metadata, run_leave_zombie, self);
		orphan = hear_pid(self->said);
		ASSERT_LT(0, orphan);
		EXPECT_TRUE(nothing_pending(self->fd));
		tell(self->go, 'g');
		next_death(_metadata, self, TOKEN, orphan, 9 << 8, &ev);
		see_death(_metadata, self, parent, 0);
		EXPECT_EQ(9 << 8, reap(orphan));
		EXPECT_TRUE(nothing_pending(self->fd));
	}
}

/* A watch of its own told of the death long before; only now is the zombie one's own to reap. */
TEST_F_TIMEOUT(children, watched_zombie_that_is_handed_over, LIMIT)
{
	struct knell_event ev;
	pid_t parent, orphan;

	ASSERT_EQ(0, prctl(PR_SET_CHILD_SUBREAPER, 1));
	parent = fork();
	ASSERT_LE(0, parent);
	if (!parent) {
		orphan = start(_metadata, run_until_told, self);
		tell_pid(self->said, orphan);
		must_hear(self->go, 'x');
		_exit(0);
	}
	orphan = hear_pid(self->said);
	ASSERT_LT(0, orphan);
	ASSERT_LT(0, add_pid(self->fd, orphan, OWN));
	ASSERT_EQ(0, kill(orphan, SIGKILL));
	next_death(_metadata, self, OWN, orphan, SIGKILL, &ev);
	EXPECT_TRUE(nothing_pending(self->fd));
	tell(self->go, 'x');
	next_death(_metadata, self, TOKEN, orphan, SIGKILL, &ev);
	see_death(_metadata, self, parent, 0);
	EXPECT_EQ(SIGKILL, reap(orphan));
}

/* In a new pid namespace: PID 1 inherits what nobody else does. */
static int be_pid_1(int fd)
{
	struct knell_event ev;
	int said[2];
	pid_t child, orphan;

	CHECK(getpid() == 1);
	CHECK(add_children(fd) > 0);
	CHECK(pipe(said) == 0);
	child = fork();
	CHECK(child >= 0);
	if (!child) {
		orphan = fork();
		if (!orphan) {
			/* Not before it is one. */
			while (getppid() != 1)
				sched_yield();
			_exit(11);
		}
		tell_pid(said, orphan);
		_exit(0);
	}
	orphan = hear_pid(said);
	CHECK(next_event(fd, &ev) == 1);
	CHECK(ev.exit.pid == child && ev.exit.status == 0);
	CHECK(next_event(fd, &ev) == 1);
	CHECK(ev.exit.pid == orphan && ev.exit.status == 11 << 8);
	CHECK(reap(child) == 0 && reap(orphan) == 11 << 8);
	CHECK(nothing_pending(fd));
	return 0;
}

TEST_F_TIMEOUT(children, orphans_of_pid_1, LIMIT)
{
	int fd = knell_open(O_NONBLOCK);
	pid_t pid;

	ASSERT_LE(0, fd);
	pid = syscall(SYS_clone, CLONE_NEWPID | SIGCHLD, 0, 0, 0, 0);
	ASSERT_LE(0, pid);
	if (!pid)
		_exit(be_pid_1(fd));
	see_death(_metadata, self, pid, 0);
}

static int64_t add_own(int fd, enum how how, pid_t pid)
{
	int64_t watch = -EINVAL;
	int pidfd;

	if (how == BY_PID || how == LATE_PID)
		return add_pid(fd, pid, OWN);
	if (how != BY_PIDFD)
		return watch;
	pidfd = pidfd_of(pid);
	watch = add_pidfd(fd, pidfd, OWN);
	close(pidfd);
	return watch;
}

/* A watch of its own in the same queue tells the death, and CHILDREN does not. */
TEST_F_TIMEOUT(children, not_what_its_own_watch_tells, LIMIT)
{
	static const enum how hows[] = { BY_PID, BY_PIDFD, BY_NEXT, BY_SELF };
	struct knell_event ev;
	pid_t pid;

	for (unsigned int i = 0; i < 2 * ARRAY_SIZE(hows); i++) {
		enum how how = hows[i / 2];

		if (how == BY_NEXT)
			ASSERT_LT(0, add_next(self->fd, OWN));
		pid = fork();
		ASSERT_LE(0, pid);
		if (!pid) {
			if (how == BY_SELF && add_self(self->fd, OWN) < 0)
				_exit(BROKEN);
			tell(self->said, 'r');
			_exit(run_until_told(self));
		}
		ASSERT_EQ('r', hear(self->said));
		if (how == BY_PID || how == BY_PIDFD)
			ASSERT_LT(0, add_own(self->fd, how, pid));
		tell(self->go, 'g');
		next_death(_metadata, self, OWN, pid, 3 << 8, &ev);
		EXPECT_EQ(3 << 8, reap(pid));
		EXPECT_TRUE(nothing_pending(self->fd));
		/* The next one has none: nothing is left of what was noted for the first. */
		pid = start(_metadata, run_until_told, self);
		tell(self->go, 'g');
		see_death(_metadata, self, pid, 3 << 8);
	}
	EXPECT_EQ(1, nr_watches(self->fd));
}

/* The same where the tracer decides when. */
TEST_F_TIMEOUT(children, own_watch_and_tracer, LIMIT)
{
	struct knell_event ev;
	int go[2], said[2];
	pid_t pid, tracer;

	for (int reaps = 0; reaps < 2; reaps++) {
		pid = start(_metadata, run_until_told, self);
		ASSERT_LT(0, add_pid(self->fd, pid, OWN));
		tracer = start_tracer(_metadata, pid, go, said, reaps);
		tell(self->go, 'g');
		ASSERT_EQ('z', hear(said));
		tell(go, 'g');
		next_death(_metadata, self, OWN, pid, 3 << 8, &ev);
		see_death(_metadata, self, tracer, 0);
		EXPECT_EQ(3 << 8, reap(pid));
		EXPECT_TRUE(nothing_pending(self->fd));
	}
}

TEST_F_TIMEOUT(children, own_watch_in_another_queue, LIMIT)
{
	int other = knell_open(O_NONBLOCK);
	pid_t pid = start(_metadata, run_until_told, self);
	struct knell_event ev;

	ASSERT_LT(0, add_pid(other, pid, OWN));
	tell(self->go, 'g');
	see_death(_metadata, self, pid, 3 << 8);
	ASSERT_EQ(1, next_event(other, &ev));
	EXPECT_EQ(pid, ev.exit.pid);
	EXPECT_TRUE(nothing_pending(other));
	close(other);
}

/* One that is gone before the death tells nothing, one that comes after it tells it again. */
TEST_F_TIMEOUT(children, own_watch_before_and_after, LIMIT)
{
	pid_t pid = start(_metadata, run_until_told, self);
	int64_t watch = add_pid(self->fd, pid, OWN);
	struct knell_event ev;

	ASSERT_LT(0, watch);
	ASSERT_EQ(0, del_watch(self->fd, watch));
	tell(self->go, 'g');
	ASSERT_EQ(0, await_zombie(pid));
	ASSERT_LT(0, add_own(self->fd, LATE_PID, pid));
	next_death(_metadata, self, TOKEN, pid, 3 << 8, &ev);
	next_death(_metadata, self, OWN, pid, 3 << 8, &ev);
	EXPECT_EQ(3 << 8, reap(pid));
	EXPECT_TRUE(nothing_pending(self->fd));
}

/* One read on a watch of its own that stays does not make CHILDREN tell it. */
TEST_F_TIMEOUT(children, own_watch_that_is_acknowledged, LIMIT)
{
	pid_t pid = start(_metadata, run_until_told, self);
	int64_t watch = add_watch(self->fd, op_process(pid, KNELL_OPF_ACK, OWN));
	struct knell_event ev;

	ASSERT_LT(0, watch);
	tell(self->go, 'g');
	next_death(_metadata, self, OWN, pid, 3 << 8, &ev);
	EXPECT_TRUE(nothing_pending(self->fd));
	EXPECT_EQ(3 << 8, reap(pid));
	EXPECT_EQ(0, del_watch(self->fd, watch));
	EXPECT_TRUE(nothing_pending(self->fd));
}

/* Of many that die at once, on all CPUs, some have a watch of their own: one record each. */
TEST_F_TIMEOUT(children, some_have_their_own, LIMIT)
{
	enum { ROUNDS = 10, NR = 100 };
	struct knell_event ev;
	pid_t pid[NR];
	int seen[NR], nr, i;

	for (int round = 0; round < ROUNDS; round++) {
		for (i = 0; i < NR; i++) {
			pid[i] = start(_metadata, run_until_told, self);
			seen[i] = 0;
			if (i % 3 == 0)
				ASSERT_LT(0, add_pid(self->fd, pid[i], OWN));
		}
		for (i = 0; i < NR; i++)
			tell(self->go, 'g');
		for (nr = 0; nr < NR; nr++) {
			ASSERT_EQ(1, next_event(self->fd, &ev));
			ASSERT_EQ(KNELL_EV_EXIT, ev.type);
			for (i = 0; i < NR && pid[i] != ev.exit.pid; i++)
				;
			ASSERT_LT(i, NR);
			EXPECT_EQ(0, seen[i]++);
			EXPECT_EQ(i % 3 ? TOKEN : OWN, ev.token);
			EXPECT_EQ(3 << 8, ev.exit.status);
		}
		for (i = 0; i < NR; i++)
			EXPECT_EQ(3 << 8, reap(pid[i]));
		ASSERT_TRUE(nothing_pending(self->fd));
	}
}

static int64_t add_tree(int fd, uint32_t flags)
{
	struct knell_op op = op_add(KNELL_TREE, flags, OWN);

	strcpy(op.tree.label, "children_test");
	return add_watch(fd, op);
}

/* The next child is a member of @tree from its birth on. */
static void join_next(struct __test_metadata *_metadata, int fd, uint32_t tree)
{
	struct knell_op op = { .op = KNELL_OP_JOIN, .flags = KNELL_OPF_NEXT, .watch = tree };

	ASSERT_EQ(0, submit_op(fd, &op));
}

static void next_empty(struct __test_metadata *_metadata, FIXTURE_DATA(children) *self)
{
	struct knell_event ev;

	ASSERT_EQ(1, next_event(self->fd, &ev));
	EXPECT_EQ(KNELL_EV_EMPTY, ev.type);
	EXPECT_EQ(OWN, ev.token);
	EXPECT_LT(self->seq, ev.seq);
	self->seq = ev.seq;
}

/* The main process's EXIT is the tree's; of other members it is if the tree reports them. */
TEST_F_TIMEOUT(children, not_what_its_tree_tells, LIMIT)
{
	static const uint32_t flags[] = { 0, KNELL_OPF_REPORT_EXIT, KNELL_OPF_ACK };
	struct knell_event ev;
	pid_t first, other;
	int64_t tree;

	for (unsigned int i = 0; i < ARRAY_SIZE(flags); i++) {
		bool reports = flags[i] & KNELL_OPF_REPORT_EXIT;

		tree = add_tree(self->fd, flags[i]);
		ASSERT_LT(0, tree);
		join_next(_metadata, self->fd, tree);
		first = start(_metadata, run_until_killed, self);
		join_next(_metadata, self->fd, tree);
		other = start(_metadata, run_until_told, self);
		ASSERT_EQ(0, kill(first, SIGKILL));
		ASSERT_EQ(1, next_event(self->fd, &ev));
		EXPECT_EQ(KNELL_EV_EXIT, ev.type);
		EXPECT_EQ(OWN, ev.token);
		EXPECT_EQ(first, ev.exit.pid);
		EXPECT_EQ(SIGKILL, ev.exit.status);
		EXPECT_EQ(SIGKILL, reap(first));
		EXPECT_TRUE(nothing_pending(self->fd));
		tell(self->go, 'g');
		if (reports) {
			next_death(_metadata, self, OWN, other, 3 << 8, &ev);
			next_empty(_metadata, self);
		} else {
			/* The tree's hook comes first. */
			next_empty(_metadata, self);
			next_death(_metadata, self, TOKEN, other, 3 << 8, &ev);
		}
		EXPECT_EQ(3 << 8, reap(other));
		EXPECT_TRUE(nothing_pending(self->fd));
	}
}

/* A report that the tree lost is not told; a tree of another queue's is another's matter. */
TEST_F_TIMEOUT(children, what_its_tree_does_not_tell, LIMIT)
{
	int other = knell_open(O_NONBLOCK), i;
	int64_t tree = add_tree(self->fd, KNELL_OPF_REPORT_EXIT);
	struct knell_event ev;
	pid_t first, pid;

	ASSERT_LT(0, tree);
	join_next(_metadata, self->fd, tree);
	first = start(_metadata, run_until_killed, self);
	for (i = 0; i < RESERVE; i++) {
		join_next(_metadata, self->fd, tree);
		ASSERT_EQ(0, reap(born_vfork(0)));
	}
	join_next(_metadata, self->fd, tree);
	pid = born_vfork(3);
	ASSERT_EQ(0, await_zombie(pid));
	for (i = 0; i < RESERVE; i++) {
		ASSERT_EQ(1, pending_event(self->fd, &ev));
		ASSERT_EQ(OWN, ev.token);
		ASSERT_EQ(KNELL_EV_EXIT, ev.type);
	}
	ASSERT_EQ(1, pending_event(self->fd, &ev));
	EXPECT_EQ(KNELL_EV_LOST, ev.type);
	EXPECT_EQ(OWN, ev.token);
	EXPECT_EQ(1, ev.tree.lost);
	self->seq = ev.seq;
	see_death(_metadata, self, pid, 3 << 8);
	ASSERT_EQ(0, del_watch(self->fd, tree));
	ASSERT_EQ(0, kill(first, SIGKILL));
	see_death(_metadata, self, first, SIGKILL);

	tree = add_tree(other, 0);
	ASSERT_LT(0, tree);
	join_next(_metadata, other, tree);
	see_death(_metadata, self, born_fork(4), 4 << 8);
	ASSERT_EQ(2, wait_events(other, (struct knell_event[2]){ }, 2, 0));
	close(other);
}

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

static int copy_file(const char *from, const char *to, mode_t mode)
{
	int in = open(from, O_RDONLY | O_CLOEXEC);
	int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0700);
	char buf[65536];
	ssize_t n = -1;

	while (in >= 0 && out >= 0 && (n = read(in, buf, sizeof(buf))) > 0)
		if (write(out, buf, n) != n)
			break;
	if (!n && fchmod(out, mode))
		n = -1;
	if (in >= 0)
		close(in);
	if (out >= 0)
		close(out);
	return n ? -1 : 0;
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

static void *burn(void *arg)
{
	const clockid_t clock = CLOCK_PROCESS_CPUTIME_ID;
	const uint64_t until = clock_ns(clock) + 100 * NSEC_PER_MSEC;
	const size_t size = 8 << 20;
	char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)arg;
	if (memory == MAP_FAILED || madvise(memory, size, MADV_NOHUGEPAGE))
		_exit(BROKEN);
	for (size_t i = 0; i < size; i += 4096)
		((volatile char *)memory)[i] = 1;
	while (clock_ns(clock) < until)
		getppid();
	return NULL;
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

/*
 * More than find a place.
 */

/* Zombies count against this, of which a small guest has few. */
static void allow_zombies(struct __test_metadata *_metadata)
{
	FILE *f = fopen("/proc/sys/kernel/threads-max", "w");

	ASSERT_NE(NULL, f);
	ASSERT_LT(0, fprintf(f, "20000\n"));
	ASSERT_EQ(0, fclose(f));
}

/* Zombies, in this order: vfork(2) returns before the child is one. */
static void breed(struct __test_metadata *_metadata, pid_t *pid, int first, int nr)
{
	for (int i = first; i < first + nr; i++) {
		pid[i] = born_vfork(i % 251);
		ASSERT_LT(0, pid[i]);
		ASSERT_EQ(0, await_zombie(pid[i]));
	}
}

/* The LOST stays until it is read, says how many, comes in its place, and then it is over. */
TEST_F_TIMEOUT(children, lost_is_sticky, LIMIT)
{
	struct epoll_event edge = { .events = EPOLLIN | EPOLLET };
	int ep = epoll_create1(EPOLL_CLOEXEC), i;
	struct pollfd pfd = { .fd = self->fd, .events = POLLIN };
	struct knell_event ev;
	pid_t pid[RESERVE + 10];

	ASSERT_EQ(0, epoll_ctl(ep, EPOLL_CTL_ADD, self->fd, &edge));
	breed(_metadata, pid, 0, RESERVE);
	EXPECT_EQ(1, epoll_wait(ep, &edge, 1, 0));
	EXPECT_EQ(RESERVE, nr_pending(self->fd));
	breed(_metadata, pid, RESERVE, 1);
	EXPECT_EQ(RESERVE + 1, nr_pending(self->fd));
	EXPECT_EQ(1, epoll_wait(ep, &edge, 1, 0));
	/* Folding is no news. */
	breed(_metadata, pid, RESERVE + 1, 2);
	EXPECT_EQ(RESERVE + 1, nr_pending(self->fd));
	EXPECT_EQ(0, epoll_wait(ep, &edge, 1, 0));
	/* One place is free: it is taken, behind the LOST, and the next is lost again. */
	next_death(_metadata, self, TOKEN, pid[0], 0, &ev);
	breed(_metadata, pid, RESERVE + 3, 2);
	EXPECT_EQ(RESERVE + 1, nr_pending(self->fd));
	for (i = 1; i < RESERVE; i++)
		next_death(_metadata, self, TOKEN, pid[i], i % 251 << 8, &ev);

	EXPECT_EQ(1, poll(&pfd, 1, 0));
	EXPECT_EQ(-1, read(self->fd, guarded(0), sizeof(ev)));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(1, poll(&pfd, 1, 0));
	EXPECT_EQ(2, watch_state(self->fd, self->watch));
	ASSERT_EQ(1, pending_event(self->fd, &ev));
	EXPECT_EQ(KNELL_EV_LOST, ev.type);
	EXPECT_EQ(0, ev.flags);
	EXPECT_EQ(TOKEN, ev.token);
	EXPECT_EQ(self->watch, ev.watch);
	EXPECT_EQ(RESERVE + 1, ev.seq);
	EXPECT_EQ(4, ev.tree.lost);
	EXPECT_EQ(0, ev.tree.pid | ev.tree.ppid | ev.tree.members);
	self->seq = ev.seq;
	next_death(_metadata, self, TOKEN, pid[RESERVE + 3], (RESERVE + 3) % 251 << 8, &ev);
	EXPECT_TRUE(nothing_pending(self->fd));
	EXPECT_EQ(1, watch_state(self->fd, self->watch));

	for (i = 0; i < RESERVE + 5; i++)
		EXPECT_EQ(i % 251 << 8, reap(pid[i]));
	see_death(_metadata, self, born_fork(1), 1 << 8);
	close(ep);
}

#define BURST	5000

/* What is known of each child, by its pid. */
struct ledger {
	int status[1 << 16];	/* that it was to have, + 1 */
	int by_record[1 << 16];
	int by_rescan[1 << 16];
	unsigned int records, lost, rescanned;
};

/* Rescan: whatever waitid(2) finds, until it finds nothing. */
static void rescan(struct __test_metadata *_metadata, struct ledger *l)
{
	siginfo_t si;

	for (;;) {
		si.si_pid = 0;
		if (waitid(P_ALL, 0, &si, WEXITED | WNOHANG | __WALL)) {
			ASSERT_EQ(ECHILD, errno);
			return;
		}
		if (!si.si_pid)
			return;
		ASSERT_EQ(0, l->by_rescan[si.si_pid]);
		ASSERT_EQ(0, l->by_record[si.si_pid]);
		l->by_rescan[si.si_pid] = status_word(&si) + 1;
		l->rescanned++;
	}
}

/* A record may come for one that a rescan has reaped; who is neither has to be there. */
static void account(struct __test_metadata *_metadata, struct ledger *l,
		    const struct knell_event *ev)
{
	pid_t pid = ev->exit.pid;

	if (ev->type == KNELL_EV_LOST) {
		l->lost += ev->tree.lost;
		rescan(_metadata, l);
		return;
	}
	ASSERT_EQ(KNELL_EV_EXIT, ev->type);
	ASSERT_EQ(0, ev->flags);
	l->records++;
	if (l->by_rescan[pid]) {
		ASSERT_EQ(ev->exit.status + 1, l->by_rescan[pid]);
		return;
	}
	ASSERT_EQ(0, l->by_record[pid]);
	l->by_record[pid] = ev->exit.status + 1;
	ASSERT_EQ(ev->exit.status, reap(pid));
}

/* Every child that was made is in the ledger once, with its status, and no other. */
static void balance(struct __test_metadata *_metadata, const struct ledger *l, unsigned int made)
{
	unsigned int accounted = 0;

	for (unsigned int i = 0; i < ARRAY_SIZE(l->status); i++) {
		ASSERT_EQ(l->status[i], l->by_record[i] + l->by_rescan[i]);
		accounted += l->status[i] != 0;
	}
	EXPECT_EQ(made, accounted);
	EXPECT_EQ(made, l->records + l->lost);
	EXPECT_EQ(-1, waitid(P_ALL, 0, NULL, WEXITED | WNOHANG | __WALL));
	EXPECT_EQ(ECHILD, errno);
}

TEST_F_TIMEOUT(children, burst_and_rescan, LIMIT)
{
	struct ledger *l = calloc(1, sizeof(*l));
	static pid_t pid[BURST];
	struct knell_event ev;

	ASSERT_NE(NULL, l);
	allow_zombies(_metadata);
	breed(_metadata, pid, 0, BURST);
	for (int i = 0; i < BURST; i++)
		l->status[pid[i]] = (i % 251 << 8) + 1;
	EXPECT_EQ(RESERVE + 1, nr_pending(self->fd));
	while (pending_event(self->fd, &ev))
		account(_metadata, l, &ev);
	EXPECT_EQ(RESERVE, l->records);
	EXPECT_EQ(BURST - RESERVE, l->lost);
	EXPECT_EQ(BURST - RESERVE, l->rescanned);
	balance(_metadata, l, BURST);
	free(l);
}

/* Threads that have children, while one reads now and then. */
struct breeder {
	struct ledger *ledger;
	uint64_t seed;
	unsigned int nr;
	unsigned int *left;
	pthread_t thread;
};

static void *run_breeder(void *arg)
{
	struct breeder *b = arg;

	for (unsigned int i = 0; i < b->nr; i++) {
		int status = next_random(&b->seed) % 251;
		pid_t pid = born_vfork(status);

		/* Each writes of its own children only, and nobody reads before all is done. */
		if (pid > 0)
			b->ledger->status[pid] = (status << 8) + 1;
	}
	__atomic_fetch_sub(b->left, 1, __ATOMIC_RELEASE);
	return NULL;
}

TEST_F_TIMEOUT(children, many_breeders_and_a_slow_reader, LIMIT)
{
	enum { BREEDERS = 4, EACH = 600 };
	struct ledger *l = calloc(1, sizeof(*l));
	struct breeder b[BREEDERS];
	unsigned int left = BREEDERS, rounds = 0;
	struct knell_event ev[16];
	int i, n;

	ASSERT_NE(NULL, l);
	allow_zombies(_metadata);
	for (i = 0; i < BREEDERS; i++) {
		b[i] = (struct breeder){
			.ledger = l, .seed = 0x9e3779b97f4a7c15ULL + i, .nr = EACH, .left = &left,
		};
		ASSERT_EQ(0, pthread_create(&b[i].thread, NULL, run_breeder, &b[i]));
	}
	do {
		/* Sleeps through some hundred deaths, then reads, a while in step with them. */
		while (__atomic_load_n(&left, __ATOMIC_ACQUIRE) && rounds % 64 == 0 &&
		       nr_pending(self->fd) <= RESERVE)
			sched_yield();
		n = wait_events(self->fd, ev, ARRAY_SIZE(ev), 0);
		ASSERT_LE(0, n);
		for (i = 0; i < n; i++) {
			ASSERT_LT(self->seq, ev[i].seq);
			self->seq = ev[i].seq;
			account(_metadata, l, &ev[i]);
		}
		rounds++;
	} while (n || __atomic_load_n(&left, __ATOMIC_ACQUIRE));
	for (i = 0; i < BREEDERS; i++)
		ASSERT_EQ(0, pthread_join(b[i].thread, NULL));
	while ((n = wait_events(self->fd, ev, 1, 0)))
		account(_metadata, l, &ev[0]);
	EXPECT_LT(0, l->lost);
	TH_LOG("%u records, %u lost, %u found by rescans", l->records, l->lost, l->rescanned);
	balance(_metadata, l, BREEDERS * EACH);
	free(l);
}

/* ADD and DEL in turn while children die: those that are told are told once, and right. */
TEST_F_TIMEOUT(children, add_and_del_in_a_storm, LIMIT)
{
	struct ledger *l = calloc(1, sizeof(*l));
	unsigned int left = 2;
	struct breeder b[2];
	struct knell_event ev;
	int64_t watch = self->watch;
	int i;

	ASSERT_NE(NULL, l);
	allow_zombies(_metadata);
	for (i = 0; i < 2; i++) {
		b[i] = (struct breeder){
			.ledger = l, .seed = 0x9e3779b97f4a7c15ULL + i, .nr = 300, .left = &left,
		};
		ASSERT_EQ(0, pthread_create(&b[i].thread, NULL, run_breeder, &b[i]));
	}
	while (__atomic_load_n(&left, __ATOMIC_ACQUIRE)) {
		for (i = 0; i < 8 && pending_event(self->fd, &ev); i++) {
			ASSERT_EQ(watch, ev.watch);
			account(_metadata, l, &ev);
		}
		ASSERT_EQ(0, del_watch(self->fd, watch));
		ASSERT_TRUE(nothing_pending(self->fd));
		watch = add_children(self->fd);
		ASSERT_LT(0, watch);
	}
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, pthread_join(b[i].thread, NULL));
	EXPECT_LT(0, l->records);
	while (pending_event(self->fd, &ev))
		account(_metadata, l, &ev);
	rescan(_metadata, l);
	for (unsigned int pid = 0; pid < ARRAY_SIZE(l->status); pid++)
		ASSERT_EQ(l->status[pid], l->by_record[pid] + l->by_rescan[pid]);
	free(l);
}

/* What the targets become that exec this program. */
int main(int argc, char **argv)
{
	if (argc >= 3 && !strcmp(argv[1], "then-exit")) {
		if (argc == 5) {
			const int go[2] = { atoi(argv[3]), -1 }, said[2] = { -1, atoi(argv[4]) };

			tell(said, 'x');
			must_hear(go, 'g');
		}
		return atoi(argv[2]);
	}
	if (argc == 3 && !strcmp(argv[1], "have-a-child"))
		return reap(born_fork(atoi(argv[2]))) == atoi(argv[2]) << 8 ? 0 : BROKEN;
	return test_harness_run(argc, argv);
}
