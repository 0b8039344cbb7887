/* SPDX-License-Identifier: GPL-2.0-only */
/* What the storms share: how large, how, who reads, and whether the books balance in the end. */
#ifndef _SOAK_H
#define _SOAK_H

#include "tree_test.h"

/* Seconds; who runs a storm knows better (soak.sh, "runner-limit"). */
#define SOAK_LIMIT	(6 * 3600)
#define SEED		0x6b6e656c6cUL
#define BELL		(~0ULL)
#define MOST_READERS	4

/* A storm has a queue and a seed, which it says; afterwards nothing is left of it. */
#define SOAK_FIXTURE							\
	FIXTURE(soak) {							\
		int queue;						\
		uint64_t seed;						\
		uint64_t since;						\
	};								\
	FIXTURE_SETUP(soak)						\
	{								\
		self->queue = knell_open(0);				\
		ASSERT_LE(0, self->queue);				\
		self->seed = soak_seed();				\
		self->since = clock_ns(CLOCK_MONOTONIC);		\
	}								\
	FIXTURE_TEARDOWN(soak)						\
	{								\
		EXPECT_TRUE(books_balance(self->queue));		\
	}

/* So many of @full, by KNELL_SOAK_SIZE hundredths: one of them in "make check". */
static inline unsigned int soak_of(unsigned int full)
{
	unsigned int n = (uint64_t)full * wanted("KNELL_SOAK_SIZE", 1) / 100;

	return n ? n : 1;
}

static inline uint64_t soak_seed(void)
{
	uint64_t seed = wanted("KNELL_SOAK_SEED", SEED);

	printf("# KNELL_SOAK_SEED=0x%llx KNELL_SOAK_SIZE=%lu\n", (unsigned long long)seed,
	       wanted("KNELL_SOAK_SIZE", 1));
	fflush(stdout);
	return seed;
}

/* The @nr-th number that @seed gives: anybody can ask for it again. */
static inline uint64_t random_of(uint64_t seed, uint64_t nr)
{
	uint64_t x = (seed ^ nr * 0x9e3779b97f4a7c15ULL) | 1ULL << 63;

	next_random(&x);
	next_random(&x);
	return next_random(&x) >> 11;
}

/* How number @nr ends, in the word of wait(2): one in four by a signal. */
static inline int status_of(uint64_t seed, uint64_t nr)
{
	static const int deadly[] = { SIGKILL, SIGTERM, SIGHUP, SIGUSR1, SIGALRM, SIGPIPE };
	uint64_t r = random_of(seed, nr);

	return r % 4 ? (int)(r / 4 % 256) << 8 : deadly[r / 4 % 6];
}

/* Before one looks again: who yields only takes the emulator's time from those it waits for. */
static inline void look_later(void)
{
	const struct timespec ms = { .tv_nsec = NSEC_PER_MSEC };

	nanosleep(&ms, NULL);
}

static inline void print_figures(const char *what, unsigned long nr, uint64_t since)
{
	uint64_t ms = (clock_ns(CLOCK_MONOTONIC) - since) / NSEC_PER_MSEC;

	printf("# %lu %s, %llu ms\n", nr, what, (unsigned long long)ms);
	fflush(stdout);
}

/**
 * struct readers - threads that read a queue until nothing more will come
 * @queue: it
 * @nr: of them
 * @take: is told each record
 * @arg: of @take
 * @hold: leaves records unread until there are so many, unless the storm is over
 * @seed: of how many each takes at a time
 * @ending: all that will come is pending
 * @over: it has been read
 * @gone: so many have seen that
 * @wrong: records out of order, reads that failed
 * @batches: reads that gave something
 * @thread: they
 */
struct readers {
	int queue;
	int nr;
	void (*take)(void *arg, const struct knell_event *ev);
	void *arg;
	unsigned int hold;
	uint64_t seed;
	atomic_bool ending;
	atomic_bool over;
	atomic_int gone;
	atomic_uint wrong;
	atomic_uint batches;
	pthread_t thread[MOST_READERS];
};

static inline void take_batch(struct readers *r, const struct knell_event *ev, int nr, uint64_t *seq)
{
	for (int i = 0; i < nr; i++) {
		if (ev[i].seq <= *seq)
			r->wrong++;
		*seq = ev[i].seq;
		if (ev[i].token != BELL)
			r->take(r->arg, &ev[i]);
	}
}

static inline void *read_storm(void *arg)
{
	struct readers *r = arg;
	uint64_t seq = 0, seed = r->seed ^ own_tid();
	struct knell_event ev[64];

	while (!r->over) {
		size_t room = 1 + next_random(&seed) % ARRAY_SIZE(ev);
		ssize_t n;

		if (r->hold && !r->ending && nr_pending(r->queue) < r->hold) {
			look_later();
			continue;
		}
		n = read(r->queue, ev, room * sizeof(*ev));
		if (n <= 0 || n % RECORD)
			r->wrong++;
		r->batches++;
		take_batch(r, ev, n > 0 ? n / RECORD : 0, &seq);
	}
	r->gone++;
	return NULL;
}

static inline int start_readers(struct readers *r)
{
	for (int i = 0; i < r->nr; i++)
		if (pthread_create(&r->thread[i], NULL, read_storm, r))
			return -1;
	return 0;
}

/* Returns once all that is pending is read; who sleeps then is woken by a bell. */
static inline void end_readers(struct readers *r)
{
	int64_t bell = add_watch(r->queue, op_user(BELL));

	r->ending = true;
	while (nr_pending(r->queue))
		look_later();
	r->over = true;
	while (r->gone < r->nr) {
		trigger(r->queue, bell, 1);
		look_later();
	}
	for (int i = 0; i < r->nr; i++)
		pthread_join(r->thread[i], NULL);
	del_watch(r->queue, bell);
}

/* Nothing waits, nothing is watched; once it is closed nothing is left of it. */
static inline bool books_balance(int queue)
{
	return SO(nothing_pending(queue)) && SO(nr_watches(queue) == 0) && SO(!close(queue)) &&
		SO(module_refs_after_all(0) == 0);
}

#endif /* _SOAK_H */
