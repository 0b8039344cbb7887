// SPDX-License-Identifier: GPL-2.0-only
/* The netlink family: who is told of what, and who may drop a kept queue. */
#include "kselftest_harness.h"

#include <sched.h>

#include "netlink_test.h"

#define NAME		"netlink-priv"
#define OTHERS		"another user's queue: expected its owner or CAP_SYS_ADMIN"
#define CAP(name)	(1ULL << CAP_##name)

static const struct who user_1001 = { 1001, 1001, 1001, 0 };
static const struct who user_1000_admin = { 1000, 1000, 1000, CAP(SYS_ADMIN) };
static const struct who user_1000_net_admin = { 1000, 1000, 1000, CAP(NET_ADMIN) };
static const struct who root_without = { 0, 0, 0, 0 };

/**
 * struct cell - somebody looks at a queue
 * @id: of the queue
 * @tree: handle of a tree in it
 * @nl: the socket to use, NULL: one of his own
 * @get: what came of queue-get, and of the others
 * @watches: of watch-get
 * @members: of member-get
 * @drop: of queue-drop, if @drops
 * @drops: try that, too
 * @text: of the first that failed
 * @seen: in a dump: the queue, and how many others
 */
struct cell {
	uint64_t id;
	uint32_t tree;
	struct nl *nl;
	int get, watches, members, drop;
	bool drops;
	char text[128];
	struct seen_queue seen;
};

/* root's queue and user 1000's, each with a tree. */
FIXTURE(netlink_priv) {
	struct cell *roots;
	struct cell *users;
	int fd[2];
};

static int open_queue(void *arg)
{
	struct cell *c = arg;
	int fd = knell_open(0);
	int64_t tree;

	if (fd < 0)
		return -errno;
	tree = add_tree(fd, 0, 0);
	c->id = queue_id(fd);
	c->tree = tree;
	return tree < 0 ? (int)tree : fd;
}

/* A queue of @uid's in this process. */
static int open_queue_as(uid_t uid, struct cell *c)
{
	int fd, err;

	if (seteuid(uid))
		return -errno;
	fd = open_queue(c);
	err = seteuid(0) ? -errno : 0;
	return err ? err : fd;
}

FIXTURE_SETUP(netlink_priv)
{
	ASSERT_EQ(0, chmod(KNELL_DEVICE, 0666));
	self->roots = shared(4096);
	self->users = shared(4096);
	self->fd[0] = open_queue_as(0, self->roots);
	self->fd[1] = open_queue_as(1000, self->users);
	ASSERT_LE(0, self->fd[0]);
	ASSERT_LE(0, self->fd[1]);
}

FIXTURE_TEARDOWN(netlink_priv)
{
	close(self->fd[0]);
	close(self->fd[1]);
	EXPECT_EQ(0, drop_queue(NAME));
	EXPECT_EQ(0, chmod(KNELL_DEVICE, 0600));
	EXPECT_EQ(0, module_refs_after_all(0));
}

static void note(struct cell *c, struct nl *nl, int err)
{
	if (err && !c->text[0])
		snprintf(c->text, sizeof(c->text), "%s", nl->text);
}

/* All questions, of whoever calls it. */
static int look(void *arg)
{
	struct cell *c = arg;
	struct seen_queue q = { };
	struct nl own;
	int err = c->nl ? 0 : nl_open(&own);
	struct nl *nl = c->nl ? c->nl : &own;

	if (err)
		return err;
	c->text[0] = 0;
	c->get = nl_queue_get(nl, c->id, see_queue, &q);
	note(c, nl, c->get);
	c->watches = nl_watches(nl, c->id, NULL, NULL);
	note(c, nl, c->watches);
	c->members = nl_members(nl, c->id, c->tree, NULL, NULL);
	note(c, nl, c->members);
	if (c->drops) {
		c->drop = nl_queue_drop(nl, c->id);
		note(c, nl, c->drop);
	}
	c->seen = (struct seen_queue){ .id = c->id };
	err = nl_queues(nl, see_queue, &c->seen);
	if (!c->nl)
		close(own.fd);
	return err;
}

static bool is_seen(struct cell *c, const struct who *who, uint32_t uid)
{
	return SO(!as_who(who, look, c)) && SO(!c->get) && SO(!c->watches) && SO(!c->members) &&
		SO(c->seen.nr == 1) && SO(c->seen.uid == uid);
}

static bool is_hidden(struct cell *c, const struct who *who)
{
	bool ok = SO(!as_who(who, look, c)) && SO(c->get == -EPERM) && SO(c->watches == -EPERM) &&
		SO(c->members == -EPERM) && SO(!strcmp(c->text, OTHERS)) && SO(!c->seen.nr);

	if (!ok)
		fprintf(stderr, "# get %d watches %d members %d: %s\n", c->get, c->watches,
			c->members, c->text);
	return ok;
}

TEST_F(netlink_priv, owners_see_their_own)
{
	EXPECT_TRUE(is_seen(self->users, &user_1000, 1000));
	EXPECT_EQ(0, self->users->seen.others);
	EXPECT_TRUE(is_seen(self->roots, &root_without, 0));
	EXPECT_EQ(0, self->roots->seen.others);
}

TEST_F(netlink_priv, others_do_not)
{
	EXPECT_TRUE(is_hidden(self->roots, &user_1000));
	EXPECT_TRUE(is_hidden(self->users, &user_1001));
	EXPECT_EQ(0, self->users->seen.others);
	EXPECT_TRUE(is_hidden(self->users, &root_without));
	EXPECT_TRUE(is_hidden(self->roots, &user_1000_net_admin));
}

TEST_F(netlink_priv, who_has_the_capability_sees_all)
{
	EXPECT_TRUE(is_seen(self->users, &root_all, 1000));
	EXPECT_EQ(1, self->users->seen.others);
	EXPECT_TRUE(is_seen(self->roots, &user_1000_admin, 0));
	EXPECT_EQ(1, self->roots->seen.others);
}

/* A socket that was handed over, or that somebody was made to write to. */
TEST_F(netlink_priv, a_socket_of_another_gives_no_rights)
{
	struct nl *nl = shared(sizeof(*nl));

	ASSERT_EQ(0, nl_open(nl));
	self->roots->nl = nl;
	self->users->nl = nl;
	EXPECT_TRUE(is_hidden(self->roots, &user_1000));
	EXPECT_TRUE(is_hidden(self->users, &user_1000));
	close(nl->fd);
	ASSERT_EQ(0, seteuid(1000));
	ASSERT_EQ(0, nl_open(nl));
	ASSERT_EQ(0, seteuid(0));
	EXPECT_TRUE(is_hidden(self->roots, &root_all));
	EXPECT_TRUE(is_hidden(self->users, &root_all));
	close(nl->fd);
}

/* --- namespaces */

/* As root of a user namespace that user 1000 has made. */
static int look_from_user_ns(void *arg)
{
	int err = enter_user_ns();

	return err ? err : look(arg);
}

TEST_F(netlink_priv, root_of_another_user_namespace)
{
	struct cell *c = self->roots;

	EXPECT_EQ(0, as_who(&user_1000, look_from_user_ns, c));
	EXPECT_EQ(-EPERM, c->get);
	EXPECT_EQ(-EPERM, c->watches);
	EXPECT_EQ(-EPERM, c->members);
	EXPECT_EQ(0, c->seen.nr);
	EXPECT_EQ(1, c->seen.others);
	c = self->users;
	EXPECT_EQ(0, as_who(&user_1000, look_from_user_ns, c));
	EXPECT_EQ(0, c->get);
	EXPECT_EQ(0, c->seen.uid);
	EXPECT_EQ(0, c->seen.others);
}

static int look_from_net_ns(void *arg)
{
	return unshare(CLONE_NEWNET) ? -errno : look(arg);
}

TEST_F(netlink_priv, another_net_namespace_has_no_family)
{
	EXPECT_EQ(-ENOENT, as_who(&root_all, look_from_net_ns, self->roots));
}

/* The pid namespace is its children's. */
static int look_from_pid_ns(void *arg)
{
	return unshare(CLONE_NEWPID) ? -errno : as_who(&root_all, look, arg);
}

TEST_F(netlink_priv, pids_are_the_askers)
{
	struct cell *c = self->roots;

	EXPECT_EQ(0, as_who(&root_all, look_from_pid_ns, c));
	EXPECT_EQ(0, c->get);
	EXPECT_EQ(1, c->seen.nr);
	EXPECT_EQ(0, c->seen.pid);
	EXPECT_STREQ("-", c->seen.comm);
}

/* One that was opened where its opener is the first process. */
static int look_at_own(void *arg)
{
	struct cell *c = arg;
	int fd = open_queue(c), err = fd < 0 ? fd : look(c);

	if (fd >= 0)
		close(fd);
	return err;
}

static int look_at_own_in_pid_ns(void *arg)
{
	return unshare(CLONE_NEWPID) ? -errno : as_who(&root_all, look_at_own, arg);
}

TEST_F(netlink_priv, pids_are_translated)
{
	struct cell *c = shared(4096);

	EXPECT_EQ(0, as_who(&root_all, look_at_own_in_pid_ns, c));
	EXPECT_EQ(0, c->get);
	EXPECT_EQ(0, c->watches);
	EXPECT_EQ(1, c->seen.nr);
	EXPECT_EQ(1, c->seen.pid);
	EXPECT_STREQ("netlink_priv_te", c->seen.comm);
}

/* --- queue-drop */

static int note_id(struct manager *m)
{
	struct cell *c = m->arg;

	c->id = queue_id(m->fd);
	return 0;
}

static int start_manager_as(struct manager *m, uid_t uid)
{
	int err = seteuid(uid) ? -errno : start_manager(m, false);

	return seteuid(0) ? -errno : err;
}

static int drop(void *arg)
{
	struct cell *c = arg;
	struct nl nl;
	int err = nl_open(&nl);

	if (err)
		return err;
	err = nl_queue_drop(&nl, c->id);
	note(c, &nl, err);
	close(nl.fd);
	return err;
}

TEST_F(netlink_priv, drop_by_the_owner)
{
	struct manager m = { .name = NAME, .work = note_id, .arg = self->users };
	struct cell *c = self->users;

	ASSERT_EQ(0, start_manager_as(&m, 1000));
	EXPECT_EQ(-EBUSY, as_who(&user_1000, drop, c));
	EXPECT_STREQ("the queue's holder lives: expected it to be dead", c->text);
	kill_manager(&m);
	EXPECT_EQ(0, as_who(&user_1000, drop, c));
	c->text[0] = 0;
	EXPECT_EQ(-ENOENT, as_who(&user_1000, drop, c));
	EXPECT_STREQ("there is no queue of that id", c->text);
	EXPECT_EQ(2, module_refs());
}

TEST_F(netlink_priv, drop_by_others)
{
	struct manager m = { .name = NAME, .work = note_id, .arg = self->users };
	struct cell *c = self->users;

	ASSERT_EQ(0, start_manager_as(&m, 1000));
	kill_manager(&m);
	EXPECT_EQ(-EPERM, as_who(&user_1001, drop, c));
	EXPECT_STREQ(OTHERS, c->text);
	EXPECT_EQ(-EPERM, as_who(&root_without, drop, c));
	EXPECT_EQ(0, as_who(&user_1000_admin, drop, c));
}

static int drop_from_user_ns(void *arg)
{
	int err = enter_user_ns();

	return err ? err : drop(arg);
}

TEST_F(netlink_priv, drop_from_another_user_namespace)
{
	struct manager m = { .name = NAME, .work = note_id, .arg = self->users };

	ASSERT_EQ(0, start_manager_as(&m, 1000));
	kill_manager(&m);
	EXPECT_EQ(-EPERM, as_who(&user_1000, drop_from_user_ns, self->users));
	EXPECT_EQ(0, drop(self->users));
}

TEST_F(netlink_priv, drop_of_what_is_not_kept)
{
	EXPECT_EQ(-ENOENT, drop(self->roots));
	EXPECT_STREQ("not a kept queue: it ends with its last descriptor", self->roots->text);
	EXPECT_LT(0, add_watch(self->fd[0], op_add(KNELL_USER, 0, 0)));
}

/* A tree that is not to outlive its queue, and a descriptor that outlives the manager. */
struct outliving {
	struct cell cell;
	int gate;
	int life;
	int fd;
};

static int keep_a_tree(struct manager *m)
{
	struct outliving *o = m->arg;
	int64_t tree = add_tree(m->fd, KNELL_OPF_KILL_ON_CLOSE, 0);

	if (tree < 0 || spawn_member(m->fd, tree, wait_at_gate, &o->gate) < 0)
		return -EPROTO;
	return note_id(m);
}

TEST_F(netlink_priv, what_a_dropped_queue_leaves)
{
	struct outliving *o = shared(4096);
	struct manager m = { .name = NAME, .work = keep_a_tree, .arg = o };
	struct lifeline l;
	int fd;

	o->gate = new_gate();
	ASSERT_EQ(0, new_lifeline(&l));
	ASSERT_EQ(0, start_manager(&m, false));
	drop_lifeline(&l);
	kill_manager(&m);
	EXPECT_FALSE(all_dead(&l));
	EXPECT_EQ(0, drop(&o->cell));
	/* The member had the queue's descriptor: the queue is gone all the same. */
	EXPECT_TRUE(await_all_dead(&l));
	EXPECT_EQ(-ENOENT, attach_anew(NAME));
	fd = knell_open(0);
	ASSERT_LE(0, fd);
	EXPECT_EQ(0, keep_queue(fd, NAME));
	EXPECT_EQ(0, keep_off(fd, NAME));
	close(fd);
}

/* Keeps it, and gives a copy of the descriptor to a child that lives on. */
static int share_it(struct manager *m)
{
	struct outliving *o = m->arg;
	struct pollfd pfd = { .fd = m->fd, .events = POLLIN };
	struct knell_event ev;
	pid_t pid = fork();

	if (pid)
		return pid < 0 ? -errno : note_id(m);
	pass_gate(o->gate);
	o->life = poll(&pfd, 1, -1) == 1 && pfd.revents & POLLHUP ?
		wait_events(m->fd, &ev, 1, KNELL_FOREVER) : 0;
	_exit(0);
}

TEST_F(netlink_priv, a_descriptor_of_a_dropped_queue_is_revoked)
{
	struct outliving *o = shared(4096);
	struct manager m = { .name = NAME, .work = share_it, .arg = o };
	struct lifeline l;

	o->gate = new_gate();
	ASSERT_EQ(0, new_lifeline(&l));
	ASSERT_EQ(0, start_manager(&m, false));
	drop_lifeline(&l);
	kill_manager(&m);
	open_gate(o->gate, 1);
	EXPECT_EQ(0, drop(&o->cell));
	EXPECT_TRUE(await_all_dead(&l));
	EXPECT_EQ(-ESTALE, o->life);
}

TEST_HARNESS_MAIN
