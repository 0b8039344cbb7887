// SPDX-License-Identifier: GPL-2.0-only
/* What only the first process does: mount, adopt, and be the last to go. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kd.h>
#include <linux/knell.h>
#include <linux/reboot.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base.h"
#include "pid1.h"
#include "procs.h"

#define INIT_PID_NS	0xeffffffcU	/* inode number of the first pid namespace, for ever */
#define TERM_NS		(5 * NSEC_PER_SEC)	/* to heed SIGTERM */
#define KILL_NS		(2 * NSEC_PER_SEC)	/* to die of SIGKILL */
#define UNMOUNT_MS	30000		/* for servers that do not answer any more */

enum place { MACHINE, CONTAINER, WITHOUT_PROC };

/* Are we the machine's first process, or that of some namespace? Then the machine is others'. */
static enum place place(void)
{
	struct stat st;

	if (stat("/proc/self/ns/pid", &st))
		return WITHOUT_PROC;
	return st.st_ino == INIT_PID_NS ? MACHINE : CONTAINER;
}

bool pid1_of_machine(void)
{
	return place() == MACHINE;
}

static bool mounted(const char *dir)
{
	struct statx st;

	return !statx(AT_FDCWD, dir, AT_NO_AUTOMOUNT, STATX_TYPE, &st) &&
	       st.stx_attributes & STATX_ATTR_MOUNT_ROOT;
}

static void mount_missing(const char *type, const char *dir, unsigned long flags,
			  const char *options)
{
	if (mounted(dir))
		return;
	mkdir(dir, 0755);
	/* An older kernel may not know the options. */
	if (mount(type, dir, type, flags, options) < 0 &&
	    (errno != EINVAL || mount(type, dir, type, flags, NULL) < 0) && errno != EBUSY)
		log_line("cannot mount %s on %s: %s", type, dir, strerror(errno));
}

static void mount_all(void)
{
	static const struct {
		const char *type, *dir;
		unsigned long flags;
		const char *options;
	} mounts[] = {
		{ "proc", "/proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL },
		{ "sysfs", "/sys", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL },
		{ "devpts", "/dev/pts", MS_NOSUID | MS_NOEXEC, "mode=0620,gid=5,ptmxmode=0666" },
		{ "tmpfs", "/dev/shm", MS_NOSUID | MS_NODEV, "mode=1777" },
		{ "tmpfs", "/run", MS_NOSUID | MS_NODEV, "mode=0755" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(mounts); i++)
		mount_missing(mounts[i].type, mounts[i].dir, mounts[i].flags, mounts[i].options);
	if (!access("/sys/fs/cgroup", F_OK) && place() == MACHINE)
		mount_missing("cgroup2", "/sys/fs/cgroup", MS_NOSUID | MS_NODEV | MS_NOEXEC,
			      "nsdelegate,memory_recursiveprot");
}

/* What programs expect in /dev and the kernel does not put there. */
static void make_links(void)
{
	static const char *const links[][2] = {
		{ "/proc/self/fd", "/dev/fd" }, { "/proc/self/fd/0", "/dev/stdin" },
		{ "/proc/self/fd/1", "/dev/stdout" }, { "/proc/self/fd/2", "/dev/stderr" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(links); i++)
		if (symlink(links[i][0], links[i][1]) < 0 && errno != EEXIST)
			log_line("cannot make %s: %s", links[i][1], strerror(errno));
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

/* The first line of /etc/hostname that is no comment. */
static void set_hostname(void)
{
	char is[64] = "", *text, *rest, *line = NULL;
	size_t len;

	/* As the kernel begins with it; else it was set since, and the program is another. */
	if (!gethostname(is, sizeof(is)) && strcmp(is, "(none)") && strcmp(is, "localhost"))
		return;
	text = rest = file_text(AT_FDCWD, "/etc/hostname", &len);
	while ((line = strsep(&rest, "\n"))) {
		line += strspn(line, " \t");
		line[strcspn(line, " \t\r")] = '\0';
		if (*line && *line != '#')
			break;
	}
	if (line && sethostname(line, strlen(line)) < 0)
		log_line("cannot set the host's name to %s: %s", line, strerror(errno));
	free(text);
}

/* Nobody else does it in a small system, and much listens there. */
static void loopback_up(void)
{
	struct ifreq ifr = { .ifr_name = "lo" };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return;
	if (!ioctl(fd, SIOCGIFFLAGS, &ifr) && !(ifr.ifr_flags & IFF_UP)) {
		ifr.ifr_flags |= IFF_UP;
		if (ioctl(fd, SIOCSIFFLAGS, &ifr) < 0)
			log_line("cannot bring up lo: %s", strerror(errno));
	}
	close(fd);
}

/* Nobody else has, where this is what a machine begins with. Without it all goes on. */
static void load_module(void)
{
	static char name[] = "modprobe", quiet[] = "-q", knell[] = "knell";
	static char *const argv[] = { name, quiet, knell, NULL };
	posix_spawnattr_t attr;
	sigset_t none;
	pid_t pid;

	if (!access(KNELL_DEVICE, F_OK) || access("/sbin/modprobe", X_OK))
		return;
	sigemptyset(&none);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK);
	posix_spawnattr_setsigmask(&attr, &none);
	if (!posix_spawn(&pid, "/sbin/modprobe", NULL, &attr, argv, environ))
		waitpid(pid, NULL, 0);
	posix_spawnattr_destroy(&attr);
}

/* Alt-ArrowUp becomes our SIGWINCH, where there is a virtual console. */
static void ask_for_keyboard_request(void)
{
	int fd = open("/dev/tty0", O_RDWR | O_NOCTTY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (ioctl(fd, KDSIGACCEPT, SIGWINCH) < 0)
		log_line("cannot ask for the keyboard request: %s", strerror(errno));
	close(fd);
}

/* Makes the system one in which a service can run. */
void pid1_begin(void)
{
	mount_missing("devtmpfs", "/dev", MS_NOSUID, "mode=0755");
	open_console();
	mount_all();
	make_links();
	if (place() != MACHINE)
		return;
	pid1_catch_crashes();
	set_hostname();
	loopback_up();
	load_module();
	ask_for_keyboard_request();
	/* Ctrl-Alt-Del becomes our SIGINT. */
	if (reboot(RB_DISABLE_CAD) < 0)
		log_line("cannot take over Ctrl-Alt-Del: %s", strerror(errno));
}

/* SIGRTMIN+3 and on, as containers' managers know them from systemd. */
static void on_end_signal(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	static const enum ending_how hows[] = { END_HALT, END_POWEROFF, END_REBOOT, END_KEXEC };
	int sig = call->sig->si_signo;

	(void)l;
	(void)arg;
	if (manager.stopping)
		return;
	log_line("SIGRTMIN+%d: stopping all services", sig - SIGRTMIN);
	manager_stop(hows[sig - SIGRTMIN - 3], 0);
}

/* A signal that is for a target: only if there is one. */
static void on_target_signal(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	struct unit *u = unit_get(arg);
	const char *why = "there is no such unit";

	(void)l;
	if (!u || u->load != UNIT_LOADED ||
	    job_ask(u, JOB_START, JOB_REPLACE, NULL, NULL, &why) < 0)
		log_line("%s: cannot start %s: %s", signal_name(call->sig->si_signo),
			 (const char *)arg, why);
}

/* The signals that only the first process knows; 0 or -errno. */
int pid1_listen(struct knell_loop *l)
{
	static char keyboard[] = "kbrequest.target", power[] = "sigpwr.target";

	for (int i = 3; i <= 6; i++)
		if (knell_is_none(knell_add_signal(l, on_end_signal, NULL, SIGRTMIN + i)))
			return -errno;
	if (knell_is_none(knell_add_signal(l, on_target_signal, keyboard, SIGWINCH)) ||
	    knell_is_none(knell_add_signal(l, on_target_signal, power, SIGPWR)))
		return -errno;
	return 0;
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
	struct dirent *entry;
	uint32_t watch;
	bool found = false, seen = false;
	DIR *d;

	/* Where the kernel's are not seen that is all there is to know. */
	if (kill(-1, 0) < 0 && errno == ESRCH)
		return false;
	d = opendir("/proc");
	while (d && (entry = readdir(d))) {
		seen |= atoi(entry->d_name) == getpid();
		if (!somebody(entry->d_name))
			continue;
		found = true;
		procs->add_pid(atoi(entry->d_name), TOKEN_NONE, 0, &watch);
	}
	if (d)
		closedir(d);
	/* Where not even we are it cannot tell: wait for what comes, at most the whole time. */
	return found || !seen;
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
void pid1_end_the_rest(uint64_t term_ns)
{
	if (!watch_the_rest())
		return;
	log_line("SIGTERM to what is left");
	log_flush();
	kill(-1, SIGTERM);
	kill(-1, SIGCONT);
	if (wait_alone(term_ns))
		return;
	log_line("SIGKILL to what is left");
	log_flush();
	kill(-1, SIGKILL);
	wait_alone(KILL_NS);
}

/* If the first process ends, the kernel panics: this is what it does instead. */
void pid1_hang(void)
{
	log_line("this is the first process and it must not end: waiting for ever");
	log_flush();
	pid1_stay();
}

/*
 * In a process of its own, for which is waited so long and no longer: what hangs in there would
 * keep the machine from going down.
 */
static void unmount_within(int ms)
{
	pid_t pid = fork();
	struct pollfd fd = { .events = POLLIN };

	if (!pid) {
		if (!unmount_all())
			_exit(0);
		log_line("some file systems are in use");
		log_flush();
		_exit(1);
	}
	fd.fd = pid > 0 ? syscall(SYS_pidfd_open, pid, 0) : -1;
	if (fd.fd < 0)
		return;
	if (poll(&fd, 1, ms) <= 0)
		log_line("unmounting takes too long, no longer waited for");
	close(fd.fd);
}

static void end_machine(int cmd)
{
	if (cmd == RB_AUTOBOOT && manager.reboot_argument)
		syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2,
			LINUX_REBOOT_CMD_RESTART2, manager.reboot_argument);
	reboot(cmd);
	log_line("reboot(2): %s", strerror(errno));
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
		[END_KEXEC] = { RB_KEXEC, "another kernel" },
	};

	if (manager.haste == IMMEDIATE) {
		log_flush();
		end_machine(ends[how].cmd);
	}
	pid1_end_the_rest(TERM_NS);
	sync();
	if (place() == CONTAINER)
		exit(manager.exit_status);
	/* Where one cannot tell reboot(2) ends no more than what is ours, but this would. */
	if (place() == MACHINE) {
		unmount_within(UNMOUNT_MS);
		mount(NULL, "/", NULL, MS_REMOUNT | MS_RDONLY, NULL);
	}
	log_line("%s", ends[how].text);
	log_flush();
	end_machine(ends[how].cmd);
	/* No kernel was loaded, say. */
	if (how == END_KEXEC)
		end_machine(RB_AUTOBOOT);
	pid1_hang();
}
