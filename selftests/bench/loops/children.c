// SPDX-License-Identifier: GPL-2.0-only
/*
 * children: what does an exit cost a loop, when few and when many children live?
 *
 * Each peer is a manager process of its own with children that sleep until they are killed, each
 * watched by the peer's own means:
 *   libknell        knell_add_child(), AUTOREAP
 *   libknell-pidfd  the same by the other backend
 *   libev           ev_child
 *   libuv           uv_spawn()
 *   libevent        SIGCHLD by evsignal_new(), then waitpid(2) until there is none
 *   sd-event        sd_event_add_child()
 *   pidfd_epoll     no library: pidfd_open(2), epoll, waitid(2), close(2)
 *
 *   exit_live_0      CPU time of the manager for the exit of its only child: from when the child has
 *                    been killed to when the loop has called back, with its status, and has returned;
 *                    the zombie is gone and what the loop had for the child is freed
 *   exit_live_10000  the same of one of 10,001, chosen at random
 *   exit_live_ratio  the latter by the former
 *   exit_machine_0, exit_machine_10000  all that the machine did meanwhile: the child's dying, too
 *   exit_storm_calls NR_STORM children are killed, then the manager waits for them all: its system
 *                    calls per exit, as the kernel's trace of system calls counts them
 *   exit_storm_insns the same storm untraced: CPU time of the manager per exit
 *   exit_storm_calls libknell/nocldwait  without zombies: SA_NOCLDWAIT, no AUTOREAP
 *
 * Each the median of NR_EXITS exits. Managers have a higher priority than the children they wait
 * for: each falls asleep in its loop, the child dies, the manager wakes up. In the storm they give
 * way at nice GIVE_WAY, as in ../exits.c: whoever wakes up for each exit of its own is alone.
 *
 * How it is known that they were exits: each child's callback comes once, with its pid and the
 * signal it died of, only when it was killed, and no child is left after the storm.
 */
#include <sys/resource.h>

#include "main.h"

#define NR_LIVE		10000
#define NR_EXITS	41
#define NR_STORM	2000
#define GIVE_WAY	5
#define MAX_RATIO	1.2
#define MAX_CALLS	1.1
#define MAX_CALLS_NOCLDWAIT 0.1
#define TRACING		"/sys/kernel/tracing/"

/* What a manager tells. */
struct found {
	double few, many;		/* CPU time per exit */
	double few_all, many_all;	/* the machine's */
	double calls, storm;
	uint64_t own_calls;		/* as the loop has counted them */
	bool done;
};

static struct peer *peers[] = {
	&peer_knell, &peer_knell_pidfd, &peer_libev, &peer_libuv, &peer_libevent, &peer_sd_event,
	&peer_pidfd,
};

static const struct child_way *way;
static struct found *found;		/* shared with the managers */
static pid_t *pids;
static bool *killed;
static unsigned int ended;

static void heard_of(unsigned int i, pid_t pid, int status)
{
	if (i > NR_LIVE || pids[i] != pid || !killed[i] || status != SIGKILL)
		die("an exit that was none, or comes twice, or has another status", 0);
	killed[i] = false;
	ended++;
}

/* ---- children ---- */

static void start(unsigned int i)
{
	pids[i] = way->start(i);
}

static void kill_child(unsigned int i)
{
	killed[i] = true;
	must("kill", sys(SYS_kill, pids[i], SIGKILL, 0, 0, 0));
}

/* Children begin to sleep, and the loop does what it has put off. */
static void settle(void)
{
	unsigned int i;

	nap(NAP_NS);
	for (i = 0; i < 3; i++)
		way->turn(false);
	nap(NAP_NS);
}

static void open_way(unsigned int nr, bool reap)
{
	struct sigaction sa = { .sa_flags = reap ? 0 : SA_NOCLDWAIT };

	sigaction(SIGCHLD, &sa, NULL);
	way->open(nr, reap);
}

/* The children that are left go with their parent: nobody waits for them. */
static void end_children(unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		if (pids[i])
			must("kill", sys(SYS_kill, pids[i], SIGKILL, 0, 0, 0));
}

/* ---- one exit at a time ---- */

static void one_exit(unsigned int i, double *cpu, double *all)
{
	uint64_t then = ended + 1, start_cpu, start_all;

	kill_child(i);
	start_all = now_ns(CLOCK_MONOTONIC);
	start_cpu = cpu_ns();
	while (ended != then)
		way->turn(true);
	*cpu = (double)(cpu_ns() - start_cpu);
	*all = (double)(now_ns(CLOCK_MONOTONIC) - start_all);
}

/* Children 0 to @others live; one of them dies, and another one takes its place. */
static double measure(unsigned int others, double *machine)
{
	double cpu[NR_EXITS], all[NR_EXITS];
	unsigned int e, i;
	uint32_t seed = 20231;

	for (e = 0; e < NR_EXITS; e++) {
		seed = seed * 1664525 + 1013904223;
		i = (unsigned int)((uint64_t)seed * (others + 1) >> 32);
		settle();
		one_exit(i, &cpu[e], &all[e]);
		start(i);
	}
	*machine = median(all, NR_EXITS);
	return median(cpu, NR_EXITS);
}

/* Its children must not take the CPU before it sleeps. */
static void be_first(void)
{
	const struct sched_param param = { .sched_priority = 1 };

	if (sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &param))
		die("sched_setscheduler", -errno);
}

static void single_main(void)
{
	unsigned int i;

	open_way(NR_LIVE + 1, true);
	be_first();
	start(0);
	found->few = measure(0, &found->few_all);
	for (i = 1; i <= NR_LIVE; i++)
		start(i);
	found->many = measure(NR_LIVE, &found->many_all);
	end_children(NR_LIVE + 1);
}

/* ---- all at once ---- */

static void tell(const char *file, const char *text)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), TRACING "%s", file);
	fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		die(path, -errno);
	close(fd);
}

/* Entries of the trace, those that were overwritten, too. */
static double traced(void)
{
	unsigned long v, sum = 0;
	char text[80];
	FILE *f = fopen(TRACING "per_cpu/cpu0/stats", "re");

	if (!f)
		die("stats", -errno);
	while (fgets(text, sizeof(text), f))
		if (sscanf(text, "entries: %lu", &v) == 1 || sscanf(text, "overrun: %lu", &v) == 1)
			sum += v;
	fclose(f);
	return (double)sum;
}

static void trace_calls(bool on)
{
	char filter[64];

	tell("tracing_on", "0");
	snprintf(filter, sizeof(filter), "common_pid == %d", getpid());
	tell("events/raw_syscalls/sys_enter/filter", on ? filter : "0");
	tell("events/raw_syscalls/sys_enter/enable", on ? "1" : "0");
	tell("trace", "");
}

static void prepare_storm(bool reap)
{
	unsigned int i;

	open_way(NR_STORM, reap);
	for (i = 0; i < NR_STORM; i++)
		start(i);
	settle();
	be_first();
}

static void end_storm(void)
{
	if (waitpid(-1, NULL, 0) != -1 || errno != ECHILD)
		die("children are left", 0);
}

static void storm(bool reap)
{
	int on = open(TRACING "tracing_on", O_WRONLY | O_CLOEXEC);
	unsigned int i;
	uint64_t own;

	prepare_storm(reap);
	trace_calls(true);
	for (i = 0; i < NR_STORM; i++)
		kill_child(i);
	must("setpriority", sys(SYS_setpriority, PRIO_PROCESS, 0, GIVE_WAY, 0, 0));
	own = way->calls ? way->calls() : 0;
	must("write", sys(SYS_write, on, (long)"1", 1, 0, 0));
	/* Counted are, beside the loop's: this call, and the last one. */
	must("sched_setscheduler", sys(SYS_sched_setscheduler, 0, SCHED_OTHER,
				       (long)&(struct sched_param){ 0 }, 0, 0));
	while (ended < NR_STORM)
		way->turn(true);
	must("write", sys(SYS_write, on, (long)"0", 1, 0, 0));
	found->own_calls = way->calls ? way->calls() - own : 0;
	found->calls = (traced() - 2) / NR_STORM;
	trace_calls(false);
	end_storm();
}

static void timed_storm(bool reap)
{
	const struct sched_param other = { 0 };
	unsigned int i;
	uint64_t cpu;

	prepare_storm(reap);
	for (i = 0; i < NR_STORM; i++)
		kill_child(i);
	must("setpriority", sys(SYS_setpriority, PRIO_PROCESS, 0, GIVE_WAY, 0, 0));
	cpu = cpu_ns();
	must("sched_setscheduler", sys(SYS_sched_setscheduler, 0, SCHED_OTHER, (long)&other, 0, 0));
	while (ended < NR_STORM)
		way->turn(true);
	found->storm = (double)(cpu_ns() - cpu) / NR_STORM;
	end_storm();
}

static void storm_main(void)
{
	storm(true);
}

static void nocldwait_main(void)
{
	storm(false);
}

static void timed_main(void)
{
	timed_storm(true);
}

static void timed_nocldwait_main(void)
{
	timed_storm(false);
}

/* ---- managers ---- */

static struct found in_manager(const struct peer *peer, void (*fn)(void))
{
	int status;
	pid_t pid;

	memset(found, 0, sizeof(*found));
	pid = clone_child();
	if (!pid) {
		way = peer->children;
		fn();
		found->done = true;
		_exit(0);
	}
	if (waitpid(pid, &status, 0) != pid || status || !found->done)
		die(peer->name, 0);
	nap(50 * NAP_NS);
	return *found;
}

static void check_ratio(const struct peer *peer, double ratio)
{
	char text[96];

	snprintf(text, sizeof(text), "%s, an exit among 10,000 by an exit of the only child",
		 peer->name);
	at_most(text, ratio, MAX_RATIO);
}

static void single(void)
{
	struct found f[ARRAY_SIZE(peers)];
	unsigned int p;

	for (p = 0; p < ARRAY_SIZE(peers); p++) {
		f[p] = in_manager(peers[p], single_main);
		printf("# %-20s only child %10.1f  of 10,000 %12.1f\n", peers[p]->name, f[p].few,
		       f[p].many);
	}
	printf("\n");
	for (p = 0; p < ARRAY_SIZE(peers); p++) {
		figure("exit_live_0", peers[p]->name, f[p].few, unit);
		figure("exit_live_10000", peers[p]->name, f[p].many, unit);
		figure("exit_live_ratio", peers[p]->name, f[p].many / f[p].few, "ratio");
		figure("exit_machine_0", peers[p]->name, f[p].few_all, unit);
		figure("exit_machine_10000", peers[p]->name, f[p].many_all, unit);
	}
	printf("\n");
	check_ratio(peers[0], f[0].many / f[0].few);
	check_ratio(peers[1], f[1].many / f[1].few);
}

static double storm_of(struct peer *peer, const char *mode, void (*fn)(void), void (*timed)(void))
{
	struct found f = in_manager(peer, fn);
	double insns = in_manager(peer, timed).storm;

	if (peer->children->calls)
		printf("# %s: the loop counts %.4f\n", mode, (double)f.own_calls / NR_STORM);
	figure("exit_storm_calls", mode, f.calls, "calls");
	figure("exit_storm_insns", mode, insns, unit);
	return f.calls;
}

static void storms(void)
{
	double calls[ARRAY_SIZE(peers)], nocldwait;
	unsigned int p;

	printf("\n");
	for (p = 0; p < ARRAY_SIZE(peers); p++)
		calls[p] = storm_of(peers[p], peers[p]->name, storm_main, timed_main);
	nocldwait = storm_of(peers[0], "libknell/nocldwait", nocldwait_main,
			     timed_nocldwait_main);
	printf("\n");
	at_most("libknell, system calls per exit of a storm, AUTOREAP", calls[0], MAX_CALLS);
	at_most("the same with SA_NOCLDWAIT", nocldwait, MAX_CALLS_NOCLDWAIT);
}

static void prepare(void)
{
	struct rlimit nofile = { 2 * NR_LIVE, 2 * NR_LIVE };
	FILE *f = fopen("/proc/sys/kernel/threads-max", "we");

	if (!f || fprintf(f, "%d\n", 4 * NR_LIVE) < 0 || fclose(f))
		die("threads-max", -errno);
	if (setrlimit(RLIMIT_NOFILE, &nofile))
		die("RLIMIT_NOFILE", -errno);
	found = shared_memory(sizeof(*found));
	pids = calloc(NR_LIVE + 1, sizeof(*pids));
	killed = calloc(NR_LIVE + 1, sizeof(*killed));
	if (!pids || !killed)
		die("calloc", -ENOMEM);
	heard_exit = heard_of;
	name_peers(peers, ARRAY_SIZE(peers));
}

int main(int argc, char **argv)
{
	loops_start(argc, argv);
	if (on_host || !have_queue()) {
		fprintf(stderr, "children: needs /dev/knell, and a machine of its own\n");
		return 2;
	}
	prepare();
	single();
	storms();
	return bench_end();
}
