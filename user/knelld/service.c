// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a unit does when something happens to it.
 *
 *	DOWN -> WAITING -> PRE -> START (oneshot) -> POST -> DOWN or DELAY
 *	                      \-> RUN (simple) ----^
 *	                      \-> EXITED (oneshot with RemainAfterExit=)
 *
 * TERM and KILL lie between whatever runs and POST; DELAY goes to PRE. A unit has one
 * process at most and one timer; each record that concerns it finds its state in the table
 * of phases below, and nothing that happens to one unit touches another, but through
 * service_settle(): units that became free to start or to stop.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#include "knelld.h"

struct phase {
	void (*exited)(struct unit *u, enum result result);
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

static const char *result_text(enum result r)
{
	static const char *const text[] = {
		[RESULT_SUCCESS] = "success",
		[RESULT_RESOURCES] = "resources",
		[RESULT_EXIT_CODE] = "exit-code",
		[RESULT_SIGNAL] = "signal",
		[RESULT_CORE_DUMP] = "core-dump",
		[RESULT_TIMEOUT] = "timeout",
		[RESULT_START_LIMIT] = "start-limit-hit",
		[RESULT_DEPENDENCY] = "dependency",
		[RESULT_BAD_UNIT] = "bad-setting",
	};

	return text[r];
}

/* As systemd names it, for ExecStopPost='s $SERVICE_RESULT. */
const char *service_result(const struct unit *u)
{
	return result_text(u->result);
}

static void set_state(struct unit *u, enum state state)
{
	nr_up += (state != STATE_DOWN) - (u->state != STATE_DOWN);
	u->state = state;
}

static void fail(struct unit *u, enum result result)
{
	if (u->result == RESULT_SUCCESS)
		u->result = result;
}

/* Timers. Each setting has its own token: a record of an earlier one is not mistaken. */

static void set_timer(struct unit *u, uint64_t ns)
{
	int err;

	u->armed = ns != 0;
	u->timer_gen++;
	err = queue_set_timer(u->timer, (uint64_t)u->timer_gen << 32 | u->id, ns);
	if (err < 0)
		log_line("%s: cannot set its timer: %s", u->name, strerror(-err));
}

static void disarm(struct unit *u)
{
	if (u->armed)
		set_timer(u, 0);
}

static void arm(struct unit *u, uint64_t ns)
{
	if (ns == FOREVER)
		disarm(u);
	else
		set_timer(u, ns ? ns : 1);
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
}

/* The end of a start, whichever way; those that waited for it are looked at. */

static size_t count(enum start start)
{
	size_t n = 0;

	for (size_t i = 0; i < nr_units; i++)
		n += units[i]->start == start && !units[i]->gone;
	return n;
}

static void start_decided(struct unit *u, enum start start)
{
	if (u->start != START_PENDING)
		return;
	u->start = start;
	for (size_t i = 0; i < u->nr_followers; i++)
		look_at(u->followers[i]);
	if (!--nr_pending && !stopping)
		log_line("startup finished: %zu started, %zu failed", count(START_DONE),
			 count(START_FAILED));
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

static bool shall_restart(const struct unit *u)
{
	const enum result r = u->result;

	if (stopping || u->gone)
		return false;
	switch (u->conf->restart) {
	case RESTART_ALWAYS:
		return true;
	case RESTART_ON_SUCCESS:
		return r == RESULT_SUCCESS;
	case RESTART_ON_FAILURE:
		return r != RESULT_SUCCESS;
	case RESTART_ON_ABNORMAL:
		return r != RESULT_SUCCESS && r != RESULT_EXIT_CODE;
	case RESTART_ON_ABORT:
		return r == RESULT_SIGNAL || r == RESULT_CORE_DUMP;
	default:
		return false;
	}
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
	u->watch = 0;
	if (shall_restart(u)) {
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
			 result_text(u->result));
	down(u);
}

/* Commands: run_commands() starts one of the list and returns, or comes to the end of it. */

static void begin_post(struct unit *u);
static void pre_done(struct unit *u);
static void start_done(struct unit *u);

static void commands_done(struct unit *u)
{
	if (u->kind == EXEC_START_PRE)
		pre_done(u);
	else if (u->kind == EXEC_START)
		start_done(u);
	else
		finish(u);
}

static uint64_t timeout(const struct unit *u)
{
	return u->kind == EXEC_STOP_POST ? u->conf->stop_ns : u->conf->start_ns;
}

/* ExecStopPost= goes on to its end whatever its commands do; the others stop at a failure. */
static void run_commands(struct unit *u)
{
	const struct commands *list = &u->conf->exec[u->kind];

	for (; u->cmd < list->nr; u->cmd++) {
		const struct command *cmd = &list->v[u->cmd];
		enum result result = spawn(u, u->kind, cmd);

		if (result == RESULT_SUCCESS) {
			/* A daemon has no time to be done in. */
			if (u->state == STATE_RUN)
				disarm(u);
			else
				arm(u, timeout(u));
			return;
		}
		if (cmd->flags & CMD_IGNORE_FAILURE)
			continue;
		fail(u, result);
		if (u->kind != EXEC_STOP_POST) {
			begin_post(u);
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

static void begin_post(struct unit *u)
{
	begin_commands(u, EXEC_STOP_POST, STATE_POST);
	run_commands(u);
}

/* A simple service is up once its program runs; a oneshot when all its commands have ended. */
static void pre_done(struct unit *u)
{
	bool simple = u->conf->type == TYPE_SIMPLE;

	begin_commands(u, EXEC_START, simple ? STATE_RUN : STATE_START);
	run_commands(u);
	if (u->state != STATE_RUN || !u->watch)
		return;
	log_line("%s: started, main process %d", u->name, u->pid);
	start_decided(u, START_DONE);
}

/* All of ExecStart= has ended well, or could not be run and that is ignored. */
static void start_done(struct unit *u)
{
	if (u->conf->type == TYPE_ONESHOT && u->conf->remain) {
		set_state(u, STATE_EXITED);
		log_line("%s: done, stays up without a process", u->name);
		start_decided(u, START_DONE);
		return;
	}
	start_decided(u, START_DONE);
	begin_post(u);
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

static void begin_start(struct unit *u)
{
	if (u->next) {
		conf_free(u->conf);
		u->conf = u->next;
		u->next = NULL;
	}
	u->result = RESULT_SUCCESS;
	u->ran = false;
	u->watch = 0;
	/* Taken once and kept: from here on no wait can fail for want of a timer. */
	if (!u->timer && queue_add_timer(&u->timer) < 0) {
		log_line("%s: no room for a timer in %s; the unit fails", u->name, KNELL_DEVICE);
		fail(u, RESULT_RESOURCES);
		down(u);
		return;
	}
	if (start_limit_hit(u)) {
		give_up_starting(u);
		return;
	}
	begin_commands(u, EXEC_START_PRE, STATE_PRE);
	run_commands(u);
}

/* Signals */

static void kill_process(struct unit *u, int sig)
{
	int err = queue_kill(u->watch, sig);

	/* ESRCH: it is dead already and its record on the way. */
	if (err < 0 && err != -ESRCH)
		log_line("%s: cannot send SIG%s to %d: %s", u->name, sigabbrev_np(sig), u->pid,
			 strerror(-err));
}

static void terminate(struct unit *u, enum state state)
{
	set_state(u, state);
	log_line("%s: stopping, SIGTERM to %d", u->name, u->pid);
	kill_process(u, SIGTERM);
	/* One that is stopped could not hear it. */
	kill_process(u, SIGCONT);
	arm(u, u->conf->stop_ns);
}

static void kill_hard(struct unit *u, enum state state)
{
	char after[32];

	set_state(u, state);
	log_line("%s: %d is still there after %s, SIGKILL", u->name, u->pid,
		 span_text(u->conf->stop_ns, after, sizeof(after)));
	fail(u, RESULT_TIMEOUT);
	kill_process(u, SIGKILL);
	arm(u, u->conf->stop_ns);
}

/* What the kernel cannot kill now must not keep the rest from stopping. */
static void abandon(struct unit *u)
{
	log_line("%s: %d survives SIGKILL, no longer waited for", u->name, u->pid);
	queue_del(u->watch);
	u->watch = 0;
}

/* What an exit means, by state */

static void pre_exited(struct unit *u, enum result result)
{
	fail(u, result);
	if (result != RESULT_SUCCESS) {
		begin_post(u);
		return;
	}
	u->cmd++;
	run_commands(u);
}

static void run_exited(struct unit *u, enum result result)
{
	fail(u, result);
	begin_post(u);
}

static void post_exited(struct unit *u, enum result result)
{
	fail(u, result);
	u->cmd++;
	set_state(u, STATE_POST);
	run_commands(u);
}

/* What the end of a wait means, by state */

static void start_expired(struct unit *u)
{
	char after[32];

	log_line("%s: %s= not done within TimeoutStartSec=%s", u->name, exec_names[u->kind],
		 span_text(u->conf->start_ns, after, sizeof(after)));
	fail(u, RESULT_TIMEOUT);
	terminate(u, STATE_TERM);
}

static void term_expired(struct unit *u)
{
	kill_hard(u, STATE_KILL);
}

static void kill_expired(struct unit *u)
{
	abandon(u);
	begin_post(u);
}

static void post_expired(struct unit *u)
{
	fail(u, RESULT_TIMEOUT);
	terminate(u, STATE_POST_TERM);
}

static void post_term_expired(struct unit *u)
{
	kill_hard(u, STATE_POST_KILL);
}

static void post_kill_expired(struct unit *u)
{
	abandon(u);
	finish(u);
}

static void delay_expired(struct unit *u)
{
	if (u->gone)
		down(u);
	else
		begin_start(u);
}

/* No exit comes where there is no process, no timer where none is set: NULL. */
static const struct phase phases[NR_STATES] = {
	[STATE_DOWN]		= { NULL, NULL },
	[STATE_WAITING]		= { NULL, NULL },
	[STATE_PRE]		= { pre_exited, start_expired },
	[STATE_START]		= { pre_exited, start_expired },
	[STATE_RUN]		= { run_exited, NULL },
	[STATE_EXITED]		= { NULL, NULL },
	[STATE_TERM]		= { run_exited, term_expired },
	[STATE_KILL]		= { run_exited, kill_expired },
	[STATE_POST]		= { post_exited, post_expired },
	[STATE_POST_TERM]	= { post_exited, post_term_expired },
	[STATE_POST_KILL]	= { post_exited, post_kill_expired },
	[STATE_DELAY]		= { NULL, delay_expired },
};

/* systemd's clean exits; a signal is one for daemons only, not for commands that have an end. */
static enum result judge(const struct unit *u, int status)
{
	bool daemon = u->kind == EXEC_START && u->conf->type == TYPE_SIMPLE;

	if (WIFEXITED(status))
		return WEXITSTATUS(status) ? RESULT_EXIT_CODE : RESULT_SUCCESS;
	if (WCOREDUMP(status))
		return RESULT_CORE_DUMP;
	switch (WTERMSIG(status)) {
	case SIGHUP:
	case SIGINT:
	case SIGTERM:
	case SIGPIPE:
		if (daemon)
			return RESULT_SUCCESS;
	}
	return RESULT_SIGNAL;
}

static void tell_exit(const struct unit *u, const struct knell_event *ev)
{
	uint64_t cpu_ms = (ev->exit.utime_ns + ev->exit.stime_ns) / NSEC_PER_MSEC;
	int status = ev->exit.status;
	char what[64];

	if (WIFEXITED(status))
		snprintf(what, sizeof(what), "exited with status %d", WEXITSTATUS(status));
	else if (sigabbrev_np(WTERMSIG(status)))
		snprintf(what, sizeof(what), "killed by SIG%s%s", sigabbrev_np(WTERMSIG(status)),
			 WCOREDUMP(status) ? " (core dumped)" : "");
	else
		snprintf(what, sizeof(what), "killed by signal %d", WTERMSIG(status));
	log_line("%s: %s process %d %s, cpu %llu.%03llus, max rss %llu KiB", u->name,
		 u->kind == EXEC_START ? "main" : exec_names[u->kind], u->pid, what,
		 (unsigned long long)cpu_ms / 1000, (unsigned long long)cpu_ms % 1000,
		 (unsigned long long)ev->exit.maxrss_kb);
}

static bool ignores_failure(const struct unit *u)
{
	return u->conf->exec[u->kind].v[u->cmd].flags & CMD_IGNORE_FAILURE;
}

/* A process of @u has ended. */
void service_exit(struct unit *u, const struct knell_event *ev)
{
	enum result result;

	/* Of a watch that was deleted when its record had been read already. */
	if (!u->watch || ev->watch != u->watch || !phases[u->state].exited)
		return;
	tell_exit(u, ev);
	result = ignores_failure(u) ? RESULT_SUCCESS : judge(u, ev->exit.status);
	/* Ended by the very signal that was to end it. */
	if (u->state == STATE_TERM && WIFSIGNALED(ev->exit.status) &&
	    WTERMSIG(ev->exit.status) == SIGTERM)
		result = RESULT_SUCCESS;
	if (u->kind == EXEC_START) {
		u->ran = true;
		u->status = ev->exit.status;
	}
	u->watch = 0;
	disarm(u);
	phases[u->state].exited(u, result);
}

/* The timer of @u has run out; the caller has checked that it is the latest setting. */
void service_timer(struct unit *u)
{
	u->armed = false;
	if (phases[u->state].expired)
		phases[u->state].expired(u);
}

/* What a unit may do now that others have moved on */

static void look_at_start(struct unit *u)
{
	const struct edge *why = NULL;

	if (u->gone) {
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
	case STATE_RUN:
		if (graph_may_stop(u))
			terminate(u, STATE_TERM);
		return;
	case STATE_EXITED:
		if (graph_may_stop(u))
			begin_post(u);
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
		log_line("startup finished: %zu started, %zu failed", count(START_DONE),
			 count(START_FAILED));
}

/* Stops everything, each unit when all that are ordered after it are down. */
void service_stop_all(void)
{
	if (stopping)
		return;
	stopping = true;
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
