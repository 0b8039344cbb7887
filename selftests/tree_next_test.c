// SPDX-License-Identifier: GPL-2.0-only
/*
 * OPF_NEXT and what becomes of the thread that bespoke it: what it executes has
 * no part in it, least of all with more rights, and when it has ended nothing of
 * it stays.
 */
#include "kselftest_harness.h"

#include <pthread.h>

#include "trap_test.h"
#include "tree_test.h"

#define CODE		5	/* the child's, whoever is told */
#define SETUID_COPY	"/tmp/tree_next_setuid"
#define PLAIN_COPY	"/tmp/tree_next_plain"

QUEUE_FIXTURE(next)

/* What this program does when it is executed again. */

static int bear_child(void)
{
	pid_t pid = bare_fork();

	if (!pid)
		_exit(CODE);
	return reap(pid) == EXITED(CODE) ? 0 : 1;
}

static void exec_again(int fd, unsigned int watch, int n)
{
	char as[64];

	snprintf(as, sizeof(as), "again %d %u %d", fd, watch, n);
	exec_as(as);
}

/* Bespeaks and executes itself @n times, then has the child. */
static int bespeak_and_exec(int fd, unsigned int watch, int n)
{
	CHECK(join_next(fd, watch) == 0);
	if (n)
		exec_again(fd, watch, n - 1);
	return bear_child();
}

static void __attribute__((constructor)) run_as(void)
{
	const char *what = getenv(EXEC_AS);
	unsigned int watch;
	int fd, n;

	if (!what)
		return;
	if (sscanf(what, "bear %d", &n) == 1)
		_exit(geteuid() == (uid_t)n ? bear_child() : BROKEN);
	if (sscanf(what, "again %d %u %d", &fd, &watch, &n) == 3)
		_exit(bespeak_and_exec(fd, watch, n));
	_exit(BROKEN);
}

/**
 * struct deal - what is bespoken, and what then
 * @process: a PROCESS, else a place in a tree
 * @path: of what is executed, NULL: nothing
 * @euid: of that
 */
struct deal {
	bool process;
	const char *path;
	uid_t euid;
};

static void bespeak(int fd, uint32_t *watch, const struct deal *deal)
{
	char as[32];

	if (deal->process) {
		int64_t handle = add_next(fd, 1);

		*watch = handle;
		if (handle < 0)
			_exit(BROKEN);
	} else if (join_next(fd, *watch)) {
		_exit(BROKEN);
	}
	snprintf(as, sizeof(as), "bear %u", deal->euid);
	if (deal->path)
		exec_path_as(deal->path, as);
	_exit(bear_child());
}

/* By the user, from open() on. */
static int run_deal(void *arg)
{
	const struct deal *deal = arg;
	uint32_t *watch = shared(sizeof(*watch));
	int fd = knell_open(O_NONBLOCK);
	struct knell_watch_info wi;
	struct knell_event ev;
	pid_t pid;

	if (!deal->process)
		*watch = add_tree(fd, KNELL_OPF_REPORT_EXIT, 1);
	pid = fork();
	CHECK(pid >= 0);
	if (!pid)
		bespeak(fd, watch, deal);
	CHECK(reap(pid) == 0);
	if (!deal->path) {
		CHECK(pending_event(fd, &ev) == 1);
		CHECK(ev.type == KNELL_EV_EXIT && ev.exit.status == EXITED(CODE));
		return 0;
	}
	/* Neither the program nor its child is known: it is armed still, about nobody. */
	CHECK(nothing_pending(fd));
	wi = watch_info(fd, *watch);
	CHECK(wi.state == 1 && wi.pid == 0 && wi.value == 0);
	CHECK(del_watch(fd, *watch) == 0);
	CHECK(nr_watches(fd) == 0);
	return 0;
}

static void as_user(struct __test_metadata *_metadata, const char *path, mode_t mode, uid_t euid)
{
	for (int process = 0; process <= 1; process++) {
		struct deal deal = { process, path, euid };
		long refs = module_refs();

		ASSERT_EQ(0, chmod(KNELL_DEVICE, 0666));
		if (path)
			ASSERT_EQ(0, copy_file("/proc/self/exe", path, mode));
		EXPECT_EQ(0, as_who(&user_1000, run_deal, &deal)) {
			TH_LOG("of a %s", process ? "process" : "tree");
		}
		if (path)
			unlink(path);
		chmod(KNELL_DEVICE, 0600);
		EXPECT_EQ(refs, module_refs());
	}
}

/* The next case's counterpart. */
TEST_F_TIMEOUT(next, without_exec, LIMIT)
{
	as_user(_metadata, NULL, 0, 1000);
}

/* A user must not follow what root's program makes by way of it. */
TEST_F_TIMEOUT(next, exec_of_a_setuid_program, LIMIT)
{
	as_user(_metadata, SETUID_COPY, 04755, 0);
}

TEST_F_TIMEOUT(next, exec_of_any_program, LIMIT)
{
	as_user(_metadata, PLAIN_COPY, 0755, 1000);
}

/*
 * What was bespoken before execve, a PROCESS and places in a tree, is in nobody's
 * way after it, and the places do not pile up: the last one counts.
 */
#define EXECS		60

TEST_F_TIMEOUT(next, bespoken_anew_after_exec, LIMIT)
{
	int64_t tree = add_tree(self->fd, 0, 1);
	long refs = module_refs();
	struct knell_event ev;
	pid_t pid;

	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		fcntl(self->fd, F_SETFD, 0);
		if (add_next(self->fd, 2) < 0)
			_exit(BROKEN);
		exec_again(self->fd, tree, EXECS);
	}
	EXPECT_EQ(0, reap(pid));
	ASSERT_EQ(1, next_event(self->fd, &ev));
	EXPECT_TRUE(is_exit(&ev, tree, ANY, EXITED(CODE), 0, KNELL_EVF_MAIN));
	EXPECT_GT(refs + 4, module_refs()) {
		TH_LOG("%ld references, %ld before", module_refs(), refs);
	}
	EXPECT_EQ(1, next_event(self->fd, &ev));
	EXPECT_EQ(KNELL_EV_EMPTY, ev.type);
	/* The first program's PROCESS is about nobody. */
	EXPECT_TRUE(nothing_pending(self->fd));
	EXPECT_EQ(1, nr_watches(self->fd));
}

/*
 * Threads bespeak a place and end without a child; each holds the module until
 * its own is cleared away. Some live on, and each of the others until the one
 * after it has bespoken: what it left is not the latest.
 */
#define STAY		8
#define ENDING		400

struct bespeaker {
	int fd;
	uint32_t tree;
	int gate;
	int said[2];
};

static void *bespeak_and_wait(void *arg)
{
	struct bespeaker *b = arg;

	tell(b->said, join_next(b->fd, b->tree) ? 'e' : 'j');
	pass_gate(b->gate);
	return NULL;
}

static pthread_t start_bespeaker(struct __test_metadata *_metadata, struct bespeaker *b)
{
	pthread_t thread;

	ASSERT_EQ(0, pthread_create(&thread, NULL, bespeak_and_wait, b));
	ASSERT_EQ('j', hear(b->said));
	return thread;
}

static void end_bespeaker(struct __test_metadata *_metadata, struct bespeaker *b, pthread_t thread)
{
	open_gate(b->gate, 1);
	ASSERT_EQ(0, pthread_join(thread, NULL));
}

TEST_F_TIMEOUT(next, threads_that_end, LIMIT)
{
	struct bespeaker b[2], stays;
	pthread_t stay[STAY], thread[2];
	long refs = module_refs();

	stays = (struct bespeaker){ .fd = self->fd, .tree = add_tree(self->fd, 0, 1),
				    .gate = new_gate() };
	ASSERT_EQ(0, pipe(stays.said));
	for (int i = 0; i < 2; i++) {
		b[i] = stays;
		b[i].gate = new_gate();
	}
	for (int i = 0; i < STAY; i++)
		stay[i] = start_bespeaker(_metadata, &stays);
	thread[0] = start_bespeaker(_metadata, &b[0]);
	for (int i = 1; i < ENDING; i++) {
		thread[i % 2] = start_bespeaker(_metadata, &b[i % 2]);
		end_bespeaker(_metadata, &b[(i - 1) % 2], thread[(i - 1) % 2]);
		ASSERT_GT(refs + 4 * STAY, module_refs()) {
			TH_LOG("%d threads have ended", i);
		}
	}
	EXPECT_LT(refs + STAY, module_refs());
	ASSERT_EQ(0, del_watch(self->fd, stays.tree));
	EXPECT_EQ(refs, module_refs());
	end_bespeaker(_metadata, &b[(ENDING - 1) % 2], thread[(ENDING - 1) % 2]);
	open_gate(stays.gate, STAY);
	for (int i = 0; i < STAY; i++)
		ASSERT_EQ(0, pthread_join(stay[i], NULL));
}

/* --- a newcomer that is not there yet */

static int exit_with_code(void *arg)
{
	(void)arg;
	return CODE;
}

/*
 * A child that is born, and stops before it has done anything: it is to write its pid where
 * somebody looks first.
 */
static pid_t stuck_newborn(struct trap *trap)
{
	static char stack[65536] __attribute__((aligned(16)));

	return clone(exit_with_code, stack + sizeof(stack), CLONE_VM | CLONE_CHILD_SETTID | SIGCHLD,
		     NULL, NULL, NULL, trap->page);
}

/* Its watch is gone when it comes: it is in no tree, and nothing is told of it. */
TEST_F_TIMEOUT(next, del_before_the_newcomer_is_there, LIMIT)
{
	long refs = module_refs();

	for (int process = 0; process <= 1; process++) {
		int64_t watch = process ? add_next(self->fd, 1) :
			add_tree(self->fd, KNELL_OPF_REPORT_FORK | KNELL_OPF_REPORT_EXIT, 1);
		struct trap trap;
		pid_t pid;

		ASSERT_LT(0, watch);
		ASSERT_EQ(0, set_trap(&trap));
		if (!process)
			ASSERT_EQ(0, join_next(self->fd, watch));
		pid = stuck_newborn(&trap);
		ASSERT_LT(0, pid);
		ASSERT_EQ(0, wait_trapped(&trap));
		EXPECT_EQ(pid, watch_info(self->fd, watch).pid);
		EXPECT_EQ(!process, watch_info(self->fd, watch).value);
		ASSERT_EQ(0, del_watch(self->fd, watch));
		ASSERT_EQ(0, end_trap(&trap));
		EXPECT_EQ(EXITED(CODE), reap(pid));
		EXPECT_TRUE(nothing_pending(self->fd));
		EXPECT_EQ(0, nr_watches(self->fd));
		EXPECT_EQ(refs, module_refs_after_all(refs));
		close(trap.fd);
	}
}

/* --- so many that several share a place where the module looks for them */

#define CROWD	150

struct crowd {
	int fd;
	pthread_barrier_t ready;
	pthread_barrier_t done;
};

struct one {
	struct crowd *crowd;
	pthread_t thread;
	int nr;
	pid_t pid;
};

static void *bespeak_and_bear(void *arg)
{
	struct one *o = arg;
	bool bespoken = add_next(o->crowd->fd, o->nr) > 0;

	pthread_barrier_wait(&o->crowd->ready);
	if (bespoken) {
		o->pid = bare_fork();
		if (!o->pid)
			_exit(o->nr % 251);
	}
	pthread_barrier_wait(&o->crowd->done);
	return NULL;
}

/* Each child is its own parent's. */
TEST_F_TIMEOUT(next, a_crowd_of_parents, LIMIT)
{
	struct crowd crowd = { .fd = self->fd };
	static struct one one[CROWD];
	struct knell_event ev;
	pthread_attr_t attr;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 65536);
	pthread_barrier_init(&crowd.ready, NULL, CROWD);
	pthread_barrier_init(&crowd.done, NULL, CROWD);
	for (int i = 0; i < CROWD; i++) {
		one[i] = (struct one){ .crowd = &crowd, .nr = i };
		ASSERT_EQ(0, pthread_create(&one[i].thread, &attr, bespeak_and_bear, &one[i]));
	}
	for (int i = 0; i < CROWD; i++)
		pthread_join(one[i].thread, NULL);
	for (int i = 0; i < CROWD; i++) {
		ASSERT_EQ(1, next_event(self->fd, &ev));
		ASSERT_GT(CROWD, ev.token);
		EXPECT_EQ(one[ev.token].pid, ev.exit.pid);
		EXPECT_EQ(EXITED((int)ev.token % 251), (int)ev.exit.status);
		EXPECT_EQ(EXITED((int)ev.token % 251), reap(ev.exit.pid));
		one[ev.token].pid = 0;
	}
	EXPECT_TRUE(nothing_pending(self->fd));
}

TEST_HARNESS_MAIN
