// SPDX-License-Identifier: GPL-2.0-only
/* events: what happens, a line each; with --json an object each. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "knellctl.h"

void clock_text(const json_t *instant)
{
	json_int_t usec = get_int(instant, "realtimeUsec");
	time_t t = (time_t)(usec / (json_int_t)USEC_PER_SEC);
	char buf[32] = "";
	struct tm tm;

	if (localtime_r(&t, &tm))
		strftime(buf, sizeof(buf), "%H:%M:%S", &tm);
	print(DIM, "%s.%03lld ", buf, (long long)(usec % (json_int_t)USEC_PER_SEC / 1000));
}

static void job_event(const json_t *e, bool done)
{
	const char *result = get_str(e, "jobResult");
	char type[WORD_MAX];
	bool fine = !strcmp(result, "done") || !strcmp(result, "skipped");

	dashed(get_str(e, "jobType"), type);
	if (!done)
		print(PLAIN, "job %lld: %s", (long long)get_int(e, "job"), type);
	else
		print(fine ? PLAIN : RED, "job %lld: %s: %s", (long long)get_int(e, "job"), type,
		    result);
}

static void exit_event(const json_t *x)
{
	char *end = exit_words(x), span[SPAN_MAX];

	print(get_bool(x, "failure") ? RED : PLAIN, "%s (process %lld) %s", get_str(x, "role"),
	    (long long)get_int(x, "pid"), end);
	if (has(x, "runUsec"))
		print(PLAIN, " after %s", span_words((uint64_t)get_int(x, "runUsec"), span));
	free(end);
}

static void show(const json_t *e)
{
	const char *kind = get_str(e, "kind"), *active = get_str(e, "active");

	clock_text(get(e, "time"));
	if (has(e, "unit"))
		print(BOLD, "%s ", get_str(e, "unit"));
	if (!strcmp(kind, "unit"))
		print(state_colour(active), "%s (%s)", active, get_str(e, "sub"));
	else if (!strncmp(kind, "job_", 4))
		job_event(e, !strcmp(kind, "job_done"));
	else if (!strcmp(kind, "exit"))
		exit_event(get(e, "exit"));
	else if (!strcmp(kind, "lost"))
		print(YELLOW, "%lld events were lost: this reads too slowly",
		    (long long)get_int(e, "lost"));
	else if (!strcmp(kind, "ready"))
		print(DIM, "listening");
	else
		print(PLAIN, "%s", kind);
	print(PLAIN, "\n");
}

int cmd_events(const struct verb *cmd, char **args, size_t nr)
{
	json_t *params = json_object(), *reply = NULL;
	struct strv names = { 0 };
	long left = opt.lines;
	int err, status = names_of(args, nr, &names);

	(void)cmd;
	if (nr)
		json_object_set_new(params, "units", json_names(&names));
	strv_free(&names);
	if (status) {
		json_decref(params);
		return status;
	}
	err = call_many("Subscribe", params);
	while (!err && left) {
		err = call_next(&reply);
		if (err < 0)
			break;
		if (opt.json)
			out_json_line(json_incref((json_t *)get(reply, "event")));
		else
			show(get(reply, "event"));
		fflush(stdout);
		/* The first one only says that it has begun. */
		if (left > 0 && !is_str(reply, "event.kind", "ready"))
			left--;
		json_decref(reply);
		reply = NULL;
		/* More are to come, unless knelld ends. */
		err = err > 0 ? 0 : -EPIPE;
	}
	return err < 0 ? call_failed(err) : EX_OK;
}
