// SPDX-License-Identifier: GPL-2.0-only
/* All children at once: those without a task, storms, orphans. runner-limit: 900 */
#include "common.h"

LOOP_FIXTURE(exits);

static struct knell_child got;

static void note_child(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	(void)l;
	if (call->kind != KNELL_KIND_CHILD)
		abort();
	counted++;
	got = *call->child;
	if (arg)
		traced("%s", (const char *)arg);
}

/*
 * T-27: children that nobody has a task for.
 */

LOOP_TEST(exits, t27_nobody_asked)
{
	pid_t pid = zombie(9);

	ASSERT_TASK(knell_add_timer_ms(self->l, cb_trace, "timer", 1));
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_STREQ("timer", trace);
	/* Left alone. */
	EXPECT_EQ(9, child_status(pid));
}

/* Runs until @nr were counted. */
static int until_counted(struct knell_loop *l, unsigned long nr)
{
	int ret = 1;

	while (counted < nr && ret > 0)
		ret = knell_loop_run(l, KNELL_RUN_ONCE);
	return ret;
}

LOOP_TEST(exits, t27_all_children)
{
	pid_t old = zombie(1), own, other;
	knell_task all = knell_add_children(self->l, note_child, "all", 0);

	ASSERT_TASK(all);
	EXPECT_NO_TASK(EEXIST, knell_add_children(self->l, note_child, NULL, 0));
	/* One that was there before. */
	ASSERT_EQ(1, until_counted(self->l, 1));
	EXPECT_EQ(old, got.pid);
	EXPECT_EQ(1, got.status);
	EXPECT_EQ(1, child_status(old));
	/* With a task of its own it is that one's alone. */
	own = exiting_child(2);
	ASSERT_TASK(knell_add_child(self->l, note_child, "own", own, 0));
	ASSERT_EQ(1, until_counted(self->l, 2));
	EXPECT_EQ(own, got.pid);
	EXPECT_EQ(2, got.status);
	EXPECT_EQ(2, child_status(own));
	/* Also if it was dead before it had one, and nobody has looked since. */
	own = zombie(2);
	ASSERT_TASK(knell_add_child(self->l, note_child, "own", own, 0));
	ASSERT_EQ(1, until_counted(self->l, 3));
	ASSERT_EQ(1, run_passes(self->l, 5));
	EXPECT_EQ(own, got.pid);
	EXPECT_EQ(2, child_status(own));
	other = exiting_child(3);
	ASSERT_EQ(1, until_counted(self->l, 4));
	EXPECT_EQ(other, got.pid);
	EXPECT_EQ(CLD_EXITED, got.code);
	EXPECT_EQ(3, got.status);
	EXPECT_TRUE(is_zombie(other));
	/* Told once, though it stays a zombie. */
	ASSERT_EQ(1, run_passes(self->l, 5));
	raise(SIGCHLD);
	ASSERT_EQ(1, run_passes(self->l, 5));
	EXPECT_STREQ("all own own all", trace);
	EXPECT_EQ(3, child_status(other));
	ASSERT_EQ(1, knell_cancel(self->l, all));
	EXPECT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	/* From now on nobody is told, and the zombie is whose it was. */
	other = zombie(4);
	ASSERT_EQ(0, run_passes(self->l, 3));
	EXPECT_STREQ("all own own all", trace);
	EXPECT_EQ(4, child_status(other));
}

LOOP_TEST(exits, t27_all_are_reaped)
{
	const unsigned int nr = 50;
	pid_t pid;

	ASSERT_TASK(knell_add_children(self->l, note_child, NULL, KNELL_CHILD_AUTOREAP));
	for (unsigned int i = 0; i < nr; i++)
		ASSERT_LT(0, exiting_child(i));
	ASSERT_EQ(1, until_counted(self->l, nr));
	EXPECT_EQ(-1, waitpid(-1, NULL, WNOHANG));
	EXPECT_EQ(ECHILD, errno);
	/* One with a task that wants its zombie keeps it. */
	pid = exiting_child(6);
	ASSERT_TASK(knell_add_child(self->l, note_child, NULL, pid, 0));
	ASSERT_EQ(1, until_counted(self->l, nr + 1));
	ASSERT_EQ(1, run_passes(self->l, 5));
	/* Also while others go. */
	exiting_child(7);
	ASSERT_EQ(1, until_counted(self->l, nr + 2));
	EXPECT_EQ(6, child_status(pid));
	EXPECT_EQ(nr + 2, counted);
}

/* T-30: a storm, through the smallest possible batch: none is lost, none is told twice. */
static unsigned char *told;
static unsigned long told_twice, overflows;

static void note_storm(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	const struct knell_child *c = call->child;

	(void)l;
	(void)arg;
	counted++;
	told_twice += told[c->pid]++;
	overflows += !!(c->flags & KNELL_CHILDF_OVERFLOW);
	if (c->code != CLD_EXITED || c->status != 3)
		abort();
}

/* A small guest allows fewer. */
static void room_for_zombies(unsigned int nr)
{
	unsigned int most = 0;
	FILE *f = fopen("/proc/sys/kernel/threads-max", "r+e");

	if (!f)
		return;
	if (fscanf(f, "%u", &most) == 1 && most < 2 * nr) {
		rewind(f);
		fprintf(f, "%u", 2 * nr);
	}
	fclose(f);
}

/* By the kernel backend all of them, by the other one what an emulator does in that time. */
static unsigned int storm_size(enum knell_backend backend)
{
	return backend == KNELL_BACKEND_KERNEL ? 10000 / FEWER : times(10000);
}

LOOP_TEST(exits, t30_storm)
{
	const unsigned int nr = storm_size(variant->backend);
	struct knell_loop_attr attr = { .backend = variant->backend, .batch = 1 };
	struct knell_loop *l = knell_loop_new(&attr);
	pid_t last = 0;

	ASSERT_NE(NULL, l);
	room_for_zombies(nr);
	told = calloc(1 << 22, 1);
	ASSERT_NE(NULL, told);
	ASSERT_TASK(knell_add_children(l, note_storm, NULL, KNELL_CHILD_AUTOREAP));
	ASSERT_EQ(1, run_passes(l, 3));
	/*
	 * All but a few that are still at it on another CPU (vfork() waits for their memory only) are dead
	 * before the loop looks: more than the kernel keeps records of.
	 */
	for (unsigned int i = 0; i < nr; i++)
		last = vfork_exit(3);
	ASSERT_LT(0, last);
	ASSERT_EQ(0, await_zombie(last));
	ASSERT_EQ(1, until_counted(l, nr));
	ASSERT_EQ(1, run_passes(l, 3));
	EXPECT_EQ(nr, counted);
	EXPECT_EQ(0, told_twice);
	EXPECT_EQ(-1, waitpid(-1, NULL, WNOHANG));
	if (KERNEL) {
		/* Else the way that is tested here was not taken. */
		EXPECT_LT(0, stats_of(l).lost);
		EXPECT_LT(0, stats_of(l).rescans);
		EXPECT_LT(nr / 2, overflows);
	}
	knell_loop_free(l);
	free(told);
}

/* The same with the zombies left alone: still once each. */
LOOP_TEST(exits, t30_storm_of_zombies)
{
	const unsigned int nr = times(1000);

	told = calloc(1 << 22, 1);
	ASSERT_NE(NULL, told);
	ASSERT_TASK(knell_add_children(self->l, note_storm, NULL, 0));
	ASSERT_EQ(1, run_passes(self->l, 3));
	for (unsigned int i = 0; i < nr; i++)
		ASSERT_LT(0, vfork_exit(3));
	ASSERT_EQ(1, until_counted(self->l, nr));
	raise(SIGCHLD);
	ASSERT_EQ(1, run_passes(self->l, 3));
	EXPECT_EQ(nr, counted);
	EXPECT_EQ(0, told_twice);
	for (unsigned int i = 0; i < nr; i++)
		ASSERT_LT(0, waitpid(-1, NULL, WNOHANG));
	EXPECT_EQ(-1, waitpid(-1, NULL, WNOHANG));
	free(told);
}

/* Each with a task of its own, of which some are cancelled while they die. */
LOOP_TEST(exits, t30_storm_of_tasks)
{
	const unsigned int nr = times(1000);
	unsigned int cancelled = 0;
	struct rlimit rl;
	int fds[2];

	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &rl));
	rl.rlim_cur = rl.rlim_max;
	setrlimit(RLIMIT_NOFILE, &rl);
	told = calloc(1 << 22, 1);
	ASSERT_NE(NULL, told);
	make_pipe(fds);
	for (unsigned int i = 0; i < nr; i++) {
		knell_task t = knell_add_child(self->l, note_storm, NULL, vfork_exit(3),
					       KNELL_CHILD_AUTOREAP);

		ASSERT_TASK(t);
		if (i % 3 == 0)
			cancelled += knell_cancel(self->l, t);
		if (i % 100 == 0)
			ASSERT_LE(0, knell_loop_run(self->l, KNELL_RUN_NOWAIT));
	}
	EXPECT_LT(0, cancelled);
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_EQ(nr - cancelled, counted);
	EXPECT_EQ(0, told_twice);
	/* Those that were cancelled are reaped in passing. */
	ASSERT_TASK(knell_add_timer(self->l, cb_nothing, NULL, 3600));
	while (waitid(P_ALL, 0, &(siginfo_t){ .si_pid = 0 }, WEXITED | WNOWAIT | WNOHANG) == 0)
		ASSERT_EQ(1, knell_loop_run(self->l, KNELL_RUN_NOWAIT));
	EXPECT_EQ(ECHILD, errno);
	close(fds[0]);
	close(fds[1]);
	free(told);
}

/* T-32: an orphan comes to the process that has asked for orphans. */
LOOP_TEST(exits, t32_grandchildren)
{
	int go[2], said[2];
	pid_t child, grandchild;

	ASSERT_EQ(0, prctl(PR_SET_CHILD_SUBREAPER, 1));
	make_pipe(go);
	fcntl(go[0], F_SETFL, 0);
	ASSERT_EQ(0, pipe(said));
	ASSERT_TASK(knell_add_children(self->l, note_child, NULL, KNELL_CHILD_AUTOREAP));
	child = fork();
	ASSERT_LE(0, child);
	if (!child) {
		grandchild = waiting_child(go[0], 8);
		_exit(write(said[1], &grandchild, sizeof(grandchild)) != sizeof(grandchild));
	}
	ASSERT_EQ(sizeof(grandchild), read(said[0], &grandchild, sizeof(grandchild)));
	ASSERT_EQ(1, until_counted(self->l, 1));
	EXPECT_EQ(child, got.pid);
	EXPECT_EQ(0, got.status);
	ASSERT_EQ(1, write(go[1], "x", 1));
	ASSERT_EQ(1, until_counted(self->l, 2));
	EXPECT_EQ(grandchild, got.pid);
	EXPECT_EQ(CLD_EXITED, got.code);
	EXPECT_EQ(8, got.status);
	EXPECT_EQ(KNELL_CHILDF_ADOPTED, got.flags & KNELL_CHILDF_ADOPTED);
	EXPECT_EQ(-1, waitpid(-1, NULL, WNOHANG));
}

LIBKNELL_MAIN
