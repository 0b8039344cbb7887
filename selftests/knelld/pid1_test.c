// SPDX-License-Identifier: GPL-2.0-only
/*
 * What only the first process does, as that of a namespace of its own. Needs root. What it would
 * do to the machine itself (reboot(2), "/" read-only) is no part of this.
 */
#include <linux/reboot.h>
#include <sys/ptrace.h>
#include <sys/uio.h>

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

/* What an enabled unit of @target has. */
static void enabled(fixture *self, const char *target, const char *name, const char *text)
{
	char path[128], to[64];

	unit(self, name, "%s[Install]\nWantedBy=%s\n", text, target);
	snprintf(path, sizeof(path), "%s/%s.wants", self->dir, target);
	mkdir(path, 0755);
	snprintf(path + strlen(path), sizeof(path) - strlen(path), "/%s", name);
	snprintf(to, sizeof(to), "../%s", name);
	if (symlink(to, path))
		abort();
}

#define LAST	"[Unit]\nDefaultDependencies=no\nBefore=shutdown.target\n"
#define ONCE	"[Service]\nType=oneshot\nExecStart="

static void units_of_the_end(fixture *self)
{
	unit(self, "a.service", SLEEPER);
	enabled(self, "poweroff.target", "last.service", LAST "After=a.service\n"
		"[Service]\nType=oneshot\nExecStart=/bin/sh -c 'echo last >>@/order'\n");
	enabled(self, "reboot.target", "other.service", LAST ONCE "/bin/touch @/other\n");
	enabled(self, "exit.target", "exit.service", LAST ONCE "/bin/touch @/exit\n");
	enabled(self, "shutdown.target", "always.service", LAST "Requires=needed.service\n"
		"After=needed.service\n" ONCE "/bin/touch @/always\n");
	unit(self, "needed.service", "[Unit]\nDefaultDependencies=no\n" ONCE
	     "/bin/touch @/needed\n[Install]\nWantedBy=never.target\n");
	/* What is stopped by shutdown.target is not started by it. */
	enabled(self, "shutdown.target", "stopped.service", "[Unit]\n" ONCE
		"/bin/touch @/stopped\n");
	enabled(self, "shutdown.target", "stays.service", LAST SLEEPER);
	enabled(self, "shutdown.target", "fails.service", LAST ONCE "/bin/false\n");
}

static void end_has_come(struct __test_metadata *_metadata, fixture *self)
{
	EXPECT_TRUE(in_order(self, "a.service: stopped", "last.service: finished"));
	EXPECT_STREQ("last\n", contents(self, "order"));
	EXPECT_EQ(0, access(path_of(self, "always"), F_OK));
	EXPECT_EQ(0, access(path_of(self, "needed"), F_OK));
	EXPECT_NE(0, access(path_of(self, "other"), F_OK));
	EXPECT_NE(0, access(path_of(self, "exit"), F_OK));
	EXPECT_NE(0, access(path_of(self, "stopped"), F_OK));
	EXPECT_TRUE(in_order(self, "stays.service: started", "stays.service: stopped"));
	EXPECT_TRUE(in_order(self, "last.service: finished", "all services are stopped"));
	EXPECT_TRUE(in_order(self, "stays.service: stopped", "all services are stopped"));
	EXPECT_TRUE(has(self, "fails.service: failed"));
}

TEST_F_TIMEOUT(knelld, units_that_are_started_for_the_end, LIMIT_S)
{
	units_of_the_end(self);
	ASSERT_TRUE(start_first(self));
	ASSERT_TRUE(told(self, "startup finished: 1 started, 0 failed"));
	EXPECT_FALSE(has(self, "last.service"));
	kill(self->pid, SIGRTMIN + 4);
	ASSERT_EQ(0, ended(self));
	end_has_come(_metadata, self);
}

/* Whoever starts the target of an end has asked for it. */
TEST_F_TIMEOUT(knelld, the_target_of_an_end_is_that_end, LIMIT_S)
{
	units_of_the_end(self);
	unit(self, "b.service", "[Unit]\nOnFailure=poweroff.target\n[Service]\n"
	     "ExecStart=/bin/sh -c 'until [ -e @/go ]; do sleep 0.1; done; exit 1'\n");
	ASSERT_TRUE(start_first(self));
	ASSERT_TRUE(told(self, "startup finished: 2 started, 0 failed"));
	unit(self, "go", "\n");
	ASSERT_EQ(0, ended(self));
	EXPECT_TRUE(has(self, "poweroff.target: stopping all services"));
	end_has_come(_metadata, self);
}

/* The machine is not that of who is not its first process. */
TEST_F_TIMEOUT(knelld, others_know_one_end, LIMIT_S)
{
	units_of_the_end(self);
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "startup finished: 1 started, 0 failed"));
	ASSERT_TRUE(appears(self, "control"));
	EXPECT_TRUE(asked(self, "StartUnits", "reboot.target", "\"result\":\"done\""));
	EXPECT_TRUE(told(self, "other.service: finished"));
	EXPECT_FALSE(has(self, "stopping all services"));
	EXPECT_TRUE(asked(self, "StartUnits", "exit.target", "\"result\":\"done\""));
	ASSERT_EQ(0, ended(self));
	EXPECT_EQ(0, access(path_of(self, "exit"), F_OK));
	EXPECT_NE(0, access(path_of(self, "order"), F_OK));
	EXPECT_TRUE(nothing_left());
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

/* Lets it go on until it enters that system call, and no further: its arguments. */
static bool enters(pid_t pid, uint64_t nr, struct __ptrace_syscall_info *info)
{
	int status;

	while (waitpid(pid, &status, 0) == pid && WIFSTOPPED(status)) {
		if (WSTOPSIG(status) == (SIGTRAP | 0x80) &&
		    ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(*info), info) > 0 &&
		    info->op == PTRACE_SYSCALL_INFO_ENTRY && info->entry.nr == nr)
			return true;
		ptrace(PTRACE_SYSCALL, pid, 0, WSTOPSIG(status) == (SIGTRAP | 0x80) ||
		       status >> 16 ? 0 : WSTOPSIG(status));
	}
	return false;
}

/* RebootArgument=: what reboot(2) is asked for; it is not let come to that. */
TEST_F_TIMEOUT(knelld, what_reboot_is_handed, LIMIT_S)
{
	struct __ptrace_syscall_info info = { 0 };
	char text[32] = "";
	struct iovec to = { text, 16 }, from;

	unit(self, "a.service", "[Unit]\nFailureAction=reboot-immediate\nRebootArgument=the other one\n"
	     "[Service]\nExecStart=/bin/sh -c 'until [ -e @/go ]; do sleep 0.05; done; exit 1'\n");
	ASSERT_TRUE(start_first(self));
	ASSERT_TRUE(told(self, "startup finished"));
	ASSERT_EQ(0, ptrace(PTRACE_SEIZE, self->pid, 0, PTRACE_O_TRACESYSGOOD |
			    PTRACE_O_EXITKILL));
	ASSERT_EQ(0, ptrace(PTRACE_INTERRUPT, self->pid, 0, 0));
	ASSERT_EQ(0, mkdir(path_of(self, "go"), 0700));
	ASSERT_TRUE(enters(self->pid, SYS_reboot, &info));
	EXPECT_EQ(LINUX_REBOOT_CMD_RESTART2, info.entry.args[2]);
	from = (struct iovec){ (void *)info.entry.args[3], 14 };
	EXPECT_EQ(14, process_vm_readv(self->pid, &to, 1, &from, 1, 0));
	EXPECT_STREQ("the other one", text);
	/* Killed where it is, it does not enter. */
	kill(self->pid, SIGKILL);
	EXPECT_EQ(SIGKILL, ended(self));
	EXPECT_TRUE(has(self, "a.service: action reboot-immediate for its failure"));
}

TEST_HARNESS_MAIN
