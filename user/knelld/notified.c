// SPDX-License-Identifier: GPL-2.0-only
/* What a service says of itself, as far as it changes its state. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "knelld.h"
#include "notify.h"
#include "service.h"
#include "talk.h"

/*
 * It has not said in time that it is alive, or asks for this end. Not for another one while it is
 * being stopped: that would put off what comes after SIGTERM.
 */
static void trigger_watchdog(struct unit *u)
{
	char after[32];

	if (u->state < STATE_START || u->state > STATE_RELOAD_NOTIFY || u->state == STATE_EXITED)
		return;
	log_line("%s: no sign of life within WatchdogSec=%s", u->name,
		 span_text(u->watchdog_ns, after, sizeof(after)));
	service_fail(u, RESULT_WATCHDOG);
	service_abort(u);
}

/* STOPPING=1: no signal is needed, but it has to come to its end. */
static void stops_itself(struct unit *u)
{
	if (u->state != STATE_RUN)
		return;
	talk_unwatch(u);
	unit_set_state(u, STATE_TERM);
	unit_arm(u, service_of(u)->stop_ns);
	stop_settle(u);
}

/* RELOADING=1 */
static void reloads_itself(struct unit *u)
{
	if (u->state != STATE_RUN)
		return;
	unit_set_state(u, STATE_RELOAD_NOTIFY);
	unit_arm(u, service_of(u)->start_ns);
}

static bool tells_ready(const struct unit *u)
{
	return u->type == TYPE_NOTIFY || u->type == TYPE_NOTIFY_RELOAD;
}

static void take_main_pid(struct unit *u, pid_t pid)
{
	const char *why;

	if (pid == u->pid || !u->main || u->main_done)
		return;
	if (pid == getpid() || pid == 1) {
		log_line("%s: MAINPID=%d: that is none of its processes, ignored", u->name, pid);
		return;
	}
	/* The command's own process is followed by its tree already. */
	if (pid == u->main->pid && !u->main->exited) {
		tree_drop_proc(u);
		u->pid = pid;
		return;
	}
	tree_drop_proc(u);
	why = pid_follow(u, pid);
	if (why)
		log_line("%s: MAINPID=%d: %s, ignored", u->name, pid, why);
	else
		log_line("%s: its main process is %d from now on", u->name, pid);
}

static void take_progress(struct unit *u, uint32_t set)
{
	if (set & NOTIFY_READY) {
		u->ready = true;
		if (tells_ready(u) || u->state == STATE_RELOAD_NOTIFY)
			service_ready(u);
	} else if (set & NOTIFY_RELOADING) {
		reloads_itself(u);
	} else if (set & NOTIFY_STOPPING) {
		stops_itself(u);
	}
}

/* EXTEND_TIMEOUT_USEC=: of what is waited for now; a time that is later already stays. */
static void extend(struct unit *u, uint64_t usec)
{
	const enum active a = unit_active(u);
	uint64_t ns = usec > UINT64_MAX / 1000 ? FOREVER : usec * 1000, until = now_ns() + ns;

	if (!u->deadline || (a == ACTIVE && u->file->service->more->runtime_max_ns == FOREVER))
		return;
	if (ns != FOREVER && until > u->deadline)
		unit_arm_at(u, until);
}

void service_notified(struct unit *u, struct notify *n)
{
	if (unit_is_down(u) || u->state == STATE_DELAY)
		return;
	state_touch(u);
	if (n->set & NOTIFY_TRIGGER) {
		trigger_watchdog(u);
		return;
	}
	if (n->set & NOTIFY_MAINPID)
		take_main_pid(u, n->main_pid);
	if (n->set & NOTIFY_EXTEND)
		extend(u, n->extend_usec);
	take_progress(u, n->set);
}

void service_bus_name(struct unit *u, bool owned)
{
	if (u->type != TYPE_DBUS || unit_is_down(u))
		return;
	if (owned) {
		u->ready = true;
		service_ready(u);
	} else if (u->state == STATE_RUN) {
		log_line("%s: it has lost its name %s", u->name, u->file->service->more->bus_name);
		u->ops->stop(u);
	}
}
