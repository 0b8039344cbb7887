// SPDX-License-Identifier: GPL-2.0-only
/* The one queue: what knelld hears of comes out of queue_read(), and it sleeps nowhere else. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "knelld.h"

#define BUSY_TRIES	100	/* for a former holder that is dying */
#define BUSY_NS		(20 * NSEC_PER_MSEC)

static int fd = -1;
static struct knell_name kept;
static uint32_t *acks;
static size_t nr_acks;

/* Some ops, no waiting: 0, or -errno of the call; each has its own result. Async-signal-safe. */
static int submit_all(struct knell_op *ops, size_t nr, uint32_t flags)
{
	struct knell_submit s = { .ops = (uintptr_t)ops, .nr_ops = nr, .flags = flags };

	return ioctl(fd, KNELL_IOC_SUBMIT, &s) < 0 ? -errno : 0;
}

/* One op: its result, or -errno of the call. Async-signal-safe. */
static int submit(struct knell_op *op)
{
	int err = submit_all(op, 1, 0);

	return err < 0 ? err : op->result;
}

static int add(struct knell_op *op, uint32_t *watch)
{
	int err = submit(op);

	*watch = err < 0 ? 0 : op->watch;
	return err < 0 ? err : 0;
}

static int get_info(struct knell_info *info)
{
	return ioctl(fd, KNELL_IOC_INFO, info) < 0 ? -errno : 0;
}

static int check_abi(uint64_t *features)
{
	const uint64_t needed = 1ULL << KNELL_PROCESS | 1ULL << KNELL_TIMER |
				1ULL << KNELL_FD | 1ULL << KNELL_TREE;
	struct knell_info info;
	int err = get_info(&info);

	if (err)
		return err;
	*features = info.features;
	if (info.abi == KNELL_ABI && (info.features & needed) == needed)
		return 0;
	log_line("%s: abi %u with features %#llx, expected abi %u with features %#llx",
		 KNELL_DEVICE, info.abi, (unsigned long long)info.features, KNELL_ABI,
		 (unsigned long long)needed);
	return -EPROTO;
}

/* The queue of that name, instead of ours. */
static int attach(struct knell_name *name)
{
	int new;

	name->uid = geteuid();
	new = ioctl(fd, KNELL_IOC_ATTACH, name);
	if (new < 0)
		return -errno;
	close(fd);
	fd = new;
	return 0;
}

/* -EEXIST: since we looked somebody else has taken the name. */
static int keep(struct knell_name *name)
{
	name->uid = 0;
	return ioctl(fd, KNELL_IOC_KEEP, name) < 0 ? -errno : 0;
}

static int attach_or_keep(struct knell_name *name, enum tenure *tenure)
{
	const struct timespec pause = { .tv_nsec = BUSY_NS };
	int err;

	for (int i = 0; i < BUSY_TRIES; i++) {
		if (i)
			nanosleep(&pause, NULL);
		*tenure = QUEUE_TAKEN;
		err = attach(name);
		if (err == -ENOENT) {
			*tenure = QUEUE_KEPT;
			err = keep(name);
		}
		if (err != -EBUSY && err != -EEXIST)
			break;
	}
	return err;
}

/* Without a kept queue there is still a queue; one that is there but not for us is a rival's. */
static int take_or_keep(const char *as, uint64_t features, enum tenure *tenure)
{
	int err = -EOPNOTSUPP;

	strncpy(kept.name, as, sizeof(kept.name) - 1);
	if (features & KNELL_FEAT_KEEP)
		err = attach_or_keep(&kept, tenure);
	if (!err)
		return 0;
	kept.name[0] = '\0';
	if (*tenure == QUEUE_TAKEN) {
		log_line("the queue %s: %s; see --keep", as, err == -EBUSY ?
			 "another knelld lives and has it" : strerror(-err));
		return err;
	}
	*tenure = QUEUE_OWN;
	log_line("cannot keep the queue as %s: %s; if knelld is killed, what runs is lost sight of",
		 as, strerror(-err));
	return 0;
}

/**
 * queue_open - open the queue, the one that a former knelld has left if there is one
 * @as: the name to keep it by, NULL: not at all
 * @tenure: out: whose it is
 *
 * Logs why it could not; 0 or -errno.
 */
int queue_open(const char *as, enum tenure *tenure)
{
	uint64_t features = 0;
	int err;

	*tenure = QUEUE_OWN;
	fd = open(KNELL_DEVICE, O_RDWR | O_CLOEXEC);
	if (fd < 0) {
		err = -errno;
		log_line("cannot open %s: %s%s", KNELL_DEVICE, strerror(-err),
			 err == -ENOENT || err == -ENXIO || err == -ENODEV ?
			 "; load the module first: modprobe knell, or insmod knell.ko" : "");
		return err;
	}
	err = check_abi(&features);
	if (!err && as)
		err = take_or_keep(as, features, tenure);
	if (err)
		log_line("cannot use %s: %s", KNELL_DEVICE, strerror(-err));
	return err;
}

/* The number of this queue, never another's. */
uint64_t queue_id(void)
{
	struct knell_info info;

	return get_info(&info) ? 0 : info.id;
}

/* At a proper end there is nothing that the next one would have to know. */
void queue_let_go(void)
{
	if (!*kept.name)
		return;
	kept.flags = KNELL_KEEP_OFF;
	if (ioctl(fd, KNELL_IOC_KEEP, &kept) < 0)
		log_line("cannot let the queue %s go: %s", kept.name, strerror(errno));
}

/* All watches there are, by handle; from here on records are delivered after an ATTACH. */
struct knell_watch_info *queue_list(size_t *nr)
{
	struct knell_watch_info *all = NULL;
	struct knell_list list = { 0 };
	size_t room;

	*nr = 0;
	if (ioctl(fd, KNELL_IOC_LIST, &list) < 0)
		goto failed;
	/* One more than there are: a call that fills less than it could has come to the end. */
	room = list.total + 1;
	all = xcalloc(room, sizeof(*all));
	do {
		list.watches = (uintptr_t)(all + *nr);
		list.nr = room - *nr;
		list.after = *nr ? all[*nr - 1].watch : 0;
		if (ioctl(fd, KNELL_IOC_LIST, &list) < 0)
			goto failed;
		*nr += list.nr;
	} while (list.nr && *nr < room);
	return all;
failed:
	log_line("%s: cannot list what is there: %s", KNELL_DEVICE, strerror(errno));
	return all;
}

/* Tells once that @file has one of @events, and again after queue_set_fd(). */
int queue_add_fd(int file, uint32_t events, uint32_t *watch)
{
	struct knell_op op = { .op = KNELL_OP_ADD, .type = KNELL_FD, .token = TOKEN_NONE };

	op.fd.fd = file;
	op.fd.events = events;
	return add(&op, watch);
}

int queue_set_fd(uint32_t watch, uint32_t events)
{
	struct knell_op op = { .op = KNELL_OP_MOD, .watch = watch, .token = TOKEN_NONE };

	op.fd.events = events;
	return submit(&op);
}

static struct knell_op tree_op(const char *label, uint64_t token, uint32_t flags)
{
	struct knell_op op = {
		.op = KNELL_OP_ADD, .type = KNELL_TREE, .flags = flags, .token = token,
	};

	strncpy(op.tree.label, label, sizeof(op.tree.label) - 1);
	return op;
}

/* A tree whose first member is the next process that this thread makes. */
int queue_add_tree(const char *label, uint64_t token, uint32_t flags, uint32_t *watch)
{
	struct knell_op ops[] = {
		tree_op(label, token, flags | KNELL_OPF_ACK),
		{ .op = KNELL_OP_JOIN, .flags = KNELL_OPF_NEXT, .watch = KNELL_LAST },
	};
	int err = submit_all(ops, ARRAY_SIZE(ops), KNELL_SUBMIT_STOP);

	*watch = 0;
	if (err < 0)
		return err;
	if (ops[0].result < 0)
		return ops[0].result;
	if (ops[1].result < 0) {
		queue_del(ops[0].watch);
		return ops[1].result;
	}
	*watch = ops[0].watch;
	return 0;
}

/* A tree that tells who is born in it, for queue_op_join(); of use to this process only. */
int queue_add_births(const char *label, uint64_t token, uint32_t *watch)
{
	struct knell_op op = tree_op(label, token,
				     KNELL_OPF_REPORT_FORK | KNELL_OPF_REPORT_EXIT);

	return add(&op, watch);
}

/* For a child to enrol itself, with queue_raw(). */
struct knell_op queue_op_self(uint64_t token)
{
	return (struct knell_op){
		.op = KNELL_OP_ADD, .type = KNELL_PROCESS, .token = token,
		.flags = KNELL_OPF_SELF | KNELL_OPF_ACK,
	};
}

struct knell_op queue_op_join(uint32_t watch)
{
	return (struct knell_op){ .op = KNELL_OP_JOIN, .watch = watch };
}

/* Does one op, writes what came of it to it; allocates nothing, changes nothing else. */
int queue_raw(struct knell_op *op)
{
	return submit(op);
}

/* Enrols a process that is there already; EEXIST if it is enrolled. */
int queue_add_pid(pid_t pid, uint64_t token, uint32_t flags, uint32_t *watch)
{
	struct knell_op op = {
		.op = KNELL_OP_ADD, .type = KNELL_PROCESS, .token = token, .flags = flags,
	};

	op.process.pid = pid;
	return add(&op, watch);
}

/* A timer that is not set. */
int queue_add_timer(uint64_t token, uint32_t *watch)
{
	struct knell_op op = {
		.op = KNELL_OP_ADD, .type = KNELL_TIMER, .flags = KNELL_OPF_ACK, .token = token,
	};

	op.timer.clockid = CLOCK_MONOTONIC;
	return add(&op, watch);
}

/* Rings at @deadline; 0 stops it. What was not read yet is forgotten. */
int queue_set_timer(uint32_t watch, uint64_t token, uint64_t deadline)
{
	struct knell_op op = { .op = KNELL_OP_MOD, .watch = watch, .token = token };

	op.timer.clockid = CLOCK_MONOTONIC;
	op.timer.expires_ns = deadline;
	op.flags = deadline ? KNELL_OPF_ABS : 0;
	return submit(&op);
}

/* Of any watch but a timer. */
int queue_set_token(uint32_t watch, uint64_t token)
{
	struct knell_op op = { .op = KNELL_OP_MOD, .watch = watch, .token = token };

	return submit(&op);
}

/*
 * Signals the process of a watch (that one, never another that has got its pid) or all members
 * of a tree, and then tells how many these were.
 */
int queue_kill(uint32_t watch, int sig)
{
	struct knell_op op = { .op = KNELL_OP_KILL, .watch = watch };

	op.kill.sig = sig;
	return submit(&op);
}

/* Records that were read before may still name it. */
void queue_del(uint32_t watch)
{
	struct knell_op op = { .op = KNELL_OP_DEL, .watch = watch };

	submit(&op);
}

/* A watch is done with: it goes once what its records have changed is written down. */
void queue_ack(uint32_t watch)
{
	acks = xgrow(acks, nr_acks, sizeof(*acks));
	acks[nr_acks++] = watch;
}

/* After state_settle(). */
void queue_flush(void)
{
	struct knell_op ops[64];

	while (nr_acks) {
		size_t nr = nr_acks < ARRAY_SIZE(ops) ? nr_acks : ARRAY_SIZE(ops);

		nr_acks -= nr;
		for (size_t i = 0; i < nr; i++)
			ops[i] = (struct knell_op){
				.op = KNELL_OP_DEL, .watch = acks[nr_acks + i],
			};
		submit_all(ops, nr, 0);
	}
	free(acks);
	acks = NULL;
}

/* Sleeps until there are records; how many, or -errno. */
int queue_read(struct knell_event *ev, size_t nr)
{
	ssize_t n;

	do {
		n = read(fd, ev, nr * sizeof(*ev));
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : (int)(n / (ssize_t)sizeof(*ev));
}
