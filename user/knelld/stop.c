// SPDX-License-Identifier: GPL-2.0-only
/* How a service is made to end: signals, and what is left after each. See service.c. */
#include <errno.h>
#include <signal.h>

#include "knelld.h"
#include "service.h"
#include "talk.h"

/* An end is awaited, or it is over. */
void stop_settle(struct unit *u)
{
	size_t left;

	if (tree_is_awaited(u))
		return;
	left = tree_count(u);
	if (left)
		log_line("%s: %zu of its processes run on: KillMode=%s", u->name, left,
			 u->kill_mode == KILL_NONE ? "none" : "process");
	tree_release(u);
	service_post(u);
}

/* KillMode=mixed: with the main process gone the rest need not be asked. */
static void kill_rest_of_mixed(struct unit *u)
{
	const struct kill_context *k = unit_kill(u);
	int n;

	if (u->kill_mode != KILL_MIXED || !k->send_sigkill || u->state > STATE_TERM ||
	    (u->main && !u->main->exited) || u->follows)
		return;
	n = tree_kill(u, k->final_signal, true);
	if (n > 0)
		log_line("%s: %s to the %d processes that its main one has left", u->name,
			 signal_name(k->final_signal), n);
}

static int stop_signal(const struct unit *u)
{
	const struct kill_context *k = unit_kill(u);
	bool restarts = u->job && u->job->type == JOB_RESTART;

	return restarts && k->restart_signal ? k->restart_signal : k->signal;
}

static void send_stop(struct unit *u, int sig)
{
	const char *name = signal_name(sig);
	int n = tree_kill(u, sig, false);

	if (n == 1 && u->pid && !u->main_done)
		log_line("%s: stopping, %s to %d", u->name, name, u->pid);
	else if (n > 0)
		log_line("%s: stopping, %s to %d process%s", u->name, name, n,
			 n > 1 ? "es" : "");
	if (sig == SIGKILL || !n)
		return;
	/* One that is stopped could not hear it. */
	tree_kill(u, SIGCONT, false);
	if (unit_kill(u)->send_sighup)
		tree_kill(u, SIGHUP, false);
}

static void begin_signal(struct unit *u, enum state state, int sig, uint64_t ns)
{
	talk_unwatch(u);
	unit_set_state(u, state);
	/* Where only EMPTY is to come, it comes at once. */
	if (tree_has_members(u)) {
		send_stop(u, sig);
		unit_arm(u, ns);
		kill_rest_of_mixed(u);
	}
	stop_settle(u);
}

void service_term(struct unit *u)
{
	begin_signal(u, STATE_TERM, stop_signal(u), service_of(u)->stop_ns);
}

/* SIGABRT, for a core dump that says what it was at. */
void service_abort(struct unit *u)
{
	begin_signal(u, STATE_ABORT, unit_kill(u)->watchdog_signal, service_of(u)->abort_ns);
}

/* What the kernel cannot kill now must not keep the rest from stopping. */
static void abandon(struct unit *u)
{
	log_line("%s: %zu of its processes survive %s, no longer waited for", u->name,
		 tree_count(u), signal_name(unit_kill(u)->final_signal));
	tree_release(u);
}

static void tell_stubborn(const struct unit *u, int n, uint64_t ns, const char *what)
{
	char after[32];

	log_line("%s: %d process%s still there after %s, %s", u->name, n, n == 1 ? "" : "es",
		 span_text(ns, after, sizeof(after)), what);
}

/* What was to be over after @ns; false: SendSIGKILL=no. */
static bool kill_hard(struct unit *u, enum state state, uint64_t ns)
{
	int sig = unit_kill(u)->final_signal, n;

	service_fail(u, RESULT_TIMEOUT);
	if (!unit_kill(u)->send_sigkill) {
		tell_stubborn(u, tree_count(u), ns, "left alone: SendSIGKILL=no");
		tree_release(u);
		return false;
	}
	unit_set_state(u, state);
	n = state == STATE_KILL ? tree_kill(u, sig, true) : tree_kill_control(u, sig);
	if (n)
		tell_stubborn(u, n, ns, signal_name(sig));
	unit_arm(u, service_of(u)->stop_ns);
	return true;
}

int service_kill(struct unit *u, int sig, bool main, bool control)
{
	int n = 0;

	if (main && control)
		n = tree_kill_members(u, sig);
	else if (main)
		n = tree_kill_main(u, sig);
	else if (control)
		n = tree_kill_control(u, sig);
	return n ? n : -ESRCH;
}

/* By state: what of it has ended, and what has not in time */

void stop_emptied(struct unit *u)
{
	kill_rest_of_mixed(u);
	stop_settle(u);
}

void stop_main_ended(struct unit *u, enum result result)
{
	service_fail(u, result);
	stop_emptied(u);
}

void stop_control_ended(struct unit *u, enum result result)
{
	service_fail(u, result);
	stop_settle(u);
}

/* TimeoutStartFailureMode=, TimeoutStopFailureMode= */
void stop_as(struct unit *u, enum timeout_mode mode, uint64_t ns)
{
	service_fail(u, RESULT_TIMEOUT);
	if (mode == TIMEOUT_ABORT) {
		service_abort(u);
	} else if (mode == TIMEOUT_TERMINATE) {
		service_term(u);
	} else {
		talk_unwatch(u);
		if (kill_hard(u, STATE_KILL, ns))
			stop_settle(u);
		else
			service_post(u);
	}
}

void stop_term_expired(struct unit *u)
{
	if (u->state == STATE_TERM && service_of(u)->stop_failure_mode == TIMEOUT_ABORT)
		stop_as(u, TIMEOUT_ABORT, 0);
	else if (!kill_hard(u, STATE_KILL, u->state == STATE_ABORT ? service_of(u)->abort_ns :
			    service_of(u)->stop_ns))
		service_post(u);
}

void stop_kill_expired(struct unit *u)
{
	abandon(u);
	service_post(u);
}

void stop_post_expired(struct unit *u)
{
	int sig = unit_kill(u)->signal;

	service_fail(u, RESULT_TIMEOUT);
	unit_set_state(u, STATE_POST_TERM);
	log_line("%s: ExecStopPost= takes too long, %s", u->name, signal_name(sig));
	tree_kill_control(u, sig);
	tree_kill_control(u, SIGCONT);
	unit_arm(u, service_of(u)->stop_ns);
}

void stop_post_term_expired(struct unit *u)
{
	if (!kill_hard(u, STATE_POST_KILL, service_of(u)->stop_ns))
		service_finish(u);
}

void stop_post_kill_expired(struct unit *u)
{
	abandon(u);
	service_finish(u);
}

