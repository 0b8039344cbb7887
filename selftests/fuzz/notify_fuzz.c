// SPDX-License-Identifier: GPL-2.0-only
/*
 * Messages of sd_notify(3): taken apart, printed from the parts and taken apart again they are the
 * same, and the same that comes through a socket, with descriptors that are all closed again.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base.h"
#include "fuzz.h"
#include "knell.h"
#include "notify.h"

bool utf8_valid(const char *s);		/* the library of units' own */

static struct notify_socket *heard;
static int speaks, null_fd, first_free;
static char came[3 * NOTIFY_TEXT_MAX];
static unsigned int messages;

static const char *const accesses[] = { "none", "main", "exec", "all" };
static const struct {
	uint32_t bit;
	const char *key;
} flags[] = {
	{ NOTIFY_READY, "READY" }, { NOTIFY_RELOADING, "RELOADING" },
	{ NOTIFY_STOPPING, "STOPPING" }, { NOTIFY_WATCHDOG, "WATCHDOG" },
	{ NOTIFY_FDSTORE, "FDSTORE" }, { NOTIFY_FDREMOVE, "FDSTOREREMOVE" },
	{ NOTIFY_BARRIER, "BARRIER" },
};

/* As a service would say it. */
static void print(const struct notify *n, char *text, size_t size)
{
	FILE *f = fmemopen(text, size, "w");

	for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
		if (n->set & flags[i].bit)
			fprintf(f, "%s=1\n", flags[i].key);
	if (n->set & NOTIFY_TRIGGER)
		fprintf(f, "WATCHDOG=trigger\n");
	if (n->set & NOTIFY_STATUS)
		fprintf(f, "STATUS=%s\n", n->status);
	if (n->set & NOTIFY_BUSERROR)
		fprintf(f, "BUSERROR=%s\n", n->bus_error);
	if (n->set & NOTIFY_ERRNO)
		fprintf(f, "ERRNO=%d\n", n->err);
	if (n->set & NOTIFY_EXIT_STATUS)
		fprintf(f, "EXIT_STATUS=%d\n", n->exit_status);
	if (n->set & NOTIFY_MAINPID)
		fprintf(f, "MAINPID=%d\n", n->main_pid);
	if (n->set & NOTIFY_WATCHDOG_USEC)
		fprintf(f, "WATCHDOG_USEC=%ju\n", (uintmax_t)n->watchdog_usec);
	if (n->set & NOTIFY_EXTEND)
		fprintf(f, "EXTEND_TIMEOUT_USEC=%ju\n", (uintmax_t)n->extend_usec);
	if (n->set & NOTIFY_MONOTONIC)
		fprintf(f, "MONOTONIC_USEC=%ju\n", (uintmax_t)n->monotonic_usec);
	if (n->set & NOTIFY_SET_ACCESS)
		fprintf(f, "NOTIFYACCESS=%s\n", accesses[n->access]);
	fprintf(f, "FDNAME=%s\nFDPOLL=%d", n->fd_name, n->fd_poll);
	fclose(f);
}

static void check_text(const char *text, const char *from, size_t len)
{
	CHECK(text >= from && text + strlen(text) <= from + len, "not within the message");
	CHECK(utf8_valid(text), "not UTF-8");
	for (; *text; text++)
		CHECK((unsigned char)*text >= ' ' && *text != 0x7f, "a control character");
}

static void check_values(const struct notify *n, const char *text, size_t len)
{
	CHECK(!(n->set & NOTIFY_PROGRESS) || __builtin_popcount(n->set & NOTIFY_PROGRESS) == 1,
	      "ready, reloading and stopping at a time");
	CHECK(!(n->set & NOTIFY_TRIGGER) || !(n->set & NOTIFY_WATCHDOG), "alive and not");
	if (n->set & NOTIFY_STATUS)
		check_text(n->status, text, len);
	if (n->set & NOTIFY_BUSERROR)
		check_text(n->bus_error, text, len);
	CHECK(fd_name_ok(n->fd_name), "\"%s\"", n->fd_name);
	CHECK(!(n->set & NOTIFY_MAINPID) || n->main_pid > 0, "%d", n->main_pid);
	CHECK(!(n->set & NOTIFY_ERRNO) || (n->err >= 0 && n->err <= 4095), "%d", n->err);
	CHECK(!(n->set & NOTIFY_EXIT_STATUS) || (n->exit_status >= 0 && n->exit_status <= 255),
	      "%d", n->exit_status);
}

/* Where a NUL is that does not belong to the end. */
static bool nul_within(const uint8_t *data, size_t size)
{
	while (size && !data[size - 1])
		size--;
	return memchr(data, 0, size);
}

static void on_message(struct notify *n, void *arg)
{
	(void)arg;
	messages++;
	CHECK(n->pid == getpid() && n->uid == getuid(), "whose is it");
	for (size_t i = 0; i < n->nr_fds; i++)
		CHECK(n->fds[i] >= first_free, "%d", n->fds[i]);
	print(n, came, sizeof(came));
}

static void say(const uint8_t *data, size_t size, size_t nr_fds)
{
	struct iovec iov = { (void *)data, size };
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int) * 4)] = { 0 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *c = (struct cmsghdr *)control;

	if (nr_fds) {
		msg.msg_control = control;
		msg.msg_controllen = CMSG_SPACE(sizeof(int) * nr_fds);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int) * nr_fds);
		for (size_t i = 0; i < nr_fds; i++)
			memcpy(CMSG_DATA(c) + i * sizeof(int), &null_fd, sizeof(int));
	}
	CHECK(sendmsg(speaks, &msg, MSG_NOSIGNAL) == (ssize_t)size, "%s", strerror(errno));
}

static int lowest_free(void)
{
	int fd = dup(null_fd);

	close(fd);
	return fd;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static const struct knell_loop_attr attr = { .backend = KNELL_BACKEND_PIDFD };
	int fds[2], yes = 1;

	(void)argc;
	(void)argv;
	null_fd = open("/dev/null", O_RDONLY);
	CHECK(!socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, fds), "%s", strerror(errno));
	setsockopt(fds[0], SOL_SOCKET, SO_PASSCRED, &yes, sizeof(yes));
	speaks = fds[1];
	/* Of no file: there is none to be removed. */
	heard = notify_open(knell_loop_new(&attr), fds[0], "", "x.service", on_message, NULL);
	CHECK(heard, "%s", strerror(errno));
	return 0;
}

/* Lines that are no good by themselves do nothing at all. */
static void check_lines(const struct notify *n, const char *whole, const uint8_t *data,
			size_t size)
{
	static char line[NOTIFY_TEXT_MAX + 1], good[NOTIFY_TEXT_MAX + 2];
	static char others[3 * NOTIFY_TEXT_MAX];
	const char *p = (const char *)data, *end = p + size, *next;
	struct notify one = { .pid = 1 };
	size_t len = 0;
	bool bad = false;

	for (; p < end; p = next) {
		const char *eol = memchr(p, '\n', end - p);

		next = eol ? eol + 1 : end;
		memcpy(line, p, next - p);
		CHECK(!notify_parse(&one, line, next - p - !!eol), "a NUL");
		bad |= !!one.bad;
		if (one.bad)
			continue;
		memcpy(good + len, p, next - p);
		len += next - p;
	}
	CHECK(bad == !!n->bad, "%s", n->bad);
	one = (struct notify){ .pid = 1 };
	CHECK(!notify_parse(&one, good, len) && !one.bad, "%s", one.bad);
	print(&one, others, sizeof(others));
	CHECK(!strcmp(whole, others), "\"%s\" without lines that are no good: \"%s\"", whole,
	      others);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char first[3 * NOTIFY_TEXT_MAX], second[3 * NOTIFY_TEXT_MAX];
	struct notify n = { .pid = 1 }, again = { .pid = 1 };
	char *text;
	int ret;

	if (size > NOTIFY_TEXT_MAX)
		return 0;
	text = malloc(size + 1);
	memcpy(text, data, size);
	ret = notify_parse(&n, text, size);
	CHECK(ret == (nul_within(data, size) ? -EINVAL : 0), "%d", ret);
	messages = 0;
	first_free = lowest_free();
	say(data, size, size % 4);
	notify_drain(heard);
	CHECK(messages == !ret, "%u messages", messages);
	CHECK(lowest_free() == first_free, "a descriptor is left open");
	if (!ret) {
		check_values(&n, text, size);
		print(&n, first, sizeof(first));
		check_lines(&n, first, data, size);
		CHECK(!strcmp(first, came), "said \"%s\", heard \"%s\"", first, came);
		strcpy(second, first);
		CHECK(!notify_parse(&again, second, strlen(second)) && !again.bad,
		      "\"%s\": %s", first, again.bad);
		CHECK(again.set == n.set, "\"%s\"", first);
		print(&again, came, sizeof(came));
		CHECK(!strcmp(first, came), "\"%s\" is \"%s\"", first, came);
	}
	free(text);
	return 0;
}
