// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a unit does when something happens to it.
 *
 *	DOWN -> WAITING -> PRE -> START -> START_POST -> RUN (simple, forking)
 *	                           oneshot, forking  \-> EXITED (RemainAfterExit=)
 *	RUN, EXITED, or an end by itself -> STOP -> TERM -> KILL -> POST -> DOWN or DELAY
 *
 * A start that fails goes to TERM, where what is left of it ends as KillMode= says; DELAY goes to
 * PRE. A unit waits for one command at most, which is a tree of its own, for the processes of its
 * service, and for one timer. Each record that concerns it finds its state in the table of phases
 * below, and nothing that happens to one unit touches another, but through service_settle():
 * units that became free to start or to stop.
 *
 * Whatever may be told again to a knelld that takes over (see state.c) may be heard twice: an end
 * that the present state does not wait for changes nothing (see record.c).
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "knelld.h"

struct phase {
	void (*main_ended)(struct unit *u, enum result result);
	void (*control_ended)(struct unit *u, enum result result);
	void (*emptied)(struct unit *u);	/* some of its processes are gone */
	void (*expired)(struct unit *u);
};

static const struct phase phases[NR_STATES];

static bool stopping;
static size_t nr_pending;	/* units whose start is not decided */
static size_t nr_up;		/* units that are not down */
static struct unit *to_look_at, **to_look_at_end = &to_look_at;

static void look_at(struct unit *u)
{
	if (u->queued)
		return;
	u->queued = true;
	u->queue_next = NULL;
	*to_look_at_end = u;
	to_look_at_end = &u->queue_next;
}

static struct unit *next_to_look_at(void)
{
	struct unit *u = to_look_at;

	if (!u)
		return NULL;
	to_look_at = u->queue_next;
	if (!to_look_at)
		to_look_at_end = &to_look_at;
	u->queued = false;
	return u;
}

static void set_state(struct unit *u, enum state state)
{
	nr_up += (state != STATE_DOWN) - (u->state != STATE_DOWN);
	u->state = state;
	state_touch(u);
}

static void fail(struct unit *u, enum result result)
{
	if (u->result == RESULT_SUCCESS)
		u->result = result;
}

/* Timers: the next knelld sets them by the state file. */

static void on_timer(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	struct unit *u = arg;

	(void)l;
	(void)call;
	state_touch(u);
	service_expired(u);
}

static void set_timer(struct unit *u, uint64_t deadline)
{
	struct knell_loop *l = queue_loop();

	knell_cancel(l, u->timer);
	u->deadline = deadline;
	u->timer = deadline ? knell_add_timer_at(l, on_timer, u, CLOCK_MONOTONIC, deadline) :
		   KNELL_NONE;
	if (deadline && knell_is_none(u->timer))
		log_line("%s: cannot set its timer: %s", u->name, strerror(errno));
	state_touch(u);
}

static void disarm(struct unit *u)
{
	if (u->deadline)
		set_timer(u, 0);
}

static void arm(struct unit *u, uint64_t ns)
{
	const uint64_t now = now_ns();

	/* What lies beyond the clock never comes. */
	if (ns > (uint64_t)INT64_MAX - now)
		disarm(u);
	else
		set_timer(u, now + ns);
}

/* The end of a start, whichever way; those that waited for it are looked at. */

static size_t count(enum start start)
{
	size_t n = 0;

	for (size_t i = 0; i < nr_units; i++)
		n += units[i]->start == start && !units[i]->gone;
	return n;
}

static void tell_startup(void)
{
	log_line("startup finished: %zu started, %zu failed", count(START_DONE),
		 count(START_FAILED));
}

static void start_decided(struct unit *u, enum start start)
{
	if (u->start != START_PENDING)
		return;
	u->start = start;
	state_touch(u);
	for (size_t i = 0; i < u->nr_followers; i++)
		look_at(u->followers[i]);
	if (!--nr_pending && !stopping)
		tell_startup();
}

static void down(struct unit *u)
{
	disarm(u);
	set_state(u, STATE_DOWN);
	start_decided(u, u->result == RESULT_SUCCESS ? START_DONE : START_FAILED);
	if (u->gone)
		u->start = START_NONE;
	for (size_t i = 0; stopping && i < u->nr_edges; i++)
		look_at(u->edges[i].to);
}

static bool limited(const struct conf *c)
{
	return c->limit_burst && c->limit_ns;
}

static void tell_restart(const struct unit *u)
{
	const struct conf *c = u->conf;
	char delay[32], window[32];

	span_text(c->restart_ns, delay, sizeof(delay));
	if (limited(c))
		log_line("%s: restart in %s (%u of %u starts in %s are used)", u->name, delay,
			 u->limit_used, c->limit_burst,
			 span_text(c->limit_ns, window, sizeof(window)));
	else
		log_line("%s: restart in %s", u->name, delay);
}

/* A run is over, ExecStopPost= too. */
static void finish(struct unit *u)
{
	tree_release(u);
	pid_file_remove(u);
	u->pid = 0;
	if (verdict_restarts(u)) {
		start_decided(u, u->result == RESULT_SUCCESS ? START_DONE : START_FAILED);
		tell_restart(u);
		set_state(u, STATE_DELAY);
		arm(u, u->conf->restart_ns);
		return;
	}
	if (u->result == RESULT_SUCCESS)
		log_line("%s: %s", u->name, stopping ? "stopped" : "finished");
	else
		log_line("%s: %s, result %s", u->name, stopping ? "stopped" : "failed",
			 verdict_text(u->result));
	down(u);
}

/* Commands: run_commands() starts one of the list and returns, or comes to the end of it. */

static void begin_term(struct unit *u);
static void begin_post(struct unit *u);
static void pre_done(struct unit *u);
static void start_done(struct unit *u);
static void enter_run(struct unit *u);

static void commands_done(struct unit *u)
{
	switch (u->kind) {
	case EXEC_START_PRE:
		pre_done(u);
		return;
	case EXEC_START:
		start_done(u);
		return;
	case EXEC_START_POST:
		enter_run(u);
		return;
	case EXEC_STOP:
		begin_term(u);
		return;
	default:
		finish(u);
	}
}

static uint64_t timeout(const struct unit *u)
{
	bool stops = u->kind == EXEC_STOP || u->kind == EXEC_STOP_POST;

	return stops ? u->conf->stop_ns : u->conf->start_ns;
}

/* Before it is started, so that a knelld that takes over knows. */
static void arm_command(struct unit *u)
{
	/* A daemon has no time to be done in. */
	if (u->kind == EXEC_START && u->type == TYPE_SIMPLE)
		disarm(u);
	else
		arm(u, timeout(u));
}

/* A command has failed, or could not be run. */
static void command_failed(struct unit *u)
{
	if (u->kind == EXEC_START_PRE)
		begin_post(u);
	else
		begin_term(u);
}

/* ExecStopPost= goes on to its end whatever its commands do; the others stop at a failure. */
static void run_commands(struct unit *u)
{
	const struct commands *list = &u->conf->exec[u->kind];

	for (; u->cmd < list->nr; u->cmd++) {
		const struct command *cmd = &list->v[u->cmd];
		enum result result;

		arm_command(u);
		result = spawn(u, u->kind, cmd);
		if (result == RESULT_SUCCESS) {
			state_touch(u);
			return;
		}
		if (cmd->flags & CMD_IGNORE_FAILURE)
			continue;
		fail(u, result);
		if (u->kind != EXEC_STOP_POST) {
			command_failed(u);
			return;
		}
	}
	disarm(u);
	commands_done(u);
}

static void begin_commands(struct unit *u, enum exec_kind kind, enum state state)
{
	set_state(u, state);
	u->kind = kind;
	u->cmd = 0;
}

static void run_list(struct unit *u, enum exec_kind kind, enum state state)
{
	begin_commands(u, kind, state);
	run_commands(u);
}

/* All of it is gone, or no longer waited for. */
static void begin_post(struct unit *u)
{
	disarm(u);
	run_list(u, EXEC_STOP_POST, STATE_POST);
}

static void begin_start_post(struct unit *u)
{
	run_list(u, EXEC_START_POST, STATE_START_POST);
}

/* A simple service is up once its program runs; the others when their commands have ended. */
static void run_start(struct unit *u)
{
	if (!u->main)
		run_commands(u);
	if (u->type == TYPE_SIMPLE && u->state == STATE_START && u->main)
		begin_start_post(u);
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
	if (u->conf->exec[EXEC_STOP].nr)
		log_line("%s: stopping", u->name);
	run_list(u, EXEC_STOP, STATE_STOP);
}

/* The main process is gone of itself: what is up without one stays so. */
static void main_over(struct unit *u)
{
	if (u->result == RESULT_SUCCESS && u->conf->remain) {
		disarm(u);
		set_state(u, STATE_EXITED);
		log_line("%s: done, stays up without a main process", u->name);
		start_decided(u, START_DONE);
		return;
	}
	if (u->result == RESULT_SUCCESS)
		start_decided(u, START_DONE);
	begin_stop(u);
}

static void enter_run(struct unit *u)
{
	if (!tree_is_up(u)) {
		main_over(u);
		return;
	}
	u->kind = EXEC_START;
	disarm(u);
	set_state(u, STATE_RUN);
	tell_started(u);
	start_decided(u, START_DONE);
}

/* As systemd counts: so many starts in a window that begins with the first of them. */
static bool start_limit_hit(struct unit *u)
{
	const struct conf *c = u->conf;
	uint64_t now;

	if (!limited(c))
		return false;
	now = now_ns();
	if (!u->limit_begin || (c->limit_ns != FOREVER && now - u->limit_begin > c->limit_ns)) {
		u->limit_begin = now;
		u->limit_used = 0;
	}
	if (u->limit_used >= c->limit_burst)
		return true;
	u->limit_used++;
	return false;
}

static void give_up_starting(struct unit *u)
{
	char window[32];

	fail(u, RESULT_START_LIMIT);
	log_line("%s: start limit hit: %u starts in %s, stays down; see StartLimitBurst=",
		 u->name, u->conf->limit_burst,
		 span_text(u->conf->limit_ns, window, sizeof(window)));
	down(u);
}

/* From now on the file's latest contents count. */
static void take_conf(struct unit *u)
{
	if (!u->next)
		return;
	conf_free(u->conf);
	u->conf = u->next;
	u->next = NULL;
}

static void begin_start(struct unit *u)
{
	take_conf(u);
	u->type = u->conf->type;
	u->kill_mode = u->conf->kill_mode;
	u->result = RESULT_SUCCESS;
	u->ran = false;
	u->main_done = false;
	u->pid = 0;
	if (start_limit_hit(u)) {
		give_up_starting(u);
		return;
	}
	run_list(u, EXEC_START_PRE, STATE_PRE);
}

/* Signals */

/* An end is awaited, or it is over. */
static void term_settle(struct unit *u)
{
	size_t left;

	if (tree_is_awaited(u))
		return;
	left = tree_count(u);
	if (left)
		log_line("%s: %zu of its processes run on: KillMode=%s", u->name, left,
			 u->kill_mode == KILL_NONE ? "none" : "process");
	tree_release(u);
	begin_post(u);
}

/* KillMode=mixed: with the main process gone the rest need not be asked. */
static void kill_rest_of_mixed(struct unit *u)
{
	int n;

	if (u->kill_mode != KILL_MIXED || u->state != STATE_TERM || !u->conf->send_sigkill ||
	    (u->main && !u->main->exited) || u->follows_pid_file)
		return;
	n = tree_kill(u, u->conf->final_signal, true);
	if (n > 0)
		log_line("%s: %s to the %d processes that its main one has left", u->name,
			 signal_name(u->conf->final_signal), n);
}

static void send_stop(struct unit *u)
{
	const char *name = signal_name(u->conf->kill_signal);
	int n = tree_kill(u, u->conf->kill_signal, false);

	if (n == 1 && u->pid && !u->main_done)
		log_line("%s: stopping, %s to %d", u->name, name, u->pid);
	else if (n > 0)
		log_line("%s: stopping, %s to %d process%s", u->name, name, n,
			 n > 1 ? "es" : "");
	/* One that is stopped could not hear it. */
	tree_kill(u, SIGCONT, false);
	if (u->conf->send_sighup)
		tree_kill(u, SIGHUP, false);
}

static void begin_term(struct unit *u)
{
	set_state(u, STATE_TERM);
	/* Where only EMPTY is to come, it comes at once. */
	if (tree_has_members(u)) {
		send_stop(u);
		arm(u, u->conf->stop_ns);
		kill_rest_of_mixed(u);
	}
	term_settle(u);
}

/* What the kernel cannot kill now must not keep the rest from stopping. */
static void abandon(struct unit *u)
{
	log_line("%s: %zu of its processes survive %s, no longer waited for", u->name,
		 tree_count(u), signal_name(u->conf->final_signal));
	tree_release(u);
}

static void tell_stubborn(const struct unit *u, int n, const char *what)
{
	char after[32];

	log_line("%s: %d process%s still there after %s, %s", u->name, n, n == 1 ? "" : "es",
		 span_text(u->conf->stop_ns, after, sizeof(after)), what);
}

/* False: SendSIGKILL=no. */
static bool kill_hard(struct unit *u, enum state state)
{
	int sig = u->conf->final_signal, n;

	fail(u, RESULT_TIMEOUT);
	if (!u->conf->send_sigkill) {
		tell_stubborn(u, tree_count(u), "left alone: SendSIGKILL=no");
		tree_release(u);
		return false;
	}
	set_state(u, state);
	n = state == STATE_KILL ? tree_kill(u, sig, true) : tree_kill_control(u, sig);
	tell_stubborn(u, n, signal_name(sig));
	arm(u, u->conf->stop_ns);
	return true;
}

/* What the end of the main process means, by state */

static void start_ended(struct unit *u, enum result result)
{
	fail(u, result);
	if (result != RESULT_SUCCESS) {
		begin_term(u);
		return;
	}
	u->cmd++;
	run_commands(u);
}

/* The command that runs beside it goes on to its end; enter_run() looks at what is left. */
static void start_post_ended(struct unit *u, enum result result)
{
	fail(u, result);
}

static void run_ended(struct unit *u, enum result result)
{
	fail(u, result);
	main_over(u);
}

static void stop_ended(struct unit *u, enum result result)
{
	fail(u, result);
}

static void term_emptied(struct unit *u)
{
	kill_rest_of_mixed(u);
	term_settle(u);
}

static void term_ended(struct unit *u, enum result result)
{
	fail(u, result);
	term_emptied(u);
}

/* What the end of another command means */

static void control_ended(struct unit *u, enum result result)
{
	fail(u, result);
	if (result != RESULT_SUCCESS) {
		command_failed(u);
		return;
	}
	u->cmd++;
	run_commands(u);
}

static void term_control_ended(struct unit *u, enum result result)
{
	fail(u, result);
	term_settle(u);
}

static void post_ended(struct unit *u, enum result result)
{
	fail(u, result);
	u->cmd++;
	set_state(u, STATE_POST);
	run_commands(u);
}

/* What the end of a wait means */

static void start_expired(struct unit *u)
{
	char after[32];

	log_line("%s: %s= not done within TimeoutStartSec=%s", u->name, exec_names[u->kind],
		 span_text(u->conf->start_ns, after, sizeof(after)));
	fail(u, RESULT_TIMEOUT);
	begin_term(u);
}

static void stop_expired(struct unit *u)
{
	char after[32];

	log_line("%s: ExecStop= not done within TimeoutStopSec=%s", u->name,
		 span_text(u->conf->stop_ns, after, sizeof(after)));
	fail(u, RESULT_TIMEOUT);
	begin_term(u);
}

static void term_expired(struct unit *u)
{
	if (!kill_hard(u, STATE_KILL))
		begin_post(u);
}

static void kill_expired(struct unit *u)
{
	abandon(u);
	begin_post(u);
}

static void post_expired(struct unit *u)
{
	int sig = u->conf->kill_signal;

	fail(u, RESULT_TIMEOUT);
	set_state(u, STATE_POST_TERM);
	log_line("%s: ExecStopPost= takes too long, %s", u->name, signal_name(sig));
	tree_kill_control(u, sig);
	tree_kill_control(u, SIGCONT);
	arm(u, u->conf->stop_ns);
}

static void post_term_expired(struct unit *u)
{
	if (!kill_hard(u, STATE_POST_KILL))
		finish(u);
}

static void post_kill_expired(struct unit *u)
{
	abandon(u);
	finish(u);
}

static void delay_expired(struct unit *u)
{
	const struct conf *c = unit_latest(u);

	/* Of a former knelld's unit there may be no file to go by. */
	if (u->gone || !c->exec[EXEC_START].nr)
		down(u);
	else
		begin_start(u);
}

/* Where nothing of the kind can come, or means anything: NULL. */
static const struct phase phases[NR_STATES] = {
	[STATE_DOWN]		= { NULL, NULL, NULL, NULL },
	[STATE_WAITING]		= { NULL, NULL, NULL, NULL },
	[STATE_PRE]		= { NULL, control_ended, NULL, start_expired },
	[STATE_START]		= { start_ended, NULL, NULL, start_expired },
	[STATE_START_POST]	= { start_post_ended, control_ended, NULL, start_expired },
	[STATE_RUN]		= { run_ended, NULL, NULL, NULL },
	[STATE_EXITED]		= { NULL, NULL, NULL, NULL },
	[STATE_STOP]		= { stop_ended, control_ended, NULL, stop_expired },
	[STATE_TERM]		= { term_ended, term_control_ended, term_emptied, term_expired },
	[STATE_KILL]		= { term_ended, term_control_ended, term_settle, kill_expired },
	[STATE_POST]		= { NULL, post_ended, NULL, post_expired },
	[STATE_POST_TERM]	= { NULL, post_ended, NULL, post_term_expired },
	[STATE_POST_KILL]	= { NULL, post_ended, NULL, post_kill_expired },
	[STATE_DELAY]		= { NULL, NULL, NULL, delay_expired },
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
	if (phases[u->state].control_ended)
		phases[u->state].control_ended(u, result);
}

void service_emptied(struct unit *u)
{
	if (phases[u->state].emptied)
		phases[u->state].emptied(u);
}

void service_expired(struct unit *u)
{
	u->deadline = 0;
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

/* Another knelld has left a unit like this. */
void service_restore(struct unit *u, enum state state, enum start start)
{
	set_state(u, state);
	nr_pending += (start == START_PENDING) - (u->start == START_PENDING);
	u->start = start;
}

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
	/* If it has run out, that is told at once. */
	set_timer(u, u->deadline);
	if (u->deadline || u->state == STATE_RUN || u->state == STATE_EXITED)
		return;
	if (u->state == STATE_DELAY)
		arm(u, u->conf->restart_ns);
	else if (u->state == STATE_TERM || u->state == STATE_KILL)
		arm(u, u->conf->stop_ns);
	else
		arm_command(u);
}

/* Goes on from there: does what was announced but not done. */
void service_resume(struct unit *u)
{
	if (u->state == STATE_WAITING)
		look_at(u);
	if (u->state == STATE_DOWN || u->state == STATE_WAITING)
		return;
	resume_timer(u);
	switch (u->state) {
	case STATE_RUN:
	case STATE_EXITED:
	case STATE_DELAY:
		return;
	case STATE_START:
		resume_start(u);
		return;
	case STATE_TERM:
	case STATE_KILL:
		term_settle(u);
		return;
	default:
		if (!u->control)
			run_commands(u);
	}
}

/* What a unit may do now that others have moved on */

static void look_at_start(struct unit *u)
{
	const struct edge *why = NULL;

	if (u->gone) {
		down(u);
		return;
	}
	if (!unit_latest(u)) {
		u->result = RESULT_BAD_UNIT;
		down(u);
		return;
	}
	switch (graph_may_start(u, &why)) {
	case MUST_WAIT:
		return;
	case MUST_FAIL:
		log_line("%s:%u: Requires=%s: it did not start; the unit fails", u->name,
			 why->line, why->to->name);
		u->result = RESULT_DEPENDENCY;
		down(u);
		return;
	case MAY_START:
		begin_start(u);
	}
}

static void look_at_stop(struct unit *u)
{
	switch (u->state) {
	case STATE_WAITING:
	case STATE_DELAY:
		down(u);
		return;
	case STATE_PRE:
	case STATE_START:
	case STATE_START_POST:
		if (graph_may_stop(u))
			begin_term(u);
		return;
	case STATE_RUN:
	case STATE_EXITED:
		if (graph_may_stop(u))
			begin_stop(u);
		return;
	default:
		/* Down, or on its way. */
		return;
	}
}

/* Starts and stops what is free to, and what that sets free in turn. */
void service_settle(void)
{
	struct unit *u;

	while ((u = next_to_look_at())) {
		if (stopping)
			look_at_stop(u);
		else if (u->state == STATE_WAITING)
			look_at_start(u);
	}
}

/* Did a former attempt fail for what the files said, so that new ones may mend it? */
static bool worth_a_start(const struct unit *u)
{
	if (u->state != STATE_DOWN || u->gone)
		return false;
	return u->start == START_NONE || u->result == RESULT_BAD_UNIT ||
	       u->result == RESULT_DEPENDENCY;
}

/* After the directory was read: starts what is new. */
void service_start_new(void)
{
	for (size_t i = 0; i < nr_units; i++) {
		struct unit *u = units[i];

		if (u->state == STATE_WAITING)
			look_at(u);
		if (!worth_a_start(u))
			continue;
		if (unit_refused(u)) {
			u->result = RESULT_BAD_UNIT;
			u->start = START_FAILED;
			continue;
		}
		u->start = START_PENDING;
		u->result = RESULT_SUCCESS;
		nr_pending++;
		set_state(u, STATE_WAITING);
		look_at(u);
	}
	if (!nr_pending)
		tell_startup();
}

/* Stops everything, each unit when all that are ordered after it are down. */
void service_stop_all(void)
{
	if (stopping)
		return;
	stopping = true;
	state_stopping();
	for (size_t i = nr_units; i-- > 0;)
		look_at(units[i]);
}

bool service_stopping(void)
{
	return stopping;
}

bool service_all_stopped(void)
{
	return stopping && !nr_up;
}
