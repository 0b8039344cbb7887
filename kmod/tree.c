// SPDX-License-Identifier: GPL-2.0-only
/*
 * TREE: a process and all that it forks. member.c knows who is in it; here is
 * what its watch tells: EXIT of the first member, EMPTY when the last is gone,
 * reports of the others; and who may join and who is killed.
 */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/pid.h>
#include <linux/pid_namespace.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/user_namespace.h>

#include "compat.h"
#include "fork.h"
#include "member.h"
#include "observe.h"
#include "probe.h"
#include "queue.h"
#include "quota.h"
#include "tree.h"

/**
 * struct knell_tree_watch - a tree as its queue knows it
 * @watch: what all kinds share; its own record is the EMPTY
 * @tree: referenced
 */
struct knell_tree_watch {
	struct knell_watch watch;
	struct knell_tree *tree;
};

static_assert(sizeof(struct knell_tree_watch) <= KNELL_WATCH_SIZE);

/**
 * struct knell_join - a thread's next process is to be a member
 * @next: until the child has settled
 * @member: to be, on its way; holds @member->tree
 * @link: in the tree's joins; knell_join_lock
 * @rcu: DEL may look at it while the child frees it
 */
struct knell_join {
	struct knell_next next;
	struct knell_member *member;
	struct list_head link;
	struct rcu_head rcu;
};

/* covers the joins of all trees. Innermost */
static DEFINE_SPINLOCK(knell_join_lock);

/* Its own, so that knell_tree_exit() can wait for what is in it. */
static struct workqueue_struct *knell_tree_wq;

/* What a tree counts for beside its watch. */
#define KNELL_TREE_UNITS	DIV_ROUND_UP(sizeof(struct knell_tree), KNELL_WATCH_SIZE)

static struct knell_tree *to_tree(struct knell_watch *watch)
{
	return container_of(watch, struct knell_tree_watch, watch)->tree;
}

static void knell_tree_free(struct knell_tree *tree)
{
	bool pins = tree->pins;

	put_pid(tree->main);
	knell_doom_free(tree);
	if (tree->trusted_ns)
		put_user_ns(tree->trusted_ns);
	knell_probes_put();
	knell_quota_uncharge(tree->queue->quota, KNELL_QUOTA_WATCHES, KNELL_TREE_UNITS);
	knell_queue_put(tree->queue);
	kfree_rcu(tree, rcu);
	if (pins)
		module_put(THIS_MODULE);
}

static void knell_tree_work(struct work_struct *work)
{
	knell_tree_free(container_of(work, struct knell_tree, work));
}

/**
 * knell_tree_linger() - a member holds the tree and the module after DEL
 * @tree: referenced by the caller, who is under knell_member_lock
 */
void knell_tree_linger(struct knell_tree *tree)
{
	refcount_inc(&tree->refs);
	if (!tree->pins)
		__module_get(THIS_MODULE);
	tree->pins = true;
}

/**
 * knell_tree_put_atomic() - knell_tree_put() in a hook
 * @tree: may be gone after it
 */
void knell_tree_put_atomic(struct knell_tree *tree)
{
	if (refcount_dec_and_test(&tree->refs))
		queue_work(knell_tree_wq, &tree->work);
}

/**
 * knell_tree_put() - let go of a reference. May sleep
 * @tree: may be gone after it
 */
void knell_tree_put(struct knell_tree *tree)
{
	if (refcount_dec_and_test(&tree->refs))
		knell_tree_free(tree);
}

/**
 * knell_tree_enter() - a member more. Any context
 * @tree: referenced
 * @first: whether it is the main process
 *
 * Return: false if the last one has left
 */
bool knell_tree_enter(struct knell_tree *tree, bool *first)
{
	int nr = atomic_read(&tree->nr);

	do {
		if (nr == KNELL_TREE_ENDED)
			return false;
	} while (!atomic_try_cmpxchg(&tree->nr, &nr, nr + 1));
	*first = !nr;
	return true;
}

/* A member less; how many are left. */
static unsigned int knell_tree_leave(struct knell_tree *tree)
{
	int nr = atomic_read(&tree->nr);

	do {
		if (WARN_ON_ONCE(nr < 1))
			return 1;
	} while (!atomic_try_cmpxchg(&tree->nr, &nr, nr > 1 ? nr - 1 : KNELL_TREE_ENDED));
	return nr - 1;
}

static u16 knell_tree_evflags(struct knell_tree *tree)
{
	return READ_ONCE(tree->inexact) ? KNELL_EVF_INEXACT : 0;
}

/* May the tree's owner know how @task ended, though it is not the main process? */
static bool knell_tree_may_know(struct knell_tree *tree, struct task_struct *task)
{
	struct user_namespace *ns;

	if (knell_same_owner(task, tree->euid))
		return true;
	if (!tree->trusted_ns)
		return false;
	for (ns = __task_cred(task)->user_ns; ns; ns = ns->parent)
		if (ns == tree->trusted_ns)
			return true;
	return false;
}

/* The main process's has a place of its own; of the others' NULL if it was lost. */
static struct knell_report *knell_tree_post_exit(struct knell_member *member, u16 evflags, u64 now)
{
	struct knell_tree *tree = member->tree;

	lockdep_assert_held(&tree->queue->lock);
	if (!member->main)
		return knell_reserve_post(&tree->reserve, KNELL_EV_EXIT, evflags, now);
	tree->exit.rec.evflags = evflags | KNELL_EVF_MAIN;
	knell_post_record(&tree->exit.rec, now);
	return &tree->exit;
}

/* Returns false if it was lost. */
static bool knell_tree_report_exit(struct knell_member *member, const struct knell_death *death,
				   const struct task_struct *task, u16 evflags,
				   unsigned int left, u64 now)
{
	struct knell_report *report = knell_tree_post_exit(member, evflags, now);

	if (!report)
		return false;
	report->pid = member->main ? member->pid : get_pid(member->pid);
	report->members = left;
	report->killer = member->killer;
	report->death = *death;
	knell_observe_exit(&report->rec, task, &report->death, &report->killer, member->tree->label,
			   left);
	return true;
}

/* Who sent the signal that it died of, if that can be told at all. */
static u16 knell_member_killed(const struct knell_member *member, const struct knell_death *death,
			       u16 evflags)
{
	int sig = death->status & 0x7f;

	if (evflags & KNELL_EVF_NOSTATUS || !sig || sig != member->killer.sig)
		return evflags;
	return evflags | KNELL_EVF_KILLER;
}

/**
 * knell_tree_exited() - a member's parent can reap it. In the hook of its death
 * @member: settled before; its tree may have been DELed since
 * @task: its leader; under RCU
 */
void knell_tree_exited(struct knell_member *member, struct task_struct *task)
{
	struct knell_tree *tree = member->tree;
	struct knell_queue *queue = tree->queue;
	struct knell_watch *watch;
	struct knell_death death;
	u64 now = ktime_get_ns();
	bool told = false;
	unsigned long flags;
	unsigned int left;
	u16 evflags;
	bool wake;
	u64 seq;

	evflags = knell_death_take(&death, task, member->pid,
				   member->main || knell_tree_may_know(tree, task));
	evflags = knell_member_killed(member, &death, evflags) | knell_tree_evflags(tree);
	spin_lock_irqsave(&queue->lock, flags);
	left = knell_tree_leave(tree);
	watch = tree->watch;
	seq = queue->seq;
	if (watch) {
		if (member->main || watch->flags & KNELL_OPF_REPORT_EXIT)
			told = knell_tree_report_exit(member, &death, task, evflags, left, now);
		if (!left) {
			watch->rec.evflags = knell_tree_evflags(tree);
			knell_post(watch, now);
		}
	}
	/* Most members die without a record, or one more is lost. */
	wake = queue->seq != seq;
	spin_unlock_irqrestore(&queue->lock, flags);
	if (!wake)
		return;
	if (told)
		knell_queue_told(queue, task);
	knell_queue_wake(queue);
}

/**
 * knell_tree_forked() - a member has made another one
 * @member: the child, current; it is on its way
 */
void knell_tree_forked(struct knell_member *member)
{
	struct knell_tree *tree = member->tree;
	struct knell_queue *queue = tree->queue;
	struct knell_report *report;
	bool wake;
	u64 seq;

	spin_lock_irq(&queue->lock);
	seq = queue->seq;
	if (tree->watch && tree->watch->flags & KNELL_OPF_REPORT_FORK) {
		report = knell_reserve_post(&tree->reserve, KNELL_EV_FORK,
					    knell_tree_evflags(tree), current->start_time);
		if (report) {
			report->pid = get_pid(member->pid);
			report->ppid = get_pid(member->parent);
			report->members = atomic_read(&tree->nr);
		}
	}
	wake = queue->seq != seq;
	spin_unlock_irq(&queue->lock);
	if (wake)
		knell_queue_wake(queue);
}

static int knell_tree_signal(struct knell_tree *tree, int sig, struct pid_namespace *ns)
{
	if (sig == SIGKILL)
		knell_doom_add(tree, ns);
	return knell_member_signal_all(tree, sig, ns);
}

static int knell_tree_kill(struct knell_watch *watch, int sig)
{
	return knell_tree_signal(to_tree(watch), sig, task_active_pid_ns(current));
}

/* Whoever closes it last may have fewer rights than who opened it, or more. */
static void knell_tree_close(struct knell_watch *watch)
{
	struct knell_queue *queue = watch->queue;
	const struct cred *own;

	if (!(watch->flags & KNELL_OPF_KILL_ON_CLOSE))
		return;
	own = override_creds(queue->cred);
	knell_tree_signal(to_tree(watch), SIGKILL, queue->pid_ns);
	revert_creds(own);
}

static bool knell_tree_open(struct knell_tree *tree)
{
	bool open;

	spin_lock_irq(&tree->queue->lock);
	open = atomic_read(&tree->nr) != KNELL_TREE_ENDED && !tree->doom[0].cred;
	spin_unlock_irq(&tree->queue->lock);
	return open;
}

static void knell_join_born(struct knell_next *next, struct pid *child)
{
	struct knell_join *join = container_of(next, struct knell_join, next);

	knell_member_enter(join->member, child);
}

static void knell_join_free(struct knell_join *join)
{
	spin_lock(&knell_join_lock);
	list_del(&join->link);
	spin_unlock(&knell_join_lock);
	kfree_rcu(join, rcu);
}

/* In the child. If the tree has ended since, or it was a member already, there is nothing to do. */
static void knell_join_enrol(struct knell_next *next)
{
	struct knell_join *join = container_of(next, struct knell_join, next);
	struct knell_member *member = join->member;
	struct knell_tree *tree = member->tree;

	knell_join_free(join);
	if (member->pid)
		knell_member_settle(member);
	else
		knell_member_put(member);
	knell_tree_put(tree);
}

/* Under RCU: @join is off the list. A child on its way ends its own. */
static void knell_join_disarm(struct knell_tree *tree, struct knell_join *join)
{
	if (!knell_next_disarm(&join->next))
		return;
	knell_member_put(join->member);
	kfree_rcu(join, rcu);
	/* Never the last one: the watch has one. */
	refcount_dec(&tree->refs);
}

/* The tree's joins are armed no more. */
static void knell_tree_disarm(struct knell_tree *tree)
{
	struct knell_join *join;

	rcu_read_lock();
	spin_lock(&knell_join_lock);
	while ((join = list_first_entry_or_null(&tree->joins, struct knell_join, link))) {
		list_del_init(&join->link);
		spin_unlock(&knell_join_lock);
		knell_join_disarm(tree, join);
		spin_lock(&knell_join_lock);
	}
	spin_unlock(&knell_join_lock);
	rcu_read_unlock();
}

/*
 * Who joins anew looks at the two oldest and clears away those that are in vain:
 * never are there many more of these than of others.
 */
static void knell_tree_reap_joins(struct knell_tree *tree)
{
	struct knell_join *join;
	bool gone;
	int i;

	for (i = 0; i < 2; i++) {
		rcu_read_lock();
		spin_lock(&knell_join_lock);
		join = list_first_entry_or_null(&tree->joins, struct knell_join, link);
		gone = join && knell_next_vain(&join->next);
		if (gone)
			list_del_init(&join->link);
		else if (join)
			list_move_tail(&join->link, &tree->joins);
		spin_unlock(&knell_join_lock);
		if (gone)
			knell_join_disarm(tree, join);
		rcu_read_unlock();
	}
}

static int knell_tree_join_next(struct knell_tree *tree)
{
	struct knell_join *join;
	int err = -ENOMEM;

	knell_tree_reap_joins(tree);
	join = kzalloc(sizeof(*join), GFP_KERNEL_ACCOUNT);
	if (!join)
		return err;
	join->member = knell_member_new(tree);
	if (!join->member)
		goto err_join;
	join->next.born = knell_join_born;
	join->next.enrol = knell_join_enrol;
	refcount_inc(&tree->refs);
	spin_lock(&knell_join_lock);
	list_add_tail(&join->link, &tree->joins);
	spin_unlock(&knell_join_lock);
	err = knell_next_arm(&join->next);
	if (!err)
		return 0;
	refcount_dec(&tree->refs);
	spin_lock(&knell_join_lock);
	list_del(&join->link);
	spin_unlock(&knell_join_lock);
	knell_member_put(join->member);
err_join:
	kfree(join);
	return err;
}

static int knell_tree_join_self(struct knell_tree *tree)
{
	struct knell_member *member;

	/* Its other threads' forks would be members by chance. */
	if (!thread_group_empty(current))
		return -EBUSY;
	member = knell_member_new(tree);
	if (!member)
		return -ENOMEM;
	if (!knell_member_enter(member, task_tgid(current))) {
		knell_member_put(member);
		return -ESHUTDOWN;
	}
	knell_member_settle(member);
	return 0;
}

static int knell_tree_join(struct knell_watch *watch, bool next)
{
	struct knell_tree *tree = to_tree(watch);
	int err;

	if (!knell_tree_open(tree))
		return -ESHUTDOWN;
	err = knell_member_may_join(tree, task_tgid(current),
				    knell_next_armed(knell_join_born));
	if (err)
		return err;
	return next ? knell_tree_join_next(tree) : knell_tree_join_self(tree);
}

static bool knell_label_ok(const char label[64])
{
	size_t len = strnlen(label, 64);

	return len < 64 && !memchr_inv(label + len, 0, 64 - len);
}

static struct knell_tree *knell_tree_new(struct knell_watch *watch, const struct knell_op *op)
{
	struct knell_quota *quota = watch->queue->quota;
	struct knell_tree *tree;
	int err;

	err = knell_quota_charge(quota, KNELL_QUOTA_WATCHES, KNELL_TREE_UNITS);
	if (err)
		return ERR_PTR(err);
	err = -ENOMEM;
	tree = kzalloc(sizeof(*tree), GFP_KERNEL_ACCOUNT);
	if (!tree)
		goto err_quota;
	knell_record_init(&tree->exit.rec, watch, KNELL_EV_EXIT);
	err = 0;
	if (op->flags & (KNELL_OPF_REPORT_FORK | KNELL_OPF_REPORT_EXIT))
		err = knell_reserve_init(&tree->reserve, watch);
	if (err)
		goto err_tree;
	INIT_LIST_HEAD(&tree->members);
	INIT_LIST_HEAD(&tree->lingering);
	INIT_WORK(&tree->work, knell_tree_work);
	INIT_LIST_HEAD(&tree->joins);
	refcount_set(&tree->refs, 1);
	kref_get(&watch->queue->refs);
	tree->queue = watch->queue;
	tree->watch = watch;
	tree->euid = current_euid();
	if (ns_capable_noaudit(current_user_ns(), CAP_SYS_PTRACE))
		tree->trusted_ns = get_user_ns(current_user_ns());
	memcpy(tree->label, op->tree.label, sizeof(tree->label));
	return tree;

err_tree:
	kfree(tree);
err_quota:
	knell_quota_uncharge(quota, KNELL_QUOTA_WATCHES, KNELL_TREE_UNITS);
	return ERR_PTR(err);
}

static int knell_tree_add(struct knell_watch *watch, const struct knell_op *op)
{
	struct knell_tree *tree;
	int err;

	if (!knell_label_ok(op->tree.label))
		return -EINVAL;
	err = knell_member_fill_pool();
	if (err)
		return err;
	err = knell_probes_get();
	if (err)
		return err;
	tree = knell_tree_new(watch, op);
	if (IS_ERR(tree)) {
		knell_probes_put();
		return PTR_ERR(tree);
	}
	container_of(watch, struct knell_tree_watch, watch)->tree = tree;
	watch->state = KNELL_ARMED;
	return 0;
}

/* The hooks have nothing to tell any more, and nowhere to tell it. */
static void knell_tree_detach(struct knell_tree *tree)
{
	lockdep_assert_held(&tree->queue->lock);
	tree->watch = NULL;
	knell_unpost_record(&tree->exit.rec);
	knell_reserve_unpost(&tree->reserve);
}

/* Also of one that could not be made. */
static void knell_tree_unpost(struct knell_watch *watch)
{
	if (to_tree(watch))
		knell_tree_detach(to_tree(watch));
}

static void knell_tree_release(struct knell_watch *watch)
{
	struct knell_tree *tree = to_tree(watch);

	if (!tree)
		return;
	spin_lock_irq(&tree->queue->lock);
	knell_tree_detach(tree);
	spin_unlock_irq(&tree->queue->lock);
	knell_tree_disarm(tree);
	knell_member_leave_all(tree);
	knell_reserve_free(&tree->reserve);
	knell_tree_put(tree);
}

static pid_t knell_tree_pid(struct knell_watch *watch, struct pid_namespace *ns)
{
	struct pid *main = READ_ONCE(to_tree(watch)->main);

	return main ? pid_nr_ns(main, ns) : 0;
}

static u64 knell_tree_value(struct knell_watch *watch)
{
	return max(atomic_read(&to_tree(watch)->nr), 0);
}

static const char *knell_tree_label(struct knell_watch *watch)
{
	return to_tree(watch)->label;
}

static struct pid *knell_tree_target(struct knell_watch *watch)
{
	return READ_ONCE(to_tree(watch)->main);
}

static size_t knell_tree_bytes(struct knell_watch *watch)
{
	struct knell_tree *tree = to_tree(watch);

	return sizeof(*tree) + knell_reserve_bytes(&tree->reserve) +
	       knell_tree_value(watch) * sizeof(struct knell_member);
}

/**
 * knell_tree_of() - the tree that a watch is about
 * @watch: its queue's mutex is held, and keeps the tree
 *
 * Return: NULL if it is no TREE
 */
struct knell_tree *knell_tree_of(struct knell_watch *watch)
{
	return watch->ops == &knell_tree_ops ? to_tree(watch) : NULL;
}

/* A LOST that is on its way tells some; what came after that, the EMPTY does. */
static void knell_tree_fill_empty(struct knell_tree *tree, struct knell_event *ev,
				  const struct knell_reader *reader)
{
	memset(ev->raw, 0, sizeof(ev->raw));
	ev->tree.pid = pid_nr_ns(tree->main, reader->pid_ns);
	ev->tree.lost = tree->reserve.nr_lost - tree->reserve.shown;
}

static void knell_tree_fill(struct knell_watch *watch, struct knell_record *rec,
			    struct knell_event *ev, const struct knell_reader *reader)
{
	struct knell_tree *tree = to_tree(watch);

	if (rec == &watch->rec)
		knell_tree_fill_empty(tree, ev, reader);
	else if (rec == &tree->exit.rec)
		knell_report_fill(&tree->exit, ev, reader);
	else
		knell_reserve_fill(&tree->reserve, rec, ev, reader);
}

static bool knell_tree_consume(struct knell_watch *watch, struct knell_record *rec)
{
	struct knell_tree *tree = to_tree(watch);

	if (rec != &watch->rec && rec != &tree->exit.rec) {
		knell_reserve_consume(&tree->reserve, rec);
		return true;
	}
	rec->delivered = watch->flags & KNELL_OPF_ACK;
	if (rec == &watch->rec)
		watch->state = KNELL_DELIVERED;
	return rec->delivered || rec == &tree->exit.rec;
}

/* Nothing comes after the EMPTY. */
static bool knell_tree_again(struct knell_watch *watch)
{
	return watch->state == KNELL_ARMED && knell_reserve_again(&to_tree(watch)->reserve);
}

const struct knell_watch_ops knell_tree_ops = {
	.type = KNELL_TREE,
	.name = "tree",
	.ev = KNELL_EV_EMPTY,
	.keeps = true,
	.add_flags = KNELL_OPF_ACK | KNELL_OPF_REPORT_FORK | KNELL_OPF_REPORT_EXIT |
		     KNELL_OPF_KILL_ON_CLOSE,
	.add_size = sizeof_field(struct knell_op, tree),
	.add = knell_tree_add,
	.join = knell_tree_join,
	.kill = knell_tree_kill,
	.close = knell_tree_close,
	.fill = knell_tree_fill,
	.consume = knell_tree_consume,
	.again = knell_tree_again,
	.unpost = knell_tree_unpost,
	.release = knell_tree_release,
	.pid = knell_tree_pid,
	.value = knell_tree_value,
	.label = knell_tree_label,
	.target = knell_tree_target,
	.bytes = knell_tree_bytes,
};

int __init knell_tree_init(void)
{
	knell_tree_wq = alloc_workqueue("knell", WQ_PERCPU, 0);
	return knell_tree_wq ? 0 : -ENOMEM;
}

/* Nothing lingers; a tree may still be leaving knell_tree_work(). */
void knell_tree_exit(void)
{
	destroy_workqueue(knell_tree_wq);
}
