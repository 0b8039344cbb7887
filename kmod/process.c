// SPDX-License-Identifier: GPL-2.0-only
/*
 * PROCESS: fires once, when its real parent can reap the target.
 *
 * The hook is an entry of our own in the wait queue behind every pidfd, struct
 * pid.wait_pidfd; death.c tells whether a wake means a death.
 */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/dcache.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/pid.h>
#include <linux/pid_namespace.h>
#include <linux/poll.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/wait.h>

#include "compat.h"
#include "death.h"
#include "fork.h"
#include "observe.h"
#include "queue.h"
#include "watch.h"

/**
 * struct knell_process - one process, dead or alive
 * @watch: what all kinds share
 * @wait: in @pid's wait queue while the watch is armed; that queue's lock
 * @pid: target, referenced unless the watch is bare; NULL until OPF_NEXT's
 *	process is born. Set once. A process of the initial pid namespace has
 *	one number, @death.nr, so the reference goes when it dies: @pid then
 *	only tells it from others, as long as it is a zombie
 * @euid: who added it
 * @trusted: at ADD its owner had a right to the status, whatever comes
 * @next: until the child has linked @wait; only with OPF_NEXT
 * @death: from then on; written by the hook before it fires
 */
struct knell_process {
	struct knell_watch watch;
	struct wait_queue_entry wait;
	struct pid *pid;
	kuid_t euid;
	bool trusted;
	union {
		struct knell_next next;
		struct knell_death death;
	};
};

static_assert(sizeof(struct knell_process) <= KNELL_WATCH_SIZE);

/* Records that are looked through at once, with interrupts off. */
#define KNELL_FEW	256

static struct knell_process *to_process(struct knell_watch *watch)
{
	return container_of(watch, struct knell_process, watch);
}

/* NULL if it is not born yet. */
static struct pid *knell_process_target(struct knell_process *process)
{
	/* Pairs with knell_process_born(), which no lock of the queue's covers. */
	return smp_load_acquire(&process->pid);
}

/*
 * Under RCU, which holds @pid while @task is in its list: the reference can go
 * here and is never the last, so that no reader has to free what a reaper left.
 */
static void knell_process_fire(struct knell_process *process, struct task_struct *task)
{
	struct knell_death *death = &process->death;
	struct knell_queue *queue = process->watch.queue;
	struct pid *pid = process->pid;
	u64 now = ktime_get_ns();
	unsigned long flags;
	bool wake;

	process->watch.rec.evflags =
		knell_death_take(death, task, pid,
				 process->trusted || knell_same_owner(task, process->euid));
	spin_lock_irqsave(&queue->lock, flags);
	wake = knell_post(&process->watch, now);
	if (wake) {
		process->watch.bare = !pid->level;
		knell_observe_death(&process->watch.rec, task, death);
	}
	spin_unlock_irqrestore(&queue->lock, flags);
	if (!wake)
		return;
	if (!pid->level)
		put_pid(pid);
	knell_queue_wake(queue);
}

static int knell_process_wake(struct wait_queue_entry *wait, unsigned int mode, int sync, void *key)
{
	struct knell_process *process = container_of(wait, struct knell_process, wait);
	struct task_struct *task;
	bool dead;

	rcu_read_lock();
	/* Not a task kept from before: exec by another thread changes the leader. */
	task = knell_leader(process->pid, &dead);
	if (dead) {
		/* First: once it has fired a reader may recycle it. */
		list_del_init(&wait->entry);
		knell_queue_told(process->watch.queue, task);
		knell_process_fire(process, task);
	}
	rcu_read_unlock();
	return 0;
}

/* The watch in @queue that waits for @pid, if one is linked. */
static bool knell_process_linked(struct knell_queue *queue, struct pid *pid)
{
	struct wait_queue_entry *wait;
	struct knell_process *process;

	lockdep_assert_held(&pid->wait_pidfd.lock);
	list_for_each_entry(wait, &pid->wait_pidfd.head, entry) {
		if (wait->func != knell_process_wake)
			continue;
		process = container_of(wait, struct knell_process, wait);
		if (process->watch.queue == queue)
			return true;
	}
	return false;
}

/* Is @process for @pid, whose task was made at @start? */
static bool knell_process_is(struct knell_process *process, struct pid *pid, u64 start)
{
	bool is;

	spin_lock_irq(&process->watch.queue->lock);
	is = knell_process_target(process) == pid &&
	     (!process->watch.rec.seq || process->death.start == start);
	spin_unlock_irq(&process->watch.queue->lock);
	return is;
}

/* As knell_process_linked(), with those that have fired or whose child is still on its way. */
static bool knell_process_known(struct knell_queue *queue, struct pid *pid, u64 start, u32 but)
{
	struct knell_watch *watch;
	u32 slot = 0;

	lockdep_assert_held(&queue->mutex);
	while ((watch = knell_watch_next(queue, &slot)))
		if (watch->ops == &knell_process_ops && watch->handle != but &&
		    knell_process_is(to_process(watch), pid, start))
			return true;
	return false;
}

static bool knell_process_among(struct list_head *records, struct pid *pid, u64 start)
{
	struct knell_process *process;
	struct knell_record *rec;

	list_for_each_entry(rec, records, node) {
		process = to_process(rec->watch);
		if (rec->watch->ops == &knell_process_ops && process->pid == pid &&
		    process->death.start == start)
			return true;
	}
	return false;
}

/* As knell_process_linked(), with those that have fired: few are, of however many watches. */
static bool knell_process_told(struct knell_queue *queue, struct pid *pid, u64 start, u32 but)
{
	bool found, few;

	spin_lock_irq(&queue->lock);
	few = queue->pending + queue->unacked <= KNELL_FEW;
	found = few && (knell_process_among(&queue->ready, pid, start) ||
			knell_process_among(&queue->reading, pid, start) ||
			knell_process_among(&queue->delivered, pid, start));
	spin_unlock_irq(&queue->lock);
	return found || (!few && knell_process_known(queue, pid, start, but));
}

/*
 * Arms the watch, unless the target is dead. Under the wait queue's lock, that
 * every notifier takes after it has set exit_state: either its state is seen
 * here, or the notifier finds the entry.
 */
static int knell_process_link(struct knell_process *process, bool *dead)
{
	struct wait_queue_head *head = &process->pid->wait_pidfd;
	struct knell_queue *queue = process->watch.queue;
	struct task_struct *task;
	int err = 0;

	spin_lock_irq(&head->lock);
	rcu_read_lock();
	task = knell_leader(process->pid, dead);
	if (!task)
		err = -ESRCH;
	else if (knell_process_linked(queue, process->pid))
		err = -EEXIST;
	else if (!*dead)
		__add_wait_queue(head, &process->wait);
	spin_lock(&queue->lock);
	if (!err)
		process->watch.state = KNELL_ARMED;
	spin_unlock(&queue->lock);
	rcu_read_unlock();
	spin_unlock_irq(&head->lock);
	return err;
}

/* Dead before it was linked: fires now, unless it has been reaped. -EAGAIN: it lives after all. */
static int knell_process_late(struct knell_process *process, u64 start)
{
	struct task_struct *task;
	bool dead;
	int err = 0;

	/* An armed watch would have been linked, one that has fired is not. */
	if (knell_process_told(process->watch.queue, process->pid, start, process->watch.handle))
		return -EEXIST;
	rcu_read_lock();
	task = knell_leader(process->pid, &dead);
	if (!task)
		err = -ESRCH;
	else if (!dead)
		err = -EAGAIN;
	else
		knell_process_fire(process, task);
	rcu_read_unlock();
	return err;
}

/* May current's owner know how @task ends, whoever it is by then? */
static bool knell_process_may_know(struct task_struct *task)
{
	return same_thread_group(rcu_dereference(task->real_parent), current) ||
	       ns_capable_noaudit(__task_cred(task)->user_ns, CAP_SYS_PTRACE);
}

/* What can be said of the target before it is linked. */
static int knell_process_check(struct knell_process *process, u64 *start)
{
	struct knell_queue *queue = process->watch.queue;
	struct task_struct *task;
	int err = 0;

	rcu_read_lock();
	task = pid_task(process->pid, PIDTYPE_TGID);
	if (!task)
		err = pid_task(process->pid, PIDTYPE_PID) ? -EINVAL : -ESRCH;
	/* The task itself changes other bits meanwhile; this one never does. */
	else if (data_race(task->flags) & PF_KTHREAD)
		err = -EPERM;
	else
		process->trusted |= knell_process_may_know(task);
	/* execve(2) by another thread gives it the old leader's, which is the same process's. */
	*start = task ? data_race(task->start_time) : 0;
	rcu_read_unlock();
	if (!err && atomic_read(&queue->newborn) &&
	    knell_process_known(queue, process->pid, *start, process->watch.handle))
		err = -EEXIST;
	return err;
}

struct knell_pidfd_poll {
	poll_table table;
	struct wait_queue_head *head;
};

static void knell_pidfd_queue(struct file *file, struct wait_queue_head *head, poll_table *table)
{
	container_of(table, struct knell_pidfd_poll, table)->head = head;
}

static bool knell_is_pidfd(const struct file *file)
{
	unsigned long magic = file_inode(file)->i_sb->s_magic;

	return magic == PID_FS_MAGIC ||
	       (magic == ANON_INODE_FS_MAGIC &&
		!strcmp(file->f_path.dentry->d_name.name, "[pidfd]"));
}

/* pidfd_pid() is not for modules: ask the file's poll which wait queue it waits on. */
static struct pid *knell_pidfd_pid(int fd)
{
	struct knell_pidfd_poll poll = {};
	struct pid *pid = ERR_PTR(-EBADF);
	struct file *file = fget(fd);

	if (!file)
		return pid;
	if (knell_is_pidfd(file)) {
		init_poll_funcptr(&poll.table, knell_pidfd_queue);
		vfs_poll(file, &poll.table);
		if (poll.head)
			pid = get_pid(container_of(poll.head, struct pid, wait_pidfd));
	}
	fput(file);
	return pid;
}

/* In fork, by the parent: KILL works from here on. */
static void knell_process_born(struct knell_next *next, struct pid *child)
{
	struct knell_process *process = container_of(next, struct knell_process, next);

	atomic_inc(&process->watch.queue->newborn);
	/* Pairs with knell_process_target(). */
	smp_store_release(&process->pid, get_pid(child));
}

/* By the child, alive and not watched by this queue before. */
static void knell_process_enrol(struct knell_next *next)
{
	struct knell_process *process = container_of(next, struct knell_process, next);
	struct wait_queue_head *head = &process->pid->wait_pidfd;
	struct knell_queue *queue = process->watch.queue;

	spin_lock_irq(&head->lock);
	spin_lock(&queue->lock);
	if (process->watch.state == KNELL_ARMED)
		__add_wait_queue(head, &process->wait);
	spin_unlock(&queue->lock);
	spin_unlock_irq(&head->lock);
	atomic_dec(&queue->newborn);
	knell_watch_put(&process->watch);
	knell_queue_put(queue);
}

static int knell_process_add_next(struct knell_process *process)
{
	struct knell_queue *queue = process->watch.queue;
	int err;

	process->trusted = true;
	process->next.born = knell_process_born;
	process->next.enrol = knell_process_enrol;
	process->watch.state = KNELL_ARMED;
	/* The child's, until it has linked itself. */
	refcount_inc(&process->watch.refs);
	kref_get(&queue->refs);
	err = knell_next_arm(&process->next);
	if (!err)
		return 0;
	process->watch.state = KNELL_DEAD;
	knell_queue_put(queue);
	knell_watch_put(&process->watch);
	return err;
}

static struct pid *knell_process_pid_of(const struct knell_op *op)
{
	struct pid *pid;

	switch (op->flags & (KNELL_OPF_SELF | KNELL_OPF_PIDFD)) {
	case 0:
		if (op->process.pid <= 0 || op->process.pidfd)
			return ERR_PTR(-EINVAL);
		pid = find_get_pid(op->process.pid);
		return pid ?: ERR_PTR(-ESRCH);
	case KNELL_OPF_PIDFD:
		if (op->process.pid)
			return ERR_PTR(-EINVAL);
		return knell_pidfd_pid(op->process.pidfd);
	case KNELL_OPF_SELF:
		if (op->process.pid || op->process.pidfd)
			return ERR_PTR(-EINVAL);
		return get_pid(task_tgid(current));
	default:
		return ERR_PTR(-EINVAL);
	}
}

static int knell_process_add(struct knell_watch *watch, const struct knell_op *op)
{
	struct knell_process *process = to_process(watch);
	struct pid *pid;
	bool dead;
	u64 start;
	int err;

	init_waitqueue_func_entry(&process->wait, knell_process_wake);
	INIT_LIST_HEAD(&process->wait.entry);
	process->euid = current_euid();
	if (op->flags & KNELL_OPF_NEXT) {
		if (op->flags & (KNELL_OPF_SELF | KNELL_OPF_PIDFD) ||
		    op->process.pid || op->process.pidfd)
			return -EINVAL;
		return knell_process_add_next(process);
	}
	pid = knell_process_pid_of(op);
	if (IS_ERR(pid))
		return PTR_ERR(pid);
	process->pid = pid;
	process->trusted = op->flags & KNELL_OPF_SELF;
	err = knell_process_check(process, &start);
	if (err)
		return err;
	do {
		err = knell_process_link(process, &dead);
		if (!err && dead)
			err = knell_process_late(process, start);
	} while (err == -EAGAIN);
	return err;
}

/* rights and errors of kill(2), but by identity */
static int knell_process_kill(struct knell_watch *watch, int sig)
{
	struct pid *pid = knell_process_target(to_process(watch));
	int err = -ESRCH;

	/* If it dies now, RCU holds the pid that the hook lets go. */
	rcu_read_lock();
	/* One byte, without the lock. */
	if (data_race(READ_ONCE(watch->state)) == KNELL_ARMED && pid)
		err = pid_vnr(pid) ? kill_pid(pid, sig, 0) : -EPERM;
	rcu_read_unlock();
	return err;
}

/* 0 if it is not visible in @ns, or not yet born. */
static pid_t knell_process_pid(struct knell_watch *watch, struct pid_namespace *ns)
{
	struct knell_process *process = to_process(watch);
	struct pid *pid = knell_process_target(process);

	lockdep_assert_held(&watch->queue->lock);
	if (watch->bare)
		return ns == &init_pid_ns ? process->death.nr : 0;
	return pid ? pid_nr_ns(pid, ns) : 0;
}

/* While it is armed the watch has a reference. */
static struct pid *knell_process_alive(struct knell_watch *watch)
{
	return watch->state == KNELL_ARMED ? knell_process_target(to_process(watch)) : NULL;
}

static void knell_process_fill(struct knell_watch *watch, struct knell_record *rec,
			       struct knell_event *ev, const struct knell_reader *reader)
{
	struct knell_death *death = &to_process(watch)->death;

	knell_death_fill(death, ev, reader);
	ev->exit.pid = knell_process_pid(watch, reader->pid_ns);
}

/*
 * A watch without a pid waits for its process to be born, and @next is valid;
 * DEAD by now, it will not be linked. One that has fired took itself out of the
 * wait queue; for the others its lock waits for a hook under way.
 */
static void knell_process_release(struct knell_watch *watch)
{
	struct knell_process *process = to_process(watch);
	struct knell_queue *queue = watch->queue;

	if (!knell_process_target(process) && process->next.parent &&
	    knell_next_disarm(&process->next)) {
		refcount_dec(&watch->refs);
		knell_queue_put(queue);
	}
	if (!process->pid)
		return;
	if (!watch->rec.seq)
		remove_wait_queue(&process->pid->wait_pidfd, &process->wait);
	put_pid(process->pid);
}

const struct knell_watch_ops knell_process_ops = {
	.type = KNELL_PROCESS,
	.name = "process",
	.ev = KNELL_EV_EXIT,
	.add_flags = KNELL_OPF_NEXT | KNELL_OPF_SELF | KNELL_OPF_PIDFD | KNELL_OPF_ACK |
		     KNELL_OPF_WAKEUP,
	.add_size = sizeof_field(struct knell_op, process),
	.keeps = true,
	.add = knell_process_add,
	.kill = knell_process_kill,
	.fill = knell_process_fill,
	.release = knell_process_release,
	.pid = knell_process_pid,
	.target = knell_process_alive,
};
