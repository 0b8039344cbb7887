// SPDX-License-Identifier: GPL-2.0-only
/* Services that speak: sd_notify(3) and its rules, watchdog, store, s6's newline, a bus. */
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "host.h"
#include "talker.h"

TEST_F_TIMEOUT(knelld, ready_when_it_says_so, LIMIT_S)
{
	mkfifo(path_of(self, "go"), 0600);
	speaker(self, "a.service", "Type=notify\n", "put=here wait=@/go say=READY=1 pause");
	unit(self, "b.service", "[Unit]\nAfter=a.service\n[Service]\nExecStart=/bin/sleep 100000\n");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "talker: here"));
	read_within(self, 200);
	EXPECT_FALSE(has(self, "a.service: started"));
	EXPECT_FALSE(has(self, "b.service: started"));
	go(self, "go");
	ASSERT_TRUE(told(self, "b.service: started"));
	EXPECT_TRUE(in_order(self, "a.service: started", "b.service: started"));
	ASSERT_EQ(0, stop(self));
	EXPECT_TRUE(nothing_left());
}

TEST_F_TIMEOUT(knelld, never_ready_is_a_failure, LIMIT_S)
{
	speaker(self, "a.service", "Type=notify\nTimeoutStartSec=300ms\n", "pause");
	speaker(self, "b.service", "Type=notify\n", "exit=0");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "a.service: failed, result timeout"));
	ASSERT_TRUE(told(self, "b.service: failed, result protocol"));
	ASSERT_EQ(0, stop(self));
}

/* systemd#2737: who said it has died before it is heard. */
TEST_F_TIMEOUT(knelld, a_dead_child_is_heard, LIMIT_S)
{
	speaker(self, "a.service", "Type=notify\nNotifyAccess=all\n", "child=READY=1 pause");
	/* The main process itself, with its last breath. */
	speaker(self, "b.service", "Type=notify\nRemainAfterExit=yes\n", "say=READY=1 exit=0");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "a.service: started"));
	ASSERT_TRUE(told(self, "b.service: done, stays up"));
	EXPECT_FALSE(has(self, "protocol"));
	ASSERT_EQ(0, stop(self));
}

TEST_F_TIMEOUT(knelld, access_rules, LIMIT_S)
{
	mkfifo(path_of(self, "go"), 0600);
	/* main is what Type=notify means. */
	speaker(self, "a.service", "Type=notify\n", "child=READY=1 put=refused wait=@/go "
		"say=NOTIFYACCESS=all child=READY=1 pause");
	unit(self, "b.service", "[Service]\nNotifyAccess=exec\nType=notify\n"
	     "ExecStartPre=%s child=STATUS=x say=STATUS=y\nExecStart=%s say=READY=1 pause\n", talker(), talker());
	unit(self, "c.service", "[Service]\nNotifyAccess=none\nExecStart=%s env=NOTIFY_SOCKET pause\n",
	     talker());
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "talker: refused"));
	ASSERT_TRUE(told(self, "NOTIFY_SOCKET is not set"));
	ASSERT_TRUE(told(self, "b.service: started"));
	ASSERT_TRUE(told_times(self, 2, "ignored: NotifyAccess= does not permit it"));
	EXPECT_FALSE(has(self, "a.service: started"));
	go(self, "go");
	ASSERT_TRUE(told(self, "a.service: started"));
	ASSERT_EQ(0, stop(self));
}

/* What the log says of a service's NOTIFY_SOCKET. */
static const char *socket_told(fixture *self)
{
	static char path[128];
	const char *at = strstr(self->log, "NOTIFY_SOCKET is ");

	sscanf(at ? at : "", "NOTIFY_SOCKET is %127s", path);
	return path;
}

static int say_as(uid_t uid, const char *path, const char *text)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	pid_t pid = fork();
	int status;

	strcpy(a.sun_path, path);
	if (!pid) {
		int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

		if (syscall(SYS_setresuid, uid, uid, uid))
			_exit(2);
		_exit(sendto(fd, text, strlen(text), 0, (struct sockaddr *)&a, sizeof(a)) < 0);
	}
	return waitpid(pid, &status, 0) == pid ? status : -1;
}

/* Anybody can write to the socket, and is known by the kernel's word. */
TEST_F_TIMEOUT(knelld, strangers_are_refused, LIMIT_S)
{
	if (geteuid())
		SKIP(return, "root alone can be somebody else");
	speaker(self, "a.service", "Type=notify\nNotifyAccess=all\nUser=nobody\n",
		"env=NOTIFY_SOCKET pause");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "NOTIFY_SOCKET is /"));
	ASSERT_EQ(0, say_as(12345, socket_told(self), "READY=1"));
	ASSERT_TRUE(told(self, "uid 12345, ignored: it is none of its processes"));
	EXPECT_FALSE(has(self, "a.service: started"));
	/* Its own user may, from wherever. */
	ASSERT_EQ(0, say_as(65534, socket_told(self), "READY=1"));
	ASSERT_TRUE(told(self, "a.service: started"));
	/* And may not have others signalled in its name. */
	ASSERT_EQ(0, say_as(65534, socket_told(self), "MAINPID=1"));
	ASSERT_TRUE(told(self, "MAINPID= is none of its processes"));
	ASSERT_EQ(0, stop(self));
	EXPECT_NE(0, access(socket_told(self), F_OK));
}

static pid_t parent_of(pid_t pid)
{
	char line[512];
	const char *stat = stat_of(pid, line, sizeof(line));
	int parent;

	return stat && sscanf(stat, " %*c %d", &parent) == 1 ? parent : -1;
}

TEST_F_TIMEOUT(knelld, another_main_process, LIMIT_S)
{
	uint64_t end = patience_ends();
	char text[64];
	pid_t pid;

	speaker(self, "a.service", "Type=notify\nNotifyAccess=all\n", "daemon put=daemon pause");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "a.service: started, main process "));
	ASSERT_TRUE(told(self, "talker: daemon"));
	pid = main_pid(self, "a.service");
	ASSERT_TRUE(lives(pid));
	snprintf(text, sizeof(text), "a.service: its main process is %d from now on", pid);
	EXPECT_TRUE(has(self, text));
	/* How it ends is for its parent to know, without the module. */
	while (parent_of(pid) != self->pid)
		ASSERT_TRUE(look_again(end));
	kill(pid, SIGKILL);
	ASSERT_TRUE(told(self, "a.service: failed, result signal"));
	ASSERT_EQ(0, stop(self));
	EXPECT_TRUE(nothing_left());
}

TEST_F_TIMEOUT(knelld, more_time_when_asked_for, LIMIT_S)
{
	mkfifo(path_of(self, "go"), 0600);
	speaker(self, "a.service", "Type=notify\nTimeoutStartSec=1s\n",
		"say=EXTEND_TIMEOUT_USEC=600000000 put=asked wait=@/go say=READY=1 pause");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "talker: asked"));
	/* Never early is what can be said. */
	read_within(self, 2000);
	EXPECT_FALSE(has(self, "timeout"));
	go(self, "go");
	ASSERT_TRUE(told(self, "a.service: started"));
	ASSERT_EQ(0, stop(self));
}

TEST_F_TIMEOUT(knelld, a_barrier_is_passed, LIMIT_S)
{
	speaker(self, "a.service", "Type=notify\n", "say=READY=1 barrier put=passed pause");
	unit(self, "b.service", "[Service]\nType=notify\nNotifyAccess=all\nExecStart=/bin/sh -c "
	     "'systemd-notify --ready --status=x && echo said; exec sleep 100000'\n");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "talker: passed"));
	ASSERT_TRUE(told(self, "said"));
	ASSERT_TRUE(told(self, "a.service: started"));
	ASSERT_TRUE(told(self, "b.service: started"));
	ASSERT_EQ(0, stop(self));
}

TEST_F_TIMEOUT(knelld, watchdog, LIMIT_S)
{
	speaker(self, "a.service", "Type=notify\nWatchdogSec=500ms\n",
		"say=READY=1 dog pings=8,150 put=silence pause");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "talker: watchdog 1 500000"));
	ASSERT_TRUE(told(self, "talker: silence"));
	ASSERT_TRUE(told(self, "a.service: failed, result watchdog"));
	EXPECT_TRUE(in_order(self, "talker: silence", "no sign of life within WatchdogSec=500ms"));
	EXPECT_TRUE(has(self, "killed by SIGABRT"));
	ASSERT_EQ(0, stop(self));
}

TEST_F_TIMEOUT(knelld, watchdog_changed_and_triggered, LIMIT_S)
{
	mkfifo(path_of(self, "go"), 0600);
	/* Longer than it would have been allowed to be silent. */
	speaker(self, "a.service", "Type=notify\nWatchdogSec=300ms\n",
		"say=READY=1\\nWATCHDOG_USEC=600000000 put=set wait=@/go say=WATCHDOG=trigger pause");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "talker: set"));
	read_within(self, 1000);
	EXPECT_FALSE(has(self, "no sign of life"));
	go(self, "go");
	ASSERT_TRUE(told(self, "a.service: failed, result watchdog"));
	ASSERT_EQ(0, stop(self));
}

TEST_F_TIMEOUT(knelld, descriptors_come_back, LIMIT_S)
{
	unit(self, "a.service", "[Service]\nNotifyAccess=main\nFileDescriptorStoreMax=3\nRestart=always\n"
	     "RestartSec=10ms\nExecStart=/bin/sh -c 'if [ -e @/ran ]; then "
	     "exec %s fds show=0 show=1 forget=one exit=1; else touch @/ran; "
	     "exec %s fds store=one:hello pair=gone store=two:world say=STATUS=x barrier exit=1; fi'\n",
	     talker(), talker());
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "talker: 0 fds:\n"));
	/* The other end of the pair died with the service. */
	ASSERT_TRUE(told(self, "talker: 2 fds: one two\n"));
	ASSERT_TRUE(told(self, "talker: content hello\n"));
	ASSERT_TRUE(told(self, "talker: content world\n"));
	ASSERT_TRUE(told(self, "talker: 1 fds: two\n"));
	ASSERT_EQ(0, stop(self));
}

TEST_F_TIMEOUT(knelld, the_store_has_its_limit, LIMIT_S)
{
	unit(self, "a.service", "[Service]\nNotifyAccess=main\nFileDescriptorStoreMax=1\nRestart=always\n"
	     "RestartSec=10ms\nExecStart=/bin/sh -c 'if [ -e @/ran ]; then "
	     "exec %s fds pause; else touch @/ran; "
	     "exec %s store=one:hello store=two:world barrier exit=1; fi'\n", talker(), talker());
	/* And to begin with it is 0. */
	speaker(self, "b.service", "NotifyAccess=main\n", "store=one:hello pause");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "talker: 1 fds: one\n"));
	ASSERT_TRUE(told_times(self, 2, "more descriptors than FileDescriptorStoreMax="));
	ASSERT_EQ(0, stop(self));
}

TEST_F_TIMEOUT(knelld, a_newline_on_a_descriptor, LIMIT_S)
{
	mkfifo(path_of(self, "go"), 0600);
	speaker(self, "a.service", "Type=notify\nX-Knell-NotifyFD=5\n",
		"write=5:half put=half wait=@/go write=5:way\\n close=5 pause");
	/* Closed without a word: it is not ready, and nobody turns in circles. */
	speaker(self, "b.service", "Type=notify\nX-Knell-NotifyFD=3\nTimeoutStartSec=500ms\n",
		"close=3 pause");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "talker: half"));
	ASSERT_TRUE(told(self, "b.service: failed, result timeout"));
	EXPECT_FALSE(has(self, "a.service: started"));
	go(self, "go");
	ASSERT_TRUE(told(self, "a.service: started"));
	ASSERT_EQ(0, stop(self));
}

TEST_F_TIMEOUT(knelld, a_flood_harms_nobody, LIMIT_S)
{
	unit(self, "a.service", "[Service]\nNotifyAccess=all\nExecStart=%s flood\n", talker());
	unit(self, "b.service", "[Service]\nRestart=always\nRestartSec=1ms\nStartLimitIntervalSec=0\n"
	     "ExecStart=/bin/true\n");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told_times(self, 50, "b.service: started"));
	ASSERT_EQ(0, stop(self));
	EXPECT_TRUE(nothing_left());
}

static pid_t start_bus(fixture *self)
{
	char address[128], arg[160], c;
	int p[2];
	pid_t pid;

	snprintf(address, sizeof(address), "unix:path=%s", path_of(self, "bus"));
	setenv("DBUS_SYSTEM_BUS_ADDRESS", address, 1);
	setenv("DBUS_SESSION_BUS_ADDRESS", address, 1);
	if (pipe(p))
		return -1;
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		snprintf(arg, sizeof(arg), "--address=%s", address);
		dup2(p[1], STDOUT_FILENO);
		close(p[0]);
		close(p[1]);
		execlp("dbus-daemon", "dbus-daemon", "--session", "--nofork", "--nopidfile",
		       "--nosyslog", "--print-address", arg, NULL);
		_exit(127);
	}
	close(p[1]);
	if (read(p[0], &c, 1) != 1)
		return -1;
	close(p[0]);
	return pid;
}

TEST_F_TIMEOUT(knelld, a_name_on_the_bus, LIMIT_S)
{
	pid_t bus = start_bus(self);

	ASSERT_GT(bus, 0);
	mkfifo(path_of(self, "go"), 0600);
	mkfifo(path_of(self, "leave"), 0600);
	speaker(self, "a.service", "Type=dbus\nBusName=org.example.T\n"
		"PassEnvironment=DBUS_SYSTEM_BUS_ADDRESS\n",
		"put=here wait=@/go own=org.example.T wait=@/leave disown=org.example.T pause");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "talker: here"));
	read_within(self, 200);
	EXPECT_FALSE(has(self, "a.service: started"));
	go(self, "go");
	ASSERT_TRUE(told(self, "a.service: started"));
	go(self, "leave");
	/* Without its name it is no service. */
	ASSERT_TRUE(told(self, "a.service: finished"));
	ASSERT_EQ(0, stop(self));
	kill(bus, SIGKILL);
	waitpid(bus, NULL, 0);
}

TEST_F_TIMEOUT(knelld, no_bus_is_no_obstacle, LIMIT_S)
{
	setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nowhere", 1);
	speaker(self, "a.service", "Type=dbus\nBusName=org.example.T\n", "pause");
	speaker(self, "b.service", "Type=dbus\nBusName=org.example.U\n", "pause");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "a.service: started"));
	ASSERT_TRUE(told(self, "b.service: started"));
	EXPECT_EQ(1, occurrences(self, "no message bus"));
	ASSERT_EQ(0, stop(self));
}

/* What says all the time that it is to be aborted is killed in the end. */
TEST_F_TIMEOUT(knelld, nobody_puts_off_its_own_end, LIMIT_S)
{
	speaker(self, "a.service", "Type=notify\nTimeoutStopSec=1500ms\n",
		"ignore=6 ignore=15 say=READY=1 nag=WATCHDOG=trigger");
	speaker(self, "b.service", "Type=notify\nTimeoutStopSec=1500ms\n",
		"ignore=6 ignore=15 say=READY=1 nag=STOPPING=1");
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "a.service: failed, result watchdog"));
	ASSERT_TRUE(told(self, "b.service: failed, result timeout"));
	EXPECT_EQ(2, occurrences(self, "killed by SIGKILL"));
	ASSERT_EQ(0, stop(self));
	EXPECT_TRUE(nothing_left());
}

/* FileDescriptorStorePreserve= x what comes after the end of the run. */
TEST_F_TIMEOUT(knelld, how_long_descriptors_are_kept, LIMIT_S)
{
	static const struct {
		const char *line;
		size_t restart, stop;	/* are they there after that? */
	} keeps[] = {
		{ "FileDescriptorStorePreserve=no\n", 0, 0 },
		{ "FileDescriptorStorePreserve=restart\n", 1, 0 },
		{ "FileDescriptorStorePreserve=yes\n", 1, 1 },
		{ "", 1, 0 },
	};
	char name[32], text[64];
	size_t there = 0;

	for (int i = 0; i < 4; i++) {
		snprintf(name, sizeof(name), "%d.service", i);
		unit(self, name, "[Service]\nType=notify\nFileDescriptorStoreMax=3\n%sExecStart=%s fds "
		     "forget=it store=it:x say=READY=1 pause\n[Install]\nWantedBy=x.target\n", keeps[i].line,
		     talker());
	}
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "startup finished"));
	for (int i = 0; i < 4; i++) {
		snprintf(name, sizeof(name), "%d.service", i);
		snprintf(text, sizeof(text), "%s: started", name);
		EXPECT_TRUE(asked(self, "StartUnits", name, "\"done\""));
		EXPECT_TRUE(asked(self, "RestartUnits", name, "\"done\""));
		ASSERT_TRUE(told_times(self, 2, text));
		there += keeps[i].restart;
		EXPECT_EQ(there, occurrences(self, "talker: 1 fds: it")) TH_LOG("%s", name);
		EXPECT_TRUE(asked(self, "StopUnits", name, "\"done\""));
		EXPECT_TRUE(asked(self, "StartUnits", name, "\"done\""));
		ASSERT_TRUE(told_times(self, 3, text));
		there += keeps[i].stop;
		EXPECT_EQ(there, occurrences(self, "talker: 1 fds: it")) TH_LOG("%s", name);
	}
	EXPECT_EQ(12 - there, occurrences(self, "talker: 0 fds"));
	ASSERT_EQ(0, stop(self));
	EXPECT_TRUE(nothing_left());
}

/* More descriptors than the limit says: it is raised for knelld, and not for its services. */
TEST_F_TIMEOUT(knelld, more_that_talk_than_the_limit_of_descriptors, LIMIT_S)
{
	const struct rlimit few = { 128, 4096 };
	char name[32];

	for (int i = 0; i < 200; i++) {
		snprintf(name, sizeof(name), "%d.service", i);
		unit(self, name, "[Service]\nNotifyAccess=main\nType=oneshot\nRemainAfterExit=yes\n"
		     "ExecStart=/bin/sh -c 'ulimit -n >@/%d.limit'\n", i);
	}
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &few));
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "startup finished: 200 started, 0 failed"));
	for (int i = 0; i < 200; i++) {
		snprintf(name, sizeof(name), "%d.limit", i);
		ASSERT_STREQ("128\n", contents(self, name));
	}
	ASSERT_EQ(0, stop(self));
	EXPECT_TRUE(nothing_left());
}

TEST_HARNESS_MAIN
