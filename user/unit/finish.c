// SPDX-License-Identifier: GPL-2.0-only
/* A unit before its files are read, and what only all of them show. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "private.h"

#define TYPE_UNSET	0xff

static const struct exec_context exec_defaults = {
	.umask = 0022,
	.nice = UNSET, .cpu_policy = UNSET, .cpu_priority = UNSET, .ioprio = UNSET,
	.oom_score = UNSET,
	.timer_slack = FOREVER,
	.coredump_filter = -1,
	.caps_bounding = UINT64_MAX,
	.ignore_sigpipe = true,
	.out = { .kind = STDIO_LOG },
	.err = { .kind = STDIO_INHERIT },
	.tty = "/dev/console", .tty_rows = UNSET, .tty_columns = UNSET,
};

static const struct service_more more_defaults = {
	.restart_max_ns = FOREVER, .runtime_max_ns = FOREVER, .notify_fd = -1,
};

const struct commands no_commands;

static void no_commands_yet(const struct commands **cmds)
{
	for (int i = 0; i < EXEC_KINDS; i++)
		cmds[i] = &no_commands;
}

static void kill_defaults(struct kill_context *k)
{
	k->mode = KILL_CONTROL_GROUP;
	k->signal = SIGTERM;
	k->final_signal = SIGKILL;
	k->watchdog_signal = SIGABRT;
	k->send_sigkill = true;
}

static void service_defaults(struct service *s)
{
	s->exec = &exec_defaults;
	s->more = &more_defaults;
	no_commands_yet(s->cmds);
	kill_defaults(&s->kill);
	s->type = TYPE_UNSET;
	s->guess_main_pid = true;
	s->restart_ns = 100 * NSEC_PER_MSEC;
	s->start_ns = s->stop_ns = 90 * NSEC_PER_SEC;
	s->reload_signal = SIGHUP;
	s->fd_store_preserve = PRESERVE_RESTART;
}

static void socket_defaults(struct socket *s)
{
	s->exec = &exec_defaults;
	no_commands_yet(s->cmds);
	kill_defaults(&s->kill);
	s->mode = 0666;
	s->directory_mode = 0755;
	s->backlog = UINT32_MAX;
	s->max_connections = 64;
	s->priority = s->ip_tos = s->ip_ttl = s->mark = UNSET;
	s->timeout_ns = 90 * NSEC_PER_SEC;
	s->trigger_limit_ns = 2 * NSEC_PER_SEC;
	s->trigger_limit_burst = 20;
}

static void kind_defaults(struct file *file)
{
	struct arena *a = &file->arena;

	if (file->f.kind == UNIT_SERVICE) {
		file->f.service = file->service = arena_alloc(a, sizeof(*file->service));
		service_defaults(file->service);
	} else if (file->f.kind == UNIT_SOCKET) {
		file->f.socket = file->socket = arena_alloc(a, sizeof(*file->socket));
		socket_defaults(file->socket);
	} else if (file->f.kind == UNIT_TIMER) {
		file->f.timer = file->timer = arena_alloc(a, sizeof(*file->timer));
		file->timer->accuracy_ns = 60 * NSEC_PER_SEC;
		file->timer->remain_after_elapse = true;
	}
}

/* What holds where no file says anything; @name is valid and of a kind that is here. */
struct file *file_new(const char *name)
{
	struct file *file = xcalloc(1, sizeof(*file));
	struct unit_file *f = &file->f;
	const char *at = strchr(name, '@'), *dot = strrchr(name, '.');

	f->kind = unit_name_kind(name);
	kind_defaults(file);
	f->name = arena_str(&file->arena, name);
	if (at && at + 1 < dot)
		f->instance = arena_strn(&file->arena, at + 1, dot - at - 1);
	f->hash = text_hash("", 0);
	f->default_dependencies = true;
	f->on_failure_mode = JOB_REPLACE;
	f->on_success_mode = JOB_FAIL;
	f->success_status = f->failure_status = UNSET;
	f->start_limit_ns = 10 * NSEC_PER_SEC;
	f->start_limit_burst = 5;
	f->job_timeout_ns = f->job_running_ns = FOREVER;
	return file;
}

void unit_file_free(struct unit_file *f)
{
	struct file *file = (struct file *)f;

	if (!f)
		return;
	arena_free(&file->arena);
	free(file);
}

/* The first reason stays. */
void mark_bad(struct file *file, const char *why)
{
	if (!file->f.bad)
		file->f.bad = arena_str(&file->arena, why);
}

void file_add_dep(struct file *file, enum dep_kind kind, const char *name, struct where where,
		  bool linked)
{
	struct unit_file *f = &file->f;

	file->deps = arena_grow(&file->arena, file->deps, f->nr_deps, sizeof(*file->deps));
	file->deps[f->nr_deps++] = (struct dep){
		.name = name, .kind = kind, .linked = linked, .where = where,
	};
}

/* Its index, or -1 if there are too many. */
int file_add_source(struct file *file, const char *path)
{
	struct unit_file *f = &file->f;

	if (f->nr_sources == SOURCES_MAX)
		return -1;
	file->sources = arena_grow(&file->arena, file->sources, f->nr_sources,
				   sizeof(*file->sources));
	file->sources[f->nr_sources] = arena_str(&file->arena, path);
	f->sources = file->sources;
	return f->nr_sources++;
}

/* A template is that of the unit's own instance, or of its own prefix; NULL: that is no name. */
const char *as_instance(struct file *file, const char *name)
{
	const char *own = file->f.name, *end = strrchr(own, '.'), *at = strchr(own, '@');
	char *instance, *full;

	if (!unit_name_is_template(name))
		return name;
	if (at && at + 1 < end)
		instance = xasprintf("%.*s", (int)(end - at - 1), at + 1);
	else
		instance = xasprintf("%.*s", (int)((at ? at : end) - own), own);
	full = unit_name_instantiate(name, instance);
	name = full ? arena_str(&file->arena, full) : NULL;
	free(instance);
	free(full);
	return name;
}

static void refuse(struct parser *p, const char *why)
{
	p->where.line = 0;
	p->path = p->file->f.nr_sources ? p->file->f.sources[0] : p->file->f.name;
	remark(p, SAY_ERROR, "%s; the unit cannot be started", why);
	mark_bad(p->file, why);
}

static bool has_end(const struct ends *e)
{
	if (!e)
		return false;
	return e->codes[0] | e->codes[1] | e->codes[2] | e->codes[3] | e->signals;
}

/* Why it is not possible as a whole; NULL: it is. */
static const char *service_fault(const struct unit_file *f, const struct service *s)
{
	const struct commands *start = s->cmds[EXEC_START];
	bool oneshot = s->type == TYPE_ONESHOT;

	if (!start->nr && !s->cmds[EXEC_STOP]->nr && !f->success_action)
		return "ExecStart= is missing in [Service]";
	if (!start->nr && !oneshot)
		return "ExecStart= is missing in [Service], expected Type=oneshot without it";
	if (!start->nr && !s->remain && !f->success_action)
		return "ExecStart= is missing in [Service], expected RemainAfterExit=yes then";
	if (start->nr > 1 && !oneshot)
		return "ExecStart=: more than one command, expected Type=oneshot";
	if (oneshot && (s->restart == RESTART_ALWAYS || s->restart == RESTART_ON_SUCCESS))
		return "Type=oneshot does not go with Restart=always and on-success";
	if (oneshot && has_end(s->more->force_restart))
		return "Type=oneshot does not go with RestartForceExitStatus=";
	if (oneshot && s->exit_cgroup)
		return "Type=oneshot does not go with ExitType=cgroup";
	if (s->type == TYPE_DBUS && !s->more->bus_name)
		return "Type=dbus needs BusName=";
	return NULL;
}

static void fix_delays(struct parser *p, struct service *s, struct service_more *m)
{
	if (m->restart_steps && m->restart_max_ns == FOREVER) {
		remark(p, SAY_WARNING, "RestartSteps=: has no effect without RestartMaxDelaySec=");
		m->restart_steps = 0;
	}
	if (m->restart_max_ns != FOREVER && !m->restart_steps)
		remark(p, SAY_WARNING, "RestartMaxDelaySec=: has no effect without RestartSteps=");
	if (m->restart_max_ns < s->restart_ns) {
		remark(p, SAY_WARNING, "RestartMaxDelaySec=: shorter than RestartSec=, which is "
		       "made as short");
		s->restart_ns = m->restart_max_ns;
	}
	if (!m->restart_reset_ns && m->restart_steps)
		m->restart_reset_ns = m->restart_max_ns;
	else if (!m->restart_reset_ns)
		m->restart_reset_ns = s->restart_ns < FOREVER / 10 ? s->restart_ns * 10 : FOREVER;
}

static void finish_exec(struct exec_context *e)
{
	if (!e->tty)
		e->tty = exec_defaults.tty;
	if (e->data_len && e->in.kind == STDIO_NULL)
		e->in.kind = STDIO_DATA;
}

static void finish_service(struct parser *p, struct service *s)
{
	struct service_more *m = p->file->more;
	const char *fault;

	if (s->type == TYPE_UNSET)
		s->type = s->more->bus_name ? TYPE_DBUS :
			  s->cmds[EXEC_START]->nr ? TYPE_SIMPLE : TYPE_ONESHOT;
	if (s->type == TYPE_ONESHOT && !s->start_set)
		s->start_ns = FOREVER;
	if (!p->file->abort_set)
		s->abort_ns = s->stop_ns;
	if (m && m->watchdog_ns == FOREVER)
		m->watchdog_ns = 0;
	if (s->notify_access == NOTIFY_NONE && (s->type == TYPE_NOTIFY || s->more->watchdog_ns ||
						s->type == TYPE_NOTIFY_RELOAD ||
						s->more->fd_store_max))
		s->notify_access = NOTIFY_MAIN;
	if (m)
		fix_delays(p, s, m);
	if (s->type == TYPE_ONESHOT && s->more->runtime_max_ns != FOREVER)
		remark(p, SAY_WARNING, "RuntimeMaxSec=: has no effect with Type=oneshot");
	add_logger_deps(p->file);
	fault = service_fault(&p->file->f, s);
	if (fault && !p->file->f.bad)
		refuse(p, fault);
}

/* Of the unit's own name with another suffix; @at: of the template. */
static char *sibling(struct file *file, const char *suffix, bool at)
{
	const char *name = file->f.name, *dot = strrchr(name, '.'), *own = strchr(name, '@');
	char *text = !at ? xasprintf("%.*s.%s", (int)(dot - name), name, suffix) :
			   xasprintf("%.*s@.%s", (int)((own ? own : dot) - name), name, suffix);
	char *copy = arena_str(&file->arena, text);

	free(text);
	return copy;
}

static void finish_timer(struct parser *p, struct timer *t)
{
	struct file *file = p->file;

	if (!t->nr && !t->on_clock_change && !t->on_timezone_change)
		refuse(p, "no time is given in [Timer], as by OnCalendar= or OnBootSec=");
	file_add_dep(file, DEP_TRIGGERS,
		     file->trigger ? file->trigger : sibling(file, "service", false),
		     file->trigger_where, false);
}

static bool accepts(const struct listen *l)
{
	return (l->kind == LISTEN_STREAM || l->kind == LISTEN_SEQPACKET) || l->kind == LISTEN_USB;
}

static bool is_done(const struct listen *l)
{
	return l->kind < LISTEN_NETLINK;
}

static const char *socket_fault(const struct file *file, const struct socket *s)
{
	size_t nodes = 0, done = 0, accepting = 0;

	for (size_t i = 0; i < s->nr_listen; i++) {
		done += is_done(&s->listen[i]);
		accepting += accepts(&s->listen[i]);
		nodes += *s->listen[i].address == '/' && s->listen[i].kind != LISTEN_SPECIAL;
	}
	if (!s->nr_listen)
		return "no address is given in [Socket], as by ListenStream=";
	if (!done)
		return "only kinds of sockets are asked for that there are none of here";
	if (s->accept && accepting < s->nr_listen)
		return "Accept=yes does not go with sockets that take no connections";
	if (s->accept && !s->max_connections)
		return "Accept=yes does not go with MaxConnections=0";
	if (s->accept && file->trigger)
		return "Accept=yes does not go with Service=";
	if (s->symlinks.nr && nodes != 1)
		return "Symlinks= needs exactly one address that is a path";
	return NULL;
}

static void finish_socket(struct parser *p, struct socket *s)
{
	struct file *file = p->file;
	const char *fault = socket_fault(file, s);

	if (fault)
		refuse(p, fault);
	if (s->accept && !file->trigger_burst_set)
		s->trigger_limit_burst = 200;
	if (s->backlog == UINT32_MAX)
		s->backlog = SOMAXCONN;
	s->service = file->trigger ? file->trigger : sibling(file, "service", s->accept);
	if (!s->fd_name)
		s->fd_name = s->accept ? "connection" : file->f.name;
	if (!s->accept)
		file_add_dep(file, DEP_TRIGGERS, s->service, file->trigger_where, false);
}

static int by_name_and_kind(const void *a, const void *b)
{
	const struct dep *const *x = a, *const *y = b;
	int diff = strcmp((*x)->name, (*y)->name);

	if (!diff)
		diff = (*x)->kind - (*y)->kind;
	/* Which was said first. */
	return diff ? diff : (*x > *y) - (*x < *y);
}

#define TWICE	0x80

/* What is said twice is kept once, in the order it was said first. */
static void unify_deps(struct file *file)
{
	size_t nr = file->f.nr_deps, kept = 0;
	struct dep **sorted = xcalloc(nr, sizeof(*sorted));

	for (size_t i = 0; i < nr; i++)
		sorted[i] = &file->deps[i];
	qsort(sorted, nr, sizeof(*sorted), by_name_and_kind);
	for (size_t i = 1; i < nr; i++)
		if (sorted[i]->kind == (sorted[i - 1]->kind & ~TWICE) &&
		    !strcmp(sorted[i]->name, sorted[i - 1]->name))
			sorted[i]->kind |= TWICE;
	for (size_t i = 0; i < nr; i++)
		if (file->deps[i].kind < DEP_KINDS)
			file->deps[kept++] = file->deps[i];
	free(sorted);
	file->f.nr_deps = kept;
	file->f.deps = file->deps;
}

/* For a unit that no file says anything of: what follows from that, without a word. */
void file_settle(struct file *file)
{
	struct unit_file *f = &file->f;

	if (file->service) {
		file->service->type = TYPE_SIMPLE;
		file->service->abort_ns = file->service->stop_ns;
	}
	if (file->socket) {
		file->socket->fd_name = f->name;
		file->socket->service = sibling(file, "service", false);
		file->socket->backlog = SOMAXCONN;
	}
	if (!f->description)
		f->description = f->name;
}

/* Everything has been read. */
void file_finish(struct parser *p)
{
	struct file *file = p->file;
	struct unit_file *f = &file->f;

	p->said = 0;
	p->where = (struct where){ 0 };
	p->path = f->nr_sources ? f->sources[0] : f->name;
	if (file->exec)
		finish_exec(file->exec);
	if (file->service)
		finish_service(p, file->service);
	if (file->timer)
		finish_timer(p, file->timer);
	if (file->socket)
		finish_socket(p, file->socket);
	unify_deps(file);
	f->conditions = file->conditions;
	if (!f->description)
		f->description = f->name;
	/* There may be a thousand of them. */
	file = realloc(file, offsetof(struct file, install));
	if (file)
		p->file = file;
}
