// SPDX-License-Identifier: GPL-2.0-only
/*
 * metrics --http: answers GET /metrics, for Prometheus and the like. The socket is somebody
 * else's: knelld's or another's by LISTEN_FDS, or inetd's as standard input; it listens, or is a
 * connection already. One client is served at a time, and none for long: what a client sends is
 * bounded in size and in time, and never taken for more than a line of a request.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "knellctl.h"

#define FIRST_FD	3		/* of sd_listen_fds(3) */
#define REQUEST_MAX	8192		/* bytes, up to the empty line */
#define PATIENCE_MS	5000		/* for a request, and again for the answer */
#define OPENMETRICS	"application/openmetrics-text"
#define IN_OPENMETRICS	OPENMETRICS "; version=1.0.0; charset=utf-8"
#define IN_PLAIN	"text/plain; version=0.0.4; charset=utf-8"
#define WORDS		"text/plain; charset=utf-8"

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}

/* Can it be read from, or written to, before it is @until? */
static bool await(int fd, short events, int64_t until)
{
	struct pollfd p = { .fd = fd, .events = events };
	int64_t left;
	int n;

	do {
		left = until - now_ms();
		n = poll(&p, 1, left > 0 ? (int)left : 0);
	} while (n < 0 && errno == EINTR);
	return n > 0;
}

static void put(int fd, const char *data, size_t len, int64_t until)
{
	while (len && await(fd, POLLOUT, until)) {
		ssize_t n = send(fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return;
		if (n > 0) {
			data += n;
			len -= (size_t)n;
		}
	}
}

/* @status: "200 OK"; @head: the head alone, as HEAD wants it. */
static void answer(int fd, const char *status, const char *type, const char *body, bool head)
{
	int64_t until = now_ms() + PATIENCE_MS;
	char *text = xasprintf("HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n%s"
			       "Connection: close\r\n\r\n%s", status, type, strlen(body),
			       strncmp(status, "405", 3) ? "" : "Allow: GET, HEAD\r\n",
			       head ? "" : body), rest[1024];

	put(fd, text, strlen(text), until);
	free(text);
	/* What was never read would reset the connection, and the answer would be lost with it. */
	shutdown(fd, SHUT_WR);
	for (size_t got = 0; got < 16 * REQUEST_MAX && await(fd, POLLIN, until);) {
		ssize_t n = recv(fd, rest, sizeof(rest), MSG_DONTWAIT);

		if (!n || (n < 0 && errno != EAGAIN && errno != EINTR))
			break;
		got += n > 0 ? (size_t)n : 0;
	}
}

static void refuse(int fd, const char *status, const char *words)
{
	char *body = xasprintf("%s: %s\n", status, words);

	answer(fd, status, WORDS, body, false);
	free(body);
}

/* The head of a request, as text; NULL: there is none, which the client was told. */
static const char *read_head(int fd, char buf[REQUEST_MAX + 1])
{
	int64_t until = now_ms() + PATIENCE_MS;
	size_t len = 0;

	while (len < REQUEST_MAX) {
		ssize_t n;

		if (!await(fd, POLLIN, until)) {
			refuse(fd, "408 Request Timeout", "the request did not come in time");
			return NULL;
		}
		n = recv(fd, buf + len, REQUEST_MAX - len, MSG_DONTWAIT);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (n <= 0)
			return NULL;
		len += (size_t)n;
		buf[len] = '\0';
		if (memmem(buf, len, "\r\n\r\n", 4) || memmem(buf, len, "\n\n", 2)) {
			if (!memchr(buf, '\0', len))
				return buf;
			refuse(fd, "400 Bad Request", "it has a NUL in it");
			return NULL;
		}
	}
	refuse(fd, "431 Request Header Fields Too Large", "more than 8192 bytes");
	return NULL;
}

/* "/metrics", "/metrics?any=thing", or the same behind "http://host" */
static bool is_metrics(const char *target, size_t len)
{
	static const char path[] = "/metrics", scheme[] = "http://";
	const char *end = target + len;

	if (len >= strlen(scheme) && !strncmp(target, scheme, strlen(scheme))) {
		target += strlen(scheme);
		target += strcspn(target, "/ ");
	}
	len = strlen(path);
	return end - target >= (ptrdiff_t)len && !strncmp(target, path, len) &&
	       (target + len == end || target[len] == '?');
}

/* Does a line "Accept: " of the request name it? */
static bool accepts_openmetrics(const char *lines)
{
	while ((lines = strchr(lines, '\n'))) {
		size_t len = strcspn(++lines, "\r\n");
		char *line = strndup(lines, len);
		bool found = line && !strncasecmp(line, "Accept:", 7) &&
			     strcasestr(line, OPENMETRICS);

		free(line);
		if (found)
			return true;
	}
	return false;
}

/*
 * The text format from before OpenMetrics, to be freed: the name of a family is that of its
 * samples, there is no type "info", and no end.
 */
static char *plain_of(const char *text)
{
	char *plain = NULL, name[128], type[16], suffix[8] = "";
	size_t size = 0, len;
	FILE *f = open_memstream(&plain, &size);

	for (; f && *text; text += len + (text[len] == '\n')) {
		len = strcspn(text, "\n");
		if (sscanf(text, "# TYPE %127s %15s", name, type) == 2) {
			snprintf(suffix, sizeof(suffix), "%s", !strcmp(type, "counter") ? "_total" :
				 !strcmp(type, "info") ? "_info" : "");
			fprintf(f, "# TYPE %s%s %s\n", name, suffix,
				strcmp(type, "info") ? type : "gauge");
		} else if (sscanf(text, "# HELP %127s", name) == 1) {
			size_t skip = strlen("# HELP ") + strlen(name);

			fprintf(f, "# HELP %s%s%.*s\n", name, suffix, (int)(len - skip),
				text + skip);
		} else if (*text != '#') {
			fprintf(f, "%.*s\n", (int)len, text);
		}
	}
	if (f)
		fclose(f);
	return plain;
}

static void answer_text(int fd, const char *text, bool openmetrics, bool head)
{
	char *plain = openmetrics ? NULL : plain_of(text);

	answer(fd, "200 OK", plain ? IN_PLAIN : IN_OPENMETRICS, plain ? plain : text, head);
	free(plain);
}

static void answer_metrics(int fd, bool openmetrics, bool head)
{
	json_t *reply = NULL;
	int err = call("Metrics", NULL, &reply);

	/* The next client may find another knelld. */
	call_close();
	if (!err && *get_str(reply, "text")) {
		answer_text(fd, get_str(reply, "text"), openmetrics, head);
	} else {
		if (err < 0)
			call_failed(err);
		refuse(fd, "503 Service Unavailable", "knelld does not answer");
	}
	json_decref(reply);
}

/* "GET /metrics HTTP/1.1"; of the lines after it only "Accept:" has something to say here. */
static void serve(int fd)
{
	char buf[REQUEST_MAX + 1];
	const char *line = read_head(fd, buf), *target, *version;
	size_t method, len;

	if (!line)
		return;
	method = strcspn(line, " \r\n");
	target = line + method + (line[method] == ' ');
	len = strcspn(target, " \r\n");
	version = target + len + (target[len] == ' ');
	if (!method || !len || strncmp(version, "HTTP/1.", 7) ||
	    !(version[7] == '0' || version[7] == '1') || !strchr("\r\n", version[8]))
		refuse(fd, "400 Bad Request", "not a request of HTTP/1.0 or HTTP/1.1");
	else if (!(method == 3 && !strncmp(line, "GET", 3)) &&
		 !(method == 4 && !strncmp(line, "HEAD", 4)))
		refuse(fd, "405 Method Not Allowed", "GET and HEAD are");
	else if (!is_metrics(target, len))
		refuse(fd, "404 Not Found", "there is only /metrics");
	else
		answer_metrics(fd, accepts_openmetrics(version), method == 4);
}

static bool listens(int fd)
{
	int on = 0;
	socklen_t len = sizeof(on);

	return !getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &on, &len) && on;
}

/* Until it is killed, or the socket is no more. */
static int serve_all(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int client;

	for (;;) {
		/* It may be one that does not block, and two may have been told of one client. */
		poll(&p, 1, -1);
		client = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
		if (client >= 0) {
			serve(client);
			close(client);
			continue;
		}
		/* Those of a client that has gone, and of the net: accept(2). */
		if (errno == EINVAL || errno == EBADF || errno == ENOTSOCK || errno == EMFILE ||
		    errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
			complain("cannot accept connections: %s", strerror(errno));
			return EX_FAILED;
		}
	}
}

/* How many descriptors were passed to this process, from FIRST_FD on. */
static long passed(void)
{
	const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");

	return pid && fds && strtol(pid, NULL, 10) == getpid() ? strtol(fds, NULL, 10) : 0;
}

int http_serve(void)
{
	long nr = passed();
	int fd = nr > 0 ? FIRST_FD : STDIN_FILENO, type;
	socklen_t len = sizeof(type);

	if (nr > 1) {
		complain("--http: %ld sockets were passed; it serves one", nr);
		return EX_USAGE;
	}
	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0 || type != SOCK_STREAM) {
		complain("--http: no socket was passed, neither by LISTEN_FDS nor as standard "
			 "input; socket units and inetd do that");
		return EX_USAGE;
	}
	signal(SIGPIPE, SIG_IGN);
	if (listens(fd))
		return serve_all(fd);
	serve(fd);
	return EX_OK;
}
