// SPDX-License-Identifier: GPL-2.0-only
/* Readers that share a queue: who gets what, and who is woken. runner-limit: 900 */
#include "kselftest_harness.h"

#include "queue_bells.h"
#include "trap_test.h"

QUEUE_FIXTURE(queue)

struct waker {
	pid_t pid;
	pid_t tid;
	int fd;
	uint32_t watch;
	long nr;		/* the system call to find it asleep in */
	int ring;		/* whether to ring after the signal, when asleep again */
};

static volatile int caught;

static void count_signal(int sig)
{
	(void)sig;
	caught++;
}

static void *signal_then_ring(void *arg)
{
	struct waker *w = arg;

	wait_blocked(w->pid, w->tid, w->nr);
	syscall(SYS_tgkill, w->pid, w->tid, SIGUSR1);
	if (!w->ring)
		return NULL;
	while (!caught)
		sched_yield();
	wait_blocked(w->pid, w->tid, w->nr);
	trigger(w->fd, w->watch, 1);
	return NULL;
}

TEST_F_TIMEOUT(queue, read_and_signals, LIMIT)
{
	struct waker w = { getpid(), own_tid(), self->fd, 0, SYS_read, 0 };
	struct knell_event ev;
	pthread_t thread;

	ASSERT_EQ(0, add_bells(self->fd, &w.watch, 1));
	ASSERT_EQ(0, set_blocking(self->fd, 1));

	catch_signal(SIGUSR1, count_signal, 0);
	ASSERT_EQ(0, pthread_create(&thread, NULL, signal_then_ring, &w));
	ASSERT_EQ(-1, read(self->fd, &ev, sizeof(ev)));
	EXPECT_EQ(EINTR, errno);
	EXPECT_EQ(1, caught);
	pthread_join(thread, NULL);

	caught = 0;
	w.ring = 1;
	catch_signal(SIGUSR1, count_signal, SA_RESTART);
	ASSERT_EQ(0, pthread_create(&thread, NULL, signal_then_ring, &w));
	ASSERT_EQ(RECORD, read(self->fd, &ev, sizeof(ev)));
	EXPECT_EQ(1, caught);
	EXPECT_EQ(1, ev.token);
	pthread_join(thread, NULL);
}

/* Readers that share a queue: what each has got, by seq. */
#define SHARERS		4
#define BELLS		64
#define RINGS		20000

struct share {
	volatile int stop;
	int overrun;
	struct {
		volatile unsigned int nr;
		uint64_t count;
		uint64_t seq[RINGS + 1];
	} got[SHARERS];
};

struct sharer {
	struct share *share;
	int fd;
	int nr;
	int room;
};

static void share_records(struct sharer *s)
{
	struct knell_event ev[8];
	ssize_t n, i;

	while (!s->share->stop) {
		n = read(s->fd, ev, s->room * sizeof(*ev));
		if (n < 0)
			continue;
		for (i = 0; i < n / RECORD; i++) {
			if (ev[i].token == ~0ULL)
				continue;
			if (s->share->got[s->nr].nr > RINGS) {
				s->share->overrun = 1;
				return;
			}
			s->share->got[s->nr].seq[s->share->got[s->nr].nr++] = ev[i].seq;
			s->share->got[s->nr].count += ev[i].user.count;
		}
	}
}

static void *sharer_thread(void *arg)
{
	share_records(arg);
	return NULL;
}

static int compare_seq(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static uint64_t rings_heard(struct share *share)
{
	uint64_t count = 0;
	int i;

	for (i = 0; i < SHARERS; i++)
		count += *(volatile uint64_t *)&share->got[i].count;
	return count;
}

/* Each reader's are in order; together they are all there is, each once. */
static void check_shares(struct __test_metadata *_metadata, struct share *share)
{
	static uint64_t all[RINGS + 1];
	unsigned int n = 0, i, r;

	ASSERT_EQ(0, share->overrun);
	for (r = 0; r < SHARERS; r++) {
		for (i = 0; i < share->got[r].nr; i++) {
			if (i) {
				ASSERT_LT(share->got[r].seq[i - 1], share->got[r].seq[i]);
			}
			ASSERT_GT(RINGS, n);
			all[n++] = share->got[r].seq[i];
		}
	}
	qsort(all, n, sizeof(all[0]), compare_seq);
	for (i = 0; i < n; i++) {
		ASSERT_EQ(i + 1, all[i]);
	}
	EXPECT_EQ(RINGS, rings_heard(share));
}

static int ring_at_random(int fd, const uint32_t *watch)
{
	uint64_t seed = 0x72696e67ULL;
	int i, err = 0;

	for (i = 0; !err && i < RINGS; i++)
		err = trigger(fd, watch[next_random(&seed) % BELLS], 1);
	return err;
}

/* A bell of its own gets every reader that still sleeps out of read(). */
static int stop_readers(int fd, struct share *share, uint32_t bell)
{
	share->stop = 1;
	return trigger(fd, bell, 1);
}

/* Rings until all of it was heard; the handle of the bell to stop the readers with. */
static int64_t ring_until_heard(struct __test_metadata *_metadata, int fd, const uint32_t *watch,
				struct share *share)
{
	int64_t last;

	ASSERT_EQ(0, ring_at_random(fd, watch));
	while (rings_heard(share) < RINGS && !share->overrun)
		sched_yield();
	last = add_watch(fd, op_user(~0ULL));
	ASSERT_LT(0, last);
	return last;
}

TEST_F_TIMEOUT(queue, threads_share, LIMIT)
{
	struct share *share = shared(sizeof(*share));
	struct sharer sharers[SHARERS];
	pthread_t threads[SHARERS];
	uint32_t watch[BELLS];
	int64_t last;
	int i;

	ASSERT_EQ(0, add_bells(self->fd, watch, BELLS));
	ASSERT_EQ(0, set_blocking(self->fd, 1));
	for (i = 0; i < SHARERS; i++) {
		sharers[i] = (struct sharer){ share, self->fd, i, 1 + i * 2 };
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, sharer_thread, &sharers[i]));
	}
	last = ring_until_heard(_metadata, self->fd, watch, share);
	for (i = 0; i < SHARERS; i++) {
		while (pthread_tryjoin_np(threads[i], NULL)) {
			ASSERT_EQ(0, stop_readers(self->fd, share, last));
		}
	}
	check_shares(_metadata, share);
}

TEST_F_TIMEOUT(queue, processes_share, LIMIT)
{
	struct share *share = shared(sizeof(*share));
	uint32_t watch[BELLS];
	pid_t pids[SHARERS];
	int64_t last;
	int i, status;

	ASSERT_EQ(0, add_bells(self->fd, watch, BELLS));
	ASSERT_EQ(0, set_blocking(self->fd, 1));
	for (i = 0; i < SHARERS; i++) {
		pids[i] = fork();
		ASSERT_LE(0, pids[i]);
		if (!pids[i]) {
			share_records(&(struct sharer){ share, self->fd, i, 1 + i % 2 });
			_exit(0);
		}
	}
	last = ring_until_heard(_metadata, self->fd, watch, share);
	for (i = 0; i < SHARERS; i++) {
		while (!waitpid(pids[i], &status, WNOHANG)) {
			ASSERT_EQ(0, stop_readers(self->fd, share, last));
		}
		EXPECT_EQ(0, status);
	}
	check_shares(_metadata, share);
}

/* Threads that take one record each, and are asked how often they slept. */
#define SLEEPERS	6

static int nr_done(const struct sleeper *s, int nr)
{
	int i, n = 0;

	for (i = 0; i < nr; i++)
		n += s[i].done;
	return n;
}

TEST_F_TIMEOUT(queue, a_record_wakes_one, LIMIT)
{
	struct sleeper s[SLEEPERS];
	long slept[SLEEPERS];
	uint32_t watch;
	int i, round;

	ASSERT_EQ(0, add_bells(self->fd, &watch, 1));
	ASSERT_EQ(0, set_blocking(self->fd, 1));
	for (i = 0; i < SLEEPERS; i++) {
		ASSERT_EQ(0, start_sleeper(&s[i], self->fd, NULL));
	}
	for (i = 0; i < SLEEPERS; i++)
		slept[i] = nr_sleeps(getpid(), s[i].tid);

	for (round = 1; round <= SLEEPERS; round++) {
		ASSERT_EQ(0, ring_bells(self->fd, &watch, 1));
		while (nr_done(s, SLEEPERS) < round)
			sched_yield();
		ASSERT_EQ(round, nr_done(s, SLEEPERS));
		/* The others have not so much as stirred. */
		for (i = 0; i < SLEEPERS; i++)
			if (!s[i].done)
				EXPECT_EQ(slept[i], nr_sleeps(getpid(), s[i].tid));
	}
	for (i = 0; i < SLEEPERS; i++) {
		pthread_join(s[i].thread, NULL);
		EXPECT_EQ(RECORD, s[i].ret);
	}
}

TEST_F_TIMEOUT(queue, readers_pass_the_wake_on, LIMIT)
{
	struct sleeper s[SLEEPERS];
	uint32_t watch[SLEEPERS];
	uint64_t seen;
	int i, round;

	ASSERT_EQ(0, add_bells(self->fd, watch, SLEEPERS));
	ASSERT_EQ(0, set_blocking(self->fd, 1));
	for (round = 0; round < 50; round++) {
		for (i = 0; i < SLEEPERS; i++) {
			ASSERT_EQ(0, start_sleeper(&s[i], self->fd, NULL));
		}
		ASSERT_EQ(0, ring_bells(self->fd, watch, SLEEPERS));
		seen = 0;
		for (i = 0; i < SLEEPERS; i++) {
			pthread_join(s[i].thread, NULL);
			ASSERT_EQ(RECORD, s[i].ret);
			seen |= 1ULL << s[i].ev.token;
		}
		ASSERT_EQ((1ULL << (SLEEPERS + 1)) - 2, seen);
	}
}

/* Timers that are due together come with one wake: it has to go from hand to hand. */
TEST_F_TIMEOUT(queue, readers_pass_on_the_wake_of_many, LIMIT)
{
	struct knell_op ops[SLEEPERS];
	struct sleeper s[SLEEPERS];
	uint64_t due, seen;
	int i, round;

	ASSERT_EQ(0, set_blocking(self->fd, 1));
	for (round = 0; round < 20; round++) {
		for (i = 0; i < SLEEPERS; i++) {
			ASSERT_EQ(0, start_sleeper(&s[i], self->fd, NULL));
		}
		due = clock_ns(CLOCK_MONOTONIC) + 20 * NSEC_PER_MSEC;
		for (i = 0; i < SLEEPERS; i++)
			ops[i] = op_timer(CLOCK_MONOTONIC, KNELL_OPF_ABS | KNELL_OPF_ONESHOT, due,
					  0, i);
		ASSERT_EQ(0, submit_ops(self->fd, ops, SLEEPERS));
		seen = 0;
		for (i = 0; i < SLEEPERS; i++) {
			pthread_join(s[i].thread, NULL);
			ASSERT_EQ(RECORD, s[i].ret);
			seen |= 1ULL << s[i].ev.token;
		}
		ASSERT_EQ((1ULL << SLEEPERS) - 1, seen);
	}
}

/* A reader that is woken and cannot take the record leaves it to the next one. */
TEST_F_TIMEOUT(queue, a_faulting_reader_passes_the_wake_on, LIMIT)
{
	struct sleeper bad, good;
	uint32_t watch;
	int round;

	ASSERT_EQ(0, add_bells(self->fd, &watch, 1));
	ASSERT_EQ(0, set_blocking(self->fd, 1));
	for (round = 0; round < 50; round++) {
		ASSERT_EQ(0, start_sleeper(&bad, self->fd, guarded(1)));
		ASSERT_EQ(0, start_sleeper(&good, self->fd, NULL));
		ASSERT_EQ(0, ring_bells(self->fd, &watch, 1));
		pthread_join(good.thread, NULL);
		ASSERT_EQ(RECORD, good.ret);
		ASSERT_EQ(1, good.ev.user.count);
		if (!bad.done) {
			ASSERT_EQ(0, ring_bells(self->fd, &watch, 1));
		}
		pthread_join(bad.thread, NULL);
		ASSERT_EQ(-1, bad.ret);
		ASSERT_EQ(EFAULT, bad.err);
		/* What was rung once more than needed. */
		while (wait_events(self->fd, &good.ev, 1, 0) == 1)
			;
	}
}

TEST_F_TIMEOUT(queue, an_interrupted_reader_passes_the_wake_on, LIMIT)
{
	struct sleeper first, second;
	struct knell_event ev;
	uint32_t watch;
	int round;

	catch_signal(SIGUSR1, nop_handler, 0);
	ASSERT_EQ(0, add_bells(self->fd, &watch, 1));
	for (round = 0; round < 300; round++) {
		ASSERT_EQ(0, set_blocking(self->fd, 1));
		ASSERT_EQ(0, start_sleeper(&first, self->fd, NULL));
		ASSERT_EQ(0, start_sleeper(&second, self->fd, NULL));
		/* Whichever of the two comes first for the one that sleeps longest. */
		if (round % 2) {
			ASSERT_EQ(0, ring_bells(self->fd, &watch, 1));
		}
		syscall(SYS_tgkill, getpid(), first.tid, SIGUSR1);
		if (!(round % 2)) {
			ASSERT_EQ(0, ring_bells(self->fd, &watch, 1));
		}
		pthread_join(first.thread, NULL);
		if (first.ret == RECORD) {
			ASSERT_EQ(0, second.done);
			ASSERT_EQ(0, ring_bells(self->fd, &watch, 1));
		} else {
			ASSERT_EQ(EINTR, first.err);
		}
		pthread_join(second.thread, NULL);
		ASSERT_EQ(RECORD, second.ret);
		ASSERT_EQ(0, set_blocking(self->fd, 0));
		ASSERT_EQ(0, take(self->fd, &ev));
	}
}

/* Who waits behind a reader that has stopped can be interrupted. */
TEST_F_TIMEOUT(queue, a_signal_behind_a_trapped_reader, LIMIT)
{
	struct sleeper first, second;
	struct knell_event *got;
	struct trap trap;
	uint32_t watch[2];

	catch_signal(SIGUSR1, nop_handler, 0);
	ASSERT_EQ(0, set_trap(&trap));
	ASSERT_EQ(0, add_bells(self->fd, watch, 2));
	ASSERT_EQ(0, ring_bells(self->fd, watch, 1));
	ASSERT_EQ(0, start_sleeper(&first, self->fd, trap.page));
	ASSERT_EQ(0, wait_trapped(&trap));
	/* Or else there would be nothing to queue up for. */
	ASSERT_EQ(0, ring_bells(self->fd, watch + 1, 1));
	ASSERT_EQ(0, start_sleeper(&second, self->fd, NULL));
	syscall(SYS_tgkill, getpid(), second.tid, SIGUSR1);
	pthread_join(second.thread, NULL);
	EXPECT_EQ(-1, second.ret);
	EXPECT_EQ(EINTR, second.err);
	EXPECT_EQ(0, first.done);
	ASSERT_EQ(0, end_trap(&trap));
	pthread_join(first.thread, NULL);
	got = (struct knell_event *)trap.page;
	EXPECT_EQ(RECORD, first.ret);
	EXPECT_EQ(1, got->token);
	EXPECT_EQ(1, take(self->fd, got));
	EXPECT_EQ(2, got->token);
	close(trap.fd);
}

struct deadliner {
	int fd;
	uint64_t deadline;
	volatile pid_t tid;
	int ret;
	struct knell_event ev;
};

static void *wait_until(void *arg)
{
	struct deadliner *d = arg;

	d->tid = own_tid();
	d->ret = wait_events(d->fd, &d->ev, 1, d->deadline);
	return NULL;
}

/* The same for a SUBMIT whose deadline and record come at the same time. */
TEST_F_TIMEOUT(queue, a_late_reader_passes_the_wake_on, LIMIT)
{
	struct deadliner first = { .fd = self->fd }, second = { .fd = self->fd };
	pthread_t threads[2];
	uint32_t watch;
	int round;

	ASSERT_EQ(0, add_bells(self->fd, &watch, 1));
	for (round = 0; round < 300; round++) {
		first.tid = second.tid = 0;
		second.deadline = KNELL_FOREVER;
		first.deadline = clock_ns(CLOCK_MONOTONIC) + 3 * NSEC_PER_MSEC;
		ASSERT_EQ(0, pthread_create(&threads[0], NULL, wait_until, &first));
		while (!first.tid)
			sched_yield();
		ASSERT_EQ(0, pthread_create(&threads[1], NULL, wait_until, &second));
		while (!second.tid)
			sched_yield();
		while (clock_ns(CLOCK_MONOTONIC) < first.deadline + round * 1000)
			;
		ASSERT_EQ(0, ring_bells(self->fd, &watch, 1));
		pthread_join(threads[0], NULL);
		if (first.ret == 1) {
			ASSERT_EQ(0, ring_bells(self->fd, &watch, 1));
		} else {
			ASSERT_EQ(0, first.ret);
		}
		pthread_join(threads[1], NULL);
		ASSERT_EQ(1, second.ret);
		ASSERT_EQ(0, take(self->fd, &second.ev));
	}
}

TEST_HARNESS_MAIN
