// SPDX-License-Identifier: GPL-2.0-only
/* What is cancelled does not run, whatever state it was in; names that are old do no harm. runner-limit: 900 */
#include "common.h"

LOOP_FIXTURE(cancel);

/* T-11: each kind ... */
enum { READ, WRITE, TIMER, EVENT, READY, BACKGROUND, CHILD, SIGNAL, CHILDREN, KINDS };

struct subject {
	int kind;
	int ready_fd, quiet_fd;
	pid_t dead, alive;
	knell_task task;
	knell_task other;
	int in_call;		/* what a cancel from inside of it said */
	bool pending_in_call;
	unsigned int runs;
};

static bool persistent(const struct subject *s)
{
	return s->kind == SIGNAL || s->kind == CHILDREN;
}

static void subject_setup(struct subject *s, int kind)
{
	int fds[2];

	make_pipe(fds);
	*s = (struct subject){ .kind = kind, .ready_fd = readable_fd() };
	s->quiet_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	close(fds[0]);
	close(fds[1]);
	if (kind == CHILD) {
		s->dead = zombie(0);
		s->alive = idle_child();
	}
}

static void subject_done(struct subject *s)
{
	close(s->ready_fd);
	close(s->quiet_fd);
	if (s->kind != CHILD)
		return;
	kill(s->alive, SIGKILL);
	child_status(s->alive);
	child_status(s->dead);
}

/* Something happens to it, in this pass; or it waits for what does not come. */
static knell_task add_subject(struct knell_loop *l, struct subject *s, knell_cb *cb, bool ready)
{
	static char full[1 << 16];
	int pair[2];

	switch (s->kind) {
	case READ:
		return knell_add_read(l, cb, s, ready ? s->ready_fd : s->quiet_fd);
	case WRITE:
		if (ready)
			return knell_add_write(l, cb, s, s->quiet_fd);
		/* A pipe that is full. */
		make_pipe(pair);
		while (write(pair[1], full, sizeof(full)) > 0)
			;
		return knell_add_write(l, cb, s, pair[1]);
	case TIMER:
		return knell_add_timer_ns(l, cb, s, ready ? 0 : HOUR);
	case EVENT:
		return knell_add_event(l, cb, s, 0);
	case READY:
		return knell_add_ready(l, cb, s, 0);
	case BACKGROUND:
		return knell_add_background(l, cb, s, ready ? 0 : 3600000);
	case CHILD:
		return knell_add_child(l, cb, s, ready ? s->dead : s->alive, 0);
	case SIGNAL:
		return knell_add_signal(l, cb, s, SIGUSR1);
	default:
		return knell_add_children(l, cb, s, KNELL_CHILD_AUTOREAP);
	}
}

static void happens(struct subject *s, bool ready)
{
	if (!ready)
		return;
	if (s->kind == SIGNAL)
		raise(SIGUSR1);
	else if (s->kind == CHILDREN)
		zombie(0);
}

static void subject_runs(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	struct subject *s = arg;

	s->runs++;
	s->pending_in_call = knell_pending(l, call->task);
	if (call->task.idx != s->task.idx || call->task.gen != s->task.gen)
		abort();
}

static void subject_cancels_itself(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	struct subject *s = arg;

	subject_runs(l, call, arg);
	s->in_call = knell_cancel(l, call->task);
}

/* ... while it waits, and once more. */
LOOP_TEST(cancel, t11_pending)
{
	for (int kind = 0; kind < KINDS; kind++) {
		struct subject s;

		subject_setup(&s, kind);
		s.task = add_subject(self->l, &s, subject_runs, false);
		ASSERT_TASK(s.task);
		EXPECT_TRUE(knell_pending(self->l, s.task));
		EXPECT_EQ(1, stats_of(self->l).tasks);
		EXPECT_EQ(1, knell_cancel(self->l, s.task));
		EXPECT_FALSE(knell_pending(self->l, s.task));
		EXPECT_EQ(0, knell_cancel(self->l, s.task));
		EXPECT_EQ(0, stats_of(self->l).tasks);
		EXPECT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
		EXPECT_EQ(0, s.runs);
		subject_done(&s);
	}
}

/* ... when the kernel was told of it. */
LOOP_TEST(cancel, t11_pending_in_the_kernel)
{
	for (int kind = 0; kind < KINDS; kind++) {
		struct subject s;

		if (kind == EVENT || kind == READY)
			continue;	/* wait for nothing */
		subject_setup(&s, kind);
		s.task = add_subject(self->l, &s, subject_runs, false);
		ASSERT_TASK(s.task);
		EXPECT_EQ(1, run_passes(self->l, 2));
		EXPECT_EQ(1, knell_cancel(self->l, s.task));
		EXPECT_EQ(0, knell_cancel(self->l, s.task));
		EXPECT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
		EXPECT_EQ(0, s.runs);
		subject_done(&s);
	}
}

/* ... when what it waits for has happened, and the loop has not looked. */
LOOP_TEST(cancel, t11_happened)
{
	for (int kind = 0; kind < KINDS; kind++) {
		struct subject s;

		subject_setup(&s, kind);
		s.task = add_subject(self->l, &s, subject_runs, true);
		ASSERT_TASK(s.task);
		happens(&s, true);
		EXPECT_EQ(1, knell_cancel(self->l, s.task));
		EXPECT_EQ(0, knell_cancel(self->l, s.task));
		EXPECT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
		EXPECT_EQ(0, s.runs);
		subject_done(&s);
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
	}
}

/* ... when it is in the list of this pass: a task that runs before it cancels it. */
static void cancels_another(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	struct subject *s = arg;

	(void)call;
	s->in_call = knell_pending(l, s->task) ? knell_cancel(l, s->task) : -1;
}

LOOP_TEST(cancel, t11_ready)
{
	for (int kind = 0; kind < KINDS; kind++) {
		struct subject s;

		if (kind == SIGNAL)
			continue;	/* are in no list: nothing runs before them */
		subject_setup(&s, kind);
		/* Whatever the kind, a ready task is before it, and one that was added earlier. */
		ASSERT_TASK(knell_add_ready(self->l, cancels_another, &s, 0));
		s.task = add_subject(self->l, &s, subject_runs, true);
		ASSERT_TASK(s.task);
		happens(&s, true);
		EXPECT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
		EXPECT_EQ(1, s.in_call);
		EXPECT_EQ(0, s.runs);
		EXPECT_EQ(0, stats_of(self->l).tasks);
		subject_done(&s);
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
	}
}

/* ... while it runs: too late for what runs once, in time for the next time of what stays. */
LOOP_TEST(cancel, t11_running)
{
	for (int kind = 0; kind < KINDS; kind++) {
		struct subject s;

		subject_setup(&s, kind);
		s.task = add_subject(self->l, &s, subject_cancels_itself, true);
		ASSERT_TASK(s.task);
		happens(&s, true);
		EXPECT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
		EXPECT_EQ(1, s.runs);
		EXPECT_EQ(persistent(&s), s.in_call);
		EXPECT_EQ(persistent(&s), s.pending_in_call);
		EXPECT_EQ(0, knell_cancel(self->l, s.task));
		subject_done(&s);
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
	}
}

/* ... when it has run; and when its memory is another's: that one is not touched. */
LOOP_TEST(cancel, t11_fired_and_stale)
{
	for (int kind = 0; kind < KINDS; kind++) {
		struct subject s;
		unsigned int same = 0;

		subject_setup(&s, kind);
		s.task = add_subject(self->l, &s, subject_runs, true);
		ASSERT_TASK(s.task);
		happens(&s, true);
		/* SIGCHLD may take a pass of its own. */
		EXPECT_EQ(persistent(&s), run_passes(self->l, 3));
		EXPECT_EQ(1, s.runs);
		EXPECT_EQ(persistent(&s), knell_cancel(self->l, s.task));
		EXPECT_FALSE(knell_pending(self->l, s.task));
		for (int i = 0; i < 1000; i++) {
			s.other = knell_add_timer(self->l, cb_nothing, NULL, 3600);
			ASSERT_TASK(s.other);
			same += s.other.idx == s.task.idx;
			ASSERT_FALSE(s.other.idx == s.task.idx && s.other.gen == s.task.gen);
			ASSERT_EQ(0, knell_cancel(self->l, s.task));
			ASSERT_FALSE(knell_pending(self->l, s.task));
			ASSERT_TRUE(knell_pending(self->l, s.other));
			ASSERT_EQ(1, knell_cancel(self->l, s.other));
		}
		/* Else nothing was tested. */
		EXPECT_LT(0, same);
		subject_done(&s);
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
	}
}

/* Names that never were, and another loop's. */
LOOP_TEST(cancel, t11_no_such_name)
{
	struct knell_loop *other = new_loop(variant->backend);
	knell_task mine = knell_add_event(self->l, cb_trace, "mine", 0);
	uint64_t seed = 42;

	ASSERT_NE(NULL, other);
	EXPECT_EQ(0, knell_cancel(self->l, KNELL_NONE));
	EXPECT_FALSE(knell_pending(self->l, KNELL_NONE));
	EXPECT_EQ(0, knell_cancel(other, mine));
	EXPECT_FALSE(knell_pending(other, mine));
	for (int i = 0; i < 10000; i++) {
		uint64_t r = next_random(&seed);
		knell_task t = name_task(r & (i % 2 ? 0x3ff : UINT32_MAX), r >> 32);

		if (t.gen == mine.gen)
			continue;
		ASSERT_EQ(0, knell_cancel(self->l, t));
		ASSERT_FALSE(knell_pending(self->l, t));
		ASSERT_GT(0, knell_timer_remaining_ns(self->l, t));
		ASSERT_EQ(-ENOENT, knell_child_kill(self->l, t, 0));
		ASSERT_EQ(-ENOENT, knell_set_warn(self->l, t, 1, 1, 1));
	}
	EXPECT_EQ(0, knell_cancel(self->l, name_task(mine.idx, mine.gen + 1)));
	EXPECT_EQ(0, knell_cancel(self->l, name_task(mine.idx + 1, mine.gen)));
	EXPECT_EQ(0, knell_cancel(self->l, name_task(UINT32_MAX, UINT32_MAX)));
	EXPECT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_STREQ("mine", trace);
	knell_loop_free(other);
}

/*
 * T-12: by argument.
 */

static int mark, other_mark;

LOOP_TEST(cancel, t12_by_argument)
{
	static const enum knell_kind kinds[] = {
		KNELL_KIND_READ, KNELL_KIND_WRITE, KNELL_KIND_TIMER, KNELL_KIND_EVENT,
		KNELL_KIND_READY, KNELL_KIND_BACKGROUND, KNELL_KIND_CHILD, KNELL_KIND_SIGNAL,
	};
	pid_t pid = idle_child();
	int fds[2][2];

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds[0]));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds[1]));
	for (unsigned int i = 0; i <= ARRAY_SIZE(kinds); i++) {
		/* The last round is for all kinds. */
		bool all = i == ARRAY_SIZE(kinds);
		unsigned int mask = all ? KNELL_MASK_ALL : KNELL_MASK(kinds[i]), expect[] = { 1, 1, 3, 2, 1, 1, 1, 1 };
		unsigned int sum = 0;

		for (unsigned int k = 0; k < ARRAY_SIZE(expect); k++)
			sum += expect[k];
		ASSERT_TASK(knell_add_read(self->l, cb_nothing, &mark, fds[0][0]));
		ASSERT_TASK(knell_add_write(self->l, cb_nothing, &mark, fds[0][0]));
		for (int k = 0; k < 3; k++)
			ASSERT_TASK(knell_add_timer(self->l, cb_nothing, &mark, 3600));
		ASSERT_TASK(knell_add_event(self->l, cb_nothing, &mark, 0));
		ASSERT_TASK(knell_add_event(self->l, cb_nothing, &mark, 0));
		ASSERT_TASK(knell_add_ready(self->l, cb_nothing, &mark, 0));
		ASSERT_TASK(knell_add_background(self->l, cb_nothing, &mark, 1000));
		ASSERT_TASK(knell_add_child(self->l, cb_nothing, &mark, pid, 0));
		ASSERT_TASK(knell_add_signal(self->l, cb_nothing, &mark, SIGUSR1));
		/* Others', of each kind. */
		ASSERT_TASK(knell_add_read(self->l, cb_nothing, &other_mark, fds[1][0]));
		ASSERT_TASK(knell_add_timer(self->l, cb_nothing, NULL, 3600));
		ASSERT_TASK(knell_add_event(self->l, cb_nothing, &other_mark, 0));
		ASSERT_TASK(knell_add_signal(self->l, cb_nothing, &other_mark, SIGUSR1));
		EXPECT_EQ(0, knell_cancel_arg(self->l, &mark, 0));
		EXPECT_EQ(0, knell_cancel_arg(self->l, &fds, KNELL_MASK_ALL));
		EXPECT_EQ(all ? sum : expect[i], knell_cancel_arg(self->l, &mark, mask));
		EXPECT_EQ(0, knell_cancel_arg(self->l, &mark, mask));
		EXPECT_EQ(all ? 0 : sum - expect[i], knell_cancel_arg(self->l, &mark, KNELL_MASK_ALL));
		EXPECT_EQ(3, knell_cancel_arg(self->l, &other_mark, KNELL_MASK_ALL));
		EXPECT_EQ(1, knell_cancel_arg(self->l, NULL, KNELL_MASK_ALL));
		EXPECT_EQ(0, stats_of(self->l).tasks);
		EXPECT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	}
	kill(pid, SIGKILL);
	child_status(pid);
	for (int i = 0; i < 4; i++)
		close(fds[i / 2][i % 2]);
}

/* Also those that are in the list of this pass; the one that does it is not counted. */
static void cancels_by_arg(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	(void)call;
	traced("%u", knell_cancel_arg(l, arg, KNELL_MASK_ALL));
}

LOOP_TEST(cancel, t12_ready_ones)
{
	for (int i = 0; i < 100; i++)
		ASSERT_TASK(knell_add_event(self->l, cancels_by_arg, &mark, 0));
	ASSERT_TASK(knell_add_timer_ns(self->l, cancels_by_arg, &mark, 0));
	ASSERT_TASK(knell_add_event(self->l, cb_trace, "another", 0));
	EXPECT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_STREQ("100 another", trace);
}

/* Many, of several arguments. */
LOOP_TEST(cancel, t12_many)
{
	static int args[100];

	for (int i = 0; i < 10000; i++)
		ASSERT_TASK(knell_add_timer(self->l, cb_nothing, &args[i % 100], 3600 + i));
	for (int i = 0; i < 100; i++)
		EXPECT_EQ(100, knell_cancel_arg(self->l, &args[i], KNELL_MASK(KNELL_KIND_TIMER)));
	EXPECT_EQ(0, stats_of(self->l).timers);
}

/* What an execute runs can be asked about, and not cancelled. */
static void executed(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	(void)arg;
	traced("%d", knell_cancel(l, call->task));
}

LOOP_TEST(cancel, execute)
{
	EXPECT_EQ(0, knell_execute(self->l, executed, NULL, 0));
	EXPECT_STREQ("0", trace);
	EXPECT_EQ(0, stats_of(self->l).tasks);
}

/* A periodic timer that has fired and is in the list: gone as well. */
static knell_task periodic;

static void cancels_periodic(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	(void)call;
	(void)arg;
	traced("%d", knell_cancel(l, periodic));
}

LOOP_TEST(cancel, periodic_in_the_list)
{
	ASSERT_TASK(knell_add_timer_ns(self->l, cancels_periodic, NULL, 0));
	periodic = knell_add_timer_site(self->l, KNELL_SITE(cb_trace), cb_trace, "periodic", 0, MSEC);
	ASSERT_TASK(periodic);
	EXPECT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_STREQ("1", trace);
}

/*
 * From another thread.
 */

struct canceller {
	struct knell_loop *l;
	knell_task task;
	int ret;
	atomic_int *in_callback;
	int seen;
};

static void cancel_from_thread(void *arg)
{
	struct canceller *c = arg;

	c->ret = knell_cancel_sync(c->l, c->task);
	knell_post(c->l, cb_stop, NULL, 0);
}

LOOP_TEST(cancel, sync_while_it_sleeps)
{
	struct canceller c = { .l = self->l };
	struct meanwhile m;
	int fd = eventfd(0, EFD_CLOEXEC);

	/* The loop stays when the task has gone, until it is stopped. */
	ASSERT_TASK(knell_add_timer(self->l, cb_trace, NULL, 3600));
	for (int kind = 0; kind < 3; kind++) {
		c.task = kind == 0 ? knell_add_timer(self->l, cb_trace, "never", 3600) :
			 kind == 1 ? knell_add_read(self->l, cb_trace, "never", fd) :
				     knell_add_signal(self->l, cb_trace, "never", SIGUSR1);
		ASSERT_TASK(c.task);
		meanwhile(&m, cancel_from_thread, &c);
		EXPECT_EQ(1, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
		meanwhile_done(&m);
		EXPECT_EQ(1, c.ret);
		EXPECT_FALSE(knell_pending(self->l, c.task));
		/* A stale one. */
		meanwhile(&m, cancel_from_thread, &c);
		EXPECT_EQ(1, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
		meanwhile_done(&m);
		EXPECT_EQ(0, c.ret);
	}
	/* In the loop's own thread it is knell_cancel(). */
	c.task = knell_add_timer(self->l, cb_trace, "never", 3600);
	EXPECT_EQ(1, knell_cancel_sync(self->l, c.task));
	EXPECT_EQ(0, knell_cancel_sync(self->l, c.task));
	EXPECT_STREQ("", trace);
	close(fd);
}

/* When it returns the callback does not run any more. */
static atomic_int in_callback;
static atomic_bool may_leave;

static void stays_inside(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	(void)l;
	(void)call;
	(void)arg;
	in_callback = 1;
	while (!may_leave)
		sched_yield();
	sleep_ns(5 * MSEC);
	in_callback = 2;
}

static void *cancel_running(void *arg)
{
	struct canceller *c = arg;

	while (!in_callback)
		sched_yield();
	may_leave = true;
	c->ret = knell_cancel_sync(c->l, c->task);
	c->seen = in_callback;
	knell_post(c->l, cb_stop, NULL, 0);
	return NULL;
}

LOOP_TEST(cancel, sync_while_it_runs)
{
	struct canceller c = { .l = self->l };
	pthread_t thread;

	c.task = knell_add_event(self->l, stays_inside, NULL, 0);
	ASSERT_TASK(knell_add_timer(self->l, cb_trace, "never", 3600));
	ASSERT_EQ(0, pthread_create(&thread, NULL, cancel_running, &c));
	EXPECT_EQ(1, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	pthread_join(thread, NULL);
	EXPECT_EQ(0, c.ret);
	EXPECT_EQ(2, c.seen);
}

/* Many threads at it: each task has run or was cancelled, and never both. */
enum { RACES = 400, RACERS = 4 };
static struct race {
	knell_task task;
	atomic_int ran;
	int ret[RACERS];
} races[RACES];
static atomic_int racers_left;

static void race_runs(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	(void)l;
	(void)call;
	((struct race *)arg)->ran++;
}

static void *racer(void *arg)
{
	struct canceller *c = arg;

	for (int i = 0; i < RACES; i++)
		races[i].ret[c->seen] = knell_cancel_sync(c->l, races[i].task);
	if (!--racers_left)
		knell_post(c->l, cb_stop, NULL, 0);
	return NULL;
}

LOOP_TEST(cancel, sync_races)
{
	struct canceller c[RACERS];
	pthread_t thread[RACERS];

	racers_left = RACERS;
	for (int i = 0; i < RACES; i++) {
		races[i].task = knell_add_timer_ns(self->l, race_runs, &races[i], i * 20 * USEC);
		ASSERT_TASK(races[i].task);
	}
	ASSERT_TASK(knell_add_timer(self->l, cb_trace, "never", 3600));
	for (int i = 0; i < RACERS; i++) {
		c[i] = (struct canceller){ .l = self->l, .seen = i };
		ASSERT_EQ(0, pthread_create(&thread[i], NULL, racer, &c[i]));
	}
	EXPECT_EQ(1, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	for (int i = 0; i < RACERS; i++)
		pthread_join(thread[i], NULL);
	for (int i = 0; i < RACES; i++) {
		int sum = races[i].ran;

		for (int k = 0; k < RACERS; k++)
			sum += races[i].ret[k];
		EXPECT_EQ(1, sum);
	}
}

/* T-19: the memory of tasks that are gone is used again, and given back when it was much. */
LOOP_TEST(cancel, t19_memory)
{
	const unsigned int nr = 100000;
	knell_task *t = calloc(nr, sizeof(*t));
	struct knell_stats s;

	ASSERT_NE(NULL, t);
	for (unsigned int i = 0; i < nr; i++) {
		t[i] = knell_add_timer(self->l, cb_nothing, NULL, 3600);
		ASSERT_TASK(t[i]);
	}
	s = stats_of(self->l);
	EXPECT_EQ(nr, s.tasks);
	EXPECT_EQ(nr, s.tasks_made);
	for (unsigned int i = 0; i < nr; i++)
		ASSERT_EQ(1, knell_cancel(self->l, t[i]));
	s = stats_of(self->l);
	EXPECT_EQ(0, s.tasks);
	EXPECT_GE(4096, s.tasks_free);
	/* A steady state takes no new memory. */
	for (unsigned int i = 0; i < nr; i++) {
		ASSERT_TASK(knell_add_event(self->l, cb_nothing, NULL, 0));
		if (i % 50 == 49)
			ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	}
	EXPECT_EQ(2 * nr, stats_of(self->l).tasks_made);
	EXPECT_LE(nr - 4096, stats_of(self->l).tasks_reused - s.tasks_reused);
	EXPECT_GE(4096, stats_of(self->l).tasks_free);
	free(t);
}

LIBKNELL_MAIN
