// SPDX-License-Identifier: GPL-2.0-only
/*
 * KNELL_OPF_WAKEUP: who may, and that an unread record keeps the machine from being suspended, with
 * the kernel's own test of suspending (pm_test); a descriptor that wakes it under an FD watch.
 */
#include "kselftest_harness.h"

#include <fcntl.h>
#include <sys/timerfd.h>

#include "keep_test.h"

#define POWER		"/sys/power/"
#define DELAY		"/sys/module/suspend/parameters/pm_test_delay"
#define SOURCES		"/sys/kernel/debug/wakeup_sources"
#define NODE		"/proc/device-tree/knell"

FIXTURE(wakeup) {
	int fd;
};

FIXTURE_SETUP(wakeup)
{
	ASSERT_EQ(0, reload_module("wakeup=1"));
	ASSERT_EQ(0, write_file(POWER "pm_test", "freezer"));
	ASSERT_EQ(0, write_file(DELAY, "0"));
	self->fd = knell_open(O_NONBLOCK);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(wakeup)
{
	close(self->fd);
	EXPECT_EQ(0, write_file(POWER "pm_test", "none"));
	EXPECT_EQ(0, reload_module(""));
}

static struct knell_op op_alarm(uint32_t flags)
{
	return op_timer(CLOCK_MONOTONIC, flags | KNELL_OPF_WAKEUP, 1, 0, 7);
}

/* A column of the line of our source, -1 if there is none. */
static long source_column(unsigned int nr)
{
	char line[512], *word, *end;
	FILE *f = fopen(SOURCES, "r");
	long value = -1;

	while (f && value < 0 && fgets(line, sizeof(line), f)) {
		word = strtok_r(line, " \t\n", &end);
		if (!word || strcmp(word, "knell"))
			continue;
		while (nr-- && word)
			word = strtok_r(NULL, " \t\n", &end);
		value = word ? atol(word) : -1;
	}
	if (f)
		fclose(f);
	return value;
}

/* For how long it has been, which is told in milliseconds. */
static bool is_active(void)
{
	const struct timespec ms = { .tv_nsec = 2 * NSEC_PER_MSEC };

	nanosleep(&ms, NULL);
	return source_column(5) > 0;
}

/*
 * As one does who may not suspend past a wakeup: reads the count, which waits until nothing is
 * active, and writes it back; from then on a wakeup ends the attempt.
 */
static int watch_for_wakeups(void)
{
	char count[32];
	FILE *f = fopen(POWER "wakeup_count", "r");
	int err = f && fgets(count, sizeof(count), f) ? 0 : -errno;

	if (f)
		fclose(f);
	return err ?: write_file(POWER "wakeup_count", count);
}

/* 0, or -EBUSY if something has kept the machine awake. */
static int suspend(void)
{
	return write_file(POWER "state", "freeze");
}

static bool has_source(int fd)
{
	return queue_info(fd).features & KNELL_FEAT_WAKEUP;
}

/* Where the machine has a device tree, that says so (dts/knell-qemu-virt.dtso) and need not be told. */
TEST_F_TIMEOUT(wakeup, needs_a_source, LIMIT)
{
	bool by_tree = !access(NODE "/wakeup-source", F_OK);
	struct knell_op op = op_alarm(0);

	EXPECT_TRUE(has_source(self->fd));
	close(self->fd);
	ASSERT_EQ(0, reload_module(""));
	self->fd = knell_open(O_NONBLOCK);
	ASSERT_LE(0, self->fd);
	EXPECT_EQ(by_tree, has_source(self->fd));
	EXPECT_EQ(by_tree ? 0 : -EOPNOTSUPP, submit_op(self->fd, &op));
	EXPECT_EQ(by_tree, source_column(1) >= 0);
}

static int add_without(int fd, int cap)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];
	struct knell_op op = op_alarm(0);

	if (syscall(SYS_capget, &header, data))
		return BROKEN;
	data[cap / 32].effective &= ~(1U << cap % 32);
	if (syscall(SYS_capset, &header, data))
		return BROKEN;
	return -submit_op(fd, &op);
}

TEST_F_TIMEOUT(wakeup, needs_a_capability, LIMIT)
{
	pid_t pid = fork();

	if (!pid)
		_exit(add_without(self->fd, CAP_BLOCK_SUSPEND));
	EXPECT_EQ(EPERM, child_status(pid));
	EXPECT_EQ(0, nr_watches(self->fd));
}

/* Nothing else can be flagged, and a flag once given stays. */
TEST_F_TIMEOUT(wakeup, is_for_processes_and_timers, LIMIT)
{
	static const uint16_t types[] = { KNELL_USER, KNELL_FD, KNELL_TREE, KNELL_CHILDREN };
	struct knell_op op;
	int64_t watch;

	for (unsigned int i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		op = op_add(types[i], KNELL_OPF_WAKEUP, 0);
		EXPECT_EQ(-EINVAL, submit_op(self->fd, &op));
	}
	watch = add_watch(self->fd, op_timer(CLOCK_MONOTONIC, KNELL_OPF_WAKEUP, HOUR_NS, 0, 0));
	ASSERT_LT(0, watch);
	op = op_mod_timer(watch, CLOCK_MONOTONIC, KNELL_OPF_WAKEUP, HOUR_NS, 0, 0);
	EXPECT_EQ(-EINVAL, submit_op(self->fd, &op));
	op = op_mod_timer(watch, CLOCK_MONOTONIC, 0, HOUR_NS, 0, 0);
	EXPECT_EQ(0, submit_op(self->fd, &op));
	EXPECT_EQ(KNELL_OPF_WAKEUP, watch_info(self->fd, watch).flags);
	EXPECT_FALSE(is_active());
}

static void await_pending(int fd, uint64_t nr)
{
	const struct timespec ms = { .tv_nsec = NSEC_PER_MSEC };

	while (nr_pending(fd) < nr)
		nanosleep(&ms, NULL);
}

TEST_F_TIMEOUT(wakeup, a_timer_holds_until_it_is_read, LIMIT)
{
	struct knell_event ev;

	ASSERT_EQ(0, watch_for_wakeups());
	EXPECT_EQ(0, suspend());
	ASSERT_EQ(0, watch_for_wakeups());
	ASSERT_LT(0, add_watch(self->fd, op_alarm(0)));
	await_pending(self->fd, 1);
	EXPECT_TRUE(is_active());
	EXPECT_EQ(-EBUSY, suspend());
	ASSERT_EQ(1, take(self->fd, &ev));
	EXPECT_FALSE(is_active());
	EXPECT_EQ(1, source_column(1));
	ASSERT_EQ(0, watch_for_wakeups());
	EXPECT_EQ(0, suspend());
}

/* Two records are one hold, which ends with the last; what has no flag is none. */
TEST_F_TIMEOUT(wakeup, a_process_too, LIMIT)
{
	struct knell_op op = op_process(0, KNELL_OPF_NEXT | KNELL_OPF_WAKEUP, 1);
	struct knell_event ev;
	pid_t pid;

	ASSERT_LT(0, add_watch(self->fd, op_alarm(0)));
	await_pending(self->fd, 1);
	ASSERT_LT(0, add_watch(self->fd, op));
	pid = fork();
	if (!pid)
		_exit(3);
	await_pending(self->fd, 2);
	ASSERT_EQ(1, take(self->fd, &ev));
	EXPECT_EQ(KNELL_EV_TIMER, ev.type);
	EXPECT_TRUE(is_active());
	ASSERT_EQ(1, take(self->fd, &ev));
	EXPECT_EQ(KNELL_EV_EXIT, ev.type);
	EXPECT_FALSE(is_active());
	EXPECT_EQ(1, source_column(1));
	EXPECT_EQ(3, child_status(pid));
	ASSERT_LT(0, add_watch(self->fd, op_timer(CLOCK_MONOTONIC, 0, 1, 0, 0)));
	await_pending(self->fd, 1);
	EXPECT_FALSE(is_active());
}

TEST_F_TIMEOUT(wakeup, what_is_taken_back_holds_no_more, LIMIT)
{
	int64_t watch = add_watch(self->fd, op_alarm(0));
	struct knell_op op;

	ASSERT_LT(0, watch);
	await_pending(self->fd, 1);
	ASSERT_TRUE(is_active());
	op = op_mod_timer(watch, CLOCK_MONOTONIC, 0, HOUR_NS, 0, 0);
	ASSERT_EQ(0, submit_op(self->fd, &op));
	EXPECT_FALSE(is_active());
	op = op_mod_timer(watch, CLOCK_MONOTONIC, 0, 1, 0, 0);
	ASSERT_EQ(0, submit_op(self->fd, &op));
	await_pending(self->fd, 1);
	ASSERT_TRUE(is_active());
	ASSERT_EQ(0, del_watch(self->fd, watch));
	EXPECT_FALSE(is_active());
	ASSERT_LT(0, add_watch(self->fd, op_alarm(0)));
	await_pending(self->fd, 1);
	ASSERT_TRUE(is_active());
	close(self->fd);
	self->fd = -1;
	EXPECT_FALSE(is_active());
}

/* What is not acknowledged does not hold, until it comes again. */
TEST_F_TIMEOUT(wakeup, comes_again, LIMIT)
{
	struct knell_event ev;
	int64_t watch;
	int fd;

	ASSERT_EQ(0, keep_queue(self->fd, "wakeup"));
	watch = add_watch(self->fd, op_alarm(KNELL_OPF_ACK));
	ASSERT_LT(0, watch);
	await_pending(self->fd, 1);
	ASSERT_EQ(1, take(self->fd, &ev));
	EXPECT_FALSE(is_active());
	fd = attach(self->fd, "wakeup");
	ASSERT_LE(0, fd);
	EXPECT_TRUE(is_active());
	ASSERT_EQ(1, read_list(fd));
	ASSERT_EQ(1, wait_event(fd, &ev));
	EXPECT_EQ(KNELL_EVF_REDELIVERED, ev.flags);
	EXPECT_FALSE(is_active());
	EXPECT_EQ(0, del_watch(fd, watch));
	EXPECT_EQ(0, keep_off(fd, "wakeup"));
	close(fd);
}

/* How knelld does WakeSystem=: the clock that wakes the machine goes on while all is frozen. */
TEST_F_TIMEOUT(wakeup, an_alarm_under_an_fd_watch, LIMIT)
{
	int fd = timerfd_create(CLOCK_BOOTTIME_ALARM, TFD_CLOEXEC | TFD_NONBLOCK);
	const struct itimerspec its = { .it_value.tv_sec = 8 };
	struct knell_op op = op_add(KNELL_FD, 0, 1);
	struct knell_event ev;
	uint64_t before;
	int err, tries;

	ASSERT_LE(0, fd);
	op.fd.fd = fd;
	op.fd.events = 1;
	ASSERT_LT(0, add_watch(self->fd, op));
	/* Its devices, too, the clock among them, which is then set to wake it. */
	ASSERT_EQ(0, write_file(POWER "pm_test", "devices"));
	ASSERT_EQ(0, write_file(DELAY, "1"));
	/* Nobody suspends two seconds before an alarm, and the machine may be slow. */
	for (tries = 0, err = -EBUSY; err == -EBUSY && tries < 10; tries++) {
		before = clock_ns(CLOCK_BOOTTIME);
		ASSERT_EQ(0, timerfd_settime(fd, 0, &its, NULL));
		err = suspend();
	}
	EXPECT_EQ(0, err);
	ASSERT_EQ(1, wait_event(self->fd, &ev));
	EXPECT_EQ(KNELL_EV_FD, ev.type);
	EXPECT_LE(before + 8 * NSEC_PER_SEC, clock_ns(CLOCK_BOOTTIME));
	close(fd);
}

TEST_HARNESS_MAIN
