/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * knelld, a service supervisor that sleeps in one read() of /dev/knell.
 *
 * lex.c    text: logical lines, words, time spans
 * conf.c   one unit file becomes one struct conf
 * unit.c   the table of units and the directory they come from
 * graph.c  who waits for whom; cycles
 * service.c what a unit does when something happens to it
 * spawn.c  one process; env.c and user.c gather what it needs
 * queue.c  /dev/knell
 * pid1.c   what only the first process does
 */
#ifndef _KNELLD_H
#define _KNELLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <linux/knell.h>

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

enum type { TYPE_SIMPLE, TYPE_ONESHOT };

enum restart {
	RESTART_NO, RESTART_ALWAYS, RESTART_ON_SUCCESS,
	RESTART_ON_FAILURE, RESTART_ON_ABNORMAL, RESTART_ON_ABORT,
};

enum exec_kind { EXEC_START_PRE, EXEC_START, EXEC_STOP_POST, EXEC_KINDS };

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

/* What one unit file says. */
struct conf {
	uint64_t hash;			/* of the text, to notice changes */
	char *description;
	struct dep *deps;
	size_t nr_deps;
	enum type type;
	enum restart restart;
	bool remain;			/* RemainAfterExit= */
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

enum state {
	STATE_DOWN,
	STATE_WAITING,		/* for units it is ordered after */
	STATE_PRE,		/* ExecStartPre= runs */
	STATE_START,		/* ExecStart= of a oneshot runs */
	STATE_RUN,
	STATE_EXITED,		/* RemainAfterExit=: up without a process */
	STATE_TERM,		/* SIGTERM sent */
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
	enum exec_kind kind;		/* of the present process */
	size_t cmd;			/* which of its commands */
	pid_t pid;
	uint32_t watch;			/* of the present process, 0: none */
	int status;			/* of the last main process, wait(2)'s word */
	bool ran;			/* there was one in this run */

	uint32_t timer;			/* one for all it ever waits for */
	uint32_t timer_gen;		/* counts its settings: an old record is stale */
	bool armed;
	uint64_t limit_begin;		/* the window of the start limit */
	unsigned int limit_used;

	struct edge *edges;		/* what this one waits for or requires */
	size_t nr_edges;
	struct unit **followers;	/* units ordered after this one */
	size_t nr_followers;

	bool queued;			/* in service.c's list of units to look at */
	struct unit *queue_next;
	struct unit *via;		/* graph.c: found from there */
	unsigned int mark;
};

/* log.c */
void log_line(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
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
bool env_name_ok(const char *s, size_t len);
bool unit_name_ok(const char *s);

/* conf.c */
enum load { LOAD_OK, LOAD_BAD, LOAD_MASKED };

enum load conf_load(int dirfd, const char *name, struct conf **conf);
enum load conf_parse(const char *name, char *text, size_t len, struct conf **conf);
void conf_free(struct conf *c);
char *file_text(int dirfd, const char *name, size_t *len);
extern const char *const exec_names[EXEC_KINDS];

/* unit.c */
extern struct unit **units;
extern size_t nr_units;

int units_load(const char *dir);
struct unit *unit_find(const char *name);
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
void service_exit(struct unit *u, const struct knell_event *ev);
void service_timer(struct unit *u);
void service_settle(void);
const char *service_result(const struct unit *u);

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
#define TOKEN_BELL	0	/* others: unit id in the low half, timer_gen in the high */

int queue_open(void);
void queue_ring(uint64_t value);
int queue_add_next(uint32_t id, uint32_t *watch);
int queue_add_pid(pid_t pid, uint32_t *watch);
int queue_add_timer(uint32_t *watch);
int queue_set_timer(uint32_t watch, uint64_t token, uint64_t ns);
int queue_kill(uint32_t watch, int sig);
void queue_del(uint32_t watch);
int queue_read(struct knell_event *ev, size_t nr);

/* pid1.c */
bool is_pid1(void);
void pid1_begin(void);
void pid1_end(bool restart) __attribute__((noreturn));
void pid1_hang(void) __attribute__((noreturn));

#endif /* _KNELLD_H */
