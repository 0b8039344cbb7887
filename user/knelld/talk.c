// SPDX-License-Identifier: GPL-2.0-only
/* What passes between a service and its manager besides processes; see talk.h. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "knelld.h"
#include "bus.h"
#include "exec.h"
#include "fdstore.h"
#include "handover.h"
#include "manager.h"
#include "notify.h"
#include "socket.h"
#include "talk.h"

#define COMPLAINT_NS	(10 * NSEC_PER_SEC)
#define SYSTEM_BUS	"unix:path=/run/dbus/system_bus_socket"

/* What only this file wants to know of a unit that talks. */
struct talk {
	uint8_t access;			/* enum notify_access, NOTIFYACCESS= heard */
	bool uid_known;
	uid_t uid;			/* of its User= */
	uint64_t complained;		/* then, of that */
	const char *complaint;
	int line[2];			/* s6's newline: read here, write there; -1 */
	knell_task reading;
	struct bus_watch *bus;
};

static char *dir;			/* of the sockets, NULL: there is none yet */

static const struct service *service_of(const struct unit *u)
{
	return u->file->service;
}

/* Where $NOTIFY_SOCKET is: the same for the knelld that comes after this one. */
static char *socket_path(const struct unit *u)
{
	char *path, run[32];

	if (!dir) {
		const char *base = manager.user ? getenv("XDG_RUNTIME_DIR") : "/run";

		snprintf(run, sizeof(run), "%d", getpid());
		dir = xasprintf("%s/knell/%s/notify", base ? base : "/run",
				manager.queue_name ? manager.queue_name : run);
		for (char *s = dir + 1; (s = strchr(s, '/')); *s++ = '/') {
			*s = '\0';
			mkdir(dir, 0755);
		}
		mkdir(dir, 0755);
	}
	path = xasprintf("%s/%s", dir, u->name);
	if (strlen(path) < 108)
		return path;
	free(path);
	/* Too long for an address: the unit's number, which a state file keeps, too. */
	return xasprintf("%s/%u", dir, u->id);
}

void talk_exit(void)
{
	for (size_t i = 0; i < nr_units; i++)
		if (units[i]->kind == UNIT_SERVICE)
			talk_end(units[i], false);
	bus_close();
	if (dir && !rmdir(dir)) {
		*strrchr(dir, '/') = '\0';
		rmdir(dir);
	}
	free(dir);
	dir = NULL;
}

static void complain(struct unit *u, const struct notify *n, const char *why)
{
	uint64_t now = now_ns();

	if (u->talk->complaint == why && now - u->talk->complained < COMPLAINT_NS)
		return;
	u->talk->complained = now;
	u->talk->complaint = why;
	log_line("%s: message of process %d, uid %u, ignored: %s", u->name, n->pid, n->uid, why);
}

/* Is it in a session that a command of the unit has begun? No process is looked up for that. */
static bool is_ours(const struct unit *u, pid_t pid)
{
	pid_t session = pid > 0 ? getsid(pid) : -1;

	for (const struct tree *t = session > 0 ? u->trees : NULL; t; t = t->next)
		if (t->pid == session)
			return true;
	return false;
}

static bool is_its_user(struct unit *u, uid_t uid)
{
	struct exec_request rq = { .file = u->file, .ctx = service_of(u)->exec };
	struct talk *t = u->talk;
	struct cred cred;

	if (!t->uid_known) {
		t->uid_known = true;
		t->uid = geteuid();
		if (rq.ctx->user.name && !cred_find(&rq, &cred)) {
			t->uid = cred.uid;
			cred_free(&cred);
		}
	}
	return uid == t->uid;
}

/*
 * The socket says which unit is meant. That it comes of it is known by what the kernel vouches for
 * as of when it was sent: root, ourselves and the unit's user may say what they like about it, for
 * they could as well kill it. Only somebody else has to be alive to be found among its processes.
 */
static bool is_trusted(struct unit *u, const struct notify *n)
{
	return n->uid == 0 || n->uid == geteuid() || is_its_user(u, n->uid) || is_ours(u, n->pid);
}

static bool may_speak(struct unit *u, const struct notify *n)
{
	bool main = n->pid > 0 && n->pid == u->pid;
	bool control = n->pid > 0 && u->control && n->pid == u->control->pid;

	switch (u->talk->access) {
	case NOTIFY_MAIN:
		return main;
	case NOTIFY_EXEC:
		return main || control;
	default:
		return u->talk->access == NOTIFY_ALL;
	}
}

/* One that the unit's user could not signal is not to be signalled in its name. */
static bool may_be_main(struct unit *u, const struct notify *n)
{
	char path[32];
	struct stat st;

	if (n->main_pid == getpid() || n->main_pid == 1 || (kill(n->main_pid, 0) && errno == ESRCH))
		return false;
	if (n->uid == 0 || n->uid == geteuid() || is_ours(u, n->main_pid))
		return true;
	snprintf(path, sizeof(path), "/proc/%d", n->main_pid);
	return !stat(path, &st) && st.st_uid == n->uid;
}

static void take_status(struct unit *u, const struct notify *n)
{
	if (n->set & NOTIFY_STATUS) {
		free(u->status_text);
		u->status_text = *n->status ? xstrdup(n->status) : NULL;
	}
	if (n->set & NOTIFY_ERRNO)
		u->status_errno = n->err;
	if (n->set & NOTIFY_SET_ACCESS)
		u->talk->access = n->access;
}

/* 1 it is the store's now, 0 the same file is there, -ENOSPC */
static int store(struct unit *u, int fd, const char *name, bool poll)
{
	const size_t max = service_of(u)->more->fd_store_max;

	if (!max)
		return -ENOSPC;
	if (!u->fds) {
		u->fds = xcalloc(1, sizeof(*u->fds));
		u->fds->loop = queue_loop();
	}
	fd_make_room(fd);
	return fd_store_add(u->fds, fd, name, poll, max);
}

static void take_fds(struct unit *u, struct notify *n)
{
	size_t lost = 0;

	if (n->set & NOTIFY_FDREMOVE && u->fds)
		fd_store_remove(u->fds, n->fd_name);
	if (!(n->set & NOTIFY_FDSTORE))
		return;
	for (size_t i = 0; i < n->nr_fds; i++) {
		int kept = store(u, n->fds[i], n->fd_name, n->fd_poll);

		if (kept == 1)
			n->fds[i] = -1;
		lost += kept < 0;
	}
	if (lost)
		complain(u, n, "more descriptors than FileDescriptorStoreMax=");
}

static void bark(struct unit *u)
{
	struct notify n = { .set = NOTIFY_TRIGGER };

	talk_unwatch(u);
	service_notified(u, &n);
}

static void on_watchdog(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	struct unit *u = arg;
	uint64_t now = knell_now(l);

	(void)call;
	u->watchdog = KNELL_NONE;
	/* What it has said in time may still be unread. */
	talk_hear(u);
	if (!u->watchdog_deadline)
		return;
	if (u->watchdog_deadline <= now)
		bark(u);
	else if (knell_is_none(u->watchdog))
		u->watchdog = knell_add_timer_ns(l, on_watchdog, u, u->watchdog_deadline - now);
}

/* A sign of life moves the deadline; the timer is set anew when it has run out. */
static void feed(struct unit *u)
{
	u->watchdog_deadline = now_ns() + u->watchdog_ns;
	if (knell_is_none(u->watchdog))
		u->watchdog = knell_add_timer_ns(queue_loop(), on_watchdog, u, u->watchdog_ns);
}

static const char *bus_address(void)
{
	const char *address = getenv(manager.user ? "DBUS_SESSION_BUS_ADDRESS" :
				     "DBUS_SYSTEM_BUS_ADDRESS");

	return address ? address : manager.user ? "" : SYSTEM_BUS;
}

static void on_activated(void *arg, struct unit *u, uint32_t id, enum job_result result)
{
	(void)u;
	(void)id;
	if (result != JR_DONE)
		bus_start_failed(arg, job_result_name(result));
	free(arg);
}

/* The bus has a message for a name that nobody has. */
static void activate(const char *name)
{
	struct unit *u = unit_look_up(name);
	const char *why = "there is no such unit";
	char *copy = xstrdup(name);
	int64_t job = -ENOENT;

	if (u && unit_latest(u)->refuse_manual_start)
		why = "its file forbids it";
	else if (u)
		job = job_ask(u, JOB_START, JOB_REPLACE, on_activated, copy, &why);
	if (job > 0)
		return;
	free(copy);
	if (!job)
		return;
	log_line("%s: asked for by the message bus: %s", name, why);
	bus_start_failed(name, why);
}

void talk_watch(struct unit *u)
{
	/* A new bus. */
	if (!strncmp(u->name, "dbus", 4) && u == unit_find("dbus.service"))
		bus_serve(queue_loop(), bus_address(), activate);
	if (u->watchdog_ns && u->watchdog_ns != FOREVER)
		feed(u);
}

void talk_unwatch(struct unit *u)
{
	u->watchdog_deadline = 0;
	knell_cancel(queue_loop(), u->watchdog);
	u->watchdog = KNELL_NONE;
}

static void take_watchdog(struct unit *u, const struct notify *n)
{
	bool watched = u->watchdog_deadline;

	if (n->set & NOTIFY_WATCHDOG_USEC) {
		u->watchdog_ns = n->watchdog_usec > INT64_MAX / 1000 ? 0 : n->watchdog_usec * 1000;
		talk_unwatch(u);
		if (watched || unit_is_up(u))
			talk_watch(u);
	} else if (n->set & NOTIFY_WATCHDOG && watched) {
		feed(u);
	}
}

static void on_message(struct notify *n, void *arg)
{
	struct unit *u = arg;

	if (!is_trusted(u, n)) {
		complain(u, n, "it is none of its processes");
		return;
	}
	if (!may_speak(u, n)) {
		complain(u, n, "NotifyAccess= does not permit it");
		return;
	}
	if (n->set & NOTIFY_MAINPID && !may_be_main(u, n)) {
		complain(u, n, "MAINPID= is none of its processes");
		n->set &= ~NOTIFY_MAINPID;
	}
	take_status(u, n);
	take_fds(u, n);
	take_watchdog(u, n);
	service_notified(u, n);
}

/* s6: a line that has come to its end is readiness, whatever it says. */

static void close_line(struct talk *t, int end)
{
	if (!end)
		knell_cancel(queue_loop(), t->reading);
	if (t->line[end] >= 0)
		close(t->line[end]);
	t->line[end] = -1;
}

static void hear_line(struct unit *u)
{
	struct talk *t = u->talk;
	struct notify n = { .set = NOTIFY_READY, .pid = u->pid };
	char buf[256];
	ssize_t len = read(t->line[0], buf, sizeof(buf));

	if (len < 0 && errno == EAGAIN)
		return;
	if (len > 0 && !memchr(buf, '\n', len))
		return;
	close_line(t, 0);
	if (len > 0)
		service_notified(u, &n);
}

static void on_line(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	struct unit *u = arg;

	(void)call;
	hear_line(u);
	if (u->talk && u->talk->line[0] >= 0)
		u->talk->reading = knell_add_read(l, on_line, u, u->talk->line[0]);
}

/* The service has the other end alone: when it closes it nobody waits for a line any more. */
static void open_line(struct unit *u)
{
	struct talk *t = u->talk;

	close_line(t, 0);
	close_line(t, 1);
	if (pipe2(t->line, O_CLOEXEC | O_NONBLOCK) < 0) {
		log_line("%s: X-Knell-NotifyFD=: no pipe: %s", u->name, strerror(errno));
		t->line[0] = t->line[1] = -1;
		return;
	}
	/* Its end is as programs expect it. */
	fcntl(t->line[1], F_SETFL, 0);
	t->reading = knell_add_read(queue_loop(), on_line, u, t->line[0]);
}

void talk_hear(struct unit *u)
{
	notify_drain(u->notify);
	if (u->talk && u->talk->line[0] >= 0)
		hear_line(u);
}

static void make_talk(struct unit *u)
{
	if (u->talk)
		return;
	u->talk = xcalloc(1, sizeof(*u->talk));
	u->talk->line[0] = u->talk->line[1] = -1;
}

int talk_begin(struct unit *u)
{
	const struct service *s = service_of(u);
	char *path;
	int err;

	u->watchdog_ns = s->more->watchdog_ns;
	u->status_errno = 0;
	free(u->status_text);
	u->status_text = NULL;
	if (!s->notify_access && s->more->notify_fd < 0 && !s->more->bus_name)
		return 0;
	make_talk(u);
	u->talk->access = s->notify_access;
	u->talk->uid_known = false;
	if (u->notify || !s->notify_access)
		return 0;
	path = socket_path(u);
	u->notify = notify_open(queue_loop(), -1, path, u->name, on_message, u);
	err = u->notify ? 0 : -errno;
	if (err)
		log_line("%s: cannot bind %s: %s", u->name, path, strerror(-err));
	free(path);
	if (!err)
		fd_make_room(notify_fd(u->notify));
	return err;
}

void talk_resume(struct unit *u)
{
	uint64_t watchdog = u->watchdog_ns;

	talk_begin(u);
	u->watchdog_ns = watchdog;
	if (u->type == TYPE_DBUS)
		talk_await_name(u);
}

/* FileDescriptorStorePreserve= */
static void end_store(struct unit *u, bool again)
{
	const uint8_t mode = service_of(u)->fd_store_preserve;

	if (!u->fds || mode == PRESERVE_YES || (mode == PRESERVE_RESTART && again))
		return;
	fd_store_remove(u->fds, NULL);
	free(u->fds);
	u->fds = NULL;
}

void talk_tell_lost(const struct unit *u)
{
	const size_t nr = u->fds ? u->fds->nr : 0;

	if (u->had_fds > nr)
		log_line("%s: the %zu descriptors it had stored are lost", u->name,
			 u->had_fds - nr);
}

void talk_end(struct unit *u, bool again)
{
	struct talk *t = u->talk;

	talk_unwatch(u);
	if (t) {
		close_line(t, 0);
		close_line(t, 1);
		bus_unwatch(t->bus);
		t->bus = NULL;
	}
	end_store(u, again);
	if (again)
		return;
	socket_connection_done(u);
	notify_close(u->notify);
	u->notify = NULL;
	free(t);
	u->talk = NULL;
}

void talk_give(const struct unit *u)
{
	char rest[300];

	handover_put(HAND_NOTIFY, u, notify_fd(u->notify), "");
	handover_put(HAND_LINE, u, u->talk ? u->talk->line[0] : -1, "");
	for (struct stored_fd *f = u->fds ? u->fds->first : NULL; f; f = f->next) {
		snprintf(rest, sizeof(rest), "%d %s", f->poll, f->name);
		handover_put(HAND_STORED, u, f->fd, rest);
	}
}

/* talk_resume() comes after this, and finds what is there. */
bool talk_take(struct unit *u, enum handed what, int fd, const char *rest)
{
	char *path;

	if (!u->file->service)
		return false;
	if (what == HAND_STORED)
		return strlen(rest) > 2 && store(u, fd, rest + 2, *rest == '1') == 1;
	make_talk(u);
	if (what == HAND_LINE) {
		u->talk->line[0] = fd;
		u->talk->reading = knell_add_read(queue_loop(), on_line, u, fd);
		return true;
	}
	path = socket_path(u);
	u->notify = notify_open(queue_loop(), fd, path, u->name, on_message, u);
	free(path);
	return u->notify;
}

/* Descriptors that are to be passed, and their names as LISTEN_FDNAMES has them. */
struct passing {
	struct fd_pass *fds;
	size_t nr;
	char *names;
};

static void pass(struct passing *p, int fd, int to, bool non_blocking, const char *name)
{
	char *names = name && p->names ? xasprintf("%s:%s", p->names, name) :
		      name ? xstrdup(name) : NULL;

	p->fds = xgrow(p->fds, p->nr, sizeof(*p->fds));
	p->fds[p->nr++] = (struct fd_pass){ .from = fd, .to = to, .non_blocking = non_blocking };
	if (!names)
		return;
	free(p->names);
	p->names = names;
}

/* Sockets first, then what was stored, in the order in which it came: from 3 up. */
static void pass_listening(struct unit *u, struct exec_request *rq, struct passing *p,
			   struct strv *env)
{
	const struct stdio *io[] = { &rq->ctx->in, &rq->ctx->out, &rq->ctx->err };
	const bool non_blocking = service_of(u)->non_blocking;
	const char *name;
	char nr[24];
	int fd, flags;

	for (size_t i = 0; (fd = socket_of(u, i, &name)) >= 0; i++) {
		/* The same open file is here, too: who reads it here asks first if it may. */
		flags = fcntl(fd, F_GETFL);
		if (!non_blocking && flags & O_NONBLOCK)
			fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
		pass(p, fd, 3 + p->nr, non_blocking, name);
		rq->socket = i ? -1 : fd;
		for (size_t k = 0; k < ARRAY_SIZE(io); k++)
			if (io[k]->kind == STDIO_FD && rq->named[k] < 0 &&
			    !strcmp(io[k]->path, name))
				rq->named[k] = fd;
	}
	if (u->fds)
		fd_store_sweep(u->fds);
	for (struct stored_fd *f = u->fds ? u->fds->first : NULL; f; f = f->next)
		pass(p, f->fd, 3 + p->nr, false, f->name);
	if (!p->nr)
		return;
	snprintf(nr, sizeof(nr), "%zu", p->nr);
	env_set(env, "LISTEN_FDS", nr);
	env_set(env, "LISTEN_FDNAMES", p->names);
	rq->own_listen_pid = true;
}

void talk_pass(struct unit *u, enum exec_kind kind, struct exec_request *rq, struct strv *env)
{
	const struct service *s = service_of(u);
	struct passing p = { 0 };
	char *path, usec[24];

	rq->socket = rq->named[0] = rq->named[1] = rq->named[2] = -1;
	if (u->notify) {
		path = socket_path(u);
		env_set(env, "NOTIFY_SOCKET", path);
		free(path);
	}
	if (kind != EXEC_START)
		return;
	if (u->watchdog_ns && u->watchdog_ns != FOREVER) {
		snprintf(usec, sizeof(usec), "%llu",
			 (unsigned long long)u->watchdog_ns / 1000);
		env_set(env, "WATCHDOG_USEC", usec);
		rq->own_watchdog_pid = true;
	}
	pass_listening(u, rq, &p, env);
	socket_peer(u, env);
	if (s->more->notify_fd >= 0) {
		open_line(u);
		if (u->talk->line[1] >= 0)
			pass(&p, u->talk->line[1], s->more->notify_fd, false, NULL);
	}
	free(p.names);
	rq->fds = p.fds;
	rq->nr_fds = p.nr;
}

void talk_passed(struct unit *u, struct exec_request *rq)
{
	free((void *)rq->fds);
	rq->fds = NULL;
	rq->nr_fds = 0;
	if (u->talk)
		close_line(u->talk, 1);
}

static void on_owned(bool owned, void *arg)
{
	service_bus_name(arg, owned);
}

bool talk_await_name(struct unit *u)
{
	const char *address = bus_address();
	const char *name = service_of(u)->more->bus_name;
	static bool complained;

	if (!u->talk || u->talk->bus || !name)
		return u->talk && u->talk->bus;
	u->talk->bus = bus_watch(queue_loop(), address, name, on_owned, u);
	if (!u->talk->bus && !complained) {
		log_line("%s: no message bus to wait for %s on (%s): Type=dbus is as Type=simple",
			 u->name, name, strerror(errno));
		complained = true;
	}
	return u->talk->bus;
}
