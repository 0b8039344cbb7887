// SPDX-License-Identifier: GPL-2.0-only
/*
 * Specifiers that stand for the machine and for who runs the manager: read when they are asked
 * for, and then kept until the directories are opened anew. Nothing here asks the network.
 */
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "private.h"

struct machine {
	char *text[128];
};

static char *first_line(const char *path)
{
	size_t len;
	char *text = file_text(AT_FDCWD, path, &len);

	if (text)
		text[strcspn(text, "\r\n")] = '\0';
	return text;
}

/* An id as 32 digits, whatever dashes it is written with. */
static char *id_in(const char *path)
{
	char *text = first_line(path), *out = text;

	if (!text)
		return NULL;
	for (const char *in = text; *in; in++)
		if (*in != '-')
			*out++ = *in;
	*out = '\0';
	if (strlen(text) == 32 && strspn(text, "0123456789abcdef") == 32)
		return text;
	free(text);
	return NULL;
}

/* The value of NAME= in a file such as os-release, NULL if there is none. */
static char *value_in(const char *path, const char *name)
{
	size_t len, name_len = strlen(name);
	char *text = file_text(AT_FDCWD, path, &len), *value = NULL, *line, *save = NULL;

	if (!text)
		return NULL;
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		const char *p = line + name_len + 1;

		if (strncmp(line, name, name_len) || line[name_len] != '=')
			continue;
		free(value);
		if (word_next(&p, &value) <= 0) {
			free(value);
			value = NULL;
		}
	}
	free(text);
	return value;
}

char *machine_os_release(const char *name)
{
	const char *path = access("/etc/os-release", R_OK) ? "/usr/lib/os-release" :
							     "/etc/os-release";
	char *value = value_in(path, name);

	return value ? value : xstrdup("");
}

char *machine_id(void)
{
	char *id = id_in("/etc/machine-id");

	return id ? id : id_in("/var/lib/dbus/machine-id");
}

static const struct {
	const char *machine, *name;
} architectures[] = {
	{ "x86_64", "x86-64" }, { "i386", "x86" }, { "i486", "x86" }, { "i586", "x86" },
	{ "i686", "x86" }, { "aarch64", "arm64" }, { "aarch64_be", "arm64-be" },
	{ "ppc64le", "ppc64-le" }, { "ppcle", "ppc-le" }, { "mips64", "mips64" },
	{ "ia64", "ia64" }, { "parisc64", "parisc64" }, { "alpha", "alpha" },
};

char *machine_architecture(void)
{
	struct utsname u;

	if (uname(&u))
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(architectures); i++)
		if (!strcmp(u.machine, architectures[i].machine))
			return xstrdup(architectures[i].name);
	if (!strncmp(u.machine, "armv", 4))
		return xstrdup(u.machine[strlen(u.machine) - 1] == 'b' ? "arm-be" : "arm");
	return xstrdup(u.machine);
}

static char *from_uname(char which)
{
	struct utsname u;

	if (uname(&u))
		return NULL;
	if (which == 'l')
		u.nodename[strcspn(u.nodename, ".")] = '\0';
	return xstrdup(which == 'v' ? u.release : u.nodename);
}

static char *pretty_name(void)
{
	char *name = value_in("/etc/machine-info", "PRETTY_HOSTNAME");

	return name && *name ? name : (free(name), from_uname('l'));
}

static char *passwd_text(char which)
{
	FILE *f = fopen("/etc/passwd", "re");
	struct passwd *pw;
	char *text = NULL;

	while (f && !text && (pw = fgetpwent(f)))
		if (pw->pw_uid == getuid())
			text = xstrdup(which == 'u' ? pw->pw_name : which == 'h' ? pw->pw_dir :
				       *pw->pw_shell ? pw->pw_shell : "/bin/sh");
	if (f)
		fclose(f);
	if (text || getuid())
		return text;
	return xstrdup(which == 'u' ? "root" : which == 'h' ? "/root" : "/bin/sh");
}

static char *group_text(void)
{
	FILE *f = fopen("/etc/group", "re");
	struct group *gr;
	char *text = NULL;

	while (f && !text && (gr = fgetgrent(f)))
		if (gr->gr_gid == getgid())
			text = xstrdup(gr->gr_name);
	if (f)
		fclose(f);
	return text || getgid() ? text : xstrdup("root");
}

static char *home(bool user)
{
	const char *dir = user ? getenv("HOME") : NULL;

	return dir && *dir == '/' ? xstrdup(dir) : passwd_text('h');
}

/* $NAME/SUFFIX, or FALLBACK/SUFFIX below the home directory. */
static char *user_dir(const char *name, const char *fallback, const char *suffix)
{
	const char *dir = getenv(name);
	char *h, *path;

	if (dir && *dir == '/')
		return xasprintf("%s%s", dir, suffix);
	h = home(true);
	if (!h)
		return NULL;
	path = xasprintf("%s/%s%s", h, fallback, suffix);
	free(h);
	return path;
}

static char *runtime_dir(void)
{
	const char *dir = getenv("XDG_RUNTIME_DIR");

	return dir && *dir == '/' ? xstrdup(dir) : xasprintf("/run/user/%u", getuid());
}

static char *temporary(const char *fallback)
{
	static const char *const names[] = { "TMPDIR", "TEMP", "TMP" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const char *dir = getenv(names[i]);

		if (dir && *dir == '/' && !access(dir, F_OK))
			return xstrdup(dir);
	}
	return xstrdup(fallback);
}

static char *directory(char which, bool user)
{
	switch (which) {
	case 't':
		return user ? runtime_dir() : xstrdup("/run");
	case 'S':
		return user ? user_dir("XDG_STATE_HOME", ".local/state", "") : xstrdup("/var/lib");
	case 'C':
		return user ? user_dir("XDG_CACHE_HOME", ".cache", "") : xstrdup("/var/cache");
	case 'L':
		return user ? user_dir("XDG_STATE_HOME", ".local/state", "/log") :
			      xstrdup("/var/log");
	case 'E':
		return user ? user_dir("XDG_CONFIG_HOME", ".config", "") : xstrdup("/etc");
	case 'T':
		return temporary("/tmp");
	case 'V':
		return temporary("/var/tmp");
	default:
		return NULL;
	}
}

static char *look_up(char which, bool user)
{
	switch (which) {
	case 'a': return machine_architecture();
	case 'b': return id_in("/proc/sys/kernel/random/boot_id");
	case 'm': return machine_id();
	case 'H': case 'l': case 'v': return from_uname(which);
	case 'q': return pretty_name();
	case 'o': return machine_os_release("ID");
	case 'w': return machine_os_release("VERSION_ID");
	case 'W': return machine_os_release("VARIANT_ID");
	case 'B': return machine_os_release("BUILD_ID");
	case 'M': return machine_os_release("IMAGE_ID");
	case 'A': return machine_os_release("IMAGE_VERSION");
	case 'u': case 's': return passwd_text(which);
	case 'h': return home(user);
	case 'g': return group_text();
	case 'U': return xasprintf("%u", getuid());
	case 'G': return xasprintf("%u", getgid());
	default: return directory(which, user);
	}
}

/* What %@specifier stands for, NULL if it cannot be known. */
const char *machine_text(struct unit_dirs *d, char specifier)
{
	unsigned char c = specifier;

	if (!d->machine)
		d->machine = xcalloc(1, sizeof(*d->machine));
	if (c >= ARRAY_SIZE(d->machine->text))
		return NULL;
	if (!d->machine->text[c])
		d->machine->text[c] = look_up(specifier, d->opt.user);
	return d->machine->text[c];
}

void machine_free(struct machine *m)
{
	for (size_t i = 0; m && i < ARRAY_SIZE(m->text); i++)
		free(m->text[i]);
	free(m);
}
