// SPDX-License-Identifier: GPL-2.0-only
/*
 * exits: what does it cost a manager to hear that its children died?
 *
 * The same manager with the same children in five ways:
 *   baseline      SA_NOCLDWAIT, nobody watches
 *   knell         SA_NOCLDWAIT and /dev/knell: one record per exit, no wait(2)
 *   knell_waitid  /dev/knell, then waitid(P_PID) for each
 *   pidfd_epoll   a pidfd for each, epoll, then waitid(P_PIDFD) and close(2)
 *   signalfd      signalfd for SIGCHLD, then waitid(P_ALL) until there is none
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
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>

#include "bench.h"

#define BATCH		64		/* events per read, where a read takes several */
#define MAX_CHILDREN	2000
#define MAX_ROUNDS	15
#define NR_SINGLE	500
#define GIVE_WAY	5
#define NR_PARTS	1000		/* watches in the tests of single operations */
#define SETTLE_NS	100000000ULL
#define TURN_NS		20000ULL	/* a turn of settle()'s loop */

struct child {
	int pid;
	int pidfd;
	int status;		/* what it will be, a wait(2) status word */
	int seen;		/* what the manager was told */
	unsigned int times;	/* how often it was told */
};

struct result {
	double mgr, total, syscalls, reads, enrol;
};

struct way {
	const char *name;
	bool nocldwait;
	void (*enrol)(unsigned int n);
	/* Returns once it has heard of @n exits. */
	void (*consume)(unsigned int n);
	void (*finish)(void);
};

static struct child *children;
static unsigned int *child_of_pid;
static unsigned int pid_max;
static int gate[2], last_one[2];
static int queue_fd = -1;
static struct knell_event *events;
static struct knell_op *ops;
static uint64_t nr_reads;
static volatile unsigned int *ready;		/* shared with the children */
static uint32_t *took;				/* settle()'s */
static int give_way = GIVE_WAY;
static uint32_t seed = 20231;

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

/* ---- the ways ---- */

static inline void heard(unsigned int i, int status)
{
	children[i].seen = status;
	children[i].times++;
}

static inline int status_word(const siginfo_t *si)
{
	if (si->si_code == CLD_EXITED)
		return (si->si_status & 0xff) << 8;
	return si->si_status | (si->si_code == CLD_DUMPED ? 0x80 : 0);
}

static void nothing(unsigned int n)
{
	(void)n;
}

static void baseline_consume(unsigned int n)
{
	char c;

	(void)n;
	must("read", sys(SYS_read, last_one[0], (long)&c, 1, 0, 0));
	nr_reads++;
}

static void nothing_left(void)
{
}

static void knell_add(unsigned int from, unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++) {
		ops[i] = (struct knell_op){ .op = KNELL_OP_ADD, .type = KNELL_PROCESS,
					    .token = from + i };
		ops[i].process.pid = children[from + i].pid;
	}
	submit(queue_fd, ops, nr);
}

static void knell_add_all(unsigned int n, unsigned int batch)
{
	unsigned int i;

	for (i = 0; i < n; i += batch)
		knell_add(i, n - i < batch ? n - i : batch);
}

static void knell_enrol(unsigned int n)
{
	queue_fd = open_queue();
	knell_add_all(n, 1000);
}

static inline unsigned int knell_read(unsigned int room)
{
	long ret = must("read", sys(SYS_read, queue_fd, (long)events,
				    (long)(room * sizeof(*events)), 0, 0));

	nr_reads++;
	return (unsigned int)((size_t)ret / sizeof(*events));
}

static void knell_take(unsigned int n, unsigned int room)
{
	unsigned int i, got;

	for (; n; n -= got) {
		got = knell_read(room);
		for (i = 0; i < got; i++)
			heard((unsigned int)events[i].token, events[i].exit.status);
	}
}

static void knell_consume(unsigned int n)
{
	knell_take(n, BATCH);
}

static void knell_waitid_consume(unsigned int n)
{
	unsigned int i, got;
	siginfo_t si;

	for (; n; n -= got) {
		got = knell_read(BATCH);
		for (i = 0; i < got; i++) {
			must("waitid", sys(SYS_waitid, P_PID, events[i].exit.pid, (long)&si,
					   WEXITED, 0));
			heard((unsigned int)events[i].token, status_word(&si));
		}
	}
}

static void queue_close(void)
{
	must("close", sys(SYS_close, queue_fd, 0, 0, 0, 0));
	queue_fd = -1;
}

static void pidfd_enrol(unsigned int n)
{
	struct epoll_event ev = { .events = EPOLLIN };
	unsigned int i;

	queue_fd = (int)must("epoll_create1", sys(SYS_epoll_create1, EPOLL_CLOEXEC, 0, 0, 0, 0));
	for (i = 0; i < n; i++) {
		children[i].pidfd = (int)must("pidfd_open", sys(SYS_pidfd_open, children[i].pid,
								0, 0, 0, 0));
		ev.data.u64 = i;
		must("epoll_ctl", sys(SYS_epoll_ctl, queue_fd, EPOLL_CTL_ADD, children[i].pidfd,
				      (long)&ev, 0));
	}
}

static void pidfd_consume(unsigned int n)
{
	static struct epoll_event ev[BATCH];
	unsigned int c;
	siginfo_t si;
	long i, got;

	for (; n; n -= (unsigned int)got) {
		got = must("epoll_wait", sys(SYS_epoll_wait, queue_fd, (long)ev, BATCH, -1, 0));
		nr_reads++;
		for (i = 0; i < got; i++) {
			c = (unsigned int)ev[i].data.u64;
			must("waitid", sys(SYS_waitid, P_PIDFD, children[c].pidfd, (long)&si,
					   WEXITED, 0));
			/* The last descriptor of a pidfd takes it out of epoll, too. */
			must("close", sys(SYS_close, children[c].pidfd, 0, 0, 0, 0));
			heard(c, status_word(&si));
		}
	}
}

static void signalfd_enrol(unsigned int n)
{
	sigset_t set;

	(void)n;
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	must("rt_sigprocmask", sys(SYS_rt_sigprocmask, SIG_BLOCK, (long)&set, 0, 8, 0));
	queue_fd = (int)must("signalfd4", sys(SYS_signalfd4, -1, (long)&set, 8, SFD_CLOEXEC, 0));
}

static void signalfd_consume(unsigned int n)
{
	static struct signalfd_siginfo sig[BATCH];
	siginfo_t si;
	long ret;

	while (n) {
		must("read", sys(SYS_read, queue_fd, (long)sig, sizeof(sig), 0, 0));
		nr_reads++;
		/* One signal stands for any number of exits: ask until there is none. */
		for (;;) {
			si.si_pid = 0;
			ret = sys(SYS_waitid, P_ALL, 0, (long)&si, WEXITED | WNOHANG, 0);
			if (ret == -ECHILD || !si.si_pid)
				break;
			must("waitid", ret);
			heard(child_of_pid[si.si_pid], status_word(&si));
			n--;
		}
	}
}

static void signalfd_finish(void)
{
	sigset_t set;

	queue_close();
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	must("rt_sigprocmask", sys(SYS_rt_sigprocmask, SIG_UNBLOCK, (long)&set, 0, 8, 0));
}

enum { BASELINE, KNELL, KNELL_WAITID, PIDFD_EPOLL, SIGNALFD, NR_WAYS };

static const struct way ways[NR_WAYS] = {
	[BASELINE] = { "baseline", true, nothing, baseline_consume, nothing_left },
	[KNELL] = { "knell", true, knell_enrol, knell_consume, queue_close },
	[KNELL_WAITID] = { "knell_waitid", false, knell_enrol, knell_waitid_consume, queue_close },
	[PIDFD_EPOLL] = { "pidfd_epoll", false, pidfd_enrol, pidfd_consume, queue_close },
	[SIGNALFD] = { "signalfd", false, signalfd_enrol, signalfd_consume, signalfd_finish },
};

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
static void make_children(const struct way *way, unsigned int n)
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

static void release_all(void)
{
	must("close", sys(SYS_close, gate[1], 0, 0, 0, 0));
	gate[1] = -1;
}

static void release_one(void)
{
	must("write", sys(SYS_write, gate[1], (long)"x", 1, 0, 0));
}

/* Every child was heard of once, with its status, and none is left. */
static void verify(const struct way *way, unsigned int n)
{
	unsigned int i, bad = 0;
	siginfo_t si;

	for (i = 0; i < n && way != &ways[BASELINE]; i++) {
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

static void close_pipes(void)
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

	calls = nr_calls;
	reads = nr_reads;
	start = now_ns(CLOCK_MONOTONIC);
	cpu = cpu_ns();
	release_all();
	way->consume(n);
	way->finish();
	cpu = cpu_ns() - cpu;
	start = now_ns(CLOCK_MONOTONIC) - start;
	r.mgr = (double)cpu / n;
	r.syscalls = (double)(nr_calls - calls) / n;
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
		if (way == &ways[BASELINE])
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
 * fourth round of a way, which the median passes over. Were the order rotated, it would be the
 * same way for rounds on end. Medians into @out.
 */
static void measure_bulk(const bool *use, unsigned int n, unsigned int rounds, struct result *out)
{
	static struct result all[NR_WAYS][MAX_ROUNDS];
	unsigned int r, w;

	for (w = 0; w < NR_WAYS; w++)
		if (use[w])
			bulk(&ways[w], n);
	for (r = 0; r < rounds; r++) {
		for (w = 0; w < NR_WAYS; w++) {
			if (!use[w])
				continue;
			all[w][r] = bulk(&ways[w], n);
			printf("# %u, round %u, %-12s manager %8.1f  both %9.1f  calls %.4f\n",
			       n, r, ways[w].name, all[w][r].mgr, all[w][r].total,
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
				all[w][r] = single(&ways[w], n);
	for (w = 0; w < NR_WAYS; w++)
		if (use[w])
			out[w] = median(all[w], rounds);
}

static void report(const bool *use, const struct result *r, const char *suffix, unsigned int n)
{
	unsigned int w;

	printf("\n%u children, instructions per exit\n", n);
	printf("%-14s %12s %12s %12s %10s %10s %12s\n", "way", "manager", "over base", "both sides",
	       "syscalls", "reads", "enrolment");
	for (w = 0; w < NR_WAYS; w++)
		if (use[w])
			printf("%-14s %12.1f %12.1f %12.1f %10.4f %10.4f %12.1f\n", ways[w].name,
			       r[w].mgr, r[w].mgr - r[BASELINE].mgr, r[w].total, r[w].syscalls,
			       r[w].reads, r[w].enrol);
	printf("\n");
	for (w = 0; w < NR_WAYS; w++) {
		if (!use[w])
			continue;
		line("exit_mgr_insns", suffix, ways[w].name, r[w].mgr - r[BASELINE].mgr);
		line("exit_mgr_raw_insns", suffix, ways[w].name, r[w].mgr);
		line("exit_total_insns", suffix, ways[w].name, r[w].total);
		line("exit_syscalls", suffix, ways[w].name, r[w].syscalls);
		line("exit_reads", suffix, ways[w].name, r[w].reads);
		line("enrol_insns", suffix, ways[w].name, r[w].enrol);
	}
}

static void report_single(const bool *use, const double *single_insns, unsigned int n)
{
	unsigned int w;

	printf("\n%u children, one exit at a time\n", n);
	for (w = 0; w < NR_WAYS; w++)
		if (use[w])
			printf("%-14s %12.1f\n", ways[w].name, single_insns[w]);
	printf("\n");
	for (w = 0; w < NR_WAYS; w++)
		if (use[w])
			line("exit_single_insns", "", ways[w].name, single_insns[w]);
}

/* ---- the parts of knell's way, each for itself ---- */

static void drop_children(unsigned int n)
{
	unsigned int i;

	release_all();
	must("read", read(last_one[0], &i, 1));
	nap(5 * NAP_NS);
	close_pipes();
	for (i = 0; i < n; i++)
		children[i].times = 0;
}

static double part_add(unsigned int n, unsigned int batch)
{
	uint64_t cpu;

	make_children(&ways[KNELL], n);
	queue_fd = open_queue();
	cpu = cpu_ns();
	knell_add_all(n, batch);
	cpu = cpu_ns() - cpu;
	queue_close();
	drop_children(n);
	return (double)cpu / n;
}

/* All exits have happened before the first read: nobody is woken, nobody waits. */
static double part_read(unsigned int n, unsigned int room, double *close_insns)
{
	uint64_t cpu, close_cpu;

	make_children(&ways[KNELL], n);
	knell_enrol(n);
	release_all();
	must("read", read(last_one[0], &cpu, 1));
	nap(5 * NAP_NS);
	cpu = cpu_ns();
	knell_take(n, room);
	cpu = cpu_ns() - cpu;
	close_cpu = cpu_ns();
	queue_close();
	*close_insns = (double)(cpu_ns() - close_cpu) / n;
	verify(&ways[KNELL], n);
	close_pipes();
	return (double)cpu / n;
}

static double part_del(unsigned int n)
{
	static struct knell_watch_info watches[NR_PARTS];
	struct knell_list list = { .watches = (uintptr_t)watches, .nr = n };
	unsigned int i;
	uint64_t cpu;

	make_children(&ways[KNELL], n);
	knell_enrol(n);
	must("LIST", sys(SYS_ioctl, queue_fd, KNELL_IOC_LIST, (long)&list, 0, 0));
	for (i = 0; i < n; i++)
		ops[i] = (struct knell_op){ .op = KNELL_OP_DEL, .watch = watches[i].watch };
	cpu = cpu_ns();
	submit(queue_fd, ops, n);
	cpu = cpu_ns() - cpu;
	queue_close();
	drop_children(n);
	return (double)cpu / n;
}

/* A queue closed with every watch armed, or with every record unread. */
static double part_close(unsigned int n, bool fired)
{
	uint64_t cpu;

	make_children(&ways[KNELL], n);
	knell_enrol(n);
	if (fired) {
		release_all();
		must("read", read(last_one[0], &cpu, 1));
		nap(5 * NAP_NS);
	}
	cpu = cpu_ns();
	queue_close();
	cpu = cpu_ns() - cpu;
	if (fired)
		close_pipes();
	else
		drop_children(n);
	return (double)cpu / n;
}

static void parts(unsigned int n)
{
	static const unsigned int batches[] = { 1, 10, 100, 1000 };
	static const unsigned int rooms[] = { 1, 16, 64 };
	double close_insns = 0, v;
	char mode[32];
	unsigned int i;

	printf("\nparts of knell's way, %u watches, manager instructions each\n", n);
	for (i = 0; i < ARRAY_SIZE(batches); i++) {
		snprintf(mode, sizeof(mode), "batch_%u", batches[i]);
		line("add_insns", "", mode, part_add(n, batches[i]));
	}
	line("del_insns", "", "batch_1000", part_del(n));
	for (i = 0; i < ARRAY_SIZE(rooms); i++) {
		snprintf(mode, sizeof(mode), "room_%u", rooms[i]);
		v = part_read(n, rooms[i], &close_insns);
		line("read_insns", "", mode, v);
	}
	line("close_insns", "", "all_read", close_insns);
	line("close_insns", "", "armed", part_close(n, false));
	line("close_insns", "", "unread", part_close(n, true));
}

/* ---- the bounds ---- */

static void check(const struct result *r, unsigned int n)
{
	double base = r[BASELINE].mgr, knell = r[KNELL].mgr - base;

	printf("\n%u children\n", n);
	at_most("knell, manager instructions per exit over the baseline", knell, 350);
	at_most("the same against 1/18 of pidfd_epoll's", knell, (r[PIDFD_EPOLL].mgr - base) / 18);
	at_most("the same against 1/10 of signalfd's", knell, (r[SIGNALFD].mgr - base) / 10);
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
	events = own_memory(BATCH * sizeof(*events));
	ops = own_memory(KNELL_MAX_OPS * sizeof(*ops));
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
		if (!strcmp(ways[w].name, name))
			return use[w] = true;
	return false;
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
		parts(NR_PARTS);
		return 0;
	}
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		measure_bulk(use, sizes[i], rounds, r[i]);
		report(use, r[i], suffixes[i], sizes[i]);
	}
	measure_single(use, NR_SINGLE, rounds < 3 ? rounds : 3, single_insns);
	report_single(use, single_insns, NR_SINGLE);
	if (use[KNELL])
		parts(NR_PARTS);
	if (some)
		return 0;
	for (i = 0; i < ARRAY_SIZE(sizes); i++)
		check(r[i], sizes[i]);
	return bench_end();
}
