// SPDX-License-Identifier: GPL-2.0-only
/*
 * Put before the C library (LD_PRELOAD): one call of knelld's fails.
 *
 *	KNELL_FAULT=CALL:SITE:N:ERRNO	the Nth of that name from there, with that number; "" only counts
 *	KNELL_FAULT_FILE=FILE		told there: "failed CALL SITE N ERRNO" when it has, and by a
 *					process that ends by exit(3) "calls CALL SITE N" of each
 *
 * SITE is the address in the program to which the call returns, in hex; 0 if a library has called.
 * What it has started is another program, and has none of this: the variables are taken away. What a
 * child does until then is knelld's, and counted with it as far as they share memory.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The C library's own, which need not be looked up. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t nr, size_t size);
void *__libc_realloc(void *p, size_t size);

#define CALLS(X)								\
	X(accept4) X(bind) X(chdir) X(clone) X(connect) X(dup2) X(epoll_create1)\
	X(epoll_ctl) X(epoll_wait) X(eventfd) X(execv) X(execve) X(fchmod) X(fcntl) X(fdopen)	\
	X(fdopendir) X(fopen) X(fork) X(fstat) X(fstatat) X(getrandom) X(getsockname)	\
	X(getsockopt) X(inotify_add_watch) X(inotify_init1) X(ioctl) X(kill) X(listen)	\
	X(lstat) X(memfd_create) X(mkdir) X(mkfifo) X(mmap) X(open) X(openat) X(opendir)	\
	X(open_memstream) X(pipe2) X(poll) X(prctl) X(pread) X(pwrite) X(read) X(readdir)	\
	X(readlink) X(recv) X(recvmsg) X(rename) X(rmdir) X(send) X(setpriority) X(setrlimit)	\
	X(setsid) X(setsockopt) X(shutdown) X(sigaction) X(sigaltstack) X(sigprocmask)	\
	X(socket) X(stat) X(statx) X(symlink) X(syscall) X(timerfd_create) X(timerfd_settime)	\
	X(unlink) X(unlinkat) X(waitid) X(waitpid) X(write) X(chmod) X(mkdirat)

enum {
#define X(name) CALL_##name,
	CALLS(X)
#undef X
	CALL_malloc, CALL_calloc, CALL_realloc, NR_CALLS
};

static const char *const names[NR_CALLS] = {
#define X(name) [CALL_##name] = #name,
	CALLS(X)
#undef X
	[CALL_malloc] = "malloc", [CALL_calloc] = "calloc", [CALL_realloc] = "realloc",
};

#define SITES	2048		/* a power of two, more than there are */

struct site {
	atomic_ulong key;	/* its address and call; 0: unused */
	atomic_ulong nr;
};

static struct site sites[SITES];
static void *real[NR_CALLS];
static unsigned long base, end_of_program;
static unsigned long key, nth;	/* of the one that is to fail */
static int error, told = -1;

static void *find(int call)
{
	if (!real[call])
		real[call] = dlsym(RTLD_NEXT, names[call]);
	return real[call];
}

/* Whatever it was called with is in these registers, and in the last place on the stack. */
typedef long (*any)(long a, long b, long c, long d, long e, long f, long g);

/* By the kernel alone: what is called here is not to be counted. */
static long kernel(long nr, long a, long b, long c, long d)
{
	return ((any)find(CALL_syscall))(nr, a, b, c, d, 0, 0);
}

static void tell(const char *text, int len)
{
	if (told >= 0)
		kernel(SYS_write, told, (long)text, len, 0);
}

#define KEY(call, site)	((site) << 8 | ((call) + 1))
#define CALL_OF(key)	(names[((key) & 0xff) - 1])

static struct site *find_site(unsigned long wanted)
{
	struct site *s = &sites[wanted * 0x9e3779b97f4a7c15UL >> 53];
	unsigned long unused = 0;

	while (!atomic_compare_exchange_strong(&s->key, &unused, wanted) && unused != wanted) {
		s = s + 1 < sites + SITES ? s + 1 : sites;
		unused = 0;
	}
	return s;
}

/* Is this one to fail? */
static int fails(int call, const void *from)
{
	unsigned long at = (unsigned long)from, wanted, n;
	char line[128];

	wanted = KEY(call, at >= base && at < end_of_program ? at - base : 0);
	n = atomic_fetch_add(&find_site(wanted)->nr, 1) + 1;
	if (wanted != key || n != nth)
		return 0;
	tell(line, snprintf(line, sizeof(line), "failed %s %lx %lu %d\n", names[call], key >> 8, nth, error));
	errno = error;
	return 1;
}

static long failure(int call)
{
	switch (call) {
	case CALL_fdopen:
	case CALL_fdopendir:
	case CALL_fopen:
	case CALL_opendir:
	case CALL_open_memstream:
	case CALL_readdir:
		return 0;
	default:
		return -1;
	}
}

/* Their prototypes are others: it is by the assembler's name that they are put before these. */
#define X(name)									\
long put_before_##name(long a, long b, long c, long d, long e, long f, long g) __asm__(#name); \
long put_before_##name(long a, long b, long c, long d, long e, long f, long g)	\
{										\
	if (fails(CALL_##name, __builtin_return_address(0)))			\
		return failure(CALL_##name);					\
	return ((any)find(CALL_##name))(a, b, c, d, e, f, g);			\
}
CALLS(X)
#undef X

void *malloc(size_t size)
{
	return fails(CALL_malloc, __builtin_return_address(0)) ? NULL : __libc_malloc(size);
}

void *calloc(size_t nr, size_t size)
{
	return fails(CALL_calloc, __builtin_return_address(0)) ? NULL : __libc_calloc(nr, size);
}

void *realloc(void *p, size_t size)
{
	return fails(CALL_realloc, __builtin_return_address(0)) ? NULL : __libc_realloc(p, size);
}

static int call_of(const char *name, size_t len)
{
	for (int i = 0; i < NR_CALLS; i++)
		if (strlen(names[i]) == len && !strncmp(names[i], name, len))
			return i;
	return -1;
}

/* The program is told of first. */
static int find_program(struct dl_phdr_info *info, size_t size, void *arg)
{
	(void)size, (void)arg;
	base = info->dlpi_addr;
	for (int i = 0; i < info->dlpi_phnum; i++)
		if (info->dlpi_phdr[i].p_type == PT_LOAD)
			end_of_program = base + info->dlpi_phdr[i].p_vaddr + info->dlpi_phdr[i].p_memsz;
	return 1;
}

static void __attribute__((constructor)) begin(void)
{
	const char *fault = getenv("KNELL_FAULT"), *file = getenv("KNELL_FAULT_FILE");
	unsigned long site;
	int call;

	/* Not when one of these is called for the first time. */
	for (int i = 0; i < CALL_malloc; i++)
		find(i);
	dl_iterate_phdr(find_program, NULL);
	if (!file)
		return;
	told = kernel(SYS_openat, AT_FDCWD, (long)file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	/* Out of the way of those that knelld gets. */
	told = kernel(SYS_fcntl, told, F_DUPFD_CLOEXEC, 900, 0);
	memset(sites, 0, sizeof(sites));
	if (fault && sscanf(fault, "%*[^:]:%lx:%lu:%d", &site, &nth, &error) == 3) {
		call = call_of(fault, strcspn(fault, ":"));
		key = call < 0 ? 0 : KEY(call, site);
	}
	unsetenv("KNELL_FAULT");
	unsetenv("KNELL_FAULT_FILE");
	unsetenv("LD_PRELOAD");
}

static void __attribute__((destructor)) end(void)
{
	char line[128];

	for (struct site *s = sites; s < sites + SITES; s++)
		if (s->key)
			tell(line, snprintf(line, sizeof(line), "calls %s %lx %lu\n", CALL_OF(s->key),
					    s->key >> 8, s->nr));
}
