// SPDX-License-Identifier: GPL-2.0-only
/*
 * knelld and all that its services fork: nothing of a service gets out of sight, whatever it does
 * to its parents and sessions, and KillMode= says whom a stop reaches.
 *
 * runner-limit: 900
 */
#include "knelld_test.h"

/* A daemon as they are: twice removed from who started it, in a session of its own. */
#define DAEMON(script)	"(setsid sh -c \"" script "\" & )"
#define OWN_PID		"\\$$\\$$"	/* of the daemon's shell, not of the one that starts it */

static const char *exe(void)
{
	static char path[256];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);

	path[n > 0 ? n : 0] = '\0';
	return path;
}

/* The killer, as the log is to name this process. */
static const char *by_us(const char *text)
{
	static char line[256];

	snprintf(line, sizeof(line), "%s, sent by pid %d (uid 0)", text, getpid());
	return line;
}

/* Is one process of the given ones left? Waits for the others. */
static bool only_lives(pid_t kept, const pid_t *gone, size_t nr)
{
	for (size_t i = 0; i < nr; i++)
		if (!dies(gone[i]))
			return false;
	return lives(kept);
}

/* Type=simple */

/* The main process goes, so does the rest; what does not want to is made to. */
TEST_F_TIMEOUT(knelld, simple_takes_its_daemons_along, LIMIT_S)
{
	pid_t soft, hard;

	unit(self, "a.service", "[Service]\nTimeoutStopSec=2s\nRestart=on-failure\nExecStart=/bin/sh -c '"
	     DAEMON("echo " OWN_PID " >@/soft; exec sleep 100000") "; "
	     DAEMON("trap : TERM; echo " OWN_PID " >@/hard; while :; do sleep 1000; done") "; "
	     "until [ -s @/soft ] && [ -s @/hard ]; do sleep 0.05; done; exit 0'\n"
	     "ExecStopPost=/bin/sh -c 'echo $SERVICE_RESULT >@/result'\n");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "a.service: restart in 100ms"));
	soft = pid_in(self, "soft");
	hard = pid_in(self, "hard");
	EXPECT_TRUE(in_order(self, "exited with status 0", "still there after 2s, SIGKILL"));
	EXPECT_STREQ("timeout\n", contents(self, "result"));
	EXPECT_FALSE(lives(soft));
	EXPECT_FALSE(lives(hard));
	ASSERT_EQ(0, stop(self));
}

/* Type=forking */

TEST_F_TIMEOUT(knelld, forking_lives_as_long_as_anything_of_it, LIMIT_S)
{
	pid_t first, second;

	unit(self, "a.service", "[Service]\nType=forking\nExecStart=/bin/sh -c '"
	     DAEMON("echo " OWN_PID " >@/first; exec sleep 100000") "; "
	     DAEMON("echo " OWN_PID " >@/second; exec sleep 100000") "; "
	     "until [ -s @/first ] && [ -s @/second ]; do sleep 0.05; done'\n");
	unit(self, "b.service", "[Unit]\nAfter=a.service\nRequires=a.service\n" SLEEPER);
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "startup finished: 2 started, 0 failed"));
	EXPECT_TRUE(in_order(self, "a.service: started, 2 processes", "b.service: started"));
	EXPECT_TRUE(has(self, "a.service: ExecStart process "));
	first = pid_in(self, "first");
	second = pid_in(self, "second");
	ASSERT_EQ(0, kill(first, SIGKILL));
	ASSERT_TRUE(dies(first));
	EXPECT_TRUE(lives(second));
	ASSERT_EQ(0, kill(second, SIGKILL));
	ASSERT_TRUE(told(self, "a.service: failed, result signal"));
	EXPECT_TRUE(in_order(self, "a.service: last process ", by_us("killed by SIGKILL")));
	ASSERT_EQ(0, stop(self));
}

/* How the last of it has ended decides, though it is nobody's child that knelld ever had. */
TEST_F_TIMEOUT(knelld, forking_restarts_by_the_last_status, LIMIT_S)
{
	unit(self, "a.service", "[Service]\nType=forking\nGuessMainPID=no\nRestart=on-failure\nExecStart=/bin/sh -c '"
	     "[ -e @/a ] && { " DAEMON("exec sleep 100000") "; exit 0; }; : >@/a; "
	     DAEMON("sleep 0.3; exit 7") "'\n");
	unit(self, "b.service", "[Service]\nType=forking\nGuessMainPID=no\nRestart=on-failure\nExecStart=/bin/sh -c '"
	     DAEMON("sleep 0.3; exit 0") "'\n");
	unit(self, "c.service", "[Service]\nType=forking\nGuessMainPID=no\nRestart=on-failure\nExecStart=/bin/sh -c '"
	     DAEMON("sleep 0.3; exit 8") "'\nSuccessExitStatus=8 SIGUSR1\n");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told_times(self, 2, "a.service: started, "));
	ASSERT_TRUE(told(self, "b.service: finished"));
	ASSERT_TRUE(told(self, "c.service: finished"));
	EXPECT_TRUE(has(self, "a.service: last process "));
	EXPECT_TRUE(has(self, "exited with status 7"));
	EXPECT_TRUE(has(self, "a.service: restart in "));
	ASSERT_EQ(0, stop(self));
}

/* GuessMainPID=: the one that the command has left behind, whatever that has forked since. */
TEST_F_TIMEOUT(knelld, the_one_that_is_left_is_the_main_one, LIMIT_S)
{
	pid_t pid;

	unit(self, "a.service", "[Service]\nType=forking\nRestart=on-failure\nExecStart=/bin/sh -c '"
	     DAEMON("sleep 100000 & echo " OWN_PID " >@/a; exec sleep 100000")
	     "; until [ -s @/a ]; do sleep 0.05; done'\n");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "a.service: started, main process "));
	pid = main_pid(self, "a.service");
	ASSERT_EQ(pid, pid_in(self, "a"));
	ASSERT_EQ(0, kill(pid, SIGSEGV));
	ASSERT_TRUE(told_times(self, 2, "a.service: started, main process "));
	EXPECT_TRUE(has(self, by_us("killed by SIGSEGV")) ||
		    has(self, by_us("killed by SIGSEGV (core dumped)")));
	ASSERT_EQ(0, stop(self));
}

TEST_F_TIMEOUT(knelld, forking_fails_with_its_command, LIMIT_S)
{
	unit(self, "a.service", "[Service]\nType=forking\nExecStart=/bin/sh -c '"
	     DAEMON("echo " OWN_PID " >@/a; exec sleep 100000")
	     "; until [ -s @/a ]; do sleep 0.05; done; exit 6'\n");
	unit(self, "b.service", "[Service]\nType=forking\nTimeoutStartSec=1s\nExecStart=/bin/sh -c '"
	     DAEMON("echo " OWN_PID " >@/b; exec sleep 100000") "; exec sleep 100000'\n");
	unit(self, "c.service", "[Service]\nType=forking\nExecStart=/bin/true\n");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "startup finished: 1 started, 2 failed"));
	EXPECT_TRUE(has(self, "a.service: failed, result exit-code"));
	EXPECT_TRUE(has(self, "b.service: ExecStart= not done within TimeoutStartSec=1s"));
	EXPECT_TRUE(has(self, "b.service: failed, result timeout"));
	ASSERT_TRUE(told(self, "c.service: finished"));
	EXPECT_FALSE(lives(pid_in(self, "a")));
	EXPECT_FALSE(lives(pid_in(self, "b")));
	ASSERT_EQ(0, stop(self));
}

/* PIDFile= */

TEST_F_TIMEOUT(knelld, the_pid_file_names_the_main_process, LIMIT_S)
{
	pid_t main, helper;

	unit(self, "a.service", "[Service]\nType=forking\nPIDFile=@/pid\nRestart=on-failure\n"
	     "ExecStart=/bin/sh -c '" DAEMON("echo " OWN_PID " >@/helper; exec sleep 100000") "; "
	     DAEMON("echo " OWN_PID " >@/pid; exec sleep 100000") "; "
	     "until [ -s @/pid ] && [ -s @/helper ]; do sleep 0.05; done'\n"
	     "ExecStartPost=/bin/sh -c 'echo $MAINPID $PIDFILE >@/post'\n");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "a.service: started, main process "));
	main = main_pid(self, "a.service");
	helper = pid_in(self, "helper");
	EXPECT_EQ(main, pid_in(self, "pid"));
	EXPECT_EQ(main, pid_in(self, "post"));
	/* Not the main one: nothing happens. Then the main one, and the rest is not left. */
	ASSERT_TRUE(lives(helper));
	ASSERT_EQ(0, kill(main, SIGSEGV));
	ASSERT_TRUE(told_times(self, 2, "a.service: started, main process "));
	EXPECT_TRUE(in_order(self, "a.service: main process ", by_us("killed by SIGSEGV")) ||
		    has(self, by_us("killed by SIGSEGV (core dumped)")));
	EXPECT_FALSE(lives(helper));
	EXPECT_NE(main, main_pid(self, "a.service"));
	ASSERT_EQ(0, stop(self));
	EXPECT_NE(0, access(path_of(self, "pid"), F_OK));
}

/* It may be older than the service, name another's process, or be none: the service runs on. */
TEST_F_TIMEOUT(knelld, a_pid_file_is_not_believed_blindly, LIMIT_S)
{
	static const char *const names[] = { "other", "gone", "text", "none", "old" };
	static const char *const why[] = {
		"it is no process of this service", "it is no process of this service",
		"it is no number of a process", "No such file or directory",
		"it is no process of this service",
	};
	char text[128], file[32];

	for (size_t i = 0; i < 5; i++) {
		snprintf(file, sizeof(file), "%s.service", names[i]);
		unit(self, file, "[Service]\nType=forking\nPIDFile=@/%s.pid\nExecStart=/bin/sh -c '"
		     DAEMON("echo " OWN_PID " >@/%s.real; exec sleep 100000")
		     "; until [ -s @/%s.real ]; do sleep 0.05; done'\n", names[i], names[i],
		     names[i]);
	}
	unit(self, "other.pid", "%d\n", getpid());
	unit(self, "gone.pid", "4194303\n");
	unit(self, "text.pid", "none\n");
	unit(self, "old.pid", "1\n");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "startup finished: 5 started, 0 failed"));
	for (size_t i = 0; i < 5; i++) {
		snprintf(text, sizeof(text), "%s.service:3: PIDFile=%s/%s.pid", names[i],
			 self->dir, names[i]);
		EXPECT_TRUE(in_order(self, text, why[i])) TH_LOG("%s", text);
		snprintf(text, sizeof(text), "%s.service: started, 1 process", names[i]);
		EXPECT_TRUE(has(self, text)) TH_LOG("%s", text);
		snprintf(text, sizeof(text), "%s.real", names[i]);
		ASSERT_EQ(0, kill(pid_in(self, text), SIGTERM));
	}
	ASSERT_TRUE(told_times(self, 5, ".service: finished"));
	EXPECT_EQ(5, occurrences(self, ": last process "));
	ASSERT_EQ(0, stop(self));
}

/* KillMode= */

static void stubborn_script(fixture *self, const char *name, const char *who, const char *before,
			    const char *trap)
{
	char file[64];

	snprintf(file, sizeof(file), "%s.%s.sh", name, who);
	unit(self, file, "trap 'echo %s >>@/%s.told; %s' TERM\n%s\necho $$ >@/%s.%s\n"
	     "while :; do sleep 0.1; done\n", who, name, trap, before, name, who);
}

/* A main process and one beside it: both write their pids, both note what they are told. */
static void pair(fixture *self, const char *name, const char *settings, const char *main_trap,
		 const char *other_trap)
{
	char text[256];

	snprintf(text, sizeof(text), "(setsid sh @/%s.other.sh & )\n"
		 "until [ -s @/%s.other ]; do sleep 0.05; done", name, name);
	stubborn_script(self, name, "main", text, main_trap);
	stubborn_script(self, name, "other", "", other_trap);
	snprintf(text, sizeof(text), "%s.service", name);
	unit(self, text, "[Service]\n%s\nExecStart=/bin/sh @/%s.main.sh\n", settings, name);
}

static void wait_for_pair(fixture *self, const char *name, pid_t pids[2])
{
	char file[64];

	snprintf(file, sizeof(file), "%s.main", name);
	pids[0] = pid_in(self, file);
	snprintf(file, sizeof(file), "%s.other", name);
	pids[1] = pid_in(self, file);
}

TEST_F_TIMEOUT(knelld, kill_mode_control_group, LIMIT_S)
{
	pid_t soft[2], hard[2];

	pair(self, "soft", "TimeoutStopSec=infinity", "exit 0", "exit 0");
	pair(self, "hard", "KillMode=control-group\nTimeoutStopSec=3s", ":", ":");
	ASSERT_TRUE(start(self));
	wait_for_pair(self, "soft", soft);
	wait_for_pair(self, "hard", hard);
	ASSERT_EQ(0, stop(self));
	EXPECT_FALSE(lives(soft[0]) || lives(soft[1]) || lives(hard[0]) || lives(hard[1]));
	EXPECT_TRUE(strstr(contents(self, "soft.told"), "main\n"));
	EXPECT_TRUE(strstr(contents(self, "soft.told"), "other\n"));
	EXPECT_TRUE(strstr(contents(self, "hard.told"), "main\n"));
	EXPECT_TRUE(strstr(contents(self, "hard.told"), "other\n"));
	EXPECT_TRUE(has(self, "soft.service: stopped\n"));
	EXPECT_TRUE(has(self, "still there after 3s, SIGKILL"));
	EXPECT_TRUE(has(self, "hard.service: stopped, result timeout"));
}

TEST_F_TIMEOUT(knelld, kill_mode_mixed, LIMIT_S)
{
	pid_t soft[2], hard[2];

	/* With the main one gone the rest is not waited for. */
	pair(self, "soft", "KillMode=mixed\nTimeoutStopSec=infinity", "exit 0", ":");
	pair(self, "hard", "KillMode=mixed\nTimeoutStopSec=3s", ":", ":");
	ASSERT_TRUE(start(self));
	wait_for_pair(self, "soft", soft);
	wait_for_pair(self, "hard", hard);
	ASSERT_EQ(0, stop(self));
	EXPECT_FALSE(lives(soft[0]) || lives(soft[1]) || lives(hard[0]) || lives(hard[1]));
	EXPECT_STREQ("main\n", contents(self, "soft.told"));
	EXPECT_STREQ("main\n", contents(self, "hard.told"));
	EXPECT_TRUE(has(self, "soft.service: stopped\n"));
	EXPECT_TRUE(has(self, "hard.service: stopped, result timeout"));
}

TEST_F_TIMEOUT(knelld, kill_mode_process, LIMIT_S)
{
	pid_t soft[2], hard[2];

	pair(self, "soft", "KillMode=process\nTimeoutStopSec=infinity", "exit 0", "exit 0");
	pair(self, "hard", "KillMode=process\nTimeoutStopSec=3s", ":", ":");
	ASSERT_TRUE(start_with(self, ORDINARY, NULL));
	wait_for_pair(self, "soft", soft);
	wait_for_pair(self, "hard", hard);
	ASSERT_EQ(0, stop(self));
	EXPECT_TRUE(only_lives(soft[1], soft, 1));
	EXPECT_TRUE(only_lives(hard[1], hard, 1));
	EXPECT_STREQ("main\n", contents(self, "soft.told"));
	EXPECT_STREQ("main\n", contents(self, "hard.told"));
	EXPECT_TRUE(has(self, "run on: KillMode=process"));
	EXPECT_TRUE(has(self, "soft.service: stopped\n"));
	EXPECT_TRUE(has(self, "hard.service: stopped, result timeout"));
	kill(soft[1], SIGKILL);
	kill(hard[1], SIGKILL);
}

TEST_F_TIMEOUT(knelld, kill_mode_none, LIMIT_S)
{
	pid_t pids[2];

	pair(self, "a", "KillMode=none\nTimeoutStopSec=infinity\n"
	     "ExecStop=/bin/sh -c 'echo stop $MAINPID >@/stop'", "exit 0", "exit 0");
	ASSERT_TRUE(start_with(self, ORDINARY, NULL));
	wait_for_pair(self, "a", pids);
	ASSERT_EQ(0, stop(self));
	EXPECT_TRUE(lives(pids[0]) && lives(pids[1]));
	EXPECT_STREQ("", contents(self, "a.told"));
	EXPECT_EQ(pids[0], atoi(contents(self, "stop") + 5));
	EXPECT_TRUE(has(self, "run on: KillMode=none"));
	EXPECT_TRUE(has(self, "a.service: stopped\n"));
	kill(pids[0], SIGKILL);
	kill(pids[1], SIGKILL);
}

TEST_F_TIMEOUT(knelld, other_signals_and_none, LIMIT_S)
{
	pid_t pid;

	unit(self, "usr.service", "[Service]\nKillSignal=SIGUSR1\nTimeoutStopSec=infinity\n"
	     "ExecStart=/bin/sleep 100000\n");
	unit(self, "usr2.service", "[Service]\nTimeoutStopSec=2s\nFinalKillSignal=USR2\n"
	     "ExecStart=/bin/sh -c 'trap : TERM; : >@/up; while :; do sleep 0.1; done'\n");
	unit(self, "spared.service", "[Service]\nTimeoutStopSec=2s\nSendSIGKILL=no\nExecStart="
	     "/bin/sh -c 'trap : TERM; echo $$$$ >@/spared; while :; do sleep 0.1; done'\n");
	ASSERT_TRUE(start_with(self, ORDINARY, NULL));
	pid = pid_in(self, "spared");
	ASSERT_TRUE(appears(self, "up"));
	ASSERT_EQ(0, stop(self));
	EXPECT_TRUE(has(self, "usr.service: stopping, SIGUSR1 to "));
	EXPECT_TRUE(has(self, "killed by SIGUSR1, sent by knelld"));
	EXPECT_TRUE(has(self, "usr.service: stopped, result signal\n"));
	EXPECT_TRUE(has(self, "killed by SIGUSR2"));
	EXPECT_TRUE(has(self, "left alone: SendSIGKILL=no"));
	EXPECT_TRUE(lives(pid));
	kill(pid, SIGKILL);
}

/* Other commands */

TEST_F_TIMEOUT(knelld, commands_around_the_service, LIMIT_S)
{
	unit(self, "a.service", "[Service]\nExecStart=/bin/sh -c 'echo start >>@/a; "
	     "exec sleep 100000'\nExecStartPre=/bin/sh -c 'echo pre >>@/a'\n"
	     "ExecStartPost=/bin/sh -c 'until grep -q start @/a; do sleep 0.05; done; "
	     "echo post $MAINPID >>@/a'\n"
	     "ExecStop=/bin/sh -c 'echo stop $MAINPID >>@/a; kill -USR2 $MAINPID'\n"
	     "ExecStopPost=/bin/sh -c 'echo gone $EXIT_STATUS >>@/a'\n");
	unit(self, "b.service", "[Unit]\nAfter=a.service\n[Service]\nType=oneshot\n"
	     "ExecStart=/bin/sh -c 'cp @/a @/b'\n");
	/* A failure beside it ends the service; ExecStop= is for those that were up. */
	unit(self, "c.service", "[Service]\nExecStart=/bin/sleep 100000\n"
	     "ExecStartPost=/bin/false\nExecStop=/bin/sh -c ': >@/c'\n");
	/* Its end of itself is a stop, too. */
	unit(self, "d.service", "[Service]\nExecStart=/bin/true\n"
	     "ExecStop=/bin/sh -c 'echo $${MAINPID-none} >@/d'\n");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "startup finished: 3 started, 1 failed"));
	ASSERT_TRUE(told(self, "c.service: failed, result exit-code"));
	ASSERT_TRUE(told(self, "d.service: finished"));
	EXPECT_NE(NULL, strstr(contents(self, "b"), "pre\nstart\npost "));
	EXPECT_NE(0, access(path_of(self, "c"), F_OK));
	EXPECT_STREQ("none\n", contents(self, "d"));
	ASSERT_EQ(0, stop(self));
	EXPECT_NE(NULL, strstr(contents(self, "a"), "\nstop "));
	EXPECT_NE(NULL, strstr(contents(self, "a"), "\ngone USR2\n"));
}

/* What a command leaves does not outlive it, so that the next one finds nothing of it. */
TEST_F_TIMEOUT(knelld, commands_leave_nothing_behind, LIMIT_S)
{
	unit(self, "a.service", "[Service]\nExecStartPre=/bin/sh -c '"
	     DAEMON("trap : TERM; echo " OWN_PID " >@/a; while :; do sleep 0.1; done")
	     "; until [ -s @/a ]; do sleep 0.05; done'\n"
	     "ExecStart=/bin/sh -c 'kill -0 $$(cat @/a) && echo alive >@/seen; exec sleep 100000'\n");
	unit(self, "b.service", "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/sh -c '"
	     DAEMON("echo " OWN_PID " >@/b; exec sleep 100000")
	     "; until [ -s @/b ]; do sleep 0.05; done'\nExecStart=/bin/sh -c 'kill -0 $$(cat @/b)'\n");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "startup finished: 2 started, 0 failed"));
	EXPECT_NE(0, access(path_of(self, "seen"), F_OK));
	EXPECT_FALSE(lives(pid_in(self, "a")));
	/* A oneshot that stays up keeps what it has made until it is stopped. */
	EXPECT_TRUE(lives(pid_in(self, "b")));
	ASSERT_EQ(0, stop(self));
	EXPECT_FALSE(lives(pid_in(self, "b")));
}

TEST_F_TIMEOUT(knelld, statuses_that_decide, LIMIT_S)
{
	const char *text = "[Service]\nRestart=%s\nExecStart=/bin/sh -c '%s'\n%s\n";

	unit(self, "a.service", text, "on-failure", "exit 3", "SuccessExitStatus=1 3");
	unit(self, "b.service", text, "on-failure", "kill -USR1 $$$$", "SuccessExitStatus=SIGUSR1");
	unit(self, "c.service", text, "always", "exit 4", "RestartPreventExitStatus=4 KILL");
	unit(self, "d.service", text, "always", "kill -KILL $$$$", "RestartPreventExitStatus=4 KILL");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "a.service: finished"));
	ASSERT_TRUE(told(self, "b.service: finished"));
	ASSERT_TRUE(told(self, "c.service: failed, result exit-code"));
	ASSERT_TRUE(told(self, "d.service: failed, result signal"));
	EXPECT_FALSE(has(self, "restart in"));
	EXPECT_TRUE(has(self, "killed by SIGKILL, sent by itself"));
	ASSERT_EQ(0, stop(self));
}

/* Who killed it */

TEST_F_TIMEOUT(knelld, the_killer_is_named, LIMIT_S)
{
	unit(self, "a.service", SLEEPER);
	unit(self, "b.service", "[Service]\nExecStart=/bin/sh -c 'ulimit -t 1; while :; do :; done'\n");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "a.service: started"));
	kill(main_pid(self, "a.service"), SIGABRT);
	ASSERT_TRUE(told(self, "a.service: failed, result "));
	EXPECT_TRUE(has(self, by_us("killed by SIGABRT")) ||
		    has(self, by_us("killed by SIGABRT (core dumped)")));
	/* The kernel is no process. */
	ASSERT_TRUE(told(self, "b.service: failed, result "));
	EXPECT_TRUE(has(self, "killed by SIGXCPU") || has(self, "killed by SIGKILL"));
	EXPECT_FALSE(has(self, "SIGXCPU, sent") || has(self, "SIGKILL, sent"));
	ASSERT_EQ(0, stop(self));
}

TEST_F_TIMEOUT(knelld, the_oom_killer_is_named, LIMIT_S)
{
	const char *group = "/sys/fs/cgroup/knelld-oom";
	char path[128];

	/* The kernel shows where it was when it ran out: nothing that the runner is to see. */
	ASSERT_EQ(0, write_file("/proc/sys/kernel/printk", "1"));
	ASSERT_EQ(0, write_file("/sys/fs/cgroup/cgroup.subtree_control", "+memory"));
	ASSERT_EQ(0, mkdir(group, 0755));
	snprintf(path, sizeof(path), "%s/memory.max", group);
	ASSERT_EQ(0, write_file(path, "8M"));
	unit(self, "a.service", "[Service]\nExecStart=/bin/sh -c "
	     "'echo $$$$ >%s/cgroup.procs; exec tail /dev/zero'\n", group);
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "a.service: failed, result signal"));
	EXPECT_TRUE(has(self, "killed by SIGKILL by the kernel: out of memory, cpu "));
	ASSERT_EQ(0, stop(self));
	EXPECT_EQ(0, rmdir(group));
	ASSERT_EQ(0, write_file("/proc/sys/kernel/printk", "5"));
}

/* Trees in trees */

static void inner_units(fixture *self)
{
	char name[64];

	if (mkdir(path_of(self, "inner"), 0755))
		abort();
	for (int i = 0; i < 5; i++) {
		snprintf(name, sizeof(name), "inner/s%d.service", i);
		unit(self, name, "[Service]\nRestart=always\nExecStart=/bin/sh -c '"
		     DAEMON("trap : TERM; echo " OWN_PID " >@/daemon%d; while :; do sleep 0.1; done")
		     "; echo $$$$ >@/main%d; exec sleep 100000'\nTimeoutStopSec=1s\n", i, i);
	}
}

static void inner_pids(fixture *self, pid_t pids[10])
{
	char name[64];

	for (int i = 0; i < 5; i++) {
		snprintf(name, sizeof(name), "main%d", i);
		pids[2 * i] = pid_in(self, name);
		snprintf(name, sizeof(name), "daemon%d", i);
		pids[2 * i + 1] = pid_in(self, name);
	}
}

/* The inner one stops its own; what belongs to its services belongs to it, whatever they do. */
TEST_F_TIMEOUT(knelld, knelld_under_knelld, LIMIT_S)
{
	const char *knelld = getenv("KNELLD") ? getenv("KNELLD") : "/sbin/knelld";
	pid_t pids[10];

	inner_units(self);
	unit(self, "mixed.service", "[Service]\nKillMode=mixed\nExecStart=%s --unit-dir @/inner\n",
	     knelld);
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "startup finished: 5 started"));
	inner_pids(self, pids);
	kill(pids[0], SIGKILL);
	ASSERT_TRUE(told_times(self, 2, "s0.service: started, main process"));
	inner_pids(self, pids);
	ASSERT_EQ(0, stop(self));
	for (int i = 0; i < 10; i++)
		EXPECT_FALSE(lives(pids[i]));
	EXPECT_EQ(5, occurrences(self, ".service: stopped"  ) - occurrences(self,
		  "mixed.service: stopped"));
	EXPECT_TRUE(in_order(self, "s4.service: stopped", "mixed.service: stopped\n"));
}

/* Killed, it takes its services along, for they are the outer one's as well. */
TEST_F_TIMEOUT(knelld, a_killed_inner_knelld_leaves_nothing, LIMIT_S)
{
	const char *knelld = getenv("KNELLD") ? getenv("KNELLD") : "/sbin/knelld";
	pid_t pids[10];

	inner_units(self);
	unit(self, "group.service", "[Service]\nTimeoutStopSec=2s\nRestart=on-success\n"
	     "ExecStart=%s --no-keep --unit-dir @/inner\n", knelld);
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "startup finished: 5 started"));
	inner_pids(self, pids);
	kill(main_pid(self, "group.service"), SIGKILL);
	ASSERT_TRUE(told(self, "group.service: failed, result signal"));
	for (int i = 0; i < 10; i++)
		EXPECT_FALSE(lives(pids[i]));
	ASSERT_EQ(0, stop(self));
}

/* A service that follows itself with a tree of its own stays in knelld's. */
static void __attribute__((constructor)) follow_myself(void)
{
	const char *file = getenv("FOLLOW_MYSELF");
	struct knell_op ops[] = {
		op_add(KNELL_TREE, 0, 1), { .op = KNELL_OP_JOIN, .watch = KNELL_LAST },
	};
	struct knell_submit s = { .ops = (uintptr_t)ops, .nr_ops = 2 };
	FILE *f;
	pid_t pid;

	if (!file)
		return;
	strcpy(ops[0].tree.label, "own");
	if (ioctl(knell_open(0), KNELL_IOC_SUBMIT, &s) || ops[0].result || ops[1].result)
		_exit(90);
	pid = fork();
	if (pid) {
		f = fopen(file, "w");
		if (!f || fprintf(f, "%d\n", pid) < 0 || fclose(f))
			_exit(91);
		_exit(11);
	}
	setsid();
	for (;;)
		pause();
}

TEST_F_TIMEOUT(knelld, a_service_that_joins_a_tree_of_its_own, LIMIT_S)
{
	pid_t child;

	unit(self, "a.service", "[Service]\nEnvironment=FOLLOW_MYSELF=@/child\nExecStart=%s\n",
	     exe());
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "a.service: failed, result exit-code"));
	EXPECT_TRUE(has(self, "exited with status 11"));
	child = pid_in(self, "child");
	EXPECT_LT(0, child);
	EXPECT_FALSE(lives(child));
	ASSERT_EQ(0, stop(self));
}

TEST_HARNESS_MAIN
