// SPDX-License-Identifier: GPL-2.0-only
/*
 * Timer units. When one elapses is timer_spec.c's arithmetic; here are clocks, stamps, and what
 * comes of it.
 *
 *	DEAD -> WAITING <-> RUNNING (its unit is up, or on its way)
 *	WAITING -> ELAPSED, if there is nothing to wait for any more
 *
 * One timer of the loop's for each clock a unit waits on; with WakeSystem= descriptors that wake
 * the machine instead. For all of them together there is one descriptor that tells that the clock
 * was set, and one that tells that the time zone is another.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "knelld.h"
#include "manager_internal.h"
#include "manager.h"
#include "timer_spec.h"

enum { TIMER_DEAD, TIMER_WAITING, TIMER_RUNNING, TIMER_ELAPSED, TIMER_FAILED };
enum { MONO, REAL, CLOCKS };

static const struct state_name states[] = {
	[TIMER_DEAD] = { "dead", INACTIVE },
	[TIMER_WAITING] = { "waiting", ACTIVE },
	[TIMER_RUNNING] = { "running", ACTIVE },
	[TIMER_ELAPSED] = { "elapsed", ACTIVE },
	[TIMER_FAILED] = { "failed", FAILED },
};

/* A timer unit from its start on. */
struct timer_run {
	struct timer_spec spec;		/* what it points to is ours */
	struct timer_state state;
	struct timer_elapse next;
	uint64_t random;
	bool by_timer;			/* the unit was last started by this */
	knell_task tasks[CLOCKS];
	int wake[CLOCKS];		/* WakeSystem=, -1: none */
};

/* Descriptors of all timers; -1: nobody needs them yet. */
static int clock_fd = -1, zone_fd = -1;

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
}

static const struct timer *conf_of(const struct unit *u)
{
	return u->file->timer;
}

static clockid_t clock_of(const struct unit *u, int which)
{
	if (which == REAL)
		return CLOCK_REALTIME;
	return conf_of(u)->wake_system ? CLOCK_BOOTTIME : CLOCK_MONOTONIC;
}

static struct unit *target_of(const struct unit *u)
{
	for (uint32_t i = 0; i < u->nr_edges; i++)
		if (u->edges[i].side == DEP_TRIGGERS)
			return u->edges[i].to;
	return NULL;
}

static const char *machine_id(void)
{
	static char id[33];
	int fd;

	if (!*id) {
		fd = open("/etc/machine-id", O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
		if (fd < 0 || read(fd, id, sizeof(id) - 1) < 1)
			strcpy(id, "?");
		if (fd >= 0)
			close(fd);
	}
	return id;
}

/* Stamps of Persistent=: the time of a file is when the timer has elapsed last. */

static char *stamp_path(const struct unit *u)
{
	const char *home = getenv("HOME"), *state = getenv("XDG_STATE_HOME");

	if (!manager.user)
		return xasprintf("/var/lib/knell/timers/stamp-%s", u->name);
	if (state && *state == '/')
		return xasprintf("%s/knell/timers/stamp-%s", state, u->name);
	return xasprintf("%s/.local/state/knell/timers/stamp-%s", home ? home : "", u->name);
}

static void write_stamp(const struct unit *u)
{
	char *path = stamp_path(u);
	int fd;

	for (char *s = path + 1; (s = strchr(s, '/')); *s++ = '/') {
		*s = '\0';
		mkdir(path, 0755);
	}
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0644);
	if (fd < 0 || futimens(fd, NULL) < 0)
		log_line("%s: Persistent=: cannot write %s: %s", u->name, path, strerror(errno));
	if (fd >= 0)
		close(fd);
	free(path);
}

static uint64_t read_stamp(const struct unit *u)
{
	char *path = stamp_path(u);
	struct stat st;
	bool there = !stat(path, &st) && st.st_mtim.tv_sec >= 0;

	free(path);
	return there ? st.st_mtim.tv_sec * NSEC_PER_SEC + st.st_mtim.tv_nsec : TIMER_NEVER;
}

static void take_values(struct unit *u)
{
	const struct timer *t = conf_of(u);
	struct timer_run *r = u->timer_run;
	struct timer_when *when = xcalloc(t->nr, sizeof(*when));
	size_t nr = 0;

	for (size_t i = 0; i < t->nr; i++) {
		const struct timer_value *v = &t->values[i];
		struct calendar_error err = { 0 };

		when[nr] = (struct timer_when){ .base = v->base, .span = v->ns };
		if (v->base == TIMER_CALENDAR)
			when[nr].calendar = calendar_parse(v->calendar, strlen(v->calendar), &err);
		if (v->base == TIMER_CALENDAR && !when[nr].calendar)
			log_line("%s: OnCalendar=%s: %s", unit_where(u->file, v->where),
				 v->calendar, err.text);
		else
			nr++;
	}
	r->spec = (struct timer_spec){ .when = when, .nr = nr, .random_delay = t->randomized_ns };
}

static void drop_values(struct timer_run *r)
{
	for (size_t i = 0; i < r->spec.nr; i++)
		free((void *)r->spec.when[i].calendar);
	free((void *)r->spec.when);
	r->spec = (struct timer_spec){ 0 };
}

static bool has_base(const struct unit *u, enum timer_base a, enum timer_base b)
{
	const struct timer_spec *s = &u->timer_run->spec;

	for (size_t i = 0; i < s->nr; i++)
		if (s->when[i].base == a || s->when[i].base == b)
			return true;
	return false;
}

static void roll(struct unit *u)
{
	struct timer_run *r = u->timer_run;

	if (conf_of(u)->fixed_random_delay)
		r->random = timer_seed(machine_id(), geteuid(), u->name);
	else if (getrandom(&r->random, sizeof(r->random), GRND_NONBLOCK) < 0)
		r->random = now_ns() * UINT64_C(0x9e3779b97f4a7c15);
}

static void disarm(struct unit *u)
{
	for (int i = 0; i < CLOCKS; i++) {
		knell_cancel(queue_loop(), u->timer_run->tasks[i]);
		u->timer_run->tasks[i] = KNELL_NONE;
	}
	u->deadline = 0;
}

static void on_time(struct knell_loop *l, const struct knell_call *call, void *arg);

/* A descriptor that wakes the machine; without the right to do that, or a clock that can, -1. */
static int wake_fd(struct unit *u, int which)
{
	int *fd = &u->timer_run->wake[which];
	static bool complained;

	if (*fd >= 0 || !conf_of(u)->wake_system)
		return *fd;
	*fd = timerfd_create(which == REAL ? CLOCK_REALTIME_ALARM : CLOCK_BOOTTIME_ALARM,
			     TFD_CLOEXEC | TFD_NONBLOCK);
	if (*fd < 0 && !complained) {
		log_line("%s: WakeSystem=: the machine cannot be woken: %s", u->name,
			 strerror(errno));
		complained = true;
	}
	return *fd;
}

static void arm(struct unit *u, int which, uint64_t due)
{
	const uint64_t accuracy = conf_of(u)->accuracy_ns;
	uint64_t at = timer_place(due, accuracy, timer_seed(machine_id(), 0, ""));
	clockid_t clock = clock_of(u, which);
	struct timer_run *r = u->timer_run;
	int fd = due == TIMER_NEVER ? -1 : wake_fd(u, which);
	uint64_t mono;

	if (due == TIMER_NEVER)
		return;
	if (fd >= 0) {
		struct itimerspec its = {
			.it_value = { at / NSEC_PER_SEC, at % NSEC_PER_SEC + !at },
		};

		timerfd_settime(fd, TFD_TIMER_ABSTIME, &its, NULL);
		r->tasks[which] = knell_add_read(queue_loop(), on_time, u, fd);
	} else {
		r->tasks[which] = knell_add_timer_at(queue_loop(), on_time, u, clock, at);
		knell_timer_set_slack(queue_loop(), r->tasks[which],
				      accuracy > at - due ? accuracy - (at - due) : 0);
	}
	mono = timer_shift(at, clock_ns(clock), now_ns());
	if (!u->deadline || mono < u->deadline)
		u->deadline = mono ? mono : 1;
}

/* CLOCK_MONOTONIC of the manager's to the timer's own clock; 0 is never. */
static uint64_t own_time(const struct unit *u, uint64_t t)
{
	return t ? timer_shift(t, now_ns(), clock_ns(clock_of(u, MONO))) : TIMER_NEVER;
}

static void wait_next(struct unit *u)
{
	const struct unit *target = target_of(u);
	struct timer_run *r = u->timer_run;
	const struct timer_times times = {
		.now_mono = clock_ns(clock_of(u, MONO)),
		.now_real = clock_ns(CLOCK_REALTIME),
		.startup_mono = own_time(u, manager.started),
		.startup_real = timer_shift(manager.started, now_ns(), clock_ns(CLOCK_REALTIME)),
		.unit_active_mono = own_time(u, target ? target->times.activating : 0),
		.unit_inactive_mono = own_time(u, target ? target->times.deactivated : 0),
		.unit_by_timer = r->by_timer,
	};

	disarm(u);
	r->next = timer_next(&r->spec, &r->state, &times, r->random);
	if (r->next.mono == TIMER_NEVER && r->next.real == TIMER_NEVER &&
	    !conf_of(u)->on_clock_change && !conf_of(u)->on_timezone_change) {
		unit_set_state(u, conf_of(u)->remain_after_elapse ? TIMER_ELAPSED : TIMER_DEAD);
		return;
	}
	arm(u, MONO, r->next.mono);
	arm(u, REAL, r->next.real);
	unit_set_state(u, TIMER_WAITING);
}

static void on_started(void *arg, struct unit *target, uint32_t id, enum job_result result)
{
	struct unit *u = arg;

	(void)id;
	(void)result;
	/* Down again already, or never up: nobody else will tell. */
	if (u->state == TIMER_RUNNING && unit_is_down(target))
		wait_next(u);
}

/* @elapse: NULL: it is not its time, but the clock or the time zone is another. */
static void trigger(struct unit *u, const struct timer_elapse *elapse)
{
	const struct event ev = { .kind = EVENT_TIMER, .unit = u };
	struct unit *target = target_of(u);
	struct timer_run *r = u->timer_run;
	const char *why = "it has none";
	int64_t job;

	disarm(u);
	timer_triggered(&r->state, elapse, clock_ns(clock_of(u, MONO)), clock_ns(CLOCK_REALTIME));
	roll(u);
	if (conf_of(u)->persistent)
		write_stamp(u);
	manager_tell(&ev);
	r->by_timer = true;
	unit_set_state(u, TIMER_RUNNING);
	job = target ? job_ask(target, JOB_START, JOB_REPLACE, on_started, u, &why) : -ENOENT;
	if (job > 0 || job == -ESHUTDOWN)
		return;
	if (!job) {
		/* It is up: its end is waited for. */
		if (unit_is_down(target))
			wait_next(u);
		return;
	}
	log_line("%s: its unit cannot be started: %s", u->name, why);
	u->result = RESULT_RESOURCES;
	unit_set_state(u, TIMER_FAILED);
}

uint64_t timer_last(const struct unit *u)
{
	const struct timer_state *s = u->timer_run ? &u->timer_run->state : NULL;
	uint64_t t = TIMER_NEVER;

	if (s && s->last_mono != TIMER_NEVER)
		t = timer_shift(s->last_mono, clock_ns(clock_of(u, MONO)), now_ns());
	else if (s)
		t = timer_shift(s->last_real, clock_ns(CLOCK_REALTIME), now_ns());
	return t == TIMER_NEVER ? 0 : t;
}

static void on_time(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	struct unit *u = arg;
	struct timer_run *r = u->timer_run;
	uint64_t expirations;

	(void)l;
	/* A descriptor that has nothing to say was set anew, or the clock was. */
	if (call->kind == KNELL_KIND_READ &&
	    read(call->io.fd, &expirations, sizeof(expirations)) < 0) {
		wait_next(u);
		return;
	}
	trigger(u, &r->next);
}

/* The clock was set, or the time zone is another: everything is looked at again. */
static void look_again(bool set)
{
	for (size_t i = 0; i < nr_units; i++) {
		struct unit *u = units[i];

		if (u->kind != UNIT_TIMER || (u->state != TIMER_WAITING &&
					      u->state != TIMER_RUNNING &&
					      u->state != TIMER_ELAPSED))
			continue;
		timer_clock_set(&u->timer_run->state, clock_ns(CLOCK_REALTIME));
		if (u->state == TIMER_RUNNING)
			continue;
		if (set ? conf_of(u)->on_clock_change : conf_of(u)->on_timezone_change)
			trigger(u, NULL);
		else
			wait_next(u);
	}
}

static void set_clock_fd(void)
{
	const struct itimerspec never = { .it_value = { .tv_sec = INT64_MAX / NSEC_PER_SEC } };

	timerfd_settime(clock_fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &never, NULL);
}

static void on_clock_set(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	uint64_t expirations;
	bool set = read(clock_fd, &expirations, sizeof(expirations)) < 0 && errno == ECANCELED;

	(void)call;
	(void)arg;
	set_clock_fd();
	knell_add_read(l, on_clock_set, NULL, clock_fd);
	if (set)
		look_again(true);
}

/* Also if there is none, when it comes. Replaced by another file it says so, too: a link less. */
static void watch_zone(void)
{
	if (inotify_add_watch(zone_fd, "/etc/localtime", IN_ATTRIB | IN_MOVE_SELF | IN_CLOSE_WRITE |
			      IN_DONT_FOLLOW) < 0)
		inotify_add_watch(zone_fd, "/etc", IN_CREATE | IN_MOVED_TO | IN_ONESHOT);
}

/* Is it another file than when this was called last? */
static bool zone_has_changed(void)
{
	static struct stat old;
	struct stat st = { 0 };
	bool same;

	if (lstat("/etc/localtime", &st) < 0)
		st = (struct stat){ 0 };
	same = st.st_dev == old.st_dev && st.st_ino == old.st_ino &&
	       st.st_mtim.tv_sec == old.st_mtim.tv_sec &&
	       st.st_mtim.tv_nsec == old.st_mtim.tv_nsec;
	old = st;
	return !same;
}

static void on_zone(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	char buf[4096];
	ssize_t n = read(zone_fd, buf, sizeof(buf));

	(void)call;
	(void)arg;
	watch_zone();
	knell_add_read(l, on_zone, NULL, zone_fd);
	if (n <= 0 || !zone_has_changed())
		return;
	tzset();
	look_again(false);
}

static void watch_clocks(struct unit *u)
{
	const bool calendar = has_base(u, TIMER_CALENDAR, TIMER_CALENDAR);

	if (clock_fd < 0 && (calendar || conf_of(u)->on_clock_change)) {
		clock_fd = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK);
		set_clock_fd();
		knell_add_read(queue_loop(), on_clock_set, NULL, clock_fd);
	}
	if (zone_fd < 0 && (calendar || conf_of(u)->on_timezone_change)) {
		zone_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
		watch_zone();
		zone_has_changed();
		knell_add_read(queue_loop(), on_zone, NULL, zone_fd);
	}
}

static void release(struct unit *u)
{
	disarm(u);
	for (int i = 0; i < CLOCKS; i++) {
		if (u->timer_run->wake[i] >= 0)
			close(u->timer_run->wake[i]);
		u->timer_run->wake[i] = -1;
	}
	drop_values(u->timer_run);
}

static void prepare(struct unit *u)
{
	if (u->timer_run)
		release(u);
	else
		u->timer_run = xcalloc(1, sizeof(*u->timer_run));
	u->timer_run->wake[MONO] = u->timer_run->wake[REAL] = -1;
	take_values(u);
	watch_clocks(u);
	roll(u);
}

static void timer_start(struct unit *u)
{
	const bool persistent = conf_of(u)->persistent;
	uint64_t stamp = persistent ? read_stamp(u) : TIMER_NEVER;

	u->result = RESULT_SUCCESS;
	prepare(u);
	u->timer_run->by_timer = false;
	timer_activate(&u->timer_run->state, clock_ns(clock_of(u, MONO)), clock_ns(CLOCK_REALTIME),
		       stamp);
	if (persistent && stamp == TIMER_NEVER)
		write_stamp(u);
	wait_next(u);
}

static void timer_stop(struct unit *u)
{
	release(u);
	unit_set_state(u, TIMER_DEAD);
}

/* Its unit has changed. */
static void timer_triggered_by(struct unit *u, struct unit *by)
{
	struct timer_run *r = u->timer_run;

	if (u->state == TIMER_RUNNING) {
		if (unit_is_down(by) && !by->job)
			wait_next(u);
		return;
	}
	if (u->state != TIMER_WAITING && u->state != TIMER_ELAPSED)
		return;
	if (!unit_is_down(by))
		r->by_timer = false;
	if (has_base(u, TIMER_UNIT_ACTIVE, TIMER_UNIT_INACTIVE))
		wait_next(u);
}

/* What arithmetic needs of the time before, in the order of its members. */
static void timer_save(const struct unit *u, uint64_t own[UNIT_OWN])
{
	const struct timer_run *r = u->timer_run;

	if (!r)
		return;
	own[0] = r->state.active_mono;
	own[1] = r->state.active_real;
	own[2] = r->state.last_mono;
	own[3] = r->state.last_real;
	own[4] = r->state.due_mono;
	own[5] = r->by_timer;
}

static void timer_restore(struct unit *u, const uint64_t own[UNIT_OWN])
{
	u->timer_run = xcalloc(1, sizeof(*u->timer_run));
	u->timer_run->wake[MONO] = u->timer_run->wake[REAL] = -1;
	u->timer_run->state = (struct timer_state){
		.active_mono = own[0], .active_real = own[1], .last_mono = own[2],
		.last_real = own[3], .due_mono = own[4],
	};
	u->timer_run->by_timer = own[5];
}

/* After a takeover: what is due, or was missed meanwhile, comes at once. */
static void timer_resume(struct unit *u)
{
	const struct unit *target = target_of(u);

	prepare(u);
	if (u->state == TIMER_RUNNING && target && target->job)
		job_watch(target->job, on_started, u);
	else if (u->state != TIMER_RUNNING || !target || unit_is_down(target))
		wait_next(u);
}

/* Its files are others: they count from now on, and what was counted from stays. */
static void timer_changed(struct unit *u)
{
	if (u->state == TIMER_DEAD || u->state == TIMER_FAILED)
		return;
	unit_take_latest(u);
	prepare(u);
	if (u->state != TIMER_RUNNING)
		wait_next(u);
}

const struct unit_ops timer_ops = {
	.states = states,
	.nr_states = ARRAY_SIZE(states),
	.failed = TIMER_FAILED,
	.start = timer_start,
	.stop = timer_stop,
	.triggered = timer_triggered_by,
	.resume = timer_resume,
	.changed = timer_changed,
	.save = timer_save,
	.restore = timer_restore,
};
