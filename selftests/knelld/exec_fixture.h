/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A command that is run as a unit asks for: what it prints, or why it was not run. What would touch
 * the machine is done in a mount namespace of the test's own.
 */
#ifndef _EXEC_FIXTURE_H
#define _EXEC_FIXTURE_H

#include <linux/close_range.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#pragma GCC diagnostic ignored "-Wmissing-prototypes"	/* of fixtures */
#include "kselftest_harness.h"
#undef ARRAY_SIZE
#include "exec.h"

FIXTURE(exec)
{
	char dir[32];
	struct unit_file file;
	struct exec_context ctx;
	struct command cmd;
	struct exec_request rq;
	struct strv env;
	char *argv[8];
	const char *sources[1];
	char out[8192];		/* what it has written to standard output */
	int status;		/* wait(2)'s */
};

typedef FIXTURE_DATA(exec) fixture;

static const struct exec_context defaults = {
	.umask = 022, .nice = UNSET, .cpu_policy = UNSET, .cpu_priority = UNSET, .ioprio = UNSET,
	.oom_score = UNSET, .timer_slack = FOREVER, .coredump_filter = -1, .ignore_sigpipe = true,
	.in = { .kind = STDIO_NULL }, .out = { .kind = STDIO_LOG },
		     .err = { .kind = STDIO_INHERIT },
	.tty_rows = UNSET, .tty_columns = UNSET,
};

static inline char *in_dir(fixture *self, const char *name)
{
	char *path;

	if (asprintf(&path, "%s/%s", self->dir, name) < 0)
		abort();
	return path;
}

/*
 * Whatever goes wrong, nothing of this machine can be written: / is read-only here, and what a
 * test may write to is empty and gone with its mount namespace.
 */
static inline bool away_from_the_machine(void)
{
	static const char *const dirs[] = { "/tmp", "/run", "/var/lib", "/var/cache", "/var/log" };

	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL))
		return false;
	for (size_t i = 0; i < sizeof(dirs) / sizeof(*dirs); i++)
		if (mount("tmpfs", dirs[i], "tmpfs", 0, "mode=0755"))
			return false;
	return open("/etc/exec_test", O_CREAT | O_WRONLY, 0600) < 0 && errno == EROFS;
}

FIXTURE_SETUP(exec)
{
	ASSERT_EQ(0, geteuid());
	ASSERT_TRUE(away_from_the_machine());
	strcpy(self->dir, "/tmp/exec.XXXXXX");
	ASSERT_NE(NULL, mkdtemp(self->dir));
	ASSERT_EQ(0, chmod(self->dir, 0777));
	ASSERT_EQ(0, chdir("/"));
	ASSERT_EQ(0, exec_init(false, NULL));
	/* As knelld does. */
	for (int sig = 1; sig < NSIG; sig++)
		signal(sig, sig == SIGPIPE ? SIG_IGN : SIG_DFL);
	close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
	self->ctx = defaults;
	self->ctx.out = (struct stdio){ .kind = STDIO_TRUNCATE, .path = in_dir(self, "out") };
	self->sources[0] = "/etc/knell/system/t.service";
	self->file = (struct unit_file){
		.name = "t.service", .sources = self->sources, .nr_sources = 1,
	};
	self->cmd = (struct command){
		.path = "/bin/sh", .argv = { self->argv, 3 }, .where = { .line = 7 },
		.flags = CMD_NO_EXPAND,
	};
	self->argv[0] = "sh";
	self->argv[1] = "-c";
	self->argv[2] = "";
	self->rq = (struct exec_request){
		.file = &self->file, .ctx = &self->ctx, .cmd = &self->cmd, .key = "ExecStart",
		.env = &self->env, .socket = -1, .named = { -1, -1, -1 },
	};
	self->status = -1;
}

FIXTURE_TEARDOWN(exec)
{
	strv_free(&self->env);
}

static inline const char *text_of(fixture *self, const char *name)
{
	char *path = in_dir(self, name);
	FILE *f = fopen(path, "r");
	size_t n = f ? fread(self->out, 1, sizeof(self->out) - 1, f) : 0;

	self->out[n] = '\0';
	if (f)
		fclose(f);
	free(path);
	return self->out;
}

static inline void put_text(fixture *self, const char *name, const char *text)
{
	char *path = in_dir(self, name);
	FILE *f = fopen(path, "w");

	if (!f || fputs(text, f) < 0 || fclose(f))
		abort();
	free(path);
}

/* Runs what is in @self: 0 and the program's output, or why it didn't run. */
static inline int launched(fixture *self)
{
	struct launch l;
	int status = exec_prepare(&l, &self->rq);
	pid_t pid = 0;

	if (!status) {
		pid = exec_launch(&l);
		if (pid > 0 && waitpid(pid, &self->status, 0) != pid)
			abort();
		if (pid > 0 && l.err) {
			status = exec_status(&l);
			if (!WIFEXITED(self->status) || WEXITSTATUS(self->status) != status)
				abort();
			exec_tell(&l);
		}
	}
	exec_done(&l);
	if (pid < 0)
		abort();
	text_of(self, "out");
	return status;
}

/* The shell's script; its output, or "status N". */
static inline const char *sh(fixture *self, const char *script)
{
	int status;

	self->argv[2] = (char *)script;
	status = launched(self);
	if (status)
		snprintf(self->out, sizeof(self->out), "status %d", status);
	return self->out;
}

#endif /* _EXEC_FIXTURE_H */
