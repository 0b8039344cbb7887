// SPDX-License-Identifier: GPL-2.0-only
/*
 * KILL of a TREE: who gets the signal, what no member survives however fast it
 * forks, whose rights count, what goes with the queue; and everything at once.
 *
 * runner-limit: 1200
 */
#include "kselftest_harness.h"

#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "tree_test.h"

#define REPORTS		(KNELL_OPF_REPORT_FORK | KNELL_OPF_REPORT_EXIT)

QUEUE_FIXTURE(kill)

/**
 * struct party - what the processes of a case share
 * @fd: the queue, @copy: again, if not 0
 * @tree: handle, @inner: another
 * @gate: opened for those who wait there
 * @said: to whoever runs the case
 * @forks: that took place
 * @signals: that a handler took
 * @stop: to those who go on until they are told
 * @result: of what a thread does, @gate2: another, @fn: what is to be run
 * @life: held by all members
 */
struct party {
	int fd;
	int copy;
	uint32_t tree;
	uint32_t inner;
	int gate;
	int said[2];
	atomic_int forks;
	atomic_int signals;
	atomic_int stop;
	atomic_int bad;
	atomic_int pid[8];
	unsigned int nr;
	int result;
	int gate2;
	member_fn fn;
	struct lifeline life;
};

static struct party *new_party(int fd, uint32_t tree)
{
	struct party *p = shared(sizeof(*p));

	p->fd = fd;
	p->tree = tree;
	p->gate = new_gate();
	if (pipe(p->said) || new_lifeline(&p->life))
		abort();
	return p;
}

static void end_party(struct party *p)
{
	close(p->gate);
	close(p->said[0]);
	close(p->said[1]);
	close(p->life.fd[0]);
	munmap(p, sizeof(*p));
}

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

static void note_fork(struct party *p, long pid)
{
	if (pid > 0)
		atomic_fetch_add(&p->forks, 1);
}

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

/* DEL of a tree in full flight: all live on, until they are told, and leave no trace. */
static void fork_until_told(void *arg)
{
	struct party *p = arg;

	while (!atomic_load(&p->stop)) {
		pid_t pid = bare_fork();

		if (!pid)
			_exit(0);
		note_fork(p, pid);
		if (reap(pid))
			atomic_fetch_add(&p->bad, 1);
	}
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

/* Rights. */

static const struct who user_2000 = { 2000, 2000, 2000, 0 };

/* What a member becomes, and how it ends when nobody kills it. */
struct mixed {
	struct party *p;
	const struct who *who[4];
	int nr;
};

static void be_mixed(void *arg)
{
	struct mixed *m = arg;

	for (int i = 1; i < m->nr; i++) {
		if (bare_fork())
			continue;
		become(m->who[i]);
		m->p->pid[i] = getpid();
		tell(m->p->said, 'm');
		pass_gate(m->p->gate);
		_exit(i);
	}
	become(m->who[0]);
	m->p->pid[0] = getpid();
	tell(m->p->said, 'm');
	pass_gate(m->p->gate);
	_exit(0);
}

static pid_t start_mixed(struct __test_metadata *_metadata, struct mixed *m)
{
	pid_t pid = spawn_member(m->p->fd, m->p->tree, be_mixed, m);

	ASSERT_LT(0, pid);
	for (int i = 0; i < m->nr; i++)
		ASSERT_EQ('m', hear_soon(m->p->said));
	return pid;
}

static int kill_party(void *arg)
{
	struct party *p = arg;

	return kill_watch(p->fd, p->tree, p->nr);
}

/*
 * A user who holds the queue: his own members get the signal, root's do not and
 * EPERM says that some remain. With sig 0 the same, and with all his own the
 * number of them.
 */
TEST_F_TIMEOUT(kill, by_an_unprivileged_user, LIMIT)
{
	int64_t tree = add_tree(self->fd, KNELL_OPF_REPORT_EXIT, 1);
	struct party *p = new_party(self->fd, tree);
	struct mixed m = { p, { &root_all, &user_1000, &user_2000, &user_1000 }, 4 };
	struct knell_event ev;
	pid_t pid;

	pid = start_mixed(_metadata, &m);
	p->nr = 0;
	EXPECT_EQ(-EPERM, as_who(&user_1000, kill_party, p));
	EXPECT_EQ(4, as_who(&root_all, kill_party, p));
	EXPECT_TRUE(nothing_pending(self->fd));
	p->nr = SIGKILL;
	EXPECT_EQ(-EPERM, as_who(&user_1000, kill_party, p));
	for (int left = 3; left >= 2; left--) {
		ASSERT_EQ(1, next_event(self->fd, &ev));
		EXPECT_TRUE(ev.exit.pid == p->pid[1] || ev.exit.pid == p->pid[3]);
		EXPECT_TRUE(is_exit(&ev, tree, ANY, SIGKILL, left, KNELL_EVF_KILLER));
		EXPECT_EQ(1000, ev.exit.killer_uid);
	}
	EXPECT_EQ(2, tree_members(self->fd, tree));
	EXPECT_EQ(0, kill(p->pid[0], 0));
	EXPECT_EQ(0, kill(p->pid[2], 0));
	/* By now there is none of his: nobody got it. */
	EXPECT_EQ(-EPERM, as_who(&user_1000, kill_party, p));
	EXPECT_TRUE(nothing_pending(self->fd));
	EXPECT_EQ(-EPERM, as_who(&user_2000, kill_party, p));
	ASSERT_EQ(1, next_event(self->fd, &ev));
	EXPECT_TRUE(is_exit(&ev, tree, p->pid[2], SIGKILL, 1, KNELL_EVF_KILLER));
	EXPECT_EQ(2000, ev.exit.killer_uid);
	EXPECT_EQ(1, kill_watch(self->fd, tree, SIGKILL));
	EXPECT_TRUE(next_is_killed(self->fd, tree, pid, SIGKILL, 0));
	EXPECT_TRUE(next_is_empty(self->fd, tree, pid));
	reap_all();
}

/* CAP_KILL, and either of the two uids that kill(2) compares with either of the target's. */
TEST_F_TIMEOUT(kill, rights_are_those_of_kill, LIMIT)
{
	static const struct who killer[] = {
		{ 2000, 2000, 2000, 1ULL << CAP_KILL }, { 2000, 1000, 2000, 0 },
		{ 1000, 2000, 2000, 0 }, { 2000, 2000, 1000, 0 }, { 2000, 2000, 2000, 0 },
	}, target[] = {
		{ 1000, 1000, 1000, 0 }, { 1000, 2000, 3000, 0 }, { 3000, 2000, 1000, 0 },
		{ 3000, 1000, 3000, 0 },
	};

	for (size_t k = 0; k < ARRAY_SIZE(killer); k++) {
		for (size_t t = 0; t < ARRAY_SIZE(target); t++) {
			int64_t tree = add_tree(self->fd, 0, 1);
			struct party *p = new_party(self->fd, tree);
			struct mixed m = { p, { &target[t] }, 1 };
			const struct who *kw = &killer[k], *tw = &target[t];
			bool may = kw->caps || kw->euid == tw->suid || kw->euid == tw->ruid ||
				kw->ruid == tw->suid || kw->ruid == tw->ruid;
			pid_t pid = start_mixed(_metadata, &m);

			p->nr = 0;
			EXPECT_EQ(may ? 1 : -EPERM, as_who(kw, kill_party, p));
			p->nr = SIGKILL;
			EXPECT_EQ(may ? 1 : -EPERM, as_who(kw, kill_party, p));
			open_gate(p->gate, !may);
			EXPECT_EQ(may ? SIGKILL : 0, reap(pid));
			ASSERT_EQ(2, nr_pending(self->fd));
			ASSERT_EQ(0, del_watch(self->fd, tree));
			end_party(p);
		}
	}
}

/* The user's member executes a setuid program: he can no longer end it. */
static void be_setuid_root(int said)
{
	if (geteuid() || setresuid(0, 0, 0) || write(said, "x", 1) != 1)
		_exit(BROKEN);
	sleep_for_ever(NULL);
}

static void __attribute__((constructor)) run_as(void)
{
	const char *what = getenv(EXEC_AS);
	int said;

	if (what && sscanf(what, "setuid %d", &said) == 1)
		be_setuid_root(said);
}

#define SETUID_COPY	"/tmp/tree_kill_setuid"

static void have_setuid_member(void *arg)
{
	struct party *p = arg;
	char as[32];

	if (!bare_fork())
		sleep_for_ever(NULL);
	snprintf(as, sizeof(as), "setuid %d", p->said[1]);
	exec_path_as(SETUID_COPY, as);
}

/* All of it by the user, from open() on. */
static int own_setuid_member(void *arg)
{
	struct party *p = arg;
	struct knell_event ev;
	pid_t pid;

	p->fd = knell_open(O_NONBLOCK);
	p->tree = add_tree(p->fd, KNELL_OPF_REPORT_EXIT, 1);
	pid = spawn_member(p->fd, p->tree, have_setuid_member, p);
	CHECK(pid > 0);
	CHECK(hear_soon(p->said) == 'x');
	CHECK(tree_members(p->fd, p->tree) == 2);
	CHECK(kill_watch(p->fd, p->tree, 0) == -EPERM);
	CHECK(kill_watch(p->fd, p->tree, SIGKILL) == -EPERM);
	CHECK(kill(pid, SIGKILL) == -1 && errno == EPERM);
	/* His own one is dead, the other one lives. */
	CHECK(next_event(p->fd, &ev) == 1);
	CHECK(is_exit(&ev, p->tree, ANY, SIGKILL, 1, KNELL_EVF_KILLER));
	CHECK(tree_members(p->fd, p->tree) == 1);
	CHECK(nothing_pending(p->fd));
	/* Root ends it. It is the main process: the user is told all of it. */
	atomic_store(&p->pid[0], pid);
	open_gate(p->gate, 1);
	CHECK(next_event(p->fd, &ev) == 1);
	CHECK(is_exit(&ev, p->tree, pid, SIGKILL, 0, KNELL_EVF_MAIN | KNELL_EVF_KILLER));
	CHECK(ev.exit.uid == 0 && ev.exit.killer_uid == 0 && ev.exit.minflt > 0);
	CHECK(next_is_empty(p->fd, p->tree, pid));
	return 0;
}

/* The device is root's unless he says otherwise. */
static void let_users_in(struct __test_metadata *_metadata)
{
	ASSERT_EQ(0, chmod(KNELL_DEVICE, 0666));
}

static void keep_users_out(void)
{
	chmod(KNELL_DEVICE, 0600);
}

static void kill_at_gate(void *arg)
{
	struct party *p = arg;

	pass_gate(p->gate);
	if (atomic_load(&p->pid[0]) > 0)
		kill(atomic_load(&p->pid[0]), SIGKILL);
}

TEST_F_TIMEOUT(kill, setuid_member, LIMIT)
{
	struct party *p = new_party(-1, 0);
	pid_t killer;

	let_users_in(_metadata);
	ASSERT_EQ(0, copy_file("/proc/self/exe", SETUID_COPY, 04755));
	killer = spawn_process(kill_at_gate, p);
	ASSERT_LT(0, killer);
	EXPECT_EQ(0, as_who(&user_1000, own_setuid_member, p));
	open_gate(p->gate, 1);
	reap(killer);
	unlink(SETUID_COPY);
	keep_users_out();
}

/*
 * A newcomer is killed by the right of who KILLed, not by the kernel's: of
 * root's children none dies, in flight or not, however often a user tries.
 */
static int kill_often(void *arg)
{
	struct party *p = arg;
	int forks = atomic_load(&p->forks);

	for (int i = 0; i < 400 || atomic_load(&p->forks) < forks + 100; i++) {
		int ret = kill_watch(p->fd, p->tree, SIGKILL);

		if (ret != -EPERM) {
			fprintf(stderr, "# KILL: %d\n", ret);
			return 1;
		}
	}
	return 0;
}

TEST_F_TIMEOUT(kill, newcomers_of_root_by_a_user, LIMIT)
{
	int64_t tree = add_tree(self->fd, 0, 1);
	struct party *p = new_party(self->fd, tree);
	pid_t pid;

	pid = spawn_member(self->fd, tree, fork_until_told, p);
	ASSERT_LT(0, pid);
	EXPECT_EQ(0, as_who(&user_1000, kill_often, p));
	EXPECT_EQ(0, atomic_load(&p->bad));
	EXPECT_LT(0, atomic_load(&p->forks));
	atomic_store(&p->stop, 1);
	EXPECT_EQ(0, reap(pid));
	EXPECT_TRUE(next_is_main(self->fd, tree, pid, 0, 0));
	EXPECT_TRUE(next_is_empty(self->fd, tree, pid));
}

/* Runs @fn as the first process of a pid namespace. */
static int in_pid_namespace(int (*fn)(void *arg), void *arg)
{
	pid_t outer = fork(), pid;

	if (!outer) {
		if (unshare(CLONE_NEWPID))
			_exit(BROKEN);
		pid = fork();
		if (!pid)
			_exit(fn(arg));
		_exit(child_status(pid));
	}
	return child_status(outer);
}

static int kill_from_inside(void *arg)
{
	struct party *p = arg;
	pid_t pid = spawn_member(p->fd, p->tree, sleep_for_ever, NULL);

	CHECK(pid > 0);
	CHECK(tree_members(p->fd, p->tree) == 2);
	CHECK(kill_watch(p->fd, p->tree, 0) == -EPERM);
	CHECK(kill_watch(p->fd, p->tree, SIGTERM) == -EPERM);
	CHECK(reap(pid) == SIGTERM);
	CHECK(kill_watch(p->fd, p->tree, SIGKILL) == -EPERM);
	return 0;
}

/* What is outside a container's pid namespace gets no signal from inside, nor do its newcomers. */
TEST_F_TIMEOUT(kill, from_a_pid_namespace, LIMIT)
{
	int64_t tree = add_tree(self->fd, 0, 1);
	struct party *p = new_party(self->fd, tree);
	pid_t pid;

	pid = spawn_member(self->fd, tree, wait_at_gate, &p->gate);
	ASSERT_LT(0, pid);
	EXPECT_EQ(0, in_pid_namespace(kill_from_inside, p));
	open_gate(p->gate, 1);
	EXPECT_EQ(0, reap(pid));
	EXPECT_TRUE(next_is_main(self->fd, tree, pid, 0, 0));
	EXPECT_TRUE(next_is_empty(self->fd, tree, pid));
}

TEST_F_TIMEOUT(kill, newcomers_from_a_pid_namespace, LIMIT)
{
	int64_t tree = add_tree(self->fd, 0, 1);
	struct party *p = new_party(self->fd, tree);
	pid_t pid;

	pid = spawn_member(self->fd, tree, fork_until_told, p);
	ASSERT_LT(0, pid);
	EXPECT_EQ(0, in_pid_namespace(kill_often, p));
	EXPECT_EQ(0, atomic_load(&p->bad));
	EXPECT_LT(0, atomic_load(&p->forks));
	atomic_store(&p->stop, 1);
	EXPECT_EQ(0, reap(pid));
	EXPECT_TRUE(next_is_main(self->fd, tree, pid, 0, 0));
	EXPECT_TRUE(next_is_empty(self->fd, tree, pid));
}

/* From outside both are reached, also the first of the namespace, which nobody inside can kill. */
static int be_inside(void *arg)
{
	struct party *p = arg;

	CHECK(join(p->fd, p->tree) == 0);
	if (!bare_fork())
		sleep_for_ever(NULL);
	tell(p->said, 'i');
	sleep_for_ever(NULL);
	return 1;
}

static void contain(void *arg)
{
	in_pid_namespace(be_inside, arg);
}

TEST_F_TIMEOUT(kill, into_a_pid_namespace, LIMIT)
{
	int64_t tree = add_tree(self->fd, 0, 1);
	struct party *p = new_party(self->fd, tree);
	struct tally t = { };
	pid_t pid;

	pid = spawn_process(contain, p);
	ASSERT_LT(0, pid);
	drop_lifeline(&p->life);
	ASSERT_EQ('i', hear_soon(p->said));
	EXPECT_EQ(2, kill_watch(self->fd, tree, SIGKILL));
	ASSERT_TRUE(count_until_empty(self->fd, &t));
	EXPECT_TRUE(tally_is_sound(self->fd, &t));
	EXPECT_TRUE(await_all_dead(&p->life));
	reap(pid);
}

/*
 * The first of a namespace survives a SIGKILL from inside. With the tree DELed it
 * is left alone, and so are its children.
 */
static int survive_inside(void *arg)
{
	struct party *p = arg;
	int code = 5;
	pid_t killer;

	killer = fork();
	if (!killer) {
		pass_gate(p->gate);
		kill_watch(p->fd, p->tree, SIGKILL);
		_exit(del_watch(p->fd, p->tree));
	}
	CHECK(join(p->fd, p->tree) == 0);
	open_gate(p->gate, 1);
	CHECK(reap(killer) == 0);
	for (int i = 0; i < 10; i++)
		CHECK(reap(spawn_process(exit_with, &code)) == EXITED(5));
	return 0;
}

TEST_F_TIMEOUT(kill, del_lets_go_who_survived, LIMIT)
{
	int64_t tree = add_tree(self->fd, 0, 1);
	struct party *p = new_party(self->fd, tree);

	EXPECT_EQ(0, in_pid_namespace(survive_inside, p));
	EXPECT_EQ(0, nr_watches(self->fd));
}

/* The root of a user namespace is nobody outside it. */
static void map_root(void)
{
	if (prctl(PR_SET_DUMPABLE, 1) || unshare(CLONE_NEWUSER) ||
	    write_file("/proc/self/setgroups", "deny") ||
	    write_file("/proc/self/uid_map", "0 1000 1") ||
	    write_file("/proc/self/gid_map", "0 0 1") || getuid())
		_exit(BROKEN);
}

static int be_mapped_root(void *arg)
{
	struct party *p = arg;
	struct knell_event ev;

	map_root();
	p->fd = knell_open(O_NONBLOCK);
	p->tree = add_tree(p->fd, KNELL_OPF_REPORT_EXIT, 1);
	atomic_store(&p->pid[0], getpid());
	tell(p->said, 'u');
	pass_gate(p->gate);
	CHECK(tree_members(p->fd, p->tree) == 3);
	CHECK(kill_watch(p->fd, p->tree, 0) == -EPERM);
	CHECK(kill_watch(p->fd, p->tree, SIGTERM) == -EPERM);
	/* His own: the uid is the same, wherever it lives. */
	CHECK(next_event(p->fd, &ev) == 1);
	CHECK(is_exit(&ev, p->tree, ANY, SIGTERM, 2, KNELL_EVF_KILLER));
	CHECK(ev.exit.uid == 0 && ev.exit.killer_uid == 0);
	CHECK(ev.exit.minflt > 0);
	CHECK(nothing_pending(p->fd));
	CHECK(kill_watch(p->fd, p->tree, SIGKILL) == -EPERM);
	CHECK(nothing_pending(p->fd));
	tell(p->said, 'k');
	/* Root's: that it has ended, and no more, unless it is the main one. */
	CHECK(next_event(p->fd, &ev) == 1);
	CHECK(is_exit(&ev, p->tree, ANY, 0, 1, KNELL_EVF_NOSTATUS));
	CHECK(ev.exit.uid == 65534);
	CHECK(!ev.exit.minflt && !ev.exit.maxrss_kb && !ev.exit.utime_ns && !ev.exit.stime_ns);
	CHECK(!ev.exit.nvcsw && !ev.exit.nivcsw && !ev.exit.majflt);
	tell(p->said, 'n');
	CHECK(next_event(p->fd, &ev) == 1);
	CHECK(is_exit(&ev, p->tree, ANY, EXITED(9), 0, KNELL_EVF_MAIN));
	CHECK(ev.exit.minflt > 0);
	CHECK(next_is_empty(p->fd, p->tree, ANY));
	return 0;
}

static int steal_fd(pid_t pid, int fd)
{
	int pidfd = pidfd_of(pid), own = syscall(SYS_pidfd_getfd, pidfd, fd, 0);

	close(pidfd);
	return own;
}

static void exit_3_at_gate(void *arg)
{
	pass_gate(*(int *)arg);
	_exit(3);
}

static void exit_9_at_gate(void *arg)
{
	pass_gate(*(int *)arg);
	_exit(9);
}

static void sleep_as_user(void *arg)
{
	struct party *p = arg;

	become(&user_1000);
	tell(p->said, 'w');
	sleep_for_ever(NULL);
}

TEST_F_TIMEOUT(kill, from_a_user_namespace, LIMIT)
{
	struct party *p = new_party(-1, 0);
	int gate[2] = { new_gate(), new_gate() }, fd;
	pid_t user, members[3];

	let_users_in(_metadata);
	user = fork();
	ASSERT_LE(0, user);
	if (!user) {
		become(&user_1000);
		_exit(be_mapped_root(p));
	}
	ASSERT_EQ('u', hear_soon(p->said));
	keep_users_out();
	fd = steal_fd(user, p->fd);
	ASSERT_LE(0, fd);
	members[0] = spawn_member(fd, p->tree, exit_9_at_gate, &gate[0]);
	members[1] = spawn_member(fd, p->tree, exit_3_at_gate, &gate[1]);
	members[2] = spawn_member(fd, p->tree, sleep_as_user, p);
	for (int i = 0; i < 3; i++)
		ASSERT_LT(0, members[i]);
	ASSERT_EQ('w', hear_soon(p->said));
	close(fd);
	open_gate(p->gate, 1);
	ASSERT_EQ('k', hear_soon(p->said));
	EXPECT_EQ(0, kill(members[0], 0));
	open_gate(gate[1], 1);
	ASSERT_EQ('n', hear_soon(p->said));
	open_gate(gate[0], 1);
	EXPECT_EQ(0, child_status(user));
	reap_all();
}

/* Whose status a user is told who has no capability. */
static const struct {
	struct who who;
	bool told;
} strangers[] = {
	{ { 1000, 1000, 1000, 0 }, true },
	{ { 0, 0, 0, ~0ULL }, false },
	{ { 1000, 0, 0, ~0ULL }, false },
	{ { 1000, 1000, 2000, 0 }, false },
	{ { 2000, 1000, 1000, 0 }, false },
	{ { 2000, 2000, 2000, 0 }, false },
};

static int hear_of_strangers(void *arg)
{
	struct party *p = arg;
	struct knell_event ev;

	p->fd = knell_open(O_NONBLOCK);
	p->tree = add_tree(p->fd, KNELL_OPF_REPORT_EXIT, 1);
	atomic_store(&p->pid[0], getpid());
	tell(p->said, 'u');
	for (size_t i = 0; i < ARRAY_SIZE(strangers); i++) {
		bool told = strangers[i].told;

		CHECK(next_event(p->fd, &ev) == 1);
		CHECK(is_exit(&ev, p->tree, ANY, told ? EXITED(3) : 0, 1,
			      told ? 0 : KNELL_EVF_NOSTATUS));
		CHECK(ev.exit.uid == strangers[i].who.ruid);
		CHECK(told == (ev.exit.minflt > 0));
	}
	/* A sender's name is the status's: not told either. */
	CHECK(next_event(p->fd, &ev) == 1);
	CHECK(is_exit(&ev, p->tree, ANY, 0, 1, KNELL_EVF_NOSTATUS));
	CHECK(ev.exit.killer_pid == 0 && ev.exit.killer_uid == 0);
	tell(p->said, 'd');
	CHECK(next_event(p->fd, &ev) == 1);
	CHECK(is_exit(&ev, p->tree, ANY, EXITED(9), 0, KNELL_EVF_MAIN));
	CHECK(next_is_empty(p->fd, p->tree, ANY));
	return 0;
}

static void exit_as(void *arg)
{
	become(arg);
	_exit(3);
}

TEST_F_TIMEOUT(kill, status_of_strangers, LIMIT)
{
	struct party *p = new_party(-1, 0);
	int gate = new_gate(), fd;
	pid_t user, pid;

	let_users_in(_metadata);
	user = fork();
	ASSERT_LE(0, user);
	if (!user) {
		become(&user_1000);
		_exit(hear_of_strangers(p));
	}
	ASSERT_EQ('u', hear_soon(p->said));
	keep_users_out();
	fd = steal_fd(user, p->fd);
	ASSERT_LE(0, fd);
	ASSERT_LT(0, spawn_member(fd, p->tree, exit_9_at_gate, &gate));
	for (size_t i = 0; i < ARRAY_SIZE(strangers); i++) {
		struct who who = strangers[i].who;

		pid = spawn_member(fd, p->tree, exit_as, &who);
		ASSERT_LT(0, pid);
		ASSERT_EQ(EXITED(3), reap(pid));
	}
	pid = spawn_member(fd, p->tree, sleep_for_ever, NULL);
	ASSERT_EQ(0, kill(pid, SIGKILL));
	ASSERT_EQ(SIGKILL, reap(pid));
	ASSERT_EQ('d', hear_soon(p->said));
	open_gate(gate, 1);
	EXPECT_EQ(0, child_status(user));
	reap_all();
}

/* What goes with the queue. */

struct holder {
	struct party *p;
	uint32_t flags;
	enum { CLOSE, EXIT, DIE, DEL_CLOSE } end;
};

/* The queue is not for the members: who inherits it holds it. */
static void be_held(void *arg)
{
	struct party *p = arg;

	close(p->fd);
	if (p->copy)
		close(p->copy);
	for (int i = 0; i < 2; i++)
		if (!bare_fork())
			break;
	tell(p->said, 'r');
	pass_gate(p->gate);
	atomic_fetch_add(&p->signals, 1);
	_exit(0);
}

static void hold(void *arg)
{
	struct holder *h = arg;
	struct party *p = h->p;

	p->fd = knell_open(0);
	p->tree = add_tree(p->fd, h->flags, 1);
	if (spawn_member(p->fd, p->tree, be_held, p) <= 0)
		_exit(BROKEN);
	drop_lifeline(&p->life);
	pass_gate(p->nr);
	if (h->end == DEL_CLOSE && del_watch(p->fd, p->tree))
		_exit(BROKEN);
	if (h->end == EXIT || h->end == DIE)
		_exit(0);
	close(p->fd);
	tell(p->said, 'c');
	sleep_for_ever(NULL);
}

/* Whether the members go; if not they are let go. */
static void see_queue_go(struct __test_metadata *_metadata, uint32_t flags, int end, bool killed)
{
	struct party *p = new_party(-1, 0);
	struct holder h = { p, flags, end };
	pid_t holder;

	p->nr = new_gate();
	holder = spawn_process(hold, &h);
	ASSERT_LT(0, holder);
	drop_lifeline(&p->life);
	for (int i = 0; i < 3; i++)
		ASSERT_EQ('r', hear_soon(p->said));
	ASSERT_FALSE(all_dead(&p->life));
	if (end == DIE)
		kill(holder, SIGKILL);
	else
		open_gate(p->nr, 1);
	if (end == EXIT || end == DIE)
		reap(holder);
	else
		ASSERT_EQ('c', hear_soon(p->said));
	if (!killed)
		open_gate(p->gate, 3);
	EXPECT_TRUE(await_all_dead(&p->life));
	EXPECT_EQ(killed ? 0 : 3, atomic_load(&p->signals));
	kill(holder, SIGKILL);
	reap_all();
}

TEST_F_TIMEOUT(kill, close_kills, LIMIT)
{
	see_queue_go(_metadata, KNELL_OPF_KILL_ON_CLOSE, CLOSE, true);
	see_queue_go(_metadata, KNELL_OPF_KILL_ON_CLOSE | KNELL_OPF_ACK | REPORTS, CLOSE, true);
}

TEST_F_TIMEOUT(kill, exit_of_the_holder_kills, LIMIT)
{
	see_queue_go(_metadata, KNELL_OPF_KILL_ON_CLOSE, EXIT, true);
}

TEST_F_TIMEOUT(kill, death_of_the_holder_kills, LIMIT)
{
	see_queue_go(_metadata, KNELL_OPF_KILL_ON_CLOSE, DIE, true);
}

TEST_F_TIMEOUT(kill, close_kills_only_if_asked, LIMIT)
{
	see_queue_go(_metadata, 0, CLOSE, false);
	see_queue_go(_metadata, KNELL_OPF_ACK | REPORTS, DIE, false);
}

TEST_F_TIMEOUT(kill, close_after_del_does_not_kill, LIMIT)
{
	see_queue_go(_metadata, KNELL_OPF_KILL_ON_CLOSE, DEL_CLOSE, false);
}

/* As long as anybody holds a descriptor the queue is there. */
static void hold_and_die(void *arg)
{
	struct party *p = arg;

	if (spawn_member(p->fd, p->tree, be_held, p) <= 0)
		_exit(BROKEN);
	drop_lifeline(&p->life);
	sleep_for_ever(NULL);
}

TEST_F_TIMEOUT(kill, last_close_counts, LIMIT)
{
	int fd = knell_open(0), copy = dup(fd);
	int64_t tree = add_tree(fd, KNELL_OPF_KILL_ON_CLOSE, 1);
	struct party *p = new_party(fd, tree);
	pid_t holder;

	p->copy = copy;
	holder = spawn_process(hold_and_die, p);
	ASSERT_LT(0, holder);
	drop_lifeline(&p->life);
	for (int i = 0; i < 3; i++)
		ASSERT_EQ('r', hear_soon(p->said));
	kill(holder, SIGKILL);
	reap(holder);
	ASSERT_EQ(0, close(fd));
	/* One passes, two are left. */
	open_gate(p->gate, 1);
	while (tree_members(copy, tree) != 2)
		sched_yield();
	EXPECT_EQ(2, kill_watch(copy, tree, 0));
	EXPECT_EQ(1, atomic_load(&p->signals));
	ASSERT_EQ(0, close(copy));
	EXPECT_TRUE(await_all_dead(&p->life));
	EXPECT_EQ(1, atomic_load(&p->signals));
	reap_all();
}

/* The rights are the opener's, whoever closes it last. */
static int open_for_others(void *arg)
{
	struct party *p = arg;

	p->fd = knell_open(O_NONBLOCK);
	p->tree = add_tree(p->fd, KNELL_OPF_KILL_ON_CLOSE, 1);
	atomic_store(&p->pid[0], getpid());
	tell(p->said, 'u');
	pass_gate(p->gate);
	return 0;
}

static void wait_as_user(void *arg)
{
	struct party *p = arg;

	close(p->nr);
	become(&user_1000);
	atomic_store(&p->pid[1], getpid());
	tell(p->said, 'w');
	sleep_for_ever(NULL);
}

static void wait_as_root(void *arg)
{
	struct party *p = arg;

	close(p->nr);
	tell(p->said, 'w');
	pass_gate(p->gate2);
	_exit(4);
}

/* The kernel lets every process signal itself; the opener of the queue it must not let. */
static void close_as_root(void *arg)
{
	struct party *p = arg;

	tell(p->said, 'w');
	pass_gate(p->gate2);
	_exit(close(p->nr) ? BROKEN : 4);
}

static void see_root_spared(struct __test_metadata *_metadata, member_fn root, bool root_closes)
{
	struct party *p = new_party(-1, 0);
	pid_t user, mine, his;

	let_users_in(_metadata);
	user = fork();
	ASSERT_LE(0, user);
	if (!user) {
		become(&user_1000);
		_exit(open_for_others(p));
	}
	ASSERT_EQ('u', hear_soon(p->said));
	keep_users_out();
	p->nr = steal_fd(user, p->fd);
	p->gate2 = new_gate();
	mine = spawn_member(p->nr, p->tree, root, p);
	his = spawn_member(p->nr, p->tree, wait_as_user, p);
	ASSERT_LT(0, mine);
	ASSERT_LT(0, his);
	for (int i = 0; i < 2; i++)
		ASSERT_EQ('w', hear_soon(p->said));
	open_gate(p->gate, 1);
	ASSERT_EQ(0, reap(user));
	ASSERT_EQ(2, tree_members(p->nr, p->tree));
	ASSERT_EQ(0, close(p->nr));
	if (root_closes)
		open_gate(p->gate2, 1);
	EXPECT_EQ(SIGKILL, reap(his));
	if (!root_closes)
		open_gate(p->gate2, 1);
	EXPECT_EQ(EXITED(4), reap(mine));
}

TEST_F_TIMEOUT(kill, close_by_root_of_a_users_queue, LIMIT)
{
	see_root_spared(_metadata, wait_as_root, false);
}

TEST_F_TIMEOUT(kill, close_by_a_member_of_a_users_queue, LIMIT)
{
	see_root_spared(_metadata, close_as_root, true);
}

static int close_last(void *arg)
{
	struct party *p = arg;

	return close(p->fd) ? -errno : 0;
}

static void close_as_user(void *arg)
{
	become(&user_1000);
	_exit(close_last(arg) ? BROKEN : 0);
}

TEST_F_TIMEOUT(kill, close_by_a_user_of_roots_queue, LIMIT)
{
	int fd = knell_open(0);
	int64_t tree = add_tree(fd, KNELL_OPF_KILL_ON_CLOSE, 1);
	struct party *p = new_party(fd, tree);
	pid_t member, closer;

	ASSERT_EQ(0, join_next(fd, tree));
	member = fork();
	ASSERT_LE(0, member);
	if (!member) {
		close(fd);
		tell(p->said, 'm');
		sleep_for_ever(NULL);
	}
	ASSERT_EQ('m', hear_soon(p->said));
	closer = fork();
	ASSERT_LE(0, closer);
	if (!closer) {
		pass_gate(p->gate);
		close_as_user(p);
	}
	ASSERT_EQ(0, close(fd));
	EXPECT_EQ(0, kill(member, 0));
	open_gate(p->gate, 1);
	EXPECT_EQ(0, reap(closer));
	EXPECT_EQ(SIGKILL, reap(member));
}

/*
 * Everything at once: processes that add trees in queues of their own and in
 * one that all share, fork into them, kill, DEL, read and close at random.
 */
#define WORKERS		4
#define STEPS		rounds(300)
#define TREES		6

struct stress {
	int shared_fd;
	int end[2];		/* readable for those who shall go */
	atomic_uint bad;
	atomic_uint killed;
	atomic_uint births;
};

static unsigned int draw(uint64_t *seed, unsigned int below)
{
	return (next_random(seed) >> 11) % below;
}

static void complain(struct stress *s, const char *what, long value)
{
	if (atomic_fetch_add(&s->bad, 1) < 20)
		fprintf(stderr, "# %s: %ld\n", what, value);
}

/* A member: has a few children, sometimes a tree of its own, then goes or waits for the end. */
static void live(struct stress *s, int fd, uint64_t seed)
{
	char c;

	seed ^= getpid() * 0x9e3779b97f4a7c15ULL;
	for (unsigned int n = draw(&seed, 4); n; n--) {
		if (!draw(&seed, 4))
			join(fd, add_tree(fd, REPORTS, 7));
		if (!draw(&seed, 4))
			join_next(s->shared_fd, 1 + draw(&seed, 100));
		atomic_fetch_add(&s->births, 1);
		if (!bare_fork())
			seed ^= getpid();
	}
	close(s->end[1]);
	if (draw(&seed, 2))
		while (read(s->end[0], &c, 1) < 0 && errno == EINTR)
			;
	_exit(0);
}

static void drain(struct stress *s, int fd, uint64_t *seq)
{
	struct knell_event ev[16];
	int n = wait_events(fd, ev, 16, 0);

	if (n < 0)
		complain(s, "read", n);
	for (int i = 0; i < n; i++) {
		if (ev[i].seq <= *seq)
			complain(s, "seq", ev[i].seq);
		if (ev[i].flags & KNELL_EVF_INEXACT)
			complain(s, "inexact", ev[i].watch);
		*seq = ev[i].seq;
	}
}

static const uint32_t stress_flags[] = {
	0, REPORTS, REPORTS | KNELL_OPF_ACK, KNELL_OPF_KILL_ON_CLOSE, KNELL_OPF_REPORT_EXIT,
	KNELL_OPF_ACK | KNELL_OPF_KILL_ON_CLOSE,
};

static void check_result(struct stress *s, const char *what, int ret)
{
	/* Trees come and go under the feet of whoever has their handles. */
	if (ret < 0 && ret != -ENOENT && ret != -ESHUTDOWN && ret != -E2BIG && ret != -EBUSY &&
	    ret != -EEXIST)
		complain(s, what, ret);
}

static void run_worker(struct stress *s, unsigned int nr)
{
	static const int sigs[] = { SIGKILL, SIGKILL, SIGTERM, 0, SIGHUP, SIGUSR1 };
	uint64_t seed = 0xd1342543de82ef95ULL + nr, seq[2] = { }, none = 0;
	int own = knell_open(0);

	catch_signal(SIGCHLD, SIG_DFL, SA_NOCLDWAIT);
	for (int i = 0; i < STEPS; i++) {
		bool mine = draw(&seed, 2);
		int fd = mine ? own : s->shared_fd, ret;
		uint32_t tree = 1 + draw(&seed, mine ? 1 + i : 100);

		switch (draw(&seed, 8)) {
		case 0:
			ret = add_tree(fd, stress_flags[draw(&seed, ARRAY_SIZE(stress_flags))], i);
			check_result(s, "ADD", ret < 0 ? ret : 0);
			break;
		case 1:
		case 2:
		case 3:
			check_result(s, "JOIN", join_next(fd, tree));
			atomic_fetch_add(&s->births, 1);
			if (!bare_fork())
				live(s, fd, seed);
			break;
		case 4:
			ret = kill_watch(fd, tree, sigs[draw(&seed, ARRAY_SIZE(sigs))]);
			check_result(s, "KILL", ret);
			if (ret > 0)
				atomic_fetch_add(&s->killed, ret);
			break;
		case 5:
			check_result(s, "DEL", del_watch(fd, tree));
			break;
		case 6:
			drain(s, fd, mine ? &seq[0] : &seq[1]);
			break;
		default:
			if (draw(&seed, 8))
				break;
			close(own);
			own = knell_open(0);
			seq[0] = none;
		}
	}
	close(own);
	_exit(0);
}

static void kill_and_del_all(struct __test_metadata *_metadata, int fd)
{
	struct knell_watch_info wi[64];
	int n;

	while ((n = list_watches(fd, wi, 64, 0)) > 0) {
		for (int i = 0; i < n; i++) {
			ASSERT_LE(0, kill_watch(fd, wi[i].watch, SIGKILL));
			ASSERT_EQ(0, del_watch(fd, wi[i].watch));
		}
	}
	ASSERT_EQ(0, n);
}

/* What fdinfo counts. */
static long fdinfo_value(int fd, const char *key)
{
	char path[64], line[256], format[64];
	long value = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	snprintf(format, sizeof(format), "%s:\t%%ld", key);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, format, &value) == 1)
			break;
	if (f)
		fclose(f);
	return value;
}

/* What was under way has let go after a while. */
static bool await_references(long nr)
{
	uint64_t until = clock_ns(CLOCK_MONOTONIC) + PATIENCE;

	while (module_refs() != nr && clock_ns(CLOCK_MONOTONIC) < until)
		sched_yield();
	return SO(module_refs() == nr);
}

TEST_F_TIMEOUT(kill, everything_at_once, LIMIT)
{
	struct stress *s = shared(sizeof(*s));
	struct lifeline life;
	pid_t worker[WORKERS];

	close(self->fd);
	EXPECT_TRUE(await_references(0));
	ASSERT_EQ(0, new_lifeline(&life));
	ASSERT_EQ(0, pipe(s->end));
	s->shared_fd = knell_open(0);
	for (int i = 0; i < WORKERS; i++) {
		worker[i] = fork();
		ASSERT_LE(0, worker[i]);
		if (!worker[i])
			run_worker(s, i);
	}
	for (int i = 0; i < WORKERS; i++)
		EXPECT_EQ(0, reap(worker[i]));
	kill_and_del_all(_metadata, s->shared_fd);
	EXPECT_EQ(0, nr_watches(s->shared_fd));
	EXPECT_EQ(0, nr_pending(s->shared_fd));
	EXPECT_EQ(0, fdinfo_value(s->shared_fd, "knell-watches"));
	EXPECT_EQ(0, fdinfo_value(s->shared_fd, "knell-pending"));
	close(s->shared_fd);
	/* Those whose trees were DELed go when they are told. */
	close(s->end[1]);
	drop_lifeline(&life);
	EXPECT_TRUE(await_all_dead(&life));
	EXPECT_EQ(0, atomic_load(&s->bad));
	EXPECT_LT(0, atomic_load(&s->killed));
	TH_LOG("%u births, %u signals", atomic_load(&s->births), atomic_load(&s->killed));
	/* Nothing holds the module any more. */
	EXPECT_TRUE(await_references(0));
	self->fd = knell_open(0);
}

TEST_HARNESS_MAIN
