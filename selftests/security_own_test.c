// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who may do what with a queue of his own: open it, ADD to it, be told of a death, KILL, exceed a quota.
 *
 * runner-limit: 600
 */
#include "security_fixture.h"

/* --- the device */

static int do_open_as_root_only(struct stage *s)
{
	int fd = knell_open(0);

	(void)s;
	return fd < 0 ? -errno : 0;
}

#define do_open_by_all do_open_as_root_only

static int close_door(struct stage *s)
{
	(void)s;
	return chmod(KNELL_DEVICE, 0600) ? -errno : 0;
}

ACT(open_as_root_only, close_door, "open, the device's mode being 0600",
    "yes yes EACCES EACCES EACCES EACCES EACCES EACCES EACCES EACCES EACCES EACCES EACCES yes")
ACT(open_by_all, NULL, "open, its mode being 0666",
    "yes yes yes yes yes yes yes yes yes yes yes yes yes yes")

/* --- ADD, to a queue of one's own */

/* 0 or -errno; the watch goes with the queue. */
static int add_to_own(struct knell_op op)
{
	int fd = knell_open(0);
	int64_t watch = fd < 0 ? -errno : add_watch(fd, op);

	return watch < 0 ? (int)watch : 0;
}

/* A child's end and all of its status. */
static int do_add_child(struct stage *s)
{
	int fd = knell_open(0);
	struct knell_event ev;
	int64_t watch = fd < 0 ? -errno : add_next(fd, 1);
	pid_t pid;

	(void)s;
	if (watch < 0)
		return watch;
	pid = fork();
	if (!pid)
		_exit(3);
	if (next_event(fd, &ev) != 1 || ev.exit.pid != pid || reap(pid) != 3 << 8)
		return -EPROTO;
	return ev.flags || ev.exit.status != 3 << 8 ? HIDDEN : 0;
}

static int do_add_pid(struct stage *s)
{
	return add_to_own(op_process(s->pid[0], 0, 1));
}

static int do_add_pidfd(struct stage *s)
{
	struct knell_op op = op_add(KNELL_PROCESS, KNELL_OPF_PIDFD, 1);

	op.process.pidfd = s->pidfd[0];
	return add_to_own(op);
}

/* kthreadd, where that can be seen. */
static int do_add_kthread(struct stage *s)
{
	(void)s;
	return add_to_own(op_process(2, 0, 1));
}

static int do_add_tree(struct stage *s)
{
	(void)s;
	return add_to_own(op_tree(KNELL_OPF_REPORT_EXIT | KNELL_OPF_KILL_ON_CLOSE, 1, "x"));
}

static int do_add_fd(struct stage *s)
{
	struct knell_op op = op_add(KNELL_FD, 0, 1);

	op.fd.fd = s->pidfd[0];
	op.fd.events = POLLIN;
	return add_to_own(op);
}

static int do_add_timer(struct stage *s)
{
	(void)s;
	return add_to_own(op_timer(CLOCK_REALTIME, 0, HOUR_NS, 0, 1));
}

static int do_add_bell(struct stage *s)
{
	(void)s;
	return add_to_own(op_user(1));
}

static int do_add_children(struct stage *s)
{
	(void)s;
	return add_to_own(op_add(KNELL_CHILDREN, 0, 1));
}

static int do_add_wakeup(struct stage *s)
{
	(void)s;
	return add_to_own(op_timer(CLOCK_BOOTTIME, KNELL_OPF_WAKEUP, HOUR_NS, 0, 1));
}

ACT(add_child, NULL, "ADD a child to come, read its status",
    "yes yes yes yes yes yes yes yes yes yes yes yes yes yes")
ACT(add_pid, NULL, "ADD a process by pid",
    "yes yes yes yes yes yes yes yes yes yes yes ESRCH yes ESRCH")
ACT(add_pidfd, NULL, "ADD a process by a pidfd that one has",
    "yes yes yes yes yes yes yes yes yes yes yes yes yes yes")
ACT(add_kthread, NULL, "ADD a thread of the kernel's",
    "EPERM EPERM EPERM EPERM EPERM EPERM EPERM EPERM EPERM EPERM EPERM ESRCH EPERM ESRCH")
ACT(add_children, NULL, "ADD all of one's children",
    "yes yes yes yes yes yes yes yes yes yes yes yes yes yes")
ACT(add_tree, NULL, "ADD a tree",
    "yes yes yes yes yes yes yes yes yes yes yes yes yes yes")
ACT(add_fd, NULL, "ADD a descriptor that one has",
    "yes yes yes yes yes yes yes yes yes yes yes yes yes yes")
ACT(add_timer, NULL, "ADD a timer",
    "yes yes yes yes yes yes yes yes yes yes yes yes yes yes")
ACT(add_bell, NULL, "ADD a doorbell",
    "yes yes yes yes yes yes yes yes yes yes yes yes yes yes")
ACT(add_wakeup, NULL, "ADD a timer that wakes, WAKEUP",
    "yes EPERM EPERM EPERM EPERM EPERM EPERM EPERM EPERM yes EPERM EPERM EPERM yes")

/* --- what is told of a death */

static void await_gate_then_3(void *arg)
{
	pass_gate(*(int *)arg);
	_exit(3);
}

static int new_mortal(struct stage *s, const struct who *who)
{
	if (s->mortal) {
		end(s->mortal);
		close(s->mortal_fd);
		close(s->gate);
	}
	s->gate = new_gate();
	s->mortal = start(who, await_gate_then_3, &s->gate);
	s->mortal_fd = s->mortal < 0 ? -1 : pidfd_of(s->mortal);
	return s->mortal_fd < 0 ? -ECHILD : 0;
}

static int owners_mortal(struct stage *s)
{
	return new_mortal(s, &user_1000);
}

static int roots_mortal(struct stage *s)
{
	return new_mortal(s, &root_all);
}

static int see_death(struct stage *s, struct knell_event *ev)
{
	int fd = knell_open(0);
	int64_t watch = fd < 0 ? -errno : add_pidfd(fd, s->mortal_fd, 1);

	if (watch < 0)
		return watch;
	open_gate(s->gate, 1);
	return next_event(fd, ev) == 1 && ev->type == KNELL_EV_EXIT ? 0 : -EPROTO;
}

static int do_status_of_owners(struct stage *s)
{
	struct knell_event ev;
	int err = see_death(s, &ev);
	uint64_t usage = ev.exit.utime_ns | ev.exit.stime_ns | ev.exit.maxrss_kb |
		ev.exit.minflt | ev.exit.majflt | ev.exit.nvcsw | ev.exit.nivcsw;

	if (err)
		return err;
	if (!ev.flags && ev.exit.status == 3 << 8 && ev.exit.minflt)
		return 0;
	return ev.flags == KNELL_EVF_NOSTATUS && !ev.exit.status && !usage ? HIDDEN : -EPROTO;
}

#define do_status_of_roots do_status_of_owners

static int do_pid_in_record(struct stage *s)
{
	struct knell_event ev;
	int err = see_death(s, &ev);

	if (err)
		return err;
	return ev.exit.pid == s->mortal ? 0 : ev.exit.pid ? -EPROTO : HIDDEN;
}

static int do_uid_in_record(struct stage *s)
{
	struct knell_event ev;
	int err = see_death(s, &ev);

	if (err)
		return err;
	return !ev.exit.uid ? 0 : ev.exit.uid == 65534 ? HIDDEN : -EPROTO;
}

ACT(status_of_owners, owners_mortal, "status and usage in EXIT, of the owner's process",
    "yes hidden yes hidden hidden yes hidden hidden hidden hidden hidden yes yes yes")
ACT(status_of_roots, roots_mortal, "the same, of root's",
    "yes yes hidden hidden hidden yes hidden hidden hidden hidden hidden hidden hidden yes")
ACT(pid_in_record, owners_mortal, "pid in EXIT",
    "yes yes yes yes yes yes yes yes yes yes yes hidden yes hidden")
ACT(uid_in_record, roots_mortal, "uid in EXIT, of root's process",
    "yes yes yes yes yes yes yes yes yes yes yes yes hidden yes")

/* --- KILL. The signal is one that nobody minds */

static int kill_from_own(struct stage *s, int whose)
{
	int fd = knell_open(0);
	int64_t watch = fd < 0 ? -errno : add_pidfd(fd, s->pidfd[whose], 1);

	return watch < 0 ? (int)watch : kill_watch(fd, watch, SIGWINCH);
}

static int do_kill_owners(struct stage *s)
{
	return kill_from_own(s, 0);
}

static int do_kill_roots(struct stage *s)
{
	return kill_from_own(s, 1);
}

ACT(kill_owners, NULL, "KILL the owner's process",
    "yes EPERM yes EPERM yes EPERM EPERM EPERM EPERM EPERM EPERM EPERM yes EPERM")
ACT(kill_roots, NULL, "KILL root's process",
    "yes yes EPERM EPERM yes EPERM EPERM EPERM EPERM EPERM EPERM EPERM EPERM EPERM")

/* --- quotas */

static int few_watches(struct stage *s)
{
	(void)s;
	return write_file(PARAMETERS "max_user_watches", "4");
}

static int few_queues(struct stage *s)
{
	(void)s;
	return write_file(PARAMETERS "max_user_queues", "3");
}

static int few_kept(struct stage *s)
{
	(void)s;
	return write_file(PARAMETERS "max_user_kept", "1");
}

static int do_exceed_watches(struct stage *s)
{
	int64_t watch = 0;
	int fd = knell_open(0);

	(void)s;
	for (int i = 0; i < 8 && watch >= 0; i++)
		watch = add_watch(fd, op_user(1));
	return watch < 0 ? (int)watch : 0;
}

static int do_exceed_queues(struct stage *s)
{
	(void)s;
	for (int i = 0; i < 4; i++)
		if (knell_open(0) < 0)
			return -errno;
	return 0;
}

static int do_exceed_kept(struct stage *s)
{
	int fd[2] = { knell_open(0), knell_open(0) }, err;

	(void)s;
	err = keep_queue(fd[0], NAME "-1");
	if (!err) {
		err = keep_queue(fd[1], NAME "-2");
		keep_off(fd[0], NAME "-1");
	}
	keep_off(fd[1], NAME "-2");
	return err;
}

ACT(exceed_watches, few_watches, "ADD beyond max_user_watches",
    "yes ENOSPC ENOSPC ENOSPC ENOSPC ENOSPC ENOSPC ENOSPC yes ENOSPC ENOSPC ENOSPC ENOSPC yes")
ACT(exceed_queues, few_queues, "open beyond max_user_queues",
    "yes ENOSPC ENOSPC ENOSPC ENOSPC ENOSPC ENOSPC ENOSPC yes ENOSPC ENOSPC ENOSPC ENOSPC yes")
ACT(exceed_kept, few_kept, "KEEP beyond max_user_kept",
    "yes ENOSPC ENOSPC ENOSPC ENOSPC ENOSPC ENOSPC ENOSPC yes ENOSPC ENOSPC ENOSPC ENOSPC yes")

TEST_HARNESS_MAIN
