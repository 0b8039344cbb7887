// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Processes, trees and records: whatever may have several things to tell before its callback
 * was called.
 *
 * What is heard of a source becomes news in its queue, and a place in the loop's list for each,
 * so that all sources are told in the order in which things happened. A child's end has its
 * memory from the beginning; of all else no more is taken from the kernel than there is
 * memory for.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <linux/knell.h>

#include "internal.h"

#define BUCKETS		64	/* to begin with */
#define SPARE_MAX	256	/* news that are kept for use, or the loop's batch */

/*
 * News
 */

void news_free(struct knell_loop *l, struct news *n)
{
	struct sources *ss = &l->sources;

	if (!n)
		return;
	if (ss->nr_spare >= SPARE_MAX && ss->nr_spare >= l->batch) {
		free(n);
		return;
	}
	n->next = ss->spare;
	ss->spare = n;
	ss->nr_spare++;
}

static void news_free_all(struct knell_loop *l, struct news *n)
{
	while (n) {
		struct news *next = n->next;

		news_free(l, n);
		n = next;
	}
}

/* @keep: so many are somebody else's. */
static struct news *news_take(struct knell_loop *l, unsigned int keep)
{
	struct sources *ss = &l->sources;
	struct news *n;

	if (ss->nr_spare <= keep)
		return malloc(sizeof(*n));
	n = ss->spare;
	ss->spare = n->next;
	ss->nr_spare--;
	return n;
}

unsigned int news_reserve(struct knell_loop *l, unsigned int nr)
{
	struct sources *ss = &l->sources;

	if (!ss->streams)
		return nr;
	while (ss->nr_spare < nr) {
		struct news *n = malloc(sizeof(*n));

		if (!n)
			break;
		n->next = ss->spare;
		ss->spare = n;
		ss->nr_spare++;
	}
	return ss->nr_spare < nr ? ss->nr_spare : nr;
}

struct news *news_new(struct knell_loop *l, struct source *s, uint64_t when)
{
	struct news *n = news_take(l, 0);

	(void)s;
	if (n)
		n->when = when;
	return n;
}

/*
 * Sources
 */

static struct source **bucket_of(const struct sources *ss, pid_t pid)
{
	return &ss->bucket[(uint32_t)pid * 0x9e3779b1U >> 8 & (ss->nr_buckets - 1)];
}

/* Twice as many. For want of memory those that are there do, but for the first ones. */
static int hash_grow(struct sources *ss)
{
	struct sources new = { .nr_buckets = ss->nr_buckets ? 2 * ss->nr_buckets : BUCKETS };
	struct source *s, *next, **b;

	new.bucket = calloc(new.nr_buckets, sizeof(*new.bucket));
	if (!new.bucket)
		return ss->nr_buckets ? 0 : -ENOMEM;
	for (size_t i = 0; i < ss->nr_buckets; i++) {
		for (s = ss->bucket[i]; s; s = next) {
			next = s->next;
			b = bucket_of(&new, s->pid);
			s->next = *b;
			*b = s;
		}
	}
	free(ss->bucket);
	ss->bucket = new.bucket;
	ss->nr_buckets = new.nr_buckets;
	return 0;
}

static void hash_add(struct sources *ss, struct source *s)
{
	struct source **b = bucket_of(ss, s->pid);

	s->next = *b;
	*b = s;
	ss->nr_hashed++;
}

static void hash_del(struct sources *ss, struct source *s)
{
	struct source **p;

	if (s->kind != SOURCE_CHILD || !s->pid)
		return;
	for (p = bucket_of(ss, s->pid); *p; p = &(*p)->next) {
		if (*p != s)
			continue;
		*p = s->next;
		ss->nr_hashed--;
		return;
	}
}

struct source *source_find(const struct knell_loop *l, pid_t pid)
{
	const struct sources *ss = &l->sources;
	struct source *s;

	if (!ss->nr_hashed)
		return NULL;
	for (s = *bucket_of(ss, pid); s; s = s->next)
		if (s->pid == pid)
			return s;
	return NULL;
}

pid_t source_pid(struct knell_loop *l, struct source *s)
{
	pid_t pid;

	if (s->pid || !(s->flags & KNELL_CHILD_NEXT))
		return s->pid;
	pid = l->ops->child_pid(l, s);
	if (pid > 0) {
		s->pid = pid;
		hash_add(&l->sources, s);
	}
	return pid;
}

static bool is_stream(const struct source *s)
{
	return s->kind != SOURCE_CHILD;
}

static struct source *source_new(struct knell_loop *l, enum source_kind kind, unsigned int flags)
{
	struct sources *ss = &l->sources;
	struct source *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->kind = kind;
	s->flags = flags;
	s->added = knell_now(l);
	s->fd = -1;
	s->last = &s->first;
	ss->streams += is_stream(s);
	s->all_next = ss->all;
	s->all_prev = &ss->all;
	if (ss->all)
		ss->all->all_prev = &s->all_next;
	ss->all = s;
	return s;
}

static void stop_link(struct knell_loop *l, struct source *s)
{
	struct sources *ss = &l->sources;

	s->stop_next = ss->stops;
	s->stop_prev = &ss->stops;
	if (ss->stops)
		ss->stops->stop_prev = &s->stop_next;
	ss->stops = s;
}

static void stop_unlink(struct knell_loop *l, struct source *s)
{
	if (!s->stop_prev)
		return;
	*s->stop_prev = s->stop_next;
	if (s->stop_next)
		s->stop_next->stop_prev = s->stop_prev;
	s->stop_prev = NULL;
	signal_child_unuse(l);
}

/* Its task is gone, or going. */
static void source_free(struct knell_loop *l, struct source *s)
{
	struct sources *ss = &l->sources;

	hash_del(ss, s);
	stop_unlink(l, s);
	news_free_all(l, s->first);
	news_free(l, s->end);
	ss->streams -= is_stream(s);
	*s->all_prev = s->all_next;
	if (s->all_next)
		s->all_next->all_prev = s->all_prev;
	free(s);
}

void sources_free(struct knell_loop *l)
{
	struct sources *ss = &l->sources;

	while (ss->all) {
		struct source *s = ss->all;

		/* The loop's handlers are gone already. */
		s->stop_prev = NULL;
		source_free(l, s);
	}
	news_free(l, ss->now);
	while (ss->spare) {
		struct news *next = ss->spare->next;

		free(ss->spare);
		ss->spare = next;
	}
	children_forget(l);
	free(ss->bucket);
}

static bool has_alive(const struct source *s)
{
	return s->kind == SOURCE_CHILD || s->kind == SOURCE_TREE;
}

/* Nothing more will be heard of it. */
static void source_ended(struct knell_loop *l, struct source *s)
{
	hash_del(&l->sources, s);
	s->next = NULL;
	stop_unlink(l, s);
	if (has_alive(s) && !knell_is_none(s->task))
		l->sources.alive--;
}

static void deliver(struct knell_loop *l, struct source *s, uint64_t when)
{
	struct task *t = task_find(l, s->task);

	if (t && loop_deliver(l, LIST_CHILD, t, when))
		s->owed++;
}

void news_tell(struct knell_loop *l, struct source *s, struct news *n, bool last)
{
	n->next = NULL;
	*s->last = n;
	s->last = &n->next;
	s->done = last;
	if (last)
		source_ended(l, s);
	deliver(l, s, n->when);
}

/* The task goes before its last callback is called, as all do that run once. */
bool source_call(struct knell_loop *l, struct task *t, struct knell_call *call)
{
	struct sources *ss = &l->sources;
	struct source *s = t->u.source;
	struct news *n = s->first;

	if (!n)
		return false;
	news_free(l, ss->now);
	ss->now = n;
	s->first = n->next;
	if (!s->first)
		s->last = &s->first;
	switch (s->kind) {
	case SOURCE_CHILD:
	case SOURCE_CHILDREN:
		call->child = &n->child;
		break;
	case SOURCE_TREE:
		call->tree = &n->tree;
		break;
	case SOURCE_RECORD:
		call->record = (const struct knell_event *)n->record;
		break;
	}
	if (s->done && !s->first) {
		t->flags &= ~TASK_PERSISTENT;
		source_free(l, s);
	}
	return true;
}

void source_told(struct knell_loop *l, struct task *t)
{
	struct source *s = t->u.source;

	if (likely(!s->owed))
		return;
	s->owed--;
	deliver(l, s, s->first->when);
}

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
	news_free_all(l, s->first);
	s->first = NULL;
	s->last = &s->first;
	s->owed = 0;
	s->task = KNELL_NONE;
	stop_unlink(l, s);
	return true;
}

void child_cancel(struct knell_loop *l, struct task *t)
{
	struct sources *ss = &l->sources;
	struct source *s = t->u.source;

	if (has_alive(s) && !s->done)
		ss->alive--;
	if (becomes_orphan(l, s))
		return;
	if (s->kind == SOURCE_RECORD) {
		ss->record = NULL;
		l->armed--;
	} else if (!s->done) {
		l->ops->child_unwatch(l, s);
	}
	if (s->kind == SOURCE_CHILDREN) {
		ss->children = NULL;
		children_forget(l);
	}
	source_free(l, s);
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

	l->sources.alive += has_alive(s);
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

/* What was cancelled and only waits to be reaped gives way: the pid may be another's by now. */
static int make_way(struct knell_loop *l, pid_t pid)
{
	struct source *s = pid ? source_find(l, pid) : NULL;

	if (!s)
		return 0;
	if (!knell_is_none(s->task))
		return -EEXIST;
	drop_orphan(l, s);
	return 0;
}

static int watch_child(struct knell_loop *l, struct source *s)
{
	struct sources *ss = &l->sources;
	bool stops = s->flags & (KNELL_CHILD_STOP | KNELL_CHILD_CONT);
	int err;

	s->end = news_take(l, ss->streams ? 1 : 0);
	if (!s->end)
		return -ENOMEM;
	if (ss->nr_hashed >= ss->nr_buckets) {
		err = hash_grow(ss);
		if (err)
			return err;
	}
	if (stops) {
		err = signal_child_use(l);
		if (err)
			return err;
		stop_link(l, s);
	}
	err = l->ops->child_watch(l, s);
	if (!err && s->pid)
		hash_add(ss, s);
	return err;
}

knell_task knell_add_child_site(struct knell_loop *l, const struct knell_site *site,
				knell_cb *cb, void *arg, pid_t pid, unsigned int flags)
{
	int err = loop_is_copy(l) ? -ECHILD : check_child(l, pid, flags);
	struct source *s;

	if (!err)
		err = make_way(l, pid);
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
