// SPDX-License-Identifier: GPL-2.0-only
/*
 * The one loop, and under it the one queue: knelld hears of nothing that does not come out of it.
 * Where there is no module it is libknell's other backend, and plain.c follows the processes.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base.h"
#include "procs.h"

#define DYING_NS	(5 * NSEC_PER_SEC)	/* for a former holder that is dying */
#define UNSEEN_MAX	3	/* times that nobody is seen who has what somebody has */

static int fd = -1;
static struct knell_loop *loop;
const struct procs *procs;
static const char *kept;		/* its name, NULL: it is not */
procs_tell_fn *procs_tell;
static uint32_t *acks;
static size_t nr_acks;

/* One op: its result, or -errno of the call. Async-signal-safe. */
static int submit(struct knell_op *op)
{
	int n = knell_submit(loop, op, 1, 0);

	return n < 0 ? n : op->result;
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
				1ULL << KNELL_USER | 1ULL << KNELL_FD |
				1ULL << KNELL_TREE | 1ULL << KNELL_CHILDREN;
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
static int attach(const char *name)
{
	int new = knell_queue_attach(fd, name);

	if (new < 0)
		return new;
	close(fd);
	fd = new;
	return 0;
}

static int attach_or_keep_now(const char *name, enum tenure *tenure)
{
	int err;

	*tenure = QUEUE_TAKEN;
	err = attach(name);
	if (err != -ENOENT)
		return err;
	*tenure = QUEUE_KEPT;
	return knell_queue_keep(fd, name);
}

/* -EEXIST from keeping: since we looked somebody else has taken the name. */
static int attach_or_keep(const char *name, enum tenure *tenure)
{
	uint64_t until = now_ns() + DYING_NS;
	int err, unseen = 0, waited = 0;

	while ((err = attach_or_keep_now(name, tenure)) == -EBUSY || err == -EEXIST) {
		if (waited == -ETIMEDOUT || unseen == UNSEEN_MAX)
			break;
		waited = err == -EBUSY ? holder_wait(name, until) : -ESRCH;
		unseen += waited == -ESRCH;
	}
	return err;
}

/* Without a kept queue there is still a queue; one that is there but not for us is a rival's. */
static int take_or_keep(const char *as, uint64_t features, enum tenure *tenure)
{
	int err = -EOPNOTSUPP;

	if (features & KNELL_FEAT_KEEP)
		err = attach_or_keep(as, tenure);
	if (!err) {
		kept = as;
		return 0;
	}
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

static int make_loop(enum knell_backend backend)
{
	struct knell_loop_attr attr = {
		.name = "knelld",
		.backend = backend,
		.flags = KNELL_LOOP_NO_CPU | (fd >= 0 ? KNELL_LOOP_FD : 0),
		.fd = fd,
		.batch = BATCH,
		/* All of a batch is dealt with before anything is written down. */
		.event_interval = BATCH + 1,
	};

	loop = knell_loop_new(&attr);
	return loop ? 0 : -errno;
}

static bool is_missing(int err)
{
	return err == -ENOENT || err == -ENXIO || err == -ENODEV;
}

/*
 * SIGCHLD keeps its default action (an ignored one would survive exec), but a dead child is
 * nobody's zombie: its record says all there is to know.
 */
static void want_no_zombies(void)
{
	const struct sigaction child = { .sa_handler = SIG_DFL, .sa_flags = SA_NOCLDWAIT };

	sigaction(SIGCHLD, &child, NULL);
}

static int open_kernel(const char *as, enum tenure *tenure)
{
	uint64_t features = 0;
	int err = check_abi(&features);

	if (!err && as)
		err = take_or_keep(as, features, tenure);
	if (!err)
		err = make_loop(KNELL_BACKEND_KERNEL);
	if (err)
		log_line("cannot use %s: %s", KNELL_DEVICE, strerror(-err));
	want_no_zombies();
	procs = &kernel_procs;
	return err;
}

static int open_plain(void)
{
	int err = make_loop(KNELL_BACKEND_PIDFD);

	if (!err)
		err = plain_begin(loop);
	if (err)
		log_line("cannot make a loop: %s", strerror(-err));
	procs = &plain_procs;
	return err;
}

/**
 * queue_open - open the queue, the one that a former knelld has left if there is one
 * @as: the name to keep it by, NULL: not at all
 * @backend: AUTO: the module if it is there
 * @tenure: out: whose it is
 *
 * Logs why it could not; 0 or -errno. procs says what it is.
 */
int queue_open(const char *as, enum knell_backend backend, enum tenure *tenure)
{
	*tenure = QUEUE_OWN;
	fd = backend == KNELL_BACKEND_PIDFD ? -ENOENT : knell_queue_open(NULL);
	if (fd >= 0)
		return open_kernel(as, tenure);
	/* A user whom the device is not for does without it as if there were none. */
	if (backend == KNELL_BACKEND_KERNEL || !(is_missing(fd) || fd == -EACCES)) {
		log_line("cannot open %s: %s%s", KNELL_DEVICE, strerror(-fd), is_missing(fd) ?
			 "; load the module first: modprobe knell, or insmod knell.ko" : "");
		return fd;
	}
	return open_plain();
}

static void on_record(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	(void)l;
	(void)arg;
	procs_tell(call->record);
}

int queue_listen(procs_tell_fn *tell)
{
	procs_tell = tell;
	if (procs != &plain_procs && knell_is_none(knell_add_record(loop, on_record, NULL)))
		return -errno;
	return 0;
}

struct knell_loop *queue_loop(void)
{
	return loop;
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
	int err = kept ? knell_queue_unkeep(fd, kept) : 0;

	if (err)
		log_line("cannot let the queue %s go: %s", kept, strerror(-err));
}

/* The watches that a former knelld has left, by handle, without its loop's own; to be freed. */
struct knell_watch_info *queue_left(size_t *nr)
{
	struct knell_watch_info *all = NULL;
	ssize_t n = knell_queue_list(fd, &all);

	*nr = 0;
	if (n < 0)
		log_line("%s: cannot list what is there: %s", KNELL_DEVICE, strerror(-n));
	for (ssize_t i = 0; i < n; i++)
		if (all[i].token < TOKEN_END)
			all[(*nr)++] = all[i];
	return all;
}

static struct knell_op tree_op(const char *label, uint64_t token, uint32_t flags)
{
	struct knell_op op = {
		.op = KNELL_OP_ADD, .type = KNELL_TREE, .flags = flags, .token = token,
	};

	strncpy(op.tree.label, label, sizeof(op.tree.label) - 1);
	return op;
}

/* Records that were read before may still name it. */
static void kernel_del(uint32_t watch)
{
	struct knell_op op = { .op = KNELL_OP_DEL, .watch = watch };

	submit(&op);
}

/* A tree whose first member is the next process that this thread makes. */
static int kernel_add_tree(const char *label, uint64_t token, uint32_t flags, uint32_t *watch)
{
	struct knell_op ops[] = {
		tree_op(label, token, flags | KNELL_OPF_ACK),
		{ .op = KNELL_OP_JOIN, .flags = KNELL_OPF_NEXT, .watch = KNELL_LAST },
	};
	int err = knell_submit(loop, ops, ARRAY_SIZE(ops), KNELL_SUBMIT_STOP);

	*watch = 0;
	if (err < 0)
		return err;
	if (ops[0].result < 0)
		return ops[0].result;
	if (ops[1].result < 0) {
		kernel_del(ops[0].watch);
		return ops[1].result;
	}
	*watch = ops[0].watch;
	return 0;
}

/* A tree that tells who is born in it, for self_ops(); of use to this process only. */
static int kernel_add_births(const char *label, uint64_t token, uint32_t *watch)
{
	struct knell_op op = tree_op(label, token,
				     KNELL_OPF_REPORT_FORK | KNELL_OPF_REPORT_EXIT);

	return add(&op, watch);
}

/* For the child to do to itself: one that is to be signalled alone, one more tree to be in. */
static size_t kernel_self_ops(uint64_t alone, uint32_t births, struct knell_op *ops)
{
	size_t nr = 0;

	if (alone)
		ops[nr++] = (struct knell_op){
			.op = KNELL_OP_ADD, .type = KNELL_PROCESS, .token = alone,
			.flags = KNELL_OPF_SELF | KNELL_OPF_ACK,
		};
	if (births)
		ops[nr++] = (struct knell_op){ .op = KNELL_OP_JOIN, .watch = births };
	return nr;
}

/* Does one op, writes what came of it to it; allocates nothing, changes nothing else. */
int queue_raw(struct knell_op *op)
{
	return submit(op);
}

/* The kernel has been told before (OPF_NEXT). */
static int kernel_born(uint32_t watch, pid_t pid)
{
	(void)watch;
	(void)pid;
	return 0;
}

/* Enrols a process that is there already; EEXIST if it is enrolled. */
static int kernel_add_pid(pid_t pid, uint64_t token, uint32_t flags, uint32_t *watch)
{
	struct knell_op op = {
		.op = KNELL_OP_ADD, .type = KNELL_PROCESS, .token = token, .flags = flags,
	};

	op.process.pid = pid;
	return add(&op, watch);
}

/* For a takeover. */
int queue_set_token(uint32_t watch, uint64_t token)
{
	struct knell_op op = { .op = KNELL_OP_MOD, .watch = watch, .token = token };

	return submit(&op);
}

/*
 * Signals the process of a watch (that one, never another that has got its pid) or all members
 * of a tree, and then tells how many these were.
 */
static int kernel_kill(uint32_t watch, int sig)
{
	struct knell_op op = { .op = KNELL_OP_KILL, .watch = watch };

	op.kill.sig = sig;
	return submit(&op);
}

/* A watch is done with: it goes once what its records have changed is written down. */
static void kernel_ack(uint32_t watch)
{
	acks = xgrow(acks, nr_acks, sizeof(*acks));
	acks[nr_acks++] = watch;
}

/* After state_settle(): they go in the call in which knelld sleeps then. */
void queue_flush(void)
{
	while (nr_acks) {
		uint32_t watch = acks[--nr_acks];
		struct knell_op op = { .op = KNELL_OP_DEL, .watch = watch };

		if (knell_submit_later(loop, &op) < 0)
			kernel_del(watch);
	}
	free(acks);
	acks = NULL;
}

const struct procs kernel_procs = {
	.autoreaps = true,
	.add_tree = kernel_add_tree,
	.add_births = kernel_add_births,
	.self_ops = kernel_self_ops,
	.born = kernel_born,
	.add_pid = kernel_add_pid,
	.kill = kernel_kill,
	.ack = kernel_ack,
	.del = kernel_del,
};
