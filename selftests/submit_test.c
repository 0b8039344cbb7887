// SPDX-License-Identifier: GPL-2.0-only
/* KNELL_IOC_SUBMIT: ops in order, each with its own result, then events. runner-limit: 600 */
#include "kselftest_harness.h"

#include "queue_test.h"

QUEUE_FIXTURE(submit)

#define UNTOUCHED	12345

static uint64_t now(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

static struct knell_op op_unknown(void)
{
	return (struct knell_op){ .op = 99 };
}

/* ioctl() as it is: what it returns, or -errno. */
static int submit(int fd, struct knell_submit *s)
{
	int ret = ioctl(fd, KNELL_IOC_SUBMIT, s);

	return ret < 0 ? -errno : ret;
}

static struct knell_submit submission(struct knell_op *ops, unsigned int nr_ops,
				      struct knell_event *ev, unsigned int nr_events,
				      uint64_t deadline)
{
	return (struct knell_submit){
		.ops = (uintptr_t)ops, .nr_ops = nr_ops, .ops_done = UNTOUCHED,
		.events = (uintptr_t)ev, .nr_events = nr_events, .deadline_ns = deadline,
	};
}

TEST_F_TIMEOUT(submit, nothing, LIMIT)
{
	struct knell_submit s = submission(NULL, 0, NULL, 0, KNELL_FOREVER);

	/* No room for events: nothing to wait for. */
	EXPECT_EQ(0, submit(self->fd, &s));
	EXPECT_EQ(0, s.ops_done);
}

TEST_F_TIMEOUT(submit, each_op_has_its_result, LIMIT)
{
	struct knell_op ops[] = {
		op_user(1), op_unknown(), op_user(2), op_del(0), op_user(3), op_trigger(~1U, 1),
	};
	const int results[] = { 0, -EINVAL, 0, -ENOENT, 0, -ENOENT };
	struct knell_submit s = submission(ops, 6, NULL, 0, 0);
	int i;

	for (i = 0; i < 6; i++)
		ops[i].result = UNTOUCHED;
	ASSERT_EQ(0, submit(self->fd, &s));
	EXPECT_EQ(6, s.ops_done);
	EXPECT_EQ(3, nr_watches(self->fd));
	for (i = 0; i < 6; i++) {
		EXPECT_EQ(results[i], ops[i].result);
		if (i % 2 == 0) {
			EXPECT_EQ(i / 2 + 1, watch_info(self->fd, ops[i].watch).token);
		}
	}
}

/* A failed ADD makes no handle. */
TEST_F_TIMEOUT(submit, failed_add, LIMIT)
{
	struct knell_op op = op_add(77, 0, 1);

	EXPECT_EQ(-EINVAL, submit_op(self->fd, &op));
	EXPECT_EQ(0, op.watch);
	op = op_timer(55, 0, 1, 0, 1);
	EXPECT_EQ(-EINVAL, submit_op(self->fd, &op));
	EXPECT_EQ(0, op.watch);
	EXPECT_EQ(0, nr_watches(self->fd));
}

TEST_F_TIMEOUT(submit, stop_at_the_first_failure, LIMIT)
{
	struct knell_op ops[] = { op_user(1), op_user(2), op_unknown(), op_user(3), op_user(4) };
	struct knell_submit s = submission(ops, 5, NULL, 0, 0);
	int i;

	s.flags = KNELL_SUBMIT_STOP;
	for (i = 0; i < 5; i++)
		ops[i].result = UNTOUCHED;
	ASSERT_EQ(0, submit(self->fd, &s));
	/* Tried, the failed one among them; what comes behind it was not looked at. */
	EXPECT_EQ(3, s.ops_done);
	EXPECT_EQ(0, ops[0].result);
	EXPECT_EQ(0, ops[1].result);
	EXPECT_EQ(-EINVAL, ops[2].result);
	for (i = 3; i < 5; i++) {
		EXPECT_EQ(UNTOUCHED, ops[i].result);
		EXPECT_EQ(0, ops[i].watch);
	}
	EXPECT_EQ(2, nr_watches(self->fd));

	/* Where none fails it does nothing. */
	s = submission(ops, 2, NULL, 0, 0);
	s.flags = KNELL_SUBMIT_STOP;
	ops[0] = op_user(5);
	ops[1] = op_user(6);
	ASSERT_EQ(0, submit(self->fd, &s));
	EXPECT_EQ(2, s.ops_done);
	EXPECT_EQ(4, nr_watches(self->fd));
}

TEST_F_TIMEOUT(submit, last, LIMIT)
{
	struct knell_op ops[] = {
		op_trigger(KNELL_LAST, 1),	/* 0: no ADD yet */
		op_user(1),
		op_trigger(KNELL_LAST, 2),
		op_trigger(KNELL_LAST, 4),
		op_user(2),
		op_trigger(KNELL_LAST, 8),
		op_mod(KNELL_LAST, 0, 3),
		op_add(99, 0, 1),
		op_trigger(KNELL_LAST, 16),	/* 8: the latest ADD failed */
		op_user(4),
		op_del(KNELL_LAST),
		op_del(KNELL_LAST),		/* 11: it is gone */
	};
	const int results[] = {
		-ENOENT, 0, 0, 0, 0, 0, 0, -EINVAL, -ENOENT, 0, 0, -ENOENT,
	};
	struct knell_submit s;
	struct knell_event ev[3];
	struct knell_op op;
	int i;

	s = submission(ops, 12, ev, 3, 0);
	ASSERT_EQ(2, submit(self->fd, &s));
	for (i = 0; i < 12; i++)
		EXPECT_EQ(results[i], ops[i].result);
	EXPECT_EQ(1, ev[0].token);
	EXPECT_EQ(6, ev[0].user.value);
	EXPECT_EQ(3, ev[1].token);
	EXPECT_EQ(8, ev[1].user.value);
	EXPECT_EQ(2, nr_watches(self->fd));

	/* It is the batch's, not the queue's. */
	op = op_trigger(KNELL_LAST, 1);
	EXPECT_EQ(-ENOENT, submit_op(self->fd, &op));
}

TEST_F_TIMEOUT(submit, full_batch, LIMIT)
{
	static struct knell_op ops[KNELL_MAX_OPS + 1];
	static struct knell_event ev[KNELL_MAX_OPS];
	struct knell_submit s;
	int i;

	for (i = 0; i < KNELL_MAX_OPS; i += 4) {
		ops[i] = i % 8 ? op_user(i) : op_timer(CLOCK_MONOTONIC, 0, HOUR_NS, 0, i);
		ops[i + 1] = op_trigger(KNELL_LAST, i);
		ops[i + 2] = op_mod(KNELL_LAST, 0, i + 1);
		ops[i + 3] = op_del(i % 16 == 12 ? ~1U : KNELL_LAST);
	}
	s = submission(ops, KNELL_MAX_OPS, ev, KNELL_MAX_OPS, 0);
	/* Every second is a bell, every second of which is not DELed: 128 and their records. */
	ASSERT_EQ(KNELL_MAX_OPS / 16, submit(self->fd, &s));
	EXPECT_EQ(KNELL_MAX_OPS, s.ops_done);
	EXPECT_EQ(KNELL_MAX_OPS / 16, nr_watches(self->fd));
	for (i = 0; i < KNELL_MAX_OPS; i += 4) {
		ASSERT_EQ(0, ops[i].result);
		ASSERT_NE(0, ops[i].watch);
		ASSERT_EQ(i % 8 ? 0 : -EINVAL, ops[i + 1].result);
		/* A timer's MOD with a clock of 0 and no times: disarmed. */
		ASSERT_EQ(0, ops[i + 2].result);
		ASSERT_EQ(i % 16 == 12 ? -ENOENT : 0, ops[i + 3].result);
	}
	for (i = 0; i < KNELL_MAX_OPS / 16; i++) {
		ASSERT_EQ(16 * i + 13, ev[i].token);
		ASSERT_EQ(16 * i + 12, ev[i].user.value);
	}

	s = submission(ops, KNELL_MAX_OPS + 1, ev, 1, 0);
	ops[0] = op_user(1);
	EXPECT_EQ(-E2BIG, submit(self->fd, &s));
	s = submission(ops, ~0U, ev, 1, 0);
	EXPECT_EQ(-E2BIG, submit(self->fd, &s));
	EXPECT_EQ(KNELL_MAX_OPS / 16, nr_watches(self->fd));
}

/* What kevent() buys: one call that changes and takes. */
TEST_F_TIMEOUT(submit, ops_and_events_at_once, LIMIT)
{
	struct knell_op ops[] = {
		op_user(1), op_trigger(KNELL_LAST, 1), op_user(2), op_trigger(KNELL_LAST, 2),
	};
	struct knell_event ev[2];
	struct knell_submit s = submission(ops, 4, ev, 1, KNELL_FOREVER);

	ASSERT_EQ(1, submit(self->fd, &s));
	EXPECT_EQ(1, ev[0].token);
	EXPECT_EQ(4, s.ops_done);
	ops[0] = op_trigger(ops[0].watch, 4);
	s = submission(ops, 1, ev, 2, KNELL_FOREVER);
	ASSERT_EQ(2, submit(self->fd, &s));
	EXPECT_EQ(2, ev[0].token);
	EXPECT_EQ(1, ev[1].token);
	EXPECT_EQ(4, ev[1].user.value);
}

TEST_F_TIMEOUT(submit, a_failed_op_means_no_wait, LIMIT)
{
	struct knell_op ops[] = { op_user(1), op_unknown() };
	struct knell_event ev;
	struct knell_submit s = submission(ops, 2, &ev, 1, KNELL_FOREVER);

	EXPECT_EQ(0, submit(self->fd, &s));
	EXPECT_EQ(2, s.ops_done);
	/* But what is there already is taken. */
	ASSERT_EQ(0, trigger(self->fd, ops[0].watch, 1));
	s = submission(ops + 1, 1, &ev, 1, KNELL_FOREVER);
	ASSERT_EQ(1, submit(self->fd, &s));
	EXPECT_EQ(1, ev.token);
	/* The same when it ends the ops. */
	s = submission(ops + 1, 1, &ev, 1, KNELL_FOREVER);
	s.flags = KNELL_SUBMIT_STOP;
	EXPECT_EQ(0, submit(self->fd, &s));
	EXPECT_EQ(1, s.ops_done);
}

TEST_F_TIMEOUT(submit, deadlines, LIMIT)
{
	struct knell_event ev[2];
	uint64_t deadline;
	int64_t watch;
	int i;

	/* None, and past ones: what is there, at once. */
	EXPECT_EQ(0, wait_events(self->fd, ev, 2, 0));
	EXPECT_EQ(0, wait_events(self->fd, ev, 2, 1));
	EXPECT_EQ(0, wait_events(self->fd, ev, 2, now()));
	watch = add_watch(self->fd, op_user(1));
	ASSERT_LT(0, watch);
	ASSERT_EQ(0, trigger(self->fd, watch, 1));
	EXPECT_EQ(1, wait_events(self->fd, ev, 2, 1));
	ASSERT_EQ(0, trigger(self->fd, watch, 1));
	EXPECT_EQ(1, wait_events(self->fd, ev, 2, 0));

	/* To come: 0, never early. */
	for (i = 0; i < 50; i++) {
		deadline = now() + i * 200000;
		EXPECT_EQ(0, wait_events(self->fd, ev, 2, deadline));
		EXPECT_LE(deadline, now());
	}

	/* An event before it. */
	ASSERT_LT(0, add_watch(self->fd, op_timer(CLOCK_MONOTONIC, 0, NSEC_PER_MSEC, 0, 2)));
	EXPECT_EQ(1, wait_events(self->fd, ev, 2, now() + HOUR_NS));
	EXPECT_EQ(2, ev[0].token);
	ASSERT_LT(0, add_watch(self->fd, op_timer(CLOCK_MONOTONIC, 0, NSEC_PER_MSEC, 0, 3)));
	EXPECT_EQ(1, wait_events(self->fd, ev, 2, S64_MAX));
	EXPECT_EQ(3, ev[0].token);

	/* No time at all. */
	EXPECT_EQ(-EINVAL, wait_events(self->fd, ev, 2, S64_MAX + 1));
	EXPECT_EQ(-EINVAL, wait_events(self->fd, ev, 2, ~0ULL - 1));
}

TEST_F_TIMEOUT(submit, takes_no_more_than_there_is_room_for, LIMIT)
{
	struct knell_event ev[4];
	int64_t watch;
	int i;

	for (i = 0; i < 3; i++) {
		watch = add_watch(self->fd, op_user(i));
		ASSERT_EQ(0, trigger(self->fd, watch, 1));
	}
	memset(ev, 0xee, sizeof(ev));
	ASSERT_EQ(2, wait_events(self->fd, ev, 2, KNELL_FOREVER));
	EXPECT_EQ(0xeeeeeeeeeeeeeeeeULL, ev[2].token);
	EXPECT_EQ(1, nr_pending(self->fd));
	/* Room that no memory could have does no harm. */
	ASSERT_EQ(1, wait_events(self->fd, ev, ~0U, KNELL_FOREVER));
	EXPECT_EQ(2, ev[0].token);
}

struct interrupt {
	pid_t pid;
	pid_t tid;
	int fd;
	uint32_t watch;
};

static volatile int caught;

static void count_signal(int sig)
{
	(void)sig;
	caught++;
}

static void *interrupt_once(void *arg)
{
	struct interrupt *i = arg;

	wait_blocked(i->pid, i->tid, SYS_ioctl);
	syscall(SYS_tgkill, i->pid, i->tid, SIGUSR1);
	return NULL;
}

static void *interrupt_then_ring(void *arg)
{
	struct interrupt *i = arg;

	interrupt_once(arg);
	while (!caught)
		sched_yield();
	wait_blocked(i->pid, i->tid, SYS_ioctl);
	trigger(i->fd, i->watch, 1);
	return NULL;
}

TEST_F_TIMEOUT(submit, a_signal_applies_ops_once, LIMIT)
{
	struct interrupt in = { getpid(), own_tid(), self->fd, 0 };
	const int flags[] = { 0, SA_RESTART };
	struct knell_op op = op_user(1);
	struct knell_event ev;
	struct knell_submit s;
	pthread_t thread;
	int i;

	/* Whatever the handler says, the call is not made again: 0. */
	for (i = 0; i < 20; i++) {
		caught = 0;
		catch_signal(SIGUSR1, count_signal, flags[i % 2]);
		ASSERT_EQ(0, pthread_create(&thread, NULL, interrupt_once, &in));
		op = op_user(i);
		s = submission(&op, 1, &ev, 1, i % 4 < 2 ? KNELL_FOREVER : now() + HOUR_NS);
		ASSERT_EQ(0, submit(self->fd, &s));
		pthread_join(thread, NULL);
		EXPECT_EQ(1, caught);
		EXPECT_EQ(1, s.ops_done);
		EXPECT_EQ(0, op.result);
		ASSERT_EQ(i + 1, nr_watches(self->fd));
		EXPECT_EQ(i, watch_info(self->fd, op.watch).token);
	}
}

TEST_F_TIMEOUT(submit, without_ops_a_signal_is_as_in_read, LIMIT)
{
	struct interrupt in = { getpid(), own_tid(), self->fd, 0 };
	const uint64_t deadlines[] = { KNELL_FOREVER, now() + HOUR_NS };
	struct knell_event ev;
	pthread_t thread;
	int i;

	in.watch = add_watch(self->fd, op_user(7));
	for (i = 0; i < 2; i++) {
		catch_signal(SIGUSR1, count_signal, 0);
		ASSERT_EQ(0, pthread_create(&thread, NULL, interrupt_once, &in));
		EXPECT_EQ(-EINTR, wait_events(self->fd, &ev, 1, deadlines[i]));
		pthread_join(thread, NULL);

		caught = 0;
		catch_signal(SIGUSR1, count_signal, SA_RESTART);
		ASSERT_EQ(0, pthread_create(&thread, NULL, interrupt_then_ring, &in));
		EXPECT_EQ(1, wait_events(self->fd, &ev, 1, deadlines[i]));
		EXPECT_EQ(7, ev.token);
		EXPECT_EQ(1, caught);
		pthread_join(thread, NULL);
	}

	/* An absolute deadline is the same one after a restart. */
	caught = 0;
	ASSERT_EQ(0, pthread_create(&thread, NULL, interrupt_once, &in));
	EXPECT_EQ(0, wait_events(self->fd, &ev, 1, now() + NSEC_PER_SEC));
	pthread_join(thread, NULL);
}

TEST_F_TIMEOUT(submit, fault_in_the_ops, LIMIT)
{
	const unsigned int fits = 3;
	struct knell_op *ops = (struct knell_op *)guarded(1) - fits;
	struct knell_submit s;
	unsigned int i;

	/* Three, and the fourth is not there: the three are done, and it is said so. */
	for (i = 0; i < fits; i++)
		ops[i] = op_user(i);
	s = submission(ops, 5, NULL, 0, 0);
	EXPECT_EQ(-EFAULT, submit(self->fd, &s));
	EXPECT_EQ(fits, s.ops_done);
	EXPECT_EQ(fits, nr_watches(self->fd));
	for (i = 0; i < fits; i++) {
		EXPECT_EQ(0, ops[i].result);
		EXPECT_EQ(i, watch_info(self->fd, ops[i].watch).token);
	}

	s = submission(NULL, 1, NULL, 0, 0);
	EXPECT_EQ(-EFAULT, submit(self->fd, &s));
	EXPECT_EQ(0, s.ops_done);
	s.ops = ~0ULL - 0xfff;
	EXPECT_EQ(-EFAULT, submit(self->fd, &s));
	s.ops = 0x8000000000000000ULL;
	EXPECT_EQ(-EFAULT, submit(self->fd, &s));
	EXPECT_EQ(fits, nr_watches(self->fd));
}

/* The second page of two can be read only. */
static char *half_writable(void)
{
	size_t page = sysconf(_SC_PAGESIZE);
	char *end = guarded(2);

	return mprotect(end - page, page, PROT_READ) ? NULL : end - page;
}

TEST_F_TIMEOUT(submit, a_result_that_cannot_be_told, LIMIT)
{
	size_t page = sysconf(_SC_PAGESIZE);
	char *border = half_writable();
	struct knell_op op, *at;
	struct knell_event ev;
	struct knell_submit s;
	int64_t watch;

	ASSERT_NE(NULL, border);
	watch = add_watch(self->fd, op_user(1));
	ASSERT_LT(0, watch);

	/* Read-only from the result on, at offset 12: not applied. */
	at = (struct knell_op *)(border - 12);
	ASSERT_EQ(0, mprotect(border, page, PROT_READ | PROT_WRITE));
	op = op_trigger(watch, 1);
	memcpy(at, &op, sizeof(op));
	ASSERT_EQ(0, mprotect(border, page, PROT_READ));
	s = submission(at, 1, &ev, 1, KNELL_FOREVER);
	EXPECT_EQ(-EFAULT, submit(self->fd, &s));
	EXPECT_EQ(0, s.ops_done);
	EXPECT_EQ(0, nr_pending(self->fd));
	EXPECT_EQ(0, take(self->fd, &ev));

	ASSERT_EQ(0, mprotect(border, page, PROT_READ | PROT_WRITE));
	op = op_user(2);
	memcpy(at, &op, sizeof(op));
	ASSERT_EQ(0, mprotect(border, page, PROT_READ));
	EXPECT_EQ(-EFAULT, submit(self->fd, &s));
	EXPECT_EQ(1, nr_watches(self->fd));
}

/* The result can be written, the handle beside it cannot: the ADD is undone. */
TEST_F_TIMEOUT(submit, a_handle_that_cannot_be_told, LIMIT)
{
	size_t page = sysconf(_SC_PAGESIZE);
	char *end = guarded(2), *border = end - page;
	struct knell_op op = op_timer(CLOCK_MONOTONIC, KNELL_OPF_ABS, 1, 0, 5), *at;
	struct knell_event ev;
	struct knell_submit s;
	int i;

	at = (struct knell_op *)(border - 12);
	s = submission(at, 1, &ev, 1, KNELL_FOREVER);
	for (i = 0; i < 100; i++) {
		ASSERT_EQ(0, mprotect(border - page, page, PROT_READ | PROT_WRITE));
		memcpy(at, &op, sizeof(op));
		ASSERT_EQ(0, mprotect(border - page, page, PROT_READ));
		ASSERT_EQ(-EFAULT, submit(self->fd, &s));
		ASSERT_EQ(0, s.ops_done);
		ASSERT_EQ(0, nr_watches(self->fd));
		ASSERT_EQ(0, nr_pending(self->fd));
	}
	/* The record that it may have had went with it. */
	EXPECT_EQ(0, wait_events(self->fd, &ev, 1, now() + 10 * NSEC_PER_MSEC));
}

TEST_F_TIMEOUT(submit, fault_in_the_events, LIMIT)
{
	struct knell_event *nowhere = (struct knell_event *)guarded(1), ev;
	struct knell_submit s;
	struct knell_op op;
	int64_t watch[2];
	int i;

	for (i = 0; i < 2; i++) {
		watch[i] = add_watch(self->fd, op_user(i));
		ASSERT_LT(0, watch[i]);
		ASSERT_EQ(0, trigger(self->fd, watch[i], 1));
	}
	EXPECT_EQ(-EFAULT, wait_events(self->fd, nowhere, 2, 0));
	EXPECT_EQ(-EFAULT, wait_events(self->fd, NULL, 2, KNELL_FOREVER));
	EXPECT_EQ(2, nr_pending(self->fd));

	/* The op is applied, and ops_done says so. */
	op = op_trigger(watch[1], 2);
	s = submission(&op, 1, nowhere, 2, 0);
	EXPECT_EQ(-EFAULT, submit(self->fd, &s));
	EXPECT_EQ(1, s.ops_done);
	EXPECT_EQ(0, op.result);
	EXPECT_EQ(2, nr_pending(self->fd));

	/* Those before the hole are returned, the others stay. */
	EXPECT_EQ(1, wait_events(self->fd, nowhere - 1, 2, KNELL_FOREVER));
	EXPECT_EQ(0, nowhere[-1].token);
	ASSERT_EQ(1, take(self->fd, &ev));
	EXPECT_EQ(1, ev.token);
	EXPECT_EQ(2, ev.user.count);
	EXPECT_EQ(3, ev.user.value);
}

TEST_F_TIMEOUT(submit, fault_in_the_struct, LIMIT)
{
	char *border = half_writable();
	struct knell_submit *s = (struct knell_submit *)border;
	struct knell_event ev[2] = { };
	struct knell_op op = op_user(9);
	size_t page = sysconf(_SC_PAGESIZE);
	int64_t watch;
	int ret;

	ASSERT_NE(NULL, border);
	EXPECT_EQ(-EFAULT, submit(self->fd, NULL));
	EXPECT_EQ(-EFAULT, submit(self->fd, (void *)(border + page)));
	EXPECT_EQ(-EFAULT, submit(self->fd, (void *)(border + page - 8)));

	/* It can be read but not written: what is pending is not lost, whatever is said. */
	watch = add_watch(self->fd, op_user(1));
	ASSERT_EQ(0, trigger(self->fd, watch, 1));
	ASSERT_EQ(0, mprotect(border, page, PROT_READ | PROT_WRITE));
	*s = submission(&op, 1, ev, 2, 0);
	ASSERT_EQ(0, mprotect(border, page, PROT_READ));
	ret = submit(self->fd, s);
	EXPECT_EQ(-EFAULT, ret);
	EXPECT_EQ(0, ev[0].type);
	EXPECT_EQ(1, nr_pending(self->fd));
	/* The op had been applied before that was known; its own result tells. */
	EXPECT_EQ(0, op.result);
	EXPECT_EQ(9, watch_info(self->fd, op.watch).token);
	ASSERT_EQ(1, take(self->fd, ev));
}

TEST_F_TIMEOUT(submit, unknown_flags, LIMIT)
{
	struct knell_op op = op_user(1);
	struct knell_submit s;
	int bit;

	for (bit = 1; bit < 32; bit++) {
		s = submission(&op, 1, NULL, 0, 0);
		s.flags = 1U << bit;
		EXPECT_EQ(-EINVAL, submit(self->fd, &s));
		s.flags |= KNELL_SUBMIT_STOP;
		EXPECT_EQ(-EINVAL, submit(self->fd, &s));
	}
	EXPECT_EQ(0, nr_watches(self->fd));
}

/* A caller from the future, whose struct is larger. */
struct large_submit {
	struct knell_submit s;
	uint64_t more[4];
};

#define IOC_LARGE	_IOWR(0xDA, 0x21, struct large_submit)
#define IOC_SMALL(n)	_IOC(_IOC_READ | _IOC_WRITE, 0xDA, 0x21, n)

TEST_F_TIMEOUT(submit, sizes, LIMIT)
{
	struct large_submit large = { };
	struct knell_event ev;
	struct knell_op op = op_user(1);
	unsigned int size, i;

	large.s = submission(&op, 1, &ev, 1, 0);
	EXPECT_EQ(0, ioctl(self->fd, IOC_LARGE, &large));
	EXPECT_EQ(1, large.s.ops_done);
	EXPECT_EQ(1, nr_watches(self->fd));
	for (i = 0; i < 4; i++) {
		op = op_user(1);
		large.s = submission(&op, 1, &ev, 1, 0);
		memset(large.more, 0, sizeof(large.more));
		large.more[i] = 1ULL << (i * 16);
		EXPECT_EQ(-1, ioctl(self->fd, IOC_LARGE, &large));
		EXPECT_EQ(E2BIG, errno);
	}
	EXPECT_EQ(1, nr_watches(self->fd));

	large.s = submission(&op, 1, &ev, 1, 0);
	for (size = 0; size < sizeof(struct knell_submit); size++) {
		EXPECT_EQ(-1, ioctl(self->fd, IOC_SMALL(size), &large));
		EXPECT_EQ(EINVAL, errno);
	}
	EXPECT_EQ(1, nr_watches(self->fd));
}

/* Many threads that add, ring and take in one queue: each knows its own. */
#define BUSY		4
#define TURNS		500

struct busy {
	int fd;
	int nr;
	int failed;
	uint64_t taken;
};

static void *submit_busily(void *arg)
{
	struct busy *b = arg;
	struct knell_event ev[16];
	struct knell_submit s;
	int i, n, turn;

	for (turn = 0; turn < TURNS; turn++) {
		struct knell_op ops[] = {
			op_add(KNELL_USER, KNELL_OPF_ONESHOT, b->nr), op_trigger(KNELL_LAST, 1),
			op_user(b->nr), op_trigger(KNELL_LAST, 1), op_del(KNELL_LAST),
		};

		s = submission(ops, 5, ev, 16, 0);
		n = submit(b->fd, &s);
		if (n < 0) {
			b->failed = 1;
			return NULL;
		}
		/* Another thread may read a record at once, and with it goes a oneshot. */
		for (i = 0; i < 5; i++)
			b->failed |= ops[i].result != 0;
		for (i = 0; i < n; i++)
			b->taken += ev[i].user.count;
	}
	return NULL;
}

TEST_F_TIMEOUT(submit, from_many_threads, LIMIT)
{
	struct busy busy[BUSY];
	pthread_t threads[BUSY];
	struct knell_event ev;
	uint64_t taken = 0;
	int i;

	for (i = 0; i < BUSY; i++) {
		busy[i] = (struct busy){ self->fd, i, 0, 0 };
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, submit_busily, &busy[i]));
	}
	for (i = 0; i < BUSY; i++) {
		pthread_join(threads[i], NULL);
		EXPECT_EQ(0, busy[i].failed);
		taken += busy[i].taken;
	}
	while (take(self->fd, &ev) == 1)
		taken += ev.user.count;
	/* Every oneshot exactly once; of the others those that were read before their DEL. */
	EXPECT_LE(BUSY * TURNS, taken);
	EXPECT_GE(2 * BUSY * TURNS, taken);
	EXPECT_EQ(0, nr_watches(self->fd));
	EXPECT_EQ(0, nr_pending(self->fd));
}

TEST_HARNESS_MAIN
