// SPDX-License-Identifier: GPL-2.0-only
/*
 * Socket units: listening for a service that is not there yet.
 *
 *	DEAD -> START_PRE -> START_POST -> LISTENING <-> RUNNING
 *	LISTENING, RUNNING -> STOP_PRE -> STOP_POST -> DEAD, or FAILED
 *
 * While its service is up, or on its way, nobody looks at the descriptors; when it is down again
 * they are looked at, and what is still there starts it anew. So a service that dies before it has
 * taken what it was started for would come again and again: the trigger limit, and the service's
 * own start limit, end that, and the unit fails.
 *
 * With Accept=yes each connection has an instance of NAME@.service of its own. They are numbered by
 * places, of which there are MaxConnections=, so that units are used again.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "knelld.h"
#include "exec.h"
#include "listen.h"
#include "manager_internal.h"
#include "socket.h"

#define PER_PASS	16	/* connections that are taken before others have their turn */

enum {
	SOCKET_DEAD, SOCKET_START_PRE, SOCKET_START_POST, SOCKET_LISTENING, SOCKET_RUNNING,
	SOCKET_STOP_PRE, SOCKET_STOP_POST, SOCKET_FAILED,
};

static const struct state_name states[] = {
	[SOCKET_DEAD] = { "dead", INACTIVE },
	[SOCKET_START_PRE] = { "start-pre", ACTIVATING },
	[SOCKET_START_POST] = { "start-post", ACTIVATING },
	[SOCKET_LISTENING] = { "listening", ACTIVE },
	[SOCKET_RUNNING] = { "running", ACTIVE },
	[SOCKET_STOP_PRE] = { "stop-pre", DEACTIVATING },
	[SOCKET_STOP_POST] = { "stop-post", DEACTIVATING },
	[SOCKET_FAILED] = { "failed", FAILED },
};

static const struct socket *conf_of(const struct unit *u)
{
	return u->file->socket;
}

/* The one that it starts, of Accept=no. */
static struct unit *service_of(const struct unit *u)
{
	for (uint32_t i = 0; i < u->nr_edges; i++)
		if (u->edges[i].side == DEP_TRIGGERS)
			return u->edges[i].to;
	return NULL;
}

static bool is_busy(const struct unit *service)
{
	return service && !unit_is_down(service);
}

static void close_all(struct unit *u)
{
	struct socket_run *r = u->socket_run;

	for (size_t i = 0; i < r->nr; i++) {
		knell_cancel(queue_loop(), r->v[i].task);
		close(r->v[i].fd);
	}
	free(r->v);
	r->v = NULL;
	r->nr = 0;
}

static void unwatch(struct unit *u)
{
	for (size_t i = 0; i < u->socket_run->nr; i++)
		knell_cancel(queue_loop(), u->socket_run->v[i].task);
}

/* Commands, one after the other; what follows the last of a list is commands_done()'s. */

static void commands_done(struct unit *u);
static void begin_stop(struct unit *u);

static void note(struct unit *u, enum result result)
{
	if (u->result == RESULT_SUCCESS)
		u->result = result;
}

static void run_list(struct unit *u, enum exec_kind kind, int state);

/* Those of a stop go on whatever becomes of them. */
static bool command_failed(struct unit *u, enum result result)
{
	note(u, result);
	if (u->exec == EXEC_START_PRE)
		run_list(u, EXEC_STOP_POST, SOCKET_STOP_POST);
	else if (u->exec == EXEC_START_POST)
		begin_stop(u);
	else
		return false;
	return true;
}

static void run_commands(struct unit *u)
{
	const struct commands *list = unit_commands(u, u->exec);

	for (; u->cmd < list->nr; u->cmd++) {
		enum result result;

		unit_arm(u, conf_of(u)->timeout_ns);
		result = spawn(u, u->exec, &list->v[u->cmd]);
		if (result == RESULT_SUCCESS)
			return;
		if (!(list->v[u->cmd].flags & CMD_IGNORE_FAILURE) && command_failed(u, result))
			return;
	}
	unit_disarm(u);
	commands_done(u);
}

static void run_list(struct unit *u, enum exec_kind kind, int state)
{
	if (unit_commands(u, kind)->nr)
		unit_set_state(u, state);
	u->exec = kind;
	u->cmd = 0;
	run_commands(u);
}

void socket_control_ended(struct unit *u, enum result result)
{
	/* One that a stop has interrupted is followed by those of the stop. */
	if (u->cmd != UINT32_MAX && result != RESULT_SUCCESS && command_failed(u, result))
		return;
	u->cmd++;
	run_commands(u);
}

static void expired(struct unit *u)
{
	log_line("%s: %s takes too long, SIGKILL", u->name, unit_exec_name(u->exec));
	note(u, RESULT_TIMEOUT);
	tree_kill_control(u, SIGKILL);
}

static void begin_stop(struct unit *u)
{
	unwatch(u);
	if (!u->control) {
		run_list(u, EXEC_STOP, SOCKET_STOP_PRE);
		return;
	}
	unit_set_state(u, SOCKET_STOP_PRE);
	u->exec = EXEC_STOP;
	u->cmd = UINT32_MAX;
	tree_kill_control(u, SIGKILL);
}

static void fail(struct unit *u, enum result result)
{
	note(u, result);
	begin_stop(u);
}

/* May something be started now? So often in a window that begins with the first time. */
static bool within_limit(struct unit *u)
{
	const struct socket *c = conf_of(u);
	struct socket_run *r = u->socket_run;
	uint64_t now = now_ns();

	if (!c->trigger_limit_burst || !c->trigger_limit_ns)
		return true;
	if (!r->limit_begin || now - r->limit_begin > c->trigger_limit_ns) {
		r->limit_begin = now;
		r->limit_used = 0;
	}
	return r->limit_used++ < c->trigger_limit_burst;
}

static void listen_again(struct unit *u);

static void service_is_down(struct unit *u, const struct unit *service)
{
	if (service->result != RESULT_START_LIMIT) {
		listen_again(u);
		return;
	}
	log_line("%s: %s may not be started again: no more", u->name, service->name);
	fail(u, RESULT_START_LIMIT);
}

static void on_started(void *arg, struct unit *service, uint32_t id, enum job_result result)
{
	struct unit *u = arg;

	(void)id;
	/* It could not even be tried: nobody else will tell that it is down. */
	if (result != JR_DONE && u->state == SOCKET_RUNNING && !is_busy(service))
		service_is_down(u, service);
}

static void start_service(struct unit *u)
{
	struct unit *service = service_of(u);
	const char *why = "it has none";
	int64_t job = service ? job_ask(service, JOB_START, JOB_REPLACE, on_started, u, &why) :
				-ENOENT;

	if (job > 0 || (!job && is_busy(service))) {
		unit_set_state(u, SOCKET_RUNNING);
		return;
	}
	/* All is being stopped, it too before long. */
	if (job == -ESHUTDOWN)
		return;
	log_line("%s: its service cannot be started: %s", u->name, why);
	fail(u, RESULT_RESOURCES);
}

/* Connections of Accept=yes */

static void complain(struct unit *u, const char *why, const char *what)
{
	struct socket_run *r = u->socket_run;
	uint64_t now = now_ns();

	if (r->complained && now - r->complained < 10 * NSEC_PER_SEC)
		return;
	r->complained = now;
	log_line("%s: a connection was closed: %s%s", u->name, why, what);
}

static bool same_source(const union address *a, const union address *b)
{
	if (a->sa.sa_family != b->sa.sa_family)
		return false;
	if (a->sa.sa_family == AF_INET)
		return a->in.sin_addr.s_addr == b->in.sin_addr.s_addr;
	if (a->sa.sa_family == AF_INET6)
		return IN6_ARE_ADDR_EQUAL(&a->in6.sin6_addr, &b->in6.sin6_addr);
	return a->sa.sa_family == AF_VSOCK && a->vm.svm_cid == b->vm.svm_cid;
}

/* May another one come from there? */
static bool has_room(struct unit *u, const union address *peer)
{
	const struct socket_run *r = u->socket_run;
	const struct socket *c = conf_of(u);
	size_t nr = 0;

	if (r->nr_connections >= c->max_connections) {
		complain(u, "there are MaxConnections= already", "");
		return false;
	}
	for (size_t i = 0; c->max_per_source && i < r->nr_places; i++)
		nr += r->places[i] && same_source(&r->places[i]->connection->peer, peer);
	if (c->max_per_source && nr >= c->max_per_source) {
		complain(u, "there are MaxConnectionsPerSource= of its source already", "");
		return false;
	}
	return true;
}

size_t socket_connections(const struct unit *u)
{
	return u->socket_run ? u->socket_run->nr_connections : 0;
}

static size_t free_place(struct socket_run *r, size_t from)
{
	size_t i = from;

	while (i < r->nr_places && r->places[i])
		i++;
	if (i == r->nr_places) {
		r->places = xgrow(r->places, r->nr_places, sizeof(*r->places));
		r->places[r->nr_places++] = NULL;
	}
	return i;
}

/* Of a place that nobody has. What a former knelld has left, or others started, is none of ours. */
static struct unit *free_instance(struct unit *u, size_t *place)
{
	const int len = strlen(u->name) - strlen(".socket");

	for (size_t i = 0;; i++) {
		struct unit *service;
		char *name;

		i = free_place(u->socket_run, i);
		name = xasprintf("%.*s@%zu.service", len, u->name, i);
		service = unit_get(name);
		free(name);
		*place = i;
		if (!is_busy(service))
			return service;
	}
}

void socket_connection_done(struct unit *u)
{
	struct connection *c = u->kind == UNIT_SERVICE ? u->connection : NULL;

	if (!c)
		return;
	c->socket->socket_run->places[c->place] = NULL;
	c->socket->socket_run->nr_connections--;
	close(c->fd);
	free(c);
	u->connection = NULL;
}

static void on_instance(void *arg, struct unit *service, uint32_t id, enum job_result result)
{
	(void)arg;
	(void)id;
	if (result != JR_DONE && unit_is_down(service))
		socket_connection_done(service);
}

/* The descriptor is the instance's from here on if there is one, else it is closed. */
static void start_instance(struct unit *u, struct connection *c)
{
	struct unit *service = free_instance(u, &c->place);
	const char *why = "there is no such unit, nor room for one";

	if (service) {
		socket_take_place(service, c);
		/* How many there are is limited here, and how many come. */
		service->limit_used = 0;
		if (job_ask(service, JOB_START, JOB_REPLACE, on_instance, NULL, &why) > 0)
			return;
		socket_connection_done(service);
	} else {
		close(c->fd);
	}
	complain(u, "its instance cannot be started: ", why);
}

/* One connection: false if there is none. */
static bool take_connection(struct unit *u, int fd)
{
	struct connection c = { .socket = u, .len = sizeof(c.peer) };

	c.fd = accept4(fd, &c.peer.sa, &c.len, SOCK_CLOEXEC);
	/* One that is gone already says nothing of the next. */
	if (c.fd < 0)
		return errno == ECONNABORTED || errno == EINTR;
	if (has_room(u, &c.peer))
		start_instance(u, &c);
	else
		close(c.fd);
	return true;
}

static void on_readable(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	struct listener *it = arg;
	struct unit *u = it->unit;
	int fd = it->fd;

	it->task = KNELL_NONE;
	if (call->io.error) {
		log_line("%s: cannot wait for %s: %s", u->name, it->listen->address,
			 strerror(-call->io.error));
		fail(u, RESULT_RESOURCES);
		return;
	}
	if (!within_limit(u)) {
		log_line("%s: its service was started TriggerLimitBurst= times in "
			 "TriggerLimitIntervalSec= and does not take what comes: no more", u->name);
		fail(u, RESULT_START_LIMIT);
		return;
	}
	if (!conf_of(u)->accept || !listen_accepts(it->listen)) {
		start_service(u);
		return;
	}
	it->task = knell_add_read(l, on_readable, it, fd);
	for (int i = 0; i < PER_PASS && u->state == SOCKET_LISTENING && take_connection(u, fd); i++)
		;
}

static void watch(struct unit *u)
{
	struct socket_run *r = u->socket_run;

	for (size_t i = 0; i < r->nr; i++)
		if (!knell_pending(queue_loop(), r->v[i].task))
			r->v[i].task = knell_add_read(queue_loop(), on_readable, &r->v[i],
						      r->v[i].fd);
}

/* The service is down, or was never up. */
static void listen_again(struct unit *u)
{
	struct socket_run *r = u->socket_run;

	for (size_t i = 0; conf_of(u)->flush_pending && i < r->nr; i++)
		listen_flush(r->v[i].listen, r->v[i].fd);
	unit_set_state(u, SOCKET_LISTENING);
	watch(u);
}

static int find_owner(struct unit *u, struct owner *owner)
{
	const struct socket *c = conf_of(u);
	struct exec_context ctx = { .user = c->user, .group = c->group };
	const struct exec_request rq = { .file = u->file, .ctx = &ctx };
	struct cred cred;

	*owner = (struct owner){ -1, -1 };
	if (!c->user.name && !c->group.name)
		return 0;
	if (cred_find(&rq, &cred))
		return -ENOENT;
	owner->uid = cred.set_uid ? cred.uid : (uid_t)-1;
	owner->gid = cred.set_gid ? cred.gid : (gid_t)-1;
	cred_free(&cred);
	return 0;
}

int socket_open(struct unit *u, const struct listen *l, struct owner owner)
{
	struct socket_run *r = u->socket_run;
	int fd = listen_open(u->name, conf_of(u), l, owner);

	if (fd < 0) {
		log_line("%s: cannot listen at %s: %s", unit_where(u->file, l->where), l->address,
			 fd == -EOPNOTSUPP ? "knelld has nothing of the kind" : strerror(-fd));
		return fd;
	}
	r->v[r->nr++] = (struct listener){ .unit = u, .listen = l, .fd = fd };
	fd_make_room(fd);
	return 0;
}

static int open_all(struct unit *u)
{
	const struct socket *c = conf_of(u);
	const char *which = NULL;
	struct owner owner;
	int err = find_owner(u, &owner);

	close_all(u);
	u->socket_run->v = xcalloc(c->nr_listen, sizeof(*u->socket_run->v));
	for (size_t i = 0; i < c->nr_listen && !err; i++)
		err = socket_open(u, &c->listen[i], owner);
	if (!err && listen_link(c, &which))
		log_line("%s: Symlinks=%s: %s", u->name, which, strerror(errno));
	return err;
}

static void commands_done(struct unit *u)
{
	switch (u->exec) {
	case EXEC_START_PRE:
		if (open_all(u))
			fail(u, RESULT_RESOURCES);
		else
			run_list(u, EXEC_START_POST, SOCKET_START_POST);
		return;
	case EXEC_START_POST:
		unit_set_state(u, SOCKET_LISTENING);
		watch(u);
		return;
	case EXEC_STOP:
		close_all(u);
		if (conf_of(u)->remove_on_stop)
			listen_remove(conf_of(u));
		run_list(u, EXEC_STOP_POST, SOCKET_STOP_POST);
		return;
	default:
		close_all(u);
		unit_set_state(u, u->result == RESULT_SUCCESS ? SOCKET_DEAD : SOCKET_FAILED);
	}
}

static void socket_start(struct unit *u)
{
	const struct unit *service;

	unit_take_latest(u);
	free(u->failure);
	u->failure = NULL;
	service = conf_of(u)->accept ? NULL : service_of(u);
	u->result = RESULT_SUCCESS;
	socket_run_of(u)->limit_begin = 0;
	if (service && is_busy(service)) {
		log_line("%s: %s runs without it: it has to be stopped first", u->name,
			 service->name);
		note(u, RESULT_RESOURCES);
		unit_set_state(u, SOCKET_FAILED);
	} else {
		run_list(u, EXEC_START_PRE, SOCKET_START_PRE);
	}
}

static void socket_resume(struct unit *u)
{
	const struct unit *service = conf_of(u)->accept ? NULL : service_of(u);
	struct socket_run *r = socket_run_of(u);

	if (u->state != SOCKET_LISTENING && u->state != SOCKET_RUNNING) {
		if (u->control)
			unit_arm(u, conf_of(u)->timeout_ns);
		else
			run_commands(u);
		return;
	}
	if (!r->nr && is_busy(service) && service->pid) {
		socket_take_back(u, service);
	} else if (!r->nr && open_all(u)) {
		fail(u, RESULT_RESOURCES);
		return;
	}
	if (is_busy(service))
		unit_set_state(u, SOCKET_RUNNING);
	else
		listen_again(u);
}

/* Its service has changed. */
static void socket_triggered(struct unit *u, struct unit *by)
{
	if (conf_of(u)->accept)
		return;
	if (u->state == SOCKET_LISTENING && is_busy(by)) {
		unwatch(u);
		unit_set_state(u, SOCKET_RUNNING);
	} else if (u->state == SOCKET_RUNNING && !is_busy(by)) {
		service_is_down(u, by);
	}
}

const struct unit_ops socket_ops = {
	.states = states,
	.nr_states = ARRAY_SIZE(states),
	.failed = SOCKET_FAILED,
	.start = socket_start,
	.stop = begin_stop,
	.triggered = socket_triggered,
	.expired = expired,
	.resume = socket_resume,
};
