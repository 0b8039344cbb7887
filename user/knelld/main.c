// SPDX-License-Identifier: GPL-2.0-only
/* knelld(8): options, signals, and the loop. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "knelld.h"

#define DEFAULT_DIR	"/etc/knell/system"

static const char *unit_dir = DEFAULT_DIR;
static const char *queue_name;		/* to keep the queue by, "": not at all */
static bool check_only;
static int signal_fd = -1;
static uint32_t signal_watch;

static const char usage[] =
	"Usage: knelld [--unit-dir DIR] [--keep NAME | --no-keep]\n"
	"       knelld [--unit-dir DIR] --check\n"
	"Supervises the services of DIR/*.service, asleep in one read() of " KNELL_DEVICE ".\n"
	"\n"
	"  --unit-dir DIR  where the unit files are (" DEFAULT_DIR ")\n"
	"  --keep NAME     the name by which the next knelld finds what this one leaves if it\n"
	"                  is killed (of DIR's own)\n"
	"  --no-keep       leave nothing to the next one; so does the first process\n"
	"  --check         read the unit files, report what is wrong, start nothing;\n"
	"                  exit status 1 if a unit could not be started\n"
	"  --help          this text\n"
	"  --version       the version\n"
	"\n"
	"SIGTERM and SIGINT stop all services in reverse order and end knelld (as the first\n"
	"process: power off and restart the machine); SIGHUP reads DIR again. See knelld(8).\n";

/* The kernel hands its own words to the first process, which has to put up with them. */
static void bad_usage(void)
{
	if (is_pid1()) {
		log_line("arguments that are no options of knelld are ignored");
		return;
	}
	fputs(usage, stderr);
	exit(2);
}

static void say(const char *text)
{
	fputs(text, stdout);
	if (fflush(stdout) == EOF)
		exit(1);
	exit(0);
}

/* It is a file's name, too. */
static bool queue_name_ok(const char *name)
{
	return *name && *name != '.' && strlen(name) < QUEUE_NAME_MAX && !strchr(name, '/');
}

/* "knelld" is the system's; two on other directories do not get in each other's way. */
static const char *default_queue_name(void)
{
	char *dir, *name;

	/* What the first process leaves dies with it. */
	if (is_pid1())
		return "";
	dir = realpath(unit_dir, NULL);
	if (!dir)
		dir = xstrdup(unit_dir);
	name = xasprintf("knelld%s%s", *dir == '/' ? "" : "-", dir);
	if (!strcmp(dir, DEFAULT_DIR))
		name[strlen("knelld")] = '\0';
	for (char *s = name; *s; s++)
		if (*s == '/')
			*s = '-';
	if (!queue_name_ok(name)) {
		free(name);
		name = xasprintf("knelld-%016" PRIx64, text_hash(dir, strlen(dir)));
	}
	free(dir);
	return name;
}

static void parse_options(int argc, char **argv)
{
	static const struct option options[] = {
		{ "unit-dir", required_argument, NULL, 'u' },
		{ "keep", required_argument, NULL, 'k' },
		{ "no-keep", no_argument, NULL, 'n' },
		{ "check", no_argument, NULL, 'c' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'v' },
		{ 0 },
	};
	int opt;

	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (opt == 'u')
			unit_dir = optarg;
		else if (opt == 'k' && queue_name_ok(optarg))
			queue_name = optarg;
		else if (opt == 'n')
			queue_name = "";
		else if (opt == 'c' && !is_pid1())
			check_only = true;
		else if (opt == 'h' && !is_pid1())
			say(usage);
		else if (opt == 'v' && !is_pid1())
			say("knelld " KNELL_VERSION "\n");
		else
			bad_usage();
	}
	if (optind < argc)
		bad_usage();
}

/* --check: 0 if every unit could be started. */
static int check(void)
{
	int bad = 0;

	if (units_load(unit_dir) < 0)
		return 1;
	for (size_t i = 0; i < nr_units; i++)
		bad |= unit_refused(units[i]);
	return bad;
}

/*
 * Nothing is inherited from whoever started us, for the services would inherit it in turn.
 * SIGCHLD keeps its default action (an ignored one would survive exec), but a dead child is
 * nobody's zombie: its record says all there is to know.
 */
static void settle_signals(void)
{
	const struct sigaction dfl = { .sa_handler = SIG_DFL };
	const struct sigaction ignore = { .sa_handler = SIG_IGN };
	const struct sigaction child = { .sa_handler = SIG_DFL, .sa_flags = SA_NOCLDWAIT };

	for (int sig = 1; sig < NSIG; sig++)
		sigaction(sig, &dfl, NULL);
	sigaction(SIGCHLD, &child, NULL);
	sigaction(SIGPIPE, &ignore, NULL);
}

/* Signals are no interruptions but records like any other: 0 or -errno. */
static int listen_to_signals(void)
{
	sigset_t ours;

	sigemptyset(&ours);
	sigaddset(&ours, SIGTERM);
	sigaddset(&ours, SIGINT);
	sigaddset(&ours, SIGHUP);
	signal_fd = signalfd(-1, &ours, SFD_CLOEXEC | SFD_NONBLOCK);
	if (signal_fd < 0)
		return -errno;
	sigprocmask(SIG_SETMASK, &ours, NULL);
	return queue_add_fd(signal_fd, EPOLLIN, &signal_watch);
}

static void hold_signals(void)
{
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
}

/* Services get 0, 1 and 2, and nothing else that we may have been given. */
static void settle_descriptors(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR);
	} while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
	syscall(SYS_close_range, 3, ~0U, CLOSE_RANGE_CLOEXEC);
}

static void reload(void)
{
	if (service_stopping()) {
		log_line("SIGHUP: stopping already, %s is not read again", unit_dir);
		return;
	}
	log_line("SIGHUP: reading %s again", unit_dir);
	if (!units_load(unit_dir))
		service_start_new();
}

/* The stop signal that comes first decides how it ends. */
static void on_signal(int sig, bool *restart)
{
	if (sig == SIGHUP) {
		reload();
	} else if (!service_stopping()) {
		*restart = sig == SIGINT;
		log_line("%s: stopping all services", signal_name(sig));
		service_stop_all();
	}
}

/* Several of one kind are one; then the next ones are waited for. */
static void on_signals(bool *restart)
{
	struct signalfd_siginfo info;

	while (read(signal_fd, &info, sizeof(info)) == sizeof(info))
		on_signal(info.ssi_signo, restart);
	queue_set_fd(signal_watch, EPOLLIN);
}

static void resume_stop(void)
{
	log_line("the former knelld was stopping all services: that goes on");
	service_stop_all();
}

static void dispatch(const struct knell_event *ev, bool *restart)
{
	struct unit *u = unit_by_id(token_id(ev->token));

	if (ev->type == KNELL_EV_FD)
		on_signals(restart);
	else if (u && ev->type == KNELL_EV_EXIT)
		record_exit(u, ev);
	else if (u && ev->type == KNELL_EV_EMPTY)
		record_empty(u, ev);
	else if (u && ev->type == KNELL_EV_TIMER)
		record_timer(u, ev);
	else if (u)
		record_report(u, ev);
}

/* Until everything is stopped; how it is to end, or -errno. */
static int loop(bool *restart)
{
	static struct knell_event ev[64];
	int n;

	for (;;) {
		service_settle();
		/* In this order: what is acknowledged does not come again. */
		state_settle();
		queue_flush();
		if (service_all_stopped())
			return 0;
		n = queue_read(ev, ARRAY_SIZE(ev));
		if (n < 0)
			return n;
		for (int i = 0; i < n; i++)
			dispatch(&ev[i], restart);
		record_settle();
	}
}

/* What a former knelld has left, if there was one; it may have been stopping everything. */
static bool take_over(enum tenure tenure, bool *known)
{
	bool stopping = false;

	*known = tenure == QUEUE_TAKEN && state_load(queue_name, queue_id(), &stopping);
	if (tenure == QUEUE_TAKEN)
		takeover_units(*known);
	if (tenure != QUEUE_OWN && !*known)
		state_begin(queue_name, queue_id());
	return stopping;
}

static void leave_nothing(void)
{
	queue_let_go();
	state_end();
}

static int fail(void)
{
	if (is_pid1())
		pid1_hang();
	return 1;
}

int main(int argc, char **argv)
{
	bool restart = false, known, stopping;
	enum tenure tenure;
	int err;

	parse_options(argc, argv);
	if (check_only)
		return check();
	hold_signals();
	settle_signals();
	if (is_pid1())
		pid1_begin();
	settle_descriptors();
	umask(022);
	log_line("version " KNELL_VERSION ", pid %d, units from %s", getpid(), unit_dir);
	if (!queue_name)
		queue_name = default_queue_name();
	if (queue_open(*queue_name ? queue_name : NULL, &tenure) < 0)
		return fail();
	err = spawn_init();
	if (err < 0) {
		log_line("cannot open /dev/null: %s", strerror(-err));
		return fail();
	}
	stopping = take_over(tenure, &known);
	err = listen_to_signals();
	if (err < 0) {
		log_line("cannot listen to signals: %s", strerror(-err));
		return fail();
	}
	/* The first process stays without units, too: the directory can be mended. */
	if (units_load(unit_dir) < 0 && !is_pid1()) {
		if (tenure == QUEUE_KEPT)
			leave_nothing();
		return 1;
	}
	if (tenure == QUEUE_TAKEN)
		takeover_resume(known);
	if (stopping)
		resume_stop();
	else
		service_start_new();
	err = loop(&restart);
	if (err < 0) {
		log_line("cannot read %s: %s", KNELL_DEVICE, strerror(-err));
		return fail();
	}
	log_line("all services are stopped");
	leave_nothing();
	if (is_pid1())
		pid1_end(restart);
	return 0;
}
