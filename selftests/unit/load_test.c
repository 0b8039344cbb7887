// SPDX-License-Identifier: GPL-2.0-only
/*
 * Units as they are on disk: search path, drop-ins, templates, aliases, masks, links; what is no
 * unit file at all; verifying.
 */
#include <errno.h>
#include <sys/sysmacros.h>

#include "disk.h"
#include "unit_install.h"

static void search_path(void)
{
	file("c/x.service", UNIT("c") SERVICE);
	expect("x.service", "c");
	file("b/x.service", UNIT("b") SERVICE);
	expect("x.service", "b");
	file("a/x.service", UNIT("a") SERVICE);
	expect("x.service", "a");
	refused("y.service", LOAD_NOT_FOUND, NULL);
	refused("x.mount", LOAD_FOREIGN, NULL);
	refused("x", LOAD_NOT_FOUND, NULL);
	refused("../x.service", LOAD_NOT_FOUND, NULL);
	link_to("a/null.service", "/dev/null");
	file("b/null.service", UNIT("b") SERVICE);
	refused("null.service", LOAD_MASKED, NULL);
	file("a/empty.service", "");
	file("b/empty.service", UNIT("b") SERVICE);
	refused("empty.service", LOAD_MASKED, NULL);
	file("b/masked.service", UNIT("b") SERVICE);
	file("a/masked.service.d/x.conf", UNIT("drop-in"));
	expect("masked.service", "drop-in");
}

static void drop_ins(void)
{
	struct unit_file *f;

	file("c/a-b.service", UNIT("main") SERVICE "Environment=A=0\nNice=1\n");
	file("c/service.d/50.conf", "[Service]\nEnvironment=TYPE=1\nNice=2\n");
	file("c/a-.service.d/40.conf", "[Service]\nEnvironment=PREFIX=1\nNice=3\n");
	file("c/a-b.service.d/30.conf", "[Service]\nEnvironment=OWN=1\nNice=4\n");
	/* In the order of their names, wherever they are. */
	f = load("a-b.service", LOAD_OK);
	if (f && (f->service->exec->nice != 2 || f->service->exec->env.nr != 4 ||
		  strcmp(f->service->exec->env.v[1], "OWN=1") ||
		  strcmp(f->service->exec->env.v[2], "PREFIX=1") ||
		  strcmp(f->service->exec->env.v[3], "TYPE=1")))
		bad("nice %d, %zu", f->service->exec->nice, f->service->exec->env.nr);
	if (f && (f->nr_files != 4 || f->nr_sources != 4 || !strstr(f->sources[1], "30.conf")))
		bad("%u files", f->nr_files);
	unit_file_free(f);
	/* The unit's own hides that of its type, and a nearer directory a farther one. */
	file("c/a-b.service.d/50.conf", "[Service]\nEnvironment=\n");
	file("b/a-b.service.d/30.conf", "[Service]\nEnvironment=NEAR=1\n");
	link_to("a/a-b.service.d/40.conf", "/dev/null");
	file("a/a-b.service.d/60.notconf", "[Service]\nEnvironment=BAD=1\n");
	file("a/a-b.service.d/60.conf", "[Service]\nEnvironment=LAST=1\n");
	f = load("a-b.service", LOAD_OK);
	if (f && (f->service->exec->env.nr != 1 || strcmp(f->service->exec->env.v[0], "LAST=1") ||
		  f->service->exec->nice != 1))
		bad("%zu in the environment, nice %d", f->service->exec->env.nr, f->service->exec->nice);
	unit_file_free(f);
	/* A template's go before, by name, those of its instance. */
	file("c/t@.service", UNIT("%i") SERVICE);
	file("c/t@.service.d/60.conf", "[Service]\nNice=5\n");
	file("c/t@x.service.d/70.conf", "[Service]\nNice=6\n");
	f = load("t@x.service", LOAD_OK);
	if (f && (f->service->exec->nice != 6 || strcmp(f->description, "x")))
		bad("nice %d", f->service->exec->nice);
	unit_file_free(f);
	f = load("t@y.service", LOAD_OK);
	if (f && f->service->exec->nice != 5)
		bad("nice %d", f->service->exec->nice);
	unit_file_free(f);
	/* Where in which file. */
	file("c/w.service", UNIT("w") SERVICE);
	file("c/w.service.d/a.conf", "\n[Unit]\nAfter=x.service\n");
	f = load("w.service", LOAD_OK);
	if (f && (f->nr_deps != 1 || f->deps[0].where.line != 3 ||
		  !strstr(f->sources[f->deps[0].where.file], "w.service.d/a.conf")))
		bad("not where it is");
	unit_file_free(f);
}

static void aliases(void)
{
	struct unit_file *f;

	file("c/real.service", UNIT("%n") SERVICE);
	link_to("a/alias.service", "/c/real.service");
	link_to("b/second.service", "alias.service");
	link_to("b/missing.service", "../c/gone.service");
	file("c/alias.service.d/x.conf", "[Service]\nNice=9\n");
	f = load("second.service", LOAD_OK);
	if (f && (strcmp(f->name, "real.service") || f->names.nr != 2 ||
		  strcmp(f->names.v[0], "alias.service") || f->service->exec->nice != 9))
		bad("%s with %zu names, nice %d", f->name, f->names.nr, f->service->exec->nice);
	unit_file_free(f);
	refused("missing.service", LOAD_NOT_FOUND, NULL);
	/* To a file that is elsewhere: its own name stays. */
	file("elsewhere/odd-name", UNIT("%n %N") SERVICE);
	link_to("a/linked.service", "/elsewhere/odd-name");
	expect("linked.service", "linked.service linked");
	/* In a circle. */
	link_to("a/l1.service", "l2.service");
	link_to("a/l2.service", "l1.service");
	refused("l1.service", LOAD_BAD, "back to itself");
	link_to("a/self.service", "self.service");
	refused("self.service", LOAD_BAD, "back to itself");
	/* Of another kind. */
	link_to("a/kind.timer", "/c/real.service");
	refused("kind.timer", LOAD_NOT_FOUND, NULL);
	/* Templates. */
	file("c/t@.service", UNIT("%n") SERVICE);
	link_to("a/u@.service", "/c/t@.service");
	expect("u@1.service", "t@1.service");
	link_to("a/v@2.service", "/c/t@.service");
	expect("v@2.service", "t@2.service");
	file("b/t@3.service", UNIT("its own") SERVICE);
	expect("t@3.service", "its own");
	refused("t@.service", LOAD_NOT_FOUND, NULL);
	file("c/p.service", UNIT("p") SERVICE "[Unit]\nAfter=t@.service\n");
	f = load("p.service", LOAD_OK);
	if (f && (f->nr_deps != 1 || strcmp(f->deps[0].name, "t@p.service")))
		bad("after %u units", f->nr_deps);
	unit_file_free(f);
}

static void wants(void)
{
	struct unit_file *f;

	file("c/w.target", "[Unit]\nWants=x.service x.service\nRequires=x.service\n");
	link_to("a/w.target.wants/y.service", "../y.service");
	link_to("b/w.target.wants/z.service", "../z.service");
	link_to("a/w.target.wants/z.service", "/dev/null");
	link_to("b/w.target.requires/r@.service", "../r@.service");
	link_to("b/w.target.upholds/u.service", "../u.service");
	link_to("b/w.target.wants/x.service", "../x.service");
	file("b/w.target.wants/plain.service", "");
	file("b/w.target.wants/odd.service", UNIT("x"));
	f = load("w.target", LOAD_OK);
	if (f) {
		static const struct {
			const char *name;
			enum dep_kind kind;
			bool linked;
		} expected[] = {
			{ "x.service", DEP_WANTS, false }, { "x.service", DEP_REQUIRES, false },
			{ "y.service", DEP_WANTS, true }, { "r@w.service", DEP_REQUIRES, true },
			{ "u.service", DEP_UPHOLDS, true },
		};

		if (f->nr_deps != ARRAY_SIZE(expected))
			bad("%u dependencies", f->nr_deps);
		for (size_t i = 0; i < f->nr_deps && i < ARRAY_SIZE(expected); i++)
			if (strcmp(f->deps[i].name, expected[i].name) ||
			    f->deps[i].kind != expected[i].kind ||
			    f->deps[i].linked != expected[i].linked)
				bad("dependency %zu: %s", i, f->deps[i].name);
		if (!strstr(all_told, "odd.service") || told != 1)
			bad("told %zu times: %s", told, all_told);
	}
	unit_file_free(f);
}

static void names(void)
{
	struct strv v = { 0 };
	char *path;

	file("a/x.service", SERVICE);
	file("b/x.service", SERVICE);
	link_to("b/y@.timer", "x@.timer");
	file("b/README", "no unit");
	file("b/x.service.d/a.conf", "");
	reopen();
	unit_dirs_names(dirs, &v);
	if (v.nr != 2 || strcmp(v.v[0], "x.service") || strcmp(v.v[1], "y@.timer"))
		bad("%zu names, the first %s", v.nr, v.nr ? v.v[0] : "none");
	path = unit_dirs_find(dirs, "x.service");
	if (!path || strncmp(path, root, strlen(root)) || strcmp(path + strlen(root), "/a/x.service"))
		bad("found at %s", path);
	free(path);
	strv_free(&v);
}

/* What a name of the manual's has. */
static void specifiers(void)
{
	static const char *const tests[][2] = {
		{ "%n", "foo-bar@a-b\\x2dc.service" }, { "%N", "foo-bar@a-b\\x2dc" },
		{ "%p", "foo-bar" }, { "%P", "foo/bar" }, { "%i", "a-b\\x2dc" }, { "%I", "a/b-c" },
		{ "%j", "bar" }, { "%J", "bar" }, { "%f", "/a/b-c" }, { "%t", "/run" },
		{ "%S", "/var/lib" }, { "%C", "/var/cache" }, { "%L", "/var/log" }, { "%E", "/etc" },
		{ "%U", NULL }, { "%u", NULL }, { "%%", "%" }, { "%", "%" }, { "100% x", "100% x" },
		{ "%%n", "%n" }, { "a%ib", "aa-b\\x2dcb" }, { "%y", NULL }, { "%Y", NULL },
	};
	char uid[16];

	snprintf(uid, sizeof(uid), "%u", getuid());
	for (size_t i = 0; i < ARRAY_SIZE(tests); i++) {
		char *text = xasprintf("[Unit]\nDescription=%s\n%s", tests[i][0], SERVICE), *expected;

		if (tests[i][1])
			expected = xstrdup(tests[i][1]);
		else if (!strcmp(tests[i][0], "%U"))
			expected = xstrdup(uid);
		else if (!strcmp(tests[i][0], "%u"))
			expected = xstrdup(getuid() ? getenv("USER") : "root");
		else
			expected = xasprintf("%s/c%s", root, tests[i][0][1] == 'y' ?
					     "/foo-bar@.service" : "");
		file("c/foo-bar@.service", text);
		expect("foo-bar@a-b\\x2dc.service", expected);
		free(expected);
		free(text);
	}
	/* Without an instance the prefix is what %f is of. */
	file("c/mnt-x.service", UNIT("%f|%i|%j|%p") SERVICE);
	expect("mnt-x.service", "/mnt/x||x|mnt-x");
	file("c/none.service", UNIT("%Q") SERVICE);
	refused("none.service", LOAD_OK, "%Q is no specifier");
	file("c/cmd.service", "[Service]\nExecStart=/bin/a %d\n");
	refused("cmd.service", LOAD_BAD, "%d");
}

static void no_files(void)
{
	char *path, *text;

	path = path_of("a/fifo.service");
	if (mkfifo(path, 0644))
		bad("mkfifo");
	free(path);
	refused("fifo.service", LOAD_BAD, "not a regular file");
	path = path_of("a/dir.service");
	mkdir(path, 0755);
	free(path);
	refused("dir.service", LOAD_BAD, "directory");
	link_to("a/gone.service", "/nowhere/x.service");
	refused("gone.service", LOAD_BAD, "No such file");
	put("a/nul.service", "[Unit]\nDescription=x\0y\n" SERVICE, 50);
	refused("nul.service", LOAD_BAD, ":2: a NUL byte");
	file("a/utf8.service", "[Unit]\nDescription=\xff\n" SERVICE);
	refused("utf8.service", LOAD_OK, ":2: expected UTF-8");
	text = xcalloc(TEXT_MAX + 2, 1);
	memset(text, '#', TEXT_MAX + 1);
	put("a/huge.service", text, TEXT_MAX + 1);
	refused("huge.service", LOAD_BAD, "larger than 1 MiB");
	put("a/large.service", text, TEXT_MAX);
	refused("large.service", LOAD_BAD, "ExecStart= is missing");
	free(text);
	file("a/drop.service", SERVICE);
	link_to("a/drop.service.d/x.conf", "/dev/zero");
	refused("drop.service", LOAD_BAD, "not a regular file");
}

/* Time and memory stay bounded; the test's own time limit is what would show it. */
static void large(void)
{
	char *text = xcalloc(TEXT_MAX, 1), *end = text, name[64];
	struct unit_file *f;
	struct arena *arena;

	end = stpcpy(end, "[Service]\nExecStart=/bin/true");
	for (int i = 0; i < 100000; i++)
		end = stpcpy(end, " x\\\n");
	put("a/lines.service", text, end - text);
	f = load("lines.service", LOAD_OK);
	if (f && f->service->cmds[EXEC_START]->v[0].argv.nr != 100001)
		bad("%zu words", f->service->cmds[EXEC_START]->v[0].argv.nr);
	unit_file_free(f);
	/* Remarks about every line. */
	for (end = text; end < text + TEXT_MAX - 10;)
		end = stpcpy(end, "x=1\n");
	memcpy(text, "[Unit]\n#", 8);
	put("a/unknown.service", text, end - text);
	refused("unknown.service", LOAD_BAD, "more is wrong");
	if (told > SAY_MAX + 5)
		bad("told %zu times", told);
	/* Dependencies on as many units as there is room for, twice. */
	end = stpcpy(text, "[Unit]\nAfter=");
	for (int i = 0; end < text + TEXT_MAX - 100; i++)
		end += sprintf(end, "%d.target ", i % 30000);
	strcpy(end, "\n" SERVICE);
	file("a/deps.service", text);
	f = load("deps.service", LOAD_OK);
	if (f && f->nr_deps != 30000)
		bad("%u dependencies", f->nr_deps);
	unit_file_free(f);
	/* Three bytes that become 255. */
	end = stpcpy(text, SERVICE "Environment=");
	while (end < text + TEXT_MAX - 100)
		end = stpcpy(end, "A=%n ");
	file("a/" "n123456789012345678901234567890123456789012345678901234567890"
	     "1234567890123456789012345678901234567890123456789012345678901234567890.service", text);
	f = load("n123456789012345678901234567890123456789012345678901234567890"
		 "1234567890123456789012345678901234567890123456789012345678901234567890.service",
		 LOAD_BAD);
	arena = f ? &((struct file *)f)->arena : NULL;
	if (arena && (arena->used > ARENA_MAX + 2 * TEXT_MAX || !strstr(all_told, "too large")))
		bad("%zu bytes used; %.200s", arena->used, all_told);
	unit_file_free(f);
	free(text);
	/* Many drop-ins, and many names in a directory. */
	file("a/many.service", SERVICE);
	for (int i = 0; i < SOURCES_MAX + 1; i++) {
		snprintf(name, sizeof(name), "a/many.service.d/%d.conf", i);
		file(name, "[Service]\nNice=1\n");
	}
	refused("many.service", LOAD_BAD, "cannot be read");
	for (int i = 0; i <= DIR_ENTRIES_MAX; i++) {
		char *path = xasprintf("%s/b/%d", root, i);

		if (!i)
			make_parents(path);
		if (mknod(path, S_IFREG | 0644, 0) < 0)
			bad("mknod: %s", strerror(errno));
		free(path);
	}
	file("b/in-many.service", SERVICE);
	refused("in-many.service", LOAD_NOT_FOUND, "more than 65536 names");
	file("c/beside.service", SERVICE);
	refused("beside.service", LOAD_OK, NULL);
}

static void hashes(void)
{
	uint64_t first, second;
	struct unit_file *f;

	file("a/h.service", UNIT("1") SERVICE);
	f = load("h.service", LOAD_OK);
	first = f->hash;
	unit_file_free(f);
	f = load("h.service", LOAD_OK);
	if (f->hash != first)
		bad("not the same twice");
	unit_file_free(f);
	file("a/service.d/x.conf", "# a comment\n");
	f = load("h.service", LOAD_OK);
	second = f->hash;
	if (second == first)
		bad("a drop-in shows not");
	unit_file_free(f);
	link_to("a/h.service.wants/y.service", "../y.service");
	f = load("h.service", LOAD_OK);
	if (f->hash == second)
		bad("a link shows not");
	unit_file_free(f);
}

/* What stands in for a unit that is not there. */
static void builtins(void)
{
	static const char *const kinds[] = { "a.service", "a@b.socket", "a.timer", "a.target" };
	struct unit_file *f;

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		f = unit_builtin(kinds[i], i ? NULL : "words");
		if (!f || strcmp(f->name, kinds[i]) || strcmp(f->description, i ? kinds[i] : "words") ||
		    f->bad || f->nr_deps || f->nr_sources || f->kind != unit_name_kind(kinds[i]))
			bad("%s", kinds[i]);
		if (f && f->service && (f->service->type != TYPE_SIMPLE || !f->service->exec->tty))
			bad("%s: type %d", kinds[i], f->service->type);
		if (f && f->socket && strcmp(f->socket->service, "a@b.service"))
			bad("%s: starts %s", kinds[i], f->socket->service);
		unit_file_free(f);
	}
	if (unit_builtin("a.mount", NULL) || unit_builtin("a@.service", NULL) || unit_builtin("a", NULL))
		bad("not of these kinds");
}

static void check_verify(const char *name, int expected, const char *told_of)
{
	struct unit_options opt = { .say = listen_to, .root = root, .quiet_ignored = true };
	struct strv v = { 0 };
	size_t errors, warnings;
	int ret;

	*all_told = '\0';
	strv_add(&opt.dirs, xstrdup("/a"));
	strv_add(&v, xstrdup(name));
	ret = unit_verify(&opt, &v, &errors, &warnings);
	if (ret != expected || (told_of && !strstr(all_told, told_of)) || (!told_of && *all_told))
		bad("%s: %d, %zu errors, %zu warnings: %s", name, ret, errors, warnings, all_told);
	strv_free(&v);
	strv_free(&opt.dirs);
}

static void verifying(void)
{
	char *program = path_of("bin/true");

	file("bin/true", "#!");
	chmod(program, 0755);
	file("a/good.service", "[Unit]\nAfter=network.target missing.service\nWants=other.service\n"
	     SERVICE "ExecReload=true\n[Install]\nWantedBy=multi-user.target\n");
	file("a/other.service", SERVICE);
	check_verify("good.service", 0, NULL);
	file("a/program.service", "[Service]\nExecStart=/bin/false\n");
	check_verify("program.service", 2, "program.service:2: ExecStart=: there is no program /bin/false");
	file("a/path.service", SERVICE "ExecStop=nowhere\n");
	check_verify("path.service", 2, ":3: ExecStop=: there is no program nowhere");
	file("a/mayfail.service", SERVICE "ExecStop=-/bin/nowhere\n");
	check_verify("mayfail.service", 1, ":3: ExecStop=: there is no program");
	file("a/noexec.service", "[Service]\nType=simple\n");
	check_verify("noexec.service", 2, "ExecStart= is missing");
	file("a/value.service", SERVICE "Restart=perhaps\n");
	check_verify("value.service", 2, "value.service:3: Restart=perhaps: expected no, always");
	file("a/key.service", SERVICE "Restrat=no\n");
	check_verify("key.service", 1, ":3: Restrat=: not a key that is known in [Service]");
	file("a/require.service", "[Unit]\nRequires=gone.service\n" SERVICE);
	check_verify("require.service", 2, ":2: Requires: there is no unit gone.service");
	file("a/want.service", "[Unit]\nWants=gone.service\n" SERVICE);
	check_verify("want.service", 1, ":2: Wants: there is no unit gone.service");
	file("a/bind.service", "[Unit]\nBindsTo=noexec.service\n" SERVICE);
	check_verify("bind.service", 2, "noexec.service cannot be started");
	file("a/lonely.timer", "[Timer]\nOnBootSec=1\n");
	check_verify("lonely.timer", 2, "there is no unit lonely.service");
	file("a/c1.service", "[Unit]\nAfter=c2.service\nWants=c2.service\n" SERVICE);
	file("a/c2.service", "[Unit]\nWants=c3.service\nAfter=c3.service\n" SERVICE);
	file("a/c3.service", "[Unit]\nBefore=c2.service\nAfter=c1.service\n" SERVICE);
	check_verify("c1.service", 0, NULL);
	file("a/d1.service", "[Unit]\nAfter=d2.service\n" SERVICE);
	file("a/d2.service", "[Unit]\nBefore=d1.service\nAfter=d1.service\n" SERVICE);
	check_verify("d1.service", 2, "d2.service, d1.service");
	check_verify("nowhere.service", 2, "no such unit");
	check_verify("t@.service", 2, "no such unit");
	file("a/t@.service", SERVICE);
	check_verify("t@.service", 0, NULL);
	link_to("a/mask.service", "/dev/null");
	check_verify("mask.service", 1, "is masked");
	file("a/cwd.service", SERVICE "WorkingDirectory=/nowhere\nEnvironmentFile=/nowhere\n");
	check_verify("cwd.service", 1, ":4: EnvironmentFile=: there is no /nowhere");
	free(program);
}

/* What units of DragonReach have, which nothing here may refuse. */
static void dragonreach(void)
{
	static const char *const units[][2] = {
		{ "shell.service", "[Unit]\nDescription=Shell\n\n[Service]\nType=simple\n"
		  "ExecStart=/bin/sh\nRestart=always\nExecStartPre=-/bin/clear" },
		{ "full.service", "[Unit]\nDescription=x\nDocumentation=https://example.com/x.html\n"
		  "#After=/home/x/test.service\nBinds To=a.service\nPart Of=b.service\nRequires=a.service\n"
		  "Wants=c.service\nConflicts=d.service\n[Service]\nType=simple\nExecStart=/bin/ls\n"
		  "#ExecStartPos=/bin/echo\nExecStartPos=/bin/echo x\nExecStop=/bin/true\n"
		  "ExecReload=/bin/true\nWorkingDirectory=/home/\nUser=myuser\nGroup=mygroup\n"
		  "Environment=VAR1=value1\nEnvironment=VAR2=value2\nRestart=on-failure\nRestartSec=5s\n"
		  "TimeoutStartSec=10s\nTimeoutStopSec=1.5s\nRemainAfterExit=t\nNice=20\n"
		  "[Install]\n#WantedBy=multi-user.target\nAlias=y.service\n" },
		{ "shell.timer", "[Unit]\nDescription=a timer\n\n[Timer]\nOnActiveSec=3s\n"
		  "OnUnitActiveSec=1h 30m\nOnUnitInactiveSec=2days\nUnit=shell.service\nPersistent=true" },
		{ "seed.service", "[Unit]\nRequires=network-online.target\nAfter=network-online.target\n"
		  "StartLimitBurst=6\nStartLimitIntervalSec=5\nFailureAction=reboot\n[Service]\n"
		  "Type=oneshot\nRemainAfterExit=true\nRestart=on-failure\nStandardOutput=journal+console\n"
		  "UMask=0000\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n" },
	};
	struct unit_options opt = { .say = listen_to, .root = root, .compat = true };
	struct unit_file *f;
	const struct strv *paths;
	bool reach = false;

	unit_dirs_close(dirs);
	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		char *name = xasprintf("etc/reach/system/%s", units[i][0]);

		file(name, units[i][1]);
		free(name);
	}
	dirs = unit_dirs_open(&opt);
	paths = unit_dirs_paths(dirs);
	for (size_t i = 0; i < paths->nr; i++)
		reach |= !strcmp(paths->v[i], "/etc/reach/system");
	if (!reach || strcmp(paths->v[0], "/etc/knell/system"))
		bad("the search path begins with %s", paths->v[0]);
	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		/* A second place for what is printed there is none. */
		bool console = strstr(units[i][1], "+console");

		told = 0;
		if (unit_load(dirs, units[i][0], &f) != LOAD_OK || told != console)
			bad("%s: told %zu times: %s", units[i][0], told, last_told);
		if (f && f->timer && (f->timer->nr != 3 || f->timer->values[1].ns != 5400 * NSEC_PER_SEC))
			bad("%zu times", f->timer->nr);
		if (f && !strcmp(f->name, "full.service") &&
		    (f->service->exec->nice != 19 || f->service->exec->env.nr != 2 ||
		     f->service->cmds[EXEC_START_POST]->nr != 1))
			bad("not all that it says");
		unit_file_free(f);
	}
}

int main(void)
{
	if (!mkdtemp(root))
		return 1;
	RUN(search_path(), "search path and masks");
	RUN(drop_ins(), "drop-ins");
	RUN(aliases(), "aliases, links and templates");
	RUN(wants(), "links that make dependencies");
	RUN(names(), "names of all units");
	RUN(specifiers(), "specifiers");
	RUN(no_files(), "what is no unit file");
	RUN(large(), "what is too large");
	RUN(hashes(), "hashes");
	RUN(builtins(), "units without files");
	RUN(verifying(), "verifying");
	RUN(dragonreach(), "units of DragonReach");
	return disk_done();
}
