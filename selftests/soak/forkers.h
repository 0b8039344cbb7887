/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Processes, each on a CPU of its own, whose children end by the thousand, as the seed says; and
 * the book in which each death is entered by who caused it and by who read of it.
 */
#ifndef _FORKERS_H
#define _FORKERS_H

#include <sys/resource.h>

#include "soak.h"

#define MOST_FORKERS	8
#define BURST		48	/* children at once, at most */
#define STACK_SIZE	4096
#define UNREAD		4096	/* records that wait, at most, or forkers do */

/**
 * struct entry - of one death
 * @made: pid that fork gave, by the forker
 * @told: pid that the record gave, by the reader
 * @watch: handle
 * @reports: records of it
 * @dead: it is, and its pid may be another's
 */
struct entry {
	atomic_int made;
	atomic_int told;
	uint32_t watch;
	atomic_uchar reports;
	atomic_bool dead;
};

/**
 * struct storm - shared by all
 * @seed: of everything
 * @queue: on which all are watched
 * @forkers: how many
 * @each: deaths that each causes, at most
 * @unread: records that may wait
 * @stop: cause no more
 * @caused: deaths
 * @read: records
 * @wrong: whatever cannot be
 * @pid: the forkers
 * @entry: by token
 */
struct storm {
	uint64_t seed;
	int queue;
	unsigned int forkers;
	unsigned int each;
	int unread;
	atomic_bool stop;
	atomic_uint caused;
	atomic_uint read;
	atomic_uint wrong;
	pid_t pid[MOST_FORKERS];
	struct entry entry[];
};

static inline struct storm *new_storm(int queue, uint64_t seed, unsigned int forkers,
				      unsigned int each)
{
	struct storm *s = shared(sizeof(*s) + (size_t)forkers * each * sizeof(*s->entry));

	s->queue = queue;
	s->seed = seed;
	s->forkers = forkers;
	s->each = each;
	s->unread = UNREAD;
	return s;
}

/* A line for each of the first of them: all that comes after is no news. */
static inline void wrong(struct storm *s, const char *what, uint64_t token, long value)
{
	if (atomic_fetch_add(&s->wrong, 1) < 20)
		fprintf(stderr, "# %s: %ld, token %llu\n", what, value, (unsigned long long)token);
}

static inline void give_up(struct storm *s, const char *what, uint64_t token, long value)
{
	wrong(s, what, token, value);
	_exit(BROKEN);
}

/* What a child needs; it lies on top of its stack. */
struct will {
	int status;
};

/* It shares its forker's memory, errno too: only calls that do not fail. */
static inline int die_as_told(void *arg)
{
	const struct will *w = arg;

	if (w->status & 0x7f)
		syscall(SYS_kill, syscall(SYS_getpid), w->status);
	syscall(SYS_exit_group, w->status >> 8);
	return 0;
}

/* There may be no pid free for a moment. */
static inline pid_t clone_or_wait(char *stack, int status)
{
	struct will *w = (struct will *)(stack + STACK_SIZE - 64);
	pid_t pid;

	w->status = status;
	do
		pid = clone(die_as_told, w, CLONE_VM | CLONE_FS | CLONE_FILES | SIGCHLD, w);
	while (pid < 0 && errno == EAGAIN);
	return pid;
}

/* @late: enrolled by their pids, alive or dead; else before they are born. */
static inline void bear(struct storm *s, char *stacks, uint64_t first, unsigned int nr, bool late)
{
	struct knell_op op[BURST];

	for (unsigned int i = 0; i < nr; i++) {
		struct entry *e = &s->entry[first + i];
		int64_t watch = late ? 0 : add_next(s->queue, first + i);
		pid_t pid;

		if (watch < 0)
			wrong(s, "OPF_NEXT", first + i, watch);
		e->watch = watch;
		pid = clone_or_wait(stacks + i * STACK_SIZE, status_of(s->seed, first + i));
		if (pid <= 0)
			give_up(s, "clone", first + i, errno);
		e->made = pid;
		op[i] = op_process(pid, 0, first + i);
	}
	if (!late)
		return;
	if (submit_ops(s->queue, op, nr))
		give_up(s, "SUBMIT", first, errno);
	for (unsigned int i = 0; i < nr; i++) {
		if (op[i].result)
			wrong(s, "ADD", first + i, op[i].result);
		s->entry[first + i].watch = op[i].watch;
	}
}

/* All of a burst; wait(2) must tell of them what the seed does. */
static inline void bury(struct storm *s, uint64_t first, unsigned int nr)
{
	unsigned int i;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, __WALL)) > 0) {
		for (i = 0; i < nr && s->entry[first + i].made != pid; i++)
			;
		if (i == nr || status != status_of(s->seed, first + i))
			wrong(s, "wait's status", first + i, status);
	}
	for (i = 0; i < nr; i++)
		s->entry[first + i].dead = true;
}

/* Every other forker leaves no zombies. */
static inline void run_forker(struct storm *s, unsigned int nr)
{
	uint64_t seed = s->seed ^ (nr + 1ULL) << 32, next = (uint64_t)nr * s->each, end = next + s->each;
	char *stacks = shared(BURST * STACK_SIZE);
	bool autoreap = nr & 1;

	pin_to_cpu(nr % sysconf(_SC_NPROCESSORS_CONF));
	if (autoreap)
		catch_signal(SIGCHLD, SIG_DFL, SA_NOCLDWAIT);
	while (next < end && !s->stop) {
		unsigned int some = 1 + (next_random(&seed) >> 11) % BURST;

		if (some > end - next)
			some = end - next;
		bear(s, stacks, next, some, !autoreap && next_random(&seed) & 1);
		bury(s, next, some);
		next += some;
		s->caused += some;
		while ((int)(s->caused - s->read) > s->unread && !s->stop)
			look_later();
	}
	_exit(0);
}

static inline int start_forkers(struct storm *s)
{
	for (unsigned int i = 0; i < s->forkers; i++) {
		pid_t pid = fork();

		if (!pid)
			run_forker(s, i);
		if (pid < 0)
			return -1;
		/* Not by the forker, whose memory it is, too. */
		s->pid[i] = pid;
	}
	return 0;
}

static inline int end_forkers(struct storm *s)
{
	int failed = 0;

	for (unsigned int i = 0; i < s->forkers; i++) {
		int status = reap(s->pid[i]);

		if (status)
			wrong(s, "a forker ended with", i, status);
		failed |= status;
	}
	return failed;
}

/* A reader's side of the book; by anybody who has memory of it. */
static inline void enter_record(struct storm *s, const struct knell_event *ev)
{
	struct entry *e = &s->entry[ev->token];

	if (ev->type != KNELL_EV_EXIT || ev->flags || ev->token >= s->forkers * s->each) {
		wrong(s, "record of type", ev->token, ev->type);
		return;
	}
	if (atomic_fetch_add(&e->reports, 1))
		wrong(s, "told again", ev->token, ev->exit.pid);
	if (ev->exit.status != status_of(s->seed, ev->token))
		wrong(s, "status", ev->token, ev->exit.status);
	e->told = ev->exit.pid;
	s->read++;
}

/* One record for each death caused, with its pid, and none else. */
static inline bool every_death_was_told(struct storm *s)
{
	for (unsigned int i = 0; i < s->forkers * s->each; i++) {
		struct entry *e = &s->entry[i];

		if (e->reports != !!e->made)
			wrong(s, "told that often", i, e->reports);
		if (e->told != e->made)
			wrong(s, "another's death", i, e->told);
	}
	return SO(s->caused == s->read) && SO(!s->wrong);
}

#endif /* _FORKERS_H */
