// SPDX-License-Identifier: GPL-2.0-only
/*
 * A little of systemctl --root, for install_diff.sh.
 *
 * usage: install_helper ROOT [--runtime] [--force] COMMAND UNIT...
 */
#include <stdio.h>
#include <string.h>

#include "unit_install.h"

static void complain(void *arg, enum severity severity, const char *file, unsigned int line,
		     const char *text)
{
	(void)arg, (void)severity, (void)line;
	fprintf(stderr, "%s: %s\n", file, text);
}

static const struct {
	const char *name;
	int (*run)(struct install_run *run, const struct strv *names);
} commands[] = {
	{ "enable", unit_enable }, { "disable", unit_disable }, { "reenable", unit_reenable },
	{ "mask", unit_mask }, { "unmask", unit_unmask },
};

static int is_enabled(struct unit_dirs *d, const struct strv *names)
{
	for (size_t i = 0; i < names->nr; i++)
		puts(unit_state_name(unit_is_enabled(d, names->v[i])));
	return 0;
}

int main(int argc, char **argv)
{
	struct unit_options opt = { .say = complain, .root = argv[1] };
	struct install_run run = { 0 };
	struct strv names = { 0 };
	const char *command = NULL;
	int ret = 2;

	for (int i = 2; i < argc; i++) {
		if (!strcmp(argv[i], "--runtime"))
			run.flags |= INSTALL_RUNTIME;
		else if (!strcmp(argv[i], "--force"))
			run.flags |= INSTALL_FORCE;
		else if (!command)
			command = argv[i];
		else
			strv_add(&names, xstrdup(argv[i]));
	}
	if (!command)
		return 2;
	strv_add(&opt.dirs, xstrdup("/etc/systemd/system"));
	strv_add(&opt.dirs, xstrdup("/run/systemd/system"));
	strv_add(&opt.dirs, xstrdup("/usr/lib/systemd/system"));
	run.dirs = unit_dirs_open(&opt);
	if (!strcmp(command, "is-enabled"))
		ret = is_enabled(run.dirs, &names);
	for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++)
		if (!strcmp(command, commands[i].name))
			ret = commands[i].run(&run, &names) ? 1 : 0;
	unit_dirs_close(run.dirs);
	strv_free(&opt.dirs);
	strv_free(&names);
	return ret;
}
