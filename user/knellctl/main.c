// SPDX-License-Identifier: GPL-2.0-only
/* Options, the table of commands, and their help. */
#include <ctype.h>
#include <getopt.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "knellctl.h"

struct opts opt = { .lines = -1, .status = -1, .cpu = -1 };

#define O_ALWAYS (BIT(O_HELP) | BIT(O_VERSION) | BIT(O_JSON) | BIT(O_SOCKET) | BIT(O_USER))
#define O_JOBS	(BIT(O_NO_BLOCK) | BIT(O_MODE) | BIT(O_QUIET))
#define O_FILES	(BIT(O_ROOT) | BIT(O_UNIT_DIR) | BIT(O_COMPAT))
#define O_LINKS	(O_FILES | BIT(O_RUNTIME) | BIT(O_FORCE) | BIT(O_NO_RELOAD) | BIT(O_QUIET))
#define O_LIST	(BIT(O_TYPE) | BIT(O_STATE) | BIT(O_ALL) | BIT(O_PLAIN) | BIT(O_FAILED))

static int cmd_help(const struct verb *cmd, char **args, size_t nr);

static const struct verb commands[] = {
	{ "status", cmd_status, 0, ANY, BIT(O_LINES) | O_FILES, "[UNIT...]",
	  "how units are and why; without UNIT: knelld itself, and what has failed", NULL },
	{ "why", cmd_why, 0, ANY, 0, "[UNIT...]",
	  "why units are not as they should be; without UNIT: all that are not", NULL },
	{ "list", cmd_list, 0, ANY, O_LIST, "[PATTERN...]",
	  "units that are up, failed or have a job; --all: all", NULL },
	{ "list-units", cmd_list, 0, ANY, O_LIST, "[PATTERN...]", "as list", NULL },
	{ "start", cmd_jobs, 1, ANY, O_JOBS, "UNIT...", "start units", "StartUnits" },
	{ "stop", cmd_jobs, 1, ANY, O_JOBS, "UNIT...", "stop units", "StopUnits" },
	{ "restart", cmd_jobs, 1, ANY, O_JOBS, "UNIT...", "stop, then start units",
	  "RestartUnits" },
	{ "try-restart", cmd_jobs, 1, ANY, O_JOBS, "UNIT...", "restart units that run",
	  "TryRestartUnits" },
	{ "reload", cmd_jobs, 1, ANY, O_JOBS, "UNIT...",
	  "have units read their own settings again", "ReloadUnits" },
	{ "reload-or-restart", cmd_jobs, 1, ANY, O_JOBS, "UNIT...",
	  "the same, and restart those that cannot", "ReloadUnits" },
	{ "isolate", cmd_jobs, 1, 1, O_JOBS, "UNIT",
	  "start a unit, stop all that it does not need", "StartUnits" },
	{ "kill", cmd_kill, 1, ANY, BIT(O_SIGNAL) | BIT(O_WHOM), "UNIT...",
	  "send a signal to the processes of units", NULL },
	{ "reset-failed", cmd_reset_failed, 0, ANY, 0, "[UNIT...]",
	  "forget failures and start limits", NULL },
	{ "list-jobs", cmd_list_jobs, 0, 0, BIT(O_PLAIN), "", "what is yet to be done", NULL },
	{ "cancel", cmd_cancel, 1, ANY, 0, "JOB...", "take jobs back", NULL },
	{ "is-active", cmd_is, 1, ANY, BIT(O_QUIET), "UNIT...",
	  "print states; 0 if one is active", "active" },
	{ "is-failed", cmd_is, 1, ANY, BIT(O_QUIET), "UNIT...",
	  "print states; 0 if one has failed", "failed" },
	{ "is-enabled", cmd_is_enabled, 1, ANY, BIT(O_QUIET) | O_FILES, "UNIT...",
	  "print whether units are started at boot; 0 if one is", NULL },
	{ "enable", cmd_enable, 1, ANY, O_LINKS | BIT(O_NOW), "UNIT...|FILE...",
	  "have units started at boot", "StartUnits" },
	{ "disable", cmd_enable, 1, ANY, O_LINKS | BIT(O_NOW), "UNIT...",
	  "not any more", "StopUnits" },
	{ "reenable", cmd_enable, 1, ANY, O_LINKS, "UNIT...", "disable, then enable", NULL },
	{ "mask", cmd_enable, 1, ANY, O_LINKS | BIT(O_NOW), "UNIT...",
	  "have units not started at all", "StopUnits" },
	{ "unmask", cmd_enable, 1, ANY, O_LINKS, "UNIT...", "allow it again", NULL },
	{ "cat", cmd_cat, 1, ANY, O_FILES, "UNIT...", "print the files of units", NULL },
	{ "verify", cmd_verify, 0, ANY, O_FILES, "[UNIT...|FILE...]",
	  "say all that is wrong with unit files; without arguments: with all of them", NULL },
	{ "show", cmd_show, 0, ANY, BIT(O_PROPERTY) | BIT(O_VALUE) | O_FILES, "[UNIT...]",
	  "NAME=VALUE, for programs; without UNIT: of knelld", NULL },
	{ "tree", cmd_tree, 0, ANY, BIT(O_QUEUE), "[UNIT...]",
	  "processes of units, their CPU time and memory; --queue: as members", NULL },
	{ "history", cmd_history, 0, 1, BIT(O_LINES) | BIT(O_PLAIN), "[UNIT]",
	  "the latest ends of processes", NULL },
	{ "events", cmd_events, 0, ANY, BIT(O_FOLLOW) | BIT(O_LINES), "[UNIT...]",
	  "what happens, as it happens", NULL },
	{ "timers", cmd_timers, 0, ANY, BIT(O_PLAIN) | BIT(O_ALL), "[PATTERN...]",
	  "when timers elapse next, and did last", NULL },
	{ "list-timers", cmd_timers, 0, ANY, BIT(O_PLAIN) | BIT(O_ALL), "[PATTERN...]",
	  "as timers", NULL },
	{ "list-dependencies", cmd_list_dependencies, 0, 1,
	  BIT(O_REVERSE) | BIT(O_PLAIN) | BIT(O_ALL) | BIT(O_TYPE), "[UNIT]",
	  "what a unit needs; --reverse: what needs it", NULL },
	{ "daemon-reload", cmd_manager, 0, 0, 0, "",
	  "have knelld read the unit files again", "Reload" },
	{ "daemon-reexec", cmd_manager, 0, 0, 0, "",
	  "put the program on disk in knelld's place", "Reexec" },
	{ "is-system-running", cmd_is_system_running, 0, 0, BIT(O_QUIET), "",
	  "print knelld's state; 0 if nothing has failed", NULL },
	{ "plot", cmd_plot, 0, 0, 0, "", "the boot as a chart, SVG", NULL },
	{ "blame", cmd_blame, 0, 0, BIT(O_PLAIN), "", "units by the time they took to start",
	  NULL },
	{ "metrics", cmd_metrics, 0, 0, BIT(O_HTTP), "", "counters, as OpenMetrics has them",
	  NULL },
	{ "top", cmd_top, 0, 1, BIT(O_CPU), "[rwtexbcs]",
	  "what each function of knelld's loop has used", NULL },
	{ "queues", cmd_queues, 0, 0, BIT(O_PLAIN), "", "queues of the module, whose they are",
	  NULL },
	{ "watches", cmd_watches, 1, 1, BIT(O_PLAIN), "QUEUE", "what a queue waits for", NULL },
	{ "members", cmd_members, 1, 2, 0, "QUEUE [WATCH]",
	  "the processes of a queue's trees, by the module", NULL },
	{ "monitor", cmd_monitor, 0, 0, BIT(O_LINES), "",
	  "what all queues hear, as it happens", NULL },
	{ "drop", cmd_drop, 1, ANY, 0, "QUEUE...",
	  "end kept queues whose holders have died", NULL },
	{ "blackbox", cmd_blackbox, 0, 1, BIT(O_LINES) | BIT(O_PLAIN), "[FILE]",
	  "what the machine did before it was reset, and why it was", NULL },
	{ "poweroff", cmd_manager, 0, 0, 0, "", "stop everything and power off", "PowerOff" },
	{ "reboot", cmd_manager, 0, 0, 0, "", "stop everything and reboot", "Reboot" },
	{ "halt", cmd_manager, 0, 0, 0, "", "stop everything and halt", "Halt" },
	{ "exit", cmd_manager, 0, 0, BIT(O_STATUS), "", "stop everything and end knelld",
	  "Exit" },
	{ "help", cmd_help, 0, 1, BIT(O_PLAIN), "[COMMAND]", "this", NULL },
};

/* What is behind the name in the help: NULL takes no argument. */
static const struct {
	const char *name, *arg, *help;
	char letter;
} options[OPTIONS] = {
	[O_HELP] = { "help", NULL, "the command's help", 'h' },
	[O_VERSION] = { "version", NULL, "print the version", 0 },
	[O_JSON] = { "json", NULL, "print JSON", 0 },
	[O_SOCKET] = { "socket", "PATH", "where knelld listens (/run/knell/control)", 0 },
	[O_USER] = { "user", NULL, "speak to your own knelld", 0 },
	[O_QUIET] = { "quiet", NULL, "print errors only", 'q' },
	[O_NO_BLOCK] = { "no-block", NULL, "do not wait for the jobs", 0 },
	[O_MODE] = { "mode", "MODE", "replace, fail, isolate, ignore-dependencies or flush "
		     "(replace)", 0 },
	[O_TYPE] = { "type", "TYPE,...", "only service, target, timer, socket", 't' },
	[O_STATE] = { "state", "STATE,...", "only units in these: load, active or sub", 0 },
	[O_ALL] = { "all", NULL, "also what is not up", 'a' },
	[O_PLAIN] = { "plain", NULL, "no headings, no dots", 0 },
	[O_FAILED] = { "failed", NULL, "as --state=failed", 0 },
	[O_LINES] = { "lines", "N", "at most so many", 'n' },
	[O_SIGNAL] = { "signal", "SIGNAL", "name or number (SIGTERM)", 's' },
	[O_WHOM] = { "kill-whom", "WHOM", "main, control or all (all)", 0 },
	[O_ROOT] = { "root", "DIR", "work on files below DIR, without knelld", 0 },
	[O_UNIT_DIR] = { "unit-dir", "DIR", "look for unit files there; may be repeated", 0 },
	[O_COMPAT] = { "compat", NULL, "in DragonReach's and systemd's directories, too", 0 },
	[O_RUNTIME] = { "runtime", NULL, "until the next boot only", 0 },
	[O_FORCE] = { "force", NULL, "replace links that point elsewhere", 'f' },
	[O_NOW] = { "now", NULL, "start or stop the units, too", 0 },
	[O_NO_RELOAD] = { "no-reload", NULL, "do not tell knelld of it", 0 },
	[O_FOLLOW] = { "follow", NULL, "go on until interrupted", 'F' },
	[O_REVERSE] = { "reverse", NULL, "the other way round", 'r' },
	[O_PROPERTY] = { "property", "NAME,...", "only these", 'p' },
	[O_VALUE] = { "value", NULL, "without NAME=", 0 },
	[O_CPU] = { "cpu", "on|off", "count CPU time from now on, or do not", 0 },
	[O_STATUS] = { "status", "N", "exit status (0)", 0 },
	[O_QUEUE] = { "queue", "QUEUE[:WATCH]", "of a queue of the module", 0 },
	[O_HTTP] = { "http", NULL, "serve them on the socket that was passed", 0 },
};

static void show_option(enum option_id o)
{
	char left[64];

	snprintf(left, sizeof(left), "%s%c%s--%s%s%s", options[o].letter ? "-" : "   ",
		 options[o].letter ? options[o].letter : ' ', options[o].letter ? ", " : "",
		 options[o].name, options[o].arg ? "=" : "",
		 options[o].arg ? options[o].arg : "");
	printf("  %-26s %s\n", left, options[o].help);
}

static void show_options(unsigned int which)
{
	for (enum option_id o = 0; o < OPTIONS; o++)
		if (which & BIT(o))
			show_option(o);
}

static const struct verb *command_of(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (!strcmp(commands[i].name, name))
			return &commands[i];
	return NULL;
}

static void help_all(void)
{
	print(PLAIN, "usage: knellctl [OPTION...] COMMAND [ARGUMENT...]\n\n");
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		printf("  %s %s\n", commands[i].name, commands[i].args);
		printf("%26s %s\n", "", commands[i].help);
	}
	print(PLAIN, "\n");
	show_options(O_ALWAYS);
	print(PLAIN, "\nknellctl help COMMAND tells what a command takes. See knellctl(1).\n");
}

static void help_one(const struct verb *cmd)
{
	printf("usage: knellctl %s [OPTION...]%s%s\n\n%c%s.\n\n", cmd->name, *cmd->args ? " " : "",
	       cmd->args, toupper((unsigned char)*cmd->help), cmd->help + 1);
	show_options(cmd->options | O_ALWAYS);
}

/* --plain: for completions, names of commands, or of the options of one. */
static void help_plain(const struct verb *cmd)
{
	for (size_t i = 0; !cmd && i < ARRAY_SIZE(commands); i++)
		printf("%s\n", commands[i].name);
	for (enum option_id o = 0; cmd && o < OPTIONS; o++)
		if ((cmd->options | O_ALWAYS) & BIT(o))
			printf("--%s%s\n", options[o].name, options[o].arg ? "=" : "");
}

static json_t *help_json(void)
{
	json_t *list = json_array();

	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		json_array_append_new(list, json_pack("{s:s, s:s, s:s}", "command",
						      commands[i].name, "arguments",
						      commands[i].args, "help",
						      commands[i].help));
	return json_pack("{s:o}", "commands", list);
}

static int cmd_help(const struct verb *cmd, char **args, size_t nr)
{
	const struct verb *about = nr ? command_of(args[0]) : NULL;

	(void)cmd;
	if (nr && !about) {
		complain("%s: no such command", args[0]);
		return EX_USAGE;
	}
	if (opt.json)
		return out_json(help_json());
	if (opt.plain)
		help_plain(about);
	else if (about)
		help_one(about);
	else
		help_all();
	return EX_OK;
}

static void __attribute__((noreturn)) usage(void)
{
	fputs("See knellctl help.\n", stderr);
	exit(EX_USAGE);
}

static long number(enum option_id o, const char *s, long max)
{
	char *end;
	long n = strtol(s, &end, 10);

	if (!isdigit((unsigned char)*s) || *end || n > max) {
		complain("--%s: not a number from 0 to %ld: %s", options[o].name, max, s);
		exit(EX_USAGE);
	}
	return n;
}

static bool one_of(const char *s, const char *const *words)
{
	while (*words && strcmp(*words, s))
		words++;
	return *words;
}

static void check_word(enum option_id o, const char *s, const char *const *words)
{
	if (one_of(s, words))
		return;
	complain("--%s: not a word it takes: %s", options[o].name, s);
	exit(EX_USAGE);
}

static void take_value(enum option_id o, char *s)
{
	static const char *const modes[] = { "replace", "fail", "isolate", "ignore-dependencies",
					     "flush", NULL };
	static const char *const whom[] = { "main", "control", "all", NULL };
	static const char *const switches[] = { "on", "off", NULL };

	switch (o) {
	case O_SOCKET: opt.socket = s; break;
	case O_MODE: check_word(o, s, modes); opt.mode = s; break;
	case O_TYPE: opt.type = s; break;
	case O_STATE: opt.state = s; break;
	case O_LINES: opt.lines = number(o, s, 1000000); break;
	case O_STATUS: opt.status = number(o, s, 255); break;
	case O_WHOM: check_word(o, s, whom); opt.whom = s; break;
	case O_ROOT: opt.root = s; break;
	case O_UNIT_DIR: strv_add(&opt.dirs, xstrdup(s)); break;
	case O_PROPERTY: opt.property = s; break;
	case O_QUEUE: opt.queue = s; break;
	case O_CPU: check_word(o, s, switches); opt.cpu = !strcmp(s, "on"); break;
	case O_SIGNAL:
		if (parse_signal(s, &opt.signal) < 0) {
			complain("--signal: no such signal: %s", s);
			exit(EX_USAGE);
		}
		break;
	default: break;
	}
}

static void take_flag(enum option_id o)
{
	bool *const flags[OPTIONS] = {
		[O_JSON] = &opt.json, [O_USER] = &opt.user, [O_QUIET] = &opt.quiet,
		[O_NO_BLOCK] = &opt.no_block, [O_ALL] = &opt.all, [O_PLAIN] = &opt.plain,
		[O_COMPAT] = &opt.compat, [O_RUNTIME] = &opt.runtime, [O_FORCE] = &opt.force,
		[O_NOW] = &opt.now, [O_NO_RELOAD] = &opt.no_reload, [O_FOLLOW] = &opt.follow,
		[O_REVERSE] = &opt.reverse, [O_VALUE] = &opt.value,
		[O_HTTP] = &opt.http,
	};

	if (flags[o])
		*flags[o] = true;
	if (o == O_FAILED)
		opt.state = "failed";
}

/* The table of options as getopt_long(3) wants it. */
static void parse_options(int argc, char **argv)
{
	struct option longs[OPTIONS + 1] = { 0 };
	char shorts[3 * OPTIONS] = "", *s = shorts;
	int c;

	for (enum option_id o = 0; o < OPTIONS; o++) {
		longs[o].name = options[o].name;
		longs[o].has_arg = options[o].arg ? required_argument : no_argument;
		longs[o].val = options[o].letter ? options[o].letter : 256 + (int)o;
		if (options[o].letter)
			s += sprintf(s, "%c%s", options[o].letter, options[o].arg ? ":" : "");
	}
	while ((c = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		enum option_id o = 0;

		if (c == '?')
			usage();
		while (longs[o].val != c)
			o++;
		opt.given |= BIT(o);
		if (options[o].arg)
			take_value(o, optarg);
		else
			take_flag(o);
	}
}

static void check_use(const struct verb *cmd, int nr)
{
	unsigned int wrong = opt.given & ~(cmd->options | O_ALWAYS);

	for (enum option_id o = 0; o < OPTIONS; o++)
		if (wrong & BIT(o)) {
			complain("%s does not take --%s", cmd->name, options[o].name);
			usage();
		}
	if ((unsigned int)nr < cmd->min || (unsigned int)nr > cmd->max) {
		complain("usage: knellctl %s%s%s", cmd->name, *cmd->args ? " " : "", cmd->args);
		usage();
	}
}

int main(int argc, char **argv)
{
	const struct verb *cmd;
	const char *name;

	out_begin();
	parse_options(argc, argv);
	if (opt.given & BIT(O_VERSION)) {
		puts("knellctl " KNELL_VERSION);
		return out_end(EX_OK);
	}
	name = optind < argc ? argv[optind++] : opt.given & BIT(O_HELP) ? "help" : "status";
	cmd = command_of(name);
	if (!cmd) {
		complain("%s: no such command", name);
		usage();
	}
	if (opt.given & BIT(O_HELP)) {
		if (cmd->run == cmd_help)
			help_all();
		else
			help_one(cmd);
		return out_end(EX_OK);
	}
	check_use(cmd, argc - optind);
	return out_end(cmd->run(cmd, argv + optind, (size_t)(argc - optind)));
}
