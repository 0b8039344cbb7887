// SPDX-License-Identifier: GPL-2.0-only
/*
 * The module's fault build: what it asks of the kernel fails when a test says so.
 *
 * The linker puts a wrapper between the module and each import that can fail (imports.table), and the
 * wrapper asks here. A test writes to parameters of the module:
 *
 *	fault	"TID:N": the Nth that this thread asks for from now on fails, 0: none. TID 0, or -1 if
 *		two are to fail: of what kernel threads ask for. Told in return, a line for each:
 *		"TID LEFT ERRNO SYMBOL SITE", what has failed and where, "- -" if nothing has
 *	always	SYMBOL: it fails until something else is written
 *	live	how much memory was given and not given back
 */
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/preempt.h>
#include <linux/sched.h>
#include <linux/skbuff.h>
#include <linux/spinlock.h>
#include <linux/string.h>

#include "fault.h"

#define KNELL_FAULTS	16

struct knell_fault {
	pid_t tid;
	bool used;
	unsigned int left;
	int err;
	const char *symbol;
	char site[80];
};

/* covers what follows; a wrapper may be called with any other lock held, and from a probe */
static DEFINE_RAW_SPINLOCK(knell_fault_lock);
static struct knell_fault knell_faults[KNELL_FAULTS];
static unsigned int knell_fault_turn;
static char knell_fault_always[48];

static atomic_t knell_fault_live;

/**
 * knell_fault_count() - of what was given. Any context
 * @by: 1, or -1: given back
 */
void knell_fault_count(int by)
{
	int live = atomic_add_return(by, &knell_fault_live);

	/* While it comes or goes nobody can ask. */
	if (THIS_MODULE->state != MODULE_STATE_LIVE)
		printk(KERN_DEBUG "knell_fault_live: %d\n", live);
}

/* It is the turn of this one. */
static bool knell_fault_hits(struct knell_fault *fault)
{
	if (!fault->left || !in_task())
		return false;
	if (fault->tid > 0 ? fault->tid != task_pid_nr(current) : !(current->flags & PF_KTHREAD))
		return false;
	return !--fault->left;
}

/* For who inserts the module, which may be gone before it can be asked, or does not know who it was. */
static void knell_fault_say(const char *symbol, int err, unsigned long site)
{
	printk(KERN_DEBUG "knell_fault: %d %s %pS\n", err, symbol, (void *)site);
}

/**
 * knell_fault() - is this one to fail? Any context
 * @symbol: that is asked for
 * @err: what comes of it
 * @site: from where
 */
bool knell_fault(const char *symbol, int err, unsigned long site)
{
	struct knell_fault *fault;
	unsigned long flags;
	bool fail;

	raw_spin_lock_irqsave(&knell_fault_lock, flags);
	fail = !strcmp(symbol, knell_fault_always);
	if (fail)
		knell_fault_say(symbol, err, site);
	for (fault = knell_faults; fault < knell_faults + KNELL_FAULTS; fault++) {
		if (!knell_fault_hits(fault))
			continue;
		fault->err = err;
		fault->symbol = symbol;
		snprintf(fault->site, sizeof(fault->site), "%pS", (void *)site);
		knell_fault_say(symbol, err, site);
		fail = true;
	}
	raw_spin_unlock_irqrestore(&knell_fault_lock, flags);
	return fail;
}

/* That of @tid, or the one that was not used for longest. */
static struct knell_fault *knell_fault_of(pid_t tid)
{
	struct knell_fault *fault;

	for (fault = knell_faults; fault < knell_faults + KNELL_FAULTS; fault++)
		if (fault->used && fault->tid == tid)
			return fault;
	return &knell_faults[knell_fault_turn++ % KNELL_FAULTS];
}

static int knell_fault_set(const char *text, const struct kernel_param *kp)
{
	struct knell_fault *fault;
	unsigned long flags;
	unsigned int left;
	pid_t tid;

	if (sscanf(text, "%d:%u", &tid, &left) != 2)
		return -EINVAL;
	raw_spin_lock_irqsave(&knell_fault_lock, flags);
	fault = knell_fault_of(tid);
	if (fault->tid == tid && !left)
		fault->left = 0;
	else
		*fault = (struct knell_fault){ .tid = tid, .used = true, .left = left };
	raw_spin_unlock_irqrestore(&knell_fault_lock, flags);
	return 0;
}

static int knell_fault_get(char *text, const struct kernel_param *kp)
{
	struct knell_fault *fault;
	unsigned long flags;
	int len = 0;

	raw_spin_lock_irqsave(&knell_fault_lock, flags);
	for (fault = knell_faults; fault < knell_faults + KNELL_FAULTS; fault++)
		if (fault->used)
			len += scnprintf(text + len, PAGE_SIZE - len, "%d %u %d %s %s\n",
					 fault->tid, fault->left, fault->err,
					 fault->symbol ?: "-", fault->symbol ? fault->site : "-");
	raw_spin_unlock_irqrestore(&knell_fault_lock, flags);
	return len;
}

static const struct kernel_param_ops knell_fault_ops = {
	.set = knell_fault_set,
	.get = knell_fault_get,
};
module_param_cb(fault, &knell_fault_ops, NULL, 0600);
module_param_string(always, knell_fault_always, sizeof(knell_fault_always), 0600);

static int knell_live_get(char *text, const struct kernel_param *kp)
{
	return scnprintf(text, PAGE_SIZE, "%d\n", atomic_read(&knell_fault_live));
}

static const struct kernel_param_ops knell_live_ops = { .get = knell_live_get };
module_param_cb(live, &knell_live_ops, NULL, 0400);

/* ---- what gives back ---- */

#define KNELL_WRAP_FREE(symbol)						\
void __real_##symbol(unsigned long a, unsigned long b);			\
void __wrap_##symbol(unsigned long a, unsigned long b);			\
void __wrap_##symbol(unsigned long a, unsigned long b)			\
{									\
	if (a)								\
		knell_fault_count(-1);					\
	__real_##symbol(a, b);						\
}

KNELL_WRAP_FREE(kfree)
KNELL_WRAP_FREE(kvfree)
KNELL_WRAP_FREE(kvfree_call_rcu)
KNELL_WRAP_FREE(free_pages)

/* ---- what has had what it was given, also when it fails ---- */

int __real_netlink_unicast(struct sock *sk, struct sk_buff *skb, u32 portid, int nonblock);
int __wrap_netlink_unicast(struct sock *sk, struct sk_buff *skb, u32 portid, int nonblock);
int __wrap_netlink_unicast(struct sock *sk, struct sk_buff *skb, u32 portid, int nonblock)
{
	if (!knell_fault("netlink_unicast", EAGAIN, _RET_IP_))
		return __real_netlink_unicast(sk, skb, portid, nonblock);
	kfree_skb(skb);
	return -EAGAIN;
}
