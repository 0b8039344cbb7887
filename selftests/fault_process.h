/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Processes that are watched before they are made, that join a tree or are born into it, that die: what
 * they and their parents ask for fails in turn, and no death is lost without a word.
 */
#ifndef _FAULT_PROCESS_H
#define _FAULT_PROCESS_H

#include "fault_fixture.h"
#include "tree_test.h"

/* ---- processes yet to be made ---- */

/*
 * Makes a child of which the @n-th allocation fails, counted from its first instruction in the
 * kernel. It cannot run before its parent sleeps, for both are on one CPU and under SCHED_FIFO. Its
 * fail-nth goes to *@nth.
 */
static pid_t fork_to_fail(unsigned int n, volatile int *ran, int *nth)
{
	pid_t pid;

	*ran = 0;
	pid = fork();
	if (!pid) {
		*ran = 1;
		return 0;
	}
	*nth = pid < 0 ? -1 : open_fail_nth(pid);
	if (*nth < 0)
		_exit(BROKEN);
	fail_nth(*nth, n);
	/* Something made this one sleep, and it was too late. */
	if (*ran)
		_exit(BROKEN);
	return pid;
}

static void run_before_children(void)
{
	struct sched_param param = { .sched_priority = 1 };

	pin_to_cpu(0);
	if (sched_setscheduler(0, SCHED_FIFO, &param))
		_exit(BROKEN);
}

static void pause_at(const int *gate)
{
	ssize_t n;
	char c;

	/* Without a word: an allocation of this one's may be the next to fail, or the copy of this. */
	do
		n = read(gate[0], &c, 1);
	while (n < 0 && errno == EFAULT);
	if (n != 1)
		_exit(BROKEN);
}

/* The parent's allocations: fork fails, or the child is watched. */
TEST_F_TIMEOUT(fault, fork_of_next, LIMIT)
{
	int64_t watch;
	bool again;
	pid_t pid;

	do {
		watch = add_next(self->queue, 1);
		ASSERT_LT(0, watch);
		arm(self);
		pid = fork();
		if (!pid)
			_exit(0);
		again = failed(self, pid < 0 ? -errno : 0);
		if (pid < 0) {
			/* It was not the next process, there was none. */
			ASSERT_EQ(1, watch_state(self->queue, watch));
			pid = fork();
			if (!pid)
				_exit(0);
		}
		ASSERT_EQ(0, reap(pid));
		ASSERT_TRUE(hears(self->queue, watch, KNELL_EV_EXIT));
		ASSERT_EQ(0, nr_watches(self->queue));
	} while (again);
	/* It is the kernel that refuses to fork, not the module. */
	EXPECT_EQ(sites->built, !self->refused);
}

/* The child's: whatever fails on its way to user mode, its death is told. */
TEST_F_TIMEOUT(fault, birth_of_next, LIMIT)
{
	volatile int *ran = shared(sizeof(*ran));
	int gate[2], nth;
	int64_t watch;
	bool again;
	pid_t pid;

	run_before_children();
	do {
		ASSERT_EQ(0, pipe2(gate, O_CLOEXEC));
		watch = add_next(self->queue, 1);
		ASSERT_LT(0, watch);
		pid = fork_to_fail(++self->n, ran, &nth);
		if (!pid) {
			pause_at(gate);
			_exit(7);
		}
		wait_blocked(pid, pid, SYS_read);
		again = has_failed(nth);
		close(nth);
		tell(gate, 'g');
		ASSERT_EQ(7 << 8, reap(pid));
		ASSERT_TRUE(hears(self->queue, watch, KNELL_EV_EXIT));
		close(gate[0]);
		close(gate[1]);
	} while (again);
}

/* ---- trees ---- */

static uint64_t members(int queue, uint32_t tree)
{
	return watch_info(queue, tree).value;
}

/* Reads @tree's records up to EMPTY, the last; whether one was INEXACT, or -1. */
static int end_of_tree(int queue, uint32_t tree)
{
	struct knell_event ev;
	int inexact = 0;

	do {
		if (next_event(queue, &ev) != 1 || ev.watch != tree)
			return -1;
		inexact |= !!(ev.flags & KNELL_EVF_INEXACT);
	} while (ev.type != KNELL_EV_EMPTY);
	return nothing_pending(queue) ? inexact : -1;
}

struct joining {
	int ret[2];		/* of JOIN, and of another if that was refused */
	bool again;
};

static void join_self(int queue, uint32_t tree, unsigned int n, struct joining *j)
{
	int nth = open_fail_nth(0);

	fail_nth(nth, n);
	j->ret[0] = join(queue, tree);
	j->again = has_failed(nth);
	j->ret[1] = j->ret[0] ? join(queue, tree) : 0;
}

TEST_F_TIMEOUT(fault, join_self, LIMIT)
{
	struct joining *j = shared(sizeof(*j));
	int64_t tree;
	pid_t pid;

	do {
		tree = add_watch(self->queue, op_add(KNELL_TREE, 0, 1));
		ASSERT_LT(0, tree);
		self->n++;
		pid = fork();
		if (!pid) {
			join_self(self->queue, tree, self->n, j);
			_exit(0);
		}
		ASSERT_EQ(0, reap(pid));
		if (j->ret[0]) {
			ASSERT_TRUE(j->again);
			ASSERT_TRUE(is_right(j->ret[0]));
			self->refused++;
		}
		ASSERT_EQ(0, j->ret[1]);
		ASSERT_EQ(0, end_of_tree(self->queue, tree));
	} while (j->again);
	EXPECT_LT(0, self->refused);
}

TEST_F_TIMEOUT(fault, join_next, LIMIT)
{
	int64_t tree;
	bool again;
	int ret;

	do {
		tree = add_watch(self->queue, op_add(KNELL_TREE, 0, 1));
		ASSERT_LT(0, tree);
		arm(self);
		ret = join_next(self->queue, tree);
		again = failed(self, ret);
		if (ret)
			ASSERT_EQ(0, join_next(self->queue, tree));
		child_that_exits();
		ASSERT_EQ(0, end_of_tree(self->queue, tree));
	} while (again);
	EXPECT_LT(0, self->refused);
}

/**
 * struct family - a tree's main process and its child, and which of their allocations are to fail
 * @main_nth: the main process's, from its birth on; 0: none
 * @fork_nth: of its fork
 * @child_nth: the child's, from its birth on
 * @main_failed: has it come to that, and so on
 * @allocations: of its fork, if @fork_nth was beyond them
 * @child: of the main process, or -errno
 * @ran: for fork_to_fail()
 * @to_main: gates
 */
struct family {
	unsigned int main_nth, fork_nth, child_nth;
	bool main_failed, fork_failed, child_failed;
	unsigned int allocations;
	pid_t child;
	volatile int ran;
	int to_main[2], from_main[2], to_child[2];
};

static void child_of_family(struct family *f)
{
	pause_at(f->to_child);
	_exit(0);
}

static void main_of_family(struct family *f)
{
	int own, childs = -1;
	unsigned int left;

	pause_at(f->to_main);
	own = open_fail_nth(0);
	if (own < 0)
		_exit(BROKEN);
	fail_nth(own, f->fork_nth);
	f->child = f->child_nth ? fork_to_fail(f->child_nth, &f->ran, &childs) : fork();
	if (!f->child)
		child_of_family(f);
	if (f->child < 0)
		f->child = -errno;
	left = fails_in(own);
	f->fork_failed = f->fork_nth && !left;
	f->allocations = f->fork_nth - left;
	if (f->child > 0)
		wait_blocked(f->child, f->child, SYS_read);
	f->child_failed = childs >= 0 && has_failed(childs);
	tell(f->from_main, 'f');
	pause_at(f->to_main);
	if (f->child < 0)
		_exit(0);
	tell(f->to_child, 'e');
	_exit(reap(f->child) ? BROKEN : 0);
}

/* fork() returns in two places with what it has to say. */
static void start_family(struct family *f, pid_t *pid, int *nth)
{
	pid_t child;

	*nth = -1;
	child = f->main_nth ? fork_to_fail(f->main_nth, &f->ran, nth) : fork();
	if (!child)
		main_of_family(f);
	*pid = child;
}

/* However it goes, the tree has all, or says that it has not. */
static void raise_family(struct __test_metadata *_metadata, FIXTURE_DATA(fault) *self,
			 struct family *f)
{
	int64_t tree = add_watch(self->queue, op_add(KNELL_TREE, 0, 1));
	uint64_t expected = 1, there;
	pid_t pid;
	int nth;

	ASSERT_LT(0, tree);
	ASSERT_EQ(0, pipe2(f->to_main, O_CLOEXEC));
	ASSERT_EQ(0, pipe2(f->from_main, O_CLOEXEC));
	ASSERT_EQ(0, pipe2(f->to_child, O_CLOEXEC));
	ASSERT_EQ(0, join_next(self->queue, tree));
	start_family(f, &pid, &nth);
	ASSERT_LT(0, pid);
	wait_blocked(pid, pid, SYS_read);
	f->main_failed = nth >= 0 && has_failed(nth);
	ASSERT_EQ(1, members(self->queue, tree));

	tell(f->to_main, 'f');
	must_hear(f->from_main, 'f');
	if (f->child < 0) {
		ASSERT_TRUE(f->fork_failed);
		ASSERT_TRUE(f->child == -ENOMEM || f->child == -EAGAIN);
		self->refused++;
	} else {
		expected++;
	}
	there = members(self->queue, tree);
	ASSERT_LE(there, expected);
	tell(f->to_main, 'e');
	ASSERT_EQ(0, reap(pid));
	ASSERT_EQ(there < expected, end_of_tree(self->queue, tree));
	if (nth >= 0)
		close(nth);
	for (int i = 0; i < 2; i++) {
		close(f->to_main[i]);
		close(f->from_main[i]);
		close(f->to_child[i]);
	}
}

/* A member forks, and one of its allocations fails. */
TEST_F_TIMEOUT(fault, fork_of_member, LIMIT)
{
	struct family *f = shared(sizeof(*f));

	do {
		*f = (struct family){ .fork_nth = ++self->n };
		raise_family(_metadata, self, f);
	} while (f->fork_failed);
	EXPECT_EQ(sites->built, !self->refused);
}

/* The same of the new member, on its way to user mode. */
TEST_F_TIMEOUT(fault, birth_of_member, LIMIT)
{
	struct family *f = shared(sizeof(*f));

	run_before_children();
	do {
		*f = (struct family){ .child_nth = ++self->n };
		raise_family(_metadata, self, f);
	} while (f->child_failed);
}

/*
 * One of the first allocations of the main process fails, then one of the last of its fork: what it
 * did not get in peace it does not get in fork either.
 */
TEST_F_TIMEOUT(fault, birth_and_fork_of_member, LIMIT)
{
	const unsigned int never = 1000000, last = 10;
	struct family *f = shared(sizeof(*f));
	unsigned int m, n, all;

	run_before_children();
	for (n = 1; ; n++) {
		*f = (struct family){ .main_nth = n, .fork_nth = never };
		raise_family(_metadata, self, f);
		if (!f->main_failed)
			break;
		all = f->allocations;
		for (m = all > last ? all - last : 1; ; m++) {
			*f = (struct family){ .main_nth = n, .fork_nth = m };
			raise_family(_metadata, self, f);
			if (!f->fork_failed)
				break;
		}
	}
	self->n = n;
}

static int many_children(struct family *f)
{
	pid_t pid[MANY];

	pause_at(f->to_main);
	for (int i = 0; i < MANY; i++) {
		pid[i] = fork();
		CHECK(pid[i] >= 0);
		if (!pid[i])
			child_of_family(f);
	}
	tell(f->from_main, 'f');
	pause_at(f->to_main);
	for (int i = 0; i < MANY; i++)
		tell(f->to_child, 'e');
	for (int i = 0; i < MANY; i++)
		CHECK(!reap(pid[i]));
	return 0;
}

/* Nothing can be had for members, for long: what is put by is used, then some are missed. */
TEST_F_TIMEOUT(fault, no_memory_for_members, LIMIT)
{
	int64_t tree = add_watch(self->queue, op_add(KNELL_TREE, 0, 1)), refused;
	int kmsg = open_kmsg(), live;
	struct family f;
	uint64_t there;
	pid_t pid;

	ASSERT_LT(0, tree);
	ASSERT_EQ(0, pipe2(f.to_main, O_CLOEXEC));
	ASSERT_EQ(0, pipe2(f.from_main, O_CLOEXEC));
	ASSERT_EQ(0, pipe2(f.to_child, O_CLOEXEC));
	ASSERT_EQ(0, join_next(self->queue, tree));
	pid = fork();
	if (!pid)
		_exit(many_children(&f));
	if (fail_cache("knell_member")) {
		end_child(pid);
		SKIP(return, "not booted with slub_debug=A,knell_member");
	}
	tell(f.to_main, 'f');
	must_hear(f.from_main, 'f');
	there = members(self->queue, tree);
	EXPECT_LT(1, there);
	EXPECT_GT(1 + MANY, there);
	refused = add_watch(self->queue, op_add(KNELL_TREE, 0, 2));
	EXPECT_EQ(-ENOMEM, refused);
	EXPECT_EQ(-ENOMEM, join_next(self->queue, tree));
	ASSERT_EQ(0, prepare_faults());
	tell(f.to_main, 'e');
	ASSERT_EQ(0, reap(pid));
	EXPECT_EQ(1, end_of_tree(self->queue, tree));
	failed_by_kmsg(kmsg, &live);
	close(kmsg);
	TH_LOG("%llu of %d members", (unsigned long long)there, 1 + MANY);

	tree = add_watch(self->queue, op_add(KNELL_TREE, 0, 3));
	ASSERT_LT(0, tree);
	ASSERT_EQ(0, join_next(self->queue, tree));
	child_that_exits();
	EXPECT_EQ(0, end_of_tree(self->queue, tree));
}

/* ---- CHILDREN ---- */

TEST_F_TIMEOUT(fault, death_of_children, LIMIT)
{
	int64_t watch = add_watch(self->queue, op_add(KNELL_CHILDREN, 0, 1));
	volatile int *ran = shared(sizeof(*ran));
	int gate[2], nth;
	bool again;
	pid_t pid;

	ASSERT_LT(0, watch);
	run_before_children();
	do {
		ASSERT_EQ(0, pipe2(gate, O_CLOEXEC));
		pid = fork_to_fail(0, ran, &nth);
		if (!pid) {
			pause_at(gate);
			_exit(0);
		}
		wait_blocked(pid, pid, SYS_read);
		fail_nth(nth, ++self->n);
		tell(gate, 'g');
		await_zombie(pid);
		again = has_failed(nth);
		close(nth);
		ASSERT_EQ(0, reap(pid));
		ASSERT_TRUE(hears(self->queue, watch, KNELL_EV_EXIT));
		close(gate[0]);
		close(gate[1]);
	} while (again);
}

#endif /* _FAULT_PROCESS_H */
