/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of this room are to each other, and to the kinds of unit. */
#ifndef _KNELLD_MANAGER_INTERNAL_H
#define _KNELLD_MANAGER_INTERNAL_H

#include "base.h"
#include "manager.h"
#include "procs.h"

/* unit.c */
struct unit *unit_add(const char *name);
void units_drop(void);
const struct unit_ops *unit_ops_of(enum unit_kind kind);
void unit_lost(struct unit *u, enum loaded load);
void unit_take_latest(struct unit *u);
void units_reload(void);

/* graph.c */
void graph_changed(void);
void graph_settle(void);
const struct edge *graph_edge(const struct unit *u, const struct unit *to, uint8_t side);
bool graph_linked(const struct unit *u, const struct unit *to, uint8_t side);

/* transaction.c */
int transaction(struct unit *u, enum job_type type, enum job_mode mode, const char **why);
const char *edge_text(const struct unit *u, const struct edge *e);
int job_merge(const struct unit *u, enum job_type a, enum job_type b);

/* job.c */
void job_install(struct unit *u, enum job_type type, enum job_mode mode);
void job_finish(struct unit *u, enum job_result result);
bool job_failed(enum job_result result);
void job_look_at(struct unit *u);
void job_settle(void);
void jobs_resume(void);
void job_restore(struct unit *u, uint32_t id, enum job_type type, bool irreversible);
const struct unit *unit_missing_bond(const struct unit *u);
const char *limit_text(const struct unit *u, char *buf, size_t size);

/* change.c */
void unit_check_steady(struct unit *u);
void unit_start_on_failure(struct unit *u);

/* manager.c */
extern struct unit_options manager_options;

int manager_load(void);
void manager_begin(bool resume);
void manager_resume_stop(void);
void manager_settled(void);
void manager_emergency(enum emergency what, const struct unit *u, const char *why);
bool manager_ends_by(const struct unit *u);
bool manager_over(void);
int manager_check(void);

#endif /* _KNELLD_MANAGER_INTERNAL_H */
