// SPDX-License-Identifier: GPL-2.0-only
/*
 * Services: what one does when something happens to it.
 *
 *	DEAD -> CONDITION -> PRE -> START -> START_POST -> RUN or EXITED (RemainAfterExit=)
 *	RUN -> RELOAD, RELOAD_NOTIFY -> RUN
 *	RUN, EXITED, or an end by itself -> STOP -> TERM -> KILL -> POST -> DEAD, FAILED or DELAY
 *
 * A start that fails goes to TERM, where what is left of it ends as KillMode= says; DELAY is a
 * restart that waits for its time. A unit waits for one command at most, which is a tree of its
 * own, for the processes of its service, and for one timer. Each record that concerns it finds its
 * state in the table of phases below, and what it does to other units is job.c's.
 *
 * Whatever may be told again to a knelld that takes over (see state.c) may be heard twice: an end
 * that the present state does not wait for changes nothing (see record.c).
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exec.h"
#include "fdstore.h"
#include "knelld.h"
#include "manager_internal.h"
#include "socket.h"
#include "service.h"
#include "talk.h"

struct phase {
	void (*main_ended)(struct unit *u, enum result result);
	void (*control_ended)(struct unit *u, enum result result);
	void (*emptied)(struct unit *u);	/* some of its processes are gone */
	void (*expired)(struct unit *u);
	void (*ready)(struct unit *u);		/* it, or its bus name, says so */
};

static const struct phase phases[NR_STATES];

const struct service *service_of(const struct unit *u)
{
	return u->file->service;
}

void service_fail(struct unit *u, enum result result)
{
	if (u->result == RESULT_SUCCESS)
		u->result = result;
}

/* Restarts */

static void down(struct unit *u)
{
	bool failed = u->result != RESULT_SUCCESS && u->result != RESULT_CONDITION;

	unit_disarm(u);
	unit_set_state(u, failed ? STATE_FAILED : STATE_DEAD);
}

/* As a job, so that those that depend on it are restarted with it, but for RestartMode=direct. */
static void delay_expired(struct unit *u)
{
	const enum job_type type = service_of(u)->restart_direct ? JOB_START : JOB_RESTART;
	const char *why = "all is being stopped";

	if (u->gone) {
		down(u);
	} else if (job_ask(u, type, JOB_REPLACE, NULL, NULL, &why) < 0) {
		log_line("%s: cannot be restarted: %s", u->name, why);
		service_fail(u, RESULT_RESOURCES);
		down(u);
	}
}

static void await_restart(struct unit *u)
{
	char delay[32], used[64];
	uint64_t ns;

	ns = verdict_delay(u);
	log_line("%s: restart in %s%s", u->name, span_text(ns, delay, sizeof(delay)),
		 limit_text(u, used, sizeof(used)));
	u->restarts++;
	u->restarts_ever++;
	u->restart_step++;
	if (u->job && u->job->type == JOB_START && u->job->running)
		job_finish(u, u->result == RESULT_SUCCESS ? JR_DONE : JR_FAILED);
	unit_set_state(u, STATE_DELAY);
	/* A run that never was has to come by the loop, which has others to look after. */
	if (!ns && u->came_up)
		delay_expired(u);
	else
		unit_arm(u, ns);
}

/* A run is over, ExecStopPost= too. */
void service_finish(struct unit *u)
{
	bool again;

	tree_release(u);
	pid_file_remove(u);
	u->pid = 0;
	again = verdict_restarts(u) || (u->job && u->job->type == JOB_RESTART);
	talk_end(u, again);
	exec_stopped(unit_exec(u), again);
	if (!again)
		logger_release(u->file);
	if (verdict_restarts(u)) {
		await_restart(u);
		return;
	}
	if (u->result == RESULT_CONDITION)
		log_line("%s: ExecCondition= does not hold, not started", u->name);
	else if (u->result == RESULT_SUCCESS)
		log_line("%s: %s", u->name, u->stop_asked ? "stopped" : "finished");
	else
		log_line("%s: %s, result %s", u->name, u->stop_asked ? "stopped" : "failed",
			 result_name(u->result));
	down(u);
}

/* Commands: run_commands() starts one of the list and returns, or comes to the end of it. */

static void begin_pre(struct unit *u);
static void pre_done(struct unit *u);
static void start_done(struct unit *u);
static void enter_run(struct unit *u);
static void reload_done(struct unit *u);

static void (*const commands_done[EXEC_KINDS])(struct unit *u) = {
	[EXEC_CONDITION] = begin_pre,
	[EXEC_START_PRE] = pre_done,
	[EXEC_START] = start_done,
	[EXEC_START_POST] = enter_run,
	[EXEC_RELOAD] = reload_done,
	[EXEC_STOP] = service_term,
	[EXEC_STOP_POST] = service_finish,
};

/* Up as soon as its program runs: there is nothing to wait for. */
static bool is_up_at_once(const struct unit *u)
{
	return u->type == TYPE_SIMPLE || u->type == TYPE_EXEC || u->type == TYPE_IDLE;
}

static uint64_t timeout(const struct unit *u)
{
	bool stops = u->exec == EXEC_STOP || u->exec == EXEC_STOP_POST;

	return stops ? service_of(u)->stop_ns : service_of(u)->start_ns;
}

/* A daemon has no time to be done in. */
static void arm_command(struct unit *u)
{
	if (u->exec == EXEC_START && is_up_at_once(u))
		unit_disarm(u);
	else
		unit_arm(u, timeout(u));
}

/* A command has failed, or could not be run. */
static void command_failed(struct unit *u)
{
	if (u->exec == EXEC_CONDITION || u->exec == EXEC_START_PRE) {
		service_post(u);
	} else if (u->exec == EXEC_RELOAD) {
		u->reload_failed = true;
		reload_done(u);
	} else {
		service_term(u);
	}
}

/* What counts for the service: a reload that fails leaves it as it is. */
static void note_failure(struct unit *u, enum result result)
{
	if (u->exec != EXEC_RELOAD)
		service_fail(u, result);
}

/* ExecStopPost= goes on to its end whatever its commands do; the others stop at a failure. */
static void run_commands(struct unit *u)
{
	const struct commands *list = unit_commands(u, u->exec);

	for (; u->cmd < list->nr; u->cmd++) {
		const struct command *cmd = &list->v[u->cmd];
		enum result result;

		arm_command(u);
		result = spawn(u, u->exec, cmd);
		if (result == RESULT_SUCCESS) {
			state_touch(u);
			return;
		}
		if (cmd->flags & CMD_IGNORE_FAILURE)
			continue;
		note_failure(u, result);
		if (u->exec != EXEC_STOP_POST) {
			command_failed(u);
			return;
		}
	}
	unit_disarm(u);
	commands_done[u->exec](u);
}

static void begin_commands(struct unit *u, enum exec_kind kind, enum state state)
{
	unit_set_state(u, state);
	u->exec = kind;
	u->cmd = 0;
}

static void run_list(struct unit *u, enum exec_kind kind, enum state state)
{
	begin_commands(u, kind, state);
	run_commands(u);
}

/* All of it is gone, or no longer waited for. */
void service_post(struct unit *u)
{
	unit_disarm(u);
	run_list(u, EXEC_STOP_POST, STATE_POST);
}

static void begin_start_post(struct unit *u)
{
	run_list(u, EXEC_START_POST, STATE_START_POST);
}

static void run_start(struct unit *u)
{
	if (!u->main)
		run_commands(u);
	if (u->state == STATE_START && u->main &&
	    (is_up_at_once(u) || u->ready || (u->type == TYPE_DBUS && !talk_await_name(u))))
		begin_start_post(u);
}

static void begin_pre(struct unit *u)
{
	run_list(u, EXEC_START_PRE, STATE_PRE);
}

static void pre_done(struct unit *u)
{
	begin_commands(u, EXEC_START, STATE_START);
	run_start(u);
}

/* All of ExecStart= has ended well, or could not be run and that is ignored. */
static void start_done(struct unit *u)
{
	u->main_done = true;
	begin_start_post(u);
}

static void tell_started(const struct unit *u)
{
	if (u->pid)
		log_line("%s: started, main process %d", u->name, u->pid);
	else if (u->type == TYPE_FORKING)
		log_line("%s: started, %zu processes and none of them the main one", u->name,
			 tree_count(u));
	else
		log_line("%s: started", u->name);
}

static void begin_stop(struct unit *u)
{
	if (service_of(u)->cmds[EXEC_STOP]->nr)
		log_line("%s: stopping", u->name);
	talk_unwatch(u);
	run_list(u, EXEC_STOP, STATE_STOP);
}

/* The main process is gone of itself: what is up without one stays so. */
static void main_over(struct unit *u)
{
	if (u->result == RESULT_SUCCESS && service_of(u)->remain) {
		unit_disarm(u);
		log_line("%s: done, stays up without a main process", u->name);
		unit_set_state(u, STATE_EXITED);
		return;
	}
	begin_stop(u);
}

/* RuntimeMaxSec= and a share of RuntimeRandomizedExtraSec= that is the same all over this run. */
static uint64_t run_deadline(const struct unit *u)
{
	const uint64_t max = service_of(u)->more->runtime_max_ns;
	const uint64_t extra = service_of(u)->more->runtime_extra_ns;
	const uint64_t since = u->came_up ? u->times.activated : now_ns();
	const uint64_t share = extra ? u->invocation[0] % extra : 0;

	return max < FOREVER / 2 && share < FOREVER / 2 - max ? since + max + share : 0;
}

static void enter_run(struct unit *u)
{
	if (!tree_is_up(u)) {
		main_over(u);
		return;
	}
	u->exec = EXEC_START;
	tell_started(u);
	unit_arm_at(u, run_deadline(u));
	talk_watch(u);
	u->came_up = true;
	unit_set_state(u, STATE_RUN);
}

/* A start */

static void start(struct unit *u)
{
	unit_take_latest(u);
	u->type = service_of(u)->type;
	u->kill_mode = service_of(u)->kill.mode;
	u->result = RESULT_SUCCESS;
	u->ran = u->main_done = u->ready = u->reload_failed = u->came_up = false;
	u->pid = 0;
	u->status_errno = 0;
	free(u->status_text);
	u->status_text = NULL;
	free(u->failure);
	u->failure = NULL;
	u->watchdog_ns = service_of(u)->more->watchdog_ns;
	if (!u->job || u->state != STATE_DELAY)
		u->restarts = 0;
	unit_disarm(u);
	exec_new_invocation(u->invocation);
	unit_set_state(u, STATE_CONDITION);
	if (!talk_begin(u)) {
		run_list(u, EXEC_CONDITION, STATE_CONDITION);
		return;
	}
	service_fail(u, RESULT_RESOURCES);
	service_post(u);
}

/* What the end of the main process means, by state */

static void start_ended(struct unit *u, enum result result)
{
	/* A daemon that ends has not said that it is ready. */
	if (result == RESULT_SUCCESS && u->type != TYPE_ONESHOT && u->type != TYPE_FORKING)
		result = RESULT_PROTOCOL;
	service_fail(u, result);
	if (result != RESULT_SUCCESS) {
		service_term(u);
		return;
	}
	u->cmd++;
	run_commands(u);
}

/* The command that runs beside it goes on to its end; enter_run() looks at what is left. */
static void start_post_ended(struct unit *u, enum result result)
{
	service_fail(u, result);
}

static void run_ended(struct unit *u, enum result result)
{
	service_fail(u, result);
	main_over(u);
}

static void reload_main_ended(struct unit *u, enum result result)
{
	service_fail(u, result);
	u->reload_failed = true;
	service_term(u);
}

static void stop_ended(struct unit *u, enum result result)
{
	service_fail(u, result);
}

/* What the end of another command means */

static void control_ended(struct unit *u, enum result result)
{
	note_failure(u, result);
	if (result != RESULT_SUCCESS) {
		command_failed(u);
		return;
	}
	u->cmd++;
	run_commands(u);
}

static void post_ended(struct unit *u, enum result result)
{
	service_fail(u, result);
	u->cmd++;
	unit_set_state(u, STATE_POST);
	run_commands(u);
}

/* What the end of a wait means */

static void tell_expired(const struct unit *u, const char *key, uint64_t ns)
{
	char after[32];

	log_line("%s: %s= not done within %s=%s", u->name, unit_exec_name(u->exec), key,
		 span_text(ns, after, sizeof(after)));
}

static void start_expired(struct unit *u)
{
	tell_expired(u, "TimeoutStartSec", service_of(u)->start_ns);
	stop_as(u, service_of(u)->start_failure_mode, service_of(u)->start_ns);
}

static void reload_expired(struct unit *u)
{
	tell_expired(u, "TimeoutStartSec", service_of(u)->start_ns);
	u->reload_failed = true;
	tree_kill_control(u, SIGKILL);
	if (!u->control)
		reload_done(u);
}

static void run_expired(struct unit *u)
{
	log_line("%s: RuntimeMaxSec= is over", u->name);
	service_fail(u, RESULT_TIMEOUT);
	begin_stop(u);
}

static void stop_expired(struct unit *u)
{
	tell_expired(u, "TimeoutStopSec", service_of(u)->stop_ns);
	stop_as(u, service_of(u)->stop_failure_mode, service_of(u)->stop_ns);
}

/* What it says of itself: see notified.c */

static void start_ready(struct unit *u)
{
	if (u->main && u->type != TYPE_ONESHOT && u->type != TYPE_FORKING)
		begin_start_post(u);
}

static void reload_ready(struct unit *u)
{
	unit_arm_at(u, run_deadline(u));
	unit_set_state(u, STATE_RUN);
}

/* Where nothing of the kind can come, or means anything: NULL. */
static const struct phase phases[NR_STATES] = {
	[STATE_CONDITION]  = { NULL, control_ended, NULL, start_expired, NULL },
	[STATE_PRE]	   = { NULL, control_ended, NULL, start_expired, NULL },
	[STATE_START]	   = { start_ended, NULL, NULL, start_expired, start_ready },
	[STATE_START_POST] = { start_post_ended, control_ended, NULL, start_expired, NULL },
	[STATE_RUN]	   = { run_ended, NULL, NULL, run_expired, NULL },
	[STATE_RELOAD]	   = { reload_main_ended, control_ended, NULL, reload_expired, NULL },
	[STATE_RELOAD_NOTIFY] = { reload_main_ended, NULL, NULL, reload_expired, reload_ready },
	[STATE_STOP]	   = { stop_ended, control_ended, NULL, stop_expired, NULL },
	[STATE_ABORT]	   = { stop_main_ended, stop_control_ended, stop_emptied,
				stop_term_expired, NULL },
	[STATE_TERM]	   = { stop_main_ended, stop_control_ended, stop_emptied,
				stop_term_expired, NULL },
	[STATE_KILL]	   = { stop_main_ended, stop_control_ended, stop_settle,
				stop_kill_expired, NULL },
	[STATE_POST]	   = { NULL, post_ended, NULL, stop_post_expired, NULL },
	[STATE_POST_TERM]  = { NULL, post_ended, NULL, stop_post_term_expired, NULL },
	[STATE_POST_KILL]  = { NULL, post_ended, NULL, stop_post_kill_expired, NULL },
	[STATE_DELAY]	   = { NULL, NULL, NULL, delay_expired, NULL },
};

static const struct state_name states[NR_STATES] = {
	[STATE_DEAD]		= { "dead", INACTIVE },
	[STATE_CONDITION]	= { "condition", ACTIVATING },
	[STATE_PRE]		= { "start-pre", ACTIVATING },
	[STATE_START]		= { "start", ACTIVATING },
	[STATE_START_POST]	= { "start-post", ACTIVATING },
	[STATE_RUN]		= { "running", ACTIVE },
	[STATE_EXITED]		= { "exited", ACTIVE },
	[STATE_RELOAD]		= { "reload", RELOADING },
	[STATE_RELOAD_NOTIFY]	= { "reload-notify", RELOADING },
	[STATE_STOP]		= { "stop", DEACTIVATING },
	[STATE_ABORT]		= { "stop-watchdog", DEACTIVATING },
	[STATE_TERM]		= { "stop-sigterm", DEACTIVATING },
	[STATE_KILL]		= { "stop-sigkill", DEACTIVATING },
	[STATE_POST]		= { "stop-post", DEACTIVATING },
	[STATE_POST_TERM]	= { "final-sigterm", DEACTIVATING },
	[STATE_POST_KILL]	= { "final-sigkill", DEACTIVATING },
	[STATE_DELAY]		= { "auto-restart", ACTIVATING, true },
	[STATE_FAILED]		= { "failed", FAILED },
};

/* What record.c makes of the records of a unit */

void service_main_ended(struct unit *u, enum result result)
{
	u->main_done = true;
	if (phases[u->state].main_ended)
		phases[u->state].main_ended(u, result);
}

void service_control_ended(struct unit *u, enum result result)
{
	if (u->kind == UNIT_SOCKET)
		socket_control_ended(u, result);
	else if (phases[u->state].control_ended)
		phases[u->state].control_ended(u, result);
}

void service_emptied(struct unit *u)
{
	if (u->kind == UNIT_SERVICE && phases[u->state].emptied)
		phases[u->state].emptied(u);
}

void service_ready(struct unit *u)
{
	if (phases[u->state].ready)
		phases[u->state].ready(u);
}

static void expired(struct unit *u)
{
	if (phases[u->state].expired)
		phases[u->state].expired(u);
}

/*
 * The command of a forking service has left the service behind. Births may have to be waited for:
 * that of the process that the PID file names may be told a moment later.
 */
void service_forked(struct unit *u)
{
	if (u->state == STATE_START && pid_file_follow(u))
		begin_start_post(u);
}

/* Jobs */

static void stop(struct unit *u)
{
	switch (u->state) {
	case STATE_DELAY:
		/* Its failure was told when it happened: this is no other one. */
		log_line("%s: stopped", u->name);
		unit_disarm(u);
		unit_set_state(u, STATE_DEAD);
		return;
	case STATE_RUN:
	case STATE_EXITED:
		begin_stop(u);
		return;
	default:
		/* A start, or a reload, that is under way. */
		service_term(u);
	}
}

static void reload_done(struct unit *u)
{
	if (service_of(u)->type == TYPE_NOTIFY_RELOAD && !u->reload_failed && tree_is_up(u)) {
		unit_set_state(u, STATE_RELOAD_NOTIFY);
		unit_arm(u, service_of(u)->start_ns);
		return;
	}
	log_line("%s: %s", u->name, u->reload_failed ? "its reload has failed" : "reloaded");
	unit_disarm(u);
	if (tree_is_up(u) || !service_of(u)->remain)
		enter_run(u);
	else
		unit_set_state(u, STATE_EXITED);
}

static bool reload(struct unit *u)
{
	u->reload_failed = false;
	if (service_of(u)->type == TYPE_NOTIFY_RELOAD && u->state == STATE_RUN) {
		unit_set_state(u, STATE_RELOAD_NOTIFY);
		unit_arm(u, service_of(u)->start_ns);
		tree_kill_main(u, service_of(u)->reload_signal);
		return true;
	}
	if (!service_of(u)->cmds[EXEC_RELOAD]->nr)
		return false;
	run_list(u, EXEC_RELOAD, STATE_RELOAD);
	return true;
}

/* After a takeover */

static void resume_start(struct unit *u)
{
	if (u->type == TYPE_FORKING && u->main && u->main->exited)
		service_forked(u);
	else
		run_start(u);
}

/* Where the state file is lost a wait begins anew; else what remains of it. */
static void resume_timer(struct unit *u)
{
	if (u->deadline) {
		/* If it has run out, that is told at once. */
		unit_arm_at(u, u->deadline);
		return;
	}
	switch (u->state) {
	case STATE_RUN:
	case STATE_EXITED:
		return;
	case STATE_DELAY:
		unit_arm(u, service_of(u)->restart_ns);
		return;
	case STATE_ABORT:
	case STATE_TERM:
	case STATE_KILL:
		unit_arm(u, service_of(u)->stop_ns);
		return;
	default:
		arm_command(u);
	}
}

/* Goes on from there: does what was announced but not done. */
static void resume(struct unit *u)
{
	talk_resume(u);
	/* From here on its FIFO is held again. */
	logger_fifo(u->file);
	resume_timer(u);
	switch (u->state) {
	case STATE_RUN:
		talk_watch(u);
		return;
	case STATE_EXITED:
	case STATE_DELAY:
	case STATE_RELOAD_NOTIFY:
		return;
	case STATE_START:
		resume_start(u);
		return;
	case STATE_ABORT:
	case STATE_TERM:
	case STATE_KILL:
		stop_settle(u);
		return;
	default:
		if (!u->control)
			run_commands(u);
	}
}

static void save(const struct unit *u, uint64_t own[UNIT_OWN])
{
	own[0] = u->fds ? u->fds->nr : 0;
}

static void restore(struct unit *u, const uint64_t own[UNIT_OWN])
{
	u->had_fds = own[0];
}

const struct unit_ops service_ops = {
	.states = states, .nr_states = NR_STATES, .failed = STATE_FAILED,
	.start = start, .stop = stop, .reload = reload, .expired = expired, .resume = resume,
	.save = save, .restore = restore,
};
