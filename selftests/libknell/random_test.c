// SPDX-License-Identifier: GPL-2.0-only
/*
 * Children, descriptors and timers that come, are cancelled, become ready and end in random
 * order: each task is called as often as it should be, with what is its own. KNELL_SEED=N
 * does the same again. runner-limit: 600
 */
#include "common.h"

LOOP_FIXTURE(random);

enum { THINGS = 40 };

enum thing_kind { NOTHING, CHILD, PIPE, TIMER };

/* What a task is for, and what has become of it. */
struct thing {
	enum thing_kind kind;
	knell_task task;
	unsigned int flags;
	int go;			/* CHILD: it exits when this is closed; PIPE: to be written */
	int fd;			/* PIPE: to be read */
	pid_t pid;
	int status;
	uint64_t due;
	bool ended;		/* it has been told to, or written to */
	bool called;
};

static struct thing things[THINGS];
static uint64_t seed;
static unsigned int wrong, calls, by_all;

static unsigned int below(unsigned int n)
{
	return next_random(&seed) % n;
}

static void complain(const char *what, const struct thing *t)
{
	fprintf(stderr, "# %s: kind %d, pid %d, flags %#x, ended %d, called %d\n", what, t->kind,
		t->pid, t->flags, t->ended, t->called);
	wrong++;
}

static void done(struct thing *t)
{
	calls++;
	if (t->called || knell_is_none(t->task))
		complain("called, though it has been or was cancelled", t);
	t->called = true;
}

static void child_cb(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	const struct knell_child *c = call->child;
	struct thing *t = arg;

	(void)l;
	done(t);
	if (call->kind != KNELL_KIND_CHILD || c->pid != t->pid || c->code != CLD_EXITED ||
	    c->status != t->status || !t->ended)
		complain("another's end", t);
	if (t->flags & KNELL_CHILD_AUTOREAP ? waitpid(t->pid, NULL, WNOHANG) != -1 :
	    waitpid(t->pid, NULL, WNOHANG) != t->pid)
		complain("not reaped as it should be", t);
}

/* Of all children those that have no task, which are those whose task was cancelled. */
static void children_cb(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	(void)l;
	(void)arg;
	by_all++;
	for (int i = 0; i < THINGS; i++)
		if (things[i].kind == CHILD && things[i].pid == call->child->pid &&
		    !knell_is_none(things[i].task))
			complain("told of to both", &things[i]);
}

static void pipe_cb(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	struct thing *t = arg;
	char c;

	(void)l;
	done(t);
	if (call->io.fd != t->fd || !t->ended || read(t->fd, &c, 1) != 1)
		complain("another's descriptor", t);
}

static void timer_cb(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	struct thing *t = arg;

	done(t);
	t->ended = true;
	if (call->timer.deadline_ns != t->due || knell_now(l) < t->due)
		complain("another's time", t);
}

static void add_child(struct knell_loop *l, struct thing *t, bool kernel)
{
	unsigned int how = below(kernel ? 4 : 2);
	int fds[2];

	t->flags = below(2) ? KNELL_CHILD_AUTOREAP : 0;
	if (how >= 2)
		t->flags |= KNELL_CHILD_NEXT | (how == 3 ? KNELL_CHILD_SUBTREE : 0);
	t->status = (int)below(256);
	if (pipe2(fds, O_CLOEXEC))
		abort();
	if (t->flags & KNELL_CHILD_NEXT)
		t->task = knell_add_child(l, child_cb, t, 0, t->flags);
	t->pid = fork();
	if (!t->pid) {
		char c;

		/* The others' must not be kept open here. */
		for (int i = 0; i < THINGS; i++)
			if (things[i].kind == CHILD && &things[i] != t && !things[i].ended)
				close(things[i].go);
		close(fds[1]);
		(_exit)(read(fds[0], &c, 1) ? 1 : t->status);
	}
	close(fds[0]);
	t->go = fds[1];
	if (!(t->flags & KNELL_CHILD_NEXT))
		t->task = knell_add_child(l, child_cb, t, t->pid, t->flags);
}

static void add(struct knell_loop *l, struct thing *t, bool kernel)
{
	int fds[2];

	*t = (struct thing){ .kind = 1 + below(3) };
	switch (t->kind) {
	case CHILD:
		add_child(l, t, kernel);
		break;
	case PIPE:
		make_pipe(fds);
		t->fd = fds[0];
		t->go = fds[1];
		t->task = knell_add_read(l, pipe_cb, t, t->fd);
		break;
	default:
		t->due = now_ns() + below(20) * MSEC;
		t->task = knell_add_timer_at(l, timer_cb, t, CLOCK_MONOTONIC, t->due);
		break;
	}
	if (knell_is_none(t->task))
		complain("not added", t);
}

static void end(struct thing *t)
{
	if (t->ended || t->kind == TIMER)
		return;
	t->ended = true;
	if (t->kind == CHILD)
		close(t->go);
	else if (write(t->go, "x", 1) != 1)
		complain("cannot be written", t);
}

/* A task that was called is gone, one that was not can be cancelled, once. */
static void cancel(struct knell_loop *l, struct thing *t)
{
	if (knell_cancel(l, t->task) != !t->called)
		complain("cancel", t);
	if (!t->called)
		t->task = KNELL_NONE;
}

/* Its place is free for another. */
static void forget(struct thing *t)
{
	if (t->kind == PIPE) {
		close(t->fd);
		close(t->go);
	}
	if (t->kind == CHILD && !t->ended)
		close(t->go);
	t->kind = NOTHING;
}

static void step(struct knell_loop *l, bool kernel)
{
	struct thing *t = &things[below(THINGS)];

	switch (below(6)) {
	case 0:
	case 1:
		if (t->kind == NOTHING)
			add(l, t, kernel);
		break;
	case 2:
		if (t->kind != NOTHING)
			end(t);
		break;
	case 3:
		if (t->kind == NOTHING || below(4))
			break;
		cancel(l, t);
		forget(t);
		break;
	case 4:
		if (t->kind != NOTHING && t->called)
			forget(t);
		break;
	default:
		knell_loop_run(l, KNELL_RUN_NOWAIT);
		break;
	}
}

/* All that are left end, and are called. */
static void finish(struct knell_loop *l)
{
	for (int i = 0; i < THINGS; i++)
		if (things[i].kind != NOTHING)
			end(&things[i]);
	for (int i = 0; i < THINGS; i++)
		while (things[i].kind != NOTHING && !things[i].called)
			knell_loop_run(l, KNELL_RUN_ONCE);
	for (int i = 0; i < THINGS; i++)
		if (things[i].kind != NOTHING)
			forget(&things[i]);
}

LOOP_TEST(random, all_sorts)
{
	const char *env = getenv("KNELL_SEED");
	unsigned int nr = times(20000);
	siginfo_t si = { 0 };

	seed = env ? strtoull(env, NULL, 0) : now_ns() ^ (uint64_t)getpid();
	TH_LOG("KNELL_SEED=%llu", (unsigned long long)seed);
	ASSERT_TASK(knell_add_children(self->l, children_cb, NULL, KNELL_CHILD_AUTOREAP));
	/* Few steps may all be of other things: one child has to be left to the task for all. */
	for (unsigned int i = 0; !wrong && (i < nr || (!by_all && i < 100 * nr)); i++)
		step(self->l, KERNEL);
	if (!wrong)
		finish(self->l);
	EXPECT_EQ(0, wrong);
	EXPECT_LT(nr / 100, calls);
	/* Whoever was not waited for by its task was reaped by the one for all. */
	while (!waitid(P_ALL, 0, &si, WEXITED | WNOHANG | WNOWAIT))
		ASSERT_EQ(1, knell_loop_run(self->l, KNELL_RUN_NOWAIT));
	EXPECT_EQ(ECHILD, errno);
	EXPECT_LT(0, by_all);
}

LIBKNELL_MAIN
