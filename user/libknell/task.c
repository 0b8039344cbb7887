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

_Static_assert(!(CHUNK_SIZE & (CHUNK_SIZE - 1)), "a power of two");

/*
 * Tasks are looked up in no order, and each look into a page that the CPU does not know costs as
 * much as the rest of it: who has many of them gets huge pages, where the kernel gives these.
 */
#define HUGE_PAGE	(2UL << 20)
#define CHUNKS_AT_ONCE	(HUGE_PAGE / CHUNK_SIZE)

void *array_alloc(size_t nr, size_t size)
{
	size_t align = nr < HUGE_PAGE / size ? CACHE_LINE : HUGE_PAGE;
	void *p;

	if (nr > (SIZE_MAX - HUGE_PAGE) / size) {
		errno = ENOMEM;
		return NULL;
	}
	size = (nr * size + align - 1) / align * align;
	p = aligned_alloc(align, size);
	if (p && align == HUGE_PAGE)
		madvise(p, size, MADV_HUGEPAGE);
	return p;
}

/* Twice as much address space, of which the aligned half is kept. */
static void *map_aligned(size_t size)
{
	uintptr_t start, aligned;
	void *p = mmap(NULL, 2 * size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return NULL;
	start = (uintptr_t)p;
	aligned = (start + size - 1) & ~(uintptr_t)(size - 1);
	if (aligned > start)
		munmap(p, aligned - start);
	munmap((void *)(aligned + size), start + size - aligned);
	return (void *)aligned;
}

/* Each chunk can be unmapped by itself. */
static struct task *chunk_map(struct tasks *ts)
{
	struct task *task;

	if (!ts->nr_spare) {
		bool many = ts->nr_chunks > CHUNKS_AT_ONCE;

		ts->spare = map_aligned(many ? HUGE_PAGE : CHUNK_SIZE);
		if (!ts->spare)
			return NULL;
		ts->nr_spare = many ? CHUNKS_AT_ONCE : 1;
		if (many)
			madvise(ts->spare, HUGE_PAGE, MADV_HUGEPAGE);
	}
	task = ts->spare;
	ts->spare += CHUNK_TASKS;
	ts->nr_spare--;
#ifdef MADV_POPULATE_WRITE
	/* Who has a thousand tasks will have more: sixteen page faults in one. */
	if (ts->used)
		madvise(task, CHUNK_SIZE, MADV_POPULATE_WRITE);
#endif
	return task;
}

/* Room for twice as many. */
static int chunks_grow(struct tasks *ts)
{
	uint32_t room = ts->room ? 2 * ts->room : 1;
	struct chunk *chunk;

	if (room > UINT32_MAX >> CHUNK_SHIFT)
		return -ENOMEM;
	chunk = reallocarray(ts->chunk, room, sizeof(*chunk));
	if (!chunk)
		return -ENOMEM;
	ts->chunk = chunk;
	ts->room = room;
	return 0;
}

/* The least number that is not in use. */
static int chunk_number(struct tasks *ts, uint32_t *nr)
{
	uint32_t i;

	for (i = 0; i < ts->nr_chunks && ts->chunk[i].task; i++)
		;
	if (i == ts->room && chunks_grow(ts))
		return -ENOMEM;
	*nr = i;
	if (i < ts->nr_chunks)
		return 0;
	ts->chunk[i].task = NULL;
	ts->nr_chunks++;
	return 0;
}

static void chunk_link(struct tasks *ts, uint32_t nr)
{
	struct chunk *c = &ts->chunk[nr];

	c->prev = NO_CHUNK;
	c->next = ts->partial;
	if (c->next != NO_CHUNK)
		ts->chunk[c->next].prev = nr;
	ts->partial = nr;
}

static void chunk_unlink(struct tasks *ts, uint32_t nr)
{
	struct chunk *c = &ts->chunk[nr];

	if (c->next != NO_CHUNK)
		ts->chunk[c->next].prev = c->prev;
	if (c->prev != NO_CHUNK)
		ts->chunk[c->prev].next = c->next;
	else
		ts->partial = c->next;
}

static int chunk_new(struct tasks *ts)
{
	struct task *task;
	uint32_t nr;

	if (chunk_number(ts, &nr))
		return -ENOMEM;
	task = chunk_map(ts);
	if (!task)
		return -ENOMEM;
	task->gen = nr;
	/* Places that were never used are behind @free, in order: nothing to write there yet. */
	ts->chunk[nr] = (struct chunk){ .task = task, .free = 1 };
	ts->free += CHUNK_TASKS - 1;
	chunk_link(ts, nr);
	return 0;
}

static void chunk_free(struct tasks *ts, uint32_t nr)
{
	chunk_unlink(ts, nr);
	ts->free -= CHUNK_TASKS - 1;
	munmap(ts->chunk[nr].task, CHUNK_SIZE);
	ts->chunk[nr].task = NULL;
}

static COLD struct task *chunk_full(struct tasks *ts, struct task *t)
{
	chunk_unlink(ts, ts->partial);
	return t;
}

static COLD struct task *new_in_new_chunk(struct knell_loop *l, enum knell_kind kind,
					  const struct knell_site *site, knell_cb *cb, void *arg)
{
	return chunk_new(&l->tasks) ? NULL : task_new(l, kind, site, cb, arg);
}

struct task *task_new(struct knell_loop *l, enum knell_kind kind, const struct knell_site *site,
		      knell_cb *cb, void *arg)
{
	struct tasks *ts = &l->tasks;
	struct chunk *c;
	struct task *t;

	if (unlikely(ts->partial == NO_CHUNK))
		return new_in_new_chunk(l, kind, site, cb, arg);
	c = &ts->chunk[ts->partial];
	t = &c->task[c->free];
	ts->reused += t->site != NULL;
	c->free = next_free(t, c->free);
	c->used++;
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
	return likely(c->free) ? t : chunk_full(ts, t);
}

COLD void task_free_with_all(struct tasks *ts, struct task *t, uint32_t idx)
{
	struct chunk *c = &ts->chunk[idx >> CHUNK_SHIFT];

	free(t->opts);
	if (!c->free)
		chunk_link(ts, idx >> CHUNK_SHIFT);
	put_back(ts, c, t, idx & (CHUNK_TASKS - 1));
	if (!c->used && ts->free > UNUSED_MAX)
		chunk_free(ts, idx >> CHUNK_SHIFT);
}

void task_free(struct knell_loop *l, struct task *t)
{
	task_free_at(l, t, index_of(t));
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
		for (uint32_t i = 1; i < CHUNK_TASKS && ts->chunk[nr].task; i++)
			if (ts->chunk[nr].task[i].gen)
				fn(l, &ts->chunk[nr].task[i], arg);
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
		if (ts->chunk[nr].task)
			munmap(ts->chunk[nr].task, CHUNK_SIZE);
	if (ts->nr_spare)
		munmap(ts->spare, ts->nr_spare * CHUNK_SIZE);
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

void list_append(struct knell_loop *l, enum list_id id, enum list_id from)
{
	struct list *list = &l->list[id], *other = &l->list[from];
	struct task *t;

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
