// SPDX-License-Identifier: GPL-2.0-only
/*
 * PID 1 of the test guest: runs the programs listed in /etc/programs and powers off.
 *
 * Each line of the list is NAME LIMIT [ARG...]: /tests/NAME is run with these arguments for at
 * most LIMIT seconds. What happens goes to the second serial port, which nobody else writes to:
 *
 *	RUN name limit
 *	    each line that the program prints, on stdout or stderr, indented by four columns
 *	END name exit|signal|timeout|taint value seconds
 *	DONE
 *
 * so no program's output can be taken for a line of this file, and a run that did not get to its
 * end has no DONE. The module is inserted before each program if it is not there (a program may
 * have removed it), and removed at the end, which tells whether anything held on to it. Where the
 * kernel has kmemleak, what nothing points at any more is looked for before that, when the module's
 * functions have names yet, and after it.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define MODULE		"knell"
#define MODULE_FILE	"/lib/knell.ko"
#define PROGRAM_LIST	"/etc/programs"
/* What the module's coverage build needs, and where that tells what it has seen. */
#define COVERAGE_FILE	"/lib/knell_coverage.ko"
#define COVERAGE	"/sys/kernel/debug/knell_coverage"
#define KMEMLEAK	"/sys/kernel/debug/kmemleak"
#define LOCKDEP		"/proc/lockdep_stats"
/* kmemleak does not tell of what is younger than five seconds. */
#define LEAK_AGE	6
/* An arm64 machine's first port is no 8250. */
#ifdef __aarch64__
#define RESULT_PORT	"/dev/ttyS0"
#else
#define RESULT_PORT	"/dev/ttyS1"
#endif
#define LINE_MAX_LEN	4096
#define ARGS_MAX	32

/* Machine check, bad page (SLUB's reports too), died, warned, soft lockup. */
#define TAINT_FATAL	((1 << 4) | (1 << 5) | (1 << 7) | (1 << 9) | (1 << 14))

static const struct {
	const char *type, *target, *options;
} mounts[] = {
	{ "devtmpfs", "/dev", NULL },
	{ "proc", "/proc", NULL },
	{ "sysfs", "/sys", NULL },
	{ "devpts", "/dev/pts", NULL },
	{ "tmpfs", "/dev/shm", NULL },
	{ "tmpfs", "/run", NULL },
	{ "tmpfs", "/tmp", "mode=1777" },
	{ "debugfs", "/sys/kernel/debug", NULL },
	{ "tracefs", "/sys/kernel/tracing", NULL },
	{ "cgroup2", "/sys/fs/cgroup", NULL },
};

/* A program's output on its way to the result port, cut into lines. */
struct relay {
	int pipe;
	size_t len;
	char line[LINE_MAX_LEN];
};

struct outcome {
	const char *how;
	int value;
};

static int result_port = -1;

static void write_all(int fd, const char *buf, size_t len)
{
	while (len) {
		ssize_t n = write(fd, buf, len);

		if (n < 0 && errno != EINTR)
			return;
		if (n > 0) {
			buf += n;
			len -= n;
		}
	}
}

static void __attribute__((format(printf, 1, 2))) report(const char *fmt, ...)
{
	char line[LINE_MAX_LEN + 16];
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (len > 0)
		write_all(result_port, line, (size_t)len < sizeof(line) ? (size_t)len : sizeof(line) - 1);
}

static void __attribute__((noreturn)) power_off(void)
{
	/* The port has a buffer, and the machine goes at once. */
	if (result_port >= 0)
		tcdrain(result_port);
	sync();
	/*
	 * QEMU's machine cannot be switched off any more once it has slept, and by a kernel without
	 * ACPI never; boot.sh has -no-reboot.
	 */
	reboot(RB_AUTOBOOT);
	_exit(1);
}

static void __attribute__((noreturn)) give_up(const char *what)
{
	fprintf(stderr, "init: %s: %s\n", what, strerror(errno));
	power_off();
}

static time_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec;
}

static void mount_all(void)
{
	for (size_t i = 0; i < sizeof(mounts) / sizeof(mounts[0]); i++) {
		mkdir(mounts[i].target, 0755);
		if (mount(mounts[i].type, mounts[i].target, mounts[i].type, 0, mounts[i].options) &&
		    errno != EBUSY)
			give_up(mounts[i].target);
	}
}

/* The console becomes stdin, stdout and stderr: there was no /dev before mount_all(). */
static void open_ports(void)
{
	struct termios raw;
	int console = open("/dev/console", O_RDWR | O_CLOEXEC);

	for (int fd = 0; console >= 0 && fd < 3; fd++)
		dup2(console, fd);
	result_port = open(RESULT_PORT, O_WRONLY | O_NOCTTY | O_CLOEXEC);
	if (result_port < 0 || tcgetattr(result_port, &raw))
		give_up(RESULT_PORT);
	cfmakeraw(&raw);
	cfsetspeed(&raw, B115200);
	tcsetattr(result_port, TCSANOW, &raw);
}

/* Puts a line into the kernel log, so that the console tells during what a warning came. */
static void mark_console(const char *name)
{
	char line[128];
	int fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
	int len = snprintf(line, sizeof(line), "<4>init: running %s\n", name);

	if (fd < 0)
		return;
	write_all(fd, line, len);
	close(fd);
}

static long tainted(void)
{
	char buf[32] = "";
	int fd = open("/proc/sys/kernel/tainted", O_RDONLY | O_CLOEXEC);

	if (fd < 0 || read(fd, buf, sizeof(buf) - 1) < 0)
		give_up("/proc/sys/kernel/tainted");
	close(fd);
	return strtol(buf, NULL, 10) & TAINT_FATAL;
}

static bool module_loaded(void)
{
	return !access("/sys/module/" MODULE "/refcnt", F_OK);
}

static bool insert(const char *file)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC);
	bool ok = fd >= 0 && !syscall(SYS_finit_module, fd, "", 0);

	if (!ok)
		report("    # insmod %s: %s\n", file, strerror(errno));
	if (fd >= 0)
		close(fd);
	return ok;
}

/* Inserts the module if there is one; true if it need not or could be done. */
static bool load_module(void)
{
	if (module_loaded() || access(MODULE_FILE, F_OK))
		return true;
	if (!access(COVERAGE_FILE, F_OK) && access(COVERAGE, F_OK) && !insert(COVERAGE_FILE))
		return false;
	return insert(MODULE_FILE);
}

/* Removes the module: a test of its own, since what holds on to it or is left behind shows here. */
static void unload_module(void)
{
	long taint = tainted();
	bool ok;

	if (!module_loaded())
		return;
	mark_console("rmmod");
	report("RUN rmmod 60\n    1..1\n");
	ok = !syscall(SYS_delete_module, MODULE, O_NONBLOCK);
	report("    %sok 1 the module can be removed and leaves nothing behind%s%s\n",
	       ok ? "" : "not ", ok ? "" : ": ", ok ? "" : strerror(errno));
	report("END rmmod %s %d 0\n", tainted() != taint ? "taint" : "exit", ok ? 0 : 1);
}

static int tell_kmemleak(const char *command)
{
	int fd = open(KMEMLEAK, O_WRONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -1;
	n = write(fd, command, strlen(command));
	close(fd);
	return n < 0 ? -1 : 0;
}

/* All that kmemleak has to say; how many lines these were. */
static int report_leaks(void)
{
	FILE *f = fopen(KMEMLEAK, "re");
	char line[256];
	int lines = 0;

	if (!f)
		return 1;
	for (; fgets(line, sizeof(line), f); lines++)
		report("    # %s", line);
	fclose(f);
	return lines;
}

/*
 * A test of its own, too. What has changed since the last look is not told of, so @looks is 2 at
 * first. A look takes a minute.
 */
static void find_leaks(const char *when, int looks)
{
	bool ok = true;

	if (access(KMEMLEAK, W_OK))
		return;
	mark_console("kmemleak");
	report("RUN kmemleak-%s 600\n    1..1\n", when);
	sleep(LEAK_AGE);
	while (looks--)
		ok &= !tell_kmemleak("scan");
	ok &= !report_leaks();
	report("    %sok 1 nothing has leaked\n", ok ? "" : "not ");
	report("END kmemleak-%s exit %d 0\n", when, ok ? 0 : 1);
	tell_kmemleak("clear");
}

/* Of races a machine with fewer CPUs than it was given has none to find. */
static void check_cpus(void)
{
	const char *given = getenv("guest_cpus");
	bool there;

	if (!given)
		return;
	there = sysconf(_SC_NPROCESSORS_CONF) == atol(given);
	report("RUN cpus 60\n    1..1\n");
	report("    %sok 1 the machine has %s CPUs\n", there ? "" : "not ", given);
	report("END cpus exit %d 0\n", there ? 0 : 1);
}

/* lockdep tells of one fault, if it is one of the kernel's own, and is off from there on. */
static void check_lockdep(void)
{
	FILE *f = fopen(LOCKDEP, "re");
	char line[256];
	bool on = false;

	if (!f)
		return;
	while (fgets(line, sizeof(line), f))
		on |= strstr(line, "debug_locks:") && strchr(line, '1');
	fclose(f);
	report("RUN lockdep 60\n    1..1\n");
	report("    %sok 1 locks were watched to the end\n", on ? "" : "not ");
	report("END lockdep exit %d 0\n", on ? 0 : 1);
}

/* Where the module has been, its way out too. */
static void report_coverage(void)
{
	FILE *f = fopen(COVERAGE, "re");
	char line[LINE_MAX_LEN];

	if (!f)
		return;
	while (fgets(line, sizeof(line), f))
		report("    # coverage: %s", line);
	fclose(f);
}

static void relay_line(struct relay *r)
{
	report("    %.*s\n", (int)r->len, r->line);
	r->len = 0;
}

/* Moves on what the program has printed; false at the end of its output. */
static bool relay_output(struct relay *r)
{
	char buf[LINE_MAX_LEN];
	ssize_t n = read(r->pipe, buf, sizeof(buf));

	if (n < 0)
		return errno == EINTR || errno == EAGAIN;
	for (ssize_t i = 0; i < n; i++) {
		if (buf[i] != '\n')
			r->line[r->len++] = buf[i];
		if (buf[i] == '\n' || r->len == sizeof(r->line))
			relay_line(r);
	}
	return n > 0;
}

static void __attribute__((noreturn)) exec_program(char **argv, int output)
{
	char path[256];
	int null = open("/dev/null", O_RDONLY);
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setsid();
	dup2(null, 0);
	dup2(output, 1);
	dup2(output, 2);
	if (null > 2)
		close(null);
	snprintf(path, sizeof(path), "/tests/%s", argv[0]);
	execv(path, argv);
	printf("# cannot run %s: %s\n", path, strerror(errno));
	fflush(stdout);
	_exit(127);
}

/* Reaps whoever is dead; the status of @pid goes to @status, true once it was among them. */
static bool reap(pid_t pid, int *status)
{
	bool found = false;
	int st;

	for (pid_t p; (p = waitpid(-1, &st, WNOHANG)) > 0; ) {
		if (p != pid)
			continue;
		*status = st;
		found = true;
	}
	return found;
}

/* Kills all that is left of a program, what it has daemonized too, and takes its last lines. */
static void sweep(struct relay *r)
{
	int flags = fcntl(r->pipe, F_GETFL);

	kill(-1, SIGKILL);
	while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
		;
	/* Nobody can hold the pipe any more, unless in another pid namespace that is going down. */
	fcntl(r->pipe, F_SETFL, flags | O_NONBLOCK);
	while (relay_output(r) && errno != EAGAIN)
		errno = 0;
	if (r->len)
		relay_line(r);
}

/* Waits for the program and relays its output, for at most @limit seconds. */
static struct outcome supervise(pid_t pid, int sigfd, struct relay *r, int limit)
{
	time_t end = now() + limit;
	struct pollfd fds[] = {
		{ .fd = sigfd, .events = POLLIN },
		{ .fd = r->pipe, .events = POLLIN },
	};
	int status;

	for (time_t left = limit; left > 0; left = end - now()) {
		struct signalfd_siginfo si;

		if (poll(fds, 2, left * 1000) <= 0)
			continue;
		if (fds[1].revents && !relay_output(r))
			fds[1].fd = -1;
		if (!fds[0].revents || read(sigfd, &si, sizeof(si)) < 0 || !reap(pid, &status))
			continue;
		if (WIFSIGNALED(status))
			return (struct outcome){ "signal", WTERMSIG(status) };
		return (struct outcome){ "exit", WEXITSTATUS(status) };
	}
	return (struct outcome){ "timeout", limit };
}

static void run_program(char **argv, int limit, int sigfd)
{
	static struct relay r;
	time_t start = now();
	long taint = tainted();
	struct outcome out;
	int output[2];
	pid_t pid;

	mark_console(argv[0]);
	report("RUN %s %d\n", argv[0], limit);
	if (!load_module()) {
		report("END %s exit 1 0\n", argv[0]);
		return;
	}
	if (pipe2(output, O_CLOEXEC))
		give_up("pipe");
	pid = fork();
	if (pid < 0)
		give_up("fork");
	if (!pid)
		exec_program(argv, output[1]);
	close(output[1]);
	r = (struct relay){ .pipe = output[0] };
	out = supervise(pid, sigfd, &r, limit);
	sweep(&r);
	close(output[0]);
	if (tainted() != taint)
		out = (struct outcome){ "taint", tainted() & ~taint };
	report("END %s %s %d %ld\n", argv[0], out.how, out.value, (long)(now() - start));
}

/* Splits one line of the list and runs it. */
static void run_line(char *line, int sigfd)
{
	char *argv[ARGS_MAX + 1] = { NULL };
	char *save = NULL, *name, *limit;
	int argc = 0;

	name = strtok_r(line, " \n", &save);
	limit = strtok_r(NULL, " \n", &save);
	if (!name || !limit)
		return;
	argv[argc++] = name;
	while (argc < ARGS_MAX && (argv[argc] = strtok_r(NULL, " \n", &save)))
		argc++;
	run_program(argv, atoi(limit), sigfd);
}

int main(void)
{
	char line[LINE_MAX_LEN];
	sigset_t chld;
	FILE *list;
	int sigfd;

	mount_all();
	open_ports();
	setenv("PATH", "/sbin:/bin", 1);
	setenv("HOME", "/", 1);
	setenv("KNELL_KO", MODULE_FILE, 1);
	setenv("KNELLD", "/sbin/knelld", 1);
	umask(022);
	if (chdir("/tmp"))
		give_up("/tmp");
	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	sigprocmask(SIG_BLOCK, &chld, NULL);
	sigfd = signalfd(-1, &chld, SFD_CLOEXEC | SFD_NONBLOCK);
	list = fopen(PROGRAM_LIST, "re");
	if (sigfd < 0 || !list)
		give_up(PROGRAM_LIST);
	while (fgets(line, sizeof(line), list))
		run_line(line, sigfd);
	find_leaks("before-rmmod", 2);
	unload_module();
	find_leaks("after-rmmod", 1);
	check_lockdep();
	check_cpus();
	report_coverage();
	report("DONE\n");
	power_off();
}
