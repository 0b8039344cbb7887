// SPDX-License-Identifier: GPL-2.0-only
/*
 * The module comes and goes a thousand times while others open it, fork under it, ask it over
 * netlink, listen to it and trace it; with a black box in some. Who has it open keeps it there, and
 * what he watches is told; what he leaves goes with it. In the end the kernel has no more memory of any
 * kind than before, where that can be told.
 *
 * Its two CPUs take turns: when the emulator runs each in a thread of its own it hangs, for the kernel
 * switches tracepoints by a breakpoint in its own code, and one of them goes on executing that when
 * memory has the new code already.
 *
 * runner-limit: 900
 * runner-smp: 2t
 */
#include "kselftest_harness.h"

#include "kernel_memory.h"
#include "netlink_test.h"

#define LIVES		1000
#define FORKERS		3
#define PATIENT		20	/* times that it may be in use */
#define EVENTS		"/sys/kernel/tracing/events/knell/enable"
#define TRACE		"/sys/kernel/tracing/trace"
#define BOX		"memmap=64K$0x10000000"
#define USED_ONCE	60	/* lives after the storm */
#define GROWTH		12	/* of a kind of memory, that need not be the module's */

/**
 * struct load - shared by those who use the module
 * @seed: of statuses
 * @stop: use it no more
 * @closed: do not open it
 * @inside: are between open and close
 * @uses: of the device
 * @caused: deaths while it was open
 * @told: of these
 * @left: closed when their process was on its way, so that nobody is told
 * @dumps: over netlink that were answered
 * @heard: of what happened, over netlink
 * @traces: events were switched on
 * @wrong: whatever cannot be
 */
struct load {
	uint64_t seed;
	atomic_bool stop;
	atomic_bool closed;
	atomic_int inside;
	atomic_uint uses;
	atomic_uint caused;
	atomic_uint told;
	atomic_uint left;
	atomic_uint dumps;
	atomic_uint heard;
	atomic_uint traces;
	atomic_uint wrong;
};

static void wrong(struct load *l, const char *what, long value)
{
	l->wrong++;
	fprintf(stderr, "# %s: %ld\n", what, value);
}

/* The device is closed before a process that is watched, or in a tree, has been on its own way. */
static void leave_one(struct load *l, int fd, pid_t pid, int status)
{
	close(fd);
	l->left++;
	if (reap(pid) != status)
		wrong(l, "status", status);
}

/*
 * A process under a watch, or in a tree: it may be born when the module has no other user. A timer is
 * left to whoever closes the device.
 */
static void watch_one(struct load *l, int fd, unsigned int nr)
{
	int status = status_of(l->seed, nr) & 0x7f00;
	bool member = nr % 2, leave = random_of(l->seed, nr) % 4 == 0;
	int64_t watch = member ? add_tree(fd, 0, nr) : add_next(fd, nr);
	struct knell_event ev;
	pid_t pid;

	if (watch <= 0 || (member && join_next(fd, watch)))
		return wrong(l, "ADD", watch);
	pid = fork();
	if (!pid)
		_exit(status >> 8);
	if (leave)
		return leave_one(l, fd, pid, status);
	l->caused++;
	if (next_event(fd, &ev) != 1 || ev.type != KNELL_EV_EXIT || ev.exit.pid != pid ||
	    ev.token != nr || ev.exit.status != status)
		wrong(l, "record", ev.exit.status);
	else
		l->told++;
	if (reap(pid) != status)
		wrong(l, "status", status);
	/* Half of the trees are closed before they have told that they are empty. */
	if (member && nr % 4 == 1 && (next_event(fd, &ev) != 1 || ev.type != KNELL_EV_EMPTY))
		wrong(l, "EMPTY", ev.type);
	if (add_watch(fd, op_timer(CLOCK_MONOTONIC, 0, NSEC_PER_MSEC, NSEC_PER_MSEC, BELL)) < 0)
		wrong(l, "timer", errno);
	close(fd);
}

/* By a process of its own, which is not to be remembered when it has gone. */
static void use_once(struct load *l, unsigned int nr)
{
	pid_t user = fork();
	int fd;

	if (user) {
		if (reap(user))
			wrong(l, "user", user);
		return;
	}
	fd = knell_open(0);
	if (fd < 0 && errno != ENOENT && errno != ENODEV && errno != ENXIO)
		wrong(l, "open", errno);
	if (fd >= 0) {
		watch_one(l, fd, nr);
		l->uses++;
	}
	_exit(0);
}

static void use_device(struct load *l, unsigned int who)
{
	for (unsigned int i = who; !l->stop; i += FORKERS) {
		while (l->closed)
			look_later();
		l->inside++;
		use_once(l, i);
		l->inside--;
		/* For others, and for whoever removes it. */
		for (uint64_t k = random_of(l->seed, i) % 4; k; k--)
			look_later();
	}
}

/* Each event that is switched on or off stops all CPUs for a moment, and so does each insmod. */
static void rest(void)
{
	for (int i = 0; i < 20; i++)
		look_later();
}

/* Who listens when the module goes is told of nothing more, and does not hold it. */
static void ask_netlink(struct load *l)
{
	static struct nl nl;

	rest();
	if (nl_open(&nl))
		return;
	if (!nl_queues(&nl, NULL, NULL))
		l->dumps++;
	if (nl.group)
		join_group(&nl);
	rest();
	while (recv(nl.fd, nl.buf, nl.room, MSG_DONTWAIT) > 0)
		l->heard++;
	close(nl.fd);
}

/* That may be refused when it comes or goes. */
static void trace_it(struct load *l)
{
	static char text[1 << 16];
	int fd = open(TRACE, O_RDONLY | O_CLOEXEC);

	l->traces += !write_file(EVENTS, "1");
	if (read(fd, text, sizeof(text)) < 0)
		wrong(l, "trace", errno);
	close(fd);
	rest();
	write_file(EVENTS, "0");
	rest();
}

static void run_user(struct load *l, unsigned int who)
{
	if (who < FORKERS)
		use_device(l, who);
	while (!l->stop) {
		if (who == FORKERS)
			ask_netlink(l);
		else
			trace_it(l);
	}
	_exit(0);
}

#define USERS		(FORKERS + 2)

/*
 * Again and again, until nobody has it open; if that does not come about by itself, for some time
 * nobody opens it, and then nothing may hold it. How often it was refused, or -errno.
 */
static int take_out(struct load *l)
{
	int refused = 0;

	while (syscall(SYS_delete_module, "knell", O_NONBLOCK)) {
		if (errno != EAGAIN && errno != EBUSY)
			return -errno;
		l->closed = ++refused > PATIENT;
		if (l->closed && !l->inside && module_refs_after_all(0)) {
			wrong(l, "nobody has it open, it is held", module_refs());
			return -EBUSY;
		}
		look_later();
	}
	l->closed = false;
	return refused;
}

/* Of memory that was kept for it; an arm64 machine's device tree has one in any case. */
static bool has_box(void)
{
	char text[4096] = "";
	int fd = open("/proc/cmdline", O_RDONLY | O_CLOEXEC);
	bool has = read(fd, text, sizeof(text) - 1) > 0 && strstr(text, BOX);

	close(fd);
#ifndef __x86_64__
	has = false;
#endif
	return has;
}

#define BOXED		1	/* the one with a black box */

static const char *const options[] = {
	"", "box_addr=0x10000000 box_size=65536", "wakeup=1", "mode=0666",
};

/* By option @o, where there is room for a black box. */
static int insert_with(unsigned int o, bool box)
{
	return insert_module(o == BOXED && !box ? "" : options[o]);
}

/* One of each, by itself: the kernel has then what it keeps of such. 0 or -errno. */
static int live_quietly(struct load *l, bool box)
{
	for (unsigned int o = 0; o < ARRAY_SIZE(options); o++) {
		if (take_out(l) < 0 || insert_with(o, box))
			return -errno;
		for (unsigned int i = 0; i < 8; i++)
			use_once(l, i);
		ask_netlink(l);
		trace_it(l);
	}
	return take_out(l) < 0 ? -errno : 0;
}

/*
 * Of "make soak" the kernel's memory is judged: "make check" has slabs with poison in them, of which none
 * is shrunk, and a debug kernel keeps what was freed, and notes on all. What leaks there kmemleak finds
 * (qemu/init.c).
 */
static bool judges_memory(void)
{
	return getenv("KNELL_SOAK_SIZE") && access("/sys/kernel/debug/kmemleak", F_OK) &&
	       access("/sys/kernel/debug/kcsan", F_OK);
}

/* What was freed comes back after a while: is there less than @most more of each kind, in the end? */
static bool all_given_back(const struct kernel_memory *then, unsigned long most)
{
	static struct kernel_memory now;
	uint64_t until = clock_ns(CLOCK_MONOTONIC) + 20 * SLOW * NSEC_PER_SEC;
	unsigned long growth;

	do {
		rest();
		note_least(&now);
		growth = memory_growth(then, &now, ~0UL);
	} while (growth >= most && clock_ns(CLOCK_MONOTONIC) < until);
	printf("# of %u kinds of memory there are %lu more, at most\n", now.nr, growth);
	fflush(stdout);
	return memory_growth(then, &now, most) < most;
}

FIXTURE(soak) {
	struct load *l;
	struct kernel_memory then;
	pid_t pid[USERS];
	uint64_t since;
};

FIXTURE_SETUP(soak)
{
	self->l = shared(sizeof(*self->l));
	self->l->seed = soak_seed();
	if (judges_memory()) {
		ASSERT_EQ(0, live_quietly(self->l, has_box()));
		note_least(&self->then);
		ASSERT_LT(2, self->then.nr);
	} else {
		ASSERT_LE(0, take_out(self->l));
	}
	ASSERT_EQ(0, insert_module(""));
	self->since = clock_ns(CLOCK_MONOTONIC);
}

FIXTURE_TEARDOWN(soak)
{
	EXPECT_EQ(0, module_refs_after_all(0));
}

/* What is lost once in a life has grown more than what else comes and goes. */
static void live_once_each(struct __test_metadata *_metadata, struct load *l, bool box)
{
	for (unsigned int i = 0; i < USED_ONCE; i++) {
		ASSERT_LE(0, take_out(l));
		ASSERT_EQ(0, insert_with(i % ARRAY_SIZE(options), box));
		use_once(l, i);
	}
}

TEST_F_TIMEOUT(soak, modules, SOAK_LIMIT)
{
	unsigned int lives = soak_of(LIVES), boxes = 0;
	unsigned long refused = 0;
	struct load *l = self->l;
	bool box = has_box();

	for (unsigned int i = 0; i < USERS; i++) {
		self->pid[i] = fork();
		if (!self->pid[i])
			run_user(l, i);
	}
	for (unsigned int i = 0; i < lives; i++) {
		uint64_t r = random_of(l->seed, i);
		unsigned int o = r % ARRAY_SIZE(options), uses = l->uses + r / 4 % 4;
		int n = take_out(l);

		ASSERT_LE(0, n);
		refused += n;
		ASSERT_EQ(0, insert_with(o, box));
		boxes += box && o == BOXED;
		while (l->uses < uses)
			look_later();
	}
	l->stop = true;
	for (unsigned int i = 0; i < USERS; i++)
		EXPECT_EQ(0, reap(self->pid[i]));
	print_figures("times out and in", lives, self->since);
	printf("# %u with a black box; %lu times refused; %u exits told, %u left; %u dumps, %u heard, "
	       "%u times traced\n",
	       boxes, refused, l->told, l->left, l->dumps, l->heard, l->traces);
	fflush(stdout);
	EXPECT_EQ(0, l->wrong);
	EXPECT_EQ(l->caused, l->told);
	EXPECT_LT(0, l->caused);
	EXPECT_LT(0, refused);
	if (judges_memory())
		live_once_each(_metadata, l, box);
	EXPECT_LE(0, take_out(l));
	EXPECT_TRUE(!judges_memory() || all_given_back(&self->then, GROWTH));
	EXPECT_EQ(0, insert_module(""));
}

TEST_HARNESS_MAIN
