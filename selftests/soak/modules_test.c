// SPDX-License-Identifier: GPL-2.0-only
/*
 * The module comes and goes a thousand times while others open it, fork under it, ask it over
 * netlink and trace it; with a black box in some. Who has it open keeps it there, and what he watches is
 * told.
 *
 * On one CPU: with two emulated ones it hangs at times. Once a debugger showed why: the kernel switches
 * tracepoints by a breakpoint in its own code, and one CPU went on executing that when memory had the
 * new code already. Other hangs were not looked into.
 *
 * runner-limit: 900
 * runner-smp: 1
 */
#include "kselftest_harness.h"

#include "netlink_test.h"
#include "soak.h"

#define LIVES		1000
#define FORKERS		3
#define PATIENT		20	/* times that it may be in use */
#define EVENTS		"/sys/kernel/tracing/events/knell/enable"
#define TRACE		"/sys/kernel/tracing/trace"
#define BOX		"memmap=64K$0x10000000"

/**
 * struct load - shared by those who use the module
 * @seed: of statuses
 * @stop: use it no more
 * @closed: do not open it
 * @uses: of the device
 * @caused: deaths while it was open
 * @told: of these
 * @dumps: over netlink that were answered
 * @traces: events were switched on
 * @wrong: whatever cannot be
 */
struct load {
	uint64_t seed;
	atomic_bool stop;
	atomic_bool closed;
	atomic_uint uses;
	atomic_uint caused;
	atomic_uint told;
	atomic_uint dumps;
	atomic_uint traces;
	atomic_uint wrong;
};

static void wrong(struct load *l, const char *what, long value)
{
	l->wrong++;
	fprintf(stderr, "# %s: %ld\n", what, value);
}

/* A process under a watch, or in a tree: it may be born when the module has no other user. */
static void watch_one(struct load *l, int fd, unsigned int nr)
{
	int status = status_of(l->seed, nr) & 0x7f00;
	bool member = nr % 2;
	int64_t watch = member ? add_tree(fd, 0, nr) : add_next(fd, nr);
	struct knell_event ev;
	pid_t pid;

	if (watch <= 0 || (member && join_next(fd, watch)))
		return wrong(l, "ADD", watch);
	pid = fork();
	if (!pid)
		_exit(status >> 8);
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
}

static void use_device(struct load *l, unsigned int who)
{
	for (unsigned int i = who; !l->stop; i += FORKERS) {
		int fd;

		while (l->closed)
			look_later();
		fd = knell_open(0);
		if (fd < 0 && errno != ENOENT && errno != ENODEV && errno != ENXIO)
			wrong(l, "open", errno);
		if (fd >= 0) {
			watch_one(l, fd, i);
			close(fd);
			l->uses++;
		}
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

static void ask_netlink(struct load *l)
{
	static struct nl nl;

	while (!l->stop) {
		rest();
		if (nl_open(&nl))
			continue;
		if (!nl_queues(&nl, NULL, NULL))
			l->dumps++;
		close(nl.fd);
	}
}

/* That may be refused when it comes or goes. */
static void trace_it(struct load *l)
{
	static char text[1 << 16];

	while (!l->stop) {
		int fd = open(TRACE, O_RDONLY | O_CLOEXEC);

		l->traces += !write_file(EVENTS, "1");
		if (read(fd, text, sizeof(text)) < 0)
			wrong(l, "trace", errno);
		close(fd);
		rest();
		write_file(EVENTS, "0");
		rest();
	}
}

static void run_user(struct load *l, unsigned int who)
{
	if (who < FORKERS)
		use_device(l, who);
	else if (who == FORKERS)
		ask_netlink(l);
	else
		trace_it(l);
	_exit(0);
}

#define USERS		(FORKERS + 2)

/*
 * Again and again, until nobody has it open; if that does not come about by itself, for some time
 * nobody opens it. How often it was refused, or -errno.
 */
static int take_out(struct load *l)
{
	int refused = 0;

	while (syscall(SYS_delete_module, "knell", O_NONBLOCK)) {
		if (errno != EAGAIN && errno != EBUSY)
			return -errno;
		l->closed = ++refused > PATIENT;
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

FIXTURE(soak) {
	struct load *l;
	pid_t pid[USERS];
	uint64_t since;
};

FIXTURE_SETUP(soak)
{
	self->l = shared(sizeof(*self->l));
	self->l->seed = soak_seed();
	self->since = clock_ns(CLOCK_MONOTONIC);
}

FIXTURE_TEARDOWN(soak)
{
	EXPECT_EQ(0, module_refs_after_all(0));
}

TEST_F_TIMEOUT(soak, modules, SOAK_LIMIT)
{
	static const char *const options[] = {
		"", "box_addr=0x10000000 box_size=65536", "wakeup=1", "mode=0666",
	};
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
		unsigned int o = r % 4 == 1 && !box ? 0 : r % 4, uses = l->uses + r / 4 % 4;
		int n = take_out(l);

		ASSERT_LE(0, n);
		refused += n;
		ASSERT_EQ(0, insert_module(options[o]));
		boxes += o == 1;
		while (l->uses < uses)
			look_later();
	}
	l->stop = true;
	for (unsigned int i = 0; i < USERS; i++)
		EXPECT_EQ(0, reap(self->pid[i]));
	EXPECT_EQ(0, l->wrong);
	EXPECT_EQ(l->caused, l->told);
	EXPECT_LT(0, l->caused);
	EXPECT_LT(0, refused);
	print_figures("times out and in", lives, self->since);
	printf("# %u with a black box; %lu times refused; %u exits told, %u dumps, %u times traced\n",
	       boxes, refused, l->told, l->dumps, l->traces);
	fflush(stdout);
	EXPECT_EQ(0, take_out(l) < 0);
	EXPECT_EQ(0, insert_module(""));
}

TEST_HARNESS_MAIN
