// SPDX-License-Identifier: GPL-2.0-only
/*
 * PROCESS watches made while the target dies, and OPF_NEXT while everything
 * around the fork happens: a record or a refusal, never neither.
 *
 * runner-limit: 1500
 */
#include "kselftest_harness.h"

#include <linux/sched.h>
#include <spawn.h>
#include <stdatomic.h>
#include <sys/resource.h>

#include "process_test.h"

/* Turns to wait between fork and ADD, at most: a fraction of a millisecond. */
#define LONGEST_SPIN	(1U << 13)

#define STACK_SIZE	4096

/* Targets that may be alive at once, and that are forked in a row. */
#define SLOTS		64
#define BATCH		16

static void spin(unsigned int turns)
{
	for (volatile unsigned int i = 0; i < turns; i++)
		;
}

FIXTURE(race) {
	int queue;
};

FIXTURE_SETUP(race)
{
	self->queue = knell_open(0);
	ASSERT_LE(0, self->queue);
}

FIXTURE_TEARDOWN(race)
{
	close(self->queue);
}

enum fate { UNKNOWN, REFUSED, ENROLLED, REPORTED };

/**
 * struct race - many targets, each enrolled as it dies
 * @queue: of all
 * @fate: of each, by token
 * @nr: how many there will be
 * @refused: ADDs that came too late
 * @enrolled: ADDs that did not
 * @reported: records
 * @bad: things that must not be
 * @spin: up to how many turns to wait before ADD; follows the outcome, so
 *	that neither side always wins
 * @seed: of the waits
 * @stacks: of the targets, SLOTS of them
 */
struct race {
	int queue;
	uint8_t *fate;
	unsigned int nr;
	unsigned int refused, enrolled, reported, bad;
	unsigned int spin;
	uint64_t seed;
	char *stacks;
};

static int code_of(unsigned int token)
{
	return token * 7 % 128;
}

static int exit_at_once(void *arg)
{
	syscall(SYS_exit, (int)(intptr_t)arg);
	return 0;
}

/* Shares memory with its parent. */
static pid_t short_lived(struct race *race, unsigned int token, int *pidfd)
{
	char *stack = race->stacks + (token % SLOTS + 1) * STACK_SIZE;
	int flags = CLONE_VM | SIGCHLD | (pidfd ? CLONE_PIDFD : 0);

	return clone(exit_at_once, stack, flags, (void *)(intptr_t)code_of(token), pidfd);
}

static void race_init(struct race *race, int queue, unsigned int nr)
{
	*race = (struct race){
		.queue = queue, .nr = nr, .spin = 64, .seed = 0x9e3779b97f4a7c15ULL,
	};
	race->fate = shared(nr);
	race->stacks = shared(SLOTS * STACK_SIZE);
}

static void race_record(struct race *race, const struct knell_event *ev)
{
	if (ev->type != KNELL_EV_EXIT || ev->token >= race->nr ||
	    race->fate[ev->token] != ENROLLED || ev->flags ||
	    ev->exit.status != code_of(ev->token) << 8) {
		race->bad++;
		return;
	}
	race->fate[ev->token] = REPORTED;
	race->reported++;
}

static void race_drain(struct race *race)
{
	struct knell_event ev[64];
	int n = wait_events(race->queue, ev, ARRAY_SIZE(ev), 0);

	for (int i = 0; i < n; i++)
		race_record(race, &ev[i]);
}

static void race_delay(struct race *race)
{
	spin(next_random(&race->seed) % race->spin);
}

static void race_result(struct race *race, unsigned int token, int64_t watch)
{
	if (watch > 0) {
		race->fate[token] = ENROLLED;
		race->enrolled++;
		if (race->spin < LONGEST_SPIN)
			race->spin += race->spin / 16 + 1;
	} else if (watch == -ESRCH) {
		race->fate[token] = REFUSED;
		race->refused++;
		if (race->spin > 64)
			race->spin -= race->spin / 8;
	} else {
		race->bad++;
	}
	if (token % 64 == 63)
		race_drain(race);
}

/* The target that had the stack of @token's before must be dead. */
static void race_free_slot(struct race *race, unsigned int token)
{
	struct knell_event ev;

	while (token >= SLOTS && race->fate[token - SLOTS] == ENROLLED &&
	       next_event(race->queue, &ev) == 1)
		race_record(race, &ev);
}

static unsigned int batch_at(struct race *race, unsigned int token)
{
	unsigned int nr = 1 + next_random(&race->seed) % BATCH;

	return nr < race->nr - token ? nr : race->nr - token;
}

/* Forks all targets, some at a time, and enrols each while it dies. */
static void race_run(struct __test_metadata *_metadata, struct race *race, bool by_pidfd)
{
	int pidfd[BATCH];
	pid_t pid[BATCH];
	unsigned int nr;

	for (unsigned int i = 0; i < race->nr; i += nr) {
		nr = batch_at(race, i);
		for (unsigned int k = 0; k < nr; k++) {
			race_free_slot(race, i + k);
			pid[k] = short_lived(race, i + k, by_pidfd ? &pidfd[k] : NULL);
			ASSERT_LT(0, pid[k]);
		}
		for (unsigned int k = 0; k < nr; k++) {
			race_delay(race);
			if (!by_pidfd) {
				race_result(race, i + k, add_pid(race->queue, pid[k], i + k));
				continue;
			}
			race_result(race, i + k, add_pidfd(race->queue, pidfd[k], i + k));
			close(pidfd[k]);
		}
	}
}

/* Whatever was enrolled is dead by now, or about to be. */
static void race_finish(struct __test_metadata *_metadata, struct race *race)
{
	struct knell_event ev;

	while (race->reported < race->enrolled && next_event(race->queue, &ev) == 1)
		race_record(race, &ev);
	TH_LOG("%u enrolled, %u refused, %u reported", race->enrolled, race->refused,
	       race->reported);
	EXPECT_EQ(0, race->bad);
	EXPECT_EQ(race->nr, race->enrolled + race->refused);
	EXPECT_EQ(race->enrolled, race->reported);
	/* It was no race if one side always won. */
	EXPECT_LT(race->nr / 100, race->enrolled);
	EXPECT_LT(race->nr / 100, race->refused);
	EXPECT_TRUE(nothing_pending(race->queue));
	EXPECT_EQ(0, nr_watches(race->queue));
}

static void race_all(struct __test_metadata *_metadata, int queue, unsigned int nr, bool by_pidfd)
{
	struct race race;

	race_init(&race, queue, nr);
	race_run(_metadata, &race, by_pidfd);
	race_finish(_metadata, &race);
}

TEST_F_TIMEOUT(race, add_and_sa_nocldwait, LIMIT)
{
	catch_signal(SIGCHLD, SIG_DFL, SA_NOCLDWAIT);
	race_all(_metadata, self->queue, rounds(10000), false);
}

TEST_F_TIMEOUT(race, add_and_sigchld_ignored, LIMIT)
{
	catch_signal(SIGCHLD, SIG_IGN, 0);
	race_all(_metadata, self->queue, rounds(8000), false);
}

TEST_F_TIMEOUT(race, add_by_pidfd_and_sa_nocldwait, LIMIT)
{
	catch_signal(SIGCHLD, SIG_DFL, SA_NOCLDWAIT);
	race_all(_metadata, self->queue, rounds(5000), true);
}

/* Reaps all children there are, until told that there will be no more. */
static void *reaper(void *arg)
{
	atomic_int *over = arg;

	while (waitpid(-1, NULL, __WALL) > 0 || errno == EINTR || !atomic_load(over))
		;
	return NULL;
}

TEST_F_TIMEOUT(race, add_and_wait4_in_a_thread, LIMIT)
{
	atomic_int over = 0;
	pthread_t thread;
	struct race race;

	race_init(&race, self->queue, rounds(10000));
	ASSERT_EQ(0, pthread_create(&thread, NULL, reaper, &over));
	race_run(_metadata, &race, false);
	atomic_store(&over, 1);
	pthread_join(thread, NULL);
	race_finish(_metadata, &race);
}

/* What a process that forks and reaps tells one that watches. */
struct parcel {
	atomic_uint sent;
	atomic_uint taken;
	unsigned int nr;
	pid_t pid[BATCH];
};

static void fork_and_reap(struct race *race, struct parcel *parcel)
{
	for (unsigned int i = 0; i < race->nr; i += parcel->nr) {
		parcel->nr = batch_at(race, i);
		for (unsigned int k = 0; k < parcel->nr; k++)
			parcel->pid[k] = short_lived(race, i + k, NULL);
		atomic_store(&parcel->sent, i + parcel->nr);
		for (unsigned int k = 0; k < parcel->nr; k++)
			if (reap(parcel->pid[k]) != code_of(i + k) << 8)
				_exit(BROKEN);
		while (atomic_load(&parcel->taken) != i + parcel->nr)
			sched_yield();
	}
	_exit(0);
}

TEST_F_TIMEOUT(race, add_and_wait4_in_another_process, LIMIT)
{
	struct parcel *parcel = shared(sizeof(*parcel));
	unsigned int done = 0;
	struct race race;
	pid_t forker;

	race_init(&race, self->queue, rounds(5000));
	forker = fork();
	ASSERT_LE(0, forker);
	if (!forker)
		fork_and_reap(&race, parcel);
	while (done < race.nr) {
		while (atomic_load(&parcel->sent) == done)
			sched_yield();
		for (unsigned int k = 0; k < parcel->nr; k++) {
			race_delay(&race);
			race_result(&race, done + k,
				    add_pid(self->queue, parcel->pid[k], done + k));
		}
		done += parcel->nr;
		atomic_store(&parcel->taken, done);
	}
	EXPECT_EQ(0, reap(forker));
	race_finish(_metadata, &race);
}

/*
 * OPF_NEXT, and a child that is killed as early as can be: in a pid namespace
 * of its own the next pid is known, so that a killer on the other CPU aims at it
 * before it is there.
 */

#define EARLY_ROUNDS	500

struct ambush {
	atomic_int guess;
	atomic_int ran;
	unsigned int rounds, killed, unborn, bad;
};

static struct ambush *ambush;

static pid_t by_fork(void)
{
	pid_t pid = fork();

	if (!pid) {
		atomic_store(&ambush->ran, 1);
		_exit(5);
	}
	return pid;
}

static pid_t by_vfork(void)
{
	pid_t pid = vfork();

	if (!pid) {
		atomic_store(&ambush->ran, 1);
		_exit(5);
	}
	return pid;
}

static pid_t by_clone3(uint64_t flags)
{
	struct clone_args args = { .flags = flags };
	pid_t pid;

	/* Under CLONE_PARENT the signal is the one that the caller's own exit will send. */
	if (!(flags & CLONE_PARENT))
		args.exit_signal = SIGCHLD;
	pid = syscall(SYS_clone3, &args, sizeof(args));
	if (!pid) {
		atomic_store(&ambush->ran, 1);
		syscall(SYS_exit_group, 5);
	}
	return pid;
}

static pid_t by_plain_clone3(void)
{
	return by_clone3(0);
}

static pid_t by_clone_parent(void)
{
	return by_clone3(CLONE_PARENT);
}

static pid_t by_spawn(void)
{
	char *argv[] = { "process_race_test", "exit", "5", NULL };
	pid_t pid;

	return posix_spawn(&pid, "/proc/self/exe", NULL, NULL, argv, NULL) ? -1 : pid;
}

FIXTURE(early) {
	int queue;
};

FIXTURE_VARIANT(early) {
	pid_t (*fork)(void);
	bool thread;
};

FIXTURE_VARIANT_ADD(early, fork) { .fork = by_fork };
FIXTURE_VARIANT_ADD(early, fork_in_thread) { .fork = by_fork, .thread = true };
FIXTURE_VARIANT_ADD(early, vfork) { .fork = by_vfork };
FIXTURE_VARIANT_ADD(early, vfork_in_thread) { .fork = by_vfork, .thread = true };
FIXTURE_VARIANT_ADD(early, clone3) { .fork = by_plain_clone3 };
FIXTURE_VARIANT_ADD(early, clone3_in_thread) { .fork = by_plain_clone3, .thread = true };
FIXTURE_VARIANT_ADD(early, spawn) { .fork = by_spawn };
FIXTURE_VARIANT_ADD(early, spawn_in_thread) { .fork = by_spawn, .thread = true };
FIXTURE_VARIANT_ADD(early, clone_parent) { .fork = by_clone_parent };
FIXTURE_VARIANT_ADD(early, clone_parent_in_thread) { .fork = by_clone_parent, .thread = true };

FIXTURE_SETUP(early)
{
	self->queue = knell_open(0);
	ASSERT_LE(0, self->queue);
	ambush = shared(sizeof(*ambush));
}

FIXTURE_TEARDOWN(early)
{
	close(self->queue);
}

struct forker {
	int queue;
	pid_t (*fork)(void);
};

static void complain(const char *what, long value)
{
	fprintf(stderr, "# %s: %ld\n", what, value);
	ambush->bad++;
}

static void fork_once(const struct forker *forker, unsigned int token, pid_t *last)
{
	int64_t watch = add_next(forker->queue, token);
	struct knell_event ev;
	pid_t pid;
	int n;

	if (watch < 0)
		complain("OPF_NEXT", watch);
	atomic_store(&ambush->ran, 0);
	atomic_store(&ambush->guess, *last + 1);
	pid = forker->fork();
	atomic_store(&ambush->guess, 0);
	if (pid < 0)
		_exit(BROKEN);
	*last = pid;

	n = next_event(forker->queue, &ev);
	if (n != 1) {
		complain("no record", n);
		return;
	}
	if (ev.token != token || ev.watch != watch || ev.exit.pid != pid || ev.flags)
		complain("wrong record of", pid);
	if (ev.exit.status == SIGKILL)
		ambush->killed++;
	else if (ev.exit.status != 5 << 8)
		complain("status", ev.exit.status);
	if (ev.exit.status == SIGKILL && forker->fork != by_spawn && !atomic_load(&ambush->ran))
		ambush->unborn++;
	if (forker->fork != by_clone_parent && reap(pid) != ev.exit.status)
		complain("status differs from wait's", pid);
}

static void *fork_under_fire(void *arg)
{
	const struct forker *forker = arg;
	pid_t last = own_tid();
	unsigned int i;

	/* In few rounds it may never have come in time: then more. */
	for (i = 0; i < rounds(EARLY_ROUNDS) || (!ambush->killed && i < EARLY_ROUNDS); i++)
		fork_once(forker, i, &last);
	ambush->rounds = i;
	return NULL;
}

static void run_killer(void)
{
	for (;;) {
		pid_t pid = atomic_load(&ambush->guess);

		if (pid > 1)
			kill(pid, SIGKILL);
	}
}

static void run_forker(struct forker *forker, bool in_a_thread)
{
	pthread_t thread;

	if (!in_a_thread)
		fork_under_fire(forker);
	else if (pthread_create(&thread, NULL, fork_under_fire, forker) ||
		 pthread_join(thread, NULL))
		_exit(BROKEN);
	if (!nothing_pending(forker->queue) || nr_watches(forker->queue))
		complain("left over", nr_watches(forker->queue));
	_exit(0);
}

/* The first process of a pid namespace: reaps what is everybody's, ends with the forker. */
static void run_namespace(struct forker *forker, bool in_a_thread)
{
	pid_t forker_pid, killer, pid;
	int status;

	killer = fork();
	if (!killer)
		run_killer();
	forker_pid = fork();
	if (!forker_pid)
		run_forker(forker, in_a_thread);
	if (killer < 0 || forker_pid < 0)
		_exit(BROKEN);
	do
		pid = waitpid(-1, &status, __WALL);
	while (pid != forker_pid);
	_exit(status ? BROKEN : 0);
}

TEST_F_TIMEOUT(early, killed_at_birth, LIMIT)
{
	struct forker forker = { .queue = self->queue, .fork = variant->fork };
	pid_t pid;

	ASSERT_EQ(0, unshare(CLONE_NEWPID));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		run_namespace(&forker, variant->thread);
	EXPECT_EQ(0, reap(pid));
	TH_LOG("%u of %u killed, %u of them before their first instruction", ambush->killed,
	       ambush->rounds, ambush->unborn);
	EXPECT_EQ(0, ambush->bad);
	EXPECT_LT(0, ambush->killed);
}

/* What counts as the next process of a thread. */

static pid_t fork_exit(int code)
{
	pid_t pid = fork();

	if (!pid)
		_exit(code);
	return pid;
}

/* The only record of the queue is @pid's; reaps it. */
static void see_only(struct __test_metadata *_metadata, int queue, pid_t pid, uint64_t token)
{
	struct knell_event ev;

	ASSERT_LT(0, pid);
	ASSERT_EQ(1, next_event(queue, &ev));
	ASSERT_EQ(pid, ev.exit.pid);
	ASSERT_EQ(token, ev.token);
	ASSERT_EQ(0, ev.flags);
	ASSERT_EQ(reap(pid), ev.exit.status);
	ASSERT_TRUE(nothing_pending(queue));
	ASSERT_EQ(0, nr_watches(queue));
}

/* A child that must not be reported. */
static void fork_unseen(struct __test_metadata *_metadata, int queue, uint64_t watches)
{
	pid_t pid = fork_exit(8);

	ASSERT_LT(0, pid);
	ASSERT_EQ(8 << 8, reap(pid));
	ASSERT_TRUE(nothing_pending(queue));
	ASSERT_EQ(watches, nr_watches(queue));
}

static void *return_null(void *arg)
{
	(void)arg;
	return NULL;
}

TEST_F_TIMEOUT(race, next_is_no_thread, LIMIT)
{
	pthread_t thread;
	int64_t watch;

	watch = add_next(self->queue, 1);
	ASSERT_LT(0, watch);
	for (int i = 0; i < 50; i++) {
		ASSERT_EQ(0, pthread_create(&thread, NULL, return_null, NULL));
		ASSERT_EQ(0, pthread_join(thread, NULL));
	}
	ASSERT_TRUE(nothing_pending(self->queue));
	ASSERT_EQ(1, watch_state(self->queue, watch));
	ASSERT_EQ(0, watch_info(self->queue, watch).pid);
	see_only(_metadata, self->queue, fork_exit(4), 1);
}

static void *fork_and_reap_some(void *arg)
{
	int *failed = arg;

	for (int i = 0; i < 50; i++)
		if (reap(fork_exit(2)) != 2 << 8)
			++*failed;
	return NULL;
}

TEST_F_TIMEOUT(race, next_is_not_another_threads, LIMIT)
{
	pthread_t thread;
	int failed = 0;

	ASSERT_LT(0, add_next(self->queue, 1));
	ASSERT_EQ(0, pthread_create(&thread, NULL, fork_and_reap_some, &failed));
	ASSERT_EQ(0, pthread_join(thread, NULL));
	ASSERT_EQ(0, failed);
	ASSERT_TRUE(nothing_pending(self->queue));
	see_only(_metadata, self->queue, fork_exit(4), 1);
}

TEST_F_TIMEOUT(race, next_is_one, LIMIT)
{
	ASSERT_LT(0, add_next(self->queue, 1));
	see_only(_metadata, self->queue, fork_exit(4), 1);
	fork_unseen(_metadata, self->queue, 0);
}

/* Neither the one who is born nor who forks beside it inherits the order. */
TEST_F_TIMEOUT(race, next_is_not_inherited, LIMIT)
{
	pid_t pid;

	ASSERT_LT(0, add_next(self->queue, 1));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		_exit(reap(fork_exit(2)) == 2 << 8 ? 0 : BROKEN);
	see_only(_metadata, self->queue, pid, 1);
}

TEST_F_TIMEOUT(race, fork_rearms, LIMIT)
{
	struct knell_event ev;
	pid_t pid[100];

	for (int i = 0; i < 100; i++) {
		ASSERT_LT(0, add_next(self->queue, i));
		pid[i] = fork_exit(i);
		ASSERT_LT(0, pid[i]);
	}
	for (int i = 0; i < 100; i++) {
		ASSERT_EQ(1, next_event(self->queue, &ev));
		ASSERT_GT(100, ev.token);
		ASSERT_EQ(pid[ev.token], ev.exit.pid);
		ASSERT_EQ((int)ev.token << 8, ev.exit.status);
		ASSERT_EQ((int)ev.token << 8, reap(pid[ev.token]));
	}
	ASSERT_TRUE(nothing_pending(self->queue));
	ASSERT_EQ(0, nr_watches(self->queue));
}

/* Forks that fail, at the first check and for want of a process to have. */
static int fail_then_fork(void *arg)
{
	const int *queue = arg;
	struct knell_event ev;
	struct rlimit limit;
	rlim_t many;
	pid_t pid;

	if (add_next(*queue, 1) <= 0)
		return 1;
	if (syscall(SYS_clone, CLONE_THREAD | SIGCHLD, 0, 0, 0, 0) >= 0 || errno != EINVAL)
		return 2;
	if (getrlimit(RLIMIT_NPROC, &limit))
		return 3;
	many = limit.rlim_cur;
	limit.rlim_cur = 0;
	if (setrlimit(RLIMIT_NPROC, &limit) || fork() >= 0 || errno != EAGAIN)
		return 3;
	if (!nothing_pending(*queue) || nr_watches(*queue) != 1)
		return 4;
	limit.rlim_cur = many;
	if (setrlimit(RLIMIT_NPROC, &limit))
		return 5;
	pid = fork_exit(4);
	if (next_event(*queue, &ev) != 1 || ev.exit.pid != pid ||
	    ev.exit.status != 4 << 8 || ev.flags)
		return 6;
	return reap(pid) == 4 << 8 ? 0 : 7;
}

TEST_F_TIMEOUT(race, next_outlives_failed_forks, LIMIT)
{
	EXPECT_EQ(0, as_who(&user_1000, fail_then_fork, &self->queue));
	EXPECT_TRUE(nothing_pending(self->queue));
	EXPECT_EQ(0, nr_watches(self->queue));
}

struct next_in_thread {
	int queue;
	uint64_t token;
	int64_t watch;
	pid_t tid;
	bool forks;
	pid_t pid;
};

static void *arm_in_thread(void *arg)
{
	struct next_in_thread *next = arg;

	next->tid = own_tid();
	next->watch = add_next(next->queue, next->token);
	if (next->forks)
		next->pid = fork_exit(6);
	return NULL;
}

TEST_F_TIMEOUT(race, one_next_per_thread, LIMIT)
{
	struct next_in_thread other = { .queue = self->queue, .token = 2, .forks = true };
	int second = knell_open(0);
	pthread_t thread;
	int64_t watch;

	ASSERT_LE(0, second);
	watch = add_next(self->queue, 1);
	ASSERT_LT(0, watch);
	EXPECT_EQ(-EBUSY, add_next(self->queue, 3));
	EXPECT_EQ(-EBUSY, add_next(second, 3));
	EXPECT_EQ(1, nr_watches(self->queue));
	EXPECT_EQ(0, nr_watches(second));

	ASSERT_EQ(0, pthread_create(&thread, NULL, arm_in_thread, &other));
	ASSERT_EQ(0, pthread_join(thread, NULL));
	ASSERT_LT(0, other.watch);
	EXPECT_EQ(0, del_watch(self->queue, watch));
	see_only(_metadata, self->queue, other.pid, 2);
	fork_unseen(_metadata, self->queue, 0);

	/* DEL has freed it; so does the end of the queue. */
	ASSERT_LT(0, add_next(self->queue, 4));
	EXPECT_EQ(-EBUSY, add_next(second, 4));
	ASSERT_EQ(0, close(self->queue));
	ASSERT_LT(0, add_next(second, 5));
	see_only(_metadata, second, fork_exit(4), 5);
	self->queue = second;
}

/* A thread with a given tid, which must be free; 0 if it is not to be had. */
static pid_t thread_with_tid(struct next_in_thread *next, pid_t tid)
{
	int fd = open("/proc/sys/kernel/ns_last_pid", O_WRONLY | O_CLOEXEC);
	pthread_t thread;
	char last[16];
	int len = snprintf(last, sizeof(last), "%d", tid - 1);

	next->tid = 0;
	for (int i = 0; fd >= 0 && next->tid != tid && i < 1000; i++) {
		if (next->watch > 0)
			del_watch(next->queue, next->watch);
		next->watch = 0;
		if (pwrite(fd, last, len, 0) != len ||
		    pthread_create(&thread, NULL, arm_in_thread, next))
			break;
		pthread_join(thread, NULL);
	}
	if (fd >= 0)
		close(fd);
	return next->tid == tid ? tid : 0;
}

TEST_F_TIMEOUT(race, armed_thread_dies, LIMIT)
{
	struct next_in_thread dead = { .queue = self->queue, .token = 1 };
	struct next_in_thread heir = { .queue = self->queue, .token = 2 };
	pthread_t thread;

	ASSERT_EQ(0, pthread_create(&thread, NULL, arm_in_thread, &dead));
	ASSERT_EQ(0, pthread_join(thread, NULL));
	ASSERT_LT(0, dead.watch);
	fork_unseen(_metadata, self->queue, 1);

	/* Whoever gets its tid is another thread: not busy, and what it forks is its own. */
	ASSERT_LT(0, thread_with_tid(&heir, dead.tid));
	EXPECT_LT(0, heir.watch);
	EXPECT_EQ(0, del_watch(self->queue, heir.watch));
	EXPECT_EQ(0, del_watch(self->queue, dead.watch));
	EXPECT_EQ(0, nr_watches(self->queue));

	ASSERT_LT(0, add_next(self->queue, 3));
	see_only(_metadata, self->queue, fork_exit(4), 3);
}

TEST_F_TIMEOUT(race, armed_process_dies, LIMIT)
{
	pid_t pid = fork();
	struct knell_watch_info info;

	ASSERT_LE(0, pid);
	if (!pid)
		_exit(add_next(self->queue, 1) > 0 ? 0 : BROKEN);
	ASSERT_EQ(0, reap(pid));
	fork_unseen(_metadata, self->queue, 1);
	ASSERT_EQ(1, list_watches(self->queue, &info, 1, 0));
	EXPECT_EQ(1, info.token);
	EXPECT_EQ(0, info.pid);
	EXPECT_EQ(KNELL_OPF_NEXT, info.flags);
	EXPECT_EQ(0, del_watch(self->queue, info.watch));
	EXPECT_EQ(0, nr_watches(self->queue));
}

/* Two threads on two CPUs that start each round together. */
struct duel {
	pthread_barrier_t start, end;
	unsigned int rounds;
	int queue;
	uint64_t seed;
	atomic_int watch;
	atomic_int victim;
	unsigned int failed;
	pid_t pid[2];
};

static void *arm_and_fork(void *arg)
{
	struct duel *duel = arg;

	for (unsigned int i = 0; i < duel->rounds; i++) {
		pthread_barrier_wait(&duel->start);
		if (add_next(duel->queue, 1) <= 0)
			duel->failed++;
		duel->pid[1] = fork_exit(21);
		pthread_barrier_wait(&duel->end);
	}
	return NULL;
}

static void duel_init(struct duel *duel, int queue, unsigned int rounds)
{
	*duel = (struct duel){ .queue = queue, .rounds = rounds, .seed = 0x2545f4914f6cdd1dULL };
	pthread_barrier_init(&duel->start, NULL, 2);
	pthread_barrier_init(&duel->end, NULL, 2);
}

TEST_F_TIMEOUT(race, next_in_two_threads_at_once, LIMIT)
{
	struct knell_event ev;
	struct duel duel;
	pthread_t thread;

	duel_init(&duel, self->queue, rounds(1000));
	ASSERT_EQ(0, pthread_create(&thread, NULL, arm_and_fork, &duel));
	for (unsigned int i = 0; i < duel.rounds; i++) {
		pthread_barrier_wait(&duel.start);
		ASSERT_LT(0, add_next(self->queue, 0));
		duel.pid[0] = fork_exit(20);
		pthread_barrier_wait(&duel.end);
		for (int k = 0; k < 2; k++) {
			ASSERT_EQ(1, next_event(self->queue, &ev));
			ASSERT_GT(2, ev.token);
			ASSERT_EQ(duel.pid[ev.token], ev.exit.pid);
			ASSERT_EQ((20 + (int)ev.token) << 8, ev.exit.status);
			ASSERT_EQ(ev.exit.status, reap(ev.exit.pid));
			duel.pid[ev.token] = 0;
		}
	}
	pthread_join(thread, NULL);
	EXPECT_EQ(0, duel.failed);
	EXPECT_TRUE(nothing_pending(self->queue));
	EXPECT_EQ(0, nr_watches(self->queue));
}

static void *spoiler(void *arg)
{
	struct duel *duel = arg;

	for (unsigned int i = 0; i < duel->rounds; i++) {
		int victim, err;

		pthread_barrier_wait(&duel->start);
		spin(1U << next_random(&duel->seed) % 16);
		victim = atomic_load(&duel->victim);
		if (victim >= 0)
			err = close(victim);
		else
			err = del_watch(duel->queue, atomic_load(&duel->watch));
		if (err)
			duel->failed++;
		pthread_barrier_wait(&duel->end);
	}
	return NULL;
}

/*
 * DEL comes before, in or after the fork: the watch is there for it every time,
 * since nobody has read its record, and no record is left.
 */
TEST_F_TIMEOUT(race, del_races_fork, LIMIT)
{
	struct duel duel;
	pthread_t thread;

	duel_init(&duel, self->queue, rounds(1500));
	atomic_store(&duel.victim, -1);
	ASSERT_EQ(0, pthread_create(&thread, NULL, spoiler, &duel));
	for (unsigned int i = 0; i < duel.rounds; i++) {
		int64_t watch = add_next(self->queue, i);
		pid_t pid;

		ASSERT_LT(0, watch);
		atomic_store(&duel.watch, watch);
		pthread_barrier_wait(&duel.start);
		pid = fork_exit(4);
		ASSERT_EQ(4 << 8, reap(pid));
		pthread_barrier_wait(&duel.end);
		ASSERT_TRUE(nothing_pending(self->queue));
		ASSERT_EQ(0, nr_watches(self->queue));
	}
	pthread_join(thread, NULL);
	EXPECT_EQ(0, duel.failed);
}

/* Every other child shares the descriptors, so that the close is the last one. */
TEST_F_TIMEOUT(race, close_races_fork, LIMIT)
{
	struct race child;
	struct duel duel;
	pthread_t thread;

	race_init(&child, self->queue, 1);
	duel_init(&duel, self->queue, rounds(1500));
	ASSERT_EQ(0, pthread_create(&thread, NULL, spoiler, &duel));
	for (unsigned int i = 0; i < duel.rounds; i++) {
		int queue = knell_open(0);
		int64_t watch;
		pid_t pid;

		ASSERT_LE(0, queue);
		ASSERT_LT(0, add_next(queue, i));
		atomic_store(&duel.victim, queue);
		pthread_barrier_wait(&duel.start);
		if (i & 1)
			pid = clone(exit_at_once, child.stacks + STACK_SIZE,
				    CLONE_VM | CLONE_FILES | SIGCHLD, (void *)4);
		else
			pid = fork_exit(4);
		ASSERT_EQ(4 << 8, reap(pid));
		pthread_barrier_wait(&duel.end);

		watch = add_next(self->queue, i);
		ASSERT_LT(0, watch);
		ASSERT_EQ(0, del_watch(self->queue, watch));
	}
	pthread_join(thread, NULL);
	EXPECT_EQ(0, duel.failed);
}

/*
 * A process that arms and forks is killed anywhere on its way. Each of its
 * children is reported; only its last order may have come to nothing.
 */
static void run_doomed(int queue, atomic_uint *armed)
{
	for (;;) {
		if (add_next(queue, atomic_load(armed)) <= 0)
			_exit(BROKEN);
		atomic_fetch_add(armed, 1);
		if (fork_exit(4) < 0)
			_exit(BROKEN);
	}
}

static void reap_all(void)
{
	while (waitpid(-1, NULL, __WALL) > 0)
		;
}

TEST_F_TIMEOUT(race, forker_is_killed, LIMIT)
{
	atomic_uint *armed = shared(sizeof(*armed));
	uint64_t seed = 0x5851f42d4c957f2dULL;
	struct knell_watch_info info;
	struct knell_event ev;

	ASSERT_EQ(0, prctl(PR_SET_CHILD_SUBREAPER, 1));
	for (int i = 0; i < rounds(300); i++) {
		unsigned int reported = 0, want = 1 + next_random(&seed) % 8;
		pid_t pid;

		atomic_store(armed, 0);
		pid = fork();
		ASSERT_LE(0, pid);
		if (!pid)
			run_doomed(self->queue, armed);
		while (atomic_load(armed) < want)
			;
		spin(1U << next_random(&seed) % 14);
		ASSERT_EQ(0, kill(pid, SIGKILL));
		ASSERT_EQ(SIGKILL, reap(pid));
		reap_all();

		while (pending_event(self->queue, &ev) == 1) {
			ASSERT_EQ(4 << 8, ev.exit.status);
			reported++;
		}
		/* Killed between the ADD and the count of it: one more than was counted. */
		if (list_watches(self->queue, &info, 1, 0) == 1) {
			ASSERT_EQ(1, nr_watches(self->queue));
			ASSERT_EQ(0, info.pid);
			ASSERT_EQ(reported, info.token);
			ASSERT_EQ(0, del_watch(self->queue, info.watch));
		} else {
			ASSERT_EQ(atomic_load(armed), reported);
		}
		ASSERT_EQ(0, nr_watches(self->queue));
	}
}

/* OPF_SELF */

static int add_self_and_die(void *arg)
{
	const int *queue = arg;

	if (add_self(*queue, 1) <= 0)
		return 1;
	_exit(4);
}

TEST_F_TIMEOUT(race, self_has_the_right_to_its_status, LIMIT)
{
	struct knell_event ev;

	/* as_who() hears of the child's own status, which is no success. */
	ASSERT_EQ(4 << 8, as_who(&user_1000, add_self_and_die, &self->queue));
	ASSERT_EQ(1, pending_event(self->queue, &ev));
	EXPECT_EQ(0, ev.flags);
	EXPECT_EQ(4 << 8, ev.exit.status);
	EXPECT_EQ(1000, ev.exit.uid);
	if (small_rss_is_known())
		EXPECT_LT(0, ev.exit.maxrss_kb);
	EXPECT_TRUE(nothing_pending(self->queue));
}

static void *add_self_in_thread(void *arg)
{
	const int *queue = arg;

	if (add_self(*queue, 1) <= 0)
		_exit(BROKEN);
	return NULL;
}

TEST_F_TIMEOUT(race, self_of_a_thread_is_the_process, LIMIT)
{
	pthread_t thread;
	pid_t pid;

	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		if (pthread_create(&thread, NULL, add_self_in_thread, &self->queue) ||
		    pthread_join(thread, NULL) || !nothing_pending(self->queue))
			_exit(BROKEN);
		_exit(4);
	}
	see_only(_metadata, self->queue, pid, 1);
}

TEST_F_TIMEOUT(race, self_many_times, LIMIT)
{
	struct knell_event ev;

	catch_signal(SIGCHLD, SIG_DFL, SA_NOCLDWAIT);
	for (int i = 0; i < rounds(2000); i++) {
		pid_t pid = fork();

		ASSERT_LE(0, pid);
		if (!pid)
			_exit(add_self(self->queue, i) > 0 ? i % 100 : BROKEN);
		ASSERT_EQ(1, next_event(self->queue, &ev));
		ASSERT_EQ(pid, ev.exit.pid);
		ASSERT_EQ(i, ev.token);
		ASSERT_EQ(i % 100 << 8, ev.exit.status);
	}
	ASSERT_TRUE(nothing_pending(self->queue));
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "exit"))
		return atoi(argv[2]);
	return test_harness_run(argc, argv);
}
