// SPDX-License-Identifier: GPL-2.0-only
/*
 * CHILDREN: one watch for every child, whoever made it and however, for orphans, too: one record
 * for each death, when it can be reaped, and none for what is no death.
 */
#include "kselftest_harness.h"

#include <linux/sched.h>
#include <spawn.h>
#include <sys/ptrace.h>
#include <sys/resource.h>

#include "children_birth.h"

#define STACK_SIZE	16384

/*
 * Ways to be born: each returns the pid of a child of this process that exits with @status.
 */

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
static pid_t born_in_a_thread(pid_t (*born)(int status), int status)
{
	struct birth birth = { born, status, -1 };
	pthread_t thread;

	if (pthread_create(&thread, NULL, run_birth, &birth) || pthread_join(thread, NULL))
		return -1;
	return birth.pid;
}

static pid_t born_by_a_thread(int status)
{
	return born_in_a_thread(born_fork, status);
}

static pid_t spawned_by_a_thread(int status)
{
	return born_in_a_thread(born_posix_spawn, status);
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
	return test_harness_run(argc, argv);
}
