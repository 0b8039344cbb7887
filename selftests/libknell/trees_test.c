// SPDX-License-Identifier: GPL-2.0-only
/* Trees by the kernel backend; by the other one they are refused. runner-limit: 900 */
#include "common.h"

#include <limits.h>

LOOP_FIXTURE(trees);
KERNEL_FIXTURE(kernel_trees);

static struct knell_tree got;
static unsigned long got_what[4];

static void note_tree(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	(void)l;
	if (call->kind != KNELL_KIND_TREE)
		abort();
	got = *call->tree;
	got_what[got.what]++;
	counted++;
	if (arg)
		traced("%s", got.what == KNELL_TREE_EXIT ? "exit" : got.what == KNELL_TREE_EMPTY ?
		       "empty" : got.what == KNELL_TREE_FORK ? "fork" : "lost");
}

LOOP_TEST(trees, by_one_backend_only)
{
	knell_task t = knell_add_tree(self->l, note_tree, NULL, "label", 0);

	if (KERNEL) {
		ASSERT_TASK(t);
		EXPECT_TRUE(knell_pending(self->l, t));
		EXPECT_EQ(1, knell_cancel(self->l, t));
	} else {
		EXPECT_TRUE(knell_is_none(t));
		EXPECT_NO_TASK(EOPNOTSUPP, knell_add_tree(self->l, note_tree, NULL, "label",
							  KNELL_TREE_NEXT));
		EXPECT_EQ(0, stats_of(self->l).tasks);
	}
	EXPECT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
}

/* Whom it has, and how each ends. */
LOOP_TEST(kernel_trees, a_life)
{
	pid_t pid;

	ASSERT_TASK(knell_add_tree(self->l, note_tree, "", "life", KNELL_TREE_NEXT |
				   KNELL_TREE_REPORT_FORK | KNELL_TREE_REPORT_EXIT));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		pid = exiting_child(5);
		_exit(child_status(pid) == 5 ? 44 : 1);
	}
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_STREQ("fork exit exit empty", trace);
	EXPECT_EQ(KNELL_TREE_EMPTY, got.what);
	EXPECT_FALSE(got.inexact);
	EXPECT_EQ(0, got.lost);
	EXPECT_EQ(44, child_status(pid));
}

static struct knell_tree kept[8];

static void keep_tree(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	(void)l;
	(void)arg;
	if (counted < ARRAY_SIZE(kept))
		kept[counted] = *call->tree;
	counted++;
}

LOOP_TEST(kernel_trees, what_is_told)
{
	pid_t pid;

	ASSERT_TASK(knell_add_tree(self->l, keep_tree, NULL, "told", KNELL_TREE_NEXT |
				   KNELL_TREE_REPORT_FORK | KNELL_TREE_REPORT_EXIT));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		pid = exiting_child(5);
		_exit(child_status(pid) == 5 ? 44 : 1);
	}
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	ASSERT_EQ(4, counted);
	EXPECT_EQ(KNELL_TREE_FORK, kept[0].what);
	EXPECT_EQ(pid, kept[0].ppid);
	EXPECT_LT(0, kept[0].pid);
	EXPECT_EQ(2, kept[0].members);
	EXPECT_EQ(KNELL_TREE_EXIT, kept[1].what);
	EXPECT_EQ(kept[0].pid, kept[1].exit.pid);
	EXPECT_EQ(CLD_EXITED, kept[1].exit.code);
	EXPECT_EQ(5, kept[1].exit.status);
	EXPECT_EQ(1, kept[1].exit.members);
	EXPECT_EQ(0, kept[1].exit.flags & KNELL_CHILDF_MAIN);
	EXPECT_EQ(KNELL_TREE_EXIT, kept[2].what);
	EXPECT_EQ(pid, kept[2].exit.pid);
	EXPECT_EQ(44, kept[2].exit.status);
	EXPECT_EQ(0, kept[2].exit.members);
	EXPECT_EQ(KNELL_CHILDF_MAIN | KNELL_CHILDF_USAGE,
		  kept[2].exit.flags & (KNELL_CHILDF_MAIN | KNELL_CHILDF_USAGE));
	EXPECT_LT(kept[1].exit.seq, kept[2].exit.seq);
	EXPECT_EQ(KNELL_TREE_EMPTY, kept[3].what);
	child_status(pid);
}

/* Without reports: the first process and the end. */
LOOP_TEST(kernel_trees, first_and_last)
{
	int go[2];
	pid_t pid;

	make_pipe(go);
	fcntl(go[0], F_SETFL, 0);
	ASSERT_TASK(knell_add_tree(self->l, note_tree, "", "", KNELL_TREE_NEXT));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		for (int i = 0; i < 5; i++)
			waiting_child(go[0], 0);
		_exit(0);
	}
	while (!got_what[KNELL_TREE_EXIT])
		ASSERT_EQ(1, knell_loop_run(self->l, KNELL_RUN_ONCE));
	EXPECT_EQ(pid, got.exit.pid);
	EXPECT_EQ(5, got.exit.members);
	ASSERT_EQ(1, run_passes(self->l, 3));
	EXPECT_STREQ("exit", trace);
	ASSERT_EQ(5, write(go[1], "xxxxx", 5));
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_STREQ("exit empty", trace);
	child_status(pid);
	close(go[0]);
	close(go[1]);
}

/* A signal to all of them; how many there were. */
LOOP_TEST(kernel_trees, kill)
{
	knell_task t = knell_add_tree(self->l, note_tree, "", "kill", KNELL_TREE_NEXT);
	pid_t pid;
	int said[2];
	char c;

	ASSERT_TASK(t);
	ASSERT_EQ(0, pipe(said));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		for (int i = 0; i < 4; i++)
			idle_child();
		if (write(said[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	ASSERT_EQ(1, read(said[0], &c, 1));
	EXPECT_EQ(5, knell_child_kill(self->l, t, 0));
	EXPECT_EQ(-EINVAL, knell_child_kill(self->l, t, 65));
	EXPECT_EQ(5, knell_child_kill(self->l, t, SIGKILL));
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_STREQ("exit empty", trace);
	EXPECT_EQ(-ENOENT, knell_child_kill(self->l, t, SIGKILL));
	EXPECT_EQ(256 + SIGKILL, child_status(pid));
}

/* Who killed it. */
LOOP_TEST(kernel_trees, killer)
{
	pid_t pid;

	ASSERT_TASK(knell_add_tree(self->l, keep_tree, NULL, "killer", KNELL_TREE_NEXT));
	pid = idle_child();
	ASSERT_LT(0, pid);
	ASSERT_EQ(0, kill(pid, SIGTERM));
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	ASSERT_EQ(2, counted);
	EXPECT_EQ(CLD_KILLED, kept[0].exit.code);
	EXPECT_EQ(SIGTERM, kept[0].exit.status);
	EXPECT_EQ(KNELL_CHILDF_KILLER, kept[0].exit.flags & KNELL_CHILDF_KILLER);
	EXPECT_EQ(getpid(), kept[0].exit.killer_pid);
	EXPECT_EQ(getuid(), kept[0].exit.killer_uid);
	child_status(pid);
}

/* A process of one's own joins, or the next one does. */
LOOP_TEST(trees, join)
{
	knell_task t = knell_add_tree(self->l, note_tree, "", "join", 0), event;
	pid_t pid;

	if (!KERNEL) {
		event = knell_add_event(self->l, cb_nothing, NULL, 0);
		EXPECT_EQ(-EINVAL, knell_tree_join(self->l, event, 0));
		EXPECT_EQ(-ENOENT, knell_tree_join(self->l, KNELL_NONE, 0));
		return;
	}
	ASSERT_TASK(t);
	EXPECT_EQ(-EINVAL, knell_tree_join(self->l, t, 1U << 30));
	EXPECT_EQ(-ENOENT, knell_tree_join(self->l, KNELL_NONE, 0));
	event = knell_add_event(self->l, cb_nothing, NULL, 0);
	EXPECT_EQ(-EINVAL, knell_tree_join(self->l, event, 0));
	EXPECT_EQ(0, knell_tree_join(self->l, t, KNELL_TREE_NEXT));
	EXPECT_EQ(-EBUSY, knell_tree_join(self->l, t, KNELL_TREE_NEXT));
	pid = zombie(12);
	ASSERT_LT(0, pid);
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_STREQ("exit empty", trace);
	EXPECT_EQ(-ENOENT, knell_tree_join(self->l, t, KNELL_TREE_NEXT));
	EXPECT_EQ(12, child_status(pid));
	/* Itself: once, and never more than four. */
	for (int i = 0; i < 4; i++) {
		t = knell_add_tree(self->l, note_tree, NULL, "self", 0);
		ASSERT_TASK(t);
		EXPECT_EQ(0, knell_tree_join(self->l, t, 0));
		EXPECT_EQ(-EEXIST, knell_tree_join(self->l, t, 0));
	}
	t = knell_add_tree(self->l, note_tree, NULL, "one too many", 0);
	EXPECT_EQ(-E2BIG, knell_tree_join(self->l, t, 0));
}

/* Ended, and its end not told yet. */
LOOP_TEST(kernel_trees, join_too_late)
{
	knell_task t = knell_add_tree(self->l, note_tree, "", "late", KNELL_TREE_NEXT);
	pid_t pid;

	pid = zombie(0);
	EXPECT_EQ(-ESHUTDOWN, knell_tree_join(self->l, t, 0));
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_STREQ("exit empty", trace);
	child_status(pid);
}

/* More reports than there is room for: the others are counted, the end comes all the same. */
static unsigned long reports, lost;

static void count_reports(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	(void)l;
	(void)arg;
	if (call->tree->what == KNELL_TREE_LOST || call->tree->what == KNELL_TREE_EMPTY)
		lost += call->tree->lost;
	else
		reports++;
	got_what[call->tree->what]++;
}

LOOP_TEST(kernel_trees, lost)
{
	const unsigned int nr = 1000;
	pid_t pid;

	ASSERT_TASK(knell_add_tree(self->l, count_reports, NULL, "many", KNELL_TREE_NEXT |
				   KNELL_TREE_REPORT_FORK | KNELL_TREE_REPORT_EXIT));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		signal(SIGCHLD, SIG_IGN);
		for (unsigned int i = 0; i < nr; i++)
			if (vfork_exit(0) < 0)
				_exit(1);
		while (waitpid(-1, NULL, 0) > 0)
			;
		_exit(0);
	}
	ASSERT_EQ(0, await_zombie(pid));
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_LT(0, lost);
	EXPECT_EQ(2 * nr + 1, reports + lost);
	EXPECT_EQ(1, got_what[KNELL_TREE_EMPTY]);
	EXPECT_LE(lost, stats_of(self->l).lost);
	EXPECT_EQ(0, child_status(pid));
}

/* A cancel leaves them alone; the loop's end does, or kills them when it was told to. */
LOOP_TEST(kernel_trees, what_goes_with_it)
{
	struct knell_loop *l;
	knell_task t;
	pid_t pid;

	for (int how = 0; how < 3; how++) {
		l = new_loop(variant->backend);
		ASSERT_NE(NULL, l);
		t = knell_add_tree(l, note_tree, "", "goes", KNELL_TREE_NEXT |
				   (how == 2 ? KNELL_TREE_KILL_ON_CLOSE : 0));
		ASSERT_TASK(t);
		pid = fork();
		ASSERT_LE(0, pid);
		if (!pid) {
			/* What it has inherited would keep the queue open. */
			knell_loop_free(l);
			for (;;)
				pause();
		}
		ASSERT_EQ(1, run_passes(l, 2));
		if (how == 0)
			ASSERT_EQ(1, knell_cancel(l, t));
		EXPECT_EQ(how != 0, knell_loop_run(l, KNELL_RUN_NOWAIT));
		knell_loop_free(l);
		if (how == 2) {
			EXPECT_EQ(256 + SIGKILL, child_status(pid));
		} else {
			EXPECT_EQ(0, waitpid(pid, NULL, WNOHANG));
			kill(pid, SIGTERM);
			EXPECT_EQ(256 + SIGTERM, child_status(pid));
		}
	}
	EXPECT_STREQ("", trace);
}

LOOP_TEST(kernel_trees, refused)
{
	char label[65];

	memset(label, 'x', 64);
	label[64] = 0;
	EXPECT_NO_TASK(EINVAL, knell_add_tree(self->l, note_tree, NULL, label, 0));
	EXPECT_NO_TASK(EINVAL, knell_add_tree(self->l, note_tree, NULL, NULL, 0));
	EXPECT_NO_TASK(EINVAL, knell_add_tree(self->l, note_tree, NULL, "", 1U << 20));
	label[63] = 0;
	ASSERT_TASK(knell_add_tree(self->l, note_tree, NULL, label, KNELL_TREE_NEXT));
	EXPECT_NO_TASK(EBUSY, knell_add_tree(self->l, note_tree, NULL, "", KNELL_TREE_NEXT));
	EXPECT_EQ(1, stats_of(self->l).tasks);
	/* Not EEXIST: trees are as many as one likes. */
	for (int i = 0; i < 100; i++)
		ASSERT_TASK(knell_add_tree(self->l, note_tree, NULL, "more", 0));
}

/* Order: what happens in several trees and to children is told in the order of its happening. */
static uint64_t last_seq;
static unsigned int disorder;

static void check_seq(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	uint64_t seq;

	(void)l;
	(void)arg;
	if (call->kind == KNELL_KIND_CHILD)
		seq = call->child->seq;
	else if (call->tree->what == KNELL_TREE_EXIT)
		seq = call->tree->exit.seq;
	else
		return;
	counted++;
	if (seq <= last_seq)
		disorder++;
	last_seq = seq;
}

LOOP_TEST(kernel_trees, in_order)
{
	for (int i = 0; i < 30; i++) {
		if (i % 2) {
			ASSERT_TASK(knell_add_tree(self->l, check_seq, NULL, "", KNELL_TREE_NEXT));
			ASSERT_LT(0, vfork_exit(i));
		} else {
			ASSERT_TASK(knell_add_child(self->l, check_seq, NULL, vfork_exit(i), 0));
		}
	}
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_EQ(30, counted);
	EXPECT_EQ(0, disorder);
	while (waitpid(-1, NULL, 0) > 0)
		;
}

LIBKNELL_MAIN
