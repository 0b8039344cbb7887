// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the library asks for is refused, once, at each place in its turn: memory, and every system call
 * with each error that it may have. Whatever was refused is refused whole and with that error, what was
 * taken runs, and the loop lives. runner-limit: 900
 */
#include "common.h"

LOOP_FIXTURE(faults);

/*
 * No memory: each allocation on the way fails in its turn. Whatever was refused is refused whole,
 * what was taken runs, and the loop lives.
 */

static unsigned int taken;
static int refused_with = ENOMEM;
static const char *scenario_wrong;

static void wrong(const char *what)
{
	if (!scenario_wrong)
		scenario_wrong = what;
}

static knell_task took(knell_task t)
{
	if (!knell_is_none(t))
		taken++;
	else if (errno != refused_with && errno != EOPNOTSUPP)
		wrong("an add said something else than what was refused");
	return t;
}

static void run_out(struct knell_loop *l)
{
	/* What comes of a lack of memory inside of a run is made up for later. */
	for (int i = 0; i < 10000 && counted < taken; i++) {
		if (knell_loop_run(l, KNELL_RUN_NOWAIT) < 0)
			wrong("run");
		if (counted < taken)
			sleep_ns(MSEC);
	}
	if (counted != taken)
		wrong("not all has run");
}

static void scenario(enum knell_backend backend, bool embed, int fds[2], const pid_t *pids)
{
	const struct knell_loop_attr attr = { .name = "starved", .backend = backend };
	struct knell_loop *l = knell_loop_new(&attr);
	knell_task signal_task, tree, periodic;
	char *text;

	counted = taken = 0;
	if (!l) {
		if (errno != refused_with)
			wrong("knell_loop_new");
		return;
	}
	/* From here on the kernel is told of all at once. */
	if (embed)
		knell_loop_fd(l);
	took(knell_add_event(l, cb_count, NULL, 0));
	took(knell_add_timer_ns(l, cb_count, NULL, 0));
	periodic = took(knell_add_timer_every(l, cb_count, NULL, HOUR));
	taken -= !knell_is_none(periodic);
	took(knell_add_timer_at(l, cb_count, NULL, CLOCK_REALTIME, 1));
	took(knell_add_background(l, cb_count, NULL, 0));
	took(knell_add_read(l, cb_count, NULL, fds[0]));
	took(knell_add_write(l, cb_count, NULL, fds[1]));
	took(knell_add_child(l, cb_count, NULL, pids[0], 0));
	took(knell_add_child(l, cb_count, NULL, pids[1], 0));
	signal_task = took(knell_add_signal(l, cb_count, NULL, SIGUSR1));
	if (!knell_is_none(signal_task))
		raise(SIGUSR1);
	tree = took(knell_add_tree(l, cb_count, NULL, "starved", 0));
	taken -= !knell_is_none(tree);
	if (!knell_post(l, cb_count, NULL, 0))
		taken++;
	if (!knell_execute(l, cb_count, NULL, 0))
		taken++;
	knell_add_prepare(l, NULL, NULL);
	run_out(l);
	knell_timer_set_slack(l, periodic, 5);
	knell_set_warn(l, periodic, 1, 2, 3);
	knell_cancel(l, periodic);
	knell_cancel(l, tree);
	knell_cancel(l, signal_task);
	text = shown_stats(l, NULL, KNELL_JSON);
	free(text);
	/* All that is left is nothing. */
	if (stats_of(l).tasks)
		wrong("a task is left");
	knell_loop_free(l);
}

LOOP_TEST(faults, no_memory)
{
	struct sigaction sa;
	unsigned int fds_before;
	long n, failures = 0;
	pid_t pids[2];
	int fds[2];

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds));
	ASSERT_EQ(1, write(fds[1], "x", 1));
	pids[0] = zombie(0);
	pids[1] = zombie(1);
	fds_before = nr_open_fds();
	/* Should a handler not be there where one was taken: no harm in this test. */
	signal(SIGUSR1, SIG_IGN);
	for (n = 0; n < 10000; n++) {
		fail_allocation(n, false);
		scenario(variant->backend, false, fds, pids);
		if (!allocation_failed())
			break;
		failures++;
		if (scenario_wrong)
			TH_LOG("allocation %ld: %s", n, scenario_wrong);
		ASSERT_EQ(NULL, scenario_wrong);
		ASSERT_EQ(fds_before, nr_open_fds());
	}
	fail_allocation(-1, false);
	EXPECT_EQ(NULL, scenario_wrong);
	EXPECT_LT(15, failures);
	EXPECT_GT(10000, n);
	ASSERT_EQ(0, sigaction(SIGUSR1, NULL, &sa));
	EXPECT_TRUE(sa.sa_handler == SIG_IGN);
	EXPECT_EQ(0, child_status(pids[0]));
	EXPECT_EQ(1, child_status(pids[1]));
	close(fds[0]);
	close(fds[1]);
}

/* From some moment on there is none at all: no crash, no lie. */
LOOP_TEST(faults, no_memory_any_more)
{
	int fds[2];
	pid_t pids[2];

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds));
	pids[0] = zombie(0);
	pids[1] = zombie(1);
	for (long n = 0; n < 200; n++) {
		struct knell_loop *l = new_loop(variant->backend);
		knell_task t;

		ASSERT_NE(NULL, l);
		fail_allocation(n % 40, true);
		for (int i = 0; i < 400; i++)
			knell_add_event(l, cb_nothing, NULL, 0);
		knell_add_read(l, cb_nothing, NULL, fds[0]);
		knell_add_child(l, cb_nothing, NULL, pids[n % 2], 0);
		knell_add_children(l, cb_nothing, NULL, 0);
		t = knell_add_signal(l, cb_nothing, NULL, SIGUSR1);
		if (!knell_is_none(t))
			raise(SIGUSR1);
		for (int i = 0; i < 5; i++)
			ASSERT_LE(0, knell_loop_run(l, KNELL_RUN_NOWAIT));
		fail_allocation(-1, false);
		/* Memory is there again: all goes on. */
		counted = 0;
		t = knell_add_event(l, cb_count, NULL, 0);
		ASSERT_TASK(t);
		while (!counted)
			ASSERT_LE(0, knell_loop_run(l, KNELL_RUN_NOWAIT));
		knell_loop_free(l);
	}
	child_status(pids[0]);
	child_status(pids[1]);
	close(fds[0]);
	close(fds[1]);
}

/* A zombie of nobody's task is told to that of all children, and one's own to its own. */
static void family(struct knell_loop *l)
{
	knell_task all, own;
	pid_t pid = zombie(3), other = zombie(4);

	counted = taken = 0;
	own = took(knell_add_child(l, cb_count, NULL, pid, KNELL_CHILD_AUTOREAP));
	all = took(knell_add_children(l, cb_count, NULL, KNELL_CHILD_AUTOREAP));
	/* It takes who has no task, too, which may be both of them. */
	if (!knell_is_none(all))
		taken = 2;
	run_out(l);
	knell_cancel(l, all);
	if (knell_is_none(all) && child_status(other) != 4)
		wrong("a zombie that was left alone has another status");
	if (knell_is_none(all) && knell_is_none(own) && child_status(pid) != 3)
		wrong("a zombie that was refused has another status");
	if (waitpid(-1, NULL, WNOHANG) != -1)
		wrong("a zombie was told and not taken away");
}

static void family_scenario(enum knell_backend backend)
{
	const struct knell_loop_attr attr = { .name = "refused", .backend = backend };
	struct knell_loop *l = knell_loop_new(&attr);

	if (!l) {
		if (errno != refused_with)
			wrong("knell_loop_new");
		return;
	}
	family(l);
	knell_loop_free(l);
}

static const int errors[] = { EINTR, EAGAIN, ENOMEM, EMFILE, ENOSPC, EIO };

/* Each call of @run in its turn, with each error that it may have. Returns how many have failed. */
static unsigned int fail_each_call(struct __test_metadata *_metadata, void (*run)(void *arg),
				   void *arg)
{
	unsigned int fds_before = nr_open_fds(), failures = 0;

	for (unsigned int i = 0; i < ARRAY_SIZE(errors); i++) {
		refused_with = errors[i];
		for (long n = 0; n < 10000; n++) {
			fail_call(n, refused_with);
			run(arg);
			if (!failed_call())
				break;
			failures++;
			if (scenario_wrong)
				TH_LOG("%s, call %ld: %s: %s", failed_call(), n,
				       strerror(refused_with), scenario_wrong);
			ASSERT_EQ(NULL, scenario_wrong);
			ASSERT_EQ(fds_before, nr_open_fds());
		}
		fail_call(-1, 0);
	}
	return failures;
}

struct calls {
	enum knell_backend backend;
	bool embed;
	int fds[2];
	pid_t pids[2];
};

static void run_scenario(void *arg)
{
	struct calls *c = arg;

	scenario(c->backend, c->embed, c->fds, c->pids);
}

LOOP_TEST(faults, system_calls)
{
	struct calls c = { .backend = variant->backend };
	unsigned int failures = 0;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, c.fds));
	ASSERT_EQ(1, write(c.fds[1], "x", 1));
	c.pids[0] = zombie(0);
	c.pids[1] = zombie(1);
	signal(SIGUSR1, SIG_IGN);
	for (int i = 0; i < 2; i++) {
		c.embed = i;
		failures += fail_each_call(_metadata, run_scenario, &c);
	}
	EXPECT_LT(20, failures);
	EXPECT_EQ(0, child_status(c.pids[0]));
	EXPECT_EQ(1, child_status(c.pids[1]));
}

static void run_family(void *arg)
{
	family_scenario(*(enum knell_backend *)arg);
}

/* No exit is lost, whatever fails while children are looked for. */
LOOP_TEST(faults, system_calls_of_a_family)
{
	enum knell_backend backend = variant->backend;

	EXPECT_LT(10, fail_each_call(_metadata, run_family, &backend));
}

LIBKNELL_MAIN
