// SPDX-License-Identifier: GPL-2.0-only
/*
 * Unit files are read again while all goes on: only what has changed is touched. And knelld as a
 * user's own, who is not root.
 *
 * runner-limit: 900
 */
#include <fcntl.h>
#include <grp.h>

#include "host.h"

#define NR	12

static const char *nth(int i)
{
	static char name[32];

	snprintf(name, sizeof(name), "s%d.service", i);
	return name;
}

static void write_nth(fixture *self, int i, const char *more)
{
	unit(self, nth(i), "[Unit]\nStartLimitIntervalSec=1h\n[Service]\nRestart=always\n"
	     "RestartSec=10ms\nExecStart=/bin/sh -c 'exec sleep 100000'\n%s", more);
}

/* A reply, to be freed, without what is made anew from two clocks for each. */
static char *all_of(fixture *self, const char *method, const char *name)
{
	const char key[] = "\"realtimeUsec\":";
	char *text = strdup(ask(self, method, name, ""));

	for (char *s = text; (s = strstr(s, key)); )
		for (s += sizeof(key) - 1; *s >= '0' && *s <= '9'; s++)
			*s = 'N';
	return text;
}

static bool reload(fixture *self)
{
	return strstr(ask(self, "Reload", "", ""), "{\"parameters\"");
}

/* Twelve services, two of which were restarted, a timer, and one that waits for its restart. */
static bool begin(fixture *self)
{
	for (int i = 0; i < NR; i++)
		write_nth(self, i, "");
	unit(self, "t.timer", "[Timer]\nOnActiveSec=1h\nOnUnitActiveSec=2h\n");
	unit(self, "t.service", SLEEPER);
	unit(self, "delay.service", "[Service]\nRestart=always\nRestartSec=1h\n"
	     "ExecStart=/bin/true\n");
	if (!start(self) || !told(self, "delay.service: restart in 3600s") ||
	    !told(self, "startup finished"))
		return false;
	for (int i = 0; i < NR; i += 6) {
		char text[64];

		kill(main_pid(self, nth(i)), SIGKILL);
		snprintf(text, sizeof(text), " %s: started", nth(i));
		if (!told_times(self, 2, text))
			return false;
	}
	return true;
}

TEST_F_TIMEOUT(knelld, only_what_changed_is_touched, LIMIT_S)
{
	char *before[NR + 2], *after;
	size_t len;
	pid_t pid;

	ASSERT_TRUE(begin(self));
	for (int i = 0; i < NR; i++)
		before[i] = all_of(self, "UnitStatus", nth(i));
	before[NR] = all_of(self, "UnitStatus", "t.timer");
	before[NR + 1] = all_of(self, "UnitStatus", "delay.service");
	EXPECT_NE(NULL, strstr(before[6], "\"restarts\":1"));
	pid = main_pid(self, nth(0));
	/* One is another, one is gone, one has a drop-in, one is masked, and one is new. */
	write_nth(self, 0, "Environment=NEW=1\n");
	ASSERT_EQ(0, unlink(path_of(self, nth(1))));
	ASSERT_EQ(0, mkdir(path_of(self, "s2.service.d"), 0700));
	unit(self, "s2.service.d/more.conf", "[Unit]\nDescription=more\n");
	ASSERT_EQ(0, unlink(path_of(self, nth(3))));
	ASSERT_EQ(0, symlink("/dev/null", path_of(self, nth(3))));
	unit(self, "new.service", SLEEPER);
	len = self->len;
	ASSERT_TRUE(reload(self));
	ASSERT_TRUE(told(self, " new.service: started"));
	EXPECT_TRUE(has(self, "s0.service: changed, which takes effect at its next start"));
	EXPECT_TRUE(has(self, "s1.service: its file is gone; what runs is left alone"));
	EXPECT_TRUE(has(self, "s2.service: changed"));
	EXPECT_TRUE(has(self, "s3.service: masked, not to be started; what runs is left alone"));
	for (int i = 4; i <= NR + 1; i++) {
		const char *name = i < NR ? nth(i) : i == NR ? "t.timer" : "delay.service";

		after = all_of(self, "UnitStatus", name);
		EXPECT_STREQ(before[i], after);
		EXPECT_EQ(NULL, strstr(self->log + len, name)) TH_LOG("%s", name);
		free(after);
	}
	for (int i = 0; i < 4; i++)
		EXPECT_TRUE(lives(main_pid(self, nth(i))));
	EXPECT_EQ(pid, main_pid(self, nth(0)));
	EXPECT_TRUE(asked(self, "UnitStatus", "s2.service", "\"description\":\"more\""));
	EXPECT_TRUE(asked(self, "RestartUnits", "s0.service", "\"done\""));
	EXPECT_TRUE(asked(self, "StopUnits", "s3.service", "\"done\""));
	EXPECT_TRUE(asked(self, "StartUnits", "s3.service", "UnitRefused"));
	for (int i = 0; i < NR + 2; i++)
		free(before[i]);
	ENDS;
}

/* Nothing at all has, however often one looks. */
TEST_F_TIMEOUT(knelld, what_is_the_same_stays_so, LIMIT_S)
{
	char *before, *after;
	size_t len;

	ASSERT_TRUE(begin(self));
	before = all_of(self, "ListUnits", "");
	len = self->len;
	for (int i = 0; i < 20; i++)
		ASSERT_TRUE(reload(self));
	after = all_of(self, "ListUnits", "");
	EXPECT_STREQ(before, after);
	while (read_within(self, 0))
		;
	/* That it has read them is all there is to tell. */
	for (char *s = strtok(self->log + len, "\n"); s; s = strtok(NULL, "\n"))
		EXPECT_STREQ("knelld: startup finished: 14 started, 0 failed", s);
	free(before);
	free(after);
	ENDS;
}

/* A start that was given up is none that failed, neither at once nor when all is read again. */
TEST_F_TIMEOUT(knelld, a_start_given_up_is_no_failure, LIMIT_S)
{
	unit(self, "slow.service", "[Service]\nType=oneshot\nExecStart=/bin/sh -c "
	     "'touch @/begun; exec sleep 100000'\n");
	unit(self, "fails.service", "[Service]\nType=oneshot\nExecStart=/bin/false\n");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(appears(self, "begun"));
	ASSERT_TRUE(told(self, "fails.service: failed"));
	EXPECT_TRUE(asked(self, "StopUnits", "slow.service", "\"done\""));
	ASSERT_TRUE(told(self, "startup finished: 0 started, 1 failed"));
	ASSERT_TRUE(reload(self));
	ASSERT_TRUE(told_times(self, 2, "startup finished: 0 started, 1 failed"));
	ENDS;
}

/* A file that has become none is no reason to stop, and what there was is still what counts. */
TEST_F_TIMEOUT(knelld, a_bad_file_changes_nothing, LIMIT_S)
{
	ASSERT_TRUE(begin(self));
	unit(self, nth(0), "[Service]\nType=nonsense\nRestart=always\n");
	unit(self, nth(1), "\x01\x02 nonsense");
	ASSERT_TRUE(reload(self));
	ASSERT_TRUE(told(self, "s0.service: keeps its former settings"));
	ASSERT_TRUE(told(self, "s1.service: keeps its former settings"));
	kill(main_pid(self, nth(1)), SIGKILL);
	ASSERT_TRUE(told_times(self, 2, " s1.service: started"));
	/* A counter of starts goes on, too: it has come up three times by the sixth end. */
	for (size_t i = 3; i <= 5; i++) {
		ASSERT_TRUE(reload(self));
		kill(main_pid(self, nth(1)), SIGKILL);
		ASSERT_TRUE(told_times(self, i, " s1.service: started"));
	}
	kill(main_pid(self, nth(1)), SIGKILL);
	ASSERT_TRUE(told(self, "s1.service: start limit hit: 5 starts in 3600s"));
	ENDS;
}

/* What they say comes into force with the next start, also of jobs that wait. */
TEST_F_TIMEOUT(knelld, in_force_with_the_next_start, LIMIT_S)
{
	unit(self, "a.service", "[Service]\nType=oneshot\nExecStart=/bin/sh -c "
	     "'until [ -e @/go ]; do sleep 0.05; done'\n");
	unit(self, "b.service", "[Unit]\nAfter=a.service\n[Service]\nType=oneshot\n"
	     "ExecStart=/bin/sh -c 'echo old >>@/out'\n");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(appears(self, "control"));
	unit(self, "b.service", "[Unit]\nAfter=a.service\n[Service]\nType=oneshot\n"
	     "ExecStart=/bin/sh -c 'echo new >>@/out'\n");
	unit(self, "c.service", "[Unit]\nAfter=b.service\n[Service]\nType=oneshot\n"
	     "ExecStart=/bin/sh -c 'echo c >>@/out'\n");
	ASSERT_TRUE(reload(self));
	ASSERT_EQ(0, mkdir(path_of(self, "go"), 0700));
	ASSERT_TRUE(told(self, "c.service: finished"));
	EXPECT_STREQ("new\nc\n", contents(self, "out"));
	ENDS;
}

/* Somebody's own */

#define NOBODY	65534

static void become_nobody(fixture *self)
{
	const char *knelld = getenv("KNELLD") ? getenv("KNELLD") : "/sbin/knelld";
	char path[64];
	/* Nobody may be allowed to look where it is. */
	int fd = open(knelld, O_RDONLY);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	dup2(self->into, STDOUT_FILENO);
	dup2(self->into, STDERR_FILENO);
	setenv("HOME", strcpy(path, path_of(self, "home")), 1);
	setenv("XDG_CONFIG_HOME", strcpy(path, path_of(self, "config")), 1);
	setenv("XDG_RUNTIME_DIR", strcpy(path, path_of(self, "run")), 1);
	if (fd < 0 || setgroups(0, NULL) || setgid(NOBODY) || setuid(NOBODY))
		_exit(94);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	execl(path, "knelld", "--user", "--backend=pidfd", (char *)NULL);
	_exit(95);
}

static bool start_as_nobody(fixture *self)
{
	static const char *const dirs[] = { "home", "config", "run", "config/knell",
		"config/knell/user" };

	for (size_t i = 0; i < sizeof(dirs) / sizeof(*dirs); i++)
		if (mkdir(path_of(self, dirs[i]), 0700) ||
		    chown(path_of(self, dirs[i]), NOBODY, NOBODY))
			return false;
	/* Where ask() looks for it. */
	if (symlink("run/knell/control", path_of(self, "control")) || !make_pipe(self))
		return false;
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	self->pid = fork();
	if (!self->pid)
		become_nobody(self);
	close(self->into);
	self->into = -1;
	return self->pid > 0;
}

static void own_unit(fixture *self, const char *name, const char *text)
{
	char path[64];

	snprintf(path, sizeof(path), "config/knell/user/%s", name);
	unit(self, path, "%s", text);
	chmod(path_of(self, path), 0644);
}

TEST_F_TIMEOUT(knelld, somebody_s_own, LIMIT_S)
{
	ASSERT_TRUE(start_as_nobody(self));
	ASSERT_TRUE(told(self, "startup finished: 0 started"));
	own_unit(self, "a.service", "[Service]\nRestart=always\nRestartSec=10ms\n"
		 "ExecStart=/bin/sleep 100000\n");
	own_unit(self, "id.service", "[Service]\nType=oneshot\nRuntimeDirectory=mine\n"
		 "ExecStart=/bin/sh -c 'echo $$(id -u) %t %h $$RUNTIME_DIRECTORY $$(test -d "
		 "$$RUNTIME_DIRECTORY; echo $$?) >@/home/out'\n");
	own_unit(self, "t.timer", "[Timer]\nOnActiveSec=1ms\nAccuracySec=1us\n");
	own_unit(self, "t.service", "[Service]\nType=oneshot\nExecStart=/bin/true\n");
	own_unit(self, "s.socket", "[Socket]\nListenStream=%t/s\nRemoveOnStop=yes\n");
	own_unit(self, "s.service", "[Service]\nExecStart=/bin/sleep 100000\n");
	/* What takes more than it may fails by itself. */
	own_unit(self, "root.service", "[Service]\nUser=root\nExecStart=/bin/true\n");
	own_unit(self, "nice.service", "[Service]\nNice=-10\nExecStart=/bin/sleep 100000\n");
	own_unit(self, "chroot.service", "[Service]\nRootDirectory=/tmp\nExecStart=/bin/true\n");
	ASSERT_TRUE(reload(self));
	ASSERT_TRUE(told(self, "id.service: finished"));
	ASSERT_TRUE(told(self, "t.service: finished"));
	ASSERT_TRUE(told(self, "root.service: failed"));
	ASSERT_TRUE(told(self, "nice.service: failed"));
	ASSERT_TRUE(told(self, "chroot.service: failed"));
	ASSERT_TRUE(told(self, " a.service: started"));
	{
		char text[256];

		snprintf(text, sizeof(text), "65534 %s/run %s/home %s/run/mine 0\n", self->dir,
			 self->dir, self->dir);
		EXPECT_STREQ(text, contents(self, "home/out"));
	}
	kill(main_pid(self, "a.service"), SIGKILL);
	ASSERT_TRUE(told_times(self, 2, " a.service: started"));
	EXPECT_TRUE(is(self, "s.socket", "active"));
	EXPECT_EQ(0, access(path_of(self, "run/s"), F_OK));
	EXPECT_NE(NULL, strstr(ask(self, "ManagerStatus", "", ""), "\"scope\":\"user\""));
	EXPECT_TRUE(asked(self, "StopUnits", "a.service", "\"done\""));
	ENDS;
	/* It has made nothing but in its own directories, and taken away what was for its life. */
	EXPECT_NE(0, access(path_of(self, "run/knell/control"), F_OK));
	EXPECT_NE(0, access(path_of(self, "run/s"), F_OK));
	EXPECT_NE(0, access(path_of(self, "run/mine"), F_OK));
}

TEST_HARNESS_MAIN
