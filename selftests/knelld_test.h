/* SPDX-License-Identifier: GPL-2.0-only */
/* What the tests of knelld share: a directory of units, a knelld on it, and its log. */
#ifndef _KNELLD_TEST_H
#define _KNELLD_TEST_H

#include <dirent.h>
#include <ftw.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "kselftest_harness.h"
#include "knell_test.h"

/* The harness defines global functions without prototypes. */
#pragma GCC diagnostic ignored "-Wmissing-prototypes"
/* No test needs all of this. */
#pragma GCC diagnostic ignored "-Wunused-function"

#ifndef PATIENCE_S
#ifndef PATIENCE_S
#define PATIENCE_S	180	/* for one line of the log; only a failure takes so long */
#endif
#endif
#define LIMIT_S		600	/* for one test */
/* So much of the log may wait for the test to look; knelld does not wait for who does not read. */
#define PIPE_ROOM	(1 << 20)
#define LOG_ROOM	(4U << 20)

/* What is tested without the module says so: knelld/host.h. */
#ifndef BACKEND
#define BACKEND "--backend=kernel"
#endif
/* So that ask() works: "--control", path_of(self, "control"), */
#ifndef MORE_OPTIONS
#define MORE_OPTIONS
#endif

enum how { ORDINARY, NO_WAIT, NO_DEVICE, FIRST, FIRST_NO_DEVICE };

FIXTURE(knelld)
{
	char dir[32];
	pid_t pid;
	int pipe;		/* the log comes out of it */
	int into;		/* its other end, -1: only knelld and its services have it */
	char *log;
	size_t len;
};

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st, (void)flag, (void)ftw;
	return remove(path);
}

FIXTURE_SETUP(knelld)
{
	strcpy(self->dir, "/tmp/knelld.XXXXXX");
	ASSERT_NE(NULL, mkdtemp(self->dir));
	/* Services of other users write here, too. */
	ASSERT_EQ(0, chmod(self->dir, 0777));
	self->log = calloc(1, LOG_ROOM);
	ASSERT_NE(NULL, self->log);
	self->pipe = self->into = -1;
}

/* As knelld calls the queue of the test's directory. */
static const char *queue_of(const char *dir)
{
	static char name[64];

	snprintf(name, sizeof(name), "knelld%s", dir);
	for (char *s = name; *s; s++)
		if (*s == '/')
			*s = '-';
	return name;
}

/* The kept queue of that name: its descriptor, or -errno. */
static int attach(const char *name)
{
	struct knell_name who = { .uid = 0 };
	int door = knell_open(0), fd;

	strncpy(who.name, name, sizeof(who.name) - 1);
	fd = ioctl(door, KNELL_IOC_ATTACH, &who);
	if (fd < 0)
		fd = -errno;
	close(door);
	return fd;
}

/* Ends what a knelld that was killed has left: its services, and its queue. */
static void drop_queue(const char *name)
{
	struct knell_name who = { .flags = KNELL_KEEP_OFF };
	struct knell_watch_info w[64];
	struct knell_list list = { .watches = (uintptr_t)w };
	int fd = attach(name);
	char path[128];

	if (fd < 0)
		return;
	do {
		list.nr = sizeof(w) / sizeof(*w);
		if (ioctl(fd, KNELL_IOC_LIST, &list))
			break;
		for (size_t i = 0; i < list.nr; i++) {
			struct knell_op op = { .op = KNELL_OP_KILL, .watch = w[i].watch };
			struct knell_submit s = { .ops = (uintptr_t)&op, .nr_ops = 1 };

			op.kill.sig = SIGKILL;
			if (w[i].type == KNELL_TREE)
				ioctl(fd, KNELL_IOC_SUBMIT, &s);
			list.after = w[i].watch;
		}
	} while (list.nr);
	strncpy(who.name, name, sizeof(who.name) - 1);
	ioctl(fd, KNELL_IOC_KEEP, &who);
	close(fd);
	snprintf(path, sizeof(path), "/run/knell/%s.state", name);
	unlink(path);
}

FIXTURE_TEARDOWN(knelld)
{
	if (self->pid > 0) {
		kill(self->pid, SIGKILL);
		waitpid(self->pid, NULL, 0);
	}
	drop_queue(queue_of(self->dir));
	nftw(self->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	free(self->log);
}

typedef FIXTURE_DATA(knelld) fixture;

static char *path_of(fixture *self, const char *name)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/%s", self->dir, name);
	return path;
}

/* Writes a unit file; each "@" in it becomes the test's directory. */
static void __attribute__((format(printf, 3, 4)))
unit(fixture *self, const char *name, const char *fmt, ...)
{
	char text[4096];
	va_list ap;
	FILE *f = fopen(path_of(self, name), "w");

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	for (const char *s = text; f && *s; s++) {
		if (*s == '@')
			fputs(self->dir, f);
		else
			fputc(*s, f);
	}
	if (!f || fclose(f))
		abort();
}

/* What a service has written; "" if it has not. */
static const char *contents(fixture *self, const char *name)
{
	static char text[8192];
	FILE *f = fopen(path_of(self, name), "r");
	size_t n = f ? fread(text, 1, sizeof(text) - 1, f) : 0;

	text[n] = '\0';
	if (f)
		fclose(f);
	return text;
}

static void show_log(fixture *self, const char *wanted)
{
	fprintf(stderr, "# waited for: %s\n", wanted);
	for (char *line = self->log; *line;) {
		size_t n = strcspn(line, "\n");

		fprintf(stderr, "# | %.*s\n", (int)n, line);
		line += n + (line[n] == '\n');
	}
}

static size_t occurrences(fixture *self, const char *text)
{
	size_t n = 0;

	for (const char *s = self->log; (s = strstr(s, text)); s++)
		n++;
	return n;
}

/* More of the log: false at its end, or when it takes too long. */
static bool read_within(fixture *self, int ms)
{
	struct pollfd p = { .fd = self->pipe, .events = POLLIN };
	ssize_t n;

	if (poll(&p, 1, ms) <= 0)
		return false;
	n = read(self->pipe, self->log + self->len, LOG_ROOM - 1 - self->len);
	if (n <= 0)
		return false;
	self->len += n;
	self->log[self->len] = '\0';
	return true;
}

static bool read_log(fixture *self)
{
	return read_within(self, PATIENCE_S * 1000);
}

static bool read_soon(fixture *self)
{
	return read_within(self, 10);
}

/* Waits until the log has @text @nr times. */
static bool told_times(fixture *self, size_t nr, const char *text)
{
	/* A log that goes on for ever without it is no better than one that ends. */
	uint64_t end = clock_ns(CLOCK_MONOTONIC) + 2 * PATIENCE_S * NSEC_PER_SEC;

	while (occurrences(self, text) < nr) {
		if (!read_log(self) || clock_ns(CLOCK_MONOTONIC) > end) {
			show_log(self, text);
			return false;
		}
	}
	return true;
}

static bool told(fixture *self, const char *text)
{
	return told_times(self, 1, text);
}

/* Has the log, as far as it was read, this text? */
static bool has(fixture *self, const char *text)
{
	return strstr(self->log, text);
}

/* Is @first in the log, and @second after it? */
static bool in_order(fixture *self, const char *first, const char *second)
{
	const char *a = strstr(self->log, first);

	return a && strstr(a, second);
}

/*
 * From here on a process that waits for children, or makes one by copying itself, is killed:
 * so knelld does neither. Its services in such a test may not, either.
 */
static void forbid_waiting(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_wait4, 6, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_waitid, 5, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_fork, 4, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_kill, 3, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, CLONE_VFORK, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { .len = sizeof(code) / sizeof(*code), .filter = code };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, 2, &prog))
		_exit(99);
}

static void prepare(enum how how)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (how == NO_WAIT)
		forbid_waiting();
	if (how == ORDINARY || how == NO_WAIT)
		return;
	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		_exit(98);
	/* Its own view of processes, and a /dev without the device. */
	if (how != NO_DEVICE && mount("proc", "/proc", "proc", 0, NULL))
		_exit(97);
	if (how != FIRST && mount("tmpfs", "/dev", "tmpfs", 0, NULL))
		_exit(96);
}

static bool make_pipe(fixture *self)
{
	int fds[2];

	if (self->into >= 0)
		return true;
	if (pipe2(fds, O_CLOEXEC))
		return false;
	self->pipe = fds[0];
	self->into = fds[1];
	/* Not everybody may have that much. */
	fcntl(self->into, F_SETPIPE_SZ, PIPE_ROOM);
	return true;
}

/* Starts knelld on the test's directory; its log, and what services print, come by a pipe. */
static bool start_with(fixture *self, enum how how, const char *option)
{
	const char *knelld = getenv("KNELLD") ? getenv("KNELLD") : "/sbin/knelld";
	bool first = how == FIRST || how == FIRST_NO_DEVICE;

	if (!make_pipe(self))
		return false;
	self->pid = first ? syscall(SYS_clone, CLONE_NEWPID | SIGCHLD, 0, 0, 0, 0) : fork();
	if (!self->pid) {
		dup2(self->into, STDOUT_FILENO);
		dup2(self->into, STDERR_FILENO);
		prepare(how);
		execl(knelld, "knelld", "--unit-dir", self->dir, BACKEND, MORE_OPTIONS
		      option, (char *)NULL);
		_exit(95);
	}
	return self->pid > 0;
}

/* A knelld that is the only one of its test: the log ends with it and its services. */
static bool start_as(fixture *self, enum how how)
{
	bool ok = start_with(self, how, NULL);

	close(self->into);
	self->into = -1;
	return ok;
}

static bool start(fixture *self)
{
	return start_as(self, ORDINARY);
}

/* Waits for knelld's end, reading on; its wait status. */
static int ended(fixture *self)
{
	int status = -1;

	while (self->into < 0 && read_log(self))
		;
	while (self->into >= 0 && !(status = 0, waitpid(self->pid, &status, WNOHANG)))
		read_soon(self);
	if (self->into < 0 && waitpid(self->pid, &status, 0) != self->pid)
		status = -1;
	self->pid = 0;
	if (self->into < 0)
		close(self->pipe);
	else
		while (read_soon(self))
			;
	return status;
}

/* The end that knelld must survive in its services; what it has written so far is read. */
static void kill_knelld(fixture *self)
{
	kill(self->pid, SIGKILL);
	waitpid(self->pid, NULL, 0);
	self->pid = 0;
	while (read_soon(self))
		;
}

static int stop(fixture *self)
{
	kill(self->pid, SIGTERM);
	return ended(self);
}

/* The process that the log named last when it said that @name was started. */
static pid_t main_pid(fixture *self, const char *name)
{
	const char *at = NULL;
	char text[128];

	snprintf(text, sizeof(text), "%s: started, main process ", name);
	for (const char *s = self->log; (s = strstr(s, text)); s++)
		at = s;
	return at ? atoi(at + strlen(text)) : -1;
}

/* What /proc/PID/stat has after the name, NULL if there is no such process. */
static const char *stat_of(pid_t pid, char *line, int size)
{
	const char *after;
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	*line = '\0';
	f = pid > 0 ? fopen(path, "r") : NULL;
	if (f && !fgets(line, size, f))
		*line = '\0';
	if (f)
		fclose(f);
	after = strrchr(line, ')');
	return after ? after + 1 : NULL;
}

/* Its letter there, '-' if there is no such process. */
static char state_of(pid_t pid)
{
	char line[512];
	const char *stat = stat_of(pid, line, sizeof(line));

	return stat ? stat[1] : '-';
}

/* Is there a process of that number, other than a zombie? */
static bool lives(pid_t pid)
{
	return !strchr("-ZX", state_of(pid));
}

/* For what nothing tells of: until when to look for it, */
static uint64_t patience_ends(void)
{
	return clock_ns(CLOCK_MONOTONIC) + PATIENCE_S * NSEC_PER_SEC;
}

/* and whether to look once more, a moment later. */
static bool look_again(uint64_t end)
{
	struct timespec tick = { .tv_nsec = 10 * NSEC_PER_MSEC };

	if (clock_ns(CLOCK_MONOTONIC) > end)
		return false;
	nanosleep(&tick, NULL);
	return true;
}

/* Waits for the end of a process that is not ours to wait for. */
static bool dies(pid_t pid)
{
	uint64_t end = patience_ends();

	while (lives(pid))
		if (!look_again(end))
			return false;
	return true;
}

/* Waits for a file that a service makes. */
static bool appears(fixture *self, const char *name)
{
	uint64_t end = patience_ends();

	while (access(path_of(self, name), F_OK))
		if (!look_again(end))
			return false;
	return true;
}

/* The number that a service has written to a file; 0: it has not. */
static pid_t pid_in(fixture *self, const char *name)
{
	uint64_t end = patience_ends();
	pid_t pid;

	/* It may be there and still empty. */
	do {
		pid = strchr(contents(self, name), '\n') ? atoi(contents(self, name)) : 0;
	} while (!pid && look_again(end));
	return pid;
}

#define SLEEPER "[Service]\nExecStart=/bin/sleep 100000\n"

/* What /proc says that a process has done so far. */
struct work {
	unsigned long long voluntary, involuntary, utime, stime;
};

static struct work work_of(pid_t pid)
{
	struct work w = { 0 };
	char path[64], line[512];
	const char *stat;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f)) {
		sscanf(line, "voluntary_ctxt_switches: %llu", &w.voluntary);
		sscanf(line, "nonvoluntary_ctxt_switches: %llu", &w.involuntary);
	}
	if (f)
		fclose(f);
	stat = stat_of(pid, line, sizeof(line));
	if (stat)
		sscanf(stat, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu",
		       &w.utime, &w.stime);
	return w;
}

/* Is it in the one system call that waits on a queue, read(2) or with something told before? */
static bool waits_on_queue(const char *line)
{
	unsigned long long fd, request;
	long nr;

	if (sscanf(line, "%ld %llx %llx", &nr, &fd, &request) != 3)
		return false;
	return nr == SYS_read || (nr == SYS_ioctl && request == KNELL_IOC_SUBMIT);
}

/* Waits until a process is asleep on its queue. */
static bool asleep_on_queue(pid_t pid)
{
	uint64_t end = patience_ends();
	char path[64], line[256];
	bool asleep;

	snprintf(path, sizeof(path), "/proc/%d/syscall", pid);
	do {
		FILE *f = fopen(path, "r");

		asleep = f && fgets(line, sizeof(line), f) && waits_on_queue(line);
		if (f)
			fclose(f);
	} while (!asleep && look_again(end));
	return asleep;
}

static void idle(struct __test_metadata *_metadata, fixture *self, unsigned int seconds)
{
	struct work before, after;

	ASSERT_TRUE(asleep_on_queue(self->pid));
	before = work_of(self->pid);
	EXPECT_LT(0, before.voluntary);
	sleep(seconds);
	after = work_of(self->pid);
	EXPECT_EQ(before.voluntary, after.voluntary);
	EXPECT_EQ(before.involuntary, after.involuntary);
	EXPECT_EQ(before.utime, after.utime);
	EXPECT_EQ(before.stime, after.stime);
}

/*
 * Calls a method of io.knell.Manager for one unit, and sleeps until what it asks for is done: the
 * reply, which is good until the next call; "" if there is none.
 */
static const char *ask(fixture *self, const char *method, const char *unit_name, const char *more)
{
	static char reply[65536];
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	size_t len = 0;
	bool many = strstr(method, "Units") || !strcmp(method, "ResetFailed");
	uint64_t end = patience_ends();
	char call[512];
	ssize_t n = 1;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), failed;

	strcpy(to.sun_path, path_of(self, "control"));
	if (!*unit_name)
		snprintf(call, sizeof(call), "{\"method\":\"io.knell.Manager.%s\"}", method);
	else
		snprintf(call, sizeof(call), "{\"method\":\"io.knell.Manager.%s\",\"parameters\":"
			 "{\"%s\":%s%s%s%s}}", method, many ? "names" : "name",
			 many ? "[\"" : "\"", unit_name, many ? "\"]" : "\"", more);
	/* Its file is there a moment before anybody listens. */
	while ((failed = connect(fd, (struct sockaddr *)&to, sizeof(to))) &&
	       errno == ECONNREFUSED && look_again(end))
		;
	if (!failed &&
	    write(fd, call, strlen(call) + 1) == (ssize_t)strlen(call) + 1)
		while (n > 0 && (!len || reply[len - 1]) && len < sizeof(reply) - 1) {
			n = read(fd, reply + len, sizeof(reply) - 1 - len);
			len += n > 0 ? n : 0;
		}
	reply[len] = '\0';
	close(fd);
	return reply;
}

/* The same for jobs: did it end so ("done", "failed" ...; an error by its name)? */
static bool asked(fixture *self, const char *method, const char *unit_name, const char *result)
{
	const char *reply = ask(self, method, unit_name, "");

	if (strstr(reply, result))
		return true;
	fprintf(stderr, "# %s of %s: wanted %s, got: %s\n", method, unit_name, result, reply);
	return false;
}

/* Is the unit active, inactive, failed ... now? */
static bool is(fixture *self, const char *unit_name, const char *active)
{
	char text[64];

	snprintf(text, sizeof(text), "\"active\":\"%s\"", active);
	return asked(self, "UnitStatus", unit_name, text);
}

/* Waits until the status of a unit has that. */
static bool becomes(fixture *self, const char *name, const char *text)
{
	uint64_t end = patience_ends();

	while (!strstr(ask(self, "UnitStatus", name, ""), text))
		if (!look_again(end)) {
			fprintf(stderr, "# %s: wanted %s, got %s\n", name, text,
				ask(self, "UnitStatus", name, ""));
			return false;
		}
	return true;
}

#endif /* _KNELLD_TEST_H */
