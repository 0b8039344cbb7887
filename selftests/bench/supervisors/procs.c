// SPDX-License-Identifier: GPL-2.0-only
/* What runs in the supervisor's control group, and what it uses. */
#include <ctype.h>
#include <dirent.h>

#include "../cgroup.h"
#include "sup.h"

#define GROUP		CGROUP_ROOT "/sup"
#define PF_KTHREAD	0x00200000

static void add(struct procs *p, pid_t pid)
{
	char path[64], exe[PATH_MAX];
	ssize_t len;

	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	len = readlink(path, exe, sizeof(exe) - 1);
	if (len < 0)	/* has ended */
		return;
	exe[len] = 0;
	if (!strcmp(exe, SERVICE) || !strcmp(exe, FLAPPER) || !strcmp(exe, ENDER)) {
		if (p->nr_services < ARRAY_SIZE(p->service))
			p->service[p->nr_services++] = pid;
	} else if (p->nr_own < ARRAY_SIZE(p->own)) {
		p->own[p->nr_own++] = pid;
	}
}

/* The group's and its groups': some supervisors make them. */
static void look_in(struct procs *p, const char *group)
{
	static char text[64 * 1024];
	char path[PATH_MAX], *s, *end;
	struct dirent *d;
	DIR *dir;
	long pid;

	snprintf(path, sizeof(path), "%s/cgroup.procs", group);
	if (read_text(path, text, sizeof(text)) < 0)
		return;
	for (s = text; (pid = strtol(s, &end, 10)), end != s; s = end)
		add(p, (pid_t)pid);
	dir = opendir(group);
	while (dir && (d = readdir(dir))) {
		if (d->d_type != DT_DIR || d->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", group, d->d_name);
		look_in(p, path);
	}
	if (dir)
		closedir(dir);
}

static int by_pid(const void *a, const void *b)
{
	return *(const pid_t *)a - *(const pid_t *)b;
}

void look(struct procs *p)
{
	p->nr_services = p->nr_own = 0;
	look_in(p, GROUP);
	qsort(p->service, p->nr_services, sizeof(pid_t), by_pid);
}

/* The sum of the lines of @text that begin with @key. */
static double sum_of(const char *text, const char *key)
{
	double sum = 0;
	const char *s;

	for (s = text; s; s = strchr(s, '\n')) {
		s += *s == '\n';
		if (!strncmp(s, key, strlen(key)))
			sum += strtod(s + strlen(key), NULL);
	}
	return sum;
}

struct memory memory_of(const struct procs *p)
{
	static const char *const private[] = { "Private_Clean:", "Private_Dirty:" };
	struct memory m = { 0 };
	char path[64], text[2048];
	unsigned int i, k;

	for (i = 0; i < p->nr_own; i++) {
		snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", p->own[i]);
		must(path, read_text(path, text, sizeof(text)));
		for (k = 0; k < ARRAY_SIZE(private); k++)
			m.private_kib += sum_of(text, private[k]);
		m.anon_kib += sum_of(text, "Anonymous:");
		m.pss_kib += sum_of(text, "Pss:");
	}
	return m;
}

/* Private memory of one process by what it is, one after the other. */
void show_memory(const char *who, pid_t pid)
{
	char path[64], text[PATH_MAX + 128], name[PATH_MAX] = "", mode[8] = "";
	double kib = 0, part;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/smaps", pid);
	f = fopen(path, "re");
	if (!f)
		die(path, -errno);
	printf("# %s, private KiB of process %d:", who, pid);
	while (fgets(text, sizeof(text), f)) {
		if (sscanf(text, "%*x-%*x %7s %*x %*s %*u %4095s", mode, name) == 1)
			strcpy(name, "[anon]");
		else if (sscanf(text, "Private_%*s %lf", &part) == 1)
			kib += part;
		else if (!strncmp(text, "VmFlags", 7) && kib > 0)
			printf(" %s %s %.0f;", name, mode, kib);
		if (!strncmp(text, "VmFlags", 7))
			kib = 0;
	}
	printf("\n");
	fclose(f);
}

static double switches_of_process(pid_t pid)
{
	char path[PATH_MAX], text[4096];
	struct dirent *d;
	double sum = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	dir = opendir(path);
	while (dir && (d = readdir(dir))) {
		if (!isdigit(d->d_name[0]))
			continue;
		snprintf(path, sizeof(path), "/proc/%d/task/%s/status", pid, d->d_name);
		must(path, read_text(path, text, sizeof(text)));
		sum += sum_of(text, "voluntary_ctxt_switches:") +
		       sum_of(text, "nonvoluntary_ctxt_switches:");
	}
	if (dir)
		closedir(dir);
	return sum;
}

double switches_of(const struct procs *p)
{
	double sum = 0;
	unsigned int i;

	for (i = 0; i < p->nr_own; i++)
		sum += switches_of_process(p->own[i]);
	return sum;
}

double group_ns(void)
{
	char text[1024];

	must(GROUP "/cpu.stat", read_text(GROUP "/cpu.stat", text, sizeof(text)));
	return sum_of(text, "usage_usec") * 1000;
}

static bool is_kernel_thread(const char *pid)
{
	char path[64], text[1024], *s;
	unsigned long flags;

	snprintf(path, sizeof(path), "/proc/%.20s/stat", pid);
	if (read_text(path, text, sizeof(text)) < 0)
		return false;
	s = strrchr(text, ')');
	return s && sscanf(s, ") %*c %*d %*d %*d %*d %*d %lu", &flags) == 1 && flags & PF_KTHREAD;
}

void look_at_kernel(struct kernel *k)
{
	char path[64], text[128];
	struct dirent *d;
	DIR *dir = opendir("/proc");

	if (!dir)
		die("/proc", -errno);
	k->nr = 0;
	while (k->nr < ARRAY_SIZE(k->thread) && (d = readdir(dir))) {
		if (!isdigit(d->d_name[0]) || !is_kernel_thread(d->d_name))
			continue;
		snprintf(path, sizeof(path), "/proc/%.20s/schedstat", d->d_name);
		if (read_text(path, text, sizeof(text)) <= 0)
			continue;
		k->thread[k->nr].pid = atoi(d->d_name);
		k->thread[k->nr++].ns = strtod(text, NULL);
	}
	closedir(dir);
}

/* Those that have ended since are left out: they are workers that had nothing to do. */
double kernel_ns(const struct kernel *now, const struct kernel *then)
{
	unsigned int i, t;
	double sum = 0;

	for (i = 0; i < now->nr; i++) {
		for (t = 0; t < then->nr && then->thread[t].pid != now->thread[i].pid; t++)
			;
		sum += now->thread[i].ns - (t < then->nr ? then->thread[t].ns : 0);
	}
	return sum;
}
