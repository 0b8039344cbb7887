// SPDX-License-Identifier: GPL-2.0-only
/*
 * Descriptors that a service leaves with its manager, to get them back at its next start.
 *
 * One whose other end is gone is dropped: at once as long as nothing can be read from it, else when
 * the store is looked at, for no loop is to be woken again and again by data that waits there for
 * the service.
 */
#include <errno.h>
#include <linux/kcmp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base.h"
#include "fdstore.h"

static void drop(struct fd_store *s, struct stored_fd *f)
{
	struct stored_fd **p = &s->first;

	while (*p != f)
		p = &(*p)->next;
	*p = f->next;
	s->nr--;
	knell_cancel(s->loop, f->task);
	close(f->fd);
	free(f->name);
	free(f);
}

static void on_ready(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	struct stored_fd *f = arg;

	(void)l;
	if (call->io.revents & (EPOLLHUP | EPOLLERR) && !call->io.error)
		drop(f->store, f);
}

/* The same open file: kcmp(2); where there is none, no two are. */
static bool same_file(int a, int b)
{
	return !syscall(SYS_kcmp, getpid(), getpid(), KCMP_FILE, a, b);
}

/* Drops all whose other end is gone. */
void fd_store_sweep(struct fd_store *s)
{
	struct stored_fd *f, *next;

	for (f = s->first; f; f = next) {
		struct pollfd p = { .fd = f->fd };

		next = f->next;
		if (f->poll && poll(&p, 1, 0) > 0 && p.revents & (POLLHUP | POLLERR))
			drop(s, f);
	}
}

/**
 * fd_store_add - keep a descriptor
 * @s: store; its loop is set
 * @fd: close-on-exec; the store's if it is kept
 * @name: copied
 * @poll: drop it when its other end is gone
 * @max: as many as the store may have
 *
 * Return: 1 kept, 0 the same file is there already, -ENOSPC
 */
int fd_store_add(struct fd_store *s, int fd, const char *name, bool poll, size_t max)
{
	struct stored_fd *f, **end = &s->first;

	for (; *end; end = &(*end)->next)
		if (same_file((*end)->fd, fd))
			return 0;
	if (s->nr >= max) {
		fd_store_sweep(s);
		if (s->nr >= max)
			return -ENOSPC;
		for (end = &s->first; *end; end = &(*end)->next)
			;
	}
	f = *end = xcalloc(1, sizeof(*f));
	*f = (struct stored_fd){ .store = s, .fd = fd, .name = xstrdup(name), .poll = poll };
	s->nr++;
	if (poll)
		f->task = knell_add_read(s->loop, on_ready, f, fd);
	return 1;
}

/* Drops all of that name, NULL: all; how many that were. */
size_t fd_store_remove(struct fd_store *s, const char *name)
{
	struct stored_fd *f, *next;
	size_t before = s->nr;

	for (f = s->first; f; f = next) {
		next = f->next;
		if (!name || !strcmp(f->name, name))
			drop(s, f);
	}
	return before - s->nr;
}
