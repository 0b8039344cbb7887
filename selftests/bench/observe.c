// SPDX-License-Identifier: GPL-2.0-only
/*
 * observe: what do the tracepoints cost while they are off, and what does the black box cost?
 *
 * The first is what the module costs less what the same module costs that was built without them
 * (NOTRACE, see bench.mk). They are inserted in turn, and the first one twice in each round: how
 * much that differs from itself is what can be told apart at all. NR_WATCHES of them, or exits of
 * processes with NR_HOOKS watches each:
 *   add      ADD of a USER watch
 *   fire     TRIGGER, which makes a record pending
 *   deliver  read(2) of it
 *   del      DEL
 *   exit     the whole life of a process from clone(2) to wait4(2), by the watch: its ADD, the hook
 *            of its death, the read
 *   trace_off_insns    the difference, per event: a no-op for each tracepoint that it passes, and
 *                      for an exit's five what else the compiler makes of them
 *   trace_twice_insns  the module's from itself
 *
 * The second is what lies between two hooks of one death, with a box (box_addr=, see run.sh) and
 * without. A process is watched by NR_HOOKS queues, or is in NR_TREES trees and killed, and dies:
 * all its hooks run one after the other with interrupts off, so nothing comes between them, least
 * of all the writer; and each passes the tracepoint knell_watch_fire, which comes just before the
 * box. It is on both times, and tracefs notes the time stamp counter, which counts instructions
 * here; so what it costs falls out of the difference.
 *   box_hook_insns process, tree  of the hooks that find the writer called, the dearest
 *   box_hook_insns calls          of the first hook of a death, which has to call it: the same and
 *       the kernel's irq_work_queue(), with the interrupt's request to the APIC; the interrupt itself
 *       comes when they are on again
 *   box_exit_insns   of a whole exit that comes alone, with a box less without: hook, call,
 *       interrupt, CRC, the write and whatever else the writer does; tracepoints off
 *   box_write_insns  what of that is not the hook's
 */
#include <sys/resource.h>

#include "bench.h"

#define TRACED		"/lib/knell.ko"
#define UNTRACED	"/lib/knell_notrace.ko"
#define TRACEFS		"/sys/kernel/tracing/"
#define EVENT		TRACEFS "events/knell/knell_watch_fire/enable"
#define BOX		"box_addr=0x10000000 box_size=65536"

#define NR_WATCHES	1000
#define NR_HOOKS	32	/* fewer than the box's ring has places */
#define NR_TREES	4
#define NR_NO_OPS	5	/* tracepoints that an exit passes, from ADD to the watch's end */
#define REPS		15
#define ROUNDS		3

enum { ADD, FIRE, DELIVER, DEL, EXIT, NR_COSTS };

static const char *const names[NR_COSTS] = { "add", "fire", "deliver", "del", "exit" };

static struct knell_op ops[NR_WATCHES];
static struct knell_event events[NR_WATCHES];
static int queues[NR_HOOKS];

/* ---- the module ---- */

static void unload(void)
{
	must("delete_module", syscall(SYS_delete_module, "knell", O_NONBLOCK) ? -errno : 0);
}

static void load(const char *file, const char *options)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || syscall(SYS_finit_module, fd, options, 0))
		die(file, -errno);
	close(fd);
}

/* ---- USER watches, without anybody else ---- */

/* Applies ops[], as they were prepared; instructions of each. */
static double apply(int queue)
{
	uint64_t start = now_ns(CLOCK_MONOTONIC);

	submit(queue, ops, NR_WATCHES);
	return (double)(now_ns(CLOCK_MONOTONIC) - start) / NR_WATCHES;
}

static double deliver(int queue)
{
	uint64_t start = now_ns(CLOCK_MONOTONIC);

	if (must("read", sys(SYS_read, queue, (long)events, sizeof(events), 0, 0)) != sizeof(events))
		die("read of all records", 0);
	return (double)(now_ns(CLOCK_MONOTONIC) - start) / NR_WATCHES;
}

static void measure_watches(double cost[NR_COSTS])
{
	static uint32_t watch[NR_WATCHES];
	int queue = open_queue();
	unsigned int i;

	for (i = 0; i < NR_WATCHES; i++)
		ops[i] = (struct knell_op){ .op = KNELL_OP_ADD, .type = KNELL_USER };
	cost[ADD] = apply(queue);
	for (i = 0; i < NR_WATCHES; i++) {
		watch[i] = ops[i].watch;
		ops[i] = (struct knell_op){ .op = KNELL_OP_TRIGGER, .watch = watch[i] };
	}
	cost[FIRE] = apply(queue);
	cost[DELIVER] = deliver(queue);
	for (i = 0; i < NR_WATCHES; i++)
		ops[i] = (struct knell_op){ .op = KNELL_OP_DEL, .watch = watch[i] };
	cost[DEL] = apply(queue);
	must("close", sys(SYS_close, queue, 0, 0, 0, 0));
}

/* ---- deaths ---- */

static void open_queues(void)
{
	unsigned int i;

	for (i = 0; i < NR_HOOKS; i++)
		queues[i] = open_queue();
}

static void close_queues(void)
{
	unsigned int i;

	for (i = 0; i < NR_HOOKS; i++)
		must("close", sys(SYS_close, queues[i], 0, 0, 0, 0));
}

/* All of a child's life, @nr queues watch it; every one of them hears of its death. */
static double watched_life(unsigned int nr)
{
	uint64_t start = now_ns(CLOCK_MONOTONIC);
	int pid = clone_sleeper(), status;
	struct knell_event ev;
	struct knell_op op;
	unsigned int i;

	for (i = 0; i < nr; i++) {
		op = (struct knell_op){ .op = KNELL_OP_ADD, .type = KNELL_PROCESS, .process.pid = pid };
		submit(queues[i], &op, 1);
	}
	must("kill", sys(SYS_kill, pid, SIGKILL, 0, 0, 0));
	must("wait4", sys(SYS_wait4, pid, (long)&status, __WALL, 0, 0));
	for (i = 0; i < nr; i++) {
		ev = next_event(queues[i]);
		if (ev.type != KNELL_EV_EXIT || ev.exit.pid != pid || ev.exit.status != SIGKILL)
			die("a watched child's end", 0);
	}
	return (double)(now_ns(CLOCK_MONOTONIC) - start);
}

/* A child that is killed in NR_TREES trees, one inside the other. */
static void end_in_trees(void)
{
	int pid, status, ready[2];
	uint32_t tree[NR_TREES];
	struct knell_event ev;
	unsigned int i;
	char c;

	for (i = 0; i < NR_TREES; i++)
		tree[i] = add_tree(queues[0], i);
	if (pipe2(ready, O_CLOEXEC))
		die("pipe2", -errno);
	pid = clone_child();
	if (!pid) {
		for (i = 0; i < NR_TREES; i++)
			join_tree(queues[0], tree[i], 0);
		must("write", sys(SYS_write, ready[1], (long)"x", 1, 0, 0));
		for (;;)
			sys(SYS_pause, 0, 0, 0, 0, 0);
	}
	must("read", sys(SYS_read, ready[0], (long)&c, 1, 0, 0));
	close(ready[0]);
	close(ready[1]);
	must("kill", sys(SYS_kill, pid, SIGKILL, 0, 0, 0));
	must("wait4", sys(SYS_wait4, pid, (long)&status, __WALL, 0, 0));
	for (i = 0; i < 2 * NR_TREES; i++) {
		ev = next_event(queues[0]);
		if (ev.type == KNELL_EV_EXIT && !(ev.flags & KNELL_EVF_KILLER))
			die("who has killed it", 0);
	}
}

/* ---- the tracepoints, off ---- */

/* Of the module that is loaded. */
static void measure_module(double cost[NR_COSTS])
{
	double all[NR_COSTS][REPS], one[NR_COSTS];
	unsigned int r, i;

	open_queues();
	/* The first ones fill the slab caches. */
	measure_watches(one);
	watched_life(NR_HOOKS);
	for (r = 0; r < REPS; r++) {
		measure_watches(one);
		one[EXIT] = watched_life(NR_HOOKS) / NR_HOOKS;
		for (i = 0; i < NR_COSTS; i++)
			all[i][r] = one[i];
	}
	/* In some of them slabs get new pages. */
	for (i = 0; i < NR_COSTS; i++)
		cost[i] = least(all[i], REPS);
	close_queues();
}

static void measure_once(const char *file, double cost[NR_COSTS])
{
	unload();
	load(file, "");
	measure_module(cost);
}

static void measure_tracepoints(void)
{
	double more[NR_COSTS][ROUNDS], twice[NR_COSTS][ROUNDS];
	double with[NR_COSTS], again[NR_COSTS], without[NR_COSTS];
	unsigned int r, i;
	char what[80];

	/* What only the first ones do. */
	measure_once(TRACED, with);
	for (r = 0; r < ROUNDS; r++) {
		measure_once(TRACED, with);
		measure_once(UNTRACED, without);
		measure_once(TRACED, again);
		for (i = 0; i < NR_COSTS; i++) {
			more[i][r] = (with[i] + again[i]) / 2 - without[i];
			twice[i][r] = again[i] > with[i] ? again[i] - with[i] : with[i] - again[i];
			printf("# round %u, %-7s with %9.3f  without %9.3f  with again %9.3f\n", r,
			       names[i], with[i], without[i], again[i]);
		}
	}
	printf("\n");
	for (i = 0; i < NR_COSTS; i++) {
		line("trace_off_insns", "", names[i], median(more[i], ROUNDS));
		line("trace_twice_insns", "", names[i], median(twice[i], ROUNDS));
	}
	printf("\n");
	for (i = 0; i < NR_COSTS; i++) {
		snprintf(what, sizeof(what), "tracepoints that are off, instructions in %s", names[i]);
		at_most(what, median(more[i], ROUNDS), i == EXIT ? NR_NO_OPS + 3 : 1.5);
		at_most("the same of the module less itself", median(twice[i], ROUNDS), 0.5);
	}
}

/* ---- the black box ---- */

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		die(path, -errno);
	close(fd);
}

/* When each EXIT of the trace has fired, and whatever has come after it; how many. */
static unsigned int read_trace(uint64_t *from, uint64_t *to, unsigned int max)
{
	FILE *f = fopen(TRACEFS "trace", "re");
	unsigned int nr = 0;
	bool open = false;
	uint64_t time;
	char text[512], *colon;

	if (!f)
		die(TRACEFS "trace", -errno);
	while (fgets(text, sizeof(text), f)) {
		colon = strstr(text, ": knell_watch_fire: ");
		if (text[0] == '#' || !colon)
			continue;
		while (colon > text && colon[-1] != ' ')
			colon--;
		time = strtoull(colon, NULL, 10);
		if (open)
			to[nr++] = time;
		open = strstr(text, " ev=exit ") && nr < max;
		if (open)
			from[nr] = time;
	}
	fclose(f);
	return nr;
}

/* From each hook of a death, by @end, to what comes next: medians; how many. */
static unsigned int measure_hooks(void (*end)(void), double *gap)
{
	static double all[NR_HOOKS][REPS];
	uint64_t from[NR_HOOKS], to[NR_HOOKS];
	unsigned int r, i, nr = 0, first = 0;

	end();
	for (r = 0; r < REPS; r++) {
		write_file(TRACEFS "trace", "");
		write_file(TRACEFS "tracing_on", "1");
		end();
		write_file(TRACEFS "tracing_on", "0");
		nr = read_trace(from, to, NR_HOOKS);
		if (!r)
			first = nr;
		if (nr < 2 || nr != first)
			die("hooks in the trace", 0);
		for (i = 0; i < nr; i++)
			all[i][r] = (double)(to[i] - from[i]);
	}
	for (i = 0; i < nr; i++)
		gap[i] = median(all[i], REPS);
	return nr;
}

static void end_watched(void)
{
	watched_life(NR_HOOKS);
}

/* What a module with @options makes of exits. */
struct box_costs {
	unsigned int nr_watches, nr_trees;
	double watches[NR_HOOKS], trees[NR_HOOKS];
	double alone;
};

static struct box_costs measure_with(const char *options)
{
	double alone[10 * REPS];
	struct box_costs costs;
	unsigned int r;

	unload();
	load(TRACED, options);
	if (*options && access("/sys/class/misc/knell/blackbox", F_OK))
		die("there is no black box", -errno);
	open_queues();
	for (r = 0; r < 10 * REPS; r++)
		alone[r] = watched_life(1);
	costs.alone = median(alone, 10 * REPS);
	write_file(TRACEFS "trace_clock", "x86-tsc");
	write_file(EVENT, "1");
	costs.nr_watches = measure_hooks(end_watched, costs.watches);
	costs.nr_trees = measure_hooks(end_in_trees, costs.trees);
	write_file(EVENT, "0");
	close_queues();
	return costs;
}

/* The most that a hook but the first one costs more. */
static double dearest(const double *on, const double *off, unsigned int nr)
{
	double most = on[1] - off[1];
	unsigned int i;

	for (i = 1; i < nr; i++) {
		if (on[i] - off[i] > most)
			most = on[i] - off[i];
	}
	return most;
}

static void measure_box(void)
{
	struct box_costs off = measure_with(""), on = measure_with(BOX);
	double process, tree, calls, exit;

	if (on.nr_watches != off.nr_watches || on.nr_trees != off.nr_trees)
		die("hooks with and without a box", 0);
	printf("\n# hook by hook, with a box and without: watches");
	for (unsigned int i = 0; i < on.nr_watches; i++)
		printf(" %.0f-%.0f", on.watches[i], off.watches[i]);
	printf("; trees");
	for (unsigned int i = 0; i < on.nr_trees; i++)
		printf(" %.0f-%.0f", on.trees[i], off.trees[i]);
	printf("\n");
	process = dearest(on.watches, off.watches, on.nr_watches);
	tree = dearest(on.trees, off.trees, on.nr_trees);
	calls = on.watches[0] - off.watches[0];
	exit = on.alone - off.alone;
	line("box_hook_insns", "", "process", process);
	line("box_hook_insns", "", "tree", tree);
	line("box_hook_insns", "", "calls", calls);
	line("box_exit_insns", "", "alone", exit);
	line("box_write_insns", "", "alone", exit - calls);
	printf("\n");
	at_most("the black box, instructions of a hook", process > tree ? process : tree, 100);
	at_most("the same of the hook that calls the writer", calls, 200);
}

int main(int argc, char **argv)
{
	bool forced = bench_forced(argc, argv);

	bench_start(forced);
	measure_tracepoints();
	measure_box();
	unload();
	load(TRACED, "");
	return bench_end();
}
