/* SPDX-License-Identifier: GPL-2.0-only */
/* What differs between the kernels knell is built for, and nowhere else. */
#ifndef _KNELL_COMPAT_H
#define _KNELL_COMPAT_H

#include <linux/cgroup.h>
#include <linux/eventpoll.h>
#include <linux/fs.h>
#include <linux/hrtimer.h>
#include <linux/irq_work.h>
#include <linux/magic.h>
#include <linux/sysfs.h>
#include <linux/uio.h>
#include <linux/workqueue.h>
#include <net/genetlink.h>

/* KNELL_HAVE_*: what compat.sh has found. */
#include "compat_have.h"

#ifdef KNELL_HAVE_PANIC_NOTIFIER_H
#include <linux/panic_notifier.h>
#endif

/* 6.13 brought hrtimer_setup(), 6.15 took hrtimer_init() away. */
#ifndef KNELL_HAVE_HRTIMER_SETUP
static inline void hrtimer_setup(struct hrtimer *timer,
				 enum hrtimer_restart (*function)(struct hrtimer *),
				 clockid_t clock, enum hrtimer_mode mode)
{
	hrtimer_init(timer, clock, mode);
	timer->function = function;
}
#endif

/* 5.11 asks whether it is queued by a function. */
#ifndef KNELL_HAVE_IRQ_WORK_IS_PENDING
static inline bool irq_work_is_pending(struct irq_work *work)
{
	return atomic_read(&work->flags) & IRQ_WORK_PENDING;
}
#endif

/* 6.9 moved pidfds from anonymous inodes to a file system of their own. */
#ifndef PID_FS_MAGIC
#define PID_FS_MAGIC	0x50494446
#endif

/* 5.16 let others than FUSE know it. */
#ifndef FUSE_SUPER_MAGIC
#define FUSE_SUPER_MAGIC	0x65735546
#endif

/* 6.0: a piece of user memory without the vector that it is the only one of, @iov otherwise. */
static inline void knell_iter_to_user(struct iov_iter *to, struct iovec *iov, void __user *buf,
				      size_t len)
{
#ifdef KNELL_HAVE_ITER_UBUF
	iov_iter_ubuf(to, ITER_DEST, buf, len);
#else
	*iov = (struct iovec){ .iov_base = buf, .iov_len = len };
	iov_iter_init(to, READ, iov, 1, len);
#endif
}

/* 6.2 and the stable series: a wake that an io_uring caused. */
#ifndef EPOLL_URING_WAKE
#define EPOLL_URING_WAKE	((__force __poll_t)0)
#endif

/*
 * The file that *@file points to, referenced, and NULL if it is on its way out. Who ends it clears
 * that first. 6.7 makes another file of its memory at once, and looks twice.
 */
static inline struct file *knell_get_file_active(struct file **file)
{
#ifdef KNELL_HAVE_GET_FILE_ACTIVE
	return get_file_active(file);
#else
	struct file *active;

	rcu_read_lock();
	active = READ_ONCE(*file);
	if (active && !get_file_rcu(active))
		active = NULL;
	rcu_read_unlock();
	return active;
#endif
}

/* 6.6 gave dumps the struct genl_info that other requests have. */
static inline struct nlattr **knell_dump_attrs(struct netlink_callback *cb)
{
#ifdef KNELL_HAVE_GENL_INFO_DUMP
	return genl_info_dump(cb)->attrs;
#else
	return genl_dumpit_info(cb)->attrs;
#endif
}

/* 6.1 can name the attribute that was not there; before, there is the message alone. */
#ifndef NL_SET_ERR_ATTR_MISS
#define NL_SET_ERR_ATTR_MISS(extack, nest, type)	do { } while (0)
#endif

/* 6.9 tells a family of who is about to join its groups. */
#ifdef KNELL_HAVE_GENL_BIND
#define KNELL_TELLS_GENL_BIND		1
#define KNELL_GENL_BIND(function)	.bind = (function),
#else
#define KNELL_TELLS_GENL_BIND		0
#define KNELL_GENL_BIND(function)
#endif

/* 6.7 and the stable series have groups that not everybody may join. Others get none of ours. */
#ifdef GENL_MCAST_CAP_NET_ADMIN
#define KNELL_MCGRPS			1
#define KNELL_MCGRP_ADMIN(group)	{ .name = (group), .flags = GENL_MCAST_CAP_NET_ADMIN }
#else
#define KNELL_MCGRPS			0
#define KNELL_MCGRP_ADMIN(group)	{ .name = (group) }
#endif

/* 6.16: what a binary attribute's functions are given is constant. */
#ifdef KNELL_HAVE_CONST_BIN_ATTRIBUTE
#define knell_bin_attribute	const struct bin_attribute
#else
#define knell_bin_attribute	struct bin_attribute
#endif

/* 6.17 wants to be told where work is done, which 7.x warns for want of. */
#ifndef KNELL_HAVE_WQ_PERCPU
#define WQ_PERCPU		0
#define system_percpu_wq	system_wq
#define system_dfl_wq		system_unbound_wq
#endif

/* Embedded kernels may have no cgroups. Under RCU. */
static inline u64 knell_cgroup_id(struct task_struct *task)
{
#ifdef CONFIG_CGROUPS
	return cgroup_id(task_dfl_cgroup(task));
#else
	return 0;
#endif
}

#endif /* _KNELL_COMPAT_H */
