// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Tables of what a loop waits for, and of how it does.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/knell.h>

#include "internal.h"

#define GRID(cols)	{ .column = (cols), .columns = ARRAY_SIZE(cols) }

static const char *func_of(const struct knell_site *site)
{
	return site && site->func ? site->func : "?";
}

/*
 * Timers, the next one first
 */

struct timers {
	const struct task **task;
	size_t nr, room;
	bool failed;
};

static uint64_t remaining(const struct knell_loop *l, const struct task *t)
{
	uint64_t now;

	if (t->state != TASK_WAITING)
		return 0;
	now = clock_now(l, t->where);
	return t->due > now ? t->due - now : 0;
}

static void timer_collect(struct knell_loop *l, struct task *t, void *arg)
{
	struct timers *ts = arg;
	const struct task **more;
	size_t room = ts->room ? 2 * ts->room : 64;

	(void)l;
	if ((t->kind != KNELL_KIND_TIMER && t->kind != KNELL_KIND_BACKGROUND) || ts->failed)
		return;
	if (ts->nr == ts->room) {
		more = reallocarray(ts->task, room, sizeof(struct task *));
		if (!more) {
			ts->failed = true;
			return;
		}
		ts->task = more;
		ts->room = room;
	}
	ts->task[ts->nr++] = t;
}

static int timer_compare(const void *a, const void *b, void *l)
{
	uint64_t x = remaining(l, *(const struct task *const *)a);
	uint64_t y = remaining(l, *(const struct task *const *)b);

	return x < y ? -1 : x > y;
}

static const char *clock_name(const struct task *t)
{
	if (t->kind == KNELL_KIND_BACKGROUND)
		return t->flags & TASK_IDLE ? "idle" : "background";
	if (t->state != TASK_WAITING)
		return "due";
	return t->where == HEAP_REALTIME ? "realtime" :
	       t->where == HEAP_BOOTTIME ? "boottime" : "monotonic";
}

static int show_timers(struct knell_loop *l, FILE *f, enum knell_format format)
{
	static const struct column columns[] = {
		{ "name", "Name", CELL_STR },
		{ "remaining_ns", "Remaining", CELL_TIME },
		{ "period_ns", "Period", CELL_TIME },
		{ "clock", "Clock", CELL_STR },
		{ "site", "Added at", CELL_STR },
	};
	struct grid g = GRID(columns);
	struct timers ts = { 0 };
	const struct task *t;
	size_t i;

	task_each(l, timer_collect, &ts);
	if (ts.nr)
		qsort_r(ts.task, ts.nr, sizeof(struct task *), timer_compare, l);
	for (i = 0; i < ts.nr; i++) {
		t = ts.task[i];
		grid_str(&g, func_of(t->site));
		grid_num(&g, remaining(l, t));
		grid_num(&g, t->opts ? t->opts->period : 0);
		grid_str(&g, clock_name(t));
		grid_site(&g, t->site);
	}
	free(ts.task);
	g.failed |= ts.failed;
	return grid_print(&g, f, format, l->name, "timers");
}

/*
 * Children
 */

/* NULL: there is none to be read. */
static const char *comm_of(pid_t pid, char comm[64])
{
	char path[64];
	ssize_t n;
	int fd;

	if (pid <= 0)
		return NULL;
	snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	n = read(fd, comm, 63);
	close(fd);
	if (n <= 0)
		return NULL;
	comm[comm[n - 1] == '\n' ? n - 1 : n] = '\0';
	return comm;
}

static const char *source_name(const struct source *s)
{
	switch (s->kind) {
	case SOURCE_CHILD:
		return s->flags & KNELL_CHILD_SUBTREE ? "subtree" : "child";
	case SOURCE_CHILDREN:
		return "children";
	case SOURCE_TREE:
		return "tree";
	case SOURCE_RECORD:
		break;
	}
	return "records";
}

static int show_children(struct knell_loop *l, FILE *f, enum knell_format format)
{
	static const struct column columns[] = {
		{ "pid", "PID", CELL_NUM },
		{ "name", "Name", CELL_STR },
		{ "kind", "Kind", CELL_STR },
		{ "age_ns", "Age", CELL_TIME },
		{ "ended", "Ended", CELL_BOOL },
		{ "function", "Function", CELL_STR },
		{ "site", "Added at", CELL_STR },
	};
	uint64_t now = clock_now(l, HEAP_MONOTONIC);
	struct grid g = GRID(columns);
	const struct source *s;
	const struct task *t;
	char comm[64];

	for (s = l->sources.all; s; s = s->all_next) {
		t = task_find(l, s->task);
		grid_num(&g, s->pid > 0 ? (uint64_t)s->pid : 0);
		grid_str(&g, comm_of(s->pid, comm));
		grid_str(&g, source_name(s));
		grid_num(&g, now > s->added ? now - s->added : 0);
		grid_num(&g, s->done);
		grid_str(&g, t ? func_of(t->site) : NULL);
		grid_site(&g, t ? t->site : NULL);
	}
	return grid_print(&g, f, format, l->name, "children");
}

/*
 * Descriptors
 */

static const char *io_func(struct knell_loop *l, uint32_t idx)
{
	return idx == NO_TASK ? NULL : func_of(task_at(&l->tasks, idx)->site);
}

static void show_fd(struct knell_loop *l, struct grid *g, int fd)
{
	const struct io *io = io_find(l, fd);
	bool rd, wr;

	if (!io)
		return;
	rd = io->task[KNELL_KIND_READ] != NO_TASK;
	wr = io->task[KNELL_KIND_WRITE] != NO_TASK;
	if (!rd && !wr)
		return;
	grid_num(g, (uint64_t)fd);
	grid_str(g, rd && wr ? "RW" : rd ? "R" : "W");
	grid_str(g, io_func(l, io->task[KNELL_KIND_READ]));
	grid_str(g, io_func(l, io->task[KNELL_KIND_WRITE]));
}

static int show_poll(struct knell_loop *l, FILE *f, enum knell_format format)
{
	static const struct column columns[] = {
		{ "fd", "FD", CELL_NUM },
		{ "events", "Events", CELL_STR },
		{ "read", "Read", CELL_STR },
		{ "write", "Write", CELL_STR },
	};
	struct grid g = GRID(columns);
	int page, i;

	for (page = 0; page < l->io.nr_pages; page++)
		for (i = 0; l->io.page[page] && i < IO_PAGE; i++)
			show_fd(l, &g, page * IO_PAGE + i);
	return grid_print(&g, f, format, l->name, "descriptors");
}

/*
 * The queue, the loop, work queues
 */

static int show_queue(struct knell_loop *l, FILE *f, enum knell_format format)
{
	static const struct column columns[] = {
		{ "backend", "Backend", CELL_STR },
		{ "id", "Queue", CELL_NUM },
		{ "depth", "Records waiting", CELL_NUM },
		{ "max_depth", "Most at a time", CELL_NUM },
		{ "watches", "Watches", CELL_NUM },
		{ "max_watches", "User's quota of watches", CELL_NUM },
		{ "records", "Records", CELL_NUM },
		{ "batches", "Batches", CELL_NUM },
		{ "full_batches", "Full batches", CELL_NUM },
		{ "batch", "Room in a batch", CELL_NUM },
		{ "lost", "Reports lost", CELL_NUM },
		{ "rescans", "Rescans", CELL_NUM },
		{ "dropped", "Records nobody asked for", CELL_NUM },
	};
	const struct knell_stats *c = &l->stats.count;
	struct knell_info info = { 0 };
	struct grid g = GRID(columns);
	int err = l->ops->queue_info ? l->ops->queue_info(l, &info) : 0;

	if (err)
		return err;
	grid_str(&g, l->ops->id == KNELL_BACKEND_KERNEL ? "kernel" : "pidfd");
	grid_num(&g, info.id);
	grid_num(&g, info.pending);
	grid_num(&g, c->max_depth);
	grid_num(&g, info.watches);
	grid_num(&g, info.max_watches);
	grid_num(&g, c->records);
	grid_num(&g, c->batches);
	grid_num(&g, c->full_batches);
	grid_num(&g, l->batch);
	grid_num(&g, c->lost);
	grid_num(&g, c->rescans);
	grid_num(&g, c->dropped);
	return grid_print_record(&g, f, format, l->name);
}

static int show_loop(struct knell_loop *l, FILE *f, enum knell_format format)
{
	static const struct column columns[] = {
		{ "passes", "Passes", CELL_NUM },
		{ "sleeps", "Sleeps", CELL_NUM },
		{ "wakeups", "Wake-ups", CELL_NUM },
		{ "syscalls", "System calls", CELL_NUM },
		{ "dispatched", "Tasks run", CELL_NUM },
		{ "per_pass_milli", "Tasks run per 1000 passes", CELL_NUM },
		{ "busy_ns", "Busy", CELL_TIME },
		{ "idle_ns", "Idle", CELL_TIME },
		{ "max_lag_ns", "Max lag", CELL_TIME },
		{ "ready", "Ready", CELL_NUM },
		{ "max_ready", "Most ready", CELL_NUM },
		{ "events", "Events", CELL_NUM },
		{ "timers", "Timers", CELL_NUM },
		{ "children", "Children", CELL_NUM },
		{ "tasks", "Tasks", CELL_NUM },
		{ "tasks_free", "Tasks in store", CELL_NUM },
		{ "tasks_made", "Tasks made", CELL_NUM },
		{ "tasks_reused", "Of these without new memory", CELL_NUM },
		{ "posted", "Posts", CELL_NUM },
		{ "rings", "Of these with a system call", CELL_NUM },
	};
	struct grid g = GRID(columns);
	struct knell_stats s;

	knell_stats_get(l, &s);
	grid_num(&g, s.passes);
	grid_num(&g, s.sleeps);
	grid_num(&g, s.wakeups);
	grid_num(&g, s.syscalls);
	grid_num(&g, s.dispatched);
	grid_num(&g, s.passes ? s.dispatched * 1000 / s.passes : 0);
	grid_num(&g, s.busy_ns);
	grid_num(&g, s.idle_ns);
	grid_num(&g, s.max_lag_ns);
	grid_num(&g, s.ready);
	grid_num(&g, s.max_ready);
	grid_num(&g, s.events);
	grid_num(&g, s.timers);
	grid_num(&g, s.children);
	grid_num(&g, s.tasks);
	grid_num(&g, s.tasks_free);
	grid_num(&g, s.tasks_made);
	grid_num(&g, s.tasks_reused);
	grid_num(&g, s.posted);
	grid_num(&g, s.rings);
	return grid_print_record(&g, f, format, l->name);
}

static int show_wq(struct knell_loop *l, FILE *f, enum knell_format format)
{
	static const struct column columns[] = {
		{ "name", "Name", CELL_STR },
		{ "plugged", "Plugged", CELL_BOOL },
		{ "items", "Items", CELL_NUM },
		{ "hold_ms", "Hold(ms)", CELL_NUM },
		{ "runs", "Q.Runs", CELL_NUM },
		{ "best", "Best", CELL_NUM },
		{ "worst", "Worst", CELL_NUM },
		{ "granularity", "Gran.", CELL_NUM },
		{ "average", "Avg.", CELL_NUM },
		{ "done", "Total", CELL_NUM },
	};
	const struct knell_wq *wq = NULL;
	struct grid g = GRID(columns);
	struct wq_info info;

	while ((wq = wq_next(l, wq, &info))) {
		grid_str(&g, info.name);
		grid_num(&g, info.plugged);
		grid_num(&g, info.items);
		grid_num(&g, info.hold_ms);
		grid_num(&g, info.runs);
		grid_num(&g, info.best);
		grid_num(&g, info.worst);
		grid_num(&g, info.granularity);
		grid_num(&g, info.runs ? info.items_done / info.runs : 0);
		grid_num(&g, info.items_done);
	}
	return grid_print(&g, f, format, l->name, "work_queues");
}

int knell_show(struct knell_loop *l, enum knell_table what, FILE *f, enum knell_format format)
{
	if (loop_is_copy(l))
		return -ECHILD;
	if (format != KNELL_TEXT && format != KNELL_JSON)
		return -EINVAL;
	switch (what) {
	case KNELL_SHOW_TIMERS:
		return show_timers(l, f, format);
	case KNELL_SHOW_CHILDREN:
		return show_children(l, f, format);
	case KNELL_SHOW_POLL:
		return show_poll(l, f, format);
	case KNELL_SHOW_QUEUE:
		return show_queue(l, f, format);
	case KNELL_SHOW_LOOP:
		return show_loop(l, f, format);
	case KNELL_SHOW_WQ:
		return show_wq(l, f, format);
	}
	return -EINVAL;
}
