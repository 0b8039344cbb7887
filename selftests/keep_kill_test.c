// SPDX-License-Identifier: GPL-2.0-only
/*
 * A manager is killed at random points, hundreds of times, while its services
 * end and are started again and timers run out. Each service writes what it is
 * about to end with into a ledger that outlives all of them, each manager what
 * it has heard: in the end the two are compared. With KNELL_SOAK_SIZE, hundredths of
 * a thousand kills, it is a storm of "make soak". runner-limit: 900
 */
#include "kselftest_harness.h"

#include <stdatomic.h>
#include <sys/epoll.h>

#include "keep_test.h"

#define NAME		"supervisor"
#define SERVICES	50
#define RUNS		8192	/* of one service, more than there will be */
#define TIMERS		20
#define KILLS		(500 / (SLOW > FEWER ? SLOW : FEWER))
#define LIVES_S		(7200 * SLOW)	/* "runner-limit" is less, but for a storm */
#define KILLS_PIDFD	(60 / SLOW)	/* of the manager without knell */

/* In the ledger beside a status, so that 0 is none. */
#define WRITTEN		0x10000

enum { SERVICE = 1, TIMER };

/**
 * struct service - what is known of it
 * @running: its process has begun and not ended
 * @caused: by run: WRITTEN and the status that it will end with; by the process
 * @heard: the same as its exit was told; by the manager
 * @next: the first run that was not heard of
 * @pid: without knell: a pid file
 */
struct service {
	atomic_int running;
	uint32_t caused[RUNS];
	uint32_t heard[RUNS];
	uint32_t next;
	int32_t pid;
};

/* @added: timers that were armed for sure, @heard: those that were told, in turn */
struct alarm_clock {
	uint32_t added;
	uint32_t heard;
};

/**
 * struct ledger - survives everybody but the test
 * @service: so
 * @timer: so
 * @steps: the manager's, to be killed after some number of them
 * @fuse: steps until the manager kills itself, 0: it does not
 * @generation: of the manager, in the tokens of what it has taken over
 * @stop: the last manager lets all of it end
 * @duplicates: processes that began beside another or for a second time
 * @lost: exits that nobody will ever be told
 * @lost_timers: the same of timers
 * @twice: told again without being marked so
 * @wrong: another status than that it ended with
 * @stale: exits with the token of a manager before
 * @again: exits and expirations that were redelivered
 * @unborn: services that were announced and never forked
 * @adopted: services that a manager found running
 */
struct ledger {
	struct service service[SERVICES];
	struct alarm_clock timer[TIMERS];
	atomic_uint steps;
	uint32_t fuse, generation, stop;
	atomic_uint duplicates;
	uint32_t lost, lost_timers, twice, wrong, stale, again, unborn, adopted;
};

static struct ledger *ledger;
/* Of a manager: its queue, what has a watch. */
static int queue;
static bool watched[SERVICES], armed[TIMERS];

/* A place at which a manager may be killed; it is everywhere else, too. */
static void step(void)
{
	atomic_fetch_add(&ledger->steps, 1);
	if (ledger->fuse && !--ledger->fuse)
		kill(getpid(), SIGKILL);
}

static uint64_t hash(uint32_t service, uint32_t run)
{
	uint64_t x = (service * 7919ULL + run + 1) * 0x9e3779b97f4a7c15ULL;

	return next_random(&x);
}

/* A service's only process of that run: lives for a moment, ends with what it has written. */
static void __attribute__((noreturn)) serve(uint32_t i, uint32_t run)
{
	struct service *s = &ledger->service[i];
	uint64_t h = hash(i, run);
	/* Some outlive their manager, however long the next one takes to be there. */
	struct timespec life = { .tv_nsec = (h >> 8) % 8 * NSEC_PER_MSEC * SLOW };
	int status = h % 8 ? (int)(h % 251) << 8 : SIGKILL;

	if (atomic_exchange(&s->running, 1) || s->caused[run])
		atomic_fetch_add(&ledger->duplicates, 1);
	s->caused[run] = WRITTEN | status;
	nanosleep(&life, NULL);
	atomic_store(&s->running, 0);
	if (status == SIGKILL)
		kill(getpid(), SIGKILL);
	_exit(status >> 8);
}

static uint64_t token_of(uint32_t kind, uint32_t i, uint32_t run)
{
	return (uint64_t)ledger->generation << 48 | (uint64_t)kind << 40 |
	       (uint64_t)i << 32 | run;
}

static uint32_t kind_of(uint64_t token)
{
	return token >> 40 & 0xff;
}

static uint32_t index_of(uint64_t token)
{
	return token >> 32 & 0xff;
}

static void broken(const char *what, long error)
{
	fprintf(stderr, "# manager %u: %s: %ld\n", ledger->generation, what, error);
	_exit(BROKEN);
}

static void submit(struct knell_op *ops, int nr)
{
	int err = submit_ops(queue, ops, nr), i;

	if (err)
		broken("SUBMIT", err);
	for (i = 0; i < nr; i++)
		if (ops[i].result)
			broken("op", ops[i].result);
}

/* What was heard is acknowledged, what comes next is announced, in one call. */
static void acknowledge_and_add(int64_t old, struct knell_op add)
{
	struct knell_op ops[2] = { op_del(old), add };

	step();
	if (old)
		submit(ops, 2);
	else
		submit(ops + 1, 1);
	step();
}

static void acknowledge(int64_t old)
{
	struct knell_op op = op_del(old);

	submit(&op, 1);
}

static void start(uint32_t i, uint32_t run, int64_t old)
{
	struct knell_op op = op_add(KNELL_PROCESS, KNELL_OPF_NEXT | KNELL_OPF_ACK,
				    token_of(SERVICE, i, run));
	pid_t pid;

	acknowledge_and_add(old, op);
	pid = fork();
	if (!pid)
		serve(i, run);
	if (pid < 0)
		broken("fork", errno);
	watched[i] = true;
	step();
}

static void arm(uint32_t k, int64_t old)
{
	struct alarm_clock *t = &ledger->timer[k];

	acknowledge_and_add(old, op_timer(CLOCK_MONOTONIC, KNELL_OPF_ACK,
					  (1 + k) * NSEC_PER_MSEC / 2, 0,
					  token_of(TIMER, k, t->heard)));
	/* Killed before this, it may be armed or not, and LIST will say so. */
	t->added = t->heard + 1;
	armed[k] = true;
	step();
}

static void heard_exit(const struct knell_event *ev)
{
	uint32_t i = index_of(ev->token), run = ev->token;
	struct service *s = &ledger->service[i];
	uint32_t status = WRITTEN | ev->exit.status;

	if (s->caused[run] != status)
		ledger->wrong++;
	if (s->heard[run] && !(ev->flags & KNELL_EVF_REDELIVERED))
		ledger->twice++;
	s->heard[run] = status;
	s->next = run + 1;
	step();
	/* Ours, or of a manager before: then somebody else reaps it. */
	waitpid(ev->exit.pid, NULL, WNOHANG);
	watched[i] = false;
	if (ledger->stop)
		acknowledge(ev->watch);
	else
		start(i, run + 1, ev->watch);
}

static void heard_timer(const struct knell_event *ev)
{
	uint32_t k = index_of(ev->token), run = ev->token;
	struct alarm_clock *t = &ledger->timer[k];

	if (ev->flags & KNELL_EVF_REDELIVERED) {
		if (run != t->heard && run + 1 != t->heard)
			ledger->wrong++;
	} else if (run != t->heard) {
		ledger->twice++;
	}
	t->heard = run + 1;
	t->added = run + 1;
	step();
	armed[k] = false;
	if (ledger->stop)
		acknowledge(ev->watch);
	else
		arm(k, ev->watch);
}

static void heard(const struct knell_event *ev)
{
	if (kind_of(ev->token) == SERVICE && ev->token >> 48 != ledger->generation)
		ledger->stale++;
	if (ev->flags & KNELL_EVF_REDELIVERED)
		ledger->again++;
	step();
	if (kind_of(ev->token) == SERVICE)
		heard_exit(ev);
	else
		heard_timer(ev);
}

/* A watch of a manager before becomes ours, or is of a process that never came. */
static void adopt(const struct knell_watch_info *wi)
{
	uint32_t kind = kind_of(wi->token), i = index_of(wi->token), run = wi->token;
	struct knell_op op = op_mod(wi->watch, 0, token_of(kind, i, run));

	if (kind == TIMER) {
		/* MOD would set it anew. */
		armed[i] = true;
		op.op = 0;
	} else if (wi->state == 1 && !wi->pid) {
		ledger->unborn++;
		op = op_del(wi->watch);
	} else {
		ledger->adopted += wi->state == 1;
		watched[i] = true;
	}
	step();
	if (op.op)
		submit(&op, 1);
}

static void take_stock(void)
{
	struct knell_watch_info wi[16];
	uint32_t after = 0;
	int n, i;

	do {
		n = list_watches(queue, wi, 16, after);
		if (n < 0)
			broken("LIST", n);
		step();
		for (i = 0; i < n; i++)
			adopt(&wi[i]);
		if (n)
			after = wi[n - 1].watch;
	} while (n);
}

/* Has the run that nobody has heard of begun, at least? */
static bool has_run(const struct service *s)
{
	return s->caused[s->next];
}

/* What has no watch was acknowledged, and its successor not announced: or it is lost. */
static void start_the_rest(void)
{
	struct service *s;
	uint32_t i;

	for (i = 0; i < SERVICES; i++) {
		s = &ledger->service[i];
		if (watched[i])
			continue;
		if (has_run(s)) {
			ledger->lost++;
			s->next++;
		}
		if (!ledger->stop)
			start(i, s->next, 0);
	}
	for (i = 0; i < TIMERS; i++) {
		if (armed[i])
			continue;
		ledger->lost_timers += ledger->timer[i].added != ledger->timer[i].heard;
		if (!ledger->stop)
			arm(i, 0);
	}
}

/* The queue of whoever was here before, or a new one. */
static void open_queue(void)
{
	int door = knell_open(0), err;

	step();
	queue = attach(door, NAME);
	step();
	if (queue >= 0) {
		close(door);
		return;
	}
	if (queue != -ENOENT)
		broken("ATTACH", queue);
	queue = door;
	err = keep_queue(queue, NAME);
	if (err)
		broken("KEEP", err);
	step();
}

static bool anything_left(void)
{
	return nr_watches(queue);
}

/* A manager's whole life, unless it is killed before. */
static void manage(void)
{
	struct knell_event ev[8];
	int i, n;

	open_queue();
	take_stock();
	start_the_rest();
	while (!ledger->stop || anything_left()) {
		n = wait_events(queue, ev, 8, KNELL_FOREVER);
		if (n < 0)
			broken("events", n);
		step();
		for (i = 0; i < n; i++)
			heard(&ev[i]);
	}
	if (keep_off(queue, NAME))
		broken("KEEP_OFF", errno);
}

/* --- the same without knell: pidfds, epoll, and a pid file for each service */

static int ep;

static void watch_pidfd(uint32_t i, pid_t pid)
{
	struct epoll_event ee = { .events = EPOLLIN };
	int fd = pidfd_of(pid);

	ee.data.u64 = (uint64_t)i << 32 | (uint32_t)fd;
	if (fd >= 0 && epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ee))
		broken("EPOLL_CTL_ADD", errno);
	watched[i] = fd >= 0;
}

static void start_pidfd(uint32_t i)
{
	struct service *s = &ledger->service[i];
	pid_t pid;

	step();
	pid = fork();
	if (!pid)
		serve(i, s->next);
	if (pid < 0)
		broken("fork", errno);
	step();
	s->pid = pid;
	step();
	watch_pidfd(i, pid);
	step();
}

static void heard_pidfd(const struct epoll_event *ee)
{
	uint32_t i = ee->data.u64 >> 32;
	struct service *s = &ledger->service[i];
	int fd = (int)ee->data.u64;
	siginfo_t si = { };

	step();
	/* Only its own children tell a manager how they ended. */
	if (!waitid(P_PIDFD, fd, &si, WEXITED | WNOHANG))
		s->heard[s->next] = WRITTEN | status_word(&si);
	close(fd);
	step();
	s->next++;
	start_pidfd(i);
}

static void manage_pidfd(void)
{
	struct epoll_event ee[8];
	int i, n;

	ep = epoll_create1(EPOLL_CLOEXEC);
	for (i = 0; i < SERVICES; i++) {
		if (ledger->service[i].pid)
			watch_pidfd(i, ledger->service[i].pid);
		if (!watched[i]) {
			ledger->service[i].next += has_run(&ledger->service[i]);
			start_pidfd(i);
		}
	}
	for (;;) {
		n = epoll_wait(ep, ee, 8, -1);
		step();
		for (i = 0; i < n; i++)
			heard_pidfd(&ee[i]);
	}
}

/* --- the test: whoever is orphaned is ours */

static void bury(void)
{
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
}

/* Returns once the manager has made some steps more, or is dead. */
static void wait_for_steps(pid_t pid, uint32_t steps)
{
	uint32_t from = atomic_load(&ledger->steps);
	siginfo_t si = { };

	while (atomic_load(&ledger->steps) - from < steps && !si.si_pid) {
		sched_yield();
		if (waitid(P_PID, pid, &si, WEXITED | WNOHANG | WNOWAIT))
			break;
	}
}

/* Kills it: half of them after a number of steps, half somewhere behind one. */
static int live_and_be_killed(void (*life)(void), uint64_t *seed)
{
	uint64_t random = next_random(seed);
	uint32_t steps = random % 256, spins = (random >> 16) % 65536;
	pid_t pid;
	int status;

	ledger->generation++;
	ledger->fuse = random >> 63 ? steps + 1 : 0;
	pid = fork();
	if (!pid) {
		life();
		_exit(0);
	}
	if (!ledger->fuse) {
		wait_for_steps(pid, steps);
		while (spins--)
			atomic_signal_fence(memory_order_seq_cst);
		kill(pid, SIGKILL);
	}
	status = reap(pid);
	bury();
	return status;
}

static uint32_t nr_caused(uint32_t *heard, uint32_t *unheard)
{
	uint32_t i, run, caused = 0;

	*heard = 0;
	*unheard = 0;
	for (i = 0; i < SERVICES; i++)
		for (run = 0; run < RUNS; run++) {
			struct service *s = &ledger->service[i];

			caused += !!s->caused[run];
			*heard += s->heard[run] && s->caused[run] == s->heard[run];
			*unheard += s->caused[run] != s->heard[run];
		}
	return caused;
}

static uint32_t nr_timers(void)
{
	uint32_t k, sum = 0;

	for (k = 0; k < TIMERS; k++)
		sum += ledger->timer[k].heard;
	return sum;
}

FIXTURE(keep_kill) {
	uint64_t seed;
};

FIXTURE_SETUP(keep_kill)
{
	ledger = shared(sizeof(*ledger));
	self->seed = wanted("KNELL_SOAK_SEED", clock_ns(CLOCK_MONOTONIC)) | 1;
	fprintf(stderr, "# seed %llu\n", (unsigned long long)self->seed);
	ASSERT_EQ(0, prctl(PR_SET_CHILD_SUBREAPER, 1));
}

FIXTURE_TEARDOWN(keep_kill)
{
	EXPECT_EQ(0, drop_queue(NAME));
}

TEST_F_TIMEOUT(keep_kill, nothing_is_lost, LIVES_S)
{
	int i, kills = wanted("KNELL_SOAK_SIZE", 0) * 10 ?: KILLS;
	uint32_t caused, heard_of, unheard;
	pid_t pid;

	for (i = 0; i < kills; i++)
		ASSERT_EQ(SIGKILL, live_and_be_killed(manage, &self->seed));
	/* The last one ends what there is, and hears of all that nobody has heard of yet. */
	ledger->generation++;
	ledger->fuse = 0;
	ledger->stop = 1;
	pid = fork();
	if (!pid) {
		manage();
		_exit(0);
	}
	ASSERT_EQ(0, reap(pid));
	bury();

	caused = nr_caused(&heard_of, &unheard);
	fprintf(stderr, "# %d kills: %u exits, %u heard of, %u timers\n", kills, caused, heard_of,
		nr_timers());
	fprintf(stderr, "# redelivered %u, unborn %u, adopted %u\n", ledger->again, ledger->unborn,
		ledger->adopted);
	EXPECT_EQ(caused, heard_of);
	EXPECT_EQ(0, unheard);
	EXPECT_EQ(0, ledger->lost);
	EXPECT_EQ(0, ledger->lost_timers);
	EXPECT_EQ(0, ledger->duplicates);
	EXPECT_EQ(0, ledger->twice);
	EXPECT_EQ(0, ledger->wrong);
	EXPECT_EQ(0, ledger->stale);
	/* It was no idle time: all that can happen has happened. */
	EXPECT_LT(kills, caused);
	EXPECT_LT(kills, nr_timers());
	EXPECT_LT(0, ledger->again);
	EXPECT_LT(0, ledger->unborn);
	EXPECT_LT(0, ledger->adopted);
}

TEST_F_TIMEOUT(keep_kill, what_is_lost_without_it, LIVES_S)
{
	uint32_t caused, heard_of, unheard;
	int i;

	for (i = 0; i < KILLS_PIDFD; i++)
		ASSERT_EQ(SIGKILL, live_and_be_killed(manage_pidfd, &self->seed));
	while (wait(NULL) > 0)
		;
	caused = nr_caused(&heard_of, &unheard);
	fprintf(stderr, "# pidfd and epoll, %d kills: %u exits, %u lost, %u started twice\n",
		KILLS_PIDFD, caused, unheard, ledger->duplicates);
	EXPECT_LT(0, unheard);
}

TEST_HARNESS_MAIN
