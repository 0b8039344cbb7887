// SPDX-License-Identifier: GPL-2.0-only
/*
 * The device: programs of steps by chance (fuzz.h). The kernel may refuse what they ask; it must
 * complain of nothing, get all of its memory back, let the module go when the last descriptor is gone,
 * and have it do its work when it has come back. runner-limit: 7200
 *
 * Where the module is its coverage build (../coverage), chance is guided: a program that got to where
 * none was before is kept, and most of the others are made of these. Where a program gets to is a matter
 * of timing, too. So which were kept is told ("fuzz: kept NR"): with the seed that makes the same
 * programs again. Each is told to the kernel's log before it runs, all of which a console has when the kernel
 * panics, and on stderr if it failed.
 *
 * KNELL_FUZZ_SEED says where chance begins, KNELL_FUZZ_OPS how many steps, KNELL_FUZZ_BLIND=1 that
 * nothing is kept. If there is a file /fuzz.kept, those are kept that it numbers; if there is a file
 * /fuzz.programs, those that it tells (fuzz_log.h) are run and no others, KNELL_FUZZ_TIMES in turn.
 */
#include "kselftest_harness.h"

#include "fuzz_log.h"
#include "netlink_test.h"

#define STEPS_DEFAULT	3000
#define SEED_DEFAULT	1
#define STEPS_AGAIN	200
#define CORPUS		4096
#define A_LIFE		100	/* programs between two insertions of the module */
#define PATIENCE_MS	2000	/* with a program that does not come to its end */
#define MERCY_MS	(30000 * SLOW)	/* with one that was killed */
#define SEEN		"/sys/module/knell_coverage/parameters/seen"
#define LIVE		"/sys/module/knell/parameters/live"
#define REPLAY		"/proc/sys/kernel/panic_print"
#define REPLAY_ALL	"32"	/* of the log */
#define ALL_IS_WELL	"all is well"

static struct program corpus[CORPUS], life[A_LIFE];
static unsigned long kept[CORPUS];

/*
 * @keeps: the program that has just run is to be kept
 * @nr_kept: those that @keeps is to keep again
 * @again: how many of them were
 * @sum: of all programs
 */
struct run {
	bool (*keeps)(struct run *run);
	unsigned int nr_corpus, nr_kept, again, edges;
	unsigned long steps, programs, stopped, lives;
	uint64_t sum;
	int live;
};

static bool keeps_none(struct run *run)
{
	(void)run;
	return false;
}

static bool keeps_new_edges(struct run *run)
{
	unsigned int before = run->edges;

	run->edges = file_number(SEEN);
	return run->edges > before;
}

/* As good as any, and some in each run. */
static bool keeps_the_odd(struct run *run)
{
	return run->programs % 2;
}

static bool keeps_again(struct run *run)
{
	if (run->again == run->nr_kept || kept[run->again] != run->programs)
		return false;
	run->again++;
	return true;
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

/* Until its pid namespace is gone. */
static bool run_alone(struct run *run, const struct program *p)
{
	struct pollfd pfd = { .events = POLLIN };
	bool gone = true;
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
		gone = poll(&pfd, 1, MERCY_MS) == 1;
	}
	close(pfd.fd);
	return gone && !waitid(P_PID, pid, &info, WEXITED);
}

static void keep_it(struct run *run, const struct program *p)
{
	if (!run->keeps(run) || run->nr_corpus == CORPUS)
		return;
	if (run->keeps == keeps_the_odd)
		kept[run->nr_corpus] = run->programs;
	else if (run->keeps == keeps_new_edges)
		dprintf(STDOUT_FILENO, "# fuzz: kept %lu\n", run->programs);
	corpus[run->nr_corpus++] = *p;
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

	while (remove_module()) {
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
	uint64_t end = clock_ns(CLOCK_MONOTONIC) + 10 * SLOW * NSEC_PER_SEC;

	while (file_number(LIVE) != live) {
		if (clock_ns(CLOCK_MONOTONIC) > end)
			return false;
		sched_yield();
	}
	return true;
}

/* The module goes and comes: why it does not, NULL if all is well. */
static const char *begin_life(struct run *run)
{
	if (!memory_is_back(run->live))
		return "memory is not given back";
	if (!removed_within(10 * SLOW * NSEC_PER_SEC))
		return "the module cannot be removed";
	if (insert_module(""))
		return "the module cannot be inserted";
	/* The family has another number in each life. */
	close(nl.fd);
	if (nl_open(&nl) || !works())
		return "the module does not work";
	run->lives++;
	return NULL;
}

static const char *run_one(struct run *run, const struct program *p)
{
	const char *bad = NULL;

	tell_kernel(p, run->programs);
	run->sum = sum_program(p, run->sum);
	if (!run_alone(run, p))
		bad = "it does not end";
	else if (drop_all())
		bad = "a queue stays";
	if (bad)
		tell_program(STDERR_FILENO, "# ", p, run->programs);
	run->steps += p->nr;
	return bad;
}

/* So many steps: what was wrong, NULL if nothing was. */
static const char *fuzz(struct run *run, unsigned long seed, unsigned long steps)
{
	unsigned int at = 0;
	const char *bad;
	struct program *p;

	chance = seed;
	for (; run->steps < steps; run->programs++) {
		p = &life[at++];
		make_program(run, p);
		bad = run_one(run, p);
		if (bad)
			return bad;
		keep_it(run, p);
		if (at < A_LIFE && run->steps < steps)
			continue;
		bad = begin_life(run);
		for (unsigned int i = 0; bad && i < at; i++)
			tell_program(STDERR_FILENO, "# ", &life[i], run->programs + 1 - at + i);
		if (bad)
			return bad;
		at = 0;
	}
	return NULL;
}

/* The first @nr of the corpus, in turn. After each of them, all has to be well. */
static const char *replay(struct run *run, unsigned int nr, unsigned long times)
{
	const char *bad;

	for (; run->programs < nr * times; run->programs++) {
		const struct program *p = &corpus[run->programs % nr];

		bad = run_one(run, p);
		if (!bad && !memory_is_back(run->live))
			bad = "memory is not given back";
		if (bad) {
			tell_program(STDERR_FILENO, "# ", p, run->programs);
			return bad;
		}
	}
	return begin_life(run);
}

FIXTURE(device)
{
	int panic_print;
};

FIXTURE_SETUP(device)
{
	self->panic_print = file_number(REPLAY);
	ASSERT_EQ(0, write_file(REPLAY, REPLAY_ALL));
	ASSERT_EQ(0, nl_open(&nl));
}

FIXTURE_TEARDOWN(device)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", self->panic_print);
	EXPECT_EQ(0, write_file(REPLAY, text));
	close(nl.fd);
}

/* Of whatever length. */
TEST_F_TIMEOUT(device, fuzz, 7200 * SLOW)
{
	unsigned long steps = wanted("KNELL_FUZZ_OPS", STEPS_DEFAULT), seed = wanted("KNELL_FUZZ_SEED", SEED_DEFAULT);
	struct run run = { .keeps = wanted("KNELL_FUZZ_BLIND", 0) ? keeps_none : keeps_new_edges };
	unsigned int nr = read_programs("/fuzz.programs", corpus, CORPUS);
	const char *bad;

	run.edges = file_number(SEEN);
	run.live = file_number(LIVE);
	if (!access("/fuzz.kept", F_OK)) {
		run.keeps = keeps_again;
		run.nr_kept = read_numbers("/fuzz.kept", kept, CORPUS);
	}
	if (nr)
		bad = replay(&run, nr, wanted("KNELL_FUZZ_TIMES", 1));
	else
		bad = fuzz(&run, seed, steps);
	run.edges = file_number(SEEN);
	TH_LOG("seed %lu, %s: %lu steps, %lu programs, %lu stopped, %lu removals, %u kept, %u edges, sum %016llx",
	       seed, nr ? "replay" : run.keeps == keeps_none ? "blind" : run.nr_kept ? "again" : "guided",
	       run.steps, run.programs, run.stopped, run.lives, run.nr_corpus, run.edges,
	       (unsigned long long)run.sum);
	ASSERT_STREQ(ALL_IS_WELL, bad ?: ALL_IS_WELL);
}

/* The sum of the programs of this seed. */
static uint64_t sum_of(struct __test_metadata *_metadata, struct run *run, unsigned long seed)
{
	const char *bad;

	run->live = file_number(LIVE);
	bad = fuzz(run, seed, STEPS_AGAIN);
	EXPECT_STREQ(ALL_IS_WELL, bad ?: ALL_IS_WELL);
	return run->sum;
}

/* What is made is a matter of the seed, and of which were kept. */
TEST_F_TIMEOUT(device, made_again, 300 * SLOW)
{
	struct run blind = { .keeps = keeps_none }, blind_again = blind, another = blind;
	struct run guided = { .keeps = keeps_the_odd }, guided_again = { .keeps = keeps_again };
	uint64_t sum = sum_of(_metadata, &blind, 1);

	EXPECT_EQ(sum, sum_of(_metadata, &blind_again, 1));
	EXPECT_NE(sum, sum_of(_metadata, &another, 2));
	sum = sum_of(_metadata, &guided, 1);
	guided_again.nr_kept = guided.nr_corpus;
	EXPECT_LT(0, guided.nr_corpus);
	EXPECT_NE(blind.sum, sum);
	EXPECT_EQ(sum, sum_of(_metadata, &guided_again, 1));
	EXPECT_EQ(guided.programs, guided_again.programs);
}

/* What is told of a program is all of it. */
TEST_F(device, told)
{
	static struct program read[2];
	char path[] = "/tmp/fuzz.XXXXXX";
	int fd = mkstemp(path);
	struct program p;

	ASSERT_LE(0, fd);
	chance = 1;
	for (unsigned int i = 0; i < 100; i++) {
		any_program(&p);
		ASSERT_EQ(0, ftruncate(fd, 0));
		ASSERT_EQ(0, lseek(fd, 0, SEEK_SET));
		/* Of the first one nothing but its end is there. */
		dprintf(fd, "fuzz: 7 2/2: %040x\n", 0);
		tell_program(fd, "", &p, i);
		ASSERT_EQ(1, read_programs(path, read, 2));
		ASSERT_EQ(sum_program(&p, 0), sum_program(read, 0));
		ASSERT_EQ(p.nr, read->nr);
	}
	close(fd);
	unlink(path);
}

TEST_HARNESS_MAIN
