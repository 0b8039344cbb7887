// SPDX-License-Identifier: GPL-2.0-only
/*
 * DragonReach's acceptance list (dragonreach.md, 7.3) at the sizes that it names: A1 to A5 and A7.
 * What takes minutes is done with less unless FULL=1 is in the environment:
 *
 *	make check TESTS=knelld_scale FULL=1
 *
 * It can be built for the guest, too; of its default run there it is no part (guest_names).
 *
 *				here	in the guest	FULL=1
 *	A1, A4 units up to	1,000	100		1,000
 *	A1, A2 idle for		3 s	3 s		60 s
 *	A2 timers		1,000	1,000		1,000
 *	A5 exits		10,000	700		10,000
 *	A7 periods		1,000	100		1,000
 *
 * runner-limit: 1800
 */
#include <sys/ptrace.h>

#include "../old_calls.h"

#ifdef GUEST
#define GUEST_OR(a, b) (a)
#include "host.h"
#else
#define GUEST_OR(a, b) (b)
#include "talker.h"
#endif

#define MANY	1000
#define NR_TIMERS	1000
#define NEVER	"[Install]\nWantedBy=x.target\n"
#define LONG_S	1800		/* for one test */

static bool full(void)
{
	return getenv("FULL") && *getenv("FULL") && strcmp(getenv("FULL"), "0");
}

static bool here_or_full(void)
{
	return full() || !GUEST_OR(true, false);
}

/* A service that is this very program: tells what time it is. */
static void __attribute__((constructor)) tell_time(void)
{
	if (!getenv("TEST_TIME"))
		return;
	printf("talker: now %llu\n", (unsigned long long)clock_ns(CLOCK_MONOTONIC));
	fflush(stdout);
	_exit(0);
}

static char *numbered(const char *fmt, int i)
{
	static char buf[64];

	snprintf(buf, sizeof(buf), fmt, i);
	return buf;
}

/* What the log has told so far of s0.service, s1.service ...; a look at what is new in it */

struct tally {
	size_t at;		/* of the log, up to here */
	size_t started, ended;
	pid_t pid[MANY];	/* the latest */
};

static void read_line(struct tally *t, const char *line)
{
	const char *name = strstr(line, ": s"), *rest;
	int i, pid;

	if (!name || sscanf(name, ": s%d.service", &i) != 1 || i < 0 || i >= MANY)
		return;
	rest = strchr(name + 3, ':');
	if (rest && sscanf(rest, ": started, main process %d", &pid) == 1) {
		t->started++;
		t->pid[i] = pid;
	} else if (rest && !strncmp(rest, ": main process ", 15)) {
		t->ended++;
	}
}

static void look(fixture *self, struct tally *t)
{
	char *line = self->log + t->at, *end;

	for (; (end = strchr(line, '\n')); line = end + 1) {
		*end = '\0';
		read_line(t, line);
		*end = '\n';
	}
	t->at = line - self->log;
}

/* Waits until so many were started, in all. */
static bool are_started(fixture *self, struct tally *t, size_t nr)
{
	for (look(self, t); t->started < nr; look(self, t))
		if (!read_log(self))
			return false;
	return true;
}

static void sleepers(fixture *self, int nr)
{
	for (int i = 0; i < nr; i++)
		unit(self, numbered("s%d.service", i), "[Unit]\nStartLimitIntervalSec=0\n"
		     "[Service]\nRestart=always\nRestartSec=1ms\nExecStart=/bin/sleep 100000\n");
}

/* A1 to A3 */

/* Nanoseconds on a CPU, and how often it was given one: nothing can be done without either. */
static bool ran(pid_t pid, unsigned long long v[2])
{
	unsigned long long waited;
	char path[64];
	FILE *f;
	int n;

	snprintf(path, sizeof(path), "/proc/%d/schedstat", pid);
	f = fopen(path, "r");
	n = f ? fscanf(f, "%llu %llu %llu", &v[0], &waited, &v[1]) : 0;
	if (f)
		fclose(f);
	return n == 3;
}

/* Waits until it has slept for a while. */
static bool calms_down(pid_t pid)
{
	unsigned long long before[2], after[2];
	uint64_t end = patience_ends();
	int calm = 0;

	if (!ran(pid, after))
		return false;
	while (calm < 20) {
		memcpy(before, after, sizeof(before));
		if (!look_again(end) || !ran(pid, after))
			return false;
		calm = state_of(pid) == 'S' && before[1] == after[1] ? calm + 1 : 0;
	}
	return true;
}

/*
 * So many services run and so many timers are armed, and nothing happens: it is not on a CPU for a
 * nanosecond, so there is no system call. And not because it is deaf: a request is answered, an end
 * noticed, a timer elapses.
 */
static void idle_with(struct __test_metadata *_metadata, fixture *self, int nr, int timers)
{
	unsigned long long before[2], after[2];
	struct tally *t = calloc(1, sizeof(*t));

	sleepers(self, nr);
	for (int i = 0; i < timers; i++)
		unit(self, numbered("t%d.timer", i), "[Timer]\nOnActiveSec=%dh\n"
		     "OnUnitActiveSec=1h\nUnit=late.service\n", 1 + i % 7);
	unit(self, "late.service", SLEEPER NEVER);
	unit(self, "soon.timer", "[Timer]\nOnActiveSec=100ms\nAccuracySec=1us\n" NEVER);
	unit(self, "soon.service", "[Service]\nType=oneshot\nExecStart=/bin/true\n" NEVER);
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, numbered("startup finished: %d started, 0 failed", nr + timers)));
	ASSERT_TRUE(calms_down(self->pid));
	ASSERT_TRUE(ran(self->pid, before));
	EXPECT_LT(0, before[0]);
	sleep(full() ? 60 : 3);
	ASSERT_TRUE(ran(self->pid, after));
	EXPECT_EQ(before[0], after[0]);
	EXPECT_EQ(before[1], after[1]);
	EXPECT_EQ('S', state_of(self->pid));
#ifdef GUEST
	EXPECT_TRUE(asleep_on_queue(self->pid));
#endif
	EXPECT_TRUE(asked(self, "StartUnits", "soon.timer", "\"done\""));
	ASSERT_TRUE(told(self, "soon.service: finished"));
	look(self, t);
	EXPECT_EQ((size_t)nr, t->started);
	if (nr) {
		ASSERT_LT(1, t->pid[nr / 2]);
		kill(t->pid[nr / 2], SIGKILL);
		ASSERT_TRUE(are_started(self, t, nr + 1));
	}
	EXPECT_FALSE(has(self, "late.service: started"));
	free(t);
	ENDS;
}

TEST_F_TIMEOUT(knelld, a1_a3_idle_with_nothing, LIMIT_S)
{
	idle_with(_metadata, self, 0, 0);
}

TEST_F_TIMEOUT(knelld, a1_a3_idle_with_one, LIMIT_S)
{
	idle_with(_metadata, self, 1, 0);
}

TEST_F_TIMEOUT(knelld, a1_a3_idle_with_ten, LIMIT_S)
{
	idle_with(_metadata, self, 10, 0);
}

TEST_F_TIMEOUT(knelld, a1_a2_a3_idle_with_a_thousand_of_each, LONG_S)
{
	idle_with(_metadata, self, here_or_full() ? MANY : MANY / 10, NR_TIMERS);
}

/* A4 */

struct calls {
	unsigned int nr[512];	/* by number */
	unsigned int all;
};

/* In which system call it is, or was last; -1: none. */
static long call_of(pid_t pid)
{
	struct __ptrace_syscall_info info = { 0 };

	if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info) < 0 ||
	    info.op != PTRACE_SYSCALL_INFO_ENTRY)
		return -1;
	return info.entry.nr;
}

/* Takes the next stop if there is one; false: it runs, or sleeps. */
static bool next_stop(pid_t pid, struct calls *c)
{
	int status, sig = 0;
	long nr = -1;

	if (waitpid(pid, &status, WNOHANG) != pid || !WIFSTOPPED(status))
		return false;
	if (WSTOPSIG(status) == (SIGTRAP | 0x80))
		nr = call_of(pid);
	else if (!(status >> 16))
		sig = WSTOPSIG(status);
	/* Where the clock can be read from user space that is none. */
	if (nr >= 0 && nr < 512 && nr != SYS_clock_gettime) {
		c->nr[nr]++;
		c->all++;
	}
	ptrace(PTRACE_SYSCALL, pid, 0, sig);
	return true;
}

/* Lets it go on, counting, until it sleeps and has told of @nr starts. */
static bool count_until(fixture *self, struct tally *t, struct calls *c, size_t nr)
{
	uint64_t end = patience_ends();
	int calm = 0;

	memset(c, 0, sizeof(*c));
	while (calm < 20) {
		if (next_stop(self->pid, c)) {
			calm = 0;
			continue;
		}
		if (!look_again(end))
			return false;
		while (read_within(self, 0))
			;
		look(self, t);
		calm = t->started >= nr && state_of(self->pid) == 'S' ? calm + 1 : 0;
	}
	return true;
}

static bool trace(pid_t pid)
{
	return !ptrace(PTRACE_SEIZE, pid, 0, PTRACE_O_TRACESYSGOOD) &&
	       !ptrace(PTRACE_INTERRUPT, pid, 0, 0);
}

static bool untrace(fixture *self, struct tally *t)
{
	struct calls c;
	int status;

	return count_until(self, t, &c, 0) && !ptrace(PTRACE_INTERRUPT, self->pid, 0, 0) &&
	       waitpid(self->pid, &status, 0) == self->pid &&
	       !ptrace(PTRACE_DETACH, self->pid, 0, 0);
}

static void least(struct calls *a, const struct calls *b)
{
	if (!a->all || b->all < a->all)
		*a = *b;
}

/* Of one end and what follows from it, with so many units: what the manager does itself. */
static void calls_per_exit(struct __test_metadata *_metadata, fixture *self, int nr,
			   struct calls *best)
{
	struct tally *t = calloc(1, sizeof(*t));
	struct calls c;
	size_t started = nr;

	sleepers(self, nr);
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "startup finished"));
	ASSERT_TRUE(are_started(self, t, nr));
	ASSERT_TRUE(trace(self->pid));
	ASSERT_TRUE(count_until(self, t, &c, started));
	/* The first may find memory to be had, and files to be read for the first time. */
	for (int i = 0; i < 5; i++) {
		const int which = i * (nr - 1) / 4;

		ASSERT_LT(1, t->pid[which]);
		kill(t->pid[which], SIGKILL);
		ASSERT_TRUE(count_until(self, t, &c, ++started));
		least(best, &c);
	}
	ASSERT_TRUE(untrace(self, t));
	free(t);
	ENDS;
	for (int i = 0; i < nr; i++)
		unlink(path_of(self, numbered("s%d.service", i)));
}

/* By which of them it waits depends on whether a timer is set, of what was at the start for one. */
static void waits_are_one(struct calls *c)
{
	c->nr[SYS_epoll_wait] += c->nr[SYS_epoll_pwait2];
	c->nr[SYS_epoll_pwait2] = 0;
}

TEST_F_TIMEOUT(knelld, a4_an_end_costs_the_same_with_a_thousand, LONG_S)
{
	const int nr = here_or_full() ? MANY : MANY / 10;
	struct calls one = { 0 }, many = { 0 };

	calls_per_exit(_metadata, self, 1, &one);
	memset(self->log, 0, self->len);
	self->len = 0;
	calls_per_exit(_metadata, self, nr, &many);
	waits_are_one(&one);
	waits_are_one(&many);
	for (int i = 0; i < 512; i++)
		if (one.nr[i] || many.nr[i])
			TH_LOG("system call %d: %u of %u, with %d units %u of %u", i, one.nr[i],
			       one.all, nr, many.nr[i], many.all);
	EXPECT_EQ(0, memcmp(one.nr, many.nr, sizeof(one.nr)));
	EXPECT_LT(0, one.all);
	EXPECT_GE(14, one.all);
	/* Without the module each end is asked for, and whether there is another one. */
	EXPECT_GE(GUEST_OR(0, 2), one.nr[SYS_wait4] + one.nr[SYS_waitid]);
	EXPECT_GE(GUEST_OR(4, 0), one.nr[SYS_read] + one.nr[SYS_ioctl]);
	EXPECT_EQ(0, one.nr[SYS_openat] + one.nr[SYS_access] + one.nr[SYS_nanosleep]);
}

/* A5 */

#define NR_FLASHES	20	/* services that end in the instant of their start, */
#define FLASH_STARTS	50	/* so often, with a child each that is left behind */

/* Children of it that are dead and nobody has taken away. */
static int count_zombies(pid_t parent)
{
	DIR *d = opendir("/proc");
	struct dirent *entry;
	int nr = 0;

	while (d && (entry = readdir(d))) {
		char path[300], line[512], *after;
		FILE *f;

		snprintf(path, sizeof(path), "/proc/%s/stat", entry->d_name);
		f = atoi(entry->d_name) > 1 ? fopen(path, "r") : NULL;
		if (f && fgets(line, sizeof(line), f) && (after = strrchr(line, ')')))
			nr += after[2] == 'Z' && atoi(after + 4) == parent;
		if (f)
			fclose(f);
	}
	if (d)
		closedir(d);
	return nr;
}

/* All at once, again and again, while others come and go: each end is heard of, once. */
TEST_F_TIMEOUT(knelld, a5_no_end_is_lost, LONG_S)
{
	const bool all = here_or_full();
	const int nr = all ? MANY : 100, rounds = all ? 9 : 5;
	const int starts = all ? FLASH_STARTS : FLASH_STARTS / 5;
	struct tally *t = calloc(1, sizeof(*t));

	/* Nobody reads while they are killed, and what the log has no room for is lost. */
	ASSERT_TRUE(make_pipe(self));
	ASSERT_LE(1 << 20, fcntl(self->into, F_SETPIPE_SZ, 1 << 20));
	sleepers(self, nr);
	for (int i = 0; i < NR_FLASHES; i++)
		unit(self, numbered("f%d.service", i), "[Unit]\nStartLimitIntervalSec=1d\n"
		     "StartLimitBurst=%d\n[Service]\nRestart=always\nRestartSec=0\n"
		     "ExecStart=/bin/sh -c '(exit 1) & exit 0'\n", starts);
	ASSERT_TRUE(start(self));
	for (int round = 1; round <= rounds; round++) {
		ASSERT_TRUE(are_started(self, t, (size_t)round * nr));
		for (int i = 0; i < nr; i++)
			ASSERT_EQ(0, kill(t->pid[i], SIGKILL));
	}
	ASSERT_TRUE(are_started(self, t, (size_t)(rounds + 1) * nr));
	ASSERT_TRUE(told_times(self, NR_FLASHES, "start limit hit"));
	EXPECT_EQ((size_t)rounds * nr, t->ended);
	EXPECT_EQ((size_t)rounds * nr, occurrences(self, "killed by SIGKILL"));
	for (int i = 0; i < NR_FLASHES; i++)
		EXPECT_EQ((size_t)starts, occurrences(self, numbered(" f%d.service: main process",
								    i)));
	/* Nobody who is dead is still there, or there twice. */
	EXPECT_TRUE(asked(self, "StopUnits", "s0.service", "\"done\""));
	EXPECT_EQ(0, count_zombies(self->pid));
	free(t);
	ENDS;
}

/* A7 */

#define PERIOD	((int64_t)(GUEST_OR(50, 10) * NSEC_PER_MSEC))

static void tells_time(fixture *self, const char *name)
{
	static const char keys[] = "[Unit]\nStartLimitIntervalSec=0\n[Service]\nType=oneshot\n";

#ifdef GUEST
	unit(self, name, "%sEnvironment=TEST_TIME=1\nExecStart=%s\n", keys, myself());
#else
	/* With sanitizers this program would take longer than a period to begin. */
	unit(self, name, "%sExecStart=%s now\n", keys, talker());
#endif
}

/* When it elapses next, by the clock, in microseconds. */
static long long next_of(fixture *self, const char *timer)
{
	uint64_t end = patience_ends();
	long long real, mono = 0;
	char text[64];

	snprintf(text, sizeof(text), "\"unit\":\"%s\"", timer);
	/* While its unit is on its way it has none. */
	do {
		const char *at = strstr(ask(self, "Timers", "", ""), text);

		at = at ? strstr(at, "\"next\":{") : NULL;
		if (at && sscanf(at, "\"next\":{\"realtimeUsec\":%lld,\"monotonicUsec\":%lld",
				 &real, &mono) != 2)
			mono = 0;
	} while (!mono && look_again(end));
	return mono;
}

static int by_size(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/*
 * Never early, and the last of 1,000 is as many whole periods after the first as have gone by: how
 * late each was is not added up. And nobody wakes up in between.
 */
TEST_F_TIMEOUT(knelld, a7_a_thousand_periods, LONG_S)
{
	const size_t nr = full() ? 1000 : GUEST_OR(100, 1000);
	const char *s = self->log;
	int64_t *late = calloc(nr, sizeof(*late));
	const long long period_us = PERIOD / 1000;
	uint64_t before;
	struct work work;
	long long next, off;
	size_t runs = 0;

	unit(self, "a.timer", "[Timer]\nOnActiveSec=0\nOnUnitActiveSec=%dms\nAccuracySec=1us\n",
	     (int)(PERIOD / (int64_t)NSEC_PER_MSEC));
	tells_time(self, "a.service");
	before = clock_ns(CLOCK_MONOTONIC);
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "a.service: finished"));
	next = next_of(self, "a.timer");
	ASSERT_LT(0, next);
	while (runs < nr) {
		unsigned long long at;
		char *line = strstr(s, "talker: now ");

		if (!line || !strchr(line, '\n')) {
			ASSERT_TRUE(read_log(self));
			continue;
		}
		ASSERT_EQ(1, sscanf(line, "talker: now %llu", &at));
		ASSERT_LE(before + runs * PERIOD, at);
		late[runs++] = ((int64_t)at - next * 1000) % PERIOD;
		s = line + 1;
	}
	work = work_of(self->pid);
	off = (next_of(self, "a.timer") - next) % period_us;
	TH_LOG("%lld us off after %zu runs", off, nr);
	/* Two clocks are read one after the other to tell it. */
	EXPECT_TRUE(off < period_us / 10 || off > period_us - period_us / 10);
	for (size_t i = 0; i < nr; i++)
		late[i] = (late[i] + PERIOD) % PERIOD;
	qsort(late, nr, sizeof(*late), by_size);
	TH_LOG("until the service tells the time: p50 %lld, p99 %lld, at most %lld us",
	       (long long)late[nr / 2] / 1000, (long long)late[nr * 99 / 100] / 1000,
	       (long long)late[nr - 1] / 1000);
	/* The timer, the program that has begun, its end, and its log. */
	TH_LOG("%llu switches", work.voluntary);
	EXPECT_GE(8 * nr + 200, work.voluntary);
	free(late);
	ENDS;
}

TEST_HARNESS_MAIN
