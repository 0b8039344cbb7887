/* SPDX-License-Identifier: GPL-2.0-only */
/* What the selftests of kept queues share: keeping, attaching, managers that die. */
#ifndef _KEEP_TEST_H
#define _KEEP_TEST_H

#include "process_test.h"

static inline struct knell_name name_of(const char *text, uint32_t uid, uint32_t flags)
{
	struct knell_name name = { .uid = uid, .flags = flags };

	snprintf(name.name, sizeof(name.name), "%s", text);
	return name;
}

/* 0 or -errno */
static inline int keep_queue(int fd, const char *text)
{
	struct knell_name name = name_of(text, 0, 0);

	return ioctl(fd, KNELL_IOC_KEEP, &name) ? -errno : 0;
}

static inline int keep_off(int fd, const char *text)
{
	struct knell_name name = name_of(text, 0, KNELL_KEEP_OFF);

	return ioctl(fd, KNELL_IOC_KEEP, &name) ? -errno : 0;
}

/* A descriptor or -errno. */
static inline int attach_uid(int door, const char *text, uint32_t uid)
{
	struct knell_name name = name_of(text, uid, 0);
	int fd = ioctl(door, KNELL_IOC_ATTACH, &name);

	return fd < 0 ? -errno : fd;
}

static inline int attach(int door, const char *text)
{
	return attach_uid(door, text, 0);
}

/* The same by a door of its own. */
static inline int attach_anew(const char *text)
{
	int door = knell_open(0), fd;

	if (door < 0)
		return -errno;
	fd = attach(door, text);
	close(door);
	return fd;
}

/* Reads LIST to its end: how many watches there are, or -errno. */
static inline int read_list(int fd)
{
	struct knell_watch_info wi[16];
	uint32_t after = 0;
	int n, total = 0;

	do {
		n = list_watches(fd, wi, 16, after);
		if (n < 0)
			return n;
		total += n;
		if (n)
			after = wi[n - 1].watch;
	} while (n == 16);
	return total;
}

/* Takes over, reads LIST: a descriptor that delivers, or -errno. */
static inline int take_over(const char *text)
{
	int fd = attach_anew(text), n;

	if (fd < 0)
		return fd;
	n = read_list(fd);
	return n < 0 ? n : fd;
}

/* The queue of that name is gone afterwards, if there was one: 0, else -errno. */
static inline int drop_queue(const char *text)
{
	int fd = attach_anew(text), err;

	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	err = keep_off(fd, text);
	close(fd);
	return err;
}

/**
 * struct manager - a process that keeps a queue and is killed
 * @name: of the queue
 * @work: what it does with it before it is ready; 0, else it is broken
 * @arg: for @work, shared with the test
 * @pid: its
 * @fd: its descriptor, in the manager
 * @said: from the manager: ready
 */
struct manager {
	const char *name;
	int (*work)(struct manager *m);
	void *arg;
	pid_t pid;
	int fd;
	int said[2];
};

/* A new queue, or with @again the one that is there. */
static inline int manager_begin(struct manager *m, bool again)
{
	int err = 0;

	m->fd = again ? take_over(m->name) : knell_open(0);
	if (m->fd < 0)
		return m->fd;
	if (!again)
		err = keep_queue(m->fd, m->name);
	if (!err && m->work)
		err = m->work(m);
	return err;
}

/* Returns once the manager has done its work: 0, or -errno */
static inline int start_manager(struct manager *m, bool again)
{
	int err;
	char c;

	if (pipe(m->said))
		return -errno;
	m->pid = fork();
	if (m->pid < 0)
		return -errno;
	if (!m->pid) {
		close(m->said[0]);
		err = manager_begin(m, again);
		if (err)
			fprintf(stderr, "# manager of %s: %d\n", m->name, err);
		tell(m->said, err ? 'b' : 'r');
		for (;;)
			pause();
	}
	close(m->said[1]);
	c = hear(m->said);
	close(m->said[0]);
	return c == 'r' ? 0 : -EPROTO;
}

/* It is gone, reaped and all, on return. */
static inline void kill_manager(struct manager *m)
{
	kill(m->pid, SIGKILL);
	reap(m->pid);
}

/* A manager has lived and died. */
static inline int live_and_die(struct manager *m, bool again)
{
	int err = start_manager(m, again);

	kill_manager(m);
	return err;
}

#endif /* _KEEP_TEST_H */
