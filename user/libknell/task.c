// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Tasks: memory, names, lists.
 *
 * Tasks live in chunks of 64 KiB that are aligned to their size, so that the index in a
 * task's name can be told from its address. A free task's place is used again soon, its
 * generation never: that counts all tasks of the loop.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "internal.h"

#define CHUNK_SIZE	sizeof(struct chunk)

_Static_assert(CHUNK_SIZE == CHUNK_TASKS * sizeof(struct task), "the head is one task's place");
_Static_assert(!(CHUNK_SIZE & (CHUNK_SIZE - 1)), "a power of two");

static struct chunk *chunk_of(const struct task *t)
{
	return (struct chunk *)((uintptr_t)t & ~(uintptr_t)(CHUNK_SIZE - 1));
}

static uint32_t place_of(const struct task *t)
{
	return ((uintptr_t)t & (CHUNK_SIZE - 1)) / sizeof(*t);
}

static uint32_t index_of(const struct task *t)
{
	return chunk_of(t)->nr << CHUNK_SHIFT | place_of(t);
}

/* Twice as much address space, of which the aligned half is kept. */
static struct chunk *chunk_map(bool populate)
{
	uintptr_t start, aligned;
	void *p = mmap(NULL, 2 * CHUNK_SIZE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return NULL;
	start = (uintptr_t)p;
	aligned = (start + CHUNK_SIZE - 1) & ~(uintptr_t)(CHUNK_SIZE - 1);
	if (aligned > start)
		munmap(p, aligned - start);
	munmap((void *)(aligned + CHUNK_SIZE), start + CHUNK_SIZE - aligned);
#ifdef MADV_POPULATE_WRITE
	/* Who has a thousand tasks will have more: sixteen page faults in one. */
	if (populate)
		madvise((void *)aligned, CHUNK_SIZE, MADV_POPULATE_WRITE);
#endif
	return (struct chunk *)aligned;
}

static int chunk_number(struct tasks *ts, uint32_t *nr)
{
	struct chunk **chunk;
	uint32_t i;

	for (i = 0; i < ts->nr_chunks && ts->chunk[i]; i++)
		;
	*nr = i;
	if (i < ts->nr_chunks)
		return 0;
	if (i >= UINT32_MAX >> CHUNK_SHIFT)
		return -ENOMEM;
	/* Room for 16 more at a time. */
	if (i % 16 == 0) {
		chunk = reallocarray(ts->chunk, i + 16, sizeof(*chunk));
		if (!chunk)
			return -ENOMEM;
		ts->chunk = chunk;
	}
	ts->chunk[i] = NULL;
	ts->nr_chunks++;
	return 0;
}

static void chunk_link(struct tasks *ts, struct chunk *c)
{
	c->prev = NULL;
	c->next = ts->partial;
	if (c->next)
		c->next->prev = c;
	ts->partial = c;
}

static void chunk_unlink(struct tasks *ts, struct chunk *c)
{
	if (c->next)
		c->next->prev = c->prev;
	if (c->prev)
		c->prev->next = c->next;
	else
		ts->partial = c->next;
}

static struct chunk *chunk_new(struct tasks *ts)
{
	struct chunk *c;
	uint32_t nr;

	if (chunk_number(ts, &nr))
		return NULL;
	c = chunk_map(ts->used > 0);
	if (!c)
		return NULL;
	c->nr = nr;
	/* Places that were never used are behind c->free, in order: nothing to write there yet. */
	c->free = 1;
	ts->chunk[nr] = c;
	ts->free += CHUNK_TASKS - 1;
	chunk_link(ts, c);
	return c;
}

static void chunk_free(struct tasks *ts, struct chunk *c)
{
	chunk_unlink(ts, c);
	ts->free -= CHUNK_TASKS - 1;
	ts->chunk[c->nr] = NULL;
	munmap(c, CHUNK_SIZE);
}

/* A free task's @next: the place of the next one, less this one's plus 1. A new page's 0 says it. */
static uint32_t next_free(const struct task *t)
{
	uint32_t place = place_of(t) + 1 + t->next;

	return place & (CHUNK_TASKS - 1);
}

static void set_next_free(struct task *t, uint32_t place)
{
	t->next = place - place_of(t) - 1;
}

struct task *task_new(struct knell_loop *l, enum knell_kind kind, const struct knell_site *site,
		      knell_cb *cb, void *arg)
{
	struct tasks *ts = &l->tasks;
	struct chunk *c = ts->partial;
	struct task *t;

	if (unlikely(!c)) {
		c = chunk_new(ts);
		if (!c)
			return NULL;
	}
	t = &c->task[c->free];
	ts->reused += t->site != NULL;
	c->free = next_free(t);
	c->used++;
	if (unlikely(!c->free))
		chunk_unlink(ts, c);
	ts->made++;
	ts->used++;
	ts->free--;
	if (unlikely(!++ts->gen))
		ts->gen = 1;
	t->gen = ts->gen;
	t->kind = kind;
	t->state = TASK_WAITING;
	t->flags = 0;
	t->where = 0;
	t->site = site;
	t->cb = cb;
	t->arg = arg;
	t->due = 0;
	t->opts = NULL;
	t->u.of = KNELL_NONE;
	return t;
}

void task_free(struct knell_loop *l, struct task *t)
{
	struct tasks *ts = &l->tasks;
	struct chunk *c = chunk_of(t);

	if (unlikely(t->opts))
		free(t->opts);
	t->gen = 0;
	t->state = TASK_FREE;
	if (!c->free)
		chunk_link(ts, c);
	set_next_free(t, c->free);
	c->free = place_of(t);
	c->used--;
	ts->used--;
	ts->free++;
	if (unlikely(!c->used && ts->free > UNUSED_MAX))
		chunk_free(ts, c);
}

struct task *task_find(const struct knell_loop *l, knell_task name)
{
	uint32_t nr = name.idx >> CHUNK_SHIFT, place = name.idx & (CHUNK_TASKS - 1);
	const struct tasks *ts = &l->tasks;
	struct task *t;

	if (!name.gen || !place || nr >= ts->nr_chunks || !ts->chunk[nr])
		return NULL;
	t = &ts->chunk[nr]->task[place];
	return t->gen == name.gen ? t : NULL;
}

knell_task task_name(const struct task *t)
{
	return (knell_task){ index_of(t), t->gen };
}

struct opts *task_opts(struct task *t)
{
	if (!t->opts)
		t->opts = calloc(1, sizeof(*t->opts));
	return t->opts;
}

void task_each(struct knell_loop *l, void (*fn)(struct knell_loop *l, struct task *t, void *arg),
	       void *arg)
{
	struct tasks *ts = &l->tasks;

	for (uint32_t nr = 0; nr < ts->nr_chunks; nr++)
		for (uint32_t i = 1; i < CHUNK_TASKS && ts->chunk[nr]; i++)
			if (ts->chunk[nr]->task[i].gen)
				fn(l, &ts->chunk[nr]->task[i], arg);
}

static void drop_one(struct knell_loop *l, struct task *t, void *arg)
{
	struct alias *alias = t->arg;

	(void)l;
	(void)arg;
	if (t->flags & TASK_ALIAS && alias->drop)
		alias->drop(alias);
	free(t->opts);
}

void tasks_free_all(struct knell_loop *l)
{
	struct tasks *ts = &l->tasks;

	task_each(l, drop_one, NULL);
	for (uint32_t nr = 0; nr < ts->nr_chunks; nr++)
		if (ts->chunk[nr])
			munmap(ts->chunk[nr], CHUNK_SIZE);
	free(ts->chunk);
}

void list_add(struct knell_loop *l, enum list_id id, struct task *t)
{
	struct list *list = &l->list[id];
	uint32_t idx = index_of(t);

	t->state = TASK_LISTED;
	t->where = id;
	t->next = NO_TASK;
	t->prev = list->tail;
	if (list->tail == NO_TASK)
		list->head = idx;
	else
		task_at(&l->tasks, list->tail)->next = idx;
	list->tail = idx;
	list->len++;
}

void list_del(struct knell_loop *l, struct task *t)
{
	struct list *list = &l->list[t->where];

	if (t->prev == NO_TASK)
		list->head = t->next;
	else
		task_at(&l->tasks, t->prev)->next = t->next;
	if (t->next == NO_TASK)
		list->tail = t->prev;
	else
		task_at(&l->tasks, t->next)->prev = t->prev;
	list->len--;
	t->state = TASK_WAITING;
}

struct task *list_pop(struct knell_loop *l, enum list_id id)
{
	struct task *t;

	if (l->list[id].head == NO_TASK)
		return NULL;
	t = task_at(&l->tasks, l->list[id].head);
	list_del(l, t);
	return t;
}

void list_splice(struct knell_loop *l, enum list_id id, enum list_id from)
{
	struct list *list = &l->list[id], *other = &l->list[from];
	struct task *t;

	if (other->head == NO_TASK)
		return;
	for (uint32_t i = other->head; i != NO_TASK; i = t->next) {
		t = task_at(&l->tasks, i);
		t->where = id;
	}
	task_at(&l->tasks, other->head)->prev = list->tail;
	if (list->tail == NO_TASK)
		list->head = other->head;
	else
		task_at(&l->tasks, list->tail)->next = other->head;
	list->tail = other->tail;
	list->len += other->len;
	*other = (struct list){ NO_TASK, NO_TASK, 0 };
}
