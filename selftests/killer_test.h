/* SPDX-License-Identifier: GPL-2.0-only */
/* A deed: a victim in a tree, who kills it, and what the record says of that. */
#ifndef _KILLER_TEST_H
#define _KILLER_TEST_H

#include "tree_test.h"

#define BY_SENDER	(KNELL_EVF_MAIN | KNELL_EVF_KILLER)

/**
 * struct deed - what the processes of a case share
 * @fd: the queue
 * @tree: handle
 * @victim: its pid, @tid: of one of its threads
 * @gate: the victim passes it when it is to go on
 * @said: from the victim, or from who runs the case
 * @sig: what a killer sends
 * @how: in which way
 * @killer: its pid
 */
struct deed {
	int fd;
	uint32_t tree;
	atomic_int victim;
	atomic_int tid;
	int gate;
	int said[2];
	int sig;
	int (*how)(struct deed *d);
	atomic_int killer;
};

static inline struct deed *new_deed(int fd, uint32_t tree)
{
	struct deed *d = shared(sizeof(*d));

	*d = (struct deed){ .fd = fd, .tree = tree, .gate = new_gate() };
	if (pipe(d->said))
		abort();
	return d;
}

FIXTURE(killer) {
	int fd;
	int64_t tree;
	struct deed *d;
};

FIXTURE_SETUP(killer)
{
	self->fd = knell_open(O_NONBLOCK);
	ASSERT_LE(0, self->fd);
	self->tree = add_tree(self->fd, 0, 1);
	ASSERT_LT(0, self->tree);
	self->d = new_deed(self->fd, self->tree);
}

FIXTURE_TEARDOWN(killer)
{
	close(self->fd);
}

/* The plainest way to send a signal. */
static inline int by_kill(struct deed *d)
{
	return kill(d->victim, d->sig);
}

/* A process that sends the signal and is gone; 0 if it could. */
static inline int run_killer(void *arg)
{
	struct deed *d = arg;

	atomic_store(&d->killer, getpid());
	return d->how(d) ? -errno : 0;
}

static inline int kill_as(const struct who *who, struct deed *d, int sig,
			  int (*how)(struct deed *d))
{
	d->sig = sig;
	d->how = how;
	return as_who(who, run_killer, d);
}

/* Victims. */

static inline void *report_tid(void *arg)
{
	struct deed *d = arg;

	atomic_store(&d->tid, own_tid());
	tell(d->said, 'r');
	sleep_for_ever(NULL);
	return NULL;
}

static inline void be_victim(void *arg)
{
	struct deed *d = arg;
	pthread_t thread;

	setpgid(0, 0);
	if (pthread_create(&thread, NULL, report_tid, d))
		_exit(BROKEN);
	sleep_for_ever(NULL);
}

/* The main process of the tree, ready. */
static inline void start_victim(struct __test_metadata *_metadata, struct deed *d, member_fn fn)
{
	pid_t pid = spawn_member(d->fd, d->tree, fn, d);

	ASSERT_LT(0, pid);
	atomic_store(&d->victim, pid);
	ASSERT_EQ('r', hear_soon(d->said));
}

/* Its EXIT is as said, in the record and by wait(2); then comes EMPTY. */
static inline void see_death(struct __test_metadata *_metadata, struct deed *d, int status,
			     unsigned int flags, pid_t killer, uid_t uid)
{
	struct knell_event ev;

	ASSERT_EQ(1, next_event(d->fd, &ev));
	EXPECT_TRUE(is_exit(&ev, d->tree, d->victim, status, 0, flags));
	EXPECT_EQ(killer, ev.exit.killer_pid);
	EXPECT_EQ(uid, ev.exit.killer_uid);
	EXPECT_TRUE(next_is_empty(d->fd, d->tree, d->victim));
	EXPECT_EQ(status, reap(d->victim) & ~0x80);
}

/* A uid of its own, with the capability to kill anybody. */
static const struct who assassin = { 3000, 3000, 3000, 1ULL << CAP_KILL };
static const struct who bystander = { 4000, 4000, 4000, 1ULL << CAP_KILL };

/* Signals that are handled are told, so that the next step comes thereafter. */
static struct deed *the_deed;

static inline void tell_signal(int sig)
{
	(void)sig;
	tell(the_deed->said, 's');
}

static inline void handle(void *arg)
{
	static const int sigs[] = { SIGTERM, SIGUSR1, SIGSEGV, SIGALRM, SIGABRT, SIGINT };

	the_deed = arg;
	for (size_t i = 0; i < ARRAY_SIZE(sigs); i++)
		catch_signal(sigs[i], tell_signal, 0);
	tell(the_deed->said, 'r');
	pass_gate(the_deed->gate);
}

/* For those that are killed as a cgroup; root's. */
#define CGROUP		"/sys/fs/cgroup/killer"

static inline void remove_cgroup(void)
{
	while (rmdir(CGROUP) && errno == EBUSY)
		sched_yield();
}

#endif /* _KILLER_TEST_H */
