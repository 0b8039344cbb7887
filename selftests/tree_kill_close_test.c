// SPDX-License-Identifier: GPL-2.0-only
/*
 * What goes with the queue that a TREE is in: OPF_KILL_ON_CLOSE; and everything
 * at once.
 *
 * runner-limit: 1200
 */
#include "kselftest_harness.h"

#include "tree_party.h"

QUEUE_FIXTURE(kill)

/* What goes with the queue. */

struct holder {
	struct party *p;
	uint32_t flags;
	enum { CLOSE, EXIT, DIE, DEL_CLOSE } end;
};

/* The queue is not for the members: who inherits it holds it. */
static void be_held(void *arg)
{
	struct party *p = arg;

	close(p->fd);
	if (p->copy)
		close(p->copy);
	for (int i = 0; i < 2; i++)
		if (!bare_fork())
			break;
	tell(p->said, 'r');
	pass_gate(p->gate);
	atomic_fetch_add(&p->signals, 1);
	_exit(0);
}

static void hold(void *arg)
{
	struct holder *h = arg;
	struct party *p = h->p;

	p->fd = knell_open(0);
	p->tree = add_tree(p->fd, h->flags, 1);
	if (spawn_member(p->fd, p->tree, be_held, p) <= 0)
		_exit(BROKEN);
	drop_lifeline(&p->life);
	pass_gate(p->nr);
	if (h->end == DEL_CLOSE && del_watch(p->fd, p->tree))
		_exit(BROKEN);
	if (h->end == EXIT || h->end == DIE)
		_exit(0);
	close(p->fd);
	tell(p->said, 'c');
	sleep_for_ever(NULL);
}

/* Whether the members go; if not they are let go. */
static void see_queue_go(struct __test_metadata *_metadata, uint32_t flags, int end, bool killed)
{
	struct party *p = new_party(-1, 0);
	struct holder h = { p, flags, end };
	pid_t holder;

	p->nr = new_gate();
	holder = spawn_process(hold, &h);
	ASSERT_LT(0, holder);
	drop_lifeline(&p->life);
	for (int i = 0; i < 3; i++)
		ASSERT_EQ('r', hear_soon(p->said));
	ASSERT_FALSE(all_dead(&p->life));
	if (end == DIE)
		kill(holder, SIGKILL);
	else
		open_gate(p->nr, 1);
	if (end == EXIT || end == DIE)
		reap(holder);
	else
		ASSERT_EQ('c', hear_soon(p->said));
	if (!killed)
		open_gate(p->gate, 3);
	EXPECT_TRUE(await_all_dead(&p->life));
	EXPECT_EQ(killed ? 0 : 3, atomic_load(&p->signals));
	kill(holder, SIGKILL);
	reap_all();
}

TEST_F_TIMEOUT(kill, close_kills, LIMIT)
{
	see_queue_go(_metadata, KNELL_OPF_KILL_ON_CLOSE, CLOSE, true);
	see_queue_go(_metadata, KNELL_OPF_KILL_ON_CLOSE | KNELL_OPF_ACK | REPORTS, CLOSE, true);
}

TEST_F_TIMEOUT(kill, exit_of_the_holder_kills, LIMIT)
{
	see_queue_go(_metadata, KNELL_OPF_KILL_ON_CLOSE, EXIT, true);
}

TEST_F_TIMEOUT(kill, death_of_the_holder_kills, LIMIT)
{
	see_queue_go(_metadata, KNELL_OPF_KILL_ON_CLOSE, DIE, true);
}

TEST_F_TIMEOUT(kill, close_kills_only_if_asked, LIMIT)
{
	see_queue_go(_metadata, 0, CLOSE, false);
	see_queue_go(_metadata, KNELL_OPF_ACK | REPORTS, DIE, false);
}

TEST_F_TIMEOUT(kill, close_after_del_does_not_kill, LIMIT)
{
	see_queue_go(_metadata, KNELL_OPF_KILL_ON_CLOSE, DEL_CLOSE, false);
}

/* As long as anybody holds a descriptor the queue is there. */
static void hold_and_die(void *arg)
{
	struct party *p = arg;

	if (spawn_member(p->fd, p->tree, be_held, p) <= 0)
		_exit(BROKEN);
	drop_lifeline(&p->life);
	sleep_for_ever(NULL);
}

TEST_F_TIMEOUT(kill, last_close_counts, LIMIT)
{
	int fd = knell_open(0), copy = dup(fd);
	int64_t tree = add_tree(fd, KNELL_OPF_KILL_ON_CLOSE, 1);
	struct party *p = new_party(fd, tree);
	pid_t holder;

	p->copy = copy;
	holder = spawn_process(hold_and_die, p);
	ASSERT_LT(0, holder);
	drop_lifeline(&p->life);
	for (int i = 0; i < 3; i++)
		ASSERT_EQ('r', hear_soon(p->said));
	kill(holder, SIGKILL);
	reap(holder);
	ASSERT_EQ(0, close(fd));
	/* One passes, two are left. */
	open_gate(p->gate, 1);
	while (tree_members(copy, tree) != 2)
		sched_yield();
	EXPECT_EQ(2, kill_watch(copy, tree, 0));
	EXPECT_EQ(1, atomic_load(&p->signals));
	ASSERT_EQ(0, close(copy));
	EXPECT_TRUE(await_all_dead(&p->life));
	EXPECT_EQ(1, atomic_load(&p->signals));
	reap_all();
}

/* The rights are the opener's, whoever closes it last. */
static int open_for_others(void *arg)
{
	struct party *p = arg;

	p->fd = knell_open(O_NONBLOCK);
	p->tree = add_tree(p->fd, KNELL_OPF_KILL_ON_CLOSE, 1);
	atomic_store(&p->pid[0], getpid());
	tell(p->said, 'u');
	pass_gate(p->gate);
	return 0;
}

static void wait_as_user(void *arg)
{
	struct party *p = arg;

	close(p->nr);
	become(&user_1000);
	atomic_store(&p->pid[1], getpid());
	tell(p->said, 'w');
	sleep_for_ever(NULL);
}

static void wait_as_root(void *arg)
{
	struct party *p = arg;

	close(p->nr);
	tell(p->said, 'w');
	pass_gate(p->gate2);
	_exit(4);
}

/* The kernel lets every process signal itself; the opener of the queue it must not let. */
static void close_as_root(void *arg)
{
	struct party *p = arg;

	tell(p->said, 'w');
	pass_gate(p->gate2);
	_exit(close(p->nr) ? BROKEN : 4);
}

static void see_root_spared(struct __test_metadata *_metadata, member_fn root, bool root_closes)
{
	struct party *p = new_party(-1, 0);
	pid_t user, mine, his;

	p->nr = start_user(_metadata, p, open_for_others, &user);
	p->gate2 = new_gate();
	mine = spawn_member(p->nr, p->tree, root, p);
	his = spawn_member(p->nr, p->tree, wait_as_user, p);
	ASSERT_LT(0, mine);
	ASSERT_LT(0, his);
	for (int i = 0; i < 2; i++)
		ASSERT_EQ('w', hear_soon(p->said));
	open_gate(p->gate, 1);
	ASSERT_EQ(0, reap(user));
	ASSERT_EQ(2, tree_members(p->nr, p->tree));
	ASSERT_EQ(0, close(p->nr));
	if (root_closes)
		open_gate(p->gate2, 1);
	EXPECT_EQ(SIGKILL, reap(his));
	if (!root_closes)
		open_gate(p->gate2, 1);
	EXPECT_EQ(EXITED(4), reap(mine));
}

TEST_F_TIMEOUT(kill, close_by_root_of_a_users_queue, LIMIT)
{
	see_root_spared(_metadata, wait_as_root, false);
}

TEST_F_TIMEOUT(kill, close_by_a_member_of_a_users_queue, LIMIT)
{
	see_root_spared(_metadata, close_as_root, true);
}

static int close_last(void *arg)
{
	struct party *p = arg;

	return close(p->fd) ? -errno : 0;
}

static void close_as_user(void *arg)
{
	become(&user_1000);
	_exit(close_last(arg) ? BROKEN : 0);
}

TEST_F_TIMEOUT(kill, close_by_a_user_of_roots_queue, LIMIT)
{
	int fd = knell_open(0);
	int64_t tree = add_tree(fd, KNELL_OPF_KILL_ON_CLOSE, 1);
	struct party *p = new_party(fd, tree);
	pid_t member, closer;

	ASSERT_EQ(0, join_next(fd, tree));
	member = fork();
	ASSERT_LE(0, member);
	if (!member) {
		close(fd);
		tell(p->said, 'm');
		sleep_for_ever(NULL);
	}
	ASSERT_EQ('m', hear_soon(p->said));
	closer = fork();
	ASSERT_LE(0, closer);
	if (!closer) {
		pass_gate(p->gate);
		close_as_user(p);
	}
	ASSERT_EQ(0, close(fd));
	EXPECT_EQ(0, kill(member, 0));
	open_gate(p->gate, 1);
	EXPECT_EQ(0, reap(closer));
	EXPECT_EQ(SIGKILL, reap(member));
}

/*
 * Everything at once: processes that add trees in queues of their own and in
 * one that all share, fork into them, kill, DEL, read and close at random.
 */
#define WORKERS		4
#define STEPS		rounds(300)

struct stress {
	int shared_fd;
	int end[2];		/* readable for those who shall go */
	atomic_uint bad;
	atomic_uint killed;
	atomic_uint births;
};

static unsigned int draw(uint64_t *seed, unsigned int below)
{
	return (next_random(seed) >> 11) % below;
}

static void complain(struct stress *s, const char *what, long value)
{
	if (atomic_fetch_add(&s->bad, 1) < 20)
		fprintf(stderr, "# %s: %ld\n", what, value);
}

/* A member: has a few children, sometimes a tree of its own, then goes or waits for the end. */
static void live(struct stress *s, int fd, uint64_t seed)
{
	char c;

	seed ^= getpid() * 0x9e3779b97f4a7c15ULL;
	for (unsigned int n = draw(&seed, 4); n; n--) {
		if (!draw(&seed, 4))
			join(fd, add_tree(fd, REPORTS, 7));
		if (!draw(&seed, 4))
			join_next(s->shared_fd, 1 + draw(&seed, 100));
		atomic_fetch_add(&s->births, 1);
		if (!bare_fork())
			seed ^= getpid();
	}
	close(s->end[1]);
	if (draw(&seed, 2))
		while (read(s->end[0], &c, 1) < 0 && errno == EINTR)
			;
	_exit(0);
}

static void drain(struct stress *s, int fd, uint64_t *seq)
{
	struct knell_event ev[16];
	int n = wait_events(fd, ev, 16, 0);

	if (n < 0)
		complain(s, "read", n);
	for (int i = 0; i < n; i++) {
		if (ev[i].seq <= *seq)
			complain(s, "seq", ev[i].seq);
		if (ev[i].flags & KNELL_EVF_INEXACT)
			complain(s, "inexact", ev[i].watch);
		*seq = ev[i].seq;
	}
}

static const uint32_t stress_flags[] = {
	0, REPORTS, REPORTS | KNELL_OPF_ACK, KNELL_OPF_KILL_ON_CLOSE, KNELL_OPF_REPORT_EXIT,
	KNELL_OPF_ACK | KNELL_OPF_KILL_ON_CLOSE,
};

static void check_result(struct stress *s, const char *what, int ret)
{
	/* Trees come and go under the feet of whoever has their handles. */
	if (ret < 0 && ret != -ENOENT && ret != -ESHUTDOWN && ret != -E2BIG && ret != -EBUSY &&
	    ret != -EEXIST)
		complain(s, what, ret);
}

static void run_worker(struct stress *s, unsigned int nr)
{
	static const int sigs[] = { SIGKILL, SIGKILL, SIGTERM, 0, SIGHUP, SIGUSR1 };
	uint64_t seed = 0xd1342543de82ef95ULL + nr, seq[2] = { }, none = 0;
	int own = knell_open(0);

	catch_signal(SIGCHLD, SIG_DFL, SA_NOCLDWAIT);
	for (int i = 0; i < STEPS; i++) {
		bool mine = draw(&seed, 2);
		int fd = mine ? own : s->shared_fd, ret;
		uint32_t tree = 1 + draw(&seed, mine ? 1 + i : 100);

		switch (draw(&seed, 8)) {
		case 0:
			ret = add_tree(fd, stress_flags[draw(&seed, ARRAY_SIZE(stress_flags))], i);
			check_result(s, "ADD", ret < 0 ? ret : 0);
			break;
		case 1:
		case 2:
		case 3:
			check_result(s, "JOIN", join_next(fd, tree));
			atomic_fetch_add(&s->births, 1);
			if (!bare_fork())
				live(s, fd, seed);
			break;
		case 4:
			ret = kill_watch(fd, tree, sigs[draw(&seed, ARRAY_SIZE(sigs))]);
			check_result(s, "KILL", ret);
			if (ret > 0)
				atomic_fetch_add(&s->killed, ret);
			break;
		case 5:
			check_result(s, "DEL", del_watch(fd, tree));
			break;
		case 6:
			drain(s, fd, mine ? &seq[0] : &seq[1]);
			break;
		default:
			if (draw(&seed, 8))
				break;
			close(own);
			own = knell_open(0);
			seq[0] = none;
		}
	}
	close(own);
	_exit(0);
}

static void kill_and_del_all(struct __test_metadata *_metadata, int fd)
{
	struct knell_watch_info wi[64];
	int n;

	while ((n = list_watches(fd, wi, 64, 0)) > 0) {
		for (int i = 0; i < n; i++) {
			ASSERT_LE(0, kill_watch(fd, wi[i].watch, SIGKILL));
			ASSERT_EQ(0, del_watch(fd, wi[i].watch));
		}
	}
	ASSERT_EQ(0, n);
}

/* What fdinfo counts. */
static long fdinfo_value(int fd, const char *key)
{
	char path[64], line[256], format[64];
	long value = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	snprintf(format, sizeof(format), "%s:\t%%ld", key);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, format, &value) == 1)
			break;
	if (f)
		fclose(f);
	return value;
}

/* What was under way has let go after a while. */
static bool await_references(long nr)
{
	uint64_t until = clock_ns(CLOCK_MONOTONIC) + PATIENCE;

	while (module_refs() != nr && clock_ns(CLOCK_MONOTONIC) < until)
		sched_yield();
	return SO(module_refs() == nr);
}

TEST_F_TIMEOUT(kill, everything_at_once, LIMIT)
{
	struct stress *s = shared(sizeof(*s));
	struct lifeline life;
	pid_t worker[WORKERS];

	close(self->fd);
	EXPECT_TRUE(await_references(0));
	ASSERT_EQ(0, new_lifeline(&life));
	ASSERT_EQ(0, pipe(s->end));
	s->shared_fd = knell_open(0);
	for (int i = 0; i < WORKERS; i++) {
		worker[i] = fork();
		ASSERT_LE(0, worker[i]);
		if (!worker[i])
			run_worker(s, i);
	}
	for (int i = 0; i < WORKERS; i++)
		EXPECT_EQ(0, reap(worker[i]));
	kill_and_del_all(_metadata, s->shared_fd);
	EXPECT_EQ(0, nr_watches(s->shared_fd));
	EXPECT_EQ(0, nr_pending(s->shared_fd));
	EXPECT_EQ(0, fdinfo_value(s->shared_fd, "knell-watches"));
	EXPECT_EQ(0, fdinfo_value(s->shared_fd, "knell-pending"));
	close(s->shared_fd);
	/* Those whose trees were DELed go when they are told. */
	close(s->end[1]);
	drop_lifeline(&life);
	EXPECT_TRUE(await_all_dead(&life));
	EXPECT_EQ(0, atomic_load(&s->bad));
	EXPECT_LT(0, atomic_load(&s->killed));
	TH_LOG("%u births, %u signals", atomic_load(&s->births), atomic_load(&s->killed));
	/* Nothing holds the module any more. */
	EXPECT_TRUE(await_references(0));
	self->fd = knell_open(0);
}

TEST_HARNESS_MAIN
