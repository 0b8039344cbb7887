// SPDX-License-Identifier: GPL-2.0-only
/* Queues that outlive their manager: KEEP, ATTACH, LIST's gate, OPF_ACK. runner-limit: 900 */
#include "kselftest_harness.h"

#include <stddef.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "keep_test.h"
#include "trap_test.h"

#define KEPT_PARAM	"/sys/module/knell/parameters/max_user_kept"
#define NAME		"manager"
#define CROWD		130

/* A door to ATTACH by, a queue of its own; no kept queue is left behind. */
FIXTURE(keep) {
	int fd;
	int64_t *sh;		/* shared with children */
};

FIXTURE_SETUP(keep)
{
	self->fd = knell_open(O_NONBLOCK);
	ASSERT_LE(0, self->fd);
	self->sh = shared(4096);
}

FIXTURE_TEARDOWN(keep)
{
	close(self->fd);
	EXPECT_EQ(0, drop_queue(NAME));
	EXPECT_EQ(0, module_refs_after_all(0));
}

/* fork(), whose result is in shared memory: the child does not write it. */
static pid_t fork_into(int64_t *to)
{
	pid_t pid = fork();

	if (pid)
		*to = pid;
	return pid;
}

static int ioctl_error(int fd, unsigned long cmd, void *arg)
{
	return ioctl(fd, cmd, arg) < 0 ? -errno : 0;
}

static int keep_name(int fd, struct knell_name name)
{
	return ioctl_error(fd, KNELL_IOC_KEEP, &name);
}

static int attach_name(int fd, struct knell_name name)
{
	return ioctl_error(fd, KNELL_IOC_ATTACH, &name);
}

/* --- names and arguments */

static struct knell_name full_name(int length)
{
	struct knell_name name = { };

	memset(name.name, 'x', length);
	return name;
}

TEST_F_TIMEOUT(keep, what_is_no_name, LIMIT)
{
	struct knell_name name = name_of("", 0, 0), rest = name_of("short", 0, 0);

	EXPECT_EQ(-EINVAL, keep_name(self->fd, name));
	EXPECT_EQ(-EINVAL, attach_name(self->fd, name));
	EXPECT_EQ(-EINVAL, keep_name(self->fd, full_name(64)));
	EXPECT_EQ(-EINVAL, attach_name(self->fd, full_name(64)));
	rest.name[63] = 1;
	EXPECT_EQ(-EINVAL, keep_name(self->fd, rest));
	EXPECT_EQ(-EINVAL, attach_name(self->fd, rest));
	/* As long as a name can be. */
	name = full_name(63);
	EXPECT_EQ(-ENOENT, attach_name(self->fd, name));
	EXPECT_EQ(0, keep_name(self->fd, name));
	name.flags = KNELL_KEEP_OFF;
	EXPECT_EQ(0, keep_name(self->fd, name));
}

TEST_F_TIMEOUT(keep, flags_and_reserved_fields, LIMIT)
{
	struct knell_name name;
	int i;

	for (i = 0; i < 32; i++) {
		name = name_of(NAME, 0, 1U << i);
		if (name.flags != KNELL_KEEP_OFF)
			EXPECT_EQ(-EINVAL, keep_name(self->fd, name));
		EXPECT_EQ(-EINVAL, attach_name(self->fd, name));
	}
	for (i = 0; i < 3; i++) {
		name = name_of(NAME, 0, 0);
		name.reserved[i] = 1ULL << 63;
		EXPECT_EQ(-EINVAL, keep_name(self->fd, name));
		EXPECT_EQ(-EINVAL, attach_name(self->fd, name));
	}
	EXPECT_EQ(-ENOENT, attach(self->fd, NAME));
}

TEST_F_TIMEOUT(keep, sizes_and_addresses, LIMIT)
{
	struct {
		struct knell_name name;
		char more[32];
	} larger = { .name = name_of(NAME, 0, 0) };
	const unsigned long keep = _IOC(_IOC_WRITE, 0xda, 0x22, sizeof(larger));
	const unsigned long att = _IOC(_IOC_WRITE, 0xda, 0x23, sizeof(larger));
	const unsigned long small = _IOC(_IOC_WRITE, 0xda, 0x22, sizeof(struct knell_name) - 8);

	EXPECT_EQ(-EINVAL, ioctl_error(self->fd, small, &larger));
	EXPECT_EQ(-EFAULT, ioctl_error(self->fd, KNELL_IOC_KEEP, NULL));
	EXPECT_EQ(-EFAULT, ioctl_error(self->fd, KNELL_IOC_ATTACH, NULL));
	larger.more[31] = 1;
	EXPECT_EQ(-E2BIG, ioctl_error(self->fd, keep, &larger));
	EXPECT_EQ(-E2BIG, ioctl_error(self->fd, att, &larger));
	EXPECT_EQ(-ENOENT, attach(self->fd, NAME));
	larger.more[31] = 0;
	EXPECT_EQ(0, ioctl_error(self->fd, keep, &larger));
	EXPECT_EQ(0, keep_off(self->fd, NAME));
	EXPECT_NE(0, queue_info(self->fd).features & KNELL_FEAT_KEEP);
}

TEST_F_TIMEOUT(keep, one_name_one_queue, LIMIT)
{
	int other = knell_open(0);

	ASSERT_LE(0, other);
	ASSERT_EQ(0, keep_queue(self->fd, NAME));
	EXPECT_EQ(-EBUSY, keep_queue(self->fd, NAME));
	EXPECT_EQ(-EBUSY, keep_queue(self->fd, "another"));
	EXPECT_EQ(-EEXIST, keep_queue(other, NAME));
	ASSERT_EQ(0, keep_queue(other, "another"));
	EXPECT_EQ(0, keep_off(other, "another"));
	/* Once undone the name is free, and so is the queue. */
	ASSERT_EQ(0, keep_off(self->fd, NAME));
	ASSERT_EQ(0, keep_queue(other, NAME));
	ASSERT_EQ(0, keep_queue(self->fd, "another"));
	EXPECT_EQ(0, keep_off(self->fd, "another"));
	EXPECT_EQ(0, keep_off(other, NAME));
	close(other);
}

static int undo_in_vain(int fd)
{
	CHECK(keep_off(fd, NAME) == -EPERM);
	CHECK(keep_queue(fd, "another") == -EBUSY);
	return 0;
}

TEST_F_TIMEOUT(keep, who_undoes_it, LIMIT)
{
	pid_t pid;

	EXPECT_EQ(-ENOENT, keep_off(self->fd, NAME));
	ASSERT_EQ(0, keep_queue(self->fd, NAME));
	EXPECT_EQ(-ENOENT, keep_off(self->fd, "another"));
	/* Not the holder, though it has the descriptor. */
	pid = fork();
	if (!pid)
		_exit(undo_in_vain(self->fd));
	EXPECT_EQ(0, child_status(pid));
	EXPECT_EQ(-EBUSY, keep_queue(self->fd, NAME));
	EXPECT_EQ(0, keep_off(self->fd, NAME));
	EXPECT_EQ(-ENOENT, keep_off(self->fd, NAME));
}

/* What fdinfo of @fd says after "knell-@key:"; empty if nothing. */
static void fdinfo(int fd, const char *key, char *value, size_t size)
{
	char path[64], line[512], want[64];
	FILE *f;

	*value = 0;
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	snprintf(want, sizeof(want), "knell-%s:\t", key);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, want, strlen(want))) {
			line[strcspn(line, "\n")] = 0;
			snprintf(value, size, "%s", line + strlen(want));
		}
	if (f)
		fclose(f);
}

TEST_F_TIMEOUT(keep, fdinfo_tells_the_name, LIMIT)
{
	char value[512];
	int fd;

	fdinfo(self->fd, "kept", value, sizeof(value));
	EXPECT_STREQ("", value);
	ASSERT_EQ(0, keep_queue(self->fd, NAME));
	fdinfo(self->fd, "kept", value, sizeof(value));
	EXPECT_STREQ(NAME, value);
	fd = attach(self->fd, NAME);
	ASSERT_LE(0, fd);
	fdinfo(fd, "kept", value, sizeof(value));
	EXPECT_STREQ(NAME, value);
	fdinfo(fd, "revoked", value, sizeof(value));
	EXPECT_STREQ("", value);
	fdinfo(self->fd, "revoked", value, sizeof(value));
	EXPECT_STREQ("1", value);
	ASSERT_EQ(0, keep_off(fd, NAME));
	fdinfo(fd, "kept", value, sizeof(value));
	EXPECT_STREQ("", value);
	/* One line, whatever it is called. */
	ASSERT_EQ(0, keep_queue(fd, "a\nknell-id:\t7\\"));
	fdinfo(fd, "kept", value, sizeof(value));
	EXPECT_STREQ("a\\012knell-id:\\0117\\134", value);
	EXPECT_EQ(0, keep_off(fd, "a\nknell-id:\t7\\"));
	close(fd);
}

/* --- it outlives its holder */

TEST_F_TIMEOUT(keep, nothing_is_kept_unasked, LIMIT)
{
	struct manager m = { .name = NAME };
	int fd;

	EXPECT_EQ(-ENOENT, attach(self->fd, NAME));
	ASSERT_EQ(0, live_and_die(&m, false));
	fd = attach(self->fd, NAME);
	ASSERT_LE(0, fd);
	EXPECT_EQ(0, keep_off(fd, NAME));
	/* It works on, without a name, and goes with its descriptor. */
	EXPECT_EQ(0, read_list(fd));
	EXPECT_LT(0, add_watch(fd, op_user(1)));
	EXPECT_EQ(-ENOENT, attach(self->fd, NAME));
	close(fd);
	EXPECT_EQ(-ENOENT, attach(self->fd, NAME));
}

struct estate {
	int64_t dead, late, bell, rung, once, periodic;
	int64_t pid[2];
	int go;		/* pid[1] waits for a byte from there */
};

/* A child that ends at once, one that waits for a byte, timers, a bell that has rung. */
static int leave_an_estate(struct manager *m)
{
	struct estate *e = m->arg;

	e->dead = add_next(m->fd, 1);
	CHECK(e->dead > 0);
	if (!fork_into(&e->pid[0]))
		_exit(11);
	e->late = add_next(m->fd, 2);
	CHECK(e->late > 0);
	if (!fork_into(&e->pid[1])) {
		char c;

		_exit(read(e->go, &c, 1) == 1 ? 22 : BROKEN);
	}
	e->bell = add_watch(m->fd, op_user(3));
	e->rung = add_watch(m->fd, op_user(4));
	e->once = add_watch(m->fd, op_timer(CLOCK_MONOTONIC, 0, 50 * NSEC_PER_MSEC, 0, 5));
	e->periodic = add_watch(m->fd, op_timer(CLOCK_MONOTONIC, 0, HOUR_NS, NSEC_PER_MSEC, 6));
	CHECK(e->bell > 0 && e->rung > 0 && e->once > 0 && e->periodic > 0);
	CHECK(trigger(m->fd, e->rung, 0x40) == 0);
	CHECK(trigger(m->fd, e->rung, 0x2) == 0);
	return 0;
}

TEST_F_TIMEOUT(keep, it_collects_while_nobody_is_there, LIMIT)
{
	struct estate *e = (void *)self->sh;
	struct manager m = { .name = NAME, .work = leave_an_estate, .arg = e };
	struct knell_event ev[8];
	struct knell_info info;
	int64_t watch;
	int go[2], fd, i;

	ASSERT_EQ(0, prctl(PR_SET_CHILD_SUBREAPER, 1));
	ASSERT_EQ(0, pipe(go));
	e->go = go[0];
	ASSERT_EQ(0, live_and_die(&m, false));
	ASSERT_EQ(1, write(go[1], "g", 1));
	/* They are ours now, and we wait for them to have died unheard. */
	ASSERT_EQ(11 << 8, reap(e->pid[0]));
	ASSERT_EQ(22 << 8, reap(e->pid[1]));

	fd = attach(self->fd, NAME);
	ASSERT_LE(0, fd);
	info = queue_info(fd);
	EXPECT_EQ(6, info.watches);
	/* The timer may still have to fire: there is no event for that but its record. */
	EXPECT_LE(3, info.pending);
	EXPECT_EQ(2, watch_state(fd, e->dead));
	EXPECT_EQ(2, watch_state(fd, e->late));
	EXPECT_EQ(e->pid[0], watch_info(fd, e->dead).pid);
	EXPECT_EQ(1, watch_state(fd, e->bell));
	EXPECT_EQ(2, watch_info(fd, e->rung).value);
	EXPECT_EQ(6, read_list(fd));

	for (i = 0; i < 4; i++) {
		ASSERT_EQ(1, next_event(fd, &ev[i]));
		EXPECT_EQ(0, ev[i].flags);
		if (i)
			EXPECT_LT(ev[i - 1].seq, ev[i].seq);
		switch (ev[i].token) {
		case 1:
			EXPECT_EQ(e->dead, ev[i].watch);
			EXPECT_EQ(e->pid[0], ev[i].exit.pid);
			EXPECT_EQ(11 << 8, ev[i].exit.status);
			break;
		case 2:
			EXPECT_EQ(e->late, ev[i].watch);
			EXPECT_EQ(e->pid[1], ev[i].exit.pid);
			EXPECT_EQ(22 << 8, ev[i].exit.status);
			break;
		case 4:
			EXPECT_EQ(e->rung, ev[i].watch);
			EXPECT_EQ(2, ev[i].user.count);
			EXPECT_EQ(0x42, ev[i].user.value);
			break;
		case 5:
			EXPECT_EQ(e->once, ev[i].watch);
			EXPECT_EQ(1, ev[i].timer.expirations);
			break;
		default:
			EXPECT_EQ(0, ev[i].token);
		}
	}
	EXPECT_EQ(1 + 2 + 4 + 5, ev[0].token + ev[1].token + ev[2].token + ev[3].token);
	EXPECT_EQ(4, nr_watches(fd));
	EXPECT_EQ(0, nr_pending(fd));

	/* And all is as it is in any queue. */
	ASSERT_EQ(0, trigger(fd, e->bell, 1));
	ASSERT_EQ(1, next_event(fd, ev));
	EXPECT_EQ(3, ev->token);
	watch = add_next(fd, 7);
	ASSERT_LT(0, watch);
	if (!fork_into(&e->pid[0]))
		_exit(33);
	ASSERT_EQ(1, next_event(fd, ev));
	EXPECT_EQ(7, ev->token);
	EXPECT_EQ(33 << 8, ev->exit.status);
	reap(e->pid[0]);
	EXPECT_EQ(0, keep_off(fd, NAME));
	close(fd);
}

static int keep_a_ticker(struct manager *m)
{
	int64_t *watch = m->arg;

	*watch = add_watch(m->fd, op_timer(CLOCK_MONOTONIC, 0, 0, NSEC_PER_MSEC, 1));
	return *watch > 0 ? 0 : *watch;
}

TEST_F_TIMEOUT(keep, a_periodic_timer_counts_on, LIMIT)
{
	struct manager m = { .name = NAME, .work = keep_a_ticker, .arg = self->sh };
	uint64_t due, missed;
	struct knell_event ev;
	int fd;

	ASSERT_EQ(0, live_and_die(&m, false));
	usleep(20000);
	fd = take_over(NAME);
	ASSERT_LE(0, fd);
	ASSERT_EQ(1, next_event(fd, &ev));
	EXPECT_LE(20, ev.timer.expirations);
	missed = ev.timer.expirations;
	due = ev.timer.due_ns;
	ASSERT_EQ(1, next_event(fd, &ev));
	EXPECT_EQ(due + missed * NSEC_PER_MSEC, ev.timer.due_ns);
	ASSERT_EQ(0, keep_off(fd, NAME));
	close(fd);
}

/* The fork that was announced never came. */
static int announce_a_fork(struct manager *m)
{
	int64_t *watch = m->arg;

	*watch = add_next(m->fd, 1);
	return *watch > 0 ? 0 : *watch;
}

TEST_F_TIMEOUT(keep, an_unborn_process_has_no_pid, LIMIT)
{
	struct manager m = { .name = NAME, .work = announce_a_fork, .arg = self->sh };
	struct knell_watch_info wi;
	int fd;

	ASSERT_EQ(0, live_and_die(&m, false));
	fd = take_over(NAME);
	ASSERT_LE(0, fd);
	wi = watch_info(fd, *self->sh);
	EXPECT_EQ(KNELL_PROCESS, wi.type);
	EXPECT_EQ(1, wi.state);
	EXPECT_EQ(0, wi.pid);
	EXPECT_EQ(KNELL_OPF_NEXT, wi.flags);
	EXPECT_EQ(0, del_watch(fd, wi.watch));
	EXPECT_EQ(0, nr_watches(fd));
	ASSERT_EQ(0, keep_off(fd, NAME));
	close(fd);
}

TEST_F_TIMEOUT(keep, it_pins_the_module, LIMIT)
{
	struct manager m = { .name = NAME };
	long before = module_refs();
	int fd;

	ASSERT_EQ(1, before);	/* the door */
	ASSERT_EQ(0, live_and_die(&m, false));
	close(self->fd);
	EXPECT_EQ(1, module_refs());
	EXPECT_EQ(-1, syscall(SYS_delete_module, "knell", O_NONBLOCK));
	EXPECT_EQ(EWOULDBLOCK, errno);
	fd = take_over(NAME);
	ASSERT_LE(0, fd);
	EXPECT_EQ(2, module_refs());
	ASSERT_EQ(0, keep_off(fd, NAME));
	EXPECT_EQ(1, module_refs());
	close(fd);
	EXPECT_EQ(0, module_refs());
	self->fd = knell_open(O_NONBLOCK);
}

/* --- who may, and when */

TEST_F_TIMEOUT(keep, while_the_holder_lives, LIMIT)
{
	struct manager m = { .name = NAME };
	int fd;

	ASSERT_EQ(0, start_manager(&m, false));
	EXPECT_EQ(-EBUSY, attach(self->fd, NAME));
	ASSERT_EQ(0, kill(m.pid, SIGSTOP));
	EXPECT_EQ(-EBUSY, attach(self->fd, NAME));
	/* A zombie holds nothing. */
	kill(m.pid, SIGKILL);
	ASSERT_EQ(0, await_zombie(m.pid));
	fd = attach(self->fd, NAME);
	ASSERT_LE(0, fd);
	EXPECT_EQ(SIGKILL, reap(m.pid));
	ASSERT_EQ(0, keep_off(fd, NAME));
	close(fd);
}

static void *sleep_for_ever(void *arg)
{
	(void)arg;
	for (;;)
		pause();
	return NULL;
}

static int lose_the_leader(struct manager *m)
{
	pthread_t thread;

	CHECK(pthread_create(&thread, NULL, sleep_for_ever, NULL) == 0);
	tell(m->said, 'r');
	syscall(SYS_exit, 0);
	return 0;
}

TEST_F_TIMEOUT(keep, a_thread_keeps_the_holder_alive, LIMIT)
{
	struct manager m = { .name = NAME, .work = lose_the_leader };
	int fd;

	ASSERT_EQ(0, start_manager(&m, false));
	await_state(m.pid, 'Z');
	EXPECT_EQ(-EBUSY, attach(self->fd, NAME));
	kill(m.pid, SIGKILL);
	ASSERT_EQ(0, await_zombie(m.pid));
	fd = attach(self->fd, NAME);
	EXPECT_LE(0, fd);
	reap(m.pid);
	ASSERT_EQ(0, keep_off(fd, NAME));
	close(fd);
}

TEST_F_TIMEOUT(keep, the_holder_itself_may, LIMIT)
{
	struct knell_event ev;
	int64_t watch;
	int fd, again;

	fd = knell_open(O_NONBLOCK);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, keep_queue(fd, NAME));
	watch = add_watch(fd, op_user(1));
	ASSERT_EQ(0, trigger(fd, watch, 1));
	close(fd);
	fd = attach(self->fd, NAME);
	ASSERT_LE(0, fd);
	EXPECT_EQ(1, read_list(fd));
	EXPECT_EQ(1, pending_event(fd, &ev));
	EXPECT_EQ(watch, ev.watch);
	/* Though it has not closed, and by itself as the door. */
	again = attach(fd, NAME);
	ASSERT_LE(0, again);
	EXPECT_EQ(-ESTALE, pending_event(fd, &ev));
	close(fd);
	EXPECT_EQ(1, nr_watches(again));
	ASSERT_EQ(0, keep_off(again, NAME));
	close(again);
}

TEST_F_TIMEOUT(keep, what_attach_returns, LIMIT)
{
	struct manager m = { .name = NAME };
	uint64_t id = queue_info(self->fd).id;
	int fd;

	/* The door's own queue has nothing to do with it. */
	ASSERT_LT(0, add_watch(self->fd, op_user(1)));
	ASSERT_EQ(0, live_and_die(&m, false));
	fd = attach(self->fd, NAME);
	ASSERT_LE(0, fd);
	EXPECT_EQ(FD_CLOEXEC, fcntl(fd, F_GETFD));
	EXPECT_EQ(O_RDWR, fcntl(fd, F_GETFL) & (O_ACCMODE | O_NONBLOCK));
	EXPECT_EQ(1, nr_watches(self->fd));
	EXPECT_EQ(0, nr_watches(fd));
	EXPECT_EQ(id, queue_info(self->fd).id);
	EXPECT_NE(id, queue_info(fd).id);
	EXPECT_EQ(-1, lseek(fd, 0, SEEK_SET));
	EXPECT_EQ(ESPIPE, errno);
	EXPECT_EQ(-1, write(fd, "x", 1));
	EXPECT_EQ(EINVAL, errno);
	ASSERT_EQ(0, keep_off(fd, NAME));
	close(fd);
}

TEST_F_TIMEOUT(keep, no_descriptor_no_change, LIMIT)
{
	struct manager m = { .name = NAME };
	struct rlimit limit;
	int fd;

	ASSERT_EQ(0, live_and_die(&m, false));
	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &limit));
	limit.rlim_cur = self->fd + 1;
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
	EXPECT_EQ(-EMFILE, attach(self->fd, NAME));
	limit.rlim_cur = limit.rlim_max;
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
	/* We are not its holder. */
	fd = attach(self->fd, NAME);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, keep_off(fd, NAME));
	close(fd);
}

#define RACERS	4

struct race {
	pthread_barrier_t barrier;
	int result[RACERS];
};

/* All stay alive until each has had its try. */
static int racer(struct race *race, int i)
{
	int door = knell_open(0);

	CHECK(door >= 0);
	pthread_barrier_wait(&race->barrier);
	race->result[i] = attach(door, NAME);
	pthread_barrier_wait(&race->barrier);
	return 0;
}

TEST_F_TIMEOUT(keep, one_of_many_wins, LIMIT)
{
	struct manager m = { .name = NAME };
	struct race *race = (void *)self->sh;
	pthread_barrierattr_t attr;
	int turn, i, won, busy;
	pid_t pid[RACERS];

	pthread_barrierattr_init(&attr);
	pthread_barrierattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_barrier_init(&race->barrier, &attr, RACERS);
	ASSERT_EQ(0, live_and_die(&m, false));
	for (turn = 0; turn < 100; turn++) {
		for (i = 0; i < RACERS; i++) {
			pid[i] = fork();
			if (!pid[i])
				_exit(racer(race, i));
		}
		won = 0;
		busy = 0;
		for (i = 0; i < RACERS; i++)
			ASSERT_EQ(0, child_status(pid[i]));
		for (i = 0; i < RACERS; i++) {
			won += race->result[i] >= 0;
			busy += race->result[i] == -EBUSY;
		}
		ASSERT_EQ(1, won);
		ASSERT_EQ(RACERS - 1, busy);
	}
}

/* --- rights; a queue of user 1000, whom root lets in */

FIXTURE(rights) {
	int fd;
	int64_t *sh;
};

FIXTURE_SETUP(rights)
{
	ASSERT_EQ(0, chmod(KNELL_DEVICE, 0666));
	self->fd = knell_open(O_NONBLOCK);
	ASSERT_LE(0, self->fd);
	self->sh = shared(4096);
}

static int drop_own(void *arg)
{
	(void)arg;
	return drop_queue(NAME);
}

/* That of user @arg, whoever one is. */
static int drop_of(void *arg)
{
	int door = knell_open(0), fd;

	fd = attach_uid(door, NAME, *(int64_t *)arg);
	return fd < 0 ? fd : keep_off(fd, NAME);
}

FIXTURE_TEARDOWN(rights)
{
	EXPECT_EQ(0, as_who(&user_1000, drop_own, NULL));
	EXPECT_EQ(0, drop_queue(NAME));
	close(self->fd);
	EXPECT_EQ(0, module_refs_after_all(0));
	chmod(KNELL_DEVICE, 0600);
}

static const struct who user_2000 = { 2000, 2000, 2000, 0 };
static const struct who almost_root = { 0, 0, 0, ~(1ULL << CAP_SYS_ADMIN) & 0xffffffffffULL };
static const struct who effective_1000 = { 2000, 1000, 2000, 0 };
static const struct who effective_2000 = { 1000, 2000, 1000, 0 };
static const struct who admin_2000 = { 2000, 2000, 2000, 1ULL << CAP_SYS_ADMIN };

/* A queue with as many bells as @arg says, of whoever runs this and is gone soon. */
static int keep_and_die(void *arg)
{
	int64_t i, nr = arg ? *(int64_t *)arg : 1;
	int fd = knell_open(0);

	for (i = 0; i < nr; i++)
		if (fd < 0 || add_watch(fd, op_user(1)) < 0)
			return -errno;
	return keep_queue(fd, NAME);
}

/* ATTACH to what user @arg keeps: how many watches it has, or an error. */
static int count_what_is_kept(void *arg)
{
	int door = knell_open(0), fd;

	fd = attach_uid(door, NAME, *(int64_t *)arg);
	return fd < 0 ? fd : (int)nr_watches(fd);
}

TEST_F_TIMEOUT(rights, of_another_uid, LIMIT)
{
	*self->sh = 1000;
	EXPECT_EQ(-ENOENT, as_who(&user_1000, count_what_is_kept, self->sh));
	ASSERT_EQ(0, as_who(&user_1000, keep_and_die, NULL));
	EXPECT_EQ(1, as_who(&user_1000, count_what_is_kept, self->sh));
	EXPECT_EQ(-EPERM, as_who(&user_2000, count_what_is_kept, self->sh));
	EXPECT_EQ(-EPERM, as_who(&almost_root, count_what_is_kept, self->sh));
	EXPECT_EQ(1, as_who(&admin_2000, count_what_is_kept, self->sh));
	EXPECT_EQ(1, as_who(&root_all, count_what_is_kept, self->sh));
	/* 0 is one's own, in each of these mouths another. */
	*self->sh = 0;
	EXPECT_EQ(1, as_who(&user_1000, count_what_is_kept, self->sh));
	EXPECT_EQ(-ENOENT, as_who(&user_2000, count_what_is_kept, self->sh));
	EXPECT_EQ(-ENOENT, as_who(&admin_2000, count_what_is_kept, self->sh));
	EXPECT_EQ(-ENOENT, as_who(&root_all, count_what_is_kept, self->sh));
	/* It is the effective one that counts. */
	*self->sh = 0;
	EXPECT_EQ(1, as_who(&effective_1000, count_what_is_kept, self->sh));
	EXPECT_EQ(-ENOENT, as_who(&effective_2000, count_what_is_kept, self->sh));
	*self->sh = 0xffffffff;
	EXPECT_EQ(-EINVAL, as_who(&root_all, count_what_is_kept, self->sh));
}

TEST_F_TIMEOUT(rights, names_are_each_users_own, LIMIT)
{
	int64_t watch[2];
	int fd;

	ASSERT_EQ(0, as_who(&user_1000, keep_and_die, NULL));
	watch[0] = add_watch(self->fd, op_user(1));
	watch[1] = add_watch(self->fd, op_user(2));
	ASSERT_LT(0, watch[0]);
	ASSERT_LT(0, watch[1]);
	ASSERT_EQ(0, keep_queue(self->fd, NAME));
	*self->sh = 0;
	EXPECT_EQ(1, as_who(&user_1000, count_what_is_kept, self->sh));
	fd = attach(self->fd, NAME);
	ASSERT_LE(0, fd);
	EXPECT_EQ(2, nr_watches(fd));
	EXPECT_EQ(0, keep_off(fd, NAME));
	close(fd);
}

static int keep_as(void *arg)
{
	int64_t *uid = arg;
	struct knell_name name = name_of(NAME, *uid, 0);
	int fd = knell_open(0), err;

	err = ioctl_error(fd, KNELL_IOC_KEEP, &name);
	if (!err)
		err = keep_off(fd, NAME);
	return err;
}

TEST_F_TIMEOUT(rights, one_keeps_for_oneself, LIMIT)
{
	*self->sh = 1000;
	EXPECT_EQ(0, as_who(&user_1000, keep_as, self->sh));
	EXPECT_EQ(-EINVAL, as_who(&user_2000, keep_as, self->sh));
	EXPECT_EQ(-EINVAL, as_who(&root_all, keep_as, self->sh));
	*self->sh = 0;
	EXPECT_EQ(0, as_who(&user_1000, keep_as, self->sh));
	EXPECT_EQ(0, as_who(&root_all, keep_as, self->sh));
}

static int keep_what_was_passed_on(void *arg)
{
	return keep_queue(*(int64_t *)arg, NAME);
}

TEST_F_TIMEOUT(rights, the_openers_queue_is_not_anybodys_to_keep, LIMIT)
{
	*self->sh = self->fd;
	EXPECT_EQ(-EPERM, as_who(&user_1000, keep_what_was_passed_on, self->sh));
	EXPECT_EQ(-ENOENT, attach(self->fd, NAME));
	/* Whose names it is in is settled by who opened it. */
	EXPECT_EQ(0, as_who(&admin_2000, keep_what_was_passed_on, self->sh));
	*self->sh = 0;
	EXPECT_EQ(-ENOENT, as_who(&user_2000, count_what_is_kept, self->sh));
	EXPECT_EQ(0, drop_queue(NAME));
}

static int from_another_pid_ns(void *arg)
{
	int *result = shared(sizeof(*result));
	pid_t pid;

	if (unshare(CLONE_NEWPID))
		return -errno;
	pid = fork();
	if (!pid) {
		*result = as_who(&user_1000, count_what_is_kept, arg);
		_exit(0);
	}
	reap(pid);
	return *result;
}

static int admin_of_another_pid_ns(void *arg)
{
	int *result = shared(sizeof(*result));
	pid_t pid;

	if (unshare(CLONE_NEWPID))
		return -errno;
	pid = fork();
	if (!pid) {
		*result = count_what_is_kept(arg);
		_exit(0);
	}
	reap(pid);
	return *result;
}

TEST_F_TIMEOUT(rights, of_another_pid_namespace, LIMIT)
{
	*self->sh = 1000;
	ASSERT_EQ(0, as_who(&user_1000, keep_and_die, NULL));
	EXPECT_EQ(-EPERM, as_who(&root_all, from_another_pid_ns, self->sh));
	EXPECT_EQ(1, as_who(&root_all, admin_of_another_pid_ns, self->sh));
	EXPECT_EQ(1, as_who(&user_1000, count_what_is_kept, self->sh));
}

/* In a user namespace of its own, in which it is as mighty as can be. */
static int from_another_user_ns(void *arg)
{
	char map[64];
	int fd, n;

	n = snprintf(map, sizeof(map), "1000 %d 1", geteuid());
	if (unshare(CLONE_NEWUSER) || prctl(PR_SET_DUMPABLE, 1))
		return -errno;
	fd = open("/proc/self/uid_map", O_WRONLY);
	if (fd < 0 || write(fd, map, n) != n)
		return -errno;
	close(fd);
	return count_what_is_kept(arg);
}

/* It keeps what it has in its own namespace, and dies. */
static int keep_in_another_user_ns(void *arg)
{
	int64_t two = 2;

	return from_another_user_ns(arg) == -EPERM ? keep_and_die(&two) : -EPROTO;
}

TEST_F_TIMEOUT(rights, of_another_user_namespace, LIMIT)
{
	int64_t *uid = self->sh;

	*uid = 1000;
	ASSERT_EQ(0, as_who(&user_1000, keep_and_die, NULL));
	/* The same kuid; it has each capability, but not in the queue's namespace. */
	EXPECT_EQ(-EPERM, as_who(&user_1000, from_another_user_ns, uid));
	/* The name is free there, and the other queue is nearer to whom is there. */
	EXPECT_EQ(0, as_who(&user_1000, keep_in_another_user_ns, uid));
	EXPECT_EQ(1, as_who(&user_1000, count_what_is_kept, uid));
	EXPECT_EQ(0, as_who(&user_1000, drop_own, NULL));
	/* From above, with the capability: what is left is that of the inner namespace. */
	EXPECT_EQ(-EPERM, as_who(&user_2000, count_what_is_kept, uid));
	EXPECT_EQ(2, as_who(&root_all, count_what_is_kept, uid));
	EXPECT_EQ(0, as_who(&root_all, drop_of, uid));
	EXPECT_EQ(-ENOENT, as_who(&root_all, count_what_is_kept, uid));
}

static int keep_below(void *arg)
{
	int err = enter_user_ns();

	return err ? err : keep_and_die(arg);
}

/* Of several by one name one gets that of one's own namespace, else one that one may. */
TEST_F_TIMEOUT(rights, one_name_in_several_user_namespaces, LIMIT)
{
	int64_t *uid = self->sh, two = 2, three = 3;
	int first, second;

	*uid = 1000;
	ASSERT_EQ(0, as_who(&user_1000, keep_below, &two));
	ASSERT_EQ(0, as_who(&user_1000, keep_below, &three));
	/* The user himself is of neither namespace, but above both. */
	EXPECT_EQ(-EPERM, as_who(&user_2000, count_what_is_kept, uid));
	first = as_who(&root_all, count_what_is_kept, uid);
	EXPECT_TRUE(first == 2 || first == 3);
	ASSERT_EQ(0, as_who(&user_1000, keep_and_die, NULL));
	EXPECT_EQ(1, as_who(&root_all, count_what_is_kept, uid));
	EXPECT_EQ(1, as_who(&user_1000, count_what_is_kept, uid));
	EXPECT_EQ(0, as_who(&root_all, drop_of, uid));
	first = as_who(&root_all, count_what_is_kept, uid);
	EXPECT_EQ(0, as_who(&root_all, drop_of, uid));
	second = as_who(&root_all, count_what_is_kept, uid);
	EXPECT_EQ(0, as_who(&root_all, drop_of, uid));
	EXPECT_EQ(5, first + second);
	EXPECT_NE(first, second);
	EXPECT_EQ(-ENOENT, as_who(&root_all, count_what_is_kept, uid));
}

/* More users than places to look for what they keep: each finds his own. */
static int crowd_keeps(void *arg)
{
	int64_t uid, nr;

	(void)arg;
	for (uid = 5000; uid < 5000 + CROWD; uid++) {
		nr = uid % 3 + 1;
		CHECK(seteuid(uid) == 0);
		CHECK(keep_and_die(&nr) == 0);
		CHECK(seteuid(0) == 0);
	}
	for (uid = 5000; uid < 5000 + CROWD; uid++) {
		CHECK(count_what_is_kept(&uid) == uid % 3 + 1);
		CHECK(drop_of(&uid) == 0);
		CHECK(count_what_is_kept(&uid) == -ENOENT);
	}
	return 0;
}

TEST_F_TIMEOUT(rights, one_name_of_a_crowd_of_users, LIMIT)
{
	EXPECT_EQ(0, as_who(&root_all, crowd_keeps, NULL));
}

/* How many queues it can keep, up to 8, and by what error it ends; all go again. */
static int keep_many(void *arg)
{
	int64_t *out = arg;
	char name[16];
	int fd[8], i, n;

	*out = 0;
	for (n = 0; n < 8; n++) {
		snprintf(name, sizeof(name), "q%d", n);
		fd[n] = knell_open(0);
		*out = keep_queue(fd[n], name);
		if (*out)
			break;
	}
	for (i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "q%d", i);
		if (keep_off(fd[i], name))
			return -EPROTO;
	}
	return n;
}

static int keep_many_in_a_user_ns(void *arg)
{
	int64_t uid = 1000;

	if (from_another_user_ns(&uid) != -EPERM)
		return -EPROTO;
	return keep_many(arg);
}

static void set_kept_max(const char *text)
{
	int fd = open(KEPT_PARAM, O_WRONLY);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		perror("# " KEPT_PARAM);
	close(fd);
}

TEST_F_TIMEOUT(rights, the_cap, LIMIT)
{
	set_kept_max("3");
	EXPECT_EQ(3, as_who(&user_1000, keep_many, self->sh));
	EXPECT_EQ(-ENOSPC, *self->sh);
	/* What was undone does not count, what is kept does, whoever holds it. */
	EXPECT_EQ(3, as_who(&user_1000, keep_many, self->sh));
	ASSERT_EQ(0, as_who(&user_1000, keep_and_die, NULL));
	EXPECT_EQ(2, as_who(&user_1000, keep_many, self->sh));
	EXPECT_EQ(3, as_who(&user_2000, keep_many, self->sh));
	/* A namespace of his own is no way around it. */
	EXPECT_EQ(2, as_who(&user_1000, keep_many_in_a_user_ns, self->sh));
	EXPECT_EQ(-ENOSPC, *self->sh);
	EXPECT_EQ(0, as_who(&user_1000, drop_own, NULL));
	EXPECT_EQ(3, as_who(&user_1000, keep_many, self->sh));
	/* With CAP_SYS_RESOURCE there is none. */
	EXPECT_EQ(8, as_who(&root_all, keep_many, self->sh));
	set_kept_max("64");
}

/* --- revoked */

TEST_F_TIMEOUT(keep, all_of_a_revoked_descriptor_is_stale, LIMIT)
{
	struct knell_op op = op_user(1);
	struct epoll_event ee = { .events = EPOLLET };
	struct pollfd pfd = { .events = POLLIN };
	int old, fd, ep = epoll_create1(EPOLL_CLOEXEC);
	struct knell_event ev;

	old = knell_open(0);
	ASSERT_LE(0, old);
	ASSERT_EQ(0, keep_queue(old, NAME));
	ASSERT_LT(0, add_watch(old, op_user(1)));
	ASSERT_EQ(0, epoll_ctl(ep, EPOLL_CTL_ADD, old, &ee));
	EXPECT_EQ(0, epoll_wait(ep, &ee, 1, 0));
	fd = attach(self->fd, NAME);
	ASSERT_LE(0, fd);

	EXPECT_EQ(-1, read(old, &ev, sizeof(ev)));
	EXPECT_EQ(ESTALE, errno);
	ASSERT_EQ(0, fcntl(old, F_SETFL, O_NONBLOCK));
	EXPECT_EQ(-1, read(old, &ev, sizeof(ev)));
	EXPECT_EQ(ESTALE, errno);
	EXPECT_EQ(-ESTALE, wait_events(old, &ev, 1, KNELL_FOREVER));
	EXPECT_EQ(-ESTALE, wait_events(old, &ev, 1, 0));
	EXPECT_EQ(-ESTALE, submit_ops(old, &op, 1));
	EXPECT_EQ(-ESTALE, submit_ops(old, NULL, 0));
	EXPECT_EQ(-ESTALE, list_watches(old, NULL, 0, 0));
	EXPECT_EQ(-ESTALE, keep_off(old, NAME));
	EXPECT_EQ(-ESTALE, keep_queue(old, "another"));
	EXPECT_EQ(-ESTALE, attach(old, NAME));
	EXPECT_EQ(-ESTALE, ioctl_error(old, KNELL_IOC_INFO, &(struct knell_info){ }));
	EXPECT_EQ(-ENOTTY, ioctl_error(old, _IO(0xda, 0x7f), NULL));
	EXPECT_EQ(-1, write(old, &op, sizeof(op)));
	EXPECT_EQ(EINVAL, errno);
	pfd.fd = old;
	EXPECT_EQ(1, poll(&pfd, 1, 0));
	EXPECT_EQ(POLLIN | POLLHUP | POLLERR, pfd.revents);
	EXPECT_EQ(1, epoll_wait(ep, &ee, 1, 0));
	EXPECT_EQ(EPOLLHUP | EPOLLERR, ee.events);
	/* None of this was an act on the queue. */
	EXPECT_EQ(1, nr_watches(fd));
	close(old);
	EXPECT_EQ(1, nr_watches(fd));
	ASSERT_EQ(0, keep_off(fd, NAME));
	close(fd);
	close(ep);
}

enum sleeper { IN_READ, IN_SUBMIT, IN_POLL, IN_EPOLL, SLEEPERS };
static const long sleeps_in[] = { SYS_read, SYS_ioctl, SYS_poll, SYS_epoll_wait };

/* What the call returns that a child sleeps in, as a heir of the queue. */
static int sleep_in(enum sleeper how, int fd)
{
	struct epoll_event ee = { .events = EPOLLIN };
	struct pollfd pfd = { .fd = fd, .events = 0 };
	struct knell_event ev;
	int ep;

	switch (how) {
	case IN_READ:
		CHECK(read(fd, &ev, sizeof(ev)) == -1 && errno == ESTALE);
		break;
	case IN_SUBMIT:
		CHECK(wait_events(fd, &ev, 1, KNELL_FOREVER) == -ESTALE);
		break;
	case IN_POLL:
		CHECK(poll(&pfd, 1, -1) == 1);
		CHECK(pfd.revents == (POLLHUP | POLLERR));
		break;
	default:
		ep = epoll_create1(0);
		CHECK(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ee) == 0);
		CHECK(epoll_wait(ep, &ee, 1, -1) == 1);
		CHECK(ee.events == (EPOLLIN | EPOLLHUP | EPOLLERR));
	}
	CHECK(wait_events(fd, &ev, 1, 0) == -ESTALE);
	return 0;
}

/* Children that sleep on the descriptor, two of each kind, and outlive us. */
static int leave_sleepers(struct manager *m)
{
	int64_t *pid = m->arg;
	int i;

	for (i = 0; i < 2 * SLEEPERS; i++) {
		if (!fork_into(&pid[i]))
			_exit(sleep_in(i / 2, m->fd));
		CHECK(pid[i] > 0);
	}
	return 0;
}

TEST_F_TIMEOUT(keep, who_sleeps_wakes, LIMIT)
{
	struct manager m = { .name = NAME, .work = leave_sleepers, .arg = self->sh };
	int fd, i;

	ASSERT_EQ(0, prctl(PR_SET_CHILD_SUBREAPER, 1));
	ASSERT_EQ(0, live_and_die(&m, false));
	for (i = 0; i < 2 * SLEEPERS; i++)
		wait_blocked(self->sh[i], self->sh[i], sleeps_in[i / 2]);
	fd = attach(self->fd, NAME);
	ASSERT_LE(0, fd);
	for (i = 0; i < 2 * SLEEPERS; i++)
		EXPECT_EQ(0, child_status(self->sh[i]));
	ASSERT_EQ(0, keep_off(fd, NAME));
	close(fd);
}

/* The owner drops it; who read it through what the dead one left behind returns. */
TEST_F_TIMEOUT(keep, a_reader_of_a_dropped_queue_returns, LIMIT)
{
	struct manager m = { .name = NAME, .work = leave_sleepers, .arg = self->sh };
	int i;

	ASSERT_EQ(0, prctl(PR_SET_CHILD_SUBREAPER, 1));
	ASSERT_EQ(0, live_and_die(&m, false));
	for (i = 0; i < 2 * SLEEPERS; i++)
		wait_blocked(self->sh[i], self->sh[i], sleeps_in[i / 2]);
	ASSERT_EQ(0, drop_queue(NAME));
	for (i = 0; i < 2 * SLEEPERS; i++)
		EXPECT_EQ(0, child_status(self->sh[i]));
	EXPECT_EQ(-ENOENT, attach(self->fd, NAME));
	EXPECT_EQ(1, module_refs());
}

struct heir {
	int64_t watch;
	int64_t pid;
	int go[2];
	int said[2];
};

/* A child on its way to exec: it has the descriptor, and waits. */
static int leave_an_heir(struct manager *m)
{
	struct knell_event ev;
	struct heir *h = m->arg;

	h->watch = add_watch(m->fd, op_user(1));
	CHECK(h->watch > 0);
	if (fork_into(&h->pid))
		return h->pid < 0;
	must_hear(h->go, 's');
	tell(h->said, wait_events(m->fd, &ev, 1, 0) == -ESTALE ? 's' : 'x');
	must_hear(h->go, 'c');
	close(m->fd);
	tell(h->said, 'c');
	must_hear(h->go, 'e');
	_exit(7);
}

TEST_F_TIMEOUT(keep, a_half_spawned_child_is_in_nobodys_way, LIMIT)
{
	struct heir *h = (void *)self->sh;
	struct manager m = { .name = NAME, .work = leave_an_heir, .arg = h };
	struct knell_event ev;
	int fd, again;

	ASSERT_EQ(0, prctl(PR_SET_CHILD_SUBREAPER, 1));
	ASSERT_EQ(0, pipe(h->go));
	ASSERT_EQ(0, pipe(h->said));
	ASSERT_EQ(0, live_and_die(&m, false));
	fd = take_over(NAME);
	ASSERT_LE(0, fd);
	tell(h->go, 's');
	EXPECT_EQ('s', hear(h->said));
	/* Its close is not the queue's last. */
	tell(h->go, 'c');
	EXPECT_EQ('c', hear(h->said));
	EXPECT_EQ(0, trigger(fd, h->watch, 1));
	EXPECT_EQ(1, pending_event(fd, &ev));
	EXPECT_EQ(h->watch, ev.watch);
	/* Nor was ours, since we hold it. */
	close(fd);
	again = take_over(NAME);
	ASSERT_LE(0, again);
	EXPECT_EQ(0, trigger(again, h->watch, 1));
	tell(h->go, 'e');
	EXPECT_EQ(7 << 8, reap(h->pid));
	ASSERT_EQ(0, keep_off(again, NAME));
	close(again);
}

/* The new one has ended the queue; an old descriptor of it is still open. */
TEST_F_TIMEOUT(keep, a_revoked_descriptor_keeps_no_queue, LIMIT)
{
	struct heir *h = (void *)self->sh;
	struct manager m = { .name = NAME, .work = leave_an_heir, .arg = h };

	ASSERT_EQ(0, prctl(PR_SET_CHILD_SUBREAPER, 1));
	ASSERT_EQ(0, pipe(h->go));
	ASSERT_EQ(0, pipe(h->said));
	ASSERT_EQ(0, live_and_die(&m, false));
	ASSERT_EQ(0, drop_queue(NAME));
	EXPECT_EQ(-ENOENT, attach(self->fd, NAME));
	/* The door and the heir. */
	EXPECT_EQ(2, module_refs());
	tell(h->go, 's');
	EXPECT_EQ('s', hear(h->said));
	tell(h->go, 'c');
	EXPECT_EQ('c', hear(h->said));
	tell(h->go, 'e');
	EXPECT_EQ(7 << 8, reap(h->pid));
	EXPECT_EQ(1, module_refs());
}

/* --- a reader that is stuck in its copy */

struct stuck {
	int fd;
	struct trap trap;
	ssize_t ret;
	int err;
};

static void *read_into_the_trap(void *arg)
{
	struct stuck *s = arg;

	s->ret = read(s->fd, s->trap.page, 8 * sizeof(struct knell_event));
	s->err = errno;
	return NULL;
}

/*
 * An exit that has been read, three bells that are with a reader, one that has
 * rung since.
 */
static int stick(struct stuck *s, int64_t *watch, pthread_t *thread)
{
	struct knell_event ev;
	int64_t process;
	pid_t pid;
	int i;

	process = add_watch(s->fd, op_add(KNELL_PROCESS, KNELL_OPF_NEXT | KNELL_OPF_ACK, 10));
	CHECK(process > 0);
	pid = fork();
	if (!pid)
		_exit(5);
	CHECK(next_event(s->fd, &ev) == 1 && ev.token == 10);
	reap(pid);
	for (i = 0; i < 4; i++) {
		watch[i] = add_watch(s->fd, op_user(i));
		CHECK(watch[i] > 0);
		CHECK(i == 3 || trigger(s->fd, watch[i], 1 << i) == 0);
	}
	CHECK(set_trap(&s->trap) == 0);
	CHECK(pthread_create(thread, NULL, read_into_the_trap, s) == 0);
	CHECK(wait_trapped(&s->trap) == 0);
	CHECK(trigger(s->fd, watch[3], 1 << 3) == 0);
	return 0;
}

TEST_F_TIMEOUT(keep, a_stuck_reader_is_in_nobodys_way, LIMIT)
{
	struct knell_event ev[8];
	struct stuck s = { };
	int64_t watch[4];
	pthread_t thread;
	int fd, i;

	s.fd = knell_open(O_NONBLOCK);
	ASSERT_LE(0, s.fd);
	ASSERT_EQ(0, keep_queue(s.fd, NAME));
	ASSERT_EQ(0, stick(&s, watch, &thread));
	/* The holder itself, so that its stuck thread may live. */
	fd = take_over(NAME);
	ASSERT_LE(0, fd);
	EXPECT_EQ(5, nr_pending(fd));
	ASSERT_EQ(0, trigger(fd, watch[1], 8));
	ASSERT_EQ(0, del_watch(fd, watch[2]));
	ASSERT_EQ(4, wait_events(fd, ev, 8, 0));
	EXPECT_EQ(10, ev[0].token);
	EXPECT_EQ(KNELL_EVF_REDELIVERED, ev[0].flags);
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(i, ev[i + 1].token);
		EXPECT_EQ(0, ev[i + 1].flags);
		EXPECT_LT(ev[i].seq, ev[i + 1].seq);
	}
	EXPECT_EQ(2, ev[2].user.count);
	EXPECT_EQ(8 | 2, ev[2].user.value);
	EXPECT_EQ(3, ev[3].token);
	EXPECT_LT(ev[2].seq, ev[3].seq);
	ASSERT_EQ(0, trigger(fd, watch[0], 0x100));
	/* He goes on, and has read nothing. */
	ASSERT_EQ(0, end_trap(&s.trap));
	pthread_join(thread, NULL);
	EXPECT_EQ(-1, s.ret);
	EXPECT_EQ(ESTALE, s.err);
	ASSERT_EQ(1, wait_events(fd, ev, 8, 0));
	EXPECT_EQ(0, ev[0].token);
	EXPECT_EQ(0x100, ev[0].user.value);
	EXPECT_EQ(0, nr_pending(fd));
	EXPECT_EQ(4, nr_watches(fd));
	close(s.fd);
	ASSERT_EQ(0, keep_off(fd, NAME));
	close(fd);
}

/* Who waits for his turn to read. */
struct next {
	int fd;
	volatile pid_t tid;
	ssize_t ret;
	int err;
};

static void *read_next(void *arg)
{
	struct next *n = arg;
	struct knell_event ev;

	n->tid = own_tid();
	n->ret = read(n->fd, &ev, sizeof(ev));
	n->err = errno;
	return NULL;
}

/* It is taken from him, too, who waits for the stuck one's end, whether a record is to be settled or not. */
static void wait_behind_a_stuck_reader(struct __test_metadata *_metadata, bool unsettled)
{
	struct knell_event ev[8];
	struct stuck s = { };
	struct next n;
	int64_t watch[4];
	pthread_t thread[2];
	int fd, in = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);

	s.fd = knell_open(O_NONBLOCK);
	ASSERT_LE(0, s.fd);
	ASSERT_LE(0, inotify_add_watch(in, "/tmp", IN_CREATE));
	ASSERT_EQ(0, keep_queue(s.fd, NAME));
	ASSERT_EQ(0, stick(&s, watch, &thread[0]));
	if (unsettled) {
		struct knell_op op = op_add(KNELL_FD, 0, 20);

		op.fd.fd = in;
		op.fd.events = EPOLLIN;
		ASSERT_LT(0, add_watch(s.fd, op));
		ASSERT_EQ(0, mkdir("/tmp/behind", 0755));
		ASSERT_EQ(0, rmdir("/tmp/behind"));
	}
	n = (struct next){ .fd = s.fd };
	ASSERT_EQ(0, pthread_create(&thread[1], NULL, read_next, &n));
	while (!n.tid)
		sched_yield();
	wait_blocked(getpid(), n.tid, SYS_read);
	fd = take_over(NAME);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, end_trap(&s.trap));
	for (int i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
	EXPECT_EQ(-1, s.ret);
	EXPECT_EQ(ESTALE, s.err);
	EXPECT_EQ(-1, n.ret);
	EXPECT_EQ(ESTALE, n.err);
	/* A descriptor's watch is not kept; of the others nothing was taken. */
	EXPECT_EQ(5, nr_pending(fd));
	EXPECT_EQ(5, wait_events(fd, ev, 8, 0));
	close(s.fd);
	close(s.trap.fd);
	close(in);
	ASSERT_EQ(0, keep_off(fd, NAME));
	close(fd);
}

TEST_F_TIMEOUT(keep, who_waits_behind_a_stuck_reader, LIMIT)
{
	wait_behind_a_stuck_reader(_metadata, false);
	wait_behind_a_stuck_reader(_metadata, true);
}

static int be_stuck(struct manager *m)
{
	struct stuck *s = m->arg;
	pthread_t thread;

	s->fd = m->fd;
	return stick(s, (void *)(s + 1), &thread);
}

TEST_F_TIMEOUT(keep, a_reader_killed_in_its_copy_has_read_nothing, LIMIT)
{
	struct manager m = { .name = NAME, .work = be_stuck, .arg = self->sh };
	struct knell_event ev[8];
	int fd, i;

	ASSERT_EQ(0, live_and_die(&m, false));
	fd = take_over(NAME);
	ASSERT_LE(0, fd);
	ASSERT_EQ(5, wait_events(fd, ev, 8, 0));
	EXPECT_EQ(10, ev[0].token);
	EXPECT_EQ(KNELL_EVF_REDELIVERED, ev[0].flags);
	for (i = 0; i < 4; i++) {
		EXPECT_EQ(i, ev[i + 1].token);
		EXPECT_EQ(0, ev[i + 1].flags);
		EXPECT_EQ(1, ev[i + 1].user.count);
		EXPECT_EQ(1 << i, ev[i + 1].user.value);
	}
	ASSERT_EQ(0, keep_off(fd, NAME));
	close(fd);
}

/* --- the gate: nothing is delivered until LIST has been read */

/* Five bells, of which the first three have rung. */
static int hang_bells(struct manager *m)
{
	int64_t *watch = m->arg;
	int i;

	for (i = 0; i < 5; i++) {
		watch[i] = add_watch(m->fd, op_user(i));
		CHECK(watch[i] > 0);
		CHECK(i >= 3 || trigger(m->fd, watch[i], 1 << i) == 0);
	}
	return 0;
}

/* Does nothing come, in whatever way one asks? */
static int is_gated(int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	uint64_t soon = clock_ns(CLOCK_MONOTONIC) + NSEC_PER_MSEC;
	struct knell_event ev;

	CHECK(fcntl(fd, F_SETFL, O_NONBLOCK) == 0);
	CHECK(take(fd, &ev) == 0);
	CHECK(wait_events(fd, &ev, 1, 0) == 0);
	CHECK(wait_events(fd, &ev, 1, soon) == 0);
	CHECK(clock_ns(CLOCK_MONOTONIC) >= soon);
	CHECK(poll(&pfd, 1, 0) == 0);
	return 0;
}

TEST_F_TIMEOUT(keep, nothing_comes_before_list, LIMIT)
{
	struct manager m = { .name = NAME, .work = hang_bells, .arg = self->sh };
	int64_t *watch = self->sh;
	struct knell_list list = { }, *read_only;
	struct knell_watch_info wi[8];
	struct knell_event ev[8];
	struct knell_op op;
	int fd, i;

	ASSERT_EQ(0, live_and_die(&m, false));
	fd = attach(self->fd, NAME);
	ASSERT_LE(0, fd);
	EXPECT_EQ(0, is_gated(fd));
	EXPECT_EQ(3, nr_pending(fd));
	/* What happens meanwhile waits as well; ops go on. */
	ASSERT_EQ(0, trigger(fd, watch[3], 8));
	EXPECT_EQ(4, nr_pending(fd));
	EXPECT_EQ(0, is_gated(fd));

	/* Only counted; in part; broken; told, but not how far that was. */
	EXPECT_EQ(0, ioctl(fd, KNELL_IOC_LIST, &list));
	EXPECT_EQ(5, list.total);
	EXPECT_EQ(0, is_gated(fd));
	EXPECT_EQ(1, list_watches(fd, wi, 1, 0));
	EXPECT_EQ(0, is_gated(fd));
	EXPECT_EQ(2, list_watches(fd, wi, 2, watch[0]));
	EXPECT_EQ(0, is_gated(fd));
	EXPECT_EQ(-EFAULT, list_watches(fd, NULL, 8, 0));
	EXPECT_EQ(0, is_gated(fd));
	list.pad = 1;
	EXPECT_EQ(-1, ioctl(fd, KNELL_IOC_LIST, &list));
	EXPECT_EQ(0, is_gated(fd));
	EXPECT_EQ(-EFAULT, list_watches(fd, (void *)(guarded(1) - 5 * sizeof(*wi) + 8), 5, 0));
	EXPECT_EQ(0, is_gated(fd));
	read_only = (void *)(guarded(1) - getpagesize());
	read_only->watches = (uintptr_t)wi;
	read_only->nr = 8;
	ASSERT_EQ(0, mprotect(read_only, getpagesize(), PROT_READ));
	EXPECT_EQ(-EFAULT, ioctl_error(fd, KNELL_IOC_LIST, read_only));
	EXPECT_EQ(0, is_gated(fd));

	/* That is what it is for: from here on they have tokens of ours. */
	for (i = 0; i < 5; i++) {
		op = op_mod(watch[i], 0, 100 + i);
		EXPECT_EQ(0, submit_op(fd, &op));
	}
	EXPECT_EQ(0, is_gated(fd));
	EXPECT_EQ(2, list_watches(fd, wi, 2, watch[2]));
	EXPECT_EQ(103, wi[0].token);
	EXPECT_EQ(2, wi[0].state);
	EXPECT_EQ(1, wi[1].state);
	ASSERT_EQ(4, wait_events(fd, ev, 8, 0));
	for (i = 0; i < 4; i++) {
		EXPECT_EQ(watch[i], ev[i].watch);
		EXPECT_EQ(100 + i, ev[i].token);
		EXPECT_EQ(1 << i, ev[i].user.value);
	}
	/* Once is enough. */
	ASSERT_EQ(0, trigger(fd, watch[4], 1));
	ASSERT_EQ(1, wait_events(fd, ev, 8, 0));
	ASSERT_EQ(0, keep_off(fd, NAME));
	close(fd);
}

/* A manager that counts first has nothing to list if there is nothing. */
TEST_F_TIMEOUT(keep, an_empty_list_is_read_when_it_is_counted, LIMIT)
{
	struct manager m = { .name = NAME };
	struct knell_event ev;
	int64_t watch;
	int fd;

	ASSERT_EQ(0, live_and_die(&m, false));
	fd = attach(self->fd, NAME);
	ASSERT_LE(0, fd);
	watch = add_watch(fd, op_user(1));
	ASSERT_EQ(0, trigger(fd, watch, 1));
	EXPECT_EQ(0, list_watches(fd, NULL, 0, 0));
	EXPECT_EQ(0, is_gated(fd));
	ASSERT_EQ(0, del_watch(fd, watch));
	EXPECT_EQ(0, list_watches(fd, NULL, 0, 0));
	watch = add_watch(fd, op_user(1));
	ASSERT_EQ(0, trigger(fd, watch, 1));
	EXPECT_EQ(1, wait_events(fd, &ev, 1, 0));
	ASSERT_EQ(0, keep_off(fd, NAME));
	close(fd);
}

static void *open_the_gate(void *arg)
{
	int *fd = arg;

	wait_blocked(getpid(), fd[1], fd[2]);
	fd[3] = read_list(fd[0]);
	return NULL;
}

TEST_F_TIMEOUT(keep, who_waits_at_the_gate_is_woken, LIMIT)
{
	struct manager m = { .name = NAME, .work = hang_bells, .arg = self->sh };
	struct pollfd pfd = { .events = POLLIN };
	struct knell_event ev[8];
	pthread_t thread;
	int arg[4], how;

	ASSERT_EQ(0, live_and_die(&m, false));
	for (how = IN_READ; how <= IN_POLL; how++) {
		arg[0] = attach(self->fd, NAME);
		arg[1] = own_tid();
		arg[2] = sleeps_in[how];
		arg[3] = -1;
		ASSERT_LE(0, arg[0]);
		ASSERT_EQ(0, pthread_create(&thread, NULL, open_the_gate, arg));
		pfd.fd = arg[0];
		if (how == IN_READ)
			EXPECT_EQ(RECORD, read(arg[0], ev, RECORD));
		if (how == IN_SUBMIT)
			EXPECT_EQ(1, wait_events(arg[0], ev, 1, KNELL_FOREVER));
		if (how == IN_POLL)
			EXPECT_EQ(1, poll(&pfd, 1, -1));
		pthread_join(thread, NULL);
		EXPECT_EQ(5, arg[3]);
		close(arg[0]);
	}
	ASSERT_EQ(0, drop_queue(NAME));
}

/* --- OPF_ACK */

#define PROCS	5

struct acked {
	int64_t process[PROCS];
	int64_t pid[PROCS];
	int64_t timer, plain;
	int to_read;			/* how many the next manager reads */
	struct knell_event ev[16];	/* what it read */
};

static int64_t add_ack(int fd, uint64_t token)
{
	return add_watch(fd, op_add(KNELL_PROCESS, KNELL_OPF_NEXT | KNELL_OPF_ACK, token));
}

/* @nr records, or fewer if that does not come about. */
static int read_records(int fd, struct knell_event *ev, int nr)
{
	int i;

	for (i = 0; i < nr; i++)
		if (next_event(fd, &ev[i]) != 1)
			break;
	return i;
}

/* Processes that end one after the other, a timer, one process without OPF_ACK. */
static int have_acked_watches(struct manager *m)
{
	struct acked *a = m->arg;
	int i;

	for (i = 0; i < PROCS; i++) {
		if (i == 2) {
			a->timer = add_watch(m->fd, op_timer(CLOCK_MONOTONIC, KNELL_OPF_ACK, 1, 0,
							     50));
			CHECK(a->timer > 0);
			while (watch_state(m->fd, a->timer) != 2)
				sched_yield();
		}
		a->process[i] = add_ack(m->fd, i + 1);
		CHECK(a->process[i] > 0);
		if (!fork_into(&a->pid[i]))
			_exit(i + 1);
		CHECK(await_zombie(a->pid[i]) == 0);
	}
	a->plain = add_next(m->fd, 60);
	CHECK(a->plain > 0);
	if (!fork())
		_exit(60);
	while (watch_state(m->fd, a->plain) != 2)
		sched_yield();
	return 0;
}

/* Reads some of what there is. */
static int read_some(struct manager *m)
{
	struct acked *a = m->arg;

	memset(a->ev, 0, sizeof(a->ev));
	CHECK(read_records(m->fd, a->ev, a->to_read) == a->to_read);
	return 0;
}

/* The order in which have_acked_watches() has made them happen. */
static const uint64_t in_order[] = { 1, 2, 50, 3, 4, 5, 60 };

TEST_F_TIMEOUT(keep, what_was_not_acknowledged_comes_again, LIMIT)
{
	struct acked *a = (void *)self->sh;
	struct manager m = { .name = NAME, .work = have_acked_watches, .arg = a };
	struct knell_event first[7], ev[16];
	int fd, i, n = ARRAY_SIZE(in_order);

	ASSERT_EQ(0, prctl(PR_SET_CHILD_SUBREAPER, 1));
	/* Nobody reads. */
	ASSERT_EQ(0, live_and_die(&m, false));
	m.work = read_some;
	/* The first reads 4: none of them is new to whoever comes after it. */
	a->to_read = 4;
	ASSERT_EQ(0, live_and_die(&m, true));
	memcpy(first, a->ev, sizeof(first));
	for (i = 0; i < 4; i++) {
		EXPECT_EQ(in_order[i], first[i].token);
		EXPECT_EQ(0, first[i].flags);
	}
	/* The second reads 2 of these: they come a third time, in their place. */
	a->to_read = 2;
	ASSERT_EQ(0, live_and_die(&m, true));
	for (i = 0; i < 2; i++)
		EXPECT_EQ(0, memcmp(&a->ev[i].seq, &first[i].seq, RECORD - 16));
	/* The third reads all there is, and does not acknowledge. */
	a->to_read = n;
	ASSERT_EQ(0, live_and_die(&m, true));
	for (i = 0; i < n; i++) {
		EXPECT_EQ(in_order[i], a->ev[i].token);
		EXPECT_EQ(i < 4 ? KNELL_EVF_REDELIVERED : 0, a->ev[i].flags);
		if (i)
			EXPECT_LT(a->ev[i - 1].seq, a->ev[i].seq);
	}
	for (i = 0; i < 4; i++) {
		EXPECT_EQ(first[i].watch, a->ev[i].watch);
		EXPECT_EQ(0, memcmp(&a->ev[i].seq, &first[i].seq, RECORD - 16));
	}
	memcpy(first, a->ev, sizeof(first));

	/* What has no OPF_ACK was the third's; of the others we DEL two, before and after. */
	fd = attach(self->fd, NAME);
	ASSERT_LE(0, fd);
	EXPECT_EQ(6, nr_pending(fd));
	EXPECT_EQ(2, watch_state(fd, a->process[1]));
	EXPECT_EQ(0, del_watch(fd, a->process[1]));
	EXPECT_EQ(5, nr_pending(fd));
	EXPECT_EQ(5, read_list(fd));
	ASSERT_EQ(5, wait_events(fd, ev, 16, 0));
	EXPECT_EQ(0, nr_pending(fd));
	for (i = 0; i < 5; i++) {
		EXPECT_EQ(in_order[i + !!i], ev[i].token);
		EXPECT_EQ(KNELL_EVF_REDELIVERED, ev[i].flags);
		EXPECT_EQ(3, watch_state(fd, ev[i].watch));
		EXPECT_EQ(0, memcmp(&ev[i].seq, &first[i + !!i].seq, RECORD - 16));
	}
	EXPECT_EQ(0, del_watch(fd, a->process[2]));
	close(fd);
	fd = take_over(NAME);
	ASSERT_EQ(4, wait_events(fd, ev, 16, 0));
	EXPECT_EQ(1, ev[0].token);
	EXPECT_EQ(50, ev[1].token);
	EXPECT_EQ(4, ev[2].token);
	EXPECT_EQ(5, ev[3].token);
	for (i = 0; i < 4; i++)
		EXPECT_EQ(0, del_watch(fd, ev[i].watch));
	close(fd);
	fd = take_over(NAME);
	ASSERT_LE(0, fd);
	EXPECT_EQ(0, nr_watches(fd));
	EXPECT_EQ(0, nr_pending(fd));
	ASSERT_EQ(0, keep_off(fd, NAME));
	close(fd);
}

static int take_it(struct manager *m)
{
	struct knell_event *ev = m->arg;

	return next_event(m->fd, ev) == 1 ? 0 : -EPROTO;
}

static int arm_and_take(struct manager *m)
{
	CHECK(add_watch(m->fd, op_timer(CLOCK_MONOTONIC, KNELL_OPF_ACK, 1, 0, 1)) > 0);
	return take_it(m);
}

TEST_F_TIMEOUT(keep, mod_acknowledges_a_timer, LIMIT)
{
	struct knell_event *first = (void *)self->sh, ev;
	struct manager m = { .name = NAME, .work = arm_and_take, .arg = first };
	struct knell_op op;
	int fd;

	ASSERT_EQ(0, live_and_die(&m, false));
	m.work = take_it;
	ASSERT_EQ(0, live_and_die(&m, true));
	EXPECT_EQ(KNELL_EVF_REDELIVERED, first->flags);

	/* Another schedule: neither the old expiration nor its mark is left. */
	fd = take_over(NAME);
	ASSERT_LE(0, fd);
	op = op_mod_timer(first->watch, CLOCK_MONOTONIC, 0, HOUR_NS, 0, 2);
	ASSERT_EQ(0, submit_op(fd, &op));
	EXPECT_EQ(0, nr_pending(fd));
	EXPECT_EQ(1, watch_state(fd, first->watch));
	close(fd);
	fd = take_over(NAME);
	ASSERT_LE(0, fd);
	EXPECT_EQ(0, nr_pending(fd));
	op = op_mod_timer(first->watch, CLOCK_MONOTONIC, 0, 1, 0, 3);
	ASSERT_EQ(0, submit_op(fd, &op));
	ASSERT_EQ(1, next_event(fd, &ev));
	EXPECT_EQ(3, ev.token);
	EXPECT_EQ(0, ev.flags);
	EXPECT_LT(first->seq, ev.seq);
	/* After it was read it is the same. */
	op = op_mod_timer(first->watch, CLOCK_MONOTONIC, 0, HOUR_NS, 0, 4);
	ASSERT_EQ(0, submit_op(fd, &op));
	close(fd);
	fd = take_over(NAME);
	EXPECT_EQ(0, nr_pending(fd));
	EXPECT_EQ(1, nr_watches(fd));
	ASSERT_EQ(0, keep_off(fd, NAME));
	close(fd);
}

/* A periodic timer goes on by itself; what was read of it was its reader's. */
TEST_F_TIMEOUT(keep, a_periodic_timer_is_not_redelivered, LIMIT)
{
	struct knell_event *first = (void *)self->sh, ev;
	int fd;

	fd = knell_open(0);
	ASSERT_EQ(0, keep_queue(fd, NAME));
	ASSERT_LT(0, add_watch(fd, op_timer(CLOCK_MONOTONIC, KNELL_OPF_ACK, 0, NSEC_PER_MSEC, 1)));
	close(fd);
	fd = take_over(NAME);
	ASSERT_EQ(1, next_event(fd, first));
	close(fd);
	fd = take_over(NAME);
	ASSERT_EQ(1, next_event(fd, &ev));
	EXPECT_EQ(0, ev.flags);
	EXPECT_LT(first->seq, ev.seq);
	EXPECT_EQ(first->timer.due_ns + first->timer.expirations * NSEC_PER_MSEC, ev.timer.due_ns);
	ASSERT_EQ(0, keep_off(fd, NAME));
	close(fd);
}

#define MANY	300

/* More than are copied, or moved, at a time. */
static int have_many(struct manager *m)
{
	struct knell_event ev;
	int i;

	for (i = 0; i < MANY; i++)
		CHECK(add_watch(m->fd, op_timer(CLOCK_MONOTONIC, KNELL_OPF_ACK, 1 + i, 0, i)) > 0);
	for (i = 0; i < MANY - 50; i++)
		CHECK(next_event(m->fd, &ev) == 1);
	return 0;
}

TEST_F_TIMEOUT(keep, many_come_again, LIMIT)
{
	struct manager m = { .name = NAME, .work = have_many };
	struct knell_event ev;
	uint64_t seq = 0;
	int fd, i, again = 0;

	ASSERT_EQ(0, live_and_die(&m, false));
	fd = take_over(NAME);
	ASSERT_LE(0, fd);
	for (i = 0; i < MANY; i++) {
		ASSERT_EQ(1, next_event(fd, &ev));
		EXPECT_LT(seq, ev.seq);
		EXPECT_EQ(i, ev.token);
		seq = ev.seq;
		again += ev.flags == KNELL_EVF_REDELIVERED;
	}
	EXPECT_EQ(MANY - 50, again);
	EXPECT_EQ(0, nr_pending(fd));
	EXPECT_EQ(MANY, nr_watches(fd));
	ASSERT_EQ(0, keep_off(fd, NAME));
	close(fd);
}

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
