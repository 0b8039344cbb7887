// SPDX-License-Identifier: GPL-2.0-only
/*
 * KILL of a TREE: who gets the signal, what no member survives however fast it
 * forks.
 *
 * runner-limit: 1200
 */
#include "kselftest_harness.h"

#include <sys/ptrace.h>
#include <sys/resource.h>

#include "tree_party.h"

QUEUE_FIXTURE(kill)

/* Who gets it. */

static struct party *the_party;

static void count_signal(int sig)
{
	(void)sig;
	atomic_fetch_add(&the_party->signals, 1);
	tell(the_party->said, 'h');
}

static void *sleep_in_thread(void *arg)
{
	sleep_for_ever(arg);
	return NULL;
}

static void start_threads(int nr)
{
	pthread_t thread;

	while (nr--)
		if (pthread_create(&thread, NULL, sleep_in_thread, NULL))
			_exit(BROKEN);
}

/* Has three children, the first of which has one more; each with @nr threads that sleep. */
static void be_family(void *arg)
{
	struct party *p = arg;

	the_party = p;
	for (int i = 0; i < 3; i++) {
		if (bare_fork())
			continue;
		if (!i)
			bare_fork();
		break;
	}
	start_threads(p->nr);
	tell(p->said, 'r');
	sleep_for_ever(NULL);
}

#define FAMILY		5

static pid_t start_family(struct __test_metadata *_metadata, struct party *p)
{
	pid_t pid = spawn_member(p->fd, p->tree, be_family, p);

	ASSERT_LT(0, pid);
	drop_lifeline(&p->life);
	for (int i = 0; i < FAMILY; i++)
		ASSERT_EQ('r', hear_soon(p->said));
	ASSERT_EQ(FAMILY, tree_members(p->fd, p->tree));
	return pid;
}

TEST_F_TIMEOUT(kill, returns_how_many, LIMIT)
{
	int64_t tree = add_tree(self->fd, KNELL_OPF_REPORT_EXIT, 1);
	struct party *p = new_party(self->fd, tree);
	struct tally t = { };
	pid_t pid;

	pid = start_family(_metadata, p);
	EXPECT_EQ(FAMILY, kill_watch(self->fd, tree, 0));
	EXPECT_EQ(FAMILY, kill_watch(self->fd, tree, 0));
	EXPECT_TRUE(nothing_pending(self->fd));
	EXPECT_EQ(FAMILY, kill_watch(self->fd, tree, SIGKILL));
	ASSERT_TRUE(count_until_empty(self->fd, &t));
	EXPECT_TRUE(all_dead(&p->life));
	EXPECT_TRUE(tally_is_sound(self->fd, &t));
	EXPECT_EQ(FAMILY - 1, t.exits);
	EXPECT_EQ(SIGKILL, t.main.exit.status);
	EXPECT_EQ(SIGKILL, reap(pid));
	reap_all();
}

/* A handler runs once in each process, however many threads it has. */
static void family_with_handler(void *arg)
{
	catch_signal(SIGUSR1, count_signal, 0);
	be_family(arg);
}

TEST_F_TIMEOUT(kill, one_signal_for_each_process, LIMIT)
{
	int64_t tree = add_tree(self->fd, 0, 1);
	struct party *p = new_party(self->fd, tree);
	struct tally t = { };
	pid_t pid;

	p->nr = 4;
	pid = spawn_member(self->fd, tree, family_with_handler, p);
	ASSERT_LT(0, pid);
	for (int i = 0; i < FAMILY; i++)
		ASSERT_EQ('r', hear_soon(p->said));
	ASSERT_EQ(FAMILY, kill_watch(self->fd, tree, SIGUSR1));
	for (int i = 0; i < FAMILY; i++)
		ASSERT_EQ('h', hear_soon(p->said));
	EXPECT_EQ(FAMILY, atomic_load(&p->signals));
	/* Another signal does not end the tree: it may be JOINed. */
	EXPECT_EQ(FAMILY, tree_members(self->fd, tree));
	EXPECT_EQ(0, join_next(self->fd, tree));
	EXPECT_EQ(FAMILY, kill_watch(self->fd, tree, SIGKILL));
	ASSERT_TRUE(count_until_empty(self->fd, &t));
	EXPECT_TRUE(tally_is_sound(self->fd, &t));
	EXPECT_EQ(FAMILY, atomic_load(&p->signals));
	EXPECT_EQ(SIGKILL, reap(pid));
	reap_all();
}

/* Any other deadly signal does its work, too. */
TEST_F_TIMEOUT(kill, sigterm, LIMIT)
{
	int64_t tree = add_tree(self->fd, KNELL_OPF_REPORT_EXIT, 1);
	struct party *p = new_party(self->fd, tree);
	struct tally t = { };

	start_family(_metadata, p);
	EXPECT_EQ(FAMILY, kill_watch(self->fd, tree, SIGTERM));
	ASSERT_TRUE(count_until_empty(self->fd, &t));
	EXPECT_TRUE(tally_is_sound(self->fd, &t));
	EXPECT_EQ(SIGTERM, t.main.exit.status);
	EXPECT_EQ(FAMILY - 1, t.exits);
	EXPECT_TRUE(all_dead(&p->life));
	reap_all();
}

static void stop_all(void *arg)
{
	struct party *p = arg;

	for (int i = 0; i < 2; i++)
		if (!bare_fork())
			break;
	tell(p->said, 's');
	raise(SIGSTOP);
	sleep_for_ever(NULL);
}

TEST_F_TIMEOUT(kill, stopped_members, LIMIT)
{
	int64_t tree = add_tree(self->fd, 0, 1);
	struct party *p = new_party(self->fd, tree);
	pid_t pid;

	pid = spawn_member(self->fd, tree, stop_all, p);
	ASSERT_LT(0, pid);
	drop_lifeline(&p->life);
	for (int i = 0; i < 3; i++)
		ASSERT_EQ('s', hear_soon(p->said));
	await_state(pid, 'T');
	EXPECT_EQ(3, kill_watch(self->fd, tree, SIGTERM));
	EXPECT_TRUE(nothing_pending(self->fd));
	EXPECT_EQ(3, kill_watch(self->fd, tree, SIGKILL));
	EXPECT_TRUE(await_all_dead(&p->life));
	EXPECT_EQ(SIGKILL, reap(pid));
	reap_all();
}

/* A parent in vfork(2) sleeps uninterruptibly but for SIGKILL. */
static void vfork_and_sleep(void *arg)
{
	struct party *p = arg;

	if (!bare_clone(CLONE_VFORK | SIGCHLD)) {
		tell(p->said, 'v');
		sleep_for_ever(NULL);
	}
}

TEST_F_TIMEOUT(kill, parent_in_vfork, LIMIT)
{
	int64_t tree = add_tree(self->fd, 0, 1);
	struct party *p = new_party(self->fd, tree);
	struct tally t = { };
	pid_t pid;

	pid = spawn_member(self->fd, tree, vfork_and_sleep, p);
	ASSERT_LT(0, pid);
	drop_lifeline(&p->life);
	ASSERT_EQ('v', hear_soon(p->said));
	EXPECT_EQ(2, kill_watch(self->fd, tree, SIGKILL));
	ASSERT_TRUE(count_until_empty(self->fd, &t));
	EXPECT_TRUE(tally_is_sound(self->fd, &t));
	EXPECT_TRUE(all_dead(&p->life));
	EXPECT_EQ(SIGKILL, reap(pid));
}

/* One who KILLs the tree that it is in goes with it. */
static void kill_own_tree(void *arg)
{
	struct party *p = arg;

	for (int i = 0; i < 3; i++)
		if (!bare_fork())
			sleep_for_ever(NULL);
	kill_watch(p->fd, p->tree, SIGKILL);
	_exit(BROKEN);
}

TEST_F_TIMEOUT(kill, by_a_member, LIMIT)
{
	int64_t tree = add_tree(self->fd, 0, 1);
	struct party *p = new_party(self->fd, tree);
	struct tally t = { };

	ASSERT_LT(0, spawn_member(self->fd, tree, kill_own_tree, p));
	drop_lifeline(&p->life);
	ASSERT_TRUE(count_until_empty(self->fd, &t));
	EXPECT_TRUE(tally_is_sound(self->fd, &t));
	EXPECT_EQ(SIGKILL, t.main.exit.status);
	EXPECT_TRUE(all_dead(&p->life));
	reap_all();
}

/*
 * Killed but not yet empty, since a foreign tracer holds the zombie: nobody may
 * JOIN any longer, and who was about to be born into it is not to live.
 */
static void see_closed(struct __test_metadata *_metadata, int fd, unsigned long flags)
{
	int64_t tree = add_tree(fd, 0, 1);
	struct party *p = new_party(fd, tree);
	pid_t pid, tracer, late;

	pid = spawn_member(fd, tree, sleep_for_ever, NULL);
	ASSERT_LT(0, pid);
	tracer = fork();
	ASSERT_LE(0, tracer);
	if (!tracer) {
		if (ptrace(PTRACE_SEIZE, pid, NULL, NULL))
			_exit(BROKEN);
		tell(p->said, 's');
		pass_gate(p->gate);
		_exit(0);
	}
	ASSERT_EQ('s', hear_soon(p->said));
	ASSERT_EQ(0, join_next(fd, tree));
	ASSERT_EQ(1, kill_watch(fd, tree, SIGKILL));
	await_state(pid, 'Z');
	EXPECT_TRUE(nothing_pending(fd));
	late = bare_clone(flags | SIGCHLD);
	if (!late)
		_exit(3);
	EXPECT_EQ(SIGKILL, reap(late));
	EXPECT_EQ(-ESHUTDOWN, join_next(fd, tree));
	EXPECT_EQ(-ESHUTDOWN, join(fd, tree));
	EXPECT_EQ(1, tree_members(fd, tree));
	open_gate(p->gate, 1);
	EXPECT_TRUE(next_is_killed(fd, tree, pid, SIGKILL, 0));
	EXPECT_TRUE(next_is_empty(fd, tree, pid));
	reap(tracer);
	reap(pid);
}

TEST_F_TIMEOUT(kill, closes_the_tree, LIMIT)
{
	see_closed(_metadata, self->fd, 0);
}

/* The first process of a namespace does not ignore that. */
TEST_F_TIMEOUT(kill, closes_the_tree_to_containers, LIMIT)
{
	see_closed(_metadata, self->fd, CLONE_NEWPID);
}

/* What forks as fast as it can. */

/* Eight at once, without end, and not more than that: the emulator is slow. */
static void fork_and_multiply(void *arg)
{
	catch_signal(SIGCHLD, SIG_DFL, SA_NOCLDWAIT);
	for (int i = 0; i < 3; i++)
		note_fork(arg, bare_fork());
	for (;;) {
		long pid = bare_fork();

		if (!pid)
			_exit(0);
		note_fork(arg, pid);
	}
}

/* Each leaves when it has a child: the only one to be killed is always about to be born. */
static void fork_and_leave(void *arg)
{
	while (!bare_fork())
		atomic_fetch_add(&((struct party *)arg)->forks, 1);
	_exit(0);
}

/* A line of siblings: whoever is born has the same parent, and no ancestor in the tree. */
static void fork_siblings(void *arg)
{
	while (!bare_clone(CLONE_PARENT | SIGCHLD))
		atomic_fetch_add(&((struct party *)arg)->forks, 1);
	_exit(0);
}

static void fork_and_wait(void *arg)
{
	for (;;) {
		pid_t pid = bare_fork();

		if (!pid)
			_exit(0);
		note_fork(arg, pid);
		reap(pid);
	}
}

static __attribute__((noinline)) pid_t vfork_and_exit(void)
{
	pid_t pid = vfork();

	if (!pid)
		_exit(0);
	return pid;
}

static void *vfork_in_thread(void *arg)
{
	for (;;) {
		note_fork(arg, vfork_and_exit());
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
	}
	return NULL;
}

static void fork_in_threads(void *arg)
{
	pthread_t thread;

	for (int i = 0; i < 3; i++)
		pthread_create(&thread, NULL, vfork_in_thread, arg);
	vfork_in_thread(arg);
}

/* Each is a member of one more tree than its parent, as far as that goes. */
static void fork_and_nest(void *arg)
{
	struct party *p = arg;
	int fd = knell_open(0);
	int64_t tree = add_tree(fd, REPORTS, 1);

	join(fd, tree);
	if (!bare_fork()) {
		int64_t one = add_tree(fd, 0, 2);

		join(fd, one);
		fork_and_multiply(p);
	}
	fork_and_leave(p);
}

FIXTURE(bomb) {
	int fd;
	uint64_t seed;
};

FIXTURE_VARIANT(bomb) {
	member_fn fn;
	int rounds;
	uint32_t flags;
	bool close;	/* by KILL_ON_CLOSE */
};

FIXTURE_VARIANT_ADD(bomb, multiply) { .fn = fork_and_multiply, .rounds = rounds(200) };
FIXTURE_VARIANT_ADD(bomb, leave) { .fn = fork_and_leave, .rounds = rounds(200) };
FIXTURE_VARIANT_ADD(bomb, siblings) { .fn = fork_siblings, .rounds = rounds(60) };
FIXTURE_VARIANT_ADD(bomb, wait) { .fn = fork_and_wait, .rounds = rounds(40), .flags = REPORTS };
FIXTURE_VARIANT_ADD(bomb, threads) { .fn = fork_in_threads, .rounds = rounds(40), .flags = REPORTS };
FIXTURE_VARIANT_ADD(bomb, nested) { .fn = fork_and_nest, .rounds = rounds(40), .flags = REPORTS };
FIXTURE_VARIANT_ADD(bomb, close_leave) {
	.fn = fork_and_leave, .rounds = rounds(60), .flags = KNELL_OPF_KILL_ON_CLOSE, .close = true,
};
FIXTURE_VARIANT_ADD(bomb, close_multiply) {
	.fn = fork_and_multiply, .rounds = rounds(40), .flags = KNELL_OPF_KILL_ON_CLOSE, .close = true,
};

FIXTURE_SETUP(bomb)
{
	self->fd = knell_open(O_NONBLOCK);
	ASSERT_LE(0, self->fd);
	self->seed = 0xb5026f5aa96619e9ULL + variant->rounds;
	/* Siblings and orphans die unseen. */
	catch_signal(SIGCHLD, SIG_DFL, SA_NOCLDWAIT);
	ASSERT_EQ(0, prctl(PR_SET_CHILD_SUBREAPER, 1));
}

FIXTURE_TEARDOWN(bomb)
{
	close(self->fd);
}

static void run_bomb(void *arg)
{
	struct party *p = arg;

	close(p->fd);
	/* Who is to kill them all must get his turn. */
	setpriority(PRIO_PROCESS, 0, 10);
	p->fn(p);
}

/* Lights one that has forked a few times when this returns. */
static struct party *light_bomb(struct __test_metadata *_metadata, FIXTURE_DATA(bomb) *self,
				const FIXTURE_VARIANT(bomb) *variant)
{
	int64_t tree = add_tree(self->fd, variant->flags, 1);
	struct party *p = new_party(self->fd, tree);
	int few = next_random(&self->seed) % 24;

	ASSERT_LT(0, tree);
	p->fn = variant->fn;
	ASSERT_LT(0, spawn_member(self->fd, tree, run_bomb, p));
	drop_lifeline(&p->life);
	while (atomic_load(&p->forks) < few)
		sched_yield();
	return p;
}

/* At EMPTY nobody is left, and nobody comes thereafter. */
TEST_F_TIMEOUT(bomb, nothing_survives, LIMIT)
{
	unsigned int forks = 0;

	for (int round = 0; round < variant->rounds; round++) {
		struct party *p = light_bomb(_metadata, self, variant);
		struct tally t = { };

		if (variant->close) {
			ASSERT_EQ(0, close(self->fd));
			ASSERT_TRUE(await_all_dead(&p->life)) {
				TH_LOG("round %d, %u forks", round, atomic_load(&p->forks));
			}
			self->fd = knell_open(O_NONBLOCK);
			ASSERT_LE(0, self->fd);
		} else {
			ASSERT_LE(0, kill_watch(self->fd, p->tree, SIGKILL));
			ASSERT_TRUE(count_until_empty(self->fd, &t));
			ASSERT_TRUE(all_dead(&p->life));
			ASSERT_TRUE(tally_is_sound(self->fd, &t));
			ASSERT_EQ(0, nr_watches(self->fd));
		}
		forks += atomic_load(&p->forks);
		end_party(p);
	}
	TH_LOG("%u forks in %d rounds", forks, variant->rounds);
	EXPECT_LT(0, forks);
}

/*
 * KILL of the inner tree ends that and no one else; KILL of the outer one ends
 * both, forking as they may.
 */
static void manage_bomb(void *arg)
{
	struct party *p = arg;

	p->pid[0] = spawn_member(p->fd, p->inner, fork_and_multiply, p);
	pass_gate(p->gate);
	_exit(7);
}

TEST_F_TIMEOUT(kill, nested, LIMIT)
{
	for (int round = 0; round < rounds(30); round++) {
		int64_t outer = add_tree(self->fd, KNELL_OPF_ACK, 0);
		struct party *p = new_party(self->fd, outer);
		bool all = round & 1;
		struct tally t[2] = { };
		struct knell_event ev;
		pid_t pid;

		p->inner = add_tree(self->fd, KNELL_OPF_ACK, 1);
		pid = spawn_member(self->fd, outer, manage_bomb, p);
		ASSERT_LT(0, pid);
		drop_lifeline(&p->life);
		while (atomic_load(&p->forks) < 5)
			sched_yield();
		ASSERT_LE(0, kill_watch(self->fd, all ? outer : p->inner, SIGKILL));
		while (!t[1].empties) {
			ASSERT_EQ(1, next_event(self->fd, &ev));
			count_event(&t[ev.token], &ev);
		}
		if (!all) {
			ASSERT_FALSE(all_dead(&p->life));
			while (tree_members(self->fd, outer) != 1)
				sched_yield();
			ASSERT_EQ(0, t[0].mains);
			open_gate(p->gate, 1);
		}
		while (!t[0].empties) {
			ASSERT_EQ(1, next_event(self->fd, &ev));
			count_event(&t[ev.token], &ev);
		}
		ASSERT_TRUE(all_dead(&p->life));
		ASSERT_EQ(all ? SIGKILL : EXITED(7), reap(pid));
		for (int i = 0; i < 2; i++)
			ASSERT_TRUE(tally_is_sound(self->fd, &t[i]));
		ASSERT_EQ(0, tree_members(self->fd, outer));
		ASSERT_EQ(0, del_watch(self->fd, outer));
		ASSERT_EQ(0, del_watch(self->fd, p->inner));
		end_party(p);
	}
}

/* Two who KILL at the same time, and one who DELs: nobody stumbles, nothing survives the former. */
static void *kill_again(void *arg)
{
	struct party *p = arg;

	pass_gate(p->gate);
	p->result = kill_watch(p->fd, p->tree, SIGKILL);
	return NULL;
}

TEST_F_TIMEOUT(kill, two_at_once, LIMIT)
{
	catch_signal(SIGCHLD, SIG_DFL, SA_NOCLDWAIT);
	for (int round = 0; round < rounds(40); round++) {
		int64_t tree = add_tree(self->fd, 0, 1);
		struct party *p = new_party(self->fd, tree);
		struct tally t = { };
		pthread_t thread;
		int mine;

		ASSERT_LT(0, spawn_member(self->fd, tree, fork_and_multiply, p));
		drop_lifeline(&p->life);
		ASSERT_EQ(0, pthread_create(&thread, NULL, kill_again, p));
		while (atomic_load(&p->forks) < 4)
			sched_yield();
		open_gate(p->gate, 1);
		mine = kill_watch(self->fd, tree, SIGKILL);
		pthread_join(thread, NULL);
		ASSERT_LE(0, mine);
		ASSERT_LE(0, p->result);
		ASSERT_TRUE(count_until_empty(self->fd, &t));
		ASSERT_TRUE(all_dead(&p->life));
		ASSERT_TRUE(tally_is_sound(self->fd, &t));
		end_party(p);
	}
}

/* DEL at once after KILL: what was killed is dead all the same, newcomers too. */
TEST_F_TIMEOUT(kill, del_right_after, LIMIT)
{
	catch_signal(SIGCHLD, SIG_DFL, SA_NOCLDWAIT);
	ASSERT_EQ(0, prctl(PR_SET_CHILD_SUBREAPER, 1));
	for (int round = 0; round < rounds(60); round++) {
		int64_t tree = add_tree(self->fd, 0, 1);
		struct party *p = new_party(self->fd, tree);
		struct knell_op op[2] = { op_kill(tree, SIGKILL), op_del(tree) };

		ASSERT_LT(0, spawn_member(self->fd, tree,
					  round & 1 ? fork_and_leave : fork_and_multiply, p));
		drop_lifeline(&p->life);
		while (atomic_load(&p->forks) < 4)
			sched_yield();
		ASSERT_EQ(0, submit_ops(self->fd, op, 2));
		ASSERT_LE(0, op[0].result);
		ASSERT_EQ(0, op[1].result);
		ASSERT_TRUE(await_all_dead(&p->life));
		ASSERT_TRUE(nothing_pending(self->fd));
		end_party(p);
	}
	EXPECT_EQ(0, nr_watches(self->fd));
}

TEST_F_TIMEOUT(kill, del_while_they_fork, LIMIT)
{
	for (int round = 0; round < rounds(30); round++) {
		int64_t tree = add_tree(self->fd, REPORTS, 1);
		struct party *p = new_party(self->fd, tree);
		int forks;
		pid_t pid;

		pid = spawn_member(self->fd, tree, fork_until_told, p);
		ASSERT_LT(0, pid);
		while (atomic_load(&p->forks) < 3)
			sched_yield();
		ASSERT_EQ(0, del_watch(self->fd, tree));
		forks = atomic_load(&p->forks);
		while (atomic_load(&p->forks) < forks + 3)
			sched_yield();
		atomic_store(&p->stop, 1);
		ASSERT_EQ(0, reap(pid));
		ASSERT_EQ(0, atomic_load(&p->bad));
		ASSERT_TRUE(nothing_pending(self->fd));
		close(p->life.fd[1]);
		end_party(p);
	}
	EXPECT_EQ(0, nr_watches(self->fd));
}

TEST_HARNESS_MAIN
