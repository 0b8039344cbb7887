// SPDX-License-Identifier: GPL-2.0-only
/*
 * A hundred thousand processes that live at once, each watched; then all end, in an order and in
 * ways that the seed chooses: by themselves, by KILL of the watch, by kill(2).
 *
 * runner-limit: 900
 */
#include "kselftest_harness.h"

#include <linux/futex.h>
#include <sys/resource.h>

#include "soak.h"

#define LIVE		100000
#define STACK_SIZE	512

SOAK_FIXTURE

/**
 * struct crowd - those who live
 * @seed: of how each ends
 * @nr: of them
 * @word: by token, what each sleeps on: 0, or its status and GO
 * @pid: its
 * @watch: of it
 * @told: records of it
 * @read: records
 * @wrong: whatever cannot be
 */
struct crowd {
	uint64_t seed;
	unsigned int nr;
	int *word;
	pid_t *pid;
	uint32_t *watch;
	unsigned char *told;
	atomic_uint read;
	unsigned int wrong;
};

#define GO		0x10000

/* All that it does is system calls that cannot fail: it shares memory with everybody. */
static int sleep_and_exit(void *arg)
{
	int *word = arg;

	while (!*(volatile int *)word)
		syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, 0, NULL);
	syscall(SYS_exit_group, (*word & 0xff00) >> 8);
	return 0;
}

static int allow(unsigned int nr)
{
	struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY };
	char text[32];

	snprintf(text, sizeof(text), "%u", nr < 32768 ? 65536 : 2 * nr);
	/* A small kernel (!BASE_FULL) has no more than 32768, which is enough for few. */
	return setrlimit(RLIMIT_NPROC, &all) ||
		(nr >= 16384 && write_file("/proc/sys/kernel/pid_max", text)) ||
		write_file("/proc/sys/kernel/threads-max", text);
}

/* Half are enrolled before they are born, half by their pids. */
static int bear_all(struct crowd *c, int queue, char *stacks)
{
	const int flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | SIGCHLD;

	for (unsigned int i = 0; i < c->nr; i++) {
		char *stack = stacks + (i + 1) * (size_t)STACK_SIZE;
		int64_t watch = i % 2 ? add_next(queue, i) : 0;

		c->pid[i] = clone(sleep_and_exit, stack, flags, &c->word[i]);
		if (c->pid[i] < 0)
			return -errno;
		if (!watch)
			watch = add_pid(queue, c->pid[i], i);
		if (watch <= 0)
			return watch;
		c->watch[i] = watch;
	}
	return 0;
}

static void enter(void *arg, const struct knell_event *ev)
{
	struct crowd *c = arg;
	uint64_t i = ev->token;

	if (!SO(ev->type == KNELL_EV_EXIT) || !SO(!ev->flags) || !SO(i < c->nr) ||
	    !SO(!c->told[i]) || !SO(ev->exit.pid == c->pid[i]) ||
	    !SO(ev->exit.status == status_of(c->seed, i)) || !SO(ev->watch == c->watch[i])) {
		c->wrong++;
		return;
	}
	c->told[i] = 1;
	c->read++;
}

static int end_one(struct crowd *c, int queue, unsigned int i)
{
	int status = status_of(c->seed, i), sig = status & 0x7f;

	if (sig)
		return i % 3 ? kill_watch(queue, c->watch[i], sig) : kill(c->pid[i], sig);
	c->word[i] = GO | status;
	return syscall(SYS_futex, &c->word[i], FUTEX_WAKE_PRIVATE, 1) < 0;
}

/* Each once, in an order that the seed mixes. */
static unsigned int end_all(struct crowd *c, int queue)
{
	unsigned int *order = calloc(c->nr, sizeof(*order)), failed = 0;

	for (unsigned int i = 0; i < c->nr; i++) {
		unsigned int k = random_of(~c->seed, i) % (i + 1);

		order[i] = order[k];
		order[k] = i;
	}
	for (unsigned int i = 0; i < c->nr; i++)
		failed += !!end_one(c, queue, order[i]);
	free(order);
	return failed;
}

static long free_kib(void)
{
	return sysconf(_SC_AVPHYS_PAGES) * (sysconf(_SC_PAGESIZE) / 1024);
}

TEST_F_TIMEOUT(soak, live, SOAK_LIMIT)
{
	struct crowd c = { .seed = self->seed, .nr = soak_of(LIVE) };
	struct readers r = {
		.queue = self->queue, .seed = self->seed, .nr = 1, .take = enter, .arg = &c,
	};
	char *stacks = shared((size_t)c.nr * STACK_SIZE);
	long before = free_kib();

	c.word = calloc(c.nr, sizeof(*c.word));
	c.pid = calloc(c.nr, sizeof(*c.pid));
	c.watch = calloc(c.nr, sizeof(*c.watch));
	c.told = calloc(c.nr, 1);
	catch_signal(SIGCHLD, SIG_DFL, SA_NOCLDWAIT);
	ASSERT_EQ(0, allow(c.nr));
	ASSERT_EQ(0, bear_all(&c, self->queue, stacks));
	ASSERT_EQ(c.nr, nr_watches(self->queue));
	EXPECT_TRUE(nothing_pending(self->queue));
	print_figures("live, each watched", c.nr, self->since);
	printf("# %ld KiB of memory each\n", (before - free_kib()) / c.nr);
	self->since = clock_ns(CLOCK_MONOTONIC);
	ASSERT_EQ(0, start_readers(&r));
	EXPECT_EQ(0, end_all(&c, self->queue));
	reap_all();
	end_readers(&r);
	EXPECT_EQ(c.nr, c.read);
	EXPECT_EQ(0, c.wrong);
	EXPECT_EQ(0, r.wrong);
	print_figures("ended and read", c.read, self->since);
}

TEST_HARNESS_MAIN
