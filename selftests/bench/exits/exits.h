/* SPDX-License-Identifier: GPL-2.0-only */
/* What the parts of the program exits share; exits.c tells what it measures, each way has a file. */
#ifndef _BENCH_EXITS_H
#define _BENCH_EXITS_H

#include "../bench.h"

#define BATCH		64		/* events per read, where a read takes several */
#define MAX_CHILDREN	2000

struct child {
	int pid;
	int pidfd;
	int status;		/* what it will be, a wait(2) status word */
	int seen;		/* what the manager was told */
	unsigned int times;	/* how often it was told */
};

struct way {
	const char *name;
	bool nocldwait;
	/* Of the file that has the way: system calls by its sys(). */
	const uint64_t *calls;
	/* Why this kernel has it not; NULL: it has. */
	const char *(*missing)(void);
	void (*enrol)(unsigned int n);
	/* Returns once it has heard of @n exits. */
	void (*consume)(unsigned int n);
	void (*finish)(void);
};

extern const struct way baseline, knell, knell_waitid, pidfd_epoll, pidfd_info, signalfd_waitid,
	io_uring_waitid, proc_connector;

extern struct child *children;
extern unsigned int *child_of_pid;
extern unsigned int pid_max;
extern int last_one[2];		/* whose write end every child has */
extern int queue_fd;		/* of whichever kind */
extern uint64_t nr_reads;

static inline void heard(unsigned int i, int status)
{
	children[i].seen = status;
	children[i].times++;
}

static inline int status_word(const siginfo_t *si)
{
	if (si->si_code == CLD_EXITED)
		return (si->si_status & 0xff) << 8;
	return si->si_status | (si->si_code == CLD_DUMPED ? 0x80 : 0);
}

static inline void queue_close(void)
{
	must("close", sys(SYS_close, queue_fd, 0, 0, 0, 0));
	queue_fd = -1;
}

/* exits.c */
void make_children(const struct way *way, unsigned int n);
void release_all(void);
void close_pipes(void);
/* Every child was heard of once, with its status, and none is left. */
void verify(const struct way *way, unsigned int n);

/* knell.c */
void knell_prepare(void);
void knell_add_all(unsigned int n, unsigned int batch);
/* Hears of @n exits, up to @room in a read. */
void knell_take(unsigned int n, unsigned int room);
/* Of @n watches: to know their names, then to take them away. */
void knell_list(unsigned int n);
void knell_del_listed(unsigned int n);

/* parts.c: of knell's way, each for itself */
void parts(void);

#endif /* _BENCH_EXITS_H */
