// SPDX-License-Identifier: GPL-2.0-only
/*
 * The device: programs of steps by chance (fuzz.h). The kernel may refuse what they ask; it must
 * complain of nothing, get all of its memory back, let the module go within a second of the last
 * descriptor's end, and have it do its work when it has come back. runner-limit: 7200
 *
 * Where the module is its coverage build (../coverage), chance is guided: a program that got to where
 * none was before is kept, and most of the others are made of these.
 *
 * KNELL_FUZZ_SEED says where chance begins, KNELL_FUZZ_OPS how many steps, KNELL_FUZZ_BLIND=1 that
 * nothing is kept, KNELL_FUZZ_LOUD=1 that each program is told to the kernel's log before it runs, so that
 * a console with "ignore_loglevel" has the one that was too much.
 */
#include "kselftest_harness.h"

#include "fuzz.h"
#include "netlink_test.h"

#define STEPS_DEFAULT	20000
#define SEED_DEFAULT	1
#define CORPUS		4096
#define A_LIFE		250	/* programs between two insertions of the module */
#define PATIENCE_MS	2000	/* with a program that does not come to its end */
#define SEEN		"/sys/module/knell_coverage/parameters/seen"
#define LIVE		"/sys/module/knell/parameters/live"

static struct program corpus[CORPUS];

struct run {
	unsigned int nr_corpus;
	unsigned long steps, programs, stopped, lives;
	unsigned int edges;
	int seen;
	bool blind;
};

static unsigned int edges_seen(struct run *run)
{
	char text[16] = "";

	return run->seen >= 0 && pread(run->seen, text, sizeof(text) - 1, 0) > 0 ? atoi(text) : 0;
}

/* What the module was given and has not given back; 0 if it does not count. */
static int live_memory(void)
{
	char text[16] = "0";
	int fd = open(LIVE, O_RDONLY | O_CLOEXEC);

	if (fd >= 0 && read(fd, text, sizeof(text) - 1) < 0)
		abort();
	close(fd);
	return atoi(text);
}

static void make_program(const struct run *run, struct program *p)
{
	unsigned int changes;

	if (!run->nr_corpus || !below(8)) {
		any_program(p);
		return;
	}
	/* The youngest are where there is most to be found. */
	*p = corpus[below(2) ? run->nr_corpus - 1 - below(1 + run->nr_corpus / 4) : below(run->nr_corpus)];
	for (changes = 1 + below(6); changes; changes--)
		change_program(p, &corpus[below(run->nr_corpus)]);
}

static void tell_program(const struct program *p, unsigned long nr)
{
	char line[900];
	int at = snprintf(line, sizeof(line), "<6>fuzz: %lu:", nr), fd;

	for (unsigned int i = 0; i < p->nr; i++)
		at += snprintf(line + at, sizeof(line) - at, " %d.%x.%x", p->step[i].kind, p->step[i].what,
			       p->step[i].many);
	fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
	if (write(fd, line, at) != at)
		abort();
	close(fd);
}

/* Until its pid namespace is gone. */
static bool run_alone(struct run *run, const struct program *p)
{
	struct pollfd pfd = { .events = POLLIN };
	siginfo_t info;
	pid_t pid = syscall(SYS_clone, CLONE_NEWPID | SIGCHLD, 0, 0, 0, 0);

	if (!pid)
		run_program(p);
	if (pid < 0)
		return false;
	pfd.fd = syscall(SYS_pidfd_open, pid, 0);
	if (poll(&pfd, 1, PATIENCE_MS) != 1) {
		run->stopped++;
		kill(pid, SIGKILL);
	}
	close(pfd.fd);
	return !waitid(P_PID, pid, &info, WEXITED);
}

static void keep_it(struct run *run, const struct program *p)
{
	unsigned int edges = edges_seen(run);

	if (edges > run->edges && run->nr_corpus < CORPUS && !run->blind)
		corpus[run->nr_corpus++] = *p;
	run->edges = edges;
}

/* ---- between programs ---- */

static struct nl nl;

static void note_queue(const struct nl_message *m, void *arg)
{
	*(uint64_t *)arg = nl_u64(m, KNELL_A_QUEUE_ID);
}

/* Those that were kept, and that nobody holds any more. 0, or why there still is one. */
static int drop_all(void)
{
	uint64_t id, end = clock_ns(CLOCK_MONOTONIC) + 10 * NSEC_PER_SEC;
	int err = 0;

	while (clock_ns(CLOCK_MONOTONIC) < end) {
		id = 0;
		err = nl_queues(&nl, note_queue, &id);
		if (err || !id)
			return err;
		/* Whose last file is on its way cannot be dropped yet. */
		err = nl_queue_drop(&nl, id);
		if (err)
			sched_yield();
	}
	return err ?: -ETIMEDOUT;
}

static bool removed_within(uint64_t ns)
{
	uint64_t end = clock_ns(CLOCK_MONOTONIC) + ns;

	while (syscall(SYS_delete_module, "knell", O_NONBLOCK)) {
		if (clock_ns(CLOCK_MONOTONIC) > end)
			return false;
		sched_yield();
	}
	return true;
}

static bool works(void)
{
	int fd = knell_open(O_NONBLOCK);
	struct knell_event ev;
	int64_t watch = add_watch(fd, op_add(KNELL_USER, 0, 1));
	struct knell_op ring = op_trigger(watch, 1);
	bool ok = watch > 0 && !submit_op(fd, &ring) && wait_events(fd, &ev, 1, 0) == 1;

	close(fd);
	return ok;
}

static bool memory_is_back(int live)
{
	uint64_t end = clock_ns(CLOCK_MONOTONIC) + 10 * NSEC_PER_SEC;

	while (live_memory() != live) {
		if (clock_ns(CLOCK_MONOTONIC) > end)
			return false;
		sched_yield();
	}
	return true;
}

static void print_program(const struct program *p)
{
	const struct step *s;

	for (unsigned int i = 0; i < p->nr; i++) {
		s = &p->step[i];
		fprintf(stderr, "# { %u, %u, %u, %u, %#x, %#x, %#llx },\n", s->kind, s->what, s->who, s->many, s->a, s->b,
		       (unsigned long long)s->c);
	}
}

static void tell_corpus(const struct run *run)
{
	for (unsigned int i = 0; i < run->nr_corpus; i++) {
		char kinds[MAX_STEPS + 1] = "";

		for (unsigned int j = 0; j < corpus[i].nr; j++)
			kinds[j] = 'A' + corpus[i].step[j].kind % NR_KINDS;
		printf("# corpus %u: %s\n", i, kinds);
	}
}

/* Of whatever length. */
FIXTURE(device) { };
FIXTURE_SETUP(device) { }
FIXTURE_TEARDOWN(device) { }

TEST_F_TIMEOUT(device, fuzz, 7200)
{
	unsigned long steps = wanted("KNELL_FUZZ_OPS", STEPS_DEFAULT), seed = wanted("KNELL_FUZZ_SEED", SEED_DEFAULT);
	struct run run = { .blind = wanted("KNELL_FUZZ_BLIND", 0) };
	bool loud = wanted("KNELL_FUZZ_LOUD", 0);
	struct program p;
	int live, left;

	run.seen = open(SEEN, O_RDONLY | O_CLOEXEC);
	run.edges = edges_seen(&run);
	chance = seed;
	ASSERT_EQ(0, nl_open(&nl));
	live = live_memory();
	while (run.steps < steps) {
		make_program(&run, &p);
		if (loud)
			tell_program(&p, run.programs);
		ASSERT_TRUE(run_alone(&run, &p));
		keep_it(&run, &p);
		left = drop_all();
		if (left)
			print_program(&p);
		ASSERT_EQ(0, left);
		run.steps += p.nr;
		if (++run.programs % A_LIFE && run.steps < steps)
			continue;
		ASSERT_TRUE(memory_is_back(live));
		ASSERT_TRUE(removed_within(NSEC_PER_SEC));
		ASSERT_EQ(0, insert_module(""));
		/* The family has another number in each life. */
		close(nl.fd);
		ASSERT_EQ(0, nl_open(&nl));
		ASSERT_TRUE(works());
		run.lives++;
	}
	tell_corpus(&run);
	TH_LOG("seed %lu%s: %lu steps, %lu programs, %lu stopped, %lu lives of the module, %u kept, %u edges", seed,
	       run.blind ? " blind" : "", run.steps, run.programs, run.stopped, run.lives, run.nr_corpus,
	       run.edges);
	close(nl.fd);
}

TEST_HARNESS_MAIN
