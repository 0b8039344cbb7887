// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a tree reports, in which order, and to whom: its life, what a record says,
 * the reserve and what is lost when it is full.
 *
 * runner-limit: 900
 */
#include "kselftest_harness.h"

#include <sys/resource.h>

#include "tree_cast.h"

QUEUE_FIXTURE(tree)

/* Life of a tree. */

TEST_F_TIMEOUT(tree, main_is_gone_the_tree_lives_on, LIMIT)
{
	int64_t tree = add_tree(self->fd, KNELL_OPF_REPORT_EXIT, 1);
	struct cast *c = new_cast(self->fd, tree);
	struct knell_event ev;
	int code = 3;
	pid_t pid, late;

	pid = spawn_member(self->fd, tree, daemonize, c);
	ASSERT_LT(0, pid);
	ASSERT_EQ('d', hear_soon(c->said));
	reap(pid);
	while (tree_members(self->fd, tree) != 1)
		sched_yield();
	/* The pid told is the main one's, dead or not; no second one becomes that. */
	EXPECT_EQ(pid, watch_info(self->fd, tree).pid);
	late = spawn_member(self->fd, tree, exit_with, &code);
	ASSERT_LT(0, late);
	reap(late);
	open_gate(c->gate[0], 1);
	for (int i = 0; i < 2; i++) {
		ASSERT_EQ(1, next_event(self->fd, &ev));
		ASSERT_EQ(KNELL_EV_EXIT, ev.type);
		EXPECT_EQ(ev.exit.pid == pid ? KNELL_EVF_MAIN : 0, ev.flags);
	}
	EXPECT_TRUE(next_is_exit(self->fd, tree, late, EXITED(3), 1));
	EXPECT_TRUE(next_is_exit(self->fd, tree, c->pid[0], EXITED(8), 0));
	EXPECT_TRUE(next_is_empty(self->fd, tree, pid));
	EXPECT_EQ(0, nr_watches(self->fd));
}

TEST_F_TIMEOUT(tree, used_once, LIMIT)
{
	int64_t tree = add_tree(self->fd, 0, 1);
	int code = 3;
	pid_t pid;

	pid = spawn_member(self->fd, tree, exit_with, &code);
	ASSERT_LT(0, pid);
	ASSERT_EQ(EXITED(3), reap(pid));
	/* Its records wait. */
	EXPECT_EQ(2, nr_pending(self->fd));
	EXPECT_EQ(2, watch_state(self->fd, tree));
	EXPECT_EQ(-ESHUTDOWN, join_next(self->fd, tree));
	EXPECT_EQ(-ESHUTDOWN, join(self->fd, tree));
	EXPECT_EQ(0, kill_watch(self->fd, tree, SIGKILL));
	EXPECT_TRUE(next_is_main(self->fd, tree, pid, EXITED(3), 0));
	EXPECT_EQ(-ESHUTDOWN, join_next(self->fd, tree));
	EXPECT_EQ(1, nr_watches(self->fd));
	EXPECT_TRUE(next_is_empty(self->fd, tree, pid));
	EXPECT_EQ(-ENOENT, join_next(self->fd, tree));
	EXPECT_EQ(-ENOENT, kill_watch(self->fd, tree, 0));
	EXPECT_EQ(-ENOENT, del_watch(self->fd, tree));
	EXPECT_EQ(0, nr_watches(self->fd));
	/* Of what was refused nothing is left behind in the thread. */
	EXPECT_LT(0, add_next(self->fd, 1));
}

TEST_F_TIMEOUT(tree, ack_keeps_it_until_del, LIMIT)
{
	int64_t tree = add_tree(self->fd, KNELL_OPF_ACK | REPORTS, 1);
	int gate = new_gate();
	pid_t pid;

	pid = spawn_member(self->fd, tree, wait_at_gate, &gate);
	ASSERT_LT(0, pid);
	EXPECT_EQ(1, watch_state(self->fd, tree));
	open_gate(gate, 1);
	ASSERT_EQ(0, reap(pid));
	EXPECT_EQ(2, watch_state(self->fd, tree));
	EXPECT_TRUE(next_is_main(self->fd, tree, pid, 0, 0));
	EXPECT_TRUE(next_is_empty(self->fd, tree, pid));
	EXPECT_TRUE(nothing_pending(self->fd));
	EXPECT_EQ(3, watch_state(self->fd, tree));
	EXPECT_EQ(1, nr_watches(self->fd));
	EXPECT_EQ(pid, watch_info(self->fd, tree).pid);
	EXPECT_EQ(-ESHUTDOWN, join_next(self->fd, tree));
	EXPECT_EQ(0, kill_watch(self->fd, tree, SIGKILL));
	EXPECT_EQ(0, del_watch(self->fd, tree));
	EXPECT_EQ(-ENOENT, del_watch(self->fd, tree));
	EXPECT_EQ(0, nr_watches(self->fd));
}

/* Each record carries the token of the moment it is read at. */
TEST_F_TIMEOUT(tree, token_when_read, LIMIT)
{
	int64_t tree = add_tree(self->fd, REPORTS, 10);
	struct knell_event ev;
	struct knell_op op;
	int code = 0;

	ASSERT_EQ(0, reap(spawn_member(self->fd, tree, exit_with, &code)));
	op = op_mod(tree, 0, 11);
	ASSERT_EQ(0, submit_op(self->fd, &op));
	ASSERT_EQ(1, next_event(self->fd, &ev));
	EXPECT_EQ(KNELL_EV_EXIT, ev.type);
	EXPECT_EQ(11, ev.token);
	op = op_mod(tree, 0, 12);
	ASSERT_EQ(0, submit_op(self->fd, &op));
	ASSERT_EQ(1, next_event(self->fd, &ev));
	EXPECT_EQ(KNELL_EV_EMPTY, ev.type);
	EXPECT_EQ(12, ev.token);
}

/* DEL takes what is pending with it and leaves the processes alone, which may be enrolled anew. */
TEST_F_TIMEOUT(tree, del_leaves_the_processes_alone, LIMIT)
{
	int64_t tree = add_tree(self->fd, REPORTS, 1);
	struct cast *c = new_cast(self->fd, tree);
	pid_t pid;

	pid = spawn_member(self->fd, tree, fork_after_gate, c);
	ASSERT_LT(0, pid);
	ASSERT_EQ('f', hear_soon(c->said));
	ASSERT_EQ('f', hear_soon(c->said));
	/* A FORK comes when the child first runs. */
	await_pending(self->fd, 2);
	EXPECT_EQ(3, tree_members(self->fd, tree));
	ASSERT_EQ(0, del_watch(self->fd, tree));
	EXPECT_TRUE(nothing_pending(self->fd));
	EXPECT_EQ(0, nr_watches(self->fd));
	EXPECT_EQ(0, kill(pid, 0));
	EXPECT_EQ(0, kill(c->pid[0], 0));
	EXPECT_EQ(0, kill(c->pid[1], 0));
	open_gate(c->gate[0], 1);
	EXPECT_EQ(EXITED(5), reap(pid));
	EXPECT_TRUE(nothing_pending(self->fd));
}

/* What a record says. */

static uint64_t timeval_us(const struct timeval *tv)
{
	return tv->tv_sec * 1000000ULL + tv->tv_usec;
}

static void use_resources(void *arg)
{
	struct cast *c = arg;
	char *p = mmap(NULL, 4 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	memset(p, 1, 4 << 20);
	/* A child whose usage is its own. */
	if (!bare_fork()) {
		memset(p, 2, 4 << 20);
		pass_gate(c->gate[0]);
		_exit(0);
	}
	if (setresuid(1234, 1234, 1234))
		_exit(BROKEN);
	for (volatile int i = 0; i < 5000000; i++)
		;
	_exit(42);
}

/* EXIT of the main process against wait4(2). */
TEST_F_TIMEOUT(tree, exit_of_main_is_complete, LIMIT)
{
	char dir[] = "/sys/fs/cgroup/tree-main", procs[] = "/sys/fs/cgroup/tree-main/cgroup.procs";
	int64_t tree = add_tree(self->fd, 0, 31);
	struct cast *c = new_cast(self->fd, tree);
	uint64_t t[3], cpu_us;
	struct knell_event ev;
	struct rusage ru;
	struct stat st;
	int status;
	pid_t pid;

	ASSERT_EQ(0, mkdir(dir, 0755));
	ASSERT_EQ(0, stat(dir, &st));
	ASSERT_EQ(0, write_file(procs, "0"));
	t[0] = clock_ns(CLOCK_MONOTONIC);
	pid = spawn_member(self->fd, tree, use_resources, c);
	t[1] = clock_ns(CLOCK_MONOTONIC);
	ASSERT_EQ(0, write_file("/sys/fs/cgroup/cgroup.procs", "0"));
	ASSERT_LT(0, pid);
	ASSERT_EQ(1, next_event(self->fd, &ev));
	t[2] = clock_ns(CLOCK_MONOTONIC);
	ASSERT_EQ(pid, wait4(pid, &status, 0, &ru));
	EXPECT_TRUE(is_exit(&ev, tree, pid, status, 1, KNELL_EVF_MAIN));
	EXPECT_EQ(EXITED(42), status);
	EXPECT_EQ(31, ev.token);
	EXPECT_EQ(1234, ev.exit.uid);
	EXPECT_LE(t[0], ev.exit.start_ns);
	EXPECT_GE(t[1], ev.exit.start_ns);
	EXPECT_LE(ev.exit.start_ns, ev.time_ns);
	EXPECT_GE(t[2], ev.time_ns);
	EXPECT_EQ((uint64_t)ru.ru_maxrss, ev.exit.maxrss_kb);
	EXPECT_LE(4096, ev.exit.maxrss_kb);
	EXPECT_EQ((uint64_t)ru.ru_minflt, ev.exit.minflt);
	EXPECT_EQ((uint64_t)ru.ru_majflt, ev.exit.majflt);
	/* It leaves the CPU once more after that. */
	EXPECT_GE((uint64_t)ru.ru_nvcsw, ev.exit.nvcsw);
	EXPECT_LE((uint64_t)ru.ru_nvcsw, ev.exit.nvcsw + 1);
	EXPECT_GE((uint64_t)ru.ru_nivcsw, ev.exit.nivcsw);
	cpu_us = timeval_us(&ru.ru_utime) + timeval_us(&ru.ru_stime);
	EXPECT_LT(0, cpu_us);
	EXPECT_LT(0, ev.exit.utime_ns + ev.exit.stime_ns);
	EXPECT_EQ((uint64_t)st.st_ino, ev.exit.cgroup_id);
	EXPECT_EQ(0, ev.exit.killer_pid);
	EXPECT_EQ(0, ev.exit.killer_uid);
	open_gate(c->gate[0], 1);
	EXPECT_TRUE(next_is_empty(self->fd, tree, pid));
	while (rmdir(dir) && errno == EBUSY)
		sched_yield();
}

/* Times of FORK and EMPTY lie where they must. */
TEST_F_TIMEOUT(tree, times, LIMIT)
{
	int64_t tree = add_tree(self->fd, REPORTS, 1);
	struct cast *c = new_cast(self->fd, tree);
	uint64_t before = clock_ns(CLOCK_MONOTONIC), after, last;
	struct knell_event ev[4];
	pid_t pid;

	pid = spawn_member(self->fd, tree, keep_zombie, c);
	await_pending(self->fd, 2);
	open_gate(c->gate[0], 1);
	ASSERT_EQ(0, reap(pid));
	after = clock_ns(CLOCK_MONOTONIC);
	ASSERT_EQ(4, wait_events(self->fd, ev, 4, 0));
	EXPECT_EQ(KNELL_EV_FORK, ev[0].type);
	EXPECT_EQ(KNELL_EV_EMPTY, ev[3].type);
	last = before;
	for (int i = 0; i < 4; i++) {
		EXPECT_LE(before, ev[i].time_ns);
		EXPECT_GE(after, ev[i].time_ns);
	}
	EXPECT_LE(last, ev[0].time_ns);
	EXPECT_LE(ev[0].time_ns, ev[3].time_ns);
	EXPECT_LE(ev[1].time_ns, ev[3].time_ns);
	EXPECT_LE(ev[2].time_ns, ev[3].time_ns);
}

/* The reserve of reports. */

/* Has @n children, one after the other, each time it passes the gate. */
struct breeder {
	int gate;
	int said[2];
	atomic_int n;
};

static void breed(void *arg)
{
	struct breeder *b = arg;
	int code = 1;

	for (;;) {
		pass_gate(b->gate);
		if (!b->n)
			_exit(42);
		for (int i = 0; i < b->n; i++)
			reap(spawn_process(exit_with, &code));
		tell(b->said, 'b');
	}
}

static struct breeder *new_breeder(void)
{
	struct breeder *b = shared(sizeof(*b));

	b->gate = new_gate();
	if (pipe(b->said))
		abort();
	return b;
}

static bool breed_more(struct breeder *b, int n)
{
	b->n = n;
	open_gate(b->gate, 1);
	return !n || SO(hear_soon(b->said) == 'b');
}

/* Nobody reads: what does not fit is counted, what must come comes, in order and complete. */
TEST_F_TIMEOUT(tree, reserve_runs_dry, LIMIT)
{
	int64_t tree = add_tree(self->fd, REPORTS | KNELL_OPF_ACK, 1);
	struct breeder *b = new_breeder();
	struct tally t = { };
	struct knell_event ev;
	pid_t pid;

	pid = spawn_member(self->fd, tree, breed, b);
	ASSERT_LT(0, pid);
	ASSERT_TRUE(breed_more(b, 300));
	EXPECT_EQ(RESERVE + 1, nr_pending(self->fd));
	ASSERT_TRUE(breed_more(b, 0));
	ASSERT_EQ(EXITED(42), reap(pid));
	EXPECT_EQ(RESERVE + 3, nr_pending(self->fd));
	for (int i = 0; i < RESERVE; i++) {
		ASSERT_EQ(1, next_event(self->fd, &ev));
		ASSERT_EQ(i & 1 ? KNELL_EV_EXIT : KNELL_EV_FORK, ev.type);
		count_event(&t, &ev);
	}
	ASSERT_EQ(1, next_event(self->fd, &ev));
	EXPECT_EQ(KNELL_EV_LOST, ev.type);
	EXPECT_EQ(600 - RESERVE, ev.tree.lost);
	EXPECT_EQ(tree, ev.watch);
	EXPECT_EQ(0, ev.flags);
	count_event(&t, &ev);
	EXPECT_TRUE(next_is_main(self->fd, tree, pid, EXITED(42), 0));
	EXPECT_TRUE(next_is_empty(self->fd, tree, pid));
	EXPECT_TRUE(nothing_pending(self->fd));
	EXPECT_EQ(0, t.bad);
	EXPECT_EQ(0, tree_members(self->fd, tree));
}

/* A reader now and then: delivered and lost together are what there was, to the last one. */
TEST_F_TIMEOUT(tree, lost_counts_exactly, LIMIT)
{
	static const int brood[] = { 100, 90, 17, 1, 200, 128, 3, 129 };
	int64_t tree = add_tree(self->fd, REPORTS, 1);
	struct breeder *b = new_breeder();
	unsigned int caused = 0, room = 10;
	struct knell_event ev[200];
	struct tally t = { };
	pid_t pid;

	pid = spawn_member(self->fd, tree, breed, b);
	ASSERT_LT(0, pid);
	for (size_t i = 0; i < ARRAY_SIZE(brood); i++) {
		int n;

		ASSERT_TRUE(breed_more(b, brood[i]));
		caused += 2 * brood[i];
		ASSERT_GE(RESERVE + 1, nr_pending(self->fd));
		/* Takes some: 10, 70, 130, ... */
		n = wait_events(self->fd, ev, room < 200 ? room : 200, 0);
		ASSERT_LT(0, n);
		for (int k = 0; k < n; k++)
			count_event(&t, &ev[k]);
		room += 60;
	}
	ASSERT_TRUE(breed_more(b, 0));
	ASSERT_TRUE(count_until_empty(self->fd, &t));
	EXPECT_TRUE(tally_is_sound(self->fd, &t));
	EXPECT_LT(1, t.losts);
	EXPECT_EQ(caused, t.forks + t.exits + t.lost);
	TH_LOG("%u reports, %u told as lost by %u records", caused, t.lost, t.losts);
	reap(pid);
}

/* While a LOST waits it folds, and there is room behind it for what comes later. */
TEST_F_TIMEOUT(tree, lost_is_sticky, LIMIT)
{
	int64_t tree = add_tree(self->fd, KNELL_OPF_REPORT_EXIT, 1);
	struct breeder *b = new_breeder();
	struct knell_event ev[RESERVE + 2];
	uint64_t lost_seq;
	pid_t pid;

	pid = spawn_member(self->fd, tree, breed, b);
	ASSERT_LT(0, pid);
	ASSERT_TRUE(breed_more(b, RESERVE + 5));
	ASSERT_EQ(100, wait_events(self->fd, ev, 100, 0));
	/* 156 of the reserve and LOST wait: 100 more fit, of 110. */
	ASSERT_TRUE(breed_more(b, 110));
	ASSERT_EQ(RESERVE + 1, nr_pending(self->fd));
	ASSERT_EQ(RESERVE + 1, wait_events(self->fd, ev, RESERVE + 2, 0));
	EXPECT_EQ(KNELL_EV_LOST, ev[156].type);
	EXPECT_EQ(15, ev[156].tree.lost);
	lost_seq = ev[156].seq;
	EXPECT_EQ(lost_seq + 1, ev[157].seq);
	for (int i = 0; i < RESERVE + 1; i++)
		EXPECT_EQ(i == 156 ? KNELL_EV_LOST : KNELL_EV_EXIT, ev[i].type);
	/* It was read: the next loss is a new one. */
	ASSERT_TRUE(breed_more(b, RESERVE + 2));
	ASSERT_EQ(RESERVE + 1, wait_events(self->fd, ev, RESERVE + 2, 0));
	EXPECT_EQ(KNELL_EV_LOST, ev[RESERVE].type);
	EXPECT_EQ(2, ev[RESERVE].tree.lost);
	ASSERT_TRUE(breed_more(b, 0));
	reap(pid);
	ASSERT_EQ(2, wait_events(self->fd, ev, 3, 0));
	EXPECT_TRUE(is_empty(&ev[1], tree, pid));
}

/* DEL while LOST and a full reserve wait takes all of it along. */
TEST_F_TIMEOUT(tree, del_with_a_full_reserve, LIMIT)
{
	struct breeder *b = new_breeder();
	int64_t tree;
	pid_t pid;

	for (int i = 0; i < 3; i++) {
		tree = add_tree(self->fd, REPORTS, 1);
		pid = spawn_member(self->fd, tree, breed, b);
		ASSERT_LT(0, pid);
		ASSERT_TRUE(breed_more(b, RESERVE));
		if (i == 1) {
			ASSERT_TRUE(breed_more(b, 0));
			reap(pid);
		}
		EXPECT_LT(RESERVE, nr_pending(self->fd));
		ASSERT_EQ(0, del_watch(self->fd, tree));
		EXPECT_TRUE(nothing_pending(self->fd));
		if (i == 1)
			continue;
		ASSERT_TRUE(breed_more(b, 0));
		reap(pid);
		EXPECT_TRUE(nothing_pending(self->fd));
	}
	EXPECT_EQ(0, nr_watches(self->fd));
}

/*
 * The order of reading is the order of events, over watches of several kinds
 * and several writers: each of these makes a chain in which one thing is the
 * cause of the next.
 */
#define CHAIN		24
#define WRITERS		4

struct chain {
	int fd;
	uint32_t bell[2 * CHAIN];
	int gate;
	int code;
};

static void ring_and_exit(struct chain *c, int i)
{
	trigger(c->fd, c->bell[2 * i], 1);
	_exit(c->code);
}

static void run_chain(void *arg)
{
	struct chain *c = arg;

	pass_gate(c->gate);
	for (int i = 0; i < CHAIN; i++) {
		pid_t pid = bare_fork();

		if (!pid)
			ring_and_exit(c, i);
		reap(pid);
		trigger(c->fd, c->bell[2 * i + 1], 1);
	}
}

TEST_F_TIMEOUT(tree, reading_order_is_the_order_of_events, LIMIT)
{
	/* In each link: FORK, the child's bell, EXIT, the parent's bell. */
	static const int link[] = { KNELL_EV_FORK, KNELL_EV_USER, KNELL_EV_EXIT, KNELL_EV_USER };
	struct chain *c = shared(WRITERS * sizeof(*c));
	unsigned int step[WRITERS] = { };
	struct knell_event ev;
	int64_t tree[WRITERS];
	int gate = new_gate(), over = 0;
	uint64_t seq = 0;

	for (int w = 0; w < WRITERS; w++) {
		tree[w] = add_tree(self->fd, REPORTS, w);
		c[w] = (struct chain){ .fd = self->fd, .gate = gate, .code = w };
		for (int i = 0; i < 2 * CHAIN; i++)
			c[w].bell[i] = add_watch(self->fd, op_user(w));
		ASSERT_LT(0, spawn_member(self->fd, tree[w], run_chain, &c[w]));
	}
	open_gate(gate, WRITERS);
	while (over < WRITERS) {
		unsigned int w, at;

		ASSERT_EQ(1, next_event(self->fd, &ev));
		ASSERT_LT(seq, ev.seq);
		seq = ev.seq;
		w = ev.token;
		ASSERT_LT(w, WRITERS);
		at = step[w]++;
		if (at >= 4 * CHAIN) {
			ASSERT_EQ(at == 4 * CHAIN ? KNELL_EV_EXIT : KNELL_EV_EMPTY, ev.type);
			over += at > 4 * CHAIN;
			continue;
		}
		ASSERT_EQ(link[at % 4], ev.type);
		ASSERT_EQ(ev.type == KNELL_EV_USER ? c[w].bell[at / 2] : tree[w], ev.watch);
	}
	reap_all();
}

/* A PROCESS watch and trees on one process: each has its own record, none takes another's. */
TEST_F_TIMEOUT(tree, beside_a_process_watch, LIMIT)
{
	int64_t tree = add_tree(self->fd, 0, 1), process;
	int gate = new_gate(), seen[2] = { };
	struct knell_event ev;
	pid_t pid;

	pid = spawn_member(self->fd, tree, wait_at_gate, &gate);
	ASSERT_LT(0, pid);
	process = add_pid(self->fd, pid, 2);
	ASSERT_LT(0, process);
	open_gate(gate, 1);
	for (int i = 0; i < 2; i++) {
		ASSERT_EQ(1, next_event(self->fd, &ev));
		if (ev.watch != process && ev.type == KNELL_EV_EMPTY)
			break;
		ASSERT_EQ(KNELL_EV_EXIT, ev.type);
		ASSERT_EQ(pid, ev.exit.pid);
		seen[ev.watch == tree]++;
		EXPECT_EQ(ev.watch == tree ? KNELL_EVF_MAIN : 0, ev.flags);
	}
	if (ev.type != KNELL_EV_EMPTY) {
		EXPECT_EQ(1, seen[0]);
		EXPECT_EQ(1, seen[1]);
		EXPECT_TRUE(next_is_empty(self->fd, tree, pid));
	} else {
		EXPECT_TRUE(next_is_exit(self->fd, process, pid, 0, 0));
	}
	EXPECT_TRUE(nothing_pending(self->fd));
	reap(pid);
}

TEST_HARNESS_MAIN
