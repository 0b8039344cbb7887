// SPDX-License-Identifier: GPL-2.0-only
/*
 * knelld is killed, or replaced by another program, while units are at something: each goes on from
 * there. What a kill -9 takes along is had again as far as it can be, and the rest is told.
 *
 * runner-limit: 1500
 */
#define MORE_OPTIONS "--control", path_of(self, "control"),
#include "knelld_speaker.h"

#define NR_SHORT	10
#define TOOK_OVER	"from a knelld that is gone"

static bool begin(fixture *self)
{
	return start_with(self, ORDINARY, NULL);
}

/* The next one, up to the point where it has taken over. */
static bool again(fixture *self)
{
	size_t nr = occurrences(self, TOOK_OVER);

	kill_knelld(self);
	return begin(self) && told_times(self, nr + 1, TOOK_OVER);
}

static bool reexec(fixture *self)
{
	size_t nr = occurrences(self, TOOK_OVER);

	ask(self, "Reexec", "", "");
	return told_times(self, nr + 1, TOOK_OVER);
}

static bool sub_becomes(fixture *self, const char *name, const char *sub)
{
	char text[64];

	snprintf(text, sizeof(text), "\"sub\":\"%s\"", sub);
	return becomes(self, name, text);
}

/* The number behind a name in a reply; -1 */
static long long number_in(const char *reply, const char *name)
{
	char text[64];
	const char *at;

	snprintf(text, sizeof(text), "\"%s\":", name);
	at = strstr(reply, text);
	return at ? atoll(at + strlen(text)) : -1;
}

static pid_t pid_of(fixture *self, const char *name)
{
	return number_in(ask(self, "UnitStatus", name, ""), "mainPid");
}

/* A reply as it is but for what is computed when it is made; to be freed. */
static char *lasting(const char *reply)
{
	char *copy = strdup(reply), *at = copy, *end;

	while ((at = strstr(at, "\"realtimeUsec\":"))) {
		at += strlen("\"realtimeUsec\":");
		end = at + strspn(at, "0123456789");
		memmove(at, end, strlen(end) + 1);
	}
	return copy;
}

/* Phases */

#define WAIT_FOR_GO	"/bin/sh -c ': <@/go'"

static const struct {
	const char *name, *text, *sub;	/* what it is at when knelld is killed, */
	const char *then;		/* and at last */
} phases[] = {
	{ "condition", "ExecCondition=" WAIT_FOR_GO "\nExecStart=/bin/sleep 100000\n",
	  "condition", "running" },
	{ "pre", "ExecStartPre=/bin/sh -c 'echo pre >>@/pre'\nExecStartPre=" WAIT_FOR_GO "\n"
	  "ExecStart=/bin/sleep 100000\n", "start-pre", "running" },
	{ "start", "Type=oneshot\nRemainAfterExit=yes\nExecStart=" WAIT_FOR_GO "\n",
	  "start", "exited" },
	{ "late", "Type=oneshot\nRemainAfterExit=yes\nExecStart=/bin/sh -c 'echo late >>@/late'\n",
	  "dead", "exited" },
	{ "post", "ExecStart=/bin/sleep 100000\nExecStartPost=" WAIT_FOR_GO "\n",
	  "start-post", "running" },
	{ "failing", "ExecStart=/bin/sleep 100000\n"
	  "ExecStartPost=/bin/sh -c ': <@/go; exit 3'\n", "start-post", "failed" },
	{ "running", "ExecStart=/bin/sleep 100000\n", "running", "running" },
	{ "exited", "Type=oneshot\nRemainAfterExit=yes\nExecStart=/bin/sh -c 'echo ran >>@/exited'\n",
	  "exited", "exited" },
	{ "reload", "ExecStart=/bin/sleep 100000\nExecReload=" WAIT_FOR_GO "\n",
	  "reload", "running" },
	{ "stop", "ExecStart=/bin/sleep 100000\nExecStop=" WAIT_FOR_GO "\n", "stop", "dead" },
	{ "term", "ExecStart=/bin/sh -c 'trap \": <@/go; exit 0\" TERM; : >@/term; "
	  "while :; do sleep 1000 & wait; done'\nKillMode=mixed\n", "stop-sigterm", "dead" },
	{ "over", "ExecStart=/bin/true\nExecStopPost=" WAIT_FOR_GO "\n", "stop-post", "dead" },
	{ "delay", "ExecStart=/bin/true\nRestart=always\nRestartSec=1h\n",
	  "auto-restart", "auto-restart" },
	{ "limit", "ExecStart=/bin/false\nRestart=always\nRestartSec=0\nStartLimitBurst=3\n"
	  "StartLimitIntervalSec=infinity\n", "failed", "failed" },
	{ "failed", "ExecStart=/bin/sh -c 'kill -9 $$$$'\n", "failed", "failed" },
	{ "ended", "ExecStart=/bin/true\n", "dead", "dead" },
};

#define NR_PHASES	(sizeof(phases) / sizeof(phases[0]))

static const char *phase_name(size_t i)
{
	static char name[64];

	snprintf(name, sizeof(name), "%s.service", phases[i].name);
	return name;
}

static void ask_for_phases(fixture *self)
{
	const char *no_block = ",\"noBlock\":true";

	ask(self, "ReloadUnits", "reload.service", no_block);
	ask(self, "StopUnits", "stop.service", no_block);
	if (appears(self, "term"))
		ask(self, "StopUnits", "term.service", no_block);
}

static bool all_are(fixture *self, bool at_last)
{
	bool all = true;

	for (size_t i = 0; i < NR_PHASES; i++)
		all &= sub_becomes(self, phase_name(i), at_last ? phases[i].then : phases[i].sub);
	return all;
}

/* What is written down of each: the number of its restarts, its pid, why it failed. */
static void take_notes(fixture *self, long long notes[NR_PHASES][4], char *why[NR_PHASES])
{
	for (size_t i = 0; i < NR_PHASES; i++) {
		const char *reply = ask(self, "UnitStatus", phase_name(i), "");
		const char *at = strstr(reply, "\"result\":\"");

		notes[i][0] = number_in(reply, "restarts");
		notes[i][1] = number_in(reply, "mainPid");
		notes[i][2] = number_in(reply, "controlPid");
		notes[i][3] = number_in(reply, "mainStatus");
		why[i] = at ? strndup(at, strcspn(at, ",")) : NULL;
	}
}

static void all_phases(struct __test_metadata *_metadata, fixture *self,
		       bool (*next)(fixture *self))
{
	long long before[NR_PHASES][4], after[NR_PHASES][4];
	char *why[NR_PHASES], *why_now[NR_PHASES], *history;
	int go;

	ASSERT_EQ(0, mkfifo(path_of(self, "go"), 0600));
	for (size_t i = 0; i < NR_PHASES; i++)
		unit(self, phase_name(i), "[Unit]\n%s[Service]\n%s", strcmp(phases[i].name, "late") ?
		     "" : "After=start.service\nRequires=start.service\n", phases[i].text);
	ASSERT_TRUE(begin(self));
	ASSERT_TRUE(sub_becomes(self, "reload.service", "running"));
	ASSERT_TRUE(sub_becomes(self, "stop.service", "running"));
	ASSERT_TRUE(sub_becomes(self, "term.service", "running"));
	ask_for_phases(self);
	ASSERT_TRUE(all_are(self, false));
	take_notes(self, before, why);
	history = lasting(ask(self, "History", "", ""));
	EXPECT_NE(NULL, strstr(history, "limit.service"));
	for (int round = 0; round < 2; round++) {
		ASSERT_TRUE(next(self));
		EXPECT_TRUE(all_are(self, false));
		take_notes(self, after, why_now);
		for (size_t i = 0; i < NR_PHASES; i++) {
			EXPECT_STREQ(why[i], why_now[i]);
			for (size_t k = 0; k < 4; k++) {
				EXPECT_EQ(before[i][k], after[i][k])
					TH_LOG("%s: %zu", phases[i].name, k);
			}
		}
		EXPECT_STREQ(history, lasting(ask(self, "History", "", "")));
	}
	go = open(path_of(self, "go"), O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, go);
	EXPECT_TRUE(all_are(self, true));
	/* Nothing ran twice, and not before its time. */
	EXPECT_STREQ("pre\n", contents(self, "pre"));
	EXPECT_STREQ("late\n", contents(self, "late"));
	EXPECT_STREQ("ran\n", contents(self, "exited"));
	EXPECT_EQ(3, occurrences(self, "limit.service: main process"));
	EXPECT_TRUE(told(self, "failing.service: failed, result exit-code"));
	ASSERT_EQ(0, stop(self));
	close(go);
}

TEST_F_TIMEOUT(knelld, killed_in_each_phase, LIMIT_S)
{
	all_phases(_metadata, self, again);
}

TEST_F_TIMEOUT(knelld, replaced_in_each_phase, LIMIT_S)
{
	all_phases(_metadata, self, reexec);
}

/* Timers */

#define ONCE	"[Service]\nType=oneshot\nExecStart=/bin/sh -c " \
		"'read up rest </proc/uptime; echo $up >>@/%s'\n"

static void once(fixture *self, const char *name, const char *timer)
{
	char file[64];

	snprintf(file, sizeof(file), "%s.service", name);
	unit(self, file, "[Unit]\nStartLimitIntervalSec=0\n" ONCE, name);
	snprintf(file, sizeof(file), "%s.timer", name);
	unit(self, file, "[Timer]\nAccuracySec=1us\n%s\n", timer);
}

static size_t lines(fixture *self, const char *name)
{
	size_t nr = 0;

	for (const char *s = contents(self, name); (s = strchr(s, '\n')); s++)
		nr++;
	return nr;
}

/* That file has so many lines at least. */
static bool grows(fixture *self, const char *name, size_t nr)
{
	uint64_t end = patience_ends();

	while (lines(self, name) < nr)
		if (!look_again(end))
			return false;
	return true;
}

/* When a timer elapses next, in µs of the monotonic clock. */
static long long next_of(fixture *self, const char *name)
{
	const char *at = strstr(ask(self, "UnitStatus", name, ""), "\"next\":");

	return at ? number_in(at, "monotonicUsec") : -1;
}

static double uptime(void)
{
	return clock_ns(CLOCK_BOOTTIME) / 1e9;
}

TEST_F_TIMEOUT(knelld, timers_go_on, LIMIT_S)
{
	long long year;
	double began;

	once(self, "startup", "OnStartupSec=1s");
	once(self, "active", "OnActiveSec=500ms");
	once(self, "soon", "OnActiveSec=4s");
	once(self, "later", "OnActiveSec=10s");
	once(self, "start2", "OnStartupSec=10s");
	once(self, "often", "OnActiveSec=0\nOnUnitActiveSec=1s");
	once(self, "rest", "OnActiveSec=0\nOnUnitInactiveSec=1s");
	once(self, "calendar", "OnCalendar=*:*:0/2");
	once(self, "year", "OnCalendar=yearly");
	/* Its run goes on while nobody looks, and is over when the next one does. */
	unit(self, "long.timer", "[Timer]\nAccuracySec=1us\nOnActiveSec=0\nOnUnitInactiveSec=1s\n");
	unit(self, "long.service", "[Unit]\nStartLimitIntervalSec=0\n[Service]\nType=oneshot\n"
	     "ExecStart=/bin/sh -c 'echo ran >>@/long; sleep 3'\n");
	began = uptime();
	ASSERT_TRUE(begin(self));
	ASSERT_TRUE(grows(self, "startup", 1));
	ASSERT_TRUE(grows(self, "active", 1));
	ASSERT_TRUE(grows(self, "often", 2));
	ASSERT_TRUE(grows(self, "long", 1));
	kill_knelld(self);
	sleep(4);
	ASSERT_TRUE(begin(self));
	ASSERT_TRUE(told(self, TOOK_OVER));
	ASSERT_TRUE(grows(self, "soon", 1));
	year = next_of(self, "year.timer");
	ASSERT_LT(0, year);
	ASSERT_TRUE(again(self));
	/* It is computed anew from another clock. */
	EXPECT_GT(1000000, llabs(year - next_of(self, "year.timer")));
	ASSERT_TRUE(reexec(self));
	ASSERT_TRUE(grows(self, "later", 1));
	ASSERT_TRUE(grows(self, "start2", 1));
	EXPECT_LE(began + 9.98, atof(contents(self, "later")));
	EXPECT_LE(began + 9.98, atof(contents(self, "start2")));
	EXPECT_TRUE(grows(self, "often", lines(self, "often") + 2));
	EXPECT_TRUE(grows(self, "rest", lines(self, "rest") + 2));
	EXPECT_TRUE(grows(self, "calendar", lines(self, "calendar") + 2));
	EXPECT_TRUE(grows(self, "long", 3));
	/* What has elapsed does so once. */
	EXPECT_EQ(1, lines(self, "startup"));
	EXPECT_EQ(1, lines(self, "active"));
	EXPECT_EQ(1, lines(self, "soon"));
	EXPECT_EQ(1, lines(self, "later"));
	EXPECT_EQ(0, lines(self, "year"));
	ASSERT_EQ(0, stop(self));
}

/* Sockets */

static int client(fixture *self, const char *name)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	struct timeval patience = { .tv_sec = PATIENCE_S };
	uint64_t end = patience_ends();
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(to.sun_path, path_of(self, name));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	while (connect(fd, (struct sockaddr *)&to, sizeof(to)))
		if (!look_again(end))
			return -1;
	return fd;
}

/* The pid of who answers, if that is what was asked. */
static pid_t answered(int fd, const char *text)
{
	char reply[256] = "";
	const char *at;

	if (write(fd, text, strlen(text)) < 0 || read(fd, reply, sizeof(reply) - 1) <= 0)
		return -1;
	at = strchr(reply, ' ');
	return at && !strcmp(at + 1, text) ? atoi(reply) : -1;
}

static pid_t asks(fixture *self, const char *name)
{
	int fd = client(self, name);
	pid_t pid = answered(fd, "well");

	close(fd);
	return pid;
}

/* Until it is dead it may take a client, and hang up. */
static void kill_it(pid_t pid)
{
	struct pollfd p = { .fd = syscall(SYS_pidfd_open, pid, 0), .events = POLLIN };

	kill(pid, SIGKILL);
	poll(&p, 1, PATIENCE_S * 1000);
	close(p.fd);
}

TEST_F_TIMEOUT(knelld, sockets_are_had_again, LIMIT_S)
{
	pid_t pid;

	unit(self, "up.socket", "[Socket]\nListenStream=@/up.sock\n");
	speaker(self, "up.service", "", "serve");
	unit(self, "down.socket", "[Socket]\nListenStream=@/down.sock\nListenFIFO=@/fifo\n");
	speaker(self, "down.service", "", "serve");
	unit(self, "each.socket", "[Socket]\nListenStream=@/each.sock\nAccept=yes\n");
	speaker(self, "each@.service", "StandardInput=socket", "echo");
	ASSERT_TRUE(begin(self));
	pid = asks(self, "up.sock");
	ASSERT_LT(1, pid);
	kill_knelld(self);
	/* Who runs is not disturbed, nor are its clients. */
	EXPECT_EQ(pid, asks(self, "up.sock"));
	ASSERT_TRUE(begin(self));
	ASSERT_TRUE(told(self, TOOK_OVER));
	EXPECT_EQ(pid, asks(self, "up.sock"));
	EXPECT_TRUE(sub_becomes(self, "up.socket", "running"));
	EXPECT_TRUE(sub_becomes(self, "down.socket", "listening"));
	/* Its socket was taken from it: it is the one that its successor gets. */
	kill_it(pid);
	EXPECT_NE(pid, asks(self, "up.sock"));
	EXPECT_LT(1, asks(self, "up.sock"));
	/* Nobody had this one: it is opened anew. */
	EXPECT_LT(1, asks(self, "down.sock"));
	EXPECT_LT(1, asks(self, "each.sock"));
	EXPECT_TRUE(sub_becomes(self, "each.socket", "listening"));
	ASSERT_EQ(0, stop(self));
	EXPECT_FALSE(has(self, "cannot listen"));
}

static bool all_have_spoken(fixture *self)
{
	char text[64];

	for (int i = 0; i < NR_SHORT; i++) {
		snprintf(text, sizeof(text), "speaker: %d\n", i);
		if (!has(self, text))
			return false;
	}
	return true;
}

/* Dead before it could write down that there is another process. */
TEST_F_TIMEOUT(knelld, killed_by_what_it_has_started, LIMIT_S)
{
	uint64_t end = patience_ends();
	char name[32], text[64];
	pid_t pid;
	int fd;

	for (int i = 0; i < NR_SHORT; i++) {
		snprintf(name, sizeof(name), "s%d.service", i);
		snprintf(text, sizeof(text), "murder put=%d pause", i);
		speaker(self, name, "", text);
	}
	for (int i = 0; i < NR_SHORT; i++) {
		snprintf(name, sizeof(name), "up%d.socket", i);
		unit(self, name, "[Socket]\nListenStream=@/up%d.sock\n", i);
		snprintf(name, sizeof(name), "up%d.service", i);
		speaker(self, name, "", "murder serve");
	}
	ASSERT_TRUE(begin(self));
	while (!all_have_spoken(self) && clock_ns(CLOCK_MONOTONIC) < end) {
		read_soon(self);
		if (waitpid(self->pid, NULL, WNOHANG) == self->pid)
			ASSERT_TRUE(begin(self));
	}
	ASSERT_TRUE(all_have_spoken(self));
	ASSERT_TRUE(again(self));
	for (int i = 0; i < NR_SHORT; i++) {
		snprintf(name, sizeof(name), "s%d.service", i);
		EXPECT_TRUE(sub_becomes(self, name, "running"));
		EXPECT_TRUE(lives(pid_of(self, name)));
		/* One of each. */
		snprintf(text, sizeof(text), "speaker: %d\n", i);
		EXPECT_EQ(1, occurrences(self, text));
	}
	/* And by those that were started for somebody, who is served. */
	for (int i = 0; i < NR_SHORT; i++) {
		char socket[32], service[32];

		snprintf(name, sizeof(name), "up%d.sock", i);
		snprintf(socket, sizeof(socket), "up%d.socket", i);
		snprintf(service, sizeof(service), "up%d.service", i);
		fd = client(self, name);
		pid = answered(fd, "well");
		ASSERT_LT(1, pid);
		ASSERT_TRUE(again(self));
		EXPECT_TRUE(sub_becomes(self, service, "running"));
		EXPECT_TRUE(sub_becomes(self, socket, "running"));
		EXPECT_EQ(pid, pid_of(self, service));
		EXPECT_EQ(pid, answered(fd, "again"));
		close(fd);
		EXPECT_EQ(pid, asks(self, name));
	}
	ASSERT_EQ(0, stop(self));
	EXPECT_FALSE(lives(pid));
}

/* What a kill -9 takes along: it is told, and what talks to knelld can do so again. */
TEST_F_TIMEOUT(knelld, what_is_lost_is_told, LIMIT_S)
{
	pid_t pid;

	speaker(self, "keeps.service", "Restart=always\nFileDescriptorStoreMax=4\nNotifyAccess=all",
		"fds store=one:first store=two:second say=STATUS=stored wait=@/go say=STATUS=again "
		"pause");
	speaker(self, "ready.service", "Type=notify", "wait=@/go say=READY=1 pause");
	speaker(self, "dog.service", "Type=notify\nWatchdogSec=5s\nWatchdogSignal=SIGUSR1",
		"say=READY=1 wait=@/go say=WATCHDOG=1 pause");
	ASSERT_TRUE(begin(self));
	ASSERT_TRUE(becomes(self, "keeps.service", "\"statusText\":\"stored\""));
	ASSERT_TRUE(becomes(self, "keeps.service", "\"storedFds\":2"));
	ASSERT_TRUE(sub_becomes(self, "ready.service", "start"));
	ASSERT_TRUE(again(self));
	EXPECT_TRUE(told(self, "keeps.service: the 2 descriptors it had stored are lost"));
	EXPECT_TRUE(sub_becomes(self, "ready.service", "start"));
	unit(self, "go", "\n");
	EXPECT_TRUE(sub_becomes(self, "ready.service", "running"));
	EXPECT_TRUE(becomes(self, "keeps.service", "\"statusText\":\"again\""));
	EXPECT_FALSE(has(self, "not heard"));
	/* It is awaited by the next one, too. */
	EXPECT_TRUE(told(self, "dog.service: no sign of life within WatchdogSec=5s"));
	pid = pid_of(self, "keeps.service");
	ASSERT_LT(1, pid);
	kill(pid, SIGKILL);
	EXPECT_TRUE(told_times(self, 2, "speaker: fds 0"));
	ASSERT_EQ(0, stop(self));
}

static size_t open_fds(pid_t pid)
{
	char path[64];
	size_t nr = 0;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	d = opendir(path);
	while (d && readdir(d))
		nr++;
	if (d)
		closedir(d);
	return nr;
}

TEST_F_TIMEOUT(knelld, a_new_program_has_all_descriptors, LIMIT_S)
{
	int early, each;
	size_t fds;
	pid_t pid, echo;

	unit(self, "s.socket", "[Socket]\nListenStream=@/s.sock\n");
	speaker(self, "s.service", "ExecStartPre=/bin/sh -c 'until [ -e @/go ]; do sleep 0.1; done'",
		"serve");
	unit(self, "each.socket", "[Socket]\nListenStream=@/each.sock\nAccept=yes\nMaxConnections=1\n");
	speaker(self, "each@.service", "StandardInput=socket", "echo");
	speaker(self, "keeps.service", "Restart=always\nFileDescriptorStoreMax=4\nNotifyAccess=all",
		"fds store=one:first store=two:second say=STATUS=stored pause");
	speaker(self, "ready.service", "Type=notify", "wait=@/go say=READY=1 pause");
	speaker(self, "line.service", "Type=notify\nX-Knell-NotifyFD=7", "wait=@/go line=7 pause");
	speaker(self, "logs.service", "X-Knell-Logger=/bin/sh -c 'cat >>@/logged'",
		"put=early wait=@/go put=late pause");
	ASSERT_TRUE(begin(self));
	ASSERT_TRUE(becomes(self, "keeps.service", "\"storedFds\":2"));
	/* One that is in the queue of a socket whose service is not up yet, */
	early = client(self, "s.sock");
	ASSERT_LE(0, early);
	ASSERT_EQ(5, write(early, "early", 5));
	ASSERT_TRUE(sub_becomes(self, "s.service", "start-pre"));
	/* and one that a service has. */
	each = client(self, "each.sock");
	echo = answered(each, "one");
	ASSERT_LT(1, echo);
	ASSERT_TRUE(reexec(self));
	ASSERT_TRUE(asleep_on_queue(self->pid));
	fds = open_fds(self->pid);
	for (int i = 0; i < 5; i++)
		ASSERT_TRUE(reexec(self));
	ASSERT_TRUE(asleep_on_queue(self->pid));
	EXPECT_EQ(fds, open_fds(self->pid));
	EXPECT_TRUE(becomes(self, "keeps.service", "\"storedFds\":2"));
	EXPECT_TRUE(becomes(self, "each.socket", "\"connections\":1"));
	EXPECT_EQ(echo, answered(each, "two"));
	EXPECT_TRUE(sub_becomes(self, "line.service", "start"));
	unit(self, "go", "\n");
	EXPECT_TRUE(sub_becomes(self, "ready.service", "running"));
	EXPECT_TRUE(sub_becomes(self, "line.service", "running"));
	{
		char reply[64] = "";

		EXPECT_LT(0, read(early, reply, sizeof(reply) - 1));
		EXPECT_NE(NULL, strstr(reply, " early"));
	}
	close(early);
	close(each);
	EXPECT_TRUE(becomes(self, "each.socket", "\"connections\":0"));
	EXPECT_LT(1, asks(self, "each.sock"));
	pid = pid_of(self, "keeps.service");
	ASSERT_LT(1, pid);
	kill(pid, SIGKILL);
	EXPECT_TRUE(told(self, "speaker: fds 2 one:two"));
	EXPECT_TRUE(told(self, "speaker: fd 0: first"));
	EXPECT_TRUE(told(self, "speaker: fd 1: second"));
	EXPECT_TRUE(grows(self, "logged", 2));
	ASSERT_EQ(0, stop(self));
	EXPECT_STREQ("speaker: early\nspeaker: late\n", contents(self, "logged"));
	EXPECT_FALSE(has(self, "not heard"));
}

/* What is written while nobody is there is read by the logger, which lives. */
TEST_F_TIMEOUT(knelld, a_logger_loses_no_line, LIMIT_S)
{
	pid_t pid;

	speaker(self, "logs.service", "Restart=always\nX-Knell-Logger=/bin/sh -c "
		"'while read -r line; do echo \"$line\" >>@/logged; done'",
		"put=one wait=@/two put=two wait=@/three put=three pause");
	ASSERT_TRUE(begin(self));
	ASSERT_TRUE(grows(self, "logged", 1));
	kill_knelld(self);
	unit(self, "two", "\n");
	ASSERT_TRUE(grows(self, "logged", 2));
	ASSERT_TRUE(begin(self));
	ASSERT_TRUE(told(self, TOOK_OVER));
	pid = pid_of(self, "logs.service");
	ASSERT_LT(1, pid);
	unit(self, "three", "\n");
	ASSERT_TRUE(grows(self, "logged", 3));
	/* The pipe outlives the run. */
	kill(pid, SIGKILL);
	ASSERT_TRUE(grows(self, "logged", 6));
	ASSERT_EQ(0, stop(self));
	EXPECT_STREQ("speaker: one\nspeaker: two\nspeaker: three\nspeaker: one\nspeaker: two\n"
		     "speaker: three\n", contents(self, "logged"));
}

/* The state file of a knelld that knew other things */

static uint64_t fnv(const unsigned char *s, size_t n)
{
	uint64_t h = 0xcbf29ce484222325ULL;

	while (n--)
		h = (h ^ *s++) * 0x100000001b3ULL;
	return h;
}

static void of_another_version(const char *path)
{
	unsigned char head[1024];
	int fd = open(path, O_RDWR | O_CLOEXEC);
	uint32_t sum;
	uint64_t h;

	if (fd < 0 || pread(fd, head, sizeof(head), 0) != sizeof(head) ||
	    memcmp(head + 8, "knelld", 6))
		abort();
	head[8 + 6]++;
	h = fnv(head + 4, sizeof(head) - 4);
	sum = (uint32_t)(h ^ h >> 32) | 1;
	memcpy(head, &sum, sizeof(sum));
	if (pwrite(fd, head, sizeof(head), 0) != sizeof(head) || close(fd))
		abort();
}

TEST_F_TIMEOUT(knelld, the_state_file_is_of_another_version, LIMIT_S)
{
	char path[128];
	pid_t pid;

	unit(self, "a.service", "[Service]\nRestart=always\nExecStart=/bin/sleep 100000\n");
	unit(self, "b.timer", "[Timer]\nOnActiveSec=1h\n");
	unit(self, "b.service", SLEEPER);
	ASSERT_TRUE(begin(self));
	ASSERT_TRUE(sub_becomes(self, "a.service", "running"));
	pid = pid_of(self, "a.service");
	kill_knelld(self);
	snprintf(path, sizeof(path), "/run/knell/%s.state", queue_of(self->dir));
	of_another_version(path);
	ASSERT_TRUE(begin(self));
	ASSERT_TRUE(told(self, "going by what the queue tells"));
	EXPECT_TRUE(has(self, "it is of another version"));
	EXPECT_TRUE(sub_becomes(self, "a.service", "running"));
	EXPECT_TRUE(sub_becomes(self, "b.timer", "waiting"));
	/* That it is may be said again, but there is one. */
	EXPECT_EQ(pid, pid_of(self, "a.service"));
	kill(pid, SIGKILL);
	EXPECT_TRUE(told_times(self, 3, "a.service: started"));
	ASSERT_EQ(0, stop(self));
}

#define NR_KILLS	rounds(200)

/* Each run leaves a line before it ends; each end has one in the log, if only the last life's. */
TEST_F_TIMEOUT(knelld, killed_two_hundred_times, LIMIT_S)
{
	char name[32], text[64], *runs, *line;
	size_t missing = 0, nr = 0;

	for (int i = 0; i < NR_SHORT; i++) {
		snprintf(name, sizeof(name), "s%d.service", i);
		unit(self, name, "[Service]\nRestart=always\nRestartSec=%dms\n"
		     "StartLimitIntervalSec=0\nExecStart=/bin/sh -c 'echo $$$$ >>@/s%d; exec sleep "
		     "0.%d'\n", i * 30, i, i);
	}
	unit(self, "still.service", SLEEPER);
	srandom(getpid());
	for (int i = 0; i < NR_KILLS; i++) {
		uint64_t end = clock_ns(CLOCK_MONOTONIC) + random() % (150 * SLOW) * NSEC_PER_MSEC;

		ASSERT_TRUE(begin(self));
		while (clock_ns(CLOCK_MONOTONIC) < end)
			read_within(self, 1);
		kill_knelld(self);
	}
	ASSERT_TRUE(begin(self));
	ASSERT_TRUE(told(self, "startup finished: "));
	EXPECT_TRUE(sub_becomes(self, "still.service", "running"));
	ASSERT_TRUE(told_times(self, NR_SHORT + 1, ".service: main process "));
	ASSERT_EQ(0, stop(self));
	for (int i = 0; i < NR_SHORT; i++) {
		snprintf(name, sizeof(name), "s%d", i);
		runs = strdup(contents(self, name));
		for (line = strtok(runs, "\n"); line; line = strtok(NULL, "\n")) {
			nr++;
			snprintf(text, sizeof(text), "s%d.service: main process %s ", i, line);
			if (!has(self, text)) {
				fprintf(stderr, "# untold: %s\n", text);
				missing++;
			}
		}
		free(runs);
	}
	TH_LOG("%zu runs", nr);
	EXPECT_LT(NR_SHORT, nr);
	EXPECT_EQ(0, missing);
	EXPECT_EQ(1, occurrences(self, "still.service: main process"));
}

TEST_HARNESS_MAIN
