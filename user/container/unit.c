// SPDX-License-Identifier: GPL-2.0-only
/* Units, and the one among them for which the container is there. */
#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "container.h"
#include "knelld.h"
#include "pid1.h"

static bool never_ran;

static struct unit *main_unit(void)
{
	return container.main ? unit_get(container.main) : NULL;
}

/* SIGRTMIN+3 and on, as containers' managers know them from systemd: all the same here. */
static void on_end_signal(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	(void)l;
	(void)arg;
	if (manager.stopping)
		return;
	log_line("SIGRTMIN+%d: stopping all services", call->sig->si_signo - SIGRTMIN);
	manager_stop(END_EXIT, 0);
}

int container_listen(struct knell_loop *l)
{
	for (int i = 3; i <= 6; i++)
		if (knell_is_none(knell_add_signal(l, on_end_signal, NULL, SIGRTMIN + i)))
			return -errno;
	return 0;
}

void container_begin(void)
{
	struct unit *u = main_unit();
	const char *why = "there is no such unit";

	if (!container.main)
		log_line("no --main: ends when it is told to");
	else if (!u || (unit_is_down(u) && !u->job &&
			job_ask(u, JOB_START, JOB_FAIL, NULL, NULL, &why) < 0))
		log_line("%s: cannot be started: %s", container.main, why);
}

/* Down, with nothing under way and no restart to come: also if it never was up. */
bool container_settle(void)
{
	const struct unit *u = main_unit();

	if (!container.main || manager.stopping || (u && (!unit_is_down(u) || u->job)))
		return false;
	never_ran = !u || !u->ran;
	log_line("%s: %s, and with it the container", container.main,
		 never_ran ? "did not run" : "is over");
	manager_stop(END_EXIT, 0);
	return true;
}

/* What "knellctl exit" or an action asked for comes first. */
static int exit_status(void)
{
	const struct unit *u = main_unit();

	if (manager.exit_status || never_ran)
		return manager.exit_status ? manager.exit_status : 1;
	return u && u->ran ? container_status(u->status) : 0;
}

int container_end(void)
{
	const int status = exit_status();

	if (getpid() == 1)
		pid1_end_the_rest(container.grace_ns);
	log_flush();
	return status;
}
