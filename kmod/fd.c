// SPDX-License-Identifier: GPL-2.0-only
/*
 * FD: another file is ready, as poll(2) has it.
 *
 * As in fs/eventpoll.c the hook is an entry of our own in the wait queues that
 * the file's poll names, asked for once, at ADD; they stay linked until DEL, and
 * a MOD only polls again. What the key of a wake says goes into the record. A
 * wake without one is looked into when the record is about to be read, since
 * poll may sleep and a hook may not.
 *
 * A watch holds its file, and a file what is on its way in it. In a Unix socket
 * that may be a descriptor of the queue itself (SCM_RIGHTS), or of a socket that
 * leads to one: each would hold the other for ever, and the kernel's collector of
 * such sockets sees only those that hold each other by messages. So of a Unix
 * socket the watch holds no more than the inode, where its wait queue is. Like
 * epoll it has the file only while it polls, and not any more once that is closed.
 *
 * No hook misses what a MOD is for: under queue->lock it comes either before
 * the watch is armed, and then the poll after that sees what it was called for,
 * or it finds the watch armed.
 */
#include <linux/dcache.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/wait.h>
#include <net/sock.h>

#include "compat.h"
#include "file.h"
#include "queue.h"
#include "watch.h"

/* What a file may be asked for; the rest of EPOLL* is epoll's own. */
#define KNELL_FD_EVENTS	(EPOLLIN | EPOLLPRI | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLRDNORM | \
			 EPOLLRDBAND | EPOLLWRNORM | EPOLLWRBAND | EPOLLMSG | EPOLLRDHUP)

/* Told whether asked for or not. */
#define KNELL_FD_IMPLIED	(EPOLLERR | EPOLLHUP)

/* In the key of any wake of a socket, out of band or not. */
#define KNELL_FD_VAGUE	(EPOLLPRI | EPOLLRDBAND | EPOLLWRBAND | EPOLLMSG)

/* In @ready: a wake that did not say for what, or not for sure. */
#define KNELL_FD_UNSURE	((__force __poll_t)BIT(31))

/* Wait queues of one file; a tty and a pipe have two. */
#define KNELL_FD_QUEUES	2

/**
 * struct knell_fd_wait - a hook
 * @entry: in @head; its private is the watch
 * @head: NULL if unused, or if it was freed before the file (POLLFREE): then
 *	whoever read it before is protected by RCU
 */
struct knell_fd_wait {
	struct wait_queue_entry entry;
	struct wait_queue_head *head;
};

/**
 * struct knell_fd - queue->lock covers what is not said to be otherwise
 * @watch: what all kinds share
 * @file: referenced until DEL; never changes
 * @sock: instead of @file if @is_unix: its inode is referenced
 * @wait: queue->mutex to link, the wait queue's lock to unlink
 * @since: when @ready was first not 0
 * @events: asked for, with KNELL_FD_IMPLIED
 * @ready: of these, since the record was last looked at
 * @shown: what a reader was shown and has not taken yet
 * @adding: not armed yet, and what happens counts
 * @is_unix: a Unix socket; never changes
 */
struct knell_fd {
	struct knell_watch watch;
	union {
		struct file *file;
		struct socket *sock;
	};
	struct knell_fd_wait wait[KNELL_FD_QUEUES];
	u64 since;
	__poll_t events;
	__poll_t ready;
	__poll_t shown;
	bool adding;
	bool is_unix;
};

static_assert(sizeof(struct knell_fd) <= KNELL_WATCH_SIZE);

struct knell_fd_table {
	poll_table table;
	struct knell_fd *fd;
	int err;
};

static struct knell_fd *to_fd(struct knell_watch *watch)
{
	return container_of(watch, struct knell_fd, watch);
}

/* Adds to what the record tells; @bits may be 0. */
static void knell_fd_collect(struct knell_fd *fd, __poll_t bits)
{
	lockdep_assert_held(&fd->watch.queue->lock);
	if (!bits)
		return;
	if (!fd->ready)
		fd->since = ktime_get_ns();
	fd->ready |= bits;
	if (bits & KNELL_FD_UNSURE)
		WRITE_ONCE(fd->watch.queue->unsettled, true);
}

/* Of the key of a wake, what concerns the watch. */
static __poll_t knell_fd_bits(struct knell_fd *fd, __poll_t key)
{
	__poll_t bits = key & fd->events;

	if (!key)
		return KNELL_FD_UNSURE;
	return bits & KNELL_FD_VAGUE ? (bits & ~KNELL_FD_VAGUE) | KNELL_FD_UNSURE : bits;
}

/* A record, if there is something to tell and it is armed. */
static bool knell_fd_post(struct knell_fd *fd)
{
	return fd->ready && knell_post(&fd->watch, fd->since);
}

/* The file has woken us. True if that makes a record. */
static bool knell_fd_fire(struct knell_fd *fd, __poll_t key)
{
	struct knell_queue *queue = fd->watch.queue;
	unsigned long flags;
	bool wake = false;

	spin_lock_irqsave(&queue->lock, flags);
	if (fd->watch.state == KNELL_ARMED || fd->watch.state == KNELL_PENDING || fd->adding) {
		knell_fd_collect(fd, knell_fd_bits(fd, key));
		wake = knell_fd_post(fd);
	}
	spin_unlock_irqrestore(&queue->lock, flags);
	return wake;
}

/*
 * With the lock of the wait queue, for which knell_fd_unlink() waits: until then
 * watch and queue are there, read and closed as they may be meanwhile.
 */
static int knell_fd_wake(struct wait_queue_entry *entry, unsigned int mode, int sync, void *key)
{
	struct knell_fd_wait *wait = container_of(entry, struct knell_fd_wait, entry);
	struct knell_fd *fd = entry->private;
	__poll_t poll_key = key_to_poll(key);

	if (knell_fd_fire(fd, poll_key))
		knell_queue_wake_nested(fd->watch.queue, poll_key & EPOLL_URING_WAKE);
	if (unlikely(poll_key & POLLFREE)) {
		list_del_init(&entry->entry);
		/* Last: who sees it need not wait for us. Pairs with knell_fd_unlink(). */
		smp_store_release(&wait->head, NULL);
	}
	return 0;
}

/* Whose wait queue is in its inode. */
static bool knell_is_unix(const struct file *file)
{
	struct inode *inode = file_inode(file);

	return inode->i_sb->s_magic == SOCKFS_MAGIC && SOCKET_I(inode)->ops->family == PF_UNIX;
}

/* In exchange for a reference to the file. */
static void knell_fd_hold(struct knell_fd *fd, struct file *file)
{
	fd->is_unix = knell_is_unix(file);
	if (!fd->is_unix) {
		fd->file = file;
		return;
	}
	ihold(file_inode(file));
	fd->sock = SOCKET_I(file_inode(file));
	fput(file);
}

/* The file to poll, until knell_fd_leave(); NULL if it is closed. */
static struct file *knell_fd_enter(struct knell_fd *fd)
{
	return fd->is_unix ? knell_get_file_active(&fd->sock->file) : fd->file;
}

static void knell_fd_leave(struct knell_fd *fd, struct file *file)
{
	if (fd->is_unix)
		fput(file);
}

static void knell_fd_link(struct file *file, struct wait_queue_head *head, poll_table *table)
{
	struct knell_fd_table *t = container_of(table, struct knell_fd_table, table);
	struct knell_fd_wait *wait = t->fd->wait;
	int i;

	if (t->fd->is_unix && WARN_ON_ONCE(head != &t->fd->sock->wq.wait)) {
		t->err = -EOPNOTSUPP;
		return;
	}
	for (i = 0; i < KNELL_FD_QUEUES; i++, wait++) {
		if (wait->head == head)
			return;
		if (wait->head)
			continue;
		wait->head = head;
		add_wait_queue(head, &wait->entry);
		return;
	}
	t->err = -EOPNOTSUPP;
}

static void knell_fd_unlink(struct knell_fd_wait *wait)
{
	struct wait_queue_head *head;

	rcu_read_lock();
	/* Pairs with knell_fd_wake(). */
	head = smp_load_acquire(&wait->head);
	if (head)
		remove_wait_queue(head, &wait->entry);
	rcu_read_unlock();
	wait->head = NULL;
}

static void knell_fd_unlink_all(struct knell_fd *fd)
{
	int i;

	for (i = 0; i < KNELL_FD_QUEUES; i++)
		knell_fd_unlink(&fd->wait[i]);
}

/* Into the file's wait queues; what it is ready for goes to @mask. May sleep. */
static int knell_fd_link_all(struct knell_fd *fd, struct file *file, __poll_t events,
			     __poll_t *mask)
{
	struct knell_fd_table t = { .fd = fd };

	lockdep_assert_held(&fd->watch.queue->mutex);
	init_poll_funcptr(&t.table, knell_fd_link);
	t.table._key = events;
	*mask = vfs_poll(file, &t.table) & events;
	return t.err;
}

/* What the file is ready for. May sleep. */
static __poll_t knell_fd_poll(struct file *file, __poll_t events)
{
	poll_table table;

	init_poll_funcptr(&table, NULL);
	table._key = events;
	return vfs_poll(file, &table) & events;
}

static bool knell_is_anon(const struct file *file, const char *name)
{
	return file_inode(file)->i_sb->s_magic == ANON_INODE_FS_MAGIC &&
	       !strcmp(file->f_path.dentry->d_name.name, name);
}

/* No name of a module tells of a CUSE that is built in. It is FUSE that polls its devices. */
static bool knell_is_builtin_cuse(const struct file *file)
{
	char poll[sizeof("fuse_file_poll")];

	if (!IS_BUILTIN(CONFIG_CUSE) || file->f_op->owner || !S_ISCHR(file_inode(file)->i_mode))
		return false;
	snprintf(poll, sizeof(poll), "%ps", file->f_op->poll);
	return !strcmp(poll, "fuse_file_poll");
}

/* Does its poll wait for a process, which may take its time? CUSE makes devices of processes. */
static bool knell_is_fuse(const struct file *file)
{
	struct module *owner = file->f_op->owner;

	return file_inode(file)->i_sb->s_magic == FUSE_SUPER_MAGIC ||
	       (owner && !strcmp(module_name(owner), "cuse")) || knell_is_builtin_cuse(file);
}

/* A file that wakes others when it is woken could wake itself in a ring of such files. */
static int knell_fd_check(struct file *file)
{
	if (file->f_op == &knell_fops || knell_is_anon(file, "[eventpoll]") ||
	    knell_is_anon(file, "[io_uring]"))
		return -ELOOP;
	if (!file_can_poll(file) || knell_is_fuse(file))
		return -EPERM;
	return 0;
}

static int knell_fd_parse(const struct knell_op *op, __poll_t *events)
{
	*events = (__force __poll_t)op->fd.events;
	if (*events & ~KNELL_FD_EVENTS)
		return -EINVAL;
	*events |= KNELL_FD_IMPLIED;
	return 0;
}

static void knell_fd_init_wait(struct knell_fd *fd)
{
	int i;

	for (i = 0; i < KNELL_FD_QUEUES; i++) {
		init_waitqueue_func_entry(&fd->wait[i].entry, knell_fd_wake);
		INIT_LIST_HEAD(&fd->wait[i].entry.entry);
		fd->wait[i].entry.private = fd;
	}
}

/* It is armed; it was ready for @mask, and what hooks have said meanwhile is in @ready. */
static void knell_fd_polled(struct knell_fd *fd, __poll_t mask)
{
	struct knell_queue *queue = fd->watch.queue;
	bool wake;

	spin_lock_irq(&queue->lock);
	knell_fd_collect(fd, mask);
	wake = knell_fd_post(fd);
	spin_unlock_irq(&queue->lock);
	if (wake)
		knell_queue_wake(queue);
}

static int knell_fd_add(struct knell_watch *watch, const struct knell_op *op)
{
	struct knell_fd *fd = to_fd(watch);
	struct knell_queue *queue = watch->queue;
	struct file *file;
	__poll_t mask;
	int err;

	knell_fd_init_wait(fd);
	err = knell_fd_parse(op, &fd->events);
	if (err)
		return err;
	file = fget(op->fd.fd);
	if (!file)
		return -EBADF;
	err = knell_fd_check(file);
	if (err) {
		fput(file);
		return err;
	}
	knell_fd_hold(fd, file);
	file = knell_fd_enter(fd);
	/* Another thread was faster. */
	if (!file)
		return -EBADF;
	/* Not armed yet: if it fails nobody must have read a record of it. */
	fd->adding = true;
	err = knell_fd_link_all(fd, file, fd->events, &mask);
	knell_fd_leave(fd, file);
	if (err)
		return err;
	spin_lock_irq(&queue->lock);
	fd->adding = false;
	watch->state = KNELL_ARMED;
	spin_unlock_irq(&queue->lock);
	knell_fd_polled(fd, mask);
	return 0;
}

/* A file that has lost its wait queues, or had none, is asked for new ones. */
static int knell_fd_relink(struct knell_fd *fd, struct file *file, __poll_t events)
{
	__poll_t mask;
	int i, err;

	for (i = 0; i < KNELL_FD_QUEUES; i++)
		/* Pairs with knell_fd_wake(). */
		if (smp_load_acquire(&fd->wait[i].head))
			return 0;
	err = knell_fd_link_all(fd, file, events, &mask);
	if (err)
		knell_fd_unlink_all(fd);
	return err;
}

static int knell_fd_mod(struct knell_watch *watch, const struct knell_op *op)
{
	struct knell_fd *fd = to_fd(watch);
	struct knell_queue *queue = watch->queue;
	__poll_t events, mask;
	struct file *file;
	int err;

	err = knell_fd_parse(op, &events);
	if (err)
		return err;
	file = knell_fd_enter(fd);
	if (!file)
		return -EBADF;
	err = knell_fd_relink(fd, file, events);
	if (err)
		goto leave;
	spin_lock_irq(&queue->lock);
	knell_unpost(watch);
	knell_watch_set(watch, op);
	fd->events = events;
	fd->ready = 0;
	fd->shown = 0;
	watch->state = KNELL_ARMED;
	spin_unlock_irq(&queue->lock);
	mask = knell_fd_poll(file, events);
	if (mask)
		knell_fd_polled(fd, mask);
leave:
	knell_fd_leave(fd, file);
	return err;
}

/* What it is ready for, unless it is closed. May sleep. */
static __poll_t knell_fd_look(struct knell_fd *fd)
{
	struct file *file = knell_fd_enter(fd);
	__poll_t mask;

	if (!file)
		return 0;
	mask = knell_fd_poll(file, fd->events);
	knell_fd_leave(fd, file);
	return mask;
}

/* A wake that did not say for what: is there anything that was asked for? */
static bool knell_fd_settle(struct knell_watch *watch)
{
	struct knell_fd *fd = to_fd(watch);
	struct knell_queue *queue = watch->queue;
	__poll_t mask;

	if (!(fd->ready & KNELL_FD_UNSURE))
		return true;
	fd->ready &= ~KNELL_FD_UNSURE;
	spin_unlock_irq(&queue->lock);
	mask = knell_fd_look(fd);
	spin_lock_irq(&queue->lock);
	knell_fd_collect(fd, mask);
	return fd->ready || fd->shown;
}

/* What the record tells; where nothing is sure, all that was asked for: a hint. */
static __poll_t knell_fd_told(struct knell_fd *fd)
{
	__poll_t sure = fd->shown | (fd->ready & ~KNELL_FD_UNSURE);

	return sure || !fd->ready ? sure : fd->events & ~KNELL_FD_IMPLIED;
}

/*
 * What comes from here on, while the record is copied, makes another one if it
 * is for edges. So does what has come since the others were settled.
 */
static void knell_fd_fill(struct knell_watch *watch, struct knell_record *rec,
			  struct knell_event *ev, const struct knell_reader *reader)
{
	struct knell_fd *fd = to_fd(watch);

	fd->shown = knell_fd_told(fd);
	fd->ready &= KNELL_FD_UNSURE;
	memset(ev->raw, 0, sizeof(ev->raw));
	ev->fd.events = (__force u32)fd->shown;
}

static bool knell_fd_consume(struct knell_watch *watch, struct knell_record *rec)
{
	struct knell_fd *fd = to_fd(watch);

	if (watch->flags & KNELL_OPF_ONESHOT)
		return false;
	fd->shown = 0;
	if (watch->flags & KNELL_OPF_EDGE) {
		watch->state = KNELL_ARMED;
		return true;
	}
	fd->ready = 0;
	watch->state = KNELL_DISARMED;
	return true;
}

static bool knell_fd_again(struct knell_watch *watch)
{
	return knell_fd_post(to_fd(watch));
}

static void knell_fd_release(struct knell_watch *watch)
{
	struct knell_fd *fd = to_fd(watch);

	if (!fd->file)
		return;
	knell_fd_unlink_all(fd);
	if (fd->is_unix)
		iput(SOCK_INODE(fd->sock));
	else
		fput(fd->file);
}

static u64 knell_fd_value(struct knell_watch *watch)
{
	struct knell_fd *fd = to_fd(watch);

	return (__force u32)knell_fd_told(fd);
}

const struct knell_watch_ops knell_fd_ops = {
	.type = KNELL_FD,
	.name = "fd",
	.ev = KNELL_EV_FD,
	.add_flags = KNELL_OPF_ONESHOT | KNELL_OPF_EDGE,
	.mod_flags = KNELL_OPF_ONESHOT | KNELL_OPF_EDGE,
	.add_size = sizeof_field(struct knell_op, fd),
	.mod_size = sizeof_field(struct knell_op, fd),
	.add = knell_fd_add,
	.mod = knell_fd_mod,
	.settle = knell_fd_settle,
	.fill = knell_fd_fill,
	.consume = knell_fd_consume,
	.again = knell_fd_again,
	.release = knell_fd_release,
	.value = knell_fd_value,
};
