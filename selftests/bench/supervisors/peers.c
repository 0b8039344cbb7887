// SPDX-License-Identifier: GPL-2.0-only
/*
 * The supervisors, and how each is told to run so many times a program: in the cheapest way that it
 * has, restarted always, at once if it can, and without a limit.
 */
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "sup.h"

/* ---- knelld and systemd: the same files ---- */

static void empty_target(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), SUP_DIR "/%s.target", name);
	write_text(path, "[Unit]\nDefaultDependencies=no\n");
}

static void units(unsigned int nr, const char *program)
{
	char path[128], other[64];
	unsigned int i;

	empty_target("sysinit");
	empty_target("basic");
	empty_target("shutdown");
	empty_target("bench");
	make_dir(SUP_DIR "/bench.target.wants");
	for (i = 0; i < nr; i++) {
		snprintf(path, sizeof(path), SUP_DIR "/s%u.service", i);
		write_file(path, "[Unit]\nStartLimitIntervalSec=0\n[Service]\nType=simple\n"
			   "ExecStart=%s\nRestart=always\nRestartSec=0\n", program);
		snprintf(path, sizeof(path), SUP_DIR "/bench.target.wants/s%u.service", i);
		snprintf(other, sizeof(other), "../s%u.service", i);
		if (symlink(other, path))
			die(path, -errno);
	}
}

/* ---- runit, s6 and daemontools: a directory for each ---- */

static void run_dirs(unsigned int nr, const char *program)
{
	char path[128];
	unsigned int i;

	for (i = 0; i < nr; i++) {
		snprintf(path, sizeof(path), SUP_DIR "/s%u", i);
		make_dir(path);
		snprintf(path, sizeof(path), SUP_DIR "/s%u/run", i);
		if (symlink(program, path))
			die(path, -errno);
	}
}

/* ---- dinit ---- */

static void dinit_files(unsigned int nr, const char *program)
{
	char path[128];
	unsigned int i;

	make_dir(SUP_DIR "/all");
	write_text(SUP_DIR "/boot", "type = internal\nwaits-for.d = all\n");
	for (i = 0; i < nr; i++) {
		snprintf(path, sizeof(path), SUP_DIR "/s%u", i);
		write_file(path, "type = process\ncommand = %s\nrestart = true\n"
			   "smooth-recovery = true\nrestart-delay = 0\nrestart-limit-count = 0\n",
			   program);
		snprintf(path, sizeof(path), SUP_DIR "/all/s%u", i);
		write_text(path, "");
	}
}

/* ---- finit, sysvinit and busybox: they read /etc ---- */

/* A line for each service: its number, the program, its number. */
static void etc_lines(const char *path, const char *first, const char *fmt, unsigned int nr,
		      const char *program)
{
	FILE *f = fopen(path, "we");
	unsigned int i;

	if (!f)
		die(path, -errno);
	fputs(first, f);
	for (i = 0; i < nr; i++)
		fprintf(f, fmt, i, program, i);
	fclose(f);
}

static void finit_files(unsigned int nr, const char *program)
{
	make_dir(SUP_DIR "/finit.d");
	write_text(SUP_DIR "/passwd", "root:x:0:0:root:/root:/bin/sh\n");
	write_text(SUP_DIR "/group", "root:x:0:\n");
	write_text(SUP_DIR "/fstab", "");
	write_text(SUP_DIR "/finit.conf", "runlevel 2\n");
	etc_lines(SUP_DIR "/finit.d/bench.conf", "",
		  "service :%u [2] restart:255 restart_sec:1 log:null %s -- s%u\n", nr, program);
}

static void sysvinit_files(unsigned int nr, const char *program)
{
	etc_lines(SUP_DIR "/inittab", "id:2:initdefault:\n", "%04u:2:respawn:%s s%u\n", nr, program);
}

/* It has but one of those that are the same to the letter. */
static void busybox_files(unsigned int nr, const char *program)
{
	etc_lines(SUP_DIR "/inittab", "", "::respawn:%2$s s%1$u\n", nr, program);
}

/* ---- what the first process of a pid namespace finds ---- */

static void mount_on(const char *what, const char *where)
{
	if (mount(what, where, what, 0, NULL))
		die(where, -errno);
}

static void own_mounts(void)
{
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    umount2("/sys/fs/cgroup", MNT_DETACH))
		die("mount", -errno);
	mount_on("proc", "/proc");
	mount_on("cgroup2", "/sys/fs/cgroup");
	mount_on("tmpfs", "/run");
}

static void prepare_systemd(void)
{
	own_mounts();
	setenv("container", "bench", 1);
	setenv("SYSTEMD_UNIT_PATH", SUP_DIR, 1);
}

static void prepare_etc(void)
{
	own_mounts();
	if (mount(SUP_DIR, "/etc", NULL, MS_BIND, NULL))
		die("/etc", -errno);
}

#define KNELLD		PEERS "/knelld"
#define AS_INIT		"as the first process of a pid namespace, with a cgroup namespace"

const struct peer peers[] = {
	{
		.name = "knelld", .how = "an ordinary process, with the module",
		.file = KNELLD, .configure = units, .polite = true,
		.argv = { KNELLD, "--unit-dir", SUP_DIR, "--default", "bench.target",
			  "--backend", "kernel", "--control", "/tmp/knelld.control" },
	}, {
		.name = "knelld_pidfd", .how = "an ordinary process, without the module",
		.file = KNELLD, .configure = units, .polite = true,
		.argv = { KNELLD, "--unit-dir", SUP_DIR, "--default", "bench.target",
			  "--backend", "pidfd", "--control", "/tmp/knelld.control" },
	}, {
		.name = "runit", .how = "runsvdir, an ordinary process",
		.file = "/usr/bin/runsvdir", .configure = run_dirs,
		.argv = { "/usr/bin/runsvdir", "-P", SUP_DIR },
	}, {
		.name = "s6", .how = "s6-svscan, an ordinary process",
		.file = "/usr/bin/s6-svscan", .configure = run_dirs,
		.argv = { "/usr/bin/s6-svscan", "-c", "1100", SUP_DIR },
	}, {
		.name = "daemontools", .how = "svscan, an ordinary process",
		.file = "/usr/bin/svscan", .configure = run_dirs,
		.argv = { "/usr/bin/svscan", SUP_DIR },
	}, {
		.name = "dinit", .how = "an ordinary process",
		.file = PEERS "/dinit", .configure = dinit_files,
		.argv = { PEERS "/dinit", "-u", "-d", SUP_DIR, "-p", "/tmp/dinit.control" },
	}, {
		.name = "finit", .how = AS_INIT,
		.file = "/sbin/finit", .configure = finit_files, .prepare = prepare_etc, .init = true,
		.argv = { "/sbin/finit" },
	}, {
		.name = "sysvinit", .how = AS_INIT,
		.file = PEERS "/sysvinit", .configure = sysvinit_files, .prepare = prepare_etc,
		.init = true, .argv = { PEERS "/sysvinit" },
	}, {
		.name = "busybox", .how = "init, " AS_INIT,
		.file = "/bin/busybox", .configure = busybox_files, .prepare = prepare_etc,
		.init = true, .argv = { "/bin/busybox", "init" },
	}, {
		.name = "systemd", .how = AS_INIT ", no journal",
		.file = "/lib/systemd/systemd", .configure = units, .prepare = prepare_systemd,
		.init = true,
		.argv = { "/lib/systemd/systemd", "--system", "--unit=bench.target",
			  "--log-target=null", "--default-standard-output=null", "--show-status=no" },
	},
};

const unsigned int nr_peers = ARRAY_SIZE(peers);
