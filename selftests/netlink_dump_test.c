// SPDX-License-Identifier: GPL-2.0-only
/* The netlink family: dumps while everything changes. */
#include "kselftest_harness.h"

#include <pthread.h>

#include "netlink_test.h"

#define STEADY		1000	/* watches that stay */
#define ROUNDS		10

/**
 * struct told - a dump, item by item
 * @attr: what tells items apart
 * @ordered: they come by number
 * @nr: items
 * @bad: out of order, twice, too many
 * @items: numbers of them
 */
struct told {
	int attr;
	bool ordered;
	unsigned int nr;
	unsigned int bad;
	uint32_t items[8192];
};

FIXTURE(netlink_dump) {
	struct nl nl;
	int fd;
	uint64_t id;
	struct told *told;
	uint32_t steady[STEADY];
};

FIXTURE_SETUP(netlink_dump)
{
	/* Many parts. */
	ASSERT_EQ(0, nl_open_room(&self->nl, NL_LITTLE));
	self->fd = knell_open(O_NONBLOCK);
	ASSERT_LE(0, self->fd);
	self->id = queue_id(self->fd);
	self->told = calloc(1, sizeof(*self->told));
	ASSERT_NE(NULL, self->told);
}

FIXTURE_TEARDOWN(netlink_dump)
{
	close(self->nl.fd);
	close(self->fd);
	EXPECT_EQ(0, module_refs_after_all(0));
}

static void hear_item(const struct nl_message *m, void *arg)
{
	struct told *t = arg;
	uint32_t item = t->attr == KNELL_A_QUEUE_ID && m->cmd == KNELL_CMD_QUEUE_GET ?
		nl_u64(m, t->attr) : nl_u32(m, t->attr);

	t->bad += t->ordered && t->nr && item <= t->items[t->nr - 1];
	if (t->nr < 8192)
		t->items[t->nr++] = item;
	else
		t->bad++;
}

static int by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* Nothing twice, and all of @steady, that are sorted. */
static bool is_sound(struct told *t, const uint32_t *steady, unsigned int nr)
{
	unsigned int i, found = 0;

	qsort(t->items, t->nr, sizeof(t->items[0]), by_number);
	for (i = 0; i < t->nr; i++) {
		t->bad += i && t->items[i] == t->items[i - 1];
		found += found < nr && t->items[i] == steady[found];
	}
	return SO(!t->bad) && SO(found == nr);
}

static bool make_steady(int fd, uint32_t *steady)
{
	struct knell_op ops[1000];

	for (int n = 0; n < STEADY; n += 1000) {
		for (int i = 0; i < 1000; i++)
			ops[i] = op_add(KNELL_USER, 0, 0);
		if (!SO(!submit_ops(fd, ops, 1000)))
			return false;
		for (int i = 0; i < 1000; i++)
			steady[n + i] = ops[i].watch;
	}
	return true;
}

/* --- one change at a time, between two parts of a dump */

static void begin(struct nl *nl, struct told *t, int attr, bool ordered)
{
	t->attr = attr;
	t->ordered = ordered;
	t->nr = 0;
	t->bad = 0;
	nl->flags = 0;
}

/* The first part of watch-get; whether there is more. */
static bool begin_watches(struct nl *nl, uint64_t id, struct told *t)
{
	struct nl_request r = nl_request(nl->family, KNELL_CMD_WATCH_GET, NLM_F_DUMP);
	int err = 0;

	begin(nl, t, KNELL_A_WATCH_HANDLE, true);
	nl_put_u64(&r, KNELL_A_WATCH_QUEUE, id);
	return SO(!nl_send(nl, &r)) && SO(!nl_receive(nl, hear_item, t, &err));
}

TEST_F(netlink_dump, a_watch_that_comes)
{
	ASSERT_TRUE(make_steady(self->fd, self->steady));
	ASSERT_TRUE(begin_watches(&self->nl, self->id, self->told));
	EXPECT_EQ(0, self->nl.flags & NLM_F_DUMP_INTR);
	ASSERT_LT(0, add_watch(self->fd, op_add(KNELL_USER, 0, 0)));
	EXPECT_EQ(0, nl_hear(&self->nl, hear_item, self->told));
	EXPECT_NE(0, self->nl.flags & NLM_F_DUMP_INTR);
	EXPECT_TRUE(is_sound(self->told, self->steady, STEADY));
}

TEST_F(netlink_dump, a_watch_that_goes)
{
	ASSERT_TRUE(make_steady(self->fd, self->steady));
	ASSERT_TRUE(begin_watches(&self->nl, self->id, self->told));
	ASSERT_EQ(0, del_watch(self->fd, self->steady[STEADY - 1]));
	EXPECT_EQ(0, nl_hear(&self->nl, hear_item, self->told));
	EXPECT_NE(0, self->nl.flags & NLM_F_DUMP_INTR);
	EXPECT_TRUE(is_sound(self->told, self->steady, STEADY - 1));
	EXPECT_EQ(STEADY - 1, self->told->nr);
}

TEST_F(netlink_dump, the_queue_goes)
{
	ASSERT_TRUE(make_steady(self->fd, self->steady));
	ASSERT_TRUE(begin_watches(&self->nl, self->id, self->told));
	close(self->fd);
	EXPECT_EQ(0, nl_hear(&self->nl, hear_item, self->told));
	EXPECT_NE(0, self->nl.flags & NLM_F_DUMP_INTR);
	EXPECT_GT(STEADY, self->told->nr);
	self->fd = knell_open(0);
}

/* A dump holds the module, and lets go of it with its socket. */
TEST_F(netlink_dump, the_socket_goes)
{
	ASSERT_TRUE(make_steady(self->fd, self->steady));
	ASSERT_TRUE(begin_watches(&self->nl, self->id, self->told));
	EXPECT_EQ(2, module_refs());
	close(self->nl.fd);
	for (int i = 0; i < 1000 && module_refs() > 1; i++)
		usleep(10000);
	EXPECT_EQ(1, module_refs());
	ASSERT_EQ(0, nl_open(&self->nl));
}

TEST_F(netlink_dump, a_queue_that_comes_and_goes)
{
	struct nl_request r = nl_request(self->nl.family, KNELL_CMD_QUEUE_GET, NLM_F_DUMP);
	uint32_t ids[150];
	int fds[150], err = 0;

	for (int i = 0; i < 150; i++) {
		fds[i] = knell_open(0);
		ASSERT_LE(0, fds[i]);
		ids[i] = queue_id(fds[i]);
	}
	begin(&self->nl, self->told, KNELL_A_QUEUE_ID, true);
	ASSERT_EQ(0, nl_send(&self->nl, &r));
	ASSERT_EQ(0, nl_receive(&self->nl, hear_item, self->told, &err));
	EXPECT_EQ(0, self->nl.flags & NLM_F_DUMP_INTR);
	close(fds[149]);
	EXPECT_EQ(0, nl_hear(&self->nl, hear_item, self->told));
	EXPECT_NE(0, self->nl.flags & NLM_F_DUMP_INTR);
	EXPECT_TRUE(is_sound(self->told, ids, 149));
	for (int i = 0; i < 149; i++)
		close(fds[i]);
}

#define MEMBERS		150	/* more than one message tells */

/* A dump of a tree of so many, at @gate, in ascending order; one message of it is told. The tree. */
static int64_t hear_of_members(struct __test_metadata *_metadata, FIXTURE_DATA(netlink_dump) *self,
			       uint32_t pids[MEMBERS], int gate)
{
	struct nl_request r = nl_request(self->nl.family, KNELL_CMD_MEMBER_GET, NLM_F_DUMP);
	int64_t tree = add_tree(self->fd, 0, 0);
	int err = 0;

	ASSERT_LT(0, tree);
	for (int i = 0; i < MEMBERS; i++)
		pids[i] = spawn_member(self->fd, tree, wait_at_gate, &gate);
	qsort(pids, MEMBERS, sizeof(pids[0]), by_number);
	nl_put_u64(&r, KNELL_A_MEMBER_QUEUE, self->id);
	nl_put_u32(&r, KNELL_A_MEMBER_WATCH, tree);
	begin(&self->nl, self->told, KNELL_A_MEMBER_PID, false);
	ASSERT_EQ(0, nl_send(&self->nl, &r));
	ASSERT_EQ(0, nl_receive(&self->nl, hear_item, self->told, &err));
	EXPECT_EQ(0, self->nl.flags & NLM_F_DUMP_INTR);
	return tree;
}

TEST_F(netlink_dump, a_member_that_goes)
{
	uint32_t pids[MEMBERS];
	int gate = new_gate();

	hear_of_members(_metadata, self, pids, gate);
	ASSERT_EQ(0, kill(pids[0], SIGKILL));
	ASSERT_EQ(SIGKILL, reap(pids[0]));
	EXPECT_EQ(0, nl_hear(&self->nl, hear_item, self->told));
	EXPECT_NE(0, self->nl.flags & NLM_F_DUMP_INTR);
	EXPECT_TRUE(is_sound(self->told, pids + 1, MEMBERS - 1));
	open_gate(gate, MEMBERS - 1);
	reap_all();
}

/* What was listed is told, and that it is not so any more. */
TEST_F(netlink_dump, the_tree_goes)
{
	uint32_t pids[MEMBERS];
	int gate = new_gate();
	int64_t tree = hear_of_members(_metadata, self, pids, gate);

	ASSERT_EQ(0, del_watch(self->fd, tree));
	EXPECT_EQ(0, nl_hear(&self->nl, hear_item, self->told));
	EXPECT_NE(0, self->nl.flags & NLM_F_DUMP_INTR);
	EXPECT_TRUE(is_sound(self->told, pids, MEMBERS));
	EXPECT_EQ(-ENOENT, nl_members(&self->nl, self->id, tree, hear_item, self->told));
	open_gate(gate, MEMBERS);
	reap_all();
}

/* --- all at once */

struct churn {
	int fd;
	atomic_bool stop;
	atomic_ulong changes;
};

static void *churn_watches(void *arg)
{
	struct churn *c = arg;
	int64_t watch[64];

	while (!c->stop) {
		for (int i = 0; i < 64; i++)
			watch[i] = add_watch(c->fd, op_add(i & 1 ? KNELL_USER : KNELL_TREE, 0, 0));
		for (int i = 0; i < 64; i++)
			if (watch[i] < 0 || del_watch(c->fd, watch[i]))
				_exit(BROKEN);
		c->changes += 128;
	}
	return NULL;
}

static void *churn_queues(void *arg)
{
	struct churn *c = arg;
	int fd[16];

	while (!c->stop) {
		for (int i = 0; i < 16; i++)
			fd[i] = knell_open(0);
		for (int i = 0; i < 16; i++)
			close(fd[i]);
		c->changes += 32;
	}
	return NULL;
}

static void *churn_processes(void *arg)
{
	struct churn *c = arg;

	while (!c->stop) {
		pid_t pid = fork();

		if (!pid)
			_exit(0);
		if (pid < 0 || reap(pid))
			_exit(BROKEN);
		c->changes++;
	}
	return NULL;
}

/* @rounds dumps of the watches meanwhile; how many were told to be inconsistent, -1: unsound. */
static int dump_watches(struct nl *nl, uint64_t id, struct told *t, const uint32_t *steady)
{
	int interrupted = 0;

	for (int i = 0; i < ROUNDS; i++) {
		if (!begin_watches(nl, id, t) || !SO(!nl_hear(nl, hear_item, t)) ||
		    !is_sound(t, steady, STEADY))
			return -1;
		interrupted += !!(nl->flags & NLM_F_DUMP_INTR);
	}
	return interrupted;
}

TEST_F_TIMEOUT(netlink_dump, watches_and_queues_while_all_changes, LIMIT)
{
	struct churn c[3] = { { .fd = self->fd }, { .fd = self->fd }, { .fd = self->fd } };
	void *(*const fn[])(void *) = { churn_watches, churn_queues, churn_processes };
	struct nl other;
	pthread_t thread[3];

	ASSERT_EQ(0, nl_open_room(&other, NL_LITTLE));
	ASSERT_TRUE(make_steady(self->fd, self->steady));
	EXPECT_EQ(0, dump_watches(&self->nl, self->id, self->told, self->steady));
	for (int i = 0; i < 3; i++)
		ASSERT_EQ(0, pthread_create(&thread[i], NULL, fn[i], &c[i]));
	while (!c[0].changes || !c[1].changes || !c[2].changes)
		sched_yield();
	EXPECT_LT(0, dump_watches(&self->nl, self->id, self->told, self->steady));
	for (int i = 0; i < ROUNDS; i++) {
		begin(&other, self->told, KNELL_A_QUEUE_ID, true);
		EXPECT_EQ(0, nl_queues(&other, hear_item, self->told));
		EXPECT_TRUE(is_sound(self->told, (uint32_t[]){ self->id }, 1));
	}
	for (int i = 0; i < 3; i++)
		c[i].stop = true;
	for (int i = 0; i < 3; i++)
		pthread_join(thread[i], NULL);
	TH_LOG("%lu %lu %lu changes", c[0].changes, c[1].changes, c[2].changes);
	close(other.fd);
}

/* A member that forks for as long as it lives. */
static void fork_for_ever(void *arg)
{
	(void)arg;
	signal(SIGCHLD, SIG_IGN);
	for (;;) {
		pid_t pid = fork();

		if (!pid)
			_exit(0);
		if (pid > 0)
			waitpid(pid, NULL, 0);
	}
}

TEST_F_TIMEOUT(netlink_dump, members_while_they_fork, LIMIT)
{
	int64_t tree = add_tree(self->fd, 0, 0);
	int gate = new_gate(), interrupted = 0;
	struct knell_op op;
	uint32_t pids[100];

	ASSERT_LT(0, tree);
	for (int i = 0; i < 100; i++)
		pids[i] = spawn_member(self->fd, tree, i < 2 ? fork_for_ever : wait_at_gate, &gate);
	qsort(pids, 100, sizeof(pids[0]), by_number);
	/* A dump in between is rare, and has to come. */
	for (int i = 0; i < ROUNDS || !interrupted; i++) {
		begin(&self->nl, self->told, KNELL_A_MEMBER_PID, false);
		ASSERT_EQ(0, nl_members(&self->nl, self->id, tree, hear_item, self->told));
		ASSERT_TRUE(is_sound(self->told, pids, 100));
		interrupted += !!(self->nl.flags & NLM_F_DUMP_INTR);
	}
	op = op_kill(tree, SIGKILL);
	EXPECT_LE(100, submit_op(self->fd, &op));
	reap_all();
}

TEST_HARNESS_MAIN
