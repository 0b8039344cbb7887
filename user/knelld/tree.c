// SPDX-License-Identifier: GPL-2.0-only
/*
 * The processes of a unit. Each command is a tree of the kernel's: its process and all that it
 * forks, whatever becomes of their parents, sessions and groups. A unit has one tree at a time of
 * ExecStart=, one of another command, and those that former commands of a oneshot have left.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "knelld.h"

struct tree *tree_add(struct unit *u, uint32_t watch, uint16_t serial, enum exec_kind kind,
		      size_t cmd, pid_t pid)
{
	struct tree *t = xcalloc(1, sizeof(*t));

	*t = (struct tree){
		.next = u->trees, .watch = watch, .serial = serial, .kind = kind, .cmd = cmd,
		.pid = pid,
	};
	u->trees = t;
	return t;
}

struct tree *tree_find(const struct unit *u, uint32_t watch)
{
	struct tree *t = u->trees;

	while (t && t->watch != watch)
		t = t->next;
	return t;
}

/* Forgets a tree; what still runs in it goes its own way. */
void tree_drop(struct unit *u, struct tree *t)
{
	struct tree **p = &u->trees;

	while (*p != t)
		p = &(*p)->next;
	*p = t->next;
	if (u->main == t) {
		u->main = NULL;
		u->main_serial = 0;
	}
	if (u->control == t) {
		u->control = NULL;
		u->control_serial = 0;
	}
	procs->ack(t->watch);
	free(t->last);
	free(t);
}

void tree_drop_proc(struct unit *u)
{
	if (u->proc)
		procs->ack(u->proc);
	u->proc = 0;
	u->follows = false;
	record_forget_held(u);
}

/* Forgets all of them. */
void tree_release(struct unit *u)
{
	while (u->trees)
		tree_drop(u, u->trees);
	tree_drop_proc(u);
	births_end(u);
}

/*
 * Says in the unit which tree is about to be. A tree that is younger than its unit in the state
 * file tells the next knelld as much; but it has to know the unit, and ends that are not written
 * down yet must not be forgotten over it.
 */
static uint16_t announce(struct unit *u, enum exec_kind kind)
{
	u->serial = serial_next(u->serial);
	if (kind == EXEC_START) {
		u->main_serial = u->serial;
		u->main_done = false;
		u->pid = 0;
	} else {
		u->control_serial = u->serial;
	}
	if (u->heard || !u->written)
		state_write(u);
	return u->serial;
}

/* What the main process does about itself: see tree_kill_main() and pidfile.c. */
static void enrol_main(struct unit *u, struct enrol *e)
{
	bool alone = u->kill_mode == KILL_MIXED || u->kill_mode == KILL_PROCESS;

	births_begin(u, e->serial);
	e->nr_ops = procs->self_ops(alone ? token(u->id, ROLE_PROC, u->cmd, e->serial) : 0,
				    births_watch(u), e->ops);
}

/* Before the process of a command is made; logs why it could not, -errno. */
int tree_enrol(struct unit *u, enum exec_kind kind, struct enrol *e)
{
	/* The last one to go speaks for a service without a main process; see record.c. */
	bool report = kind == EXEC_START && u->type == TYPE_FORKING;
	int err;

	*e = (struct enrol){ .serial = announce(u, kind) };
	err = procs->add_tree(u->name, token(u->id, ROLE_COMMAND + kind, u->cmd, e->serial),
			      report ? KNELL_OPF_REPORT_EXIT : 0, &e->watch);
	if (err < 0) {
		log_line("%s: cannot enrol a process: %s", u->name, strerror(-err));
		tree_unborn(u, kind, e, -1);
	} else if (kind == EXEC_START) {
		enrol_main(u, e);
	}
	return err;
}

/* In the child, which shares our memory: 0 or -errno. */
int tree_enrol_self(struct enrol *e)
{
	int err = 0;

	for (size_t i = 0; i < e->nr_ops && err >= 0; i++)
		err = queue_raw(&e->ops[i]);
	return err < 0 ? err : 0;
}

static uint32_t enrolled_alone(const struct enrol *e)
{
	return e->nr_ops && e->ops[0].op == KNELL_OP_ADD ? e->ops[0].watch : 0;
}

/* The program runs: 0, or it is killed, for it cannot be followed. */
int tree_born(struct unit *u, enum exec_kind kind, const struct enrol *e, pid_t pid)
{
	int err = procs->born(e->watch, pid);
	struct tree *t;

	if (err < 0) {
		log_line("%s: cannot follow process %d: %s", u->name, pid, strerror(-err));
		kill(-pid, SIGKILL);
		tree_unborn(u, kind, e, pid);
		return err;
	}
	t = tree_add(u, e->watch, e->serial, kind, u->cmd, pid);
	t->started = now_ns();
	if (kind != EXEC_START) {
		u->control = t;
		return 0;
	}
	u->main = t;
	u->pid = pid;
	u->proc = enrolled_alone(e);
	return 0;
}

/* There is none (@pid < 0), or it has ended without running its program. */
void tree_unborn(struct unit *u, enum exec_kind kind, const struct enrol *e, pid_t pid)
{
	if (e->watch)
		procs->del(e->watch);
	if (enrolled_alone(e))
		procs->del(enrolled_alone(e));
	if (pid > 0 && !procs->autoreaps)
		waitpid(pid, NULL, 0);
	births_end(u);
	if (kind == EXEC_START)
		u->main_serial = 0;
	else
		u->control_serial = 0;
}

/* Is the main process there, as far as its end was not heard of? */
static bool main_is_up(const struct unit *u)
{
	if (u->follows)
		return true;
	return u->main && !u->main->exited;
}

/* Does the service run? One that forks without a known main process does as long as anything. */
bool tree_is_up(const struct unit *u)
{
	if ((u->type == TYPE_FORKING || u->file->service->exit_cgroup) && !u->follows)
		return u->main && !u->main_done;
	return main_is_up(u);
}

/* Is there anything that a stop, having sent its signals, has to wait for? */
bool tree_is_awaited(const struct unit *u)
{
	if (u->kill_mode == KILL_NONE)
		return false;
	if (u->control)
		return true;
	if (u->kill_mode == KILL_PROCESS)
		return main_is_up(u);
	return u->trees || u->follows;
}

static bool has_members(const struct tree *t)
{
	return !t->empty && (!t->exited || t->left);
}

/* As far as it was heard: is there anybody left to signal? */
bool tree_has_members(const struct unit *u)
{
	const struct tree *t = u->trees;

	while (t && !has_members(t))
		t = t->next;
	return t || u->follows;
}

static int kill_watch(const struct unit *u, uint32_t watch, int sig)
{
	int n = procs->kill(watch, sig);

	if (n >= 0)
		return n;
	/* Dead already, its record on the way; or the end of that was read a moment ago. */
	if (n != -ESRCH && n != -ENOENT)
		log_line("%s: cannot send %s to all of its processes: %s", u->name,
			 signal_name(sig), strerror(-n));
	return 0;
}

/* A command other than ExecStart= is no service: all of it, always. */
int tree_kill_control(const struct unit *u, int sig)
{
	return u->control ? kill_watch(u, u->control->watch, sig) : 0;
}

/* The main process alone; how many that were. */
int tree_kill_main(const struct unit *u, int sig)
{
	if (!main_is_up(u))
		return 0;
	if (!u->proc)
		return kill_watch(u, u->main->watch | procs->main_bit, sig);
	return procs->kill(u->proc | procs->main_bit, sig) >= 0;
}

/*
 * Without the module: does a tree's signal reach the process that is followed? It may have gone
 * into a session of its own since it was found.
 */
static bool is_led(const struct unit *u)
{
	return u->follows && u->main && u->main->led && procs->led_by(u->main->watch, u->pid);
}

/* Everybody. */
int tree_kill_members(const struct unit *u, int sig)
{
	/* Of whose tree it may have been told that all had left it. */
	const struct tree *led = is_led(u) ? u->main : NULL;
	int n = 0;

	for (const struct tree *t = u->trees; t; t = t->next)
		n += t == led || has_members(t) ? kill_watch(u, t->watch, sig) : 0;
	/* Without the module it may be in no tree of its unit's. */
	if (u->follows && procs->main_bit && !led)
		n += kill_watch(u, u->proc, sig);
	return n;
}

/* Signals those whom KillMode= means, or (@all) may mean at last; how many these were. */
int tree_kill(const struct unit *u, int sig, bool all)
{
	if (u->kill_mode == KILL_NONE)
		return 0;
	if (u->kill_mode == KILL_PROCESS || (u->kill_mode == KILL_MIXED && !all))
		return tree_kill_main(u, sig) + tree_kill_control(u, sig);
	return tree_kill_members(u, sig);
}

/* How many processes the unit has, in all its trees. */
size_t tree_count(const struct unit *u)
{
	size_t nr = 0;

	for (const struct tree *t = u->trees; t; t = t->next) {
		int n = has_members(t) ? procs->kill(t->watch, 0) : 0;

		nr += n > 0 ? n : 0;
	}
	return nr;
}
