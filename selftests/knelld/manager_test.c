// SPDX-License-Identifier: GPL-2.0-only
/* Jobs that cannot begin, graphs that are out of proportion, what is started at first. */
#include "host.h"

#define WANTS(names) unit(self, "default.target", "[Unit]\nWants=" names "\n")
#define AGAIN "[Service]\nRestart=always\nRestartSec=10ms\n"
/* What held at the first start holds no longer: a restart that may not begin is none for ever. */
TEST_F_TIMEOUT(knelld, a_restart_that_may_not_begin_is_over, LIMIT_S)
{
	WANTS("c.service a.service r.service");
	unit(self, "c.service", "[Unit]\nConditionPathExists=!@/c.ran\n" AGAIN
	     "ExecStart=/bin/sh -c ': >@/c.ran'\n");
	unit(self, "a.service", "[Unit]\nAssertPathExists=!@/a.ran\n" AGAIN
	     "ExecStart=/bin/sh -c ': >@/a.ran'\n");
	unit(self, "r.service", "[Unit]\nRequires=g.service\nAfter=g.service\n"
	     "OnFailure=alarm.service\n" AGAIN "ExecStart=/bin/sh -c ': >@/r.ran'\n");
	unit(self, "g.service", "[Service]\nType=oneshot\nExecStart=/bin/sh -c '! [ -e @/r.ran ]'\n");
	unit(self, "alarm.service", SLEEPER);
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "c.service:2: ConditionPathExists=!"));
	ASSERT_TRUE(told(self, "a.service:2: AssertPathExists=!"));
	ASSERT_TRUE(told(self, "r.service:2: Requires=g.service: it did not start"));
	/* Its failure is one, though it was the other's. */
	ASSERT_TRUE(told(self, "alarm.service: started"));
	EXPECT_TRUE(is(self, "c.service", "inactive"));
	EXPECT_TRUE(is(self, "a.service", "inactive"));
	EXPECT_TRUE(is(self, "r.service", "inactive"));
	ENDS;
}

TEST_F_TIMEOUT(knelld, a_job_that_times_out_is_a_failure, LIMIT_S)
{
	WANTS("b.service");
	unit(self, "a.service", "[Service]\nType=oneshot\nTimeoutStartSec=infinity\n"
	     "ExecStart=/bin/sleep 100000\n");
	unit(self, "b.service", "[Unit]\nWants=a.service\nAfter=a.service\nJobTimeoutSec=100ms\n"
	     "OnFailure=alarm.service\n" SLEEPER);
	unit(self, "alarm.service", SLEEPER);
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "b.service: its job start took too long"));
	ASSERT_TRUE(told(self, "alarm.service: started"));
	ENDS;
}

/* Deeper than a stack is. */
TEST_F_TIMEOUT(knelld, a_chain_may_be_long, LIMIT_S)
{
	enum { LENGTH = 8000 };
	char name[32];

	WANTS("u0.service");
	for (int i = 0; i < LENGTH - 1; i++) {
		snprintf(name, sizeof(name), "u%d.service", i);
		unit(self, name, "[Unit]\nRequires=u%d.service\nAfter=u%d.service\n" SLEEPER, i + 1,
		     i + 1);
	}
	snprintf(name, sizeof(name), "u%d.service", LENGTH - 1);
	unit(self, name, "[Service]\nType=oneshot\nExecStart=/bin/false\n");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "startup finished: 0 started, 8000 failed"));
	/* What it all comes from is in what is told, not all of the way there. */
	unit(self, name, "[Unit]\nRequires=missing.service\n" SLEEPER);
	ASSERT_TRUE(asked(self, "Reload", "", "{"));
	EXPECT_TRUE(asked(self, "StartUnits", "u0.service", "...: u7994.service:2: Requires="));
	EXPECT_TRUE(asked(self, "StartUnits", "u0.service",
			  "u7999.service:2: Requires=missing.service: there is no such unit"));
	ENDS;
}

/* Two instances of each instance, and so on. */
TEST_F_TIMEOUT(knelld, units_without_end_are_not_loaded, LIMIT_S)
{
	FILE *f = fopen(path_of(self, "y@.target"), "w");

	ASSERT_NE(NULL, f);
	fputs("[Unit]\nWants=y@%i1.target y@%i2.target\n", f);
	fclose(f);
	unit(self, "z.service", SLEEPER);
	ASSERT_TRUE(start_with(self, ORDINARY, "--default=z.service"));
	ASSERT_TRUE(told(self, "z.service: started"));
	EXPECT_TRUE(asked(self, "StartUnits", "y@0.target", "\"done\""));
	EXPECT_TRUE(told(self, "not loaded, nor what comes after it: there are 65536 units already"));
	EXPECT_TRUE(is(self, "z.service", "active"));
	kill(self->pid, SIGKILL);
}

TEST_F_TIMEOUT(knelld, a_default_that_is_not_there_is_not_everything, LIMIT_S)
{
	unit(self, "a.service", SLEEPER);
	ASSERT_TRUE(start_with(self, ORDINARY, "--default=typo.target"));
	ASSERT_TRUE(told(self, "cannot start typo.target: there is no such unit"));
	EXPECT_FALSE(has(self, "a.service: started"));
	EXPECT_TRUE(asked(self, "StartUnits", "a.service", "\"done\""));
	EXPECT_EQ(0, stop(self));
}

TEST_F_TIMEOUT(knelld, a_default_that_is_masked_is_not_everything, LIMIT_S)
{
	unit(self, "a.service", SLEEPER);
	ASSERT_EQ(0, symlink("/dev/null", path_of(self, "default.target")));
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "cannot start default.target: it is masked"));
	EXPECT_FALSE(has(self, "a.service: started"));
	ENDS;
}

/* -force stops nobody; without it everybody is. */
TEST_F_TIMEOUT(knelld, exit_by_force_leaves_what_runs, LIMIT_S)
{
	int status;
	pid_t pid;

	WANTS("a.service b.service");
	unit(self, "a.service", SLEEPER);
	unit(self, "b.service", "[Unit]\nAfter=a.service\nFailureAction=exit-force\n"
	     "FailureActionExitStatus=7\n[Service]\nExecStart=/bin/false\n");
	ASSERT_TRUE(start_with(self, ORDINARY, NULL));
	status = ended(self);
	EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 7);
	EXPECT_FALSE(has(self, "a.service: stopped"));
	pid = main_pid(self, "a.service");
	EXPECT_TRUE(lives(pid));
	kill(pid, SIGKILL);
}

TEST_HARNESS_MAIN
