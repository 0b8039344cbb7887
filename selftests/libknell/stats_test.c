// SPDX-License-Identifier: GPL-2.0-only
/* What each function has used, who took too long, and the other tables. runner-limit: 900 */
#include "common.h"

LOOP_FIXTURE(stats);

/* The types of a row in Quagga's layout, and where its name begins. */
#define TYPES		60
#define NAME		67

/* The row of function @name: a copy, or NULL. */
static char *row_of(const char *table, const char *name)
{
	const char *line = table, *end;
	size_t len = strlen(name);

	for (; *line; line = end + 1) {
		end = strchr(line, '\n');
		if (!end)
			return NULL;
		if (end - line > NAME && !strncmp(line + NAME, name, len) &&
		    (line[NAME + len] == ' ' || line[NAME + len] == '\n'))
			return strndup(line, end - line);
	}
	return NULL;
}

struct row {
	unsigned long ms, us, calls, cpu_avg, cpu_max, wall_avg, wall_max;
	char types[7];
	bool found;
};

/* As a program that knows Quagga's output would read it. */
static struct row parse(struct knell_loop *l, const char *filter, const char *name)
{
	char *table = shown_stats(l, filter, KNELL_TEXT), *line = row_of(table, name);
	struct row r = { 0 };

	if (line) {
		r.found = sscanf(line, "%lu.%lu %lu %lu %lu %lu %lu", &r.ms, &r.us, &r.calls,
				 &r.cpu_avg, &r.cpu_max, &r.wall_avg, &r.wall_max) == 7;
		memcpy(r.types, line + TYPES, 6);
	}
	free(line);
	free(table);
	return r;
}

static void first(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	(void)l;
	(void)call;
	(void)arg;
}

static void second(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	(void)l;
	(void)call;
	(void)arg;
	counted++;
}

static void executes(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	(void)call;
	if (knell_execute(l, first, arg, 1) || knell_execute(l, second, arg, 2))
		abort();
}

/* T-04: what is executed counts as X, in and out of tasks, and kills nobody. */
LOOP_TEST(stats, t04_execute)
{
	ASSERT_EQ(0, knell_execute(self->l, first, NULL, 7));
	knell_add_event(self->l, executes, NULL, 0);
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_EQ(2, parse(self->l, NULL, "first").calls);
	EXPECT_EQ(1, parse(self->l, NULL, "second").calls);
	EXPECT_STREQ("    X ", parse(self->l, NULL, "first").types);
	EXPECT_STREQ("   E  ", parse(self->l, NULL, "executes").types);
	/* The outer one took at least as long as the inner ones. */
	EXPECT_LE(parse(self->l, NULL, "second").wall_max,
		  parse(self->l, NULL, "executes").wall_max);
}

static void burns(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	(void)l;
	(void)call;
	burn(*(uint64_t *)arg);
}

static void sleeps(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	(void)l;
	(void)call;
	sleep_ns(*(uint64_t *)arg);
}

/* T-05: the object of one task is used again by another, and each is charged its own. */
LOOP_TEST(stats, t05_recycled_tasks)
{
	uint64_t ns = 30 * MSEC;

	for (int i = 0; i < 3; i++) {
		if (i == 1)
			knell_add_event(self->l, burns, &ns, 0);
		else
			knell_add_event(self->l, first, &ns, 0);
		ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	}
	EXPECT_EQ(2, parse(self->l, NULL, "first").calls);
	EXPECT_EQ(1, stats_of(self->l).tasks_made - stats_of(self->l).tasks_reused);
	EXPECT_LE(30000, parse(self->l, NULL, "burns").wall_max);
	EXPECT_LE(30, parse(self->l, NULL, "burns").ms);
	EXPECT_LE(parse(self->l, NULL, "first").ms, 29);
}

static void burn_and_sleep(struct knell_loop *l, int *err)
{
	static uint64_t ns = 20 * MSEC;

	for (int i = 0; i < 3; i++) {
		knell_add_event(l, burns, &ns, 0);
		knell_add_event(l, sleeps, &ns, 0);
		for (int k = 0; k < 500; k++)
			knell_add_event(l, second, NULL, 0);
	}
	*err = knell_loop_run(l, KNELL_RUN_DEFAULT);
}

/*
 * Who burns and who sleeps are told apart; and together they have used no more than there was.
 * Short runs share by their wall time: had another process the CPU amid them, they are charged
 * what was burnt. So it is done again if it was not told right.
 */
LOOP_TEST(stats, cpu_and_wall)
{
	static const char *const names[] = { "burns", "sleeps", "second" };
	unsigned long sum = 0;
	uint64_t before, used;
	int err;

	for (int tries = 0; tries < 20; tries++) {
		knell_stats_clear(self->l, NULL);
		before = clock_ns(CLOCK_THREAD_CPUTIME_ID);
		burn_and_sleep(self->l, &err);
		ASSERT_EQ(0, err);
		used = (clock_ns(CLOCK_THREAD_CPUTIME_ID) - before) / USEC;
		if (parse(self->l, NULL, "burns").cpu_avg >= 20000)
			break;
	}
	EXPECT_LE(20000, parse(self->l, NULL, "burns").cpu_avg);
	EXPECT_LE(20000, parse(self->l, NULL, "sleeps").wall_avg);
	/* It slept for 20 ms and did next to nothing. */
	EXPECT_GT(10000, parse(self->l, NULL, "sleeps").cpu_avg);
	for (int i = 0; i < 3; i++) {
		struct row r = parse(self->l, NULL, names[i]);

		EXPECT_LE(r.cpu_max, r.wall_max);
		sum += r.ms * 1000 + r.us;
	}
	EXPECT_LE(sum, used);
	EXPECT_LE(60000, sum);
}

LOOP_TEST(stats, without_cpu_time)
{
	uint64_t ns = 5 * MSEC;

	knell_set_cpu_accounting(self->l, false);
	knell_add_event(self->l, burns, &ns, 0);
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_EQ(0, parse(self->l, NULL, "burns").cpu_max);
	EXPECT_LE(5000, parse(self->l, NULL, "burns").wall_max);
	knell_set_cpu_accounting(self->l, true);
	knell_add_event(self->l, burns, &ns, 0);
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_LE(5000, parse(self->l, NULL, "burns").cpu_max);
}

static const char headings[] =
	"                      CPU (user+system): Real (wall-clock):";
static const char columns[] =
	"Runtime(ms)   Invoked Avg uSec Max uSecs Avg uSec Max uSecs  Type  Thread";

LOOP_TEST(stats, layout_is_quaggas)
{
	char *table, *second_line, *row, *total;
	char expected[128];
	struct row r;

	for (int i = 0; i < 3; i++)
		knell_add_event(self->l, first, NULL, 0);
	knell_add_timer(self->l, second, NULL, 0);
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	table = shown_stats(self->l, NULL, KNELL_TEXT);
	EXPECT_EQ(0, strncmp(table, headings, strlen(headings)));
	second_line = strchr(table, '\n') + 1;
	EXPECT_EQ(0, strncmp(second_line, columns, strlen(columns)));
	row = row_of(table, "first");
	ASSERT_NE(NULL, row);
	r = parse(self->l, NULL, "first");
	ASSERT_TRUE(r.found);
	snprintf(expected, sizeof(expected), "%7lu.%03lu %9lu %8lu %9lu %8lu %9lu %s %s", r.ms,
		 r.us, r.calls, r.cpu_avg, r.cpu_max, r.wall_avg, r.wall_max, "   E  ", "first");
	EXPECT_EQ(0, strncmp(row, expected, strlen(expected)));
	EXPECT_EQ(3, r.calls);
	total = row_of(table, "TOTAL");
	ASSERT_NE(NULL, total);
	EXPECT_EQ(4, parse(self->l, NULL, "TOTAL").calls);
	EXPECT_STREQ("RWTEXB", parse(self->l, NULL, "TOTAL").types);
	EXPECT_EQ(1, parse(self->l, "t", "TOTAL").calls);
	EXPECT_STREQ("  T   ", parse(self->l, "t", "TOTAL").types);
	free(total);
	free(row);
	free(table);
}

static void ends(struct knell_loop *l, const struct knell_call *call, void *arg)
{
	(void)l;
	(void)call;
	(void)arg;
}

/* T-17 */
LOOP_TEST(stats, t17_filters)
{
	static const struct { const char *filter; bool first, second, ends; } cases[] = {
		{ NULL, true, true, true }, { "", true, true, true }, { "e", true, false, false },
		{ "E", true, false, false }, { "t", false, true, false },
		{ "C", false, false, true }, { "et", true, true, false },
		{ "e?!", true, false, false }, { "rwxbs", false, false, false },
		{ "rwtexbcs", true, true, true },
	};
	FILE *f = fopen("/dev/null", "w");

	knell_add_event(self->l, first, NULL, 0);
	knell_add_timer(self->l, second, NULL, 0);
	ASSERT_TASK(knell_add_child(self->l, ends, NULL, exiting_child(0),
				    KNELL_CHILD_AUTOREAP));
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++) {
		EXPECT_EQ(cases[i].first, parse(self->l, cases[i].filter, "first").found);
		EXPECT_EQ(cases[i].second, parse(self->l, cases[i].filter, "second").found);
		EXPECT_EQ(cases[i].ends, parse(self->l, cases[i].filter, "ends").found);
	}
	EXPECT_EQ(-EINVAL, knell_stats_show(self->l, f, "?!", KNELL_TEXT));
	EXPECT_EQ(-EINVAL, knell_stats_show(self->l, f, "?!", KNELL_JSON));
	EXPECT_EQ(-EINVAL, knell_stats_show(self->l, f, NULL, 17));
	EXPECT_EQ(-EINVAL, knell_stats_clear(self->l, "?!"));
	fclose(f);
}

/* A live task may still be charged to what was cleared (FRR #16419). */
LOOP_TEST(stats, t17_clear)
{
	knell_task t = knell_add_timer_every(self->l, first, NULL, 1);

	knell_add_timer(self->l, second, NULL, 0);
	while (counted == 0)
		ASSERT_EQ(1, knell_loop_run(self->l, KNELL_RUN_ONCE));
	EXPECT_EQ(0, knell_stats_clear(self->l, "e"));
	EXPECT_LT(0, parse(self->l, NULL, "first").calls);
	EXPECT_EQ(0, knell_stats_clear(self->l, "t"));
	EXPECT_FALSE(parse(self->l, NULL, "second").found);
	EXPECT_EQ(0, parse(self->l, NULL, "first").calls);
	ASSERT_EQ(1, knell_loop_run(self->l, KNELL_RUN_ONCE));
	EXPECT_EQ(1, parse(self->l, NULL, "first").calls);
	EXPECT_EQ(1, knell_cancel(self->l, t));
}

/*
 * T-18
 */

static unsigned int warned[3];
static char last_warning[300];
static const struct knell_site *last_site;

static void on_warning(struct knell_loop *l, enum knell_warning what,
		       const struct knell_site *site, const char *text, void *arg)
{
	(void)l;
	if (arg != warned || strchr(text, '\n'))
		abort();
	warned[what]++;
	last_site = site;
	snprintf(last_warning, sizeof(last_warning), "%s", text);
}

static knell_task limited(struct knell_loop *l, knell_cb *cb, uint64_t *ns, uint64_t cpu,
			  uint64_t wall)
{
	knell_task t = knell_add_event(l, cb, ns, 0);

	knell_set_warn(l, t, cpu, wall, 0);
	return t;
}

LOOP_TEST(stats, t18_warnings_of_one_task)
{
	uint64_t ns = 10 * MSEC;

	knell_set_warn_hook(self->l, on_warning, warned);
	/* It burns, and its argument is not NULL. */
	limited(self->l, burns, &ns, 5 * MSEC, 5 * MSEC);
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_EQ(1, warned[KNELL_WARN_CPU]);
	EXPECT_EQ(0, warned[KNELL_WARN_WALL]);
	EXPECT_EQ(0, strncmp(last_warning, "CPU HOG", 7));
	EXPECT_STREQ("cb", last_site->func);
	/* It only sleeps; from the same call site, but it is another sort. */
	limited(self->l, sleeps, &ns, HOUR, 5 * MSEC);
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_EQ(1, warned[KNELL_WARN_CPU]);
	EXPECT_EQ(1, warned[KNELL_WARN_WALL]);
	EXPECT_EQ(0, strncmp(last_warning, "STARVATION", 10));
	/* 0 is never. */
	limited(self->l, burns, &ns, 0, 0);
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_EQ(1, warned[KNELL_WARN_CPU]);
	EXPECT_EQ(-ENOENT, knell_set_warn(self->l, KNELL_NONE, 1, 1, 1));
}

LOOP_TEST(stats, t18_at_most_one_in_ten_seconds)
{
	uint64_t ns = 2 * MSEC;
	char *table;

	knell_set_warn_hook(self->l, on_warning, warned);
	for (int i = 0; i < 5; i++)
		limited(self->l, burns, &ns, MSEC, HOUR);
	knell_set_warn(self->l, knell_add_event(self->l, burns, &ns, 0), MSEC, HOUR, 0);
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	/* Two call sites. */
	EXPECT_EQ(2, warned[KNELL_WARN_CPU]);
	/* All are counted. */
	table = shown_stats(self->l, NULL, KNELL_JSON);
	EXPECT_TRUE(is_json(table));
	EXPECT_NE(NULL, strstr(table, ":6"));
	free(table);
}

TEST(t18_limits_of_the_loop)
{
	const struct knell_loop_attr attr = {
		.backend = KNELL_BACKEND_PIDFD, .warn_cpu_ns = MSEC, .warn_wall_ns = KNELL_NEVER,
		.warn_late_ns = 10 * MSEC,
	};
	struct knell_loop *l = knell_loop_new(&attr);
	uint64_t ns = 20 * MSEC;
	knell_task t;

	ASSERT_NE(NULL, l);
	knell_set_warn_hook(l, on_warning, warned);
	knell_add_event(l, burns, &ns, 0);
	/* Held up by that one. */
	knell_add_timer(l, first, NULL, 0);
	t = knell_add_timer_ms(l, first, NULL, 0);
	EXPECT_EQ(0, knell_set_warn(l, t, 0, 0, 0));
	ASSERT_EQ(0, knell_loop_run(l, KNELL_RUN_DEFAULT));
	EXPECT_EQ(1, warned[KNELL_WARN_CPU]);
	EXPECT_EQ(1, warned[KNELL_WARN_LATE]);
	EXPECT_EQ(0, warned[KNELL_WARN_WALL]);
	EXPECT_EQ(0, strncmp(last_warning, "LATE TIMER", 10));
	knell_loop_free(l);
}

LOOP_TEST(stats, t18_silent_by_default)
{
	uint64_t ns = MSEC;

	knell_set_warn_hook(self->l, on_warning, warned);
	knell_add_event(self->l, burns, &ns, 0);
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_EQ(0, warned[0] + warned[1] + warned[2]);
}

/* T-19 */
LOOP_TEST(stats, t19_store_of_tasks_is_bounded)
{
	const unsigned int nr = times(100000);
	struct knell_stats s;

	for (unsigned int i = 0; i < nr; i++)
		ASSERT_TASK(knell_add_timer_ns(self->l, second, NULL, i));
	s = stats_of(self->l);
	EXPECT_EQ(nr, s.tasks);
	EXPECT_EQ(nr, s.timers);
	ASSERT_EQ(0, knell_loop_run(self->l, KNELL_RUN_DEFAULT));
	EXPECT_EQ(nr, counted);
	s = stats_of(self->l);
	EXPECT_EQ(0, s.tasks);
	EXPECT_EQ(nr, s.tasks_made);
	EXPECT_GE(4096, s.tasks_free);
	/* And it is of use. */
	for (unsigned int i = 0; i < 1000; i++)
		knell_add_event(self->l, second, NULL, 0);
	EXPECT_EQ(1000, stats_of(self->l).tasks_reused - s.tasks_reused);
}

/* The loop sleeps until this comes. */
static void post_a_sleep(void *arg)
{
	static uint64_t ns = 10 * MSEC;

	knell_post(arg, sleeps, &ns, 0);
}

LOOP_TEST(stats, counters)
{
	knell_task far = knell_add_timer(self->l, first, NULL, 3600);
	struct knell_stats s;
	struct meanwhile m;

	knell_add_event(self->l, first, NULL, 0);
	knell_add_event(self->l, first, NULL, 0);
	meanwhile(&m, post_a_sleep, self->l);
	ASSERT_EQ(1, knell_loop_run(self->l, KNELL_RUN_ONCE));
	while (stats_of(self->l).dispatched < 3)
		ASSERT_EQ(1, knell_loop_run(self->l, KNELL_RUN_ONCE));
	meanwhile_done(&m);
	EXPECT_EQ(1, knell_cancel(self->l, far));
	s = stats_of(self->l);
	EXPECT_LE(2, s.passes);
	EXPECT_LE(1, s.sleeps);
	EXPECT_EQ(3, s.dispatched);
	EXPECT_LE(10 * MSEC, s.busy_ns);
	EXPECT_LE(1, s.idle_ns);
	EXPECT_LE(1, s.syscalls);
	EXPECT_EQ(1, s.posted);
	EXPECT_LE(2, s.max_ready);
	EXPECT_LT(0, s.max_lag_ns);
	EXPECT_EQ(0, s.ready + s.events + s.timers + s.children + s.tasks);
}

/*
 * The other tables
 */

LOOP_TEST(stats, every_table_in_both_formats)
{
	pid_t child = idle_child();
	struct knell_wq *wq;

	ASSERT_GT(child, 0);
	wq = knell_wq_new(self->l, &(struct knell_wq_attr){
		.name = "a \"queue\"\n", .work = (void *)abort });
	ASSERT_NE(NULL, wq);
	ASSERT_TASK(knell_add_timer(self->l, first, NULL, 1000));
	ASSERT_TASK(knell_add_read(self->l, second, NULL, 0));
	ASSERT_TASK(knell_add_child(self->l, ends, NULL, child, KNELL_CHILD_AUTOREAP));
	for (enum knell_table what = KNELL_SHOW_TIMERS; what <= KNELL_SHOW_WQ; what++) {
		char *text = shown(self->l, what, KNELL_TEXT);
		char *json = shown(self->l, what, KNELL_JSON);
		FILE *full = fopen("/dev/full", "w");

		EXPECT_TRUE(is_json(json));
		EXPECT_LT(0, strlen(text));
		EXPECT_EQ(-EIO, knell_show(self->l, what, full, KNELL_TEXT));
		fclose(full);
		free(text);
		free(json);
	}
	EXPECT_EQ(-EINVAL, knell_show(self->l, 99, stdout, KNELL_TEXT));
	EXPECT_EQ(0, knell_child_kill(self->l, name_task(0, 0), 0) == 0);
	kill(child, SIGKILL);
	knell_wq_free(wq);
}

LOOP_TEST(stats, what_the_tables_say)
{
	pid_t child = idle_child();
	char *text, pid[16];

	ASSERT_GT(child, 0);
	ASSERT_TASK(knell_add_timer(self->l, first, NULL, 1000));
	ASSERT_TASK(knell_add_write(self->l, second, NULL, 1));
	ASSERT_TASK(knell_add_child(self->l, ends, NULL, child, KNELL_CHILD_AUTOREAP));
	text = shown(self->l, KNELL_SHOW_TIMERS, KNELL_TEXT);
	EXPECT_NE(NULL, strstr(text, "first"));
	EXPECT_NE(NULL, strstr(text, "stats_test.c:"));
	free(text);
	text = shown(self->l, KNELL_SHOW_POLL, KNELL_TEXT);
	EXPECT_NE(NULL, strstr(text, "second"));
	free(text);
	text = shown(self->l, KNELL_SHOW_CHILDREN, KNELL_TEXT);
	snprintf(pid, sizeof(pid), "%d", child);
	EXPECT_NE(NULL, strstr(text, pid));
	EXPECT_NE(NULL, strstr(text, "libknell_stats") ?: strstr(text, "stats_test"));
	free(text);
	kill(child, SIGKILL);
	EXPECT_EQ(1, knell_loop_run(self->l, KNELL_RUN_ONCE));
}

static const struct knell_site hostile = { "a\"b\\c\x01\n\xff", "f\"ile", -1 };

LOOP_TEST(stats, hostile_names)
{
	char *json, *text;

	ASSERT_TASK(knell_add_event_site(self->l, &hostile, first, NULL, KNELL_KIND_EVENT, 0));
	ASSERT_TASK(knell_add_timer_site(self->l, &hostile, second, NULL, HOUR, 0));
	ASSERT_EQ(1, knell_loop_run(self->l, KNELL_RUN_NOWAIT));
	json = shown_stats(self->l, NULL, KNELL_JSON);
	text = shown_stats(self->l, NULL, KNELL_TEXT);
	EXPECT_TRUE(is_json(json));
	EXPECT_EQ(NULL, strchr(text, '\x01'));
	free(json);
	free(text);
	json = shown(self->l, KNELL_SHOW_TIMERS, KNELL_JSON);
	EXPECT_TRUE(is_json(json));
	free(json);
}

LIBKNELL_MAIN
