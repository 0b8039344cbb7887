// SPDX-License-Identifier: GPL-2.0-only
/* sd-event: each timer an object in two priority queues; a task is a defer source; pidfds. */
#include <elf.h>
#include <link.h>
#include <systemd/sd-event.h>

#include "../bench.h"
#include "loops.h"

static sd_event *loop;
static sd_event_source **sources;
static sd_event_source *io;
static unsigned int nr_sources;

static void must_sd(const char *what, int ret)
{
	if (ret < 0)
		die(what, ret);
}

#define NOTE_PACKAGE	0xcafe1a7e	/* JSON: which package a program or library is of */

/* The library has no function for its version; the version of its package is in a note of it. */
static void read_notes(const char *at, const char *end, char *text, size_t room)
{
	const ElfW(Nhdr) *n;
	const char *desc, *s;

	for (; at + sizeof(*n) <= end; at = desc + (n->n_descsz + 3) / 4 * 4) {
		n = (const void *)at;
		desc = at + sizeof(*n) + (n->n_namesz + 3) / 4 * 4;
		s = n->n_type == NOTE_PACKAGE ? memmem(desc, n->n_descsz, "\"version\":\"", 11) : NULL;
		if (s)
			snprintf(text, room, "sd-event-%.*s", (int)strcspn(s + 11, "-\""), s + 11);
	}
}

static int look_at(struct dl_phdr_info *info, size_t size, void *arg)
{
	const ElfW(Phdr) *p;
	const char *at;

	(void)size;
	if (!strstr(info->dlpi_name, "libsystemd"))
		return 0;
	for (p = info->dlpi_phdr; p < info->dlpi_phdr + info->dlpi_phnum; p++) {
		at = (const char *)info->dlpi_addr + p->p_vaddr;
		if (p->p_type == PT_NOTE)
			read_notes(at, at + p->p_memsz, arg, 48);
	}
	return 1;
}

static const char *name(void)
{
	static char text[48] = "sd-event-unknown";

	dl_iterate_phdr(look_at, text);
	return text;
}

static void open_loop(unsigned int nr)
{
	must_sd("sd_event_new", sd_event_new(&loop));
	nr_sources = nr;
	sources = malloc(nr * sizeof(*sources));
	if (!sources)
		die("malloc", -ENOMEM);
	memset(sources, 0, nr * sizeof(*sources));
}

static void close_loop(void)
{
	unsigned int i;

	for (i = 0; i < nr_sources; i++)
		sd_event_source_unref(sources[i]);
	io = sd_event_source_unref(io);
	loop = sd_event_unref(loop);
	free(sources);
}

/* ---- timers ---- */

static int timer_cb(sd_event_source *s, uint64_t usec, void *arg)
{
	(void)s;
	(void)usec;
	(void)arg;
	return 0;
}

static void timers_add(const uint32_t *ms, unsigned int nr)
{
	unsigned int i;
	uint64_t now;

	must_sd("sd_event_now", sd_event_now(loop, CLOCK_MONOTONIC, &now));
	for (i = 0; i < nr; i++)
		must_sd("sd_event_add_time",
			sd_event_add_time(loop, &sources[i], CLOCK_MONOTONIC,
					  now + (uint64_t)ms[i] * 1000, 1, timer_cb, NULL));
}

static void timers_cancel(const uint32_t *which, unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		sources[which[i]] = sd_event_source_unref(sources[which[i]]);
}

static unsigned int timers_left(unsigned int nr)
{
	unsigned int i, left = 0;

	for (i = 0; i < nr; i++)
		left += sources[i] && sd_event_source_get_enabled(sources[i], NULL) > 0;
	return left;
}

static void timers_close(unsigned int nr)
{
	(void)nr;
	close_loop();
}

static const struct timer_way timer_way = {
	open_loop, timers_add, timers_cancel, timers_left, timers_close,
};

/* ---- dispatch ---- */

static int io_cb(sd_event_source *s, int fd, uint32_t revents, void *arg)
{
	(void)s;
	(void)fd;
	(void)revents;
	(void)arg;
	die("a descriptor that nobody writes to", 0);
	return 0;
}

static int defer_cb(sd_event_source *s, void *arg)
{
	(void)s;
	(void)arg;
	dispatched();
	return 0;
}

static void defer_open(unsigned int nr, int fd)
{
	unsigned int i;

	open_loop(nr);
	if (fd >= 0)
		must_sd("sd_event_add_io",
			sd_event_add_io(loop, &io, fd, EPOLLIN, io_cb, NULL));
	for (i = 0; i < nr; i++) {
		must_sd("sd_event_add_defer",
			sd_event_add_defer(loop, &sources[i], defer_cb, NULL));
		must_sd("sd_event_source_set_enabled",
			sd_event_source_set_enabled(sources[i], SD_EVENT_ON));
	}
}

/* As sd_event_loop() does, which cannot be left and entered again. */
static void defer_run(unsigned long nr)
{
	to_run = ran + nr;
	while (ran < to_run)
		must_sd("sd_event_run", sd_event_run(loop, UINT64_MAX));
}

static const struct dispatch_way defer_way = { "", defer_open, defer_run, close_loop };

/* ---- children ---- */

static int child_cb(sd_event_source *s, const siginfo_t *si, void *arg)
{
	unsigned int i = (unsigned int)(uintptr_t)arg;

	heard_exit(i, si->si_pid, si->si_code == CLD_EXITED ? si->si_status << 8 : si->si_status);
	sources[i] = NULL;
	sd_event_source_disable_unref(s);
	return 0;
}

static void children_open(unsigned int nr, bool reap)
{
	sigset_t set;

	if (!reap)
		die("sd-event without zombies", 0);
	/* It insists, though it uses pidfds. */
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	open_loop(nr);
}

static pid_t children_start(unsigned int i)
{
	pid_t pid = clone_sleeper();

	must_sd("sd_event_add_child", sd_event_add_child(loop, &sources[i], pid, WEXITED, child_cb,
							 (void *)(uintptr_t)i));
	return pid;
}

static void children_turn(bool sleep)
{
	must_sd("sd_event_run", sd_event_run(loop, sleep ? UINT64_MAX : 0));
}

static const struct child_way child_way = { children_open, children_start, children_turn, NULL };

struct peer peer_sd_event = {
	.name_it = name,
	.timers = &timer_way,
	.dispatch = { &defer_way },
	.children = &child_way,
};
