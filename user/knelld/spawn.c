// SPDX-License-Identifier: GPL-2.0-only
/*
 * One command of a unit becomes a process: exec.h says how. Its tree is made before it (OPF_NEXT),
 * so there is no instant at which its death, or that of a child of its own, could be missed.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "exec.h"
#include "knelld.h"
#include "talk.h"

static void set(struct strv *env, const char *prefix, const char *name, const char *value)
{
	env_put(env, xasprintf("%s%s=%s", prefix, name, value));
}

static void set_number(struct strv *env, const char *name, uint64_t n)
{
	env_put(env, xasprintf("%s=%" PRIu64, name, n));
}

/* How the main process has ended, for those that clean up after it, or were told of it. */
static void set_outcome(const struct unit *u, const char *prefix, struct strv *env)
{
	char number[16];
	const char *sig;

	set(env, prefix, "SERVICE_RESULT", result_name(u->result));
	if (!u->ran)
		return;
	if (WIFEXITED(u->status)) {
		snprintf(number, sizeof(number), "%d", WEXITSTATUS(u->status));
		set(env, prefix, "EXIT_CODE", "exited");
		set(env, prefix, "EXIT_STATUS", number);
		return;
	}
	snprintf(number, sizeof(number), "%d", WTERMSIG(u->status));
	sig = sigabbrev_np(WTERMSIG(u->status));
	set(env, prefix, "EXIT_CODE", WCOREDUMP(u->status) ? "dumped" : "killed");
	set(env, prefix, "EXIT_STATUS", sig ? sig : number);
}

static uint64_t realtime(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
}

/* What it runs for: a timer or socket, or one that has ended and says so (OnFailure=). */
static void set_cause(const struct unit *u, struct strv *env)
{
	const struct unit *monitored = NULL;
	size_t nr = 0;
	char id[33];

	for (size_t i = 0; i < u->nr_edges; i++) {
		const struct unit *by = u->edges[i].to;
		uint64_t last = by->kind == UNIT_TIMER ? timer_last(by) : 0;

		if (u->edges[i].side == DEP_INVERSE(DEP_TRIGGERS) &&
		    !strcmp(unit_sub(by), "running")) {
			env_set(env, "TRIGGER_UNIT", by->name);
			if (last)
				set_number(env, "TRIGGER_TIMER_MONOTONIC_USEC", last / 1000);
			if (last)
				set_number(env, "TRIGGER_TIMER_REALTIME_USEC",
					   (realtime() - now_ns() + last) / 1000);
		} else if ((u->edges[i].side == DEP_INVERSE(DEP_ON_FAILURE) &&
			    unit_active(by) == FAILED) ||
			   (u->edges[i].side == DEP_INVERSE(DEP_ON_SUCCESS) &&
			    unit_active(by) == INACTIVE && by->ran)) {
			monitored = by;
			nr++;
		}
	}
	/* If there are several it cannot be told which. */
	if (nr != 1)
		return;
	env_set(env, "MONITOR_UNIT", monitored->name);
	exec_invocation_text(monitored->invocation, id);
	env_set(env, "MONITOR_INVOCATION_ID", id);
	set_outcome(monitored, "MONITOR_", env);
}

/* The main process for those that run beside it, and where it is to tell who it is. */
static void set_pids(const struct unit *u, enum exec_kind kind, struct strv *env)
{
	const struct service *s = u->file->service;
	char number[16];

	if (s && s->more->pid_file.name)
		env_set(env, "PIDFILE", s->more->pid_file.name);
	if (kind == EXEC_START || !u->pid || u->main_done)
		return;
	snprintf(number, sizeof(number), "%d", u->pid);
	env_set(env, "MAINPID", number);
}

static void set_env(const struct unit *u, enum exec_kind kind, struct strv *env)
{
	char id[33];

	exec_invocation_text(u->invocation, id);
	env_set(env, "INVOCATION_ID", id);
	set_pids(u, kind, env);
	if (kind == EXEC_STOP || kind == EXEC_STOP_POST)
		set_outcome(u, "", env);
	set_cause(u, env);
}

static int enrol(void *arg)
{
	return tree_enrol_self(arg);
}

/* As if the process had exited with the status of the step that failed. */
static enum result step_failed(struct unit *u, enum exec_kind kind, int status)
{
	if (kind == EXEC_START) {
		u->ran = true;
		u->status = W_EXITCODE(status, 0);
	}
	return RESULT_EXIT_CODE;
}

/* The process is made here; what fails before the program runs is told at once. */
static enum result make(struct unit *u, enum exec_kind kind, struct exec_request *rq)
{
	enum result result = RESULT_RESOURCES;
	struct launch l;
	struct enrol e;
	int err = exec_prepare(&l, rq);
	pid_t pid;

	if (err > 0)
		result = step_failed(u, kind, err);
	if (err || tree_enrol(u, kind, &e) < 0)
		goto out;
	rq->enrol = e.nr_ops ? enrol : NULL;
	rq->arg = &e;
	pid = exec_launch(&l);
	if (pid > 0 && !l.err) {
		if (!tree_born(u, kind, &e, pid))
			result = RESULT_SUCCESS;
		goto out;
	}
	tree_unborn(u, kind, &e, pid);
	if (pid > 0) {
		exec_tell(&l);
		result = step_failed(u, kind, exec_status(&l));
	} else {
		log_line("%s: cannot make a process: %s", u->name, strerror(-pid));
	}
out:
	rq->arg = NULL;
	exec_done(&l);
	return result;
}

/**
 * spawn - run a command of a unit, the one of that kind at u->cmd
 *
 * RESULT_SUCCESS: its program runs and is u->main or u->control; EXIT and EMPTY records will
 * come. Otherwise there is no process and the reason has been logged.
 */
enum result spawn(struct unit *u, enum exec_kind kind, const struct command *cmd)
{
	const struct service *s = u->file->service;
	struct strv env = { 0 };
	struct exec_request rq = {
		.file = u->file, .ctx = unit_exec(u), .cmd = cmd, .key = unit_exec_name(kind),
		.env = &env, .socket = -1, .named = { -1, -1, -1 },
		.unconfined = s && s->permissions_start_only && kind != EXEC_START,
		.no_root = s && s->root_start_only && kind != EXEC_START,
		.control = kind != EXEC_START,
		.no_tty = kind == EXEC_START_POST || kind == EXEC_RELOAD || kind == EXEC_STOP,
	};
	enum result result;
	int input;

	set_env(u, kind, &env);
	talk_pass(u, kind, &rq, &env);
	rq.log = logger_fifo(u->file);
	input = logger_input(u->file, rq.ctx);
	rq.logs = input >= 0;
	if (rq.logs)
		rq.named[0] = input;
	result = make(u, kind, &rq);
	if (result != RESULT_SUCCESS && exec_trouble() && !u->failure)
		u->failure = xstrdup(exec_trouble());
	talk_passed(u, &rq);
	if (input >= 0)
		close(input);
	strv_free(&env);
	return result;
}
