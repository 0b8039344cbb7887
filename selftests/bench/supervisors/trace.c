// SPDX-License-Identifier: GPL-2.0-only
/*
 * System calls, as the kernel's trace has them: of the supervisor's processes and of those that
 * they make.
 */
#include "sup.h"

#define TRACING		"/sys/kernel/tracing/"
#define MAX_CALLS	65536
#define NR_EXEC		(-1L)

static struct call {
	pid_t pid;
	long nr;	/* or NR_EXEC: it is another program now */
} calls[MAX_CALLS];
static unsigned int nr_calls_traced;

static const char *const call_names[] = {
#include "call_names.h"
};

void trace_start(const struct procs *p)
{
	int fd = open(TRACING "set_event_pid", O_WRONLY | O_TRUNC | O_CLOEXEC);
	char pid[16];
	unsigned int i;
	int len;

	for (i = 0; i < p->nr_own; i++) {
		len = snprintf(pid, sizeof(pid), "%d ", p->own[i]);
		if (write(fd, pid, (size_t)len) != len)
			die("set_event_pid", -errno);
	}
	close(fd);
	write_text(TRACING "options/event-fork", "1");
	write_text(TRACING "buffer_size_kb", "16384");
	write_text(TRACING "trace", "");
	write_text(TRACING "events/raw_syscalls/sys_enter/enable", "1");
	write_text(TRACING "events/sched/sched_process_exec/enable", "1");
	write_text(TRACING "tracing_on", "1");
}

/* "            comm-12      [000] .....     5.351435: sys_enter: NR 39 (...)" */
static void parse(const char *line)
{
	const char *cpu = strstr(line, " [000] "), *dash, *what;
	struct call c = { .nr = NR_EXEC };

	if (line[0] == '#' || !cpu)
		return;
	for (dash = cpu; dash > line && *dash != '-'; dash--)
		;
	c.pid = atoi(dash + 1);
	what = strstr(cpu, ": sys_enter: NR ");
	if (what)
		c.nr = atol(what + strlen(": sys_enter: NR "));
	else if (!strstr(cpu, ": sched_process_exec: "))
		die("a line of the trace", 0);
	if (nr_calls_traced == MAX_CALLS)
		die("too many system calls", 0);
	calls[nr_calls_traced++] = c;
}

void trace_stop(void)
{
	char *line = NULL;
	size_t size = 0;
	FILE *f;

	write_text(TRACING "tracing_on", "0");
	write_text(TRACING "events/enable", "0");
	nr_calls_traced = 0;
	f = fopen(TRACING "trace", "re");
	if (!f)
		die("trace", -errno);
	while (getline(&line, &size, f) > 0)
		parse(line);
	free(line);
	fclose(f);
	write_text(TRACING "set_event_pid", "");
}

static void show_call(const struct call *c, pid_t service)
{
	const char *who = c->pid == service ? "child:" : "";

	if ((size_t)c->nr < ARRAY_SIZE(call_names) && call_names[c->nr])
		printf(" %s%s", who, call_names[c->nr]);
	else
		printf(" %s%ld", who, c->nr);
}

static unsigned int last_exec(pid_t pid)
{
	unsigned int i, last = 0;

	for (i = 0; i < nr_calls_traced; i++)
		if (calls[i].pid == pid && calls[i].nr == NR_EXEC)
			last = i;
	return last;
}

unsigned int trace_calls(pid_t pid, const char *show)
{
	unsigned int i, nr = 0, service = pid ? last_exec(pid) : 0;

	if (show)
		printf("# %s:", show);
	for (i = 0; i < nr_calls_traced; i++) {
		if (calls[i].nr == NR_EXEC || (calls[i].pid == pid && i > service))
			continue;
		nr++;
		if (show)
			show_call(&calls[i], pid);
	}
	if (show)
		printf("\n");
	return nr;
}
