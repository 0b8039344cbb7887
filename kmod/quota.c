// SPDX-License-Identifier: GPL-2.0-only
/*
 * Quota: watches, open files and kept queues are counted against the uid that opened the queue,
 * and in each user namespace above against the owner of the one below, so that namespaces
 * are no way around it. This is what ucounts does, whose functions are not for
 * modules.
 */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/hashtable.h>
#include <linux/mm.h>
#include <linux/moduleparam.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/user_namespace.h>

#include "quota.h"
#include "watch.h"

/**
 * struct knell_quota - a user in a user namespace
 * @node: in knell_quotas; knell_quota_mutex
 * @parent: the owner of @ns in the namespace above, NULL at the top
 * @ns: namespace, referenced
 * @uid: user
 * @refs: queues and namespaces below; knell_quota_mutex
 * @used: of what there is, by enum knell_quota_kind
 */
struct knell_quota {
	struct hlist_node node;
	struct knell_quota *parent;
	struct user_namespace *ns;
	kuid_t uid;
	unsigned int refs;
	atomic_long_t used[KNELL_QUOTA_KINDS];
};

/* covers knell_quotas and who refers to whom */
static DEFINE_MUTEX(knell_quota_mutex);
static DEFINE_HASHTABLE(knell_quotas, 6);

static unsigned long max_user_watches;
module_param(max_user_watches, ulong, 0644);
MODULE_PARM_DESC(max_user_watches,
		 "watches that one user may have (default: as many as 4% of the memory hold)");

static unsigned long max_user_queues = 1024;
module_param(max_user_queues, ulong, 0644);
MODULE_PARM_DESC(max_user_queues, "queues that one user may have open (default: 1024)");

static unsigned long max_user_kept = 64;
module_param(max_user_kept, ulong, 0644);
MODULE_PARM_DESC(max_user_kept, "queues that one user may keep (default: 64)");

/**
 * knell_quota_max() - watches that each user may have
 *
 * Return: the number as it is now; it may be changed while users have more
 */
unsigned long knell_quota_max(void)
{
	/* sysfs writes parameters plainly. */
	return data_race(READ_ONCE(max_user_watches));
}

static struct hlist_head *knell_quota_bucket(const struct user_namespace *ns, kuid_t uid)
{
	return &knell_quotas[hash_long((unsigned long)ns + __kuid_val(uid),
				       HASH_BITS(knell_quotas))];
}

static struct knell_quota *knell_quota_find(const struct user_namespace *ns, kuid_t uid)
{
	struct knell_quota *quota;

	lockdep_assert_held(&knell_quota_mutex);
	hlist_for_each_entry(quota, knell_quota_bucket(ns, uid), node)
		if (quota->ns == ns && uid_eq(quota->uid, uid))
			return quota;
	return NULL;
}

static struct knell_quota *knell_quota_new(struct user_namespace *ns, kuid_t uid)
{
	struct knell_quota *quota = kzalloc(sizeof(*quota), GFP_KERNEL_ACCOUNT);

	if (!quota)
		return NULL;
	quota->ns = get_user_ns(ns);
	quota->uid = uid;
	hlist_add_head(&quota->node, knell_quota_bucket(ns, uid));
	return quota;
}

static void knell_quota_put_locked(struct knell_quota *quota)
{
	struct knell_quota *parent;

	lockdep_assert_held(&knell_quota_mutex);
	for (; quota && !--quota->refs; quota = parent) {
		parent = quota->parent;
		hlist_del(&quota->node);
		put_user_ns(quota->ns);
		kfree(quota);
	}
}

/**
 * knell_quota_get() - the caller's effective user, with all above him. May sleep
 *
 * Return: a reference, or NULL for want of memory
 */
struct knell_quota *knell_quota_get(void)
{
	struct knell_quota *first = NULL, **link = &first, *quota;
	struct user_namespace *ns = current_user_ns();
	kuid_t uid = current_euid();

	mutex_lock(&knell_quota_mutex);
	for (;;) {
		quota = knell_quota_find(ns, uid);
		if (quota) {
			/* Those above it are there already. */
			quota->refs++;
			*link = quota;
			break;
		}
		quota = knell_quota_new(ns, uid);
		if (!quota) {
			knell_quota_put_locked(first);
			first = NULL;
			break;
		}
		quota->refs++;
		*link = quota;
		link = &quota->parent;
		if (!ns->parent)
			break;
		uid = ns->owner;
		ns = ns->parent;
	}
	mutex_unlock(&knell_quota_mutex);
	return first;
}

/**
 * knell_quota_put() - let go of a reference. May sleep
 * @quota: may be gone after it
 */
void knell_quota_put(struct knell_quota *quota)
{
	mutex_lock(&knell_quota_mutex);
	knell_quota_put_locked(quota);
	mutex_unlock(&knell_quota_mutex);
}

static unsigned long knell_quota_limit(enum knell_quota_kind kind)
{
	switch (kind) {
	case KNELL_QUOTA_FILES:
		/* Written through sysfs at any time. */
		return data_race(READ_ONCE(max_user_queues));
	case KNELL_QUOTA_KEPT:
		/* As that one. */
		return data_race(READ_ONCE(max_user_kept));
	default:
		return knell_quota_max();
	}
}

static void knell_quota_uncharge_below(struct knell_quota *quota, const struct knell_quota *end,
				       enum knell_quota_kind kind, unsigned int nr)
{
	for (; quota != end; quota = quota->parent)
		atomic_long_sub(nr, &quota->used[kind]);
}

/**
 * knell_quota_charge() - count some more. Any context
 * @quota: the user
 * @kind: of what
 * @nr: how many
 *
 * Return: 0, or -ENOSPC if he or one above is at the quota and the caller has no CAP_SYS_RESOURCE
 */
int knell_quota_charge(struct knell_quota *quota, enum knell_quota_kind kind, unsigned int nr)
{
	unsigned long max = knell_quota_limit(kind);
	struct knell_quota *level;

	for (level = quota; level; level = level->parent) {
		if (atomic_long_add_return(nr, &level->used[kind]) <= max)
			continue;
		if (capable(CAP_SYS_RESOURCE))
			continue;
		knell_quota_uncharge_below(quota, level->parent, kind, nr);
		return -ENOSPC;
	}
	return 0;
}

/**
 * knell_quota_uncharge() - count some less. Any context
 * @quota: the user
 * @kind: of what
 * @nr: how many
 */
void knell_quota_uncharge(struct knell_quota *quota, enum knell_quota_kind kind, unsigned int nr)
{
	knell_quota_uncharge_below(quota, NULL, kind, nr);
}

/* 4 % of the memory is what epoll gives each user too, fs/eventpoll.c. */
void __init knell_quota_init(void)
{
	struct sysinfo si;

	if (max_user_watches)
		return;
	si_meminfo(&si);
	max_user_watches = ((si.totalram - si.totalhigh) / 25 << PAGE_SHIFT) / KNELL_WATCH_SIZE;
}
