// SPDX-License-Identifier: GPL-2.0-only
/* Every key of the table: what a good value becomes, that a bad one is told of and left out. */
#include <linux/securebits.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "private.h"
#undef ARRAY_SIZE
#include "tap.h"
#include "unit_print.h"

static struct unit_dirs *dirs;

static struct {
	size_t nr;
	enum severity severity;
	unsigned int line;
	char text[700];
} told;

static void listen_to(void *arg, enum severity severity, const char *file, unsigned int line,
		      const char *text)
{
	(void)arg, (void)file;
	told.nr++;
	told.severity = severity;
	told.line = line;
	snprintf(told.text, sizeof(told.text), "%s", text);
}

/* A unit that can be started, @body in @section of it, which is on line 6. */
static struct unit_file *parse(const char *section, const char *body)
{
	bool timer = !strcmp(section, "Timer"), socket = !strcmp(section, "Socket");
	const char *own = timer ? "[Timer]\nOnBootSec=1h" : socket ? "[Socket]\nListenStream=/s" :
			  "[Service]\nExecStart=/bin/true";
	const char *name = timer ? "u@i-j.timer" : socket ? "u@i-j.socket" : "u@i-j.service";
	char *text = xasprintf("# first\n%s\n\n[%s]\n%s\n", own, section, body);
	struct unit_file *f;

	memset(&told, 0, sizeof(told));
	unit_parse(dirs, name, "test", text, strlen(text), &f);
	free(text);
	return f;
}

/* All that has become of a unit with that body, NULL if it cannot be started. */
static char *become(const char *section, const char *body)
{
	struct unit_file *f = parse(section, body);
	char *text = f->bad ? NULL : unit_print(f);

	unit_file_free(f);
	return text;
}

/* With a wrong value alone all is as without, or there is nothing to start; all print what only some have. */
static void left_alone(const char *section, const char *key, const char *wrong)
{
	const char *some = strcmp(section, "Service") ? "" : "RuntimeMaxSec=1h\n";
	char *body = xasprintf("%s%s=%s", some, key, wrong);
	char *with = become(section, body), *without = become(section, some);

	if (!without || (with && strcmp(with, without)))
		bad("%s=%s: changes something: %s", key, wrong, with);
	free(body);
	free(with);
	free(without);
}

static uint8_t *covered;

static void cover(const char *section, const char *key)
{
	static const char *const names[] = {
		[IN_UNIT] = "Unit", [IN_INSTALL] = "Install", [IN_SERVICE] = "Service",
		[IN_TIMER] = "Timer", [IN_SOCKET] = "Socket", [IN_SERVICE_OLD] = "Service",
		[IN_MORE] = "Service", [IN_EXEC] = "Service", [IN_KILL] = "Service",
	};

	for (size_t i = 0; i < nr_keys; i++)
		if (!strcmp(keys[i].name, key) && !strcmp(names[keys[i].place], section))
			covered[i] = 1;
}

static const struct dep *dep(const struct unit_file *f, enum dep_kind kind, const char *name)
{
	for (size_t i = 0; i < f->nr_deps; i++)
		if (f->deps[i].kind == kind && !strcmp(f->deps[i].name, name))
			return &f->deps[i];
	return NULL;
}

static bool same(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

static bool has(const struct strv *v, const char *a, const char *b)
{
	return v->nr == (a ? 1 : 0) + (b ? 1U : 0U) && (!a || same(v->v[0], a)) &&
	       (!b || same(v->v[1], b)) && (!v->v || !v->v[v->nr]);
}

static bool has_cmd(const struct commands *c, const char *path, const char *last)
{
	const struct strv *argv = c->nr ? &c->v[0].argv : NULL;

	return argv && same(c->v[0].path, path) && same(argv->v[argv->nr - 1], last) &&
	       !argv->v[argv->nr] && c->v[0].where.line == 6;
}

#define BEGIN(section, body)							\
	do {									\
		struct unit_file *f = parse(section, body);			\
		const struct service *s = f->service;				\
		const struct socket *so = f->socket;				\
		const struct timer *t = f->timer;				\
		const struct install *in = f->install;				\
		const struct exec_context *e = s ? s->exec : so ? so->exec : NULL;	\
		const struct kill_context *k = s ? &s->kill : so ? &so->kill : NULL;	\
		(void)s, (void)so, (void)t, (void)in, (void)e, (void)k
#define END									\
		unit_file_free(f);						\
	} while (0)

/*
 * @good makes @condition true; @wrong is told of once, with key and line, and changes nothing
 * (NULL: everything is good); empty, @reset holds (NULL as a string: it is wrong, too).
 */
#define KEY(section, key, good, condition, wrong, reset)			\
	do {									\
		const char *const bad_value = wrong;				\
										\
		cover(section, key);						\
		BEGIN(section, key "=" good);					\
		if (!(condition))						\
			bad("%s=%s: not %s", key, good, #condition);		\
		if (told.nr)							\
			bad("%s=%s: told: %s", key, good, told.text);		\
		if (f->bad)							\
			bad("%s=%s: cannot be started: %s", key, good, f->bad);	\
		END;								\
		if (bad_value) {						\
			char *body = xasprintf("%s=%s\n%s=%s", key, good, key, bad_value);	\
										\
			BEGIN(section, body);					\
			if (!(condition))					\
				bad("%s=%s: left nothing of %s", key, bad_value, good);	\
			if (told.nr != 1 || told.line != 7 || told.severity != SAY_ERROR ||	\
			    strncmp(told.text, key, strlen(key)))		\
				bad("%s=%s: told %zu times, line %u: %s", key, bad_value,	\
				    told.nr, told.line, told.text);		\
			END;							\
			free(body);						\
			left_alone(section, key, bad_value);			\
		}								\
		BEGIN(section, key "=" good "\n" key "=");			\
		if (!(reset))							\
			bad("%s=: not %s", key, #reset);			\
		END;								\
	} while (0)

/* An empty value is as wrong as any other. */
#define SCALAR(section, key, good, condition, wrong)				\
	KEY(section, key, good, condition, wrong, told.nr == 1 && (condition))

#define SEC	NSEC_PER_SEC
#define FLAG(section, key, field)	SCALAR(section, key, "yes", field, "perhaps")
#define FLAG_OFF(section, key, field)	SCALAR(section, key, "off", !(field), "perhaps")
#define DEPENDENCY(section, key, kind)						\
	KEY(section, key, "a.service b\\x2dc.target t@.timer",			\
	    dep(f, kind, "a.service") && dep(f, kind, "b\\x2dc.target") &&	\
	    dep(f, kind, "t@i-j.timer") && dep(f, kind, "a.service")->where.line == 6,	\
	    "no-name", told.nr == 0 && dep(f, kind, "a.service"))

static void unit_keys(void)
{
	KEY("Unit", "Description", "The %n, %%", same(f->description, "The u@i-j.service, %"),
	    NULL, same(f->description, "u@i-j.service"));
	KEY("Unit", "Documentation", "man:x(1) https://a/b",
	    has(&f->documentation, "man:x(1)", "https://a/b"), NULL, !f->documentation.nr);
	DEPENDENCY("Unit", "After", DEP_AFTER);
	DEPENDENCY("Unit", "Before", DEP_BEFORE);
	DEPENDENCY("Unit", "Requires", DEP_REQUIRES);
	DEPENDENCY("Unit", "Requisite", DEP_REQUISITE);
	DEPENDENCY("Unit", "Wants", DEP_WANTS);
	DEPENDENCY("Unit", "BindsTo", DEP_BINDS_TO);
	DEPENDENCY("Unit", "BindTo", DEP_BINDS_TO);
	DEPENDENCY("Unit", "PartOf", DEP_PART_OF);
	DEPENDENCY("Unit", "Upholds", DEP_UPHOLDS);
	DEPENDENCY("Unit", "Conflicts", DEP_CONFLICTS);
	DEPENDENCY("Unit", "OnFailure", DEP_ON_FAILURE);
	DEPENDENCY("Unit", "OnSuccess", DEP_ON_SUCCESS);
	DEPENDENCY("Unit", "PropagatesReloadTo", DEP_PROPAGATES_RELOAD_TO);
	DEPENDENCY("Unit", "PropagateReloadTo", DEP_PROPAGATES_RELOAD_TO);
	DEPENDENCY("Unit", "ReloadPropagatedFrom", DEP_RELOAD_PROPAGATED_FROM);
	DEPENDENCY("Unit", "PropagateReloadFrom", DEP_RELOAD_PROPAGATED_FROM);
	DEPENDENCY("Unit", "PropagatesStopTo", DEP_PROPAGATES_STOP_TO);
	DEPENDENCY("Unit", "StopPropagatedFrom", DEP_STOP_PROPAGATED_FROM);
	KEY("Unit", "RequiresMountsFor", "/a \"/b c\"", has(&f->mounts_for, "/a", "/b c"), "a",
	    !f->mounts_for.nr);
	FLAG_OFF("Unit", "DefaultDependencies", f->default_dependencies);
	FLAG("Unit", "RefuseManualStart", f->refuse_manual_start);
	FLAG("Unit", "RefuseManualStop", f->refuse_manual_stop);
	FLAG("Unit", "StopWhenUnneeded", f->stop_when_unneeded);
	FLAG("Unit", "IgnoreOnIsolate", f->ignore_on_isolate);
	FLAG("Unit", "AllowIsolate", f->allow_isolate);
	SCALAR("Unit", "OnFailureJobMode", "isolate", f->on_failure_mode == JOB_ISOLATE, "x");
	SCALAR("Unit", "OnSuccessJobMode", "flush", f->on_success_mode == JOB_FLUSH, "x");
	SCALAR("Unit", "OnFailureIsolate", "yes", f->on_failure_mode == JOB_ISOLATE, "x");
	SCALAR("Unit", "SuccessAction", "poweroff", f->success_action == EMERGENCY_POWEROFF, "x");
	SCALAR("Unit", "FailureAction", "exit-force", f->failure_action == EMERGENCY_EXIT_FORCE,
	       "x");
	SCALAR("Unit", "StartLimitAction", "reboot", f->start_limit_action == EMERGENCY_REBOOT,
	       "x");
	SCALAR("Unit", "JobTimeoutAction", "halt", f->job_timeout_action == EMERGENCY_HALT, "x");
	KEY("Unit", "SuccessActionExitStatus", "255", f->success_status == 255, "256",
	    f->success_status == UNSET);
	KEY("Unit", "FailureActionExitStatus", "0", f->failure_status == 0, "-1",
	    f->failure_status == UNSET);
	KEY("Unit", "RebootArgument", "bios", same(f->reboot_argument, "bios"), NULL,
	    !f->reboot_argument);
	SCALAR("Unit", "StartLimitIntervalSec", "1min", f->start_limit_ns == 60 * SEC, "x");
	SCALAR("Unit", "StartLimitInterval", "0", !f->start_limit_ns, "-1");
	SCALAR("Unit", "StartLimitBurst", "7", f->start_limit_burst == 7, "x");
	SCALAR("Unit", "JobTimeoutSec", "5s",
	       f->job_timeout_ns == 5 * SEC && f->job_running_ns == 5 * SEC, "x");
	SCALAR("Unit", "JobRunningTimeoutSec", "0", f->job_running_ns == FOREVER, "x");
}

static void install_keys(void)
{
	KEY("Install", "WantedBy", "a.target %p-%i.target",
	    has(&in->wanted_by, "a.target", "u-i-j.target"), "x", !in->wanted_by.nr);
	KEY("Install", "RequiredBy", "a.target", has(&in->required_by, "a.target", NULL), "x",
	    !in->required_by.nr);
	KEY("Install", "UpheldBy", "a.target", has(&in->upheld_by, "a.target", NULL), "x",
	    !in->upheld_by.nr);
	KEY("Install", "Also", "a.socket b@.timer", has(&in->also, "a.socket", "b@.timer"), "x",
	    !in->also.nr);
	KEY("Install", "Alias", "a@.service", has(&in->alias, "a@.service", NULL), "x",
	    !in->alias.nr);
	KEY("Install", "DefaultInstance", "tty1", same(in->default_instance, "tty1"), "a b",
	    !in->default_instance);
}

#define COMMAND(section, key, kind, cmds)					\
	KEY(section, key, "-/bin/a b \"c %i\"",					\
	    has_cmd((cmds)[kind], "/bin/a", "c i-j") &&			\
	    (cmds)[kind]->v[0].flags == CMD_IGNORE_FAILURE, "rel/ative x", !(cmds)[kind]->nr)

static void service_keys(void)
{
	SCALAR("Service", "Type", "notify", s->type == TYPE_NOTIFY && s->notify_access == NOTIFY_MAIN,
	       "x");
	SCALAR("Service", "ExitType", "cgroup", s->exit_cgroup, "x");
	COMMAND("Service", "ExecCondition", EXEC_CONDITION, s->cmds);
	COMMAND("Service", "ExecStartPre", EXEC_START_PRE, s->cmds);
	COMMAND("Service", "ExecStartPost", EXEC_START_POST, s->cmds);
	COMMAND("Service", "ExecReload", EXEC_RELOAD, s->cmds);
	COMMAND("Service", "ExecStop", EXEC_STOP, s->cmds);
	COMMAND("Service", "ExecStopPost", EXEC_STOP_POST, s->cmds);
	KEY("Service", "ExecStart", "\nExecStart=/bin/a", s->cmds[EXEC_START]->nr == 1 &&
	    same(s->cmds[EXEC_START]->v[0].path, "/bin/a"), NULL,
	    f->bad && !s->cmds[EXEC_START]->nr);
	SCALAR("Service", "Restart", "on-watchdog", s->restart == RESTART_ON_WATCHDOG, "x");
	SCALAR("Service", "RestartMode", "direct", s->restart_direct, "x");
	SCALAR("Service", "RestartSec", "1min 30s", s->restart_ns == 90 * SEC, "soon");
	KEY("Service", "RestartSteps", "3\nRestartMaxDelaySec=1h", s->more->restart_steps == 3 &&
	    s->more->restart_max_ns == 3600 * SEC && s->more->restart_reset_ns == 3600 * SEC, NULL,
	    told.nr == 1);
	KEY("Service", "RestartMaxDelaySec", "1h\nRestartSteps=1", s->more->restart_max_ns == 3600 * SEC,
	    NULL, told.nr == 1);
	SCALAR("Service", "X-Knell-RestartReset", "5min", s->more->restart_reset_ns == 300 * SEC, "x");
	SCALAR("Service", "TimeoutSec", "5", s->start_ns == 5 * SEC && s->stop_ns == 5 * SEC &&
	       s->abort_ns == 5 * SEC && s->start_set, "x");
	SCALAR("Service", "TimeoutStartSec", "0", s->start_ns == FOREVER && s->stop_ns == 90 * SEC,
	       "x");
	SCALAR("Service", "TimeoutStopSec", "7", s->stop_ns == 7 * SEC && s->start_ns == 90 * SEC,
	       "x");
	KEY("Service", "TimeoutAbortSec", "3", s->abort_ns == 3 * SEC, "x",
	    s->abort_ns == 90 * SEC);
	SCALAR("Service", "TimeoutStartFailureMode", "kill", s->start_failure_mode == TIMEOUT_KILL,
	       "x");
	SCALAR("Service", "TimeoutStopFailureMode", "abort", s->stop_failure_mode == TIMEOUT_ABORT,
	       "x");
	SCALAR("Service", "RuntimeMaxSec", "1d", s->more->runtime_max_ns == 86400 * SEC, "x");
	SCALAR("Service", "RuntimeRandomizedExtraSec", "2", s->more->runtime_extra_ns == 2 * SEC, "x");
	SCALAR("Service", "WatchdogSec", "3", s->more->watchdog_ns == 3 * SEC &&
	       s->notify_access == NOTIFY_MAIN, "x");
	FLAG("Service", "RemainAfterExit", s->remain);
	FLAG_OFF("Service", "GuessMainPID", s->guess_main_pid);
	KEY("Service", "PIDFile", "%p.pid", same(s->more->pid_file.name, "/run/u.pid") &&
	    s->more->pid_file.where.line == 6, "../x", !s->more->pid_file.name);
	KEY("Service", "BusName", "org.a", same(s->more->bus_name, "org.a") && s->type == TYPE_DBUS,
	    "nodot", !s->more->bus_name && s->type == TYPE_SIMPLE);
	SCALAR("Service", "NotifyAccess", "all", s->notify_access == NOTIFY_ALL, "x");
	KEY("Service", "X-Knell-NotifyFD", "3", s->more->notify_fd == 3, "2", s->more->notify_fd == -1);
	KEY("Service", "Sockets", "a.socket b.socket", dep(f, DEP_SOCKETS, "b.socket"), "a.service",
	    dep(f, DEP_SOCKETS, "a.socket"));
	FLAG("Service", "NonBlocking", s->non_blocking);
	SCALAR("Service", "FileDescriptorStoreMax", "9", s->more->fd_store_max == 9, "x");
	SCALAR("Service", "FileDescriptorStorePreserve", "yes", s->fd_store_preserve == PRESERVE_YES,
	       "x");
	KEY("Service", "SuccessExitStatus", "TEMPFAIL 200 SIGKILL",
	    s->more->success->codes[1] == 1ULL << (75 - 64) && s->more->success->codes[3] == 1ULL << (200 - 192) &&
	    s->more->success->signals == 1ULL << (SIGKILL - 1), "256", !s->more->success);
	KEY("Service", "RestartPreventExitStatus", "1", s->more->no_restart->codes[0] == 2, "x",
	    !s->more->no_restart);
	KEY("Service", "RestartForceExitStatus", "HUP", s->more->force_restart->signals == 1, "x",
	    !s->more->force_restart);
	SCALAR("Service", "ReloadSignal", "USR2", s->reload_signal == SIGUSR2, "x");
	FLAG("Service", "RootDirectoryStartOnly", s->root_start_only);
	FLAG("Service", "PermissionsStartOnly", s->permissions_start_only);
	SCALAR("Service", "StartLimitInterval", "1min", f->start_limit_ns == 60 * SEC, "x");
	SCALAR("Service", "StartLimitIntervalSec", "1min", f->start_limit_ns == 60 * SEC, "x");
	SCALAR("Service", "StartLimitBurst", "7", f->start_limit_burst == 7, "x");
	SCALAR("Service", "StartLimitAction", "reboot", f->start_limit_action == EMERGENCY_REBOOT,
	       "x");
	SCALAR("Service", "FailureAction", "reboot", f->failure_action == EMERGENCY_REBOOT, "x");
	KEY("Service", "RebootArgument", "a", same(f->reboot_argument, "a"), NULL,
	    !f->reboot_argument);
}

static void exec_keys(void)
{
	KEY("Service", "Environment", "A=1 \"B=x y\\x41\"", has(&e->env, "A=1", "B=x yA"), "1A=x",
	    !e->env.nr);
	KEY("Service", "EnvironmentFile", "-/etc/%p", e->env_files.nr == 1 &&
	    same(e->env_files.v[0].name, "/etc/u") && e->env_files.v[0].optional, "rel",
	    !e->env_files.nr);
	KEY("Service", "PassEnvironment", "A B", has(&e->pass_env, "A", "B"), "A=1", !e->pass_env.nr);
	KEY("Service", "UnsetEnvironment", "A B=1", has(&e->unset_env, "A", "B=1"), "1",
	    !e->unset_env.nr);
	KEY("Service", "ExecSearchPath", "/a:/b", has(&e->search_path, "/a", "/b"), "c",
	    !e->search_path.nr);
	KEY("Service", "WorkingDirectory", "-/a//b/", same(e->cwd.name, "/a/b") && e->cwd.optional,
	    "-rel", !e->cwd.name);
	KEY("Service", "RootDirectory", "/r", same(e->root, "/r"), "r", !e->root);
	KEY("Service", "User", "%i", same(e->user.name, "i-j"), "a:b", !e->user.name);
	KEY("Service", "Group", "5", same(e->group.name, "5"), "65535", !e->group.name);
	KEY("Service", "SupplementaryGroups", "a b", has(&e->groups, "a", "b"), "a/b", !e->groups.nr);
	SCALAR("Service", "UMask", "077", e->umask == 077, "8");
	KEY("Service", "Nice", "-5", e->nice == -5, "20", e->nice == UNSET);
	KEY("Service", "CPUSchedulingPolicy", "rr", e->cpu_policy == SCHED_RR, "x",
	    e->cpu_policy == UNSET);
	KEY("Service", "CPUSchedulingPriority", "99", e->cpu_priority == 99, "100",
	    e->cpu_priority == UNSET);
	FLAG("Service", "CPUSchedulingResetOnFork", e->cpu_reset_on_fork);
	KEY("Service", "CPUAffinity", "0 2-3", CPU_COUNT(e->affinity) == 3 && CPU_ISSET(3, e->affinity),
	    "9999", !e->affinity);
	KEY("Service", "IOSchedulingClass", "idle", e->ioprio == (3 << 13 | 4), "x",
	    e->ioprio == UNSET);
	KEY("Service", "IOSchedulingPriority", "7", e->ioprio == (2 << 13 | 7), "8",
	    e->ioprio == UNSET);
	KEY("Service", "OOMScoreAdjust", "-1000", e->oom_score == -1000, "1001",
	    e->oom_score == UNSET);
	SCALAR("Service", "TimerSlackNSec", "5us", e->timer_slack == 5000, "x");
	KEY("Service", "CoredumpFilter", "default elf-headers 0x100", e->coredump_filter == 0x133,
	    "x", e->coredump_filter == -1);
	KEY("Service", "CapabilityBoundingSet", "~CAP_KILL", e->caps_bounding == ~(1ULL << 5) &&
	    e->caps_bounding_set, "~CAP_NONE", !e->caps_bounding);
	KEY("Service", "AmbientCapabilities", "cap_kill CAP_CHOWN", e->caps_ambient == 0x21, NULL,
	    !e->caps_ambient);
	KEY("Service", "SecureBits", "noroot keep-caps-locked",
	    e->secure_bits == (SECBIT_NOROOT | SECBIT_KEEP_CAPS_LOCKED), "x", !e->secure_bits);
	FLAG("Service", "NoNewPrivileges", e->no_new_privs);
	FLAG_OFF("Service", "IgnoreSIGPIPE", e->ignore_sigpipe);
	SCALAR("Service", "StandardInput", "file:/a", e->in.kind == STDIO_FILE &&
	       same(e->in.path, "/a"), "append:/a");
	SCALAR("Service", "StandardOutput", "append:/a/%p", e->out.kind == STDIO_APPEND &&
	       same(e->out.path, "/a/u"), "data");
	SCALAR("Service", "StandardError", "kmsg", e->err.kind == STDIO_LOG, "file:a");
	KEY("Service", "StandardInputText", "a\\tb", e->data_len == 4 && !memcmp(e->data, "a\tb\n", 4),
	    "\\q", !e->data_len);
	KEY("Service", "StandardInputData", "YWJj ZA==", e->data_len == 4 && !memcmp(e->data, "abcd", 4),
	    "Y", !e->data_len);
	KEY("Service", "TTYPath", "/dev/tty9", same(e->tty, "/dev/tty9"), "tty9",
	    same(e->tty, "/dev/console"));
	FLAG("Service", "TTYReset", e->tty_reset);
	FLAG("Service", "TTYVHangup", e->tty_vhangup);
	FLAG("Service", "TTYVTDisallocate", e->tty_disallocate);
	KEY("Service", "TTYRows", "25", e->tty_rows == 25, "x", e->tty_rows == UNSET);
	KEY("Service", "TTYColumns", "80", e->tty_columns == 80, "70000", e->tty_columns == UNSET);
	KEY("Service", "RuntimeDirectory", "a/b c:d", has(&e->dirs[DIR_RUNTIME]->names, "a/b", "c") &&
	    same(e->dirs[DIR_RUNTIME]->links[1], "d") && !e->dirs[DIR_RUNTIME]->links[0] &&
	    e->dirs[DIR_RUNTIME]->mode == 0755, "../x", !e->dirs[DIR_RUNTIME]->names.nr);
	KEY("Service", "StateDirectory", "a", has(&e->dirs[DIR_STATE]->names, "a", NULL), "/x",
	    !e->dirs[DIR_STATE]->names.nr);
	KEY("Service", "CacheDirectory", "a", has(&e->dirs[DIR_CACHE]->names, "a", NULL), "/x",
	    !e->dirs[DIR_CACHE]->names.nr);
	KEY("Service", "LogsDirectory", "a", has(&e->dirs[DIR_LOGS]->names, "a", NULL), "/x",
	    !e->dirs[DIR_LOGS]->names.nr);
	KEY("Service", "ConfigurationDirectory", "a",
	    has(&e->dirs[DIR_CONFIGURATION]->names, "a", NULL), "a:b",
	    !e->dirs[DIR_CONFIGURATION]->names.nr);
	SCALAR("Service", "RuntimeDirectoryMode", "0700", e->dirs[DIR_RUNTIME]->mode == 0700, "x");
	SCALAR("Service", "StateDirectoryMode", "0700", e->dirs[DIR_STATE]->mode == 0700, "x");
	SCALAR("Service", "CacheDirectoryMode", "0700", e->dirs[DIR_CACHE]->mode == 0700, "x");
	SCALAR("Service", "LogsDirectoryMode", "02750", e->dirs[DIR_LOGS]->mode == 02750, "x");
	SCALAR("Service", "ConfigurationDirectoryMode", "0700",
	       e->dirs[DIR_CONFIGURATION]->mode == 0700, "9");
	SCALAR("Service", "RuntimeDirectoryPreserve", "restart",
	       e->runtime_preserve == PRESERVE_RESTART, "x");
}

#define LIMIT_KEY(key, which, good, soft, hard, wrong)				\
	SCALAR("Service", key, good, e->limits->set == 1U << (which) &&		\
	       e->limits->v[which].rlim_cur == (soft) && e->limits->v[which].rlim_max == (hard), wrong)

static void limit_keys(void)
{
	LIMIT_KEY("LimitCPU", RLIMIT_CPU, "1min:2min", 60, 120, "x");
	LIMIT_KEY("LimitFSIZE", RLIMIT_FSIZE, "1K", 1024, 1024, "x");
	LIMIT_KEY("LimitDATA", RLIMIT_DATA, "1M:1G", 1 << 20, 1 << 30, "2:1");
	LIMIT_KEY("LimitSTACK", RLIMIT_STACK, "8M", 8 << 20, 8 << 20, "x");
	LIMIT_KEY("LimitCORE", RLIMIT_CORE, "0:infinity", 0, RLIM_INFINITY, "x");
	LIMIT_KEY("LimitRSS", RLIMIT_RSS, "5", 5, 5, "x");
	LIMIT_KEY("LimitNOFILE", RLIMIT_NOFILE, "1024:4096", 1024, 4096, "1K");
	LIMIT_KEY("LimitAS", RLIMIT_AS, "infinity", RLIM_INFINITY, RLIM_INFINITY, "x");
	LIMIT_KEY("LimitNPROC", RLIMIT_NPROC, "5", 5, 5, "x");
	LIMIT_KEY("LimitMEMLOCK", RLIMIT_MEMLOCK, "64K", 65536, 65536, "x");
	LIMIT_KEY("LimitLOCKS", RLIMIT_LOCKS, "5", 5, 5, "x");
	LIMIT_KEY("LimitSIGPENDING", RLIMIT_SIGPENDING, "5", 5, 5, "x");
	LIMIT_KEY("LimitMSGQUEUE", RLIMIT_MSGQUEUE, "5K", 5120, 5120, "x");
	LIMIT_KEY("LimitNICE", RLIMIT_NICE, "-5", 25, 25, "infinity");
	LIMIT_KEY("LimitRTPRIO", RLIMIT_RTPRIO, "5", 5, 5, "x");
	LIMIT_KEY("LimitRTTIME", RLIMIT_RTTIME, "1ms", 1000, 1000, "x");
}

static void kill_keys(void)
{
	SCALAR("Service", "KillMode", "mixed", k->mode == KILL_MIXED, "x");
	SCALAR("Service", "KillSignal", "SIGRTMIN+3", k->signal == SIGRTMIN + 3, "x");
	SCALAR("Service", "RestartKillSignal", "INT", k->restart_signal == SIGINT, "x");
	SCALAR("Service", "FinalKillSignal", "6", k->final_signal == SIGABRT, "0");
	SCALAR("Service", "WatchdogSignal", "QUIT", k->watchdog_signal == SIGQUIT, "x");
	FLAG_OFF("Service", "SendSIGKILL", k->send_sigkill);
	FLAG("Service", "SendSIGHUP", k->send_sighup);
	/* And of sockets. */
	SCALAR("Socket", "KillMode", "none", k->mode == KILL_NONE, "x");
	KEY("Socket", "Nice", "7", e->nice == 7, "x", e->nice == UNSET);
}

#define SPAN_KEY(key, n)							\
	KEY("Timer", key, "\n" key "=1min", t->nr == 1 && t->values[0].base == (n) &&	\
	    t->values[0].ns == 60 * SEC && t->values[0].where.line == 7, NULL, !t->nr && f->bad);	\
	KEY("Timer", key, "1min", t->nr == 2, "soon", !t->nr)

static void timer_keys(void)
{
	SPAN_KEY("OnActiveSec", TIMER_ACTIVE);
	SPAN_KEY("OnBootSec", TIMER_BOOT);
	SPAN_KEY("OnStartupSec", TIMER_STARTUP);
	SPAN_KEY("OnUnitActiveSec", TIMER_UNIT_ACTIVE);
	SPAN_KEY("OnUnitInactiveSec", TIMER_UNIT_INACTIVE);
	KEY("Timer", "OnCalendar", "Mon *-*-* 12:00", t->nr == 2 &&
	    t->values[1].base == TIMER_CALENDAR && same(t->values[1].calendar, "Mon *-*-* 12:00"),
	    "someday", !t->nr);
	SCALAR("Timer", "AccuracySec", "1us", t->accuracy_ns == 1000, "x");
	SCALAR("Timer", "RandomizedDelaySec", "1h", t->randomized_ns == 3600 * SEC, "x");
	FLAG("Timer", "FixedRandomDelay", t->fixed_random_delay);
	FLAG("Timer", "OnClockChange", t->on_clock_change);
	FLAG("Timer", "OnTimezoneChange", t->on_timezone_change);
	FLAG("Timer", "Persistent", t->persistent);
	FLAG("Timer", "WakeSystem", t->wake_system);
	FLAG_OFF("Timer", "RemainAfterElapse", t->remain_after_elapse);
	SCALAR("Timer", "Unit", "x.target", dep(f, DEP_TRIGGERS, "x.target") && f->nr_deps == 1,
	       "y.timer");
}

#define ADDRESS(key, n, good, wrong)						\
	KEY("Socket", key, good, so->nr_listen == 2 && so->listen[1].kind == (n) &&	\
	    same(so->listen[1].address, good), wrong, !so->nr_listen && f->bad)

static void socket_keys(void)
{
	ADDRESS("ListenStream", LISTEN_STREAM, "[::1]:80", "70000");
	KEY("Socket", "ListenStream", "[fe80::1]:80%%eth0", so->nr_listen == 2 &&
	    same(so->listen[1].address, "[fe80::1]:80%eth0"), "[::1]:80%%", !so->nr_listen);
	ADDRESS("ListenStream", LISTEN_STREAM, "127.0.0.1:80", "127.0.0.300:80");
	ADDRESS("ListenDatagram", LISTEN_DATAGRAM, "@a", "a");
	ADDRESS("ListenSequentialPacket", LISTEN_SEQPACKET, "/a", "80");
	ADDRESS("ListenFIFO", LISTEN_FIFO, "/a", "a");
	ADDRESS("ListenSpecial", LISTEN_SPECIAL, "/dev/x", "x");
	KEY("Socket", "SocketProtocol", "sctp", so->protocol == IPPROTO_SCTP, "tcp", !so->protocol);
	SCALAR("Socket", "BindIPv6Only", "ipv6-only", so->ipv6_only == IPV6_ONLY, "x");
	SCALAR("Socket", "Backlog", "5", so->backlog == 5, "x");
	KEY("Socket", "BindToDevice", "eth0", same(so->device, "eth0"), "a/b", !so->device);
	KEY("Socket", "SocketUser", "u", same(so->user.name, "u"), "a:", !so->user.name);
	KEY("Socket", "SocketGroup", "g", same(so->group.name, "g"), "a:", !so->group.name);
	SCALAR("Socket", "SocketMode", "0600", so->mode == 0600, "x");
	SCALAR("Socket", "DirectoryMode", "0700", so->directory_mode == 0700, "x");
	SCALAR("Socket", "Accept", "yes", so->accept && same(so->service, "u@.service") &&
	       !f->nr_deps && so->trigger_limit_burst == 200, "x");
	FLAG("Socket", "Writable", so->writable);
	FLAG("Socket", "FlushPending", so->flush_pending);
	SCALAR("Socket", "MaxConnections", "5", so->max_connections == 5, "x");
	SCALAR("Socket", "MaxConnectionsPerSource", "5", so->max_per_source == 5, "x");
	FLAG("Socket", "KeepAlive", so->keep_alive);
	SCALAR("Socket", "KeepAliveTimeSec", "5", so->keep_alive_ns == 5 * SEC, "x");
	SCALAR("Socket", "KeepAliveIntervalSec", "5", so->keep_alive_interval_ns == 5 * SEC, "x");
	SCALAR("Socket", "KeepAliveProbes", "5", so->keep_alive_probes == 5, "x");
	FLAG("Socket", "NoDelay", so->no_delay);
	KEY("Socket", "Priority", "5", so->priority == 5, "-1", so->priority == UNSET);
	SCALAR("Socket", "DeferAcceptSec", "5", so->defer_accept_ns == 5 * SEC, "x");
	SCALAR("Socket", "ReceiveBuffer", "8M", so->receive_buffer == 8 << 20, "x");
	SCALAR("Socket", "SendBuffer", "1.5K", so->send_buffer == 1536, "x");
	KEY("Socket", "IPTOS", "low-delay", so->ip_tos == 0x10, "256", so->ip_tos == UNSET);
	KEY("Socket", "IPTTL", "1", so->ip_ttl == 1, "0", so->ip_ttl == UNSET);
	KEY("Socket", "Mark", "5", so->mark == 5, "x", so->mark == UNSET);
	FLAG("Socket", "ReusePort", so->reuse_port);
	SCALAR("Socket", "PipeSize", "64K", so->pipe_size == 65536, "x");
	FLAG("Socket", "FreeBind", so->free_bind);
	FLAG("Socket", "Transparent", so->transparent);
	FLAG("Socket", "Broadcast", so->broadcast);
	FLAG("Socket", "PassCredentials", so->pass_credentials);
	FLAG("Socket", "PassSecurity", so->pass_security);
	FLAG("Socket", "PassPacketInfo", so->pass_packet_info);
	KEY("Socket", "TCPCongestion", "cubic", same(so->tcp_congestion, "cubic"), NULL,
	    !so->tcp_congestion);
	COMMAND("Socket", "ExecStartPre", EXEC_START_PRE, so->cmds);
	COMMAND("Socket", "ExecStartPost", EXEC_START_POST, so->cmds);
	COMMAND("Socket", "ExecStopPre", EXEC_STOP, so->cmds);
	COMMAND("Socket", "ExecStopPost", EXEC_STOP_POST, so->cmds);
	SCALAR("Socket", "TimeoutSec", "0", so->timeout_ns == FOREVER, "x");
	SCALAR("Socket", "Service", "x.service", same(so->service, "x.service") &&
	       dep(f, DEP_TRIGGERS, "x.service"), "x.target");
	FLAG("Socket", "RemoveOnStop", so->remove_on_stop);
	KEY("Socket", "Symlinks", "/a /b", has(&so->symlinks, "/a", "/b"), "a", !so->symlinks.nr);
	KEY("Socket", "FileDescriptorName", "web", same(so->fd_name, "web"), "a:b",
	    same(so->fd_name, "u@i-j.socket"));
	SCALAR("Socket", "TriggerLimitIntervalSec", "5", so->trigger_limit_ns == 5 * SEC, "x");
	SCALAR("Socket", "TriggerLimitBurst", "5", so->trigger_limit_burst == 5, "x");
}

/* ConditionX= and AssertX=, all of them. */
static void condition_keys(void)
{
	for (int i = 0; i < CONDITION_KINDS; i++) {
		char *body = xasprintf("Condition%s=|!/a\nAssert%s=/b", unit_condition_name(i),
				       unit_condition_name(i));
		char *reset = xasprintf("%s\nCondition%s=", body, unit_condition_name(i));

		BEGIN("Unit", body);
		const struct condition *c = f->conditions;

		if (f->nr_conditions != 2 || c[0].kind != i || c[1].kind != i || c[0].assert ||
		    !c[1].assert || !c[0].trigger || !c[0].negate || c[1].trigger || c[1].negate ||
		    !same(c[0].param, "/a") || !same(c[1].param, "/b") || c[0].where.line != 6 ||
		    told.nr)
			bad("%s: %u conditions; %s", body, f->nr_conditions, told.text);
		END;
		BEGIN("Unit", reset);
		if (f->nr_conditions != 1 || !f->conditions[0].assert)
			bad("%s: %u left", reset, f->nr_conditions);
		END;
		free(body);
		free(reset);
	}
}

/* Those that are accepted and do nothing, or too little: one warning in a file. */
static void noted_keys(void)
{
	static const char *const sections[] = {
		[IN_UNIT] = "Unit", [IN_SERVICE] = "Service", [IN_TIMER] = "Timer",
		[IN_SOCKET] = "Socket", [IN_EXEC] = "Service",
	};

	for (size_t i = 0; i < nr_keys; i++) {
		const char *value = keys[i].value == V_listen ? "/a" : "yes";
		char *body;

		if (keys[i].note != NOTE_IGNORED && keys[i].note != NOTE_SANDBOX)
			continue;
		covered[i] = 1;
		body = xasprintf("%s=%s\n%s=%s", keys[i].name, value, keys[i].name, value);
		BEGIN(sections[keys[i].place], body);
		if (told.nr != 1 || told.severity != SAY_WARNING || told.line != 6 ||
		    strncmp(told.text, keys[i].name, strlen(keys[i].name)) || f->bad)
			bad("%s: told %zu times: %s", body, told.nr, told.text);
		END;
		free(body);
	}
	BEGIN("Service", "StandardOutput=journal+console");
	if (told.nr != 1 || told.severity != SAY_WARNING || e->out.kind != STDIO_LOG)
		bad("+console: told %zu times: %s", told.nr, told.text);
	END;
}

/* What is in no table warns and is stepped over, but for X- keys, which say nothing. */
static void unknown_keys(void)
{
	BEGIN("Service", "Whatever=1\nX-Mine=1\nNice=3");
	if (told.nr != 1 || told.severity != SAY_WARNING || f->bad || e->nice != 3)
		bad("told %zu times: %s", told.nr, told.text);
	END;
	BEGIN("Service", "After=x.service");
	if (told.nr != 1 || !strstr(told.text, "[Unit]") || f->nr_deps)
		bad("told %zu times: %s", told.nr, told.text);
	END;
	BEGIN("Nonsense", "A=b\nC=d");
	if (told.nr != 1 || told.severity != SAY_WARNING || f->bad)
		bad("told %zu times: %s", told.nr, told.text);
	END;
	BEGIN("X-Mine", "A=b");
	if (told.nr || f->bad)
		bad("told %zu times: %s", told.nr, told.text);
	END;
	BEGIN("Service", "no assignment\n=x");
	if (told.nr != 2 || f->bad)
		bad("told %zu times: %s", told.nr, told.text);
	END;
	BEGIN("Service", "[Unit");
	if (told.nr != 1 || !f->bad)
		bad("told %zu times: %s", told.nr, told.text);
	END;
}

/* Values without which a unit would run otherwise than meant. */
static void fatal_values(void)
{
	static const char *const fatal[] = {
		"User=a:b", "Group=a/b", "WorkingDirectory=rel", "ExecStartPre=rel/ative",
		"ExecStart=/bin/a \"open", "RootDirectory=x", "SupplementaryGroups=a:b",
		"ExecStart=/bin/b", "Type=oneshot\nRestart=always", "Type=dbus",
		"X-Knell-Logger=rel/ative", "ExecStart=%Q", "ExecStart=",
		"Type=oneshot\nRestartForceExitStatus=1", "Type=oneshot\nExitType=cgroup",
	};

	for (size_t i = 0; i < sizeof(fatal) / sizeof(*fatal); i++) {
		BEGIN("Service", fatal[i]);
		if (!f->bad || !told.nr || told.severity != SAY_ERROR)
			bad("%s: can be started", fatal[i]);
		END;
	}
	cover("Service", "X-Knell-Logger");
}

/* DragonReach's spellings, if they are asked for. */
static void compat_keys(void)
{
	struct unit_options opt = { .say = listen_to, .compat = true };
	struct unit_dirs *plain = dirs;

	strv_add(&opt.dirs, xstrdup("/nonexistent"));
	BEGIN("Unit", "Binds To=a.service");
	if (f->nr_deps || told.nr != 1)
		bad("known without being asked for");
	END;
	dirs = unit_dirs_open(&opt);
	DEPENDENCY("Unit", "Binds To", DEP_BINDS_TO);
	DEPENDENCY("Unit", "Part Of", DEP_PART_OF);
	COMMAND("Service", "ExecStartPos", EXEC_START_POST, s->cmds);
	KEY("Service", "Nice", "20", e->nice == 19, "21", e->nice == UNSET);
	SCALAR("Service", "RemainAfterExit", "y", s->remain, "x");
	SCALAR("Service", "Restart", "no", s->restart == RESTART_NO, "x");
	unit_dirs_close(dirs);
	strv_free(&opt.dirs);
	dirs = plain;
}

static void all_covered(void)
{
	for (size_t i = 0; i < nr_keys; i++)
		if (!covered[i])
			bad("%s= has no test", keys[i].name);
}

int main(void)
{
	struct unit_options opt = { .say = listen_to };

	strv_add(&opt.dirs, xstrdup("/nonexistent"));
	dirs = unit_dirs_open(&opt);
	covered = xcalloc(nr_keys, 1);
	unit_keys(), tap("keys of [Unit]");
	install_keys(), tap("keys of [Install]");
	service_keys(), tap("keys of [Service]");
	exec_keys(), tap("keys of what commands run in");
	limit_keys(), tap("keys of limits");
	kill_keys(), tap("keys of killing");
	timer_keys(), tap("keys of [Timer]");
	socket_keys(), tap("keys of [Socket]");
	condition_keys(), tap("conditions and asserts");
	noted_keys(), tap("keys that are accepted warn once");
	unknown_keys(), tap("keys and sections that are not known");
	fatal_values(), tap("values that keep a unit from being started");
	compat_keys(), tap("spellings of DragonReach");
	all_covered(), tap("every key has a test");
	free(covered);
	unit_dirs_close(dirs);
	strv_free(&opt.dirs);
	return tap_done();
}
