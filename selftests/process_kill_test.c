// SPDX-License-Identifier: GPL-2.0-only
/*
 * KILL by handle: never the newcomer that got the pid, and only who has the right
 * that kill(2) asks for.
 *
 * runner-limit: 900
 */
#include "kselftest_harness.h"

#include <limits.h>
#include <linux/sched.h>

#include "process_reuse.h"

/* KILL */

TEST_F_TIMEOUT(reuse, kill_by_state, LIMIT)
{
	struct target t = self->t;
	int64_t unborn;
	uint32_t watch;

	for (unsigned int i = 0; i < ARRAY_SIZE(early); i++) {
		t = self->t;
		t.how = early[i];
		ASSERT_EQ(0, spawn(&t));
		watch = watch_of(self->queue, 1);
		EXPECT_EQ(-EINVAL, kill_watch(self->queue, watch, -1));
		EXPECT_EQ(-EINVAL, kill_watch(self->queue, watch, 65));
		EXPECT_EQ(-EINVAL, kill_watch(self->queue, watch, INT_MIN));
		EXPECT_EQ(-EINVAL, kill_watch(self->queue, watch, INT_MAX));
		EXPECT_EQ(0, kill_watch(self->queue, watch, 0));
		EXPECT_EQ(0, kill_watch(self->queue, watch, i & 1 ? SIGKILL : 64));
		ASSERT_EQ(0, await_zombie(t.pid));
		EXPECT_EQ(-ESRCH, kill_watch(self->queue, watch, SIGKILL));
		EXPECT_EQ(-ESRCH, kill_watch(self->queue, watch, 0));
		EXPECT_EQ(i & 1 ? SIGKILL : 64, reap(t.pid));
		EXPECT_EQ(-ESRCH, kill_watch(self->queue, watch, SIGKILL));
		see_record(_metadata, self->queue, 1, t.pid, i & 1 ? SIGKILL : 64);
		EXPECT_EQ(-ENOENT, kill_watch(self->queue, watch, SIGKILL));
		forget(&t);
	}
	unborn = add_next(self->queue, 1);
	ASSERT_LT(0, unborn);
	EXPECT_EQ(-ESRCH, kill_watch(self->queue, unborn, SIGKILL));
	EXPECT_EQ(0, del_watch(self->queue, unborn));
}

/* A child that is killed by handle as soon as there is one. */
TEST_F_TIMEOUT(reuse, kill_of_the_newborn, LIMIT)
{
	for (int i = 0; i < rounds(300); i++) {
		int64_t watch = add_next(self->queue, 1);
		pid_t pid;

		ASSERT_LT(0, watch);
		pid = fork();
		ASSERT_LE(0, pid);
		if (!pid)
			for (;;)
				pause();
		ASSERT_EQ(0, kill_watch(self->queue, watch, SIGKILL));
		see_record(_metadata, self->queue, 1, pid, SIGKILL);
		ASSERT_EQ(SIGKILL, reap(pid));
	}
}

struct told {
	siginfo_t info;
};

static struct told *told;

static void run_tell_signal(struct target *t)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	tell(t->said, 'b');
	if (sigwaitinfo(&set, &told->info) != SIGUSR1)
		_exit(BROKEN);
	_exit(3);
}

/* What the target sees is a kill(2) by the caller. */
TEST_F_TIMEOUT(reuse, kill_names_the_caller, LIMIT)
{
	struct target t = self->t;

	told = shared(sizeof(*told));
	t.run = run_tell_signal;
	ASSERT_EQ(0, spawn(&t));
	ASSERT_EQ('b', hear(t.said));
	ASSERT_EQ(0, kill_watch(self->queue, t.watch, SIGUSR1));
	see_record(_metadata, self->queue, 1, t.pid, 3 << 8);
	EXPECT_EQ(SI_USER, told->info.si_code);
	EXPECT_EQ(getpid(), told->info.si_pid);
	EXPECT_EQ(getuid(), told->info.si_uid);
	EXPECT_EQ(3 << 8, reap(t.pid));
}

/* One row of the table of rights: bit 0 to 2 say which of the target's ids are 1000. */
struct shot {
	int queue;
	uint32_t watch;
	pid_t pid;
	unsigned int allowed, refused;
};

static void run_with_ids(struct target *t)
{
	const struct who who = {
		t->arg & 1 ? 1000 : 0, t->arg & 2 ? 1000 : 0, t->arg & 4 ? 1000 : 0, ~0ULL,
	};

	if (t->arg & 8 && setsid() < 0)
		_exit(BROKEN);
	become(&who);
	tell(t->said, 'b');
	for (;;)
		pause();
}

/* None of these hurts; the row that differs from kill(2), counted from 1, or 0. */
static int shoot_both_ways(void *arg)
{
	static const int sigs[] = { 0, SIGCONT, SIGWINCH, SIGURG };
	struct shot *shot = arg;

	for (unsigned int i = 0; i < ARRAY_SIZE(sigs); i++) {
		int err = kill(shot->pid, sigs[i]) ? -errno : 0;

		if (kill_watch(shot->queue, shot->watch, sigs[i]) != err)
			return i + 1;
		if (err && err != -EPERM)
			return -EPROTO;
		shot->refused += err == -EPERM;
		shot->allowed += err == 0;
	}
	return 0;
}

TEST_F_TIMEOUT(reuse, kill_rights_are_those_of_kill, LIMIT)
{
	static const struct who senders[] = {
		{ 0, 0, 0, ~0ULL }, { 0, 0, 0, 0 },
		{ 1000, 1000, 1000, 0 }, { 1001, 1001, 1001, 0 },
		{ 0, 1000, 0, 0 }, { 1000, 0, 0, 0 },
		{ 1001, 1000, 1001, 0 }, { 1001, 1001, 1000, 0 },
		{ 1000, 1000, 1000, 1ULL << CAP_KILL },
		{ 1000, 1000, 1000, 1ULL << CAP_SYS_PTRACE },
	};
	struct shot *shot = shared(sizeof(*shot));

	shot->queue = self->queue;
	for (int ids = 0; ids < 16; ids++) {
		struct target t = self->t;

		t.arg = ids;
		t.run = run_with_ids;
		ASSERT_EQ(0, spawn(&t));
		ASSERT_EQ('b', hear(t.said));
		shot->pid = t.pid;
		shot->watch = t.watch;
		for (unsigned int i = 0; i < ARRAY_SIZE(senders); i++) {
			EXPECT_EQ(0, as_who(&senders[i], shoot_both_ways, shot)) {
				TH_LOG("target %d, sender %u", ids, i);
			}
		}
		EXPECT_EQ(0, kill_watch(self->queue, t.watch, SIGKILL));
		see_record(_metadata, self->queue, 1, t.pid, SIGKILL);
		EXPECT_EQ(SIGKILL, reap(t.pid));
		forget(&t);
	}
	EXPECT_LT(100, shot->allowed);
	EXPECT_LT(100, shot->refused);
}

/* Pid namespaces: inside 1 is the first process, outside it has a number like any other. */

struct inside {
	int queue;	/* of the outside */
	uint32_t outsider;
	pid_t outsider_pid;
	int go[2];
	int said[2];
};

#define INSIDE(cond)							\
	do {								\
		if (!(cond)) {						\
			fprintf(stderr, "# inside: %s\n", #cond);	\
			_exit(BROKEN);					\
		}							\
	} while (0)

static void run_inside(struct inside *in)
{
	struct knell_event ev;
	int own = knell_open(0);
	pid_t pid;

	INSIDE(own >= 0 && getpid() == 1);
	/* One of the inside, watched from the inside. */
	INSIDE(add_next(own, 1) > 0);
	pid = fork();
	if (!pid)
		_exit(4);
	INSIDE(pid > 1 && pid < 10);
	INSIDE(next_event(own, &ev) == 1 && ev.exit.pid == pid && ev.exit.status == 4 << 8);
	INSIDE(reap(pid) == 4 << 8);

	/* Who is outside has no name here, and may not be killed from here. */
	INSIDE(watch_info(in->queue, in->outsider).watch == in->outsider);
	INSIDE(watch_info(in->queue, in->outsider).pid == 0);
	INSIDE(kill_watch(in->queue, in->outsider, 0) == -EPERM);
	INSIDE(kill_watch(in->queue, in->outsider, SIGKILL) == -EPERM);
	INSIDE(add_pid(own, in->outsider_pid, 1) == -ESRCH);
	tell(in->said, 'e');
	must_hear(in->go, 'r');
	INSIDE(next_event(in->queue, &ev) == 1 && ev.token == 10 && ev.exit.pid == 0);
	INSIDE(ev.exit.status == 3 << 8 && ev.flags == 0);

	/* For the outside: added here by the name it has here. */
	pid = fork();
	if (!pid)
		for (;;)
			pause();
	INSIDE(add_pid(in->queue, pid, 20) > 0);
	INSIDE(watch_info(in->queue, watch_of(in->queue, 20)).pid == pid);
	tell(in->said, pid);
	INSIDE(reap(pid) == SIGKILL);
	for (;;)
		pause();
}

/* The name that process @pid has in the innermost namespace. */
static int inner_pid(pid_t pid)
{
	char path[64], line[256], *p;
	int inner = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	f = fopen(path, "r");
	if (!f)
		return -1;
	while (fgets(line, sizeof(line), f)) {
		if (strncmp(line, "NSpid:", 6))
			continue;
		p = strrchr(line, '\t');
		if (p)
			inner = atoi(p + 1);
	}
	fclose(f);
	return inner;
}

TEST_F_TIMEOUT(reuse, pid_namespace, LIMIT)
{
	struct inside in = { .queue = self->queue };
	struct target out = self->t;
	struct knell_event ev;
	uint32_t watch, child;
	pid_t init, pid;
	char name;

	/* One of the outside. */
	out.token = 10;
	ASSERT_EQ(0, spawn(&out));
	in.outsider = out.watch;
	in.outsider_pid = out.pid;

	ASSERT_EQ(0, pipe(in.go));
	ASSERT_EQ(0, pipe(in.said));
	ASSERT_EQ(0, unshare(CLONE_NEWPID));
	ASSERT_LT(0, add_next(self->queue, 30));
	init = fork();
	ASSERT_LE(0, init);
	if (!init)
		run_inside(&in);
	close(in.said[1]);
	ASSERT_EQ('e', hear(in.said));
	tell(out.go, 'g');
	ASSERT_EQ(3 << 8, reap(out.pid));
	tell(in.go, 'r');

	/* One of the inside, watched from the outside. */
	name = hear(in.said);
	ASSERT_LT(1, name);
	child = watch_of(self->queue, 20);
	ASSERT_NE(0, child);
	pid = watch_info(self->queue, child).pid;
	ASSERT_LT(0, pid);
	EXPECT_EQ(name, inner_pid(pid));
	EXPECT_EQ(0, kill_watch(self->queue, child, SIGKILL));
	ASSERT_EQ(1, next_event(self->queue, &ev));
	EXPECT_EQ(20, ev.token);
	EXPECT_EQ(pid, ev.exit.pid);
	EXPECT_EQ(SIGKILL, ev.exit.status);

	watch = watch_of(self->queue, 30);
	EXPECT_EQ(init, watch_info(self->queue, watch).pid);
	EXPECT_EQ(0, kill_watch(self->queue, watch, SIGKILL));
	see_record(_metadata, self->queue, 30, init, SIGKILL);
	EXPECT_EQ(SIGKILL, reap(init));
	EXPECT_TRUE(nothing_pending(self->queue));
	EXPECT_EQ(0, nr_watches(self->queue));
}

TEST_HARNESS_MAIN
