// SPDX-License-Identifier: GPL-2.0-only
/*
 * Everything at once on one queue, from a fixed seed: threads that fork, enrol
 * in each way, kill and DEL; readers with buffers of any size; and one who opens
 * queues, watches the same processes and closes them. Every child is reported
 * exactly once, with the status that wait(2) gives, unless its watch was DELed.
 *
 * runner-limit: 900
 */
#include "kselftest_harness.h"

#include <stdatomic.h>

#include "process_test.h"

#define WORKERS		3
#define READERS		2
#define CHILDREN	rounds(1000)	/* of each worker */
#define LIVE		16	/* of them at a time */
#define TOTAL		(WORKERS * CHILDREN)
#define BELL		(~0ULL)

struct child {
	atomic_int pid;
	uint32_t watch;		/* 0: the child's own affair */
	uint64_t token;
};

/* What happened to each token: by its worker, and by whichever reader got it. */
struct account {
	int waited;
	bool deleted;
	atomic_int reports;
	atomic_int told;
};

static struct account account[TOTAL];
static struct child child[WORKERS][LIVE];
static atomic_uint bad, deletions, killed;
static atomic_bool over;
static atomic_int readers_gone;
static int queue;

struct worker {
	unsigned int nr;
	uint64_t seed;
};

static unsigned int draw(uint64_t *seed, unsigned int below)
{
	return (next_random(seed) >> 11) % below;
}

static void complain(const char *what, long value)
{
	if (atomic_fetch_add(&bad, 1) < 20)
		fprintf(stderr, "# %s: %ld\n", what, value);
}

/* What a child does with its life: a code to exit with, or it waits to be killed. */
static void live(unsigned int lot)
{
	if (lot % 4 == 0)
		for (;;)
			pause();
	if (lot % 4 == 1)
		sched_yield();
	_exit(lot % 90);
}

enum { NEXT, PID, PIDFD, SELF, WAYS };

static int64_t add_child(pid_t pid, unsigned int way, uint64_t token)
{
	int pidfd;
	int64_t watch;

	if (way == PID)
		return add_pid(queue, pid, token);
	pidfd = pidfd_of(pid);
	watch = add_pidfd(queue, pidfd, token);
	close(pidfd);
	return watch;
}

static void start_child(struct worker *w, struct child *c, uint64_t token)
{
	unsigned int way = draw(&w->seed, WAYS), lot = draw(&w->seed, 1000);
	int64_t watch = 0;
	pid_t pid;

	if (way == NEXT)
		watch = add_next(queue, token);
	pid = fork();
	if (!pid) {
		if (way == SELF && add_self(queue, token) <= 0)
			_exit(BROKEN);
		live(way == SELF ? lot | 1 : lot);
	}
	if (pid < 0) {
		complain("fork", errno);
		exit(BROKEN);
	}
	/* Not reaped yet, so it is there. */
	if (way == PID || way == PIDFD)
		watch = add_child(pid, way, token);
	if (watch < 0)
		complain("ADD", watch);
	c->watch = watch > 0 ? watch : 0;
	c->token = token;
	atomic_store(&c->pid, pid);
}

static void kill_child(struct child *c)
{
	int err = c->watch ? kill_watch(queue, c->watch, SIGKILL) : 0;

	if (!err)
		atomic_fetch_add(&killed, 1);
	else if (err != -ESRCH && err != -ENOENT)
		complain("KILL", err);
}

static void del_child(struct child *c)
{
	int err = c->watch ? del_watch(queue, c->watch) : -ENOENT;

	if (!err) {
		account[c->token].deleted = true;
		atomic_fetch_add(&deletions, 1);
		c->watch = 0;
	} else if (err != -ENOENT) {
		complain("DEL", err);
	}
}

/* One that enrols itself is given the time to do so: it never waits to be killed. */
static void end_child(struct child *c)
{
	pid_t pid = atomic_load(&c->pid);

	if (!pid)
		return;
	if (c->watch || account[c->token].deleted)
		kill(pid, SIGKILL);
	account[c->token].waited = reap(pid);
	atomic_store(&c->pid, 0);
}

static void *work(void *arg)
{
	struct worker *w = arg;
	struct child *c = child[w->nr];

	for (unsigned int i = 0; i < CHILDREN; i++) {
		end_child(&c[i % LIVE]);
		start_child(w, &c[i % LIVE], w->nr * CHILDREN + i);
		if (draw(&w->seed, 3) == 0)
			kill_child(&c[draw(&w->seed, LIVE)]);
		if (draw(&w->seed, 8) == 0)
			del_child(&c[draw(&w->seed, LIVE)]);
	}
	for (unsigned int i = 0; i < LIVE; i++)
		end_child(&c[i]);
	return NULL;
}

static void take_record(const struct knell_event *ev, uint64_t *seq)
{
	if (ev->seq <= *seq)
		complain("seq", ev->seq);
	*seq = ev->seq;
	if (ev->token == BELL)
		return;
	if (ev->type != KNELL_EV_EXIT || ev->flags || ev->token >= TOTAL) {
		complain("record of type", ev->type);
		return;
	}
	atomic_store(&account[ev->token].told, ev->exit.status);
	atomic_fetch_add(&account[ev->token].reports, 1);
}

static void *read_records(void *arg)
{
	struct worker *w = arg;
	struct knell_event ev[40];
	uint64_t seq = 0;

	while (!atomic_load(&over)) {
		ssize_t n = read(queue, ev, (1 + draw(&w->seed, 40)) * sizeof(*ev));

		if (n <= 0 || n % sizeof(*ev))
			complain("read", n);
		for (size_t i = 0; n > 0 && i < n / sizeof(*ev); i++)
			take_record(&ev[i], &seq);
	}
	atomic_fetch_add(&readers_gone, 1);
	return NULL;
}

/* Other queues on the same processes, or on whoever has their pids by now. */
static void *come_and_go(void *arg)
{
	struct worker *w = arg;

	while (!atomic_load(&over)) {
		int fd = knell_open(O_NONBLOCK);
		struct knell_event ev;

		for (int i = 0; i < 8; i++) {
			pid_t pid = atomic_load(&child[draw(&w->seed, WORKERS)]
						      [draw(&w->seed, LIVE)].pid);

			if (pid > 0)
				add_pid(fd, pid, i);
		}
		add_next(fd, 9);
		if (draw(&w->seed, 2))
			pending_event(fd, &ev);
		if (close(fd))
			complain("close", errno);
	}
	return NULL;
}

/* All that has died is pending by now: waits until it is read, then ends the readers. */
static void finish(void)
{
	int64_t bell = add_watch(queue, op_user(BELL));

	while (nr_pending(queue))
		sched_yield();
	atomic_store(&over, true);
	while (atomic_load(&readers_gone) < READERS) {
		trigger(queue, bell, 1);
		sched_yield();
	}
	del_watch(queue, bell);
}

static void check_accounts(void)
{
	for (unsigned int i = 0; i < TOTAL; i++) {
		const struct account *a = &account[i];
		int reports = atomic_load(&a->reports);

		if (a->waited < 0 || WEXITSTATUS(a->waited) == BROKEN)
			complain("waited", a->waited);
		if (reports > 1 || (!reports && !a->deleted))
			complain("reported that often", reports);
		if (reports && atomic_load(&a->told) != a->waited)
			complain("another status than wait's", atomic_load(&a->told));
	}
}

FIXTURE(stress) {
	char unused;
};

FIXTURE_SETUP(stress)
{
	queue = knell_open(0);
	ASSERT_LE(0, queue);
}

FIXTURE_TEARDOWN(stress)
{
	close(queue);
}

TEST_F_TIMEOUT(stress, each_exactly_once, LIMIT)
{
	pthread_t worker[WORKERS], reader[READERS], guest;
	struct worker w[WORKERS + READERS + 1];

	for (unsigned int i = 0; i < ARRAY_SIZE(w); i++)
		w[i] = (struct worker){ .nr = i, .seed = 0xda3e39cb94b95bdbULL + i };
	for (int i = 0; i < READERS; i++)
		ASSERT_EQ(0, pthread_create(&reader[i], NULL, read_records, &w[WORKERS + i]));
	ASSERT_EQ(0, pthread_create(&guest, NULL, come_and_go, &w[WORKERS + READERS]));
	for (int i = 0; i < WORKERS; i++)
		ASSERT_EQ(0, pthread_create(&worker[i], NULL, work, &w[i]));
	for (int i = 0; i < WORKERS; i++)
		ASSERT_EQ(0, pthread_join(worker[i], NULL));
	finish();
	for (int i = 0; i < READERS; i++)
		ASSERT_EQ(0, pthread_join(reader[i], NULL));
	ASSERT_EQ(0, pthread_join(guest, NULL));
	check_accounts();
	TH_LOG("%u children, %u killed by handle, %u watches DELed", TOTAL, atomic_load(&killed),
	       atomic_load(&deletions));
	EXPECT_EQ(0, atomic_load(&bad));
	EXPECT_LT(0, atomic_load(&killed));
	EXPECT_LT(0, atomic_load(&deletions));
	EXPECT_TRUE(nothing_pending(queue));
	EXPECT_EQ(0, nr_watches(queue));
}

TEST_HARNESS_MAIN
