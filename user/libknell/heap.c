// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Timers in order: a heap in which each node has four children, which lie in one cache
 * line (D. B. Johnson, "Priority queues with update and finding minimum spanning trees",
 * 1975; libev and others use 4 for the same reason).
 *
 * A task does not know where its node is: to sift writes to nothing but the heap. One that
 * is cancelled leaves its node behind, which says nothing any more and goes when it gets
 * to the top, or with all its like when they are as many as the others. The one at the top
 * is never such a one.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

#define SHIFT	3	/* node[4 * i + 1] begins a line if node[-3] does */
#define DEAD_MIN	64	/* fewer than these are not worth a sweep */

_Static_assert(sizeof(struct heap_node) * 4 == CACHE_LINE, "four in a line");

/* Without a branch: which one of two timers is first cannot be predicted. */
static inline bool before(const struct heap_node *a, const struct heap_node *b)
{
#ifdef __SIZEOF_INT128__
	__extension__ typedef unsigned __int128 key;

	return ((key)a->deadline << 64 | a->tie) < ((key)b->deadline << 64 | b->tie);
#else
	return (a->deadline < b->deadline) | ((a->deadline == b->deadline) & (a->tie < b->tie));
#endif
}

/* The one of four that is first. Compilers like to make branches of ?: */
static inline uint32_t first_of_four(const struct heap_node *n)
{
	uint32_t a = before(&n[1], &n[0]), b = 2 + before(&n[3], &n[2]);

	return a ^ ((a ^ b) & -(uint32_t)before(&n[b], &n[a]));
}

static int heap_grow(struct heap *h)
{
	uint32_t room = h->room ? 2 * h->room : 61;
	struct heap_node *base;

	if (room < h->room)
		return -ENOMEM;
	base = array_alloc(room + SHIFT, sizeof(*base));
	if (!base)
		return -ENOMEM;
	if (h->nr)
		memcpy(base + SHIFT, h->node, h->nr * sizeof(*base));
	heap_free(h);
	h->node = base + SHIFT;
	h->room = room;
	return 0;
}

void heap_free(struct heap *h)
{
	if (h->node)
		free(h->node - SHIFT);
}

/* Whose node that is; NULL: it was left behind. */
static struct task *owner(const struct knell_loop *l, enum heap_id id, const struct heap_node *n)
{
	struct task *t = l->tasks.chunk[node_idx(n) >> CHUNK_SHIFT].task;

	/* The place may be another task's by now, or nobody's, or gone. */
	if (!t)
		return NULL;
	t += node_idx(n) & (CHUNK_TASKS - 1);
	if (t->state != TASK_WAITING || t->where != id ||
	    (t->kind != KNELL_KIND_TIMER && t->kind != KNELL_KIND_BACKGROUND) ||
	    t->u.timer.seq != node_seq(n))
		return NULL;
	return t;
}

/* Mostly there is nothing to sift, and that needs few registers: not inlined. Return: 0 */
static __attribute__((noinline)) int sift_up(struct heap *h, uint32_t pos, struct heap_node n)
{
	while (pos) {
		uint32_t parent = (pos - 1) / 4;

		if (!before(&n, &h->node[parent]))
			break;
		h->node[pos] = h->node[parent];
		pos = parent;
	}
	h->node[pos] = n;
	return 0;
}

static void sift_down(struct heap *h, uint32_t pos, struct heap_node n)
{
	for (;;) {
		uint32_t child = 4 * pos + 1, least = child;

		if (likely(child + 3 < h->nr)) {
			least += first_of_four(&h->node[child]);
		} else {
			if (child >= h->nr)
				break;
			while (++child < h->nr)
				if (before(&h->node[child], &h->node[least]))
					least = child;
		}
		if (!before(&h->node[least], &n))
			break;
		h->node[pos] = h->node[least];
		pos = least;
	}
	h->node[pos] = n;
}

static void drop_first(struct heap *h)
{
	h->nr--;
	if (h->nr)
		sift_down(h, 0, h->node[h->nr]);
}

/* All that were left behind. The rest is put in order from the bottom up (R. W. Floyd, 1964). */
static COLD void sweep(struct knell_loop *l, enum heap_id id)
{
	struct heap *h = &l->heap[id];
	uint32_t nr = 0;

	for (uint32_t i = 0; i < h->nr; i++)
		if (owner(l, id, &h->node[i]))
			h->node[nr++] = h->node[i];
	h->nr = nr;
	h->dead = 0;
	for (uint32_t i = nr / 4 + 1; i-- > 0;)
		if (i < nr)
			sift_down(h, i, h->node[i]);
}

static int compare(const void *a, const void *b)
{
	return before(a, b) ? -1 : 1;
}

/* The count of 2^32 is used up: begin anew, in order. What is in order is a heap, too. */
static void renumber(struct knell_loop *l, enum heap_id id)
{
	struct heap *h = &l->heap[id];

	sweep(l, id);
	qsort(h->node, h->nr, sizeof(*h->node), compare);
	for (uint32_t i = 0; i < h->nr; i++) {
		uint32_t idx = node_idx(&h->node[i]);

		h->node[i].tie = (uint64_t)i << 32 | idx;
		task_at(&l->tasks, idx)->u.timer.seq = i;
	}
	h->seq = h->nr;
}

static COLD int heap_make_room(struct knell_loop *l, enum heap_id id, struct task *t)
{
	struct heap *h = &l->heap[id];

	if (h->seq == UINT32_MAX)
		renumber(l, id);
	if (h->nr + h->out >= h->room && heap_grow(h))
		return -ENOMEM;
	return heap_add(l, id, t);
}

int heap_add(struct knell_loop *l, enum heap_id id, struct task *t)
{
	struct heap *h = &l->heap[id];
	struct heap_node n = { .deadline = t->due };
	uint32_t pos = h->nr;

	if (unlikely(pos + h->out >= h->room || h->seq == UINT32_MAX))
		return heap_make_room(l, id, t);
	n.tie = (uint64_t)h->seq << 32 | index_of(t);
	t->u.timer.seq = h->seq++;
	t->state = TASK_WAITING;
	t->where = id;
	if (unlikely(t->opts && t->opts->slack))
		h->slacks++;
	h->nr++;
	if (pos && before(&n, &h->node[(pos - 1) / 4]))
		return sift_up(h, pos, n);
	h->node[pos] = n;
	return 0;
}

/* It was the first one: so are those left behind that are next. */
static void take_first(struct knell_loop *l, enum heap_id id)
{
	struct heap *h = &l->heap[id];

	drop_first(h);
	while (h->dead && h->nr && !owner(l, id, &h->node[0])) {
		h->dead--;
		drop_first(h);
	}
}

void heap_del(struct knell_loop *l, struct task *t, uint32_t idx)
{
	enum heap_id id = t->where;
	struct heap *h = &l->heap[id];

	if (unlikely(t->opts && t->opts->slack))
		h->slacks--;
	t->state = TASK_FREE;
	if (node_idx(&h->node[0]) == idx && node_seq(&h->node[0]) == t->u.timer.seq) {
		take_first(l, id);
		return;
	}
	h->dead++;
	if (unlikely(h->dead > h->nr / 2 && h->dead > DEAD_MIN))
		sweep(l, id);
}

static uint64_t latest(const struct knell_loop *l, const struct heap *h, const struct heap_node *n)
{
	const struct task *t = owner(l, (enum heap_id)(h - l->heap), n);
	uint64_t slack = t && t->opts ? t->opts->slack : 0;

	return !t || n->deadline + slack < n->deadline ? KNELL_NEVER : n->deadline + slack;
}

/* Only what is due before the best that was found can be better. */
static uint64_t search(const struct knell_loop *l, const struct heap *h, uint32_t pos,
		       uint64_t best)
{
	if (pos >= h->nr || h->node[pos].deadline >= best)
		return best;
	if (latest(l, h, &h->node[pos]) < best)
		best = latest(l, h, &h->node[pos]);
	for (uint32_t i = 1; i <= 4; i++)
		best = search(l, h, 4 * pos + i, best);
	return best;
}

uint64_t heap_wake(const struct knell_loop *l, const struct heap *h)
{
	return h->slacks ? search(l, h, 0, KNELL_NEVER) : heap_first(h);
}
