/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What passes between a service and its manager besides processes: messages (sd_notify(3), s6's
 * newline), the watchdog, descriptors (sockets, the store), the owner of its bus name.
 *
 * When, by service.c and the one who makes processes:
 *
 *	talk_begin()	a run begins; nothing of it has been started
 *	talk_pass()	before each command, and talk_passed() after it has been made or not
 *	talk_hear()	one of its processes has ended: what it said before is dealt with first
 *	talk_watch()	the start is done, or was before a takeover: the watchdog barks from now on
 *	talk_unwatch()	it is being stopped, or is down
 *	talk_end()	the run is over; @again: to be started anew
 *
 * What a service says that changes its state comes by service_notified() and service_bus_name(); an
 * expired watchdog by service_notified(), too, as NOTIFY_TRIGGER of pid 0.
 */
#ifndef _KNELLD_TALK_H
#define _KNELLD_TALK_H

#include <stdbool.h>

#include "unit_file.h"

struct exec_request;
struct strv;
struct unit;

/* 0, or -errno: it could not be heard and must not be started; was logged. */
int talk_begin(struct unit *u);
/* The same after a takeover, of a run that goes on. */
void talk_resume(struct unit *u);
/* And what was left with a knelld that was killed, and has not come over. */
void talk_tell_lost(const struct unit *u);
/*
 * What the process is given: NOTIFY_SOCKET, WATCHDOG_USEC, LISTEN_FDS and their like go to @env,
 * descriptors (of the main process) and pids to @rq.
 */
void talk_pass(struct unit *u, enum exec_kind kind, struct exec_request *rq, struct strv *env);
void talk_passed(struct unit *u, struct exec_request *rq);
void talk_hear(struct unit *u);
void talk_watch(struct unit *u);
void talk_unwatch(struct unit *u);
void talk_end(struct unit *u, bool again);
/* Before knelld ends, or becomes another: sockets' paths go. */
void talk_exit(void);

/* Type=dbus: is there a bus to wait for its name on? If not, it is up as a simple service is. */
bool talk_await_name(struct unit *u);

#endif
