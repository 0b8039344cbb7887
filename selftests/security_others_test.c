// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who may do what with the owner's queue: by a descriptor of it, by its name, by netlink.
 *
 * runner-limit: 600
 */
#include "security_fixture.h"

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

/* The signal is one that nobody minds. */
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

TEST_HARNESS_MAIN
