// SPDX-License-Identifier: GPL-2.0-only
/*
 * Queues that outlive their manager: KEEP, its names, and ATTACH by one who
 * may.
 *
 * runner-limit: 900
 */
#include "kselftest_harness.h"

#include <sys/resource.h>

#include "keep_fixture.h"

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

TEST_HARNESS_MAIN
