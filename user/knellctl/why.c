// SPDX-License-Identifier: GPL-2.0-only
/*
 * Why a unit is as it is, for who was woken because of it: what happened, to which process, what
 * else is down because of that, what happens by itself, and what to type.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "knellctl.h"

typedef char *sentence_fn(const json_t *d, const json_t *w);

/* Takes over both. */
static char *append(char *s, char *more)
{
	char *both = xasprintf("%s%s", s, more);

	free(s);
	free(more);
	return both;
}

/* ", WHAT in 12s (at 03:01:12)", if it is known when. */
static char *until(const json_t *w, const char *what)
{
	char span[SPAN_MAX], time[TIME_MAX];
	int64_t left = time_left(get(w, "until"));

	if (!has(w, "until"))
		return xstrdup("");
	return xasprintf("; %s in %s, at %s", what,
			 span_words(left > 0 ? (uint64_t)left : 0, span),
			 time_words(get(w, "until"), time));
}

static char *process(const json_t *e)
{
	const char *role = get_str(e, "role"), *path = get_str(e, "path");
	char span[SPAN_MAX], *end = exit_words(e), *s;
	bool main = !strcmp(role, "main"), ran = has(e, "runUsec");

	s = xasprintf("%s%s%s%s (process %lld) %s%s%s", main ? "its main process" : role,
		      main || !*role ? "" : "=", *path && main ? " " : "", path,
		      (long long)get_int(e, "pid"), end, ran ? " after " : "",
		      ran ? span_words((uint64_t)get_int(e, "runUsec"), span) : "");
	free(end);
	return s;
}

/* Of a start: "ExecStartPre=/x", "READY=1"; of a stop: "ExecStop=/x", "SIGTERM". */
static char *step(const json_t *w, const char *otherwise)
{
	const char *name = get_str(w, "step");
	char *pid = has(w, "pid") ? xasprintf(" (process %lld)", (long long)get_int(w, "pid")) :
		    xstrdup("");
	char *s;

	if (!strcmp(name, "READY=1"))
		s = xasprintf("its main process%s has not said yet that it is ready", pid);
	else if (!strcmp(name, "SIGKILL"))
		s = xasprintf("it was sent SIGKILL and has not ended%s", pid);
	else if (!strncmp(name, "SIG", 3))
		s = xasprintf("it was sent %s and has not ended%s", name, pid);
	else
		s = xasprintf("%s%s is not over", *name ? name : otherwise, pid);
	free(pid);
	return s;
}

static char *starting(const json_t *d, const json_t *w)
{
	(void)d;
	return append(step(w, "its start"), until(w, "it is given up"));
}

static char *stopping(const json_t *d, const json_t *w)
{
	bool last = !strcmp(get_str(w, "step"), "SIGKILL");

	(void)d;
	return append(step(w, "its stop"), last ? xstrdup("") : until(w, "more follows"));
}

static char *list_of(const json_t *w, const char *key, const char *before)
{
	char *names = joined(get(w, key)), *s = xasprintf("%s%s", before, names);

	free(names);
	return s;
}

static char *waiting(const json_t *d, const json_t *w)
{
	char type[WORD_MAX];
	char *s = xasprintf("its %s job waits for ",
			    dashed(has(d, "unit.job") ? get_str(d, "unit.job.type") : "start",
				   type));

	return append(s, list_of(w, "waitsFor", ""));
}

static char *delay(const json_t *d, const json_t *w)
{
	char *s = has(w, "exit") ? process(get(w, "exit")) : xstrdup("its run is over");

	(void)d;
	return append(s, until(w, "it is started again"));
}

static char *trigger(const json_t *d, const json_t *w)
{
	(void)d;
	return append(list_of(w, "triggeredBy", "it is started by "), until(w, "the next time"));
}

static char *condition(const json_t *d, const json_t *w)
{
	const json_t *c = get(w, "condition");

	(void)d;
	if (has(c, "file"))
		return xasprintf("%s=%s was not met (%s:%lld)", get_str(c, "name"),
				 get_str(c, "parameter"), get_str(c, "file"),
				 (long long)get_int(c, "line"));
	return xasprintf("%s=%s was not met", get_str(c, "name"), get_str(c, "parameter"));
}

static char *ended(const json_t *d, const json_t *w)
{
	(void)d;
	if (has(w, "text"))
		return xstrdup("it could not be run");
	return has(w, "exit") ? process(get(w, "exit")) : xstrdup("it ended");
}

static char *timed_out(const json_t *d, const json_t *w)
{
	(void)d;
	return xasprintf("%s took longer than it may",
			 has(w, "step") ? get_str(w, "step") : "its start or stop");
}

static char *start_limit(const json_t *d, const json_t *w)
{
	char *s = xstrdup("it was started too often too fast");

	(void)d;
	if (has(w, "exit"))
		s = append(append(s, xstrdup("; last, ")), process(get(w, "exit")));
	return s;
}

/* "it needs b, which needs c, which is not up" */
static char *dependency(const json_t *d, const json_t *w)
{
	char *s = xstrdup("");
	const json_t *name;
	size_t i;

	(void)d;
	json_array_foreach(get(w, "chain"), i, name)
		if (i)
			s = append(s, xasprintf("%s %s", i == 1 ? "it needs" : ", which needs",
						json_string_value(name) ?
						json_string_value(name) : "?"));
	return append(s, xstrdup(*s ? ", which is not up" : "a unit that it needs is not up"));
}

static char *bad(const json_t *d, const json_t *w)
{
	(void)w;
	return xasprintf("its files cannot be used%s%s", has(d, "loadError") ? ": " : "",
			 get_str(d, "loadError"));
}

/* The words for a code, or a function that makes them; and what to do about it, "%s" the unit. */
static const struct code {
	const char *name, *words;
	sentence_fn *sentence;
	bool matters;
	const char *next;
} codes[] = {
	{ "running", NULL, NULL, false, NULL },
	{ "starting", NULL, starting, true, NULL },
	{ "stopping", NULL, stopping, true, NULL },
	{ "waiting", NULL, waiting, true, NULL },
	{ "delay", NULL, delay, true, "knellctl restart %s does not wait, stop gives it up" },
	{ "trigger", NULL, trigger, false, NULL },
	{ "finished", "it has done what it was to do", NULL, false, NULL },
	{ "stopped", "it was asked to stop", NULL, false, NULL },
	{ "never", "nobody has asked for it", NULL, false, NULL },
	{ "condition", NULL, condition, false, NULL },
	{ "assertion", NULL, condition, true, NULL },
	{ "masked", "it is masked: nothing starts it", NULL, false, "knellctl unmask %s" },
	{ "missing", "there is no file for it", NULL, true, NULL },
	{ "bad", NULL, bad, true, "knellctl verify %s, then daemon-reload" },
	{ "process", NULL, ended, true, "it stays down until knellctl start %s" },
	{ "command", NULL, ended, true, "it stays down until knellctl start %s" },
	{ "timeout", NULL, timed_out, true, "it stays down until knellctl start %s" },
	{ "watchdog", "it did not say in time that it is alive", NULL, true,
	  "it stays down until knellctl start %s" },
	{ "start_limit", NULL, start_limit, true, "it stays down until knellctl start %s" },
	{ "dependency", NULL, dependency, true, NULL },
	{ "resources", "the system refused what it needs", NULL, true,
	  "it stays down until knellctl start %s" },
	{ "protocol", "it did not do as its Type= promises", NULL, true,
	  "it stays down until knellctl start %s" },
};

static const struct code *code_of(const json_t *d)
{
	for (size_t i = 0; i < ARRAY_SIZE(codes); i++)
		if (is_str(d, "why.code", codes[i].name))
			return &codes[i];
	return NULL;
}

bool why_matters(const json_t *d)
{
	const struct code *c = code_of(d);

	return is_str(d, "unit.active", "failed") || (c ? c->matters : has(d, "why.text"));
}

/* To be freed; "" if there is nothing to be said. */
static char *sentence(const json_t *d)
{
	const json_t *w = get(d, "why");
	const struct code *c = code_of(d);
	const char *text = get_str(w, "text");
	char *s = c && c->sentence ? c->sentence(d, w) : xstrdup(c && c->words ? c->words : "");

	if (*text)
		s = append(s, xasprintf("%s%s", *s ? ": " : "", text));
	return s;
}

/* The unit that it all began with has a story of its own. */
static void origin(const json_t *d, FILE *f)
{
	size_t nr = get_size(d, "why.chain");
	const char *root = nr > 1 ? json_string_value(json_array_get(get(d, "why.chain"), nr - 1)) :
			   NULL;
	json_t *reply = NULL;
	char *s;

	if (!root || is_str(d, "unit.name", root))
		return;
	if (!call("UnitStatus", json_pack("{s:s, s:i, s:i}", "name", root, "exits", 1, "lines", 0),
		  &reply)) {
		s = sentence(get(reply, "status"));
		if (*s)
			field(f, "Origin", RED, "%s: %s", root, s);
		free(s);
	}
	json_decref(reply);
	field(f, "Next", PLAIN, "knellctl status %s", root);
}

/* A failure outlives the file that one would start the unit by. */
static bool cannot_start(const json_t *d, FILE *f)
{
	const char *load = get_str(d, "unit.load"), *name = get_str(d, "unit.name");
	bool masked = !strcmp(load, "masked");

	if (!is_str(d, "unit.active", "failed") || (!masked && strcmp(load, "not_found") != 0))
		return false;
	field(f, "File", YELLOW, "it is %s by now: nothing starts it", masked ? "masked" : "gone");
	if (masked)
		field(f, "Next", PLAIN, "knellctl unmask %s", name);
	else
		field(f, "Next", PLAIN, "knellctl reset-failed %s forgets it", name);
	return true;
}

static void next(const json_t *d, FILE *f)
{
	const struct code *c = code_of(d);
	const char *name = get_str(d, "unit.name"), *gap;

	if (cannot_start(d, f))
		return;
	if (c && c->next && (strcmp(c->name, "delay") == 0 || !has(d, "why.until"))) {
		gap = strstr(c->next, "%s");
		field(f, "Next", PLAIN, "%.*s%s%s", (int)(gap - c->next), c->next, name, gap + 2);
	}
	if (get_bool(d, "changed"))
		field(f, "Changed", YELLOW, "its files have: the next start is by the new ones");
}

void why_lines(const json_t *d, FILE *f)
{
	size_t held = get_size(d, "holdsUp");
	char *s = sentence(d);

	if (*s)
		field(f, "Why", why_matters(d) ? RED : PLAIN, "%s", s);
	free(s);
	origin(d, f);
	if (held) {
		s = joined(get(d, "holdsUp"));
		field(f, "Impact", RED, "%zu unit%s held up: %s", held, held > 1 ? "s" : "", s);
		free(s);
	}
	next(d, f);
}

/* One unit, if there is anything to say of it. */
static bool show(const char *name, json_t *d)
{
	const char *active = get_str(d, "unit.active");
	const char *description = get_str(d, "unit.description");

	print(state_colour(active), "%s %s", state_dot(active), name);
	print(PLAIN, "%s%s: %s (%s)\n", *description ? " - " : "", description, active,
	    get_str(d, "unit.sub"));
	why_lines(d, stdout);
	return why_matters(d);
}

/* Units whose state lets one expect that there is something. */
static int suspects(struct strv *names)
{
	json_t *reply = NULL;
	const json_t *u;
	size_t i;
	int status = call_or_say("ListUnits", NULL, &reply);

	json_array_foreach(get(reply, "units"), i, u)
		if (!is_str(u, "active", "active") && (!is_str(u, "active", "inactive") ||
						       has(u, "job") || is_str(u, "load", "bad")))
			strv_add(names, xstrdup(get_str(u, "name")));
	json_decref(reply);
	return status;
}

int cmd_why(const struct verb *cmd, char **args, size_t nr)
{
	struct strv names = { 0 };
	json_t *list = json_array();
	bool wrong = false;
	int status = nr ? names_of(args, nr, &names) : suspects(&names), err;

	(void)cmd;
	for (size_t i = 0; i < names.nr; i++) {
		json_t *reply = NULL, *d;

		err = call_or_say("UnitStatus", json_pack("{s:s}", "name", names.v[i]), &reply);
		status = status ? status : err;
		d = json_object_get(reply, "status");
		if (d && opt.json)
			json_array_append(list, d);
		if (d && (nr || why_matters(d)))
			wrong |= opt.json ? why_matters(d) : show(names.v[i], d);
		json_decref(reply);
	}
	if (opt.json)
		out_json(json_pack("{s:O}", "units", list));
	else if (!wrong && !status)
		print(PLAIN, "Nothing is wrong%s.\n", nr ? " with it" : "");
	json_decref(list);
	strv_free(&names);
	return status ? status : wrong ? EX_NOT_RUNNING : EX_OK;
}
