// SPDX-License-Identifier: GPL-2.0-only
/*
 * Several who kill a tree, and those who come late into it: each of these dies by
 * the rights of the first killer who has some over him, or lives on.
 *
 * A member that is killed while a foreign tracer holds it stays a zombie and a
 * member: it keeps the tree from ending until the late ones have come, whose
 * parents had bespoken their places before.
 *
 * runner-limit: 600
 */
#include "kselftest_harness.h"

#include <sys/ptrace.h>

#include "tree_test.h"

#define CROWD		5	/* at most, of each sort */
#define NOBODY		(-1)
#define SURVIVED	7	/* its exit code */

QUEUE_FIXTURE(doom)

static const struct who user_1001 = { 1001, 1001, 1001, 0 };
static const struct who user_1002 = { 1002, 1002, 1002, 0 };
static const struct who user_1003 = { 1003, 1003, 1003, 0 };
static const struct who user_2000 = { 2000, 2000, 2000, 0 };
/* Root, but for what makes him root. */
static const struct who root_bare = { 0, 0, 0, 0 };
/* A user who may send signals to anybody. */
static const struct who user_of_kill = { 3000, 3000, 3000, 1ULL << CAP_KILL };

/**
 * struct kill - one of those who KILL
 * @who: it is
 * @ret: what KILL returns to him
 */
struct kill {
	const struct who *who;
	int ret;
};

/**
 * struct late - one who comes late
 * @who: he is
 * @by: the uid of who kills him
 */
struct late {
	const struct who *who;
	int by;
};

/**
 * struct plot - a case
 * @members: who they are; the first is the main process
 * @kills: in this order
 * @lates: in this order
 */
struct plot {
	const struct who *members[CROWD + 1];
	struct kill kills[CROWD + 1];
	struct late lates[CROWD + 1];
};

/**
 * struct scene - what the processes of a case share
 * @fd: the queue
 * @tree: handle
 * @who: members to be
 * @pid: of members
 * @late: pids of the late ones, @status: how each ended
 * @alive: late ones that came to their first instruction
 * @said: to whoever runs the case
 * @gate: for the parents of late ones, one each
 * @end: for the parent of the members
 */
struct scene {
	int fd;
	uint32_t tree;
	const struct who *const *who;
	pid_t pid[CROWD];
	pid_t late[CROWD];
	int status[CROWD];
	atomic_int alive;
	int said[2];
	int gate[CROWD];
	int end;
};

static struct scene *new_scene(int fd, uint32_t tree)
{
	struct scene *s = shared(sizeof(*s));

	s->fd = fd;
	s->tree = tree;
	s->end = new_gate();
	for (int i = 0; i < CROWD; i++)
		s->gate[i] = new_gate();
	if (pipe(s->said))
		abort();
	return s;
}

static void be_member(void *arg)
{
	const struct who *who = arg;

	become(who);
	sleep_for_ever(NULL);
}

/* Their parent is no member, and not who traces them. */
static void bear_members(void *arg)
{
	struct scene *s = arg;

	for (int i = 0; s->who[i]; i++) {
		s->pid[i] = spawn_member(s->fd, s->tree, be_member, (void *)s->who[i]);
		if (s->pid[i] <= 0)
			_exit(BROKEN);
	}
	tell(s->said, 'b');
	pass_gate(s->end);
	reap_all();
	_exit(0);
}

/**
 * struct bearer - the parent of a late one
 * @s: where
 * @who: he and his child are
 * @nr: of the late one
 * @first: it is to be the first of a pid namespace
 */
struct bearer {
	struct scene *s;
	const struct who *who;
	int nr;
	bool first;
};

/* Bespeaks a place, and has the child that takes it when it is told. */
static void bear_late(void *arg)
{
	const struct bearer *b = arg;
	struct scene *s = b->s;
	long pid;

	become(b->who);
	if ((b->first && unshare(CLONE_NEWPID)) || join_next(s->fd, s->tree))
		_exit(BROKEN);
	tell(s->said, 'l');
	pass_gate(s->gate[b->nr]);
	pid = bare_fork();
	if (!pid) {
		atomic_fetch_add(&s->alive, 1);
		_exit(SURVIVED);
	}
	s->late[b->nr] = pid;
	s->status[b->nr] = reap(pid);
	tell(s->said, 'd');
	_exit(0);
}

static int kill_tree(void *arg)
{
	const struct scene *s = arg;

	return kill_watch(s->fd, s->tree, SIGKILL);
}

/* Who of those who KILLed was the first with a right over @who. */
static int first_killer(const struct plot *p, const struct who *who)
{
	for (int i = 0; p->kills[i].who; i++) {
		const struct who *k = p->kills[i].who;

		if (k->caps & 1ULL << CAP_KILL || k->ruid == who->ruid)
			return k->ruid;
	}
	return NOBODY;
}

/* One of the late ones. */
static void come_late(struct __test_metadata *_metadata, struct scene *s, int nr, int by,
		      unsigned int members)
{
	unsigned int flags = by == NOBODY ? 0 : KNELL_EVF_KILLER;
	int status = by == NOBODY ? EXITED(SURVIVED) : SIGKILL;
	int alive = atomic_load(&s->alive);
	struct knell_event ev;

	open_gate(s->gate[nr], 1);
	ASSERT_EQ('d', hear_soon(s->said));
	EXPECT_EQ(status, s->status[nr]) {
		TH_LOG("late one %d", nr);
	}
	EXPECT_EQ(by == NOBODY, atomic_load(&s->alive) - alive);
	ASSERT_EQ(1, next_event(s->fd, &ev));
	EXPECT_TRUE(is_exit(&ev, s->tree, s->late[nr], status, members, flags));
	EXPECT_EQ(by == NOBODY ? 0 : by, (int)ev.exit.killer_uid) {
		TH_LOG("late one %d", nr);
	}
}

/* The members are let go, and with them the tree. */
static void end_scene(struct __test_metadata *_metadata, struct scene *s, const struct plot *p,
		      unsigned int members)
{
	struct knell_event ev;

	for (unsigned int i = 0; i < members; i++) {
		EXPECT_EQ(SIGKILL, reap(s->pid[i]));
		ASSERT_EQ(1, next_event(s->fd, &ev));
		EXPECT_TRUE(is_exit(&ev, s->tree, s->pid[i], SIGKILL, members - i - 1,
				    KNELL_EVF_KILLER | (i ? 0 : KNELL_EVF_MAIN)));
		EXPECT_EQ(first_killer(p, p->members[i]), (int)ev.exit.killer_uid);
	}
	EXPECT_TRUE(next_is_empty(s->fd, s->tree, s->pid[0]));
	EXPECT_TRUE(nothing_pending(s->fd));
	open_gate(s->end, 1);
	reap_all();
}

static struct scene *set_scene(struct __test_metadata *_metadata, int fd, const struct plot *p,
			       unsigned int *members)
{
	struct scene *s = new_scene(fd, add_tree(fd, KNELL_OPF_REPORT_EXIT, 1));

	s->who = p->members;
	ASSERT_LT(0, spawn_process(bear_members, s));
	ASSERT_EQ('b', hear_soon(s->said));
	for (*members = 0; p->members[*members]; ++*members)
		ASSERT_EQ(0, ptrace(PTRACE_SEIZE, s->pid[*members], NULL, NULL));
	for (int i = 0; p->lates[i].who; i++) {
		struct bearer b = { s, p->lates[i].who, i, false };

		ASSERT_LT(0, spawn_process(bear_late, &b));
		ASSERT_EQ('l', hear_soon(s->said));
	}
	return s;
}

static void play(struct __test_metadata *_metadata, int fd, const struct plot *p)
{
	unsigned int members;
	struct scene *s = set_scene(_metadata, fd, p, &members);

	for (int i = 0; p->kills[i].who; i++) {
		EXPECT_EQ(p->kills[i].ret, as_who(p->kills[i].who, kill_tree, s)) {
			TH_LOG("KILL %d", i);
		}
	}
	EXPECT_EQ(members, tree_members(fd, s->tree));
	EXPECT_TRUE(nothing_pending(fd));
	for (int i = 0; p->lates[i].who; i++)
		come_late(_metadata, s, i, p->lates[i].by, members);
	end_scene(_metadata, s, p, members);
}

/* What a user does after root takes nothing from it, and gives the user nothing. */
TEST_F_TIMEOUT(doom, root_then_a_user, LIMIT)
{
	static const struct plot p = {
		{ &user_1000 },
		{ { &root_all, 1 }, { &user_1000, 1 } },
		{ { &root_all, 0 }, { &user_1000, 0 }, { &user_2000, 0 } },
	};

	play(_metadata, self->fd, &p);
}

/* Root comes second: whom the user may kill he has killed, the others are root's. */
TEST_F_TIMEOUT(doom, a_user_then_root, LIMIT)
{
	static const struct plot p = {
		{ &user_1000 },
		{ { &user_1000, 1 }, { &root_all, 1 } },
		{ { &root_all, 0 }, { &user_1000, 1000 }, { &user_2000, 0 } },
	};

	play(_metadata, self->fd, &p);
}

TEST_F_TIMEOUT(doom, a_user_alone, LIMIT)
{
	static const struct plot p = {
		{ &user_1000 },
		{ { &user_1000, 1 }, { &user_1000, 1 } },
		{ { &root_all, NOBODY }, { &user_2000, NOBODY }, { &user_1000, 1000 } },
	};

	play(_metadata, self->fd, &p);
}

/* A user who can kill none of the members kills none that come. */
TEST_F_TIMEOUT(doom, a_user_without_members, LIMIT)
{
	static const struct plot p = {
		{ &user_1000 },
		{ { &user_2000, -EPERM }, { &user_1000, 1 } },
		{ { &user_2000, NOBODY }, { &root_all, NOBODY }, { &user_1000, 1000 } },
	};

	play(_metadata, self->fd, &p);
}

/* Each has his own. */
TEST_F_TIMEOUT(doom, two_users, LIMIT)
{
	static const struct plot p = {
		{ &user_1000, &user_2000 },
		{ { &user_1000, -EPERM }, { &user_2000, -EPERM } },
		{ { &user_2000, 2000 }, { &user_1000, 1000 }, { &root_all, NOBODY },
		  { &user_1001, NOBODY } },
	};

	play(_metadata, self->fd, &p);
}

/* Four with few rights do not keep out one who may kill anybody. */
TEST_F_TIMEOUT(doom, root_is_the_fifth, LIMIT)
{
	static const struct plot p = {
		{ &user_1000, &user_1001, &user_1002, &user_1003 },
		{ { &user_1000, -EPERM }, { &user_1001, -EPERM }, { &user_1002, -EPERM },
		  { &user_1003, -EPERM }, { &root_all, 4 } },
		{ { &root_all, 0 }, { &user_1000, 0 }, { &user_2000, 0 } },
	};

	play(_metadata, self->fd, &p);
}

/* It is the capability that counts, not who has it. */
TEST_F_TIMEOUT(doom, rights_without_root, LIMIT)
{
	static const struct plot p = {
		{ &root_all },
		{ { &root_bare, 1 }, { &user_of_kill, 1 } },
		{ { &user_2000, 3000 }, { &root_all, 0 }, { &user_1000, 3000 } },
	};

	play(_metadata, self->fd, &p);
}

/*
 * A late one that is in two trees, whose queues were opened in two pid
 * namespaces: to the inner one the killer, who is outside, has no pid.
 */
static int hear_of_outer_killer(void *arg)
{
	struct scene *s = arg;
	struct bearer b = { s, &root_all, 0, false };
	struct knell_event ev;
	int64_t tree;
	int fd;
	pid_t pid;

	fd = knell_open(O_NONBLOCK);
	tree = add_tree(fd, KNELL_OPF_REPORT_EXIT, 2);
	CHECK(tree > 0);
	pid = spawn_member(fd, tree, bear_late, &b);
	CHECK(pid > 0);
	CHECK(next_event(fd, &ev) == 1);
	CHECK(is_exit(&ev, tree, ANY, SIGKILL, 1, KNELL_EVF_KILLER));
	CHECK(ev.exit.killer_pid == 0 && ev.exit.killer_uid == 0);
	CHECK(next_is_main(fd, tree, pid, 0, 0));
	CHECK(next_is_empty(fd, tree, pid));
	return reap(pid);
}

static void be_inner(void *arg)
{
	pid_t pid;

	if (unshare(CLONE_NEWPID))
		_exit(BROKEN);
	pid = fork();
	if (!pid)
		_exit(hear_of_outer_killer(arg));
	_exit(child_status(pid));
}

TEST_F_TIMEOUT(doom, killer_outside_the_pid_namespace, LIMIT)
{
	static const struct plot p = { { &root_all }, { { &root_all, 1 } }, { } };
	unsigned int members;
	struct scene *s = set_scene(_metadata, self->fd, &p, &members);
	struct knell_event ev;
	pid_t inner;

	inner = spawn_process(be_inner, s);
	ASSERT_LT(0, inner);
	ASSERT_EQ('l', hear_soon(s->said));
	EXPECT_EQ(1, kill_watch(self->fd, s->tree, SIGKILL));
	open_gate(s->gate[0], 1);
	ASSERT_EQ('d', hear_soon(s->said));
	ASSERT_EQ(1, next_event(self->fd, &ev));
	EXPECT_TRUE(is_exit(&ev, s->tree, ANY, SIGKILL, 1, KNELL_EVF_KILLER));
	EXPECT_EQ(getpid(), ev.exit.killer_pid);
	EXPECT_EQ(0, child_status(inner));
	end_scene(_metadata, s, &p, members);
}

/* No signal from inside kills the first of a pid namespace; this one's killer is not inside. */
TEST_F_TIMEOUT(doom, the_first_of_a_pid_namespace, LIMIT)
{
	static const struct plot p = { { &root_all }, { { &root_all, 1 } }, { } };
	unsigned int members;
	struct scene *s = set_scene(_metadata, self->fd, &p, &members);
	struct bearer b = { s, &root_all, 0, true };

	ASSERT_LT(0, spawn_process(bear_late, &b));
	ASSERT_EQ('l', hear_soon(s->said));
	EXPECT_EQ(1, kill_watch(self->fd, s->tree, SIGKILL));
	come_late(_metadata, s, 0, 0, members);
	end_scene(_metadata, s, &p, members);
}

/* Sees none but a member of his own, and kills that one. */
static int kill_from_inside(struct scene *s, bool late)
{
	pid_t pid = spawn_sleeper(s->fd, s->tree);
	struct bearer b = { s, &root_all, 0, false };

	CHECK(pid > 0);
	CHECK(!late || spawn_process(bear_late, &b) > 0);
	/* Or else it is the late one who is ready last, and says so. */
	if (!late)
		tell(s->said, 'i');
	pass_gate(s->gate[CROWD - 1]);
	CHECK(kill_watch(s->fd, s->tree, SIGKILL) == -EPERM);
	CHECK(reap(pid) == SIGKILL);
	reap_all();
	return 0;
}

static pid_t go_inside(struct scene *s, bool late)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	if (unshare(CLONE_NEWPID))
		_exit(BROKEN);
	pid = fork();
	if (!pid)
		_exit(kill_from_inside(s, late));
	_exit(child_status(pid));
}

/* His rights reach as far as he sees: to one that comes late there. */
TEST_F_TIMEOUT(doom, root_of_a_pid_namespace, LIMIT)
{
	static const struct plot p = { { &root_all }, { { &root_all, 1 } }, { } };
	unsigned int members;
	struct scene *s = set_scene(_metadata, self->fd, &p, &members);
	struct bearer b = { s, &root_all, 1, false };
	pid_t inside = go_inside(s, true);
	struct knell_event ev;

	ASSERT_EQ('l', hear_soon(s->said));
	ASSERT_LT(0, spawn_process(bear_late, &b));
	ASSERT_EQ('l', hear_soon(s->said));
	open_gate(s->gate[CROWD - 1], 1);
	ASSERT_EQ(1, next_event(self->fd, &ev));
	EXPECT_TRUE(is_exit(&ev, s->tree, ANY, SIGKILL, members, KNELL_EVF_KILLER));
	/* Of those that come late he sees the first, and not the second. */
	open_gate(s->gate[0], 1);
	ASSERT_EQ('d', hear_soon(s->said));
	EXPECT_EQ(SIGKILL, s->status[0]);
	ASSERT_EQ(1, next_event(self->fd, &ev));
	EXPECT_TRUE(is_exit(&ev, s->tree, ANY, SIGKILL, members, KNELL_EVF_KILLER));
	EXPECT_EQ(0, child_status(inside));
	come_late(_metadata, s, 1, NOBODY, members);
	EXPECT_EQ(1, kill_watch(self->fd, s->tree, SIGKILL));
	end_scene(_metadata, s, &p, members);
}

/* Who sees fewer than the four before him takes none of their places, whatever he may do there. */
TEST_F_TIMEOUT(doom, root_of_a_pid_namespace_is_the_fifth, LIMIT)
{
	static const struct plot p = {
		{ &user_1000, &user_1001, &user_1002, &user_1003 },
		{ { &user_1000, -EPERM }, { &user_1001, -EPERM }, { &user_1002, -EPERM },
		  { &user_1003, -EPERM } },
		{ { &user_1000, 1000 }, { &user_1003, 1003 }, { &root_all, NOBODY } },
	};
	unsigned int members;
	struct scene *s = set_scene(_metadata, self->fd, &p, &members);
	pid_t inside = go_inside(s, false);
	struct knell_event ev;

	ASSERT_EQ('i', hear_soon(s->said));
	for (int i = 0; p.kills[i].who; i++)
		EXPECT_EQ(p.kills[i].ret, as_who(p.kills[i].who, kill_tree, s));
	open_gate(s->gate[CROWD - 1], 1);
	EXPECT_EQ(0, child_status(inside));
	ASSERT_EQ(1, next_event(self->fd, &ev));
	EXPECT_TRUE(is_exit(&ev, s->tree, ANY, SIGKILL, members, KNELL_EVF_KILLER));
	for (int i = 0; p.lates[i].who; i++)
		come_late(_metadata, s, i, p.lates[i].by, members);
	end_scene(_metadata, s, &p, members);
}

/* One that is killed, and held by its tracer where it has not died yet. */
static void hold_at_exit(struct __test_metadata *_metadata, pid_t pid)
{
	int status;

	ASSERT_EQ(pid, waitpid(pid, &status, __WALL));
	ASSERT_TRUE(WIFSTOPPED(status));
	EXPECT_EQ(SIGTRAP | PTRACE_EVENT_EXIT << 8, status >> 8);
}

/* DEL does not wait for them: the module does, once, until the last is dead. */
TEST_F_TIMEOUT(doom, del_while_two_die, LIMIT)
{
	int64_t tree = add_tree(self->fd, KNELL_OPF_REPORT_EXIT, 1);
	long refs = module_refs();
	pid_t pid[2];

	ASSERT_LT(0, tree);
	for (int i = 0; i < 2; i++) {
		pid[i] = spawn_sleeper(self->fd, tree);
		ASSERT_EQ(0, ptrace(PTRACE_SEIZE, pid[i], NULL, PTRACE_O_TRACEEXIT));
	}
	ASSERT_EQ(2, kill_watch(self->fd, tree, SIGKILL));
	for (int i = 0; i < 2; i++)
		hold_at_exit(_metadata, pid[i]);
	ASSERT_EQ(0, del_watch(self->fd, tree));
	EXPECT_EQ(refs + 1, module_refs());
	ASSERT_EQ(0, ptrace(PTRACE_CONT, pid[0], NULL, NULL));
	EXPECT_EQ(SIGKILL, reap(pid[0]));
	EXPECT_EQ(refs + 1, module_refs());
	ASSERT_EQ(0, ptrace(PTRACE_CONT, pid[1], NULL, NULL));
	EXPECT_EQ(SIGKILL, reap(pid[1]));
	EXPECT_EQ(refs, module_refs_after_all(refs));
	EXPECT_TRUE(nothing_pending(self->fd));
}

TEST_HARNESS_MAIN
