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
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "container.h"
#include "control.h"
#include "exec.h"
#include "knelld.h"
#include "handover.h"
#include "manager_internal.h"
#include "pid1.h"
#include "span.h"
#include "talk.h"

#define LOG_END_MS	2000	/* for a reader of the log that does not read */

static enum knell_backend backend = KNELL_BACKEND_AUTO;
static bool check_only;
static bool keep_none;

static const char usage[] =
	"Usage: knelld [--unit-dir DIR]... [--compat] [--user] [--default UNIT]\n"
	"              [--keep NAME | --no-keep] [--backend WHICH] [--control PATH]\n"
	"              [--control-read WHO]\n"
	"       knelld [--unit-dir DIR]... --check\n"
	"       knelld --container [--group] [--grace SPAN] [--] COMMAND [ARG]...\n"
	"       knelld --container [--main UNIT] [OPTION]...\n"
	"Supervises services, asleep in one system call on " KNELL_DEVICE ".\n"
	"\n"
	"  --unit-dir DIR  where the unit files are; may be given again. Else /etc/knell/system,\n"
	"                  /run/knell/system and /usr/lib/knell/system\n"
	"  --compat        DragonReach's and systemd's directories, too\n"
	"  --user          a user's own: files from $XDG_CONFIG_HOME/knell/user and others\n"
	"  --default UNIT  what is started at first (default.target; if there is none, all units\n"
	"                  that do not wait to be enabled)\n"
	"  --keep NAME     the name by which the next knelld finds what this one leaves if it is\n"
	"                  killed (knelld, or one made of DIR)\n"
	"  --no-keep       leave nothing to the next one; so does the first process of a\n"
	"                  container\n"
	"  --backend WHICH auto, kernel (the module) or pidfd (without it)\n"
	"  --control PATH  where knellctl finds it (/run/knell/control, with --user\n"
	"                  $XDG_RUNTIME_DIR/knell/control, with --unit-dir nowhere)\n"
	"  --control-read WHO  all or owner: who besides root may ask how services are (all)\n"
	"  --check         read the unit files, report what is wrong, start nothing;\n"
	"                  exit status 1 if a unit could not be started\n"
	"  --container     comes first: the first process of a container, or a part of one. Runs\n"
	"                  COMMAND, passes signals on to it, reaps orphans and exits as it does\n"
	"  --group         signals are for COMMAND's process group\n"
	"  --grace SPAN    what COMMAND leaves has so long from SIGTERM to SIGKILL (5s)\n"
	"  --main UNIT     instead of a COMMAND: the unit with whose end all ends, and as it does\n"
	"  --help          this text\n"
	"  --version       the version\n"
	"\n"
	"SIGTERM and SIGINT stop all services in reverse order and end knelld (as the first\n"
	"process: power off and restart the machine); SIGHUP reads the files again,\n"
	"SIGUSR1 logs what the loop's functions have used. See knelld(8).\n";

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
	const char *given = manager_options.dirs.nr ? manager_options.dirs.v[0] : NULL;
	char *dir, *name;

	/* What the first process of a container leaves dies with it. */
	if (keep_none || in_container || (is_pid1() && !pid1_of_machine()))
		return NULL;
	if (!given)
		return manager.user ? "knelld-user" : "knelld";
	dir = realpath(given, NULL);
	if (!dir)
		dir = xstrdup(given);
	name = xasprintf("knelld%s%s", *dir == '/' ? "" : "-", dir);
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

/* We leave for "/". */
static char *absolute(const char *path)
{
	char *cwd = *path == '/' ? NULL : getcwd(NULL, 0);
	char *full = cwd ? xasprintf("%s/%s", cwd, path) : xstrdup(path);

	free(cwd);
	return full;
}

static bool parse_backend(const char *s)
{
	static const char *const names[] = {
		[KNELL_BACKEND_AUTO] = "auto", [KNELL_BACKEND_KERNEL] = "kernel",
		[KNELL_BACKEND_PIDFD] = "pidfd",
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (!strcmp(s, names[i])) {
			backend = i;
			return true;
		}
	return false;
}

/* What is only for --container; it has to come first, as what is no option is its own then. */
static bool parse_container(int opt)
{
	if (!in_container)
		return false;
	if (opt == 'g')
		container.group = true;
	else if (opt == 'm' && unit_name_kind(optarg) < UNIT_KINDS)
		container.main = optarg;
	else if (opt != 'G' || span_parse(optarg, strlen(optarg), NSEC_PER_SEC,
					   &container.grace_ns) < 0)
		return opt == 'K';
	/* For ever is a time that a timer can have. */
	container.grace_ns &= FOREVER >> 2;
	return true;
}

static void parse_options(int argc, char **argv)
{
	static const struct option options[] = {
		{ "unit-dir", required_argument, NULL, 'u' },
		{ "compat", no_argument, NULL, 'C' },
		{ "user", no_argument, NULL, 'U' },
		{ "default", required_argument, NULL, 'd' },
		{ "keep", required_argument, NULL, 'k' },
		{ "no-keep", no_argument, NULL, 'n' },
		{ "backend", required_argument, NULL, 'b' },
		{ "control", required_argument, NULL, 's' },
		{ "control-read", required_argument, NULL, 'r' },
		{ "check", no_argument, NULL, 'c' },
		{ "container", no_argument, NULL, 'K' },
		{ "group", no_argument, NULL, 'g' },
		{ "grace", required_argument, NULL, 'G' },
		{ "main", required_argument, NULL, 'm' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'v' },
		{ 0 },
	};
	int opt;

	in_container = argc > 1 && !strcmp(argv[1], "--container");
	while ((opt = getopt_long(argc, argv, in_container ? "+" : "", options, NULL)) != -1) {
		if (opt == 'u')
			strv_add(&manager_options.dirs, absolute(optarg));
		else if (opt == 'C')
			manager_options.compat = true;
		else if (opt == 'U')
			manager_options.user = manager.user = true;
		else if (opt == 'd' && unit_name_kind(optarg) < UNIT_KINDS)
			manager.default_named = (manager.default_target = optarg);
		else if (opt == 'k' && queue_name_ok(optarg))
			manager.queue_name = optarg;
		else if (opt == 'n')
			keep_none = true;
		else if (opt == 'b' && parse_backend(optarg))
			;
		else if (opt == 's')
			control_path = optarg;
		else if (opt == 'r' && (!strcmp(optarg, "all") || !strcmp(optarg, "owner")))
			control_owner_only = *optarg == 'o';
		else if (opt == 'c' && !is_pid1())
			check_only = true;
		else if (opt == 'h' && !is_pid1())
			say(usage);
		else if (opt == 'v' && !is_pid1())
			say("knelld " KNELL_VERSION "\n");
		else if (!parse_container(opt))
			bad_usage();
	}
	if (optind < argc && in_container && !container.main && !manager_options.dirs.nr)
		container.command = argv + optind;
	else if (optind < argc)
		bad_usage();
	container.backend = backend;
}

/*
 * Nothing is inherited from whoever started us, for the services would inherit it in turn.
 */
static void settle_signals(void)
{
	const struct sigaction dfl = { .sa_handler = SIG_DFL };
	const struct sigaction ignore = { .sa_handler = SIG_IGN };

	for (int sig = 1; sig < NSIG; sig++)
		sigaction(sig, &dfl, NULL);
	sigaction(SIGPIPE, &ignore, NULL);
}

/* All but those that a defect raises: held, they would be the end at once. */
static void hold_signals(void)
{
	static const int faults[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT };
	sigset_t all;

	sigfillset(&all);
	for (size_t i = 0; i < ARRAY_SIZE(faults); i++)
		sigdelset(&all, faults[i]);
	sigprocmask(SIG_SETMASK, &all, NULL);
}

static void let_signals(void)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
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

static void on_reload(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	(void)l;
	(void)call;
	(void)arg;
	log_line(manager.stopping ? "SIGHUP: stopping already, nothing is read again" :
		 "SIGHUP: reading the unit files again");
	manager_reload();
}

/* The stop signal that comes first decides how it ends. */
static void on_stop(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	int sig = call->sig->si_signo;

	(void)l;
	(void)arg;
	if (manager.stopping)
		return;
	log_line("%s: stopping all services", signal_name(sig));
	manager_stop(sig == SIGINT && is_pid1() ? END_REBOOT : END_EXIT, 0);
}

/*
 * The table of the loop's functions, a line of the log each. CPU time is in it from the next one
 * on: to look at it is a system call, which nobody makes who does not want to know.
 */
static void on_show(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	char *text = NULL, *line, *rest;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	(void)call;
	(void)arg;
	if (!f || knell_stats_show(l, f, NULL, KNELL_TEXT) < 0)
		log_line("SIGUSR1: no memory for the table");
	if (f)
		fclose(f);
	for (rest = text; (line = strsep(&rest, "\n")) && *line;)
		log_line("%s", line);
	free(text);
	knell_set_cpu_accounting(l, true);
}

static void on_log_room(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	(void)l;
	(void)call;
	(void)arg;
	log_resume();
}

static bool watch_log(int fd)
{
	struct knell_loop *l = queue_loop();

	return l && !knell_is_none(knell_add_write(l, on_log_room, NULL, fd));
}

/* From here on signals come: 0 or -errno. */
static int listen_to_signals(void)
{
	struct knell_loop *l = queue_loop();

	if (knell_is_none(knell_add_signal(l, on_stop, NULL, SIGTERM)) ||
	    knell_is_none(knell_add_signal(l, on_stop, NULL, SIGINT)) ||
	    knell_is_none(knell_add_signal(l, on_reload, NULL, SIGHUP)) ||
	    knell_is_none(knell_add_signal(l, on_show, NULL, SIGUSR1)) ||
	    (is_pid1() && pid1_listen(l) < 0) || (in_container && container_listen(l) < 0))
		return -errno;
	let_signals();
	return 0;
}

/* What follows from all that was heard. */
static void settle(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	(void)l;
	(void)call;
	(void)arg;
	record_settle();
	job_settle();
	if (in_container && container_settle())
		job_settle();
	/* In this order: what is acknowledged does not come again. */
	log_flush();
	state_settle();
	queue_flush();
}

static void before_sleep(struct knell_loop *l, void *arg)
{
	(void)arg;
	/* As a task, so that it is in the table, too. */
	if (knell_execute(l, settle, NULL, 0) < 0)
		settle(l, NULL, NULL);
	if (manager_over())
		knell_loop_stop(l);
	memory_give_back();
}

/* Until everything is stopped: 0, or -errno. */
static int run(void)
{
	struct knell_loop *l = queue_loop();
	int err;

	err = knell_add_prepare(l, before_sleep, NULL);
	if (!err)
		err = knell_loop_run(l, KNELL_RUN_DEFAULT);
	/* The first process has to wait for others yet. */
	knell_del_hook(l, before_sleep, NULL);
	return err < 0 ? err : 0;
}

/* What a former knelld has left, if there was one; it may have been stopping everything. */
static bool take_over(enum tenure tenure, bool *known)
{
	bool stopping = false;

	*known = tenure == QUEUE_TAKEN &&
		 state_load(manager.queue_name, queue_id(), &stopping);
	if (tenure == QUEUE_TAKEN)
		takeover_units(*known);
	if (tenure != QUEUE_OWN && !*known)
		state_begin(manager.queue_name, queue_id());
	return stopping;
}

static void leave_nothing(void)
{
	talk_exit();
	control_end();
	queue_let_go();
	state_end();
	log_drain(LOG_END_MS);
}

static int fail(void)
{
	log_drain(LOG_END_MS);
	if (is_pid1())
		pid1_hang();
	return 1;
}

/* From nothing to the point where only the loop is left to be run; 0 or -errno, logged. */
static int begin(char **argv)
{
	bool known, stopping;
	enum tenure tenure;
	int err;

	manager.queue_name = manager.queue_name ? manager.queue_name : default_queue_name();
	err = in_container ? container_queue(manager.queue_name, &tenure) :
			     queue_open(manager.queue_name, backend, &tenure);
	if (err < 0)
		return err;
	if (procs == &plain_procs)
		log_line("without " KNELL_DEVICE ": if knelld is killed what runs is lost sight "
			 "of; a process that leaves its service's session is no part of it; who "
			 "sent a signal is not known");
	if (tenure != QUEUE_OWN)
		pid1_can_go_on(argv);
	err = exec_init(manager.user, manager_options.dirs.nr ? manager_options.dirs.v[0] : NULL);
	if (err < 0) {
		log_line("cannot open /dev/null: %s", strerror(-err));
		return err;
	}
	manager.started = now_ns();
	stopping = take_over(tenure, &known);
	err = listen_to_signals();
	if (err < 0) {
		log_line("cannot listen to signals: %s", strerror(-err));
		return err;
	}
	err = manager_load();
	/* The first process stays without units, too: the directory can be mended. */
	if (err < 0 && !is_pid1()) {
		if (tenure == QUEUE_KEPT)
			leave_nothing();
		return err;
	}
	/* Nobody gets in the way of another one on other directories. */
	if (control_path || !manager_options.dirs.nr)
		control_begin();
	err = queue_listen(record);
	if (err < 0) {
		log_line("cannot wait for records: %s", strerror(-err));
		return err;
	}
	handover_take(tenure == QUEUE_TAKEN);
	if (tenure == QUEUE_TAKEN)
		takeover_resume();
	if (stopping)
		manager_resume_stop();
	else
		manager_begin(known);
	if (in_container)
		container_begin();
	return 0;
}

/* The program that is on disk now goes on with what is here; comes back only if it cannot. */
static void reexec(char **argv)
{
	static char path[4096];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
	const char *gone = " (deleted)";
	char *end;

	path[n > 0 ? n : 0] = '\0';
	end = strstr(path, gone);
	if (end && !end[strlen(gone)])
		*end = '\0';
	log_line("%s goes on", path);
	control_end();
	hold_signals();
	settle(NULL, NULL, NULL);
	handover_give();
	log_hand_over();
	if (fd_limit())
		setrlimit(RLIMIT_NOFILE, fd_limit());
	execv(path, argv);
	log_line("cannot run %s: %s", path, strerror(errno));
	handover_undo();
	manager.how = END_EXIT;
	let_signals();
	control_begin();
}

static void tell_short(void)
{
	log_line("out of memory, waiting for some");
	log_flush();
}

int main(int argc, char **argv)
{
	int err;

	mem_short = tell_short;
	/* An answer lacks nothing. */
	json_set_alloc_funcs(xmalloc, free);
	parse_options(argc, argv);
	if (check_only) {
		err = manager_check();
		log_flush();
		return err;
	}
	hold_signals();
	settle_signals();
	if (is_pid1())
		pid1_begin();
	if (container.command)
		container_run();
	settle_descriptors();
	log_begin(watch_log);
	if (chdir("/") < 0)
		log_line("cannot enter /: %s", strerror(errno));
	log_line("version " KNELL_VERSION ", pid %d", getpid());
	if (begin(argv) < 0)
		return fail();
	do {
		err = run();
		if (!err && manager.how == END_REEXEC)
			reexec(argv);
	} while (!err && !manager.stopping);
	if (err < 0) {
		log_line("cannot wait on %s: %s", KNELL_DEVICE, strerror(-err));
		return fail();
	}
	log_line("all services are stopped");
	leave_nothing();
	if (is_pid1())
		pid1_end(manager.how);
	return in_container ? container_end() : manager.exit_status;
}
