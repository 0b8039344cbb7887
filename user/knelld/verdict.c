// SPDX-License-Identifier: GPL-2.0-only
/* What the end of a process means, and the line of the log that tells it. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "knelld.h"

/* As systemd names it, for ExecStopPost='s $SERVICE_RESULT. */
const char *verdict_text(enum result r)
{
	static const char *const text[] = {
		[RESULT_SUCCESS] = "success",
		[RESULT_RESOURCES] = "resources",
		[RESULT_EXIT_CODE] = "exit-code",
		[RESULT_SIGNAL] = "signal",
		[RESULT_CORE_DUMP] = "core-dump",
		[RESULT_TIMEOUT] = "timeout",
		[RESULT_START_LIMIT] = "start-limit-hit",
		[RESULT_DEPENDENCY] = "dependency",
		[RESULT_BAD_UNIT] = "bad-setting",
	};

	return text[r];
}

static bool listed(const struct ends *ends, int status)
{
	if (WIFEXITED(status))
		return ends->codes[WEXITSTATUS(status) / 64] >> WEXITSTATUS(status) % 64 & 1;
	return ends->signals >> (WTERMSIG(status) - 1) & 1;
}

/* Is it a service's own process, as opposed to a command that has an end? */
static bool is_daemon(const struct unit *u, const struct tree *t)
{
	if (t->kind != EXEC_START || u->type == TYPE_ONESHOT)
		return false;
	return u->type == TYPE_SIMPLE || t->exited;
}

static bool is_clean_signal(const struct unit *u, int sig, bool daemon)
{
	/* Ended by the very signal that was to end it. */
	if (u->state == STATE_TERM && sig == u->conf->kill_signal)
		return true;
	return daemon && (sig == SIGHUP || sig == SIGINT || sig == SIGTERM || sig == SIGPIPE);
}

static bool ignores_failure(const struct unit *u, const struct tree *t)
{
	const struct commands *list = &u->conf->exec[t->kind];

	/* The file may have changed since it was started. */
	return t->cmd < list->nr && list->v[t->cmd].flags & CMD_IGNORE_FAILURE;
}

/* systemd's clean exits; a signal is one for daemons only. */
enum result verdict_judge(const struct unit *u, const struct tree *t, int status)
{
	bool daemon = is_daemon(u, t);

	if (ignores_failure(u, t))
		return RESULT_SUCCESS;
	if (t->kind == EXEC_START && listed(&u->conf->success, status))
		return RESULT_SUCCESS;
	if (WIFEXITED(status))
		return WEXITSTATUS(status) ? RESULT_EXIT_CODE : RESULT_SUCCESS;
	if (WCOREDUMP(status))
		return RESULT_CORE_DUMP;
	return is_clean_signal(u, WTERMSIG(status), daemon) ? RESULT_SUCCESS : RESULT_SIGNAL;
}

/* Is a unit whose run is over to be started again? */
bool verdict_restarts(const struct unit *u)
{
	const enum result r = u->result;

	if (service_stopping() || u->gone)
		return false;
	if (u->ran && listed(&u->conf->no_restart, u->status))
		return false;
	switch (u->conf->restart) {
	case RESTART_ALWAYS:
		return true;
	case RESTART_ON_SUCCESS:
		return r == RESULT_SUCCESS;
	case RESTART_ON_FAILURE:
		return r != RESULT_SUCCESS;
	case RESTART_ON_ABNORMAL:
		return r != RESULT_SUCCESS && r != RESULT_EXIT_CODE;
	case RESTART_ON_ABORT:
		return r == RESULT_SIGNAL || r == RESULT_CORE_DUMP;
	default:
		return false;
	}
}

/* Whom the kernel saw send the signal; nothing where it was the process's own doing. */
static void killer_text(const struct knell_event *ev, char *buf, size_t size)
{
	*buf = '\0';
	if (ev->flags & KNELL_EVF_OOM)
		snprintf(buf, size, " by the kernel: out of memory");
	else if (!(ev->flags & KNELL_EVF_KILLER))
		return;
	else if (ev->exit.killer_pid == getpid())
		snprintf(buf, size, ", sent by knelld");
	else if (ev->exit.killer_pid == ev->exit.pid && ev->exit.pid)
		snprintf(buf, size, ", sent by itself");
	else if (ev->exit.killer_pid)
		snprintf(buf, size, ", sent by pid %d (uid %u)", ev->exit.killer_pid,
			 ev->exit.killer_uid);
	else
		snprintf(buf, size, ", sent from another pid namespace (uid %u)",
			 ev->exit.killer_uid);
}

static void end_text(const struct knell_event *ev, char *buf, size_t size)
{
	int status = ev->exit.status;
	char killer[96];

	if (ev->flags & KNELL_EVF_NOSTATUS) {
		snprintf(buf, size, "ended, its status is not for us to know");
		return;
	}
	if (WIFEXITED(status)) {
		snprintf(buf, size, "exited with status %d", WEXITSTATUS(status));
		return;
	}
	killer_text(ev, killer, sizeof(killer));
	snprintf(buf, size, "killed by %s%s%s", signal_name(WTERMSIG(status)),
		 WCOREDUMP(status) ? " (core dumped)" : "", killer);
}

/* @who: "main", or the key of a command. */
void verdict_tell(const struct unit *u, const char *who, const struct knell_event *ev)
{
	uint64_t cpu_ms = (ev->exit.utime_ns + ev->exit.stime_ns) / NSEC_PER_MSEC;
	char end[160];

	end_text(ev, end, sizeof(end));
	log_line("%s: %s process %d %s, cpu %llu.%03llus, max rss %llu KiB%s", u->name, who,
		 ev->exit.pid, end, (unsigned long long)cpu_ms / 1000,
		 (unsigned long long)cpu_ms % 1000, (unsigned long long)ev->exit.maxrss_kb,
		 ev->flags & KNELL_EVF_REDELIVERED ? ", told to a former knelld already" : "");
}
