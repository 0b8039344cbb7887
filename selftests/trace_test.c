// SPDX-License-Identifier: GPL-2.0-only
/*
 * The tracepoints knell:*, as trace-cmd reads them (an instance of tracefs) and as perf does
 * (perf_event_open): what each says, that it says it once and in which order, and that both can
 * make sense of the format; and that programs (bpf) may look on beside them.
 */
#include "kselftest_harness.h"

#include <linux/bpf.h>
#include <linux/perf_event.h>

#include "keep_test.h"
#include "tree_test.h"

#define TRACEFS		"/sys/kernel/tracing"
#define EVENTS		TRACEFS "/events/knell"
#define INSTANCE	TRACEFS "/instances/knell_test"
#define MAX_LINES	1024

static const char *const names[] = {
	"knell_watch_add", "knell_watch_del", "knell_watch_fire", "knell_watch_deliver",
	"knell_exit", "knell_queue_keep", "knell_queue_attach", "knell_lost",
};

#define NR_NAMES	(sizeof(names) / sizeof(names[0]))

FIXTURE(trace) {
	int fd;
	unsigned long long id;
	FILE *log;
};

FIXTURE_SETUP(trace)
{
	ASSERT_EQ(0, mkdir(INSTANCE, 0700));
	ASSERT_EQ(0, write_file(INSTANCE "/events/knell/enable", "1"));
	self->log = NULL;
	self->fd = knell_open(O_NONBLOCK);
	ASSERT_LE(0, self->fd);
	self->id = queue_info(self->fd).id;
}

FIXTURE_TEARDOWN(trace)
{
	close(self->fd);
	if (self->log)
		fclose(self->log);
	EXPECT_EQ(0, write_file(INSTANCE "/events/knell/enable", "0"));
	EXPECT_EQ(0, rmdir(INSTANCE));
}

/* The next event, from its name on, without what comes after " age="; "" if there is none. */
static const char *next_line(FIXTURE_DATA(trace) *self)
{
	static char line[1024];
	char *start, *end;

	if (!self->log)
		self->log = fopen(INSTANCE "/trace", "r");
	while (self->log && fgets(line, sizeof(line), self->log)) {
		start = strstr(line, ": knell_");
		if (line[0] == '#' || !start)
			continue;
		end = strstr(start, " age=") ?: start + strcspn(start, "\n");
		*end = '\0';
		return start + 2;
	}
	return "";
}

#define EXPECT_LINE(format, ...) do {						\
	char _expected[512];							\
										\
	snprintf(_expected, sizeof(_expected), format, __VA_ARGS__);		\
	EXPECT_STREQ(_expected, next_line(self));				\
} while (0)

TEST_F_TIMEOUT(trace, life_of_a_watch, LIMIT)
{
	int64_t watch = add_watch(self->fd, op_user(1));
	struct knell_event ev;

	ASSERT_LT(0, watch);
	ASSERT_EQ(0, trigger(self->fd, watch, 1));
	/* Folds into the one that is pending. */
	ASSERT_EQ(0, trigger(self->fd, watch, 2));
	ASSERT_EQ(1, take(self->fd, &ev));
	ASSERT_EQ(0, del_watch(self->fd, watch));
	EXPECT_LINE("knell_watch_add: queue=%llu watch=%d type=user flags=0x0", self->id, (int)watch);
	EXPECT_LINE("knell_watch_fire: queue=%llu watch=%d type=user ev=user seq=1 flags=0x0",
		    self->id, (int)watch);
	EXPECT_LINE("knell_watch_deliver: queue=%llu watch=%d type=user ev=user seq=1 flags=0x0",
		    self->id, (int)watch);
	EXPECT_LINE("knell_watch_del: queue=%llu watch=%d type=user flags=0x0",
		    self->id, (int)watch);
	EXPECT_STREQ("", next_line(self));
}

/* What is refused in the end, what is done with when it is read, what goes with its queue. */
TEST_F_TIMEOUT(trace, ends_of_watches, LIMIT)
{
	struct knell_op bad = op_timer(CLOCK_PROCESS_CPUTIME_ID, 0, 1, 0, 0);
	int64_t oneshot, left;
	struct knell_event ev;

	ASSERT_EQ(-EINVAL, submit_op(self->fd, &bad));
	oneshot = add_watch(self->fd, op_timer(CLOCK_MONOTONIC, KNELL_OPF_ONESHOT, 1, 0, 0));
	ASSERT_LT(0, oneshot);
	ASSERT_EQ(1, wait_event(self->fd, &ev));
	left = add_watch(self->fd, op_user(0));
	ASSERT_LT(0, left);
	close(self->fd);
	EXPECT_LINE("knell_watch_add: queue=%llu watch=%d type=timer flags=0x0", self->id,
		    (int)oneshot - 1);
	EXPECT_LINE("knell_watch_del: queue=%llu watch=%d type=timer flags=0x0", self->id,
		    (int)oneshot - 1);
	EXPECT_LINE("knell_watch_add: queue=%llu watch=%d type=timer flags=0x10", self->id,
		    (int)oneshot);
	EXPECT_LINE("knell_watch_fire: queue=%llu watch=%d type=timer ev=timer seq=1 flags=0x0",
		    self->id, (int)oneshot);
	EXPECT_LINE("knell_watch_deliver: queue=%llu watch=%d type=timer ev=timer seq=1 flags=0x0",
		    self->id, (int)oneshot);
	EXPECT_LINE("knell_watch_del: queue=%llu watch=%d type=timer flags=0x10", self->id,
		    (int)oneshot);
	EXPECT_LINE("knell_watch_add: queue=%llu watch=%d type=user flags=0x0", self->id, (int)left);
	EXPECT_LINE("knell_watch_del: queue=%llu watch=%d type=user flags=0x0", self->id, (int)left);
	EXPECT_STREQ("", next_line(self));
	self->fd = -1;
}

TEST_F_TIMEOUT(trace, deaths, LIMIT)
{
	int64_t tree = add_tree(self->fd, 0, 1), watch;
	struct knell_event ev;
	pid_t pid, other;
	int three = 3;

	ASSERT_LT(0, tree);
	pid = spawn_member(self->fd, tree, exit_with, &three);
	ASSERT_LT(0, pid);
	ASSERT_EQ(1, wait_event(self->fd, &ev));
	ASSERT_EQ(1, wait_event(self->fd, &ev));
	ASSERT_EQ(KNELL_EV_EMPTY, ev.type);
	other = spawn_process(sleep_for_ever, NULL);
	ASSERT_LT(0, other);
	watch = add_pid(self->fd, other, 2);
	ASSERT_LT(0, watch);
	ASSERT_EQ(0, kill(other, SIGKILL));
	ASSERT_EQ(1, wait_event(self->fd, &ev));
	EXPECT_LINE("knell_watch_add: queue=%llu watch=%d type=tree flags=0x0", self->id, (int)tree);
	EXPECT_LINE("knell_watch_fire: queue=%llu watch=%d type=tree ev=exit seq=1 flags=0x2",
		    self->id, (int)tree);
	EXPECT_LINE("knell_exit: queue=%llu watch=%d pid=%d comm=trace_test uid=0 status=0x300 "
		    "flags=0x2 label=test", self->id, (int)tree, pid);
	EXPECT_LINE("knell_watch_fire: queue=%llu watch=%d type=tree ev=empty seq=2 flags=0x0",
		    self->id, (int)tree);
	EXPECT_LINE("knell_watch_deliver: queue=%llu watch=%d type=tree ev=exit seq=1 flags=0x2",
		    self->id, (int)tree);
	EXPECT_LINE("knell_watch_deliver: queue=%llu watch=%d type=tree ev=empty seq=2 flags=0x0",
		    self->id, (int)tree);
	EXPECT_LINE("knell_watch_del: queue=%llu watch=%d type=tree flags=0x0", self->id, (int)tree);
	EXPECT_LINE("knell_watch_add: queue=%llu watch=%d type=process flags=0x0", self->id,
		    (int)watch);
	EXPECT_LINE("knell_watch_fire: queue=%llu watch=%d type=process ev=exit seq=3 flags=0x0",
		    self->id, (int)watch);
	EXPECT_LINE("knell_exit: queue=%llu watch=%d pid=%d comm=trace_test uid=0 status=0x9 "
		    "flags=0x0 label=", self->id, (int)watch, other);
	EXPECT_EQ(EXITED(3), reap(pid));
	EXPECT_EQ(SIGKILL, reap(other));
}

TEST_F_TIMEOUT(trace, kept_queues, LIMIT)
{
	unsigned long long id;
	int fd;

	ASSERT_EQ(0, keep_queue(self->fd, "a queue's name"));
	fd = attach(self->fd, "a queue's name");
	ASSERT_LE(0, fd);
	id = queue_info(fd).id;
	EXPECT_EQ(self->id, id);
	/* Refused: it is no news. */
	EXPECT_EQ(-EBUSY, keep_queue(fd, "another"));
	EXPECT_EQ(0, keep_off(fd, "a queue's name"));
	close(fd);
	EXPECT_LINE("knell_queue_keep: queue=%llu name=a queue's name watches=0 pending=0", id);
	EXPECT_LINE("knell_queue_attach: queue=%llu name=a queue's name watches=0 pending=0", id);
	EXPECT_STREQ("", next_line(self));
}

static pid_t short_lived(void)
{
	pid_t pid = vfork();

	if (!pid)
		_exit(0);
	return pid;
}

TEST_F_TIMEOUT(trace, what_is_lost, LIMIT)
{
	int64_t watch = add_watch(self->fd, op_add(KNELL_CHILDREN, 0, 1));
	char last[64], *lost;
	int i, nr = 0, exits = 0;
	const char *line;
	pid_t pid;

	ASSERT_LT(0, watch);
	for (i = 0; i < RESERVE + 2; i++) {
		pid = short_lived();
		ASSERT_LT(0, pid);
		ASSERT_EQ(0, await_zombie(pid));
		ASSERT_EQ(0, reap(pid));
	}
	snprintf(last, sizeof(last), "queue=%llu watch=%d type=children lost=2", self->id, (int)watch);
	for (i = 0; i < MAX_LINES && *(line = next_line(self)); i++) {
		exits += !strncmp(line, "knell_exit: ", 12);
		lost = strstr(line, "knell_lost: ");
		if (lost && ++nr == 2)
			EXPECT_STREQ(last, lost + strlen("knell_lost: "));
	}
	EXPECT_EQ(2, nr);
	EXPECT_EQ(RESERVE, exits);
}

static int event_id(const char *name)
{
	char path[128];
	int id = -1;
	FILE *f;

	snprintf(path, sizeof(path), EVENTS "/%s/id", name);
	f = fopen(path, "r");
	if (!f)
		return -1;
	if (fscanf(f, "%d", &id) != 1)
		id = -1;
	fclose(f);
	return id;
}

/* As "perf stat -e knell:knell_watch_fire" does. */
TEST_F_TIMEOUT(trace, perf_counts, LIMIT)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_TRACEPOINT, .size = sizeof(attr),
		.config = event_id("knell_watch_fire"),
	};
	int perf = syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
	int64_t watch = add_watch(self->fd, op_user(1));
	struct knell_event ev;
	uint64_t count;
	int i;

	ASSERT_LE(0, perf);
	ASSERT_LT(0, watch);
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, trigger(self->fd, watch, 1));
		ASSERT_EQ(1, take(self->fd, &ev));
	}
	ASSERT_EQ((ssize_t)sizeof(count), read(perf, &count, sizeof(count)));
	EXPECT_EQ(3, count);
	close(perf);
}

#define INSN(c, d, s, o, i)	((struct bpf_insn){ .code = (c), .dst_reg = (d), .src_reg = (s), .off = (o), .imm = (i) })

/* A program that adds 1 to what the array @map has at @place. */
static int load_counter(int map, unsigned int place)
{
	struct bpf_insn insns[] = {
		INSN(BPF_ST | BPF_MEM | BPF_W, BPF_REG_10, 0, -4, place),
		INSN(BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_2, BPF_REG_10, 0, 0),
		INSN(BPF_ALU64 | BPF_ADD | BPF_K, BPF_REG_2, 0, 0, -4),
		INSN(BPF_LD | BPF_DW | BPF_IMM, BPF_REG_1, BPF_PSEUDO_MAP_FD, 0, map),
		INSN(0, 0, 0, 0, 0),
		INSN(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_map_lookup_elem),
		INSN(BPF_JMP | BPF_JEQ | BPF_K, BPF_REG_0, 0, 2, 0),
		INSN(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_1, 0, 0, 1),
		INSN(BPF_STX | BPF_ATOMIC | BPF_DW, BPF_REG_0, BPF_REG_1, 0, BPF_ADD),
		INSN(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, 0),
		INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
	};
	union bpf_attr attr = {
		.prog_type = BPF_PROG_TYPE_RAW_TRACEPOINT,
		.insns = (uintptr_t)insns,
		.insn_cnt = sizeof(insns) / sizeof(insns[0]),
		.license = (uintptr_t)"GPL",
	};

	return syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr));
}

static int attach_counter(int map, unsigned int place)
{
	union bpf_attr attr = { .raw_tracepoint = {
		.name = (uintptr_t)names[place],
		.prog_fd = load_counter(map, place),
	} };
	int fd;

	if ((int)attr.raw_tracepoint.prog_fd < 0)
		return -errno;
	fd = syscall(SYS_bpf, BPF_RAW_TRACEPOINT_OPEN, &attr, sizeof(attr));
	close(attr.raw_tracepoint.prog_fd);
	return fd;
}

static uint64_t counted(int map, uint32_t place)
{
	uint64_t count = 0;
	union bpf_attr attr = { .map_fd = map, .key = (uintptr_t)&place, .value = (uintptr_t)&count };

	return syscall(SYS_bpf, BPF_MAP_LOOKUP_ELEM, &attr, sizeof(attr)) ? 0 : count;
}

/* All that there is an event of. */
static bool all_happens(int fd)
{
	int64_t children = add_watch(fd, op_add(KNELL_CHILDREN, 0, 1)), user = add_watch(fd, op_user(1));
	struct knell_event ev;
	int again;

	if (trigger(fd, user, 1) || take(fd, &ev) != 1 || del_watch(fd, user))
		return false;
	for (int i = 0; i < RESERVE + 2; i++)
		if (reap(short_lived()))
			return false;
	if (del_watch(fd, children) || keep_queue(fd, "looked at"))
		return false;
	again = attach(fd, "looked at");
	if (again < 0 || keep_off(again, "looked at"))
		return false;
	close(again);
	return true;
}

#define CPUS_MAX	64

/* Of each event tracefs, perf, on all CPUs, and a program of bpf are told, at the same time. */
TEST_F_TIMEOUT(trace, three_look_on, LIMIT)
{
	union bpf_attr array = { .map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 8,
				 .max_entries = NR_NAMES };
	struct perf_event_attr attr = { .type = PERF_TYPE_TRACEPOINT, .size = sizeof(attr) };
	int map, bpf[NR_NAMES], perf[NR_NAMES][CPUS_MAX], cpus = sysconf(_SC_NPROCESSORS_ONLN);
	uint64_t one, told;
	unsigned int i;

	ASSERT_GE(CPUS_MAX, cpus);
	map = syscall(SYS_bpf, BPF_MAP_CREATE, &array, sizeof(array));
	if (map < 0 && errno == ENOSYS)
		SKIP(return, "no bpf");
	ASSERT_LE(0, map);
	for (i = 0; i < NR_NAMES; i++) {
		bpf[i] = attach_counter(map, i);
		ASSERT_LE(0, bpf[i]);
		attr.config = event_id(names[i]);
		for (int cpu = 0; cpu < cpus; cpu++) {
			perf[i][cpu] = syscall(SYS_perf_event_open, &attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);
			ASSERT_LE(0, perf[i][cpu]);
		}
	}
	ASSERT_TRUE(all_happens(self->fd));
	for (i = 0; i < NR_NAMES; i++) {
		told = 0;
		for (int cpu = 0; cpu < cpus; cpu++) {
			ASSERT_EQ((ssize_t)sizeof(one), read(perf[i][cpu], &one, sizeof(one)));
			told += one;
			close(perf[i][cpu]);
		}
		EXPECT_LT(0, told);
		EXPECT_EQ(told, counted(map, i));
		close(bpf[i]);
	}
	EXPECT_EQ(0, strncmp(next_line(self), "knell_watch_add: ", 17));
	close(map);
}

/* Whoever reads the raw ring has no C compiler: there is no name left that only knell.h knows. */
TEST_F_TIMEOUT(trace, formats, LIMIT)
{
	char path[128], text[8192];
	unsigned int i;
	size_t len;
	FILE *f;

	for (i = 0; i < NR_NAMES; i++) {
		snprintf(path, sizeof(path), EVENTS "/%s/format", names[i]);
		f = fopen(path, "r");
		ASSERT_NE(NULL, f);
		len = fread(text, 1, sizeof(text) - 1, f);
		fclose(f);
		text[len] = '\0';
		EXPECT_NE(NULL, strstr(text, "print fmt: \"queue="));
		EXPECT_EQ(NULL, strstr(text, "KNELL_"));
		EXPECT_EQ(NULL, strstr(text, "sizeof"));
	}
	EXPECT_NE(NULL, strstr(text, "{ 6, \"children\" }"));
}

TEST_HARNESS_MAIN
