// SPDX-License-Identifier: LGPL-2.1-or-later
/* Who waits for which descriptor, in pages that come with the first descriptor in them. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>

#include "internal.h"

static const struct io io_new = { .task = { NO_TASK, NO_TASK }, .next_dirty = -1 };

struct io *io_find(const struct knell_loop *l, int fd)
{
	int nr = fd / IO_PAGE;

	if (fd < 0 || nr >= l->io.nr_pages || !l->io.page[nr])
		return NULL;
	return &l->io.page[nr][fd % IO_PAGE];
}

/* One that there is. */
static struct io *io_at(const struct knell_loop *l, int fd)
{
	return &l->io.page[fd / IO_PAGE][fd % IO_PAGE];
}

static int grow(struct io_table *table, int nr)
{
	struct io **page = reallocarray(table->page, nr, sizeof(*page));

	if (!page)
		return -ENOMEM;
	for (int i = table->nr_pages; i < nr; i++)
		page[i] = NULL;
	table->page = page;
	table->nr_pages = nr;
	return 0;
}

static struct io *io_make(struct knell_loop *l, int fd)
{
	struct io *io = io_find(l, fd);
	int nr = fd / IO_PAGE;

	if (io)
		return io;
	if (nr >= l->io.nr_pages && grow(&l->io, nr + 1))
		return NULL;
	io = malloc(IO_PAGE * sizeof(*io));
	if (!io)
		return NULL;
	for (int i = 0; i < IO_PAGE; i++)
		io[i] = io_new;
	l->io.page[nr] = io;
	return &io[fd % IO_PAGE];
}

static bool waits(const struct knell_loop *l, uint32_t idx)
{
	return idx != NO_TASK && task_at(&l->tasks, idx)->state == TASK_WAITING;
}

uint32_t io_wanted(const struct knell_loop *l, const struct io *io)
{
	return (waits(l, io->task[KNELL_KIND_READ]) ? EPOLLIN : 0) |
	       (waits(l, io->task[KNELL_KIND_WRITE]) ? EPOLLOUT : 0);
}

void io_touch(struct knell_loop *l, int fd)
{
	struct io *io = io_at(l, fd);

	if (io->dirty)
		return;
	io->dirty = true;
	io->next_dirty = l->io.first_dirty;
	l->io.first_dirty = fd;
}

int io_next_dirty(struct knell_loop *l)
{
	int fd = l->io.first_dirty;
	struct io *io;

	if (fd < 0)
		return -1;
	io = io_at(l, fd);
	io->dirty = false;
	l->io.first_dirty = io->next_dirty;
	return fd;
}

void io_event(struct knell_loop *l, int fd, enum knell_kind kind, uint32_t revents, int error,
	      uint64_t when)
{
	struct io *io = io_find(l, fd);
	struct task *t;

	/* Cancelled meanwhile. */
	if (!io || !waits(l, io->task[kind]))
		return;
	t = task_at(&l->tasks, io->task[kind]);
	t->u.io.revents = revents;
	t->u.io.error = error;
	loop_deliver(l, kind == KNELL_KIND_READ ? LIST_READ : LIST_WRITE, t, when);
}

void io_forget(struct knell_loop *l, struct task *t)
{
	struct io *io = io_find(l, t->u.io.fd);

	io->task[t->kind] = NO_TASK;
	l->io.waiting--;
	io_touch(l, t->u.io.fd);
}

void io_free(struct knell_loop *l)
{
	for (int i = 0; i < l->io.nr_pages; i++)
		free(l->io.page[i]);
	free(l->io.page);
}

knell_task knell_add_io_site(struct knell_loop *l, const struct knell_site *site,
			     knell_cb *cb, void *arg, enum knell_kind kind, int fd)
{
	struct task *t;
	struct io *io;

	if (kind > KNELL_KIND_WRITE || fd < 0) {
		errno = fd < 0 ? EBADF : EINVAL;
		return KNELL_NONE;
	}
	t = loop_add(l, kind, site, cb, arg);
	if (!t)
		return KNELL_NONE;
	io = io_make(l, fd);
	if (!io || io->task[kind] != NO_TASK) {
		task_free(l, t);
		errno = io ? EEXIST : ENOMEM;
		return KNELL_NONE;
	}
	t->u.io.fd = fd;
	io->task[kind] = task_name(t).idx;
	l->io.waiting++;
	io_touch(l, fd);
	loop_changed(l);
	return task_name(t);
}
