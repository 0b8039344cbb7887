// SPDX-License-Identifier: GPL-2.0-only
/*
 * supervisors: what do knelld and its peers use, idle and when services end?
 *
 * Each supervisor in its turn runs services that do nothing (service.c), restarted always; run.c
 * starts it in a control group of its own, peers.c configures it. All processes of the group which
 * are not services are its own: the manager and its helpers, or the process per service. With 100
 * services:
 *
 *   private_kib_100   private memory of its own processes, as the kernel tells it (smaps_rollup)
 *   anon_kib_100      of that, what is no part of a file: without the program's text
 *   pss_kib_100       private memory and their part of what they share with others
 *   idle_syscalls     their system calls in IDLE seconds in which nothing happens
 *   idle_switches     and how often they were switched to. After that a service is killed and has
 *                     to come back: it was idle, not dead
 *   respawn_syscalls  a service is killed: system calls of its own processes until all is quiet
 *                     again, and of the new process up to its execve(2), which is counted
 *   respawn_insns     CPU time of the group for that: the service's dying, the manager, its
 *                     helpers, the new process, its execve(2) and its first instructions
 *   respawn_machine_insns  that and what the kernel's threads have run meanwhile
 *
 * With 1,000 services:
 *
 *   private_kib_1000, anon_kib_1000, pss_kib_1000
 *   burst_1000_insns  all are killed at once: CPU time of the group until all are back
 *
 * With one that exits at once:
 *
 *   flap_insns        CPU time of the group per restart
 *
 * Each the median of some rounds in which the supervisors take turns, respawns the median or mean
 * of several in each; 1,000 services are started once, and killed up to three times. System calls
 * are counted by the kernel's trace, in runs in which instructions are not. The libraries that the
 * supervisors use are mapped by another process, too, as they are where more than one program runs:
 * else a supervisor's private memory would be the C library. What a program has for itself alone is
 * private, be it text.
 *
 * A supervisor that is not there or does not do what was asked of it is NOT RUN; it is told why.
 */
#include <dirent.h>
#include <setjmp.h>
#include <sys/stat.h>

#include "sup.h"

#define MAX_ROUNDS	9
#define NR_FEW		100
#define NR_MANY		1000
#define IDLE		60
#define NR_TRACED	9
#define NR_TIMED	20
#define NR_BURSTS	3
#define MAX_BURSTS_NS	5e9	/* after which there is no other one */
#define NR_FLAPS	200
#define FLAP_LIMIT	(600 * SECOND)
#define MAX_PEERS	12
#define NR_OURS		2	/* that come first: knelld, and without the module */

enum figure {
	IDLE_SYSCALLS, IDLE_SWITCHES, RESPAWN_SYSCALLS, RESPAWN_INSNS, RESPAWN_MACHINE_INSNS,
	PRIVATE_100, ANON_100, PSS_100, PRIVATE_1000, ANON_1000, PSS_1000, BURST_INSNS, FLAP_INSNS,
	NR_FIGURES
};

static const char *const figures[NR_FIGURES] = {
	"idle_syscalls", "idle_switches", "respawn_syscalls", "respawn_insns",
	"respawn_machine_insns", "private_kib_100", "anon_kib_100", "pss_kib_100",
	"private_kib_1000", "anon_kib_1000", "pss_kib_1000", "burst_1000_insns", "flap_insns",
};

static double found[MAX_PEERS][NR_FIGURES][MAX_ROUNDS];
static double result[MAX_PEERS][NR_FIGURES];
static bool runs[MAX_PEERS], quick;
static unsigned int rounds = 3, turn;
static struct procs before, after;
static jmp_buf next_peer;

/* Without knelld there is nothing to measure; of the others it is told which are missing. */
static void __attribute__((noreturn)) give_up(const struct peer *peer, const char *what)
{
	printf("NOT RUN %s: %s\n", peer->name, what);
	if (peer < &peers[NR_OURS])
		die(peer->name, 0);
	trace_stop();
	kill_peer();
	longjmp(next_peer, 1);
}

static void start(const struct peer *peer, unsigned int nr, const char *program)
{
	make_dir(SUP_DIR);
	peer->configure(nr, program);
	start_peer(peer);
}

static void start_services(const struct peer *peer, unsigned int nr)
{
	start(peer, nr, SERVICE);
	if (!wait_services(&before, nr, NULL))
		give_up(peer, "does not start its services");
	nap(10 * SECOND);
	look(&before);
}

/* The one of @p->service that is not in @old: both are in order. */
static pid_t newcomer(const struct procs *p, const struct procs *old)
{
	unsigned int i, k = 0;

	for (i = 0; i < p->nr_services; i++) {
		while (k < old->nr_services && old->service[k] < p->service[i])
			k++;
		if (k == old->nr_services || old->service[k] != p->service[i])
			return p->service[i];
	}
	die("a respawn without a new process", 0);
	return 0;
}

static pid_t respawn(const struct peer *peer, unsigned int which)
{
	static struct procs one = { .nr_services = 1 };

	look(&before);
	one.service[0] = before.service[which % before.nr_services];
	must("kill", kill(one.service[0], SIGKILL));
	if (!wait_services(&after, before.nr_services, &one))
		give_up(peer, "does not restart a service");
	nap(SECOND);
	return newcomer(&after, &before);
}

/* To @first and the two after it. */
static void memory(double f[][MAX_ROUNDS], enum figure first)
{
	struct memory m = memory_of(&before);

	f[first][turn] = m.private_kib;
	f[first + 1][turn] = m.anon_kib;
	f[first + 2][turn] = m.pss_kib;
}

static void idle(const struct peer *peer, double f[][MAX_ROUNDS])
{
	double switches = switches_of(&before);
	unsigned int calls;

	trace_start(&before);
	nap(IDLE * SECOND);
	trace_stop();
	calls = trace_calls(0, NULL);
	f[IDLE_SYSCALLS][turn] = calls;
	f[IDLE_SWITCHES][turn] = switches_of(&before) - switches;
	respawn(peer, 0);
}

static void traced_respawns(const struct peer *peer, double f[][MAX_ROUNDS])
{
	double calls[NR_TRACED];
	unsigned int i;
	pid_t pid;

	for (i = 0; i < NR_TRACED; i++) {
		trace_start(&before);
		pid = respawn(peer, 7 * i);
		trace_stop();
		calls[i] = trace_calls(pid, i || turn ? NULL : peer->name);
	}
	f[RESPAWN_SYSCALLS][turn] = median(calls, NR_TRACED);
}

static void timed_respawns(const struct peer *peer, double f[][MAX_ROUNDS])
{
	static struct kernel now, then;
	double group = group_ns();
	unsigned int i;

	look_at_kernel(&then);
	for (i = 0; i < NR_TIMED; i++)
		respawn(peer, 3 * i);
	look_at_kernel(&now);
	group = group_ns() - group;
	f[RESPAWN_INSNS][turn] = group / NR_TIMED;
	f[RESPAWN_MACHINE_INSNS][turn] = (group + kernel_ns(&now, &then)) / NR_TIMED;
}

static void with_few(const struct peer *peer, double f[][MAX_ROUNDS])
{
	start_services(peer, NR_FEW);
	memory(f, PRIVATE_100);
	if (!turn)
		show_memory(peer->name, before.own[0]);
	idle(peer, f);
	traced_respawns(peer, f);
	timed_respawns(peer, f);
	stop_peer(peer);
}

static double burst(const struct peer *peer)
{
	double ns = group_ns();
	unsigned int i;

	look(&before);
	for (i = 0; i < before.nr_services; i++)
		must("kill", kill(before.service[i], SIGKILL));
	if (!wait_services(&after, NR_MANY, &before))
		give_up(peer, "does not restart all services");
	nap(10 * SECOND);
	return group_ns() - ns;
}

/* In the first round only: it takes longer than all else. */
static void with_many(const struct peer *peer, double f[][MAX_ROUNDS])
{
	double ns[NR_BURSTS], sum = 0;
	unsigned int i;

	if (turn || quick)
		return;
	start_services(peer, NR_MANY);
	memory(f, PRIVATE_1000);
	for (i = 0; i < NR_BURSTS && sum < MAX_BURSTS_NS; i++) {
		ns[i] = burst(peer);
		sum += ns[i];
	}
	f[BURST_INSNS][turn] = median(ns, i);
	stop_peer(peer);
}

static off_t flaps(void)
{
	struct stat st;

	if (stat(FLAPS, &st))
		die(FLAPS, -errno);
	return st.st_size;
}

/* In FLAP_LIMIT, or until there were NR_FLAPS. */
static void with_flapping(const struct peer *peer, double f[][MAX_ROUNDS])
{
	uint64_t end = now_ns(CLOCK_MONOTONIC) + FLAP_LIMIT;
	off_t first;
	double ns;

	write_text(FLAPS, "");
	start(peer, 1, FLAPPER);
	while (!flaps() && now_ns(CLOCK_MONOTONIC) < end)
		nap(NAP_NS);
	first = flaps();
	ns = group_ns();
	while (flaps() < first + NR_FLAPS && now_ns(CLOCK_MONOTONIC) < end)
		nap(NAP_NS);
	ns = group_ns() - ns;
	first = flaps() - first;
	if (!first)
		give_up(peer, "does not restart what ends at once");
	if (!turn)
		printf("# %s: %ld restarts of what ends at once\n", peer->name, (long)first);
	f[FLAP_INSNS][turn] = ns / (double)first;
	stop_peer(peer);
}

static void show_round(const struct peer *peer, double f[][MAX_ROUNDS])
{
	unsigned int i;

	printf("# round %u: %s:", turn + 1, peer->name);
	for (i = 0; i < NR_FIGURES; i++)
		printf(" %.0f", f[i][turn]);
	printf("\n");
}

/* False if it could not do what was asked of it. */
static bool take_turn(const struct peer *peer, double f[][MAX_ROUNDS])
{
	if (setjmp(next_peer))
		return false;
	with_few(peer, f);
	with_flapping(peer, f);
	with_many(peer, f);
	show_round(peer, f);
	return true;
}

/* PEERS/about has a line for each, "NAME: VERSION" or why there is none. */
static void about(unsigned int p, char **only, int nr_names)
{
	const struct peer *peer = &peers[p];
	static char text[4096];
	char *s, *save = NULL;
	const char *say = "";
	bool wanted;
	int i;

	must(PEERS "/about", read_text(PEERS "/about", text, sizeof(text)));
	for (s = strtok_r(text, "\n", &save); s; s = strtok_r(NULL, "\n", &save))
		if (!strncmp(s, peer->name, strlen(peer->name)) && s[strlen(peer->name)] == ':')
			say = s + strlen(peer->name) + 2;
	wanted = !nr_names;
	for (i = 0; i < nr_names; i++)
		wanted |= !strcmp(only[i], peer->name);
	if (!wanted)
		return;
	runs[p] = !access(peer->file, X_OK);
	if (runs[p])
		printf("# %s: %s; %s\n", peer->name, say, peer->how);
	else
		printf("NOT RUN %s: %s\n", peer->name, say);
}

/* Every page of every library is another process's, too. */
static void share_libraries(const char *dir)
{
	char path[PATH_MAX];
	struct dirent *d;
	struct stat st;
	DIR *libs = opendir(dir);
	int fd;

	if (!libs)
		die(dir, -errno);
	while ((d = readdir(libs))) {
		snprintf(path, sizeof(path), "%s/%s", dir, d->d_name);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0 || fstat(fd, &st))
			die(path, -errno);
		if (S_ISREG(st.st_mode) && mmap(NULL, (size_t)st.st_size, PROT_READ,
						MAP_PRIVATE | MAP_POPULATE, fd, 0) == MAP_FAILED)
			die(path, -errno);
		close(fd);
	}
	closedir(libs);
}

/* In how many rounds was it found? */
static unsigned int times(unsigned int p, enum figure figure)
{
	unsigned int n = 0;

	while (n < rounds && found[p][figure][n] >= 0)
		n++;
	return n;
}

static void results(void)
{
	unsigned int p, i, n;

	for (i = 0; i < NR_FIGURES; i++) {
		if (times(0, i))
			printf("\n");
		for (p = 0; p < nr_peers; p++) {
			n = times(p, i);
			if (!n)
				continue;
			result[p][i] = median(found[p][i], n);
			line(figures[i], "", peers[p].name, result[p][i]);
		}
	}
	printf("\n");
}

static void nothing_found(void)
{
	unsigned int p, i, n;

	for (p = 0; p < MAX_PEERS; p++)
		for (i = 0; i < NR_FIGURES; i++)
			for (n = 0; n < MAX_ROUNDS; n++)
				found[p][i][n] = -1;
}

static void bounds(void)
{
	char text[96];
	unsigned int p;

	if (!times(0, RESPAWN_INSNS))
		return;
	at_most("knelld, system calls in a minute without anything to do", result[0][IDLE_SYSCALLS], 0);
	at_most("knelld, switches in that minute", result[0][IDLE_SWITCHES], 0);
	at_most("knelld, system calls from a death to the respawn", result[0][RESPAWN_SYSCALLS], 14);
	at_most("knelld, KiB of private memory with 100 services", result[0][PRIVATE_100], 400);
	if (!quick)
		at_most("knelld, KiB of private memory with 1,000 services",
			result[0][PRIVATE_1000], 2048);
	for (p = NR_OURS; p < nr_peers; p++) {
		if (!times(p, RESPAWN_INSNS))
			continue;
		snprintf(text, sizeof(text), "knelld, instructions of a respawn, by those of %s",
			 peers[p].name);
		at_most(text, result[0][RESPAWN_INSNS] / result[p][RESPAWN_INSNS], 1);
	}
}

static void be_first(void)
{
	const struct sched_param param = { .sched_priority = 1 };

	if (sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &param))
		die("sched_setscheduler", -errno);
}

static int options(int argc, char **argv)
{
	bool force = false;
	int opt;

	while ((opt = getopt(argc, argv, "fqr:")) != -1) {
		if (opt == 'f') {
			force = true;
		} else if (opt == 'q') {
			quick = true;
		} else if (opt == 'r' && atoi(optarg) > 0 && atoi(optarg) <= MAX_ROUNDS) {
			rounds = (unsigned int)atoi(optarg);
		} else {
			fprintf(stderr, "usage: %s [-f] [-q] [-r ROUNDS] [SUPERVISOR...]\n"
				"  -q  without the 1,000 services\n", argv[0]);
			exit(2);
		}
	}
	bench_start(force);
	return optind;
}

int main(int argc, char **argv)
{
	int names = options(argc, argv);
	unsigned int p;

	nothing_found();
	be_first();
	share_libraries("/lib64");
	share_libraries("/lib/x86_64-linux-gnu");
	for (p = 0; p < nr_peers; p++)
		about(p, argv + names, argc - names);
	for (turn = 0; turn < rounds; turn++) {
		for (p = 0; p < nr_peers; p++)
			if (runs[p])
				runs[p] = take_turn(&peers[p], found[p]);
	}
	results();
	bounds();
	return bench_end();
}
