// SPDX-License-Identifier: GPL-2.0-only
/* Memory that is waited for: the services run on while their supervisor is short of it. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "knelld.h"

static void wait_for_memory(void)
{
	struct timespec second = { .tv_sec = 1 };

	log_line("out of memory, waiting for some");
	nanosleep(&second, NULL);
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

/* Takes over @s. */
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
