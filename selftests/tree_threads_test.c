// SPDX-License-Identifier: GPL-2.0-only
/*
 * Threads of one process that fork at the same time: each child is counted once,
 * and each thread's next process is its own.
 *
 * runner-limit: 900
 * runner-smp: 4
 * runner-smp-arm64: 2
 */
#include "kselftest_harness.h"

#include "tree_bomb.h"

QUEUE_FIXTURE(forks)

/* Threads of one process that fork at the same time: each a newcomer of its own. */
#define THREADS		8

static void __attribute__((constructor)) end_if_spawned(void)
{
	if (getenv(EXEC_AS))
		_exit(0);
}

static long spawn_again(void)
{
	static char as[] = EXEC_AS "=spawned";
	char *argv[] = { "spawned", NULL }, *envp[] = { as, NULL };
	pid_t pid;

	return posix_spawn(&pid, "/proc/self/exe", NULL, NULL, argv, envp) ? -1 : pid;
}

static __attribute__((noinline)) long vfork_and_exit(void)
{
	pid_t pid = vfork();

	if (!pid)
		_exit(0);
	return pid;
}

static int exit_at_once(void *arg)
{
	(void)arg;
	syscall(SYS_exit_group, 0);
	return 0;
}

/* Shares the memory with its parent, which waits: the stack is free again. */
static long clone_vm_and_wait(void)
{
	char stack[STACK_SIZE] __attribute__((aligned(16)));
	pid_t pid = clone(exit_at_once, stack + STACK_SIZE, CLONE_VM | SIGCHLD, NULL);

	if (pid > 0)
		syscall(SYS_wait4, pid, NULL, 0, NULL);
	return pid;
}

static long fork_and_exit(void)
{
	long pid = bare_fork();

	if (!pid)
		_exit(0);
	return pid;
}

static long (*thread_way)(void);

static void *fork_in_thread(void *arg)
{
	struct bomb *b = arg;

	atomic_fetch_add(&b->done, 1);
	while (atomic_load(&b->done) < THREADS)
		;
	while (take_ticket(b))
		enter_result(b, thread_way());
	return NULL;
}

static void fork_in_threads(void *arg)
{
	pthread_t thread[THREADS];

	for (int i = 0; i < THREADS; i++)
		if (pthread_create(&thread[i], NULL, fork_in_thread, arg))
			_exit(BROKEN);
	for (int i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	reap_all();
	_exit(42);
}

static void bomb_of_threads(struct __test_metadata *_metadata, int fd, int births,
			    long (*way)(void))
{
	int64_t tree = add_tree(fd, KNELL_OPF_REPORT_FORK | KNELL_OPF_ACK, 1);
	struct bomb *b = new_bomb(births);
	struct tally t = { };
	pid_t pid;

	thread_way = way;
	pid = start_bomb(_metadata, fd, tree, fork_in_threads, b);
	ASSERT_TRUE(count_until_empty(fd, &t));
	EXPECT_EQ(births, atomic_load(&b->born));
	EXPECT_EQ(births, t.forks + t.lost);
	check_bomb(_metadata, fd, tree, b, &t, pid);
}

TEST_F_TIMEOUT(forks, threads_vfork, LIMIT)
{
	bomb_of_threads(_metadata, self->fd, rounds(1200), vfork_and_exit);
}

TEST_F_TIMEOUT(forks, threads_fork, LIMIT)
{
	bomb_of_threads(_metadata, self->fd, rounds(300), fork_and_exit);
}

TEST_F_TIMEOUT(forks, threads_clone_vm, LIMIT)
{
	bomb_of_threads(_metadata, self->fd, rounds(800), clone_vm_and_wait);
}

TEST_F_TIMEOUT(forks, threads_posix_spawn, LIMIT)
{
	bomb_of_threads(_metadata, self->fd, rounds(160), spawn_again);
}

/* Each thread's next process, all at once: each tree gets its own. */
#define ROUNDS		rounds(40)

struct armed {
	struct bomb *b;
	uint32_t tree;
	pid_t pid;
	int err;
};

static void *join_next_and_fork(void *arg)
{
	struct armed *a = arg;

	a->err = join_next(a->b->fd, a->tree);
	atomic_fetch_add(&a->b->done, 1);
	while (atomic_load(&a->b->done) % THREADS)
		;
	a->pid = thread_way();
	return NULL;
}

static void check_round(struct __test_metadata *_metadata, int fd, const struct armed *a)
{
	struct knell_event ev[2 * THREADS];
	int n = 0, mains = 0;

	while (n < 2 * THREADS) {
		int got = wait_events(fd, ev, 2 * THREADS, clock_ns(CLOCK_MONOTONIC) + PATIENCE);

		ASSERT_LT(0, got);
		for (int i = 0; i < got; i++) {
			const struct armed *who = &a[ev[i].token];

			ASSERT_LT(ev[i].token, THREADS);
			ASSERT_EQ(who->tree, ev[i].watch);
			mains += ev[i].type == KNELL_EV_EXIT;
			if (ev[i].type == KNELL_EV_EXIT) {
				ASSERT_TRUE(is_exit(&ev[i], who->tree, who->pid, 0, 0,
						    KNELL_EVF_MAIN));
			} else {
				ASSERT_TRUE(is_empty(&ev[i], who->tree, who->pid));
			}
		}
		n += got;
	}
	ASSERT_EQ(THREADS, mains);
	ASSERT_TRUE(nothing_pending(fd));
}

TEST_F_TIMEOUT(forks, threads_join_next, LIMIT)
{
	struct bomb *b = new_bomb(0);
	struct armed a[THREADS];
	pthread_t thread[THREADS];

	b->fd = self->fd;
	for (int round = 0; round < ROUNDS; round++) {
		thread_way = round & 1 ? vfork_and_exit : fork_and_exit;
		for (int i = 0; i < THREADS; i++) {
			a[i] = (struct armed){ .b = b, .tree = add_tree(self->fd, 0, i) };
			ASSERT_EQ(0, pthread_create(&thread[i], NULL, join_next_and_fork, &a[i]));
		}
		for (int i = 0; i < THREADS; i++) {
			ASSERT_EQ(0, pthread_join(thread[i], NULL));
			ASSERT_EQ(0, a[i].err);
			ASSERT_LT(0, a[i].pid);
		}
		check_round(_metadata, self->fd, a);
		reap_all();
	}
	EXPECT_EQ(0, nr_watches(self->fd));
}

TEST_HARNESS_MAIN
