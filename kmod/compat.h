/* SPDX-License-Identifier: GPL-2.0-only */
/* What differs between the kernels knell is built for, and nowhere else. */
#ifndef _KNELL_COMPAT_H
#define _KNELL_COMPAT_H

#include <linux/cgroup.h>
#include <linux/eventpoll.h>
#include <linux/hrtimer.h>
#include <linux/magic.h>
#include <linux/uio.h>

/* 6.13 brought hrtimer_setup(), 6.15 took hrtimer_init() away; Kbuild looks which it is. */
#ifndef KNELL_HAVE_HRTIMER_SETUP
static inline void hrtimer_setup(struct hrtimer *timer,
				 enum hrtimer_restart (*function)(struct hrtimer *),
				 clockid_t clock, enum hrtimer_mode mode)
{
	hrtimer_init(timer, clock, mode);
	timer->function = function;
}
#endif

/* 6.9 moved pidfds from anonymous inodes to a file system of their own. */
#ifndef PID_FS_MAGIC
#define PID_FS_MAGIC	0x50494446
#endif

/* 6.2 and the stable series: a wake that an io_uring caused. */
#ifndef EPOLL_URING_WAKE
#define EPOLL_URING_WAKE	((__force __poll_t)0)
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
