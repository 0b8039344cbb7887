// SPDX-License-Identifier: GPL-2.0-only
/* What is done on unit files, whether knelld runs or not. If it does, it says where they are. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "knellctl.h"
#include "unit_install.h"

struct found {
	json_t *list;			/* --json: all that was said, or changed */
	bool quiet;
	bool refused;			/* for want of permission */
};

static void on_say(void *arg, enum severity severity, const char *file, unsigned int line,
		   const char *text)
{
	static const char *const names[] = { "notice", "warning", "error" };
	static const enum colour colours[] = { DIM, YELLOW, RED };
	struct found *f = arg;

	if (f->list)
		json_array_append_new(f->list, json_pack("{s:s, s:s*, s:i, s:s}", "severity",
			names[severity], "file", file, "line", (int)line, "text", text));
	else if (!f->quiet && line)
		print_to(stderr, colours[severity], "%s:%u: %s: %s\n", file, line, names[severity],
		       text);
	else if (!f->quiet)
		print_to(stderr, colours[severity], "%s%s%s: %s\n", file ? file : "",
		       file ? ": " : "", names[severity], text);
}

/* Where unit files are: as we were told, as knelld was, or as it would be by default. */
static void directories(struct strv *dirs)
{
	json_t *reply = NULL;
	const json_t *path;
	size_t i;

	for (i = 0; i < opt.dirs.nr; i++)
		strv_add(dirs, xstrdup(opt.dirs.v[i]));
	if (!dirs->nr && !opt.root && !opt.compat && call_possible() &&
	    !call("ManagerStatus", NULL, &reply))
		json_array_foreach(get(reply, "unitPath"), i, path)
			if (json_is_string(path))
				strv_add(dirs, xstrdup(json_string_value(path)));
	if (!dirs->nr)
		unit_default_dirs(dirs, opt.user, opt.compat);
	json_decref(reply);
}

static struct unit_options options_of(struct found *f)
{
	struct unit_options o = { .root = opt.root, .user = opt.user, .compat = opt.compat,
				  .say = on_say, .arg = f };

	directories(&o.dirs);
	return o;
}

static int no_directories(const struct unit_options *o)
{
	complain("cannot read the unit directories: %s", o->dirs.nr ? o->dirs.v[0] : "none");
	return EX_FAILED;
}

static int names_or_files(char **args, size_t nr, struct strv *names)
{
	for (size_t i = 0; i < nr; i++) {
		char *name = strchr(args[i], '/') ? xstrdup(args[i]) : unit_name_mangle(args[i]);

		if (!name) {
			complain("%s: not a name of a unit", args[i]);
			return EX_NO_UNIT;
		}
		strv_add(names, name);
	}
	return EX_OK;
}

static void on_change(void *arg, const struct install_change *c)
{
	struct found *f = arg;

	if (c->error == EACCES || c->error == EPERM || c->error == EROFS)
		f->refused = true;
	if (f->list)
		json_array_append_new(f->list, json_pack("{s:s, s:s*, s:i}", "link", c->link,
							 "target", c->target, "errno", c->error));
	else if (c->error)
		complain("%s: %s", c->link, strerror(c->error));
	else if (!f->quiet && c->target)
		print(PLAIN, "%s -> %s\n", c->link, c->target);
	else if (!f->quiet)
		print(PLAIN, "%s removed\n", c->link);
}

static const struct {
	const char *name;
	int (*run)(struct install_run *run, const struct strv *names);
	bool needs_install;		/* says so if there was no [Install] */
} verbs[] = {
	{ "enable", unit_enable, true },
	{ "disable", unit_disable, false },
	{ "reenable", unit_reenable, true },
	{ "mask", unit_mask, false },
	{ "unmask", unit_unmask, false },
};

static int change(const struct verb *cmd, const struct strv *names, struct found *f)
{
	struct unit_options o = options_of(f);
	struct unit_dirs *d = unit_dirs_open(&o);
	struct install_run run = {
		.dirs = d,
		.flags = (opt.runtime ? INSTALL_RUNTIME : 0) | (opt.force ? INSTALL_FORCE : 0),
		.changed = on_change,
		.arg = f,
	};
	size_t i = 0;
	int err;

	if (!d)
		return no_directories(&o);
	while (strcmp(verbs[i].name, cmd->name))
		i++;
	err = verbs[i].run(&run, names);
	if (!err && verbs[i].needs_install && !run.carried && !f->quiet && !f->list)
		complain("no [Install] section says when it is to be started: nothing was done");
	unit_dirs_close(d);
	strv_free(&o.dirs);
	if (err == -EACCES || err == -EPERM || f->refused)
		return EX_DENIED;
	return err == -ENOENT ? EX_NO_UNIT : err ? EX_FAILED : EX_OK;
}

/* knelld has to know, and with --now to act. */
static int pass_on(const struct verb *cmd, const struct strv *names)
{
	struct strv units = { 0 };
	int status = EX_OK;

	if (opt.root || opt.no_reload || !call_possible())
		return opt.now && !opt.no_reload ? call_or_say("Reload", NULL, NULL) : EX_OK;
	status = call_or_say("Reload", NULL, NULL);
	for (size_t i = 0; i < names->nr; i++) {
		const char *base = strrchr(names->v[i], '/');

		base = base ? base + 1 : names->v[i];
		if (!unit_name_is_template(base))
			strv_add(&units, xstrdup(base));
	}
	if (!status && opt.now)
		status = jobs_run(cmd->word, &units);
	strv_free(&units);
	return status;
}

int cmd_enable(const struct verb *cmd, char **args, size_t nr)
{
	struct found f = { .list = opt.json ? json_array() : NULL, .quiet = opt.quiet };
	struct strv names = { 0 };
	int status = names_or_files(args, nr, &names);

	if (opt.now && opt.root) {
		complain("--now needs a knelld, --root does without");
		status = EX_USAGE;
	}
	if (!status)
		status = change(cmd, &names, &f);
	if (opt.json)
		out_json(json_pack("{s:o}", "changes", f.list));
	opt.quiet |= opt.json;
	if (!status)
		status = pass_on(cmd, &names);
	strv_free(&names);
	return status;
}

/* Opened once, and to the end of the program. */
static struct unit_dirs *local_dirs(void)
{
	static struct found silent = { .quiet = true };
	static struct unit_dirs *d;
	struct unit_options o;

	if (!d) {
		o = options_of(&silent);
		d = unit_dirs_open(&o);
		strv_free(&o.dirs);
	}
	return d;
}

const char *file_state(const char *name)
{
	struct unit_dirs *d = local_dirs();
	enum unit_state state = d && *name ? unit_is_enabled(d, name) : UNIT_STATE_NOT_FOUND;

	return state == UNIT_STATE_NOT_FOUND ? "" : unit_state_name(state);
}

int cmd_is_enabled(const struct verb *cmd, char **args, size_t nr)
{
	static const unsigned int yes = BIT(UNIT_STATE_ENABLED) | BIT(UNIT_STATE_ENABLED_RUNTIME) |
		BIT(UNIT_STATE_STATIC) | BIT(UNIT_STATE_ALIAS) | BIT(UNIT_STATE_INDIRECT);
	struct unit_dirs *d = local_dirs();
	json_t *list = json_array();
	struct strv names = { 0 };
	int status = names_or_files(args, nr, &names);
	bool any = false, known = false;

	(void)cmd;
	for (size_t i = 0; i < names.nr && !status && d; i++) {
		enum unit_state state = unit_is_enabled(d, names.v[i]);

		any |= !!(yes & BIT(state));
		known |= state != UNIT_STATE_NOT_FOUND;
		json_array_append_new(list, json_pack("{s:s, s:s}", "name", names.v[i], "state",
						      unit_state_name(state)));
		if (!opt.json && !opt.quiet)
			print(PLAIN, "%s\n", unit_state_name(state));
	}
	if (opt.json && !opt.quiet)
		out_json(json_pack("{s:O}", "units", list));
	json_decref(list);
	strv_free(&names);
	return status ? status : any ? EX_OK : known ? EX_FAILED : EX_UNKNOWN;
}

/* A file as it is; @list gets it with --json. */
static int cat_file(const char *path, json_t *list)
{
	size_t len = 0;
	char *text = file_text(AT_FDCWD, path, &len);

	if (!text) {
		complain("%s: %s", path, strerror(errno));
		return EX_FAILED;
	}
	if (list) {
		json_t *s = json_stringn(text, len);

		/* It may be no text at all. */
		json_array_append_new(list, json_pack("{s:s, s:o*}", "path", path, "text", s));
	} else {
		print(BLUE, "# %s\n", path);
		out_text(text, len);
		if (len && text[len - 1] != '\n')
			putchar('\n');
	}
	free(text);
	return EX_OK;
}

static int cat_unit(struct unit_dirs *d, const char *name, json_t *list, bool first)
{
	struct unit_file *f = NULL;
	char *path = unit_dirs_find(d, name);
	int status = EX_OK, err;

	if (!path) {
		complain("%s: no file of that name", name);
		return EX_NO_UNIT;
	}
	if (!first && !list)
		putchar('\n');
	unit_load(d, name, &f);
	if (!f)
		status = cat_file(path, list);
	free(path);
	for (size_t i = 0; f && i < f->nr_files; i++) {
		if (i && !list)
			putchar('\n');
		err = cat_file(f->sources[i], list);
		status = status ? status : err;
	}
	unit_file_free(f);
	return status;
}

int cmd_cat(const struct verb *cmd, char **args, size_t nr)
{
	struct unit_dirs *d = local_dirs();
	json_t *list = opt.json ? json_array() : NULL;
	struct strv names = { 0 };
	int status = names_or_files(args, nr, &names), err;

	(void)cmd;
	for (size_t i = 0; i < names.nr && !status && d; i++) {
		err = cat_unit(d, names.v[i], list, !i);
		status = status ? status : err;
	}
	if (list)
		out_json(json_pack("{s:o}", "files", list));
	strv_free(&names);
	return status;
}

/* Without names: all that there is, templates too. */
static void all_names(const struct unit_options *o, struct strv *names)
{
	struct unit_options silent = *o;
	struct unit_dirs *d;

	silent.say = NULL;
	d = unit_dirs_open(&silent);
	if (d)
		unit_dirs_names(d, names);
	unit_dirs_close(d);
}

int cmd_verify(const struct verb *cmd, char **args, size_t nr)
{
	struct found f = { .list = opt.json ? json_array() : NULL };
	struct unit_options o = options_of(&f);
	struct strv names = { 0 };
	size_t errors = 0, warnings = 0;
	int status = names_or_files(args, nr, &names);

	(void)cmd;
	if (!nr)
		all_names(&o, &names);
	if (!status && names.nr)
		status = unit_verify(&o, &names, &errors, &warnings);
	if (opt.json)
		out_json(json_pack("{s:I, s:I, s:o}", "errors", (json_int_t)errors, "warnings",
				   (json_int_t)warnings, "problems", f.list));
	else if (!status)
		print(GREEN, "%zu unit%s: nothing is wrong.\n", names.nr, names.nr == 1 ? "" : "s");
	else
		print(PLAIN, "%zu error%s, %zu warning%s.\n", errors, errors == 1 ? "" : "s",
		      warnings, warnings == 1 ? "" : "s");
	strv_free(&names);
	strv_free(&o.dirs);
	return status;
}
