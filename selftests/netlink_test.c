// SPDX-License-Identifier: GPL-2.0-only
/* The netlink family: what it tells of queues, watches and members, and what it refuses. */
#include "kselftest_harness.h"

#include "netlink_test.h"

#define NAME		"netlink-test"

FIXTURE(netlink) {
	struct nl nl;
	int fd;
	uint64_t id;
};

FIXTURE_SETUP(netlink)
{
	ASSERT_EQ(0, nl_open(&self->nl));
	self->fd = knell_open(O_NONBLOCK);
	ASSERT_LE(0, self->fd);
	self->id = queue_id(self->fd);
	ASSERT_NE(0, self->id);
}

FIXTURE_TEARDOWN(netlink)
{
	close(self->nl.fd);
	close(self->fd);
	EXPECT_EQ(0, drop_queue(NAME));
	EXPECT_EQ(0, module_refs_after_all(0));
}

/* --- queues */

TEST_F(netlink, a_new_queue)
{
	struct seen_queue q = { };

	ASSERT_EQ(0, nl_queue_get(&self->nl, self->id, see_queue, &q));
	EXPECT_EQ(1, q.nr);
	EXPECT_EQ(0, q.bad);
	EXPECT_EQ(self->id, q.id);
	EXPECT_EQ(0, q.uid);
	EXPECT_EQ(getpid(), q.pid);
	EXPECT_STREQ("netlink_test", q.comm);
	EXPECT_STREQ("-", q.name);
	EXPECT_FALSE(q.orphan);
	EXPECT_EQ(0, q.watches);
	for (int i = 1; i <= KNELL_A_KINDS_MAX; i++)
		EXPECT_EQ(0, q.kinds[i]);
	EXPECT_EQ(0, q.pending);
	EXPECT_EQ(0, q.high_water);
	EXPECT_EQ(0, q.delivered);
	EXPECT_EQ(0, q.unacked);
	EXPECT_EQ(0, q.lost);
	EXPECT_LT(4096, q.bytes);
	EXPECT_GT(16384, q.bytes);
}

TEST_F(netlink, what_it_holds_by_kind)
{
	int pipe_fds[2];
	struct seen_queue before = { }, q = { };
	struct knell_op fd_op = op_add(KNELL_FD, 0, 0);

	ASSERT_EQ(0, pipe(pipe_fds));
	fd_op.fd.fd = pipe_fds[0];
	fd_op.fd.events = POLLIN;
	ASSERT_EQ(0, nl_queue_get(&self->nl, self->id, see_queue, &before));
	ASSERT_LT(0, add_watch(self->fd, op_process(getpid(), 0, 0)));
	ASSERT_LT(0, add_watch(self->fd, op_timer(CLOCK_MONOTONIC, 0, NSEC_PER_SEC, 0, 0)));
	ASSERT_LT(0, add_watch(self->fd, op_timer(CLOCK_REALTIME, 0, 0, 0, 0)));
	for (int i = 0; i < 3; i++)
		ASSERT_LT(0, add_watch(self->fd, op_add(KNELL_USER, 0, 0)));
	ASSERT_LT(0, add_watch(self->fd, fd_op));
	ASSERT_LT(0, add_tree(self->fd, KNELL_OPF_REPORT_EXIT, 0));
	ASSERT_LT(0, add_watch(self->fd, op_add(KNELL_CHILDREN, 0, 0)));
	ASSERT_EQ(0, nl_queue_get(&self->nl, self->id, see_queue, &q));
	EXPECT_EQ(9, q.watches);
	EXPECT_EQ(1, q.kinds[KNELL_A_KINDS_PROCESS]);
	EXPECT_EQ(2, q.kinds[KNELL_A_KINDS_TIMER]);
	EXPECT_EQ(3, q.kinds[KNELL_A_KINDS_USER]);
	EXPECT_EQ(1, q.kinds[KNELL_A_KINDS_FD]);
	EXPECT_EQ(1, q.kinds[KNELL_A_KINDS_TREE]);
	EXPECT_EQ(1, q.kinds[KNELL_A_KINDS_CHILDREN]);
	/* Nine watches, and two times 256 reports. */
	EXPECT_LT(before.bytes + 9 * 200 + 512 * 128, q.bytes);
}

TEST_F(netlink, what_has_come_and_gone)
{
	struct seen_queue q = { };
	struct knell_event ev;
	int64_t user[3];

	for (int i = 0; i < 3; i++) {
		struct knell_op op;

		user[i] = add_watch(self->fd, op_add(KNELL_USER, 0, i));
		ASSERT_LT(0, user[i]);
		op = op_trigger(user[i], 1);
		ASSERT_EQ(0, submit_op(self->fd, &op));
	}
	ASSERT_EQ(1, wait_events(self->fd, &ev, 1, 0));
	ASSERT_EQ(0, del_watch(self->fd, user[1]));
	ASSERT_EQ(0, nl_queue_get(&self->nl, self->id, see_queue, &q));
	EXPECT_EQ(2, q.watches);
	EXPECT_EQ(1, q.pending);
	EXPECT_EQ(3, q.high_water);
	EXPECT_EQ(1, q.delivered);
	EXPECT_EQ(0, q.unacked);
}

TEST_F(netlink, what_is_not_acknowledged)
{
	struct seen_queue q = { };
	struct knell_event ev;
	int64_t timer;

	timer = add_watch(self->fd, op_timer(CLOCK_MONOTONIC, KNELL_OPF_ACK, 1, 0, 0));
	ASSERT_LT(0, timer);
	ASSERT_EQ(1, wait_events(self->fd, &ev, 1, KNELL_FOREVER));
	ASSERT_EQ(0, nl_queue_get(&self->nl, self->id, see_queue, &q));
	EXPECT_EQ(0, q.pending);
	EXPECT_EQ(1, q.delivered);
	EXPECT_EQ(1, q.unacked);
	ASSERT_EQ(0, del_watch(self->fd, timer));
	q = (struct seen_queue){ };
	ASSERT_EQ(0, nl_queue_get(&self->nl, self->id, see_queue, &q));
	EXPECT_EQ(0, q.unacked);
}

static void exit_at_once(void *arg)
{
	(void)arg;
}

TEST_F(netlink, reports_that_found_no_place)
{
	struct seen_queue q = { };
	int64_t tree = add_tree(self->fd, KNELL_OPF_REPORT_EXIT, 0);
	int gate = new_gate();

	ASSERT_LT(0, tree);
	ASSERT_LT(0, spawn_member(self->fd, tree, wait_at_gate, &gate));
	for (int i = 0; i < RESERVE + 5; i++) {
		pid_t pid = spawn_member(self->fd, tree, exit_at_once, NULL);

		ASSERT_LT(0, pid);
		ASSERT_EQ(0, reap(pid));
	}
	ASSERT_EQ(0, nl_queue_get(&self->nl, self->id, see_queue, &q));
	EXPECT_EQ(5, q.lost);
	/* The LOST itself waits, too. */
	EXPECT_EQ(RESERVE + 1, q.pending);
	EXPECT_EQ(RESERVE + 1, q.high_water);
	open_gate(gate, 1);
	reap_all();
}

TEST_F(netlink, all_queues_by_id)
{
	struct seen_queue q = { .id = self->id };
	int fds[300];

	for (int i = 0; i < 300; i++) {
		fds[i] = knell_open(0);
		ASSERT_LE(0, fds[i]);
	}
	ASSERT_EQ(0, nl_queues(&self->nl, see_queue, &q));
	EXPECT_EQ(0, self->nl.flags & NLM_F_DUMP_INTR);
	EXPECT_EQ(1, q.nr);
	EXPECT_LE(300, q.others);
	EXPECT_EQ(0, q.bad);
	for (int i = 0; i < 300; i++)
		close(fds[i]);
	q = (struct seen_queue){ .id = self->id };
	ASSERT_EQ(0, nl_queues(&self->nl, see_queue, &q));
	EXPECT_EQ(1, q.nr);
	EXPECT_GT(300, q.others);
}

static int keep_it(struct manager *m)
{
	*(uint64_t *)m->arg = queue_id(m->fd);
	return 0;
}

TEST_F(netlink, a_kept_queue_and_its_holder)
{
	uint64_t *id = shared(4096);
	struct manager m = { .name = NAME, .work = keep_it, .arg = id };
	struct seen_queue q = { };
	int fd;

	ASSERT_EQ(0, start_manager(&m, false));
	ASSERT_EQ(0, nl_queue_get(&self->nl, *id, see_queue, &q));
	EXPECT_STREQ(NAME, q.name);
	EXPECT_EQ(m.pid, q.pid);
	EXPECT_FALSE(q.orphan);
	kill_manager(&m);
	q = (struct seen_queue){ };
	ASSERT_EQ(0, nl_queue_get(&self->nl, *id, see_queue, &q));
	EXPECT_STREQ(NAME, q.name);
	EXPECT_EQ(0, q.pid);
	EXPECT_STREQ("-", q.comm);
	EXPECT_TRUE(q.orphan);
	fd = take_over(NAME);
	ASSERT_LE(0, fd);
	q = (struct seen_queue){ };
	ASSERT_EQ(0, nl_queue_get(&self->nl, *id, see_queue, &q));
	EXPECT_EQ(getpid(), q.pid);
	EXPECT_FALSE(q.orphan);
	close(fd);
}

/* --- watches */

struct seen_watch {
	unsigned int nr;
	unsigned int bad;
	uint32_t last;
	struct {
		uint32_t handle, kind, state, flags, pid, members;
		uint64_t token, expires, count;
		char comm[16], label[64];
	} w[16];
};

static void see_watch(const struct nl_message *m, void *arg)
{
	struct seen_watch *s = arg;
	unsigned int i = s->nr++ % 16;

	s->w[i].handle = nl_u32(m, KNELL_A_WATCH_HANDLE);
	s->bad += m->cmd != KNELL_CMD_WATCH_GET || s->w[i].handle <= s->last;
	s->last = s->w[i].handle;
	s->w[i].kind = nl_u32(m, KNELL_A_WATCH_KIND);
	s->w[i].state = nl_u32(m, KNELL_A_WATCH_STATE);
	s->w[i].flags = nl_u32(m, KNELL_A_WATCH_FLAGS);
	s->w[i].token = nl_u64(m, KNELL_A_WATCH_TOKEN);
	s->w[i].pid = nl_u32(m, KNELL_A_WATCH_PID);
	s->w[i].members = nl_u32(m, KNELL_A_WATCH_MEMBERS);
	s->w[i].expires = nl_u64(m, KNELL_A_WATCH_EXPIRES_NS);
	s->w[i].count = nl_u64(m, KNELL_A_WATCH_COUNT);
	snprintf(s->w[i].comm, 16, "%s", nl_string(m, KNELL_A_WATCH_COMM));
	snprintf(s->w[i].label, 64, "%s", nl_string(m, KNELL_A_WATCH_LABEL));
}

TEST_F(netlink, each_kind_of_watch)
{
	struct knell_op trigger = { };
	struct seen_watch s = { };
	int gate = new_gate();
	int64_t tree, user;
	pid_t pid;

	ASSERT_LT(0, add_watch(self->fd, op_process(getpid(), KNELL_OPF_ACK, 11)));
	ASSERT_LT(0, add_watch(self->fd, op_timer(CLOCK_MONOTONIC, KNELL_OPF_ABS,
						  1ULL << 60, 0, ~0ULL)));
	user = add_watch(self->fd, op_add(KNELL_USER, 0, 13));
	ASSERT_LT(0, user);
	tree = add_watch(self->fd, op_tree(0, 14, "a label"));
	ASSERT_LT(0, tree);
	pid = spawn_member(self->fd, tree, wait_at_gate, &gate);
	ASSERT_LT(0, pid);
	trigger = op_trigger(user, 1);
	for (int i = 0; i < 3; i++)
		ASSERT_EQ(0, submit_op(self->fd, &trigger));
	ASSERT_EQ(0, nl_watches(&self->nl, self->id, see_watch, &s));
	EXPECT_EQ(0, self->nl.flags & NLM_F_DUMP_INTR);
	ASSERT_EQ(4, s.nr);
	EXPECT_EQ(0, s.bad);
	EXPECT_EQ(KNELL_PROCESS, s.w[0].kind);
	EXPECT_EQ(1, s.w[0].state);
	EXPECT_EQ(KNELL_OPF_ACK, s.w[0].flags);
	EXPECT_EQ(11, s.w[0].token);
	EXPECT_EQ(getpid(), s.w[0].pid);
	EXPECT_STREQ("netlink_test", s.w[0].comm);
	EXPECT_STREQ("-", s.w[0].label);
	EXPECT_EQ(KNELL_TIMER, s.w[1].kind);
	EXPECT_EQ(1ULL << 60, s.w[1].expires);
	EXPECT_EQ(~0ULL, s.w[1].token);
	EXPECT_EQ(KNELL_OPF_ABS, s.w[1].flags);
	EXPECT_STREQ("-", s.w[1].comm);
	EXPECT_EQ(KNELL_USER, s.w[2].kind);
	EXPECT_EQ(2, s.w[2].state);
	EXPECT_EQ(3, s.w[2].count);
	EXPECT_EQ(user, s.w[2].handle);
	EXPECT_EQ(KNELL_TREE, s.w[3].kind);
	EXPECT_EQ(1, s.w[3].members);
	EXPECT_EQ(pid, s.w[3].pid);
	EXPECT_STREQ("a label", s.w[3].label);
	EXPECT_STREQ("netlink_test", s.w[3].comm);
	open_gate(gate, 1);
	reap_all();
}

TEST_F(netlink, a_dead_process_has_no_name)
{
	struct seen_watch s = { };
	pid_t pid = fork();

	if (!pid)
		_exit(0);
	ASSERT_LT(0, add_watch(self->fd, op_process(pid, 0, 0)));
	ASSERT_EQ(0, reap(pid));
	ASSERT_EQ(0, nl_watches(&self->nl, self->id, see_watch, &s));
	ASSERT_EQ(1, s.nr);
	EXPECT_EQ(pid, s.w[0].pid);
	EXPECT_EQ(2, s.w[0].state);
	EXPECT_STREQ("-", s.w[0].comm);
}

TEST_F(netlink, watches_in_many_parts)
{
	struct seen_watch s = { };
	struct knell_op ops[1000];

	for (int n = 0; n < 3; n++) {
		for (int i = 0; i < 1000; i++)
			ops[i] = op_add(KNELL_USER, 0, i);
		ASSERT_EQ(0, submit_ops(self->fd, ops, 1000));
	}
	ASSERT_EQ(0, nl_watches(&self->nl, self->id, see_watch, &s));
	EXPECT_EQ(0, self->nl.flags & NLM_F_DUMP_INTR);
	EXPECT_EQ(3000, s.nr);
	EXPECT_EQ(0, s.bad);
}

TEST_F(netlink, no_watches)
{
	struct seen_watch s = { };

	EXPECT_EQ(0, nl_watches(&self->nl, self->id, see_watch, &s));
	EXPECT_EQ(0, s.nr);
	EXPECT_EQ(0, self->nl.flags & NLM_F_DUMP_INTR);
}

/* --- members */

struct seen_member {
	unsigned int nr;
	unsigned int mains;
	uint32_t queue_ok, watch;
	uint32_t pid, ppid, uid;
	uint64_t cpu, rss;
	char comm[16];
};

static void see_member(const struct nl_message *m, void *arg)
{
	struct seen_member *s = arg;

	s->nr++;
	s->watch = nl_u32(m, KNELL_A_MEMBER_WATCH);
	s->mains += !!m->attr[KNELL_A_MEMBER_MAIN];
	if (!m->attr[KNELL_A_MEMBER_MAIN])
		return;
	s->pid = nl_u32(m, KNELL_A_MEMBER_PID);
	s->ppid = nl_u32(m, KNELL_A_MEMBER_PPID);
	s->uid = nl_u32(m, KNELL_A_MEMBER_UID);
	s->cpu = nl_u64(m, KNELL_A_MEMBER_CPU_NS);
	s->rss = nl_u64(m, KNELL_A_MEMBER_RSS_BYTES);
	snprintf(s->comm, 16, "%s", nl_string(m, KNELL_A_MEMBER_COMM));
}

#define HOG_BYTES	(8 << 20)
#define HOG_NS		(50 * NSEC_PER_MSEC)

struct hog {
	int gate;
	int said[2];
};

/* Has used memory and processor time, and as user 1000 waits. */
static void hog(void *arg)
{
	struct hog *h = arg;
	volatile char *memory = malloc(HOG_BYTES);

	for (unsigned int i = 0; i < HOG_BYTES; i += 1024)
		memory[i] = 1;
	while (clock_ns(CLOCK_PROCESS_CPUTIME_ID) < HOG_NS)
		;
	prctl(PR_SET_NAME, "hog");
	if (setresuid(1000, 0, 0))
		_exit(BROKEN);
	tell(h->said, 'h');
	pass_gate(h->gate);
}

TEST_F(netlink, a_member_that_has_used_something)
{
	struct hog h = { .gate = new_gate() };
	int64_t tree = add_tree(self->fd, 0, 0);
	struct seen_member s = { };
	pid_t pid;

	ASSERT_EQ(0, pipe(h.said));
	ASSERT_LT(0, tree);
	pid = spawn_member(self->fd, tree, hog, &h);
	ASSERT_LT(0, pid);
	ASSERT_EQ('h', hear_soon(h.said));
	ASSERT_EQ(0, nl_members(&self->nl, self->id, tree, see_member, &s));
	EXPECT_EQ(1, s.nr);
	EXPECT_EQ(1, s.mains);
	EXPECT_EQ(tree, s.watch);
	EXPECT_EQ(pid, s.pid);
	EXPECT_EQ(getpid(), s.ppid);
	EXPECT_EQ(1000, s.uid);
	EXPECT_STREQ("hog", s.comm);
	EXPECT_LE(HOG_NS, s.cpu);
	EXPECT_LE(HOG_BYTES, s.rss);
	EXPECT_GT(64ULL << 20, s.rss);
	open_gate(h.gate, 1);
	reap_all();
}

TEST_F(netlink, members_in_many_parts)
{
	int64_t tree = add_tree(self->fd, 0, 0);
	struct seen_member s = { };
	int gate = new_gate(), nr = 150;
	struct nl nl;

	ASSERT_EQ(0, nl_open_room(&nl, NL_LITTLE));
	ASSERT_LT(0, tree);
	for (int i = 0; i < nr; i++)
		ASSERT_LT(0, spawn_member(self->fd, tree, wait_at_gate, &gate));
	ASSERT_EQ(0, nl_members(&nl, self->id, tree, see_member, &s));
	EXPECT_EQ(0, nl.flags & NLM_F_DUMP_INTR);
	EXPECT_EQ(nr, s.nr);
	EXPECT_EQ(1, s.mains);
	open_gate(gate, nr);
	reap_all();
	s = (struct seen_member){ };
	EXPECT_EQ(0, nl_members(&nl, self->id, tree, see_member, &s));
	EXPECT_EQ(0, s.nr);
	close(nl.fd);
}

/* --- refusals */

/* Where the first attribute of a request is, and the second one behind a u64. */
#define FIRST	(NLMSG_HDRLEN + GENL_HDRLEN)
#define SECOND	(FIRST + NLA_HDRLEN + 8)

static int send_raw(struct nl *nl, uint8_t cmd, uint16_t flags, uint16_t type, const void *data,
		    size_t len)
{
	struct nl_request r = nl_request(nl->family, cmd, flags);

	if (data)
		nl_put(&r, type, data, len);
	return nl_talk(nl, &r, NULL, NULL);
}

TEST_F(netlink, requests_without_what_they_need)
{
	/* Which attribute it is that is missing, a kernel before 6.1 cannot tell. */
	uint32_t missing = kernel_before(6, 1) ? 0 : KNELL_A_QUEUE_ID;
	struct nl *nl = &self->nl;
	uint64_t id = self->id;

	EXPECT_EQ(-EINVAL, send_raw(nl, KNELL_CMD_QUEUE_GET, NLM_F_ACK, 0, NULL, 0));
	EXPECT_STREQ("expected the id of a queue", nl->text);
	EXPECT_EQ(missing, nl->missing);
	EXPECT_EQ(-EINVAL, send_raw(nl, KNELL_CMD_QUEUE_DROP, NLM_F_ACK, 0, NULL, 0));
	EXPECT_STREQ("expected the id of a queue", nl->text);
	EXPECT_EQ(missing, nl->missing);
	EXPECT_EQ(-EINVAL, send_raw(nl, KNELL_CMD_WATCH_GET, NLM_F_DUMP, 0, NULL, 0));
	EXPECT_STREQ("expected the id of a queue", nl->text);
	EXPECT_EQ(-EINVAL, send_raw(nl, KNELL_CMD_MEMBER_GET, NLM_F_DUMP, KNELL_A_MEMBER_QUEUE,
				    &id, sizeof(id)));
	EXPECT_STREQ("expected the handle of a watch", nl->text);
	EXPECT_EQ(-EOPNOTSUPP, send_raw(nl, KNELL_CMD_WATCH_GET, NLM_F_ACK, 0, NULL, 0));
	EXPECT_STREQ("only a dump: expected NLM_F_DUMP", nl->text);
	EXPECT_EQ(-EOPNOTSUPP, send_raw(nl, KNELL_CMD_MEMBER_GET, NLM_F_ACK, 0, NULL, 0));
	EXPECT_STREQ("only a dump: expected NLM_F_DUMP", nl->text);
	EXPECT_EQ(-EINVAL, send_raw(nl, KNELL_CMD_QUEUE_GET, NLM_F_DUMP, KNELL_A_QUEUE_ID,
				    &id, sizeof(id)));
	EXPECT_STREQ("a dump is of all queues: expected no id", nl->text);
}

TEST_F(netlink, requests_for_what_is_not_there)
{
	struct nl *nl = &self->nl;
	int64_t user = add_watch(self->fd, op_add(KNELL_USER, 0, 0));

	ASSERT_LT(0, user);
	EXPECT_EQ(-ENOENT, nl_queue_get(nl, ~0ULL, NULL, NULL));
	EXPECT_STREQ("there is no queue of that id", nl->text);
	EXPECT_EQ(FIRST, nl->offset);
	EXPECT_EQ(-ENOENT, nl_queue_drop(nl, 1ULL << 40));
	EXPECT_STREQ("there is no queue of that id", nl->text);
	EXPECT_EQ(FIRST, nl->offset);
	EXPECT_EQ(-ENOENT, nl_watches(nl, 1ULL << 40, NULL, NULL));
	EXPECT_STREQ("there is no queue of that id", nl->text);
	EXPECT_EQ(-ENOENT, nl_members(nl, 1ULL << 40, 1, NULL, NULL));
	EXPECT_STREQ("there is no queue of that id", nl->text);
	EXPECT_EQ(-ENOENT, nl_members(nl, self->id, user + 1, NULL, NULL));
	EXPECT_STREQ("the queue has no watch of that handle", nl->text);
	EXPECT_EQ(-EINVAL, nl_members(nl, self->id, user, NULL, NULL));
	EXPECT_STREQ("not a tree: expected a TREE's handle", nl->text);
	close(self->fd);
	EXPECT_EQ(-ENOENT, nl_queue_get(nl, self->id, NULL, NULL));
	EXPECT_STREQ("there is no queue of that id", nl->text);
	self->fd = knell_open(0);
}

/* What netlink's core answers to what the policies do not have: no text of ours, but a text. */
struct malformed {
	const char *what;
	uint8_t cmd;
	uint16_t flags;
	uint16_t type;
	uint16_t len;
	uint32_t value;
	int err;
};

static const struct malformed malformed[] = {
	{ "id 0", KNELL_CMD_QUEUE_GET, NLM_F_ACK, KNELL_A_QUEUE_ID, 8, 0, -ERANGE },
	{ "id 0", KNELL_CMD_QUEUE_DROP, NLM_F_ACK, KNELL_A_QUEUE_ID, 8, 0, -ERANGE },
	{ "id 0", KNELL_CMD_WATCH_GET, NLM_F_DUMP, KNELL_A_WATCH_QUEUE, 8, 0, -ERANGE },
	{ "id 0", KNELL_CMD_MEMBER_GET, NLM_F_DUMP, KNELL_A_MEMBER_QUEUE, 8, 0, -ERANGE },
	{ "handle 0", KNELL_CMD_MEMBER_GET, NLM_F_DUMP, KNELL_A_MEMBER_WATCH, 4, 0, -ERANGE },
	{ "no id", KNELL_CMD_QUEUE_GET, NLM_F_ACK, KNELL_A_QUEUE_ID, 0, 1, -EINVAL },
	{ "half an id", KNELL_CMD_QUEUE_GET, NLM_F_ACK, KNELL_A_QUEUE_ID, 4, 1, -EINVAL },
	{ "half an id", KNELL_CMD_QUEUE_DROP, NLM_F_ACK, KNELL_A_QUEUE_ID, 4, 1, -EINVAL },
	{ "seven bytes", KNELL_CMD_WATCH_GET, NLM_F_DUMP, KNELL_A_WATCH_QUEUE, 7, 1, -EINVAL },
	{ "nine bytes", KNELL_CMD_WATCH_GET, NLM_F_DUMP, KNELL_A_WATCH_QUEUE, 9, 1, -EINVAL },
	{ "a long handle", KNELL_CMD_MEMBER_GET, NLM_F_DUMP, KNELL_A_MEMBER_WATCH, 8, 1, -EINVAL },
	{ "a nest", KNELL_CMD_QUEUE_GET, NLM_F_ACK, KNELL_A_QUEUE_ID | NLA_F_NESTED, 8, 1, -EINVAL },
	{ "number 0", KNELL_CMD_QUEUE_GET, NLM_F_ACK, 0, 8, 1, -EINVAL },
	{ "padding", KNELL_CMD_QUEUE_GET, NLM_F_ACK, KNELL_A_QUEUE_PAD, 0, 0, -EINVAL },
	{ "an answer's", KNELL_CMD_QUEUE_GET, NLM_F_ACK, KNELL_A_QUEUE_NAME, 4, 'x', -EINVAL },
	{ "a nest of an answer's", KNELL_CMD_QUEUE_DROP, NLM_F_ACK,
	  KNELL_A_QUEUE_KINDS | NLA_F_NESTED, 8, 1, -EINVAL },
	{ "an answer's", KNELL_CMD_WATCH_GET, NLM_F_DUMP, KNELL_A_WATCH_HANDLE, 4, 1, -EINVAL },
	{ "an answer's", KNELL_CMD_MEMBER_GET, NLM_F_DUMP, KNELL_A_MEMBER_PID, 4, 1, -EINVAL },
	{ "nobody's", KNELL_CMD_MEMBER_GET, NLM_F_DUMP, 0x3fff, 4, 1, -EINVAL },
};

/* Each says what is wrong, and where, whether it stands alone or behind what is right. */
TEST_F(netlink, requests_that_the_policies_refuse)
{
	struct nl *nl = &self->nl;
	char data[16] = { };

	for (unsigned int i = 0; i < sizeof(malformed) / sizeof(malformed[0]); i++) {
		const struct malformed *m = &malformed[i];
		struct nl_request r;

		memcpy(data, &m->value, sizeof(m->value));
		EXPECT_EQ(m->err, send_raw(nl, m->cmd, m->flags, m->type, data, m->len))
			TH_LOG("%u: %s", i, m->what);
		EXPECT_STRNE("", nl->text);
		EXPECT_EQ(FIRST, nl->offset) TH_LOG("%u: %s: %s", i, m->what, nl->text);
		r = nl_request(nl->family, m->cmd, m->flags);
		nl_put_u64(&r, KNELL_A_QUEUE_ID, self->id);
		nl_put(&r, m->type, data, m->len);
		EXPECT_EQ(m->err, nl_talk(nl, &r, NULL, NULL)) TH_LOG("%u: %s", i, m->what);
		EXPECT_STRNE("", nl->text);
		EXPECT_EQ(SECOND, nl->offset) TH_LOG("%u: %s: %s", i, m->what, nl->text);
	}
}

/* A good request of so many bytes more, or less. */
static int send_sized(struct nl *nl, uint64_t id, int more)
{
	struct nl_request r = nl_request(nl->family, KNELL_CMD_QUEUE_GET, NLM_F_ACK);

	nl_put_u64(&r, KNELL_A_QUEUE_ID, id);
	r.n.nlmsg_len += more;
	return nl_talk(nl, &r, NULL, NULL);
}

TEST_F(netlink, requests_that_are_no_attributes)
{
	struct nl *nl = &self->nl;
	struct nl_request r = nl_request(nl->family, KNELL_CMD_QUEUE_GET, NLM_F_ACK);

	for (int more = -NLA_HDRLEN - 8 + 1; more <= NLA_HDRLEN - 1; more++) {
		EXPECT_EQ(more ? -EINVAL : 0, send_sized(nl, self->id, more)) TH_LOG("%d", more);
		EXPECT_EQ(!more, !nl->text[0]) TH_LOG("%d", more);
	}
	r.g.reserved = 1;
	nl_put_u64(&r, KNELL_A_QUEUE_ID, self->id);
	/* It is the kernel that looks, since 6.1. */
	if (!kernel_before(6, 1)) {
		EXPECT_EQ(-EINVAL, nl_talk(nl, &r, NULL, NULL));
		EXPECT_STRNE("", nl->text);
	}
}

/* The core knows no words for a command that a family does not have. */
TEST_F(netlink, commands_that_are_none)
{
	static const uint8_t events[] = { 0, KNELL_CMD_EXIT, KNELL_CMD_EMPTY, KNELL_CMD_KEEP,
					  KNELL_CMD_ATTACH, KNELL_CMD_LOST, KNELL_CMD_MAX + 1, 255 };
	struct nl *nl = &self->nl;

	for (unsigned int i = 0; i < sizeof(events); i++) {
		EXPECT_EQ(-EOPNOTSUPP, send_raw(nl, events[i], NLM_F_ACK, 0, NULL, 0));
		EXPECT_EQ(-EOPNOTSUPP, send_raw(nl, events[i], NLM_F_DUMP, 0, NULL, 0));
	}
	EXPECT_EQ(-EOPNOTSUPP, send_raw(nl, KNELL_CMD_QUEUE_DROP, NLM_F_DUMP, KNELL_A_QUEUE_ID,
					&self->id, sizeof(self->id)));
	EXPECT_STREQ("not a dump: expected no NLM_F_DUMP", nl->text);
}

TEST_HARNESS_MAIN
