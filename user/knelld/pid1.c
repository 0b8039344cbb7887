// SPDX-License-Identifier: GPL-2.0-only
/* What only the first process does: mount, adopt, and be the last to go. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <unistd.h>

#include "knelld.h"

#define INIT_PID_NS	0xeffffffcU	/* inode number of the first pid namespace, for ever */
#define TERM_NS		(5 * NSEC_PER_SEC)	/* to heed SIGTERM */
#define KILL_NS		(2 * NSEC_PER_SEC)	/* to die of SIGKILL */

bool is_pid1(void)
{
	return getpid() == 1;
}

static bool mounted(const char *dir)
{
	struct stat root, st;

	return !stat("/", &root) && !stat(dir, &st) && st.st_dev != root.st_dev;
}

static void mount_missing(const char *type, const char *dir, unsigned long flags,
			  const char *options)
{
	if (mounted(dir))
		return;
	mkdir(dir, 0755);
	if (mount(type, dir, type, flags, options) < 0 && errno != EBUSY)
		log_line("cannot mount %s on %s: %s", type, dir, strerror(errno));
}

/* Whoever started us without descriptors 0, 1 and 2: the console is the only place to talk. */
static void open_console(void)
{
	int fd = open("/dev/console", O_RDWR | O_NOCTTY | O_CLOEXEC);

	for (int i = 0; i <= STDERR_FILENO; i++)
		if (fd >= 0 && fd != i && fcntl(i, F_GETFD) < 0)
			dup2(fd, i);
	if (fd > STDERR_FILENO)
		close(fd);
	else if (fd >= 0)
		fcntl(fd, F_SETFD, 0);
}

static bool in_container(void)
{
	struct stat st;

	return !stat("/proc/self/ns/pid", &st) && st.st_ino != INIT_PID_NS;
}

/* Makes the system one in which a service can run. */
void pid1_begin(void)
{
	mount_missing("devtmpfs", "/dev", MS_NOSUID, "mode=0755");
	open_console();
	mount_missing("proc", "/proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
	mount_missing("sysfs", "/sys", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
	mount_missing("tmpfs", "/run", MS_NOSUID | MS_NODEV, "mode=0755");
	/* Ctrl-Alt-Del becomes our SIGINT. */
	if (!in_container() && reboot(RB_DISABLE_CAD) < 0)
		log_line("cannot take over Ctrl-Alt-Del: %s", strerror(errno));
}

/* Does /proc/@name belong to a living process with a program, not to us or the kernel? */
static bool somebody(const char *name)
{
	char path[300], stat[512], state;
	const char *after;
	unsigned int flags;
	ssize_t n;
	int fd;

	if (!isdigit((unsigned char)*name) || atoi(name) == getpid())
		return false;
	snprintf(path, sizeof(path), "/proc/%s/stat", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, stat, sizeof(stat) - 1);
	close(fd);
	if (n <= 0)
		return false;
	stat[n] = '\0';
	/* A process may have any name: the fields begin after its last parenthesis. */
	after = strrchr(stat, ')');
	if (!after || sscanf(after + 1, " %c %*d %*d %*d %*d %*d %u", &state, &flags) != 2)
		return false;
	return state != 'Z' && state != 'X' && !(flags & 0x00200000 /* PF_KTHREAD */);
}

/* Watches all that live; whether there are any. One that is watched already stays so. */
static bool watch_the_rest(void)
{
	DIR *d = opendir("/proc");
	struct dirent *entry;
	uint32_t watch;
	bool found = false;

	/* Cannot tell: wait the whole time. */
	if (!d)
		return true;
	while ((entry = readdir(d))) {
		if (!somebody(entry->d_name))
			continue;
		found = true;
		procs->add_pid(atoi(entry->d_name), TOKEN_NONE, 0, &watch);
	}
	closedir(d);
	return found;
}

static void on_time(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	bool *over = arg;

	(void)l;
	(void)call;
	*over = true;
}

/*
 * Sleeps until nobody is left, at most @ns. All units are down, so a record tells of one that is
 * gone, and perhaps of others that it has left behind.
 */
static bool wait_alone(uint64_t ns)
{
	struct knell_loop *l = queue_loop();
	bool over = false;
	knell_task timer = knell_add_timer_ns(l, on_time, &over, ns);

	if (knell_is_none(timer))
		log_line("no timer to wait with, not waiting");
	while (!over && !knell_is_none(timer) && watch_the_rest())
		if (knell_loop_run(l, KNELL_RUN_ONCE) < 0)
			break;
	knell_cancel(l, timer);
	return !watch_the_rest();
}

/* Ends what the services have left behind: daemons that went their own way. */
static void end_the_rest(void)
{
	if (!watch_the_rest())
		return;
	log_line("SIGTERM to what is left");
	kill(-1, SIGTERM);
	kill(-1, SIGCONT);
	if (wait_alone(TERM_NS))
		return;
	log_line("SIGKILL to what is left");
	kill(-1, SIGKILL);
	wait_alone(KILL_NS);
}

/* If the first process ends, the kernel panics: this is what it does instead. */
void pid1_hang(void)
{
	log_line("this is the first process and it must not end: waiting for ever");
	log_flush();
	for (;;)
		pause();
}

/* After all units are down: the machine ends so; in a container just leave. */
void pid1_end(enum ending_how how)
{
	static const struct {
		int cmd;
		const char *text;
	} ends[] = {
		[END_EXIT] = { RB_POWER_OFF, "power off" },
		[END_POWEROFF] = { RB_POWER_OFF, "power off" },
		[END_REBOOT] = { RB_AUTOBOOT, "restart" },
		[END_HALT] = { RB_HALT_SYSTEM, "halt" },
	};

	end_the_rest();
	sync();
	if (in_container())
		exit(manager.exit_status);
	mount(NULL, "/", NULL, MS_REMOUNT | MS_RDONLY, NULL);
	log_line("%s", ends[how].text);
	log_flush();
	reboot(ends[how].cmd);
	log_line("reboot(2): %s", strerror(errno));
	pid1_hang();
}
