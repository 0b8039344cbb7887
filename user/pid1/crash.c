// SPDX-License-Identifier: GPL-2.0-only
/*
 * The kernel panics where the first process ends. So one that runs into a defect of its own says so
 * and runs its program anew, which takes over what is there as any knelld does from one that is
 * gone. Where nothing is kept it only stays: services run on, and the keyboard can restart.
 */
#include <linux/reboot.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/reboot.h>
#include <time.h>
#include <unistd.h>

#include "base.h"
#include "pid1.h"

static const int faults[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT };
static char **again;
static _Alignas(16) char stack[32768];	/* the other one may be what is used up */

/* All of it is async-signal-safe. */

/* The dead are not to pile up, and Ctrl-Alt-Del is the kernel's again. */
void pid1_stay(void)
{
	const struct sigaction child = { .sa_handler = SIG_DFL, .sa_flags = SA_NOCLDWAIT };

	sigaction(SIGCHLD, &child, NULL);
	reboot(RB_ENABLE_CAD);
	for (;;)
		pause();
}

/* By its name, for whoever lists processes; the one that there was if it was replaced meanwhile. */
static void begin_anew(void)
{
	const struct timespec breath = { .tv_sec = 1 };
	static char path[4096];

	/* If this comes again and again the machine can be used all the same. */
	nanosleep(&breath, NULL);
	/* What is raised for us alone would be what services get from the next one. */
	if (fd_limit())
		setrlimit(RLIMIT_NOFILE, fd_limit());
	if (readlink("/proc/self/exe", path, sizeof(path) - 1) > 0)
		execv(path, again);
	execv("/proc/self/exe", again);
	log_say("knelld: cannot run its program, stays\n");
}

static void on_crash(int sig, siginfo_t *info, void *context)
{
	const char *name = sigabbrev_np(sig);

	(void)context;
	/* A child that has yet to run its program shares our memory, not our fate. */
	if (getpid() != 1) {
		signal(sig, SIG_DFL);
		raise(sig);
		return;
	}
	/* To what others send the first process is deaf, as if this were not here. */
	if (info->si_code <= 0 && info->si_pid != 1)
		return;
	log_say("knelld: crashed by SIG");
	log_say(name ? name : "?");
	log_say(again ? ", begins anew\n" :
			", stays, but services are not looked after any more\n");
	if (again)
		begin_anew();
	pid1_stay();
}

void pid1_catch_crashes(void)
{
	const stack_t other = { .ss_sp = stack, .ss_size = sizeof(stack) };
	const struct sigaction crash = {
		.sa_sigaction = on_crash, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER,
	};

	if (sigaltstack(&other, NULL) < 0)
		log_line("no stack to crash on");
	for (size_t i = 0; i < ARRAY_SIZE(faults); i++)
		sigaction(faults[i], &crash, NULL);
}

/* From here on there is something to take over. */
void pid1_can_go_on(char **argv)
{
	again = argv;
}
