// SPDX-License-Identifier: GPL-2.0-only
/* The killer as a reader may know it: in another pid or user namespace. runner-limit: 600 */
#include "kselftest_harness.h"

#include "killer_test.h"

/* Whose eyes. */

/* A reader in a pid namespace of its own does not see the killer: 0, but there was one. */
TEST_F_TIMEOUT(killer, not_visible_to_the_reader, LIMIT)
{
	struct deed *d = self->d;
	pid_t reader;

	start_victim(_metadata, d, be_victim);
	ASSERT_EQ(0, kill_as(&assassin, d, SIGTERM, by_kill));
	ASSERT_EQ(SIGTERM, reap(d->victim));
	ASSERT_EQ(0, unshare(CLONE_NEWPID));
	reader = fork();
	ASSERT_LE(0, reader);
	if (!reader) {
		struct knell_event ev;

		_exit(!(SO(next_event(d->fd, &ev) == 1) &&
			is_exit(&ev, d->tree, 0, SIGTERM, 0, BY_SENDER) &&
			SO(ev.exit.killer_pid == 0) && SO(ev.exit.killer_uid == 3000)));
	}
	EXPECT_EQ(0, reap(reader));
}

/* A killer in a namespace below the reader's has its pid of there. */
TEST_F_TIMEOUT(killer, killed_from_a_pid_namespace, LIMIT)
{
	struct deed *d = self->d;
	struct knell_event ev;
	pid_t killer, pid;

	ASSERT_EQ(0, unshare(CLONE_NEWPID));
	killer = fork();
	ASSERT_LE(0, killer);
	if (!killer) {
		/* The victim is inside, as 2. */
		pid = spawn_member(d->fd, d->tree, be_victim, d);
		must_hear(d->said, 'r');
		kill(pid, SIGTERM);
		reap(pid);
		_exit(0);
	}
	EXPECT_EQ(0, reap(killer));
	ASSERT_EQ(1, next_event(d->fd, &ev));
	EXPECT_TRUE(is_exit(&ev, d->tree, ANY, SIGTERM, 0, BY_SENDER));
	EXPECT_LT(2, ev.exit.pid);
	EXPECT_EQ(killer, ev.exit.killer_pid);
	EXPECT_TRUE(next_is_empty(d->fd, d->tree, ANY));
}

/* The uid is the reader's name for it, the overflow uid where there is none. */
static void see_mapped(struct __test_metadata *_metadata, struct deed *d, uid_t uid)
{
	pid_t reader;
	int user_ns_made[2], mapped[2];
	char path[64];

	ASSERT_EQ(0, pipe(user_ns_made));
	ASSERT_EQ(0, pipe(mapped));
	start_victim(_metadata, d, be_victim);
	ASSERT_EQ(0, kill_as(&assassin, d, SIGTERM, by_kill));
	reader = fork();
	ASSERT_LE(0, reader);
	if (!reader) {
		struct knell_event ev;

		if (unshare(CLONE_NEWUSER))
			_exit(BROKEN);
		tell(user_ns_made, 'u');
		must_hear(mapped, 'm');
		_exit(!(SO(next_event(d->fd, &ev) == 1) &&
			is_exit(&ev, d->tree, d->victim, SIGTERM, 0, BY_SENDER) &&
			SO(ev.exit.killer_pid == d->killer) && SO(ev.exit.killer_uid == uid)));
	}
	ASSERT_EQ('u', hear_soon(user_ns_made));
	snprintf(path, sizeof(path), "/proc/%d/uid_map", reader);
	if (uid != 65534)
		ASSERT_EQ(0, write_file(path, "70 3000 10"));
	tell(mapped, 'm');
	EXPECT_EQ(0, reap(reader));
	EXPECT_TRUE(next_is_empty(d->fd, d->tree, d->victim));
	reap(d->victim);
}

TEST_F_TIMEOUT(killer, uid_of_the_reader, LIMIT)
{
	see_mapped(_metadata, self->d, 70);
	self->d->tree = add_tree(self->fd, 0, 1);
	see_mapped(_metadata, self->d, 65534);
}

TEST_HARNESS_MAIN
