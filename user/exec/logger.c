// SPDX-License-Identifier: GPL-2.0-only
/*
 * The FIFOs between services and their loggers: user/unit/logger.c tells what these are. The
 * manager holds both ends, reads nothing and writes nothing. By its name a FIFO is found again by
 * a manager that follows one that was killed.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
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

/* Of this manager alone: others have other unit directories. */
static const char *directory(void)
{
	static char *dir;
	const char *run = exec_user_mode ? getenv("XDG_RUNTIME_DIR") : "/run";
	char *real;

	if (dir || !run)
		return dir ? dir : "/nowhere/";
	real = exec_instance ? realpath(exec_instance, NULL) : NULL;
	if (real)
		dir = xasprintf("%s/knell/log-%016" PRIx64 "/", run, text_hash(real, strlen(real)));
	else
		dir = xasprintf("%s/knell/log/", run);
	free(real);
	return dir;
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

/* Holds the FIFO of that logger from now on; its path, which is kept, or NULL: logged. */
static const char *hold(const char *logger)
{
	const size_t len = strlen(directory());
	struct fifo *f;
	char *path;
	int fd;

	for (f = fifos; f; f = f->next)
		if (!strcmp(f->path + len, logger))
			return f->path;
	path = xasprintf("%s%s", directory(), logger);
	fd = open_fifo(path);
	if (fd < 0 && errno == ENOENT) {
		make_directories(path);
		fd = open_fifo(path);
	}
	if (fd < 0) {
		log_line("%s: its FIFO %s: %s", logger, path, strerror(errno));
		free(path);
		return NULL;
	}
	f = xcalloc(1, sizeof(*f));
	*f = (struct fifo){ .path = path, .fd = fd, .next = fifos };
	fifos = f;
	return path;
}

/* Before a process of a unit is made: what it is to write to; NULL: it has no logger. */
const char *logger_fifo(const struct unit_file *f)
{
	char *name = unit_logger_name(f);
	const char *path = name ? hold(name) : NULL;

	free(name);
	return path;
}

/* What the unit, which is a logger, is to read from; to be closed. -1: it is none, or logged. */
int logger_input(const struct unit_file *f, const struct exec_context *ctx)
{
	const char *path = ctx->in.kind == STDIO_FD && !strcmp(ctx->in.path, "log") ?
		hold(f->name) : NULL;
	int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;

	if (path && fd < 0)
		log_line("%s: its FIFO %s: %s", f->name, path, strerror(errno));
	return fd;
}

/*
 * The unit is down for good: its logger reads the end once all else have closed the FIFO, too, and
 * the next run has another one. A logger that others share goes on.
 */
void logger_release(const struct unit_file *f)
{
	char *path = f->service && f->service->more->logger ?
		xasprintf("%slogger-%s", directory(), f->name) : NULL;

	for (struct fifo **p = &fifos; path && *p; p = &(*p)->next) {
		struct fifo *fifo = *p;

		if (strcmp(fifo->path, path))
			continue;
		*p = fifo->next;
		close(fifo->fd);
		unlink(fifo->path);
		if (exec_instance)
			rmdir(directory());
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
