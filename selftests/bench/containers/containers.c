// SPDX-License-Identifier: GPL-2.0-only
/*
 * containers: what do knelld --container and its peers use as the first process of a container?
 *
 * Each in its turn is PID 1 of a pid namespace, in a control group of its own, and runs one program
 * that sleeps, or exits when it is told to (../supervisors/service.c); with the start, the group and the trace of
 * ../supervisors:
 *
 *   container_private_kib   its private memory, as the kernel tells it (smaps_rollup)
 *   container_anon_kib      of that, what is no part of a file
 *   container_pss_kib       private memory and its part of what it shares with others
 *   container_idle_syscalls its system calls in IDLE seconds in which nothing happens
 *   container_idle_switches and how often it was switched to. After that SIGTERM is sent to it, has
 *                           to come to the program, and it has to exit as that tells: it was idle,
 *                           not dead
 *   container_exit_insns    the program exits: CPU time of the group until PID 1 is gone, the
 *                           program's own end in it, which is the same for all. Of NR_EXITS the
 *                           mean
 *   container_exit_latency  the same by the clock, from the signal that it exits by to the return of
 *                           waitpid(2); of NR_EXITS the median
 *
 * Each the median of some rounds in which they take turns. System calls are counted by the
 * kernel's trace, in runs in which instructions are not. Libraries are another process's, too.
 */
#include <dirent.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "../supervisors/sup.h"

#define MAX_ROUNDS	9
#define IDLE		60
#define ENDS		42		/* how ENDER exits */
#define NR_EXITS	20
#define LIBS		"/lib/x86_64-linux-gnu"

static void nothing(unsigned int nr, const char *program)
{
	(void)nr;
	(void)program;
}

/* Ours come first. The program comes last. */
static const struct peer inits[] = {
	{ .name = "knelld", .how = "with the module", .file = PEERS "/knelld", .configure = nothing,
	  .argv = { PEERS "/knelld", "--container", "--backend=kernel", "--", NULL },
	  .init = true },
	{ .name = "knelld_pidfd", .how = "without the module", .file = PEERS "/knelld",
	  .configure = nothing,
	  .argv = { PEERS "/knelld", "--container", "--backend=pidfd", "--", NULL },
	  .init = true },
	{ .name = "tini", .how = "tini", .file = "/usr/bin/tini", .configure = nothing,
	  .argv = { "/usr/bin/tini", "--", NULL }, .init = true },
	{ .name = "tini_static", .how = "tini-static", .file = "/usr/bin/tini-static",
	  .configure = nothing, .argv = { "/usr/bin/tini-static", "--", NULL }, .init = true },
	{ .name = "catatonit", .how = "catatonit", .file = "/usr/bin/catatonit",
	  .configure = nothing, .argv = { "/usr/bin/catatonit", "--", NULL }, .init = true },
	{ .name = "dumb_init", .how = "dumb-init", .file = "/usr/bin/dumb-init",
	  .configure = nothing, .argv = { "/usr/bin/dumb-init", "--", NULL }, .init = true },
};

#define NR_INITS	ARRAY_SIZE(inits)
#define NR_OURS		2

enum figure {
	PRIVATE, ANON, PSS, IDLE_SYSCALLS, IDLE_SWITCHES, EXIT_INSNS, EXIT_LATENCY, NR_FIGURES
};

static const char *const figures[NR_FIGURES] = {
	"container_private_kib", "container_anon_kib", "container_pss_kib",
	"container_idle_syscalls", "container_idle_switches", "container_exit_insns",
	"container_exit_latency",
};

static double found[NR_INITS][NR_FIGURES][MAX_ROUNDS], result[NR_INITS][NR_FIGURES];
static bool runs[NR_INITS];
static unsigned int rounds = 3, turn;
static struct procs now;

/* Its program runs, and it has come to rest. */
static void start(const struct peer *init, const char *program)
{
	struct peer with = *init;
	unsigned int i = 0;

	while (with.argv[i])
		i++;
	with.argv[i] = program;
	start_peer(&with);
	if (!wait_services(&now, 1, NULL))
		die(init->name, 0);
	nap(5 * SECOND);
	look(&now);
	if (now.nr_own != 1 || now.nr_services != 1)
		die(init->name, 0);
}

/* It has come here when the one that has made it ended; how it ended. */
static int wait_gone(void)
{
	int status = 0;

	if (waitpid(now.own[0], &status, 0) != now.own[0])
		die("waitpid", -errno);
	return status;
}

static void be_sure(const struct peer *init, int status, int code)
{
	if (!WIFEXITED(status) || WEXITSTATUS(status) != code) {
		printf("# %s: wait status %#x\n", init->name, status);
		die(init->name, 0);
	}
	kill_peer();
}

static void idle(const struct peer *init, double f[][MAX_ROUNDS])
{
	struct memory m;
	double switches;

	start(init, SERVICE);
	m = memory_of(&now);
	f[PRIVATE][turn] = m.private_kib;
	f[ANON][turn] = m.anon_kib;
	f[PSS][turn] = m.pss_kib;
	if (!turn)
		show_memory(init->name, now.own[0]);
	switches = switches_of(&now);
	trace_start(&now);
	nap(IDLE * SECOND);
	trace_stop();
	f[IDLE_SYSCALLS][turn] = trace_calls(0, NULL);
	f[IDLE_SWITCHES][turn] = switches_of(&now) - switches;
	must("kill", kill(now.own[0], SIGTERM));
	be_sure(init, wait_gone(), 128 + SIGTERM);
}

static void show_exit(const struct peer *init)
{
	start(init, ENDER);
	trace_start(&now);
	must("kill", kill(now.service[0], SIGTERM));
	wait_gone();
	trace_stop();
	trace_calls(0, init->name);
	kill_peer();
}

static void exits(const struct peer *init, double f[][MAX_ROUNDS])
{
	double latency[NR_EXITS], group = 0;
	unsigned int i;
	int status;

	for (i = 0; i < NR_EXITS; i++) {
		uint64_t begin;

		start(init, ENDER);
		group -= group_ns();
		begin = now_ns(CLOCK_MONOTONIC);
		must("kill", kill(now.service[0], SIGTERM));
		status = wait_gone();
		latency[i] = (double)(now_ns(CLOCK_MONOTONIC) - begin);
		group += group_ns();
		be_sure(init, status, ENDS);
	}
	f[EXIT_INSNS][turn] = group / NR_EXITS;
	f[EXIT_LATENCY][turn] = median(latency, NR_EXITS);
}

static void take_turn(unsigned int p)
{
	unsigned int i;

	idle(&inits[p], found[p]);
	if (!turn)
		show_exit(&inits[p]);
	exits(&inits[p], found[p]);
	printf("# round %u: %s:", turn + 1, inits[p].name);
	for (i = 0; i < NR_FIGURES; i++)
		printf(" %.0f", found[p][i][turn]);
	printf("\n");
}

/* PEERS/about has a line for each, "NAME: VERSION" or why there is none. */
static void about(unsigned int p)
{
	const struct peer *init = &inits[p];
	static char text[4096];
	char *s, *save = NULL;
	const char *say = "";

	must(PEERS "/about", read_text(PEERS "/about", text, sizeof(text)));
	for (s = strtok_r(text, "\n", &save); s; s = strtok_r(NULL, "\n", &save))
		if (!strncmp(s, init->name, strlen(init->name)) && s[strlen(init->name)] == ':')
			say = s + strlen(init->name) + 2;
	runs[p] = !access(init->file, X_OK);
	if (!runs[p] && p < NR_OURS)
		die(init->file, -ENOENT);
	if (runs[p])
		printf("# %s: %s; %s\n", init->name, say, init->how);
	else
		printf("NOT RUN %s: %s\n", init->name, say);
}

/* Every page of every library is another process's, too. */
static void share_libraries(void)
{
	char path[PATH_MAX];
	struct dirent *d;
	struct stat st;
	DIR *libs = opendir(LIBS);
	int fd;

	while (libs && (d = readdir(libs))) {
		snprintf(path, sizeof(path), LIBS "/%s", d->d_name);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0 || fstat(fd, &st))
			die(path, -errno);
		if (S_ISREG(st.st_mode) && mmap(NULL, (size_t)st.st_size, PROT_READ,
						MAP_PRIVATE | MAP_POPULATE, fd, 0) == MAP_FAILED)
			die(path, -errno);
		close(fd);
	}
	if (libs)
		closedir(libs);
}

static void results(void)
{
	unsigned int p, i;

	for (i = 0; i < NR_FIGURES; i++) {
		printf("\n");
		for (p = 0; p < NR_INITS; p++) {
			if (!runs[p])
				continue;
			result[p][i] = median(found[p][i], rounds);
			line(figures[i], "", inits[p].name, result[p][i]);
		}
	}
	printf("\n");
}

/* Debian's catatonit is, and one of its tinis. */
static bool is_static(const struct peer *init)
{
	return !strcmp(init->name, "tini_static") || !strcmp(init->name, "catatonit");
}

static void against(unsigned int ours, unsigned int p, enum figure figure, double factor)
{
	char text[128];

	snprintf(text, sizeof(text), "%s, %s, by that of %s", inits[ours].name, figures[figure],
		 inits[p].name);
	at_most(text, result[ours][figure] / result[p][figure], factor);
}

/*
 * It is not to be woken, and to use less memory than others that need no libraries. Its end is dearer
 * than these have, as there is more of it; but not without bounds.
 */
static void bounds(void)
{
	char text[96];
	unsigned int p, other;
	/* Of those that need the C library, and of those that do not. */
	static const double ends[NR_OURS][2] = { { 1.05, 1.4 }, { 1.25, 1.65 } };

	for (p = 0; p < NR_OURS; p++) {
		snprintf(text, sizeof(text), "%s, system calls in an idle minute", inits[p].name);
		at_most(text, result[p][IDLE_SYSCALLS], 0);
		snprintf(text, sizeof(text), "%s, switches in that minute", inits[p].name);
		at_most(text, result[p][IDLE_SWITCHES], 0);
		for (other = NR_OURS; other < NR_INITS; other++) {
			if (!runs[other])
				continue;
			if (is_static(&inits[other]))
				against(p, other, PRIVATE, 1);
			against(p, other, PSS, 1);
			against(p, other, EXIT_INSNS, ends[p][is_static(&inits[other])]);
		}
	}
}

int main(int argc, char **argv)
{
	const struct sched_param param = { .sched_priority = 1 };
	bool force = false;
	unsigned int p;
	int opt;

	while ((opt = getopt(argc, argv, "fr:")) != -1) {
		if (opt == 'f') {
			force = true;
		} else if (opt == 'r' && atoi(optarg) > 0 && atoi(optarg) <= MAX_ROUNDS) {
			rounds = (unsigned int)atoi(optarg);
		} else {
			fprintf(stderr, "usage: %s [-f] [-r ROUNDS]\n", argv[0]);
			return 2;
		}
	}
	bench_start(force);
	if (sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &param))
		die("sched_setscheduler", -errno);
	share_libraries();
	for (p = 0; p < NR_INITS; p++)
		about(p);
	for (turn = 0; turn < rounds; turn++)
		for (p = 0; p < NR_INITS; p++)
			if (runs[p])
				take_turn(p);
	results();
	bounds();
	return bench_end();
}
