// SPDX-License-Identifier: GPL-2.0-only
/* The one queue: what knelld hears of comes out of queue_read(), and it sleeps nowhere else. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "knelld.h"

static int fd = -1;
static uint32_t bell;

/* One op, no waiting: its result, or -errno of the call. Async-signal-safe. */
static int submit(struct knell_op *op)
{
	struct knell_submit s = { .ops = (uintptr_t)op, .nr_ops = 1 };

	if (ioctl(fd, KNELL_IOC_SUBMIT, &s) < 0)
		return -errno;
	return op->result;
}

static int add(struct knell_op *op, uint32_t *watch)
{
	int err = submit(op);

	*watch = err < 0 ? 0 : op->watch;
	return err < 0 ? err : 0;
}

static int check_abi(void)
{
	const uint64_t needed = 1ULL << KNELL_PROCESS | 1ULL << KNELL_TIMER | 1ULL << KNELL_USER;
	struct knell_info info;

	if (ioctl(fd, KNELL_IOC_INFO, &info) < 0)
		return -errno;
	if (info.abi == KNELL_ABI && (info.features & needed) == needed)
		return 0;
	log_line("%s: abi %u with features %#llx, expected abi %u with features %#llx",
		 KNELL_DEVICE, info.abi, (unsigned long long)info.features, KNELL_ABI,
		 (unsigned long long)needed);
	return -EPROTO;
}

/* Opens the queue and hangs up the doorbell; logs why it could not, -errno. */
int queue_open(void)
{
	struct knell_op op = {
		.op = KNELL_OP_ADD, .type = KNELL_USER, .token = TOKEN_BELL,
	};
	int err;

	fd = open(KNELL_DEVICE, O_RDWR | O_CLOEXEC);
	if (fd < 0) {
		err = -errno;
		log_line("cannot open %s: %s%s", KNELL_DEVICE, strerror(-err),
			 err == -ENOENT || err == -ENXIO || err == -ENODEV ?
			 "; load the module first: modprobe knell, or insmod knell.ko" : "");
		return err;
	}
	err = check_abi();
	if (!err)
		err = add(&op, &bell);
	if (err)
		log_line("cannot use %s: %s", KNELL_DEVICE, strerror(-err));
	return err;
}

/* For signal handlers: rings the doorbell, which ORs @value into its record. */
void queue_ring(uint64_t value)
{
	struct knell_op op = { .op = KNELL_OP_TRIGGER, .watch = bell };

	op.user.value = value;
	submit(&op);
}

/* Enrols the next process that this thread makes. */
int queue_add_next(uint32_t id, uint32_t *watch)
{
	struct knell_op op = {
		.op = KNELL_OP_ADD, .type = KNELL_PROCESS, .flags = KNELL_OPF_NEXT, .token = id,
	};

	return add(&op, watch);
}

/* Enrols a process that is there already; EEXIST if it is enrolled. */
int queue_add_pid(pid_t pid, uint32_t *watch)
{
	struct knell_op op = {
		.op = KNELL_OP_ADD, .type = KNELL_PROCESS, .token = TOKEN_BELL,
	};

	op.process.pid = pid;
	return add(&op, watch);
}

/* A timer that is not set. */
int queue_add_timer(uint32_t *watch)
{
	struct knell_op op = { .op = KNELL_OP_ADD, .type = KNELL_TIMER };

	op.timer.clockid = CLOCK_MONOTONIC;
	return add(&op, watch);
}

/* Rings in @ns; 0 stops it. What was not read yet is forgotten. */
int queue_set_timer(uint32_t watch, uint64_t token, uint64_t ns)
{
	struct knell_op op = { .op = KNELL_OP_MOD, .watch = watch, .token = token };

	op.timer.clockid = CLOCK_MONOTONIC;
	op.timer.expires_ns = ns;
	return submit(&op);
}

/* Signals the process of a watch: that one, never another that has got its pid. */
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

/* Sleeps until there are records; how many, or -errno. */
int queue_read(struct knell_event *ev, size_t nr)
{
	ssize_t n;

	do {
		n = read(fd, ev, nr * sizeof(*ev));
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : (int)(n / (ssize_t)sizeof(*ev));
}
