/* SPDX-License-Identifier: GPL-2.0-only */
/* Who plays in tests of trees, and what tree_*_test.c have in common beyond tree_test.h. */
#ifndef _TREE_CAST_H
#define _TREE_CAST_H

#include "tree_test.h"

#define REPORTS		(KNELL_OPF_REPORT_FORK | KNELL_OPF_REPORT_EXIT)

struct cast {
	int fd;
	uint32_t tree;
	uint32_t inner;
	int inner_fd;
	int gate[4];
	int said[2];
	atomic_int pid[4];
};

static inline struct cast *new_cast(int fd, uint32_t tree)
{
	struct cast *c = shared(sizeof(*c));

	c->fd = fd;
	c->tree = tree;
	for (int i = 0; i < 4; i++)
		c->gate[i] = new_gate();
	if (pipe(c->said))
		abort();
	return c;
}

/* A daemon by the book: two forks, a session of its own, its forebears gone. */
static inline void daemonize(void *arg)
{
	struct cast *c = arg;

	if (bare_fork())
		_exit(0);
	setsid();
	if (bare_fork())
		_exit(1);
	c->pid[0] = getpid();
	tell(c->said, 'd');
	pass_gate(c->gate[0]);
	_exit(8);
}

/* Nobody waits for a zombie: it is a member no longer all the same. */
static inline void keep_zombie(void *arg)
{
	struct cast *c = arg;
	int code = 4;

	c->pid[0] = spawn_process(exit_with, &code);
	pass_gate(c->gate[0]);
}

static inline void await_pending(int fd, uint64_t nr)
{
	while (nr_pending(fd) < nr)
		sched_yield();
}

static inline void fork_after_gate(void *arg)
{
	struct cast *c = arg;
	int code = 1;

	for (int i = 0; i < 2; i++) {
		c->pid[i] = spawn_process(wait_at_gate, &c->gate[1]);
		tell(c->said, 'f');
	}
	pass_gate(c->gate[0]);
	reap(spawn_process(exit_with, &code));
	open_gate(c->gate[1], 2);
	reap_all();
	_exit(5);
}

#endif /* _TREE_CAST_H */
