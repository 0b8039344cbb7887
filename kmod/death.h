/* SPDX-License-Identifier: GPL-2.0-only */
/* Deaths: when a process is dead for its parent, and what is left of it. */
#ifndef _KNELL_DEATH_H
#define _KNELL_DEATH_H

#include <linux/types.h>
#include <linux/uidgid.h>

struct knell_event;
struct knell_reader;
struct pid;
struct task_struct;
struct user_namespace;

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
void knell_death_fill(const struct knell_death *death, struct knell_event *ev,
		      const struct knell_reader *reader);
u32 knell_uid(struct user_namespace *ns, kuid_t uid);

#endif /* _KNELL_DEATH_H */
