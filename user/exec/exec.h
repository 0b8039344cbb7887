/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One command in the environment that the unit's files ask for: struct exec_request says which,
 * exec_prepare() gathers all it takes in a struct launch, exec_launch() makes the process.
 *
 * Nothing is called for a directive that isn't set: a bare unit's child does setsid() and
 * execve(). A step that fails is told by its number of systemd.exec(5), "process exit codes", of
 * which exec_tell() knows the words.
 *
 * Output goes where the manager's own does (the console, or the supervisor above it) unless the
 * unit names a file, a socket, or a logger: no byte of it passes through the manager. A logger
 * reads from a FIFO that the manager holds open, so neither its end nor the service's, nor that of
 * the manager, breaks the pipe or loses what is in it. The last lines that a status shows are read
 * from the file that the unit writes to.
 */
#ifndef _KNELLD_EXEC_H
#define _KNELLD_EXEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base.h"
#include "unit_load.h"

/* Exit statuses of steps that fail before the program runs. */
enum exec_status {
	EXEC_CHDIR = 200, EXEC_NICE, EXEC_FDS, EXEC_EXEC, EXEC_MEMORY, EXEC_LIMITS,
	EXEC_OOM_ADJUST, EXEC_SIGNAL_MASK, EXEC_STDIN, EXEC_STDOUT, EXEC_CHROOT, EXEC_IOPRIO,
	EXEC_TIMERSLACK, EXEC_SECUREBITS, EXEC_SETSCHEDULER, EXEC_CPUAFFINITY, EXEC_GROUP,
	EXEC_USER, EXEC_CAPABILITIES, EXEC_CGROUP, EXEC_SETSID, EXEC_STDERR = 222,
	EXEC_NO_NEW_PRIVILEGES = 227, EXEC_RUNTIME_DIRECTORY = 233, EXEC_STATE_DIRECTORY = 238,
	EXEC_CACHE_DIRECTORY, EXEC_LOGS_DIRECTORY, EXEC_CONFIGURATION_DIRECTORY,
};

/* Who a process is to be. */
struct cred {
	bool set_uid, set_gid;
	uid_t uid;
	gid_t gid;
	gid_t *groups;
	size_t nr_groups;
	char *name, *home, *shell;	/* name: NULL if the user is not in the file */
};

/* A descriptor of the manager and the number that it has for the program. */
struct fd_pass {
	int from, to;
	bool non_blocking;
};

/* What the manager knows and the files do not say; all of it stays the caller's. */
struct exec_request {
	const struct unit_file *file;
	const struct exec_context *ctx;
	const struct command *cmd;
	const char *key;		/* "ExecStart", for the log */
	const struct strv *env;		/* NAME=value; before what the files say */
	bool unconfined;		/* PermissionsStartOnly= and no ExecStart=: as "+" */
	bool no_root;			/* RootDirectoryStartOnly= and no ExecStart= */
	bool control;			/* no ExecStart=: sockets may be missing */
	bool no_tty;			/* runs beside the main process, which has the terminal */
	bool logs;			/* a logger: its input is nothing to write to */
	bool own_listen_pid;		/* LISTEN_PID= is to be its pid, and WATCHDOG_PID= */
	bool own_watchdog_pid;
	const struct fd_pass *fds;	/* LISTEN_FDS from 3 up, and others */
	size_t nr_fds;
	int socket;			/* for STDIO_SOCKET, -1: there is none, nor an error */
	int named[3];			/* for STDIO_FD of stdin, stdout, stderr */
	const char *log;		/* the logger's FIFO, NULL: the manager's own output */
	/* In the child, without memory of its own: 0 or -errno. NULL: nothing to enrol. */
	int (*enrol)(void *arg);
	void *arg;
};

struct launch {
	const struct exec_request *rq;
	const struct exec_context *ctx;
	struct cred cred;
	struct strv env, argv;
	char *path;
	const char *cwd;		/* NULL: it is the manager's already */
	char oom[12], coredump[20];	/* as /proc takes them; "": not set */
	bool confine, change_user;	/* no: for the prefixes "+" and "!" */
	int data;			/* StandardInputText=, -1: none */
	struct fd_pass *fds;
	size_t nr_fds;
	int fds_end;			/* above all that they become */
	char *own_pids[2];		/* where the child writes its pid */
	volatile unsigned int step;
	volatile int err;		/* of that step; 0: the program runs */
};

/* exec_child.c */
int exec_init(bool user, const char *instance);
extern bool exec_user_mode;
extern const char *exec_instance;	/* --unit-dir's, NULL: the usual ones */
pid_t exec_launch(struct launch *l);
int exec_status(const struct launch *l);
void exec_tell(const struct launch *l);

/* exec_prepare.c */
#define EXEC_SEARCH_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

int exec_prepare(struct launch *l, const struct exec_request *rq);
void exec_done(struct launch *l);
/* What log_at() has said last about this launch, NULL: nothing. */
const char *exec_trouble(void);
void exec_stopped(const struct exec_context *ctx, bool restarts);
void exec_new_invocation(uint64_t id[2]);
/* As $INVOCATION_ID has it: 32 hexadecimal digits; none if @id is 0. */
void exec_invocation_text(const uint64_t id[2], char text[33]);
void log_at(const struct unit_file *f, struct where where, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* exec_dirs.c */
int dirs_make(const struct exec_request *rq, const struct cred *cred, struct strv *env);
void dirs_remove(const struct exec_context *ctx);

/* exec_tty.c: no memory of its own */
void tty_revert(const struct exec_context *ctx);
int tty_open(const struct exec_context *ctx, enum tty_mode mode);

/* logger.c */
const char *logger_fifo(const struct unit_file *f);
int logger_input(const struct unit_file *f, const struct exec_context *ctx);
void logger_release(const struct unit_file *f);
char *log_tail(const struct exec_context *ctx, unsigned int lines);

/* exec_env.c */
const char *env_get(const struct strv *env, const char *name);
void env_put(struct strv *env, char *assignment);
void env_set(struct strv *env, const char *name, const char *value);
void env_unset(struct strv *env, const char *what);
void env_expand(const struct command *cmd, const struct strv *env, struct strv *argv);
unsigned int env_file(const char *text, struct strv *env);

/* exec_user.c */
int cred_find(const struct exec_request *rq, struct cred *cred);
void cred_free(struct cred *cred);

#endif /* _KNELLD_EXEC_H */
