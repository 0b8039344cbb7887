// SPDX-License-Identifier: GPL-2.0-only
/*
 * A process is reported if, and only if, its real parent could reap it at that
 * moment, with the status that wait(2) gives: every way to die, and every way
 * to enrol the one who dies.
 */
#include "kselftest_harness.h"

#include <sys/resource.h>

#include "process_death.h"

FIXTURE(cases) {
	struct target *t;
};

FIXTURE_VARIANT(cases) {
	enum how how;
	bool block;
};

FIXTURE_VARIANT_ADD(cases, pid) { .how = BY_PID };
FIXTURE_VARIANT_ADD(cases, pid_asleep) { .how = BY_PID, .block = true };
FIXTURE_VARIANT_ADD(cases, pidfd) { .how = BY_PIDFD };
FIXTURE_VARIANT_ADD(cases, next) { .how = BY_NEXT };
FIXTURE_VARIANT_ADD(cases, next_asleep) { .how = BY_NEXT, .block = true };
FIXTURE_VARIANT_ADD(cases, self) { .how = BY_SELF };
FIXTURE_VARIANT_ADD(cases, stranger) { .how = BY_OTHER, .block = true };
FIXTURE_VARIANT_ADD(cases, late_pid) { .how = LATE_PID };
FIXTURE_VARIANT_ADD(cases, late_pidfd) { .how = LATE_PIDFD };

/* Shared, so that a process between this one and the target can fill it in. */
FIXTURE_SETUP(cases)
{
	self->t = shared(sizeof(*self->t));
	*self->t = (struct target) {
		.how = variant->how,
		.block = variant->block,
		.exit_signal = SIGCHLD,
		.token = 0xfeedfacecafe0000ULL + variant->how,
	};
	self->t->queue = knell_open(0);
	ASSERT_LE(0, self->t->queue);
}

FIXTURE_TEARDOWN(cases)
{
	close(self->t->queue);
}

/* 1 */
TEST_F_TIMEOUT(cases, plain_exit, LIMIT)
{
	uint64_t released;
	struct knell_event ev;

	start(_metadata, self->t, run_exit);
	released = clock_ns(CLOCK_MONOTONIC);
	tell(self->t->go, 'g');
	see_death_record(_metadata, self->t, &ev);
	EXPECT_EQ(3 << 8, ev.exit.status);
	EXPECT_LE(released, ev.time_ns);
	EXPECT_EQ(3 << 8, reap(self->t->pid));
	EXPECT_TRUE(nothing_pending(self->t->queue));
	EXPECT_EQ(-ENOENT, del_watch(self->t->queue, ev.watch));
}

static void leave_thread(int code)
{
	syscall(SYS_exit, code);
}

static void *thread_exits_process(void *arg)
{
	struct target *t = arg;

	must_hear(t->go, 'g');
	_exit(42);
}

static void *thread_returns(void *arg)
{
	struct target *t = arg;

	must_hear(t->go, 'g');
	leave_thread(0);
	return NULL;
}

static void in_thread(void *(*fn)(void *arg), struct target *t)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, fn, t))
		_exit(BROKEN);
}

static void run_leader_leaves(struct target *t)
{
	in_thread(thread_exits_process, t);
	leave_thread(0);
}

/* 2 */
TEST_F_TIMEOUT(cases, leader_exits_before_exit_group, LIMIT)
{
	start(_metadata, self->t, run_leader_leaves);
	await_state(self->t->pid, 'Z');
	see_life(_metadata, self->t);
	tell(self->t->go, 'g');
	see_death(_metadata, self->t, 42 << 8);
}

static void run_leader_exits_5(struct target *t)
{
	in_thread(thread_returns, t);
	leave_thread(5);
}

/* 3: which of the two statuses it is, the kernel's own wait knows. */
TEST_F_TIMEOUT(cases, last_thread_returns, LIMIT)
{
	struct knell_event ev;
	int status;

	start(_metadata, self->t, run_leader_exits_5);
	await_state(self->t->pid, 'Z');
	see_life(_metadata, self->t);
	tell(self->t->go, 'g');
	see_death_record(_metadata, self->t, &ev);
	status = reap(self->t->pid);
	EXPECT_EQ(status, ev.exit.status);
	EXPECT_TRUE(status == 0 || status == 5 << 8);
	EXPECT_TRUE(nothing_pending(self->t->queue));
}

/* The new image says x, waits for g and exits; see main(). */
static void exec_self(struct target *t, int code)
{
	char go[16], said[16], exit_code[16];

	snprintf(go, sizeof(go), "%d", t->go[0]);
	snprintf(said, sizeof(said), "%d", t->said[1]);
	snprintf(exit_code, sizeof(exit_code), "%d", code);
	/* Not self: that is the leader, which may have left. */
	execl("/proc/thread-self/exe", "process_cases_test", "then-exit", exit_code, go, said,
	      NULL);
	_exit(BROKEN);
}

static void *thread_execs(void *arg)
{
	struct target *t = arg;

	must_hear(t->go, 'g');
	exec_self(t, 17);
	return NULL;
}

static void run_thread_execs(struct target *t)
{
	in_thread(thread_execs, t);
	for (;;)
		pause();
}

static void run_leader_leaves_thread_execs(struct target *t)
{
	in_thread(thread_execs, t);
	leave_thread(6);
}

/* Tells it to exec, sees that no exec looks like a death. */
static void see_exec(struct __test_metadata *_metadata, struct target *t)
{
	tell(t->go, 'g');
	ASSERT_EQ('x', hear(t->said));
	see_life(_metadata, t);
	tell(t->go, 'g');
}

/* 4 */
TEST_F_TIMEOUT(cases, exec_by_another_thread, LIMIT)
{
	start(_metadata, self->t, run_thread_execs);
	see_exec(_metadata, self->t);
	see_death(_metadata, self->t, 17 << 8);
}

/* 5 */
TEST_F_TIMEOUT(cases, exec_after_leader_left, LIMIT)
{
	start(_metadata, self->t, run_leader_leaves_thread_execs);
	await_state(self->t->pid, 'Z');
	see_life(_metadata, self->t);
	see_exec(_metadata, self->t);
	see_death(_metadata, self->t, 17 << 8);
}

static void *thread_pauses(void *arg)
{
	struct target *t = arg;

	tell(t->said, 't');
	for (;;)
		pause();
	return NULL;
}

static void run_three_threads(struct target *t)
{
	in_thread(thread_pauses, t);
	in_thread(thread_pauses, t);
	for (;;)
		pause();
}

/* 6 */
TEST_F_TIMEOUT(cases, sigkill_of_three_threads, LIMIT)
{
	start(_metadata, self->t, run_three_threads);
	ASSERT_EQ('t', hear(self->t->said));
	ASSERT_EQ('t', hear(self->t->said));
	see_life(_metadata, self->t);
	ASSERT_EQ(0, kill(self->t->pid, SIGKILL));
	see_death(_metadata, self->t, SIGKILL);
}

/* Nobody can wait for it: the record is all there is, and comes all the same. */
static void see_autoreaped(struct __test_metadata *_metadata, struct target *t)
{
	struct knell_event ev;

	if (is_late(t)) {
		await_gone(t->pid);
		ASSERT_EQ(-ESRCH, enrol(t));
		ASSERT_TRUE(nothing_pending(t->queue));
		ASSERT_EQ(0, nr_watches(t->queue));
		return;
	}
	ASSERT_EQ(1, next_event(t->queue, &ev));
	check_record(_metadata, t, &ev, 3 << 8);
	EXPECT_EQ(-ECHILD, reap(t->pid));
	EXPECT_TRUE(nothing_pending(t->queue));
	EXPECT_EQ(0, nr_watches(t->queue));
}

/* 7 */
TEST_F_TIMEOUT(cases, sigchld_ignored, LIMIT)
{
	catch_signal(SIGCHLD, SIG_IGN, 0);
	start(_metadata, self->t, run_exit);
	tell(self->t->go, 'g');
	see_autoreaped(_metadata, self->t);
}

TEST_F_TIMEOUT(cases, sa_nocldwait, LIMIT)
{
	catch_signal(SIGCHLD, SIG_DFL, SA_NOCLDWAIT);
	start(_metadata, self->t, run_exit);
	tell(self->t->go, 'g');
	see_autoreaped(_metadata, self->t);
}

/* 8 */
TEST_F_TIMEOUT(cases, held_by_tracer_that_exits, LIMIT)
{
	struct tracer tracer;

	start(_metadata, self->t, run_exit);
	start_tracer(_metadata, &tracer, self->t, false);
	see_life(_metadata, self->t);
	tell(self->t->go, 'g');
	ASSERT_EQ('z', hear(tracer.said));
	see_held(_metadata, self->t);
	tell(tracer.go, 'g');
	see_death(_metadata, self->t, 3 << 8);
	EXPECT_EQ(0, reap(tracer.pid));
}

/* 8, with nobody to wait: the tracer's exit ends the zombie */
TEST_F_TIMEOUT(cases, held_by_tracer_autoreap, LIMIT)
{
	struct tracer tracer;

	catch_signal(SIGCHLD, SIG_DFL, SA_NOCLDWAIT);
	start(_metadata, self->t, run_exit);
	start_tracer(_metadata, &tracer, self->t, false);
	tell(self->t->go, 'g');
	ASSERT_EQ('z', hear(tracer.said));
	see_held(_metadata, self->t);
	tell(tracer.go, 'g');
	see_autoreaped(_metadata, self->t);
}

static void end_process(pid_t pid, int status, struct __test_metadata *_metadata)
{
	ASSERT_EQ(status, reap(pid));
}

/* 9: the parent dies before it has reaped; whoever inherits the zombie hears nothing again. */
TEST_F_TIMEOUT(cases, zombie_handed_to_subreaper, LIMIT)
{
	struct target *t = self->t;
	struct knell_event ev;
	pid_t parent;
	int status;

	ASSERT_EQ(0, prctl(PR_SET_CHILD_SUBREAPER, 1));
	parent = fork();
	ASSERT_LE(0, parent);
	if (!parent) {
		start(_metadata, t, run_exit);
		tell(t->go, 'g');
		see_death_record(_metadata, t, &ev);
		_exit(ev.exit.status == 3 << 8 && _metadata->passed ? 0 : BROKEN);
	}
	end_process(parent, 0, _metadata);
	ASSERT_TRUE(waitable(t->pid, &status));
	EXPECT_EQ(3 << 8, status);
	EXPECT_TRUE(nothing_pending(t->queue));
	EXPECT_EQ(3 << 8, reap(t->pid));
	EXPECT_TRUE(nothing_pending(t->queue));
	EXPECT_EQ(0, nr_watches(t->queue));
}

/* 9, the zombie's record still unread when its parent dies */
TEST_F_TIMEOUT(cases, unread_zombie_handed_to_subreaper, LIMIT)
{
	struct target *t = self->t;
	pid_t parent;

	ASSERT_EQ(0, prctl(PR_SET_CHILD_SUBREAPER, 1));
	parent = fork();
	ASSERT_LE(0, parent);
	if (!parent) {
		start(_metadata, t, run_exit);
		tell(t->go, 'g');
		if (await_zombie(t->pid))
			_exit(BROKEN);
		_exit(_metadata->passed ? 0 : BROKEN);
	}
	end_process(parent, 0, _metadata);
	/* The descriptor in *t was the dead parent's. */
	t->pidfd = pidfd_of(t->pid);
	ASSERT_LE(0, t->pidfd);
	see_death_record(_metadata, t, &(struct knell_event){ });
	EXPECT_EQ(3 << 8, reap(t->pid));
	EXPECT_TRUE(nothing_pending(t->queue));
	EXPECT_EQ(0, nr_watches(t->queue));
}

/* A living grandchild changes parents; its watch does not mind, nor that its adder is gone. */
TEST_F_TIMEOUT(cases, alive_handed_to_subreaper, LIMIT)
{
	struct target *t = self->t;
	int go[2];
	pid_t parent;

	ASSERT_EQ(0, prctl(PR_SET_CHILD_SUBREAPER, 1));
	ASSERT_EQ(0, pipe(go));
	ASSERT_EQ(0, open_pipes(t));
	parent = fork();
	ASSERT_LE(0, parent);
	if (!parent) {
		start(_metadata, t, run_exit);
		must_hear(go, 'g');
		_exit(_metadata->passed ? 0 : BROKEN);
	}
	tell(go, 'g');
	end_process(parent, 0, _metadata);
	see_life(_metadata, t);
	t->pidfd = pidfd_of(t->pid);
	ASSERT_LE(0, t->pidfd);
	tell(t->go, 'g');
	see_death(_metadata, t, 3 << 8);
}

/* 10 */
TEST_F_TIMEOUT(cases, stop_and_continue, LIMIT)
{
	struct target *t = self->t;
	int status;

	start(_metadata, t, run_exit);
	for (int i = 0; i < 3; i++) {
		ASSERT_EQ(0, kill(t->pid, SIGSTOP));
		ASSERT_EQ(t->pid, waitpid(t->pid, &status, WUNTRACED));
		ASSERT_TRUE(WIFSTOPPED(status));
		see_life(_metadata, t);
		ASSERT_EQ(0, kill(t->pid, SIGCONT));
		ASSERT_EQ(t->pid, waitpid(t->pid, &status, WCONTINUED));
		ASSERT_TRUE(WIFCONTINUED(status));
		see_life(_metadata, t);
	}
	tell(t->go, 'g');
	see_death(_metadata, t, 3 << 8);
}

/* 10, killed while it is stopped */
TEST_F_TIMEOUT(cases, killed_while_stopped, LIMIT)
{
	struct target *t = self->t;
	int status;

	start(_metadata, t, run_exit);
	ASSERT_EQ(0, kill(t->pid, SIGSTOP));
	ASSERT_EQ(t->pid, waitpid(t->pid, &status, WUNTRACED));
	see_life(_metadata, t);
	ASSERT_EQ(0, kill(t->pid, SIGKILL));
	see_death(_metadata, t, SIGKILL);
}

static char core_dir[] = "/tmp/core.XXXXXX";

static void run_dump_core(struct target *t)
{
	const struct rlimit unlimited = { RLIM_INFINITY, RLIM_INFINITY };

	must_hear(t->go, 'g');
	if (setrlimit(RLIMIT_CORE, &unlimited) || chdir(core_dir))
		_exit(BROKEN);
	signal(SIGSEGV, SIG_DFL);
	kill(getpid(), SIGSEGV);
	_exit(BROKEN);
}

static void read_file(struct __test_metadata *_metadata, const char *path, char *buf,
		      size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	ASSERT_LE(0, fd);
	n = read(fd, buf, size - 1);
	ASSERT_LE(0, n);
	buf[n] = 0;
	close(fd);
}

/* 11 */
TEST_F_TIMEOUT(cases, core_dumped, LIMIT)
{
	const char *sysctl = "/proc/sys/kernel/core_pattern";
	char pattern[256], core[64];

	mkdir("/tmp", 01777);
	ASSERT_NE(NULL, mkdtemp(core_dir));
	snprintf(core, sizeof(core), "%s/core", core_dir);
	read_file(_metadata, sysctl, pattern, sizeof(pattern));
	ASSERT_EQ(0, write_file(sysctl, core));
	start(_metadata, self->t, run_dump_core);
	tell(self->t->go, 'g');
	see_death(_metadata, self->t, SIGSEGV | 0x80);
	ASSERT_EQ(0, write_file(sysctl, pattern));
	EXPECT_EQ(0, unlink(core));
	EXPECT_EQ(0, rmdir(core_dir));
}

/* 12 */
TEST_F_TIMEOUT(cases, reaped_by_tracer_first, LIMIT)
{
	struct tracer tracer;

	start(_metadata, self->t, run_exit);
	start_tracer(_metadata, &tracer, self->t, true);
	see_life(_metadata, self->t);
	tell(self->t->go, 'g');
	see_death(_metadata, self->t, 3 << 8);
	ASSERT_EQ('z', hear(tracer.said));
	tell(tracer.go, 'g');
	EXPECT_EQ(0, reap(tracer.pid));
}

/* 12, with nobody left to wait after the tracer */
TEST_F_TIMEOUT(cases, reaped_by_tracer_autoreap, LIMIT)
{
	struct tracer tracer;

	catch_signal(SIGCHLD, SIG_DFL, SA_NOCLDWAIT);
	start(_metadata, self->t, run_exit);
	start_tracer(_metadata, &tracer, self->t, true);
	tell(self->t->go, 'g');
	ASSERT_EQ('z', hear(tracer.said));
	see_autoreaped(_metadata, self->t);
	tell(tracer.go, 'g');
}

/* 13 */
TEST_F_TIMEOUT(cases, no_exit_signal, LIMIT)
{
	self->t->exit_signal = 0;
	start(_metadata, self->t, run_exit);
	tell(self->t->go, 'g');
	see_death(_metadata, self->t, 3 << 8);
}

TEST_F_TIMEOUT(cases, other_exit_signal, LIMIT)
{
	catch_signal(SIGUSR1, SIG_IGN, 0);
	self->t->exit_signal = SIGUSR1;
	start(_metadata, self->t, run_exit);
	tell(self->t->go, 'g');
	see_death(_metadata, self->t, 3 << 8);
}

int main(int argc, char **argv)
{
	if (argc == 5 && !strcmp(argv[1], "then-exit"))
		return then_exit(argv);
	return test_harness_run(argc, argv);
}
