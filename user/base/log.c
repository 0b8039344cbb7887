// SPDX-License-Identifier: GPL-2.0-only
/* One event, one line; the lines of one turn of the loop are one write(2). */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base.h"

#define PREFIX "knelld: "

/* Names come from files: nothing in them may move a terminal's cursor or forge a line. */
static void defuse(char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)s[i] < ' ' || s[i] == 0x7f)
			s[i] = '?';
}

static char lines[8192];
static size_t nr_bytes;

/* There is nobody to tell if this fails. */
void log_flush(void)
{
	size_t done = 0;

	while (done < nr_bytes) {
		ssize_t n = write(STDERR_FILENO, lines + done, nr_bytes - done);

		if (n <= 0 && errno != EINTR)
			break;
		done += n > 0 ? n : 0;
	}
	nr_bytes = 0;
}

/* One line to stderr, with the next flush; what is too long is cut. */
void log_line(const char *fmt, ...)
{
	char buf[1024] = PREFIX;
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
	if (nr_bytes + len > sizeof(lines))
		log_flush();
	memcpy(lines + nr_bytes, buf, len);
	nr_bytes += len;
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
