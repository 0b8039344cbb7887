// SPDX-License-Identifier: GPL-2.0-only
/*
 * dispatch: what does a loop cost per task that it runs?
 *
 * A task that is ready in every turn of its loop, and does nothing but to be so again, in three
 * situations:
 *   dispatch      one task, and nothing else to wait for
 *   dispatch_fd   one task; the loop also waits for a descriptor, which never becomes readable
 *   dispatch_100  a hundred tasks, and the descriptor
 * with what each peer has for that, the cheapest if it has several; what is appended to its name
 * tells which. libknell has all its statistics on, which none of the peers keeps; its task adds
 * itself anew in each turn, an idle handle or a defer source just stays.
 *
 *   quagga_calls  what Quagga's thread_fetch() and thread_call() ask of the kernel for each task,
 *                 and nothing else of it: select(2) with the same descriptor, when there is
 *                 nothing else ready, clock_gettime(2), gettimeofday(2), and getrusage(2) before
 *                 and after. Its lists, its heap and its table come on top; they are not here,
 *                 since its code cannot be part of this program.
 *
 * CPU time per task. The rounds alternate and the best one of each counts.
 *
 * The bounds: a quarter of Quagga's calls, and in "dispatch" less than libev, libuv and sd-event.
 * dispatch_fd and dispatch_100 are reported beside Quagga's: each turn with a descriptor is a look
 * at it for all alike, and a system call, which seems cheap in instructions, is most of its time.
 */
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/time.h>

#include "main.h"

#define OF_QUAGGA	0.25

struct situation {
	const char *name;
	unsigned int nr_tasks;
	bool io;
};

static const struct situation situations[] = {
	{ "dispatch", 1, false },
	{ "dispatch_fd", 1, true },
	{ "dispatch_100", 100, true },
};

static struct peer *peers[] = {
	&peer_knell, &peer_knell_pidfd, &peer_libev, &peer_libuv, &peer_sd_event, &peer_libevent,
};

/* A peer's way, or with none Quagga's. */
struct contestant {
	char name[64];
	const struct dispatch_way *way;
	bool ours;
	bool bound;		/* libknell is to be below it */
	double cost[MAX_ROUNDS];
	double best;
};

static struct contestant contestants[16];
static unsigned int nr_contestants;
static struct contestant *quagga;

/* ---- what Quagga asks of the kernel ---- */

static struct {
	unsigned int nr_tasks;
	int fd;
	struct timespec relative;
	struct timeval recent;
	struct rusage before, after;
	void (*task)(void);
} q;

static void quagga_task(void)
{
	dispatched();
}

static void quagga_open(unsigned int nr_tasks, int fd)
{
	q.nr_tasks = nr_tasks;
	q.fd = fd;
	*(void (*volatile *)(void))&q.task = quagga_task;
}

static void quagga_select(void)
{
	struct timeval none = { 0 };
	fd_set set;

	FD_ZERO(&set);
	if (q.fd >= 0)
		FD_SET(q.fd, &set);
	if (select(q.fd + 1, &set, NULL, NULL, &none))
		die("select", -errno);
}

static void quagga_run(unsigned long nr)
{
	unsigned int i;

	to_run = ran + nr;
	while (ran < to_run) {
		quagga_select();
		for (i = 0; i < q.nr_tasks; i++) {
			clock_gettime(CLOCK_MONOTONIC, &q.relative);
			gettimeofday(&q.recent, NULL);
			getrusage(RUSAGE_SELF, &q.before);
			q.task();
			getrusage(RUSAGE_SELF, &q.after);
		}
	}
}

static void quagga_close(void)
{
}

static const struct dispatch_way quagga_way = { "", quagga_open, quagga_run, quagga_close };

/* ---- what is measured ---- */

static double measure(const struct dispatch_way *way, const struct situation *s, int fd)
{
	unsigned long nr = on_host ? 300000 : 20000, first;
	uint64_t cpu;

	way->open(s->nr_tasks, s->io ? fd : -1);
	way->run(nr / 10);
	first = ran;
	cpu = cpu_ns();
	way->run(nr);
	cpu = cpu_ns() - cpu;
	way->close();
	if (ran - first < nr || ran - first > nr + s->nr_tasks)
		die("number of tasks run", 0);
	return (double)cpu / (double)(ran - first);
}

static void add_contestant(const char *name, const struct dispatch_way *way, bool ours, bool bound)
{
	struct contestant *c = &contestants[nr_contestants++];

	snprintf(c->name, sizeof(c->name), "%s%s", name, way->how);
	c->way = way;
	c->ours = ours;
	c->bound = bound;
}

/* libevent's active events are no turn of its loop: it would not notice anything else. */
static void add_all(void)
{
	unsigned int p, w;

	name_peers(peers, ARRAY_SIZE(peers));
	for (p = 0; p < ARRAY_SIZE(peers); p++)
		for (w = 0; peers[p]->dispatch[w]; w++)
			add_contestant(peers[p]->name, peers[p]->dispatch[w],
				       peers[p] == &peer_knell || peers[p] == &peer_knell_pidfd,
				       peers[p] != &peer_libevent);
	quagga = &contestants[nr_contestants];
	add_contestant("quagga_calls", &quagga_way, false, false);
}

/* Of the two in the same round: what drifts has met both. */
static double of_quagga(const struct contestant *ours, unsigned int rounds)
{
	double ratio[MAX_ROUNDS];
	unsigned int r;

	for (r = 0; r < rounds; r++)
		ratio[r] = ours->cost[r] / quagga->cost[r];
	return median(ratio, rounds);
}

static void check(const struct situation *s, const struct contestant *ours, unsigned int rounds)
{
	double bound = 1e9;
	unsigned int c;
	char text[128];

	for (c = 0; c < nr_contestants; c++)
		if (contestants[c].bound && !contestants[c].ours && contestants[c].best < bound)
			bound = contestants[c].best;
	snprintf(text, sizeof(text), "%.30s, %.40s, against what Quagga asks of the kernel", s->name,
		 ours->name);
	if (s->io) {
		printf("# %s: %.4f\n", text, of_quagga(ours, rounds));
		return;
	}
	at_most(text, of_quagga(ours, rounds), OF_QUAGGA);
	snprintf(text, sizeof(text), "%.30s, %.40s, %s, against the least of libev, libuv, sd-event",
		 s->name, ours->name, unit);
	at_most(text, ours->best, bound);
}

static void compare(const struct situation *s, unsigned int rounds, int fd)
{
	struct contestant *c;
	char name[32];
	unsigned int r;

	for (r = 0; r < rounds; r++)
		for (c = contestants; c < contestants + nr_contestants; c++)
			c->cost[r] = measure(c->way, s, fd);
	printf("\n");
	snprintf(name, sizeof(name), "%s%s", s->name, suffix);
	for (c = contestants; c < contestants + nr_contestants; c++) {
		c->best = least(c->cost, rounds);
		figure(name, c->name, c->best, unit);
	}
	printf("\n");
	for (c = contestants; c < contestants + nr_contestants; c++)
		if (c->ours)
			check(s, c, rounds);
}

int main(int argc, char **argv)
{
	unsigned int s, rounds;
	int fd;

	loops_start(argc, argv);
	rounds = on_host ? MAX_ROUNDS : 3;
	fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (fd < 0)
		die("eventfd", -errno);
	add_all();
	for (s = 0; s < ARRAY_SIZE(situations); s++)
		compare(&situations[s], rounds, fd);
	return bench_end();
}
