// SPDX-License-Identifier: GPL-2.0-only
/*
 * Conditions and asserts: each kind both ways, on a machine whose files are the test's own, and
 * where systemd-analyze(1) is there, what systemd says of this one. Needs root.
 */
#include <fcntl.h>
#include <grp.h>
#include <linux/magic.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <sys/wait.h>

#pragma GCC diagnostic ignored "-Wmissing-prototypes"	/* of fixtures */
#include "kselftest_harness.h"
#undef ARRAY_SIZE
#include "unit_load.h"

FIXTURE(cond)
{
	int nothing;
};

static bool put(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	return f && fputs(text, f) >= 0 && !fclose(f);
}

/* The machine's own files cannot be written here: see exec_test.c. */
FIXTURE_SETUP(cond)
{
	ASSERT_EQ(0, geteuid());
	ASSERT_EQ(0, unshare(CLONE_NEWNS));
	ASSERT_EQ(0, mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	ASSERT_EQ(0, mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL));
	ASSERT_EQ(0, mount("tmpfs", "/tmp", "tmpfs", 0, "mode=0755"));
}

FIXTURE_TEARDOWN(cond)
{
}

static const char *param;

static bool is(enum condition_kind kind, const char *value)
{
	const struct condition *failed = NULL;
	struct condition c = { .kind = kind, .param = value }, n = c;
	struct unit_file f = { .conditions = &c, .nr_conditions = 1 };
	bool holds = cond_test(&f, false, &failed), other;

	if (holds == (failed == &c))
		abort();
	n.negate = true;
	f.conditions = &n;
	other = cond_test(&f, false, &failed);
	param = value;
	/* What cannot be told holds neither way. */
	return holds && !other;
}

static bool is_not(enum condition_kind kind, const char *value)
{
	struct condition n = { .kind = kind, .param = value, .negate = true };
	const struct condition *failed = NULL;
	struct unit_file f = { .conditions = &n, .nr_conditions = 1 };

	return cond_test(&f, false, &failed) && !is(kind, value);
}

#define YES(kind, value) EXPECT_TRUE(is(CONDITION_##kind, value)) { TH_LOG("%s", value); }
#define NO(kind, value) EXPECT_TRUE(is_not(CONDITION_##kind, value)) { TH_LOG("%s", value); }
#define NEITHER(kind, value) \
	EXPECT_FALSE(is(CONDITION_##kind, value) || is_not(CONDITION_##kind, value)) \
	{ TH_LOG("%s", value); }

TEST_F(cond, paths)
{
	ASSERT_EQ(0, mkdir("/tmp/dir", 0755));
	ASSERT_EQ(0, mkdir("/tmp/full", 0755));
	ASSERT_TRUE(put("/tmp/full/file", "x"));
	ASSERT_TRUE(put("/tmp/empty", ""));
	ASSERT_TRUE(put("/tmp/program", "#!/bin/sh\n"));
	ASSERT_EQ(0, chmod("/tmp/program", 0711));
	ASSERT_EQ(0, symlink("/tmp/dir", "/tmp/link"));
	ASSERT_EQ(0, symlink("/nowhere", "/tmp/dangling"));
	YES(PATH_EXISTS, "/tmp/dir");
	NO(PATH_EXISTS, "/tmp/none");
	NO(PATH_EXISTS, "/tmp/dangling");
	YES(PATH_EXISTS_GLOB, "/tmp/f[tu]l*");
	NO(PATH_EXISTS_GLOB, "/tmp/f[tv]l*");
	YES(PATH_IS_DIRECTORY, "/tmp/link");
	NO(PATH_IS_DIRECTORY, "/tmp/empty");
	YES(PATH_IS_SYMBOLIC_LINK, "/tmp/link");
	YES(PATH_IS_SYMBOLIC_LINK, "/tmp/dangling");
	NO(PATH_IS_SYMBOLIC_LINK, "/tmp/dir");
	NO(PATH_IS_SYMBOLIC_LINK, "/tmp/none");
	YES(PATH_IS_MOUNT_POINT, "/tmp");
	YES(PATH_IS_MOUNT_POINT, "/");
	NO(PATH_IS_MOUNT_POINT, "/tmp/dir");
	ASSERT_EQ(0, mount("/tmp/full", "/tmp/dir", NULL, MS_BIND, NULL));
	YES(PATH_IS_MOUNT_POINT, "/tmp/dir");
	YES(PATH_IS_MOUNT_POINT, "/tmp/link");
	YES(PATH_IS_READ_WRITE, "/tmp/full");
	NO(PATH_IS_READ_WRITE, "/etc");
	NO(PATH_IS_READ_WRITE, "/nowhere");
	YES(DIRECTORY_NOT_EMPTY, "/tmp/full");
	ASSERT_EQ(0, umount("/tmp/dir"));
	NO(DIRECTORY_NOT_EMPTY, "/tmp/dir");
	ASSERT_TRUE(put("/tmp/dir/.hidden", "") && put("/tmp/dir/copy~", ""));
	NO(DIRECTORY_NOT_EMPTY, "/tmp/dir");
	NO(DIRECTORY_NOT_EMPTY, "/tmp/none");
	NO(DIRECTORY_NOT_EMPTY, "/tmp/empty");
	YES(FILE_NOT_EMPTY, "/tmp/full/file");
	NO(FILE_NOT_EMPTY, "/tmp/empty");
	NO(FILE_NOT_EMPTY, "/tmp/full");
	NO(FILE_NOT_EMPTY, "/tmp/none");
	YES(FILE_IS_EXECUTABLE, "/tmp/program");
	NO(FILE_IS_EXECUTABLE, "/tmp/empty");
	NO(FILE_IS_EXECUTABLE, "/tmp/full");
}

/* A device mapper's table is a matter of files in /sys. */
TEST_F(cond, encryption)
{
	char dev[64], path[128];
	struct stat st;

	ASSERT_EQ(0, stat("/etc", &st));
	NO(PATH_IS_ENCRYPTED, "/tmp");
	snprintf(dev, sizeof(dev), "/tmp/block/%u:%u", major(st.st_dev), minor(st.st_dev));
	ASSERT_EQ(0, mkdir("/tmp/block", 0755));
	ASSERT_EQ(0, mkdir(dev, 0755));
	snprintf(path, sizeof(path), "%s/slaves", dev);
	ASSERT_EQ(0, mkdir(path, 0755));
	snprintf(path, sizeof(path), "%s/slaves/dm-3", dev);
	ASSERT_EQ(0, mkdir(path, 0755));
	snprintf(path, sizeof(path), "%s/slaves/dm-3/dm", dev);
	ASSERT_EQ(0, mkdir(path, 0755));
	ASSERT_EQ(0, mount("/tmp/block", "/sys/dev/block", NULL, MS_BIND, NULL));
	NO(PATH_IS_ENCRYPTED, "/etc");
	snprintf(path, sizeof(path), "%s/slaves/dm-3/dm/uuid", dev);
	ASSERT_TRUE(put(path, "LVM-x\n"));
	NO(PATH_IS_ENCRYPTED, "/etc");
	ASSERT_TRUE(put(path, "CRYPT-LUKS2-x\n"));
	YES(PATH_IS_ENCRYPTED, "/etc");
	NO(PATH_IS_ENCRYPTED, "/nowhere");
}

TEST_F(cond, the_kernel)
{
	struct utsname u;
	char text[128];

	ASSERT_EQ(0, uname(&u));
	YES(KERNEL_VERSION, u.release);
	YES(KERNEL_VERSION, ">=3.10");
	YES(KERNEL_VERSION, ">= 3.10 < 99");
	NO(KERNEL_VERSION, "<3.10");
	NO(KERNEL_VERSION, ">=3.10 <4");
	snprintf(text, sizeof(text), "%.1s*", u.release);
	YES(KERNEL_VERSION, text);
	NO(KERNEL_VERSION, "1.*");
	snprintf(text, sizeof(text), "=%s", u.release);
	YES(KERNEL_VERSION, text);
	snprintf(text, sizeof(text), "!= %s", u.release);
	NO(KERNEL_VERSION, text);
	YES(VERSION, "kernel >= 3.10");
	YES(VERSION, ">= 3.10");
	YES(VERSION, "glibc >= 2.30");
	NO(VERSION, "glibc < 2.30");
	NO(VERSION, "systemd >= 1");
	ASSERT_TRUE(put("/tmp/cmdline", "quiet root=/dev/x \"spaced=a b\" key=a=b\n"));
	ASSERT_EQ(0, mount("/tmp/cmdline", "/proc/cmdline", NULL, MS_BIND, NULL));
	YES(KERNEL_COMMAND_LINE, "quiet");
	YES(KERNEL_COMMAND_LINE, "root");
	YES(KERNEL_COMMAND_LINE, "root=/dev/x");
	YES(KERNEL_COMMAND_LINE, "spaced=a b");
	YES(KERNEL_COMMAND_LINE, "key=a=b");
	NO(KERNEL_COMMAND_LINE, "root=/dev");
	NO(KERNEL_COMMAND_LINE, "qui");
	NO(KERNEL_COMMAND_LINE, "quiet=1");
}

TEST_F(cond, the_machine)
{
	struct utsname u;
	char text[128];

	YES(ARCHITECTURE, "native");
	NO(ARCHITECTURE, "s390x");
#ifdef __x86_64__
	YES(ARCHITECTURE, "x86-64");
	YES(CPU_FEATURE, "sse2");
#endif
	NO(CPU_FEATURE, "no-such-feature");
	NO(CPU_FEATURE, "s");
	ASSERT_EQ(0, uname(&u));
	YES(HOST, u.nodename);
	YES(HOST, "*");
	NO(HOST, "no-such-host");
	snprintf(text, sizeof(text), "%lluB", (unsigned long long)sysconf(_SC_PHYS_PAGES) * 4096);
	YES(MEMORY, "1M");
	YES(MEMORY, ">1M");
	NO(MEMORY, "<1M");
	YES(MEMORY, "< 900T");
	NO(MEMORY, ">= 900T");
	NEITHER(MEMORY, "much");
	YES(CPUS, "1");
	NO(CPUS, "< 1");
	snprintf(text, sizeof(text), "=%d", get_nprocs());
	if (get_nprocs() == sysconf(_SC_NPROCESSORS_ONLN))
		YES(CPUS, text);
	NEITHER(CPUS, "x");
	YES(CAPABILITY, "CAP_KILL");
	ASSERT_EQ(0, prctl(PR_CAPBSET_DROP, 5));
	NO(CAPABILITY, "CAP_KILL");
	NEITHER(CAPABILITY, "CAP_SURFING");
	NO(CREDENTIAL, "x");
}

TEST_F(cond, files_of_the_machine)
{
	ASSERT_TRUE(put("/tmp/id", "0123456789ABCDEF0123456789abcdef\n"));
	ASSERT_EQ(0, mkdir("/tmp/etc", 0755));
	ASSERT_TRUE(put("/tmp/etc/machine-id", "0123456789abcdef0123456789abcdef\n"));
	ASSERT_TRUE(put("/tmp/etc/os-release", "ID=debian\nVERSION_ID=\"12\"\nIMAGE_ID=\n"));
	ASSERT_EQ(0, mount("/tmp/etc", "/etc", NULL, MS_BIND, NULL));
	YES(HOST, "0123456789abcdef0123456789abcdef");
	YES(HOST, "01234567-89ab-cdef-0123-456789abcdef");
	NO(HOST, "0123456789abcdef0123456789abcdee");
	NO(FIRST_BOOT, "yes");
	YES(FIRST_BOOT, "no");
	NEITHER(FIRST_BOOT, "perhaps");
	ASSERT_TRUE(put("/tmp/etc/machine-id", "uninitialized\n"));
	YES(FIRST_BOOT, "yes");
	YES(OS_RELEASE, "ID=debian");
	YES(OS_RELEASE, "ID=debian VERSION_ID>=11");
	NO(OS_RELEASE, "ID=debian VERSION_ID>=13");
	YES(OS_RELEASE, "ID$=deb*");
	NO(OS_RELEASE, "ID!$=deb*");
	YES(OS_RELEASE, "ID!=fedora");
	YES(OS_RELEASE, "NOT_THERE=");
	NEITHER(OS_RELEASE, "ID");
	ASSERT_TRUE(put("/tmp/etc/passwd", "me:x:0:0::/:\nother:x:5:5::/:\n"));
	ASSERT_TRUE(put("/tmp/etc/group", "mine:x:0:\nextra:x:77:\nother:x:5:\n"));
	YES(USER, "0");
	YES(USER, "root");
	YES(USER, "me");
	YES(USER, "@system");
	NO(USER, "other");
	NO(USER, "5");
	NO(USER, "nobody-at-all");
	YES(GROUP, "mine");
	NO(GROUP, "extra");
	ASSERT_EQ(0, setgroups(1, (gid_t[]){ 77 }));
	YES(GROUP, "extra");
	YES(GROUP, "77");
	NO(GROUP, "other");
	NO(GROUP, "no-such");
	ASSERT_EQ(0, setresuid(5, 5, 5));
	YES(USER, "other");
	NO(USER, "root");
}

TEST_F(cond, updates)
{
	struct timespec times[2] = { { .tv_sec = 1 }, { .tv_sec = 1 } };

	ASSERT_EQ(0, mkdir("/tmp/d", 0755));
	NO(NEEDS_UPDATE, "/etc");	/* It cannot be written. */
	YES(NEEDS_UPDATE, "/tmp/d");
	ASSERT_TRUE(put("/tmp/d/.updated", ""));
	NO(NEEDS_UPDATE, "/tmp/d");
	ASSERT_EQ(0, utimensat(AT_FDCWD, "/tmp/d/.updated", times, 0));
	YES(NEEDS_UPDATE, "/tmp/d");
}

TEST_F(cond, environment)
{
	setenv("HERE", "value", 1);
	unsetenv("GONE");
	YES(ENVIRONMENT, "HERE");
	YES(ENVIRONMENT, "HERE=value");
	NO(ENVIRONMENT, "HERE=other");
	NO(ENVIRONMENT, "GONE");
	NO(ENVIRONMENT, "GONE=");
}

TEST_F(cond, power)
{
	ASSERT_EQ(0, mkdir("/tmp/p", 0755));
	ASSERT_EQ(0, mkdir("/tmp/p/AC", 0755));
	ASSERT_EQ(0, mkdir("/tmp/p/BAT0", 0755));
	/* Where there is nothing of the kind it is a socket on the wall. */
	ASSERT_EQ(0, mount("/tmp/p", "/sys/class/power_supply", NULL, MS_BIND, NULL));
	YES(AC_POWER, "yes");
	NO(AC_POWER, "no");
	ASSERT_TRUE(put("/tmp/p/AC/type", "Mains\n") && put("/tmp/p/AC/online", "0\n"));
	ASSERT_TRUE(put("/tmp/p/BAT0/type", "Battery\n"));
	ASSERT_TRUE(put("/tmp/p/BAT0/status", "Discharging\n"));
	NO(AC_POWER, "yes");
	YES(AC_POWER, "no");
	ASSERT_TRUE(put("/tmp/p/BAT0/scope", "Device\n"));
	YES(AC_POWER, "yes");
	ASSERT_EQ(0, unlink("/tmp/p/BAT0/scope"));
	ASSERT_TRUE(put("/tmp/p/AC/online", "1\n"));
	YES(AC_POWER, "yes");
	NEITHER(AC_POWER, "maybe");
}

TEST_F(cond, pressures)
{
	const char *text = "some avg10=50.00 avg60=20.00 avg300=10.00 total=5\n"
		"full avg10=5.00 avg60=2.00 avg300=1.00 total=5\n";

	ASSERT_EQ(0, mkdir("/tmp/pressure", 0755));
	ASSERT_TRUE(put("/tmp/pressure/memory", text));
	ASSERT_TRUE(put("/tmp/pressure/cpu", text));
	ASSERT_TRUE(put("/tmp/pressure/io", text));
	/* Where the kernel keeps no account it is taken for none. */
	ASSERT_EQ(0, mount("tmpfs", "/proc/pressure", "tmpfs", 0, NULL));
	YES(MEMORY_PRESSURE, "0%");
	ASSERT_EQ(0, mount("/tmp/pressure", "/proc/pressure", NULL, MS_BIND, NULL));
	YES(MEMORY_PRESSURE, "1%");
	NO(MEMORY_PRESSURE, "0.5%");
	YES(MEMORY_PRESSURE, "2%/1min");
	NO(MEMORY_PRESSURE, "1%/1min");
	YES(IO_PRESSURE, "5%/10s");
	NO(IO_PRESSURE, "4%/10s");
	YES(CPU_PRESSURE, "10");
	NO(CPU_PRESSURE, "9.5%");
	YES(CPU_PRESSURE, "a.slice:1%");
	NEITHER(CPU_PRESSURE, "low");
	NEITHER(CPU_PRESSURE, "5%/soon");
}

TEST_F(cond, security_and_firmware)
{
	ASSERT_EQ(0, mount("tmpfs", "/sys", "tmpfs", 0, NULL));
	NO(SECURITY, "selinux");
	NO(SECURITY, "apparmor");
	NO(SECURITY, "smack");
	NO(SECURITY, "ima");
	NO(SECURITY, "tomoyo");
	NO(SECURITY, "tpm2");
	NO(SECURITY, "uefi-secureboot");
	NO(SECURITY, "no-such");
	NO(FIRMWARE, "uefi");
	NO(FIRMWARE, "device-tree");
	NO(FIRMWARE, "device-tree-compatible(a,b)");
	NEITHER(FIRMWARE, "no-such");
	ASSERT_EQ(0, system("cd /sys && mkdir -p fs/selinux fs/smackfs kernel/security/ima "
		"kernel/security/tomoyo module/apparmor/parameters class/tpmrm/tpmrm0 "
		"firmware/efi/efivars firmware/devicetree/base && echo 1 >fs/selinux/enforce && "
		"echo 1 >fs/smackfs/version && echo 1 >kernel/security/tomoyo/version && "
		"echo Y >module/apparmor/parameters/enabled && printf 'a,b\\0c,d\\0' "
		">firmware/devicetree/base/compatible && printf '\\006\\0\\0\\0\\1' >"
		"firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"));
	YES(SECURITY, "selinux");
	YES(SECURITY, "apparmor");
	YES(SECURITY, "smack");
	YES(SECURITY, "ima");
	YES(SECURITY, "tomoyo");
	YES(SECURITY, "tpm2");
	YES(SECURITY, "uefi-secureboot");
	YES(FIRMWARE, "uefi");
	YES(FIRMWARE, "device-tree");
	YES(FIRMWARE, "device-tree-compatible(a,b)");
	YES(FIRMWARE, "device-tree-compatible(c,d)");
	NO(FIRMWARE, "device-tree-compatible(c)");
	NO(FIRMWARE, "device-tree-compatible(c,de)");
}

TEST_F(cond, control_groups)
{
	ASSERT_EQ(0, mount("tmpfs", "/sys/fs/cgroup", "tmpfs", 0, NULL));
	YES(CONTROL_GROUP_CONTROLLER, "v1");
	NO(CONTROL_GROUP_CONTROLLER, "v2");
	ASSERT_TRUE(put("/sys/fs/cgroup/cgroup.controllers", "cpu io memory\n"));
	YES(CONTROL_GROUP_CONTROLLER, "memory");
	YES(CONTROL_GROUP_CONTROLLER, "cpu memory");
	NO(CONTROL_GROUP_CONTROLLER, "cpu pids");
	if (!mount("cgroup2", "/sys/fs/cgroup", "cgroup2", 0, NULL)) {
		YES(CONTROL_GROUP_CONTROLLER, "v2");
		NO(CONTROL_GROUP_CONTROLLER, "v1");
	}
}

TEST_F(cond, virtualization)
{
	/* What is told to the first process is asked of it: of a container that is none. */
	ASSERT_EQ(0, mount("tmpfs", "/run", "tmpfs", 0, NULL));
	ASSERT_EQ(0, mkdir("/run/host", 0755));
	ASSERT_TRUE(put("/run/host/container-manager", "podman\n"));
	YES(VIRTUALIZATION, "yes");
	YES(VIRTUALIZATION, "container");
	YES(VIRTUALIZATION, "podman");
	NO(VIRTUALIZATION, "docker");
	NO(VIRTUALIZATION, "vm");
	NO(VIRTUALIZATION, "no");
	ASSERT_TRUE(put("/run/host/container-manager", "something else\n"));
	YES(VIRTUALIZATION, "container-other");
	NO(VIRTUALIZATION, "private-users");
	ASSERT_EQ(0, unshare(CLONE_NEWUSER));
	YES(VIRTUALIZATION, "private-users");
}

/* All that are no triggers, and of these at least one. */
TEST_F(cond, together)
{
	struct condition c[4] = {
		{ .kind = CONDITION_PATH_EXISTS, .param = "/etc" },
		{ .kind = CONDITION_PATH_EXISTS, .param = "/nowhere", .trigger = true },
		{ .kind = CONDITION_PATH_EXISTS, .param = "/nowhere", .trigger = true,
			     .negate = true },
		{ .kind = CONDITION_PATH_EXISTS, .param = "/nowhere", .assert = true },
	};
	struct unit_file f = { .conditions = c, .nr_conditions = 4 };
	const struct condition *failed = NULL;

	EXPECT_TRUE(cond_test(&f, false, &failed));
	EXPECT_FALSE(cond_test(&f, true, &failed));
	EXPECT_EQ(&c[3], failed);
	c[2].negate = false;
	EXPECT_FALSE(cond_test(&f, false, &failed));
	EXPECT_EQ(&c[2], failed);
	c[1].negate = true;
	EXPECT_TRUE(cond_test(&f, false, &failed));
	c[0].param = "/nowhere";
	EXPECT_FALSE(cond_test(&f, false, &failed));
	EXPECT_EQ(&c[0], failed);
	c[3].negate = true;
	EXPECT_TRUE(cond_test(&f, true, &failed));
	f.nr_conditions = 0;
	EXPECT_TRUE(cond_test(&f, false, &failed));
}

/* systemd's own word on this machine; where it is not there the tests above have to do. */
TEST_F(cond, as_systemd_has_it)
{
	static const struct {
		enum condition_kind kind;
		const char *param;
	} all[] = {
		{ CONDITION_VIRTUALIZATION, "yes" }, { CONDITION_VIRTUALIZATION, "no" },
		{ CONDITION_VIRTUALIZATION, "vm" }, { CONDITION_VIRTUALIZATION, "container" },
		{ CONDITION_VIRTUALIZATION, "kvm" }, { CONDITION_VIRTUALIZATION, "docker" },
		{ CONDITION_VIRTUALIZATION, "qemu" }, { CONDITION_VIRTUALIZATION, "private-users" },
		{ CONDITION_ARCHITECTURE, "x86-64" }, { CONDITION_ARCHITECTURE, "arm64" },
		{ CONDITION_KERNEL_VERSION, ">=5" }, { CONDITION_KERNEL_VERSION, "<= 5.10.1" },
		{ CONDITION_KERNEL_VERSION, "6.*" }, { CONDITION_KERNEL_VERSION, ">4 <100" },
		{ CONDITION_SECURITY, "selinux" }, { CONDITION_SECURITY, "apparmor" },
		{ CONDITION_SECURITY, "audit" }, { CONDITION_SECURITY, "ima" },
		{ CONDITION_SECURITY, "uefi-secureboot" }, { CONDITION_SECURITY, "tomoyo" },
		{ CONDITION_CAPABILITY, "CAP_SYS_RESOURCE" }, { CONDITION_CAPABILITY, "CAP_KILL" },
		{ CONDITION_AC_POWER, "yes" }, { CONDITION_AC_POWER, "no" },
		{ CONDITION_MEMORY, "1G" }, { CONDITION_MEMORY, "<4G" },
		{ CONDITION_MEMORY, "> 900G" },
		{ CONDITION_CPUS, "2" }, { CONDITION_CPUS, "<3" }, { CONDITION_CPUS, "=1" },
		{ CONDITION_PATH_IS_MOUNT_POINT, "/proc" },
		{ CONDITION_PATH_IS_MOUNT_POINT, "/etc" },
		{ CONDITION_PATH_IS_READ_WRITE, "/proc" }, { CONDITION_PATH_IS_READ_WRITE, "/" },
		{ CONDITION_PATH_IS_SYMBOLIC_LINK, "/bin" },
		{ CONDITION_PATH_IS_DIRECTORY, "/bin" },
		{ CONDITION_PATH_EXISTS, "/etc/os-release" },
		{ CONDITION_PATH_EXISTS_GLOB, "/bin/s?" },
		{ CONDITION_FILE_IS_EXECUTABLE, "/bin/sh" },
		{ CONDITION_FILE_NOT_EMPTY, "/etc/passwd" },
		{ CONDITION_DIRECTORY_NOT_EMPTY, "/usr" },
		{ CONDITION_DIRECTORY_NOT_EMPTY, "/proc" },
		{ CONDITION_USER, "root" }, { CONDITION_USER, "nobody" },
		{ CONDITION_USER, "@system" },
		{ CONDITION_GROUP, "root" }, { CONDITION_GROUP, "nogroup" },
		{ CONDITION_CPU_FEATURE, "sse2" }, { CONDITION_CPU_FEATURE, "avx512pf" },
		{ CONDITION_OS_RELEASE, "ID=debian" }, { CONDITION_OS_RELEASE, "VERSION_ID>=12" },
		{ CONDITION_OS_RELEASE, "VERSION_ID<12" }, { CONDITION_NEEDS_UPDATE, "/etc" },
		{ CONDITION_FIRMWARE, "uefi" }, { CONDITION_FIRMWARE, "device-tree" },
		{ CONDITION_ENVIRONMENT, "PATH" }, { CONDITION_ENVIRONMENT, "NO_SUCH" },
		{ CONDITION_HOST, "*" }, { CONDITION_HOST, "x" },
		{ CONDITION_CONTROL_GROUP_CONTROLLER, "v2" },
	};

	if (access("/usr/bin/systemd-analyze", X_OK))
		return;
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		char cmd[256];
		int status;

		snprintf(cmd, sizeof(cmd), "systemd-analyze condition 'Condition%s=%s' "
			     ">/dev/null 2>&1",
			 unit_condition_name(all[i].kind), all[i].param);
		status = system(cmd);
		ASSERT_TRUE(WIFEXITED(status));
		EXPECT_EQ(!WEXITSTATUS(status), is(all[i].kind, all[i].param)) {
			TH_LOG("Condition%s=%s", unit_condition_name(all[i].kind), all[i].param);
		}
	}
}

TEST_HARNESS_MAIN
