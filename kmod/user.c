// SPDX-License-Identifier: GPL-2.0-only
/* USER: a doorbell. TRIGGER counts and ORs; it needs no memory and no second record. */
#include <linux/ktime.h>

#include "queue.h"
#include "watch.h"

/**
 * struct knell_user - queue->lock covers all of it
 * @watch: what all kinds share
 * @value: ORed since the record was last looked at
 * @count: TRIGGERs since then
 * @shown_value: what a reader was shown and has not taken yet
 * @shown_count: the same
 * @since: the first TRIGGER that is not in what was shown
 */
struct knell_user {
	struct knell_watch watch;
	u64 value;
	u64 count;
	u64 shown_value;
	u64 shown_count;
	u64 since;
};

static_assert(sizeof(struct knell_user) <= KNELL_WATCH_SIZE);

static struct knell_user *to_user(struct knell_watch *watch)
{
	return container_of(watch, struct knell_user, watch);
}

static int knell_user_add(struct knell_watch *watch, const struct knell_op *op)
{
	spin_lock_irq(&watch->queue->lock);
	watch->state = KNELL_ARMED;
	watch->bare = true;
	spin_unlock_irq(&watch->queue->lock);
	return 0;
}

static void knell_user_trigger(struct knell_watch *watch, u64 value)
{
	struct knell_user *user = to_user(watch);
	struct knell_queue *queue = watch->queue;
	u64 now = ktime_get_ns();
	bool wake;

	spin_lock_irq(&queue->lock);
	if (!user->count)
		user->since = now;
	user->value |= value;
	user->count++;
	wake = knell_post(watch, now);
	spin_unlock_irq(&queue->lock);
	if (wake)
		knell_queue_wake(queue);
}

/* What rings from here on, while the record is copied, makes another one. */
static void knell_user_fill(struct knell_watch *watch, struct knell_record *rec,
			    struct knell_event *ev, const struct knell_reader *reader)
{
	struct knell_user *user = to_user(watch);

	user->shown_value |= user->value;
	user->shown_count += user->count;
	user->value = 0;
	user->count = 0;
	memset(ev->raw, 0, sizeof(ev->raw));
	ev->user.value = user->shown_value;
	ev->user.count = user->shown_count;
}

static bool knell_user_consume(struct knell_watch *watch, struct knell_record *rec)
{
	struct knell_user *user = to_user(watch);

	if (watch->flags & KNELL_OPF_ONESHOT)
		return false;
	user->shown_value = 0;
	user->shown_count = 0;
	watch->state = KNELL_ARMED;
	return true;
}

static bool knell_user_again(struct knell_watch *watch)
{
	struct knell_user *user = to_user(watch);

	return user->count && knell_post(watch, user->since);
}

static u64 knell_user_value(struct knell_watch *watch)
{
	return to_user(watch)->shown_count + to_user(watch)->count;
}

const struct knell_watch_ops knell_user_ops = {
	.type = KNELL_USER,
	.name = "user",
	.ev = KNELL_EV_USER,
	.add_flags = KNELL_OPF_ONESHOT,
	.mod_flags = KNELL_OPF_ONESHOT,
	.keeps = true,
	.add = knell_user_add,
	.trigger = knell_user_trigger,
	.fill = knell_user_fill,
	.consume = knell_user_consume,
	.again = knell_user_again,
	.value = knell_user_value,
};
