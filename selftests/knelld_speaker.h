/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Services that do what they are told: the test's own program, run with SPEAK= in its environment,
 * words one after the other, "@" in them replaced as in unit files.
 *
 *	say=TEXT	to $NOTIFY_SOCKET
 *	store=NAME:TEXT	leaves a file with that in it with the manager
 *	fds		prints how many descriptors it was given, their names, what is in each file
 *	serve		answers each line of each connection of the first, for ever
 *	echo		answers each line of standard input, which is a connection
 *	line=FD		a newline to that descriptor
 *	wait=FILE	until it is there
 *	murder		kills its parent, the manager
 *	put=TEXT	prints it
 *	child=WORDS	a child does what is behind, with "+" for blanks, for ever then
 *	pause		for ever
 *	exit=N
 */
#ifndef _KNELLD_SPEAKER_H
#define _KNELLD_SPEAKER_H

#include <sys/mman.h>

#include "knelld_test.h"

static void __attribute__((format(printf, 1, 2))) put(const char *fmt, ...)
{
	char line[1024] = "speaker: ";
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = 9 + vsnprintf(line + 9, sizeof(line) - 10, fmt, ap);
	va_end(ap);
	line[len++] = '\n';
	if (write(STDOUT_FILENO, line, len) != len)
		_exit(80);
}

/* Whoever is to hear it may be dead: what is said then is lost. */
static void notify(const char *text, int fd)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	struct iovec iov = { .iov_base = (void *)text, .iov_len = strlen(text) };
	union {
		struct cmsghdr h;
		char room[CMSG_SPACE(sizeof(int))];
	} c = { .h = { CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS } };
	struct msghdr m = { .msg_name = &to, .msg_namelen = sizeof(to), .msg_iov = &iov,
			    .msg_iovlen = 1 };
	int s = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	strncpy(to.sun_path, getenv("NOTIFY_SOCKET"), sizeof(to.sun_path) - 1);
	if (fd >= 0) {
		memcpy(CMSG_DATA(&c.h), &fd, sizeof(fd));
		m.msg_control = &c;
		m.msg_controllen = sizeof(c);
	}
	if (sendmsg(s, &m, 0) < 0)
		put("not heard: %s: %s", text, strerror(errno));
	close(s);
}

static void store(const char *name)
{
	const char *text = strchr(name, ':') + 1;
	int fd = memfd_create("stored", MFD_CLOEXEC);
	char say[128];

	if (write(fd, text, strlen(text)) < 0)
		_exit(81);
	snprintf(say, sizeof(say), "FDSTORE=1\nFDNAME=%.*s", (int)(text - 1 - name), name);
	notify(say, fd);
	close(fd);
}

static void show_fds(void)
{
	const char *nr = getenv("LISTEN_FDS"), *names = getenv("LISTEN_FDNAMES");
	char text[64];
	ssize_t n;

	put("fds %s %s", nr ? nr : "0", names ? names : "");
	for (int i = 0; nr && i < atoi(nr); i++) {
		n = pread(3 + i, text, sizeof(text) - 1, 0);
		if (n >= 0)
			put("fd %d: %.*s", i, (int)n, text);
	}
}

/* Answers each line with its pid and the line; at the end of what comes it is done. */
static void answer(int in, int out)
{
	char line[512], reply[600];
	ssize_t n;

	while ((n = read(in, line, sizeof(line))) > 0) {
		n = snprintf(reply, sizeof(reply), "%d %.*s", getpid(), (int)n, line);
		if (write(out, reply, n) < 0)
			return;
	}
}

static void serve(void)
{
	int fd;

	while ((fd = accept4(3, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
		answer(fd, fd);
		close(fd);
	}
	put("accept: %s", strerror(errno));
}

static void wait_for_file(const char *path)
{
	while (access(path, F_OK))
		usleep(20000);
}

static void speak(char *words);

static void beget(char *words)
{
	if (fork())
		return;
	for (char *s = words; *s; s++)
		if (*s == '+')
			*s = ' ';
	speak(words);
	for (;;)
		pause();
}

static void speak_one(char *word)
{
	char *value = strchr(word, '=');

	value = value ? value + 1 : word + strlen(word);
	if (!strncmp(word, "say=", 4))
		notify(value, -1);
	else if (!strncmp(word, "store=", 6))
		store(value);
	else if (!strcmp(word, "fds"))
		show_fds();
	else if (!strcmp(word, "serve"))
		serve();
	else if (!strcmp(word, "echo"))
		answer(STDIN_FILENO, STDIN_FILENO);
	else if (!strncmp(word, "line=", 5))
		dprintf(atoi(value), "\n");
	else if (!strncmp(word, "wait=", 5))
		wait_for_file(value);
	else if (!strcmp(word, "murder") && getppid() > 1)
		kill(getppid(), SIGKILL);
	else if (!strncmp(word, "put=", 4))
		put("%s", value);
	else if (!strncmp(word, "child=", 6))
		beget(value);
	else if (!strcmp(word, "pause"))
		pause();
	else if (!strncmp(word, "exit=", 5))
		_exit(atoi(value));
}

static void speak(char *words)
{
	for (char *word; (word = strsep(&words, " "));)
		speak_one(word);
}

static void __attribute__((constructor)) be_a_service(void)
{
	char *words = getenv("SPEAK");

	if (!words)
		return;
	unsetenv("SPEAK");
	speak(strdup(words));
	_exit(0);
}

/* A service of it; @keys are lines of its file, @words what it does. */
static void speaker(fixture *self, const char *name, const char *keys, const char *words)
{
	char exe[128] = "";

	if (readlink("/proc/self/exe", exe, sizeof(exe) - 1) < 0)
		abort();
	unit(self, name, "[Service]\n%s\nExecStart=%s\nEnvironment=\"SPEAK=%s\"\n", keys, exe,
	     words);
}

#endif
