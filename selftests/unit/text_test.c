// SPDX-License-Identifier: GPL-2.0-only
/*
 * The text of a unit: words, lines, names; and texts that were mutated.
 *
 * usage: text_test [MUTATIONS [SEED]]
 */
#include "disk.h"

/* Words are separated by "|" in what is expected; "!" at its end: an unclosed quote. */
static void words(void)
{
	static const char *const tests[][2] = {
		{ "a b  c\t d", "a|b|c|d|" }, { "\"a b\" 'c d'e f\"g\"", "a b|c de|fg|" },
		{ "a\\ b", "a\\ b|" }, { "\\x41\\102\\u00e9\\t\\s\\\\", "AB\xc3\xa9\t \\|" },
		{ "\\U0001f514 \\xZZ \\q \\400", "\xf0\x9f\x94\x94|\\xZZ|\\q|\\400|" },
		{ "\\x00 \\000 \\ud800", "\\x00|\\000|\\ud800|" }, { "'' \"\"", "||" },
		{ "'a\"b' \"a'b\"", "a\"b|a'b|" }, { "a \"b", "a|b|!" }, { "a\\", "a\\|" },
		{ "\"a\\\"b\"", "a\"b|" }, { "'a\\'b'", "a'b|" }, { "", "" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(tests); i++) {
		char got[256] = "", *word;
		const char *s = tests[i][0];
		int ret;

		while ((ret = word_next(&s, &word))) {
			strcat(strcat(got, word), "|");
			free(word);
			if (ret < 0)
				break;
		}
		if (ret < 0)
			strcat(got, "!");
		if (strcmp(got, tests[i][1]))
			bad("<%s> gave <%s>", tests[i][0], got);
	}
}

static void lines(void)
{
	static const char *const tests[][2] = {
		{ "a\nb", "1a|2b|" }, { "a\\\nb\nc", "1a b|3c|" },
		{ "a \\\n# no\n ; no\n  b\\\nc\n\nd", "1a  b c|7d|" }, { "a\\\\\nb", "1a\\\\|2b|" },
		{ "  # x\n\n \t \n;y\n z \r\n", "5z|" }, { "a\\", "1a|" }, { "\\\n\\\n", "" },
		{ "a\\\n\nb", "1a|3b|" }, { "a\r\nb\rc", "1a|2b|3c|" }, { "a\\\r\nb", "1a b|" },
		{ "a\\ \nb", "1a\\|2b|" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(tests); i++) {
		char *text = xstrdup(tests[i][0]), got[256] = "", *line;
		struct lines l = { .pos = text };
		unsigned int nr;

		while ((line = lines_next(&l, &nr)))
			sprintf(got + strlen(got), "%u%s|", nr, line);
		if (strcmp(got, tests[i][1]))
			bad("test %zu gave <%s>, not <%s>", i, got, tests[i][1]);
		free(text);
	}
}

static void unit_names(void)
{
	static const struct {
		const char *name;
		enum unit_kind kind;
	} tests[] = {
		{ "a.service", UNIT_SERVICE }, { "a@b.timer", UNIT_TIMER }, { "a@.socket", UNIT_SOCKET },
		{ "a\\x2db:c_d.target", UNIT_TARGET }, { "-.mount", UNIT_FOREIGN },
		{ "a.b.service", UNIT_SERVICE }, { "a", UNIT_NOT_A_NAME }, { ".service", UNIT_NOT_A_NAME },
		{ "@.service", UNIT_NOT_A_NAME }, { "@a.service", UNIT_NOT_A_NAME },
		{ "a b.service", UNIT_NOT_A_NAME }, { "a/b.service", UNIT_NOT_A_NAME },
		{ "a.foo", UNIT_NOT_A_NAME }, { "a.", UNIT_NOT_A_NAME }, { "", UNIT_NOT_A_NAME },
		{ "a@b@c.service", UNIT_SERVICE }, { "a.Service", UNIT_NOT_A_NAME },
	};
	char long_name[300];

	for (size_t i = 0; i < ARRAY_SIZE(tests); i++)
		if (unit_name_kind(tests[i].name) != tests[i].kind)
			bad("%s: %d", tests[i].name, unit_name_kind(tests[i].name));
	memset(long_name, 'a', sizeof(long_name));
	strcpy(long_name + 247, ".service");
	if (unit_name_kind(long_name) != UNIT_SERVICE)
		bad("255 characters");
	strcpy(long_name + 248, ".service");
	if (unit_name_kind(long_name) != UNIT_NOT_A_NAME)
		bad("256 characters");
}

static const char *const seeds[] = {
	"[Unit]\nDescription=Redis %n\nAfter=b.service c.service\nRequires=b.service\n"
	"Wants=d@.service\nBefore=e.service\nStartLimitBurst=3\nStartLimitIntervalSec=1min 30s\n"
	"ConditionPathExists=|!/x/%i\nAssertUser=%u\nRequiresMountsFor=/a \"/b c\"\n"
	"[Service]\nType=simple\nExecStartPre=-/bin/a \"b c\" 'd' ; /bin/e \\; \\x41\n"
	"ExecStart=@/bin/f argv0 $A ${B} $$C \\\n # comment\n more\nExecStopPost=+/bin/g\n"
	"Restart=on-failure\nRestartSec=100ms\nEnvironment=A=1 \"B=2 3\"\nEnvironment=\n"
	"EnvironmentFile=-/etc/x\nWorkingDirectory=~\nUser=u\nGroup=1\nTimeoutStartSec=infinity\n"
	"StandardInputText=a\\tb%%\nStandardInputData=YWJj\nCPUAffinity=0-3,5\nLimitNOFILE=1:2\n"
	"TimeoutStopSec=5\n[Install]\nWantedBy=multi-user.target\nAlias=%p-x.service\n",
	"[Service]\nType=forking\nPIDFile=run/%N.pid\nExecStart=/bin/a\nExecStop=/bin/b $MAINPID\n"
	"ExecStartPost=/bin/c\nKillMode=mixed\nKillSignal=SIGRTMIN+3\nSendSIGKILL=no\n"
	"SuccessExitStatus=0 255 SIGKILL\nRestartPreventExitStatus=\nFinalKillSignal=6\n"
	"RuntimeDirectory=a b:c\nStateDirectoryMode=0700\nCapabilityBoundingSet=~CAP_KILL\n"
	"SecureBits=noroot\nIOSchedulingClass=idle\nCoredumpFilter=default 0x7\nUMask=022\n",
	"[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/a\nExecStart=/bin/b\n"
	"ExecStart=\nExecStart=c\nTimeoutSec=1.5h\nProtectSystem=strict\nPrivateTmp=yes\n",
	"\xef\xbb\xbf[Unit]\nDescription=x\\\ny\n[X-Own]\na=b\n[Service]\nExecStart=/bin/true",
	"[Unit]\nDescription=%f\n[Timer]\nOnCalendar=Mon..Fri *-*-1/2 12:00:00 UTC\nOnBootSec=1h 5min\n"
	"AccuracySec=1us\nRandomizedDelaySec=5\nUnit=x.service\nPersistent=true\n",
	"[Socket]\nListenStream=[::1]:80\nListenStream=/run/x\nListenDatagram=1.2.3.4:5\n"
	"ListenFIFO=/f\nListenSpecial=/s\nAccept=yes\nSocketMode=0600\nIPTOS=low-delay\n"
	"BindToDevice=eth0\nSymlinks=/a\nFileDescriptorName=x\nExecStartPre=/bin/a\n",
};

/* Anything may become of a text: bytes, runs, pieces of other texts, its length. */
static size_t mutate(char *text, size_t len, size_t room)
{
	static const char *const pieces[] = {
		"\\", "\n", "=", "[", "]", "\"", "'", "%", "%n", "%I", "%f", "$", "${", "}", "\\x",
		"\\U0010ffff", " ; ", "\\;", "ExecStart=", "infinity", "#", "\r", "-", "@", "[Service]\n",
		"../", "/", ":", "~", "|!", "0", "99999999999999999999", "=\n", "\xc3\xa9", "..", "*",
	};

	for (uint32_t n = 1 + below(8); n; n--) {
		uint32_t at = below(len + 1), what = below(4);
		const char *piece = pieces[below(ARRAY_SIZE(pieces))];
		size_t size = what == 1 ? strlen(piece) : below(20);

		if (what == 0 && at < len) {
			text[at] = below(256);
		} else if (what == 1 && len + size < room) {
			memmove(text + at + size, text + at, len - at);
			memcpy(text + at, piece, size);
			len += size;
		} else if (what == 2 && at + size <= len) {
			memmove(text + at, text + at + size, len - at - size);
			len -= size;
		} else if (what == 3 && at + size <= len && len + size < room) {
			memmove(text + at + size, text + at, len - at);
			len += size;
		}
	}
	return len;
}

/* What is promised of all that comes out. */
static void check_invariants(const struct unit_file *f, enum load ret)
{
	const struct commands *const *cmds = f->service ? f->service->cmds : f->socket ? f->socket->cmds : NULL;

	if ((ret == LOAD_BAD) != !!f->bad || !f->description || !f->nr_sources)
		bad("%s: %d, bad: %s", f->name, ret, f->bad);
	for (size_t i = 0; i < f->nr_deps; i++)
		if (!unit_name_ok(f->deps[i].name) || unit_name_is_template(f->deps[i].name) ||
		    f->deps[i].kind >= DEP_KINDS || f->deps[i].where.file >= f->nr_sources)
			bad("dependency on %s", f->deps[i].name);
	for (int k = 0; cmds && k < EXEC_KINDS; k++)
		for (size_t i = 0; i < cmds[k]->nr; i++) {
			const struct command *c = &cmds[k]->v[i];

			if (!c->argv.nr || c->argv.v[c->argv.nr] || !*c->path ||
			    (*c->path != '/' && strchr(c->path, '/') && !(c->flags & CMD_SHELL)))
				bad("command %s", c->path);
		}
	if (ret == LOAD_OK && f->timer && !f->timer->nr && !f->timer->on_clock_change &&
	    !f->timer->on_timezone_change)
		bad("a timer without a time");
}

static void mutations(int nr)
{
	static const char *const kinds[] = { "a-b@c.service", "x.timer", "x@y\\x2d.socket", "x.target",
					     "a-b.service" };
	const size_t room = 4096;
	char *text = xcalloc(room, 1), *exact;
	int good = 0;

	reopen();
	for (int i = 0; i < nr; i++) {
		uint32_t s = below(ARRAY_SIZE(seeds));
		const char *name = below(4) ? s == 4 ? kinds[1] : s == 5 ? kinds[2] : kinds[0] :
				   kinds[below(ARRAY_SIZE(kinds))];
		size_t len = mutate(strcpy(text, seeds[s]), strlen(seeds[s]), room);
		struct unit_file *f;
		enum load ret;

		/* No byte more than there is, so that reading one shows. */
		exact = memcpy(xcalloc(len, 1), text, len);
		ret = unit_parse(dirs, name, "mutated", exact, len, &f);
		check_invariants(f, ret);
		good += ret == LOAD_OK;
		unit_file_free(f);
		free(exact);
	}
	free(text);
	printf("# %d of %d can be started\n", good, nr);
	if (good < nr / 20)
		bad("only %d of %d can be started", good, nr);
}

int main(int argc, char **argv)
{
	if (!mkdtemp(root))
		return 1;
	if (argc > 2)
		random_state += strtoul(argv[2], NULL, 10) * 0x9e3779b97f4a7c15;
	RUN(words(), "words");
	RUN(lines(), "lines");
	RUN(unit_names(), "names of units");
	RUN(mutations(argc > 1 ? atoi(argv[1]) : 20000), "mutated texts");
	return disk_done();
}
