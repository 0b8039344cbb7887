/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of one unit say: struct unit_file. unit_load.h tells where it comes from.
 *
 * Everything in it lives and dies with it (unit_file_free()); nobody changes it. Times are in
 * nanoseconds, FOREVER is "infinity". A string that was not given is NULL, and so is a pointer
 * to what none of the unit's keys speaks of.
 */
#ifndef _UNIT_FILE_H
#define _UNIT_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/types.h>

#define NSEC_PER_SEC	1000000000ULL
#define NSEC_PER_MSEC	1000000ULL
#define FOREVER		UINT64_MAX	/* the time span "infinity" */

/* A list of strings; v[nr] is the NULL that exec wants, v is NULL if there are none. */
struct strv {
	char **v;
	size_t nr;
};

/* Where something was said: line @line of struct unit_file's sources[@file]; 0: of no line. */
struct where {
	uint32_t file : 11;
	uint32_t line : 21;
};

/* A path that may be missing if it was written with a leading "-". */
struct path {
	const char *name;
	bool optional;
	struct where where;
};

struct paths {
	struct path *v;
	size_t nr;
};

/* The number is part of no format; the suffix of the name says it (unit_kind()). */
enum unit_kind {
	UNIT_SERVICE, UNIT_TARGET, UNIT_TIMER, UNIT_SOCKET,
	UNIT_KINDS,
	UNIT_FOREIGN = UNIT_KINDS,	/* .mount .path .slice ...: a name, but no unit here */
	UNIT_NOT_A_NAME,
};

/* [Unit] */

/* What a unit says of others. The names of directives.c, in the plural where there is one. */
enum dep_kind {
	DEP_AFTER,
	DEP_BEFORE,
	DEP_REQUIRES,
	DEP_REQUISITE,
	DEP_WANTS,
	DEP_BINDS_TO,
	DEP_PART_OF,
	DEP_CONFLICTS,
	DEP_UPHOLDS,
	DEP_ON_FAILURE,
	DEP_ON_SUCCESS,
	DEP_PROPAGATES_RELOAD_TO,
	DEP_RELOAD_PROPAGATED_FROM,
	DEP_PROPAGATES_STOP_TO,
	DEP_STOP_PROPAGATED_FROM,
	DEP_TRIGGERS,		/* a timer's Unit=, a socket's Service=, or its default */
	DEP_SOCKETS,		/* a service's Sockets= */
	DEP_KINDS,
};

struct dep {
	const char *name;	/* a valid unit name, never a template's */
	uint8_t kind;		/* enum dep_kind */
	bool linked;		/* by a .wants/, .requires/ or .upholds/ directory, where.file */
	struct where where;
};

enum condition_kind {
	CONDITION_AC_POWER, CONDITION_ARCHITECTURE, CONDITION_CAPABILITY,
	CONDITION_CONTROL_GROUP_CONTROLLER, CONDITION_CPU_FEATURE, CONDITION_CPU_PRESSURE,
	CONDITION_CPUS, CONDITION_CREDENTIAL, CONDITION_DIRECTORY_NOT_EMPTY,
	CONDITION_ENVIRONMENT, CONDITION_FILE_IS_EXECUTABLE, CONDITION_FILE_NOT_EMPTY,
	CONDITION_FIRMWARE, CONDITION_FIRST_BOOT, CONDITION_GROUP, CONDITION_HOST,
	CONDITION_IO_PRESSURE, CONDITION_KERNEL_COMMAND_LINE, CONDITION_KERNEL_VERSION,
	CONDITION_MEMORY, CONDITION_MEMORY_PRESSURE, CONDITION_NEEDS_UPDATE,
	CONDITION_OS_RELEASE, CONDITION_PATH_EXISTS, CONDITION_PATH_EXISTS_GLOB,
	CONDITION_PATH_IS_DIRECTORY, CONDITION_PATH_IS_ENCRYPTED, CONDITION_PATH_IS_MOUNT_POINT,
	CONDITION_PATH_IS_READ_WRITE, CONDITION_PATH_IS_SYMBOLIC_LINK, CONDITION_SECURITY,
	CONDITION_USER, CONDITION_VERSION, CONDITION_VIRTUALIZATION,
	CONDITION_KINDS,
};

/*
 * As systemd.unit(5): all that are no triggers must hold, and of those that are triggers ("|")
 * at least one if there is one; the same for asserts apart.
 */
struct condition {
	const char *param;	/* specifiers replaced; an absolute path if the kind is of paths */
	uint8_t kind;		/* enum condition_kind */
	bool assert;
	bool trigger;		/* "|" */
	bool negate;		/* "!" */
	struct where where;
};

enum job_mode {
	JOB_REPLACE, JOB_FAIL, JOB_REPLACE_IRREVERSIBLY, JOB_ISOLATE, JOB_FLUSH,
	JOB_IGNORE_DEPENDENCIES, JOB_IGNORE_REQUIREMENTS,
};

/* SuccessAction= and the others */
enum emergency {
	EMERGENCY_NONE,
	EMERGENCY_REBOOT, EMERGENCY_REBOOT_FORCE, EMERGENCY_REBOOT_IMMEDIATE,
	EMERGENCY_POWEROFF, EMERGENCY_POWEROFF_FORCE, EMERGENCY_POWEROFF_IMMEDIATE,
	EMERGENCY_HALT, EMERGENCY_HALT_FORCE, EMERGENCY_HALT_IMMEDIATE,
	EMERGENCY_KEXEC, EMERGENCY_KEXEC_FORCE, EMERGENCY_SOFT_REBOOT, EMERGENCY_SOFT_REBOOT_FORCE,
	EMERGENCY_EXIT, EMERGENCY_EXIT_FORCE,
};

/* Commands and the environment they run in; systemd.exec(5) */

/* struct command.flags: the prefixes of an Exec line */
#define CMD_IGNORE_FAILURE	(1U << 0)	/* - */
#define CMD_PRIVILEGED		(1U << 1)	/* +: without user, groups, capabilities, root */
#define CMD_NO_EXPAND		(1U << 2)	/* : */
#define CMD_NO_SETUID		(1U << 3)	/* !: user, groups do not; "!!" says nothing here */
#define CMD_SHELL		(1U << 4)	/* |: the words are a line for the user's shell */

enum exec_kind {
	EXEC_START_PRE, EXEC_START, EXEC_START_POST, EXEC_STOP, EXEC_STOP_POST,
	EXEC_CONDITION, EXEC_RELOAD,
	EXEC_KINDS,
};

/* Words whose quotes and specifiers are resolved; $NAME and ${NAME} are for who runs it. */
struct command {
	char *path;		/* absolute, or a name without a slash for ExecSearchPath= */
	struct strv argv;	/* argv[0] too; at least one */
	unsigned int flags;
	struct where where;
};

struct commands {
	struct command *v;
	size_t nr;
};

enum stdio_kind {
	STDIO_NULL,
	STDIO_INHERIT,		/* output: as the input, if that is a tty or a socket; else LOG */
	STDIO_TTY,		/* StandardInput=tty, tty-force, tty-fail: enum tty_mode */
	STDIO_LOG,		/* journal, syslog, kmsg (+console): the logger or the manager */
	STDIO_FILE,		/* path; input: read; output: opened at the start, written from 0 */
	STDIO_APPEND,		/* path; output */
	STDIO_TRUNCATE,		/* path; output */
	STDIO_SOCKET,		/* the one socket that the service was started for */
	STDIO_FD,		/* path: the FileDescriptorName= of a socket */
	STDIO_DATA,		/* input: exec_context.data */
};

enum tty_mode { TTY_WAIT, TTY_FORCE, TTY_FAIL };

struct stdio {
	uint8_t kind;		/* enum stdio_kind */
	uint8_t tty_mode;	/* enum tty_mode */
	bool console;		/* LOG: to the console, too ("+console") */
	const char *path;
};

enum exec_dir { DIR_RUNTIME, DIR_STATE, DIR_CACHE, DIR_LOGS, DIR_CONFIGURATION, DIR_KINDS };
enum preserve { PRESERVE_NO, PRESERVE_YES, PRESERVE_RESTART };

/* A RuntimeDirectory= and its kin. */
struct dirs {
	struct strv names;	/* relative, no ".."; "a:b" is given as @links[i], NULL mostly */
	char **links;		/* a symlink of that relative name is made to names.v[i]; NULL */
	mode_t mode;
};

/* LimitNOFILE= and the others, of those that are set. */
struct limits {
	uint32_t set;		/* bit n for RLIMIT n */
	struct rlimit v[RLIM_NLIMITS];
};

#define UNSET		INT32_MIN	/* no key has set the number */
#define MODE_UNSET	((mode_t)-1)

struct exec_context {
	struct strv env;		/* NAME=value, the last of a name holds */
	struct strv pass_env;		/* names taken from the manager's environment */
	struct strv unset_env;		/* names or NAME=value, taken away last */
	struct paths env_files;
	struct strv search_path;	/* ExecSearchPath= */
	struct path cwd;		/* an absolute path, or "~": the user's home */
	const char *root;		/* RootDirectory=: chroot(2) to it first */
	struct path user, group;	/* a name or a number */
	struct strv groups;		/* SupplementaryGroups= */
	bool dynamic_user;		/* DynamicUser=; accepted, not enforced */
	mode_t umask;			/* 0022 */

	int32_t nice;			/* -20..19, UNSET */
	int32_t cpu_policy;		/* SCHED_*, UNSET */
	int32_t cpu_priority;		/* 1..99, UNSET */
	bool cpu_reset_on_fork;
	const cpu_set_t *affinity;
	int32_t ioprio;			/* as ioprio_set(2) takes it, UNSET */
	int32_t oom_score;		/* -1000..1000, UNSET */
	uint64_t timer_slack;		/* ns, FOREVER: not set */
	int64_t coredump_filter;	/* bits of /proc/PID/coredump_filter, -1: not set */
	const struct limits *limits;

	uint64_t caps_bounding;		/* a bit for each CAP_* that stays */
	uint64_t caps_ambient;
	bool caps_bounding_set, caps_ambient_set;
	uint8_t secure_bits;		/* SECBIT_* */
	bool no_new_privs;
	bool ignore_sigpipe;		/* yes */

	struct stdio in, out, err;	/* null, log, inherit */
	const void *data;		/* StandardInputText= and Data=, @data_len bytes */
	size_t data_len;
	const char *tty;		/* /dev/console */
	bool tty_reset, tty_vhangup, tty_disallocate;
	int32_t tty_rows, tty_columns;	/* UNSET */

	const struct dirs *dirs[DIR_KINDS];
	uint8_t runtime_preserve;	/* enum preserve: RuntimeDirectoryPreserve= */
};

enum kill_mode { KILL_CONTROL_GROUP, KILL_MIXED, KILL_PROCESS, KILL_NONE };

struct kill_context {
	uint8_t mode;			/* enum kill_mode */
	uint8_t signal;			/* SIGTERM */
	uint8_t restart_signal;		/* 0: as @signal */
	uint8_t final_signal;		/* SIGKILL */
	uint8_t watchdog_signal;	/* SIGABRT */
	bool send_sigkill;		/* yes */
	bool send_sighup;		/* no */
};

/* [Service]; systemd.service(5) */

/* Numbers are in state files: new ones go to the end. */
enum type {
	TYPE_SIMPLE, TYPE_ONESHOT, TYPE_FORKING,
	TYPE_EXEC, TYPE_NOTIFY, TYPE_NOTIFY_RELOAD, TYPE_DBUS, TYPE_IDLE,
};

enum restart {
	RESTART_NO, RESTART_ALWAYS, RESTART_ON_SUCCESS,
	RESTART_ON_FAILURE, RESTART_ON_ABNORMAL, RESTART_ON_ABORT, RESTART_ON_WATCHDOG,
};

enum notify_access { NOTIFY_NONE, NOTIFY_MAIN, NOTIFY_EXEC, NOTIFY_ALL };
enum timeout_mode { TIMEOUT_TERMINATE, TIMEOUT_ABORT, TIMEOUT_KILL };

/* Ends of a process, as SuccessExitStatus= lists them. */
struct ends {
	uint64_t codes[4];		/* a bit for each exit status */
	uint64_t signals;		/* bit n - 1 for signal n */
};

/* What few services ask for. */
struct service_more {
	uint32_t restart_steps;		/* 0: always restart_ns */
	int32_t notify_fd;		/* X-Knell-NotifyFD=: 3..1023, -1: none */
	uint64_t restart_max_ns;	/* RestartMaxDelaySec=, FOREVER: none */
	uint64_t restart_reset_ns;	/* X-Knell-RestartReset=: the run that ends steps */
	uint64_t runtime_max_ns;	/* RuntimeMaxSec=, FOREVER */
	uint64_t runtime_extra_ns;	/* RuntimeRandomizedExtraSec= */
	uint64_t watchdog_ns;		/* WatchdogSec=, 0: none */
	const struct ends *success;	/* SuccessExitStatus=, NULL: none */
	const struct ends *no_restart;	/* RestartPreventExitStatus= */
	const struct ends *force_restart;	/* RestartForceExitStatus= */
	struct path pid_file;		/* absolute */
	const char *bus_name;
	uint32_t fd_store_max;
	const struct command *logger;	/* X-Knell-Logger= */
};

struct service {
	const struct exec_context *exec;	/* never NULL; one for all that say nothing of it */
	const struct service_more *more;	/* the same */
	const struct commands *cmds[EXEC_KINDS];	/* none of them NULL */
	struct kill_context kill;

	uint8_t type;			/* enum type */
	uint8_t restart;		/* enum restart */
	uint8_t notify_access;		/* enum notify_access; what Type= means has been applied */
	uint8_t start_failure_mode;	/* enum timeout_mode */
	uint8_t stop_failure_mode;
	bool remain;			/* RemainAfterExit= */
	bool guess_main_pid;		/* yes */
	bool exit_cgroup;		/* ExitType=cgroup: up as long as any member lives */
	bool root_start_only;		/* RootDirectoryStartOnly= */
	bool permissions_start_only;	/* PermissionsStartOnly= */
	bool non_blocking;		/* NonBlocking=: of the sockets passed */
	bool restart_direct;		/* RestartMode=direct */
	bool start_set;			/* TimeoutStartSec= was given */
	uint8_t fd_store_preserve;	/* enum preserve: restart */

	uint8_t reload_signal;		/* ReloadSignal=: SIGHUP; for notify-reload */

	uint64_t restart_ns;		/* 100ms */
	uint64_t start_ns;		/* TimeoutStartSec=: 90s, oneshot FOREVER */
	uint64_t stop_ns;		/* TimeoutStopSec=: 90s */
	uint64_t abort_ns;		/* TimeoutAbortSec=, as stop_ns if not given */
};

/* [Timer]; systemd.timer(5) */

enum timer_base {
	TIMER_ACTIVE, TIMER_BOOT, TIMER_STARTUP, TIMER_UNIT_ACTIVE, TIMER_UNIT_INACTIVE,
	TIMER_CALENDAR,
};

struct timer_value {
	uint8_t base;			/* enum timer_base */
	uint64_t ns;			/* after the base, if it is no calendar */
	const char *calendar;		/* OnCalendar=, known to be well-formed */
	struct where where;
};

struct timer {
	struct timer_value *values;
	size_t nr;
	uint64_t accuracy_ns;		/* 1min */
	uint64_t randomized_ns;		/* 0 */
	bool fixed_random_delay;
	bool on_clock_change;
	bool on_timezone_change;
	bool persistent;
	bool wake_system;
	bool remain_after_elapse;	/* yes */
};

/* [Socket]; systemd.socket(5) */

enum listen_kind {
	LISTEN_STREAM, LISTEN_DATAGRAM, LISTEN_SEQPACKET, LISTEN_FIFO, LISTEN_SPECIAL,
	LISTEN_NETLINK, LISTEN_MQUEUE, LISTEN_USB,
};

/*
 * An address is a path ("/..."), an abstract name ("@..."), a port ("80"), IPV4:PORT,
 * [IPV6]:PORT with an optional %INTERFACE after it, vsock:CID:PORT; known to be of such a form.
 */
struct listen {
	const char *address;
	uint8_t kind;			/* enum listen_kind; the last three are not done */
	struct where where;
};

enum bind_ipv6_only { IPV6_DEFAULT, IPV6_BOTH, IPV6_ONLY };

struct socket {
	const struct exec_context *exec;	/* of the commands; never NULL */
	struct kill_context kill;
	const struct commands *cmds[EXEC_KINDS];	/* START_*, STOP (StopPre), STOP_POST */

	struct listen *listen;
	size_t nr_listen;
	bool accept;
	bool free_bind, transparent, broadcast, reuse_port, keep_alive, no_delay;
	bool pass_credentials, pass_security, pass_packet_info;
	bool writable;			/* of LISTEN_SPECIAL */
	bool flush_pending;
	bool remove_on_stop;
	uint8_t ipv6_only;		/* enum bind_ipv6_only */
	const char *service;		/* to be started; with @accept a template's name */
	mode_t mode;			/* SocketMode=: 0666 */
	mode_t directory_mode;		/* 0755 */
	struct path user, group;	/* SocketUser=, SocketGroup= */
	uint32_t backlog;		/* the kernel's limit */
	uint32_t max_connections;	/* 64 */
	uint32_t max_per_source;	/* 0: no limit */
	int32_t priority, ip_tos, ip_ttl, mark;	/* UNSET */
	int32_t protocol;		/* IPPROTO_UDPLITE or SCTP, 0: by kind */
	uint64_t receive_buffer, send_buffer, pipe_size;	/* bytes, 0: the kernel's */
	uint64_t keep_alive_ns, keep_alive_interval_ns, defer_accept_ns;	/* 0: not set */
	uint32_t keep_alive_probes;	/* 0: not set */
	const char *tcp_congestion, *device;
	struct strv symlinks;
	const char *fd_name;		/* the socket unit's name if not given */
	uint64_t timeout_ns;		/* 90s; of the commands */
	uint64_t trigger_limit_ns;	/* 2s */
	uint32_t trigger_limit_burst;	/* 20, with Accept=yes 200; 0: no limit */
};

/* [Install] */
struct install {
	struct strv wanted_by, required_by, upheld_by, also, alias;
	const char *default_instance;
};

struct unit_file {
	const char *name;		/* of the unit, its instance included */
	const char *instance;		/* between "@" and the suffix, as written; NULL: none */
	const char *const *sources;	/* absolute; [0] is the unit's file, then drop-ins, and */
	uint32_t nr_sources;		/* directories that links in them made dependencies */
	uint32_t nr_files;		/* how many of them are files */
	struct strv names;		/* other names of this unit: symlinks */
	uint64_t hash;			/* of all text and links, to notice changes */
	const char *bad;		/* why it cannot be started, NULL: it can */

	const char *description;	/* its name if not given */
	struct strv documentation;
	const struct dep *deps;		/* in the order they were said; none twice for a kind */
	const struct condition *conditions;
	uint32_t nr_deps, nr_conditions;
	struct strv mounts_for;		/* RequiresMountsFor=: absolute paths */

	uint8_t kind;			/* enum unit_kind */
	bool default_dependencies;	/* yes */
	bool refuse_manual_start, refuse_manual_stop;
	bool stop_when_unneeded, ignore_on_isolate, allow_isolate;
	uint8_t on_failure_mode;	/* enum job_mode: replace */
	uint8_t on_success_mode;	/* fail */
	uint8_t success_action, failure_action, start_limit_action, job_timeout_action;
					/* enum emergency */
	int32_t success_status, failure_status;	/* *ActionExitStatus=: 0..255, UNSET */
	uint32_t start_limit_burst;	/* 5 */
	const char *reboot_argument;
	uint64_t start_limit_ns;	/* 10s, 0: no limit */
	uint64_t job_timeout_ns;	/* FOREVER */
	uint64_t job_running_ns;	/* JobRunningTimeoutSec=: FOREVER */

	const struct install *install;	/* NULL: no [Install] */
	const struct service *service;	/* by kind; a target has none of them */
	const struct timer *timer;
	const struct socket *socket;
};

#endif /* _UNIT_FILE_H */
