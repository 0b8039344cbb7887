// SPDX-License-Identifier: GPL-2.0-only
/*
 * Trees in trees: members of several, inner and outer ones, and those of pid
 * namespaces above and below.
 *
 * runner-limit: 900
 */
#include "kselftest_harness.h"

#include "tree_cast.h"

QUEUE_FIXTURE(tree)

/* Five memberships are one too many, in one queue or in several. */
static void join_five(void *arg)
{
	struct cast *c = arg;
	int fd[5] = { c->fd, c->fd, c->fd, knell_open(0), knell_open(0) };
	int64_t tree[5];
	pid_t child;

	for (int i = 0; i < 5; i++) {
		tree[i] = add_tree(fd[i], 0, i);
		c->pid[0] = join(fd[i], tree[i]);
		if (c->pid[0] != (i < 4 ? 0 : -E2BIG))
			_exit(10 + i);
	}
	c->pid[1] = join_next(fd[4], tree[4]);
	/* With one gone there is room for another: twice, so that nothing of the first is left. */
	for (int i = 0; i < 4; i++) {
		if (del_watch(fd[i], tree[i]))
			_exit(20 + i);
		tree[i] = add_tree(c->fd, 0, i);
		fd[i] = c->fd;
		if (join(c->fd, tree[i]))
			_exit(30 + i);
	}
	if (join(fd[4], tree[4]) != -E2BIG)
		_exit(40);
	/* The child has as many, and can have no more either. */
	child = bare_fork();
	if (!child)
		_exit(join(fd[4], tree[4]) == -E2BIG ? 0 : 1);
	if (reap(child))
		_exit(50);
}

TEST_F_TIMEOUT(tree, four_memberships, LIMIT)
{
	struct cast *c = new_cast(self->fd, 0);
	pid_t pid;

	pid = spawn_process(join_five, c);
	EXPECT_EQ(EXITED(0), reap(pid));
	EXPECT_EQ(-E2BIG, c->pid[0]);
	/* Of OPF_NEXT every refusal comes at once. */
	EXPECT_EQ(-E2BIG, c->pid[1]);
	EXPECT_EQ(8, nr_pending(self->fd));
}

/* What the thread waits for counts: the child would have one more than its parent. */
static void arm_fourth(void *arg)
{
	struct cast *c = arg;
	int64_t tree[5];
	int code = 0;

	for (int i = 0; i < 5; i++)
		tree[i] = add_tree(c->fd, 0, i);
	for (int i = 0; i < 3; i++)
		if (join(c->fd, tree[i]))
			_exit(10 + i);
	if (join_next(c->fd, tree[3]))
		_exit(20);
	c->pid[0] = join(c->fd, tree[4]);
	if (reap(spawn_process(exit_with, &code)))
		_exit(30);
	/* The thread waits for nothing any more. */
	if (join(c->fd, tree[4]))
		_exit(40);
}

TEST_F_TIMEOUT(tree, four_with_the_one_to_come, LIMIT)
{
	struct cast *c = new_cast(self->fd, 0);
	struct knell_event ev;
	int left = 0;
	pid_t pid;

	pid = spawn_process(arm_fourth, c);
	EXPECT_EQ(EXITED(0), reap(pid));
	EXPECT_EQ(-E2BIG, c->pid[0]);
	while (pending_event(self->fd, &ev) == 1) {
		EXPECT_EQ(0, ev.flags & KNELL_EVF_INEXACT);
		left++;
	}
	EXPECT_EQ(10, left);
	EXPECT_EQ(0, nr_watches(self->fd));
}

/* A watch of the quota for each tree, none for its members. */
TEST_F_TIMEOUT(tree, counts_as_one_watch, LIMIT)
{
	int64_t tree = add_tree(self->fd, REPORTS | KNELL_OPF_ACK, 1);
	struct cast *c = new_cast(self->fd, tree);
	pid_t pid;

	pid = spawn_member(self->fd, tree, fork_after_gate, c);
	ASSERT_EQ('f', hear_soon(c->said));
	ASSERT_EQ('f', hear_soon(c->said));
	EXPECT_EQ(1, nr_watches(self->fd));
	open_gate(c->gate[0], 1);
	reap(pid);
	EXPECT_EQ(1, nr_watches(self->fd));
}

/* Nesting. */

/* JOINs an inner tree of its own, then has a child in both. */
static void nest(void *arg)
{
	struct cast *c = arg;
	int code = 4;

	if (join(c->inner_fd, c->inner))
		_exit(BROKEN);
	reap(spawn_process(exit_with, &code));
	tell(c->said, 'n');
	pass_gate(c->gate[0]);
	_exit(5);
}

static void see_nested(struct __test_metadata *_metadata, int fd, int inner_fd)
{
	int64_t outer = add_tree(fd, REPORTS, 1), inner = add_tree(inner_fd, REPORTS, 2);
	struct cast *c = new_cast(fd, outer);
	struct tally t[2] = { };
	struct knell_event ev;
	pid_t pid;

	c->inner = inner;
	c->inner_fd = inner_fd;
	pid = spawn_member(fd, outer, nest, c);
	ASSERT_LT(0, pid);
	ASSERT_EQ('n', hear_soon(c->said));
	EXPECT_EQ(1, tree_members(fd, outer));
	EXPECT_EQ(1, tree_members(inner_fd, inner));
	open_gate(c->gate[0], 1);
	ASSERT_EQ(EXITED(5), reap(pid));
	while (pending_event(fd, &ev) == 1 || pending_event(inner_fd, &ev) == 1) {
		ASSERT_TRUE(ev.watch == outer || ev.watch == inner || fd != inner_fd);
		count_event(&t[ev.token - 1], &ev);
		if (ev.type == KNELL_EV_FORK)
			EXPECT_TRUE(is_fork(&ev, ev.watch, ANY, pid, 2));
	}
	for (int i = 0; i < 2; i++) {
		EXPECT_TRUE(tally_is_sound(fd, &t[i]));
		EXPECT_EQ(1, t[i].forks);
		EXPECT_EQ(1, t[i].exits);
		EXPECT_TRUE(is_exit(&t[i].main, i ? inner : outer, pid, EXITED(5), 0,
				    KNELL_EVF_MAIN));
	}
}

TEST_F_TIMEOUT(tree, member_joins_an_inner_tree, LIMIT)
{
	see_nested(_metadata, self->fd, self->fd);
}

TEST_F_TIMEOUT(tree, member_joins_a_tree_of_another_queue, LIMIT)
{
	int other = knell_open(O_NONBLOCK);

	ASSERT_LE(0, other);
	see_nested(_metadata, self->fd, other);
	close(other);
}

/* A manager that is a member starts a service: that is in both trees, the manager in one. */
static void manage(void *arg)
{
	struct cast *c = arg;
	struct knell_event ev;
	int64_t service;
	pid_t pid;

	c->inner_fd = knell_open(0);
	service = add_tree(c->inner_fd, REPORTS, 3);
	pid = spawn_member(c->inner_fd, service, wait_at_gate, &c->gate[0]);
	tell(c->said, 's');
	if (!next_is_main(c->inner_fd, service, pid, 0, 0) ||
	    !next_is_empty(c->inner_fd, service, pid))
		_exit(1);
	if (pending_event(c->inner_fd, &ev) || nr_watches(c->inner_fd))
		_exit(2);
	reap(pid);
	pass_gate(c->gate[1]);
}

TEST_F_TIMEOUT(tree, manager_under_a_manager, LIMIT)
{
	int64_t outer = add_tree(self->fd, REPORTS, 1);
	struct cast *c = new_cast(self->fd, outer);
	struct knell_event ev;
	pid_t pid;

	pid = spawn_member(self->fd, outer, manage, c);
	ASSERT_LT(0, pid);
	ASSERT_EQ('s', hear_soon(c->said));
	ASSERT_EQ(1, next_event(self->fd, &ev));
	EXPECT_TRUE(is_fork(&ev, outer, ANY, pid, 2));
	EXPECT_EQ(2, kill_watch(self->fd, outer, 0));
	open_gate(c->gate[0], 1);
	/* The service is over for both, the outer tree is not. */
	EXPECT_TRUE(next_is_exit(self->fd, outer, ev.tree.pid, 0, 1));
	EXPECT_TRUE(nothing_pending(self->fd));
	EXPECT_EQ(1, tree_members(self->fd, outer));
	open_gate(c->gate[1], 1);
	EXPECT_TRUE(next_is_main(self->fd, outer, pid, 0, 0));
	EXPECT_TRUE(next_is_empty(self->fd, outer, pid));
	EXPECT_EQ(0, reap(pid));
}

/*
 * A member that JOINs a tree of its own making, in its own queue, stays in the
 * outer one: with what it does thereafter it is followed by both, and when the
 * inner tree goes, by DEL or with its queue, by the outer one still.
 */
static void join_own(void *arg)
{
	struct cast *c = arg;
	int code = 4;
	int64_t own;

	c->inner_fd = knell_open(0);
	own = add_tree(c->inner_fd, 0, 3);
	if (join(c->inner_fd, own))
		_exit(1);
	reap(spawn_process(exit_with, &code));
	if (c->pid[3] ? del_watch(c->inner_fd, own) : close(c->inner_fd))
		_exit(2);
	reap(spawn_process(exit_with, &code));
}

static void see_join_own(struct __test_metadata *_metadata, int fd, bool del)
{
	int64_t outer = add_tree(fd, REPORTS, 1);
	struct cast *c = new_cast(fd, outer);
	pid_t pid;

	c->pid[3] = del;
	pid = spawn_member(fd, outer, join_own, c);
	ASSERT_LT(0, pid);
	for (int i = 0; i < 2; i++) {
		EXPECT_TRUE(next_is_fork(fd, outer, ANY, pid, 2));
		EXPECT_TRUE(next_is_exit(fd, outer, ANY, EXITED(4), 1));
	}
	EXPECT_TRUE(next_is_main(fd, outer, pid, 0, 0));
	EXPECT_TRUE(next_is_empty(fd, outer, pid));
	EXPECT_EQ(0, reap(pid));
	EXPECT_TRUE(nothing_pending(fd));
}

TEST_F_TIMEOUT(tree, join_own_stays_in_the_outer, LIMIT)
{
	see_join_own(_metadata, self->fd, true);
	see_join_own(_metadata, self->fd, false);
}

/* Who is there already when a member JOINs an inner tree is not in that. */
static void nest_late(void *arg)
{
	struct cast *c = arg;
	pid_t pid;

	pid = spawn_process(wait_at_gate, &c->gate[0]);
	if (join(c->fd, c->inner))
		_exit(BROKEN);
	tell(c->said, 'n');
	pass_gate(c->gate[1]);
	open_gate(c->gate[0], 1);
	reap(pid);
}

TEST_F_TIMEOUT(tree, earlier_children_are_not_inside, LIMIT)
{
	int64_t outer = add_tree(self->fd, 0, 1), inner = add_tree(self->fd, 0, 2);
	struct cast *c = new_cast(self->fd, outer);
	struct tally t[2] = { };
	struct knell_event ev;
	pid_t pid;

	c->inner = inner;
	pid = spawn_member(self->fd, outer, nest_late, c);
	ASSERT_LT(0, pid);
	ASSERT_EQ('n', hear_soon(c->said));
	EXPECT_EQ(2, tree_members(self->fd, outer));
	EXPECT_EQ(1, tree_members(self->fd, inner));
	open_gate(c->gate[1], 1);
	ASSERT_EQ(0, reap(pid));
	while (pending_event(self->fd, &ev) == 1)
		count_event(&t[ev.token - 1], &ev);
	EXPECT_TRUE(tally_is_sound(self->fd, &t[0]));
	EXPECT_TRUE(tally_is_sound(self->fd, &t[1]));
}

/* The inner tree is over before the outer one: each EMPTY in its time. */
TEST_F_TIMEOUT(tree, inner_is_empty_first, LIMIT)
{
	int64_t outer = add_tree(self->fd, 0, 1), inner = add_tree(self->fd, 0, 2);
	struct cast *c = new_cast(self->fd, outer);
	struct knell_op arm = op_join(inner, KNELL_OPF_NEXT);
	int code = 6, said[2];
	struct knell_event ev;
	pid_t pid;

	ASSERT_EQ(0, pipe(said));
	ASSERT_EQ(0, join_next(self->fd, outer));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		pid_t child;

		if (submit_op(self->fd, &arm))
			_exit(BROKEN);
		child = spawn_process(exit_with, &code);
		reap(child);
		tell(said, 'i');
		pass_gate(c->gate[0]);
		_exit(0);
	}
	ASSERT_EQ('i', hear_soon(said));
	ASSERT_EQ(1, next_event(self->fd, &ev));
	EXPECT_TRUE(is_exit(&ev, inner, ANY, EXITED(6), 0, KNELL_EVF_MAIN));
	EXPECT_TRUE(next_is_empty(self->fd, inner, ev.exit.pid));
	EXPECT_TRUE(nothing_pending(self->fd));
	open_gate(c->gate[0], 1);
	EXPECT_TRUE(next_is_main(self->fd, outer, pid, 0, 0));
	EXPECT_TRUE(next_is_empty(self->fd, outer, pid));
	reap(pid);
}

/* A reader who does not see the members' pids: 0 each. */
TEST_F_TIMEOUT(tree, reader_in_another_pid_namespace, LIMIT)
{
	int64_t tree = add_tree(self->fd, REPORTS, 1);
	struct cast *c = new_cast(self->fd, tree);
	pid_t pid, reader;

	pid = spawn_member(self->fd, tree, keep_zombie, c);
	await_pending(self->fd, 2);
	open_gate(c->gate[0], 1);
	ASSERT_EQ(0, reap(pid));
	ASSERT_EQ(0, unshare(CLONE_NEWPID));
	reader = fork();
	ASSERT_LE(0, reader);
	if (!reader)
		_exit(!(SO(watch_info(self->fd, tree).pid == 0) &&
			next_is_fork(self->fd, tree, 0, 0, 2) &&
			next_is_exit(self->fd, tree, 0, EXITED(4), 1) &&
			next_is_main(self->fd, tree, 0, 0, 0) &&
			next_is_empty(self->fd, tree, 0)));
	EXPECT_EQ(0, reap(reader));
}

/* The other way round: members in a namespace below the reader's have their pids of outside. */
TEST_F_TIMEOUT(tree, members_in_a_pid_namespace, LIMIT)
{
	int64_t tree = add_tree(self->fd, REPORTS, 1);
	struct cast *c = new_cast(self->fd, tree);
	struct knell_event ev;
	pid_t pid;

	ASSERT_EQ(0, unshare(CLONE_NEWPID));
	pid = spawn_member(self->fd, tree, keep_zombie, c);
	ASSERT_LT(1, pid);
	await_pending(self->fd, 2);
	open_gate(c->gate[0], 1);
	ASSERT_EQ(1, next_event(self->fd, &ev));
	EXPECT_TRUE(is_fork(&ev, tree, ANY, pid, 2));
	EXPECT_LT(pid, ev.tree.pid);
	EXPECT_TRUE(next_is_exit(self->fd, tree, ev.tree.pid, EXITED(4), 1));
	EXPECT_TRUE(next_is_main(self->fd, tree, pid, 0, 0));
	EXPECT_TRUE(next_is_empty(self->fd, tree, pid));
	reap(pid);
}

/* A user with all rights in a namespace of his own, who adds a tree to the queue @arg. */
static int add_tree_below(void *arg)
{
	int err = enter_user_ns();

	return err ? err : (int)add_tree(*(int *)arg, REPORTS, 1);
}

/* How one ended who is not below its owner, and another's, is not his to know. */
TEST_F_TIMEOUT(tree, a_member_above_the_owner, LIMIT)
{
	static const struct who user_2000 = { 2000, 2000, 2000, 0 };
	int tree = as_who(&user_1000, add_tree_below, &self->fd), gate = new_gate();
	struct knell_event ev;
	pid_t first, pid;

	ASSERT_LT(0, tree);
	first = spawn_member(self->fd, tree, wait_at_gate, &gate);
	ASSERT_LT(0, first);
	pid = fork();
	if (!pid) {
		become(&user_2000);
		_exit(join(self->fd, tree) ? BROKEN : 4);
	}
	EXPECT_EQ(EXITED(4), reap(pid));
	ASSERT_EQ(1, next_event(self->fd, &ev));
	EXPECT_TRUE(is_exit(&ev, tree, pid, 0, 1, KNELL_EVF_NOSTATUS));
	open_gate(gate, 1);
	EXPECT_EQ(0, reap(first));
	EXPECT_TRUE(next_is_main(self->fd, tree, first, 0, 0));
	EXPECT_TRUE(next_is_empty(self->fd, tree, first));
}

TEST_HARNESS_MAIN
