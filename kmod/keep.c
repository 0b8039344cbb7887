// SPDX-License-Identifier: GPL-2.0-only
/*
 * Queues that outlive their manager: KNELL_IOC_KEEP and KNELL_IOC_ATTACH.
 *
 * A kept queue has a name and a holder, the process that last called KEEP or
 * ATTACH. Once that is dead another one may have the queue: it gets a file of
 * its own, and whatever else still refers to the old one, be it a child that was
 * on its way to exec, is revoked.
 */
#include <linux/anon_inodes.h>
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/err.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/hashtable.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/pid.h>
#include <linux/pid_namespace.h>
#include <linux/sched/signal.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/uidgid.h>

#include "file.h"
#include "keep.h"
#include "observe.h"
#include "queue.h"
#include "quota.h"

/**
 * struct knell_keep - a name for a queue
 * @node: in knell_keeps; knell_keep_mutex
 * @queue: referenced; its cred says in whose names @name is
 * @holder: thread group that last called KEEP or ATTACH, referenced; queue->mutex
 * @name: never changes
 */
struct knell_keep {
	struct hlist_node node;
	struct knell_queue *queue;
	struct pid *holder;
	char name[sizeof_field(struct knell_name, name)];
};

/* covers knell_keeps; inside any queue->mutex, and nothing is taken inside it */
static DEFINE_MUTEX(knell_keep_mutex);
static DEFINE_HASHTABLE(knell_keeps, 6);

static bool knell_keep_matches(const struct knell_keep *keep, kuid_t uid, const char *name)
{
	return uid_eq(keep->queue->cred->euid, uid) && !strcmp(keep->name, name);
}

/* Is current like the opener of the queue, or over him? */
static bool knell_keep_may(const struct knell_queue *queue)
{
	const struct cred *cred = queue->cred;

	return (uid_eq(cred->euid, current_euid()) && cred->user_ns == current_user_ns() &&
		queue->pid_ns == task_active_pid_ns(current)) ||
	       ns_capable(cred->user_ns, CAP_SYS_ADMIN);
}

/* How near to current is it, where one user has the name in several namespaces? */
static int knell_keep_rank(const struct knell_keep *keep)
{
	if (keep->queue->cred->user_ns == current_user_ns())
		return 2;
	return knell_keep_may(keep->queue);
}

/* Referenced, or NULL. */
static struct knell_queue *knell_keep_get(kuid_t uid, const char *name)
{
	struct knell_keep *keep, *best = NULL;
	struct knell_queue *queue = NULL;

	mutex_lock(&knell_keep_mutex);
	hash_for_each_possible(knell_keeps, keep, node, __kuid_val(uid))
		if (knell_keep_matches(keep, uid, name) &&
		    (!best || knell_keep_rank(keep) > knell_keep_rank(best)))
			best = keep;
	if (best) {
		queue = best->queue;
		kref_get(&queue->refs);
	}
	mutex_unlock(&knell_keep_mutex);
	return queue;
}

/* @keep gets the name for its queue, unless it is taken. */
static int knell_keep_insert(struct knell_keep *new)
{
	const struct cred *cred = new->queue->cred;
	struct knell_keep *keep;
	int err = 0;

	mutex_lock(&knell_keep_mutex);
	hash_for_each_possible(knell_keeps, keep, node, __kuid_val(cred->euid))
		if (knell_keep_matches(keep, cred->euid, new->name) &&
		    keep->queue->cred->user_ns == cred->user_ns)
			err = -EEXIST;
	if (!err)
		hash_add(knell_keeps, &new->node, __kuid_val(cred->euid));
	mutex_unlock(&knell_keep_mutex);
	return err;
}

static struct knell_keep *knell_keep_new(struct knell_queue *queue, const char *name)
{
	struct knell_keep *keep = kzalloc(sizeof(*keep), GFP_KERNEL_ACCOUNT);

	if (!keep)
		return NULL;
	kref_get(&queue->refs);
	keep->queue = queue;
	keep->holder = get_pid(task_tgid(current));
	strscpy(keep->name, name, sizeof(keep->name));
	return keep;
}

static void knell_keep_free(struct knell_keep *keep)
{
	put_pid(keep->holder);
	knell_queue_put(keep->queue);
	kfree(keep);
}

/* Dead is who has no thread left that could act, a zombie or not yet one. */
static bool knell_holder_lives(struct pid *holder)
{
	struct task_struct *task;
	bool lives;

	rcu_read_lock();
	task = pid_task(holder, PIDTYPE_TGID);
	lives = task && atomic_read(&task->signal->live);
	rcu_read_unlock();
	return lives;
}

static int knell_keep_on(struct knell_queue *queue, struct knell_keep *keep)
{
	int err;

	lockdep_assert_held(&queue->mutex);
	if (!knell_keep_may(queue))
		return -EPERM;
	if (queue->keep)
		return -EBUSY;
	err = knell_quota_charge(queue->quota, KNELL_QUOTA_KEPT, 1);
	if (err)
		return err;
	err = knell_keep_insert(keep);
	if (err) {
		knell_quota_uncharge(queue->quota, KNELL_QUOTA_KEPT, 1);
		return err;
	}
	/* No file need be open from here on. */
	__module_get(THIS_MODULE);
	queue->keep = keep;
	knell_observe_keep(queue, keep->name);
	return 0;
}

/* The name is free, and so is the module. The caller has references to both, too. */
static void knell_keep_forget(struct knell_queue *queue)
{
	struct knell_keep *keep = queue->keep;

	lockdep_assert_held(&queue->mutex);
	mutex_lock(&knell_keep_mutex);
	hash_del(&keep->node);
	mutex_unlock(&knell_keep_mutex);
	queue->keep = NULL;
	knell_quota_uncharge(queue->quota, KNELL_QUOTA_KEPT, 1);
	knell_keep_free(keep);
	module_put(THIS_MODULE);
}

static int knell_keep_off(struct knell_queue *queue, const char *name)
{
	struct knell_keep *keep = queue->keep;

	lockdep_assert_held(&queue->mutex);
	if (!keep || strcmp(keep->name, name))
		return -ENOENT;
	if (keep->holder != task_tgid(current))
		return -EPERM;
	knell_keep_forget(queue);
	return 0;
}

/* Of the argument of both ioctls: whose name it is, and is it one? */
static int knell_name_get(struct knell_name *name, kuid_t *uid, void __user *arg, size_t size)
{
	size_t len;
	int err;

	if (size < sizeof(*name))
		return -EINVAL;
	err = copy_struct_from_user(name, sizeof(*name), arg, size);
	if (err)
		return err;
	len = strnlen(name->name, sizeof(name->name));
	if (!len || len == sizeof(name->name) ||
	    memchr_inv(name->name + len, 0, sizeof(name->name) - len) ||
	    memchr_inv(name->reserved, 0, sizeof(name->reserved)))
		return -EINVAL;
	/* 0 is "my own", so root's names are for root only. */
	*uid = name->uid ? make_kuid(current_user_ns(), name->uid) : current_euid();
	return uid_valid(*uid) ? 0 : -EINVAL;
}

/**
 * knell_keep() - KNELL_IOC_KEEP
 * @file: none of its queue's locks is held. May sleep
 * @arg: struct knell_name in user memory
 * @size: what the caller takes its size to be
 *
 * Return: 0; -EBUSY kept already, -EEXIST name taken, -ENOSPC over the user's
 * cap, -EPERM neither like the opener nor CAP_SYS_ADMIN; with KEEP_OFF -ENOENT
 * not kept by this name, -EPERM not the holder; -EINVAL, -E2BIG, -EFAULT,
 * -ENOMEM, -ESTALE
 */
long knell_keep(struct knell_file *file, void __user *arg, size_t size)
{
	struct knell_keep *keep = NULL;
	struct knell_name name;
	kuid_t uid;
	int err;

	err = knell_name_get(&name, &uid, arg, size);
	if (err)
		return err;
	if (name.flags & ~KNELL_KEEP_OFF || !uid_eq(uid, current_euid()))
		return -EINVAL;
	if (!(name.flags & KNELL_KEEP_OFF)) {
		keep = knell_keep_new(file->queue, name.name);
		if (!keep)
			return -ENOMEM;
	}
	err = knell_file_lock(file);
	if (!err) {
		err = keep ? knell_keep_on(file->queue, keep) :
			     knell_keep_off(file->queue, name.name);
		knell_file_unlock(file);
	}
	if (err && keep)
		knell_keep_free(keep);
	return err;
}

/* current becomes the holder, if it may; @file is to be what the queue serves. */
static int knell_keep_take(struct knell_queue *queue, struct knell_file *file, const char *name)
{
	struct pid *self = task_tgid(current);
	struct knell_keep *keep;
	int err = 0;

	mutex_lock(&queue->mutex);
	keep = queue->keep;
	/* It was kept by that name before we had the mutex. */
	if (!keep || strcmp(keep->name, name))
		err = -ENOENT;
	else if (keep->holder != self && knell_holder_lives(keep->holder))
		err = -EBUSY;
	if (!err) {
		put_pid(keep->holder);
		keep->holder = get_pid(self);
		knell_queue_serve(queue, file);
		knell_observe_attach(queue, keep->name);
	}
	mutex_unlock(&queue->mutex);
	return err;
}

/* A descriptor of a file like that which open() makes, or an error. Takes @queue's reference. */
static int knell_keep_open(struct knell_queue *queue, const char *name)
{
	struct knell_file *file = knell_file_new(queue);
	struct file *filp;
	int fd, err;

	if (IS_ERR(file)) {
		knell_queue_put(queue);
		return PTR_ERR(file);
	}
	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0) {
		knell_file_free(file);
		return fd;
	}
	filp = anon_inode_getfile("[knell]", &knell_fops, file, O_RDWR);
	if (IS_ERR(filp)) {
		put_unused_fd(fd);
		knell_file_free(file);
		return PTR_ERR(filp);
	}
	stream_open(file_inode(filp), filp);
	err = knell_keep_take(queue, file, name);
	if (err) {
		/* Releases a file that its queue does not serve. */
		fput(filp);
		put_unused_fd(fd);
		return err;
	}
	fd_install(fd, filp);
	return fd;
}

/**
 * knell_attach() - KNELL_IOC_ATTACH
 * @door: not revoked; its own queue is not touched. May sleep
 * @arg: struct knell_name in user memory
 * @size: what the caller takes its size to be
 *
 * Return: a descriptor; -ENOENT no queue of that name, -EPERM neither like its
 * opener nor CAP_SYS_ADMIN, -EBUSY its holder lives, -ENOSPC its opener has too
 * many files; -EINVAL, -E2BIG, -EFAULT, -ENOMEM, -EMFILE, -ENFILE, -ESTALE
 */
long knell_attach(struct knell_file *door, void __user *arg, size_t size)
{
	struct knell_queue *queue;
	struct knell_name name;
	kuid_t uid;
	int err;

	err = knell_name_get(&name, &uid, arg, size);
	if (err)
		return err;
	if (name.flags)
		return -EINVAL;
	if (knell_file_revoked(door))
		return -ESTALE;
	queue = knell_keep_get(uid, name.name);
	if (!queue)
		return -ENOENT;
	if (!knell_keep_may(queue)) {
		knell_queue_put(queue);
		return -EPERM;
	}
	return knell_keep_open(queue, name.name);
}

/**
 * knell_keep_drop() - what nobody comes back for ends, with all that it holds
 * @queue: referenced by the caller, as the module is; none of its locks is held. May
 *	sleep. Whoever has a descriptor of it finds that revoked
 *
 * Return: 0, -ENOENT it is not kept, -EBUSY its holder lives
 */
int knell_keep_drop(struct knell_queue *queue)
{
	int err = 0;

	mutex_lock(&queue->mutex);
	if (!queue->keep)
		err = -ENOENT;
	else if (knell_holder_lives(queue->keep->holder))
		err = -EBUSY;
	if (!err) {
		knell_keep_forget(queue);
		knell_queue_revoke(queue);
		knell_queue_end(queue);
	}
	mutex_unlock(&queue->mutex);
	return err;
}

/**
 * knell_keep_describe() - by what name, and for whom?
 * @queue: its mutex is held
 * @kept: filled in if it is kept
 *
 * Return: is it?
 */
bool knell_keep_describe(struct knell_queue *queue, struct knell_kept *kept)
{
	struct knell_keep *keep = queue->keep;

	lockdep_assert_held(&queue->mutex);
	if (!keep)
		return false;
	strscpy(kept->name, keep->name, sizeof(kept->name));
	kept->holder = get_pid(keep->holder);
	kept->orphan = !knell_holder_lives(keep->holder);
	return true;
}

/**
 * knell_keep_show() - a line of fdinfo
 * @m: where to
 * @queue: its mutex is held
 */
void knell_keep_show(struct seq_file *m, struct knell_queue *queue)
{
	lockdep_assert_held(&queue->mutex);
	if (!queue->keep)
		return;
	seq_puts(m, "knell-kept:\t");
	seq_escape(m, queue->keep->name, " \t\n\\");
	seq_putc(m, '\n');
}
