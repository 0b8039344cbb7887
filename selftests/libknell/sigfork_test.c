// SPDX-License-Identifier: GPL-2.0-only
/*
 * The handler that all loops share: in forked children, where an instruction has failed, and while
 * loops come and go in other threads. runner-limit: 600
 */
#include "common.h"

#include <sys/mman.h>

LOOP_FIXTURE(sigfork);

static atomic_ulong heard;

static void note_signal(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	(void)l;
	(void)arg;
	if (call->sig->si_signo <= 0)
		abort();
	heard++;
}

/* In a child: what its parent's loop listens to does what it did before. */
LOOP_TEST(sigfork, default_in_a_child)
{
	pid_t pid;

	ASSERT_TASK(knell_add_signal(self->l, note_signal, NULL, SIGUSR1));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		raise(SIGUSR1);
		_exit(1);
	}
	EXPECT_EQ(256 + SIGUSR1, child_status(pid));
	ASSERT_EQ(1, run_passes(self->l, 2));
	EXPECT_EQ(0, heard);
	/* The parent's is still in place. */
	raise(SIGUSR1);
	ASSERT_EQ(1, run_passes(self->l, 2));
	EXPECT_EQ(1, heard);
}

/* A child of vfork() has the parent's memory, and so its table. */
LOOP_TEST(sigfork, default_in_a_vforked_child)
{
	pid_t pid;

	ASSERT_TASK(knell_add_signal(self->l, note_signal, NULL, SIGUSR1));
	pid = vfork();
	if (!pid) {
		syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), SIGUSR1);
		syscall(SYS_exit_group, 1);
	}
	ASSERT_LT(0, pid);
	EXPECT_EQ(256 + SIGUSR1, child_status(pid));
	ASSERT_EQ(1, run_passes(self->l, 2));
	EXPECT_EQ(0, heard);
	raise(SIGUSR1);
	ASSERT_EQ(1, run_passes(self->l, 2));
	EXPECT_EQ(1, heard);
}

static volatile sig_atomic_t own_value;

static void own_handler(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)context;
	own_value = info->si_code == SI_QUEUE ? info->si_value.sival_int : -1;
}

/* Also if that is a handler, which is told who sent it. */
LOOP_TEST(sigfork, handler_in_a_child)
{
	struct sigaction sa = { .sa_flags = SA_SIGINFO };
	const union sigval value = { .sival_int = 47 };
	pid_t pid;

	sa.sa_sigaction = own_handler;
	ASSERT_EQ(0, sigaction(SIGUSR1, &sa, NULL));
	ASSERT_TASK(knell_add_signal(self->l, note_signal, NULL, SIGUSR1));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		for (int i = 0; i < 2; i++) {
			own_value = 0;
			sigqueue(getpid(), SIGUSR1, value);
			while (!own_value)
				sleep_ns(MSEC);
			if (own_value != 47)
				_exit(1);
		}
		_exit(0);
	}
	EXPECT_EQ(0, child_status(pid));
	EXPECT_EQ(0, own_value);
	ASSERT_EQ(1, run_passes(self->l, 2));
	EXPECT_EQ(0, heard);
}

static int listen_in_child(struct knell_loop *parents, enum knell_backend backend)
{
	struct sigaction now;
	struct knell_loop *l = new_loop(backend);

	CHECK(l);
	CHECK(!knell_is_none(knell_add_signal(l, note_signal, NULL, SIGUSR1)));
	/* It may sit where the parent's sat. */
	knell_loop_free(parents);
	raise(SIGUSR1);
	CHECK(knell_loop_run(l, KNELL_RUN_ONCE) == 1);
	CHECK(heard == 1);
	knell_loop_free(l);
	CHECK(!sigaction(SIGUSR1, NULL, &now));
	CHECK(now.sa_handler == SIG_IGN);
	return 0;
}

/* A child's own loop listens to the same. */
LOOP_TEST(sigfork, loop_in_a_child)
{
	pid_t pid;

	signal(SIGUSR1, SIG_IGN);
	ASSERT_TASK(knell_add_signal(self->l, note_signal, NULL, SIGUSR1));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		_exit(listen_in_child(self->l, variant->backend));
	EXPECT_EQ(0, child_status(pid));
	ASSERT_EQ(1, run_passes(self->l, 2));
	EXPECT_EQ(0, heard);
	raise(SIGUSR1);
	ASSERT_EQ(1, run_passes(self->l, 2));
	EXPECT_EQ(1, heard);
}

/* Sent, it is a signal as any other; the instruction that raises it must not be run for ever. */
LOOP_TEST(sigfork, faults_end_the_process)
{
	volatile int *nothing = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	const struct rlimit no_core = { 0, 0 };
	pid_t pid;

	ASSERT_NE(MAP_FAILED, (void *)nothing);
	/* Not a sanitizer's. */
	signal(SIGSEGV, SIG_DFL);
	setrlimit(RLIMIT_CORE, &no_core);
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		struct knell_loop *l = new_loop(variant->backend);

		if (!l || knell_is_none(knell_add_signal(l, note_signal, NULL, SIGSEGV)))
			_exit(1);
		raise(SIGSEGV);
		if (knell_loop_run(l, KNELL_RUN_ONCE) != 1 || heard != 1)
			_exit(2);
		*nothing = 1;
		_exit(3);
	}
	EXPECT_EQ(256 + SIGSEGV, child_status(pid));
	munmap((void *)nothing, 4096);
}

/* Who wants no zombies gets none, also while a loop listens. */
LOOP_TEST(sigfork, no_zombies_remains_so)
{
	struct sigaction sa = { .sa_flags = SA_NOCLDWAIT };
	struct sigaction now;
	knell_task t;
	pid_t pid;

	for (int i = 0; i < 2; i++) {
		sa.sa_handler = i ? SIG_DFL : SIG_IGN;
		sa.sa_flags = i ? SA_NOCLDWAIT : 0;
		ASSERT_EQ(0, sigaction(SIGCHLD, &sa, NULL));
		t = knell_add_signal(self->l, note_signal, NULL, SIGCHLD);
		ASSERT_TASK(t);
		heard = 0;
		pid = exiting_child(0);
		while (!heard)
			ASSERT_EQ(1, knell_loop_run(self->l, KNELL_RUN_ONCE));
		EXPECT_EQ(-ECHILD, child_status(pid));
		ASSERT_EQ(1, knell_cancel(self->l, t));
		ASSERT_EQ(0, sigaction(SIGCHLD, NULL, &now));
		EXPECT_TRUE(now.sa_handler == sa.sa_handler);
		EXPECT_EQ(sa.sa_flags, now.sa_flags & SA_NOCLDWAIT);
	}
}

/*
 * Threads
 */

#define LOOPERS		4

static atomic_bool ends;
static atomic_int failed;

/* A loop that is freed while handlers of other threads may be about to tell it. */
static void *looper(void *arg)
{
	const int sigs[] = { SIGUSR1, SIGUSR2, SIGRTMIN };
	const enum knell_backend *backend = arg;
	uint64_t seed = 0x9e3779b97f4a7c15ULL + (uintptr_t)&seed;

	while (!ends) {
		struct knell_loop *l = new_loop(*backend);
		unsigned int nr = next_random(&seed) % 3 + 1;
		knell_task t = KNELL_NONE;

		for (unsigned int i = 0; l && i < nr; i++) {
			t = knell_add_signal(l, note_signal, NULL, sigs[i]);
			failed += knell_is_none(t);
		}
		for (unsigned int i = next_random(&seed) % 8; l && i; i--)
			failed += knell_loop_run(l, KNELL_RUN_NOWAIT) != 1;
		if (next_random(&seed) % 2)
			knell_cancel(l, t);
		knell_loop_free(l);
		failed += !l;
	}
	return NULL;
}

LOOP_TEST(sigfork, loops_come_and_go)
{
	const unsigned int nr = times(20000);
	const union sigval value = { .sival_int = 1 };
	pthread_t thread[LOOPERS];
	struct sigaction now;

	/* When nobody listens, too. */
	signal(SIGUSR1, SIG_IGN);
	signal(SIGUSR2, SIG_IGN);
	signal(SIGRTMIN, SIG_IGN);
	for (int i = 0; i < LOOPERS; i++)
		ASSERT_EQ(0, pthread_create(&thread[i], NULL, looper, (void *)&variant->backend));
	for (unsigned int i = 0; i < nr || heard < 100; i++) {
		kill(getpid(), i % 2 ? SIGUSR1 : SIGUSR2);
		if (i % 5 == 0)
			sigqueue(getpid(), SIGRTMIN, value);
		pthread_kill(thread[i % LOOPERS], SIGUSR1);
	}
	ends = true;
	for (int i = 0; i < LOOPERS; i++)
		pthread_join(thread[i], NULL);
	EXPECT_EQ(0, failed);
	EXPECT_LE(100, heard);
	ASSERT_EQ(0, sigaction(SIGUSR1, NULL, &now));
	EXPECT_TRUE(now.sa_handler == SIG_IGN);
}

/* More loops than there are places in a page of the table. */
LOOP_TEST(sigfork, many_loops)
{
	struct knell_loop *l[150];
	struct sigaction now;

	for (int i = 0; i < 150; i++) {
		l[i] = new_loop(variant->backend);
		ASSERT_NE(NULL, l[i]);
		ASSERT_TASK(knell_add_signal(l[i], note_signal, NULL, SIGUSR1));
	}
	raise(SIGUSR1);
	for (int i = 0; i < 150; i++)
		ASSERT_EQ(1, knell_loop_run(l[i], KNELL_RUN_ONCE));
	EXPECT_EQ(150, heard);
	for (int i = 0; i < 150; i++)
		knell_loop_free(l[i]);
	ASSERT_EQ(0, sigaction(SIGUSR1, NULL, &now));
	EXPECT_TRUE(now.sa_handler == SIG_DFL);
}

/* Someone who has put a handler over the loop's keeps it. */
LOOP_TEST(sigfork, put_over_it)
{
	struct sigaction sa = { .sa_flags = SA_SIGINFO }, now;
	knell_task t = knell_add_signal(self->l, note_signal, NULL, SIGUSR1);

	ASSERT_TASK(t);
	sa.sa_sigaction = own_handler;
	ASSERT_EQ(0, sigaction(SIGUSR1, &sa, NULL));
	ASSERT_EQ(1, knell_cancel(self->l, t));
	ASSERT_EQ(0, sigaction(SIGUSR1, NULL, &now));
	EXPECT_TRUE(now.sa_sigaction == own_handler);
}

LIBKNELL_MAIN
