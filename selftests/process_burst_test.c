// SPDX-License-Identifier: GPL-2.0-only
/*
 * Many processes that die at once, each in its own way: none is lost, none is
 * told twice, and the order of the records is that of their seq.
 *
 * runner-limit: 1500
 */
#include "kselftest_harness.h"

#include <stdatomic.h>

#include "process_test.h"

/* Of each variant: 20,000 with each SIGCHLD, 20,000 with each buffer. */
#define EXITS		rounds(10000)
#define MOST		250	/* in one burst */
#define STACK_SIZE	4096

static const int deadly[] = { SIGKILL, SIGTERM, SIGHUP, SIGUSR1, SIGALRM, SIGPIPE };

FIXTURE(burst) {
	int queue;
	int gate[2];
	char *stacks;
	int *status;	/* that each is to have, by token */
	pid_t *pid;
	bool *seen;
	unsigned int born, dead;
	uint64_t seed;
	uint64_t seq;
};

FIXTURE_VARIANT(burst) {
	bool autoreap;
	unsigned int room;	/* records that one read() takes */
};

FIXTURE_VARIANT_ADD(burst, zombies_one_record) { .room = 1 };
FIXTURE_VARIANT_ADD(burst, zombies_64_records) { .room = 64 };
FIXTURE_VARIANT_ADD(burst, autoreap_one_record) { .autoreap = true, .room = 1 };
FIXTURE_VARIANT_ADD(burst, autoreap_64_records) { .autoreap = true, .room = 64 };

FIXTURE_SETUP(burst)
{
	self->queue = knell_open(0);
	ASSERT_LE(0, self->queue);
	self->stacks = shared(MOST * STACK_SIZE);
	self->status = calloc(EXITS, sizeof(*self->status));
	self->pid = calloc(EXITS, sizeof(*self->pid));
	self->seen = calloc(EXITS, sizeof(*self->seen));
	ASSERT_TRUE(self->status && self->pid && self->seen);
	self->seed = 0x853c49e6748fea9bULL + variant->autoreap * 2 + (variant->room == 1);
	if (variant->autoreap)
		catch_signal(SIGCHLD, SIG_DFL, SA_NOCLDWAIT);
}

FIXTURE_TEARDOWN(burst)
{
	close(self->queue);
	free(self->status);
	free(self->pid);
	free(self->seen);
}

static unsigned int draw(uint64_t *seed, unsigned int below)
{
	return (next_random(seed) >> 11) % below;
}

static int random_status(uint64_t *seed)
{
	if (draw(seed, 4))
		return draw(seed, 256) << 8;
	return deadly[draw(seed, ARRAY_SIZE(deadly))];
}

/* What a child needs; it lies on top of its stack. */
struct order {
	int gate;
	int status;
};

/*
 * A child shares this program's memory and its thread's errno: only calls that
 * do not fail. It waits for a byte at the gate, then dies as it was told.
 */
static int die(void *arg)
{
	const struct order *order = arg;
	char c;

	syscall(SYS_read, order->gate, &c, 1);
	if (order->status & 0x7f)
		syscall(SYS_kill, syscall(SYS_getpid), order->status);
	syscall(SYS_exit_group, order->status >> 8);
	return 0;
}

static pid_t birth(char *stack, int gate, int status)
{
	struct order *order = (struct order *)(stack + STACK_SIZE) - 1;

	*order = (struct order){ .gate = gate, .status = status };
	return clone(die, (char *)((uintptr_t)order & ~15UL), CLONE_VM | SIGCHLD, order);
}

/* Lets @nr children go at once. */
static void open_gate(struct __test_metadata *_metadata, const int *gate, unsigned int nr)
{
	static const char bytes[MOST];

	ASSERT_EQ((ssize_t)nr, write(gate[1], bytes, nr));
}

static void close_gate(const int *gate)
{
	close(gate[0]);
	close(gate[1]);
}

enum { NEXT, PID_BATCH, PIDFDS, WAYS };

/* Starts @nr children that wait at the gate, tokens from @first on; OPF_NEXT enrols them. */
static void give_birth(struct __test_metadata *_metadata, FIXTURE_DATA(burst) *self,
		       unsigned int first, unsigned int nr, int way)
{
	for (unsigned int i = first; i < first + nr; i++) {
		self->status[i] = random_status(&self->seed);
		if (way == NEXT)
			ASSERT_LT(0, add_next(self->queue, i));
		self->pid[i] = birth(self->stacks + (i - first) * STACK_SIZE, self->gate[0],
				     self->status[i]);
		ASSERT_LT(0, self->pid[i]);
	}
}

static void add_batch(struct __test_metadata *_metadata, FIXTURE_DATA(burst) *self,
		      unsigned int first, unsigned int nr, int way)
{
	struct knell_op op[MOST];

	for (unsigned int i = 0; i < nr; i++) {
		if (way == PID_BATCH) {
			op[i] = op_process(self->pid[first + i], 0, first + i);
			continue;
		}
		op[i] = op_add(KNELL_PROCESS, KNELL_OPF_PIDFD, first + i);
		op[i].process.pidfd = pidfd_of(self->pid[first + i]);
		ASSERT_LE(0, op[i].process.pidfd);
	}
	ASSERT_EQ(0, submit_ops(self->queue, op, nr));
	for (unsigned int i = 0; i < nr; i++) {
		ASSERT_EQ(0, op[i].result);
		if (way == PIDFDS)
			close(op[i].process.pidfd);
	}
}

static void check_exit(struct __test_metadata *_metadata, FIXTURE_DATA(burst) *self,
		       const struct knell_event *ev, bool autoreap)
{
	siginfo_t si;

	ASSERT_EQ(KNELL_EV_EXIT, ev->type);
	ASSERT_EQ(0, ev->flags);
	ASSERT_LT(ev->token, self->born);
	ASSERT_FALSE(self->seen[ev->token]);
	ASSERT_LT(self->seq, ev->seq);
	ASSERT_EQ(self->pid[ev->token], ev->exit.pid);
	ASSERT_EQ(self->status[ev->token], ev->exit.status);
	self->seq = ev->seq;
	self->seen[ev->token] = true;
	self->dead++;
	if (autoreap)
		return;
	ASSERT_EQ(0, waitid(P_PID, ev->exit.pid, &si, WEXITED | WNOHANG));
	ASSERT_EQ(ev->exit.pid, si.si_pid);
	ASSERT_EQ(ev->exit.status, status_word(&si));
}

static void read_some(struct __test_metadata *_metadata, FIXTURE_DATA(burst) *self,
		      const FIXTURE_VARIANT(burst) *variant)
{
	struct knell_event ev[64];
	ssize_t n = read(self->queue, ev, variant->room * sizeof(*ev));

	ASSERT_LT(0, n);
	ASSERT_EQ(0, n % sizeof(*ev));
	for (unsigned int i = 0; i < n / sizeof(*ev); i++)
		check_exit(_metadata, self, &ev[i], variant->autoreap);
}

/*
 * Where zombies stay, some bursts are enrolled when the gate is open already:
 * of these some are dead at ADD, some die in it.
 */
TEST_F_TIMEOUT(burst, none_lost_none_twice, LIMIT)
{
	bool late;
	unsigned int burst, first, nr;

	for (burst = 0; self->born < EXITS; burst++) {
		const int way = burst % WAYS;

		late = !variant->autoreap && way != NEXT && burst & 1;
		first = self->born;
		nr = 1 + draw(&self->seed, MOST);
		if (nr > EXITS - first)
			nr = EXITS - first;
		ASSERT_EQ(0, pipe(self->gate));
		give_birth(_metadata, self, first, nr, way);
		self->born += nr;
		if (late)
			open_gate(_metadata, self->gate, nr);
		if (way != NEXT)
			add_batch(_metadata, self, first, nr, way);
		if (!late) {
			ASSERT_TRUE(nothing_pending(self->queue));
			ASSERT_EQ(nr, nr_watches(self->queue));
			open_gate(_metadata, self->gate, nr);
		}
		while (self->dead < self->born)
			read_some(_metadata, self, variant);
		close_gate(self->gate);
		ASSERT_TRUE(nothing_pending(self->queue));
		ASSERT_EQ(0, nr_watches(self->queue));
	}
	EXPECT_EQ(EXITS, self->dead);
	for (unsigned int i = 0; i < EXITS; i++)
		ASSERT_TRUE(self->seen[i]);
	EXPECT_EQ(-1, waitpid(-1, NULL, 0));
	EXPECT_EQ(ECHILD, errno);
}

/* Readers in two threads of a burst that nobody waits for: each record goes to one of them. */
struct readers {
	int queue;
	atomic_uint seen[MOST];
	atomic_uint left;
	atomic_uint bad;
	atomic_uint gone;
};

static void *read_until_none(void *arg)
{
	struct readers *r = arg;
	struct knell_event ev[4];
	uint64_t seq = 0;
	ssize_t n;

	while (atomic_load(&r->left)) {
		n = read(r->queue, ev, sizeof(ev)) / (ssize_t)sizeof(*ev);
		for (ssize_t i = 0; i < n; i++) {
			if (ev[i].type == KNELL_EV_USER)
				continue;
			if (ev[i].seq <= seq || ev[i].token >= MOST)
				atomic_fetch_add(&r->bad, 1);
			else
				atomic_fetch_add(&r->seen[ev[i].token], 1);
			seq = ev[i].seq;
			atomic_fetch_sub(&r->left, 1);
		}
	}
	atomic_fetch_add(&r->gone, 1);
	return NULL;
}

/* The one that takes the last record leaves the other asleep: ring until both are gone. */
static void *ring(void *arg)
{
	struct readers *r = arg;
	int64_t bell = add_watch(r->queue, op_user(0));

	while (atomic_load(&r->left))
		sched_yield();
	while (atomic_load(&r->gone) < 2) {
		trigger(r->queue, bell, 1);
		sched_yield();
	}
	del_watch(r->queue, bell);
	return NULL;
}

TEST_F_TIMEOUT(burst, two_readers, LIMIT)
{
	struct readers r = { .queue = self->queue };
	pthread_t reader[2], ringer;
	unsigned int nr = MOST;

	for (int round = 0; round < 2; round++) {
		memset(r.seen, 0, sizeof(r.seen));
		atomic_store(&r.left, nr);
		atomic_store(&r.gone, 0);
		ASSERT_EQ(0, pipe(self->gate));
		give_birth(_metadata, self, 0, nr, PID_BATCH);
		add_batch(_metadata, self, 0, nr, PID_BATCH);
		for (int i = 0; i < 2; i++)
			ASSERT_EQ(0, pthread_create(&reader[i], NULL, read_until_none, &r));
		open_gate(_metadata, self->gate, nr);
		ASSERT_EQ(0, pthread_create(&ringer, NULL, ring, &r));
		pthread_join(ringer, NULL);
		for (int i = 0; i < 2; i++)
			pthread_join(reader[i], NULL);
		close_gate(self->gate);
		for (unsigned int i = 0; i < nr; i++)
			ASSERT_EQ(1, atomic_load(&r.seen[i]));
		ASSERT_EQ(0, atomic_load(&r.bad));
		ASSERT_TRUE(nothing_pending(self->queue));
		ASSERT_EQ(0, nr_watches(self->queue));
		while (waitpid(-1, NULL, 0) > 0)
			;
	}
}

TEST_HARNESS_MAIN
