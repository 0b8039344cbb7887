// SPDX-License-Identifier: GPL-2.0-only
/* Work queues (T-16): what becomes of an item, and of the queue. runner-limit: 600 */
#include "common.h"

LOOP_FIXTURE(wq);

/* An item says what its tries come to: a letter for each, the last one for all that follow. */
struct item {
	const char *name;
	const char *results;
	unsigned int tries;
};

static struct knell_wq *wq;

static enum knell_wq_result work(struct knell_wq *q, void *data, void *arg)
{
	static const char letters[] = "oenlrb";	/* in the order of enum knell_wq_result */
	struct item *it = data;
	char c = it->results[it->tries];

	if (q != wq || arg != trace)
		abort();
	traced("%s", it->name);
	if (it->results[it->tries + 1])
		it->tries++;
	return (enum knell_wq_result)(strchr(letters, c) - letters);
}

static void on_error(struct knell_wq *q, void *data, void *arg)
{
	(void)q;
	if (arg != trace)
		abort();
	traced("error:%s", ((struct item *)data)->name);
}

static void on_del(struct knell_wq *q, void *data, void *arg)
{
	(void)q;
	if (arg != trace)
		abort();
	traced("del:%s", ((struct item *)data)->name);
}

static void on_complete(struct knell_wq *q, void *arg)
{
	if (q != wq || arg != trace)
		abort();
	traced("complete");
}

static struct knell_wq_attr attr = {
	.name = "test", .work = work, .error = on_error, .del = on_del, .complete = on_complete,
	.data = trace,
};

static struct knell_wq *new_wq(struct knell_loop *l)
{
	wq = knell_wq_new(l, &attr);
	return wq;
}

static void add(struct item *it, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++)
		if (knell_wq_add(wq, &it[i]))
			abort();
}

LOOP_TEST(wq, t16_ok)
{
	struct item it[] = { { "a", "o", 0 }, { "b", "o", 0 }, { "c", "o", 0 } };

	ASSERT_NE(NULL, new_wq(self->l));
	add(it, 3);
	EXPECT_EQ(3, knell_wq_length(wq));
	EXPECT_STREQ("", trace);
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_STREQ("a del:a b del:b c del:c complete", trace);
	EXPECT_EQ(0, knell_wq_length(wq));
	/* Once more. */
	trace_clear();
	add(it, 1);
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_STREQ("a del:a complete", trace);
	knell_wq_free(wq);
}

LOOP_TEST(wq, t16_error)
{
	struct item it[] = { { "a", "e", 0 }, { "b", "o", 0 } };

	ASSERT_NE(NULL, new_wq(self->l));
	add(it, 2);
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_STREQ("a error:a del:a b del:b complete", trace);
	knell_wq_free(wq);
}

LOOP_TEST(wq, t16_retry_now)
{
	struct item it[] = { { "a", "no", 0 }, { "b", "n", 0 }, { "c", "o", 0 } };

	attr.max_retries = 3;
	ASSERT_NE(NULL, new_wq(self->l));
	add(it, 3);
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	/* Three times in all, and then it is an error. */
	EXPECT_STREQ("a a del:a b b b error:b del:b c del:c complete", trace);
	knell_wq_free(wq);
}

LOOP_TEST(wq, t16_requeue)
{
	struct item it[] = { { "a", "ro", 0 }, { "b", "o", 0 }, { "c", "o", 0 } };

	attr.max_retries = 3;
	ASSERT_NE(NULL, new_wq(self->l));
	add(it, 3);
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_STREQ("a b del:b c del:c a del:a complete", trace);
	knell_wq_free(wq);
}

/* Runs until the trace is that long, or the loop has nothing to do. */
static int run_until(struct knell_loop *l, size_t len)
{
	int left = 1;

	while (left > 0 && strlen(trace) < len)
		left = knell_loop_run(l, KNELL_RUN_ONCE);
	return left;
}

LOOP_TEST(wq, t16_retry_later)
{
	struct item it[] = { { "a", "lo", 0 }, { "b", "o", 0 } };

	attr.max_retries = 3;
	ASSERT_NE(NULL, new_wq(self->l));
	add(it, 2);
	/* No item overtakes it, but the loop has its turn in between. */
	ASSERT_EQ(1, run_until(self->l, 1));
	EXPECT_STREQ("a", trace);
	EXPECT_EQ(2, knell_wq_length(wq));
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_STREQ("a a del:a b del:b complete", trace);
	knell_wq_free(wq);
}

LOOP_TEST(wq, t16_blocked)
{
	struct item it[] = { { "a", "bbbbbbo", 0 }, { "b", "o", 0 } };

	attr.max_retries = 2;
	ASSERT_NE(NULL, new_wq(self->l));
	add(it, 2);
	ASSERT_EQ(1, run_until(self->l, 1));
	EXPECT_STREQ("a", trace);
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	/* To be blocked is no try that failed. */
	EXPECT_STREQ("a a a a a a a del:a b del:b complete", trace);
	knell_wq_free(wq);
}

LOOP_TEST(wq, plug)
{
	struct item it[] = { { "a", "o", 0 } };

	ASSERT_NE(NULL, new_wq(self->l));
	knell_wq_plug(wq);
	add(it, 1);
	EXPECT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_STREQ("", trace);
	EXPECT_EQ(1, knell_wq_length(wq));
	knell_wq_unplug(wq);
	EXPECT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_STREQ("a del:a complete", trace);
	knell_wq_free(wq);
}

LOOP_TEST(wq, hold)
{
	struct item it[] = { { "a", "o", 0 } };

	attr.hold_ms = 3600000;
	ASSERT_EQ(0, knell_clock_pause(self->l));
	ASSERT_NE(NULL, new_wq(self->l));
	add(it, 1);
	ASSERT_EQ(0, knell_clock_advance(self->l, HOUR - 1));
	EXPECT_STREQ("", trace);
	ASSERT_EQ(0, knell_clock_advance(self->l, 1));
	EXPECT_STREQ("a del:a complete", trace);
	knell_wq_free(wq);
}

LOOP_TEST(wq, free_deletes_what_is_left)
{
	struct item it[] = { { "a", "o", 0 }, { "b", "o", 0 } };

	ASSERT_NE(NULL, new_wq(self->l));
	add(it, 2);
	knell_wq_free(wq);
	EXPECT_STREQ("del:a del:b", trace);
	EXPECT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	knell_wq_free(NULL);
}

static enum knell_wq_result work_frees(struct knell_wq *q, void *data, void *arg)
{
	(void)arg;
	traced("%s", ((struct item *)data)->name);
	knell_wq_free(q);
	return KNELL_WQ_OK;
}

static void complete_frees(struct knell_wq *q, void *arg)
{
	(void)arg;
	traced("complete");
	knell_wq_free(q);
}

LOOP_TEST(wq, free_from_within)
{
	struct item it[] = { { "a", "o", 0 }, { "b", "o", 0 } };

	attr.work = work_frees;
	ASSERT_NE(NULL, new_wq(self->l));
	add(it, 2);
	EXPECT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_EQ(0, strncmp(trace, "a ", 2));
	EXPECT_NE(NULL, strstr(trace, "del:a"));
	EXPECT_NE(NULL, strstr(trace, "del:b"));
	EXPECT_EQ(NULL, strstr(trace, "complete"));
	trace_clear();
	attr.work = work;
	attr.complete = complete_frees;
	ASSERT_NE(NULL, new_wq(self->l));
	add(it, 1);
	EXPECT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_STREQ("a del:a complete", trace);
}

static enum knell_wq_result work_slow(struct knell_wq *q, void *data, void *arg)
{
	(void)q;
	(void)data;
	(void)arg;
	burn(MSEC);
	counted++;
	return KNELL_WQ_OK;
}

static unsigned long seen[1000];
static unsigned int nr_seen;

static void other_task(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	(void)call;
	(void)arg;
	seen[nr_seen++] = counted;
	if (knell_wq_length(wq) && nr_seen < ARRAY_SIZE(seen))
		knell_add_event(l, other_task, NULL, 0);
}

/* 200 ms of work in slices of 10 ms and a bit: others have their turn in between. */
LOOP_TEST(wq, yields)
{
	static struct item it[200];

	attr.work = work_slow;
	attr.del = NULL;
	attr.complete = NULL;
	ASSERT_NE(NULL, new_wq(self->l));
	add(it, ARRAY_SIZE(it));
	knell_add_event(self->l, other_task, NULL, 0);
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_EQ(200, counted);
	EXPECT_LE(5, nr_seen);
	for (unsigned int i = 1; i < nr_seen; i++)
		EXPECT_GE(60, seen[i] - seen[i - 1]);
	knell_wq_free(wq);
}

LOOP_TEST(wq, refusals_and_tables)
{
	struct item it[] = { { "a", "o", 0 } };
	char *text, *json;

	errno = 0;
	EXPECT_EQ(NULL, knell_wq_new(self->l, &(struct knell_wq_attr){ .name = "none" }));
	EXPECT_EQ(EINVAL, errno);
	ASSERT_NE(NULL, new_wq(self->l));
	add(it, 1);
	knell_wq_plug(wq);
	text = shown(self->l, KNELL_SHOW_WQ, KNELL_TEXT);
	json = shown(self->l, KNELL_SHOW_WQ, KNELL_JSON);
	EXPECT_NE(NULL, strstr(text, "test"));
	EXPECT_TRUE(is_json(json));
	EXPECT_NE(NULL, strstr(json, "\"items\":1"));
	free(text);
	free(json);
	knell_wq_free(wq);
}

LIBKNELL_MAIN
