// SPDX-License-Identifier: LGPL-2.1-or-later
/* The kernel's queue, for those who put watches into it themselves. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/knell.h>

#include "internal.h"

int knell_queue_open(const char *device)
{
	int fd = open(device ? device : KNELL_DEVICE, O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

static int set_name(struct knell_name *n, const char *name)
{
	size_t len = name ? strlen(name) : 0;

	if (!len || len >= sizeof(n->name))
		return -EINVAL;
	*n = (struct knell_name){ 0 };
	memcpy(n->name, name, len);
	return 0;
}

static int keep(int fd, const char *name, uint32_t flags)
{
	struct knell_name n;
	int err = set_name(&n, name);

	if (err)
		return err;
	n.flags = flags;
	return ioctl(fd, KNELL_IOC_KEEP, &n) < 0 ? -errno : 0;
}

int knell_queue_keep(int fd, const char *name)
{
	return keep(fd, name, 0);
}

int knell_queue_unkeep(int fd, const char *name)
{
	return keep(fd, name, KNELL_KEEP_OFF);
}

int knell_queue_attach(int fd, const char *name)
{
	struct knell_name n;
	int err = set_name(&n, name), queue;

	if (err)
		return err;
	n.uid = geteuid();
	queue = ioctl(fd, KNELL_IOC_ATTACH, &n);
	return queue < 0 ? -errno : queue;
}

/* Up to @room behind @nr of them: how many, or -errno. */
static ssize_t list_more(int fd, struct knell_watch_info *all, size_t nr, size_t room)
{
	struct knell_list list = {
		.watches = (uintptr_t)(all + nr),
		.nr = room,
		.after = nr ? all[nr - 1].watch : 0,
	};

	return ioctl(fd, KNELL_IOC_LIST, &list) < 0 ? -errno : (ssize_t)list.nr;
}

ssize_t knell_queue_list(int fd, struct knell_watch_info **watches)
{
	struct knell_watch_info *all = NULL, *more;
	struct knell_list count = { 0 };
	size_t nr = 0, room;
	ssize_t n;

	if (ioctl(fd, KNELL_IOC_LIST, &count) < 0)
		return -errno;
	/* One more than there are: a call that fills less than it could has come to the end. */
	room = (size_t)count.total + 1;
	for (;;) {
		more = reallocarray(all, room, sizeof(*all));
		if (!more) {
			free(all);
			return -ENOMEM;
		}
		all = more;
		n = list_more(fd, all, nr, room - nr);
		if (n < 0) {
			free(all);
			return n;
		}
		nr += (size_t)n;
		if (nr < room)
			break;
		room *= 2;
	}
	*watches = all;
	return (ssize_t)nr;
}

/* Tokens of the loop's own are not for others. */
static bool op_is_fine(const struct knell_op *op)
{
	return !((op->op == KNELL_OP_ADD || op->op == KNELL_OP_MOD) && op->token >> 63);
}

int knell_submit(struct knell_loop *l, struct knell_op *ops, unsigned int nr, unsigned int flags)
{
	if (!l->ops->submit)
		return -EOPNOTSUPP;
	for (unsigned int i = 0; i < nr; i++)
		if (!op_is_fine(&ops[i]))
			return -EINVAL;
	return l->ops->submit(l, ops, nr, flags);
}

int knell_submit_later(struct knell_loop *l, const struct knell_op *op)
{
	if (loop_is_copy(l))
		return -ECHILD;
	if (!l->ops->submit_later)
		return -EOPNOTSUPP;
	if (!op_is_fine(op))
		return -EINVAL;
	return l->ops->submit_later(l, op);
}
