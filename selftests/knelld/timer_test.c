// SPDX-License-Identifier: GPL-2.0-only
/* Timer units: when they elapse is user/unit's (selftests/unit); that they do is seen here. */
#include <time.h>

#include "talker.h"

#define ONCE	"[Service]\nType=oneshot\nExecStart=%s now\n"

TEST_F_TIMEOUT(knelld, once_after_a_while, LIMIT_S)
{
	uint64_t before = clock_ns(CLOCK_MONOTONIC);

	unit(self, "a.timer", "[Timer]\nOnActiveSec=300ms\nAccuracySec=1us\n");
	unit(self, "a.service", ONCE, talker());
	/* What it starts need not be called like it, nor be there. */
	unit(self, "b.timer", "[Timer]\nOnActiveSec=100ms\nAccuracySec=1us\nUnit=other.service\n");
	unit(self, "other.service", ONCE, talker());
	unit(self, "c.timer", "[Timer]\nOnActiveSec=100ms\nAccuracySec=1us\nUnit=nosuch.service\n");
	/* Long past. */
	unit(self, "d.timer", "[Timer]\nOnBootSec=1us\n");
	unit(self, "d.service", ONCE, talker());
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "a.service: finished"));
	ASSERT_TRUE(told(self, "other.service: finished"));
	ASSERT_TRUE(told(self, "d.service: finished"));
	ASSERT_TRUE(told(self, "c.timer: its unit cannot be started"));
	EXPECT_LE(before + 300 * NSEC_PER_MSEC, clock_ns(CLOCK_MONOTONIC));
	read_within(self, 500);
	EXPECT_EQ(1, occurrences(self, "a.service: finished"));
	ASSERT_EQ(0, stop(self));
	EXPECT_TRUE(nothing_left());
}

/* When each of the runs was, as the service itself has told. */
static size_t times(fixture *self, uint64_t *t, size_t max)
{
	unsigned long long at;
	size_t n = 0;

	for (const char *s = self->log; n < max && (s = strstr(s, "talker: now ")); s++)
		if (sscanf(s, "talker: now %llu", &at) == 1)
			t[n++] = at;
	return n;
}

#define RUNS	20
#define PERIOD	(100 * NSEC_PER_MSEC)

/* Each is late by something; were that added up, each would be later than the one before. */
TEST_F_TIMEOUT(knelld, again_and_again_without_drift, LIMIT_S)
{
	uint64_t t[RUNS] = { 0 };
	size_t later = 0;

	unit(self, "a.timer", "[Timer]\nOnActiveSec=0\nOnUnitActiveSec=100ms\nAccuracySec=1us\n");
	unit(self, "a.service", "[Unit]\nStartLimitIntervalSec=0\n" ONCE, talker());
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told_times(self, RUNS, "a.service: finished"));
	ASSERT_EQ(RUNS, times(self, t, RUNS));
	for (size_t i = 1; i < RUNS; i++)
		later += t[i] - t[i - 1] > PERIOD;
	EXPECT_GT(RUNS - 1, later);
	EXPECT_LE(t[0] + (RUNS - 2) * PERIOD, t[RUNS - 1]);
	ASSERT_EQ(0, stop(self));
}

TEST_F_TIMEOUT(knelld, after_it_has_ended, LIMIT_S)
{
	uint64_t t[8] = { 0 };

	unit(self, "a.timer", "[Timer]\nOnActiveSec=0\nOnUnitInactiveSec=200ms\nAccuracySec=1us\n");
	unit(self, "a.service", "[Unit]\nStartLimitIntervalSec=0\n[Service]\nType=oneshot\n"
	     "ExecStart=%s now\nExecStart=/bin/sleep 0.2\nExecStart=%s now\n", talker(), talker());
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told_times(self, 4, "a.service: finished"));
	ASSERT_EQ(8, times(self, t, 8));
	for (size_t i = 2; i < 8; i += 2)
		EXPECT_LE(t[i - 1] + 200 * NSEC_PER_MSEC, t[i]);
	ASSERT_EQ(0, stop(self));
}

TEST_F_TIMEOUT(knelld, by_the_calendar, LIMIT_S)
{
	unit(self, "a.timer", "[Timer]\nOnCalendar=*:*:*\nAccuracySec=1us\n");
	unit(self, "a.service", "[Unit]\nStartLimitIntervalSec=0\n" ONCE, talker());
	unit(self, "b.timer", "[Timer]\nOnCalendar=2199-12-31\n");
	unit(self, "b.service", ONCE, talker());
	unit(self, "c.timer", "[Timer]\nOnCalendar=1999-12-31\n");
	unit(self, "c.service", ONCE, talker());
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told_times(self, 3, "a.service: finished"));
	EXPECT_FALSE(has(self, "b.service"));
	EXPECT_FALSE(has(self, "c.service"));
	ASSERT_EQ(0, stop(self));
}

/* Of DragonReach's failures: a unit's end, or its pending restart, disturbs no other's. */
TEST_F_TIMEOUT(knelld, timers_do_not_disturb_each_other, LIMIT_S)
{
	unit(self, "a.timer", "[Timer]\nOnActiveSec=50ms\nOnUnitActiveSec=100ms\nAccuracySec=1us\n");
	unit(self, "a.service", "[Unit]\nStartLimitIntervalSec=0\n[Service]\nExecStart=/bin/false\n");
	unit(self, "b.service", "[Unit]\nStartLimitIntervalSec=0\n[Service]\nRestart=always\n"
	     "RestartSec=150ms\nExecStart=/bin/true\n");
	unit(self, "c.timer", "[Timer]\nOnActiveSec=1s\nAccuracySec=1us\n");
	unit(self, "c.service", ONCE, talker());
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "c.service: finished"));
	ASSERT_TRUE(told_times(self, 5, "a.service: failed, result exit-code"));
	ASSERT_TRUE(told_times(self, 5, "b.service: started"));
	ASSERT_EQ(0, stop(self));
	EXPECT_TRUE(nothing_left());
}

TEST_F_TIMEOUT(knelld, a_unit_that_runs_is_left_to_run, LIMIT_S)
{
	unit(self, "a.timer", "[Timer]\nOnCalendar=*:*:*\nAccuracySec=1us\n");
	unit(self, "a.service", SLEEPER);
	unit(self, "b.timer", "[Timer]\nOnActiveSec=2500ms\nAccuracySec=1us\n");
	unit(self, "b.service", ONCE, talker());
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "a.service: started"));
	ASSERT_TRUE(told(self, "b.service: finished"));
	EXPECT_EQ(1, occurrences(self, "a.service: started"));
	/* And comes again after its end. */
	kill(main_pid(self, "a.service"), SIGKILL);
	ASSERT_TRUE(told_times(self, 2, "a.service: started"));
	ASSERT_EQ(0, stop(self));
}

TEST_F_TIMEOUT(knelld, new_times_count_at_once, LIMIT_S)
{
	unit(self, "a.timer", "[Timer]\nOnActiveSec=1h\n");
	unit(self, "a.service", ONCE, talker());
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "startup finished"));
	unit(self, "a.timer", "[Timer]\nOnActiveSec=10ms\nAccuracySec=1us\n");
	kill(self->pid, SIGHUP);
	ASSERT_TRUE(told(self, "a.service: finished"));
	ASSERT_EQ(0, stop(self));
}

/* A stamp that is so old: what was missed is made up for, once. */
static void stamp(fixture *self, const char *name, time_t when)
{
	const struct timespec ts[2] = { { .tv_sec = when }, { .tv_sec = when } };
	char path[128];

	mkdir(path_of(self, "knell"), 0755);
	mkdir(path_of(self, "knell/timers"), 0755);
	snprintf(path, sizeof(path), "knell/timers/stamp-%s", name);
	close(open(path_of(self, path), O_WRONLY | O_CREAT, 0644));
	utimensat(AT_FDCWD, path_of(self, path), ts, 0);
}

static time_t stamped(fixture *self, const char *name)
{
	char path[128];
	struct stat st;

	snprintf(path, sizeof(path), "knell/timers/stamp-%s", name);
	return stat(path_of(self, path), &st) ? 0 : st.st_mtime;
}

TEST_F_TIMEOUT(knelld, what_was_missed, LIMIT_S)
{
	const time_t now = time(NULL);

	setenv("XDG_STATE_HOME", self->dir, 1);
	setenv("XDG_RUNTIME_DIR", self->dir, 1);
	for (const char *c = "abc"; *c; c++) {
		char name[16];

		snprintf(name, sizeof(name), "%c.timer", *c);
		unit(self, name, "[Timer]\nOnCalendar=yearly\nAccuracySec=1us\nPersistent=%s\n",
		     *c == 'c' ? "no" : "yes");
		snprintf(name, sizeof(name), "%c.service", *c);
		unit(self, name, ONCE, talker());
	}
	unit(self, "d.timer", "[Timer]\nOnActiveSec=500ms\nAccuracySec=1us\n");
	unit(self, "d.service", ONCE, talker());
	unit(self, "e.timer", "[Timer]\nOnCalendar=yearly\nPersistent=yes\n");
	unit(self, "e.service", ONCE, talker());
	stamp(self, "a.timer", now - 2 * 366 * 86400);
	stamp(self, "b.timer", now);
	stamp(self, "c.timer", now - 2 * 366 * 86400);
	ASSERT_TRUE(start_with(self, ORDINARY, "--user"));
	close(self->into);
	self->into = -1;
	ASSERT_TRUE(told(self, "a.service: finished"));
	ASSERT_TRUE(told(self, "d.service: finished"));
	EXPECT_FALSE(has(self, "b.service"));
	EXPECT_FALSE(has(self, "c.service"));
	EXPECT_FALSE(has(self, "e.service"));
	EXPECT_LE(now, stamped(self, "a.timer"));
	EXPECT_LE(now, stamped(self, "e.timer"));
	ASSERT_EQ(0, stop(self));
}

TEST_F_TIMEOUT(knelld, the_clock_is_set, LIMIT_S)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	/* By nothing: that is a setting all the same, and nobody else is disturbed. */
	if (clock_settime(CLOCK_REALTIME, &ts))
		SKIP(return, "the clock may not be set here");
	unit(self, "a.timer", "[Timer]\nOnClockChange=yes\n");
	unit(self, "a.service", ONCE, talker());
	unit(self, "b.timer", "[Timer]\nOnCalendar=2199-12-31\n");
	unit(self, "b.service", ONCE, talker());
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "startup finished"));
	EXPECT_FALSE(has(self, "a.service"));
	clock_gettime(CLOCK_REALTIME, &ts);
	ASSERT_EQ(0, clock_settime(CLOCK_REALTIME, &ts));
	ASSERT_TRUE(told(self, "a.service: finished"));
	clock_gettime(CLOCK_REALTIME, &ts);
	ASSERT_EQ(0, clock_settime(CLOCK_REALTIME, &ts));
	ASSERT_TRUE(told_times(self, 2, "a.service: finished"));
	EXPECT_FALSE(has(self, "b.service"));
	ASSERT_EQ(0, stop(self));
}

/* An /etc of the test's own, in a mount namespace that ends with it. */
TEST_F_TIMEOUT(knelld, the_zone_is_another, LIMIT_S)
{
	mkdir(path_of(self, "etc"), 0755);
	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount(path_of(self, "etc"), "/etc", NULL, MS_BIND, NULL))
		SKIP(return, "no namespace for mounts is to be had");
	ASSERT_EQ(0, symlink("/usr/share/zoneinfo/UTC", "/etc/localtime"));
	unit(self, "a.timer", "[Timer]\nOnTimezoneChange=yes\n");
	unit(self, "a.service", ONCE, talker());
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "startup finished"));
	/* Something else there is of no interest. */
	close(open("/etc/other", O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
	ASSERT_EQ(0, symlink("/usr/share/zoneinfo/Europe/Berlin", "/etc/new"));
	ASSERT_EQ(0, rename("/etc/new", "/etc/localtime"));
	ASSERT_TRUE(told(self, "a.service: finished"));
	/* And once more, from there. */
	ASSERT_EQ(0, unlink("/etc/localtime"));
	ASSERT_TRUE(told_times(self, 2, "a.service: finished"));
	ASSERT_EQ(0, symlink("/usr/share/zoneinfo/UTC", "/etc/localtime"));
	ASSERT_TRUE(told_times(self, 3, "a.service: finished"));
	ASSERT_EQ(0, stop(self));
	EXPECT_EQ(3, occurrences(self, "a.service: finished"));
}

TEST_HARNESS_MAIN
