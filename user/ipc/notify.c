// SPDX-License-Identifier: GPL-2.0-only
/*
 * Datagrams of sd_notify(3): received, and taken apart.
 *
 * The text is somebody else's: what is no good in it is named and skipped, and the rest counts. A
 * message is dealt with to its end before its descriptors are closed, and before the next one is
 * looked at: closing them is what sd_notify_barrier(3) waits for.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base.h"
#include "knell.h"
#include "notify.h"

#define PER_PASS	16		/* messages of a unit before others have their turn */
#define PER_DRAIN	1024		/* the kernel queues less, but one may go on writing */
#define COMPLAINT_NS	(10 * NSEC_PER_SEC)

struct notify_socket {
	struct knell_loop *loop;
	knell_task task;
	int fd;
	notify_cb *cb;
	void *arg;
	char *who;
	char *path;
	uint64_t complained;		/* a flood of nonsense does not flood the log */
	unsigned int busy;		/* callbacks that have not returned */
	bool closed;			/* by one of them */
};

/* A name of a stored descriptor, as LISTEN_FDNAMES can tell it. */
bool fd_name_ok(const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < len; i++)
		if (name[i] < ' ' || name[i] > '~' || name[i] == ':')
			return false;
	return len && len <= 255;
}

/* Bytes of the character that begins @s, 0: none does. */
static size_t utf8_char(const unsigned char *s)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t len = *s < 0x80 ? 1 : *s >> 5 == 6 ? 2 : *s >> 4 == 14 ? 3 : *s >> 3 == 30 ? 4 : 0;
	uint32_t c = len > 1 ? *s & (0x7f >> len) : *s;

	for (size_t i = 1; i < len; i++) {
		if (s[i] >> 6 != 2)
			return 0;
		c = c << 6 | (s[i] & 0x3f);
	}
	if (len && (c < least[len] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000)))
		return 0;
	return len;
}

/* Is it text? Its control characters become blanks. */
static bool clean_text(char *s)
{
	size_t len;

	for (; *s; s += len) {
		len = utf8_char((unsigned char *)s);
		if (!len)
			return false;
		if (len == 1 && ((unsigned char)*s < ' ' || *s == 0x7f))
			*s = ' ';
	}
	return true;
}

/* What is none leaves alone what an earlier line has said. */
static bool number(const char *s, uint64_t min, uint64_t max, uint64_t *v)
{
	unsigned long long nr;
	char *end;

	if (*s < '0' || *s > '9')
		return false;
	errno = 0;
	nr = strtoull(s, &end, 10);
	if (errno || *end || nr < min || nr > max)
		return false;
	*v = nr;
	return true;
}

static bool take_number(const char *s, uint64_t min, uint64_t max, int *v)
{
	uint64_t nr;

	if (!number(s, min, max, &nr))
		return false;
	*v = nr;
	return true;
}

/* One function for each sort of value: false if it is no good. */

static bool take_progress(struct notify *n, char *v, uint32_t bit)
{
	if (strcmp(v, "1"))
		return false;
	n->set = (n->set & ~NOTIFY_PROGRESS) | bit;
	return true;
}

static bool take_flag(struct notify *n, char *v, uint32_t bit)
{
	(void)n;
	(void)bit;
	return !strcmp(v, "1");
}

static bool take_text(struct notify *n, char *v, uint32_t bit)
{
	if (!clean_text(v))
		return false;
	*(bit == NOTIFY_STATUS ? &n->status : &n->bus_error) = v;
	return true;
}

static bool take_int(struct notify *n, char *v, uint32_t bit)
{
	if (bit == NOTIFY_ERRNO)
		return take_number(v, 0, 4095, &n->err);
	if (bit == NOTIFY_EXIT_STATUS)
		return take_number(v, 0, 255, &n->exit_status);
	return take_number(v, 1, INT_MAX, &n->main_pid);
}

static bool take_usec(struct notify *n, char *v, uint32_t bit)
{
	uint64_t *to = bit == NOTIFY_EXTEND ? &n->extend_usec :
		       bit == NOTIFY_MONOTONIC ? &n->monotonic_usec : &n->watchdog_usec;

	return number(v, 0, UINT64_MAX, to);
}

static bool take_watchdog(struct notify *n, char *v, uint32_t bit)
{
	if (strcmp(v, "trigger"))
		return take_flag(n, v, bit);
	n->set |= NOTIFY_TRIGGER;
	return true;
}

static bool take_fd_name(struct notify *n, char *v, uint32_t bit)
{
	(void)bit;
	if (!fd_name_ok(v))
		return false;
	n->fd_name = v;
	return true;
}

static bool take_fd_poll(struct notify *n, char *v, uint32_t bit)
{
	bool poll;

	(void)bit;
	if (parse_bool(v, &poll))
		return false;
	n->fd_poll = poll;
	return true;
}

static bool take_access(struct notify *n, char *v, uint32_t bit)
{
	static const char *const names[] = { "none", "main", "exec", "all" };

	(void)bit;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (strcmp(v, names[i]))
			continue;
		n->access = i;
		return true;
	}
	return false;
}

static const struct key {
	const char *name;
	uint32_t bit;
	bool (*take)(struct notify *n, char *v, uint32_t bit);
} keys[] = {
	{ "READY", NOTIFY_READY, take_progress },
	{ "RELOADING", NOTIFY_RELOADING, take_progress },
	{ "STOPPING", NOTIFY_STOPPING, take_progress },
	{ "STATUS", NOTIFY_STATUS, take_text },
	{ "ERRNO", NOTIFY_ERRNO, take_int },
	{ "BUSERROR", NOTIFY_BUSERROR, take_text },
	{ "EXIT_STATUS", NOTIFY_EXIT_STATUS, take_int },
	{ "MAINPID", NOTIFY_MAINPID, take_int },
	{ "WATCHDOG", NOTIFY_WATCHDOG, take_watchdog },
	{ "WATCHDOG_USEC", NOTIFY_WATCHDOG_USEC, take_usec },
	{ "EXTEND_TIMEOUT_USEC", NOTIFY_EXTEND, take_usec },
	{ "MONOTONIC_USEC", NOTIFY_MONOTONIC, take_usec },
	{ "FDSTORE", NOTIFY_FDSTORE, take_flag },
	{ "FDSTOREREMOVE", NOTIFY_FDREMOVE, take_flag },
	{ "FDNAME", 0, take_fd_name },
	{ "FDPOLL", 0, take_fd_poll },
	{ "BARRIER", NOTIFY_BARRIER, take_flag },
	{ "NOTIFYACCESS", NOTIFY_SET_ACCESS, take_access },
};

static void parse_line(struct notify *n, char *line)
{
	size_t len = strcspn(line, "=");

	for (const struct key *k = keys; k < keys + ARRAY_SIZE(keys); k++) {
		if (!line[len] || strlen(k->name) != len || strncmp(line, k->name, len))
			continue;
		if (!k->take(n, line + len + 1, k->bit))
			n->bad = n->bad ? n->bad : k->name;
		else if (!(k->bit & NOTIFY_PROGRESS))
			n->set |= k->bit;
		return;
	}
}

/**
 * notify_parse - take a message apart
 * @n: pid, uid and fds stay as they are
 * @text: cut up; @len bytes and room for one more
 *
 * Return: 0, -EINVAL a NUL within, as systemd(1) refuses it
 */
int notify_parse(struct notify *n, char *text, size_t len)
{
	char *line;

	n->set = 0;
	n->bad = NULL;
	n->status = n->bus_error = NULL;
	n->fd_name = "stored";
	n->fd_poll = true;
	while (len && !text[len - 1])
		len--;
	text[len] = '\0';
	if (strlen(text) != len)
		return -EINVAL;
	while ((line = strsep(&text, "\n")))
		parse_line(n, line);
	/* A plain sign of life beside it is not meant. */
	if (n->set & NOTIFY_TRIGGER)
		n->set &= ~NOTIFY_WATCHDOG;
	return 0;
}

static void complain(struct notify_socket *s, pid_t pid, const char *what, const char *which)
{
	uint64_t now = knell_now(s->loop);

	if (s->complained && now - s->complained < COMPLAINT_NS)
		return;
	s->complained = now;
	log_line("%s: message of process %d: %s%s", s->who, pid, what, which);
}

/* The sender, as the kernel vouches for it, and the descriptors. */
static void take_control(struct msghdr *msg, struct notify *n)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level != SOL_SOCKET)
			continue;
		if (c->cmsg_type == SCM_RIGHTS) {
			n->fds = (int *)CMSG_DATA(c);
			n->nr_fds = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		} else if (c->cmsg_type == SCM_CREDENTIALS) {
			struct ucred cred;

			memcpy(&cred, CMSG_DATA(c), sizeof(cred));
			n->pid = cred.pid;
			n->uid = cred.uid;
		}
	}
}

static void deal_with(struct notify_socket *s, const struct msghdr *msg, struct notify *n,
		      char *text, size_t len)
{
	if (msg->msg_flags & MSG_TRUNC)
		complain(s, n->pid, "too long, ignored", "");
	else if (notify_parse(n, text, len))
		complain(s, n->pid, "a NUL in it, ignored", "");
	else
		s->cb(n, s->arg);
	if (n->bad)
		complain(s, n->pid, "ignored, its value is no good: ", n->bad);
	/* What came, came: there was no room in this process for the others. */
	if (msg->msg_flags & MSG_CTRUNC)
		complain(s, n->pid, "too many descriptors, some are lost", "");
}

/* One message: false if there is none, or @s is no more. */
static bool receive(struct notify_socket *s)
{
	static char text[NOTIFY_TEXT_MAX + 1];
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(struct ucred)) +
					      CMSG_SPACE(sizeof(int) * NOTIFY_FDS_MAX)];
	struct iovec iov = { text, NOTIFY_TEXT_MAX };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	struct notify n = { .uid = (uid_t)-1 };
	ssize_t len;

	do {
		len = recvmsg(s->fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	} while (len < 0 && errno == EINTR);
	if (len < 0)
		return false;
	take_control(&msg, &n);
	s->busy++;
	deal_with(s, &msg, &n, text, len);
	for (size_t i = 0; i < n.nr_fds; i++)
		if (n.fds[i] >= 0)
			close(n.fds[i]);
	if (--s->busy || !s->closed)
		return !s->closed;
	notify_close(s);
	return false;
}

static void on_readable(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	struct notify_socket *s = arg;

	(void)call;
	/* Before the callbacks: one of them may close it. */
	s->task = knell_add_read(l, on_readable, s, s->fd);
	for (int i = 0; i < PER_PASS && receive(s); i++)
		;
}

/**
 * notify_drain - deal with all that has come
 * @s: socket; NULL is fine
 *
 * For whoever is about to draw conclusions from the death of a process that may have spoken.
 */
void notify_drain(struct notify_socket *s)
{
	for (int i = 0; s && i < PER_DRAIN && receive(s); i++)
		;
}

/* The descriptor, for who hands it over. */
int notify_fd(const struct notify_socket *s)
{
	return s ? s->fd : -1;
}

static int bind_at(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd, yes = 1, err;

	if (strlen(path) >= sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	strcpy(addr.sun_path, path);
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	/* Who may speak is decided by who has spoken: a service changes its user as it likes. */
	if (setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &yes, sizeof(yes)) < 0 ||
	    (unlink(path) < 0 && errno != ENOENT) ||
	    bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 || chmod(path, 0777) < 0) {
		err = -errno;
		close(fd);
		return err;
	}
	return fd;
}

/**
 * notify_open - a socket to be spoken to, from here on
 * @l: loop
 * @fd: one that was handed over, and is bound there already; -1: there is none
 * @path: where; what is there goes. $NOTIFY_SOCKET
 * @who: named in the log
 * @cb: for each message
 * @arg: its argument
 *
 * Return: NULL and errno
 */
struct notify_socket *notify_open(struct knell_loop *l, int fd, const char *path, const char *who,
				  notify_cb *cb, void *arg)
{
	struct notify_socket *s;

	fd = fd < 0 ? bind_at(path) : fd;
	if (fd < 0) {
		errno = -fd;
		return NULL;
	}
	s = xcalloc(1, sizeof(*s));
	*s = (struct notify_socket){
		.loop = l, .fd = fd, .cb = cb, .arg = arg,
		.who = xstrdup(who), .path = xstrdup(path),
	};
	s->task = knell_add_read(l, on_readable, s, fd);
	if (!knell_is_none(s->task))
		return s;
	notify_close(s);
	return NULL;
}

/* NULL is fine; from its callback, too. */
void notify_close(struct notify_socket *s)
{
	if (!s)
		return;
	if (!s->closed) {
		knell_cancel(s->loop, s->task);
		unlink(s->path);
	}
	s->closed = true;
	if (s->busy)
		return;
	close(s->fd);
	free(s->who);
	free(s->path);
	free(s);
}
