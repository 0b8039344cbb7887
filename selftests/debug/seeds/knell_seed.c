// SPDX-License-Identifier: GPL-2.0-only
/*
 * A module that does what no module may, to show that the debug kernels tell: insmod knell_seed.ko
 * fault=NAME makes the fault of that name. Never to be inserted anywhere but in the guest.
 */
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/timer.h>

struct seed {
	struct list_head list;
	struct timer_list timer;
	char bytes[128];
};

static char *fault = "";
module_param(fault, charp, 0400);

static int sink;
static DEFINE_SPINLOCK(first_lock);
static DEFINE_SPINLOCK(second_lock);
static LIST_HEAD(seeds);
static struct seed __rcu *current_seed;
static int racy;

static struct seed *new_seed(void)
{
	return kzalloc(sizeof(struct seed), GFP_KERNEL);
}

static void use_after_free(void)
{
	struct seed *s = new_seed();

	kfree(s);
	WRITE_ONCE(sink, READ_ONCE(s->bytes[7]));
}

/* Within what the allocator has given, past what was asked for: only KASAN knows. */
static void out_of_bounds(void)
{
	char *s = kmalloc(200, GFP_KERNEL);

	OPTIMIZER_HIDE_VAR(s);
	WRITE_ONCE(s[200], 1);
	kfree(s);
}

static void leak(void)
{
	char *s = kmalloc(200, GFP_KERNEL);

	OPTIMIZER_HIDE_VAR(s);
	WRITE_ONCE(s[0], 1);
}

static void lock_order(void)
{
	spin_lock(&first_lock);
	spin_lock(&second_lock);
	spin_unlock(&second_lock);
	spin_unlock(&first_lock);
	spin_lock(&second_lock);
	spin_lock(&first_lock);
	spin_unlock(&first_lock);
	spin_unlock(&second_lock);
}

static void take_lock(struct timer_list *unused)
{
	spin_lock(&first_lock);
	spin_unlock(&first_lock);
}

/* What an interrupt takes, taken with interrupts on. */
static void lock_context(void)
{
	struct seed *s = new_seed();

	timer_setup(&s->timer, take_lock, 0);
	mod_timer(&s->timer, jiffies);
	msleep(100);
	del_timer_sync(&s->timer);
	kfree(s);
	spin_lock(&first_lock);
	spin_unlock(&first_lock);
}

static void rcu_unlocked(void)
{
	struct seed *s = rcu_dereference(current_seed);

	WRITE_ONCE(sink, s ? s->bytes[0] : 0);
}

static void sleep_in_atomic(void)
{
	spin_lock(&first_lock);
	kfree(new_seed());
	spin_unlock(&first_lock);
}

static void timer_freed(void)
{
	struct seed *s = new_seed();

	timer_setup(&s->timer, take_lock, 0);
	mod_timer(&s->timer, jiffies + 1000 * HZ);
	kfree(s);
}

static void shift_too_far(void)
{
	int width = 40;

	OPTIMIZER_HIDE_VAR(width);
	WRITE_ONCE(sink, 1 << width);
}

static void list_broken(void)
{
	struct seed *s = new_seed();

	list_add(&s->list, &seeds);
	seeds.next = &seeds;
	list_del(&s->list);
	kfree(s);
}

static int sleep_for_ever(void *unused)
{
	DECLARE_COMPLETION_ONSTACK(never);

	wait_for_completion(&never);
	return 0;
}

static void task_hung(void)
{
	kthread_run(sleep_for_ever, NULL, "knell_seed");
	ssleep(120);
}

static void cpu_locked_up(void)
{
	preempt_disable();
	mdelay(60000);
	preempt_enable();
}

static int count(void *unused)
{
	unsigned long end = jiffies + 5 * HZ;

	while (time_before(jiffies, end)) {
		racy++;
		/* Each by itself: not one sum. */
		barrier();
	}
	return 0;
}

static void race(void)
{
	kthread_run(count, NULL, "knell_seed/1");
	kthread_run(count, NULL, "knell_seed/2");
	/* Less than makes a task a hung one. */
	ssleep(6);
}

static const struct {
	const char *name;
	void (*make)(void);
} faults[] = {
	{ "use_after_free", use_after_free },
	{ "out_of_bounds", out_of_bounds },
	{ "leak", leak },
	{ "lock_order", lock_order },
	{ "lock_context", lock_context },
	{ "rcu_unlocked", rcu_unlocked },
	{ "sleep_in_atomic", sleep_in_atomic },
	{ "timer_freed", timer_freed },
	{ "shift_too_far", shift_too_far },
	{ "list_broken", list_broken },
	{ "task_hung", task_hung },
	{ "cpu_locked_up", cpu_locked_up },
	{ "data_race", race },
	{ "none", NULL },
};

static int __init knell_seed_init(void)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(faults); i++) {
		if (strcmp(fault, faults[i].name))
			continue;
		if (faults[i].make)
			faults[i].make();
		return 0;
	}
	return -EINVAL;
}

static void __exit knell_seed_exit(void)
{
}

module_init(knell_seed_init);
module_exit(knell_seed_exit);
MODULE_DESCRIPTION("Faults on purpose");
MODULE_LICENSE("GPL");
