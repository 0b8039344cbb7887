// SPDX-License-Identifier: GPL-2.0-only
/*
 * kill: what does it cost to end a service of NR_MEMBERS processes, all of it?
 *
 * The same crowd, a process and those that it clones, members of one tree and alone in a cgroup, is
 * killed in five ways:
 *   knell         one SUBMIT with KILL on the tree
 *   cgroup_kill   "1" into cgroup.kill
 *   cgroup_procs  kill(2) for each line of cgroup.procs, again until there is no new one
 *   proc_cgroup   a walk over /proc: /proc/PID/cgroup read for every process, kill(2) if it is
 *                 that, again until there is no new one
 *   proc_ppid     the same by the parent's pid in /proc/PID/stat
 *
 *   tree_kill_insns  CPU time of who kills, per member, from its first system call to its last one
 *   tree_kill_ratio  that against knell's
 *
 * The walks are as cheap as walks can be: files are opened beneath a directory that is open,
 * nothing is parsed but what is asked for, and the machine has hardly another process. Their last
 * pass, in which a process forked meanwhile would show up, is what the first two ways do not need.
 *
 * All are children of this program, cloned with CLONE_PARENT, and each has to be found dead by
 * SIGKILL.
 */
#include "cgroup.h"

#define NR_MEMBERS	1000
#define ROUNDS		3
#define GROUP		"crowd"

struct way {
	const char *name;
	void (*kill_all)(void);
};

static int queue;
static uint32_t tree;
static uint8_t *known;		/* pids that were sent a signal */
static unsigned int pid_max;
static char *text;		/* what was read */

#define TEXT_SIZE	65536

static void kill_tree(void)
{
	struct knell_op op = { .op = KNELL_OP_KILL, .watch = tree, .kill.sig = SIGKILL };

	submit(queue, &op, 1);
	if (op.result != NR_MEMBERS)
		die("number of members", 0);
}

static void kill_cgroup(void)
{
	cgroup_write(GROUP, "cgroup.kill", "1");
}

/* Returns whether @pid is a new one. */
static bool kill_pid(unsigned int pid)
{
	if (pid >= pid_max || known[pid])
		return false;
	known[pid] = 1;
	must("kill", sys(SYS_kill, (int)pid, SIGKILL, 0, 0, 0));
	return true;
}

/* The number at *@p, which is moved behind it. */
static inline unsigned int number(const char **p)
{
	unsigned int n = 0;

	while (**p >= '0' && **p <= '9')
		n = n * 10 + (unsigned int)(*(*p)++ - '0');
	return n;
}

static bool kill_listed(int fd)
{
	bool found = false;
	size_t have = 0;
	const char *p;
	long n;

	/* A line may come in two pieces: all of the file first. */
	while ((n = must("cgroup.procs", sys(SYS_read, fd, (long)(text + have),
					     (long)(TEXT_SIZE - have - 1), 0, 0))) > 0)
		have += (size_t)n;
	text[have] = '\0';
	for (p = text; *p; p++)
		found |= kill_pid(number(&p));
	return found;
}

static void kill_procs(void)
{
	bool again = true;
	int fd;

	while (again) {
		fd = cgroup_open(GROUP, "cgroup.procs", O_RDONLY);
		again = kill_listed(fd);
		must("close", sys(SYS_close, fd, 0, 0, 0, 0));
	}
}

struct dirent64 {
	uint64_t ino;
	int64_t off;
	uint16_t len;
	uint8_t type;
	char name[];
};

/* Reads @file of process @pid into text; false if the process is gone. */
static bool read_proc(int proc, const char *pid, const char *file)
{
	char path[64], *p = path;
	long fd, n;

	while (*pid)
		*p++ = *pid++;
	*p++ = '/';
	while ((*p++ = *file++))
		;
	fd = sys(SYS_openat, proc, (long)path, O_RDONLY | O_CLOEXEC, 0, 0);
	if (fd < 0)
		return false;
	n = sys(SYS_read, fd, (long)text, TEXT_SIZE - 1, 0, 0);
	must("close", sys(SYS_close, fd, 0, 0, 0, 0));
	if (n <= 0)
		return false;
	text[n] = '\0';
	return true;
}

static bool in_cgroup(int proc, const char *pid)
{
	return read_proc(proc, pid, "cgroup") && strstr(text, "0::/" GROUP "\n");
}

static bool is_child(int proc, const char *pid)
{
	static unsigned int self;
	const char *p;

	if (!self)
		self = (unsigned int)getpid();
	if (!read_proc(proc, pid, "stat"))
		return false;
	p = strrchr(text, ')');
	if (!p || p[1] != ' ')
		return false;
	p += 4;
	return number(&p) == self;
}

static bool walk_proc(bool (*match)(int proc, const char *pid))
{
	static char entries[32768] __attribute__((aligned(8)));
	const struct dirent64 *d;
	bool found = false;
	const char *p;
	long n, at;
	int proc;

	proc = (int)must("/proc", sys(SYS_open, (long)"/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC,
				      0, 0, 0));
	while ((n = must("getdents64", sys(SYS_getdents64, proc, (long)entries, sizeof(entries),
					   0, 0))) > 0) {
		for (at = 0; at < n; at += d->len) {
			d = (const struct dirent64 *)(entries + at);
			p = d->name;
			if (*p >= '0' && *p <= '9' && match(proc, d->name))
				found |= kill_pid(number(&p));
		}
	}
	must("close", sys(SYS_close, proc, 0, 0, 0, 0));
	return found;
}

static void kill_by_cgroup(void)
{
	while (walk_proc(in_cgroup))
		;
}

static void kill_by_parent(void)
{
	while (walk_proc(is_child))
		;
}

static const struct way ways[] = {
	{ "knell", kill_tree },
	{ "cgroup_kill", kill_cgroup },
	{ "cgroup_procs", kill_procs },
	{ "proc_cgroup", kill_by_cgroup },
	{ "proc_ppid", kill_by_parent },
};

/* ---- the crowd ---- */

static void sleep_until_killed(void)
{
	for (;;)
		sys(SYS_pause, 0, 0, 0, 0, 0);
}

static void main_member(const int *said)
{
	unsigned int i;

	cgroup_enter(GROUP);
	join_tree(queue, tree, 0);
	for (i = 1; i < NR_MEMBERS; i++)
		if (!must("clone", sys(SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0)))
			sleep_until_killed();
	if (write(said[1], "x", 1) != 1)
		sys(SYS_exit_group, 1, 0, 0, 0, 0);
	sleep_until_killed();
}

static void start_crowd(void)
{
	int said[2];
	char c;

	queue = open_queue();
	tree = add_tree(queue, 0);
	if (pipe2(said, O_CLOEXEC))
		die("pipe2", -errno);
	if (!clone_child())
		main_member(said);
	if (read(said[0], &c, 1) != 1)
		die("the crowd is dead", 0);
	close(said[0]);
	close(said[1]);
	/* They are on their way into pause(2). */
	nap(5 * NAP_NS);
}

/* All are dead by SIGKILL, and the tree knows. */
static void bury(void)
{
	unsigned int n = 0;
	int status;

	while (wait4(-1, &status, __WALL, NULL) > 0) {
		if (status != SIGKILL)
			die("a member's status", 0);
		n++;
	}
	if (errno != ECHILD || n != NR_MEMBERS)
		die("number of the dead", 0);
	if (next_event(queue).type != KNELL_EV_EXIT || next_event(queue).type != KNELL_EV_EMPTY)
		die("the end of the tree", 0);
	close(queue);
}

static double measure(const struct way *way)
{
	uint64_t cpu;

	memset(known, 0, pid_max);
	start_crowd();
	cpu = cpu_ns();
	way->kill_all();
	cpu = cpu_ns() - cpu;
	bury();
	return (double)cpu / NR_MEMBERS;
}

static void prepare(void)
{
	FILE *f = fopen("/proc/sys/kernel/pid_max", "re");

	if (!f || fscanf(f, "%u", &pid_max) != 1 || fclose(f))
		die("pid_max", -errno);
	known = own_memory(pid_max);
	text = own_memory(TEXT_SIZE);
	cgroup_make(GROUP);
}

int main(int argc, char **argv)
{
	double cost[ARRAY_SIZE(ways)][ROUNDS], m[ARRAY_SIZE(ways)];
	unsigned int r, w;

	prepare();
	bench_start(bench_forced(argc, argv));
	for (r = 0; r < ROUNDS; r++) {
		for (w = 0; w < ARRAY_SIZE(ways); w++) {
			cost[w][r] = measure(&ways[w]);
			printf("# round %u, %-12s %9.1f\n", r, ways[w].name, cost[w][r]);
		}
	}
	printf("\n");
	for (w = 0; w < ARRAY_SIZE(ways); w++) {
		m[w] = median(cost[w], ROUNDS);
		line("tree_kill_insns", "", ways[w].name, m[w]);
	}
	for (w = 1; w < ARRAY_SIZE(ways); w++)
		line("tree_kill_ratio", "", ways[w].name, m[w] / m[0]);
	cgroup_remove(GROUP);
	return bench_end();
}
