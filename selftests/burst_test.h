/* SPDX-License-Identifier: GPL-2.0-only */
/* More deaths at once than the module's monitor has room for. */
#ifndef _BURST_TEST_H
#define _BURST_TEST_H

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "tree_test.h"

#define FAIR_SERVER	"/sys/kernel/debug/sched/fair_server"
#define RT_RUNTIME	"/proc/sys/kernel/sched_rt_runtime_us"

static atomic_int hogs;

static inline void become_first(int cpu)
{
	struct sched_param first = { .sched_priority = 1 };

	pin_to_cpu(cpu);
	if (sched_setscheduler(0, SCHED_FIFO, &first))
		_exit(BROKEN);
}

/* Nobody else runs on this CPU. */
static inline void *hog_cpu(void *arg)
{
	become_first((intptr_t)arg);
	hogs++;
	for (;;)
		;
	return NULL;
}

/* More than two books hold: one may be with the worker by then. */
#define BURST		600

static inline void die_first(int gate)
{
	become_first(0);
	pass_gate(gate);
	_exit(0);
}

/* Many deaths, between which no worker runs; nor does anybody else, so they are prepared. */
static inline void __attribute__((noreturn)) burst_of(int fd)
{
	int cpus = sysconf(_SC_NPROCESSORS_ONLN), gate = new_gate();
	pthread_t thread;

	for (int i = 0; i < BURST; i++) {
		pid_t pid;

		if (add_watch(fd, op_process(0, KNELL_OPF_NEXT, i)) < 0)
			_exit(BROKEN);
		pid = fork();
		if (!pid)
			die_first(gate);
		if (pid < 0)
			_exit(BROKEN);
	}
	for (intptr_t i = 1; i < cpus; i++)
		if (pthread_create(&thread, NULL, hog_cpu, (void *)i))
			_exit(BROKEN);
	while (hogs < cpus - 1)
		usleep(1000);
	become_first(0);
	open_gate(gate, BURST);
	reap_all();
	_exit(0);
}

/* Since 6.12 every CPU has a server that gives others a share of what real time leaves none of. */
static inline int share_of_others(const char *runtime_ns)
{
	char path[64];
	int err = 0;

	for (int cpu = 0; !err; cpu++) {
		snprintf(path, sizeof(path), FAIR_SERVER "/cpu%d/runtime", cpu);
		err = write_file(path, runtime_ns);
	}
	return err == -ENOENT ? 0 : err;
}

/* 0 when all are dead: the status word of who has seen to that. */
static inline int burst(int fd)
{
	pid_t pid;
	int status;

	if (write_file(RT_RUNTIME, "-1") || share_of_others("0"))
		return -1;
	pid = fork();
	if (!pid)
		burst_of(fd);
	status = reap(pid);
	if (share_of_others("50000000") || write_file(RT_RUNTIME, "950000"))
		return -1;
	return status;
}

#endif /* _BURST_TEST_H */
