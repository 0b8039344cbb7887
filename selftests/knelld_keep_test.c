// SPDX-License-Identifier: GPL-2.0-only
/*
 * knelld is killed, and the next one goes on: no service is out of sight, none is started twice,
 * no end goes untold, and what was being waited for is waited for still.
 *
 * runner-limit: 1200
 */
#include <sys/file.h>

#define MORE_OPTIONS "--control", path_of(self, "control"),
#include "knelld_test.h"

#define TOOK_OVER	"from a knelld that is gone"
#define TOLD_BEFORE	", told to a former knelld already"

/* All of a test's knellds write to one pipe, so that their log is one. */
static bool begin(fixture *self)
{
	return start_with(self, ORDINARY, NULL);
}

static const char *state_file(fixture *self)
{
	static char path[128];

	snprintf(path, sizeof(path), "/run/knell/%s.state", queue_of(self->dir));
	return path;
}

static const char *killed_by_us(pid_t pid)
{
	static char text[128];

	snprintf(text, sizeof(text), "main process %d killed by SIGKILL, sent by pid %d (uid 0)",
		 pid, getpid());
	return text;
}

static void numbered(char name[32], const char *fmt, int i)
{
	snprintf(name, 32, fmt, i);
}

/* Twenty services of four kinds: up for good, up until told, done and staying, forking. */
#define NR_OF_A_KIND	5

static void twenty_units(fixture *self)
{
	char name[32];

	for (int i = 0; i < NR_OF_A_KIND; i++) {
		numbered(name, "up%d.service", i);
		unit(self, name, "[Service]\nRestart=always\nExecStart=/bin/sleep 100000\n");
		numbered(name, "told%d.service", i);
		unit(self, name, "[Service]\nRestart=on-failure\nExecStart=/bin/sh -c "
		     "'echo $$$$ >>@/told%d; until [ -e @/go ]; do sleep 0.1; done; "
		     "[ -e @/gone%d ] && exec sleep 100000; : >@/gone%d; exit %d'\n", i, i, i,
		     i % 2);
		numbered(name, "done%d.service", i);
		unit(self, name, "[Service]\nType=oneshot\nRemainAfterExit=yes\n"
		     "ExecStart=/bin/sh -c 'echo ran >>@/done%d'\n", i);
		numbered(name, "fork%d.service", i);
		unit(self, name, "[Service]\nType=forking\nPIDFile=@/fork%d.pid\nRestart=always\n"
		     "ExecStart=/bin/sh -c '(setsid sh -c \"echo \\$$\\$$ >@/fork%d.pid; "
		     "exec sleep 100000\" & ); until [ -s @/fork%d.pid ]; do sleep 0.05; done'\n",
		     i, i, i);
	}
}

static void main_pids(fixture *self, const char *fmt, pid_t pids[NR_OF_A_KIND])
{
	char name[32];

	for (int i = 0; i < NR_OF_A_KIND; i++) {
		numbered(name, fmt, i);
		pids[i] = main_pid(self, name);
	}
}

TEST_F_TIMEOUT(knelld, killed_with_twenty_services, LIMIT_S)
{
	pid_t up[NR_OF_A_KIND], told_pids[NR_OF_A_KIND], forks[NR_OF_A_KIND];
	char text[128];

	twenty_units(self);
	ASSERT_TRUE(begin(self));
	ASSERT_TRUE(told(self, "startup finished: 20 started, 0 failed"));
	main_pids(self, "up%d.service", up);
	main_pids(self, "told%d.service", told_pids);
	main_pids(self, "fork%d.service", forks);
	kill_knelld(self);

	/* While nobody looks some are killed and some end. */
	for (int i = 0; i < 2; i++) {
		ASSERT_EQ(0, kill(up[i], SIGKILL));
		ASSERT_EQ(0, kill(forks[i], SIGKILL));
	}
	unit(self, "go", "\n");
	for (int i = 0; i < NR_OF_A_KIND; i++)
		ASSERT_TRUE(dies(told_pids[i]));
	self->len = 0;
	self->log[0] = '\0';

	ASSERT_TRUE(begin(self));
	ASSERT_TRUE(told(self, TOOK_OVER));
	for (int i = 0; i < NR_OF_A_KIND; i++) {
		snprintf(text, sizeof(text), "main process %d exited with status %d",
			 told_pids[i], i % 2);
		ASSERT_TRUE(told(self, text));
		snprintf(text, sizeof(text), "told%d.service: %s", i,
			 i % 2 ? "started, main process" : "finished");
		ASSERT_TRUE(told(self, text));
	}
	for (int i = 0; i < 2; i++) {
		ASSERT_TRUE(told(self, killed_by_us(up[i])));
		ASSERT_TRUE(told(self, killed_by_us(forks[i])));
		snprintf(text, sizeof(text), "up%d.service: started, main process", i);
		ASSERT_TRUE(told(self, text));
		snprintf(text, sizeof(text), "fork%d.service: started, main process", i);
		ASSERT_TRUE(told(self, text));
	}
	/* The others have not noticed, and are still looked after. */
	for (int i = 2; i < NR_OF_A_KIND; i++) {
		EXPECT_TRUE(lives(up[i]));
		EXPECT_TRUE(lives(forks[i]));
		snprintf(text, sizeof(text), "up%d.service: started", i);
		EXPECT_FALSE(has(self, text));
		kill(up[i], SIGKILL);
		ASSERT_TRUE(told(self, killed_by_us(up[i])));
		ASSERT_TRUE(told(self, text));
		kill(forks[i], SIGKILL);
		ASSERT_TRUE(told(self, killed_by_us(forks[i])));
	}
	for (int i = 0; i < NR_OF_A_KIND; i++) {
		snprintf(text, sizeof(text), "done%d", i);
		EXPECT_STREQ("ran\n", contents(self, text));
	}
	ASSERT_EQ(0, stop(self));
	EXPECT_TRUE(has(self, "done0.service: stopped\n"));
	/* At a proper end nothing is left for a next one. */
	EXPECT_EQ(-ENOENT, attach(queue_of(self->dir)));
	EXPECT_NE(0, access(state_file(self), F_OK));
}

TEST_F_TIMEOUT(knelld, idle_after_a_takeover, LIMIT_S)
{
	twenty_units(self);
	ASSERT_TRUE(begin(self));
	ASSERT_TRUE(told(self, "startup finished: 20 started, 0 failed"));
	/* What it has told of is acknowledged in the call in which it falls asleep. */
	ASSERT_TRUE(asleep_on_queue(self->pid));
	kill_knelld(self);
	ASSERT_TRUE(begin(self));
	ASSERT_TRUE(told_times(self, 2, "startup finished: 20 started, 0 failed"));
	EXPECT_TRUE(has(self, "took over 15 running services"));
	idle(_metadata, self, 10);
	ASSERT_EQ(0, stop(self));
}

/* daemon-reexec: the same process runs the program anew, and nobody else notices. */
TEST_F_TIMEOUT(knelld, a_reexec_is_noticed_by_nobody, LIMIT_S)
{
	pid_t up[NR_OF_A_KIND];

	twenty_units(self);
	unit(self, "later.service", "[Service]\nRestart=always\nRestartSec=5s\nExecStart=/bin/true\n");
	ASSERT_TRUE(begin(self));
	ASSERT_TRUE(told(self, "startup finished: 21 started, 0 failed"));
	ASSERT_TRUE(told(self, "later.service: restart in 5s"));
	main_pids(self, "up%d.service", up);
	for (size_t i = 1; i < 4; i++) {
		ask(self, "Reexec", "", "");
		ASSERT_TRUE(told_times(self, i + 1, "version "));
		ASSERT_TRUE(told_times(self, i, TOOK_OVER));
	}
	for (int i = 0; i < NR_OF_A_KIND; i++)
		EXPECT_TRUE(lives(up[i]));
	EXPECT_TRUE(strstr(ask(self, "UnitStatus", "up0.service", ""), "\"active\":\"active\""));
	ASSERT_TRUE(told_times(self, 2, "later.service: main process"));
	kill(up[0], SIGKILL);
	ASSERT_TRUE(told(self, killed_by_us(up[0])));
	ASSERT_EQ(0, stop(self));
}

TEST_F_TIMEOUT(knelld, without_keep_it_starts_from_scratch, LIMIT_S)
{
	pid_t old;

	unit(self, "a.service", "[Service]\nExecStart=/bin/sleep 100000\n");
	ASSERT_TRUE(start_with(self, ORDINARY, "--no-keep"));
	ASSERT_TRUE(told(self, "startup finished: 1 started"));
	old = main_pid(self, "a.service");
	EXPECT_EQ(-ENOENT, attach(queue_of(self->dir)));
	EXPECT_NE(0, access(state_file(self), F_OK));
	kill_knelld(self);
	ASSERT_TRUE(start_with(self, ORDINARY, "--no-keep"));
	ASSERT_TRUE(told_times(self, 2, "startup finished: 1 started"));
	EXPECT_FALSE(has(self, TOOK_OVER));
	EXPECT_NE(old, main_pid(self, "a.service"));
	EXPECT_TRUE(lives(old));
	ASSERT_EQ(0, stop(self));
	EXPECT_TRUE(lives(old));
	kill(old, SIGKILL);
}

TEST_F_TIMEOUT(knelld, a_rival_is_refused, LIMIT_S)
{
	pid_t first;

	unit(self, "a.service", SLEEPER);
	ASSERT_TRUE(begin(self));
	ASSERT_TRUE(told(self, "startup finished: 1 started"));
	first = self->pid;
	ASSERT_TRUE(begin(self));
	ASSERT_EQ(1, WEXITSTATUS(ended(self)));
	EXPECT_TRUE(has(self, "another knelld lives and has it"));
	EXPECT_EQ(1, occurrences(self, "a.service: started"));
	self->pid = first;
	ASSERT_EQ(0, stop(self));
}

/* Waits until it sleeps in poll(2); not at all what it would do that looks every now and then. */
static bool asleep_in_poll(pid_t pid)
{
	uint64_t end = patience_ends();
	char path[64], line[128];
	long nr = -1;

	snprintf(path, sizeof(path), "/proc/%d/syscall", pid);
	do {
		FILE *f = fopen(path, "r");

		if (f && fgets(line, sizeof(line), f))
			nr = atol(line);
		if (f)
			fclose(f);
	} while (nr != SYS_poll && lives(pid) && look_again(end));
	return nr == SYS_poll;
}

TEST_F_TIMEOUT(knelld, the_next_one_sleeps_until_the_first_is_gone, LIMIT_S)
{
	pid_t first, a;

	unit(self, "a.service", SLEEPER);
	ASSERT_TRUE(begin(self));
	ASSERT_TRUE(told(self, "startup finished: 1 started"));
	a = main_pid(self, "a.service");
	first = self->pid;
	ASSERT_TRUE(begin(self));
	ASSERT_TRUE(asleep_in_poll(self->pid));
	ASSERT_EQ(0, kill(first, SIGKILL));
	ASSERT_TRUE(told(self, TOOK_OVER));
	EXPECT_EQ(first, waitpid(first, NULL, 0));
	EXPECT_TRUE(lives(a));
	EXPECT_EQ(1, occurrences(self, "a.service: started"));
	ASSERT_EQ(0, stop(self));
	EXPECT_FALSE(lives(a));
}

/* The state file */

static void lose_state(struct __test_metadata *_metadata, fixture *self,
		       void (*spoil)(const char *))
{
	pid_t up[NR_OF_A_KIND], forks[NR_OF_A_KIND];

	twenty_units(self);
	ASSERT_TRUE(begin(self));
	ASSERT_TRUE(told(self, "startup finished: 20 started, 0 failed"));
	main_pids(self, "up%d.service", up);
	main_pids(self, "fork%d.service", forks);
	kill_knelld(self);
	spoil(state_file(self));
	ASSERT_EQ(0, kill(up[0], SIGKILL));
	ASSERT_EQ(0, kill(forks[0], SIGKILL));
	ASSERT_TRUE(begin(self));
	ASSERT_TRUE(told(self, "going by what the queue tells"));
	ASSERT_TRUE(told(self, killed_by_us(up[0])));
	ASSERT_TRUE(told(self, killed_by_us(forks[0])));
	ASSERT_TRUE(told_times(self, 2, "up0.service: started"));
	for (int i = 1; i < NR_OF_A_KIND; i++)
		EXPECT_TRUE(lives(up[i]) && lives(forks[i]));
	/* What ran needs no second copy; of what had ended nobody can know. */
	ASSERT_TRUE(told_times(self, 2, "done4.service: done, stays up"));
	/* And this one has a file that its successor can read. */
	kill_knelld(self);
	ASSERT_TRUE(begin(self));
	ASSERT_TRUE(told_times(self, 2, TOOK_OVER));
	EXPECT_EQ(1, occurrences(self, "going by what the queue tells"));
	ASSERT_EQ(0, stop(self));
	for (int i = 0; i < NR_OF_A_KIND; i++)
		EXPECT_FALSE(lives(up[i]) || lives(forks[i]));
	EXPECT_FALSE(has(self, "done4.service: failed"));
}

static void remove_it(const char *path)
{
	unlink(path);
}

static void cut_it(const char *path)
{
	if (truncate(path, 100))
		abort();
}

static void spoil_it(const char *path)
{
	int fd = open(path, O_WRONLY);

	if (fd < 0 || pwrite(fd, "xyz", 3, 512 * 3 + 300) != 3 || close(fd))
		abort();
}

TEST_F_TIMEOUT(knelld, the_state_file_is_gone, LIMIT_S)
{
	lose_state(_metadata, self, remove_it);
}

TEST_F_TIMEOUT(knelld, the_state_file_is_cut_off, LIMIT_S)
{
	lose_state(_metadata, self, cut_it);
}

TEST_F_TIMEOUT(knelld, the_state_file_is_spoilt, LIMIT_S)
{
	lose_state(_metadata, self, spoil_it);
}

/* Unit files */

TEST_F_TIMEOUT(knelld, unit_files_change_meanwhile, LIMIT_S)
{
	pid_t gone, broken;

	unit(self, "gone.service", "[Service]\nRestart=always\nExecStart=/bin/sleep 100000\n");
	unit(self, "broken.service", "[Service]\nRestart=always\nExecStart=/bin/sleep 100000\n");
	unit(self, "late.service", "[Service]\nRestart=always\nRestartSec=1h\nExecStart=/bin/true\n");
	ASSERT_TRUE(begin(self));
	ASSERT_TRUE(told(self, "startup finished: 3 started"));
	ASSERT_TRUE(told(self, "late.service: restart in"));
	gone = main_pid(self, "gone.service");
	broken = main_pid(self, "broken.service");
	kill_knelld(self);
	ASSERT_EQ(0, unlink(path_of(self, "gone.service")));
	unit(self, "broken.service", "[Service]\nExecStart=\"\n");
	unit(self, "late.service", "[Service\n");
	unit(self, "new.service", SLEEPER);
	ASSERT_TRUE(begin(self));
	ASSERT_TRUE(told(self, "new.service: started"));
	EXPECT_TRUE(has(self, "gone.service: its file is gone; what runs is left alone"));
	EXPECT_TRUE(has(self, "broken.service: what runs of it is followed until it ends"));
	kill(gone, SIGKILL);
	ASSERT_TRUE(told(self, killed_by_us(gone)));
	ASSERT_TRUE(told(self, "gone.service: failed, result signal"));
	kill(broken, SIGKILL);
	ASSERT_TRUE(told(self, killed_by_us(broken)));
	ASSERT_TRUE(told(self, "broken.service: failed, result signal"));
	EXPECT_FALSE(has(self, "gone.service: restart in"));
	ASSERT_EQ(0, stop(self));
}

/* What was waited for */

/* From its first start to the second, by the service's own clock. */
static double between_starts(fixture *self, const char *file)
{
	uint64_t end = patience_ends();
	double first, second;

	while (sscanf(contents(self, file), "%lf %lf", &first, &second) != 2)
		if (!look_again(end))
			return -1;
	return second - first;
}

TEST_F_TIMEOUT(knelld, restarts_come_when_they_are_due, LIMIT_S)
{
	const char *text = "[Service]\nRestart=always\nRestartSec=%s\nStartLimitIntervalSec=0\n"
		"ExecStart=/bin/sh -c 'read up rest </proc/uptime; echo $up >>@/%s; "
		"[ $$(wc -l <@/%s) -ge 2 ] && exec sleep 100000; exit 1'\n";

	unit(self, "later.service", text, "6s", "later", "later");
	unit(self, "sooner.service", text, "1s", "sooner", "sooner");
	ASSERT_TRUE(begin(self));
	ASSERT_TRUE(told(self, "later.service: restart in 6s"));
	ASSERT_TRUE(told(self, "sooner.service: restart in 1s"));
	kill_knelld(self);
	/* The one becomes due while there is nobody to do it. */
	sleep(2);
	ASSERT_TRUE(begin(self));
	/* uptime has two digits, cut off */
	EXPECT_LE(0.98, between_starts(self, "sooner"));
	EXPECT_LE(5.98, between_starts(self, "later"));
	ASSERT_EQ(0, stop(self));
}

TEST_F_TIMEOUT(knelld, start_limits_are_remembered, LIMIT_S)
{
	unit(self, "a.service", "[Service]\nRestart=always\nRestartSec=2s\nStartLimitBurst=3\n"
	     "StartLimitIntervalSec=infinity\nExecStart=/bin/sh -c 'echo ran >>@/a; exit 1'\n");
	ASSERT_TRUE(begin(self));
	ASSERT_TRUE(told(self, "a.service: restart in 2s (2 of 3 starts"));
	kill_knelld(self);
	ASSERT_TRUE(begin(self));
	ASSERT_TRUE(told(self, "a.service: start limit hit: 3 starts"));
	EXPECT_STREQ("ran\nran\nran\n", contents(self, "a"));
	kill_knelld(self);
	/* Nor is it tried again. */
	ASSERT_TRUE(begin(self));
	ASSERT_TRUE(told_times(self, 3, "startup finished: "));
	ASSERT_EQ(0, stop(self));
	EXPECT_STREQ("ran\nran\nran\n", contents(self, "a"));
}

TEST_F_TIMEOUT(knelld, a_start_goes_on, LIMIT_S)
{
	unit(self, "a.service", "[Service]\nExecStartPre=/bin/sh -c 'echo pre >>@/a; : >@/ready; "
	     "until [ -e @/go ]; do sleep 0.1; done'\nExecStartPre=/bin/sh -c 'echo two >>@/a'\n"
	     "ExecStart=/bin/sh -c 'echo main >>@/a; exec sleep 100000'\n");
	unit(self, "b.service", "[Unit]\nAfter=a.service\nRequires=a.service\n[Service]\n"
	     "Type=oneshot\n"
	     "ExecStart=/bin/sh -c 'until grep -q main @/a; do sleep 0.05; done; "
	     "echo b >>@/a'\n");
	unit(self, "c.service", "[Service]\nTimeoutStartSec=4s\n"
	     "ExecStartPre=/bin/sleep 100000\nExecStart=/bin/true\n");
	ASSERT_TRUE(begin(self));
	ASSERT_TRUE(appears(self, "ready"));
	kill_knelld(self);
	ASSERT_TRUE(begin(self));
	ASSERT_TRUE(told(self, TOOK_OVER));
	EXPECT_FALSE(has(self, "b.service: "));
	unit(self, "go", "\n");
	ASSERT_TRUE(told(self, "startup finished: 2 started, 1 failed"));
	EXPECT_STREQ("pre\ntwo\nmain\nb\n", contents(self, "a"));
	EXPECT_TRUE(has(self, "c.service: ExecStartPre= not done within TimeoutStartSec=4s"));
	ASSERT_EQ(0, stop(self));
}

TEST_F_TIMEOUT(knelld, a_stop_goes_on, LIMIT_S)
{
	pid_t pid;

	unit(self, "a.service", "[Service]\nTimeoutStopSec=5s\nExecStart=/bin/sh -c "
	     "'trap : TERM; echo $$$$ >@/a; while :; do sleep 0.1; done'\n"
	     "ExecStopPost=/bin/sh -c 'echo $SERVICE_RESULT >@/post'\n");
	unit(self, "b.service", "[Unit]\nAfter=a.service\n[Service]\nExecStart=/bin/sleep 100000\n"
	     "Restart=always\n");
	ASSERT_TRUE(begin(self));
	ASSERT_TRUE(told(self, "startup finished: 2 started"));
	pid = pid_in(self, "a");
	kill(self->pid, SIGTERM);
	ASSERT_TRUE(told(self, "a.service: stopping, SIGTERM to "));
	kill_knelld(self);
	ASSERT_TRUE(begin(self));
	ASSERT_TRUE(told(self, "the former knelld was stopping all services: that goes on"));
	ASSERT_EQ(0, ended(self));
	EXPECT_TRUE(has(self, "a.service: 1 process still there after 5s, SIGKILL") ||
		    has(self, "a.service: 2 processes still there after 5s, SIGKILL"));
	EXPECT_TRUE(has(self, "a.service: stopped, result timeout"));
	EXPECT_STREQ("timeout\n", contents(self, "post"));
	EXPECT_EQ(1, occurrences(self, "b.service: started"));
	EXPECT_FALSE(lives(pid));
	EXPECT_EQ(-ENOENT, attach(queue_of(self->dir)));
	/* The order has been carried out; the next one starts anew. */
	ASSERT_TRUE(begin(self));
	ASSERT_TRUE(told_times(self, 2, "startup finished: 2 started"));
	ASSERT_EQ(0, stop(self));
}

/* A supervisor for the supervisor. */
TEST_F_TIMEOUT(knelld, knelld_keeps_knelld, LIMIT_S)
{
	const char *knelld = getenv("KNELLD") ? getenv("KNELLD") : "/sbin/knelld";
	char inner[48], name[32], same[64];
	pid_t pids[3], old;

	snprintf(inner, sizeof(inner), "%s/inner", self->dir);
	ASSERT_EQ(0, mkdir(inner, 0755));
	for (int i = 0; i < 3; i++) {
		numbered(name, "inner/s%d.service", i);
		unit(self, name, "[Service]\nExecStart=/bin/sleep 100000\n");
	}
	unit(self, "inner.service", "[Service]\nKillMode=process\nRestart=always\n"
	     "StartLimitIntervalSec=0\nExecStart=%s --unit-dir @/inner\n", knelld);
	ASSERT_TRUE(begin(self));
	ASSERT_TRUE(told(self, "startup finished: 3 started"));
	ASSERT_TRUE(told(self, "inner.service: started"));
	for (int i = 0; i < 3; i++) {
		numbered(name, "s%d.service", i);
		pids[i] = main_pid(self, name);
	}
	for (size_t n = 1; n <= 5; n++) {
		old = main_pid(self, "inner.service");
		kill(old, SIGKILL);
		ASSERT_TRUE(told_times(self, n, "took over 3 running services"));
		ASSERT_TRUE(told_times(self, n + 1, "inner.service: started, main process"));
	}
	for (int i = 0; i < 3; i++) {
		EXPECT_TRUE(lives(pids[i]));
		/* That it is may be said again, by who did not see it said, but there is one. */
		numbered(name, "s%d.service: started, main", i);
		snprintf(same, sizeof(same), "%s process %d", name, pids[i]);
		EXPECT_LE(1, occurrences(self, same));
		EXPECT_EQ(occurrences(self, same), occurrences(self, name));
	}
	ASSERT_EQ(0, stop(self));
	for (int i = 0; i < 3; i++)
		EXPECT_FALSE(lives(pids[i]));
	EXPECT_TRUE(in_order(self, "s2.service: stopped", "inner.service: stopped"));
	EXPECT_EQ(-ENOENT, attach(queue_of(inner)));
}

/* At any moment */

#define NR_WORKERS	12
#define NR_KILLS	20

static void note(const char *path, const char *fmt, ...)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	va_list ap;

	va_start(ap, fmt);
	if (fd < 0 || vdprintf(fd, fmt, ap) < 0 || close(fd))
		_exit(92);
	va_end(ap);
}

/*
 * This program as a service: each run notes its pid, and that nobody else holds a lock for as
 * long as anything of it lives; a second copy would find it taken. What it leaves behind is to be
 * gone before the next run.
 */
static void __attribute__((constructor)) work(void)
{
	const char *base = getenv("WORKER");
	struct timespec span;
	char path[128];
	int lock;

	if (!base)
		return;
	snprintf(path, sizeof(path), "%s.lock", base);
	lock = open(path, O_RDWR | O_CREAT, 0644);
	snprintf(path, sizeof(path), "%s.dups", base);
	if (flock(lock, LOCK_EX | LOCK_NB))
		note(path, "%d\n", getpid());
	snprintf(path, sizeof(path), "%s.runs", base);
	note(path, "%d\n", getpid());
	srandom(getpid());
	if (!fork())
		for (;;)
			pause();
	span = (struct timespec){ .tv_nsec = random() % 1000 * NSEC_PER_MSEC };
	nanosleep(&span, NULL);
	_exit(random() % 3);
}

static void worker_units(fixture *self)
{
	char name[32], exe[128] = "";

	if (readlink("/proc/self/exe", exe, sizeof(exe) - 1) < 0)
		abort();
	for (int i = 0; i < NR_WORKERS; i++) {
		numbered(name, "w%d.service", i);
		unit(self, name, "[Service]\nRestart=always\nRestartSec=%dms\n%s"
		     "Environment=WORKER=@/w%d\nStartLimitIntervalSec=0\nExecStart=%s\n", 20 * i,
		     i % 3 ? "" : "ExecStartPre=/bin/true\nExecStopPost=/bin/true\n", i, exe);
	}
	for (int i = 0; i < 4; i++) {
		numbered(name, "once%d.service", i);
		unit(self, name, "[Unit]\nAfter=%s\n[Service]\nType=oneshot\nRemainAfterExit=yes\n"
		     "ExecStart=/bin/sh -c 'echo ran >>@/once%d'\n",
		     i ? "once0.service" : "w0.service", i);
		numbered(name, "still%d.service", i);
		unit(self, name, "[Service]\nExecStart=/bin/sh -c 'echo $$$$ >>@/still%d; "
		     "exec sleep 100000'\n", i);
	}
}

/* Each run of a worker has its line in the log, and but one that was not told before. */
static size_t untold(fixture *self)
{
	size_t missing = 0;
	char name[32], text[64];

	for (int i = 0; i < NR_WORKERS; i++) {
		char *runs, *line;

		numbered(name, "w%d.runs", i);
		runs = strdup(contents(self, name));
		for (line = strtok(runs, "\n"); line; line = strtok(NULL, "\n")) {
			size_t fresh = 0;

			snprintf(text, sizeof(text), "w%d.service: main process %s ", i, line);
			for (char *s = self->log; (s = strstr(s, text)); s++) {
				char *end = strchr(s, '\n'), *again = strstr(s, TOLD_BEFORE);

				fresh += !again || (end && again > end);
			}
			/* Killed after it read of it and before it wrote: told as told before. */
			if (!strstr(self->log, text) || fresh > 1) {
				fprintf(stderr, "# %s: %zu times\n", text, fresh);
				missing++;
			}
		}
		free(runs);
	}
	return missing;
}

static size_t duplicates(fixture *self)
{
	size_t nr = 0;
	char name[32];

	for (int i = 0; i < NR_WORKERS; i++) {
		numbered(name, "w%d.dups", i);
		if (*contents(self, name)) {
			fprintf(stderr, "# w%d, second copies: %s\n", i, contents(self, name));
			nr++;
		}
	}
	return nr;
}

/* Reads the log for a random while. */
static void a_while(fixture *self, unsigned int most_ms)
{
	uint64_t end = clock_ns(CLOCK_MONOTONIC) + (random() % most_ms) * NSEC_PER_MSEC;

	while (clock_ns(CLOCK_MONOTONIC) < end)
		read_within(self, 1);
}

TEST_F_TIMEOUT(knelld, killed_at_any_moment, LIMIT_S)
{
	char name[32];

	srandom(getpid());
	worker_units(self);
	for (int i = 0; i < NR_KILLS; i++) {
		ASSERT_TRUE(begin(self));
		/* Sooner or later after its start, often amid it. */
		a_while(self, i % 2 ? 200 : 1500);
		kill_knelld(self);
	}
	ASSERT_TRUE(begin(self));
	ASSERT_TRUE(told_times(self, occurrences(self, "startup finished: ") + 1,
			       "startup finished: 20 started, 0 failed"));
	ASSERT_EQ(0, stop(self));
	EXPECT_EQ(0, untold(self));
	EXPECT_EQ(0, duplicates(self));
	for (int i = 0; i < 4; i++) {
		numbered(name, "once%d", i);
		EXPECT_STREQ("ran\n", contents(self, name));
		numbered(name, "still%d", i);
		EXPECT_EQ(strchr(contents(self, name), '\n') + 1,
			  strchr(contents(self, name), '\0'));
		EXPECT_FALSE(lives(atoi(contents(self, name))));
	}
}

TEST_F_TIMEOUT(knelld, killed_amid_a_stop, LIMIT_S)
{
	size_t started, orders;

	srandom(getpid());
	worker_units(self);
	for (int i = 0; i < NR_KILLS / 2; i++) {
		started = occurrences(self, "knelld: version ") + 1;
		ASSERT_TRUE(begin(self));
		ASSERT_TRUE(told_times(self, started, "knelld: version "));
		a_while(self, 1000);
		orders = occurrences(self, "SIGTERM: stopping all services") + 1;
		kill(self->pid, SIGTERM);
		ASSERT_TRUE(told_times(self, orders, "SIGTERM: stopping all services"));
		a_while(self, 200);
		kill_knelld(self);
		/* That one may have been quick enough to do it all, and this one starts anew. */
		started = occurrences(self, "knelld: version ") + 1;
		ASSERT_TRUE(begin(self));
		ASSERT_TRUE(told_times(self, started, "knelld: version "));
		kill(self->pid, SIGTERM);
		ASSERT_EQ(0, ended(self));
	}
	EXPECT_LT(0, occurrences(self, "that goes on"));
	EXPECT_EQ(0, untold(self));
	EXPECT_EQ(0, duplicates(self));
	EXPECT_EQ(-ENOENT, attach(queue_of(self->dir)));
}

TEST_HARNESS_MAIN
