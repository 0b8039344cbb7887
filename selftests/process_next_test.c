// SPDX-License-Identifier: GPL-2.0-only
/*
 * OPF_NEXT while everything around the fork happens, and OPF_SELF: whose it is, and
 * that a record comes or nothing was ordered.
 *
 * runner-limit: 1500
 */
#include "kselftest_harness.h"

#include <linux/sched.h>
#include <stdatomic.h>
#include <sys/resource.h>

#include "process_race.h"

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

TEST_HARNESS_MAIN
