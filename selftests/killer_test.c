// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who killed it: EVF_KILLER with the sender of the deadly signal, EVF_OOM, and
 * neither where nobody sent one.
 *
 * runner-limit: 600
 */
#include "kselftest_harness.h"

#include "tree_test.h"

#define BY_SENDER	(KNELL_EVF_MAIN | KNELL_EVF_KILLER)

/**
 * struct deed - what the processes of a case share
 * @fd: the queue
 * @tree: handle
 * @victim: its pid, @tid: of one of its threads
 * @gate: the victim passes it when it is to go on
 * @said: from the victim, or from who runs the case
 * @sig: what a killer sends
 * @how: in which way
 * @killer: its pid
 */
struct deed {
	int fd;
	uint32_t tree;
	atomic_int victim;
	atomic_int tid;
	int gate;
	int said[2];
	int sig;
	int (*how)(struct deed *d);
	atomic_int killer;
};

static struct deed *new_deed(int fd, uint32_t tree)
{
	struct deed *d = shared(sizeof(*d));

	*d = (struct deed){ .fd = fd, .tree = tree, .gate = new_gate() };
	if (pipe(d->said))
		abort();
	return d;
}

FIXTURE(killer) {
	int fd;
	int64_t tree;
	struct deed *d;
};

FIXTURE_SETUP(killer)
{
	self->fd = knell_open(O_NONBLOCK);
	ASSERT_LE(0, self->fd);
	self->tree = add_tree(self->fd, 0, 1);
	ASSERT_LT(0, self->tree);
	self->d = new_deed(self->fd, self->tree);
}

FIXTURE_TEARDOWN(killer)
{
	close(self->fd);
}

/* Ways to send a signal. */

static int by_kill(struct deed *d)
{
	return kill(d->victim, d->sig);
}

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

/* A process that sends the signal and is gone; 0 if it could. */
static int run_killer(void *arg)
{
	struct deed *d = arg;

	atomic_store(&d->killer, getpid());
	return d->how(d) ? -errno : 0;
}

static int kill_as(const struct who *who, struct deed *d, int sig, int (*how)(struct deed *d))
{
	d->sig = sig;
	d->how = how;
	return as_who(who, run_killer, d);
}

/* Victims. */

static void *report_tid(void *arg)
{
	struct deed *d = arg;

	atomic_store(&d->tid, own_tid());
	tell(d->said, 'r');
	sleep_for_ever(NULL);
	return NULL;
}

static void be_victim(void *arg)
{
	struct deed *d = arg;
	pthread_t thread;

	setpgid(0, 0);
	if (pthread_create(&thread, NULL, report_tid, d))
		_exit(BROKEN);
	sleep_for_ever(NULL);
}

/* The main process of the tree, ready. */
static void start_victim(struct __test_metadata *_metadata, struct deed *d, member_fn fn)
{
	pid_t pid = spawn_member(d->fd, d->tree, fn, d);

	ASSERT_LT(0, pid);
	atomic_store(&d->victim, pid);
	ASSERT_EQ('r', hear_soon(d->said));
}

/* Its EXIT is as said, in the record and by wait(2); then comes EMPTY. */
static void see_death(struct __test_metadata *_metadata, struct deed *d, int status,
		      unsigned int flags, pid_t killer, uid_t uid)
{
	struct knell_event ev;

	ASSERT_EQ(1, next_event(d->fd, &ev));
	EXPECT_TRUE(is_exit(&ev, d->tree, d->victim, status, 0, flags));
	EXPECT_EQ(killer, ev.exit.killer_pid);
	EXPECT_EQ(uid, ev.exit.killer_uid);
	EXPECT_TRUE(next_is_empty(d->fd, d->tree, d->victim));
	EXPECT_EQ(status, reap(d->victim) & ~0x80);
}

static void see_no_killer(struct __test_metadata *_metadata, struct deed *d, int status)
{
	see_death(_metadata, d, status, KNELL_EVF_MAIN, 0, 0);
}

static void see_killer(struct __test_metadata *_metadata, struct deed *d, int status, uid_t uid)
{
	see_death(_metadata, d, status, BY_SENDER, d->killer, uid);
}

/* A uid of its own, with the capability to kill anybody. */
static const struct who assassin = { 3000, 3000, 3000, 1ULL << CAP_KILL };
static const struct who bystander = { 4000, 4000, 4000, 1ULL << CAP_KILL };

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

/* Signals that are handled are told, so that the next step comes thereafter. */
static struct deed *the_deed;

static void tell_signal(int sig)
{
	(void)sig;
	tell(the_deed->said, 's');
}

static void handle(void *arg)
{
	static const int sigs[] = { SIGTERM, SIGUSR1, SIGSEGV, SIGALRM, SIGABRT, SIGINT };

	the_deed = arg;
	for (size_t i = 0; i < ARRAY_SIZE(sigs); i++)
		catch_signal(sigs[i], tell_signal, 0);
	tell(the_deed->said, 'r');
	pass_gate(the_deed->gate);
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

/* cgroup.kill names who wrote to it. */

#define CGROUP		"/sys/fs/cgroup/killer"

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

static void remove_cgroup(void)
{
	while (rmdir(CGROUP) && errno == EBUSY)
		sched_yield();
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

/* Whose eyes. */

/* A reader in a pid namespace of its own does not see the killer: 0, but there was one. */
TEST_F_TIMEOUT(killer, not_visible_to_the_reader, LIMIT)
{
	struct deed *d = self->d;
	pid_t reader;

	start_victim(_metadata, d, be_victim);
	ASSERT_EQ(0, kill_as(&assassin, d, SIGTERM, by_kill));
	ASSERT_EQ(SIGTERM, reap(d->victim));
	ASSERT_EQ(0, unshare(CLONE_NEWPID));
	reader = fork();
	ASSERT_LE(0, reader);
	if (!reader) {
		struct knell_event ev;

		_exit(!(SO(next_event(d->fd, &ev) == 1) &&
			is_exit(&ev, d->tree, 0, SIGTERM, 0, BY_SENDER) &&
			SO(ev.exit.killer_pid == 0) && SO(ev.exit.killer_uid == 3000)));
	}
	EXPECT_EQ(0, reap(reader));
}

/* A killer in a namespace below the reader's has its pid of there. */
TEST_F_TIMEOUT(killer, killed_from_a_pid_namespace, LIMIT)
{
	struct deed *d = self->d;
	struct knell_event ev;
	pid_t killer, pid;

	ASSERT_EQ(0, unshare(CLONE_NEWPID));
	killer = fork();
	ASSERT_LE(0, killer);
	if (!killer) {
		/* The victim is inside, as 2. */
		pid = spawn_member(d->fd, d->tree, be_victim, d);
		must_hear(d->said, 'r');
		kill(pid, SIGTERM);
		reap(pid);
		_exit(0);
	}
	EXPECT_EQ(0, reap(killer));
	ASSERT_EQ(1, next_event(d->fd, &ev));
	EXPECT_TRUE(is_exit(&ev, d->tree, ANY, SIGTERM, 0, BY_SENDER));
	EXPECT_LT(2, ev.exit.pid);
	EXPECT_EQ(killer, ev.exit.killer_pid);
	EXPECT_TRUE(next_is_empty(d->fd, d->tree, ANY));
}

/* The uid is the reader's name for it, the overflow uid where there is none. */
static void see_mapped(struct __test_metadata *_metadata, struct deed *d, uid_t uid)
{
	pid_t reader;
	int user_ns_made[2], mapped[2];
	char path[64];

	ASSERT_EQ(0, pipe(user_ns_made));
	ASSERT_EQ(0, pipe(mapped));
	start_victim(_metadata, d, be_victim);
	ASSERT_EQ(0, kill_as(&assassin, d, SIGTERM, by_kill));
	reader = fork();
	ASSERT_LE(0, reader);
	if (!reader) {
		struct knell_event ev;

		if (unshare(CLONE_NEWUSER))
			_exit(BROKEN);
		tell(user_ns_made, 'u');
		must_hear(mapped, 'm');
		_exit(!(SO(next_event(d->fd, &ev) == 1) &&
			is_exit(&ev, d->tree, d->victim, SIGTERM, 0, BY_SENDER) &&
			SO(ev.exit.killer_pid == d->killer) && SO(ev.exit.killer_uid == uid)));
	}
	ASSERT_EQ('u', hear_soon(user_ns_made));
	snprintf(path, sizeof(path), "/proc/%d/uid_map", reader);
	if (uid != 65534)
		ASSERT_EQ(0, write_file(path, "70 3000 10"));
	tell(mapped, 'm');
	EXPECT_EQ(0, reap(reader));
	EXPECT_TRUE(next_is_empty(d->fd, d->tree, d->victim));
	reap(d->victim);
}

TEST_F_TIMEOUT(killer, uid_of_the_reader, LIMIT)
{
	see_mapped(_metadata, self->d, 70);
	self->d->tree = add_tree(self->fd, 0, 1);
	see_mapped(_metadata, self->d, 65534);
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
