// SPDX-License-Identifier: GPL-2.0-only
/*
 * The contract's layout, and the bytes that come through it. uapi_m32_test.c is
 * this same program for 32 bits: what is said here byte by byte holds for both.
 */
#include "kselftest_harness.h"

#include <stddef.h>

#include <linux/knell_blackbox.h>

#include "queue_test.h"

QUEUE_FIXTURE(uapi)

#define AT(type, field, offset)						\
	_Static_assert(offsetof(struct type, field) == (offset), #type "." #field)
#define SIZE(type, size)						\
	_Static_assert(sizeof(struct type) == (size), #type)
#define ALIGNED(type)							\
	_Static_assert(_Alignof(struct type) == 8, #type " alignment")

SIZE(knell_event, 128);
ALIGNED(knell_event);
AT(knell_event, type, 0);
AT(knell_event, flags, 2);
AT(knell_event, watch, 4);
AT(knell_event, token, 8);
AT(knell_event, seq, 16);
AT(knell_event, time_ns, 24);
AT(knell_event, exit.pid, 32);
AT(knell_event, exit.status, 36);
AT(knell_event, exit.uid, 40);
AT(knell_event, exit.members, 44);
AT(knell_event, exit.start_ns, 48);
AT(knell_event, exit.utime_ns, 56);
AT(knell_event, exit.stime_ns, 64);
AT(knell_event, exit.maxrss_kb, 72);
AT(knell_event, exit.minflt, 80);
AT(knell_event, exit.majflt, 84);
AT(knell_event, exit.nvcsw, 88);
AT(knell_event, exit.nivcsw, 92);
AT(knell_event, exit.killer_pid, 96);
AT(knell_event, exit.killer_uid, 100);
AT(knell_event, exit.cgroup_id, 104);
AT(knell_event, exit.reserved, 112);
AT(knell_event, timer.expirations, 32);
AT(knell_event, timer.due_ns, 40);
AT(knell_event, user.value, 32);
AT(knell_event, user.count, 40);
AT(knell_event, fd.events, 32);
AT(knell_event, fd.pad, 36);
AT(knell_event, tree.pid, 32);
AT(knell_event, tree.ppid, 36);
AT(knell_event, tree.members, 40);
AT(knell_event, tree.lost, 44);
AT(knell_event, raw, 32);

SIZE(knell_op, 128);
ALIGNED(knell_op);
AT(knell_op, op, 0);
AT(knell_op, type, 2);
AT(knell_op, flags, 4);
AT(knell_op, watch, 8);
AT(knell_op, result, 12);
AT(knell_op, token, 16);
AT(knell_op, process.pid, 24);
AT(knell_op, process.pidfd, 28);
AT(knell_op, timer.expires_ns, 24);
AT(knell_op, timer.interval_ns, 32);
AT(knell_op, timer.slack_ns, 40);
AT(knell_op, timer.clockid, 48);
AT(knell_op, timer.pad, 52);
AT(knell_op, fd.fd, 24);
AT(knell_op, fd.events, 28);
AT(knell_op, user.value, 24);
AT(knell_op, tree.label, 24);
AT(knell_op, kill.sig, 24);
AT(knell_op, kill.pad, 28);
AT(knell_op, raw, 24);

SIZE(knell_submit, 40);
ALIGNED(knell_submit);
AT(knell_submit, ops, 0);
AT(knell_submit, nr_ops, 8);
AT(knell_submit, ops_done, 12);
AT(knell_submit, events, 16);
AT(knell_submit, nr_events, 24);
AT(knell_submit, flags, 28);
AT(knell_submit, deadline_ns, 32);

SIZE(knell_info, 80);
ALIGNED(knell_info);
AT(knell_info, abi, 0);
AT(knell_info, event_size, 4);
AT(knell_info, op_size, 8);
AT(knell_info, pad, 12);
AT(knell_info, id, 16);
AT(knell_info, features, 24);
AT(knell_info, max_watches, 32);
AT(knell_info, watches, 40);
AT(knell_info, pending, 48);
AT(knell_info, reserved, 56);

SIZE(knell_name, 96);
ALIGNED(knell_name);
AT(knell_name, name, 0);
AT(knell_name, uid, 64);
AT(knell_name, flags, 68);
AT(knell_name, reserved, 72);

SIZE(knell_watch_info, 96);
ALIGNED(knell_watch_info);
AT(knell_watch_info, watch, 0);
AT(knell_watch_info, type, 4);
AT(knell_watch_info, state, 6);
AT(knell_watch_info, flags, 8);
AT(knell_watch_info, pid, 12);
AT(knell_watch_info, token, 16);
AT(knell_watch_info, value, 24);
AT(knell_watch_info, label, 32);

SIZE(knell_list, 24);
ALIGNED(knell_list);
AT(knell_list, watches, 0);
AT(knell_list, nr, 8);
AT(knell_list, total, 12);
AT(knell_list, after, 16);
AT(knell_list, pad, 20);

SIZE(knell_box_header, 256);
ALIGNED(knell_box_header);
AT(knell_box_header, magic, 0);
AT(knell_box_header, version, 4);
AT(knell_box_header, header_size, 6);
AT(knell_box_header, record_size, 8);
AT(knell_box_header, nr_records, 12);
AT(knell_box_header, generation, 16);
AT(knell_box_header, boots, 24);
AT(knell_box_header, reason, 28);
AT(knell_box_header, time_ns, 32);
AT(knell_box_header, real_ns, 40);
AT(knell_box_header, opened_ns, 48);
AT(knell_box_header, reserved, 56);
AT(knell_box_header, text, 112);
AT(knell_box_header, reserved2, 240);
AT(knell_box_header, crc, 252);

SIZE(knell_box_record, 256);
ALIGNED(knell_box_record);
AT(knell_box_record, magic, 0);
AT(knell_box_record, type, 4);
AT(knell_box_record, flags, 6);
AT(knell_box_record, seq, 8);
AT(knell_box_record, boot, 16);
AT(knell_box_record, missed, 20);
AT(knell_box_record, time_ns, 24);
AT(knell_box_record, real_ns, 32);
AT(knell_box_record, pid, 40);
AT(knell_box_record, status, 44);
AT(knell_box_record, uid, 48);
AT(knell_box_record, watch, 52);
AT(knell_box_record, queue, 56);
AT(knell_box_record, start_ns, 64);
AT(knell_box_record, utime_ns, 72);
AT(knell_box_record, stime_ns, 80);
AT(knell_box_record, maxrss_kb, 88);
AT(knell_box_record, cgroup_id, 96);
AT(knell_box_record, killer_pid, 104);
AT(knell_box_record, killer_uid, 108);
AT(knell_box_record, members, 112);
AT(knell_box_record, watch_type, 116);
AT(knell_box_record, comm, 120);
AT(knell_box_record, label, 136);
AT(knell_box_record, reserved, 200);
AT(knell_box_record, reserved2, 248);
AT(knell_box_record, crc, 252);

/* Numbers by value: a constant that moves breaks programs that are already built. */
TEST_F_TIMEOUT(uapi, constants, LIMIT)
{
	EXPECT_STREQ("/dev/knell", KNELL_DEVICE);
	EXPECT_EQ(1, KNELL_ABI);
	EXPECT_EQ(0xffffffffffffffffULL, KNELL_FOREVER);
	EXPECT_EQ(1024, KNELL_MAX_OPS);
	EXPECT_EQ(0xffffffffU, KNELL_LAST);
	EXPECT_EQ(0x8050da20U, KNELL_IOC_INFO);
	EXPECT_EQ(0xc028da21U, KNELL_IOC_SUBMIT);
	EXPECT_EQ(0x4060da22U, KNELL_IOC_KEEP);
	EXPECT_EQ(0x4060da23U, KNELL_IOC_ATTACH);
	EXPECT_EQ(0xc018da24U, KNELL_IOC_LIST);
	EXPECT_EQ(6, KNELL_CHILDREN);
	EXPECT_EQ(7, KNELL_EV_LOST);
	EXPECT_EQ(6, KNELL_OP_KILL);
	EXPECT_EQ(0x200U, KNELL_OPF_KILL_ON_CLOSE);
	EXPECT_EQ(0x400U, KNELL_OPF_WAKEUP);
	EXPECT_EQ(0x20U, KNELL_EVF_OOM);
	EXPECT_EQ(1U, KNELL_SUBMIT_STOP);
	EXPECT_EQ(1U, KNELL_KEEP_OFF);
	EXPECT_EQ(0x10000ULL, KNELL_FEAT_KEEP);
	EXPECT_EQ(0x20000ULL, KNELL_FEAT_KILLER);
	EXPECT_EQ(0x40000ULL, KNELL_FEAT_WAKEUP);
	EXPECT_EQ(0x584f424bU, KNELL_BOX_MAGIC);
	EXPECT_EQ(0x4352424bU, KNELL_BOX_RECORD_MAGIC);
	EXPECT_EQ(1, KNELL_BOX_VERSION);
	EXPECT_EQ(5, KNELL_BOX_UNLOADED);
	EXPECT_EQ(1, KNELL_BOX_EXIT);
}

/* A message by offsets, so that no compiler has a say in it. */
struct bytes {
	unsigned char b[128];
};

static void put(struct bytes *to, size_t at, uint64_t value, size_t size)
{
	size_t i;

	for (i = 0; i < size; i++)
		to->b[at + i] = value >> (8 * i);
}

static uint64_t get(const void *from, size_t at, size_t size)
{
	const unsigned char *b = from;
	uint64_t value = 0;

	while (size--)
		value = value << 8 | b[at + size];
	return value;
}

#define TOKEN	0x1122334455667788ULL
#define VALUE	0xfedcba9876543210ULL

/* ADD USER and TRIGGER of it, as bytes, through SUBMIT as bytes; how many events, or -errno. */
static int submit_bytes(int fd, struct bytes *ops, unsigned int nr, void *ev, unsigned int room)
{
	struct bytes s = { };
	int ret;

	put(&s, 0, (uintptr_t)ops, 8);
	put(&s, 8, nr, 4);
	put(&s, 16, (uintptr_t)ev, 8);
	put(&s, 24, room, 4);
	ret = ioctl(fd, 0xc028da21U, &s);
	if (ret < 0)
		return -errno;
	return get(&s, 12, 4) == nr ? ret : -EPROTO;
}

static int add_and_ring(int fd, struct bytes ops[2], void *ev, unsigned int room)
{
	memset(ops, 0, 2 * sizeof(*ops));
	put(&ops[0], 0, 1, 2);
	put(&ops[0], 2, 3, 2);
	put(&ops[0], 16, TOKEN, 8);
	put(&ops[1], 0, 4, 2);
	put(&ops[1], 8, 0xffffffff, 4);
	put(&ops[1], 24, VALUE, 8);
	return submit_bytes(fd, ops, 2, ev, room);
}

static void check_user_record(struct __test_metadata *_metadata, const void *ev, uint64_t watch,
			      uint64_t before, uint64_t after)
{
	struct bytes want = { };
	uint64_t time = get(ev, 24, 8);

	put(&want, 0, 3, 2);
	put(&want, 4, watch, 4);
	put(&want, 8, TOKEN, 8);
	put(&want, 16, 1, 8);
	put(&want, 24, time, 8);
	put(&want, 32, VALUE, 8);
	put(&want, 40, 1, 8);
	EXPECT_LE(before, time);
	EXPECT_GE(after, time);
	EXPECT_EQ(0, memcmp(&want, ev, sizeof(want)));
}

TEST_F_TIMEOUT(uapi, bytes_through_read, LIMIT)
{
	struct bytes ops[2], ev;
	uint64_t before;

	before = clock_ns(CLOCK_MONOTONIC);
	ASSERT_EQ(0, add_and_ring(self->fd, ops, NULL, 0));
	EXPECT_EQ(0, get(&ops[0], 12, 4));
	EXPECT_EQ(0, get(&ops[1], 12, 4));
	memset(&ev, 0xff, sizeof(ev));
	ASSERT_EQ(128, read(self->fd, &ev, 128));
	check_user_record(_metadata, &ev, get(&ops[0], 8, 4), before, clock_ns(CLOCK_MONOTONIC));
}

TEST_F_TIMEOUT(uapi, bytes_through_submit, LIMIT)
{
	struct bytes ops[2], ev;
	uint64_t before;

	before = clock_ns(CLOCK_MONOTONIC);
	memset(&ev, 0xff, sizeof(ev));
	ASSERT_EQ(1, add_and_ring(self->fd, ops, &ev, 1));
	check_user_record(_metadata, &ev, get(&ops[0], 8, 4), before, clock_ns(CLOCK_MONOTONIC));
}

TEST_F_TIMEOUT(uapi, bytes_of_a_timer, LIMIT)
{
	struct bytes op = { }, ev, want = { };

	put(&op, 0, 1, 2);
	put(&op, 2, 2, 2);
	put(&op, 4, 8, 4);
	put(&op, 16, TOKEN, 8);
	put(&op, 24, 77, 8);
	put(&op, 48, 1, 4);
	ASSERT_EQ(0, submit_bytes(self->fd, &op, 1, NULL, 0));
	ASSERT_EQ(1, wait_event(self->fd, (struct knell_event *)&ev));
	put(&want, 0, 2, 2);
	put(&want, 4, get(&op, 8, 4), 4);
	put(&want, 8, TOKEN, 8);
	put(&want, 16, 1, 8);
	put(&want, 24, get(&ev, 24, 8), 8);
	put(&want, 32, 1, 8);
	put(&want, 40, 77, 8);
	EXPECT_EQ(0, memcmp(&want, &ev, sizeof(want)));
	EXPECT_NE(0, get(&ev, 24, 8));
}

TEST_F_TIMEOUT(uapi, bytes_of_an_exit, LIMIT)
{
	struct bytes op = { }, ev;
	uint64_t before = clock_ns(CLOCK_MONOTONIC), died;
	pid_t pid = fork();

	ASSERT_LE(0, pid);
	if (!pid) {
		pause();
		_exit(0);
	}
	put(&op, 0, 1, 2);
	put(&op, 2, 1, 2);
	put(&op, 16, TOKEN, 8);
	put(&op, 24, pid, 4);
	ASSERT_EQ(0, submit_bytes(self->fd, &op, 1, NULL, 0));
	EXPECT_EQ(0, get(&op, 12, 4));
	died = clock_ns(CLOCK_MONOTONIC);
	kill(pid, SIGKILL);
	memset(&ev, 0xff, sizeof(ev));
	ASSERT_EQ(1, wait_event(self->fd, (struct knell_event *)&ev));
	EXPECT_EQ(1, get(&ev, 0, 2));
	EXPECT_EQ(0, get(&ev, 2, 2) & ~KNELL_EVF_KILLER);
	EXPECT_EQ(get(&op, 8, 4), get(&ev, 4, 4));
	EXPECT_EQ(TOKEN, get(&ev, 8, 8));
	EXPECT_EQ(1, get(&ev, 16, 8));
	EXPECT_LE(died, get(&ev, 24, 8));
	EXPECT_EQ(pid, get(&ev, 32, 4));
	EXPECT_EQ(SIGKILL, get(&ev, 36, 4));
	EXPECT_EQ(0, get(&ev, 40, 4));
	EXPECT_EQ(0, get(&ev, 44, 4));
	EXPECT_LE(before, get(&ev, 48, 8));
	EXPECT_GE(died, get(&ev, 48, 8));
	if (small_rss_is_known())
		EXPECT_LT(0, get(&ev, 72, 8));
	EXPECT_LT(0, get(&ev, 80, 4));
	EXPECT_EQ(0, get(&ev, 112, 8));
	EXPECT_EQ(0, get(&ev, 120, 8));
	ASSERT_EQ(pid, waitpid(pid, NULL, 0));
}

TEST_F_TIMEOUT(uapi, bytes_of_info, LIMIT)
{
	unsigned char info[80];
	struct bytes ops[2];
	int i;

	ASSERT_EQ(0, add_and_ring(self->fd, ops, NULL, 0));
	memset(info, 0xff, sizeof(info));
	ASSERT_EQ(0, ioctl(self->fd, 0x8050da20U, info));
	EXPECT_EQ(1, get(info, 0, 4));
	EXPECT_EQ(128, get(info, 4, 4));
	EXPECT_EQ(128, get(info, 8, 4));
	EXPECT_EQ(0, get(info, 12, 4));
	EXPECT_NE(0, get(info, 16, 8));
	EXPECT_EQ(0xe, get(info, 24, 8) & 0xe);
	EXPECT_NE(0, get(info, 32, 8));
	EXPECT_EQ(1, get(info, 40, 8));
	EXPECT_EQ(1, get(info, 48, 8));
	for (i = 56; i < 80; i += 8)
		EXPECT_EQ(0, get(info, i, 8));
}

TEST_F_TIMEOUT(uapi, bytes_of_list, LIMIT)
{
	unsigned char wi[2][96], list[24] = { };
	struct bytes ops[2], addr = { };
	int i;

	ASSERT_EQ(0, add_and_ring(self->fd, ops, NULL, 0));
	put(&addr, 0, (uintptr_t)wi, 8);
	put(&addr, 8, 2, 4);
	memcpy(list, &addr, sizeof(list));
	memset(wi, 0xff, sizeof(wi));
	ASSERT_EQ(0, ioctl(self->fd, 0xc018da24U, list));
	EXPECT_EQ(1, get(list, 8, 4));
	EXPECT_EQ(1, get(list, 12, 4));
	EXPECT_EQ(0, get(list, 16, 8));
	EXPECT_EQ(get(&ops[0], 8, 4), get(wi, 0, 4));
	EXPECT_EQ(3, get(wi, 4, 2));
	EXPECT_EQ(2, get(wi, 6, 2));
	EXPECT_EQ(0, get(wi, 8, 4));
	EXPECT_EQ(0, get(wi, 12, 4));
	EXPECT_EQ(TOKEN, get(wi, 16, 8));
	EXPECT_EQ(1, get(wi, 24, 8));
	for (i = 32; i < 96; i += 8)
		EXPECT_EQ(0, get(wi, i, 8));
	EXPECT_EQ(0xff, get(wi[1], 0, 1));
}

TEST_HARNESS_MAIN
