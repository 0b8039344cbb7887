// SPDX-License-Identifier: GPL-2.0-only
/*
 * Deaths that nobody sent a signal for: exits, faults, alarms, EVF_OOM, the end of
 * a pid namespace.
 *
 * runner-limit: 600
 */
#include "kselftest_harness.h"

#include "killer_test.h"

static void see_no_killer(struct __test_metadata *_metadata, struct deed *d, int status)
{
	see_death(_metadata, d, status, KNELL_EVF_MAIN, 0, 0);
}

/* Whoever sent a signal that was not the deadly one has killed nobody. */

static void handle_then_exit(void *arg)
{
	handle(arg);
	_exit(3);
}

TEST_F_TIMEOUT(killer, none_of_an_exit, LIMIT)
{
	start_victim(_metadata, self->d, handle_then_exit);
	ASSERT_EQ(0, kill_as(&bystander, self->d, SIGTERM, by_kill));
	ASSERT_EQ('s', hear_soon(self->d->said));
	open_gate(self->d->gate, 1);
	see_no_killer(_metadata, self->d, EXITED(3));
}

/* An exit code that has a signal's number is no signal. */
static void handle_then_exit_15(void *arg)
{
	handle(arg);
	_exit(SIGTERM);
}

TEST_F_TIMEOUT(killer, none_of_an_exit_code, LIMIT)
{
	start_victim(_metadata, self->d, handle_then_exit_15);
	ASSERT_EQ(0, kill_as(&bystander, self->d, SIGTERM, by_kill));
	ASSERT_EQ('s', hear_soon(self->d->said));
	open_gate(self->d->gate, 1);
	see_no_killer(_metadata, self->d, EXITED(SIGTERM));
}

static void __attribute__((noinline)) fault(void)
{
	*(volatile char *)mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) = 1;
}

static void just_fault(void *arg)
{
	struct deed *d = arg;

	tell(d->said, 'r');
	fault();
}

TEST_F_TIMEOUT(killer, none_of_a_fault, LIMIT)
{
	start_victim(_metadata, self->d, just_fault);
	see_no_killer(_metadata, self->d, SIGSEGV);
}

static void handle_then_fault(void *arg)
{
	handle(arg);
	signal(SIGSEGV, SIG_DFL);
	fault();
}

TEST_F_TIMEOUT(killer, none_of_a_fault_after_a_handled_signal, LIMIT)
{
	start_victim(_metadata, self->d, handle_then_fault);
	ASSERT_EQ(0, kill_as(&bystander, self->d, SIGUSR1, by_kill));
	ASSERT_EQ('s', hear_soon(self->d->said));
	open_gate(self->d->gate, 1);
	see_no_killer(_metadata, self->d, SIGSEGV);
}

/* Even where the numbers are the same: the fault was nobody's. */
TEST_F_TIMEOUT(killer, none_of_a_fault_after_a_sent_one, LIMIT)
{
	start_victim(_metadata, self->d, handle_then_fault);
	ASSERT_EQ(0, kill_as(&bystander, self->d, SIGSEGV, by_kill));
	ASSERT_EQ('s', hear_soon(self->d->said));
	open_gate(self->d->gate, 1);
	see_no_killer(_metadata, self->d, SIGSEGV);
}

static void just_alarm(void *arg)
{
	struct deed *d = arg;

	tell(d->said, 'r');
	ualarm(1000, 0);
	sleep_for_ever(NULL);
}

TEST_F_TIMEOUT(killer, none_of_an_alarm, LIMIT)
{
	start_victim(_metadata, self->d, just_alarm);
	see_no_killer(_metadata, self->d, SIGALRM);
}

static void handle_then_alarm(void *arg)
{
	handle(arg);
	signal(SIGALRM, SIG_DFL);
	ualarm(1000, 0);
	sleep_for_ever(NULL);
}

TEST_F_TIMEOUT(killer, none_of_an_alarm_after_a_sent_one, LIMIT)
{
	start_victim(_metadata, self->d, handle_then_alarm);
	ASSERT_EQ(0, kill_as(&bystander, self->d, SIGALRM, by_kill));
	ASSERT_EQ('s', hear_soon(self->d->said));
	open_gate(self->d->gate, 1);
	see_no_killer(_metadata, self->d, SIGALRM);
}

static void take_then_alarm(void *arg)
{
	struct deed *d = arg;
	sigset_t alarm;
	int sig;

	sigemptyset(&alarm);
	sigaddset(&alarm, SIGALRM);
	sigprocmask(SIG_BLOCK, &alarm, NULL);
	tell(d->said, 'r');
	if (sigwait(&alarm, &sig))
		_exit(BROKEN);
	sigprocmask(SIG_UNBLOCK, &alarm, NULL);
	ualarm(1000, 0);
	sleep_for_ever(NULL);
}

/* It would have killed, had it not been blocked and taken; the kernel's own does. */
TEST_F_TIMEOUT(killer, none_of_an_alarm_after_one_that_was_taken, LIMIT)
{
	start_victim(_metadata, self->d, take_then_alarm);
	ASSERT_EQ(0, kill_as(&bystander, self->d, SIGALRM, by_kill));
	see_no_killer(_metadata, self->d, SIGALRM);
}

/*
 * Memory. The kernel tells of an OOM kill in many lines, a trace of calls among
 * them; what would be taken for a complaint stays out of the console.
 */
static void set_console_level(const char *level)
{
	if (write_file("/proc/sys/kernel/printk", level))
		abort();
}

static int limit_memory(const char *group)
{
	if (write_file("/sys/fs/cgroup/cgroup.subtree_control", "+memory") || mkdir(CGROUP, 0755))
		return -errno;
	if (write_file(CGROUP "/memory.max", "16M"))
		return -errno;
	/* Not there without swap. */
	write_file(CGROUP "/memory.swap.max", "0");
	return write_file(CGROUP "/memory.oom.group", group);
}

static void devour(void)
{
	size_t size = 256 << 20, page = 4096;
	char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	for (size_t i = 0; i < size; i += page)
		((volatile char *)p)[i] = 1;
	_exit(BROKEN);
}

static void devour_in_cgroup(void *arg)
{
	struct deed *d = arg;

	if (write_file(CGROUP "/cgroup.procs", "0"))
		_exit(BROKEN);
	tell(d->said, 'r');
	pass_gate(d->gate);
	devour();
}

TEST_F_TIMEOUT(killer, oom, LIMIT)
{
	set_console_level("1");
	ASSERT_EQ(0, limit_memory("0"));
	start_victim(_metadata, self->d, devour_in_cgroup);
	/* A signal of somebody before that has nothing to do with it. */
	open_gate(self->d->gate, 1);
	see_death(_metadata, self->d, SIGKILL, KNELL_EVF_MAIN | KNELL_EVF_OOM, 0, 0);
	remove_cgroup();
	set_console_level("5");
}

/* PROCESS watches know of that, too; of senders they do not. */
TEST_F_TIMEOUT(killer, oom_of_a_process_watch, LIMIT)
{
	struct deed *d = self->d;
	struct knell_event ev;
	pid_t pid;

	set_console_level("1");
	ASSERT_EQ(0, limit_memory("0"));
	ASSERT_LT(0, add_next(self->fd, 3));
	pid = spawn_process(devour_in_cgroup, d);
	ASSERT_EQ('r', hear_soon(d->said));
	open_gate(d->gate, 1);
	ASSERT_EQ(1, next_event(self->fd, &ev));
	EXPECT_EQ(KNELL_EV_EXIT, ev.type);
	EXPECT_EQ(KNELL_EVF_OOM, ev.flags);
	EXPECT_EQ(SIGKILL, ev.exit.status);
	EXPECT_EQ(0, ev.exit.killer_pid);
	EXPECT_EQ(SIGKILL, reap(pid));
	remove_cgroup();
	set_console_level("5");

	ASSERT_LT(0, add_next(self->fd, 3));
	pid = spawn_process(sleep_for_ever, NULL);
	kill(pid, SIGKILL);
	ASSERT_EQ(1, next_event(self->fd, &ev));
	EXPECT_EQ(0, ev.flags);
	EXPECT_EQ(SIGKILL, ev.exit.status);
	EXPECT_EQ(0, ev.exit.killer_pid);
	reap(pid);
}

/* With memory.oom.group all of the cgroup go, who took little memory as well. */
static void be_modest(void *arg)
{
	struct deed *d = arg;

	if (write_file(CGROUP "/cgroup.procs", "0"))
		_exit(BROKEN);
	tell(d->said, 'r');
	sleep_for_ever(NULL);
}

TEST_F_TIMEOUT(killer, oom_of_a_group, LIMIT)
{
	int64_t tree = add_tree(self->fd, KNELL_OPF_REPORT_EXIT, 2);
	struct deed *d = self->d;
	struct knell_event ev;

	set_console_level("1");
	ASSERT_EQ(0, limit_memory("1"));
	d->tree = tree;
	start_victim(_metadata, d, devour_in_cgroup);
	ASSERT_LT(0, spawn_member(self->fd, tree, be_modest, d));
	ASSERT_EQ('r', hear_soon(d->said));
	open_gate(d->gate, 1);
	for (int i = 0; i < 2; i++) {
		ASSERT_EQ(1, next_event(self->fd, &ev));
		EXPECT_EQ(KNELL_EV_EXIT, ev.type);
		EXPECT_EQ(SIGKILL, ev.exit.status);
		EXPECT_EQ(KNELL_EVF_OOM, ev.flags & ~KNELL_EVF_MAIN);
		EXPECT_EQ(0, ev.exit.killer_pid);
	}
	EXPECT_TRUE(next_is_empty(self->fd, tree, d->victim));
	reap_all();
	remove_cgroup();
	set_console_level("5");
}

/* The kernel's own SIGKILLs have no sender. */

/* Of the first process of a pid namespace: all others in it go. */
static void be_second(void *arg)
{
	struct deed *d = arg;

	if (join(d->fd, d->tree))
		_exit(BROKEN);
	atomic_store(&d->tid, 1);
	tell(d->said, 'r');
	sleep_for_ever(NULL);
}

static int be_first(void *arg)
{
	struct deed *d = arg;

	if (!bare_fork())
		be_second(d);
	pass_gate(d->gate);
	return 0;
}

TEST_F_TIMEOUT(killer, none_of_a_namespace_that_ends, LIMIT)
{
	struct deed *d = self->d;
	struct knell_event ev;
	pid_t first;

	ASSERT_EQ(0, unshare(CLONE_NEWPID));
	first = fork();
	ASSERT_LE(0, first);
	if (!first)
		_exit(be_first(d));
	ASSERT_EQ('r', hear_soon(d->said));
	open_gate(d->gate, 1);
	ASSERT_EQ(0, reap(first));
	ASSERT_EQ(1, next_event(self->fd, &ev));
	EXPECT_TRUE(is_exit(&ev, self->tree, ANY, SIGKILL, 0, KNELL_EVF_MAIN));
	EXPECT_EQ(0, ev.exit.killer_pid);
	EXPECT_TRUE(next_is_empty(self->fd, self->tree, ANY));
}

TEST_HARNESS_MAIN
