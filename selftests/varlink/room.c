// SPDX-License-Identifier: GPL-2.0-only
/* See room.h. */
#include "kselftest.h"
#include "room.h"

extern const char io_knell_test_varlink[];

static void echo(struct varlink_call *call, json_t *params, void *arg)
{
	struct room *r = arg;

	r->echoes++;
	varlink_reply(call, json_pack("{sO}", "all", params));
}

static void on_gone(struct varlink_call *call, void *arg)
{
	struct room *r = arg;

	for (size_t i = 0; i < ARRAY_SIZE(r->later); i++) {
		if (r->later[i] == call)
			r->later[i] = NULL;
	}
	for (unsigned int i = 0; i < r->nr_streams; i++) {
		if (r->streams[i] == call)
			r->streams[i--] = r->streams[--r->nr_streams];
	}
	r->gone++;
	varlink_drop(call);
}

static void later(struct varlink_call *call, json_t *params, void *arg)
{
	json_int_t id = json_integer_value(json_object_get(params, "id"));
	struct room *r = arg;

	if (id < 0 || id >= (json_int_t)ARRAY_SIZE(r->later) || r->later[id]) {
		varlink_bad_parameter(call, "id");
		return;
	}
	r->later[id] = call;
	varlink_call_on_gone(call, on_gone, r);
}

static void start_stream(struct varlink_call *call, json_t *params, void *arg)
{
	struct room *r = arg;

	(void)params;
	if (r->automatic) {
		for (unsigned int i = 0; i < r->automatic; i++)
			varlink_continue(call, json_pack("{si}", "n", (int)i));
		varlink_reply(call, json_pack("{si}", "n", -1));
		return;
	}
	if (r->nr_streams == ARRAY_SIZE(r->streams)) {
		varlink_bad_parameter(call, "id");
		return;
	}
	r->streams[r->nr_streams++] = call;
	varlink_call_on_gone(call, on_gone, r);
}

static void whoami(struct varlink_call *call, json_t *params, void *arg)
{
	const struct varlink_peer *p = varlink_call_peer(call);

	(void)arg;
	if (json_object_size(params) || varlink_call_params(call) != params)
		varlink_bad_parameter(call, "?");
	else
		varlink_reply(call, json_pack("{si si si sb}", "uid", (int)p->uid, "gid",
					      (int)p->gid, "pid", (int)p->pid, "privileged",
					      p->privileged));
}

static void nothing(struct varlink_call *call, json_t *params, void *arg)
{
	(void)params;
	(void)arg;
	varlink_reply(call, json_object());
}

static void big(struct varlink_call *call, json_t *params, void *arg)
{
	size_t size = json_integer_value(json_object_get(params, "size"));
	char *text = malloc(size + 1);
	struct room *r = arg;

	r->bumps++;
	if (text) {
		memset(text, 'x', size);
		text[size] = 0;
	}
	varlink_reply(call, text ? json_pack("{ss}", "text", text) : NULL);
	free(text);
}

static void bump(struct varlink_call *call, json_t *params, void *arg)
{
	struct room *r = arg;

	(void)params;
	varlink_reply(call, json_pack("{si}", "count", (int)++r->bumps));
}

static void fail(struct varlink_call *call, json_t *params, void *arg)
{
	(void)params;
	(void)arg;
	varlink_error(call, "io.knell.test.Broken", json_pack("{ss}", "why", "because"));
}

static void drop(struct varlink_call *call, json_t *params, void *arg)
{
	(void)params;
	(void)arg;
	varlink_drop(call);
}

static const struct varlink_param echo_params[] = {
	{ "bool", VARLINK_BOOL, false },
	{ "int", VARLINK_INT, false },
	{ "float", VARLINK_FLOAT, false },
	{ "string", VARLINK_STRING, false },
	{ "object", VARLINK_OBJECT, false },
	{ "array", VARLINK_ARRAY, false },
	{ "strings", VARLINK_STRINGS, false },
	{ "maybe", VARLINK_STRING, true },
	{ "colour", VARLINK_STRING, true },
	{ 0 }
};
static const struct varlink_param later_params[] = { { "id", VARLINK_INT, false }, { 0 } };
static const struct varlink_param stream_params[] = { { "id", VARLINK_INT, true }, { 0 } };
static const struct varlink_param big_params[] = { { "size", VARLINK_INT, false }, { 0 } };

static const struct varlink_method methods[] = {
	{ "Echo", echo, echo_params, 0 },
	{ "Later", later, later_params, 0 },
	{ "Stream", start_stream, stream_params, VARLINK_MORE },
	{ "Whoami", whoami, NULL, 0 },
	{ "Secret", nothing, NULL, VARLINK_PRIVILEGED },
	{ "Big", big, big_params, 0 },
	{ "Bump", bump, NULL, 0 },
	{ "Fail", fail, NULL, 0 },
	{ "Nothing", drop, NULL, 0 },
	{ "Missing", NULL, NULL, 0 },
	{ 0 }
};

const struct varlink_interface test_interface = {
	"io.knell.test", io_knell_test_varlink, methods
};

int room_open(struct room *r, enum knell_backend backend, const struct varlink_limits *limits)
{
	static const struct varlink_interface *const interfaces[] = { &test_interface, NULL };
	int err;

	memset(r, 0, sizeof(*r));
	strcpy(r->dir, "/tmp/varlink-test-XXXXXX");
	if (!mkdtemp(r->dir) || chmod(r->dir, 0755))
		return -errno;
	snprintf(r->path, sizeof(r->path), "%s/socket", r->dir);
	r->attr = (struct varlink_server_attr){
		.path = r->path, .mode = 0666, .owner = geteuid(), .vendor = "knell",
		.product = "test", .version = "1", .url = "file:///", .interfaces = interfaces,
		.arg = r,
	};
	if (limits)
		r->attr.limits = *limits;
	r->l = new_loop(backend);
	if (!r->l)
		return -errno;
	err = varlink_server_new(r->l, &r->attr, &r->server);
	return err;
}

void room_close(struct room *r)
{
	varlink_server_free(r->server);
	knell_loop_free(r->l);
	unlink(r->path);
	rmdir(r->dir);
	memset(r, 0, sizeof(*r));
}

pid_t room_fork(struct room *r, enum knell_backend backend, const struct varlink_limits *limits)
{
	pid_t pid, self = getpid();
	int fds[2];
	char ok;

	if (room_open(r, KNELL_BACKEND_PIDFD, limits))
		return -1;
	if (pipe2(fds, O_CLOEXEC))
		return -1;
	pid = fork();
	if (!pid) {
		/* A loop is its maker's; what it has bound goes on to another. */
		struct room child = *r;

		if (prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != self)
			_exit(1);
		child.attr.has_fd = true;
		child.attr.fd = dup(varlink_server_fd(r->server));
		child.attr.path = NULL;
		child.attr.arg = &child;
		child.l = new_loop(backend);
		child.automatic = 5;
		if (!child.l || varlink_server_new(child.l, &child.attr, &child.server) ||
		    write(fds[1], "k", 1) != 1)
			_exit(1);
		knell_loop_run(child.l, KNELL_RUN_DEFAULT);
		_exit(1);
	}
	close(fds[1]);
	if (pid > 0 && read(fds[0], &ok, 1) != 1)
		pid = -1;
	close(fds[0]);
	return pid;
}

void room_kill(struct room *r, pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	room_close(r);
}

void settle(struct room *r)
{
	uint64_t before;

	/* What was ready for the kernel is dispatched in the same pass or the next. */
	do {
		before = stats_of(r->l).dispatched;
		run_passes(r->l, 2);
	} while (stats_of(r->l).dispatched != before);
}

unsigned int stream(struct room *r, unsigned int n)
{
	unsigned int full = 0;
	uint64_t lost;
	json_t *event;

	for (unsigned int i = 0; i < r->nr_streams; i++) {
		event = json_pack("{si}", "n", (int)n);
		lost = varlink_call_lost(r->streams[i]);
		if (lost)
			json_object_set_new(event, "lost", json_integer(lost));
		full += varlink_continue(r->streams[i], event) == -ENOBUFS;
	}
	return full;
}

int client_of(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&addr, sizeof(addr))) {
		close(fd);
		return -1;
	}
	return fd;
}

int client_as(const char *path, uid_t uid)
{
	uid_t old = geteuid();
	int fd;

	if (seteuid(uid))
		return -1;
	fd = client_of(path);
	if (seteuid(old)) {
		close(fd);
		return -1;
	}
	return fd;
}

ssize_t put_bytes(int fd, const char *text, size_t len)
{
	return send(fd, text, len, MSG_NOSIGNAL | MSG_DONTWAIT);
}

void put_text(int fd, const char *text)
{
	put_bytes(fd, text, strlen(text) + 1);
}

char *get_text(int fd)
{
	size_t len = 0, size = 4096, more;
	char *text = malloc(size), *nul;
	ssize_t n;

	while ((n = recv(fd, text + len, size - len, MSG_DONTWAIT | MSG_PEEK)) > 0) {
		nul = memchr(text + len, 0, n);
		more = nul ? nul + 1 - (text + len) : n;
		/* The very bytes that were looked at. */
		if (recv(fd, text + len, more, MSG_DONTWAIT) != (ssize_t)more)
			abort();
		if (nul)
			return text;
		len += more;
		if (len == size) {
			size *= 2;
			text = realloc(text, size);
		}
	}
	free(text);
	return NULL;
}

bool is_closed(int fd)
{
	char byte;
	ssize_t n = recv(fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK);

	return !n || (n < 0 && errno == ECONNRESET);
}

char *ask(struct room *r, int fd, const char *text)
{
	put_text(fd, text);
	settle(r);
	return get_text(fd);
}
