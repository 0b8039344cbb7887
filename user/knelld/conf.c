// SPDX-License-Identifier: GPL-2.0-only
/*
 * One unit file becomes one struct conf. As systemd does, what is unknown or wrong is
 * told of with file, line and key and then ignored; only what would make a command run
 * otherwise than meant (a bad Exec line, User=, WorkingDirectory=) fails the unit.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "knelld.h"

const char *const exec_names[EXEC_KINDS] = {
	[EXEC_START_PRE] = "ExecStartPre",
	[EXEC_START] = "ExecStart",
	[EXEC_START_POST] = "ExecStartPost",
	[EXEC_STOP] = "ExecStop",
	[EXEC_STOP_POST] = "ExecStopPost",
};

enum verdict_of_value { VALUE_OK, VALUE_IGNORED, VALUE_FATAL };

struct parser {
	const char *unit;
	unsigned int line;
	struct conf *conf;
	bool fatal;
};

struct key {
	const char *section, *name;
	enum verdict_of_value (*parse)(struct parser *p, const struct key *key, char *value);
	size_t arg;		/* a field's offset, or a kind */
	const char *expected;
};

#define FIELD(p, key, type)	((type *)((char *)(p)->conf + (key)->arg))

static enum verdict_of_value parse_nothing(struct parser *p, const struct key *key, char *value)
{
	(void)p, (void)key, (void)value;
	return VALUE_OK;
}

static enum verdict_of_value parse_text(struct parser *p, const struct key *key, char *value)
{
	char **field = FIELD(p, key, char *), *text = specifiers(value, p->unit);

	if (!text)
		return VALUE_IGNORED;
	free(*field);
	*field = text;
	return VALUE_OK;
}

static enum verdict_of_value parse_time(struct parser *p, const struct key *key, char *value)
{
	return parse_span(value, FIELD(p, key, uint64_t)) ? VALUE_IGNORED : VALUE_OK;
}

/* Timeouts, where 0 has always meant none. */
static enum verdict_of_value parse_timeout(struct parser *p, const struct key *key, char *value)
{
	uint64_t ns;

	if (parse_span(value, &ns))
		return VALUE_IGNORED;
	if (!ns)
		ns = FOREVER;
	if (key->arg != offsetof(struct conf, stop_ns)) {
		p->conf->start_ns = ns;
		p->conf->start_set = true;
	}
	if (key->arg != offsetof(struct conf, start_ns))
		p->conf->stop_ns = ns;
	return VALUE_OK;
}

static enum verdict_of_value parse_number(struct parser *p, const struct key *key, char *value)
{
	unsigned long n;
	char *end;

	errno = 0;
	n = strtoul(value, &end, 10);
	if (errno || end == value || *end || *value == '-' || n > UINT_MAX)
		return VALUE_IGNORED;
	*FIELD(p, key, unsigned int) = n;
	return VALUE_OK;
}

static enum verdict_of_value parse_yes_no(struct parser *p, const struct key *key, char *value)
{
	return parse_bool(value, FIELD(p, key, bool)) ? VALUE_IGNORED : VALUE_OK;
}

static enum verdict_of_value parse_type(struct parser *p, const struct key *key, char *value)
{
	static const char *const unsupported[] = { "notify", "notify-reload", "dbus" };

	(void)key;
	if (!strcmp(value, "oneshot")) {
		p->conf->type = TYPE_ONESHOT;
		return VALUE_OK;
	}
	if (!strcmp(value, "forking")) {
		p->conf->type = TYPE_FORKING;
		return VALUE_OK;
	}
	/* Every simple service is an exec one here: up means that its program runs. */
	if (!strcmp(value, "simple") || !strcmp(value, "exec") || !strcmp(value, "idle")) {
		p->conf->type = TYPE_SIMPLE;
		return VALUE_OK;
	}
	for (size_t i = 0; i < ARRAY_SIZE(unsupported); i++)
		if (!strcmp(value, unsupported[i]))
			return VALUE_FATAL;
	return VALUE_IGNORED;
}

/* The index of @value among @names, -1 if it is none of them. */
static int choice(const char *const *names, size_t nr, const char *value)
{
	for (size_t i = 0; i < nr; i++)
		if (!strcmp(value, names[i]))
			return i;
	return -1;
}

static enum verdict_of_value parse_restart(struct parser *p, const struct key *key, char *value)
{
	static const char *const names[] = {
		[RESTART_NO] = "no",
		[RESTART_ALWAYS] = "always",
		[RESTART_ON_SUCCESS] = "on-success",
		[RESTART_ON_FAILURE] = "on-failure",
		[RESTART_ON_ABNORMAL] = "on-abnormal",
		[RESTART_ON_ABORT] = "on-abort",
	};
	int n = choice(names, ARRAY_SIZE(names), value);

	(void)key;
	if (n < 0)
		return VALUE_IGNORED;
	p->conf->restart = n;
	return VALUE_OK;
}

static enum verdict_of_value parse_kill_mode(struct parser *p, const struct key *key, char *value)
{
	static const char *const names[] = {
		[KILL_CONTROL_GROUP] = "control-group",
		[KILL_MIXED] = "mixed",
		[KILL_PROCESS] = "process",
		[KILL_NONE] = "none",
	};
	int n = choice(names, ARRAY_SIZE(names), value);

	(void)key;
	if (n < 0)
		return VALUE_IGNORED;
	p->conf->kill_mode = n;
	return VALUE_OK;
}

static enum verdict_of_value parse_kill_signal(struct parser *p, const struct key *key, char *value)
{
	return parse_signal(value, FIELD(p, key, int)) ? VALUE_IGNORED : VALUE_OK;
}

/* A signal's name or an exit status. */
static int add_end(struct ends *ends, const char *word)
{
	unsigned long status;
	char *end;
	int sig;

	status = strtoul(word, &end, 10);
	if (end != word && !*end && *word != '-' && status <= 255) {
		ends->codes[status / 64] |= 1ULL << status % 64;
		return 0;
	}
	if (end != word || parse_signal(word, &sig))
		return -1;
	ends->signals |= 1ULL << (sig - 1);
	return 0;
}

static enum verdict_of_value parse_ends(struct parser *p, const struct key *key, char *value)
{
	struct ends *ends = FIELD(p, key, struct ends);
	enum verdict_of_value verdict = VALUE_OK;
	const char *s = value;
	char *word;
	int ret;

	if (!*value)
		*ends = (struct ends){ 0 };
	while ((ret = word_next(&s, &word)) > 0) {
		if (add_end(ends, word))
			verdict = VALUE_IGNORED;
		free(word);
	}
	free(word);
	return ret < 0 ? VALUE_IGNORED : verdict;
}

static void add_dep(struct conf *c, enum dep_kind kind, char *name, unsigned int line)
{
	c->deps = xgrow(c->deps, c->nr_deps, sizeof(*c->deps));
	c->deps[c->nr_deps++] = (struct dep){ .name = name, .kind = kind, .line = line };
}

static enum verdict_of_value parse_deps(struct parser *p, const struct key *key, char *value)
{
	enum verdict_of_value verdict = VALUE_OK;
	const char *s = value;
	char *word, *name;
	int ret;

	while ((ret = word_next(&s, &word)) > 0) {
		name = specifiers(word, p->unit);
		free(word);
		if (name && unit_name_ok(name)) {
			add_dep(p->conf, key->arg, name, p->line);
			continue;
		}
		free(name);
		verdict = VALUE_IGNORED;
	}
	free(word);
	return ret < 0 ? VALUE_IGNORED : verdict;
}

static enum verdict_of_value parse_path(struct parser *p, const struct key *key, char *value)
{
	struct path *path = FIELD(p, key, struct path);
	bool optional = *value == '-';
	char *name = NULL;

	if (*value) {
		name = specifiers(value + optional, p->unit);
		if (!name || (*name != '/' && strcmp(name, "~"))) {
			free(name);
			return VALUE_FATAL;
		}
	}
	free(path->name);
	*path = (struct path){ .name = name, .optional = optional, .line = p->line };
	return VALUE_OK;
}

/* A relative name is one in /run. */
static enum verdict_of_value parse_pid_file(struct parser *p, const struct key *key, char *value)
{
	struct path *path = FIELD(p, key, struct path);
	char *name = *value ? specifiers(value, p->unit) : NULL, *absolute;

	if (*value && (!name || !*name)) {
		free(name);
		return VALUE_IGNORED;
	}
	if (name && *name != '/') {
		absolute = xasprintf("/run/%s", name);
		free(name);
		name = absolute;
	}
	free(path->name);
	*path = (struct path){ .name = name, .line = p->line };
	return VALUE_OK;
}

/* A user or group: looked up when it is needed, as it may be made by another unit. */
static enum verdict_of_value parse_account(struct parser *p, const struct key *key, char *value)
{
	struct path *account = FIELD(p, key, struct path);
	char *name = *value ? specifiers(value, p->unit) : NULL;

	if (*value && (!name || name[strcspn(name, BLANKS ":/")])) {
		free(name);
		return VALUE_FATAL;
	}
	free(account->name);
	*account = (struct path){ .name = name, .line = p->line };
	return VALUE_OK;
}

static enum verdict_of_value parse_env(struct parser *p, const struct key *key, char *value)
{
	enum verdict_of_value verdict = VALUE_OK;
	const char *s = value;
	char *word, *text;
	int ret;

	(void)key;
	if (!*value)
		strv_free(&p->conf->env);
	while ((ret = word_next(&s, &word)) > 0) {
		text = specifiers(word, p->unit);
		free(word);
		if (text && strchr(text, '=') && env_name_ok(text, strcspn(text, "="))) {
			strv_add(&p->conf->env, text);
			continue;
		}
		free(text);
		verdict = VALUE_IGNORED;
	}
	free(word);
	return ret < 0 ? VALUE_IGNORED : verdict;
}

static void free_env_files(struct conf *c)
{
	for (size_t i = 0; i < c->nr_env_files; i++)
		free(c->env_files[i].name);
	free(c->env_files);
	c->env_files = NULL;
	c->nr_env_files = 0;
}

static enum verdict_of_value parse_env_file(struct parser *p, const struct key *key, char *value)
{
	struct conf *c = p->conf;
	bool optional = *value == '-';
	char *name;

	(void)key;
	if (!*value) {
		free_env_files(c);
		return VALUE_OK;
	}
	name = specifiers(value + optional, p->unit);
	if (!name || *name != '/') {
		free(name);
		return VALUE_IGNORED;
	}
	c->env_files = xgrow(c->env_files, c->nr_env_files, sizeof(*c->env_files));
	c->env_files[c->nr_env_files++] =
		(struct path){ .name = name, .optional = optional, .line = p->line };
	return VALUE_OK;
}

static void free_commands(struct commands *list)
{
	for (size_t i = 0; i < list->nr; i++) {
		free(list->v[i].path);
		strv_free(&list->v[i].argv);
	}
	free(list->v);
	*list = (struct commands){ 0 };
}

/* The prefixes of the first word; returns what is left of it. */
static const char *take_prefixes(const char *word, unsigned int *flags, bool *argv0)
{
	*flags = 0;
	*argv0 = false;
	for (;; word++) {
		if (*word == '-')
			*flags |= CMD_IGNORE_FAILURE;
		else if (*word == '+' || *word == '!')
			*flags |= CMD_PRIVILEGED;
		else if (*word == ':')
			*flags |= CMD_NO_EXPAND;
		else if (*word == '@')
			*argv0 = true;
		else
			return word;
	}
}

/* "\;" is a semicolon, ";" alone ends the command. */
static bool take_semicolon(const char **s, bool *escaped)
{
	const char *p = *s + strspn(*s, BLANKS);

	*escaped = *p == '\\';
	p += *escaped;
	if (*p != ';' || (p[1] && !strchr(BLANKS, p[1])))
		return false;
	*s = p + 1;
	return true;
}

/* The arguments up to the end or a lone ";"; -1 if one is malformed. */
static int take_args(struct parser *p, const char **s, struct strv *argv)
{
	char *word, *arg;
	bool escaped;
	int ret;

	for (;;) {
		if (take_semicolon(s, &escaped)) {
			if (!escaped)
				return 0;
			strv_add(argv, xstrdup(";"));
			continue;
		}
		ret = word_next(s, &word);
		if (!ret)
			return 0;
		arg = ret > 0 ? specifiers(word, p->unit) : NULL;
		free(word);
		if (!arg)
			return -1;
		strv_add(argv, arg);
	}
}

static int take_command(struct parser *p, const char **s, struct command *cmd)
{
	const char *program;
	char *word;
	bool argv0;

	*cmd = (struct command){ .line = p->line };
	if (word_next(s, &word) <= 0)
		goto bad;
	program = take_prefixes(word, &cmd->flags, &argv0);
	cmd->path = specifiers(program, p->unit);
	/* A program is a path, or a name to be looked up in a fixed search path. */
	if (!cmd->path || !*cmd->path || cmd->path[strlen(cmd->path) - 1] == '/' ||
	    (*cmd->path != '/' && strchr(cmd->path, '/')))
		goto bad;
	if (!argv0)
		strv_add(&cmd->argv, xstrdup(cmd->path));
	if (take_args(p, s, &cmd->argv) || !cmd->argv.nr)
		goto bad;
	free(word);
	return 0;
bad:
	free(word);
	free(cmd->path);
	strv_free(&cmd->argv);
	return -1;
}

static enum verdict_of_value parse_exec(struct parser *p, const struct key *key, char *value)
{
	struct commands *list = &p->conf->exec[key->arg];
	const char *s = value;
	struct command cmd;

	if (!*value)
		free_commands(list);
	while (*s) {
		if (take_command(p, &s, &cmd))
			return VALUE_FATAL;
		list->v = xgrow(list->v, list->nr, sizeof(*list->v));
		list->v[list->nr++] = cmd;
		s += strspn(s, BLANKS);
	}
	return VALUE_OK;
}

#define OFFSET(field)	offsetof(struct conf, field)

static const char a_span[] = "a time span (as 5s, 1min 30s, infinity)";
static const char a_command[] =
	"an absolute path or a program's name, with its arguments, every quote closed";
static const char unit_names[] = "names of units";
static const char a_signal[] = "a signal's name or number";
static const char some_ends[] = "exit statuses (0 to 255) and names of signals";

static const struct key keys[] = {
	{ "Unit", "Description", parse_text, OFFSET(description), "text" },
	{ "Unit", "Documentation", parse_nothing, 0, NULL },
	{ "Unit", "After", parse_deps, DEP_AFTER, unit_names },
	{ "Unit", "Before", parse_deps, DEP_BEFORE, unit_names },
	{ "Unit", "Requires", parse_deps, DEP_REQUIRES, unit_names },
	{ "Unit", "Wants", parse_deps, DEP_WANTS, unit_names },
	{ "Unit", "StartLimitBurst", parse_number, OFFSET(limit_burst), "a number" },
	{ "Unit", "StartLimitIntervalSec", parse_time, OFFSET(limit_ns), a_span },
	{ "Unit", "StartLimitInterval", parse_time, OFFSET(limit_ns), a_span },
	{ "Service", "StartLimitBurst", parse_number, OFFSET(limit_burst), "a number" },
	{ "Service", "StartLimitIntervalSec", parse_time, OFFSET(limit_ns), a_span },
	{ "Service", "StartLimitInterval", parse_time, OFFSET(limit_ns), a_span },
	{ "Service", "Type", parse_type, 0, "simple, oneshot or forking" },
	{ "Service", "Restart", parse_restart, 0,
	  "no, always, on-success, on-failure, on-abnormal or on-abort" },
	{ "Service", "RestartSec", parse_time, OFFSET(restart_ns), a_span },
	{ "Service", "RemainAfterExit", parse_yes_no, OFFSET(remain), "yes or no" },
	{ "Service", "TimeoutStartSec", parse_timeout, OFFSET(start_ns), a_span },
	{ "Service", "TimeoutStopSec", parse_timeout, OFFSET(stop_ns), a_span },
	{ "Service", "TimeoutSec", parse_timeout, 0, a_span },
	{ "Service", "ExecStartPre", parse_exec, EXEC_START_PRE, a_command },
	{ "Service", "ExecStart", parse_exec, EXEC_START, a_command },
	{ "Service", "ExecStartPost", parse_exec, EXEC_START_POST, a_command },
	{ "Service", "ExecStop", parse_exec, EXEC_STOP, a_command },
	{ "Service", "ExecStopPost", parse_exec, EXEC_STOP_POST, a_command },
	{ "Service", "PIDFile", parse_pid_file, OFFSET(pid_file), "a path" },
	{ "Service", "KillMode", parse_kill_mode, 0, "control-group, mixed, process or none" },
	{ "Service", "KillSignal", parse_kill_signal, OFFSET(kill_signal), a_signal },
	{ "Service", "FinalKillSignal", parse_kill_signal, OFFSET(final_signal), a_signal },
	{ "Service", "SendSIGKILL", parse_yes_no, OFFSET(send_sigkill), "yes or no" },
	{ "Service", "SendSIGHUP", parse_yes_no, OFFSET(send_sighup), "yes or no" },
	{ "Service", "SuccessExitStatus", parse_ends, OFFSET(success), some_ends },
	{ "Service", "RestartPreventExitStatus", parse_ends, OFFSET(no_restart), some_ends },
	{ "Service", "Environment", parse_env, 0, "NAME=value, every quote closed" },
	{ "Service", "EnvironmentFile", parse_env_file, 0, "an absolute path" },
	{ "Service", "WorkingDirectory", parse_path, OFFSET(cwd), "an absolute path, or ~" },
	{ "Service", "User", parse_account, OFFSET(user), "a user's name or number" },
	{ "Service", "Group", parse_account, OFFSET(group), "a group's name or number" },
};

static const struct key *find_key(const char *section, const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (!strcmp(keys[i].section, section) && !strcmp(keys[i].name, name))
			return &keys[i];
	return NULL;
}

static void assign(struct parser *p, const char *section, char *line)
{
	char *equals = strchr(line, '='), *name, *value;
	const struct key *key;
	enum verdict_of_value verdict;

	if (!equals) {
		log_line("%s:%u: no \"=\" in \"%.60s\", ignored", p->unit, p->line, line);
		return;
	}
	*equals = '\0';
	name = strip(line);
	value = strip(equals + 1);
	/* What systemd's enable reads, and what is marked as somebody else's. */
	if (!strcmp(section, "Install") || !strncmp(name, "X-", 2))
		return;
	key = find_key(section, name);
	if (!key) {
		log_line("%s:%u: %s=: not a key that knelld knows in [%s], ignored", p->unit,
			 p->line, name, section);
		return;
	}
	verdict = key->parse(p, key, value);
	if (verdict == VALUE_OK)
		return;
	log_line("%s:%u: %s=%.200s: expected %s; %s", p->unit, p->line, name, value,
		 key->expected, verdict == VALUE_FATAL ? "the unit fails" : "ignored");
	if (verdict == VALUE_FATAL)
		p->fatal = true;
}

/* The name between the brackets if its assignments are looked at, else "". */
static const char *enter_section(struct parser *p, char *line)
{
	size_t len = strlen(line);

	if (line[len - 1] != ']') {
		log_line("%s:%u: %.60s: expected [Section]; the unit fails", p->unit, p->line,
			 line);
		p->fatal = true;
		return "";
	}
	line[len - 1] = '\0';
	line++;
	if (!strcmp(line, "Unit") || !strcmp(line, "Service") || !strcmp(line, "Install"))
		return line;
	if (strncmp(line, "X-", 2))
		log_line("%s:%u: [%.60s]: not a section that knelld knows, ignored", p->unit,
			 p->line, line);
	return "";
}

static void parse_lines(struct parser *p, char *text)
{
	struct lines lines = { .pos = text };
	const char *section = NULL;
	char *line;

	while ((line = lines_next(&lines, &p->line))) {
		if (*line == '[')
			section = enter_section(p, line);
		else if (!section)
			log_line("%s:%u: assignment outside of a section, ignored", p->unit,
				 p->line);
		else if (*section)
			assign(p, section, line);
	}
}

/* What only the whole file shows. */
static bool consistent(const struct parser *p)
{
	const struct conf *c = p->conf;
	const struct commands *start = &c->exec[EXEC_START];

	if (!start->nr)
		log_line("%s: ExecStart= is missing in [Service]; the unit fails", p->unit);
	else if (c->type != TYPE_ONESHOT && start->nr > 1)
		log_line("%s:%u: ExecStart=: more than one command, expected Type=oneshot; "
			 "the unit fails", p->unit, start->v[1].line);
	else if (c->type == TYPE_ONESHOT &&
		 (c->restart == RESTART_ALWAYS || c->restart == RESTART_ON_SUCCESS))
		log_line("%s: Restart=%s does not go with Type=oneshot; the unit fails", p->unit,
			 c->restart == RESTART_ALWAYS ? "always" : "on-success");
	else
		return true;
	return false;
}

void conf_free(struct conf *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->nr_deps; i++)
		free(c->deps[i].name);
	free(c->deps);
	for (size_t i = 0; i < EXEC_KINDS; i++)
		free_commands(&c->exec[i]);
	strv_free(&c->env);
	free_env_files(c);
	free(c->description);
	free(c->cwd.name);
	free(c->user.name);
	free(c->group.name);
	free(c->pid_file.name);
	free(c);
}

/* FNV-1a */
uint64_t text_hash(const char *text, size_t len)
{
	uint64_t h = 0xcbf29ce484222325ULL;

	for (size_t i = 0; i < len; i++)
		h = (h ^ (unsigned char)text[i]) * 0x100000001b3ULL;
	return h;
}

/* What holds where no file says anything. */
struct conf *conf_new(void)
{
	struct conf *c = xcalloc(1, sizeof(*c));

	c->restart_ns = 100 * NSEC_PER_MSEC;
	c->start_ns = c->stop_ns = 90 * NSEC_PER_SEC;
	c->limit_ns = 10 * NSEC_PER_SEC;
	c->limit_burst = 5;
	c->kill_mode = KILL_CONTROL_GROUP;
	c->kill_signal = SIGTERM;
	c->final_signal = SIGKILL;
	c->send_sigkill = true;
	return c;
}

/**
 * conf_parse - read a unit file's text
 * @name: of the unit, for messages and specifiers
 * @text: @len bytes and a NUL; overwritten
 * @conf: out, if LOAD_OK
 *
 * Logs whatever it does not take. LOAD_BAD if the unit cannot run.
 */
enum load conf_parse(const char *name, char *text, size_t len, struct conf **conf)
{
	struct parser p = { .unit = name, .conf = conf_new() };
	const char *nul = memchr(text, '\0', len);

	p.conf->hash = text_hash(text, len);
	if (nul) {
		for (const char *s = text; (s = strchr(s, '\n')); s++)
			p.line++;
		log_line("%s:%u: a NUL byte: not a text file; the unit fails", name, p.line + 1);
		p.fatal = true;
	} else {
		if (!strncmp(text, "\xef\xbb\xbf", 3))
			text += 3;
		parse_lines(&p, text);
	}
	if (p.fatal || !consistent(&p)) {
		conf_free(p.conf);
		return LOAD_BAD;
	}
	if (p.conf->type == TYPE_ONESHOT && !p.conf->start_set)
		p.conf->start_ns = FOREVER;
	*conf = p.conf;
	return LOAD_OK;
}

static char *read_all(int fd, size_t *len)
{
	size_t room = 4096;
	char *text = xcalloc(room, 1);
	ssize_t n;

	*len = 0;
	while ((n = read(fd, text + *len, room - 1 - *len)) > 0) {
		*len += n;
		if (*len > FILE_MAX)
			break;
		if (*len == room - 1) {
			text = xgrow(text, room, 1);
			room *= 2;
		}
	}
	if (n) {
		errno = n < 0 ? errno : EFBIG;
		free(text);
		return NULL;
	}
	text[*len] = '\0';
	return text;
}

/* The contents of a regular file and a NUL; NULL and errno (EINVAL if it is no file). */
char *file_text(int dirfd, const char *name, size_t *len)
{
	/* Opening a FIFO or a device must not stop the supervisor. */
	int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY), err;
	struct stat st;
	char *text = NULL;

	if (fd < 0)
		return NULL;
	if (fstat(fd, &st) < 0)
		goto out;
	if (S_ISREG(st.st_mode))
		text = read_all(fd, len);
	else
		errno = S_ISDIR(st.st_mode) ? EISDIR : EINVAL;
out:
	err = errno;
	close(fd);
	errno = err;
	return text;
}

/* A unit that is empty or a link to /dev/null is switched off. */
static bool masked(int dirfd, const char *name)
{
	struct stat st, null;

	if (fstatat(dirfd, name, &st, 0) < 0)
		return false;
	if (S_ISREG(st.st_mode))
		return !st.st_size;
	return S_ISCHR(st.st_mode) && !stat("/dev/null", &null) && st.st_rdev == null.st_rdev;
}

/* As conf_parse(), from the file @name in @dirfd. */
enum load conf_load(int dirfd, const char *name, struct conf **conf)
{
	enum load ret;
	size_t len;
	char *text;

	if (masked(dirfd, name))
		return LOAD_MASKED;
	text = file_text(dirfd, name, &len);
	if (!text) {
		log_line("%s: cannot read the unit file: %s; the unit fails", name,
			 errno == EINVAL ? "not a regular file" :
			 errno == EFBIG ? "larger than 1 MiB" : strerror(errno));
		return LOAD_BAD;
	}
	ret = conf_parse(name, text, len, conf);
	free(text);
	return ret;
}
