/* SPDX-License-Identifier: GPL-2.0-only */
/* A trap for readers of a queue, to look at it in the middle of their copy. */
#ifndef _TRAP_TEST_H
#define _TRAP_TEST_H

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A page at which whoever touches it stops until it is told how to go on. */
struct trap {
	int fd;
	char *page;
	size_t size;
};

static inline int set_trap(struct trap *t)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };

	t->size = sysconf(_SC_PAGESIZE);
	t->page = mmap(NULL, t->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	t->fd = syscall(SYS_userfaultfd, O_CLOEXEC);
	if (t->page == MAP_FAILED || t->fd < 0 || ioctl(t->fd, UFFDIO_API, &api))
		return -errno;
	reg.range.start = (uintptr_t)t->page;
	reg.range.len = t->size;
	return ioctl(t->fd, UFFDIO_REGISTER, &reg) ? -errno : 0;
}

/* Returns once somebody is in it. */
static inline int wait_trapped(struct trap *t)
{
	struct uffd_msg msg;

	return read(t->fd, &msg, sizeof(msg)) == sizeof(msg) ? 0 : -errno;
}

/* He goes on, with a page. */
static inline int end_trap(struct trap *t)
{
	struct uffdio_zeropage zero = {
		.range = { .start = (uintptr_t)t->page, .len = t->size },
	};

	return ioctl(t->fd, UFFDIO_ZEROPAGE, &zero) ? -errno : 0;
}

#endif /* _TRAP_TEST_H */
