// SPDX-License-Identifier: GPL-2.0-only
/* USER watches: a doorbell that counts, from wherever it is rung. runner-limit: 600 */
#include "kselftest_harness.h"

#include <sys/time.h>

#include "queue_test.h"

QUEUE_FIXTURE(user)

TEST_F_TIMEOUT(user, trigger_counts_and_ors, LIMIT)
{
	uint64_t before, after;
	struct knell_event ev;
	int64_t watch;
	int i;

	watch = add_watch(self->fd, op_user(0xfedcba9876543210ULL));
	ASSERT_LT(0, watch);
	EXPECT_EQ(1, watch_state(self->fd, watch));
	EXPECT_EQ(0, take(self->fd, &ev));

	before = clock_ns(CLOCK_MONOTONIC);
	ASSERT_EQ(0, trigger(self->fd, watch, 0x8000000000000001ULL));
	after = clock_ns(CLOCK_MONOTONIC);
	ASSERT_EQ(0, trigger(self->fd, watch, 0x10));
	ASSERT_EQ(0, trigger(self->fd, watch, 0x11));
	ASSERT_EQ(0, trigger(self->fd, watch, 0));
	EXPECT_EQ(1, nr_pending(self->fd));
	EXPECT_EQ(2, watch_state(self->fd, watch));
	EXPECT_EQ(4, watch_info(self->fd, watch).value);

	memset(&ev, 0xff, sizeof(ev));
	ASSERT_EQ(1, take(self->fd, &ev));
	EXPECT_EQ(KNELL_EV_USER, ev.type);
	EXPECT_EQ(0, ev.flags);
	EXPECT_EQ(watch, ev.watch);
	EXPECT_EQ(0xfedcba9876543210ULL, ev.token);
	EXPECT_EQ(4, ev.user.count);
	EXPECT_EQ(0x8000000000000011ULL, ev.user.value);
	/* Those of the first ring. */
	EXPECT_LE(before, ev.time_ns);
	EXPECT_GE(after, ev.time_ns);
	for (i = 2; i < 12; i++)
		EXPECT_EQ(0, ev.raw[i]);

	/* It begins anew. */
	EXPECT_EQ(0, take(self->fd, &ev));
	EXPECT_EQ(1, watch_state(self->fd, watch));
	EXPECT_EQ(0, watch_info(self->fd, watch).value);
	ASSERT_EQ(0, trigger(self->fd, watch, 2));
	ASSERT_EQ(1, take(self->fd, &ev));
	EXPECT_EQ(1, ev.user.count);
	EXPECT_EQ(2, ev.user.value);
}

TEST_F_TIMEOUT(user, folding_keeps_its_place, LIMIT)
{
	struct knell_event ev[3];
	int64_t watch[3];
	uint64_t second;
	int i;

	for (i = 0; i < 3; i++) {
		watch[i] = add_watch(self->fd, op_user(i));
		ASSERT_LT(0, watch[i]);
	}
	ASSERT_EQ(0, trigger(self->fd, watch[1], 1));
	second = clock_ns(CLOCK_MONOTONIC);
	ASSERT_EQ(0, trigger(self->fd, watch[0], 1));
	ASSERT_EQ(0, trigger(self->fd, watch[2], 1));
	ASSERT_EQ(0, trigger(self->fd, watch[1], 2));
	ASSERT_EQ(0, trigger(self->fd, watch[0], 2));
	EXPECT_EQ(3, nr_pending(self->fd));

	ASSERT_EQ(3 * RECORD, read(self->fd, ev, sizeof(ev)));
	EXPECT_EQ(1, ev[0].token);
	EXPECT_EQ(0, ev[1].token);
	EXPECT_EQ(2, ev[2].token);
	EXPECT_EQ(3, ev[0].user.value);
	EXPECT_EQ(2, ev[0].user.count);
	EXPECT_GE(second, ev[0].time_ns);
	EXPECT_LE(second, ev[1].time_ns);
	EXPECT_EQ(1, ev[0].seq);
	EXPECT_EQ(2, ev[1].seq);
	EXPECT_EQ(3, ev[2].seq);
}

TEST_F_TIMEOUT(user, token_is_that_of_the_reading, LIMIT)
{
	struct knell_event ev;
	struct knell_op op;
	int64_t watch;

	watch = add_watch(self->fd, op_user(1));
	ASSERT_LT(0, watch);
	ASSERT_EQ(0, trigger(self->fd, watch, 4));
	op = op_mod(watch, 0, 2);
	ASSERT_EQ(0, submit_op(self->fd, &op));
	EXPECT_EQ(2, watch_info(self->fd, watch).token);
	/* A doorbell has no schedule: MOD takes nothing away. */
	ASSERT_EQ(1, take(self->fd, &ev));
	EXPECT_EQ(2, ev.token);
	EXPECT_EQ(4, ev.user.value);
	EXPECT_EQ(1, ev.user.count);

	op.type = KNELL_USER;
	op.token = 0;
	ASSERT_EQ(0, submit_op(self->fd, &op));
	ASSERT_EQ(0, trigger(self->fd, watch, 1));
	ASSERT_EQ(1, take(self->fd, &ev));
	EXPECT_EQ(0, ev.token);
}

TEST_F_TIMEOUT(user, oneshot, LIMIT)
{
	struct knell_event ev;
	struct knell_op op;
	int64_t watch;

	watch = add_watch(self->fd, op_add(KNELL_USER, KNELL_OPF_ONESHOT, 1));
	ASSERT_LT(0, watch);
	EXPECT_EQ(KNELL_OPF_ONESHOT, watch_info(self->fd, watch).flags);
	ASSERT_EQ(0, trigger(self->fd, watch, 1));
	ASSERT_EQ(0, trigger(self->fd, watch, 2));
	EXPECT_EQ(1, nr_watches(self->fd));
	ASSERT_EQ(1, take(self->fd, &ev));
	EXPECT_EQ(2, ev.user.count);
	EXPECT_EQ(3, ev.user.value);
	EXPECT_EQ(0, nr_watches(self->fd));
	EXPECT_EQ(-ENOENT, trigger(self->fd, watch, 1));
	EXPECT_EQ(-ENOENT, del_watch(self->fd, watch));

	/* MOD gives and takes it. */
	watch = add_watch(self->fd, op_add(KNELL_USER, KNELL_OPF_ONESHOT, 1));
	ASSERT_LT(0, watch);
	op = op_mod(watch, 0, 1);
	ASSERT_EQ(0, submit_op(self->fd, &op));
	ASSERT_EQ(0, trigger(self->fd, watch, 1));
	ASSERT_EQ(1, take(self->fd, &ev));
	EXPECT_EQ(1, nr_watches(self->fd));
	op = op_mod(watch, KNELL_OPF_ONESHOT, 1);
	ASSERT_EQ(0, submit_op(self->fd, &op));
	ASSERT_EQ(0, trigger(self->fd, watch, 1));
	ASSERT_EQ(1, take(self->fd, &ev));
	EXPECT_EQ(0, nr_watches(self->fd));
}

TEST_F_TIMEOUT(user, del_takes_the_record, LIMIT)
{
	struct knell_event ev;
	int64_t watch[2];
	int i;

	for (i = 0; i < 2; i++) {
		watch[i] = add_watch(self->fd, op_user(i));
		ASSERT_EQ(0, trigger(self->fd, watch[i], 1));
	}
	ASSERT_EQ(0, del_watch(self->fd, watch[0]));
	EXPECT_EQ(1, nr_pending(self->fd));
	ASSERT_EQ(1, take(self->fd, &ev));
	EXPECT_EQ(1, ev.token);
	/* The gap is where the other one was. */
	EXPECT_EQ(2, ev.seq);
	EXPECT_EQ(0, take(self->fd, &ev));
}

/* A signal becomes a record of the queue in which it finds the process asleep. */
static int bell_fd;
static uint32_t bell;

static void ring(int sig)
{
	int saved = errno;

	trigger(bell_fd, bell, 1ULL << sig);
	errno = saved;
}

struct signaller {
	pid_t pid;
	pid_t tid;
	int sig;
};

static void *signal_when_asleep(void *arg)
{
	struct signaller *s = arg;

	wait_blocked(s->pid, s->tid, SYS_read);
	syscall(SYS_tgkill, s->pid, s->tid, s->sig);
	return NULL;
}

TEST_F_TIMEOUT(user, from_a_signal_handler, LIMIT)
{
	struct signaller s = { getpid(), own_tid(), SIGTERM };
	struct knell_event ev;
	pthread_t thread;
	int i;

	bell_fd = self->fd;
	bell = add_watch(self->fd, op_user(15));
	ASSERT_NE(0, bell);
	ASSERT_EQ(0, fcntl(self->fd, F_SETFL, O_RDWR));
	catch_signal(SIGTERM, ring, SA_RESTART);
	for (i = 0; i < 20; i++) {
		ASSERT_EQ(0, pthread_create(&thread, NULL, signal_when_asleep, &s));
		ASSERT_EQ(RECORD, read(self->fd, &ev, sizeof(ev)));
		pthread_join(thread, NULL);
		EXPECT_EQ(1, ev.user.count);
		EXPECT_EQ(1ULL << SIGTERM, ev.user.value);
	}
}

/* A storm of signals over a thread that submits and reads all the time. */
static volatile unsigned long rings;

static void ring_and_count(int sig)
{
	rings++;
	ring(sig);
}

TEST_F_TIMEOUT(user, from_a_signal_handler_inside_submit, LIMIT)
{
	const struct itimerval storm = { { 0, 500 }, { 0, 500 } }, calm = { };
	unsigned long heard = 0;
	struct knell_event ev;
	int64_t own;

	bell_fd = self->fd;
	bell = add_watch(self->fd, op_user(1));
	own = add_watch(self->fd, op_user(2));
	ASSERT_NE(0, bell);
	ASSERT_LT(0, own);
	catch_signal(SIGALRM, ring_and_count, SA_RESTART);
	ASSERT_EQ(0, setitimer(ITIMER_REAL, &storm, NULL));
	while (rings < 2000) {
		ASSERT_EQ(0, trigger(self->fd, own, 1));
		while (take(self->fd, &ev) == 1)
			if (ev.token == 1)
				heard += ev.user.count;
	}
	ASSERT_EQ(0, setitimer(ITIMER_REAL, &calm, NULL));
	while (take(self->fd, &ev) == 1)
		if (ev.token == 1)
			heard += ev.user.count;
	EXPECT_EQ(rings, heard);
}

#define RINGERS		4
#define RINGS		25000

struct ringer {
	int fd;
	uint32_t watch;
	int nr;
	int failed;
};

static void *ring_often(void *arg)
{
	struct ringer *r = arg;
	int i;

	pin_to_cpu(r->nr % 2);
	for (i = 0; i < RINGS; i++)
		if (trigger(r->fd, r->watch, 1ULL << (r->nr * 16 + i % 16)))
			r->failed = 1;
	return NULL;
}

TEST_F_TIMEOUT(user, from_threads_while_reading, LIMIT)
{
	uint64_t count = 0, value = 0, seq = 0;
	struct ringer ringers[RINGERS];
	pthread_t threads[RINGERS];
	struct knell_event ev;
	int64_t watch;
	int i;

	watch = add_watch(self->fd, op_user(1));
	ASSERT_LT(0, watch);
	ASSERT_EQ(0, fcntl(self->fd, F_SETFL, O_RDWR));
	for (i = 0; i < RINGERS; i++) {
		ringers[i] = (struct ringer){ self->fd, watch, i, 0 };
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, ring_often, &ringers[i]));
	}
	/* Were a single one lost, this would not end. */
	while (count < RINGERS * RINGS) {
		ASSERT_EQ(RECORD, read(self->fd, &ev, sizeof(ev)));
		ASSERT_LE(1, ev.user.count);
		ASSERT_LT(seq, ev.seq);
		seq = ev.seq;
		count += ev.user.count;
		value |= ev.user.value;
	}
	for (i = 0; i < RINGERS; i++) {
		pthread_join(threads[i], NULL);
		EXPECT_EQ(0, ringers[i].failed);
	}
	EXPECT_EQ(RINGERS * RINGS, count);
	EXPECT_EQ(~0ULL, value);
	EXPECT_EQ(0, nr_pending(self->fd));
}

TEST_F_TIMEOUT(user, from_a_forked_process, LIMIT)
{
	struct knell_event ev;
	uint64_t count = 0;
	int64_t watch;
	pid_t pid;
	int i;

	watch = add_watch(self->fd, op_user(1));
	ASSERT_LT(0, watch);
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		for (i = 0; i < 1000; i++)
			if (trigger(self->fd, watch, i + 1))
				_exit(1);
		_exit(0);
	}
	while (count < 1000) {
		ASSERT_EQ(1, wait_event(self->fd, &ev));
		count += ev.user.count;
	}
	EXPECT_EQ(1000, count);
	EXPECT_EQ(0, child_status(pid));
	EXPECT_EQ(0, take(self->fd, &ev));
}

TEST_F_TIMEOUT(user, only_bells_ring, LIMIT)
{
	int64_t timer, process, watch;
	struct knell_op op;

	timer = add_watch(self->fd, op_timer(CLOCK_MONOTONIC, 0, HOUR_NS, 0, 1));
	process = add_watch(self->fd, op_process(getpid(), 0, 1));
	watch = add_watch(self->fd, op_user(1));
	ASSERT_LT(0, timer);
	ASSERT_LT(0, process);
	ASSERT_LT(0, watch);
	EXPECT_EQ(-EINVAL, trigger(self->fd, timer, 1));
	EXPECT_EQ(-EINVAL, trigger(self->fd, process, 1));
	op = op_trigger(watch, 1);
	op.type = KNELL_TIMER;
	EXPECT_EQ(-EINVAL, submit_op(self->fd, &op));
	op.type = KNELL_USER;
	EXPECT_EQ(0, submit_op(self->fd, &op));
	EXPECT_EQ(1, nr_pending(self->fd));
}

TEST_HARNESS_MAIN
