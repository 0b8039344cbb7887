// SPDX-License-Identifier: GPL-2.0-only
/* A supervisor starts and stops, in the control group sup. */
#include <sys/prctl.h>
#include <sys/resource.h>

#include "../cgroup.h"
#include "sup.h"

#define LONG_ENOUGH	(600 * SECOND)
#define MAX_NAP		(2 * SECOND)

static pid_t manager;

static void stdio(void)
{
	int null = open("/dev/null", O_RDONLY), log;

	log = open(SUP_LOG, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600);
	if (null < 0 || log < 0 || dup2(null, 0) < 0 || dup2(log, 1) < 0 || dup2(log, 2) < 0)
		die(SUP_LOG, -errno);
	if (null > 2)
		close(null);
	if (log > 2)
		close(log);
}

/* In a child: its pid namespace begins with the next one, and it leaves the group to that. */
static void first_of_namespace(void)
{
	pid_t pid;

	if (unshare(CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWCGROUP))
		die("unshare", -errno);
	pid = fork();
	if (pid < 0)
		die("fork", -errno);
	if (pid)
		_exit(0);
}

static void __attribute__((noreturn)) become(const struct peer *peer)
{
	const struct rlimit nofile = { 65536, 65536 };

	cgroup_enter("sup");
	setsid();
	stdio();
	setrlimit(RLIMIT_NOFILE, &nofile);
	setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1);
	if (peer->init)
		first_of_namespace();
	if (peer->prepare)
		peer->prepare();
	execv(peer->argv[0], (char *const *)(uintptr_t)peer->argv);
	die(peer->argv[0], -errno);
	_exit(2);
}

void start_peer(const struct peer *peer)
{
	cgroup_make("sup");
	if (prctl(PR_SET_CHILD_SUBREAPER, 1))
		die("prctl", -errno);
	manager = fork();
	if (manager < 0)
		die("fork", -errno);
	if (!manager)
		become(peer);
}

/* All that are dead are this process's: so are those whose parent has died. */
static void reap(void)
{
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
}

static bool wait_empty(uint64_t limit)
{
	uint64_t end = now_ns(CLOCK_MONOTONIC) + limit;
	char text[128];

	for (;;) {
		reap();
		must("cgroup.events", read_text(CGROUP_ROOT "/sup/cgroup.events", text,
						sizeof(text)));
		if (strstr(text, "populated 0"))
			return true;
		if (now_ns(CLOCK_MONOTONIC) > end)
			return false;
		nap(NAP_NS);
	}
}

/* Its log, for whoever wants to know why. */
static void show_log(void)
{
	static char text[16 * 1024];
	char *s, *save = NULL;

	if (read_text(SUP_LOG, text, sizeof(text)) < 0)
		return;
	for (s = strtok_r(text, "\n", &save); s; s = strtok_r(NULL, "\n", &save))
		printf("# | %.160s\n", s);
}

void stop_peer(const struct peer *peer)
{
	if (peer->polite) {
		kill(manager, SIGTERM);
		if (!wait_empty(LONG_ENOUGH)) {
			show_log();
			die("it does not end", 0);
		}
	}
	kill_peer();
}

void kill_peer(void)
{
	cgroup_write("sup", "cgroup.kill", "1");
	if (!wait_empty(LONG_ENOUGH))
		die("processes that cannot be killed", 0);
	remove_tree(SUP_DIR);
}

static bool is_among(pid_t pid, const struct procs *p)
{
	unsigned int lo = 0, hi = p->nr_services, mid;

	while (lo < hi) {
		mid = (lo + hi) / 2;
		if (p->service[mid] == pid)
			return true;
		if (p->service[mid] < pid)
			lo = mid + 1;
		else
			hi = mid;
	}
	return false;
}

static bool none_is_old(const struct procs *p, const struct procs *old)
{
	unsigned int i;

	for (i = 0; i < p->nr_services; i++)
		if (is_among(p->service[i], old))
			return false;
	return true;
}

bool wait_services(struct procs *p, unsigned int nr, const struct procs *old)
{
	uint64_t end = now_ns(CLOCK_MONOTONIC) + LONG_ENOUGH, pause = SECOND / 500;

	for (;;) {
		look(p);
		if (p->nr_services == nr && (!old || none_is_old(p, old)))
			return true;
		if (now_ns(CLOCK_MONOTONIC) > end)
			break;
		nap(pause);
		if (pause < MAX_NAP)
			pause += pause / 2;
	}
	printf("# %u services of %u\n", p->nr_services, nr);
	show_log();
	return false;
}
