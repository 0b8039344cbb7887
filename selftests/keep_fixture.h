/* SPDX-License-Identifier: GPL-2.0-only */
/* A kept queue's tests: the fixture "keep", and what they have in common beyond keep_test.h. */
#ifndef _KEEP_FIXTURE_H
#define _KEEP_FIXTURE_H

#include "keep_test.h"

#define NAME		"manager"

/* A door to ATTACH by, a queue of its own; no kept queue is left behind. */
FIXTURE(keep) {
	int fd;
	int64_t *sh;		/* shared with children */
};

FIXTURE_SETUP(keep)
{
	self->fd = knell_open(O_NONBLOCK);
	ASSERT_LE(0, self->fd);
	self->sh = shared(4096);
}

FIXTURE_TEARDOWN(keep)
{
	close(self->fd);
	EXPECT_EQ(0, drop_queue(NAME));
	EXPECT_EQ(0, module_refs_after_all(0));
}

/* fork(), whose result is in shared memory: the child does not write it. */
static inline pid_t fork_into(int64_t *to)
{
	pid_t pid = fork();

	if (pid)
		*to = pid;
	return pid;
}

static inline int ioctl_error(int fd, unsigned long cmd, void *arg)
{
	return ioctl(fd, cmd, arg) < 0 ? -errno : 0;
}

/* A queue with as many bells as @arg says, of whoever runs this and is gone soon. */
static inline int keep_and_die(void *arg)
{
	int64_t i, nr = arg ? *(int64_t *)arg : 1;
	int fd = knell_open(0);

	for (i = 0; i < nr; i++)
		if (fd < 0 || add_watch(fd, op_user(1)) < 0)
			return -errno;
	return keep_queue(fd, NAME);
}

enum sleeper { IN_READ, IN_SUBMIT, IN_POLL, IN_EPOLL, SLEEPERS };
static const long sleeps_in[] = { SYS_read, SYS_ioctl, SYS_poll, SYS_epoll_wait };

struct heir {
	int64_t watch;
	int64_t pid;
	int go[2];
	int said[2];
};

/* A child on its way to exec: it has the descriptor, and waits. */
static inline int leave_an_heir(struct manager *m)
{
	struct knell_event ev;
	struct heir *h = m->arg;

	h->watch = add_watch(m->fd, op_user(1));
	CHECK(h->watch > 0);
	if (fork_into(&h->pid))
		return h->pid < 0;
	must_hear(h->go, 's');
	tell(h->said, wait_events(m->fd, &ev, 1, 0) == -ESTALE ? 's' : 'x');
	must_hear(h->go, 'c');
	close(m->fd);
	tell(h->said, 'c');
	must_hear(h->go, 'e');
	_exit(7);
}

/* @nr records, or fewer if that does not come about. */
static inline int read_records(int fd, struct knell_event *ev, int nr)
{
	int i;

	for (i = 0; i < nr; i++)
		if (next_event(fd, &ev[i]) != 1)
			break;
	return i;
}

#endif /* _KEEP_FIXTURE_H */
