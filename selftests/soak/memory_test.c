// SPDX-License-Identifier: GPL-2.0-only
/*
 * A memory cgroup at its limit: a queue is opened and fed in it until there is no more. ADD says
 * ENOMEM, what was added before works on, and no death is lost; when it is closed the cgroup has got
 * back what it paid, and as much fits the next time.
 *
 * runner-limit: 900
 */
#include "kselftest_harness.h"

#include "soak.h"

#define GROUP		"/sys/fs/cgroup/knell_soak"
#define LIMIT_BYTES	"8M"
#define ROUNDS		200
#define CHILDREN	20	/* watched before there is no more */
#define BELLS		200000	/* more than fit */
/* Partly used slabs, and what each CPU keeps in stock. */
#define SLACK		(512L << 10)

SOAK_FIXTURE

/* A number of a file of the cgroup, behind @key or the only one; -1 if it has none. */
static long number_of(const char *file, const char *key)
{
	char path[128], line[128], name[64];
	long value = -1, n;
	FILE *f;

	snprintf(path, sizeof(path), GROUP "/%s", file);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f)) {
		if (!key)
			sscanf(line, "%ld", &value);
		else if (sscanf(line, "%63s %ld", name, &n) == 2 && !strcmp(name, key))
			value = n;
	}
	if (f)
		fclose(f);
	return value;
}

/**
 * struct tenant - who lives in the cgroup, and what he tells
 * @seed: of his children
 * @bells: that he could add
 * @err: what ADD said then
 * @deaths: of his children that he has read of, with their status
 * @after: ADD was possible after DEL
 * @full: nothing more fits
 * @looked: its memory has been looked at then
 * @gate: of his children
 */
struct tenant {
	uint64_t seed;
	unsigned int bells;
	int err;
	unsigned int deaths;
	bool after;
	atomic_bool full;
	atomic_bool looked;
	int gate;
};

/* His children are born outside and come in with him: a fork may be refused there. */
static void have_children(struct tenant *t, int fd)
{
	for (int i = 0; i < CHILDREN; i++) {
		if (add_next(fd, i) <= 0)
			_exit(BROKEN);
		if (fork())
			continue;
		pass_gate(t->gate);
		if (status_of(t->seed, i) & 0x7f)
			kill(getpid(), status_of(t->seed, i));
		_exit(status_of(t->seed, i) >> 8);
	}
}

static uint32_t fill(struct tenant *t, int fd)
{
	uint32_t last = 0;

	for (t->bells = 0; t->bells < BELLS; t->bells++) {
		int64_t watch = add_watch(fd, op_user(BELL));

		t->err = watch < 0 ? watch : 0;
		if (watch < 0)
			break;
		last = watch;
	}
	return last;
}

static void see_deaths(struct tenant *t, int fd)
{
	struct knell_event ev;

	open_gate(t->gate, CHILDREN);
	while (t->deaths < CHILDREN && next_event(fd, &ev) == 1) {
		if (!SO(ev.type == KNELL_EV_EXIT) || !SO(ev.token < CHILDREN) ||
		    !SO(ev.exit.status == status_of(t->seed, ev.token)))
			return;
		t->deaths++;
	}
}

/*
 * He is not to be killed for it: then the kernel says no instead. A page of his own that he had not
 * got before it would let him wait for, for ever.
 */
static void live_within_means(void *arg)
{
	struct tenant *t = arg;
	uint32_t last;
	int fd;

	fd = knell_open(O_NONBLOCK);
	have_children(t, fd);
	if (write_file("/proc/self/oom_score_adj", "-1000") ||
	    mlockall(MCL_CURRENT) || write_file(GROUP "/cgroup.procs", "0"))
		_exit(BROKEN);
	last = fill(t, fd);
	t->full = true;
	while (!t->looked)
		look_later();
	see_deaths(t, fd);
	t->after = last && !del_watch(fd, last) && add_watch(fd, op_user(BELL)) > 0;
	if (!nothing_pending(fd))
		_exit(BROKEN);
	close(fd);
	_exit(0);
}

/* The kernel gives back a while later what is freed. */
static long kept_of(long before)
{
	uint64_t until = clock_ns(CLOCK_MONOTONIC) + 20 * SLOW * NSEC_PER_SEC;
	long now;

	do {
		now = number_of("memory.current", NULL);
		look_later();
	} while (now > before + SLACK && clock_ns(CLOCK_MONOTONIC) < until);
	return now;
}

static void one_round(struct __test_metadata *_metadata, struct tenant *t, unsigned int *least)
{
	pid_t pid = spawn_process(live_within_means, t);
	long used;

	ASSERT_LT(0, pid);
	while (!t->full && state_of(pid) != 'Z')
		look_later();
	used = number_of("memory.stat", "slab_unreclaimable");
	t->looked = true;
	ASSERT_EQ(0, reap(pid));
	ASSERT_EQ(-ENOMEM, t->err);
	ASSERT_EQ(CHILDREN, t->deaths);
	ASSERT_TRUE(t->after);
	ASSERT_LT(1000, t->bells);
	/* A watch was paid for by who added it. */
	ASSERT_LT(t->bells * 100L, used);
	ASSERT_GT(SLACK, kept_of(0));
	if (!*least || t->bells < *least)
		*least = t->bells;
}

TEST_F_TIMEOUT(soak, memory, SOAK_LIMIT)
{
	struct tenant *t = shared(sizeof(*t));
	unsigned int rounds = soak_of(ROUNDS), least = 0, first = 0;
	unsigned long deaths = 0;

	/* That nobody can be killed for it is nothing to complain of. */
	ASSERT_EQ(0, write_file("/proc/sys/kernel/printk", "1"));
	ASSERT_EQ(0, write_file("/sys/fs/cgroup/cgroup.subtree_control", "+memory"));
	ASSERT_EQ(0, mkdir(GROUP, 0755));
	ASSERT_EQ(0, write_file(GROUP "/memory.max", LIMIT_BYTES));
	write_file(GROUP "/memory.swap.max", "0");
	for (unsigned int i = 0; i < rounds; i++) {
		*t = (struct tenant){ .seed = random_of(self->seed, i), .gate = new_gate() };
		one_round(_metadata, t, &least);
		first = first ? first : t->bells;
		deaths += t->deaths;
		close(t->gate);
	}
	EXPECT_LT(first * 9 / 10, least);
	EXPECT_LT(0, number_of("memory.events", "max"));
	EXPECT_EQ(0, number_of("memory.events", "oom_kill"));
	print_figures("times a cgroup was full", rounds, self->since);
	printf("# %u watches in " LIMIT_BYTES " the first time, never less than %u; %lu deaths read\n",
	       first, least, deaths);
	fflush(stdout);
	EXPECT_EQ(0, rmdir(GROUP));
	EXPECT_EQ(0, write_file("/proc/sys/kernel/printk", "5"));
}

TEST_HARNESS_MAIN
