// SPDX-License-Identifier: GPL-2.0-only
/* The interfaces' descriptions: that they are some, and say what the tables do. */
#include <dirent.h>

#include "common.h"
#include "idl.h"
#include "room.h"

FIXTURE(idl) {
	char why[200];
};

FIXTURE_SETUP(idl)
{
	self->why[0] = 0;
}

FIXTURE_TEARDOWN(idl)
{
	(void)self;
}

#define I	"interface a.b\n"

static const char *const right[] = {
	I, I "method M() -> ()", "# c\n\ninterface xn--lgbbat.Ex-am9.c\n\ttype T(a:int)\n",
	I "type T (a, b_c)\nerror E (t: []?[string](), u: ?T, v: (x, y), w: [][]T)\n# end",
	I "method M(a: object, b: (c: bool, d: float)) -> (e: string)",
};

static const char *const wrong[] = {
	"", "interface a", "interface a.", "interface .a", "interface a-.b", "interface a.-b",
	"interface 1.b", "interface a.b_c", "method M() -> ()", I "method m() -> ()",
	I "method M()", I "method M() -> (", I "method M() -> )", I "method M(a) -> ()",
	I "method M() -> (a)", I "method M(a: int,) -> ()", I "method M(a: int b: int) -> ()",
	I "method M(a: int, a: int) -> ()", I "method M(a_: int) -> ()",
	I "method M(_a: int) -> ()",
	I "method M(a__b: int) -> ()", I "method M(1a: int) -> ()", I "method M(a: T) -> ()",
	I "method M() -> (a: []T)", I "method M(a: integer) -> ()", I "method M(a: ??int) -> ()",
	I "method M(a: []) -> ()", I "method M(a: [int]int) -> ()", I "error E", I "error E (a)",
	I "type T", I "type T ()\ntype T ()", I "type T ()\nmethod T() -> ()",
	I "type T (a: int, b)",
	I "type T (a, b: int)", I "typeT ()", I "type t ()", I "type T_U ()", I "methods M() -> ()",
	I "interface a.c", I "type T (a: int))", I "type T (a: error)",
};

TEST_F_TIMEOUT(idl, grammar, LIMIT)
{
	for (size_t i = 0; i < ARRAY_SIZE(right); i++) {
		EXPECT_EQ(0, idl_check(right[i], NULL, self->why, sizeof(self->why)))
			TH_LOG("%s: %s", right[i], self->why);
	}
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		EXPECT_EQ(-1, idl_check(wrong[i], NULL, self->why, sizeof(self->why)))
			TH_LOG("%s is accepted", wrong[i]);
	}
}

static const struct varlink_param p_int[] = { { "p", VARLINK_INT, false }, { 0 } };
static const struct varlink_param p_maybe[] = { { "p", VARLINK_INT, true }, { 0 } };
static const struct varlink_param p_string[] = { { "p", VARLINK_STRING, false }, { 0 } };
static const struct varlink_param p_strings[] = { { "p", VARLINK_STRINGS, false }, { 0 } };
static const struct varlink_param p_array[] = { { "p", VARLINK_ARRAY, false }, { 0 } };
static const struct varlink_param p_object[] = { { "p", VARLINK_OBJECT, false }, { 0 } };
static const struct varlink_param q_int[] = { { "q", VARLINK_INT, false }, { 0 } };

#define M(type)	I "type E (a, b)\ntype S (a: int)\nmethod M(p: " type ") -> ()"

TEST_F_TIMEOUT(idl, tables, LIMIT)
{
	static const struct {
		const char *text;
		const struct varlink_param *params;
		int verdict;
	} cases[] = {
		{ M("int"), p_int, 0 }, { M("?int"), p_maybe, 0 }, { M("E"), p_string, 0 },
		{ M("(a, b)"), p_string, 0 }, { M("S"), p_object, 0 },
		{ M("(a: int)"), p_object, 0 },
		{ M("[string]S"), p_object, 0 }, { M("[]string"), p_strings, 0 },
		{ M("[]S"), p_array, 0 }, { M("[](a, b)"), p_array, 0 },
		{ M("[]?string"), p_array, 0 },
		{ M("[]E"), p_array, 0 },
		{ M("?int"), p_int, -1 }, { M("int"), p_maybe, -1 }, { M("float"), p_int, -1 },
		{ M("S"), p_string, -1 }, { M("E"), p_object, -1 }, { M("[]string"), p_array, -1 },
		{ M("int"), q_int, -1 }, { M("int"), NULL, -1 }, { M("int, q: int"), p_int, -1 },
		{ M("int") "\nmethod N() -> ()", p_int, -1 }, { I, p_int, -1 },
		{ "interface a.c\nmethod M(p: int) -> ()", p_int, -1 },
	};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct varlink_method methods[] = {
			{ "M", NULL, cases[i].params, 0 }, { 0 }
		};
		const struct varlink_interface in = { "a.b", NULL, methods };

		EXPECT_EQ(cases[i].verdict,
			  idl_check(cases[i].text, &in, self->why, sizeof(self->why)))
			TH_LOG("%s: %s", cases[i].text, self->why);
	}
}

extern const struct varlink_interface varlink_service;

TEST_F_TIMEOUT(idl, our_tables, LIMIT)
{
	static const struct varlink_interface *const ours[] = { &test_interface, &varlink_service };
	for (size_t i = 0; i < ARRAY_SIZE(ours); i++) {
		EXPECT_EQ(0, idl_check(ours[i]->description, ours[i], self->why, sizeof(self->why)))
			TH_LOG("%s: %s", ours[i]->name, self->why);
	}
}

/* Debian's varlink-go makes a program of it, if it is one; capitals in its name came later. */
static int understood(const char *path)
{
	char dir[] = "/tmp/varlink-test-XXXXXX", command[1024];
	int status;

	if (!mkdtemp(dir))
		return -1;
	snprintf(command, sizeof(command), "sed 's/^interface .*/\\L&/' '%s' >%s/x.varlink && cd %s && "
		 "varlink-go-interface-generator x.varlink >&2 && ls *.go >/dev/null; "
		 "s=$?; rm -r %s; exit $s", path, dir, dir, dir);
	status = system(command);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static char *text_of(const char *path)
{
	static char text[256 << 10];
	FILE *f = fopen(path, "re");
	size_t n = f ? fread(text, 1, sizeof(text) - 1, f) : 0;

	if (f)
		fclose(f);
	text[n] = 0;
	return text;
}

/* A file is named after its interface. */
static bool names_itself(const char *name, const char *text)
{
	char line[200];

	snprintf(line, sizeof(line), "\ninterface %.*s\n", (int)strlen(name) - 8, name);
	return strstr(text, line);
}

/* Every description there is, by our own reader and by somebody else's. */
TEST_F_TIMEOUT(idl, texts, LIMIT)
{
	const char *list = getenv("VARLINK_TEXTS");
	char *dirs = strdup(list ? list : "."), *dir, *rest = dirs, path[512];
	unsigned int nr = 0;

	while ((dir = strsep(&rest, ":"))) {
		DIR *d = opendir(dir);
		struct dirent *e;

		ASSERT_NE(NULL, d);
		while ((e = readdir(d))) {
			const char *dot = strrchr(e->d_name, '.');

			if (!dot || strcmp(dot, ".varlink"))
				continue;
			snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
			EXPECT_EQ(0, idl_check(text_of(path), NULL, self->why, sizeof(self->why)))
				TH_LOG("%s: %s", path, self->why);
			EXPECT_TRUE(names_itself(e->d_name, text_of(path)))
				TH_LOG("%s is another's", path);
			EXPECT_EQ(0, understood(path))
				TH_LOG("%s is not understood by varlink-go", path);
			nr++;
		}
		closedir(d);
	}
	free(dirs);
	EXPECT_LE(3, nr);
}

LIBKNELL_MAIN
