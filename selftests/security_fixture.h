/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Who may do what: each ACT of security_*_test.c is a row of the table in Documentation/security.rst,
 * which is made of them (Documentation/security-table.sh), and each word of it a cell. Here is who
 * acts, the heads of its columns, and what there is to act on: it belongs to the owner, user 1000, or
 * where it says so to root.
 */
#ifndef _SECURITY_FIXTURE_H
#define _SECURITY_FIXTURE_H

#include "kselftest_harness.h"

#include <sched.h>

#include "netlink_test.h"

#define CAP(name)	{ 1001, 1001, 1001, 1ULL << CAP_##name }
#define HIDDEN		1	/* it is done, but that is not told which the act is about */
#define ORPHAN		"security-orphan"
#define HELD		"security-held"
#define NAME		"security"
#define PARAMETERS	"/sys/module/knell/parameters/"

enum place {
	HERE,
	PID_NS,		/* in another pid namespace */
	USER_NS,	/* as root of a user namespace of one's own */
};

/**
 * struct subject - who acts
 * @name: head of his column
 * @who: ids and capabilities
 * @place: where
 */
struct subject {
	const char *name;
	struct who who;
	enum place place;
};

static const struct subject subjects[] = {
	{ "root", { 0, 0, 0, ~0ULL }, HERE },
	{ "no caps", { 0, 0, 0, 0 }, HERE },
	{ "owner", { 1000, 1000, 1000, 0 }, HERE },
	{ "other", { 1001, 1001, 1001, 0 }, HERE },
	{ "KILL", CAP(KILL), HERE },
	{ "PTRACE", CAP(SYS_PTRACE), HERE },
	{ "ADMIN", CAP(SYS_ADMIN), HERE },
	{ "NET", CAP(NET_ADMIN), HERE },
	{ "RES", CAP(SYS_RESOURCE), HERE },
	{ "SUSPEND", CAP(BLOCK_SUSPEND), HERE },
	{ "ALARM", CAP(WAKE_ALARM), HERE },
	{ "pid ns", { 1000, 1000, 1000, 0 }, PID_NS },
	{ "user ns", { 1000, 1000, 1000, 0 }, USER_NS },
	{ "root/pid", { 0, 0, 0, ~0ULL }, PID_NS },
};

#define SUBJECTS	(sizeof(subjects) / sizeof(subjects[0]))

/**
 * struct stage - what there is to act on; shared with who does
 * @uid: of the owner, as the subject has it
 * @pid: a process of the owner's, and one of root's
 * @pidfd: theirs
 * @queue: the owner's, which subjects inherit; with a watch of @pid[0], and @tree
 * @id: of it
 * @watch: its watch of @pid[0]
 * @tree: @pid[0] is its main process
 * @held: a kept queue of the owner's, too, whose holder is @holder
 * @holder: a process of the owner's
 * @orphan_id: of a kept queue of the owner's whose holder is dead
 * @mortal: a process that ends with status 3 when @gate is opened
 * @mortal_fd: its pidfd
 * @gate: see @mortal
 */
struct stage {
	uint32_t uid;
	pid_t pid[2];
	int pidfd[2];
	int queue;
	uint64_t id;
	uint32_t watch;
	uint32_t tree;
	int held;
	pid_t holder;
	uint64_t orphan_id;
	pid_t mortal;
	int mortal_fd;
	int gate;
};

typedef int (*act_fn)(struct stage *s);

FIXTURE(security) {
	struct stage *s;
	char watches[32];
};

static pid_t start_as(const struct who *who, int said[2], member_fn fn, void *arg)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	become(who);
	tell(said, 'b');
	fn(arg);
	_exit(BROKEN);
}

/* A process of @who's, which is that on return. */
static pid_t start(const struct who *who, member_fn fn, void *arg)
{
	int said[2];
	pid_t pid;

	if (pipe(said))
		return -errno;
	pid = start_as(who, said, fn, arg);
	close(said[1]);
	if (hear(said) != 'b')
		pid = -EPROTO;
	close(said[0]);
	return pid;
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	reap(pid);
}

static void hold(void *arg)
{
	if (keep_queue(*(int *)arg, HELD))
		_exit(BROKEN);
	sleep_for_ever(NULL);
}

static void live_in_tree(void *arg)
{
	struct stage *s = arg;

	if (join(s->queue, s->tree))
		_exit(BROKEN);
	sleep_for_ever(NULL);
}

/* Waits until it has done what it is there for; it might have failed to. */
static int await(bool (*is_so)(struct stage *s), struct stage *s)
{
	uint64_t until = clock_ns(CLOCK_MONOTONIC) + PATIENCE;

	while (!is_so(s)) {
		if (clock_ns(CLOCK_MONOTONIC) > until)
			return -ETIME;
		sched_yield();
	}
	return 0;
}

static bool is_held(struct stage *s)
{
	struct knell_name name = name_of(HELD, 0, 0);

	/* EBUSY: it has a name already. Never ours: the name is the owner's. */
	return ioctl(s->held, KNELL_IOC_KEEP, &name) && errno == EBUSY;
}

static bool is_member(struct stage *s)
{
	return tree_members(s->queue, s->tree) == 1;
}

/* The owner's queues, opened by this process. */
static int open_queues(struct stage *s)
{
	int err = seteuid(1000) ? -errno : 0;

	s->queue = knell_open(O_NONBLOCK);
	s->held = knell_open(O_NONBLOCK);
	if (s->queue < 0 || s->held < 0)
		err = -errno;
	return seteuid(0) ? -errno : err;
}

static int set_stage(struct stage *s)
{
	int err = open_queues(s);

	if (err)
		return err;
	s->id = queue_id(s->queue);
	s->tree = add_tree(s->queue, 0, 1);
	s->pid[0] = start(&user_1000, live_in_tree, s);
	s->pid[1] = start(&root_all, sleep_for_ever, NULL);
	s->holder = start(&user_1000, hold, &s->held);
	if (s->pid[0] < 0 || s->pid[1] < 0 || s->holder < 0)
		return -ECHILD;
	for (int i = 0; i < 2; i++)
		s->pidfd[i] = pidfd_of(s->pid[i]);
	s->watch = add_pidfd(s->queue, s->pidfd[0], 2);
	return await(is_member, s) ?: await(is_held, s);
}

/* The number that is in a parameter. */
static void read_watches(char *text, size_t size)
{
	FILE *f = fopen(PARAMETERS "max_user_watches", "r");

	if (!f || !fgets(text, size, f))
		text[0] = 0;
	if (f)
		fclose(f);
}

FIXTURE_SETUP(security)
{
	ASSERT_EQ(0, reload_module("wakeup=1 mode=0666"));
	self->s = shared(4096);
	read_watches(self->watches, sizeof(self->watches));
	ASSERT_EQ(0, set_stage(self->s));
}

/* Of the owner's queues, if it is there and its holder is not. */
static void forget_queue(const char *name)
{
	int door = knell_open(0), fd = attach_uid(door, name, 1000);

	if (fd >= 0) {
		keep_off(fd, name);
		close(fd);
	}
	close(door);
}

FIXTURE_TEARDOWN(security)
{
	struct stage *s = self->s;

	end(s->pid[0]);
	end(s->pid[1]);
	end(s->holder);
	if (s->mortal)
		end(s->mortal);
	close(s->queue);
	close(s->held);
	forget_queue(HELD);
	forget_queue(ORPHAN);
	EXPECT_EQ(0, module_refs_after_all(0));
	EXPECT_EQ(0, reload_module(""));
}

/* --- a cell */

struct play {
	const struct subject *subject;
	act_fn act;
	struct stage *stage;
};

static int play(void *arg)
{
	struct play *p = arg;

	return p->act(p->stage);
}

static int play_in_pid_ns(void *arg)
{
	struct play *p = arg;

	return unshare(CLONE_NEWPID) ? -errno : as_who(&p->subject->who, play, arg);
}

static int play_in_user_ns(void *arg)
{
	int err = enter_user_ns();

	return err ? err : play(arg);
}

/* What @subject gets: 0, HIDDEN, or -errno. */
static int outcome(const struct subject *subject, act_fn act, struct stage *stage)
{
	struct play p = { subject, act, stage };

	stage->uid = subject->place == USER_NS ? 0 : 1000;
	switch (subject->place) {
	case PID_NS:
		return as_who(&root_all, play_in_pid_ns, &p);
	case USER_NS:
		return as_who(&subject->who, play_in_user_ns, &p);
	default:
		return as_who(&subject->who, play, &p);
	}
}

static int outcome_of(const char *cell)
{
	static const struct {
		const char *cell;
		int outcome;
	} all[] = {
		{ "yes", 0 }, { "hidden", HIDDEN }, { "EPERM", -EPERM }, { "EACCES", -EACCES },
		{ "ESRCH", -ESRCH }, { "ENOSPC", -ENOSPC }, { "EBUSY", -EBUSY },
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (!strcmp(all[i].cell, cell))
			return all[i].outcome;
	return -BROKEN;
}

static void check_row(struct __test_metadata *_metadata, struct stage *s,
		      int (*prepare)(struct stage *s), act_fn act, const char *row)
{
	char cells[512], *cell, *end_of_row = NULL;
	size_t nr = 0;

	snprintf(cells, sizeof(cells), "%s", row);
	cell = strtok_r(cells, " ", &end_of_row);
	for (; cell && nr < SUBJECTS; nr++, cell = strtok_r(NULL, " ", &end_of_row)) {
		int err = prepare ? prepare(s) : 0;

		if (err == KSFT_SKIP)
			SKIP(return, "the kernel has no groups that only some may join");
		ASSERT_EQ(0, err);
		EXPECT_EQ(outcome_of(cell), outcome(&subjects[nr], act, s)) {
			TH_LOG("%s: expected %s", subjects[nr].name, cell);
		}
	}
	EXPECT_EQ(SUBJECTS, nr);
	EXPECT_EQ(NULL, cell);
}

/* A row: what is done before each of its cells, by whom, how the table calls it, the cells. */
#define ACT(name, prepare, text, cells)					\
	TEST_F_TIMEOUT(security, name, LIMIT)				\
	{								\
		check_row(_metadata, self->s, prepare, do_##name, cells);	\
	}

#endif /* _SECURITY_FIXTURE_H */
