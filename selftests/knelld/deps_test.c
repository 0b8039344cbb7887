// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every kind of dependency by everything that may happen to either unit: the table that follows
 * from systemd.unit(5).
 *
 * runner-limit: 1800
 */
#include "host.h"

#define DAEMON	"StartLimitIntervalSec=0\n[Service]\nExecStart=/bin/sleep 100000\n" \
	"ExecReload=/bin/true\n"
#define NO_BLOCK ",\"noBlock\":true"
#define BROKEN	"StartLimitIntervalSec=0\n[Service]\nType=oneshot\nExecStart=/bin/false\n"

/* What happens; before it both are down, one is up, or both are. */
static const struct happening {
	const char *name;
	const char *up;			/* which are, in which order they were started */
	const char *method;		/* NULL: SIGKILL */
	char to;			/* c: as a, but what it depends on fails */
} happenings[] = {
	{ "start of a", "", "StartUnits", 'a' },
	{ "start of b", "", "StartUnits", 'b' },
	{ "start of a beside b", "b", "StartUnits", 'a' },
	{ "start with b broken", "", "StartUnits", 'c' },
	{ "stop of a", "ba", "StopUnits", 'a' },
	{ "stop of b", "ba", "StopUnits", 'b' },
	{ "restart of a", "ba", "RestartUnits", 'a' },
	{ "restart of b", "ba", "RestartUnits", 'b' },
	{ "death of a", "ba", NULL, 'a' },
	{ "death of b", "ba", NULL, 'b' },
	{ "reload of a", "ba", "ReloadUnits", 'a' },
	{ "reload of b", "ba", "ReloadUnits", 'b' },
	{ "stop of a alone", "a", "StopUnits", 'a' },
	{ "death of a alone", "a", NULL, 'a' },
};

#define NR_HAPPENINGS (sizeof(happenings) / sizeof(*happenings))

/*
 * What has become of a and b (c and its broken b): "-" down, "+" up as before, "r" up with another
 * process than before, "f" failed, "l" reloaded. ".." such a case there is none; "s." of those that
 * are to be up one is not.
 */
static const struct kind {
	const char *name, *keys;	/* of a; %s is b */
	const char *of_b;
	const char *want;
} kinds[] = {
	{ "after", "After=%s", "",
		"+- -+ ++ +- -+ +- r+ +r f+ +f l+ +l -- f-" },
	{ "before", "Before=%s", "",
		"+- -+ ++ +- -+ +- r+ +r f+ +f l+ +l -- f-" },
	{ "requires", "Requires=%s\nAfter=%s", "",
		"++ -+ ++ -f -+ -- r+ rr f+ +f l+ +l .. .." },
	{ "requires-unordered", "Requires=%s", "",
		"++ -+ ++ .. -+ -- r+ rr f+ +f l+ +l .. .." },
	{ "requisite", "Requisite=%s\nAfter=%s", "",
		"-- -+ ++ -- -+ -- r+ rr f+ +f l+ +l .. .." },
	{ "wants", "Wants=%s\nAfter=%s", "",
		"++ -+ ++ +f -+ +- r+ +r f+ +f l+ +l .. .." },
	{ "binds-to", "BindsTo=%s\nAfter=%s", "",
		"++ -+ ++ -f -+ -- r+ rr f+ -f l+ +l .. .." },
	{ "binds-to-unordered", "BindsTo=%s", "",
		"++ -+ ++ .. -+ -- r+ rr f+ -f l+ +l .. .." },
	{ "part-of", "PartOf=%s", "",
		"+- -+ ++ +- -+ -- r+ rr f+ +f l+ +l -- f-" },
	{ "conflicts", "Conflicts=%s", "",
		"+- -+ +- +- .. .. .. .. .. .. .. .. -- f-" },
	{ "conflicts-after", "Conflicts=%s\nAfter=%s", "",
		"+- -+ +- +- .. .. .. .. .. .. .. .. -- f-" },
	{ "upholds", "Upholds=%s", "",
		"++ -+ ++ .. -+ +r r+ +r f+ +r l+ +l .. .." },
	{ "on-failure", "OnFailure=%s", "",
		"+- -+ ++ +- -+ +- r+ +r f+ +f l+ +l -- f+" },
	{ "on-success", "OnSuccess=%s", "",
		"+- -+ ++ +- -+ +- r+ +r f+ +f l+ +l -+ f-" },
	{ "propagates-reload-to", "PropagatesReloadTo=%s", "",
		"+- -+ ++ +- -+ +- r+ +r f+ +f ll +l -- f-" },
	{ "reload-propagated-from", "ReloadPropagatedFrom=%s", "",
		"+- -+ ++ +- -+ +- r+ +r f+ +f l+ ll -- f-" },
	{ "propagates-stop-to", "PropagatesStopTo=%s", "",
		"+- -+ ++ +- -- +- r+ +r f- +f l+ +l -- f-" },
	{ "stop-propagated-from", "StopPropagatedFrom=%s", "",
		"+- -+ ++ +- -+ -- r+ +r f+ -f l+ +l -- f-" },
	{ "joins-namespace-of", "JoinsNamespaceOf=%s", "",
		"+- -+ ++ +- -+ +- r+ +r f+ +f l+ +l -- f-" },
	/* What nobody needs is stopped, also right after its own start. */
	{ "unneeded", "Wants=%s", "StopWhenUnneeded=yes\n",
		"++ -- s. +f .. .. .. .. .. .. .. .. .. .." },
	{ "unneeded-required", "Requires=%s\nAfter=%s", "StopWhenUnneeded=yes\n",
		"++ -- s. -f .. .. .. .. .. .. .. .. .. .." },
};

#define NR_KINDS (sizeof(kinds) / sizeof(*kinds))

static const char *of_kind(const struct kind *k, char which)
{
	static char names[4][64];

	snprintf(names[which - 'a'], sizeof(names[0]), "%c-%s.service", which, k->name);
	return names[which - 'a'];
}

/* What a unit is now. */
struct now {
	char active;
	pid_t pid;
	size_t reloads;
};

static bool look(fixture *self, const char *name, struct now *now)
{
	const char *reply = ask(self, "UnitStatus", name, ""), *s;
	char text[96];

	s = strstr(reply, "\"active\":\"");
	if (!s)
		return false;
	s += strlen("\"active\":\"");
	now->active = !strncmp(s, "active\"", 7) ? '+' : !strncmp(s, "inactive\"", 9) ? '-' :
		      !strncmp(s, "failed\"", 7) ? 'f' : '?';
	s = strstr(reply, "\"mainPid\":");
	now->pid = s ? atoi(s + strlen("\"mainPid\":")) : 0;
	snprintf(text, sizeof(text), "%s: reloaded", name);
	now->reloads = occurrences(self, text);
	return true;
}

/* No job is left, and what has happened was told: its log is read up to here. */
static bool settled(fixture *self)
{
	uint64_t end = patience_ends();

	while (!strstr(ask(self, "ListJobs", "", ""), "\"jobs\":[]"))
		if (!look_again(end))
			return false;
	/* Of a turn the answer comes first, and then its lines: the next turn has both behind it. */
	ask(self, "ListJobs", "", "");
	while (read_within(self, 0))
		;
	return true;
}

static char became(const struct now *was, const struct now *now)
{
	if (now->active != '+' || was->active != '+')
		return now->active;
	if (now->reloads != was->reloads)
		return now->pid == was->pid ? 'l' : '?';
	return now->pid == was->pid ? '+' : 'r';
}

/* Both are down then, as they were at first. */
static bool clean(fixture *self, const char *const names[2], const struct now *now)
{
	for (int i = 0; i < 2; i++) {
		ask(self, "StopUnits", names[i], "");
		if (now[i].active == 'f')
			ask(self, "ResetFailed", names[i], "");
	}
	return settled(self);
}

static bool look_at_both(fixture *self, const char *const names[2], struct now *now)
{
	return settled(self) && look(self, names[0], &now[0]) && look(self, names[1], &now[1]);
}

/* Makes it happen, and says what has become of both. */
static bool happens(fixture *self, const struct kind *k, const struct happening *h, char *got)
{
	const bool other = h->to == 'b';
	const char *names[] = { of_kind(k, h->to == 'c' ? 'c' : 'a'),
				of_kind(k, h->to == 'c' ? 'd' : 'b') };
	struct now was[2], now[2];
	char text[96];

	for (const char *u = h->up; *u; u++)
		ask(self, "StartUnits", of_kind(k, *u), "");
	if (!look_at_both(self, names, was))
		return false;
	if ((strchr(h->up, 'a') && was[0].active != '+') ||
	    (strchr(h->up, 'b') && was[1].active != '+')) {
		strcpy(got, "s.");
		return clean(self, names, was);
	}
	if (h->method) {
		ask(self, h->method, of_kind(k, h->to), "");
	} else {
		snprintf(text, sizeof(text), "%s: main process %d killed", names[other],
			 was[other].pid);
		kill(was[other].pid, SIGKILL);
		if (!told(self, text))
			return false;
	}
	if (!look_at_both(self, names, now))
		return false;
	snprintf(got, 3, "%c%c", became(&was[0], &now[0]), became(&was[1], &now[1]));
	return clean(self, names, now);
}

static void write_units(fixture *self, const struct kind *k)
{
	char keys[256];

	for (const char *which = "ac"; *which; which++) {
		const char *other = of_kind(k, *which == 'a' ? 'b' : 'd');

		snprintf(keys, sizeof(keys), k->keys, other, other);
		unit(self, of_kind(k, *which), "[Unit]\n%s\n" DAEMON, keys);
	}
	unit(self, of_kind(k, 'b'), "[Unit]\n%s" DAEMON, k->of_b);
	unit(self, of_kind(k, 'd'), "[Unit]\n%s" BROKEN, k->of_b);
}

TEST_F_TIMEOUT(knelld, every_kind_by_what_happens, LIMIT_S)
{
	char want[3] = "", got[3] = "";

	unit(self, "default.target", "[Unit]\n");
	for (size_t i = 0; i < NR_KINDS; i++)
		write_units(self, &kinds[i]);
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "startup finished"));
	ASSERT_TRUE(appears(self, "control"));
	for (size_t i = 0; i < NR_KINDS; i++)
		for (size_t h = 0; h < NR_HAPPENINGS; h++) {
			memcpy(want, kinds[i].want + 3 * h, 2);
			if (*want == '.')
				continue;
			ASSERT_TRUE(happens(self, &kinds[i], &happenings[h], got));
			EXPECT_STREQ(want, got) TH_LOG("%s: %s", kinds[i].name,
								   happenings[h].name);
		}
	ASSERT_EQ(0, stop(self));
	EXPECT_TRUE(nothing_left());
}

/* With what needs them going away, and coming back, by hand. */
TEST_F_TIMEOUT(knelld, what_nobody_needs_any_more, LIMIT_S)
{
	unit(self, "default.target", "[Unit]\nWants=a.service c.service\n");
	unit(self, "a.service", "[Unit]\nWants=b.service\n" DAEMON);
	unit(self, "b.service", "[Unit]\nStopWhenUnneeded=yes\n" DAEMON);
	unit(self, "c.service", "[Unit]\nBindsTo=b.service\n" DAEMON);
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "startup finished: 3 started"));
	kill(main_pid(self, "a.service"), SIGKILL);
	ASSERT_TRUE(told(self, "a.service: failed"));
	ASSERT_TRUE(settled(self));
	EXPECT_TRUE(is(self, "b.service", "active"));
	EXPECT_TRUE(asked(self, "RestartUnits", "c.service", "\"done\""));
	ASSERT_TRUE(settled(self));
	EXPECT_EQ(1, occurrences(self, "b.service: started"));
	EXPECT_TRUE(asked(self, "StopUnits", "c.service", "\"done\""));
	ASSERT_TRUE(told(self, "b.service: stopped"));
	EXPECT_TRUE(asked(self, "StartUnits", "a.service", "\"done\""));
	ASSERT_TRUE(told_times(self, 2, "b.service: started"));
	ASSERT_EQ(0, stop(self));
	EXPECT_TRUE(nothing_left());
}

/*
 * DefaultDependencies=: behind sysinit.target and basic.target, whose end ends it; a target waits
 * for what it wants. With "no": none of that.
 */
TEST_F_TIMEOUT(knelld, default_dependencies, LIMIT_S)
{
	unit(self, "default.target", "[Unit]\nRequires=basic.target\n"
	     "Wants=a.service early.service\n");
	unit(self, "sysinit.target", "[Unit]\nWants=init.service\n");
	unit(self, "basic.target", "[Unit]\nWants=base.service\nRequires=sysinit.target\n"
	     "After=sysinit.target\n");
	unit(self, "init.service", "[Unit]\nDefaultDependencies=no\nBefore=sysinit.target\n"
	     "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/sh -c "
	     "'until [ -e @/init ]; do sleep 0.05; done'\n");
	unit(self, "base.service", "[Unit]\nDefaultDependencies=no\nAfter=sysinit.target\n"
	     "Before=basic.target\n[Service]\nType=oneshot\n"
	     "RemainAfterExit=yes\nExecStart=/bin/true\n");
	unit(self, "a.service", SLEEPER);
	unit(self, "early.service", "[Unit]\nDefaultDependencies=no\n" SLEEPER);
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "early.service: started"));
	EXPECT_TRUE(is(self, "a.service", "inactive"));
	EXPECT_TRUE(is(self, "sysinit.target", "inactive"));
	ASSERT_EQ(0, mkdir(path_of(self, "init"), 0700));
	ASSERT_TRUE(told(self, "startup finished: 4 started"));
	EXPECT_TRUE(in_order(self, "init.service: done", "a.service: started"));
	EXPECT_TRUE(is(self, "default.target", "active"));
	/* Required, not just wanted. */
	EXPECT_TRUE(asked(self, "StopUnits", "sysinit.target", "\"done\""));
	ASSERT_TRUE(told(self, "a.service: stopped"));
	EXPECT_TRUE(is(self, "early.service", "active"));
	ASSERT_EQ(0, stop(self));
	EXPECT_TRUE(nothing_left());
}

/* Is @u ordered so, or bound, to @other? */
static bool depends(fixture *self, const char *u, const char *kind, const char *other)
{
	char text[128];

	snprintf(text, sizeof(text), "{\"kind\":\"%s\",\"unit\":\"%s\"", kind, other);
	return strstr(ask(self, "Dependencies", u, ""), text);
}

/*
 * The same of sockets and timers, which are before what stands for all of their kind, and timers of
 * the calendar behind what sets the clock. With "no": none of that, but always before what they
 * start.
 */
TEST_F_TIMEOUT(knelld, default_dependencies_of_sockets_and_timers, LIMIT_S)
{
	static const char *const suffixes[] = { "socket", "timer" };
	char name[32], early[32], all[32];

	unit(self, "default.target", "[Unit]\nWants=sockets.target timers.target sysinit.target "
	     "time-sync.target\n");
	unit(self, "sysinit.target", "[Unit]\nWants=init.service\n");
	unit(self, "sockets.target", "[Unit]\nWants=a.socket early.socket\n");
	unit(self, "timers.target", "[Unit]\nWants=a.timer early.timer\n");
	unit(self, "time-sync.target", "[Unit]\nDescription=x\n");
	unit(self, "init.service", "[Unit]\nDefaultDependencies=no\nBefore=sysinit.target\n"
	     "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/sh -c "
	     "'until [ -e @/init ]; do sleep 0.05; done'\n");
	unit(self, "a.socket", "[Socket]\nListenStream=@/a\nService=s.service\n");
	unit(self, "early.socket", "[Unit]\nDefaultDependencies=no\n[Socket]\n"
	     "ListenStream=@/early\nService=s.service\n");
	unit(self, "a.timer", "[Timer]\nOnCalendar=2199-01-01\nUnit=s.service\n");
	unit(self, "early.timer", "[Unit]\nDefaultDependencies=no\n[Timer]\n"
	     "OnCalendar=2199-01-01\nUnit=s.service\n");
	unit(self, "boot.timer", "[Timer]\nOnBootSec=1000w\nUnit=s.service\n");
	unit(self, "s.service", SLEEPER);
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(appears(self, "control"));
	for (int i = 0; i < 2; i++) {
		snprintf(name, sizeof(name), "a.%s", suffixes[i]);
		snprintf(early, sizeof(early), "early.%s", suffixes[i]);
		snprintf(all, sizeof(all), "%ss.target", suffixes[i]);
		for (uint64_t end = patience_ends();
		     !strstr(ask(self, "UnitStatus", early, ""), "\"active\":\"active\"");)
			ASSERT_TRUE(look_again(end));
		EXPECT_TRUE(is(self, name, "inactive"));
		EXPECT_TRUE(is(self, all, "inactive"));
		EXPECT_TRUE(depends(self, name, "Before", all));
		EXPECT_TRUE(depends(self, name, "Before", "s.service"));
		EXPECT_TRUE(depends(self, early, "Before", "s.service"));
		EXPECT_FALSE(depends(self, early, "Before", all));
		EXPECT_FALSE(depends(self, early, "After", "sysinit.target"));
	}
	EXPECT_TRUE(depends(self, "a.timer", "After", "time-sync.target"));
	EXPECT_FALSE(depends(self, "early.timer", "After", "time-sync.target"));
	EXPECT_FALSE(depends(self, "boot.timer", "After", "time-sync.target"));
	ASSERT_EQ(0, mkdir(path_of(self, "init"), 0700));
	ASSERT_TRUE(told(self, "startup finished"));
	EXPECT_TRUE(is(self, "sockets.target", "active"));
	EXPECT_TRUE(is(self, "timers.target", "active"));
	/* Required, not just wanted. */
	EXPECT_TRUE(asked(self, "StopUnits", "sysinit.target", "\"done\""));
	for (int i = 0; i < 2; i++) {
		snprintf(name, sizeof(name), "a.%s", suffixes[i]);
		snprintf(early, sizeof(early), "early.%s", suffixes[i]);
		EXPECT_TRUE(is(self, name, "inactive"));
		EXPECT_TRUE(is(self, early, "active"));
	}
	ASSERT_EQ(0, stop(self));
	EXPECT_TRUE(nothing_left());
}

/* A target is there when all it is made of is: not with "no", neither its own nor the other's. */
TEST_F_TIMEOUT(knelld, default_dependencies_of_targets, LIMIT_S)
{
	static const char slow[] = "[Service]\nType=oneshot\nRemainAfterExit=yes\n"
		"ExecStart=/bin/sh -c 'until [ -e @/go ]; do sleep 0.05; done'\n";

	unit(self, "default.target", "[Unit]\nWants=waits.target own.target others.target\n"
	     "Requires=needs.target\n");
	unit(self, "waits.target", "[Unit]\nWants=slow.service\n");
	unit(self, "needs.target", "[Unit]\nRequires=slow.service\n");
	unit(self, "own.target", "[Unit]\nDefaultDependencies=no\nWants=slow.service\n");
	unit(self, "others.target", "[Unit]\nWants=free.service\n");
	unit(self, "slow.service", slow);
	unit(self, "free.service", "[Unit]\nDefaultDependencies=no\n%s", slow);
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(appears(self, "control"));
	for (uint64_t end = patience_ends();
	     !strstr(ask(self, "UnitStatus", "own.target", ""), "\"active\":\"active\"") ||
	     !strstr(ask(self, "UnitStatus", "others.target", ""), "\"active\":\"active\"");)
		ASSERT_TRUE(look_again(end));
	EXPECT_TRUE(is(self, "slow.service", "activating"));
	EXPECT_TRUE(is(self, "waits.target", "inactive"));
	EXPECT_TRUE(is(self, "needs.target", "inactive"));
	EXPECT_TRUE(is(self, "default.target", "inactive"));
	ASSERT_EQ(0, mkdir(path_of(self, "go"), 0700));
	ASSERT_TRUE(told(self, "startup finished: 2 started"));
	EXPECT_TRUE(is(self, "waits.target", "active"));
	EXPECT_TRUE(is(self, "needs.target", "active"));
	EXPECT_TRUE(is(self, "default.target", "active"));
	ASSERT_EQ(0, stop(self));
	EXPECT_TRUE(nothing_left());
}

/* A cycle of three, which what is only wanted can break; all on it are named, one is left out. */
TEST_F_TIMEOUT(knelld, a_cycle_is_named_and_broken, LIMIT_S)
{
	size_t started = 0;

	unit(self, "default.target", "[Unit]\nWants=a.service b.service c.service d.service\n");
	unit(self, "a.service", "[Unit]\nAfter=b.service\n" SLEEPER);
	unit(self, "b.service", "[Unit]\nAfter=c.service\n" SLEEPER);
	unit(self, "c.service", "[Unit]\nBefore=b.service\nAfter=a.service\n" SLEEPER);
	unit(self, "d.service", "[Unit]\nAfter=a.service b.service c.service\n" SLEEPER);
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "startup finished: 3 started, 1 failed"));
	ASSERT_TRUE(has(self, "an ordering cycle: "));
	EXPECT_EQ(1, occurrences(self, "is left out to break it"));
	for (char c = 'a'; c < 'd'; c++) {
		char text[64];

		sprintf(text, "%c.service after ", c);
		EXPECT_EQ(1, occurrences(self, text));
		sprintf(text, "%c.service: started", c);
		started += occurrences(self, text);
		sprintf(text, "the start of %c.service is left out", c);
		EXPECT_EQ(!occurrences(self, text), is(self, strchr("abc", c) == NULL ? "" :
			  c == 'a' ? "a.service" : c == 'b' ? "b.service" : "c.service", "active"));
	}
	EXPECT_EQ(2, started);
	EXPECT_TRUE(has(self, "d.service: started"));
	ASSERT_EQ(0, stop(self));
	EXPECT_TRUE(nothing_left());
}

/* Stops by many, in any order, of what is starting, stopping and stubborn. */
TEST_F_TIMEOUT(knelld, a_storm_of_stops, LIMIT_S)
{
	static const char *const runs[] = {
		"ExecStart=/bin/sleep 100000",
		"ExecStart=/bin/sh -c 'trap \"\" TERM; while :; do sleep 100000; done'",
		"ExecStartPre=/bin/sleep 100000\nExecStart=/bin/true",
		"Type=oneshot\nExecStart=/bin/sleep 100000",
		"ExecStart=/bin/sleep 100000\nExecStop=/bin/sleep 100000",
		"ExecStart=/bin/sleep 100000\nExecStopPost=/bin/sleep 100000",
		"ExecStart=/bin/sleep 100000\nExecStartPost=/bin/sleep 100000",
		"Restart=always\nRestartSec=1h\nExecStart=/bin/true",
	};
	char name[32];

	unit(self, "default.target", "[Unit]\nWants=z.service\n");
	unit(self, "z.service", SLEEPER);
	for (int i = 0; i < 64; i++) {
		snprintf(name, sizeof(name), "s%d.service", i);
		unit(self, name, "[Unit]\nPartOf=z.service\nAfter=s%d.service\n[Service]\n"
		     "TimeoutStopSec=300ms\nTimeoutStartSec=infinity\n%s\n", i % 8 ? 99 : i - 8,
		     runs[i % 8]);
	}
	ASSERT_TRUE(start(self));
	ASSERT_TRUE(told(self, "startup finished"));
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 64; i++) {
			snprintf(name, sizeof(name), "s%d.service", i);
			EXPECT_NE(NULL, strstr(ask(self, "StartUnits", name, NO_BLOCK),
					       "\"job\""));
		}
		for (int i = 0; i < 64; i += 3) {
			snprintf(name, sizeof(name), "s%d.service", i * 5 % 64);
			ask(self, i % 2 ? "StopUnits" : "RestartUnits", name, NO_BLOCK);
		}
		/* All of them at once, and once more while they are at it. */
		ask(self, "StopUnits", "z.service", NO_BLOCK);
		for (int i = 0; i < 64; i += 2) {
			snprintf(name, sizeof(name), "s%d.service", i);
			ask(self, "StopUnits", name, NO_BLOCK);
		}
		EXPECT_TRUE(asked(self, "StopUnits", "z.service", "\"job\""));
		ASSERT_TRUE(settled(self));
		for (int i = 0; i < 64; i++) {
			snprintf(name, sizeof(name), "s%d.service", i);
			EXPECT_EQ(NULL, strstr(ask(self, "UnitStatus", name, ""),
					       "\"active\":\"active\""));
		}
		EXPECT_TRUE(asked(self, "StartUnits", "z.service", "\"done\""));
	}
	/* And all that runs, by the end of knelld. */
	for (int i = 0; i < 64; i++) {
		snprintf(name, sizeof(name), "s%d.service", i);
		ask(self, "StartUnits", name, NO_BLOCK);
	}
	ASSERT_EQ(0, stop(self));
	EXPECT_TRUE(nothing_left());
	EXPECT_FALSE(has(self, "survive"));
}

TEST_HARNESS_MAIN
