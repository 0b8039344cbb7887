/* SPDX-License-Identifier: GPL-2.0-only */
/* What the selftests of TREE watches share: trees, members, what they are to report. */
#ifndef _TREE_TEST_H
#define _TREE_TEST_H

#include <linux/sched.h>
#include <spawn.h>
#include <stdatomic.h>
#include <sys/eventfd.h>

#include "process_test.h"

/* Reports of a tree that can wait unread. */
#define RESERVE		256

/* For a pid that a case does not know. */
#define ANY		(-1)

#define EXITED(code)	((code) << 8)

static inline struct knell_op op_tree(uint32_t flags, uint64_t token, const char *label)
{
	struct knell_op op = op_add(KNELL_TREE, flags, token);

	for (size_t i = 0; i < sizeof(op.tree.label) && label[i]; i++)
		op.tree.label[i] = label[i];
	return op;
}

static inline struct knell_op op_join(uint32_t watch, uint32_t flags)
{
	return (struct knell_op){ .op = KNELL_OP_JOIN, .watch = watch, .flags = flags };
}

static inline int64_t add_tree(int fd, uint32_t flags, uint64_t token)
{
	return add_watch(fd, op_tree(flags, token, "test"));
}

static inline int join(int fd, uint32_t watch)
{
	struct knell_op op = op_join(watch, 0);

	return submit_op(fd, &op);
}

static inline int join_next(int fd, uint32_t watch)
{
	struct knell_op op = op_join(watch, KNELL_OPF_NEXT);

	return submit_op(fd, &op);
}

static inline uint64_t tree_members(int fd, uint32_t watch)
{
	return watch_info(fd, watch).value;
}

/*
 * A gate lets one pass for each it was opened for; unlike a pipe's end it does
 * not matter who inherits it.
 */
static inline int new_gate(void)
{
	return eventfd(0, EFD_SEMAPHORE);
}

static inline void open_gate(int gate, uint64_t nr)
{
	if (write(gate, &nr, sizeof(nr)) != sizeof(nr))
		_exit(BROKEN);
}

static inline void pass_gate(int gate)
{
	uint64_t one;

	while (read(gate, &one, sizeof(one)) != sizeof(one))
		if (errno != EINTR)
			_exit(BROKEN);
}

/*
 * A fork that is the system call alone: whoever returns 0 has executed nothing
 * since it was born.
 */
static inline __attribute__((always_inline)) long bare_clone(unsigned long flags)
{
#ifdef __x86_64__
	register unsigned long tls asm("r8") = 0;
	register unsigned long ctid asm("r10") = 0;
	long ret;

	asm volatile("syscall"
		     : "=a" (ret)
		     : "a" (SYS_clone), "D" (flags), "S" (0), "d" (0), "r" (ctid), "r" (tls)
		     : "rcx", "r11", "memory");
	return ret;
#else
	long ret = syscall(SYS_clone, flags, 0, 0, 0, 0);

	return ret < 0 ? -errno : ret;
#endif
}

static inline long bare_fork(void)
{
	return bare_clone(SIGCHLD);
}

typedef void (*member_fn)(void *arg);

/* A new process that runs @fn; when it returns it exits with 0. */
static inline pid_t spawn_process(member_fn fn, void *arg)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	fn(arg);
	_exit(0);
}

/* The same, enrolled in @tree before it runs; its pid, or -errno. */
static inline pid_t spawn_member(int fd, uint32_t tree, member_fn fn, void *arg)
{
	int err = join_next(fd, tree);
	pid_t pid;

	if (err)
		return err;
	pid = spawn_process(fn, arg);
	return pid < 0 ? -errno : pid;
}

/* Members of a simple life. */
static inline void wait_at_gate(void *arg)
{
	pass_gate(*(int *)arg);
}

static inline void sleep_for_ever(void *arg)
{
	(void)arg;
	for (;;)
		pause();
}

static inline void say_and_sleep(void *arg)
{
	open_gate(*(int *)arg, 1);
	sleep_for_ever(NULL);
}

/* One that sleeps, and is a member by now: before it first runs it is none to be killed. */
static inline pid_t spawn_sleeper(int fd, uint32_t tree)
{
	int inside = new_gate();
	pid_t pid = spawn_member(fd, tree, say_and_sleep, &inside);

	if (pid > 0)
		pass_gate(inside);
	close(inside);
	return pid;
}

static inline void exit_with(void *arg)
{
	_exit(*(int *)arg);
}

/*
 * A lifeline tells whether anybody lives of those who inherited its end: the
 * other end hears a hangup when all are dead, and not before.
 */
struct lifeline {
	int fd[2];
};

static inline int new_lifeline(struct lifeline *l)
{
	return pipe(l->fd) ? -errno : 0;
}

/* To be called by whoever does not count himself, once all are born who do. */
static inline void drop_lifeline(struct lifeline *l)
{
	close(l->fd[1]);
}

static inline bool all_dead(const struct lifeline *l)
{
	struct pollfd pfd = { .fd = l->fd[0] };

	return poll(&pfd, 1, 0) == 1 && pfd.revents & POLLHUP;
}

/* Waits for that; false if it takes too long. */
static inline bool await_all_dead(const struct lifeline *l)
{
	struct pollfd pfd = { .fd = l->fd[0] };

	return poll(&pfd, 1, PATIENCE / NSEC_PER_MSEC) == 1 && pfd.revents & POLLHUP;
}

/* The next byte, 0 if it does not come: whoever was to say it may be dead, and the end be ours. */
static inline char hear_soon(const int *pipe_fds)
{
	struct pollfd pfd = { .fd = pipe_fds[0], .events = POLLIN };

	return poll(&pfd, 1, PATIENCE / NSEC_PER_MSEC) == 1 ? hear(pipe_fds) : 0;
}

/* What a record is held to: says where it differs, and goes on. */
#define SO(cond)								\
	((cond) ? true :							\
	 (fprintf(stderr, "# %s:%d: not so: %s\n", __FILE__, __LINE__, #cond), false))

static inline void print_event(const struct knell_event *ev)
{
	fprintf(stderr, "# type %u watch %u flags %x seq %llu: ", ev->type, ev->watch, ev->flags,
		ev->seq);
	if (ev->type == KNELL_EV_EXIT)
		fprintf(stderr, "pid %d status %x members %u killer %d\n", ev->exit.pid,
			ev->exit.status, ev->exit.members, ev->exit.killer_pid);
	else
		fprintf(stderr, "pid %d ppid %d members %u lost %u\n", ev->tree.pid,
			ev->tree.ppid, ev->tree.members, ev->tree.lost);
}

/* Are the words of a record's union from @from on zero? */
static inline bool rest_is_zero(const struct knell_event *ev, unsigned int from)
{
	for (unsigned int i = from; i < 12; i++)
		if (ev->raw[i])
			return false;
	return true;
}

static inline bool same_pid(pid_t expected, pid_t seen)
{
	return expected == ANY ? seen > 0 : seen == expected;
}

static inline bool is_fork(const struct knell_event *ev, uint32_t tree, pid_t pid, pid_t ppid,
			   unsigned int members)
{
	bool ok = SO(ev->type == KNELL_EV_FORK) && SO(ev->watch == tree) && SO(ev->flags == 0) &&
		SO(same_pid(pid, ev->tree.pid)) && SO(same_pid(ppid, ev->tree.ppid)) &&
		SO(ev->tree.members == members) && SO(ev->tree.lost == 0) &&
		SO(rest_is_zero(ev, 2));

	if (!ok)
		print_event(ev);
	return ok;
}

static inline bool is_exit(const struct knell_event *ev, uint32_t tree, pid_t pid, int status,
			   unsigned int members, unsigned int flags)
{
	bool ok = SO(ev->type == KNELL_EV_EXIT) && SO(ev->watch == tree) &&
		SO(ev->flags == flags) && SO(same_pid(pid, ev->exit.pid)) &&
		SO(ev->exit.status == status) && SO(ev->exit.members == members) &&
		SO(!ev->exit.reserved[0] && !ev->exit.reserved[1]);

	if (!ok)
		print_event(ev);
	return ok;
}

static inline bool is_empty(const struct knell_event *ev, uint32_t tree, pid_t main_pid)
{
	bool ok = SO(ev->type == KNELL_EV_EMPTY) && SO(ev->watch == tree) && SO(ev->flags == 0) &&
		SO(same_pid(main_pid, ev->tree.pid)) && SO(ev->tree.ppid == 0) &&
		SO(ev->tree.members == 0) && SO(ev->tree.lost == 0) && SO(rest_is_zero(ev, 2));

	if (!ok)
		print_event(ev);
	return ok;
}

static inline bool next_is_fork(int fd, uint32_t tree, pid_t pid, pid_t ppid, unsigned int members)
{
	struct knell_event ev;

	return SO(next_event(fd, &ev) == 1) && is_fork(&ev, tree, pid, ppid, members);
}

static inline bool next_is_exit(int fd, uint32_t tree, pid_t pid, int status, unsigned int members)
{
	struct knell_event ev;

	return SO(next_event(fd, &ev) == 1) && is_exit(&ev, tree, pid, status, members, 0);
}

static inline bool next_is_main(int fd, uint32_t tree, pid_t pid, int status, unsigned int members)
{
	struct knell_event ev;

	return SO(next_event(fd, &ev) == 1) &&
		is_exit(&ev, tree, pid, status, members, KNELL_EVF_MAIN);
}

/* The main process has been killed, by whomever. */
static inline bool next_is_killed(int fd, uint32_t tree, pid_t pid, int sig, unsigned int members)
{
	struct knell_event ev;

	return SO(next_event(fd, &ev) == 1) &&
		is_exit(&ev, tree, pid, sig, members, KNELL_EVF_MAIN | KNELL_EVF_KILLER);
}

static inline bool next_is_empty(int fd, uint32_t tree, pid_t main_pid)
{
	struct knell_event ev;

	return SO(next_event(fd, &ev) == 1) && is_empty(&ev, tree, main_pid);
}

/**
 * struct tally - what a tree has reported
 * @forks: FORK records
 * @exits: EXIT records of others than the main process
 * @mains: EXIT records of the main process
 * @empties: EMPTY records
 * @losts: LOST records
 * @lost: reports that these, and EMPTY, say are missing
 * @bad: records that cannot be: INEXACT, after EMPTY, out of order, of no known type
 * @seq: of the latest record
 * @main: the latest EXIT of the main process
 * @empty: the latest EMPTY
 */
struct tally {
	unsigned int forks;
	unsigned int exits;
	unsigned int mains;
	unsigned int empties;
	unsigned int losts;
	unsigned int lost;
	unsigned int bad;
	uint64_t seq;
	struct knell_event main;
	struct knell_event empty;
};

static inline void count_event(struct tally *t, const struct knell_event *ev)
{
	bool ok = SO(!(ev->flags & KNELL_EVF_INEXACT)) && SO(!t->empties) && SO(ev->seq > t->seq);

	t->seq = ev->seq;
	switch (ev->type) {
	case KNELL_EV_FORK:
		t->forks++;
		break;
	case KNELL_EV_LOST:
		t->losts++;
		t->lost += ev->tree.lost;
		ok &= SO(ev->tree.lost > 0);
		break;
	case KNELL_EV_EMPTY:
		t->empties++;
		t->empty = *ev;
		t->lost += ev->tree.lost;
		ok &= SO(ev->tree.members == 0);
		break;
	case KNELL_EV_EXIT:
		if (ev->flags & KNELL_EVF_MAIN) {
			t->mains++;
			t->main = *ev;
		} else {
			t->exits++;
		}
		break;
	default:
		ok = false;
	}
	if (ok)
		return;
	t->bad++;
	print_event(ev);
}

/* Takes all that is pending; how many, or -errno. */
static inline int count_pending(int fd, struct tally *t)
{
	struct knell_event ev[64];
	int total = 0, n;

	while ((n = wait_events(fd, ev, 64, 0)) > 0) {
		for (int i = 0; i < n; i++)
			count_event(t, &ev[i]);
		total += n;
	}
	return n < 0 ? n : total;
}

/* Takes records until EMPTY, of a queue with one tree; false if it does not come. */
static inline bool count_until_empty(int fd, struct tally *t)
{
	struct knell_event ev[64];

	while (!t->empties) {
		int n = wait_events(fd, ev, 64, clock_ns(CLOCK_MONOTONIC) + PATIENCE);

		if (!SO(n > 0))
			return false;
		for (int i = 0; i < n; i++)
			count_event(t, &ev[i]);
	}
	return true;
}

/* One main process, one EMPTY, no more to come, nothing odd. */
static inline bool tally_is_sound(int fd, const struct tally *t)
{
	return SO(!t->bad) && SO(t->mains == 1) && SO(t->empties == 1) &&
		SO(t->empty.seq > t->main.seq) && SO(t->empty.tree.pid == t->main.exit.pid) &&
		SO(nothing_pending(fd));
}

/* Executes this program again: as what, its function exec_main() is told. */
#define EXEC_AS		"KNELL_TEST_AS"

static inline void exec_path_as(const char *path, const char *what)
{
	char *argv[] = { "again", NULL }, *envp[] = { NULL, NULL }, as[128];

	snprintf(as, sizeof(as), EXEC_AS "=%s", what);
	envp[0] = as;
	execve(path, argv, envp);
	_exit(BROKEN);
}

static inline void exec_as(const char *what)
{
	/* The leader may be gone, and its files with it. */
	exec_path_as("/proc/thread-self/exe", what);
}

/* Waits for all children there are and will be. */
static inline void reap_all(void)
{
	while (waitpid(-1, NULL, __WALL) > 0 || errno == EINTR)
		;
}

#endif /* _TREE_TEST_H */
