// SPDX-License-Identifier: GPL-2.0-only
/*
 * Prints units as systemd-analyze verify does when SYSTEMD_LOG_LEVEL=debug, as far as we know
 * what it prints: one line for each thing, the unit's name and a tab before it.
 *
 * usage: dump_helper DIRECTORY UNIT...
 */
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <linux/securebits.h>

#include "calendar.h"
#include "span.h"
#include "tap.h"
#include "unit_load.h"

static const char *unit;
static bool quiet;

static __attribute__((format(printf, 1, 2))) void line(const char *fmt, ...)
{
	va_list ap;

	printf("%s\t", unit);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
}

static const char *yes(bool b)
{
	return b ? "yes" : "no";
}

static void span(const char *label, uint64_t ns)
{
	char buf[SPAN_TEXT_MAX];

	line("%s: %s", label, span_format(ns, buf));
}

/* What it shows of those that it has in seconds. */
static void whole_span(const char *label, uint64_t ns)
{
	span(label, ns == FOREVER || ns < NSEC_PER_SEC ? ns : ns / NSEC_PER_SEC * NSEC_PER_SEC);
}

static void list(const char *label, const struct strv *v)
{
	for (size_t i = 0; i < v->nr; i++)
		line("%s: %s", label, v->v[i]);
}

static void signal_line(const char *label, int sig)
{
	if (sig >= SIGRTMIN)
		line("%s: SIGRTMIN+%d", label, sig - SIGRTMIN);
	else
		line("%s: SIG%s", label, sigabbrev_np(sig));
}

/* Links, slices and mounts, and what systemd's own log needs, come of nothing that is written. */
static bool is_theirs(const char *name)
{
	static const char *const names[] = {
		"systemd-journald.socket", "dbus.socket", "systemd-vconsole-setup.service",
		"systemd-tmpfiles-setup.service", "systemd-remount-fs.service",
	};
	const char *dot = strrchr(name, '.');

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (!strcmp(name, names[i]))
			return true;
	return !strcmp(dot, ".slice") || !strcmp(dot, ".mount") || !strcmp(dot, ".device");
}

static void deps(const struct unit_file *f, struct unit_dirs *dirs)
{
	for (size_t i = 0; i < f->nr_deps; i++) {
		const struct dep *d = &f->deps[i];
		struct unit_file *other = NULL;
		const char *name = d->name;

		if (is_theirs(d->name))
			continue;
		/* Of an alias it shows what that stands for. */
		quiet = true;
		if (unit_load(dirs, d->name, &other) == LOAD_OK)
			name = other->name;
		quiet = false;
		if (d->kind == DEP_SOCKETS) {
			line("Wants: %s", name);
			line("After: %s", name);
		} else {
			line("%s: %s", unit_dep_name(d->kind), name);
			if (d->kind == DEP_TRIGGERS && d->where.line && f->timer)
				line("Before: %s", name);
		}
		unit_file_free(other);
	}
}

static void conditions(const struct unit_file *f)
{
	for (size_t i = 0; i < f->nr_conditions; i++) {
		const struct condition *c = &f->conditions[i];

		line("%s%s: %s%s%s untested", c->assert ? "Assert" : "Condition",
		     unit_condition_name(c->kind), c->trigger ? "|" : "", c->negate ? "!" : "",
		     c->param);
	}
}

static void emergency(const char *label, uint8_t e)
{
	if (e != EMERGENCY_NONE)
		line("%s: %s", label, unit_emergency_name(e));
}

static void general(const struct unit_file *f, struct unit_dirs *dirs)
{
	line("Description: %s", f->description);
	line("Instance: %s", f->instance ? f->instance : "n/a");
	list("Documentation", &f->documentation);
	emergency("Failure Action", f->failure_action);
	emergency("Success Action", f->success_action);
	if (f->job_timeout_ns != FOREVER)
		span("Job Timeout", f->job_timeout_ns);
	emergency("Job Timeout Action", f->job_timeout_action);
	conditions(f);
	deps(f, dirs);
	line("StopWhenUnneeded: %s", yes(f->stop_when_unneeded));
	line("RefuseManualStart: %s", yes(f->refuse_manual_start));
	line("RefuseManualStop: %s", yes(f->refuse_manual_stop));
	line("DefaultDependencies: %s", yes(f->default_dependencies));
	line("OnSuccessJobMode: %s", unit_job_mode_name(f->on_success_mode));
	line("OnFailureJobMode: %s", unit_job_mode_name(f->on_failure_mode));
	line("IgnoreOnIsolate: %s", yes(f->ignore_on_isolate));
}

/* As a shell would take it, of what needs quotes. */
static void word(const char *s)
{
	if (*s && !s[strcspn(s, " \t\n\r\"\\`$*?['()<>|&;!")]) {
		for (; *s; s++)
			printf((unsigned char)*s < ' ' || *s == 0x7f ? "\\%03o" : "%c", *s);
		return;
	}
	putchar('"');
	for (; *s; s++) {
		if (strchr("\"\\`$", *s))
			putchar('\\');
		if (*s == '\t' || *s == '\n')
			printf(*s == '\t' ? "\\t" : "\\n");
		else if ((unsigned char)*s < ' ')
			printf("\\%03o", *s);
		else
			putchar(*s);
	}
	putchar('"');
}

static void commands(const char *label, const struct commands *c)
{
	for (size_t i = 0; i < c->nr; i++) {
		printf("%s\t%s: ", unit, label);
		for (size_t k = 0; k < c->v[i].argv.nr; k++) {
			if (k)
				putchar(' ');
			word(c->v[i].argv.v[k]);
		}
		putchar('\n');
	}
}

/* The last of a name holds. */
static void environment(const struct strv *v)
{
	for (size_t i = 0; i < v->nr; i++) {
		size_t k, len = strcspn(v->v[i], "=") + 1;

		for (k = i + 1; k < v->nr; k++)
			if (!strncmp(v->v[k], v->v[i], len))
				break;
		if (k == v->nr)
			line("Environment: %s", v->v[i]);
	}
}

static void limits(const struct limits *l)
{
	static const char *const names[RLIM_NLIMITS] = {
		[RLIMIT_CPU] = "CPU", [RLIMIT_FSIZE] = "FSIZE", [RLIMIT_DATA] = "DATA",
		[RLIMIT_STACK] = "STACK", [RLIMIT_CORE] = "CORE", [RLIMIT_RSS] = "RSS",
		[RLIMIT_NOFILE] = "NOFILE", [RLIMIT_AS] = "AS", [RLIMIT_NPROC] = "NPROC",
		[RLIMIT_MEMLOCK] = "MEMLOCK", [RLIMIT_LOCKS] = "LOCKS",
		[RLIMIT_SIGPENDING] = "SIGPENDING", [RLIMIT_MSGQUEUE] = "MSGQUEUE",
		[RLIMIT_NICE] = "NICE", [RLIMIT_RTPRIO] = "RTPRIO", [RLIMIT_RTTIME] = "RTTIME",
	};

	for (int i = 0; l && i < (int)RLIM_NLIMITS; i++) {
		if (!(l->set & 1U << i))
			continue;
		line("Limit%s: %lu", names[i], l->v[i].rlim_max);
		line("Limit%sSoft: %lu", names[i], l->v[i].rlim_cur);
	}
}

static const char *stdio_name(const struct stdio *s)
{
	switch (s->kind) {
	case STDIO_NULL:
		return "null";
	case STDIO_INHERIT:
		return "inherit";
	case STDIO_TTY:
		return s->tty_mode == TTY_FORCE ? "tty-force" :
		       s->tty_mode == TTY_FAIL ? "tty-fail" : "tty";
	case STDIO_LOG:
		return s->console ? "log+console" : "inherit";
	case STDIO_FILE:
		return "file";
	case STDIO_APPEND:
		return "append";
	case STDIO_TRUNCATE:
		return "truncate";
	case STDIO_SOCKET:
		return "socket";
	case STDIO_FD:
		return "fd";
	default:
		return "data";
	}
}

static void stdio(const char *label, const struct stdio *s)
{
	line("%s: %s", label, stdio_name(s));
	if (s->kind == STDIO_FILE)
		line("%sFile: %s", label, s->path);
	else if (s->kind == STDIO_APPEND)
		line("%sFileToAppend: %s", label, s->path);
	else if (s->kind == STDIO_TRUNCATE)
		line("%sFileToTruncate: %s", label, s->path);
}

static void directories(const struct exec_context *e)
{
	static const char *const names[] = {
		"Runtime", "State", "Cache", "Logs", "Configuration",
	};

	for (int i = 0; i < DIR_KINDS; i++) {
		const struct dirs *d = e->dirs[i];

		line("%sDirectoryMode: %04o", names[i], d ? d->mode : 0755);
		for (size_t k = 0; d && k < d->names.nr; k++) {
			line("%sDirectory: %s", names[i], d->names.v[k]);
			if (d->links[k])
				line("%sDirectorySymlink: %s:%s", names[i], d->names.v[k],
				     d->links[k]);
		}
	}
	line("RuntimeDirectoryPreserve: %s",
	     e->runtime_preserve == PRESERVE_YES ? "yes" :
	     e->runtime_preserve == PRESERVE_RESTART ? "restart" : "no");
}

static void scheduling(const struct exec_context *e)
{
	static const char *const policies[] = { "other", "fifo", "rr", "batch", "", "idle" };
	static const char *const classes[] = { "none", "realtime", "best-effort", "idle" };

	if (e->nice != UNSET)
		line("Nice: %d", e->nice);
	if (e->oom_score != UNSET)
		line("OOMScoreAdjust: %d", e->oom_score);
	if (e->coredump_filter >= 0)
		line("CoredumpFilter: 0x%lx", (unsigned long)e->coredump_filter);
	if (e->ioprio != UNSET) {
		line("IOSchedulingClass: %s", classes[e->ioprio >> 13]);
		line("IOPriority: %d", e->ioprio & 7);
	}
	if (e->cpu_policy != UNSET || e->cpu_priority != UNSET)
		line("CPUSchedulingPolicy: %s",
		     policies[e->cpu_policy == UNSET ? SCHED_OTHER : e->cpu_policy]);
	if (e->timer_slack != FOREVER)
		line("TimerSlackNSec: %lu", e->timer_slack);
	for (int i = 0; e->affinity && i < CPU_SETSIZE; i++)
		if (CPU_ISSET(i, e->affinity))
			line("CPU: %d", i);
}

static void capabilities(const char *label, uint64_t set)
{
	for (int i = 0; i <= 40; i++)
		if (set & 1ULL << i)
			line("%s: %s", label, unit_capability_name(i));
}

static void secure_bits(unsigned int bits)
{
	static const char *const names[] = {
		"noroot", "noroot-locked", "no-setuid-fixup", "no-setuid-fixup-locked",
		"keep-caps", "keep-caps-locked",
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (bits & 1U << i)
			line("Secure Bit: %s", names[i]);
}

static void exec(const struct exec_context *e)
{
	line("UMask: %04o", e->umask);
	line("WorkingDirectory: %s", e->cwd.name && strcmp(e->cwd.name, "~") ? e->cwd.name : "/");
	line("RootDirectory: %s", e->root ? e->root : "/");
	line("IgnoreSIGPIPE: %s", yes(e->ignore_sigpipe));
	environment(&e->env);
	list("PassEnvironment", &e->pass_env);
	list("UnsetEnvironment", &e->unset_env);
	for (size_t i = 0; i < e->env_files.nr; i++)
		line("EnvironmentFile: %s%s", e->env_files.v[i].optional ? "-" : "",
		     e->env_files.v[i].name);
	directories(e);
	scheduling(e);
	limits(e->limits);
	stdio("StandardInput", &e->in);
	stdio("StandardOutput", &e->out);
	stdio("StandardError", &e->err);
	if (strcmp(e->tty, "/dev/console")) {
		line("TTYPath: %s", e->tty);
		line("TTYReset: %s", yes(e->tty_reset));
		line("TTYVHangup: %s", yes(e->tty_vhangup));
		line("TTYVTDisallocate: %s", yes(e->tty_disallocate));
	}
	/* It makes up one that is called as the unit is. */
	if (e->user.name || e->dynamic_user)
		printf("%s\tUser: %.*s\n", unit, e->user.name ? INT_MAX : (int)strcspn(unit, "@."),
		       e->user.name ? e->user.name : unit);
	if (e->group.name || e->dynamic_user)
		printf("%s\tGroup: %.*s\n", unit, e->group.name ? INT_MAX : (int)strcspn(unit, "@."),
		       e->group.name ? e->group.name : unit);
	list("SupplementaryGroup", &e->groups);
	line("DynamicUser: %s", yes(e->dynamic_user));
	if (e->caps_bounding_set && ~e->caps_bounding & ((1ULL << 41) - 1))
		capabilities("CapabilityBoundingSet", e->caps_bounding);
	capabilities("AmbientCapabilities", e->caps_ambient);
	secure_bits(e->secure_bits);
}

static void killing(const struct kill_context *k)
{
	line("KillMode: %s", unit_kill_mode_name(k->mode));
	signal_line("KillSignal", k->signal);
	signal_line("RestartKillSignal", k->restart_signal ? k->restart_signal : k->signal);
	signal_line("FinalKillSignal", k->final_signal);
	line("SendSIGKILL: %s", yes(k->send_sigkill));
	line("SendSIGHUP: %s", yes(k->send_sighup));
}

static const char *mode_name(uint8_t mode)
{
	return mode == TIMEOUT_ABORT ? "abort" : mode == TIMEOUT_KILL ? "kill" : "terminate";
}

static void service(const struct service *s)
{
	static const char *const access[] = { "none", "main", "exec", "all" };

	line("PermissionsStartOnly: %s", yes(s->permissions_start_only));
	line("RootDirectoryStartOnly: %s", yes(s->root_start_only));
	line("RemainAfterExit: %s", yes(s->remain));
	line("GuessMainPID: %s", yes(s->guess_main_pid));
	line("Type: %s", unit_type_name(s->type));
	line("Restart: %s", unit_restart_name(s->restart));
	line("NotifyAccess: %s", access[s->notify_access]);
	if (s->more->pid_file.name)
		line("PIDFile: %s", s->more->pid_file.name);
	if (s->more->bus_name)
		line("BusName: %s", s->more->bus_name);
	whole_span("RestartSec", s->restart_ns);
	whole_span("TimeoutStartSec", s->start_ns);
	whole_span("TimeoutStopSec", s->stop_ns);
	line("TimeoutStartFailureMode: %s", mode_name(s->start_failure_mode));
	line("TimeoutStopFailureMode: %s", mode_name(s->stop_failure_mode));
	whole_span("RuntimeMaxSec", s->more->runtime_max_ns);
	whole_span("RuntimeRandomizedExtraSec", s->more->runtime_extra_ns);
	whole_span("WatchdogSec", s->more->watchdog_ns);
	line("NonBlocking: %s", yes(s->non_blocking));
	if (s->more->fd_store_max)
		line("File Descriptor Store Max: %u", s->more->fd_store_max);
	killing(&s->kill);
	exec(s->exec);
	for (int i = 0; i < EXEC_KINDS; i++)
		commands(unit_exec_name(i), s->cmds[i]);
}

static void timer(const struct timer *t, const struct unit_file *f)
{
	char buf[CALENDAR_MAX];
	struct calendar *c;

	for (size_t i = 0; i < f->nr_deps; i++)
		if (f->deps[i].kind == DEP_TRIGGERS)
			line("Unit: %s", f->deps[i].name);
	line("Persistent: %s", yes(t->persistent));
	line("WakeSystem: %s", yes(t->wake_system));
	span("Accuracy", t->accuracy_ns);
	line("RemainAfterElapse: %s", yes(t->remain_after_elapse));
	line("FixedRandomDelay: %s", yes(t->fixed_random_delay));
	line("OnClockChange: %s", yes(t->on_clock_change));
	line("OnTimeZoneChange: %s", yes(t->on_timezone_change));
	for (size_t i = 0; i < t->nr; i++) {
		const struct timer_value *v = &t->values[i];

		if (v->base != TIMER_CALENDAR) {
			span(unit_timer_base_name(v->base), v->ns);
			continue;
		}
		c = calendar_parse(v->calendar, strlen(v->calendar), NULL);
		calendar_format(c, buf, sizeof(buf));
		line("OnCalendar: %s", buf);
		free(c);
	}
}

static void number(const char *label, int32_t n)
{
	if (n != UNSET)
		line("%s: %d", label, n);
}

static void socket_unit(const struct socket *s)
{
	static const char *const ipv6[] = { "default", "both", "ipv6-only" };

	line("BindIPv6Only: %s", ipv6[s->ipv6_only]);
	line("SocketMode: %04o", s->mode);
	line("DirectoryMode: %04o", s->directory_mode);
	line("KeepAlive: %s", yes(s->keep_alive));
	line("NoDelay: %s", yes(s->no_delay));
	line("FreeBind: %s", yes(s->free_bind));
	line("Transparent: %s", yes(s->transparent));
	line("Broadcast: %s", yes(s->broadcast));
	line("PassCredentials: %s", yes(s->pass_credentials));
	line("PassSecurity: %s", yes(s->pass_security));
	line("PassPacketInfo: %s", yes(s->pass_packet_info));
	line("TCPCongestion: %s", s->tcp_congestion ? s->tcp_congestion : "n/a");
	line("RemoveOnStop: %s", yes(s->remove_on_stop));
	line("Writable: %s", yes(s->writable));
	/* What accepted connections are called it does not show. */
	line("FileDescriptorName: %s", strcmp(s->fd_name, "connection") ? s->fd_name : unit);
	if (!s->accept)
		line("FlushPending: %s", yes(s->flush_pending));
	if (s->device)
		line("BindToDevice: %s", s->device);
	number("Priority", s->priority);
	number("IPTOS", s->ip_tos);
	number("IPTTL", s->ip_ttl);
	number("Mark", s->mark);
	if (s->receive_buffer)
		line("ReceiveBuffer: %lu", s->receive_buffer);
	if (s->send_buffer)
		line("SendBuffer: %lu", s->send_buffer);
	if (s->pipe_size)
		line("PipeSize: %lu", s->pipe_size);
	if (s->user.name)
		line("SocketUser: %s", s->user.name);
	if (s->group.name)
		line("SocketGroup: %s", s->group.name);
	/* A port alone it shows as one of any address, and as if that had been written. */
	for (size_t i = 0; i < s->nr_listen; i++)
		line("%s: %s", unit_listen_name(s->listen[i].kind), s->listen[i].address +
		     (strncmp(s->listen[i].address, "[::]:", 5) ? 0 : 5));
	killing(&s->kill);
	exec(s->exec);
	commands("ExecStartPre", s->cmds[EXEC_START_PRE]);
	commands("ExecStartPost", s->cmds[EXEC_START_POST]);
	commands("ExecStopPre", s->cmds[EXEC_STOP]);
	commands("ExecStopPost", s->cmds[EXEC_STOP_POST]);
}

static void say_line(void *arg, enum severity severity, const char *file, unsigned int nr,
		     const char *text)
{
	(void)arg, (void)severity;
	if (!quiet)
		fprintf(stderr, "%s:%u: %s\n", file, nr, text);
}

int main(int argc, char **argv)
{
	struct unit_options opt = { .say = say_line, .quiet_ignored = true };
	struct unit_file *f;
	struct unit_dirs *d;

	if (argc < 2)
		return 2;
	strv_add(&opt.dirs, xstrdup(argv[1]));
	d = unit_dirs_open(&opt);
	for (int i = 2; i < argc; i++) {
		unit = argv[i];
		if (unit_load(d, unit, &f) == LOAD_OK) {
			unit = f->name;
			general(f, d);
			if (f->service)
				service(f->service);
			if (f->timer)
				timer(f->timer, f);
			if (f->socket)
				socket_unit(f->socket);
		}
		unit_file_free(f);
	}
	unit_dirs_close(d);
	strv_free(&opt.dirs);
	return 0;
}
