// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * From other threads and from signal handlers.
 *
 * Who posts puts his post on a stack that needs no lock, and rings only if the loop may be
 * asleep and nobody has rung yet. The loop says that it may be before it looks at the stack
 * for the last time, and who posts looks after he has put his post there, each in sequential
 * consistency, so one of them sees the other.
 *
 * What was posted may have run, and the loop be freed, before its sender is back from ringing:
 * knell_loop_free() waits for those who are still in here. The last of them tells it, and touches
 * no more of the loop by then than its address.
 */
#include <errno.h>
#include <linux/futex.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "internal.h"

struct request {
	struct request *next;
	knell_task task;
	int result;
	bool answered;
};

#define CLOSING		(1U << 31)	/* of struct posts.inside: somebody waits for the rest */

static void enter(struct posts *p)
{
	atomic_fetch_add(&p->inside, 1);
}

static void leave(struct posts *p)
{
	int saved = errno;

	if (atomic_fetch_sub(&p->inside, 1) != (CLOSING | 1))
		return;
	syscall(SYS_futex, &p->inside, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
	errno = saved;
}

int posts_init(struct knell_loop *l)
{
	struct posts *p = &l->posts;
	int err;

	atomic_store(&p->owner, pthread_self());
	p->left_end = &p->left;
	err = pthread_mutex_init(&p->lock, NULL);
	if (err)
		return -err;
	err = pthread_cond_init(&p->answered, NULL);
	if (err)
		pthread_mutex_destroy(&p->lock);
	return -err;
}

/* Not an event yet, and never will be. */
static void drop_all(struct post *post)
{
	while (post) {
		struct post *next = post->next;
		struct alias *alias = post->arg;
		bool kept = post->kept;

		if (post->task_flags & TASK_ALIAS && alias->drop)
			alias->drop(alias);
		if (!kept)
			free(post);
		post = next;
	}
}

/* Nobody is in here any more. In a copy they are none, whatever they were doing. */
void posts_close(struct knell_loop *l)
{
	struct posts *p = &l->posts;
	unsigned int inside;

	if (loop_is_copy(l))
		return;
	posts_break(l, -ECANCELED);
	inside = atomic_fetch_or(&p->inside, CLOSING) | CLOSING;
	while (inside != CLOSING) {
		syscall(SYS_futex, &p->inside, FUTEX_WAIT_PRIVATE, inside, NULL, NULL, 0);
		inside = atomic_load(&p->inside);
	}
}

void posts_free(struct knell_loop *l)
{
	drop_all(atomic_exchange(&l->posts.head, NULL));
	drop_all(l->posts.left);
	/* Whoever has locked it is not there. */
	if (loop_is_copy(l))
		return;
	pthread_cond_destroy(&l->posts.answered);
	pthread_mutex_destroy(&l->posts.lock);
}

bool posts_any(struct knell_loop *l)
{
	struct posts *p = &l->posts;

	return atomic_load(&p->head) || p->left || atomic_load(&p->requested) ||
	       atomic_load(&p->stop);
}

void loop_wake(struct knell_loop *l)
{
	struct posts *p = &l->posts;

	if (!atomic_load(&p->asleep) || atomic_exchange(&p->rung, true))
		return;
	atomic_fetch_add_explicit(&p->rings, 1, memory_order_relaxed);
	l->ops->ring(l);
}

static void push(struct knell_loop *l, struct post *post)
{
	struct posts *p = &l->posts;

	enter(p);
	post->when = clock_raw();
	post->next = atomic_load_explicit(&p->head, memory_order_relaxed);
	while (!atomic_compare_exchange_weak(&p->head, &post->next, post))
		;
	atomic_fetch_add_explicit(&p->posted, 1, memory_order_relaxed);
	loop_wake(l);
	leave(p);
}

void post_send(struct knell_loop *l, struct post *post)
{
	post->kept = true;
	push(l, post);
}

int knell_post_site(struct knell_loop *l, const struct knell_site *site,
		    knell_cb *cb, void *arg, int val)
{
	struct post *post;

	if (loop_is_copy(l))
		return -ECHILD;
	if (!cb)
		return -EINVAL;
	post = malloc(sizeof(*post));
	if (!post)
		return -ENOMEM;
	*post = (struct post){ .site = site, .cb = cb, .arg = arg, .val = val };
	push(l, post);
	return 0;
}

void loop_job_begin(struct knell_loop *l)
{
	atomic_fetch_add(&l->posts.jobs, 1);
}

void loop_job_end(struct knell_loop *l)
{
	atomic_fetch_sub(&l->posts.jobs, 1);
}

/* The stack, first one first, behind those that are left. */
static void take_all(struct posts *p)
{
	struct post *post = atomic_exchange(&p->head, NULL), *first = NULL, **end = p->left_end;

	if (post)
		p->left_end = &post->next;
	while (post) {
		struct post *next = post->next;

		post->next = first;
		first = post;
		post = next;
	}
	if (first)
		*end = first;
}

static int to_event(struct knell_loop *l, struct post *post)
{
	struct task *t = loop_add(l, KNELL_KIND_EVENT, post->site, post->cb, post->arg);

	if (!t)
		return -ENOMEM;
	t->flags |= post->task_flags;
	t->u.val = post->val;
	loop_deliver(l, LIST_EVENTS, t, clock_from_raw(l, post->when));
	return 0;
}

/* Under p->lock. */
static void answer(struct knell_loop *l)
{
	struct posts *p = &l->posts;

	atomic_store(&p->requested, false);
	for (struct request *r = p->requests; r; r = r->next) {
		r->result = knell_cancel(l, r->task);
		r->answered = true;
	}
	p->requests = NULL;
	pthread_cond_broadcast(&p->answered);
}

/* It never takes another: who waits for it, or will, is told. */
void posts_break(struct knell_loop *l, int err)
{
	pthread_mutex_lock(&l->posts.lock);
	l->posts.broken = err;
	answer(l);
	pthread_mutex_unlock(&l->posts.lock);
}

void posts_take(struct knell_loop *l)
{
	struct posts *p = &l->posts;

	if (atomic_load(&p->head))
		take_all(p);
	while (p->left) {
		struct post *post = p->left, *next = post->next;
		bool kept = post->kept;

		if (to_event(l, post))
			break;
		p->left = next;
		if (!next)
			p->left_end = &p->left;
		if (!kept)
			free(post);
	}
	if (atomic_load(&p->requested)) {
		pthread_mutex_lock(&p->lock);
		answer(l);
		pthread_mutex_unlock(&p->lock);
	}
}

int knell_cancel_sync(struct knell_loop *l, knell_task t)
{
	struct posts *p = &l->posts;
	struct request r = { .task = t };

	if (loop_is_copy(l) || pthread_equal(atomic_load(&p->owner), pthread_self()))
		return knell_cancel(l, t);
	enter(p);
	pthread_mutex_lock(&p->lock);
	r.result = p->broken;
	r.answered = r.result;
	if (!r.answered) {
		r.next = p->requests;
		p->requests = &r;
		atomic_store(&p->requested, true);
		loop_wake(l);
	}
	while (!r.answered)
		pthread_cond_wait(&p->answered, &p->lock);
	pthread_mutex_unlock(&p->lock);
	leave(p);
	return r.result;
}

void knell_loop_stop(struct knell_loop *l)
{
	if (loop_is_copy(l))
		return;
	enter(&l->posts);
	atomic_store(&l->posts.stop, true);
	loop_wake(l);
	leave(&l->posts);
}
