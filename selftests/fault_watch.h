/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Each kind of watch, of which an ADD fails in turn, and what is done to those that there are, which is
 * never refused.
 */
#ifndef _FAULT_WATCH_H
#define _FAULT_WATCH_H

#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "fault_fixture.h"
#include "tree_test.h"

/* ---- ADD ---- */

enum kind {
	PID, PIDFD, SELF, NEXT, USER, TIMER, EVENTFD, PIPE, TREE, REPORTING_TREE, CHILDREN,
};

/* What an ADD of some kind needs, and what makes the watch fire. */
struct adding {
	enum kind kind;
	struct knell_op op;
	pid_t child;
	int fds[2];
};

static void prepare(struct adding *a, enum kind kind)
{
	*a = (struct adding){ .kind = kind, .fds = { -1, -1 } };
	switch (kind) {
	case PID:
	case PIDFD:
		a->child = sleeping_child();
		a->op = op_process(a->child, 0, 1);
		if (kind == PID)
			break;
		a->fds[0] = pidfd_of(a->child);
		a->op = op_add(KNELL_PROCESS, KNELL_OPF_PIDFD, 1);
		a->op.process.pidfd = a->fds[0];
		break;
	case SELF:
		a->op = op_add(KNELL_PROCESS, KNELL_OPF_SELF, 1);
		break;
	case NEXT:
		a->op = op_add(KNELL_PROCESS, KNELL_OPF_NEXT, 1);
		break;
	case USER:
		a->op = op_user(1);
		break;
	case TIMER:
		a->op = op_timer(CLOCK_MONOTONIC, 0, 1, 0, 1);
		break;
	case EVENTFD:
	case PIPE:
		if (kind == PIPE && pipe2(a->fds, O_CLOEXEC | O_NONBLOCK))
			_exit(BROKEN);
		if (kind == EVENTFD)
			a->fds[0] = a->fds[1] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		a->op = op_add(KNELL_FD, 0, 1);
		a->op.fd.fd = a->fds[0];
		a->op.fd.events = EPOLLIN;
		break;
	case TREE:
		a->op = op_add(KNELL_TREE, 0, 1);
		break;
	case REPORTING_TREE:
		a->op = op_add(KNELL_TREE, KNELL_OPF_REPORT_FORK | KNELL_OPF_REPORT_EXIT, 1);
		break;
	case CHILDREN:
		a->op = op_add(KNELL_CHILDREN, 0, 1);
		break;
	}
	if (a->op.type == KNELL_TREE)
		strcpy(a->op.tree.label, "fault");
}

static void finish(struct adding *a)
{
	if (a->child)
		end_child(a->child);
	if (a->fds[1] >= 0 && a->fds[1] != a->fds[0])
		close(a->fds[1]);
	if (a->fds[0] >= 0)
		close(a->fds[0]);
}

/* Its record is read; a tree's last one. */
static bool tree_ends(int queue, uint32_t watch)
{
	struct knell_event ev;
	bool main_exit = false;

	if (join_next(queue, watch))
		return false;
	child_that_exits();
	do {
		if (next_event(queue, &ev) != 1 || ev.watch != watch)
			return false;
		main_exit |= ev.type == KNELL_EV_EXIT && ev.flags & KNELL_EVF_MAIN;
	} while (ev.type != KNELL_EV_EMPTY);
	return main_exit && !(ev.flags & KNELL_EVF_INEXACT);
}

static bool fires(struct adding *a, int queue, uint32_t watch)
{
	uint64_t one = 1;

	switch (a->kind) {
	case PID:
	case PIDFD:
		end_child(a->child);
		a->child = 0;
		return hears(queue, watch, KNELL_EV_EXIT);
	case SELF:
		return watch_state(queue, watch) == 1;
	case NEXT:
	case CHILDREN:
		child_that_exits();
		return hears(queue, watch, KNELL_EV_EXIT);
	case USER:
		return !trigger(queue, watch, 1) && hears(queue, watch, KNELL_EV_USER);
	case TIMER:
		return hears(queue, watch, KNELL_EV_TIMER);
	case EVENTFD:
	case PIPE:
		return write(a->fds[1], &one, sizeof(one)) == sizeof(one) &&
		       hears(queue, watch, KNELL_EV_FD);
	case TREE:
	case REPORTING_TREE:
		return tree_ends(queue, watch);
	}
	return false;
}

/* ADD in a new queue, which may lack all that a first watch needs. */
static void go_through_add(struct __test_metadata *_metadata, FIXTURE_DATA(fault) *self,
			   enum kind kind)
{
	struct adding a;
	int64_t watch;
	bool again;
	int fd;

	do {
		prepare(&a, kind);
		fd = open_queue();
		ASSERT_LE(0, fd);
		arm(self);
		watch = add_watch(fd, a.op);
		again = failed(self, (int)watch);
		if (watch < 0) {
			ASSERT_EQ(0, nr_watches(fd));
			ASSERT_EQ(0, nr_pending(fd));
			watch = add_watch(fd, a.op);
		}
		ASSERT_LT(0, watch);
		ASSERT_EQ(1, nr_watches(fd));
		ASSERT_TRUE(fires(&a, fd, watch));
		close(fd);
		finish(&a);
	} while (again);
	EXPECT_LT(0, self->refused);
}

#define TEST_ADD(name, kind)					\
	TEST_F_TIMEOUT(fault, add_##name, LIMIT)		\
	{							\
		go_through_add(_metadata, self, kind);		\
	}

TEST_ADD(pid, PID)
TEST_ADD(pidfd, PIDFD)
TEST_ADD(self, SELF)
TEST_ADD(next, NEXT)
TEST_ADD(user, USER)
TEST_ADD(timer, TIMER)
TEST_ADD(eventfd, EVENTFD)
TEST_ADD(pipe, PIPE)
TEST_ADD(tree, TREE)
TEST_ADD(reporting_tree, REPORTING_TREE)
TEST_ADD(children, CHILDREN)

/* One of many fails, wherever the table grows; the others are there. */
TEST_F_TIMEOUT(fault, add_many, LIMIT)
{
	struct knell_op ops[MANY];
	unsigned int i, made;
	int fd, err;
	bool again;

	do {
		fd = open_queue();
		ASSERT_LE(0, fd);
		for (i = 0; i < MANY; i++)
			ops[i] = op_user(i);
		arm(self);
		err = submit_ops(fd, ops, MANY);
		again = has_failed(self->nth);
		/* An op that could not be copied is the end of it; those before are done. */
		ASSERT_TRUE(!err || (again && !sites->built && err == -EFAULT));
		for (i = 0, made = 0; i < MANY; i++) {
			ASSERT_TRUE(!ops[i].result || (again && ops[i].result == -ENOMEM));
			made += !!ops[i].watch;
		}
		if (!err)
			ASSERT_LE(MANY - 1, made);
		self->refused += err ? 1 : MANY - made;
		ASSERT_EQ(made, nr_watches(fd));
		for (i = 0; i < MANY; i++)
			if (ops[i].watch)
				ASSERT_EQ(0, del_watch(fd, ops[i].watch));
		ASSERT_EQ(0, nr_watches(fd));
		close(fd);
	} while (again);
	EXPECT_LT(0, self->refused);
}

/* ---- what is never refused ---- */

/* Whatever fails meanwhile is none of ours, unless it is to copy what was asked for. */
#define never_refused(self, expected, call) do {			\
	bool _again;							\
									\
	do {								\
		arm(self);						\
		int _value = (call);					\
		_again = has_failed((self)->nth);			\
		if (_again && !sites->built && _value == -EFAULT)	\
			continue;					\
		ASSERT_EQ((expected), _value);				\
	} while (_again);						\
	(self)->n = 0;							\
} while (0)

static int count_watches(int queue)
{
	struct knell_info info;

	return ioctl(queue, KNELL_IOC_INFO, &info) < 0 ? -errno : (int)info.watches;
}

TEST_F_TIMEOUT(fault, no_memory_is_needed, LIMIT)
{
	uint32_t user, timer, process, tree;
	struct knell_op mod_user, mod_timer, kill_process, kill_tree;
	struct knell_event ev;
	pid_t child = sleeping_child();

	user = add_watch(self->queue, op_user(1));
	timer = add_watch(self->queue, op_timer(CLOCK_MONOTONIC, 0, HOUR_NS, 0, 2));
	process = add_watch(self->queue, op_process(child, 0, 3));
	tree = add_watch(self->queue, op_add(KNELL_TREE, 0, 4));
	ASSERT_EQ(4, nr_watches(self->queue));
	mod_user = op_mod(user, 0, 5);
	mod_timer = op_mod_timer(timer, CLOCK_BOOTTIME, 0, 1, 0, 6);
	kill_process = op_kill(process, SIGCONT);
	kill_tree = op_kill(tree, SIGCONT);

	memset(&ev, 0, sizeof(ev));
	never_refused(self, 0, submit_op(self->queue, &mod_user));
	never_refused(self, 0, submit_op(self->queue, &mod_timer));
	never_refused(self, 0, submit_op(self->queue, &kill_process));
	never_refused(self, 0, submit_op(self->queue, &kill_tree));
	never_refused(self, 0, trigger(self->queue, user, 1));
	never_refused(self, 1, trigger(self->queue, user, 1) ?: take(self->queue, &ev));
	never_refused(self, 1, submit_op(self->queue, &mod_timer) ?:
		      wait_events(self->queue, &ev, 1, KNELL_FOREVER));
	never_refused(self, 4, count_watches(self->queue));
	EXPECT_EQ(0, del_watch(self->queue, tree));
	/* Set so often, it may be about to fire once more. */
	EXPECT_EQ(0, del_watch(self->queue, timer));
	while (take(self->queue, &ev) > 0)
		;
	end_child(child);
	ASSERT_TRUE(hears(self->queue, process, KNELL_EV_EXIT));
}

/* DEL, and the end of a queue with all that is in it. */
TEST_F_TIMEOUT(fault, end_of_watches, LIMIT)
{
	struct adding a[CHILDREN + 1];
	uint32_t watch[CHILDREN + 1];
	int deleted[CHILDREN + 1];
	unsigned int kind;
	bool again;
	int fd;

	do {
		for (kind = 0; kind <= CHILDREN; kind++)
			prepare(&a[kind], kind);
		fd = open_queue();
		for (kind = 0; kind <= CHILDREN; kind++) {
			watch[kind] = add_watch(fd, a[kind].op);
			ASSERT_EQ(kind + 1, nr_watches(fd));
		}
		arm(self);
		for (kind = 0; kind <= CHILDREN; kind += 2)
			deleted[kind] = del_watch(fd, watch[kind]);
		again = has_failed(self->nth);
		for (kind = 0; kind <= CHILDREN; kind += 2)
			ASSERT_TRUE(!deleted[kind] || (again && !sites->built && deleted[kind] == -EFAULT));
		fail_nth(self->nth, self->n);
		close(fd);
		again |= has_failed(self->nth);
		for (kind = 0; kind <= CHILDREN; kind++)
			finish(&a[kind]);
		ASSERT_TRUE(nothing_left());
	} while (again);
}

#endif /* _FAULT_WATCH_H */
