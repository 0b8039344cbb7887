// SPDX-License-Identifier: GPL-2.0-only
/*
 * Clocks that are set while timers wait, and a long time in which nothing is to be done.
 *
 * runner-limit: 900
 */
#define MORE_OPTIONS "--control", path_of(self, "control"),
#include "knelld_speaker.h"

#define HOUR	3600
#define DAY	(24 * HOUR)

static void step(long seconds)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	ts.tv_sec += seconds;
	if (clock_settime(CLOCK_REALTIME, &ts))
		abort();
}

/* A timer, and a service that leaves a line each time. */
static void timer(fixture *self, const char *name, const char *keys)
{
	char file[64];

	snprintf(file, sizeof(file), "%s.timer", name);
	unit(self, file, "[Timer]\nAccuracySec=1us\n%s\n", keys);
	snprintf(file, sizeof(file), "%s.service", name);
	unit(self, file, "[Unit]\nStartLimitIntervalSec=0\n[Service]\nType=oneshot\n"
	     "ExecStart=/bin/sh -c 'echo ran >>@/%s'\n", name);
}

static size_t runs(fixture *self, const char *name)
{
	char text[64];

	snprintf(text, sizeof(text), "%s.service: finished", name);
	return occurrences(self, text);
}

static bool ran(fixture *self, const char *name, size_t nr)
{
	char text[64];

	snprintf(text, sizeof(text), "%s.service: finished", name);
	return told_times(self, nr, text);
}

/* When a timer elapses next, in µs of the monotonic clock. */
static long long next_of(fixture *self, const char *name)
{
	const char *at = strstr(ask(self, "UnitStatus", name, ""), "\"next\":");

	at = at ? strstr(at, "\"monotonicUsec\":") : NULL;
	return at ? atoll(at + strlen("\"monotonicUsec\":")) : -1;
}

/* It is computed anew, from another clock that another moment was read from. */
static bool same(long long a, long long b)
{
	return llabs(a - b) < 1000000;
}

/* Noon of a day far from any change: what is to come then is as far as it seems. */
static void set_to_noon(void)
{
	struct timespec ts = { .tv_sec = 20000L * DAY + 12 * HOUR };

	if (clock_settime(CLOCK_REALTIME, &ts))
		abort();
}

TEST_F_TIMEOUT(knelld, the_clock_goes_forward, LIMIT_S)
{
	long long mono, soon;

	set_to_noon();
	timer(self, "tonight", "OnCalendar=*-*-* 23:30");
	timer(self, "hourly", "OnCalendar=hourly");
	timer(self, "far", "OnCalendar=2199-12-31");
	timer(self, "mono", "OnActiveSec=5h");
	timer(self, "soon", "OnActiveSec=3s");
	timer(self, "change", "OnClockChange=yes");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "startup finished"));
	mono = next_of(self, "mono.timer");
	soon = next_of(self, "soon.timer");
	ASSERT_LT(0, mono);
	ASSERT_LT(0, soon);
	EXPECT_EQ(0, runs(self, "change"));
	step(DAY);
	ASSERT_TRUE(ran(self, "change", 1));
	/* What was passed over comes once, however often it would have come. */
	ASSERT_TRUE(ran(self, "tonight", 1));
	ASSERT_TRUE(ran(self, "hourly", 1));
	EXPECT_TRUE(same(mono, next_of(self, "mono.timer")));
	/* That one only time brings. */
	ASSERT_TRUE(ran(self, "soon", 1));
	EXPECT_LE(soon, (long long)(clock_ns(CLOCK_MONOTONIC) / 1000));
	step(2 * HOUR);
	ASSERT_TRUE(ran(self, "change", 2));
	ASSERT_TRUE(ran(self, "hourly", 2));
	EXPECT_EQ(1, runs(self, "tonight"));
	EXPECT_EQ(0, runs(self, "mono"));
	EXPECT_EQ(0, runs(self, "far"));
	ASSERT_EQ(0, stop(self));
}

TEST_F_TIMEOUT(knelld, the_clock_goes_back, LIMIT_S)
{
	long long far, mono;

	set_to_noon();
	timer(self, "tonight", "OnCalendar=*-*-* 23:30");
	timer(self, "often", "OnCalendar=*:*:0/1");
	timer(self, "mono", "OnActiveSec=0\nOnUnitActiveSec=1s");
	timer(self, "later", "OnActiveSec=5h");
	timer(self, "change", "OnClockChange=yes");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(ran(self, "often", 2));
	ASSERT_TRUE(ran(self, "mono", 2));
	far = next_of(self, "tonight.timer");
	mono = next_of(self, "later.timer");
	step(-DAY);
	ASSERT_TRUE(ran(self, "change", 1));
	EXPECT_EQ(0, runs(self, "tonight"));
	/* It is as far as it was, for it is the same time of the day. */
	EXPECT_GT(5 * 1000000LL, llabs(far - next_of(self, "tonight.timer")));
	EXPECT_TRUE(same(mono, next_of(self, "later.timer")));
	EXPECT_TRUE(ran(self, "often", runs(self, "often") + 2));
	EXPECT_TRUE(ran(self, "mono", runs(self, "mono") + 2));
	/* To and fro: each is one change, and nothing else. */
	for (size_t i = 2; i < 12; i++) {
		step(i % 2 ? -HOUR : HOUR);
		ASSERT_TRUE(ran(self, "change", i));
	}
	EXPECT_EQ(0, runs(self, "tonight"));
	EXPECT_EQ(0, runs(self, "later"));
	ASSERT_EQ(0, stop(self));
}

/* A hundred that run, timers of every kind, sockets nobody comes to: nothing, and then at once. */
TEST_F_TIMEOUT(knelld, a_hundred_services_cost_nothing, LIMIT_S)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	char name[64];
	int fd;

	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "s%02d.service", i);
		if (i % 10)
			unit(self, name, "[Service]\nRestart=always\nRestartSec=0\n"
			     "ExecStart=/bin/sleep 100000\n");
		else
			speaker(self, name, "Type=notify\nWatchdogSec=1h\nRuntimeMaxSec=1d",
				"say=READY=1 pause");
	}
	for (int i = 0; i < 5; i++) {
		snprintf(name, sizeof(name), "mono%d", i);
		timer(self, name, "OnActiveSec=2h\nOnUnitActiveSec=1h\nAccuracySec=1min");
		snprintf(name, sizeof(name), "real%d", i);
		timer(self, name, "OnCalendar=2199-12-31\nRandomizedDelaySec=1h");
		snprintf(name, sizeof(name), "change%d", i);
		timer(self, name, "OnClockChange=yes\nOnTimezoneChange=yes");
		snprintf(name, sizeof(name), "l%d.socket", i);
		unit(self, name, "[Socket]\nListenStream=@/l%d.sock\n", i);
		snprintf(name, sizeof(name), "l%d.service", i);
		speaker(self, name, "", "serve");
		snprintf(name, sizeof(name), "again%d.service", i);
		unit(self, name, "[Service]\nExecStart=/bin/true\nRestart=always\nRestartSec=2h\n");
	}
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "startup finished: "));
	ASSERT_TRUE(told_times(self, 5, "restart in 7200s"));
	idle(_metadata, self, 60);
	/* It was asleep, not gone. */
	kill(main_pid(self, "s42.service"), SIGKILL);
	ASSERT_TRUE(told_times(self, 2, "s42.service: started"));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	strcpy(to.sun_path, path_of(self, "l3.sock"));
	ASSERT_EQ(0, connect(fd, (struct sockaddr *)&to, sizeof(to)));
	ASSERT_EQ(4, write(fd, "well", 4));
	ASSERT_LT(0, read(fd, name, sizeof(name)));
	step(1);
	ASSERT_TRUE(ran(self, "change3", 1));
	ASSERT_EQ(0, stop(self));
}

TEST_HARNESS_MAIN
