// SPDX-License-Identifier: GPL-2.0-only
/*
 * knelld's state file: one that knelld has written, with bytes of it changed and its sums made
 * right again. Either it is refused and there are no units; or what it says of each is within
 * bounds, and is the same when it is written and read once more.
 *
 * An input is how many units there are, what is not made right, and then the changes: which slot,
 * where in it (two bytes), how many bytes, these bytes.
 */
#include <fcntl.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"
#include "knelld.h"
#include "manager_internal.h"

#define SLOT		1024
#define UNITS		4
#define QUEUE		77
#define HEAD_AS_IT_IS	(1U << 0)
#define SLOTS_AS_THEY_ARE (1U << 1)
#define CUT		(1U << 2)	/* within the last slot */

/* The table of units, jobs and slots, which knelld never empties: their objects show these. */
extern void *names;
extern size_t nr_names, nr_jobs, nr_idle, nr_written;
extern struct unit *to_look_at, **to_look_at_end, *touched;
extern uint32_t last_id;
extern int fd;

int __real_open(const char *path, int flags, ...);
int __real_rename(const char *from, const char *to);
int __real_mkdir(const char *path, mode_t mode);
int __wrap_open(const char *path, int flags, ...);
int __wrap_rename(const char *from, const char *to);
int __wrap_mkdir(const char *path, mode_t mode);

static int image;
static uint8_t template[(1 + UNITS) * SLOT];

/* All that is in the directory is one file, of no name. */
static bool is_ours(const char *path)
{
	return !strncmp(path, "/run/knell", strlen("/run/knell"));
}

int __wrap_open(const char *path, int flags, ...)
{
	va_list ap;
	mode_t mode;

	va_start(ap, flags);
	mode = va_arg(ap, mode_t);
	va_end(ap);
	if (!is_ours(path))
		return __real_open(path, flags, mode);
	if (flags & O_TRUNC)
		CHECK(!ftruncate(image, 0), "no room");
	return dup(image);
}

int __wrap_rename(const char *from, const char *to)
{
	return is_ours(to) ? 0 : __real_rename(from, to);
}

int __wrap_mkdir(const char *path, mode_t mode)
{
	return is_ours(path) ? 0 : __real_mkdir(path, mode);
}

static void forget(void)
{
	for (size_t i = 0; i < nr_units; i++) {
		free(units[i]->history);
		free(units[i]->job);
		free(units[i]->timer_run);
		free(units[i]);
	}
	free(units);
	free(names);
	units = NULL;
	names = NULL;
	nr_units = nr_names = nr_jobs = nr_idle = nr_written = 0;
	to_look_at = touched = NULL;
	to_look_at_end = &to_look_at;
	last_id = 0;
	if (fd >= 0)
		close(fd);
	fd = -1;
	manager.stopping = false;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static const char *const unit_names[UNITS] = {
		"a.service", "b.timer", "c.socket", "d@1.target",
	};

	(void)argc;
	(void)argv;
	image = memfd_create("state", 0);
	for (size_t i = 0; i < UNITS; i++) {
		struct unit *u = unit_add(unit_names[i]);
		struct ending e = { .time_ns = i, .pid = 100 + i };

		u->state = i % 3;
		u->pid = i;
		u->serial = u->main_serial = i + 1;
		for (size_t k = 0; k <= i; k++)
			unit_note_ending(u, &e);
		if (i % 2)
			job_restore(u, i, JOB_STOP, i == 3);
	}
	state_begin("fuzz", QUEUE);
	CHECK(pread(image, template, sizeof(template), 0) == sizeof(template), "no file");
	forget();
	return 0;
}

/* As state.c has it. */
static void make_right(uint8_t *slot)
{
	uint64_t h = text_hash((const char *)slot + 4, SLOT - 4);
	uint32_t sum = (uint32_t)(h ^ h >> 32) | 1;

	memcpy(slot, &sum, sizeof(sum));
}

/* The file that @data makes of the template. */
static void put_file(const uint8_t *data, size_t size)
{
	uint8_t file[sizeof(template)];
	size_t slots = 1 + data[0] % (UNITS + 1), len = slots * SLOT;

	memcpy(file, template, len);
	for (size_t at = 2, nr; at + 4 < size; at += nr) {
		size_t to = data[at] % slots * SLOT + (data[at + 1] | data[at + 2] << 8) % SLOT;

		nr = 1 + data[at + 3] % 32;
		at += 4;
		nr = nr < size - at ? nr : size - at;
		nr = nr < len - to ? nr : len - to;
		memcpy(file + to, data + at, nr);
	}
	for (size_t i = 0; i < slots; i++)
		if (!(data[1] & (i ? SLOTS_AS_THEY_ARE : HEAD_AS_IT_IS)))
			make_right(file + i * SLOT);
	if (data[1] & CUT)
		len -= SLOT / 2;
	CHECK(!ftruncate(image, 0) && pwrite(image, file, len, 0) == (ssize_t)len, "no room");
}

/* What is written down of one, in words. */
static void tell(const struct unit *u, FILE *f)
{
	const struct times *t = &u->times;

	fprintf(f, "%s %d %d %d %d %d %d %d\n", u->name, u->state, u->result, u->exec, u->type,
		u->kill_mode, u->outcome, u->gone);
	fprintf(f, "%ju %ju %ju %ju %u %u %u %u\n", u->deadline, u->since, u->limit_begin,
		u->watchdog_ns, u->limit_used, u->cmd, u->restarts, u->restart_step);
	fprintf(f, "%ju %ju %ju %ju %d %d\n", t->activating, t->activated, t->deactivating,
		t->deactivated, u->pid, u->status);
	fprintf(f, "%d %d %d %d%d%d%d%d%d %jx %jx\n", u->serial, u->main_serial, u->control_serial,
		u->main_done, u->ran, u->stop_asked, u->ready, u->reload_failed, u->came_up,
		u->invocation[0], u->invocation[1]);
	for (size_t i = 0; i < u->nr_history; i++) {
		const struct ending *e = unit_ending(u, i);

		fprintf(f, "%ju %ju %ju %u %d %d %d %u %d %d\n", e->time_ns, e->run_ns, e->cpu_ns,
			e->rss_kib, e->pid, e->status, e->killer_pid, e->killer_uid, e->role,
			e->flags);
	}
	if (u->job)
		fprintf(f, "job %u %s %d\n", u->job->id, job_type_name(u->job->type),
			u->job->irreversible);
}

static void check_unit(struct unit *u, size_t nr)
{
	const struct ending e = { .time_ns = 1, .pid = 4711 };

	CHECK(u->id == nr + 1 && unit_by_id(u->id) == u && unit_find(u->name) == u, "%s", u->name);
	CHECK(unit_name_kind(u->name) == u->kind && !unit_name_is_template(u->name), "%s", u->name);
	CHECK(u->state < u->ops->nr_states && unit_sub(u), "%s: state %d", u->name, u->state);
	CHECK(result_name(u->result) && unit_exec_name(u->exec) && unit_type_name(u->type) &&
	      unit_kill_mode_name(u->kill_mode), "%s", u->name);
	CHECK(u->pid >= 0, "%s: kill(%d)", u->name, u->pid);
	CHECK(!u->job || job_type_name(u->job->type), "%s", u->name);
	CHECK(!u->job || u->job->type != JOB_RELOAD || u->ops->reload, "%s", u->name);
	for (size_t i = 0; i < u->nr_history; i++)
		CHECK(unit_exec_name(unit_ending(u, i)->role), "%s", u->name);
	unit_note_ending(u, &e);
	CHECK(unit_ending(u, 0)->pid == e.pid, "%s: the latest is another", u->name);
}

/* Reads the file. NULL: it is refused. */
static char *load(void)
{
	bool stopping;
	char *text;
	size_t len;
	FILE *f;

	if (!state_load("fuzz", QUEUE, &stopping)) {
		CHECK(!nr_units, "%zu units of a file that is refused", nr_units);
		return NULL;
	}
	f = open_memstream(&text, &len);
	fprintf(f, "%d %d %d %ju %ju\n", stopping, manager.how, manager.exit_status,
		manager.started, manager.finished);
	for (size_t i = 0; i < nr_units; i++)
		tell(units[i], f);
	fclose(f);
	manager.stopping = stopping;
	return text;
}

/* Another file: what has been read counts as written, but in the former one. */
static void write_anew(void)
{
	close(fd);
	nr_written = 0;
	for (size_t i = 0; i < nr_units; i++)
		units[i]->written = 0;
	state_begin("fuzz", QUEUE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *first, *second;

	if (size < 2)
		return 0;
	put_file(data, size);
	first = load();
	if (first) {
		CHECK(nr_units == data[0] % (UNITS + 1) - !!(data[1] & CUT), "%zu units", nr_units);
		write_anew();
		forget();
		second = load();
		CHECK(second && !strcmp(first, second), "read:\n%s\nwritten:\n%s", first, second);
		for (size_t i = 0; i < nr_units; i++)
			check_unit(units[i], i);
		free(second);
	}
	forget();
	free(first);
	return 0;
}
