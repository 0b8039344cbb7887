// SPDX-License-Identifier: GPL-2.0-only
/*
 * fd: what does it cost to hear that a descriptor is ready, and to be told the next time?
 *
 * The same eventfds in six ways:
 *   baseline       nobody watches, they are read
 *   knell          an FD watch: a record, then MOD re-arms it
 *   knell_edge     an FD watch with OPF_EDGE: nothing to re-arm
 *   epoll_oneshot  EPOLLONESHOT: an event, then epoll_ctl(EPOLL_CTL_MOD) re-arms it
 *   epoll_level    epoll as it comes: it looks again by itself
 *   epoll_edge     EPOLLET
 * and in two situations:
 *   asleep   one descriptor; a writer makes it ready while the manager sleeps in read(2), SUBMIT or
 *            epoll_wait(2). The manager takes the event, reads the descriptor, tells the writer to
 *            go on. Its next wait is also its re-arming where that takes but one call: SUBMIT with
 *            MOD. Both under SCHED_FIFO, the manager first: the writer runs when it sleeps.
 *   burst    NR_FDS descriptors, all made ready while nobody waits, then taken together (up to
 *            that many events in a call), each read, and all armed again: one SUBMIT of NR_FDS
 *            MODs, against as many epoll_ctl(2)
 *
 *   fd_wake_insns       everything, by all sides, per event, but reading the descriptor and telling
 *                       the writer: re-arming, going to sleep, the write, the wake-up, taking the
 *                       event. Asleep that has two switches between processes in it.
 *   fd_wake_over_insns  that less the baseline's, which sleeps in the descriptor itself, or in a
 *                       burst only writes: what watching costs
 *   fd_wake_syscalls    the manager's system calls per event, and in bursts the writing
 *
 * How it is known that they are events: each comes with its own token and EPOLLIN, each read of a
 * descriptor, which would not block, finds one write, and the manager slept in every turn.
 */
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>

#include "bench.h"

#define NR_FDS		64
#define NR_TURNS	2000	/* asleep */
#define NR_BURSTS	100
#define ROUNDS		5

enum { ASLEEP, BURST, NR_CASES };
enum { BASELINE, KNELL, KNELL_EDGE, EPOLL_ONESHOT, EPOLL_LEVEL, EPOLL_EDGE, NR_WAYS };

/*
 * arm() starts to watch n descriptors, wait() returns when there are events and how many, event()
 * is the token of the i-th of them, rearm() asks for the same again; wait_armed() is both in as
 * few calls as can be.
 */
struct way {
	const char *name;
	uint32_t mode;
	void (*arm)(uint32_t mode, unsigned int n);
	unsigned int (*wait)(unsigned int n, bool sleep);
	unsigned int (*event)(unsigned int i);
	void (*rearm)(unsigned int n);
	unsigned int (*wait_armed)(void);
};

struct result {
	double insns, calls;
};

static int fds[NR_FDS];
static uint64_t spent, since;
static int queue = -1;
static struct knell_op *ops;
static struct knell_event *events;
static struct epoll_event *epoll_events;

static inline void start(void)
{
	since = now_ns(CLOCK_MONOTONIC);
}

static inline void stop(void)
{
	spent += now_ns(CLOCK_MONOTONIC) - since;
}

/* ---- descriptors ---- */

static inline void ring(int fd)
{
	uint64_t one = 1;

	must("write", sys(SYS_write, fd, (long)&one, sizeof(one), 0, 0));
}

/* One write is what there is to read. */
static inline void take(int fd)
{
	uint64_t count = 0;

	must("read", sys(SYS_read, fd, (long)&count, sizeof(count), 0, 0));
	if (count != 1)
		die("what an eventfd has counted", 0);
}

static void make_fds(unsigned int n, int flags)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		fds[i] = eventfd(0, EFD_CLOEXEC | flags);
		if (fds[i] < 0)
			die("eventfd", -errno);
	}
}

static void close_fds(unsigned int n)
{
	unsigned int i;

	if (queue >= 0)
		close(queue);
	queue = -1;
	for (i = 0; i < n; i++)
		close(fds[i]);
}

/* ---- nobody ---- */

static void nothing(uint32_t mode, unsigned int n)
{
	(void)mode;
	(void)n;
}

static void nothing_again(unsigned int n)
{
	(void)n;
}

static unsigned int all_at_once(unsigned int n, bool sleep)
{
	(void)sleep;
	return n;
}

static unsigned int the_same(unsigned int i)
{
	return i;
}

static unsigned int wait_in_descriptor(void)
{
	take(fds[0]);
	return 1;
}

/* ---- knell ---- */

static void knell_arm(uint32_t mode, unsigned int n)
{
	unsigned int i;

	queue = open_queue();
	for (i = 0; i < n; i++) {
		ops[i] = (struct knell_op){ .op = KNELL_OP_ADD, .type = KNELL_FD, .flags = mode,
					    .token = i };
		ops[i].fd.fd = fds[i];
		ops[i].fd.events = EPOLLIN;
	}
	submit(queue, ops, n);
	/* From now on they are MODs. */
	for (i = 0; i < n; i++) {
		ops[i].op = KNELL_OP_MOD;
		ops[i].type = 0;
		ops[i].fd.fd = 0;
	}
}

static inline unsigned int knell_submit(unsigned int nr_ops, unsigned int room, bool sleep)
{
	struct knell_submit s = {
		.ops = (uintptr_t)ops, .nr_ops = nr_ops,
		.events = (uintptr_t)events, .nr_events = room,
		.deadline_ns = sleep ? KNELL_FOREVER : 0,
	};

	return (unsigned int)must("SUBMIT", sys(SYS_ioctl, queue, KNELL_IOC_SUBMIT, (long)&s, 0, 0));
}

static unsigned int knell_wait(unsigned int n, bool sleep)
{
	return knell_submit(0, n, sleep);
}

static unsigned int knell_event(unsigned int i)
{
	if (events[i].type != KNELL_EV_FD || !(events[i].fd.events & EPOLLIN))
		die("a record of another kind", 0);
	return (unsigned int)events[i].token;
}

/* The manager has as many MODs at hand as it has descriptors; their results are looked at. */
static void knell_rearm(unsigned int n)
{
	submit(queue, ops, n);
}

static unsigned int knell_wait_armed(void)
{
	unsigned int n = knell_submit(1, 1, true);

	must("MOD", ops[0].result);
	return n;
}

static unsigned int knell_wait_one(void)
{
	return knell_submit(0, 1, true);
}

/* ---- epoll ---- */

static void epoll_control(int op, uint32_t mode, unsigned int i)
{
	struct epoll_event ev = { .events = EPOLLIN | mode, .data.u64 = i };

	must("epoll_ctl", sys(SYS_epoll_ctl, queue, op, fds[i], (long)&ev, 0));
}

static void epoll_arm(uint32_t mode, unsigned int n)
{
	unsigned int i;

	queue = (int)must("epoll_create1", sys(SYS_epoll_create1, EPOLL_CLOEXEC, 0, 0, 0, 0));
	for (i = 0; i < n; i++)
		epoll_control(EPOLL_CTL_ADD, mode, i);
}

static unsigned int epoll_wait_some(unsigned int n, bool sleep)
{
	return (unsigned int)must("epoll_wait", sys(SYS_epoll_wait, queue, (long)epoll_events, n,
						    sleep ? -1 : 0, 0));
}

static unsigned int epoll_event_of(unsigned int i)
{
	if (!(epoll_events[i].events & EPOLLIN))
		die("an event of another kind", 0);
	return (unsigned int)epoll_events[i].data.u64;
}

static void epoll_rearm(unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		epoll_control(EPOLL_CTL_MOD, EPOLLONESHOT, i);
}

static unsigned int epoll_wait_armed(void)
{
	epoll_rearm(1);
	return epoll_wait_some(1, true);
}

static unsigned int epoll_wait_one(void)
{
	return epoll_wait_some(1, true);
}

static const struct way ways[NR_WAYS] = {
	[BASELINE] = { "baseline", 0, nothing, all_at_once, the_same, nothing_again,
		       wait_in_descriptor },
	[KNELL] = { "knell", 0, knell_arm, knell_wait, knell_event, knell_rearm,
		    knell_wait_armed },
	[KNELL_EDGE] = { "knell_edge", KNELL_OPF_EDGE, knell_arm, knell_wait, knell_event,
			 nothing_again, knell_wait_one },
	[EPOLL_ONESHOT] = { "epoll_oneshot", EPOLLONESHOT, epoll_arm, epoll_wait_some,
			    epoll_event_of, epoll_rearm, epoll_wait_armed },
	[EPOLL_LEVEL] = { "epoll_level", 0, epoll_arm, epoll_wait_some, epoll_event_of,
			  nothing_again, epoll_wait_one },
	[EPOLL_EDGE] = { "epoll_edge", EPOLLET, epoll_arm, epoll_wait_some, epoll_event_of,
			 nothing_again, epoll_wait_one },
};

/* ---- bursts ---- */

static void burst(const struct way *way)
{
	bool seen[NR_FDS] = { false };
	unsigned int i, got, c, left = NR_FDS;

	start();
	for (i = 0; i < NR_FDS; i++)
		ring(fds[i]);
	stop();
	for (; left; left -= got) {
		start();
		got = way->wait(NR_FDS, false);
		stop();
		if (!got || got > left)
			die("events of a burst", 0);
		for (i = 0; i < got; i++) {
			c = way->event(i);
			if (c >= NR_FDS || seen[c])
				die("an event that was there before", 0);
			seen[c] = true;
			take(fds[c]);
		}
	}
	start();
	way->rearm(NR_FDS);
	stop();
}

static struct result measure_burst(const struct way *way)
{
	const double n = (double)NR_BURSTS * NR_FDS;
	unsigned int i;
	uint64_t calls;

	make_fds(NR_FDS, EFD_NONBLOCK);
	way->arm(way->mode, NR_FDS);
	burst(way);
	spent = 0;
	calls = nr_calls;
	for (i = 0; i < NR_BURSTS; i++)
		burst(way);
	calls = nr_calls - calls;
	close_fds(NR_FDS);
	/* Each descriptor was read once. */
	return (struct result){ (double)spent / n, (double)calls / n - 1 };
}

/* ---- asleep ---- */

static void set_fifo(int priority)
{
	struct sched_param p = { .sched_priority = priority };

	if (sched_setscheduler(0, priority ? SCHED_FIFO : SCHED_OTHER, &p))
		die("sched_setscheduler", -errno);
}

static void writer_main(int next)
{
	set_fifo(1);
	for (;;) {
		take(next);
		ring(fds[0]);
	}
}

static long nr_sleeps(void)
{
	struct rusage ru;

	getrusage(RUSAGE_SELF, &ru);
	return ru.ru_nvcsw;
}

/* The baseline sleeps in the descriptor itself, so that must be one that blocks. */
static struct result measure_asleep(const struct way *way)
{
	bool baseline = way == &ways[BASELINE];
	unsigned int i;
	uint64_t calls;
	long sleeps;
	int next, pid;

	make_fds(1, baseline ? 0 : EFD_NONBLOCK);
	next = eventfd(0, EFD_CLOEXEC);
	if (next < 0)
		die("eventfd", -errno);
	set_fifo(2);
	pid = clone_child();
	if (!pid)
		writer_main(next);
	way->arm(way->mode, 1);
	nap(5 * NAP_NS);

	sleeps = nr_sleeps();
	calls = nr_calls;
	spent = 0;
	for (i = 0; i < NR_TURNS; i++) {
		ring(next);
		start();
		if (way->wait_armed() != 1)
			die("the event of a turn", 0);
		stop();
		if (way->event(0) != 0)
			die("the event's token", 0);
		if (!baseline)
			take(fds[0]);
	}
	calls = nr_calls - calls;
	sleeps = nr_sleeps() - sleeps;
	if (sleeps != NR_TURNS)
		die("how often the manager slept", 0);

	set_fifo(0);
	must("kill", sys(SYS_kill, pid, SIGKILL, 0, 0, 0));
	if (waitpid(pid, NULL, 0) != pid)
		die("waitpid", -errno);
	close(next);
	close_fds(1);
	/* The writer was told once, and the descriptor read. */
	return (struct result){ (double)spent / NR_TURNS,
				(double)calls / NR_TURNS - (baseline ? 1 : 2) };
}

static struct result (*const measure[NR_CASES])(const struct way *way) = {
	[ASLEEP] = measure_asleep,
	[BURST] = measure_burst,
};

static const char *const suffixes[NR_CASES] = { [ASLEEP] = "", [BURST] = "_burst" };
static const char *const titles[NR_CASES] = { [ASLEEP] = "asleep", [BURST] = "in a burst" };

static void report(unsigned int which, const double *insns, const double *calls)
{
	unsigned int w;

	for (w = 0; w < NR_WAYS; w++) {
		line("fd_wake_insns", suffixes[which], ways[w].name, insns[w]);
		line("fd_wake_over_insns", suffixes[which], ways[w].name,
		     insns[w] - insns[BASELINE]);
		line("fd_wake_syscalls", suffixes[which], ways[w].name, calls[w]);
	}
}

/*
 * All of a wake-up, and in a burst, where nobody sleeps and writing is what most of it is, what is left
 * without the baseline: there a record has a time, a number and 64 bytes, of which epoll has none.
 */
static void check(unsigned int which, const double *insns, unsigned int mine, unsigned int theirs)
{
	double base = insns[BASELINE];
	char what[128];

	snprintf(what, sizeof(what), "%s, %s against %s", titles[which], ways[mine].name,
		 ways[theirs].name);
	at_most(what, insns[mine] / insns[theirs], 1.3);
	if (which == BURST)
		at_most("the same over the baseline", (insns[mine] - base) / (insns[theirs] - base), 1.4);
}

int main(int argc, char **argv)
{
	static double all[NR_CASES][NR_WAYS][ROUNDS];
	double insns[NR_CASES][NR_WAYS], calls[NR_CASES][NR_WAYS];
	unsigned int r, w, c;
	struct result result;

	ops = own_memory(NR_FDS * sizeof(*ops));
	events = own_memory(NR_FDS * sizeof(*events));
	epoll_events = own_memory(NR_FDS * sizeof(*epoll_events));
	bench_start(bench_forced(argc, argv));
	for (r = 0; r < ROUNDS; r++) {
		for (c = 0; c < NR_CASES; c++) {
			for (w = 0; w < NR_WAYS; w++) {
				result = measure[c](&ways[w]);
				all[c][w][r] = result.insns;
				calls[c][w] = result.calls;
				printf("# round %u, %-10s %-13s %8.1f  calls %.4f\n", r, titles[c],
				       ways[w].name, result.insns, result.calls);
			}
		}
	}
	printf("\n");
	for (c = 0; c < NR_CASES; c++) {
		for (w = 0; w < NR_WAYS; w++)
			insns[c][w] = median(all[c][w], ROUNDS);
		report(c, insns[c], calls[c]);
	}
	printf("\n");
	for (c = 0; c < NR_CASES; c++) {
		check(c, insns[c], KNELL, EPOLL_ONESHOT);
		check(c, insns[c], KNELL_EDGE, EPOLL_EDGE);
	}
	check(ASLEEP, insns[ASLEEP], KNELL, EPOLL_LEVEL);
	return bench_end();
}
