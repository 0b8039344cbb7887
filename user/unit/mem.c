// SPDX-License-Identifier: GPL-2.0-only
/* Memory that is waited for: the services run on while their supervisor is short of it. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "private.h"

void (*mem_short)(void);

static void wait_for_memory(void)
{
	struct timespec second = { .tv_sec = 1 };

	if (mem_short)
		mem_short();
	nanosleep(&second, NULL);
}

void *xmalloc(size_t size)
{
	void *p;

	while (!(p = malloc(size ? size : 1)))
		wait_for_memory();
	return p;
}

void *xcalloc(size_t nr, size_t size)
{
	void *p;

	while (!(p = calloc(nr ? nr : 1, size)))
		wait_for_memory();
	return p;
}

/* Room for one more after @nr elements; what is there doubles at powers of two. */
void *xgrow(void *p, size_t nr, size_t size)
{
	size_t room = nr ? nr * 2 : 1;
	void *q;

	if (nr & (nr - 1))
		return p;
	while (!(q = realloc(p, room * size)))
		wait_for_memory();
	return q;
}

char *xstrdup(const char *s)
{
	char *p;

	while (!(p = strdup(s)))
		wait_for_memory();
	return p;
}

char *xasprintf(const char *fmt, ...)
{
	va_list ap;
	char *s;
	int len;

	for (;;) {
		va_start(ap, fmt);
		len = vasprintf(&s, fmt, ap);
		va_end(ap);
		if (len >= 0)
			return s;
		wait_for_memory();
	}
}

void strv_add(struct strv *v, char *s)
{
	/* Counts the NULL at the end. */
	v->v = xgrow(v->v, v->nr + 1, sizeof(*v->v));
	v->v[v->nr++] = s;
	v->v[v->nr] = NULL;
}

void strv_free(struct strv *v)
{
	for (size_t i = 0; i < v->nr; i++)
		free(v->v[i]);
	free(v->v);
	*v = (struct strv){ 0 };
}

struct chunk {
	struct chunk *next;
	char room[] __attribute__((aligned(8)));
};

#define CHUNK_ROOM	176

/*
 * Chunks are small, as a thousand units have one begun each; what is larger than a
 * chunk gets its own and leaves the one in use where it is.
 */
static void *from_new_chunk(struct arena *a, size_t size)
{
	const size_t room = CHUNK_ROOM;
	struct chunk *c = xcalloc(1, sizeof(*c) + (size > room ? size : room));

	c->next = a->chunks;
	a->chunks = c;
	if (size <= room && room - size >= a->left) {
		a->next = c->room + size;
		a->left = room - size;
	}
	return c->room;
}

static void *take(struct arena *a, size_t size)
{
	char *p = a->next;

	a->used += size;
	if (size > a->left)
		return from_new_chunk(a, size);
	a->next += size;
	a->left -= size;
	return p;
}

void *arena_alloc(struct arena *a, size_t size)
{
	size_t odd = a->left % 8;

	/* Chunks are multiples of 8: what is left tells where it begins. There may be none yet. */
	if (odd) {
		a->next += odd;
		a->left -= odd;
	}
	return take(a, (size + 7) & ~(size_t)7);
}

/* As xgrow(): what there was is left behind, at most as much as there is now. */
void *arena_grow(struct arena *a, void *p, size_t nr, size_t size)
{
	void *q;

	if (nr & (nr - 1))
		return p;
	q = arena_alloc(a, (nr ? nr * 2 : 1) * size);
	return nr ? memcpy(q, p, nr * size) : q;
}

/* For @len characters and a NUL. */
char *arena_room(struct arena *a, size_t len)
{
	return take(a, len + 1);
}

char *arena_strn(struct arena *a, const char *s, size_t len)
{
	return memcpy(arena_room(a, len), s, len);
}

char *arena_str(struct arena *a, const char *s)
{
	return arena_strn(a, s, strlen(s));
}

void arena_add(struct arena *a, struct strv *v, char *s)
{
	/* Counts the NULL at the end. */
	if (!v->nr)
		v->v = arena_alloc(a, 2 * sizeof(*v->v));
	else
		v->v = arena_grow(a, v->v, v->nr + 1, sizeof(*v->v));
	v->v[v->nr++] = s;
	v->v[v->nr] = NULL;
}

void arena_free(struct arena *a)
{
	for (struct chunk *c = a->chunks, *next; c; c = next) {
		next = c->next;
		free(c);
	}
	*a = (struct arena){ 0 };
}
