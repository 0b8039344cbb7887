// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who may do what: each ACT below is a row of the table in Documentation/security.rst, which is
 * made of them (Documentation/security-table.sh), and each word of it a cell. What an act is done to
 * belongs to the owner, user 1000, or where it says so to root.
 *
 * runner-limit: 600
 */
#include "kselftest_harness.h"

#include <sched.h>

#include "netlink_test.h"

#define CAP(name)	{ 1001, 1001, 1001, 1ULL << CAP_##name }
#define HIDDEN		1	/* it is done, but that is not told which the act is about */
#define ORPHAN		"security-orphan"
#define HELD		"security-held"
#define NAME		"security"
#define PARAMETERS	"/sys/module/knell/parameters/"

enum place {
	HERE,
	PID_NS,		/* in another pid namespace */
	USER_NS,	/* as root of a user namespace of one's own */
};

/**
 * struct subject - who acts
 * @name: head of his column
 * @who: ids and capabilities
 * @place: where
 */
struct subject {
	const char *name;
	struct who who;
	enum place place;
};

static const struct subject subjects[] = {
	{ "root", { 0, 0, 0, ~0ULL }, HERE },
	{ "no caps", { 0, 0, 0, 0 }, HERE },
	{ "owner", { 1000, 1000, 1000, 0 }, HERE },
	{ "other", { 1001, 1001, 1001, 0 }, HERE },
	{ "KILL", CAP(KILL), HERE },
	{ "PTRACE", CAP(SYS_PTRACE), HERE },
	{ "ADMIN", CAP(SYS_ADMIN), HERE },
	{ "NET", CAP(NET_ADMIN), HERE },
	{ "RES", CAP(SYS_RESOURCE), HERE },
	{ "SUSPEND", CAP(BLOCK_SUSPEND), HERE },
	{ "ALARM", CAP(WAKE_ALARM), HERE },
	{ "pid ns", { 1000, 1000, 1000, 0 }, PID_NS },
	{ "user ns", { 1000, 1000, 1000, 0 }, USER_NS },
	{ "root/pid", { 0, 0, 0, ~0ULL }, PID_NS },
};

#define SUBJECTS	(sizeof(subjects) / sizeof(subjects[0]))

/**
 * struct stage - what there is to act on; shared with who does
 * @uid: of the owner, as the subject has it
 * @pid: a process of the owner's, and one of root's
 * @pidfd: theirs
 * @queue: the owner's, which subjects inherit; with a watch of @pid[0], and @tree
 * @id: of it
 * @watch: its watch of @pid[0]
 * @tree: @pid[0] is its main process
 * @held: a kept queue of the owner's, too, whose holder is @holder
 * @holder: a process of the owner's
 * @orphan_id: of a kept queue of the owner's whose holder is dead
 * @mortal: a process that ends with status 3 when @gate is opened
 * @mortal_fd: its pidfd
 * @gate: see @mortal
 */
struct stage {
	uint32_t uid;
	pid_t pid[2];
	int pidfd[2];
	int queue;
	uint64_t id;
	uint32_t watch;
	uint32_t tree;
	int held;
	pid_t holder;
	uint64_t orphan_id;
	pid_t mortal;
	int mortal_fd;
	int gate;
};

typedef int (*act_fn)(struct stage *s);

FIXTURE(security) {
	struct stage *s;
	char watches[32];
};

static pid_t start_as(const struct who *who, int said[2], member_fn fn, void *arg)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	become(who);
	tell(said, 'b');
	fn(arg);
	_exit(BROKEN);
}

/* A process of @who's, which is that on return. */
static pid_t start(const struct who *who, member_fn fn, void *arg)
{
	int said[2];
	pid_t pid;

	if (pipe(said))
		return -errno;
	pid = start_as(who, said, fn, arg);
	close(said[1]);
	if (hear(said) != 'b')
		pid = -EPROTO;
	close(said[0]);
	return pid;
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	reap(pid);
}

static void hold(void *arg)
{
	if (keep_queue(*(int *)arg, HELD))
		_exit(BROKEN);
	sleep_for_ever(NULL);
}

static void live_in_tree(void *arg)
{
	struct stage *s = arg;

	if (join(s->queue, s->tree))
		_exit(BROKEN);
	sleep_for_ever(NULL);
}

/* Waits until it has done what it is there for; it might have failed to. */
static int await(bool (*is_so)(struct stage *s), struct stage *s)
{
	uint64_t until = clock_ns(CLOCK_MONOTONIC) + PATIENCE;

	while (!is_so(s)) {
		if (clock_ns(CLOCK_MONOTONIC) > until)
			return -ETIME;
		sched_yield();
	}
	return 0;
}

static bool is_held(struct stage *s)
{
	struct knell_name name = name_of(HELD, 0, 0);

	/* EBUSY: it has a name already. Never ours: the name is the owner's. */
	return ioctl(s->held, KNELL_IOC_KEEP, &name) && errno == EBUSY;
}

static bool is_member(struct stage *s)
{
	return tree_members(s->queue, s->tree) == 1;
}

/* The owner's queues, opened by this process. */
static int open_queues(struct stage *s)
{
	int err = seteuid(1000) ? -errno : 0;

	s->queue = knell_open(O_NONBLOCK);
	s->held = knell_open(O_NONBLOCK);
	if (s->queue < 0 || s->held < 0)
		err = -errno;
	return seteuid(0) ? -errno : err;
}

static int set_stage(struct stage *s)
{
	int err = open_queues(s);

	if (err)
		return err;
	s->id = queue_id(s->queue);
	s->tree = add_tree(s->queue, 0, 1);
	s->pid[0] = start(&user_1000, live_in_tree, s);
	s->pid[1] = start(&root_all, sleep_for_ever, NULL);
	s->holder = start(&user_1000, hold, &s->held);
	if (s->pid[0] < 0 || s->pid[1] < 0 || s->holder < 0)
		return -ECHILD;
	for (int i = 0; i < 2; i++)
		s->pidfd[i] = pidfd_of(s->pid[i]);
	s->watch = add_pidfd(s->queue, s->pidfd[0], 2);
	return await(is_member, s) ?: await(is_held, s);
}

/* The number that is in a parameter. */
static void read_watches(char *text, size_t size)
{
	FILE *f = fopen(PARAMETERS "max_user_watches", "r");

	if (!f || !fgets(text, size, f))
		text[0] = 0;
	if (f)
		fclose(f);
}

FIXTURE_SETUP(security)
{
	ASSERT_EQ(0, reload_module("wakeup=1 mode=0666"));
	self->s = shared(4096);
	read_watches(self->watches, sizeof(self->watches));
	ASSERT_EQ(0, set_stage(self->s));
}

/* Of the owner's queues, if it is there and its holder is not. */
static void forget_queue(const char *name)
{
	int door = knell_open(0), fd = attach_uid(door, name, 1000);

	if (fd >= 0) {
		keep_off(fd, name);
		close(fd);
	}
	close(door);
}

FIXTURE_TEARDOWN(security)
{
	struct stage *s = self->s;

	end(s->pid[0]);
	end(s->pid[1]);
	end(s->holder);
	if (s->mortal)
		end(s->mortal);
	close(s->queue);
	close(s->held);
	forget_queue(HELD);
	forget_queue(ORPHAN);
	EXPECT_EQ(0, module_refs_after_all(0));
	EXPECT_EQ(0, reload_module(""));
}

/* --- a cell */

struct play {
	const struct subject *subject;
	act_fn act;
	struct stage *stage;
};

static int play(void *arg)
{
	struct play *p = arg;

	return p->act(p->stage);
}

static int play_in_pid_ns(void *arg)
{
	struct play *p = arg;

	return unshare(CLONE_NEWPID) ? -errno : as_who(&p->subject->who, play, arg);
}

static int play_in_user_ns(void *arg)
{
	int err = enter_user_ns();

	return err ? err : play(arg);
}

/* What @subject gets: 0, HIDDEN, or -errno. */
static int outcome(const struct subject *subject, act_fn act, struct stage *stage)
{
	struct play p = { subject, act, stage };

	stage->uid = subject->place == USER_NS ? 0 : 1000;
	switch (subject->place) {
	case PID_NS:
		return as_who(&root_all, play_in_pid_ns, &p);
	case USER_NS:
		return as_who(&subject->who, play_in_user_ns, &p);
	default:
		return as_who(&subject->who, play, &p);
	}
}

static int outcome_of(const char *cell)
{
	static const struct {
		const char *cell;
		int outcome;
	} all[] = {
		{ "yes", 0 }, { "hidden", HIDDEN }, { "EPERM", -EPERM }, { "EACCES", -EACCES },
		{ "ESRCH", -ESRCH }, { "ENOSPC", -ENOSPC }, { "EBUSY", -EBUSY },
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (!strcmp(all[i].cell, cell))
			return all[i].outcome;
	return -BROKEN;
}

static void check_row(struct __test_metadata *_metadata, struct stage *s,
		      int (*prepare)(struct stage *s), act_fn act, const char *row)
{
	char cells[512], *cell, *end_of_row = NULL;
	size_t nr = 0;

	snprintf(cells, sizeof(cells), "%s", row);
	cell = strtok_r(cells, " ", &end_of_row);
	for (; cell && nr < SUBJECTS; nr++, cell = strtok_r(NULL, " ", &end_of_row)) {
		int err = prepare ? prepare(s) : 0;

		if (err == KSFT_SKIP)
			SKIP(return, "the kernel has no groups that only some may join");
		ASSERT_EQ(0, err);
		EXPECT_EQ(outcome_of(cell), outcome(&subjects[nr], act, s)) {
			TH_LOG("%s: expected %s", subjects[nr].name, cell);
		}
	}
	EXPECT_EQ(SUBJECTS, nr);
	EXPECT_EQ(NULL, cell);
}

/* A row: what is done before each of its cells, by whom, how the table calls it, the cells. */
#define ACT(name, prepare, text, cells)					\
	TEST_F_TIMEOUT(security, name, LIMIT)				\
	{								\
		check_row(_metadata, self->s, prepare, do_##name, cells);	\
	}

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

static int do_kill_by_descriptor(struct stage *s)
{
	return kill_watch(s->queue, s->watch, SIGWINCH);
}

/* How many got it, or an error. */
static int do_kill_tree(struct stage *s)
{
	int nr = kill_watch(s->queue, s->tree, SIGWINCH);

	return nr == 1 ? 0 : nr < 0 ? nr : -EPROTO;
}

ACT(kill_owners, NULL, "KILL the owner's process",
    "yes EPERM yes EPERM yes EPERM EPERM EPERM EPERM EPERM EPERM EPERM yes EPERM")
ACT(kill_roots, NULL, "KILL root's process",
    "yes yes EPERM EPERM yes EPERM EPERM EPERM EPERM EPERM EPERM EPERM EPERM EPERM")

/* --- with a descriptor of the owner's queue, passed on or inherited */

static int do_list_by_descriptor(struct stage *s)
{
	struct knell_watch_info wi[4];
	int nr = list_watches(s->queue, wi, 4, 0);

	if (nr != 2)
		return nr < 0 ? nr : -EPROTO;
	if (!wi[1].pid && !wi[0].pid)
		return HIDDEN;
	return wi[0].pid == s->pid[0] && wi[1].pid == s->pid[0] ? 0 : -EPROTO;
}

static int do_read_by_descriptor(struct stage *s)
{
	int64_t bell = add_watch(s->queue, op_add(KNELL_USER, KNELL_OPF_ONESHOT, 3));
	struct knell_event ev;
	int err = bell < 0 ? (int)bell : trigger(s->queue, bell, 1);

	return err ? err : take(s->queue, &ev) == 1 && ev.token == 3 ? 0 : -EPROTO;
}

static int do_join_by_descriptor(struct stage *s)
{
	return join(s->queue, s->tree);
}

static int do_keep_by_descriptor(struct stage *s)
{
	int err = keep_queue(s->queue, NAME);

	return err ? err : keep_off(s->queue, NAME);
}

static int do_keep_off_by_descriptor(struct stage *s)
{
	return keep_off(s->held, HELD);
}

ACT(list_by_descriptor, NULL, "LIST by the owner's descriptor: pids in it",
    "yes yes yes yes yes yes yes yes yes yes yes hidden yes hidden")
ACT(read_by_descriptor, NULL, "ADD, TRIGGER, read by it",
    "yes yes yes yes yes yes yes yes yes yes yes yes yes yes")
ACT(join_by_descriptor, NULL, "JOIN a tree of it",
    "yes yes yes yes yes yes yes yes yes yes yes yes yes yes")
ACT(kill_by_descriptor, NULL, "KILL a process by it",
    "yes EPERM yes EPERM yes EPERM EPERM EPERM EPERM EPERM EPERM EPERM yes EPERM")
ACT(kill_tree, NULL, "KILL a tree by it",
    "yes EPERM yes EPERM yes EPERM EPERM EPERM EPERM EPERM EPERM EPERM yes EPERM")
ACT(keep_by_descriptor, NULL, "KEEP it",
    "yes EPERM yes EPERM EPERM EPERM yes EPERM EPERM EPERM EPERM EPERM EPERM yes")
ACT(keep_off_by_descriptor, NULL, "KEEP_OFF, another process being the holder",
    "EPERM EPERM EPERM EPERM EPERM EPERM EPERM EPERM EPERM EPERM EPERM EPERM EPERM EPERM")

/* --- ATTACH */

static int keep_and_die(void *arg)
{
	struct stage *s = arg;
	int fd = knell_open(0);

	s->orphan_id = queue_id(fd);
	return keep_queue(fd, ORPHAN);
}

static int new_orphan(struct stage *s)
{
	forget_queue(ORPHAN);
	return as_who(&user_1000, keep_and_die, s);
}

static int attach_to(struct stage *s, const char *name)
{
	int fd = attach_uid(knell_open(0), name, s->uid);

	return fd < 0 ? fd : 0;
}

static int do_attach_orphan(struct stage *s)
{
	return attach_to(s, ORPHAN);
}

static int do_attach_held(struct stage *s)
{
	return attach_to(s, HELD);
}

ACT(attach_orphan, new_orphan, "ATTACH to the owner's, its holder being dead",
    "yes EPERM yes EPERM EPERM EPERM yes EPERM EPERM EPERM EPERM EPERM EPERM yes")
ACT(attach_held, NULL, "ATTACH to the owner's, its holder being alive",
    "EBUSY EPERM EBUSY EPERM EPERM EPERM EBUSY EPERM EPERM EPERM EPERM EPERM EPERM EBUSY")

/* --- netlink */

static int do_nl_get(struct stage *s)
{
	struct nl nl;
	int err = nl_open(&nl);

	return err ? err : nl_queue_get(&nl, s->id, NULL, NULL);
}

static int do_nl_watches(struct stage *s)
{
	struct nl nl;
	int err = nl_open(&nl);

	return err ? err : nl_watches(&nl, s->id, NULL, NULL);
}

static int do_nl_members(struct stage *s)
{
	struct nl nl;
	int err = nl_open(&nl);

	return err ? err : nl_members(&nl, s->id, s->tree, NULL, NULL);
}

static int do_nl_dump(struct stage *s)
{
	struct seen_queue q = { .id = s->id };
	struct nl nl;
	int err = nl_open(&nl);

	if (!err)
		err = nl_queues(&nl, see_queue, &q);
	return err ? err : q.nr == 1 ? 0 : HIDDEN;
}

static int do_nl_drop(struct stage *s)
{
	struct nl nl;
	int err = nl_open(&nl);

	return err ? err : nl_queue_drop(&nl, s->orphan_id);
}

/* An older kernel lets everybody join any group: there is none. */
static int needs_group(struct stage *s)
{
	struct nl nl;
	int err = nl_open(&nl);

	(void)s;
	if (err)
		return err;
	close(nl.fd);
	return nl.group ? 0 : kernel_before(6, 1) ? KSFT_SKIP : -ENOENT;
}

static int do_nl_join(struct stage *s)
{
	struct nl nl;
	int err = nl_open(&nl);

	(void)s;
	return err ? err : join_group(&nl);
}

ACT(nl_dump, NULL, "netlink queue-get, dump: the owner's queue in it",
    "yes hidden yes hidden hidden hidden yes hidden hidden hidden hidden yes yes yes")
ACT(nl_get, NULL, "netlink queue-get, of the owner's",
    "yes EPERM yes EPERM EPERM EPERM yes EPERM EPERM EPERM EPERM yes yes yes")
ACT(nl_watches, NULL, "netlink watch-get, of the owner's",
    "yes EPERM yes EPERM EPERM EPERM yes EPERM EPERM EPERM EPERM yes yes yes")
ACT(nl_members, NULL, "netlink member-get, of the owner's",
    "yes EPERM yes EPERM EPERM EPERM yes EPERM EPERM EPERM EPERM yes yes yes")
ACT(nl_drop, new_orphan, "netlink queue-drop, of the owner's orphan",
    "yes EPERM yes EPERM EPERM EPERM yes EPERM EPERM EPERM EPERM yes EPERM yes")
ACT(nl_join, needs_group, "netlink: listen to the monitor",
    "yes EPERM EPERM EPERM EPERM EPERM EPERM yes EPERM EPERM EPERM EPERM EPERM yes")

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
