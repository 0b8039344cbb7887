// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Timers in order: a heap in which each node has four children, which lie in one cache
 * line (D. B. Johnson, "Priority queues with update and finding minimum spanning trees",
 * 1975; libev and others use 4 for the same reason).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

#define SHIFT	3	/* node[4 * i + 1] begins a line if node[-3] does */

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

static inline void put(struct knell_loop *l, struct heap *h, uint32_t pos, struct heap_node n)
{
	h->node[pos] = n;
	l->tasks.pos[node_idx(&n)] = pos;
}

/*
 * These two are not inlined: mostly there is nothing to sift, and that needs few registers, and
 * none to be saved if they are called last. Return: 0
 */
static __attribute__((noinline)) int sift_up(struct knell_loop *l, struct heap *h, uint32_t pos,
					     struct heap_node n)
{
	while (pos) {
		uint32_t parent = (pos - 1) / 4;

		if (!before(&n, &h->node[parent]))
			break;
		put(l, h, pos, h->node[parent]);
		pos = parent;
	}
	put(l, h, pos, n);
	return 0;
}

static __attribute__((noinline)) int sift_down(struct knell_loop *l, struct heap *h, uint32_t pos,
					       struct heap_node n)
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
		put(l, h, pos, h->node[least]);
		pos = least;
	}
	put(l, h, pos, n);
	return 0;
}

/* At @pos, or where it belongs: most are not before the one above them, and have none below. */
static inline int sift(struct knell_loop *l, struct heap *h, uint32_t pos, struct heap_node n)
{
	if (pos && before(&n, &h->node[(pos - 1) / 4]))
		return sift_up(l, h, pos, n);
	if (4 * pos + 1 < h->nr)
		return sift_down(l, h, pos, n);
	put(l, h, pos, n);
	return 0;
}

static int compare(const void *a, const void *b)
{
	return before(a, b) ? -1 : 1;
}

/* The count of 2^32 is used up: begin anew, in order. What is in order is a heap, too. */
static void renumber(struct knell_loop *l, struct heap *h)
{
	qsort(h->node, h->nr, sizeof(*h->node), compare);
	for (uint32_t i = 0; i < h->nr; i++) {
		h->node[i].tie = (uint64_t)i << 32 | node_idx(&h->node[i]);
		put(l, h, i, h->node[i]);
	}
	h->seq = h->nr;
}

static COLD int heap_make_room(struct knell_loop *l, enum heap_id id, struct task *t)
{
	struct heap *h = &l->heap[id];

	if (h->seq == UINT32_MAX)
		renumber(l, h);
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
	n.tie = (uint64_t)h->seq++ << 32 | index_of(t);
	t->state = TASK_WAITING;
	t->where = id;
	if (unlikely(t->opts && t->opts->slack))
		h->slacks++;
	h->nr++;
	if (pos && before(&n, &h->node[(pos - 1) / 4]))
		return sift_up(l, h, pos, n);
	put(l, h, pos, n);
	return 0;
}

void heap_del(struct knell_loop *l, struct task *t, uint32_t idx)
{
	struct heap *h = &l->heap[t->where];
	uint32_t pos = l->tasks.pos[idx];
	struct heap_node n = h->node[--h->nr];

	if (unlikely(t->opts && t->opts->slack))
		h->slacks--;
	if (pos == h->nr)
		return;
	sift(l, h, pos, n);
}

static uint64_t latest(const struct knell_loop *l, const struct heap_node *n)
{
	const struct opts *opts = task_at(&l->tasks, node_idx(n))->opts;
	uint64_t slack = opts ? opts->slack : 0;

	return n->deadline + slack < n->deadline ? KNELL_NEVER : n->deadline + slack;
}

/* Only what is due before the best that was found can be better. */
static uint64_t search(const struct knell_loop *l, const struct heap *h, uint32_t pos,
		       uint64_t best)
{
	if (pos >= h->nr || h->node[pos].deadline >= best)
		return best;
	if (latest(l, &h->node[pos]) < best)
		best = latest(l, &h->node[pos]);
	for (uint32_t i = 1; i <= 4; i++)
		best = search(l, h, 4 * pos + i, best);
	return best;
}

uint64_t heap_wake(const struct knell_loop *l, const struct heap *h)
{
	return h->slacks ? search(l, h, 0, KNELL_NEVER) : heap_first(h);
}
