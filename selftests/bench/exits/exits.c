// SPDX-License-Identifier: GPL-2.0-only
/*
 * exits: what does it cost a manager to hear that its children died?
 *
 * The same manager with the same children in eight ways, each in a file:
 *   baseline      SA_NOCLDWAIT, nobody watches
 *   knell         SA_NOCLDWAIT and /dev/knell: one record per exit, no wait(2)
 *   knell_waitid  /dev/knell, then waitid(P_PID) for each
 *   pidfd_epoll   a pidfd for each, epoll, then waitid(P_PIDFD) and close(2)
 *   pidfd_info    SA_NOCLDWAIT, a pidfd for each, epoll, then PIDFD_GET_INFO and close(2): Linux 6.15
 *   signalfd      signalfd for SIGCHLD, then waitid(P_ALL) until there is none
 *   io_uring_waitid  a ring on which an IORING_OP_WAITID for each is under way: Linux 6.7
 *   proc_connector   SA_NOCLDWAIT, netlink's word of every exit of the machine, root's alone
 * What the kernel does not have is NOT RUN.
 *
 * All children are made first and sleep in read(2) of one pipe, the gate. They are enrolled,
 * then released together; the manager consumes every exit and frees whatever it had per child.
 * Statuses are random and a round in which one is wrong, missing or seen twice fails.
 *
 * How is what measured, so that nothing hides:
 *   exit_mgr_raw_insns  CLOCK_PROCESS_CPUTIME_ID of the manager, per exit, from the release to the
 *       last exit consumed and every object freed (pidfds closed, the queue closed)
 *   exit_mgr_insns      the same less the baseline's: what watching costs the manager
 *   exit_total_insns    everything the machine did, per exit: guest time from the release until
 *       the manager is done (nothing idles meanwhile) and whatever disturbs a counting loop that
 *       runs for SETTLE_NS after that: RCU callbacks, kernel threads, interrupts
 *   exit_syscalls       system calls per exit; every call the manager makes goes through sys(),
 *       which counts
 *   exit_reads          of those, calls that fetch events
 *   exit_single_insns   CPU time of the manager for one exit at a time: release one child, hear
 *       of it, again; releasing counted
 *   enrol_insns         CPU time of the manager per child to start watching
 * While the children end together the manager gives way to them, at nice GIVE_WAY, in all ways
 * alike. At their own priority (-n 0) it is chance, a few milliseconds of virtual run time, whether
 * it runs once in a burst or some times more: 2,000 children give the same figures, with 500 they
 * vary by up to 50 instructions an exit. One exit at a time is measured at nice 0.
 *
 * How the baseline waits for the end without watching: every child inherits the write end of a
 * second pipe, never uses it, and the manager blocks in read(2) until the last one is gone. One
 * system call and one wake-up for all exits; the children hold that descriptor in all ways alike.
 */
#include <sys/resource.h>

#include "exits.h"

#define MAX_ROUNDS	15
#define NR_SINGLE	500
#define GIVE_WAY	5
#define SETTLE_NS	100000000ULL
#define TURN_NS		20000ULL	/* a turn of settle()'s loop */

struct result {
	double mgr, total, syscalls, reads, enrol;
};

struct child *children;
unsigned int *child_of_pid;
unsigned int pid_max;
int last_one[2], queue_fd = -1;
uint64_t nr_reads;

static int gate[2];
static volatile unsigned int *ready;		/* shared with the children */
static uint32_t *took;				/* settle()'s */
static int give_way = GIVE_WAY;
static uint32_t seed = 20231;

enum { BASELINE, KNELL, KNELL_WAITID, PIDFD_EPOLL, PIDFD_INFO, SIGNALFD, IO_URING, CONNECTOR, NR_WAYS };

static const struct way *const ways[NR_WAYS] = {
	[BASELINE] = &baseline,
	[KNELL] = &knell,
	[KNELL_WAITID] = &knell_waitid,
	[PIDFD_EPOLL] = &pidfd_epoll,
	[PIDFD_INFO] = &pidfd_info,
	[SIGNALFD] = &signalfd_waitid,
	[IO_URING] = &io_uring_waitid,
	[CONNECTOR] = &proc_connector,
};

#define MAX_TURNS	(2 * SETTLE_NS / TURN_NS)

static unsigned int random_byte(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 17;
	seed ^= seed << 5;
	return (seed >> 8) & 0xff;
}

static void set_nice(int nice)
{
	if (setpriority(PRIO_PROCESS, 0, nice))
		die("setpriority", -errno);
}

/*
 * What the machine does besides this loop in the next SETTLE_NS, in instructions: each turn that
 * took longer than the shortest was disturbed, by just the difference.
 */
static uint64_t settle(void)
{
	uint64_t end, prev, t, shortest = UINT64_MAX, disturbed = 0;
	unsigned int i, n = 0;

	prev = now_ns(CLOCK_MONOTONIC);
	end = prev + SETTLE_NS;
	while (prev < end && n < MAX_TURNS) {
		count_down(TURN_NS / 2);
		t = now_ns(CLOCK_MONOTONIC);
		took[n++] = (uint32_t)(t - prev);
		prev = t;
	}
	for (i = 0; i < n; i++)
		if (took[i] < shortest)
			shortest = took[i];
	for (i = 0; i < n; i++)
		disturbed += took[i] - shortest;
	return disturbed;
}

/* ---- children ---- */

static void child_main(int code)
{
	char c;

	close(gate[1]);
	close(last_one[0]);
	__atomic_fetch_add(ready, 1, __ATOMIC_SEQ_CST);
	sys(SYS_read, gate[0], (long)&c, 1, 0, 0);
	sys(SYS_exit_group, code, 0, 0, 0, 0);
}

static void make_child(struct child *c)
{
	unsigned int code = random_byte();
	int pid = clone_child();

	if (!pid)
		child_main((int)code);
	*c = (struct child){ .pid = pid, .pidfd = -1, .status = (int)code << 8 };
	if (pid >= (int)pid_max)
		die("pid out of range", 0);
	child_of_pid[pid] = (unsigned int)(c - children);
}

/* @n children that all sleep at the gate, and a machine that has nothing else to do. */
void make_children(const struct way *way, unsigned int n)
{
	struct sigaction sa = { .sa_flags = way->nocldwait ? SA_NOCLDWAIT : 0 };
	unsigned int i;

	sigaction(SIGCHLD, &sa, NULL);
	if (pipe2(gate, O_CLOEXEC) || pipe2(last_one, O_CLOEXEC))
		die("pipe2", -errno);
	*ready = 0;
	for (i = 0; i < n; i++)
		make_child(&children[i]);
	close(last_one[1]);
	while (*ready < n)
		nap(NAP_NS);
	/* The last ones are on their way into read(2), grace periods are under way. */
	nap(5 * NAP_NS);
}

void release_all(void)
{
	must("close", sys(SYS_close, gate[1], 0, 0, 0, 0));
	gate[1] = -1;
}

static void release_one(void)
{
	must("write", sys(SYS_write, gate[1], (long)"x", 1, 0, 0));
}

void verify(const struct way *way, unsigned int n)
{
	unsigned int i, bad = 0;
	siginfo_t si;

	for (i = 0; i < n && way != &baseline; i++) {
		if (children[i].times == 1 && children[i].seen == children[i].status)
			continue;
		if (!bad++)
			fprintf(stderr, "exits: %s: child %u: seen %u times, status %#x, not %#x\n",
				way->name, i, children[i].times, children[i].seen,
				children[i].status);
	}
	if (bad)
		die("exits lost, doubled or with a wrong status", 0);
	if (waitid(P_ALL, 0, &si, WEXITED) != -1 || errno != ECHILD)
		die("children are left", 0);
}

void close_pipes(void)
{
	close(gate[0]);
	if (gate[1] >= 0)
		close(gate[1]);
	close(last_one[0]);
}

/* ---- what is measured ---- */

static struct result bulk(const struct way *way, unsigned int n)
{
	uint64_t cpu, start, calls, reads;
	struct result r;

	make_children(way, n);

	cpu = cpu_ns();
	way->enrol(n);
	r.enrol = (double)(cpu_ns() - cpu) / n;
	set_nice(give_way);
	nap(NAP_NS);

	calls = nr_calls + *way->calls;
	reads = nr_reads;
	start = now_ns(CLOCK_MONOTONIC);
	cpu = cpu_ns();
	release_all();
	way->consume(n);
	way->finish();
	cpu = cpu_ns() - cpu;
	start = now_ns(CLOCK_MONOTONIC) - start;
	r.mgr = (double)cpu / n;
	r.syscalls = (double)(nr_calls + *way->calls - calls) / n;
	r.reads = (double)(nr_reads - reads) / n;
	r.total = (double)(start + settle()) / n;
	set_nice(0);

	verify(way, n);
	close_pipes();
	return r;
}

/*
 * One exit at a time. The baseline cannot wait for what it does not watch: it sleeps for a while,
 * so it has the cost of a timer where the others have that of their queue.
 */
static double single(const struct way *way, unsigned int n)
{
	const struct timespec ts = { .tv_nsec = 5000000 };
	uint64_t cpu;
	unsigned int i;

	make_children(way, n);
	way->enrol(n);
	nap(NAP_NS);

	cpu = cpu_ns();
	for (i = 0; i < n; i++) {
		release_one();
		if (way == &baseline)
			must("nanosleep", sys(SYS_nanosleep, (long)&ts, 0, 0, 0, 0));
		else
			way->consume(1);
	}
	way->finish();
	cpu = cpu_ns() - cpu;

	settle();
	verify(way, n);
	close_pipes();
	return (double)cpu / n;
}

#define MEDIAN_OF(results, rounds, field) ({				\
	double _v[MAX_ROUNDS];						\
	unsigned int _i;						\
									\
	for (_i = 0; _i < (rounds); _i++)				\
		_v[_i] = (results)[_i].field;				\
	median(_v, (rounds));						\
})

/*
 * Ways alternate, so that whatever drifts meets all of them; a round before the first fills the
 * slab caches. Always in the same order: about every 2,000 exits the kernel purges the freed stacks
 * (__purge_vmap_area_lazy(), 1.7 million instructions), with 500 children in every
 * fourth round of a way, which the median passes over. Were the order rotated, or the number of
 * runs in a round even, it would be the same way for rounds on end. Medians into @out.
 */
static void measure_bulk(const bool *use, unsigned int n, unsigned int rounds, struct result *out)
{
	static struct result all[NR_WAYS][MAX_ROUNDS];
	bool even = true;
	unsigned int r, w;

	for (w = 0; w < NR_WAYS; w++) {
		if (!use[w])
			continue;
		bulk(ways[w], n);
		even = !even;
	}
	for (r = 0; r < rounds; r++) {
		if (even)
			bulk(&baseline, n);
		for (w = 0; w < NR_WAYS; w++) {
			if (!use[w])
				continue;
			all[w][r] = bulk(ways[w], n);
			printf("# %u, round %u, %-15s manager %8.1f  both %9.1f  calls %.4f\n",
			       n, r, ways[w]->name, all[w][r].mgr, all[w][r].total,
			       all[w][r].syscalls);
		}
	}
	for (w = 0; w < NR_WAYS; w++) {
		if (!use[w])
			continue;
		out[w].mgr = MEDIAN_OF(all[w], rounds, mgr);
		out[w].total = MEDIAN_OF(all[w], rounds, total);
		out[w].syscalls = MEDIAN_OF(all[w], rounds, syscalls);
		out[w].reads = MEDIAN_OF(all[w], rounds, reads);
		out[w].enrol = MEDIAN_OF(all[w], rounds, enrol);
	}
}

static void measure_single(const bool *use, unsigned int n, unsigned int rounds, double *out)
{
	static double all[NR_WAYS][MAX_ROUNDS];
	unsigned int r, w;

	for (r = 0; r < rounds; r++)
		for (w = 0; w < NR_WAYS; w++)
			if (use[w])
				all[w][r] = single(ways[w], n);
	for (w = 0; w < NR_WAYS; w++)
		if (use[w])
			out[w] = median(all[w], rounds);
}

static void report(const bool *use, const struct result *r, const char *suffix, unsigned int n)
{
	unsigned int w;

	printf("\n%u children, instructions per exit\n", n);
	printf("%-16s %12s %12s %12s %10s %10s %12s\n", "way", "manager", "over base", "both sides",
	       "syscalls", "reads", "enrolment");
	for (w = 0; w < NR_WAYS; w++)
		if (use[w])
			printf("%-16s %12.1f %12.1f %12.1f %10.4f %10.4f %12.1f\n", ways[w]->name,
			       r[w].mgr, r[w].mgr - r[BASELINE].mgr, r[w].total, r[w].syscalls,
			       r[w].reads, r[w].enrol);
	printf("\n");
	for (w = 0; w < NR_WAYS; w++) {
		if (!use[w])
			continue;
		line("exit_mgr_insns", suffix, ways[w]->name, r[w].mgr - r[BASELINE].mgr);
		line("exit_mgr_raw_insns", suffix, ways[w]->name, r[w].mgr);
		line("exit_total_insns", suffix, ways[w]->name, r[w].total);
		line("exit_syscalls", suffix, ways[w]->name, r[w].syscalls);
		line("exit_reads", suffix, ways[w]->name, r[w].reads);
		line("enrol_insns", suffix, ways[w]->name, r[w].enrol);
	}
}

static void report_single(const bool *use, const double *single_insns, unsigned int n)
{
	unsigned int w;

	printf("\n%u children, one exit at a time\n", n);
	for (w = 0; w < NR_WAYS; w++)
		if (use[w])
			printf("%-16s %12.1f\n", ways[w]->name, single_insns[w]);
	printf("\n");
	for (w = 0; w < NR_WAYS; w++)
		if (use[w])
			line("exit_single_insns", "", ways[w]->name, single_insns[w]);
}

/* ---- the bounds ---- */

static void check(const struct result *r, unsigned int n)
{
	double base = r[BASELINE].mgr, ours = r[KNELL].mgr - base;

	printf("\n%u children\n", n);
	at_most("knell, manager instructions per exit over the baseline", ours, 350);
	at_most("the same against 1/18 of pidfd_epoll's", ours, (r[PIDFD_EPOLL].mgr - base) / 18);
	at_most("the same against 1/10 of signalfd's", ours, (r[SIGNALFD].mgr - base) / 10);
	at_most("knell, system calls per exit", r[KNELL].syscalls, 0.05);
	at_most("knell, both sides, over the baseline's", r[KNELL].total / r[BASELINE].total, 1.05);
}

static void prepare(void)
{
	struct rlimit nofile = { MAX_CHILDREN + 64, MAX_CHILDREN + 64 };
	FILE *f = fopen("/proc/sys/kernel/pid_max", "r");

	if (!f || fscanf(f, "%u", &pid_max) != 1 || fclose(f))
		die("pid_max", -errno);
	if (setrlimit(RLIMIT_NOFILE, &nofile))
		die("RLIMIT_NOFILE", -errno);
	children = own_memory(MAX_CHILDREN * sizeof(*children));
	child_of_pid = own_memory(pid_max * sizeof(*child_of_pid));
	knell_prepare();
	took = own_memory(MAX_TURNS * sizeof(*took));
	ready = shared_memory(4096);
}

static int usage(void)
{
	fprintf(stderr, "usage: exits [-r ROUNDS] [-w WAY]... [-n NICE] [-p] [-f]\n"
			"  -w  only these ways, and no bounds\n"
			"  -n  the manager's, while its children end together\n"
			"  -p  only the parts of knell's way\n"
			"  -f  go on where the clock does not count instructions\n");
	return 2;
}

static bool use_way(bool *use, const char *name)
{
	unsigned int w;

	for (w = 0; w < NR_WAYS; w++)
		if (!strcmp(ways[w]->name, name))
			return use[w] = true;
	return false;
}

/* What this kernel has not is no longer in @use. */
static void drop_missing(bool *use)
{
	const char *why;
	unsigned int w;

	for (w = 0; w < NR_WAYS; w++) {
		why = use[w] && ways[w]->missing ? ways[w]->missing() : NULL;
		if (!why)
			continue;
		printf("NOT RUN %s: %s\n", ways[w]->name, why);
		use[w] = false;
	}
}

int main(int argc, char **argv)
{
	static const unsigned int sizes[] = { MAX_CHILDREN, 500 };
	static const char *const suffixes[] = { "", "_500" };
	bool use[NR_WAYS] = { [BASELINE] = true };
	bool force = false, some = false, only_parts = false;
	struct result r[ARRAY_SIZE(sizes)][NR_WAYS] = { 0 };
	double single_insns[NR_WAYS];
	unsigned int i, rounds = 3;
	int c;

	while ((c = getopt(argc, argv, "r:w:n:pf")) != -1) {
		if (c == 'r')
			rounds = (unsigned int)atoi(optarg);
		else if (c == 'w' && use_way(use, optarg))
			some = true;
		else if (c == 'n')
			give_way = atoi(optarg);
		else if (c == 'p')
			only_parts = true;
		else if (c == 'f')
			force = true;
		else
			return usage();
	}
	if (rounds < 1 || rounds > MAX_ROUNDS || optind < argc)
		return usage();
	for (i = 0; i < NR_WAYS && !some; i++)
		use[i] = true;

	prepare();
	bench_start(force);
	if (only_parts) {
		parts();
		return 0;
	}
	drop_missing(use);
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		measure_bulk(use, sizes[i], rounds, r[i]);
		report(use, r[i], suffixes[i], sizes[i]);
	}
	measure_single(use, NR_SINGLE, rounds < 3 ? rounds : 3, single_insns);
	report_single(use, single_insns, NR_SINGLE);
	if (use[KNELL])
		parts();
	if (some)
		return 0;
	for (i = 0; i < ARRAY_SIZE(sizes); i++)
		check(r[i], sizes[i]);
	return bench_end();
}
