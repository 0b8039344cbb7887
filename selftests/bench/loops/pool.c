// SPDX-License-Identifier: GPL-2.0-only
/*
 * pool: a thread for each job, against a pool's threads.
 *
 * The experiments that TiFlash's engineers published, with n threads that do what one of
 *   work  do a unit of work, again and again
 *   new   make a thread that does it, wait for its end, again and again
 *   pool  libknell's pool of at most n threads, and a loop that submits a job, is told of its end,
 *         submits the next one: n under way
 * does, n by the number of CPUs: 1 (tests 1 to 3), 3 (test 4), 12.5 (test 5). A unit is 20 times
 * memcpy of a million bytes; in pool_cpu and pool_ipi it is empty, so that only making threads, or
 * handing over, is left.
 *
 *   pool_units   units per second of CPU time (guest: per 10^9 instructions): test1 (work), test2
 *                (work, and WAITERS threads that wait), test3 to test5 (new), pool3 to pool5
 *   pool_cpu     CPU time per empty job, n = 40, and with n appended to the name
 *   pool_ipi     remote TLB flushes per empty job, of /proc/interrupts, n = 40; with -i, and on no
 *                more than one CPU there are none
 *   pool_threads pthread_create(3) is called that often for NR_JOBS jobs, as many of which are under
 *                way as mode says
 *
 * Stacks are the default's, the pool's are its default's.
 */
#include <dirent.h>
#include <pthread.h>

#include <knell.h>

#include "main.h"

#define NR_COPIES	20
#define COPY_SIZE	1000000
#define WAITERS		1000
#define NR_JOBS		10000
#define MANY		40
#define MAX_N		500
#define OF_NEW		0.6
#define NEAR		0.05
#define MAX_IPI		0.001
#define MIN_IPI_NEW	0.05
#define KEEP_ALIVE_NS	200000000ULL

/* A run of so many units, by as many at a time. */
struct run {
	void (*unit)(unsigned int slot);
	unsigned int n;
	unsigned long warm, total;	/* units before the clock starts, and after */
};

struct result {
	double cpu;			/* per unit */
	double ipi;
};

static struct {
	struct run run;
	unsigned long begun, ended;
	uint64_t cpu;			/* then, what it was since */
	uint64_t ipi;
	pthread_mutex_t lock;
	struct knell_loop *loop;
	struct knell_pool *pool;
} now = { .lock = PTHREAD_MUTEX_INITIALIZER };

static long cpus;
static char *from, *to;		/* memory to copy; a million each */
static unsigned int made;	/* pthread_create() calls */
static bool with_ipi;

int __real_pthread_create(pthread_t *t, const pthread_attr_t *attr, void *(*fn)(void *), void *arg);
int __wrap_pthread_create(pthread_t *t, const pthread_attr_t *attr, void *(*fn)(void *), void *arg);

/* Every call of this program is this one (ld --wrap), the library's, too. */
int __wrap_pthread_create(pthread_t *t, const pthread_attr_t *attr, void *(*fn)(void *), void *arg)
{
	__atomic_fetch_add(&made, 1, __ATOMIC_RELAXED);
	return __real_pthread_create(t, attr, fn, arg);
}

static pthread_t thread(void *(*fn)(void *), void *arg)
{
	pthread_t t;
	int err = pthread_create(&t, NULL, fn, arg);

	if (err)
		die("pthread_create", -err);
	return t;
}

/* Sum of the line TLB of all CPUs; 0: there is none. */
static uint64_t tlb_flushes(void)
{
	char text[4096], *p;
	uint64_t sum = 0;
	FILE *f = fopen("/proc/interrupts", "re");

	if (!f)
		die("/proc/interrupts", -errno);
	while (fgets(text, sizeof(text), f)) {
		p = strstr(text, "TLB:");
		if (!p)
			continue;
		for (p += 4; *p; ) {
			while (*p == ' ')
				p++;
			if (*p < '0' || *p > '9')
				break;
			sum += strtoull(p, &p, 10);
		}
	}
	fclose(f);
	return sum;
}

/* ---- units ---- */

static void copy(unsigned int slot)
{
	unsigned int i;

	for (i = 0; i < NR_COPIES; i++) {
		memcpy(to + (size_t)slot * COPY_SIZE, from, COPY_SIZE);
		__asm__ volatile("" : : : "memory");
	}
}

static void empty(unsigned int slot)
{
	(void)slot;
}

/* ---- n at a time ---- */

static void clock_start(void)
{
	now.ipi = with_ipi ? tlb_flushes() : 0;
	now.cpu = cpu_ns();
}

static void clock_stop(void)
{
	now.cpu = cpu_ns() - now.cpu;
	now.ipi = with_ipi ? tlb_flushes() - now.ipi : 0;
}

/* True: there is one more to be done. */
static bool begin_unit(void)
{
	bool more;

	pthread_mutex_lock(&now.lock);
	more = now.begun < now.run.warm + now.run.total;
	now.begun += more;
	pthread_mutex_unlock(&now.lock);
	return more;
}

/* Whoever does the first one that counts, and the last one, looks at the clock. */
static void end_unit(void)
{
	pthread_mutex_lock(&now.lock);
	now.ended++;
	if (now.ended == now.run.warm)
		clock_start();
	if (now.ended == now.run.warm + now.run.total)
		clock_stop();
	pthread_mutex_unlock(&now.lock);
}

static void *worker_main(void *arg)
{
	while (begin_unit()) {
		now.run.unit((unsigned int)(uintptr_t)arg);
		end_unit();
	}
	return NULL;
}

static void *unit_main(void *arg)
{
	now.run.unit((unsigned int)(uintptr_t)arg);
	return NULL;
}

static void *creator_main(void *arg)
{
	while (begin_unit()) {
		pthread_join(thread(unit_main, arg), NULL);
		end_unit();
	}
	return NULL;
}

static void in_threads(void *(*fn)(void *))
{
	pthread_t threads[MAX_N];
	unsigned int i;

	for (i = 0; i < now.run.n; i++)
		threads[i] = thread(fn, (void *)(uintptr_t)i);
	for (i = 0; i < now.run.n; i++)
		pthread_join(threads[i], NULL);
}

static void work(void)
{
	in_threads(worker_main);
}

static void new(void)
{
	in_threads(creator_main);
}

static void job(void *arg)
{
	now.run.unit((unsigned int)(uintptr_t)arg);
}

static void job_done(struct knell_loop *l, void *arg, int status);

static void submit_job(void *arg)
{
	int ret = knell_pool_submit(now.pool, now.loop, job, job_done, arg, 0, NULL);

	if (ret < 0)
		die("knell_pool_submit", ret);
}

static void job_done(struct knell_loop *l, void *arg, int status)
{
	if (status)
		die("a job was not run", status);
	end_unit();
	if (begin_unit())
		submit_job(arg);
	else if (now.ended == now.begun)
		knell_loop_stop(l);
}

static void open_pool(const struct knell_pool_attr *attr)
{
	now.loop = knell_loop_new(NULL);
	now.pool = knell_pool_new(attr);
	if (!now.loop || !now.pool)
		die("a loop and a pool", -errno);
}

static void run_pool(void)
{
	unsigned int i;
	int ret;

	for (i = 0; i < now.run.n && begin_unit(); i++)
		submit_job((void *)(uintptr_t)i);
	ret = knell_loop_run(now.loop, KNELL_RUN_DEFAULT);
	if (ret < 0)
		die("knell_loop_run", ret);
}

static void close_pool(void)
{
	int ret = knell_pool_shutdown(now.pool, KNELL_NEVER);

	if (ret)
		die("knell_pool_shutdown", ret);
	knell_loop_free(now.loop);
}

static void pool(void)
{
	const struct knell_pool_attr attr = { .max = now.run.n };

	open_pool(&attr);
	run_pool();
	close_pool();
}

static struct result measure(void (*how)(void), struct run run)
{
	now.run = run;
	now.begun = 0;
	now.ended = 0;
	how();
	if (now.ended != run.warm + run.total)
		die("units were not done", 0);
	return (struct result){ .cpu = (double)now.cpu / (double)run.total,
				.ipi = (double)now.ipi / (double)run.total };
}

/* ---- test1 to test5 ---- */

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t opened = PTHREAD_COND_INITIALIZER;
static bool is_open;
static unsigned int at_gate;

static void *waiter_main(void *arg)
{
	(void)arg;
	pthread_mutex_lock(&gate);
	at_gate++;
	while (!is_open)
		pthread_cond_wait(&opened, &gate);
	pthread_mutex_unlock(&gate);
	return NULL;
}

static void work_beside_waiters(void)
{
	static pthread_t waiters[WAITERS];
	unsigned int i, there = 0;

	is_open = false;
	at_gate = 0;
	for (i = 0; i < WAITERS; i++)
		waiters[i] = thread(waiter_main, NULL);
	while (there < WAITERS) {
		nap(NAP_NS);
		pthread_mutex_lock(&gate);
		there = at_gate;
		pthread_mutex_unlock(&gate);
	}
	work();
	pthread_mutex_lock(&gate);
	is_open = true;
	pthread_cond_broadcast(&opened);
	pthread_mutex_unlock(&gate);
	for (i = 0; i < WAITERS; i++)
		pthread_join(waiters[i], NULL);
}

static void experiments(void)
{
	static const struct {
		const char *name;
		void (*how)(void);
		double per_cpu;
	} tests[] = {
		{ "test1", work, 1 }, { "test2", work_beside_waiters, 1 }, { "test3", new, 1 },
		{ "test4", new, 3 }, { "test5", new, 12.5 }, { "pool3", pool, 1 },
		{ "pool4", pool, 3 }, { "pool5", pool, 12.5 },
	};
	double v[ARRAY_SIZE(tests)][MAX_ROUNDS], units[ARRAY_SIZE(tests)];
	unsigned int rounds = on_host ? 5 : 1, r, t;
	struct run run = { .unit = copy, .total = on_host ? 100 : 24 };

	from = own_memory(COPY_SIZE);
	to = own_memory((size_t)COPY_SIZE * (unsigned int)(12.5 * (double)cpus));
	for (r = 0; r < rounds; r++) {
		for (t = 0; t < ARRAY_SIZE(tests); t++) {
			run.n = (unsigned int)(tests[t].per_cpu * (double)cpus);
			run.warm = run.n;
			v[t][r] = measure(tests[t].how, run).cpu;
		}
	}
	for (t = 0; t < ARRAY_SIZE(tests); t++) {
		units[t] = 1e9 / median(v[t], rounds);
		figure("pool_units", tests[t].name, units[t], on_host ? "units/s" : "units/Ginsns");
	}
	printf("\n");
	/* Here what other programs do to the caches is more than that. */
	if (on_host)
		return;
	at_least("units of CPU time beside threads that wait, against alone", units[1] / units[0],
		 1 - NEAR);
	at_most("the same", units[1] / units[0], 1 + NEAR);
}

/* ---- empty jobs ---- */

static struct result empty_jobs(void (*how)(void), unsigned int n, unsigned long total,
				unsigned int rounds)
{
	double cpu[MAX_ROUNDS], ipi[MAX_ROUNDS];
	struct run run = { .unit = empty, .n = n, .warm = 4 * n, .total = total };
	struct result result;
	unsigned int r;

	for (r = 0; r < rounds; r++) {
		result = measure(how, run);
		cpu[r] = result.cpu;
		ipi[r] = result.ipi;
	}
	return (struct result){ .cpu = median(cpu, rounds), .ipi = median(ipi, rounds) };
}

static void cpu_of(unsigned int n, const char *name)
{
	unsigned int rounds = on_host ? 5 : 1, total = on_host ? 20000 : 4000;
	struct result with_new, with_pool;
	char text[96];

	with_new = empty_jobs(new, n, total, rounds);
	with_pool = empty_jobs(pool, n, total, rounds);
	figure(name, "new_thread", with_new.cpu, unit);
	figure(name, "libknell", with_pool.cpu, unit);
	snprintf(text, sizeof(text), "%u at a time, CPU time of a pool's job by a thread's", n);
	at_most(text, with_pool.cpu / with_new.cpu, OF_NEW);
}

static void cpu_time(void)
{
	const unsigned int n[] = { (unsigned int)cpus, (unsigned int)(3 * cpus), MAX_N };
	unsigned int i;
	char name[32];

	printf("\n");
	cpu_of(MANY, "pool_cpu");
	for (i = 0; i < ARRAY_SIZE(n); i++) {
		snprintf(name, sizeof(name), "pool_cpu_%u", n[i]);
		cpu_of(n[i], name);
	}
}

static void interrupts(void)
{
	struct result with_new, with_pool;

	with_ipi = true;
	with_new = empty_jobs(new, MANY, 2000, 3);
	with_pool = empty_jobs(pool, MANY, 10000, 3);
	with_ipi = false;
	printf("\n");
	figure("pool_ipi", "new_thread", with_new.ipi, "ipis");
	figure("pool_ipi", "libknell", with_pool.ipi, "ipis");
	at_least("remote TLB flushes per thread made and ended: they can be counted",
		 with_new.ipi, MIN_IPI_NEW);
	at_most("remote TLB flushes per job of a pool", with_pool.ipi, MAX_IPI);
}

/* ---- threads ---- */

static unsigned int tasks(void)
{
	unsigned int n = 0;
	DIR *dir = opendir("/proc/self/task");

	if (!dir)
		die("/proc/self/task", -errno);
	for (struct dirent *d; (d = readdir(dir)); )
		n += d->d_name[0] != '.';
	closedir(dir);
	return n;
}

/* The first n jobs wait for each other, so n threads there must be. */
static void meet(unsigned int slot)
{
	static unsigned int there;

	(void)slot;
	pthread_mutex_lock(&gate);
	there++;
	pthread_cond_broadcast(&opened);
	while (there < now.run.n)
		pthread_cond_wait(&opened, &gate);
	pthread_mutex_unlock(&gate);
}

static void threads_made(void)
{
	const struct knell_pool_attr attr = { .max = MAX_N, .keep_alive_ns = KEEP_ALIVE_NS };
	struct knell_pool_stats s;
	unsigned int before = made, left = tasks(), i;

	now.run = (struct run){ .unit = meet, .n = MANY, .total = NR_JOBS };
	now.begun = 0;
	now.ended = 0;
	open_pool(&attr);
	run_pool();
	made -= before;
	knell_pool_stats_get(now.pool, &s);
	printf("\n# %u jobs: %u threads made, %lu reused, %u at most\n", NR_JOBS, made,
	       (unsigned long)s.reused, s.peak);
	if (s.created != made || s.completed != NR_JOBS)
		die("the pool counts otherwise", 0);
	figure("pool_threads", "40_at_a_time", made, "threads");
	/* They end by themselves; a minute is for machines that do nothing else. */
	for (i = 0; i < 3000 && tasks() > left; i++)
		nap(NAP_NS);
	figure("pool_threads", "after_keep_alive", tasks() - left, "threads");
	at_most("threads made for jobs of which 40 are under way", made, MANY);
	at_most("threads that are left", tasks() - left, 0);
	close_pool();
}

int main(int argc, char **argv)
{
	cpus = sysconf(_SC_NPROCESSORS_ONLN);
	if (argc == 2 && !strcmp(argv[1], "-i")) {
		setvbuf(stdout, NULL, _IOLBF, 0);
		if (cpus < 2 || MANY > MAX_N)
			die("more than one CPU", 0);
		interrupts();
		return bench_end();
	}
	loops_start(argc, argv);
	printf("# %ld CPUs\n", cpus);
	experiments();
	cpu_time();
	threads_made();
	return bench_end();
}
