/* SPDX-License-Identifier: GPL-2.0-only */
/* Who killed a tree: whoever comes late dies. */
#ifndef _KNELL_DOOM_H
#define _KNELL_DOOM_H

#include "reserve.h"

struct cred;
struct knell_member;
struct knell_tree;
struct pid_namespace;

/* Killers of a tree that count, if they have not the same rights. */
#define KNELL_DOOMS	4

/**
 * struct knell_doom - SIGKILL has been sent to a tree
 * @cred: by whose rights, referenced; NULL: by nobody's
 * @ns: whose pids the killer sees, referenced
 * @killer: who it was
 */
struct knell_doom {
	const struct cred *cred;
	struct pid_namespace *ns;
	struct knell_killer killer;
};

void knell_doom_add(struct knell_tree *tree, struct pid_namespace *ns);
void knell_doom_execute(struct knell_member *member);
void knell_doom_free(struct knell_tree *tree);

#endif /* _KNELL_DOOM_H */
