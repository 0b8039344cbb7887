/* SPDX-License-Identifier: GPL-2.0-only */
/* Which units are started at boot: the links that [Install] asks for; and verify. */
#ifndef _UNIT_INSTALL_H
#define _UNIT_INSTALL_H

#include "unit_load.h"

#define INSTALL_RUNTIME	(1U << 0)	/* in the second directory (/run): until the next boot */
#define INSTALL_FORCE	(1U << 1)	/* replaces links that point elsewhere */

/**
 * struct install_change - one link made or removed, or why not
 * @link: its path, below the root
 * @target: of the new link; NULL: @link is gone
 * @error: errno, 0: done
 */
struct install_change {
	const char *link, *target;
	int error;
};

struct install_run {
	struct unit_dirs *dirs;
	unsigned int flags;
	void (*changed)(void *arg, const struct install_change *change);	/* may be NULL */
	void *arg;
	size_t changes;		/* out */
	size_t carried;		/* out: units that had anything in [Install] */
};

/*
 * The links go to the first of the directories, with INSTALL_RUNTIME to the second. @names are
 * names of units, or paths of unit files outside of the search path (which are linked). 0, or
 * -errno of the first that failed, told of by options' say(); the others are done all the same.
 * The directories have to be opened anew after a change.
 */
int unit_enable(struct install_run *run, const struct strv *names);
int unit_disable(struct install_run *run, const struct strv *names);
int unit_reenable(struct install_run *run, const struct strv *names);
int unit_mask(struct install_run *run, const struct strv *names);
int unit_unmask(struct install_run *run, const struct strv *names);

enum unit_state {
	UNIT_STATE_ENABLED, UNIT_STATE_ENABLED_RUNTIME, UNIT_STATE_LINKED,
	UNIT_STATE_LINKED_RUNTIME, UNIT_STATE_ALIAS, UNIT_STATE_MASKED,
	UNIT_STATE_MASKED_RUNTIME, UNIT_STATE_STATIC, UNIT_STATE_DISABLED,
	UNIT_STATE_INDIRECT, UNIT_STATE_BAD, UNIT_STATE_NOT_FOUND,
	UNIT_STATES,
};

enum unit_state unit_is_enabled(struct unit_dirs *d, const char *name);
const char *unit_state_name(enum unit_state state);	/* as is-enabled prints it */

/**
 * unit_verify - everything that is wrong with units, told of by options' say()
 * @names: of units, or paths of their files (with a "/"); their directories are looked at first
 * @errors: out: of what was said, how much was an error
 * @warnings: out: and how much a warning
 *
 * Reads what @names depend on, too. Returns 0, 1 if there were warnings and 2 if there were
 * errors.
 */
int unit_verify(const struct unit_options *opt, const struct strv *names, size_t *errors,
		size_t *warnings);

#endif /* _UNIT_INSTALL_H */
