// SPDX-License-Identifier: GPL-2.0-only
/* What the end of a process means, and the line of the log that tells it. */
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "knelld.h"

static bool listed(const struct ends *ends, int status)
{
	if (!ends)
		return false;
	if (WIFEXITED(status))
		return ends->codes[WEXITSTATUS(status) / 64] >> WEXITSTATUS(status) % 64 & 1;
	return ends->signals >> (WTERMSIG(status) - 1) & 1;
}

/* Is it a service's own process, as opposed to a command that has an end? */
static bool is_daemon(const struct unit *u, const struct tree *t)
{
	if (t->kind != EXEC_START || u->type == TYPE_ONESHOT)
		return false;
	return u->type != TYPE_FORKING || t->exited;
}

/* systemd.service(5): whatever KillSignal= is. */
static bool is_clean_signal(int sig)
{
	return sig == SIGHUP || sig == SIGINT || sig == SIGTERM || sig == SIGPIPE;
}

static bool ignores_failure(const struct unit *u, const struct tree *t)
{
	const struct commands *list = unit_commands(u, t->kind);

	/* The file may have changed since it was started. */
	return t->cmd < list->nr && list->v[t->cmd].flags & CMD_IGNORE_FAILURE;
}

/* systemd's clean exits; a signal is one for daemons only. */
enum result verdict_judge(const struct unit *u, const struct tree *t, int status)
{
	const struct service *s = u->file->service;

	if (ignores_failure(u, t))
		return RESULT_SUCCESS;
	if (s && (t->kind == EXEC_START || t->kind == EXEC_CONDITION) &&
	    listed(s->more->success, status))
		return RESULT_SUCCESS;
	/* That says no; anything worse is a failure. */
	if (t->kind == EXEC_CONDITION && WIFEXITED(status) && WEXITSTATUS(status) &&
	    WEXITSTATUS(status) < 255)
		return RESULT_CONDITION;
	if (WIFEXITED(status))
		return WEXITSTATUS(status) ? RESULT_EXIT_CODE : RESULT_SUCCESS;
	if (WCOREDUMP(status))
		return RESULT_CORE_DUMP;
	return is_daemon(u, t) && is_clean_signal(WTERMSIG(status)) ? RESULT_SUCCESS :
								     RESULT_SIGNAL;
}

/* By Restart= and what the run has come to: systemd.service(5)'s table. */
#define ENDS(result)	(1U << (RESULT_##result))
static const uint32_t restarts[] = {
	[RESTART_NO] = 0,
	[RESTART_ALWAYS] = ~0U,
	[RESTART_ON_SUCCESS] = ENDS(SUCCESS),
	[RESTART_ON_FAILURE] = ~ENDS(SUCCESS),
	[RESTART_ON_ABNORMAL] = ~(ENDS(SUCCESS) | ENDS(EXIT_CODE)),
	[RESTART_ON_ABORT] = ENDS(SIGNAL) | ENDS(CORE_DUMP),
	[RESTART_ON_WATCHDOG] = ENDS(WATCHDOG),
};

/* Is a unit whose run is over to be started again? */
bool verdict_restarts(const struct unit *u)
{
	const struct service *s = u->file->service;

	if (manager.stopping || u->stop_asked || u->gone || u->result == RESULT_CONDITION ||
	    u->result == RESULT_START_LIMIT)
		return false;
	if (u->ran && listed(s->more->no_restart, u->status))
		return false;
	if (u->ran && listed(s->more->force_restart, u->status))
		return true;
	return restarts[s->restart] >> u->result & 1;
}

/* A run that lasted so long was none of a loop of failures. */
static void forget_steps(struct unit *u)
{
	if (u->came_up && now_ns() - u->times.activated >= u->file->service->more->restart_reset_ns)
		u->restart_step = 0;
}

/* @x to the power of @nr / @of, which is below 1, by that one's binary digits. */
static double power(double x, uint64_t nr, uint64_t of)
{
	double result = 1;

	for (int i = 0; i < 52 && nr; i++) {
		x = sqrt(x);
		nr *= 2;
		if (nr < of)
			continue;
		nr -= of;
		result *= x;
	}
	return result;
}

/* RestartSec=, in RestartSteps= steps of the same factor up to RestartMaxDelaySec=. */
uint64_t verdict_delay(struct unit *u)
{
	const struct service *s = u->file->service;
	uint64_t first = s->restart_ns ? s->restart_ns : NSEC_PER_MSEC;

	forget_steps(u);
	if (!s->more->restart_steps || !u->restart_step || s->more->restart_max_ns == FOREVER ||
	    s->more->restart_max_ns <= first)
		return s->restart_ns;
	if (u->restart_step >= s->more->restart_steps)
		return s->more->restart_max_ns;
	return first * power((double)s->more->restart_max_ns / first, u->restart_step,
			     s->more->restart_steps);
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

/* "killed by SIGKILL by the kernel: out of memory" */
void verdict_end_text(const struct knell_event *ev, char *buf, size_t size)
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

static void note(struct unit *u, const struct tree *t, const struct knell_event *ev)
{
	const uint64_t start = ev->exit.start_ns ? ev->exit.start_ns : t->started;
	bool killer = ev->flags & KNELL_EVF_KILLER, main = t->kind == EXEC_START && u->follows;
	const struct ending e = {
		.time_ns = ev->time_ns,
		.run_ns = start && start < ev->time_ns ? ev->time_ns - start : 0,
		.cpu_ns = ev->exit.utime_ns + ev->exit.stime_ns,
		.rss_kib = ev->exit.maxrss_kb > UINT32_MAX ? UINT32_MAX : ev->exit.maxrss_kb,
		.pid = ev->exit.pid,
		.status = ev->exit.status,
		.killer_pid = killer ? ev->exit.killer_pid : 0,
		.killer_uid = killer ? ev->exit.killer_uid : 0,
		.role = t->kind,
		.flags = (verdict_judge(u, t, ev->exit.status) ? ENDING_FAILURE : 0) |
			 (ev->flags & KNELL_EVF_OOM ? ENDING_OOM : 0) |
			 (killer ? ENDING_KILLER : 0) |
			 (ev->flags & KNELL_EVF_NOSTATUS ? ENDING_NOSTATUS : 0) |
			 (ev->flags & KNELL_EVF_MAIN || main ? 0 : ENDING_MEMBER),
	};

	unit_note_ending(u, &e);
}

/* @who: "main", or the key of a command. */
void verdict_tell(struct unit *u, const struct tree *t, const char *who,
		  const struct knell_event *ev)
{
	uint64_t cpu_ms = (ev->exit.utime_ns + ev->exit.stime_ns) / NSEC_PER_MSEC;
	char end[160];

	verdict_end_text(ev, end, sizeof(end));
	log_line("%s: %s process %d %s, cpu %llu.%03llus, max rss %llu KiB%s", u->name, who,
		 ev->exit.pid, end, (unsigned long long)cpu_ms / 1000,
		 (unsigned long long)cpu_ms % 1000, (unsigned long long)ev->exit.maxrss_kb,
		 ev->flags & KNELL_EVF_REDELIVERED ? ", told to a former knelld already" : "");
	note(u, t, ev);
}
