/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * knelld, a service supervisor that sleeps in one read() of /dev/knell.
 *
 * manager.h is what units and jobs are, and who makes them be. Below it:
 *
 * record.c  which process of a unit a record is about
 * verdict.c what an end means, and the line of the log that tells it
 * tree.c    the processes of a unit: whom a signal reaches, what is left
 * pidfile.c which of them is the main one of a service that forks
 * spawn.c   one command; exec_*.c, env.c and user.c gather what it needs
 * talk.c    what a service says: notify.c, fdstore.c, bus.c
 * queue.c   the queue of /dev/knell and the loop on it, which is libknell's; plain.c: without one
 * state.c   what the next knelld cannot see in a kept queue; takeover.c reads both
 * pid1.c    what only the first process does; unmount.c: last of all
 */
#ifndef _KNELLD_H
#define _KNELLD_H

#include <linux/knell.h>

#include "manager.h"

#define BLANKS		" \t\n\r"
#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

/* Of services. The numbers are in state files. */
enum state {
	STATE_DEAD,
	STATE_CONDITION,	/* ExecCondition= runs */
	STATE_PRE,		/* ExecStartPre= runs */
	STATE_START,		/* ExecStart= runs, and it is not up before it ends or says so */
	STATE_START_POST,	/* ExecStartPost= runs */
	STATE_RUN,
	STATE_EXITED,		/* RemainAfterExit=: up without a main process */
	STATE_RELOAD,		/* ExecReload= runs */
	STATE_RELOAD_NOTIFY,	/* until it says that it has reloaded */
	STATE_STOP,		/* ExecStop= runs */
	STATE_ABORT,		/* WatchdogSignal= sent */
	STATE_TERM,		/* KillSignal= sent */
	STATE_KILL,		/* SIGKILL sent */
	STATE_POST,		/* ExecStopPost= runs */
	STATE_POST_TERM,
	STATE_POST_KILL,
	STATE_DELAY,		/* until RestartSec= is over */
	STATE_FAILED,
	NR_STATES,
};

/* One command and all it forks. Without the file's consent none outlives the unit's run. */
struct tree {
	struct tree *next;
	uint32_t watch;
	uint16_t serial;
	enum exec_kind kind;
	size_t cmd;			/* which of the unit's commands of that kind */
	pid_t pid;			/* of the command's process, 0: not known */
	bool exited;			/* that one has ended, and it was dealt with */
	size_t left;			/* members when it had */
	enum result result;		/* of its end, if it is no ExecStart= */
	bool empty;			/* all have ended, which is yet to be dealt with */
	bool lost;			/* reports of members are missing */
	bool taken;			/* a former knelld may have read some */
	uint64_t started;		/* CLOCK_MONOTONIC ns, 0: not known */
	struct knell_event *last;	/* the latest end of a member, where they are reported */
};

/* log.c: lines are written when log_flush() is called, or there are many */
void log_line(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_flush(void);
const char *signal_name(int sig);
uint64_t now_ns(void);
const char *span_text(uint64_t ns, char *buf, size_t size);

/* unit.c */
struct unit *unit_add(const char *name);
void unit_lost(struct unit *u, enum loaded load);
void unit_take_latest(struct unit *u);
void units_reload(void);

/* graph.c */
void graph_changed(void);
void graph_settle(void);
const struct edge *graph_edge(const struct unit *u, const struct unit *to, uint8_t side);

/* transaction.c */
int transaction(struct unit *u, enum job_type type, enum job_mode mode, const char **why);
const char *edge_text(const struct unit *u, const struct edge *e);
int job_merge(const struct unit *u, enum job_type a, enum job_type b);

/* job.c */
void job_install(struct unit *u, enum job_type type, enum job_mode mode);
void job_finish(struct unit *u, enum job_result result);
void job_look_at(struct unit *u);
void job_settle(void);
void job_restore(struct unit *u, uint32_t id, enum job_type type, bool irreversible);
const struct unit *unit_missing_bond(const struct unit *u);
const char *limit_text(const struct unit *u, char *buf, size_t size);

/* change.c */
void unit_check_steady(struct unit *u);

/* manager.c */
extern struct unit_options manager_options;

int manager_load(void);
void manager_begin(bool resume);
void manager_resume_stop(void);
void manager_settled(void);
void manager_emergency(enum emergency what, const struct unit *u, const char *why);
bool manager_over(void);
int manager_check(void);

/* service.c */
bool unit_awaits_restart(const struct unit *u);
void service_main_ended(struct unit *u, enum result result);
void service_control_ended(struct unit *u, enum result result);
void service_emptied(struct unit *u);
void service_forked(struct unit *u);
void service_ready(struct unit *u);
void service_stops_itself(struct unit *u);
void service_reloads_itself(struct unit *u);
void service_watchdog(struct unit *u);

/* record.c */
void record(const struct knell_event *ev);
void record_settle(void);
void record_forget_held(struct unit *u);

/* verdict.c */
enum result verdict_judge(const struct unit *u, const struct tree *t, int status);
bool verdict_restarts(const struct unit *u);
uint64_t verdict_delay(struct unit *u);		/* until that, ns */
void verdict_tell(struct unit *u, const struct tree *t, const char *who,
		  const struct knell_event *ev);

/* tree.c */
/* How a command's process comes into its tree; spawn() has one on its stack. */
struct enrol {
	uint32_t watch;
	uint16_t serial;
	struct knell_op ops[2];		/* what the child has to do itself */
	size_t nr_ops;
};

struct tree *tree_add(struct unit *u, uint32_t watch, uint16_t serial, enum exec_kind kind,
		      size_t cmd, pid_t pid);
struct tree *tree_find(const struct unit *u, uint32_t watch);
int tree_enrol(struct unit *u, enum exec_kind kind, struct enrol *e);
int tree_enrol_self(struct enrol *e);
int tree_born(struct unit *u, enum exec_kind kind, const struct enrol *e, pid_t pid);
void tree_unborn(struct unit *u, enum exec_kind kind, const struct enrol *e, pid_t pid);
void tree_drop(struct unit *u, struct tree *t);
void tree_drop_proc(struct unit *u);
void tree_release(struct unit *u);
bool tree_has_members(const struct unit *u);
bool tree_is_up(const struct unit *u);
bool tree_is_awaited(const struct unit *u);
int tree_kill(const struct unit *u, int sig, bool all);
int tree_kill_main(const struct unit *u, int sig);
int tree_kill_control(const struct unit *u, int sig);
int tree_kill_members(const struct unit *u, int sig);
size_t tree_count(const struct unit *u);

/* pidfile.c */
void births_note(struct unit *u, const struct knell_event *ev);
void births_begin(struct unit *u, uint16_t serial);
void births_end(struct unit *u);
uint32_t births_watch(const struct unit *u);
void births_left(struct unit *u, size_t members);
bool pid_file_follow(struct unit *u);
void pid_file_remove(const struct unit *u);
const char *pid_follow(struct unit *u, pid_t pid);

/* state.c */
void state_begin(const char *name, uint64_t queue);
bool state_load(const char *name, uint64_t queue, bool *stopping);
void state_touch(struct unit *u);
void state_write(struct unit *u);
void state_stopping(void);
void state_settle(void);
void state_end(void);

/* takeover.c */
void takeover_units(bool known);
void takeover_resume(void);

/* spawn.c */
enum result spawn(struct unit *u, enum exec_kind kind, const struct command *cmd);

/* queue.c */
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
 * A tree is one command's process and all it forks; a watch names it. Both tell of ends by
 * record(), EXIT and then EMPTY, as the kernel does.
 */
struct procs {
	bool autoreaps;			/* no zombies are wanted: SA_NOCLDWAIT */
	uint32_t main_bit;		/* in a tree's watch for kill(): its first process alone */
	/* Before clone: a tree that the next process is the first member of. */
	int (*add_tree)(const char *label, uint64_t token, uint32_t flags, uint32_t *watch);
	/* One that reports births to tell a PID file's truth; -EOPNOTSUPP: there is none. */
	int (*add_births)(const char *label, uint64_t token, uint32_t *watch);
	/* What the child has to do with queue_raw(), at most two. */
	size_t (*self_ops)(uint64_t alone, uint32_t births, struct knell_op *ops);
	int (*born)(uint32_t watch, pid_t pid);
	/* A process that is there already; EEXIST: it is watched. */
	int (*add_pid)(pid_t pid, uint64_t token, uint32_t flags, uint32_t *watch);
	/* How many were signalled, at least; by identity, never one that has got the pid since. */
	int (*kill)(uint32_t watch, int sig);
	/* Done with: goes once what its records changed is written down (ack), or now (del). */
	void (*ack)(uint32_t watch);
	void (*del)(uint32_t watch);
};

extern const struct procs *procs;
extern const struct procs kernel_procs, plain_procs;

int queue_open(const char *as, enum knell_backend backend, enum tenure *tenure);
struct knell_loop *queue_loop(void);
uint64_t queue_id(void);
void queue_let_go(void);
struct knell_watch_info *queue_left(size_t *nr);
int queue_raw(struct knell_op *op);
int queue_set_token(uint32_t watch, uint64_t token);
void queue_flush(void);

/* plain.c */
int plain_begin(struct knell_loop *l);

/* pid1.c */
bool is_pid1(void);
void pid1_begin(void);
int pid1_listen(struct knell_loop *l);
void pid1_end(enum ending_how how) __attribute__((noreturn));
void pid1_hang(void) __attribute__((noreturn));

/* unmount.c */
size_t unmount_all(void);

#endif /* _KNELLD_H */
