// SPDX-License-Identifier: GPL-2.0-only
/*
 * Bombs: processes of an ordinary user take all that they are given, of each kind of thing, until they
 * are refused. What they have got then is no more than the quotas say, by the module's own count and by
 * the memory cgroup's; root is served all the while; when they are killed nothing is left.
 *
 * runner-limit: 600
 */
#include "kselftest_harness.h"

#include <sys/resource.h>

#include "netlink_test.h"

#define CGROUP		"/sys/fs/cgroup/bomb"
#define BOMBERS		4
#define WATCHES		8192	/* units of 256 bytes: 2 MiB */
#define QUEUES		64
#define KEPT		8
#define PROCESSES	120	/* of the user */

/*
 * What the module may have for them, bytes: units, each with what it has in its queue's tables; queues
 * with their pages; members of 4 trees.
 */
#define MODULE_BYTES	(WATCHES * (256 + 64) + QUEUES * 8192 + PROCESSES * 4 * 512)

/* What the processes and, of a kernel with slub_debug, the poison have beside that. */
#define CGROUP_BYTES	(4 * MODULE_BYTES + (24 << 20))

typedef void (*bomb_fn)(void);

FIXTURE(bomb) {
	pid_t pid[BOMBERS];
	int said[2];
	bool cgroup;
};

FIXTURE_SETUP(bomb)
{
	char options[128];

	snprintf(options, sizeof(options), "mode=0666 max_user_watches=%d max_user_queues=%d max_user_kept=%d",
		 WATCHES, QUEUES, KEPT);
	ASSERT_EQ(0, reload_module(options));
	ASSERT_EQ(0, pipe(self->said));
	self->cgroup = !write_file("/sys/fs/cgroup/cgroup.subtree_control", "+memory") &&
		!mkdir(CGROUP, 0755);
}

/* Of all queues there are. */
struct sum {
	unsigned int queues;
	unsigned int kept;
	uint64_t watches;
	uint64_t bytes;
};

static void add_up(const struct nl_message *m, void *arg)
{
	struct sum *sum = arg;

	sum->queues++;
	sum->kept += !!m->attr[KNELL_A_QUEUE_NAME];
	sum->watches += nl_u32(m, KNELL_A_QUEUE_WATCHES);
	sum->bytes += nl_u64(m, KNELL_A_QUEUE_BYTES);
}

static struct sum sum_of_all(void)
{
	struct sum sum = { };
	struct nl nl;

	if (nl_open(&nl))
		return (struct sum){ .queues = ~0U };
	if (nl_queues(&nl, add_up, &sum))
		sum.queues = ~0U;
	close(nl.fd);
	return sum;
}

static void drop_one(const struct nl_message *m, void *arg)
{
	if (m->attr[KNELL_A_QUEUE_NAME])
		*(uint64_t *)arg = nl_u64(m, KNELL_A_QUEUE_ID);
}

/* Root clears away what they have kept: how many. */
static int drop_kept(void)
{
	uint64_t id = 0;
	struct nl nl;
	int nr = 0;

	if (nl_open(&nl))
		return -errno;
	while (!nl_queues(&nl, drop_one, &id) && id && !nl_queue_drop(&nl, id)) {
		id = 0;
		nr++;
	}
	close(nl.fd);
	return nr;
}

FIXTURE_TEARDOWN(bomb)
{
	EXPECT_EQ(0, module_refs_after_all(0));
	EXPECT_EQ(0, sum_of_all().queues);
	if (self->cgroup)
		EXPECT_EQ(0, rmdir(CGROUP));
	EXPECT_EQ(0, reload_module(""));
}

static void run_bomber(FIXTURE_DATA(bomb) *self, bomb_fn fn)
{
	const struct who bomber = { 1001, 1001, 1001, 0 };
	struct rlimit processes = { PROCESSES, PROCESSES };

	if (self->cgroup && write_file(CGROUP "/cgroup.procs", "0"))
		_exit(BROKEN);
	setpgid(0, 0);
	setrlimit(RLIMIT_NPROC, &processes);
	become(&bomber);
	fn();
	tell(self->said, 'f');
	for (;;)
		pause();
}

/* Root adds, a child dies, root is told. */
static bool root_is_served(void)
{
	int fd = knell_open(0);
	struct knell_event ev;
	pid_t pid;
	bool ok;

	if (!SO(fd >= 0) || !SO(add_next(fd, 1) > 0) || !SO(add_tree(fd, KNELL_OPF_REPORT_FORK, 2) > 0))
		return false;
	pid = fork();
	if (!pid)
		_exit(3);
	ok = SO(next_event(fd, &ev) == 1) && SO(ev.exit.pid == pid) && SO(ev.exit.status == 3 << 8) &&
		SO(reap(pid) == 3 << 8) && SO(keep_queue(fd, "root") == 0) && SO(keep_off(fd, "root") == 0);
	close(fd);
	return ok;
}

static unsigned long long cgroup_bytes(void)
{
	unsigned long long bytes = 0;
	FILE *f = fopen(CGROUP "/memory.current", "r");

	if (!f || fscanf(f, "%llu", &bytes) != 1)
		bytes = ~0ULL;
	if (f)
		fclose(f);
	return bytes;
}

/* All bombers at once, until each has been refused; root meanwhile and afterwards; what they have. */
static struct sum explode(struct __test_metadata *_metadata, FIXTURE_DATA(bomb) *self, bomb_fn fn)
{
	struct sum sum;

	for (int i = 0; i < BOMBERS; i++) {
		self->pid[i] = fork();
		if (!self->pid[i])
			run_bomber(self, fn);
		EXPECT_LT(0, self->pid[i]);
		/* It is what it kills by. */
		setpgid(self->pid[i], self->pid[i]);
		EXPECT_TRUE(root_is_served());
	}
	for (int i = 0; i < BOMBERS; i++)
		EXPECT_EQ('f', hear(self->said));
	EXPECT_TRUE(root_is_served());
	sum = sum_of_all();
	EXPECT_GE(MODULE_BYTES, sum.bytes);
	EXPECT_GE(WATCHES, sum.watches);
	EXPECT_GE(QUEUES, sum.queues);
	EXPECT_GE(KEPT, sum.kept);
	TH_LOG("%u queues, %u kept, %llu watches, %llu KiB", sum.queues, sum.kept,
	       (unsigned long long)sum.watches, (unsigned long long)sum.bytes >> 10);
	if (self->cgroup) {
		EXPECT_GE(CGROUP_BYTES, cgroup_bytes());
		TH_LOG("%llu KiB of the cgroup's", cgroup_bytes() >> 10);
	}
	return sum;
}

static void clear_away(struct __test_metadata *_metadata, FIXTURE_DATA(bomb) *self)
{
	for (int i = 0; i < BOMBERS; i++)
		EXPECT_EQ(0, kill(-self->pid[i], SIGKILL));
	for (int i = 0; i < BOMBERS; i++)
		EXPECT_EQ(SIGKILL, reap(self->pid[i]));
	EXPECT_LE(0, drop_kept());
}

/* As many as go, 256 in a call: what the last one was refused by. */
static int add_many(int fd, struct knell_op op)
{
	struct knell_op ops[256];

	for (;;) {
		for (int i = 0; i < 256; i++)
			ops[i] = op;
		if (submit_ops(fd, ops, 256))
			return -errno;
		for (int i = 0; i < 256; i++)
			if (ops[i].result)
				return ops[i].result;
	}
}

static void must_be_refused(int err)
{
	if (err != -ENOSPC) {
		fprintf(stderr, "# refused by %d\n", err);
		_exit(BROKEN);
	}
}

static void add_bells(void)
{
	must_be_refused(add_many(knell_open(0), op_user(1)));
}

static void add_timers(void)
{
	must_be_refused(add_many(knell_open(0), op_timer(CLOCK_MONOTONIC, 0, HOUR_NS, 0, 1)));
}

static void add_trees(void)
{
	must_be_refused(add_many(knell_open(0), op_tree(0, 1, "bomb")));
}

static void add_reporting_trees(void)
{
	must_be_refused(add_many(knell_open(0), op_tree(KNELL_OPF_REPORT_FORK, 1, "bomb")));
}

/* One in each queue. */
static void add_children(void)
{
	int64_t watch;

	do
		watch = add_watch(knell_open(0), op_add(KNELL_CHILDREN, 0, 1));
	while (watch > 0);
	if (watch != -ENOSPC && watch != -EBADF)
		must_be_refused(watch);
}

static void open_many(void)
{
	while (knell_open(0) >= 0)
		;
	must_be_refused(-errno);
}

/* One's own queue over and over: each time there is a descriptor more, all but the last revoked. */
static void attach_often(void)
{
	int fd = knell_open(0), err;
	char name[32];

	snprintf(name, sizeof(name), "bomb-%d", getpid());
	err = fd < 0 ? -errno : keep_queue(fd, name);
	while (!err) {
		fd = attach(fd, name);
		err = fd < 0 ? fd : 0;
	}
	must_be_refused(err);
}

/* By processes that die, so that only the names are left. */
static void keep_many(void)
{
	char name[32];
	int err = 0;
	pid_t pid;

	for (int i = 0; !err; i++) {
		snprintf(name, sizeof(name), "bomb-%d-%d", getpid(), i);
		pid = fork();
		if (!pid)
			_exit(-keep_queue(knell_open(0), name));
		err = -child_status(pid);
	}
	must_be_refused(err);
}

static void fork_and_sleep(void)
{
	pid_t pid;

	do {
		pid = fork();
		if (!pid)
			sleep_for_ever(NULL);
	} while (pid > 0);
}

/* In four trees that report, of which nobody reads. */
static void fork_in_trees(void)
{
	int fd = knell_open(0);

	for (int i = 0; i < 4; i++) {
		int64_t tree = add_tree(fd, KNELL_OPF_REPORT_FORK | KNELL_OPF_REPORT_EXIT, 1);

		if (tree < 0 || join(fd, tree))
			_exit(BROKEN);
	}
	fork_and_sleep();
}

/* Twice, since what is left over from the first would be missed by the second. */
#define BOMB(name, fn, all_used)					\
	TEST_F_TIMEOUT(bomb, name, LIMIT)				\
	{								\
		struct sum sum;						\
									\
		for (int i = 0; i < 2; i++) {				\
			sum = explode(_metadata, self, fn);		\
			EXPECT_TRUE(all_used);				\
			clear_away(_metadata, self);			\
			EXPECT_EQ(0, module_refs_after_all(0));		\
		}							\
	}

/* Who is refused at the same time as another may have kept him from the last one. */
BOMB(bells, add_bells, sum.watches > WATCHES - BOMBERS)
BOMB(timers, add_timers, sum.watches > WATCHES - BOMBERS)
BOMB(trees, add_trees, sum.watches >= WATCHES / 8 && sum.watches <= WATCHES / 2)
BOMB(reporting_trees, add_reporting_trees, sum.watches >= WATCHES / 256)
BOMB(children, add_children, sum.watches >= WATCHES / 256)
BOMB(opens, open_many, sum.queues > QUEUES - BOMBERS)
BOMB(attaches, attach_often, sum.queues && sum.queues <= BOMBERS)
BOMB(keeps, keep_many, sum.kept > KEPT - BOMBERS)
BOMB(forks, fork_in_trees, sum.watches == 4 * BOMBERS)

TEST_HARNESS_MAIN
