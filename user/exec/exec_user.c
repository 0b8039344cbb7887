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
#include <unistd.h>

#include "exec.h"

/* What systemd, too, gives to DynamicUser=. */
#define DYNAMIC_MIN	61184U
#define DYNAMIC_MAX	65519U

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

/* A number that the name makes: the same at each start, so that what it owns stays its own. */
static void make_dynamic(const char *name, struct cred *cred)
{
	uint32_t hash = 2166136261U;

	for (const char *s = name; *s; s++)
		hash = (hash ^ (unsigned char)*s) * 16777619U;
	cred->uid = cred->gid = DYNAMIC_MIN + hash % (DYNAMIC_MAX - DYNAMIC_MIN + 1);
	cred->name = xasprintf("%.*s", (int)strcspn(name, "."), name);
	cred->home = xstrdup("/");
	cred->shell = xstrdup("/usr/sbin/nologin");
}

static int take_user(const struct exec_request *rq, struct cred *cred)
{
	const struct path *user = &rq->ctx->user;

	if (user->name && !find_user(user->name, cred))
		return 0;
	if (rq->ctx->dynamic_user) {
		make_dynamic(user->name ? user->name : rq->file->name, cred);
		return 0;
	}
	log_at(rq->file, user->where, "User=%s: no such user", user->name);
	return EXEC_USER;
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

struct wanted {
	const char *name;
	bool found;
	gid_t gid;
};

/* Goes once through the groups: those of the user, and the @nr that are wanted. */
static void find_groups(struct wanted *w, size_t nr, struct cred *cred)
{
	FILE *f = fopen("/etc/group", "re");
	struct group *gr;

	while (f && (gr = fgetgrent(f))) {
		if (cred->name && has_member(gr, cred->name))
			add_group(cred, gr->gr_gid);
		for (size_t i = 0; i < nr; i++) {
			if (w[i].found || strcmp(gr->gr_name, w[i].name))
				continue;
			w[i].found = true;
			w[i].gid = gr->gr_gid;
		}
	}
	if (f)
		fclose(f);
}

/* Group= is w[0], if it is given. */
static int use_groups(const struct exec_request *rq, const struct wanted *w, size_t nr,
		      struct cred *cred)
{
	bool own = rq->ctx->group.name;

	for (size_t i = 0; i < nr; i++) {
		bool primary = own && !i;

		if (w[i].found && primary) {
			cred->gid = w[i].gid;
		} else if (w[i].found) {
			add_group(cred, w[i].gid);
		} else if (!primary || !rq->ctx->dynamic_user) {
			log_at(rq->file, primary ? rq->ctx->group.where : (struct where){ 0 },
			       "%s=%s: no such group", primary ? "Group" : "SupplementaryGroups",
			       w[i].name);
			return EXEC_GROUP;
		}
	}
	add_group(cred, cred->gid);
	return 0;
}

static int take_groups(const struct exec_request *rq, struct cred *cred)
{
	const struct exec_context *c = rq->ctx;
	struct wanted *w = xcalloc(1 + c->groups.nr, sizeof(*w));
	size_t nr = 0;
	int status;

	if (c->group.name)
		w[nr++].name = c->group.name;
	for (size_t i = 0; i < c->groups.nr; i++)
		w[nr++].name = c->groups.v[i];
	for (size_t i = 0; i < nr; i++)
		w[i].found = !parse_id(w[i].name, &w[i].gid);
	find_groups(w, nr, cred);
	status = use_groups(rq, w, nr, cred);
	free(w);
	return status;
}

/* Who the processes of a unit are to be: 0, or an exit status and logged. */
int cred_find(const struct exec_request *rq, struct cred *cred)
{
	const struct exec_context *c = rq->ctx;
	int status = 0;

	*cred = (struct cred){ .set_uid = c->user.name || c->dynamic_user };
	cred->set_gid = cred->set_uid || c->group.name || c->groups.nr;
	if (!cred->set_gid)
		return 0;
	if (cred->set_uid)
		status = take_user(rq, cred);
	else
		cred->gid = getegid();
	if (!status)
		status = take_groups(rq, cred);
	/* To be who one is takes no right. */
	if (geteuid() && cred->set_uid && cred->uid == geteuid() && cred->gid == getegid())
		cred->set_uid = cred->set_gid = false;
	return status;
}

void cred_free(struct cred *cred)
{
	free(cred->groups);
	free(cred->name);
	free(cred->home);
	free(cred->shell);
	*cred = (struct cred){ 0 };
}
