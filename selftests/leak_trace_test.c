// SPDX-License-Identifier: GPL-2.0-only
/*
 * No memory of the kernel's is in the tracepoints' events: the ring buffer is filled with a pattern,
 * emptied, which clears nothing, and what knell:* have written then is read as it is, byte by byte.
 * runner-limit: 600
 */
#include "kselftest_harness.h"

#include "keep_test.h"
#include "leak_test.h"
#include "tree_test.h"

#define TRACING		"/sys/kernel/tracing/"
#define EVENTS		TRACING "events/knell/"
#define PATTERN		0xa7
#define PAGE		4096
#define NAME		"leak-trace"
#define KINDS		7
#define COMMON		8	/* bytes of what all events of all tracepoints begin with */

/* What trace.h makes of them, text last. Kernels with PREEMPT_RT have more in common. */
static const struct kind {
	const char *name;
	size_t size;	/* all of it */
	size_t comm;	/* offset, 0: it has none */
	size_t text;	/* the same, 64 bytes */
} kinds[KINDS] = {
	{ "knell_watch_add", 32, 0, 0 }, { "knell_watch_del", 32, 0, 0 },
	{ "knell_watch_fire", 48, 0, 0 }, { "knell_watch_deliver", 48, 0, 0 },
	{ "knell_exit", 120, 40, 56 }, { "knell_queue_keep", 88, 0, 24 },
	{ "knell_queue_attach", 88, 0, 24 },
};

FIXTURE(leak_trace) {
	int fd;
	uint16_t id[KINDS];
	size_t more;
	unsigned int seen[KINDS];
};

/* The number of an event, which the format file tells, as it tells all of its size. */
static int read_format(const struct kind *kind, uint16_t *id, size_t *more)
{
	size_t offset = 0, size = 0, end = 0;
	char path[128], line[256];
	const char *at;
	FILE *f;

	snprintf(path, sizeof(path), EVENTS "%s/format", kind->name);
	f = fopen(path, "r");
	if (!f)
		return -errno;
	*id = 0;
	while (fgets(line, sizeof(line), f)) {
		sscanf(line, "ID: %hu", id);
		at = strstr(line, "offset:");
		if (!at || sscanf(at, "offset:%zu; size:%zu;", &offset, &size) != 2)
			continue;
		if (strstr(line, " queue;"))
			*more = offset - COMMON;
		/* Between two fields of ours there is nothing, either. */
		else if (!strstr(line, "common_") && !SAYS(offset == end, line))
			size = PAGE;
		end = offset + size;
	}
	fclose(f);
	return *id && SAYS(end == kind->size + *more, kind->name) ? 0 : -EPROTO;
}

/* All pages of it have been written, most of them are all pattern. */
static int fill_buffer(void)
{
	int fd = open(TRACING "trace_marker_raw", O_WRONLY | O_CLOEXEC), err = 0;
	char mark[1024];

	if (fd < 0)
		return -errno;
	memset(mark, PATTERN, sizeof(mark));
	for (int i = 0; i < 400 && !err; i++)
		if (write(fd, mark, sizeof(mark)) < 0)
			err = -errno;
	close(fd);
	return err;
}

FIXTURE_SETUP(leak_trace)
{
	pin_to_cpu(0);
	ASSERT_EQ(0, write_file(TRACING "buffer_size_kb", "64"));
	ASSERT_EQ(0, write_file(TRACING "tracing_on", "1"));
	ASSERT_EQ(0, fill_buffer());
	ASSERT_EQ(0, write_file(TRACING "trace", ""));
	close(open(TRACING "trace", O_WRONLY | O_TRUNC));
	for (int i = 0; i < KINDS; i++)
		ASSERT_EQ(0, read_format(&kinds[i], &self->id[i], &self->more));
	self->fd = knell_open(O_NONBLOCK);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, write_file(EVENTS "enable", "1"));
}

FIXTURE_TEARDOWN(leak_trace)
{
	EXPECT_EQ(0, write_file(EVENTS "enable", "0"));
	close(open(TRACING "trace", O_WRONLY | O_TRUNC));
	close(self->fd);
}

static void look_at_event(struct __test_metadata *_metadata, FIXTURE_DATA(leak_trace) *self,
			  const char *ev, size_t size)
{
	uint16_t id;
	int i = 0;

	memcpy(&id, ev, sizeof(id));
	while (i < KINDS && self->id[i] != id)
		i++;
	if (i == KINDS)
		return;
	self->seen[i]++;
	ev += self->more;
	EXPECT_EQ(kinds[i].size + self->more, size);
	EXPECT_TRUE(is_clean(ev + COMMON, kinds[i].size - COMMON)) {
		TH_LOG("%s", kinds[i].name);
	}
	if (kinds[i].comm)
		EXPECT_TRUE(is_text(ev + kinds[i].comm, 16));
	if (kinds[i].text) {
		EXPECT_TRUE(is_text(ev + kinds[i].text, 64)) {
			TH_LOG("%s: what is behind its text is not 0", kinds[i].name);
		}
	}
}

/* As lib/ring_buffer does: 5 bits of kind or of words, and what is behind. */
static void look_at_page(struct __test_metadata *_metadata, FIXTURE_DATA(leak_trace) *self,
			 const char *page)
{
	uint64_t commit;
	uint32_t head, length;
	size_t at = 16, end;

	memcpy(&commit, page + 8, sizeof(commit));
	end = 16 + (commit & 0xfffff);
	ASSERT_LE(end, PAGE);
	while (at + 8 <= end) {
		memcpy(&head, page + at, sizeof(head));
		memcpy(&length, page + at + 4, sizeof(length));
		switch (head & 31) {
		case 30:	/* time, the upper part */
		case 31:
			at += 8;
			continue;
		case 29:	/* the rest of the page, or what was discarded */
			if (!(head >> 5))
				return;
			at += 4 + length;
			continue;
		case 0:
			look_at_event(_metadata, self, page + at + 8, length - 4);
			at += 4 + length;
			continue;
		default:
			look_at_event(_metadata, self, page + at + 4, (head & 31) * 4);
			at += 4 + (head & 31) * 4;
		}
	}
}

static void look_at_buffer(struct __test_metadata *_metadata, FIXTURE_DATA(leak_trace) *self)
{
	int fd = open(TRACING "per_cpu/cpu0/trace_pipe_raw", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	static char page[PAGE];

	ASSERT_LE(0, fd);
	while (read(fd, page, sizeof(page)) == PAGE)
		look_at_page(_metadata, self, page);
	close(fd);
}

TEST_F_TIMEOUT(leak_trace, raw_events, LIMIT)
{
	int fd;

	for (int i = 0; i < 20; i++) {
		int64_t tree = add_tree(self->fd, 0, 1);
		struct knell_event ev;

		ASSERT_LT(0, tree);
		ASSERT_LT(0, spawn_sleeper(self->fd, tree));
		ASSERT_EQ(1, kill_watch(self->fd, tree, SIGKILL));
		reap_all();
		ASSERT_EQ(1, next_event(self->fd, &ev));
		ASSERT_EQ(1, next_event(self->fd, &ev));
	}
	ASSERT_EQ(0, keep_queue(self->fd, NAME));
	fd = attach(self->fd, NAME);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, keep_off(fd, NAME));
	close(fd);
	look_at_buffer(_metadata, self);
	for (int i = 0; i < KINDS; i++) {
		EXPECT_LT(0, self->seen[i]) {
			TH_LOG("%s: none seen", kinds[i].name);
		}
	}
}

/* What is shown as text has no address in it, either. */
TEST_F_TIMEOUT(leak_trace, text, LIMIT)
{
	unsigned int lines = 0;
	char line[512];
	FILE *f;

	ASSERT_LT(0, add_watch(self->fd, op_user(1)));
	ASSERT_EQ(0, keep_queue(self->fd, NAME));
	ASSERT_EQ(0, keep_off(self->fd, NAME));
	f = fopen(TRACING "trace", "r");
	ASSERT_NE(NULL, f);
	while (fgets(line, sizeof(line), f)) {
		lines += !!strstr(line, "knell_");
		EXPECT_FALSE(has_address(line));
	}
	fclose(f);
	EXPECT_LE(2, lines);
}

TEST_HARNESS_MAIN
