// SPDX-License-Identifier: GPL-2.0-only
/* Who killed it: EVF_KILLER with the sender of the deadly signal. runner-limit: 600 */
#include "kselftest_harness.h"

#include "killer_test.h"

static int by_tgkill(struct deed *d)
{
	return syscall(SYS_tgkill, d->victim, d->tid, d->sig);
}

static int by_tkill(struct deed *d)
{
	return syscall(SYS_tkill, d->tid, d->sig);
}

static int by_sigqueue(struct deed *d)
{
	return sigqueue(d->victim, d->sig, (union sigval){ .sival_int = 5 });
}

/* Says that it was somebody else. */
static int by_forged_sigqueue(struct deed *d)
{
	siginfo_t si = { .si_signo = d->sig, .si_code = SI_QUEUE };

	si.si_pid = 1;
	si.si_uid = 4711;
	return syscall(SYS_rt_sigqueueinfo, d->victim, d->sig, &si);
}

static int by_pidfd(struct deed *d)
{
	int pidfd = pidfd_of(d->victim), ret;

	ret = syscall(SYS_pidfd_send_signal, pidfd, d->sig, NULL, 0);
	close(pidfd);
	return ret;
}

static int by_group(struct deed *d)
{
	return kill(-d->victim, d->sig);
}

static int by_tree(struct deed *d)
{
	return kill_watch(d->fd, d->tree, d->sig) == 1 ? 0 : -1;
}

static void *send_signal(void *arg)
{
	struct deed *d = arg;

	return (void *)(intptr_t)d->how(d);
}

static int by_thread(struct deed *d)
{
	pthread_t thread;
	void *ret;

	d->how = by_kill;
	if (pthread_create(&thread, NULL, send_signal, d) || pthread_join(thread, &ret))
		return -1;
	return (intptr_t)ret;
}

static void see_killer(struct __test_metadata *_metadata, struct deed *d, int status, uid_t uid)
{
	see_death(_metadata, d, status, BY_SENDER, d->killer, uid);
}

FIXTURE(way) {
	int fd;
	struct deed *d;
};

FIXTURE_VARIANT(way) {
	int (*how)(struct deed *d);
	int sig;
};

FIXTURE_VARIANT_ADD(way, kill_9) { by_kill, SIGKILL };
FIXTURE_VARIANT_ADD(way, kill_term) { by_kill, SIGTERM };
FIXTURE_VARIANT_ADD(way, kill_segv) { by_kill, SIGSEGV };
FIXTURE_VARIANT_ADD(way, kill_hup) { by_kill, SIGHUP };
FIXTURE_VARIANT_ADD(way, kill_alrm) { by_kill, SIGALRM };
FIXTURE_VARIANT_ADD(way, kill_realtime) { by_kill, 40 };
FIXTURE_VARIANT_ADD(way, group_term) { by_group, SIGTERM };
FIXTURE_VARIANT_ADD(way, tgkill_term) { by_tgkill, SIGTERM };
FIXTURE_VARIANT_ADD(way, tgkill_9) { by_tgkill, SIGKILL };
FIXTURE_VARIANT_ADD(way, tkill_abrt) { by_tkill, SIGABRT };
FIXTURE_VARIANT_ADD(way, sigqueue_term) { by_sigqueue, SIGTERM };
FIXTURE_VARIANT_ADD(way, sigqueue_9) { by_sigqueue, SIGKILL };
FIXTURE_VARIANT_ADD(way, sigqueue_realtime) { by_sigqueue, 41 };
FIXTURE_VARIANT_ADD(way, forged_term) { by_forged_sigqueue, SIGTERM };
FIXTURE_VARIANT_ADD(way, pidfd_9) { by_pidfd, SIGKILL };
FIXTURE_VARIANT_ADD(way, pidfd_term) { by_pidfd, SIGTERM };
FIXTURE_VARIANT_ADD(way, tree_9) { by_tree, SIGKILL };
FIXTURE_VARIANT_ADD(way, tree_term) { by_tree, SIGTERM };
FIXTURE_VARIANT_ADD(way, of_a_thread) { by_thread, SIGTERM };

FIXTURE_SETUP(way)
{
	self->fd = knell_open(O_NONBLOCK);
	ASSERT_LE(0, self->fd);
	self->d = new_deed(self->fd, add_tree(self->fd, 0, 1));
}

FIXTURE_TEARDOWN(way)
{
	close(self->fd);
}

/* By whom it was, who has left meanwhile. */
TEST_F_TIMEOUT(way, is_named, LIMIT)
{
	struct deed *d = self->d;

	start_victim(_metadata, d, be_victim);
	ASSERT_EQ(0, kill_as(&assassin, d, variant->sig, variant->how));
	see_killer(_metadata, d, variant->sig, 3000);
}

/* A blocked signal does its work when it is unblocked: by nobody but its sender. */
static void block_until_gate(void *arg)
{
	struct deed *d = arg;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGURG);
	sigprocmask(SIG_BLOCK, &set, NULL);
	tell(d->said, 'r');
	pass_gate(d->gate);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	_exit(BROKEN);
}

TEST_F_TIMEOUT(killer, blocked_then_unblocked, LIMIT)
{
	start_victim(_metadata, self->d, block_until_gate);
	ASSERT_EQ(0, kill_as(&assassin, self->d, SIGTERM, by_kill));
	open_gate(self->d->gate, 1);
	see_killer(_metadata, self->d, SIGTERM, 3000);
}

/* What comes in between and kills nobody takes no blame. */
TEST_F_TIMEOUT(killer, blocked_then_stopped_by_another, LIMIT)
{
	static const int harmless[] = { SIGSTOP, SIGCONT, SIGTSTP, SIGCONT, SIGURG };

	start_victim(_metadata, self->d, block_until_gate);
	ASSERT_EQ(0, kill_as(&assassin, self->d, SIGTERM, by_kill));
	for (size_t i = 0; i < ARRAY_SIZE(harmless); i++)
		ASSERT_EQ(0, kill(self->d->victim, harmless[i]));
	open_gate(self->d->gate, 1);
	see_killer(_metadata, self->d, SIGTERM, 3000);
}

static void ignore_term(void *arg)
{
	struct deed *d = arg;

	signal(SIGTERM, SIG_IGN);
	tell(d->said, 'r');
	sleep_for_ever(NULL);
}

TEST_F_TIMEOUT(killer, ignored_then_killed_by_another, LIMIT)
{
	start_victim(_metadata, self->d, ignore_term);
	ASSERT_EQ(0, kill_as(&bystander, self->d, SIGTERM, by_kill));
	ASSERT_EQ(0, kill_as(&assassin, self->d, SIGKILL, by_kill));
	see_killer(_metadata, self->d, SIGKILL, 3000);
}

static void handle_then_sleep(void *arg)
{
	handle(arg);
	sleep_for_ever(NULL);
}

TEST_F_TIMEOUT(killer, handled_then_killed_by_another, LIMIT)
{
	start_victim(_metadata, self->d, handle_then_sleep);
	ASSERT_EQ(0, kill_as(&bystander, self->d, SIGTERM, by_kill));
	ASSERT_EQ('s', hear_soon(self->d->said));
	ASSERT_EQ(0, kill_as(&assassin, self->d, SIGHUP, by_kill));
	see_killer(_metadata, self->d, SIGHUP, 3000);
}

/* The same signal, which was handled the first time. */
static void handle_once(void *arg)
{
	handle(arg);
	signal(SIGTERM, SIG_DFL);
	tell(the_deed->said, 'd');
	sleep_for_ever(NULL);
}

TEST_F_TIMEOUT(killer, the_same_signal_twice, LIMIT)
{
	start_victim(_metadata, self->d, handle_once);
	ASSERT_EQ(0, kill_as(&bystander, self->d, SIGTERM, by_kill));
	ASSERT_EQ('s', hear_soon(self->d->said));
	open_gate(self->d->gate, 1);
	ASSERT_EQ('d', hear_soon(self->d->said));
	ASSERT_EQ(0, kill_as(&assassin, self->d, SIGTERM, by_kill));
	see_killer(_metadata, self->d, SIGTERM, 3000);
}

/* By its own hand. */

/* The kernel sends SIGPIPE in the writer's name. */
static void break_pipe(void *arg)
{
	struct deed *d = arg;
	int fds[2];

	if (pipe(fds))
		_exit(BROKEN);
	close(fds[0]);
	tell(d->said, 'r');
	if (write(fds[1], "x", 1) < 0)
		_exit(BROKEN);
}

TEST_F_TIMEOUT(killer, a_broken_pipe_names_its_writer, LIMIT)
{
	start_victim(_metadata, self->d, break_pipe);
	see_death(_metadata, self->d, SIGPIPE, BY_SENDER, self->d->victim, 0);
}

static void just_abort(void *arg)
{
	struct deed *d = arg;

	tell(d->said, 'r');
	abort();
}

TEST_F_TIMEOUT(killer, abort_names_itself, LIMIT)
{
	start_victim(_metadata, self->d, just_abort);
	see_death(_metadata, self->d, SIGABRT, BY_SENDER, self->d->victim, 0);
}

/* What a well-behaved program does with SIGTERM: cleans up, then dies of it. */
static void handle_then_raise(void *arg)
{
	handle(arg);
	signal(SIGTERM, SIG_DFL);
	raise(SIGTERM);
}

TEST_F_TIMEOUT(killer, raise_names_itself, LIMIT)
{
	start_victim(_metadata, self->d, handle_then_raise);
	ASSERT_EQ(0, kill_as(&bystander, self->d, SIGTERM, by_kill));
	ASSERT_EQ('s', hear_soon(self->d->said));
	open_gate(self->d->gate, 1);
	see_death(_metadata, self->d, SIGTERM, BY_SENDER, self->d->victim, 0);
}

/* An exec does not change what is known, and another's signal before it does not count. */
static void exec_and_sleep(void *arg)
{
	char as[32];

	handle(arg);
	snprintf(as, sizeof(as), "sleep %d", the_deed->said[1]);
	exec_as(as);
}

static void __attribute__((constructor)) run_as(void)
{
	const char *what = getenv(EXEC_AS);
	int said;

	if (!what || sscanf(what, "sleep %d", &said) != 1)
		return;
	if (write(said, "e", 1) != 1)
		_exit(BROKEN);
	sleep_for_ever(NULL);
}

TEST_F_TIMEOUT(killer, after_an_exec, LIMIT)
{
	start_victim(_metadata, self->d, exec_and_sleep);
	ASSERT_EQ(0, kill_as(&bystander, self->d, SIGTERM, by_kill));
	ASSERT_EQ('s', hear_soon(self->d->said));
	open_gate(self->d->gate, 1);
	ASSERT_EQ('e', hear_soon(self->d->said));
	ASSERT_EQ(0, kill_as(&assassin, self->d, SIGTERM, by_kill));
	see_killer(_metadata, self->d, SIGTERM, 3000);
}

/* In each tree that it is a member of, main process or not. */
static void join_another(void *arg)
{
	struct deed *d = arg;

	if (join(d->fd, d->sig))
		_exit(BROKEN);
	be_victim(d);
}

TEST_F_TIMEOUT(killer, in_each_tree, LIMIT)
{
	int64_t inner = add_tree(self->fd, KNELL_OPF_ACK, 2);
	struct deed *d = self->d;
	struct knell_event ev;

	d->sig = inner;
	start_victim(_metadata, d, join_another);
	ASSERT_EQ(0, kill_as(&assassin, d, SIGTERM, by_kill));
	for (int exits = 0; exits < 2;) {
		ASSERT_EQ(1, next_event(self->fd, &ev));
		if (ev.type == KNELL_EV_EMPTY)
			continue;
		exits++;
		EXPECT_TRUE(is_exit(&ev, ev.watch, d->victim, SIGTERM, 0, BY_SENDER));
		EXPECT_EQ(d->killer, ev.exit.killer_pid);
		EXPECT_EQ(3000, ev.exit.killer_uid);
	}
	reap(d->victim);
}

static void have_child(void *arg)
{
	struct deed *d = arg;
	pid_t pid = bare_fork();

	if (!pid)
		be_victim(d);
	atomic_store(&d->victim, pid);
	pass_gate(d->gate);
	reap(pid);
}

TEST_F_TIMEOUT(killer, of_a_member_that_is_not_main, LIMIT)
{
	int64_t tree = add_tree(self->fd, KNELL_OPF_REPORT_EXIT, 2);
	struct deed *d = self->d;
	struct knell_event ev;
	pid_t pid;

	d->tree = tree;
	pid = spawn_member(self->fd, tree, have_child, d);
	ASSERT_LT(0, pid);
	ASSERT_EQ('r', hear_soon(d->said));
	while (!atomic_load(&d->victim))
		sched_yield();
	ASSERT_EQ(0, kill_as(&assassin, d, SIGTERM, by_kill));
	ASSERT_EQ(1, next_event(self->fd, &ev));
	EXPECT_TRUE(is_exit(&ev, tree, d->victim, SIGTERM, 1, KNELL_EVF_KILLER));
	EXPECT_EQ(d->killer, ev.exit.killer_pid);
	EXPECT_EQ(3000, ev.exit.killer_uid);
	open_gate(d->gate, 1);
	/* Nothing of it sticks to the others. */
	EXPECT_TRUE(next_is_main(self->fd, tree, pid, 0, 0));
	EXPECT_TRUE(next_is_empty(self->fd, tree, pid));
	reap(pid);
}

/* What was sent to a parent before the fork is not its child's. */
static void fork_after_signal(void *arg)
{
	struct deed *d = arg;
	pid_t pid;

	handle(d);
	pid = bare_fork();
	if (!pid) {
		signal(SIGALRM, SIG_DFL);
		ualarm(1000, 0);
		sleep_for_ever(NULL);
	}
	reap(pid);
}

TEST_F_TIMEOUT(killer, is_not_inherited, LIMIT)
{
	int64_t tree = add_tree(self->fd, KNELL_OPF_REPORT_EXIT, 2);
	struct deed *d = self->d;

	d->tree = tree;
	start_victim(_metadata, d, fork_after_signal);
	ASSERT_EQ(0, kill_as(&bystander, d, SIGALRM, by_kill));
	ASSERT_EQ('s', hear_soon(d->said));
	open_gate(d->gate, 1);
	EXPECT_TRUE(next_is_exit(self->fd, tree, ANY, SIGALRM, 1));
	EXPECT_TRUE(next_is_main(self->fd, tree, d->victim, 0, 0));
	EXPECT_TRUE(next_is_empty(self->fd, tree, d->victim));
	reap(d->victim);
}

/* One who was killed by the tree's KILL names who called it, newcomers too, who are born dead. */
static void fork_for_ever(void *arg)
{
	struct deed *d = arg;

	atomic_store(&d->tid, 1);
	while (!bare_fork())
		atomic_fetch_add(&d->tid, 1);
	_exit(0);
}

TEST_F_TIMEOUT(killer, newcomers_in_flight, LIMIT)
{
	struct deed *d = self->d;
	unsigned int killed = 0;

	catch_signal(SIGCHLD, SIG_DFL, SA_NOCLDWAIT);
	for (int round = 0; round < 60; round++) {
		bool empty = false;

		d->tree = add_tree(self->fd, KNELL_OPF_REPORT_EXIT, 2);
		atomic_store(&d->tid, 0);
		ASSERT_LT(0, spawn_member(self->fd, d->tree, fork_for_ever, d));
		while (atomic_load(&d->tid) < 5)
			sched_yield();
		ASSERT_LE(0, kill_watch(self->fd, d->tree, SIGKILL));
		while (!empty) {
			struct knell_event ev;

			ASSERT_EQ(1, next_event(self->fd, &ev));
			empty = ev.type == KNELL_EV_EMPTY;
			if (ev.type != KNELL_EV_EXIT || !ev.exit.status)
				continue;
			ASSERT_EQ(SIGKILL, ev.exit.status);
			ASSERT_EQ(KNELL_EVF_KILLER, ev.flags & ~KNELL_EVF_MAIN);
			ASSERT_EQ(getpid(), ev.exit.killer_pid);
			ASSERT_EQ(0, ev.exit.killer_uid);
			killed++;
		}
	}
	EXPECT_LE(60, killed);
}

static int by_cgroup(struct deed *d)
{
	(void)d;
	return write_file(CGROUP "/cgroup.kill", "1");
}

static void be_victim_in_cgroup(void *arg)
{
	if (write_file(CGROUP "/cgroup.procs", "0"))
		_exit(BROKEN);
	be_victim(arg);
}

/* The file is root's: an effective uid of 0 opens it, the real one is told. */
static const struct who root_of_3000 = { 3000, 0, 0, ~0ULL };

TEST_F_TIMEOUT(killer, cgroup_kill, LIMIT)
{
	if (kernel_before(5, 14))
		SKIP(return, "the kernel has no cgroup.kill");
	ASSERT_EQ(0, mkdir(CGROUP, 0755));
	start_victim(_metadata, self->d, be_victim_in_cgroup);
	ASSERT_EQ(0, kill_as(&root_of_3000, self->d, SIGKILL, by_cgroup));
	see_killer(_metadata, self->d, SIGKILL, 3000);
	remove_cgroup();
}

/* Beside the signal's own work: who is outside all trees is told of nothing, and to nobody. */
TEST_F_TIMEOUT(killer, strangers_are_left_alone, LIMIT)
{
	struct deed *d = self->d;
	pid_t stranger;

	start_victim(_metadata, d, be_victim);
	for (int i = 0; i < 20; i++) {
		stranger = spawn_process(sleep_for_ever, NULL);
		kill(stranger, SIGTERM);
		ASSERT_EQ(SIGTERM, reap(stranger));
	}
	EXPECT_TRUE(nothing_pending(self->fd));
	ASSERT_EQ(0, kill_as(&assassin, d, SIGKILL, by_kill));
	see_killer(_metadata, d, SIGKILL, 3000);
}

TEST_HARNESS_MAIN
