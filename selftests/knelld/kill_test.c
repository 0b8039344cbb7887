// SPDX-License-Identifier: GPL-2.0-only
/* How a service is made to end: KillMode=, signals, what happens when a time is over. */
#include "host.h"

/* Two processes that do not hear SIGTERM and SIGABRT; the number of the second is in a file. */
#define DEAF "ExecStart=/bin/sh -c 'trap \"\" TERM ABRT; sleep 100000 & echo $$! >@/%s.child; " \
	     "exec sleep 100000'\n"

static const char *const kill_modes[] = { "control-group", "mixed", "process" };
static const char *const failure_modes[] = { "terminate", "abort", "kill" };

static pid_t child_of(fixture *self, const char *name)
{
	char file[64];

	snprintf(file, sizeof(file), "%s.child", name);
	return pid_in(self, file);
}

/* One of which nothing is left, but with KillMode=process, which means the main process alone. */
static bool ended_well(fixture *self, const char *name, const char *mode)
{
	pid_t child = child_of(self, name);
	char text[128];

	snprintf(text, sizeof(text), "%s.service: 1 of its processes run on: KillMode=process",
		 name);
	if (strcmp(mode, "process"))
		return child > 1 && !lives(child);
	if (!has(self, text) || !lives(child))
		return false;
	kill(child, SIGKILL);
	return true;
}

TEST_F_TIMEOUT(knelld, a_start_that_takes_too_long, LIMIT_S)
{
	char name[64], text[128];

	for (int f = 0; f < 3; f++)
		for (int k = 0; k < 3; k++) {
			snprintf(name, sizeof(name), "%s-%s.service", failure_modes[f], kill_modes[k]);
			*strrchr(name, '.') = '\0';
			snprintf(text, sizeof(text), "%s.service", name);
			unit(self, text, "[Service]\nType=notify\nTimeoutStartSec=700ms\n"
			     "TimeoutStopSec=1500ms\nTimeoutStartFailureMode=%s\nKillMode=%s\n" DEAF,
			     failure_modes[f], kill_modes[k], name);
		}
	ASSERT_TRUE(start(self));
	for (int f = 0; f < 3; f++)
		for (int k = 0; k < 3; k++) {
			snprintf(name, sizeof(name), "%s-%s", failure_modes[f], kill_modes[k]);
			snprintf(text, sizeof(text), "%s.service: failed, result timeout", name);
			ASSERT_TRUE(told(self, text));
			EXPECT_TRUE(ended_well(self, name, kill_modes[k])) TH_LOG("%s", name);
			snprintf(text, sizeof(text), "%s.service: stopping, SIG%s to", name,
				 f ? "ABRT" : "TERM");
			EXPECT_EQ(f < 2, has(self, text)) TH_LOG("%s", text);
		}
	EXPECT_FALSE(has(self, "no longer waited for"));
	ASSERT_EQ(0, stop(self));
	EXPECT_TRUE(nothing_left());
}

TEST_F_TIMEOUT(knelld, a_stop_that_takes_too_long, LIMIT_S)
{
	char name[64], text[128];

	for (int f = 0; f < 3; f++)
		for (int k = 0; k < 3; k++) {
			snprintf(name, sizeof(name), "%s-%s", failure_modes[f], kill_modes[k]);
			snprintf(text, sizeof(text), "%s.service", name);
			unit(self, text, "[Service]\nExecStop=/bin/sleep 100000\n"
			     "TimeoutStopSec=1500ms\nTimeoutStopFailureMode=%s\nKillMode=%s\n" DEAF,
			     failure_modes[f], kill_modes[k], name);
		}
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "startup finished: 9 started"));
	for (int f = 0; f < 3; f++)
		for (int k = 0; k < 3; k++) {
			snprintf(name, sizeof(name), "%s-%s", failure_modes[f], kill_modes[k]);
			ASSERT_LT(1, child_of(self, name));
			snprintf(text, sizeof(text), "%s.service", name);
			ask(self, "StopUnits", text, ",\"noBlock\":true");
		}
	for (int f = 0; f < 3; f++)
		for (int k = 0; k < 3; k++) {
			snprintf(name, sizeof(name), "%s-%s", failure_modes[f], kill_modes[k]);
			snprintf(text, sizeof(text), "%s.service: stopped, result timeout", name);
			ASSERT_TRUE(told(self, text));
			EXPECT_TRUE(ended_well(self, name, kill_modes[k])) TH_LOG("%s", name);
		}
	EXPECT_FALSE(has(self, "no longer waited for"));
	ASSERT_EQ(0, stop(self));
	EXPECT_TRUE(nothing_left());
}

/* @pid and all of its session, which is the one of a command. */
static bool kill_all(pid_t pid)
{
	pid_t session = pid > 1 ? getsid(pid) : -1;

	return session > 1 && session != getsid(0) && !killpg(session, SIGKILL);
}

/* SendSIGKILL= and FinalKillSignal= count for it, too. */
TEST_F_TIMEOUT(knelld, the_last_signal, LIMIT_S)
{
	static const char keys[] = "[Service]\nType=notify\nTimeoutStartSec=700ms\n"
				   "TimeoutStartFailureMode=kill\n";
	pid_t left;

	unit(self, "a.service", "%sSendSIGKILL=no\n" DEAF, keys, "a");
	unit(self, "b.service", "%sFinalKillSignal=SIGUSR2\n" DEAF, keys, "b");
	unit(self, "c.service", "[Service]\nSendSIGKILL=no\nTimeoutStopSec=200ms\n" DEAF, "c");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "a.service: failed, result timeout"));
	EXPECT_TRUE(has(self, " still there after 700ms, left alone: SendSIGKILL=no"));
	left = child_of(self, "a");
	EXPECT_TRUE(lives(left));
	EXPECT_TRUE(kill_all(left));
	ASSERT_TRUE(told(self, "b.service: failed, result timeout"));
	EXPECT_TRUE(has(self, "killed by SIGUSR2"));
	EXPECT_FALSE(lives(child_of(self, "b")));
	left = child_of(self, "c");
	EXPECT_TRUE(asked(self, "StopUnits", "c.service", "\"done\""));
	ASSERT_TRUE(told(self, " still there after 200ms, left alone: SendSIGKILL=no"));
	EXPECT_TRUE(lives(left));
	EXPECT_TRUE(kill_all(left));
	ASSERT_EQ(0, stop(self));
	EXPECT_TRUE(nothing_left());
}

/* KillMode=mixed: with its main process gone the others are not asked, after SIGABRT, too. */
TEST_F_TIMEOUT(knelld, the_rest_of_mixed, LIMIT_S)
{
	unit(self, "a.service", "[Service]\nWatchdogSec=700ms\nTimeoutStopSec=1h\nKillMode=mixed\n"
	     "ExecStart=/bin/sh -c '(trap \"\" TERM ABRT; exec sleep 100000) & echo $$! >@/a.child; "
	     "exec sleep 100000'\n");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "a.service: failed, result watchdog"));
	EXPECT_TRUE(has(self, "a.service: SIGKILL to the 1 processes that its main one has left"));
	EXPECT_FALSE(lives(child_of(self, "a")));
	ASSERT_EQ(0, stop(self));
	EXPECT_TRUE(nothing_left());
}

TEST_HARNESS_MAIN
