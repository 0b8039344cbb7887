// SPDX-License-Identifier: GPL-2.0-only
/*
 * A PROCESS watch is of one process, whatever becomes of its pid: no status ever
 * concerns the newcomer that got the number. Identity, and what ADD refuses.
 *
 * runner-limit: 900
 */
#include "kselftest_harness.h"

#include <limits.h>
#include <linux/sched.h>
#include <stdatomic.h>
#include <sys/eventfd.h>

#include "process_reuse.h"

/* A process that has, by order, the pid of one that is gone. */
struct newcomer {
	pid_t pid;
	int go[2];
	int said[2];
};

static void run_newcomer(struct newcomer *n)
{
	close(n->go[1]);
	while (hear(n->go) == '?')
		tell(n->said, '!');
	_exit(55);
}

static void start_newcomer(struct __test_metadata *_metadata, struct newcomer *n, pid_t pid)
{
	struct clone_args args = {
		.exit_signal = SIGCHLD, .set_tid = (uintptr_t)&pid, .set_tid_size = 1,
	};

	ASSERT_EQ(0, pipe(n->go));
	ASSERT_EQ(0, pipe(n->said));
	n->pid = syscall(SYS_clone3, &args, sizeof(args));
	ASSERT_LE(0, n->pid);
	if (!n->pid)
		run_newcomer(n);
	ASSERT_EQ(pid, n->pid);
	close(n->go[0]);
	close(n->said[1]);
}

static void see_alive(struct __test_metadata *_metadata, struct newcomer *n)
{
	int status;

	tell(n->go, '?');
	ASSERT_EQ('!', hear(n->said));
	ASSERT_FALSE(waitable(n->pid, &status));
}

static void end_newcomer(struct __test_metadata *_metadata, struct newcomer *n)
{
	tell(n->go, 'x');
	ASSERT_EQ(55 << 8, reap(n->pid));
	close(n->go[1]);
	close(n->said[0]);
}

static void spawn_and_reap(struct __test_metadata *_metadata, struct target *t)
{
	ASSERT_EQ(0, spawn(t));
	tell(t->go, 'g');
	ASSERT_EQ(3 << 8, reap(t->pid));
}

/* The record of the dead one is unread while the newcomer lives; later it is read, later gone. */
TEST_F_TIMEOUT(reuse, newcomer_is_not_touched, LIMIT)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(early); i++) {
		struct target t = self->t;
		struct newcomer n;
		uint32_t old;

		t.how = early[i];
		spawn_and_reap(_metadata, &t);
		start_newcomer(_metadata, &n, t.pid);
		old = watch_of(self->queue, 1);
		ASSERT_NE(0, old);
		EXPECT_EQ(2, watch_state(self->queue, old));
		EXPECT_EQ(-ESRCH, kill_watch(self->queue, old, SIGKILL));
		EXPECT_EQ(-ESRCH, kill_watch(self->queue, old, 0));
		see_alive(_metadata, &n);

		/* Another process, so another watch. */
		EXPECT_LT(0, add_pid(self->queue, n.pid, 2));
		see_record(_metadata, self->queue, 1, t.pid, 3 << 8);
		EXPECT_EQ(-ENOENT, kill_watch(self->queue, old, SIGKILL));
		EXPECT_EQ(-ENOENT, del_watch(self->queue, old));
		see_alive(_metadata, &n);
		EXPECT_TRUE(nothing_pending(self->queue));
		end_newcomer(_metadata, &n);
		see_record(_metadata, self->queue, 2, t.pid, 55 << 8);
		EXPECT_TRUE(nothing_pending(self->queue));
		EXPECT_EQ(0, nr_watches(self->queue));
		forget(&t);
	}
}

/* Its record read only when the newcomer is dead as well: still its own status. */
TEST_F_TIMEOUT(reuse, newcomer_gives_no_status, LIMIT)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(early); i++) {
		struct target t = self->t;
		struct newcomer n;

		t.how = early[i];
		spawn_and_reap(_metadata, &t);
		start_newcomer(_metadata, &n, t.pid);
		end_newcomer(_metadata, &n);
		see_record(_metadata, self->queue, 1, t.pid, 3 << 8);
		EXPECT_TRUE(nothing_pending(self->queue));
		EXPECT_EQ(0, nr_watches(self->queue));
		forget(&t);
	}
}

TEST_F_TIMEOUT(reuse, pidfd_of_the_dead, LIMIT)
{
	struct target t = self->t;
	struct newcomer n;

	t.how = LATE_PIDFD;
	spawn_and_reap(_metadata, &t);
	EXPECT_EQ(-ESRCH, enrol(&t));
	start_newcomer(_metadata, &n, t.pid);
	EXPECT_EQ(-ESRCH, enrol(&t));
	EXPECT_EQ(0, nr_watches(self->queue));
	end_newcomer(_metadata, &n);
	EXPECT_TRUE(nothing_pending(self->queue));
}

/* OPF_ACK: read once, there until DEL, and of the dead one all the time. */
TEST_F_TIMEOUT(reuse, acknowledged, LIMIT)
{
	struct target t = self->t;
	struct newcomer n;
	int64_t watch;

	t.how = LATE_PID;
	ASSERT_EQ(0, spawn(&t));
	watch = add_watch(self->queue, op_process(t.pid, KNELL_OPF_ACK, 1));
	ASSERT_LT(0, watch);
	EXPECT_EQ(KNELL_OPF_ACK, watch_info(self->queue, watch).flags);
	tell(t.go, 'g');
	ASSERT_EQ(0, await_zombie(t.pid));
	EXPECT_EQ(2, watch_state(self->queue, watch));
	see_record(_metadata, self->queue, 1, t.pid, 3 << 8);
	EXPECT_EQ(3, watch_state(self->queue, watch));
	EXPECT_TRUE(nothing_pending(self->queue));
	EXPECT_EQ(1, nr_watches(self->queue));
	EXPECT_EQ(-EEXIST, add_pid(self->queue, t.pid, 2));

	ASSERT_EQ(3 << 8, reap(t.pid));
	start_newcomer(_metadata, &n, t.pid);
	EXPECT_EQ(-ESRCH, kill_watch(self->queue, watch, SIGKILL));
	see_alive(_metadata, &n);
	EXPECT_LT(0, add_pid(self->queue, n.pid, 2));
	end_newcomer(_metadata, &n);
	see_record(_metadata, self->queue, 2, n.pid, 55 << 8);
	EXPECT_EQ(3, watch_state(self->queue, watch));
	EXPECT_EQ(0, del_watch(self->queue, watch));
	EXPECT_EQ(-ENOENT, del_watch(self->queue, watch));
	EXPECT_TRUE(nothing_pending(self->queue));
	EXPECT_EQ(0, nr_watches(self->queue));
}

static void write_sysctl(struct __test_metadata *_metadata, const char *path, const char *value)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	ASSERT_LE(0, fd);
	ASSERT_EQ((ssize_t)strlen(value), write(fd, value, strlen(value)));
	close(fd);
}

/*
 * Pids go round in hundreds: victims, watched and shot at by handle for long
 * after their death, and bystanders who get the same numbers.
 */
#define VICTIMS		rounds(3000)
#define RING		64
#define PID_MAX		400

struct churn {
	int queue;
	atomic_uint watch[RING];
	atomic_bool over;
	atomic_uint bad;
	uint8_t reported[VICTIMS];
	unsigned int nr_reported, shot;
	bool had[PID_MAX];	/* a victim with this pid */
	unsigned int reused;
};

static void *shoot(void *arg)
{
	struct churn *churn = arg;

	for (unsigned int i = 0; !atomic_load(&churn->over); i++) {
		unsigned int watch = atomic_load(&churn->watch[i % RING]);
		int err = watch ? kill_watch(churn->queue, watch, SIGKILL) : 0;

		if (err && err != -ESRCH && err != -ENOENT)
			atomic_fetch_add(&churn->bad, 1);
	}
	return NULL;
}

/* Never watched, so that nobody may hurt them. */
static void run_bystanders(atomic_bool *over)
{
	while (!atomic_load(over)) {
		pid_t pid = fork();

		if (!pid) {
			sched_yield();
			_exit(7);
		}
		if (pid < 0 || reap(pid) != 7 << 8)
			_exit(BROKEN);
	}
	_exit(0);
}

static void churn_record(struct churn *churn, const struct knell_event *ev)
{
	int code = ev->token % 100 << 8;

	if (ev->token >= VICTIMS || churn->reported[ev->token]++ || ev->flags ||
	    (ev->exit.status != code && ev->exit.status != SIGKILL)) {
		atomic_fetch_add(&churn->bad, 1);
		return;
	}
	churn->shot += ev->exit.status == SIGKILL;
	churn->nr_reported++;
}

static void churn_victim(struct __test_metadata *_metadata, struct churn *churn, unsigned int i)
{
	int64_t watch = add_next(churn->queue, i);
	pid_t pid;

	ASSERT_LT(0, watch);
	atomic_store(&churn->watch[i % RING], watch);
	pid = fork();
	if (!pid) {
		sched_yield();
		_exit(i % 100);
	}
	ASSERT_LT(0, pid);
	if (pid >= PID_MAX)
		return;
	churn->reused += churn->had[pid];
	churn->had[pid] = true;
}

TEST_F_TIMEOUT(reuse, churn, LIMIT)
{
	const char *sysctl = "/proc/sys/kernel/pid_max";
	struct churn *churn = shared(sizeof(*churn));
	atomic_bool *over = shared(sizeof(*over));
	struct knell_event ev[RING];
	char pid_max[16] = "", small[16];
	pthread_t shooter;
	pid_t bystanders;
	int fd, n;

	fd = open(sysctl, O_RDONLY | O_CLOEXEC);
	ASSERT_LT(0, read(fd, pid_max, sizeof(pid_max) - 1));
	close(fd);
	churn->queue = self->queue;
	snprintf(small, sizeof(small), "%d", PID_MAX);
	write_sysctl(_metadata, sysctl, small);
	bystanders = fork();
	ASSERT_LE(0, bystanders);
	if (!bystanders)
		run_bystanders(over);
	ASSERT_EQ(0, pthread_create(&shooter, NULL, shoot, churn));
	catch_signal(SIGCHLD, SIG_DFL, SA_NOCLDWAIT);

	for (unsigned int i = 0; i < VICTIMS; i++) {
		churn_victim(_metadata, churn, i);
		if (i % RING != RING - 1)
			continue;
		/* Half of the unread ones go, the others wait among their successors. */
		n = wait_events(self->queue, ev, RING / 2, 0);
		for (int k = 0; k < n; k++)
			churn_record(churn, &ev[k]);
	}
	while (churn->nr_reported < VICTIMS && next_event(self->queue, &ev[0]) == 1)
		churn_record(churn, &ev[0]);

	atomic_store(&churn->over, true);
	pthread_join(shooter, NULL);
	catch_signal(SIGCHLD, SIG_DFL, 0);
	atomic_store(over, true);
	EXPECT_EQ(0, reap(bystanders));
	write_sysctl(_metadata, sysctl, pid_max);
	TH_LOG("%u victims, %u of them with the pid of an earlier one, %u shot", VICTIMS,
	       churn->reused, churn->shot);
	EXPECT_EQ(0, atomic_load(&churn->bad));
	EXPECT_EQ(VICTIMS, churn->nr_reported);
	EXPECT_LT(VICTIMS / 2, churn->reused);
	EXPECT_TRUE(nothing_pending(self->queue));
	EXPECT_EQ(0, nr_watches(self->queue));
}

/* EEXIST: the same process once in a queue, however it came there and whatever its state. */
TEST_F_TIMEOUT(reuse, twice_in_a_queue, LIMIT)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(early); i++) {
		struct target t = self->t;

		t.how = early[i];
		ASSERT_EQ(0, spawn(&t));
		EXPECT_EQ(-EEXIST, add_pid(self->queue, t.pid, 2));
		EXPECT_EQ(-EEXIST, add_pidfd(self->queue, t.pidfd, 2));
		EXPECT_EQ(-EEXIST, add_from_other(self->queue, t.pid, 2));
		EXPECT_EQ(1, nr_watches(self->queue));

		/* A zombie, its record unread; then read, and it may be added anew. */
		tell(t.go, 'g');
		ASSERT_EQ(0, await_zombie(t.pid));
		EXPECT_EQ(-EEXIST, add_pid(self->queue, t.pid, 2));
		EXPECT_EQ(-EEXIST, add_pidfd(self->queue, t.pidfd, 2));
		see_record(_metadata, self->queue, 1, t.pid, 3 << 8);
		EXPECT_LT(0, add_pid(self->queue, t.pid, 2));
		EXPECT_EQ(-EEXIST, add_pid(self->queue, t.pid, 3));
		see_record(_metadata, self->queue, 2, t.pid, 3 << 8);
		EXPECT_EQ(3 << 8, reap(t.pid));
		EXPECT_TRUE(nothing_pending(self->queue));
		EXPECT_EQ(0, nr_watches(self->queue));
		forget(&t);
	}
}

TEST_F_TIMEOUT(reuse, self_twice, LIMIT)
{
	int64_t watch = add_self(self->queue, 1);

	ASSERT_LT(0, watch);
	EXPECT_EQ(-EEXIST, add_self(self->queue, 2));
	EXPECT_EQ(-EEXIST, add_pid(self->queue, getpid(), 2));
	EXPECT_EQ(0, del_watch(self->queue, watch));
	EXPECT_LT(0, add_pid(self->queue, getpid(), 2));
	EXPECT_EQ(-EEXIST, add_self(self->queue, 3));
	EXPECT_EQ(1, nr_watches(self->queue));
}

/* The child is known from its fork on, not only once it runs. */
TEST_F_TIMEOUT(reuse, newborn_twice, LIMIT)
{
	for (int i = 0; i < rounds(300); i++) {
		pid_t pid;

		ASSERT_LT(0, add_next(self->queue, 1));
		pid = fork();
		ASSERT_LE(0, pid);
		if (!pid)
			_exit(3);
		ASSERT_EQ(-EEXIST, add_pid(self->queue, pid, 2));
		see_record(_metadata, self->queue, 1, pid, 3 << 8);
		ASSERT_EQ(3 << 8, reap(pid));
		ASSERT_EQ(0, nr_watches(self->queue));
	}
}

TEST_F_TIMEOUT(reuse, in_two_queues, LIMIT)
{
	int second = knell_open(0);

	ASSERT_LE(0, second);
	for (unsigned int i = 0; i < ARRAY_SIZE(early); i++) {
		struct target t = self->t;

		t.how = early[i];
		ASSERT_EQ(0, spawn(&t));
		ASSERT_LT(0, i & 1 ? add_pid(second, t.pid, 2) : add_pidfd(second, t.pidfd, 2));
		tell(t.go, 'g');
		see_record(_metadata, second, 2, t.pid, 3 << 8);
		see_record(_metadata, self->queue, 1, t.pid, 3 << 8);
		EXPECT_EQ(3 << 8, reap(t.pid));
		EXPECT_TRUE(nothing_pending(self->queue));
		EXPECT_TRUE(nothing_pending(second));
		forget(&t);
	}
	close(second);
}

/* DEL before the death, and of a record that waits. */
TEST_F_TIMEOUT(reuse, deleted, LIMIT)
{
	for (unsigned int i = 0; i < 2 * ARRAY_SIZE(early); i++) {
		const bool late = i & 1;
		struct target t = self->t;
		uint32_t watch;

		t.how = early[i / 2];
		ASSERT_EQ(0, spawn(&t));
		watch = watch_of(self->queue, 1);
		ASSERT_NE(0, watch);
		if (!late) {
			EXPECT_EQ(0, del_watch(self->queue, watch));
		}
		tell(t.go, 'g');
		ASSERT_EQ(0, await_zombie(t.pid));
		EXPECT_EQ(late, nr_pending(self->queue));
		if (late) {
			EXPECT_EQ(0, del_watch(self->queue, watch));
		}
		EXPECT_EQ(-ENOENT, del_watch(self->queue, watch));
		EXPECT_TRUE(nothing_pending(self->queue));
		EXPECT_EQ(0, nr_watches(self->queue));
		EXPECT_EQ(3 << 8, reap(t.pid));
		EXPECT_TRUE(nothing_pending(self->queue));
		forget(&t);
	}
}

/* What ADD refuses. */

static void *pause_thread(void *arg)
{
	atomic_int *tid = arg;

	atomic_store(tid, own_tid());
	for (;;)
		pause();
	return NULL;
}

TEST_F_TIMEOUT(reuse, not_a_process, LIMIT)
{
	const int bad[] = { 0, -1, INT_MIN };
	atomic_int tid = 0;
	pthread_t thread;
	int kthread;

	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++)
		EXPECT_EQ(-EINVAL, add_pid(self->queue, bad[i], 1));
	EXPECT_EQ(-ESRCH, add_pid(self->queue, INT_MAX, 1));
	EXPECT_EQ(-EPERM, add_pid(self->queue, 2, 1));	/* kthreadd */
	kthread = pidfd_of(2);
	ASSERT_LE(0, kthread);
	EXPECT_EQ(-EPERM, add_pidfd(self->queue, kthread, 1));

	ASSERT_EQ(0, pthread_create(&thread, NULL, pause_thread, &tid));
	while (!atomic_load(&tid))
		sched_yield();
	EXPECT_EQ(-EINVAL, add_pid(self->queue, atomic_load(&tid), 1));
	EXPECT_LT(0, add_pid(self->queue, getpid(), 1));
	EXPECT_EQ(1, nr_watches(self->queue));
}

TEST_F_TIMEOUT(reuse, not_a_pidfd, LIMIT)
{
	int pipe_fds[2];

	ASSERT_EQ(0, pipe(pipe_fds));
	EXPECT_EQ(-EBADF, add_pidfd(self->queue, pipe_fds[0], 1));
	EXPECT_EQ(-EBADF, add_pidfd(self->queue, eventfd(0, 0), 1));
	EXPECT_EQ(-EBADF, add_pidfd(self->queue, self->queue, 1));
	EXPECT_EQ(-EBADF, add_pidfd(self->queue, open("/proc/self", O_RDONLY), 1));
	EXPECT_EQ(-EBADF, add_pidfd(self->queue, open("/proc/self/exe", O_RDONLY), 1));
	EXPECT_EQ(-EBADF, add_pidfd(self->queue, -1, 1));
	close(pipe_fds[1]);
	EXPECT_EQ(-EBADF, add_pidfd(self->queue, pipe_fds[1], 1));
	EXPECT_EQ(0, nr_watches(self->queue));
}

TEST_F_TIMEOUT(reuse, one_way_at_a_time, LIMIT)
{
	const uint32_t next = KNELL_OPF_NEXT, self_flag = KNELL_OPF_SELF, by_fd = KNELL_OPF_PIDFD;
	const uint32_t alone[] = { next, self_flag, by_fd };
	const uint32_t at_odds[] = { next | self_flag, next | by_fd, self_flag | by_fd };
	int pidfd = pidfd_of(getpid());
	struct knell_op op;

	ASSERT_LE(0, pidfd);
	for (unsigned int i = 0; i < ARRAY_SIZE(alone); i++)
		EXPECT_EQ(-EINVAL, add_watch(self->queue, op_process(getpid(), alone[i], 1)));
	for (unsigned int i = 0; i < ARRAY_SIZE(at_odds); i++)
		EXPECT_EQ(-EINVAL, add_watch(self->queue, op_process(0, at_odds[i], 1)));
	op = op_process(getpid(), 0, 1);
	op.process.pidfd = pidfd;
	EXPECT_EQ(-EINVAL, add_watch(self->queue, op));
	for (unsigned int i = 0; i < 2; i++) {
		op = op_process(0, alone[i], 1);
		op.process.pidfd = pidfd;
		EXPECT_EQ(-EINVAL, add_watch(self->queue, op));
	}
	EXPECT_EQ(0, nr_watches(self->queue));
	/* What was refused has armed nothing. */
	EXPECT_LT(0, add_next(self->queue, 1));
}

TEST_HARNESS_MAIN
