// SPDX-License-Identifier: GPL-2.0-only
/* See helpers.h. */
#include <ctype.h>

#include "helpers.h"

/* Past wraps.c. */
ssize_t __real_read(int fd, void *buf, size_t len);
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*fn)(void *), void *arg);

/* Of the sanitizers and of gcov, where they are in the program. */
int __lsan_do_recoverable_leak_check(void) __attribute__((weak));
void __gcov_dump(void) __attribute__((weak));

void test_exit(int status)
{
	/* The harness makes each test a group's leader: whom a test has forked is none. */
	if (!status && __lsan_do_recoverable_leak_check && getpgrp() == getpid() &&
	    __lsan_do_recoverable_leak_check())
		status = 98;
	if (__gcov_dump)
		__gcov_dump();
	_exit(status);
}

/* In the guest /tmp, where the sources may be here, is another one for each program. */
static void __attribute__((constructor)) counts_outlive_the_program(void)
{
	if (__gcov_dump && !access("/gcov", F_OK))
		setenv("GCOV_PREFIX", "/gcov", 1);
}

void leave(int status)
{
	_exit(status);
}

unsigned int times(unsigned int n)
{
	const char *divide = getenv("LIBKNELL_TEST_DIVIDE");
	unsigned int by = 1;

	if (divide)
		by = atoi(divide);
	else if (!access("/dev/knell", F_OK))
		by = 8 * FEWER;
	return by > 1 && n >= by ? n / by : n;
}

/*
 * What has run.
 */

char trace[1 << 16];
static size_t trace_len;

void traced(const char *fmt, ...)
{
	va_list ap;

	if (trace_len && trace_len < sizeof(trace) - 1)
		trace[trace_len++] = ' ';
	va_start(ap, fmt);
	trace_len += vsnprintf(trace + trace_len, sizeof(trace) - trace_len, fmt, ap);
	va_end(ap);
	if (trace_len >= sizeof(trace))
		trace_len = sizeof(trace) - 1;
}

void trace_clear(void)
{
	trace_len = 0;
	trace[0] = 0;
}

unsigned long counted;

void cb_trace(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	(void)l;
	(void)call;
	traced("%s", (const char *)arg);
}

void cb_stop(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	(void)call;
	if (arg)
		traced("%s", (const char *)arg);
	knell_loop_stop(l);
}

void cb_count(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	(void)l;
	(void)call;
	(void)arg;
	counted++;
}

void cb_nothing(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	(void)l;
	(void)call;
	(void)arg;
}

/*
 * Time, threads, this process.
 */

void burn(uint64_t ns)
{
	uint64_t end = clock_ns(CLOCK_THREAD_CPUTIME_ID) + ns, late = clock_ns(CLOCK_MONOTONIC) + ns;

	/* A kernel that could not calibrate the TSC, as in a busy emulator, counts CPU time too fast or too slowly. */
	while (clock_ns(CLOCK_THREAD_CPUTIME_ID) < end || clock_ns(CLOCK_MONOTONIC) < late)
		;
}

pid_t own_tid(void)
{
	return gettid();
}

static char thread_state(pid_t pid, pid_t tid)
{
	char path[64], buf[512], *p;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", pid, tid);
	f = fopen(path, "re");
	if (!f)
		return 0;
	p = fgets(buf, sizeof(buf), f) ? strrchr(buf, ')') : NULL;
	fclose(f);
	return p && p[1] == ' ' ? p[2] : 0;
}

bool is_asleep(pid_t pid, pid_t tid)
{
	return thread_state(pid, tid) == 'S';
}

void wait_asleep(pid_t pid, pid_t tid)
{
	/* A sanitizer or valgrind sleeps now and then for a reason of its own. */
	for (int seen = 0; seen < 3; ) {
		seen = is_asleep(pid, tid) ? seen + 1 : 0;
		sleep_ns(2 * MSEC);
	}
}

static long status_line(const char *path, const char *key)
{
	char line[256];
	long n = -1;
	FILE *f;

	f = fopen(path, "re");
	if (!f)
		return -1;
	while (fgets(line, sizeof(line), f))
		if (!strncmp(line, key, strlen(key))) {
			n = atol(line + strlen(key));
			break;
		}
	fclose(f);
	return n;
}

long nr_sleeps(pid_t pid, pid_t tid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/task/%d/status", pid, tid);
	return status_line(path, "voluntary_ctxt_switches:");
}

size_t resident(void)
{
	return status_line("/proc/self/status", "VmRSS:") * 1024UL;
}

unsigned int nr_threads(void)
{
	return status_line("/proc/self/status", "Threads:");
}

unsigned int nr_open_fds(void)
{
	unsigned int n = 0;

	for (int fd = 0; fd < 4096; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void *meanwhile_thread(void *arg)
{
	struct meanwhile *m = arg;

	wait_asleep(m->pid, m->tid);
	m->fn(m->arg);
	return NULL;
}

void meanwhile(struct meanwhile *m, void (*fn)(void *arg), void *arg)
{
	sigset_t all, old;

	*m = (struct meanwhile){ .pid = getpid(), .tid = own_tid(), .fn = fn, .arg = arg };
	/* The process's signals are for the thread that runs the loop. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	if (__real_pthread_create(&m->thread, NULL, meanwhile_thread, m))
		abort();
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}

void meanwhile_done(struct meanwhile *m)
{
	pthread_join(m->thread, NULL);
}

/*
 * Children.
 */

int child_status(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 256 + status;
}

int await_zombie(pid_t pid)
{
	siginfo_t si = { .si_pid = 0 };

	while (waitid(P_PID, pid, &si, WEXITED | WNOWAIT))
		if (errno != EINTR)
			return -errno;
	return 0;
}

bool is_zombie(pid_t pid)
{
	siginfo_t si = { .si_pid = 0 };

	return !waitid(P_PID, pid, &si, WEXITED | WNOWAIT | WNOHANG) && si.si_pid == pid;
}

/* Never -1: whoever was to be killed would be everybody. */
static pid_t must_fork(void)
{
	pid_t pid = fork();

	if (pid < 0)
		abort();
	return pid;
}

pid_t exiting_child(int status)
{
	pid_t pid = must_fork();

	if (!pid)
		leave(status);
	return pid;
}

pid_t zombie(int status)
{
	pid_t pid = exiting_child(status);

	if (pid > 0)
		await_zombie(pid);
	return pid;
}

pid_t idle_child(void)
{
	pid_t pid = must_fork();

	if (!pid) {
		signal(SIGTERM, SIG_DFL);
		for (;;)
			pause();
	}
	return pid;
}

pid_t waiting_child(int fd, int status)
{
	pid_t pid = must_fork();
	char c;

	if (!pid) {
		while (__real_read(fd, &c, 1) < 0 && errno == EINTR)
			;
		leave(status);
	}
	return pid;
}

pid_t vfork_exit(int status)
{
	pid_t pid = vfork();

	/* Not test_exit(): this is the parent's memory. */
	if (!pid)
		leave(status);
	return pid;
}

/*
 * Loops.
 */

struct knell_loop *new_loop(enum knell_backend backend)
{
	const struct knell_loop_attr attr = { .name = "test", .backend = backend };

	return knell_loop_new(&attr);
}

int run_passes(struct knell_loop *l, unsigned int nr)
{
	int ret = 1;

	while (nr-- && ret >= 0)
		ret = knell_loop_run(l, KNELL_RUN_NOWAIT);
	return ret;
}

struct knell_stats stats_of(const struct knell_loop *l)
{
	struct knell_stats s;

	memset(&s, 0xff, sizeof(s));
	knell_stats_get(l, &s);
	return s;
}

char *shown(struct knell_loop *l, enum knell_table what, enum knell_format format)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);
	int err = f ? knell_show(l, what, f, format) : -ENOMEM;

	if (f)
		fclose(f);
	if (!err)
		return text;
	free(text);
	return NULL;
}

char *shown_stats(struct knell_loop *l, const char *filter, enum knell_format format)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);
	int err = f ? knell_stats_show(l, f, filter, format) : -ENOMEM;

	if (f)
		fclose(f);
	if (!err)
		return text;
	free(text);
	return NULL;
}

int readable_fd(void)
{
	int fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);

	if (fd < 0)
		abort();
	return fd;
}

void make_pipe(int fds[2])
{
	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK))
		abort();
}

/*
 * JSON, read strictly.
 */

static const char *json_value(const char *p, int depth);

static const char *json_space(const char *p)
{
	while (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r')
		p++;
	return p;
}

static const char *json_string(const char *p)
{
	if (*p++ != '"')
		return NULL;
	while (*p != '"') {
		if ((unsigned char)*p < 0x20)
			return NULL;
		if (*p++ != '\\')
			continue;
		if (*p == 'u') {
			for (int i = 1; i <= 4; i++)
				if (!isxdigit((unsigned char)p[i]))
					return NULL;
			p += 5;
		} else if (*p && strchr("\"\\/bfnrt", *p)) {
			p++;
		} else {
			return NULL;
		}
	}
	return p + 1;
}

static const char *json_number(const char *p)
{
	if (*p == '-')
		p++;
	if (!isdigit((unsigned char)*p))
		return NULL;
	if (*p == '0' && isdigit((unsigned char)p[1]))
		return NULL;
	while (isdigit((unsigned char)*p))
		p++;
	if (*p == '.') {
		if (!isdigit((unsigned char)*++p))
			return NULL;
		while (isdigit((unsigned char)*p))
			p++;
	}
	if (*p == 'e' || *p == 'E') {
		p++;
		if (*p == '+' || *p == '-')
			p++;
		if (!isdigit((unsigned char)*p))
			return NULL;
		while (isdigit((unsigned char)*p))
			p++;
	}
	return p;
}

static const char *json_members(const char *p, char end, int depth)
{
	p = json_space(p + 1);
	if (*p == end)
		return p + 1;
	for (;;) {
		if (end == '}') {
			p = json_string(p);
			if (!p)
				return NULL;
			p = json_space(p);
			if (*p++ != ':')
				return NULL;
		}
		p = json_value(p, depth + 1);
		if (!p)
			return NULL;
		if (*p == end)
			return p + 1;
		if (*p++ != ',')
			return NULL;
		p = json_space(p);
	}
}

static const char *json_value(const char *p, int depth)
{
	p = json_space(p);
	if (depth > 64)
		return NULL;
	if (*p == '{')
		p = json_members(p, '}', depth);
	else if (*p == '[')
		p = json_members(p, ']', depth);
	else if (*p == '"')
		p = json_string(p);
	else if (!strncmp(p, "true", 4) || !strncmp(p, "null", 4))
		p += 4;
	else if (!strncmp(p, "false", 5))
		p += 5;
	else
		p = json_number(p);
	return p ? json_space(p) : NULL;
}

bool is_json(const char *text)
{
	text = json_value(text, 0);
	return text && !*text;
}
