// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a command has open and where it may write: standard input and output, sockets, loggers,
 * terminals, RuntimeDirectory= and its kin. Needs root.
 */
#include <pty.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "exec_fixture.h"

/* Standard input, output and error */

TEST_F(exec, files)
{
	self->ctx.in = (struct stdio){ .kind = STDIO_FILE, .path = in_dir(self, "in") };
	put_text(self, "in", "input\n");
	EXPECT_STREQ("input\n", sh(self, "cat"));
	self->ctx.out = (struct stdio){ .kind = STDIO_APPEND, .path = in_dir(self, "out") };
	EXPECT_STREQ("input\ninput\n", sh(self, "cat"));
	self->ctx.out.kind = STDIO_FILE;
	EXPECT_STREQ("x\nput\ninput\n", sh(self, "echo x"));
	self->ctx.out.kind = STDIO_TRUNCATE;
	EXPECT_STREQ("x\n", sh(self, "echo x"));
	/* As the other output, unless told otherwise. */
	EXPECT_STREQ("x\ny\n", sh(self, "echo x; echo y >&2"));
	self->ctx.err = (struct stdio){ .kind = STDIO_TRUNCATE, .path = in_dir(self, "err") };
	EXPECT_STREQ("x\n", sh(self, "echo x; echo y >&2"));
	EXPECT_STREQ("y\n", text_of(self, "err"));
	self->ctx.err = (struct stdio){ .kind = STDIO_NULL };
	EXPECT_STREQ("/dev/null\n", sh(self, "readlink /proc/$$/fd/2"));
	/* One and the same for both: one offset, nothing is written over. */
	self->ctx.err = self->ctx.out;
	EXPECT_STREQ("y\nx\nz\n", sh(self, "echo y >&2; echo x; echo z >&2"));
	/* Input and output of one file: a device, say. */
	self->ctx.in.path = self->ctx.out.path;
	self->ctx.out.kind = STDIO_FILE;
	EXPECT_STREQ("y\nx\n", sh(self, "echo y; echo x >&0"));
}

TEST_F(exec, a_fifo_without_a_reader_is_not_waited_for)
{
	char buf[8] = "";
	int fd;

	ASSERT_EQ(0, mkfifo(in_dir(self, "fifo"), 0600));
	self->ctx.out = (struct stdio){ .kind = STDIO_APPEND, .path = in_dir(self, "fifo") };
	fd = open(in_dir(self, "fifo"), O_RDWR);
	EXPECT_STREQ("", sh(self, "echo x"));
	ASSERT_EQ(2, read(fd, buf, sizeof(buf)));
	EXPECT_STREQ("x\n", buf);
	close(fd);
	EXPECT_STREQ("", sh(self, "echo x"));
	self->ctx.in = (struct stdio){ .kind = STDIO_FILE, .path = in_dir(self, "fifo") };
	self->ctx.out = (struct stdio){ .kind = STDIO_NULL };
	EXPECT_STREQ("", sh(self, "true"));
}

TEST_F(exec, a_socket_as_a_file)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0), peer;
	char buf[8] = "";

	strcpy(sun.sun_path, in_dir(self, "sock"));
	ASSERT_EQ(0, bind(fd, (void *)&sun, sizeof(sun)));
	self->ctx.out = (struct stdio){ .kind = STDIO_FILE, .path = in_dir(self, "sock") };
	EXPECT_STREQ("status 209", sh(self, "echo x"));
	ASSERT_EQ(0, listen(fd, 1));
	EXPECT_STREQ("", sh(self, "echo x"));
	peer = accept(fd, NULL, NULL);
	ASSERT_EQ(2, read(peer, buf, sizeof(buf)));
	EXPECT_STREQ("x\n", buf);
}

TEST_F(exec, text_as_input)
{
	self->ctx.in.kind = STDIO_DATA;
	self->ctx.data = "some\0data";
	self->ctx.data_len = 9;
	EXPECT_STREQ("9\n", sh(self, "wc -c"));
	/* From the beginning each time. */
	EXPECT_STREQ("some\n", sh(self, "tr '\\0' '\\n' | head -n 1"));
}

static size_t read_all(int fd, char *buf, size_t len)
{
	size_t n = 0;

	for (ssize_t got = 1; n < len && got > 0; n += got)
		got = read(fd, buf + n, len - n);
	return n;
}

TEST_F(exec, sockets)
{
	int pair[2];
	char buf[16] = "";

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
	self->rq.socket = pair[0];
	self->ctx.in.kind = STDIO_SOCKET;
	self->ctx.out = (struct stdio){ .kind = STDIO_INHERIT };
	ASSERT_EQ(5, write(pair[1], "ping\n", 5));
	EXPECT_STREQ("", sh(self, "read x; echo $x$x; echo e >&2"));
	ASSERT_EQ(11, read_all(pair[1], buf, 11));
	EXPECT_STREQ("pingping\ne\n", buf);
	/* Named ones */
	self->ctx.in = (struct stdio){ .kind = STDIO_NULL };
	self->ctx.out = (struct stdio){ .kind = STDIO_FD, .path = "name" };
	self->rq.named[1] = pair[0];
	EXPECT_STREQ("", sh(self, "echo x"));
	ASSERT_EQ(2, read(pair[1], buf, 8));
	EXPECT_EQ(0, strncmp(buf, "x\n", 2));
	self->rq.named[1] = -1;
	EXPECT_STREQ("status 209", sh(self, "echo x"));
	/* Commands beside the main process have none, which is no error. */
	self->rq.control = true;
	EXPECT_STREQ("", sh(self, "true"));
	self->rq.control = false;
	self->rq.socket = -1;
	self->ctx.in.kind = STDIO_SOCKET;
	self->ctx.out = (struct stdio){ .kind = STDIO_TRUNCATE, .path = in_dir(self, "out") };
	EXPECT_STREQ("/dev/null\n", sh(self, "readlink /proc/$$/fd/0"));
}

TEST_F(exec, descriptors_are_passed)
{
	struct fd_pass fds[3];
	int p[3][2];

	/* To be swapped: 3 becomes 5, and the other way round; 7 stays. */
	for (int i = 0; i < 3; i++)
		ASSERT_EQ(0, pipe2(p[i], O_CLOEXEC));
	put_text(self, "three", "3");
	put_text(self, "five", "5");
	put_text(self, "seven", "7");
	ASSERT_EQ(3, dup3(open(in_dir(self, "three"), O_RDONLY | O_CLOEXEC), 3, O_CLOEXEC));
	ASSERT_EQ(5, dup3(open(in_dir(self, "five"), O_RDONLY | O_CLOEXEC), 5, O_CLOEXEC));
	ASSERT_EQ(7, dup3(open(in_dir(self, "seven"), O_RDONLY | O_CLOEXEC), 7, O_CLOEXEC));
	fds[0] = (struct fd_pass){ .from = 5, .to = 3, .non_blocking = true };
	fds[1] = (struct fd_pass){ .from = 3, .to = 5 };
	fds[2] = (struct fd_pass){ .from = 7, .to = 7 };
	self->rq.fds = fds;
	self->rq.nr_fds = 3;
	self->rq.own_listen_pid = true;
	self->rq.own_watchdog_pid = true;
	strv_add(&self->env, strdup("LISTEN_FDS=2"));
	EXPECT_STREQ("5 3 7 yes yes 2\n", sh(self, "a=$(cat <&3); b=$(cat <&5); c=$(cat <&7); "
		"[ $LISTEN_PID = $$ ] && d=yes; [ $WATCHDOG_PID = $$ ] && e=yes; "
		"echo $a $b $c $d $e $LISTEN_FDS"));
	EXPECT_STREQ("04000\n", sh(self, "grep flags /proc/$$/fdinfo/3 | tail -c 6"));
	/* 4 is the directory. */
	EXPECT_STREQ("0\n1\n2\n3\n4\n5\n7\n", sh(self, "ls /proc/self/fd"));
	fds[2].from = 99;
	EXPECT_STREQ("status 202", sh(self, "true"));
}

TEST_F(exec, a_logger_gets_the_output)
{
	char buf[16] = "";
	int fd;

	ASSERT_EQ(0, mkfifo(in_dir(self, "log"), 0600));
	fd = open(in_dir(self, "log"), O_RDWR);
	self->rq.log = in_dir(self, "log");
	self->ctx.out = self->ctx.err = (struct stdio){ .kind = STDIO_LOG };
	EXPECT_STREQ("", sh(self, "echo x; echo y >&2"));
	ASSERT_EQ(4, read(fd, buf, sizeof(buf)));
	EXPECT_STREQ("x\ny\n", buf);
	self->ctx.out = self->ctx.err = (struct stdio){ .kind = STDIO_INHERIT };
	EXPECT_STREQ("", sh(self, "echo x; echo y >&2"));
	ASSERT_EQ(4, read(fd, buf, sizeof(buf)));
}

static void said(void *arg, enum severity severity, const char *file, unsigned int line,
		 const char *text)
{
	(void)severity;
	fprintf(stderr, "# %s:%u: %s\n", file, line, text);
	++*(int *)arg;
}

static bool has_dep(const struct unit_file *f, enum dep_kind kind, const char *name)
{
	for (size_t i = 0; i < f->nr_deps; i++)
		if (f->deps[i].kind == kind && !strcmp(f->deps[i].name, name))
			return true;
	return false;
}

TEST_F(exec, the_unit_of_a_logger)
{
	char *dirs[] = { self->dir, NULL };
	int complaints = 0;
	struct unit_options opt = { .dirs = { dirs, 1 }, .say = said, .arg = &complaints };
	struct unit_file *a, *l, *none;
	struct unit_dirs *d;

	put_text(self, "a@.service",
		     "[Service]\nExecStart=/bin/true\nUser=nobody\nLogsDirectory=x\n"
		 "X-Knell-Logger=:@/bin/cat \"the cat\" \"a b\" 100%% \\x41\\\\ $HOME\n");
	put_text(self, "b.service", "[Service]\nExecStart=/bin/true\nX-Knell-Logger=c.service\n");
	put_text(self, "n.service", "[Service]\nExecStart=/bin/true\n");
	d = unit_dirs_open(&opt);
	ASSERT_EQ(LOAD_OK, unit_load(d, "a@1.service", &a));
	EXPECT_TRUE(has_dep(a, DEP_UPHOLDS, "logger-a@1.service"));
	EXPECT_TRUE(has_dep(a, DEP_AFTER, "logger-a@1.service"));
	ASSERT_EQ(LOAD_OK, unit_load(d, "logger-a@1.service", &l));
	EXPECT_STREQ("/bin/cat", l->service->cmds[EXEC_START]->v[0].path);
	EXPECT_EQ(CMD_NO_EXPAND, l->service->cmds[EXEC_START]->v[0].flags);
	ASSERT_EQ(5, l->service->cmds[EXEC_START]->v[0].argv.nr);
	for (int i = 0; i < 5; i++)
		EXPECT_STREQ(a->service->more->logger->argv.v[i],
			     l->service->cmds[EXEC_START]->v[0].argv.v[i]);
	EXPECT_STREQ("100%", l->service->cmds[EXEC_START]->v[0].argv.v[2]);
	EXPECT_STREQ("nobody", l->service->exec->user.name);
	EXPECT_STREQ("x", l->service->exec->dirs[DIR_LOGS]->names.v[0]);
	EXPECT_EQ(STDIO_FD, l->service->exec->in.kind);
	EXPECT_STREQ("log", l->service->exec->in.path);
	EXPECT_EQ(NULL, unit_logger_name(l));
	/* It is there as long as anybody holds it, and no longer. */
	EXPECT_STREQ("/run/knell/log/logger-a@1.service", logger_fifo(a));
	EXPECT_EQ(NULL, logger_fifo(l));
	EXPECT_EQ(-1, logger_input(a, a->service->exec));
	self->rq.log = logger_fifo(a);
	self->ctx.out = (struct stdio){ .kind = STDIO_LOG };
	EXPECT_STREQ("", sh(self, "echo one; echo two >&2"));
	EXPECT_STREQ("", sh(self, "echo three"));
	self->ctx.in = l->service->exec->in;
	self->rq.named[0] = logger_input(l, l->service->exec);
	self->ctx.out = (struct stdio){ .kind = STDIO_TRUNCATE, .path = in_dir(self, "out") };
	self->rq.log = NULL;
	EXPECT_STREQ("one two\n", sh(self, "read x; read y; echo $x $y"));
	EXPECT_STREQ("three\n", sh(self, "read x; echo $x"));
	logger_release(a);
	EXPECT_NE(0, access("/run/knell/log/logger-a@1.service", F_OK));
	EXPECT_STREQ("end\n", sh(self, "cat; echo end"));
	unit_file_free(a);
	unit_file_free(l);
	EXPECT_EQ(0, complaints);
	/* A logger of others' has a file of its own. */
	ASSERT_EQ(LOAD_OK, unit_load(d, "b.service", &a));
	EXPECT_TRUE(has_dep(a, DEP_UPHOLDS, "c.service"));
	EXPECT_STREQ("/run/knell/log/c.service", logger_fifo(a));
	unit_file_free(a);
	EXPECT_EQ(LOAD_NOT_FOUND, unit_load(d, "logger-n.service", &none));
	EXPECT_EQ(LOAD_NOT_FOUND, unit_load(d, "logger-none.service", &none));
	EXPECT_EQ(LOAD_NOT_FOUND, unit_load(d, "logger-logger-a@1.service", &none));
	unit_dirs_close(d);
}

TEST_F(exec, the_tail_of_a_log)
{
	char *text;

	EXPECT_EQ(NULL, log_tail(&defaults, 3));
	self->ctx.out = (struct stdio){ .kind = STDIO_APPEND, .path = in_dir(self, "log") };
	EXPECT_EQ(NULL, log_tail(&self->ctx, 3));
	put_text(self, "log", "one\ntwo\nthree\nfour\n");
	EXPECT_STREQ("three\nfour\n", text = log_tail(&self->ctx, 2));
	free(text);
	EXPECT_STREQ("one\ntwo\nthree\nfour\n", text = log_tail(&self->ctx, 9));
	free(text);
	EXPECT_STREQ("", text = log_tail(&self->ctx, 0));
	free(text);
	put_text(self, "log", "one\ntwo");
	EXPECT_STREQ("two", text = log_tail(&self->ctx, 1));
	free(text);
	put_text(self, "log", "");
	EXPECT_STREQ("", text = log_tail(&self->ctx, 1));
	free(text);
	/* What is no file is not read. */
	self->ctx.out.path = "/dev/zero";
	EXPECT_EQ(NULL, log_tail(&self->ctx, 3));
}

/* The terminal's buffer comes piecemeal. */
static bool read_until(int fd, char *buf, size_t size, const char *text)
{
	size_t n = 0;

	memset(buf, 0, size);
	while (!strstr(buf, text)) {
		ssize_t got = read(fd, buf + n, size - 1 - n);

		if (got <= 0)
			return false;
		n += got;
	}
	return true;
}

TEST_F(exec, a_terminal)
{
	char name[64], buf[256] = "";
	struct winsize size;
	struct stat st;
	int master, slave;
	struct termios t;

	ASSERT_EQ(0, openpty(&master, &slave, name, NULL, NULL));
	ASSERT_EQ(0, tcgetattr(slave, &t));
	t.c_lflag &= ~(ICANON | ECHO);
	ASSERT_EQ(0, tcsetattr(slave, TCSANOW, &t));
	self->ctx.in = (struct stdio){ .kind = STDIO_TTY, .tty_mode = TTY_FAIL };
	self->ctx.out = (struct stdio){ .kind = STDIO_INHERIT };
	self->ctx.tty = name;
	self->ctx.tty_reset = true;
	self->ctx.tty_rows = 12;
	self->ctx.tty_columns = 34;
	self->ctx.user.name = "nobody";
	EXPECT_STREQ("", sh(self, "tty; [ -c /dev/tty ] && echo ok >/dev/tty; echo $TERM >&2"));
	ASSERT_TRUE(read_until(master, buf, sizeof(buf), "ok\r\nvt220\r\n"));
	EXPECT_EQ(0, strncmp(buf, name, strlen(name)));
	ASSERT_EQ(0, tcgetattr(slave, &t));
	EXPECT_EQ(ICANON | ECHO, t.c_lflag & (ICANON | ECHO));
	ASSERT_EQ(0, ioctl(slave, TIOCGWINSZ, &size));
	EXPECT_EQ(12, size.ws_row);
	EXPECT_EQ(34, size.ws_col);
	ASSERT_EQ(0, fstat(slave, &st));
	EXPECT_EQ(65534, st.st_uid);
	EXPECT_EQ(0600, st.st_mode & 07777);
	/* Beside the main process it is not to be read from. */
	self->rq.no_tty = true;
	EXPECT_STREQ("", sh(self, "readlink /proc/$$/fd/0; cut -d' ' -f7 /proc/$$/stat"));
	ASSERT_TRUE(read_until(master, buf, sizeof(buf), "/dev/null\r\n0\r\n"));
	self->rq.no_tty = false;
	/* Hung up: who had it has it no more. */
	exec_stopped(&self->ctx, false);
	EXPECT_EQ(0, tcgetattr(slave, &t));
	self->ctx.tty_vhangup = true;
	exec_stopped(&self->ctx, false);
	EXPECT_EQ(-1, tcgetattr(slave, &t));
	self->ctx.tty = "/dev/null";
	EXPECT_STREQ("status 208", sh(self, "true"));
}

TEST_F(exec, a_terminal_that_another_has)
{
	char name[64];
	int master, slave, ready[2];
	pid_t holder;
	char c;

	ASSERT_EQ(0, openpty(&master, &slave, name, NULL, NULL));
	ASSERT_EQ(0, pipe(ready));
	holder = fork();
	if (!holder) {
		setsid();
		ioctl(slave, TIOCSCTTY, 0);
		if (write(ready[1], "", 1) < 0)
			_exit(1);
		signal(SIGHUP, SIG_IGN);
		for (;;)
			pause();
	}
	ASSERT_EQ(1, read(ready[0], &c, 1));
	self->ctx.in = (struct stdio){ .kind = STDIO_TTY, .tty_mode = TTY_FAIL };
	self->ctx.tty = name;
	EXPECT_STREQ("status 208", sh(self, "true"));
	self->ctx.in.tty_mode = TTY_FORCE;
	EXPECT_STREQ(strcat(name, "\n"), (self->ctx.tty = strndupa(name, strlen(name) - 1),
		     sh(self, "tty")));
	kill(holder, SIGKILL);
	waitpid(holder, NULL, 0);
}

/* RuntimeDirectory= and its kin */

TEST_F(exec, directories)
{
	struct dirs one = { .names = { (char *[]){ "a", "b/c" }, 2 }, .mode = 0750 };
	struct dirs linked = {
		.names = { (char *[]){ "s" }, 1 }, .links = (char *[]){ "t/u" }, .mode = 0755,
	};

	self->ctx.user.name = "nobody";
	self->ctx.dirs[DIR_RUNTIME] = &one;
	self->ctx.dirs[DIR_STATE] = &linked;
	self->ctx.dirs[DIR_CACHE] = &one;
	self->ctx.dirs[DIR_LOGS] = &one;
	EXPECT_STREQ("/run/a:/run/b/c /var/lib/s /var/cache/a:/var/cache/b/c "
		     "/var/log/a:/var/log/b/c\n",
		     sh(self, "echo $RUNTIME_DIRECTORY $STATE_DIRECTORY $CACHE_DIRECTORY "
			     "$LOGS_DIRECTORY"));
	EXPECT_STREQ("750 nobody\n755 root\n750 nobody\n755 nobody\n/var/lib/s\n",
		     sh(self, "stat -c '%a %U' /run/a /run/b /run/b/c /var/lib/s; readlink "
			     "/var/lib/t/u"));
	EXPECT_STREQ("", sh(self, "mkdir -p /run/a/x/y /var/lib/s/kept; echo z >/run/a/x/z; "
			    "ln -s /var/lib /run/a/out"));
	exec_stopped(&self->ctx, true);
	EXPECT_NE(0, access("/run/a", F_OK));
	EXPECT_NE(0, access("/run/b/c", F_OK));
	EXPECT_EQ(0, access("/var/lib/s/kept", F_OK));
	EXPECT_EQ(0, access("/var/cache/a", F_OK));
}

TEST_F(exec, directories_that_stay)
{
	struct dirs one = { .names = { (char *[]){ "a" }, 1 }, .mode = 0755 };

	self->ctx.dirs[DIR_RUNTIME] = &one;
	self->ctx.runtime_preserve = PRESERVE_YES;
	EXPECT_STREQ("", sh(self, "true"));
	exec_stopped(&self->ctx, false);
	EXPECT_EQ(0, access("/run/a", F_OK));
	self->ctx.runtime_preserve = PRESERVE_RESTART;
	exec_stopped(&self->ctx, true);
	EXPECT_EQ(0, access("/run/a", F_OK));
	exec_stopped(&self->ctx, false);
	EXPECT_NE(0, access("/run/a", F_OK));
}

/* Not even where it is of the same file system, as a bind mount may be. */
TEST_F(exec, no_mount_is_emptied)
{
	struct dirs one = { .names = { (char *[]){ "a" }, 1 }, .mode = 0755 };

	self->ctx.dirs[DIR_RUNTIME] = &one;
	EXPECT_STREQ("", sh(self, "mkdir -p /run/victim /run/a/mnt/in; echo x >/run/victim/file; "
			    "echo x >/run/a/file"));
	ASSERT_EQ(0, mount("/run/victim", "/run/a/mnt/in", NULL, MS_BIND, NULL));
	exec_stopped(&self->ctx, false);
	EXPECT_EQ(0, access("/run/victim/file", F_OK));
	EXPECT_NE(0, access("/run/a/file", F_OK));
	ASSERT_EQ(0, umount("/run/a/mnt/in"));
	exec_stopped(&self->ctx, false);
	EXPECT_NE(0, access("/run/a", F_OK));
	/* What unit files cannot say, but should they. */
	one.names.v[0] = "../run/victim";
	exec_stopped(&self->ctx, false);
	one.names.v[0] = "victim/..";
	exec_stopped(&self->ctx, false);
	one.names.v[0] = "";
	exec_stopped(&self->ctx, false);
	EXPECT_EQ(0, access("/run/victim/file", F_OK));
	EXPECT_STREQ("status 233", sh(self, "true"));
}

/* A service that owns a directory puts a link where the next one is to be. */
TEST_F(exec, no_link_of_a_service_is_followed)
{
	struct dirs one = { .names = { (char *[]){ "a", "a/b" }, 2 }, .mode = 0755 };
	struct stat st;

	mkdir("/run/victim", 0700);
	self->ctx.user.name = "nobody";
	self->ctx.dirs[DIR_RUNTIME] = &one;
	EXPECT_STREQ("", sh(self, "rmdir /run/a/b; ln -s /run/victim /run/a/b"));
	EXPECT_STREQ("status 233", sh(self, "true"));
	ASSERT_EQ(0, stat("/run/victim", &st));
	EXPECT_EQ(0, st.st_uid);
	/* The administrator's is. */
	unlink("/run/a/b");
	rmdir("/run/a");
	ASSERT_EQ(0, symlink("/var/lib", "/run/l"));
	one = (struct dirs){ .names = { (char *[]){ "l/b" }, 1 }, .mode = 0755 };
	EXPECT_STREQ("", sh(self, "true"));
	EXPECT_EQ(0, access("/var/lib/b", F_OK));
}

TEST_F(exec, directories_of_a_user)
{
	struct dirs one = { .names = { (char *[]){ "a" }, 1 }, .mode = 0700 };
	char want[256];

	ASSERT_EQ(0, exec_init(true, NULL));
	setenv("HOME", self->dir, 1);
	setenv("XDG_RUNTIME_DIR", in_dir(self, "rt"), 1);
	unsetenv("XDG_STATE_HOME");
	unsetenv("XDG_CONFIG_HOME");
	setenv("FROM_MANAGER", "x", 1);
	for (int i = 0; i < DIR_KINDS; i++)
		self->ctx.dirs[i] = &one;
	snprintf(want, sizeof(want), "%s/rt/a %s/.local/state/a %s/.local/state/log/a "
		     "%s/.config/a x %s\n",
		 self->dir, self->dir, self->dir, self->dir, self->dir);
	EXPECT_STREQ(want, sh(self, "echo $RUNTIME_DIRECTORY $STATE_DIRECTORY $LOGS_DIRECTORY "
			      "$CONFIGURATION_DIRECTORY $FROM_MANAGER $(pwd)"));
}

TEST_HARNESS_MAIN
