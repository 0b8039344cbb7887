/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Units, the jobs that change them, and what others may ask of the manager.
 *
 * unit.c         the table of units, their files, live reload, names and aliases
 * graph.c        who depends on whom, both ways; units on ordering cycles
 * transaction.c  one request becomes jobs of many units, or is refused
 * job.c          when a job may run, and how it ends
 * change.c       what a change of state leads to
 * service.c target.c timer.c socket.c	the kinds of unit: one struct unit_ops each
 *
 * Everything happens in the loop's one thread. A unit is never freed (its id is in the queue's
 * tokens), so a pointer to one stays good; a struct job is gone when its done callback returns.
 */
#ifndef _KNELLD_MANAGER_H
#define _KNELLD_MANAGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "knell.h"
#include "unit_load.h"

struct unit;
struct tree;
struct notify_socket;

/* What became of a unit's files. */
enum loaded { UNIT_LOADED, UNIT_NOT_FOUND, UNIT_BAD, UNIT_MASKED, UNIT_STUB };

/* What a unit is up to; each state of each kind maps to one (struct unit_ops.states). */
enum active { INACTIVE, ACTIVATING, ACTIVE, RELOADING, DEACTIVATING, FAILED };

/* How the latest run went; the first failure counts. The numbers are in state files. */
enum result {
	RESULT_SUCCESS, RESULT_RESOURCES, RESULT_EXIT_CODE, RESULT_SIGNAL, RESULT_CORE_DUMP,
	RESULT_TIMEOUT, RESULT_START_LIMIT, RESULT_DEPENDENCY, RESULT_BAD_UNIT,
	RESULT_WATCHDOG, RESULT_PROTOCOL, RESULT_CONDITION,
	RESULTS,
};

/* The numbers are in state files. Those behind JOB_TYPES are requests: job_ask() resolves them. */
enum job_type {
	JOB_START, JOB_VERIFY, JOB_STOP, JOB_RELOAD, JOB_RESTART,
	JOB_TYPES,
	JOB_TRY_RESTART = JOB_TYPES,	/* only what is up, or on its way */
	JOB_TRY_RELOAD,
	JOB_RELOAD_OR_RESTART,
	JOB_NOTHING,
};

enum job_result {
	JR_DONE, JR_CANCELED, JR_TIMEOUT, JR_FAILED, JR_DEPENDENCY, JR_SKIPPED, JR_ASSERT,
	JR_INVALID,
	JOB_RESULTS,
};

/**
 * job_done_fn - told once how a job has ended
 * @arg: as given to job_ask() or job_watch()
 * @u: its unit
 * @id: of the job
 */
typedef void job_done_fn(void *arg, struct unit *u, uint32_t id, enum job_result result);

struct job_watcher {
	job_done_fn *done;
	void *arg;
};

struct job {
	uint32_t id;
	uint8_t type;			/* enum job_type, below JOB_TYPES */
	bool running;			/* the unit is at it; else it waits for others */
	bool irreversible;		/* REPLACE_IRREVERSIBLY: only such a one replaces it */
	bool ignore_order;
	uint64_t since;			/* CLOCK_MONOTONIC, ns */
	uint64_t deadline;		/* when it is given up; 0: never */
	knell_task timer;
	struct job_watcher *watchers;
	size_t nr_watchers;
};

/*
 * A dependency from both its ends. The first DEP_KINDS are what files say (enum dep_kind);
 * DEP_INVERSE() of each is how the other unit sees it: RequiredBy, TriggeredBy ...
 */
#define DEP_INVERSE(kind)	((kind) + DEP_KINDS)
#define DEP_SIDES		(2 * DEP_KINDS)

struct edge {
	struct unit *to;
	uint8_t side;			/* enum dep_kind, or DEP_INVERSE() of one */
	uint16_t file;			/* struct where; line 0: another's file, implied */
	uint32_t line;
};

/* The end of one process of a unit, as its history keeps it. In state files: fixed widths. */
struct ending {
	uint64_t time_ns;		/* CLOCK_MONOTONIC */
	uint64_t run_ns;		/* from its fork, 0: not known */
	uint64_t cpu_ns;		/* user and system */
	uint32_t rss_kib;		/* peak */
	int32_t pid;
	int32_t status;			/* wait(2)'s word */
	int32_t killer_pid;
	uint32_t killer_uid;
	uint8_t role;			/* enum exec_kind: EXEC_START is the main process */
	uint8_t flags;			/* ENDING_* */
	uint8_t reserved[2];
};

#define ENDING_FAILURE		(1U << 0)	/* it counted as one for the unit */
#define ENDING_OOM		(1U << 1)
#define ENDING_KILLER		(1U << 2)	/* killer_* are known */
#define ENDING_NOSTATUS		(1U << 3)
#define ENDING_MEMBER		(1U << 4)	/* some process, not the command's own */

#define HISTORY_MAX		8

/* Times of the latest change to each, CLOCK_MONOTONIC ns, 0: never. */
struct times {
	uint64_t activating, activated, deactivating, deactivated;
};

#define UNIT_OWN	6		/* numbers that a kind may save */

struct state_name {
	const char *sub;		/* "auto-restart" */
	enum active active;
	bool waits;			/* down, until unit_arm()'s time is over */
};

/**
 * struct unit_ops - a kind of unit
 * @states: by unit.state, state 0 is down
 * @nr_states: how many
 * @failed: the state that is FAILED
 * @start: from a state that is INACTIVE or FAILED: it goes on from there by unit_set_state(). The
 *	gates (load state, conditions, start limit, BindsTo=) are behind it
 * @stop: from any state that is not INACTIVE, FAILED or DEACTIVATING
 * @reload: from ACTIVE; NULL, or false: there is nothing of the kind to do
 * @triggered: a unit that it triggers has changed, may be NULL
 * @expired: unit_arm()'s time is over
 * @resume: after a takeover: goes on from the state that was restored
 * @changed: its files are others now (u->next), may be NULL
 * @save: what of it has to survive knelld, beyond what is in struct unit; may be NULL
 * @restore: the same from a former knelld; its files are not read yet
 */
struct unit_ops {
	const struct state_name *states;
	size_t nr_states;
	uint8_t failed;
	void (*start)(struct unit *u);
	void (*stop)(struct unit *u);
	bool (*reload)(struct unit *u);
	void (*triggered)(struct unit *u, struct unit *by);
	void (*expired)(struct unit *u);
	void (*resume)(struct unit *u);
	void (*changed)(struct unit *u);
	void (*save)(const struct unit *u, uint64_t own[UNIT_OWN]);
	void (*restore)(struct unit *u, const uint64_t own[UNIT_OWN]);
};

extern const struct unit_ops service_ops, target_ops, timer_ops, socket_ops;

/* For who asks: when a timer triggered last, CLOCK_MONOTONIC ns, 0: never; next: unit.deadline. */
uint64_t timer_last(const struct unit *u);

/* What a kind keeps about its unit while it lives, beyond what follows. */
struct timer_run;
struct socket_run;
struct fd_store;
struct talk;
struct connection;

struct unit {
	char *name;			/* behind the struct */
	const struct unit_ops *ops;
	uint32_t id;
	uint8_t kind;			/* enum unit_kind */
	uint8_t load;			/* enum loaded */
	uint8_t state;			/* of its kind */
	uint8_t result;			/* enum result, of the latest run */
	struct unit_file *file;		/* in force for the present run */
	struct unit_file *next;		/* from the next start on, after a reload; NULL: as @file */
	bool seen;			/* at the latest reload */
	bool gone;			/* its file is, or is masked */
	bool cyclic;			/* it is on a cycle of After= */
	bool wanted;			/* the built-in default target does */

	uint8_t outcome;		/* enum job_result of its latest start, and one; 0: none */
	bool queued;			/* job.c is to look at it */
	uint16_t unmet;			/* which condition was not at the latest start, and one */
	struct unit *queue_next;
	struct job *job;
	struct edge *edges;
	uint32_t nr_edges;
	uint32_t mark;			/* scratch of graph.c and transaction.c */

	struct times times;
	uint64_t since;			/* of unit_active() as it is, CLOCK_MONOTONIC ns */
	uint64_t limit_begin;		/* the window of the start limit */
	uint64_t deadline;		/* of unit_arm(), CLOCK_MONOTONIC ns, 0: not set */
	knell_task timer;
	uint32_t limit_used;
	uint8_t nr_history, history_next;
	/* Processes: service.c, and socket.c for its commands; see knelld.h, tree.c, record.c */
	uint8_t exec;			/* enum exec_kind of the command that is waited for */
	uint8_t type;			/* enum type, as the file said when this run began */
	struct ending *history;		/* a ring of up to HISTORY_MAX */
	struct tree *trees, *main, *control;
	uint32_t cmd;			/* which command of that kind */
	uint32_t proc;
	pid_t pid;			/* of the main process, 0: not known */
	int status;			/* of the last main process, wait(2)'s word */
	uint16_t serial, main_serial, control_serial;
	uint8_t kill_mode;
	bool touched;			/* state.c is to look at it */
	bool follows;			/* u->proc was named to us: PID file, MAINPID= */
	bool guessed;			/* takeover.c: what it is at is told by its trees */
	bool heard;			/* of an end since state.c has written it down */
	bool main_exited, main_done, ran;
	bool stop_asked;		/* by a job: it is not to be restarted */
	bool ready;			/* READY=1 came, or the bus name */
	bool reload_failed;
	bool came_up;			/* in this run */
	uint32_t restarts;		/* without anybody's doing, since a job started it */
	uint32_t restart_step;		/* RestartSteps= taken */
	uint32_t restarts_ever;		/* for those who count */
	uint32_t written;		/* state.c's sum of it */
	struct unit *touched_next;
	struct births *births;
	struct knell_event *held;
	char *failure;			/* what kept a command of this run from running, in words */

	/* notify.c and its friends */
	struct notify_socket *notify;
	char *status_text;		/* STATUS= */
	uint64_t watchdog_ns;		/* WATCHDOG_USEC=, or as the file says; 0: none */
	uint64_t watchdog_deadline;
	knell_task watchdog;
	struct fd_store *fds;
	uint32_t had_fds;		/* so many, as a former knelld has written down */
	struct talk *talk;		/* talk.c's own */
	union {
		struct connection *connection;	/* of a service that socket.c started for one */
		struct timer_run *timer_run;
		struct socket_run *socket_run;
	};
	uint32_t boot_began, boot_up;	/* in the boot, us after manager.started; 0: not */
	int status_errno;		/* ERRNO= */
	uint64_t invocation[2];		/* of this run: $INVOCATION_ID; 0: none was yet */
};

/* unit.c */

extern struct unit **units;		/* all, by id: units[id - 1] */
extern size_t nr_units;

/* By name or alias, among those that are there; NULL. */
struct unit *unit_find(const char *name);
/* The same, and its files are read if it is not there: NULL if @name is no name of a unit. */
struct unit *unit_get(const char *name);
struct unit *unit_look_up(const char *name);
struct unit *unit_by_id(uint32_t id);
/* What the files say now: what the next start will use. Never NULL once they were read. */
const struct unit_file *unit_latest(const struct unit *u);
enum active unit_active(const struct unit *u);
const char *unit_sub(const struct unit *u);		/* "auto-restart" */
bool unit_awaits_restart(const struct unit *u);
bool unit_is_up(const struct unit *u);			/* ACTIVE, RELOADING */
bool unit_is_down(const struct unit *u);		/* INACTIVE, FAILED */
bool unit_can_reload(const struct unit *u);
/* Of its Exec lines, by kind: services and sockets have them, else they are empty. */
const struct commands *unit_commands(const struct unit *u, enum exec_kind kind);
const struct exec_context *unit_exec(const struct unit *u);
const struct kill_context *unit_kill(const struct unit *u);
/* "a.service:12", where @w is; in a static buffer. */
const char *unit_where(const struct unit_file *f, struct where w);

/* For the kinds: the one way to change a state. What follows from it happens in here. */
void unit_set_state(struct unit *u, uint8_t state);
/* One timer a unit, which survives a takeover: ops->expired() at @deadline; 0: none. */
void unit_arm_at(struct unit *u, uint64_t deadline);
void unit_arm(struct unit *u, uint64_t ns);		/* from now; FOREVER: none */
void unit_disarm(struct unit *u);
/* Forgets failure, start limit and steps of the restart delay. */
void unit_reset_failed(struct unit *u);
void unit_note_ending(struct unit *u, const struct ending *e);
/* The @nr-th latest, 0 is the last; NULL: there are not so many. */
const struct ending *unit_ending(const struct unit *u, size_t nr);

/* job.c */

/**
 * job_ask - change a unit, and all that has to follow
 * @u: unit
 * @type: may be a request (JOB_TRY_RESTART ...)
 * @mode: how it gets along with jobs that are there
 * @done: told how it ended; may be NULL. Not called if this returns 0 or less
 * @arg: for @done
 * @why: out, may be NULL: for an error, in words; in a static buffer
 *
 * Return: the job's id; 0: there is nothing to be done; -ENOENT no file, -EPERM the files forbid
 * it, -EDEADLK it contradicts itself or (mode FAIL) jobs that are there, -EOPNOTSUPP no such thing
 * is done by that kind of unit, -ESHUTDOWN all is being stopped
 */
int64_t job_ask(struct unit *u, enum job_type type, enum job_mode mode, job_done_fn *done,
		void *arg, const char **why);
struct unit *job_unit(uint32_t id);			/* whose job; NULL: there is no such */
void job_watch(struct job *j, job_done_fn *done, void *arg);
void job_unwatch(void *arg);				/* @arg hears of no job any more */
void job_cancel(struct unit *u);
/* Does @u wait for a job of @other? For those who ask why. */
bool job_waits_for(const struct unit *u, const struct unit *other);
size_t job_count(void);
const char *job_type_name(enum job_type type);		/* "try-restart" */
const char *job_result_name(enum job_result result);
const char *active_name(enum active active);
const char *result_name(enum result result);		/* "exit-code" */
const char *loaded_name(enum loaded load);
const char *edge_name(uint8_t side);			/* "Requires", "RequiredBy" */

/* The manager as a whole: manager.c */

/* Whether units are stopped first; IMMEDIATE: nor processes ended, nor file systems unmounted. */
enum haste { ORDERLY, FORCED, IMMEDIATE };

enum ending_how { END_EXIT, END_POWEROFF, END_REBOOT, END_HALT, END_REEXEC, END_KEXEC };

struct manager {
	const char *default_target;	/* its name */
	bool default_named;		/* by who started us */
	bool user;			/* --user */
	bool stopping;			/* all is being stopped, no new starts */
	enum ending_how how;		/* what comes after */
	enum haste haste;
	const char *reboot_argument;	/* RebootArgument= of the unit that asked for it */
	int exit_status;
	uint64_t started;		/* CLOCK_MONOTONIC ns */
	uint64_t finished;		/* when the boot's jobs were over, 0: they are not */
	struct unit_dirs *dirs;
	const char *queue_name;		/* NULL: nothing outlives knelld */
};

extern struct manager manager;

/* Reads the files again: 0 or -errno. What changed is told by events and lines of the log. */
int manager_reload(void);
/* Stops everything, then does so; the first of these decides. */
void manager_stop(enum ending_how how, int status);
/* At the end of the loop's turn: the new program goes on with what is there. 0 or -errno. */
int manager_reexec(void);

enum event_kind {
	EVENT_UNIT, EVENT_JOB_NEW, EVENT_JOB_DONE, EVENT_EXIT, EVENT_TIMER, EVENT_RELOAD,
	EVENT_SHUTDOWN,
};

/* Something has happened; valid until the hook returns, and the hook changes nothing. */
struct event {
	enum event_kind kind;
	struct unit *unit;		/* NULL: RELOAD, SHUTDOWN */
	uint32_t job;			/* JOB_* */
	enum job_type job_type;
	enum job_result job_result;
	const struct ending *ending;	/* EXIT */
};

/* Set by who wants to know; NULL: nobody. */
extern void (*manager_hook)(const struct event *ev);
void manager_tell(const struct event *ev);

/* What outlives the manager, written down by who keeps it (knelld's state.c). */
void state_touch(struct unit *u);	/* something about it has changed, or may have */
void state_manager(void);		/* of the manager itself: the boot, the end */

/* service.c, for notify.c and the bus: a message of a service has come. */
struct notify;
void service_notified(struct unit *u, struct notify *n);
/* The name of Type=dbus has an owner, or (@owned false) has lost it. */
void service_bus_name(struct unit *u, bool owned);
/* Signals: "main", "control" or "all" of it; how many, or -errno. */
int service_kill(struct unit *u, int sig, bool main, bool control);

#endif /* _KNELLD_MANAGER_H */
