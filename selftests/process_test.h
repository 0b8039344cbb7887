/* SPDX-License-Identifier: GPL-2.0-only */
/* What the selftests of PROCESS watches share: targets, the ways to enrol one, seeing it die. */
#ifndef _PROCESS_TEST_H
#define _PROCESS_TEST_H

#include <grp.h>
#include <linux/capability.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "queue_test.h"

/* The harness makes a fixture's setup and teardown global. */
#pragma GCC diagnostic ignored "-Wmissing-prototypes"

/* Exit codes of helpers that could not do their part; no case uses them. */
#define BROKEN		99

/* How long a case waits for what must come; reached only by one that fails. */
#define PATIENCE	(60 * SLOW * NSEC_PER_SEC)

enum how {
	BY_PID,
	BY_PIDFD,
	BY_NEXT,
	BY_SELF,
	BY_OTHER,	/* by pid, from a process that is not the parent */
	LATE_PID,	/* once it is waitable already */
	LATE_PIDFD,
};

/**
 * struct target - a process to be watched
 * @queue: where
 * @how: enrolled in which way
 * @block: wait for the record asleep, rather than look for it and for the zombie in turn
 * @exit_signal: of its clone
 * @run: what it does; when it returns the target exits with 0
 * @arg: for @run
 * @token: of the watch
 * @pid: its
 * @pidfd: its, for BY_PIDFD and LATE_PIDFD
 * @watch: handle, 0 if another process has made it
 * @born: clock readings before and after the fork
 * @seq: of the latest record of this queue
 * @go: to the target: do the next thing
 * @said: from the target: done
 */
struct target {
	int queue;
	enum how how;
	bool block;
	int exit_signal;
	void (*run)(struct target *t);
	int arg;
	uint64_t token;
	pid_t pid;
	int pidfd;
	uint32_t watch;
	uint64_t born[2];
	uint64_t seq;
	int go[2];
	int said[2];
};

static inline void tell(const int *pipe_fds, char c)
{
	if (write(pipe_fds[1], &c, 1) != 1)
		_exit(BROKEN);
}

/* The next byte, 0 if there will be none. */
static inline char hear(const int *pipe_fds)
{
	ssize_t n;
	char c;

	do
		n = read(pipe_fds[0], &c, 1);
	while (n < 0 && errno == EINTR);
	return n == 1 ? c : 0;
}

static inline void must_hear(const int *pipe_fds, char c)
{
	if (hear(pipe_fds) != c)
		_exit(BROKEN);
}

static inline int pidfd_of(pid_t pid)
{
	return syscall(SYS_pidfd_open, pid, 0);
}

/* The status word of wait(2), of what waitid(2) tells. */
static inline int status_word(const siginfo_t *si)
{
	switch (si->si_code) {
	case CLD_EXITED:
		return (si->si_status & 0xff) << 8;
	case CLD_KILLED:
		return si->si_status;
	case CLD_DUMPED:
		return si->si_status | 0x80;
	}
	return -1;
}

/* Whether child @pid can be reaped at this moment; it is not. */
static inline bool waitable(pid_t pid, int *status)
{
	siginfo_t si = { };

	if (waitid(P_PID, pid, &si, WEXITED | WNOHANG | WNOWAIT | __WALL) || si.si_pid != pid)
		return false;
	*status = status_word(&si);
	return true;
}

/* Sleeps until child @pid can be reaped. */
static inline int await_zombie(pid_t pid)
{
	siginfo_t si = { };

	return waitid(P_PID, pid, &si, WEXITED | WNOWAIT | __WALL) ? -errno : 0;
}

/* Reaps child @pid; its status word, or -errno. */
static inline int reap(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, __WALL) < 0)
		if (errno != EINTR)
			return -errno;
	return status;
}

/* State letter of @pid's leader, 0 if it is gone. */
static inline char state_of(pid_t pid)
{
	char path[64], buf[512], *p = NULL;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	f = fopen(path, "r");
	if (!f)
		return 0;
	if (fgets(buf, sizeof(buf), f))
		p = strrchr(buf, ')');
	fclose(f);
	return p && p[1] == ' ' ? p[2] : 0;
}

/* Looks until @pid's leader is in @state; nothing reports that of a leader alone. */
static inline void await_state(pid_t pid, char state)
{
	while (state_of(pid) != state)
		sched_yield();
}

/* Waits until no process has @pid any longer. */
static inline void await_gone(pid_t pid)
{
	while (!kill(pid, 0) || errno != ESRCH)
		sched_yield();
}

static inline int next_event(int fd, struct knell_event *ev)
{
	return wait_events(fd, ev, 1, clock_ns(CLOCK_MONOTONIC) + PATIENCE);
}

static inline int pending_event(int fd, struct knell_event *ev)
{
	return wait_events(fd, ev, 1, 0);
}

/* Whether there is nothing to read, by each way there is to ask. */
static inline bool nothing_pending(int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	struct knell_event ev;

	return poll(&pfd, 1, 0) == 0 && nr_pending(fd) == 0 && pending_event(fd, &ev) == 0;
}

static inline int64_t add_pid(int fd, pid_t pid, uint64_t token)
{
	return add_watch(fd, op_process(pid, 0, token));
}

static inline int64_t add_pidfd(int fd, int pidfd, uint64_t token)
{
	struct knell_op op = op_add(KNELL_PROCESS, KNELL_OPF_PIDFD, token);

	op.process.pidfd = pidfd;
	return add_watch(fd, op);
}

static inline int64_t add_next(int fd, uint64_t token)
{
	return add_watch(fd, op_add(KNELL_PROCESS, KNELL_OPF_NEXT, token));
}

static inline int64_t add_self(int fd, uint64_t token)
{
	return add_watch(fd, op_add(KNELL_PROCESS, KNELL_OPF_SELF, token));
}

static inline int kill_watch(int fd, uint32_t watch, int sig)
{
	struct knell_op op = op_kill(watch, sig);

	return submit_op(fd, &op);
}

/* ADD by pid from a process that is a stranger to @pid; 0 or -errno. */
static inline int add_from_other(int fd, pid_t pid, uint64_t token)
{
	int64_t *err = shared(sizeof(*err));
	int answer[2], result;
	pid_t other;

	*err = -BROKEN;
	if (pipe(answer))
		return -errno;
	other = fork();
	if (!other) {
		*err = add_pid(fd, pid, token);
		tell(answer, '.');
		_exit(0);
	}
	close(answer[1]);
	hear(answer);	/* not wait(2), which autoreap defeats */
	close(answer[0]);
	if (other > 0)
		reap(other);
	result = *err < 0 ? (int)*err : 0;
	munmap(err, sizeof(*err));
	return result;
}

/* 0 or -errno */
static inline int enrol(struct target *t)
{
	int64_t watch;

	switch (t->how) {
	case BY_PID:
	case LATE_PID:
		watch = add_pid(t->queue, t->pid, t->token);
		break;
	case BY_PIDFD:
	case LATE_PIDFD:
		watch = add_pidfd(t->queue, t->pidfd, t->token);
		break;
	case BY_NEXT:
		watch = add_next(t->queue, t->token);
		break;
	case BY_SELF:
		watch = add_self(t->queue, t->token);
		break;
	case BY_OTHER:
		return add_from_other(t->queue, t->pid, t->token);
	default:
		return -EINVAL;
	}
	if (watch < 0)
		return watch;
	t->watch = watch;
	return 0;
}

static inline bool is_late(const struct target *t)
{
	return t->how == LATE_PID || t->how == LATE_PIDFD;
}

static inline void run_target(struct target *t)
{
	close(t->go[1]);
	close(t->said[0]);
	if (t->how == BY_SELF && enrol(t))
		_exit(BROKEN);
	tell(t->said, 'r');
	t->run(t);
	_exit(0);
}

static inline int open_pipes(struct target *t)
{
	return pipe(t->go) || pipe(t->said) ? -errno : 0;
}

/*
 * Starts the target and enrols it, if that is not to happen late; it is
 * running, and waits for @go, on return. 0 or -errno. A raw clone, since fork(3)
 * takes no exit signal.
 */
static inline int spawn(struct target *t)
{
	int err = t->go[1] ? 0 : open_pipes(t);
	pid_t pid;

	if (!err && t->how == BY_NEXT)
		err = enrol(t);
	if (err)
		return err;
	t->born[0] = clock_ns(CLOCK_MONOTONIC);
	if (t->exit_signal == SIGCHLD)
		pid = fork();
	else
		pid = syscall(SYS_clone, t->exit_signal, 0, 0, 0, 0);
	if (pid < 0)
		return -errno;
	if (!pid)
		run_target(t);
	t->pid = pid;	/* here alone: *t may be shared */
	close(t->go[0]);
	close(t->said[1]);
	t->born[1] = clock_ns(CLOCK_MONOTONIC);
	t->pidfd = pidfd_of(t->pid);
	if (t->pidfd < 0)
		return -errno;
	if (hear(t->said) != 'r')
		return -EPROTO;
	if (t->how == BY_NEXT || t->how == BY_SELF || is_late(t))
		return 0;
	return enrol(t);
}

static inline void forget(struct target *t)
{
	close(t->pidfd);
	close(t->go[1]);
	close(t->said[0]);
}

/* Ids and capabilities that a process takes on. */
struct who {
	uid_t ruid, euid, suid;
	uint64_t caps;	/* all others are given up; ~0 keeps what the ids leave */
};

static inline void become(const struct who *who)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = {
		{ .effective = who->caps, .permitted = who->caps },
		{ .effective = who->caps >> 32, .permitted = who->caps >> 32 },
	};

	if (prctl(PR_SET_KEEPCAPS, 1) || setgroups(0, NULL) ||
	    setresuid(who->ruid, who->euid, who->suid))
		_exit(BROKEN);
	if (~who->caps && syscall(SYS_capset, &header, data))
		_exit(BROKEN);
}

/* Runs @fn as @who in a child and returns what it returned, or -errno. */
static inline int as_who(const struct who *who, int (*fn)(void *arg), void *arg)
{
	int *result = shared(sizeof(*result)), ret;
	pid_t pid;

	*result = -BROKEN;
	pid = fork();
	if (!pid) {
		become(who);
		*result = fn(arg);
		_exit(0);
	}
	ret = pid < 0 ? -errno : reap(pid);
	if (!ret)
		ret = *result;
	munmap(result, sizeof(*result));
	return ret;
}

/* Root of a user namespace of its own, that user 1000 becomes: 0 or -errno. */
static inline int enter_user_ns(void)
{
	int err;

	/* capset(2) has made the process one that may not write its own maps. */
	prctl(PR_SET_DUMPABLE, 1);
	if (unshare(CLONE_NEWUSER))
		return -errno;
	err = write_file("/proc/self/setgroups", "deny");
	if (!err)
		err = write_file("/proc/self/uid_map", "0 1000 1");
	return err ? err : setresuid(0, 0, 0) ? -errno : 0;
}

static const struct who root_all = { 0, 0, 0, ~0ULL };
static const struct who user_1000 = { 1000, 1000, 1000, 0 };

/* 100 ms of CPU and 8 MiB; for a thread, if need be. */
static inline void *burn(void *arg)
{
	const clockid_t clock = CLOCK_PROCESS_CPUTIME_ID;
	const uint64_t until = clock_ns(clock) + 100 * NSEC_PER_MSEC;
	const size_t size = 8 << 20;
	char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)arg;
	if (memory == MAP_FAILED)
		_exit(BROKEN);
	/* Fails where there are no huge pages. */
	madvise(memory, size, MADV_NOHUGEPAGE);
	for (size_t i = 0; i < size; i += 4096)
		((volatile char *)memory)[i] = 1;
	while (clock_ns(clock) < until)
		getppid();
	return NULL;
}

/* 0, or -1 and errno. */
static inline int copy_file(const char *from, const char *to, mode_t mode)
{
	int in = open(from, O_RDONLY | O_CLOEXEC);
	int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0700);
	char buf[65536];
	ssize_t n = -1;

	while (in >= 0 && out >= 0 && (n = read(in, buf, sizeof(buf))) > 0)
		if (write(out, buf, n) != n)
			break;
	if (!n && fchmod(out, mode))
		n = -1;
	if (in >= 0)
		close(in);
	if (out >= 0)
		close(out);
	return n ? -1 : 0;
}

/* The module anew: 0 or -errno. */
static inline int reload_from(const char *ko, const char *options)
{
	return remove_module() ?: insert_from(ko, options);
}

static inline int reload_module(const char *options)
{
	return reload_from(module_file(), options);
}

/* How many hold the module, -1 if that can't be told. */
static inline long module_refs(void)
{
	FILE *f = fopen("/sys/module/knell/refcnt", "r");
	long refs = -1;

	if (f && fscanf(f, "%ld", &refs) != 1)
		refs = -1;
	if (f)
		fclose(f);
	return refs;
}

/* The last of a tree is seen to be dead before its reference is put; what the refs are after all. */
static inline long module_refs_after_all(long expected)
{
	uint64_t until = clock_ns(CLOCK_MONOTONIC) + 20 * SLOW * NSEC_PER_SEC;

	while (module_refs() != expected && clock_ns(CLOCK_MONOTONIC) < until)
		sched_yield();
	return module_refs();
}

#endif /* _PROCESS_TEST_H */
