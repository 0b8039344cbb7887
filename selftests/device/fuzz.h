/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The device's fuzzer: what a step is, how a program of steps is made and changed, and how it is run.
 * Included by fuzz_test.c.
 *
 * A step is numbers; whichever they are they mean something, so that a program can be changed in any
 * way. It is run by a process that is the first of a new pid namespace: with its end all is gone that
 * it has begun.
 */
#ifndef _FUZZ_H
#define _FUZZ_H

#include <linux/io_uring.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/wait.h>

#include "knell_test.h"

#define MAX_STEPS	48
#define QUEUES		4
#define FDS		6
#define CHILDREN	8
#define HANDLES		16
#define OPS		3	/* at most in one SUBMIT */

enum step_kind {
	OPEN, CLOSE, DUP, SUBMIT, SUBMIT_MORE, SUBMIT_STILL_MORE, READ, LIST, KEEP, ATTACH, INFO, FDINFO,
	SPAWN, SPAWN_MORE, KILL, WAIT, TRACE, MAKE_FD, POKE_FD, POLL, RING, PASS, ELSEWHERE, NAP,
	NR_KINDS,
};

struct step {
	uint8_t kind, what, who, many;
	uint32_t a, b;
	uint64_t c;
};

struct program {
	unsigned int nr;
	struct step step[MAX_STEPS];
};

/* ---- chance ---- */

static uint64_t chance;

static uint64_t next_chance(void)
{
	chance += 0x9e3779b97f4a7c15ULL;
	uint64_t z = chance;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

static uint64_t below(uint64_t limit)
{
	return next_chance() % limit;
}

static struct step any_step(void)
{
	return (struct step){ below(NR_KINDS), next_chance(), next_chance(), next_chance(), next_chance(),
			      next_chance(), next_chance() };
}

static void any_program(struct program *p)
{
	p->nr = 4 + below(MAX_STEPS - 4);
	for (unsigned int i = 0; i < p->nr; i++)
		p->step[i] = any_step();
}

static void change_step(struct step *s)
{
	switch (below(7)) {
	case 0: s->kind = below(NR_KINDS); break;
	case 1: s->what = next_chance(); break;
	case 2: s->who = next_chance(); break;
	case 3: s->many = next_chance(); break;
	case 4: s->a ^= 1U << below(32); break;
	case 5: s->b = next_chance(); break;
	default: s->c = next_chance(); break;
	}
}

/* @p becomes another: a step changed, put in, left out or twice, or the rest is of @other. */
static void change_program(struct program *p, const struct program *other)
{
	unsigned int at = below(p->nr), from = below(other->nr), nr;

	switch (below(6)) {
	case 0:
		if (p->nr < 2)
			break;
		memmove(&p->step[at], &p->step[at + 1], (--p->nr - at) * sizeof(p->step[0]));
		break;
	case 1:
	case 2:
		if (p->nr == MAX_STEPS)
			p->nr--;
		at = below(p->nr + 1);
		memmove(&p->step[at + 1], &p->step[at], (p->nr++ - at) * sizeof(p->step[0]));
		p->step[at] = below(3) ? any_step() : p->step[below(p->nr)];
		break;
	case 3:
		nr = other->nr - from;
		if (nr > MAX_STEPS - at)
			nr = MAX_STEPS - at;
		memcpy(&p->step[at], &other->step[from], nr * sizeof(p->step[0]));
		p->nr = at + nr;
		break;
	default:
		change_step(&p->step[at]);
	}
}

/* ---- what a program has ---- */

static struct {
	int queue[QUEUES];
	int fd[FDS];
	pid_t child[CHILDREN];
	int pidfd[CHILDREN];
	uint32_t handle[HANDLES];
	unsigned int next_handle;
	unsigned int depth;
} has;

static void run_step(const struct step *s);

static int *queue_of(unsigned int who)
{
	return &has.queue[who % QUEUES];
}

static void put_fd(int *place, int fd)
{
	if (fd < 0)
		return;
	if (*place >= 0)
		close(*place);
	*place = fd;
}

static void drop_fd(int *place)
{
	if (*place >= 0)
		close(*place);
	*place = -1;
}

static uint32_t handle_of(uint32_t a)
{
	if (a % 16 == 15)
		return KNELL_LAST;
	return a % 16 == 14 ? a : has.handle[(a >> 8) % HANDLES];
}

static uint64_t time_of(uint64_t c)
{
	static const uint64_t times[] = { 0, 1, 1000, 100000, 1000000, 50000000, NSEC_PER_SEC, ~0ULL };

	return c % 9 < 8 ? times[c % 9] : c >> (c % 61);
}

/* Bits that are there, mostly those that go with the type. */
static uint32_t flags_of(unsigned int type, uint32_t b)
{
	static const uint32_t fitting[] = {
		[KNELL_PROCESS] = KNELL_OPF_NEXT | KNELL_OPF_SELF | KNELL_OPF_PIDFD | KNELL_OPF_ACK,
		[KNELL_TIMER] = KNELL_OPF_ABS | KNELL_OPF_ONESHOT | KNELL_OPF_ACK | KNELL_OPF_WAKEUP,
		[KNELL_USER] = KNELL_OPF_ONESHOT,
		[KNELL_FD] = KNELL_OPF_ONESHOT | KNELL_OPF_EDGE,
		[KNELL_TREE] = KNELL_OPF_ACK | KNELL_OPF_REPORT_FORK | KNELL_OPF_REPORT_EXIT |
			KNELL_OPF_KILL_ON_CLOSE,
		[KNELL_CHILDREN] = KNELL_OPF_ONESHOT,
	};

	if (b % 32 == 31)
		return b >> 5;
	return b >> 8 & b >> 19 & (type <= KNELL_CHILDREN ? fitting[type] : 0xfff);
}

/* ---- ops ---- */

static void add_op(struct knell_op *op, const struct step *s)
{
	op->type = s->what % 32 == 31 ? s->what : 1 + s->what % KNELL_CHILDREN;
	op->flags = flags_of(op->type, s->b);
	op->token = s->c;
	switch (op->type) {
	case KNELL_PROCESS:
		if (op->flags & KNELL_OPF_PIDFD)
			op->process.pidfd = has.pidfd[s->a % CHILDREN];
		else if (!(op->flags & (KNELL_OPF_NEXT | KNELL_OPF_SELF)))
			op->process.pid = s->a % 8 == 7 ? (int)(s->a >> 8) % 64 : has.child[s->a % CHILDREN];
		break;
	case KNELL_TIMER:
		op->timer.clockid = s->a % 4 == 3 ? s->a % 13 :
			(uint32_t)"\0\1\7"[s->a % 3];
		op->timer.expires_ns = time_of(s->c);
		if (op->flags & KNELL_OPF_ABS && s->a & 16)
			op->timer.expires_ns += clock_ns(op->timer.clockid);
		op->timer.interval_ns = s->a & 32 ? time_of(s->c >> 8) : 0;
		op->timer.slack_ns = s->a & 64 ? time_of(s->c >> 16) : 0;
		break;
	case KNELL_FD:
		op->fd.fd = s->a % 4 ? has.fd[(s->a >> 4) % FDS] : *queue_of(s->a >> 4);
		op->fd.events = s->a & 256 ? (uint32_t)(s->a >> 9) : EPOLLIN;
		break;
	case KNELL_TREE:
		snprintf(op->tree.label, sizeof(op->tree.label), "%x", s->a % 16);
		op->tree.label[s->a % 61 == 1 ? 63 : 62] = s->a % 61 < 3;
		break;
	default:
		op->raw[s->a % 13] = s->a % 19 ? 0 : s->c;
	}
}

static void make_op(struct knell_op *op, const struct step *s)
{
	memset(op, 0, sizeof(*op));
	op->op = s->many % 3 ? KNELL_OP_ADD : s->many / 3 % 7 + (s->many == 255);
	if (op->op == KNELL_OP_ADD) {
		add_op(op, s);
		return;
	}
	op->watch = handle_of(s->a);
	if (op->op == KNELL_OP_MOD) {
		add_op(op, s);
		op->flags &= KNELL_OPF_ABS | KNELL_OPF_ONESHOT | KNELL_OPF_EDGE | (s->b % 32 == 30 ? ~0U : 0);
		op->type = s->b & 64 ? 0 : op->type;
	} else if (op->op == KNELL_OP_TRIGGER) {
		op->user.value = s->c;
	} else if (op->op == KNELL_OP_JOIN) {
		op->flags = s->b & 1 ? KNELL_OPF_NEXT : 0;
	} else if (op->op == KNELL_OP_KILL) {
		op->kill.sig = s->b % 3 ? "\0\x9\xf\x13\x12\x41"[s->b % 6] : (int)(s->c % 80);
	}
	if (s->b % 64 == 63)
		op->raw[s->c % 13] = s->c;
}

static void submit(const struct step *s)
{
	struct knell_event events[4];
	struct knell_op ops[OPS];
	struct knell_submit arg = {
		.ops = (uintptr_t)ops,
		.nr_ops = 1 + s->who / 16 % OPS,
		.events = (uintptr_t)events,
		.nr_events = s->many & 64 ? s->many % 5 : 0,
		.flags = s->many & 128 ? s->b >> 30 : 0,
	};

	for (unsigned int i = 0; i < arg.nr_ops; i++) {
		struct step other = *s;

		other.a += i * 0x101;
		other.what += i * 7;
		other.many += i * 2;
		make_op(&ops[i], &other);
	}
	if (arg.nr_events && s->b & 1024)
		arg.deadline_ns = clock_ns(CLOCK_MONOTONIC) + s->c % 300000;
	if (s->c % 97 == 0)
		arg.ops = s->c % 2 ? 8 : (uintptr_t)&ops[1] + 1;
	if (s->c % 89 == 0)
		arg.events = 8;
	if (s->c % 101 == 0)
		arg.nr_ops = s->a;
	ioctl(*queue_of(s->who), KNELL_IOC_SUBMIT, &arg);
	for (unsigned int i = 0; i < OPS && i < arg.nr_ops; i++)
		if (ops[i].op == KNELL_OP_ADD && ops[i].watch)
			has.handle[has.next_handle++ % HANDLES] = ops[i].watch;
}

static void name_queue(const struct step *s)
{
	struct knell_name name = { .flags = s->kind == KEEP && s->a % 4 == 3 ? KNELL_KEEP_OFF : 0 };

	snprintf(name.name, sizeof(name.name), "fuzz%u", s->a / 4 % 3);
	if (s->b % 16 == 15)
		((char *)&name)[s->b / 16 % sizeof(name)] ^= s->c;
	if (s->kind == KEEP)
		ioctl(*queue_of(s->who), KNELL_IOC_KEEP, &name);
	else
		put_fd(queue_of(s->what), ioctl(*queue_of(s->who), KNELL_IOC_ATTACH, &name));
}

static void list(const struct step *s)
{
	struct knell_watch_info infos[64];
	struct knell_list arg = {
		.watches = s->c % 61 ? (uintptr_t)infos : 8,
		.nr = s->a % 4 ? 64 : s->a / 4 % 8,
		.after = s->b % 4 ? 0 : handle_of(s->b),
		.pad = s->c % 67 == 0,
	};

	ioctl(*queue_of(s->who), KNELL_IOC_LIST, &arg);
}

static void read_events(const struct step *s)
{
	static struct knell_event events[70];
	size_t size = s->a % 16 == 15 ? s->b % 300 : s->a % 70 * sizeof(events[0]);

	if (read(*queue_of(s->who), s->c % 61 ? (void *)events : (void *)8, size) < 0)
		return;
}

static void read_fdinfo(const struct step *s)
{
	char path[64], text[4096];
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", *queue_of(s->who));
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0 && read(fd, text, sizeof(text)) >= 0)
		close(fd);
}

/* ---- processes ---- */

static void *thread_main(void *step)
{
	if (step)
		run_step(step);
	else
		pause();
	return NULL;
}

/* The leader goes first. */
static void __attribute__((noreturn)) leave_thread(void)
{
	pthread_t thread;

	pthread_create(&thread, NULL, thread_main, NULL);
	syscall(SYS_exit, 0);
	_exit(0);
}

static void __attribute__((noreturn)) child_main(const struct step *s)
{
	struct step own = { SUBMIT, s->b, s->who, 3 * KNELL_OP_JOIN, s->a, s->b, s->c };

	if (s->b & 1)
		run_step(&own);
	if (s->b & 2)
		prctl(PR_SET_CHILD_SUBREAPER, s->b & 4);
	switch (s->what % 10) {
	case 0:
		_exit(s->a);
	case 1:
		if (!fork())
			pause();
		_exit(s->a);
	case 2:
		for (int i = 0; i < 4 && !fork(); i++)
			;
		break;
	case 3:
		execl("/bin/busybox", "sleep", "1000", NULL);
		break;
	case 4:
		leave_thread();
	case 5:
		unshare(s->a & 1 ? CLONE_NEWUSER | CLONE_NEWPID : CLONE_NEWPID);
		if (!fork())
			pause();
		break;
	case 6:
		kill(getpid(), s->a % 3 ? SIGKILL : SIGSEGV);
		break;
	case 7:
		signal(SIGCHLD, SIG_IGN);
		if (!fork())
			_exit(1);
		break;
	case 8:
		if (!vfork())
			_exit(2);
		break;
	}
	pause();
	_exit(0);
}

static void spawn_child(const struct step *s)
{
	unsigned int place = s->many % CHILDREN;
	pid_t pid;

	if (s->a % 16 == 9)
		pid = syscall(SYS_clone, (s->a & 256 ? CLONE_PARENT : 0) | (s->a & 512 ? 0 : SIGCHLD), 0, 0, 0, 0);
	else
		pid = fork();
	if (!pid)
		child_main(s);
	if (pid < 0)
		return;
	has.child[place] = pid;
	put_fd(&has.pidfd[place], syscall(SYS_pidfd_open, pid, 0));
}

static void trace(const struct step *s)
{
	pid_t pid = has.child[s->who % CHILDREN];

	switch (s->what % 4) {
	case 0: ptrace(PTRACE_SEIZE, pid, 0, 0); break;
	case 1: ptrace(PTRACE_ATTACH, pid, 0, 0); break;
	case 2: ptrace(PTRACE_DETACH, pid, 0, 0); break;
	default: ptrace(PTRACE_CONT, pid, 0, s->a % 32); break;
	}
}

static void wait_for(const struct step *s)
{
	siginfo_t info;

	if (s->what % 4)
		waitid(P_ALL, 0, &info, WEXITED | WNOHANG | (s->what & 8 ? WNOWAIT : 0) | __WALL);
	else
		waitid(P_PIDFD, has.pidfd[s->who % CHILDREN], &info, WEXITED | WNOHANG);
}

/* The next step is somebody else's: another user, another namespace, or another thread. */
static void elsewhere(const struct step *s)
{
	struct step own = { s->a % NR_KINDS, s->many, s->who, s->b, s->c, s->b, s->c };
	pthread_t thread;
	pid_t pid;

	if (has.depth++)
		return;
	if (s->what % 4 == 0 && !pthread_create(&thread, NULL, thread_main, &own)) {
		pthread_join(thread, NULL);
	} else {
		pid = fork();
		if (!pid) {
			if (s->what % 4 == 1 && (setgid(1000) || setuid(1000)))
				_exit(1);
			if (s->what % 4 == 2)
				unshare(s->what & 8 ? CLONE_NEWUSER : 0x00000080 /* CLONE_NEWTIME */);
			run_step(&own);
			_exit(0);
		}
		waitpid(pid, NULL, 0);
	}
	has.depth--;
}

/* ---- descriptors ---- */

static void make_fd(const struct step *s)
{
	int *place = &has.fd[s->who % FDS], *other = &has.fd[(s->who + 1) % FDS], pair[2] = { -1, -1 };
	struct epoll_event ev = { .events = EPOLLIN };

	switch (s->what % 7) {
	case 0:
		pair[0] = eventfd(s->a & 1, EFD_NONBLOCK | (s->a & 2 ? EFD_SEMAPHORE : 0));
		break;
	case 1:
		if (pipe2(pair, O_NONBLOCK))
			return;
		break;
	case 2:
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair))
			return;
		break;
	case 3:
		pair[0] = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
		break;
	case 4:
		pair[0] = epoll_create1(0);
		epoll_ctl(pair[0], EPOLL_CTL_ADD, s->a & 1 ? *queue_of(s->many) : *other, &ev);
		break;
	case 5:
		pair[0] = open(s->a & 1 ? "/dev/null" : s->a & 2 ? "/proc/self/mounts" : "/dev/tty", O_RDONLY);
		break;
	default:
		pair[0] = open("/", O_RDONLY | (s->a & 1 ? O_PATH : O_DIRECTORY));
	}
	put_fd(place, pair[0]);
	put_fd(other, pair[1]);
}

static void poke_fd(const struct step *s)
{
	int *fd = &has.fd[s->who % FDS];
	uint64_t one[64] = { s->a % 8 };
	ssize_t n = 0;

	switch (s->what % 8) {
	case 0:
		drop_fd(fd);
		break;
	case 1:
	case 2:
		n = read(*fd, one, 8);
		break;
	case 3:
		shutdown(*fd, SHUT_WR);
		break;
	default:
		n = write(*fd, one, s->what & 8 ? 8 : sizeof(one));
	}
	(void)n;
}

/* A small ring polls a queue and tells an eventfd of it, which a queue may watch. */
static void ring(const struct step *s)
{
	struct io_uring_params p = { 0 };
	int fd = syscall(SYS_io_uring_setup, 4, &p), event = has.fd[s->b % FDS];
	unsigned int *tail, *array;
	struct io_uring_sqe *sqe;
	char *sq;

	if (fd < 0)
		return;
	sq = mmap(NULL, p.sq_off.array + 4 * p.sq_entries, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	sqe = mmap(NULL, 4 * sizeof(*sqe), PROT_READ | PROT_WRITE, MAP_SHARED, fd, IORING_OFF_SQES);
	if (sq == MAP_FAILED || sqe == MAP_FAILED)
		_exit(3);
	syscall(SYS_io_uring_register, fd, IORING_REGISTER_EVENTFD, &event, 1);
	tail = (void *)(sq + p.sq_off.tail);
	array = (void *)(sq + p.sq_off.array);
	*sqe = (struct io_uring_sqe){
		.opcode = IORING_OP_POLL_ADD,
		.fd = s->a & 1 ? *queue_of(s->who) : has.fd[s->who % FDS],
		.poll32_events = POLLIN,
		.len = s->a & 2 ? IORING_POLL_ADD_MULTI : 0,
	};
	array[0] = 0;
	__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
	syscall(SYS_io_uring_enter, fd, 1, 0, 0, NULL, 0);
	put_fd(&has.fd[s->many % FDS], fd);
}

/* A queue goes through a socket and comes back as another descriptor, in another place. */
static void pass(const struct step *s)
{
	char room[CMSG_SPACE(sizeof(int))] = { 0 }, byte = 0;
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = room,
			      .msg_controllen = sizeof(room) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, pair))
		return;
	*c = (struct cmsghdr){ CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS };
	memcpy(CMSG_DATA(c), queue_of(s->who), sizeof(int));
	if (sendmsg(pair[0], &msg, 0) == 1 && s->a % 4 && recvmsg(pair[1], &msg, 0) == 1)
		put_fd(queue_of(s->what), *(int *)CMSG_DATA(c));
	close(pair[0]);
	close(pair[1]);
}

static void run_step(const struct step *s)
{
	struct pollfd pfd = { *queue_of(s->who), POLLIN, 0 };
	struct knell_info info;

	switch (s->kind % NR_KINDS) {
	case OPEN: put_fd(queue_of(s->who), knell_open(O_NONBLOCK)); break;
	case CLOSE: drop_fd(queue_of(s->who)); break;
	case DUP: put_fd(queue_of(s->what), dup(*queue_of(s->who))); break;
	case SUBMIT:
	case SUBMIT_MORE:
	case SUBMIT_STILL_MORE: submit(s); break;
	case READ: read_events(s); break;
	case LIST: list(s); break;
	case KEEP:
	case ATTACH: name_queue(s); break;
	case INFO: ioctl(*queue_of(s->who), s->a % 8 ? KNELL_IOC_INFO : s->b, &info); break;
	case FDINFO: read_fdinfo(s); break;
	case SPAWN:
	case SPAWN_MORE: spawn_child(s); break;
	case KILL:
		if (has.child[s->who % CHILDREN] > 1)
			kill(has.child[s->who % CHILDREN], "\x9\xf\x13\x12"[s->what % 4]);
		break;
	case WAIT: wait_for(s); break;
	case TRACE: trace(s); break;
	case MAKE_FD: make_fd(s); break;
	case POKE_FD: poke_fd(s); break;
	case POLL: poll(&pfd, 1, 0); break;
	case RING: ring(s); break;
	case PASS: pass(s); break;
	case ELSEWHERE: elsewhere(s); break;
	default: sched_yield();
	}
}

static void interrupt(int sig)
{
	(void)sig;
}

/* The first process of a pid namespace. Whatever it waits for, it does so for a moment. */
static void __attribute__((noreturn)) run_program(const struct program *p)
{
	struct itimerval moment = { { 0, 20000 }, { 0, 20000 } };
	struct sigaction action = { .sa_handler = interrupt };

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &moment, NULL);
	for (int i = 0; i < QUEUES; i++)
		has.queue[i] = i ? -1 : knell_open(O_NONBLOCK);
	for (int i = 0; i < FDS; i++)
		has.fd[i] = -1;
	for (int i = 0; i < CHILDREN; i++)
		has.pidfd[i] = -1;
	for (unsigned int i = 0; i < p->nr; i++)
		run_step(&p->step[i]);
	_exit(0);
}

#endif /* _FUZZ_H */
