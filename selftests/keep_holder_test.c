// SPDX-License-Identifier: GPL-2.0-only
/*
 * What stays of a kept queue when its holder dies or executes, and what goes
 * with him.
 *
 * runner-limit: 900
 */
#include "kselftest_harness.h"

#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "keep_fixture.h"

/* Killed while it ADDs, DELs and reads as fast as it can: what is left is a queue. */
static int work_without_end(struct manager *m)
{
	struct knell_event ev[8];
	int64_t watch;

	tell(m->said, 'r');
	for (;;) {
		watch = add_watch(m->fd, op_timer(CLOCK_MONOTONIC, KNELL_OPF_ACK, 1, 0, 1));
		wait_events(m->fd, ev, 8, 0);
		if (watch > 0 && watch % 3)
			del_watch(m->fd, watch);
	}
	return 0;
}

TEST_F_TIMEOUT(keep, killed_at_work, LIMIT)
{
	struct manager m = { .name = NAME, .work = work_without_end };
	struct knell_watch_info wi;
	struct knell_event ev;
	int fd, i, n;

	for (i = 0; i < 50; i++) {
		ASSERT_EQ(0, start_manager(&m, i));
		usleep(i * 100);
		kill_manager(&m);
	}
	fd = take_over(NAME);
	ASSERT_LE(0, fd);
	n = nr_watches(fd);
	for (i = 0; i < n; i++) {
		ASSERT_EQ(1, next_event(fd, &ev));
		ASSERT_EQ(0, del_watch(fd, ev.watch));
	}
	EXPECT_EQ(0, list_watches(fd, &wi, 1, 0));
	EXPECT_EQ(0, nr_pending(fd));
	ASSERT_EQ(0, keep_off(fd, NAME));
	close(fd);
}

/* --- trees */

static int64_t add_tree(int fd, uint32_t flags, uint64_t token)
{
	struct knell_op op = op_add(KNELL_TREE, flags, token);

	snprintf(op.tree.label, sizeof(op.tree.label), "service");
	return add_watch(fd, op);
}

static int join_next(int fd, uint32_t watch)
{
	struct knell_op op = { .op = KNELL_OP_JOIN, .flags = KNELL_OPF_NEXT, .watch = watch };

	return submit_op(fd, &op);
}

struct forest {
	int64_t tree[3];
	int64_t pid[3];
	int go[2];	/* the last member of tree[0] waits there */
	int to_read;
	struct knell_event ev[4];
};

/* A main process that ends, and a child of its that waits to be told. */
static int plant(struct manager *m, struct forest *f, int i, uint32_t flags)
{
	char c;

	f->tree[i] = add_tree(m->fd, flags, i + 1);
	CHECK(f->tree[i] > 0);
	CHECK(join_next(m->fd, f->tree[i]) == 0);
	if (fork_into(&f->pid[i]))
		return f->pid[i] < 0;
	if (!fork())
		_exit(read(f->go[0], &c, 1) == 1 ? 0 : BROKEN);
	_exit(40 + i);
}

/* One with OPF_ACK, one without, and one that was announced and never grew. */
static int plant_a_forest(struct manager *m)
{
	struct forest *f = m->arg;

	CHECK(plant(m, f, 0, KNELL_OPF_ACK) == 0);
	CHECK(plant(m, f, 1, KNELL_OPF_KILL_ON_CLOSE) == 0);
	f->tree[2] = add_tree(m->fd, 0, 3);
	CHECK(f->tree[2] > 0);
	CHECK(join_next(m->fd, f->tree[2]) == 0);
	return 0;
}

static int read_the_forest(struct manager *m)
{
	struct forest *f = m->arg;

	CHECK(read_records(m->fd, f->ev, f->to_read) == f->to_read);
	return 0;
}

TEST_F_TIMEOUT(keep, a_tree_outlives_its_manager, LIMIT)
{
	struct forest *f = (void *)self->sh;
	struct manager m = { .name = NAME, .work = plant_a_forest, .arg = f };
	struct knell_watch_info wi[4];
	struct knell_event ev[4], exit_ev, empty;
	struct knell_op op;
	int fd, i;

	ASSERT_EQ(0, prctl(PR_SET_CHILD_SUBREAPER, 1));
	ASSERT_EQ(0, pipe(f->go));
	ASSERT_EQ(0, live_and_die(&m, false));
	/* They are ours now, the main processes and what they have left. */
	EXPECT_EQ(40 << 8, reap(f->pid[0]));
	EXPECT_EQ(41 << 8, reap(f->pid[1]));
	/* A reader takes the two exits; the tree that has no OPF_ACK has had its own. */
	m.work = read_the_forest;
	f->to_read = 2;
	ASSERT_EQ(0, live_and_die(&m, true));
	EXPECT_EQ(1 + 2, f->ev[0].token + f->ev[1].token);
	exit_ev = f->ev[f->ev[0].token != 1];
	EXPECT_EQ(1, exit_ev.token);
	EXPECT_EQ(KNELL_EV_EXIT, exit_ev.type);
	EXPECT_EQ(KNELL_EVF_MAIN, exit_ev.flags);
	EXPECT_EQ(40 << 8, exit_ev.exit.status);

	fd = attach(self->fd, NAME);
	ASSERT_LE(0, fd);
	ASSERT_EQ(3, list_watches(fd, wi, 4, 0));
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(KNELL_TREE, wi[i].type);
		EXPECT_EQ(1, wi[i].state);
		EXPECT_EQ(i < 2, wi[i].value);
		EXPECT_STREQ("service", wi[i].label);
	}
	EXPECT_EQ(0, wi[2].pid);
	EXPECT_EQ(0, del_watch(fd, f->tree[2]));
	/* The exit comes again, though its tree lives. */
	ASSERT_EQ(1, wait_events(fd, ev, 4, 0));
	EXPECT_EQ(KNELL_EVF_MAIN | KNELL_EVF_REDELIVERED, ev->flags);
	EXPECT_EQ(0, memcmp(&ev[0].seq, &exit_ev.seq, RECORD - 16));
	/* Its last member goes, unheard. */
	op = op_kill(f->tree[0], SIGKILL);
	EXPECT_EQ(1, submit_op(fd, &op));
	close(fd);
	EXPECT_EQ(SIGKILL, reap(-1));

	fd = take_over(NAME);
	ASSERT_EQ(2, read_records(fd, ev, 2));
	EXPECT_EQ(KNELL_EV_EXIT, ev[0].type);
	EXPECT_EQ(KNELL_EVF_MAIN | KNELL_EVF_REDELIVERED, ev[0].flags);
	EXPECT_EQ(KNELL_EV_EMPTY, ev[1].type);
	EXPECT_EQ(0, ev[1].flags);
	EXPECT_EQ(3, watch_state(fd, f->tree[0]));
	empty = ev[1];
	close(fd);
	fd = take_over(NAME);
	EXPECT_EQ(2, watch_state(fd, f->tree[0]));
	ASSERT_EQ(2, read_records(fd, ev, 2));
	EXPECT_EQ(0, memcmp(&ev[0].seq, &exit_ev.seq, RECORD - 16));
	EXPECT_EQ(KNELL_EVF_REDELIVERED, ev[1].flags);
	EXPECT_EQ(0, memcmp(&ev[1].seq, &empty.seq, RECORD - 16));
	EXPECT_EQ(0, del_watch(fd, f->tree[0]));
	close(fd);
	fd = take_over(NAME);
	EXPECT_EQ(0, nr_pending(fd));

	/* KILL_ON_CLOSE waits for the queue to go, not for its holder. */
	EXPECT_EQ(1, nr_watches(fd));
	EXPECT_EQ(1, watch_info(fd, f->tree[1]).value);
	ASSERT_EQ(0, keep_off(fd, NAME));
	close(fd);
	EXPECT_EQ(SIGKILL, reap(-1));
}

/* --- what goes with the holder */

static int64_t watch_fd(int queue, int fd, uint64_t token)
{
	struct knell_op op = op_add(KNELL_FD, 0, token);

	op.fd.fd = fd;
	op.fd.events = POLLIN;
	return add_watch(queue, op);
}

/* A bell that stays; both ends of a pipe with a byte in it, and all children. */
static int watch_what_goes(struct manager *m)
{
	int64_t *sh = m->arg;
	int fds[2];

	CHECK(pipe(fds) == 0);
	CHECK(write(fds[1], "x", 1) == 1);
	sh[0] = add_watch(m->fd, op_user(1));
	sh[1] = watch_fd(m->fd, fds[0], 2);
	sh[2] = watch_fd(m->fd, fds[1], 3);
	sh[3] = add_watch(m->fd, op_add(KNELL_CHILDREN, 0, 4));
	CHECK(sh[0] > 0 && sh[1] > 0 && sh[2] > 0 && sh[3] > 0);
	/* It has something to tell when it goes. */
	if (!fork())
		_exit(0);
	while (watch_state(m->fd, sh[3]) != 2)
		sched_yield();
	CHECK(watch_state(m->fd, sh[1]) == 2);
	CHECK(watch_state(m->fd, sh[2]) == 1);
	return 0;
}

static int watch_what_goes_and_leave_an_heir(struct manager *m)
{
	struct heir *h = m->arg;

	CHECK(watch_what_goes(&(struct manager){ .fd = m->fd, .arg = h + 1 }) == 0);
	return leave_an_heir(m);
}

TEST_F_TIMEOUT(keep, fd_and_children_go_with_the_last_close, LIMIT)
{
	struct manager m = { .name = NAME, .work = watch_what_goes, .arg = self->sh };
	struct knell_event ev;
	int fd;

	ASSERT_EQ(0, live_and_die(&m, false));
	fd = take_over(NAME);
	ASSERT_LE(0, fd);
	EXPECT_EQ(1, nr_watches(fd));
	EXPECT_EQ(1, watch_state(fd, self->sh[0]));
	EXPECT_EQ(0, nr_pending(fd));
	EXPECT_EQ(0, pending_event(fd, &ev));
	ASSERT_EQ(0, keep_off(fd, NAME));
	close(fd);
}

TEST_F_TIMEOUT(keep, or_with_the_next_attach, LIMIT)
{
	struct heir *h = (void *)self->sh;
	struct manager m = {
		.name = NAME, .work = watch_what_goes_and_leave_an_heir, .arg = h,
	};
	int fd;

	ASSERT_EQ(0, prctl(PR_SET_CHILD_SUBREAPER, 1));
	ASSERT_EQ(0, pipe(h->go));
	ASSERT_EQ(0, pipe(h->said));
	ASSERT_EQ(0, live_and_die(&m, false));
	fd = take_over(NAME);
	ASSERT_LE(0, fd);
	/* The two bells: of the manager, and of whom it left behind. */
	EXPECT_EQ(2, nr_watches(fd));
	EXPECT_EQ(1, watch_state(fd, h->watch));
	EXPECT_EQ(0, nr_pending(fd));
	/* What we watch stays when he closes. */
	EXPECT_LT(0, watch_fd(fd, h->go[0], 4));
	tell(h->go, 's');
	EXPECT_EQ('s', hear(h->said));
	tell(h->go, 'c');
	EXPECT_EQ('c', hear(h->said));
	EXPECT_EQ(3, nr_watches(fd));
	tell(h->go, 'e');
	EXPECT_EQ(7 << 8, reap(h->pid));
	ASSERT_EQ(0, keep_off(fd, NAME));
	close(fd);
}

/* --- exec, and what a manager has bound */

#define PROBE	"KNELL_TEST_HOLDER"

/* Executed again: the same process, so still the holder. */
static void __attribute__((constructor)) attach_if_asked(void)
{
	int fd;

	if (!getenv(PROBE))
		return;
	fd = take_over(NAME);
	_exit(fd >= 0 && nr_watches(fd) == 1 ? 0 : 1);
}

static int keep_and_exec(void)
{
	char *argv[] = { "holder", NULL }, *envp[] = { PROBE "=1", NULL };

	CHECK(keep_and_die(NULL) == 0);
	execve("/proc/self/exe", argv, envp);
	return 127;
}

TEST_F_TIMEOUT(keep, the_holder_executes_itself, LIMIT)
{
	pid_t pid = fork();

	if (!pid)
		_exit(keep_and_exec());
	EXPECT_EQ(0, child_status(pid));
}

static int listen_at(int64_t number)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t len;

	len = offsetof(struct sockaddr_un, sun_path) +
	      snprintf(addr.sun_path, sizeof(addr.sun_path), "%cknell-%lld", 0, (long long)number);
	if (bind(fd, (void *)&addr, len) || listen(fd, 1)) {
		close(fd);
		return -errno;
	}
	return fd;
}

/* An FD watch pins what it watches. */
static int serve(struct manager *m)
{
	int fd = listen_at(*(int64_t *)m->arg);

	return fd < 0 ? fd : watch_fd(m->fd, fd, 1) < 0;
}

TEST_F_TIMEOUT(keep, what_it_listened_on_is_free, LIMIT)
{
	struct manager m = { .name = NAME, .work = serve, .arg = self->sh };
	int fd;

	ASSERT_EQ(0, start_manager(&m, false));
	EXPECT_EQ(-EADDRINUSE, listen_at(*self->sh));
	kill_manager(&m);
	/* The last close has let it go, before anybody attaches; nothing tells when it is through. */
	do
		fd = listen_at(*self->sh);
	while (fd == -EADDRINUSE && !sched_yield());
	EXPECT_LE(0, fd);
	fd = take_over(NAME);
	EXPECT_LE(0, fd);
	EXPECT_EQ(0, nr_watches(fd));
	ASSERT_EQ(0, keep_off(fd, NAME));
	close(fd);
}

TEST_HARNESS_MAIN
