// SPDX-License-Identifier: GPL-2.0-only
/*
 * timers: what does it cost to add a timer, and to cancel one, when there are a million?
 *
 * NR_TIMERS timers at random times in the next 100,000 seconds are added one by one, then
 * NR_CANCELS of them, chosen at random, are cancelled in random order; the same for all:
 *
 *   timer_insert[_insns]   CPU time per timer added
 *   timer_cancel[_insns]   and per timer cancelled
 *
 * The rounds of the peers alternate and the best one of each counts. Timers of libev, libuv and
 * libevent are memory of the caller, allocated and initialized before the clock starts; libknell's
 * and sd-event's are allocated while it runs. Cancelled is what will not run and holds nothing.
 *
 * How it is known that the work was done: after adding there are NR_TIMERS, after cancelling as
 * many less as were cancelled, by asking each.
 *
 * The bounds: each of libknell's is cheaper than any peer's but libev's, which does nothing but sift:
 * libknell's allocates, notes where it was called, and gives a name that stays harmless when the timer
 * is gone. Where the clock counts nanoseconds, 50 and 110 of them are wanted, or less than any peer's; how
 * fast a machine is, and what else it does, is nothing to fail for. Quagga's own heap is not here: its
 * code cannot be part of this program.
 */
#include "main.h"

#define NR_TIMERS		1000000
#define NR_CANCELS		393754
#define FIRST_MS		600000		/* none runs meanwhile */
#define LATEST_MS		100000000
#define WANTED_INSERT_NS	50
#define WANTED_CANCEL_NS	110

static struct peer *peers[] = {
	&peer_knell, &peer_libev, &peer_libuv, &peer_libevent, &peer_sd_event,
};

#define NR_PEERS ARRAY_SIZE(peers)

static uint32_t *ms, *which;
static uint64_t seed = 88172645463325252ULL;

static uint32_t below(uint32_t n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)((seed >> 32) * n >> 32);
}

/* The first NR_CANCELS of a shuffled deck. */
static void prepare(void)
{
	uint32_t i, j, t;

	ms = malloc(NR_TIMERS * sizeof(*ms));
	which = malloc(NR_TIMERS * sizeof(*which));
	if (!ms || !which)
		die("malloc", -ENOMEM);
	for (i = 0; i < NR_TIMERS; i++) {
		ms[i] = FIRST_MS + below(LATEST_MS);
		which[i] = i;
	}
	for (i = 0; i < NR_CANCELS; i++) {
		j = i + below(NR_TIMERS - i);
		t = which[i];
		which[i] = which[j];
		which[j] = t;
	}
}

static void measure(const struct timer_way *way, double *insert, double *cancel)
{
	uint64_t cpu;

	way->open(NR_TIMERS);
	cpu = cpu_ns();
	way->add(ms, NR_TIMERS);
	*insert = (double)(cpu_ns() - cpu) / NR_TIMERS;
	if (way->left(NR_TIMERS) != NR_TIMERS)
		die("timers are missing", 0);
	cpu = cpu_ns();
	way->cancel(which, NR_CANCELS);
	*cancel = (double)(cpu_ns() - cpu) / NR_CANCELS;
	if (way->left(NR_TIMERS) != NR_TIMERS - NR_CANCELS)
		die("timers were not cancelled, or others", 0);
	way->close(NR_TIMERS);
}

/* The first peer is libknell, the second one libev. */
static void check(const char *what, const double *cost, double wanted_ns)
{
	char text[80];

	snprintf(text, sizeof(text), "libknell, %s per timer %s", unit, what);
	at_most(text, cost[0], least(cost + 2, NR_PEERS - 2));
	if (on_host)
		printf("# %s: %.1f, wanted are %.0f or less than any peer's: %s\n", text, cost[0], wanted_ns,
		       cost[0] <= wanted_ns || cost[0] <= least(cost + 1, NR_PEERS - 1) ? "so it is" : "it is not");
}

int main(int argc, char **argv)
{
	double insert[NR_PEERS][MAX_ROUNDS], cancel[NR_PEERS][MAX_ROUNDS];
	double best_insert[NR_PEERS], best_cancel[NR_PEERS];
	unsigned int r, p, rounds;
	char name[32];

	loops_start(argc, argv);
	rounds = on_host ? 5 : 2;
	keep_memory();
	name_peers(peers, NR_PEERS);
	prepare();
	for (r = 0; r < rounds; r++) {
		for (p = 0; p < NR_PEERS; p++) {
			measure(peers[p]->timers, &insert[p][r], &cancel[p][r]);
			printf("# round %u, %-24s insert %8.1f  cancel %8.1f %s\n", r,
			       peers[p]->name, insert[p][r], cancel[p][r], unit);
		}
	}
	printf("\n");
	for (p = 0; p < NR_PEERS; p++) {
		best_insert[p] = least(insert[p], rounds);
		best_cancel[p] = least(cancel[p], rounds);
		snprintf(name, sizeof(name), "timer_insert%s", suffix);
		figure(name, peers[p]->name, best_insert[p], unit);
		snprintf(name, sizeof(name), "timer_cancel%s", suffix);
		figure(name, peers[p]->name, best_cancel[p], unit);
	}
	printf("\n");
	check("inserted", best_insert, WANTED_INSERT_NS);
	check("cancelled", best_cancel, WANTED_CANCEL_NS);
	return bench_end();
}
