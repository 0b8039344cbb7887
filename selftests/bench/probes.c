// SPDX-License-Identifier: GPL-2.0-only
/*
 * probes: what do trees cost those who are in none, and what their members?
 *
 * While there is a tree the module hears of every fork and of every signal of the machine, by
 * probes that it registers with the first user and unregisters LINGER_NS after the last. So:
 *   on    NR_TREES trees with a member each
 *   off   the trees were DELed, which leaves their processes alone, and the probes have gone, too:
 *         to sleep that long costs nothing here
 * alternate in one boot, and in each the same process outside trees makes NR_CALLS single calls of
 *   clone        of a child that exits at once and is reaped
 *   blocked      kill(2) of another process outside trees, by a real-time signal that it blocks:
 *                queued each time
 *   pending      the same by a signal that it blocks and that is pending already
 *   ignored      the same by a signal that it ignores
 * and keeps the cheapest of each, and the median. Nothing else may differ: what clone(2) costs
 * depends on what a process has touched, and on how many others there are. And the cheapest one is
 * now and then by a hundred instructions cheaper than nearly all others. Medians of the rounds:
 *   fork_nonmember_insns    clone, on less off: of the medians, and of the cheapest
 *   signal_nonmember_insns  kill, on less off, of the cheapest
 *   fork_member_insns one_tree     a child's whole life, clone to wait4(2), of a member's less of a
 *                                  non-member's, both on and both new; of the medians
 *   fork_member_insns four_trees   the same of a member of four trees, one inside the other
 *   signal_member_insns     kill of a member, less of a non-member, both on
 *
 * How it is known that the probes were there, and were not: LIST counts one member in each tree,
 * the trees of the members measured report their death and that they are empty, and a signal costs
 * more with the probes than without, each kind in each round.
 */
#include <sys/resource.h>

#include "bench.h"

#define NR_TREES	100
#define NR_CALLS	1000
#define ROUNDS		3
#define LINGER_NS	65000000000ULL	/* 60 s, and the timer wheel is coarse */
#define FIRST_PID	5000	/* from 4096 on to find a pid costs the same */
#define MAX_NESTED	4

enum { CLONE, BLOCKED, PENDING, IGNORED, NR_COSTS };

static const char *const names[NR_COSTS] = { "clone", "blocked", "pending", "ignored" };

/* What a measuring process tells. */
struct found {
	uint64_t cheapest[NR_COSTS];
	double clone;		/* these two are medians */
	double life;
	bool done;
};

static struct found *found;		/* these four are shared with the children */
static double *lives, *clones;
static int *target;			/* pid of who is sent signals */
static int go[2], said[2];		/* to and from the stranger */
static int other_stranger;		/* pid of who is sent signals by it */
static struct {
	int queue;
	uint32_t watch[NR_TREES];
	int member[NR_TREES];
} trees;

/* ---- processes ---- */

static void exit_now(int code)
{
	sys(SYS_exit_group, code, 0, 0, 0, 0);
}

static void sleep_until_killed(void)
{
	for (;;)
		sys(SYS_pause, 0, 0, 0, 0, 0);
}

static void must_reap(int pid, int status)
{
	int got;

	must("wait4", sys(SYS_wait4, pid, (long)&got, __WALL, 0, 0));
	if (got != status)
		die("a child's status", 0);
}

static void end_child(int pid)
{
	must("kill", sys(SYS_kill, pid, SIGKILL, 0, 0, 0));
	must_reap(pid, SIGKILL);
}

/* Blocks and ignores what the others send to it. */
static void target_main(const int *ready)
{
	sigset_t set;

	signal(SIGUSR1, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	sigaddset(&set, SIGRTMIN);
	sigprocmask(SIG_BLOCK, &set, NULL);
	if (write(ready[1], "x", 1) != 1)
		exit_now(1);
	sleep_until_killed();
}

static void must_hear(const int *fds)
{
	char c;

	if (read(fds[0], &c, 1) != 1)
		die("a child is dead", 0);
}

/* Its pid; a member of @tree, unless that is 0. */
static int start_target(uint32_t tree)
{
	int ready[2], pid;

	if (pipe2(ready, O_CLOEXEC))
		die("pipe2", -errno);
	if (tree)
		join_tree(trees.queue, tree, KNELL_OPF_NEXT);
	pid = clone_child();
	if (!pid)
		target_main(ready);
	must_hear(ready);
	close(ready[0]);
	close(ready[1]);
	return pid;
}

/* ---- what it does ---- */

static void keep_cheapest(unsigned int what, uint64_t t)
{
	if (t < found->cheapest[what])
		found->cheapest[what] = t;
}

static void measure_forks(void)
{
	uint64_t start, mid;
	unsigned int i;
	int pid;

	for (i = 0; i < NR_CALLS; i++) {
		start = now_ns(CLOCK_MONOTONIC);
		pid = (int)sys(SYS_clone, SIGCHLD, 0, 0, 0, 0);
		if (!pid)
			exit_now(0);
		mid = now_ns(CLOCK_MONOTONIC);
		must("clone", pid);
		must_reap(pid, 0);
		lives[i] = (double)(now_ns(CLOCK_MONOTONIC) - start);
		clones[i] = (double)(mid - start);
		keep_cheapest(CLONE, mid - start);
	}
	found->life = median(lives, NR_CALLS);
	found->clone = median(clones, NR_CALLS);
}

static void measure_kill(unsigned int what, int sig)
{
	uint64_t start;
	unsigned int i;
	long ret;

	for (i = 0; i < NR_CALLS; i++) {
		start = now_ns(CLOCK_MONOTONIC);
		ret = sys(SYS_kill, *target, sig, 0, 0, 0);
		keep_cheapest(what, now_ns(CLOCK_MONOTONIC) - start);
		must("kill", ret);
	}
}

static void measure_signals(void)
{
	measure_kill(BLOCKED, SIGRTMIN);
	/* The first one makes it so. */
	must("kill", sys(SYS_kill, *target, SIGUSR2, 0, 0, 0));
	measure_kill(PENDING, SIGUSR2);
	measure_kill(IGNORED, SIGUSR1);
}

static void forget(void)
{
	memset(found, 0, sizeof(*found));
	memset(found->cheapest, 0xff, sizeof(found->cheapest));
}

/* Does @measure in a new child, which first joins @nr trees; what it found. */
static struct found in_child(void (*measure)(void), const uint32_t *tree, unsigned int nr)
{
	unsigned int i;
	int pid;

	forget();
	pid = clone_child();
	if (!pid) {
		for (i = 0; i < nr; i++)
			join_tree(trees.queue, tree[i], 0);
		measure();
		found->done = true;
		exit_now(0);
	}
	must_reap(pid, 0);
	if (!found->done)
		die("a measuring process failed", 0);
	return *found;
}

/* ---- the stranger: outside trees, there all the time ---- */

static void stranger_main(void)
{
	for (;;) {
		must_hear(go);
		measure_forks();
		measure_signals();
		if (write(said[1], "x", 1) != 1)
			exit_now(1);
	}
}

static int start_strangers(void)
{
	int pid;

	other_stranger = start_target(0);
	if (pipe2(go, O_CLOEXEC) || pipe2(said, O_CLOEXEC))
		die("pipe2", -errno);
	pid = clone_child();
	if (!pid)
		stranger_main();
	close(said[1]);
	return pid;
}

static struct found measure_stranger(void)
{
	*target = other_stranger;
	forget();
	if (write(go[1], "x", 1) != 1)
		die("write", -errno);
	must_hear(said);
	return *found;
}

/* ---- trees ---- */

/*
 * The members share this process's memory. Had each its own, with pages that were the stranger's
 * parent's, too, the stranger's fork would have to find its way among them.
 */
static void start_trees(void)
{
	unsigned int i;

	trees.queue = open_queue();
	for (i = 0; i < NR_TREES; i++) {
		trees.watch[i] = add_tree(trees.queue, i);
		join_tree(trees.queue, trees.watch[i], KNELL_OPF_NEXT);
		trees.member[i] = clone_sleeper();
	}
	nap(5 * NAP_NS);
}

/* Every tree still has the one member it was given. */
static void check_members(void)
{
	static struct knell_watch_info info[2 * NR_TREES];
	struct knell_list list = { .watches = (uintptr_t)info, .nr = ARRAY_SIZE(info) };
	unsigned int i;

	must("LIST", sys(SYS_ioctl, trees.queue, KNELL_IOC_LIST, (long)&list, 0, 0));
	if (list.nr != NR_TREES)
		die("number of trees", 0);
	for (i = 0; i < NR_TREES; i++)
		if (info[i].value != 1)
			die("members of a tree", 0);
}

/* Their processes stay. */
static void end_trees(void)
{
	struct knell_op op[NR_TREES];
	unsigned int i;

	check_members();
	for (i = 0; i < NR_TREES; i++)
		op[i] = (struct knell_op){ .op = KNELL_OP_DEL, .watch = trees.watch[i] };
	submit(trees.queue, op, NR_TREES);
	close(trees.queue);
}

static void end_members(void)
{
	unsigned int i;

	for (i = 0; i < NR_TREES; i++)
		end_child(trees.member[i]);
}

/* ---- what is measured ---- */

/* @nr trees that had one main process have reported its death, and that they are empty. */
static void hear_end(unsigned int nr)
{
	unsigned int i, exits = 0, empty = 0;
	struct knell_event ev;

	for (i = 0; i < 2 * nr; i++) {
		ev = next_event(trees.queue);
		exits += ev.type == KNELL_EV_EXIT && ev.flags & KNELL_EVF_MAIN;
		empty += ev.type == KNELL_EV_EMPTY;
	}
	if (exits != nr || empty != nr)
		die("the end of a member's tree", 0);
}

/* The main process of @nr nested trees forks. */
static struct found measure_member_forks(unsigned int nr)
{
	uint32_t tree[MAX_NESTED];
	struct found f;
	unsigned int i;

	for (i = 0; i < nr; i++)
		tree[i] = add_tree(trees.queue, NR_TREES + i);
	f = in_child(measure_forks, tree, nr);
	hear_end(nr);
	return f;
}

static struct found measure_member_signals(void)
{
	uint32_t tree = add_tree(trees.queue, NR_TREES);
	struct found f;

	*target = start_target(tree);
	f = in_child(measure_signals, NULL, 0);
	end_child(*target);
	hear_end(1);
	return f;
}

/* What is blocked stays queued, in all rounds. */
static void prepare(void)
{
	struct rlimit pending = { RLIM_INFINITY, RLIM_INFINITY };
	FILE *f = fopen("/proc/sys/kernel/ns_last_pid", "r+e");
	int last;

	if (!f || fscanf(f, "%d", &last) != 1)
		die("ns_last_pid", -errno);
	rewind(f);
	if (last < FIRST_PID && fprintf(f, "%d\n", FIRST_PID) < 0)
		die("ns_last_pid", -errno);
	if (fclose(f))
		die("ns_last_pid", -errno);
	if (setrlimit(RLIMIT_SIGPENDING, &pending))
		die("RLIMIT_SIGPENDING", -errno);
	found = shared_memory(sizeof(*found));
	lives = shared_memory(NR_CALLS * sizeof(*lives));
	clones = shared_memory(NR_CALLS * sizeof(*clones));
	target = shared_memory(sizeof(*target));
}

static void measure_strangers(double cost[NR_COSTS][ROUNDS], double *typical)
{
	struct found on, off;
	unsigned int r, i;

	for (r = 0; r < ROUNDS; r++) {
		start_trees();
		on = measure_stranger();
		end_trees();
		nap(LINGER_NS);
		off = measure_stranger();
		end_members();

		for (i = 0; i < NR_COSTS; i++) {
			cost[i][r] = (double)on.cheapest[i] - (double)off.cheapest[i];
			printf("# round %u, %-7s on %6.0f  off %6.0f  more %4.0f\n", r, names[i],
			       (double)on.cheapest[i], (double)off.cheapest[i], cost[i][r]);
			if (i != CLONE && cost[i][r] <= 0)
				die("no probe was there, or none left", 0);
		}
		typical[r] = on.clone - off.clone;
		printf("# round %u, clone, medians: on %6.0f  off %6.0f  more %4.0f\n", r, on.clone,
		       off.clone, typical[r]);
	}
}

static void measure_members(void)
{
	double life[ROUNDS], nested[ROUNDS], signals[ROUNDS];
	struct found stranger, member, nested_member, signalled, other;
	unsigned int r;

	start_trees();
	for (r = 0; r < ROUNDS; r++) {
		*target = other_stranger;
		stranger = in_child(measure_forks, NULL, 0);
		member = measure_member_forks(1);
		nested_member = measure_member_forks(MAX_NESTED);
		signalled = measure_member_signals();
		*target = other_stranger;
		other = in_child(measure_signals, NULL, 0);
		life[r] = member.life - stranger.life;
		nested[r] = nested_member.life - stranger.life;
		signals[r] = (double)signalled.cheapest[BLOCKED] - (double)other.cheapest[BLOCKED];
		printf("# round %u, a member's child: %.0f more, in four trees %.0f more\n", r,
		       life[r], nested[r]);
	}
	end_trees();
	end_members();
	line("fork_member_insns", "", "one_tree", median(life, ROUNDS));
	line("fork_member_insns", "", "four_trees", median(nested, ROUNDS));
	line("signal_member_insns", "", "blocked", median(signals, ROUNDS));
}

int main(int argc, char **argv)
{
	double cost[NR_COSTS][ROUNDS], typical[ROUNDS], fork_cost, fork_typical, signal_cost,
	       worst = 0;
	bool forced = bench_forced(argc, argv);
	unsigned int i;
	int pid;

	prepare();
	bench_start(forced);
	pid = start_strangers();
	/* The first round fills the slab caches. */
	measure_stranger();
	measure_strangers(cost, typical);
	measure_members();
	end_child(pid);
	end_child(other_stranger);

	fork_cost = median(cost[CLONE], ROUNDS);
	fork_typical = median(typical, ROUNDS);
	line("fork_nonmember_insns", "", "median", fork_typical);
	line("fork_nonmember_insns", "", "cheapest", fork_cost);
	for (i = BLOCKED; i < NR_COSTS; i++) {
		signal_cost = median(cost[i], ROUNDS);
		line("signal_nonmember_insns", "", names[i], signal_cost);
		if (signal_cost > worst)
			worst = signal_cost;
	}
	printf("\n");
	at_most("a fork outside trees, instructions more while there are trees", fork_cost, 100);
	at_most("the same of the medians", fork_typical, 100);
	at_most("a signal outside trees, the same, the dearest kind", worst, 100);
	return bench_end();
}
