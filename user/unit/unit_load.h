/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Unit files: where they are looked for, reading, enabling and verifying them.
 *
 * No function here logs, waits, starts a process or keeps a descriptor open; what is wrong with
 * a file goes to a callback. Memory that there is none of is waited for. One struct unit_dirs
 * and what was loaded by it belong to one thread at a time. Strings that are handed out belong
 * to what they came from, unless a function says that its caller frees them.
 */
#ifndef _UNIT_LOAD_H
#define _UNIT_LOAD_H

#include "unit_file.h"

enum severity { SAY_NOTICE, SAY_WARNING, SAY_ERROR };

/**
 * unit_say_fn - told of each thing that is wrong
 * @arg: struct unit_options' @arg
 * @severity: a warning was stepped over, an error takes something from the unit (its file, the
 *	assignment that would have been), a notice tells what may be meant so
 * @file: path of the file it is in
 * @line: counts from 1, 0: none in particular
 * @text: one line, without its end
 */
typedef void unit_say_fn(void *arg, enum severity severity, const char *file,
			 unsigned int line, const char *text);

struct unit_options {
	struct strv dirs;	/* looked through in this order; none: unit_default_dirs() */
	const char *root;	/* all directories and links are below it; NULL: / */
	bool user;		/* specifiers and directories of a user's own manager */
	bool compat;		/* the odd spellings of DragonReach's keys are known */
	bool quiet_ignored;	/* no warning of keys that are accepted and ignored */
	unit_say_fn *say;	/* NULL: nobody listens */
	void *arg;
};

/* The directories as they were when this was opened: reload means closing and opening it. */
struct unit_dirs;

/* Adds the search path: knell's own, with @compat DragonReach's and systemd's after it. */
void unit_default_dirs(struct strv *dirs, bool user, bool compat);

/* Copies @opt. A directory that does not exist is empty; what cannot be read is told of. */
struct unit_dirs *unit_dirs_open(const struct unit_options *opt);
/* Lists what is in them now; @opt may be the one that @d was opened with. */
void unit_dirs_reopen(struct unit_dirs *d, const struct unit_options *opt);
void unit_dirs_close(struct unit_dirs *d);

/* Adds copies of all names of unit files and of links to them, sorted, templates too. */
void unit_dirs_names(const struct unit_dirs *d, struct strv *names);

/* The directories' paths without the root, in order. */
const struct strv *unit_dirs_paths(const struct unit_dirs *d);

enum load {
	LOAD_OK,
	LOAD_BAD,		/* there is a file, but it must not be started; was told of */
	LOAD_MASKED,		/* empty, or a link to /dev/null */
	LOAD_NOT_FOUND,		/* no file of that name, or no name of a unit at all */
	LOAD_FOREIGN,		/* a mount, path, slice ...: not a kind of unit that is here */
};

/**
 * unit_load - read all that there is of one unit
 * @name: of the unit or of an alias; an instance "a@b.service" may come of a template
 * @f: out: what there is, if LOAD_OK or LOAD_BAD, else NULL. Its name may be another one than
 *	@name. unit_file_free() it
 *
 * A file that is partly wrong is LOAD_OK all the same, as long as the unit can be started; if not
 * it is LOAD_BAD and (*f)->bad tells why. What is wrong is said once for each call.
 */
enum load unit_load(struct unit_dirs *d, const char *name, struct unit_file **f);

/**
 * unit_parse - as unit_load(), of one text that is in no directory
 * @path: for messages
 * @text: @len bytes
 */
enum load unit_parse(struct unit_dirs *d, const char *name, const char *path, const char *text,
		     size_t len, struct unit_file **f);

/*
 * A unit without a file, all at its defaults, for a target that is needed or in the place of what
 * is not there; NULL: there is no kind of unit here that is called so.
 */
struct unit_file *unit_builtin(const char *name, const char *description);

/* The same with what links in its .wants, .requires and .upholds make of it. */
struct unit_file *unit_linked(struct unit_dirs *d, const char *name);

void unit_file_free(struct unit_file *f);

/*
 * The unit that X-Knell-Logger= makes or names, to be freed; NULL: the service has none.
 */
char *unit_logger_name(const struct unit_file *f);

/**
 * cond_test - do the conditions of a unit hold on this machine, now?
 * @asserts: its asserts instead
 * @failed: out, if they don't: which one, or the last one of the triggers
 *
 * As systemd.unit(5). Looks at files and asks the kernel, waits for nothing.
 */
bool cond_test(const struct unit_file *f, bool asserts, const struct condition **failed);

/*
 * To be freed: a file system that is not mounted, though fstab(5) has it and RequiresMountsFor=
 * needs it; NULL: there is none.
 */
char *unit_missing_mount(const struct unit_file *f);

/* To be freed: the path of the file or link that @name would be loaded from; NULL: none. */
char *unit_dirs_find(const struct unit_dirs *d, const char *name);

/* Names: user/unit/name.c */

/* A whole name with a suffix: by it UNIT_SERVICE ..., UNIT_FOREIGN, UNIT_NOT_A_NAME. */
enum unit_kind unit_name_kind(const char *name);
bool unit_name_ok(const char *name);		/* of any kind, also a template's */
bool unit_name_is_template(const char *name);	/* "a@.service" */
bool unit_name_is_instance(const char *name);	/* "a@b.service" */
/* To be freed: "a@.service" of "a@b.service", NULL if that is none. */
char *unit_name_template(const char *name);
/* To be freed: "a@b.service" of "a@.service" and "b"; NULL if that is no name. */
char *unit_name_instantiate(const char *template, const char *instance);
/* To be freed: as systemd-escape does, and --path; unescaping is NULL if it was not escaped. */
char *unit_name_escape(const char *s);
char *unit_name_unescape(const char *s);
char *unit_name_escape_path(const char *path);
char *unit_name_unescape_path(const char *s);
/*
 * To be freed: what a user may have meant: "nginx" is "nginx.service", "/mnt/x" a mount; NULL if
 * nothing is a name.
 */
char *unit_name_mangle(const char *s);

/* Names of enums as they are in unit files; NULL if out of range. */
const char *unit_kind_suffix(enum unit_kind kind);	/* "service" */
const char *unit_dep_name(enum dep_kind kind);		/* "After" */
const char *unit_exec_name(enum exec_kind kind);	/* "ExecStartPre" */
const char *unit_condition_name(enum condition_kind kind);	/* "PathExists" */
const char *unit_type_name(enum type type);
const char *unit_restart_name(enum restart restart);
const char *unit_kill_mode_name(enum kill_mode mode);
const char *unit_emergency_name(enum emergency e);
const char *unit_job_mode_name(enum job_mode mode);
const char *unit_timer_base_name(enum timer_base base);	/* "OnBootSec" */
const char *unit_listen_name(enum listen_kind kind);	/* "ListenStream" */
const char *unit_status_name(int status);	/* as systemd calls it; NULL: no name */
const char *unit_capability_name(int cap);	/* "CAP_KILL"; NULL: no name */
int unit_capability(const char *name);		/* a name or a number; -1: neither */

/* Words of a line, for others that read systemd's syntax: user/unit/lex.c */

/*
 * Takes the next word off *@p, quotes removed and C escapes resolved, and hands out a copy to be
 * freed. 1, 0 at the end, -1 if a quote is not closed (with what there was of it).
 */
int word_next(const char **p, char **word);
bool env_name_ok(const char *s, size_t len);
int parse_bool(const char *s, bool *b);		/* -1: neither yes nor no */
int parse_signal(const char *s, int *sig);	/* SIGTERM, TERM, 15, RTMIN+3; -1: none */

/* The text of a regular file of at most 1 MiB, a NUL after it; NULL and errno. To be freed. */
char *file_text(int dirfd, const char *name, size_t *len);
uint64_t text_hash(const char *text, size_t len);

/* Memory: mem.c; never NULL, as a supervisor waits for memory rather than die */
void *xmalloc(size_t size);
void *xcalloc(size_t nr, size_t size);
void *xgrow(void *p, size_t nr, size_t size);
char *xstrdup(const char *s);
char *xasprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void strv_add(struct strv *v, char *s);		/* takes over @s */
void strv_free(struct strv *v);

/* Called once a second while there is no memory, before the next try; may be NULL. */
extern void (*mem_short)(void);

#endif /* _UNIT_LOAD_H */
