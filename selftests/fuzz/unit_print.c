// SPDX-License-Identifier: GPL-2.0-only
/* A unit file from what one has become. */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "span.h"
#include "unit_load.h"
#include "unit_print.h"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

static FILE *out;
static bool unsayable;

static void say_bool(const char *key, bool value)
{
	fprintf(out, "%s=%s\n", key, value ? "yes" : "no");
}

static void say_number(const char *key, int64_t value)
{
	if (value != UNSET)
		fprintf(out, "%s=%" PRId64 "\n", key, value);
}

static void say_octal(const char *key, mode_t mode)
{
	fprintf(out, "%s=%o\n", key, mode);
}

static void say_span(const char *key, uint64_t ns)
{
	char buf[SPAN_TEXT_MAX];

	fprintf(out, "%s=%s\n", key, span_format(ns, buf));
}

/* As it is; a percent sign is none of a specifier's. */
static void put_text(const char *s)
{
	size_t len = strlen(s);

	/* That would continue the line; and blanks at the ends are none of the value. */
	if (len && (s[len - 1] == '\\' || strchr(" \t\r", s[len - 1]) || strchr(" \t\r", *s)))
		unsayable = true;
	for (; *s; s++) {
		if (*s == '%')
			putc('%', out);
		if (*s == '\n')
			unsayable = true;
		putc(*s, out);
	}
}

static void say_text(const char *key, const char *s)
{
	if (!s)
		return;
	fprintf(out, "%s=", key);
	put_text(s);
	putc('\n', out);
}

/* In quotes, and of anything but letters and digits the number. */
static void put_word(const char *s)
{
	putc('"', out);
	for (; *s; s++) {
		if (*s == '%')
			fputs("%%", out);
		else if (isalnum((unsigned char)*s) || strchr("/._-=$", *s))
			putc(*s, out);
		else
			fprintf(out, "\\x%02x", (unsigned char)*s);
	}
	putc('"', out);
}

static void say_words(const char *key, const struct strv *v)
{
	for (size_t i = 0; i < v->nr; i++) {
		fprintf(out, "%s=", key);
		put_word(v->v[i]);
		putc('\n', out);
	}
}

/* Where a backslash stands for itself, too. */
static void say_plain_words(const char *key, const struct strv *v)
{
	for (size_t i = 0; i < v->nr; i++) {
		unsayable |= !!strpbrk(v->v[i], "\"'\\ \t\n\r");
		say_text(key, v->v[i]);
	}
}

static void say_names(const char *key, const struct strv *v)
{
	for (size_t i = 0; i < v->nr; i++)
		say_text(key, v->v[i]);
}

/* Words in which a quote is one; only at the end of a line a backslash is more. */
static void say_accounts(const char *key, const struct strv *v)
{
	for (size_t i = 0; i < v->nr; i++)
		unsayable |= v->v[i][strlen(v->v[i]) - 1] == '\\';
	say_names(key, v);
}

static void say_signal(const char *key, uint8_t sig)
{
	if (sig)
		say_number(key, sig);
}

static void say_command(const char *key, const struct command *c)
{
	/* Only a specifier's value can begin as a prefix does. */
	unsayable |= *c->path != '/' && !isalnum((unsigned char)*c->path);
	fprintf(out, "%s=%s%s%s%s%s@", key, c->flags & CMD_IGNORE_FAILURE ? "-" : "",
		c->flags & CMD_PRIVILEGED ? "+" : "", c->flags & CMD_NO_EXPAND ? ":" : "",
		c->flags & CMD_NO_SETUID ? "!" : "", c->flags & CMD_SHELL ? "|" : "");
	put_word(c->path);
	for (size_t i = 0; i < c->argv.nr; i++) {
		putc(' ', out);
		put_word(c->argv.v[i]);
	}
	putc('\n', out);
}

static void say_commands(const struct commands *const *cmds, bool socket)
{
	for (int kind = 0; kind < EXEC_KINDS; kind++)
		for (size_t i = 0; i < cmds[kind]->nr; i++)
			say_command(socket && kind == EXEC_STOP ? "ExecStopPre" :
				    unit_exec_name(kind), &cmds[kind]->v[i]);
}

static void say_deps(const struct unit_file *f, bool sockets)
{
	for (size_t i = 0; i < f->nr_deps; i++) {
		const struct dep *d = &f->deps[i];

		if (d->kind == DEP_SOCKETS && sockets)
			say_text("Sockets", d->name);
		else if (d->kind < DEP_TRIGGERS && !sockets && d->where.line)
			say_text(unit_dep_name(d->kind), d->name);
	}
}

/* If it was given. */
static void say_trigger(const char *key, const struct unit_file *f)
{
	for (size_t i = 0; i < f->nr_deps; i++)
		if (f->deps[i].kind == DEP_TRIGGERS && f->deps[i].where.line)
			say_text(key, f->deps[i].name);
}

static void say_conditions(const struct unit_file *f)
{
	for (size_t i = 0; i < f->nr_conditions; i++) {
		const struct condition *c = &f->conditions[i];

		fprintf(out, "%s%s=%s%s", c->assert ? "Assert" : "Condition",
			unit_condition_name(c->kind), c->trigger ? "|" : "", c->negate ? "!" : "");
		put_text(c->param);
		putc('\n', out);
	}
}

static void say_unit(const struct unit_file *f)
{
	fputs("[Unit]\n", out);
	if (strcmp(f->description, f->name))
		say_text("Description", f->description);
	say_words("Documentation", &f->documentation);
	say_plain_words("RequiresMountsFor", &f->mounts_for);
	say_deps(f, false);
	say_conditions(f);
	say_bool("DefaultDependencies", f->default_dependencies);
	say_bool("RefuseManualStart", f->refuse_manual_start);
	say_bool("RefuseManualStop", f->refuse_manual_stop);
	say_bool("StopWhenUnneeded", f->stop_when_unneeded);
	say_bool("IgnoreOnIsolate", f->ignore_on_isolate);
	say_bool("AllowIsolate", f->allow_isolate);
	say_text("OnFailureJobMode", unit_job_mode_name(f->on_failure_mode));
	say_text("OnSuccessJobMode", unit_job_mode_name(f->on_success_mode));
	say_text("SuccessAction", unit_emergency_name(f->success_action));
	say_text("FailureAction", unit_emergency_name(f->failure_action));
	say_text("StartLimitAction", unit_emergency_name(f->start_limit_action));
	say_text("JobTimeoutAction", unit_emergency_name(f->job_timeout_action));
	say_number("SuccessActionExitStatus", f->success_status);
	say_number("FailureActionExitStatus", f->failure_status);
	say_text("RebootArgument", f->reboot_argument);
	say_number("StartLimitBurst", f->start_limit_burst);
	say_span("StartLimitIntervalSec", f->start_limit_ns);
	say_span("JobTimeoutSec", f->job_timeout_ns);
	say_span("JobRunningTimeoutSec", f->job_running_ns);
}

static void say_install(const struct install *in)
{
	if (!in || !(in->wanted_by.nr + in->required_by.nr + in->upheld_by.nr + in->also.nr +
		     in->alias.nr + !!in->default_instance))
		return;
	fputs("[Install]\n", out);
	say_names("WantedBy", &in->wanted_by);
	say_names("RequiredBy", &in->required_by);
	say_names("UpheldBy", &in->upheld_by);
	say_names("Also", &in->also);
	say_names("Alias", &in->alias);
	say_text("DefaultInstance", in->default_instance);
}

static void say_kill(const struct kill_context *k)
{
	say_text("KillMode", unit_kill_mode_name(k->mode));
	say_signal("KillSignal", k->signal);
	say_signal("RestartKillSignal", k->restart_signal);
	say_signal("FinalKillSignal", k->final_signal);
	say_signal("WatchdogSignal", k->watchdog_signal);
	say_bool("SendSIGKILL", k->send_sigkill);
	say_bool("SendSIGHUP", k->send_sighup);
}

static void put_limit(rlim_t v)
{
	if (v == RLIM_INFINITY)
		fputs("infinity", out);
	else
		fprintf(out, "%ju", (uintmax_t)v);
}

static void say_limits(const struct limits *l)
{
	static const char *const names[RLIM_NLIMITS] = {
		[RLIMIT_FSIZE] = "FSIZE", [RLIMIT_DATA] = "DATA", [RLIMIT_STACK] = "STACK",
		[RLIMIT_CORE] = "CORE", [RLIMIT_RSS] = "RSS", [RLIMIT_NOFILE] = "NOFILE",
		[RLIMIT_AS] = "AS", [RLIMIT_NPROC] = "NPROC", [RLIMIT_MEMLOCK] = "MEMLOCK",
		[RLIMIT_LOCKS] = "LOCKS", [RLIMIT_SIGPENDING] = "SIGPENDING",
		[RLIMIT_MSGQUEUE] = "MSGQUEUE", [RLIMIT_RTPRIO] = "RTPRIO",
	};

	for (size_t i = 0; l && i < RLIM_NLIMITS; i++) {
		if (!(l->set & 1U << i) || !names[i])
			continue;
		fprintf(out, "Limit%s=", names[i]);
		put_limit(l->v[i].rlim_cur);
		putc(':', out);
		put_limit(l->v[i].rlim_max);
		putc('\n', out);
	}
}

static void say_exec(const struct exec_context *e)
{
	say_words("Environment", &e->env);
	say_words("PassEnvironment", &e->pass_env);
	say_words("UnsetEnvironment", &e->unset_env);
	for (size_t i = 0; i < e->env_files.nr; i++) {
		fprintf(out, "EnvironmentFile=%s", e->env_files.v[i].optional ? "-" : "");
		put_text(e->env_files.v[i].name);
		putc('\n', out);
	}
	if (e->cwd.name) {
		fprintf(out, "WorkingDirectory=%s", e->cwd.optional ? "-" : "");
		put_text(e->cwd.name);
		putc('\n', out);
	}
	say_text("RootDirectory", e->root);
	say_text("User", e->user.name);
	say_text("Group", e->group.name);
	say_accounts("SupplementaryGroups", &e->groups);
	say_octal("UMask", e->umask);
	say_number("Nice", e->nice);
	say_number("OOMScoreAdjust", e->oom_score);
	say_bool("NoNewPrivileges", e->no_new_privs);
	say_bool("IgnoreSIGPIPE", e->ignore_sigpipe);
	say_text("TTYPath", e->tty);
	say_bool("TTYReset", e->tty_reset);
	say_limits(e->limits);
}

static void say_more(const struct service_more *m)
{
	/* What there is of it if none of its keys was given. */
	if (!m->restart_reset_ns)
		return;
	say_number("RestartSteps", m->restart_steps);
	if (m->restart_max_ns != FOREVER)
		say_span("RestartMaxDelaySec", m->restart_max_ns);
	say_span("X-Knell-RestartReset", m->restart_reset_ns);
	say_span("RuntimeMaxSec", m->runtime_max_ns);
	say_span("RuntimeRandomizedExtraSec", m->runtime_extra_ns);
	say_span("WatchdogSec", m->watchdog_ns);
	say_text("PIDFile", m->pid_file.name);
	say_text("BusName", m->bus_name);
	say_number("FileDescriptorStoreMax", m->fd_store_max);
	if (m->notify_fd >= 0)
		say_number("X-Knell-NotifyFD", m->notify_fd);
	if (m->logger)
		say_command("X-Knell-Logger", m->logger);
}

static void say_service(const struct service *s)
{
	static const char *const accesses[] = { "none", "main", "exec", "all" };
	static const char *const modes[] = { "terminate", "abort", "kill" };

	fputs("[Service]\n", out);
	say_text("Type", unit_type_name(s->type));
	say_text("ExitType", s->exit_cgroup ? "cgroup" : "main");
	say_text("Restart", unit_restart_name(s->restart));
	say_text("NotifyAccess", accesses[s->notify_access]);
	say_text("TimeoutStartFailureMode", modes[s->start_failure_mode]);
	say_text("TimeoutStopFailureMode", modes[s->stop_failure_mode]);
	say_text("RestartMode", s->restart_direct ? "direct" : "normal");
	say_bool("RemainAfterExit", s->remain);
	say_bool("GuessMainPID", s->guess_main_pid);
	say_bool("NonBlocking", s->non_blocking);
	say_bool("RootDirectoryStartOnly", s->root_start_only);
	say_bool("PermissionsStartOnly", s->permissions_start_only);
	say_signal("ReloadSignal", s->reload_signal);
	say_span("RestartSec", s->restart_ns);
	say_span("TimeoutStartSec", s->start_ns);
	say_span("TimeoutStopSec", s->stop_ns);
	say_span("TimeoutAbortSec", s->abort_ns);
	say_more(s->more);
	say_kill(&s->kill);
	say_exec(s->exec);
	say_commands(s->cmds, false);
}

static void say_timer(const struct timer *t)
{
	fputs("[Timer]\n", out);
	for (size_t i = 0; i < t->nr; i++) {
		const struct timer_value *v = &t->values[i];

		if (v->base == TIMER_CALENDAR)
			say_text("OnCalendar", v->calendar);
		else
			say_span(unit_timer_base_name(v->base), v->ns);
	}
	say_span("AccuracySec", t->accuracy_ns);
	say_span("RandomizedDelaySec", t->randomized_ns);
	say_bool("FixedRandomDelay", t->fixed_random_delay);
	say_bool("OnClockChange", t->on_clock_change);
	say_bool("OnTimezoneChange", t->on_timezone_change);
	say_bool("Persistent", t->persistent);
	say_bool("WakeSystem", t->wake_system);
	say_bool("RemainAfterElapse", t->remain_after_elapse);
}

static void say_options(const struct socket *s)
{
	const struct {
		const char *key;
		bool value;
	} bools[] = {
		{ "Accept", s->accept }, { "FreeBind", s->free_bind },
		{ "Transparent", s->transparent }, { "Broadcast", s->broadcast },
		{ "ReusePort", s->reuse_port }, { "KeepAlive", s->keep_alive },
		{ "NoDelay", s->no_delay }, { "PassCredentials", s->pass_credentials },
		{ "PassSecurity", s->pass_security }, { "PassPacketInfo", s->pass_packet_info },
		{ "Writable", s->writable }, { "FlushPending", s->flush_pending },
		{ "RemoveOnStop", s->remove_on_stop },
	};

	for (size_t i = 0; i < ARRAY_SIZE(bools); i++)
		say_bool(bools[i].key, bools[i].value);
	say_number("Backlog", s->backlog);
	say_number("MaxConnections", s->max_connections);
	say_number("MaxConnectionsPerSource", s->max_per_source);
	say_number("Priority", s->priority);
	say_number("Mark", s->mark);
	say_number("IPTTL", s->ip_ttl);
	say_number("KeepAliveProbes", s->keep_alive_probes);
	say_number("TriggerLimitBurst", s->trigger_limit_burst);
	say_span("KeepAliveTimeSec", s->keep_alive_ns);
	say_span("KeepAliveIntervalSec", s->keep_alive_interval_ns);
	say_span("DeferAcceptSec", s->defer_accept_ns);
	say_span("TriggerLimitIntervalSec", s->trigger_limit_ns);
	say_span("TimeoutSec", s->timeout_ns);
	fprintf(out, "ReceiveBuffer=%ju\nSendBuffer=%ju\nPipeSize=%ju\n",
		(uintmax_t)s->receive_buffer, (uintmax_t)s->send_buffer, (uintmax_t)s->pipe_size);
}

static void say_socket(const struct socket *s)
{
	fputs("[Socket]\n", out);
	for (size_t i = 0; i < s->nr_listen; i++)
		say_text(unit_listen_name(s->listen[i].kind), s->listen[i].address);
	say_options(s);
	say_octal("SocketMode", s->mode);
	say_octal("DirectoryMode", s->directory_mode);
	say_text("SocketUser", s->user.name);
	say_text("SocketGroup", s->group.name);
	say_text("BindToDevice", s->device);
	say_text("TCPCongestion", s->tcp_congestion);
	say_text("FileDescriptorName", s->fd_name);
	say_plain_words("Symlinks", &s->symlinks);
	say_kill(&s->kill);
	say_exec(s->exec);
	say_commands(s->cmds, true);
}

char *unit_print(const struct unit_file *f)
{
	char *text;
	size_t len;

	out = open_memstream(&text, &len);
	unsayable = false;
	say_unit(f);
	if (f->service) {
		say_service(f->service);
		say_deps(f, true);
	} else if (f->timer) {
		say_timer(f->timer);
		say_trigger("Unit", f);
	} else if (f->socket) {
		say_socket(f->socket);
		say_trigger("Service", f);
	}
	say_install(f->install);
	fclose(out);
	if (!unsayable)
		return text;
	free(text);
	return NULL;
}
