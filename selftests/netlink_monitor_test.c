// SPDX-License-Identifier: GPL-2.0-only
/* The netlink family's group "monitor": what happens, for whoever listens. */
#include "kselftest_harness.h"

#include <sched.h>

#include "burst_test.h"
#include "netlink_test.h"

#define NAME		"netlink-monitor"

/* One event of the queues that a test is about. */
struct heard {
	uint8_t cmd;
	uint64_t queue, token, time, cpu;
	uint32_t watch, kind, pid, uid, flags, status, members, lost;
	char name[64], label[64], comm[16];
};

FIXTURE(netlink_monitor) {
	struct nl nl;
	int fd;
	uint64_t id;
};

FIXTURE_SETUP(netlink_monitor)
{
	ASSERT_EQ(0, nl_open(&self->nl));
	ASSERT_NE(0, self->nl.group);
	ASSERT_EQ(0, join_group(&self->nl));
	self->fd = knell_open(0);
	ASSERT_LE(0, self->fd);
	self->id = queue_id(self->fd);
}

FIXTURE_TEARDOWN(netlink_monitor)
{
	close(self->nl.fd);
	close(self->fd);
	EXPECT_EQ(0, drop_queue(NAME));
	EXPECT_EQ(0, module_refs_after_all(0));
}

static void hear_event(const struct nl_message *m, void *arg)
{
	struct heard *h = arg;

	h->cmd = m->cmd;
	h->queue = nl_u64(m, KNELL_A_EVENT_QUEUE);
	h->token = nl_u64(m, KNELL_A_EVENT_TOKEN);
	h->time = nl_u64(m, KNELL_A_EVENT_TIME_NS);
	h->cpu = nl_u64(m, KNELL_A_EVENT_CPU_NS);
	h->watch = nl_u32(m, KNELL_A_EVENT_WATCH);
	h->kind = nl_u32(m, KNELL_A_EVENT_KIND);
	h->pid = nl_u32(m, KNELL_A_EVENT_PID);
	h->uid = nl_u32(m, KNELL_A_EVENT_UID);
	h->flags = nl_u32(m, KNELL_A_EVENT_FLAGS);
	h->status = nl_u32(m, KNELL_A_EVENT_STATUS);
	h->members = nl_u32(m, KNELL_A_EVENT_MEMBERS);
	h->lost = nl_u32(m, KNELL_A_EVENT_LOST);
	snprintf(h->name, sizeof(h->name), "%s", nl_string(m, KNELL_A_EVENT_NAME));
	snprintf(h->label, sizeof(h->label), "%s", nl_string(m, KNELL_A_EVENT_LABEL));
	snprintf(h->comm, sizeof(h->comm), "%s", nl_string(m, KNELL_A_EVENT_COMM));
}

/* The next event: each is a datagram of its own. */
static bool next_heard(struct nl *nl, struct heard *h)
{
	int err = 0;

	memset(h, 0, sizeof(*h));
	return SO(!nl_receive(nl, hear_event, h, &err));
}

TEST_F(netlink_monitor, a_process_that_dies)
{
	uint64_t before = clock_ns(CLOCK_MONOTONIC);
	struct heard h;
	int64_t watch;
	pid_t pid;

	watch = add_watch(self->fd, op_process(0, KNELL_OPF_NEXT, 77));
	ASSERT_LT(0, watch);
	pid = fork();
	if (!pid) {
		prctl(PR_SET_NAME, "deceased");
		_exit(setresuid(1000, 1000, 1000) ? BROKEN : 7);
	}
	ASSERT_EQ(7 << 8, reap(pid));
	ASSERT_TRUE(next_heard(&self->nl, &h));
	EXPECT_EQ(KNELL_CMD_EXIT, h.cmd);
	EXPECT_EQ(self->id, h.queue);
	EXPECT_EQ(watch, h.watch);
	EXPECT_EQ(KNELL_PROCESS, h.kind);
	EXPECT_EQ(77, h.token);
	EXPECT_EQ(pid, h.pid);
	EXPECT_EQ(1000, h.uid);
	EXPECT_EQ(7 << 8, h.status);
	EXPECT_EQ(0, h.flags);
	EXPECT_STREQ("deceased", h.comm);
	EXPECT_STREQ("-", h.name);
	EXPECT_STREQ("-", h.label);
	EXPECT_LE(before, h.time);
	EXPECT_GE(clock_ns(CLOCK_MONOTONIC), h.time);
	EXPECT_NE(~0ULL, h.cpu);
}

TEST_F(netlink_monitor, a_tree_that_empties)
{
	int64_t tree = add_watch(self->fd, op_tree(KNELL_OPF_REPORT_EXIT, 5, "grove"));
	int gate[2] = { new_gate(), new_gate() };
	struct heard h;
	pid_t pid[2];

	ASSERT_LT(0, tree);
	ASSERT_EQ(0, keep_queue(self->fd, NAME));
	ASSERT_TRUE(next_heard(&self->nl, &h));
	EXPECT_EQ(KNELL_CMD_KEEP, h.cmd);
	for (int i = 0; i < 2; i++) {
		pid[i] = spawn_member(self->fd, tree, wait_at_gate, &gate[i]);
		ASSERT_LT(0, pid[i]);
	}
	ASSERT_EQ(0, kill(pid[0], SIGKILL));
	ASSERT_EQ(SIGKILL, reap(pid[0]));
	ASSERT_TRUE(next_heard(&self->nl, &h));
	EXPECT_EQ(KNELL_CMD_EXIT, h.cmd);
	EXPECT_EQ(KNELL_TREE, h.kind);
	EXPECT_EQ(pid[0], h.pid);
	EXPECT_EQ(SIGKILL, h.status);
	EXPECT_EQ(KNELL_EVF_MAIN | KNELL_EVF_KILLER, h.flags);
	EXPECT_EQ(1, h.members);
	EXPECT_STREQ("grove", h.label);
	EXPECT_STREQ(NAME, h.name);
	open_gate(gate[1], 1);
	ASSERT_EQ(0, reap(pid[1]));
	ASSERT_TRUE(next_heard(&self->nl, &h));
	EXPECT_EQ(KNELL_CMD_EXIT, h.cmd);
	EXPECT_EQ(pid[1], h.pid);
	EXPECT_EQ(0, h.members);
	ASSERT_TRUE(next_heard(&self->nl, &h));
	EXPECT_EQ(KNELL_CMD_EMPTY, h.cmd);
	EXPECT_EQ(pid[0], h.pid);
	EXPECT_EQ(tree, h.watch);
	EXPECT_EQ(5, h.token);
	EXPECT_STREQ("grove", h.label);
	EXPECT_EQ(~0U, h.uid);
	EXPECT_EQ(0, keep_off(self->fd, NAME));
}

TEST_F(netlink_monitor, a_child_of_children)
{
	int64_t watch = add_watch(self->fd, op_add(KNELL_CHILDREN, 0, 3));
	struct heard h;
	pid_t pid;

	ASSERT_LT(0, watch);
	pid = fork();
	if (!pid)
		_exit(1);
	ASSERT_EQ(1 << 8, reap(pid));
	ASSERT_TRUE(next_heard(&self->nl, &h));
	EXPECT_EQ(KNELL_CMD_EXIT, h.cmd);
	EXPECT_EQ(KNELL_CHILDREN, h.kind);
	EXPECT_EQ(watch, h.watch);
	EXPECT_EQ(pid, h.pid);
}

TEST_F(netlink_monitor, a_queue_that_changes_hands)
{
	struct manager m = { .name = NAME };
	struct heard h;
	int fd;

	ASSERT_EQ(0, start_manager(&m, false));
	ASSERT_TRUE(next_heard(&self->nl, &h));
	EXPECT_EQ(KNELL_CMD_KEEP, h.cmd);
	EXPECT_EQ(m.pid, h.pid);
	EXPECT_EQ(0, h.uid);
	EXPECT_STREQ(NAME, h.name);
	EXPECT_STREQ("netlink_monitor", h.comm);
	kill_manager(&m);
	fd = take_over(NAME);
	ASSERT_LE(0, fd);
	ASSERT_TRUE(next_heard(&self->nl, &h));
	EXPECT_EQ(KNELL_CMD_ATTACH, h.cmd);
	EXPECT_EQ(getpid(), h.pid);
	EXPECT_EQ(queue_id(fd), h.queue);
	EXPECT_STREQ(NAME, h.name);
	EXPECT_EQ(0, keep_off(fd, NAME));
	close(fd);
}

/* --- who may listen */

static int try_to_join(void *arg)
{
	struct nl *nl = arg, own;
	int err = nl_open(&own);

	if (err)
		return err;
	own.group = nl->group;
	err = join_group(&own);
	close(own.fd);
	return err;
}

static int join_from_user_ns(void *arg)
{
	return unshare(CLONE_NEWUSER) ? -errno : try_to_join(arg);
}

TEST_F(netlink_monitor, it_takes_a_capability)
{
	static const struct who without = { 0, 0, 0, 0 };
	static const struct who admin = { 1000, 1000, 1000, 1ULL << CAP_NET_ADMIN };

	EXPECT_EQ(-EPERM, as_who(&user_1000, try_to_join, &self->nl));
	EXPECT_EQ(-EPERM, as_who(&without, try_to_join, &self->nl));
	EXPECT_EQ(-EPERM, as_who(&user_1000, join_from_user_ns, &self->nl));
	EXPECT_EQ(0, as_who(&admin, try_to_join, &self->nl));
}

/* --- more than fits */

TEST_F_TIMEOUT(netlink_monitor, more_than_fits_is_counted, LIMIT)
{
	unsigned int events = 0, lost = 0, losts = 0;
	int room = 16 << 20;
	struct heard h;

	ASSERT_EQ(0, setsockopt(self->nl.fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)));
	EXPECT_EQ(0, burst(self->fd));
	while (events + lost < BURST && next_heard(&self->nl, &h)) {
		if (h.cmd == KNELL_CMD_LOST) {
			losts++;
			lost += h.lost;
			continue;
		}
		EXPECT_EQ(KNELL_CMD_EXIT, h.cmd);
		events++;
	}
	TH_LOG("%u told, %u lost in %u", events, lost, losts);
	EXPECT_EQ(BURST, events + lost);
	EXPECT_LE(256, events);
	EXPECT_LT(0, losts);
}

/* Who does not read hears of it from his own socket, and goes on. */
TEST_F_TIMEOUT(netlink_monitor, a_listener_that_is_too_slow, LIMIT)
{
	struct pollfd overrun = { .fd = self->nl.fd };
	int room = 4096, err = 0;
	struct heard h;

	ASSERT_EQ(0, setsockopt(self->nl.fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room)));
	for (int i = 0; i < 100; i++) {
		ASSERT_EQ(0, keep_queue(self->fd, NAME));
		ASSERT_EQ(0, keep_off(self->fd, NAME));
	}
	/* They are on their way still: who reads already may be quick enough. */
	ASSERT_EQ(1, poll(&overrun, 1, 1000 * LIMIT));
	for (int i = 0; i < 100 && err != -ENOBUFS; i++)
		err = nl_receive(&self->nl, hear_event, &h, &room);
	EXPECT_EQ(-ENOBUFS, err);
}

#define main run_all
TEST_HARNESS_MAIN
#undef main

/* An older kernel lets everybody join any group: there is none. */
static bool group_is_missing(void)
{
	struct nl nl;

	if (!kernel_before(6, 1) || nl_open(&nl))
		return false;
	close(nl.fd);
	return !nl.group;
}

int main(int argc, char **argv)
{
	if (group_is_missing()) {
		printf("TAP version 13\n1..0 # SKIP the kernel has no groups that only some may join\n");
		return KSFT_SKIP;
	}
	return run_all(argc, argv);
}
