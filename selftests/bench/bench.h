/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the programs of make bench share: calling the kernel, the clocks, printing figures and
 * their bounds.
 *
 * They run where the clock counts instructions, QEMU's -icount shift=0 with one CPU: there a
 * nanosecond is an instruction, and what they print repeats. They refuse to print anything
 * elsewhere. Instructions are neither cycles nor time: no cache, no contention, no second CPU.
 */
#ifndef _BENCH_H
#define _BENCH_H

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <linux/knell.h>

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define NAP_NS		20000000ULL

static uint64_t nr_calls;	/* by sys() */
static int missed;		/* bounds */

static inline void die(const char *what, long err)
{
	fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, what,
		err < 0 ? strerror((int)-err) : "unexpected");
	exit(2);
}

/* The one door to the kernel while something is measured: it counts. -errno on failure. */
static inline long sys(long nr, long a, long b, long c, long d, long e)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = 0;
	long ret;

	nr_calls++;
	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return ret;
}

static inline long must(const char *what, long ret)
{
	if (__builtin_expect(ret < 0, 0))
		die(what, ret);
	return ret;
}

static inline uint64_t now_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ULL + (uint64_t)ts.tv_nsec;
}

static inline uint64_t cpu_ns(void)
{
	return now_ns(CLOCK_PROCESS_CPUTIME_ID);
}

/* Sleeping costs nothing here: the clock jumps. */
static inline void nap(uint64_t ns)
{
	struct timespec ts = { .tv_sec = (time_t)(ns / 1000000000), .tv_nsec = (long)(ns % 1000000000) };

	clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, NULL);
}

/* A plain fork without libc's bookkeeping; the child calls nothing that needs it. */
static inline int clone_child(void)
{
	return (int)must("clone", sys(SYS_clone, SIGCHLD, 0, 0, 0, 0));
}

/*
 * A process that sleeps until it is killed and is as cheap as can be: it shares its parent's memory
 * and never touches a stack, so it needs none.
 */
static inline int clone_sleeper(void)
{
	register long r10 __asm__("r10") = 0;
	register long r8 __asm__("r8") = 0;
	long ret;

	__asm__ volatile("syscall\n\t"
			 "test %%rax, %%rax\n\t"
			 "jnz 2f\n"
			 "1:\tmov %[pause], %%eax\n\t"
			 "syscall\n\t"
			 "jmp 1b\n"
			 "2:"
			 : "=a"(ret)
			 : "a"(SYS_clone), "D"(CLONE_VM | CLONE_FS | CLONE_FILES | SIGCHLD),
			   "S"(0), "d"(0), "r"(r10), "r"(r8), [pause] "i"(SYS_pause)
			 : "rcx", "r11", "memory");
	return (int)must("clone", ret);
}

/* Two instructions a turn, whatever the compiler. */
static inline void count_down(unsigned long turns)
{
	__asm__ volatile("1: dec %0\n\tjnz 1b" : "+r"(turns) : : "cc");
}

/* A turn of count_down() is two instructions: does the clock agree to half a per cent? */
static inline bool clock_counts_instructions(void)
{
	uint64_t best = UINT64_MAX, t, want = 2000000;
	int i;

	for (i = 0; i < 20; i++) {
		t = now_ns(CLOCK_MONOTONIC);
		count_down(want / 2);
		t = now_ns(CLOCK_MONOTONIC) - t;
		if (t < best)
			best = t;
	}
	printf("# %llu instructions take %llu ns\n", (unsigned long long)want,
	       (unsigned long long)best);
	return best > want - want / 200 && best < want + want / 200;
}

/* To begin with. @force: go on in any case, for a look at the program itself. */
static inline void bench_start(bool force)
{
	unsigned int i;

	setvbuf(stdout, NULL, _IOLBF, 0);
	/* A kernel that has just come up may have work to do yet. */
	for (i = 0; i < 5; i++) {
		if (clock_counts_instructions() || force)
			return;
		nap(50 * NAP_NS);
	}
	fprintf(stderr, "%s: no instruction clock here: use selftests/bench/run.sh\n",
		program_invocation_short_name);
	exit(2);
}

/* The only option that all programs have. */
static inline bool bench_forced(int argc, char **argv)
{
	if (argc == 1)
		return false;
	if (argc == 2 && !strcmp(argv[1], "-f"))
		return true;
	fprintf(stderr, "usage: %s [-f]\n  -f  go on where the clock does not count instructions\n",
		program_invocation_short_name);
	exit(2);
}

/* Exit status of a program: 1 if a bound was missed. */
static inline int bench_end(void)
{
	printf("\n%s: %d bounds missed\n", program_invocation_short_name, missed);
	return missed ? 1 : 0;
}

/*
 * Memory that no child gets, so that a fork or an exit costs the same in all ways and rounds; there
 * from the beginning.
 */
static inline void *own_memory(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (p == MAP_FAILED || madvise(p, size, MADV_DONTFORK))
		die("memory", -errno);
	return p;
}

/* Memory that children share with their parent. */
static inline void *shared_memory(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (p == MAP_FAILED)
		die("memory", -errno);
	return p;
}

static inline int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static inline double median(double *v, unsigned int n)
{
	qsort(v, n, sizeof(*v), by_value);
	return n & 1 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

/* A figure, for machines: BENCH NAME[SUFFIX] MODE VALUE. */
static inline void line(const char *name, const char *suffix, const char *mode, double value)
{
	int digits = value < 10 && value > -10 ? 4 : 1;

	printf("BENCH %s%s %s %.*f\n", name, suffix, mode, digits, value);
}

static inline double least(const double *v, unsigned int n)
{
	double min = v[0];
	unsigned int i;

	for (i = 1; i < n; i++)
		if (v[i] < min)
			min = v[i];
	return min;
}

static inline void at_most(const char *what, double value, double bound)
{
	bool ok = value <= bound;

	printf("BOUND %s %s: %.4f, at most %.4f\n", ok ? "met" : "MISSED", what, value, bound);
	if (!ok)
		missed++;
}

/* ---- /dev/knell ---- */

static inline int open_queue(void)
{
	return (int)must("open " KNELL_DEVICE, sys(SYS_open, (long)KNELL_DEVICE,
						   O_RDWR | O_CLOEXEC, 0, 0, 0));
}

/* Applies @nr ops, all of which have to succeed. */
static inline void submit(int queue, struct knell_op *op, unsigned int nr)
{
	struct knell_submit s = { .ops = (uintptr_t)op, .nr_ops = nr };
	unsigned int i;

	must("SUBMIT", sys(SYS_ioctl, queue, KNELL_IOC_SUBMIT, (long)&s, 0, 0));
	for (i = 0; i < nr; i++)
		must("an op of SUBMIT", op[i].result);
}

static inline uint32_t add_tree(int queue, uint64_t token)
{
	struct knell_op op = { .op = KNELL_OP_ADD, .type = KNELL_TREE, .token = token,
			       .tree.label = "bench" };

	submit(queue, &op, 1);
	return op.watch;
}

/* The caller, or with KNELL_OPF_NEXT its next process, becomes a member of @tree. */
static inline void join_tree(int queue, uint32_t tree, uint32_t flags)
{
	struct knell_op op = { .op = KNELL_OP_JOIN, .watch = tree, .flags = flags };

	submit(queue, &op, 1);
}

/* The next record; there must be one. */
static inline struct knell_event next_event(int queue)
{
	struct knell_event ev;

	if (must("read", sys(SYS_read, queue, (long)&ev, sizeof(ev), 0, 0)) != sizeof(ev))
		die("read of a record", 0);
	return ev;
}

#endif /* _BENCH_H */
