// SPDX-License-Identifier: LGPL-2.1-or-later
/* A loop's life: it is made, told apart, given hooks, and freed. loop.c runs it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "internal.h"

#define BATCH_MAX	1024
#define INTERVAL_MAX	65535

static uint64_t or_default(uint64_t ns, uint64_t def)
{
	return ns ? ns : def;
}

static int set_numbers(struct knell_loop *l, const struct knell_loop_attr *attr)
{
	const unsigned int known = KNELL_LOOP_FD | KNELL_LOOP_PAUSED | KNELL_LOOP_NO_CPU;

	if (attr->flags & ~known || attr->backend > KNELL_BACKEND_PIDFD ||
	    attr->batch > BATCH_MAX || attr->event_interval > INTERVAL_MAX ||
	    (attr->flags & KNELL_LOOP_FD && attr->backend == KNELL_BACKEND_PIDFD))
		return -EINVAL;
	l->batch = attr->batch ? attr->batch : 64;
	l->event_interval = attr->event_interval ? attr->event_interval : 61;
	l->yield_slot = or_default(attr->yield_slot_ns, 10 * NSEC_PER_MSEC);
	l->warn_cpu = or_default(attr->warn_cpu_ns, 5 * NSEC_PER_SEC);
	l->warn_wall = or_default(attr->warn_wall_ns, 5 * NSEC_PER_SEC);
	l->warn_late = or_default(attr->warn_late_ns, 4 * NSEC_PER_SEC);
	l->stats.cpu = !(attr->flags & KNELL_LOOP_NO_CPU);
	return 0;
}

/* A page that reads 0 in a forked child: cheaper to look at than getpid(2). */
static int mark_alive(struct knell_loop *l)
{
	size_t size = (size_t)sysconf(_SC_PAGESIZE);
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return -ENOMEM;
	l->alive = p;
	if (madvise(p, size, MADV_WIPEONFORK))
		return -errno;
	*l->alive = 1;
	return 0;
}

static int open_backend(struct knell_loop *l, const struct knell_loop_attr *attr)
{
	int err = -ENOSYS;

	if (attr->backend != KNELL_BACKEND_PIDFD) {
		l->ops = &backend_kernel;
		err = l->ops->open(l, attr);
	}
	/* A descriptor that was given is not to be ignored. */
	if (attr->backend == KNELL_BACKEND_PIDFD ||
	    (err && attr->backend == KNELL_BACKEND_AUTO && !(attr->flags & KNELL_LOOP_FD))) {
		l->ops = &backend_pidfd;
		err = l->ops->open(l, attr);
	}
	return err;
}

static void free_memory(struct knell_loop *l)
{
	struct hook *next;

	for (struct hook *h = l->hooks; h; h = next) {
		next = h->next;
		free(h);
	}
	tasks_free_all(l);
	for (enum heap_id id = 0; id < HEAPS; id++)
		heap_free(&l->heap[id]);
	stats_free(l);
	if (l->alive)
		munmap((void *)l->alive, (size_t)sysconf(_SC_PAGESIZE));
	free(l->name);
	free(l);
}

static void init(struct knell_loop *l, const struct knell_loop_attr *attr)
{
	for (enum list_id id = 0; id < LISTS; id++)
		l->list[id] = (struct list){ NO_TASK, NO_TASK, 0 };
	for (enum heap_id id = 0; id < HEAPS; id++)
		l->clock.told[id] = KNELL_NEVER;
	l->tasks.partial = NO_CHUNK;
	l->io.first_dirty = -1;
	clock_update(l);
	if (attr->flags & KNELL_LOOP_PAUSED)
		knell_clock_pause(l);
}

struct knell_loop *knell_loop_new(const struct knell_loop_attr *attr)
{
	static const struct knell_loop_attr none;
	struct knell_loop *l = calloc(1, sizeof(*l));
	int err;

	if (!l)
		return NULL;
	if (!attr)
		attr = &none;
	err = set_numbers(l, attr);
	if (err)
		goto err_free;
	err = -ENOMEM;
	l->name = strdup(attr->name ? attr->name : "main");
	if (!l->name)
		goto err_free;
	err = mark_alive(l);
	if (err)
		goto err_free;
	err = posts_init(l);
	if (err)
		goto err_free;
	init(l, attr);
	err = open_backend(l, attr);
	if (err)
		goto err_posts;
	return l;

err_posts:
	posts_free(l);
err_free:
	free_memory(l);
	errno = -err;
	return NULL;
}

void knell_loop_free(struct knell_loop *l)
{
	if (!l)
		return;
	posts_close(l);
	signals_free(l);
	l->ops->close(l);
	sources_free(l);
	posts_free(l);
	io_free(l);
	free_memory(l);
}

int knell_loop_fd(struct knell_loop *l)
{
	int fd;

	if (loop_is_copy(l))
		return -ECHILD;
	fd = l->ops->fd(l);
	if (fd < 0)
		return fd;
	l->embedded = true;
	loop_changed(l);
	return fd;
}

const char *knell_loop_name(const struct knell_loop *l)
{
	return l->name;
}

enum knell_backend knell_loop_backend(const struct knell_loop *l)
{
	return l->ops->id;
}

static int add_hook(struct knell_loop *l, knell_hook *fn, void *arg, bool check)
{
	struct hook **end, *h;

	if (loop_is_copy(l))
		return -ECHILD;
	if (!fn)
		return -EINVAL;
	h = malloc(sizeof(*h));
	if (!h)
		return -ENOMEM;
	*h = (struct hook){ .fn = fn, .arg = arg, .check = check };
	for (end = &l->hooks; *end; end = &(*end)->next)
		;
	*end = h;
	return 0;
}

int knell_add_prepare(struct knell_loop *l, knell_hook *hook, void *arg)
{
	return add_hook(l, hook, arg, false);
}

int knell_add_check(struct knell_loop *l, knell_hook *hook, void *arg)
{
	return add_hook(l, hook, arg, true);
}

int knell_del_hook(struct knell_loop *l, knell_hook *hook, void *arg)
{
	for (struct hook **p = &l->hooks; *p; p = &(*p)->next) {
		struct hook *h = *p;

		if (h->fn != hook || h->arg != arg || h->dead)
			continue;
		/* run_hooks() takes it away if it goes through them now. */
		h->dead = true;
		if (!l->in_hooks) {
			*p = h->next;
			free(h);
		}
		return 0;
	}
	return -ENOENT;
}

const char *knell_version(void)
{
	return KNELL_VERSION;
}
