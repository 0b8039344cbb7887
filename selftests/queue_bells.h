/* SPDX-License-Identifier: GPL-2.0-only */
/* Bells that ring in a queue, and threads that sleep in read() until they do. */
#ifndef _QUEUE_BELLS_H
#define _QUEUE_BELLS_H

#include "queue_test.h"

/* @nr bells with tokens from 1 on; 0 or -errno. */
static inline int add_bells(int fd, uint32_t *watch, int nr)
{
	int64_t handle;
	int i;

	for (i = 0; i < nr; i++) {
		handle = add_watch(fd, op_user(i + 1));
		if (handle <= 0)
			return handle ? (int)handle : -EPROTO;
		watch[i] = handle;
	}
	return 0;
}

/* One record of each, in order, all in one call. */
static inline int ring_bells(int fd, const uint32_t *watch, int nr)
{
	struct knell_op ops[64];
	int i, err;

	for (i = 0; i < nr; i++)
		ops[i] = op_trigger(watch[i], 1);
	err = submit_ops(fd, ops, nr);
	for (i = 0; !err && i < nr; i++)
		err = ops[i].result;
	return err;
}

static inline int set_blocking(int fd, int blocking)
{
	return fcntl(fd, F_SETFL, O_RDWR | (blocking ? 0 : O_NONBLOCK));
}

struct sleeper {
	pthread_t thread;
	int fd;
	void *buf;
	volatile pid_t tid;
	volatile int done;
	ssize_t ret;
	int err;
	struct knell_event ev;
};

static inline void *sleep_in_read(void *arg)
{
	struct sleeper *s = arg;

	s->tid = own_tid();
	s->ret = read(s->fd, s->buf ?: &s->ev, sizeof(s->ev));
	s->err = errno;
	s->done = 1;
	return NULL;
}

static inline int start_sleeper(struct sleeper *s, int fd, void *buf)
{
	memset(s, 0, sizeof(*s));
	s->fd = fd;
	s->buf = buf;
	if (pthread_create(&s->thread, NULL, sleep_in_read, s))
		return -EAGAIN;
	while (!s->tid)
		sched_yield();
	wait_blocked(getpid(), s->tid, SYS_read);
	return 0;
}

#endif /* _QUEUE_BELLS_H */
