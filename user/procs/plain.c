// SPDX-License-Identifier: GPL-2.0-only
/*
 * The processes of commands where there is no module. Each command is a session and group of its
 * own; what it leaves behind is known by its group, which lasts as long as anybody is in it, and
 * as long keeps its number from being another's. knelld is a subreaper, so the death of each that
 * is left behind comes to it in the end, and then the groups whose leaders are gone are looked at.
 *
 * All children are reaped here and nowhere else, so the number of one that is a child still is its
 * own: it takes no pidfd to signal it. A process that is to be followed and may be
 * another's child has one.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base.h"
#include "procs.h"

#define MAIN_BIT	(1U << 31)
#define SLOT_BITS	20
#define SLOT_MASK	((1U << SLOT_BITS) - 1)

#define BUCKETS		256

struct plain {
	struct plain *next;		/* of those born, in the bucket of their pids */
	uint64_t token;
	uint32_t watch;			/* its slot and one, and a number that changes with use */
	pid_t pid;			/* the first process, session and group; 0: not born */
	knell_task end;			/* of that process, if it is alone */
	bool alone;			/* that process is all there is */
	bool ended;
	bool left;			/* it has ended, others in its group have not */
};

static struct knell_loop *loop;
static struct plain **slots, *born[BUCKETS];
static size_t nr_slots, first_free, nr_left;
static uint32_t turn;

static struct plain *find(uint32_t watch)
{
	size_t i = (watch & SLOT_MASK) - 1;

	watch &= ~MAIN_BIT;
	return i < nr_slots && slots[i] && slots[i]->watch == watch ? slots[i] : NULL;
}

static int add(uint64_t token, bool alone, uint32_t *watch)
{
	struct plain *p;
	size_t i = first_free;

	*watch = 0;
	while (i < nr_slots && slots[i])
		i++;
	if (i == SLOT_MASK)
		return -ENOSPC;
	if (i == nr_slots) {
		slots = xgrow(slots, nr_slots, sizeof(*slots));
		nr_slots++;
	}
	first_free = i + 1;
	p = slots[i] = xcalloc(1, sizeof(*p));
	turn += 1U << SLOT_BITS;
	p->watch = (turn & ~MAIN_BIT) | (i + 1);
	p->token = token;
	p->alone = alone;
	*watch = p->watch;
	return 0;
}

/* Where the child of that pid is, or the end of its bucket. */
static struct plain **by_pid(pid_t pid)
{
	struct plain **at = &born[pid % BUCKETS];

	while (*at && (*at)->pid != pid)
		at = &(*at)->next;
	return at;
}

static void has_ended(struct plain *p)
{
	struct plain **at = by_pid(p->pid);

	if (*at == p)
		*at = p->next;
	p->ended = true;
	p->end = KNELL_NONE;
}

static void drop(uint32_t watch)
{
	struct plain *p = find(watch);
	size_t i = (watch & SLOT_MASK) - 1;

	if (!p)
		return;
	knell_cancel(loop, p->end);
	has_ended(p);
	nr_left -= p->left;
	slots[i] = NULL;
	if (i < first_free)
		first_free = i;
	free(p);
}

static bool group_lives(const struct plain *p)
{
	return !kill(-p->pid, 0) || errno != ESRCH;
}

static void tell_empty(uint32_t watch)
{
	struct plain *p = find(watch);
	struct knell_event ev = { .type = KNELL_EV_EMPTY, .watch = watch };

	if (!p)
		return;
	nr_left -= p->left;
	p->left = false;
	ev.token = p->token;
	ev.time_ns = now_ns();
	procs_tell(&ev);
}

static void look_at_left(void)
{
	for (size_t i = 0; nr_left && i < nr_slots; i++)
		if (slots[i] && slots[i]->left && !group_lives(slots[i]))
			tell_empty(slots[i]->watch);
}

static void tell_end(struct plain *p, const struct knell_child *c)
{
	const uint32_t watch = p->watch;
	const bool alone = p->alone;
	struct knell_event ev = {
		.type = KNELL_EV_EXIT, .watch = watch, .token = p->token, .time_ns = c->exit_ns,
		.flags = (alone ? 0 : KNELL_EVF_MAIN) |
			 (c->flags & KNELL_CHILDF_NOSTATUS ? KNELL_EVF_NOSTATUS : 0),
	};

	has_ended(p);
	p->left = !alone && group_lives(p);
	nr_left += p->left;
	ev.exit.pid = c->pid;
	ev.exit.status = c->wstatus;
	ev.exit.uid = c->uid;
	ev.exit.members = p->left;
	ev.exit.utime_ns = c->utime_ns;
	ev.exit.stime_ns = c->stime_ns;
	ev.exit.maxrss_kb = c->maxrss_kb;
	procs_tell(&ev);
	/* What that leads to may have been the last that was to be known of it. */
	p = find(watch);
	if (p && !alone && !p->left)
		tell_empty(watch);
	else if (p && p->token == TOKEN_NONE)
		drop(watch);
	/* One that is alone may have been the last of a group, or have left it before. */
	if (alone)
		look_at_left();
}

static void on_end(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	(void)l;
	tell_end(arg, call->child);
}

/* A command's own process has ended, or one that was left behind, whoever's it was. */
static void on_child(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	struct plain *p = *by_pid(call->child->pid);

	(void)l;
	(void)arg;
	if (p)
		tell_end(p, call->child);
	else
		look_at_left();
}

int plain_begin(struct knell_loop *l)
{
	loop = l;
	if (getpid() != 1 && prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
		return -errno;
	return knell_is_none(knell_add_children(l, on_child, NULL, KNELL_CHILD_AUTOREAP)) ?
	       -errno : 0;
}

static int plain_add_tree(const char *label, uint64_t token, uint32_t flags, uint32_t *watch)
{
	(void)label;
	(void)flags;
	return add(token, false, watch);
}

static int plain_add_births(const char *label, uint64_t token, uint32_t *watch)
{
	(void)label;
	(void)token;
	*watch = 0;
	return -EOPNOTSUPP;
}

static size_t plain_self_ops(uint64_t alone, uint32_t births, struct knell_op *ops)
{
	(void)alone;
	(void)births;
	(void)ops;
	return 0;
}

static int plain_born(uint32_t watch, pid_t pid)
{
	struct plain *p = find(watch);

	if (!p)
		return -ENOENT;
	p->pid = pid;
	p->next = born[pid % BUCKETS];
	born[pid % BUCKETS] = p;
	return 0;
}

static bool is_child(pid_t pid)
{
	siginfo_t si;

	return !waitid(P_PID, pid, &si, WEXITED | WNOHANG | WNOWAIT | __WALL);
}

static int plain_add_pid(pid_t pid, uint64_t token, uint32_t flags, uint32_t *watch)
{
	int err = *by_pid(pid) ? -EEXIST : add(token, true, watch);
	struct plain *p;

	(void)flags;
	if (err)
		return err;
	if (is_child(pid))
		return plain_born(*watch, pid);
	p = find(*watch);
	if (!p)
		return -ENOENT;
	p->pid = pid;
	p->end = knell_add_child(loop, on_end, p, pid, KNELL_CHILD_AUTOREAP);
	if (!knell_is_none(p->end))
		return 0;
	err = -errno;
	drop(*watch);
	*watch = 0;
	return err;
}

static bool plain_led_by(uint32_t watch, pid_t pid)
{
	struct plain *p = find(watch);
	pid_t group = getpgid(pid);

	if (p && p->ended && group == pid && !(p->left && group_lives(p))) {
		p->pid = pid;
		nr_left += !p->left;
		p->left = true;
	}
	return p && group == p->pid;
}

static int plain_kill(uint32_t watch, int sig)
{
	struct plain *p = find(watch);
	bool first = watch & MAIN_BIT;
	int err;

	if (!p || !p->pid)
		return -ENOENT;
	/* Nobody is in it any more, so the number may be another's. */
	if (p->ended && (first || !p->left))
		return -ESRCH;
	/* A daemon that has left its command's group leads one of its own. */
	if (p->alone)
		first |= getpgid(p->pid) != p->pid;
	if (first && !knell_is_none(p->end))
		err = knell_child_kill(loop, p->end, sig);
	else if (first && !is_child(p->pid))
		err = -ESRCH;	/* reaped, which is about to be told */
	else
		err = kill(first ? p->pid : -p->pid, sig) ? -errno : 0;
	return err ? err : 1;
}

const struct procs plain_procs = {
	.main_bit = MAIN_BIT,
	.add_tree = plain_add_tree,
	.add_births = plain_add_births,
	.self_ops = plain_self_ops,
	.born = plain_born,
	.add_pid = plain_add_pid,
	.led_by = plain_led_by,
	.kill = plain_kill,
	.ack = drop,
	.del = drop,
};
