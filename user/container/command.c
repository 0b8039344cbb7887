// SPDX-License-Identifier: GPL-2.0-only
/*
 * One command, and nothing else to know: no unit files, no directory of its own, no control socket.
 * What is said is said of an end that was none of the command's own doing, or a mistake.
 *
 * All signals are held and come by a descriptor, so that none is lost however many there are, nor
 * what came with one; the first process of a namespace gets those that it holds, though it would be
 * deaf to them otherwise. By the module the command is a tree: what it leaves behind is known,
 * whatever became of parents, sessions and groups, and its orphans wake nobody.
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "container.h"
#include "knelld.h"
#include "pid1.h"

#define KILL_NS		(2 * NSEC_PER_SEC)	/* to die of SIGKILL */
#define LOG_END_MS	2000
#define NOT_EXECUTABLE	126			/* as a shell says it */
#define NOT_FOUND	127
#define BATCH_SIGNALS	16

struct container container = { .grace_ns = 5 * NSEC_PER_SEC };

static struct {
	uint32_t watch;
	pid_t pid;
	int status;			/* wait(2)'s word */
	bool ended, empty, over;
	int pidfd;
} job;

static int signals = -1;
static bool first;			/* of its namespace */

int container_status(int status)
{
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* As if there were no module, and a dead child left a zombie again. */
static int go_without(enum tenure *tenure)
{
	const struct sigaction dfl = { .sa_handler = SIG_DFL };

	sigaction(SIGCHLD, &dfl, NULL);
	log_line("goes on without " KNELL_DEVICE);
	return queue_open(NULL, KNELL_BACKEND_PIDFD, tenure);
}

/* An image does not choose the host's module: one that it cannot talk to is as none. */
int container_queue(const char *as, enum tenure *tenure)
{
	int err = queue_open(as, container.backend, tenure);

	return err < 0 && container.backend == KNELL_BACKEND_AUTO ? go_without(tenure) : err;
}

/* In the child */

/*
 * A group of its own in the foreground of our terminal, if we are there; of one that is nobody's, a
 * session that has it.
 */
static void take_terminal(void)
{
	const pid_t front = tcgetpgrp(STDIN_FILENO);

	if (front < 0 && isatty(STDIN_FILENO)) {
		setsid();
		/* It may be another's, and stays so. */
		ioctl(STDIN_FILENO, TIOCSCTTY, 0);
		return;
	}
	if (front >= 0 && front == getpgrp()) {
		setpgid(0, 0);
		/* SIGTTOU is held yet. */
		tcsetpgrp(STDIN_FILENO, getpid());
		return;
	}
	setpgid(0, 0);
}

static void __attribute__((noreturn)) become_command(void)
{
	const struct sigaction dfl = { .sa_handler = SIG_DFL };
	sigset_t none;
	int err;

	take_terminal();
	sigaction(SIGPIPE, &dfl, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execvp(container.command[0], container.command);
	err = errno;
	log_line("cannot run %s: %s", container.command[0], strerror(err));
	log_flush();
	_exit(err == ENOENT || err == ENOTDIR ? NOT_FOUND : NOT_EXECUTABLE);
}

/* Signals */

/* By identity: by the module's leave it may be gone and its number be another's already. */
static int pass_exactly(const struct signalfd_siginfo *si)
{
	siginfo_t info = { .si_signo = si->ssi_signo, .si_code = SI_QUEUE };

	if (si->ssi_code != SI_QUEUE)
		return syscall(SYS_pidfd_send_signal, job.pidfd, si->ssi_signo, NULL, 0);
	/* What was sent with it goes along, and who sent it. */
	info.si_pid = si->ssi_pid;
	info.si_uid = si->ssi_uid;
	info.si_value.sival_ptr = (void *)(uintptr_t)si->ssi_ptr;
	return syscall(SYS_pidfd_send_signal, job.pidfd, si->ssi_signo, &info, 0);
}

static void pass_on(const struct signalfd_siginfo *si)
{
	int err;

	if (container.group)
		err = kill(-job.pid, si->ssi_signo);
	else
		err = pass_exactly(si);
	/* A filter of system calls does not know the new one, say. */
	if (err < 0 && errno != ESRCH && !container.group)
		err = kill(job.pid, si->ssi_signo);
	if (err < 0 && errno != ESRCH)
		log_line("cannot pass on %s: %s", signal_name(si->ssi_signo), strerror(errno));
}

static void on_signals(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	struct signalfd_siginfo si[BATCH_SIGNALS];
	ssize_t n;

	(void)call;
	while ((n = read(signals, si, sizeof(si))) > 0)
		for (size_t i = 0; i < n / sizeof(*si); i++)
			/* A SIGPIPE of ours is none of its business. */
			if (!job.ended && (si[i].ssi_signo != SIGPIPE ||
					   si[i].ssi_pid != (uint32_t)getpid()))
				pass_on(&si[i]);
	if (knell_is_none(knell_add_read(l, on_signals, arg, signals)))
		log_line("signals are heard no longer: %s", strerror(errno));
}

/* All that can be held, those of faults too: what the processor raises kills whoever holds it. */
static int listen_to_signals(void)
{
	sigset_t set;

	sigfillset(&set);
	sigdelset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (signals < 0 ||
	    knell_is_none(knell_add_read(queue_loop(), on_signals, NULL, signals)))
		return -errno;
	/* Without the module it is by this one that the loop hears of children. */
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	return 0;
}

/* The command */

static void on_end(const struct knell_event *ev)
{
	char end[160];

	job.ended = true;
	job.empty = !ev->exit.members;
	job.status = ev->exit.status;
	if (!WIFSIGNALED(job.status))
		return;
	verdict_end_text(ev, end, sizeof(end));
	log_line("%s, process %d, %s", container.command[0], job.pid, end);
}

static void on_record(const struct knell_event *ev)
{
	if (ev->watch == job.watch && ev->type == KNELL_EV_EXIT && ev->flags & KNELL_EVF_MAIN)
		on_end(ev);
	else if (ev->watch == job.watch && ev->type == KNELL_EV_EMPTY)
		job.empty = true;
	else
		return;
	knell_loop_stop(queue_loop());
}

static int add_tree(void)
{
	return procs->add_tree("main", token(1, ROLE_COMMAND, 0, 1), KNELL_OPF_ACK, &job.watch);
}

/*
 * The process shares nothing with us, and we go on when it runs its program or has ended: no signal
 * comes to it before that.
 */
static int start_command(void)
{
	pid_t pid = syscall(SYS_clone, CLONE_VFORK | CLONE_PIDFD | SIGCHLD, 0, &job.pidfd, 0, 0);

	if (pid < 0)
		return -errno;
	if (!pid)
		become_command();
	job.pid = pid;
	return procs->born(job.watch, pid);
}

/* What it leaves */

static void on_time(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	(void)call;
	(void)arg;
	job.over = true;
	knell_loop_stop(l);
}

/* Signals the tree; true: it is empty in time. */
static bool end_tree(int sig, uint64_t ns)
{
	struct knell_loop *l = queue_loop();
	knell_task timer;

	if (!job.empty)
		procs->kill(job.watch, sig);
	if (!job.empty && sig != SIGKILL)
		procs->kill(job.watch, SIGCONT);
	job.over = false;
	timer = knell_add_timer_ns(l, on_time, NULL, ns);
	while (!job.empty && !job.over && !knell_is_none(timer))
		if (knell_loop_run(l, KNELL_RUN_DEFAULT) < 0)
			break;
	knell_cancel(l, timer);
	return job.empty;
}

/*
 * In a namespace of our own it is all that is there, from wherever it came. Where there is nothing
 * we end at once, by what is at hand: no other page of the program is to be looked for.
 */
static void end_the_rest(void)
{
	if (first && syscall(SYS_kill, -1, 0) < 0 && errno == ESRCH)
		return;
	if (first)
		pid1_end_the_rest(container.grace_ns);
	else if (!job.empty && !end_tree(SIGTERM, container.grace_ns))
		end_tree(SIGKILL, KILL_NS);
}

/* A shell that waits for us wants its terminal back; whoever has it by now keeps it. */
static void leave_terminal(void)
{
	if (!first && tcgetpgrp(STDIN_FILENO) == job.pid)
		tcsetpgrp(STDIN_FILENO, getpgrp());
}

/* It waits, for days, for what the beginning of the program has. */
static void before_sleep(struct knell_loop *l, void *arg)
{
	(void)l;
	(void)arg;
	log_flush();
	memory_give_back();
	/* The kernel's queue is asked once more before it sleeps, the other is not. */
	if (procs == &plain_procs)
		memory_give_back();
}

/* To where its next process is the command. */
static int prepare(void)
{
	enum tenure tenure;
	int err;

	first = getpid() == 1;
	if (!first && prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
		log_line("orphans will not come here: %s", strerror(errno));
	err = container_queue(NULL, &tenure);
	if (!err)
		err = queue_listen(on_record);
	if (!err)
		err = add_tree();
	/* A quota is full, or trees are not to be had. */
	if (err < 0 && procs == &kernel_procs && container.backend == KNELL_BACKEND_AUTO) {
		log_line("cannot follow processes: %s", strerror(-err));
		err = go_without(&tenure);
		if (!err)
			err = add_tree();
	}
	if (!err)
		err = knell_add_prepare(queue_loop(), before_sleep, NULL);
	return err < 0 ? err : listen_to_signals();
}

void container_run(void)
{
	int err;

	log_begin(NULL);
	err = prepare();
	if (!err)
		err = start_command();
	memory_unused();
	while (err >= 0 && !job.ended)
		err = knell_loop_run(queue_loop(), KNELL_RUN_DEFAULT);
	if (err < 0)
		log_line("cannot run %s: %s", container.command[0], strerror(-err));
	if (job.pid)
		end_the_rest();
	leave_terminal();
	log_drain(LOG_END_MS);
	/* There is nothing that exit(3) would have to see to. */
	_exit(err < 0 ? 1 : container_status(job.status));
}
