// SPDX-License-Identifier: GPL-2.0-only
/*
 * The services of Documentation/examples/migrate: one program with two names, store and web. It says
 * on its output what it was given, is ready after a while and says so to whoever wants to know, and
 * ends when it is told to.
 *
 * usage: NAME [--ready-fd FD] [--needs FILE]
 *	/run/NAME/pid is there when it is ready, FILE is what has to be there before
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define SLOW_MS	500	/* until it is ready: who does not wait for it comes too early */

static const char *name;

static void die(const char *what)
{
	printf("%s: %s: %s\n", name, what, strerror(errno));
	exit(1);
}

static void say_hello(const char *needs)
{
	const char *port = getenv("PORT");
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files))
		die("what it was given");
	printf("%s: uid %u, gid %u, %llu files", name, getuid(), getgid(),
	       (unsigned long long)files.rlim_cur);
	if (port)
		printf(", port %s", port);
	if (needs)
		printf(", %s is %s", needs, access(needs, F_OK) ? "not there" : "there");
	printf("\n");
}

/* As sd_notify(3) does. */
static void notify(const char *path)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	size_t len = strlen(path);

	if (fd < 0 || len >= sizeof(to.sun_path))
		die(path);
	memcpy(to.sun_path, path, len);
	if (to.sun_path[0] == '@')
		to.sun_path[0] = 0;
	if (sendto(fd, "READY=1", 7, 0, (struct sockaddr *)&to,
		   (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)) != 7)
		die(path);
	close(fd);
}

/* All at once: who looks at it finds a whole number. */
static void write_pid(void)
{
	FILE *f = fopen("new", "we");

	if (!f || fprintf(f, "%d\n", (int)getpid()) < 0 || fclose(f) || rename("new", "pid"))
		die("pid");
}

static void ready(int fd)
{
	const char *socket_path = getenv("NOTIFY_SOCKET");

	poll(NULL, 0, SLOW_MS);
	write_pid();
	if (fd >= 0 && (write(fd, "\n", 1) != 1 || close(fd)))
		die("ready");
	if (socket_path)
		notify(socket_path);
}

int main(int argc, char **argv)
{
	const char *needs = NULL;
	int fd = -1, sig;
	char dir[64];
	sigset_t set;

	name = strrchr(argv[0], '/') ? strrchr(argv[0], '/') + 1 : argv[0];
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (int i = 1; i + 1 < argc; i += 2) {
		if (!strcmp(argv[i], "--ready-fd"))
			fd = atoi(argv[i + 1]);
		else if (!strcmp(argv[i], "--needs"))
			needs = argv[i + 1];
	}
	/* What is sent meanwhile waits. */
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	say_hello(needs);
	snprintf(dir, sizeof(dir), "/run/%s", name);
	if (chdir(dir))
		die(dir);
	ready(fd);
	while (!sigwait(&set, &sig) && sig == SIGHUP)
		printf("%s: reads its settings\n", name);
	unlink("pid");
	printf("%s: ends\n", name);
	return 0;
}
