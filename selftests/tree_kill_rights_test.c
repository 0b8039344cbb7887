// SPDX-License-Identifier: GPL-2.0-only
/*
 * Whose rights count when a TREE is KILLed: users, setuid programs, namespaces;
 * and who is told how its members ended.
 *
 * runner-limit: 1200
 */
#include "kselftest_harness.h"

#include "tree_party.h"

QUEUE_FIXTURE(kill)

/* Rights. */

static const struct who user_2000 = { 2000, 2000, 2000, 0 };

/* What a member becomes, and how it ends when nobody kills it. */
struct mixed {
	struct party *p;
	const struct who *who[4];
	int nr;
};

static void be_mixed(void *arg)
{
	struct mixed *m = arg;

	for (int i = 1; i < m->nr; i++) {
		if (bare_fork())
			continue;
		become(m->who[i]);
		m->p->pid[i] = getpid();
		tell(m->p->said, 'm');
		pass_gate(m->p->gate);
		_exit(i);
	}
	become(m->who[0]);
	m->p->pid[0] = getpid();
	tell(m->p->said, 'm');
	pass_gate(m->p->gate);
	_exit(0);
}

static pid_t start_mixed(struct __test_metadata *_metadata, struct mixed *m)
{
	pid_t pid = spawn_member(m->p->fd, m->p->tree, be_mixed, m);

	ASSERT_LT(0, pid);
	for (int i = 0; i < m->nr; i++)
		ASSERT_EQ('m', hear_soon(m->p->said));
	return pid;
}

static int kill_party(void *arg)
{
	struct party *p = arg;

	return kill_watch(p->fd, p->tree, p->nr);
}

/*
 * A user who holds the queue: his own members get the signal, root's do not and
 * EPERM says that some remain. With sig 0 the same, and with all his own the
 * number of them.
 */
TEST_F_TIMEOUT(kill, by_an_unprivileged_user, LIMIT)
{
	int64_t tree = add_tree(self->fd, KNELL_OPF_REPORT_EXIT, 1);
	struct party *p = new_party(self->fd, tree);
	struct mixed m = { p, { &root_all, &user_1000, &user_2000, &user_1000 }, 4 };
	struct knell_event ev;
	pid_t pid;

	pid = start_mixed(_metadata, &m);
	p->nr = 0;
	EXPECT_EQ(-EPERM, as_who(&user_1000, kill_party, p));
	EXPECT_EQ(4, as_who(&root_all, kill_party, p));
	EXPECT_TRUE(nothing_pending(self->fd));
	p->nr = SIGKILL;
	EXPECT_EQ(-EPERM, as_who(&user_1000, kill_party, p));
	for (int left = 3; left >= 2; left--) {
		ASSERT_EQ(1, next_event(self->fd, &ev));
		EXPECT_TRUE(ev.exit.pid == p->pid[1] || ev.exit.pid == p->pid[3]);
		EXPECT_TRUE(is_exit(&ev, tree, ANY, SIGKILL, left, KNELL_EVF_KILLER));
		EXPECT_EQ(1000, ev.exit.killer_uid);
	}
	EXPECT_EQ(2, tree_members(self->fd, tree));
	EXPECT_EQ(0, kill(p->pid[0], 0));
	EXPECT_EQ(0, kill(p->pid[2], 0));
	/* By now there is none of his: nobody got it. */
	EXPECT_EQ(-EPERM, as_who(&user_1000, kill_party, p));
	EXPECT_TRUE(nothing_pending(self->fd));
	EXPECT_EQ(-EPERM, as_who(&user_2000, kill_party, p));
	ASSERT_EQ(1, next_event(self->fd, &ev));
	EXPECT_TRUE(is_exit(&ev, tree, p->pid[2], SIGKILL, 1, KNELL_EVF_KILLER));
	EXPECT_EQ(2000, ev.exit.killer_uid);
	EXPECT_EQ(1, kill_watch(self->fd, tree, SIGKILL));
	EXPECT_TRUE(next_is_killed(self->fd, tree, pid, SIGKILL, 0));
	EXPECT_TRUE(next_is_empty(self->fd, tree, pid));
	reap_all();
}

/* CAP_KILL, and either of the two uids that kill(2) compares with either of the target's. */
TEST_F_TIMEOUT(kill, rights_are_those_of_kill, LIMIT)
{
	static const struct who killer[] = {
		{ 2000, 2000, 2000, 1ULL << CAP_KILL }, { 2000, 1000, 2000, 0 },
		{ 1000, 2000, 2000, 0 }, { 2000, 2000, 1000, 0 }, { 2000, 2000, 2000, 0 },
	}, target[] = {
		{ 1000, 1000, 1000, 0 }, { 1000, 2000, 3000, 0 }, { 3000, 2000, 1000, 0 },
		{ 3000, 1000, 3000, 0 },
	};

	for (size_t k = 0; k < ARRAY_SIZE(killer); k++) {
		for (size_t t = 0; t < ARRAY_SIZE(target); t++) {
			int64_t tree = add_tree(self->fd, 0, 1);
			struct party *p = new_party(self->fd, tree);
			struct mixed m = { p, { &target[t] }, 1 };
			const struct who *kw = &killer[k], *tw = &target[t];
			bool may = kw->caps || kw->euid == tw->suid || kw->euid == tw->ruid ||
				kw->ruid == tw->suid || kw->ruid == tw->ruid;
			pid_t pid = start_mixed(_metadata, &m);

			p->nr = 0;
			EXPECT_EQ(may ? 1 : -EPERM, as_who(kw, kill_party, p));
			p->nr = SIGKILL;
			EXPECT_EQ(may ? 1 : -EPERM, as_who(kw, kill_party, p));
			open_gate(p->gate, !may);
			EXPECT_EQ(may ? SIGKILL : 0, reap(pid));
			ASSERT_EQ(2, nr_pending(self->fd));
			ASSERT_EQ(0, del_watch(self->fd, tree));
			end_party(p);
		}
	}
}

/* The user's member executes a setuid program: he can no longer end it. */
static void be_setuid_root(int said)
{
	if (geteuid() || setresuid(0, 0, 0) || write(said, "x", 1) != 1)
		_exit(BROKEN);
	sleep_for_ever(NULL);
}

static void __attribute__((constructor)) run_as(void)
{
	const char *what = getenv(EXEC_AS);
	int said;

	if (what && sscanf(what, "setuid %d", &said) == 1)
		be_setuid_root(said);
}

#define SETUID_COPY	"/tmp/tree_kill_setuid"

static void have_setuid_member(void *arg)
{
	struct party *p = arg;
	char as[32];

	if (!bare_fork())
		sleep_for_ever(NULL);
	snprintf(as, sizeof(as), "setuid %d", p->said[1]);
	exec_path_as(SETUID_COPY, as);
}

/* All of it by the user, from open() on. */
static int own_setuid_member(void *arg)
{
	struct party *p = arg;
	struct knell_event ev;
	pid_t pid;

	p->fd = knell_open(O_NONBLOCK);
	p->tree = add_tree(p->fd, KNELL_OPF_REPORT_EXIT, 1);
	pid = spawn_member(p->fd, p->tree, have_setuid_member, p);
	CHECK(pid > 0);
	CHECK(hear_soon(p->said) == 'x');
	CHECK(tree_members(p->fd, p->tree) == 2);
	CHECK(kill_watch(p->fd, p->tree, 0) == -EPERM);
	CHECK(kill_watch(p->fd, p->tree, SIGKILL) == -EPERM);
	CHECK(kill(pid, SIGKILL) == -1 && errno == EPERM);
	/* His own one is dead, the other one lives. */
	CHECK(next_event(p->fd, &ev) == 1);
	CHECK(is_exit(&ev, p->tree, ANY, SIGKILL, 1, KNELL_EVF_KILLER));
	CHECK(tree_members(p->fd, p->tree) == 1);
	CHECK(nothing_pending(p->fd));
	/* Root ends it. It is the main process: the user is told all of it. */
	atomic_store(&p->pid[0], pid);
	open_gate(p->gate, 1);
	CHECK(next_event(p->fd, &ev) == 1);
	CHECK(is_exit(&ev, p->tree, pid, SIGKILL, 0, KNELL_EVF_MAIN | KNELL_EVF_KILLER));
	CHECK(ev.exit.uid == 0 && ev.exit.killer_uid == 0 && ev.exit.minflt > 0);
	CHECK(next_is_empty(p->fd, p->tree, pid));
	return 0;
}

static void kill_at_gate(void *arg)
{
	struct party *p = arg;

	pass_gate(p->gate);
	if (atomic_load(&p->pid[0]) > 0)
		kill(atomic_load(&p->pid[0]), SIGKILL);
}

TEST_F_TIMEOUT(kill, setuid_member, LIMIT)
{
	struct party *p = new_party(-1, 0);
	pid_t killer;

	let_users_in(_metadata);
	ASSERT_EQ(0, copy_file("/proc/self/exe", SETUID_COPY, 04755));
	killer = spawn_process(kill_at_gate, p);
	ASSERT_LT(0, killer);
	EXPECT_EQ(0, as_who(&user_1000, own_setuid_member, p));
	open_gate(p->gate, 1);
	reap(killer);
	unlink(SETUID_COPY);
	keep_users_out();
}

/*
 * A newcomer is killed by the right of who KILLed, not by the kernel's: of
 * root's children none dies, in flight or not, however often a user tries.
 */
static int kill_often(void *arg)
{
	struct party *p = arg;
	int forks = atomic_load(&p->forks);

	for (int i = 0; i < 400 || atomic_load(&p->forks) < forks + 100; i++) {
		int ret = kill_watch(p->fd, p->tree, SIGKILL);

		if (ret != -EPERM) {
			fprintf(stderr, "# KILL: %d\n", ret);
			return 1;
		}
	}
	return 0;
}

TEST_F_TIMEOUT(kill, newcomers_of_root_by_a_user, LIMIT)
{
	int64_t tree = add_tree(self->fd, 0, 1);
	struct party *p = new_party(self->fd, tree);
	pid_t pid;

	pid = spawn_member(self->fd, tree, fork_until_told, p);
	ASSERT_LT(0, pid);
	EXPECT_EQ(0, as_who(&user_1000, kill_often, p));
	EXPECT_EQ(0, atomic_load(&p->bad));
	EXPECT_LT(0, atomic_load(&p->forks));
	atomic_store(&p->stop, 1);
	EXPECT_EQ(0, reap(pid));
	EXPECT_TRUE(next_is_main(self->fd, tree, pid, 0, 0));
	EXPECT_TRUE(next_is_empty(self->fd, tree, pid));
}

/* Runs @fn as the first process of a pid namespace. */
static int in_pid_namespace(int (*fn)(void *arg), void *arg)
{
	pid_t outer = fork(), pid;

	if (!outer) {
		if (unshare(CLONE_NEWPID))
			_exit(BROKEN);
		pid = fork();
		if (!pid)
			_exit(fn(arg));
		_exit(child_status(pid));
	}
	return child_status(outer);
}

static int kill_from_inside(void *arg)
{
	struct party *p = arg;
	pid_t pid = spawn_member(p->fd, p->tree, sleep_for_ever, NULL);

	CHECK(pid > 0);
	CHECK(tree_members(p->fd, p->tree) == 2);
	CHECK(kill_watch(p->fd, p->tree, 0) == -EPERM);
	CHECK(kill_watch(p->fd, p->tree, SIGTERM) == -EPERM);
	CHECK(reap(pid) == SIGTERM);
	CHECK(kill_watch(p->fd, p->tree, SIGKILL) == -EPERM);
	return 0;
}

/* What is outside a container's pid namespace gets no signal from inside, nor do its newcomers. */
TEST_F_TIMEOUT(kill, from_a_pid_namespace, LIMIT)
{
	int64_t tree = add_tree(self->fd, 0, 1);
	struct party *p = new_party(self->fd, tree);
	pid_t pid;

	pid = spawn_member(self->fd, tree, wait_at_gate, &p->gate);
	ASSERT_LT(0, pid);
	EXPECT_EQ(0, in_pid_namespace(kill_from_inside, p));
	open_gate(p->gate, 1);
	EXPECT_EQ(0, reap(pid));
	EXPECT_TRUE(next_is_main(self->fd, tree, pid, 0, 0));
	EXPECT_TRUE(next_is_empty(self->fd, tree, pid));
}

TEST_F_TIMEOUT(kill, newcomers_from_a_pid_namespace, LIMIT)
{
	int64_t tree = add_tree(self->fd, 0, 1);
	struct party *p = new_party(self->fd, tree);
	pid_t pid;

	pid = spawn_member(self->fd, tree, fork_until_told, p);
	ASSERT_LT(0, pid);
	EXPECT_EQ(0, in_pid_namespace(kill_often, p));
	EXPECT_EQ(0, atomic_load(&p->bad));
	EXPECT_LT(0, atomic_load(&p->forks));
	atomic_store(&p->stop, 1);
	EXPECT_EQ(0, reap(pid));
	EXPECT_TRUE(next_is_main(self->fd, tree, pid, 0, 0));
	EXPECT_TRUE(next_is_empty(self->fd, tree, pid));
}

/* From outside both are reached, also the first of the namespace, which nobody inside can kill. */
static int be_inside(void *arg)
{
	struct party *p = arg;

	CHECK(join(p->fd, p->tree) == 0);
	if (!bare_fork())
		sleep_for_ever(NULL);
	tell(p->said, 'i');
	sleep_for_ever(NULL);
	return 1;
}

static void contain(void *arg)
{
	in_pid_namespace(be_inside, arg);
}

TEST_F_TIMEOUT(kill, into_a_pid_namespace, LIMIT)
{
	int64_t tree = add_tree(self->fd, 0, 1);
	struct party *p = new_party(self->fd, tree);
	struct tally t = { };
	pid_t pid;

	pid = spawn_process(contain, p);
	ASSERT_LT(0, pid);
	drop_lifeline(&p->life);
	ASSERT_EQ('i', hear_soon(p->said));
	EXPECT_EQ(2, kill_watch(self->fd, tree, SIGKILL));
	ASSERT_TRUE(count_until_empty(self->fd, &t));
	EXPECT_TRUE(tally_is_sound(self->fd, &t));
	EXPECT_TRUE(await_all_dead(&p->life));
	reap(pid);
}

/*
 * The first of a namespace survives a SIGKILL from inside. With the tree DELed it
 * is left alone, and so are its children.
 */
static int survive_inside(void *arg)
{
	struct party *p = arg;
	int code = 5;
	pid_t killer;

	killer = fork();
	if (!killer) {
		pass_gate(p->gate);
		kill_watch(p->fd, p->tree, SIGKILL);
		_exit(del_watch(p->fd, p->tree));
	}
	CHECK(join(p->fd, p->tree) == 0);
	open_gate(p->gate, 1);
	CHECK(reap(killer) == 0);
	for (int i = 0; i < 10; i++)
		CHECK(reap(spawn_process(exit_with, &code)) == EXITED(5));
	return 0;
}

TEST_F_TIMEOUT(kill, del_lets_go_who_survived, LIMIT)
{
	int64_t tree = add_tree(self->fd, 0, 1);
	struct party *p = new_party(self->fd, tree);

	EXPECT_EQ(0, in_pid_namespace(survive_inside, p));
	EXPECT_EQ(0, nr_watches(self->fd));
}

/* The root of a user namespace is nobody outside it. */
static void map_root(void)
{
	if (prctl(PR_SET_DUMPABLE, 1) || unshare(CLONE_NEWUSER) ||
	    write_file("/proc/self/setgroups", "deny") ||
	    write_file("/proc/self/uid_map", "0 1000 1") ||
	    write_file("/proc/self/gid_map", "0 0 1") || getuid())
		_exit(BROKEN);
}

static int be_mapped_root(void *arg)
{
	struct party *p = arg;
	struct knell_event ev;

	map_root();
	p->fd = knell_open(O_NONBLOCK);
	p->tree = add_tree(p->fd, KNELL_OPF_REPORT_EXIT, 1);
	atomic_store(&p->pid[0], getpid());
	tell(p->said, 'u');
	pass_gate(p->gate);
	CHECK(tree_members(p->fd, p->tree) == 3);
	CHECK(kill_watch(p->fd, p->tree, 0) == -EPERM);
	CHECK(kill_watch(p->fd, p->tree, SIGTERM) == -EPERM);
	/* His own: the uid is the same, wherever it lives. */
	CHECK(next_event(p->fd, &ev) == 1);
	CHECK(is_exit(&ev, p->tree, ANY, SIGTERM, 2, KNELL_EVF_KILLER));
	CHECK(ev.exit.uid == 0 && ev.exit.killer_uid == 0);
	CHECK(ev.exit.minflt > 0);
	CHECK(nothing_pending(p->fd));
	CHECK(kill_watch(p->fd, p->tree, SIGKILL) == -EPERM);
	CHECK(nothing_pending(p->fd));
	tell(p->said, 'k');
	/* Root's: that it has ended, and no more, unless it is the main one. */
	CHECK(next_event(p->fd, &ev) == 1);
	CHECK(is_exit(&ev, p->tree, ANY, 0, 1, KNELL_EVF_NOSTATUS));
	CHECK(ev.exit.uid == 65534);
	CHECK(!ev.exit.minflt && !ev.exit.maxrss_kb && !ev.exit.utime_ns && !ev.exit.stime_ns);
	CHECK(!ev.exit.nvcsw && !ev.exit.nivcsw && !ev.exit.majflt);
	tell(p->said, 'n');
	CHECK(next_event(p->fd, &ev) == 1);
	CHECK(is_exit(&ev, p->tree, ANY, EXITED(9), 0, KNELL_EVF_MAIN));
	CHECK(ev.exit.minflt > 0);
	CHECK(next_is_empty(p->fd, p->tree, ANY));
	return 0;
}

static void exit_3_at_gate(void *arg)
{
	pass_gate(*(int *)arg);
	_exit(3);
}

static void exit_9_at_gate(void *arg)
{
	pass_gate(*(int *)arg);
	_exit(9);
}

static void sleep_as_user(void *arg)
{
	struct party *p = arg;

	become(&user_1000);
	tell(p->said, 'w');
	sleep_for_ever(NULL);
}

TEST_F_TIMEOUT(kill, from_a_user_namespace, LIMIT)
{
	struct party *p = new_party(-1, 0);
	int gate[2] = { new_gate(), new_gate() }, fd;
	pid_t user, members[3];

	fd = start_user(_metadata, p, be_mapped_root, &user);
	ASSERT_LE(0, fd);
	members[0] = spawn_member(fd, p->tree, exit_9_at_gate, &gate[0]);
	members[1] = spawn_member(fd, p->tree, exit_3_at_gate, &gate[1]);
	members[2] = spawn_member(fd, p->tree, sleep_as_user, p);
	for (int i = 0; i < 3; i++)
		ASSERT_LT(0, members[i]);
	ASSERT_EQ('w', hear_soon(p->said));
	close(fd);
	open_gate(p->gate, 1);
	ASSERT_EQ('k', hear_soon(p->said));
	EXPECT_EQ(0, kill(members[0], 0));
	open_gate(gate[1], 1);
	ASSERT_EQ('n', hear_soon(p->said));
	open_gate(gate[0], 1);
	EXPECT_EQ(0, child_status(user));
	reap_all();
}

/* Whose status a user is told who has no capability. */
static const struct {
	struct who who;
	bool told;
} strangers[] = {
	{ { 1000, 1000, 1000, 0 }, true },
	{ { 0, 0, 0, ~0ULL }, false },
	{ { 1000, 0, 0, ~0ULL }, false },
	{ { 1000, 1000, 2000, 0 }, false },
	{ { 2000, 1000, 1000, 0 }, false },
	{ { 2000, 2000, 2000, 0 }, false },
};

static int hear_of_strangers(void *arg)
{
	struct party *p = arg;
	struct knell_event ev;

	p->fd = knell_open(O_NONBLOCK);
	p->tree = add_tree(p->fd, KNELL_OPF_REPORT_EXIT, 1);
	atomic_store(&p->pid[0], getpid());
	tell(p->said, 'u');
	for (size_t i = 0; i < ARRAY_SIZE(strangers); i++) {
		bool told = strangers[i].told;

		CHECK(next_event(p->fd, &ev) == 1);
		CHECK(is_exit(&ev, p->tree, ANY, told ? EXITED(3) : 0, 1,
			      told ? 0 : KNELL_EVF_NOSTATUS));
		CHECK(ev.exit.uid == strangers[i].who.ruid);
		CHECK(told == (ev.exit.minflt > 0));
	}
	/* A sender's name is the status's: not told either. */
	CHECK(next_event(p->fd, &ev) == 1);
	CHECK(is_exit(&ev, p->tree, ANY, 0, 1, KNELL_EVF_NOSTATUS));
	CHECK(ev.exit.killer_pid == 0 && ev.exit.killer_uid == 0);
	tell(p->said, 'd');
	CHECK(next_event(p->fd, &ev) == 1);
	CHECK(is_exit(&ev, p->tree, ANY, EXITED(9), 0, KNELL_EVF_MAIN));
	CHECK(next_is_empty(p->fd, p->tree, ANY));
	return 0;
}

static void exit_as(void *arg)
{
	become(arg);
	_exit(3);
}

TEST_F_TIMEOUT(kill, status_of_strangers, LIMIT)
{
	struct party *p = new_party(-1, 0);
	int gate = new_gate(), fd;
	pid_t user, pid;

	fd = start_user(_metadata, p, hear_of_strangers, &user);
	ASSERT_LE(0, fd);
	ASSERT_LT(0, spawn_member(fd, p->tree, exit_9_at_gate, &gate));
	for (size_t i = 0; i < ARRAY_SIZE(strangers); i++) {
		struct who who = strangers[i].who;

		pid = spawn_member(fd, p->tree, exit_as, &who);
		ASSERT_LT(0, pid);
		ASSERT_EQ(EXITED(3), reap(pid));
	}
	pid = spawn_member(fd, p->tree, sleep_for_ever, NULL);
	ASSERT_EQ(0, kill(pid, SIGKILL));
	ASSERT_EQ(SIGKILL, reap(pid));
	ASSERT_EQ('d', hear_soon(p->said));
	open_gate(gate, 1);
	EXPECT_EQ(0, child_status(user));
	reap_all();
}

TEST_HARNESS_MAIN
