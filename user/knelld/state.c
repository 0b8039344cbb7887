// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the next knelld cannot see in the queue that this one leaves behind: units that are down
 * and why, what is being waited for, until when, how often it was tried. A file in /run with a
 * slot for each unit, at the place that its id says, so that the tokens in the queue stay true.
 *
 * The order makes it safe to be killed between any two system calls. What a record has changed
 * is written before the record's watch is deleted, and until then it comes again. So for each unit
 * the file is what it waits for, or older by one step, and then what made that step is told again,
 * or the tree that it made is there and is younger than the file says.
 * A slot is one write within a page: it is there or it isn't.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "knelld.h"
#include "manager_internal.h"

#define DIR_NAME	"/run/knell"
#define MAGIC		0x34646c6c656e6bULL	/* "knelld4", a format of its own per number */
#define SLOT_SIZE	1024

#define SLOT_EXITED	(1U << 0)	/* the end of ExecStart='s process was dealt with */
#define SLOT_MAIN_DONE	(1U << 1)
#define SLOT_RAN	(1U << 2)
#define SLOT_GONE	(1U << 3)
#define SLOT_STOP	(1U << 4)	/* unit.stop_asked */
#define SLOT_READY	(1U << 5)
#define SLOT_RELOAD	(1U << 6)	/* unit.reload_failed */
#define SLOT_HARD	(1U << 7)	/* its job is irreversible */
#define SLOT_UP		(1U << 8)	/* unit.came_up */

struct slot {
	uint32_t sum;			/* of the rest */
	uint32_t flags;
	char name[256];
	uint64_t deadline, since, limit_begin, watchdog_ns, invocation[2];
	struct times times;
	uint64_t own[UNIT_OWN];		/* as its kind likes */
	uint32_t limit_used, cmd, restarts, restart_step, job;
	int32_t pid, status;
	uint16_t serial, main_serial, control_serial;
	uint8_t state, result, exec, type, kill_mode, outcome;
	uint8_t job_type;		/* and one, 0: none */
	uint8_t nr_history, history_next;
	uint8_t reserved[5];
	struct ending history[HISTORY_MAX];
	uint8_t room[SLOT_SIZE - 824];
};

/* The first slot of the file. */
struct head {
	uint32_t sum;
	uint32_t stopping;		/* 0, or enum ending_how and one: what comes after */
	uint64_t magic;
	uint64_t queue;			/* of a queue that is no more it would say nothing true */
	uint64_t started, finished;	/* the boot */
	int32_t exit_status;
	uint8_t reserved[SLOT_SIZE - 44];
};

_Static_assert(sizeof(struct slot) == SLOT_SIZE, "a slot");
_Static_assert(sizeof(struct head) == SLOT_SIZE, "the first slot");

static int fd = -1;
static bool complained;
static char path[128];
static struct head head;
static size_t nr_written;		/* slots that the file has, without a gap */
static struct unit *touched;

static uint32_t checksum(const void *slot)
{
	uint64_t h = text_hash((const char *)slot + sizeof(uint32_t),
			       SLOT_SIZE - sizeof(uint32_t));

	/* 0 is a slot that was never written. */
	return (uint32_t)(h ^ h >> 32) | 1;
}

static void complain(int err)
{
	if (!complained)
		log_line("cannot write %s: %s; a knelld that takes over has to guess", path,
			 strerror(err));
	complained = true;
}

static bool put(const void *slot, size_t at)
{
	ssize_t n = pwrite(fd, slot, SLOT_SIZE, at * SLOT_SIZE);

	if (n == SLOT_SIZE)
		return true;
	complain(n < 0 ? errno : ENOSPC);
	return false;
}

static bool put_head(void)
{
	head.stopping = manager.stopping ? manager.how + 1 : 0;
	head.exit_status = manager.exit_status;
	head.started = manager.started;
	head.finished = manager.finished;
	head.sum = checksum(&head);
	return put(&head, 0);
}

static void fill(const struct unit *u, struct slot *s)
{
	/* u->main may be that of a former command, and the next one announced. */
	bool exited = u->main && u->main->serial == u->main_serial && u->main->exited;

	*s = (struct slot){
		.flags = (exited ? SLOT_EXITED : 0) |
			 (u->main_done ? SLOT_MAIN_DONE : 0) | (u->ran ? SLOT_RAN : 0) |
			 (u->gone ? SLOT_GONE : 0) | (u->stop_asked ? SLOT_STOP : 0) |
			 (u->ready ? SLOT_READY : 0) | (u->reload_failed ? SLOT_RELOAD : 0) |
			 (u->job && u->job->irreversible ? SLOT_HARD : 0) |
			 (u->came_up ? SLOT_UP : 0),
		.deadline = u->deadline, .since = u->since, .limit_begin = u->limit_begin,
		.watchdog_ns = u->watchdog_ns, .times = u->times, .limit_used = u->limit_used,
		.cmd = u->cmd, .restarts = u->restarts, .restart_step = u->restart_step,
		.job = u->job ? u->job->id : 0, .job_type = u->job ? u->job->type + 1 : 0,
		.pid = u->pid, .status = u->status, .serial = u->serial,
		.main_serial = u->main_serial, .control_serial = u->control_serial,
		.state = u->state, .result = u->result, .exec = u->exec, .type = u->type,
		.kill_mode = u->kill_mode, .outcome = u->outcome,
		.nr_history = u->nr_history, .history_next = u->history_next,
	};
	memcpy(s->name, u->name, strlen(u->name));
	memcpy(s->invocation, u->invocation, sizeof(s->invocation));
	if (u->nr_history)
		memcpy(s->history, u->history, u->nr_history * sizeof(*u->history));
	if (u->ops->save)
		u->ops->save(u, s->own);
	s->sum = checksum(s);
}

static void put_unit(struct unit *u)
{
	struct slot s;

	u->heard = false;
	fill(u, &s);
	if (s.sum != u->written)
		u->written = put(&s, u->id) ? s.sum : 0;
}

/* Writes what is new about @u; what is written down does not come again to be told. */
void state_write(struct unit *u)
{
	if (fd < 0)
		return;
	log_flush();
	while (nr_written < u->id)
		put_unit(units[nr_written++]);
	put_unit(u);
}

/* Something about @u has changed, or may have: state_settle() looks at it. */
void state_touch(struct unit *u)
{
	if (u->touched)
		return;
	u->touched = true;
	u->touched_next = touched;
	touched = u;
}

/* Writes what is new. */
void state_settle(void)
{
	while (touched) {
		struct unit *u = touched;

		touched = u->touched_next;
		u->touched = false;
		state_write(u);
	}
}

/* The boot is over; or all services are to be stopped, which the next knelld has to go on with. */
void state_manager(void)
{
	if (fd >= 0)
		put_head();
}

static void set_path(const char *name)
{
	snprintf(path, sizeof(path), DIR_NAME "/%s.state", name);
}

static void forget_file(void)
{
	if (fd >= 0)
		close(fd);
	fd = -1;
}

/* A new file for the queue of that number; without one knelld does its work as well. */
void state_begin(const char *name, uint64_t queue)
{
	char new[sizeof(path) + 4];

	set_path(name);
	snprintf(new, sizeof(new), "%s.new", path);
	head = (struct head){ .magic = MAGIC, .queue = queue };
	mkdir(DIR_NAME, 0755);
	fd = open(new, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0) {
		complain(errno);
		return;
	}
	if (put_head()) {
		for (size_t i = 0; i < nr_units; i++)
			state_write(units[i]);
		if (!rename(new, path))
			return;
		complain(errno);
	}
	forget_file();
	unlink(new);
}

/* A ring that is not full yet goes on behind what is in it. */
static bool history_intact(const struct slot *s)
{
	if (s->nr_history > HISTORY_MAX || s->history_next >= HISTORY_MAX ||
	    (s->nr_history < HISTORY_MAX && s->history_next != s->nr_history))
		return false;
	for (size_t i = 0; i < s->nr_history; i++)
		if (s->history[i].role >= EXEC_KINDS)
			return false;
	return true;
}

static bool intact(const struct slot *s)
{
	enum unit_kind kind;

	if (s->sum != checksum(s) || s->name[sizeof(s->name) - 1])
		return false;
	kind = unit_name_kind(s->name);
	/* Signals are sent to @pid: below 0 it would be others. */
	return kind < UNIT_KINDS && !unit_name_is_template(s->name) &&
	       s->state < unit_ops_of(kind)->nr_states && s->result < RESULTS &&
	       s->exec < EXEC_KINDS && s->type <= TYPE_IDLE && s->kill_mode <= KILL_NONE &&
	       s->job_type <= JOB_TYPES && s->outcome <= JOB_RESULTS && s->pid >= 0 &&
	       (s->job_type != JOB_RELOAD + 1 || unit_ops_of(kind)->reload) && history_intact(s);
}

static void restore(const struct slot *s)
{
	struct unit *u = unit_find(s->name);

	u->state = s->state;
	u->gone = unit_is_down(u) && s->flags & SLOT_GONE;
	u->deadline = s->deadline;
	u->since = s->since;
	u->limit_begin = s->limit_begin;
	u->watchdog_ns = s->watchdog_ns;
	u->times = s->times;
	u->limit_used = s->limit_used;
	u->cmd = s->cmd;
	u->restarts = s->restarts;
	u->restart_step = s->restart_step;
	u->pid = s->pid;
	u->status = s->status;
	u->serial = s->serial;
	u->main_serial = s->main_serial;
	u->control_serial = s->control_serial;
	u->main_exited = s->flags & SLOT_EXITED;
	u->main_done = s->flags & SLOT_MAIN_DONE;
	u->ran = s->flags & SLOT_RAN;
	u->stop_asked = s->flags & SLOT_STOP;
	u->ready = s->flags & SLOT_READY;
	u->reload_failed = s->flags & SLOT_RELOAD;
	u->came_up = s->flags & SLOT_UP;
	u->result = s->result;
	u->exec = s->exec;
	u->type = s->type;
	u->kill_mode = s->kill_mode;
	u->outcome = s->outcome;
	u->written = s->sum;
	memcpy(u->invocation, s->invocation, sizeof(u->invocation));
	for (size_t i = 0; i < s->nr_history; i++) {
		u->history = xgrow(u->history, i, sizeof(*u->history));
		u->history[i] = s->history[i];
	}
	u->nr_history = s->nr_history;
	u->history_next = s->history_next;
	if (u->ops->restore)
		u->ops->restore(u, s->own);
	if (s->job_type)
		job_restore(u, s->job, s->job_type - 1, s->flags & SLOT_HARD);
}

/*
 * All or nothing: a unit that is missing, or there twice, would shift the ids of those behind it.
 */
static bool restore_all(const char *text, size_t nr)
{
	const struct slot *slots = (const struct slot *)text;

	for (size_t i = 1; i < nr; i++)
		if (!intact(&slots[i]))
			return false;
	for (size_t i = 1; i < nr; i++) {
		if (unit_add(slots[i].name)->id == i)
			continue;
		units_drop();
		return false;
	}
	for (size_t i = 1; i < nr; i++)
		restore(&slots[i]);
	nr_written = nr - 1;
	return true;
}

/* The whole file, which may be larger than any that is written by hand; NULL and errno. */
static char *read_file(size_t *len)
{
	char *text = NULL;
	struct stat st;
	ssize_t n;

	*len = 0;
	fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 || fstat(fd, &st) < 0)
		return NULL;
	text = xcalloc(st.st_size + 1, 1);
	while ((n = pread(fd, text + *len, st.st_size - *len, *len)) > 0)
		*len += n;
	return text;
}

static void restore_manager(bool *stopping)
{
	*stopping = head.stopping;
	manager.how = head.stopping ? head.stopping - 1 : END_EXIT;
	manager.exit_status = head.exit_status;
	manager.started = head.started;
	manager.finished = head.finished;
}

static bool of_another_version(size_t len)
{
	return len >= SLOT_SIZE && head.sum == checksum(&head) && head.magic != MAGIC;
}

static bool load(const char *text, size_t len, uint64_t queue)
{
	if (len < SLOT_SIZE)
		return false;
	memcpy(&head, text, sizeof(head));
	return head.sum == checksum(&head) && head.magic == MAGIC && head.queue == queue &&
	       head.stopping <= END_KEXEC + 1 &&
	       restore_all(text, len / SLOT_SIZE);
}

/**
 * state_load - the units as the former knelld has left them
 * @stopping: out: it was stopping all of them
 *
 * False: there is no such file, or none to rely on; then there are no units yet.
 */
bool state_load(const char *name, uint64_t queue, bool *stopping)
{
	size_t len;
	char *text;
	bool good;

	set_path(name);
	text = read_file(&len);
	good = text && load(text, len, queue);
	if (!good) {
		log_line("%s: %s; going by what the queue tells", path,
			 !text ? strerror(errno) : of_another_version(len) ?
			 "it is of another version" : "not what the former knelld has left");
		forget_file();
	}
	free(text);
	*stopping = false;
	if (good)
		restore_manager(stopping);
	return good;
}

/* At a proper end. */
void state_end(void)
{
	if (fd >= 0)
		unlink(path);
}
