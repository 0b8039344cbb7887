// SPDX-License-Identifier: GPL-2.0-only
/* Everything that is wrong with units, as far as it shows before they are started. */
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "private.h"
#include "unit_install.h"

#define UNITS_MAX	20000	/* that one verification reads */

/* Those that are made when they are asked for, and have no file. */
static const char *const made[] = {
	"basic.target", "default.target", "getty-pre.target", "getty.target",
	"graphical.target", "local-fs-pre.target", "local-fs.target", "multi-user.target",
	"network-online.target", "network-pre.target", "network.target", "nss-lookup.target",
	"nss-user-lookup.target", "paths.target", "remote-fs-pre.target", "remote-fs.target",
	"rescue.target", "emergency.target", "shutdown.target", "sockets.target",
	"sysinit.target", "swap.target", "time-set.target", "time-sync.target", "timers.target",
	"umount.target", "rpcbind.target", "final.target", "slices.target", "reboot.target",
	"poweroff.target", "halt.target", "kexec.target", "exit.target", "sleep.target",
	"suspend.target", "hibernate.target", "initrd.target", "initrd-fs.target",
	"initrd-root-fs.target", "initrd-switch-root.target", "cryptsetup.target",
	"cryptsetup-pre.target", "veritysetup.target", "veritysetup-pre.target",
	"first-boot-complete.target", "bluetooth.target", "printer.target", "smartcard.target",
	"sound.target", "usb-gadget.target", "dbus.socket", "dbus.service",
};

struct node {
	char *name;
	struct unit_file *f;
	enum load load;
	bool asked;
	size_t *after;		/* those that it is ordered after, and by which entry */
	const struct dep **by;
	size_t nr_after;
	unsigned int mark;	/* 0: not seen, 1: on the way, 2: done */
	size_t via;
};

struct verification {
	struct unit_options opt;
	struct unit_dirs *dirs;
	struct node *nodes;
	size_t nr;
	size_t errors, warnings;
	bool muted;
};

static void count(void *arg, enum severity severity, const char *file, unsigned int line,
		  const char *text)
{
	struct verification *v = arg;

	if (v->muted)
		return;
	v->errors += severity == SAY_ERROR;
	v->warnings += severity == SAY_WARNING;
	if (v->opt.say)
		v->opt.say(v->opt.arg, severity, file, line, text);
}

static void report(struct verification *v, enum severity severity, const struct unit_file *f,
		   struct where where, const char *fmt, const char *one, const char *two)
{
	char *text = xasprintf(fmt, one, two);

	count(v, severity, f->nr_sources ? f->sources[where.file] : f->name, where.line, text);
	free(text);
}

static size_t find_node(const struct verification *v, const char *name)
{
	for (size_t i = 0; i < v->nr; i++)
		if (!strcmp(v->nodes[i].name, name) ||
		    (v->nodes[i].f && !strcmp(v->nodes[i].f->name, name)))
			return i;
	return SIZE_MAX;
}

static size_t add_node(struct verification *v, const char *name, bool asked)
{
	size_t i = find_node(v, name);
	struct node *n;

	if (i != SIZE_MAX || v->nr == UNITS_MAX) {
		if (i != SIZE_MAX)
			v->nodes[i].asked |= asked;
		return i;
	}
	v->nodes = xgrow(v->nodes, v->nr, sizeof(*v->nodes));
	n = &v->nodes[v->nr];
	*n = (struct node){ .name = xstrdup(name), .asked = asked };
	/* What is wrong with others is theirs; here it counts that they are there. */
	v->muted = !asked;
	n->load = unit_load(v->dirs, name, &n->f);
	v->muted = false;
	return v->nr++;
}

static bool is_made(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(made); i++)
		if (!strcmp(made[i], name))
			return true;
	return false;
}

/* Without which of them a unit does not start. */
static bool is_needed(enum dep_kind kind)
{
	return kind == DEP_REQUIRES || kind == DEP_REQUISITE || kind == DEP_BINDS_TO;
}

static bool has_to_exist(enum dep_kind kind)
{
	return is_needed(kind) || kind == DEP_WANTS || kind == DEP_UPHOLDS ||
	       kind == DEP_TRIGGERS || kind == DEP_ON_FAILURE || kind == DEP_ON_SUCCESS ||
	       kind == DEP_SOCKETS;
}

static void check_dep(struct verification *v, const struct unit_file *f, const struct dep *d)
{
	size_t i = add_node(v, d->name, false);
	enum severity severity = is_needed(d->kind) || d->kind == DEP_TRIGGERS ? SAY_ERROR :
										 SAY_WARNING;
	const char *kind = d->kind == DEP_TRIGGERS ? "the unit to be started" :
						     unit_dep_name(d->kind);

	if (i == SIZE_MAX || !has_to_exist(d->kind) || is_made(d->name))
		return;
	switch (v->nodes[i].load) {
	case LOAD_NOT_FOUND:
		report(v, severity, f, d->where, "%s: there is no unit %s", kind, d->name);
		break;
	case LOAD_MASKED:
		report(v, severity, f, d->where, "%s: %s is masked", kind, d->name);
		break;
	case LOAD_BAD:
		report(v, severity, f, d->where, "%s: %s cannot be started", kind, d->name);
		break;
	default:
		break;
	}
}

static bool is_executable(const struct verification *v, const char *path)
{
	char *full = rooted(v->dirs, path);
	struct stat st;
	bool yes = !stat(full, &st) && S_ISREG(st.st_mode) && st.st_mode & 0111;

	free(full);
	return yes;
}

static bool is_in_path(const struct verification *v, const struct exec_context *e,
		       const char *name)
{
	static char *const usual[] = {
		(char *)"/usr/local/sbin", (char *)"/usr/local/bin", (char *)"/usr/sbin",
		(char *)"/usr/bin", (char *)"/sbin", (char *)"/bin",
	};
	char *const *dirs = e->search_path.nr ? e->search_path.v : usual;
	size_t nr = e->search_path.nr ? e->search_path.nr : ARRAY_SIZE(usual);
	bool found = false;

	for (size_t i = 0; i < nr && !found; i++) {
		char *path = xasprintf("%s/%s", dirs[i], name);

		found = is_executable(v, path);
		free(path);
	}
	return found;
}

static void check_command(struct verification *v, const struct unit_file *f,
			  const struct exec_context *e, const char *key, const struct command *c)
{
	bool found;

	/* A program of another root is looked for there, when it is started. */
	if (e->root || c->flags & CMD_SHELL)
		return;
	found = *c->path == '/' ? is_executable(v, c->path) : is_in_path(v, e, c->path);
	if (!found)
		report(v, c->flags & CMD_IGNORE_FAILURE ? SAY_WARNING : SAY_ERROR, f, c->where,
		       "%s=: there is no program %s", key, c->path);
}

static void check_commands(struct verification *v, const struct unit_file *f,
			   const struct exec_context *e, const struct commands *const *cmds)
{
	for (int kind = 0; kind < EXEC_KINDS; kind++)
		for (size_t i = 0; i < cmds[kind]->nr; i++)
			check_command(v, f, e, unit_exec_name(kind), &cmds[kind]->v[i]);
}

static bool is_dir(const struct verification *v, const char *path)
{
	char *full = rooted(v->dirs, path);
	struct stat st;
	bool yes = !stat(full, &st) && S_ISDIR(st.st_mode);

	free(full);
	return yes;
}

static void check_exec(struct verification *v, const struct unit_file *f,
		       const struct exec_context *e)
{
	for (size_t i = 0; i < e->env_files.nr; i++) {
		char *full = rooted(v->dirs, e->env_files.v[i].name);

		if (!e->env_files.v[i].optional && access(full, R_OK) < 0 &&
		    !strpbrk(full, "*?["))
			report(v, SAY_WARNING, f, e->env_files.v[i].where,
			       "EnvironmentFile=: there is no %s%s", e->env_files.v[i].name, "");
		free(full);
	}
	if (e->cwd.name && *e->cwd.name == '/' && !e->cwd.optional && !e->root &&
	    !is_dir(v, e->cwd.name))
		report(v, SAY_WARNING, f, e->cwd.where,
		       "WorkingDirectory=: there is no directory %s%s", e->cwd.name, "");
}

static void check_unit(struct verification *v, size_t i)
{
	const struct unit_file *f = v->nodes[i].f;

	if (f->service) {
		check_commands(v, f, f->service->exec, f->service->cmds);
		check_exec(v, f, f->service->exec);
	}
	if (f->socket) {
		check_commands(v, f, f->socket->exec, f->socket->cmds);
		check_exec(v, f, f->socket->exec);
	}
	for (size_t k = 0; k < f->nr_deps; k++)
		check_dep(v, f, &f->deps[k]);
}

/* What is not there, masked or not to be started; of what was asked for. */
static void check_asked(struct verification *v, size_t i)
{
	struct node *n = &v->nodes[i];
	enum unit_kind kind = unit_name_kind(n->name);

	if (n->load == LOAD_NOT_FOUND)
		count(v, SAY_ERROR, n->name, 0, kind == UNIT_NOT_A_NAME ? "not the name of a unit" :
		      unit_name_is_template(n->name) ?
		      "a template; an instance of it is wanted" : "no such unit");
	else if (n->load == LOAD_FOREIGN)
		count(v, SAY_WARNING, n->name, 0, "there are no units of this kind here");
	else if (n->load == LOAD_MASKED)
		count(v, SAY_WARNING, n->name, 0, "is masked");
	if (n->f)
		check_unit(v, i);
}

static void add_edge(struct verification *v, size_t from, size_t to, const struct dep *by)
{
	struct node *n = &v->nodes[from];

	n->after = xgrow(n->after, n->nr_after, sizeof(*n->after));
	n->by = xgrow(n->by, n->nr_after, sizeof(*n->by));
	n->after[n->nr_after] = to;
	n->by[n->nr_after++] = by;
}

/* The ordering of all that has been read. */
static void build_order(struct verification *v)
{
	for (size_t i = 0; i < v->nr; i++) {
		const struct unit_file *f = v->nodes[i].f;

		for (size_t k = 0; f && k < f->nr_deps; k++) {
			const struct dep *d = &f->deps[k];
			size_t other;

			if (d->kind != DEP_AFTER && d->kind != DEP_BEFORE)
				continue;
			other = find_node(v, d->name);
			if (other == SIZE_MAX || !v->nodes[other].f || other == i)
				continue;
			if (d->kind == DEP_AFTER)
				add_edge(v, i, other, d);
			else
				add_edge(v, other, i, d);
		}
	}
}

/* The cycle that an edge from @last back to @first closes, as a line of names. */
static void tell_cycle(struct verification *v, size_t first, size_t last, const struct dep *by)
{
	char *text = xstrdup(v->nodes[first].name), *longer;
	const struct unit_file *f = NULL;

	for (size_t i = last; i != first; i = v->nodes[i].via) {
		longer = xasprintf("%s, %s", v->nodes[i].name, text);
		free(text);
		text = longer;
	}
	/* Whose file says so. */
	for (size_t i = 0; i < v->nr && !f; i++)
		if (v->nodes[i].f && by >= v->nodes[i].f->deps &&
		    by < v->nodes[i].f->deps + v->nodes[i].f->nr_deps)
			f = v->nodes[i].f;
	if (f)
		report(v, SAY_ERROR, f, by->where,
		       "each is ordered after the next, and the last after the first: %s%s", text,
		       "");
	free(text);
}

struct frame {
	size_t node, next;
};

/* Depth first, without recursion: a chain may be as long as there are units. */
static void find_cycles_from(struct verification *v, size_t start)
{
	struct frame *stack = NULL;
	size_t depth = 0;

	stack = xgrow(stack, depth, sizeof(*stack));
	stack[depth++] = (struct frame){ .node = start };
	v->nodes[start].mark = 1;
	while (depth) {
		struct frame *top = &stack[depth - 1];
		struct node *n = &v->nodes[top->node];
		size_t to;

		if (top->next == n->nr_after) {
			n->mark = 2;
			depth--;
			continue;
		}
		to = n->after[top->next++];
		if (v->nodes[to].mark == 1)
			tell_cycle(v, to, top->node, n->by[top->next - 1]);
		if (v->nodes[to].mark)
			continue;
		v->nodes[to].mark = 1;
		v->nodes[to].via = top->node;
		stack = xgrow(stack, depth, sizeof(*stack));
		stack[depth++] = (struct frame){ .node = to };
	}
	free(stack);
}

static void free_nodes(struct verification *v)
{
	for (size_t i = 0; i < v->nr; i++) {
		unit_file_free(v->nodes[i].f);
		free(v->nodes[i].name);
		free(v->nodes[i].after);
		free(v->nodes[i].by);
	}
	free(v->nodes);
}

/* The directories of files that are given by their paths come first. */
static void add_dirs(struct unit_options *opt, const struct unit_options *given,
		     const struct strv *names, struct strv *units)
{
	struct strv usual = { 0 };

	for (size_t i = 0; i < names->nr; i++) {
		char *slash = strrchr(names->v[i], '/'), *path;

		strv_add(units, xstrdup(slash ? slash + 1 : names->v[i]));
		if (!slash)
			continue;
		path = xasprintf("%.*s", (int)(slash - names->v[i] + !(slash - names->v[i])),
				 names->v[i]);
		if (*path != '/') {
			char *cwd = get_current_dir_name(), *full;

			full = xasprintf("%s/%s", cwd ? cwd : "", path);
			free(path);
			free(cwd);
			path = full;
		}
		strv_add(&opt->dirs, path);
	}
	if (!given->dirs.nr)
		unit_default_dirs(&usual, given->user, given->compat);
	for (size_t i = 0; i < given->dirs.nr; i++)
		strv_add(&opt->dirs, xstrdup(given->dirs.v[i]));
	for (size_t i = 0; i < usual.nr; i++)
		strv_add(&opt->dirs, xstrdup(usual.v[i]));
	strv_free(&usual);
}

int unit_verify(const struct unit_options *opt, const struct strv *names, size_t *errors,
		size_t *warnings)
{
	struct verification v = { .opt = *opt };
	struct unit_options inner = *opt;
	struct strv units = { 0 };

	inner.dirs = (struct strv){ 0 };
	inner.say = count;
	inner.arg = &v;
	add_dirs(&inner, opt, names, &units);
	v.dirs = unit_dirs_open(&inner);
	for (size_t i = 0; i < units.nr; i++) {
		char *instance = unit_name_is_template(units.v[i]) ?
				 unit_name_instantiate(units.v[i], "instance") : NULL;

		add_node(&v, instance ? instance : units.v[i], true);
		free(instance);
	}
	/* Reading them adds what they depend on. */
	for (size_t i = 0, asked = v.nr; i < asked; i++)
		check_asked(&v, i);
	build_order(&v);
	for (size_t i = 0; i < v.nr; i++)
		if (!v.nodes[i].mark)
			find_cycles_from(&v, i);
	free_nodes(&v);
	unit_dirs_close(v.dirs);
	strv_free(&inner.dirs);
	strv_free(&units);
	*errors = v.errors;
	*warnings = v.warnings;
	return v.errors ? 2 : v.warnings ? 1 : 0;
}
