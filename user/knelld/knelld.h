/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * knelld, a service supervisor that sleeps in one read() of /dev/knell. Its rooms, none of which
 * knows those behind it:
 *
 * ../base     the log
 * ../exec     one command in its environment
 * ../ipc      what descriptors bring: sd_notify(3), sockets, a store of them, the message bus
 * ../procs    the loop, and the processes of commands
 * ../manager  units, the jobs that change them, what others may ask for
 * ../pid1     what only the first process does
 * here        services, sockets and timers
 * ../control  what may be asked, by Varlink
 * ../container  what a container ends with: a command, or one of the units
 *
 * Here: service.c, and stop.c, the life of a service
 * record.c  which process of a unit a record is about
 * verdict.c what an end means, and the line of the log that tells it
 * tree.c    the processes of a unit: whom a signal reaches, what is left
 * pidfile.c which of them is the main one of a service that forks
 * spawn.c   one command of a unit
 * talk.c    what a service says; notified.c: what follows from it
 * socket.c  socket_fds.c: sockets that start services; timer.c
 * state.c   what the next knelld cannot see in a kept queue; takeover.c reads both
 * handover.c	descriptors for the next program
 */
#ifndef _KNELLD_H
#define _KNELLD_H

#include <linux/knell.h>

#include "base.h"
#include "manager.h"
#include "procs.h"

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
	struct knell_event *last;	/* the latest end of a member, where they are reported */
	uint64_t started;		/* CLOCK_MONOTONIC ns, 0: not known */
	uint32_t watch;
	pid_t pid;			/* of the command's process, 0: not known */
	uint32_t cmd;			/* which of the unit's commands of that kind */
	uint32_t left;			/* members when the command's process had ended */
	uint16_t serial;
	uint8_t kind;			/* enum exec_kind */
	uint8_t result;			/* enum result, of its end, while others are left */
	bool exited;			/* the command's process has, and that was dealt with */
	bool empty;			/* all have ended, which is yet to be dealt with */
	bool led;			/* by the one that is followed: procs->led_by() */
	bool lost;			/* reports of members are missing */
	bool taken;			/* a former knelld may have read some */
};

/* service.c */
void service_main_ended(struct unit *u, enum result result);
void service_control_ended(struct unit *u, enum result result);
void service_emptied(struct unit *u);
void service_forked(struct unit *u);
void service_ready(struct unit *u);

/* record.c */
void record(const struct knell_event *ev);
void record_settle(void);
void record_forget_held(struct unit *u);

/* verdict.c */
enum result verdict_judge(const struct unit *u, const struct tree *t, int status);
bool verdict_restarts(const struct unit *u);
uint64_t verdict_delay(struct unit *u);		/* until that, ns */
void verdict_end_text(const struct knell_event *ev, char *buf, size_t size);
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
void state_write(struct unit *u);
void state_settle(void);
void state_end(void);

/* takeover.c */
void takeover_units(bool known);
void takeover_resume(void);

/* spawn.c */
enum result spawn(struct unit *u, enum exec_kind kind, const struct command *cmd);

#endif /* _KNELLD_H */
