// SPDX-License-Identifier: GPL-2.0-only
/* The last act of the first process, in a mount namespace that takes no part in the machine's. */
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "host_test.h"
#include "pid1.h"

static bool make(const char *dir)
{
	return !mkdir(dir, 0755) && !mount("tmpfs", dir, "tmpfs", 0, NULL);
}

static bool is_mounted(const char *dir)
{
	struct statx st;

	return !statx(AT_FDCWD, dir, 0, STATX_TYPE, &st) &&
	       st.stx_attributes & STATX_ATTR_MOUNT_ROOT;
}

TEST(unmount)
{
	int fd;

	ASSERT_EQ(0, unshare(CLONE_NEWNS));
	/* From here on nothing that is unmounted is unmounted anywhere else. */
	ASSERT_EQ(0, mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	ASSERT_EQ(0, mount("tmpfs", "/tmp", "tmpfs", 0, NULL));
	ASSERT_TRUE(make("/tmp/a") && make("/tmp/a/b") && make("/tmp/a/b/c d\\e"));
	/* One on top of the other, and one beside. */
	ASSERT_EQ(0, mount("tmpfs", "/tmp/a/b", "tmpfs", 0, NULL));
	ASSERT_TRUE(make("/tmp/other"));
	fd = open("/tmp/other/file", O_CREAT | O_RDWR, 0600);
	ASSERT_LE(0, fd);
	/* That one and what it is on are in use. */
	EXPECT_EQ(2, unmount_all());
	EXPECT_TRUE(is_mounted("/tmp/other"));
	EXPECT_FALSE(is_mounted("/tmp/a"));
	close(fd);
	EXPECT_EQ(0, unmount_all());
	EXPECT_FALSE(is_mounted("/tmp"));
	EXPECT_TRUE(is_mounted("/proc"));
	EXPECT_TRUE(is_mounted("/dev"));
	EXPECT_TRUE(is_mounted("/"));
	EXPECT_EQ(0, unmount_all());
}

TEST_HARNESS_MAIN
