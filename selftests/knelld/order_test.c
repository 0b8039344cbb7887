// SPDX-License-Identifier: GPL-2.0-only
/*
 * What units are to each other: every kind of dependency, by jobs and by what happens.
 *
 * runner-limit: 1800
 */
#include "host.h"

/* What is up at first. */
#define WANTS(names) unit(self, "default.target", "[Unit]\nWants=" names "\n")
#define UNIT(name, deps) unit(self, name ".service", "[Unit]\n" deps "\n" SLEEPER)
#define FAILS "[Service]\nType=oneshot\nExecStart=/bin/false\n"
TEST_F_TIMEOUT(knelld, requires_takes_the_failure, LIMIT_S)
{
	WANTS("a.service c.service");
	UNIT("a", "Requires=b.service\nAfter=b.service");
	unit(self, "b.service", FAILS);
	UNIT("c", "Requires=missing.service");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "startup finished: 0 started, 3 failed"));
	EXPECT_TRUE(has(self, "a.service:2: Requires=b.service: it did not start; the unit fails"));
	EXPECT_TRUE(has(self, "c.service:2: Requires=missing.service: there is no such unit"));
	EXPECT_FALSE(has(self, "a.service: started"));
	EXPECT_TRUE(asked(self, "StartUnits", "a.service", "\"dependency\""));
	EXPECT_TRUE(asked(self, "StartUnits", "c.service", "NoSuchUnit"));
	ENDS;
}

TEST_F_TIMEOUT(knelld, requires_stops_with_it_but_does_not_die_with_it, LIMIT_S)
{
	WANTS("a.service");
	UNIT("a", "Requires=b.service\nAfter=b.service");
	UNIT("b", "");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "startup finished: 2 started"));
	EXPECT_TRUE(in_order(self, "b.service: started", "a.service: started"));
	kill(main_pid(self, "b.service"), SIGKILL);
	ASSERT_TRUE(told(self, "b.service: failed, result signal"));
	EXPECT_TRUE(is(self, "a.service", "active"));
	EXPECT_TRUE(asked(self, "StartUnits", "b.service", "\"done\""));
	EXPECT_TRUE(asked(self, "StopUnits", "b.service", "\"done\""));
	ASSERT_TRUE(told(self, "b.service: stopped"));
	EXPECT_TRUE(in_order(self, "a.service: stopped", "b.service: stopping"));
	EXPECT_TRUE(is(self, "a.service", "inactive"));
	ENDS;
}

TEST_F_TIMEOUT(knelld, a_restart_takes_those_that_require_it_along, LIMIT_S)
{
	pid_t a;

	WANTS("a.service");
	UNIT("a", "Requires=b.service\nAfter=b.service");
	unit(self, "b.service", "[Service]\nRestart=always\nRestartSec=10ms\n"
	     "ExecStart=/bin/sleep 100000\n");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "startup finished: 2 started"));
	a = main_pid(self, "a.service");
	kill(main_pid(self, "b.service"), SIGKILL);
	ASSERT_TRUE(told_times(self, 2, "a.service: started"));
	EXPECT_NE(a, main_pid(self, "a.service"));
	EXPECT_EQ(2, occurrences(self, "b.service: started"));
	EXPECT_TRUE(is(self, "a.service", "active"));
	ENDS;
}

TEST_F_TIMEOUT(knelld, wants_does_not_care, LIMIT_S)
{
	WANTS("a.service");
	UNIT("a", "Wants=b.service missing.service\nAfter=b.service missing.service");
	unit(self, "b.service", FAILS);
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "startup finished: 1 started, 1 failed"));
	EXPECT_TRUE(in_order(self, "b.service: failed", "a.service: started"));
	ENDS;
}

TEST_F_TIMEOUT(knelld, requisite_starts_nothing, LIMIT_S)
{
	WANTS("c.service");
	UNIT("a", "Requisite=b.service\nAfter=b.service");
	UNIT("b", "");
	UNIT("c", "");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "startup finished: 1 started"));
	EXPECT_TRUE(asked(self, "StartUnits", "a.service", "\"dependency\""));
	EXPECT_TRUE(is(self, "b.service", "inactive"));
	EXPECT_TRUE(asked(self, "StartUnits", "b.service", "\"done\""));
	EXPECT_TRUE(asked(self, "StartUnits", "a.service", "\"done\""));
	EXPECT_TRUE(asked(self, "StopUnits", "b.service", "\"done\""));
	EXPECT_TRUE(is(self, "a.service", "inactive"));
	ENDS;
}

TEST_F_TIMEOUT(knelld, binds_to_dies_with_it, LIMIT_S)
{
	WANTS("a.service");
	UNIT("a", "BindsTo=b.service\nAfter=b.service");
	UNIT("b", "");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "startup finished: 2 started"));
	kill(main_pid(self, "b.service"), SIGKILL);
	ASSERT_TRUE(told(self, "a.service: stopped"));
	EXPECT_TRUE(has(self, "a.service: stop, because of b.service (BoundBy)"));
	EXPECT_TRUE(is(self, "a.service", "inactive"));
	EXPECT_TRUE(is(self, "b.service", "failed"));
	ENDS;
}

TEST_F_TIMEOUT(knelld, part_of_follows_stop_and_restart, LIMIT_S)
{
	pid_t a;

	WANTS("a.service b.service");
	UNIT("a", "PartOf=b.service");
	UNIT("b", "");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "startup finished: 2 started"));
	a = main_pid(self, "a.service");
	EXPECT_TRUE(asked(self, "RestartUnits", "b.service", "\"done\""));
	ASSERT_TRUE(told_times(self, 2, "a.service: started"));
	EXPECT_NE(a, main_pid(self, "a.service"));
	EXPECT_TRUE(asked(self, "StopUnits", "b.service", "\"done\""));
	ASSERT_TRUE(told_times(self, 2, "a.service: stopped"));
	EXPECT_TRUE(asked(self, "StartUnits", "b.service", "\"done\""));
	EXPECT_TRUE(is(self, "a.service", "inactive"));
	/* Not the other way round. */
	EXPECT_TRUE(asked(self, "StartUnits", "a.service", "\"done\""));
	EXPECT_TRUE(asked(self, "StopUnits", "a.service", "\"done\""));
	EXPECT_TRUE(is(self, "b.service", "active"));
	ENDS;
}

TEST_F_TIMEOUT(knelld, conflicts_both_ways, LIMIT_S)
{
	WANTS("a.service");
	UNIT("a", "Conflicts=b.service\nAfter=b.service");
	UNIT("b", "");
	UNIT("both", "Requires=a.service b.service");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "startup finished: 1 started"));
	EXPECT_TRUE(asked(self, "StartUnits", "b.service", "\"done\""));
	EXPECT_TRUE(is(self, "a.service", "inactive"));
	EXPECT_TRUE(is(self, "b.service", "active"));
	EXPECT_TRUE(asked(self, "StartUnits", "a.service", "\"done\""));
	EXPECT_TRUE(is(self, "a.service", "active"));
	EXPECT_TRUE(is(self, "b.service", "inactive"));
	/* b is stopped before a is started, as After= wants it. */
	ASSERT_TRUE(told_times(self, 2, "a.service: started"));
	EXPECT_TRUE(in_order(self, "b.service: stopped", "a.service: started, main process") ||
		    occurrences(self, "b.service: stopped") == 1);
	EXPECT_TRUE(asked(self, "StartUnits", "both.service", "Contradiction"));
	EXPECT_TRUE(is(self, "a.service", "active"));
	ENDS;
}

TEST_F_TIMEOUT(knelld, upholds_brings_it_back, LIMIT_S)
{
	WANTS("a.service");
	UNIT("a", "Upholds=b.service");
	UNIT("b", "");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "startup finished: 2 started"));
	kill(main_pid(self, "b.service"), SIGKILL);
	ASSERT_TRUE(told_times(self, 2, "b.service: started"));
	EXPECT_TRUE(has(self, "b.service: start, because of a.service (UpheldBy)"));
	/* Even what was stopped, as long as a is up. */
	EXPECT_TRUE(asked(self, "StopUnits", "b.service", "\"done\""));
	ASSERT_TRUE(told_times(self, 3, "b.service: started"));
	EXPECT_TRUE(asked(self, "StopUnits", "a.service", "\"done\""));
	EXPECT_TRUE(asked(self, "StopUnits", "b.service", "\"done\""));
	EXPECT_TRUE(is(self, "b.service", "inactive"));
	ENDS;
}

TEST_F_TIMEOUT(knelld, on_failure_and_on_success, LIMIT_S)
{
	WANTS("bad.service good.service again.service");
	unit(self, "bad.service", "[Unit]\nOnFailure=rescue.service\nOnSuccess=never.service\n"
	     FAILS);
	unit(self, "good.service", "[Unit]\nOnFailure=never.service\nOnSuccess=next.service\n"
	     "[Service]\nType=oneshot\nExecStart=/bin/true\n");
	/* It has not failed as long as it is tried again. */
	unit(self, "again.service", "[Unit]\nOnFailure=late.service\nStartLimitBurst=2\n"
	     "StartLimitIntervalSec=infinity\n[Service]\nRestart=on-failure\nRestartSec=300ms\n"
	     "ExecStart=/bin/false\n");
	UNIT("rescue", "");
	UNIT("next", "");
	UNIT("never", "");
	UNIT("late", "");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "rescue.service: started"));
	ASSERT_TRUE(told(self, "next.service: started"));
	ASSERT_TRUE(told(self, "late.service: started"));
	EXPECT_TRUE(in_order(self, "again.service: start limit hit", "late.service: started"));
	EXPECT_TRUE(has(self, "rescue.service: start, because of bad.service (OnFailure)"));
	EXPECT_FALSE(has(self, "never.service"));
	ENDS;
}

TEST_F_TIMEOUT(knelld, reload_and_stop_are_passed_on, LIMIT_S)
{
	const char *text = "[Unit]\n%s\n[Service]\nExecStart=/bin/sleep 100000\n"
		"ExecReload=/bin/sh -c 'echo %s >>@/reloads'\n";

	WANTS("a.service b.service c.service");
	unit(self, "a.service", text, "PropagatesReloadTo=b.service\nPropagatesStopTo=c.service",
	     "a");
	unit(self, "b.service", text, "", "b");
	unit(self, "c.service", text, "ReloadPropagatedFrom=a.service", "c");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "startup finished: 3 started"));
	EXPECT_TRUE(asked(self, "ReloadUnits", "a.service", "\"done\""));
	ASSERT_TRUE(told(self, "a.service: reloaded"));
	ASSERT_TRUE(told(self, "b.service: reloaded"));
	ASSERT_TRUE(told(self, "c.service: reloaded"));
	EXPECT_TRUE(asked(self, "StopUnits", "a.service", "\"done\""));
	ASSERT_TRUE(told(self, "c.service: stopped"));
	EXPECT_TRUE(is(self, "b.service", "active"));
	ENDS;
}

TEST_F_TIMEOUT(knelld, stop_when_unneeded, LIMIT_S)
{
	WANTS("a.service");
	UNIT("a", "Requires=b.service");
	UNIT("b", "StopWhenUnneeded=yes");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "startup finished: 2 started"));
	EXPECT_TRUE(asked(self, "StopUnits", "a.service", "\"done\""));
	ASSERT_TRUE(told(self, "b.service: stopped"));
	ENDS;
}

TEST_F_TIMEOUT(knelld, isolate_leaves_only_what_it_needs, LIMIT_S)
{
	WANTS("a.service b.service stays.service");
	UNIT("a", "");
	UNIT("b", "");
	UNIT("stays", "IgnoreOnIsolate=yes");
	unit(self, "other.target", "[Unit]\nAllowIsolate=yes\nRequires=b.service c.service\n");
	UNIT("c", "");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "startup finished: 3 started"));
	EXPECT_NE(NULL, strstr(ask(self, "StartUnits", "other.target", ",\"mode\":\"isolate\""),
			       "\"done\""));
	ASSERT_TRUE(told(self, "a.service: stopped"));
	EXPECT_TRUE(is(self, "b.service", "active"));
	EXPECT_TRUE(is(self, "c.service", "active"));
	EXPECT_TRUE(is(self, "stays.service", "active"));
	EXPECT_EQ(1, occurrences(self, "b.service: started"));
	ENDS;
}

TEST_F_TIMEOUT(knelld, a_target_is_reached_after_what_it_wants, LIMIT_S)
{
	unit(self, "default.target", "[Unit]\nRequires=middle.target\nWants=last.service\n");
	unit(self, "middle.target", "[Unit]\nWants=slow.service early.service\n");
	unit(self, "slow.service", "[Service]\nType=oneshot\nExecStart=/bin/sh -c "
	     "'sleep 0.5; echo slow >>@/order'\n");
	unit(self, "early.service", "[Unit]\nAfter=middle.target\n[Service]\nType=oneshot\n"
	     "ExecStart=/bin/sh -c 'echo early >>@/order'\n");
	unit(self, "last.service", "[Unit]\nAfter=middle.target\n[Service]\nType=oneshot\n"
	     "ExecStart=/bin/sh -c 'echo last >>@/order'\n");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "startup finished: 3 started, 0 failed"));
	EXPECT_EQ(0, strncmp("slow\n", contents(self, "order"), 5));
	EXPECT_TRUE(is(self, "middle.target", "active"));
	ENDS;
}

/* As systemd-pcrphase.service is of sysinit.target: whichever of the two is read first. */
TEST_F_TIMEOUT(knelld, a_target_does_not_wait_for_what_waits_for_it, LIMIT_S)
{
	unit(self, "default.target", "[Unit]\nRequires=sysinit.target\nAfter=sysinit.target\n");
	unit(self, "sysinit.target", "[Unit]\nWants=late.service early.service\n");
	UNIT("late", "");
	UNIT("early", "DefaultDependencies=no");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "startup finished: 2 started"));
	EXPECT_FALSE(has(self, "cycle"));
	ENDS;
}

TEST_F_TIMEOUT(knelld, a_cycle_of_what_is_required_is_refused, LIMIT_S)
{
	WANTS("c.service");
	UNIT("a", "Requires=b.service\nAfter=b.service");
	UNIT("b", "Requires=a.service\nAfter=a.service");
	UNIT("c", "");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "startup finished: 1 started"));
	EXPECT_TRUE(asked(self, "StartUnits", "a.service", "an ordering cycle"));
	EXPECT_TRUE(is(self, "a.service", "inactive"));
	EXPECT_TRUE(is(self, "c.service", "active"));
	ENDS;
}

TEST_F_TIMEOUT(knelld, conditions_and_asserts, LIMIT_S)
{
	WANTS("no.service yes.service must.service needs.service");
	UNIT("no", "ConditionPathExists=/no/such");
	UNIT("yes", "ConditionPathExists=!/no/such");
	UNIT("must", "AssertPathExists=/no/such");
	UNIT("needs", "Requires=no.service\nAfter=no.service");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "startup finished: 2 started, 1 failed"));
	EXPECT_TRUE(has(self, "no.service:2: ConditionPathExists=/no/such does not hold, not started"));
	EXPECT_TRUE(has(self, "must.service:2: AssertPathExists=/no/such does not hold, the unit fails"));
	EXPECT_TRUE(has(self, "needs.service: started"));
	EXPECT_TRUE(asked(self, "StartUnits", "no.service", "\"skipped\""));
	EXPECT_TRUE(asked(self, "StartUnits", "must.service", "\"assertion\""));
	ENDS;
}

/* A second request while the first is under way is no second copy. */
TEST_F_TIMEOUT(knelld, requests_meet, LIMIT_S)
{
	WANTS("slow.service");
	unit(self, "slow.service", "[Service]\nExecStartPre=/bin/sh -c 'until [ -e @/go ]; do sleep "
	     "0.05; done'\nExecStart=/bin/sleep 100000\n");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(appears(self, "control"));
	EXPECT_NE(NULL, strstr(ask(self, "StartUnits", "slow.service", ",\"noBlock\":true"), "\"job\""));
	EXPECT_NE(NULL, strstr(ask(self, "StopUnits", "slow.service", ",\"mode\":\"fail\""),
			       "Contradiction"));
	EXPECT_EQ(0, mkdir(path_of(self, "go"), 0755));
	ASSERT_TRUE(told(self, "startup finished: 1 started"));
	EXPECT_TRUE(asked(self, "StartUnits", "slow.service", "\"job\": 0") ||
		    asked(self, "StartUnits", "slow.service", "\"job\":0"));
	EXPECT_EQ(1, occurrences(self, "slow.service: started"));
	/* One that takes the place of a start: the waiter hears of it. */
	EXPECT_TRUE(asked(self, "StopUnits", "slow.service", "\"done\""));
	EXPECT_TRUE(is(self, "slow.service", "inactive"));
	ENDS;
}

TEST_F_TIMEOUT(knelld, a_storm_of_stops_and_starts, LIMIT_S)
{
	char name[32];

	for (int i = 0; i < 40; i++) {
		snprintf(name, sizeof(name), "s%d.service", i);
		if (i)
			unit(self, name, "[Unit]\nRequires=s%d.service\nAfter=s%d.service\n"
			     SLEEPER, (i - 1) / 2, (i - 1) / 2);
		else
			unit(self, name, SLEEPER);
	}
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "startup finished: 40 started, 0 failed"));
	for (int i = 0; i < 5; i++) {
		ask(self, "RestartUnits", "s0.service", ",\"noBlock\":true");
		ask(self, "StopUnits", "s3.service", ",\"noBlock\":true");
		ask(self, "StartUnits", "s39.service", ",\"noBlock\":true");
		ask(self, "StopUnits", "s0.service", ",\"noBlock\":true");
	}
	EXPECT_TRUE(asked(self, "StopUnits", "s0.service", "\"job\""));
	for (int i = 0; i < 40; i++) {
		snprintf(name, sizeof(name), "s%d.service", i);
		EXPECT_TRUE(is(self, name, "inactive"));
	}
	EXPECT_TRUE(asked(self, "StartUnits", "s39.service", "\"done\""));
	EXPECT_TRUE(is(self, "s0.service", "active"));
	ENDS;
}

TEST_HARNESS_MAIN
