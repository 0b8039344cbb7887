// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fork storms under a tree: processes that double, fork twice and leave, begin sessions, are orphans
 * and get new parents, until KILL. Then EMPTY comes, once, and nobody is left.
 *
 * runner-limit: 900
 * runner-smp: 2
 */
#include "kselftest_harness.h"

#include <sys/resource.h>

#include "soak.h"

#define BOMBS		1000
#define MOST		40	/* alive at a time, about: the emulator is slow */

SOAK_FIXTURE

/**
 * struct bomb - shared by all its processes
 * @seed: of what they do
 * @alive: processes
 * @born: ever
 * @sessions: begun
 * @orphans: whose parents have left them
 * @failed: forks that were refused
 * @life: held by all
 */
struct bomb {
	uint64_t seed;
	atomic_int alive;
	atomic_uint born;
	atomic_uint sessions;
	atomic_uint orphans;
	atomic_uint failed;
	struct lifeline life;
};

/* Leaves its children to whoever takes them; not the last. */
static void leave(struct bomb *b)
{
	if (atomic_fetch_sub(&b->alive, 1) > 1) {
		b->orphans++;
		_exit(0);
	}
	b->alive++;
}

static long have_child(struct bomb *b)
{
	long pid;

	if (b->alive >= MOST)
		leave(b);
	b->alive++;
	pid = bare_fork();
	if (!pid)
		b->born++;
	if (pid < 0) {
		b->alive--;
		b->failed++;
	}
	return pid;
}

/* Whoever is born goes on in the loop, with numbers of its own. */
static void go_off(void *arg)
{
	struct bomb *b = arg;
	uint64_t seed = b->seed;

	/* Who is to kill them all must get his turn. */
	setpriority(PRIO_PROCESS, 0, 10);
	catch_signal(SIGCHLD, SIG_DFL, SA_NOCLDWAIT);
	for (;;) {
		uint64_t r = next_random(&seed) >> 20;
		long pid = have_child(b);

		if (!pid) {
			seed ^= b->born * 0x2545f4914f6cdd1dULL;
			if (r % 4 == 0 && setsid() > 0)
				b->sessions++;
			/* A daemon's: the one between leaves at once. */
			if (r % 4 == 1 && have_child(b))
				leave(b);
		} else if (r % 8 == 7) {
			leave(b);
		}
	}
}

struct sum {
	unsigned long born, sessions, orphans, killed;
};

static void blow_up(struct __test_metadata *_metadata, int queue, uint64_t seed, struct sum *sum)
{
	uint32_t flags = seed & 1 ? KNELL_OPF_REPORT_FORK | KNELL_OPF_REPORT_EXIT : 0;
	int64_t tree = add_tree(queue, flags, 1);
	struct bomb *b = shared(sizeof(*b));
	/* The first one has to be a member by then. */
	unsigned int fuse = 1 + seed / 2 % 80;
	struct tally t = { };
	int killed;

	b->seed = seed | 1;
	b->alive = 1;
	ASSERT_LT(0, tree);
	ASSERT_EQ(0, new_lifeline(&b->life));
	ASSERT_LT(0, spawn_member(queue, tree, go_off, b));
	drop_lifeline(&b->life);
	while (b->born < fuse && !b->failed)
		if (count_pending(queue, &t) < 1)
			look_later();
	ASSERT_EQ(0, b->failed);
	killed = kill_watch(queue, tree, SIGKILL);
	ASSERT_LT(0, killed);
	ASSERT_TRUE(count_until_empty(queue, &t));
	/* EMPTY is the last word: nobody lives, nobody comes. */
	ASSERT_TRUE(all_dead(&b->life));
	ASSERT_TRUE(tally_is_sound(queue, &t));
	if (flags)
		ASSERT_EQ(0, (t.forks + t.exits + t.lost) % 2);
	ASSERT_EQ(0, nr_watches(queue));
	sum->born += b->born;
	sum->sessions += b->sessions;
	sum->orphans += b->orphans;
	sum->killed += killed;
	close(b->life.fd[0]);
	munmap(b, sizeof(*b));
}

TEST_F_TIMEOUT(soak, trees, SOAK_LIMIT)
{
	unsigned int bombs = soak_of(BOMBS);
	struct sum sum = { };

	/* Orphans are ours, and die unseen. */
	catch_signal(SIGCHLD, SIG_DFL, SA_NOCLDWAIT);
	ASSERT_EQ(0, prctl(PR_SET_CHILD_SUBREAPER, 1));
	for (unsigned int i = 0; i < bombs; i++) {
		blow_up(_metadata, self->queue, random_of(self->seed, i), &sum);
		ASSERT_EQ(-1, waitpid(-1, NULL, __WALL));
	}
	EXPECT_LT(bombs, sum.born);
	EXPECT_LT(0, sum.sessions);
	EXPECT_LT(0, sum.orphans);
	print_figures("fork storms, EMPTY once each", bombs, self->since);
	printf("# %lu forks, %lu sessions, %lu left their children, %lu killed\n", sum.born,
	       sum.sessions, sum.orphans, sum.killed);
	fflush(stdout);
}

TEST_HARNESS_MAIN
