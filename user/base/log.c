// SPDX-License-Identifier: GPL-2.0-only
/*
 * One event, one line; the lines of one turn of the loop are one write(2).
 *
 * Who reads them must not be able to hold up the manager: a pipe may be full, a terminal in XOFF.
 * O_NONBLOCK on descriptor 2 itself would be that of all who share it, services among them, and
 * poll(2) first says nothing of what a terminal takes, nor of others who write to the same pipe.
 * So terminals and pipes are opened again, for an open file of our own, and sockets are told
 * with each message. What does not fit waits here; what does not fit here is counted.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base.h"

#define PREFIX		"knelld: "
#define LINE_ROOM	1024
#define BATCH		8192		/* so much is written without waiting for the turn's end */
#define ROOM		65536		/* so much waits; pages that are not used do not exist */
#define LOST_VARIABLE	"KNELLD_LINES_LOST"

static _Alignas(4096) char lines[ROOM];
static size_t nr_bytes;
static unsigned long nr_lost;		/* lines that came when there was no room */
static enum { WAITS, OWN, SOCKET, ASKS } way;
static int own = -1;			/* OWN: non-blocking */
static bool full;			/* until log_resume() */
static bool (*watch)(int fd);

/* Names come from files: nothing in them may move a terminal's cursor or forge a line. */
static void defuse(char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)s[i] < ' ' || s[i] == 0x7f)
			s[i] = '?';
}

/* As much as is sure not to be torn by what others write to the same pipe: whole lines. */
static size_t whole_lines(const char *text, size_t len)
{
	const char *end;

	if (len <= PIPE_BUF)
		return len;
	end = memrchr(text, '\n', PIPE_BUF);
	return end ? end - text + 1 : PIPE_BUF;
}

/* As write(2); EAGAIN: later. Async-signal-safe. */
static ssize_t put(const char *text, size_t len)
{
	struct pollfd p = { .fd = STDERR_FILENO, .events = POLLOUT };

	switch (way) {
	case OWN:
		return write(own, text, whole_lines(text, len));
	case SOCKET:
		return send(STDERR_FILENO, text, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	case ASKS:
		/* The best there is without a file of our own. */
		if (poll(&p, 1, 0) <= 0) {
			errno = EAGAIN;
			return -1;
		}
		return write(STDERR_FILENO, text, len < LINE_ROOM ? len : LINE_ROOM);
	default:
		return write(STDERR_FILENO, text, len);
	}
}

/* Whether that was all, or there is nobody to tell. */
static bool write_lines(void)
{
	size_t done = 0;
	bool later = false;

	while (done < nr_bytes && !later) {
		ssize_t n = put(lines + done, nr_bytes - done);

		if (n > 0)
			done += n;
		else if (n < 0 && errno == EAGAIN)
			later = true;
		else if (!n || errno != EINTR)
			done = nr_bytes;
	}
	nr_bytes -= done;
	memmove(lines, lines + done, nr_bytes);
	return !later;
}

static void add(const char *line, size_t len)
{
	memcpy(lines + nr_bytes, line, len);
	nr_bytes += len;
}

/* In their place, and not again for each that is read. */
static void tell_lost(void)
{
	char line[64];

	if (!nr_lost || nr_bytes > ROOM / 2)
		return;
	add(line, snprintf(line, sizeof(line), PREFIX "%lu line%s lost\n", nr_lost,
			   nr_lost == 1 ? "" : "s"));
	nr_lost = 0;
}

static bool flush(void)
{
	bool all = write_lines();

	tell_lost();
	return all && write_lines();
}

void log_flush(void)
{
	/* Where nothing tells when there is room, the next turn tries again. */
	if (!full && !flush())
		full = watch && watch(way == OWN ? own : STDERR_FILENO);
}

void log_resume(void)
{
	full = false;
	log_flush();
}

void log_drain(int ms)
{
	struct pollfd p = { .fd = way == OWN ? own : STDERR_FILENO, .events = POLLOUT };

	watch = NULL;
	full = false;
	while (!flush() && poll(&p, 1, ms) > 0)
		;
}

void log_say(const char *text)
{
	if (put(text, strlen(text)) < 0)
		return;
}

void log_give_back(void)
{
	if (!nr_bytes)
		madvise(lines, sizeof(lines), MADV_DONTNEED);
}

static bool may_block(mode_t mode)
{
	return S_ISFIFO(mode) || S_ISCHR(mode);
}

void log_begin(bool (*watch_room)(int fd))
{
	const char *lost = getenv(LOST_VARIABLE);
	struct stat st;

	nr_lost += lost ? strtoul(lost, NULL, 10) : 0;
	unsetenv(LOST_VARIABLE);
	tell_lost();
	watch = watch_room;
	if (fstat(STDERR_FILENO, &st) < 0)
		return;
	if (S_ISSOCK(st.st_mode)) {
		way = SOCKET;
	} else if (may_block(st.st_mode)) {
		own = open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
		way = own >= 0 ? OWN : ASKS;
	}
}

void log_hand_over(void)
{
	char nr[24];

	for (const char *s = lines; s < lines + nr_bytes; s++)
		nr_lost += *s == '\n';
	snprintf(nr, sizeof(nr), "%lu", nr_lost);
	setenv(LOST_VARIABLE, nr, 1);
	nr_lost = 0;
}

/* One line to stderr, with the next flush; what is too long is cut. */
void log_line(const char *fmt, ...)
{
	char buf[LINE_ROOM] = PREFIX;
	const size_t head = sizeof(PREFIX) - 1;
	const size_t room = sizeof(buf) - head - 1;
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vsnprintf(buf + head, room, fmt, ap);
	va_end(ap);
	if (len < 0)
		return;
	if ((size_t)len >= room)
		len = room - 1;
	defuse(buf + head, len);
	len += head;
	buf[len++] = '\n';
	if (nr_bytes + len > BATCH)
		log_flush();
	/* Those after the first that was lost are, too, until there is room to say so. */
	if (nr_lost || nr_bytes + len > ROOM)
		nr_lost++;
	else
		add(buf, len);
}

/* SIGTERM; in a buffer of our own where there is no name. */
const char *signal_name(int sig)
{
	static char buf[32];

	if (sigabbrev_np(sig))
		snprintf(buf, sizeof(buf), "SIG%s", sigabbrev_np(sig));
	else
		snprintf(buf, sizeof(buf), "signal %d", sig);
	return buf;
}

/* A time span for the eye: 100ms, 1.5s, 90s, infinity. */
const char *span_text(uint64_t ns, char *buf, size_t size)
{
	unsigned long long ms = ns / NSEC_PER_MSEC;

	if (ns == FOREVER)
		snprintf(buf, size, "infinity");
	else if (ns % NSEC_PER_MSEC)
		snprintf(buf, size, "%lluus", (unsigned long long)ns / 1000);
	else if (ms < 1000)
		snprintf(buf, size, "%llums", ms);
	else if (ms % 1000)
		snprintf(buf, size, "%llu.%03llus", ms / 1000, ms % 1000);
	else
		snprintf(buf, size, "%llus", ms / 1000);
	return buf;
}
