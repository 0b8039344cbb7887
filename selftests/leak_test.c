// SPDX-License-Identifier: GPL-2.0-only
/*
 * No memory of the kernel's gets out: all that the module tells is made after stack and slabs were
 * filled with one pattern, then with another, of the module as it is and of its fault build, whose
 * variables the compiler fills. What is not used has to be 0 each time; nothing is a pattern or an
 * address. Traces are in leak_trace_test.c.
 *
 * runner-limit: 600
 */
#include "kselftest_harness.h"

#include <linux/knell_blackbox.h>

#include "leak_test.h"
#include "netlink_test.h"

#define TOKEN		0x0123456789abcd42ULL
#define BOX_OPTIONS	"box_addr=0x10000000 box_size=0x10000"
#define BOX		"/sys/class/misc/knell/blackbox_live"
#define FAULT_KO	"/lib/knell-fault.ko"
#define CHILDREN	300	/* more than a reserve has */
#define NAME		"leak"

FIXTURE(leak) {
	int fd;
};

FIXTURE_VARIANT(leak) {
	const char *ko;
	unsigned char pattern;
};

FIXTURE_VARIANT_ADD(leak, one) {
	.pattern = 0xa7,
};

FIXTURE_VARIANT_ADD(leak, other) {
	.pattern = 0x39,
};

FIXTURE_VARIANT_ADD(leak, filled) {
	.ko = FAULT_KO,
	.pattern = 0xa7,
};

/* Only x86-64 has the fault build, and the region that boots.sh keeps from the kernel. */
FIXTURE_SETUP(leak)
{
	bool built = !access(FAULT_KO, R_OK);

	/* What returns from here goes on to the test: the harness takes this for a skip. */
	if (variant->ko && !built)
		SKIP(_exit(255), "there is no fault build");
	ASSERT_EQ(0, reload_from(variant->ko ?: module_file(), built ? BOX_OPTIONS : ""));
	self->fd = knell_open(O_NONBLOCK);
	ASSERT_LE(0, self->fd);
	fill_kernel(self->fd, variant->pattern);
}

FIXTURE_TEARDOWN(leak)
{
	close(self->fd);
	EXPECT_EQ(0, module_refs_after_all(0));
	EXPECT_EQ(0, reload_module(""));
}

/* --- records */

static bool exit_is_sound(const struct knell_event *ev)
{
	uint64_t usage = ev->exit.utime_ns | ev->exit.stime_ns | ev->exit.maxrss_kb |
		ev->exit.minflt | ev->exit.majflt | ev->exit.nvcsw | ev->exit.nivcsw;
	bool killer = ev->flags & KNELL_EVF_KILLER;

	return SAYS(is_zero(ev->exit.reserved, sizeof(ev->exit.reserved)), "EXIT") &&
		SAYS(killer || !(ev->exit.killer_pid | ev->exit.killer_uid), "EXIT") &&
		SAYS(!(ev->flags & KNELL_EVF_NOSTATUS) || !(usage | ev->exit.status), "EXIT");
}

/* How many words of each record's union are used. */
static bool record_is_sound(const struct knell_event *ev)
{
	static const unsigned int used[] = {
		[KNELL_EV_EXIT] = 12, [KNELL_EV_TIMER] = 2, [KNELL_EV_USER] = 2,
		[KNELL_EV_FD] = 1, [KNELL_EV_EMPTY] = 2, [KNELL_EV_FORK] = 2, [KNELL_EV_LOST] = 2,
	};
	unsigned int words;

	if (!SAYS(ev->type >= KNELL_EV_EXIT && ev->type <= KNELL_EV_LOST, "type"))
		return false;
	words = used[ev->type];
	return SAYS(ev->token == TOKEN, "token") && SAYS(!(ev->flags & ~0x3f), "flags") &&
		SAYS(is_zero(&ev->raw[words], (12 - words) * 8), "rest") &&
		SAYS(is_clean(ev, sizeof(*ev)), "record") &&
		SAYS(ev->type != KNELL_EV_FD || !ev->fd.pad, "pad") &&
		SAYS(ev->type != KNELL_EV_LOST || !(ev->tree.pid | ev->tree.ppid | ev->tree.members), "LOST") &&
		(ev->type != KNELL_EV_EXIT || exit_is_sound(ev));
}

/* Takes @nr records by read, each into memory that is not 0. */
static bool read_sound(int fd, unsigned int nr, uint16_t *types)
{
	struct knell_event ev;

	for (*types = 0; nr--; *types |= 1 << ev.type) {
		memset(&ev, 0xee, sizeof(ev));
		if (!SAYS(next_event(fd, &ev) == 1, "read") || !record_is_sound(&ev))
			return false;
	}
	return true;
}

/* Where the file puts the first record that it gives out has been one of many words. */
static void use_page(struct __test_metadata *_metadata, int fd)
{
	uint16_t types;
	pid_t pid;

	ASSERT_LT(0, add_next(fd, TOKEN));
	pid = fork();
	if (!pid)
		_exit(3);
	ASSERT_EQ(3 << 8, reap(pid));
	ASSERT_TRUE(read_sound(fd, 1, &types));
	EXPECT_EQ(1 << KNELL_EV_EXIT, types);
}

/* The LOST comes where another record has been. */
TEST_F_TIMEOUT(leak, children_and_lost, LIMIT)
{
	unsigned int losts = 0, nr = 0;
	struct knell_event ev[32];
	int n;

	ASSERT_LT(0, add_watch(self->fd, op_add(KNELL_CHILDREN, 0, TOKEN)));
	for (int i = 0; i < CHILDREN; i++) {
		pid_t pid = fork();

		if (!pid)
			_exit(i);
		ASSERT_LT(0, pid);
		ASSERT_LE(0, reap(pid));
	}
	memset(ev, 0xee, sizeof(ev));
	while ((n = wait_events(self->fd, ev, 32, 0)) > 0) {
		for (int i = 0; i < n; i++) {
			EXPECT_TRUE(record_is_sound(&ev[i]));
			losts += ev[i].type == KNELL_EV_LOST;
		}
		nr += n;
		memset(ev, 0xee, sizeof(ev));
	}
	EXPECT_EQ(257, nr);
	EXPECT_EQ(1, losts);
}

TEST_F_TIMEOUT(leak, doorbell_and_timer, LIMIT)
{
	uint16_t types;
	int64_t bell;

	use_page(_metadata, self->fd);
	fill_stack(self->fd, variant->pattern);
	bell = add_watch(self->fd, op_user(TOKEN));
	ASSERT_LT(0, bell);
	ASSERT_EQ(0, trigger(self->fd, bell, 1));
	ASSERT_TRUE(read_sound(self->fd, 1, &types));
	EXPECT_EQ(1 << KNELL_EV_USER, types);
	use_page(_metadata, self->fd);
	ASSERT_LT(0, add_watch(self->fd, op_timer(CLOCK_MONOTONIC, 0, 1, 0, TOKEN)));
	ASSERT_TRUE(read_sound(self->fd, 1, &types));
	EXPECT_EQ(1 << KNELL_EV_TIMER, types);
}

TEST_F_TIMEOUT(leak, descriptor, LIMIT)
{
	struct knell_op op = op_add(KNELL_FD, 0, TOKEN);
	int gate = new_gate();
	uint16_t types;

	use_page(_metadata, self->fd);
	op.fd.fd = gate;
	op.fd.events = POLLIN;
	ASSERT_LT(0, add_watch(self->fd, op));
	open_gate(gate, 1);
	ASSERT_TRUE(read_sound(self->fd, 1, &types));
	EXPECT_EQ(1 << KNELL_EV_FD, types);
	close(gate);
}

static int add_pid_of(void *arg)
{
	int *it = arg;
	int64_t watch = add_pid(it[0], it[1], TOKEN);

	return watch < 0 ? (int)watch : 0;
}

/* With a status and without. */
TEST_F_TIMEOUT(leak, process, LIMIT)
{
	int it[2] = { self->fd, 0 }, gate = new_gate();
	uint16_t types;

	use_page(_metadata, self->fd);
	for (int i = 0; i < 2; i++) {
		it[1] = spawn_process(wait_at_gate, &gate);
		ASSERT_LT(0, it[1]);
		ASSERT_EQ(0, as_who(i ? &root_all : &user_1000, add_pid_of, it));
		open_gate(gate, 1);
		ASSERT_EQ(0, reap(it[1]));
		ASSERT_TRUE(read_sound(self->fd, 1, &types));
		EXPECT_EQ(1 << KNELL_EV_EXIT, types);
	}
	close(gate);
}

static void fork_one(void *arg)
{
	spawn_process(sleep_for_ever, NULL);
	open_gate(*(int *)arg, 1);
	sleep_for_ever(NULL);
}

TEST_F_TIMEOUT(leak, tree, LIMIT)
{
	int64_t tree = add_tree(self->fd, KNELL_OPF_REPORT_FORK | KNELL_OPF_REPORT_EXIT, TOKEN);
	int gate = new_gate();
	uint16_t types;

	ASSERT_LT(0, tree);
	use_page(_metadata, self->fd);
	ASSERT_LT(0, spawn_member(self->fd, tree, fork_one, &gate));
	pass_gate(gate);
	ASSERT_TRUE(read_sound(self->fd, 1, &types));
	EXPECT_EQ(1 << KNELL_EV_FORK, types);
	EXPECT_EQ(2, kill_watch(self->fd, tree, SIGKILL));
	ASSERT_TRUE(read_sound(self->fd, 3, &types));
	EXPECT_EQ(1 << KNELL_EV_EXIT | 1 << KNELL_EV_EMPTY, types);
	reap_all();
	close(gate);
}

/* --- what ioctls tell */

/* A watch of each kind, none of which fires. */
static bool add_all(int fd)
{
	struct knell_op op = op_add(KNELL_FD, 0, TOKEN);

	op.fd.fd = new_gate();
	op.fd.events = POLLIN;
	return SO(add_watch(fd, op) > 0) && SO(add_watch(fd, op_user(TOKEN)) > 0) &&
		SO(add_watch(fd, op_timer(CLOCK_MONOTONIC, 0, HOUR_NS, 0, TOKEN)) > 0) &&
		SO(add_watch(fd, op_tree(0, TOKEN, "leak")) > 0) &&
		SO(add_watch(fd, op_add(KNELL_CHILDREN, 0, TOKEN)) > 0) &&
		SO(add_pid(fd, getpid(), TOKEN) > 0);
}

static bool info_is_sound(const struct knell_watch_info *wi)
{
	bool timer = wi->type == KNELL_TIMER, of_pid = wi->type == KNELL_PROCESS;

	return SAYS(wi->token == TOKEN, "LIST") && SAYS(wi->state == 1, "LIST") &&
		SAYS(!wi->flags, "LIST") && SAYS(wi->pid == (of_pid ? getpid() : 0), "LIST") &&
		SAYS(timer ? wi->value > 0 : !wi->value, "LIST") &&
		SAYS(is_text(wi->label, sizeof(wi->label)), "LIST") &&
		SAYS(!strcmp(wi->label, wi->type == KNELL_TREE ? "leak" : ""), "LIST") &&
		SAYS(is_clean(wi, sizeof(*wi)), "LIST");
}

TEST_F_TIMEOUT(leak, list_and_info, LIMIT)
{
	struct knell_watch_info wi[7];
	struct knell_list list = { .watches = (uintptr_t)wi, .nr = 7 };
	struct {
		struct knell_info info;
		char more[16];
	} big;
	unsigned int kinds = 0;

	ASSERT_TRUE(add_all(self->fd));
	memset(wi, 0xee, sizeof(wi));
	fill_stack(self->fd, variant->pattern);
	ASSERT_EQ(0, ioctl(self->fd, KNELL_IOC_LIST, &list));
	ASSERT_EQ(6, list.nr);
	EXPECT_EQ(6, list.total);
	EXPECT_EQ(0, list.pad);
	for (int i = 0; i < 6; i++) {
		EXPECT_TRUE(info_is_sound(&wi[i]));
		kinds |= 1 << wi[i].type;
	}
	EXPECT_EQ(0x7e, kinds);
	/* What is behind the last is the caller's. */
	EXPECT_EQ(0xee, *(unsigned char *)&wi[6]);

	/* Of a caller who knows of more than the module does. */
	memset(&big, 0xee, sizeof(big));
	fill_stack(self->fd, variant->pattern);
	ASSERT_EQ(0, ioctl(self->fd, _IOC(_IOC_READ, 0xDA, _IOC_NR(KNELL_IOC_INFO), sizeof(big)), &big));
	EXPECT_EQ(0, big.info.pad);
	EXPECT_TRUE(is_zero(big.info.reserved, sizeof(big.info.reserved)));
	EXPECT_TRUE(is_zero(big.more, sizeof(big.more)));
	EXPECT_TRUE(is_clean(&big, sizeof(big)));
}

/* Of an op no more than result and handle is written. */
TEST_F_TIMEOUT(leak, submit, LIMIT)
{
	struct knell_op ops[3] = { op_user(TOKEN), op_del(77), op_process(0, 0, TOKEN) }, before[3];
	struct knell_submit s = { .ops = (uintptr_t)ops, .nr_ops = 3 }, was = s;

	memcpy(before, ops, sizeof(ops));
	fill_stack(self->fd, variant->pattern);
	ASSERT_EQ(0, ioctl(self->fd, KNELL_IOC_SUBMIT, &s));
	EXPECT_EQ(0, ops[0].result);
	EXPECT_EQ(-ENOENT, ops[1].result);
	EXPECT_EQ(-EINVAL, ops[2].result);
	EXPECT_EQ(0, ops[2].watch);
	before[0].watch = ops[0].watch;
	for (int i = 0; i < 3; i++)
		before[i].result = ops[i].result;
	EXPECT_EQ(0, memcmp(before, ops, sizeof(ops)));
	was.ops_done = 3;
	EXPECT_EQ(0, memcmp(&was, &s, sizeof(s)));
}

/* KEEP and ATTACH tell nothing, fdinfo does so in words. */
TEST_F_TIMEOUT(leak, names_and_fdinfo, LIMIT)
{
	struct knell_name name = name_of(NAME, 0, 0), was = name;
	char path[64], text[8192];
	int fd;
	FILE *f;

	ASSERT_TRUE(add_all(self->fd));
	ASSERT_EQ(0, ioctl(self->fd, KNELL_IOC_KEEP, &name));
	fd = ioctl(self->fd, KNELL_IOC_ATTACH, &name);
	ASSERT_LE(0, fd);
	EXPECT_EQ(0, memcmp(&was, &name, sizeof(name)));
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	f = fopen(path, "r");
	ASSERT_NE(NULL, f);
	text[fread(text, 1, sizeof(text) - 1, f)] = 0;
	fclose(f);
	EXPECT_NE(NULL, strstr(text, "knell-kept:\t" NAME));
	EXPECT_FALSE(has_address(text));
	EXPECT_EQ(0, keep_off(fd, NAME));
	close(fd);
}

/* --- netlink */

struct looked {
	unsigned int nr;
	bool ok;
};

static void look_at_message(const struct nl_message *m, void *arg)
{
	struct looked *l = arg;

	l->nr++;
	for (int i = 0; i < NL_ATTRS; i++) {
		const struct nlattr *a = m->attr[i];
		size_t len = a ? a->nla_len : 0;

		if (!a)
			continue;
		l->ok &= SAYS(is_zero((const char *)a + len, NLA_ALIGN(len) - len), "padding") &&
			SAYS(is_clean(nl_data(a), len - NLA_HDRLEN), "attribute");
	}
}

/* A member is one when it runs. */
static int inside;

static void wait_inside(void *arg)
{
	open_gate(inside, 1);
	wait_at_gate(arg);
}

TEST_F_TIMEOUT(leak, netlink, LIMIT)
{
	struct looked l = { .ok = true };
	int64_t tree = add_tree(self->fd, 0, TOKEN);
	int gate = new_gate();
	struct nl nl;
	pid_t pid;

	ASSERT_TRUE(add_all(self->fd));
	inside = new_gate();
	pid = spawn_member(self->fd, tree, wait_inside, &gate);
	ASSERT_LT(0, pid);
	pass_gate(inside);
	ASSERT_EQ(0, nl_open(&nl));
	ASSERT_EQ(0, keep_queue(self->fd, "odd"));
	for (int i = 0; i < 3; i++) {
		fill_kernel(self->fd, variant->pattern);
		EXPECT_EQ(0, nl_queues(&nl, look_at_message, &l));
		EXPECT_EQ(0, nl_queue_get(&nl, queue_id(self->fd), look_at_message, &l));
		EXPECT_EQ(0, nl_watches(&nl, queue_id(self->fd), look_at_message, &l));
		EXPECT_EQ(0, nl_members(&nl, queue_id(self->fd), tree, look_at_message, &l));
	}
	EXPECT_EQ(3 * (1 + 1 + 7 + 1), l.nr);
	if (nl.group && !join_group(&nl)) {
		int err = 0;

		l.nr = 0;
		open_gate(gate, 1);
		EXPECT_EQ(0, keep_off(self->fd, "odd"));
		EXPECT_EQ(0, keep_queue(self->fd, "odder"));
		/* Its end, that the tree is empty, who keeps. */
		while (l.nr < 3 && !err)
			err = nl_receive(&nl, look_at_message, &l, &err);
		EXPECT_EQ(3, l.nr);
		EXPECT_EQ(0, keep_off(self->fd, "odder"));
	} else {
		open_gate(gate, 1);
		EXPECT_EQ(0, keep_off(self->fd, "odd"));
	}
	EXPECT_TRUE(l.ok);
	EXPECT_EQ(0, reap(pid));
	close(nl.fd);
	close(gate);
}

/* --- the black box */

static bool box_record_is_sound(const struct knell_box_record *rec)
{
	bool killer = rec->flags & KNELL_EVF_KILLER;

	return SAYS(is_zero(rec->reserved, sizeof(rec->reserved)) && !rec->reserved2, "box") &&
		SAYS(is_text(rec->comm, sizeof(rec->comm)), "box") &&
		SAYS(is_text(rec->label, sizeof(rec->label)), "box") &&
		SAYS(killer || !(rec->killer_pid | rec->killer_uid), "box") &&
		/* The CRC may be anything. */
		SAYS(is_clean(rec, sizeof(*rec) - 4), "box");
}

static void return_at_once(void *arg)
{
	(void)arg;
}

/* 100 exits, so that places of the ring come again: with a killer and without, of trees and not. */
TEST_F_TIMEOUT(leak, blackbox, LIMIT)
{
	static struct knell_box_record box[65536 / sizeof(struct knell_box_record)];
	const struct knell_box_header *header = (void *)box;
	unsigned int nr = 0;
	int64_t tree;
	size_t len;
	FILE *f;

	if (access(BOX, R_OK))
		SKIP(return, "there is no black box");
	for (int i = 0; i < 50; i++) {
		tree = add_tree(self->fd, 0, TOKEN);
		ASSERT_LT(0, tree);
		ASSERT_LT(0, spawn_sleeper(self->fd, tree));
		ASSERT_EQ(1, kill_watch(self->fd, tree, SIGKILL));
		reap_all();
		ASSERT_LT(0, add_next(self->fd, TOKEN));
		ASSERT_EQ(0, reap(spawn_process(return_at_once, NULL)));
	}
	f = fopen(BOX, "r");
	ASSERT_NE(NULL, f);
	len = fread(box, 1, sizeof(box), f);
	fclose(f);
	EXPECT_TRUE(is_zero(header->reserved, sizeof(header->reserved)));
	EXPECT_TRUE(is_zero(header->reserved2, sizeof(header->reserved2)));
	EXPECT_TRUE(is_text(header->text, sizeof(header->text)));
	for (size_t i = 2; i < len / sizeof(box[0]); i++) {
		if (box[i].magic != KNELL_BOX_RECORD_MAGIC)
			continue;
		nr++;
		EXPECT_TRUE(box_record_is_sound(&box[i]));
	}
	EXPECT_LE(100, nr);
}

TEST_HARNESS_MAIN
