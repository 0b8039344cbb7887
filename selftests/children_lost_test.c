// SPDX-License-Identifier: GPL-2.0-only
/*
 * CHILDREN, when there are more deaths than records: the LOST says how many, and waitid(2) finds
 * them. A ledger accounts for each child once, by its record or by a rescan.
 */
#include "kselftest_harness.h"

#include <sys/epoll.h>

#include "children_test.h"
#include "trap_test.h"

/* Zombies count against this, of which a small guest has few. */
static void allow_zombies(struct __test_metadata *_metadata)
{
	FILE *f = fopen("/proc/sys/kernel/threads-max", "w");

	ASSERT_NE(NULL, f);
	ASSERT_LT(0, fprintf(f, "20000\n"));
	ASSERT_EQ(0, fclose(f));
}

/* Zombies, in this order: vfork(2) returns before the child is one. */
static void breed(struct __test_metadata *_metadata, pid_t *pid, int first, int nr)
{
	for (int i = first; i < first + nr; i++) {
		pid[i] = born_vfork(i % 251);
		ASSERT_LT(0, pid[i]);
		ASSERT_EQ(0, await_zombie(pid[i]));
	}
}

/* The LOST stays until it is read, says how many, comes in its place, and then it is over. */
TEST_F_TIMEOUT(children, lost_is_sticky, LIMIT)
{
	struct epoll_event edge = { .events = EPOLLIN | EPOLLET };
	int ep = epoll_create1(EPOLL_CLOEXEC), i;
	struct pollfd pfd = { .fd = self->fd, .events = POLLIN };
	struct knell_event ev;
	pid_t pid[RESERVE + 10];

	ASSERT_EQ(0, epoll_ctl(ep, EPOLL_CTL_ADD, self->fd, &edge));
	breed(_metadata, pid, 0, RESERVE);
	EXPECT_EQ(1, epoll_wait(ep, &edge, 1, 0));
	EXPECT_EQ(RESERVE, nr_pending(self->fd));
	breed(_metadata, pid, RESERVE, 1);
	EXPECT_EQ(RESERVE + 1, nr_pending(self->fd));
	EXPECT_EQ(1, epoll_wait(ep, &edge, 1, 0));
	/* Folding is no news. */
	breed(_metadata, pid, RESERVE + 1, 2);
	EXPECT_EQ(RESERVE + 1, nr_pending(self->fd));
	EXPECT_EQ(0, epoll_wait(ep, &edge, 1, 0));
	/* One place is free: it is taken, behind the LOST, and the next is lost again. */
	next_death(_metadata, self, TOKEN, pid[0], 0, &ev);
	breed(_metadata, pid, RESERVE + 3, 2);
	EXPECT_EQ(RESERVE + 1, nr_pending(self->fd));
	for (i = 1; i < RESERVE; i++)
		next_death(_metadata, self, TOKEN, pid[i], i % 251 << 8, &ev);

	EXPECT_EQ(1, poll(&pfd, 1, 0));
	EXPECT_EQ(-1, read(self->fd, guarded(0), sizeof(ev)));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(1, poll(&pfd, 1, 0));
	EXPECT_EQ(2, watch_state(self->fd, self->watch));
	ASSERT_EQ(1, pending_event(self->fd, &ev));
	EXPECT_EQ(KNELL_EV_LOST, ev.type);
	EXPECT_EQ(0, ev.flags);
	EXPECT_EQ(TOKEN, ev.token);
	EXPECT_EQ(self->watch, ev.watch);
	EXPECT_EQ(RESERVE + 1, ev.seq);
	EXPECT_EQ(4, ev.tree.lost);
	EXPECT_EQ(0, ev.tree.pid | ev.tree.ppid | ev.tree.members);
	self->seq = ev.seq;
	next_death(_metadata, self, TOKEN, pid[RESERVE + 3], (RESERVE + 3) % 251 << 8, &ev);
	EXPECT_TRUE(nothing_pending(self->fd));
	EXPECT_EQ(1, watch_state(self->fd, self->watch));

	for (i = 0; i < RESERVE + 5; i++)
		EXPECT_EQ(i % 251 << 8, reap(pid[i]));
	see_death(_metadata, self, born_fork(1), 1 << 8);
	close(ep);
}

struct trapped {
	struct trap trap;
	int fd;
	ssize_t ret;
};

static void *read_one(void *arg)
{
	struct trapped *t = arg;

	t->ret = read(t->fd, t->trap.page, sizeof(struct knell_event));
	return NULL;
}

/* More is lost while a reader has the LOST and has not come to an end: that is another one. */
TEST_F_TIMEOUT(children, lost_under_a_reader, LIMIT)
{
	struct trapped t = { .fd = self->fd };
	static pid_t pid[2 * RESERVE + 10];
	struct knell_event ev, *got;
	pthread_t thread;

	breed(_metadata, pid, 0, RESERVE + 3);
	for (int i = 0; i < RESERVE; i++)
		next_death(_metadata, self, TOKEN, pid[i], i % 251 << 8, &ev);
	ASSERT_EQ(0, set_trap(&t.trap));
	ASSERT_EQ(0, pthread_create(&thread, NULL, read_one, &t));
	ASSERT_EQ(0, wait_trapped(&t.trap));
	breed(_metadata, pid, RESERVE + 3, RESERVE + 2);
	ASSERT_EQ(0, end_trap(&t.trap));
	pthread_join(thread, NULL);
	got = (struct knell_event *)t.trap.page;
	EXPECT_EQ((ssize_t)sizeof(ev), t.ret);
	EXPECT_EQ(KNELL_EV_LOST, got->type);
	EXPECT_EQ(3, got->tree.lost);
	self->seq = got->seq;
	for (int i = RESERVE + 3; i < 2 * RESERVE + 3; i++)
		next_death(_metadata, self, TOKEN, pid[i], i % 251 << 8, &ev);
	ASSERT_EQ(1, pending_event(self->fd, &ev));
	EXPECT_EQ(KNELL_EV_LOST, ev.type);
	EXPECT_EQ(2, ev.tree.lost);
	EXPECT_TRUE(nothing_pending(self->fd));
	EXPECT_EQ(1, watch_state(self->fd, self->watch));
	for (int i = 0; i < 2 * RESERVE + 5; i++)
		EXPECT_EQ(i % 251 << 8, reap(pid[i]));
	close(t.trap.fd);
}

#define BURST	5000

/* What is known of each child, by its pid. */
struct ledger {
	int status[1 << 16];	/* that it was to have, + 1 */
	int by_record[1 << 16];
	int by_rescan[1 << 16];
	unsigned int records, lost, rescanned;
};

/* Rescan: whatever waitid(2) finds, until it finds nothing; or nobody, with @wait. */
static void rescan(struct __test_metadata *_metadata, struct ledger *l, bool wait)
{
	siginfo_t si;

	for (;;) {
		si.si_pid = 0;
		if (waitid(P_ALL, 0, &si, WEXITED | (wait ? 0 : WNOHANG) | __WALL)) {
			ASSERT_EQ(ECHILD, errno);
			return;
		}
		if (!si.si_pid)
			return;
		ASSERT_EQ(0, l->by_rescan[si.si_pid]);
		ASSERT_EQ(0, l->by_record[si.si_pid]);
		l->by_rescan[si.si_pid] = status_word(&si) + 1;
		l->rescanned++;
	}
}

/* A record may come for one that a rescan has reaped; who is neither has to be there. */
static void account(struct __test_metadata *_metadata, struct ledger *l,
		    const struct knell_event *ev)
{
	pid_t pid = ev->exit.pid;

	if (ev->type == KNELL_EV_LOST) {
		l->lost += ev->tree.lost;
		rescan(_metadata, l, false);
		return;
	}
	ASSERT_EQ(KNELL_EV_EXIT, ev->type);
	ASSERT_EQ(0, ev->flags);
	l->records++;
	if (l->by_rescan[pid]) {
		ASSERT_EQ(ev->exit.status + 1, l->by_rescan[pid]);
		return;
	}
	ASSERT_EQ(0, l->by_record[pid]);
	l->by_record[pid] = ev->exit.status + 1;
	ASSERT_EQ(ev->exit.status, reap(pid));
}

/* Every child that was made is in the ledger once, with its status, and no other. */
static void balance(struct __test_metadata *_metadata, const struct ledger *l, unsigned int made)
{
	unsigned int accounted = 0;

	for (unsigned int i = 0; i < ARRAY_SIZE(l->status); i++) {
		ASSERT_EQ(l->status[i], l->by_record[i] + l->by_rescan[i]);
		accounted += l->status[i] != 0;
	}
	EXPECT_EQ(made, accounted);
	EXPECT_EQ(made, l->records + l->lost);
	EXPECT_EQ(-1, waitid(P_ALL, 0, NULL, WEXITED | WNOHANG | __WALL));
	EXPECT_EQ(ECHILD, errno);
}

TEST_F_TIMEOUT(children, burst_and_rescan, LIMIT)
{
	struct ledger *l = calloc(1, sizeof(*l));
	static pid_t pid[BURST];
	struct knell_event ev;

	ASSERT_NE(NULL, l);
	allow_zombies(_metadata);
	breed(_metadata, pid, 0, BURST);
	for (int i = 0; i < BURST; i++)
		l->status[pid[i]] = (i % 251 << 8) + 1;
	EXPECT_EQ(RESERVE + 1, nr_pending(self->fd));
	while (pending_event(self->fd, &ev))
		account(_metadata, l, &ev);
	EXPECT_EQ(RESERVE, l->records);
	EXPECT_EQ(BURST - RESERVE, l->lost);
	EXPECT_EQ(BURST - RESERVE, l->rescanned);
	balance(_metadata, l, BURST);
	free(l);
}

/* Threads that have children, while one reads now and then. */
struct breeder {
	struct ledger *ledger;
	uint64_t seed;
	unsigned int nr;
	unsigned int *left;
	pthread_t thread;
};

static void *run_breeder(void *arg)
{
	struct breeder *b = arg;

	for (unsigned int i = 0; i < b->nr; i++) {
		int status = next_random(&b->seed) % 251;
		pid_t pid = born_vfork(status);

		/* Each writes of its own children only, and nobody reads before all is done. */
		if (pid > 0)
			b->ledger->status[pid] = (status << 8) + 1;
	}
	__atomic_fetch_sub(b->left, 1, __ATOMIC_RELEASE);
	return NULL;
}

TEST_F_TIMEOUT(children, many_breeders_and_a_slow_reader, LIMIT)
{
	enum { BREEDERS = 4, EACH = 600 };
	struct ledger *l = calloc(1, sizeof(*l));
	struct breeder b[BREEDERS];
	unsigned int left = BREEDERS, rounds = 0;
	struct knell_event ev[16];
	int i, n;

	ASSERT_NE(NULL, l);
	allow_zombies(_metadata);
	for (i = 0; i < BREEDERS; i++) {
		b[i] = (struct breeder){
			.ledger = l, .seed = 0x9e3779b97f4a7c15ULL + i, .nr = EACH, .left = &left,
		};
		ASSERT_EQ(0, pthread_create(&b[i].thread, NULL, run_breeder, &b[i]));
	}
	do {
		/* Sleeps through some hundred deaths, then reads, a while in step with them. */
		while (__atomic_load_n(&left, __ATOMIC_ACQUIRE) && rounds % 64 == 0 &&
		       nr_pending(self->fd) <= RESERVE)
			sched_yield();
		n = wait_events(self->fd, ev, ARRAY_SIZE(ev), 0);
		ASSERT_LE(0, n);
		for (i = 0; i < n; i++) {
			ASSERT_LT(self->seq, ev[i].seq);
			self->seq = ev[i].seq;
			account(_metadata, l, &ev[i]);
		}
		rounds++;
	} while (n || __atomic_load_n(&left, __ATOMIC_ACQUIRE));
	for (i = 0; i < BREEDERS; i++)
		ASSERT_EQ(0, pthread_join(b[i].thread, NULL));
	/* vfork(2) returns before the last ones are dead. */
	while (l->records + l->lost < BREEDERS * EACH) {
		ASSERT_EQ(1, next_event(self->fd, &ev[0]));
		account(_metadata, l, &ev[0]);
	}
	EXPECT_TRUE(nothing_pending(self->fd));
	EXPECT_LT(0, l->lost);
	TH_LOG("%u records, %u lost, %u found by rescans", l->records, l->lost, l->rescanned);
	balance(_metadata, l, BREEDERS * EACH);
	free(l);
}

/* ADD and DEL in turn while children die: those that are told are told once, and right. */
TEST_F_TIMEOUT(children, add_and_del_in_a_storm, LIMIT)
{
	struct ledger *l = calloc(1, sizeof(*l));
	unsigned int left = 2;
	struct breeder b[2];
	struct knell_event ev;
	int64_t watch = self->watch;
	int i;

	ASSERT_NE(NULL, l);
	allow_zombies(_metadata);
	for (i = 0; i < 2; i++) {
		b[i] = (struct breeder){
			.ledger = l, .seed = 0x9e3779b97f4a7c15ULL + i, .nr = 300, .left = &left,
		};
		ASSERT_EQ(0, pthread_create(&b[i].thread, NULL, run_breeder, &b[i]));
	}
	while (__atomic_load_n(&left, __ATOMIC_ACQUIRE)) {
		for (i = 0; i < 8 && pending_event(self->fd, &ev); i++) {
			ASSERT_EQ(watch, ev.watch);
			account(_metadata, l, &ev);
		}
		ASSERT_EQ(0, del_watch(self->fd, watch));
		ASSERT_TRUE(nothing_pending(self->fd));
		watch = add_children(self->fd);
		ASSERT_LT(0, watch);
	}
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, pthread_join(b[i].thread, NULL));
	EXPECT_LT(0, l->records);
	while (pending_event(self->fd, &ev))
		account(_metadata, l, &ev);
	rescan(_metadata, l, true);
	for (unsigned int pid = 0; pid < ARRAY_SIZE(l->status); pid++)
		ASSERT_EQ(l->status[pid], l->by_record[pid] + l->by_rescan[pid]);
	free(l);
}

TEST_HARNESS_MAIN
