/* SPDX-License-Identifier: GPL-2.0-only */
/* What service.c and stop.c are to each other. */
#ifndef _KNELLD_SERVICE_H
#define _KNELLD_SERVICE_H

#include "manager.h"

/* service.c */
const struct service *service_of(const struct unit *u);
void service_fail(struct unit *u, enum result result);	/* the first of a run counts */
void service_post(struct unit *u);			/* ExecStopPost= */
void service_finish(struct unit *u);			/* the run is over */

/* stop.c: on to service_post() when what has to end has ended */
void service_term(struct unit *u);			/* KillSignal= */
void service_abort(struct unit *u);			/* WatchdogSignal= */
void stop_as(struct unit *u, enum timeout_mode mode, uint64_t ns);	/* such a time is over */
void stop_settle(struct unit *u);
/* For the table of phases, by the states' names */
void stop_main_ended(struct unit *u, enum result result);
void stop_control_ended(struct unit *u, enum result result);
void stop_emptied(struct unit *u);
void stop_term_expired(struct unit *u);
void stop_kill_expired(struct unit *u);
void stop_post_expired(struct unit *u);
void stop_post_term_expired(struct unit *u);
void stop_post_kill_expired(struct unit *u);

#endif
