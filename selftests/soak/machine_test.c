// SPDX-License-Identifier: GPL-2.0-only
/*
 * CPUs that go and come, a cgroup that is frozen and thawed, devices that are suspended and resumed
 * (pm_test), while processes end and timers run out on all CPUs: each exit is one record, no timer is
 * early, none is left out.
 *
 * runner-limit: 900
 * runner-smp: 3
 */
#include "kselftest_harness.h"

#include "forkers.h"

#define ROUNDS		200
#define EXITS		1000000	/* more than there will be */
#define FORKERS		3
#define TIMERS		32	/* armed at a time */
#define GROUP		"/sys/fs/cgroup/knell_soak"
#define POWER		"/sys/power/"
#define DELAY		"/sys/module/suspend/parameters/pm_test_delay"
#define TIMER		(1ULL << 32)	/* in their tokens */
#define FROZEN		(1ULL << 33)

SOAK_FIXTURE

/**
 * struct machine - what goes on in it
 * @s: the forkers
 * @due: of each timer, by the reader from the first on
 * @told: of them
 * @stop: arm no timer again
 * @left: timers that are armed
 * @victims: processes killed while they were frozen, of which a record came
 * @cpus: that there are
 */
struct machine {
	struct storm *s;
	uint64_t due[TIMERS];
	uint64_t seed;
	atomic_ulong told;
	atomic_bool stop;
	atomic_int left;
	atomic_uint victims;
	int cpus;
};

static int64_t arm(struct machine *m, unsigned int i)
{
	uint64_t in = (next_random(&m->seed) >> 11) % (20 * NSEC_PER_MSEC);

	m->due[i] = clock_ns(CLOCK_MONOTONIC) + in;
	return add_watch(m->s->queue, op_timer(CLOCK_MONOTONIC, KNELL_OPF_ABS | KNELL_OPF_ONESHOT,
					       m->due[i], 0, TIMER | i));
}

/* Each is armed anew when it has run out; there is one reader. */
static void enter_timer(struct machine *m, const struct knell_event *ev)
{
	unsigned int i = ev->token;

	if (!SO(ev->type == KNELL_EV_TIMER) || !SO(i < TIMERS) || !SO(ev->timer.expirations == 1) ||
	    !SO(ev->timer.due_ns == m->due[i]) || !SO(ev->time_ns >= m->due[i]))
		wrong(m->s, "timer", ev->token, ev->type);
	m->told++;
	if (m->stop || arm(m, i) <= 0)
		m->left--;
}

static void enter(void *arg, const struct knell_event *ev)
{
	struct machine *m = arg;

	if (ev->token & TIMER) {
		enter_timer(m, ev);
	} else if (ev->token & FROZEN) {
		if (ev->type != KNELL_EV_EXIT || ev->exit.status != SIGKILL)
			wrong(m->s, "a frozen one's death", ev->token, ev->exit.status);
		m->victims++;
	} else {
		enter_record(m->s, ev);
	}
}

static int set_cpu(int cpu, const char *online)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%d/online", cpu);
	return write_file(path, online);
}

/* All but the first, in some order; some come back before others go. */
static int plug_cpus(struct machine *m, uint64_t r)
{
	int err = 0;

	for (int i = 1; i < m->cpus; i++) {
		int cpu = 1 + (i + r) % (m->cpus - 1);

		err |= set_cpu(cpu, "0");
		if (r >> i & 1)
			err |= set_cpu(cpu, "1");
	}
	for (int cpu = 1; cpu < m->cpus; cpu++)
		err |= set_cpu(cpu, "1");
	return err;
}

static int await_frozen(bool frozen)
{
	char text[128];
	ssize_t n;
	int fd = open(GROUP "/cgroup.events", O_RDONLY | O_CLOEXEC);

	do {
		look_later();
		n = pread(fd, text, sizeof(text) - 1, 0);
		text[n > 0 ? n : 0] = 0;
	} while (n > 0 && !strstr(text, frozen ? "frozen 1" : "frozen 0"));
	close(fd);
	return n > 0 ? 0 : -1;
}

static void enter_group(void *arg)
{
	if (write_file(GROUP "/cgroup.procs", "0"))
		_exit(BROKEN);
	tell(arg, 'r');
	sleep_for_ever(NULL);
}

/* A forker is frozen with all its children; one is killed there, and its death is told before the thaw. */
static int freeze(struct machine *m)
{
	unsigned int victims = m->victims;
	int said[2], err;
	pid_t pid;

	if (pipe(said) || add_next(m->s->queue, FROZEN) <= 0)
		return -1;
	pid = spawn_process(enter_group, said);
	err = hear(said) != 'r';
	err |= write_file(GROUP "/cgroup.freeze", "1");
	err |= await_frozen(true);
	kill(pid, SIGKILL);
	while (m->victims == victims)
		look_later();
	err |= reap(pid) != SIGKILL;
	err |= write_file(GROUP "/cgroup.freeze", "0");
	err |= await_frozen(false);
	close(said[0]);
	close(said[1]);
	return err;
}

/* Through all of it but the sleep itself. */
static int suspend(void)
{
	int err = write_file(POWER "pm_test", "devices");

	if (!err)
		err = write_file(POWER "state", "mem");
	write_file(POWER "pm_test", "none");
	return err;
}

static bool can_suspend(void)
{
	char text[64] = "";
	int fd = open(POWER "state", O_RDONLY | O_CLOEXEC);
	bool can = fd >= 0 && read(fd, text, sizeof(text) - 1) > 0 && strstr(text, "mem");

	if (fd >= 0)
		close(fd);
	return can && !access(POWER "pm_test", W_OK) && !write_file(DELAY, "0");
}

static void begin(struct __test_metadata *_metadata, struct machine *m, struct readers *r)
{
	char text[32];

	ASSERT_EQ(0, mkdir(GROUP, 0755));
	ASSERT_EQ(0, start_forkers(m->s));
	snprintf(text, sizeof(text), "%d", m->s->pid[0]);
	ASSERT_EQ(0, write_file(GROUP "/cgroup.procs", text));
	m->left = TIMERS;
	for (unsigned int i = 0; i < TIMERS; i++)
		ASSERT_LT(0, arm(m, i));
	ASSERT_EQ(0, start_readers(r));
}

TEST_F_TIMEOUT(soak, machine, SOAK_LIMIT)
{
	struct storm *s = new_storm(self->queue, self->seed, FORKERS, EXITS / FORKERS);
	struct machine m = { .s = s, .seed = self->seed };
	struct readers r = {
		.queue = self->queue, .seed = self->seed, .nr = 1, .take = enter, .arg = &m,
	};
	unsigned int rounds = soak_of(ROUNDS), suspends = 0;
	bool sleeps = can_suspend();

	m.cpus = sysconf(_SC_NPROCESSORS_CONF);
	begin(_metadata, &m, &r);
	for (unsigned int i = 0; i < rounds; i++) {
		ASSERT_EQ(0, plug_cpus(&m, random_of(self->seed, i)));
		ASSERT_EQ(0, freeze(&m));
		if (sleeps && i % 2 == 0) {
			ASSERT_EQ(0, suspend());
			suspends++;
		}
	}
	s->stop = true;
	m.stop = true;
	EXPECT_EQ(0, end_forkers(s));
	while (m.left)
		look_later();
	end_readers(&r);
	EXPECT_TRUE(every_death_was_told(s));
	EXPECT_LT(rounds, s->read);
	EXPECT_LT(rounds, m.told);
	EXPECT_EQ(rounds, m.victims);
	EXPECT_EQ(0, r.wrong);
	EXPECT_EQ(0, rmdir(GROUP));
	print_figures("times that CPUs went and came, and a cgroup was frozen", rounds, self->since);
	printf("# %u times suspended; %u exits and %lu timers meanwhile\n", suspends, s->read, m.told);
	fflush(stdout);
}

TEST_HARNESS_MAIN
