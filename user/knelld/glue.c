// SPDX-License-Identifier: GPL-2.0-only
/* What is being built beside: gone when the last of it is there. */
#include "exec.h"
#include "knelld.h"
#include "talk.h"
#include "unit_install.h"

#define WEAK_FN __attribute__((weak))

WEAK_FN int talk_begin(struct unit *u) { (void)u; return 0; }
WEAK_FN void talk_pass(struct unit *u, enum exec_kind kind, struct exec_request *rq, struct strv *env)
{ (void)u; (void)kind; (void)rq; (void)env; }
WEAK_FN void talk_passed(struct unit *u, struct exec_request *rq) { (void)u; (void)rq; }
WEAK_FN void talk_hear(struct unit *u) { (void)u; }
WEAK_FN void talk_watch(struct unit *u) { (void)u; }
WEAK_FN void talk_unwatch(struct unit *u) { (void)u; }
WEAK_FN void talk_end(struct unit *u, bool again) { (void)u; (void)again; }
WEAK_FN void talk_exit(void) { }
WEAK_FN bool talk_await_name(struct unit *u) { (void)u; return false; }
WEAK_FN const struct unit_ops timer_ops, socket_ops;
WEAK_FN enum unit_state unit_is_enabled(struct unit_dirs *d, const char *name)
{ (void)d; (void)name; return UNIT_STATE_ENABLED; }
