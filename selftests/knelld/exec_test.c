// SPDX-License-Identifier: GPL-2.0-only
/*
 * Commands and the environment that a unit asks for: each directive as the program sees it, each
 * step that fails by its exit status. Needs root.
 */
#include <grp.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <linux/securebits.h>
#include <pthread.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "exec_fixture.h"

#define RESOURCES (-1)

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
