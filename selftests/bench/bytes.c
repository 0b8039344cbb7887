// SPDX-License-Identifier: GPL-2.0-only
/*
 * bytes: how much kernel memory is a watch, and a member of a tree?
 *
 * NR watches are added by a process in a memory cgroup of its own; processes that are watched, and
 * the queue, were there before. Two readings, before and after, per watch:
 *   memcg    memory.stat's "kernel" of that cgroup: all that was charged to who ADDed, to the page
 *   machine  /proc/meminfo's Slab, VmallocUsed and Percpu: what was charged to nobody, too, and
 *            whole slabs though the last ones are not full
 * A member is charged to the one that forks it, along with the process that it is: NR_MEMBERS
 * processes cloned by a member in its cgroup, less those cloned by a stranger in another one.
 *
 *   bytes_process, bytes_timer, bytes_tree, bytes_member
 *
 * How it is known that the memory is theirs: each of the watches reports (all processes die, all
 * timers run out, a sample of the trees is joined), and once the queue is closed the cgroup has
 * what it had before.
 */
#include "cgroup.h"

#define NR		10000
#define NR_MEMBERS	2000
#define NR_JOINED	100	/* of the trees, to see that they live */
#define BATCH		1000
#define IN_ONE_PAGE	32
#define EXPIRES_NS	100000000000ULL
#define SETTLE_NS	3000000000ULL	/* for vmstat's counters, RCU and the workers */

struct reading {
	double memcg;
	double machine;
};

static struct knell_op *ops;
static struct knell_event *events;
static int *pids;

/* The value of "KEY VALUE" or "KEY: VALUE kB" in a file, in bytes. */
static double file_value(const char *path, const char *key)
{
	unsigned long long v = 0;
	char text[256], unit[8];
	size_t len = strlen(key);
	bool found = false;
	FILE *f = fopen(path, "re");

	if (!f)
		die(path, -errno);
	while (!found && fgets(text, sizeof(text), f)) {
		if (strncmp(text, key, len) || (text[len] != ' ' && text[len] != ':'))
			continue;
		unit[0] = '\0';
		found = sscanf(text + len + 1, "%llu %7s", &v, unit) >= 1;
		if (!strcmp(unit, "kB"))
			v *= 1024;
	}
	fclose(f);
	if (!found)
		die(key, 0);
	return (double)v;
}

static struct reading read_memory(const char *group)
{
	char path[PATH_MAX];
	struct reading r;

	nap(SETTLE_NS);
	snprintf(path, sizeof(path), CGROUP_ROOT "/%s/memory.stat", group);
	r.memcg = file_value(path, "kernel");
	r.machine = file_value("/proc/meminfo", "Slab") +
		    file_value("/proc/meminfo", "VmallocUsed") +
		    file_value("/proc/meminfo", "Percpu");
	return r;
}

static struct reading less(struct reading a, struct reading b, double n)
{
	return (struct reading){ (a.memcg - b.memcg) / n, (a.machine - b.machine) / n };
}

static void show(const char *name, struct reading r)
{
	line(name, "", "memcg", r.memcg);
	line(name, "", "machine", r.machine);
}

/* ---- processes ---- */

static void allow_processes(void)
{
	FILE *f = fopen("/proc/sys/kernel/threads-max", "we");

	if (!f || fprintf(f, "%d\n", 4 * NR) < 0 || fclose(f))
		die("threads-max", -errno);
}

/* ---- watches ---- */

static void fill_process(struct knell_op *op, unsigned int i)
{
	op->process.pid = pids[i];
}

static void fill_timer(struct knell_op *op, unsigned int i)
{
	op->timer.clockid = CLOCK_MONOTONIC;
	op->timer.expires_ns = EXPIRES_NS + i;
}

static void fill_tree(struct knell_op *op, unsigned int i)
{
	snprintf(op->tree.label, sizeof(op->tree.label), "%u", i);
}

static void add_all(int queue, uint16_t type, void (*fill)(struct knell_op *op, unsigned int i))
{
	unsigned int i, b;

	for (i = 0; i < NR; i += BATCH) {
		for (b = 0; b < BATCH; b++) {
			ops[b] = (struct knell_op){ .op = KNELL_OP_ADD, .type = type,
						    .token = i + b };
			fill(&ops[b], i + b);
		}
		submit(queue, ops, BATCH);
	}
}

/* Reads records until each of @nr tokens has come once, of type @type. */
static void hear_all(int queue, uint16_t type, unsigned int nr)
{
	static uint8_t seen[NR];
	unsigned int i, got;

	memset(seen, 0, sizeof(seen));
	while (nr) {
		got = (unsigned int)must("read", sys(SYS_read, queue, (long)events,
						     IN_ONE_PAGE * sizeof(*events), 0, 0)) /
		      sizeof(*events);
		for (i = 0; i < got; i++)
			if (events[i].type != type || events[i].token >= NR ||
			    seen[events[i].token]++)
				die("a record that was not expected", 0);
		nr -= got;
	}
}

static void hear_processes(int queue)
{
	unsigned int i;

	for (i = 0; i < NR; i++)
		must("kill", sys(SYS_kill, pids[i], SIGKILL, 0, 0, 0));
	hear_all(queue, KNELL_EV_EXIT, NR);
}

static void hear_timers(int queue)
{
	hear_all(queue, KNELL_EV_TIMER, NR);
}

/* Joins some of the trees and ends them. */
static void hear_trees(int queue)
{
	struct knell_watch_info *info = calloc(NR, sizeof(*info));
	struct knell_list list = { .watches = (uintptr_t)info, .nr = NR };
	struct knell_event ev;
	unsigned int i;

	if (!info)
		die("memory", -ENOMEM);
	must("LIST", sys(SYS_ioctl, queue, KNELL_IOC_LIST, (long)&list, 0, 0));
	if (list.nr != NR)
		die("number of trees", 0);
	for (i = 0; i < NR; i += NR / NR_JOINED) {
		join_tree(queue, info[i].watch, KNELL_OPF_NEXT);
		if (!clone_child())
			sys(SYS_exit_group, 0, 0, 0, 0, 0);
		ev = next_event(queue);
		if (ev.type != KNELL_EV_EXIT || ev.token != info[i].token)
			die("EXIT of a tree", 0);
		ev = next_event(queue);
		if (ev.type != KNELL_EV_EMPTY || ev.token != info[i].token)
			die("EMPTY of a tree", 0);
	}
	free(info);
}

/* Bytes of one of NR watches, added in @group. */
static struct reading measure(const char *group, uint16_t type,
			      void (*fill)(struct knell_op *op, unsigned int i),
			      void (*hear)(int queue))
{
	struct reading before, after, end;
	struct knell_info info;
	int queue = open_queue();

	cgroup_make(group);
	cgroup_enter(group);
	before = read_memory(group);
	add_all(queue, type, fill);
	after = read_memory(group);
	must("INFO", sys(SYS_ioctl, queue, KNELL_IOC_INFO, (long)&info, 0, 0));
	if (info.watches != NR)
		die("number of watches", 0);
	hear(queue);
	cgroup_enter("");
	must("close", sys(SYS_close, queue, 0, 0, 0, 0));
	end = read_memory(group);
	printf("# %s: kernel memory of the cgroup %.0f before, %.0f with, %.0f after\n", group,
	       before.memcg, after.memcg, end.memcg);
	if (end.memcg - before.memcg > (after.memcg - before.memcg) / 20)
		die("memory that did not come back", 0);
	cgroup_remove(group);
	return less(after, before, NR);
}

/* ---- members ---- */

/* In a process that is to be a member, or not: it clones the others and sleeps with them. */
static void crowd_main(const char *group, int queue, uint32_t tree, const int *said)
{
	unsigned int i;

	cgroup_enter(group);
	if (tree)
		join_tree(queue, tree, 0);
	for (i = 0; i < NR_MEMBERS; i++)
		clone_sleeper();
	if (write(said[1], "x", 1) != 1)
		sys(SYS_exit_group, 1, 0, 0, 0, 0);
	for (;;)
		sys(SYS_pause, 0, 0, 0, 0, 0);
}

/* Kernel memory of a crowd, members of @tree or of none. */
static struct reading measure_crowd(const char *group, int queue, uint32_t tree)
{
	struct reading before, after;
	int said[2];
	char c;

	cgroup_make(group);
	before = read_memory(group);
	if (pipe2(said, O_CLOEXEC))
		die("pipe2", -errno);
	if (!clone_child())
		crowd_main(group, queue, tree, said);
	if (read(said[0], &c, 1) != 1)
		die("a crowd is dead", 0);
	after = read_memory(group);
	close(said[0]);
	close(said[1]);
	return less(after, before, NR_MEMBERS);
}

static void end_members(int queue, uint32_t tree)
{
	struct knell_op op = { .op = KNELL_OP_KILL, .watch = tree, .kill.sig = SIGKILL };

	submit(queue, &op, 1);
	if (op.result != NR_MEMBERS + 1)
		die("number of members", 0);
	if (next_event(queue).type != KNELL_EV_EXIT || next_event(queue).type != KNELL_EV_EMPTY)
		die("the end of a tree", 0);
}

static struct reading measure_members(void)
{
	struct reading strangers, members;
	int queue = open_queue();
	uint32_t tree;

	strangers = measure_crowd("strangers", queue, 0);
	cgroup_write("strangers", "cgroup.kill", "1");
	cgroup_remove("strangers");
	tree = add_tree(queue, 0);
	members = measure_crowd("members", queue, tree);
	end_members(queue, tree);
	cgroup_remove("members");
	must("close", sys(SYS_close, queue, 0, 0, 0, 0));
	printf("# a process: %.0f bytes, a member: %.0f\n", strangers.memcg, members.memcg);
	members.memcg -= strangers.memcg;
	members.machine -= strangers.machine;
	return members;
}

static struct reading measure_processes(void)
{
	unsigned int i;

	for (i = 0; i < NR; i++)
		pids[i] = clone_sleeper();
	return measure("processes", KNELL_PROCESS, fill_process, hear_processes);
}

int main(int argc, char **argv)
{
	struct sigaction sa = { .sa_flags = SA_NOCLDWAIT };
	struct reading process;

	ops = own_memory(BATCH * sizeof(*ops));
	events = own_memory(IN_ONE_PAGE * sizeof(*events));
	pids = own_memory(NR * sizeof(*pids));
	bench_start(bench_forced(argc, argv));
	sigaction(SIGCHLD, &sa, NULL);
	allow_processes();
	cgroup_write("", "cgroup.subtree_control", "+memory");

	show("bytes_timer", measure("timers", KNELL_TIMER, fill_timer, hear_timers));
	process = measure_processes();
	show("bytes_process", process);
	show("bytes_tree", measure("trees", KNELL_TREE, fill_tree, hear_trees));
	show("bytes_member", measure_members());
	printf("\n");
	at_most("bytes of a PROCESS watch, as charged", process.memcg, 256);
	at_most("the same that are charged to nobody, and the rest of slabs",
		process.machine - process.memcg, 32);
	return bench_end();
}
