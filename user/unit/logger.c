// SPDX-License-Identifier: GPL-2.0-only
/*
 * X-Knell-Logger=: the command is a unit of its own, "logger-NAME" of the service NAME, which is
 * supervised as any other. It reads from a FIFO that the manager holds open (StandardInput=fd:log),
 * so that neither end loses anything when the other is started anew. If the key names a unit
 * instead, that one is the logger, of as many services as like.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "private.h"

#define PREFIX "logger-"

/* See unit_load.h. */
char *unit_logger_name(const struct unit_file *f)
{
	const struct command *cmd = f->service ? f->service->more->logger : NULL;

	if (!cmd)
		return NULL;
	if (cmd->argv.nr == 1 && unit_name_kind(cmd->path) == UNIT_SERVICE)
		return xstrdup(cmd->path);
	return xasprintf(PREFIX "%s", f->name);
}

/* The service starts after it and stops before it, and does not go on without it. */
void add_logger_deps(struct file *file)
{
	char *name = unit_logger_name(&file->f), *own;

	if (!name)
		return;
	own = arena_str(&file->arena, name);
	file_add_dep(file, DEP_UPHOLDS, own, file->f.service->more->logger->where, false);
	file_add_dep(file, DEP_AFTER, own, file->f.service->more->logger->where, false);
	free(name);
}

/* A word as a unit file has it. */
static void put_word(FILE *f, const char *s)
{
	fputs(" \"", f);
	for (; *s; s++) {
		if ((unsigned char)*s < ' ')
			fprintf(f, "\\x%02x", *s);
		else if (strchr("\"\\", *s))
			fprintf(f, "\\%c", *s);
		else if (*s == '%')
			fputs("%%", f);
		else
			fputc(*s, f);
	}
	fputc('"', f);
}

static void put_command(FILE *f, const struct command *cmd)
{
	bool other_name = strcmp(cmd->path, cmd->argv.v[0]);

	fprintf(f, "ExecStart=%s%s%s%s%s%s",
		cmd->flags & CMD_PRIVILEGED ? "+" : "", cmd->flags & CMD_NO_SETUID ? "!" : "",
		cmd->flags & CMD_NO_EXPAND ? ":" : "", cmd->flags & CMD_SHELL ? "|" : "",
		other_name ? "@" : "", cmd->path);
	for (size_t i = other_name ? 0 : 1; i < cmd->argv.nr; i++)
		put_word(f, cmd->argv.v[i]);
	fputc('\n', f);
}

/*
 * It runs as the service does, in the same directory for logs. When the service is down for good
 * it reads the end of the FIFO and ends by itself: a stop does no more than wait for that.
 */
static void put_unit(FILE *f, const struct unit_file *of)
{
	const struct exec_context *c = of->service->exec;

	fprintf(f, "[Unit]\nDescription=Logger of %s\nDefaultDependencies=no\n"
		"StartLimitIntervalSec=0\n[Service]\nStandardInput=fd:log\n"
		"Restart=on-failure\nRestartSec=1s\nKillSignal=SIGCONT\nTimeoutStopSec=10s\n",
		of->name);
	put_command(f, of->service->more->logger);
	if (c->user.name)
		fprintf(f, "User=%s\n", c->user.name);
	if (c->group.name)
		fprintf(f, "Group=%s\n", c->group.name);
	for (size_t i = 0; c->dirs[DIR_LOGS] && i < c->dirs[DIR_LOGS]->names.nr; i++)
		fprintf(f, "LogsDirectory=%s\n", c->dirs[DIR_LOGS]->names.v[i]);
}

/* @name has no file: is it the logger of a service that has one? */
enum load load_logger(struct unit_dirs *d, const char *name, struct unit_file **f)
{
	unit_say_fn *listener = d->opt.say;
	enum load ret = LOAD_NOT_FOUND;
	struct unit_file *of;
	size_t len;
	char *text;
	FILE *out;

	if (strncmp(name, PREFIX, strlen(PREFIX)))
		return LOAD_NOT_FOUND;
	/* What is wrong with it is said when it is loaded for itself. */
	d->opt.say = NULL;
	if (unit_load(d, name + strlen(PREFIX), &of) == LOAD_OK && of->service &&
	    of->service->more->logger && (out = open_memstream(&text, &len))) {
		put_unit(out, of);
		fclose(out);
		ret = unit_parse(d, name, of->sources[0], text, len, f);
		free(text);
	}
	unit_file_free(of);
	d->opt.say = listener;
	return ret;
}
