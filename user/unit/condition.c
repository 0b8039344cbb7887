// SPDX-License-Identifier: GPL-2.0-only
/*
 * Conditions and asserts: a function for each kind, which looks at the machine as it is now. None
 * of them waits; what cannot be found out does not hold, whether it is negated or not.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <gnu/libc-version.h>
#include <linux/magic.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <linux/netlink.h>
#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include "private.h"

#define SYSTEM_UID_MAX	999

static int is_yes(const char *param, bool now)
{
	bool wanted;

	return parse_bool(param, &wanted) ? -1 : wanted == now;
}

static char *read_text(const char *path)
{
	size_t len;

	return file_text(AT_FDCWD, path, &len);
}

/* Is it one of the words of that file? */
static int has_word(const char *path, const char *word)
{
	char *text = read_text(path), *rest = text, *w;
	int found = 0;

	while (!found && (w = strsep(&rest, " \t\n")))
		found = !strcmp(w, word);
	free(text);
	return found;
}

/* The kernel and the system */

enum op {
	OP_NONE, OP_MATCH, OP_NO_MATCH, OP_LE, OP_GE, OP_SAME, OP_OTHER, OP_EQ, OP_NE, OP_LT, OP_GT,
};

/* Takes it off the beginning of *@s, and what is blank after it. */
static enum op take_op(const char **s)
{
	static const struct {
		const char *text;
		enum op op;
	} ops[] = {
		{ "!$=", OP_NO_MATCH }, { "$=", OP_MATCH }, { "<=", OP_LE }, { ">=", OP_GE },
		{ "==", OP_EQ }, { "<>", OP_NE }, { "!=", OP_OTHER }, { "=", OP_SAME },
		{ "<", OP_LT }, { ">", OP_GT },
	};

	for (size_t i = 0; i < ARRAY_SIZE(ops); i++) {
		size_t len = strlen(ops[i].text);

		if (strncmp(*s, ops[i].text, len))
			continue;
		*s += len;
		*s += strspn(*s, BLANKS);
		return ops[i].op;
	}
	return OP_NONE;
}

static int by_order(enum op op, int order)
{
	switch (op) {
	case OP_LE:
		return order <= 0;
	case OP_GE:
		return order >= 0;
	case OP_LT:
		return order < 0;
	case OP_GT:
		return order > 0;
	case OP_NE:
	case OP_OTHER:
		return order != 0;
	default:
		return order == 0;
	}
}

static int by_version(enum op op, const char *now, const char *wanted)
{
	switch (op) {
	case OP_MATCH:
	case OP_NONE:
		return !fnmatch(wanted, now, 0);
	case OP_NO_MATCH:
		return fnmatch(wanted, now, 0) == FNM_NOMATCH;
	case OP_SAME:
		return !strcmp(now, wanted);
	case OP_OTHER:
		return strcmp(now, wanted) != 0;
	default:
		return by_order(op, strverscmp(now, wanted));
	}
}

/* All of "OP VERSION ..." */
static int versions(const char *now, const char *param)
{
	int holds = 1;
	char *word;

	while (holds > 0 && word_next(&param, &word) > 0) {
		const char *wanted = word;
		enum op op = take_op(&wanted);

		/* The operator may be a word of its own. */
		if (op && !*wanted) {
			free(word);
			if (word_next(&param, &word) <= 0)
				return -1;
			wanted = word;
		}
		holds = by_version(op, now, wanted);
		free(word);
	}
	return holds;
}

static int kernel_version(const char *param)
{
	struct utsname u;

	return uname(&u) ? -1 : versions(u.release, param);
}

/* "kernel OP VERSION", or of another part; without a name the kernel is meant. */
static int version(const char *param)
{
	if (!strncmp(param, "glibc", 5))
		return versions(gnu_get_libc_version(), param + 5);
	if (!strncmp(param, "systemd", 7))
		return 0;
	return kernel_version(strncmp(param, "kernel", 6) ? param : param + 6);
}

static int kernel_command_line(const char *param)
{
	char *text = read_text("/proc/cmdline"), *word;
	const char *rest = text;
	bool exact = strchr(param, '=');
	int found = 0;

	while (text && !found && word_next(&rest, &word) > 0) {
		size_t len = exact ? strlen(word) : strcspn(word, "=");

		found = strlen(param) == len && !strncmp(word, param, len);
		free(word);
	}
	free(text);
	return found;
}

static bool in_user_namespace(void)
{
	char *text = read_text("/proc/self/uid_map");
	unsigned int inside, outside, nr;
	bool whole = !text || (sscanf(text, "%u %u %u", &inside, &outside, &nr) == 3 &&
			       !inside && !outside && nr == UINT32_MAX);

	free(text);
	return !whole;
}

static int virtualization(const char *param)
{
	const char *container = virt_container(), *vm = container ? NULL : virt_machine();
	bool wanted;

	if (!strcmp(param, "private-users"))
		return in_user_namespace();
	if (!parse_bool(param, &wanted))
		return wanted == (container || vm);
	if (!strcmp(param, "vm"))
		return vm != NULL;
	if (!strcmp(param, "container"))
		return container != NULL;
	return (container && !strcmp(container, param)) || (vm && !strcmp(vm, param));
}

static int architecture(const char *param)
{
	char *name = machine_architecture();
	int same = !strcmp(param, "native") || (name && !strcmp(name, param));

	free(name);
	return same;
}

/* By name, a pattern, or the machine's id. */
static int host(const char *param)
{
	char *id = machine_id(), *bare = xstrdup(param), *out = bare;
	struct utsname u;
	int same;

	for (const char *s = param; *s; s++)
		if (*s != '-')
			*out++ = tolower((unsigned char)*s);
	*out = '\0';
	same = (id && !strcmp(id, bare)) ||
	       (!uname(&u) && !fnmatch(param, u.nodename, FNM_CASEFOLD));
	free(id);
	free(bare);
	return same;
}

static char *power_text(const char *supply, const char *what)
{
	char *path = xasprintf("/sys/class/power_supply/%s/%s", supply, what);
	char *text = read_text(path);

	free(path);
	if (text)
		text[strcspn(text, "\n")] = '\0';
	return text;
}

static bool power_is(const char *supply, const char *what, const char *value)
{
	char *text = power_text(supply, what);
	bool same = text && !strcmp(text, value);

	free(text);
	return same;
}

/* Unless a battery is being used up. */
static int ac_power(const char *param)
{
	DIR *d = opendir("/sys/class/power_supply");
	bool online = false, discharging = false;
	struct dirent *entry;

	while (d && (entry = readdir(d))) {
		const char *name = entry->d_name;

		if (power_is(name, "type", "Mains") || power_is(name, "type", "USB"))
			online |= power_is(name, "online", "1");
		else if (power_is(name, "type", "Battery") && !power_is(name, "scope", "Device"))
			discharging |= power_is(name, "status", "Discharging");
	}
	if (d)
		closedir(d);
	return is_yes(param, online || !discharging);
}

static int first_boot(const char *param)
{
	char *id = read_text("/etc/machine-id");
	bool first = !id || !strncmp(id, "uninitialized", 13) ||
		     !access("/run/systemd/first-boot", F_OK);

	free(id);
	return is_yes(param, first);
}

static int capability(const char *param)
{
	int cap = unit_capability(param);

	return cap < 0 ? -1 : prctl(PR_CAPBSET_READ, cap) == 1;
}

static bool has_audit(void)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_AUDIT);

	if (fd < 0)
		return errno != EAFNOSUPPORT && errno != EPROTONOSUPPORT;
	close(fd);
	return true;
}

static bool secure_boot(void)
{
	/* Four bytes of attributes come first. */
	char value[5] = "";
	int fd = open("/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c",
		      O_RDONLY | O_CLOEXEC);
	bool on = fd >= 0 && read(fd, value, sizeof(value)) == sizeof(value) && value[4];

	if (fd >= 0)
		close(fd);
	return on;
}

static int security(const char *param)
{
	static const struct {
		const char *name, *path;
	} files[] = {
		{ "selinux", "/sys/fs/selinux/enforce" }, { "smack", "/sys/fs/smackfs/version" },
		{ "ima", "/sys/kernel/security/ima" },
		{ "tomoyo", "/sys/kernel/security/tomoyo/version" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		if (!strcmp(param, files[i].name))
			return path_exists(files[i].path);
	if (!strcmp(param, "apparmor"))
		return has_word("/sys/module/apparmor/parameters/enabled", "Y");
	if (!strcmp(param, "audit"))
		return has_audit();
	if (!strcmp(param, "uefi-secureboot"))
		return secure_boot();
	if (!strcmp(param, "tpm2"))
		return directory_not_empty("/sys/class/tpmrm") > 0;
	return 0;
}

static int firmware(const char *param)
{
	int holds = 0;
	char *text;
	size_t len;

	if (!strcmp(param, "uefi"))
		return path_exists("/sys/firmware/efi");
	if (!strcmp(param, "device-tree"))
		return path_exists("/sys/firmware/devicetree");
	if (strncmp(param, "device-tree-compatible(", 23))
		return strncmp(param, "smbios-field(", 13) ? -1 : 0;
	text = file_text(AT_FDCWD, "/sys/firmware/devicetree/base/compatible", &len);
	for (const char *s = text; text && s < text + len && !holds; s += strlen(s) + 1)
		holds = !strncmp(s, param + 23, strlen(s)) && !strcmp(param + 23 + strlen(s), ")");
	free(text);
	return holds;
}

static int cpu_feature(const char *param)
{
	char *text = read_text("/proc/cpuinfo"), *flags = text ? strstr(text, "\nflags") : NULL, *w;
	int found = 0;

	if (flags) {
		flags = strchr(flags, ':') + 1;
		flags[strcspn(flags, "\n")] = '\0';
	}
	while (!found && (w = strsep(&flags, " ")))
		found = !strcasecmp(w, param);
	free(text);
	return found;
}

static int control_group_controller(const char *param)
{
	struct statfs st;
	char *word;
	int all = 1;

	if (statfs("/sys/fs/cgroup", &st))
		return -1;
	if (!strcmp(param, "v1") || !strcmp(param, "v2"))
		return (param[1] == '2') == (st.f_type == CGROUP2_SUPER_MAGIC);
	while (all && word_next(&param, &word) > 0) {
		all = has_word("/sys/fs/cgroup/cgroup.controllers", word);
		free(word);
	}
	return all;
}

/* All of "FIELD OP VALUE ..." */
static int os_release(const char *param)
{
	int holds = 1;
	char *word;

	while (holds > 0 && word_next(&param, &word) > 0) {
		const char *wanted = word + strcspn(word, "!$<>=");
		char *name = xasprintf("%.*s", (int)(wanted - word), word);
		enum op op = take_op(&wanted);
		char *value = machine_os_release(name);

		holds = op ? by_version(op, value ? value : "", wanted) : -1;
		free(value);
		free(name);
		free(word);
	}
	return holds;
}

/* Who we are, what we have; names are looked up in the files and nowhere else */

static int uid_of(const char *name, int64_t *uid)
{
	FILE *f = fopen("/etc/passwd", "re");
	struct passwd *pw = NULL;

	while (f && (pw = fgetpwent(f)) && strcmp(pw->pw_name, name))
		;
	*uid = pw ? pw->pw_uid : 0;
	if (f)
		fclose(f);
	return pw ? 0 : -1;
}

static int gid_of(const char *name, int64_t *gid)
{
	FILE *f = fopen("/etc/group", "re");
	struct group *gr = NULL;

	while (f && (gr = fgetgrent(f)) && strcmp(gr->gr_name, name))
		;
	*gid = gr ? gr->gr_gid : 0;
	if (f)
		fclose(f);
	return gr ? 0 : -1;
}

static int user(const char *param)
{
	int64_t uid;

	if (!strcmp(param, "@system"))
		return getuid() <= SYSTEM_UID_MAX;
	/* Root's name needs no looking up. */
	if (!strcmp(param, "root"))
		return !getuid();
	if (parse_integer(param, 0, UINT32_MAX - 1, &uid) && uid_of(param, &uid))
		return 0;
	return uid == getuid() || uid == geteuid();
}

static int group(const char *param)
{
	gid_t *groups;
	int64_t gid;
	int nr, found;

	if (parse_integer(param, 0, UINT32_MAX - 1, &gid) && gid_of(param, &gid))
		return 0;
	found = gid == getgid() || gid == getegid();
	nr = getgroups(0, NULL);
	groups = xcalloc(nr > 0 ? nr : 1, sizeof(*groups));
	nr = getgroups(nr, groups);
	for (int i = 0; i < nr && !found; i++)
		found = groups[i] == gid;
	free(groups);
	return found;
}

static int environment(const char *param)
{
	const char *value = strchr(param, '=');
	char *name = xasprintf("%.*s", (int)strcspn(param, "="), param);
	const char *now = getenv(name);

	free(name);
	return now && (!value || !strcmp(now, value + 1));
}

static int by_number(const char *param, uint64_t now, int (*parse)(const char *s, uint64_t *n))
{
	enum op op = take_op(&param);
	uint64_t wanted;

	if (parse(param, &wanted))
		return -1;
	return by_order(op ? op : OP_GE, (now > wanted) - (now < wanted));
}

static int memory(const char *param)
{
	return by_number(param, (uint64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGE_SIZE),
			 parse_size);
}

static int parse_count(const char *s, uint64_t *n)
{
	int64_t signed_n;

	if (parse_integer(s, 0, INT64_MAX, &signed_n))
		return -1;
	*n = signed_n;
	return 0;
}

static int cpus(const char *param)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set))
		return -1;
	return by_number(param, CPU_COUNT(&set), parse_count);
}

/*
 * "PERCENT" or "PERCENT/SPAN", as the kernel knows it for 10 s, 1 min and 5 min: is there at most
 * so much? Of a slice nothing is known here, and without the kernel's help nothing at all.
 */
static int pressure(const char *file, const char *line, const char *param)
{
	char *text = read_text(file), *at = text ? strstr(text, line) : NULL, *end;
	double now[3], limit = strtod(param, &end);
	uint64_t span = 300 * NSEC_PER_SEC;
	int holds = -1;

	if (*end == '%')
		end++;
	if (strchr(param, ':') || !at)
		holds = 1;
	else if (end > param && (!*end || (*end == '/' && !parse_time(end + 1, &span))) &&
		 sscanf(at + strlen(line), " avg10=%lf avg60=%lf avg300=%lf", now, now + 1,
			now + 2) == 3)
		holds = now[span <= 10 * NSEC_PER_SEC ? 0 : span <= 60 * NSEC_PER_SEC ? 1 : 2] <=
			limit;
	free(text);
	return holds;
}

static int memory_pressure(const char *param)
{
	return pressure("/proc/pressure/memory", "full", param);
}

static int io_pressure(const char *param)
{
	return pressure("/proc/pressure/io", "full", param);
}

static int cpu_pressure(const char *param)
{
	return pressure("/proc/pressure/cpu", "some", param);
}

/* Is /usr newer than what was made of it there? */
static int needs_update(const char *param)
{
	char *path = xasprintf("%s/.updated", param);
	struct stat usr, done;
	int err = lstat(path, &done);

	free(path);
	if (!path_is_read_write(param))
		return 0;
	if (err)
		return 1;
	if (lstat("/usr", &usr))
		return -1;
	if (usr.st_mtim.tv_sec != done.st_mtim.tv_sec)
		return usr.st_mtim.tv_sec > done.st_mtim.tv_sec;
	return done.st_mtim.tv_nsec && usr.st_mtim.tv_nsec > done.st_mtim.tv_nsec;
}

/* There are none. */
static int credential(const char *param)
{
	(void)param;
	return 0;
}

static condition_fn *const tests[CONDITION_KINDS] = {
	[CONDITION_AC_POWER] = ac_power,
	[CONDITION_ARCHITECTURE] = architecture,
	[CONDITION_CAPABILITY] = capability,
	[CONDITION_CONTROL_GROUP_CONTROLLER] = control_group_controller,
	[CONDITION_CPU_FEATURE] = cpu_feature,
	[CONDITION_CPU_PRESSURE] = cpu_pressure,
	[CONDITION_CPUS] = cpus,
	[CONDITION_CREDENTIAL] = credential,
	[CONDITION_DIRECTORY_NOT_EMPTY] = directory_not_empty,
	[CONDITION_ENVIRONMENT] = environment,
	[CONDITION_FILE_IS_EXECUTABLE] = file_is_executable,
	[CONDITION_FILE_NOT_EMPTY] = file_not_empty,
	[CONDITION_FIRMWARE] = firmware,
	[CONDITION_FIRST_BOOT] = first_boot,
	[CONDITION_GROUP] = group,
	[CONDITION_HOST] = host,
	[CONDITION_IO_PRESSURE] = io_pressure,
	[CONDITION_KERNEL_COMMAND_LINE] = kernel_command_line,
	[CONDITION_KERNEL_VERSION] = kernel_version,
	[CONDITION_MEMORY] = memory,
	[CONDITION_MEMORY_PRESSURE] = memory_pressure,
	[CONDITION_NEEDS_UPDATE] = needs_update,
	[CONDITION_OS_RELEASE] = os_release,
	[CONDITION_PATH_EXISTS] = path_exists,
	[CONDITION_PATH_EXISTS_GLOB] = path_exists_glob,
	[CONDITION_PATH_IS_DIRECTORY] = path_is_directory,
	[CONDITION_PATH_IS_ENCRYPTED] = path_is_encrypted,
	[CONDITION_PATH_IS_MOUNT_POINT] = path_is_mount_point,
	[CONDITION_PATH_IS_READ_WRITE] = path_is_read_write,
	[CONDITION_PATH_IS_SYMBOLIC_LINK] = path_is_symbolic_link,
	[CONDITION_SECURITY] = security,
	[CONDITION_USER] = user,
	[CONDITION_VERSION] = version,
	[CONDITION_VIRTUALIZATION] = virtualization,
};

static bool holds(const struct condition *c)
{
	int now = tests[c->kind](c->param);

	return now >= 0 && (now > 0) != c->negate;
}

/* See unit_load.h. */
bool cond_test(const struct unit_file *f, bool asserts, const struct condition **failed)
{
	const struct condition *trigger = NULL;
	bool triggered = false;

	for (size_t i = 0; i < f->nr_conditions; i++) {
		const struct condition *c = &f->conditions[i];

		if (c->assert != asserts || (c->trigger && triggered))
			continue;
		if (c->trigger)
			trigger = c;
		if (holds(c))
			triggered |= c->trigger;
		else if (!c->trigger) {
			*failed = c;
			return false;
		}
	}
	if (!trigger || triggered)
		return true;
	*failed = trigger;
	return false;
}
