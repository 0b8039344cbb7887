// SPDX-License-Identifier: GPL-2.0-only
/*
 * What takes a whole machine: timers over a sleep of it (ACPI S3), from which nobody wakes it but a
 * timer with WakeSystem=yes; virtual consoles. In a boot of its own, that nobody else is disturbed:
 * runner-smp: 1
 */
#define MORE_OPTIONS "--control", path_of(self, "control"),
#include <sys/sysmacros.h>

#include "knelld_test.h"

/* QEMU's arm64 machine does not sleep: its processes stand still, its clocks go on. */
#ifdef __aarch64__
#define SLEEP	"s2idle"
#define DEEP	false
#else
#define SLEEP	"deep"
#define DEEP	true
#endif

#define WAKE_S	9	/* WakeSystem=yes, of CLOCK_BOOTTIME */
#define PLAIN_S	12	/* of CLOCK_MONOTONIC, which stands still meanwhile */
#define SLEPT_S	4	/* at least: the rest of WAKE_S is for going to sleep */

/* A service that is this very program: tells what time it is. */
static void __attribute__((constructor)) tell_time(void)
{
	const char *name = getenv("TEST_TIME");

	if (!name)
		return;
	printf("%s at %llu %llu %llu\n", name, (unsigned long long)clock_ns(CLOCK_MONOTONIC),
	       (unsigned long long)clock_ns(CLOCK_BOOTTIME),
	       (unsigned long long)clock_ns(CLOCK_REALTIME));
	fflush(stdout);
	_exit(0);
}

struct instant {
	unsigned long long mono, boot, real;
};

static struct instant now(void)
{
	return (struct instant){
		clock_ns(CLOCK_MONOTONIC), clock_ns(CLOCK_BOOTTIME), clock_ns(CLOCK_REALTIME)
	};
}

static void timer(fixture *self, const char *name, const char *keys)
{
	char file[64], exe[128] = "";

	if (readlink("/proc/self/exe", exe, sizeof(exe) - 1) < 0)
		abort();
	snprintf(file, sizeof(file), "%s.timer", name);
	unit(self, file, "[Timer]\nAccuracySec=1us\n%s\n", keys);
	snprintf(file, sizeof(file), "%s.service", name);
	unit(self, file, "[Service]\nType=oneshot\nEnvironment=TEST_TIME=%s\nExecStart=%s\n"
	     "[Install]\nWantedBy=x.target\n", name, exe);
}

static void calendar(char keys[128], time_t at)
{
	struct tm tm;

	strftime(keys, 100, "OnCalendar=%F %T UTC", gmtime_r(&at, &tm));
}

/* When that timer's service ran. */
static bool when(fixture *self, const char *name, struct instant *at)
{
	char text[64];

	snprintf(text, sizeof(text), "%s.service: finished", name);
	if (!told(self, text))
		return false;
	snprintf(text, sizeof(text), "\n%s at ", name);
	return strstr(self->log, text) &&
	       sscanf(strstr(self->log, text) + strlen(text), "%llu %llu %llu", &at->mono,
		      &at->boot, &at->real) == 3;
}

/* Returns when the machine is awake again. */
static int sleep_deep(void)
{
	int fd = open("/sys/power/state", O_WRONLY | O_CLOEXEC);
	int err = 0;

	if (fd < 0 || write(fd, "mem", 3) != 3)
		err = errno;
	if (fd >= 0)
		close(fd);
	return err;
}

TEST_F_TIMEOUT(knelld, timers_over_a_sleep, LIMIT_S)
{
	struct instant before, after, wake, plain, day;
	char keys[128];
	time_t due;

	if (write_file("/sys/power/mem_sleep", SLEEP) == -EINVAL)
		SKIP(return, "this kernel cannot sleep so");
	snprintf(keys, sizeof(keys), "OnActiveSec=%ds\nWakeSystem=yes", WAKE_S);
	timer(self, "wake", keys);
	snprintf(keys, sizeof(keys), "OnActiveSec=%ds", PLAIN_S);
	timer(self, "plain", keys);
	/* A time that goes by meanwhile, and one much later for which the machine would be woken. */
	due = time(NULL) + WAKE_S - 2;
	calendar(keys, due);
	timer(self, "day", keys);
	calendar(keys, due + 3600);
	timer(self, "wakeday", strcat(keys, "\nWakeSystem=yes"));
	before = now();
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "startup finished: 4 started"));
	ASSERT_EQ(0, sleep_deep());
	after = now();
	TH_LOG("asleep for %llu ms", (after.boot - after.mono - before.boot + before.mono) /
	       NSEC_PER_MSEC);
	if (DEEP)
		EXPECT_LE(before.boot - before.mono + SLEPT_S * NSEC_PER_SEC,
			  after.boot - after.mono);
	/* By nobody else: it is awake no earlier than the timer says. */
	EXPECT_LE(before.boot + WAKE_S * NSEC_PER_SEC, after.boot + NSEC_PER_SEC);
	ASSERT_TRUE(when(self, "wake", &wake));
	EXPECT_LE(before.boot + WAKE_S * NSEC_PER_SEC, wake.boot);
	if (DEEP)
		EXPECT_GT(before.mono + WAKE_S * NSEC_PER_SEC, wake.mono);
	ASSERT_TRUE(when(self, "day", &day));
	EXPECT_LE(due * NSEC_PER_SEC, day.real);
	ASSERT_TRUE(when(self, "plain", &plain));
	EXPECT_LE(before.mono + PLAIN_S * NSEC_PER_SEC, plain.mono);
	if (DEEP)
		EXPECT_LE(before.boot + (PLAIN_S + SLEPT_S) * NSEC_PER_SEC, plain.boot);
	EXPECT_FALSE(has(self, "wakeday.service"));
	EXPECT_FALSE(has(self, "WakeSystem=: the machine cannot be woken"));
	ASSERT_EQ(0, stop(self));
}

/* Its memory is there as long as it is allocated. */
static bool is_allocated(int console)
{
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "/tmp/vcs%d", console);
	mknod(path, S_IFCHR | 0600, makedev(7, console));
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/* TTYVTDisallocate=: the console is gone with the service, and else it is not. */
TEST_F_TIMEOUT(knelld, a_virtual_console_is_given_back, LIMIT_S)
{
	static const char *const text = "[Service]\nType=oneshot\nTTYPath=/dev/tty%d\n%s"
		"StandardInput=tty\nExecStart=/bin/sh -c 'tty >@/%d'\n";

	if (access("/dev/tty8", F_OK))
		SKIP(return, "this kernel has no virtual consoles");
	ASSERT_FALSE(is_allocated(8));
	ASSERT_FALSE(is_allocated(9));
	unit(self, "eight.service", text, 8, "TTYVTDisallocate=yes\n", 8);
	unit(self, "nine.service", text, 9, "", 9);
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "eight.service: finished"));
	ASSERT_TRUE(told(self, "nine.service: finished"));
	EXPECT_STREQ("/dev/tty8\n", contents(self, "8"));
	EXPECT_STREQ("/dev/tty9\n", contents(self, "9"));
	ASSERT_EQ(0, stop(self));
	EXPECT_FALSE(is_allocated(8));
	EXPECT_TRUE(is_allocated(9));
}

TEST_HARNESS_MAIN
