/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * knelld, a service supervisor that sleeps in one read() of /dev/knell.
 *
 * lex.c    text: logical lines, words, time spans
 * conf.c   one unit file becomes one struct conf
 * unit.c   the table of units and the directory they come from
 * graph.c  who waits for whom; cycles
 * service.c what a unit does when something happens to it
 * record.c which process of a unit a record is about
 * verdict.c what an end means, and the line of the log that tells it
 * tree.c   the processes of a unit: whom a signal reaches, what is left
 * pidfile.c which of them is the main one of a service that forks
 * spawn.c  one command; env.c and user.c gather what it needs
 * queue.c  the queue of /dev/knell and the loop on it, which is libknell's; plain.c: without one
 * state.c  what the next knelld cannot see in a kept queue; takeover.c reads both
 * pid1.c   what only the first process does
 */
#ifndef _KNELLD_H
#define _KNELLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <linux/knell.h>

#include "knell.h"

#define NSEC_PER_SEC	1000000000ULL
#define NSEC_PER_MSEC	1000000ULL
#define FOREVER		UINT64_MAX	/* the time span "infinity" */
#define FILE_MAX	(1U << 20)	/* no unit or environment file is larger */
#define BLANKS		" \t\n\r"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

/* A list of strings with room for the NULL that exec wants. */
struct strv {
	char **v;
	size_t nr;
};

enum type { TYPE_SIMPLE, TYPE_ONESHOT, TYPE_FORKING };

enum restart {
	RESTART_NO, RESTART_ALWAYS, RESTART_ON_SUCCESS,
	RESTART_ON_FAILURE, RESTART_ON_ABNORMAL, RESTART_ON_ABORT,
};

enum kill_mode { KILL_CONTROL_GROUP, KILL_MIXED, KILL_PROCESS, KILL_NONE };

enum exec_kind {
	EXEC_START_PRE, EXEC_START, EXEC_START_POST, EXEC_STOP, EXEC_STOP_POST, EXEC_KINDS,
};

enum dep_kind { DEP_AFTER, DEP_BEFORE, DEP_REQUIRES, DEP_WANTS };

/* struct command.flags: the prefixes of an Exec line */
#define CMD_IGNORE_FAILURE	(1U << 0)	/* - */
#define CMD_PRIVILEGED		(1U << 1)	/* + and ! */
#define CMD_NO_EXPAND		(1U << 2)	/* : */

struct command {
	char *path;
	struct strv argv;
	unsigned int flags;
	unsigned int line;
};

struct commands {
	struct command *v;
	size_t nr;
};

struct dep {
	char *name;
	enum dep_kind kind;
	unsigned int line;
};

/* A path that may be missing if it was written with a leading "-". */
struct path {
	char *name;
	bool optional;
	unsigned int line;
};

/* Ends of a process, as SuccessExitStatus= lists them. */
struct ends {
	uint64_t codes[4];		/* a bit for each exit status */
	uint64_t signals;		/* bit n - 1 for signal n */
};

/* What one unit file says. */
struct conf {
	uint64_t hash;			/* of the text, to notice changes */
	char *description;
	struct dep *deps;
	size_t nr_deps;
	enum type type;
	enum restart restart;
	bool remain;			/* RemainAfterExit= */
	enum kill_mode kill_mode;
	int kill_signal;
	int final_signal;		/* FinalKillSignal= */
	bool send_sigkill;
	bool send_sighup;
	struct ends success;		/* SuccessExitStatus= */
	struct ends no_restart;		/* RestartPreventExitStatus= */
	struct path pid_file;
	struct commands exec[EXEC_KINDS];
	uint64_t restart_ns;
	uint64_t start_ns;		/* TimeoutStartSec= */
	uint64_t stop_ns;		/* TimeoutStopSec= */
	bool start_set;			/* TimeoutStartSec= was given */
	uint64_t limit_ns;		/* StartLimitIntervalSec= */
	unsigned int limit_burst;
	struct strv env;
	struct path *env_files;
	size_t nr_env_files;
	struct path cwd;
	struct path user;
	struct path group;
};

/* The numbers are in state files: new ones go to the end. */
enum state {
	STATE_DOWN,
	STATE_WAITING,		/* for units it is ordered after */
	STATE_PRE,		/* ExecStartPre= runs */
	STATE_START,		/* ExecStart= of a oneshot or forking service runs */
	STATE_START_POST,	/* ExecStartPost= runs */
	STATE_RUN,
	STATE_EXITED,		/* RemainAfterExit=: up without a main process */
	STATE_STOP,		/* ExecStop= runs */
	STATE_TERM,		/* KillSignal= sent */
	STATE_KILL,		/* SIGKILL sent */
	STATE_POST,		/* ExecStopPost= runs */
	STATE_POST_TERM,
	STATE_POST_KILL,
	STATE_DELAY,		/* until RestartSec= is over */
	NR_STATES,
};

/* How the latest run went; the first failure counts. */
enum result {
	RESULT_SUCCESS,
	RESULT_RESOURCES,
	RESULT_EXIT_CODE,
	RESULT_SIGNAL,
	RESULT_CORE_DUMP,
	RESULT_TIMEOUT,
	RESULT_START_LIMIT,
	RESULT_DEPENDENCY,
	RESULT_BAD_UNIT,
};

/* Whether units ordered after this one may go on, and those that require it. */
enum start { START_NONE, START_PENDING, START_DONE, START_FAILED };

struct unit;

struct edge {
	struct unit *to;
	enum dep_kind kind;		/* DEP_AFTER or DEP_REQUIRES */
	const struct unit *origin;	/* whose file says so, as After= or Before= */
	unsigned int line;
};

/* One command and all it forks. Without conf's consent none outlives the unit's run. */
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
	struct knell_event *last;	/* the latest end of a member, where they are reported */
};

/* Who was born while a forking service started, to know whether its PID file tells the truth. */
struct births {
	uint32_t watch;
	bool lost;			/* some report is missing */
	size_t left;			/* members when the first process had ended */
	pid_t *pids;
	size_t nr;
};

/* A unit is never freed: its id is in tokens that may still be read. */
struct unit {
	char *name;
	uint32_t id;
	struct conf *conf;		/* in force for the present run */
	struct conf *next;		/* from the next start on, after a reload */
	bool seen;			/* at the latest reading of the directory */
	bool gone;			/* its file is, or is masked */
	bool bad;			/* its file is, and there was no better one before */
	bool cyclic;			/* its ordering is */
	bool lacks;			/* a unit that it requires */

	enum state state;
	enum start start;
	enum result result;
	enum exec_kind kind;		/* of the command that is waited for */
	size_t cmd;			/* which of them */

	/* As the file said when this run began; another knelld may have read it. */
	enum type type;
	enum kill_mode kill_mode;

	struct tree *trees;		/* all that have a member, or an end not dealt with */
	struct tree *main;		/* of ExecStart='s command, NULL: none */
	struct tree *control;		/* of any other command that runs */
	uint16_t serial;		/* of the latest tree */
	uint16_t main_serial;		/* of the one in u->main, or to be put there */
	uint16_t control_serial;
	pid_t pid;			/* of the main process, 0: not known */
	uint32_t proc;			/* a PROCESS watch on it where it is to be signalled alone */
	bool follows_pid_file;		/* u->proc is the process that the PID file names */
	struct knell_event *held;	/* its end, while its tree may still tell who killed it */
	bool main_exited;		/* of u->main, told by the state file */
	bool main_done;			/* the main process has ended, and it was dealt with */
	struct births births;
	int status;			/* of the last main process, wait(2)'s word */
	bool ran;			/* there was one in this run */

	knell_task timer;		/* one for all it ever waits for */
	uint64_t deadline;		/* CLOCK_MONOTONIC, 0: not set */
	uint64_t limit_begin;		/* the window of the start limit */
	unsigned int limit_used;

	struct edge *edges;		/* what this one waits for or requires */
	size_t nr_edges;
	struct unit **followers;	/* units ordered after this one */
	size_t nr_followers;

	bool queued;			/* in service.c's list of units to look at */
	struct unit *queue_next;
	bool touched;			/* in state.c's list of units to write */
	struct unit *touched_next;
	uint32_t written;		/* checksum of what was written last */
	struct unit *via;		/* graph.c: found from there */
	unsigned int mark;
};

/* log.c */
void log_line(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
const char *signal_name(int sig);
uint64_t now_ns(void);
const char *span_text(uint64_t ns, char *buf, size_t size);

/* mem.c: never NULL: a supervisor waits for memory rather than die */
void *xcalloc(size_t nr, size_t size);
void *xgrow(void *p, size_t nr, size_t size);
char *xstrdup(const char *s);
char *xasprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void strv_add(struct strv *v, char *s);
void strv_free(struct strv *v);

/* lex.c */
struct lines {
	char *pos;
	unsigned int line;
};

char *lines_next(struct lines *l, unsigned int *line);
char *strip(char *s);
int word_next(const char **p, char **word);
char *specifiers(const char *s, const char *unit);
int parse_span(const char *s, uint64_t *ns);
int parse_bool(const char *s, bool *b);
int parse_signal(const char *s, int *sig);
bool env_name_ok(const char *s, size_t len);
bool unit_name_ok(const char *s);

/* conf.c */
enum load { LOAD_OK, LOAD_BAD, LOAD_MASKED };

enum load conf_load(int dirfd, const char *name, struct conf **conf);
enum load conf_parse(const char *name, char *text, size_t len, struct conf **conf);
struct conf *conf_new(void);
void conf_free(struct conf *c);
uint64_t text_hash(const char *text, size_t len);
char *file_text(int dirfd, const char *name, size_t *len);
extern const char *const exec_names[EXEC_KINDS];

/* unit.c */
extern struct unit **units;
extern size_t nr_units;

int units_load(const char *dir);
struct unit *unit_find(const char *name);
struct unit *unit_add(const char *name);
struct unit *unit_by_id(uint32_t id);
const struct conf *unit_latest(const struct unit *u);
bool unit_refused(const struct unit *u);

/* graph.c */
enum verdict { MAY_START, MUST_WAIT, MUST_FAIL };

void graph_build(void);
enum verdict graph_may_start(const struct unit *u, const struct edge **why);
bool graph_may_stop(const struct unit *u);

/* service.c */
void service_start_new(void);
void service_stop_all(void);
bool service_stopping(void);
bool service_all_stopped(void);
void service_main_ended(struct unit *u, enum result result);
void service_control_ended(struct unit *u, enum result result);
void service_emptied(struct unit *u);
void service_expired(struct unit *u);
void service_forked(struct unit *u);
void service_settle(void);
void service_restore(struct unit *u, enum state state, enum start start);
void service_resume(struct unit *u);

/* record.c */
void record(const struct knell_event *ev);
void record_settle(void);
void record_forget_held(struct unit *u);

/* verdict.c */
enum result verdict_judge(const struct unit *u, const struct tree *t, int status);
bool verdict_restarts(const struct unit *u);
const char *verdict_text(enum result r);
void verdict_tell(const struct unit *u, const char *who, const struct knell_event *ev);

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
int tree_kill_control(const struct unit *u, int sig);
size_t tree_count(const struct unit *u);

/* pidfile.c */
void births_note(struct unit *u, const struct knell_event *ev);
void births_end(struct unit *u);
bool pid_file_follow(struct unit *u);
void pid_file_remove(const struct unit *u);

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
void takeover_resume(bool known);

/* spawn.c */
int spawn_init(void);
enum result spawn(struct unit *u, enum exec_kind kind, const struct command *cmd);

/* env.c */
void env_put(struct strv *env, char *assignment);
void env_set(struct strv *env, const char *name, const char *value);
void env_expand(const struct command *cmd, const struct strv *env, struct strv *argv);
unsigned int env_file(const char *text, struct strv *env);

/* user.c */
struct cred {
	bool set_uid, set_gid;
	uid_t uid;
	gid_t gid;
	gid_t *groups;
	size_t nr_groups;
	char *name, *home, *shell;
};

int cred_find(const struct unit *u, struct cred *cred);
void cred_free(struct cred *cred);

/* queue.c */
/* A unit's id, what the watch is for, which command, and a number that grows; the loop has bit 63. */
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
#define QUEUE_NAME_MAX	sizeof(((struct knell_name *)0)->name)

#define BATCH		64	/* records at a time */

enum tenure { QUEUE_OWN, QUEUE_KEPT, QUEUE_TAKEN };

/*
 * The processes of commands: kernel_procs by the module (queue.c), plain_procs without it (plain.c).
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
	/* Done with: goes once what its records have changed is written down (ack), or now (del). */
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
void pid1_end(bool restart) __attribute__((noreturn));
void pid1_hang(void) __attribute__((noreturn));

#endif /* _KNELLD_H */
