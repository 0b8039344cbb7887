// SPDX-License-Identifier: GPL-2.0-only
/*
 * A service that does what its arguments say, one after the other, by libsystemd. What it prints
 * goes to the log of the test.
 *
 *	say=TEXT	sd_notify(3); "\n" in it is a new line
 *	child=TEXT	the same by a child, which is gone before this one goes on
 *	barrier		sd_notify_barrier(3)
 *	dog		prints what sd_watchdog_enabled(3) tells
 *	flood		messages for ever
 *	nag=TEXT	the same message for ever, a moment between each
 *	ignore=N	that signal
 *	pings=N,MS	N times WATCHDOG=1, so many ms apart
 *	write=FD:TEXT	bytes to a descriptor; "\n" in it is a new line
 *	close=FD
 *	env=NAME	prints it
 *	fds		prints how many sd_listen_fds_with_names(3) tells, and their names
 *	show=N		prints what is in the Nth of them, from its beginning
 *	store=NAME:TEXT	leaves a file with that in it with the manager
 *	pair=NAME	leaves one end of a socket there, and keeps the other
 *	forget=NAME	FDSTOREREMOVE=1
 *	serve		answers each line of each connection of the first, for ever
 *	one		answers one line at standard input, which is a connection
 *	recv		prints what comes by the first, once
 *	own=NAME	a name on the system bus
 *	disown=NAME
 *	wait=FIFO	until somebody has opened it for writing and closed it
 *	now		prints CLOCK_MONOTONIC, ns
 *	put=TEXT	prints it
 *	daemon		goes on in a process of a session of its own, and says MAINPID=
 *	pause		for ever
 *	exit=N
 */
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>

static sd_bus *bus;

static void __attribute__((format(printf, 1, 2))) put(const char *fmt, ...)
{
	char line[8192] = "talker: ";
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = 8 + vsnprintf(line + 8, sizeof(line) - 9, fmt, ap);
	va_end(ap);
	line[len++] = '\n';
	if (write(STDOUT_FILENO, line, len) != len)
		_exit(99);
}

static void check(bool ok, const char *what)
{
	if (ok)
		return;
	put("%s failed", what);
	_exit(98);
}

static char *unescape(char *s)
{
	for (char *p = s; (p = strstr(p, "\\n")); p++) {
		*p = '\n';
		memmove(p + 1, p + 2, strlen(p + 2) + 1);
	}
	return s;
}

static void say_by_child(const char *text)
{
	pid_t pid = fork();
	int status;

	if (!pid)
		_exit(sd_notify(0, text) == 1 ? 0 : 1);
	check(waitpid(pid, &status, 0) == pid && !status, "child");
}

static void ping(const char *how)
{
	int nr, ms;

	check(sscanf(how, "%d,%d", &nr, &ms) == 2, "pings");
	while (nr--) {
		struct timespec ts = { ms / 1000, ms % 1000 * 1000000L };

		nanosleep(&ts, NULL);
		check(sd_notify(0, "WATCHDOG=1") == 1, "WATCHDOG=1");
	}
}

static void nag(const char *text)
{
	struct timespec moment = { .tv_nsec = 20000000 };

	for (;;) {
		sd_notify(0, text);
		nanosleep(&moment, NULL);
	}
}

static void show_watchdog(void)
{
	uint64_t usec = 0;
	int n = sd_watchdog_enabled(0, &usec);

	put("watchdog %d %llu", n, (unsigned long long)usec);
}

static void show_fds(void)
{
	char **names = NULL, text[1024] = "";
	int n = sd_listen_fds_with_names(0, &names);

	for (int i = 0; i < n; i++) {
		snprintf(text + strlen(text), sizeof(text) - strlen(text), " %s", names[i]);
		free(names[i]);
	}
	free(names);
	put("%d fds:%s", n, text);
}

static void show(int fd)
{
	char text[1024] = "";

	check(pread(fd, text, sizeof(text) - 1, 0) >= 0, "show");
	put("content %s", text);
}

static void store(const char *name, int fd)
{
	char text[256];

	snprintf(text, sizeof(text), "FDSTORE=1\nFDNAME=%s", name);
	check(sd_pid_notify_with_fds(0, 0, text, &fd, 1) == 1, "FDSTORE=1");
}

static void store_file(char *arg)
{
	char *text = strchr(arg, ':');
	int fd = memfd_create("talker", MFD_CLOEXEC);

	*text++ = '\0';
	check(write(fd, text, strlen(text)) == (ssize_t)strlen(text), "memfd");
	store(arg, fd);
	close(fd);
}

static void store_pair(const char *name)
{
	int fds[2];

	check(!socketpair(AF_UNIX, SOCK_STREAM, 0, fds), "socketpair");
	store(name, fds[0]);
	close(fds[0]);
}

static bool answer(int in, int out)
{
	char line[512], reply[600];
	ssize_t n = read(in, line, sizeof(line) - 1);

	if (n <= 0)
		return false;
	line[n] = '\0';
	n = snprintf(reply, sizeof(reply), "%d heard %s", getpid(), line);
	check(send(out, reply, n, MSG_NOSIGNAL) == n || write(out, reply, n) == n, "answer");
	return true;
}

static void serve(void)
{
	for (;;) {
		int c = accept(SD_LISTEN_FDS_START, NULL, NULL);

		check(c >= 0, "accept");
		while (answer(c, c))
			;
		close(c);
	}
}

static void receive(void)
{
	char text[512];
	ssize_t n = read(SD_LISTEN_FDS_START, text, sizeof(text) - 1);

	check(n >= 0, "recv");
	text[n] = '\0';
	put("received %s", text);
}

static void write_to(char *arg)
{
	char *text = strchr(arg, ':') + 1;

	unescape(text);
	check(write(atoi(arg), text, strlen(text)) == (ssize_t)strlen(text), "write");
}

static void show_time(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	put("now %llu", ts.tv_sec * 1000000000ULL + ts.tv_nsec);
}

static void wait_at(const char *fifo)
{
	int fd = open(fifo, O_RDONLY | O_CLOEXEC);
	char buf[16];

	check(fd >= 0, "open");
	while (read(fd, buf, sizeof(buf)) > 0)
		;
	close(fd);
}

static void go_on_in_another(void)
{
	char text[64];
	pid_t pid;

	fflush(NULL);
	pid = fork();
	check(pid >= 0, "fork");
	if (pid) {
		snprintf(text, sizeof(text), "MAINPID=%d\nREADY=1", pid);
		check(sd_notify(0, text) == 1, "MAINPID");
		check(sd_notify_barrier(0, UINT64_MAX) == 1, "barrier");
		_exit(0);
	}
	setsid();
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		char *a = argv[i], *v = strchr(a, '=');
		size_t len = v ? (size_t)(v - a) : strlen(a);

		v = v ? v + 1 : a + len;
#define IS(word) (len == strlen(word) && !strncmp(a, word, len))
		if (IS("say"))
			check(sd_notify(0, unescape(v)) == 1, "sd_notify");
		else if (IS("child"))
			say_by_child(unescape(v));
		else if (IS("barrier"))
			check(sd_notify_barrier(0, UINT64_MAX) == 1, "sd_notify_barrier");
		else if (IS("dog"))
			show_watchdog();
		else if (IS("flood"))
			for (;;)
				sd_notify(0, "WATCHDOG=1\nSTATUS=x\nMAINPID=0");
		else if (IS("nag"))
			nag(unescape(v));
		else if (IS("ignore"))
			signal(atoi(v), SIG_IGN);
		else if (IS("pings"))
			ping(v);
		else if (IS("write"))
			write_to(v);
		else if (IS("close"))
			close(atoi(v));
		else if (IS("env"))
			put("%s is %s", v, getenv(v) ? getenv(v) : "not set");
		else if (IS("fds"))
			show_fds();
		else if (IS("show"))
			show(SD_LISTEN_FDS_START + atoi(v));
		else if (IS("store"))
			store_file(v);
		else if (IS("pair"))
			store_pair(v);
		else if (IS("forget"))
			check(sd_notifyf(0, "FDSTOREREMOVE=1\nFDNAME=%s", v) == 1, "forget");
		else if (IS("serve"))
			serve();
		else if (IS("one"))
			check(answer(STDIN_FILENO, STDIN_FILENO), "one");
		else if (IS("recv"))
			receive();
		else if (IS("own"))
			check((bus || sd_bus_open_system(&bus) >= 0) &&
			      sd_bus_request_name(bus, v, 0) >= 0, "own");
		else if (IS("disown"))
			check(sd_bus_release_name(bus, v) >= 0, "disown");
		else if (IS("wait"))
			wait_at(v);
		else if (IS("now"))
			show_time();
		else if (IS("put"))
			put("%s", v);
		else if (IS("daemon"))
			go_on_in_another();
		else if (IS("pause"))
			pause();
		else if (IS("exit"))
			exit(atoi(v));
		else
			check(false, a);
	}
	return 0;
}
