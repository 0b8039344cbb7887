/* SPDX-License-Identifier: GPL-2.0-only */
/* What the parts of the program supervisors share; supervisors.c tells what it measures. */
#ifndef _BENCH_SUP_H
#define _BENCH_SUP_H

#include <limits.h>

#include "../bench.h"

#define PEERS		"/peers"		/* what supervisors.sh has packed */
#define SERVICE		"/tests/service"	/* sleeps until it is killed */
#define FLAPPER		"/tests/flapper"	/* appends a byte to FLAPS and exits */
#define ENDER		"/tests/ender"		/* exits when it is told to */
#define FLAPS		"/tmp/flaps"
#define SUP_DIR		"/tmp/sup"		/* of the supervisor that runs */
#define SUP_LOG		"/tmp/sup.log"
#define MAX_SERVICES	1000
#define MAX_HELPERS	(2 * MAX_SERVICES + 100)
#define SECOND		1000000000ULL

/* A supervisor. */
struct peer {
	const char *name;
	const char *how;	/* it runs */
	const char *file;	/* without which it cannot run */
	/* Writes to SUP_DIR what makes it run @nr times @program, and again when that ends. */
	void (*configure)(unsigned int nr, const char *program);
	/* In its process: what it needs in namespaces of its own. */
	void (*prepare)(void);
	const char *argv[16];
	bool init;		/* has to be the first process: of a pid namespace */
	bool polite;		/* SIGTERM ends it with all its services */
};

extern const struct peer peers[];
extern const unsigned int nr_peers;

/* The processes of the supervisor that runs: all but the services are its own. */
struct procs {
	unsigned int nr_services, nr_own;
	pid_t service[MAX_SERVICES + 1];
	pid_t own[MAX_HELPERS];
};

/*
 * What no other process has mapped; of that, what is no file's; and with their part of what others
 * have, too.
 */
struct memory {
	double private_kib, anon_kib, pss_kib;
};

struct kernel {
	unsigned int nr;
	struct {
		pid_t pid;
		double ns;
	} thread[512];
};

/* files.c */
void write_text(const char *path, const char *text);
void __attribute__((format(printf, 2, 3))) write_file(const char *path, const char *fmt, ...);
long read_text(const char *path, char *buf, size_t size);
void make_dir(const char *path);
void remove_tree(const char *path);

/* procs.c */
void look(struct procs *p);
struct memory memory_of(const struct procs *p);
void show_memory(const char *who, pid_t pid);
double switches_of(const struct procs *p);
/* CPU time of all that has ever run in the supervisor's control group. */
double group_ns(void);
/* And of the kernel's threads, between two looks. */
void look_at_kernel(struct kernel *k);
double kernel_ns(const struct kernel *now, const struct kernel *then);

/* run.c */
void start_peer(const struct peer *peer);
void stop_peer(const struct peer *peer);
void kill_peer(void);
/* Until @nr services run of which none is in @old; false if that takes too long. */
bool wait_services(struct procs *p, unsigned int nr, const struct procs *old);

/* trace.c */
void trace_start(const struct procs *p);
void trace_stop(void);
/* System calls of the supervisor and of the new service @pid up to its execve(2). @show: whose. */
unsigned int trace_calls(pid_t pid, const char *show);

#endif /* _BENCH_SUP_H */
