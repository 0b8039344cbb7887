// SPDX-License-Identifier: GPL-2.0-only
/*
 * scale: what does it cost where there are many?
 *
 * A queue has 10, 1,000, 10,000, 100,000 timers, far off, when these are counted:
 *   scale_add_insns        an ADD of a doorbell, one of 64 in a SUBMIT
 *   scale_add_timer_insns  an ADD of a timer among the others, at a random place
 *   scale_add_pid_insns    an ADD of a live process by its pid, while a watch waits for the next child
 *   scale_add_dead_insns   an ADD of a process that nobody has reaped yet, which fires
 *   scale_exit_insns       a child watched, ended and told of, ADD to read, less what the same child
 *                          costs whom nobody watches; all that the machine does
 *   scale_fire_insns       from when a timer is due to when its record has been read
 * All but ADDs of timers have to stay within 1.2 of what they are with 10; these may grow as the
 * logarithm does. Medians of ROUNDS; Documentation/benchmarks/generate.py draws them.
 */
#include "bench.h"

#define ROUNDS		31
#define BATCH		64
#define FAR_NS		(100ULL * 3600 * 1000000000)
#define SOON_NS		1000000ULL

static const unsigned int sizes[] = { 10, 1000, 10000, 100000 };
static const double logs[] = { 1, 3, 4, 5 };

/* Cheap, and the same in each run. */
static uint64_t random_ns(void)
{
	static uint64_t state = 88172645463325252ULL;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return FAR_NS + state % FAR_NS;
}

static struct knell_op op_timer(uint64_t expires_ns, uint32_t flags)
{
	struct knell_op op = { .op = KNELL_OP_ADD, .type = KNELL_TIMER, .flags = flags };

	op.timer.clockid = CLOCK_MONOTONIC;
	op.timer.expires_ns = expires_ns;
	return op;
}

static void fill(int queue, unsigned int nr)
{
	struct knell_op op;

	while (nr--) {
		op = op_timer(random_ns(), 0);
		submit(queue, &op, 1);
	}
}

/* Instructions for each of a batch of ADDs; all go again. */
static double add_batch(int queue, bool timers)
{
	struct knell_op ops[BATCH];
	uint64_t t;
	int i;

	for (i = 0; i < BATCH; i++)
		ops[i] = timers ? op_timer(random_ns(), 0) :
			(struct knell_op){ .op = KNELL_OP_ADD, .type = KNELL_USER };
	t = now_ns(CLOCK_MONOTONIC);
	submit(queue, ops, BATCH);
	t = now_ns(CLOCK_MONOTONIC) - t;
	for (i = 0; i < BATCH; i++)
		ops[i] = (struct knell_op){ .op = KNELL_OP_DEL, .watch = ops[i].watch };
	submit(queue, ops, BATCH);
	return (double)t / BATCH;
}

static struct knell_op op_process(int pid, uint32_t flags)
{
	struct knell_op op = { .op = KNELL_OP_ADD, .type = KNELL_PROCESS, .flags = flags };

	op.process.pid = pid;
	return op;
}

static void del(int queue, uint32_t watch)
{
	struct knell_op op = { .op = KNELL_OP_DEL, .watch = watch };

	submit(queue, &op, 1);
}

/* Of this process. */
static double add_pid(int queue)
{
	struct knell_op next = op_process(0, KNELL_OPF_NEXT), op = op_process(getpid(), 0);
	uint64_t t;

	submit(queue, &next, 1);
	t = now_ns(CLOCK_MONOTONIC);
	submit(queue, &op, 1);
	t = now_ns(CLOCK_MONOTONIC) - t;
	del(queue, op.watch);
	del(queue, next.watch);
	return (double)t;
}

static double add_dead(int queue)
{
	int pid = clone_child(), status;
	struct knell_op op = op_process(pid, 0);
	siginfo_t info;
	uint64_t t;

	if (!pid)
		sys(SYS_exit_group, 0, 0, 0, 0, 0);
	must("wait", sys(SYS_waitid, P_PID, pid, (long)&info, WEXITED | WNOWAIT, 0));
	t = now_ns(CLOCK_MONOTONIC);
	submit(queue, &op, 1);
	t = now_ns(CLOCK_MONOTONIC) - t;
	if (next_event(queue).watch != op.watch)
		die("another watch's record", 0);
	must("wait", sys(SYS_wait4, pid, (long)&status, 0, 0, 0));
	return (double)t;
}

/* A child's whole life; it is reaped by its parent either way. */
static double one_child(int queue, bool watched)
{
	struct knell_op op = op_process(0, KNELL_OPF_NEXT);
	uint64_t t = now_ns(CLOCK_MONOTONIC);
	int pid, status;

	if (watched)
		submit(queue, &op, 1);
	pid = clone_child();
	if (!pid)
		sys(SYS_exit_group, 0, 0, 0, 0, 0);
	must("wait", sys(SYS_wait4, pid, (long)&status, 0, 0, 0));
	if (watched && next_event(queue).watch != op.watch)
		die("another watch's record", 0);
	return (double)(now_ns(CLOCK_MONOTONIC) - t);
}

static double one_exit(int queue)
{
	double without = one_child(queue, false);

	return one_child(queue, true) - without;
}

static double one_fire(int queue)
{
	uint64_t due = now_ns(CLOCK_MONOTONIC) + SOON_NS;
	struct knell_op op = op_timer(due, KNELL_OPF_ABS | KNELL_OPF_ONESHOT);

	submit(queue, &op, 1);
	if (next_event(queue).watch != op.watch)
		die("another watch's record", 0);
	return (double)(now_ns(CLOCK_MONOTONIC) - due);
}

enum { ADD, ADD_TIMER, ADD_PID, ADD_DEAD, EXIT, FIRE, NR };

static const char *const names[NR] = {
	"scale_add_insns", "scale_add_timer_insns", "scale_add_pid_insns", "scale_add_dead_insns",
	"scale_exit_insns", "scale_fire_insns",
};

static double once(int queue, int what)
{
	switch (what) {
	case ADD:
	case ADD_TIMER:
		return add_batch(queue, what == ADD_TIMER);
	case ADD_PID:
		return add_pid(queue);
	case ADD_DEAD:
		return add_dead(queue);
	case EXIT:
		return one_exit(queue);
	default:
		return one_fire(queue);
	}
}

static double measure(int queue, int what)
{
	double v[ROUNDS];
	int i;

	once(queue, what);
	for (i = 0; i < ROUNDS; i++)
		v[i] = once(queue, what);
	return median(v, ROUNDS);
}

int main(int argc, char **argv)
{
	double value[NR][ARRAY_SIZE(sizes)];
	char text[64];
	unsigned int i;
	int what;

	bench_start(bench_forced(argc, argv));
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		int queue = open_queue();

		fill(queue, sizes[i]);
		for (what = 0; what < NR; what++) {
			value[what][i] = measure(queue, what);
			snprintf(text, sizeof(text), "_%u", sizes[i]);
			line(names[what], text, "knell", value[what][i]);
		}
		close(queue);
	}
	for (what = 0; what < NR; what++)
		for (i = 1; i < ARRAY_SIZE(sizes); i++) {
			snprintf(text, sizeof(text), "%s, %u to 10", names[what], sizes[i]);
			at_most(text, value[what][i] / value[what][0],
				what == ADD_TIMER ? logs[i] : 1.2);
		}
	return bench_end();
}
