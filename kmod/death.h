/* SPDX-License-Identifier: GPL-2.0-only */
/* Deaths: when a process is dead for its parent, and what is left of it. */
#ifndef _KNELL_DEATH_H
#define _KNELL_DEATH_H

#include <linux/string.h>
#include <linux/types.h>
#include <linux/uidgid.h>
#include <linux/user_namespace.h>

#include "watch.h"

struct pid;
struct task_struct;

/* What is left of a process, copied when it becomes waitable; times of the host. */
struct knell_death {
	u64 start;
	u64 utime;
	u64 stime;
	u64 maxrss_kb;
	u64 cgroup_id;
	u32 minflt;
	u32 majflt;
	u32 nvcsw;
	u32 nivcsw;
	kuid_t uid;
	s32 status;
	pid_t nr;
};

bool knell_waitable(struct task_struct *task);
struct task_struct *knell_leader(struct pid *pid, bool *dead);
bool knell_same_owner(struct task_struct *task, kuid_t euid);
u16 knell_death_take(struct knell_death *death, struct task_struct *task, struct pid *pid,
		     bool known);

/**
 * knell_uid() - a user as a reader knows him
 * @ns: the reader's. In the initial namespace a kuid is the uid
 * @uid: whom
 */
static inline u32 knell_uid(struct user_namespace *ns, kuid_t uid)
{
	return ns == &init_user_ns ? __kuid_val(uid) : from_kuid_munged(ns, uid);
}

/**
 * knell_death_fill() - an EXIT record's union; pid, members and killer are left 0
 * @death: of whom
 * @ev: the record
 * @reader: for whom
 */
static inline void knell_death_fill(const struct knell_death *death, struct knell_event *ev,
				    const struct knell_reader *reader)
{
	ev->exit.pid = 0;
	ev->exit.status = death->status;
	ev->exit.uid = knell_uid(reader->user_ns, death->uid);
	ev->exit.members = 0;
	ev->exit.start_ns = death->start + reader->mono_offset;
	ev->exit.utime_ns = death->utime;
	ev->exit.stime_ns = death->stime;
	ev->exit.maxrss_kb = death->maxrss_kb;
	ev->exit.minflt = death->minflt;
	ev->exit.majflt = death->majflt;
	ev->exit.nvcsw = death->nvcsw;
	ev->exit.nivcsw = death->nivcsw;
	ev->exit.killer_pid = 0;
	ev->exit.killer_uid = 0;
	ev->exit.cgroup_id = death->cgroup_id;
	memset(ev->exit.reserved, 0, sizeof(ev->exit.reserved));
}

#endif /* _KNELL_DEATH_H */
