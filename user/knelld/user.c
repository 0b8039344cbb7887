// SPDX-License-Identifier: GPL-2.0-only
/*
 * Users and groups, from /etc/passwd and /etc/group and nowhere else: a supervisor that
 * asked the network, or a service that it is yet to start, could wait for ever.
 */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "knelld.h"

static int parse_id(const char *s, uint32_t *id)
{
	unsigned long n;
	char *end;

	errno = 0;
	n = strtoul(s, &end, 10);
	/* The largest stands for "leave it as it is". */
	if (errno || end == s || *end || *s == '-' || n >= UINT32_MAX)
		return -1;
	*id = n;
	return 0;
}

static void take_passwd(const struct passwd *pw, struct cred *cred)
{
	cred->uid = pw->pw_uid;
	cred->gid = pw->pw_gid;
	cred->name = xstrdup(pw->pw_name);
	cred->home = xstrdup(pw->pw_dir);
	cred->shell = xstrdup(*pw->pw_shell ? pw->pw_shell : "/bin/sh");
}

/* By name or number; a number need not be in the file. */
static int find_user(const char *name, struct cred *cred)
{
	uint32_t id = 0;
	bool number = !parse_id(name, &id);
	FILE *f = fopen("/etc/passwd", "re");
	struct passwd *pw = NULL;

	while (f && (pw = fgetpwent(f)))
		if (number ? pw->pw_uid == id : !strcmp(pw->pw_name, name))
			break;
	if (pw)
		take_passwd(pw, cred);
	else if (number)
		cred->uid = cred->gid = id;
	if (f)
		fclose(f);
	return pw || number ? 0 : -ENOENT;
}

static bool has_member(const struct group *gr, const char *name)
{
	for (char **m = gr->gr_mem; *m; m++)
		if (!strcmp(*m, name))
			return true;
	return false;
}

static void add_group(struct cred *cred, gid_t gid)
{
	cred->groups = xgrow(cred->groups, cred->nr_groups, sizeof(*cred->groups));
	cred->groups[cred->nr_groups++] = gid;
}

/* Goes once through the groups: those of the user, and the one called @group. */
static int find_groups(const char *group, struct cred *cred)
{
	uint32_t id = 0;
	bool found = group && !parse_id(group, &id);
	FILE *f = fopen("/etc/group", "re");
	struct group *gr;

	while (f && (gr = fgetgrent(f))) {
		if (cred->name && has_member(gr, cred->name))
			add_group(cred, gr->gr_gid);
		if (group && !found && !strcmp(gr->gr_name, group)) {
			id = gr->gr_gid;
			found = true;
		}
	}
	if (f)
		fclose(f);
	if (group && !found)
		return -ENOENT;
	if (group)
		cred->gid = id;
	add_group(cred, cred->gid);
	return 0;
}

/* Who the processes of @u are to be; logs what it does not find, -errno. */
int cred_find(const struct unit *u, struct cred *cred)
{
	const struct path *user = &unit_exec(u)->user, *group = &unit_exec(u)->group;

	*cred = (struct cred){ .set_uid = user->name, .set_gid = user->name || group->name };
	if (user->name && find_user(user->name, cred) < 0) {
		log_line("%s: User=%s: no such user", unit_where(u->file, user->where),
			 user->name);
		return -ENOENT;
	}
	if (cred->set_gid && find_groups(group->name, cred) < 0) {
		log_line("%s: Group=%s: no such group", unit_where(u->file, group->where),
			 group->name);
		cred_free(cred);
		return -ENOENT;
	}
	return 0;
}

void cred_free(struct cred *cred)
{
	free(cred->groups);
	free(cred->name);
	free(cred->home);
	free(cred->shell);
	*cred = (struct cred){ 0 };
}
