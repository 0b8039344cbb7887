/* SPDX-License-Identifier: GPL-2.0-only */
/* Descriptors that a service leaves with its manager: FileDescriptorStoreMax=. */
#ifndef _KNELLD_FDSTORE_H
#define _KNELLD_FDSTORE_H

#include <stdbool.h>
#include <stddef.h>

#include "knell.h"

struct stored_fd {
	struct stored_fd *next;		/* in the order in which they came */
	struct fd_store *store;
	int fd;
	char *name;
	bool poll;
	knell_task task;
};

/* All zero but the loop is an empty one. */
struct fd_store {
	struct knell_loop *loop;
	struct stored_fd *first;
	size_t nr;
};

int fd_store_add(struct fd_store *s, int fd, const char *name, bool poll, size_t max);
size_t fd_store_remove(struct fd_store *s, const char *name);
void fd_store_sweep(struct fd_store *s);

#endif
