// SPDX-License-Identifier: GPL-2.0-only
/*
 * A service on libsystemd, as its manual says: descriptors that the supervisor keeps, a barrier,
 * a watchdog, and what it says of itself. STATUS= tells what it has seen:
 *
 *	barrier=0 watchdog=USEC kept=TEXT
 *
 * each 0, or nothing, if there is none. SIGHUP: it reloads. SIGUSR1: it says that it is hung.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_USEC	(60 * 1000000ULL)

/* What was stored as "kept" before this process was born. */
static const char *kept(void)
{
	static char text[64];
	char **names = NULL;
	int nr = sd_listen_fds_with_names(0, &names);

	for (int i = 0; i < nr; i++) {
		if (!strcmp(names[i], "kept") &&
		    pread(SD_LISTEN_FDS_START + i, text, sizeof(text) - 1, 0) < 0)
			perror("kept");
		free(names[i]);
	}
	free(names);
	return text;
}

static void store(const char *text)
{
	int fd = memfd_create("kept", MFD_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0 ||
	    sd_pid_notify_with_fds(0, 0, "FDSTORE=1\nFDNAME=kept", &fd, 1) <= 0)
		perror("FDSTORE");
	close(fd);
}

static void reload(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%lld",
		   now.tv_sec * 1000000LL + now.tv_nsec / 1000);
	sd_notify(0, "STATUS=reloaded\nREADY=1");
}

/* Until SIGTERM. */
static void serve(const sigset_t *signals, uint64_t watchdog_usec)
{
	uint64_t beat = watchdog_usec ? watchdog_usec / 2 : PATIENCE_USEC;
	struct timespec wait = { beat / 1000000, beat % 1000000 * 1000 };
	int sig;

	while ((sig = sigtimedwait(signals, NULL, &wait)) != SIGTERM) {
		if (sig == SIGHUP)
			reload();
		else
			sd_notify(0, sig == SIGUSR1 ? "WATCHDOG=trigger" : "WATCHDOG=1");
	}
}

int main(void)
{
	uint64_t watchdog_usec = 0;
	const char *had = kept();
	sigset_t signals;
	int barrier;

	sigemptyset(&signals);
	sigaddset(&signals, SIGHUP);
	sigaddset(&signals, SIGUSR1);
	sigaddset(&signals, SIGTERM);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	if (sd_watchdog_enabled(0, &watchdog_usec) <= 0)
		watchdog_usec = 0;
	if (!*had)
		store("42");
	barrier = sd_notify_barrier(0, PATIENCE_USEC);
	sd_notifyf(0, "READY=1\nSTATUS=barrier=%d watchdog=%llu kept=%s", barrier < 0 ? barrier : 0,
		   (unsigned long long)watchdog_usec, had);
	serve(&signals, watchdog_usec);
	sd_notify(0, "STOPPING=1\nSTATUS=on its way out");
	return 0;
}
