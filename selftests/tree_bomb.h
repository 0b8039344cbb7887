/* SPDX-License-Identifier: GPL-2.0-only */
/* A fork bomb in a tree, with as many tickets as it may fork, and its books. */
#ifndef _TREE_BOMB_H
#define _TREE_BOMB_H

#include "tree_test.h"

#define STACK_SIZE	8192

/**
 * struct bomb - processes that fork until so many were born
 * @tickets: births left
 * @born: that took place
 * @failed: forks that did not
 * @done: said by who has done his part
 * @seed: differs in each process
 * @wait: parents wait for their children, else they leave them zombies or orphans
 * @copy: children have their own copy of the memory; it costs the emulator much
 * @gate: for those who wait there
 * @fd: a queue, for those who enrol others
 * @life: held by all
 * @stacks: of those who share memory
 * @next_stack: nobody has
 */
struct bomb {
	atomic_int tickets;
	atomic_int born;
	atomic_int failed;
	atomic_int done;
	uint64_t seed;
	bool wait;
	bool copy;
	int gate;
	int fd;
	struct lifeline life;
	char *stacks;
	atomic_int next_stack;
};

static inline struct bomb *new_bomb(int tickets)
{
	struct bomb *b = shared(sizeof(*b));

	atomic_store(&b->tickets, tickets);
	b->gate = new_gate();
	b->stacks = shared((tickets + 1) * STACK_SIZE);
	if (new_lifeline(&b->life))
		abort();
	return b;
}

static inline bool take_ticket(struct bomb *b)
{
	return atomic_fetch_sub(&b->tickets, 1) > 0;
}

static inline void enter_result(struct bomb *b, long pid)
{
	if (pid > 0)
		atomic_fetch_add(&b->born, 1);
	if (pid < 0)
		atomic_fetch_add(&b->failed, 1);
}

/* The main process of a tree with a lifeline that it and all its members hold. */
static inline pid_t start_bomb(struct __test_metadata *_metadata, int fd, uint32_t tree,
			       member_fn fn, struct bomb *b)
{
	pid_t pid = spawn_member(fd, tree, fn, b);

	ASSERT_LT(0, pid);
	drop_lifeline(&b->life);
	return pid;
}

static inline void check_bomb(struct __test_metadata *_metadata, int fd, uint32_t tree,
			      struct bomb *b, const struct tally *t, pid_t pid)
{
	EXPECT_TRUE(tally_is_sound(fd, t));
	EXPECT_TRUE(all_dead(&b->life));
	EXPECT_EQ(0, atomic_load(&b->failed));
	EXPECT_EQ(pid, t->main.exit.pid);
	EXPECT_EQ(EXITED(42), t->main.exit.status);
	EXPECT_EQ(0, tree_members(fd, tree));
	EXPECT_EQ(-ESHUTDOWN, join_next(fd, tree));
	EXPECT_EQ(0, del_watch(fd, tree));
	EXPECT_EQ(0, nr_watches(fd));
	reap_all();
}

#endif /* _TREE_BOMB_H */
