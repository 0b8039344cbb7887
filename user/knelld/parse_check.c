// SPDX-License-Identifier: GPL-2.0-only
/*
 * The parts of knelld that need no module, on the host and under sanitizers: tables of what
 * texts mean, random mutations of unit files (whatever they say, nothing may go wrong), and
 * random dependencies (units on a cycle, all of them and only them, are found).
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "knelld.h"

#ifndef MUTATIONS
#define MUTATIONS	60000
#endif
#define GRAPHS		300
#define GRAPH_UNITS	10

static int failures, checks;

/* stderr is where knelld complains of the texts. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "log_path=stdout";
}

const char *__ubsan_default_options(void);
const char *__ubsan_default_options(void)
{
	return "log_path=stdout:print_stacktrace=1";
}

#define CHECK(cond, ...) do {						\
	checks++;							\
	if (!(cond)) {							\
		failures++;						\
		printf("%s:%d: " #cond ": ", __FILE__, __LINE__);	\
		printf(__VA_ARGS__);					\
		printf("\n");						\
	}								\
} while (0)

static uint64_t random_state = 0x9e3779b97f4a7c15ULL;

static uint32_t below(uint32_t n)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (random_state >> 32) % n;
}

static const struct {
	const char *text;
	uint64_t ns;		/* 0: not a time span (or none of it is zero's) */
} spans[] = {
	{ "5", 5000000000 }, { "5s", 5000000000 }, { "5 s", 5000000000 }, { "100ms", 100000000 },
	{ "1min 30s", 90000000000 }, { "1h30m", 5400000000000 }, { "2d", 172800000000000 },
	{ "1.05s", 1050000000 }, { ".5s", 500000000 }, { "1.5h", 5400000000000 },
	{ "50us", 50000 }, { "50\xc2\xb5s", 50000 }, { "1month", 2629800000000000 },
	{ "1M", 2629800000000000 }, { "1w", 604800000000000 }, { "1y", 31557600000000000 },
	{ "2 hours 3 minutes 4 seconds", 7384000000000 }, { "infinity", FOREVER },
	{ " infinity ", FOREVER }, { "20 5s", 25000000000 },
	{ "", 0 }, { " ", 0 }, { "s", 0 }, { "-1", 0 }, { "1x", 0 }, { "5minx", 0 }, { "1.", 0 },
	{ "soon", 0 }, { "infinity 1", 0 }, { "99999999999999999999", 0 }, { "1000y", 0 },
	{ "1e3", 0 }, { "0x10", 0 },
};

static void check_spans(void)
{
	uint64_t ns;

	for (size_t i = 0; i < ARRAY_SIZE(spans); i++) {
		int ret = parse_span(spans[i].text, &ns);

		CHECK(ret == (spans[i].ns ? 0 : -1), "\"%s\"", spans[i].text);
		CHECK(ret || ns == spans[i].ns, "\"%s\": %llu", spans[i].text,
		      (unsigned long long)ns);
	}
	CHECK(!parse_span("0", &ns) && !ns, "0");
}

/* Words are separated by "|" in what is expected; "!" at its end: an unclosed quote. */
static const char *const words[][2] = {
	{ "a b  c\t d", "a|b|c|d|" },
	{ "\"a b\" 'c d'e f\"g\"", "a b|c de|fg|" },
	{ "a\\ b", "a\\|b|" },
	{ "\\x41\\102\\u00e9\\t\\s\\\\", "AB\xc3\xa9\t \\|" },
	{ "\\U0001f514 \\xZZ \\q \\400", "\xf0\x9f\x94\x94|\\xZZ|\\q|\\400|" },
	{ "\\x00 \\000 \\ud800", "\\x00|\\000|\\ud800|" },
	{ "'' \"\"", "||" },
	{ "'a\"b' \"a'b\"", "a\"b|a'b|" },
	{ "a \"b", "a|b|!" },
	{ "a\\", "a\\|" },
	{ "", "" },
};

static void check_words(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		char got[256] = "", *word;
		const char *s = words[i][0];
		int ret;

		while ((ret = word_next(&s, &word))) {
			strcat(strcat(got, word), "|");
			free(word);
			if (ret < 0)
				break;
		}
		if (ret < 0)
			strcat(got, "!");
		CHECK(!strcmp(got, words[i][1]), "<%s> gave <%s>", words[i][0], got);
	}
}

static const char *const line_tests[][2] = {
	{ "a\nb", "1a|2b|" },
	{ "a\\\nb\nc", "1a b|3c|" },
	{ "a \\\n# no\n ; no\n  b\\\nc\n\nd", "1a    b c|7d|" },
	{ "a\\\\\nb", "1a\\\\|2b|" },
	{ "  # x\n\n \t \n;y\n z \r\n", "5z|" },
	{ "a\\", "1a|" },
	{ "\\\n\\\n", "" },
	{ "a\\\n\nb", "1a|3b|" },
};

static void check_lines(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(line_tests); i++) {
		char *text = xstrdup(line_tests[i][0]), got[256] = "", *line;
		struct lines l = { .pos = text };
		unsigned int nr;

		while ((line = lines_next(&l, &nr)))
			sprintf(got + strlen(got), "%u%s|", nr, line);
		CHECK(!strcmp(got, line_tests[i][1]), "test %zu gave <%s>", i, got);
		free(text);
	}
}

static const struct {
	const char *text;
	int sig;		/* 0: no signal */
} signals[] = {
	{ "SIGTERM", SIGTERM }, { "TERM", SIGTERM }, { "15", 15 }, { "1", 1 }, { "64", 64 },
	{ "USR1", SIGUSR1 }, { "SIGRTMIN+3", 37 }, { "RTMIN", 34 }, { "SIGRTMIN+30", 64 },
	{ "", 0 }, { "0", 0 }, { "65", 0 }, { "-1", 0 }, { "SIG", 0 }, { "sigterm", 0 },
	{ "SIGSIGTERM", 0 }, { "15x", 0 }, { "RTMIN+", 0 }, { "RTMIN+31", 0 }, { "RTMIN+-1", 0 },
	{ "SIG15", 0 }, { "99999999999999999999", 0 },
};

static void check_signals(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
		int sig = 0, ret = parse_signal(signals[i].text, &sig);

		CHECK(ret == (signals[i].sig ? 0 : -1), "\"%s\"", signals[i].text);
		CHECK(sig == signals[i].sig, "\"%s\": %d", signals[i].text, sig);
	}
}

static void check_specifiers(void)
{
	static const char *const tests[][2] = {
		{ "%n %N %p %t %%", "a@b.service a@b a /run %" }, { "none", "none" },
		{ "%", NULL }, { "%z", NULL }, { "100%%", "100%" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(tests); i++) {
		char *got = specifiers(tests[i][0], "a@b.service");

		CHECK(tests[i][1] ? got && !strcmp(got, tests[i][1]) : !got, "%s", tests[i][0]);
		free(got);
	}
}

static void check_env_file(void)
{
	static const char text[] =
		"A=1\n # c\n;c\nB = spaced out \nC=\"q\\\"\\$x\\n\"tail 'lit\\eral'\nbad line\n"
		"D=a\\\nb\\ \nA=2\nexport E=1\n=x\nF='open";
	static const char *const expected[] = {
		"A=2", "B=spaced out", "C=q\"$x\\ntail lit\\eral", "D=ab ", "F=open",
	};
	struct strv env = { 0 };
	unsigned int bad = env_file(text, &env);

	CHECK(bad == 6, "line %u", bad);
	CHECK(env.nr == ARRAY_SIZE(expected), "%zu", env.nr);
	for (size_t i = 0; i < env.nr && i < ARRAY_SIZE(expected); i++)
		CHECK(!strcmp(env.v[i], expected[i]), "<%s>", env.v[i]);
	strv_free(&env);
}

static const char *const seeds[] = {
	"[Unit]\nDescription=Redis %n\nAfter=b.service c.service\nRequires=b.service\n"
	"Wants=d.service\nBefore=e.service\nStartLimitBurst=3\nStartLimitIntervalSec=1min 30s\n"
	"[Service]\nType=simple\nExecStartPre=-/bin/a \"b c\" 'd' ; /bin/e \\; \\x41\n"
	"ExecStart=@/bin/f argv0 $A ${B} $$C \\\n # comment\n more\nExecStopPost=+/bin/g\n"
	"Restart=on-failure\nRestartSec=100ms\nEnvironment=A=1 \"B=2 3\"\nEnvironment=\n"
	"EnvironmentFile=-/etc/x\nWorkingDirectory=~\nUser=u\nGroup=1\nTimeoutStartSec=infinity\n"
	"TimeoutStopSec=5\n[Install]\nWantedBy=multi-user.target\n",
	"[Service]\nType=forking\nPIDFile=run/%N.pid\nExecStart=/bin/a\nExecStop=/bin/b $MAINPID\n"
	"ExecStartPost=/bin/c\nKillMode=mixed\nKillSignal=SIGRTMIN+3\nSendSIGKILL=no\n"
	"SuccessExitStatus=0 255 SIGKILL\nRestartPreventExitStatus=\nFinalKillSignal=6\n",
	"[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/a\nExecStart=/bin/b\n"
	"ExecStart=\nExecStart=c\nTimeoutSec=1.5h\n",
	"\xef\xbb\xbf[Unit]\nDescription=x\\\ny\n[X-Own]\na=b\n[Service]\nExecStart=/bin/true",
};

/* Anything may become of a text: bytes, runs, pieces of other texts, its length. */
static size_t mutate(char *text, size_t len, size_t room)
{
	static const char *const pieces[] = {
		"\\", "\n", "=", "[", "]", "\"", "'", "%", "%n", "$", "${", "}", "\\x", "\\U0010ffff",
		" ; ", "\\;", "ExecStart=", "infinity", "#", "\r", "-", "@", "[Service]\n",
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
	text[len] = '\0';
	return len;
}

/* What a start would do with the texts in it. */
static void use(const struct conf *c)
{
	for (size_t k = 0; k < EXEC_KINDS; k++) {
		for (size_t i = 0; i < c->exec[k].nr; i++) {
			struct strv argv = { 0 };

			env_expand(&c->exec[k].v[i], &c->env, &argv);
			CHECK(argv.nr && !argv.v[argv.nr], "%zu words", argv.nr);
			strv_free(&argv);
		}
	}
}

static void mutate_units(void)
{
	size_t good = 0;

	for (int i = 0; i < MUTATIONS; i++) {
		const char *seed = seeds[below(ARRAY_SIZE(seeds))];
		const size_t room = 4096;
		char *text = xcalloc(room, 1), *exact;
		struct conf *conf = NULL;
		struct strv env = { 0 };
		size_t len;

		len = mutate(strcpy(text, seed), strlen(seed), room);
		/* No byte more than there is, so that reading one shows. */
		exact = memcpy(xcalloc(len + 1, 1), text, len);
		free(text);
		env_file(exact, &env);
		strv_free(&env);
		if (conf_parse("a.service", exact, len, &conf) == LOAD_OK) {
			use(conf);
			good++;
		}
		conf_free(conf);
		free(exact);
	}
	CHECK(good > MUTATIONS / 100, "only %zu good ones of %d", good, MUTATIONS);
}

/* Writes units with random dependencies; after[i][j]: i is ordered after j. */
static void random_units(int dirfd, bool after[GRAPH_UNITS][GRAPH_UNITS])
{
	char name[32];

	memset(after, 0, GRAPH_UNITS * sizeof(*after));
	for (int i = 0; i < GRAPH_UNITS; i++) {
		FILE *f;

		snprintf(name, sizeof(name), "u%d.service", i);
		f = fdopen(openat(dirfd, name, O_CREAT | O_TRUNC | O_WRONLY, 0644), "w");
		if (!f)
			abort();
		fputs("[Service]\nExecStart=/bin/true\n[Unit]\n", f);
		for (uint32_t n = below(4); n; n--) {
			int j = below(GRAPH_UNITS);
			bool before = below(2);

			fprintf(f, "%s=u%d.service\n", before ? "Before" : "After", j);
			if (i != j)
				after[before ? j : i][before ? i : j] = true;
		}
		fclose(f);
	}
}

static void close_transitively(bool reach[GRAPH_UNITS][GRAPH_UNITS])
{
	for (int k = 0; k < GRAPH_UNITS; k++)
		for (int i = 0; i < GRAPH_UNITS; i++)
			for (int j = 0; j < GRAPH_UNITS; j++)
				reach[i][j] |= reach[i][k] && reach[k][j];
}

/* Can every unit be stopped, one after the other? */
static size_t stoppable(void)
{
	size_t nr = 0;

	for (size_t i = 0; i < nr_units; i++)
		units[i]->state = STATE_RUN;
	for (size_t round = 0; round < nr_units; round++) {
		for (size_t i = 0; i < nr_units; i++) {
			if (units[i]->state == STATE_RUN && graph_may_stop(units[i])) {
				units[i]->state = STATE_DOWN;
				nr++;
			}
		}
	}
	return nr;
}

static void check_graphs(void)
{
	char dir[] = "/tmp/parse_check.XXXXXX", command[64];
	bool reach[GRAPH_UNITS][GRAPH_UNITS];
	int dirfd;

	if (!mkdtemp(dir))
		abort();
	dirfd = open(dir, O_RDONLY | O_DIRECTORY);
	for (int n = 0; n < GRAPHS; n++) {
		random_units(dirfd, reach);
		CHECK(!units_load(dir), "%s", dir);
		close_transitively(reach);
		for (int i = 0; i < GRAPH_UNITS; i++) {
			char name[32];
			struct unit *u;

			snprintf(name, sizeof(name), "u%d.service", i);
			u = unit_find(name);
			CHECK(u && u->cyclic == reach[i][i], "graph %d, unit %d", n, i);
		}
		CHECK(stoppable() == GRAPH_UNITS, "graph %d", n);
	}
	close(dirfd);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	CHECK(!system(command), "%s", command);
	for (size_t i = 0; i < nr_units; i++)
		conf_free(units[i]->next);
}

int main(void)
{
	int null = open("/dev/null", O_WRONLY);

	/* The log of what is wrong with the texts. */
	if (null < 0 || dup2(null, STDERR_FILENO) < 0)
		return 1;
	check_spans();
	check_words();
	check_lines();
	check_signals();
	check_specifiers();
	check_env_file();
	check_graphs();
	mutate_units();
	printf("%d checks, %d failed\n", checks, failures);
	return failures != 0;
}
