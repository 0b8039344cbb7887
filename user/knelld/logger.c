// SPDX-License-Identifier: GPL-2.0-only
/*
 * The FIFOs between services and their loggers: user/unit/logger.c tells what these are. The
 * manager holds both ends, reads nothing and writes nothing. By its name a FIFO is found again by
 * a manager that follows one that was killed.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "exec.h"

#define TAIL_MAX	(64 * 1024)

struct fifo {
	char *path;
	int fd;
	struct fifo *next;
};

static struct fifo *fifos;

static const char *directory(void)
{
	static char *dir;
	const char *run = exec_user_mode ? getenv("XDG_RUNTIME_DIR") : "/run";

	if (!dir && run)
		dir = xasprintf("%s/knell/log/", run);
	return dir ? dir : "/nowhere/";
}

static void make_directories(const char *path)
{
	for (const char *s = strchr(path + 1, '/'); s; s = strchr(s + 1, '/')) {
		char *above = xasprintf("%.*s", (int)(s - path), path);

		mkdir(above, 0755);
		free(above);
	}
}

static int open_fifo(const char *path)
{
	struct stat st;
	int fd;

	if (mkfifo(path, 0600) && errno != EEXIST)
		return -1;
	fd = open(path, O_RDWR | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || (!fstat(fd, &st) && S_ISFIFO(st.st_mode)))
		return fd;
	close(fd);
	errno = EEXIST;
	return -1;
}

/* Holds the FIFO from now on, with the path that is kept; NULL: logged. */
static const char *hold(const char *unit, const char *path)
{
	struct fifo *f;
	int fd;

	for (f = fifos; f; f = f->next)
		if (!strcmp(f->path, path))
			return f->path;
	fd = open_fifo(path);
	if (fd < 0 && errno == ENOENT) {
		make_directories(path);
		fd = open_fifo(path);
	}
	if (fd < 0) {
		log_line("%s: the logger's FIFO %s: %s", unit, path, strerror(errno));
		return NULL;
	}
	f = xcalloc(1, sizeof(*f));
	*f = (struct fifo){ .path = xstrdup(path), .fd = fd, .next = fifos };
	fifos = f;
	return f->path;
}

static char *path_of(const struct unit_file *f)
{
	char *name = unit_logger_name(f), *path = name ? xasprintf("%s%s", directory(), name) : NULL;

	free(name);
	return path;
}

/**
 * logger_fifo - before a process of the unit is made
 *
 * What it is to write its output to, NULL: it has no logger. The logger itself reads from it; in
 * either case the FIFO is there and stays open.
 */
const char *logger_fifo(const struct unit_file *f, const struct exec_context *ctx)
{
	char *path = path_of(f);
	const char *held = path ? hold(f->name, path) : NULL;

	free(path);
	if (ctx->in.kind == STDIO_FILE && !strncmp(ctx->in.path, directory(), strlen(directory())))
		hold(f->name, ctx->in.path);
	return held;
}

/*
 * The unit is down for good: its logger reads the end once all else have closed the FIFO, too. One
 * that others share goes on.
 */
void logger_release(const struct unit_file *f)
{
	char *path = f->service && f->service->logger ?
		xasprintf("%slogger-%s", directory(), f->name) : NULL;

	for (struct fifo **p = &fifos; path && *p; p = &(*p)->next) {
		struct fifo *fifo = *p;

		if (strcmp(fifo->path, path))
			continue;
		*p = fifo->next;
		close(fifo->fd);
		free(fifo->path);
		free(fifo);
		break;
	}
	free(path);
}

static size_t begin_of_tail(const char *text, size_t len, unsigned int lines)
{
	size_t at = len;

	/* The end of the last line is none between two. */
	if (at && text[at - 1] == '\n')
		at--;
	for (; at; at--)
		if (text[at - 1] == '\n' && !--lines)
			break;
	return at;
}

/**
 * log_tail - the last lines of the file that a unit writes to
 *
 * To be freed; NULL: it writes to none. Of what is too long the end.
 */
char *log_tail(const struct exec_context *ctx, unsigned int lines)
{
	const struct stdio *out = ctx->out.kind >= STDIO_FILE && ctx->out.kind <= STDIO_TRUNCATE ?
		&ctx->out : &ctx->err;
	char *text, *tail;
	struct stat st;
	ssize_t n;
	int fd;

	if (out->kind < STDIO_FILE || out->kind > STDIO_TRUNCATE)
		return NULL;
	fd = open(out->path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) || !S_ISREG(st.st_mode)) {
		if (fd >= 0)
			close(fd);
		return NULL;
	}
	text = xcalloc(TAIL_MAX + 1, 1);
	n = pread(fd, text, TAIL_MAX, st.st_size > TAIL_MAX ? st.st_size - TAIL_MAX : 0);
	close(fd);
	n = n < 0 ? 0 : n;
	tail = xstrdup(text + (lines ? begin_of_tail(text, n, lines) : (size_t)n));
	free(text);
	return tail;
}
