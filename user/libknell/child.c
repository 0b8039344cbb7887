// SPDX-License-Identifier: LGPL-2.1-or-later
/* Processes and trees, and who reaps: tasks come, are asked about, and go. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <linux/knell.h>

#include "internal.h"

/*
 * A child's end
 */

/* Has it asked for no zombies? */
static bool sigchld_vanishes(struct knell_loop *l)
{
	struct sigaction sa;

	l->stats.count.syscalls++;
	return !sigaction(SIGCHLD, NULL, &sa) &&
	       (sa.sa_flags & SA_NOCLDWAIT || sa.sa_handler == SIG_IGN);
}

/*
 * Once there was nothing to reap, because SIGCHLD's action is so, it is asked for that action
 * again with each batch, not for each child.
 */
void child_reap(struct knell_loop *l, pid_t pid)
{
	struct sources *ss = &l->sources;
	uint64_t batch = l->stats.count.batches;
	siginfo_t si;

	if (pid <= 0)
		return;
	if (ss->vanish && ss->vanish_batch != batch) {
		ss->vanish_batch = batch;
		ss->vanish = sigchld_vanishes(l);
	}
	if (ss->vanish)
		return;
	l->stats.count.syscalls++;
	if (!waitid(P_PID, (id_t)pid, &si, WEXITED | WNOHANG | __WALL) || errno != ECHILD)
		return;
	ss->vanish_batch = batch;
	ss->vanish = sigchld_vanishes(l);
}

static bool backend_reaps(const struct knell_loop *l)
{
	return l->ops->id == KNELL_BACKEND_PIDFD;
}

static void reap_or_note(struct knell_loop *l, const struct source *s,
			 const struct knell_child *end)
{
	if (!(s->flags & KNELL_CHILD_AUTOREAP))
		children_note(l, end);
	else if (!backend_reaps(l))
		child_reap(l, end->pid);
}

/* An orphan has been reaped. */
static void drop_orphan(struct knell_loop *l, struct source *s)
{
	l->ops->child_unwatch(l, s);
	source_free(l, s);
}

void child_set_status(struct knell_child *c, int wstatus)
{
	c->wstatus = wstatus;
	if (WIFSIGNALED(wstatus)) {
		c->code = WCOREDUMP(wstatus) ? CLD_DUMPED : CLD_KILLED;
		c->status = WTERMSIG(wstatus);
	} else if (WIFSTOPPED(wstatus)) {
		c->code = CLD_STOPPED;
		c->status = WSTOPSIG(wstatus);
	} else if (WIFCONTINUED(wstatus)) {
		c->code = CLD_CONTINUED;
		c->status = SIGCONT;
	} else {
		c->code = CLD_EXITED;
		c->status = WEXITSTATUS(wstatus);
	}
}

void child_ended(struct knell_loop *l, struct source *s, const struct knell_child *end,
		 uint64_t when)
{
	struct news *n;

	reap_or_note(l, s, end);
	if (knell_is_none(s->task)) {
		drop_orphan(l, s);
		return;
	}
	s->end->child = *end;
	s->end->when = when;
	if (s->flags & KNELL_CHILD_SUBTREE) {
		s->held = true;
		return;
	}
	n = s->end;
	s->end = NULL;
	news_tell(l, s, n, true);
}

void child_emptied(struct knell_loop *l, struct source *s, uint64_t when)
{
	struct news *n = s->end;

	/* Never without the first process's end, unless the kernel has broken its word. */
	if (!s->held)
		n->child = (struct knell_child){ .flags = KNELL_CHILDF_NOSTATUS };
	n->when = when;
	s->end = NULL;
	news_tell(l, s, n, true);
}

/*
 * Cancel
 */

/* A zombie there will be, and it shall be reaped: the source stays and waits for it. */
static bool becomes_orphan(struct knell_loop *l, struct source *s)
{
	if (s->kind != SOURCE_CHILD || !(s->flags & KNELL_CHILD_AUTOREAP) || s->done ||
	    s->held || !source_pid(l, s))
		return false;
	source_drop_news(l, s);
	s->task = KNELL_NONE;
	source_stops_not(l, s);
	return true;
}

/*
 * It has no task any more: if it has ended, or will, that is for the one of all children. -1:
 * a process, but not known which.
 */
static pid_t hand_over(struct knell_loop *l, struct source *s)
{
	struct news *n;
	pid_t pid;

	if (!s->done) {
		pid = source_pid(l, s);
		l->ops->child_unwatch(l, s);
		return pid;
	}
	/* The last news is its end. */
	while (s->first->next)
		source_drop_first(l, s);
	n = s->first;
	s->first = NULL;
	children_inherit(l, n);
	return 0;
}

void child_cancel(struct knell_loop *l, struct task *t)
{
	struct sources *ss = &l->sources;
	struct source *s = t->u.source;
	pid_t left = 0;

	if (source_lives(s) && !s->done)
		ss->alive--;
	switch (s->kind) {
	case SOURCE_CHILD:
		if (becomes_orphan(l, s))
			return;
		if (ss->children && !(s->flags & KNELL_CHILD_AUTOREAP))
			left = hand_over(l, s);
		else if (!s->done)
			l->ops->child_unwatch(l, s);
		break;
	case SOURCE_TREE:
		if (!s->done)
			l->ops->child_unwatch(l, s);
		break;
	case SOURCE_CHILDREN:
		l->ops->child_unwatch(l, s);
		ss->children = NULL;
		children_forget(l);
		break;
	case SOURCE_RECORD:
		ss->record = NULL;
		l->armed--;
		break;
	}
	source_free(l, s);
	/* What its watch was told nobody has heard. */
	if (left)
		children_left(l, left);
}

/*
 * Add
 */

static knell_task refuse(int err)
{
	errno = -err;
	return KNELL_NONE;
}

/* A task with a source; errno is set when it returns NULL. */
static struct source *add(struct knell_loop *l, const struct knell_site *site, knell_cb *cb,
			  void *arg, enum knell_kind kind, enum source_kind sort,
			  unsigned int flags)
{
	struct task *t = loop_add(l, kind, site, cb, arg);
	struct source *s;

	if (!t)
		return NULL;
	s = source_new(l, sort, flags);
	if (!s || !news_reserve(l, 1)) {
		if (s)
			source_free(l, s);
		task_free(l, t);
		errno = ENOMEM;
		return NULL;
	}
	t->u.source = s;
	t->flags |= TASK_PERSISTENT;
	s->task = task_name(t);
	return s;
}

static knell_task add_failed(struct knell_loop *l, struct source *s, int err)
{
	struct task *t = task_find(l, s->task);

	source_free(l, s);
	task_free(l, t);
	return refuse(err);
}

static knell_task added(struct knell_loop *l, struct source *s)
{
	knell_task name = s->task;

	l->sources.alive += source_lives(s);
	loop_changed(l);
	return name;
}

static int check_child(const struct knell_loop *l, pid_t pid, unsigned int flags)
{
	const unsigned int known = KNELL_CHILD_EXIT | KNELL_CHILD_STOP | KNELL_CHILD_CONT |
				   KNELL_CHILD_AUTOREAP | KNELL_CHILD_NEXT | KNELL_CHILD_SUBTREE;
	bool next = flags & KNELL_CHILD_NEXT;

	if (flags & ~known || (next ? pid != 0 : pid <= 0) ||
	    (flags & KNELL_CHILD_SUBTREE &&
	     (!next || flags & (KNELL_CHILD_STOP | KNELL_CHILD_CONT))))
		return -EINVAL;
	return next && !l->ops->child_pid ? -EOPNOTSUPP : 0;
}

static bool has_task(const struct knell_loop *l, pid_t pid)
{
	const struct source *s = pid ? source_find(l, pid) : NULL;

	return s && !knell_is_none(s->task);
}

/*
 * What was cancelled and only waits to be reaped gives way, for the pid may be another's by now,
 * but not before there is memory for the new one.
 */
static int watch_child(struct knell_loop *l, struct source *s)
{
	struct source *orphan = s->pid ? source_find(l, s->pid) : NULL;
	int err = source_reserve_end(l, s);

	if (!err)
		err = source_hash_reserve(l);
	if (!err && s->flags & (KNELL_CHILD_STOP | KNELL_CHILD_CONT))
		err = source_stops(l, s);
	if (!err && orphan)
		drop_orphan(l, orphan);
	if (!err)
		err = l->ops->child_watch(l, s);
	if (!err && s->pid)
		source_hash(l, s);
	return err;
}

knell_task knell_add_child_site(struct knell_loop *l, const struct knell_site *site,
				knell_cb *cb, void *arg, pid_t pid, unsigned int flags)
{
	int err = loop_is_copy(l) ? -ECHILD : check_child(l, pid, flags);
	struct source *s;

	if (!err && has_task(l, pid))
		err = -EEXIST;
	if (err)
		return refuse(err);
	s = add(l, site, cb, arg, KNELL_KIND_CHILD, SOURCE_CHILD, flags);
	if (!s)
		return KNELL_NONE;
	s->pid = pid;
	err = watch_child(l, s);
	if (err) {
		s->pid = 0;
		return add_failed(l, s, err);
	}
	return added(l, s);
}

knell_task knell_add_children_site(struct knell_loop *l, const struct knell_site *site,
				   knell_cb *cb, void *arg, unsigned int flags)
{
	struct source *s;
	int err;

	if (flags & ~KNELL_CHILD_AUTOREAP)
		return refuse(-EINVAL);
	if (l->sources.children)
		return refuse(loop_is_copy(l) ? -ECHILD : -EEXIST);
	s = add(l, site, cb, arg, KNELL_KIND_CHILD, SOURCE_CHILDREN, flags);
	if (!s)
		return KNELL_NONE;
	err = l->ops->children_watch(l, s);
	if (err)
		return add_failed(l, s, err);
	l->sources.children = s;
	children_begin(l);
	return added(l, s);
}

knell_task knell_add_tree_site(struct knell_loop *l, const struct knell_site *site,
			       knell_cb *cb, void *arg, const char *label, unsigned int flags)
{
	const unsigned int known = KNELL_TREE_NEXT | KNELL_TREE_REPORT_FORK |
				   KNELL_TREE_REPORT_EXIT | KNELL_TREE_KILL_ON_CLOSE;
	struct source *s;
	int err;

	if (!l->ops->tree_watch)
		return refuse(-EOPNOTSUPP);
	if (flags & ~known || !label || strlen(label) >= sizeof(((struct knell_op *)0)->tree.label))
		return refuse(-EINVAL);
	s = add(l, site, cb, arg, KNELL_KIND_TREE, SOURCE_TREE, flags);
	if (!s)
		return KNELL_NONE;
	err = l->ops->tree_watch(l, s, label);
	return err ? add_failed(l, s, err) : added(l, s);
}

knell_task knell_add_record_site(struct knell_loop *l, const struct knell_site *site,
				 knell_cb *cb, void *arg)
{
	struct source *s;

	if (!l->ops->submit)
		return refuse(-EOPNOTSUPP);
	if (l->sources.record)
		return refuse(loop_is_copy(l) ? -ECHILD : -EEXIST);
	s = add(l, site, cb, arg, KNELL_KIND_RECORD, SOURCE_RECORD, 0);
	if (!s)
		return KNELL_NONE;
	l->sources.record = s;
	l->armed++;
	return added(l, s);
}

/*
 * Ask of them
 */

static struct source *find(const struct knell_loop *l, knell_task name, int *err)
{
	struct task *t = loop_is_copy(l) ? NULL : task_find(l, name);

	*err = loop_is_copy(l) ? -ECHILD : !t ? -ENOENT : -EINVAL;
	if (!t || (t->kind != KNELL_KIND_CHILD && t->kind != KNELL_KIND_TREE) ||
	    t->u.source->kind == SOURCE_CHILDREN)
		return NULL;
	return t->u.source;
}

int knell_child_kill(struct knell_loop *l, knell_task name, int sig)
{
	int err;
	struct source *s = find(l, name, &err);

	if (!s)
		return err;
	if (sig < 0 || sig > 64)
		return -EINVAL;
	return s->done ? -ESRCH : l->ops->child_kill(l, s, sig);
}

int knell_tree_join(struct knell_loop *l, knell_task name, unsigned int flags)
{
	int err;
	struct source *s = find(l, name, &err);

	if (!s)
		return err;
	if (s->kind != SOURCE_TREE || flags & ~KNELL_TREE_NEXT)
		return -EINVAL;
	return s->done ? -ESHUTDOWN : l->ops->tree_join(l, s, flags);
}
