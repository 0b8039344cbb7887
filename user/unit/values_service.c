// SPDX-License-Identifier: GPL-2.0-only
/* Values of [Service], and of how it is killed. */
#include <ctype.h>
#include <string.h>

#include "private.h"

VALUE(value_service_type, take_choice, .names = type_names);
VALUE(value_restart, take_choice, .names = restart_names);
VALUE(value_kill_mode, take_choice, .names = kill_mode_names);

static const char *const notify_names[] = { "none", "main", "exec", "all", NULL };
VALUE(value_notify_access, take_choice, .names = notify_names);

static const char *const timeout_mode_names[] = { "terminate", "abort", "kill", NULL };
VALUE(value_timeout_mode, take_choice, .names = timeout_mode_names);

static const char *const exit_type_names[] = { "main", "cgroup", NULL };
VALUE(value_exit_type, take_choice, .names = exit_type_names);

static const char *const restart_mode_names[] = { "normal", "direct", NULL };
VALUE(value_restart_mode, take_choice, .names = restart_mode_names);

static const char *const preserve_names[] = { "no", "yes", "restart", NULL };

/* A yes or no that was given a third answer later. */
static enum verdict take_preserve(struct parser *p, const struct key *key, char *value)
{
	bool yes;

	if (parse_bool(value, &yes))
		return take_choice(p, key, value);
	*FIELD(p, key, uint8_t) = yes ? PRESERVE_YES : PRESERVE_NO;
	return VALUE_OK;
}
VALUE(value_preserve, take_preserve, .names = preserve_names);

static enum verdict take_signal(struct parser *p, const struct key *key, char *value)
{
	int sig;

	if (parse_signal(value, &sig))
		return VALUE_IGNORED;
	*FIELD(p, key, uint8_t) = sig;
	return VALUE_OK;
}
VALUE(value_signal, take_signal, .expected = "a signal's name or number");

/* key->arg: 1 that of the start, 2 of the stop, 3 of both; 0 has always meant none */
static enum verdict take_service_timeout(struct parser *p, const struct key *key, char *value)
{
	struct service *s = p->file->service;
	uint64_t ns;

	if (parse_time(value, &ns))
		return VALUE_IGNORED;
	if (!ns)
		ns = FOREVER;
	if (key->arg & 1) {
		s->start_ns = ns;
		s->start_set = true;
	}
	if (key->arg & 2)
		s->stop_ns = ns;
	return VALUE_OK;
}
VALUE(value_service_timeout, take_service_timeout,
	.expected = "a time span (as 5s, 1min 30s, infinity)");

static enum verdict take_abort_timeout(struct parser *p, const struct key *key, char *value)
{
	enum verdict verdict = *value ? take_timeout(p, key, value) : VALUE_OK;

	if (verdict == VALUE_OK)
		p->file->abort_set = *value;
	return verdict;
}
VALUE(value_abort_timeout, take_abort_timeout,
	.expected = "a time span (as 5s, 1min 30s, infinity)");

static enum verdict add_end(struct parser *p, const struct key *key, char *word)
{
	struct ends **field = FIELD(p, key, struct ends *), *ends;
	int status = exit_status(word), sig;

	if (!*field)
		*field = arena_alloc(&p->file->arena, sizeof(**field));
	ends = *field;
	if (status >= 0)
		ends->codes[status / 64] |= 1ULL << status % 64;
	else if (!parse_signal(word, &sig))
		ends->signals |= 1ULL << (sig - 1);
	else
		return VALUE_IGNORED;
	return VALUE_OK;
}

static enum verdict take_ends(struct parser *p, const struct key *key, char *value)
{
	if (!*value)
		*FIELD(p, key, struct ends *) = NULL;
	return each_word(p, key, value, ESCAPES_STRICT, add_end);
}
VALUE(value_ends, take_ends,
	.expected = "exit statuses (0 to 255, or as TEMPFAIL) and names of signals");

/* /var/run has been /run for long, and may not be there yet. */
void skip_var(char **path)
{
	if (*path && !strncmp(*path, "/var/run/", 9))
		*path += 4;
}

/* A relative name is one in /run. */
static enum verdict take_pid_file(struct parser *p, const struct key *key, char *value)
{
	struct path *path = FIELD(p, key, struct path);
	const char *run = machine_text(p->dirs, 't');
	char *name = NULL, *absolute;

	if (*value) {
		name = expand_path(p, value, false);
		if (!name)
			return VALUE_IGNORED;
	}
	skip_var(&name);
	if (name && *name != '/') {
		absolute = arena_room(&p->file->arena, strlen(run) + 1 + strlen(name));
		stpcpy(stpcpy(stpcpy(absolute, run), "/"), name);
		name = absolute;
	}
	*path = (struct path){ .name = name, .where = p->where };
	return VALUE_OK;
}
VALUE(value_pid_file, take_pid_file, .expected = "a path without \"..\"");

/* At least two parts of letters, digits, "_" and "-", the first of each no digit. */
static bool bus_name_ok(const char *s)
{
	size_t len, parts = 0;

	if (strlen(s) > 255)
		return false;
	for (;; s += len + 1, parts++) {
		len = strcspn(s, ".");
		if (!len || isdigit((unsigned char)*s))
			return false;
		for (size_t i = 0; i < len; i++)
			if (!isalnum((unsigned char)s[i]) && s[i] != '_' && s[i] != '-')
				return false;
		if (!s[len])
			return parts > 0;
	}
}

static enum verdict take_bus_name(struct parser *p, const struct key *key, char *value)
{
	char *name = *value ? expand(p, value) : NULL;

	if (*value && (!name || !bus_name_ok(name)))
		return VALUE_IGNORED;
	*FIELD(p, key, const char *) = name;
	return VALUE_OK;
}
VALUE(value_bus_name, take_bus_name, .expected = "a bus name (as org.example.Name)");

static enum verdict take_notify_fd(struct parser *p, const struct key *key, char *value)
{
	int64_t n = -1;

	if (*value && parse_integer(value, 3, 1023, &n))
		return VALUE_IGNORED;
	*FIELD(p, key, int32_t) = n;
	return VALUE_OK;
}
VALUE(value_notify_fd, take_notify_fd, .expected = "the number of a descriptor, 3 to 1023");
