/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What only the module's fault build can have fail: its loading, what netlink is asked, what the
 * monitor tells.
 */
#ifndef _FAULT_BUILT_H
#define _FAULT_BUILT_H

#include <dirent.h>

#include "fault_queue.h"
#include "fault_watch.h"
#include "netlink_test.h"

/* Kept from the kernel by boots.sh. */
#define BOX_OPTIONS	"box_addr=0x10000000 box_size=0x10000 wakeup=1"

/* ---- the module comes ---- */

/* A file of @path whose name begins with "knell", or whose text does. */
static bool knell_in(const char *path, const char *file)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	char name[512], text[64];
	bool found = false;

	while (dir && !found && (entry = readdir(dir))) {
		snprintf(name, sizeof(name), "%s/%s/%s", path, entry->d_name, file ?: "");
		found = !strncmp(file ? read_param(name, text, sizeof(text)) : entry->d_name,
				 "knell", 5);
	}
	if (dir)
		closedir(dir);
	return found;
}

static bool knell_line_in(const char *path)
{
	FILE *f = fopen(path, "re");
	bool found = false;
	char line[256];

	while (f && fgets(line, sizeof(line), f))
		found |= !!strstr(line, "knell");
	if (f)
		fclose(f);
	return found;
}

/* Whether there is nothing of the module. */
static bool nothing_there(void)
{
	static struct nl nl;

	return access(KNELL_DEVICE, F_OK) && access("/sys/module/knell", F_OK) &&
	       !knell_in("/sys/kernel/slab", NULL) && !knell_in("/sys/class/misc", NULL) &&
	       !knell_in("/sys/bus/platform/drivers", NULL) &&
	       !knell_in("/sys/class/wakeup", "name") && !knell_line_in("/proc/iomem") &&
	       !knell_line_in("/proc/misc") && nl_open(&nl) == -ENOENT;
}

/* Whether a module that is there does what it is for. */
static bool does_work(void)
{
	int fd = open_queue();
	int64_t watch = add_watch(fd, op_user(1));
	struct knell_event ev;
	bool works = watch > 0 && !trigger(fd, watch, 1) && next_event(fd, &ev) == 1;

	close(fd);
	return works;
}

/* Without the module. */
FIXTURE(loading)
{
	int kmsg;
	unsigned int n, refused;
};

FIXTURE_SETUP(loading)
{
	self->kmsg = open_kmsg();
	ASSERT_LE(0, self->kmsg);
	ASSERT_EQ(0, remove_module());
	ASSERT_TRUE(nothing_there());
}

FIXTURE_TEARDOWN(loading)
{
	remove_module();
	EXPECT_TRUE(nothing_there());
	EXPECT_EQ(0, insert_from(FAULT_KO, ""));
	TH_LOG("%u failed, %u refusals", self->n - 1, self->refused);
}

/* All that init asks for, in turn. What it can do without it does without. */
TEST_F_TIMEOUT(loading, init, LIMIT)
{
	char options[128];
	int err, why, live;

	do {
		snprintf(options, sizeof(options), BOX_OPTIONS " fault=%d:%u", own_tid(), ++self->n);
		err = insert_from(FAULT_KO, options);
		why = failed_by_kmsg(self->kmsg, &live);
		if (err) {
			ASSERT_EQ(-why, err);
			ASSERT_EQ(0, live);
			ASSERT_TRUE(nothing_there());
			self->refused++;
			ASSERT_EQ(0, insert_from(FAULT_KO, BOX_OPTIONS));
		}
		built_arm(own_tid(), 0);
		ASSERT_TRUE(does_work());
		ASSERT_EQ(0, remove_module());
		failed_by_kmsg(self->kmsg, &live);
		ASSERT_EQ(0, live);
		ASSERT_TRUE(nothing_there());
	} while (why);
	EXPECT_LT(5, self->refused);
	/* The box's region, its map, its memory and its files, and the wakeup source. */
	EXPECT_LT(4, self->n - 1 - self->refused);
}

/* The first tree has the module register its probes. */
TEST_F_TIMEOUT(loading, first_tree, LIMIT)
{
	int64_t tree;
	bool again;
	int fd, nth;

	do {
		ASSERT_EQ(0, insert_from(FAULT_KO, ""));
		nth = open_fail_nth(0);
		fd = open_queue();
		fail_nth(nth, ++self->n);
		tree = add_watch(fd, op_add(KNELL_TREE, 0, 1));
		again = has_failed(nth);
		if (tree < 0) {
			ASSERT_TRUE(again);
			ASSERT_TRUE(is_right(tree));
			ASSERT_EQ(0, nr_watches(fd));
			tree = add_watch(fd, op_add(KNELL_TREE, 0, 1));
			self->refused++;
		}
		ASSERT_TRUE(tree_ends(fd, tree));
		close(fd);
		close(nth);
		ASSERT_EQ(0, remove_module());
	} while (again);
	EXPECT_LT(0, self->refused);
}

/* ---- netlink ---- */

/* In @queue one watch of each kind, and a tree with two members; the tree. */
static uint32_t fill_queue(int queue, struct adding *a, pid_t *member)
{
	uint32_t watch, tree = 0;

	for (unsigned int kind = 0; kind <= CHILDREN; kind++) {
		prepare(&a[kind], kind);
		watch = add_watch(queue, a[kind].op);
		if (watch > INT32_MAX)
			return 0;
		if (kind == TREE)
			tree = watch;
		/* This one's next process is to be the tree's. */
		if (kind == NEXT)
			child_that_exits();
	}
	for (int i = 0; i < 2; i++) {
		if (join_next(queue, tree))
			return 0;
		member[i] = sleeping_child();
	}
	return tree;
}

static void count_told(const struct nl_message *m, void *arg)
{
	(void)m;
	++*(unsigned int *)arg;
}

enum question { QUEUE, QUEUES, WATCHES, MEMBERS };

static int ask(struct nl *nl, enum question what, int queue, uint32_t tree, unsigned int *told)
{
	uint64_t id = queue_id(queue);

	*told = 0;
	switch (what) {
	case QUEUE:
		return nl_queue_get(nl, id, count_told, told);
	case QUEUES:
		return nl_queues(nl, count_told, told);
	case WATCHES:
		return nl_watches(nl, id, count_told, told);
	default:
		return nl_members(nl, id, tree, count_told, told);
	}
}

/* What is told is all there is, or an error. */
TEST_F_TIMEOUT(fault, netlink, LIMIT)
{
	static struct nl nl;
	struct adding a[CHILDREN + 1];
	unsigned int all, told;
	uint32_t tree;
	pid_t member[2];
	bool again;
	int err;

	tree = fill_queue(self->queue, a, member);
	ASSERT_LT(0, tree);
	/* And a queue that nobody holds. */
	ASSERT_EQ(0, keep_queue(self->queue, "held"));
	ASSERT_EQ(0, leave_queue());
	ASSERT_EQ(0, nl_open(&nl));
	for (enum question what = QUEUE; what <= MEMBERS; what++) {
		ASSERT_EQ(0, ask(&nl, what, self->queue, tree, &all));
		ASSERT_LT(0, all);
		self->n = 0;
		do {
			arm(self);
			err = ask(&nl, what, self->queue, tree, &told);
			again = failed(self, err);
			if (!err)
				ASSERT_EQ(all, told);
			ASSERT_EQ(0, ask(&nl, what, self->queue, tree, &told));
			ASSERT_EQ(all, told);
		} while (again);
	}
	EXPECT_LT(0, self->refused);
	ASSERT_EQ(0, keep_off(self->queue, "held"));
	ASSERT_EQ(0, drop_queue(NAME));
	close(nl.fd);
	for (int i = 0; i < 2; i++)
		end_child(member[i]);
	for (unsigned int kind = 0; kind <= CHILDREN; kind++)
		finish(&a[kind]);
}

/* ---- the monitor ---- */

struct heard {
	unsigned int nr;	/* events, told or said to be lost */
	unsigned int lost;
};

static void hear_monitor(const struct nl_message *m, void *arg)
{
	struct heard *h = arg;

	if (m->cmd != KNELL_CMD_LOST) {
		h->nr++;
		return;
	}
	h->lost += nl_u32(m, KNELL_A_EVENT_LOST);
	h->nr += nl_u32(m, KNELL_A_EVENT_LOST);
}

/* What there is by now, or with @wait until @nr events were heard of. */
static bool hears_monitor(struct nl *nl, struct heard *h, unsigned int nr, bool wait)
{
	struct pollfd pfd = { .fd = nl->fd, .events = POLLIN };
	int err;

	while (h->nr < nr && poll(&pfd, 1, wait ? PATIENCE / NSEC_PER_MSEC : 0) == 1)
		if (nl_receive(nl, hear_monitor, h, &err) < 0)
			return false;
	return h->nr == nr;
}

#define HAPPENS	5

/* All that the monitor tells, of a queue with a name: KEEP, ATTACH, an EXIT, a tree's, its EMPTY. */
static int happen(int door, struct nl *nl, struct heard *heard)
{
	struct knell_watch_info left[2];
	struct adding process, tree;
	int fd, watch;

	if (leave_queue())
		return -EPROTO;
	fd = attach(door, NAME);
	if (list_watches(fd, left, 2, 0) != 2 || del_watch(fd, left[0].watch) ||
	    del_watch(fd, left[1].watch))
		return -EPROTO;
	prepare(&process, PID);
	prepare(&tree, TREE);
	watch = add_watch(fd, process.op);
	if (!fires(&process, fd, watch))
		return -EPROTO;
	watch = add_watch(fd, tree.op);
	if (!fires(&tree, fd, watch))
		return -EPROTO;
	finish(&process);
	finish(&tree);
	/* The name is the one that the queue has when the worker comes to it. */
	if (!hears_monitor(nl, heard, HAPPENS, true) || keep_off(fd, NAME))
		return -EPROTO;
	close(fd);
	return 0;
}

static bool exit_happens(int queue)
{
	int64_t watch = add_watch(queue, op_add(KNELL_CHILDREN, 0, 1));

	child_that_exits();
	return hears(queue, watch, KNELL_EV_EXIT) && !del_watch(queue, watch);
}

static int join_monitor(struct nl *nl)
{
	if (nl_open(nl))
		return -EPROTO;
	return setsockopt(nl->fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &nl->group,
			  sizeof(nl->group)) ? -errno : 0;
}

/* Of what the worker asks for the Nth fails: it says that so many were lost. */
TEST_F_TIMEOUT(fault, monitor, LIMIT)
{
	static struct nl nl;
	struct heard heard;
	bool again;
	int err;

	ASSERT_EQ(0, join_monitor(&nl));
	do {
		heard = (struct heard){ };
		built_arm(WORKERS, ++self->n);
		ASSERT_EQ(0, happen(self->queue, &nl, &heard));
		again = !built_left(WORKERS, &err);
		ASSERT_EQ(again, heard.lost);
	} while (again);
	EXPECT_LT(20, self->n);
	close(nl.fd);
}

/* What was to say that one was lost fails, too: it is told with the next. */
TEST_F_TIMEOUT(fault, monitor_twice, LIMIT)
{
	static struct nl nl;
	struct heard heard;
	bool again;
	int err;

	ASSERT_EQ(0, join_monitor(&nl));
	self->n = 1;
	do {
		heard = (struct heard){ };
		built_arm(WORKERS, 1);
		built_arm(WORKERS_TOO, ++self->n);
		ASSERT_TRUE(exit_happens(self->queue));
		/* No event tells that it has come to that. */
		while (!hears_monitor(&nl, &heard, 1, false) && built_left(WORKERS_TOO, &err))
			sched_yield();
		again = !built_left(WORKERS_TOO, &err);
		ASSERT_EQ(!again, heard.lost);
		built_arm(WORKERS_TOO, 0);
		ASSERT_TRUE(exit_happens(self->queue));
		ASSERT_TRUE(hears_monitor(&nl, &heard, 2, true));
		ASSERT_EQ(1, heard.lost);
	} while (again);
	EXPECT_EQ(6, self->n);
	close(nl.fd);
}

#endif /* _FAULT_BUILT_H */
