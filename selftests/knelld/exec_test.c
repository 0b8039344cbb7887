// SPDX-License-Identifier: GPL-2.0-only
/*
 * Commands and the environment that a unit asks for: each directive as the program sees it, each
 * step that fails by its exit status. Needs root; what would touch the machine is done in a mount
 * namespace of the test's own.
 */
#include <grp.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <linux/securebits.h>
#include <pthread.h>
#include <pty.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

#pragma GCC diagnostic ignored "-Wmissing-prototypes"	/* of fixtures */
#include "kselftest_harness.h"
#undef ARRAY_SIZE
#include "exec.h"

#define RESOURCES (-1)

FIXTURE(exec)
{
	char dir[32];
	struct unit_file file;
	struct exec_context ctx;
	struct command cmd;
	struct exec_request rq;
	struct strv env;
	char *argv[8];
	const char *sources[1];
	char out[8192];		/* what it has written to standard output */
	int status;		/* wait(2)'s */
};

typedef FIXTURE_DATA(exec) fixture;

static const struct exec_context defaults = {
	.umask = 022, .nice = UNSET, .cpu_policy = UNSET, .cpu_priority = UNSET, .ioprio = UNSET,
	.oom_score = UNSET, .timer_slack = FOREVER, .coredump_filter = -1, .ignore_sigpipe = true,
	.in = { .kind = STDIO_NULL }, .out = { .kind = STDIO_LOG },
		     .err = { .kind = STDIO_INHERIT },
	.tty_rows = UNSET, .tty_columns = UNSET,
};

static char *in_dir(fixture *self, const char *name)
{
	char *path;

	if (asprintf(&path, "%s/%s", self->dir, name) < 0)
		abort();
	return path;
}

/*
 * Whatever goes wrong, nothing of this machine can be written: / is read-only here, and what a
 * test may write to is empty and gone with its mount namespace.
 */
static bool away_from_the_machine(void)
{
	static const char *const dirs[] = { "/tmp", "/run", "/var/lib", "/var/cache", "/var/log" };

	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL))
		return false;
	for (size_t i = 0; i < sizeof(dirs) / sizeof(*dirs); i++)
		if (mount("tmpfs", dirs[i], "tmpfs", 0, "mode=0755"))
			return false;
	return open("/etc/exec_test", O_CREAT | O_WRONLY, 0600) < 0 && errno == EROFS;
}

FIXTURE_SETUP(exec)
{
	ASSERT_EQ(0, geteuid());
	ASSERT_TRUE(away_from_the_machine());
	strcpy(self->dir, "/tmp/exec.XXXXXX");
	ASSERT_NE(NULL, mkdtemp(self->dir));
	ASSERT_EQ(0, chmod(self->dir, 0777));
	ASSERT_EQ(0, chdir("/"));
	ASSERT_EQ(0, exec_init(false, NULL));
	/* As knelld does. */
	for (int sig = 1; sig < NSIG; sig++)
		signal(sig, sig == SIGPIPE ? SIG_IGN : SIG_DFL);
	close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
	self->ctx = defaults;
	self->ctx.out = (struct stdio){ .kind = STDIO_TRUNCATE, .path = in_dir(self, "out") };
	self->sources[0] = "/etc/knell/system/t.service";
	self->file = (struct unit_file){
		.name = "t.service", .sources = self->sources, .nr_sources = 1,
	};
	self->cmd = (struct command){
		.path = "/bin/sh", .argv = { self->argv, 3 }, .where = { .line = 7 },
		.flags = CMD_NO_EXPAND,
	};
	self->argv[0] = "sh";
	self->argv[1] = "-c";
	self->argv[2] = "";
	self->rq = (struct exec_request){
		.file = &self->file, .ctx = &self->ctx, .cmd = &self->cmd, .key = "ExecStart",
		.env = &self->env, .socket = -1, .named = { -1, -1, -1 },
	};
	self->status = -1;
}

FIXTURE_TEARDOWN(exec)
{
	strv_free(&self->env);
}

static const char *text_of(fixture *self, const char *name)
{
	char *path = in_dir(self, name);
	FILE *f = fopen(path, "r");
	size_t n = f ? fread(self->out, 1, sizeof(self->out) - 1, f) : 0;

	self->out[n] = '\0';
	if (f)
		fclose(f);
	free(path);
	return self->out;
}

static void put_text(fixture *self, const char *name, const char *text)
{
	char *path = in_dir(self, name);
	FILE *f = fopen(path, "w");

	if (!f || fputs(text, f) < 0 || fclose(f))
		abort();
	free(path);
}

/* Runs what is in @self: 0 and the program's output, or why it didn't run. */
static int launched(fixture *self)
{
	struct launch l;
	int status = exec_prepare(&l, &self->rq);
	pid_t pid = 0;

	if (!status) {
		pid = exec_launch(&l);
		if (pid > 0 && waitpid(pid, &self->status, 0) != pid)
			abort();
		if (pid > 0 && l.err) {
			status = exec_status(&l);
			if (!WIFEXITED(self->status) || WEXITSTATUS(self->status) != status)
				abort();
			exec_tell(&l);
		}
	}
	exec_done(&l);
	if (pid < 0)
		abort();
	text_of(self, "out");
	return status;
}

/* The shell's script; its output, or "status N". */
static const char *sh(fixture *self, const char *script)
{
	int status;

	self->argv[2] = (char *)script;
	status = launched(self);
	if (status)
		snprintf(self->out, sizeof(self->out), "status %d", status);
	return self->out;
}

static void drop_cap(int cap)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct caps[2];

	if (syscall(SYS_capget, &head, caps))
		abort();
	caps[cap / 32].effective &= ~(1U << cap % 32);
	caps[cap / 32].permitted &= ~(1U << cap % 32);
	if (syscall(SYS_capset, &head, caps))
		abort();
}

/* Without the two that libc keeps to itself and lets nobody set. */
static unsigned long long signals(fixture *self, const char *which)
{
	const char *at = strstr(sh(self, "cat /proc/self/status"), which);

	return at ? strtoull(at + strlen(which) + 1, NULL, 16) & ~(3ULL << 31) : ~0ULL;
}

TEST_F(exec, a_bare_one)
{
	EXPECT_STREQ("/dev/null /\n", sh(self, "echo $(readlink /proc/$$/fd/0) $(pwd)"));
	EXPECT_STREQ("022\n", strchr(sh(self, "umask"), '0') + 1);
	EXPECT_STREQ("yes\n", sh(self, "[ $(cut -d' ' -f6 /proc/$$/stat) = $$ ] && echo yes"));
	/* Only SIGPIPE, and that by default. */
	EXPECT_EQ(0, signals(self, "SigBlk"));
	EXPECT_EQ(1 << (SIGPIPE - 1), signals(self, "SigIgn"));
	EXPECT_STREQ("0\n1\n2\n", strndupa(sh(self, "ls /proc/$$/fd"), 6));
	EXPECT_EQ(-1, open("/proc/self/fd/99", O_RDONLY));
}

/* From here on anything but what a bare command needs is the end of who calls it. */
static void allow_only_the_least(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 5, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_setsid, 4, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_execve, 3, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_wait4, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { .len = sizeof(code) / sizeof(*code), .filter = code };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, 2, &prog))
		_exit(99);
}

/* Whether it has come to execve(2), which is all that is left to see of it. */
static int launched_with_the_least(fixture *self)
{
	struct launch l;
	pid_t pid;
	int status;

	self->ctx.out = (struct stdio){ .kind = STDIO_LOG };
	self->argv[2] = ":";
	pid = fork();
	if (!pid) {
		if (exec_prepare(&l, &self->rq))
			_exit(98);
		allow_only_the_least();
		pid = exec_launch(&l);
		if (pid < 0 || waitpid(pid, &status, 0) != pid)
			_exit(97);
		/* A sanitizer has something to say to _exit(2). */
		syscall(SYS_exit_group, WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS &&
			!l.err && exec_status(&l) == EXEC_EXEC ? 0 : 1);
	}
	return waitpid(pid, &status, 0) == pid ? status : -1;
}

TEST_F(exec, a_bare_one_is_cheap)
{
	EXPECT_EQ(0, launched_with_the_least(self));
	/* And so it is seen if it isn't. */
	self->ctx.umask = 077;
	EXPECT_NE(0, launched_with_the_least(self));
	self->ctx.umask = 022;
	self->ctx.nice = 1;
	EXPECT_NE(0, launched_with_the_least(self));
}

TEST_F(exec, sigpipe)
{
	self->ctx.ignore_sigpipe = false;
	EXPECT_EQ(0, signals(self, "SigIgn"));
}

TEST_F(exec, umask)
{
	self->ctx.umask = 077;
	EXPECT_STREQ("0077\n", sh(self, "umask"));
	EXPECT_STREQ("600\n", sh(self, "stat -Lc %a /proc/self/fd/1"));
}

static const char *limit_line(fixture *self, const char *name)
{
	static char line[256];
	char *at = strstr(sh(self, "cat /proc/self/limits"), name);
	size_t n = 0;

	/* Columns are of fixed width: one blank each. */
	for (; at && *at && *at != '\n' && n < sizeof(line) - 1; at++)
		if (*at != ' ' || (n && line[n - 1] != ' '))
			line[n++] = *at;
	line[n] = '\0';
	return line;
}

/* A root without CAP_SYS_RESOURCE, as in some containers, raises none. */
static bool may_limit(int which, const struct rlimit *wanted)
{
	struct rlimit now;

	return !getrlimit(which, &now) && (now.rlim_max >= wanted->rlim_max ||
					   prctl(PR_CAPBSET_READ, CAP_SYS_RESOURCE) == 1);
}

TEST_F(exec, limits)
{
	static const struct {
		int which;
		const char *line;
	} all[] = {
		{ RLIMIT_CPU, "Max cpu time 1000 2000 seconds " },
		{ RLIMIT_FSIZE, "Max file size 1000 2000 bytes " },
		{ RLIMIT_DATA, "Max data size 1000000000 2000000000 bytes " },
		{ RLIMIT_STACK, "Max stack size 1000000000 2000000000 bytes " },
		{ RLIMIT_CORE, "Max core file size 1000 2000 bytes " },
		{ RLIMIT_RSS, "Max resident set 1000 2000 bytes " },
		{ RLIMIT_NPROC, "Max processes 1000 2000 processes " },
		{ RLIMIT_NOFILE, "Max open files 1000 2000 files " },
		{ RLIMIT_MEMLOCK, "Max locked memory 1000 2000 bytes " },
		{ RLIMIT_AS, "Max address space 1000000000 2000000000 bytes " },
		{ RLIMIT_LOCKS, "Max file locks 1000 2000 locks " },
		{ RLIMIT_SIGPENDING, "Max pending signals 1000 2000 signals " },
		{ RLIMIT_MSGQUEUE, "Max msgqueue size 1000 2000 bytes " },
		{ RLIMIT_NICE, "Max nice priority 10 20 " },
		{ RLIMIT_RTPRIO, "Max realtime priority 10 20 " },
		{ RLIMIT_RTTIME, "Max realtime timeout 1000 2000 us " },
	};

	ASSERT_EQ(RLIM_NLIMITS, sizeof(all) / sizeof(*all));
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		struct limits l = { .set = 1U << all[i].which };
		unsigned long soft, hard;

		ASSERT_EQ(2, sscanf(strpbrk(all[i].line, "0123456789"), "%lu %lu", &soft, &hard));
		l.v[all[i].which] = (struct rlimit){ soft, hard };
		self->ctx.limits = &l;
		if (!may_limit(all[i].which, &l.v[all[i].which]))
			continue;
		EXPECT_STREQ(all[i].line, limit_line(self, strndupa(all[i].line,
				strcspn(all[i].line, "0123456789") - 1)));
	}
}

TEST_F(exec, limits_as_far_as_they_may_go)
{
	struct rlimit now = { 500, 900 };
	struct limits l = { .set = 1U << RLIMIT_NOFILE };

	l.v[RLIMIT_NOFILE] = (struct rlimit){ 800, RLIM_INFINITY };
	self->ctx.limits = &l;
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &now));
	drop_cap(CAP_SYS_RESOURCE);
	EXPECT_STREQ("Max open files 800 900 files ", limit_line(self, "Max open files"));
	l.v[RLIMIT_CORE] = (struct rlimit){ 2, 1 };
	l.set |= 1U << RLIMIT_CORE;
	EXPECT_STREQ("status 205", sh(self, "true"));
}

TEST_F(exec, priorities)
{
	int mine = getpriority(PRIO_PROCESS, 0);
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(0, &one);
	self->ctx.nice = 7;
	self->ctx.affinity = &one;
	self->ctx.ioprio = 2 << 13 | 6;
	self->ctx.oom_score = 321;
	self->ctx.coredump_filter = 0x11;
	self->ctx.timer_slack = 123456;
	EXPECT_STREQ("7\n", sh(self, "cut -d' ' -f19 /proc/self/stat"));
	EXPECT_STREQ("Cpus_allowed_list:\t0\n", sh(self, "grep Cpus_allowed_list: "
		     "/proc/self/status"));
	EXPECT_STREQ("best-effort: prio 6\n", sh(self, "ionice -p $$"));
	EXPECT_STREQ("321\n", sh(self, "cat /proc/self/oom_score_adj"));
	EXPECT_STREQ("00000011\n", sh(self, "cat /proc/self/coredump_filter"));
	EXPECT_STREQ("123456\n", sh(self, "cat /proc/$$/timerslack_ns"));
	/* It was the child alone. */
	EXPECT_EQ(mine, getpriority(PRIO_PROCESS, 0));
	self->ctx = defaults;
	self->ctx.out = (struct stdio){ .kind = STDIO_TRUNCATE, .path = in_dir(self, "out") };
	EXPECT_STREQ("0\n", sh(self, "cat /proc/self/oom_score_adj"));
}

TEST_F(exec, schedulers)
{
	self->ctx.cpu_policy = SCHED_FIFO;
	self->ctx.cpu_priority = 12;
	EXPECT_STREQ("1 12\n", sh(self, "cut -d' ' -f40,41 /proc/$$/stat | awk '{print $2, $1}'"));
	self->ctx.cpu_policy = SCHED_IDLE;
	self->ctx.cpu_priority = UNSET;
	EXPECT_STREQ("5\n", sh(self, "cut -d' ' -f41 /proc/self/stat"));
	self->ctx.cpu_policy = SCHED_RR;
	self->ctx.cpu_priority = 5;
	self->ctx.cpu_reset_on_fork = true;
	/* The cat that the shell makes is an ordinary one. */
	EXPECT_STREQ("2\n0\n", sh(self, "cut -d' ' -f41 /proc/$$/stat; (cut -d' ' -f41 "
		     "/proc/self/stat)"));
}

TEST_F(exec, user_and_groups)
{
	const char *script = "echo $(id -u):$(id -g):$(id -G) $USER $LOGNAME $HOME $SHELL";

	self->ctx.user.name = "nobody";
	EXPECT_STREQ("65534:65534:65534 nobody nobody /nonexistent /usr/sbin/nologin\n",
		     sh(self, script));
	self->ctx.user.name = "4321";
	EXPECT_STREQ("4321:4321:4321\n", sh(self, script));
	self->ctx.group.name = "daemon";
	EXPECT_STREQ("4321:1:1\n", sh(self, script));
	self->ctx.groups = (struct strv){ (char *[]){ "tty", "777" }, 2 };
	EXPECT_STREQ("4321:1:1 5 777\n", sh(self, script));
	self->ctx.user.name = NULL;
	EXPECT_STREQ("0:1:1 5 777\n", sh(self, script));
	self->ctx.group.name = NULL;
	EXPECT_STREQ("0:0:0 5 777\n", sh(self, script));
}

/* As initgroups(3) would: a mount hides the machine's file. */
TEST_F(exec, groups_of_a_user)
{
	put_text(self, "group", "root:x:0:\na:x:50:x,nobody\nb:x:51:nobodyx\nc:x:52:nobody\n");
	ASSERT_EQ(0, mount(in_dir(self, "group"), "/etc/group", NULL, MS_BIND, NULL));
	self->ctx.user.name = "nobody";
	EXPECT_STREQ("65534 50 52\n", sh(self, "id -G"));
}

TEST_F(exec, dynamic_user)
{
	unsigned long first;

	self->ctx.dynamic_user = true;
	first = strtoul(sh(self, "id -u"), NULL, 10);
	EXPECT_LE(61184, first);
	EXPECT_GE(65519, first);
	EXPECT_EQ(first, strtoul(sh(self, "id -u"), NULL, 10));
	EXPECT_EQ(first, strtoul(sh(self, "id -g"), NULL, 10));
	EXPECT_STREQ("t\n", sh(self, "echo $USER"));
	self->ctx.user.name = "nobody";
	EXPECT_STREQ("65534\n", sh(self, "id -u"));
	self->file.name = "other.service";
	self->ctx.user.name = NULL;
	EXPECT_NE(first, strtoul(sh(self, "id -u"), NULL, 10));
}

/* What of the manager is shared with the child while it changes does not change with it. */
TEST_F(exec, the_manager_stays_as_it_is)
{
	ASSERT_EQ(0, prctl(PR_SET_DUMPABLE, 1));
	self->ctx.user.name = "nobody";
	EXPECT_STREQ("65534\n", sh(self, "id -u"));
	EXPECT_EQ(1, prctl(PR_GET_DUMPABLE));
	EXPECT_EQ(0, geteuid());
	EXPECT_EQ(0, getegid());
}

TEST_F(exec, capabilities)
{
	const uint64_t two = 1 << CAP_NET_BIND_SERVICE | 1 << CAP_KILL;

	self->ctx.user.name = "nobody";
	self->ctx.caps_ambient_set = true;
	self->ctx.caps_ambient = two;
	EXPECT_STREQ("CapPrm:\t0000000000000420\nCapEff:\t0000000000000420\n"
		     "CapAmb:\t0000000000000420\n",
		     sh(self, "grep -E '^Cap(Prm|Eff|Amb)' /proc/self/status"));
	self->ctx.caps_ambient = 0;
	self->ctx.caps_bounding_set = true;
	self->ctx.caps_bounding = two;
	EXPECT_STREQ("CapBnd:\t0000000000000420\nCapAmb:\t0000000000000000\n",
		     sh(self, "grep -E '^Cap(Bnd|Amb)' /proc/self/status"));
	self->ctx.user.name = NULL;
	EXPECT_STREQ("CapPrm:\t0000000000000420\nCapEff:\t0000000000000420\n",
		     sh(self, "grep -E '^Cap(Prm|Eff)' /proc/self/status"));
	self->ctx.caps_bounding = 0;
	EXPECT_STREQ("CapEff:\t0000000000000000\n", sh(self, "grep ^CapEff /proc/self/status"));
	/* Root keeps what it has and has it as ambient, too. */
	self->ctx.caps_bounding_set = false;
	self->ctx.caps_ambient = two;
	EXPECT_STREQ("CapAmb:\t0000000000000420\n", sh(self, "grep ^CapAmb /proc/self/status"));
}

TEST_F(exec, secure_bits_and_no_new_privileges)
{
	EXPECT_STREQ("NoNewPrivs:\t0\n", sh(self, "grep NoNewPrivs /proc/self/status"));
	self->ctx.no_new_privs = true;
	self->ctx.secure_bits = 1 << SECURE_NOROOT | 1 << SECURE_NOROOT_LOCKED;
	EXPECT_STREQ("NoNewPrivs:\t1\n", sh(self, "grep NoNewPrivs /proc/self/status"));
	/* Root without its magic: the capabilities that are not inherited are gone. */
	EXPECT_STREQ("CapEff:\t0000000000000000\n", sh(self, "grep ^CapEff /proc/self/status"));
	self->ctx.user.name = "nobody";
	self->ctx.caps_ambient = 1 << CAP_KILL;
	EXPECT_STREQ("CapEff:\t0000000000000020\n", sh(self, "grep ^CapEff /proc/self/status"));
}

TEST_F(exec, prefixes)
{
	struct limits l = { .set = 1U << RLIMIT_CPU };

	l.v[RLIMIT_CPU] = (struct rlimit){ 77, 77 };
	self->ctx.limits = &l;
	self->ctx.user.name = "nobody";
	self->ctx.no_new_privs = true;
	EXPECT_STREQ("65534 77 nobody 1\n", sh(self, "echo $(id -u) $(ulimit -t) $USER "
		"$(grep NoNew /proc/self/status | cut -f2)"));
	self->cmd.flags = CMD_NO_SETUID | CMD_NO_EXPAND;
	EXPECT_STREQ("0 77 nobody 1\n", sh(self, "echo $(id -u) $(ulimit -t) $USER "
		"$(grep NoNew /proc/self/status | cut -f2)"));
	self->cmd.flags = CMD_PRIVILEGED | CMD_NO_EXPAND;
	EXPECT_STREQ("0 unlimited nobody 0\n", sh(self, "echo $(id -u) $(ulimit -t) $USER "
		"$(grep NoNew /proc/self/status | cut -f2)"));
	self->cmd.flags = CMD_NO_EXPAND;
	self->rq.unconfined = true;
	EXPECT_STREQ("0\n", sh(self, "id -u"));
	/* "|" */
	self->rq.unconfined = false;
	self->ctx.user.name = "root";
	self->cmd.flags = CMD_SHELL;
	self->cmd.argv = (struct strv){ (char *[]){ "echo", "$((1+1))", "$0", NULL }, 3 };
	EXPECT_EQ(0, launched(self));
	EXPECT_STREQ("2 /bin/bash\n", self->out);
	/* "@" */
	self->cmd.flags = CMD_NO_EXPAND;
	self->cmd.argv = (struct strv){ (char *[]){ "other name", "-c", "echo $0", NULL }, 3 };
	EXPECT_EQ(0, launched(self));
	EXPECT_STREQ("other name\n", self->out);
}

TEST_F(exec, environment)
{
	char *passed[] = { "PASSED", "NOT_THERE" };
	char *unset[] = { "GONE", "A=1", "B=other" };
	char *set[] = { "A=1", "B=2", "GONE=x", "C=unit" };
	struct path files[] = {
		{ .name = in_dir(self, "one") }, { .name = in_dir(self, "none"), .optional = true },
		{ .name = in_dir(self, "[xy]*.env") },
	};

	put_text(self, "one", "C=file\n# comment\nD='two words'\n");
	put_text(self, "y.env", "E=y\n");
	put_text(self, "x.env", "E=x\nF=x\n");
	setenv("PASSED", "through", 1);
	setenv("NOT_PASSED", "x", 1);
	strv_add(&self->env, strdup("MANAGER=m"));
	strv_add(&self->env, strdup("B=manager"));
	self->ctx.pass_env = (struct strv){ passed, 2 };
	self->ctx.unset_env = (struct strv){ unset, 3 };
	self->ctx.env = (struct strv){ set, 4 };
	self->ctx.env_files = (struct paths){ files, 3 };
	EXPECT_STREQ("[][2][file][two words][y][x][][through][m][]\n",
		     sh(self,
			     "echo \"[$A][$B][$C][$D][$E][$F][$GONE][$PASSED]"
				  "[$MANAGER][$NOT_PASSED]\""));
	files[1].optional = false;
	EXPECT_EQ(RESOURCES, launched(self));
	files[1] = (struct path){ .name = in_dir(self, "no[xy]") };
	EXPECT_EQ(RESOURCES, launched(self));
}

TEST_F(exec, search_path)
{
	char *dirs[] = { "/nowhere", self->dir };

	put_text(self, "prog", "#!/bin/sh\necho $0 $PATH\n");
	chmod(in_dir(self, "prog"), 0755);
	self->cmd.path = "prog";
	EXPECT_EQ(EXEC_EXEC, launched(self));
	self->ctx.search_path = (struct strv){ dirs, 2 };
	EXPECT_EQ(0, launched(self));
	char want[128];
	snprintf(want, sizeof(want), "%s/prog /nowhere:%s\n", self->dir, self->dir);
	EXPECT_STREQ(want, self->out);
	self->cmd.path = "sh";
	self->ctx.search_path = (struct strv){ 0 };
	EXPECT_STREQ("/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n",
		     sh(self, "echo $PATH"));
}

TEST_F(exec, working_directory)
{
	self->ctx.cwd.name = "/usr/lib";
	EXPECT_STREQ("/usr/lib\n", sh(self, "pwd"));
	self->ctx.cwd.name = "~";
	EXPECT_STREQ("/root\n", sh(self, "pwd"));
	self->ctx.user.name = "daemon";
	EXPECT_STREQ("/usr/sbin\n", sh(self, "pwd"));
	self->ctx.cwd.name = "/root";
	chmod("/root", 0700);
	EXPECT_STREQ("status 200", sh(self, "pwd"));
	self->ctx.cwd.optional = true;
	EXPECT_STREQ("/\n", sh(self, "pwd"));
}

TEST_F(exec, root_directory)
{
	/* All that a shell needs is below it. */
	self->ctx.root = "/usr";
	EXPECT_STREQ("/\nyes\n", sh(self, "pwd; [ -d /share -a ! -e /usr ] && echo yes"));
	self->ctx.cwd.name = "/share";
	EXPECT_STREQ("/share\n", sh(self, "pwd"));
	self->ctx.cwd.name = NULL;
	self->cmd.flags = CMD_PRIVILEGED | CMD_NO_EXPAND;
	EXPECT_STREQ("yes\n", sh(self, "[ -d /usr ] && echo yes"));
	self->cmd.flags = CMD_NO_EXPAND;
	self->rq.no_root = true;
	EXPECT_STREQ("yes\n", sh(self, "[ -d /usr ] && echo yes"));
	self->rq.no_root = false;
	self->ctx.root = in_dir(self, "no-such");
	EXPECT_STREQ("status 210", sh(self, "true"));
}

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

/* What goes wrong */

static int refuse(void *arg)
{
	(void)arg;
	return -ENOSPC;
}

TEST_F(exec, statuses)
{
	struct dirs one = { .names = { (char *[]){ "a" }, 1 }, .mode = 0755 };
	static const struct {
		enum exec_dir kind;
		const char *file;
		const char *status;
	} dirs[] = {
		{ DIR_RUNTIME, "/run/a", "status 233" }, { DIR_STATE, "/var/lib/a", "status 238" },
		{ DIR_CACHE, "/var/cache/a", "status 239" }, { DIR_LOGS, "/var/log/a",
			     "status 240" },
	};
	cpu_set_t none;

	self->cmd.path = "/no/such";
	EXPECT_STREQ("status 203", sh(self, ""));
	self->cmd.path = "/bin/sh";
	self->rq.enrol = refuse;
	EXPECT_STREQ("status 219", sh(self, ""));
	self->rq.enrol = NULL;
	self->ctx.user.name = "no-such-user";
	EXPECT_STREQ("status 217", sh(self, ""));
	self->ctx.user.name = NULL;
	self->ctx.group.name = "no-such-group";
	EXPECT_STREQ("status 216", sh(self, ""));
	self->ctx.group.name = NULL;
	self->ctx.groups = (struct strv){ (char *[]){ "no-such-group" }, 1 };
	EXPECT_STREQ("status 216", sh(self, ""));
	self->ctx.groups.nr = 0;
	self->ctx.in = (struct stdio){ .kind = STDIO_FILE, .path = "/no/such" };
	EXPECT_STREQ("status 208", sh(self, ""));
	self->ctx.in.kind = STDIO_NULL;
	self->ctx.err = (struct stdio){ .kind = STDIO_APPEND, .path = "/no/such" };
	EXPECT_STREQ("status 222", sh(self, ""));
	self->ctx.err.kind = STDIO_INHERIT;
	self->ctx.oom_score = 2000;
	EXPECT_STREQ("status 206", sh(self, ""));
	self->ctx.oom_score = UNSET;
	CPU_ZERO(&none);
	self->ctx.affinity = &none;
	EXPECT_STREQ("status 215", sh(self, ""));
	self->ctx.affinity = NULL;
	self->ctx.ioprio = 7 << 13;
	EXPECT_STREQ("status 211", sh(self, ""));
	self->ctx.ioprio = UNSET;
	self->ctx.cpu_policy = 77;
	EXPECT_STREQ("status 214", sh(self, ""));
	self->ctx.cpu_policy = UNSET;
	for (size_t i = 0; i < sizeof(dirs) / sizeof(*dirs); i++) {
		close(open(dirs[i].file, O_CREAT | O_WRONLY, 0600));
		self->ctx.dirs[dirs[i].kind] = &one;
		EXPECT_STREQ(dirs[i].status, sh(self, ""));
		self->ctx.dirs[dirs[i].kind] = NULL;
	}
	EXPECT_STREQ("", sh(self, ""));
}

TEST_F(exec, statuses_without_the_right)
{
	static const int caps_needed[] = {
		CAP_SYS_NICE, CAP_SETGID, CAP_SETUID, CAP_SETPCAP, CAP_SYS_CHROOT,
	};

	for (size_t i = 0; i < sizeof(caps_needed) / sizeof(*caps_needed); i++)
		drop_cap(caps_needed[i]);
	self->ctx.nice = -5;
	EXPECT_STREQ("status 201", sh(self, ""));
	self->ctx.nice = UNSET;
	self->ctx.group.name = "daemon";
	EXPECT_STREQ("status 216", sh(self, ""));
	self->cmd.flags = CMD_NO_SETUID | CMD_NO_EXPAND;
	EXPECT_STREQ("", sh(self, ""));
	self->ctx.secure_bits = 1 << SECURE_NOROOT;
	EXPECT_STREQ("status 213", sh(self, ""));
	self->ctx.secure_bits = 0;
	self->ctx.caps_bounding_set = true;
	EXPECT_STREQ("status 218", sh(self, ""));
	self->ctx.caps_bounding_set = false;
	self->ctx.caps_ambient = 1 << CAP_SETUID;
	EXPECT_STREQ("status 218", sh(self, ""));
	self->ctx.caps_ambient = 0;
	self->ctx.root = "/usr";
	EXPECT_STREQ("status 210", sh(self, ""));
}

TEST_F(exec, status_of_the_user)
{
	drop_cap(CAP_SETUID);
	self->ctx.user.name = "nobody";
	EXPECT_STREQ("status 217", sh(self, ""));
}

/* Unprivileged, to be oneself is no change. */
TEST_F(exec, as_nobody)
{
	struct limits l = { .set = 1U << RLIMIT_CORE };

	ASSERT_EQ(0, setgroups(0, NULL));
	ASSERT_EQ(0, setresgid(65534, 65534, 65534));
	ASSERT_EQ(0, setresuid(65534, 65534, 65534));
	ASSERT_EQ(0, exec_init(false, NULL));
	self->ctx.user.name = "nobody";
	self->ctx.limits = &l;
	self->ctx.oom_score = -500;
	EXPECT_STREQ("65534 nobody\n", sh(self, "echo $(id -u) $USER"));
	self->ctx.user.name = "daemon";
	EXPECT_STREQ("status 216", sh(self, ""));
}

/* Stops whoever comes to chdir(2), before the call returns. */
static void *stop_at_chdir(void *arg)
{
	struct seccomp_notif notif = { 0 };
	struct seccomp_notif_resp resp = { .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE };
	int listener = *(int *)arg;

	if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &notif))
		abort();
	resp.id = notif.id;
	if (kill(notif.pid, SIGSTOP))
		abort();
	/* Its call may be interrupted already, or it may be dead. */
	if (ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &resp) && errno != ENOENT)
		abort();
	return NULL;
}

/* Others of its user may stop it before its program runs: the manager is not stuck. */
TEST_F_TIMEOUT(exec, a_stopped_child_does_not_hold_the_manager, 60)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_chdir, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { .len = sizeof(code) / sizeof(*code), .filter = code };
	pthread_t thread;
	int listener;

	self->ctx.user.name = "nobody";
	self->ctx.cwd.name = "/usr";
	listener = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
		     SECCOMP_FILTER_FLAG_NEW_LISTENER, &prog);
	ASSERT_LE(0, listener);
	ASSERT_EQ(0, fcntl(listener, F_SETFD, FD_CLOEXEC));
	ASSERT_EQ(0, pthread_create(&thread, NULL, stop_at_chdir, &listener));
	EXPECT_STREQ("", sh(self, "echo x"));
	EXPECT_TRUE(WIFSIGNALED(self->status) && WTERMSIG(self->status) == SIGKILL);
	ASSERT_EQ(0, pthread_join(thread, NULL));
}

TEST_F(exec, invocations)
{
	uint64_t id[2] = { 0 };
	char a[33], b[33];

	exec_invocation_text(id, a);
	EXPECT_STREQ("", a);
	exec_new_invocation(id);
	exec_invocation_text(id, a);
	exec_new_invocation(id);
	exec_invocation_text(id, b);
	EXPECT_STRNE(a, b);
	EXPECT_EQ(32, strspn(a, "0123456789abcdef"));
	EXPECT_EQ(32, strspn(b, "0123456789abcdef"));
}

TEST_HARNESS_MAIN
