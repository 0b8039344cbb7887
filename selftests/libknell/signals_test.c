// SPDX-License-Identifier: GPL-2.0-only
/* Signals: none is lost, whatever the loop does when one comes; handlers are put back. runner-limit: 900 */
#include "common.h"

LOOP_FIXTURE(signals);

static siginfo_t got;
static unsigned long got_nr[65];

static void note_signal(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	(void)l;
	got = *call->sig;
	got_nr[call->sig->si_signo]++;
	if (call->kind != KNELL_KIND_SIGNAL)
		abort();
	if (arg)
		traced("%s", (const char *)arg);
}

static void note_and_stop(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	note_signal(l, call, arg);
	knell_loop_stop(l);
}

LOOP_TEST(signals, what_is_told)
{
	const union sigval value = { .sival_int = 4711 };
	knell_task t = knell_add_signal(self->l, note_signal, NULL, SIGUSR1);

	ASSERT_TASK(t);
	ASSERT_EQ(1, knell_loop_run(self->l, KNELL_RUN_NOWAIT));
	EXPECT_EQ(0, got_nr[SIGUSR1]);
	ASSERT_EQ(0, kill(getpid(), SIGUSR1));
	ASSERT_EQ(1, knell_loop_run(self->l, KNELL_RUN_ONCE));
	EXPECT_EQ(1, got_nr[SIGUSR1]);
	EXPECT_EQ(SIGUSR1, got.si_signo);
	EXPECT_EQ(SI_USER, got.si_code);
	EXPECT_EQ(getpid(), got.si_pid);
	EXPECT_EQ(getuid(), got.si_uid);
	/* It stays. */
	EXPECT_TRUE(knell_pending(self->l, t));
	ASSERT_EQ(0, sigqueue(getpid(), SIGUSR1, value));
	ASSERT_EQ(1, knell_loop_run(self->l, KNELL_RUN_ONCE));
	EXPECT_EQ(2, got_nr[SIGUSR1]);
	EXPECT_EQ(SI_QUEUE, got.si_code);
	EXPECT_EQ(4711, got.si_value.sival_int);
	ASSERT_EQ(1, knell_cancel(self->l, t));
	EXPECT_FALSE(knell_pending(self->l, t));
	EXPECT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
}

/*
 * T-06: one that comes right before the loop goes to sleep, when it has looked for signals
 * already. Were it lost, the loop would sleep for an hour.
 */
LOOP_TEST(signals, t06_right_before_the_sleep)
{
	ASSERT_TASK(knell_add_signal(self->l, note_and_stop, NULL, SIGUSR1));
	ASSERT_TASK(knell_add_timer(self->l, cb_trace, "an hour later", 3600));
	for (unsigned int i = 1; i <= 300; i++) {
		/* Before its first call of that run, its second, its third. */
		raise_after_calls = 0;
		raise_before_sleep = SIGUSR1;
		ASSERT_EQ(1, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
		ASSERT_EQ(i, got_nr[SIGUSR1]);
		ASSERT_EQ(0, raise_before_sleep);
	}
	EXPECT_STREQ("", trace);
}

/* The same with something that was to be told to the kernel in that pass. */
LOOP_TEST(signals, t06_right_before_a_change_is_told)
{
	int fds[2];

	make_pipe(fds);
	ASSERT_TASK(knell_add_signal(self->l, note_and_stop, NULL, SIGUSR1));
	for (unsigned int i = 1; i <= 300; i++) {
		knell_task r = knell_add_read(self->l, cb_trace, "read", fds[0]);
		knell_task t = knell_add_timer(self->l, cb_trace, "timer", 3600 - i);

		ASSERT_TASK(r);
		ASSERT_TASK(t);
		raise_after_calls = 0;
		raise_before_sleep = SIGUSR1;
		ASSERT_EQ(1, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
		ASSERT_EQ(i, got_nr[SIGUSR1]);
		ASSERT_EQ(0, raise_before_sleep);
		ASSERT_EQ(1, knell_cancel(self->l, r));
		ASSERT_EQ(1, knell_cancel(self->l, t));
	}
	EXPECT_STREQ("", trace);
	close(fds[0]);
	close(fds[1]);
}

/* The same when it has looked for signals and not yet said that it sleeps (see posts_test.c). */
LOOP_TEST(signals, t06_between_the_look_and_the_sleep)
{
	ASSERT_TASK(knell_add_signal(self->l, note_and_stop, NULL, SIGUSR1));
	for (unsigned int i = 1; i <= 100; i++) {
		knell_task t = knell_add_timer_at(self->l, cb_trace, "an hour later", CLOCK_REALTIME,
						  clock_ns(CLOCK_REALTIME) + HOUR + i);

		ASSERT_TASK(t);
		raise_before_sleep = SIGUSR1;
		ASSERT_EQ(1, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
		ASSERT_EQ(i, got_nr[SIGUSR1]);
		ASSERT_EQ(0, raise_before_sleep);
		ASSERT_EQ(1, knell_cancel(self->l, t));
	}
	EXPECT_STREQ("", trace);
}

/* Or from a prepare hook, a check hook, a task of the same pass. */
static void hook_raises(struct knell_loop *l, void *arg)
{
	(void)l;
	if (*(int *)arg) {
		*(int *)arg = 0;
		raise(SIGUSR1);
	}
}

static void raises(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	(void)l;
	(void)call;
	(void)arg;
	raise(SIGUSR1);
}

LOOP_TEST(signals, t06_from_hooks_and_tasks)
{
	int prepare = 0, check = 0;

	ASSERT_EQ(0, knell_add_prepare(self->l, hook_raises, &prepare));
	ASSERT_EQ(0, knell_add_check(self->l, hook_raises, &check));
	ASSERT_TASK(knell_add_signal(self->l, note_and_stop, NULL, SIGUSR1));
	ASSERT_TASK(knell_add_timer(self->l, cb_trace, "an hour later", 3600));
	prepare = 1;
	ASSERT_EQ(1, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_EQ(1, got_nr[SIGUSR1]);
	check = 1;
	ASSERT_TASK(knell_add_event(self->l, cb_nothing, NULL, 0));
	ASSERT_EQ(1, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_EQ(2, got_nr[SIGUSR1]);
	ASSERT_TASK(knell_add_event(self->l, raises, NULL, 0));
	ASSERT_EQ(1, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_EQ(3, got_nr[SIGUSR1]);
}

/* While it sleeps: from another process, and the one that is behind another. */
static void send_signal(void *arg)
{
	kill(getpid(), *(int *)arg);
}

LOOP_TEST(signals, while_it_sleeps)
{
	int sig[] = { SIGUSR1, SIGRTMIN + 1 };
	struct meanwhile m;

	ASSERT_TASK(knell_add_signal(self->l, note_and_stop, NULL, sig[0]));
	ASSERT_TASK(knell_add_signal(self->l, note_and_stop, NULL, sig[1]));
	for (unsigned long i = 1; i <= 20; i++) {
		for (int k = 0; k < 2; k++) {
			meanwhile(&m, send_signal, &sig[k]);
			ASSERT_EQ(1, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
			EXPECT_EQ(i, got_nr[sig[k]]);
			meanwhile_done(&m);
		}
	}
}

/* To a thread that does not run the loop: it is woken. */
static void raise_here(void *arg)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, *(int *)arg);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	raise(*(int *)arg);
}

LOOP_TEST(signals, in_another_thread)
{
	int sig = SIGUSR2;
	struct meanwhile m;

	ASSERT_TASK(knell_add_signal(self->l, note_and_stop, NULL, sig));
	for (unsigned long i = 1; i <= 20; i++) {
		meanwhile(&m, raise_here, &sig);
		ASSERT_EQ(1, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
		EXPECT_EQ(i, got_nr[sig]);
		meanwhile_done(&m);
	}
}

/* The process's own handler comes back with the last task, and not before. */
static volatile sig_atomic_t own_handler_ran;

static void own_handler(int sig)
{
	(void)sig;
	own_handler_ran++;
}

LOOP_TEST(signals, handler_is_put_back)
{
	struct sigaction sa = { .sa_flags = SA_RESTART | SA_NODEFER }, now;
	struct knell_loop *other = new_loop(variant->backend);
	knell_task a, b, c;

	ASSERT_NE(NULL, other);
	sa.sa_handler = own_handler;
	sigaddset(&sa.sa_mask, SIGHUP);
	ASSERT_EQ(0, sigaction(SIGUSR1, &sa, NULL));
	a = knell_add_signal(self->l, note_signal, NULL, SIGUSR1);
	b = knell_add_signal(self->l, note_signal, NULL, SIGUSR1);
	c = knell_add_signal(other, note_signal, NULL, SIGUSR1);
	ASSERT_TASK(a);
	ASSERT_TASK(b);
	ASSERT_TASK(c);
	raise(SIGUSR1);
	EXPECT_EQ(0, own_handler_ran);
	ASSERT_EQ(1, knell_loop_run(self->l, KNELL_RUN_NOWAIT));
	EXPECT_EQ(2, got_nr[SIGUSR1]);
	ASSERT_EQ(1, knell_loop_run(other, KNELL_RUN_NOWAIT));
	EXPECT_EQ(3, got_nr[SIGUSR1]);
	ASSERT_EQ(1, knell_cancel(self->l, b));
	ASSERT_EQ(1, knell_cancel(self->l, a));
	raise(SIGUSR1);
	EXPECT_EQ(0, own_handler_ran);
	ASSERT_EQ(1, knell_loop_run(other, KNELL_RUN_NOWAIT));
	EXPECT_EQ(4, got_nr[SIGUSR1]);
	/* The last one goes with its loop. */
	knell_loop_free(other);
	ASSERT_EQ(0, sigaction(SIGUSR1, NULL, &now));
	EXPECT_TRUE(now.sa_handler == own_handler);
	EXPECT_EQ(SA_RESTART | SA_NODEFER, now.sa_flags & (SA_RESTART | SA_NODEFER | SA_SIGINFO));
	EXPECT_EQ(1, sigismember(&now.sa_mask, SIGHUP));
	raise(SIGUSR1);
	EXPECT_EQ(1, own_handler_ran);
	EXPECT_EQ(4, got_nr[SIGUSR1]);
}

LOOP_TEST(signals, default_is_put_back)
{
	struct sigaction now;
	knell_task t;

	for (int i = 0; i < 3; i++) {
		t = knell_add_signal(self->l, note_signal, NULL, SIGTERM);
		ASSERT_TASK(t);
		raise(SIGTERM);
		ASSERT_EQ(1, knell_loop_run(self->l, KNELL_RUN_ONCE));
		ASSERT_EQ(1, knell_cancel(self->l, t));
		ASSERT_EQ(0, sigaction(SIGTERM, NULL, &now));
		EXPECT_TRUE(now.sa_handler == SIG_DFL);
	}
	EXPECT_EQ(3, got_nr[SIGTERM]);
}

/* A flood: more than the library notes before the loop looks. None goes unheard as a number. */
LOOP_TEST(signals, flood)
{
	const int first = SIGRTMIN, last = SIGRTMIN + 7;

	for (int sig = first; sig <= last; sig++)
		ASSERT_TASK(knell_add_signal(self->l, note_signal, NULL, sig));
	for (int i = 0; i < 1000; i++)
		ASSERT_EQ(0, raise(first + i % 7));
	/* The last one comes when there is no room any more. */
	ASSERT_EQ(0, raise(last));
	ASSERT_EQ(1, run_passes(self->l, 3));
	for (int sig = first; sig < last; sig++) {
		EXPECT_LE(18, got_nr[sig]);
		EXPECT_GE(143, got_nr[sig]);
	}
	EXPECT_EQ(1, got_nr[last]);
	/* And all is as before. */
	memset(got_nr, 0, sizeof(got_nr));
	raise(last);
	ASSERT_EQ(1, knell_loop_run(self->l, KNELL_RUN_NOWAIT));
	EXPECT_EQ(1, got_nr[last]);
}

/* Up to 128 that wait are told one by one, in their order. */
static int order_of[128];
static unsigned int order_nr;

static void note_order(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	(void)l;
	(void)arg;
	if (order_nr < ARRAY_SIZE(order_of))
		order_of[order_nr] = call->sig->si_value.sival_int;
	order_nr++;
}

LOOP_TEST(signals, told_one_by_one)
{
	ASSERT_TASK(knell_add_signal(self->l, note_order, NULL, SIGRTMIN));
	ASSERT_TASK(knell_add_signal(self->l, note_order, NULL, SIGRTMIN + 1));
	for (int i = 0; i < 128; i++) {
		const union sigval value = { .sival_int = i };

		ASSERT_EQ(0, sigqueue(getpid(), SIGRTMIN + i % 2, value));
	}
	ASSERT_EQ(1, run_passes(self->l, 2));
	ASSERT_EQ(128, order_nr);
	for (int i = 0; i < 128; i++)
		EXPECT_EQ(i, order_of[i]);
}

/* A storm of them over a loop that runs, sleeps, adds and cancels all the time. */
static pthread_t storm_target;
static atomic_bool storm_ends;
static unsigned long stormed;

static void *storm(void *arg)
{
	for (unsigned long n = 0; n < (uintptr_t)arg; n++) {
		/* Real-time signals queue up, so that none may be missing. */
		while (pthread_kill(storm_target, SIGRTMIN))
			sched_yield();
		if (n % 64 == 0)
			sleep_ns(100 * USEC);
	}
	storm_ends = true;
	return NULL;
}

static void churn(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	knell_task t = knell_add_timer_ms(l, cb_nothing, NULL, 1);

	(void)call;
	if (counted++ % 2)
		knell_cancel(l, t);
	if (storm_ends)
		knell_loop_stop(l);
	else
		knell_add_timer_ns(l, churn, arg, counted % 3 * 50 * USEC);
}

static void count_storm(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	(void)l;
	(void)call;
	(void)arg;
	stormed++;
}

LOOP_TEST(signals, storm)
{
	const unsigned int nr = times(10000);
	pthread_t thread;
	sigset_t set;

	ASSERT_TASK(knell_add_signal(self->l, count_storm, NULL, SIGRTMIN));
	ASSERT_TASK(knell_add_timer_ns(self->l, churn, NULL, 0));
	storm_target = pthread_self();
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	ASSERT_EQ(0, pthread_create(&thread, NULL, storm, (void *)(uintptr_t)nr));
	ASSERT_EQ(1, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	pthread_join(thread, NULL);
	ASSERT_EQ(1, run_passes(self->l, 2));
	/* Counted as one only in a flood. */
	EXPECT_LT(0, stormed);
	EXPECT_GE(nr, stormed);
}

/* A callback may cancel its own task, another of the same signal, and add one. */
static knell_task listeners[3];

static void cancels_all(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	unsigned int n = 0;

	(void)call;
	for (int i = 0; i < 3; i++)
		n += knell_cancel(l, listeners[i]);
	traced("%s%u", (const char *)arg, n);
}

LOOP_TEST(signals, cancel_in_the_callback)
{
	for (int i = 0; i < 3; i++) {
		listeners[i] = knell_add_signal(self->l, cancels_all, "c", SIGUSR1);
		ASSERT_TASK(listeners[i]);
	}
	raise(SIGUSR1);
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_STREQ("c3", trace);
}

/* One that was caught before its task was cancelled does not run it. */
LOOP_TEST(signals, cancelled_after_it_came)
{
	knell_task t = knell_add_signal(self->l, note_signal, NULL, SIGUSR1);

	raise(SIGUSR1);
	ASSERT_EQ(1, knell_cancel(self->l, t));
	ASSERT_EQ(0, run_passes(self->l, 2));
	EXPECT_EQ(0, got_nr[SIGUSR1]);
}

LOOP_TEST(signals, refused)
{
	EXPECT_NO_TASK(EINVAL, knell_add_signal(self->l, note_signal, NULL, SIGKILL));
	EXPECT_NO_TASK(EINVAL, knell_add_signal(self->l, note_signal, NULL, SIGSTOP));
	EXPECT_NO_TASK(EINVAL, knell_add_signal(self->l, note_signal, NULL, 0));
	EXPECT_NO_TASK(EINVAL, knell_add_signal(self->l, note_signal, NULL, -1));
	EXPECT_NO_TASK(EINVAL, knell_add_signal(self->l, note_signal, NULL, 65));
	EXPECT_NO_TASK(EINVAL, knell_add_signal(self->l, note_signal, NULL, 1 << 30));
	EXPECT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
}

LOOP_TEST(signals, the_last_one)
{
	knell_task t = knell_add_signal(self->l, note_signal, NULL, 64);

	ASSERT_TASK(t);
	raise(64);
	ASSERT_EQ(1, knell_loop_run(self->l, KNELL_RUN_NOWAIT));
	EXPECT_EQ(1, got_nr[64]);
}

/* errno is the interrupted code's own. */
LOOP_TEST(signals, errno_is_kept)
{
	ASSERT_TASK(knell_add_signal(self->l, note_signal, NULL, SIGUSR1));
	for (int i = 0; i < 300; i++) {
		errno = 4242;
		raise(SIGUSR1);
		ASSERT_EQ(4242, errno);
	}
}

LIBKNELL_MAIN
