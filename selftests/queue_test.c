// SPDX-License-Identifier: GPL-2.0-only
/* The queue: reading, and what it tells about itself. runner-limit: 900 */
#include "kselftest_harness.h"

#include <sys/uio.h>

#include "queue_bells.h"
#include "trap_test.h"

QUEUE_FIXTURE(queue)

TEST_F_TIMEOUT(queue, read_wants_room_for_a_record, LIMIT)
{
	struct knell_event ev;
	uint32_t watch;
	size_t size;

	ASSERT_EQ(0, add_bells(self->fd, &watch, 1));
	for (size = 0; size < sizeof(ev); size++) {
		ASSERT_EQ(-1, read(self->fd, &ev, size));
		ASSERT_EQ(EINVAL, errno);
	}
	ASSERT_EQ(0, ring_bells(self->fd, &watch, 1));
	for (size = 0; size < sizeof(ev); size++) {
		ASSERT_EQ(-1, read(self->fd, &ev, size));
		ASSERT_EQ(EINVAL, errno);
	}
	ASSERT_EQ(1, take(self->fd, &ev));
	EXPECT_EQ(1, ev.token);
}

TEST_F_TIMEOUT(queue, read_takes_whole_records, LIMIT)
{
	struct knell_event ev[6];
	uint32_t watch[5];
	int i;

	ASSERT_EQ(0, add_bells(self->fd, watch, 5));
	ASSERT_EQ(0, ring_bells(self->fd, watch, 5));
	memset(ev, 0xee, sizeof(ev));
	ASSERT_EQ(2 * RECORD, read(self->fd, ev, 3 * sizeof(ev[0]) - 1));
	EXPECT_EQ(0xeeeeeeeeeeeeeeeeULL, ev[2].token);
	ASSERT_EQ(3 * RECORD, read(self->fd, ev + 2, 4 * sizeof(ev[0])));
	for (i = 0; i < 5; i++) {
		EXPECT_EQ(i + 1, ev[i].token);
		EXPECT_EQ(watch[i], ev[i].watch);
		EXPECT_EQ(i + 1, ev[i].seq);
	}
	EXPECT_EQ(0xeeeeeeeeeeeeeeeeULL, ev[5].token);
	EXPECT_EQ(-1, read(self->fd, ev, sizeof(ev)));
	EXPECT_EQ(EAGAIN, errno);
}

/* More than any page of the kernel's holds, in one call. */
TEST_F_TIMEOUT(queue, read_takes_many, LIMIT)
{
	static struct knell_event ev[1001];
	static uint32_t watch[1000];
	int i;

	ASSERT_EQ(0, add_bells(self->fd, watch, 1000));
	for (i = 0; i < 1000; i++) {
		ASSERT_EQ(0, trigger(self->fd, watch[999 - i], i));
	}
	ASSERT_EQ(1000 * RECORD, read(self->fd, ev, sizeof(ev)));
	for (i = 0; i < 1000; i++) {
		ASSERT_EQ(watch[999 - i], ev[i].watch);
		ASSERT_EQ(i, ev[i].user.value);
		ASSERT_EQ(i + 1, ev[i].seq);
	}
}

TEST_F_TIMEOUT(queue, readv_fills_every_segment, LIMIT)
{
	struct knell_event ev[4];
	char *bytes = (char *)ev;
	const struct iovec whole[] = { { &ev[0], RECORD }, { &ev[1], RECORD } };
	const struct iovec parts[] = {
		{ bytes, 1 }, { bytes + 1, 63 }, { bytes + 64, 100 }, { bytes + 164, 192 },
	};
	const struct iovec small[] = { { bytes, 64 }, { bytes + 64, 63 } };
	uint32_t watch[4];
	int i;

	ASSERT_EQ(0, add_bells(self->fd, watch, 4));
	ASSERT_EQ(0, ring_bells(self->fd, watch, 4));
	EXPECT_EQ(-1, readv(self->fd, small, 2));
	EXPECT_EQ(EINVAL, errno);
	ASSERT_EQ(2 * RECORD, readv(self->fd, whole, 2));
	for (i = 0; i < 2; i++)
		EXPECT_EQ(i + 1, ev[i].token);
	/* 356 bytes in pieces: two records, and they are whole. */
	memset(ev, 0, sizeof(ev));
	ASSERT_EQ(2 * RECORD, readv(self->fd, parts, 4));
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(i + 3, ev[i].token);
		EXPECT_EQ(watch[i + 2], ev[i].watch);
		EXPECT_EQ(1, ev[i].user.count);
	}
	EXPECT_EQ(-1, readv(self->fd, whole, 2));
	EXPECT_EQ(EAGAIN, errno);
}

TEST_F_TIMEOUT(queue, efault_loses_nothing, LIMIT)
{
	struct knell_event ev;
	uint32_t watch[5];
	char *end = guarded(1), *volatile nowhere = NULL;
	struct knell_event *fits = (struct knell_event *)(end - 3 * RECORD);
	int i, round;

	ASSERT_EQ(0, add_bells(self->fd, watch, 5));
	for (round = 0; round < 3; round++) {
		ASSERT_EQ(0, ring_bells(self->fd, watch, 5));
		EXPECT_EQ(-1, read(self->fd, nowhere, 5 * RECORD));
		EXPECT_EQ(EFAULT, errno);
		EXPECT_EQ(-1, read(self->fd, end, 5 * RECORD));
		EXPECT_EQ(EFAULT, errno);
		EXPECT_EQ(-1, read(self->fd, end - RECORD + 1, 5 * RECORD));
		EXPECT_EQ(EFAULT, errno);
		EXPECT_EQ(-1, read(self->fd, (void *)~0xfffUL, 5 * RECORD));
		EXPECT_EQ(EFAULT, errno);
		EXPECT_EQ(5, nr_pending(self->fd));

		/* Three before the hole, whole; the other two come again, in order. */
		ASSERT_EQ(3 * RECORD, read(self->fd, fits, 5 * RECORD));
		for (i = 0; i < 3; i++)
			EXPECT_EQ(i + 1, fits[i].token);
		EXPECT_EQ(2, nr_pending(self->fd));
		/* And with a hole in the middle of the second. */
		ASSERT_EQ(RECORD, read(self->fd, end - RECORD - 64, 5 * RECORD));
		memcpy(&ev, end - RECORD - 64, sizeof(ev));
		EXPECT_EQ(4, ev.token);
		ASSERT_EQ(1, take(self->fd, &ev));
		EXPECT_EQ(5, ev.token);
		EXPECT_EQ(5 * (round + 1), ev.seq);
		EXPECT_EQ(0, take(self->fd, &ev));
	}
}

/* What rings while a reader faults is neither lost nor counted twice. */
TEST_F_TIMEOUT(queue, efault_keeps_the_count, LIMIT)
{
	char *end = guarded(1);
	struct knell_event ev;
	uint32_t watch;
	int i;

	ASSERT_EQ(0, add_bells(self->fd, &watch, 1));
	for (i = 1; i <= 10; i++) {
		ASSERT_EQ(0, trigger(self->fd, watch, 1ULL << i));
		EXPECT_EQ(-1, read(self->fd, end, RECORD));
		EXPECT_EQ(EFAULT, errno);
	}
	ASSERT_EQ(1, take(self->fd, &ev));
	EXPECT_EQ(10, ev.user.count);
	EXPECT_EQ(0x7fe, ev.user.value);
	EXPECT_EQ(1, ev.seq);
	EXPECT_EQ(0, take(self->fd, &ev));
}

/* He goes on; with a page, or with a fault. */
static int release_trapped(struct trap *t, int fault)
{
	struct uffdio_range range = { .start = (uintptr_t)t->page, .len = t->size };

	if (!fault)
		return end_trap(t);
	if (mprotect(t->page, t->size, PROT_NONE))
		return -errno;
	return ioctl(t->fd, UFFDIO_UNREGISTER, &range);
}

struct trapped {
	int fd;
	void *buf;
	ssize_t ret;
	int err;
};

static void *read_two_records(void *arg)
{
	struct trapped *t = arg;

	t->ret = read(t->fd, t->buf, 2 * sizeof(struct knell_event));
	t->err = errno;
	return NULL;
}

/* Bells 1 and 2 are with a reader that has stopped; 1 rings again, 2 is DELed, 3 rings. */
static void use_under_a_trapped_reader(struct __test_metadata *_metadata, int fd, int fault,
				       struct trap *trap, struct trapped *reader)
{
	uint32_t watch[3];
	pthread_t thread;

	ASSERT_EQ(0, set_trap(trap));
	*reader = (struct trapped){ .fd = fd, .buf = trap->page };
	ASSERT_EQ(0, add_bells(fd, watch, 3));
	ASSERT_EQ(0, ring_bells(fd, watch, 2));
	ASSERT_EQ(0, pthread_create(&thread, NULL, read_two_records, reader));
	ASSERT_EQ(0, wait_trapped(trap));

	/* None of this waits for the reader's page. */
	EXPECT_EQ(2, nr_pending(fd));
	ASSERT_EQ(0, trigger(fd, watch[0], 2));
	ASSERT_EQ(0, del_watch(fd, watch[1]));
	EXPECT_EQ(2, nr_watches(fd));
	ASSERT_EQ(0, ring_bells(fd, watch + 2, 1));
	EXPECT_EQ(2, watch_info(fd, watch[0]).value);
	EXPECT_EQ(2, watch_state(fd, watch[0]));
	EXPECT_EQ(-ENOENT, trigger(fd, watch[1], 1));

	ASSERT_EQ(0, release_trapped(trap, fault));
	pthread_join(thread, NULL);
	close(trap->fd);
}

TEST_F_TIMEOUT(queue, rings_under_a_reader, LIMIT)
{
	struct trapped reader;
	struct knell_event *got, ev[3];
	struct trap trap;

	use_under_a_trapped_reader(_metadata, self->fd, 0, &trap, &reader);
	/* What was read cannot be taken back. */
	got = (struct knell_event *)trap.page;
	ASSERT_EQ(2 * RECORD, reader.ret);
	EXPECT_EQ(1, got[0].token);
	EXPECT_EQ(1, got[0].user.count);
	EXPECT_EQ(1, got[0].user.value);
	EXPECT_EQ(2, got[1].token);
	/* And what was not read is another record. */
	ASSERT_EQ(2 * RECORD, read(self->fd, ev, sizeof(ev)));
	EXPECT_EQ(3, ev[0].token);
	EXPECT_EQ(1, ev[1].token);
	EXPECT_EQ(1, ev[1].user.count);
	EXPECT_EQ(2, ev[1].user.value);
	EXPECT_LT(ev[0].seq, ev[1].seq);
	EXPECT_EQ(0, take(self->fd, ev));
}

TEST_F_TIMEOUT(queue, rings_under_a_faulting_reader, LIMIT)
{
	struct trapped reader;
	struct knell_event ev[3];
	struct trap trap;

	use_under_a_trapped_reader(_metadata, self->fd, 1, &trap, &reader);
	ASSERT_EQ(-1, reader.ret);
	EXPECT_EQ(EFAULT, reader.err);
	/* As if nobody had read: 1 folded and in its place, 2 gone with its watch. */
	ASSERT_EQ(2 * RECORD, read(self->fd, ev, sizeof(ev)));
	EXPECT_EQ(1, ev[0].token);
	EXPECT_EQ(1, ev[0].seq);
	EXPECT_EQ(2, ev[0].user.count);
	EXPECT_EQ(3, ev[0].user.value);
	EXPECT_EQ(3, ev[1].token);
	EXPECT_EQ(1, ev[1].user.count);
	EXPECT_EQ(0, take(self->fd, ev));
	EXPECT_EQ(0, nr_pending(self->fd));
}

TEST_F_TIMEOUT(queue, nonblock, LIMIT)
{
	struct knell_event ev;
	int i;

	/* Both ways to say so; a blocking one is what the other cases block in. */
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(-1, read(self->fd, &ev, sizeof(ev)));
		EXPECT_EQ(EAGAIN, errno);
		ASSERT_EQ(0, set_blocking(self->fd, 1));
		ASSERT_EQ(0, set_blocking(self->fd, 0));
	}
	/* It concerns read(2) only: SUBMIT waits, here for its own deadline. */
	EXPECT_EQ(0, wait_events(self->fd, &ev, 1,
				 clock_ns(CLOCK_MONOTONIC) + 10 * NSEC_PER_MSEC));
}

TEST_F_TIMEOUT(queue, no_command_by_write, LIMIT)
{
	struct knell_op op = op_user(1);
	const struct iovec iov = { &op, sizeof(op) };
	char byte;

	EXPECT_EQ(-1, write(self->fd, &op, sizeof(op)));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, write(self->fd, &op, 1));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, writev(self->fd, &iov, 1));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(0, nr_watches(self->fd));

	EXPECT_EQ(-1, lseek(self->fd, 0, SEEK_SET));
	EXPECT_EQ(ESPIPE, errno);
	EXPECT_EQ(-1, pread(self->fd, &byte, 1, 0));
	EXPECT_EQ(ESPIPE, errno);
	EXPECT_EQ(-1, pwrite(self->fd, &byte, 1, 0));
	EXPECT_EQ(ESPIPE, errno);
}

TEST_F_TIMEOUT(queue, info_is_exact, LIMIT)
{
	struct knell_event ev;
	struct knell_info info;
	uint32_t watch[10];
	int i, other;

	memset(&info, 0xff, sizeof(info));
	ASSERT_EQ(0, ioctl(self->fd, KNELL_IOC_INFO, &info));
	EXPECT_EQ(KNELL_ABI, info.abi);
	EXPECT_EQ(sizeof(struct knell_event), info.event_size);
	EXPECT_EQ(sizeof(struct knell_op), info.op_size);
	EXPECT_EQ(0, info.pad);
	EXPECT_NE(0, info.id);
	EXPECT_NE(0, info.max_watches);
	EXPECT_EQ(0, info.watches);
	EXPECT_EQ(0, info.pending);
	for (i = 0; i < 3; i++)
		EXPECT_EQ(0, info.reserved[i]);
	for (i = KNELL_PROCESS; i <= KNELL_USER; i++)
		EXPECT_NE(0, info.features & 1ULL << i);

	/* Another queue is another one, also when the first is gone. */
	for (i = 0; i < 10; i++) {
		other = knell_open(O_NONBLOCK);
		ASSERT_LE(0, other);
		EXPECT_LT(info.id, queue_info(other).id);
		info.id = queue_info(other).id;
		close(other);
	}

	ASSERT_EQ(0, add_bells(self->fd, watch, 10));
	for (i = 0; i < 10; i++) {
		ASSERT_EQ(0, ring_bells(self->fd, &watch[i], 1));
		EXPECT_EQ(i + 1, nr_pending(self->fd));
		EXPECT_EQ(10, nr_watches(self->fd));
	}
	for (i = 0; i < 5; i++) {
		ASSERT_EQ(0, del_watch(self->fd, watch[i]));
		EXPECT_EQ(9 - i, nr_pending(self->fd));
		EXPECT_EQ(9 - i, nr_watches(self->fd));
	}
	for (i = 0; i < 5; i++) {
		ASSERT_EQ(1, take(self->fd, &ev));
		EXPECT_EQ(4 - i, nr_pending(self->fd));
		EXPECT_EQ(5, nr_watches(self->fd));
	}
}

TEST_F_TIMEOUT(queue, list_by_handle, LIMIT)
{
	struct knell_watch_info wi[301];
	struct knell_list list = { .watches = (uintptr_t)wi };
	uint32_t watch[300];
	unsigned int i, n, seen, after;

	/* Empty. */
	ASSERT_EQ(0, ioctl(self->fd, KNELL_IOC_LIST, &list));
	EXPECT_EQ(0, list.nr);
	EXPECT_EQ(0, list.total);
	list.nr = 10;
	ASSERT_EQ(0, ioctl(self->fd, KNELL_IOC_LIST, &list));
	EXPECT_EQ(0, list.nr);
	EXPECT_EQ(0, list.total);

	ASSERT_EQ(0, add_bells(self->fd, watch, 300));
	/* A hole in every third place. */
	for (i = 0; i < 300; i += 3) {
		ASSERT_EQ(0, del_watch(self->fd, watch[i]));
	}

	/* No room, or no address: it counts. */
	list = (struct knell_list){ .total = 77 };
	ASSERT_EQ(0, ioctl(self->fd, KNELL_IOC_LIST, &list));
	EXPECT_EQ(0, list.nr);
	EXPECT_EQ(200, list.total);

	/* All at once, and no byte beyond them. */
	memset(wi, 0xee, sizeof(wi));
	list = (struct knell_list){ .watches = (uintptr_t)wi, .nr = 300 };
	ASSERT_EQ(0, ioctl(self->fd, KNELL_IOC_LIST, &list));
	ASSERT_EQ(200, list.nr);
	EXPECT_EQ(200, list.total);
	for (i = n = 0; i < 300; i++) {
		if (i % 3 == 0)
			continue;
		ASSERT_EQ(watch[i], wi[n].watch);
		ASSERT_EQ(KNELL_USER, wi[n].type);
		ASSERT_EQ(1, wi[n].state);
		ASSERT_EQ(0, wi[n].flags);
		ASSERT_EQ(i + 1, wi[n].token);
		if (n) {
			ASSERT_LT(wi[n - 1].watch, wi[n].watch);
		}
		n++;
	}
	EXPECT_EQ(0xeeeeeeee, wi[200].watch);

	/* By pages of 7. */
	for (after = seen = 0;; after = wi[n - 1].watch) {
		list = (struct knell_list){ .watches = (uintptr_t)wi, .nr = 7, .after = after };
		ASSERT_EQ(0, ioctl(self->fd, KNELL_IOC_LIST, &list));
		EXPECT_EQ(200, list.total);
		n = list.nr;
		if (!n)
			break;
		for (i = 0; i < n; i++) {
			ASSERT_EQ(seen + i + (seen + i) / 2 + 2, wi[i].token);
		}
		seen += n;
	}
	EXPECT_EQ(200, seen);
	list = (struct knell_list){ .watches = (uintptr_t)wi, .nr = 7, .after = ~0U };
	ASSERT_EQ(0, ioctl(self->fd, KNELL_IOC_LIST, &list));
	EXPECT_EQ(0, list.nr);
}

/* The line of fdinfo that tells of @watch, without its beginning; 0 if there is none. */
static int fdinfo_line(int fd, uint32_t watch, char *line, size_t size)
{
	unsigned int handle;
	char path[64];
	int found = 0, at;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	f = fopen(path, "r");
	while (f && !found && fgets(line, size, f)) {
		if (sscanf(line, "watch:%u %n", &handle, &at) != 1 || handle != watch)
			continue;
		found = 1;
		memmove(line, line + at, strlen(line + at) + 1);
	}
	if (f)
		fclose(f);
	return found;
}

TEST_F_TIMEOUT(queue, fdinfo_tells_the_watches, LIMIT)
{
	char line[512];
	uint32_t watch[3];
	int64_t timer;
	int i;

	ASSERT_EQ(0, add_bells(self->fd, watch, 3));
	ASSERT_EQ(0, del_watch(self->fd, watch[1]));
	ASSERT_EQ(0, trigger(self->fd, watch[2], 1));
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(i != 1, fdinfo_line(self->fd, watch[i], line, sizeof(line)));
		if (i == 1)
			continue;
		EXPECT_NE(NULL, strstr(line, "type:user"));
		EXPECT_NE(NULL, strstr(line, i ? "state:pending" : "state:armed"));
	}
	timer = add_watch(self->fd, op_timer(CLOCK_MONOTONIC, KNELL_OPF_ABS, S64_MAX, 0, 0xabcdef));
	ASSERT_LT(0, timer);
	ASSERT_EQ(1, fdinfo_line(self->fd, timer, line, sizeof(line)));
	EXPECT_NE(NULL, strstr(line, "type:timer state:armed"));
	EXPECT_NE(NULL, strstr(line, "token:abcdef"));
	EXPECT_NE(NULL, strstr(line, "value:9223372036854775807"));
}

TEST_F_TIMEOUT(queue, close_under_a_reader, LIMIT)
{
	struct sleeper s;
	int64_t watch;
	pid_t pid;
	int fd, round;

	for (round = 0; round < 20; round++) {
		fd = knell_open(0);
		ASSERT_LE(0, fd);
		pid = fork();
		ASSERT_LE(0, pid);
		if (!pid) {
			pause();
			_exit(1);
		}
		watch = add_watch(fd, op_process(pid, 0, round));
		ASSERT_LT(0, watch);
		ASSERT_EQ(0, start_sleeper(&s, fd, NULL));
		ASSERT_EQ(0, close(fd));
		/* Nobody can name the queue any more, and it still does its work. */
		EXPECT_EQ(0, s.done);
		kill(pid, SIGKILL);
		pthread_join(s.thread, NULL);
		ASSERT_EQ(RECORD, s.ret);
		EXPECT_EQ(KNELL_EV_EXIT, s.ev.type);
		EXPECT_EQ(round, s.ev.token);
		EXPECT_EQ(watch, s.ev.watch);
		ASSERT_EQ(pid, waitpid(pid, NULL, 0));
	}
}

TEST_F_TIMEOUT(queue, queues_are_independent, LIMIT)
{
	int other = knell_open(O_NONBLOCK);
	struct knell_event ev;
	uint32_t watch[2];
	int64_t theirs;

	ASSERT_LE(0, other);
	ASSERT_EQ(0, add_bells(self->fd, watch, 2));
	theirs = add_watch(other, op_user(9));
	ASSERT_LT(0, theirs);
	EXPECT_EQ(2, nr_watches(self->fd));
	EXPECT_EQ(1, nr_watches(other));
	ASSERT_EQ(0, trigger(self->fd, watch[1], 1));
	EXPECT_EQ(0, nr_pending(other));
	EXPECT_EQ(0, take(other, &ev));
	/* The second handle of the one names nothing in the other, unless by chance. */
	if (watch[1] != theirs)
		EXPECT_EQ(-ENOENT, trigger(other, watch[1], 1));
	ASSERT_EQ(0, trigger(other, theirs, 2));
	close(other);
	ASSERT_EQ(1, take(self->fd, &ev));
	EXPECT_EQ(2, ev.token);
	EXPECT_EQ(1, ev.seq);
	EXPECT_EQ(0, take(self->fd, &ev));
}

static int compare_handle(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

#define HANDLES		100000

TEST_F_TIMEOUT(queue, handles_are_not_soon_used_again, LIMIT)
{
	static struct knell_op ops[KNELL_MAX_OPS];
	static uint32_t handles[HANDLES];
	int i, n, k;

	for (n = 0; n < HANDLES; n += k) {
		for (k = 0; k < KNELL_MAX_OPS / 2 && n + k < HANDLES; k++) {
			ops[2 * k] = op_user(n);
			ops[2 * k + 1] = op_del(KNELL_LAST);
		}
		ASSERT_EQ(0, submit_ops(self->fd, ops, 2 * k));
		for (i = 0; i < k; i++) {
			ASSERT_EQ(0, ops[2 * i].result);
			ASSERT_EQ(0, ops[2 * i + 1].result);
			handles[n + i] = ops[2 * i].watch;
		}
	}
	qsort(handles, HANDLES, sizeof(handles[0]), compare_handle);
	ASSERT_NE(0, handles[0]);
	ASSERT_NE(KNELL_LAST, handles[HANDLES - 1]);
	for (i = 1; i < HANDLES; i++) {
		ASSERT_NE(handles[i - 1], handles[i]);
	}
	EXPECT_EQ(0, nr_watches(self->fd));
}

TEST_HARNESS_MAIN
