// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pids used again and again: there are but 64 of them, and hundreds of records of the dead wait
 * unread, so that each pid is that of many watches. A record is of the process that was watched, and
 * KILL of a watch whose process is dead does nothing to who has its pid by now.
 *
 * runner-limit: 900
 */
#include "kselftest_harness.h"

#include "forkers.h"

#define EXITS		500000
#define FORKERS		2
#define PID_MAX		"/proc/sys/kernel/pid_max"
#define PIDS		64
/* Below it the kernel gives pids once only. */
#define RESERVED	300
#define HOLD		600

SOAK_FIXTURE

/* @kills: of the dead whose record was unread */
struct killer {
	struct storm *s;
	uint64_t seed;
	atomic_bool over;
	unsigned int kills;
};

static void enter(void *arg, const struct knell_event *ev)
{
	enter_record(arg, ev);
}

/* Of the latest dead: most of them wait unread. */
static void kill_a_dead(struct killer *k)
{
	struct storm *s = k->s;
	unsigned int nr = next_random(&k->seed) >> 11;
	uint64_t forker = nr % FORKERS, born = s->caused / FORKERS;
	uint64_t token = forker * s->each + (born - nr / FORKERS % HOLD) % s->each;
	struct entry *e = &s->entry[token];
	int err;

	if (!e->dead)
		return;
	err = kill_watch(s->queue, e->watch, SIGKILL);
	k->kills += err == -ESRCH;
	if (err != -ESRCH && err != -ENOENT)
		wrong(s, "KILL of a dead", token, err);
}

static void *kill_the_dead(void *arg)
{
	struct killer *k = arg;

	while (!k->over) {
		kill_a_dead(k);
		look_later();
	}
	return NULL;
}

/* Of each forker's children, one after the other: how often a pid came once more. */
static unsigned long nr_reused(const struct storm *s)
{
	static unsigned int seen[RESERVED + PIDS + 1];
	unsigned long again = 0;

	for (unsigned int i = 0; i < s->forkers * s->each; i++) {
		unsigned int pid = s->entry[i].made;

		if (pid < ARRAY_SIZE(seen))
			again += seen[pid]++ > 0;
	}
	return again;
}

TEST_F_TIMEOUT(soak, pids, SOAK_LIMIT)
{
	struct storm *s = new_storm(self->queue, self->seed, FORKERS, soak_of(EXITS) / FORKERS);
	struct readers r = {
		.queue = self->queue, .seed = self->seed, .nr = 1, .take = enter, .arg = s,
		.hold = HOLD,
	};
	struct killer k = { .s = s, .seed = self->seed };
	pthread_t killer;
	unsigned long reused;
	char before[32] = "", max[32];
	int fd = open(PID_MAX, O_RDONLY);

	s->unread = 2 * HOLD;
	ASSERT_LT(0, read(fd, before, sizeof(before) - 1));
	close(fd);
	snprintf(max, sizeof(max), "%d", RESERVED + PIDS);
	ASSERT_EQ(0, write_file(PID_MAX, max));
	ASSERT_EQ(0, start_readers(&r));
	ASSERT_EQ(0, pthread_create(&killer, NULL, kill_the_dead, &k));
	ASSERT_EQ(0, start_forkers(s));
	EXPECT_EQ(0, end_forkers(s));
	k.over = true;
	pthread_join(killer, NULL);
	end_readers(&r);
	ASSERT_EQ(0, write_file(PID_MAX, before));
	EXPECT_TRUE(every_death_was_told(s));
	EXPECT_EQ(0, r.wrong);
	EXPECT_LT(0, k.kills);
	reused = nr_reused(s);
	EXPECT_LT(s->read * 9 / 10, reused);
	print_figures("exits of 64 pids", s->read, self->since);
	printf("# %lu had a pid that another had had, %lu times each pid; %u KILLs of the unread dead\n",
	       reused, reused / PIDS, k.kills);
	fflush(stdout);
}

TEST_HARNESS_MAIN
