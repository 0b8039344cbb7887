// SPDX-License-Identifier: GPL-2.0-only
/*
 * tree: the processes of units. knelld tells the first process of each command; who descends from
 * them, or was left in their session by a parent that has ended, is looked up in /proc here, so
 * that looking costs knelld nothing. It also tells how many there are: those that went a way of
 * their own are counted, at least.
 */
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "knellctl.h"

struct process {
	int pid, ppid, session;
	uint64_t cpu_usec, rss;
	char name[64];
	bool taken;			/* belongs to a tree */
};

static struct process *processes;
static size_t nr_processes;

/* "1234 (a name) S 1 1234 1234 ...": the name may have anything in it but its last ")". */
static bool parse_stat(char *text, struct process *p)
{
	unsigned long long utime, stime;
	char *open = strchr(text, '('), *close = strrchr(text, ')');
	long rss;

	if (!open || !close || close < open ||
	    sscanf(close + 1, " %*c %d %*d %d %*d %*d %*u %*u %*u %*u %*u %llu %llu %*d %*d %*d "
		   "%*d %*d %*d %*u %*u %ld", &p->ppid, &p->session, &utime, &stime, &rss) != 5)
		return false;
	p->cpu_usec = (utime + stime) * USEC_PER_SEC / (uint64_t)sysconf(_SC_CLK_TCK);
	p->rss = (uint64_t)rss * (uint64_t)sysconf(_SC_PAGESIZE);
	*close = '\0';
	snprintf(p->name, sizeof(p->name), "%s", open + 1);
	return true;
}

static bool read_stat(int proc, const char *dir, struct process *p)
{
	char path[64], text[1024];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "%.20s/stat", dir);
	fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return false;
	text[n] = '\0';
	p->pid = atoi(dir);
	return parse_stat(text, p);
}

static void read_all(void)
{
	DIR *d = opendir("/proc");
	struct dirent *e;

	while (d && (e = readdir(d))) {
		struct process p = { 0 };

		if (!isdigit((unsigned char)*e->d_name) || !read_stat(dirfd(d), e->d_name, &p))
			continue;
		processes = xgrow(processes, nr_processes, sizeof(*processes));
		processes[nr_processes++] = p;
	}
	if (d)
		closedir(d);
}

struct sum {
	size_t nr;
	uint64_t cpu_usec, rss;
	json_t *list;
};

static void take(struct process *p, const char *role, size_t depth, struct sum *s)
{
	char cpu[SPAN_MAX], size[SPAN_MAX], indent[64];

	p->taken = true;
	s->nr++;
	s->cpu_usec += p->cpu_usec;
	s->rss += p->rss;
	if (s->list) {
		json_array_append_new(s->list, json_pack("{s:i, s:i, s:s, s:s, s:I, s:I}", "pid",
			p->pid, "ppid", p->ppid, "role", role, "name", p->name, "cpuUsec",
			(json_int_t)p->cpu_usec, "rssKiB", (json_int_t)(p->rss / 1024)));
		return;
	}
	snprintf(indent, sizeof(indent), "%*s", depth > 20 ? 40 : (int)(2 * depth), "");
	print(PLAIN, "  %s%d %s", indent, p->pid, p->name);
	print(DIM, "  %s%s%s CPU, %s\n", depth ? "" : role, depth || !*role ? "" : ", ",
	    span_words(p->cpu_usec, cpu), size_words(p->rss, size));
}

/* Whoever is deeper is shown beside, not below. */
#define DEPTH_MAX	1000

static void descend(struct process *p, const char *role, size_t depth, struct sum *s)
{
	take(p, role, depth, s);
	for (size_t i = 0; i < nr_processes && depth < DEPTH_MAX; i++)
		if (processes[i].ppid == p->pid && !processes[i].taken)
			descend(&processes[i], role, depth + 1, s);
}

static void show_tree(const json_t *tree, struct sum *s)
{
	int pid = (int)get_int(tree, "pid");
	const char *role = get_str(tree, "role");

	for (size_t i = 0; pid && i < nr_processes; i++)
		if (processes[i].pid == pid && !processes[i].taken)
			descend(&processes[i], role, 0, s);
	/* A command leads a session: whoever is in it was forked by one of its processes. */
	for (size_t i = 0; pid && i < nr_processes; i++)
		if (processes[i].session == pid && !processes[i].taken)
			descend(&processes[i], role, 0, s);
}

static void show_unit(const json_t *u, json_t *list)
{
	struct sum s = { .list = list ? json_array() : NULL };
	char cpu[SPAN_MAX], size[SPAN_MAX];
	json_int_t members = get_int(u, "members");
	const json_t *tree;
	size_t i;

	if (!list)
		print(BOLD, "%s\n", get_str(u, "unit"));
	json_array_foreach(get(u, "trees"), i, tree)
		show_tree(tree, &s);
	if (members < (json_int_t)s.nr)
		members = (json_int_t)s.nr;
	if (list) {
		json_array_append_new(list, json_pack("{s:s, s:o, s:I, s:I, s:I}", "unit",
			get_str(u, "unit"), "processes", s.list, "members", members, "cpuUsec",
			(json_int_t)s.cpu_usec, "rssKiB", (json_int_t)(s.rss / 1024)));
		return;
	}
	print(DIM, "  %lld processes, %s CPU, %s", (long long)members,
	    span_words(s.cpu_usec, cpu), size_words(s.rss, size));
	if (members > (json_int_t)s.nr)
		print(YELLOW, "; %lld of them have left their family and session",
		    (long long)members - (long long)s.nr);
	print(PLAIN, "\n");
}

static bool is_member(int pid)
{
	for (size_t i = 0; pid && i < nr_processes; i++)
		if (processes[i].pid == pid)
			return true;
	return false;
}

/* First those whose parents are none of them, then who is left over. */
void tree_of_members(const json_t *members)
{
	char cpu[SPAN_MAX], size[SPAN_MAX];
	struct sum s = { .list = NULL };
	const json_t *m;
	size_t i;

	nr_processes = 0;
	json_array_foreach(members, i, m) {
		struct process p = {
			.pid = (int)get_int(m, "pid"), .ppid = (int)get_int(m, "ppid"),
			.cpu_usec = (uint64_t)get_int(m, "cpuUsec"),
			.rss = (uint64_t)get_int(m, "rssKiB") * 1024,
		};

		snprintf(p.name, sizeof(p.name), "%s", get_str(m, "comm"));
		processes = xgrow(processes, nr_processes, sizeof(*processes));
		processes[nr_processes++] = p;
	}
	for (int left = 0; left < 2; left++)
		for (i = 0; i < nr_processes; i++)
			if (!processes[i].taken && (left || !is_member(processes[i].ppid)))
				descend(&processes[i], get_bool(json_array_get(members, i),
					"main") ? "main" : "", 0, &s);
	print(DIM, "  %zu processes, %s CPU, %s\n", s.nr, span_words(s.cpu_usec, cpu),
	      size_words(s.rss, size));
}

int cmd_tree(const struct verb *cmd, char **args, size_t nr)
{
	json_t *params = json_object(), *reply = NULL, *list = opt.json ? json_array() : NULL;
	struct strv names = { 0 };
	const json_t *u;
	size_t i;
	int status;

	if (opt.queue) {
		json_decref(params);
		json_decref(list);
		if (!nr)
			return queue_tree(opt.queue);
		complain("%s: units are knelld's, --queue is the module's", cmd->name);
		return EX_USAGE;
	}
	status = names_of(args, nr, &names);
	if (nr)
		json_object_set_new(params, "names", json_names(&names));
	strv_free(&names);
	if (!status)
		status = call_or_say("Tree", json_incref(params), &reply);
	json_decref(params);
	if (!status)
		read_all();
	json_array_foreach(get(reply, "units"), i, u)
		show_unit(u, list);
	if (list && !status)
		out_json(json_pack("{s:O}", "units", list));
	else if (!status && !get_size(reply, "units"))
		print(PLAIN, "No processes.\n");
	json_decref(list);
	json_decref(reply);
	free(processes);
	return status;
}
