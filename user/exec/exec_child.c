// SPDX-License-Identifier: GPL-2.0-only
/*
 * The child: a table of steps, each of them nothing at all if its directives are not set. It runs
 * in the manager's memory (CLONE_VM | CLONE_VFORK) while that sleeps, so it may neither allocate
 * nor touch what is not its own; in return it says there which step has failed. The order is
 * systemd's: what needs root first, then the user, then what is to be done as that user.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#endif

#include "exec.h"

#define GUARD_S		5	/* for what is done as another user */
#define UMASK		022	/* the manager's */

bool exec_user_mode;
const char *exec_instance;
static bool privileged;
static int null_fd = -1;
static char stack[64 * 1024] __attribute__((aligned(64)));

static int begin_session(struct launch *l)
{
	(void)l;
	return setsid() < 0 ? -1 : 0;
}

static int enrol(struct launch *l)
{
	int err = l->rq->enrol ? l->rq->enrol(l->rq->arg) : 0;

	if (err < 0)
		errno = -err;
	return err < 0 ? -1 : 0;
}

/*
 * The manager ignores this one and blocks none. Those that it handles are back to normal with
 * exec, and before that libknell's handler knows that it is not meant.
 */
static int set_signals(struct launch *l)
{
	const struct sigaction dfl = { .sa_handler = SIG_DFL };

	return l->ctx->ignore_sigpipe ? 0 : sigaction(SIGPIPE, &dfl, NULL);
}

static int set_umask(struct launch *l)
{
	if (l->ctx->umask != UMASK)
		umask(l->ctx->umask);
	return 0;
}

/* Standard input and output */

static int connect_to(const char *path, int type)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd, err;

	if (strlen(path) >= sizeof(sun.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	strcpy(sun.sun_path, path);
	fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || !connect(fd, (struct sockaddr *)&sun, sizeof(sun)))
		return fd;
	err = errno;
	close(fd);
	errno = err;
	return -1;
}

/* What open() calls ENXIO: a socket, or a FIFO without a reader, which it is to wait for itself. */
static int open_special(const char *path)
{
	struct stat st;
	int fd;

	if (stat(path, &st) < 0)
		return -1;
	if (S_ISFIFO(st.st_mode))
		return open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (!S_ISSOCK(st.st_mode)) {
		errno = ENXIO;
		return -1;
	}
	fd = connect_to(path, SOCK_STREAM);
	return fd < 0 && errno == EPROTOTYPE ? connect_to(path, SOCK_DGRAM) : fd;
}

/* Never waits, for the manager would, too. */
static int open_file(const char *path, int flags)
{
	int fd = open(path, flags | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0666);

	if (fd < 0 && errno == ENXIO)
		fd = open_special(path);
	if (fd >= 0 && fcntl(fd, F_SETFL, flags & O_APPEND) < 0)
		return -1;
	return fd;
}

static int put(int fd, int as)
{
	return fd < 0 || dup2(fd, as) < 0 ? -1 : 0;
}

/* Opened once for both, so that neither writes over what the other has written. */
static bool same_file(const struct stdio *a, const struct stdio *b)
{
	return a->kind == b->kind && a->kind >= STDIO_FILE && a->kind <= STDIO_TRUNCATE &&
	       !strcmp(a->path, b->path);
}

static int open_tty(struct launch *l)
{
	int fd = tty_open(l->ctx, l->ctx->in.tty_mode);

	if (fd < 0 || put(fd, STDIN_FILENO))
		return -1;
	if (!l->change_user || !l->cred.set_uid)
		return 0;
	return fchown(fd, l->cred.uid, -1) || fchmod(fd, 0600) ? -1 : 0;
}

/* Sockets are the main process' alone. */
static bool is_absent(const struct launch *l, int as)
{
	return l->rq->control && l->rq->named[as] < 0;
}

static int set_stdin(struct launch *l)
{
	const struct stdio *in = &l->ctx->in;
	bool both;

	switch (in->kind) {
	case STDIO_TTY:
		return l->rq->no_tty ? 0 : open_tty(l);
	case STDIO_FILE:
		both = same_file(&l->ctx->out, in) || same_file(&l->ctx->err, in);
		return put(open_file(in->path, both ? O_RDWR | O_CREAT : O_RDONLY), STDIN_FILENO);
	case STDIO_SOCKET:
		return l->rq->socket < 0 ? 0 : put(l->rq->socket, STDIN_FILENO);
	case STDIO_FD:
		return is_absent(l, STDIN_FILENO) ? 0 :
		       put(l->rq->named[STDIN_FILENO], STDIN_FILENO);
	case STDIO_DATA:
		return put(l->data, STDIN_FILENO);
	default:
		/* exec_init() has seen to it. */
		return 0;
	}
}

static int set_log(struct launch *l, int as)
{
	return l->rq->log ? put(open_file(l->rq->log, O_WRONLY), as) : 0;
}

static int set_tty(struct launch *l, int as)
{
	if (l->ctx->in.kind == STDIO_TTY && !l->rq->no_tty)
		return put(STDIN_FILENO, as);
	return put(open_file(l->ctx->tty ? l->ctx->tty : "/dev/console", O_WRONLY), as);
}

/* As the input, if that is something to write to. */
static int set_inherited(struct launch *l, int as)
{
	uint8_t in = l->ctx->in.kind;

	if (in == STDIO_TTY)
		return set_tty(l, as);
	if ((in == STDIO_SOCKET && l->rq->socket >= 0) ||
	    (in == STDIO_FD && l->rq->named[STDIN_FILENO] >= 0 && !l->rq->logs))
		return put(STDIN_FILENO, as);
	return set_log(l, as);
}

static int set_output(struct launch *l, const struct stdio *s, int as)
{
	const struct exec_context *c = l->ctx;
	int create = O_WRONLY | O_CREAT;

	if (same_file(s, &c->in))
		return put(STDIN_FILENO, as);
	switch (s->kind) {
	case STDIO_NULL:
		return put(null_fd, as);
	case STDIO_INHERIT:
		return set_inherited(l, as);
	case STDIO_TTY:
		return set_tty(l, as);
	case STDIO_LOG:
		return set_log(l, as);
	case STDIO_FILE:
		return put(open_file(s->path, create), as);
	case STDIO_APPEND:
		return put(open_file(s->path, create | O_APPEND), as);
	case STDIO_TRUNCATE:
		return put(open_file(s->path, create | O_TRUNC), as);
	case STDIO_SOCKET:
		return l->rq->socket < 0 ? set_log(l, as) : put(l->rq->socket, as);
	default:
		return is_absent(l, as) ? set_log(l, as) : put(l->rq->named[as], as);
	}
}

static int set_stdout(struct launch *l)
{
	return set_output(l, &l->ctx->out, STDOUT_FILENO);
}

/* Without a word of its own it goes where the other output does. */
static int set_stderr(struct launch *l)
{
	const struct stdio *out = &l->ctx->out, *err = &l->ctx->err;

	if (err->kind != STDIO_INHERIT && !same_file(err, out))
		return set_output(l, err, STDERR_FILENO);
	if (out->kind == STDIO_INHERIT || out->kind == STDIO_LOG)
		return set_inherited(l, STDERR_FILENO);
	return put(STDOUT_FILENO, STDERR_FILENO);
}

/* What the kernel is to make of it */

static int write_proc(const char *path, const char *text)
{
	int fd = *text ? open(path, O_WRONLY | O_CLOEXEC) : -1;
	int err = 0;

	if (!*text)
		return 0;
	if (fd < 0)
		return -1;
	if (write(fd, text, strlen(text)) < 0)
		err = errno;
	close(fd);
	errno = err;
	return err ? -1 : 0;
}

/* In a user namespace nobody may, which is no reason not to run. */
static int set_oom(struct launch *l)
{
	if (!write_proc("/proc/self/oom_score_adj", l->oom))
		return 0;
	return errno == EPERM || errno == EACCES ? 0 : -1;
}

static int set_coredump(struct launch *l)
{
	return write_proc("/proc/self/coredump_filter", l->coredump);
}

static int set_nice(struct launch *l)
{
	return l->ctx->nice == UNSET ? 0 : setpriority(PRIO_PROCESS, 0, l->ctx->nice);
}

static int set_scheduler(struct launch *l)
{
	const struct exec_context *c = l->ctx;
	const struct sched_param param = {
		.sched_priority = c->cpu_priority == UNSET ? 0 : c->cpu_priority,
	};
	int policy = c->cpu_policy == UNSET ? SCHED_OTHER : c->cpu_policy;

	if (c->cpu_policy == UNSET && !c->cpu_reset_on_fork)
		return 0;
	return sched_setscheduler(0, policy | (c->cpu_reset_on_fork ? SCHED_RESET_ON_FORK : 0),
				  &param);
}

static int set_affinity(struct launch *l)
{
	const cpu_set_t *set = l->ctx->affinity;

	return set ? sched_setaffinity(0, sizeof(*set), set) : 0;
}

static int set_ioprio(struct launch *l)
{
	return l->ctx->ioprio == UNSET ? 0 :
	       syscall(SYS_ioprio_set, 1 /* IOPRIO_WHO_PROCESS */, 0, l->ctx->ioprio);
}

static int set_timer_slack(struct launch *l)
{
	return l->ctx->timer_slack == FOREVER ? 0 : prctl(PR_SET_TIMERSLACK, l->ctx->timer_slack);
}

/* As much of it as we are allowed to. */
static int set_limit(int which, const struct rlimit *wanted)
{
	struct rlimit now, best = *wanted;

	if (!setrlimit(which, wanted))
		return 0;
	if (errno != EPERM || getrlimit(which, &now))
		return -1;
	if (best.rlim_max > now.rlim_max)
		best.rlim_max = now.rlim_max;
	if (best.rlim_cur > best.rlim_max)
		best.rlim_cur = best.rlim_max;
	return setrlimit(which, &best);
}

static int set_limits(struct launch *l)
{
	const struct limits *limits = l->ctx->limits;

	/* What the manager needs is nothing for others: select(2) has room for 1024. */
	if (fd_limit() && setrlimit(RLIMIT_NOFILE, fd_limit()))
		return -1;
	for (int i = 0; limits && l->confine && i < (int)RLIM_NLIMITS; i++)
		if (limits->set >> i & 1 && set_limit(i, &limits->v[i]))
			return -1;
	return 0;
}

/* None is put over one that is yet to be moved: those in the way go up first. */
static int pass_fds(struct launch *l)
{
	for (size_t i = 0; i < l->nr_fds; i++) {
		struct fd_pass *f = &l->fds[i];

		if (f->from < l->fds_end && f->from != f->to)
			f->from = fcntl(f->from, F_DUPFD_CLOEXEC, l->fds_end);
		if (f->from < 0)
			return -1;
	}
	for (size_t i = 0; i < l->nr_fds; i++) {
		const struct fd_pass *f = &l->fds[i];
		int flags = f->non_blocking ? fcntl(f->from, F_GETFL) : 0;

		if (f->non_blocking && fcntl(f->from, F_SETFL, flags | O_NONBLOCK) < 0)
			return -1;
		if (f->from == f->to ? fcntl(f->to, F_SETFD, 0) : dup2(f->from, f->to) < 0)
			return -1;
	}
	return 0;
}

/*
 * Who it is. The system calls themselves: libc's wrappers would do it to all threads.
 */
static int set_groups(struct launch *l)
{
	const struct cred *c = &l->cred;

	if (!l->change_user || !c->set_gid)
		return 0;
	if (syscall(SYS_setgroups, c->nr_groups, c->groups) < 0)
		return -1;
	return syscall(SYS_setresgid, c->gid, c->gid, c->gid);
}

static int enter_root(struct launch *l)
{
	const char *root = l->ctx->root;

	if (!root || !l->confine || l->rq->no_root)
		return 0;
	return chroot(root) || chdir("/") ? -1 : 0;
}

/* Before the user changes: then it could not be done any more; exec resets keep-caps. */
static int set_secure_bits(struct launch *l)
{
	unsigned int bits = l->ctx->secure_bits;

	if (!l->confine)
		return 0;
	if (l->ctx->caps_ambient && l->change_user && l->cred.set_uid)
		bits |= 1U << SECURE_KEEP_CAPS;
	return bits ? prctl(PR_SET_SECUREBITS, bits) : 0;
}

static int drop_bounding(struct launch *l)
{
	if (!l->confine || !l->ctx->caps_bounding_set)
		return 0;
	for (unsigned int cap = 0; cap < 64; cap++) {
		if (l->ctx->caps_bounding >> cap & 1)
			continue;
		/* The kernel knows no more of them. */
		if (prctl(PR_CAPBSET_DROP, cap) < 0)
			return cap && errno == EINVAL ? 0 : -1;
	}
	return 0;
}

/*
 * From the instant that the process is the user's own, others of that user may stop it, and the
 * manager, which waits for it, with it. So there is a timer that only exec takes away.
 */
static void set_guard(void)
{
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGKILL };
	const struct itimerspec at = { .it_value.tv_sec = GUARD_S };
	int timer;

	if (!syscall(SYS_timer_create, CLOCK_MONOTONIC, &ev, &timer))
		syscall(SYS_timer_settime, timer, 0, &at, NULL);
}

static int set_user(struct launch *l)
{
	uid_t uid = l->cred.uid;

	if (!l->change_user || !l->cred.set_uid)
		return 0;
	if (uid)
		set_guard();
	return syscall(SYS_setresuid, uid, uid, uid);
}

static int raise_ambient(struct launch *l)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct caps[2];
	uint64_t ambient = l->ctx->caps_ambient;

	if (!l->confine || !ambient)
		return 0;
	if (syscall(SYS_capget, &head, caps))
		return -1;
	for (int i = 0; i < 2; i++)
		caps[i].inheritable |= ambient >> 32 * i;
	if (syscall(SYS_capset, &head, caps))
		return -1;
	for (unsigned int cap = 0; cap < 64; cap++)
		if (ambient >> cap & 1 && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0))
			return -1;
	return 0;
}

static int enter_directory(struct launch *l)
{
	if (!l->cwd || !chdir(l->cwd))
		return 0;
	return l->ctx->cwd.optional ? chdir("/") : -1;
}

static int set_no_new_privs(struct launch *l)
{
	return l->confine && l->ctx->no_new_privs ? prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) : 0;
}

/* The environment has room for it: see own_pid(). */
static void tell_own_pid(char *at)
{
	char digits[12];
	int n = 0;

	for (pid_t pid = getpid(); pid; pid /= 10)
		digits[n++] = '0' + pid % 10;
	while (n)
		*at++ = digits[--n];
	*at = '\0';
}

static int run_program(struct launch *l)
{
	for (size_t i = 0; i < sizeof(l->own_pids) / sizeof(*l->own_pids); i++)
		if (l->own_pids[i])
			tell_own_pid(l->own_pids[i]);
	return execve(l->path, l->argv.v, l->env.v);
}

static const struct {
	int (*run)(struct launch *l);
	int status;
	const char *what;
} steps[] = {
	{ begin_session,	EXEC_SETSID,		"cannot begin a session" },
	{ enrol,		EXEC_CGROUP,		"cannot be enrolled" },
	{ set_signals,		EXEC_SIGNAL_MASK,	"cannot set its signals" },
	{ set_umask,		EXEC_SIGNAL_MASK,	"cannot set its umask" },
	{ set_stdin,		EXEC_STDIN,		"cannot open its standard input" },
	{ set_stdout,		EXEC_STDOUT,		"cannot open its standard output" },
	{ set_stderr,		EXEC_STDERR,		"cannot open its standard error" },
	{ set_oom,		EXEC_OOM_ADJUST,	"cannot apply OOMScoreAdjust=" },
	{ set_coredump,		EXEC_LIMITS,		"cannot apply CoredumpFilter=" },
	{ set_nice,		EXEC_NICE,		"cannot apply Nice=" },
	{ set_scheduler,	EXEC_SETSCHEDULER,	"cannot apply CPUSchedulingPolicy=" },
	{ set_affinity,		EXEC_CPUAFFINITY,	"cannot apply CPUAffinity=" },
	{ set_ioprio,		EXEC_IOPRIO,		"cannot apply IOSchedulingClass=" },
	{ set_timer_slack,	EXEC_TIMERSLACK,	"cannot apply TimerSlackNSec=" },
	{ set_groups,		EXEC_GROUP,		"cannot change its groups" },
	{ pass_fds,		EXEC_FDS,		"cannot pass it its sockets" },
	{ set_limits,		EXEC_LIMITS,		"cannot apply its limits" },
	{ enter_root,		EXEC_CHROOT,		"cannot enter RootDirectory=" },
	{ drop_bounding,	EXEC_CAPABILITIES,	"cannot apply CapabilityBoundingSet=" },
	{ set_secure_bits,	EXEC_SECUREBITS,	"cannot apply SecureBits=" },
	{ set_user,		EXEC_USER,		"cannot change its user" },
	{ raise_ambient,	EXEC_CAPABILITIES,	"cannot apply AmbientCapabilities=" },
	{ enter_directory,	EXEC_CHDIR,		"cannot enter its working directory" },
	{ set_no_new_privs,	EXEC_NO_NEW_PRIVILEGES,	"cannot apply NoNewPrivileges=" },
	{ run_program,		EXEC_EXEC,		"cannot run" },
};

static int child(void *arg)
{
	struct launch *l = arg;

	for (l->step = 0; !steps[l->step].run(l); l->step++)
		;
	l->err = errno ? errno : EIO;
	return steps[l->step].status;
}

/* At the start of the manager: 0 or -errno. Children find 0 and "/" as they are. */
int exec_init(bool user, const char *instance)
{
	exec_user_mode = user;
	exec_instance = instance;
	privileged = !geteuid();
	null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null_fd < 0 || dup2(null_fd, STDIN_FILENO) < 0)
		return -errno;
	umask(UMASK);
	return 0;
}

/* Its pid: the program runs, or l->err is set and nothing is left but its zombie; or -errno. */
pid_t exec_launch(struct launch *l)
{
	pid_t pid;

	l->err = 0;
#ifdef __SANITIZE_ADDRESS__
	/* The last child has left without a word. */
	__asan_unpoison_memory_region(stack, sizeof(stack));
#endif
	pid = clone(child, stack + sizeof(stack), CLONE_VM | CLONE_VFORK | SIGCHLD, l);
	if (pid < 0)
		return -errno;
	/* The kernel takes dumps from no memory that was shared with another user's process. */
	if (privileged && l->change_user && l->cred.set_uid)
		prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
	return pid;
}

/* What a process would have exited with that failed where this one did. */
int exec_status(const struct launch *l)
{
	return steps[l->step].status;
}

/* Logs why the program does not run. */
void exec_tell(const struct launch *l)
{
	const struct exec_request *rq = l->rq;
	const struct exec_context *c = l->ctx;
	const char *what = steps[l->step].what, *why = strerror(l->err);

	switch (steps[l->step].status) {
	case EXEC_CHDIR:
		log_at(rq->file, c->cwd.where, "WorkingDirectory=%s: %s: %s", l->cwd, what, why);
		break;
	case EXEC_USER:
		log_at(rq->file, c->user.where, "User=%s: %s: %s", c->user.name, what, why);
		break;
	default:
		log_at(rq->file, rq->cmd->where, "%s=%s: %s: %s", rq->key, l->path, what, why);
	}
}
