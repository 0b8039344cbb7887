/* SPDX-License-Identifier: GPL-2.0-only */
/* What helpers.c has for the tests. */
#ifndef _LIBKNELL_HELPERS_H
#define _LIBKNELL_HELPERS_H

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <knell.h>

#ifndef SLOW
#define SLOW		1
#endif
#ifndef FEWER
#define FEWER		1
#endif

#define USEC		UINT64_C(1000)
#define MSEC		UINT64_C(1000000)
#define SEC		UINT64_C(1000000000)
#define HOUR		(3600 * SEC)

/* _exit(), after the leak checker and the coverage have had their say. */
void test_exit(int status) __attribute__((noreturn));
/* _exit() itself, of a child that has done nothing in the library: many of them are not to count. */
void leave(int status) __attribute__((noreturn));

/*
 * How often a thing is done that is @n times by itself: fewer under LIBKNELL_TEST_DIVIDE=N, and in
 * the guest, which is an emulator (FEWER still there: ../knell_test.h).
 */
unsigned int times(unsigned int n);

/* A signal that is raised right before the loop's next call that may sleep, or after so many
 * others; 0: none. */
extern volatile sig_atomic_t raise_before_sleep, raise_after_calls;
/* Called, once, right before the loop's next call that may sleep; NULL: nothing. */
extern void (*call_before_sleep)(void);
/* Calls of the library into libc that may sleep, since the process began. */
extern atomic_ulong sleeping_calls;
/* The allocation after so many others fails, and if @for_good all that follow; -1: none. */
void fail_allocation(long after, bool for_good);
bool allocation_failed(void);
/* The system call after so many others that may fail with @error does; -1: none. Of one thread. */
void fail_call(long after, int error);
/* Its name; NULL: there were fewer. */
const char *failed_call(void);
/* As many next pthread_create() fail with EAGAIN. */
extern atomic_int fail_threads;
extern atomic_int threads_created;

/* What has run, as words with a space between them. */
extern char trace[];
void traced(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void trace_clear(void);

static inline uint64_t clock_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return ts.tv_sec * SEC + ts.tv_nsec;
}

static inline uint64_t now_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

static inline void sleep_ns(uint64_t ns)
{
	const struct timespec ts = { .tv_sec = ns / SEC, .tv_nsec = ns % SEC };

	nanosleep(&ts, NULL);
}

/* Lets this thread use that much CPU time at least, and be that long about it. */
void burn(uint64_t ns);

pid_t own_tid(void);
/* Whether thread @tid of process @pid sleeps. */
bool is_asleep(pid_t pid, pid_t tid);
/* Waits until thread @tid of process @pid sleeps; nothing reports it, so it looks. */
void wait_asleep(pid_t pid, pid_t tid);
/* Times that thread has gone to sleep. */
long nr_sleeps(pid_t pid, pid_t tid);
/* Resident memory of this process, bytes. */
size_t resident(void);
unsigned int nr_threads(void);
unsigned int nr_open_fds(void);

/* Exit status of child @pid, 256 and more if a signal ended it, or -errno. */
int child_status(pid_t pid);
/* Sleeps until @pid is a zombie, and leaves it one. */
int await_zombie(pid_t pid);
/* Whether @pid can still be waited for. */
bool is_zombie(pid_t pid);
/* A child that exits with that status at once. */
pid_t exiting_child(int status);
/* One that has done so. */
pid_t zombie(int status);
/* One that waits for a signal. */
pid_t idle_child(void);
/* One that exits with @status as soon as @fd's other end is closed or written. */
pid_t waiting_child(int fd, int status);
/* The cheapest one: no memory is copied. */
pid_t vfork_exit(int status);

/* A thread that does @fn(@arg) while the loop sleeps: from the moment that thread @tid does. */
struct meanwhile {
	pthread_t thread;
	pid_t pid, tid;
	void (*fn)(void *arg);
	void *arg;
};
/* Starts it for the calling thread. */
void meanwhile(struct meanwhile *m, void (*fn)(void *arg), void *arg);
void meanwhile_done(struct meanwhile *m);

/* Callbacks. @arg is a word for the trace, or nothing. */
knell_cb cb_trace, cb_stop, cb_count, cb_nothing;
extern unsigned long counted;

/* Passes that do not sleep, until @*flag or so many. */
int run_passes(struct knell_loop *l, unsigned int nr);

struct knell_loop *new_loop(enum knell_backend backend);
struct knell_stats stats_of(const struct knell_loop *l);
/* What a table prints; to be freed. */
char *shown(struct knell_loop *l, enum knell_table what, enum knell_format format);
char *shown_stats(struct knell_loop *l, const char *filter, enum knell_format format);
/* Whether that is one JSON value and nothing else. */
bool is_json(const char *text);

/* Which descriptors are ready: a pair of which the first end can always be read, or never. */
int readable_fd(void);
void make_pipe(int fds[2]);

static inline uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static inline knell_task name_task(uint32_t idx, uint32_t gen)
{
	return (knell_task){ idx, gen };
}

#endif /* _LIBKNELL_HELPERS_H */
