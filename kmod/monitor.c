// SPDX-License-Identifier: GPL-2.0-only
/*
 * The monitor: what happens, multicast as it happens.
 *
 * A hook may not send: it leaves a note, in one of two books that were there
 * before. A worker takes the book that is being written, gives the other one to
 * the hooks, and sends what is in the first. When a book is full the notes that
 * find no place are counted, and after those that did one LOST says how many.
 */
#include <linux/cred.h>
#include <linux/irq_work.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/pid.h>
#include <linux/sched.h>
#include <linux/spinlock.h>
#include <linux/user_namespace.h>
#include <linux/workqueue.h>

#include <linux/knell_netlink.h>

#include "keep.h"
#include "monitor.h"
#include "netlink.h"
#include "observe.h"
#include "queue.h"

/* What happens until the worker runs. */
#define KNELL_NOTES	256

/**
 * struct knell_note - something that has happened; what does not apply is 0
 * @queue: id of the queue that tells of it
 * @token: the watch's
 * @time: when, CLOCK_MONOTONIC of the host
 * @cpu: time that the process has used
 * @watch: handle
 * @pid: in the initial namespace
 * @uid: of that process
 * @status: wait(2)'s
 * @members: left
 * @kind: enum knell_type
 * @flags: KNELL_EVF_*
 * @cmd: KNELL_CMD_*
 * @comm: that process's name, "" if it is not known
 * @text: KEEP and ATTACH: the queue's name; else the watch's label
 */
struct knell_note {
	u64 queue;
	u64 token;
	u64 time;
	u64 cpu;
	u32 watch;
	pid_t pid;
	kuid_t uid;
	s32 status;
	u32 members;
	u16 kind;
	u16 flags;
	u8 cmd;
	char comm[TASK_COMM_LEN];
	char text[sizeof_field(struct knell_name, name)];
};

struct knell_book {
	u32 nr;
	u32 lost;
	struct knell_note note[KNELL_NOTES];
};

DEFINE_STATIC_KEY_FALSE(knell_monitor_used);

/*
 * covers which book is written, and what is in it; the other one is the worker's.
 * Innermost, inside any queue->lock
 */
static DEFINE_SPINLOCK(knell_monitor_lock);
static struct knell_book *knell_book;
static struct knell_book *knell_books;

/* How many were lost, if that could not be told yet. The worker's */
static u32 knell_monitor_untold;

/**
 * knell_monitor_heard() - has the group a member? Any context
 */
bool knell_monitor_heard(void)
{
	return KNELL_MCGRPS && genl_has_listeners(&knell_nl_family, &init_net, 0);
}

/**
 * knell_monitor_bind() - somebody is about to join the group. May sleep
 * @group: the only one
 *
 * Who leaves need not be one who has joined: it stays on.
 *
 * Return: 0
 */
int knell_monitor_bind(int group)
{
	static_branch_enable(&knell_monitor_used);
	return 0;
}

static int knell_put_whose(struct sk_buff *skb, const struct knell_note *note, const char *name)
{
	if (nla_put_u64_64bit(skb, KNELL_A_EVENT_QUEUE, note->queue, KNELL_A_EVENT_PAD) ||
	    (name[0] && nla_put_string(skb, KNELL_A_EVENT_NAME, name)) ||
	    nla_put_u32(skb, KNELL_A_EVENT_PID, note->pid) ||
	    (note->comm[0] && nla_put_string(skb, KNELL_A_EVENT_COMM, note->comm)) ||
	    nla_put_u64_64bit(skb, KNELL_A_EVENT_TIME_NS, note->time, KNELL_A_EVENT_PAD))
		return -EMSGSIZE;
	if (note->cmd == KNELL_CMD_EMPTY)
		return 0;
	return nla_put_u32(skb, KNELL_A_EVENT_UID, from_kuid_munged(&init_user_ns, note->uid));
}

static int knell_put_watch(struct sk_buff *skb, const struct knell_note *note)
{
	if (nla_put_u32(skb, KNELL_A_EVENT_WATCH, note->watch) ||
	    nla_put_u32(skb, KNELL_A_EVENT_KIND, note->kind) ||
	    (note->kind == KNELL_TREE && nla_put_string(skb, KNELL_A_EVENT_LABEL, note->text)) ||
	    nla_put_u64_64bit(skb, KNELL_A_EVENT_TOKEN, note->token, KNELL_A_EVENT_PAD))
		return -EMSGSIZE;
	return 0;
}

static int knell_put_exit(struct sk_buff *skb, const struct knell_note *note)
{
	if (nla_put_u32(skb, KNELL_A_EVENT_FLAGS, note->flags) ||
	    nla_put_u32(skb, KNELL_A_EVENT_STATUS, note->status) ||
	    nla_put_u64_64bit(skb, KNELL_A_EVENT_CPU_NS, note->cpu, KNELL_A_EVENT_PAD) ||
	    (note->kind == KNELL_TREE &&
	     nla_put_u32(skb, KNELL_A_EVENT_MEMBERS, note->members)))
		return -EMSGSIZE;
	return 0;
}

/* By what the queue is kept, now; "" if it is not, or is gone. May sleep. */
static void knell_name_of(u64 id, char *name)
{
	struct knell_queue *queue = knell_queue_find(id);
	struct knell_kept kept;

	name[0] = 0;
	if (!queue)
		return;
	mutex_lock(&queue->mutex);
	if (knell_keep_describe(queue, &kept)) {
		strscpy(name, kept.name, sizeof(kept.name));
		put_pid(kept.holder);
	}
	mutex_unlock(&queue->mutex);
	knell_queue_put(queue);
}

static int knell_put_note(struct sk_buff *skb, const struct knell_note *note)
{
	char name[sizeof(note->text)];
	int err;

	if (note->cmd == KNELL_CMD_KEEP || note->cmd == KNELL_CMD_ATTACH)
		return knell_put_whose(skb, note, note->text);
	knell_name_of(note->queue, name);
	err = knell_put_whose(skb, note, name) ?: knell_put_watch(skb, note);
	if (!err && note->cmd == KNELL_CMD_EXIT)
		err = knell_put_exit(skb, note);
	return err;
}

static int knell_put_lost(struct sk_buff *skb, u32 lost)
{
	return nla_put_u32(skb, KNELL_A_EVENT_LOST, lost) ||
	       nla_put_u64_64bit(skb, KNELL_A_EVENT_TIME_NS, ktime_get_ns(),
				 KNELL_A_EVENT_PAD) ? -EMSGSIZE : 0;
}

/* A note, or without one what was lost: true if it could be told. May sleep. */
static bool knell_monitor_send(const struct knell_note *note, u32 lost)
{
	struct sk_buff *skb = genlmsg_new(GENLMSG_DEFAULT_SIZE, GFP_KERNEL);
	void *hdr;

	if (!skb)
		return false;
	hdr = genlmsg_put(skb, 0, 0, &knell_nl_family, 0, note ? note->cmd : KNELL_CMD_LOST);
	if (!hdr || (note ? knell_put_note(skb, note) : knell_put_lost(skb, lost))) {
		nlmsg_free(skb);
		return false;
	}
	genlmsg_end(skb, hdr);
	/* Who listens hears of what he could not take from his own socket. */
	genlmsg_multicast(&knell_nl_family, skb, 0, 0, GFP_KERNEL);
	return true;
}

/* The book that was being written, if there is anything in it. */
static struct knell_book *knell_monitor_turn(void)
{
	struct knell_book *book;

	spin_lock_irq(&knell_monitor_lock);
	book = knell_book;
	if (book->nr)
		knell_book = book == knell_books ? knell_books + 1 : knell_books;
	else
		book = NULL;
	spin_unlock_irq(&knell_monitor_lock);
	return book;
}

static void knell_monitor_work(struct work_struct *work)
{
	struct knell_book *book;
	u32 i;

	while ((book = knell_monitor_turn())) {
		for (i = 0; i < book->nr; i++) {
			if (!knell_monitor_send(&book->note[i], 0))
				book->lost++;
			cond_resched();
		}
		knell_monitor_untold += book->lost;
		if (knell_monitor_untold && knell_monitor_send(NULL, knell_monitor_untold))
			knell_monitor_untold = 0;
		book->lost = 0;
		book->nr = 0;
	}
}

static DECLARE_WORK(knell_monitor_worker, knell_monitor_work);

static void knell_monitor_kick(struct irq_work *work)
{
	queue_work(system_dfl_wq, &knell_monitor_worker);
}

/* Outside of the locks that hooks are called with. */
static DEFINE_IRQ_WORK(knell_monitor_kicker, knell_monitor_kick);

static void knell_monitor_note(const struct knell_note *note)
{
	struct knell_book *book;
	unsigned long flags;

	spin_lock_irqsave(&knell_monitor_lock, flags);
	book = knell_book;
	if (book->nr < KNELL_NOTES)
		book->note[book->nr++] = *note;
	else
		book->lost++;
	spin_unlock_irqrestore(&knell_monitor_lock, flags);
	irq_work_queue(&knell_monitor_kicker);
}

/**
 * knell_monitor_exit() - somebody has died
 * @exit: as for knell_observe_exit()
 */
void knell_monitor_exit(const struct knell_exit *exit)
{
	const struct knell_watch *watch = exit->rec->watch;
	struct knell_note note = {
		.cmd = KNELL_CMD_EXIT,
		.queue = watch->queue->id,
		.watch = watch->handle,
		.kind = watch->ops->type,
		.token = watch->token,
		.time = exit->rec->time,
		.cpu = exit->death->utime + exit->death->stime,
		.pid = exit->death->nr,
		.uid = exit->death->uid,
		.status = exit->death->status,
		.members = exit->members,
		.flags = exit->rec->evflags,
	};

	memcpy(note.comm, exit->task->comm, sizeof(note.comm));
	strscpy(note.text, exit->label, sizeof(note.text));
	knell_monitor_note(&note);
}

/**
 * knell_monitor_empty() - the last member of a tree has gone
 * @rec: the EMPTY; as for knell_observe_fire()
 */
void knell_monitor_empty(const struct knell_record *rec)
{
	struct knell_watch *watch = rec->watch;
	struct knell_note note = {
		.cmd = KNELL_CMD_EMPTY,
		.queue = watch->queue->id,
		.watch = watch->handle,
		.kind = watch->ops->type,
		.token = watch->token,
		.time = rec->time,
		.pid = watch->ops->pid(watch, &init_pid_ns),
	};

	strscpy(note.text, watch->ops->label(watch), sizeof(note.text));
	knell_monitor_note(&note);
}

static void knell_monitor_holder(u8 cmd, const struct knell_queue *queue, const char *name)
{
	struct knell_note note = {
		.cmd = cmd,
		.queue = queue->id,
		.time = ktime_get_ns(),
		.pid = task_tgid_nr(current),
		.uid = current_uid(),
	};

	get_task_comm(note.comm, current->group_leader);
	strscpy(note.text, name, sizeof(note.text));
	knell_monitor_note(&note);
}

/**
 * knell_monitor_keep() - a queue is kept, by current
 * @queue: as for knell_observe_keep()
 * @name: its
 */
void knell_monitor_keep(const struct knell_queue *queue, const char *name)
{
	knell_monitor_holder(KNELL_CMD_KEEP, queue, name);
}

/**
 * knell_monitor_attach() - a kept queue has a new holder, current
 * @queue: as for knell_observe_attach()
 * @name: its
 */
void knell_monitor_attach(const struct knell_queue *queue, const char *name)
{
	knell_monitor_holder(KNELL_CMD_ATTACH, queue, name);
}

/**
 * knell_monitor_start() - make the books. May sleep
 *
 * Return: 0, -ENOMEM
 */
int __init knell_monitor_start(void)
{
	knell_books = kvcalloc(2, sizeof(*knell_books), GFP_KERNEL);
	knell_book = knell_books;
	return knell_books ? 0 : -ENOMEM;
}

/**
 * knell_monitor_stop() - nothing happens any more. May sleep
 */
void knell_monitor_stop(void)
{
	irq_work_sync(&knell_monitor_kicker);
	cancel_work_sync(&knell_monitor_worker);
	kvfree(knell_books);
}
