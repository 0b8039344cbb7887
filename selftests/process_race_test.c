// SPDX-License-Identifier: GPL-2.0-only
/*
 * PROCESS watches made while the target dies, and targets that die at birth: a
 * record or a refusal, never neither.
 *
 * runner-limit: 1500
 */
#include "kselftest_harness.h"

#include <linux/sched.h>
#include <spawn.h>
#include <stdatomic.h>

#include "process_race.h"

/* Turns to wait between fork and ADD, at most: a fraction of a millisecond. */
#define LONGEST_SPIN	(1U << 13)
#define BATCH		16

enum fate { UNKNOWN, REFUSED, ENROLLED, REPORTED };

static int code_of(unsigned int token)
{
	return token * 7 % 128;
}

/* Shares memory with its parent. */
static pid_t short_lived(struct race *race, unsigned int token, int *pidfd)
{
	char *stack = race->stacks + (token % SLOTS + 1) * STACK_SIZE;
	int flags = CLONE_VM | SIGCHLD | (pidfd ? CLONE_PIDFD : 0);

	return clone(exit_at_once, stack, flags, (void *)(intptr_t)code_of(token), pidfd);
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

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "exit"))
		return atoi(argv[2]);
	return test_harness_run(argc, argv);
}
