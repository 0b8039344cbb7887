// SPDX-License-Identifier: GPL-2.0-only
/*
 * The black box in a machine that stays up: what is written of exits, what a module finds that comes
 * after another, whole, torn or in slots of another size, and where there can be none. What a machine
 * that has gone down leaves is blackbox/'s.
 *
 * The region is what boots.sh keeps from the kernel.
 */
#include "kselftest_harness.h"

#include <linux/knell_blackbox.h>
#include <stddef.h>
#include <sys/mman.h>

#include "tree_test.h"

#define ADDR		0x10000000UL
#define SIZE		0x10000UL
#define OPTIONS		"box_addr=0x10000000 box_size=0x10000"
#define EXITS		80	/* more than its ring has places */
#define LABEL		"of the box"

union image {
	unsigned char bytes[SIZE];
	struct knell_box_header header[2];
};

FIXTURE(box)
{
	union image *image;
};

static uint32_t crc32_of(const void *data, size_t size)
{
	const unsigned char *at = data;
	uint32_t crc = ~0U;

	while (size--) {
		crc ^= *at++;
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320U : 0);
	}
	return ~crc;
}

static bool read_image(union image *image, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t have = 0;
	ssize_t n;

	while (have < SIZE && (n = read(fd, image->bytes + have, SIZE - have)) > 0)
		have += n;
	close(fd);
	return have == SIZE;
}

static bool header_ok(const struct knell_box_header *header)
{
	return header->magic == KNELL_BOX_MAGIC &&
	       header->crc == crc32_of(header, offsetof(struct knell_box_header, crc));
}

/* That which counts. */
static const struct knell_box_header *header_of(const union image *image)
{
	const struct knell_box_header *first = &image->header[0], *second = &image->header[1];

	if (!header_ok(second))
		return header_ok(first) ? first : NULL;
	return header_ok(first) && first->generation > second->generation ? first : second;
}

static struct knell_box_record *slot_of(union image *image, unsigned int slot)
{
	return (void *)(image->bytes + 2 * sizeof(struct knell_box_header) +
			(size_t)slot * header_of(image)->record_size);
}

/* The record of @pid's, or NULL. */
static struct knell_box_record *record_of(union image *image, pid_t pid)
{
	struct knell_box_record *rec;

	for (unsigned int i = 0; i < header_of(image)->nr_records; i++) {
		rec = slot_of(image, i);
		if (rec->magic == KNELL_BOX_RECORD_MAGIC && rec->pid == pid &&
		    rec->crc == crc32_of(rec, offsetof(struct knell_box_record, crc)))
			return rec;
	}
	return NULL;
}

/* The writer is an interrupt, and may be another CPU's. */
static struct knell_box_record *await_record(union image *image, pid_t pid)
{
	uint64_t end = clock_ns(CLOCK_MONOTONIC) + PATIENCE;
	struct knell_box_record *rec;

	do {
		if (!read_image(image, KNELL_BOX_FILE_LIVE))
			return NULL;
		rec = record_of(image, pid);
	} while (!rec && clock_ns(CLOCK_MONOTONIC) < end);
	return rec;
}

/* The region itself, while nobody has it: then the kernel takes it away. */
static union image *map_region(void)
{
	int fd = open("/dev/mem", O_RDWR | O_SYNC | O_CLOEXEC);
	union image *map = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, ADDR);

	close(fd);
	return map == MAP_FAILED ? NULL : map;
}

static bool has_box(void)
{
	return !access(KNELL_BOX_FILE, F_OK);
}

FIXTURE_SETUP(box)
{
	ASSERT_EQ(0, remove_module());
	ASSERT_EQ(0, insert_module(OPTIONS));
	ASSERT_TRUE(has_box());
	self->image = malloc(sizeof(*self->image));
}

FIXTURE_TEARDOWN(box)
{
	free(self->image);
	EXPECT_EQ(0, remove_module());
	EXPECT_EQ(0, insert_module(""));
}

/* Of a process that has ended. */
static pid_t watched_exit(int fd, int status)
{
	pid_t pid = spawn_process(exit_with, &status);
	int64_t watch = add_pid(fd, pid, 1);
	struct knell_event ev;

	if (watch < 0 || next_event(fd, &ev) != 1 || reap(pid) != EXITED(status))
		return -1;
	return pid;
}

TEST_F_TIMEOUT(box, exits, LIMIT)
{
	int fd = knell_open(O_NONBLOCK), status = 7;
	struct knell_box_record *rec;
	struct knell_event ev;
	struct knell_op op = op_tree(0, 1, LABEL);
	int64_t tree;
	pid_t pid;

	tree = add_watch(fd, op);
	ASSERT_LT(0, tree);
	pid = spawn_member(fd, tree, exit_with, &status);
	ASSERT_EQ(1, next_event(fd, &ev));
	ASSERT_EQ(1, next_event(fd, &ev));
	ASSERT_EQ(EXITED(7), reap(pid));
	rec = await_record(self->image, pid);
	ASSERT_NE(NULL, rec);
	EXPECT_EQ(EXITED(7), rec->status);
	EXPECT_EQ(KNELL_TREE, rec->watch_type);
	EXPECT_EQ(tree, rec->watch);
	EXPECT_EQ(queue_info(fd).id, rec->queue);
	EXPECT_STREQ(LABEL, rec->label);
	EXPECT_STREQ("box_test", rec->comm);
	/* Of members it is known who killed them. */
	tree = add_tree(fd, 0, 2);
	pid = spawn_sleeper(fd, tree);
	ASSERT_LT(0, pid);
	ASSERT_EQ(0, kill(pid, SIGKILL));
	ASSERT_EQ(SIGKILL, reap(pid));
	rec = await_record(self->image, pid);
	ASSERT_NE(NULL, rec);
	EXPECT_EQ(SIGKILL, rec->status);
	EXPECT_EQ(KNELL_EVF_KILLER, rec->flags & KNELL_EVF_KILLER);
	EXPECT_EQ(getpid(), rec->killer_pid);
	EXPECT_EQ(0, rec->missed);
	close(fd);
}

/* Of a child that nobody has asked for by name. */
TEST_F_TIMEOUT(box, exits_of_children, LIMIT)
{
	int fd = knell_open(O_NONBLOCK);
	struct knell_box_record *rec;
	struct knell_event ev;
	int64_t children;
	pid_t pid;

	children = add_watch(fd, op_add(KNELL_CHILDREN, 0, 3));
	ASSERT_LT(0, children);
	pid = fork();
	if (!pid)
		_exit(9);
	ASSERT_EQ(1, next_event(fd, &ev));
	ASSERT_EQ(EXITED(9), reap(pid));
	rec = await_record(self->image, pid);
	ASSERT_NE(NULL, rec);
	EXPECT_EQ(EXITED(9), rec->status);
	EXPECT_EQ(KNELL_CHILDREN, rec->watch_type);
	EXPECT_EQ(children, rec->watch);
	EXPECT_STREQ("", rec->label);
	EXPECT_EQ(0, rec->flags & KNELL_EVF_KILLER);
	close(fd);
}

/* A module that comes after another goes on with what that one has left. */
TEST_F_TIMEOUT(box, one_after_another, LIMIT)
{
	int fd = knell_open(O_NONBLOCK);
	uint32_t boots;
	uint64_t seq;
	pid_t pid;

	for (int i = 0; i < EXITS; i++) {
		pid = watched_exit(fd, i);
		ASSERT_LT(0, pid);
	}
	ASSERT_NE(NULL, await_record(self->image, pid));
	seq = record_of(self->image, pid)->seq;
	EXPECT_LE(EXITS, seq);
	boots = header_of(self->image)->boots;
	EXPECT_EQ(KNELL_BOX_NONE, header_of(self->image)->reason);
	close(fd);
	ASSERT_EQ(0, remove_module());
	ASSERT_EQ(0, insert_module(OPTIONS));
	ASSERT_TRUE(read_image(self->image, KNELL_BOX_FILE));
	ASSERT_NE(NULL, header_of(self->image));
	EXPECT_EQ(KNELL_BOX_UNLOADED, header_of(self->image)->reason);
	EXPECT_EQ(boots, header_of(self->image)->boots);
	ASSERT_NE(NULL, record_of(self->image, pid));
	fd = knell_open(O_NONBLOCK);
	pid = watched_exit(fd, 1);
	ASSERT_LT(0, pid);
	ASSERT_NE(NULL, await_record(self->image, pid));
	EXPECT_EQ(seq + 1, record_of(self->image, pid)->seq);
	EXPECT_EQ(boots, header_of(self->image)->boots);
	close(fd);
}

/* What the kernel has said since; NULL: from now on. */
static bool kernel_said(int *kmsg, const char *what)
{
	char line[1024];
	ssize_t n;
	bool said = false;

	if (!what) {
		*kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
		return lseek(*kmsg, 0, SEEK_END) >= 0;
	}
	while ((n = read(*kmsg, line, sizeof(line) - 1)) > 0) {
		line[n] = '\0';
		said |= !!strstr(line, what);
	}
	close(*kmsg);
	return said;
}

/* RAM that has lost some bits, then both of its headers. */
TEST_F_TIMEOUT(box, torn, LIMIT)
{
	int fd = knell_open(O_NONBLOCK), kmsg;
	struct knell_box_record *rec;
	union image *region;
	pid_t pid[2];

	for (int i = 0; i < 2; i++) {
		pid[i] = watched_exit(fd, i);
		ASSERT_LT(0, pid[i]);
		ASSERT_NE(NULL, await_record(self->image, pid[i]));
	}
	close(fd);
	ASSERT_EQ(0, remove_module());
	region = map_region();
	if (!region)
		SKIP(return, "/dev/mem does not show it");
	rec = record_of(region, pid[0]);
	ASSERT_NE(NULL, rec);
	rec->status ^= 1;
	munmap(region, SIZE);
	ASSERT_TRUE(kernel_said(&kmsg, NULL));
	ASSERT_EQ(0, insert_module(OPTIONS));
	EXPECT_TRUE(kernel_said(&kmsg, " 1 torn"));
	ASSERT_TRUE(read_image(self->image, KNELL_BOX_FILE));
	EXPECT_EQ(NULL, record_of(self->image, pid[0]));
	EXPECT_NE(NULL, record_of(self->image, pid[1]));
	ASSERT_EQ(0, remove_module());
	region = map_region();
	ASSERT_NE(NULL, region);
	region->header[0].time_ns ^= 1;
	region->header[1].magic = 0;
	munmap(region, SIZE);
	ASSERT_EQ(0, insert_module(OPTIONS));
	ASSERT_TRUE(read_image(self->image, KNELL_BOX_FILE));
	ASSERT_NE(NULL, header_of(self->image));
	EXPECT_EQ(0, header_of(self->image)->boots);
	EXPECT_EQ(NULL, record_of(self->image, pid[1]));
}

/* Whose slots are larger, they are elsewhere: the old ones are gone, but not what they counted. */
TEST_F_TIMEOUT(box, other_slots, LIMIT)
{
	int fd = knell_open(O_NONBLOCK);
	uint64_t seq;
	pid_t pid = watched_exit(fd, 3);

	ASSERT_LT(0, pid);
	ASSERT_NE(NULL, await_record(self->image, pid));
	seq = record_of(self->image, pid)->seq;
	close(fd);
	ASSERT_EQ(0, remove_module());
	ASSERT_EQ(0, insert_module(OPTIONS " box_record_size=512"));
	ASSERT_TRUE(read_image(self->image, KNELL_BOX_FILE_LIVE));
	EXPECT_EQ(512, header_of(self->image)->record_size);
	EXPECT_EQ(NULL, record_of(self->image, pid));
	fd = knell_open(O_NONBLOCK);
	pid = watched_exit(fd, 4);
	ASSERT_LT(0, pid);
	ASSERT_NE(NULL, await_record(self->image, pid));
	EXPECT_EQ(seq + 1, record_of(self->image, pid)->seq);
	close(fd);
}

/* The module comes without one, and says what it expected. */
TEST_F_TIMEOUT(box, none, LIMIT)
{
	static const struct {
		const char *options, *says;
	} wrong[] = {
		{ "box_addr=0x10000000 box_size=0x800", "too small" },
		{ "box_addr=0x10000000 box_size=0x1001000", "too large" },
		{ "box_addr=0x10000800 box_size=0x1000", "misaligned" },
		{ "box_addr=0x10000000 box_size=0x1800", "misaligned" },
		{ "box_addr=0xfffffffffffff000 box_size=0x2000", "that the machine has" },
		{ "box_addr=0xffffffffff000000 box_size=0x1000", "that the machine has" },
		{ OPTIONS " box_record_size=300", "multiple of 256" },
		{ OPTIONS " box_record_size=128", "multiple of 256" },
		{ OPTIONS " box_record_size=8192", "multiple of 256" },
		{ "box_addr=0x1000000 box_size=0x1000", "overlaps System RAM" },
		{ "box_size=0x10000", "overlaps System RAM" },
		/* The I/O APIC; the local one is none of the map's on 7.3. */
		{ "box_addr=0xfec00000 box_size=0x1000", "another driver" },
		/* The firmware's. */
		{ "box_addr=0xffff0000 box_size=0x10000", "does not hold what is written" },
	};
	int kmsg;

	for (unsigned int i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		ASSERT_EQ(0, remove_module());
		ASSERT_TRUE(kernel_said(&kmsg, NULL));
		ASSERT_EQ(0, insert_module(wrong[i].options));
		EXPECT_FALSE(has_box());
		EXPECT_TRUE(kernel_said(&kmsg, wrong[i].says)) TH_LOG("%s", wrong[i].options);
	}
}

#define main run_all
TEST_HARNESS_MAIN
#undef main

/*
 * Only x86-64's boots.sh keeps memory from the kernel, and reads ones where there is nothing: on arm64
 * that ends the machine, and the device tree has a box.
 */
int main(int argc, char **argv)
{
#ifdef __x86_64__
	return run_all(argc, argv);
#else
	(void)argc, (void)argv;
	printf("TAP version 13\n1..0 # SKIP the box is the device tree's: the suite blackbox\n");
	return KSFT_SKIP;
#endif
}
