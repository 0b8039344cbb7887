/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * knellctl, the command line of knelld.
 *
 * main.c    options, the table of commands, their help
 * call.c    talks to knelld; what its errors mean for whoever typed the command
 * out.c     text for people: nothing gets to a terminal that could do something there
 * jobs.c    start, stop and the others that wait for jobs
 * list.c    tables: list, list-jobs, timers, history; is-active and is-failed
 * status.c  status; why.c  why a unit is as it is, in words
 * show.c    show; deps.c list-dependencies; events.c events
 * files.c   what works on unit files, without knelld, too: enable, mask, cat, verify ...
 * tree.c    processes of units, out of /proc
 * plot.c    the boot chart, blame
 * queues.c queues of the module, their watches, members; monitor.c what they all hear
 * netlink.c how the module is asked that; messages.c what it says
 * blackbox.c what the machine did before it was reset; box.c reads the image of that
 * manager.c what concerns knelld as a whole; http.c serves its metrics
 *
 * Whatever comes from knelld or from a unit file may be hostile: text goes to the terminal by
 * out.c alone, and nothing is taken for granted of a reply's form (get() and its kin).
 */
#ifndef _KNELLCTL_H
#define _KNELLCTL_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "unit_load.h"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define USEC_PER_SEC	1000000ULL

/* Exit status, as systemctl(1) and the LSB have them. */
enum {
	EX_OK = 0,
	EX_FAILED = 1,		/* in general; is-failed: it has not */
	EX_USAGE = 2,
	EX_NOT_RUNNING = 3,	/* is-active, status: it is not */
	EX_NOT_DONE = 3,	/* it is no such unit */
	EX_UNKNOWN = 4,		/* status: no such unit */
	EX_DENIED = 4,
	EX_NO_UNIT = 5,
	EX_REFUSED = 6,		/* its files forbid it */
};

/* Bits of struct verb.options; OPTION_BITS names those that main.c's table has. */
enum option_id {
	O_HELP, O_VERSION, O_JSON, O_SOCKET, O_USER, O_QUIET, O_NO_BLOCK, O_MODE, O_TYPE, O_STATE,
	O_ALL, O_PLAIN, O_FAILED, O_LINES, O_SIGNAL, O_WHOM, O_ROOT, O_UNIT_DIR, O_COMPAT,
	O_RUNTIME, O_FORCE, O_NOW, O_NO_RELOAD, O_FOLLOW, O_REVERSE, O_PROPERTY, O_VALUE, O_CPU,
	O_STATUS, O_HTTP, O_QUEUE, OPTIONS,
};
#define BIT(o)	(1U << (o))

struct opts {
	unsigned int given;		/* BIT() of each that was */
	const char *socket;
	bool user, json, quiet, no_block, all, plain, runtime, force, now, no_reload, follow,
	     reverse, value, compat, http;
	const char *mode, *type, *state, *whom, *root, *property, *queue;
	int signal;			/* 0: not given */
	long lines;			/* -1: not given */
	long status;			/* -1: not given */
	int cpu;			/* -1: not given */
	struct strv dirs;
};

extern struct opts opt;

/* struct verb.max: any number */
#define ANY	100000

struct verb {
	const char *name;
	int (*run)(const struct verb *cmd, char **args, size_t nr);
	unsigned int min, max;		/* arguments */
	unsigned int options;		/* beside those that all have */
	const char *args;		/* as the help shows them */
	const char *help;
	const char *word;		/* the command's own: a method, a state */
};

/* call.c: all without the interface in names */
/* 0, or -errno: nothing is said. -EREMOTEIO: call_error() is what knelld has answered. */
int call(const char *method, json_t *params, json_t **reply);
int call_many(const char *method, json_t *params);
int call_next(json_t **reply);
/* Waits so long for the next reply (-1: for ever): 1, or 0, there is none yet. */
int call_wait(int timeout_ms);
const char *call_error(void);
bool call_error_is(const char *name);
/* Says why a call failed, and which exit status that is. */
int call_failed(int err);
/* Both: an exit status, 0 with a reply. */
int call_or_say(const char *method, json_t *params, json_t **reply);
int error_status(const char *error);
const char *error_words(const char *error);
/* Is knelld there? */
bool call_possible(void);
/* The next call connects anew. */
void call_close(void);

/* Of a reply, whatever it looks like; @path "a.b.c". "", 0, NULL or false if it is not so. */
const json_t *get(const json_t *o, const char *path);
const char *get_str(const json_t *o, const char *path);
json_int_t get_int(const json_t *o, const char *path);
bool get_bool(const json_t *o, const char *path);
size_t get_size(const json_t *o, const char *path);
/* Is there anything? */
bool has(const json_t *o, const char *path);
bool is_str(const json_t *o, const char *path, const char *s);

/* out.c */
enum colour { PLAIN, BOLD, DIM, RED, GREEN, YELLOW, BLUE };

void out_begin(void);
/* To standard output; what comes by %s is made harmless. */
void print(enum colour c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void print_to(FILE *f, enum colour c, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* To standard error, after "knellctl: ", a line. */
void complain(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Of text that is to be shown: a copy to be freed, no control characters in it. */
char *harmless(const char *s);
size_t width_of(const char *s);
/* Of text that may be no UTF-8. */
json_t *json_harmless(const char *s);
/* As JSON, a line; harmless, too. Takes it over. */
int out_json(json_t *j);
/* The same in one line in any case, for streams. */
int out_json_line(json_t *j);
/* Standard output as it is, for text that is made for programs; harmless on a terminal. */
void out_text(const char *s, size_t len);
/* Were all of it written? An exit status. */
int out_end(int status);
bool out_is_terminal(void);
bool err_is_terminal(void);

#define SPAN_MAX	48
#define TIME_MAX	64
/* "1min 30s", at most two units of it */
const char *span_words(uint64_t usec, char buf[SPAN_MAX]);
/* "Sun 2026-11-22 03:01:12 UTC" */
const char *time_words(const json_t *instant, char buf[TIME_MAX]);
/* From now on, negative: ago; 0 if it is not known */
int64_t time_left(const json_t *instant);
uint64_t time_ago(const json_t *instant);
const char *size_words(uint64_t bytes, char buf[SPAN_MAX]);
enum colour state_colour(const char *active);
const char *state_dot(const char *active);

#define COLUMNS_MAX	10

struct table {
	const char *heads[COLUMNS_MAX];
	unsigned int right;		/* BIT() of columns that are set flush right */
	size_t columns;
	size_t cells;
	char **text;
	enum colour *colour;
};

void cell(struct table *t, enum colour c, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* Prints and empties it; the number of rows. */
size_t table_end(struct table *t);

/* list.c */
int cmd_list(const struct verb *cmd, char **args, size_t nr);
int cmd_list_jobs(const struct verb *cmd, char **args, size_t nr);
int cmd_timers(const struct verb *cmd, char **args, size_t nr);
int cmd_history(const struct verb *cmd, char **args, size_t nr);
int cmd_is(const struct verb *cmd, char **args, size_t nr);
/* Adds to *@names what @args mean, patterns resolved by knelld. An exit status. */
int names_of(char **args, size_t nr, struct strv *names);
json_t *json_names(const struct strv *names);
/* Of wait(2), as knelld's reports have it: status or signal, coreDumped, failure. */
void put_status(json_t *e, int status);
/* To be freed: the end of a process, "exited with status 1", "was killed by SIGSEGV ...". */
char *exit_words(const json_t *e);
void exit_row(struct table *t, const json_t *e);
#define EXIT_TABLE {							\
	.heads = { "TIME", "UNIT", "ROLE", "PID", "END", "RAN", "CPU", "RSS", "KILLED BY" }, \
	.right = BIT(3) | BIT(5) | BIT(6) | BIT(7),			\
}
/* To be freed: the strings of an array, with blanks between them. */
char *joined(const json_t *list);
#define WORD_MAX	32
/* "not_found" of the protocol is "not-found" for people. */
const char *dashed(const char *word, char buf[WORD_MAX]);

/* jobs.c */
int cmd_jobs(const struct verb *cmd, char **args, size_t nr);
int jobs_run(const char *method, const struct strv *names);

/* status.c, why.c */
int cmd_status(const struct verb *cmd, char **args, size_t nr);
int cmd_why(const struct verb *cmd, char **args, size_t nr);
/* What there is to say beside the state, of a struct UnitDetails: Why, Impact, Next. */
void why_lines(const json_t *details, FILE *f);
/* Has something gone wrong with it, or is it held up? */
bool why_matters(const json_t *details);
/* A line of these: what it is about, flush right, and what there is to say. */
void field(FILE *f, const char *name, enum colour c, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* show.c, deps.c, events.c, tree.c, plot.c, blackbox.c, monitor.c */
int cmd_show(const struct verb *cmd, char **args, size_t nr);
int cmd_list_dependencies(const struct verb *cmd, char **args, size_t nr);
int cmd_events(const struct verb *cmd, char **args, size_t nr);
int cmd_tree(const struct verb *cmd, char **args, size_t nr);
int cmd_plot(const struct verb *cmd, char **args, size_t nr);
int cmd_blame(const struct verb *cmd, char **args, size_t nr);
int cmd_blackbox(const struct verb *cmd, char **args, size_t nr);
int cmd_monitor(const struct verb *cmd, char **args, size_t nr);
/* "12:01:02.345 ", of an instant */
void clock_text(const json_t *instant);
/* Shows processes that a tree of the module's has. */
void tree_of_members(const json_t *members);

/* queues.c */
int cmd_queues(const struct verb *cmd, char **args, size_t nr);
int cmd_watches(const struct verb *cmd, char **args, size_t nr);
int cmd_members(const struct verb *cmd, char **args, size_t nr);
int cmd_drop(const struct verb *cmd, char **args, size_t nr);
/* tree --queue=@which; an exit status */
int queue_tree(const char *which);

/* http.c: an exit status, once there is nobody to serve any more */
int http_serve(void);

/* files.c */
int cmd_enable(const struct verb *cmd, char **args, size_t nr);
int cmd_is_enabled(const struct verb *cmd, char **args, size_t nr);
int cmd_cat(const struct verb *cmd, char **args, size_t nr);
int cmd_verify(const struct verb *cmd, char **args, size_t nr);
/* As is-enabled prints it, "" if there is nothing to say of it. */
const char *file_state(const char *name);

/* manager.c */
int cmd_kill(const struct verb *cmd, char **args, size_t nr);
int cmd_reset_failed(const struct verb *cmd, char **args, size_t nr);
int cmd_cancel(const struct verb *cmd, char **args, size_t nr);
int cmd_manager(const struct verb *cmd, char **args, size_t nr);
int cmd_metrics(const struct verb *cmd, char **args, size_t nr);
int cmd_top(const struct verb *cmd, char **args, size_t nr);
int cmd_is_system_running(const struct verb *cmd, char **args, size_t nr);

#endif /* _KNELLCTL_H */
