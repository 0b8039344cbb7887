// SPDX-License-Identifier: GPL-2.0-only
/*
 * blocked: do threads that wait cost those that run?
 *
 * WORKERS threads count to COUNT, alone and beside others: as TiFlash's engineers asked, 5,000 that
 * wait and 500 that run but yield.
 *
 *   blocked_ratio libknell  5,000 jobs of a libknell pool (UNCAPPED) wait on a condition variable
 *   blocked_ratio threads   5,000 threads do
 *   yield_ratio threads     500 threads call sched_yield(2) in a loop: with those it does cost
 *
 * Ratios of the time it takes, in the guest of all the machine does; elsewhere of the process's CPU
 * time, which says nothing of the yielding ones.
 */
#include <pthread.h>

#include <knell.h>

#include "main.h"

#define WORKERS		2
#define COUNT		50000000UL	/* where instructions are counted a tenth of it will do */
#define NR_BLOCKED	5000
#define NR_YIELD	500
#define STACK_SIZE	(64 << 10)
#define MAX_BLOCKED	1.15
#define MIN_YIELD	1.25

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static unsigned int there;
static bool go;

static pthread_t threads[NR_BLOCKED];
static struct knell_pool *pool;

static void start(pthread_t *t, void *(*fn)(void *))
{
	pthread_attr_t attr;
	int err;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_SIZE);
	err = pthread_create(t, &attr, fn, NULL);
	if (err)
		die("pthread_create", -err);
	pthread_attr_destroy(&attr);
}

static void *count(void *arg)
{
	(void)arg;
	count_down(on_host ? COUNT : COUNT / 10);
	return NULL;
}

static double count_all(void)
{
	pthread_t t[WORKERS];
	uint64_t time;
	unsigned int i;

	time = on_host ? cpu_ns() : now_ns(CLOCK_MONOTONIC);
	for (i = 0; i < WORKERS; i++)
		start(&t[i], count);
	for (i = 0; i < WORKERS; i++)
		pthread_join(t[i], NULL);
	return (double)((on_host ? cpu_ns() : now_ns(CLOCK_MONOTONIC)) - time);
}

/* ---- who is beside them ---- */

static void block(void *arg)
{
	(void)arg;
	pthread_mutex_lock(&lock);
	there++;
	while (!go)
		pthread_cond_wait(&changed, &lock);
	pthread_mutex_unlock(&lock);
}

static void *block_main(void *arg)
{
	block(arg);
	return NULL;
}

static void *yield_main(void *arg)
{
	(void)arg;
	pthread_mutex_lock(&lock);
	there++;
	pthread_mutex_unlock(&lock);
	while (!__atomic_load_n(&go, __ATOMIC_RELAXED))
		sched_yield();
	return NULL;
}

static void wait_for(unsigned int n)
{
	unsigned int seen = 0;

	while (seen < n) {
		nap(NAP_NS);
		pthread_mutex_lock(&lock);
		seen = there;
		pthread_mutex_unlock(&lock);
	}
	nap(5 * NAP_NS);
}

static void release(void)
{
	pthread_mutex_lock(&lock);
	__atomic_store_n(&go, true, __ATOMIC_RELAXED);
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
}

static double alone(void)
{
	return count_all();
}

static double beside_threads(void *(*fn)(void *), unsigned int n)
{
	unsigned int i;
	double time;

	there = 0;
	go = false;
	for (i = 0; i < n; i++)
		start(&threads[i], fn);
	wait_for(n);
	time = count_all();
	release();
	for (i = 0; i < n; i++)
		pthread_join(threads[i], NULL);
	return time;
}

static double beside_blocked(void)
{
	return beside_threads(block_main, NR_BLOCKED);
}

static double beside_yielding(void)
{
	return beside_threads(yield_main, NR_YIELD);
}

static double beside_pool(void)
{
	const struct knell_pool_attr attr = {
		.stack_size = STACK_SIZE, .flags = KNELL_POOL_UNCAPPED,
	};
	unsigned int i;
	double time;
	int ret;

	there = 0;
	go = false;
	pool = knell_pool_new(&attr);
	if (!pool)
		die("knell_pool_new", -errno);
	for (i = 0; i < NR_BLOCKED; i++) {
		ret = knell_pool_submit(pool, NULL, block, NULL, NULL, 0, NULL);
		if (ret)
			die("knell_pool_submit", ret);
	}
	wait_for(NR_BLOCKED);
	time = count_all();
	release();
	ret = knell_pool_shutdown(pool, KNELL_NEVER);
	if (ret)
		die("knell_pool_shutdown", ret);
	return time;
}

int main(int argc, char **argv)
{
	static double (*const ways[])(void) = {
		alone, beside_pool, beside_blocked, beside_yielding,
	};
	double v[ARRAY_SIZE(ways)][MAX_ROUNDS], m[ARRAY_SIZE(ways)];
	unsigned int rounds, nr, r, w;

	loops_start(argc, argv);
	rounds = on_host ? 5 : 1;
	nr = on_host ? 3 : 4;
	for (r = 0; r < rounds; r++)
		for (w = 0; w < nr; w++)
			v[w][r] = ways[w]();
	for (w = 0; w < nr; w++)
		m[w] = least(v[w], rounds);
	figure("blocked_ratio", "libknell", m[1] / m[0], "ratio");
	figure("blocked_ratio", "threads", m[2] / m[0], "ratio");
	if (!on_host)
		figure("yield_ratio", "threads", m[3] / m[0], "ratio");
	printf("\n");
	/* Here what other programs do to the caches is as much as that. */
	if (on_host)
		return bench_end();
	at_most("beside 5,000 jobs that wait, against alone", m[1] / m[0], MAX_BLOCKED);
	at_most("the same of plain threads", m[2] / m[0], MAX_BLOCKED);
	at_least("beside 500 threads that yield", m[3] / m[0], MIN_YIELD);
	return bench_end();
}
