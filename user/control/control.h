/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * io.knell.Manager, served on a Unix socket.
 *
 * control.c         the socket, what may be changed, jobs, events
 * control_unit.c    a unit as JSON; why it is as it is
 * control_report.c  what is told of all of them: lists, times, counters
 */
#ifndef _KNELLD_CONTROL_H
#define _KNELLD_CONTROL_H

#include <jansson.h>

#include "manager.h"
#include "varlink.h"

/* Set by the options before control_begin(); NULL: the usual one. */
extern const char *control_path;
extern bool control_owner_only;		/* --control-read=owner */

/* 0 or -errno, told of in the log; knelld does without. Again after a failure, if it likes. */
int control_begin(void);
/* What can be sent is: before an exec or the end. */
void control_flush(void);
void control_end(void);

/* For the other two files */

#define CONTROL_INTERFACE	"io.knell.Manager"

/* The unit that @params names; NULL: the call has been answered. Who may act has its files read. */
struct unit *control_unit(struct varlink_call *call, json_t *params);
struct varlink_stats control_stats(void);

/* NULL if @ns is 0, for "o*" of json_pack(). */
json_t *json_instant(uint64_t ns);
/* A string whatever bytes it has; NULL if @s is. */
json_t *json_text(const char *s);
json_t *json_unit(const struct unit *u);
json_t *json_job(const struct unit *u);
json_t *json_details(const struct unit *u, size_t exits, size_t lines);
json_t *json_ending(const struct unit *u, const struct ending *e);
extern const char *const json_active[], *const json_job_type[], *const json_job_result[];

/* A method: what it is given, and it may not need. */
#define HANDLER(name)							\
	void name(struct varlink_call *call, json_t *params __attribute__((unused)),	\
		  void *arg __attribute__((unused)))

varlink_handler control_list_units, control_unit_status, control_manager_status, control_list_jobs,
	control_history, control_tree, control_timers, control_dependencies, control_metrics,
	control_boot_times, control_statistics;

#endif /* _KNELLD_CONTROL_H */
