// SPDX-License-Identifier: GPL-2.0-only
/* What an heir reads: LIST's gate, then what was not acknowledged (OPF_ACK). runner-limit: 900 */
#include "kselftest_harness.h"

#include "keep_fixture.h"

/* --- the gate: nothing is delivered until LIST has been read */

/* Five bells, of which the first three have rung. */
static int hang_bells(struct manager *m)
{
	int64_t *watch = m->arg;
	int i;

	for (i = 0; i < 5; i++) {
		watch[i] = add_watch(m->fd, op_user(i));
		CHECK(watch[i] > 0);
		CHECK(i >= 3 || trigger(m->fd, watch[i], 1 << i) == 0);
	}
	return 0;
}

/* Does nothing come, in whatever way one asks? */
static int is_gated(int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	uint64_t soon = clock_ns(CLOCK_MONOTONIC) + NSEC_PER_MSEC;
	struct knell_event ev;

	CHECK(fcntl(fd, F_SETFL, O_NONBLOCK) == 0);
	CHECK(take(fd, &ev) == 0);
	CHECK(wait_events(fd, &ev, 1, 0) == 0);
	CHECK(wait_events(fd, &ev, 1, soon) == 0);
	CHECK(clock_ns(CLOCK_MONOTONIC) >= soon);
	CHECK(poll(&pfd, 1, 0) == 0);
	return 0;
}

TEST_F_TIMEOUT(keep, nothing_comes_before_list, LIMIT)
{
	struct manager m = { .name = NAME, .work = hang_bells, .arg = self->sh };
	int64_t *watch = self->sh;
	struct knell_list list = { }, *read_only;
	struct knell_watch_info wi[8];
	struct knell_event ev[8];
	struct knell_op op;
	int fd, i;

	ASSERT_EQ(0, live_and_die(&m, false));
	fd = attach(self->fd, NAME);
	ASSERT_LE(0, fd);
	EXPECT_EQ(0, is_gated(fd));
	EXPECT_EQ(3, nr_pending(fd));
	/* What happens meanwhile waits as well; ops go on. */
	ASSERT_EQ(0, trigger(fd, watch[3], 8));
	EXPECT_EQ(4, nr_pending(fd));
	EXPECT_EQ(0, is_gated(fd));

	/* Only counted; in part; broken; told, but not how far that was. */
	EXPECT_EQ(0, ioctl(fd, KNELL_IOC_LIST, &list));
	EXPECT_EQ(5, list.total);
	EXPECT_EQ(0, is_gated(fd));
	EXPECT_EQ(1, list_watches(fd, wi, 1, 0));
	EXPECT_EQ(0, is_gated(fd));
	EXPECT_EQ(2, list_watches(fd, wi, 2, watch[0]));
	EXPECT_EQ(0, is_gated(fd));
	EXPECT_EQ(-EFAULT, list_watches(fd, NULL, 8, 0));
	EXPECT_EQ(0, is_gated(fd));
	list.pad = 1;
	EXPECT_EQ(-1, ioctl(fd, KNELL_IOC_LIST, &list));
	EXPECT_EQ(0, is_gated(fd));
	EXPECT_EQ(-EFAULT, list_watches(fd, (void *)(guarded(1) - 5 * sizeof(*wi) + 8), 5, 0));
	EXPECT_EQ(0, is_gated(fd));
	read_only = (void *)(guarded(1) - getpagesize());
	read_only->watches = (uintptr_t)wi;
	read_only->nr = 8;
	ASSERT_EQ(0, mprotect(read_only, getpagesize(), PROT_READ));
	EXPECT_EQ(-EFAULT, ioctl_error(fd, KNELL_IOC_LIST, read_only));
	EXPECT_EQ(0, is_gated(fd));

	/* That is what it is for: from here on they have tokens of ours. */
	for (i = 0; i < 5; i++) {
		op = op_mod(watch[i], 0, 100 + i);
		EXPECT_EQ(0, submit_op(fd, &op));
	}
	EXPECT_EQ(0, is_gated(fd));
	EXPECT_EQ(2, list_watches(fd, wi, 2, watch[2]));
	EXPECT_EQ(103, wi[0].token);
	EXPECT_EQ(2, wi[0].state);
	EXPECT_EQ(1, wi[1].state);
	ASSERT_EQ(4, wait_events(fd, ev, 8, 0));
	for (i = 0; i < 4; i++) {
		EXPECT_EQ(watch[i], ev[i].watch);
		EXPECT_EQ(100 + i, ev[i].token);
		EXPECT_EQ(1 << i, ev[i].user.value);
	}
	/* Once is enough. */
	ASSERT_EQ(0, trigger(fd, watch[4], 1));
	ASSERT_EQ(1, wait_events(fd, ev, 8, 0));
	ASSERT_EQ(0, keep_off(fd, NAME));
	close(fd);
}

/* A manager that counts first has nothing to list if there is nothing. */
TEST_F_TIMEOUT(keep, an_empty_list_is_read_when_it_is_counted, LIMIT)
{
	struct manager m = { .name = NAME };
	struct knell_event ev;
	int64_t watch;
	int fd;

	ASSERT_EQ(0, live_and_die(&m, false));
	fd = attach(self->fd, NAME);
	ASSERT_LE(0, fd);
	watch = add_watch(fd, op_user(1));
	ASSERT_EQ(0, trigger(fd, watch, 1));
	EXPECT_EQ(0, list_watches(fd, NULL, 0, 0));
	EXPECT_EQ(0, is_gated(fd));
	ASSERT_EQ(0, del_watch(fd, watch));
	EXPECT_EQ(0, list_watches(fd, NULL, 0, 0));
	watch = add_watch(fd, op_user(1));
	ASSERT_EQ(0, trigger(fd, watch, 1));
	EXPECT_EQ(1, wait_events(fd, &ev, 1, 0));
	ASSERT_EQ(0, keep_off(fd, NAME));
	close(fd);
}

static void *open_the_gate(void *arg)
{
	int *fd = arg;

	wait_blocked(getpid(), fd[1], fd[2]);
	fd[3] = read_list(fd[0]);
	return NULL;
}

TEST_F_TIMEOUT(keep, who_waits_at_the_gate_is_woken, LIMIT)
{
	struct manager m = { .name = NAME, .work = hang_bells, .arg = self->sh };
	struct pollfd pfd = { .events = POLLIN };
	struct knell_event ev[8];
	pthread_t thread;
	int arg[4], how;

	ASSERT_EQ(0, live_and_die(&m, false));
	for (how = IN_READ; how <= IN_POLL; how++) {
		arg[0] = attach(self->fd, NAME);
		arg[1] = own_tid();
		arg[2] = sleeps_in[how];
		arg[3] = -1;
		ASSERT_LE(0, arg[0]);
		ASSERT_EQ(0, pthread_create(&thread, NULL, open_the_gate, arg));
		pfd.fd = arg[0];
		if (how == IN_READ)
			EXPECT_EQ(RECORD, read(arg[0], ev, RECORD));
		if (how == IN_SUBMIT)
			EXPECT_EQ(1, wait_events(arg[0], ev, 1, KNELL_FOREVER));
		if (how == IN_POLL)
			EXPECT_EQ(1, poll(&pfd, 1, -1));
		pthread_join(thread, NULL);
		EXPECT_EQ(5, arg[3]);
		close(arg[0]);
	}
	ASSERT_EQ(0, drop_queue(NAME));
}

/* --- OPF_ACK */

#define PROCS	5

struct acked {
	int64_t process[PROCS];
	int64_t pid[PROCS];
	int64_t timer, plain;
	int to_read;			/* how many the next manager reads */
	struct knell_event ev[16];	/* what it read */
};

static int64_t add_ack(int fd, uint64_t token)
{
	return add_watch(fd, op_add(KNELL_PROCESS, KNELL_OPF_NEXT | KNELL_OPF_ACK, token));
}

/* Processes that end one after the other, a timer, one process without OPF_ACK. */
static int have_acked_watches(struct manager *m)
{
	struct acked *a = m->arg;
	int i;

	for (i = 0; i < PROCS; i++) {
		if (i == 2) {
			a->timer = add_watch(m->fd, op_timer(CLOCK_MONOTONIC, KNELL_OPF_ACK, 1, 0,
							     50));
			CHECK(a->timer > 0);
			while (watch_state(m->fd, a->timer) != 2)
				sched_yield();
		}
		a->process[i] = add_ack(m->fd, i + 1);
		CHECK(a->process[i] > 0);
		if (!fork_into(&a->pid[i]))
			_exit(i + 1);
		CHECK(await_zombie(a->pid[i]) == 0);
	}
	a->plain = add_next(m->fd, 60);
	CHECK(a->plain > 0);
	if (!fork())
		_exit(60);
	while (watch_state(m->fd, a->plain) != 2)
		sched_yield();
	return 0;
}

/* Reads some of what there is. */
static int read_some(struct manager *m)
{
	struct acked *a = m->arg;

	memset(a->ev, 0, sizeof(a->ev));
	CHECK(read_records(m->fd, a->ev, a->to_read) == a->to_read);
	return 0;
}

/* The order in which have_acked_watches() has made them happen. */
static const uint64_t in_order[] = { 1, 2, 50, 3, 4, 5, 60 };

TEST_F_TIMEOUT(keep, what_was_not_acknowledged_comes_again, LIMIT)
{
	struct acked *a = (void *)self->sh;
	struct manager m = { .name = NAME, .work = have_acked_watches, .arg = a };
	struct knell_event first[7], ev[16];
	int fd, i, n = ARRAY_SIZE(in_order);

	ASSERT_EQ(0, prctl(PR_SET_CHILD_SUBREAPER, 1));
	/* Nobody reads. */
	ASSERT_EQ(0, live_and_die(&m, false));
	m.work = read_some;
	/* The first reads 4: none of them is new to whoever comes after it. */
	a->to_read = 4;
	ASSERT_EQ(0, live_and_die(&m, true));
	memcpy(first, a->ev, sizeof(first));
	for (i = 0; i < 4; i++) {
		EXPECT_EQ(in_order[i], first[i].token);
		EXPECT_EQ(0, first[i].flags);
	}
	/* The second reads 2 of these: they come a third time, in their place. */
	a->to_read = 2;
	ASSERT_EQ(0, live_and_die(&m, true));
	for (i = 0; i < 2; i++)
		EXPECT_EQ(0, memcmp(&a->ev[i].seq, &first[i].seq, RECORD - 16));
	/* The third reads all there is, and does not acknowledge. */
	a->to_read = n;
	ASSERT_EQ(0, live_and_die(&m, true));
	for (i = 0; i < n; i++) {
		EXPECT_EQ(in_order[i], a->ev[i].token);
		EXPECT_EQ(i < 4 ? KNELL_EVF_REDELIVERED : 0, a->ev[i].flags);
		if (i)
			EXPECT_LT(a->ev[i - 1].seq, a->ev[i].seq);
	}
	for (i = 0; i < 4; i++) {
		EXPECT_EQ(first[i].watch, a->ev[i].watch);
		EXPECT_EQ(0, memcmp(&a->ev[i].seq, &first[i].seq, RECORD - 16));
	}
	memcpy(first, a->ev, sizeof(first));

	/* What has no OPF_ACK was the third's; of the others we DEL two, before and after. */
	fd = attach(self->fd, NAME);
	ASSERT_LE(0, fd);
	EXPECT_EQ(6, nr_pending(fd));
	EXPECT_EQ(2, watch_state(fd, a->process[1]));
	EXPECT_EQ(0, del_watch(fd, a->process[1]));
	EXPECT_EQ(5, nr_pending(fd));
	EXPECT_EQ(5, read_list(fd));
	ASSERT_EQ(5, wait_events(fd, ev, 16, 0));
	EXPECT_EQ(0, nr_pending(fd));
	for (i = 0; i < 5; i++) {
		EXPECT_EQ(in_order[i + !!i], ev[i].token);
		EXPECT_EQ(KNELL_EVF_REDELIVERED, ev[i].flags);
		EXPECT_EQ(3, watch_state(fd, ev[i].watch));
		EXPECT_EQ(0, memcmp(&ev[i].seq, &first[i + !!i].seq, RECORD - 16));
	}
	EXPECT_EQ(0, del_watch(fd, a->process[2]));
	close(fd);
	fd = take_over(NAME);
	ASSERT_EQ(4, wait_events(fd, ev, 16, 0));
	EXPECT_EQ(1, ev[0].token);
	EXPECT_EQ(50, ev[1].token);
	EXPECT_EQ(4, ev[2].token);
	EXPECT_EQ(5, ev[3].token);
	for (i = 0; i < 4; i++)
		EXPECT_EQ(0, del_watch(fd, ev[i].watch));
	close(fd);
	fd = take_over(NAME);
	ASSERT_LE(0, fd);
	EXPECT_EQ(0, nr_watches(fd));
	EXPECT_EQ(0, nr_pending(fd));
	ASSERT_EQ(0, keep_off(fd, NAME));
	close(fd);
}

static int take_it(struct manager *m)
{
	struct knell_event *ev = m->arg;

	return next_event(m->fd, ev) == 1 ? 0 : -EPROTO;
}

static int arm_and_take(struct manager *m)
{
	CHECK(add_watch(m->fd, op_timer(CLOCK_MONOTONIC, KNELL_OPF_ACK, 1, 0, 1)) > 0);
	return take_it(m);
}

TEST_F_TIMEOUT(keep, mod_acknowledges_a_timer, LIMIT)
{
	struct knell_event *first = (void *)self->sh, ev;
	struct manager m = { .name = NAME, .work = arm_and_take, .arg = first };
	struct knell_op op;
	int fd;

	ASSERT_EQ(0, live_and_die(&m, false));
	m.work = take_it;
	ASSERT_EQ(0, live_and_die(&m, true));
	EXPECT_EQ(KNELL_EVF_REDELIVERED, first->flags);

	/* Another schedule: neither the old expiration nor its mark is left. */
	fd = take_over(NAME);
	ASSERT_LE(0, fd);
	op = op_mod_timer(first->watch, CLOCK_MONOTONIC, 0, HOUR_NS, 0, 2);
	ASSERT_EQ(0, submit_op(fd, &op));
	EXPECT_EQ(0, nr_pending(fd));
	EXPECT_EQ(1, watch_state(fd, first->watch));
	close(fd);
	fd = take_over(NAME);
	ASSERT_LE(0, fd);
	EXPECT_EQ(0, nr_pending(fd));
	op = op_mod_timer(first->watch, CLOCK_MONOTONIC, 0, 1, 0, 3);
	ASSERT_EQ(0, submit_op(fd, &op));
	ASSERT_EQ(1, next_event(fd, &ev));
	EXPECT_EQ(3, ev.token);
	EXPECT_EQ(0, ev.flags);
	EXPECT_LT(first->seq, ev.seq);
	/* After it was read it is the same. */
	op = op_mod_timer(first->watch, CLOCK_MONOTONIC, 0, HOUR_NS, 0, 4);
	ASSERT_EQ(0, submit_op(fd, &op));
	close(fd);
	fd = take_over(NAME);
	EXPECT_EQ(0, nr_pending(fd));
	EXPECT_EQ(1, nr_watches(fd));
	ASSERT_EQ(0, keep_off(fd, NAME));
	close(fd);
}

/* A periodic timer goes on by itself; what was read of it was its reader's. */
TEST_F_TIMEOUT(keep, a_periodic_timer_is_not_redelivered, LIMIT)
{
	struct knell_event *first = (void *)self->sh, ev;
	int fd;

	fd = knell_open(0);
	ASSERT_EQ(0, keep_queue(fd, NAME));
	ASSERT_LT(0, add_watch(fd, op_timer(CLOCK_MONOTONIC, KNELL_OPF_ACK, 0, NSEC_PER_MSEC, 1)));
	close(fd);
	fd = take_over(NAME);
	ASSERT_EQ(1, next_event(fd, first));
	close(fd);
	fd = take_over(NAME);
	ASSERT_EQ(1, next_event(fd, &ev));
	EXPECT_EQ(0, ev.flags);
	EXPECT_LT(first->seq, ev.seq);
	EXPECT_EQ(first->timer.due_ns + first->timer.expirations * NSEC_PER_MSEC, ev.timer.due_ns);
	ASSERT_EQ(0, keep_off(fd, NAME));
	close(fd);
}

#define MANY	300

/* More than are copied, or moved, at a time. */
static int have_many(struct manager *m)
{
	struct knell_event ev;
	int i;

	for (i = 0; i < MANY; i++)
		CHECK(add_watch(m->fd, op_timer(CLOCK_MONOTONIC, KNELL_OPF_ACK, 1 + i, 0, i)) > 0);
	for (i = 0; i < MANY - 50; i++)
		CHECK(next_event(m->fd, &ev) == 1);
	return 0;
}

TEST_F_TIMEOUT(keep, many_come_again, LIMIT)
{
	struct manager m = { .name = NAME, .work = have_many };
	struct knell_event ev;
	uint64_t seq = 0;
	int fd, i, again = 0;

	ASSERT_EQ(0, live_and_die(&m, false));
	fd = take_over(NAME);
	ASSERT_LE(0, fd);
	for (i = 0; i < MANY; i++) {
		ASSERT_EQ(1, next_event(fd, &ev));
		EXPECT_LT(seq, ev.seq);
		EXPECT_EQ(i, ev.token);
		seq = ev.seq;
		again += ev.flags == KNELL_EVF_REDELIVERED;
	}
	EXPECT_EQ(MANY - 50, again);
	EXPECT_EQ(0, nr_pending(fd));
	EXPECT_EQ(MANY, nr_watches(fd));
	ASSERT_EQ(0, keep_off(fd, NAME));
	close(fd);
}

TEST_HARNESS_MAIN
