// SPDX-License-Identifier: GPL-2.0-only
/* The parts of knell's way, each for itself. */
#include "exits.h"

#define NR_PARTS	1000	/* watches */

static void drop_children(unsigned int n)
{
	unsigned int i;

	release_all();
	must("read", read(last_one[0], &i, 1));
	nap(5 * NAP_NS);
	close_pipes();
	for (i = 0; i < n; i++)
		children[i].times = 0;
}

static double part_add(unsigned int n, unsigned int batch)
{
	uint64_t cpu;

	make_children(&knell, n);
	queue_fd = open_queue();
	cpu = cpu_ns();
	knell_add_all(n, batch);
	cpu = cpu_ns() - cpu;
	queue_close();
	drop_children(n);
	return (double)cpu / n;
}

/* All exits have happened before the first read: nobody is woken, nobody waits. */
static double part_read(unsigned int n, unsigned int room, double *close_insns)
{
	uint64_t cpu, close_cpu;

	make_children(&knell, n);
	knell.enrol(n);
	release_all();
	must("read", read(last_one[0], &cpu, 1));
	nap(5 * NAP_NS);
	cpu = cpu_ns();
	knell_take(n, room);
	cpu = cpu_ns() - cpu;
	close_cpu = cpu_ns();
	queue_close();
	*close_insns = (double)(cpu_ns() - close_cpu) / n;
	verify(&knell, n);
	close_pipes();
	return (double)cpu / n;
}

static double part_del(unsigned int n)
{
	uint64_t cpu;

	make_children(&knell, n);
	knell.enrol(n);
	knell_list(n);
	cpu = cpu_ns();
	knell_del_listed(n);
	cpu = cpu_ns() - cpu;
	queue_close();
	drop_children(n);
	return (double)cpu / n;
}

/* A queue closed with every watch armed, or with every record unread. */
static double part_close(unsigned int n, bool fired)
{
	uint64_t cpu;

	make_children(&knell, n);
	knell.enrol(n);
	if (fired) {
		release_all();
		must("read", read(last_one[0], &cpu, 1));
		nap(5 * NAP_NS);
	}
	cpu = cpu_ns();
	queue_close();
	cpu = cpu_ns() - cpu;
	if (fired)
		close_pipes();
	else
		drop_children(n);
	return (double)cpu / n;
}

void parts(void)
{
	const unsigned int n = NR_PARTS;
	static const unsigned int batches[] = { 1, 10, 100, 1000 };
	static const unsigned int rooms[] = { 1, 16, 64 };
	double close_insns = 0, v;
	char mode[32];
	unsigned int i;

	printf("\nparts of knell's way, %u watches, manager instructions each\n", n);
	for (i = 0; i < ARRAY_SIZE(batches); i++) {
		snprintf(mode, sizeof(mode), "batch_%u", batches[i]);
		line("add_insns", "", mode, part_add(n, batches[i]));
	}
	line("del_insns", "", "batch_1000", part_del(n));
	for (i = 0; i < ARRAY_SIZE(rooms); i++) {
		snprintf(mode, sizeof(mode), "room_%u", rooms[i]);
		v = part_read(n, rooms[i], &close_insns);
		line("read_insns", "", mode, v);
	}
	line("close_insns", "", "all_read", close_insns);
	line("close_insns", "", "armed", part_close(n, false));
	line("close_insns", "", "unread", part_close(n, true));
}
