// SPDX-License-Identifier: GPL-2.0-only
/* Values that are numbers: 0, or -1 if they are none. */
#include <errno.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "private.h"
#include "span.h"

/* As C has it (0x, 0 for octal), and 0b, 0o. */
int parse_integer(const char *s, int64_t min, int64_t max, int64_t *n)
{
	bool minus = *s == '-';
	const char *digits = s + (minus || *s == '+');
	int base = 0;
	uint64_t v;
	char *end;

	if (!strncmp(digits, "0b", 2))
		base = 2;
	else if (!strncmp(digits, "0o", 2))
		base = 8;
	if (base)
		digits += 2;
	if (!isxdigit((unsigned char)*digits) || (!base && !isdigit((unsigned char)*digits)))
		return -1;
	errno = 0;
	v = strtoull(digits, &end, base);
	if (errno || *end || v > INT64_MAX)
		return -1;
	*n = minus ? -(int64_t)v : (int64_t)v;
	return *n >= min && *n <= max ? 0 : -1;
}

/* One term of a size at *@s: 4, 1.5G, 2 K; the exponent of its suffix has to be below *@most. */
static int size_term(const char **s, unsigned int *most, uint64_t *sum)
{
	static const char suffixes[] = "BKMGTPE";
	uint64_t whole, unit = 1, part = 0, scale = 1;
	const char *p = *s, *suffix, *frac = NULL;
	unsigned int exponent = 0;
	char *end;

	if (!isdigit((unsigned char)*p))
		return -1;
	errno = 0;
	whole = strtoull(p, &end, 10);
	if (errno)
		return -1;
	p = end;
	if (*p == '.') {
		frac = ++p;
		p += strspn(p, "0123456789");
	}
	p += strspn(p, BLANKS);
	suffix = *p ? strchr(suffixes, *p) : NULL;
	if (suffix) {
		exponent = suffix - suffixes;
		p++;
	} else if (*p) {
		return -1;
	}
	/* "1G 2M" is a sum, "1M 2G" a mistake, and so are two plain numbers. */
	if (exponent >= *most)
		return -1;
	*most = exponent;
	unit <<= 10 * exponent;
	for (; frac && isdigit((unsigned char)*frac) && scale < 1000000000; frac++, scale *= 10)
		part = part * 10 + (*frac - '0');
	if (__builtin_mul_overflow(whole, unit, &whole) ||
	    __builtin_add_overflow(whole, (uint64_t)((__uint128_t)part * unit / scale), &whole) ||
	    __builtin_add_overflow(*sum, whole, sum))
		return -1;
	*s = p + strspn(p, BLANKS);
	return 0;
}

/* Bytes, with K, M, G ... of 1024 each. */
int parse_size(const char *s, uint64_t *size)
{
	unsigned int most = 7;
	uint64_t sum = 0;

	do {
		if (size_term(&s, &most, &sum))
			return -1;
	} while (*s);
	*size = sum;
	return 0;
}

int parse_time(const char *s, uint64_t *ns)
{
	return span_parse(s, strlen(s), SPAN_SEC, ns) ? -1 : 0;
}

int parse_mode(const char *s, mode_t *mode)
{
	size_t len = strspn(s, "01234567");
	unsigned long n;

	if (!len || len > 8 || s[len])
		return -1;
	n = strtoul(s, NULL, 8);
	if (n > 07777)
		return -1;
	*mode = n;
	return 0;
}

/* The names that systemd has for exit statuses, in systemd-analyze exit-status. */
static const char *const statuses[256] = {
	[0] = "SUCCESS", [1] = "FAILURE", [2] = "INVALIDARGUMENT", [3] = "NOTIMPLEMENTED",
	[4] = "NOPERMISSION", [5] = "NOTINSTALLED", [6] = "NOTCONFIGURED", [7] = "NOTRUNNING",
	[64] = "USAGE", [65] = "DATAERR", [66] = "NOINPUT", [67] = "NOUSER", [68] = "NOHOST",
	[69] = "UNAVAILABLE", [70] = "SOFTWARE", [71] = "OSERR", [72] = "OSFILE",
	[73] = "CANTCREAT", [74] = "IOERR", [75] = "TEMPFAIL", [76] = "PROTOCOL",
	[77] = "NOPERM", [78] = "CONFIG",
	[200] = "CHDIR", [201] = "NICE", [202] = "FDS", [203] = "EXEC", [204] = "MEMORY",
	[205] = "LIMITS", [206] = "OOM_ADJUST", [207] = "SIGNAL_MASK", [208] = "STDIN",
	[209] = "STDOUT", [210] = "CHROOT", [211] = "IOPRIO", [212] = "TIMERSLACK",
	[213] = "SECUREBITS", [214] = "SETSCHEDULER", [215] = "CPUAFFINITY", [216] = "GROUP",
	[217] = "USER", [218] = "CAPABILITIES", [219] = "CGROUP", [220] = "SETSID",
	[221] = "CONFIRM", [222] = "STDERR", [224] = "PAM", [225] = "NETWORK",
	[226] = "NAMESPACE", [227] = "NO_NEW_PRIVILEGES", [228] = "SECCOMP",
	[229] = "SELINUX_CONTEXT", [230] = "PERSONALITY", [231] = "APPARMOR",
	[232] = "ADDRESS_FAMILIES", [233] = "RUNTIME_DIRECTORY", [235] = "CHOWN",
	[236] = "SMACK_PROCESS_LABEL", [237] = "KEYRING", [238] = "STATE_DIRECTORY",
	[239] = "CACHE_DIRECTORY", [240] = "LOGS_DIRECTORY", [241] = "CONFIGURATION_DIRECTORY",
	[242] = "NUMA_POLICY", [243] = "CREDENTIALS", [244] = "BPF", [255] = "EXCEPTION",
};

/* A number of 0 to 255 or a name; -1: neither. */
int exit_status(const char *s)
{
	int64_t n;

	if (!parse_integer(s, 0, 255, &n))
		return n;
	return choice(statuses, ARRAY_SIZE(statuses), s);
}

const char *unit_status_name(int status)
{
	return status >= 0 && status < 256 ? statuses[status] : NULL;
}
