// SPDX-License-Identifier: GPL-2.0-only
/*
 * What has failed under a knelld that was killed, as the next one tells of it: it counts, but not a
 * start that was given up, nor what has no file any more.
 *
 * runner-limit: 300
 */
#define MORE_OPTIONS "--control", path_of(self, "control"),
#include "knelld_test.h"

#define TOOK_OVER	"from a knelld that is gone"

TEST_F_TIMEOUT(knelld, failures_that_count, LIMIT_S)
{
	unit(self, "up.service", SLEEPER);
	unit(self, "fails.service", "[Service]\nType=oneshot\nExecStart=/bin/false\n");
	unit(self, "gone.service", "[Service]\nType=oneshot\nExecStart=/bin/false\n");
	unit(self, "slow.service", "[Service]\nType=oneshot\nExecStart=/bin/sh -c "
	     "'touch @/begun; exec sleep 100000'\n");
	ASSERT_TRUE(start_with(self, ORDINARY, NULL));
	ASSERT_TRUE(appears(self, "begun"));
	ask(self, "StopUnits", "slow.service", "");
	ASSERT_TRUE(told(self, "startup finished: 1 started, 2 failed"));
	/* What it has told of is written down in the call in which it falls asleep. */
	ASSERT_TRUE(asleep_on_queue(self->pid));
	kill_knelld(self);
	ASSERT_EQ(0, unlink(path_of(self, "gone.service")));
	ASSERT_TRUE(start_with(self, ORDINARY, NULL));
	ASSERT_TRUE(told(self, TOOK_OVER));
	ASSERT_TRUE(told(self, "startup finished: 1 started, 1 failed"));
	/* Why it failed is known for all that. */
	EXPECT_TRUE(strstr(ask(self, "UnitStatus", "gone.service", ""), "\"code\":\"process\""));
	EXPECT_TRUE(strstr(ask(self, "UnitStatus", "gone.service", ""), "\"load\":\"not_found\""));
	ASSERT_EQ(0, stop(self));
}

TEST_HARNESS_MAIN
