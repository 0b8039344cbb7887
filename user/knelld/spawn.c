// SPDX-License-Identifier: GPL-2.0-only
/*
 * One process. It is made with CLONE_VM | CLONE_VFORK: nothing of the supervisor is copied,
 * it sleeps until the child runs its program or is gone, and the child can say in shared
 * memory why it could not. In return the child may not allocate, nor touch what is not its
 * own: all it needs is gathered before. Its tree is made before it, too (OPF_NEXT), so there is
 * no instant at which its death, or that of a child of its own, could be missed.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#endif

#include "knelld.h"

#define SEARCH_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

enum step { STEP_ENROL, STEP_STDIN, STEP_GROUPS, STEP_GID, STEP_UID, STEP_CHDIR, STEP_EXEC };

/* How the child says that a step failed, as systemd's exit statuses do. */
static const struct {
	int status;
	const char *what;
} steps[] = {
	[STEP_ENROL] = { 219, "cannot be enrolled in " KNELL_DEVICE },
	[STEP_STDIN] = { 208, "cannot open /dev/null for its standard input" },
	[STEP_GROUPS] = { 216, "cannot set its supplementary groups" },
	[STEP_GID] = { 216, "cannot change its group" },
	[STEP_UID] = { 217, "cannot change its user" },
	[STEP_CHDIR] = { 200, "cannot enter its working directory" },
	[STEP_EXEC] = { 203, "cannot run" },
};

/* What the child needs, and where it says what went wrong. */
struct launch {
	const char *path;
	char **argv, **envp;
	const char *cwd;
	bool cwd_optional;
	const struct cred *cred;
	struct enrol enrol;
	volatile enum step step;
	volatile int err;
};

static int null_fd = -1;
static char stack[64 * 1024] __attribute__((aligned(64)));

/* What spawn() does not want to fail for later: 0 or -errno. */
int spawn_init(void)
{
	null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	return null_fd < 0 ? -errno : 0;
}

/* The system calls themselves: libc's wrappers would do it to other threads as well. */
static bool become(struct launch *l)
{
	const struct cred *c = l->cred;

	if (!c->set_gid)
		return true;
	l->step = STEP_GROUPS;
	if (syscall(SYS_setgroups, c->nr_groups, c->groups) < 0)
		return false;
	l->step = STEP_GID;
	if (syscall(SYS_setresgid, c->gid, c->gid, c->gid) < 0)
		return false;
	/* Without User= it stays who it is. */
	l->step = STEP_UID;
	return !c->set_uid || syscall(SYS_setresuid, c->uid, c->uid, c->uid) == 0;
}

/*
 * What a program expects: the supervisor ignores this one and blocks none. Those that it handles
 * are back to normal with exec, and before that libknell's handler knows that it is not meant.
 */
static void reset_signals(void)
{
	const struct sigaction dfl = { .sa_handler = SIG_DFL };

	sigaction(SIGPIPE, &dfl, NULL);
}

static bool enrol(struct launch *l)
{
	int err = tree_enrol_self(&l->enrol);

	l->step = STEP_ENROL;
	errno = -err;
	return !err;
}

static int child(void *arg)
{
	struct launch *l = arg;

	reset_signals();
	setsid();
	if (!enrol(l))
		goto failed;
	l->step = STEP_STDIN;
	if (dup2(null_fd, STDIN_FILENO) < 0)
		goto failed;
	if (!become(l))
		goto failed;
	l->step = STEP_CHDIR;
	if (chdir(l->cwd) < 0 && !(l->cwd_optional && chdir("/") == 0))
		goto failed;
	l->step = STEP_EXEC;
	execve(l->path, l->argv, l->envp);
failed:
	l->err = errno;
	_exit(steps[l->step].status);
}

static pid_t launch(struct launch *l)
{
	pid_t pid;

#ifdef __SANITIZE_ADDRESS__
	/* The last child has left without a word. */
	__asan_unpoison_memory_region(stack, sizeof(stack));
#endif
	pid = clone(child, stack + sizeof(stack), CLONE_VM | CLONE_VFORK | SIGCHLD, l);

	return pid < 0 ? -errno : pid;
}

/* Copies of what a command needs from the unit, to be freed after the child is gone its way. */
struct prepared {
	struct cred cred;
	struct strv env, argv;
	char *path;
};

static void unprepare(struct prepared *p)
{
	cred_free(&p->cred);
	strv_free(&p->env);
	strv_free(&p->argv);
	free(p->path);
}

static int read_env_file(const struct unit *u, const struct path *file, struct strv *env)
{
	unsigned int bad;
	size_t len;
	char *text = file_text(AT_FDCWD, file->name, &len);

	if (!text) {
		if (file->optional)
			return 0;
		log_line("%s: EnvironmentFile=%s: %s", unit_where(u->file, file->where), file->name,
			 errno == EINVAL ? "not a regular file" : strerror(errno));
		return -1;
	}
	bad = env_file(text, env);
	if (bad)
		log_line("%s: EnvironmentFile=%s: line %u is no NAME=value, ignored",
			 unit_where(u->file, file->where), file->name, bad);
	free(text);
	return 0;
}

/* How the main process has ended, for those that clean up after it. */
static void set_outcome(const struct unit *u, struct strv *env)
{
	char number[16];

	env_set(env, "SERVICE_RESULT", result_name(u->result));
	if (!u->ran)
		return;
	if (WIFEXITED(u->status)) {
		snprintf(number, sizeof(number), "%d", WEXITSTATUS(u->status));
		env_set(env, "EXIT_CODE", "exited");
		env_set(env, "EXIT_STATUS", number);
		return;
	}
	snprintf(number, sizeof(number), "%d", WTERMSIG(u->status));
	env_set(env, "EXIT_CODE", WCOREDUMP(u->status) ? "dumped" : "killed");
	env_set(env, "EXIT_STATUS", sigabbrev_np(WTERMSIG(u->status)) ?
		sigabbrev_np(WTERMSIG(u->status)) : number);
}

/* The main process for those that run beside it, and where it is to tell who it is. */
static void set_pids(const struct unit *u, enum exec_kind kind, struct strv *env)
{
	char number[16];

	if (u->file->service && u->file->service->pid_file.name)
		env_set(env, "PIDFILE", u->file->service->pid_file.name);
	if (kind == EXEC_START || !u->pid || u->main_done)
		return;
	snprintf(number, sizeof(number), "%d", u->pid);
	env_set(env, "MAINPID", number);
}

static int prepare_env(const struct unit *u, enum exec_kind kind, struct prepared *p)
{
	const struct exec_context *c = unit_exec(u);

	env_set(&p->env, "PATH", SEARCH_PATH);
	if (getenv("LANG"))
		env_set(&p->env, "LANG", getenv("LANG"));
	if (p->cred.name) {
		env_set(&p->env, "USER", p->cred.name);
		env_set(&p->env, "LOGNAME", p->cred.name);
		env_set(&p->env, "HOME", p->cred.home);
		env_set(&p->env, "SHELL", p->cred.shell);
	}
	if (kind == EXEC_STOP || kind == EXEC_STOP_POST)
		set_outcome(u, &p->env);
	set_pids(u, kind, &p->env);
	for (size_t i = 0; i < c->env.nr; i++)
		env_put(&p->env, xstrdup(c->env.v[i]));
	for (size_t i = 0; i < c->env_files.nr; i++)
		if (read_env_file(u, &c->env_files.v[i], &p->env))
			return -1;
	return 0;
}

/* A program's name without a slash is looked up; what isn't found is left for exec to refuse. */
static char *find_program(const char *name)
{
	const char *dir = SEARCH_PATH;

	if (*name == '/')
		return xstrdup(name);
	for (;;) {
		size_t len = strcspn(dir, ":");
		char *path = xasprintf("%.*s/%s", (int)len, dir, name);

		if (!access(path, X_OK))
			return path;
		free(path);
		if (!dir[len])
			return xstrdup(name);
		dir += len + 1;
	}
}

static int prepare(const struct unit *u, enum exec_kind kind, const struct command *cmd,
		   struct prepared *p)
{
	if (cred_find(u, &p->cred) || prepare_env(u, kind, p))
		return -1;
	env_expand(cmd, &p->env, &p->argv);
	p->path = find_program(cmd->path);
	return 0;
}

static const char *working_directory(const struct unit *u, const struct cred *cred)
{
	const char *cwd = unit_exec(u)->cwd.name;

	if (!cwd)
		return "/";
	if (strcmp(cwd, "~"))
		return cwd;
	return cred->home ? cred->home : "/root";
}

static void tell_failed(const struct unit *u, enum exec_kind kind, const struct command *cmd,
			const struct launch *l)
{
	const struct exec_context *c = unit_exec(u);
	const struct path *who = c->user.name ? &c->user : &c->group;
	const char *why = strerror(l->err), *what = steps[l->step].what;

	if (l->step == STEP_CHDIR)
		log_line("%s: WorkingDirectory=%s: %s: %s", unit_where(u->file, c->cwd.where),
			 c->cwd.name, what, why);
	else if (l->step == STEP_GROUPS || l->step == STEP_GID || l->step == STEP_UID)
		log_line("%s: %s=%s: %s: %s", unit_where(u->file, who->where),
			 c->user.name ? "User" : "Group", who->name, what, why);
	else
		log_line("%s: %s=%s: %s: %s", unit_where(u->file, cmd->where),
			 unit_exec_name(kind), cmd->path, what, why);
}

/* The processes are made here; what fails before the program runs is told at once. */
static enum result make(struct unit *u, enum exec_kind kind, const struct command *cmd,
			const struct prepared *p)
{
	static const struct cred nobody_else;
	struct launch l = {
		.path = p->path,
		.argv = p->argv.v,
		.envp = p->env.v,
		.cwd = working_directory(u, &p->cred),
		.cwd_optional = unit_exec(u)->cwd.optional,
		.cred = cmd->flags & (CMD_PRIVILEGED | CMD_NO_SETUID) ? &nobody_else : &p->cred,
	};
	pid_t pid;

	if (tree_enrol(u, kind, &l.enrol) < 0)
		return RESULT_RESOURCES;
	pid = launch(&l);
	if (pid > 0 && !l.err)
		return tree_born(u, kind, &l.enrol, pid) ? RESULT_RESOURCES : RESULT_SUCCESS;
	tree_unborn(u, kind, &l.enrol, pid);
	if (pid < 0) {
		log_line("%s: cannot make a process: %s", u->name, strerror(-pid));
		return RESULT_RESOURCES;
	}
	tell_failed(u, kind, cmd, &l);
	return RESULT_EXIT_CODE;
}

/**
 * spawn - run a command of a unit, the one of that kind at u->cmd
 *
 * RESULT_SUCCESS: its program runs and is u->main or u->control; EXIT and EMPTY records will
 * come. Otherwise there is no process and the reason has been logged.
 */
enum result spawn(struct unit *u, enum exec_kind kind, const struct command *cmd)
{
	struct prepared p = { 0 };
	enum result result = RESULT_EXIT_CODE;

	if (!prepare(u, kind, cmd, &p))
		result = make(u, kind, cmd, &p);
	unprepare(&p);
	return result;
}
