// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Sources: whatever may have several things to tell before its callback was called.
 *
 * What is heard of a source becomes news in its queue, and a place in the loop's list for each,
 * so that all sources are told in the order in which things happened. A child's end has its
 * memory from the beginning; of all else no more is taken from the kernel than there is
 * memory for.
 */
#include <errno.h>
#include <stdlib.h>

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

int source_hash_reserve(struct knell_loop *l)
{
	struct sources *ss = &l->sources;

	return ss->nr_hashed < ss->nr_buckets ? 0 : hash_grow(ss);
}

void source_hash(struct knell_loop *l, struct source *s)
{
	struct source **b = bucket_of(&l->sources, s->pid);

	s->next = *b;
	*b = s;
	l->sources.nr_hashed++;
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
		source_hash(l, s);
	}
	return pid;
}

static bool is_stream(const struct source *s)
{
	return s->kind != SOURCE_CHILD;
}

struct source *source_new(struct knell_loop *l, enum source_kind kind, unsigned int flags)
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

int source_stops(struct knell_loop *l, struct source *s)
{
	struct sources *ss = &l->sources;
	int err = signal_child_use(l);

	if (err)
		return err;
	s->stop_next = ss->stops;
	s->stop_prev = &ss->stops;
	if (ss->stops)
		ss->stops->stop_prev = &s->stop_next;
	ss->stops = s;
	return 0;
}

void source_stops_not(struct knell_loop *l, struct source *s)
{
	if (!s->stop_prev)
		return;
	*s->stop_prev = s->stop_next;
	if (s->stop_next)
		s->stop_next->stop_prev = s->stop_prev;
	s->stop_prev = NULL;
	signal_child_unuse(l);
}

int source_reserve_end(struct knell_loop *l, struct source *s)
{
	s->end = news_take(l, l->sources.streams ? 1 : 0);
	return s->end ? 0 : -ENOMEM;
}

void source_drop_first(struct knell_loop *l, struct source *s)
{
	struct news *n = s->first;

	s->first = n->next;
	if (!s->first)
		s->last = &s->first;
	news_free(l, n);
}

void source_drop_news(struct knell_loop *l, struct source *s)
{
	while (s->first)
		source_drop_first(l, s);
	s->owed = 0;
}

/* Its task is gone, or going. */
void source_free(struct knell_loop *l, struct source *s)
{
	struct sources *ss = &l->sources;

	hash_del(ss, s);
	source_stops_not(l, s);
	source_drop_news(l, s);
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

/* Nothing more will be heard of it. */
static void source_ended(struct knell_loop *l, struct source *s)
{
	hash_del(&l->sources, s);
	s->next = NULL;
	source_stops_not(l, s);
	if (source_lives(s) && !knell_is_none(s->task))
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
