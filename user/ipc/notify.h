/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a service says to its manager: sd_notify(3)'s datagrams.
 *
 * Each unit that may speak has a socket of its own, bound before its processes are made: whose
 * message it is says the socket, and nobody has to be looked up who may have died meanwhile. The
 * kernel vouches for the sender's pid and uid as of when it was sent.
 */
#ifndef _KNELLD_NOTIFY_H
#define _KNELLD_NOTIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

struct knell_loop;

#define NOTIFY_TEXT_MAX	4096	/* of one message, bytes: sd_notify(3)'s own limit */
#define NOTIFY_FDS_MAX	253	/* the kernel's */

/* struct notify.set: what a message says */
#define NOTIFY_READY		(1U << 0)	/* of these three, the last that it names */
#define NOTIFY_RELOADING	(1U << 1)
#define NOTIFY_STOPPING		(1U << 2)
#define NOTIFY_STATUS		(1U << 3)
#define NOTIFY_ERRNO		(1U << 4)
#define NOTIFY_BUSERROR		(1U << 5)
#define NOTIFY_EXIT_STATUS	(1U << 6)
#define NOTIFY_MAINPID		(1U << 7)
#define NOTIFY_WATCHDOG		(1U << 8)	/* alive */
#define NOTIFY_TRIGGER		(1U << 9)	/* to be treated as if it were not */
#define NOTIFY_WATCHDOG_USEC	(1U << 10)
#define NOTIFY_EXTEND		(1U << 11)
#define NOTIFY_MONOTONIC	(1U << 12)
#define NOTIFY_FDSTORE		(1U << 13)
#define NOTIFY_FDREMOVE		(1U << 14)
#define NOTIFY_BARRIER		(1U << 15)
#define NOTIFY_SET_ACCESS	(1U << 16)
#define NOTIFY_PROGRESS		(NOTIFY_READY | NOTIFY_RELOADING | NOTIFY_STOPPING)

/**
 * struct notify - a message; valid until the callback returns
 * @set: which of the following it gives; what it gives wrongly is in none
 * @bad: the first key whose value is no good, NULL: none
 * @pid: of the sender, 0: in a pid namespace that is not seen from here
 * @uid: of the sender
 * @status: STATUS=, UTF-8 without control characters
 * @bus_error: BUSERROR=
 * @fd_name: FDNAME=, "stored" if there is none
 * @fd_poll: drop a stored one when its other end is gone
 * @err: ERRNO=
 * @exit_status: EXIT_STATUS=
 * @main_pid: MAINPID=, still to be checked
 * @watchdog_usec: WATCHDOG_USEC=
 * @extend_usec: EXTEND_TIMEOUT_USEC=
 * @monotonic_usec: MONOTONIC_USEC=
 * @access: NOTIFYACCESS=, an enum notify_access
 * @fds: close-on-exec; who keeps one puts -1 there, the others are closed after the callback
 * @nr_fds: so many
 */
struct notify {
	uint32_t set;
	const char *bad;
	pid_t pid;
	uid_t uid;
	const char *status;
	const char *bus_error;
	const char *fd_name;
	bool fd_poll;
	int err;
	int exit_status;
	pid_t main_pid;
	uint64_t watchdog_usec;
	uint64_t extend_usec;
	uint64_t monotonic_usec;
	uint8_t access;
	int *fds;
	size_t nr_fds;
};

typedef void notify_cb(struct notify *n, void *arg);

struct notify_socket;

/* notify.c */
int notify_parse(struct notify *n, char *text, size_t len);
bool fd_name_ok(const char *name);
struct notify_socket *notify_open(struct knell_loop *l, int fd, const char *path, const char *who,
				  notify_cb *cb, void *arg);
int notify_fd(const struct notify_socket *s);
void notify_drain(struct notify_socket *s);
void notify_close(struct notify_socket *s);

#endif
