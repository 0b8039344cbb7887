// SPDX-License-Identifier: GPL-2.0-only
/*
 * TIMER watches come due: never early, equal deadlines in order, none lost while
 * others are set anew, by ten thousands.
 *
 * runner-limit: 900
 */
#include "kselftest_harness.h"

#include "timer_test.h"

QUEUE_FIXTURE(timer)

/* A new and empty queue in place of the old one. */
static int fresh_queue(int fd)
{
	close(fd);
	return knell_open(O_NONBLOCK);
}

struct draw {
	clockid_t clock;
	uint32_t flags;
	uint64_t expires;
	uint64_t slack;
	int fired;
};

static struct draw random_draw(uint64_t *seed, unsigned int i)
{
	struct draw d = { .clock = clocks[i % 3], .flags = KNELL_OPF_ONESHOT };

	d.expires = 1 + next_random(seed) % (4 * NSEC_PER_MSEC);
	if (i / 3 % 2) {
		d.flags |= KNELL_OPF_ABS;
		d.expires += clock_ns(d.clock) - NSEC_PER_MSEC;
	}
	if (i % 4 == 3)
		d.slack = next_random(seed) % (2 * NSEC_PER_MSEC);
	return d;
}

#define BATCH		250

/* Both are needed: due_ns tells what was meant, the clocks what happened. */
static void check_draw(struct __test_metadata *_metadata, struct draw *d, struct knell_event *ev,
		       uint64_t before, uint64_t after, uint64_t offset)
{
	ASSERT_EQ(0, d->fired++);
	ASSERT_EQ(KNELL_EV_TIMER, ev->type);
	ASSERT_EQ(0, ev->flags);
	ASSERT_EQ(1, ev->timer.expirations);
	if (d->flags & KNELL_OPF_ABS) {
		ASSERT_EQ(d->expires, ev->timer.due_ns);
	} else {
		ASSERT_LE(before + d->expires, ev->timer.due_ns);
		ASSERT_GE(after + d->expires, ev->timer.due_ns);
	}
	ASSERT_LE(ev->timer.due_ns, clock_ns(d->clock));
	ASSERT_LE(ev->timer.due_ns, ev->time_ns + offset);
	ASSERT_LE(ev->time_ns, now());
}

TEST_F_TIMEOUT(timer, never_early, LIMIT)
{
	uint64_t seed = 0x6b6e656c6cULL, before[3], after[3], offset[3], seq = 0;
	struct knell_event ev[32];
	struct knell_op ops[BATCH];
	struct draw draws[BATCH];
	int round, i, n, got;

	for (i = 0; i < 3; i++)
		offset[i] = clock_offset(clocks[i]);

	for (round = 0; round < 10000 / BATCH; round++) {
		for (i = 0; i < BATCH; i++) {
			draws[i] = random_draw(&seed, i);
			ops[i] = op_timer(draws[i].clock, draws[i].flags, draws[i].expires, 0, i);
			ops[i].timer.slack_ns = draws[i].slack;
		}
		for (i = 0; i < 3; i++)
			before[i] = clock_ns(clocks[i]);
		ASSERT_EQ(0, submit_ops(self->fd, ops, BATCH));
		for (i = 0; i < 3; i++)
			after[i] = clock_ns(clocks[i]);

		for (got = 0; got < BATCH; got += n) {
			n = wait_events(self->fd, ev, 32, KNELL_FOREVER);
			ASSERT_LE(1, n);
			for (i = 0; i < n; i++) {
				ASSERT_GT(BATCH, ev[i].token);
				ASSERT_EQ(ops[ev[i].token].watch, ev[i].watch);
				ASSERT_LT(seq, ev[i].seq);
				seq = ev[i].seq;
				check_draw(_metadata, &draws[ev[i].token], &ev[i],
					   before[ev[i].token % 3], after[ev[i].token % 3],
					   offset[ev[i].token % 3]);
			}
		}
	}
	EXPECT_EQ(0, nr_watches(self->fd));
	EXPECT_EQ(0, take(self->fd, ev));
}

#define EQUALS		1000

struct arming {
	pthread_mutex_t lock;
	pthread_cond_t turn;
	int fd;
	int next;
	int err;
	uint64_t deadline;
};

struct arming_thread {
	struct arming *a;
	int cpu;
};

/* Arms every second timer, each after the other thread has armed the one before it. */
static void *arm_by_turns(void *arg)
{
	struct arming_thread *t = arg;
	struct arming *a = t->a;

	pin_to_cpu(t->cpu);
	pthread_mutex_lock(&a->lock);
	while (a->next < EQUALS) {
		if (a->next % 2 != t->cpu) {
			pthread_cond_wait(&a->turn, &a->lock);
			continue;
		}
		if (add_watch(a->fd, op_timer(CLOCK_MONOTONIC, KNELL_OPF_ABS, a->deadline, 0,
					      a->next)) <= 0)
			a->err = 1;
		a->next++;
		pthread_cond_signal(&a->turn);
	}
	pthread_cond_signal(&a->turn);
	pthread_mutex_unlock(&a->lock);
	return NULL;
}

static int arm_from_two_cpus(int fd, uint64_t deadline)
{
	struct arming a = {
		.lock = PTHREAD_MUTEX_INITIALIZER, .turn = PTHREAD_COND_INITIALIZER,
		.fd = fd, .deadline = deadline,
	};
	struct arming_thread t[2] = { { &a, 0 }, { &a, 1 } };
	pthread_t threads[2];
	int i;

	for (i = 0; i < 2; i++)
		if (pthread_create(&threads[i], NULL, arm_by_turns, &t[i]))
			return -EAGAIN;
	for (i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	return a.err ? -EPROTO : 0;
}

static int arm_from_here(int fd, uint64_t deadline)
{
	int i;

	for (i = 0; i < EQUALS; i++)
		if (add_watch(fd, op_timer(CLOCK_MONOTONIC, KNELL_OPF_ABS, deadline, 0, i)) <= 0)
			return -EPROTO;
	return 0;
}

/*
 * Runs @arm with a deadline that is still ahead when all are armed. However
 * slow the machine is, there is one.
 */
static int arm_ahead(int *fd, int (*arm)(int, uint64_t), uint64_t *deadline)
{
	uint64_t lead;
	int err;

	for (lead = NSEC_PER_SEC;; lead *= 2) {
		*deadline = now() + lead;
		err = arm(*fd, *deadline);
		if (err || now() < *deadline)
			return err;
		*fd = fresh_queue(*fd);
	}
}

static void check_fifo(struct __test_metadata *_metadata, int fd, uint64_t deadline)
{
	struct knell_event ev[16];
	uint64_t seq = 0;
	int i, n, got;

	for (got = 0; got < EQUALS; got += n) {
		n = wait_events(fd, ev, 16, KNELL_FOREVER);
		ASSERT_LE(1, n);
		for (i = 0; i < n; i++) {
			ASSERT_EQ(got + i, ev[i].token);
			ASSERT_LT(seq, ev[i].seq);
			seq = ev[i].seq;
			ASSERT_EQ(deadline, ev[i].timer.due_ns);
			ASSERT_LE(deadline, ev[i].time_ns);
		}
	}
	EXPECT_EQ(0, take(fd, ev));
}

TEST_F_TIMEOUT(timer, equal_deadlines_fire_in_order, LIMIT)
{
	uint64_t deadline;

	ASSERT_EQ(0, arm_ahead(&self->fd, arm_from_here, &deadline));
	check_fifo(_metadata, self->fd, deadline);
}

TEST_F_TIMEOUT(timer, equal_deadlines_armed_on_two_cpus, LIMIT)
{
	uint64_t deadline;

	ASSERT_EQ(0, arm_ahead(&self->fd, arm_from_two_cpus, &deadline));
	check_fifo(_metadata, self->fd, deadline);
}

/* Three alike, then the first is armed again: it goes to the end. */
static int arm_and_rearm(int fd, uint64_t deadline)
{
	struct knell_op op;
	int64_t watch[3];
	int i;

	for (i = 0; i < 3; i++) {
		watch[i] = add_watch(fd, op_timer(CLOCK_MONOTONIC, KNELL_OPF_ABS, deadline, 0, i));
		if (watch[i] <= 0)
			return -EPROTO;
	}
	op = op_mod_timer(watch[0], CLOCK_MONOTONIC, KNELL_OPF_ABS, deadline, 0, 3);
	return submit_op(fd, &op);
}

TEST_F_TIMEOUT(timer, mod_goes_to_the_end_of_equals, LIMIT)
{
	struct knell_event ev;
	uint64_t deadline;
	int i;

	ASSERT_EQ(0, arm_ahead(&self->fd, arm_and_rearm, &deadline));
	for (i = 1; i <= 3; i++) {
		ASSERT_EQ(1, wait_event(self->fd, &ev));
		ASSERT_EQ(i, ev.token);
	}
}

/*
 * A schedule that is replaced while it fires, from another thread than the one
 * that reads: a record is of one schedule, never of two halves.
 */
#define SCHEDULES	20000

struct modder {
	int fd;
	uint32_t watch;
	int err;
	volatile int done;
	uint64_t due[SCHEDULES];
};

static void *mod_all_the_time(void *arg)
{
	uint64_t seed = 0x6d6f64ULL;
	struct modder *m = arg;
	struct knell_op op;
	int i;

	pin_to_cpu(1);
	for (i = 1; i < SCHEDULES && !m->err; i++) {
		m->due[i] = now() + next_random(&seed) % 100000;
		op = op_mod_timer(m->watch, CLOCK_MONOTONIC, KNELL_OPF_ABS, m->due[i],
				  i % 2 ? 0 : HOUR_NS, i);
		m->err = submit_op(m->fd, &op);
	}
	m->done = 1;
	return NULL;
}

TEST_F_TIMEOUT(timer, mod_while_it_fires, LIMIT)
{
	static struct modder m;
	uint64_t token = 0;
	struct knell_event ev;
	pthread_t thread;
	int n;

	m.fd = self->fd;
	m.watch = add_watch(self->fd, op_timer(CLOCK_MONOTONIC, 0, 0, 0, 0));
	ASSERT_NE(0, m.watch);
	ASSERT_EQ(0, pthread_create(&thread, NULL, mod_all_the_time, &m));
	pin_to_cpu(0);
	do {
		n = wait_events(self->fd, &ev, 1, now() + NSEC_PER_MSEC);
		ASSERT_LE(0, n);
		if (!n)
			continue;
		ASSERT_LT(token, ev.token);
		token = ev.token;
		ASSERT_EQ(m.due[token], ev.timer.due_ns);
		ASSERT_EQ(1, ev.timer.expirations);
		ASSERT_LE(m.due[token], ev.time_ns);
	} while (!m.done);
	pthread_join(thread, NULL);
	ASSERT_EQ(0, m.err);
	/* The last one stands, and comes if it has not yet. */
	if (token != SCHEDULES - 1) {
		ASSERT_EQ(1, wait_event(self->fd, &ev));
		EXPECT_EQ(SCHEDULES - 1, ev.token);
	}
	EXPECT_EQ(0, take(self->fd, &ev));
}

/* The same with timers that come and go: all that are not DELed fire once. */
TEST_F_TIMEOUT(timer, del_while_it_fires, LIMIT)
{
	uint64_t seed = 0x64656cULL;
	struct knell_event ev;
	int i, deleted = 0, fired = 0, result;
	int64_t watch;

	for (i = 0; i < 5000; i++) {
		watch = add_watch(self->fd, op_timer(CLOCK_MONOTONIC, KNELL_OPF_ONESHOT,
						     1 + next_random(&seed) % 30000, 0, i));
		ASSERT_LT(0, watch);
		if (i % 3) {
			fired += take(self->fd, &ev);
			result = del_watch(self->fd, watch);
			if (result) {
				ASSERT_EQ(-ENOENT, result);
			} else {
				deleted++;
			}
		}
	}
	while (nr_watches(self->fd)) {
		ASSERT_EQ(1, wait_event(self->fd, &ev));
		fired++;
	}
	EXPECT_EQ(5000, fired + deleted);
	EXPECT_EQ(0, nr_queued_timers());
}

/* A queue that goes while its timers fire: nothing of it is touched any more. */
TEST_F_TIMEOUT(timer, close_while_it_fires, LIMIT)
{
	uint64_t seed = 0x636c6f7365ULL, until;
	struct knell_op ops[24];
	int fd, i, round;

	for (round = 0; round < 2000; round++) {
		fd = knell_open(O_NONBLOCK);
		ASSERT_LE(0, fd);
		for (i = 0; i < 24; i++)
			ops[i] = op_timer(clocks[i % 3], 0, 1 + next_random(&seed) % 200000,
					  i % 2 ? 1000 : 0, i);
		ASSERT_EQ(0, submit_ops(fd, ops, 24));
		until = now() + next_random(&seed) % 200000;
		while (now() < until)
			;
		close(fd);
	}
	EXPECT_EQ(0, nr_queued_timers());
}

#define MANY		50000

static uint64_t *many_due;

static int arm_many(int fd, uint64_t deadline)
{
	static struct knell_op ops[KNELL_MAX_OPS];
	uint64_t seed = 0x6d616e79ULL;
	int i, n, err;

	for (i = 0; i < MANY; i += n) {
		for (n = 0; n < KNELL_MAX_OPS && i + n < MANY; n++) {
			many_due[i + n] = deadline + next_random(&seed) % NSEC_PER_SEC;
			ops[n] = op_timer(CLOCK_MONOTONIC, KNELL_OPF_ABS, many_due[i + n], 0,
					  i + n);
		}
		err = submit_ops(fd, ops, n);
		if (err)
			return err;
		if (ops[n - 1].result)
			return ops[n - 1].result;
	}
	return 0;
}

TEST_F_TIMEOUT(timer, fifty_thousand, LIMIT)
{
	static struct knell_event ev[256];
	uint64_t deadline, due = 0;
	char *fired = calloc(1, MANY);
	int i, n, got;

	many_due = calloc(MANY, sizeof(*many_due));
	ASSERT_NE(NULL, fired);
	ASSERT_NE(NULL, many_due);
	ASSERT_EQ(0, arm_ahead(&self->fd, arm_many, &deadline));
	ASSERT_EQ(MANY, nr_watches(self->fd));

	for (got = 0; got < MANY; got += n) {
		n = wait_events(self->fd, ev, 256, KNELL_FOREVER);
		ASSERT_LE(1, n);
		for (i = 0; i < n; i++) {
			ASSERT_GT(MANY, ev[i].token);
			ASSERT_EQ(0, fired[ev[i].token]++);
			ASSERT_EQ(many_due[ev[i].token], ev[i].timer.due_ns);
			ASSERT_LE(due, ev[i].timer.due_ns);
			ASSERT_LE(ev[i].timer.due_ns, ev[i].time_ns);
			due = ev[i].timer.due_ns;
		}
	}
	EXPECT_EQ(0, take(self->fd, ev));
	EXPECT_EQ(MANY, nr_watches(self->fd));
	EXPECT_EQ(0, nr_queued_timers());
}

TEST_HARNESS_MAIN
