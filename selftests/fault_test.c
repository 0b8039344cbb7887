// SPDX-License-Identifier: GPL-2.0-only
/*
 * Each allocation on each path fails in turn: the first, the second, and so on until the path is
 * through without one. Every refusal is the errno that belongs to it and leaves nothing behind,
 * neither a watch nor a unit of the user's quota nor memory, and the same thing done again works. What
 * must not need memory (MOD, DEL, TRIGGER, KILL, reading, a death) is never refused. A tree that lost
 * a member says INEXACT.
 *
 * It is the module's fault build (fault/) that fails, each import of it that can; at the end there is
 * none left, and no place that calls one, that has not. fault_kernel_test.c is this for what the
 * kernel itself allocates and copies meanwhile. With DEBUG_KMEMLEAK leaks are looked for at the end.
 *
 * runner-limit: 600
 */
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "kselftest_harness.h"
#include "fault_test.h"
#include "netlink_test.h"

#define QUOTA		128	/* watches of a user */
#define MANY		100
#define QUOTA_PARAM	"/sys/module/knell/parameters/max_user_watches"
#define NAME		"fault"		/* of a kept queue */
#define KMEMLEAK	"/sys/kernel/debug/kmemleak"

FIXTURE(fault)
{
	int nth;		/* this thread's fail-nth */
	unsigned int n;		/* which allocation is to fail next */
	unsigned int refused;	/* how many of them were answered by an error */
	int queue;
	int live;		/* memory of the module before */
	char quota[32];
};

static int open_queue(void)
{
	int fd = knell_open(O_NONBLOCK);

	return fd < 0 ? -errno : fd;
}

/* How many watches a user still may have who is held to it. */
static int room_left(void *arg)
{
	struct knell_op ops[QUOTA + 8];
	int fd = open_queue(), room = 0;

	(void)arg;
	if (fd < 0)
		return fd;
	for (unsigned int i = 0; i < QUOTA + 8; i++)
		ops[i] = op_user(i);
	if (submit_ops(fd, ops, QUOTA + 8))
		return -EPROTO;
	for (unsigned int i = 0; i < QUOTA + 8; i++)
		room += !ops[i].result;
	return room;
}

static bool nothing_left(void)
{
	static const struct who root_powerless = { 0, 0, 0, 0 };

	return as_who(&root_powerless, room_left, NULL) == QUOTA;
}

/* Some of it goes when all CPUs have been seen to have left it: no event tells. */
static bool memory_is_back(int live)
{
	uint64_t end = clock_ns(CLOCK_MONOTONIC) + PATIENCE;

	while (live_memory() != live) {
		if (clock_ns(CLOCK_MONOTONIC) > end) {
			printf("# %d pieces of memory, not %d\n", live_memory(), live);
			return false;
		}
		sched_yield();
	}
	return true;
}

FIXTURE_SETUP(fault)
{
	char text[16];
	FILE *f;

	ASSERT_EQ(0, prepare_faults());
	f = fopen(QUOTA_PARAM, "re");
	ASSERT_NE(NULL, f);
	ASSERT_NE(NULL, fgets(self->quota, sizeof(self->quota), f));
	fclose(f);
	snprintf(text, sizeof(text), "%u", QUOTA);
	ASSERT_EQ(0, write_file(QUOTA_PARAM, text));
	self->nth = open_fail_nth(0);
	ASSERT_LE(0, self->nth);
	self->live = live_memory();
	self->queue = open_queue();
	ASSERT_LE(0, self->queue);
}

FIXTURE_TEARDOWN(fault)
{
	close(self->queue);
	EXPECT_TRUE(nothing_left());
	EXPECT_TRUE(memory_is_back(self->live));
	write_file(QUOTA_PARAM, self->quota);
	if (self->n)
		TH_LOG("%u allocations failed, %u refusals", self->n - 1, self->refused);
}

#define arm(self)	fail_nth((self)->nth, ++(self)->n)

/*
 * After arm() and what it was for, which returned @ret: whether an allocation has failed, so that
 * the next one is to be tried. A refusal for any other reason is none.
 */
#define failed(self, ret) ({						\
	bool _failed = has_failed((self)->nth);				\
	int _ret = (ret);						\
									\
	if (_ret < 0) {							\
		ASSERT_TRUE(_failed);					\
		ASSERT_TRUE(is_right(_ret));				\
		(self)->refused++;					\
	}								\
	_failed;							\
})

static pid_t sleeping_child(void)
{
	pid_t pid = fork();

	/* If a case fails it is not to keep the queues open. */
	if (!pid)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (!pid)
		pause();
	return pid;
}

static void end_child(pid_t pid)
{
	kill(pid, SIGKILL);
	reap(pid);
}

/* The next record is of @watch, and of @type. */
static bool hears(int queue, uint32_t watch, uint16_t type)
{
	struct knell_event ev;

	return next_event(queue, &ev) == 1 && ev.watch == watch && ev.type == type;
}

/* ---- a queue ---- */

TEST_F_TIMEOUT(fault, open_and_close, LIMIT)
{
	bool again;
	int fd;

	do {
		arm(self);
		fd = open_queue();
		again = failed(self, fd);
		if (fd >= 0) {
			EXPECT_EQ(0, nr_watches(fd));
			EXPECT_EQ(0, close(fd));
		}
	} while (again);
	EXPECT_LT(0, self->refused);
}

/* Of a user whom nobody has counted yet. */
static int first_opens(void *arg)
{
	int nth = open_fail_nth(0), fd;
	unsigned int *n = arg;
	bool again;

	if (unshare(CLONE_NEWUSER))
		return -errno;
	do {
		fail_nth(nth, ++*n);
		fd = open_queue();
		again = has_failed(nth);
		if (fd < 0 && (!again || !is_right(fd)))
			return -EPROTO;
		if (fd < 0)
			fd = open_queue();
		if (fd < 0 || add_watch(fd, op_user(1)) <= 0)
			return -EPROTO;
		close(fd);
	} while (again);
	return *n - 1;
}

TEST_F_TIMEOUT(fault, open_first, LIMIT)
{
	EXPECT_LT(4, as_who(&root_all, first_opens, &self->n));
}

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

static void child_that_exits(void)
{
	pid_t pid = fork();

	if (!pid)
		_exit(0);
	reap(pid);
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

/* ---- LIST, KEEP, ATTACH ---- */

TEST_F_TIMEOUT(fault, list, LIMIT)
{
	struct knell_watch_info info[MANY];
	bool again;
	int ret;

	for (unsigned int i = 0; i < MANY; i++)
		ASSERT_LT(0, add_watch(self->queue, op_user(i)));
	do {
		memset(info, 0, sizeof(info));
		arm(self);
		ret = list_watches(self->queue, info, MANY, 0);
		again = failed(self, ret);
		ASSERT_TRUE(ret < 0 || ret == MANY);
	} while (again);
	EXPECT_LT(0, self->refused);
}

TEST_F_TIMEOUT(fault, keep, LIMIT)
{
	bool again;
	int ret;

	do {
		arm(self);
		ret = keep_queue(self->queue, NAME);
		again = failed(self, ret);
		/* The name is free, and the queue is not kept. */
		if (ret)
			ASSERT_EQ(0, keep_queue(self->queue, NAME));
		ASSERT_EQ(-EBUSY, keep_queue(self->queue, NAME));
		ASSERT_EQ(0, keep_off(self->queue, NAME));
	} while (again);
	EXPECT_LT(0, self->refused);
}

/* A process that leaves a kept queue with something in it, and is dead. */
static int leave_queue(void)
{
	pid_t pid = fork();
	int fd;

	if (!pid) {
		fd = open_queue();
		if (add_watch(fd, op_user(1)) <= 0 || keep_queue(fd, NAME) ||
		    add_watch(fd, op_timer(CLOCK_MONOTONIC, 0, 1, 0, 2)) <= 0)
			_exit(BROKEN);
		_exit(0);
	}
	return pid < 0 ? -errno : reap(pid);
}

TEST_F_TIMEOUT(fault, attach, LIMIT)
{
	struct knell_watch_info info[2];
	struct knell_event ev;
	bool again;
	int fd;

	do {
		ASSERT_EQ(0, leave_queue());
		arm(self);
		fd = attach(self->queue, NAME);
		again = failed(self, fd);
		if (fd < 0)
			fd = attach(self->queue, NAME);
		ASSERT_LE(0, fd);
		ASSERT_EQ(2, list_watches(fd, info, 2, 0));
		ASSERT_EQ(1, next_event(fd, &ev));
		ASSERT_EQ(KNELL_EV_TIMER, ev.type);
		ASSERT_EQ(0, keep_off(fd, NAME));
		close(fd);
	} while (again);
	EXPECT_LT(0, self->refused);
}

#ifndef FAULT_OF_KERNEL
#include "fault_built.h"
#endif

/* ---- at the end ---- */

/* Shows what kmemleak has found; whether something of it is this module's. */
static bool knell_leaks(void)
{
	FILE *f = fopen(KMEMLEAK, "re");
	bool found = false;
	char line[256];

	while (f && fgets(line, sizeof(line), f)) {
		printf("# %s", line);
		found |= !!strstr(line, "[knell]");
	}
	if (f)
		fclose(f);
	return found;
}

/* It takes for lost only what is older than five seconds, and that twice: no event tells. */
TEST_F_TIMEOUT(fault, leaks, LIMIT)
{
	if (access(KMEMLEAK, W_OK))
		SKIP(return, "no DEBUG_KMEMLEAK");
	for (int i = 0; i < 2; i++) {
		sleep(6);
		ASSERT_EQ(0, write_file(KMEMLEAK, "scan"));
	}
	EXPECT_FALSE(knell_leaks());
}

#ifndef FAULT_OF_KERNEL

/* What all tests together have come to. */
FIXTURE(places)
{
};

FIXTURE_SETUP(places)
{
}

FIXTURE_TEARDOWN(places)
{
}

/* From wherever the module asks for what can fail, it has been refused. */
TEST_F(places, all_have_failed)
{
	unsigned int nr = 0;

	for (unsigned int i = 0; i < sites->nr; i++) {
		nr += sites->site[i].failed;
		if (!sites->site[i].failed)
			TH_LOG("has not failed: %s", sites->site[i].name);
	}
	TH_LOG("%u of %u places have failed", nr, sites->nr);
	EXPECT_EQ(sites->nr, nr);
}

#endif

#define main run_all
TEST_HARNESS_MAIN
#undef main

#ifdef FAULT_OF_KERNEL

/* The kernel's own. */
int main(int argc, char **argv)
{
	int nth;

	sites = shared(sizeof(*sites));
	nth = open_fail_nth(0);
	if (nth < 0 || access(FAILSLAB, F_OK)) {
		printf("TAP version 13\n1..0 # SKIP this kernel has no FAILSLAB for a task, a debug kernel has\n");
		return KSFT_SKIP;
	}
	close(nth);
	/* What was lost before is not to be found here. */
	if (!access(KMEMLEAK, W_OK))
		write_file(KMEMLEAK, "clear");
	return run_all(argc, argv);
}

#else

static int read_sites(void)
{
	FILE *f = fopen(FAULT_SITES, "re");
	char line[256];

	while (f && fgets(line, sizeof(line), f) && sites->nr < SITES_MAX)
		snprintf(sites->site[sites->nr++].name, sizeof(sites->site[0].name), "%.*s",
			 (int)strcspn(line, "\n"), line);
	if (f)
		fclose(f);
	return sites->nr ? 0 : -ENOENT;
}

/* With the fault build instead of the module. */
int main(int argc, char **argv)
{
	int err, status;

	sites = shared(sizeof(*sites));
	if (access(FAULT_KO, F_OK)) {
		printf("TAP version 13\n1..0 # SKIP there is no fault build\n");
		return KSFT_SKIP;
	}
	sites->built = true;
	err = read_sites() ?: reload_from(FAULT_KO, "");
	if (err) {
		printf("Bail out! %s: %s\n", FAULT_KO, strerror(-err));
		return KSFT_FAIL;
	}
	status = run_all(argc, argv);
	err = reload_module("");
	if (err)
		fprintf(stderr, "# %s: %s\n", module_file(), strerror(-err));
	return err ? KSFT_FAIL : status;
}

#endif
