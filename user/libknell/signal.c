// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Signals. A table of the process says which loop listens to which; the handler puts what it
 * was told into a ring of each that does, and wakes it. It may run in any thread, in several
 * at a time, and while a loop is freed in another: places in the table are never given back,
 * only used again, and one that a handler looks at is not left before the handler has.
 *
 * The table is wiped in a forked child. The handler is still installed there; it finds that
 * out and lets the signal do what it did before anyone listened.
 */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "internal.h"

#define SIGNALS		64
#define EARS		60		/* a page of them */

struct ear {
	_Atomic(struct knell_loop *) loop;
	_Atomic uint64_t heard;		/* a bit for each signal */
	_Atomic uint32_t busy;		/* handlers that may be touching the loop */
	bool taken;
};

struct table {
	_Atomic pid_t pid;		/* whose it is; 0: wiped */
	_Atomic(struct table *) next;
	pthread_mutex_t lock;		/* the first one's covers all changes */
	struct ear ear[EARS];
};

static _Atomic(struct table *) tables;
static struct sigaction former[SIGNALS + 1];	/* survives a fork */

static uint64_t bit_of(int signo)
{
	return UINT64_C(1) << (signo - 1);
}

/*
 * In handlers
 */

static void catch(struct knell_loop *l, const siginfo_t *info)
{
	struct signals *s = &l->signals;
	uint32_t at = atomic_load(&s->tail);

	do {
		/* Negative: @at is out of date, and will not be exchanged. */
		if ((int32_t)(at - atomic_load(&s->head)) >= CAUGHT_MAX) {
			atomic_fetch_or(&s->flood, bit_of(info->si_signo));
			goto tell;
		}
	} while (!atomic_compare_exchange_weak(&s->tail, &at, at + 1));

	s->ring[at % CAUGHT_MAX].info = *info;
	s->ring[at % CAUGHT_MAX].when = clock_raw();
	atomic_store(&s->ring[at % CAUGHT_MAX].full, true);
tell:
	if (!atomic_exchange(&s->caught, true))
		loop_wake(l);
}

static void hear(struct ear *e, const siginfo_t *info)
{
	uint64_t bit = bit_of(info->si_signo);
	struct knell_loop *l;

	if (!(atomic_load(&e->heard) & bit))
		return;
	atomic_fetch_add(&e->busy, 1);
	/* From here on the loop, if there is one, stays; it need not be the same one. */
	l = atomic_load(&e->loop);
	if (l && atomic_load(&e->heard) & bit)
		catch(l, info);
	atomic_fetch_sub(&e->busy, 1);
}

/* The instruction that raised it would be run again, and again. */
static bool is_fault(const siginfo_t *info)
{
	switch (info->si_signo) {
	case SIGBUS:
		return info->si_code > 0 && info->si_code != BUS_MCEERR_AO;
	case SIGSEGV:
	case SIGFPE:
	case SIGILL:
		return info->si_code > 0;
	default:
		return false;
	}
}

static void as_before(siginfo_t *info)
{
	sigaction(info->si_signo, &former[info->si_signo], NULL);
	/* A fault comes again by itself, the others when the handler, which blocks all, returns. */
	if (!is_fault(info))
		syscall(SYS_rt_tgsigqueueinfo, getpid(), syscall(SYS_gettid), info->si_signo,
			info);
}

static void handler(int signo, siginfo_t *info, void *context)
{
	struct table *t = atomic_load(&tables);
	int err = errno;

	(void)signo;
	(void)context;
	/* A child of vfork() shares the table, but it is not the one that listens. */
	if (is_fault(info) || atomic_load(&t->pid) != getpid()) {
		as_before(info);
		t = NULL;
	}
	for (; t; t = atomic_load(&t->next))
		for (int i = 0; i < EARS; i++)
			hear(&t->ear[i], info);
	errno = err;
}

/*
 * The table
 */

/* Zeroed; what nobody touches takes no memory. NULL and errno. */
static void *pages_new(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

static struct table *table_new(void)
{
	struct table *t = pages_new(sizeof(*t));

	if (!t)
		return NULL;
	if (madvise(t, sizeof(*t), MADV_WIPEONFORK)) {
		int err = errno;

		munmap(t, sizeof(*t));
		errno = err;
		return NULL;
	}
	return t;
}

/*
 * The first one, locked: all zero is a mutex that nobody holds, so a fork while another thread
 * does is no matter.
 */
static struct table *table_lock(void)
{
	struct table *t = atomic_load(&tables);
	pid_t none = 0;

	if (!t) {
		struct table *mine = table_new();

		if (!mine)
			return NULL;
		if (atomic_compare_exchange_strong(&tables, &t, mine))
			t = mine;
		else
			munmap(mine, sizeof(*mine));
	}
	atomic_compare_exchange_strong(&t->pid, &none, getpid());
	pthread_mutex_lock(&t->lock);
	return t;
}

static struct ear *ear_take(struct table *t, struct knell_loop *l)
{
	for (;; t = atomic_load(&t->next)) {
		for (int i = 0; i < EARS; i++) {
			if (t->ear[i].taken)
				continue;
			t->ear[i].taken = true;
			atomic_store(&t->ear[i].loop, l);
			return &t->ear[i];
		}
		if (!atomic_load(&t->next)) {
			struct table *more = table_new();

			if (!more)
				return NULL;
			atomic_store(&t->next, more);
		}
	}
}

static bool anyone_hears(struct table *t, const struct ear *but, uint64_t bit)
{
	for (; t; t = atomic_load(&t->next))
		for (int i = 0; i < EARS; i++)
			if (&t->ear[i] != but && atomic_load(&t->ear[i].heard) & bit)
				return true;
	return false;
}

static bool is_ours(const struct sigaction *sa)
{
	return sa->sa_flags & SA_SIGINFO && sa->sa_sigaction == handler;
}

static int install(int signo)
{
	struct sigaction sa = {
		.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK,
	};
	struct sigaction old;

	if (sigaction(signo, NULL, &old))
		return -errno;
	/* It is after a fork; @former is known then. */
	if (!is_ours(&old))
		former[signo] = old;
	/* Who never waited for children shall not have to begin. */
	if (signo == SIGCHLD && (former[signo].sa_handler == SIG_IGN ||
				 former[signo].sa_flags & SA_NOCLDWAIT))
		sa.sa_flags |= SA_NOCLDWAIT;
	sigfillset(&sa.sa_mask);
	return sigaction(signo, &sa, NULL) ? -errno : 0;
}

static void uninstall(int signo)
{
	struct sigaction sa;

	/* Someone may have put another one over it. */
	if (!sigaction(signo, NULL, &sa) && is_ours(&sa))
		sigaction(signo, &former[signo], NULL);
}

static int ear_open(struct knell_loop *l, int signo)
{
	struct signals *s = &l->signals;
	struct table *t = table_lock();
	int err = 0;

	if (!t)
		return -errno;
	/* Few loops ever catch more than fits into its first page. */
	if (!s->ring)
		s->ring = pages_new(CAUGHT_MAX * sizeof(*s->ring));
	if (s->ring && !s->ear)
		s->ear = ear_take(t, l);
	if (!s->ear) {
		err = -ENOMEM;
	} else if (!(atomic_load(&s->ear->heard) & bit_of(signo))) {
		/* First the ear: there is no moment in which a signal finds none. */
		atomic_fetch_or(&s->ear->heard, bit_of(signo));
		if (!anyone_hears(t, s->ear, bit_of(signo)))
			err = install(signo);
		if (err)
			atomic_fetch_and(&s->ear->heard, ~bit_of(signo));
	}
	pthread_mutex_unlock(&t->lock);
	return err;
}

static void ear_shut(struct ear *e, int signo)
{
	struct table *t = table_lock();

	if (!anyone_hears(t, e, bit_of(signo)))
		uninstall(signo);
	atomic_fetch_and(&e->heard, ~bit_of(signo));
	pthread_mutex_unlock(&t->lock);
}

/* Its loop goes; no handler touches it when this returns. */
static void ear_leave(struct ear *e)
{
	static const struct timespec moment = { .tv_nsec = 50000 };
	struct table *t;

	for (int signo = 1; signo <= SIGNALS; signo++)
		if (atomic_load(&e->heard) & bit_of(signo))
			ear_shut(e, signo);
	atomic_store(&e->loop, NULL);
	/* New ones do not begin. Handlers are short, but may belong to a lower priority. */
	for (int n = 0; atomic_load(&e->busy); n++) {
		if (n < 16)
			sched_yield();
		else
			nanosleep(&moment, NULL);
	}
	t = table_lock();
	e->taken = false;
	pthread_mutex_unlock(&t->lock);
}

/*
 * In the loop
 */

/* Takes the next one to @info; not those that come while their turn lasts. */
static bool take(struct knell_loop *l, uint32_t end, uint64_t flood)
{
	struct signals *s = &l->signals;
	uint32_t head = atomic_load_explicit(&s->head, memory_order_relaxed);

	if (head != end && atomic_load(&s->ring[head % CAUGHT_MAX].full)) {
		s->info = s->ring[head % CAUGHT_MAX].info;
		s->when = clock_from_raw(l, s->ring[head % CAUGHT_MAX].when);
		atomic_store(&s->ring[head % CAUGHT_MAX].full, false);
		atomic_store(&s->head, head + 1);
		return true;
	}
	flood &= atomic_load(&s->flood);
	if (!flood)
		return false;
	memset(&s->info, 0, sizeof(s->info));
	s->info.si_signo = __builtin_ctzll(flood) + 1;
	s->when = clock_from_raw(l, clock_raw());
	atomic_fetch_and(&s->flood, ~bit_of(s->info.si_signo));
	return true;
}

/* Tells all who listen; false: knell_loop_stop(), and some are still to be told. */
static bool tell(struct knell_loop *l)
{
	struct signals *s = &l->signals;
	struct listener *li;
	struct task *t;

	while ((li = s->cursor)) {
		if (atomic_load(&l->posts.stop))
			return false;
		s->cursor = li->next;
		if (li->signo != s->info.si_signo || li->nr > s->upto)
			continue;
		t = task_at(&l->tasks, li->task.idx);	/* a listener has one */
		t->due = s->when;
		s->now = &s->info;
		loop_dispatch(l, t);
		s->now = NULL;
	}
	return true;
}

void signals_run(struct knell_loop *l)
{
	struct signals *s = &l->signals;
	bool looked = false;
	uint64_t flood;
	uint32_t end;

	if (!atomic_exchange(&s->caught, false))
		return;
	end = atomic_load(&s->tail);
	flood = atomic_load(&s->flood);
	while (tell(l)) {
		if (!take(l, end, flood))
			return;
		s->upto = s->nr;
		s->cursor = s->first;
		/* All that are taken here came before: the first one's look finds their meaning. */
		if (s->info.si_signo == SIGCHLD && l->sources.sigchld && !looked) {
			looked = true;
			children_rescan(l);
			if (l->ops->sigchld)
				l->ops->sigchld(l);
		}
	}
	atomic_store(&s->caught, true);
}

static bool listens(const struct knell_loop *l, int signo)
{
	if (signo == SIGCHLD && l->sources.sigchld)
		return true;
	for (const struct listener *li = l->signals.first; li; li = li->next)
		if (li->signo == signo)
			return true;
	return false;
}

static void unneeded(struct knell_loop *l, int signo)
{
	/* A copy's place may be that of another loop by now. */
	if (l->signals.ear && !loop_is_copy(l) && !listens(l, signo))
		ear_shut(l->signals.ear, signo);
}

knell_task knell_add_signal_site(struct knell_loop *l, const struct knell_site *site,
				 knell_cb *cb, void *arg, int signo)
{
	struct listener *li, **end;
	struct task *t;
	int err;

	if (signo < 1 || signo > SIGNALS) {
		errno = EINVAL;
		return KNELL_NONE;
	}
	t = loop_add(l, KNELL_KIND_SIGNAL, site, cb, arg);
	if (!t)
		return KNELL_NONE;
	li = calloc(1, sizeof(*li));
	err = li ? ear_open(l, signo) : -ENOMEM;
	if (err) {
		free(li);
		task_free(l, t);
		errno = -err;
		return KNELL_NONE;
	}

	t->flags |= TASK_PERSISTENT;
	t->u.listener = li;
	li->signo = signo;
	li->nr = ++l->signals.nr;
	li->task = task_name(t);
	for (end = &l->signals.first; *end; end = &(*end)->next)
		;
	*end = li;
	return li->task;
}

void signal_cancel(struct knell_loop *l, struct task *t)
{
	struct listener *li = t->u.listener;
	struct listener **at;

	for (at = &l->signals.first; *at != li; at = &(*at)->next)
		;
	*at = li->next;
	if (l->signals.cursor == li)
		l->signals.cursor = li->next;
	unneeded(l, li->signo);
	free(li);
}

int signal_child_use(struct knell_loop *l)
{
	int err = ear_open(l, SIGCHLD);

	if (!err)
		l->sources.sigchld++;
	return err;
}

void signal_child_unuse(struct knell_loop *l)
{
	l->sources.sigchld--;
	unneeded(l, SIGCHLD);
}

void signals_free(struct knell_loop *l)
{
	struct listener *li;

	if (l->signals.ear && !loop_is_copy(l))
		ear_leave(l->signals.ear);
	l->signals.ear = NULL;
	if (l->signals.ring)
		munmap(l->signals.ring, CAUGHT_MAX * sizeof(*l->signals.ring));
	l->signals.ring = NULL;
	while ((li = l->signals.first)) {
		l->signals.first = li->next;
		free(li);
	}
}
