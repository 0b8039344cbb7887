// SPDX-License-Identifier: GPL-2.0-only
/*
 * io_uring: a waitid(2) for each child is under way, IORING_OP_WAITID of Linux 6.7; the ring is set up in
 * the cheapest way that there is for one thread that waits for several completions.
 */
#include <linux/io_uring.h>

#include "exits.h"

#define OP_WAITID	50	/* the headers here may be older */
#define NR_SQES		1024
#define NR_CQES		4096

static struct io_uring_params params;
static struct io_uring_sqe *sqes;
static char *rings;
static size_t rings_size;
static siginfo_t *infos;

static inline unsigned int *at(unsigned int offset)
{
	return (unsigned int *)(void *)(rings + offset);
}

static long enter(unsigned int submit, unsigned int complete)
{
	return must("io_uring_enter", sys(SYS_io_uring_enter, queue_fd, submit, complete,
					  complete ? IORING_ENTER_GETEVENTS : 0, 0));
}

static void *map(size_t size, long offset)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, queue_fd, offset);

	if (p == MAP_FAILED)
		die("io_uring: mmap", -errno);
	return p;
}

static void open_ring(void)
{
	params = (struct io_uring_params){
		.flags = IORING_SETUP_CQSIZE | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
		.cq_entries = NR_CQES,
	};
	queue_fd = (int)must("io_uring_setup", sys(SYS_io_uring_setup, NR_SQES, (long)&params, 0, 0, 0));
	/* The completions lie before that. */
	rings_size = params.sq_off.array + NR_SQES * sizeof(unsigned int);
	rings = map(rings_size, IORING_OFF_SQ_RING);
	sqes = map(NR_SQES * sizeof(*sqes), IORING_OFF_SQES);
}

static void wait_for(unsigned int i, unsigned int slot)
{
	sqes[slot] = (struct io_uring_sqe){
		.opcode = OP_WAITID, .fd = children[i].pid, .len = P_PID, .file_index = WEXITED,
		.addr2 = (uintptr_t)&infos[i], .user_data = i,
	};
	at(params.sq_off.array)[slot] = slot;
}

static void enrol(unsigned int n)
{
	unsigned int i = 0, nr, tail, k;

	open_ring();
	while (i < n) {
		nr = n - i < NR_SQES ? n - i : NR_SQES;
		tail = *at(params.sq_off.tail);
		for (k = 0; k < nr; k++)
			wait_for(i++, (tail + k) & (NR_SQES - 1));
		__atomic_store_n(at(params.sq_off.tail), tail + nr, __ATOMIC_RELEASE);
		if (enter(nr, 0) != nr)
			die("io_uring: not all were taken", 0);
	}
}

static void consume(unsigned int n)
{
	unsigned int head = *at(params.cq_off.head), tail;
	const struct io_uring_cqe *cqes = (const void *)(rings + params.cq_off.cqes), *cqe;

	while (n) {
		enter(0, 1);
		nr_reads++;
		tail = __atomic_load_n(at(params.cq_off.tail), __ATOMIC_ACQUIRE);
		for (; head != tail; head++, n--) {
			cqe = &cqes[head & (NR_CQES - 1)];
			must("io_uring: waitid", cqe->res);
			heard((unsigned int)cqe->user_data, status_word(&infos[cqe->user_data]));
		}
		__atomic_store_n(at(params.cq_off.head), head, __ATOMIC_RELEASE);
	}
}

static void finish(void)
{
	must("munmap", sys(SYS_munmap, (long)sqes, NR_SQES * sizeof(*sqes), 0, 0, 0));
	must("munmap", sys(SYS_munmap, (long)rings, (long)rings_size, 0, 0, 0));
	queue_close();
}

static const char *missing(void)
{
	struct {
		struct io_uring_probe probe;
		struct io_uring_probe_op ops[OP_WAITID + 1];
	} p = { 0 };
	struct io_uring_params none = { 0 };
	long fd = sys(SYS_io_uring_setup, 1, (long)&none, 0, 0, 0), ret;

	if (fd < 0)
		return "io_uring is not there";
	ret = sys(SYS_io_uring_register, fd, IORING_REGISTER_PROBE, (long)&p, OP_WAITID + 1, 0);
	close((int)fd);
	if (ret < 0 || !(p.ops[OP_WAITID].flags & IO_URING_OP_SUPPORTED))
		return "IORING_OP_WAITID came with Linux 6.7";
	infos = own_memory(MAX_CHILDREN * sizeof(*infos));
	return NULL;
}

const struct way io_uring_waitid = {
	.name = "io_uring_waitid", .calls = &nr_calls, .missing = missing,
	.enrol = enrol, .consume = consume, .finish = finish,
};
