// SPDX-License-Identifier: GPL-2.0-only
/*
 * The reserve: a fixed number of records that are there before anything happens.
 * When it is dry the reports that find no place are counted, and one record, the
 * LOST, says how many; it comes before any report that finds a place again.
 */
#include <linux/cred.h>
#include <linux/mm.h>
#include <linux/pid.h>
#include <linux/pid_namespace.h>
#include <linux/sched.h>

#include "observe.h"
#include "queue.h"
#include "quota.h"
#include "reserve.h"

/* What a reserve counts for: its memory, as many watches as that would hold. */
#define KNELL_RESERVE_UNITS	DIV_ROUND_UP(KNELL_RESERVE * sizeof(struct knell_report), \
					     KNELL_WATCH_SIZE)

static struct knell_queue *knell_reserve_queue(struct knell_reserve *reserve)
{
	return reserve->lost.watch->queue;
}

/**
 * knell_reserve_init() - make the records. May sleep
 * @reserve: zeroed
 * @watch: whose
 *
 * Return: 0, -ENOSPC at the user's quota, -ENOMEM
 */
int knell_reserve_init(struct knell_reserve *reserve, struct knell_watch *watch)
{
	struct knell_quota *quota = watch->queue->quota;
	struct knell_report *report;
	int i, err;

	err = knell_quota_charge(quota, KNELL_QUOTA_WATCHES, KNELL_RESERVE_UNITS);
	if (err)
		return err;
	reserve->reports = kvcalloc(KNELL_RESERVE, sizeof(*report), GFP_KERNEL_ACCOUNT);
	if (!reserve->reports) {
		knell_quota_uncharge(quota, KNELL_QUOTA_WATCHES, KNELL_RESERVE_UNITS);
		return -ENOMEM;
	}
	for (i = 0; i < KNELL_RESERVE; i++) {
		report = &reserve->reports[i];
		knell_record_init(&report->rec, watch, 0);
		report->next = reserve->unused;
		reserve->unused = report;
	}
	knell_record_init(&reserve->lost, watch, KNELL_EV_LOST);
	return 0;
}

/**
 * knell_reserve_free() - the watch goes. May sleep
 * @reserve: nothing of it is pending, nothing will be
 */
void knell_reserve_free(struct knell_reserve *reserve)
{
	if (!reserve->reports)
		return;
	kvfree(reserve->reports);
	knell_quota_uncharge(knell_reserve_queue(reserve)->quota, KNELL_QUOTA_WATCHES,
			     KNELL_RESERVE_UNITS);
}

/**
 * knell_reserve_bytes() - what the records take
 * @reserve: of a watch that is there
 */
size_t knell_reserve_bytes(const struct knell_reserve *reserve)
{
	return reserve->reports ? KNELL_RESERVE * sizeof(*reserve->reports) : 0;
}

/* A report that finds no place. */
static void knell_reserve_lose(struct knell_reserve *reserve, u16 evflags, u64 time)
{
	knell_reserve_queue(reserve)->lost++;
	if (reserve->nr_lost != U32_MAX)
		reserve->nr_lost++;
	knell_observe_lost(reserve->lost.watch, reserve->nr_lost);
	reserve->lost.evflags |= evflags;
	if (list_empty(&reserve->lost.node))
		knell_post_record(&reserve->lost, time);
}

/**
 * knell_reserve_post() - a report, or what says that it is missing
 * @reserve: its queue's lock is held
 * @ev: enum knell_ev
 * @evflags: KNELL_EVF_*
 * @time: of the event, CLOCK_MONOTONIC of the host
 *
 * If queue->seq has moved there is a new record: call knell_queue_wake() after
 * the lock.
 *
 * Return: the report, pending, to be filled in before the lock is dropped;
 * NULL if it was lost
 */
struct knell_report *knell_reserve_post(struct knell_reserve *reserve, u16 ev, u16 evflags,
					u64 time)
{
	struct knell_report *report = reserve->unused;

	lockdep_assert_held(&knell_reserve_queue(reserve)->lock);
	if (!report) {
		knell_reserve_lose(reserve, evflags & KNELL_EVF_INEXACT, time);
		return NULL;
	}
	reserve->unused = report->next;
	report->rec.ev = ev;
	report->rec.evflags = evflags;
	knell_post_record(&report->rec, time);
	return report;
}

/**
 * knell_killer_set() - it is current. Any context, also a probe
 * @killer: who it was
 * @sig: what he sent
 * @ns: the pid namespace of the queue's opener
 */
void knell_killer_set(struct knell_killer *killer, int sig, struct pid_namespace *ns)
{
	killer->sig = sig;
	killer->nr = task_tgid_nr(current);
	killer->ns_nr = task_tgid_nr_ns(current, ns);
	killer->uid = current_uid();
}

/*
 * A reader learns the sender's pid if he is in the initial pid namespace or in
 * that of the queue's opener: the sender may have been reaped long ago.
 */
static void knell_killer_fill(const struct knell_killer *killer, struct knell_event *ev,
			      const struct knell_reader *reader, struct pid_namespace *ns)
{
	if (reader->pid_ns == &init_pid_ns)
		ev->exit.killer_pid = killer->nr;
	else if (reader->pid_ns == ns)
		ev->exit.killer_pid = killer->ns_nr;
	ev->exit.killer_uid = knell_uid(reader->user_ns, killer->uid);
}

/**
 * knell_report_fill() - the union of an EXIT or a FORK
 * @report: its queue's lock is held
 * @ev: the record
 * @reader: for whom
 */
void knell_report_fill(struct knell_report *report, struct knell_event *ev,
		       const struct knell_reader *reader)
{
	if (report->rec.ev == KNELL_EV_EXIT) {
		knell_death_fill(&report->death, ev, reader);
		ev->exit.pid = pid_nr_ns(report->pid, reader->pid_ns);
		ev->exit.members = report->members;
		if (report->rec.evflags & KNELL_EVF_KILLER)
			knell_killer_fill(&report->killer, ev, reader,
					  report->rec.watch->queue->pid_ns);
		return;
	}
	memset(ev->raw, 0, sizeof(ev->raw));
	ev->tree.pid = pid_nr_ns(report->pid, reader->pid_ns);
	ev->tree.ppid = pid_nr_ns(report->ppid, reader->pid_ns);
	ev->tree.members = report->members;
}

/**
 * knell_reserve_fill() - the union of one of its records, as in &struct knell_watch_ops
 * @reserve: its queue's lock is held
 * @rec: a report's or the LOST
 * @ev: the record
 * @reader: for whom
 */
void knell_reserve_fill(struct knell_reserve *reserve, struct knell_record *rec,
			struct knell_event *ev, const struct knell_reader *reader)
{
	if (rec != &reserve->lost) {
		knell_report_fill(container_of(rec, struct knell_report, rec), ev, reader);
		return;
	}
	reserve->shown = reserve->nr_lost;
	memset(ev->raw, 0, sizeof(ev->raw));
	ev->tree.lost = reserve->shown;
}

static void knell_report_done(struct knell_reserve *reserve, struct knell_report *report)
{
	put_pid(report->pid);
	put_pid(report->ppid);
	report->pid = NULL;
	report->ppid = NULL;
	report->next = reserve->unused;
	reserve->unused = report;
}

/**
 * knell_reserve_consume() - one of its records has been read
 * @reserve: its queue's lock is held
 * @rec: a report's or the LOST
 */
void knell_reserve_consume(struct knell_reserve *reserve, struct knell_record *rec)
{
	if (rec != &reserve->lost) {
		knell_report_done(reserve, container_of(rec, struct knell_report, rec));
		return;
	}
	reserve->nr_lost -= reserve->shown;
	reserve->shown = 0;
	rec->evflags = 0;
}

/**
 * knell_reserve_again() - tell what was lost while the LOST was on its way
 * @reserve: its queue's lock is held; none of its records is being consumed
 *
 * Return: true if there is a new record
 */
bool knell_reserve_again(struct knell_reserve *reserve)
{
	if (!reserve->nr_lost || !list_empty(&reserve->lost.node))
		return false;
	knell_post_record(&reserve->lost, reserve->lost.time);
	return true;
}

/**
 * knell_reserve_unpost() - the watch goes: take back what is pending
 * @reserve: its queue's lock is held
 */
void knell_reserve_unpost(struct knell_reserve *reserve)
{
	struct knell_report *report;
	int i;

	if (!reserve->reports)
		return;
	knell_unpost_record(&reserve->lost);
	for (i = 0; i < KNELL_RESERVE; i++) {
		report = &reserve->reports[i];
		if (list_empty(&report->rec.node))
			continue;
		knell_unpost_record(&report->rec);
		knell_report_done(reserve, report);
	}
}
