// SPDX-License-Identifier: GPL-2.0-only
/*
 * What comes from outside and is not as it should be: requests, clients and files. knelld goes on,
 * what it supervises does, and its memory does not grow with any of it.
 *
 * runner-limit: 1800
 */
#include <fcntl.h>

#include "host.h"

/* What it may use more than before, however much is thrown at it. */
#define MORE_KIB	(24U << 10)

/* What is freed is to be gone, where ASan would keep it for a while. */
static void __attribute__((constructor)) keep_nothing(void)
{
	const char *now = getenv("ASAN_OPTIONS");
	char text[256];

	snprintf(text, sizeof(text), "%s:quarantine_size_mb=1", now ? now : "");
	setenv("ASAN_OPTIONS", text, 1);
}

static unsigned int rss_kib(pid_t pid)
{
	char path[64], line[256];
	unsigned int kib = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	f = fopen(path, "r");
	while (f && !kib && fgets(line, sizeof(line), f))
		sscanf(line, "VmRSS: %u", &kib);
	if (f)
		fclose(f);
	return kib;
}

static int dial(fixture *self)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	struct timeval patience = { .tv_sec = PATIENCE_S };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(to.sun_path, path_of(self, "control"));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (!connect(fd, (struct sockaddr *)&to, sizeof(to)))
		return fd;
	close(fd);
	return -1;
}

/* All of it, or as much as is taken before the connection is closed. */
static size_t put(int fd, const char *data, size_t len)
{
	size_t done = 0;
	ssize_t n;

	while (done < len && (n = send(fd, data + done, len - done, MSG_NOSIGNAL)) > 0)
		done += n;
	return done;
}

/* The next message: to be freed; NULL if the connection ends before. */
static char *next_reply(int fd)
{
	size_t len = 0, room = 0;
	char *text = NULL;

	do {
		if (len == room)
			text = realloc(text, room = room ? 2 * room : 4096);
		if (recv(fd, text + len, 1, 0) != 1) {
			free(text);
			return NULL;
		}
	} while (text[len++]);
	return text;
}

/* Is there an answer to what any client may ask, and does it have that? */
static bool answers(fixture *self, const char *call, const char *wanted)
{
	int fd = dial(self);
	char *reply;
	bool ok;

	put(fd, call, strlen(call) + 1);
	reply = next_reply(fd);
	ok = reply && strstr(reply, wanted);
	if (!ok)
		fprintf(stderr, "# %.200s: %.400s\n", call, reply ? reply : "no reply");
	free(reply);
	close(fd);
	return ok;
}

#define CALL(method, params)	\
	"{\"method\":\"io.knell.Manager." method "\",\"parameters\":{" params "}}"

static bool well(fixture *self)
{
	return answers(self, CALL("ManagerStatus", ""), "\"version\"");
}

/* One service beside which all the rest happens. */
static bool begin(fixture *self)
{
	unit(self, "good.service", SLEEPER);
	return start(self) && told(self, "good.service: started") &&
	       told(self, "startup finished") && appears(self, "control");
}

#undef ENDS
#define ENDS do {							\
	EXPECT_TRUE(well(self));					\
	EXPECT_TRUE(lives(main_pid(self, "good.service")));		\
	EXPECT_EQ(1, occurrences(self, "good.service: started"));	\
	ASSERT_EQ(0, stop(self));					\
	EXPECT_TRUE(nothing_left());					\
} while (0)

/* DragonReach 2, A9: an empty message or an unknown word, and the first process dies. */
TEST_F_TIMEOUT(knelld, requests_that_are_none, LIMIT_S)
{
	static const struct { const char *data; size_t len; } bad[] = {
#define BAD(text) { text, sizeof(text) - 1 }
		BAD(""), BAD("\0"), BAD("\0\0\0\0"), BAD(" \0"), BAD("\n"), BAD("{"), BAD("{\0"),
		BAD("[]\0"), BAD("null\0"), BAD("5\0"), BAD("\"x\"\0"), BAD("{}\0"),
		BAD("start a.service\n"), BAD(" status\0"), BAD("\xff\xfe\x80\0"),
		BAD("{\"method\":5}\0"), BAD("{\"method\":null}\0"), BAD("{\"method\":\"\"}\0"),
		BAD("{\"method\":\"x\"}\0"), BAD("{\"method\":\"io.knell.Manager.\"}\0"),
		BAD("{\"method\":\"io.knell.Manager.Nothing\"}\0"),
		BAD("{\"method\":\"io.knell.Manager.StartUnits\"}\0"),
		BAD("{\"method\":\"io.knell.Manager.ManagerStatus\",\"parameters\":[]}\0"),
		BAD("{\"method\":\"io.knell.Manager.ManagerStatus\"} {\0"),
		BAD(CALL("StartUnits", "\"names\":5") "\0"),
		BAD(CALL("StartUnits", "\"names\":[5]") "\0"),
		BAD(CALL("StartUnits", "\"names\":[]") "\0"),
		BAD(CALL("StartUnits", "\"names\":[\"\"]") "\0"),
		BAD(CALL("StartUnits", "\"names\":[\"/etc/passwd\"]") "\0"),
		BAD(CALL("StartUnits", "\"names\":[\"../good.service\"]") "\0"),
		BAD(CALL("StartUnits", "\"names\":[\"\\u0000.service\"]") "\0"),
		BAD(CALL("StartUnits", "\"names\":[\"%n%n%s.service\"]") "\0"),
		BAD(CALL("StartUnits", "\"names\":[\"a@b@c.service\"]") "\0"),
		BAD(CALL("StartUnits", "\"names\":[\"t@.service\"]") "\0"),
		BAD(CALL("StartUnits", "\"names\":[\"good.service\"],\"mode\":\"x\"") "\0"),
		BAD(CALL("StopUnits", "\"names\":[\"x.device\"]") "\0"),
		BAD(CALL("KillUnit", "\"name\":\"good.service\",\"signal\":-1") "\0"),
		BAD(CALL("KillUnit", "\"name\":\"good.service\",\"signal\":99999999999") "\0"),
		BAD(CALL("KillUnit", "\"name\":\"good.service\",\"whom\":\"everybody\"") "\0"),
		BAD(CALL("CancelJob", "\"id\":-9223372036854775808") "\0"),
		BAD(CALL("CancelJob", "\"id\":1e300") "\0"),
		BAD(CALL("History", "\"limit\":-1") "\0"),
		BAD(CALL("UnitStatus", "\"name\":\"good.service\",\"exits\":-5") "\0"),
		BAD(CALL("UnitStatus", "\"name\":\"good.service\",\"lines\":1000000000") "\0"),
		BAD(CALL("Statistics", "\"filter\":\"%s%n\"") "\0"),
		BAD(CALL("Exit", "\"status\":256") "\0"), BAD(CALL("PowerOff", "") "\0"),
		BAD(CALL("Reboot", "") "\0"), BAD(CALL("Halt", "") "\0"),
		/* Without a kept queue it is none. */
#ifndef GUEST
		BAD(CALL("Reexec", "") "\0"),
#endif
		BAD("{\"method\":\"io.knell.Manager.ListUnits\",\"more\":true,\"oneway\":true}\0"),
	};
	unsigned int before;

	ASSERT_TRUE(begin(self));
	before = rss_kib(self->pid);
	for (size_t round = 0; round < 3; round++)
		for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
			int fd = dial(self);

			ASSERT_LE(0, fd);
			put(fd, bad[i].data, bad[i].len);
			/* It is hung up on, or gets an answer, or, being half a message, none. */
			if (bad[i].len && !bad[i].data[bad[i].len - 1] && *bad[i].data)
				free(next_reply(fd));
			close(fd);
			ASSERT_TRUE(well(self)) TH_LOG("after %s", bad[i].data);
		}
	EXPECT_GT(before + MORE_KIB, rss_kib(self->pid));
	ENDS;
}

/* A9: half a request, the rest of it later, two in one write, and one that never ends. */
TEST_F_TIMEOUT(knelld, requests_in_pieces, LIMIT_S)
{
	static const char two[] = CALL("ManagerStatus", "") "\0" CALL("ListJobs", "");
	int fd[4];
	char *reply;

	ASSERT_TRUE(begin(self));
	for (int i = 0; i < 4; i++)
		ASSERT_LE(0, fd[i] = dial(self));
	put(fd[0], two, 20);
	put(fd[1], two, sizeof(two));
	/* It says nothing at all, and the others do not wait for it. */
	put(fd[3], "{", 1);
	EXPECT_TRUE(well(self));
	put(fd[0], two + 20, sizeof(two) - 20);
	for (int i = 0; i < 2; i++) {
		reply = next_reply(fd[i]);
		EXPECT_NE(NULL, reply);
		EXPECT_NE(NULL, strstr(reply ? reply : "", "\"version\""));
		free(reply);
		reply = next_reply(fd[i]);
		EXPECT_NE(NULL, strstr(reply ? reply : "", "\"jobs\""));
		free(reply);
	}
	for (int i = 0; i < 4; i++)
		close(fd[i]);
	ENDS;
}

TEST_F_TIMEOUT(knelld, requests_without_end, LIMIT_S)
{
	static const char *const fill[] = { "a", " ", "[", "{\"a\":", "\"", "\\u0000", "1", "{}," };
	const size_t size = 16U << 20;
	char *data = malloc(size);
	unsigned int before;

	ASSERT_NE(NULL, data);
	ASSERT_TRUE(begin(self));
	before = rss_kib(self->pid);
	for (size_t i = 0; i < sizeof(fill) / sizeof(*fill); i++) {
		int fd = dial(self);

		for (size_t k = 0, n = strlen(fill[i]); k < size; k++)
			data[k] = fill[i][k % n];
		/* It is not taken to its end. */
		EXPECT_GT(size, put(fd, data, size)) TH_LOG("%s", fill[i]);
		close(fd);
		/* The same as the name of something. */
		fd = dial(self);
		put(fd, "{\"method\":\"", 11);
		put(fd, data, 900U << 10);
		put(fd, "\"}", 3);
		free(next_reply(fd));
		close(fd);
		ASSERT_TRUE(well(self)) TH_LOG("after %s", fill[i]);
		EXPECT_GT(before + MORE_KIB, rss_kib(self->pid)) TH_LOG("%s", fill[i]);
	}
	free(data);
	ENDS;
}

/* They ask and do not read what comes: it is kept for nobody without end. */
TEST_F_TIMEOUT(knelld, clients_that_never_read, LIMIT_S)
{
	static const char many[] = CALL("ListUnits", "");
	static const char watch[] =
		"{\"method\":\"io.knell.Manager.Subscribe\",\"more\":true,\"parameters\":{}}";
	int fd[20];
	unsigned int before;
	char *reply;

	unit(self, "storm.service", "[Unit]\nStartLimitIntervalSec=0\n[Service]\nRestart=always\n"
	     "RestartSec=0\nExecStart=/bin/true\n[Install]\nWantedBy=x.target\n");
	ASSERT_TRUE(begin(self));
	before = rss_kib(self->pid);
	for (int i = 0; i < 20; i++) {
		ASSERT_LE(0, fd[i] = dial(self));
		put(fd[i], watch, sizeof(watch));
	}
	for (int i = 10; i < 20; i++) {
		fcntl(fd[i], F_SETFL, O_NONBLOCK);
		for (int k = 0; k < 300; k++)
			if (put(fd[i], many, sizeof(many)) != sizeof(many))
				break;
	}
	EXPECT_TRUE(asked(self, "StartUnits", "storm.service", "\"done\""));
	ASSERT_TRUE(told_times(self, 400, "storm.service: restart in"));
	EXPECT_GT(before + MORE_KIB, rss_kib(self->pid));
	EXPECT_TRUE(well(self));
	EXPECT_TRUE(asked(self, "StopUnits", "storm.service", "\"done\""));
	/* Whoever begins to read is told what it has missed, or finds itself hung up on. */
	reply = next_reply(fd[0]);
	EXPECT_NE(NULL, strstr(reply ? reply : "", "\"ready\""));
	free(reply);
	for (int i = 0; i < 20; i++)
		close(fd[i]);
	ENDS;
}

/* Open and say nothing, as many as there can be; then there is room again. */
TEST_F_TIMEOUT(knelld, more_clients_than_there_may_be, LIMIT_S)
{
	uint64_t end;
	int fd[300];
	unsigned int before;

	ASSERT_TRUE(begin(self));
	before = rss_kib(self->pid);
	for (int i = 0; i < 300; i++)
		fd[i] = dial(self);
	EXPECT_GT(before + MORE_KIB, rss_kib(self->pid));
	for (int i = 0; i < 300; i++)
		if (fd[i] >= 0)
			close(fd[i]);
	end = patience_ends();
	while (!well(self))
		ASSERT_TRUE(look_again(end));
	ENDS;
}

/* Many at once that contradict each other: all are answered, and what is left is what was asked. */
TEST_F_TIMEOUT(knelld, clients_at_once, LIMIT_S)
{
	static const char *const methods[] = { "StartUnits", "StopUnits", "RestartUnits",
		"TryRestartUnits" };
	char call[256], name[32];
	int fd[96];

	for (int i = 0; i < 6; i++) {
		snprintf(name, sizeof(name), "s%d.service", i);
		unit(self, name, i ? "[Unit]\nBindsTo=s%d.service\nAfter=s%d.service\n" SLEEPER :
		     SLEEPER, (i - 1) / 2, (i - 1) / 2);
	}
	ASSERT_TRUE(begin(self));
	for (int i = 0; i < 96; i++) {
		ASSERT_LE(0, fd[i] = dial(self));
		snprintf(call, sizeof(call), CALL("%s", "\"names\":[\"s%d.service\"]"),
			 methods[i * 7 % 4], i * 5 % 6);
		put(fd[i], call, strlen(call) + 1);
	}
	for (int i = 0; i < 96; i++) {
		char *reply = next_reply(fd[i]);

		EXPECT_NE(NULL, strstr(reply ? reply : "", "\"jobs\"")) TH_LOG("client %d", i);
		free(reply);
		close(fd[i]);
	}
	EXPECT_TRUE(asked(self, "StopUnits", "s0.service", "\"job\""));
	for (int i = 0; i < 6; i++) {
		snprintf(name, sizeof(name), "s%d.service", i);
		EXPECT_TRUE(is(self, name, "inactive"));
	}
	EXPECT_TRUE(asked(self, "StartUnits", "s5.service", "\"done\""));
	EXPECT_TRUE(is(self, "s2.service", "active"));
	ENDS;
}

/* supervisors.md 2.3, 10: a reply of a fixed size, and nitro dies of the list of its services. */
TEST_F_TIMEOUT(knelld, class_10_a_thousand_long_names, LIMIT_S)
{
	char name[256], stem[201];
	char *reply;
	size_t nr = 0;
	FILE *f;
	int fd;

	memset(stem, 'n', 200);
	stem[200] = '\0';
	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "%s%04d.target", stem, i);
		unit(self, name, "[Unit]\nDescription=%s\n", stem);
	}
	ASSERT_TRUE(begin(self));
	/* Too many for what one line of a message has room for. */
	f = fopen(path_of(self, "all.target"), "w");
	fputs("[Unit]\n", f);
	for (int i = 0; i < 1000; i++)
		fprintf(f, "Wants=%s%04d.target\n", stem, i);
	fclose(f);
	EXPECT_TRUE(asked(self, "StartUnits", "all.target", "\"done\""));
	fd = dial(self);
	put(fd, CALL("ListUnits", ""), sizeof(CALL("ListUnits", "")));
	reply = next_reply(fd);
	ASSERT_NE(NULL, reply);
	for (const char *s = reply; (s = strstr(s, "0.target\"")); s++)
		nr++;
	EXPECT_EQ(100, nr);
	EXPECT_LT(400000, strlen(reply));
	free(reply);
	close(fd);
	EXPECT_TRUE(answers(self, CALL("Dependencies", "\"name\":\"all.target\""), "0999.target"));
	EXPECT_TRUE(answers(self, CALL("Metrics", ""), "# EOF"));
	ENDS;
}

/* Files */

static void fill(fixture *self, const char *name, const char *with, size_t size)
{
	FILE *f = fopen(path_of(self, name), "w");
	uint32_t seed = 1;

	for (size_t i = 0; f && i < size; i++) {
		seed = seed * 1664525 + 1013904223;
		fputc(with ? with[i % strlen(with)] : (int)(seed >> 24), f);
	}
	if (!f || fclose(f))
		abort();
}

static void point(fixture *self, const char *name, const char *to)
{
	if (symlink(to, path_of(self, name)))
		abort();
}

TEST_F_TIMEOUT(knelld, unit_files_that_are_none, LIMIT_S)
{
	static const char *const bad[] = { "zero", "random", "full", "fifo", "dir", "loop", "gone",
		"huge", "line", "nul", "empty", "binary", "brackets" };
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	char name[300];
	unsigned int before;
	int fd;

	ASSERT_TRUE(begin(self));
	before = rss_kib(self->pid);
	point(self, "zero.service", "/dev/zero");
	point(self, "random.service", "/dev/urandom");
	point(self, "full.service", "/dev/full");
	point(self, "loop.service", "loop.service");
	point(self, "gone.service", "no-such-file.service");
	ASSERT_EQ(0, mkfifo(path_of(self, "fifo.service"), 0600));
	ASSERT_EQ(0, mkdir(path_of(self, "dir.service"), 0700));
	/* 100 MB of nothing, and 5 MB of one line. */
	fd = open(path_of(self, "huge.service"), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	ASSERT_EQ(0, ftruncate(fd, 100 << 20));
	close(fd);
	fill(self, "line.service", "x", 5 << 20);
	fill(self, "binary.service", NULL, 256 << 10);
	fill(self, "nul.service", "[Service]\n", 9);
	fill(self, "empty.service", "", 0);
	fill(self, "brackets.service", "[", 100 << 10);
	strcpy(at.sun_path, path_of(self, "socket.service"));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ASSERT_EQ(0, bind(fd, (struct sockaddr *)&at, sizeof(at)));
	/* Names that are none, and text that a terminal would obey. */
	unit(self, "a b.service", SLEEPER);
	unit(self, "a\nb.service", SLEEPER);
	unit(self, "\033[2J.service", SLEEPER);
	unit(self, ".service", SLEEPER);
	unit(self, "@.service", SLEEPER);
	unit(self, "\xff.service", SLEEPER);
	unit(self, "escape.service", "[Service]\n\033[2J\x07=x\nExecStart=/bin/sleep 100000\n");
	/* Drop-ins of the good one, and what wants others. */
	ASSERT_EQ(0, mkdir(path_of(self, "good.service.d"), 0700));
	ASSERT_EQ(0, mkfifo(path_of(self, "good.service.d/fifo.conf"), 0600));
	point(self, "good.service.d/zero.conf", "/dev/zero");
	point(self, "good.service.d/loop.conf", "loop.conf");
	ASSERT_EQ(0, mkdir(path_of(self, "good.service.wants"), 0700));
	point(self, "good.service.wants/fifo.service", "../fifo.service");
	point(self, "good.service.wants/good.service", "../good.service");
	point(self, "good.service.wants/ a\nb", "/dev/zero");
	ASSERT_EQ(0, mkfifo(path_of(self, "escape.service.d"), 0600));
	ASSERT_EQ(0, mkfifo(path_of(self, "escape.service.requires"), 0600));
	for (int i = 0; i < 2; i++) {
		EXPECT_TRUE(answers(self, CALL("Reload", ""), "{\"parameters\""));
		ASSERT_TRUE(well(self));
	}
	EXPECT_GT(before + MORE_KIB, rss_kib(self->pid));
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		snprintf(name, sizeof(name), "%s.service", bad[i]);
		EXPECT_TRUE(answers(self, CALL("ManagerStatus", ""), "\"version\""));
		EXPECT_EQ(NULL, strstr(ask(self, "StartUnits", name, ""), "\"done\""));
	}
	EXPECT_TRUE(asked(self, "StartUnits", "escape.service", "\"job\""));
	EXPECT_TRUE(is(self, "escape.service", "active"));
	close(fd);
	EXPECT_GT(before + MORE_KIB, rss_kib(self->pid));
	EXPECT_TRUE(lives(main_pid(self, "good.service")));
	ASSERT_EQ(0, stop(self));
	/* What a file says goes to no terminal as it is. */
	EXPECT_FALSE(has(self, "\033"));
	EXPECT_FALSE(has(self, "\x07"));
}

/*
 * supervisors.md 2.3, 9: the manager waits for a child that cannot go on (nitro), here by files
 * that have no end, or nobody at their other one.
 */
TEST_F_TIMEOUT(knelld, class_9_files_that_hold_up, LIMIT_S)
{
	static const char *const keys[] = {
		"EnvironmentFile=@/fifo", "EnvironmentFile=/dev/zero", "EnvironmentFile=@/huge",
		"StandardInput=file:@/fifo", "StandardOutput=file:@/fifo",
		"StandardOutput=append:@/fifo", "StandardError=truncate:@/fifo",
		"StandardOutput=file:/dev/full", "StandardInput=tty\nTTYPath=@/fifo",
		"StandardOutput=tty\nTTYPath=@/fifo", "WorkingDirectory=@/fifo",
		"RootDirectory=@/fifo", "ExecStartPre=@/fifo", "ExecCondition=/dev/zero",
		"Type=forking\nTimeoutStartSec=200ms\nPIDFile=@/fifo",
		"Type=forking\nTimeoutStartSec=200ms\nPIDFile=/dev/zero",
		"Type=forking\nTimeoutStartSec=200ms\nPIDFile=@/huge",
	};
	unsigned int before;
	char name[32];
	int fd;

	ASSERT_EQ(0, mkfifo(path_of(self, "fifo"), 0777));
	fd = open(path_of(self, "huge"), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	ASSERT_EQ(0, ftruncate(fd, 100 << 20));
	close(fd);
	ASSERT_TRUE(begin(self));
	before = rss_kib(self->pid);
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
		char text[256];

		snprintf(name, sizeof(name), "f%zu.service", i);
		snprintf(text, sizeof(text), "[Unit]\nConditionPathExists=@/fifo\n[Service]\n%s\n"
			 "ExecStart=/bin/true\n", keys[i]);
		unit(self, name, text);
		EXPECT_NE(NULL, strstr(ask(self, "StartUnits", name, ",\"noBlock\":true"),
				       "\"job\":")) TH_LOG("%s", keys[i]);
		ASSERT_TRUE(well(self)) TH_LOG("%s", keys[i]);
		EXPECT_GT(before + MORE_KIB, rss_kib(self->pid)) TH_LOG("%s", keys[i]);
	}
	EXPECT_TRUE(lives(main_pid(self, "good.service")));
	ASSERT_EQ(0, stop(self));
	EXPECT_TRUE(nothing_left());
	/* Of what PIDFile= names only a file is the service's, to be removed after it. */
	EXPECT_EQ(0, access(path_of(self, "fifo"), F_OK));
	EXPECT_EQ(0, access("/dev/zero", F_OK));
	EXPECT_NE(0, access(path_of(self, "huge"), F_OK));
}

/* What a process does to the directory while it is read, again and again. */
static void stir(const char *dir)
{
	static const char *const kinds[] = { "service", "target", "timer", "socket" };
	char a[128], b[128];

	for (unsigned int i = 0;; i++) {
		FILE *f;
		int fd;

		snprintf(a, sizeof(a), "%s/v%u.%s", dir, i % 7, kinds[i / 7 % 4]);
		snprintf(b, sizeof(b), "%s/v%u.%s", dir, i % 5, kinds[i / 5 % 4]);
		switch (i * 11 % 13 % 6) {
		case 0:
			unlink(a);
			break;
		case 1:
			rename(a, b);
			break;
		case 2:
			rmdir(a);
			mkdir(b, 0700);
			break;
		case 3:
			if (symlink(b, a) && !unlink(a))
				mkfifo(a, 0600);
			break;
		default:
			/* Where a FIFO is nobody waits. */
			fd = open(a, O_CREAT | O_WRONLY | O_TRUNC | O_NONBLOCK | O_CLOEXEC, 0600);
			f = fd < 0 ? NULL : fdopen(fd, "w");
			if (f)
				fprintf(f, "[Unit]\nWants=v%u.target\nAfter=v%u.service\n"
					"[Install]\nWantedBy=x.target\n"
					"[Service]\nExecStart=/bin/true\n"
					"[Timer]\nOnActiveSec=1h\n[Socket]\nListenFIFO=%s/f%u\n",
					i % 3, i % 4, dir, i % 2);
			if (f)
				fclose(f);
		}
	}
}

TEST_F_TIMEOUT(knelld, files_vanish_while_they_are_read, LIMIT_S)
{
	unsigned int before;
	pid_t pid;

	ASSERT_TRUE(begin(self));
	before = rss_kib(self->pid);
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		stir(self->dir);
	}
	for (int i = 0; i < 60; i++) {
		kill(self->pid, SIGHUP);
		ASSERT_TRUE(answers(self, CALL("Reload", ""), "{\"parameters\""));
		/* Its log has to be read, too. */
		while (read_within(self, 0))
			;
	}
	kill(pid, SIGKILL);
	ASSERT_EQ(pid, waitpid(pid, NULL, 0));
	unit(self, "last.service", SLEEPER);
	EXPECT_TRUE(answers(self, CALL("Reload", ""), "{\"parameters\""));
	ASSERT_TRUE(told(self, "last.service: started"));
	EXPECT_GT(before + MORE_KIB, rss_kib(self->pid));
	ENDS;
}

TEST_HARNESS_MAIN
