// SPDX-License-Identifier: GPL-2.0-only
/*
 * What only the first process does, as that of a namespace of its own. Needs root. What it would
 * do to the machine itself (reboot(2), "/" read-only) is no part of this.
 */
#include "host.h"

static bool start_first(fixture *self)
{
	return start_as(self, FIRST);
}

/* Each line of @out that is of the kind is there; a new name space has none of the machine's. */
TEST_F_TIMEOUT(knelld, it_mounts_what_is_missing, LIMIT_S)
{
	unit(self, "a.service", "[Service]\nType=oneshot\nExecStart=/bin/sh -c '"
	     "for d in /proc /sys /dev /dev/pts /dev/shm /run; do mountpoint $$d; done >@/out "
		     "2>&1; "
	     "readlink /dev/fd /dev/stdin >>@/out; echo $$(cat /proc/1/comm) >>@/out'\n");
	ASSERT_TRUE(start_first(self));
	ASSERT_TRUE(told(self, "a.service: finished"));
	EXPECT_NE(NULL, strstr(contents(self, "out"), "/proc is a mountpoint\n"));
	EXPECT_NE(NULL, strstr(contents(self, "out"), "/dev is a mountpoint\n"));
	EXPECT_NE(NULL, strstr(contents(self, "out"), "/dev/pts is a mountpoint\n"));
	EXPECT_NE(NULL, strstr(contents(self, "out"), "/dev/shm is a mountpoint\n"));
	EXPECT_NE(NULL, strstr(contents(self, "out"), "/run is a mountpoint\n"));
	EXPECT_NE(NULL, strstr(contents(self, "out"), "/proc/self/fd\n/proc/self/fd/0\nknelld\n"));
	ASSERT_EQ(0, stop(self));
}

/* In the namespace of its own it has an fstab of its own; "/dis" is above nobody. */
TEST_F_TIMEOUT(knelld, mounts_that_are_required, LIMIT_S)
{
	unit(self, "table.service", "[Service]\nType=oneshot\nExecStart=/bin/sh -c '"
	     "mkdir -p @/disk/a && "
	     "printf \"none %%%%s tmpfs defaults 0 0\\n\" @/dis @/disk / >@/fstab && "
	     "mount --bind @/fstab /etc/fstab'\n");
	unit(self, "early.service", "[Unit]\nAfter=table.service\nRequiresMountsFor=@/disk/a\n"
	     "[Service]\nExecStart=/bin/sleep 100000\n");
	unit(self, "mount.service", "[Unit]\nAfter=early.service\n[Service]\nType=oneshot\n"
	     "ExecStart=/bin/mount -t tmpfs none @/disk\n");
	unit(self, "late.service", "[Unit]\nAfter=mount.service\nRequiresMountsFor=@/disk/a "
		     "@/fstab\n[Service]\nExecStart=/bin/sleep 100000\n");
	ASSERT_TRUE(start_first(self));
	ASSERT_TRUE(told(self, "late.service: started"));
	EXPECT_TRUE(has(self, "/disk is in fstab and not mounted; the unit fails"));
	EXPECT_FALSE(has(self, "early.service: started"));
	ASSERT_EQ(0, stop(self));
}

/* Stops in order, then whatever went its own way; the exit status says that all went well. */
TEST_F_TIMEOUT(knelld, it_takes_all_along, LIMIT_S)
{
	unit(self, "a.service", "[Service]\nExecStart=/bin/sleep 100000\n");
	unit(self, "b.service", "[Unit]\nAfter=a.service\n[Service]\nExecStart=/bin/sleep "
		     "100000\n");
	unit(self, "left.service", "[Service]\nType=oneshot\nKillMode=process\n"
	     "ExecStart=/bin/sh -c '(trap \"\" TERM; exec setsid sleep 100000) & (setsid sleep "
		     "100000) & sleep 1'\n");
	ASSERT_TRUE(start_first(self));
	ASSERT_TRUE(told(self, "startup finished: 3 started"));
	kill(self->pid, SIGRTMIN + 4);
	ASSERT_EQ(0, ended(self));
	EXPECT_TRUE(has(self, "SIGRTMIN+4: stopping all services"));
	EXPECT_TRUE(in_order(self, "b.service: stopped", "a.service: stopped"));
	EXPECT_TRUE(in_order(self, "all services are stopped", "SIGTERM to what is left"));
	EXPECT_TRUE(in_order(self, "SIGTERM to what is left", "SIGKILL to what is left"));
}

TEST_F_TIMEOUT(knelld, targets_of_signals, LIMIT_S)
{
	unit(self, "default.target", "[Unit]\nDescription=Nothing\n");
	unit(self, "kbrequest.target", "[Unit]\nWants=k.service\n");
	unit(self, "k.service", "[Service]\nType=oneshot\nExecStart=/bin/true\n");
	ASSERT_TRUE(start_first(self));
	ASSERT_TRUE(told(self, "startup finished"));
	kill(self->pid, SIGPWR);
	ASSERT_TRUE(told(self, "SIGPWR: cannot start sigpwr.target: there is no such unit"));
	EXPECT_FALSE(has(self, "k.service"));
	kill(self->pid, SIGWINCH);
	ASSERT_TRUE(told(self, "k.service: finished"));
	kill(self->pid, SIGINT);
	ASSERT_EQ(0, ended(self));
}

TEST_F_TIMEOUT(knelld, an_action_ends_the_container, LIMIT_S)
{
	unit(self, "a.service", "[Unit]\nFailureAction=exit\nFailureActionExitStatus=42\n"
	     "[Service]\nExecStart=/bin/false\n");
	ASSERT_TRUE(start_first(self));
	EXPECT_EQ(42 << 8, ended(self));
}

TEST_HARNESS_MAIN
