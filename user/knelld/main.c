// SPDX-License-Identifier: GPL-2.0-only
/* knelld(8): options, signals, and the loop. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "knelld.h"

#define DEFAULT_DIR	"/etc/knell/system"
#define BIT(sig)	(1ULL << (sig))

static const char *unit_dir = DEFAULT_DIR;
static bool check_only;

static const char usage[] =
	"Usage: knelld [--unit-dir DIR] [--check]\n"
	"Supervises the services of DIR/*.service, asleep in one read() of " KNELL_DEVICE ".\n"
	"\n"
	"  --unit-dir DIR  where the unit files are (" DEFAULT_DIR ")\n"
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

static void parse_options(int argc, char **argv)
{
	static const struct option options[] = {
		{ "unit-dir", required_argument, NULL, 'u' },
		{ "check", no_argument, NULL, 'c' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'v' },
		{ 0 },
	};
	int opt;

	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (opt == 'u')
			unit_dir = optarg;
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

static void on_signal(int sig)
{
	int err = errno;

	queue_ring(BIT(sig));
	errno = err;
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

/* Once the bell hangs. */
static void listen_to_signals(void)
{
	struct sigaction ring = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
	sigset_t none;

	sigfillset(&ring.sa_mask);
	sigaction(SIGTERM, &ring, NULL);
	sigaction(SIGINT, &ring, NULL);
	sigaction(SIGHUP, &ring, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
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

/* What the bell says; the stop signal that came first decides how it ends. */
static void on_bell(uint64_t signals, bool *restart)
{
	const uint64_t stop = BIT(SIGTERM) | BIT(SIGINT);

	if (signals & stop && !service_stopping()) {
		*restart = !(signals & BIT(SIGTERM));
		log_line("SIG%s: stopping all services", *restart ? "INT" : "TERM");
		service_stop_all();
	}
	if (signals & BIT(SIGHUP))
		reload();
}

static void dispatch(const struct knell_event *ev, bool *restart)
{
	struct unit *u = unit_by_id((uint32_t)ev->token);

	if (ev->type == KNELL_EV_USER)
		on_bell(ev->user.value, restart);
	else if (u && ev->type == KNELL_EV_EXIT)
		service_exit(u, ev);
	else if (u && ev->type == KNELL_EV_TIMER && ev->token >> 32 == u->timer_gen)
		service_timer(u);
}

/* Until everything is stopped; how it is to end, or -errno. */
static int loop(bool *restart)
{
	static struct knell_event ev[64];
	int n;

	for (;;) {
		service_settle();
		if (service_all_stopped())
			return 0;
		n = queue_read(ev, ARRAY_SIZE(ev));
		if (n < 0)
			return n;
		for (int i = 0; i < n; i++)
			dispatch(&ev[i], restart);
	}
}

static int fail(void)
{
	if (is_pid1())
		pid1_hang();
	return 1;
}

int main(int argc, char **argv)
{
	bool restart = false;
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
	if (queue_open() < 0)
		return fail();
	err = spawn_init();
	if (err < 0) {
		log_line("cannot open /dev/null: %s", strerror(-err));
		return fail();
	}
	listen_to_signals();
	/* The first process stays without units, too: the directory can be mended. */
	if (units_load(unit_dir) < 0 && !is_pid1())
		return 1;
	service_start_new();
	err = loop(&restart);
	if (err < 0) {
		log_line("cannot read %s: %s", KNELL_DEVICE, strerror(-err));
		return fail();
	}
	log_line("all services are stopped");
	if (is_pid1())
		pid1_end(restart);
	return 0;
}
