/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What quagga.c and quagga_more.c share: Quagga's names, knell_quagga.h. */
#ifndef KNELL_QUAGGA_INSIDE_H
#define KNELL_QUAGGA_INSIDE_H

#include "internal.h"
#include "knell_quagga.h"

enum q_state {
	Q_UNUSED,			/* 0: memory that was given back reads so */
	Q_PENDING,			/* in master.live, has a task */
	Q_RUNNING,
};

/* What is behind a struct thread *. */
struct q_thread {
	struct alias alias;		/* first: the task's argument */
	struct thread pub;
	struct q_slab *slab;
	struct q_thread *next, *prev;	/* in master.live or .unused */
	knell_task task;
	enum q_state state;
};

struct q_list {
	struct q_thread *first, *last;
	size_t nr;
};

struct q_slab {
	struct q_slab *next;
	struct q_thread *obj;		/* a mapping of its own */
	struct q_slab *next_idle;
	unsigned int used;
	bool idle;			/* in master.idle: none was used when it came there */
	bool cold;			/* not in .unused; the memory was given back */
	uint64_t last_end;		/* master.ends when one of them came to its end */
};

struct q_signal;

struct thread_master {
	struct knell_loop *loop;
	bool own;			/* the loop is */
	bool dead;			/* freed while a task runs */
	bool busy;			/* in thread_main() */
	struct q_list live, unused;	/* unused: the oldest first */
	struct q_slab *slabs;
	struct q_slab *idle, *idle_last;	/* the oldest first */
	uint64_t ends;			/* tasks that came to their end */
	unsigned int budget;		/* of thread_fetch(), until the kernel is asked again */
	struct q_signal *signals;
	struct q_wq *wqs;
};

void q_signals_free(struct thread_master *m);
void q_wqs_free(struct thread_master *m);

#endif /* KNELL_QUAGGA_INSIDE_H */
