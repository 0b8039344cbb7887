// SPDX-License-Identifier: GPL-2.0-only
/* status: all about units, as far as it helps who looks at them. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "knellctl.h"

#define FIELD_WIDTH	10
#define TAIL		65536		/* bytes of a log file that are looked at */

void field(FILE *f, const char *name, enum colour c, const char *fmt, ...)
{
	va_list args;
	char *text = NULL;

	va_start(args, fmt);
	if (vasprintf(&text, fmt, args) < 0)
		text = xstrdup("");
	va_end(args);
	fprintf(f, "%*s: ", FIELD_WIDTH, name);
	print_to(f, c, "%s\n", text);
	free(text);
}

static void list_field(const char *name, const json_t *list)
{
	const json_t *s;
	size_t i;

	json_array_foreach(list, i, s) {
		if (i)
			printf("%*s  ", FIELD_WIDTH, "");
		else
			printf("%*s: ", FIELD_WIDTH, name);
		print(PLAIN, "%s\n", json_is_string(s) ? json_string_value(s) : "?");
	}
}

static void loaded(const json_t *d)
{
	const char *load = get_str(d, "unit.load"), *path = get_str(d, "path"),
		   *state = file_state(get_str(d, "unit.name"));
	char word[WORD_MAX];
	bool fine = !strcmp(load, "loaded") || !strcmp(load, "stub");

	field(stdout, "Loaded", fine ? PLAIN : RED, "%s%s%s%s%s%s", dashed(load, word),
	      *path || *state ? " (" : "", path, *path && *state ? "; " : "", state,
	      *path || *state ? ")" : "");
	list_field("Drop-In", get(d, "dropIns"));
	if (has(d, "loadError"))
		field(stdout, "Error", RED, "%s", get_str(d, "loadError"));
}

static void active(const json_t *d)
{
	char time[TIME_MAX], span[SPAN_MAX];
	const char *state = get_str(d, "unit.active"), *result = get_str(d, "unit.result");
	const json_t *since = get(d, "unit.since");
	bool failed = *result && strcmp(result, "success");

	printf("%*s: ", FIELD_WIDTH, "Active");
	print(state_colour(state), "%s (%s)", state, get_str(d, "unit.sub"));
	if (failed)
		print(RED, " (%s)", result);
	if (since)
		print(PLAIN, " since %s; %s ago", time_words(since, time),
		    span_words(time_ago(since), span));
	if (get_int(d, "unit.restarts") > 0)
		print(YELLOW, "; started again %lld times", (long long)get_int(d, "unit.restarts"));
	print(PLAIN, "\n");
}

static void job(const json_t *d)
{
	const json_t *j = get(d, "unit.job");
	char word[WORD_MAX], span[SPAN_MAX];

	if (j)
		field(stdout, "Job", YELLOW, "%lld: %s, %s for %s", (long long)get_int(j, "id"),
		      dashed(get_str(j, "type"), word), get_bool(j, "running") ? "runs" : "waits",
		      span_words(time_ago(get(j, "since")), span));
}

/* Where to look for what no file has. */
static void output(const json_t *d)
{
	const char *kind = get_str(d, "output.kind"), *name = get_str(d, "output.name");

	if (!strcmp(kind, "manager"))
		field(stdout, "Output", PLAIN, "goes where knelld's own log does%s%s",
		      *name ? ": " : "", name);
	else if (*kind)
		field(stdout, "Output", PLAIN, "%s%s%s", kind, *name ? " " : "", name);
}

static void processes(const json_t *d)
{
	if (has(d, "statusText"))
		field(stdout, "Status", PLAIN, "\"%s\"", get_str(d, "statusText"));
	if (get_int(d, "statusErrno"))
		field(stdout, "Errno", RED, "%s", strerror((int)get_int(d, "statusErrno")));
	if (get_int(d, "unit.mainPid"))
		field(stdout, "Main PID", PLAIN, "%lld", (long long)get_int(d, "unit.mainPid"));
	if (has(d, "control"))
		field(stdout, "Control", PLAIN, "%s (process %lld)", get_str(d, "control"),
		      (long long)get_int(d, "controlPid"));
	if (get_int(d, "members") > 0)
		field(stdout, "Processes", PLAIN, "%lld, knellctl tree %s shows them",
		      (long long)get_int(d, "members"), get_str(d, "unit.name"));
	if (has(d, "logger"))
		field(stdout, "Logger", PLAIN, "%s", get_str(d, "logger"));
	output(d);
	if (get_int(d, "storedFds") > 0)
		field(stdout, "Stored", PLAIN, "%lld descriptors",
		      (long long)get_int(d, "storedFds"));
}

static void triggers(const json_t *d)
{
	char time[TIME_MAX], span[SPAN_MAX];
	const json_t *next = get(d, "next");
	int64_t left = time_left(next);

	list_field("Triggers", get(d, "triggers"));
	list_field("Triggered", get(d, "triggeredBy"));
	list_field("Listen", get(d, "listen"));
	if (has(d, "connections"))
		field(stdout, "Connected", PLAIN, "%lld", (long long)get_int(d, "connections"));
	if (next)
		field(stdout, "Next", PLAIN, "%s; in %s", time_words(next, time),
		      span_words(left > 0 ? (uint64_t)left : 0, span));
	else if (is_str(d, "unit.kind", "timer"))
		field(stdout, "Next", YELLOW, "never");
	if (has(d, "last"))
		field(stdout, "Last", PLAIN, "%s", time_words(get(d, "last"), time));
}

static void exits(const json_t *d)
{
	struct table t = EXIT_TABLE;
	const json_t *e;
	size_t i;

	if (!get_size(d, "exits"))
		return;
	print(PLAIN, "\n");
	json_array_foreach(get(d, "exits"), i, e)
		exit_row(&t, e);
	table_end(&t);
}

/* The last lines of what a unit has written to a file; nothing but a file is opened. */
static void tail(const char *path, long lines)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	char *buf = xcalloc(1, TAIL + 1), *s;
	struct stat st;
	ssize_t n = -1;
	long seen = 0;

	if (fd >= 0 && !fstat(fd, &st) && S_ISREG(st.st_mode))
		n = pread(fd, buf, TAIL, st.st_size > TAIL ? st.st_size - TAIL : 0);
	if (fd >= 0)
		close(fd);
	/* A NUL in it would hide the rest. */
	for (ssize_t i = 0; i < n; i++)
		buf[i] = buf[i] ? buf[i] : ' ';
	for (s = buf + (n > 0 ? n : 0); s > buf; s--)
		if (s[-1] == '\n' && *s && seen++ == lines - 1)
			break;
	for (char *line; lines > 0 && (line = strsep(&s, "\n"));)
		if (*line || s)
			print(PLAIN, "  %s\n", line);
	free(buf);
}

static void log_lines(const json_t *d)
{
	const char *path = get_str(d, "logFile");
	const json_t *line;
	size_t i;

	if (!get_size(d, "log") && !*path)
		return;
	print(PLAIN, "\n");
	if (*path)
		print(DIM, "  %s:\n", path);
	json_array_foreach(get(d, "log"), i, line)
		if (json_is_string(line))
			print(PLAIN, "  %s\n", json_string_value(line));
	if (*path && !has(d, "log"))
		tail(path, opt.lines >= 0 ? opt.lines : 10);
}

/* As the LSB has it for init scripts. */
static int status_of(const json_t *d)
{
	const char *state = get_str(d, "unit.active");

	if (strcmp(state, "inactive") && strcmp(state, "failed"))
		return EX_OK;
	return is_str(d, "unit.load", "not_found") ? EX_UNKNOWN : EX_NOT_RUNNING;
}

static void show_unit(const json_t *d)
{
	const char *state = get_str(d, "unit.active");
	const char *description = get_str(d, "unit.description");

	print(state_colour(state), "%s", state_dot(state));
	print(PLAIN, " %s%s%s\n", get_str(d, "unit.name"), *description ? " - " : "", description);
	loaded(d);
	active(d);
	job(d);
	why_lines(d, stdout);
	triggers(d);
	processes(d);
	list_field("Docs", get(d, "documentation"));
	exits(d);
	log_lines(d);
}

/* One unit: its exit status; @units gets the reply. */
static int one(const char *name, json_t *units, bool first)
{
	long lines = opt.lines >= 0 ? opt.lines : 10;
	json_t *reply = NULL, *d;
	int status, err = call("UnitStatus", json_pack("{s:s, s:i, s:I}", "name", name, "exits", 3,
						       "lines", (json_int_t)lines), &reply);

	if (err < 0) {
		status = call_failed(err);
		return status == EX_NO_UNIT ? EX_UNKNOWN : status;
	}
	d = json_object_get(reply, "status");
	if (opt.json) {
		json_array_append(units, d);
	} else {
		if (!first)
			print(PLAIN, "\n");
		show_unit(d);
	}
	status = status_of(d);
	json_decref(reply);
	return status;
}

static void show_manager(const json_t *m)
{
	char time[TIME_MAX], span[SPAN_MAX];
	const char *state = get_str(m, "state");
	bool fine = !strcmp(state, "running");
	char *path = joined(get(m, "unitPath"));

	print(fine ? GREEN : YELLOW, "%s", state_dot(fine ? "active" : "activating"));
	print(PLAIN, " knelld %s (process %lld, %s)\n", get_str(m, "version"),
	    (long long)get_int(m, "pid"), get_str(m, "scope"));
	field(stdout, "State", fine ? GREEN : YELLOW, "%s", state);
	field(stdout, "Since", PLAIN, "%s; %s ago", time_words(get(m, "started"), time),
	      span_words(time_ago(get(m, "started")), span));
	field(stdout, "Units", PLAIN, "%lld, %lld of them failed", (long long)get_int(m, "units"),
	      (long long)get_int(m, "failed"));
	field(stdout, "Jobs", PLAIN, "%lld", (long long)get_int(m, "jobs"));
	field(stdout, "Backend", PLAIN, "%s%s%s", get_str(m, "backend"),
	      has(m, "queue") ? ", kept as " : "", get_str(m, "queue"));
	list_field("Missing", get(m, "missing"));
	field(stdout, "Files", PLAIN, "%s", path);
	free(path);
}

/* Without a unit: the manager, and what is wrong. */
static int overview(void)
{
	json_t *reply = NULL;
	int status = call_or_say("ManagerStatus", NULL, &reply);

	if (status)
		return status;
	if (opt.json)
		return out_json(reply);
	show_manager(reply);
	if (get_int(reply, "failed") || get_int(reply, "jobs")) {
		print(PLAIN, "\n");
		cmd_why(NULL, NULL, 0);
	}
	json_decref(reply);
	return EX_OK;
}

int cmd_status(const struct verb *cmd, char **args, size_t nr)
{
	json_t *units = json_array();
	struct strv names = { 0 };
	int status = nr ? names_of(args, nr, &names) : overview();

	(void)cmd;
	for (size_t i = 0; i < names.nr && nr; i++) {
		int err = one(names.v[i], units, !i);

		status = status ? status : err;
	}
	if (opt.json && nr)
		out_json(json_pack("{s:O}", "units", units));
	json_decref(units);
	strv_free(&names);
	return status;
}
