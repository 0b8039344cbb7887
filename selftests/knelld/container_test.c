// SPDX-License-Identifier: GPL-2.0-only
/*
 * knelld --container: as the first process of a pid namespace, and as another one. Needs root. In
 * the guest each with the module and without.
 */
#include <pty.h>
#include <sys/ioctl.h>
#include <sys/resource.h>

#include "host.h"

#define NR_ORPHANS	1000
#define NR_QUEUED	300
#define MAX_ARGS	16

/* Where it runs. */
#define FIRST_ONE	(1U << 0)	/* first process of a pid namespace */
#define NO_PROC		(1U << 1)
#define READ_ONLY	(1U << 2)	/* all of it */
#define NOBODY		(1U << 3)	/* no user of this machine, without capabilities */
#define TERM_PENDING	(1U << 4)	/* a SIGTERM is there before it is */
#define ON_TTY		(1U << 5)	/* leads a session that has the terminal */
#define STRAY_TTY	(1U << 6)	/* the terminal is nobody's */
#define FALSE_DEVICE	(1U << 7)	/* what is there as /dev/knell is something else */

static unsigned int both[] = { FIRST_ONE, 0 };

/*
 * What the command is: this very program
 */

static void say(const char *fmt, ...)
{
	char text[128];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (write(STDOUT_FILENO, text, n) != n)
		_exit(90);
}

/* Tells of each signal that comes; SIGUSR2 with a value ends it, and it tells how many had one. */
static void tell_signals(void)
{
	unsigned int values = 0;
	siginfo_t info;
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	say("ready\n");
	for (;;) {
		if (sigwaitinfo(&all, &info) < 0)
			continue;
		if (info.si_code != SI_QUEUE) {
			say("got %d\n", info.si_signo);
			continue;
		}
		if (info.si_signo == SIGUSR2)
			break;
		values += info.si_value.sival_int == (int)values;
	}
	say("values %u of pid %d, last %d\n", values, info.si_pid, info.si_value.sival_int);
}

/* Has knelld, whose child this is, one that is dead? */
static bool zombies(void)
{
	DIR *d = opendir("/proc");
	bool found = !d;
	struct dirent *e;
	char line[512];

	while (d && (e = readdir(d))) {
		const char *stat = stat_of(atoi(e->d_name), line, sizeof(line));
		int parent;

		found |= stat && sscanf(stat, " Z %d", &parent) == 1 && parent == getppid();
	}
	if (d)
		closedir(d);
	return found;
}

/* Of each the parent has ended before it does. */
static void make_orphans(void)
{
	int hold[2];
	char c;

	/* host.h has made it one. */
	prctl(PR_SET_CHILD_SUBREAPER, 0);
	for (int i = 0; i < (getppid() == 1 ? NR_ORPHANS : NR_ORPHANS / 10); i++) {
		pid_t pid;

		if (pipe(hold))
			_exit(91);
		pid = fork();
		if (!pid) {
			if (fork())
				_exit(0);
			close(hold[1]);
			_exit(read(hold[0], &c, 1));
		}
		if (pid < 0 || waitpid(pid, NULL, 0) != pid)
			_exit(92);
		close(hold[0]);
		close(hold[1]);
	}
	for (uint64_t end = patience_ends(); zombies();)
		if (!look_again(end))
			_exit(93);
	say("no zombies\n");
}

static void tell_terminal(void)
{
	say("terminal: front %d, group %d, session %d\n", tcgetpgrp(0) == getpgrp(),
	    getpgrp() == getpid(), tcgetsid(0) == getsid(0));
}

static void __attribute__((constructor)) be_command(void)
{
	const char *role = getenv("TEST_ROLE");

	if (!role)
		return;
	if (!strcmp(role, "signals"))
		tell_signals();
	else if (!strcmp(role, "orphans"))
		make_orphans();
	else if (!strcmp(role, "terminal"))
		tell_terminal();
	if (!strcmp(role, "terminal"))
		pause();
	_exit(0);
}

/*
 * How it is run
 */

static void make_place(unsigned int how, const char *root)
{
	char run[64];

	snprintf(run, sizeof(run), "%s/run", root);
	if (!(how & (FIRST_ONE | NO_PROC | READ_ONLY)))
		return;
	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		_exit(98);
	if (mount(how & NO_PROC ? "tmpfs" : "proc", "/proc", how & NO_PROC ? "tmpfs" : "proc", 0,
		  NULL))
		_exit(97);
	if (how & FALSE_DEVICE && mount("/dev/null", "/dev/knell", NULL, MS_BIND, NULL))
		_exit(92);
	if (!(how & READ_ONLY))
		return;
	mkdir(root, 0755);
	if (mount("/", root, NULL, MS_BIND | MS_REC, NULL) ||
	    mount(NULL, root, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL) ||
	    mount("tmpfs", run, "tmpfs", MS_RDONLY, NULL) || chroot(root) || chdir("/"))
		_exit(96);
}

static void take_place(fixture *self, unsigned int how, int tty)
{
	char root[48];

	snprintf(root, sizeof(root), "%s/root", self->dir);
	make_place(how, root);
	if (how & NOBODY && (setgid(65534) || setuid(65534)))
		_exit(94);
	if (how & (ON_TTY | STRAY_TTY))
		dup2(tty, STDIN_FILENO);
	if (how & ON_TTY && (setsid() < 0 || ioctl(STDIN_FILENO, TIOCSCTTY, 0)))
		_exit(93);
	if (how & TERM_PENDING) {
		sigset_t set;

		sigemptyset(&set);
		sigaddset(&set, SIGTERM);
		sigprocmask(SIG_BLOCK, &set, NULL);
		raise(SIGTERM);
	}
}

/* ASan's needs a /proc. */
static const char *knelld_for(unsigned int how)
{
	const char *knelld = getenv("KNELLD"), *installed = getenv("KNELLD_INSTALLED");

	if (how & NO_PROC && installed)
		return installed;
	return knelld ? knelld : "/sbin/knelld";
}

/* @args: of knelld, behind --container --backend; ends with NULL. */
static bool start_in(fixture *self, unsigned int how, const char *backend, int tty,
		     const char *const *args)
{
	const char *argv[MAX_ARGS] = { "knelld", "--container", "--backend", backend };
	size_t n = 4;

	while (n < MAX_ARGS - 1 && *args)
		argv[n++] = *args++;
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	if (!make_pipe(self))
		return false;
	self->pid = how & FIRST_ONE ? syscall(SYS_clone, CLONE_NEWPID | SIGCHLD, 0, 0, 0, 0) :
				      fork();
	if (!self->pid) {
		dup2(self->into, STDOUT_FILENO);
		dup2(self->into, STDERR_FILENO);
		take_place(self, how, tty);
		execv(knelld_for(how), (char *const *)(uintptr_t)argv);
		_exit(95);
	}
	close(self->into);
	self->into = -1;
	return self->pid > 0;
}

/* What another run has said is no news of this one. */
static void forget_log(fixture *self)
{
	self->len = 0;
	*self->log = '\0';
}

#define IN(how, ...) start_in(self, how, backend, -1, (const char *const []){ __VA_ARGS__, NULL })
#define SH(how, script) IN(how, "--", "/bin/sh", "-c", script)
#define EXITS(code) EXPECT_EQ((code) << 8, ended(self))

/* Each twice in the guest; here there is no module. */
#ifdef GUEST
#define CASE(name)									\
static void name(struct __test_metadata *_metadata, fixture *self, const char *backend); \
TEST_F_TIMEOUT(knelld, name##_with, LIMIT_S)						\
{											\
	name(_metadata, self, "kernel");						\
}											\
TEST_F_TIMEOUT(knelld, name##_without, LIMIT_S)						\
{											\
	name(_metadata, self, "pidfd");							\
}											\
static void name(struct __test_metadata *_metadata, fixture *self, const char *backend)
#else
#define CASE(name)									\
static void name(struct __test_metadata *_metadata, fixture *self, const char *backend); \
TEST_F_TIMEOUT(knelld, name, LIMIT_S)							\
{											\
	name(_metadata, self, "auto");							\
}											\
static void name(struct __test_metadata *_metadata, fixture *self, const char *backend)
#endif

/*
 * A command
 */

CASE(its_exit_status_is_the_commands)
{
	for (size_t i = 0; i < ARRAY_SIZE(both); i++) {
		ASSERT_TRUE(SH(both[i], "exit 42"));
		EXITS(42);
		ASSERT_TRUE(SH(both[i], "exit 0"));
		EXITS(0);
		EXPECT_EQ(0, self->len);	/* nothing to tell */
	}
}

CASE(a_signals_end_is_128_and_more)
{
	for (size_t i = 0; i < ARRAY_SIZE(both); i++) {
		forget_log(self);
		ASSERT_TRUE(SH(both[i], "kill -KILL $$"));
		EXITS(128 + SIGKILL);
		EXPECT_TRUE(has(self, ", killed by SIGKILL"));
		ASSERT_TRUE(SH(both[i], "kill -SEGV $$"));
		EXITS(128 + SIGSEGV);
	}
#ifdef GUEST
	EXPECT_EQ(!strcmp(backend, "kernel"), has(self, ", sent by itself"));
#endif
}

CASE(what_cannot_be_run)
{
	char *plain;

	unit(self, "plain", "#!/bin/sh\n");
	plain = strdup(path_of(self, "plain"));
	for (size_t i = 0; i < ARRAY_SIZE(both); i++) {
		forget_log(self);
		ASSERT_TRUE(IN(both[i], "--", "/no/such/program"));
		EXITS(127);
		EXPECT_TRUE(has(self, "cannot run /no/such/program: No such file"));
		ASSERT_TRUE(IN(both[i], "no-such-program-in-path"));
		EXITS(127);
		ASSERT_TRUE(IN(both[i], plain));
		EXITS(126);
		EXPECT_TRUE(has(self, "/plain: Permission denied"));
	}
	free(plain);
}

/* All but those that nobody can hold, SIGCHLD, which is its own, and the C library's two. */
static bool is_passed_on(int sig)
{
	return sig != SIGKILL && sig != SIGSTOP && sig != SIGCHLD && (sig < 32 || sig >= SIGRTMIN);
}

CASE(each_signal_is_passed_on)
{
	char text[32];

	setenv("TEST_ROLE", "signals", 1);
	for (size_t i = 0; i < ARRAY_SIZE(both); i++) {
		union sigval value = { .sival_int = 77 };

		forget_log(self);
		ASSERT_TRUE(IN(both[i], "--", myself()));
		ASSERT_TRUE(told(self, "ready\n"));
		for (int sig = 1; sig <= 64; sig++) {
			if (!is_passed_on(sig))
				continue;
			snprintf(text, sizeof(text), "got %d\n", sig);
			ASSERT_EQ(0, kill(self->pid, sig));
			ASSERT_TRUE(told(self, text));
		}
		ASSERT_EQ(0, sigqueue(self->pid, SIGUSR2, value));
		EXITS(0);
		EXPECT_TRUE(has(self, ", last 77\n"));
	}
}

/* In order, none is lost, and what came with each. */
CASE(what_is_queued_stays_so)
{
	union sigval value;

	setenv("TEST_ROLE", "signals", 1);
	ASSERT_TRUE(IN(FIRST_ONE, "--", myself()));
	ASSERT_TRUE(told(self, "ready\n"));
	for (value.sival_int = 0; value.sival_int < NR_QUEUED; value.sival_int++)
		ASSERT_EQ(0, sigqueue(self->pid, SIGRTMIN + 1, value));
	ASSERT_EQ(0, kill(self->pid, SIGRTMIN + 2));
	ASSERT_TRUE(told(self, "got 36\n"));
	ASSERT_EQ(0, sigqueue(self->pid, SIGUSR2, value));
	EXITS(0);
	EXPECT_TRUE(has(self, "values 300 of pid 0"));
}

CASE(a_group_gets_them)
{
	const char *script = "trap 'echo first' USR1; sh -c 'trap \"echo second; exit\" USR1; "
			     "echo up; while :; do sleep 0.1; done' & wait; wait; exit 5";

	for (size_t i = 0; i < ARRAY_SIZE(both); i++) {
		forget_log(self);
		ASSERT_TRUE(IN(both[i], "--group", "sh", "-c", script));
		ASSERT_TRUE(told(self, "up\n"));
		kill(self->pid, SIGUSR1);
		EXITS(5);
		EXPECT_TRUE(has(self, "first\n"));
		EXPECT_TRUE(has(self, "second\n"));
	}
}

CASE(sigterm_while_it_starts)
{
	for (size_t i = 0; i < ARRAY_SIZE(both); i++) {
		ASSERT_TRUE(SH(both[i] | TERM_PENDING, "exec sleep 100000"));
		EXITS(128 + SIGTERM);
	}
}

CASE(orphans_are_reaped)
{
	setenv("TEST_ROLE", "orphans", 1);
	for (size_t i = 0; i < ARRAY_SIZE(both); i++) {
		forget_log(self);
		ASSERT_TRUE(IN(both[i], "--", myself()));
		EXITS(0);
		EXPECT_TRUE(has(self, "no zombies\n"));
		EXPECT_TRUE(nothing_left());
	}
}

/* Asked first, and killed when they do not heed it. */
CASE(what_the_command_leaves_is_ended)
{
	const char *script = "(trap 'echo asked; exit' TERM; echo >@/up; while :; do sleep 0.1; done) & "
			     "(trap '' TERM; exec sleep 100000) & until [ -e @/up ]; do sleep 0.1; "
			     "done; exit 5";

	unit(self, "leave.sh", "%s\n", script);
	for (size_t i = 0; i < ARRAY_SIZE(both); i++) {
		forget_log(self);
		ASSERT_TRUE(IN(both[i], "--grace", "1500ms", "sh", path_of(self, "leave.sh")));
		EXITS(5);
		EXPECT_TRUE(has(self, "asked\n"));
		EXPECT_TRUE(nothing_left());
		unlink(path_of(self, "up"));
	}
}

/* In a namespace of its own that is all, whatever session it has made. */
CASE(daemons_are_ended_too)
{
	unit(self, "daemon.sh", "trap 'echo asked; exit' TERM; echo >@/up\n"
	     "while :; do sleep 0.1; done\n");
	unit(self, "leave.sh", "(setsid sh @/daemon.sh &)\nuntil [ -e @/up ]; do sleep 0.1; done; "
	     "exit 6\n");
	ASSERT_TRUE(IN(FIRST_ONE, "--grace", "infinity", "sh", path_of(self, "leave.sh")));
	EXITS(6);
	EXPECT_TRUE(has(self, "asked\n"));
	EXPECT_FALSE(has(self, "SIGKILL to what is left"));
}

CASE(descriptors_and_directory_are_the_commands)
{
	char script[128];

	ASSERT_EQ(0, chdir(self->dir));
	ASSERT_EQ(STDERR_FILENO + 1, dup2(STDOUT_FILENO, STDERR_FILENO + 1));
	snprintf(script, sizeof(script), "[ -e /proc/self/fd/3 ] && [ $(pwd) = %s ]", self->dir);
	for (size_t i = 0; i < ARRAY_SIZE(both); i++) {
		ASSERT_TRUE(SH(both[i], script));
		EXITS(0);
	}
}

/* What is said on the terminal's other side, until that is closed or @text has come. */
static bool terminal_told(int master, const char *text)
{
	struct pollfd p = { .fd = master, .events = POLLIN };
	char seen[1024] = "";
	size_t len = 0;
	ssize_t n;

	while (!strstr(seen, text) && len < sizeof(seen) - 1) {
		if (poll(&p, 1, PATIENCE_S * 1000) <= 0)
			return false;
		n = read(master, seen + len, sizeof(seen) - 1 - len);
		if (n <= 0)
			return false;
		len += n;
		seen[len] = '\0';
	}
	return true;
}

CASE(the_terminal_is_the_commands)
{
	static const unsigned int ways[] = { ON_TTY, STRAY_TTY, ON_TTY | FIRST_ONE,
					     STRAY_TTY | FIRST_ONE };
	const char *const args[] = { "--", myself(), NULL };
	int master, slave;

	setenv("TEST_ROLE", "terminal", 1);
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		forget_log(self);
		ASSERT_EQ(0, openpty(&master, &slave, NULL, NULL, NULL));
		ASSERT_TRUE(start_in(self, ways[i], backend, slave, args));
		close(slave);
		ASSERT_TRUE(told(self, "terminal: front 1, group 1, session 1\n"));
		/* Ctrl-C is for it alone. */
		ASSERT_EQ(1, write(master, "\003", 1));
		EXITS(128 + SIGINT);
		close(master);
	}
}

/* The next one of a shell's commands has it again. */
TEST_F_TIMEOUT(knelld, the_terminal_comes_back, LIMIT_S)
{
	int master, slave, status;
	char script[512];
	pid_t pid;

	ASSERT_EQ(0, openpty(&master, &slave, NULL, NULL, NULL));
	snprintf(script, sizeof(script), "%s --container --backend=pidfd /bin/true; "
		 "TEST_ROLE=terminal exec %s", knelld_for(0), myself());
	pid = fork();
	if (!pid) {
		setsid();
		ioctl(slave, TIOCSCTTY, 0);
		dup2(slave, STDIN_FILENO);
		dup2(slave, STDOUT_FILENO);
		execl("/bin/sh", "sh", "-c", script, NULL);
		_exit(95);
	}
	EXPECT_TRUE(terminal_told(master, "terminal: front 1,"));
	kill(pid, SIGKILL);
	EXPECT_EQ(pid, waitpid(pid, &status, 0));
	close(slave);
	close(master);
}

/* No root, no /proc, nothing to write to: less to see, and the same. */
CASE(poor_places)
{
	static const unsigned int ways[] = { FIRST_ONE | READ_ONLY, FIRST_ONE | NO_PROC,
					     FIRST_ONE | NO_PROC | READ_ONLY };

	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		forget_log(self);
		ASSERT_TRUE(SH(ways[i], "(trap 'exit' TERM; while :; do sleep 0.1; done) & exit 8"));
		EXITS(8);
		EXPECT_TRUE(has(self, "SIGTERM to what is left"));
		EXPECT_FALSE(has(self, "SIGKILL to what is left"));
	}
}

/* The device is root's: it goes on as if there were none, and says nothing of it. */
TEST_F_TIMEOUT(knelld, nobody_in_a_poor_place, LIMIT_S)
{
	const char *backend = "auto";

	ASSERT_TRUE(SH(FIRST_ONE | NO_PROC | READ_ONLY | NOBODY, "id -u; exit 9"));
	EXITS(9);
	EXPECT_STREQ("65534\n", self->log);
}

TEST_F_TIMEOUT(knelld, what_is_asked_for_is_said, LIMIT_S)
{
	const char *backend = "auto";

	for (size_t i = 0; i < ARRAY_SIZE(both); i++) {
		ASSERT_TRUE(IN(both[i], "--no-such-option", "true"));
		EXITS(2);
		ASSERT_TRUE(IN(both[i], "--grace", "soon", "true"));
		EXITS(2);
		ASSERT_TRUE(IN(both[i], "--main", "a.service", "true"));
		EXITS(2);
		ASSERT_TRUE(IN(both[i], "--version"));
		EXITS(0);
	}
	/* As PID 1 of what is no container knows to be one it is a word of the kernel's. */
	EXPECT_TRUE(has(self, "Usage: knelld"));
}

/*
 * Units
 */

#define UNITS "--unit-dir", self->dir
#define SIDE "[Unit]\nAfter=app.service\n[Service]\nExecStart=/bin/sleep 100000\n"

CASE(the_main_units_end_is_that_of_all)
{
	unit(self, "app.service", "[Service]\nExecStart=/bin/sh -c "
	     "'until [ -e @/go ]; do sleep 0.1; done; exit 7'\n");
	unit(self, "side.service", SIDE);
	unit(self, "tick.timer", "[Timer]\nOnActiveSec=100ms\nAccuracySec=1ms\n");
	unit(self, "tick.service", "[Service]\nType=oneshot\nExecStart=/bin/touch @/go\n");
	for (size_t i = 0; i < ARRAY_SIZE(both); i++) {
		forget_log(self);
		ASSERT_TRUE(IN(both[i], UNITS, "--main", "app.service"));
		EXITS(7);
		EXPECT_TRUE(in_order(self, "app.service: is over, and with it the container",
				     "side.service: stopped"));
		EXPECT_FALSE(has(self, "cannot mount"));
		EXPECT_TRUE(nothing_left());
		unlink(path_of(self, "go"));
	}
}

CASE(sigterm_stops_all_in_order)
{
	unit(self, "app.service", "[Service]\nExecStart=/bin/sh -c 'trap \"exit 3\" TERM; echo up; "
	     "while :; do sleep 0.1; done'\n");
	unit(self, "side.service", SIDE);
	for (size_t i = 0; i < ARRAY_SIZE(both); i++) {
		forget_log(self);
		ASSERT_TRUE(IN(both[i], UNITS, "--main", "app.service"));
		ASSERT_TRUE(told(self, "startup finished: 2 started"));
		ASSERT_TRUE(told(self, "up\n"));
		kill(self->pid, i ? SIGTERM : SIGRTMIN + 3);
		EXITS(3);
		EXPECT_TRUE(in_order(self, "side.service: stopped", "app.service: "));
	}
}

/* As often as the file says; then the last one's status counts. */
CASE(restarts_come_first)
{
	unit(self, "app.service", "[Unit]\nStartLimitBurst=3\n[Service]\nRestart=on-failure\n"
	     "RestartSec=10ms\nExecStart=/bin/sh -c 'echo run; kill -USR1 $$$$'\n");
	ASSERT_TRUE(IN(FIRST_ONE, UNITS, "--main", "app.service"));
	EXITS(128 + SIGUSR1);
	EXPECT_EQ(3, occurrences(self, "run\n"));
}

CASE(a_main_unit_that_does_not_run)
{
	unit(self, "other.service", SLEEPER);
	unit(self, "late.service", "[Service]\nExecStartPre=/bin/false\nExecStart=/bin/true\n");
	ASSERT_TRUE(IN(FIRST_ONE, UNITS, "--main", "absent.service"));
	EXITS(1);
	EXPECT_TRUE(has(self, "absent.service: cannot be started: "));
	forget_log(self);
	ASSERT_TRUE(IN(FIRST_ONE, UNITS, "--main", "late.service"));
	EXITS(1);
	EXPECT_TRUE(has(self, "late.service: did not run, and with it the container"));
}

/* One that nothing else wants, and one whose work is done. */
CASE(a_main_unit_is_started)
{
	unit(self, "default.target", "[Unit]\nDescription=Nothing\n");
	unit(self, "job.service", "[Service]\nType=oneshot\nExecStart=/bin/echo done\n");
	ASSERT_TRUE(IN(FIRST_ONE, UNITS, "--main", "job.service"));
	EXITS(0);
	EXPECT_TRUE(has(self, "done\n"));
}

CASE(units_without_a_main_one)
{
	unit(self, "a.service", "[Service]\nType=oneshot\nExecStart=/bin/false\n");
	ASSERT_TRUE(IN(FIRST_ONE, UNITS));
	ASSERT_TRUE(told(self, "no --main: ends when it is told to"));
	ASSERT_TRUE(told(self, "startup finished"));
	kill(self->pid, SIGINT);
	EXITS(0);
}

CASE(units_in_poor_places)
{
	static const unsigned int ways[] = { FIRST_ONE | READ_ONLY, FIRST_ONE | NO_PROC | READ_ONLY };

	unit(self, "app.service", "[Unit]\nAfter=note.service\n[Service]\nExecStart=/bin/sh -c 'exit 7'\n");
	unit(self, "note.service", "[Service]\nType=notify\nExecStart=/bin/true\n");
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		forget_log(self);
		ASSERT_TRUE(IN(ways[i], UNITS, "--main", "app.service"));
		EXITS(7);
		EXPECT_TRUE(has(self, "note.service: cannot bind "));
	}
}

TEST_F_TIMEOUT(knelld, nobodys_units, LIMIT_S)
{
	const char *backend = "auto";

	unit(self, "app.service", "[Service]\nExecStart=/bin/sh -c 'id -u; exit 7'\n");
	ASSERT_TRUE(IN(FIRST_ONE | NO_PROC | READ_ONLY | NOBODY, UNITS, "--main", "app.service"));
	EXITS(7);
	EXPECT_TRUE(has(self, "65534\n"));
	EXPECT_TRUE(has(self, "without /dev/knell: "));
}

#ifdef GUEST
/* As if it were another module's: told of, and done without. */
TEST_F_TIMEOUT(knelld, a_device_that_it_does_not_know, LIMIT_S)
{
	const char *backend = "auto";

	unit(self, "app.service", "[Service]\nExecStart=/bin/sh -c 'exit 7'\n");
	ASSERT_TRUE(SH(FIRST_ONE | FALSE_DEVICE, "exit 6"));
	EXITS(6);
	EXPECT_TRUE(in_order(self, "cannot use /dev/knell: ", "goes on without /dev/knell"));
	ASSERT_TRUE(IN(FIRST_ONE | FALSE_DEVICE, UNITS, "--main", "app.service"));
	EXITS(7);
	/* Who asks for it is to have it or nothing. */
	backend = "kernel";
	ASSERT_TRUE(SH(FIRST_ONE | FALSE_DEVICE, "exit 6"));
	EXITS(1);
}

/* Asleep on its queue it is not woken; orphans' deaths do not either. */
TEST_F_TIMEOUT(knelld, nothing_wakes_it, LIMIT_S)
{
	const char *backend = "auto";

	ASSERT_TRUE(SH(FIRST_ONE, "while :; do (sleep 0.2 &); sleep 0.3; done"));
	idle(_metadata, self, 5);
	kill(self->pid, SIGTERM);
	EXITS(128 + SIGTERM);
}
#endif

TEST_HARNESS_MAIN
