// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a hundred services cost a knelld as it is installed, without sanitizers. The bounds are what
 * it has come to, and a little; "make bench BENCH=supervisors" measures more exactly what is aimed at.
 */
#include "host.h"

#define NR		100
#define IDLE_KIB	416
#define BUSY_KIB	736	/* with what restarts need of the program */
#define AGAIN_KIB	480	/* idle after a reload: the heap has holes */

/*
 * What it shares with nobody, but for code of libraries: whether others have that mapped, too, is no
 * doing of ours.
 */
static long private_kib(pid_t pid)
{
	char path[64], line[512];
	bool library = false;
	long kib, sum = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/smaps", pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%*x-%lx", &kib) == 1)
			library = strstr(line, ".so");
		else if (sscanf(line, "Private_Dirty: %ld", &kib) == 1 ||
			 (!library && sscanf(line, "Private_Clean: %ld", &kib) == 1))
			sum += kib;
	}
	if (f)
		fclose(f);
	return sum;
}

/* It is given back after the line of the log that tells that all is started. */
static long comes_down(pid_t pid, long bound)
{
	const struct timespec moment = { .tv_nsec = 20000000 };
	long kib = private_kib(pid);

	for (int i = 0; i < 1000 && kib > bound; i++) {
		nanosleep(&moment, NULL);
		kib = private_kib(pid);
	}
	return kib;
}

TEST_F_TIMEOUT(knelld, a_hundred_services, LIMIT_S)
{
	char name[32];

	for (int i = 0; i < NR; i++) {
		snprintf(name, sizeof(name), "s%d.service", i);
		unit(self, name, "[Service]\nRestart=always\nRestartSec=0\n"
		     "ExecStart=/bin/sleep 100000\n");
	}
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "startup finished: 100 started"));
	EXPECT_GE(IDLE_KIB, comes_down(self->pid, IDLE_KIB));
	/* It is not dead. */
	kill(main_pid(self, "s7.service"), SIGKILL);
	ASSERT_TRUE(told_times(self, 2, "s7.service: started"));
	EXPECT_GE(BUSY_KIB, comes_down(self->pid, BUSY_KIB));
	/* What reading the files has taken is given back as well. */
	unit(self, "more.service", SLEEPER);
	kill(self->pid, SIGHUP);
	ASSERT_TRUE(told(self, "more.service: started"));
	EXPECT_GE(AGAIN_KIB, comes_down(self->pid, AGAIN_KIB));
	/* Bare numbers: a process that is not there has none. */
	EXPECT_LT(100, private_kib(self->pid));
	ASSERT_EQ(0, stop(self));
	EXPECT_TRUE(nothing_left());
}

TEST_HARNESS_MAIN
