// SPDX-License-Identifier: GPL-2.0-only
/* What a command needs, gathered while the manager may still allocate, look up and log. */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include "exec.h"

#define PID_ROOM "0000000000"	/* INT_MAX has as many digits */

static char trouble[768];

const char *exec_trouble(void)
{
	return *trouble ? trouble : NULL;
}

/* "a.service:3: ", with the path of another file if it was said there. */
void log_at(const struct unit_file *f, struct where where, const char *fmt, ...)
{
	const char *path = where.line && where.file ? f->sources[where.file] : f->name;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(trouble, sizeof(trouble), fmt, ap);
	va_end(ap);
	if (where.line)
		log_line("%s:%u: %s", path, where.line, trouble);
	else
		log_line("%s: %s", path, trouble);
}

static int read_env_file(const struct exec_request *rq, const struct path *file, const char *name,
			 struct strv *env)
{
	unsigned int bad;
	size_t len;
	char *text = file_text(AT_FDCWD, name, &len);

	if (!text) {
		if (file->optional)
			return 0;
		log_at(rq->file, file->where, "EnvironmentFile=%s: %s", name,
		       errno == EINVAL ? "not a regular file" : strerror(errno));
		return -1;
	}
	bad = env_file(text, env);
	if (bad)
		log_at(rq->file, file->where,
		       "EnvironmentFile=%s: line %u is no NAME=value, ignored", name, bad);
	free(text);
	return 0;
}

/* The name may be a pattern: then all that are there, in their order. */
static int read_env_files(const struct exec_request *rq, const struct path *file,
			  struct strv *env)
{
	glob_t found;
	int err = 0;

	if (!strpbrk(file->name, "*?["))
		return read_env_file(rq, file, file->name, env);
	if (glob(file->name, 0, NULL, &found)) {
		if (!file->optional)
			log_at(rq->file, file->where, "EnvironmentFile=%s: no such file",
			       file->name);
		return file->optional ? 0 : -1;
	}
	for (size_t i = 0; i < found.gl_pathc && !err; i++)
		err = read_env_file(rq, file, found.gl_pathv[i], env);
	globfree(&found);
	return err;
}

static char *join(const struct strv *v, const char *between)
{
	char *all = xstrdup(v->nr ? v->v[0] : "");

	for (size_t i = 1; i < v->nr; i++) {
		char *longer = xasprintf("%s%s%s", all, between, v->v[i]);

		free(all);
		all = longer;
	}
	return all;
}

static char *search_path(const struct exec_context *c)
{
	return c->search_path.nr ? join(&c->search_path, ":") : xstrdup(EXEC_SEARCH_PATH);
}

static void set_term(const struct exec_context *c, struct strv *env)
{
	const char *tty = c->tty ? c->tty : "/dev/console", *term = getenv("TERM");

	if (c->in.kind != STDIO_TTY && c->out.kind != STDIO_TTY && c->err.kind != STDIO_TTY)
		return;
	/* The kernel gives the first process what its command line says of the console. */
	if (!term || strcmp(tty, "/dev/console"))
		term = strncmp(tty, "/dev/tty", 8) || !strchr("0123456789", tty[8]) ? "vt220" :
			"linux";
	env_set(env, "TERM", term);
}

/* What holds unless the unit's files say otherwise. */
static void set_base(struct launch *l)
{
	const struct strv *more = l->rq->env;
	char *path = search_path(l->ctx);

	for (char **e = environ; exec_user_mode && *e; e++)
		env_put(&l->env, xstrdup(*e));
	env_set(&l->env, "PATH", path);
	free(path);
	if (getenv("LANG"))
		env_set(&l->env, "LANG", getenv("LANG"));
	for (size_t i = 0; more && i < more->nr; i++)
		env_put(&l->env, xstrdup(more->v[i]));
	set_term(l->ctx, &l->env);
	if (l->cred.name) {
		env_set(&l->env, "USER", l->cred.name);
		env_set(&l->env, "LOGNAME", l->cred.name);
		env_set(&l->env, "HOME", l->cred.home);
		env_set(&l->env, "SHELL", l->cred.shell);
	}
}

/* A variable that the child is to give its own pid as value; where that is to stand. */
static char *own_pid(struct strv *env, const char *name)
{
	char *s = xasprintf("%s=" PID_ROOM, name);

	env_put(env, s);
	return s + strlen(name) + 1;
}

static int set_env(struct launch *l)
{
	const struct exec_context *c = l->ctx;

	for (size_t i = 0; i < c->pass_env.nr; i++)
		if (getenv(c->pass_env.v[i]))
			env_set(&l->env, c->pass_env.v[i], getenv(c->pass_env.v[i]));
	for (size_t i = 0; i < c->env.nr; i++)
		env_put(&l->env, xstrdup(c->env.v[i]));
	for (size_t i = 0; i < c->env_files.nr; i++)
		if (read_env_files(l->rq, &c->env_files.v[i], &l->env))
			return -1;
	for (size_t i = 0; i < c->unset_env.nr; i++)
		env_unset(&l->env, c->unset_env.v[i]);
	/* Last: from here on none is freed. */
	if (l->rq->own_listen_pid)
		l->own_pids[0] = own_pid(&l->env, "LISTEN_PID");
	if (l->rq->own_watchdog_pid)
		l->own_pids[1] = own_pid(&l->env, "WATCHDOG_PID");
	return 0;
}

/* A program's name without a slash is looked up; what isn't found is left for exec to refuse. */
static char *find_program(const struct exec_context *c, const char *name)
{
	char *path, *dir, *rest, *file = NULL;

	if (strchr(name, '/'))
		return xstrdup(name);
	rest = path = search_path(c);
	while (!file && (dir = strsep(&rest, ":"))) {
		file = xasprintf("%s/%s", dir, name);
		if (!access(file, X_OK))
			break;
		free(file);
		file = NULL;
	}
	free(path);
	return file ? file : xstrdup(name);
}

/* "|": the user's shell is to make of the line what it likes. */
static void through_shell(struct launch *l)
{
	l->path = xstrdup(l->cred.shell ? l->cred.shell : "/bin/sh");
	strv_add(&l->argv, xstrdup(l->path));
	strv_add(&l->argv, xstrdup("-c"));
	strv_add(&l->argv, join(&l->rq->cmd->argv, " "));
}

/* NULL: the manager is there. */
static const char *working_directory(const struct launch *l)
{
	const char *cwd = l->ctx->cwd.name, *home = l->cred.home;

	if (!home)
		home = exec_user_mode && getenv("HOME") ? getenv("HOME") : "/root";
	if (!cwd)
		return exec_user_mode ? home : NULL;
	return strcmp(cwd, "~") ? cwd : home;
}

static int make_data(const struct exec_context *c)
{
	const int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL;
	int fd = memfd_create("stdin", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return -1;
	if (write(fd, c->data, c->data_len) == (ssize_t)c->data_len &&
	    !lseek(fd, 0, SEEK_SET) && !fcntl(fd, F_ADD_SEALS, seals))
		return fd;
	close(fd);
	return -1;
}

/* The child changes them. */
static void take_fds(struct launch *l)
{
	l->nr_fds = l->rq->nr_fds;
	if (!l->nr_fds)
		return;
	l->fds = xcalloc(l->nr_fds, sizeof(*l->fds));
	memcpy(l->fds, l->rq->fds, l->nr_fds * sizeof(*l->fds));
	for (size_t i = 0; i < l->nr_fds; i++)
		if (l->fds[i].to >= l->fds_end)
			l->fds_end = l->fds[i].to + 1;
}

static void take_command(struct launch *l)
{
	const struct command *cmd = l->rq->cmd;

	if (cmd->flags & CMD_SHELL) {
		through_shell(l);
		return;
	}
	env_expand(cmd, &l->env, &l->argv);
	l->path = find_program(l->ctx, cmd->path);
}

static void take_numbers(struct launch *l)
{
	const struct exec_context *c = l->ctx;

	if (c->oom_score != UNSET)
		snprintf(l->oom, sizeof(l->oom), "%d", c->oom_score);
	if (c->coredump_filter >= 0)
		snprintf(l->coredump, sizeof(l->coredump), "%#" PRIx64, c->coredump_filter);
}

static int gather(struct launch *l)
{
	const struct exec_context *c = l->ctx;
	int status = cred_find(l->rq, &l->cred);

	if (status)
		return status;
	set_base(l);
	status = dirs_make(l->rq, &l->cred, &l->env);
	if (status)
		return status;
	if (set_env(l))
		return -1;
	take_command(l);
	take_fds(l);
	take_numbers(l);
	l->cwd = working_directory(l);
	if (c->in.kind != STDIO_DATA)
		return 0;
	l->data = make_data(c);
	if (l->data >= 0)
		return 0;
	log_line("%s: StandardInputText=: %s", l->rq->file->name, strerror(errno));
	return EXEC_STDIN;
}

/**
 * exec_prepare - gather what a command needs
 * @l: out: for exec_launch(); to be freed with exec_done() in any case
 * @rq: must live as long
 *
 * 0; an exit status if a step failed that is systemd's child's (enum exec_status); -1 if it was
 * one that systemd's manager does itself (its result is "resources"). Logged.
 */
int exec_prepare(struct launch *l, const struct exec_request *rq)
{
	bool all = rq->unconfined || rq->cmd->flags & CMD_PRIVILEGED;

	*trouble = '\0';
	*l = (struct launch){
		.rq = rq, .ctx = rq->ctx, .data = -1, .fds_end = 3,
		.confine = !all, .change_user = !all && !(rq->cmd->flags & CMD_NO_SETUID),
	};
	return gather(l);
}

void exec_done(struct launch *l)
{
	cred_free(&l->cred);
	strv_free(&l->env);
	strv_free(&l->argv);
	free(l->path);
	free(l->fds);
	if (l->data >= 0)
		close(l->data);
}

/* A unit's run is over; @restarts: another will follow by itself. */
void exec_stopped(const struct exec_context *ctx, bool restarts)
{
	if (ctx->runtime_preserve == PRESERVE_NO ||
	    (ctx->runtime_preserve == PRESERVE_RESTART && !restarts))
		dirs_remove(ctx);
	if (ctx->in.kind == STDIO_TTY)
		tty_revert(ctx);
}

/* INVOCATION_ID: no two runs have the same, in this boot or another. No secret. */
void exec_new_invocation(uint64_t id[2])
{
	static uint64_t seed[2], count;

	if (!count++ && getrandom(seed, sizeof(seed), 0) < 0)
		seed[0] = now_ns() ^ (uint64_t)getpid() << 40;
	for (int i = 0; i < 2; i++) {
		/* splitmix64: a permutation of the sum */
		uint64_t x = seed[i] + count * 0x9e3779b97f4a7c15ULL;

		x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
		x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
		id[i] = x ^ x >> 31;
	}
}

void exec_invocation_text(const uint64_t id[2], char text[33])
{
	*text = '\0';
	if (id[0] | id[1])
		snprintf(text, 33, "%016" PRIx64 "%016" PRIx64, id[0], id[1]);
}
