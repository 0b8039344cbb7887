// SPDX-License-Identifier: GPL-2.0-only
/*
 * The order of records is the order of events, whichever watches they are of and whichever CPUs
 * they happen on: of what one thread does, of what a thread does because another one did, of timers
 * by their time. Many read at once, and what they read, put together, has each record once.
 *
 * runner-smp: 4
 */
#include "kselftest_harness.h"

#include <stdatomic.h>

#include "process_test.h"

#define CPUS		4	/* the runner makes as many */
#define READERS		3
#define EVENTS		rounds(400)	/* of each writer */
#define HOPS		rounds(1500)	/* of the baton */
#define TIMERS		8	/* armed at a time */
#define ARMINGS		500
#define MAX_RECORDS	10000	/* that one may read */

enum kind { BELL, OWN_CHILD, CHILD, BELL_DELED, KINDS };

#define STOP		0x5709ULL
#define CHILDREN_TOKEN	0xc41dULL
#define TIMER_TOKEN	(1ULL << 40)

static uint64_t token_of(unsigned int writer, unsigned int nr)
{
	return (writer + 1ULL) << 32 | nr;
}

/* What a writer did, between two readings of the clock. */
struct deed {
	enum kind kind;
	pid_t pid;
	bool deled;
	uint64_t before, after;
};

struct writer {
	int fd;
	unsigned int nr;
	unsigned int kinds;
	bool failed;
	uint64_t seed;
	struct deed deeds[EVENTS];
	pthread_t thread;
};

/* One call of a reader: its records, and its place among all such calls. */
struct batch {
	unsigned int begin, end;
	unsigned int nr;
	struct knell_event *ev;
};

struct reader {
	int fd;
	unsigned int room;
	uint32_t stop;
	bool failed;
	atomic_uint *clock;
	unsigned int nr_batches;
	struct batch batches[MAX_RECORDS];
	struct knell_event ev[MAX_RECORDS];
	pthread_t thread;
};

struct arming {
	uint64_t due[TIMERS];
	bool in_time;
};

struct armer {
	int fd;
	bool failed;
	atomic_bool stop;
	unsigned int nr;
	struct arming armings[ARMINGS];
	pthread_t thread;
};

FIXTURE(order) {
	int fd;
	uint32_t stop;
	atomic_uint clock;
	struct writer *writers;
	struct reader *readers;
	struct armer *armer;
	struct knell_event **by_seq;	/* of all readers */
	uint64_t last;
	uint64_t lost;
};

FIXTURE_SETUP(order)
{
	int64_t stop;

	ASSERT_LE(CPUS, sysconf(_SC_NPROCESSORS_ONLN));
	self->fd = knell_open(0);
	ASSERT_LE(0, self->fd);
	stop = add_watch(self->fd, op_user(STOP));
	ASSERT_LT(0, stop);
	self->stop = stop;
	ASSERT_LT(0, add_watch(self->fd, op_add(KNELL_CHILDREN, 0, CHILDREN_TOKEN)));
	self->writers = calloc(CPUS, sizeof(*self->writers));
	self->readers = calloc(READERS, sizeof(*self->readers));
	self->armer = calloc(1, sizeof(*self->armer));
	self->by_seq = calloc(READERS * MAX_RECORDS, sizeof(*self->by_seq));
	ASSERT_TRUE(self->writers && self->readers && self->armer && self->by_seq);
	self->lost = 0;
	self->last = 0;
	atomic_init(&self->clock, 0);
}

FIXTURE_TEARDOWN(order)
{
	close(self->fd);
}

static pid_t vforked(void)
{
	pid_t pid = vfork();

	if (!pid)
		_exit(0);
	return pid;
}

/* A doorbell of its own, rung once: a record of its own. Returns the watch. */
static int64_t ring_once(int fd, uint64_t token)
{
	struct knell_op op[] = {
		op_add(KNELL_USER, KNELL_OPF_ONESHOT, token), op_trigger(KNELL_LAST, 1),
	};
	int err = submit_ops(fd, op, 2);

	return err || op[0].result || op[1].result ? -EINVAL : (int64_t)op[0].watch;
}

static bool do_deed(int fd, struct deed *d, uint64_t token)
{
	int64_t watch;
	bool ok = true;

	d->before = clock_ns(CLOCK_MONOTONIC);
	switch (d->kind) {
	case BELL:
		ok = ring_once(fd, token) > 0;
		break;
	case BELL_DELED:
		watch = ring_once(fd, token);
		ok = watch > 0;
		d->deled = !del_watch(fd, watch);
		break;
	case OWN_CHILD:
		ok = add_next(fd, token) > 0;
		/* fall through */
	default:
		d->pid = vforked();
		ok = ok && d->pid > 0 && !reap(d->pid);
	}
	d->after = clock_ns(CLOCK_MONOTONIC);
	return ok;
}

static void *run_writer(void *arg)
{
	struct writer *w = arg;

	pin_to_cpu(w->nr);
	for (unsigned int i = 0; i < EVENTS; i++) {
		w->deeds[i].kind = (next_random(&w->seed) >> 11) % w->kinds;
		w->failed |= !do_deed(w->fd, &w->deeds[i], token_of(w->nr, i));
	}
	return NULL;
}

/* Reads until it is told to stop, and tells the next one. */
static void *run_reader(void *arg)
{
	struct reader *r = arg;
	struct knell_event *ev = r->ev;
	struct batch *b;
	bool stop = false;
	int n;

	while (!stop) {
		b = &r->batches[r->nr_batches++];
		b->begin = atomic_fetch_add(r->clock, 1);
		n = read(r->fd, ev, r->room * sizeof(*ev)) / (int)sizeof(*ev);
		b->end = atomic_fetch_add(r->clock, 1);
		if (n <= 0 || ev + n + r->room > r->ev + MAX_RECORDS) {
			r->failed = true;
			return NULL;
		}
		b->ev = ev;
		b->nr = n;
		for (; n; n--, ev++)
			if (ev->token == STOP && ev->type == KNELL_EV_USER)
				stop = true;
	}
	r->failed |= trigger(r->fd, r->stop, 1) != 0;
	return NULL;
}

/* Timers that run out one after the other, armed in the opposite order. */
static void *run_armer(void *arg)
{
	struct armer *a = arg;
	struct knell_op op[TIMERS];
	struct timespec last;

	while (!atomic_load(&a->stop) && a->nr < ARMINGS) {
		struct arming *arming = &a->armings[a->nr];
		uint64_t first = clock_ns(CLOCK_MONOTONIC) + 20 * NSEC_PER_MSEC;

		for (unsigned int i = 0; i < TIMERS; i++) {
			arming->due[i] = first + (TIMERS - i) * 200000;
			op[i] = op_timer(CLOCK_MONOTONIC, KNELL_OPF_ABS | KNELL_OPF_ONESHOT,
					 arming->due[i], 0, TIMER_TOKEN | (a->nr * TIMERS + i));
		}
		a->failed |= submit_ops(a->fd, op, TIMERS) != 0;
		arming->in_time = clock_ns(CLOCK_MONOTONIC) < first;
		a->nr++;
		last.tv_sec = arming->due[0] / NSEC_PER_SEC;
		last.tv_nsec = arming->due[0] % NSEC_PER_SEC;
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &last, NULL);
	}
	return NULL;
}

static void start_readers(struct __test_metadata *_metadata, FIXTURE_DATA(order) *self)
{
	static const unsigned int rooms[READERS] = { 1, 7, 40 };

	for (unsigned int i = 0; i < READERS; i++) {
		struct reader *r = &self->readers[i];

		r->fd = self->fd;
		r->room = rooms[i];
		r->stop = self->stop;
		r->clock = &self->clock;
		ASSERT_EQ(0, pthread_create(&r->thread, NULL, run_reader, r));
	}
}

/* All that is to be read has happened. */
static void stop_readers(struct __test_metadata *_metadata, FIXTURE_DATA(order) *self)
{
	ASSERT_EQ(0, trigger(self->fd, self->stop, 1));
	for (unsigned int i = 0; i < READERS; i++) {
		ASSERT_EQ(0, pthread_join(self->readers[i].thread, NULL));
		ASSERT_FALSE(self->readers[i].failed);
	}
}

/* What all have read: each seq once, and ascending in each reader's own output. */
static void merge(struct __test_metadata *_metadata, FIXTURE_DATA(order) *self)
{
	for (unsigned int i = 0; i < READERS; i++) {
		struct reader *r = &self->readers[i];
		uint64_t seq = 0;

		for (unsigned int b = 0; b < r->nr_batches; b++)
			for (unsigned int n = 0; n < r->batches[b].nr; n++) {
				struct knell_event *ev = &r->batches[b].ev[n];

				ASSERT_LT(seq, ev->seq);
				seq = ev->seq;
				ASSERT_LT(seq, READERS * MAX_RECORDS);
				ASSERT_EQ(NULL, self->by_seq[seq]);
				self->by_seq[seq] = ev;
				self->lost += ev->type == KNELL_EV_LOST ? ev->tree.lost : 0;
			}
		self->last = seq > self->last ? seq : self->last;
	}
}

static int by_first_seq(const void *a, const void *b)
{
	const struct batch *x = *(struct batch *const *)a, *y = *(struct batch *const *)b;

	return x->ev[0].seq < y->ev[0].seq ? -1 : x->ev[0].seq > y->ev[0].seq;
}

/*
 * A call takes records that follow each other, and one that began when another had returned takes
 * later ones: in the order of their records, none may have returned before one ahead of it began.
 */
static void check_batches(struct __test_metadata *_metadata, FIXTURE_DATA(order) *self)
{
	struct batch **all = calloc(READERS * MAX_RECORDS, sizeof(*all));
	unsigned int nr = 0, latest_begin = 0;
	uint64_t seq = 0;

	ASSERT_NE(NULL, all);
	for (unsigned int i = 0; i < READERS; i++)
		for (unsigned int b = 0; b < self->readers[i].nr_batches; b++)
			all[nr++] = &self->readers[i].batches[b];
	qsort(all, nr, sizeof(*all), by_first_seq);
	for (unsigned int i = 0; i < nr; i++) {
		ASSERT_LT(seq, all[i]->ev[0].seq);
		seq = all[i]->ev[all[i]->nr - 1].seq;
		ASSERT_LE(latest_begin, all[i]->end);
		if (all[i]->begin > latest_begin)
			latest_begin = all[i]->begin;
	}
	free(all);
}

/* Whose deed it was, NULL if it is none. A child without a watch is known by its pid. */
static struct deed *deed_of(FIXTURE_DATA(order) *self, const struct knell_event *ev)
{
	unsigned int w = (ev->token >> 32) - 1, nr = ev->token;

	if (ev->token != CHILDREN_TOKEN)
		return w < CPUS && nr < EVENTS ? &self->writers[w].deeds[nr] : NULL;
	if (ev->type == KNELL_EV_LOST)
		return NULL;
	for (w = 0; w < CPUS; w++)
		for (nr = 0; nr < EVENTS; nr++)
			if (self->writers[w].deeds[nr].pid == ev->exit.pid)
				return &self->writers[w].deeds[nr];
	return NULL;
}

/* What each writer did comes in the order in which it did it, at a time when it did it. */
static void check_deeds(struct __test_metadata *_metadata, FIXTURE_DATA(order) *self)
{
	unsigned int nr[KINDS] = { }, deled = 0, gaps = 0, deeds = 0;
	struct deed *latest[CPUS] = { }, *d;
	unsigned int w;

	for (uint64_t seq = 1; seq <= self->last; seq++) {
		const struct knell_event *ev = self->by_seq[seq];

		if (!ev) {
			gaps++;
			continue;
		}
		d = deed_of(self, ev);
		if (!d) {
			ASSERT_TRUE(ev->token == STOP || ev->token & TIMER_TOKEN ||
				    ev->type == KNELL_EV_LOST);
			continue;
		}
		for (w = 0; d < self->writers[w].deeds || d >= self->writers[w].deeds + EVENTS; w++)
			;
		ASSERT_TRUE(!latest[w] || latest[w] < d);
		latest[w] = d;
		ASSERT_EQ(d->kind == BELL || d->kind == BELL_DELED ? KNELL_EV_USER : KNELL_EV_EXIT,
			  ev->type);
		ASSERT_EQ(d->kind == CHILD, ev->token == CHILDREN_TOKEN);
		ASSERT_LE(d->before, ev->time_ns);
		ASSERT_GE(d->after, ev->time_ns);
		nr[d->kind]++;
		/* A reader had it before it was DELed. */
		deled += d->deled;
	}
	for (w = 0; w < CPUS; w++)
		for (unsigned int i = 0; i < EVENTS; i++) {
			deeds++;
			deled -= self->writers[w].deeds[i].deled;
		}
	/* Nothing else is missing: a gap is a DEL. */
	EXPECT_EQ(0, deled + gaps);
	EXPECT_EQ(deeds, nr[BELL] + nr[BELL_DELED] + nr[OWN_CHILD] + nr[CHILD] + gaps +
		  self->lost);
	TH_LOG("%u bells, %u and %u children, %u rung and DELed, %u gaps, %u lost", nr[BELL],
	       nr[OWN_CHILD], nr[CHILD], nr[BELL_DELED], gaps, (unsigned int)self->lost);
}

/* Timers come in the order of their times, whichever was armed first. */
static void check_timers(struct __test_metadata *_metadata, FIXTURE_DATA(order) *self)
{
	unsigned int nr = 0, in_time = 0;
	uint64_t *seqs = calloc(ARMINGS * TIMERS, sizeof(*seqs));
	struct armer *a = self->armer;

	ASSERT_NE(NULL, seqs);
	for (uint64_t seq = 1; seq <= self->last; seq++) {
		const struct knell_event *ev = self->by_seq[seq];
		unsigned int i;

		if (!ev || ev->type != KNELL_EV_TIMER)
			continue;
		i = ev->token & ~TIMER_TOKEN;
		ASSERT_LT(i, a->nr * TIMERS);
		ASSERT_EQ(0, seqs[i]);
		seqs[i] = seq;
		nr++;
		ASSERT_EQ(a->armings[i / TIMERS].due[i % TIMERS], ev->timer.due_ns);
		ASSERT_LE(ev->timer.due_ns, ev->time_ns);
	}
	EXPECT_EQ(a->nr * TIMERS, nr);
	for (unsigned int i = 0; i < a->nr * TIMERS; i++) {
		if (!a->armings[i / TIMERS].in_time || !(i % TIMERS))
			continue;
		in_time++;
		ASSERT_LT(seqs[i], seqs[i - 1]);
	}
	EXPECT_LT(0, in_time);
	TH_LOG("%u timers, the order of %u was seen", nr, in_time);
	free(seqs);
}

static void storm(struct __test_metadata *_metadata, FIXTURE_DATA(order) *self, unsigned int kinds)
{
	unsigned int i;

	start_readers(_metadata, self);
	self->armer->fd = self->fd;
	ASSERT_EQ(0, pthread_create(&self->armer->thread, NULL, run_armer, self->armer));
	for (i = 0; i < CPUS; i++) {
		self->writers[i].fd = self->fd;
		self->writers[i].nr = i;
		self->writers[i].kinds = kinds;
		self->writers[i].seed = 0x2545f4914f6cdd1dULL * (i + kinds);
		ASSERT_EQ(0, pthread_create(&self->writers[i].thread, NULL, run_writer,
					    &self->writers[i]));
	}
	for (i = 0; i < CPUS; i++) {
		ASSERT_EQ(0, pthread_join(self->writers[i].thread, NULL));
		ASSERT_FALSE(self->writers[i].failed);
	}
	atomic_store(&self->armer->stop, true);
	ASSERT_EQ(0, pthread_join(self->armer->thread, NULL));
	ASSERT_FALSE(self->armer->failed);
	/* The last timers are due, not more: they go once they have fired. */
	while (nr_watches(self->fd) > 2)
		sched_yield();
	stop_readers(_metadata, self);
	merge(_metadata, self);
	check_batches(_metadata, self);
	check_timers(_metadata, self);
	check_deeds(_metadata, self);
}

TEST_F_TIMEOUT(order, of_bells_children_and_timers, LIMIT)
{
	storm(_metadata, self, BELL_DELED);
	for (uint64_t seq = 1; seq <= self->last; seq++)
		ASSERT_NE(NULL, self->by_seq[seq]);
}

TEST_F_TIMEOUT(order, gaps_are_dels, LIMIT)
{
	storm(_metadata, self, KINDS);
}

/* Who has the baton does something and hands it on: an event in the order of all CPUs. */
struct runner {
	int fd;
	unsigned int nr;
	bool failed;
	struct deed *deeds;
	int (*batons)[2];
	pthread_t thread;
};

static void *run_runner(void *arg)
{
	struct runner *r = arg;
	unsigned int hop = 0;

	pin_to_cpu(r->nr);
	while (read(r->batons[r->nr][0], &hop, sizeof(hop)) == sizeof(hop) && hop < HOPS) {
		r->failed |= !do_deed(r->fd, &r->deeds[hop], token_of(0, hop));
		hop++;
		if (write(r->batons[(r->nr + 1) % CPUS][1], &hop, sizeof(hop)) != sizeof(hop))
			break;
	}
	/* And the news that it is over goes round. */
	r->failed |= write(r->batons[(r->nr + 1) % CPUS][1], &hop, sizeof(hop)) != sizeof(hop);
	return NULL;
}

static void relay_race(struct __test_metadata *_metadata, FIXTURE_DATA(order) *self,
		       struct deed *deeds)
{
	int batons[CPUS][2];
	struct runner r[CPUS];
	unsigned int i, hop = 0;

	for (i = 0; i < CPUS; i++)
		ASSERT_EQ(0, pipe(batons[i]));
	for (i = 0; i < CPUS; i++) {
		r[i] = (struct runner){
			.fd = self->fd, .nr = i, .deeds = deeds, .batons = batons,
		};
		ASSERT_EQ(0, pthread_create(&r[i].thread, NULL, run_runner, &r[i]));
	}
	ASSERT_EQ((ssize_t)sizeof(hop), write(batons[0][1], &hop, sizeof(hop)));
	for (i = 0; i < CPUS; i++) {
		ASSERT_EQ(0, pthread_join(r[i].thread, NULL));
		ASSERT_FALSE(r[i].failed);
	}
}

TEST_F_TIMEOUT(order, of_cause_and_effect, LIMIT)
{
	struct deed *deeds = calloc(HOPS, sizeof(*deeds));
	unsigned int hop = 0;

	ASSERT_NE(NULL, deeds);
	for (unsigned int i = 0; i < HOPS; i++)
		deeds[i].kind = i % 8 == 3 ? OWN_CHILD : i % 8 == 6 ? CHILD : BELL;
	start_readers(_metadata, self);
	relay_race(_metadata, self, deeds);
	stop_readers(_metadata, self);
	merge(_metadata, self);
	check_batches(_metadata, self);
	for (uint64_t seq = 1; seq <= self->last; seq++) {
		const struct knell_event *ev = self->by_seq[seq];

		ASSERT_NE(NULL, ev);
		if (ev->token == STOP)
			continue;
		ASSERT_GT(HOPS, hop);
		if (deeds[hop].kind == CHILD) {
			ASSERT_EQ(deeds[hop].pid, ev->exit.pid);
		} else {
			ASSERT_EQ(token_of(0, hop), ev->token);
		}
		ASSERT_LE(deeds[hop].before, ev->time_ns);
		ASSERT_GE(deeds[hop].after, ev->time_ns);
		hop++;
	}
	EXPECT_EQ(HOPS, hop);
	free(deeds);
}

TEST_HARNESS_MAIN
