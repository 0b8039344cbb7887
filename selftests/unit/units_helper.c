// SPDX-License-Identifier: GPL-2.0-only
/*
 * Writes units of random keys and values, good and bad ones, for dump_diff.sh.
 *
 * usage: units_helper DIRECTORY NUMBER SEED
 *
 * What systemd 252 does not do as it is documented, or newer ones do, is left out; see the names.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tap.h"

struct pool {
	const char *const *values;
	size_t nr;
};

#define POOL(name, ...)							\
	static const char *const name##_values[] = { __VA_ARGS__ };	\
	static const struct pool name = { name##_values, ARRAY_SIZE(name##_values) }

POOL(boolean, "yes", "no", "1", "0", "true", "False", "ON", "off", "t", "F", "y", "n", "maybe", "");
POOL(span, "5", "5s", "100ms", "1min 30s", "1h30m", "2d", "1.5s", ".5s", "0", "infinity", "1w",
     "soon", "", "-1", "5 5", "20us", "3 hours", "1x");
POOL(number, "0", "1", "7", "20", "0x10", "010", "-1", "x", "", "4294967295", "4294967296", "1 2",
     "0b11", "+3");
POOL(text, "%a %b %B %C %E %g %G %h %H %l %L %M %A", "%o %q %s %S %t %T %u %U %v %V %w %W %y %Y",
     "a", "a b", "%n", "%i|%I|%j|%J", "", "100%%", "%p-%N", "\"quoted\"", "%z", "a\\x20b", "%f",
     "%P %H", "tr\xc3\xa9s", "50%");
POOL(urls, "man:x(1)", "http://a https://b/c", "file:/x info:y", "ftp://no", "", "man:", "x",
     "\"man:a\" man:b");
POOL(units, "x.service", "x.service y.target", "\"z.socket\"", "bad", "x@.service", "x@1.service",
     "%N.target", "a\\x2db.service", "", "%n", "'q.timer' r.target", "x.foo", ".service", "u.service u.service");
POOL(path, "/a", "/a/b", "/a//b/./c/", "a", "", "/a/../b", "/%i", "/%f", "-/a", "/a b", "/", "%t/x");
POOL(paths, "/a /b", "/a", "", "a /b", "/x/%i", "\"/q r\"", "/a/..", "/c\\x20d");
POOL(condition, "/a", "!/a", "|/a", "|!/a", "| ! /a", "a", "", "/%i", "!", "/a/../b", "|/b//c");
POOL(condition_text, "x", "!x", "|x", "|!x y", "", "%n", "!", "a=b");
POOL(emergencies, "none", "reboot", "reboot-force", "poweroff", "exit", "exit-force",
     "poweroff-immediate", "reboot-immediate", "poweroff-force", "", "bad");
POOL(job_modes, "replace", "fail", "isolate", "flush", "ignore-dependencies", "", "bad",
     "ignore-requirements", "replace-irreversibly");
POOL(commands, "/bin/true", "/bin/echo a b", "-/bin/false", "@/bin/sh sh -c 'a b'", "+/bin/a",
     "!/bin/a", "!!/bin/a", ":/bin/a $X", "/bin/a ; /bin/b", "/bin/a \\; x", "/bin/a \"b c\" 'd'e",
     "/bin/a \\x41\\102\\u00e9\\t", "", "rel/ative", "/bin/a \"open", "-@:/bin/a z y", "name a",
     "/bin/a %i %% %n", "/bin/a \\q a\\ b", "-rel/x", "/bin/a ;", "/bin/a ; ; /bin/b", "/bin/a;b",
     "@/bin/a", "-", "/bin/dir/", "\"/bin/q r\" x", "/bin/a $${X} ${Y} $Z", "--/bin/a", "+!/bin/a",
     "/bin/a '' \"\"", "/bin//a/./b x", "; /bin/c", "/bin/a 'x\\'y'", "/bin/a \"a\\\"b\"", "/bin/..");
POOL(service_types, "simple", "exec", "forking", "oneshot", "dbus", "notify", "idle", "", "bad");
POOL(restarts, "no", "always", "on-success", "on-failure", "on-abnormal", "on-abort",
     "on-watchdog", "", "yes");
POOL(signals, "SIGTERM", "TERM", "15", "SIGUSR1", "KILL", "SIGRTMIN+3", "RTMIN", "0", "99", "", "term",
     "SIGHUP", "RTMIN+31", "SIGRTMIN+30");
POOL(ends, "0", "1 2", "SIGKILL 3", "TEMPFAIL", "256", "", "bad 4", "TERM", "-1", "250 DATAERR SIGHUP");
POOL(kill_modes, "control-group", "mixed", "process", "none", "", "bad");
POOL(accesses, "none", "main", "exec", "all", "", "bad");
POOL(timeout_modes, "terminate", "abort", "kill", "", "bad");
POOL(pid_files, "/run/a.pid", "a.pid", "", "/var/run//b.pid", "%i.pid");
/* No two may have the same. */
POOL(bus_names, "org.example.%p", "a.%p", "", "bad", "a.1b", "a..b", ".a.b", "a-b.c_%p");
POOL(sizes, "0", "1", "4K", "1.5M", "2G", "1G 5M", "5M 1G", "x", "", "-1", "10B", "1 K", "infinity",
     "1.25K");
POOL(modes, "0644", "755", "0", "7777", "10000", "08", "", "x", "022");
POOL(environment, "A=1", "A=1 B=2", "\"A=x y\" B=", "A=a=b", "A", "", "1A=x", "A=%i", "'A=q' C=\\x41",
     "A=\\q", "A=\"open", "A=1 A=2", "A=\xc3\xa9", "B=$X", "=x", "A_b9=z");
POOL(env_names, "A", "A B_C", "", "1", "A-B", "\"X\" Y", "A A");
POOL(env_files, "/a", "-/a", "a", "", "/a/%i", "-", "/a b", "/x//y");
POOL(accounts, "root", "nobody", "0", "%i", "a b", "", "4294967295", "x.y", "a:b", "-a", "65535");
POOL(account_lists, "a b", "root", "", "1 2", "\"q\"", "a:b");
POOL(cwds, "/a", "~", "-/a", "-~", "a", "-a", "", "/a/..", "/a//b", "/%i");
POOL(nices, "0", "5", "-20", "19", "20", "-21", "", "x");
POOL(oom_scores, "0", "-1000", "1000", "1001", "", "x", "-5");
POOL(cpu_policies, "other", "batch", "idle", "fifo", "rr", "bad");
POOL(affinities, "0", "0-3", "1,2 5", "3-1", "x", "", "0 0 7", "1-2,4-5");
POOL(io_classes, "none", "realtime", "best-effort", "idle", "2", "bad", "");
POOL(io_priorities, "0", "7", "8", "-1", "4", "");
POOL(limit_numbers, "5", "5:6", "infinity", "6:5", "5:infinity", "", "x", "1K", ":5", "0x10");
POOL(limit_sizes, "5", "5K:6M", "infinity", "1G:5", "1.5K", "x", "infinity:5");
POOL(limit_times, "5", "5s", "1min:2min", "infinity", "x", "1500ms");
POOL(limit_nices, "5", "+5", "-5", "40", "+19", "-20", "+20", "x", "infinity");
POOL(capabilities, "CAP_KILL", "cap_chown CAP_KILL", "~CAP_KILL", "~CAP_SYS_ADMIN CAP_CHOWN",
     "CAP_NET_BIND_SERVICE", "~CAP_CHOWN", "CAP_SYS_TIME CAP_BPF");
POOL(secure_bits, "noroot", "keep-caps keep-caps-locked", "no-setuid-fixup-locked", "", "bad noroot-locked");
POOL(inputs, "null", "tty", "tty-force", "tty-fail", "socket", "data", "file:/a", "file:a", "fd:x",
     "bad", "append:/a", "inherit");
POOL(outputs, "inherit", "null", "tty", "journal", "journal+console", "kmsg", "kmsg+console",
     "file:/a", "append:/a//b", "truncate:/c", "socket", "fd:x", "fd", "bad", "file:rel", "data", "");
POOL(directories, "a", "a b/c", "a:b", "/a", "..", "", "a/../b", "\"x y\"", "%i", "a//b");
POOL(preserves, "yes", "no", "restart", "bad");
POOL(coredumps, "default", "all", "private-anonymous shared-dax", "33", "0x7", "");
POOL(calendars, "daily", "Mon *-*-* 00:00:00", "*:0/5", "bad", "", "2030-01-01", "*-*~1 UTC");
POOL(stream_addresses, "/run/a", "80", "1.2.3.4:5", "[::1]:6", "@abstract", "[::1]:7%lo", "0", "70000",
     "1.2.3:4", "", "bad", "/a//b", "/run/%i", "vsock:2:3");
POOL(fifos, "/run/f", "f", "", "/a//b", "/%i.fifo");
POOL(priorities, "0", "5", "-1", "x");
POOL(toses, "low-delay", "throughput", "reliability", "low-cost", "5", "x");
POOL(ttls, "1", "255", "x", "64");
POOL(ipv6_onlys, "default", "both", "ipv6-only", "bad");
POOL(fd_names, "a", "a b", "a:b", "", "%n");
POOL(congestions, "cubic", "", "a b");
POOL(symlinks, "/a", "/a /b", "");
POOL(watchdogs, "5", "0", "1min 2s", "x", "-1", "");
POOL(interfaces, "eth0", "lo", "", "*");
POOL(nanoseconds, "5", "5us", "1ms", "x");
POOL(priorities99, "1", "99", "50");
POOL(collects, "inactive", "inactive-or-failed", "bad");

struct row {
	const char *section, *key;
	const struct pool *pool;
};

#define U(key, pool)	{ "Unit", key, &(pool) }
#define S(key, pool)	{ "Service", key, &(pool) }
#define K(key, pool)	{ "Socket", key, &(pool) }
#define T(key, pool)	{ "Timer", key, &(pool) }
#define E(key, pool)	{ NULL, key, &(pool) }	/* services and sockets */

static const struct row rows[] = {
	U("Description", text), U("Documentation", urls), U("After", units), U("Before", units),
	U("Requires", units), U("Requisite", units), U("Wants", units), U("BindsTo", units),
	U("PartOf", units), U("Upholds", units), U("Conflicts", units), U("OnFailure", units),
	U("OnSuccess", units), U("PropagatesReloadTo", units), U("ReloadPropagatedFrom", units),
	U("PropagatesStopTo", units), U("StopPropagatedFrom", units),
	U("RequiresMountsFor", paths), U("StopWhenUnneeded", boolean),
	U("RefuseManualStop", boolean), U("IgnoreOnIsolate", boolean), U("AllowIsolate", boolean),
	U("OnFailureJobMode", job_modes), U("OnSuccessJobMode", job_modes),
	U("OnFailureIsolate", boolean), U("SuccessAction", emergencies),
	U("FailureAction", emergencies), U("JobTimeoutSec", span),
	U("JobTimeoutAction", emergencies), U("StartLimitBurst", number),
	U("StartLimitIntervalSec", span), U("ConditionPathExists", condition),
	U("ConditionFileNotEmpty", condition), U("ConditionUser", condition_text),
	U("ConditionKernelCommandLine", condition_text), U("AssertPathIsDirectory", condition),
	U("AssertHost", condition_text), U("Unknown", text), U("CollectMode", collects),
	S("Type", service_types), S("ExecStartPre", commands), S("ExecStart", commands),
	S("ExecStart", commands), S("ExecStartPost", commands), S("ExecReload", commands),
	S("ExecStop", commands), S("ExecStopPost", commands), S("ExecCondition", commands),
	S("Restart", restarts), S("RestartSec", span), S("TimeoutSec", span),
	S("TimeoutStartSec", span), S("TimeoutStopSec", span), S("RuntimeMaxSec", span),
	S("RuntimeRandomizedExtraSec", span), S("WatchdogSec", watchdogs),
	S("TimeoutStartFailureMode", timeout_modes), S("TimeoutStopFailureMode", timeout_modes),
	S("RemainAfterExit", boolean), S("GuessMainPID", boolean), S("PIDFile", pid_files),
	S("BusName", bus_names), S("NotifyAccess", accesses), S("NonBlocking", boolean),
	S("FileDescriptorStoreMax", number), S("SuccessExitStatus", ends),
	S("RestartForceExitStatus", ends), S("RootDirectoryStartOnly", boolean),
	S("PermissionsStartOnly", boolean), S("Sockets", units),
	E("KillMode", kill_modes), E("KillSignal", signals), E("RestartKillSignal", signals),
	E("FinalKillSignal", signals), E("SendSIGKILL", boolean), E("SendSIGHUP", boolean),
	E("Environment", environment), E("EnvironmentFile", env_files),
	E("PassEnvironment", env_names), E("UnsetEnvironment", environment),
	E("WorkingDirectory", cwds), E("RootDirectory", path), E("User", accounts),
	E("Group", accounts), E("SupplementaryGroups", account_lists), E("UMask", modes),
	E("Nice", nices), E("OOMScoreAdjust", oom_scores), E("CPUSchedulingPolicy", cpu_policies),
	E("CPUSchedulingPriority", priorities99), E("CPUAffinity", affinities),
	E("IOSchedulingClass", io_classes), E("IOSchedulingPriority", io_priorities),
	E("TimerSlackNSec", nanoseconds), E("CoredumpFilter", coredumps),
	E("LimitNOFILE", limit_numbers), E("LimitNPROC", limit_numbers),
	E("LimitAS", limit_sizes), E("LimitCORE", limit_sizes), E("LimitCPU", limit_times),
	E("LimitRTTIME", limit_times), E("LimitNICE", limit_nices),
	E("CapabilityBoundingSet", capabilities), E("AmbientCapabilities", capabilities),
	E("SecureBits", secure_bits), E("IgnoreSIGPIPE", boolean), E("StandardInput", inputs),
	E("StandardOutput", outputs), E("StandardError", outputs), E("TTYPath", path),
	E("TTYReset", boolean), E("TTYVHangup", boolean), E("TTYVTDisallocate", boolean),
	E("RuntimeDirectory", directories), E("RuntimeDirectoryMode", modes),
	E("StateDirectory", directories), E("CacheDirectoryMode", modes),
	E("ConfigurationDirectory", directories), E("RuntimeDirectoryPreserve", preserves),
	E("Unheard", text),
	T("OnActiveSec", span), T("OnBootSec", span), T("OnStartupSec", span),
	T("OnUnitActiveSec", span), T("OnUnitInactiveSec", span), T("OnCalendar", calendars),
	T("OnCalendar", calendars), T("AccuracySec", span), T("RandomizedDelaySec", span),
	T("FixedRandomDelay", boolean), T("OnClockChange", boolean),
	T("OnTimezoneChange", boolean), T("Persistent", boolean), T("WakeSystem", boolean),
	T("RemainAfterElapse", boolean), T("Unit", units),
	K("ListenStream", stream_addresses), K("ListenStream", stream_addresses),
	K("ListenDatagram", stream_addresses), K("ListenSequentialPacket", stream_addresses),
	K("ListenFIFO", fifos), K("ListenSpecial", fifos), K("BindIPv6Only", ipv6_onlys),
	K("SocketMode", modes), K("DirectoryMode", modes), K("Accept", boolean),
	K("Writable", boolean), K("FlushPending", boolean), K("MaxConnections", number),
	K("KeepAlive", boolean), K("NoDelay", boolean), K("Priority", priorities),
	K("ReceiveBuffer", sizes), K("SendBuffer", sizes), K("PipeSize", sizes),
	K("IPTOS", toses), K("IPTTL", ttls), K("FreeBind", boolean), K("Transparent", boolean),
	K("Broadcast", boolean), K("PassCredentials", boolean), K("PassSecurity", boolean),
	K("PassPacketInfo", boolean), K("TCPCongestion", congestions), K("ExecStartPre", commands),
	K("ExecStopPost", commands), K("SocketUser", accounts), K("Service", units),
	K("RemoveOnStop", boolean), K("FileDescriptorName", fd_names),
	K("BindToDevice", interfaces), K("Symlinks", symlinks),
};

static void assignments(FILE *f, const char *section, const char *also, uint32_t nr)
{
	bool bits = false;

	fprintf(f, "[%s]\n", section);
	while (nr) {
		const struct row *r = &rows[below(ARRAY_SIZE(rows))];

		if (r->section ? strcmp(r->section, section) : strcmp(section, "Service") &&
							       (!also || strcmp(section, also)))
			continue;
		/* The second time does not add to the first, as its manual says. */
		if (r->pool == &secure_bits && bits)
			continue;
		bits |= r->pool == &secure_bits;
		nr--;
		fprintf(f, "%s=%s\n", r->key, r->pool->values[below(r->pool->nr)]);
	}
}

static void unit(const char *dir, int n)
{
	static const char *const kinds[][2] = {
		{ "service", "Service" }, { "service", "Service" }, { "service", "Service" },
		{ "timer", "Timer" }, { "socket", "Socket" },
	};
	uint32_t kind = below(ARRAY_SIZE(kinds));
	char name[300];
	FILE *f;

	snprintf(name, sizeof(name), "%s/u%d%s.%s", dir, n, n % 5 ? "" : "@", kinds[kind][0]);
	f = fopen(name, "we");
	if (!f)
		exit(1);
	assignments(f, "Unit", NULL, below(5));
	/* Without these most could not be started. */
	if (below(10))
		fputs(kind < 3 ? "[Service]\nExecStart=/bin/true\n" :
		      kind == 3 ? "[Timer]\nOnActiveSec=1h\n" : "[Socket]\nListenStream=1234\n", f);
	if (kind < 3 && below(3))
		fputs("Type=oneshot\n", f);
	assignments(f, kinds[kind][1], "Socket", 1 + below(5));
	fclose(f);
}

int main(int argc, char **argv)
{
	if (argc != 4)
		return 2;
	random_state += strtoul(argv[3], NULL, 10) * 0x9e3779b97f4a7c15;
	for (int i = 0; i < 10; i++)
		below(2);
	for (int i = 0; i < atoi(argv[2]); i++)
		unit(argv[1], i);
	return 0;
}
