/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * source.c: whatever may have several things to tell before its callback was called: child.c
 * processes and trees, children.c all children.
 */
#ifndef KNELL_SOURCE_H
#define KNELL_SOURCE_H

#include <sys/resource.h>

#include "task.h"

/* One thing that was heard. */
struct news {
	struct news *next;
	uint64_t when;			/* loop's time */
	union {
		struct knell_child child;
		struct knell_tree tree;
		uint64_t record[16];	/* struct knell_event */
	};
};

enum source_kind { SOURCE_CHILD, SOURCE_CHILDREN, SOURCE_TREE, SOURCE_RECORD };

struct source {
	enum source_kind kind;
	unsigned int flags;		/* KNELL_CHILD_*, KNELL_TREE_* */
	knell_task task;		/* KNELL_NONE: cancelled, lives on to reap */
	pid_t pid;			/* 0: not known yet (NEXT) */
	uint64_t added;			/* loop's time, for its age */
	uint32_t watch;			/* kernel backend: handle; 0: none any more */
	bool scanned;			/* pidfd backend: there are none, SIGCHLD has to do */
	uint32_t slot;			/* kernel backend: its place there */
	int fd;				/* pidfd backend; -1 */
	struct source *next;		/* in the bucket of its pid */
	struct source *all_next, **all_prev;	/* all of the loop's */
	struct source *stop_next, **stop_prev;	/* those with STOP or CONT; NULL */
	struct news *first, **last;	/* not told yet */
	struct news *end;		/* CHILD: what its end will be told in */
	bool held;			/* SUBTREE: the first process has ended, so says @end */
	bool done;			/* nothing more comes: the task ends with the last news */
	unsigned int owed;		/* news without a place in a list, for want of memory */
};

/* children.c: a zombie that has been told of, and is somebody else's to reap. */
struct told {
	pid_t pid;			/* 0: free */
	bool there;			/* scratch: there is such a child now */
	uint64_t ended;			/* CLOCK_BOOTTIME */
};

/* children.c: a zombie that a look has found: if its record does not come it was lost. Or the end
 * of one that has a task: if that is not told of it was the end of another. */
struct suspect {
	uint64_t found;			/* CLOCK_MONOTONIC */
	struct knell_child end;
};

struct sources {
	struct source *all;
	struct source **bucket;		/* by pid */
	size_t nr_buckets;		/* 0, a power of two */
	size_t nr_hashed;
	size_t alive;			/* CHILD and TREE that have a task and have not ended */
	struct source *children;	/* the one of knell_add_children() */
	struct source *record;
	struct source *stops;		/* those with STOP or CONT */
	struct news *spare;		/* for use */
	unsigned int nr_spare;
	unsigned int streams;		/* CHILDREN, TREE, RECORD */
	struct news *now;		/* what a callback is being told */
	unsigned int sigchld;		/* of SIGCHLD: STOP, CONT, children by the other backend */
	bool vanish;			/* SIGCHLD had SA_NOCLDWAIT then: nothing to reap */
	uint64_t vanish_batch;

	bool orphans;			/* this process is given some */
	bool rescan;			/* the children are to be looked through */
	uint64_t look_again;		/* CLOCK_MONOTONIC, if they could not be; or 0 */
	bool fresh;			/* there are suspects since the queue was last looked at */
	struct told *told;		/* by pid, open addressing */
	size_t nr_told, room_told;	/* a power of two */
	struct suspect *suspect;
	size_t nr_suspects, room_suspects;
};

/* Has an end, with the task's last call. */
static inline bool source_lives(const struct source *s)
{
	return s->kind == SOURCE_CHILD || s->kind == SOURCE_TREE;
}

struct source *source_new(struct knell_loop *l, enum source_kind kind, unsigned int flags);
void source_free(struct knell_loop *l, struct source *s);
struct source *source_find(const struct knell_loop *l, pid_t pid);	/* a CHILD's that lives */
int source_hash_reserve(struct knell_loop *l);		/* source_hash() needs no memory */
void source_hash(struct knell_loop *l, struct source *s);	/* s->pid is known */
int source_stops(struct knell_loop *l, struct source *s);	/* has STOP or CONT */
void source_stops_not(struct knell_loop *l, struct source *s);
int source_reserve_end(struct knell_loop *l, struct source *s);
void source_drop_first(struct knell_loop *l, struct source *s);
void source_drop_news(struct knell_loop *l, struct source *s);
/* A CHILD's; NEXT: 0: nobody yet, -1: somebody. */
pid_t source_pid(struct knell_loop *l, struct source *s);
/* Sees to it that that many can be told without asking for memory: how many can. */
unsigned int news_reserve(struct knell_loop *l, unsigned int nr);
struct news *news_new(struct knell_loop *l, struct source *s, uint64_t when);	/* not queued yet */
void news_tell(struct knell_loop *l, struct source *s, struct news *n, bool last);
void news_free(struct knell_loop *l, struct news *n);
/* Fills @call from the next thing to tell; false: there is none. Then source_told(), if the task
 * is still there. */
bool source_call(struct knell_loop *l, struct task *t, struct knell_call *call);
void source_told(struct knell_loop *l, struct task *t);
void sources_free(struct knell_loop *l);

/*
 * child.c
 */

void child_set_status(struct knell_child *c, int wstatus);	/* and code, and status */
/*
 * A child has ended, by any backend. The pidfd one has reaped it already if AUTOREAP asks for it:
 * a pidfd cannot take another's zombie away. With SUBTREE it is the first process, and @s is told
 * by child_emptied().
 */
void child_ended(struct knell_loop *l, struct source *s, const struct knell_child *end,
		 uint64_t when);
void child_emptied(struct knell_loop *l, struct source *s, uint64_t when);
void child_reap(struct knell_loop *l, pid_t pid);
void child_fill(struct knell_child *c, const siginfo_t *info, const struct rusage *ru);
void child_cancel(struct knell_loop *l, struct task *t);

/*
 * children.c: all children, one by one or by looking.
 */

void children_rescan(struct knell_loop *l);	/* SIGCHLD */
void children_begin(struct knell_loop *l);	/* there is a task */
/* One that has no task of its own has ended. */
void children_ended(struct knell_loop *l, struct knell_child *end, uint64_t when);
/* The same, noted already, of one whose task was cancelled before it was told. */
void children_inherit(struct knell_loop *l, struct news *n);
/* One was told of by another task, and is not reaped. */
void children_note(struct knell_loop *l, const struct knell_child *end);
/* The task of one was cancelled, and its watch is gone. @pid: -1: which one is not known */
void children_left(struct knell_loop *l, pid_t pid);
/* Kernel's records, of any watch: no suspect any more. */
void children_heard(struct knell_loop *l, pid_t pid, uint64_t start_ns);
void children_look(struct knell_loop *l);	/* for suspects */
void children_look_again(struct knell_loop *l);	/* if it is time to */
void children_judge(struct knell_loop *l);	/* all that was pending then was heard since */
void children_forget(struct knell_loop *l);	/* the task is gone */

#endif /* KNELL_SOURCE_H */
