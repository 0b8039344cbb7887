// SPDX-License-Identifier: GPL-2.0-only
/* /dev/knell: one record per exit, with waitid(P_PID) or without. */
#include "exits.h"

static struct knell_event *events;
static struct knell_op *ops;

static void knell_add(unsigned int from, unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++) {
		ops[i] = (struct knell_op){ .op = KNELL_OP_ADD, .type = KNELL_PROCESS,
					    .token = from + i };
		ops[i].process.pid = children[from + i].pid;
	}
	submit(queue_fd, ops, nr);
}

void knell_add_all(unsigned int n, unsigned int batch)
{
	unsigned int i;

	for (i = 0; i < n; i += batch)
		knell_add(i, n - i < batch ? n - i : batch);
}

static void knell_enrol(unsigned int n)
{
	queue_fd = open_queue();
	knell_add_all(n, 1000);
}

static inline unsigned int knell_read(unsigned int room)
{
	long ret = must("read", sys(SYS_read, queue_fd, (long)events,
				    (long)(room * sizeof(*events)), 0, 0));

	nr_reads++;
	return (unsigned int)((size_t)ret / sizeof(*events));
}

void knell_take(unsigned int n, unsigned int room)
{
	unsigned int i, got;

	for (; n; n -= got) {
		got = knell_read(room);
		for (i = 0; i < got; i++)
			heard((unsigned int)events[i].token, events[i].exit.status);
	}
}

static void knell_consume(unsigned int n)
{
	knell_take(n, BATCH);
}

static void knell_waitid_consume(unsigned int n)
{
	unsigned int i, got;
	siginfo_t si;

	for (; n; n -= got) {
		got = knell_read(BATCH);
		for (i = 0; i < got; i++) {
			must("waitid", sys(SYS_waitid, P_PID, events[i].exit.pid, (long)&si,
					   WEXITED, 0));
			heard((unsigned int)events[i].token, status_word(&si));
		}
	}
}

/* What knell_del_listed() takes away. */
void knell_list(unsigned int n)
{
	static struct knell_watch_info watches[MAX_CHILDREN];
	struct knell_list list = { .watches = (uintptr_t)watches, .nr = n };
	unsigned int i;

	must("LIST", sys(SYS_ioctl, queue_fd, KNELL_IOC_LIST, (long)&list, 0, 0));
	for (i = 0; i < n; i++)
		ops[i] = (struct knell_op){ .op = KNELL_OP_DEL, .watch = watches[i].watch };
}

void knell_del_listed(unsigned int n)
{
	submit(queue_fd, ops, n);
}

void knell_prepare(void)
{
	events = own_memory(BATCH * sizeof(*events));
	ops = own_memory(KNELL_MAX_OPS * sizeof(*ops));
}

const struct way knell = {
	.name = "knell", .nocldwait = true, .calls = &nr_calls,
	.enrol = knell_enrol, .consume = knell_consume, .finish = queue_close,
};

const struct way knell_waitid = {
	.name = "knell_waitid", .calls = &nr_calls,
	.enrol = knell_enrol, .consume = knell_waitid_consume, .finish = queue_close,
};
