/* SPDX-License-Identifier: GPL-2.0-only */
/* A bounded reserve of records, for reports whose number nobody can know beforehand. */
#ifndef _KNELL_RESERVE_H
#define _KNELL_RESERVE_H

#include <linux/types.h>

#include "death.h"
#include "watch.h"

struct pid;

/* Reports of a watch that may wait to be read. */
#define KNELL_RESERVE	256

/**
 * struct knell_killer - who sent a signal
 * @nr: his process in the initial pid namespace
 * @ns_nr: in that of the queue's opener, 0 if it is not visible there
 * @uid: his real uid
 * @sig: the signal, 0 if nobody is known
 * @final: it is the one that the process is dying of
 */
struct knell_killer {
	pid_t nr;
	pid_t ns_nr;
	kuid_t uid;
	u8 sig;
	bool final;
};

/**
 * struct knell_report - a record with what it tells, one of a reserve or a tree's
 * main process's; queue->lock
 * @rec: EXIT or FORK
 * @next: of a reserve's unused ones
 * @pid: whose, referenced
 * @ppid: FORK: who made it, referenced
 * @members: TREE: how many there were, or are left
 * @killer: EXIT
 * @death: EXIT
 */
struct knell_report {
	struct knell_record rec;
	struct knell_report *next;
	struct pid *pid;
	struct pid *ppid;
	u32 members;
	struct knell_killer killer;
	struct knell_death death;
};

/**
 * struct knell_reserve - queue->lock covers it once it is there
 * @reports: all of them, NULL if the watch reports nothing
 * @unused: those that are not pending
 * @lost: the sticky record that says how many found no place
 * @nr_lost: of them nobody has been told
 * @shown: of these a reader is being told
 */
struct knell_reserve {
	struct knell_report *reports;
	struct knell_report *unused;
	struct knell_record lost;
	u32 nr_lost;
	u32 shown;
};

int knell_reserve_init(struct knell_reserve *reserve, struct knell_watch *watch);
void knell_reserve_free(struct knell_reserve *reserve);
size_t knell_reserve_bytes(const struct knell_reserve *reserve);
struct knell_report *knell_reserve_post(struct knell_reserve *reserve, u16 ev, u16 evflags,
					u64 time);
void knell_reserve_fill(struct knell_reserve *reserve, struct knell_record *rec,
			struct knell_event *ev, const struct knell_reader *reader);
void knell_reserve_consume(struct knell_reserve *reserve, struct knell_record *rec);
bool knell_reserve_again(struct knell_reserve *reserve);
void knell_reserve_unpost(struct knell_reserve *reserve);
void knell_report_fill(struct knell_report *report, struct knell_event *ev,
		       const struct knell_reader *reader);
void knell_killer_set(struct knell_killer *killer, int sig, struct pid_namespace *ns);

#endif /* _KNELL_RESERVE_H */
