// SPDX-License-Identifier: GPL-2.0-only
/* A daemon that was written for Quagga, whole, and its neighbours. runner-limit: 900 */

/* Its main() runs in a child. */
#define main nbrd_main
int main(int argc, char **argv);
#include "../../Documentation/examples/quagga_nbrd.c"
#undef main

#include <net/if.h>
#include <sys/ioctl.h>

#include "common.h"

struct session {
	pid_t pid;
	in_port_t port;
};

static int start_daemon(struct session *s, const char *hold)
{
	char *argv[] = { "nbrd", "0", (char *)hold, NULL }, line[64] = "";
	int out[2];
	FILE *f;

	if (pipe2(out, O_CLOEXEC))
		return -1;
	fflush(NULL);
	s->pid = fork();
	if (!s->pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(out[1], STDOUT_FILENO);
		close(out[0]);
		close(out[1]);
		exit(nbrd_main(3, argv));
	}
	close(out[1]);
	f = fdopen(out[0], "r");
	if (s->pid < 0 || !f || !fgets(line, sizeof(line), f) ||
	    sscanf(line, "nbrd: port %hu", &s->port) != 1)
		return -1;
	return fclose(f);
}

static FILE *neighbor(const struct session *s)
{
	struct sockaddr_in sin = {
		.sin_family = AF_INET, .sin_port = htons(s->port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (connect(fd, (struct sockaddr *)&sin, sizeof(sin)))
		return NULL;
	return fdopen(fd, "r+");
}

static void tell(FILE *f, const char *line)
{
	fprintf(f, "%s\n", line);
	fflush(f);
}

/* Its next line that is no keepalive; "" at the end. */
static const char *heard(FILE *f)
{
	static char line[256];

	do {
		if (!fgets(line, sizeof(line), f))
			return "";
		line[strcspn(line, "\n")] = '\0';
	} while (!strcmp(line, "keepalive"));
	return line;
}

static const char *asked(FILE *f, const char *command)
{
	tell(f, command);
	return heard(f);
}

/* An answer of several lines, but for the last one, ".". */
static const char *listed(FILE *f, const char *command)
{
	static char text[16384];
	const char *line;

	text[0] = '\0';
	for (line = asked(f, command); strcmp(line, ".") && *line; line = heard(f)) {
		strcat(text, line);
		strcat(text, "\n");
	}
	return text;
}

/* How often @func has run, as the table has it; -1: not at all. */
static long invoked(const char *table, const char *types, const char *func)
{
	char want[64];
	const char *at;
	long calls;

	snprintf(want, sizeof(want), " %s %s ", types, func);
	at = strstr(table, want);
	if (!at)
		return -1;
	while (at > table && at[-1] != '\n')
		at--;
	return sscanf(at, "%*s %ld", &calls) == 1 ? calls : -1;
}

/* The best backend that there is. */
static bool sleeps_on_kernel(pid_t pid)
{
	char path[64], target[64];
	ssize_t n;
	bool found = false;

	for (int fd = 0; fd < 32 && !found; fd++) {
		snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, fd);
		n = readlink(path, target, sizeof(target) - 1);
		if (n > 0) {
			target[n] = '\0';
			found = !strcmp(target, "/dev/knell");
		}
	}
	return found;
}

FIXTURE(daemon) {
	struct session s;
};

/* The guest's is down. */
static int loopback_up(void)
{
	struct ifreq ifr = { .ifr_name = "lo" };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int err = ioctl(fd, SIOCGIFFLAGS, &ifr);

	if (!err && !(ifr.ifr_flags & IFF_UP)) {
		ifr.ifr_flags |= IFF_UP;
		err = ioctl(fd, SIOCSIFFLAGS, &ifr);
	}
	close(fd);
	return err;
}

FIXTURE_SETUP(daemon)
{
	self->s.pid = 0;
	ASSERT_EQ(0, loopback_up());
}

FIXTURE_TEARDOWN(daemon)
{
	if (self->s.pid > 0)
		kill(self->s.pid, SIGKILL);
}

LOOP_TEST(daemon, answers)
{
	struct session *s = &self->s;
	const char *table;
	FILE *a, *b;

	ASSERT_EQ(0, start_daemon(s, "100000"));
	EXPECT_EQ(!access("/dev/knell", R_OK | W_OK), sleeps_on_kernel(s->pid));
	/* Who connects later may be accepted first, unless the other one has been. */
	ASSERT_NE(NULL, a = neighbor(s));
	EXPECT_STREQ("hello alice", asked(a, "hello alice"));
	ASSERT_NE(NULL, b = neighbor(s));
	EXPECT_STREQ("hello bob", asked(b, "hello bob"));
	EXPECT_STREQ("bob\nalice\n", listed(a, "show neighbors"));
	EXPECT_EQ(0, strncmp(asked(a, "hold"), "hold 99 ", 8));

	/* Events in their order, or cancelled all at once; a thread that is executed. */
	EXPECT_STREQ("event 0", asked(a, "events 3"));
	EXPECT_STREQ("event 1", heard(a));
	EXPECT_STREQ("event 2", heard(a));
	EXPECT_STREQ("cancelled 5", asked(a, "cancel 5"));
	EXPECT_STREQ("executed 42", asked(a, "execute 42"));

	/* Routes while the table is walked: a walk never ends but yields. */
	tell(b, "walk");
	EXPECT_STREQ("installed 10/8 1", asked(a, "route 10/8\nroute late\nroute busy\nroute bad"));
	EXPECT_STREQ("installed busy 2", heard(a));
	EXPECT_STREQ("refused bad", heard(a));
	EXPECT_STREQ("installed late 2", heard(a));
	EXPECT_STREQ("rib 3", heard(a));
	EXPECT_STREQ("rib 3", heard(b));
	EXPECT_STREQ("late\nbusy\n10/8\n", listed(a, "show routes"));
	do {
		table = listed(a, "show thread cpu b");
		ASSERT_NE('\0', table[0]);
	} while (invoked(table, "     B", "rib_walk") < 3);
	EXPECT_EQ(0, strncmp(asked(b, "walk off"), "walked ", 7));

	/* What it has done, by the program's own names. */
	table = listed(a, "show thread cpu");
	EXPECT_NE(NULL, strstr(table, "CPU (user+system): Real (wall-clock):"));
	EXPECT_EQ(2, invoked(table, "R     ", "nbr_accept"));
	EXPECT_EQ(3, invoked(table, "   E  ", "cmd_event"));
	EXPECT_EQ(1, invoked(table, "    X ", "cmd_executed"));
	EXPECT_EQ(1, invoked(table, "   E  ", "rib_changed"));
	EXPECT_LE(2, invoked(table, "     B", "work_queue_run"));
	EXPECT_LE(1, invoked(table, " W    ", "nbr_write"));
	EXPECT_LE(10, invoked(table, "RWTEXB", "TOTAL"));
	EXPECT_EQ(NULL, strstr(table, "run_thread"));
	EXPECT_EQ(-1, invoked(listed(a, "show thread cpu w"), "R     ", "nbr_read"));
	EXPECT_NE(NULL, strstr(listed(a, "show thread cpu q"), "Invalid filter"));
	tell(a, "clear thread cpu");
	EXPECT_GE(0, invoked(listed(a, "show thread cpu"), "R     ", "nbr_accept"));

	kill(s->pid, SIGHUP);
	EXPECT_STREQ("rib 0", heard(a));
	EXPECT_STREQ("rib 0", heard(b));
	EXPECT_STREQ("bye", asked(b, "quit"));
	EXPECT_STREQ("", heard(b));
	fclose(b);
	kill(s->pid, SIGTERM);
	EXPECT_STREQ("", heard(a));
	EXPECT_EQ(0, child_status(s->pid));
	s->pid = 0;
	fclose(a);
}

/* Who is silent for the hold time goes, and is sent three keepalives in it. */
LOOP_TEST(daemon, hold)
{
	char line[64];
	struct session *s = &self->s;
	unsigned int keepalives = 0;
	uint64_t start;
	FILE *a;

	ASSERT_EQ(0, start_daemon(s, "900"));
	ASSERT_NE(NULL, a = neighbor(s));
	start = now_ns();
	EXPECT_STREQ("hello alice", asked(a, "hello alice"));
	while (fgets(line, sizeof(line), a) && !strcmp(line, "keepalive\n"))
		keepalives++;
	EXPECT_STREQ("hold timer expired\n", line);
	EXPECT_LE(900 * MSEC, now_ns() - start);
	EXPECT_LE(1, keepalives);
	EXPECT_GE(3, keepalives);
	EXPECT_STREQ("", heard(a));
	fclose(a);
	kill(s->pid, SIGINT);
	EXPECT_EQ(0, child_status(s->pid));
	s->pid = 0;
}

LIBKNELL_MAIN
