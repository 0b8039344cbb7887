// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the supervisors run, without a C library, so that it costs next to nothing: sleeps until it
 * is killed, or with FLAP appends a byte to FLAP and exits, or with ENDS exits on SIGTERM.
 */
#include <fcntl.h>
#include <sys/syscall.h>

void _start(void) __attribute__((noreturn));

static long call(long nr, long a, long b, long c, long d)
{
	register long r10 __asm__("r10") = d;
	long ret;

	__asm__ volatile("syscall" : "=a"(ret) : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10)
			 : "rcx", "r11", "memory");
	return ret;
}

void _start(void)
{
#ifdef FLAP
	long fd = call(SYS_open, (long)FLAP, O_WRONLY | O_APPEND, 0, 0);

	call(SYS_write, fd, (long)".", 1, 0);
	for (;;)
		call(SYS_exit_group, fd < 0, 0, 0, 0);
#elif defined(ENDS)
	const unsigned long set = 1UL << (15 - 1);

	call(SYS_rt_sigprocmask, 0, (long)&set, 0, sizeof(set));
	call(SYS_rt_sigtimedwait, (long)&set, 0, 0, sizeof(set));
	for (;;)
		call(SYS_exit_group, ENDS, 0, 0, 0);
#else
	for (;;)
		call(SYS_pause, 0, 0, 0, 0);
#endif
}
