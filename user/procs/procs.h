/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The loop, and the processes of commands: by the queue of /dev/knell (queue.c) or, where there is
 * none, by pidfds and process groups (plain.c). Nothing here knows units.
 */
#ifndef _KNELLD_PROCS_H
#define _KNELLD_PROCS_H

#include <linux/knell.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "knell.h"

/* A unit's id, what the watch is for, which command, a number that grows; the loop has bit 63. */
#define TOKEN_NONE	0	/* of no unit */
#define TOKEN_END	(1ULL << 63)
#define ROLE_COMMAND	1	/* and the kind of command */
#define ROLE_PROC	14
#define ROLE_BIRTHS	15
#define TOKEN_CMDS	4096
#define SERIAL_MAX	0x7fff

static inline uint64_t token(uint32_t id, unsigned int role, size_t cmd, uint16_t serial)
{
	return (uint64_t)(serial & SERIAL_MAX) << 48 | (uint64_t)(cmd % TOKEN_CMDS) << 36 |
	       (uint64_t)role << 32 | id;
}

static inline uint32_t token_id(uint64_t t)
{
	return t;
}

static inline unsigned int token_role(uint64_t t)
{
	return t >> 32 & 15;
}

static inline size_t token_cmd(uint64_t t)
{
	return t >> 36 & (TOKEN_CMDS - 1);
}

static inline uint16_t token_serial(uint64_t t)
{
	return t >> 48;
}

/* 0 is none. */
static inline uint16_t serial_next(uint16_t serial)
{
	return serial < SERIAL_MAX ? serial + 1 : 1;
}

/* Ours as long as we live; kept; kept and collecting since another knelld left it. */
enum tenure { QUEUE_OWN, QUEUE_KEPT, QUEUE_TAKEN };

#define QUEUE_NAME_MAX	sizeof(((struct knell_name *)0)->name)
#define BATCH		64	/* records at a time */

/*
 * The processes of commands: kernel_procs by the module (queue.c), plain_procs without (plain.c).
 * A tree is one command's process and all it forks; a watch names it. Both tell of ends as
 * the kernel does, EXIT and then EMPTY, once queue_listen() was called.
 */
struct procs {
	bool autoreaps;			/* no zombies are wanted: SA_NOCLDWAIT */
	uint32_t main_bit;		/* in a watch for kill(): its first process alone */
	/* Before clone: a tree that the next process is the first member of. */
	int (*add_tree)(const char *label, uint64_t token, uint32_t flags, uint32_t *watch);
	/* One that reports births to tell a PID file's truth; -EOPNOTSUPP: there is none. */
	int (*add_births)(const char *label, uint64_t token, uint32_t *watch);
	/* What the child has to do with queue_raw(), at most two. */
	size_t (*self_ops)(uint64_t alone, uint32_t births, struct knell_op *ops);
	int (*born)(uint32_t watch, pid_t pid);
	/* A process that is there already; EEXIST: it is watched. */
	int (*add_pid)(pid_t pid, uint64_t token, uint32_t flags, uint32_t *watch);
	/*
	 * Without the module: a tree whose command is over is from now on the group that @pid
	 * leads, if it does. Is it in the tree then? NULL: it has been all the time.
	 */
	bool (*led_by)(uint32_t watch, pid_t pid);
	/* How many were signalled, at least; by identity, never one that has got the pid since. */
	int (*kill)(uint32_t watch, int sig);
	/* Done with: goes once what its records changed is written down (ack), or now (del). */
	void (*ack)(uint32_t watch);
	void (*del)(uint32_t watch);
};

extern const struct procs *procs;
extern const struct procs kernel_procs, plain_procs;

/* @ev is valid until it returns. */
typedef void procs_tell_fn(const struct knell_event *ev);

int queue_open(const char *as, enum knell_backend backend, enum tenure *tenure);
int queue_listen(procs_tell_fn *tell);		/* 0 or -errno */
extern procs_tell_fn *procs_tell;		/* that one */
struct knell_loop *queue_loop(void);
uint64_t queue_id(void);
void queue_let_go(void);
struct knell_watch_info *queue_left(size_t *nr);
int queue_raw(struct knell_op *op);
int queue_set_token(uint32_t watch, uint64_t token);
void queue_flush(void);

/* holder.c: for queue.c */
int holder_wait(const char *name, uint64_t until);

/* plain.c */
int plain_begin(struct knell_loop *l);

#endif /* _KNELLD_PROCS_H */
