// SPDX-License-Identifier: GPL-2.0-only
/* What all watches share: handles, memory, the way into a queue and out of it. */
#include <linux/kref.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "observe.h"
#include "queue.h"
#include "quota.h"
#include "watch.h"

#define KNELL_TABLE_MIN	64U
#define KNELL_TABLE_MAX	BIT(30)

static struct kmem_cache *knell_watch_cache;

/**
 * knell_watch_ops() - the kind that an ADD asks for
 * @type: enum knell_type
 *
 * Return: the kind, -EINVAL if unknown
 */
const struct knell_watch_ops *knell_watch_ops(u16 type)
{
	switch (type) {
	case KNELL_PROCESS:
		return &knell_process_ops;
	case KNELL_TIMER:
		return &knell_timer_ops;
	case KNELL_USER:
		return &knell_user_ops;
	case KNELL_FD:
		return &knell_fd_ops;
	case KNELL_TREE:
		return &knell_tree_ops;
	case KNELL_CHILDREN:
		return &knell_children_ops;
	default:
		return ERR_PTR(-EINVAL);
	}
}

static struct knell_watch **knell_table_slot(struct knell_table *table, u32 handle)
{
	return &table->slots[handle & (table->size - 1)];
}

/* Two handles that differ in the low bits of a small table differ in those of a larger one. */
static int knell_table_grow(struct knell_table *table)
{
	struct knell_table bigger = { .size = max(2 * table->size, KNELL_TABLE_MIN) };
	u32 i;

	if (table->size == KNELL_TABLE_MAX)
		return -ENOMEM;
	bigger.slots = kvcalloc(bigger.size, sizeof(*bigger.slots), GFP_KERNEL_ACCOUNT);
	if (!bigger.slots)
		return -ENOMEM;
	for (i = 0; i < table->size; i++)
		if (table->slots[i])
			*knell_table_slot(&bigger, table->slots[i]->handle) = table->slots[i];
	kvfree(table->slots);
	table->slots = bigger.slots;
	table->size = bigger.size;
	return 0;
}

/*
 * Handles count up, past those whose slot is taken, and start again after 2^32:
 * none is given again before all others have been. Half of the slots are free,
 * so that a walk past taken ones is short on average.
 */
static int knell_table_insert(struct knell_table *table, struct knell_watch *watch)
{
	if (2 * (table->nr + 1) > table->size && knell_table_grow(table))
		return -ENOMEM;
	do {
		table->last++;
	} while (!table->last || table->last == KNELL_LAST ||
		 *knell_table_slot(table, table->last));
	watch->handle = table->last;
	*knell_table_slot(table, watch->handle) = watch;
	table->nr++;
	table->generation += 2;
	return 0;
}

static struct knell_watch *knell_watch_alloc(struct knell_queue *queue)
{
	struct knell_watch *watch;

	if (!queue->nr_spares)
		return kmem_cache_zalloc(knell_watch_cache, GFP_KERNEL);
	watch = list_first_entry(&queue->spares, struct knell_watch, rec.node);
	list_del(&watch->rec.node);
	queue->nr_spares--;
	memset(watch, 0, KNELL_WATCH_SIZE);
	return watch;
}

/**
 * knell_record_init() - an idle record
 * @rec: zeroed
 * @watch: whose
 * @ev: enum knell_ev
 */
void knell_record_init(struct knell_record *rec, struct knell_watch *watch, u16 ev)
{
	INIT_LIST_HEAD(&rec->node);
	rec->watch = watch;
	rec->ev = ev;
}

/**
 * knell_watch_new() - a watch that is in the queue and not armed
 * @queue: its mutex is held. May sleep
 * @ops: its kind
 *
 * Return: the watch; -ENOSPC at the user's quota, -ENOMEM
 */
struct knell_watch *knell_watch_new(struct knell_queue *queue, const struct knell_watch_ops *ops)
{
	struct knell_watch *watch;
	int err;

	lockdep_assert_held(&queue->mutex);
	err = knell_quota_charge(queue->quota, KNELL_QUOTA_WATCHES, 1);
	if (err)
		return ERR_PTR(err);
	err = -ENOMEM;
	watch = knell_watch_alloc(queue);
	if (!watch)
		goto err_quota;
	watch->ops = ops;
	watch->queue = queue;
	knell_record_init(&watch->rec, watch, ops->ev);
	refcount_set(&watch->refs, 1);
	err = knell_table_insert(&queue->table, watch);
	if (err)
		goto err_watch;
	return watch;

err_watch:
	kmem_cache_free(knell_watch_cache, watch);
err_quota:
	knell_quota_uncharge(queue->quota, KNELL_QUOTA_WATCHES, 1);
	return ERR_PTR(err);
}

/**
 * knell_watch_find() - by handle
 * @queue: its mutex is held, and keeps the watch
 * @handle: any number
 *
 * Return: the watch or NULL
 */
struct knell_watch *knell_watch_find(struct knell_queue *queue, u32 handle)
{
	struct knell_watch *watch;

	lockdep_assert_held(&queue->mutex);
	if (!queue->table.size)
		return NULL;
	watch = *knell_table_slot(&queue->table, handle);
	return watch && watch->handle == handle ? watch : NULL;
}

/**
 * knell_watch_next() - walk through all watches, in no order
 * @queue: its mutex is held
 * @slot: 0 to begin with
 *
 * Return: the next watch, NULL at the end. It may be removed on the way
 */
struct knell_watch *knell_watch_next(struct knell_queue *queue, u32 *slot)
{
	struct knell_watch *watch = NULL;

	lockdep_assert_held(&queue->mutex);
	while (!watch && *slot < queue->table.size)
		watch = queue->table.slots[(*slot)++];
	return watch;
}

/**
 * knell_watch_set() - what every MOD replaces
 * @watch: its queue's lock is held
 * @op: a MOD that cannot fail any more
 */
void knell_watch_set(struct knell_watch *watch, const struct knell_op *op)
{
	lockdep_assert_held(&watch->queue->lock);
	watch->token = op->token;
	watch->flags = (watch->flags & ~watch->ops->mod_flags) | op->flags;
}

/* Out of the table and away from its hooks. */
static inline void knell_watch_unhook(struct knell_watch *watch)
{
	struct knell_queue *queue = watch->queue;

	*knell_table_slot(&queue->table, watch->handle) = NULL;
	queue->table.nr--;
	knell_observe_del(watch);
	queue->table.generation += 2;
	if (!watch->bare)
		watch->ops->release(watch);
}

/**
 * knell_watch_drop() - watches that are DEAD leave the queue
 * @queue: its mutex is held. May sleep
 * @dead: at most KNELL_BATCH watches, whom nobody else can find any more
 */
void knell_watch_drop(struct knell_queue *queue, struct list_head *dead)
{
	struct knell_watch *watch, *next;
	void *free[KNELL_BATCH];
	unsigned int nr = 0, nr_free = 0;

	lockdep_assert_held(&queue->mutex);
	list_for_each_entry_safe(watch, next, dead, rec.node) {
		knell_watch_unhook(watch);
		/* A child on its way frees it later. */
		if (refcount_read(&watch->refs) > 1 && !refcount_dec_and_test(&watch->refs))
			continue;
		nr++;
		if (queue->nr_spares == KNELL_SPARES) {
			free[nr_free++] = watch;
			continue;
		}
		list_add(&watch->rec.node, &queue->spares);
		queue->nr_spares++;
	}
	knell_quota_uncharge(queue->quota, KNELL_QUOTA_WATCHES, nr);
	/* 5.10 warns when it is asked to free none. */
	if (nr_free)
		kmem_cache_free_bulk(knell_watch_cache, nr_free, free);
}

/**
 * knell_watch_remove() - DEL: it leaves the queue, a pending record with it
 * @watch: its queue's mutex is held. May sleep
 */
void knell_watch_remove(struct knell_watch *watch)
{
	struct knell_queue *queue = watch->queue;

	spin_lock_irq(&queue->lock);
	knell_unpost(watch);
	if (watch->ops->unpost)
		watch->ops->unpost(watch);
	watch->state = KNELL_DEAD;
	spin_unlock_irq(&queue->lock);
	knell_watch_unhook(watch);
	knell_watch_put(watch);
}

/**
 * knell_watch_put() - let go of a reference
 * @watch: freed with the last one; its queue must still be referenced
 */
void knell_watch_put(struct knell_watch *watch)
{
	if (!refcount_dec_and_test(&watch->refs))
		return;
	knell_quota_uncharge(watch->queue->quota, KNELL_QUOTA_WATCHES, 1);
	kmem_cache_free(knell_watch_cache, watch);
}

/**
 * knell_watch_shed() - the watches that do not outlive their holder go
 * @queue: its mutex is held. May sleep
 */
void knell_watch_shed(struct knell_queue *queue)
{
	struct knell_watch *watch;
	u32 slot = 0;

	while ((watch = knell_watch_next(queue, &slot))) {
		if (!watch->ops->keeps)
			knell_watch_remove(watch);
		cond_resched();
	}
}

/**
 * knell_watch_exit_queue() - all watches go
 * @queue: its mutex is held; its last descriptor is closed. May sleep
 */
void knell_watch_exit_queue(struct knell_queue *queue)
{
	struct knell_watch *watch, *next;
	u32 slot = 0;

	while (queue->table.nr && (watch = knell_watch_next(queue, &slot))) {
		if (watch->ops->close)
			watch->ops->close(watch);
		knell_watch_remove(watch);
		cond_resched();
	}
	list_for_each_entry_safe(watch, next, &queue->spares, rec.node)
		kmem_cache_free(knell_watch_cache, watch);
	INIT_LIST_HEAD(&queue->spares);
	queue->nr_spares = 0;
	kvfree(queue->table.slots);
	queue->table = (struct knell_table){ .generation = queue->table.generation + 2 };
}

int __init knell_watch_init(void)
{
	knell_watch_cache = kmem_cache_create("knell_watch", KNELL_WATCH_SIZE, 0,
					      SLAB_ACCOUNT, NULL);
	return knell_watch_cache ? 0 : -ENOMEM;
}

/* Warns if a watch was left over. */
void knell_watch_exit(void)
{
	kmem_cache_destroy(knell_watch_cache);
}
