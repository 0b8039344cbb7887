// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The loop sleeps in one system call on /dev/knell: read(), or KNELL_IOC_SUBMIT when there is
 * something to tell the kernel or a time to wake up at.
 *
 * What is to be told is collected as ops, and goes with the next look. A descriptor has one
 * watch for each direction that a task waits for, and that is gone when its record was read, so
 * that nothing keeps a file open that no task waits for.
 *
 * A watch of the loop's own has a token with bit 63 set that says where in the loop it belongs;
 * whoever is found there has to know the record's handle, too. So a record that is too late,
 * or a former loop's, is never taken for another's.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "backend_kernel.h"

static const clockid_t clock_of[HEAPS] = {
	[HEAP_MONOTONIC] = CLOCK_MONOTONIC,
	[HEAP_BACKGROUND] = CLOCK_MONOTONIC,
	[HEAP_REALTIME] = CLOCK_REALTIME,
	[HEAP_BOOTTIME] = CLOCK_BOOTTIME,
};

/*
 * Ops
 */

static int submit(struct knell_loop *l, struct knell_submit *s)
{
	struct kernel *k = kernel_of(l);
	int n = ioctl(k->fd, KNELL_IOC_SUBMIT, s);

	l->stats.count.syscalls++;
	return n < 0 ? (errno == EINTR ? 0 : -errno) : n;
}

/* A descriptor's ADD: from here on its record is known, or why there is none. */
static void fd_added(struct knell_loop *l, const struct knell_op *op)
{
	enum knell_kind kind = op->fd.events & EPOLLIN ? KNELL_KIND_READ : KNELL_KIND_WRITE;
	struct io *io = io_find(l, op->fd.fd);

	if (op->result >= 0) {
		io->watch[kind] = op->watch;
		l->armed++;
		return;
	}
	kernel_of(l)->heard = true;
	/* What poll(2) knows nothing of is always ready. */
	if (op->result == -EPERM)
		io_event(l, op->fd.fd, kind, op->fd.events, 0, knell_now(l));
	else
		io_event(l, op->fd.fd, kind, EPOLLERR, -op->result, knell_now(l));
}

/* All ops, and then up to @room records; sleeps until @until for the first of them. */
static int tell(struct knell_loop *l, unsigned int room, uint64_t until)
{
	struct kernel *k = kernel_of(l);
	unsigned int nr = k->nr_ops;
	struct knell_submit s = {
		.ops = (uintptr_t)k->op,
		.nr_ops = nr,
		.events = (uintptr_t)k->ev,
		.nr_events = room,
		.deadline_ns = until,
	};
	int n = submit(l, &s);

	if (n < 0)
		return n;
	k->nr_ops = 0;
	l->armed -= !!nr;
	for (unsigned int i = 0; i < nr; i++)
		if (k->op[i].op == KNELL_OP_ADD && k->op[i].type == KNELL_FD &&
		    k->op[i].token & TOKEN_OWN)
			fd_added(l, &k->op[i]);
	return n;
}

/* If there is no room the others go ahead. */
struct knell_op *kernel_op(struct knell_loop *l)
{
	struct kernel *k = kernel_of(l);
	int err;

	if (k->nr_ops == KNELL_MAX_OPS) {
		err = tell(l, 0, 0);
		if (err < 0) {
			k->err = err;
			k->nr_ops = 0;
			l->armed--;
		}
	}
	/* While there are any, the kernel is to be asked. */
	l->armed += !k->nr_ops;
	k->op[k->nr_ops] = (struct knell_op){ 0 };
	return &k->op[k->nr_ops++];
}

int kernel_now(struct knell_loop *l, struct knell_op *ops, unsigned int nr)
{
	struct kernel *k = kernel_of(l);
	unsigned int before;
	int err;

	if (k->nr_ops + nr > KNELL_MAX_OPS) {
		err = tell(l, 0, 0);
		if (err < 0)
			return err;
	}
	before = k->nr_ops;
	for (unsigned int i = 0; i < nr; i++)
		*kernel_op(l) = ops[i];
	err = tell(l, 0, 0);
	if (err < 0) {
		/* What was asked for at once is not to be done later. */
		k->nr_ops = before;
		l->armed -= !before;
		return err;
	}
	memcpy(ops, k->op + before, nr * sizeof(*ops));
	return 0;
}

void kernel_del(struct knell_loop *l, uint32_t watch)
{
	struct knell_op *op = kernel_op(l);

	op->op = KNELL_OP_DEL;
	op->watch = watch;
}

/*
 * Descriptors
 */

static void fd_want(struct knell_loop *l, int fd, enum knell_kind kind, uint32_t events)
{
	struct io *io = io_find(l, fd);
	uint32_t idx = io->task[kind];
	uint32_t gen = idx == NO_TASK ? 0 : task_at(&l->tasks, idx)->gen;
	struct knell_op *op;

	/* The number may mean another file since the task was cancelled that it was for. */
	if (io->watch[kind] && (!events || io->watch_of[kind] != gen)) {
		kernel_del(l, io->watch[kind]);
		io->watch[kind] = 0;
		l->armed--;
	}
	if (!events || io->watch[kind])
		return;
	op = kernel_op(l);
	op->op = KNELL_OP_ADD;
	op->type = KNELL_FD;
	op->flags = KNELL_OPF_ONESHOT;
	op->token = TOKEN(kind == KNELL_KIND_READ ? SORT_READ : SORT_WRITE, fd);
	op->fd.fd = fd;
	op->fd.events = events;
	io->watch_of[kind] = gen;
}

/* What has changed since the last time. */
static void collect(struct knell_loop *l)
{
	uint32_t wanted;
	int fd;

	while ((fd = io_next_dirty(l)) >= 0) {
		wanted = io_wanted(l, io_find(l, fd));
		fd_want(l, fd, KNELL_KIND_READ, wanted & EPOLLIN);
		fd_want(l, fd, KNELL_KIND_WRITE, wanted & EPOLLOUT);
	}
}

static void heard_fd(struct knell_loop *l, const struct knell_event *ev, enum knell_kind kind)
{
	int fd = (int)(uint32_t)ev->token;
	struct io *io = io_find(l, fd);

	if (!io || io->watch[kind] != ev->watch)
		return;
	io->watch[kind] = 0;
	l->armed--;
	io_event(l, fd, kind, ev->fd.events, 0, clock_from_raw(l, ev->time_ns));
}

/*
 * Clocks
 */

static struct knell_op clock_op(const struct kernel *k, enum heap_id id, uint64_t deadline)
{
	struct knell_op op = {
		.op = k->clock[id] ? KNELL_OP_MOD : KNELL_OP_ADD,
		.type = KNELL_TIMER,
		.watch = k->clock[id],
		.token = TOKEN(SORT_CLOCK, id),
	};

	op.timer.clockid = (uint32_t)clock_of[id];
	if (deadline == KNELL_NEVER)
		return op;
	op.flags = KNELL_OPF_ABS;
	/* 0 is no time, and beyond is as good as the end of it. */
	op.timer.expires_ns = !deadline ? 1 : deadline > INT64_MAX ? INT64_MAX : deadline;
	return op;
}

/* The first time at once, with every refusal; then with the next look. */
static int clock_arm(struct knell_loop *l, enum heap_id id, uint64_t deadline)
{
	struct kernel *k = kernel_of(l);
	struct knell_op op = clock_op(k, id, deadline);
	int err;

	if (k->set[id] == deadline)
		return 0;
	if (k->clock[id]) {
		*kernel_op(l) = op;
	} else {
		err = kernel_now(l, &op, 1);
		if (err || op.result < 0)
			return err ? err : op.result;
		k->clock[id] = op.watch;
	}
	l->armed += (deadline != KNELL_NEVER) - (k->set[id] != KNELL_NEVER);
	k->set[id] = deadline;
	return 0;
}

/* It is not set any more, so the core has to be asked for a time anew. */
static void heard_clock(struct knell_loop *l, const struct knell_event *ev)
{
	enum heap_id id = (uint32_t)ev->token;
	struct kernel *k = kernel_of(l);

	if (id >= HEAPS || k->clock[id] != ev->watch || k->set[id] == KNELL_NEVER)
		return;
	k->set[id] = KNELL_NEVER;
	l->clock.told[id] = KNELL_NEVER;
	l->armed--;
}

/* Of a watch that the program has made. */
static void heard_other(struct knell_loop *l, const struct knell_event *ev)
{
	struct source *s = l->sources.record;
	struct news *n = s ? news_new(l, s, clock_from_raw(l, ev->time_ns)) : NULL;

	if (!n) {
		l->stats.count.dropped++;
		return;
	}
	_Static_assert(sizeof(n->record) == sizeof(*ev), "a record");
	memcpy(n->record, ev, sizeof(*ev));
	news_tell(l, s, n, false);
}

static void heard(struct knell_loop *l, const struct knell_event *ev)
{
	if (unlikely(l->sources.nr_suspects) && ev->type == KNELL_EV_EXIT)
		children_heard(l, ev->exit.pid, ev->exit.start_ns);
	if (!(ev->token & TOKEN_OWN)) {
		heard_other(l, ev);
		return;
	}
	switch ((ev->token & ~TOKEN_OWN) >> 32) {
	case SORT_BELL:
		kernel_of(l)->rung = false;
		break;
	case SORT_CLOCK:
		heard_clock(l, ev);
		break;
	case SORT_READ:
		heard_fd(l, ev, KNELL_KIND_READ);
		break;
	case SORT_WRITE:
		heard_fd(l, ev, KNELL_KIND_WRITE);
		break;
	case SORT_SOURCE:
		kernel_heard_source(l, ev);
		break;
	}
}

/*
 * To sleep
 */

static int take(struct knell_loop *l, unsigned int room, uint64_t until)
{
	struct kernel *k = kernel_of(l);
	ssize_t n;

	if (until > INT64_MAX && until != KNELL_NEVER)
		until = INT64_MAX;
	if (k->nr_ops || until != KNELL_NEVER)
		return tell(l, room, until);
	l->stats.count.syscalls++;
	n = read(k->fd, k->ev, room * sizeof(*k->ev));
	if (n >= 0)
		return (int)((size_t)n / sizeof(*k->ev));
	if (errno == EINTR)
		return 0;
	/* O_NONBLOCK of a queue that was given is about read() alone. */
	return errno == EAGAIN ? tell(l, room, until) : -errno;
}

static int kernel_queue_info(struct knell_loop *l, struct knell_info *info)
{
	l->stats.count.syscalls++;
	return ioctl(kernel_of(l)->fd, KNELL_IOC_INFO, info) < 0 ? -errno : 0;
}

static uint64_t pending(struct knell_loop *l)
{
	struct knell_info info;

	return kernel_queue_info(l, &info) ? UINT64_MAX : info.pending;
}

/* After a LOST: whoever is a zombie now and is not told of by what is pending now was lost. */
static void settle(struct knell_loop *l, unsigned int nr, unsigned int room)
{
	struct sources *ss = &l->sources;
	struct kernel *k = kernel_of(l);

	k->drain -= nr < k->drain ? nr : k->drain;
	if (nr < room)
		k->drain = 0;
	if (ss->rescan)
		children_look(l);
	if (ss->fresh)
		k->drain = pending(l);
	ss->fresh = false;
	if (!k->drain)
		children_judge(l);
}

static int kernel_poll(struct knell_loop *l, uint64_t until)
{
	unsigned int room = news_reserve(l, l->batch);
	struct kernel *k = kernel_of(l);
	const struct sources *ss = &l->sources;
	int n;

	collect(l);
	if (k->err)
		return k->err;
	/* Without room there is news that has not been told. */
	if (k->heard || ss->rescan || ss->nr_suspects || !room)
		until = 0;
	n = take(l, room, until);
	if (n < 0)
		return n;
	stats_batch(l, (unsigned int)n, room);
	for (int i = 0; i < n; i++)
		heard(l, &k->ev[i]);
	if (unlikely(ss->rescan || ss->nr_suspects))
		settle(l, (unsigned int)n, room);
	k->heard = false;
	return 0;
}

/* Nothing here is written by anyone but open(). */
static void kernel_ring(struct knell_loop *l)
{
	const struct kernel *k = kernel_of(l);
	struct knell_op op = { .op = KNELL_OP_TRIGGER, .watch = k->bell };
	struct knell_submit s = { .ops = (uintptr_t)&op, .nr_ops = 1 };
	int saved = errno;

	ioctl(k->fd, KNELL_IOC_SUBMIT, &s);
	errno = saved;
}

static int kernel_flush(struct knell_loop *l, uint64_t until)
{
	const struct sources *ss = &l->sources;
	struct kernel *k = kernel_of(l);
	int err = 0, told;

	collect(l);
	if (until)
		err = clock_arm(l, HEAP_MONOTONIC, until);
	told = k->nr_ops ? tell(l, 0, 0) : 0;
	if ((!until || err || k->heard || ss->rescan || ss->nr_suspects) && !k->rung) {
		k->rung = true;
		kernel_ring(l);
	}
	return err ? err : told < 0 ? told : k->err;
}

/* What needs memory in the kernel is made before the loop is relied upon. */
static int kernel_fd(struct knell_loop *l)
{
	struct kernel *k = kernel_of(l);
	int err;

	if (!k->clock[HEAP_MONOTONIC]) {
		err = clock_arm(l, HEAP_MONOTONIC, INT64_MAX);
		if (err)
			return err;
	}
	return k->fd;
}

/* Async-signal-safe, and says so. */
static int kernel_submit(struct knell_loop *l, struct knell_op *ops, unsigned int nr,
			 unsigned int flags)
{
	struct knell_submit s = { .ops = (uintptr_t)ops, .nr_ops = nr, .flags = flags };
	int saved = errno, ret;

	ret = ioctl(kernel_of(l)->fd, KNELL_IOC_SUBMIT, &s) < 0 ? -errno : (int)s.ops_done;
	errno = saved;
	return ret;
}

static int kernel_submit_later(struct knell_loop *l, const struct knell_op *op)
{
	*kernel_op(l) = *op;
	loop_changed(l);
	return 0;
}

/*
 * Begin and end
 */

static int check(int fd)
{
	const uint64_t needed = 1ULL << KNELL_PROCESS | 1ULL << KNELL_TIMER |
				1ULL << KNELL_USER | 1ULL << KNELL_FD | 1ULL << KNELL_TREE |
				1ULL << KNELL_CHILDREN;
	struct knell_info info;

	if (ioctl(fd, KNELL_IOC_INFO, &info) < 0)
		return errno == ESTALE || errno == EBADF ? -errno : -EPROTO;
	return info.abi == KNELL_ABI && (info.features & needed) == needed &&
	       info.event_size == sizeof(struct knell_event) ? 0 : -EPROTO;
}

/* A kept queue has the watches of a loop that is no more. */
static int drop_former(struct knell_loop *l)
{
	struct knell_watch_info *all;
	ssize_t nr = knell_queue_list(kernel_of(l)->fd, &all);

	if (nr < 0)
		return (int)nr;
	for (ssize_t i = 0; i < nr; i++)
		if (all[i].token & TOKEN_OWN)
			kernel_del(l, all[i].watch);
	free(all);
	return kernel_of(l)->err;
}

static int add_bell(struct knell_loop *l)
{
	struct knell_op op = {
		.op = KNELL_OP_ADD, .type = KNELL_USER, .token = TOKEN(SORT_BELL, 0),
	};
	int err = kernel_now(l, &op, 1);

	kernel_of(l)->bell = op.watch;
	return err ? err : op.result;
}

static struct kernel *kernel_alloc(const struct knell_loop *l)
{
	struct kernel *k = calloc(1, sizeof(*k));

	if (!k)
		return NULL;
	k->free_slot = NO_SLOT;
	for (enum heap_id id = 0; id < HEAPS; id++)
		k->set[id] = KNELL_NEVER;
	k->op = malloc(KNELL_MAX_OPS * sizeof(*k->op));
	k->ev = calloc(l->batch, sizeof(*k->ev));
	if (k->op && k->ev)
		return k;
	free(k->op);
	free(k->ev);
	free(k);
	return NULL;
}

static void kernel_free(struct knell_loop *l)
{
	struct kernel *k = kernel_of(l);

	l->backend = NULL;
	free(k->slot);
	free(k->op);
	free(k->ev);
	free(k);
}

static int kernel_open(struct knell_loop *l, const struct knell_loop_attr *attr)
{
	bool given = attr->flags & KNELL_LOOP_FD;
	int fd = given ? attr->fd : knell_queue_open(attr->device), err;

	if (fd < 0)
		return given ? -EBADF : fd;
	l->backend = kernel_alloc(l);
	err = -ENOMEM;
	if (!l->backend)
		goto err_close;
	kernel_of(l)->fd = fd;
	err = check(fd);
	if (!err && given)
		err = drop_former(l);
	if (!err)
		err = add_bell(l);
	if (!err)
		return 0;
	kernel_free(l);
	l->armed = 0;
err_close:
	/* What was given stays the caller's. */
	if (!given)
		close(fd);
	return err;
}

static void kernel_close(struct knell_loop *l)
{
	close(kernel_of(l)->fd);
	kernel_free(l);
}

const struct backend_ops backend_kernel = {
	.id = KNELL_BACKEND_KERNEL,
	.open = kernel_open,
	.close = kernel_close,
	.poll = kernel_poll,
	.ring = kernel_ring,
	.fd = kernel_fd,
	.flush = kernel_flush,
	.clock_set = clock_arm,
	.queue_info = kernel_queue_info,
	.child_watch = kernel_child_watch,
	.child_unwatch = kernel_child_unwatch,
	.child_pid = kernel_child_pid,
	.child_kill = kernel_child_kill,
	.children_watch = kernel_children_watch,
	.tree_watch = kernel_tree_watch,
	.tree_join = kernel_tree_join,
	.submit = kernel_submit,
	.submit_later = kernel_submit_later,
};
