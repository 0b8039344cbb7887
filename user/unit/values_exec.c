// SPDX-License-Identifier: GPL-2.0-only
/* Values of systemd.exec(5): who runs a command, and with what. */
#include <ctype.h>
#include <linux/securebits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "private.h"
#include "span.h"

/* NAME=value */
static bool assignment_ok(const char *s)
{
	size_t len = strcspn(s, "=");

	return s[len] && env_name_ok(s, len) && utf8_valid(s);
}

static enum verdict add_env(struct parser *p, const struct key *key, char *word)
{
	char *text = expand(p, word);

	if (!text)
		return VALUE_SAID;
	if (!assignment_ok(text))
		return VALUE_IGNORED;
	arena_add(&p->file->arena, FIELD(p, key, struct strv), text);
	return VALUE_OK;
}

static enum verdict take_env(struct parser *p, const struct key *key, char *value)
{
	if (!*value)
		strv_reset(FIELD(p, key, struct strv));
	return each_word(p, key, value, ESCAPES_STRICT, add_env);
}
VALUE(value_env, take_env, .expected = "NAME=value, every quote closed and every escape known");

/* key->arg: an assignment is one, too */
static enum verdict add_env_name(struct parser *p, const struct key *key, char *word)
{
	char *text = expand(p, word);

	if (!text)
		return VALUE_SAID;
	if (!env_name_ok(text, strlen(text)) && !(key->arg && assignment_ok(text)))
		return VALUE_IGNORED;
	arena_add(&p->file->arena, FIELD(p, key, struct strv), text);
	return VALUE_OK;
}

static enum verdict take_env_names(struct parser *p, const struct key *key, char *value)
{
	if (!*value)
		strv_reset(FIELD(p, key, struct strv));
	return each_word(p, key, value, ESCAPES_STRICT, add_env_name);
}
VALUE(value_env_names, take_env_names, .expected = "names of environment variables");

static enum verdict take_env_file(struct parser *p, const struct key *key, char *value)
{
	struct paths *files = FIELD(p, key, struct paths);
	bool optional = *value == '-';
	char *name;

	if (!*value) {
		*files = (struct paths){ 0 };
		return VALUE_OK;
	}
	name = expand(p, value + optional);
	if (!name || *name != '/')
		return VALUE_IGNORED;
	simplify_path(name);
	files->v = arena_grow(&p->file->arena, files->v, files->nr, sizeof(*files->v));
	files->v[files->nr++] =
		(struct path){ .name = name, .optional = optional, .where = p->where };
	return VALUE_OK;
}
VALUE(value_env_file, take_env_file, .expected = "an absolute path");

/*
 * Looked up when it is needed, as it may be made by another unit: so anything that may stand in
 * /etc/passwd, or a number that is no mark for "none".
 */
static bool account_ok(const char *s)
{
	size_t digits = strspn(s + (*s == '-'), "0123456789"), len = strlen(s);
	int64_t n;

	if (!len || s[strcspn(s, ":/\t\n\r")] || *s == ' ' || s[len - 1] == ' ' || !utf8_valid(s) ||
	    !strcmp(s, ".") || !strcmp(s, ".."))
		return false;
	if (*s == '-')
		return digits + 1 < len;
	return digits < len || (!parse_integer(s, 0, UINT32_MAX - 1, &n) && n != UINT16_MAX);
}

static enum verdict take_account(struct parser *p, const struct key *key, char *value)
{
	char *name = *value ? expand(p, value) : NULL;

	if (*value && (!name || !account_ok(name)))
		return VALUE_FATAL;
	*FIELD(p, key, struct path) = (struct path){ .name = name, .where = p->where };
	return VALUE_OK;
}
VALUE(value_account, take_account, .expected = "a name or a number");

static enum verdict add_account(struct parser *p, const struct key *key, char *word)
{
	char *name = expand(p, word);

	if (!name || !account_ok(name))
		return VALUE_FATAL;
	arena_add(&p->file->arena, FIELD(p, key, struct strv), name);
	return VALUE_OK;
}

static enum verdict take_accounts(struct parser *p, const struct key *key, char *value)
{
	if (!*value)
		strv_reset(FIELD(p, key, struct strv));
	return each_word(p, key, value, WORDS_RAW, add_account);
}
VALUE(value_accounts, take_accounts, .expected = "names or numbers");

static enum verdict take_cwd(struct parser *p, const struct key *key, char *value)
{
	bool optional = *value == '-';
	const char *name = value + optional;

	if (!strcmp(name, "~"))
		name = "~";
	else if (*value)
		name = expand_path(p, name, true);
	else
		name = NULL;
	if (*value && !name)
		return optional ? VALUE_IGNORED : VALUE_FATAL;
	*FIELD(p, key, struct path) =
		(struct path){ .name = name, .optional = optional, .where = p->where };
	return VALUE_OK;
}
VALUE(value_cwd, take_cwd, .expected = "an absolute path without \"..\", or ~");

/* What would run outside of it would be another program than was meant. */
static enum verdict take_root(struct parser *p, const struct key *key, char *value)
{
	enum verdict verdict = value_path.parse(p, key, value);

	return verdict == VALUE_OK ? VALUE_OK : VALUE_FATAL;
}
VALUE(value_root, take_root, .expected = "an absolute path without \"..\"");

static enum verdict take_search_path(struct parser *p, const struct key *key, char *value)
{
	struct strv *list = FIELD(p, key, struct strv);
	enum verdict verdict = VALUE_OK;
	char *save = NULL, *path;

	if (!*value)
		strv_reset(list);
	for (char *s = strtok_r(value, ":", &save); s; s = strtok_r(NULL, ":", &save)) {
		path = expand_path(p, s, true);
		if (path)
			arena_add(&p->file->arena, list, path);
		else
			verdict = VALUE_IGNORED;
	}
	return verdict;
}
VALUE(value_search_path, take_search_path, .expected = "absolute paths, separated by \":\"");

static enum verdict take_nice(struct parser *p, const struct key *key, char *value)
{
	/* DragonReach's range had one more. */
	if (p->opt->compat && !strcmp(value, "20"))
		value = strcpy(p->scratch, "19");
	return take_ranged(p, key, value);
}
VALUE(value_nice, take_nice, .min = -20, .max = 19, .expected = "a number from -20 to 19");
VALUE(value_oom_score, take_ranged, .min = -1000, .max = 1000,
	.expected = "a number from -1000 to 1000");
VALUE(value_cpu_priority, take_ranged, .max = 99, .expected = "a number from 0 to 99");

static enum verdict take_cpu_policy(struct parser *p, const struct key *key, char *value)
{
	static const char *const names[] = {
		[SCHED_OTHER] = "other", [SCHED_FIFO] = "fifo", [SCHED_RR] = "rr",
		[SCHED_BATCH] = "batch", [SCHED_IDLE] = "idle",
	};
	int policy = choice(names, ARRAY_SIZE(names), value);

	if (*value && policy < 0)
		return VALUE_IGNORED;
	*FIELD(p, key, int32_t) = *value ? policy : UNSET;
	return VALUE_OK;
}
VALUE(value_cpu_policy, take_cpu_policy, .expected = "other, batch, idle, fifo or rr");

/* "0-3", "5" */
static int cpu_range(const char *word, cpu_set_t *set)
{
	char *end;
	unsigned long first, last;

	if (!isdigit((unsigned char)*word))
		return -1;
	first = last = strtoul(word, &end, 10);
	if (*end == '-' && isdigit((unsigned char)end[1]))
		last = strtoul(end + 1, &end, 10);
	if (*end || first > last || last >= CPU_SETSIZE)
		return -1;
	for (; first <= last; first++)
		CPU_SET(first, set);
	return 0;
}

static enum verdict take_affinity(struct parser *p, const struct key *key, char *value)
{
	const cpu_set_t **field = FIELD(p, key, const cpu_set_t *);
	cpu_set_t sum, *set;
	char *save = NULL;

	CPU_ZERO(&sum);
	if (!*value)
		*field = NULL;
	for (char *s = strtok_r(value, BLANKS ",", &save); s; s = strtok_r(NULL, BLANKS ",", &save))
		if (cpu_range(s, &sum))
			return VALUE_IGNORED;
	if (!CPU_COUNT(&sum))
		return VALUE_OK;
	if (*field)
		CPU_OR(&sum, &sum, *field);
	set = arena_alloc(&p->file->arena, sizeof(*set));
	*set = sum;
	*field = set;
	return VALUE_OK;
}
VALUE(value_affinity, take_affinity, .expected = "numbers of processors (as 0 2-3,6)");

#define IOPRIO(class, level)	((class) << 13 | (level))
#define IOPRIO_DEFAULT		IOPRIO(2, 4)

static enum verdict take_io_class(struct parser *p, const struct key *key, char *value)
{
	static const char *const names[] = { "none", "realtime", "best-effort", "idle" };
	int32_t *ioprio = FIELD(p, key, int32_t);
	int class = choice(names, ARRAY_SIZE(names), value);
	int64_t n;

	if (!parse_integer(value, 0, 3, &n))
		class = n;
	if (*value && class < 0)
		return VALUE_IGNORED;
	if (*ioprio == UNSET)
		*ioprio = IOPRIO_DEFAULT;
	if (*value)
		*ioprio = class ? IOPRIO(class, *ioprio & 7) : IOPRIO_DEFAULT;
	else
		*ioprio = UNSET;
	return VALUE_OK;
}
VALUE(value_io_class, take_io_class, .expected = "none, realtime, best-effort or idle");

static enum verdict take_io_priority(struct parser *p, const struct key *key, char *value)
{
	int32_t *ioprio = FIELD(p, key, int32_t);
	int64_t n = 0;

	if (*value && parse_integer(value, 0, 7, &n))
		return VALUE_IGNORED;
	if (*ioprio == UNSET)
		*ioprio = IOPRIO_DEFAULT;
	*ioprio = *value ? IOPRIO(*ioprio >> 13, (int32_t)n) : UNSET;
	return VALUE_OK;
}
VALUE(value_io_priority, take_io_priority, .expected = "a number from 0 to 7");

static enum verdict take_slack(struct parser *p, const struct key *key, char *value)
{
	return span_parse(value, strlen(value), 1, FIELD(p, key, uint64_t)) ? VALUE_IGNORED :
									      VALUE_OK;
}
VALUE(value_slack, take_slack, .expected = "a time span, in nanoseconds without a unit");

static enum verdict add_coredump(struct parser *p, const struct key *key, char *word)
{
	static const char *const names[] = {
		"private-anonymous", "shared-anonymous", "private-file-backed",
		"shared-file-backed", "elf-headers", "private-huge", "shared-huge",
		"private-dax", "shared-dax",
	};
	int64_t *filter = FIELD(p, key, int64_t), bits;
	int bit = choice(names, ARRAY_SIZE(names), word);
	char *end;

	if (bit >= 0)
		bits = 1 << bit;
	else if (!strcmp(word, "all"))
		bits = UINT32_MAX;
	else if (!strcmp(word, "default"))
		bits = 0x33;
	else if (bits = strtoul(word, &end, 16), *end || !isxdigit((unsigned char)*word) ||
		 bits > UINT32_MAX)
		return VALUE_IGNORED;
	*filter = *filter < 0 ? bits : *filter | bits;
	return VALUE_OK;
}

static enum verdict take_coredump(struct parser *p, const struct key *key, char *value)
{
	if (!*value)
		*FIELD(p, key, int64_t) = -1;
	return each_word(p, key, value, ESCAPES_STRICT, add_coredump);
}
VALUE(value_coredump, take_coredump,
	.expected = "kinds of memory (as private-anonymous), default, all, or hexadecimal bits");

/* As ulimit's: +19 is the lowest a process may have, -20 the highest. */
static int parse_limit_nice(const char *s, uint64_t *limit)
{
	int64_t n;

	if (*s == '+' || *s == '-') {
		if (parse_integer(s, -20, 19, &n))
			return -1;
		*limit = 20 - n;
		return 0;
	}
	if (parse_integer(s, 1, 40, &n))
		return -1;
	*limit = n;
	return 0;
}

static int parse_limit(const char *s, int which, uint64_t *limit)
{
	uint64_t unit = which == RLIMIT_CPU ? NSEC_PER_SEC : NSEC_PER_MSEC / 1000, ns;
	int64_t n;

	if (!strcmp(s, "infinity") && which != RLIMIT_NICE) {
		*limit = RLIM_INFINITY;
		return 0;
	}
	switch (which) {
	case RLIMIT_CPU:
	case RLIMIT_RTTIME:
		if (span_parse(s, strlen(s), unit, &ns))
			return -1;
		*limit = ns / unit + !!(ns % unit);
		return 0;
	case RLIMIT_NICE:
		return parse_limit_nice(s, limit);
	case RLIMIT_NOFILE:
	case RLIMIT_NPROC:
	case RLIMIT_LOCKS:
	case RLIMIT_SIGPENDING:
	case RLIMIT_RTPRIO:
		if (parse_integer(s, 0, INT64_MAX, &n))
			return -1;
		*limit = n;
		return 0;
	default:
		return parse_size(s, limit);
	}
}

/* One value for both, or SOFT:HARD. */
static enum verdict take_limit(struct parser *p, const struct key *key, char *value)
{
	struct limits **field = FIELD(p, key, struct limits *);
	char *colon = strchr(value, ':');
	struct rlimit l;
	uint64_t soft, hard;

	if (colon)
		*colon++ = '\0';
	if (parse_limit(strip(value), key->arg, &soft))
		return VALUE_IGNORED;
	hard = soft;
	if (colon && parse_limit(strip(colon), key->arg, &hard))
		return VALUE_IGNORED;
	if (soft > hard)
		return VALUE_IGNORED;
	l = (struct rlimit){ .rlim_cur = soft, .rlim_max = hard };
	if (!*field)
		*field = arena_alloc(&p->file->arena, sizeof(**field));
	(*field)->set |= 1U << key->arg;
	(*field)->v[key->arg] = l;
	return VALUE_OK;
}
VALUE(value_limit, take_limit,
	.expected = "a limit, or SOFT:HARD, of the resource's unit, or infinity");

static const char *const capability_names[] = {
	"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER", "CAP_FSETID",
	"CAP_KILL", "CAP_SETGID", "CAP_SETUID", "CAP_SETPCAP", "CAP_LINUX_IMMUTABLE",
	"CAP_NET_BIND_SERVICE", "CAP_NET_BROADCAST", "CAP_NET_ADMIN", "CAP_NET_RAW",
	"CAP_IPC_LOCK", "CAP_IPC_OWNER", "CAP_SYS_MODULE", "CAP_SYS_RAWIO", "CAP_SYS_CHROOT",
	"CAP_SYS_PTRACE", "CAP_SYS_PACCT", "CAP_SYS_ADMIN", "CAP_SYS_BOOT", "CAP_SYS_NICE",
	"CAP_SYS_RESOURCE", "CAP_SYS_TIME", "CAP_SYS_TTY_CONFIG", "CAP_MKNOD", "CAP_LEASE",
	"CAP_AUDIT_WRITE", "CAP_AUDIT_CONTROL", "CAP_SETFCAP", "CAP_MAC_OVERRIDE",
	"CAP_MAC_ADMIN", "CAP_SYSLOG", "CAP_WAKE_ALARM", "CAP_BLOCK_SUSPEND", "CAP_AUDIT_READ",
	"CAP_PERFMON", "CAP_BPF", "CAP_CHECKPOINT_RESTORE",
};

int unit_capability(const char *name)
{
	int64_t n;

	for (size_t i = 0; i < ARRAY_SIZE(capability_names); i++)
		if (!strcasecmp(name, capability_names[i]))
			return i;
	return parse_integer(name, 0, 62, &n) ? -1 : (int)n;
}

const char *unit_capability_name(int cap)
{
	return cap >= 0 && cap < (int)ARRAY_SIZE(capability_names) ? capability_names[cap] : NULL;
}

/*
 * key->arg: the ambient ones, which begin with none; the bounding set begins with all. The
 * first list, or an empty one, replaces what there was, others are added to it or, with "~"
 * before them, taken from it.
 */
static enum verdict take_capabilities(struct parser *p, const struct key *key, char *value)
{
	struct exec_context *e = place_base(p->file, IN_EXEC);
	uint64_t *set = key->arg ? &e->caps_ambient : &e->caps_bounding, sum = 0;
	bool *given = key->arg ? &e->caps_ambient_set : &e->caps_bounding_set;
	bool invert = *value == '~', bad = false;
	const char *s = value + invert;
	int cap, ret;

	while ((ret = next_word(p, &s, ESCAPES_STRICT)) > 0) {
		cap = unit_capability(p->scratch);
		bad |= cap < 0;
		sum |= cap < 0 ? 0 : 1ULL << cap;
	}
	if (bad && !sum)
		return VALUE_IGNORED;
	if (!sum || *set == (key->arg ? 0 : UINT64_MAX))
		*set = invert ? ~sum : sum;
	else
		*set = invert ? *set & ~sum : *set | sum;
	*given = true;
	return ret < 0 || bad ? VALUE_IGNORED : VALUE_OK;
}
VALUE(value_capabilities, take_capabilities,
	.expected = "names of capabilities (as CAP_KILL), "
		    "\"~\" before the first to take them away");

static enum verdict add_secure_bit(struct parser *p, const struct key *key, char *word)
{
	static const struct {
		const char *name;
		unsigned int bit;
	} bits[] = {
		{ "keep-caps", SECBIT_KEEP_CAPS },
		{ "keep-caps-locked", SECBIT_KEEP_CAPS_LOCKED },
		{ "no-setuid-fixup", SECBIT_NO_SETUID_FIXUP },
		{ "no-setuid-fixup-locked", SECBIT_NO_SETUID_FIXUP_LOCKED },
		{ "noroot", SECBIT_NOROOT }, { "noroot-locked", SECBIT_NOROOT_LOCKED },
	};

	for (size_t i = 0; i < ARRAY_SIZE(bits); i++) {
		if (strcmp(word, bits[i].name))
			continue;
		*FIELD(p, key, uint8_t) |= bits[i].bit;
		return VALUE_OK;
	}
	return VALUE_IGNORED;
}

static enum verdict take_secure_bits(struct parser *p, const struct key *key, char *value)
{
	if (!*value)
		*FIELD(p, key, uint8_t) = 0;
	return each_word(p, key, value, ESCAPES_STRICT, add_secure_bit);
}
VALUE(value_secure_bits, take_secure_bits,
	.expected = "keep-caps, no-setuid-fixup or noroot, each also with -locked");
