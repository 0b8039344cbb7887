/* SPDX-License-Identifier: GPL-2.0-only */
/* What the processes of a test of KILL share: see struct party. */
#ifndef _TREE_PARTY_H
#define _TREE_PARTY_H

#include "tree_test.h"

#define REPORTS		(KNELL_OPF_REPORT_FORK | KNELL_OPF_REPORT_EXIT)

/**
 * struct party - what the processes of a case share
 * @fd: the queue, @copy: again, if not 0
 * @tree: handle, @inner: another
 * @gate: opened for those who wait there
 * @said: to whoever runs the case
 * @forks: that took place
 * @signals: that a handler took
 * @stop: to those who go on until they are told
 * @result: of what a thread does, @gate2: another, @fn: what is to be run
 * @life: held by all members
 */
struct party {
	int fd;
	int copy;
	uint32_t tree;
	uint32_t inner;
	int gate;
	int said[2];
	atomic_int forks;
	atomic_int signals;
	atomic_int stop;
	atomic_int bad;
	atomic_int pid[8];
	unsigned int nr;
	int result;
	int gate2;
	member_fn fn;
	struct lifeline life;
};

static inline struct party *new_party(int fd, uint32_t tree)
{
	struct party *p = shared(sizeof(*p));

	p->fd = fd;
	p->tree = tree;
	p->gate = new_gate();
	if (pipe(p->said) || new_lifeline(&p->life))
		abort();
	return p;
}

static inline void end_party(struct party *p)
{
	close(p->gate);
	close(p->said[0]);
	close(p->said[1]);
	close(p->life.fd[0]);
	munmap(p, sizeof(*p));
}

static inline void note_fork(struct party *p, long pid)
{
	if (pid > 0)
		atomic_fetch_add(&p->forks, 1);
}

/* DEL of a tree in full flight: all live on, until they are told, and leave no trace. */
static inline void fork_until_told(void *arg)
{
	struct party *p = arg;

	while (!atomic_load(&p->stop)) {
		pid_t pid = bare_fork();

		if (!pid)
			_exit(0);
		note_fork(p, pid);
		if (reap(pid))
			atomic_fetch_add(&p->bad, 1);
	}
}

/* The device is root's unless he says otherwise. */
static inline void let_users_in(struct __test_metadata *_metadata)
{
	ASSERT_EQ(0, chmod(KNELL_DEVICE, 0666));
}

static inline void keep_users_out(void)
{
	chmod(KNELL_DEVICE, 0600);
}

static inline int steal_fd(pid_t pid, int fd)
{
	int pidfd = pidfd_of(pid), own = syscall(SYS_pidfd_getfd, pidfd, fd, 0);

	close(pidfd);
	return own;
}

/* A process of user 1000's, which runs @play on @p: it opens a queue and says 'u'. That queue. */
static inline int start_user(struct __test_metadata *_metadata, struct party *p,
			     int (*play)(void *p), pid_t *user)
{
	let_users_in(_metadata);
	*user = fork();
	ASSERT_LE(0, *user);
	if (!*user) {
		become(&user_1000);
		_exit(play(p));
	}
	ASSERT_EQ('u', hear_soon(p->said));
	keep_users_out();
	return steal_fd(*user, p->fd);
}

#endif /* _TREE_PARTY_H */
